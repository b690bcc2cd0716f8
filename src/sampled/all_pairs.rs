//! Squared distances of sampled kernels over all pairs of inputs, tile by tile.

use std::f64::consts::PI;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::features::{hidden_features, scale_of, takes_dense};
use crate::arccos::unit_angles;
use crate::error::{Error, Result};
use crate::gram::{check_inputs, lane_sum};
use crate::linalg::{product, triangular_product};
use crate::network::{DrawnLayer, LayerId, LayerLaw, MaskFamily, SparseRows};

/// Inputs on a side of a tile: four of the 96 that faer's kernel takes at a time with AVX-512. Fixed, so that sums are the same
/// however the tiles are shared out.
const TILE: usize = 384;
/// Hidden units whose features are made at once: wider layers are added up in such chunks.
const CHUNK: usize = 2048;
/// The longest input relative to the shortest, zero apart: beyond, squared distances leave single precision.
const LONGEST: f64 = 1e9;
/// Entries of a tile that are added in single precision before they go on in double.
const LANES: usize = 32;

/// All pairs of a set of inputs, in single precision, in tiles.
#[derive(Clone, Debug)]
pub struct TiledInputs {
    /// Shapes `(d, TILE)`, the last one less; divided by `scale`.
    tiles: Vec<Array2<f32>>,
    /// The norms of the inputs, divided by `scale`.
    norms: Vec<f64>,
    scale: f64,
}

impl TiledInputs {
    /// Takes inputs of shape `(samples, d)`.
    ///
    /// # Errors
    /// Where there are fewer than two inputs, one is not what [`crate::gram::Pair::new`] takes, or one is shorter than another by
    /// a factor of more than 1e9.
    pub fn new(inputs: ArrayView2<f64>) -> Result<Self> {
        let (samples, dimension) = inputs.dim();
        if samples < 2 || dimension == 0 {
            let found = format!("shape ({samples}, {dimension})");
            return Err(Error::value("inputs", found, "pairs need two inputs with entries", "give more"));
        }
        check_inputs("inputs", inputs)?;
        let scale = scale_of(inputs);
        let norms = inputs.outer_iter().map(|row| row.iter().map(|x| (x / scale).powi(2)).sum::<f64>().sqrt());
        let norms: Vec<f64> = norms.collect();
        let longest = norms.iter().copied().fold(0.0f64, f64::max);
        if let Some(row) = norms.iter().position(|norm| *norm > 0.0 && LONGEST * *norm < longest) {
            let problem = format!("is shorter than the longest input by a factor of more than {LONGEST:e}");
            return Err(Error::value(
                "inputs",
                format!("row {row}"),
                problem,
                "remove the one or the other, or normalise",
            ));
        }
        let tiles = (0..samples).step_by(TILE).map(|start| {
            let rows = inputs.slice(s![start..(start + TILE).min(samples), ..]);
            Array2::from_shape_fn((dimension, rows.nrows()), |(j, i)| (rows[[i, j]] / scale) as f32)
        });
        Ok(Self { tiles: tiles.collect(), norms, scale })
    }

    /// The number of inputs `N`.
    pub fn samples(&self) -> usize {
        self.norms.len()
    }

    /// The input dimension `d`.
    pub fn dimension(&self) -> usize {
        self.tiles.first().map_or(0, Array2::nrows)
    }
}

/// A network of a sweep, and how many of it are drawn: initialisations `0, 1, ...` of the seed.
#[derive(Clone, Copy, Debug)]
pub struct SampledNetwork {
    /// The law of its first layer; its connectivity, width and weights.
    pub law: LayerLaw,
    /// The number of initialisations, at least 1.
    pub initialisations: usize,
}

/// `(Theta - Theta_inf)^2` of one network, a value an initialisation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllPairsDistances {
    /// The mean over the `N (N - 1) / 2` pairs of different inputs.
    pub off_diagonal: Vec<f64>,
    /// The mean over the `N` pairs of an input with itself.
    pub diagonal: Vec<f64>,
}

/// A sweep over networks that is laid out to fit into memory.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    inputs: &'a TiledInputs,
    networks: Vec<SampledNetwork>,
    seed: u64,
    /// The network and the initialisation of each draw, in the order of the networks.
    draws: Vec<(usize, u32)>,
    /// Tiles on a side of a block: of two blocks at a time the features are held.
    block: usize,
    /// The draws whose features are held at a time.
    batches: Vec<Range<usize>>,
    bytes: usize,
}

/// Two tiles, by their numbers, the first not above the second.
type TilePair = (usize, usize);

impl<'a> Sweep<'a> {
    /// Lays out the sweep, so that beside the inputs it takes at most `memory` bytes.
    ///
    /// # Errors
    /// Where a network does not fit the inputs or has no hidden unit or initialisation, or the memory does not suffice.
    pub fn new(inputs: &'a TiledInputs, networks: &[SampledNetwork], seed: u64, memory: usize) -> Result<Self> {
        for SampledNetwork { law, initialisations } in networks {
            if law.columns != inputs.dimension()
                || [law.rows, *initialisations].iter().any(|count| !(1..u32::MAX as usize).contains(count))
            {
                return Err(Error::value(
                    "width, dimension, initialisations",
                    format!("{}, {}, {initialisations}", law.rows, law.columns),
                    format!("the inputs have dimension {}, width and initialisations are positive", inputs.dimension()),
                    "give networks that fit",
                ));
            }
        }
        let draws: Vec<(usize, u32)> = networks
            .iter()
            .enumerate()
            .flat_map(|(place, network)| (0..network.initialisations as u32).map(move |index| (place, index)))
            .collect();
        let mut sweep = Self { inputs, networks: networks.to_vec(), seed, draws, block: 0, batches: vec![], bytes: 0 };
        sweep.lay_out(memory)?;
        Ok(sweep)
    }

    /// What the sweep takes at most beside the inputs, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn lay_out(&mut self, memory: usize) -> Result<()> {
        let tiles = self.inputs.tiles.len();
        let widest = self.networks.iter().map(|network| network.law.rows).max().unwrap_or(0);
        let float = size_of::<f32>();
        let threads = rayon::current_num_threads();
        // A tile of the kernel and of its limit in each thread, and room of the product; the weights of one chunk.
        let in_threads = threads * (3 * TILE * TILE * float + (8 << 20));
        let weights = self.networks.iter().map(|network| weight_bytes(&network.law, threads)).max().unwrap_or(0);
        // The sums of every draw over every pair of tiles, which are added up in one order at the end.
        let sums = self.draws.len().saturating_mul(tiles * (tiles + 1) / 2 * size_of::<Sums>() + 128);
        let fixed = in_threads.saturating_add(weights).saturating_add(sums);
        let features = |block: usize, rows: usize| tiles.min(2 * block) * TILE * rows.min(CHUNK) * float;
        let grams = |block: usize| {
            let pairs = if block >= tiles { tiles * (tiles + 1) / 2 } else { block * block };
            if widest > CHUNK { pairs * TILE * TILE * float } else { 0 }
        };
        let least = |block: usize| fixed.saturating_add(grams(block)).saturating_add(features(block, widest));
        self.block = tiles.max(1);
        while least(self.block) > memory && self.block > 1 {
            self.block = self.block.div_ceil(2);
        }
        if least(self.block) > memory {
            let (needed, draws) = (least(1).div_ceil(1 << 20), self.draws.len());
            let problem =
                format!("is not enough: width {widest}, {draws} draws and {threads} threads take at least {needed} MB");
            let remedy = "give more, or fewer initialisations or threads";
            return Err(Error::value("memory", format!("{} MB", memory >> 20), problem, remedy));
        }
        let room = memory - fixed - grams(self.block);
        let mut start = 0;
        let mut held = 0;
        for (draw, (network, _)) in self.draws.iter().enumerate() {
            let rows = self.networks[*network].law.rows;
            let more = features(self.block, rows);
            // A layer of several chunks is added up by itself.
            let wide = |draw: usize| self.networks[self.draws[draw].0].law.rows > CHUNK;
            let by_itself = draw > start && (wide(draw) || wide(draw - 1));
            if draw > start && (held + more > room || by_itself) {
                self.batches.push(start..draw);
                (start, held) = (draw, 0);
            }
            held += more;
            self.bytes = self.bytes.max(fixed + grams(self.block) + held);
        }
        if start < self.draws.len() {
            self.batches.push(start..self.draws.len());
        }
        Ok(())
    }

    /// Draws the networks and compares the kernel of each with `v K_1 / d`, `v` the variance of its weights, over all pairs.
    ///
    /// Features and kernels are in single precision, sums over pairs in double. The same bits for any number of threads, any
    /// memory, and any other networks beside. `progress` is called with the share that is done, from any thread.
    ///
    /// # Errors
    /// None that the inputs and networks given could cause.
    pub fn run(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<Vec<AllPairsDistances>> {
        let tiles = self.inputs.tiles.len();
        let all_pairs = tiles * (tiles + 1) / 2;
        let done = AtomicU64::new(0);
        let finished = |draws: usize| {
            let done = done.fetch_add(draws as u64, Ordering::Relaxed) + draws as u64;
            progress(done as f64 / (all_pairs * self.draws.len()) as f64);
        };
        // By draw, then by pair of tiles: added up in that order at the end.
        let mut sums = vec![vec![Sums::default(); all_pairs]; self.draws.len()];
        let blocks: Vec<Range<usize>> =
            (0..tiles).step_by(self.block).map(|start| start..(start + self.block).min(tiles)).collect();
        for (first, left) in blocks.iter().enumerate() {
            for right in &blocks[first..] {
                let pairs: Vec<TilePair> =
                    left.clone().flat_map(|i| right.clone().map(move |j| (i, j))).filter(|(i, j)| i <= j).collect();
                for batch in &self.batches {
                    let found = self.batch(batch.clone(), &pairs, &finished)?;
                    for ((i, j), found) in pairs.iter().zip(found) {
                        let place = i * tiles - i * (i + 1) / 2 + j;
                        batch.clone().zip(found).for_each(|(draw, sum)| sums[draw][place] = sum);
                    }
                }
            }
        }
        Ok(self.distances(&sums))
    }

    /// The sums over each pair of tiles, for each draw of the batch.
    fn batch(
        &self,
        batch: Range<usize>,
        pairs: &[TilePair],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Vec<Sums>>> {
        let mut used: Vec<usize> = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
        used.sort_unstable();
        used.dedup();
        let draws = &self.draws[batch];
        let rows = draws.iter().map(|(network, _)| self.networks[*network].law.rows).max().unwrap_or(0);
        let chunks = rows.div_ceil(CHUNK);
        let mut grams: Vec<Array2<f32>> = vec![Array2::default((0, 0)); if chunks > 1 { pairs.len() } else { 0 }];
        // An exact count is decided once a draw, over all chunks.
        let drawn: Vec<(LayerLaw, DrawnLayer)> = draws
            .iter()
            .map(|(network, initialisation)| {
                let law = self.networks[*network].law;
                let id = LayerId { seed: self.seed, initialisation: *initialisation, layer: 0 };
                (law, DrawnLayer::new(law, id))
            })
            .collect();
        for chunk in 0..chunks {
            let features = drawn.iter().map(|draw| self.features(draw, chunk, &used)).collect::<Result<Vec<_>>>()?;
            let of = |draw: usize, tile: usize| features[draw][used.partition_point(|other| *other < tile)].view();
            if chunks > 1 {
                grams
                    .par_iter_mut()
                    .zip(pairs)
                    .try_for_each(|(gram, (i, j))| add_gram(of(0, *i), of(0, *j), i == j, gram))?;
            }
            if chunk + 1 < chunks {
                continue;
            }
            // Where there are fewer tiles than threads the draws are shared out too.
            let share = draws.len().div_ceil(rayon::current_num_threads().div_ceil(pairs.len())).max(1);
            let shares = draws.len().div_ceil(share);
            let found: Vec<Vec<Sums>> = (0..pairs.len() * shares)
                .into_par_iter()
                .with_max_len(1)
                .map_init(Work::default, |work, task| {
                    let (place, first) = (task / shares, task % shares * share);
                    let (i, j) = pairs[place];
                    work.limit(self.inputs, (i, j))?;
                    let mut found = Vec::with_capacity(share);
                    for (draw, (network, _)) in draws.iter().enumerate().skip(first).take(share) {
                        let law = &self.networks[*network].law;
                        let factors = (1.0 / law.rows as f32, law.law.variance() as f32);
                        let gram = match grams.get(place) {
                            Some(gram) => gram,
                            None => {
                                work.gram.fill(0.0);
                                add_gram(of(draw, i), of(draw, j), i == j, &mut work.gram)?;
                                &work.gram
                            }
                        };
                        found.push(Sums::over(gram, &work.limit, factors, i == j));
                    }
                    finished(found.len());
                    Ok(found)
                })
                .collect::<Result<_>>()?;
            return Ok(found.chunks(shares).map(<[Vec<Sums>]>::concat).collect());
        }
        Ok(vec![])
    }

    /// The features of one chunk of a draw's hidden units on the tiles given, shapes `(rows, inputs)`.
    fn features(
        &self,
        (law, drawn): &(LayerLaw, DrawnLayer),
        chunk: usize,
        tiles: &[usize],
    ) -> Result<Vec<Array2<f32>>> {
        let mut weights: SparseRows = drawn.rows_in_parallel(chunk * CHUNK..((chunk + 1) * CHUNK).min(law.rows));
        weights.drop_empty_rows();
        tiles.par_iter().map(|tile| hidden_features(&weights, *law, &self.inputs.tiles[*tile])).collect()
    }

    fn distances(&self, sums: &[Vec<Sums>]) -> Vec<AllPairsDistances> {
        let samples = self.inputs.samples() as f64;
        let unit = (self.inputs.scale * self.inputs.scale / self.inputs.dimension() as f64).powi(2);
        let mut distances = vec![AllPairsDistances::default(); self.networks.len()];
        for ((network, _), sums) in self.draws.iter().zip(sums) {
            let (off_diagonal, diagonal) =
                sums.iter().fold((0.0, 0.0), |(off, on), sum| (off + sum.off_diagonal, on + sum.diagonal));
            distances[*network].off_diagonal.push(unit * off_diagonal / (samples * (samples - 1.0) / 2.0));
            distances[*network].diagonal.push(unit * diagonal / samples);
        }
        distances
    }
}

/// What the weights of a chunk take while its features are made, in bytes.
fn weight_bytes(law: &LayerLaw, threads: usize) -> usize {
    let entries = |rows: usize| rows as f64 * law.columns as f64;
    // Six standard deviations above the mean; places and values, by row and then joined.
    let expected = law.connectivity.get() * entries(law.rows.min(CHUNK));
    let weights = 2.0 * size_of::<(u32, f32)>() as f64 * (expected + 6.0 * expected.sqrt() + 20.0);
    // To find the mask of an exact count, keys and places of all that could be in it.
    let exact = law.mask == MaskFamily::ExactCount && !law.connectivity.is_dense();
    let keys =
        if exact { 3.0 * size_of::<(u64, u64)>() as f64 * law.connectivity.get() * entries(law.rows) } else { 0.0 };
    let dense =
        if takes_dense(law) { threads as f64 * size_of::<f32>() as f64 * entries(law.rows.min(CHUNK)) } else { 0.0 };
    (keys + weights + dense) as usize
}

/// Sums of squared distances over a pair of tiles.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    off_diagonal: f64,
    diagonal: f64,
}

impl Sums {
    /// Of `(factor gram - variance limit)^2`; of the upper half where the tile lies on the diagonal.
    fn over(gram: &Array2<f32>, limit: &Array2<f32>, (factor, variance): (f32, f32), on_diagonal: bool) -> Self {
        let mut sums = Self::default();
        for (i, (gram, limit)) in gram.outer_iter().zip(limit.outer_iter()).enumerate() {
            let (Some(gram), Some(limit)) = (gram.to_slice(), limit.to_slice()) else { continue };
            let from = if on_diagonal { i + 1 } else { 0 };
            sums.off_diagonal += squared_distance(&gram[from..], &limit[from..], factor, variance);
            if on_diagonal {
                sums.diagonal += squared_distance(&gram[i..=i], &limit[i..=i], factor, variance);
            }
        }
        sums
    }
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

/// Adds the products of the features of two tiles, shape `(inputs, inputs)`; of the upper half where they are the same.
fn add_gram(left: ArrayView2<f32>, right: ArrayView2<f32>, same: bool, gram: &mut Array2<f32>) -> Result<()> {
    if gram.dim() != (left.ncols(), right.ncols()) {
        *gram = Array2::zeros((left.ncols(), right.ncols()));
    }
    let multiply = if same { triangular_product } else { product };
    multiply(left.t(), right, 1.0, true, gram.view_mut())
}

/// Room for one pair of tiles.
#[derive(Default)]
struct Work {
    gram: Array2<f32>,
    /// `K_1` of the scaled inputs.
    limit: Array2<f32>,
    sine: Vec<f64>,
    phi: Vec<f64>,
}

impl Work {
    /// Fills in the closed form of every pair of two tiles.
    fn limit(&mut self, inputs: &TiledInputs, (i, j): TilePair) -> Result<()> {
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
                *limit = (norm * norms_right[place] * (sine + phi * cosine) / (2.0 * PI)) as f32;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arccos::arc_cosine;
    use crate::connectivity::Connectivity;
    use crate::data::DataSource;
    use crate::gram::Pair;
    use crate::network::WeightLaw;
    use crate::sampled::{PairedInputs, sampled_kernels};

    fn network(rows: usize, columns: usize, p: f64, initialisations: usize) -> SampledNetwork {
        let (mask, law) = (MaskFamily::Bernoulli, WeightLaw::Uniform);
        let connectivity = Connectivity::new(p).unwrap();
        SampledNetwork { law: LayerLaw { rows, columns, connectivity, mask, law }, initialisations }
    }

    fn gaussian(samples: usize, dimension: usize) -> Array2<f64> {
        let mut values = DataSource::Gaussian { dimension, samples }.inputs(4).unwrap().values * 3e5;
        values.row_mut(samples / 2).fill(0.0);
        values
    }

    /// Means over all pairs, one by one.
    fn one_by_one(inputs: &Array2<f64>, network: &SampledNetwork, initialisation: u32) -> (f64, f64) {
        let samples = inputs.nrows();
        let mean_over = |pairs: Vec<(usize, usize)>| {
            let paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
            let id = LayerId { seed: 7, initialisation, layer: 0 };
            let kernels = sampled_kernels(&paired, network.law, id).unwrap();
            let squares = pairs.iter().zip(kernels).map(|((i, j), kernel)| {
                let pair = Pair::new(inputs.row(*i), inputs.row(*j)).unwrap();
                let limit = network.law.law.variance() * arc_cosine(pair.gram()).k1 / inputs.ncols() as f64;
                (kernel - limit).powi(2)
            });
            squares.sum::<f64>() / pairs.len() as f64
        };
        let different = (0..samples).flat_map(|i| (i + 1..samples).map(move |j| (i, j))).collect();
        (mean_over(different), mean_over((0..samples).map(|i| (i, i)).collect()))
    }

    #[test]
    fn tiles_hold_what_each_pair_gives() {
        // Three tiles, the last one not full; dense and sparse; and a width of two chunks.
        for (samples, network) in
            [(800, network(30, 12, 0.2, 2)), (800, network(7, 12, 1.0, 1)), (800, network(CHUNK + 100, 12, 0.1, 1))]
        {
            let values = gaussian(samples, 12);
            let inputs = TiledInputs::new(values.view()).unwrap();
            let found = Sweep::new(&inputs, &[network], 7, 1 << 30).unwrap().run(&|_| {}).unwrap();
            assert_eq!(found[0].off_diagonal.len(), network.initialisations);
            for initialisation in 0..network.initialisations {
                let expected = one_by_one(&values, &network, initialisation as u32);
                let found = (found[0].off_diagonal[initialisation], found[0].diagonal[initialisation]);
                // Single precision of kernels and their limits, whose errors are independent of each other.
                for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
                    assert!((found / expected - 1.0).abs() < 1e-5, "{network:?}: {found:e}, one by one {expected:e}");
                }
            }
        }
    }

    #[test]
    fn the_same_bits_whatever_the_memory_the_threads_and_the_company() {
        let values = gaussian(1300, 9);
        let inputs = TiledInputs::new(values.view()).unwrap();
        let networks = [network(40, 9, 0.3, 3), network(CHUNK + 9, 9, 0.1, 1), network(600, 9, 0.05, 2)];
        let run = |networks: &[SampledNetwork], memory: usize, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let sweep = Sweep::new(&inputs, networks, 7, memory).unwrap();
                assert!(sweep.bytes() <= memory);
                (sweep.run(&|_| {}).unwrap(), sweep.block, sweep.batches.len())
            })
        };
        let (whole, block, batches) = run(&networks, 1 << 30, 2);
        assert_eq!((block, batches), (4, 3));
        for threads in [1, 2, 4] {
            let (found, block, _) = run(&networks, threads * (11 << 20) + (12 << 20), threads);
            assert!(block < 4, "too much memory for this test");
            assert_eq!(found, whole);
        }
        for (network, whole) in networks.iter().zip(&whole) {
            assert_eq!(run(&[*network], 1 << 30, 2).0, std::slice::from_ref(whole));
        }
    }

    #[test]
    fn sweeps_that_cannot_be_are_refused() {
        let values = gaussian(10, 5);
        let inputs = TiledInputs::new(values.view()).unwrap();
        for wrong in [network(0, 5, 0.5, 1), network(3, 4, 0.5, 1), network(3, 5, 0.5, 0)] {
            assert!(Sweep::new(&inputs, &[wrong], 0, 1 << 30).is_err());
        }
        let error = Sweep::new(&inputs, &[network(3, 5, 0.5, 1)], 0, 1 << 10).unwrap_err().to_string();
        assert!(error.contains("memory") && error.contains("MB"), "{error}");
        assert!(TiledInputs::new(gaussian(1, 5).view()).is_err());
        let mut outlier = gaussian(10, 5);
        outlier.row_mut(3).fill(1e25);
        assert!(TiledInputs::new(outlier.view()).unwrap_err().to_string().contains("row 0"));
        assert!(TiledInputs::new(Array2::from_elem((3, 2), f64::NAN).view()).is_err());
    }
}
