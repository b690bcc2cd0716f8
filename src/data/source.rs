//! Where inputs come from: the registration of every kind of data.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::gaussian;
use super::{Inputs, Mnist, read_npy};
use crate::error::{Error, Result};

/// Where inputs come from. Each source has a name, such as `gaussian:12,100`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum DataSource {
    /// `mnist`: the embedded MNIST images.
    Embedded,
    /// A folder with the four MNIST files.
    Folder(PathBuf),
    /// A `.npy` file of shape `(N, d)`, f32 or f64.
    Npy(PathBuf),
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
                return Err(Error::value("data", "", problem, "use mnist, a folder, a .npy file or gaussian:D"));
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
            Self::Folder(path) | Self::Npy(path) => {
                let text = path.display().to_string();
                // A folder may have the name of other data.
                let is_of_other = !matches!(text.parse(), Ok(Self::Folder(_) | Self::Npy(_)));
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
    /// A `.npy` file or a folder, judged by the name alone. Where the name is not UTF-8, records show it with
    /// replacement characters.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
            true => Self::Npy(path.into()),
            false => Self::Folder(path.into()),
        }
    }

    /// Whether it is images with labels, which networks can be trained on.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        matches!(self, Self::Embedded | Self::Folder(_))
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
    pub fn labelled(&self) -> Result<Mnist> {
        match self {
            Self::Embedded => Mnist::embedded(),
            Self::Folder(folder) => Mnist::from_folder(folder),
            Self::Npy(_) | Self::Gaussian { .. } => Err(Error::value(
                "data",
                self,
                "images with labels are needed here",
                "use mnist (embedded) or a folder with the four MNIST files",
            )),
        }
    }

    /// The inputs on which distances are taken: the test images, the rows of the `.npy` file, or the Gaussian vectors
    /// of a seed.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn inputs(&self, seed: u64) -> Result<Inputs> {
        match self {
            Self::Embedded | Self::Folder(_) => Ok(Inputs::of_images(&self.labelled()?.test)),
            Self::Npy(path) => {
                // A resumed study reads it again, which a pipe cannot serve.
                if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
                    return Err(Error::file(path, "is a pipe or a device, not a file", "write it to a file first"));
                }
                Ok(Inputs::real(read_npy(path)?))
            }
            Self::Gaussian { dimension, samples } => Ok(Inputs::real(gaussian::draw(*dimension, *samples, seed)?)),
        }
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
        for name in ["mnist", "some/folder", "x.npy", "gaussian:12,100"] {
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
