//! The arc-cosine moments `K_1` and `K_2`: kernels of a dense, infinitely wide ReLU layer.
//!
//! `K_l(x, y) = E_{w ~ N(0, I)} [ (w.x)^l (w.y)^l H(w.x) H(w.y) ]`, with `H` the step function (Cho & Saul, "Kernel
//! methods for deep learning", 2009). With `r = |x| |y|`, `cos t = x.y / r` and `phi = pi - t`:
//!
//! - `K_1 = (r   / 2 pi) (sin t + phi cos t)`
//! - `K_2 = (r^2 / 2 pi) (3 sin t cos t + phi (1 + 2 cos^2 t))`
//!
//! Both are evaluated to a few units in the last place of `r^l` at every angle. At `t -> 0` the angle itself is only
//! known to `sqrt(epsilon)`, but its error cancels to first order between the terms; at `t -> pi` the terms cancel,
//! and a series in `phi` takes over, so neither kernel is ever negative or NaN.

use std::f64::consts::PI;

use crate::gram::Gram;

/// `K_1` and `K_2` of one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArcCosine {
    /// `K_1(x, y)`, between 0 and `|x| |y| / 2`.
    pub k1: f64,
    /// `K_2(x, y)`, between 0 and `3 |x|^2 |y|^2 / 2`.
    pub k2: f64,
}

/// Below this `phi` the closed forms have cancelled two digits, and six terms of the series are exact to rounding.
const SERIES_BELOW: f64 = 0.25;

/// `K_1` and `K_2` of a Gram triple. Zero inputs have zero kernels.
///
/// ```
/// use sparsewidth::{arccos::arc_cosine, gram::Gram};
/// // Orthogonal unit vectors: K_1 = 1 / (2 pi), K_2 = 1 / 4.
/// let kernel = arc_cosine(Gram { a: 1.0, b: 1.0, c: 0.0 });
/// assert!((kernel.k1 - 0.5 / std::f64::consts::PI).abs() < 1e-15);
/// assert!((kernel.k2 - 0.25).abs() < 1e-15);
/// ```
#[inline]
pub fn arc_cosine(gram: Gram) -> ArcCosine {
    let scale = gram.scale();
    if scale == 0.0 {
        return ArcCosine::default();
    }
    let Angle { cosine, sine, phi } = Angle::of(gram);
    let (j1, j2) = if phi < SERIES_BELOW {
        series(phi)
    } else {
        (sine + phi * cosine, 3.0 * sine * cosine + phi * (1.0 + 2.0 * cosine * cosine))
    };
    ArcCosine { k1: scale * j1 / (2.0 * PI), k2: scale * scale * j2 / (2.0 * PI) }
}

/// The angle `t` between two inputs, through `cos t`, `sin t` and `phi = pi - t`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Angle {
    pub cosine: f64,
    pub sine: f64,
    pub phi: f64,
}

impl Angle {
    /// By `atan2`, which keeps `phi` accurate at both ends where an arc cosine would not.
    #[inline]
    pub fn of(gram: Gram) -> Self {
        let cosine = gram.cosine();
        let sine = ((1.0 - cosine) * (1.0 + cosine)).sqrt();
        Self { cosine, sine, phi: sine.atan2(-cosine) }
    }
}

/// `sin phi - phi cos phi` and `u - 3/2 sin u + u/2 cos u` (`u = 2 phi`) by their Taylor series
/// `sum_k (-1)^(k+1) 2k / (2k+1)! phi^(2k+1)` and `sum_k (-1)^k (k-1) / (2k+1)! u^(2k+1)`.
fn series(phi: f64) -> (f64, f64) {
    let p = phi * phi;
    let j1 =
        phi * p * (1.0 / 3.0 - p * (1.0 / 30.0 - p * (1.0 / 840.0 - p * (1.0 / 45_360.0 - p * (1.0 / 3_991_680.0)))));
    let u = 2.0 * phi;
    let w = u * u;
    let j2 = u
        * w
        * w
        * (1.0 / 120.0 - w * (1.0 / 2_520.0 - w * (1.0 / 120_960.0 - w * (1.0 / 9_979_200.0 - w / 1_245_404_160.0))));
    (j1, j2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_meets_the_closed_form() {
        for phi in [SERIES_BELOW, 0.2] {
            let (sine, cosine) = (phi.sin(), -phi.cos());
            let (j1, j2) = series(phi);
            assert!((j1 - (sine + phi * cosine)).abs() < 1e-15, "{phi}");
            assert!((j2 - (3.0 * sine * cosine + phi * (1.0 + 2.0 * cosine * cosine))).abs() < 1e-15, "{phi}");
        }
    }

    #[test]
    fn never_negative_near_antiparallel() {
        for exponent in 0..60 {
            let c = -1.0 + 0.5f64.powi(exponent);
            let kernel = arc_cosine(Gram { a: 1.0, b: 1.0, c });
            assert!(kernel.k1 >= 0.0 && kernel.k2 >= 0.0, "{c}: {kernel:?}");
        }
        // Rounding can leave |C| above sqrt(A B).
        let beyond = arc_cosine(Gram { a: 1.0, b: 1.0, c: -1.0 - 1e-15 });
        assert_eq!(beyond, ArcCosine { k1: 0.0, k2: 0.0 });
    }
}
