//! Samples, as values or as bytes with their normalisation.

use ndarray::{Array2, Axis};

use super::blocks::SAMPLES;
use super::quads::{QUAD, filled_share};
use crate::data::{Images, Normaliser};
use crate::error::Result;

/// A dense first layer skips pixels where at most this share of the quads of neighbouring pixels is not blank:
/// measured, see benches/training.rs.
const QUAD_CROSSOVER: f64 = 0.75;

/// Samples of shape `(samples, features)`.
#[derive(Clone, Debug)]
pub struct Samples {
    pub(super) features: usize,
    pub(super) values: Values<Array2<f32>, Array2<u8>>,
    /// Constant offset per feature, added to `values`; empty where there is none.
    pub(super) offsets: Vec<f32>,
    /// Whether so many bytes are blank that a dense layer skips them.
    sparse: bool,
}

/// Values as they are, or bytes that a normalisation maps to values: with bytes, only a quarter as much has to be read.
#[derive(Clone, Debug)]
pub(super) enum Values<S, B> {
    Single(S),
    /// `byte factor`, by feature.
    Bytes(B, Vec<f32>),
}

impl Samples {
    /// Takes values of shape `(samples, features)`.
    #[must_use]
    pub fn new(values: Array2<f32>) -> Self {
        let values = values.as_standard_layout().into_owned();
        Self { features: values.ncols(), values: Values::Single(values), offsets: Vec::new(), sparse: false }
    }

    /// Takes images of shape `(samples, pixels)`, mapped by a normalisation of those pixels. Of bytes, a blank pixel is
    /// then a feature at its offset, and a network skips pixels that are blank in a whole block.
    ///
    /// # Errors
    /// Where the normalisation is for images of another size.
    pub fn of_images(images: impl Into<Images>, normaliser: &Normaliser) -> Result<Self> {
        let images = match images.into() {
            Images::Bytes(bytes) => bytes,
            Images::Real(values) => return Ok(Self::new(normaliser.apply(values)?.mapv(|value| value as f32))),
        };
        normaliser.check(images.ncols())?;
        let images = images.as_standard_layout().into_owned();
        let (factors, offsets) =
            normaliser.maps().map(|(shift, factor)| (factor as f32, (-shift * factor) as f32)).unzip();
        let (features, sparse) = (images.ncols(), filled_share(rows_of(&images), images.ncols()) <= QUAD_CROSSOVER);
        Ok(Self { features, values: Values::Bytes(images, factors), offsets, sparse })
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Single(values) => values.nrows(),
            Values::Bytes(bytes, _) => bytes.nrows(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Bytes and factors, where a dense layer skips blanks.
    pub(super) fn sparse_bytes(&self) -> Option<(&[u8], &[f32])> {
        match &self.values {
            Values::Bytes(bytes, factors) if self.sparse => Some((rows_of(bytes), factors)),
            _ => None,
        }
    }

    /// The samples in another order, or some of them.
    pub(super) fn select(&self, order: &[usize]) -> Self {
        let values = match &self.values {
            Values::Single(values) => Values::Single(values.select(Axis(0), order)),
            Values::Bytes(bytes, factors) => Values::Bytes(bytes.select(Axis(0), order), factors.clone()),
        };
        Self { features: self.features, values, offsets: self.offsets.clone(), sparse: self.sparse }
    }

    /// An order in which samples that are blank (0, or a byte of 0) at the same features stand together, so that whole
    /// blocks are blank there, and within a block more of its quads.
    ///
    /// By repeated halving: samples are sorted by their similarity to those that are not blank at one feature, chosen
    /// so that about half of the samples are.
    pub(super) fn order_by_blanks(&self) -> Vec<usize> {
        let filled: Vec<u8> = match &self.values {
            Values::Single(values) => values.iter().map(|value| u8::from(*value != 0.0)).collect(),
            Values::Bytes(bytes, _) => bytes.iter().map(|byte| u8::from(*byte != 0)).collect(),
        };
        let mut order: Vec<usize> = (0..self.len()).collect();
        halve(&filled, self.features, &mut order);
        order
    }
}

/// Sorts samples for [`Samples::order_by_blanks`].
fn halve(filled: &[u8], features: usize, order: &mut [usize]) {
    if order.len() <= QUAD || features == 0 {
        return;
    }
    let of = |sample: usize| &filled[sample * features..][..features];
    let count = |with: Option<usize>| {
        let mut counts = vec![0i64; features];
        for row in order.iter().map(|sample| of(*sample)).filter(|row| with.is_none_or(|feature| row[feature] > 0)) {
            counts.iter_mut().zip(row).for_each(|(count, filled)| *count += i64::from(*filled));
        }
        counts
    };
    let (counts, all) = (count(None), order.len() as i64);
    let most_even = (0..features).min_by_key(|feature| (2 * counts[*feature] - all).abs());
    let most_even = most_even.expect("there are features: checked above");
    // The covariance of each feature with that one, times the number of samples.
    let with = count(Some(most_even));
    let direction: Vec<i64> =
        with.iter().zip(&counts).map(|(with, count)| with - count * counts[most_even] / all).collect();
    order.sort_by_cached_key(|sample| {
        of(*sample).iter().zip(&direction).map(|(filled, direction)| i64::from(*filled) * direction).sum::<i64>()
    });
    let together = if order.len() > SAMPLES { SAMPLES } else { QUAD };
    let middle = (order.len() / 2).next_multiple_of(together);
    let (low, high) = order.split_at_mut(middle);
    halve(filled, features, low);
    halve(filled, features, high);
}

pub(super) fn rows_of<T>(values: &Array2<T>) -> &[T] {
    values.as_slice().expect("standard layout: samples are made so")
}
