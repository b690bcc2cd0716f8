//! The cases in which the average over masks has a closed form.

use super::{Estimate, MaskedMoments, ROUNDING, scales};
use crate::arccos::arc_cosine;
use crate::connectivity::Connectivity;
use crate::gram::Pair;

/// The masked moments where they are known in closed form; `None` elsewhere.
///
/// - `p = 1`: no mask, `K~_l = K_l`;
/// - `y = r x`, `r > 0`: every mask keeps the inputs parallel, `K~_1 = r A / 2` and
///   `K~_2 = (3/2) r^2 (A^2 + q sum_j x_j^4)`, with `A = |x|^2`, `q = (1-p)/p`; on the diagonal `r = 1`;
/// - `y = r x`, `r <= 0`, or `x = 0`: both vanish.
pub fn closed_form(pair: &Pair, connectivity: Connectivity) -> Option<MaskedMoments> {
    let gram = pair.gram();
    let (k1, k2) = if connectivity.is_dense() {
        let kernel = arc_cosine(gram);
        (kernel.k1, kernel.k2)
    } else if gram.a == 0.0 {
        (0.0, 0.0)
    } else {
        let ratio = pair.ratio()?.max(0.0);
        let fourth = pair.sum(|x, _| x.powi(4));
        (ratio * gram.a / 2.0, 1.5 * ratio * ratio * (gram.a * gram.a + connectivity.excess() * fourth))
    };
    let (scale_1, scale_2) = scales(pair, connectivity);
    Some(MaskedMoments {
        k1: Estimate::bounded(k1, ROUNDING * scale_1),
        k2: Estimate::bounded(k2, ROUNDING * scale_2),
        shift: Estimate::bounded(0.0, 0.0),
    })
}
