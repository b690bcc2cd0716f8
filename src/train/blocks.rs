//! The blocks of 64 samples in which networks take them.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use multiversion::multiversion;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::quads::{QUADS, Quads};
use super::samples::{Samples, Values, rows_of};

/// Samples of a block.
pub const SAMPLES: usize = 64;

/// One feature of the samples of a block, on whole cache lines: a vector that lies across two takes twice as long.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Lanes<T>([T; SAMPLES]);

/// A feature in single precision.
pub type Row = Lanes<f32>;

impl Row {
    /// Zeros.
    pub const ZERO: Self = Self([0.0; SAMPLES]);
}

impl<T> Deref for Lanes<T> {
    type Target = [T; SAMPLES];

    #[inline(always)]
    fn deref(&self) -> &[T; SAMPLES] {
        &self.0
    }
}

impl<T> DerefMut for Lanes<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; SAMPLES] {
        &mut self.0
    }
}

// So that rows lie one after the other, without padding.
const _: () = assert!(size_of::<Row>() == SAMPLES * size_of::<f32>());

/// Rows as a matrix of shape `(rows, 64)`.
pub(super) fn matrix(rows: &[Row]) -> ArrayView2<'_, f32> {
    // SAFETY: a row is 64 numbers and nothing else, as asserted above; so rows are contiguous, and borrowed for as
    // long.
    unsafe { ArrayView2::from_shape_ptr((rows.len(), SAMPLES), rows.as_ptr().cast()) }
}

/// [`matrix`], to be written.
pub(super) fn matrix_mut(rows: &mut [Row]) -> ArrayViewMut2<'_, f32> {
    // SAFETY: as above, and borrowed alone.
    unsafe { ArrayViewMut2::from_shape_ptr((rows.len(), SAMPLES), rows.as_mut_ptr().cast()) }
}

/// Inputs of a layer for one block of samples.
#[derive(Clone, Copy)]
pub(super) enum BlockInput<'a> {
    Rows(Input<'a>),
    /// Quads of samples, and the number of the block among them.
    Quads(&'a Quads, usize),
}

/// Inputs of a layer for one block of samples, in rows: one per feature; or, where there are `places`, a blank row and
/// those of the features that are not blank, each at its place.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub rows: &'a [Row],
    pub places: Option<&'a [u32]>,
}

impl Input<'_> {
    /// The features that are not blank, with their places, by increasing number.
    pub fn filled(&self) -> Vec<(u32, u32)> {
        match self.places {
            None => (0..self.rows.len() as u32).map(|feature| (feature, feature)).collect(),
            Some(places) => {
                let mut filled = vec![(0, 0); places.len() + 1];
                let mut count = 0;
                // Without a branch, which would be predicted badly.
                for (feature, place) in places.iter().enumerate() {
                    filled[count] = (feature as u32, *place);
                    count += usize::from(*place > 0);
                }
                filled.truncate(count);
                filled
            }
        }
    }

    /// One row per feature, blank or not.
    pub fn whole(&self) -> Cow<'_, [Row]> {
        match self.places {
            None => Cow::Borrowed(self.rows),
            Some(places) => places.iter().map(|place| self.rows[*place as usize]).collect(),
        }
    }
}

/// Blocks of bytes without their blank rows, ready to be expanded.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    rows: Vec<Lanes<u8>>,
    /// The feature of each row.
    features: Vec<u32>,
    /// Where the rows of each block end.
    ends: Vec<usize>,
}

impl Packed {
    /// Replaces the contents by some blocks.
    pub fn fill(&mut self, blocks: &[Lanes<u8>], features: usize) {
        self.rows.clear();
        self.features.clear();
        self.ends.clear();
        for block in blocks.chunks_exact(features.max(1)) {
            for (feature, row) in block.iter().enumerate().filter(|(_, row)| is_filled(row)) {
                self.rows.push(*row);
                self.features.push(feature as u32);
            }
            self.ends.push(self.rows.len());
        }
    }

    /// Expands a block.
    pub fn expand(&self, index: usize, factors: &[f32], room: &mut Room) {
        let range = if index == 0 { 0 } else { self.ends[index - 1] }..self.ends[index];
        let filled = &self.features[range.clone()];
        room.places.clear();
        room.places.resize(factors.len(), 0);
        for (place, feature) in (1..).zip(filled) {
            room.places[*feature as usize] = place;
        }
        room.rows.resize(range.len() + 1, Row::ZERO);
        room.rows[0] = Row::ZERO;
        expand(&self.rows[range], filled, factors, &mut room.rows[1..]);
    }
}

/// The memory in which a block is expanded.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    rows: Vec<Row>,
    places: Vec<u32>,
    quads: Quads,
}

impl Room {
    pub fn input(&self) -> Input<'_> {
        Input { rows: &self.rows, places: Some(&self.places) }
    }
}

/// Samples in *blocks*: matrices of one row per feature and 64 samples per row, so that a weight meets whole rows of
/// contiguous samples while the block stays in a second-level cache. The unused samples of the last block have no
/// meaning.
#[derive(Clone, Debug)]
pub struct Blocks {
    features: usize,
    samples: usize,
    values: Values<Vec<Row>, Packed>,
    offsets: Vec<f32>,
    /// The same samples in quads, where a dense layer skips their blanks.
    quads: Option<Quads<u8>>,
}

impl Blocks {
    /// Divides samples into blocks, in their order; images stay bytes.
    pub fn new(samples: &Samples) -> Self {
        let all: Vec<usize> = (0..samples.len()).collect();
        let features = samples.features;
        let values = match &samples.values {
            Values::Single(values) => {
                let mut blocks = Vec::new();
                side_by_side(rows_of(values), features, &all, &mut blocks, transpose);
                Values::Single(blocks)
            }
            Values::Bytes(bytes, factors) => {
                let (mut blocks, mut packed) = (Vec::new(), Packed::default());
                side_by_side(rows_of(bytes), features, &all, &mut blocks, transpose_bytes);
                packed.fill(&blocks, features);
                Values::Bytes(packed, factors.clone())
            }
        };
        let quads = samples.sparse_bytes().map(|(bytes, _)| {
            let mut quads = Quads::default();
            quads.pack_samples(bytes, features, 0..samples.len());
            quads
        });
        Self { features, samples: samples.len(), values, offsets: samples.offsets.clone(), quads }
    }

    /// The number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Constant offset per feature, added to the values of its rows; empty where there is none.
    pub(super) fn offsets(&self) -> &[f32] {
        &self.offsets
    }

    /// The number of blocks.
    pub(super) fn len(&self) -> usize {
        self.samples.div_ceil(SAMPLES)
    }

    /// Whether samples are there in quads as well.
    pub(super) fn has_quads(&self) -> bool {
        self.quads.is_some()
    }

    /// The input of a layer: the values of a block, or of its quads, where they are there and `quads`.
    pub(super) fn input<'a>(&'a self, index: usize, quads: bool, room: &'a mut Room) -> BlockInput<'a> {
        match (&self.values, &self.quads) {
            (Values::Bytes(_, factors), Some(packed)) if quads => {
                room.quads.fill_samples(packed, index * QUADS..(index + 1) * QUADS, factors);
                BlockInput::Quads(&room.quads, 0)
            }
            _ => BlockInput::Rows(self.block(index, room)),
        }
    }

    /// The values of a block; where they have to be computed, they are stored in `room`.
    fn block<'a>(&'a self, index: usize, room: &'a mut Room) -> Input<'a> {
        match &self.values {
            Values::Single(values) => {
                Input { rows: &values[index * self.features..(index + 1) * self.features], places: None }
            }
            Values::Bytes(packed, factors) => {
                packed.expand(index, factors, room);
                room.input()
            }
        }
    }
}

/// Writes the chosen rows to blocks; zeros beyond the last.
pub(super) fn side_by_side<T: Copy + Default>(
    rows: &[T],
    features: usize,
    chosen: &[usize],
    blocks: &mut Vec<Lanes<T>>,
    transpose: impl Fn([&[T]; TOGETHER], &mut [Lanes<T>], usize),
) {
    blocks.resize(chosen.len().div_ceil(SAMPLES) * features, Lanes([T::default(); SAMPLES]));
    let zeros = vec![T::default(); features];
    for (block, chosen) in blocks.chunks_exact_mut(features.max(1)).zip(chosen.chunks(SAMPLES)) {
        for start in (0..SAMPLES).step_by(TOGETHER) {
            let row = |lane: usize| match chosen.get(start + lane) {
                Some(sample) => &rows[sample * features..][..features],
                None => &zeros[..],
            };
            transpose(std::array::from_fn(row), block, start);
        }
    }
}

/// Rows that are read side by side.
const TOGETHER: usize = 8;

/// Writes rows, one per sample, to the lanes of a block from `start` on.
pub(super) fn transpose<T: Copy>(rows: [&[T]; TOGETHER], block: &mut [Lanes<T>], start: usize) {
    for (feature, to) in block.iter_mut().enumerate() {
        for (to, row) in to[start..start + TOGETHER].iter_mut().zip(&rows) {
            *to = row[feature];
        }
    }
}

/// The same for bytes, eight times eight at once, by exchanging halves of halves.
pub(super) fn transpose_bytes(rows: [&[u8]; TOGETHER], block: &mut [Lanes<u8>], start: usize) {
    const SQUARE: usize = 8;
    let mut squares = block.chunks_exact_mut(SQUARE);
    let mut first = 0;
    for to in &mut squares {
        let mut words = rows.map(|row| {
            let mut bytes = [0; SQUARE];
            bytes.copy_from_slice(&row[first..first + SQUARE]);
            u64::from_le_bytes(bytes)
        });
        for (apart, mask) in [(4, 0x0000_0000_ffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff_u64)] {
            for low in (0..SQUARE).filter(|word| word & apart == 0) {
                let exchanged = ((words[low] >> (8 * apart)) ^ words[low + apart]) & mask;
                words[low] ^= exchanged << (8 * apart);
                words[low + apart] ^= exchanged;
            }
        }
        for (to, word) in to.iter_mut().zip(words) {
            to[start..start + SQUARE].copy_from_slice(&word.to_le_bytes());
        }
        first += SQUARE;
    }
    transpose(rows.map(|row| &row[first..]), squares.into_remainder(), start);
}

fn is_filled(bytes: &Lanes<u8>) -> bool {
    bytes.iter().fold(0, |any, byte| any | byte) != 0
}

/// `byte factor`, by the feature of each row.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn expand(bytes: &[Lanes<u8>], features: &[u32], factors: &[f32], values: &mut [Row]) {
    for ((bytes, feature), values) in bytes.iter().zip(features).zip(values) {
        let factor = factors[*feature as usize];
        for lane in 0..SAMPLES {
            values[lane] = f32::from(bytes[lane]) * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Normalisation, Normaliser};
    use crate::train::Batch;
    use ndarray::{Array2, Axis};

    #[test]
    fn blocks_hold_every_sample_at_every_feature() {
        // Neither whole blocks nor whole squares; columns that are blank, in some blocks and in all.
        let images = Array2::from_shape_fn((150, 21), |(i, j)| match j {
            0 | 9 => 0,
            _ if i < 64 && j % 3 == 0 => 0,
            _ => (i * 31 + j * 17) as u8,
        });
        let normaliser =
            Normaliser::fit(Normalisation::Global, &images.mapv(f64::from), crate::data::Values::Mnist).unwrap();
        let samples = Samples::of_images(images.clone(), &normaliser).unwrap();
        assert!(Samples::of_images(Array2::<u8>::zeros((2, images.ncols() + 1)), &normaliser).is_err());
        let order = samples.order_by_blanks();
        let blocks = Blocks::new(&samples.select(&order));
        let mut batch = Batch::default();
        batch.fill(&samples, &order).unwrap();
        let mut room = Room::default();
        for (index, of_batch) in batch.blocks().enumerate() {
            let input = blocks.block(index, &mut room);
            assert!(index != 0 || input.filled().len() < 20);
            for (rows, offsets) in [(input.whole(), blocks.offsets()), (of_batch.whole(), batch.offsets())] {
                for (lane, sample) in order.iter().skip(64 * index).take(64).enumerate() {
                    let expected = normaliser.apply(images.select(Axis(0), &[*sample]).mapv(f64::from)).unwrap();
                    for (feature, expected) in expected.iter().enumerate() {
                        let found = f64::from(rows[feature][lane] + offsets[feature]);
                        assert!(
                            (found - expected).abs() < 1e-6,
                            "sample {sample}, feature {feature}: {found} {expected}"
                        );
                    }
                }
            }
        }
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..150).collect::<Vec<_>>());
    }
}
