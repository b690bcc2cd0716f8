//! The cases in which the average over masks has a closed form.

use super::{Estimate, MaskedMoments, ROUNDING, scales};
use crate::arccos::arc_cosine;
use crate::connectivity::Connectivity;
use crate::gram::Pair;

/// The masked moments where they are known in closed form; `None` elsewhere.
///
/// - `p = 1`: no mask, `K~_l = K_l`;
/// - `x`, `y` parallel: every mask keeps them so, `K~_1 = C / 2` and `K~_2 = (3/2) (C^2 + q sum_j x_j^2 y_j^2)`, with
///   `C = x.y`, `q = (1-p)/p`;
/// - antiparallel, or one of them zero: both vanish.
pub fn closed_form(pair: &Pair, connectivity: Connectivity) -> Option<MaskedMoments> {
    let gram = pair.gram();
    let (k1, k2) = if connectivity.is_dense() {
        let kernel = arc_cosine(gram);
        (kernel.k1, kernel.k2)
    } else if !pair.is_parallel() {
        return None;
    } else if gram.c > 0.0 {
        let fourth = pair.sum(|x, y| (x * y) * (x * y));
        (gram.c / 2.0, 1.5 * (gram.c * gram.c + connectivity.excess() * fourth))
    } else {
        (0.0, 0.0)
    };
    let (scale_1, scale_2) = scales(pair, connectivity);
    Some(MaskedMoments {
        k1: Estimate::bounded(k1, ROUNDING * scale_1),
        k2: Estimate::bounded(k2, ROUNDING * scale_2),
        shift: Estimate::bounded(0.0, 0.0),
    })
}
