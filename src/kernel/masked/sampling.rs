//! Masked moments by drawing masks, with the kernel of each mask in closed form.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::{Entry, MaskedMoments, Method, ROUNDING, Row, RowMoments, TangentMoments, closed_form};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{Angle, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
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
/// them that the masks drawn lack, times 1/4 and 9/4, is added to the variance of the kernels. For the tangent kernel,
/// whose `C K_0` can be negative, `q = (|x_s|^2 + |y_s|^2) / 2`: its share is at most `q`, and the square of its share
/// at most `(5 + k) q^2 / 2` on average, `k` the kurtosis of the readout.
///
/// Where inputs have connectivities of their own, masks are drawn entry by entry, without strata.
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
    fn of_pair(&self, pair: &Pair, row: &Row, index: u32) -> Result<MaskedMoments> {
        row.check(pair)?;
        if let Some(exact) = closed_form(pair, *row) {
            return Ok(exact);
        }
        let Some(connectivity) = row.uniform() else { return Ok(self.entry_by_entry(pair, row, index)) };
        let p = connectivity.get();
        let tau = row.tangent().unwrap_or_default().tau(connectivity);
        Ok(self.over_sizes(pair, row, index, |m| binomial(m as u32, p), (1.0 / p, tau)).0)
    }
}

/// An entry of inputs that are scaled to norm 1.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    gram: Gram,
    /// `tau x_j y_j`.
    tangent: f64,
}

impl Part {
    fn plus(&mut self, other: &Self) {
        self.gram.a += other.gram.a;
        self.gram.b += other.gram.b;
        self.gram.c += other.gram.c;
        self.tangent += other.tangent;
    }
}

/// What a mask contributes, and what is known of the pair.
struct Averages {
    /// Where the tangent kernel is asked for, the kurtosis of the readout.
    kurtosis: Option<f64>,
}

impl Averages {
    fn new(row: &Row) -> Self {
        Self { kurtosis: row.tangent().map(|_| row.kurtosis()) }
    }

    /// The averages of one mask; `above_mean` is how far its size is from the mean.
    fn of(&self, part: &Part, above_mean: f64) -> Sampled {
        let kernel = arc_cosine(part.gram);
        let Some(kurtosis) = self.kurtosis else {
            return Sampled { k1: kernel.k1, k2: kernel.k2, with_size: kernel.k1 * above_mean, tangent: None };
        };
        let k0 = if part.gram.scale() > 0.0 { Angle::of(part.gram).k0() } else { 0.0 };
        let (j1, j11, j2) = (part.tangent * k0, part.tangent * kernel.k1, part.tangent * part.tangent * k0);
        let first = kernel.k1 + j1;
        let second = kernel.k2 + 2.0 * j11 + kurtosis * j2;
        Sampled {
            k1: kernel.k1,
            k2: kernel.k2,
            with_size: first * above_mean,
            tangent: Some(OfTangent { j1, j11, j2, first, second }),
        }
    }

    /// `q` of an entry, or of a mask: see [`Sampling`].
    fn norm(&self, gram: &Gram) -> f64 {
        let both = if self.kurtosis.is_some() { 0.0 } else { gram.c };
        let whole = if self.kurtosis.is_some() { 0.5 } else { 0.25 };
        (whole * (gram.a + gram.b + 2.0 * both)).max(0.0)
    }

    /// The most that a variance of `q` and one of `q^2` add to those of the averages.
    fn allowance(&self, of_norm: f64, of_square: f64, with_size: f64) -> Sampled {
        let tangent = self.kurtosis.map(|kurtosis| OfTangent {
            j1: 0.25 * of_norm,
            j11: 0.25 * of_square,
            j2: 0.25 * of_square,
            first: of_norm,
            second: (2.5 + 0.5 * kurtosis).powi(2) * of_square,
        });
        let of_first = if self.kurtosis.is_some() { 1.0 } else { 0.25 };
        Sampled { k1: 0.25 * of_norm, k2: 2.25 * of_square, with_size: of_first * of_norm * with_size, tangent }
    }
}

/// The entries of a pair, scaled to inputs of norm 1.
fn parts(pair: &Pair, row: &Row, scale: impl Fn(&Entry) -> f64) -> Vec<Part> {
    // Squares of kernels and of their errors stay in range whatever the inputs' scale.
    let gram = pair.gram();
    let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
    let part = |entry: Entry| {
        let (x, y, scale) = (entry.x * over_x, entry.y * over_y, scale(&entry));
        let gram = Gram { a: scale * x * x, b: scale * y * y, c: scale * x * y };
        Part { gram, tangent: entry.tau * gram.c }
    };
    row.entries(pair).map(part).collect()
}

impl Sampling {
    /// The masked moments over masks whose size, among `m` entries that are not both zero, has the probabilities
    /// `sizes(m)`, and whose positions are uniform given their size; the weights have the variance `sigma^2`, and `tau`
    /// is that of the tangent kernel. Also returns `sigma^2 E[g (|s| - E|s|)]`, the covariance of a unit's share given
    /// its mask and the size of the mask. Neither input may be zero.
    pub(super) fn over_sizes(
        &self,
        pair: &Pair,
        row: &Row,
        stream: u32,
        sizes: impl Fn(usize) -> Vec<f64>,
        (variance, tau): (f64, f64),
    ) -> (MaskedMoments, Estimate) {
        let averages = Averages::new(row);
        let mut entries = parts(pair, row, |_| 1.0);
        entries.iter_mut().for_each(|part| part.tangent = tau * part.gram.c);
        let m = entries.len();
        let sizes = sizes(m);
        let mean_size: f64 = sizes.iter().enumerate().map(|(size, weight)| size as f64 * weight).sum();

        let mut known = Sampled::default();
        let mut add = |weight: f64, size: usize, part: &Part| {
            known = known.plus(weight, averages.of(part, size as f64 - mean_size));
        };
        for entry in &entries {
            add(sizes[1] / m as f64, 1, entry);
        }
        if m > 1 {
            let cosine = pair.gram().cosine();
            add(sizes[m], m, &Part { gram: Gram { a: 1.0, b: 1.0, c: cosine }, tangent: tau * cosine });
        }

        let norms = SubsetNorms::new(entries.iter().map(|part| averages.norm(&part.gram)));
        let strata = strata(&sizes, self.masks);
        let sums: Vec<Welford> = strata
            .par_iter()
            .enumerate()
            .map(|(index, stratum)| {
                let random = Stream::new(self.seed, Purpose::MaskSampling, stream, index as u32);
                stratum.sample(&entries, &averages, mean_size, random)
            })
            .collect();
        let (mut mean, mut variance_of_mean) = (known, Sampled::default());
        for (stratum, sum) in strata.iter().zip(&sums) {
            let weight: f64 = stratum.weights.iter().sum();
            mean = mean.plus(weight, sum.mean);
            let last_size = stratum.first_size + stratum.weights.len() - 1;
            let from_mean = |size: usize| (size as f64 - mean_size).powi(2);
            let with_size = from_mean(stratum.first_size).max(from_mean(last_size));
            let missed = sum.missed(&averages, norms.variances(stratum), with_size);
            let squares = sum.squares.plus(sum.count - 1.0, missed);
            variance_of_mean = variance_of_mean.plus(weight * weight / (sum.count * (sum.count - 1.0)), squares);
        }
        let terms = strata.iter().map(|stratum| stratum.masks as u64).sum();
        let moments = finish(pair, row, mean, variance_of_mean, variance, terms);
        let (scale, unit) = (pair.gram().scale(), pair.gram().scale() * variance);
        let with_size = rounded(mean.with_size, variance_of_mean.with_size, unit, scale * m as f64);
        (moments, with_size)
    }

    /// The masked moments where each entry has a connectivity of its own.
    fn entry_by_entry(&self, pair: &Pair, row: &Row, stream: u32) -> MaskedMoments {
        let averages = Averages::new(row);
        let entries = parts(pair, row, |entry| 1.0 / entry.p);
        let chances: Vec<f64> = row.entries(pair).map(|entry| entry.p).collect();
        let mut random = Stream::new(self.seed, Purpose::MaskSampling, stream, 0);
        let mut sum = Welford::default();
        for _ in 0..self.masks {
            let mut part = Part::default();
            for (entry, p) in entries.iter().zip(&chances) {
                if random.random::<f64>() < *p {
                    part.plus(entry);
                }
            }
            sum.push(averages.of(&part, 0.0), averages.norm(&part.gram));
        }
        // The variances of q and q^2 from the cumulants of a sum of independent terms.
        let mut cumulants = [0.0; 4];
        for (entry, p) in entries.iter().zip(&chances) {
            let (norm, spread) = (averages.norm(&entry.gram), p * (1.0 - p));
            let of_bernoulli = [*p, spread, spread * (1.0 - 2.0 * p), spread * (1.0 - 6.0 * spread)];
            for (order, (sum, cumulant)) in (1..).zip(cumulants.iter_mut().zip(of_bernoulli)) {
                *sum += cumulant * norm.powi(order);
            }
        }
        let [k1, k2, k3, k4] = cumulants;
        let of_square = k4 + 4.0 * k1 * k3 + 2.0 * k2 * k2 + 4.0 * k1 * k1 * k2;
        let squares = sum.squares.plus(sum.count - 1.0, sum.missed(&averages, [k2, of_square], 0.0));
        let variance_of_mean = Sampled::default().plus(1.0 / (sum.count * (sum.count - 1.0)), squares);
        finish(pair, row, sum.mean, variance_of_mean, 1.0, self.masks as u64)
    }
}

/// A mean over masks with its variance, in units of `unit`.
fn rounded(value: f64, variance: f64, unit: f64, scale: f64) -> Estimate {
    // For nearly opposite inputs every kernel is smaller than its rounding error, which the masks drawn do not show.
    let error = Uncertainty::bound(ROUNDING * scale).with_standard_error(variance.sqrt() * unit);
    Estimate { value: value * unit, error }
}

/// The moments from the means over masks of inputs of norm 1, with weights of variance `variance`.
fn finish(pair: &Pair, row: &Row, mean: Sampled, of_mean: Sampled, variance: f64, terms: u64) -> MaskedMoments {
    let gram = pair.gram();
    let (scale, unit) = (gram.scale(), gram.scale() * variance);
    let (first, second) = (
        |value: f64, variance: f64, scale: f64| rounded(value, variance, unit, scale),
        |value: f64, variance: f64, scale: f64| rounded(value, variance, unit * unit, 1.5 * scale * unit),
    );
    let k1 = first(mean.k1, of_mean.k1, scale);
    let k2 = second(mean.k2, of_mean.k2, scale);
    let shift = Estimate { value: k1.value - arc_cosine(gram).k1, error: k1.error };
    let nngp = MaskedMoments::nngp(k1, k2, shift, Method::Sampling, terms);
    if row.tangent().is_none() {
        return nngp;
    }
    // The angle of a mask, from its Gram triple, has half of the digits where it is near 0.
    let coarse = scale * f64::EPSILON.sqrt() / ROUNDING;
    let (value, of) = (mean.tangent.unwrap_or_default(), of_mean.tangent.unwrap_or_default());
    let tangent = TangentMoments {
        j1: first(value.j1, of.j1, coarse),
        j11: second(value.j11, of.j11, scale),
        j2: second(value.j2, of.j2, coarse),
    };
    // The averages of one mask are correlated: their sums have standard errors of their own.
    let combined = MaskedMoments {
        tangent: Some(tangent),
        first: first(value.first, of.first, coarse),
        second: second(value.second, of.second, 5.0 * coarse),
        ..nngp
    };
    let limit = arc_cosine(gram).k1 + gram.c * pair.angle().k0();
    MaskedMoments { shift: Estimate { value: combined.first.value - limit, error: combined.first.error }, ..combined }
}

/// What is averaged over masks.
#[derive(Clone, Copy, Default)]
struct Sampled {
    k1: f64,
    k2: f64,
    /// The first moment times how far the mask's size is from its mean.
    with_size: f64,
    tangent: Option<OfTangent>,
}

/// What the tangent kernel needs besides.
#[derive(Clone, Copy, Default)]
struct OfTangent {
    j1: f64,
    j11: f64,
    j2: f64,
    first: f64,
    second: f64,
}

impl Sampled {
    /// `self + factor other`.
    fn plus(self, factor: f64, other: Self) -> Self {
        self.zip(other, |a, b| a + factor * b)
    }

    fn zip(self, other: Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        // The NNGP kernel needs three numbers only.
        let tangent = (self.tangent.is_some() || other.tangent.is_some()).then(|| {
            let (mine, its) = (self.tangent.unwrap_or_default(), other.tangent.unwrap_or_default());
            OfTangent {
                j1: combine(mine.j1, its.j1),
                j11: combine(mine.j11, its.j11),
                j2: combine(mine.j2, its.j2),
                first: combine(mine.first, its.first),
                second: combine(mine.second, its.second),
            }
        });
        Self {
            k1: combine(self.k1, other.k1),
            k2: combine(self.k2, other.k2),
            with_size: combine(self.with_size, other.with_size),
            tangent,
        }
    }
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

    /// An estimate of the part of the averages' variances that the masks drawn have missed, from the part of the
    /// variances of `q` and `q^2` that they missed; the size of a mask is at most the root of `with_size` from its
    /// mean.
    fn missed(&self, averages: &Averages, [of_norm, of_square]: [f64; 2], with_size: f64) -> Sampled {
        let missed = |exact: f64, squares: f64| (exact - squares / (self.count - 1.0)).max(0.0);
        averages.allowance(missed(of_norm, self.norm_squares[0]), missed(of_square, self.norm_squares[1]), with_size)
    }
}

impl Stratum {
    fn sample(&self, entries: &[Part], averages: &Averages, mean_size: f64, mut stream: Stream) -> Welford {
        let whole: f64 = self.weights.iter().sum();
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        let mut sums = Welford::default();
        for _ in 0..self.masks {
            let size = self.first_size + choose(&self.weights, stream.random::<f64>() * whole);
            // A partial Fisher-Yates shuffle is uniform from whatever order the last mask left.
            let mut part = Part::default();
            for chosen in 0..size {
                let other = chosen + below(&mut stream, entries.len() - chosen);
                order.swap(chosen, other);
                part.plus(&entries[order[chosen] as usize]);
            }
            sums.push(averages.of(&part, size as f64 - mean_size), averages.norm(&part.gram));
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
    use crate::network::Connectivity;
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
            let found = Sampling::new(32, 9).unwrap().of_pair(&pair, &p.into(), trial).unwrap();
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
