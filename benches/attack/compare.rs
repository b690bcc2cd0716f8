//! One result of the quadrature against the sum over masks.

use sparsewidth::kernel::masked::{Enumerate, MaskedMoments, Quadrature, RowMoments};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::estimate::Estimate;

use crate::counts::sum_over_counts;
use crate::families::{MOST_TERMS, Member};

pub const PARTS: [&str; 3] = ["K~_1", "K~_2", "shift"];

pub fn parts(moments: &MaskedMoments) -> [Estimate; 3] {
    [moments.k1, moments.k2, moments.shift]
}

/// The claimed error as a number.
pub fn size(estimate: Estimate) -> f64 {
    estimate.error.magnitude().expect("the quadrature and the sum over masks know their error")
}

/// What the quadrature found, and what is true.
#[derive(Clone, Copy)]
pub struct Comparison {
    pub found: MaskedMoments,
    pub exact: [Estimate; 3],
    /// By how much each of [`PARTS`] is wrong, in units of what both methods claim.
    pub ratios: [f64; 3],
    /// Whether the claim is above the tolerance.
    pub missed: bool,
}

impl Comparison {
    /// Of a member and the sum over masks, or over counts of equal entries where that has too many terms.
    pub fn of(member: &Member) -> Self {
        let (pair, connectivity) = (member.pair(), Connectivity::new(member.p).expect("the families keep p in range"));
        let method = Quadrature::new(member.tolerance).expect("the families keep tolerances in range");
        let found = method.moments(&pair, connectivity).expect("the quadrature serves every pair");
        let exact = if member.terms() <= MOST_TERMS {
            parts(&Enumerate::default().moments(&pair, connectivity).expect("few terms"))
        } else {
            // A hundredth of the claim is as good as exact.
            sum_over_counts(&pair, member.p, [size(found.k1), size(found.k2)].map(|claim| 1e-2 * claim))
        };
        let ratio = |found: Estimate, exact: Estimate| {
            let difference = (found.value - exact.value).abs();
            let ratio = difference / (size(found) + size(exact));
            if difference == 0.0 {
                0.0
            } else if ratio.is_nan() {
                f64::INFINITY
            } else {
                ratio
            }
        };
        let all = parts(&found);
        let ratios = [0, 1, 2].map(|part| ratio(all[part], exact[part]));
        Self { found, exact, ratios, missed: !found.within(member.tolerance) }
    }

    /// The largest ratio.
    pub fn worst(&self) -> f64 {
        self.ratios.iter().fold(0.0, |worst, ratio| worst.max(*ratio))
    }
}
