//! A data set that is opened once.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::arrays;
use super::found::{Found, Unlabelled};
use super::npy::of_npy_bytes;
use super::{DataSource, Inputs, LabelledSets, Normalisation};
use crate::error::{Error, Result};

/// A data set, named by its source. It is read at its first use and then kept; clones share what was read, so a whole
/// command opens its data once.
///
/// ```
/// use sparsewidth::data::Dataset;
/// let data: Dataset = "gaussian:12,100".parse()?;
/// assert_eq!(data.dimension()?, 12);
/// let (inputs, again) = (data.inputs(0)?, data.clone().inputs(0)?);
/// assert!(std::sync::Arc::ptr_eq(&inputs, &again));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(from = "DataSource", into = "DataSource")]
pub struct Dataset {
    source: DataSource,
    opened: Arc<Opened>,
}

/// What was read from a source.
#[derive(Debug, Default)]
struct Opened {
    contents: Mutex<Option<Contents>>,
    /// The inputs, with the seed for which they were read or drawn.
    inputs: Mutex<Option<(u64, Arc<Inputs>)>>,
}

/// What a source holds.
#[derive(Clone, Debug)]
enum Contents {
    Labelled(Arc<LabelledSets>),
    Unlabelled(Arc<Unlabelled>),
    /// Neither images nor labels, by its name.
    Vectors,
}

impl From<Found> for Contents {
    fn from(found: Found) -> Self {
        match found {
            Found::Labelled(sets) => Self::Labelled(Arc::new(sets)),
            Found::Unlabelled(unlabelled) => Self::Unlabelled(Arc::new(unlabelled)),
        }
    }
}

impl Dataset {
    /// The data in the bytes of a `.npy` or `.npz` file, by the ending of `name`, which stands for it in records: for
    /// programs that hold arrays in memory. The records are those of a file with these bytes.
    ///
    /// ```
    /// use sparsewidth::data::Dataset;
    /// let mut bytes = Vec::new();
    /// ndarray_npy::WriteNpyExt::write_npy(&ndarray::array![[1.0, 2.0], [3.0, 4.0], [0.5, -1.0]], &mut bytes).unwrap();
    /// assert_eq!(Dataset::from_bytes("mine.npy", &bytes)?.inputs(0)?.values.dim(), (3, 2));
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the name has neither ending, or a file of these bytes would be refused.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let source = DataSource::of_path(Path::new(name));
        let path = Path::new(name);
        let opened = Opened::default();
        match source {
            DataSource::Npz(_) => {
                *lock(&opened.contents) = Some(arrays::of_npz_bytes(bytes, path)?.into());
            }
            DataSource::Npy(_) => {
                *lock(&opened.contents) = Some(Contents::Vectors);
                *lock(&opened.inputs) = Some((0, Arc::new(Inputs::real(of_npy_bytes(bytes, path)?))));
            }
            _ => return Err(Error::value("name", name, "ends neither in .npy nor in .npz", "give it such an ending")),
        }
        Ok(Self { source, opened: Arc::new(opened) })
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> &DataSource {
        &self.source
    }

    fn contents(&self) -> Result<Contents> {
        let mut contents = lock(&self.opened.contents);
        if let Some(known) = &*contents {
            return Ok(known.clone());
        }
        let read = match self.source.read()? {
            Some(found) => found.into(),
            None => Contents::Vectors,
        };
        *contents = Some(read.clone());
        Ok(read)
    }

    /// Whether it is images with labels, which networks can be trained on.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn has_labels(&self) -> Result<bool> {
        Ok(matches!(self.contents()?, Contents::Labelled(_)))
    }

    /// The number of classes of its labels; 0 where it has none.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn classes(&self) -> Result<usize> {
        Ok(match self.contents()? {
            Contents::Labelled(sets) => sets.classes(),
            _ => 0,
        })
    }

    /// The normalisation used where none is given: the paper's for images, none for other data.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn usual_normalisation(&self) -> Result<Normalisation> {
        Ok(match self.contents()? {
            Contents::Labelled(_) => Normalisation::Pixel,
            Contents::Unlabelled(unlabelled) if unlabelled.are_images => Normalisation::Pixel,
            _ => Normalisation::None,
        })
    }

    /// The training set and the test set, with labels.
    ///
    /// # Errors
    /// Where the source has no labels, or cannot be read.
    pub fn labelled(&self) -> Result<Arc<LabelledSets>> {
        match self.contents()? {
            Contents::Labelled(sets) => Ok(sets),
            Contents::Unlabelled(unlabelled) => Err(unlabelled.refusal(&self.source)),
            Contents::Vectors => Err(self.source.without_labels()),
        }
    }

    /// The same, for networks to be trained on.
    ///
    /// # Errors
    /// As [`Dataset::labelled`], and where all labels are the same.
    pub fn to_learn(&self) -> Result<Arc<LabelledSets>> {
        let sets = self.labelled()?;
        if sets.classes() > 1 {
            return Ok(sets);
        }
        let problem = format!("all of its labels are {}, so there is nothing to learn", sets.labels[0]);
        Err(Error::value("data", &self.source, problem, "give labels of two classes or more"))
    }

    /// The inputs on which distances are taken, see [`DataSource::inputs`].
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn inputs(&self, seed: u64) -> Result<Arc<Inputs>> {
        let mut inputs = lock(&self.opened.inputs);
        if let Some((drawn_with, known)) = &*inputs
            && (!self.source.is_drawn() || *drawn_with == seed)
        {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(match self.contents()? {
            Contents::Labelled(sets) => Inputs::of_images(&sets.test),
            Contents::Unlabelled(unlabelled) => unlabelled.inputs.clone(),
            Contents::Vectors => self.source.vectors(seed)?,
        });
        *inputs = Some((seed, Arc::clone(&read)));
        Ok(read)
    }

    /// The dimension `d` of its inputs.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn dimension(&self) -> Result<usize> {
        if let Some(dimension) = self.source.drawn_dimension() {
            return Ok(dimension);
        }
        match self.contents()? {
            Contents::Labelled(sets) => Ok(sets.test.images.ncols()),
            _ => Ok(self.inputs(0)?.values.ncols()),
        }
    }
}

/// Locks, even after another thread panicked while reading: what is stored is always complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Data sets are equal where their sources are.
impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl From<DataSource> for Dataset {
    fn from(source: DataSource) -> Self {
        Self { source, opened: Arc::default() }
    }
}

impl From<Dataset> for DataSource {
    fn from(data: Dataset) -> Self {
        data.source
    }
}

impl FromStr for Dataset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(DataSource::into)
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_once_and_again_for_another_seed() {
        let data = Dataset::from(DataSource::Gaussian { dimension: 3, samples: 4 });
        let first = data.inputs(1).unwrap();
        assert!(Arc::ptr_eq(&first, &data.inputs(1).unwrap()));
        let other = data.inputs(2).unwrap();
        assert!(!Arc::ptr_eq(&first, &other) && first.values != other.values);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        ndarray_npy::write_npy(&path, &ndarray::array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
        let data = Dataset::from(DataSource::Npy(path.clone()));
        assert_eq!(data.dimension().unwrap(), 2);
        std::fs::remove_file(path).unwrap();
        assert_eq!(data.clone().inputs(7).unwrap().values[[1, 0]], 3.0);
        assert!(data.labelled().is_err() && data.classes().unwrap() == 0);
    }
}
