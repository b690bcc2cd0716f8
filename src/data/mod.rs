//! Inputs: MNIST (embedded or from a folder), `.npy` files and synthetic Gaussian data, and their normalisation.
//!
//! ```
//! use sparsewidth::data::{DataSource, Normalisation};
//! // The embedded test images, each pixel shifted and scaled to mean 0 and variance 1 over them.
//! let images = DataSource::Embedded.inputs(0)?.normalised(Normalisation::Pixel)?;
//! assert_eq!(images.dim(), (10_000, 784));
//! // 100 standard Gaussian vectors of dimension 12.
//! let vectors = "gaussian:12,100".parse::<DataSource>()?.inputs(0)?;
//! assert_eq!(vectors.values.dim(), (100, 12));
//! # Ok::<(), sparsewidth::Error>(())
//! ```

mod dataset;
pub mod idx;
mod mnist;
mod normalise;
mod npy;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use dataset::Dataset;
pub use mnist::{CLASSES, Labelled, Mnist, SUBSET_SEED, SUBSET_SIZE};
pub use normalise::{GlobalScale, Normalisation, Normaliser};
pub use npy::read_npy;

use crate::error::{Error, Result};
use crate::numeric::parse;
use crate::numeric::random::{Purpose, Stream};

/// The most synthetic entries: 2 GB in double precision, and as much again while they are normalised.
const MAX_ENTRIES: usize = 250_000_000;

/// Where inputs come from, also by name, as `gaussian:12,100`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataSource {
    /// `mnist`: the embedded MNIST images.
    Embedded,
    /// A folder with the four MNIST files.
    Folder(PathBuf),
    /// A `.npy` file of shape `(N, d)`, f32 or f64.
    Npy(PathBuf),
    /// `gaussian:D` or `gaussian:D,N`: `N` inputs (10,000 unless said) from `N(0, I_D)`.
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
        if let Some(sizes) = text.trim().to_lowercase().strip_prefix("gaussian:") {
            let (dimension, samples) = sizes.split_once(',').unwrap_or((sizes, "10000"));
            let size = |part: &str, least| match parse::listed_count(part.trim()) {
                Ok(size) => Ok(Some(size).filter(|size| (least..=MAX_ENTRIES).contains(size))),
                Err(error) => {
                    let problem = format!("{:?} {}", part.trim(), error.problem);
                    Err(Error::value("data", text, problem, "write for instance gaussian:784 or gaussian:784,1000"))
                }
            };
            return match (size(dimension, 1)?, size(samples, 2)?) {
                (Some(dimension), Some(samples)) if dimension * samples <= MAX_ENTRIES => {
                    Ok(Self::Gaussian { dimension, samples })
                }
                _ => Err(Error::value(
                    "data",
                    text,
                    format!(
                        "the dimension must be at least 1, the samples at least 2, their product at most {MAX_ENTRIES}"
                    ),
                    "write for instance gaussian:784 or gaussian:784,1000",
                )),
            };
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
            Self::Folder(path) | Self::Npy(path) => write!(f, "{}", path.display()),
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

/// What the entries of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Pixels of MNIST, 0 to 255.
    Mnist,
    /// Pixels of other images, 0 to 255.
    Bytes,
    /// Any numbers.
    Real,
}

impl Values {
    /// What they are counted in where means and deviations are told.
    fn unit(self) -> f64 {
        match self {
            Self::Mnist | Self::Bytes => 255.0,
            Self::Real => 1.0,
        }
    }
}

/// Unlabelled inputs, not yet normalised.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Shape `(samples, d)`.
    pub values: Array2<f64>,
    /// What they are.
    pub kind: Values,
    /// SHA-256 of the values as read, as hexadecimal.
    pub checksum: String,
}

impl Inputs {
    /// Images without their labels.
    pub(crate) fn of_images(images: &Labelled) -> Self {
        Self { values: images.images.mapv(f64::from), kind: images.kind(), checksum: images.checksum.clone() }
    }

    /// The map of a normalisation, by the statistics of the inputs themselves.
    ///
    /// # Errors
    /// See [`Normaliser::fit`].
    pub fn normaliser(&self, normalisation: Normalisation) -> Result<Normaliser> {
        Normaliser::fit(normalisation, &self.values, self.kind)
    }

    /// Normalises the inputs by their own statistics, shape `(samples, d)`.
    ///
    /// # Errors
    /// See [`Normaliser::fit`].
    pub fn normalised(&self, normalisation: Normalisation) -> Result<Array2<f64>> {
        self.normaliser(normalisation)?.apply(self.values.clone())
    }
}

impl DataSource {
    /// A `.npy` file, or a folder: by its name alone. Where that is no UTF-8, records show it with replacement characters.
    pub fn of_path(path: &Path) -> Self {
        match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
            true => Self::Npy(path.into()),
            false => Self::Folder(path.into()),
        }
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

    /// The inputs on which distances are taken: the test images, the rows of the `.npy` file, or the Gaussian vectors of
    /// a seed.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn inputs(&self, seed: u64) -> Result<Inputs> {
        match self {
            Self::Embedded | Self::Folder(_) => Ok(Inputs::of_images(&self.labelled()?.test)),
            Self::Npy(path) => {
                // It is read more than once.
                if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
                    return Err(Error::file(path, "is a pipe or a device, no file", "write it to a file first"));
                }
                Ok(real(read_npy(path)?))
            }
            Self::Gaussian { dimension, samples } => {
                let mut values = Array2::zeros((*samples, *dimension));
                for (index, mut row) in values.rows_mut().into_iter().enumerate() {
                    let mut stream = Stream::new(seed, Purpose::Synthetic, index as u32, 0);
                    row.mapv_inplace(|_: f64| StandardNormal.sample(&mut stream));
                }
                Ok(real(values))
            }
        }
    }
}

fn real(values: Array2<f64>) -> Inputs {
    let mut digest = Sha256::new();
    values.iter().for_each(|value| digest.update(value.to_le_bytes()));
    Inputs { values, kind: Values::Real, checksum: hexadecimal(digest) }
}

/// A finished digest as text.
fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
