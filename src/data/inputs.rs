//! Inputs without labels, not yet normalised.

use ndarray::Array2;
use sha2::{Digest, Sha256};

use super::{Labelled, Normalisation, Normaliser, hexadecimal};
use crate::error::Result;

/// What the entries of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Values {
    /// Pixels of MNIST, 0 to 255.
    Mnist,
    /// Pixels of other images, 0 to 255.
    Bytes,
    /// Any numbers.
    Real,
}

impl Values {
    /// The unit in which means and standard deviations are given.
    pub(super) fn unit(self) -> f64 {
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
    /// What the values are.
    pub kind: Values,
    /// SHA-256 of the values as read, as hexadecimal.
    pub checksum: String,
}

impl Inputs {
    /// Inputs of real numbers.
    pub(crate) fn real(values: Array2<f64>) -> Self {
        let mut digest = Sha256::new();
        values.iter().for_each(|value| digest.update(value.to_le_bytes()));
        Self { values, kind: Values::Real, checksum: hexadecimal(digest) }
    }

    /// Images without their labels.
    pub(crate) fn of_images(images: &Labelled) -> Self {
        Self { values: images.images.to_real(), kind: images.kind(), checksum: images.checksum.clone() }
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
