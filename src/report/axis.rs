//! The axis of a chart: its range, its ticks with their labels, and what it holds.
//!
//! Every axis has at least two labels, no two alike, each true of the place where it stands.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::chart::{ChartPoint, Scale};
use super::picture::text_width;
use crate::numeric::statistics::{quantile, sorted};

/// The sizes that an axis can show: far enough inside of double precision for steps between ticks.
const LEAST: f64 = 1e-300;
const MOST: f64 = 1e300;

/// The least part of an axis that most of its points take up, and how many of them it takes to leave others out; and
/// the least part that all points take up beside the ends of error bars.
const LEAST_PART: f64 = 0.3;
const ENOUGH: usize = 5;
const LEAST_BESIDE_BARS: f64 = 0.1;

/// Numbers at round places: at most so many, labels keep clear of each other.
const MOST_TICKS: f64 = 10.0;

/// The size of labels, and the room between two on a horizontal axis: a viewer of an SVG may have a wider font.
pub(super) const LABEL_SIZE: u32 = 13;
const LABEL_GAP: f64 = 9.0;

/// A value with its label.
#[derive(Clone, Debug, PartialEq)]
struct Tick {
    value: f64,
    label: String,
}

/// An axis with its range and ticks.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    pub low: f64,
    pub high: f64,
    /// What its numbers can be.
    possible: (f64, f64),
    ticks: Vec<Tick>,
}

/// The range of most of some places, and how long it may become.
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
    longest: f64,
}

impl Range {
    /// Of one place or more, in increasing order. Those that lie far out (Tukey's fences) and would leave all others,
    /// five or more, less than three tenths of it are not in it. Others count as no nearer together than some length.
    pub fn of_most(places: &[f64], least: f64) -> Self {
        let (lower, upper) = (quantile(places, 0.25), quantile(places, 0.75));
        let reach = (1.5 * (upper - lower)).max(least);
        let near: Vec<f64> =
            places.iter().copied().filter(|place| (lower - reach..=upper + reach).contains(place)).collect();
        let near = if near.len() < ENOUGH { places } else { &near };
        let (low, high) = (near[0], near[near.len() - 1]);
        let mut range = Self { low, high, longest: (high - low).max(least) / LEAST_PART };
        range.grow(places.to_vec());
        range
    }

    /// Takes in more places, near ones first, as far as it may.
    fn grow(&mut self, mut places: Vec<f64>) {
        let (low, high) = (self.low, self.high);
        let distance = |place: &f64| (low - place).max(place - high);
        places.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        for place in places {
            let (low, high) = (self.low.min(place), self.high.max(place));
            if high - low <= self.longest {
                (self.low, self.high) = (low, high);
            }
        }
    }
}

impl Axis {
    /// A horizontal logarithmic axis of some length in pixels that holds all places and ticks which it can, with those
    /// of the ticks whose labels have room; with round ones where that leaves fewer than two.
    pub fn along(places: &[f64], ticks: &[f64], length: f64) -> Self {
        let shown = places.iter().chain(ticks).copied().filter(|place| shows(Scale::Logarithmic, *place));
        let (mut low, mut high) =
            shown.fold((f64::INFINITY, 0.0f64), |(low, high), place| (low.min(place), high.max(place)));
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        let decades = high.ln() - low.ln();
        let room = (0.04 * decades).exp().max(1.02);
        let bounds = ((low / room).max(f64::MIN_POSITIVE), (high * room).min(f64::MAX));
        let (scale, possible) = (Scale::Logarithmic, (0.0, f64::INFINITY));
        let mut axis = Self { scale, low: bounds.0, high: bounds.1, possible, ticks: vec![] };
        axis.ticks = axis.with_room(labelled(ticks), length);
        if axis.ticks.len() > 1 {
            return axis;
        }
        if decades < 0.4 {
            // One place, or places next to each other: with half and twice of it. Of a count, half of it only where
            // that is one.
            axis.low = axis.low.min(low / 2.1);
            axis.high = axis.high.max(high * 2.1);
            let lone = axis.ticks.first().map_or(low, |tick| tick.value);
            let half = Some(lone / 2.0).filter(|half| lone.fract() != 0.0 || half.fract() == 0.0);
            let around: Vec<f64> = half.into_iter().chain([lone, 2.0 * lone]).collect();
            axis.ticks = labelled(&around);
            return axis;
        }
        let axis = axis.with_round_ticks();
        Self { ticks: axis.with_room(axis.ticks.clone(), length), ..axis }
    }

    /// An axis that holds its points with their error bars, with room and round ticks; but neither points that would
    /// squeeze most others nor ends of error bars that would. Linear where a logarithmic one could show no point. One
    /// of shares holds nothing below 0 or above 1.
    pub fn around(points: &[ChartPoint], scale: Scale, shares: bool) -> Self {
        let shows = |scale| move |value: f64| shows(scale, value);
        let scale = match scale {
            Scale::Logarithmic if points.iter().any(|point| shows(scale)(point.y)) => scale,
            Scale::Logarithmic if !points.iter().any(|point| shows(Scale::Linear)(point.y)) => scale,
            _ => Scale::Linear,
        };
        let place = |value: f64| if scale == Scale::Logarithmic { value.ln() } else { value };
        let shown = || points.iter().filter(|point| shows(scale)(point.y));
        let places = sorted(&shown().map(|point| place(point.y)).collect::<Vec<_>>());
        let shares = shares && shown().all(|point| (0.0..=1.0).contains(&point.y));
        let possible = if shares { (0.0, 1.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
        let (mut low, mut high) = (0.1, 1.0);
        if !places.is_empty() {
            // Numbers that are nearly equal may look so.
            let typical = quantile(&places, 0.25).abs().max(quantile(&places, 0.75).abs());
            let least = if scale == Scale::Logarithmic { 0.05 } else { 0.05 * typical };
            let mut range = Range::of_most(&places, least);
            range.longest = (range.high - range.low).max(least) / LEAST_BESIDE_BARS;
            let held = |point: &&ChartPoint| (range.low..=range.high).contains(&place(point.y));
            let ends = shown().filter(held).filter_map(|point| point.interval).flat_map(|(low, high)| [low, high]);
            let ends = ends.map(|end| end.clamp(possible.0, possible.1)).filter(|end| shows(scale)(*end));
            let ends: Vec<f64> = ends.map(place).collect();
            if range.low == range.high {
                range.longest = f64::INFINITY;
            }
            range.grow(ends);
            // As they are, not through the logarithm and back.
            let held = |value: &f64| shows(scale)(*value) && (range.low..=range.high).contains(&place(*value));
            let all = shown().flat_map(|point| {
                let (low, high) = point.interval.unwrap_or((point.y, point.y));
                [point.y, low.clamp(possible.0, possible.1), high.clamp(possible.0, possible.1)]
            });
            (low, high) = all
                .filter(held)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        }
        match scale {
            Scale::Linear if low.abs().max(high.abs()) < LEAST => (low, high) = (-1.2, 1.2),
            Scale::Linear => {
                // A hundredth of the values at least: what is nearly equal looks so, and labels stay short.
                let room = (0.06 * (high - low)).max(0.005 * low.abs().max(high.abs()));
                (low, high) = (low - room, high + room);
            }
            Scale::Logarithmic => (low, high) = (low / 1.3, high * 1.3),
        }
        let (low, high) = (low.max(possible.0), high.min(possible.1));
        Self { scale, low, high, possible, ticks: vec![] }.with_round_ticks()
    }

    fn with_round_ticks(self) -> Self {
        let values = match self.scale {
            Scale::Linear => linear_ticks(self.low, self.high),
            Scale::Logarithmic => logarithmic_ticks(self.low, self.high),
        };
        let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let nonzero = values.iter().map(|value| value.abs()).filter(|value| *value > 0.0);
        let smallest = nonzero.fold(f64::INFINITY, f64::min);
        let powers = smallest < if self.scale == Scale::Logarithmic { 0.1 } else { 1e-4 } || largest >= 1e5;
        let long = |labels: &Vec<String>| labels.iter().any(|label| label.len() > 7);
        let plain = Some(labels(&values, false)).filter(|labels| !powers && !long(labels));
        let labels = plain.unwrap_or_else(|| labels(&values, true));
        Self { ticks: labels.into_iter().zip(values).map(|(label, value)| Tick { value, label }).collect(), ..self }
    }

    /// Those of some ticks by increasing value whose labels have room beside each other: the first and the last one
    /// before others.
    fn with_room(&self, ticks: Vec<Tick>, length: f64) -> Vec<Tick> {
        let extent = |tick: &Tick| {
            let (place, half) = (self.share(tick.value) * length, text_width(&tick.label, LABEL_SIZE) / 2.0);
            (place - half, place + half)
        };
        let extents: Vec<(f64, f64)> = ticks.iter().map(extent).collect();
        let mut kept: Vec<usize> = Vec::new();
        for index in (0..ticks.len().min(1)).chain(ticks.len().checked_sub(1)).chain(0..ticks.len()) {
            let apart = |other: &usize| {
                let ((from, to), (start, end)) = (extents[index], extents[*other]);
                ticks[index].label != ticks[*other].label && (from >= end + LABEL_GAP || to + LABEL_GAP <= start)
            };
            if kept.iter().all(apart) {
                kept.push(index);
            }
        }
        kept.sort_unstable();
        kept.into_iter().map(|index| ticks[index].clone()).collect()
    }

    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The width of its widest label, in pixels.
    pub fn label_width(&self) -> f64 {
        self.ticks.iter().map(|tick| text_width(&tick.label, LABEL_SIZE)).fold(0.0, f64::max)
    }

    pub fn shows(&self, value: f64) -> bool {
        shows(self.scale, value)
    }

    /// The value, or the end of the axis where it lies beyond.
    pub fn inside(&self, value: f64) -> f64 {
        if value.is_nan() { self.low } else { value.clamp(self.low, self.high) }
    }

    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Whether an error bar that ends there leaves the axis.
    pub fn cuts(&self, end: f64) -> bool {
        end.is_finite() && !self.holds(end.clamp(self.possible.0, self.possible.1))
    }

    /// Where a value stands, 0 at the low end and 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        }
    }

    /// The part within the axis of a straight line between two points over a logarithmic abscissa.
    pub fn clip(&self, from: (f64, f64), to: (f64, f64)) -> Option<Vec<(f64, f64)>> {
        let (start, end) = (self.share(from.1), self.share(to.1));
        let crossing = |share: f64| (share - start) / (end - start);
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        if start != end {
            let (first, second) = (crossing(0.0), crossing(1.0));
            (enter, leave) = (enter.max(first.min(second)), leave.min(first.max(second)));
        } else if !(0.0..=1.0).contains(&start) {
            return None;
        }
        let at = |t: f64| match t {
            0.0 => from,
            1.0 => to,
            _ => {
                let share = start + t * (end - start);
                let y = match self.scale {
                    Scale::Linear => self.low + share * (self.high - self.low),
                    Scale::Logarithmic => (self.low.ln() + share * (self.high.ln() - self.low.ln())).exp(),
                };
                (from.0 * (to.0 / from.0).powf(t), y)
            }
        };
        (enter < leave).then(|| vec![at(enter), at(leave)])
    }
}

fn shows(scale: Scale, value: f64) -> bool {
    match scale {
        Scale::Linear => value.abs() <= MOST,
        Scale::Logarithmic => (LEAST..=MOST).contains(&value),
    }
}

/// A decimal number, as near as double precision has it: a product would be off in the last digit.
fn decimal(digits: i64, power: i32) -> f64 {
    format!("{digits}e{power}").parse().expect("digits and a power of ten are a number")
}

/// Three to nine multiples of 1, 2 or 5 times a power of ten between two numbers.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let power = ((high - low) / 8.0).log10().floor() as i32;
    let steps = [(1, power), (2, power), (5, power), (1, power + 1), (2, power + 1)];
    let fits = |(digits, power): &(i64, i32)| (high - low) / decimal(*digits, *power) <= 8.0;
    let (digits, power) = steps.into_iter().find(fits).expect("a step of twenty eighths of a power below them fits");
    let step = decimal(digits, power);
    let multiples = (low / step).ceil() as i64..=(high / step).floor() as i64;
    multiples.map(|multiple| decimal(multiple * digits, power)).collect()
}

/// Round numbers at places that are spread over a logarithmic axis: at least three.
fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (low.log10().floor() as i32 - 1)..=(high.log10().ceil() as i32 + 1);
    let at = |tenths: &[i64], stride: i32| -> Vec<f64> {
        let decades = decades.clone().filter(|decade| decade.rem_euclid(stride) == 0);
        let ticks = decades.flat_map(|decade| tenths.iter().map(move |tenths| decimal(*tenths, decade - 1)));
        ticks.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let count = high.log10() - low.log10();
    if count > 3.0 {
        let stride = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|stride| count / f64::from(*stride) <= MOST_TICKS);
        return at(&[10], stride.unwrap_or(200));
    }
    let sparse = [&[10, 20, 50][..], &[10, 15, 20, 30, 50, 70]].into_iter().map(|tenths| at(tenths, 1));
    sparse.into_iter().find(|ticks| ticks.len() > 2).unwrap_or_else(|| linear_ticks(low, high))
}

/// The labels of round numbers, with as many digits as it takes for each to be true.
fn labels(values: &[f64], powers: bool) -> Vec<String> {
    let gap = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let with = |digits: usize| -> Vec<String> {
        values.iter().map(|value| if powers { power(*value, digits) } else { format!("{value:.digits$}") }).collect()
    };
    let is_true = |(label, value): (&String, &f64)| {
        label.parse().is_ok_and(|number: f64| (number - value).abs() <= 1e-6 * gap.min(value.abs()))
    };
    let digits = (0..17).find(|digits| with(*digits).iter().zip(values).all(is_true));
    with(digits.unwrap_or(17))
}

/// A number as a mantissa of at most so many digits after the point, and a power of ten.
fn power(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, power)) if mantissa.contains('.') => {
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Ticks at values as they are, in increasing order: counts in full, other numbers in four digits.
fn labelled(values: &[f64]) -> Vec<Tick> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| shows(Scale::Logarithmic, *value)).collect();
    values.sort_by(f64::total_cmp);
    let label = |value: f64| {
        if value.fract() == 0.0 && value < 1e7 {
            return value.to_string();
        }
        let rounded: f64 = power(value, 3).parse().unwrap_or(value);
        if (1e-4..1e6).contains(&rounded) { rounded.to_string() } else { power(value, 3) }
    };
    values.into_iter().map(|value| Tick { value, label: label(value) }).collect()
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = self.share(*value);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.value).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|tick| tick.value == *value);
        tick.expect("plotters formats the ticks of this axis").label.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn points(values: &[f64]) -> Vec<ChartPoint> {
        values.iter().map(|y| ChartPoint { x: 1.0, y: *y, interval: None }).collect()
    }

    /// At least two labels, no two alike, within the axis, each a number that is the tick's to a thousandth of the axis
    /// and to half a thousandth of itself.
    fn check(axis: &Axis) {
        let labels: Vec<&String> = axis.ticks.iter().map(|tick| &tick.label).collect();
        assert!(axis.low < axis.high && axis.high.is_finite(), "{axis:?}");
        assert!((2..=30).contains(&labels.len()), "{axis:?}");
        for (index, tick) in axis.ticks.iter().enumerate() {
            assert!(!labels[..index].contains(&&tick.label), "{axis:?}");
            let number: f64 = tick.label.parse().unwrap();
            assert!(axis.holds(tick.value) && (number - tick.value).abs() <= 5e-4 * tick.value.abs(), "{axis:?}");
            assert!(tick.label.len() <= 11, "{axis:?}");
        }
    }

    /// The same of an axis whose ticks are round; those are spread over it.
    fn check_round(axis: &Axis) {
        check(axis);
        let places: Vec<f64> = axis.ticks.iter().map(|tick| axis.share(tick.value)).collect();
        let last = places.last().unwrap();
        assert!(places.len() <= 12 && places[0] < 0.5 && *last > 0.5 && last - places[0] > 0.3, "{places:?} {axis:?}");
        for pair in places.windows(2) {
            assert!(pair[1] - pair[0] > 0.04, "{places:?} {axis:?}");
        }
        for tick in &axis.ticks {
            let number: f64 = tick.label.parse().unwrap();
            assert!((axis.share(number.max(axis.low)) - axis.share(tick.value)).abs() < 1e-3, "{axis:?}");
        }
    }

    #[test]
    fn axes_have_round_ticks() {
        let values = |axis: &Axis| axis.ticks.iter().map(|tick| tick.value).collect::<Vec<_>>();
        let texts = |axis: &Axis| axis.ticks.iter().map(|tick| tick.label.clone()).collect::<Vec<_>>().join(" ");
        let axis = Axis::around(&points(&[2e-3, 0.4]), Scale::Logarithmic, false);
        assert!(values(&axis).contains(&0.01) && values(&axis).contains(&0.1));
        let axis = Axis::around(&points(&[0.84, 0.9]), Scale::Linear, false);
        assert!(axis.ticks.len() >= 4 && axis.low < 0.84 && axis.high > 0.9);
        assert_eq!(texts(&axis), "0.84 0.85 0.86 0.87 0.88 0.89 0.90");
        // No power of ten, nor twice or five times one, between 2.6 and 3.85.
        let axis = Axis::around(&points(&[2.7e-3, 3.7e-3]), Scale::Logarithmic, false);
        assert_eq!(texts(&axis), "2.5e-3 3e-3 3.5e-3 4e-3 4.5e-3");
        // Ticks that need five digits, and values that are all alike.
        assert_eq!(
            texts(&Axis::around(&points(&[0.125]), Scale::Linear, false)),
            "0.1244 0.1246 0.1248 0.1250 0.1252 0.1254 0.1256"
        );
        assert_eq!(texts(&Axis::around(&points(&[0.0; 3]), Scale::Linear, false)), "-1.0 -0.5 0.0 0.5 1.0");
        // Nothing above zero.
        let axis = Axis::around(&points(&[0.0; 3]), Scale::Logarithmic, false);
        assert!(axis.scale == Scale::Linear && axis.holds(0.0));
        // One width, an odd one, one epoch; two places side by side; nothing.
        assert_eq!(texts(&Axis::along(&[128.0], &[128.0], 800.0)), "64 128 256");
        assert_eq!(texts(&Axis::along(&[7.0], &[7.0], 800.0)), "7 14");
        assert_eq!(texts(&Axis::along(&[1.0], &[1.0], 800.0)), "1 2");
        check(&Axis::along(&[1000.0, 1001.0], &[1000.0, 1001.0], 800.0));
        check(&Axis::along(&[], &[], 800.0));
    }

    #[test]
    fn only_points_that_would_squeeze_most_others_are_beyond() {
        let held = |values: &[f64], shares: bool| {
            let axis = Axis::around(&points(values), Scale::Linear, shares);
            values.iter().filter(|value| axis.holds(**value)).count()
        };
        assert_eq!(held(&[0.05, 0.125], false), 2);
        let even: Vec<f64> = (0..11).map(|i| 0.0053 * f64::from(i)).chain([0.1]).collect();
        assert_eq!((held(&even, false), held(&even, true)), (12, 12));
        // Four others are too few, five enough.
        let far = [0.90, 0.91, 0.92, 0.93, 0.17, 0.94];
        assert_eq!((held(&far[..5], false), held(&far, false), held(&far, true)), (5, 5, 5));
        // Nearer ones of those far out are held, beside the farther ones that are not.
        assert_eq!(held(&[1.0, 1.1, 1.2, 1.3, 1.4, 2.2, 100.0], false), 6);
    }

    #[test]
    fn error_bars_are_held_unless_they_squeeze_the_points() {
        let axis = |reach: f64, scale, shares| {
            let point = |y: f64| ChartPoint { x: 1.0, y, interval: Some((y - reach, y + reach)) };
            Axis::around(&[0.5, 0.65].map(point), scale, shares)
        };
        let wide = axis(0.4, Scale::Linear, false);
        assert!(!wide.cuts(0.1) && !wide.cuts(1.0) && wide.cuts(1.5));
        let wider = axis(5.0, Scale::Linear, false);
        assert!(wider.cuts(-4.5) && wider.cuts(5.65) && wider.high < 0.7);
        // What no share can be is not missed.
        let share = axis(5.0, Scale::Linear, true);
        assert!((share.low, share.high) == (0.0, 1.0) && !share.cuts(-4.5) && !share.cuts(5.65));
        assert!(axis(0.55, Scale::Logarithmic, false).cuts(-0.05));
        // A single point has nothing to squeeze.
        let lone = ChartPoint { x: 1.0, y: 1.0, interval: Some((-50.0, 52.0)) };
        assert!(!Axis::around(&[lone], Scale::Linear, false).cuts(52.0));
    }

    #[test]
    fn no_axis_of_shares_goes_beyond_one() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [&[1.0, 1.0][..], &[0.2, 1.0], &[0.97, 0.99], &[0.0, 0.0], &[0.0, 1.0]] {
                let axis = Axis::around(&points(values), scale, true);
                check_round(&axis);
                assert!(axis.low >= 0.0 && axis.high <= 1.0, "{axis:?}");
            }
        }
    }

    #[test]
    fn crowded_labels_are_thinned_and_points_beyond_the_ticks_are_held() {
        let widths: Vec<f64> = (0..33).map(|i| (8.0 * 1.15f64.powi(i)).round()).collect();
        let axis = Axis::along(&widths, &widths, 800.0);
        check(&axis);
        assert!(axis.ticks.len() > 10, "{axis:?}");
        let extent = |tick: &Tick| (axis.share(tick.value) * 800.0, text_width(&tick.label, LABEL_SIZE));
        for pair in axis.ticks.windows(2) {
            let ((left, wide), (right, other)) = (extent(&pair[0]), extent(&pair[1]));
            assert!(right - left > (wide + other) / 2.0 + 5.0, "{pair:?}");
        }
        let ends: Vec<&str> = [axis.ticks.first(), axis.ticks.last()].map(|tick| tick.unwrap().label.as_str()).to_vec();
        assert_eq!(ends, [widths[0].to_string(), widths[32].to_string()]);
        let axis = Axis::along(&[0.3, 5.0, 118.0], &[5.0, 100.0], 800.0);
        assert!(axis.holds(0.3) && axis.holds(118.0));
    }

    /// Numbers of any size that an axis can show.
    fn size() -> impl Strategy<Value = f64> {
        (-299.0..299.0f64).prop_map(|power| 10f64.powf(power))
    }

    fn config() -> ProptestConfig {
        ProptestConfig {
            cases: 3_000,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn every_range_has_two_labels_that_are_true(
            base in size(),
            spread in prop_oneof![Just(0.0), -15.0..1.0f64, 1.0..8.0f64, 0.0..590.0f64],
            places in prop::collection::vec(0.0..1.0f64, 1..9),
            negative in any::<bool>(),
            shares in any::<bool>(),
        ) {
            let are_shares = |values: &[f64]| shares && values.iter().all(|value| (0.0..=1.0).contains(value));
            // Logarithmic: places over some decades.
            let decades = if spread < 0.0 { 10f64.powf(spread) } else { spread };
            let at = |place: &f64| 10f64.powf((base.log10() + decades * place).min(299.0));
            let values: Vec<f64> = places.iter().map(at).collect();
            let axis = Axis::around(&points(&values), Scale::Logarithmic, shares);
            prop_assert!(!are_shares(&values) || axis.low >= 0.0 && axis.high <= 1.0);
            check_round(&axis);
            // Linear: about a value, of any relative spread.
            let sign = if negative { -1.0 } else { 1.0 };
            let relative = if spread == 0.0 { 0.0 } else { 10f64.powf(spread.min(9.0)) };
            let at = |place: &f64| (sign * base * (1.0 + relative * (place - 0.3))).clamp(-MOST, MOST);
            let values: Vec<f64> = places.iter().map(at).collect();
            let axis = Axis::around(&points(&values), Scale::Linear, shares);
            prop_assert!(!are_shares(&values) || axis.low >= 0.0 && axis.high <= 1.0);
            check_round(&axis);
            // Along: with all values, half of them, or none as ticks; counts, and numbers of any size.
            let counts: Vec<f64> = places.iter().map(|place| 1e5f64.powf(*place).round()).collect();
            let at = |place: &f64| base.clamp(1e-250, 1e250) * 10f64.powf(decades.min(40.0) * place);
            let rates: Vec<f64> = places.iter().map(at).collect();
            for places in [&counts, &rates] {
                for ticks in [places.len(), places.len() / 2, 0] {
                    let axis = Axis::along(places, &places[..ticks], 750.0);
                    check(&axis);
                    prop_assert!(places.iter().all(|place| axis.holds(*place)));
                }
            }
        }
    }
}
