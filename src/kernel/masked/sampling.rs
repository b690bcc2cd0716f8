//! Masked moments by drawing masks, with the kernel of each mask in closed form.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::{MaskedMoments, Method, ROUNDING, RowMoments, closed_form};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{ArcCosine, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
use crate::network::Connectivity;
use crate::numeric::counts::binomial;
use crate::numeric::estimate::{Estimate, Uncertainty};
use crate::numeric::random::{Purpose, Stream};

/// `K~_l = E_s[sigma^(2l) K_l(x_s, y_s)]` by sampling masks `s`, stratified on the mask's size `|s|`.
///
/// Drawing masks and taking the average over weights in closed form (Rao-Blackwell) has far less variance than drawing
/// networks. Over the `m` entries where `x` and `y` are not both zero, `|s|` is binomial; the sizes 0, 1 and `m` are
/// summed exactly. The other sizes share the masks in proportion to `P(|s| = k) k^2`, since `K_2` grows like `k^2`;
/// neighbouring sizes are joined until a stratum holds sixteen masks.
///
/// The error is the standard error of the stratified mean, plus an allowance for what the masks drawn have missed:
/// where a few entries hold most of the norm and no mask drawn keeps them, the kernels look more alike than they are.
/// Since `a b <= ((a + b) / 2)^2`, `K_1 <= q / 2` and `K_2 <= 3 q^2 / 2` with `q = |(x + y)_s / 2|^2` (`x` and `y`
/// scaled to norm 1), and the variances of `q` and `q^2` over the masks of a stratum are known exactly. The part of
/// them that the masks drawn lack, times 1/4 and 9/4, is added to the variance of the kernels.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    masks: usize,
    seed: u64,
}

impl Sampling {
    /// The fewest masks that a stratified standard error can be trusted with.
    pub const MIN_MASKS: usize = 32;
    /// The most masks per pair: minutes to hours of work.
    pub const MAX_MASKS: usize = 1_000_000_000;

    /// Draws `masks` masks for each pair. The same seed draws the same masks; each pair has its own stream, selected by
    /// its number.
    ///
    /// # Errors
    /// Below [`Sampling::MIN_MASKS`] or above [`Sampling::MAX_MASKS`].
    pub fn new(masks: usize, seed: u64) -> Result<Self> {
        let (least, most) = (Self::MIN_MASKS, Self::MAX_MASKS);
        if !(least..=most).contains(&masks) {
            let problem = format!("a standard error needs at least {least} masks; the most are {most}");
            let remedy = if masks < least { "draw more masks" } else { "give a smaller number" };
            return Err(Error::value("masks", masks, problem, remedy));
        }
        Ok(Self { masks, seed })
    }

    /// Masks per pair.
    #[must_use]
    pub fn masks(&self) -> usize {
        self.masks
    }
}

/// Consecutive mask sizes that are sampled together.
struct Stratum {
    first_size: usize,
    /// `P(|s| = first_size + i)`.
    weights: Vec<f64>,
    masks: usize,
}

impl RowMoments for Sampling {
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, index: u32) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        let p = connectivity.get();
        Ok(self.over_sizes(pair, index, |m| binomial(m as u32, p), 1.0 / p).0)
    }
}

impl Sampling {
    /// The masked moments over masks whose size, among `m` entries that are not both zero, has the probabilities
    /// `sizes(m)`, and whose positions are uniform given their size; `variance` is `sigma^2`. Also returns
    /// `sigma^2 E[K_1 (|s| - E|s|)]`, the covariance of the kernel and the size of the mask. Neither input may be zero.
    pub(super) fn over_sizes(
        &self,
        pair: &Pair,
        stream: u32,
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

        let norms = SubsetNorms::new(entries.iter().map(half_sum));
        let strata = strata(&sizes, self.masks);
        let sums: Vec<Welford> = strata
            .par_iter()
            .enumerate()
            .map(|(index, stratum)| {
                let random = Stream::new(self.seed, Purpose::MaskSampling, stream, index as u32);
                stratum.sample(&entries, mean_size, random)
            })
            .collect();
        let (mut mean, mut variance_of_mean) = (known, Sampled::default());
        for (stratum, sum) in strata.iter().zip(&sums) {
            let weight: f64 = stratum.weights.iter().sum();
            mean = mean.plus(weight, sum.mean);
            let squares = sum.squares.plus(sum.count - 1.0, sum.missed(stratum, &norms, mean_size));
            variance_of_mean = variance_of_mean.plus(weight * weight / (sum.count * (sum.count - 1.0)), squares);
        }
        // For nearly opposite inputs every kernel is smaller than its rounding error, which the masks drawn do not
        // show.
        let estimate = |value: f64, variance: f64, unit: f64, scale: f64| Estimate {
            value: value * unit,
            error: Uncertainty::bound(ROUNDING * scale).with_standard_error(variance.sqrt() * unit),
        };
        let (scale, unit) = (gram.scale(), gram.scale() * variance);
        let k1 = estimate(mean.k1, variance_of_mean.k1, unit, scale);
        let k2 = estimate(mean.k2, variance_of_mean.k2, unit * unit, 1.5 * scale * unit);
        let with_size = estimate(mean.with_size, variance_of_mean.with_size, unit, scale * m as f64);
        let shift = Estimate { value: k1.value - arc_cosine(gram).k1, error: k1.error };
        let terms = strata.iter().map(|stratum| stratum.masks as u64).sum();
        let covariance = Estimate::ZERO;
        (MaskedMoments { k1, k2, shift, covariance, method: Method::Sampling, terms }, with_size)
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

/// `((x + y) / 2)^2` of an entry, or `|(x + y)_s / 2|^2` of a mask.
fn half_sum(gram: &Gram) -> f64 {
    (0.25 * (gram.a + gram.b + 2.0 * gram.c)).max(0.0)
}

/// Moments of `q = sum_{j in s} z_j` over the uniformly random subsets `s` of a size, of `m` numbers `z_j`.
struct SubsetNorms {
    count: f64,
    /// The sums over ordered tuples of different indices that `q`, `q^2` and `q^4` are made of, by the number of
    /// indices: for `q^2`, `sum z_i^2` and `sum z_i z_j`.
    first: f64,
    second: [f64; 2],
    fourth: [f64; 4],
}

impl SubsetNorms {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut sums) = (0.0, [0.0; 4]);
        for value in values {
            count += 1.0;
            let mut power = 1.0;
            for sum in &mut sums {
                power *= value;
                *sum += power;
            }
        }
        let [s1, s2, s3, s4] = sums;
        let (three_one, two_two) = (s3 * s1 - s4, s2 * s2 - s4);
        let two_one_one = s2 * s1 * s1 - 2.0 * three_one - two_two - s4;
        let all_different = s1.powi(4) - s4 - 4.0 * three_one - 3.0 * two_two - 6.0 * two_one_one;
        Self {
            count,
            first: s1,
            second: [s2, s1 * s1 - s2],
            fourth: [s4, 4.0 * three_one + 3.0 * two_two, 6.0 * two_one_one, all_different],
        }
    }

    /// The variances of `q` and `q^2` over the masks of a stratum.
    fn variances(&self, stratum: &Stratum) -> [f64; 2] {
        let whole: f64 = stratum.weights.iter().sum();
        let (mut first, mut second, mut fourth) = (0.0, 0.0, 0.0);
        for (step, weight) in stratum.weights.iter().enumerate() {
            // The probability that a subset holds one, two, three and four given indices.
            let size = (stratum.first_size + step) as f64;
            let mut holds = [0.0; 4];
            let mut probability = weight / whole;
            for (taken, holds) in (0..4).map(f64::from).zip(&mut holds) {
                probability *= ((size - taken) / (self.count - taken).max(1.0)).max(0.0);
                *holds = probability;
            }
            first += holds[0] * self.first;
            second += self.second.iter().zip(holds).map(|(sum, holds)| sum * holds).sum::<f64>();
            fourth += self.fourth.iter().zip(holds).map(|(sum, holds)| sum * holds).sum::<f64>();
        }
        [(second - first * first).max(0.0), (fourth - second * second).max(0.0)]
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
        // If the remaining sizes would not fill a stratum of their own, they join this one.
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
struct Welford {
    count: f64,
    mean: Sampled,
    squares: Sampled,
    /// The same for `q` and `q^2`, see [`Sampling`].
    norm_means: [f64; 2],
    norm_squares: [f64; 2],
}

impl Welford {
    fn push(&mut self, sample: Sampled, norm: f64) {
        self.count += 1.0;
        let before = sample.plus(-1.0, self.mean);
        self.mean = self.mean.zip(before, |mean, deviation| mean + deviation / self.count);
        let after = sample.plus(-1.0, self.mean);
        self.squares = self.squares.plus(1.0, before.zip(after, |a, b| a * b));
        for (value, (mean, squares)) in
            [norm, norm * norm].into_iter().zip(self.norm_means.iter_mut().zip(&mut self.norm_squares))
        {
            let before = value - *mean;
            *mean += before / self.count;
            *squares += before * (value - *mean);
        }
    }

    /// An estimate of the part of the kernels' variances that the masks drawn have missed, from the part of the
    /// variances of `q` and `q^2` that they missed.
    fn missed(&self, stratum: &Stratum, norms: &SubsetNorms, mean_size: f64) -> Sampled {
        let [of_norm, of_square] = norms.variances(stratum);
        let missed = |exact: f64, squares: f64| (exact - squares / (self.count - 1.0)).max(0.0);
        let k1 = 0.25 * missed(of_norm, self.norm_squares[0]);
        let k2 = 2.25 * missed(of_square, self.norm_squares[1]);
        let last_size = stratum.first_size + stratum.weights.len() - 1;
        let from_mean = |size: usize| (size as f64 - mean_size).powi(2);
        Sampled { k1, k2, with_size: k1 * from_mean(stratum.first_size).max(from_mean(last_size)) }
    }
}

impl Stratum {
    fn sample(&self, entries: &[Gram], mean_size: f64, mut stream: Stream) -> Welford {
        let whole: f64 = self.weights.iter().sum();
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        let mut sums = Welford::default();
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
            sums.push(Sampled::new(arc_cosine(gram), size as f64 - mean_size), half_sum(&gram));
        }
        sums
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
    weights.iter().rposition(|weight| *weight > 0.0).expect("a stratum has sizes of positive weight")
}

/// A uniform number below `n < 2^32` by multiplication; its bias, below `n / 2^32`, is far under any standard error
/// here.
#[inline]
fn below(stream: &mut impl Rng, n: usize) -> usize {
    ((u64::from(stream.next_u32()) * n as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::masked::Enumerate;
    use ndarray::Array1;

    #[test]
    fn variances_over_subsets_are_those_of_the_sum_over_them() {
        let values = [3.0, 0.5, 0.0, 1.25, 0.1, 7.0];
        let norms = SubsetNorms::new(values.into_iter());
        let weights = vec![0.2, 0.05, 0.1, 0.3];
        let stratum = Stratum { first_size: 2, weights: weights.clone(), masks: 16 };
        let mut sums = [0.0; 5];
        for mask in 0u32..64 {
            let size = mask.count_ones() as usize;
            if !(2..=5).contains(&size) {
                continue;
            }
            let subsets = [15.0, 20.0, 15.0, 6.0][size - 2];
            let weight = weights[size - 2] / weights.iter().sum::<f64>() / subsets;
            let norm: f64 = (0..6).filter(|j| mask >> j & 1 == 1).map(|j| values[j]).sum();
            for (power, sum) in (0..).zip(&mut sums) {
                *sum += weight * norm.powi(power);
            }
        }
        let expected = [sums[2] - sums[1].powi(2), sums[4] - sums[2].powi(2)];
        for (found, expected) in norms.variances(&stratum).into_iter().zip(expected) {
            // Some hundred roundings.
            assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
        }
    }

    /// Inputs of which one entry, in both or in one of them, is longer than all others together: four standard errors
    /// of few masks hold what the sum over all masks says. By Chebyshev's inequality one in sixteen may fail even if
    /// each standard error were exact; with a heavy tail the share comes near that. Without the allowance for what the
    /// masks drawn have missed, a fifth fails.
    #[test]
    fn standard_errors_of_few_masks_count_the_entries_that_no_mask_kept() {
        let mut random = Stream::new(3, Purpose::Synthetic, 0, 0);
        let (mut failures, mut trials) = (0, 0);
        for trial in 0..600u32 {
            let d = 12;
            let mut gaussian = |_| random.sample::<f64, _>(rand_distr::StandardNormal);
            let (mut x, mut y) = (Array1::from_shape_fn(d, &mut gaussian), Array1::from_shape_fn(d, &mut gaussian));
            let factor = 10f64.powf(random.random_range(0.7..2.5));
            x[3] *= factor;
            if trial % 2 == 0 {
                y[3] *= factor * random.random_range(0.1..1.0);
            }
            let pair = Pair::new(x.view(), y.view()).unwrap();
            let p = Connectivity::new(random.random_range(0.05..0.5)).unwrap();
            let exact = Enumerate::default().moments(&pair, p).unwrap();
            let found = Sampling::new(32, 9).unwrap().of_pair(&pair, p, trial).unwrap();
            for (exact, found) in [(exact.k1, found.k1), (exact.k2, found.k2)] {
                let error = found.error.magnitude().unwrap();
                trials += 1;
                failures += usize::from((found.value - exact.value).abs() > 4.0 * error + 1e-9 * exact.value.abs());
            }
        }
        println!("{failures} of {trials}");
        assert!(failures * 100 < trials, "{failures} of {trials} beyond four standard errors");
    }

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
