//! The cases in which the average over masks has a closed form.

use super::{MaskedMoments, Method, ROUNDING, scales};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::Pair;
use crate::network::Connectivity;
use crate::numeric::estimate::Estimate;

/// The masked moments where they are known in closed form; `None` elsewhere.
///
/// - `p = 1`: no mask, `K~_l = K_l`;
/// - `x`, `y` parallel: they stay parallel under every mask, `K~_1 = C / 2` and
///   `K~_2 = (3/2) (C^2 + q sum_j x_j^2 y_j^2)`, with `C = x.y`, `q = (1-p)/p`;
/// - antiparallel, or one of them zero: both vanish.
#[must_use]
pub fn closed_form(pair: &Pair, connectivity: Connectivity) -> Option<MaskedMoments> {
    if connectivity.is_dense() {
        let kernel = arc_cosine(pair.gram());
        return Some(exact(pair, connectivity, (kernel.k1, kernel.k2)));
    }
    pair.is_parallel().then(|| parallel(pair, connectivity))
}

/// The masked moments of parallel inputs.
fn parallel(pair: &Pair, connectivity: Connectivity) -> MaskedMoments {
    let c = pair.gram().c;
    let fourth = pair.sum(|x, y| (x * y) * (x * y));
    let values = (c.max(0.0) / 2.0, 1.5 * (c * c + connectivity.excess() * fourth));
    exact(pair, connectivity, if c > 0.0 { values } else { (0.0, 0.0) })
}

fn exact(pair: &Pair, connectivity: Connectivity, (k1, k2): (f64, f64)) -> MaskedMoments {
    let (scale_1, scale_2) = scales(pair, connectivity);
    MaskedMoments {
        k1: Estimate::bounded(k1, ROUNDING * scale_1),
        k2: Estimate::bounded(k2, ROUNDING * scale_2),
        shift: Estimate::bounded(0.0, 0.0),
        covariance: Estimate::ZERO,
        method: Method::ClosedForm,
        terms: 0,
    }
}
