//! Samples, and the blocks of 64 in which networks take them.

use multiversion::multiversion;
use ndarray::Array2;

use crate::data::Normaliser;
use crate::error::{Error, Result};

/// Samples of a block.
pub const SAMPLES: usize = 64;
/// One feature of the samples of a block.
pub type Row = [f32; SAMPLES];

/// Samples of shape `(samples, features)`.
#[derive(Clone, Debug)]
pub struct Samples {
    features: usize,
    values: Values<Array2<f32>, Array2<u8>>,
}

/// Values as they are, or bytes that a normalisation maps to them: a quarter of what has to be read.
#[derive(Clone, Debug)]
enum Values<S, B> {
    Single(S),
    /// `(byte - shift) factor`, by feature.
    Bytes(B, Vec<(f32, f32)>),
}

impl Samples {
    /// Takes values of shape `(samples, features)`.
    pub fn new(values: Array2<f32>) -> Self {
        let values = values.as_standard_layout().into_owned();
        Self { features: values.ncols(), values: Values::Single(values) }
    }

    /// Takes images of shape `(samples, pixels)` as a normalisation of those pixels maps them.
    pub fn of_images(images: Array2<u8>, normaliser: &Normaliser) -> Self {
        let images = images.as_standard_layout().into_owned();
        let map = normaliser.maps().map(|(shift, factor)| (shift as f32, factor as f32)).collect();
        Self { features: images.ncols(), values: Values::Bytes(images, map) }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Single(values) => values.nrows(),
            Values::Bytes(bytes, _) => bytes.nrows(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.features
    }
}

/// Samples in *blocks*: matrices of one row a feature and 64 samples a row, so that a weight meets whole rows of contiguous samples
/// while the block stays in a second-level cache. What is left of the last block is of no meaning.
#[derive(Clone, Debug)]
pub struct Blocks {
    features: usize,
    samples: usize,
    values: Values<Vec<Row>, Vec<[u8; SAMPLES]>>,
}

impl Blocks {
    /// Divides samples into blocks, in their order; images stay bytes.
    pub fn new(samples: &Samples) -> Self {
        let all: Vec<usize> = (0..samples.len()).collect();
        let values = match &samples.values {
            Values::Single(values) => {
                let mut blocks = Vec::new();
                side_by_side(rows_of(values), samples.features, &all, &mut blocks);
                Values::Single(blocks)
            }
            Values::Bytes(bytes, map) => {
                let mut blocks = Vec::new();
                side_by_side(rows_of(bytes), samples.features, &all, &mut blocks);
                Values::Bytes(blocks, map.clone())
            }
        };
        Self { features: samples.features, samples: samples.len(), values }
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The number of blocks.
    pub(super) fn len(&self) -> usize {
        self.samples.div_ceil(SAMPLES)
    }

    /// The values of a block; room for them where they are made.
    pub(super) fn block<'a>(&'a self, index: usize, room: &'a mut Vec<Row>) -> &'a [Row] {
        let range = index * self.features..(index + 1) * self.features;
        match &self.values {
            Values::Single(values) => &values[range],
            Values::Bytes(bytes, map) => {
                room.resize(self.features, [0.0; SAMPLES]);
                expand(&bytes[range], map, room);
                room
            }
        }
    }
}

/// A batch of chosen samples, in blocks.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    features: usize,
    samples: usize,
    values: Vec<Row>,
    bytes: Vec<[u8; SAMPLES]>,
}

impl Batch {
    /// Takes the chosen samples, instead of what it held.
    ///
    /// # Errors
    /// Where one of them is not among the samples.
    pub fn fill(&mut self, samples: &Samples, chosen: &[usize]) -> Result<()> {
        if let Some(beyond) = chosen.iter().find(|sample| **sample >= samples.len()) {
            let problem = format!("there are {} samples", samples.len());
            return Err(Error::value("chosen", beyond, problem, "give numbers below"));
        }
        (self.features, self.samples) = (samples.features, chosen.len());
        match &samples.values {
            Values::Single(values) => {
                side_by_side(rows_of(values), samples.features, chosen, &mut self.values);
            }
            Values::Bytes(bytes, map) => {
                side_by_side(rows_of(bytes), samples.features, chosen, &mut self.bytes);
                self.values.resize(self.bytes.len(), [0.0; SAMPLES]);
                let features = self.features.max(1);
                for (bytes, values) in self.bytes.chunks_exact(features).zip(self.values.chunks_exact_mut(features)) {
                    expand(bytes, map, values);
                }
            }
        }
        Ok(())
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The blocks one after the other.
    pub(super) fn values(&self) -> &[Row] {
        &self.values
    }
}

fn rows_of<T>(values: &Array2<T>) -> &[T] {
    // Made in that layout.
    values.as_slice().unwrap_or(&[])
}

/// Writes the chosen rows to blocks; zeros beyond the last.
fn side_by_side<T: Copy + Default>(rows: &[T], features: usize, chosen: &[usize], values: &mut Vec<[T; SAMPLES]>) {
    // Rows that are read side by side, while whole cache lines of a block are written.
    const TOGETHER: usize = 16;
    values.resize(chosen.len().div_ceil(SAMPLES) * features, [T::default(); SAMPLES]);
    let zeros = vec![T::default(); features];
    for (block, chosen) in values.chunks_exact_mut(features.max(1)).zip(chosen.chunks(SAMPLES)) {
        for start in (0..SAMPLES).step_by(TOGETHER) {
            let row = |lane: usize| match chosen.get(start + lane) {
                Some(sample) => &rows[sample * features..][..features],
                None => &zeros[..],
            };
            let together: [&[T]; TOGETHER] = std::array::from_fn(row);
            for (feature, to) in block.iter_mut().enumerate() {
                for (to, row) in to[start..start + TOGETHER].iter_mut().zip(&together) {
                    *to = row[feature];
                }
            }
        }
    }
}

/// `(byte - shift) factor`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn expand(bytes: &[[u8; SAMPLES]], map: &[(f32, f32)], values: &mut [Row]) {
    for ((bytes, (shift, factor)), values) in bytes.iter().zip(map).zip(values) {
        for lane in 0..SAMPLES {
            values[lane] = (f32::from(bytes[lane]) - shift) * factor;
        }
    }
}
