//! The second-order expansion: masked moments of any inputs in `O(d)`.

use std::f64::consts::PI;

use super::{Entry, MaskedMoments, Method, Row, RowMoments, TangentMoments, closed_form};
use crate::error::Result;
use crate::kernel::arc_cosine::{Angle, arc_cosine};
use crate::kernel::gram::Pair;
use crate::numeric::estimate::Estimate;

/// The second-order expansion of `K~_l` in the fluctuation of the masked Gram triple.
///
/// Over a random mask `s`, the triple `A_s = (1/p) sum_j s_j x_j^2`, `B_s`, `C_s` has mean `(A, B, C)` and covariance
/// `q S`, with `q = (1-p)/p`, `S_AA = sum x^4`, `S_BB = sum y^4`, `S_AB = S_CC = sum x^2 y^2`, `S_AC = sum x^3 y`,
/// `S_BC = sum x y^3`. To second order `K~_l = K_l + (q/2) sum_{a,b in A,B,C} S_ab d_a d_b K_l`.
///
/// For `l = 1` the double sum collapses, with unit vectors `u = x/|x|`, `v = y/|y|` and the angle `t` between them, to
///
/// `|x||y| / (2 pi sin t) sum_j [ (u_j v_j - (cos t) (u_j^2 + v_j^2)/2)^2 - sin^2 t (u_j^2 - v_j^2)^2 / 4 ]`,
///
/// which, unlike the sums taken separately, keeps its accuracy as the inputs become parallel, where every term
/// vanishes. For `l = 2`, with `phi = pi - t`, it is
///
/// `(|x||y|)^2 / (2 pi) [ 6 phi sum u^2 v^2 + sin t (4 sum u v (u^2 + v^2) - cos t sum (u^4 + v^4)) ]`.
///
/// The averages of the tangent kernel follow in the same way, with `T_s = (1/p) sum_j tau s_j x_j y_j` as a fourth
/// variable that fluctuates.
///
/// Exact at `p = 1` and for parallel inputs. It has no error estimate. As `p` tends to 1 its error is of first order in
/// `1 - p`: losing one entry is not a small fluctuation of that entry. It is accurate where many entries share the
/// norm: on globally normalised MNIST the mean distance is right to 0.2 % at `d p = 188` and 2 % at `d p = 9`. A few
/// huge entries break it, since a mask that loses them loses most of the norm: on pixel-normalised MNIST, with entries
/// up to 100, it is right at `d p = 188`, three times too large at 40 and forty times at 9.
///
/// Source: ours; the derivatives follow from Cho & Saul's `K_1`, `K_2`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expansion;

impl RowMoments for Expansion {
    fn of_pair(&self, pair: &Pair, row: &Row, _: u32) -> Result<MaskedMoments> {
        row.check(pair)?;
        if let Some(exact) = closed_form(pair, *row) {
            return Ok(exact);
        }
        let gram = pair.gram();
        let kernel = arc_cosine(gram);
        let scale = gram.scale();
        let Angle { cosine, sine, phi } = Angle::of(gram);
        let (norm_x, norm_y) = (gram.a.sqrt(), gram.b.sqrt());
        let (over_x, over_y) = (1.0 / norm_x, 1.0 / norm_y);
        // Sums over entries with the weight q.
        let sum = |term: &dyn Fn(f64, f64) -> f64| match row.uniform() {
            Some(connectivity) => connectivity.excess() * pair.sum(|x, y| term(x * over_x, y * over_y)),
            None => row.sum(pair, |entry| entry.excess() * term(entry.x * over_x, entry.y * over_y)),
        };
        let first = sum(&|u, v| {
            let along = u * v - cosine * (u * u + v * v) / 2.0;
            let across = sine * (u * u - v * v) / 2.0;
            along * along - across * across
        });
        let second_s = sum(&|u, v| {
            let uv = u * v;
            uv * uv
        });
        let second_d = sum(&|u, v| {
            let (u2, v2) = (u * u, v * v);
            4.0 * u * v * (u2 + v2) - cosine * (u2 * u2 + v2 * v2)
        });
        // At sin t = 0 the sum vanishes like sin^4 t, so the quotient tends to 0.
        let shift = if sine > 0.0 { scale / (4.0 * PI * sine) * first } else { 0.0 };
        let k2 = kernel.k2 + scale * scale / (4.0 * PI) * (6.0 * phi * second_s + sine * second_d);
        let unbounded = Estimate::unbounded;
        let (k1, k2) = (unbounded(kernel.k1 + shift), unbounded(k2));
        let nngp = MaskedMoments::nngp(k1, k2, unbounded(shift), Method::Expansion, 0);
        if row.tangent().is_none() {
            return Ok(nngp);
        }
        let [j1, j11, j2] = of_tangent(pair, row);
        let mean = scale * row.sum(pair, |entry| entry.tau * (entry.x * over_x) * (entry.y * over_y));
        let slower = scale * row.sum(pair, |entry| (entry.tau - 1.0) * (entry.x * over_x) * (entry.y * over_y));
        let k0 = pair.angle().k0();
        let tangent = TangentMoments {
            j1: unbounded(mean * k0 + scale * j1),
            j11: unbounded(mean * kernel.k1 + scale * scale * j11),
            j2: unbounded(mean * mean * k0 + scale * scale * j2),
        };
        Ok(nngp.with_tangent(tangent, row.kurtosis(), unbounded(shift + scale * j1 + slower * k0)))
    }
}

/// Below this `sin t` the changes, which vanish like it, are left out: their rounding grows like its inverse cubed.
const LEAST_SINE: f64 = 1e-8;

/// How far the averages of `T K_0`, `T K_1` and `T^2 K_0` are from their values at the mean, for inputs of norm 1.
///
/// With `e = u v - m cos t`, `m = (u^2 + v^2)/2`, `h = (u^2 - v^2)/2` and `g = tau u v` of an entry, and sums over
/// entries with the weight `q`: `2 pi K_0` changes by `e / sin t` to first order, and on average by
/// `D_0 = sum [e^2 cos t / sin^3 t + (h^2 cos t - 2 m e) / sin t] / 2`; `2 pi K_1` changes by `phi u v + m sin t`, and
/// on average by `D_1 = sum [e^2 / sin t - h^2 sin t] / 2`.
fn of_tangent(pair: &Pair, row: &Row) -> [f64; 3] {
    let Angle { cosine, sine, phi } = pair.angle();
    if sine < LEAST_SINE {
        return [0.0; 3];
    }
    let (over_x, over_y) = (1.0 / pair.gram().a.sqrt(), 1.0 / pair.gram().b.sqrt());
    // The terms of an entry: its weight q, e, m, h, u v and g.
    let sum = |term: &dyn Fn([f64; 5]) -> f64| {
        row.sum(pair, |entry: Entry| {
            let (u, v) = (entry.x * over_x, entry.y * over_y);
            let (product, m, h) = (u * v, (u * u + v * v) / 2.0, (u * u - v * v) / 2.0);
            entry.excess() * term([product - cosine * m, m, h, product, entry.tau * product])
        })
    };
    let mean = row.sum(pair, |entry| entry.tau * (entry.x * over_x) * (entry.y * over_y));
    let cubed = sine * sine * sine;
    let d0 = 0.5 * sum(&|[e, m, h, ..]| e * e * cosine / cubed + (h * h * cosine - 2.0 * m * e) / sine);
    let d1 = 0.5 * sum(&|[e, _, h, ..]| e * e / sine - h * h * sine);
    let with_k0 = sum(&|[e, _, _, _, g]| g * e / sine);
    let with_k1 = sum(&|[_, m, _, product, g]| g * (phi * product + m * sine));
    let squares = sum(&|[.., g]| g * g);
    let changes = [mean * d0 + with_k0, mean * d1 + with_k1, mean * mean * d0 + phi * squares + 2.0 * mean * with_k0];
    changes.map(|change| change / (2.0 * PI))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ntk::{Kernel, Tangent};
    use crate::network::Connectivity;
    use ndarray::Array1;

    /// Parallel but for rounding, which no closed form recognises: the kernel of parallel inputs.
    #[test]
    fn inputs_that_are_parallel_but_for_rounding() {
        for d in [2, 7, 24, 300] {
            let x = Array1::from_shape_fn(d, |j| (7.0 * j as f64 * 0.61).sin());
            for factor in [3.0, 0.7, 1.0 / 3.0, -0.3] {
                let pair = |x: &Array1<f64>, y: &Array1<f64>| {
                    let row = Row::new(Connectivity::new(0.7).unwrap()).kernel(Kernel::Ntk(Tangent::Standardised));
                    let pair = Pair::new(x.view(), y.view()).unwrap();
                    Expansion.of_pair(&pair, &row, 0).unwrap().first.value / pair.gram().scale()
                };
                let y = &x * factor;
                // C K_0 + K_1 = |x| |y|, or 0 for opposite ones, up to the angle.
                let expected = if factor > 0.0 { 1.0 } else { 0.0 };
                for found in [pair(&x, &y), pair(&y, &x)] {
                    assert!((found - expected).abs() < 1e-7, "{d} {factor}: {found}");
                }
            }
        }
    }
}
