//! One result of the quadrature against the sum over masks.

use sparsewidth::kernel::masked::{Enumerate, MaskedMoments, Quadrature, Row, RowMoments, TangentMoments};
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::estimate::Estimate;

use crate::counts::sum_over_counts;
use crate::families::{MOST_TERMS, Member};

pub const PARTS: [&str; 6] = ["K~_1", "K~_2", "shift", "J~_1", "J~_11", "J~_2"];

/// Those of the tangent kernel are zero where they are not asked for.
pub fn parts(moments: &MaskedMoments) -> [Estimate; 6] {
    let tangent = moments.tangent.map_or([none(); 3], |TangentMoments { j1, j11, j2, .. }| [j1, j11, j2]);
    let [j1, j11, j2] = tangent;
    [moments.k1, moments.k2, moments.shift, j1, j11, j2]
}

fn none() -> Estimate {
    Estimate::bounded(0.0, 0.0)
}

/// The claimed error as a number.
pub fn size(estimate: Estimate) -> f64 {
    estimate.error.magnitude().expect("the quadrature and the sum over masks know their error")
}

/// What the quadrature found, and what is true.
#[derive(Clone, Copy)]
pub struct Comparison {
    pub found: MaskedMoments,
    pub exact: [Estimate; 6],
    /// By how much each of [`PARTS`] is wrong, in units of what both methods claim.
    pub ratios: [f64; 6],
    /// Whether the claim is above the tolerance.
    pub missed: bool,
}

impl Comparison {
    /// Of a member and the sum over masks, or over counts of equal entries where that has too many terms.
    pub fn of(member: &Member) -> Self {
        let (pair, connectivity) = (member.pair(), Connectivity::new(member.p).expect("the families keep p in range"));
        let method = Quadrature::new(member.tolerance).expect("the families keep tolerances in range");
        let kernel = if member.tangent { Kernel::Ntk(Tangent::Standardised) } else { Kernel::Nngp };
        let row = Row::new(connectivity).kernel(kernel);
        let found = method.moments(&pair, row).expect("the quadrature serves every pair");
        let mut exact = [none(); 6];
        if member.terms() <= MOST_TERMS {
            exact = parts(&Enumerate::default().moments(&pair, row).expect("few terms"));
        } else {
            // A hundredth of the claim is as good as exact.
            let claims = [size(found.k1), size(found.k2)].map(|claim| 1e-2 * claim);
            exact[..3].copy_from_slice(&sum_over_counts(&pair, member.p, claims));
        }
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
        let ratios = std::array::from_fn(|part| ratio(all[part], exact[part]));
        Self { found, exact, ratios, missed: !found.within(member.tolerance) }
    }

    /// The largest ratio.
    pub fn worst(&self) -> f64 {
        self.ratios.iter().fold(0.0, |worst, ratio| worst.max(*ratio))
    }
}
