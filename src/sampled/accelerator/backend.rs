//! A sweep on one device: its buffers, and what runs on them when.

use super::Argument::{F32, F32s, F64, F64s, U32, U32s, U64, U64s};
use super::{Accelerator, Argument, Kernel, Warning};
use std::ops::Range;

use crate::kernel::ntk::Tangent;
use crate::network::{DrawnLayer, LayerSpec, WeightDistribution};
use crate::sampled::features::takes_dense;
use crate::sampled::layout::{Chunks, Costs, TilePair, most_weights, used_tiles};
use crate::sampled::sweep::{Backend, Draw, Sums};
use crate::sampled::tangent::readout_gains;
use crate::sampled::tiles::TiledInputs;

/// Inputs on a side of a tile, and hidden units of a dense layer, as in `sampled.cu`.
pub const TILE: usize = 128;
/// Rows of features that a block of threads makes from sparse weights, as in `sampled.cu`.
const ROWS: usize = 8;
/// Rows of features that are made at once: layers of more are added up in such chunks, so that sums in single
/// precision stay short. Over MNIST at width 4,129 the mean over the diagonal is off by 2e-7 with this size, by 2e-6
/// with chunks of 2,048.
pub const CHUNK: usize = 512;
/// Draws at once: their weights are counted together, so that the device waits for the processor once; with more,
/// progress would only be reported less often.
const BATCH: usize = 8;

/// The inputs on a device.
pub struct OnDevice<'a, A: Accelerator> {
    pub device: &'a A,
    /// Of the tangent kernel; none for the NNGP kernel.
    tangent: Option<Tangent>,
    dimension: usize,
    /// Shape `(d, stride)`.
    inputs: A::Buffer<f32>,
    stride: usize,
    norms: A::Buffer<f64>,
}

impl<'a, A: Accelerator> OnDevice<'a, A> {
    pub fn new(device: &'a A, inputs: &TiledInputs, tangent: Option<Tangent>) -> Result<Self, Warning> {
        let (matrix, norms) = inputs.padded(TILE);
        Ok(Self {
            device,
            tangent,
            dimension: inputs.dimension(),
            stride: matrix.ncols(),
            inputs: device.upload(matrix.as_slice().expect("standard layout: padded makes it so"))?,
            norms: device.upload(&norms)?,
        })
    }

    /// The units of a chunk of a layer.
    pub fn units(&self, law: &LayerSpec, chunk: usize) -> Range<usize> {
        Chunks::of(law, self.tangent, CHUNK).range(chunk)
    }

    /// The weights of each row of a chunk of some draws.
    pub fn counts(&self, drawn: &[&DrawnLayer], chunk: usize) -> Result<Vec<Vec<u32>>, Warning> {
        let units: Vec<Range<usize>> = drawn.iter().map(|drawn| self.units(drawn.law(), chunk)).collect();
        let rows: Vec<usize> = units.iter().map(Range::len).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let buffer = self.device.zeros(rows.iter().sum())?;
        let mut to = 0;
        for ((drawn, units), rows) in drawn.iter().zip(&units).zip(&rows) {
            let [seed, third, fourth, columns, end_key, end_place, first_row] = entries_of(drawn, units.start);
            let arguments =
                [U32s(&buffer), U64(to as u64), seed, third, fourth, columns, end_key, end_place, first_row];
            // SAFETY: the kernel's arguments; one block per row, each with a place in the buffer.
            unsafe { self.device.launch(Kernel::CountWeights, (*rows, 1), &arguments)? };
            to += rows;
        }
        let counts = self.device.download(&buffer)?;
        let mut counts = counts.as_slice();
        let mut split = |rows: &usize| {
            let (first, rest) = counts.split_at(*rows);
            counts = rest;
            first.to_vec()
        };
        Ok(rows.iter().map(&mut split).collect())
    }

    /// The weights of a chunk of a draw, as many per row as were counted.
    pub fn draw(&self, drawn: &DrawnLayer, chunk: usize, counts: &[u32]) -> Result<Weights<A>, Warning> {
        let device = self.device;
        let mut places = vec![0u64];
        places.extend(counts.iter().scan(0, |sum, count| {
            *sum += u64::from(*count);
            Some(*sum)
        }));
        let length = *places.last().expect("not empty: begins with zero") as usize;
        let weights =
            Weights { places: device.upload(&places)?, columns: device.zeros(length)?, values: device.zeros(length)? };
        let first = self.units(drawn.law(), chunk).start;
        let [seed, third, fourth, columns, end_key, end_place, first_row] = entries_of(drawn, first);
        let [gaussian, sigma] = values_of(drawn.law());
        let Weights { places, columns: columns_of, values } = &weights;
        let (to_columns, to_values, places) = (U32s(columns_of), F32s(values), U64s(places));
        let arguments = [
            to_columns, to_values, places, seed, third, fourth, columns, end_key, end_place, first_row, gaussian, sigma,
        ];
        // SAFETY: the kernel's arguments; one block per row, which writes as many weights as were counted.
        unsafe { device.launch(Kernel::DrawWeights, (counts.len(), 1), &arguments)? };
        Ok(weights)
    }

    /// The features of a chunk of a draw, shape `(rows, TILE tiles)`, from the weights that exist; of the tangent
    /// kernel those of the weights as well, below.
    fn sparse_features(
        &self,
        drawn: &DrawnLayer,
        chunk: usize,
        counts: &[u32],
        tiles: &Tiles<A>,
    ) -> Result<Features<A>, Warning> {
        let Weights { places, columns, values } = self.draw(drawn, chunk, counts)?;
        let of_weights = if self.tangent.is_some() { counts.iter().map(|count| *count as usize).sum() } else { 0 };
        let rows = counts.len() + of_weights;
        let features = self.device.zeros(rows * tiles.stride())?;
        let arguments = [
            F32s(&features),
            U64(tiles.stride() as u64),
            U64s(&places),
            U32s(&columns),
            F32s(&values),
            U32(counts.len() as u32),
            F32s(&self.inputs),
            U64(self.stride as u64),
            U32s(&tiles.numbers),
        ];
        // SAFETY: the kernel's arguments; rows beyond the last are left out, columns are those of the inputs.
        unsafe { self.device.launch(Kernel::SparseFeatures, (tiles.count, counts.len().div_ceil(ROWS)), &arguments)? };
        if let Some(tangent) = self.tangent {
            let gains = readout_gains(drawn.law(), drawn.id(), tangent);
            let gains = self.device.upload(&gains[self.units(drawn.law(), chunk)])?;
            let arguments = [
                F32s(&features),
                U64(tiles.stride() as u64),
                U64s(&places),
                U32s(&columns),
                F32s(&gains),
                U32(counts.len() as u32),
                F32s(&self.inputs),
                U64(self.stride as u64),
                U32s(&tiles.numbers),
            ];
            let blocks = (tiles.count, counts.len().div_ceil(ROWS));
            // SAFETY: the kernel's arguments; there is a row of features for each unit, and then for each weight.
            unsafe { self.device.launch(Kernel::TangentFeatures, blocks, &arguments)? };
        }
        Ok(Features { rows: features, count: rows })
    }

    /// The same through a dense product, zeros included.
    fn dense_features(&self, drawn: &DrawnLayer, chunk: usize, tiles: &Tiles<A>) -> Result<Features<A>, Warning> {
        let (device, law) = (self.device, drawn.law());
        let units = self.units(law, chunk);
        let rows = units.len();
        let padded = rows.next_multiple_of(TILE);
        let weights = device.zeros(law.columns * padded)?;
        let [seed, third, fourth, columns, end_key, end_place, first_row] = entries_of(drawn, units.start);
        let [gaussian, sigma] = values_of(law);
        let (at, stride, rows) = (F32s(&weights), U64(padded as u64), rows as u32);
        let arguments =
            [at, stride, U32(rows), seed, third, fourth, columns, end_key, end_place, first_row, gaussian, sigma];
        // SAFETY: the kernel's arguments; one block per row of the transposed weights.
        unsafe { device.launch(Kernel::DrawDense, (law.columns, 1), &arguments)? };
        let features = device.zeros(rows as usize * tiles.stride())?;
        let arguments = [
            F32s(&features),
            U64(tiles.stride() as u64),
            F32s(&weights),
            U64(padded as u64),
            U32(law.columns as u32),
            U32(rows),
            F32s(&self.inputs),
            U64(self.stride as u64),
            U32s(&tiles.numbers),
        ];
        // SAFETY: the kernel's arguments; both matrices are padded to whole tiles, rows beyond the last are left out.
        unsafe { device.launch(Kernel::DenseFeatures, (tiles.count, padded / TILE), &arguments)? };
        Ok(Features { rows: features, count: rows as usize })
    }

    /// The features of a chunk of all draws.
    pub fn features(&self, drawn: &[DrawnLayer], chunk: usize, tiles: &Tiles<A>) -> Result<Vec<Features<A>>, Warning> {
        // The tangent kernel needs the places of all weights.
        let dense = |drawn: &DrawnLayer| takes_dense(drawn.law()) && self.tangent.is_none();
        let sparse: Vec<&DrawnLayer> = drawn.iter().filter(|drawn| !dense(drawn)).collect();
        let mut counts = self.counts(&sparse, chunk)?.into_iter();
        let of = |drawn: &DrawnLayer| match dense(drawn) {
            true => self.dense_features(drawn, chunk, tiles),
            false => {
                let counts = counts.next().expect("counts of every sparse draw: made so above");
                self.sparse_features(drawn, chunk, &counts, tiles)
            }
        };
        drawn.iter().map(of).collect()
    }
}

/// Rows of features of some tiles, on a device.
pub struct Features<A: Accelerator> {
    pub rows: A::Buffer<f32>,
    pub count: usize,
}

/// The weights that exist in some rows, on a device: compressed sparse rows.
pub struct Weights<A: Accelerator> {
    /// Where each row begins, and the last ends.
    pub places: A::Buffer<u64>,
    pub columns: A::Buffer<u32>,
    pub values: A::Buffer<f32>,
}

/// Tiles whose features are made, on a device.
pub struct Tiles<A: Accelerator> {
    numbers: A::Buffer<u32>,
    count: usize,
}

impl<A: Accelerator> Tiles<A> {
    fn stride(&self) -> usize {
        self.count * TILE
    }
}

/// What all draws over a block of pairs share, on a device.
pub struct Limits<A: Accelerator> {
    pub tiles: Tiles<A>,
    /// The pairs, by the places of their tiles.
    pairs: A::Buffer<u32>,
    /// `K_1`, or `K_1 + C K_0`, shape `(pairs, TILE, TILE)`.
    limits: A::Buffer<f32>,
}

impl<A: Accelerator> Backend for OnDevice<'_, A> {
    type Limits = Limits<A>;
    type Error = Warning;

    fn limits(&self, pairs: &[TilePair]) -> Result<Limits<A>, Warning> {
        let device = self.device;
        let used = used_tiles(pairs);
        let flat = |place: &dyn Fn(usize) -> usize| -> Vec<u32> {
            pairs.iter().flat_map(|(i, j)| [place(*i) as u32, place(*j) as u32]).collect()
        };
        let limits = device.zeros(pairs.len() * TILE * TILE)?;
        let numbers = device.upload(&flat(&|tile| tile))?;
        let (dimension, stride) = (U32(self.dimension as u32), U64(self.stride as u64));
        let (inputs, norms) = (F32s(&self.inputs), F64s(&self.norms));
        // C K_0 = |x| |y| phi cos t / 2 pi, which K_1 has once already.
        let times = F64(if self.tangent.is_some() { 2.0 } else { 1.0 });
        let arguments = [F32s(&limits), inputs, stride, dimension, norms, U32s(&numbers), times];
        // SAFETY: the kernel's arguments; one block per pair of tiles of the padded inputs.
        unsafe { device.launch(Kernel::Limits, (pairs.len(), 1), &arguments)? };
        let places = flat(&|tile| used.partition_point(|other| *other < tile));
        let tiles: Vec<u32> = used.iter().map(|tile| *tile as u32).collect();
        let tiles = Tiles { numbers: device.upload(&tiles)?, count: tiles.len() };
        Ok(Limits { tiles, pairs: device.upload(&places)?, limits })
    }

    fn sums(
        &self,
        pairs: &[TilePair],
        block: &Limits<A>,
        draws: &[Draw],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Vec<Sums>>, Warning> {
        let device = self.device;
        let drawn: Vec<DrawnLayer> = draws.iter().map(|draw| DrawnLayer::new(draw.law, draw.id)).collect();
        let chunks = draws.iter().map(|draw| Chunks::of(&draw.law, self.tangent, CHUNK).count());
        let chunks = chunks.max().expect("a batch has a draw");
        let grams = device.zeros(if chunks > 1 { pairs.len() * TILE * TILE } else { 1 })?;
        let mut sums = Vec::new();
        for chunk in 0..chunks {
            let (first, last) = (chunk == 0, chunk + 1 == chunks);
            for (draw, features) in draws.iter().zip(self.features(&drawn, chunk, &block.tiles)?) {
                let buffer = device.zeros::<f64>(2 * pairs.len())?;
                let arguments = [
                    F64s(&buffer),
                    F32s(&grams),
                    F32s(&block.limits),
                    F32s(&features.rows),
                    U64(block.tiles.stride() as u64),
                    U32(features.count as u32),
                    U32s(&block.pairs),
                    F32(1.0 / draw.law.rows as f32),
                    F32(draw.law.law.variance() as f32),
                    U32(u32::from(first)),
                    U32(u32::from(last)),
                ];
                // SAFETY: the kernel's arguments; one block per pair of tiles, grams as large as the limits where they
                // are used.
                unsafe { device.launch(Kernel::SquaredDistances, (pairs.len(), 1), &arguments)? };
                if last {
                    sums.push(buffer);
                }
            }
        }
        let mut found = vec![Vec::with_capacity(draws.len()); pairs.len()];
        for buffer in sums {
            for (found, sums) in found.iter_mut().zip(device.download(&buffer)?.as_chunks().0) {
                let [off_diagonal, diagonal] = *sums;
                found.push(Sums { off_diagonal, diagonal });
            }
            finished(pairs.len());
        }
        Ok(found)
    }
}

/// The arguments that tell a kernel which entries of the rows from `first` on exist.
fn entries_of<'a, A: Accelerator>(drawn: &DrawnLayer, first: usize) -> [Argument<'a, A>; 7] {
    let (seed, [third, fourth], (end_key, end_place)) = drawn.on_device();
    let (columns, first_row) = (drawn.law().columns as u64, first as u64);
    [U64(seed), U32(third), U32(fourth), U64(columns), U64(end_key), U64(end_place), U64(first_row)]
}

/// The arguments that tell a kernel the values of these entries.
fn values_of<'a, A: Accelerator>(law: &LayerSpec) -> [Argument<'a, A>; 2] {
    [U32(u32::from(law.law == WeightDistribution::Gaussian)), F64(law.sigma())]
}

/// The memory that a sweep takes on a device.
pub fn costs(samples: usize, dimension: usize, tangent: Option<Tangent>, draws: &[Draw]) -> Costs {
    let float = size_of::<f32>();
    let (tiles, stride) = (samples.div_ceil(TILE), samples.next_multiple_of(TILE));
    let inputs = dimension * stride * float + stride * size_of::<f64>();
    let weights = |draw: &Draw| {
        let law = &draw.law;
        let rows = law.rows.min(Chunks::of(law, tangent, CHUNK).units).next_multiple_of(TILE);
        // Columns and values; counts and places, which end one beyond the last; the readout.
        let sparse = most_weights(law, rows) * 2 * float + (rows + 1) * (size_of::<u64>() + 2 * float);
        if takes_dense(law) && tangent.is_none() { rows * dimension * float } else { sparse }
    };
    // For one draw: the next reuses what is freed, in the order of the stream.
    let weights = draws.iter().map(weights).max().unwrap_or(0);
    let wide = draws.iter().any(|draw| Chunks::of(&draw.law, tangent, CHUNK).count() > 1);
    let sums = draws.len().min(BATCH).saturating_mul(tiles * (tiles + 1) / 2 * size_of::<Sums>());
    Costs {
        fixed: inputs.saturating_add(weights).saturating_add(sums),
        pair: TILE * TILE * float * if wide { 2 } else { 1 },
        row: TILE * float,
        batch: BATCH,
    }
}
