//! What a regression is to give: numbers, or classes as vectors.

use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};

/// The largest target, and one over the least that the largest may be, see
/// [`LARGEST_KERNEL`](super::spectrum::LARGEST_KERNEL).
pub(super) const LARGEST_TARGET: f64 = 1e50;

/// The most classes that a label, which is a byte, can name.
const LABELS: usize = 1 << u8::BITS;

/// Targets of shape `(samples, outputs)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    values: Array2<f64>,
    /// The class of each sample, where the outputs are classes.
    labels: Option<Vec<u8>>,
}

impl Targets {
    /// Numbers, one column per output.
    ///
    /// # Errors
    /// Where there are none, one is not finite, or the largest is not 0 and not between 1e-50 and 1e50.
    ///
    /// ```
    /// use ndarray::array;
    /// let targets = sparsewidth::regression::Targets::new(array![[0.5], [-1.0]].view())?;
    /// assert_eq!((targets.samples(), targets.outputs()), (2, 1));
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn new(values: ArrayView2<f64>) -> Result<Self> {
        if values.is_empty() {
            let found = format!("shape {:?}", values.dim());
            return Err(Error::value("targets", found, "there is none", "give at least one sample and one output"));
        }
        if let Some(((i, j), value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let found = format!("{value} at ({i}, {j})");
            return Err(Error::value("targets", found, "must be finite", "remove that sample"));
        }
        let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        if largest > 0.0 && !(LARGEST_TARGET.recip()..=LARGEST_TARGET).contains(&largest) {
            let (found, problem) = (format!("up to {largest:.1e}"), "must be between 1e-50 and 1e50");
            return Err(Error::value("targets", found, problem, "rescale them"));
        }
        Ok(Self { values: values.to_owned(), labels: None })
    }

    /// Classes, one output each: `1 - 1/c` for the class of a sample and `-1/c` for the others, of `c`.
    ///
    /// # Errors
    /// Where there are no labels, fewer than two or more than 256 classes, or a label beyond the last class.
    ///
    /// ```
    /// use ndarray::array;
    /// let targets = sparsewidth::regression::Targets::one_hot(&[1, 0], 2)?;
    /// assert_eq!(targets.values(), array![[-0.5, 0.5], [0.5, -0.5]]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn one_hot(labels: &[u8], classes: usize) -> Result<Self> {
        if classes < 2 {
            return Err(Error::value("classes", classes, "one class leaves nothing to classify", "give at least two"));
        }
        if classes > LABELS {
            let problem = "labels are bytes, of at most 256 classes";
            return Err(Error::value("classes", classes, problem, "give 256 at most, or targets of your own"));
        }
        if let Some(label) = labels.iter().find(|label| usize::from(**label) >= classes) {
            let problem = format!("labels of {classes} classes are from 0 to {}", classes - 1);
            return Err(Error::value("labels", label, problem, "give another number of classes"));
        }
        let mut values = Array2::from_elem((labels.len(), classes), -1.0 / classes as f64);
        labels.iter().enumerate().for_each(|(sample, label)| values[[sample, usize::from(*label)]] += 1.0);
        Ok(Self { labels: Some(labels.to_vec()), ..Self::new(values.view())? })
    }

    /// The targets, shape `(samples, outputs)`.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The class of each sample, where the outputs are classes.
    #[must_use]
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.values.nrows()
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.values.ncols()
    }
}

/// The class of each sample: its largest output, the first of equal ones; outputs of shape `(samples, classes)`.
///
/// ```
/// assert_eq!(sparsewidth::regression::classes(ndarray::array![[0.1, 0.3], [0.2, 0.2]].view()), [1, 0]);
/// ```
#[must_use]
pub fn classes(outputs: ArrayView2<f64>) -> Vec<usize> {
    let largest = |row: ndarray::ArrayView1<f64>| {
        let better =
            |best: (usize, f64), (class, value): (usize, f64)| if value > best.1 { (class, value) } else { best };
        row.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), better).0
    };
    outputs.outer_iter().map(largest).collect()
}

/// The share of samples whose class is not their label; outputs of shape `(samples, classes)`.
///
/// # Errors
/// Where there are no samples, the number of labels is another, or an output is NaN.
///
/// ```
/// let outputs = ndarray::array![[0.1, 0.3], [0.2, 0.2]];
/// assert_eq!(sparsewidth::regression::error_rate(outputs.view(), &[1, 1])?, 0.5);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn error_rate(outputs: ArrayView2<f64>, labels: &[u8]) -> Result<f64> {
    if labels.len() != outputs.nrows() || labels.is_empty() {
        let problem = format!("there are {} samples", outputs.nrows());
        return Err(Error::value("labels", labels.len(), problem, "give one label per sample"));
    }
    if let Some(((i, j), _)) = outputs.indexed_iter().find(|(_, output)| output.is_nan()) {
        return Err(Error::value("outputs", format!("NaN at ({i}, {j})"), "has no class", "remove that sample"));
    }
    let wrong = classes(outputs).iter().zip(labels).filter(|(class, label)| **class != usize::from(**label)).count();
    Ok(wrong as f64 / labels.len() as f64)
}
