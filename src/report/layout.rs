//! What a chart shows of its series: its axes, which lines hide others, the legend, and notes in words.

use super::axis::{Axis, LABEL_SIZE};
use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::picture::text_width;
use super::summary::four_digits;

pub(super) const SIZE: (u32, u32) = (900, 620);
pub(super) const MARGIN: u32 = 10;
pub(super) const LEGEND_ROW: u32 = 24;
const MOST_LEGEND_COLUMNS: usize = 3;
/// Where a legend's text begins, from its line, and the room after it.
pub(super) const LEGEND_TEXT: i32 = 38;
const LEGEND_GAP: f64 = 16.0;
pub(super) const NOTE_SIZE: u32 = 12;
pub(super) const NOTE_ROW: u32 = 17;
/// From the left end of the picture to its legend and notes.
pub(super) const INDENT: u32 = 40;
/// Points beyond the axes that are named.
const MOST_BEYOND: usize = 12;
/// Rows of legend and notes for which the size is made.
pub(super) const USUAL_ROWS: u32 = 4;

/// Lines nearer to each other than this, in pixels, are one to the eye.
const HIDES: f64 = 1.5;
/// About the height of the axes, in pixels.
const HEIGHT: f64 = 460.0;
/// The axes of a chart, what is drawn of its series, and the words around it.
pub(super) struct Layout {
    pub x: Axis,
    pub left: Axis,
    pub right: Axis,
    /// Room for the labels on both sides, in pixels.
    pub sides: [u32; 2],
    /// For each series that is drawn, in the order of the legend: its place among all, and how many lines wider it is
    /// drawn, one inside the other.
    pub drawn: Vec<(usize, u32)>,
    pub legend_columns: usize,
    pub notes: Vec<String>,
}

impl Layout {
    pub fn legend_rows(&self) -> u32 {
        self.drawn.len().div_ceil(self.legend_columns) as u32
    }

    /// What legend and notes need.
    pub fn lower(&self) -> u32 {
        12 + LEGEND_ROW * self.legend_rows() + NOTE_ROW * self.notes.len() as u32
    }

    pub fn axis(&self, series: &ChartSeries) -> &Axis {
        if series.right { &self.right } else { &self.left }
    }
}

impl Chart {
    pub(super) fn layout(&self) -> Layout {
        let points = |right: bool| -> Vec<ChartPoint> {
            let of_axis = self.series.iter().filter(|series| series.right == right);
            of_axis.flat_map(|series| &series.points).copied().collect()
        };
        let left = Axis::around(&points(false), self.y_scale, self.shares);
        let right = Axis::around(&points(true), Scale::Linear, true);
        let room = |axis: &Axis| axis.label_width().ceil() as u32 + 38;
        let sides = [room(&left).max(70), if self.right_label.is_empty() { 10 } else { room(&right).max(60) }];
        let all = self.series.iter().flat_map(|series| &series.points).filter(|point| point.y.is_finite());
        let places: Vec<f64> = all.map(|point| point.x).collect();
        let length = f64::from(SIZE.0 - 2 * MARGIN - sides[0] - sides[1]);
        let x = Axis::along(&places, &self.x_ticks, length);
        let mut layout = Layout { x, left, right, sides, drawn: vec![], legend_columns: 1, notes: vec![] };
        let traces: Vec<Vec<Vec<(f64, f64)>>> = self.series.iter().map(|series| series.lines(&layout)).collect();
        let is_drawn = |(index, series): &(usize, &ChartSeries)| {
            !traces[*index].is_empty() || series.shown(&layout).any(|point| layout.axis(series).holds(point.y))
        };
        let drawn: Vec<usize> = self.series.iter().enumerate().filter(is_drawn).map(|(index, _)| index).collect();
        let lines: Vec<Vec<Vec<(f64, f64)>>> = drawn
            .iter()
            .map(|index| {
                let axis = layout.axis(&self.series[*index]);
                let place = |(x, y): &(f64, f64)| (layout.x.share(*x) * length, axis.share(*y) * HEIGHT);
                traces[*index].iter().map(|path| path.iter().map(place).collect()).collect()
            })
            .collect();
        let widest = drawn.iter().map(|index| text_width(&self.series[*index].label, LABEL_SIZE)).fold(0.0, f64::max);
        let column = widest + f64::from(LEGEND_TEXT) + LEGEND_GAP;
        let columns = f64::from(SIZE.0 - INDENT) / column;
        layout.legend_columns = (columns as usize).clamp(1, MOST_LEGEND_COLUMNS);
        layout.drawn = drawn.into_iter().zip(levels(&lines)).collect();
        layout.notes = self.notes(&layout);
        layout
    }

    /// What the axes do not hold, or cannot show, in words, as lines that fit.
    fn notes(&self, layout: &Layout) -> Vec<String> {
        let (mut beyond, mut unseen, mut zero, mut cut) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let at =
            |label: &str, point: &ChartPoint| format!("{label}, {} at {}", short(point.y, 3), four_digits(point.x));
        for series in &self.series {
            let axis = layout.axis(series);
            let finite: Vec<&ChartPoint> = series.points.iter().filter(|point| point.y.is_finite()).collect();
            let missing: Vec<&&ChartPoint> = finite.iter().filter(|point| !axis.holds(point.y)).collect();
            let is_logarithmic = axis.scale() == Scale::Logarithmic;
            for (notes, which) in [(&mut unseen, true), (&mut beyond, false)] {
                let is_lost = |point: &ChartPoint| is_logarithmic && !axis.shows(point.y);
                let of: Vec<&&ChartPoint> = missing.iter().copied().filter(|point| is_lost(point) == which).collect();
                match of.first() {
                    Some(first)
                        if of.len() > 1 && of.len() == finite.len() && of.iter().all(|point| point.y == first.y) =>
                    {
                        match first.y {
                            0.0 => zero.push(series.label.clone()),
                            y => notes.push(format!("{}, {} everywhere", series.label, short(y, 3))),
                        }
                    }
                    _ => notes.extend(of.iter().map(|point| at(&series.label, point))),
                }
            }
            let is_cut = |point: &&&ChartPoint| {
                axis.holds(point.y) && point.interval.is_some_and(|(low, high)| axis.cuts(low) || axis.cuts(high))
            };
            let places: Vec<String> = finite.iter().filter(is_cut).map(|point| four_digits(point.x)).collect();
            if !places.is_empty() {
                let all = places.len() > 1 && places.len() == finite.len();
                let at = if all { String::new() } else { format!(" at {}", places.join(", ")) };
                cut.push(format!("{}{at}", series.label));
            }
        }
        let mut notes = Vec::new();
        let it_is = if zero.len() == 1 { "it is" } else { "they are" };
        for (lead, mut items) in [
            ("Beyond the axis: ".to_string(), beyond),
            ("Intervals go beyond the axis: ".to_string(), cut),
            ("Left out, as the axis is logarithmic: ".to_string(), unseen),
            (format!("Left out, as {it_is} 0 everywhere and the axis is logarithmic: "), zero),
        ]
        .into_iter()
        .filter(|of| !of.1.is_empty())
        {
            // As many as there is room for.
            if items.len() > MOST_BEYOND {
                let more = items.split_off(MOST_BEYOND - 1).len();
                items.push(format!("and {more} more"));
            }
            notes.extend(lines_of(&lead, &items, "; "));
        }
        if self.y_scale == Scale::Logarithmic && layout.left.scale() == Scale::Linear {
            let of_axis = self.series.iter().filter(|series| !series.right);
            let all_zero = of_axis.flat_map(|series| &series.points).all(|point| point.y == 0.0);
            let what = if all_zero { "Every value is 0" } else { "No value is above 0" };
            notes.push(format!("{what}, so the axis is linear."));
        }
        let words: Vec<String> = self.note.split_whitespace().map(str::to_string).collect();
        notes.extend(lines_of("", &words, " "));
        notes
    }
}

impl ChartSeries {
    /// The points that its axes can show.
    pub(super) fn shown<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = &'a ChartPoint> {
        let axis = layout.axis(self);
        self.points.iter().filter(move |point| axis.shows(point.y) && layout.x.holds(point.x))
    }

    /// Its line within the axes, as paths; none where it has no line, or less than two points.
    pub(super) fn lines(&self, layout: &Layout) -> Vec<Vec<(f64, f64)>> {
        let shown: Vec<&ChartPoint> = self.shown(layout).collect();
        // Joined where they meet, so that dashes go on from one to the next.
        let mut paths: Vec<Vec<(f64, f64)>> = Vec::new();
        for pair in shown.windows(2).filter(|pair| self.line != Line::None && pair[0].x != pair[1].x) {
            let ends = ((pair[0].x, pair[0].y), (pair[1].x, pair[1].y));
            let Some(path) = layout.axis(self).clip(ends.0, ends.1) else { continue };
            match paths.last_mut().filter(|last| last.last() == path.first()) {
                Some(last) => last.extend(&path[1..]),
                None => paths.push(path),
            }
        }
        paths
    }
}

/// Joins items into lines no wider than a picture, with a lead before the first.
fn lines_of(lead: &str, items: &[String], between: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = lead.to_string();
    for (index, item) in items.iter().enumerate() {
        let end = if index + 1 < items.len() { between.trim_end() } else { "" };
        let longer = if index == 0 { format!("{line}{item}{end}") } else { format!("{line} {item}{end}") };
        if index > 0 && text_width(&longer, NOTE_SIZE) > f64::from(SIZE.0 - INDENT - 2 * MARGIN) {
            lines.push(std::mem::replace(&mut line, format!("{item}{end}")));
        } else {
            line = longer;
        }
    }
    if !items.is_empty() {
        lines.push(line);
    }
    lines
}

/// For each line the number of lines inside each other, each hidden below the next, that begins with it: 0 where it can
/// be seen. Lines as paths of points in pixels, by increasing abscissa; later ones hide earlier ones.
fn levels(lines: &[Vec<Vec<(f64, f64)>>]) -> Vec<u32> {
    let mut levels = vec![0; lines.len()];
    for index in (0..lines.len()).rev() {
        let (mut length, mut hidden, mut level) = (0.0, 0.0, 0);
        for (from, to) in lines[index].iter().flat_map(|path| path.windows(2).map(|pair| (pair[0], pair[1]))) {
            let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
            let own = (to.0 - from.0).hypot(to.1 - from.1);
            // Across the line, not upwards.
            let reach = HIDES * own / (to.0 - from.0);
            let below = |other: &usize| {
                let passes = |at: (f64, f64)| height(&lines[*other], at.0).is_some_and(|y| (y - at.1).abs() <= reach);
                passes(from) && passes(middle) && passes(to)
            };
            length += to.0 - from.0;
            let others: Vec<usize> = (index + 1..lines.len()).filter(below).collect();
            if let Some(highest) = others.iter().map(|other| levels[*other]).max() {
                hidden += to.0 - from.0;
                level = level.max(highest + 1);
            }
        }
        // A line that shows over half of its abscissas can be followed: a steep part has few.
        if hidden > 0.0 && hidden >= 0.5 * length {
            levels[index] = level;
        }
    }
    levels
}

/// Where a line is at an abscissa.
fn height(line: &[Vec<(f64, f64)>], x: f64) -> Option<f64> {
    let path =
        line.iter().find(|path| path.first().is_some_and(|at| at.0 <= x) && path.last().is_some_and(|at| x <= at.0))?;
    let next = path.partition_point(|at| at.0 < x);
    let (from, to) = (path[next.saturating_sub(1)], path[next]);
    Some(if to.0 > from.0 { from.1 + (x - from.0) / (to.0 - from.0) * (to.1 - from.1) } else { to.1 })
}

/// A number in a few digits.
pub(super) fn short(value: f64, digits: usize) -> String {
    let text = format!("{value:.*e}", digits - 1);
    let rounded: f64 = text.parse().unwrap_or(value);
    if value == 0.0 || (1e-2..1e3).contains(&value.abs()) {
        return rounded.to_string();
    }
    match text.split_once('e') {
        Some((mantissa, power)) => format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.')),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::Picture;
    use super::*;

    fn series(label: &str, line: Line, marked: bool, points: &[(f64, f64)]) -> ChartSeries {
        let point = |(x, y): &(f64, f64)| ChartPoint { x: *x, y: *y, interval: None };
        let points = points.iter().map(point).collect();
        ChartSeries { label: label.into(), style: 0, line, marked, right: false, points }
    }

    fn chart(y_scale: Scale, series: Vec<ChartSeries>) -> Chart {
        Chart {
            title: String::new(),
            x_label: String::new(),
            x_ticks: vec![],
            y_label: String::new(),
            y_scale,
            shares: false,
            note: String::new(),
            right_label: String::new(),
            series,
        }
    }

    #[test]
    fn the_legend_names_what_is_drawn_and_notes_the_rest() {
        let chart = chart(
            Scale::Logarithmic,
            vec![
                series("none", Line::Solid, true, &[]),
                series("lost", Line::Solid, true, &[(8.0, 0.0), (16.0, 0.0)]),
                series("partly", Line::Solid, false, &[(8.0, 0.0), (16.0, 1e-3), (32.0, 2e-3)]),
                series("lone", Line::Dashed, false, &[(16.0, 1.5e-3)]),
            ],
        );
        let layout = chart.layout();
        assert_eq!(layout.drawn.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(
            layout.notes,
            [
                "Left out, as the axis is logarithmic: partly, 0 at 8",
                "Left out, as it is 0 everywhere and the axis is logarithmic: lost"
            ]
        );
        // The lone point is marked, in the chart and in its legend.
        let svg = chart.svg().unwrap();
        assert!(svg.matches("<circle").count() == 2 && !svg.contains(">\nnone"), "{svg}");
    }

    #[test]
    fn intervals_that_leave_the_axis_are_noted() {
        let mut sparse = series("sparse", Line::Solid, true, &[(8.0, 0.5), (16.0, 0.65)]);
        sparse.points[0].interval = Some((-9.0, 10.0));
        sparse.points[1].interval = Some((0.6, 0.7));
        let mut chart = chart(Scale::Linear, vec![sparse]);
        assert_eq!(chart.layout().notes, ["Intervals go beyond the axis: sparse at 8"]);
        // No share is below 0 or above 1.
        chart.shares = true;
        assert!(chart.layout().notes.is_empty());
        chart.series[0].points[0].interval = Some((0.4, 0.6));
        chart.shares = false;
        assert!(chart.layout().notes.is_empty());
    }

    #[test]
    fn where_nothing_is_above_zero_the_axis_is_linear_and_says_so() {
        let zero = chart(Scale::Logarithmic, vec![series("zero", Line::Solid, true, &[(8.0, 0.0), (16.0, 0.0)])]);
        let layout = zero.layout();
        assert_eq!((layout.left.scale(), layout.drawn.len()), (Scale::Linear, 1));
        assert_eq!(layout.notes, ["Every value is 0, so the axis is linear."]);
        // Two marks and that of the legend.
        assert_eq!(zero.svg().unwrap().matches("<circle").count(), 3);
    }

    #[test]
    fn hidden_lines_are_wider_than_what_hides_them() {
        let straight = |from: (f64, f64), to: (f64, f64)| -> Vec<Vec<(f64, f64)>> {
            let at = |t: i32| {
                (f64::from(t) / 10.0 * (to.0 - from.0) + from.0, f64::from(t) / 10.0 * (to.1 - from.1) + from.1)
            };
            vec![(0..=10).map(at).collect()]
        };
        let (rising, falling) = (straight((0.0, 0.0), (100.0, 100.0)), straight((0.0, 100.0), (100.0, 0.0)));
        let near = straight((0.0, 1.0), (100.0, 101.0));
        let half = straight((0.0, 0.0), (40.0, 40.0));
        assert_eq!(levels(&[rising.clone(), falling.clone(), near.clone()]), [1, 0, 0]);
        assert_eq!(levels(&[rising.clone(), near.clone(), rising.clone()]), [2, 1, 0]);
        assert_eq!(levels(&[rising.clone(), half.clone()]), [0, 0]);
        assert_eq!(levels(&[half, rising.clone()]), [1, 0]);
        assert_eq!(levels(&[vec![], rising, falling]), [0, 0, 0]);
        // In a chart the wider is drawn first.
        let line = |label: &str| series(label, Line::Dashed, false, &[(8.0, 1e-3), (16.0, 2e-3), (32.0, 4e-3)]);
        assert_eq!(chart(Scale::Logarithmic, vec![line("below"), line("above")]).layout().drawn, [(0, 1), (1, 0)]);
    }

    #[test]
    fn long_names_and_notes_stay_inside_the_picture() {
        let names = ["sparse, fixed number of weights but for rounding", "dense, every weight", "dense, width 8"];
        let points = [(8.0, 0.9), (16.0, 0.91), (32.0, 0.92), (64.0, 0.1)];
        let mut chart =
            chart(Scale::Linear, names.iter().map(|name| series(name, Line::Solid, true, &points)).collect());
        chart.note = "a word ".repeat(60);
        let layout = chart.layout();
        assert_eq!(layout.legend_columns, 2);
        assert!(
            layout.notes.len() > 2 && layout.notes[0].starts_with("Beyond the axis: sparse, fixed number"),
            "{:?}",
            layout.notes
        );
        for note in &layout.notes {
            assert!(f64::from(INDENT) + text_width(note, NOTE_SIZE) <= f64::from(SIZE.0), "{note}");
        }
        assert_eq!(layout.notes.join(" ").matches("0.1 at 64").count(), 3);
    }

    #[test]
    fn numbers_are_short() {
        let texts: Vec<String> =
            [0.17, 0.0123456, 2.46, 19.7649, 1.4e6, 0.0, -0.5, 1e-3].map(|value| short(value, 3)).to_vec();
        assert_eq!(texts, ["0.17", "0.0123", "2.46", "19.8", "1.4e6", "0", "-0.5", "1e-3"]);
    }
}
