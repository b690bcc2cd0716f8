//! Distances of one study: the inputs, made once a normalisation, and the records that each method makes of them.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{DistanceMethod, DistanceSpec, NetworkSpec, Reference};
use crate::data::{Dataset, GlobalScale, Inputs, Normalisation, PreparedInputs, pair_count};
use crate::error::{Error, Result};
use crate::kernel::all_pairs::{PairDistances, all_pairs};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::{Gram, Pair};
use crate::kernel::masked::{Auto, Expansion, LinearBottleneck, Method, Quadrature, RowMoments, Sampling, for_masks};
use crate::kernel::nngp::{Width, bias_error, infinite_width_kernel, theorem_1, variance_error};
use crate::kernel::paper;
use crate::network::Connectivity;
use crate::network::{Activation, LayerId, LayerSpec, MaskFamily, WeightDistribution};
use crate::numeric::estimate::Uncertainty;
use crate::numeric::statistics::{mean, median_interval_95, quantile, sorted, standard_error};
use crate::sampled::{
    AllPairsDistances, Device, PairedInputs, SampledDistances, SampledNetwork, SamplingLaw, Sweep, TiledInputs,
    sampled_kernels,
};
use crate::study::density::Density;
use crate::study::record::{DistanceRecord, SCHEMA, draws_tell_error};

/// Hidden units, over all initialisations, after which drawn networks over all pairs are recorded before others follow: the limits,
/// made anew, take as long as a thousand.
const TOGETHER: usize = 20_000;

/// Normalised inputs and their random pairs.
#[derive(Debug)]
pub struct DistanceInputs {
    normalisation: Normalisation,
    checksum: String,
    scale: Option<GlobalScale>,
    /// The mean of `|x|^2 / d`.
    mean_square: f64,
    values: PreparedInputs,
    pairs: Vec<(usize, usize)>,
    /// The same for theory, once it is asked for.
    theory: OnceLock<Vec<Pair<'static>>>,
    sampled: PairedInputs,
    /// `K_1` of each pair.
    k1: Vec<f64>,
    /// The distances of all pairs by network, once they are asked for.
    all: OnceLock<Vec<PairDistances>>,
    device: Device,
    /// Whether networks that follow each other are drawn over all pairs together.
    together: bool,
    /// The inputs in tiles, where networks are drawn over all pairs, and what that takes on the device, in bytes.
    tiled: Option<(TiledInputs, usize)>,
    /// The distances of drawn networks over all pairs, by the place of the network in the study, once they are asked for.
    sampled_all: Mutex<HashMap<usize, AllPairsDistances>>,
}

/// The spread of the distance over pairs.
struct Spread {
    /// 0 for a formula that takes no inputs.
    pairs: usize,
    mean: f64,
    /// Its standard error and the median's 95 % interval, as estimates over all pairs of the data.
    mean_error: Option<f64>,
    median_interval: Option<(f64, f64)>,
    quartiles: Option<[f64; 3]>,
    /// The largest relative error of the quartiles, where they come from a histogram.
    resolution: Option<f64>,
}

impl Spread {
    /// Of distances pair by pair, of some or all pairs of the data.
    fn of_pairs(distances: &[f64], pairs_of_data: Option<usize>) -> Self {
        let ordered = sorted(distances);
        let quartiles = [0.25, 0.5, 0.75].map(|level| quantile(&ordered, level));
        let takes_all = pairs_of_data == Some(distances.len());
        Self {
            pairs: distances.len(),
            mean: mean(distances),
            mean_error: if takes_all { Some(0.0) } else { standard_error(distances) },
            median_interval: Some(if takes_all { (quartiles[1], quartiles[1]) } else { median_interval_95(&ordered) }),
            quartiles: Some(quartiles),
            resolution: None,
        }
    }
}

/// Distances over pairs, with what is known of their parts and of their error.
struct Distances {
    connectivity: Connectivity,
    spread: Spread,
    /// Bias^2 and variance, averaged over pairs.
    parts: Option<(f64, f64)>,
    part_errors: [Option<f64>; 2],
    mean_error_samples: Option<f64>,
    samples: usize,
    /// The mean over pairs of an input with itself and its error, where those were taken.
    diagonal: Option<(f64, Option<f64>)>,
    /// The 95 % interval of the mean, and the median freed of its bias, where networks are drawn.
    mean_interval: Option<(f64, f64)>,
    median_corrected: Option<f64>,
}

impl DistanceInputs {
    /// What should be said of them: how many inputs are 0.
    pub fn remark(&self) -> Option<String> {
        let count = self.values.samples();
        let zero = self.values.values().outer_iter().filter(|row| row.iter().all(|entry| *entry == 0.0)).count();
        (zero > 0).then(|| {
            let title = self.normalisation.title();
            format!("{zero} of {count} inputs are 0, {title}: a pair with one of them has a distance of 0.")
        })
    }

    /// Normalises the inputs and draws the pairs of a study; kernels over all pairs are computed on `device`, those of several networks
    /// `together` where all will be asked for.
    ///
    /// # Errors
    /// Where the data does not admit the normalisation or has too few rows, or kernels over all pairs do not fit into memory.
    pub fn new(
        inputs: &Inputs,
        normalisation: Normalisation,
        spec: &DistanceSpec,
        seed: u64,
        device: &Device,
        together: bool,
    ) -> Result<Self> {
        let normaliser = inputs.normaliser(normalisation)?;
        let values = PreparedInputs::new(normaliser.apply(inputs.values.clone())?)?;
        let pairs = values.random_pairs(spec.pairs, seed)?;
        let sampled = PairedInputs::of_checked(values.values(), &pairs)?;
        let k1 = pairs.par_iter().map(|(i, j)| arc_cosine(Pair::of_rows(&values, *i, &values, *j).gram()).k1).collect();
        let tiled = if spec.methods.contains(&DistanceMethod::SampledAll) {
            let tiled = TiledInputs::of_checked(values.values())?;
            let mut bytes = 0;
            for place in 0..spec.networks.len() {
                let networks = drawn_together(spec, place, values.dimension().get(), together);
                bytes = bytes.max(Sweep::new(device, &tiled, &networks, seed)?.bytes());
            }
            Some((tiled, bytes))
        } else {
            None
        };
        Ok(Self {
            normalisation,
            checksum: inputs.checksum.clone(),
            scale: normaliser.global_scale(),
            mean_square: mean_square(values.values()),
            values,
            pairs,
            theory: OnceLock::new(),
            sampled,
            k1,
            all: OnceLock::new(),
            device: device.clone(),
            together,
            tiled,
            sampled_all: Mutex::default(),
        })
    }

    /// What kernels over all pairs take at most in the memory of their device, in bytes, where the study has any.
    pub fn memory(&self) -> Option<usize> {
        self.tiled.as_ref().map(|(_, bytes)| *bytes)
    }

    /// The normalisation of the inputs.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    fn pairs_of_data(&self) -> Option<usize> {
        pair_count(self.values.samples())
    }

    /// The input dimension `d`.
    pub fn dimension(&self) -> usize {
        self.values.dimension().get()
    }

    /// The record of one method at one width. Where that takes long, `progress` is called with the share that is done.
    ///
    /// # Errors
    /// Where the method cannot serve.
    pub fn record(
        &self,
        data: &Dataset,
        seed: u64,
        spec: &DistanceSpec,
        network: &NetworkSpec,
        method: DistanceMethod,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<DistanceRecord> {
        let found = match method {
            _ if !method.serves(network) => {
                let before = network.architecture.before_last().last();
                let before = before.map_or(String::new(), ToString::to_string);
                let problem = format!("has no theory for a layer {before} before the hidden one");
                return Err(Error::value("methods", method.name(), problem, "use sampled"));
            }
            DistanceMethod::Sampled => self.sampled(spec, network, seed)?,
            DistanceMethod::SampledAll => self.sampled_all(spec, network, seed, progress)?,
            DistanceMethod::Theorem1 => match network.architecture.before_last() {
                [.., before] => self.theorem_1(spec, network, &LinearBottleneck::new(before.width())?)?,
                [] => {
                    let (quadrature, sampling) = (Quadrature::new(spec.tolerance)?, Sampling::new(spec.masks, seed)?);
                    self.theorem_1(spec, network, &Auto { quadrature, sampling })?
                }
            },
            DistanceMethod::Theorem1FixedCount => {
                let (quadrature, sampling) = (Quadrature::new(spec.tolerance)?, Sampling::new(spec.masks, seed)?);
                let width = Width::new(network.width())?;
                self.theorem_1(spec, network, &*for_masks(network.architecture.mask(), width, quadrature, sampling))?
            }
            DistanceMethod::Expansion => self.theorem_1(spec, network, &Expansion)?,
            DistanceMethod::ExpansionAll => self.all_pairs(spec, network, progress)?,
            DistanceMethod::Paper => self.paper(spec, Width::new(network.width())?, network.connectivity()),
            DistanceMethod::PaperFixedNp => {
                let even = network.np_connectivity.unwrap_or(network.connectivity());
                self.paper(spec, Width::new(network.width())?, even)
            }
        };
        let sampled = method.draws_networks();
        let formula = matches!(method, DistanceMethod::Paper | DistanceMethod::PaperFixedNp);
        let own_masks = sampled || method == DistanceMethod::Theorem1FixedCount;
        let mask = if own_masks { network.architecture.mask() } else { MaskFamily::Bernoulli };
        let architecture = network.architecture.with_mask(mask);
        let density = Density::of(&architecture, self.dimension());
        let density = density.as_ref();
        let spread = found.spread;
        let reference_square = match method {
            DistanceMethod::Paper
            | DistanceMethod::PaperFixedNp
            | DistanceMethod::SampledAll
            | DistanceMethod::ExpansionAll => None,
            _ => Some(mean(&self.limits(spec, network)?.iter().map(|kernel| kernel * kernel).collect::<Vec<_>>())),
        };
        Ok(DistanceRecord {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            data: data.to_string(),
            checksum: self.checksum.clone(),
            normalisation: self.normalisation,
            dimension: self.dimension(),
            width: network.width(),
            architecture,
            connectivity: found.connectivity,
            method,
            mask,
            law: if sampled { spec.law } else { WeightDistribution::Gaussian },
            weight_variance: spec.law.variance(),
            reference: if sampled { spec.reference.to_string() } else { Reference::Analytic.to_string() },
            pairs: spread.pairs,
            samples: found.samples,
            seed,
            device: if method == DistanceMethod::SampledAll { self.device.name() } else { Device::CPU.name() },
            precision: match method {
                DistanceMethod::Sampled => "f32 features, f64 sums",
                DistanceMethod::SampledAll => "f32 features and kernels, f64 sums",
                _ => "f64",
            }
            .into(),
            mean: spread.mean,
            mean_error_pairs: spread.mean_error,
            mean_error_samples: found.mean_error_samples,
            median: spread.quartiles.map(|quartiles| quartiles[1]),
            lower_quartile: spread.quartiles.map(|quartiles| quartiles[0]),
            median_low: spread.median_interval.map(|ends| ends.0),
            median_high: spread.median_interval.map(|ends| ends.1),
            upper_quartile: spread.quartiles.map(|quartiles| quartiles[2]),
            bias_squared: found.parts.map(|parts| parts.0),
            variance: found.parts.map(|parts| parts.1),
            bias_squared_error: found.part_errors[0],
            variance_error: found.part_errors[1],
            diagonal: found.diagonal.map(|(mean, _)| mean),
            diagonal_error: found.diagonal.and_then(|(_, error)| error),
            reference_square,
            global_mean: self.scale.map(|scale| scale.mean),
            global_deviation: self.scale.map(|scale| scale.deviation),
            mean_square: formula.then_some(self.mean_square),
            connectivity_reached: density.map(Density::reached),
            empty_layers: density.and_then(Density::empty_layers),
            mean_low: found.mean_interval.map(|ends| ends.0),
            mean_high: found.mean_interval.map(|ends| ends.1),
            median_corrected: found.median_corrected,
            pairs_of_data: self.pairs_of_data().filter(|_| spread.pairs > 0),
            quantile_resolution: spread.resolution,
        })
    }

    /// The infinite-width kernel of each pair, `v^L` times `K_1 / d` for `L` layers up to the hidden one: with `K_1` of the Gram triple
    /// that the layers before it leave, of which a ReLU layer makes `(A/2, B/2, K_1)` and a linear one what it was.
    fn limits(&self, spec: &DistanceSpec, network: &NetworkSpec) -> Result<Vec<f64>> {
        let layers = network.architecture.layers();
        let v = spec.law.variance().powi(layers.len() as i32);
        let rectified =
            network.architecture.before_last().iter().filter(|layer| layer.activation() == Activation::Relu).count();
        let limits: Vec<f64> = if rectified == 0 {
            self.k1.clone()
        } else {
            let of_pair = |(i, j): &(usize, usize)| {
                let mut gram = Pair::of_rows(&self.values, *i, &self.values, *j).gram();
                for _ in 0..rectified {
                    gram = Gram { a: 0.5 * gram.a, b: 0.5 * gram.b, c: arc_cosine(gram).k1 };
                }
                arc_cosine(gram).k1
            };
            self.pairs.par_iter().map(of_pair).collect()
        };
        Ok(limits.iter().map(|k1| v * infinite_width_kernel(*k1, self.values.dimension())).collect())
    }

    fn sampled(&self, spec: &DistanceSpec, network: &NetworkSpec, seed: u64) -> Result<Distances> {
        let d = self.dimension();
        let reference = match spec.reference {
            Reference::Analytic => self.limits(spec, network)?,
            Reference::Dense(width) => {
                // The last initialisation number, which no study reaches: independent of all the networks compared.
                let id = LayerId { seed, initialisation: u32::MAX, layer: 0 };
                let mask = network.architecture.mask();
                let dense =
                    LayerSpec { rows: width, columns: d, connectivity: Connectivity::DENSE, mask, law: spec.law };
                sampled_kernels(&self.sampled, dense, id)?
            }
        };
        let (architecture, law) = (&network.architecture, spec.law);
        let initialisations = spec.draws(network, d);
        let drawn = SampledDistances::draw(&self.sampled, architecture, law, seed, initialisations, reference.clone())?;
        let mut spread = Spread::of_pairs(&drawn.by_pair(), self.pairs_of_data());
        let by_initialisation = drawn.by_initialisation();
        let (mut mean_interval, mut median_corrected) = (None, None);
        let of_pairs = spread.median_interval.take();
        if tells_error(network, d, by_initialisation) {
            let law = SamplingLaw::find(&self.sampled, architecture, law, seed, initialisations, &reference)?;
            mean_interval = law.mean_interval(spread.mean);
            let median = spread.quartiles.zip(of_pairs).and_then(|(quartiles, ends)| law.median(quartiles[1], ends));
            median_corrected = median.map(|(corrected, _)| corrected);
            spread.median_interval = median.map(|(_, interval)| interval);
        }
        Ok(Distances {
            connectivity: network.connectivity(),
            spread,
            parts: drawn.bias_and_variance(),
            part_errors: [None; 2],
            mean_error_samples: standard_error(by_initialisation),
            samples: initialisations,
            diagonal: None,
            mean_interval,
            median_corrected,
        })
    }

    /// The pairs for theory, which find what they need whatever the network once.
    fn theory(&self) -> Result<&[Pair<'static>]> {
        if self.theory.get().is_none() {
            // Where two threads find them, either will do.
            let _ = self.theory.set(self.values.pairs(&self.pairs)?);
        }
        Ok(self.theory.get().expect("set above"))
    }

    /// Theorem 1, with the masked moments by a method.
    fn theorem_1(&self, spec: &DistanceSpec, network: &NetworkSpec, method: &dyn RowMoments) -> Result<Distances> {
        let (dimension, width) = (self.values.dimension(), Width::new(network.width())?);
        let v2 = spec.law.variance().powi(2 * network.architecture.layers().len() as i32);
        let d2 = (dimension.get() as f64).powi(2);
        let found = method.of_pairs(self.theory()?, network.connectivity())?;
        let distances: Vec<_> = found.par_iter().map(|moments| theorem_1(moments, dimension, width)).collect();
        let error = |errors: Vec<Uncertainty>, unit: f64| Uncertainty::of_mean(&errors).map(|error| v2 * error / unit);
        let by_pair: Vec<f64> = distances.iter().map(|distance| v2 * distance.total()).collect();
        let parts: Vec<_> = distances.iter().map(|distance| (distance.bias_squared, distance.variance)).collect();
        let (bias_squared, variance) = average(&parts);
        let sampled = found.iter().any(|moments| moments.method == Method::Sampling);
        Ok(Distances {
            connectivity: network.connectivity(),
            spread: Spread::of_pairs(&by_pair, self.pairs_of_data()),
            parts: Some((v2 * bias_squared, v2 * variance)),
            part_errors: [
                error(found.iter().map(bias_error).collect(), d2),
                error(found.iter().map(|moments| variance_error(moments, width)).collect(), d2),
            ],
            mean_error_samples: error(distances.iter().map(|distance| distance.error).collect(), 1.0),
            samples: if sampled { spec.masks } else { 0 },
            diagonal: None,
            mean_interval: None,
            median_corrected: None,
        })
    }

    /// Drawn networks over all pairs; together with those that follow in the study, whose limits are the same.
    fn sampled_all(
        &self,
        spec: &DistanceSpec,
        network: &NetworkSpec,
        seed: u64,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Distances> {
        let Some((tiled, _)) = &self.tiled else {
            let problem = "is not among the methods that this study was prepared for";
            return Err(Error::value("methods", DistanceMethod::SampledAll.name(), problem, "add it"));
        };
        let place = place_of(spec, network)?;
        let mut known = self.sampled_all.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match known.remove(&place) {
            Some(found) => found,
            None => {
                let networks = drawn_together(spec, place, self.dimension(), self.together);
                let mut all = Sweep::new(&self.device, tiled, &networks, seed)?.run(progress)?.into_iter();
                let found = all.next().expect("as many as networks were drawn together, this one first");
                known.extend((place + 1..).zip(all));
                found
            }
        };
        let samples = self.values.samples();
        let mean_interval = if tells_error(network, self.dimension(), &found.off_diagonal) {
            // Of the same networks, on some of the random pairs: relative to the distance it differs little from that over all pairs.
            let (architecture, reference) = (&network.architecture, self.limits(spec, network)?);
            let draws = found.off_diagonal.len();
            let law = SamplingLaw::find(&self.sampled, architecture, spec.law, seed, draws, &reference)?;
            law.mean_interval(mean(&found.off_diagonal))
        } else {
            None
        };
        Ok(Distances {
            connectivity: network.connectivity(),
            spread: Spread {
                pairs: samples * (samples - 1) / 2,
                mean: mean(&found.off_diagonal),
                mean_error: None,
                median_interval: None,
                quartiles: None,
                resolution: None,
            },
            parts: None,
            part_errors: [None; 2],
            mean_error_samples: standard_error(&found.off_diagonal),
            samples: found.off_diagonal.len(),
            diagonal: Some((mean(&found.diagonal), standard_error(&found.diagonal))),
            mean_interval,
            median_corrected: None,
        })
    }

    /// The second-order expansion over all pairs of different inputs; for all networks of the study at once, whichever asks first.
    fn all_pairs(
        &self,
        spec: &DistanceSpec,
        network: &NetworkSpec,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Distances> {
        let all = match self.all.get() {
            Some(all) => all,
            None => {
                let network = |other: &NetworkSpec| Ok((other.connectivity(), Width::new(other.width())?));
                let networks: Vec<_> = spec.networks.iter().map(network).collect::<Result<_>>()?;
                let found = all_pairs(self.values.values(), None, &networks, progress)?;
                self.all.get_or_init(|| found)
            }
        };
        let found = all.get(place_of(spec, network)?).ok_or_else(|| foreign(network))?;
        let v2 = spec.law.variance().powi(2);
        Ok(Distances {
            connectivity: network.connectivity(),
            spread: Spread {
                pairs: found.pairs() as usize,
                mean: v2 * found.distance.mean(),
                mean_error: None,
                median_interval: None,
                quartiles: Some([0.25, 0.5, 0.75].map(|level| v2 * found.distance.quantile(level))),
                resolution: found.distance.resolution(),
            },
            parts: Some((v2 * found.bias_squared.mean(), v2 * found.variance.mean())),
            part_errors: [None; 2],
            mean_error_samples: None,
            samples: 0,
            diagonal: None,
            mean_interval: None,
            median_corrected: None,
        })
    }

    /// Eq. (4) takes no inputs: one value stands for every pair.
    fn paper(&self, spec: &DistanceSpec, width: Width, connectivity: Connectivity) -> Distances {
        let v2 = spec.law.variance().powi(2);
        let distance = paper::off_diagonal(self.values.dimension(), width, connectivity);
        Distances {
            connectivity,
            spread: Spread {
                pairs: 0,
                mean: v2 * distance.total(),
                mean_error: None,
                median_interval: None,
                quartiles: Some([v2 * distance.total(); 3]),
                resolution: None,
            },
            parts: Some((v2 * distance.bias_squared, v2 * distance.variance)),
            part_errors: [None; 2],
            mean_error_samples: None,
            samples: 0,
            diagonal: None,
            mean_interval: None,
            median_corrected: None,
        }
    }
}

/// The mean of `|x|^2 / d` over inputs of shape `(samples, d)`.
pub(crate) fn mean_square(values: ArrayView2<f64>) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
}

/// Whether the distances of drawn networks, one a network, tell how far their mean may be from the truth.
fn tells_error(network: &NetworkSpec, dimension: usize, distances: &[f64]) -> bool {
    standard_error(distances).is_some_and(|error| {
        draws_tell_error(network.architecture.weights(dimension), distances.len(), mean(distances), error)
    })
}

/// Networks of a study from a place on, as they are drawn over all pairs together, or the one at that place.
fn drawn_together(spec: &DistanceSpec, place: usize, dimension: usize, together: bool) -> Vec<SampledNetwork> {
    let initialisations = spec.initialisations;
    let mut units = 0;
    let fits = |network: &&NetworkSpec| {
        let fits = units < if together { TOGETHER } else { 1 };
        units += network.width() * initialisations;
        fits
    };
    let sampled = |network: &NetworkSpec| {
        // Over all pairs there are networks of one hidden layer only.
        let law = network.architecture.layer_specs(dimension, spec.law)[0];
        SampledNetwork { law, initialisations }
    };
    spec.networks[place..].iter().take_while(fits).map(sampled).collect()
}

/// The place of a network in its study.
fn place_of(spec: &DistanceSpec, network: &NetworkSpec) -> Result<usize> {
    spec.networks.iter().position(|other| other == network).ok_or_else(|| foreign(network))
}

fn foreign(network: &NetworkSpec) -> Error {
    Error::value("networks", network.width(), "is not among those of the study", "give a network of the study")
}

fn average(parts: &[(f64, f64)]) -> (f64, f64) {
    let count = parts.len() as f64;
    (parts.iter().map(|part| part.0).sum::<f64>() / count, parts.iter().map(|part| part.1).sum::<f64>() / count)
}
