//! The backend on the CPU: triangular products of tiles of features, through faer.

use std::f64::consts::PI;

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::drawn_rows::NumberedRows;
use super::features::{add_hidden_features, takes_dense};
use super::layout::{Chunks, Costs, TilePair, used_tiles};
use super::sweep::{Backend, Draw, Sums};
use super::tangent::readout_gains;
use super::tiles::{TILE, TiledInputs};
use super::vector::active_entries;
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::unit_angles;
use crate::kernel::ntk::Tangent;
use crate::network::{DrawnLayer, LayerSpec};
use crate::numeric::linalg::{product, triangular_product};
use crate::numeric::parallel::try_map;
use crate::numeric::simd::lane_sum;

/// Rows of features that are computed at once; layers of more are summed in chunks of about this size.
pub const CHUNK: usize = 2048;
/// Sums over a row of a tile that run side by side in single precision, before they are added in double.
const LANES: usize = 32;

/// The CPU as a backend: all threads of the pool that it is called from.
pub struct Cpu<'a> {
    inputs: &'a TiledInputs,
    /// Of the tangent kernel; none for the NNGP kernel.
    tangent: Option<Tangent>,
}

impl<'a> Cpu<'a> {
    pub fn new(inputs: &'a TiledInputs, tangent: Option<Tangent>) -> Self {
        Self { inputs, tangent }
    }

    /// The number of tiles that the inputs are cut into.
    pub fn tiles(&self) -> usize {
        self.inputs.tiles.len()
    }

    /// The chunks of each draw.
    pub fn chunks(&self, draws: &[Draw]) -> Vec<Chunks> {
        draws.iter().map(|draw| Chunks::of(&draw.law, self.tangent, CHUNK)).collect()
    }

    /// The memory that a sweep takes in addition to the inputs.
    pub fn costs(&self, draws: &[Draw]) -> Costs {
        let (threads, tiles, float) = (rayon::current_num_threads(), self.tiles(), size_of::<f32>());
        // A tile of the kernel and of its limit in each thread, and working memory of the product; the weights of one
        // chunk.
        let in_threads = threads * (3 * TILE * TILE * float + (8 << 20));
        let weights = draws
            .iter()
            .zip(self.chunks(draws))
            .map(|(draw, chunks)| weight_bytes(&draw.law, chunks, threads))
            .max()
            .unwrap_or(0);
        // The sums of every draw over every pair of tiles, which are added up in one order at the end.
        let sums = draws.len().saturating_mul(tiles * (tiles + 1) / 2 * size_of::<Sums>() + 128);
        let gains = |draw: &Draw| if self.tangent.is_some() { draw.law.rows * float } else { 0 };
        let gains = draws.iter().map(gains).fold(0, usize::saturating_add);
        let wide = self.chunks(draws).iter().any(|chunks| chunks.count() > 1);
        Costs {
            fixed: in_threads.saturating_add(weights).saturating_add(sums).saturating_add(gains),
            pair: if wide { TILE * TILE * float } else { 0 },
            row: TILE * float,
            batch: usize::MAX,
        }
    }

    /// The features of one chunk of a draw's hidden units on the tiles given, see [`Drawn::features`].
    fn features(&self, network: &Drawn, chunk: usize, tiles: &[usize]) -> Result<Vec<Array2<f32>>> {
        let rows = network.rows(chunk);
        try_map(tiles.par_iter(), |tile| network.features(&rows, &self.inputs.tiles[*tile]))
    }

    /// A layer whose masks are decided, and its readout.
    fn drawn(&self, draw: &Draw) -> Drawn {
        let gains = self.tangent.map(|tangent| readout_gains(&draw.law, draw.id, tangent));
        Drawn::new(DrawnLayer::new(draw.law, draw.id), self.tangent, gains)
    }
}

/// One hidden layer before its weights are drawn, and what its features need of its readout.
pub(super) struct Drawn {
    layer: DrawnLayer,
    chunks: Chunks,
    /// See [`readout_gains`]; none for the NNGP kernel.
    gains: Option<Vec<f32>>,
}

impl Drawn {
    pub fn new(layer: DrawnLayer, tangent: Option<Tangent>, gains: Option<Vec<f32>>) -> Self {
        Self { chunks: Chunks::of(layer.law(), tangent, CHUNK), layer, gains }
    }

    /// The number of chunks that its units are cut into.
    pub fn chunks(&self) -> usize {
        self.chunks.count()
    }

    /// The weights of a chunk.
    pub fn rows(&self, chunk: usize) -> NumberedRows {
        let units = self.chunks.range(chunk);
        NumberedRows::of(self.layer.rows_in_parallel(units.clone()), units.start)
    }

    /// The number of features of a chunk.
    pub fn feature_count(&self, NumberedRows { weights, .. }: &NumberedRows) -> usize {
        weights.rows() + if self.gains.is_some() { weights.len() } else { 0 }
    }

    /// The features of a chunk for a tile of inputs of shape `(d, inputs)`, shape `(rows, inputs)`: of each unit and,
    /// for the tangent kernel, of each weight.
    pub fn features(&self, rows: &NumberedRows, inputs: &Array2<f32>) -> Result<Array2<f32>> {
        let NumberedRows { weights, numbers } = rows;
        let mut features = Array2::zeros((self.feature_count(rows), inputs.ncols()));
        let (mut hidden, mut of_weights) = features.view_mut().split_at(Axis(0), weights.rows());
        add_hidden_features(weights, *self.layer.law(), inputs, hidden.view_mut())?;
        let Some(gains) = &self.gains else { return Ok(features) };
        let mut rows = of_weights.outer_iter_mut();
        for (hidden, (place, number)) in hidden.outer_iter().zip(numbers.iter().enumerate()) {
            let (columns, _) = weights.row(place);
            for (row, column) in rows.by_ref().take(columns.len()).zip(columns) {
                let gain = gains[*number as usize];
                let entries = inputs.row(*column as usize);
                let [hidden, entries] = [hidden, entries].map(|row| row.to_slice().expect("rows are contiguous"));
                active_entries(hidden, entries, gain, row.into_slice().expect("rows are contiguous"));
            }
        }
        Ok(features)
    }
}

impl Backend for Cpu<'_> {
    /// Computed where they are needed, again for every batch.
    type Limits = ();
    type Error = Error;

    fn limits(&self, _: &[TilePair]) -> Result<()> {
        Ok(())
    }

    fn sums(
        &self,
        pairs: &[TilePair],
        _: &(),
        draws: &[Draw],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Vec<Sums>>> {
        let used = used_tiles(pairs);
        // An exact count is decided once per draw, over all chunks.
        let drawn: Vec<Drawn> = draws.iter().map(|draw| self.drawn(draw)).collect();
        let features_of = |chunk: usize| -> Result<Vec<Vec<Array2<f32>>>> {
            drawn.iter().map(|drawn| self.features(drawn, chunk, &used)).collect()
        };
        let place = |tile: usize| used.partition_point(|other| *other < tile);
        let chunks = drawn.iter().map(Drawn::chunks).max().expect("a batch has a draw");
        // A draw of several chunks is alone in its batch: all chunks but the last are added up first.
        let mut grams: Vec<Array2<f32>> = vec![Array2::default((0, 0)); if chunks > 1 { pairs.len() } else { 0 }];
        for chunk in 0..chunks - 1 {
            for features in features_of(chunk)? {
                grams.par_iter_mut().zip(pairs).try_for_each(|(gram, (i, j))| {
                    add_gram(features[place(*i)].view(), features[place(*j)].view(), i == j, gram)
                })?;
            }
        }
        let features = features_of(chunks - 1)?;
        // Where there are fewer tiles than threads the draws are shared out too.
        let share = draws.len().div_ceil(rayon::current_num_threads().div_ceil(pairs.len())).max(1);
        let shares = draws.len().div_ceil(share);
        let found: Vec<Vec<Sums>> = (0..pairs.len() * shares)
            .into_par_iter()
            .with_max_len(1)
            .map_init(Work::default, |work, task| {
                let (index, first) = (task / shares, task % shares * share);
                let (i, j) = pairs[index];
                work.limit(self.inputs, self.tangent, (i, j))?;
                let mut found = Vec::with_capacity(share);
                for (draw, features) in draws.iter().zip(&features).skip(first).take(share) {
                    if grams.is_empty() {
                        work.gram.fill(0.0);
                    } else {
                        work.gram.assign(&grams[index]);
                    }
                    add_gram(features[place(i)].view(), features[place(j)].view(), i == j, &mut work.gram)?;
                    let factors = (1.0 / draw.law.rows as f32, draw.law.law.variance() as f32);
                    found.push(sums_over(&work.gram, &work.limit, factors, i == j));
                }
                finished(found.len());
                Ok(found)
            })
            .collect::<Result<_>>()?;
        Ok(found.chunks(shares).map(<[Vec<Sums>]>::concat).collect())
    }
}

/// The memory that the weights of a chunk take while its features are computed, in bytes.
fn weight_bytes(law: &LayerSpec, chunks: Chunks, threads: usize) -> usize {
    let at_once = law.rows.min(chunks.units);
    let entries = |rows: usize| rows as f64 * law.columns as f64;
    // Six standard deviations above the mean; places and values, by row and then joined.
    let expected = law.connectivity.get() * entries(at_once);
    let weights = 2.0 * size_of::<(u32, f32)>() as f64 * (expected + 6.0 * expected.sqrt() + 20.0);
    // Where rows are coupled, as by an exact count, keys and places of all weights that could exist.
    let exact = !law.mask.has_independent_rows() && !law.connectivity.is_dense();
    let keys =
        if exact { 3.0 * size_of::<(u64, u64)>() as f64 * law.connectivity.get() * entries(law.rows) } else { 0.0 };
    let dense = if takes_dense(law) { threads as f64 * size_of::<f32>() as f64 * entries(at_once) } else { 0.0 };
    (keys + weights + dense) as usize
}

/// The sums of `(factor gram - variance limit)^2` over a tile, or over its upper half where it lies on the diagonal.
fn sums_over(gram: &Array2<f32>, limit: &Array2<f32>, (factor, variance): (f32, f32), on_diagonal: bool) -> Sums {
    let mut sums = Sums::default();
    for (i, (gram, limit)) in gram.outer_iter().zip(limit.outer_iter()).enumerate() {
        let gram = gram.to_slice().expect("standard layout: Work makes it so");
        let limit = limit.to_slice().expect("standard layout: Work makes it so");
        let from = if on_diagonal { i + 1 } else { 0 };
        sums.off_diagonal += squared_distance(&gram[from..], &limit[from..], factor, variance);
        if on_diagonal {
            sums.diagonal += squared_distance(&gram[i..=i], &limit[i..=i], factor, variance);
        }
    }
    sums
}

/// `sum_j (factor gram_j - variance limit_j)^2` over one row of a tile.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn squared_distance(gram: &[f32], limit: &[f32], factor: f32, variance: f32) -> f64 {
    let mut sum = [0.0f32; LANES];
    let (grams, rest) = gram.as_chunks::<LANES>();
    let (limits, limit_rest) = limit.as_chunks::<LANES>();
    for (gram, limit) in grams.iter().zip(limits) {
        for lane in 0..LANES {
            let difference = factor * gram[lane] - variance * limit[lane];
            sum[lane] += difference * difference;
        }
    }
    let rest = rest.iter().zip(limit_rest).map(|(gram, limit)| f64::from((factor * gram - variance * limit).powi(2)));
    f64::from(lane_sum(sum)) + rest.sum::<f64>()
}

/// Adds the products of the features of two tiles, shape `(inputs, inputs)`; only the upper half where the tiles are
/// the same.
fn add_gram(left: ArrayView2<f32>, right: ArrayView2<f32>, same: bool, gram: &mut Array2<f32>) -> Result<()> {
    if gram.dim() != (left.ncols(), right.ncols()) {
        *gram = Array2::zeros((left.ncols(), right.ncols()));
    }
    let multiply = if same { triangular_product } else { product };
    multiply(left.t(), right, 1.0, true, gram.view_mut())
}

/// Buffers for one pair of tiles.
#[derive(Default)]
struct Work {
    gram: Array2<f32>,
    /// `K_1` of the scaled inputs, or `K_1 + C K_0`.
    limit: Array2<f32>,
    sine: Vec<f64>,
    phi: Vec<f64>,
}

impl Work {
    /// Fills in the closed form for every pair of inputs of two tiles.
    fn limit(&mut self, inputs: &TiledInputs, tangent: Option<Tangent>, (i, j): TilePair) -> Result<()> {
        // C K_0 = |x| |y| phi cos t / 2 pi, which K_1 has once already.
        let times = if tangent.is_some() { 2.0 } else { 1.0 };
        let (left, right) = (&inputs.tiles[i], &inputs.tiles[j]);
        let shape = (left.ncols(), right.ncols());
        if self.limit.dim() != shape {
            (self.limit, self.gram) = (Array2::zeros(shape), Array2::zeros(shape));
        }
        product(left.t(), right.view(), 1.0, false, self.limit.view_mut())?;
        self.sine.resize(shape.1, 0.0);
        self.phi.resize(shape.1, 0.0);
        let mut cosine = vec![0.0; shape.1];
        let norms_right = &inputs.norms[j * TILE..j * TILE + shape.1];
        for (row, mut limit) in self.limit.outer_iter_mut().enumerate() {
            let norm = inputs.norms[i * TILE + row];
            for ((cosine, product), other) in cosine.iter_mut().zip(&limit).zip(norms_right) {
                let norms = norm * other;
                *cosine = if norms > 0.0 { (f64::from(*product) / norms).clamp(-1.0, 1.0) } else { 0.0 };
            }
            if i == j {
                cosine[row] = 1.0;
            }
            unit_angles(&cosine, &mut self.sine, &mut self.phi);
            for (place, limit) in limit.iter_mut().enumerate() {
                let (sine, phi, cosine) = (self.sine[place], self.phi[place], cosine[place]);
                *limit = (norm * norms_right[place] * (sine + times * phi * cosine) / (2.0 * PI)) as f32;
            }
        }
        Ok(())
    }
}
