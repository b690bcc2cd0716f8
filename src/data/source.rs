//! Where inputs come from: the registration of every kind of data.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::found::{self, Found};
use super::{Inputs, LabelledSets, read_npy};
use super::{arrays, gaussian};
use crate::error::{Error, Result};

/// Where inputs come from. Each source has a name, such as `gaussian:12,100`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum DataSource {
    /// `mnist`: the embedded MNIST images.
    Embedded,
    /// A folder: of the four files of MNIST or of those that followed it, of CIFAR's binary files, or of `x_train.npy`
    /// and its like. Or the beginning of the names of files, such as `FOLDER/emnist-letters`, where a folder holds
    /// several data sets.
    Folder(PathBuf),
    /// A `.npy` file of shape `(N, d)`; further dimensions are flattened.
    Npy(PathBuf),
    /// A NumPy archive: of `x_train`, `y_train`, `x_test` and `y_test`, or of one array of inputs.
    Npz(PathBuf),
    /// `gaussian:D` or `gaussian:D,N`: `N` inputs (10,000 unless given) from `N(0, I_D)`.
    Gaussian {
        /// The input dimension.
        dimension: usize,
        /// The number of inputs.
        samples: usize,
    },
}

impl FromStr for DataSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(sizes) = text.trim().to_lowercase().strip_prefix(gaussian::PREFIX) {
            let (dimension, samples) = gaussian::sizes(text, sizes)?;
            return Ok(Self::Gaussian { dimension, samples });
        }
        Ok(match text {
            "" => {
                let problem = "names no data";
                return Err(Error::value(
                    "data",
                    "",
                    problem,
                    "use mnist, a folder, a .npy or .npz file, or gaussian:D",
                ));
            }
            "mnist" => Self::Embedded,
            _ => Self::of_path(Path::new(text)),
        })
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("mnist"),
            Self::Folder(path) | Self::Npy(path) | Self::Npz(path) => {
                let text = path.display().to_string();
                // A folder may have the name of other data.
                let is_of_other = !matches!(text.parse(), Ok(Self::Folder(_) | Self::Npy(_) | Self::Npz(_)));
                write!(f, "{}{text}", if is_of_other { "./" } else { "" })
            }
            Self::Gaussian { dimension, samples } => write!(f, "gaussian:{dimension},{samples}"),
        }
    }
}

impl TryFrom<String> for DataSource {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DataSource> for String {
    fn from(source: DataSource) -> Self {
        source.to_string()
    }
}

impl DataSource {
    /// A `.npy` file, a `.npz` file or a folder, judged by the name alone. Where the name is not UTF-8, records show it
    /// with replacement characters.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        let ends = |ending: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending));
        match (ends("npy"), ends("npz")) {
            (true, _) => Self::Npy(path.into()),
            (_, true) => Self::Npz(path.into()),
            _ => Self::Folder(path.into()),
        }
    }

    /// The dimension `d` of inputs that are drawn with a seed; none of those that are read.
    #[must_use]
    pub fn drawn_dimension(&self) -> Option<usize> {
        match self {
            Self::Gaussian { dimension, .. } => Some(*dimension),
            _ => None,
        }
    }

    /// Whether the inputs are drawn with a seed.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.drawn_dimension().is_some()
    }

    /// The labelled sets, for training.
    ///
    /// # Errors
    /// Where the source has no labels, or cannot be read.
    pub fn labelled(&self) -> Result<LabelledSets> {
        match self.read()? {
            Some(Found::Labelled(sets)) => Ok(sets),
            Some(Found::Unlabelled(unlabelled)) => Err(unlabelled.refusal(self)),
            None => Err(self.without_labels()),
        }
    }

    /// The inputs on which distances are taken: the test images, the rows of an array, or the Gaussian vectors of a
    /// seed. Of images without labels, those of the test, or of training where there are none.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn inputs(&self, seed: u64) -> Result<Inputs> {
        match self.read()? {
            Some(Found::Labelled(sets)) => Ok(Inputs::of_images(&sets.test)),
            Some(Found::Unlabelled(unlabelled)) => Ok(unlabelled.inputs),
            None => self.vectors(seed),
        }
    }

    /// What files hold; none of a source that is vectors by its name alone.
    pub(super) fn read(&self) -> Result<Option<Found>> {
        match self {
            Self::Embedded => LabelledSets::embedded().map(Found::Labelled).map(Some),
            Self::Folder(path) => found::read(path).map(Some),
            Self::Npz(path) => arrays::read_npz(regular(path)?).map(Some),
            Self::Npy(_) | Self::Gaussian { .. } => Ok(None),
        }
    }

    /// The rows of the `.npy` file, or the Gaussian vectors of a seed.
    pub(super) fn vectors(&self, seed: u64) -> Result<Inputs> {
        match self {
            Self::Npy(path) => Ok(Inputs::real(read_npy(regular(path)?)?)),
            Self::Gaussian { dimension, samples } => Ok(Inputs::real(gaussian::draw(*dimension, *samples, seed)?)),
            Self::Embedded | Self::Folder(_) | Self::Npz(_) => self.inputs(seed),
        }
    }

    /// The error where labels are needed of a source that has none by its name.
    pub(super) fn without_labels(&self) -> Error {
        let problem = "images with labels are needed here";
        let remedy = "use mnist (embedded), a folder with MNIST's four files or CIFAR's, or arrays x_train, y_train, x_test \
                      and y_test in an .npz file or as .npy files in a folder";
        Error::value("data", self, problem, remedy)
    }
}

/// A path that is no pipe: a resumed study reads it again, which a pipe cannot serve.
fn regular(path: &Path) -> Result<&Path> {
    match path.metadata() {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(Error::file(path, "is a pipe or a device, not a file", "write it to a file first"))
        }
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_named_like_data_keep_their_names() {
        for name in ["mnist", "gaussian:5"] {
            let source = DataSource::Folder(name.into());
            let written = source.to_string();
            let read: DataSource = written.parse().unwrap();
            assert!(matches!(&read, DataSource::Folder(path) if path.ends_with(name)), "{written}");
        }
    }

    #[test]
    fn sizes_that_no_memory_holds_are_refused() {
        for (dimension, samples) in [(usize::MAX, 2), (1 << 20, 1 << 20), (0, 5), (5, 1)] {
            assert!(DataSource::Gaussian { dimension, samples }.inputs(0).is_err());
        }
    }

    #[test]
    fn sources_round_trip_through_their_names() {
        for name in ["mnist", "some/folder", "x.npy", "x.npz", "gaussian:12,100"] {
            assert_eq!(name.parse::<DataSource>().unwrap().to_string(), name);
        }
        for (name, read) in [
            ("gaussian:12", "gaussian:12,10000"),
            ("Gaussian:1e2, 1_000", "gaussian:100,1000"),
            ("gaussian:784,10,000", "gaussian:784,10000"),
            ("x.NPY", "x.NPY"),
        ] {
            assert_eq!(name.parse::<DataSource>().unwrap().to_string(), read);
        }
        assert_eq!("x.NPY".parse::<DataSource>().unwrap(), DataSource::Npy("x.NPY".into()));
        assert_eq!(".npy".parse::<DataSource>().unwrap(), DataSource::Folder(".npy".into()));
        for name in
            ["gaussian:", "gaussian:0", "gaussian:-3", "gaussian:3,", "gaussian:3,0", "gaussian:1,000", "gaussian:0.5"]
        {
            assert!(name.parse::<DataSource>().is_err(), "{name}");
        }
    }

    #[test]
    fn gaussian_rows_do_not_depend_on_how_many_are_drawn() {
        let few = DataSource::Gaussian { dimension: 5, samples: 2 }.inputs(3).unwrap().values;
        let many = DataSource::Gaussian { dimension: 5, samples: 4 }.inputs(3).unwrap().values;
        assert_eq!(few, many.slice(ndarray::s![..2, ..]));
    }
}
