//! The distances of one network by each method, over the pairs of a study.

use std::sync::{Arc, PoisonError};

use rayon::prelude::*;

use super::compute::{DistanceInputs, DistanceStudy};
use super::{DistanceSpec, NetworkSpec, Reference};
use crate::error::Result;
use crate::kernel::all_pairs::all_pairs_of_kernel;
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::eq_4;
use crate::kernel::gram::{Gram, Pair};
use crate::kernel::masked::{Method, Row, RowMoments};
use crate::kernel::nngp::{Width, bias_error, infinite_width_kernel, theorem_1, variance_error};
use crate::kernel::ntk::{InfiniteWidth, Kernel};
use crate::network::{Activation, Connectivity, Layer, LayerId, LayerSpec};
use crate::numeric::estimate::Uncertainty;
use crate::numeric::statistics::{mean, median_interval_95, quantile, sorted, standard_error};
use crate::sampled::{SampledDistances, SampledNetwork, SamplingLaw, Sweep, sampled_kernels};
use crate::study::record::draws_tell_error;

/// Networks are drawn together over all pairs until they have this many hidden units over all initialisations: the
/// limits, made anew for each group, cost as much as a thousand units.
const TOGETHER: usize = 20_000;

/// The spread of the distance over pairs.
#[derive(Default)]
pub(super) struct Spread {
    /// 0 for a formula that takes no inputs.
    pub pairs: usize,
    pub mean: f64,
    /// Its standard error and the median's 95 % interval, as estimates over all pairs of the data.
    pub mean_error: Option<f64>,
    pub median_interval: Option<(f64, f64)>,
    pub quartiles: Option<[f64; 3]>,
    /// The largest relative error of the quartiles, where they come from a histogram.
    pub resolution: Option<f64>,
}

impl Spread {
    /// The spread of distances that are known pair by pair, for some or all pairs of the data.
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
#[derive(Default)]
pub(super) struct Distances {
    pub spread: Spread,
    /// Bias^2 and variance, averaged over pairs.
    pub parts: Option<(f64, f64)>,
    pub part_errors: [Option<f64>; 2],
    pub mean_error_samples: Option<f64>,
    pub samples: usize,
    /// The mean over the pairs of an input with itself, and its error, where such pairs were taken.
    pub diagonal: Option<(f64, Option<f64>)>,
    /// The 95 % interval of the mean, and the median corrected for its bias, where networks are drawn.
    pub mean_interval: Option<(f64, f64)>,
    pub median_corrected: Option<f64>,
}

impl DistanceInputs<'_> {
    /// The infinite-width kernel of each pair, of the NNGP kernel `v^L K_1 / d` for `L` layers up to the last hidden
    /// one. `K_1` is that of the Gram triple after the layers before it: a ReLU layer turns the triple into
    /// `(A/2, B/2, K_1)`, a linear layer leaves it as it is. For the tangent kernel, see [`InfiniteWidth`].
    pub(super) fn limits(&self, network: &NetworkSpec, kernel: Kernel) -> Vec<f64> {
        let layers = network.architecture.layers();
        let spec = self.study.spec;
        let v = spec.law.variance().powi(layers.len() as i32);
        if kernel != Kernel::Nngp {
            let activations: Vec<Activation> = layers.iter().map(Layer::activation).collect();
            let limit = |(i, j): &(usize, usize)| {
                let pair = Pair::of_rows(&self.values, *i, &self.values, *j);
                let limit = InfiniteWidth::of_layers(&pair, &activations).get(kernel);
                v * infinite_width_kernel(limit, self.values.dimension())
            };
            return self.pairs.par_iter().map(limit).collect();
        }
        let rectified =
            network.architecture.before_last().iter().filter(|layer| layer.activation() == Activation::Relu).count();
        let of_pair = |gram: &Gram| {
            let mut gram = *gram;
            for _ in 0..rectified {
                gram = Gram { a: 0.5 * gram.a, b: 0.5 * gram.b, c: arc_cosine(gram).k1 };
            }
            v * infinite_width_kernel(arc_cosine(gram).k1, self.values.dimension())
        };
        self.grams.par_iter().map(of_pair).collect()
    }

    /// The distances of drawn networks on the pairs.
    pub(super) fn sampled(&self, network: &NetworkSpec, kernel: Kernel) -> Result<Distances> {
        let (d, spec, seed) = (self.dimension(), self.study.spec, self.study.seed);
        let reference = match spec.reference {
            Reference::Analytic => self.limits(network, kernel),
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
        let (inputs, limits) = (&self.sampled, reference.clone());
        let drawn = SampledDistances::draw_kernel(inputs, architecture, law, kernel, seed, initialisations, limits)?;
        let mut spread = Spread::of_pairs(&drawn.by_pair(), self.pairs_of_data());
        let by_initialisation = drawn.by_initialisation();
        let (mut mean_interval, mut median_corrected) = (None, None);
        let of_pairs = spread.median_interval.take();
        // Which law the distances of drawn networks follow is known for the NNGP kernel.
        if kernel == Kernel::Nngp && tells_error(network, d, by_initialisation) {
            let law = SamplingLaw::find(&self.sampled, architecture, law, seed, initialisations, &reference)?;
            mean_interval = law.mean_interval(spread.mean);
            let median = spread.quartiles.zip(of_pairs).and_then(|(quartiles, ends)| law.median(quartiles[1], ends));
            median_corrected = median.map(|(corrected, _)| corrected);
            spread.median_interval = median.map(|(_, interval)| interval);
        }
        Ok(Distances {
            spread,
            parts: drawn.bias_and_variance(),
            mean_error_samples: standard_error(by_initialisation),
            samples: initialisations,
            mean_interval,
            median_corrected,
            ..Distances::default()
        })
    }

    /// The pairs for the theory. They compute only once what does not depend on the network.
    fn theory(&self) -> Result<&[Pair<'static>]> {
        if self.theory.get().is_none() {
            // Where two threads make them at once, either result will do.
            let _ = self.theory.set(self.values.pairs(&self.pairs)?);
        }
        Ok(self.theory.get().expect("set above"))
    }

    /// Theorem 1, with the masked moments by a method.
    pub(super) fn theorem_1(
        &self,
        network: &NetworkSpec,
        kernel: Kernel,
        method: &dyn RowMoments,
    ) -> Result<Distances> {
        let (dimension, width, spec) = (self.values.dimension(), Width::new(network.width())?, self.study.spec);
        let v2 = spec.law.variance().powi(2 * network.architecture.layers().len() as i32);
        let d2 = (dimension.get() as f64).powi(2);
        let found =
            method.of_pairs(self.theory()?, &Row::new(network.connectivity()).kernel(kernel).readout(spec.law))?;
        let distances: Vec<_> = found.par_iter().map(|moments| theorem_1(moments, dimension, width)).collect();
        let error = |errors: Vec<Uncertainty>, unit: f64| Uncertainty::of_mean(&errors).map(|error| v2 * error / unit);
        let by_pair: Vec<f64> = distances.iter().map(|distance| v2 * distance.total()).collect();
        let parts: Vec<_> = distances.iter().map(|distance| (distance.bias_squared, distance.variance)).collect();
        let (bias_squared, variance) = average(&parts);
        let sampled = found.iter().any(|moments| moments.method == Method::Sampling);
        Ok(Distances {
            spread: Spread::of_pairs(&by_pair, self.pairs_of_data()),
            parts: Some((v2 * bias_squared, v2 * variance)),
            part_errors: [
                error(found.iter().map(bias_error).collect(), d2),
                error(found.iter().map(|moments| variance_error(moments, width)).collect(), d2),
            ],
            mean_error_samples: error(distances.iter().map(|distance| distance.error).collect(), 1.0),
            samples: if sampled { spec.masks } else { 0 },
            ..Distances::default()
        })
    }

    /// The distances of drawn networks over all pairs. Networks that follow in the study, whose limits are the same,
    /// are drawn together with this one.
    pub(super) fn sampled_all(
        &self,
        network: &NetworkSpec,
        kernel: Kernel,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Distances> {
        let (tiled, _) = self.tiled.as_ref().expect("tiles are made where a study takes all pairs of drawn networks");
        let DistanceStudy { spec, seed, device, .. } = self.study;
        let place = place_of(spec, network);
        let mut known = self.sampled_all.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match known.remove(&(kernel, place)) {
            Some(found) => found,
            None => {
                let networks = self.study.drawn_together(place);
                let mut all = Sweep::of_kernel(device, tiled, &networks, kernel, *seed)?.run(progress)?.into_iter();
                let found = all.next().expect("as many as networks were drawn together, this one first");
                known.extend((place + 1..).map(|place| (kernel, place)).zip(all));
                found
            }
        };
        let known_law = kernel == Kernel::Nngp;
        let mean_interval = if known_law && tells_error(network, self.dimension(), &found.off_diagonal) {
            // The law of the same networks on some of the random pairs: relative to the distance, it differs little
            // from the law over all pairs.
            let (architecture, reference) = (&network.architecture, self.limits(network, kernel));
            let draws = found.off_diagonal.len();
            let law = SamplingLaw::find(&self.sampled, architecture, spec.law, *seed, draws, &reference)?;
            law.mean_interval(mean(&found.off_diagonal))
        } else {
            None
        };
        Ok(Distances {
            spread: Spread {
                pairs: self.pairs_of_data().expect("the pairs were counted as they were taken"),
                mean: mean(&found.off_diagonal),
                ..Spread::default()
            },
            mean_error_samples: standard_error(&found.off_diagonal),
            samples: found.off_diagonal.len(),
            diagonal: Some((mean(&found.diagonal), standard_error(&found.diagonal))),
            mean_interval,
            ..Distances::default()
        })
    }

    /// The second-order expansion over all pairs of different inputs. The first call computes it for all networks of
    /// the study at once.
    pub(super) fn all_pairs(
        &self,
        network: &NetworkSpec,
        kernel: Kernel,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Distances> {
        let spec = self.study.spec;
        let mut known = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match known.get(&kernel) {
            Some(all) => Arc::clone(all),
            None => {
                let network = |other: &NetworkSpec| Ok((other.connectivity(), Width::new(other.width())?));
                let networks: Vec<_> = spec.networks.iter().map(network).collect::<Result<_>>()?;
                let of = (kernel, spec.law);
                let found = Arc::new(all_pairs_of_kernel(of, self.values.values(), None, &networks, progress)?);
                known.insert(kernel, Arc::clone(&found));
                found
            }
        };
        let found = &all[place_of(spec, network)];
        let v2 = spec.law.variance().powi(2);
        Ok(Distances {
            spread: Spread {
                pairs: found.pairs() as usize,
                mean: v2 * found.distance.mean(),
                quartiles: Some([0.25, 0.5, 0.75].map(|level| v2 * found.distance.quantile(level))),
                resolution: found.distance.resolution(),
                ..Spread::default()
            },
            parts: Some((v2 * found.bias_squared.mean(), v2 * found.variance.mean())),
            ..Distances::default()
        })
    }

    /// Eq. (4) takes no inputs: one value stands for every pair.
    pub(super) fn paper(&self, network: &NetworkSpec, connectivity: Connectivity) -> Result<Distances> {
        let v2 = self.study.spec.law.variance().powi(2);
        let distance = eq_4::off_diagonal(self.values.dimension(), Width::new(network.width())?, connectivity);
        Ok(Distances {
            spread: Spread {
                mean: v2 * distance.total(),
                quartiles: Some([v2 * distance.total(); 3]),
                ..Spread::default()
            },
            parts: Some((v2 * distance.bias_squared, v2 * distance.variance)),
            ..Distances::default()
        })
    }
}

/// Whether the distances of drawn networks, one per network, tell how far their mean may be from the truth.
fn tells_error(network: &NetworkSpec, dimension: usize, distances: &[f64]) -> bool {
    standard_error(distances).is_some_and(|error| {
        draws_tell_error(network.architecture.weights(dimension), distances.len(), mean(distances), error)
    })
}

impl DistanceStudy<'_> {
    /// The networks, from `place` on, that are drawn together over all pairs: several, or only the one at `place`.
    pub(super) fn drawn_together(&self, place: usize) -> Vec<SampledNetwork> {
        let (initialisations, dimension) = (self.spec.initialisations, self.inputs.values.ncols());
        let mut units = 0;
        let fits = |network: &&NetworkSpec| {
            let fits = units < if self.together { TOGETHER } else { 1 };
            units += network.width() * initialisations;
            fits
        };
        let sampled = |network: &NetworkSpec| {
            // Over all pairs, only networks of one hidden layer are drawn.
            let law = network.architecture.layer_specs(dimension, self.spec.law)[0];
            SampledNetwork { law, initialisations }
        };
        self.spec.networks[place..].iter().take_while(fits).map(sampled).collect()
    }
}

/// The place of a network in its study.
fn place_of(spec: &DistanceSpec, network: &NetworkSpec) -> usize {
    let place = spec.networks.iter().position(|other| other == network);
    place.expect("a task's network is one of its study's")
}

fn average(parts: &[(f64, f64)]) -> (f64, f64) {
    let count = parts.len() as f64;
    (parts.iter().map(|part| part.0).sum::<f64>() / count, parts.iter().map(|part| part.1).sum::<f64>() / count)
}
