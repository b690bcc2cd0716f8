//! Images with labels: a training set and a test set of any source.

use std::path::Path;

use ndarray::{Array2, Axis};
use sha2::{Digest, Sha256};

use super::mnist;
use super::{Values, hexadecimal};
use crate::error::{Error, Result};
use crate::numeric::random::subset;

/// The most classes: a class is a byte.
const MOST_CLASSES: usize = 256;
/// The largest label: integers up to here are exact in double precision.
pub(super) const LARGEST_LABEL: i64 = 1 << 53;

/// Images in rows, shape `(samples, pixels)`.
///
/// ```
/// use sparsewidth::data::Images;
/// let images = Images::from(ndarray::array![[0u8, 255], [128, 0]]);
/// assert_eq!((images.nrows(), images.ncols(), images.to_real()[[0, 1]]), (2, 2, 255.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Images {
    /// Pixels from 0 to 255.
    Bytes(Array2<u8>),
    /// Any numbers.
    Real(Array2<f64>),
}

impl From<Array2<u8>> for Images {
    fn from(bytes: Array2<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Array2<f64>> for Images {
    fn from(values: Array2<f64>) -> Self {
        Self::Real(values)
    }
}

impl Images {
    /// The number of images.
    #[must_use]
    pub fn nrows(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.nrows(),
            Self::Real(values) => values.nrows(),
        }
    }

    /// The number of pixels of an image, its colours included.
    #[must_use]
    pub fn ncols(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.ncols(),
            Self::Real(values) => values.ncols(),
        }
    }

    /// The pixels as numbers, not scaled.
    #[must_use]
    pub fn to_real(&self) -> Array2<f64> {
        match self {
            Self::Bytes(bytes) => bytes.mapv(f64::from),
            Self::Real(values) => values.clone(),
        }
    }

    /// The chosen images, in the order given.
    fn select(&self, chosen: &[usize]) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.select(Axis(0), chosen)),
            Self::Real(values) => Self::Real(values.select(Axis(0), chosen)),
        }
    }
}

/// Images with their labels.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Shape `(samples, pixels)`, rows of pixels one after the other.
    pub images: Images,
    /// Rows and columns of one image; colours count as columns, or as rows where they are planes.
    pub shape: (usize, usize),
    /// The class of each sample, numbered from 0.
    pub labels: Vec<u8>,
    /// SHA-256 of the images and then the labels as stored, unpacked, as hexadecimal.
    pub checksum: String,
}

/// A training set and a test set.
///
/// ```
/// # #[cfg(feature = "embedded")] {
/// use sparsewidth::data::LabelledSets;
/// let mnist = LabelledSets::embedded()?;
/// assert_eq!((mnist.train.len(), mnist.test.len(), mnist.classes()), (2_048, 10_000, 10));
/// # }
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LabelledSets {
    /// The training images.
    pub train: Labelled,
    /// The test images.
    pub test: Labelled,
    /// The labels that occur in either set, in rising order: class `c` is the `c`-th of them. EMNIST's letters, 1 to
    /// 26, are 26 classes.
    pub labels: Vec<i64>,
}

impl LabelledSets {
    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.labels.len()
    }

    /// Numbers the classes of two sets; `path` is where they come from, for the messages.
    ///
    /// # Errors
    /// Where their images differ in size, or there are more than 256 labels.
    pub(super) fn new(train: Unnumbered, test: Unnumbered, path: &Path) -> Result<Self> {
        let sizes = |set: &Unnumbered| (set.shape, set.images.ncols());
        if sizes(&train) != sizes(&test) {
            let problem = format!("training images are {:?}, test images {:?}", train.shape, test.shape);
            return Err(Error::file(path, problem, "give files of one data set"));
        }
        let mut labels: Vec<i64> = train.labels.iter().chain(&test.labels).copied().collect();
        labels.sort_unstable();
        labels.dedup();
        if labels.len() > MOST_CLASSES {
            let problem = format!("has {} different labels, and at most {MOST_CLASSES} are classes", labels.len());
            return Err(Error::file(path, problem, "give labels of classes, not of numbers to predict"));
        }
        Ok(Self { train: train.number(&labels), test: test.number(&labels), labels })
    }
}

/// One set, whose labels are as stored.
#[derive(Debug)]
pub(super) struct Unnumbered {
    images: Images,
    shape: (usize, usize),
    labels: Vec<i64>,
    checksum: String,
}

impl Unnumbered {
    /// Joins images with as many labels. `stored` are both as stored, for the checksum; the paths, which are those of
    /// the images and of the labels, are for the messages.
    pub(super) fn new(
        (images, shape): (Images, (usize, usize)),
        labels: Vec<i64>,
        stored: &[&[u8]],
        (images_path, labels_path): (&Path, &Path),
    ) -> Result<Self> {
        let samples = images.nrows();
        if samples != labels.len() {
            let problem = format!("{} labels for {samples} images in {}", labels.len(), images_path.display());
            return Err(Error::file(labels_path, problem, "give the label file that belongs to the images"));
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|(_, label)| !(0..LARGEST_LABEL).contains(*label))
        {
            let problem = format!("label {index} is {label}, not 0 or a positive number up to 2^53");
            return Err(Error::file(labels_path, problem, "give the classes as numbers from 0 on"));
        }
        Ok(Self { images, shape, labels, checksum: checksum(stored) })
    }

    fn number(self, labels: &[i64]) -> Labelled {
        let class = |label: &i64| labels.binary_search(label).expect("every label is among those of both sets") as u8;
        let Self { images, shape, labels, checksum } = self;
        Labelled { images, shape, labels: labels.iter().map(class).collect(), checksum }
    }
}

/// SHA-256 of some parts, one after the other.
pub(super) fn checksum(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    hexadecimal(digest)
}

impl Labelled {
    /// What the pixels are: MNIST's, judged by the checksum, other bytes, or any numbers.
    #[must_use]
    pub fn kind(&self) -> Values {
        match self.images {
            Images::Bytes(_) if mnist::CHECKSUMS.contains(&self.checksum.as_str()) => Values::Mnist,
            Images::Bytes(_) => Values::Bytes,
            Images::Real(_) => Values::Real,
        }
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples; never true of a set that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// A uniformly random subset of `count` samples, in their order; all samples where there are no more than `count`.
    ///
    /// The embedded training images are `subset(SUBSET_SIZE, SUBSET_SEED)` of the full 60,000. The checksum stays that
    /// of the files.
    #[must_use]
    pub fn subset(&self, count: usize, seed: u64) -> Self {
        self.select(&subset(self.len(), count.min(self.len()), seed))
    }

    /// The chosen samples, in the order given. The checksum stays that of the files.
    pub(crate) fn select(&self, chosen: &[usize]) -> Self {
        Self {
            images: self.images.select(chosen),
            shape: self.shape,
            labels: chosen.iter().map(|index| self.labels[*index]).collect(),
            checksum: self.checksum.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[i64]) -> Result<Unnumbered> {
        let images = Images::from(Array2::<u8>::zeros((labels.len(), 4)));
        Unnumbered::new((images, (2, 2)), labels.to_vec(), &[b"x"], (Path::new("x"), Path::new("y")))
    }

    #[test]
    fn classes_are_numbered_by_the_labels_of_both_sets() {
        let sets = LabelledSets::new(set(&[26, 1, 7]).unwrap(), set(&[7, 3]).unwrap(), Path::new("d")).unwrap();
        assert_eq!((sets.labels.as_slice(), sets.classes()), (&[1, 3, 7, 26][..], 4));
        assert_eq!((sets.train.labels, sets.test.labels), (vec![3, 0, 2], vec![2, 1]));
        let many: Vec<i64> = (0..257).collect();
        let error = LabelledSets::new(set(&many).unwrap(), set(&[0]).unwrap(), Path::new("d")).unwrap_err();
        assert!(error.to_string().contains("257 different labels"), "{error}");
        assert!(set(&[0, -1]).unwrap_err().to_string().contains("label 1 is -1"));
    }
}
