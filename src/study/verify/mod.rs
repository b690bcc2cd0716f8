//! Statistical tests of Theorem 1 against sampled networks.

mod checks;
mod run;

pub use checks::{Check, Quantity, Tests};

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Normalisation};
use crate::kernel::ntk::Kernel;
use crate::network::{Connectivity, MaskFamily};

/// The grid over which the theorem is verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifySpec {
    /// Inputs and their normalisation.
    pub data: Vec<(Dataset, Normalisation)>,
    /// Expected weights per row, `d p`. A number above `d` is left out; `d` itself, a dense row, is always added.
    pub weights_per_row: Vec<f64>,
    /// Widths `n`.
    pub widths: Vec<usize>,
    /// Random pairs of inputs per cell, weighted equally; where the data has no more pairs than this, each of them
    /// once. Pairs whose kernel vanishes are left out; of tangent kernels, which change their sign between inputs that
    /// point away from each other, those of less than a tenth of `|x| |y|`.
    pub pairs: usize,
    /// The masks of the drawn networks and of the theory.
    pub mask: MaskFamily,
    /// Whose moments are verified.
    #[serde(flatten)]
    pub kernel: Kernel,
    /// Initialisations per cell, at least 1,000. A cell is not tested where the mean over them is not near normal
    /// ([`Check::is_tested`]).
    pub initialisations: usize,
    /// The relative error of the exact masked moments.
    pub tolerance: f64,
    /// The seed.
    pub seed: u64,
}

/// One cell of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The inputs.
    pub data: Dataset,
    /// Their normalisation.
    pub normalisation: Normalisation,
    /// Input dimension `d`.
    pub dimension: usize,
    /// Connectivity `p`.
    pub connectivity: Connectivity,
    /// Width `n`.
    pub width: usize,
    /// The three checks.
    pub checks: [Check; 3],
}

/// Eq. (4) beside Theorem 1 at one number of weights per row and `n p = 8`: means over pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperPoint {
    /// The inputs.
    pub data: Dataset,
    /// Their normalisation.
    pub normalisation: Normalisation,
    /// Input dimension `d`.
    pub dimension: usize,
    /// `d p`.
    pub weights_per_row: f64,
    /// Width `n = 8 / p`.
    pub width: usize,
    /// Bias^2 and variance / n by Theorem 1.
    pub exact: (f64, f64),
    /// The same by Eq. (4).
    pub paper: (f64, f64),
}

/// What was verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// What was asked.
    pub spec: VerifySpec,
    /// Version of the program.
    pub version: String,
    /// The grid.
    pub cells: Vec<Cell>,
    /// The theorem as it is.
    pub tests: Vec<Tests>,
    /// The theorem made wrong by [`VerifyReport::POWER_FACTOR`].
    pub power: Vec<Tests>,
    /// Eq. (4) beside Theorem 1; empty unless masks are Bernoulli, and only for inputs of dimension 100 and more.
    pub paper: Vec<PaperPoint>,
}

impl VerifyReport {
    /// The factor by which the power check falsifies every prediction.
    pub const POWER_FACTOR: f64 = 1.02;
    /// The chance that a true theorem is rejected, over all tests.
    pub const FAMILY_WISE: f64 = 1e-6;

    /// The quantities that are rejected: those with a test whose p-value is below [`VerifyReport::FAMILY_WISE`] divided
    /// by the number of tests.
    #[must_use]
    pub fn rejected(tests: &[Tests]) -> Vec<Quantity> {
        let each = Self::FAMILY_WISE / (2 * tests.len()) as f64;
        // A p-value that is not a number fails too.
        let fails = |tests: &&Tests| !(tests.chi_square >= each && tests.kolmogorov_smirnov >= each);
        tests.iter().filter(fails).map(|tests| tests.quantity).collect()
    }
}
