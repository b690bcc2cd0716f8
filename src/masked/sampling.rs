//! Masked moments by drawing masks, with the kernel of each mask in closed form.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::enumerate::binomial;
use super::{Estimate, MaskedKernel, MaskedMoments, Method, Uncertainty, closed_form};
use crate::arccos::{ArcCosine, arc_cosine};
use crate::connectivity::Connectivity;
use crate::error::{Error, Result};
use crate::gram::{Gram, Pair};
use crate::random::{Purpose, Stream};

/// `K~_l = E_s[sigma^(2l) K_l(x_s, y_s)]` by sampling masks `s`, stratified on the mask's size `|s|`.
///
/// Drawing masks and taking the average over weights in closed form (Rao-Blackwell) has far less variance than drawing
/// networks. Over the `m` entries where `x` and `y` are not both zero, `|s|` is binomial; the sizes 0, 1 and `m` are summed
/// exactly. The other sizes share the masks in proportion to `P(|s| = k) k^2`, since `K_2` grows like `k^2`; neighbouring
/// sizes are joined until a stratum holds sixteen masks. The error is the standard error of the stratified mean.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Masks per pair, at least 32.
    pub masks: usize,
    /// The seed; the same seed draws the same masks.
    pub seed: u64,
    /// Which of the seed's independent streams to use: the index of the pair, in a study over pairs.
    pub stream: u32,
}

impl Sampling {
    /// The fewest masks that a stratified standard error can be trusted with.
    pub const MIN_MASKS: usize = 32;
    /// The most masks per pair: minutes to hours of work.
    pub const MAX_MASKS: usize = 1_000_000_000;

    /// Checks the number of masks.
    ///
    /// # Errors
    /// Below [`Sampling::MIN_MASKS`] or above [`Sampling::MAX_MASKS`].
    pub fn new(masks: usize, seed: u64) -> Result<Self> {
        let (least, most) = (Self::MIN_MASKS, Self::MAX_MASKS);
        if !(least..=most).contains(&masks) {
            let problem = format!("a standard error needs at least {least} masks, and {most} are the most");
            let remedy = if masks < least { "draw more masks" } else { "give a smaller number" };
            return Err(Error::value("masks", masks, problem, remedy));
        }
        Ok(Self { masks, seed, stream: 0 })
    }
}

/// Consecutive mask sizes that are sampled together.
struct Stratum {
    first_size: usize,
    /// `P(|s| = first_size + i)`.
    weights: Vec<f64>,
    masks: usize,
}

impl MaskedKernel for Sampling {
    fn moments(&self, pair: &Pair, connectivity: Connectivity) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        let p = connectivity.get();
        Ok(self.over_sizes(pair, |m| binomial(m as u32, p), 1.0 / p).0)
    }
}

impl Sampling {
    /// The masked moments over masks whose size, among `m` entries that are not both zero, has the probabilities `sizes(m)`, and whose
    /// positions are uniform given their size, with `sigma^2`; and `sigma^2 E[K_1 (|s| - E|s|)]`, what the kernel and the size of a
    /// mask have in common. For pairs that are not zero.
    pub(super) fn over_sizes(
        &self,
        pair: &Pair,
        sizes: impl Fn(usize) -> Vec<f64>,
        variance: f64,
    ) -> (MaskedMoments, Estimate) {
        // Inputs of unit norm: squares of kernels and of their errors stay in range whatever the inputs' scale.
        let gram = pair.gram();
        let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
        let entries: Vec<Gram> = pair
            .x()
            .iter()
            .zip(pair.y())
            .filter(|(x, y)| **x != 0.0 || **y != 0.0)
            .map(|(x, y)| (x * over_x, y * over_y))
            .map(|(x, y)| Gram { a: x * x, b: y * y, c: x * y })
            .collect();
        let m = entries.len();
        let sizes = sizes(m);
        let mean_size: f64 = sizes.iter().enumerate().map(|(size, weight)| size as f64 * weight).sum();

        let mut known = Sampled::default();
        let mut add = |weight: f64, size: usize, kernel: ArcCosine| {
            known = known.plus(weight, Sampled::new(kernel, size as f64 - mean_size));
        };
        for entry in &entries {
            add(sizes[1] / m as f64, 1, arc_cosine(*entry));
        }
        if m > 1 {
            add(sizes[m], m, arc_cosine(Gram { a: 1.0, b: 1.0, c: gram.cosine() }));
        }

        let strata = strata(&sizes, self.masks);
        let sums: Vec<Moments> = strata
            .par_iter()
            .enumerate()
            .map(|(index, stratum)| {
                let stream = Stream::new(self.seed, Purpose::MaskSampling, self.stream, index as u32);
                stratum.sample(&entries, mean_size, stream)
            })
            .collect();
        let (mut mean, mut variance_of_mean) = (known, Sampled::default());
        for (stratum, sum) in strata.iter().zip(&sums) {
            let weight: f64 = stratum.weights.iter().sum();
            mean = mean.plus(weight, sum.mean);
            variance_of_mean = variance_of_mean.plus(weight * weight / (sum.count * (sum.count - 1.0)), sum.squares);
        }
        let estimate = |value: f64, variance: f64, unit: f64| Estimate {
            value: value * unit,
            error: Uncertainty::StandardError(variance.sqrt() * unit),
        };
        let unit = gram.scale() * variance;
        let k1 = estimate(mean.k1, variance_of_mean.k1, unit);
        let k2 = estimate(mean.k2, variance_of_mean.k2, unit * unit);
        let with_size = estimate(mean.with_size, variance_of_mean.with_size, unit);
        let shift = Estimate { value: k1.value - arc_cosine(gram).k1, error: k1.error };
        let terms = strata.iter().map(|stratum| stratum.masks as u64).sum();
        (MaskedMoments { k1, k2, shift, method: Method::Sampling, terms }, with_size)
    }
}

/// What is averaged over masks.
#[derive(Clone, Copy, Default)]
struct Sampled {
    k1: f64,
    k2: f64,
    /// `K_1` times how far the mask's size is from its mean.
    with_size: f64,
}

impl Sampled {
    fn new(kernel: ArcCosine, above_mean: f64) -> Self {
        Self { k1: kernel.k1, k2: kernel.k2, with_size: kernel.k1 * above_mean }
    }

    /// `self + factor other`.
    fn plus(self, factor: f64, other: Self) -> Self {
        self.zip(other, |a, b| a + factor * b)
    }

    fn zip(self, other: Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            k1: combine(self.k1, other.k1),
            k2: combine(self.k2, other.k2),
            with_size: combine(self.with_size, other.with_size),
        }
    }
}

/// Divides the sizes `2..m` into strata of at least sixteen masks each.
fn strata(sizes: &[f64], masks: usize) -> Vec<Stratum> {
    const LEAST: f64 = 16.0;
    let m = sizes.len() - 1;
    let importance = |k: usize| sizes[k] * (k * k) as f64;
    let whole: f64 = (2..m).map(importance).sum();
    if whole <= 0.0 {
        return Vec::new();
    }
    let mut strata: Vec<Stratum> = Vec::new();
    let mut start = 2;
    let mut share = 0.0;
    let mut close = |range: std::ops::Range<usize>, share: f64| {
        strata.push(Stratum {
            first_size: range.start,
            weights: sizes[range].to_vec(),
            masks: (share.round() as usize).max(LEAST as usize),
        });
    };
    let mut left = masks as f64;
    for k in 2..m {
        let part = importance(k) / whole * masks as f64;
        share += part;
        left -= part;
        // The rest stays in one stratum with this one where it would not fill one of its own.
        if share >= LEAST && left >= LEAST {
            close(start..k + 1, share);
            (start, share) = (k + 1, 0.0);
        }
    }
    if start < m {
        close(start..m, share);
    }
    strata
}

/// Mean and sum of squared deviations over the masks of one stratum (Welford's update).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: Sampled,
    squares: Sampled,
}

impl Moments {
    fn push(&mut self, sample: Sampled) {
        self.count += 1.0;
        let before = sample.plus(-1.0, self.mean);
        self.mean = self.mean.zip(before, |mean, deviation| mean + deviation / self.count);
        let after = sample.plus(-1.0, self.mean);
        self.squares = self.squares.plus(1.0, before.zip(after, |a, b| a * b));
    }
}

impl Stratum {
    fn sample(&self, entries: &[Gram], mean_size: f64, mut stream: Stream) -> Moments {
        let whole: f64 = self.weights.iter().sum();
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        let mut moments = Moments::default();
        for _ in 0..self.masks {
            let size = self.first_size + choose(&self.weights, stream.random::<f64>() * whole);
            // A partial Fisher-Yates shuffle is uniform from whatever order the last mask left.
            let mut gram = Gram::default();
            for chosen in 0..size {
                let other = chosen + below(&mut stream, entries.len() - chosen);
                order.swap(chosen, other);
                let entry = &entries[order[chosen] as usize];
                gram.a += entry.a;
                gram.b += entry.b;
                gram.c += entry.c;
            }
            moments.push(Sampled::new(arc_cosine(gram), size as f64 - mean_size));
        }
        moments
    }
}

/// The index whose interval of cumulative weight holds `target`.
fn choose(weights: &[f64], mut target: f64) -> usize {
    for (index, weight) in weights.iter().enumerate() {
        target -= weight;
        if target < 0.0 {
            return index;
        }
    }
    // Rounding left the target at the end: the last size that has any weight.
    weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0)
}

/// A uniform number below `n < 2^32` by multiplication; its bias, below `n / 2^32`, is far under any standard error here.
#[inline]
fn below(stream: &mut impl Rng, n: usize) -> usize {
    ((u64::from(stream.next_u32()) * n as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strata_cover_every_size_once_with_enough_masks() {
        for (m, p) in [(784, 0.01), (784, 0.24), (20, 0.5), (600, 4e-6), (3, 0.5)] {
            let sizes = binomial(m, p);
            let strata = strata(&sizes, 1000);
            let mut next = 2;
            for stratum in &strata {
                assert_eq!(stratum.first_size, next);
                assert!(stratum.masks >= 16);
                next += stratum.weights.len();
            }
            assert_eq!(next, m as usize, "m = {m}, p = {p}");
            let masks: usize = strata.iter().map(|stratum| stratum.masks).sum();
            assert!(masks.abs_diff(1000) <= strata.len(), "{masks} masks at m = {m}, p = {p}");
        }
    }
}
