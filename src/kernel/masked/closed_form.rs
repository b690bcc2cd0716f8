//! The cases in which the average over masks has a closed form.

use super::{MaskedMoments, Method, ROUNDING, Row, TangentMoments, scales};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::Pair;
use crate::numeric::estimate::Estimate;

/// The masked moments where they are known in closed form; `None` elsewhere.
///
/// - `p = 1`: no mask, `K~_l = K_l`, `J~_1 = C K_0`, `J~_11 = C K_1`, `J~_2 = C^2 K_0`;
/// - `x`, `y` parallel: they stay parallel under every mask, and with `C = x.y`, `q = (1-p)/p` and
///   `S = C^2 + q sum_j x_j^2 y_j^2`, `K~_1 = J~_1 = C / 2`, `K~_2 = 3 S / 2`, `J~_11 = J~_2 = S / 2`;
/// - antiparallel, or one of them zero: all vanish.
#[must_use]
pub fn closed_form<'a>(pair: &Pair, row: impl Into<Row<'a>>) -> Option<MaskedMoments> {
    let row = row.into();
    if row.is_dense(pair) {
        return Some(dense(pair, &row));
    }
    pair.is_parallel().then(|| parallel(pair, &row))
}

/// Where every weight exists, `tau` is 1.
fn dense(pair: &Pair, row: &Row) -> MaskedMoments {
    let (kernel, c, k0) = (arc_cosine(pair.gram()), pair.gram().c, pair.angle().k0());
    let k0 = if pair.gram().scale() > 0.0 { k0 } else { 0.0 };
    exact(pair, row, [kernel.k1, kernel.k2], [c * k0, c * kernel.k1, c * c * k0], 0.0)
}

/// The masked moments of parallel inputs. With `tau_j`, `J~_1` is `sum_j tau_j x_j y_j / 2`, and the others likewise.
fn parallel(pair: &Pair, row: &Row) -> MaskedMoments {
    let c = pair.gram().c;
    if c <= 0.0 {
        return exact(pair, row, [0.0; 2], [0.0; 3], 0.0);
    }
    let fourth =
        |power: i32| row.sum(pair, |entry| entry.excess() * entry.tau.powi(power) * (entry.x * entry.y).powi(2));
    let nngp = [c / 2.0, 1.5 * (c * c + fourth(0))];
    if row.tangent().is_none() {
        return exact(pair, row, nngp, [0.0; 3], 0.0);
    }
    let tangent = row.sum(pair, |entry| entry.tau * entry.x * entry.y);
    let slower = row.sum(pair, |entry| (entry.tau - 1.0) * entry.x * entry.y);
    let own = [tangent / 2.0, (c * tangent + fourth(1)) / 2.0, (tangent * tangent + fourth(2)) / 2.0];
    exact(pair, row, nngp, own, slower / 2.0)
}

/// `shift` is that of the tangent kernel; the NNGP kernel's mean is that of infinite width.
fn exact(pair: &Pair, row: &Row, [k1, k2]: [f64; 2], own: [f64; 3], shift: f64) -> MaskedMoments {
    let (scale_1, scale_2) = scales(pair, row);
    let bounded = |value: f64, scale: f64| Estimate::bounded(value, ROUNDING * scale);
    let (k1, k2) = (bounded(k1, scale_1), bounded(k2, scale_2));
    let nngp = MaskedMoments::nngp(k1, k2, Estimate::bounded(0.0, 0.0), Method::ClosedForm, 0);
    if row.tangent().is_none() {
        return nngp;
    }
    let [j1, j11, j2] = own;
    let tangent = TangentMoments { j1: bounded(j1, scale_1), j11: bounded(j11, scale_2), j2: bounded(j2, scale_2) };
    let rounding = if shift == 0.0 { 0.0 } else { ROUNDING * scale_1 };
    nngp.with_tangent(tangent, row.kurtosis(), Estimate::bounded(shift, rounding))
}
