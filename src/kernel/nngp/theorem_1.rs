//! Theorem 1: the distance of one pair from its masked moments, and of many at once.

use ndarray::Array2;
use rayon::prelude::*;

use super::{Dimension, Width, infinite_width_kernel};
use crate::data::PreparedInputs;
use crate::error::{Error, Result, Setting};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::Pair;
use crate::kernel::masked::{MaskedMoments, Quadrature, Row, RowMoments, Sampling, for_masks};
use crate::kernel::matrix::KernelMatrix;
use crate::kernel::ntk::Kernel;
use crate::network::{Connectivity, MaskFamily, WeightDistribution};
use crate::numeric::estimate::Uncertainty;

/// A mean squared distance in its two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Distance {
    /// `((K~_1 - K_1) / d)^2`: the part that does not shrink with the width. An unbiased estimate of it can be
    /// negative.
    pub bias_squared: f64,
    /// `(K~_2 - K~_1^2 + (n - 1) Cov) / d^2`: the width times the variance of the kernel. `Cov`, the covariance between
    /// rows, is 0 where rows are independent.
    pub variance: f64,
    /// The width `n`.
    pub width: Width,
    /// The error of the total.
    pub error: Uncertainty,
}

impl Distance {
    /// A distance from its two parts, with an unknown error.
    pub(crate) fn of_parts(bias_squared: f64, variance: f64, width: Width) -> Self {
        Self { bias_squared, variance, width, error: Uncertainty::UNKNOWN }
    }

    /// `E[(nngp - nngp_inf)^2] = bias^2 + variance / n`.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.bias_squared + self.variance / self.width.0 as f64
    }
}

/// Theorem 1 for one pair of inputs: the distance from its masked moments.
///
/// Where rows are not independent, the variance is `(K~_2 - K~_1^2 + (n - 1) Cov) / d^2`, with `Cov` the covariance
/// between two rows. Where the moments have standard errors `s`, `s^2` is subtracted from their squares, so that the
/// distance is unbiased. The error of the total is `|d total / d K~_1| s_1 + |d total / d K~_2| s_2`, whatever the
/// correlation of the two moments. It is of first order in standard errors; for bounds and error estimates, which are
/// kept separate from standard errors, it includes the squares of `s_1`.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::gram::Pair;
/// use sparsewidth::kernel::masked::{Enumerate, RowMoments};
/// use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
/// use sparsewidth::network::Connectivity;
/// let (x, y) = (array![1.0, 2.0], array![2.0, -1.0]);
/// let pair = Pair::new(x.view(), y.view())?;
/// let moments = Enumerate::default().moments(&pair, Connectivity::new(0.5)?)?;
/// let distance = theorem_1(&moments, Dimension::of(&pair), Width::new(4)?);
/// assert!(distance.total() > distance.bias_squared);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[must_use]
pub fn theorem_1(moments: &MaskedMoments, dimension: Dimension, width: Width) -> Distance {
    let (d2, n) = ((dimension.0 as f64).powi(2), width.0 as f64);
    let MaskedMoments { shift, first, second, covariance, .. } = *moments;
    let (k1, k2) = (first, second);
    let others = (n - 1.0) / d2;
    let bias_squared = shift.square() / d2;
    let variance = (k2.value - k1.square()) / d2 + others * covariance.value;
    let slope_1 = 2.0 * (shift.value - k1.value / n).abs() / d2;
    let slope_2 = 1.0 / (d2 * n);
    // A bound includes the squares of the error of K~_1, from bias^2 and from the variance. In an unbiased estimate
    // these are corrected for.
    let square = (1.0 + 1.0 / n) / d2;
    let systematic = |s1: f64, s2: f64| (slope_1 + square * s1) * s1 + slope_2 * s2;
    let error = k1.error.combine_parts(k2.error, systematic, |s1, s2| slope_1 * s1 + slope_2 * s2);
    // The bias has a rounding error from `K_1` as well. (An unknown error of `K~_1` makes that of the total unknown by
    // itself.)
    let alone = k1.error.systematic().magnitude().unwrap_or(0.0);
    let beyond = |error: f64, s: f64| {
        let beyond = (s - alone).max(0.0);
        error + (2.0 * shift.value.abs() + s + alone) * beyond / d2
    };
    let error = error.combine_parts(shift.error, beyond, |error, _| error);
    let error = error.combine(covariance.error, |total, error| total + others / n * error);
    Distance { bias_squared, variance, width, error }
}

/// The error of `(K~_1 - K_1)^2`, which is `d^2` times that of bias^2.
#[must_use]
pub fn bias_error(moments: &MaskedMoments) -> Uncertainty {
    moments.shift.error_of_square()
}

/// The error of `K~_2 - K~_1^2 + (n - 1) Cov`, which is `d^2` times that of the variance of one unit.
#[must_use]
pub fn variance_error(moments: &MaskedMoments, width: Width) -> Uncertainty {
    let others = width.0 as f64 - 1.0;
    let own = moments.first.error_of_square().combine(moments.second.error, |first, second| first + second);
    own.combine(moments.covariance.error, |own, error| own + others * error)
}

/// Theorem 1 for many pairs at once: distances and kernels of sparse networks to a tolerance, in parallel, each with
/// its error.
///
/// The masked moments are found by [`for_masks`]: for Bernoulli masks by [`Auto`](crate::kernel::masked::Auto), which
/// takes the closed form, a sum over at most 2^20 masks (inputs of up to 20 different entries), or the quadrature, some
/// milliseconds a pair. Settings out of their ranges are errors of the methods that compute.
///
/// Results are the same for any number of threads. The work runs on rayon's ambient pool.
///
/// ```
/// use sparsewidth::{Connectivity, PreparedInputs, Theorem1, Width};
/// # let x = ndarray::Array2::from_shape_fn((20, 30), |(i, j)| ((3 * i + 7 * j) as f64).sin());
/// let inputs = PreparedInputs::from_rows(x.view())?;
/// let pairs = inputs.random_pairs(100, 0)?;
/// let theorem = Theorem1::new(Connectivity::new(0.2)?).tolerance(1e-4);
/// let distances = theorem.distances(&inputs, &pairs, Width::new(128)?)?;
/// assert!(distances.len() == 100 && distances.iter().all(|distance| distance.total() > 0.0));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Theorem1 {
    connectivity: Connectivity,
    mask: MaskFamily,
    kernel: Kernel,
    readout: WeightDistribution,
    tolerance: f64,
    masks: usize,
    seed: u64,
}

impl Theorem1 {
    /// Bernoulli masks of a given connectivity. Moments have a relative error of 1e-6, or come from 10,000 sampled
    /// masks where that is out of reach.
    #[must_use]
    pub fn new(connectivity: Connectivity) -> Self {
        Self {
            connectivity,
            mask: MaskFamily::Bernoulli,
            kernel: Kernel::Nngp,
            readout: WeightDistribution::Gaussian,
            tolerance: 1e-6,
            masks: 10_000,
            seed: 0,
        }
    }

    /// Masks of another family.
    #[must_use]
    pub fn mask(self, mask: MaskFamily) -> Self {
        Self { mask, ..self }
    }

    /// The distances and matrices of another kernel; the NNGP kernel where nothing is said.
    #[must_use]
    pub fn kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Readout weights of another distribution, whose kurtosis the variance of the tangent kernel depends on; Gaussian
    /// where nothing is said.
    #[must_use]
    pub fn readout(self, readout: WeightDistribution) -> Self {
        Self { readout, ..self }
    }

    /// The relative error of the masked moments, between 0 and 1.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Masks per pair where masks are sampled, at least 32.
    #[must_use]
    pub fn masks(self, masks: usize) -> Self {
        Self { masks, ..self }
    }

    /// The seed of sampled masks.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    fn row(&self) -> Row<'static> {
        Row::new(self.connectivity).kernel(self.kernel).readout(self.readout)
    }

    /// The method for rows of this family.
    fn method(&self, width: Width) -> Result<Box<dyn RowMoments>> {
        let (quadrature, sampling) = (Quadrature::new(self.tolerance)?, Sampling::new(self.masks, self.seed)?);
        Ok(for_masks(self.mask, width, quadrature, sampling))
    }

    /// The distances of pairs of rows of some inputs, in their order.
    ///
    /// # Errors
    /// Where a row number is too large, or a setting is out of its range.
    pub fn distances(&self, inputs: &PreparedInputs, pairs: &[(usize, usize)], width: Width) -> Result<Vec<Distance>> {
        let moments = self.method(width)?.of_pairs(&inputs.pairs(pairs)?, &self.row())?;
        Ok(moments.iter().map(|moments| theorem_1(moments, inputs.dimension(), width)).collect())
    }

    /// The expected kernel, `E[nngp] = K~_1 / d` or `E[ntk] = (K~_1 + tau J~_1) / d`, of every row of `x` with every
    /// row of `y`, or with every row of `x` where there is no `y`; that of infinite width at connectivity 1. Returns a
    /// matrix of shape `(samples of x, samples of y)`, and the largest error of an entry, none where it is unknown.
    /// Only for masks whose rows are independent: Bernoulli masks, or a constant fan-in.
    ///
    /// # Errors
    /// Where rows are not independent, the dimensions differ, a setting is out of its range, or the matrix has more
    /// than 2^32 entries.
    pub fn kernel_matrix(&self, x: &PreparedInputs, y: Option<&PreparedInputs>) -> Result<(Array2<f64>, Option<f64>)> {
        KernelMatrix::theorem_1(x, y, self)?.to_array_with_error(&|_| {})
    }

    /// The method and the row of a matrix of expected kernels.
    pub(crate) fn of_matrix(&self) -> Result<(Box<dyn RowMoments>, Row<'static>)> {
        if !self.mask.has_independent_rows() {
            let problem = "the kernel of these masks depends on the width, which a matrix does not have";
            let remedy = "use Bernoulli masks or a constant fan-in";
            return Err(Error::value("mask", self.mask.title(), problem, remedy).about(Setting::MaskFamily));
        }
        Ok((self.method(Width(1))?, self.row()))
    }

    /// The infinite-width NNGP kernel `K_1 / d` of pairs of rows, in their order.
    ///
    /// # Errors
    /// Where a row number is too large.
    pub fn limits(inputs: &PreparedInputs, pairs: &[(usize, usize)]) -> Result<Vec<f64>> {
        let dimension = inputs.dimension();
        let limit = |pair: &Pair| infinite_width_kernel(arc_cosine(pair.gram()).k1, dimension);
        Ok(inputs.pairs(pairs)?.par_iter().map(limit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::masked::Method;
    use crate::numeric::estimate::Estimate;
    use strum::VariantArray;

    #[test]
    fn a_matrix_of_masks_that_depend_on_the_width_is_refused() {
        let x = PreparedInputs::new(ndarray::array![[1.0, 2.0], [0.5, -1.0]]).unwrap();
        let connectivity = Connectivity::new(0.5).unwrap();
        for mask in MaskFamily::VARIANTS {
            let found = Theorem1::new(connectivity).mask(*mask).kernel_matrix(&x, None);
            match mask {
                MaskFamily::ExactCount => {
                    let message = found.unwrap_err().to_string();
                    assert!(message.contains("depends on the width"), "{message}");
                }
                _ => assert!(found.is_ok()),
            }
        }
    }

    #[test]
    fn noise_of_an_estimate_is_taken_out_of_its_squares() {
        let estimate = |value| Estimate { value, error: Uncertainty::standard(0.5) };
        let moments = MaskedMoments::nngp(estimate(2.0), estimate(9.0), estimate(1.0), Method::Sampling, 0);
        let distance = theorem_1(&moments, Dimension(1), Width(2));
        assert_eq!(distance.bias_squared, 0.75);
        assert_eq!(distance.variance, 5.25);
        assert_eq!(distance.total(), 0.75 + 2.625);
        // |2 (1 - 2/2)| 0.5 + (1/2) 0.5
        assert_eq!(distance.error, Uncertainty::standard(0.25));
    }

    #[test]
    fn a_bound_holds_where_the_bias_is_below_it() {
        // True moments 1 and 5 with K_1 = 1; found 1 + e and 5 - e, so a shift of e where there is none.
        let e = 0.1;
        let estimate = |value| Estimate::bounded(value, e);
        let moments = |found: f64, second: f64| {
            let shift = estimate(found - 1.0);
            MaskedMoments::nngp(estimate(found), estimate(second), shift, Method::Quadrature, 0)
        };
        let truth = theorem_1(&moments(1.0, 5.0), Dimension(1), Width(3));
        for (found, second) in [(1.0 + e, 5.0 - e), (1.0 - e, 5.0 + e), (1.0, 5.0)] {
            let distance = theorem_1(&moments(found, second), Dimension(1), Width(3));
            let bound = distance.error.magnitude().unwrap();
            assert!((distance.total() - truth.total()).abs() <= bound, "{found} {second}: {distance:?}");
            let of_bias = estimate(found - 1.0).error_of_square().magnitude().unwrap();
            assert!(of_bias >= e * e - 1e-15 && (found - 1.0).powi(2) <= of_bias + 1e-15);
        }
    }

    #[test]
    fn a_kernel_matrix_holds_the_pairs_one_by_one() {
        let x = Array2::from_shape_fn((5, 7), |(i, j)| ((2 * i + 5 * j) as f64).cos());
        let (first, last) = x.view().split_at(ndarray::Axis(0), 3);
        let inputs = [x.view(), first, last].map(|rows| PreparedInputs::from_rows(rows).unwrap());
        let p = Connectivity::new(0.4).unwrap();
        let (whole, error) = Theorem1::new(p).kernel_matrix(&inputs[0], None).unwrap();
        let (part, _) = Theorem1::new(p).kernel_matrix(&inputs[1], Some(&inputs[2])).unwrap();
        assert_eq!(whole.slice(ndarray::s![..3, 3..]), part);
        let moments = crate::kernel::masked::Enumerate::default();
        for ((i, j), value) in whole.indexed_iter() {
            let pair = Pair::new(x.row(i), x.row(j)).unwrap();
            let expected = moments.moments(&pair, p).unwrap().k1.value / 7.0;
            assert!((value - expected).abs() <= error.unwrap() + 1e-15, "{i} {j}");
            // The diagonal in closed form: |x|^2 / 2 d, whatever the mask.
            assert!(i != j || (value - pair.gram().a / 14.0).abs() < 1e-14);
        }
        assert!(Theorem1::new(p).tolerance(2.0).kernel_matrix(&inputs[0], None).is_err());
    }

    #[test]
    fn distances_of_many_pairs_are_those_of_each() {
        let x = Array2::from_shape_fn((6, 40), |(i, j)| ((3 * i + 7 * j) as f64).sin());
        let inputs = PreparedInputs::from_rows(x.view()).unwrap();
        let (p, width) = (Connectivity::new(0.3).unwrap(), Width(20));
        let pairs = inputs.random_pairs(100, 0).unwrap();
        assert_eq!(pairs.len(), 15);
        let found = Theorem1::new(p).distances(&inputs, &pairs, width).unwrap();
        for ((i, j), found) in pairs.iter().zip(&found) {
            let pair = Pair::new(x.row(*i), x.row(*j)).unwrap();
            let moments = Quadrature::new(1e-6).unwrap().moments(&pair, p).unwrap();
            assert_eq!(*found, theorem_1(&moments, Dimension::of(&pair), width));
        }
        assert!(Theorem1::new(p).distances(&inputs, &[(0, 6)], width).is_err());
        assert!(Width::new(0).is_err() && Dimension::new(0).is_err());
    }
}
