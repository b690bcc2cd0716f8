//! Line charts with error bars and, where asked for, a second axis; as SVG and PNG.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::axis::Axis;
use super::picture::Picture;

/// How an axis maps numbers to places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Proportional.
    Linear,
    /// Logarithmic: positive numbers only, others are left out.
    Logarithmic,
}

/// One point of a series.
#[derive(Clone, Copy, Debug)]
pub struct ChartPoint {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Ends of its error bar.
    pub interval: Option<(f64, f64)>,
}

/// What joins the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line.
    Solid,
    /// A dashed line.
    Dashed,
    /// Nothing.
    None,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct ChartSeries {
    /// Its name in the legend.
    pub label: String,
    /// Its place in the palette and among the markers.
    pub style: usize,
    /// What joins its points.
    pub line: Line,
    /// Whether its points are marked; a level line has none.
    pub marked: bool,
    /// Whether it belongs to the second axis, on the right.
    pub right: bool,
    /// Its points, by increasing abscissa. Points that are not finite are left out.
    pub points: Vec<ChartPoint>,
}

/// A chart over a logarithmic abscissa with ticks at given places.
///
/// A fenced axis holds what lies within one and a half interquartile ranges of the quartiles of its values (Tukey's fences), so
/// that one extreme point does not flatten all others. Lines leave the frame towards points beyond, and a note below the
/// legend gives their values.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above the picture.
    pub title: String,
    /// Below the abscissa.
    pub x_label: String,
    /// Where the abscissa has its ticks.
    pub x_ticks: Vec<f64>,
    /// Beside the left axis.
    pub y_label: String,
    /// Scale of the left axis.
    pub y_scale: Scale,
    /// Whether the axes leave out extreme points.
    pub fenced: bool,
    /// Beside the right axis, linear; empty where no series belongs to it.
    pub right_label: String,
    /// The lines.
    pub series: Vec<ChartSeries>,
}

/// Okabe and Ito's palette: told apart with any colour vision.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(130, 130, 130),
];

const SIZE: (u32, u32) = (900, 620);
const LEGEND_COLUMNS: usize = 3;
const LEGEND_ROW: u32 = 24;
/// Rows of the legend for which the size is made.
const USUAL_LEGEND_ROWS: u32 = 4;

impl Chart {
    fn legend_rows(&self) -> u32 {
        self.series.len().div_ceil(LEGEND_COLUMNS) as u32
    }

    fn axis(&self, right: bool) -> Axis {
        let scale = if right { Scale::Linear } else { self.y_scale };
        let of_axis = self.series.iter().filter(|series| series.right == right);
        Axis::around(of_axis.flat_map(|series| &series.points).copied().collect(), scale, self.fenced)
    }

    /// What lies beyond the axes, in words.
    fn beyond(&self, left: &Axis, right: &Axis) -> Vec<String> {
        let mut notes = Vec::new();
        for series in &self.series {
            let axis = if series.right { right } else { left };
            for point in series.points.iter().filter(|point| axis.shows(point.y) && !axis.holds(point.y)) {
                notes.push(format!("{}, {} at {}", series.label, short(point.y), point.x));
            }
        }
        // As many as there is room for.
        const MOST: usize = 12;
        if notes.len() > MOST {
            let more = notes.split_off(MOST - 1).len();
            notes.push(format!("and {more} more"));
        }
        notes
    }

    fn draw_legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: i32| size * factor as i32;
        let column_width = (SIZE.0 as i32 - 60) / LEGEND_COLUMNS as i32;
        for (index, series) in self.series.iter().enumerate() {
            let (column, row) = ((index % LEGEND_COLUMNS) as i32, (index / LEGEND_COLUMNS) as i32);
            let (x, y) = (px(40 + column * column_width), px(12 + 24 * row));
            let line = colour(series.style).stroke_width(2 * factor);
            let parts = match series.line {
                Line::Solid => vec![(0, 30)],
                Line::Dashed => vec![(0, 11), (19, 30)],
                Line::None => vec![],
            };
            for (start, end) in parts {
                area.draw(&PathElement::new(vec![(x + px(start), y), (x + px(end), y)], line))?;
            }
            if series.marked {
                area.draw(&mark((x + px(15), y), series.style, factor))?;
            }
            let text = Text::new(series.label.clone(), (x + px(38), y - px(7)), ("sans-serif", 13 * factor));
            area.draw(&text)?;
        }
        Ok(())
    }
}

impl Picture for Chart {
    fn size(&self) -> (u32, u32) {
        // A long legend takes room of its own.
        (SIZE.0, SIZE.1 + LEGEND_ROW * self.legend_rows().saturating_sub(USUAL_LEGEND_ROWS))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: u32| size * factor;
        area.fill(&WHITE)?;
        let (left, right) = (self.axis(false), self.axis(true));
        let beyond = self.beyond(&left, &right);
        let (legend_rows, notes_a_line) = (self.legend_rows(), 3);
        let note_rows = beyond.len().div_ceil(notes_a_line) as u32;
        let (upper, lower) = area.split_vertically(px(self.size().1 - 12 - LEGEND_ROW * legend_rows - 17 * note_rows));

        let x = Axis::with_ticks(&self.x_ticks);
        let mut chart = ChartBuilder::on(&upper)
            .caption(&self.title, ("sans-serif", px(17)))
            .margin(px(10))
            .x_label_area_size(px(45))
            .y_label_area_size(px(70))
            .right_y_label_area_size(if self.right_label.is_empty() { px(10) } else { px(60) })
            .build_cartesian_2d(x.clone(), left.clone())?
            .set_secondary_coord(x.clone(), right.clone());
        let text = || ("sans-serif", px(13));
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .label_style(text())
            .axis_desc_style(("sans-serif", px(14)))
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225).stroke_width(factor))
            .draw()?;
        if !self.right_label.is_empty() {
            chart
                .configure_secondary_axes()
                .y_desc(&self.right_label)
                .label_style(text())
                .axis_desc_style(("sans-serif", px(14)))
                .draw()?;
        }
        // Half the width of an error bar's caps, as a factor on the logarithmic abscissa.
        let cap = (x.high / x.low).powf(0.005);
        for series in &self.series {
            let axis = if series.right { &right } else { &left };
            let elements = series.elements(cap, axis, factor);
            if series.right {
                chart.draw_secondary_series(elements)?;
            } else {
                chart.draw_series(elements)?;
            }
        }
        self.draw_legend(&lower, factor)?;
        for (index, notes) in beyond.chunks(notes_a_line).enumerate() {
            let lead = if index == 0 { "Beyond the axis: " } else { "" };
            let place = (px(40) as i32, px(LEGEND_ROW * legend_rows + 17 * index as u32) as i32);
            lower.draw(&Text::new(format!("{lead}{}", notes.join("; ")), place, ("sans-serif", px(12))))?;
        }
        area.present()
    }
}

fn colour(style: usize) -> RGBColor {
    PALETTE[style % PALETTE.len()]
}

/// The marker of a style at a point.
fn mark<DB, C>(at: C, style: usize, factor: u32) -> DynElement<'static, DB, C>
where
    DB: DrawingBackend,
    C: Clone + 'static,
{
    let size = 4 * factor;
    match style % 4 {
        0 => Circle::new(at, size, colour(style).filled()).into_dyn(),
        1 => TriangleMarker::new(at, size + factor, colour(style).filled()).into_dyn(),
        2 => Circle::new(at, size, colour(style).stroke_width(2 * factor)).into_dyn(),
        _ => Cross::new(at, size, colour(style).stroke_width(2 * factor)).into_dyn(),
    }
}

impl ChartSeries {
    /// Line, error bars and markers.
    fn elements<DB: DrawingBackend>(
        &self,
        cap: f64,
        axis: &Axis,
        factor: u32,
    ) -> Vec<DynElement<'static, DB, (f64, f64)>> {
        let shown: Vec<&ChartPoint> = self.points.iter().filter(|point| axis.shows(point.y)).collect();
        let line = colour(self.style).stroke_width(2 * factor);
        let mut elements = Vec::new();
        // Joined where they meet, so that dashes go on from one to the next.
        let mut paths: Vec<Vec<(f64, f64)>> = Vec::new();
        for pair in shown.windows(2).filter(|_| self.line != Line::None) {
            let Some(path) = axis.clip((pair[0].x, pair[0].y), (pair[1].x, pair[1].y)) else { continue };
            match paths.last_mut().filter(|last| last.last() == path.first()) {
                Some(last) => last.extend(&path[1..]),
                None => paths.push(path),
            }
        }
        for path in paths {
            elements.push(if self.line == Line::Dashed {
                DashedPathElement::new(path, 7 * factor, 5 * factor, line).into_dyn()
            } else {
                PathElement::new(path, line).into_dyn()
            });
        }
        for point in shown.into_iter().filter(|point| axis.holds(point.y)) {
            if let Some((low, high)) = point.interval {
                let thin = colour(self.style).stroke_width(factor);
                let (low, high) = (axis.inside(low), axis.inside(high));
                elements.push(PathElement::new(vec![(point.x, low), (point.x, high)], thin).into_dyn());
                for end in [low, high] {
                    let ends = vec![(point.x / cap, end), (point.x * cap, end)];
                    elements.push(PathElement::new(ends, thin).into_dyn());
                }
            }
            if self.marked {
                elements.push(mark((point.x, point.y), self.style, factor));
            }
        }
        elements
    }
}

/// A number in few digits.
fn short(value: f64) -> String {
    if (1e-2..1e3).contains(&value.abs()) { format!("{value:.2}") } else { format!("{value:.1e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extreme_point_is_beyond_the_axis_and_named() {
        let points: Vec<ChartPoint> = [0.86, 0.88, 0.89, 0.9, 0.17]
            .iter()
            .enumerate()
            .map(|(i, y)| ChartPoint { x: 8.0 * (i + 1) as f64, y: *y, interval: None })
            .collect();
        let axis = Axis::around(points.clone(), Scale::Linear, true);
        assert!(axis.holds(0.86) && axis.holds(0.9) && !axis.holds(0.17));
        let clipped = axis.clip((32.0, 0.9), (40.0, 0.17)).unwrap();
        assert!(clipped[0] == (32.0, 0.9) && (clipped[1].1 - axis.low).abs() < 1e-12 && clipped[1].0 < 40.0);
        assert_eq!(axis.clip((8.0, 0.1), (16.0, 0.2)), None);
        let series =
            ChartSeries { label: "sparse".into(), style: 0, line: Line::Solid, marked: true, right: false, points };
        let chart = Chart {
            title: String::new(),
            x_label: String::new(),
            x_ticks: vec![8.0, 40.0],
            y_label: String::new(),
            y_scale: Scale::Linear,
            fenced: true,
            right_label: String::new(),
            series: vec![series],
        };
        assert!(chart.svg().unwrap().contains("sparse, 0.17 at 40"));
    }

    #[test]
    fn charts_of_nothing_or_of_the_impossible_are_drawn() {
        let point = |y| ChartPoint { x: 1.0, y, interval: Some((f64::NAN, y)) };
        let mut chart = Chart {
            title: "none".into(),
            x_label: String::new(),
            x_ticks: vec![],
            y_label: String::new(),
            y_scale: Scale::Logarithmic,
            fenced: true,
            right_label: String::new(),
            series: vec![],
        };
        assert!(chart.svg().unwrap().starts_with("<svg"));
        for y in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
            let label = "x".into();
            chart.series = vec![ChartSeries {
                label,
                style: 0,
                line: Line::Dashed,
                marked: true,
                right: false,
                points: vec![point(y)],
            }];
            for fenced in [true, false] {
                chart.fenced = fenced;
                assert!(chart.png().unwrap().starts_with(b"\x89PNG"));
            }
        }
        chart.series = vec![chart.series[0].clone(); 100];
        assert!(chart.svg().unwrap().starts_with("<svg"));
    }
}
