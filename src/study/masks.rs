//! Masks that are given: what they keep, and how far their kernels are from infinite width, beside random masks.

use ndarray::{Array2, ArrayD, Axis, Ix2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Inputs, Normalisation, PreparedInputs, pair_count};
use crate::error::{Error, Result, Setting};
use crate::kernel::given::{GivenKernel, GivenMask, MaskScale, PairBlock};
use crate::kernel::gram::Pair;
use crate::kernel::masked::{Quadrature, Row, Sampling, for_masks};
use crate::kernel::nngp::{Dimension, Distance, Width, infinite_width_kernel, theorem_1};
use crate::kernel::ntk::{InfiniteWidth, Kernel, KernelName, Tangent};
use crate::network::{
    Activation, Connectivity, DrawnLayer, LayerId, LayerSpec, MaskFamily, NamedMask, WeightDistribution,
};
use crate::numeric::estimate::Uncertainty;
use crate::numeric::parallel::try_map;
use crate::numeric::statistics::{mean, quantile, sorted, standard_error};
use crate::sampled::{PairedInputs, SampledDistances};

/// Random masks are compared, and deep networks drawn, over at most this many pairs.
pub const MOST_PAIRS: usize = 500;
/// The most random masks per network.
const MOST_DRAWN: usize = 100_000;
/// The number of the first random mask among the initialisations of a seed: networks that are drawn for the same masks
/// have the first numbers.
const FIRST_MASK: u32 = 1 << 24;
/// The relative error of the masked moments of Theorem 1.
const TOLERANCE: f64 = 1e-3;
/// The points of a curve of random masks, the masks that are drawn for each, and the widths that have curves.
const CURVE_POINTS: usize = 13;
const CURVE_MASKS: usize = 8;
const MOST_WIDTHS: usize = 3;

/// The masks of one network.
#[derive(Clone, Debug)]
pub struct MaskSet {
    /// What reports call it: the name of its file.
    pub name: String,
    /// The masks of its layers, from the inputs on.
    pub masks: Vec<NamedMask>,
}

/// Pairs of inputs on which kernels are compared.
#[derive(Clone, Debug)]
pub struct MaskInputs {
    /// Whether they come from a data set.
    is_data: bool,
    title: String,
    checksum: String,
    values: PreparedInputs,
    pairs: Vec<(usize, usize)>,
}

impl MaskInputs {
    /// Random pairs of a data set; where it has no more pairs, each once.
    ///
    /// # Errors
    /// Where the data cannot be read or normalised, or there is no pair.
    pub fn of_data(data: &Dataset, normalisation: Normalisation, pairs: usize, seed: u64) -> Result<Self> {
        let inputs = data.inputs(seed)?;
        let values = PreparedInputs::new(inputs.normalised(normalisation)?)?;
        let pairs = values.random_pairs(pairs, seed)?;
        let all = pair_count(values.samples()) == Some(pairs.len());
        let which = if all { format!("all {} pairs", pairs.len()) } else { format!("{} random pairs", pairs.len()) };
        let title = format!("{which} of {data}, {}", normalisation.title());
        Ok(Self { is_data: true, title, checksum: inputs.checksum.clone(), values, pairs })
    }

    /// The rows of two matrices of one shape `(N, d)`, row by row; `title` is what reports call them.
    ///
    /// # Errors
    /// Where the shapes differ or a row is not one that [`Pair::new`] accepts.
    pub fn of_rows(x: Array2<f64>, y: Array2<f64>, title: impl Into<String>) -> Result<Self> {
        if x.dim() != y.dim() {
            let problem = format!("the first inputs have shape {:?}", x.dim());
            let found = format!("second inputs of shape {:?}", y.dim());
            return Err(Error::value("pairs", found, problem, "give as many rows, of the same length, in both"));
        }
        let rows = x.nrows();
        let both = ndarray::concatenate(Axis(0), &[x.view(), y.view()]).expect("the same number of columns: checked");
        let Inputs { values, checksum, .. } = Inputs::real(both);
        let values = PreparedInputs::new(values)?;
        let pairs = (0..rows).map(|row| (row, rows + row)).collect();
        Ok(Self { is_data: false, title: title.into(), checksum, values, pairs })
    }

    /// What they are, for tables.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }
}

/// What is to be found of given masks.
#[derive(Clone, Debug)]
pub struct MasksSpec {
    /// The kernels whose distances are taken.
    pub kernels: Vec<Kernel>,
    /// The variance of the weights that masks keep.
    pub scale: MaskScale,
    /// Random masks of as many weights that each first layer is compared with; 0 for none.
    pub drawn: usize,
    /// Initialisations of networks of more than one hidden layer; 0 for none.
    pub initialisations: usize,
    /// Whether the curves of random masks are computed, for the pictures.
    pub curves: bool,
    /// The seed of random masks and weights.
    pub seed: u64,
}

/// What one layer keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// The network, by the name of its [`MaskSet`].
    pub file: String,
    /// The layer.
    pub layer: String,
    /// Its shape, `outputs x inputs x ...`.
    pub shape: String,
    /// The number of weights that it keeps.
    pub kept: usize,
    /// The share of its weights that it keeps.
    pub density: f64,
    /// 1 less the density.
    pub sparsity: f64,
    /// The least, median and largest number of weights that a unit keeps.
    pub fan_in_least: f64,
    /// See `fan_in_least`.
    pub fan_in_median: f64,
    /// See `fan_in_least`.
    pub fan_in_most: f64,
    /// Units that keep no weight.
    pub dead_units: usize,
    /// Inputs that no unit is connected to.
    pub unused_inputs: usize,
    /// Units without a path from an input of the network, or to an output; none where the layers are not a chain.
    pub disconnected_units: Option<usize>,
}

/// The distances of one network under one kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MasksRecord {
    /// The network, by the name of its [`MaskSet`].
    pub file: String,
    /// Its first layer, which the distances are those of.
    pub layer: String,
    /// The kernel.
    pub kernel: KernelName,
    /// The convention of the tangent kernel.
    pub tangent: Option<Tangent>,
    /// The variance of the weights that the mask keeps.
    pub scale: MaskScale,
    /// Inputs `d` of the layer.
    pub inputs: usize,
    /// Its units `n`.
    pub width: usize,
    /// The number of weights that it keeps.
    pub kept: usize,
    /// `kept / (n d)`.
    pub density: f64,
    /// 1 less the density.
    pub sparsity: f64,
    /// The number of pairs.
    pub pairs: usize,
    /// The mean over pairs of bias^2.
    pub bias_squared: f64,
    /// The mean over pairs of the variance of the kernel.
    pub variance: f64,
    /// The mean over pairs of the distance, their sum.
    pub distance: f64,
    /// The median over pairs of the distance.
    pub median: f64,
    /// The mean error of the distance: rounding.
    pub distance_error: f64,
    /// The number of pairs, at most [`MOST_PAIRS`] spread evenly over all, on which it is compared with random ones.
    pub compared_pairs: usize,
    /// The mean distance over these.
    pub compared_distance: f64,
    /// That of Bernoulli masks of the same density, by Theorem 1; none where weights are scaled row by row.
    pub expected: Option<f64>,
    /// The error of that.
    pub expected_error: Option<f64>,
    /// That of the random masks that were drawn, which keep as many weights; none where none were drawn.
    pub drawn_distance: Option<f64>,
    /// Its standard error, over masks.
    pub drawn_error: Option<f64>,
    /// The percentage of these masks whose mean distance is smaller, an equal one counted half.
    pub percentile: Option<f64>,
    /// The number of hidden layers, where the masks are those of a perceptron: all layers but the last.
    pub hidden_layers: Option<usize>,
    /// Initialisations over which the kernels of the last hidden layer were sampled; none where there is but one.
    pub initialisations: Option<usize>,
    /// Bias^2 of the kernel of the last hidden layer, less the part that comes from the number of initialisations.
    pub deep_bias_squared: Option<f64>,
    /// The variance of that kernel.
    pub deep_variance: Option<f64>,
    /// Its distance, the mean over initialisations and at most [`MOST_PAIRS`].
    pub deep_distance: Option<f64>,
    /// The standard error of that, over initialisations.
    pub deep_distance_error: Option<f64>,
}

/// The mean distance of random masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomPoint {
    /// The kernel.
    pub kernel: KernelName,
    /// The family of the masks.
    pub family: MaskFamily,
    /// The width `n` of the layer.
    pub width: usize,
    /// The share of weights that they keep.
    pub density: f64,
    /// The mean distance over masks and at most [`MOST_PAIRS`].
    pub distance: f64,
    /// Its standard error, over masks.
    pub error: Option<f64>,
}

/// Given masks beside random ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MasksReport {
    /// The pairs of inputs, in words.
    pub inputs: String,
    /// SHA-256 of the data.
    pub checksum: String,
    /// Version of the program.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// Random masks per network.
    pub drawn: usize,
    /// What each layer keeps.
    pub layers: Vec<LayerRecord>,
    /// Distances by network and kernel. None of a network whose first layer is a convolution or keeps nothing.
    pub records: Vec<MasksRecord>,
    /// The distances of random masks against their density, where curves were asked for.
    pub curves: Vec<RandomPoint>,
}

impl MasksReport {
    /// Layers that keep no weight, as `layer of file`.
    #[must_use]
    pub fn collapsed(&self) -> Vec<String> {
        let empty = self.layers.iter().filter(|layer| layer.kept == 0);
        empty.map(|layer| format!("{} of {}", layer.layer, layer.file)).collect()
    }

    /// Networks whose layers do not take each other's outputs, so that nothing is said of paths and deep kernels.
    #[must_use]
    pub fn unchained(&self) -> Vec<String> {
        let apart = self.layers.iter().filter(|layer| layer.disconnected_units.is_none());
        let mut files: Vec<String> = apart.map(|layer| layer.file.clone()).collect();
        files.dedup();
        let why = "its layers, in this order, do not take each other's outputs, so that units without a path are not \
                   counted, and kernels of deeper layers not drawn";
        files.iter().map(|file| format!("{file}: {why}.")).collect()
    }

    /// Networks without distances, and why.
    #[must_use]
    pub fn without_distances(&self) -> Vec<String> {
        let mut files: Vec<&LayerRecord> = Vec::new();
        for layer in &self.layers {
            if !files.iter().any(|known| known.file == layer.file) {
                files.push(layer);
            }
        }
        files.retain(|first| !self.records.iter().any(|record| record.file == first.file));
        let why = |first: &&LayerRecord| {
            let why = if first.kept == 0 { "keeps no weight" } else { "is a convolution" };
            format!("No distances for {}: its first layer, {}, {why}.", first.file, first.layer)
        };
        files.iter().map(why).collect()
    }
}

impl MasksSpec {
    /// The amount of work: the random masks to draw, in the units of `progress`.
    #[must_use]
    pub fn work(&self, sets: usize) -> u64 {
        (sets * self.drawn) as u64
    }

    /// Finds what each layer of some networks keeps, and the distances of their first layers; `progress` is called
    /// after each random mask.
    ///
    /// # Errors
    /// Where a network has no layer or a mask of one dimension, the first layer of a perceptron does not take the
    /// inputs, more random masks are asked for than 100,000, or kernels are beyond double precision.
    pub fn run(&self, sets: &[MaskSet], inputs: &MaskInputs, progress: &(dyn Fn() + Sync)) -> Result<MasksReport> {
        if self.drawn > MOST_DRAWN {
            let problem = format!("must be at most {MOST_DRAWN}");
            return Err(Error::value("drawn", self.drawn, problem, "give a smaller number"));
        }
        if let Some(set) = sets.iter().find(|set| set.masks.is_empty()) {
            let remedy = "give a mask of two dimensions or more for each layer";
            return Err(Error::value("masks", &set.name, "it has no layer", remedy));
        }
        if let Some(named) = sets.iter().flat_map(|set| &set.masks).find(|named| named.mask.ndim() < 2) {
            let problem = format!("has {} dimensions", named.mask.ndim());
            return Err(Error::value("mask", &named.layer, problem, "give outputs x inputs, or more dimensions"));
        }
        let dimension = inputs.values.dimension().get();
        // What does not fit is refused before anything is computed.
        let given: Vec<Option<Hidden>> =
            sets.iter().map(|set| Hidden::of(set, dimension, self.scale, inputs)).collect::<Result<_>>()?;
        let pairs = Pairs::new(inputs)?;
        let mut records = Vec::new();
        for (set, hidden) in sets.iter().zip(&given) {
            if let Some(hidden) = hidden {
                records.extend(self.of_set(set, hidden, &pairs, progress)?);
            }
        }
        Ok(MasksReport {
            inputs: inputs.title.clone(),
            checksum: inputs.checksum.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            seed: self.seed,
            drawn: self.drawn,
            layers: sets.iter().flat_map(layers).collect(),
            curves: if self.curves { self.curves(&records, &pairs)? } else { Vec::new() },
            records,
        })
    }

    /// One record per kernel.
    fn of_set(
        &self,
        set: &MaskSet,
        hidden: &Hidden,
        pairs: &Pairs,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Vec<MasksRecord>> {
        let first = &hidden.layers[0];
        let found = first.of_pairs(&pairs.all, &self.kernels)?;
        let random = self.random(first, pairs, progress)?;
        let own: Vec<f64> = (0..self.kernels.len())
            .map(|place| mean(&pairs.places.iter().map(|of| found[*of][place].distance.total()).collect::<Vec<_>>()))
            .collect();
        let mut records = Vec::new();
        for (place, kernel) in self.kernels.iter().enumerate() {
            let of = |value: &dyn Fn(&GivenKernel) -> f64| -> Vec<f64> {
                found.iter().map(|kernels| value(&kernels[place])).collect()
            };
            let distances = of(&|kernel| kernel.distance.total());
            let random: Vec<f64> = random.iter().map(|of_mask| of_mask[place]).collect();
            let is_drawn = !random.is_empty();
            // An equal one counts half: a mask that keeps everything is its own equal.
            let below =
                |other: &f64| if *other < own[place] { 1.0 } else { f64::from(u8::from(*other == own[place])) / 2.0 };
            let smaller: f64 = random.iter().map(below).sum();
            let expected = match self.scale {
                MaskScale::FanIn => None,
                _ => Some(self.expected(*kernel, first, pairs)?),
            };
            let deep = self.deep(hidden, *kernel, pairs)?;
            let parts = deep.as_ref().and_then(SampledDistances::bias_and_variance);
            let last = hidden.layers.last().expect("at least the first layer: made so");
            let width = last.units() as f64;
            records.push(MasksRecord {
                file: set.name.clone(),
                layer: set.masks[0].layer.clone(),
                kernel: kernel.named(),
                tangent: kernel.tangent(),
                scale: self.scale,
                inputs: first.inputs(),
                width: first.units(),
                kept: first.kept(),
                density: first.density(),
                sparsity: 1.0 - first.density(),
                pairs: pairs.all.len(),
                bias_squared: mean(&of(&|kernel| kernel.distance.bias_squared)),
                variance: mean(&of(&|kernel| kernel.distance.variance / first.units() as f64)),
                distance: mean(&distances),
                median: quantile(&sorted(&distances), 0.5),
                distance_error: mean(&of(&|kernel| kernel.distance.error.magnitude().expect("rounding is known"))),
                compared_pairs: pairs.few.len(),
                compared_distance: own[place],
                expected: expected.map(|(distance, _)| distance),
                expected_error: expected.and_then(|(_, error)| error),
                drawn_distance: is_drawn.then(|| mean(&random)),
                drawn_error: standard_error(&random),
                percentile: is_drawn.then(|| 100.0 * smaller / random.len() as f64),
                hidden_layers: hidden.is_whole.then_some(hidden.layers.len()),
                initialisations: deep.as_ref().map(|_| self.initialisations),
                deep_bias_squared: parts.map(|(bias_squared, _)| bias_squared),
                deep_variance: parts.map(|(_, variance)| variance / width),
                deep_distance: deep.as_ref().map(|deep| mean(deep.by_initialisation())),
                deep_distance_error: deep.as_ref().and_then(|deep| standard_error(deep.by_initialisation())),
            });
        }
        Ok(records)
    }

    /// The mean distances of random masks of as many weights, by mask and kernel.
    fn random(&self, given: &GivenMask, pairs: &Pairs, done: &(dyn Fn() + Sync)) -> Result<Vec<Vec<f64>>> {
        let connectivity = Connectivity::new(given.density())?;
        let blocks = PairBlock::all_of(&pairs.few);
        try_map((0..self.drawn as u32).into_par_iter(), |mask| {
            let found = self.random_mask(MaskFamily::ExactCount, given.units(), connectivity, mask, &blocks);
            done();
            found
        })
    }

    /// The mean distance of one random mask under each kernel.
    fn random_mask(
        &self,
        mask: MaskFamily,
        width: usize,
        connectivity: Connectivity,
        number: u32,
        blocks: &[PairBlock],
    ) -> Result<Vec<f64>> {
        let columns = blocks[0].dimension();
        let law = LayerSpec { rows: width, columns, connectivity, mask, law: WeightDistribution::Gaussian };
        let id = LayerId { seed: self.seed, initialisation: FIRST_MASK + number, layer: 0 };
        let mask = GivenMask::of_drawn(&DrawnLayer::new(law, id), self.scale);
        let found = mask.of_blocks(blocks, &self.kernels)?;
        let of_kernel = |place: usize| found.iter().map(|of_pair| of_pair[place].distance.total()).collect::<Vec<_>>();
        Ok((0..self.kernels.len()).map(|place| mean(&of_kernel(place))).collect())
    }

    /// The kernels of the last hidden layer with drawn weights, where there is more than one hidden layer.
    fn deep(&self, hidden: &Hidden, kernel: Kernel, pairs: &Pairs) -> Result<Option<SampledDistances>> {
        let layers = &hidden.layers;
        if !hidden.is_whole || layers.len() < 2 || self.initialisations == 0 {
            return Ok(None);
        }
        let rows: Vec<(usize, usize)> = pairs.places.iter().map(|place| pairs.inputs.pairs[*place]).collect();
        let inputs = PairedInputs::new(pairs.inputs.values.values(), &rows)?;
        let activations = vec![Activation::Relu; layers.len()];
        let limit = |pair: &Pair| {
            let limit = InfiniteWidth::of_layers(pair, &activations).get(kernel);
            infinite_width_kernel(limit, pairs.inputs.values.dimension())
        };
        let reference = pairs.few.iter().map(limit).collect();
        SampledDistances::draw_given(&inputs, layers, kernel, self.seed, self.initialisations, reference).map(Some)
    }

    /// The expected distance of Bernoulli masks of the density of a given one, and its error.
    fn expected(&self, kernel: Kernel, given: &GivenMask, pairs: &Pairs) -> Result<(f64, Option<f64>)> {
        let (dimension, width) = (pairs.dimension(), Width::new(given.units())?);
        let (quadrature, sampling) = (Quadrature::new(TOLERANCE)?, Sampling::new(1_000, self.seed)?);
        let method = for_masks(MaskFamily::Bernoulli, width, quadrature, sampling);
        let found = method.of_pairs(&pairs.few, &Row::new(Connectivity::new(given.density())?).kernel(kernel))?;
        let distances: Vec<_> = found.iter().map(|moments| theorem_1(moments, dimension, width)).collect();
        let errors: Vec<Uncertainty> = distances.iter().map(|distance| distance.error).collect();
        let totals: Vec<f64> = distances.iter().map(Distance::total).collect();
        Ok((mean(&totals), Uncertainty::of_mean(&errors)))
    }

    /// The mean distances of random masks around the densities of the given ones.
    fn curves(&self, records: &[MasksRecord], pairs: &Pairs) -> Result<Vec<RandomPoint>> {
        let mut widths: Vec<usize> = records.iter().map(|record| record.width).collect();
        widths.sort_unstable();
        widths.dedup();
        widths.truncate(MOST_WIDTHS);
        let Some(least) = records.iter().map(|record| record.density).min_by(f64::total_cmp) else {
            return Ok(Vec::new());
        };
        let d = pairs.dimension().get() as f64;
        // By whole fan-ins, so that a constant one is of the density that it is drawn at.
        let least = (0.5 * least).max(1.0 / d);
        let fan_in = |place: usize| {
            let share = place as f64 / (CURVE_POINTS - 1) as f64;
            (d * least.powf(1.0 - share)).round().clamp(1.0, d)
        };
        let mut fan_ins: Vec<f64> = (0..CURVE_POINTS).map(fan_in).collect();
        fan_ins.dedup();
        let blocks = PairBlock::all_of(&pairs.few);
        let mut points = Vec::new();
        for width in widths {
            for family in [MaskFamily::ExactCount, MaskFamily::ConstantFanIn] {
                for fan_in in &fan_ins {
                    let connectivity = Connectivity::new(fan_in / d)?;
                    let masks = (0..CURVE_MASKS as u32).into_par_iter();
                    let found = try_map(masks, |mask| self.random_mask(family, width, connectivity, mask, &blocks))?;
                    for (place, kernel) in self.kernels.iter().enumerate() {
                        let distances: Vec<f64> = found.iter().map(|of_mask| of_mask[place]).collect();
                        points.push(RandomPoint {
                            kernel: kernel.named(),
                            family,
                            width,
                            density: connectivity.get(),
                            distance: mean(&distances),
                            error: standard_error(&distances),
                        });
                    }
                }
            }
        }
        Ok(points)
    }
}

/// The pairs as theory takes them.
struct Pairs<'a> {
    inputs: &'a MaskInputs,
    all: Vec<Pair<'static>>,
    /// The places of at most [`MOST_PAIRS`] of them, spread evenly: where all pairs of some data are taken, they are in
    /// order, and the first ones share a few inputs.
    places: Vec<usize>,
    few: Vec<Pair<'static>>,
}

impl<'a> Pairs<'a> {
    fn new(inputs: &'a MaskInputs) -> Result<Self> {
        let (count, few) = (inputs.pairs.len(), inputs.pairs.len().min(MOST_PAIRS));
        let places: Vec<usize> = (0..few).map(|index| (index as u128 * count as u128 / few as u128) as usize).collect();
        let rows: Vec<(usize, usize)> = places.iter().map(|place| inputs.pairs[*place]).collect();
        let (all, few) = (inputs.values.pairs(&inputs.pairs)?, inputs.values.pairs(&rows)?);
        Ok(Self { inputs, all, places, few })
    }

    fn dimension(&self) -> Dimension {
        self.inputs.values.dimension()
    }
}

/// The hidden layers of a network, as far as its kernels are known.
struct Hidden {
    /// At least the first.
    layers: Vec<GivenMask>,
    /// Whether these are the layers of a perceptron up to its last hidden one.
    is_whole: bool,
}

impl Hidden {
    /// None of a network that begins with a convolution or keeps nothing of its first layer.
    fn of(set: &MaskSet, dimension: usize, scale: MaskScale, inputs: &MaskInputs) -> Result<Option<Self>> {
        let linear = |mask: &ArrayD<bool>| mask.clone().into_dimensionality::<Ix2>().ok();
        let layers: Option<Vec<Array2<bool>>> = set.masks.iter().map(|named| linear(&named.mask)).collect();
        let Some(first) = linear(&set.masks[0].mask) else { return Ok(None) };
        if first.ncols() != dimension {
            let problem = format!(
                "its first layer, {}, is {} x {}, outputs x inputs, and {} have {dimension} inputs",
                set.masks[0].layer,
                first.nrows(),
                first.ncols(),
                inputs.title
            );
            // Where another layer fits, only the order may be wrong.
            let fits = set.masks.iter().any(|named| named.mask.ndim() == 2 && named.mask.shape()[1] == dimension);
            let error = |remedy| Error::value("masks", &set.name, problem, remedy);
            return Err(match (fits, inputs.is_data) {
                (true, _) => error("give the layers in the order of the network").about(Setting::Layers),
                (false, true) => {
                    error("give data of that many inputs, or the masks of another network").about(Setting::Data)
                }
                (false, false) => error("give inputs of that length, or the masks of another network"),
            });
        }
        let keeps = |mask: &Array2<bool>| mask.iter().any(|kept| *kept);
        if !keeps(&first) {
            return Ok(None);
        }
        let of_mask = |mask: &Array2<bool>| GivenMask::new(mask.view(), scale);
        let is_chain = |layers: &&[Array2<bool>]| layers.windows(2).all(|two| two[0].nrows() == two[1].ncols());
        // The last layer is the readout, which the theory takes to be dense.
        let chain = layers.as_deref().filter(is_chain).map(|layers| &layers[..(layers.len() - 1).max(1)]);
        let hidden = chain.filter(|layers| layers.iter().all(keeps));
        match hidden {
            Some(hidden) => {
                let layers = hidden.iter().map(of_mask).collect::<Result<_>>()?;
                Ok(Some(Self { layers, is_whole: true }))
            }
            None => Ok(Some(Self { layers: vec![of_mask(&first)?], is_whole: false })),
        }
    }
}

/// What each layer of a network keeps.
fn layers(set: &MaskSet) -> Vec<LayerRecord> {
    let disconnected = disconnected_units(&set.masks);
    let of = |(place, NamedMask { layer, mask }): (usize, &NamedMask)| {
        let kept = mask.iter().filter(|kept| **kept).count();
        let density = if mask.is_empty() { 0.0 } else { kept as f64 / mask.len() as f64 };
        let fan_in: Vec<f64> = mask.outer_iter().map(|unit| unit.iter().filter(|kept| **kept).count() as f64).collect();
        let is_used = |input: &usize| mask.index_axis(Axis(1), *input).iter().any(|kept| *kept);
        let ordered = sorted(&fan_in);
        let at = |level: f64| if ordered.is_empty() { 0.0 } else { quantile(&ordered, level) };
        LayerRecord {
            file: set.name.clone(),
            layer: layer.clone(),
            shape: mask.shape().iter().map(usize::to_string).collect::<Vec<_>>().join(" x "),
            kept,
            density,
            sparsity: 1.0 - density,
            fan_in_least: at(0.0),
            fan_in_median: at(0.5),
            fan_in_most: at(1.0),
            dead_units: fan_in.iter().filter(|kept| **kept == 0.0).count(),
            unused_inputs: (0..mask.shape()[1]).filter(|input| !is_used(input)).count(),
            disconnected_units: disconnected.as_ref().map(|by_layer| by_layer[place]),
        }
    };
    set.masks.iter().enumerate().map(of).collect()
}

/// For each layer its units without a path from an input of the network or to an output, through weights that are kept;
/// none where a layer does not take what the one before gives.
fn disconnected_units(masks: &[NamedMask]) -> Option<Vec<usize>> {
    // A channel of a convolution is a unit.
    let connected = |named: &NamedMask| {
        let mask = &named.mask;
        let shape = (mask.shape()[0], mask.shape()[1]);
        let rest = mask.len().checked_div(shape.0 * shape.1).unwrap_or(1);
        let flat: Vec<bool> = mask.iter().copied().collect();
        Array2::from_shape_fn(shape, |(unit, input)| {
            let start = (unit * shape.1 + input) * rest;
            flat[start..start + rest].iter().any(|kept| *kept)
        })
    };
    let layers: Vec<Array2<bool>> = masks.iter().map(connected).collect();
    if layers.windows(2).any(|two| two[0].nrows() != two[1].ncols()) {
        return None;
    }
    let mut reached = vec![vec![true; layers[0].ncols()]];
    for layer in &layers {
        let from = reached.last().expect("the inputs are reached");
        let is_reached = |unit: ndarray::ArrayView1<bool>| unit.iter().zip(from).any(|(kept, from)| *kept && *from);
        reached.push(layer.outer_iter().map(is_reached).collect());
    }
    let mut counts = vec![0; layers.len()];
    // Which units of a layer lead to an output.
    let mut leads = vec![true; layers.last().expect("a network has a layer: checked before").nrows()];
    for (place, layer) in layers.iter().enumerate().rev() {
        counts[place] =
            leads.iter().zip(&reached[place + 1]).filter(|(leads, reached)| !(**leads && **reached)).count();
        let leads_on = |input: usize| layer.column(input).iter().zip(&leads).any(|(kept, leads)| *kept && *leads);
        leads = (0..layer.ncols()).map(leads_on).collect();
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn networks_without_layers_are_refused() {
        let inputs = MaskInputs::of_rows(array![[1.0, 2.0]], array![[2.0, 1.0]], "rows").unwrap();
        let spec = MasksSpec {
            kernels: vec![Kernel::Nngp],
            scale: MaskScale::Density,
            drawn: 0,
            initialisations: 0,
            curves: false,
            seed: 0,
        };
        let flat = NamedMask { layer: "a".into(), mask: ArrayD::from_elem(vec![2], true) };
        for (masks, words) in [(vec![], "no layer"), (vec![flat], "1 dimensions")] {
            let set = MaskSet { name: "net".into(), masks };
            let message = spec.run(&[set], &inputs, &|| {}).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn units_without_a_path_are_counted() {
        let named = |mask: Array2<bool>| NamedMask { layer: String::new(), mask: mask.into_dyn() };
        let [t, f] = [true, false];
        // Unit 1 keeps nothing; unit 2 leads to unit 1 of the next layer, which nothing uses; that one hears only it.
        let first = named(array![[t, f], [f, f], [t, t]]);
        let second = named(array![[t, t, f], [f, f, t]]);
        let third = named(array![[t, f]]);
        assert_eq!(disconnected_units(&[first.clone(), second, third.clone()]), Some(vec![2, 1, 0]));
        assert_eq!(disconnected_units(&[first, third]), None);
    }
}
