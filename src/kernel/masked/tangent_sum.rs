//! The averages of the tangent kernel over many masks, from their Gram triples.

use std::f64::consts::PI;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use crate::kernel::arc_cosine::arc_tangent;
use crate::numeric::simd::{fused, lane_sum};
use crate::numeric::twofold::{Twofold, product_error, sum};

/// `K_1`, `K_2`, `T K_0`, `T K_1` and `T^2 K_0`, or sums of them.
pub(crate) type TangentTerms = [f64; 5];

/// The Gram triple of a mask and `T = sum_j tau s_j x_j y_j`. `K_0` is the angle itself, and near 0 a Gram triple in
/// double precision would leave only half of its digits; so it has twice as many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FineGram {
    pub a: Twofold,
    pub b: Twofold,
    pub c: Twofold,
    pub t: f64,
}

impl FineGram {
    /// That of one entry.
    pub fn of_entry(x: f64, y: f64, tau: f64) -> Self {
        let c = Twofold::product(x, y);
        Self { a: Twofold::product(x, x), b: Twofold::product(y, y), c, t: tau * c.high }
    }

    pub fn plus(self, other: Self) -> Self {
        Self { a: self.a + other.a, b: self.b + other.b, c: self.c + other.c, t: self.t + other.t }
    }

    pub fn times(self, count: f64) -> Self {
        let times = |value: Twofold| value.times(count);
        Self { a: times(self.a), b: times(self.b), c: times(self.c), t: self.t * count }
    }

    /// The terms of this mask.
    pub fn terms(self) -> TangentTerms {
        FineTriples::new(std::iter::once((self, 1.0))).weighted_sum(Self::default())
    }
}

/// Masks that are summed side by side.
const LANES: usize = 8;

/// Fine Gram triples with weights, laid out for sums over many of them.
#[derive(Default)]
pub(super) struct FineTriples {
    /// `A`, `B`, `C`, then what each lacks, then `T`, then the weights.
    columns: [Vec<f64>; 8],
}

impl FineTriples {
    pub fn new(triples: impl Iterator<Item = (FineGram, f64)>) -> Self {
        let mut new = Self::default();
        triples.for_each(|(gram, weight)| new.push(gram, weight));
        while !new.columns[0].len().is_multiple_of(LANES) {
            new.push(FineGram::default(), 0.0);
        }
        new
    }

    fn push(&mut self, FineGram { a, b, c, t }: FineGram, weight: f64) {
        let values = [a.high, b.high, c.high, a.low, b.low, c.low, t, weight];
        self.columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
    }

    /// `sum_i weight_i term(triple_i + shift)`. Absolute errors are a few units in the last place of
    /// `weight_i (|x| |y|)^l`.
    pub fn weighted_sum(&self, shift: FineGram) -> TangentTerms {
        weighted_sum(&self.columns, shift).map(|sum| sum / (2.0 * PI))
    }
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn weighted_sum(columns: &[Vec<f64>; 8], shift: FineGram) -> TangentTerms {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    let [a, b, c, a_low, b_low, c_low, t, weight] = columns.each_ref().map(|column| column.as_chunks::<LANES>().0);
    let mut sums = [[0.0; LANES]; 5];
    for block in 0..weight.len() {
        for lane in 0..LANES {
            let plus = |high: f64, low: f64, shift: Twofold| {
                let (sum, lost) = sum(high, shift.high);
                (sum, lost + (low + shift.low))
            };
            let (a, a_low) = plus(a[block][lane], a_low[block][lane], shift.a);
            let (b, b_low) = plus(b[block][lane], b_low[block][lane], shift.b);
            let (c, c_low) = plus(c[block][lane], c_low[block][lane], shift.c);
            let (t, weight) = (t[block][lane] + shift.t, weight[block][lane]);
            let (product, square) = (a * b, c * c);
            // A B - C^2: both products with their errors, and what is small to first order.
            let errors = product_error::<FUSED>(a, b, product) - product_error::<FUSED>(c, c, square);
            let small = fused::<FUSED>(a, b_low, fused::<FUSED>(a_low, b, -2.0 * c * c_low));
            let d = ((product - square) + (errors + small)).max(0.0).sqrt();
            let phi = arc_tangent::<FUSED>(d, c);
            let k1 = fused::<FUSED>(c, phi, d).max(0.0);
            let k2 = fused::<FUSED>(3.0 * d, c, phi * fused::<FUSED>(2.0 * c, c, product)).max(0.0);
            // A mask without entries of one input has no angle, and C = 0.
            let first = t * phi;
            for (sum, term) in sums.iter_mut().zip([k1, k2, first, t * k1, t * first]) {
                sum[lane] = fused::<FUSED>(weight, term, sum[lane]);
            }
        }
    }
    sums.map(lane_sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masks of two entries that are nearly parallel: `t` is known exactly, where a Gram triple in double precision
    /// knows it to 1e-8 only.
    #[test]
    fn small_angles_keep_their_digits() {
        for e in [1e-12, 1e-9, 1e-5, 0.1] {
            // x = (1, 1), y = (1 + e, 1 - e): tan t = e.
            let (first, second) = (FineGram::of_entry(1.0, 1.0 + e, 1.0), FineGram::of_entry(1.0, 1.0 - e, 1.0));
            let [k1, _, with_k0, with_k1, twice] = first.plus(second).terms();
            let exact = 1.0 + e;
            let tan = (exact - (1.0 - e)) / (exact + (1.0 - e));
            let k0 = (PI - tan.atan()) / (2.0 * PI);
            // C = 2 to rounding.
            assert!((with_k0 - 2.0 * k0).abs() < 1e-15 && (twice - 4.0 * k0).abs() < 2e-15, "{e:e}: {with_k0}");
            assert!((with_k1 - 2.0 * k1).abs() < 1e-15);
        }
    }
}
