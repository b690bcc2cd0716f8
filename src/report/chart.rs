//! Line charts with error bars and, where asked for, a second axis; as SVG and PNG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::axis::LABEL_SIZE;
use super::layout::{INDENT, LEGEND_ROW, LEGEND_TEXT, Layout, MARGIN, NOTE_ROW, NOTE_SIZE, SIZE, USUAL_ROWS, short};
use super::picture::{Picture, Spot, fitting_size};
use super::summary::four_digits;

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
    /// Whether its points are marked; a level line has none. A point that no line joins to another is always marked.
    pub marked: bool,
    /// Whether it belongs to the second axis, on the right.
    pub right: bool,
    /// Its points, by increasing abscissa. Points that are not finite are left out.
    pub points: Vec<ChartPoint>,
}

/// A chart over a logarithmic abscissa with ticks at given places.
///
/// An axis holds all points and error bars but for those that would leave five or more others, or the points, less than
/// a tenth of it. Lines leave the frame towards points beyond, and a note below the legend gives their values, and
/// those of points that a logarithmic axis cannot show. An axis of shares, such as the right one, holds every point,
/// and nothing below 0 or above 1. An axis is linear where a logarithmic one could show no point. The legend names what
/// is drawn. A line that is hidden below others is drawn wider than these.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above the picture.
    pub title: String,
    /// Below the abscissa.
    pub x_label: String,
    /// Where the abscissa has its ticks, as far as their labels have room; empty for round ones.
    pub x_ticks: Vec<f64>,
    /// Beside the left axis.
    pub y_label: String,
    /// Scale of the left axis.
    pub y_scale: Scale,
    /// Whether the left axis is one of shares: accuracies or errors, from 0 to 1.
    pub shares: bool,
    /// Beside the right axis, linear and of shares; empty where no series belongs to it.
    pub right_label: String,
    /// The lines.
    pub series: Vec<ChartSeries>,
    /// Below the legend, in words; empty where there is nothing to say.
    pub note: String,
}

/// The palette of Okabe and Ito, which readers with any colour vision can tell apart; then further colours.
const PALETTE: [RGBColor; 16] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(150, 150, 150),
    // Others that differ from these.
    RGBColor(136, 34, 85),
    RGBColor(133, 170, 255),
    RGBColor(51, 34, 136),
    RGBColor(120, 120, 20),
    RGBColor(190, 190, 190),
    RGBColor(255, 60, 60),
    RGBColor(120, 60, 20),
    RGBColor(150, 220, 120),
];

/// The number of styles in a row; each row begins with another marker than the row before.
const MARKED: usize = 8;

/// How much wider a line is than what hides it, in pixels.
const WIDER: u32 = 3;
const LINE: u32 = 2;

/// The least width of what can be pointed at, in pixels.
const LEAST_STRIP: u32 = 8;

impl Chart {
    fn draw_legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        layout: &Layout,
        factor: u32,
    ) -> std::result::Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: i32| size * factor as i32;
        let column_width = (SIZE.0 as i32 - 60) / layout.legend_columns as i32;
        for (place, (index, level)) in layout.drawn.iter().enumerate() {
            let series = &self.series[*index];
            let (column, row) = ((place % layout.legend_columns) as i32, (place / layout.legend_columns) as i32);
            let (x, y) = (px(INDENT as i32 + column * column_width), px(12 + 24 * row));
            let line = colour(series.style).stroke_width(line_width(*level) * factor);
            let alone = series.lines(layout).is_empty();
            let parts = match series.line {
                _ if alone => vec![],
                Line::Solid => vec![(0, 30)],
                Line::Dashed => vec![(0, 11), (19, 30)],
                Line::None => vec![],
            };
            for (start, end) in parts {
                area.draw(&PathElement::new(vec![(x + px(start), y), (x + px(end), y)], line))?;
            }
            if series.marked || alone {
                area.draw(&mark((x + px(15), y), series.marker(alone), *level, factor))?;
            }
            let place = (x + px(LEGEND_TEXT), y - px(7));
            let size = fitting_size(&series.label, LABEL_SIZE, (column_width - LEGEND_TEXT) as u32);
            area.draw(&Text::new(series.label.clone(), place, ("sans-serif", size * factor)))?;
        }
        Ok(())
    }

    /// The values as upright strips of the frame: one for each abscissa, or for several that are too near to each other
    /// to be pointed at. Of a line without marks, a strip has one value.
    fn strips(
        &self,
        layout: &Layout,
        place: impl Fn(f64) -> i32,
        (across, down): (Range<i32>, Range<i32>),
        factor: u32,
    ) -> Vec<Spot> {
        let mut points: Vec<(&ChartSeries, &ChartPoint)> = Vec::new();
        for series in &self.series {
            let seen = |point: &&ChartPoint| point.y.is_finite() && layout.x.holds(point.x);
            points.extend(series.points.iter().filter(seen).map(|point| (series, point)));
        }
        // Stable, so that the values of an abscissa are in the order of the legend.
        points.sort_by(|(_, one), (_, other)| one.x.total_cmp(&other.x));
        let mut strips: Vec<Vec<(&ChartSeries, &ChartPoint)>> = Vec::new();
        for (series, point) in points {
            let near = |strip: &&mut Vec<(&ChartSeries, &ChartPoint)>| {
                place(point.x) - place(strip[0].1.x) < (LEAST_STRIP * factor) as i32
            };
            match strips.last_mut().filter(near) {
                Some(strip) if series.marked || strip.iter().all(|(other, _)| !std::ptr::eq(*other, series)) => {
                    strip.push((series, point));
                }
                Some(_) => {}
                None => strips.push(vec![(series, point)]),
            }
        }
        let ends: Vec<(i32, i32)> = (strips.iter())
            .map(|strip| (place(strip[0].1.x), place(strip.last().expect("a strip begins with a point").1.x)))
            .collect();
        let between = |left: usize| (ends[left].1 + ends[left + 1].0) / 2;
        let spot = |(index, strip): (usize, &Vec<(&ChartSeries, &ChartPoint)>)| Spot {
            corners: [
                (if index == 0 { across.start } else { between(index - 1) }, down.start),
                (if index + 1 == strips.len() { across.end } else { between(index) }, down.end),
            ],
            words: self.words(strip),
        };
        strips.iter().enumerate().map(spot).collect()
    }

    /// Values in words, each with its abscissa where that is not the same for all.
    fn words(&self, strip: &[(&ChartSeries, &ChartPoint)]) -> String {
        let first = strip[0].1.x;
        let shared = strip.iter().all(|(_, point)| point.x == first);
        let value = |(series, point): &(&ChartSeries, &ChartPoint)| {
            let interval = point.interval.filter(|(low, high)| low.is_finite() && high.is_finite());
            // An error's interval has the ends of its accuracy's, turned around.
            let interval = interval.map_or(String::new(), |(one, other)| {
                format!(" [{}, {}]", short(one.min(other), 3), short(one.max(other), 3))
            });
            let at = if shared { String::new() } else { format!(" at {}", four_digits(point.x)) };
            format!("{}: {}{interval}{at}", series.label, short(point.y, 4))
        };
        let head = if shared { format!("{}: {}", self.x_label, four_digits(first)) } else { self.x_label.clone() };
        let values = strip.iter().map(value);
        std::iter::once(head).chain(values).collect::<Vec<_>>().join("\n")
    }
}

impl Picture for Chart {
    fn size(&self) -> (u32, u32) {
        // A long legend takes room of its own.
        (SIZE.0, SIZE.1 + self.layout().lower().saturating_sub(12 + LEGEND_ROW * USUAL_ROWS))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<Vec<Spot>, DrawingAreaErrorKind<DB::ErrorType>> {
        let px = |size: u32| size * factor;
        area.fill(&WHITE)?;
        let layout = self.layout();
        let (upper, lower) = area.split_vertically(px(self.size().1 - layout.lower()));
        let x = &layout.x;
        let mut chart = ChartBuilder::on(&upper)
            .caption(&self.title, ("sans-serif", px(fitting_size(&self.title, 17, SIZE.0 - 2 * MARGIN))))
            .margin(px(MARGIN))
            .x_label_area_size(px(45))
            .y_label_area_size(px(layout.sides[0]))
            .right_y_label_area_size(px(layout.sides[1]))
            .build_cartesian_2d(x.clone(), layout.left.clone())?
            .set_secondary_coord(x.clone(), layout.right.clone());
        let text = || ("sans-serif", px(LABEL_SIZE));
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
        // What is hidden first.
        let mut order = layout.drawn.clone();
        order.sort_by_key(|(_, level)| std::cmp::Reverse(*level));
        for (index, level) in order {
            let series = &self.series[index];
            let elements = series.elements(&layout, level, factor);
            if series.right {
                chart.draw_secondary_series(elements)?;
            } else {
                chart.draw_series(elements)?;
            }
        }
        let frame = chart.plotting_area();
        let place = |x: f64| frame.map_coordinate(&(x, layout.left.low)).0;
        let spots = self.strips(&layout, place, frame.get_pixel_range(), factor);
        self.draw_legend(&lower, &layout, factor)?;
        for (index, note) in layout.notes.iter().enumerate() {
            let y = LEGEND_ROW * layout.legend_rows() + NOTE_ROW * index as u32;
            let place = (px(INDENT) as i32, px(y) as i32);
            lower.draw(&Text::new(note.clone(), place, ("sans-serif", px(NOTE_SIZE))))?;
        }
        area.present()?;
        Ok(spots)
    }
}

fn line_width(level: u32) -> u32 {
    // Beyond, it would be a band.
    LINE + WIDER * level.min(2)
}

/// The colour of a style: after one round of the palette paler, so that no two of many are alike.
fn colour(style: usize) -> RGBColor {
    let RGBColor(red, green, blue) = PALETTE[style % PALETTE.len()];
    let pale = 1.0 - 0.5f64.powi((style / PALETTE.len()).min(3) as i32);
    let [red, green, blue] = [red, green, blue].map(|part| (f64::from(part) + pale * (255.0 - f64::from(part))) as u8);
    RGBColor(red, green, blue)
}

/// A marker in the colour of a style at a point.
fn mark<DB, C>(at: C, (style, marker): (usize, usize), level: u32, factor: u32) -> DynElement<'static, DB, C>
where
    DB: DrawingBackend,
    C: Clone + 'static,
{
    let size = (4 + 2 * level.min(2)) * factor;
    match marker % 4 {
        0 => Circle::new(at, size, colour(style).filled()).into_dyn(),
        1 => TriangleMarker::new(at, size + factor, colour(style).filled()).into_dyn(),
        2 => Circle::new(at, size, colour(style).stroke_width(2 * factor)).into_dyn(),
        _ => Cross::new(at, size, colour(style).stroke_width(2 * factor)).into_dyn(),
    }
}

impl ChartSeries {
    /// Its style, and which of the markers: without a line, what would be dashed has another than what would not.
    fn marker(&self, alone: bool) -> (usize, usize) {
        let other = if alone && self.line == Line::Dashed { 2 } else { 0 };
        (self.style, self.style + self.style / MARKED + other)
    }

    /// Line, error bars and markers.
    fn elements<DB: DrawingBackend>(
        &self,
        layout: &Layout,
        level: u32,
        factor: u32,
    ) -> Vec<DynElement<'static, DB, (f64, f64)>> {
        let axis = layout.axis(self);
        // Half the width of an error bar's caps, as a factor on the logarithmic abscissa.
        let cap = (0.005 * (layout.x.high.ln() - layout.x.low.ln())).exp();
        let line = colour(self.style).stroke_width(line_width(level) * factor);
        let mut elements = Vec::new();
        let paths = self.lines(layout);
        let alone = paths.is_empty();
        for path in paths {
            elements.push(if self.line == Line::Dashed {
                DashedPathElement::new(path, 7 * factor, 5 * factor, line).into_dyn()
            } else {
                PathElement::new(path, line).into_dyn()
            });
        }
        for point in self.shown(layout).filter(|point| axis.holds(point.y)) {
            if let Some((low, high)) = point.interval {
                let thin = colour(self.style).stroke_width(factor);
                let bar = vec![(point.x, axis.inside(low)), (point.x, axis.inside(high))];
                elements.push(PathElement::new(bar, thin).into_dyn());
                // A bar that leaves the frame has no end there.
                for end in [low, high].into_iter().filter(|end| axis.holds(*end)) {
                    let ends = vec![(point.x / cap, end), (point.x * cap, end)];
                    elements.push(PathElement::new(ends, thin).into_dyn());
                }
            }
            if self.marked || alone {
                elements.push(mark((point.x, point.y), self.marker(alone), level, factor));
            }
        }
        elements
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Axis;
    use super::*;

    #[test]
    fn an_extreme_point_is_beyond_the_axis_and_named() {
        let points: Vec<ChartPoint> = [0.86, 0.88, 0.89, 0.9, 0.17, 0.9]
            .iter()
            .enumerate()
            .map(|(i, y)| ChartPoint { x: 8.0 * (i + 1) as f64, y: *y, interval: None })
            .collect();
        let axis = Axis::around(&points, Scale::Linear, false);
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
            shares: false,
            note: String::new(),
            right_label: String::new(),
            series: vec![series],
        };
        assert!(chart.svg().unwrap().contains("sparse, 0.17 at 40"));
    }

    #[test]
    fn values_are_where_their_points_are() {
        // Abscissa, value and interval.
        type Point = (f64, f64, Option<(f64, f64)>);
        let series = |label: &str, marked: bool, points: &[Point]| ChartSeries {
            label: label.into(),
            style: 0,
            line: Line::Solid,
            marked,
            right: false,
            points: points.iter().map(|(x, y, interval)| ChartPoint { x: *x, y: *y, interval: *interval }).collect(),
        };
        let mut chart = Chart {
            title: String::new(),
            x_label: "width".into(),
            x_ticks: vec![],
            y_label: String::new(),
            y_scale: Scale::Logarithmic,
            shares: false,
            note: String::new(),
            right_label: String::new(),
            series: vec![
                series(
                    "sparse",
                    true,
                    &[(8.0, 0.03, Some((0.04, 0.02))), (128.0, 4e-3, None), (512.0, f64::NAN, None)],
                ),
                series("theory", false, &[(8.0, 0.031234, None), (128.0, 0.0, None), (512.0, 8e-3, None)]),
            ],
        };
        let (svg, spots) = chart.svg_with_spots().unwrap();
        // What the axis cannot show is there in words; what is no number is not.
        assert_eq!(
            spots.iter().map(|spot| &*spot.words).collect::<Vec<_>>(),
            [
                "width: 8\nsparse: 0.03 [0.02, 0.04]\ntheory: 0.03123",
                "width: 128\nsparse: 4e-3\ntheory: 0",
                "width: 512\ntheory: 8e-3"
            ]
        );
        // Each has its mark inside, and they meet.
        let [left, middle, _] = [0, 1, 2].map(|index: usize| spots[index].corners);
        assert_eq!(left[1].0, middle[0].0);
        let marks: Vec<i32> = (svg.lines())
            .filter_map(|line| line.strip_prefix("<circle cx=\"")?.split('"').next()?.parse().ok())
            .take(2)
            .collect();
        assert!((left[0].0..left[1].0).contains(&marks[0]) && (middle[0].0..middle[1].0).contains(&marks[1]));
        // Dense lines have strips that can be pointed at; marks that are near to each other are all named.
        let dense: Vec<(f64, f64, _)> = (1..=900).map(|x| (f64::from(x), 1.0 / f64::from(x), None)).collect();
        chart.series = vec![series("curve", false, &dense)];
        let spots = chart.svg_with_spots().unwrap().1;
        assert!((50..120).contains(&spots.len()), "{}", spots.len());
        assert!(spots.iter().all(|spot| spot.words.lines().count() == 2));
        chart.series = vec![series("cloud", true, &[(8.0, 1.0, None), (8.001, 2.0, None), (800.0, 2.0, None)])];
        let spots = chart.svg_with_spots().unwrap().1;
        assert_eq!(spots[0].words, "width\ncloud: 1 at 8\ncloud: 2 at 8.001");
    }

    #[test]
    fn colours_are_told_apart() {
        for style in 0..20 {
            for other in 0..style {
                let (RGBColor(a, b, c), RGBColor(d, e, f)) = (colour(style), colour(other));
                let apart: f64 = [(a, d), (b, e), (c, f)]
                    .map(|(one, other)| (f64::from(one) - f64::from(other)).powi(2))
                    .iter()
                    .sum();
                assert!(apart.sqrt() > 30.0, "{style} and {other}");
            }
        }
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
            shares: false,
            note: String::new(),
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
            for shares in [true, false] {
                chart.shares = shares;
                assert!(chart.png().unwrap().starts_with(b"\x89PNG"));
            }
        }
        chart.series = vec![chart.series[0].clone(); 100];
        assert!(chart.svg().unwrap().starts_with("<svg"));
    }
}
