//! Eq. (4) of the paper, its diagonal form and its optimal connectivity, exactly as published.
//!
//! Golubeva, Neyshabur, Gur-Ari, "Are wider nets better given the same number of parameters?", ICLR 2021, arXiv
//! 2010.14495, Section 3 and Appendix F. The forms hold, by the paper's argument, for independent `x, y ~ N(0, I_d)`
//! and `d p >> 1`; they take no inputs, only `d`, `n` and `p`.
//!
//! They are here to be compared with Theorem 1, not to replace it. Two things are known to be off: the bias of Eq. (4)
//! gives every mask the same random sign, which cancels in the true average over masks, so for Gaussian inputs it is
//! larger than the exact bias by orders of magnitude (bias^2 3.7e-4 against 1.3e-8 at `d = 784`, `p = 0.1`, `n p = 8`);
//! and the diagonal form holds for masks with exactly `d p` entries per row, while Bernoulli masks fluctuate in size.
//! Use [`masked`](crate::kernel::masked) for the exact values.

use std::f64::consts::PI;

use crate::kernel::nngp::{Dimension, Distance, Width};
use crate::network::Connectivity;

/// Eq. (4), off the diagonal: `1/(4d) [ (1/4) (1/sqrt(p) - 1)^2 + (d/n) (1 - 1/pi^2) ]`.
///
/// `d` is the dimension and `n` the width. The first term is returned as the squared bias, the second,
/// times `n`, as the variance of one hidden unit.
///
/// ```
/// use sparsewidth::kernel::nngp::{Dimension, Width};
/// use sparsewidth::{kernel::eq_4, network::Connectivity};
/// // A dense network has no bias; its distance is the variance (1/4n)(1 - 1/pi^2).
/// let dense = eq_4::off_diagonal(Dimension::new(784)?, Width::new(8)?, Connectivity::new(1.0)?);
/// assert_eq!(dense.bias_squared, 0.0);
/// assert!((dense.total() - 0.0281).abs() < 1e-4);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[must_use]
pub fn off_diagonal(dimension: Dimension, width: Width, connectivity: Connectivity) -> Distance {
    let d = dimension.get() as f64;
    let above = 1.0 / connectivity.get().sqrt() - 1.0;
    Distance::of_parts(above * above / (16.0 * d), 0.25 * (1.0 - 1.0 / (PI * PI)), width)
}

/// The diagonal form, `x = y`: `(1/n) (5/4 + 3/(d p))`, all of it variance.
#[must_use]
pub fn diagonal(dimension: Dimension, width: Width, connectivity: Connectivity) -> Distance {
    Distance::of_parts(0.0, 1.25 + 3.0 / (dimension.get() as f64 * connectivity.get()), width)
}

/// The connectivity that minimises Eq. (4) at a fixed number `n p` of nonzero weights per input, as published:
/// `p* ~ sqrt(n p / (4 d))`. This holds to leading order in `sqrt(p)` and leaves out the factor `1 - 1/pi^2`: at
/// `d = 784`, `n p = 8` it is the connectivity of width 158, while Eq. (4) itself is least at 170.
///
/// `weights_per_input` is `n p`, positive. The result is not clamped: above 1 it says that the budget is beyond the
/// regime of the formula.
#[must_use]
pub fn optimal_connectivity(dimension: Dimension, weights_per_input: f64) -> f64 {
    (weights_per_input / (4.0 * dimension.get() as f64)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimension(d: usize) -> Dimension {
        Dimension::new(d).unwrap()
    }

    #[test]
    fn published_values() {
        // Evaluated by hand from the formula at d = 784, n p = 8.
        let at = |width: usize| {
            off_diagonal(dimension(784), Width::new(width).unwrap(), Connectivity::new(8.0 / width as f64).unwrap())
                .total()
        };
        for (width, expected) in [(8, 2.808e-2), (32, 7.10e-3), (128, 2.473e-3), (328, 3.01e-3), (635, 5.35e-3)] {
            assert!((at(width) / expected - 1.0).abs() < 5e-3, "{width}: {}", at(width));
        }
        let p = Connectivity::new(0.1).unwrap();
        assert!((diagonal(dimension(100), Width::new(10).unwrap(), p).total() - 0.155).abs() < 1e-15);
        assert!((optimal_connectivity(dimension(784), 8.0) - 0.050_507_6).abs() < 1e-6);
    }

    #[test]
    fn optimal_connectivity_is_near_the_minimum_of_eq_4() {
        // p* drops terms of relative order sqrt(p), so the true minimum lies within that of it.
        let np = 8.0;
        let distance = |p: f64| {
            let shift = 1.0 / p.sqrt() - 1.0;
            (shift * shift / 4.0 + 784.0 * p / np * (1.0 - 1.0 / (PI * PI))) / (4.0 * 784.0)
        };
        let best = (1..100_000).map(|i| i as f64 * 1e-5).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap();
        let published = optimal_connectivity(dimension(784), np);
        assert!((best / published - 1.0).abs() < published.sqrt(), "{best} against {published}");
    }
}
