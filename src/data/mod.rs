//! Inputs: MNIST (embedded or from a folder) and data like it, CIFAR, NumPy arrays and synthetic Gaussian data, and
//! their normalisation.
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

mod arrays;
mod cifar;
mod dataset;
mod found;
mod gaussian;
pub mod idx;
mod inputs;
mod labelled;
mod mnist;
mod normalise;
mod npy;
mod prepared;
mod source;
mod splits;

pub use dataset::Dataset;
pub use inputs::{Inputs, Values};
pub use labelled::{Images, Labelled, LabelledSets};
pub use mnist::{CLASSES, SUBSET_SEED, SUBSET_SIZE};
pub use normalise::{GlobalScale, Normalisation, Normaliser};
pub use npy::read_npy;
pub use prepared::{PreparedInputs, pair_count, random_pairs};
pub use source::DataSource;

use sha2::{Digest, Sha256};

/// A finished digest as text.
fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
