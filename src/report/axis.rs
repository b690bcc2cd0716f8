//! The axis of a chart: its range, its ticks, and what it holds.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::chart::{ChartPoint, Scale};
use crate::statistics::{quantile, sorted};

/// An axis with its range and ticks.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    pub low: f64,
    pub high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    /// A logarithmic axis around its ticks.
    pub fn with_ticks(ticks: &[f64]) -> Self {
        let low = ticks.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ticks.iter().copied().fold(0.0, f64::max);
        if !(low > 0.0 && high.is_finite()) {
            return Self { scale: Scale::Logarithmic, low: 0.5, high: 2.0, ticks: vec![1.0] };
        }
        let room = (high / low).powf(0.04).max(1.02);
        Self { scale: Scale::Logarithmic, low: low / room, high: high * room, ticks: ticks.to_vec() }
    }

    /// An axis that holds all points, or all within the fences, with their error bars as far as those lie within, with room and
    /// round ticks.
    pub fn around(points: Vec<ChartPoint>, scale: Scale, fenced: bool) -> Self {
        let place = |value: f64| if scale == Scale::Logarithmic { value.ln() } else { value };
        let places =
            sorted(&points.iter().map(|point| place(point.y)).filter(|place| place.is_finite()).collect::<Vec<_>>());
        let (lower, upper) = (quantile(&places, 0.25), quantile(&places, 0.75));
        // At least a little room, for points that are nearly all equal.
        let reach = if fenced { (1.5 * (upper - lower)).max(0.05) } else { f64::INFINITY };
        let within = |value: &f64| {
            let place = place(*value);
            place.is_finite() && (lower - reach..=upper + reach).contains(&place)
        };
        let ends = points.iter().filter(|point| within(&point.y)).flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.y, point.y));
            [point.y, low, high]
        });
        let (mut low, mut high) = ends
            .filter(within)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.1, 1.0);
        }
        match scale {
            Scale::Linear => {
                let room = 0.06 * (high - low).max(1e-3 * high.abs()).max(1e-12);
                (low, high) = (low - room, high + room);
                let step = [1.0, 2.0, 5.0, 10.0]
                    .map(|round| round * 10f64.powf(((high - low) / 8.0).log10().floor()))
                    .into_iter()
                    .find(|step| (high - low) / step <= 8.0)
                    .unwrap_or(high - low);
                let ticks = ((low / step).ceil() as i64..=(high / step).floor() as i64).map(|tick| tick as f64 * step);
                Self { scale, low, high, ticks: ticks.collect() }
            }
            Scale::Logarithmic => {
                (low, high) = (low / 1.3, high * 1.3);
                let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
                // Within three decades, 2 and 5 of each as well.
                let within: &[f64] = if high / low > 1e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let ticks = decades
                    .flat_map(|decade| within.iter().map(move |round| round * 10f64.powi(decade)))
                    .filter(|tick| (low..=high).contains(tick));
                Self { scale, low, high, ticks: ticks.collect() }
            }
        }
    }

    pub fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The value, or the end of the axis where it lies beyond.
    pub fn inside(&self, value: f64) -> f64 {
        if value.is_nan() { self.low } else { value.clamp(self.low, self.high) }
    }

    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Where a value stands, 0 at the low end and 1 at the high end.
    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
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
                    Scale::Logarithmic => self.low * (self.high / self.low).powf(share),
                };
                (from.0 * (to.0 / from.0).powf(t), y)
            }
        };
        (enter < leave).then(|| vec![at(enter), at(leave)])
    }

    fn text(&self, value: &f64) -> String {
        let smallest =
            self.ticks.iter().map(|tick| tick.abs()).filter(|tick| *tick > 0.0).fold(f64::INFINITY, f64::min);
        if self.scale == Scale::Logarithmic && smallest < 0.1 || smallest < 1e-4 || value.abs() >= 1e5 {
            return format!("{value:.0e}");
        }
        // As many digits as the ticks need.
        let digits = (0..4).find(|digits| {
            let factor = 10f64.powi(*digits);
            self.ticks.iter().all(|tick| (tick * factor - (tick * factor).round()).abs() < 1e-6)
        });
        format!("{value:.*}", digits.unwrap_or(4) as usize)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = self.share(*value);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ticks() {
        let points = |values: &[f64]| values.iter().map(|y| ChartPoint { x: 1.0, y: *y, interval: None }).collect();
        let axis = Axis::around(points(&[2e-3, 0.4]), Scale::Logarithmic, true);
        assert!(axis.ticks.contains(&0.01) && axis.ticks.contains(&0.1));
        let axis = Axis::around(points(&[0.84, 0.9]), Scale::Linear, true);
        assert!(axis.ticks.len() >= 4 && axis.low < 0.84 && axis.high > 0.9);
        assert!(axis.ticks.iter().all(|tick| (tick * 100.0 - (tick * 100.0).round()).abs() < 1e-9));
    }
}
