//! The eigenvalues of a kernel matrix, and how it goes with the targets.

use ndarray::{Array1, ArrayView2, Axis};

use super::targets::Targets;
use crate::error::{Error, Result};

/// The largest entry that a kernel matrix may have, and one over the least that its largest may be: squares and
/// inverses are numbers of double precision.
pub(super) const LARGEST_KERNEL: f64 = 1e150;

/// The largest of some entries by magnitude, 0 where all vanish.
pub(super) fn check_scale(entries: impl IntoIterator<Item = f64>) -> Result<f64> {
    let mut largest = 0.0f64;
    for entry in entries {
        if !entry.is_finite() {
            return Err(Error::value("kernel", entry, "entries must be finite", "remove that sample"));
        }
        largest = largest.max(entry.abs());
    }
    if largest == 0.0 || (LARGEST_KERNEL.recip()..=LARGEST_KERNEL).contains(&largest) {
        return Ok(largest);
    }
    let (found, problem) = (format!("entries of up to {largest:.1e}"), "must be between 1e-150 and 1e150");
    Err(Error::value("kernel", found, problem, "rescale the kernel, or the inputs"))
}

/// The eigenvalues `s_1 <= ... <= s_m` of a kernel matrix; those that rounding made negative are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    pub(super) values: Array1<f64>,
    /// Eigenvalues below this may be 0: the matrix is not known more precisely.
    pub(super) rounding: f64,
}

impl Spectrum {
    /// The eigenvalues in increasing order, none negative.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        self.values.as_slice().expect("an owned vector is contiguous")
    }

    /// Eigenvalues below this may be 0: the matrix is not known more precisely.
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

    /// `s_m / s_1`, the largest eigenvalue over the smallest; none where the smallest may be 0
    /// ([`Spectrum::rounding`]), so that the matrix is singular as far as its precision goes.
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
/// Where the shapes do not fit, the kernel or the targets vanish, or the kernel's largest entry is not between 1e-150
/// and 1e150.
///
/// ```
/// use sparsewidth::regression::{Targets, alignment};
/// let targets = Targets::new(ndarray::array![[1.0], [-1.0]].view())?;
/// let kernel = ndarray::array![[1.0, -1.0], [-1.0, 1.0]];
/// assert!((alignment(kernel.view(), &targets)? - 1.0).abs() < 1e-15);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn alignment(kernel: ArrayView2<f64>, targets: &Targets) -> Result<f64> {
    let largest = check(kernel, targets)?;
    ratio((&kernel / largest).view(), targets.values())
}

/// The same for the kernel whose features have mean 0 over the samples, `H K H` with `H = I - 1 1^T / m`, from 0 to 1
/// (Cortes, Mohri and Rostamizadeh, "Algorithms for learning kernels based on centered alignment", JMLR 13, 2012).
///
/// # Errors
/// As [`alignment`]; the kernel vanishes too where it is the same for all samples but for rounding, and the targets
/// where they are.
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
    let largest = check(kernel, targets)?;
    let samples = kernel.nrows() as f64;
    let mut centred = &kernel / largest;
    let before = norm(centred.view());
    let means = centred.mean_axis(Axis(1)).expect("targets are not empty: checked where they are made");
    let mean = means.sum() / samples;
    centred.indexed_iter_mut().for_each(|((i, j), entry)| *entry += mean - means[i] - means[j]);
    let of_targets = targets.values().mean_axis(Axis(0)).expect("targets are not empty: checked where they are made");
    let values = &targets.values() - &of_targets;
    // What sums of that many terms leave of 0.
    let rounding = samples * f64::EPSILON;
    if norm(centred.view()) <= rounding * before || norm(values.view()) <= rounding * norm(targets.values()) {
        return Err(vanish());
    }
    ratio(centred.view(), values.view())
}

/// The largest entry by magnitude, which is not 0.
fn check(kernel: ArrayView2<f64>, targets: &Targets) -> Result<f64> {
    if kernel.dim() != (targets.samples(), targets.samples()) {
        let problem = format!("there are targets of {} samples", targets.samples());
        let remedy = "give a row and a column per sample";
        return Err(Error::value("kernel", format!("shape {:?}", kernel.dim()), problem, remedy));
    }
    match check_scale(kernel.iter().copied())? {
        0.0 => Err(vanish()),
        largest => Ok(largest),
    }
}

fn vanish() -> Error {
    let problem = "the kernel vanishes, or the targets do";
    Error::value("kernel", "nothing to align", problem, "give other inputs or targets")
}

/// Frobenius' norm.
fn norm(matrix: ArrayView2<f64>) -> f64 {
    matrix.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

/// `<K, Y Y^T> / (|K| |Y Y^T|)` with entries of at most 1 in `K`.
fn ratio(kernel: ArrayView2<f64>, values: ArrayView2<f64>) -> Result<f64> {
    let of_targets = norm(values.t().dot(&values).view());
    if of_targets == 0.0 {
        return Err(vanish());
    }
    Ok((kernel.dot(&values) * values).sum() / (norm(kernel) * of_targets))
}
