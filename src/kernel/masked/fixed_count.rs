//! Masks of a fixed count: over each row, or over the whole layer.

use super::sampling::Sampling;
use super::tangent_sum::FineGram;
use super::{MaskedMoments, Method, ROUNDING, Row, RowMoments, TangentMoments, closed_form};
use crate::error::Result;
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::{Gram, Pair};
use crate::kernel::nngp::Width;
use crate::kernel::ntk::{InfiniteWidth, Tangent};
use crate::network::Connectivity;
use crate::numeric::counts::hypergeometric;
use crate::numeric::estimate::{Estimate, Uncertainty};

/// Up to this many entries, all masks are summed, size by size.
const MOST_ENTRIES: usize = 20;

/// Theorem 1 for masks that keep a fixed number of weights: in each row, or over the whole layer.
///
/// Given its size, such a mask is uniform over the masks of that size, as a Bernoulli mask is; so all that differs is
/// the law of the size. Among `m` of the `d` entries of a row (those where `x` and `y` are not both zero) the mask `s`
/// keeps a hypergeometric number `|s|`: of the `d` entries of a row `k = round(p d)` are kept for a constant fan-in,
/// and of the `n d` entries of a layer `round(p n d)` for an exact count over `n` rows. With `kappa_l(j)` the mean of
/// `K_l(x_s, y_s)` over the masks of size `j`,
///
/// `K~_l = sigma^(2l) E[kappa_l(|s|)]`,
///
/// `sigma^2 = d / k` for a constant fan-in and `1/p` for an exact count, as layers are drawn
/// ([`LayerSpec`](crate::network::LayerSpec)).
///
/// Rows of a constant fan-in are independent. Those of an exact count are not: the more weights one row has, the fewer
/// the others have, so that
///
/// `Var nngp = (K~_2 - K~_1^2 + (n - 1) Cov) / (n d^2)`,
///
/// with `Cov` the covariance of `sigma^2 kappa_1(|s|)` between two rows, negative where `kappa_1` grows with the size.
/// For the tangent kernel `kappa_1` is the mean of `K_1 + tau C K_0`, and `tau` is 1 or `1/sigma^2`.
///
/// Source: ours.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::gram::Pair;
/// use sparsewidth::kernel::masked::{FixedCount, RowMoments, Sampling};
/// use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
/// use sparsewidth::network::Connectivity;
/// let (x, y) = (array![1.0, 2.0, 0.5, -1.0], array![0.3, -1.0, 2.0, 0.4]);
/// let pair = Pair::new(x.view(), y.view())?;
/// // Two weights in each of 100 rows. So few entries are summed mask by mask; beyond twenty, masks are sampled.
/// let moments = FixedCount::per_row(Sampling::new(1_000, 0)?).moments(&pair, Connectivity::new(0.5)?)?;
/// let distance = theorem_1(&moments, Dimension::of(&pair), Width::new(100)?);
/// assert!(moments.covariance.value == 0.0 && distance.total() > 0.0);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FixedCount {
    /// The number of rows that share a count; none where each row has its own.
    rows: Option<usize>,
    sampling: Sampling,
}

impl FixedCount {
    /// A fixed number in each row, a constant fan-in; beyond 20 entries masks are sampled.
    #[must_use]
    pub fn per_row(sampling: Sampling) -> Self {
        Self { rows: None, sampling }
    }

    /// A fixed number over a layer of `width` rows, an exact count; beyond 20 entries masks are sampled.
    #[must_use]
    pub fn per_layer(width: Width, sampling: Sampling) -> Self {
        Self { rows: Some(width.get()), sampling }
    }

    /// Whether the counts of rows depend on each other.
    fn dependent_rows(self) -> bool {
        self.rows.is_some_and(|rows| rows > 1)
    }

    /// The number of entries that a count covers, a row's or the layer's, and how many of them are kept.
    fn kept(self, dimension: usize, connectivity: Connectivity) -> (f64, f64) {
        let entries = self.rows.map_or(dimension as f64, |rows| dimension as f64 * rows as f64);
        (entries, (connectivity.get() * entries).round())
    }

    /// The covariance between two rows of the part of the kernel that is linear in the size.
    fn linear_covariance(self, with_size: Estimate, filled: usize, entries: f64, kept: f64) -> Estimate {
        if !self.dependent_rows() || kept == entries {
            return Estimate::ZERO;
        }
        // The numbers of kept entries are hypergeometric. These are the variance in one row, and the covariance between
        // the same entries of two.
        let share = kept / entries;
        let m = filled as f64;
        let spread = share * (1.0 - share) / (entries - 1.0);
        let (of_one, between) = (m * spread * (entries - m), -m * m * spread);
        let slope_squared = between / (of_one * of_one);
        Estimate {
            // The square of a noisy mean is too large by the variance of that mean; `square` corrects for it.
            value: slope_squared * with_size.square(),
            error: with_size.error.scaled(2.0 * (slope_squared * with_size.value).abs()),
        }
    }
}

impl RowMoments for FixedCount {
    /// Sums over masks where at most 20 entries are not both zero; otherwise samples masks as [`Sampling`] does.
    ///
    /// Where masks are summed, the errors are bounds on rounding, relative to `|x| |y|`; for nearly opposite inputs,
    /// the moments are far smaller than that. The covariance between the rows of an exact count is then exact as well,
    /// up to rounding. Where masks are sampled, the covariance is that of the part of `kappa_1` that is linear in the
    /// size: `Cov(kappa_1, |s|)^2 / Var(|s|)^2` times the covariance of the sizes. For wide layers the rest is smaller
    /// by a factor of the width; it is not included in the error.
    fn of_pair(&self, pair: &Pair, row: &Row, index: u32) -> Result<MaskedMoments> {
        let connectivity = row.needs_uniform("a fixed count")?;
        let dimension = pair.dimension();
        let (entries, kept) = self.kept(dimension, connectivity);
        if kept < 1.0 {
            // The network is 0.
            let limit = InfiniteWidth::of(pair).get(row.get_kernel());
            let zero = Estimate::ZERO;
            let shift = Estimate::bounded(-limit, ROUNDING * pair.gram().scale());
            let nngp = MaskedMoments::nngp(zero, zero, shift, Method::ClosedForm, 0);
            let nothing = TangentMoments { j1: zero, j11: zero, j2: zero };
            return Ok(row.tangent().map_or(nngp, |_| nngp.with_tangent(nothing, row.kurtosis(), shift)));
        }
        let zero = pair.gram().a == 0.0 || pair.gram().b == 0.0;
        if connectivity.is_dense() || zero || (self.rows.is_none() && kept == entries) {
            let dense = Row::new(Connectivity::DENSE).kernel(row.get_kernel()).with_readout_of(row);
            return Ok(closed_form(pair, dense).expect("a dense layer has a closed form"));
        }
        // As layers are drawn, see `LayerSpec::sigma`.
        let variance = if self.rows.is_none() { entries / kept } else { 1.0 / connectivity.get() };
        let tau = match row.tangent() {
            Some(Tangent::Paper) => 1.0 / variance,
            _ => 1.0,
        };
        let filled = pair.x().iter().zip(pair.y()).filter(|(x, y)| **x != 0.0 || **y != 0.0).count();
        let sizes = hypergeometric(filled, entries, kept);
        if filled > MOST_ENTRIES {
            let (moments, with_size) = self.sampling.over_sizes(pair, row, index, |_| sizes.clone(), (variance, tau));
            return Ok(MaskedMoments {
                covariance: self.linear_covariance(with_size, filled, entries, kept),
                ..moments
            });
        }
        let kernels = by_size(pair, row.tangent().map(|_| tau));
        let moments = summed(pair, row, &kernels, &sizes, variance);
        let covariance = match self.dependent_rows() {
            true => covariance(&kernels, &sizes, entries, kept, variance),
            false => Estimate::ZERO,
        };
        Ok(MaskedMoments { covariance, ..moments })
    }
}

/// The means over the masks of one size: `K_1`, `K_2`, and for the tangent kernel `tau C K_0`, `tau C K_1`,
/// `tau^2 C^2 K_0`, else zeros.
type Means = [f64; 5];

/// What is known of the masks of one size.
#[derive(Clone, Copy, Debug, Default)]
struct OfSize {
    mean: Means,
    /// Bounds of their rounding.
    error: Means,
}

impl OfSize {
    /// `kappa_1`: the mean of a unit's share given its mask.
    fn first(&self) -> f64 {
        self.mean[0] + self.mean[2]
    }

    fn first_error(&self) -> f64 {
        self.error[0] + self.error[2]
    }
}

/// What is known of the masks of each size, by the sum over all masks; `tau` is that of the tangent kernel, where it is
/// asked for.
fn by_size(pair: &Pair, tau: Option<f64>) -> Vec<OfSize> {
    let filled = || pair.x().iter().zip(pair.y()).filter(|(x, y)| **x != 0.0 || **y != 0.0);
    let entries: Vec<Gram> = filled().map(|(x, y)| Gram { a: x * x, b: y * y, c: x * y }).collect();
    let fine: Vec<FineGram> = filled().map(|(x, y)| FineGram::of_entry(*x, *y, tau.unwrap_or_default())).collect();
    let m = entries.len();
    let mut sizes = vec![OfSize::default(); m + 1];
    let mut counts = vec![0.0; m + 1];
    for mask in 0u64..1 << m {
        let chosen = (0..m).filter(|j| mask >> j & 1 == 1);
        let terms = if tau.is_some() {
            chosen.fold(FineGram::default(), |sum, j| sum.plus(fine[j])).terms()
        } else {
            let mut gram = Gram::default();
            for entry in chosen.map(|j| &entries[j]) {
                gram.a += entry.a;
                gram.b += entry.b;
                gram.c += entry.c;
            }
            let kernel = arc_cosine(gram);
            [kernel.k1, kernel.k2, 0.0, 0.0, 0.0]
        };
        let size = mask.count_ones() as usize;
        sizes[size].mean.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        counts[size] += 1.0;
    }
    let gram = pair.gram();
    let fourths: [f64; 2] =
        [|gram: &Gram| gram.a * gram.a, |gram: &Gram| gram.b * gram.b].map(|fourth| entries.iter().map(fourth).sum());
    for (size, (OfSize { mean, error }, count)) in sizes.iter_mut().zip(counts).enumerate() {
        mean.iter_mut().for_each(|mean| *mean /= count);
        // The rounding of a kernel is relative to |x_s| |y_s|, which can be far above the kernel. By Cauchy-Schwarz the
        // mean of |x_s| |y_s| is at most sqrt(A B) times the share of masks that keep an entry. The mean of its square
        // is at most the root of the product of the means of |x_s|^4 and |y_s|^4, where `two` is the share of masks
        // that keep two given entries.
        let (j, m) = (size as f64, m as f64);
        let (one, two) = (j / m, j * (j - 1.0) / (m * (m - 1.0)).max(1.0));
        let square = |norm: f64, fourth: f64| two * (norm * norm - fourth).max(0.0) + one * fourth;
        let squares = square(gram.a, fourths[0]).sqrt() * square(gram.b, fourths[1]).sqrt();
        // The sum over masks adds up terms one after the other.
        let added = count * f64::EPSILON;
        let (first, second) = (ROUNDING * one * gram.scale(), ROUNDING * 1.5 * squares);
        // Those of the tangent kernel are not all positive: at most one half of |x_s| |y_s| or its square.
        let (of_first, of_second) = (added * 0.5 * one * gram.scale(), added * 0.5 * squares);
        *error = [
            first + added * mean[0],
            second + added * mean[1],
            first + of_first,
            second + of_second,
            second + of_second,
        ];
        if tau.is_none() {
            error[2..].fill(0.0);
        }
    }
    sizes
}

/// The relative rounding of a sum over the sizes of `m` entries: probabilities by up to `m` ratios of five operations
/// each, normalised, and the sum itself.
fn rounding_over_sizes(m: usize) -> f64 {
    10.0 * (m as f64 + 1.0) * f64::EPSILON
}

fn summed(pair: &Pair, row: &Row, kernels: &[OfSize], sizes: &[f64], variance: f64) -> MaskedMoments {
    let of_weights = rounding_over_sizes(sizes.len() - 1);
    let estimate = |unit: f64, average: usize| {
        let mean = |value: &dyn Fn(&OfSize) -> f64| {
            kernels.iter().zip(sizes).map(|(size, weight)| weight * value(size)).sum::<f64>()
        };
        let value = unit * mean(&|size| size.mean[average]);
        let magnitude = unit * mean(&|size| size.mean[average].abs());
        Estimate::bounded(value, unit * mean(&|size| size.error[average]) + of_weights * magnitude)
    };
    let [k1, j1] = [0, 2].map(|average| estimate(variance, average));
    let [k2, j11, j2] = [1, 3, 4].map(|average| estimate(variance * variance, average));
    let beside = ROUNDING * pair.gram().scale();
    let shift = |first: Estimate, limit: f64, beside: f64| Estimate {
        value: first.value - limit,
        error: first.error.combine(Uncertainty::bound(beside), |first, beside| first + beside),
    };
    let terms = kernels.len() as u64 + (1 << (kernels.len() - 1));
    let of_nngp = shift(k1, arc_cosine(pair.gram()).k1, beside);
    let nngp = MaskedMoments::nngp(k1, k2, of_nngp, Method::Enumerate, terms);
    if row.tangent().is_none() {
        return nngp;
    }
    let both = nngp.with_tangent(TangentMoments { j1, j11, j2 }, row.kurtosis(), of_nngp);
    MaskedMoments { shift: shift(both.first, InfiniteWidth::of(pair).ntk, 2.0 * beside), ..both }
}

/// The covariance of `sigma^2 kappa_1` between the same entries of two rows of a layer that keeps `kept` of its
/// `entries`; `variance` is `sigma^2`.
fn covariance(kernels: &[OfSize], sizes: &[f64], entries: f64, kept: f64, variance: f64) -> Estimate {
    let m = sizes.len() - 1;
    assert!(entries >= 2.0 * m as f64, "a layer of two rows has at least twice the entries of one");
    let of_weights = rounding_over_sizes(m);
    // A mean of `kappa_1` and a bound of its rounding.
    let mean = |sizes: &[f64]| {
        let sum =
            |value: fn(&OfSize) -> f64| kernels.iter().zip(sizes).map(|(of, weight)| weight * value(of)).sum::<f64>();
        let mean = sum(OfSize::first);
        (mean, sum(OfSize::first_error) + of_weights * sum(|of| of.first().abs()))
    };
    let (overall, error_overall) = mean(sizes);
    let (mut value, mut error) = (0.0, 0.0);
    for (size, weight) in sizes.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        // The second row's entries are among those that the first leaves.
        let (conditional, error_conditional) = mean(&hypergeometric(m, entries - m as f64, kept - size as f64));
        let above = kernels[size].first() - overall;
        let error_above = kernels[size].first_error() + error_overall + f64::EPSILON * above.abs();
        value += weight * above * conditional;
        error += weight * (error_above * (conditional.abs() + error_conditional) + above.abs() * error_conditional);
        error += of_weights * weight * (above * conditional).abs();
    }
    let unit = variance * variance;
    Estimate::bounded(unit * value, unit * error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::arc_cosine::ArcCosine;
    use crate::kernel::masked::Enumerate;
    use crate::kernel::nngp::{Dimension, theorem_1};
    use ndarray::{Array1, array};

    fn inputs(d: usize) -> (Array1<f64>, Array1<f64>) {
        let x = Array1::from_shape_fn(d, |j| ((j * j + 1) as f64).sin());
        let y = Array1::from_shape_fn(d, |j| ((3 * j + 2) as f64).cos());
        (x, y)
    }

    #[test]
    fn a_mixture_of_fixed_sizes_is_the_bernoulli_mean() {
        let (x, y) = inputs(9);
        let pair = Pair::new(x.view(), y.view()).unwrap();
        let (kernels, p) = (by_size(&pair, None), 0.3);
        let sizes = crate::numeric::counts::binomial(9, p);
        let mixed = summed(&pair, &Row::new(Connectivity::new(p).unwrap()), &kernels, &sizes, 1.0 / p);
        let exact = Enumerate::default().moments(&pair, Connectivity::new(p).unwrap()).unwrap();
        assert!((mixed.k1.value / exact.k1.value - 1.0).abs() < 1e-13);
        assert!((mixed.k2.value / exact.k2.value - 1.0).abs() < 1e-13);
    }

    #[test]
    fn sampled_masks_agree_with_their_sum() {
        // Beyond 20 entries by a pair whose entries are the same but for one of next to nothing; its sum has one entry
        // less.
        let (x, y) = inputs(20);
        let longer = |values: &Array1<f64>| Array1::from_iter(values.iter().copied().chain([1e-9]));
        let (long_x, long_y) = (longer(&x), longer(&y));
        let (x, y) = (
            ndarray::concatenate![ndarray::Axis(0), x, array![0.0]],
            ndarray::concatenate![ndarray::Axis(0), y, array![0.0]],
        );
        let (pair, long) = (Pair::new(x.view(), y.view()).unwrap(), Pair::new(long_x.view(), long_y.view()).unwrap());
        let p = Connectivity::new(0.25).unwrap();
        let sampling = Sampling::new(400_000, 5).unwrap();
        let width = Width::new(40).unwrap();
        for family in [FixedCount::per_row(sampling), FixedCount::per_layer(width, sampling)] {
            let distance =
                |pair: &Pair| theorem_1(&family.moments(pair, p).unwrap(), Dimension::new(21).unwrap(), width);
            let (exact, sampled) = (distance(&pair), distance(&long));
            let (bound, error) = (exact.error.proven().unwrap(), sampled.error.standard_error());
            // Five standard errors; what the linear covariance leaves out is 1/n of the little that is not linear.
            let difference = (sampled.total() - exact.total()).abs();
            assert!(
                difference < 5.0 * error + bound + 1e-3 * exact.total() / 40.0,
                "{family:?}: {difference:e} {error:e}"
            );
            assert!(error < 0.02 * exact.total(), "{error:e} of {:e}", exact.total());
        }
    }

    #[test]
    fn rows_of_an_exact_count_covary_as_over_all_layers() {
        // Every way to keep 5 of 3 x 4 entries, p = 0.43: the mean of nngp and of its square, given the masks.
        let (x, y) = inputs(4);
        let (x, y) = (x * array![1.0, 1.0, 1.0, 0.0], y * array![1.0, 1.0, 1.0, 0.0]);
        let pair = Pair::new(x.view(), y.view()).unwrap();
        let (p, rows, d) = (0.43, 3, 4);
        let kernel = |mask: u32| {
            let kept = |j: usize| f64::from(mask >> j & 1);
            let sum = |entry: &dyn Fn(usize) -> f64| (0..d).map(|j| kept(j) * entry(j)).sum::<f64>();
            arc_cosine(Gram { a: sum(&|j| x[j] * x[j]), b: sum(&|j| y[j] * y[j]), c: sum(&|j| x[j] * y[j]) })
        };
        let limit = arc_cosine(pair.gram()).k1;
        let (mut count, mut squares) = (0.0, 0.0);
        for layer in (0u32..1 << 12).filter(|layer| layer.count_ones() == 5) {
            let of_rows: Vec<ArcCosine> = (0..rows).map(|row| kernel(layer >> (4 * row) & 15)).collect();
            let first: f64 = of_rows.iter().map(|kernel| kernel.k1 / p).sum();
            let second: f64 = of_rows.iter().map(|kernel| kernel.k2 / (p * p)).sum();
            let alone: f64 = of_rows.iter().map(|kernel| (kernel.k1 / p).powi(2)).sum();
            // E nngp^2: products of different rows, whose weights are independent, and second moments of each.
            let square = (first * first - alone + second) / 9.0;
            squares += square - 2.0 * limit * first / 3.0 + limit * limit;
            count += 1.0;
        }
        let width = Width::new(rows).unwrap();
        let family = FixedCount::per_layer(width, Sampling::new(100, 0).unwrap());
        let moments = family.moments(&pair, Connectivity::new(p).unwrap()).unwrap();
        let distance = theorem_1(&moments, Dimension::of(&pair), width);
        let expected = squares / count / (d * d) as f64;
        assert!((distance.total() / expected - 1.0).abs() < 1e-12, "{} {expected}", distance.total());
        assert!(moments.covariance.value < -1e-3 * moments.k1.value.powi(2), "a covariance that matters");
    }

    #[test]
    fn layers_without_weights_and_dense_ones_are_known() {
        let (x, y) = inputs(5);
        let pair = Pair::new(x.view(), y.view()).unwrap();
        let sampling = Sampling::new(100, 0).unwrap();
        let found = |p| FixedCount::per_row(sampling).moments(&pair, Connectivity::new(p).unwrap()).unwrap();
        assert_eq!(found(1.0).shift.value, 0.0);
        let none = found(0.01);
        // The bias is rounded, so that the distance is not known exactly.
        let distance = theorem_1(&none, Dimension::of(&pair), Width::new(3).unwrap());
        assert!(distance.error.proven().unwrap() > 0.0);
        assert_eq!((none.k1.value, none.k2.value, none.shift.value), (0.0, 0.0, -arc_cosine(pair.gram()).k1));
    }
}
