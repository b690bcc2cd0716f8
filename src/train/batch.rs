//! The samples of one step of gradient descent.

use super::blocks::{BlockInput, Input, Lanes, Packed, Room, Row, SAMPLES, side_by_side, transpose, transpose_bytes};
use super::quads::Quads;
use super::samples::{Samples, Values, rows_of};
use crate::error::{Error, Result};

/// A batch of chosen samples, in blocks.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    features: usize,
    samples: usize,
    /// Blocks of values, or none where there are rooms.
    values: Vec<Row>,
    bytes: Vec<Lanes<u8>>,
    packed: Packed,
    rooms: Vec<Room>,
    offsets: Vec<f32>,
    /// Instead of blocks, samples and pixels in quads.
    quads: Option<Box<BatchQuads>>,
}

/// A batch in quads.
#[derive(Clone, Debug, Default)]
struct BatchQuads {
    bytes: Quads<u8>,
    samples: Quads,
    pixels: Quads,
}

impl Batch {
    /// Replaces the contents by the chosen samples, as any network takes them; see [`Mlp::fill`](super::Mlp::fill).
    ///
    /// # Errors
    /// Where one of them is not among the samples.
    pub fn fill(&mut self, samples: &Samples, chosen: &[usize]) -> Result<()> {
        self.start(samples, chosen)?;
        match &samples.values {
            Values::Single(values) => {
                side_by_side(rows_of(values), samples.features, chosen, &mut self.values, transpose);
                self.rooms.clear();
            }
            Values::Bytes(bytes, factors) => {
                side_by_side(rows_of(bytes), samples.features, chosen, &mut self.bytes, transpose_bytes);
                self.packed.fill(&self.bytes, samples.features);
                self.values.clear();
                self.rooms.resize_with(chosen.len().div_ceil(SAMPLES), Room::default);
                for (index, room) in self.rooms.iter_mut().enumerate() {
                    self.packed.expand(index, factors, room);
                }
            }
        }
        self.quads = None;
        Ok(())
    }

    /// The same for a network whose first layer is dense: in quads, where so many pixels are blank that it skips them.
    ///
    /// # Errors
    /// As above.
    pub(super) fn fill_quads(&mut self, samples: &Samples, chosen: &[usize]) -> Result<()> {
        let Some((bytes, factors)) = samples.sparse_bytes() else { return self.fill(samples, chosen) };
        self.start(samples, chosen)?;
        let quads = &mut **self.quads.get_or_insert_default();
        quads.bytes.pack_samples(bytes, samples.features, chosen.iter().copied());
        quads.samples.fill_samples(&quads.bytes, 0..quads.bytes.len(), factors);
        quads.bytes.pack_pixels(bytes, samples.features, chosen);
        quads.pixels.fill_pixels(&quads.bytes, (factors, &samples.offsets), chosen.len().next_multiple_of(SAMPLES));
        Ok(())
    }

    fn start(&mut self, samples: &Samples, chosen: &[usize]) -> Result<()> {
        if let Some(beyond) = chosen.iter().find(|sample| **sample >= samples.len()) {
            let problem = format!("there are {} samples", samples.len());
            return Err(Error::value("chosen", beyond, problem, "give numbers below that"));
        }
        (self.features, self.samples) = (samples.features, chosen.len());
        self.offsets.clone_from(&samples.offsets);
        Ok(())
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

    /// The pixels in quads, where they are there instead of blocks.
    pub(super) fn pixels(&self) -> Option<&Quads> {
        self.quads.as_ref().map(|quads| &quads.pixels)
    }

    /// The inputs of a layer, block by block.
    pub(super) fn inputs(&self) -> Vec<BlockInput<'_>> {
        match &self.quads {
            Some(quads) => {
                (0..self.samples.div_ceil(SAMPLES)).map(|block| BlockInput::Quads(&quads.samples, block)).collect()
            }
            None => self.blocks().map(BlockInput::Rows).collect(),
        }
    }

    /// The blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Input<'_>> {
        let values = self.values.chunks_exact(self.features.max(1)).map(|rows| Input { rows, places: None });
        self.rooms.iter().map(Room::input).chain(values)
    }
}
