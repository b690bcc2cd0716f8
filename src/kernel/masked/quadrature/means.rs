//! The integrals without poles: means over directions, which lie closer where masks are nearly parallel.

use std::f64::consts::PI;

use super::frame::Frame;
use super::radial::{Direction, Radial, Scratch};

/// Where the directions begin, so that neither they nor their doublings hit a pole by design.
const BEGIN: f64 = 0.1234;
/// Where `sin f sin(t - f)` is no larger than this, a direction counts as that of a pole, and one by so much further is
/// taken for it.
const AT_POLE: f64 = 1e-9;
const NEXT: f64 = 1e-8;

/// Directions `f` as a function of a place `u`, and a factor of the integrand of each.
///
/// On masks that are nearly parallel to a large group, what is sampled has a kink in the one direction in which the
/// group vanishes, `f_0`. There directions lie closer, by `f = f_0 + u - sin(2u)/2`, which is `(2/3) u^3` near `f_0`:
/// features of the width `e` take `e^(-1/3)` places, not `1/e`.
pub struct Means<'a> {
    radial: &'a Radial<'a>,
    frame: &'a Frame,
    /// `f_0`, if there is a group.
    crowded: Option<f64>,
    /// `E[T h ln h]` at the poles `f = 0` and `f = t`: half of the sum, and half of the difference over `sin t`.
    at_poles: [f64; 2],
}

impl<'a> Means<'a> {
    pub fn new(radial: &'a Radial<'a>, frame: &'a Frame) -> Self {
        // The group of the required entries is the last.
        let group = if frame.takes_singles { frame.groups.first() } else { frame.groups.last() };
        let crowded = group.map(|group| (-group.direction.0).atan2(group.direction.1));
        let mut scratch = Scratch::default();
        let mut with_half = |direction| radial.with_half(direction, &mut scratch).average[1];
        let (first, second) = (with_half((1.0, 0.0)), with_half((frame.cosine, frame.sine)));
        Self { radial, frame, crowded, at_poles: [0.5 * (first + second), 0.5 * (second - first) / frame.sine] }
    }

    /// The places that a feature of some width takes where directions crowd, or everywhere if they do not.
    pub fn width_in_places(&self, width: f64) -> f64 {
        if self.crowded.is_some() { width.cbrt() } else { width }
    }

    /// The integrands at a place: that of `D`, that of `E[T h ln h]` and that of `C D`, whose means over places are the
    /// means over directions.
    ///
    /// That of `E[T h ln h]` is `G(f) / (sin f sin(t - f))`, whose poles are taken out with
    /// `G(f) - a - b sin(2f - t)`: what is taken out has a principal value of 0.
    pub fn at(&self, place: f64, scratch: &mut Scratch) -> Direction {
        let Frame { cosine, sine, .. } = *self.frame;
        let ((cos_f, sin_f), factor) = self.direction(place);
        let mut found = self.radial.with_half((cos_f, sin_f), scratch);
        // sin(2f - t)
        let turned = 2.0 * sin_f * cos_f * cosine - (cos_f * cos_f - sin_f * sin_f) * sine;
        let [mean, slope] = self.at_poles;
        found.average[1] -= mean + slope * turned;
        let weights = [factor, factor * self.pole((cos_f, sin_f)), factor];
        for (sample, weight) in weights.into_iter().enumerate() {
            found.average[sample] *= weight;
            found.tail[sample] *= weight.abs();
        }
        found
    }

    /// The mean of the magnitudes of the second integrand's weights, by which errors of all samples may count at most.
    pub fn amplification(&self, count: usize) -> f64 {
        let weight = |k: usize| {
            let (direction, factor) = self.direction(k as f64 / count as f64 * PI);
            factor * self.pole(direction).abs()
        };
        (0..count).map(weight).sum::<f64>() / count as f64
    }

    /// The direction of a place as its cosine and sine, and `df/du`.
    fn direction(&self, place: f64) -> ((f64, f64), f64) {
        let place = place + BEGIN;
        let (double_sine, double_cosine) = (2.0 * place).sin_cos();
        let (direction, factor) = match self.crowded {
            Some(centre) => (centre + place - 0.5 * double_sine, 1.0 - double_cosine),
            None => (place, 1.0),
        };
        let (sine, cosine) = direction.sin_cos();
        if (sine * self.to_second_pole((cosine, sine))).abs() > AT_POLE {
            return ((cosine, sine), factor);
        }
        // The quotient of two zeros: its limit is that of a direction next to it.
        let (sine, cosine) = (direction + NEXT).sin_cos();
        ((cosine, sine), factor)
    }

    /// `1 / (sin f sin(t - f))`.
    fn pole(&self, (cosine, sine): (f64, f64)) -> f64 {
        1.0 / (sine * self.to_second_pole((cosine, sine)))
    }

    /// `sin(t - f)`.
    fn to_second_pole(&self, (cosine, sine): (f64, f64)) -> f64 {
        self.frame.sine * cosine - self.frame.cosine * sine
    }
}
