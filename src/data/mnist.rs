//! MNIST: the embedded subset, and how its files are known.

#[cfg(feature = "embedded")]
use std::path::Path;

use super::LabelledSets;
#[cfg(feature = "embedded")]
use super::{idx, labelled::Unnumbered};
use crate::error::{Error, Result};

/// The seed by which the embedded 2,048 training images were chosen, through
/// [`subset`](crate::numeric::random::subset).
pub const SUBSET_SEED: u64 = 201_014_495;
/// The number of embedded training images, the paper's.
pub const SUBSET_SIZE: usize = 2048;
/// The classes of MNIST, 0 to 9, and so the outputs of the paper's networks.
pub const CLASSES: usize = 10;

#[cfg(feature = "embedded")]
struct Embedded {
    name: &'static str,
    images: &'static [u8],
    labels: &'static [u8],
    checksum: &'static str,
}

#[cfg(feature = "embedded")]
const EMBEDDED: [Embedded; 2] = [
    Embedded {
        name: "embedded training images",
        images: include_bytes!("../../data/mnist/train2048-images-idx3-ubyte.gz"),
        labels: include_bytes!("../../data/mnist/train2048-labels-idx1-ubyte.gz"),
        checksum: SUBSET_CHECKSUM,
    },
    Embedded {
        name: "embedded test images",
        images: include_bytes!("../../data/mnist/t10k-images-idx3-ubyte.gz"),
        labels: include_bytes!("../../data/mnist/t10k-labels-idx1-ubyte.gz"),
        checksum: TEST_CHECKSUM,
    },
];

/// The checksum of the embedded training images.
const SUBSET_CHECKSUM: &str = "fa650fd59e91bc69028858baa2d3b7e073a13d33c87a07ddeb439d24497ded5d";
/// The checksum of MNIST's 10,000 test images.
const TEST_CHECKSUM: &str = "18489308deedfe2f7bd3a11e599a597126f161d991b1ffcffb71642aa76f7f62";
/// The checksum of MNIST's 60,000 training images, as in a folder with its files.
const WHOLE_TRAINING_SET: &str = "c5097fdd51cfdbe7695fd9df3612695696864b5c424f58d843ffdc5d335e9914";

/// The checksums by which MNIST's sets are known, wherever they lie.
pub(super) const CHECKSUMS: [&str; 3] = [SUBSET_CHECKSUM, TEST_CHECKSUM, WHOLE_TRAINING_SET];

impl LabelledSets {
    /// The embedded data: 2,048 training images and all 10,000 test images.
    ///
    /// # Errors
    /// Where the bytes do not have the checksums that they had when they were embedded: the program file is damaged.
    /// Where the library was built without the feature `embedded`.
    #[cfg(not(feature = "embedded"))]
    pub fn embedded() -> Result<Self> {
        let problem = "this build has no embedded images";
        Err(Error::value(
            "data",
            "mnist",
            problem,
            "give a folder with the four MNIST files, or build with the feature embedded",
        ))
    }

    /// The embedded data: 2,048 training images and all 10,000 test images.
    ///
    /// # Errors
    /// Where the bytes do not have the checksums that they had when they were embedded: the program file is damaged.
    /// Where the library was built without the feature `embedded`.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self> {
        let load = |part: &Embedded| {
            let path = Path::new(part.name);
            let images = idx::unpack(part.images.to_vec(), path)?;
            let labels = idx::unpack(part.labels.to_vec(), path)?;
            let stored = [images.as_slice(), labels.as_slice()];
            let classes = idx::labels(&labels, path)?;
            Unnumbered::new(idx::images(&images, path)?, classes, &stored, (path, path))
        };
        let sets = Self::new(load(&EMBEDDED[0])?, load(&EMBEDDED[1])?, Path::new("mnist"))?;
        for (set, part) in [&sets.train, &sets.test].into_iter().zip(&EMBEDDED) {
            if set.checksum != part.checksum {
                let problem = format!("has SHA-256 {} instead of {}", set.checksum, part.checksum);
                let remedy = "the program file is damaged: build or install it again";
                return Err(Error::file(Path::new(part.name), problem, remedy));
            }
        }
        Ok(sets)
    }
}
