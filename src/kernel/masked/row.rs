//! What the theory averages over: the masks of one row of a sparse layer, and the kernel that is asked for.

use crate::error::{Error, Result};
use crate::kernel::gram::Pair;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::{Connectivity, WeightDistribution};

/// One row of a sparse layer: with what probability each of its weights exists, and whose moments are asked for.
///
/// A connectivity alone is a row of the NNGP kernel:
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::{gram::Pair, masked::{Enumerate, Row, RowMoments}};
/// use sparsewidth::{Connectivity, Kernel, Tangent};
/// let (x, y) = (array![1.0, 2.0, 1.0], array![2.0, -1.0, 1.0]);
/// let pair = Pair::new(x.view(), y.view())?;
/// let p = Connectivity::new(0.5)?;
/// let nngp = Enumerate::default().moments(&pair, p)?;
/// let ntk = Enumerate::default().moments(&pair, Row::new(p).kernel(Kernel::Ntk(Tangent::Standardised)))?;
/// assert!(nngp.first == nngp.k1 && ntk.first.value > nngp.first.value);
///
/// // The last input is a bias: always there.
/// let each = [p, p, Connectivity::DENSE];
/// let biased = Enumerate::default().moments(&pair, Row::per_input(&each))?;
/// assert!(biased.k2.value < nngp.k2.value);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    connectivity: Connectivities<'a>,
    kernel: Kernel,
    readout: WeightDistribution,
}

#[derive(Clone, Copy, Debug)]
enum Connectivities<'a> {
    Uniform(Connectivity),
    PerInput(&'a [Connectivity]),
}

/// An entry of a pair, where `x` and `y` are not both zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub x: f64,
    pub y: f64,
    /// The probability that its weight exists, which has variance `1/p` then.
    pub p: f64,
    /// `tau`: how much it counts in the first layer's part of the tangent kernel.
    pub tau: f64,
}

impl<'a> Row<'a> {
    /// Weights that exist with probability `p` each and have variance `1/p`, and the NNGP kernel.
    #[must_use]
    pub fn new(connectivity: Connectivity) -> Self {
        Self {
            connectivity: Connectivities::Uniform(connectivity),
            kernel: Kernel::Nngp,
            readout: WeightDistribution::Gaussian,
        }
    }

    /// A weight of input `j` exists with probability `p_j` and has variance `1/p_j`, so that the infinite-width kernel
    /// stays what it is. A bias is an input of connectivity 1, with the bias' scale as its entry in `x` and in `y`.
    #[must_use]
    pub fn per_input(connectivities: &'a [Connectivity]) -> Self {
        Self { connectivity: Connectivities::PerInput(connectivities), ..Self::new(Connectivity::DENSE) }
    }

    /// The moments of another kernel.
    #[must_use]
    pub fn kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Readout weights of another distribution; the moments of the tangent kernel depend on its kurtosis.
    #[must_use]
    pub fn readout(self, readout: WeightDistribution) -> Self {
        Self { readout, ..self }
    }

    /// The readout of another row.
    pub(super) fn with_readout_of(self, other: &Self) -> Self {
        Self { readout: other.readout, ..self }
    }

    /// The kernel that is asked for.
    #[must_use]
    pub fn get_kernel(&self) -> Kernel {
        self.kernel
    }

    /// The connectivity, where all inputs have the same.
    pub(crate) fn uniform(&self) -> Option<Connectivity> {
        match self.connectivity {
            Connectivities::Uniform(connectivity) => Some(connectivity),
            Connectivities::PerInput(_) => None,
        }
    }

    /// The connectivity, for methods that need one for all inputs.
    pub(super) fn needs_uniform(&self, method: &str) -> Result<Connectivity> {
        self.uniform().ok_or_else(|| {
            let problem = format!("{method} takes one connectivity for all inputs");
            Error::value("connectivity", "one per input", problem, "give a single number, or Bernoulli masks")
        })
    }

    /// Refuses connectivities that are not one per entry of the inputs.
    pub(super) fn check(&self, pair: &Pair) -> Result<()> {
        match self.connectivity {
            Connectivities::PerInput(each) if each.len() != pair.dimension() => {
                let (found, problem) = (each.len(), format!("the inputs have dimension {}", pair.dimension()));
                Err(Error::value("connectivities", found, problem, "give one number per input"))
            }
            _ => Ok(()),
        }
    }

    /// The kurtosis of the readout weights.
    pub(super) fn kurtosis(&self) -> f64 {
        self.readout.kurtosis()
    }

    /// The entries where `x` and `y` are not both zero.
    ///
    /// # Panics
    /// Where connectivities are not one per entry: [`Row::check`] is called first.
    pub(crate) fn entries(&self, pair: &Pair) -> impl Iterator<Item = Entry> {
        let tangent = self.kernel.tangent().unwrap_or_default();
        let place = move |j: usize| match self.connectivity {
            Connectivities::Uniform(connectivity) => connectivity,
            Connectivities::PerInput(each) => each[j],
        };
        let all = pair.x().iter().zip(pair.y()).enumerate();
        all.filter(|(_, (x, y))| **x != 0.0 || **y != 0.0).map(move |(j, (x, y))| {
            let p = place(j);
            Entry { x: *x, y: *y, p: p.get(), tau: tangent.tau(p) }
        })
    }

    /// Whether every weight exists that sees an entry of the pair.
    pub(super) fn is_dense(&self, pair: &Pair) -> bool {
        match self.uniform() {
            Some(connectivity) => connectivity.is_dense(),
            None => self.entries(pair).all(|entry| entry.p == 1.0),
        }
    }

    /// `sum_j weight(entry) term(x_j, y_j)`, where the weight is 1 or depends on the connectivity of the entry.
    pub(super) fn sum(&self, pair: &Pair, term: impl Fn(Entry) -> f64) -> f64 {
        if let Some(connectivity) = self.uniform() {
            let (p, tau) = (connectivity.get(), self.kernel.tangent().unwrap_or_default().tau(connectivity));
            return pair.sum(|x, y| term(Entry { x, y, p, tau }));
        }
        // Pairwise sums in blocks, as for a pair.
        let terms: Vec<f64> = self.entries(pair).map(term).collect();
        terms.chunks(64).map(|part| part.iter().sum::<f64>()).sum()
    }

    /// The convention of the tangent kernel; none where the NNGP kernel is asked for.
    pub(super) fn tangent(&self) -> Option<Tangent> {
        self.kernel.tangent()
    }
}

impl Entry {
    /// What the entry adds to inputs where it is in every mask: `x_j / sqrt(p)`, `y_j / sqrt(p)`.
    pub fn in_every_mask(&self) -> (f64, f64) {
        let over = 1.0 / self.p.sqrt();
        (self.x * over, self.y * over)
    }

    /// `q = (1 - p) / p`.
    pub fn excess(&self) -> f64 {
        (1.0 - self.p) / self.p
    }
}

impl From<Connectivity> for Row<'_> {
    fn from(connectivity: Connectivity) -> Self {
        Self::new(connectivity)
    }
}
