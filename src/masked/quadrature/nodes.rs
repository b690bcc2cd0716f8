//! The inner loops over entries: Laplace transforms at one node after the other.

use std::f64::consts::SQRT_2;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::cumulants::ORDER;
use super::frame::LANES;
use crate::gram::{fused, halves, lane_sum};

/// The largest `w` of which `1 - exp(-w)` is taken by its series.
const SERIES_UP_TO: f64 = 1.0 / 16.0;

/// Entries that are worked on side by side.
pub type Lanes = [f64; LANES];

/// Doublings from where `1 - exp(-w)` has a short series up to `w = largest`.
pub fn doublings(largest: f64) -> usize {
    (largest / SERIES_UP_TO).log2().ceil().max(0.0) as usize
}

/// Writes `1 - exp(-lambda z^2)` at the first node and half an octave above, from the `lambda` of the series by doublings.
/// `powers[n - 1]` receives the sum of `z^(2n)`; there are at most [`ORDER`], or none.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn begin(
    (xi, eta): (&[f64], &[f64]),
    (cosine, sine): (f64, f64),
    (start, doublings): (f64, usize),
    [first, second]: [&mut [f64]; 2],
    powers: &mut [f64],
) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    let mut lanes: [Lanes; ORDER] = [[0.0; LANES]; ORDER];
    let lanes = &mut lanes[..powers.len()];
    let rows = xi.as_chunks().0.iter().zip(eta.as_chunks().0);
    for ((xi, eta), (first, second)) in rows.zip(first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0)) {
        let (xi, eta): (&Lanes, &Lanes) = (xi, eta);
        let mut square = [0.0; LANES];
        for lane in 0..LANES {
            let z = fused::<FUSED>(xi[lane], cosine, eta[lane] * sine);
            square[lane] = z * z;
        }
        let mut power = square;
        for total in lanes.iter_mut() {
            for lane in 0..LANES {
                total[lane] += power[lane];
                power[lane] *= square[lane];
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
    powers.iter_mut().zip(lanes).for_each(|(power, lanes)| *power = lane_sum(*lanes));
}

/// From `v = 1 - exp(-w)` the product of `1 - p v`, less 1, and the sum of `v`; doubles `w`.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn low_node(values: &mut [f64], p: f64) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let (mut product, mut sum) = ([0.0; LANES], [0.0; LANES]);
    for v in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            let factor = -p * v[lane];
            product[lane] = fused::<FUSED>(product[lane], factor, product[lane] + factor);
            sum[lane] += v[lane];
            v[lane] *= 2.0 - v[lane];
        }
    }
    (halves(product, times), lane_sum(sum))
}

/// From `exp(-w)` the product of `1 - p + p exp(-w)`, and the sum of `exp(-w)`; doubles `w`. A third less work than
/// [`low_node`], but it rounds like 1.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn high_node(values: &mut [f64], p: f64) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    if values.is_empty() {
        return (1.0, 0.0);
    }
    let (mut product, mut sum) = ([1.0; LANES], [0.0; LANES]);
    for exp in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            product[lane] *= fused::<FUSED>(p, exp[lane], 1.0 - p);
            sum[lane] += exp[lane];
            // Numbers below the normal range would be slow.
            let larger = if exp[lane] > 1e-150 { exp[lane] } else { 1e-150 };
            exp[lane] = larger * larger;
        }
    }
    (halves(product, |a, b| a * b), lane_sum(sum))
}

/// `(1 + a) (1 + b) - 1`.
#[inline(always)]
pub fn times(a: f64, b: f64) -> f64 {
    a + (b + a * b)
}

/// Takes `z` to `1 - exp(-w)`, `w = start z`, for `0 <= w <= 1/16`, by its Taylor series to relative 1e-17.
#[inline(always)]
fn one_minus_exp<const FUSED: bool>(start: f64, z: &mut Lanes) {
    let mut series = [1.0; LANES];
    for n in (2..=9).rev() {
        let factor = -start / n as f64;
        for lane in 0..LANES {
            series[lane] = fused::<FUSED>(factor * z[lane], series[lane], 1.0);
        }
    }
    for lane in 0..LANES {
        z[lane] *= start * series[lane];
    }
}
