//! The eigenvalues of a kernel matrix, and how it goes with the targets.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::targets::Targets;
use crate::error::{Error, Result};

/// The eigenvalues `s_1 <= ... <= s_m` of a kernel matrix; those that rounding made negative are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    pub(super) values: Array1<f64>,
    /// Eigenvalues below this are not told from 0 by the precision of the matrix.
    pub(super) rounding: f64,
}

impl Spectrum {
    /// The eigenvalues in increasing order, none negative.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        self.values.as_slice().expect("an owned vector is contiguous")
    }

    /// What the precision of the matrix does not tell from 0.
    #[must_use]
    pub fn rounding(&self) -> f64 {
        self.rounding
    }

    /// `tr K`, the sum of the eigenvalues.
    #[must_use]
    pub fn trace(&self) -> f64 {
        self.values.sum()
    }

    /// `exp(-sum_i q_i ln q_i)` with `q_i = s_i / tr K`, from 1 to `m` (Roy and Vetterli, "The effective rank",
    /// EUSIPCO 2007); 0 for a kernel that vanishes.
    #[must_use]
    pub fn effective_rank(&self) -> f64 {
        let trace = self.trace();
        if trace == 0.0 {
            return 0.0;
        }
        let shares = self.values.iter().map(|value| value / trace).filter(|share| *share > 0.0);
        (-shares.map(|share| share * share.ln()).sum::<f64>()).exp()
    }

    /// `s_m / s_1`, the largest eigenvalue over the smallest; none where the smallest is not told from 0, so that the
    /// matrix is singular as far as its precision goes.
    #[must_use]
    pub fn condition_number(&self) -> Option<f64> {
        let (smallest, largest) = (self.values[0], self.values[self.values.len() - 1]);
        (smallest > self.rounding).then(|| largest / smallest)
    }

    /// `sum_i s_i / (s_i + alpha)`, the degrees of freedom of ridge regression, from 0 to `m` (Hastie, Tibshirani and
    /// Friedman, The Elements of Statistical Learning, 2009, Section 3.4).
    #[must_use]
    pub fn degrees_of_freedom(&self, alpha: f64) -> f64 {
        self.values.iter().filter(|value| **value > 0.0).map(|value| value / (value + alpha)).sum()
    }
}

/// Kernel-target alignment, `<K, Y Y^T> / (|K| |Y Y^T|)` with Frobenius' product and norm, from 0 to 1 (Cristianini,
/// Shawe-Taylor, Elisseeff and Kandola, "On kernel-target alignment", NIPS 2001); `K` of shape `(m, m)`.
///
/// # Errors
/// Where the shapes do not fit, or the kernel vanishes.
///
/// ```
/// use sparsewidth::regression::{Targets, alignment};
/// let targets = Targets::new(ndarray::array![[1.0], [-1.0]].view())?;
/// let kernel = ndarray::array![[1.0, -1.0], [-1.0, 1.0]];
/// assert!((alignment(kernel.view(), &targets)? - 1.0).abs() < 1e-15);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn alignment(kernel: ArrayView2<f64>, targets: &Targets) -> Result<f64> {
    check(kernel, targets)?;
    let square = kernel.iter().map(|entry| entry * entry).sum();
    ratio(kernel, targets.values().to_owned(), square)
}

/// The same for the kernel whose features have mean 0 over the samples, `H K H` with `H = I - 1 1^T / m`, from 0 to 1
/// (Cortes, Mohri and Rostamizadeh, "Algorithms for learning kernels based on centered alignment", JMLR 13, 2012).
///
/// # Errors
/// As [`alignment`].
///
/// ```
/// use sparsewidth::regression::{Targets, centred_alignment};
/// let targets = Targets::new(ndarray::array![[1.0], [-1.0]].view())?;
/// // A constant in the kernel does not matter.
/// let kernel = ndarray::array![[8.0, 6.0], [6.0, 8.0]];
/// assert!((centred_alignment(kernel.view(), &targets)? - 1.0).abs() < 1e-15);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn centred_alignment(kernel: ArrayView2<f64>, targets: &Targets) -> Result<f64> {
    check(kernel, targets)?;
    let samples = kernel.nrows() as f64;
    let means: Vec<f64> = kernel.outer_iter().map(|row| row.sum() / samples).collect();
    let mean = means.iter().sum::<f64>() / samples;
    let centred = kernel.indexed_iter().map(|((i, j), entry)| entry - means[i] - means[j] + mean);
    let square = centred.map(|entry| entry * entry).sum();
    // With targets `Z = H Y`, `<H K H, Z Z^T> = <K, Z Z^T>`.
    let of_targets = targets.values().mean_axis(Axis(0)).expect("targets are not empty: checked where they are made");
    ratio(kernel, &targets.values() - &of_targets, square)
}

fn check(kernel: ArrayView2<f64>, targets: &Targets) -> Result<()> {
    if kernel.dim() == (targets.samples(), targets.samples()) {
        return Ok(());
    }
    let problem = format!("there are targets of {} samples", targets.samples());
    Err(Error::value("kernel", format!("shape {:?}", kernel.dim()), problem, "give a row and a column per sample"))
}

/// `<K, Y Y^T> / (sqrt(square) |Y Y^T|)`.
fn ratio(kernel: ArrayView2<f64>, values: Array2<f64>, square: f64) -> Result<f64> {
    let product = (kernel.dot(&values) * &values).sum();
    let of_targets = values.t().dot(&values).iter().map(|entry| entry * entry).sum::<f64>().sqrt();
    let norms = square.sqrt() * of_targets;
    if norms > 0.0 && norms.is_finite() && product.is_finite() {
        return Ok(product / norms);
    }
    let problem = "the kernel or the targets vanish, or are beyond double precision";
    Err(Error::value("kernel", format!("norm {norms}"), problem, "give other inputs, or rescale them"))
}
