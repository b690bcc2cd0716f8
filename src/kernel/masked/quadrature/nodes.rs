//! The inner loops over entries: Laplace transforms at one node after the other.

use std::f64::consts::SQRT_2;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::frame::LANES;
use crate::numeric::simd::{fused, halves, lane_sum};

/// The largest `w` for which `1 - exp(-w)` is computed by its series.
const SERIES_UP_TO: f64 = 1.0 / 16.0;

/// Entries are combined in pairs before they enter a product, so that its lanes stay in registers too, and it is half
/// as long.
const HALF: usize = LANES / 2;

/// Doublings from where `1 - exp(-w)` has a short series up to `w = largest`.
pub fn doublings(largest: f64) -> usize {
    (largest / SERIES_UP_TO).log2().ceil().max(0.0) as usize
}

/// Writes `1 - exp(-lambda z^2)` at the first node and half an octave above, from the `lambda` of the series by
/// doublings.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn begin(
    (xi, eta): (&[f64], &[f64]),
    (cosine, sine): (f64, f64),
    (start, doublings): (f64, usize),
    [first, second]: [&mut [f64]; 2],
) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    let rows = xi.as_chunks::<HALF>().0.iter().zip(eta.as_chunks::<HALF>().0);
    for ((xi, eta), (first, second)) in rows.zip(first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0)) {
        let mut square = [0.0; HALF];
        for lane in 0..HALF {
            let z = fused::<FUSED>(xi[lane], cosine, eta[lane] * sine);
            square[lane] = z * z;
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
}

/// A number for each entry: the same for all, or one for each.
trait PerEntry: Copy {
    fn block(self, block: usize) -> [f64; LANES];
}

#[derive(Clone, Copy)]
struct Same(f64);

#[derive(Clone, Copy)]
struct Each<'a>(&'a [f64]);

impl PerEntry for Same {
    #[inline(always)]
    fn block(self, _: usize) -> [f64; LANES] {
        [self.0; LANES]
    }
}

impl PerEntry for Each<'_> {
    #[inline(always)]
    fn block(self, block: usize) -> [f64; LANES] {
        self.0.as_chunks().0[block]
    }
}

/// The probabilities that entries are in a mask.
#[derive(Clone, Copy)]
pub enum Chances<'a> {
    /// All have one: sums over single entries lack the factor `p / (1 - p)`.
    Uniform(f64),
    /// Each has its own, and those sums have the factor; `over` is `1 / (1 - p)`.
    Each { p: &'a [f64], over: &'a [f64] },
}

/// From `v = 1 - exp(-w)`: the product of `1 - p v`, minus 1, and the sum of `v` times `p / (1 - p)`, see [`Chances`].
/// Then doubles `w`.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn low_node(values: &mut [f64], chances: Chances) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    match chances {
        _ if values.is_empty() => (0.0, 0.0),
        Chances::Uniform(p) => low::<FUSED>(values, p),
        Chances::Each { p, over } => low_each::<FUSED>(values, p, over),
    }
}

#[inline(always)]
fn low<const FUSED: bool>(values: &mut [f64], p: f64) -> (f64, f64) {
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

#[inline(always)]
fn low_each<const FUSED: bool>(values: &mut [f64], p: &[f64], over: &[f64]) -> (f64, f64) {
    let (mut product, mut sum) = ([0.0; HALF], [0.0; HALF]);
    for (block, v) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let (p, over) = (Each(p).block(block), Each(over).block(block));
        for lane in 0..HALF {
            let (a, b) = (v[lane], v[lane + HALF]);
            let (first, second) = (p[lane] * a, p[lane + HALF] * b);
            let factor = fused::<FUSED>(-first, second, first + second);
            product[lane] = fused::<FUSED>(-factor, product[lane], product[lane] - factor);
            sum[lane] = fused::<FUSED>(over[lane], first, fused::<FUSED>(over[lane + HALF], second, sum[lane]));
            v[lane] = a * (2.0 - a);
            v[lane + HALF] = b * (2.0 - b);
        }
    }
    (halves(product, times), lane_sum(sum))
}

/// From `exp(-w)`: the product of `1 - p + p exp(-w)`, and the sum of `exp(-w)` times `p / (1 - p)`, see [`Chances`].
/// Then doubles `w`. A third less work than [`low_node`], but with the rounding error of numbers near 1.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn high_node(values: &mut [f64], chances: Chances) -> (f64, f64) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    match chances {
        _ if values.is_empty() => (1.0, 0.0),
        Chances::Uniform(p) => high::<FUSED>(values, p),
        Chances::Each { p, over } => high_each::<FUSED>(values, p, over),
    }
}

#[inline(always)]
fn high<const FUSED: bool>(values: &mut [f64], p: f64) -> (f64, f64) {
    let (mut product, mut sum) = ([1.0; HALF], [0.0; HALF]);
    for exp in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..HALF {
            let (a, b) = (exp[lane], exp[lane + HALF]);
            product[lane] *= fused::<FUSED>(p, a, 1.0 - p) * fused::<FUSED>(p, b, 1.0 - p);
            sum[lane] += a + b;
            (exp[lane], exp[lane + HALF]) = (square(a), square(b));
        }
    }
    (halves(product, |a, b| a * b), lane_sum(sum))
}

#[inline(always)]
fn high_each<const FUSED: bool>(values: &mut [f64], p: &[f64], over: &[f64]) -> (f64, f64) {
    let (mut product, mut sum) = ([1.0; HALF], [0.0; HALF]);
    for (block, exp) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let (p, over) = (Each(p).block(block), Each(over).block(block));
        for lane in 0..HALF {
            let (a, b) = (exp[lane], exp[lane + HALF]);
            let (p_a, p_b) = (p[lane], p[lane + HALF]);
            product[lane] *= fused::<FUSED>(p_a, a, 1.0 - p_a) * fused::<FUSED>(p_b, b, 1.0 - p_b);
            sum[lane] += over[lane] * p_a * a + over[lane + HALF] * p_b * b;
            (exp[lane], exp[lane + HALF]) = (square(a), square(b));
        }
    }
    (halves(product, |a, b| a * b), lane_sum(sum))
}

/// The square of `exp(-w)`; numbers below the normal range would be slow.
#[inline(always)]
fn square(exp: f64) -> f64 {
    let exp = if exp > 1e-150 { exp } else { 1e-150 };
    exp * exp
}

/// `E[exp(-lambda h)]`, `E[T exp(-lambda h)]` and `E[T^2 exp(-lambda h)]` over masks of some entries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jet(pub [f64; 3]);

impl Jet {
    /// Of no entry.
    pub const ONE: Self = Self([1.0, 0.0, 0.0]);

    /// Of the entries of both: `h` and `T` add up, and masks are independent.
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        let (Self([a, a1, a2]), Self([b, b1, b2])) = (self, other);
        Self([a * b, a1 * b + a * b1, a2 * b + 2.0 * a1 * b1 + a * b2])
    }

    /// Of masks that also have entries whose `T` is `product` and whose `exp(-lambda h)` is `exp`.
    pub fn with_required(self, exp: f64, product: f64) -> Self {
        self.times(Self([exp, exp * product, exp * product * product]))
    }
}

/// From `v = 1 - exp(-w)`, or from `exp(-w)` itself at high nodes: the jet of the entries, where entry `j` adds `c_j`
/// to `T`, and the sums of `c exp(-w)` and `c^2 exp(-w)` times `p / (1 - p)`, or times `p` where all entries have one
/// probability. Weights are `p_j c_j` and `c_j / 2`.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn tangent_node(
    values: &[f64],
    is_high: bool,
    chances: Chances,
    (weights, halves_of): (&[f64], &[f64]),
) -> (Jet, [f64; 2]) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    match (chances, is_high) {
        _ if values.is_empty() => (Jet::ONE, [0.0; 2]),
        (Chances::Uniform(p), false) => jet::<FUSED, false, _, _>(values, Same(p), Same(1.0), weights, halves_of),
        (Chances::Uniform(p), true) => jet::<FUSED, true, _, _>(values, Same(p), Same(1.0), weights, halves_of),
        (Chances::Each { p, over }, false) => {
            jet::<FUSED, false, _, _>(values, Each(p), Each(over), weights, halves_of)
        }
        (Chances::Each { p, over }, true) => jet::<FUSED, true, _, _>(values, Each(p), Each(over), weights, halves_of),
    }
}

#[inline(always)]
fn jet<const FUSED: bool, const HIGH: bool, P: PerEntry, O: PerEntry>(
    values: &[f64],
    p: P,
    over: O,
    weights: &[f64],
    halves_of: &[f64],
) -> (Jet, [f64; 2]) {
    // Fewer lanes than elsewhere, so that all sums stay in registers.
    const NARROW: usize = 4;
    // The product, its first derivative and half of its second by a factor on T.
    let mut jets = [[1.0; NARROW], [0.0; NARROW], [0.0; NARROW]];
    let mut sums = [[0.0; NARROW]; 2];
    let rows = values.as_chunks::<LANES>().0.iter().zip(weights.as_chunks::<LANES>().0);
    for (block, ((v, weights), halves_of)) in rows.zip(halves_of.as_chunks::<LANES>().0).enumerate() {
        let (p, over) = (p.block(block), over.block(block));
        for start in (0..LANES).step_by(2 * NARROW) {
            for lane in 0..NARROW {
                let one = |place: usize| {
                    let exp = if HIGH { v[place] } else { 1.0 - v[place] };
                    let factor = fused::<FUSED>(p[place], exp, 1.0 - p[place]);
                    let first = weights[place] * exp;
                    (factor, first, first * halves_of[place], over[place])
                };
                let (a, a1, a2, over_a) = one(start + lane);
                let (b, b1, b2, over_b) = one(start + NARROW + lane);
                let factor = a * b;
                let first = fused::<FUSED>(a1, b, a * b1);
                let second = fused::<FUSED>(a2, b, fused::<FUSED>(a, b2, a1 * b1));
                let [product, derivative, half] = [jets[0][lane], jets[1][lane], jets[2][lane]];
                jets[2][lane] = fused::<FUSED>(half, factor, fused::<FUSED>(derivative, first, product * second));
                jets[1][lane] = fused::<FUSED>(derivative, factor, product * first);
                jets[0][lane] = product * factor;
                sums[0][lane] += over_a * a1 + over_b * b1;
                sums[1][lane] += over_a * a2 + over_b * b2;
            }
        }
    }
    let jet =
        (0..NARROW).fold(Jet::ONE, |jet, lane| jet.times(Jet([jets[0][lane], jets[1][lane], 2.0 * jets[2][lane]])));
    (jet, [lane_sum(sums[0]), 2.0 * lane_sum(sums[1])])
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
