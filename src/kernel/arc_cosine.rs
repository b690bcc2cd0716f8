//! The arc-cosine moments `K_1` and `K_2`: kernels of a dense, infinitely wide ReLU layer.
//!
//! `K_l(x, y) = E_{w ~ N(0, I)} [ (w.x)^l (w.y)^l H(w.x) H(w.y) ]`, with `H` the step function. The arc-cosine kernels
//! of Cho & Saul ("Kernel methods for deep learning", 2009, Eq. 1) have a factor 2 before the expectation:
//! `k_l = 2 K_l`. With `r = |x| |y|`, `cos t = x.y / r` and `phi = pi - t`:
//!
//! - `K_1 = (r   / 2 pi) (sin t + phi cos t)`
//! - `K_2 = (r^2 / 2 pi) (3 sin t cos t + phi (1 + 2 cos^2 t))`
//!
//! Both are evaluated to a few units in the last place of `r^l` at every angle. At `t -> 0` the angle itself is only
//! known to `sqrt(epsilon)`, but its error cancels to first order between the terms; at `t -> pi` the terms cancel,
//! and a series in `phi` takes over, so neither kernel is ever negative or NaN.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use crate::kernel::gram::Gram;
use crate::numeric::simd::{fused, lane_sum};

/// `K_1` and `K_2` of one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArcCosine {
    /// `K_1(x, y)`, between 0 and `|x| |y| / 2`.
    pub k1: f64,
    /// `K_2(x, y)`, between 0 and `3 |x|^2 |y|^2 / 2`.
    pub k2: f64,
}

/// Below this `phi` the closed forms have cancelled two digits, and five terms of the series are exact to rounding.
const SERIES_BELOW: f64 = 0.25;

/// `K_1` and `K_2` of a Gram triple. Zero inputs have zero kernels.
///
/// ```
/// use sparsewidth::{kernel::arc_cosine::arc_cosine, kernel::gram::Gram};
/// // Orthogonal unit vectors: K_1 = 1 / (2 pi), K_2 = 1 / 4.
/// let kernel = arc_cosine(Gram { a: 1.0, b: 1.0, c: 0.0 });
/// assert!((kernel.k1 - 0.5 / std::f64::consts::PI).abs() < 1e-15);
/// assert!((kernel.k2 - 0.25).abs() < 1e-15);
/// ```
#[inline]
#[must_use]
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

    /// `K_0 = phi / 2 pi`, the probability that a Gaussian vector has positive products with both inputs. Where they
    /// are nearly parallel it is as accurate as the angle.
    #[inline]
    pub fn k0(self) -> f64 {
        self.phi / (2.0 * PI)
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

/// Gram triples with weights, laid out for sums of kernels over many of them.
pub(crate) struct Triples {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    weight: Vec<f64>,
}

/// Triples that are summed side by side.
const LANES: usize = 16;

impl Triples {
    pub fn new(triples: impl Iterator<Item = (Gram, f64)>) -> Self {
        let mut new = Self { a: vec![], b: vec![], c: vec![], weight: vec![] };
        triples.for_each(|(gram, weight)| new.push(gram, weight));
        while !new.weight.len().is_multiple_of(LANES) {
            new.push(Gram::default(), 0.0);
        }
        new
    }

    fn push(&mut self, Gram { a, b, c }: Gram, weight: f64) {
        self.a.push(a);
        self.b.push(b);
        self.c.push(c);
        self.weight.push(weight);
    }

    /// `sum_i weight_i K_l(triple_i + shift)`: as [`arc_cosine`] gives, but without branches and with our own arc
    /// tangent, so that the compiler can work on whole lanes. Absolute errors are a few units in the last place of
    /// `weight_i (|x| |y|)^l`; the last bits depend on whether the processor has fused multiply-adds.
    pub fn weighted_sum(&self, shift: Gram) -> ArcCosine {
        let (k1, k2) = weighted_sum(&self.a, &self.b, &self.c, &self.weight, shift);
        ArcCosine { k1: k1 / (2.0 * PI), k2: k2 / (2.0 * PI) }
    }
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn weighted_sum(a: &[f64], b: &[f64], c: &[f64], weight: &[f64], shift: Gram) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    let (mut sum_1, mut sum_2) = ([0.0; LANES], [0.0; LANES]);
    let chunks =
        a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).zip(c.chunks_exact(LANES)).zip(weight.chunks_exact(LANES));
    for (((a, b), c), weight) in chunks {
        for lane in 0..LANES {
            let (a, b, c) = (a[lane] + shift.a, b[lane] + shift.b, c[lane] + shift.c);
            let product = a * b;
            // |x| |y| sin t. Where it nearly cancels its error is large, but enters the kernels to second order only.
            let d = fused::<FUSED>(-c, c, product).max(0.0).sqrt();
            let phi = arc_tangent::<FUSED>(d, c);
            let k1 = fused::<FUSED>(c, phi, d).max(0.0);
            let k2 = fused::<FUSED>(3.0 * d, c, phi * fused::<FUSED>(2.0 * c, c, product)).max(0.0);
            sum_1[lane] = fused::<FUSED>(weight[lane], k1, sum_1[lane]);
            sum_2[lane] = fused::<FUSED>(weight[lane], k2, sum_2[lane]);
        }
    }
    (lane_sum(sum_1), lane_sum(sum_2))
}

/// `phi = pi - t` for `tan t = d / c`, `d >= 0`: reduced to an arc tangent of at most `tan(pi/8)` by symmetry about
/// `pi/4`, then a polynomial fitted to `atan(s)/s` in `s^2` (Chebyshev, 1.3e-18 from it).
#[inline(always)]
pub(crate) fn arc_tangent<const FUSED: bool>(d: f64, c: f64) -> f64 {
    const COEFFICIENTS: [f64; 12] = [
        -0.017_803_896_394_812_564,
        0.037_963_903_161_110_83,
        -0.050_350_497_953_124_39,
        0.058_468_667_522_751_39,
        -0.066_629_502_460_367_92,
        0.076_920_451_945_614_81,
        -0.090_908_968_014_728_13,
        0.111_111_107_446_570_99,
        -0.142_857_142_792_449_68,
        0.199_999_999_999_408_37,
        -0.333_333_333_333_331_2,
        1.0,
    ];
    const TAN_PI_8: f64 = 0.414_213_562_373_095_03;
    let m = c.abs();
    // The angle of the point (m, d): near 0, near pi/2, or around pi/4.
    let (above, base) = if d <= TAN_PI_8 * m {
        (d, 0.0)
    } else if m <= TAN_PI_8 * d {
        (-m, FRAC_PI_2)
    } else {
        (d - m, FRAC_PI_4)
    };
    let below = if d <= TAN_PI_8 * m {
        m
    } else if m <= TAN_PI_8 * d {
        d
    } else {
        d + m
    };
    let s = above / below.max(f64::MIN_POSITIVE);
    let u = s * s;
    let mut polynomial = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        polynomial = fused::<FUSED>(polynomial, u, *coefficient);
    }
    let angle = fused::<FUSED>(s, polynomial, base);
    if c < 0.0 { angle } else { PI - angle }
}

/// `sin t` and `phi = pi - t` for each `cos t` in `[-1, 1]`, to a few units in the last place of 1; all of one length.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub(crate) fn unit_angles(cosine: &[f64], sine: &mut [f64], phi: &mut [f64]) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    for ((cosine, sine), phi) in cosine.iter().zip(sine).zip(phi) {
        *sine = ((1.0 - cosine) * (1.0 + cosine)).sqrt();
        *phi = arc_tangent::<FUSED>(*sine, *cosine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_sums_agree_with_single_kernels() {
        // Angles all around, scales far apart, zero vectors; a shift; a length that is no multiple of the lanes.
        let grams: Vec<Gram> = (0..1001)
            .map(|i| {
                let (a, b) = (10f64.powi(i % 7 - 3), 10f64.powi(i % 5 - 2));
                let cosine = match i % 4 {
                    0 => (f64::from(i)).cos(),
                    1 => 1.0 - 0.5f64.powi(i % 50),
                    2 => 0.5f64.powi(i % 50) - 1.0,
                    _ => 0.0,
                };
                if i == 7 { Gram::default() } else { Gram { a, b, c: (a * b).sqrt() * cosine } }
            })
            .collect();
        for shift in [Gram::default(), Gram { a: 0.3, b: 0.2, c: -0.1 }] {
            let sum = Triples::new(grams.iter().map(|gram| (*gram, 0.5))).weighted_sum(shift);
            let mut expected = ArcCosine::default();
            let mut scale = ArcCosine::default();
            for gram in &grams {
                let gram = Gram { a: gram.a + shift.a, b: gram.b + shift.b, c: gram.c + shift.c };
                let kernel = arc_cosine(gram);
                expected.k1 += 0.5 * kernel.k1;
                expected.k2 += 0.5 * kernel.k2;
                scale.k1 += gram.scale();
                scale.k2 += gram.scale().powi(2);
                // One by one: a few units in the last place.
                let one = Triples::new(std::iter::once((gram, 1.0))).weighted_sum(Gram::default());
                assert!((one.k1 - kernel.k1).abs() <= 1e-15 * gram.scale(), "{gram:?}");
                assert!((one.k2 - kernel.k2).abs() <= 3e-15 * gram.scale().powi(2), "{gram:?}");
            }
            assert!((sum.k1 - expected.k1).abs() < 1e-14 * scale.k1 && (sum.k2 - expected.k2).abs() < 1e-14 * scale.k2);
        }
    }

    /// With fused multiply-adds and, as on processors without them, without.
    #[test]
    fn angles_are_those_of_the_standard_library() {
        for step in 0..=20_000 {
            let angle = PI * f64::from(step) / 20_000.0;
            for radius in [1e-150, 1.0, 1e150] {
                let (d, c) = (radius * angle.sin().max(0.0), radius * angle.cos());
                let expected = PI - d.atan2(c);
                for found in [arc_tangent::<false>(d, c), arc_tangent::<true>(d, c)] {
                    // Two units in the last place of pi.
                    assert!((found - expected).abs() <= 2.0 * f64::EPSILON * 2.0, "{d:e}, {c:e}: {found} {expected}");
                }
            }
        }
        assert_eq!([arc_tangent::<false>(0.0, 1.0), arc_tangent::<false>(0.0, -1.0)], [PI, 0.0]);
    }

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
