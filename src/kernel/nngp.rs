//! Theorem 1: the mean squared distance between the kernel of a sparse, finite network and the infinite-width kernel.
//!
//! The network is `f(x) = (n d)^(-1/2) v^T [u x]_+`, with `u` in `R^(n x d)`; each entry of `u` is `N(0, 1/p)` with
//! probability `p` and 0 otherwise. Its Gaussian-process kernel is
//! `Theta(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+`, a random number; that of the dense network of infinite width is
//! `Theta_inf = K_1 / d`. Theorem 1 of the paper (arXiv 2010.14495, Section 3) is exact at every `n`, `d`, `p`:
//!
//! `E[(Theta - Theta_inf)^2] = (K~_1 - K_1)^2 / d^2  +  (K~_2 - K~_1^2) / (d^2 n)`
//!
//! that is, bias^2 + variance / n, with the masked moments `K~_l` of [`masked`](crate::kernel::masked).

use crate::kernel::masked::{Estimate, MaskedMoments, Uncertainty};

/// The infinite-width kernel `Theta_inf = K_1 / d` at input dimension `dimension`.
pub fn infinite_width_kernel(k1: f64, dimension: usize) -> f64 {
    k1 / dimension as f64
}

/// A mean squared distance in its two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// `((K~_1 - K_1) / d)^2`: what no width removes. An unbiased estimate of it can come out negative.
    pub bias_squared: f64,
    /// `(K~_2 - K~_1^2) / d^2`: the variance of one hidden unit's share, before the division by the width.
    pub variance: f64,
    /// The width `n`, at least 1.
    pub width: usize,
}

impl Distance {
    /// `E[(Theta - Theta_inf)^2] = bias^2 + variance / n`.
    pub fn total(&self) -> f64 {
        self.bias_squared + self.variance / self.width as f64
    }
}

/// Theorem 1 for one pair of inputs: the distance from its masked moments, with the uncertainty of its total.
///
/// `dimension` is `d`, `width` is `n`. Where the moments are estimates with a standard error `s`, their squares are
/// corrected by `-s^2`, so that the distance is unbiased. The uncertainty of the total is
/// `|d total / d K~_1| s_1 + |d total / d K~_2| s_2`, an upper bound whatever the correlation of the two; of first order where
/// the moments have standard errors, with the squares of `s_1` as well where they have bounds or error estimates.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::{network::Connectivity, kernel::gram::Pair, kernel::masked, kernel::nngp::theorem_1};
/// let (x, y) = (array![1.0, 2.0], array![2.0, -1.0]);
/// let pair = Pair::new(x.view(), y.view())?;
/// let moments = masked::Enumerate::default().moments(&pair, Connectivity::new(0.5)?)?;
/// # use sparsewidth::kernel::masked::MaskedKernel;
/// let (distance, _) = theorem_1(&moments, pair.dimension(), 4);
/// assert!(distance.total() > distance.bias_squared);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn theorem_1(moments: &MaskedMoments, dimension: usize, width: usize) -> (Distance, Uncertainty) {
    let (d2, n) = ((dimension as f64).powi(2), width as f64);
    let (shift, k1, k2) = (moments.shift, moments.k1, moments.k2);
    let square = |estimate: Estimate| match estimate.error {
        Uncertainty::StandardError(s) => estimate.value * estimate.value - s * s,
        _ => estimate.value * estimate.value,
    };
    let distance = Distance { bias_squared: square(shift) / d2, variance: (k2.value - square(k1)) / d2, width };
    let slope_1 = 2.0 * (shift.value - k1.value / n).abs() / d2;
    let slope_2 = 1.0 / (d2 * n);
    // The squares of the error of K~_1, in bias^2 and in the variance, count in a bound; they are not in an unbiased estimate.
    let square = if let Uncertainty::StandardError(_) = k1.error { 0.0 } else { (1.0 + 1.0 / n) / d2 };
    let error = k1.error.combine(k2.error, |s1, s2| (slope_1 + square * s1) * s1 + slope_2 * s2);
    // The bias rounds with `K_1` as well.
    let alone = k1.error.size().unwrap_or(0.0);
    let error = error.combine(shift.error, |error, s| {
        let beyond = (s - alone).max(0.0);
        error + (2.0 * shift.value.abs() + s + alone) * beyond / d2
    });
    (distance, error)
}

/// Theorem 1 for rows that are alike but not independent. `covariance` is that between two rows `i` and `k`, of `[u_i.x]_+ [u_i.y]_+`
/// and `[u_k.x]_+ [u_k.y]_+`; the variance is then `(K~_2 - K~_1^2 + (n - 1) covariance) / d^2`. `dimension` is `d` and `width` is
/// `n`. See [`FixedCount`](crate::kernel::masked::FixedCount) and [`bottleneck`](crate::kernel::bottleneck).
pub fn theorem_1_with_row_covariance(
    moments: &MaskedMoments,
    covariance: Estimate,
    dimension: usize,
    width: usize,
) -> (Distance, Uncertainty) {
    let (mut distance, error) = theorem_1(moments, dimension, width);
    let others = (width as f64 - 1.0) / (dimension as f64).powi(2);
    distance.variance += others * covariance.value;
    let error = error.combine(covariance.error, |total, error| total + others / width as f64 * error);
    (distance, error)
}

/// The error of the square of an estimate: with the square of a bound, to first order for a standard error.
pub(crate) fn error_of_square(estimate: Estimate) -> Uncertainty {
    let slope = 2.0 * estimate.value.abs();
    match estimate.error {
        Uncertainty::Bound(bound) => Uncertainty::Bound((slope + bound) * bound),
        Uncertainty::ErrorEstimate(error) => Uncertainty::ErrorEstimate((slope + error) * error),
        Uncertainty::StandardError(error) => Uncertainty::StandardError(slope * error),
        Uncertainty::Unknown => Uncertainty::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::masked::Method;

    #[test]
    fn noise_of_an_estimate_is_taken_out_of_its_squares() {
        let estimate = |value| Estimate { value, error: Uncertainty::StandardError(0.5) };
        let moments = MaskedMoments {
            k1: estimate(2.0),
            k2: estimate(9.0),
            shift: estimate(1.0),
            method: Method::Sampling,
            terms: 0,
        };
        let (distance, error) = theorem_1(&moments, 1, 2);
        assert_eq!(distance.bias_squared, 0.75);
        assert_eq!(distance.variance, 5.25);
        assert_eq!(distance.total(), 0.75 + 2.625);
        // |2 (1 - 2/2)| 0.5 + (1/2) 0.5
        assert_eq!(error, Uncertainty::StandardError(0.25));
    }

    #[test]
    fn a_bound_holds_where_the_bias_is_below_it() {
        // True moments 1 and 5 with K_1 = 1; found 1 + e and 5 - e, so a shift of e where there is none.
        let e = 0.1;
        let estimate = |value| Estimate { value, error: Uncertainty::Bound(e) };
        let moments = |found: f64, second: f64| MaskedMoments {
            k1: estimate(found),
            k2: estimate(second),
            shift: estimate(found - 1.0),
            method: Method::Quadrature,
            terms: 0,
        };
        let (truth, _) = theorem_1(&moments(1.0, 5.0), 1, 3);
        for (found, second) in [(1.0 + e, 5.0 - e), (1.0 - e, 5.0 + e), (1.0, 5.0)] {
            let (distance, error) = theorem_1(&moments(found, second), 1, 3);
            let bound = error.size().unwrap();
            assert!((distance.total() - truth.total()).abs() <= bound, "{found} {second}: {distance:?} {error:?}");
            let of_bias = error_of_square(estimate(found - 1.0)).size().unwrap();
            assert!(of_bias >= e * e - 1e-15 && (found - 1.0).powi(2) <= of_bias + 1e-15);
        }
    }
}
