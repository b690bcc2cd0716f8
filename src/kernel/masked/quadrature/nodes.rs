//! The inner loops over entries: Laplace transforms at one node after the other.

use std::f64::consts::SQRT_2;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::cumulants::ORDER;
use super::frame::LANES;
use crate::numeric::simd::{fused, halves, lane_sum};

/// The largest `w` for which `1 - exp(-w)` is computed by its series.
const SERIES_UP_TO: f64 = 1.0 / 16.0;

/// The power sums take fewer lanes, so that all of them stay in registers.
const NARROW: usize = 4;
/// Entries are combined in pairs before they enter a product, so that its lanes stay in registers too, and it is half
/// as long.
const HALF: usize = LANES / 2;

/// Doublings from where `1 - exp(-w)` has a short series up to `w = largest`.
pub fn doublings(largest: f64) -> usize {
    (largest / SERIES_UP_TO).log2().ceil().max(0.0) as usize
}

/// Writes `1 - exp(-lambda z^2)` at the first node and half an octave above, from the `lambda` of the series by
/// doublings. `powers[n - 1]` receives the sum of `z^(2n)`; there are at most [`ORDER`], or none.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn begin(
    (xi, eta): (&[f64], &[f64]),
    (cosine, sine): (f64, f64),
    (start, doublings): (f64, usize),
    [first, second]: [&mut [f64]; 2],
    powers: &mut [f64],
) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    let mut lanes = [[0.0; NARROW]; ORDER];
    let rows = xi.as_chunks::<HALF>().0.iter().zip(eta.as_chunks::<HALF>().0);
    for ((xi, eta), (first, second)) in rows.zip(first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0)) {
        let mut square = [0.0; HALF];
        for lane in 0..HALF {
            let z = fused::<FUSED>(xi[lane], cosine, eta[lane] * sine);
            square[lane] = z * z;
        }
        if !powers.is_empty() {
            for square in square.as_chunks::<NARROW>().0 {
                let mut power = *square;
                for total in &mut lanes {
                    for lane in 0..NARROW {
                        total[lane] += power[lane];
                        power[lane] *= square[lane];
                    }
                }
            }
        }
        for (to, start) in [(first, start), (second, start * SQRT_2)] {
            let mut v = square;
            one_minus_exp::<FUSED>(start, &mut v);
            for _ in 0..doublings {
                for v in &mut v {
                    *v *= 2.0 - *v;
                }
            }
            *to = v;
        }
    }
    powers.iter_mut().zip(lanes).for_each(|(power, lanes)| *power = lane_sum(lanes));
}

/// From `v = 1 - exp(-w)`: the product of `1 - p v`, minus 1, and the sum of `v`. Then doubles `w`.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn low_node(values: &mut [f64], p: f64) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let (mut product, mut sum) = ([0.0; HALF], [0.0; HALF]);
    for v in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..HALF {
            let (a, b) = (v[lane], v[lane + HALF]);
            let both = a + b;
            let factor = p * fused::<FUSED>(-p * a, b, both);
            product[lane] = fused::<FUSED>(-factor, product[lane], product[lane] - factor);
            sum[lane] += both;
            v[lane] = a * (2.0 - a);
            v[lane + HALF] = b * (2.0 - b);
        }
    }
    (halves(product, times), lane_sum(sum))
}

/// From `exp(-w)`: the product of `1 - p + p exp(-w)`, and the sum of `exp(-w)`. Then doubles `w`. A third less work
/// than [`low_node`], but with the rounding error of numbers near 1.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn high_node(values: &mut [f64], p: f64) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    if values.is_empty() {
        return (1.0, 0.0);
    }
    let (mut product, mut sum) = ([1.0; HALF], [0.0; HALF]);
    for exp in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..HALF {
            let (a, b) = (exp[lane], exp[lane + HALF]);
            product[lane] *= fused::<FUSED>(p, a, 1.0 - p) * fused::<FUSED>(p, b, 1.0 - p);
            sum[lane] += a + b;
            // Numbers below the normal range would be slow.
            let (a, b) = (if a > 1e-150 { a } else { 1e-150 }, if b > 1e-150 { b } else { 1e-150 });
            exp[lane] = a * a;
            exp[lane + HALF] = b * b;
        }
    }
    (halves(product, |a, b| a * b), lane_sum(sum))
}

/// `(1 + a) (1 + b) - 1`.
#[inline(always)]
pub fn times(a: f64, b: f64) -> f64 {
    a + (b + a * b)
}

/// Replaces `z` by `1 - exp(-w)`, `w = start z`, for `0 <= w <= 1/16`, by its Taylor series to relative 1e-17.
#[inline(always)]
fn one_minus_exp<const FUSED: bool>(start: f64, z: &mut [f64; HALF]) {
    // (-1)^n / (n + 1)!, n = 1..=8
    const TERMS: [f64; 8] =
        [-1.0 / 2.0, 1.0 / 6.0, -1.0 / 24.0, 1.0 / 120.0, -1.0 / 720.0, 1.0 / 5040.0, -1.0 / 40320.0, 1.0 / 362_880.0];
    let mut series = [0.0; HALF];
    z.iter_mut().for_each(|z| *z *= start);
    for term in TERMS.into_iter().rev() {
        for lane in 0..HALF {
            series[lane] = fused::<FUSED>(series[lane], z[lane], term);
        }
    }
    for lane in 0..HALF {
        z[lane] = fused::<FUSED>(series[lane] * z[lane], z[lane], z[lane]);
    }
}
