//! Samples in some directions, and what other directions say of them.

use std::f64::consts::PI;
use std::iter::zip;

use rayon::prelude::*;

use super::functional::Spectrum;
use super::radial::{Direction, SAMPLES, Scratch};

/// From this many directions on every rule is checked, which costs little then: a rule that rounds more is not always
/// better.
pub const CHECKED: usize = 512;
/// For a spectrum that falls like `m^(-2l-1)`: three times the part beyond `N/2` of its norm from `N/8` on,
/// `3 4^(-2l-1/2)`, by `l` ([`Kind::order`]).
const LEFT: [f64; 3] = [1.5, 0.1, 0.01];
/// Below this many directions less of the error at the checking directions is excused: the spectrum is too short to
/// show how it falls.
const FALLING: f64 = 256.0;
/// The part of the error at the checking directions that is due to rounding, as a share of the rounding allowed for in
/// a sample. It is subtracted for rules of [`CHECKED`] directions and more, whose large weights would amplify it.
const ROUNDED: f64 = 0.25;

/// Samples in some directions, see [`SAMPLES`].
pub struct Samples {
    pub average: [Vec<f64>; SAMPLES],
    /// The sum of squares of what was cut off.
    pub squared_tails: [f64; SAMPLES],
    pub nodes: u64,
}

impl Samples {
    pub fn at(count: usize, sample: impl Fn(usize, &mut Scratch) -> Direction + Sync) -> Self {
        let samples = (0..count).into_par_iter().with_min_len(16);
        let values: Vec<_> = samples.map_init(Scratch::default, |scratch, k| sample(k, scratch)).collect();
        Self {
            average: std::array::from_fn(|sample| values.iter().map(|value| value.average[sample]).collect()),
            squared_tails: std::array::from_fn(|sample| values.iter().map(|value| value.tail[sample].powi(2)).sum()),
            nodes: values.iter().map(|value| value.nodes as u64).sum(),
        }
    }

    /// These samples, each followed by the one half way to the next.
    pub fn interleave(self, between: Self) -> Self {
        let merge =
            |sample: usize| zip(&self.average[sample], &between.average[sample]).flat_map(|(a, b)| [*a, *b]).collect();
        Self {
            average: std::array::from_fn(merge),
            squared_tails: std::array::from_fn(|sample| self.squared_tails[sample] + between.squared_tails[sample]),
            nodes: self.nodes + between.nodes,
        }
    }

    /// The spectra of the first samples.
    pub fn spectra(&self, samples: usize, shift: f64) -> Vec<Spectrum> {
        self.average.iter().take(samples).map(|sample| Spectrum::new(sample, shift)).collect()
    }

    /// The largest error of a spectrum of `count` directions in these irregular ones, and the part of it that a falling
    /// spectrum would not leave.
    ///
    /// Where more is missed than that, or less is in the middle band than above it, frequencies were mistaken for
    /// others or not seen at all, and no change of rules shows them.
    pub fn missed(&self, sample: usize, spectrum: &Spectrum, count: usize, rounding: f64, order: usize) -> [f64; 2] {
        let missed = self.average[sample].iter().enumerate().map(|(k, value)| (spectrum.at(check(k)) - value).abs());
        let rounded = if count < CHECKED { 0.0 } else { ROUNDED * rounding };
        let missed = (missed.fold(0.0, f64::max) - rounded).max(0.0);
        let [middle, upper] = spectrum.bands();
        let left = LEFT[order] * (count as f64 / FALLING).min(1.0) * middle;
        [missed, (missed - left).max(upper - middle).max(0.0)]
    }
}

/// Directions by the golden ratio, which no regular set of entries can be commensurate with.
pub fn check(k: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    ((k as f64 + 0.37) * GOLDEN).fract() * PI
}
