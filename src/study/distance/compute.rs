//! Distances of one study: the inputs, prepared once per normalisation, and the records that each method makes from
//! them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{DistanceMethod, DistanceSpec, NetworkSpec, Reference};
use crate::data::{Dataset, GlobalScale, Inputs, Normalisation, PreparedInputs, pair_count};
use crate::error::Result;
use crate::kernel::all_pairs::PairDistances;
use crate::kernel::gram::{Gram, Pair};
use crate::kernel::masked::{Auto, Expansion, LinearBottleneck, Quadrature, Sampling, for_masks};
use crate::kernel::nngp::Width;
use crate::kernel::ntk::Kernel;
use crate::network::{MaskFamily, WeightDistribution};
use crate::numeric::statistics::mean;
use crate::sampled::{AllPairsDistances, Device, DrawnRows, PairedInputs, Sweep, TiledInputs};
use crate::study::density::{self, Density};
use crate::study::record::{DistanceRecord, SCHEMA};

/// A study of distances on its data, in any normalisation.
#[derive(Debug)]
pub(crate) struct DistanceStudy<'a> {
    pub data: &'a Dataset,
    pub inputs: Arc<Inputs>,
    pub spec: &'a DistanceSpec,
    pub seed: u64,
    /// Computes kernels over all pairs.
    pub device: &'a Device,
    /// Whether networks that follow each other are drawn together over all pairs, since all will be asked for.
    pub together: bool,
    /// Networks are the same in every normalisation.
    pub drawn: Arc<DrawnRows>,
}

impl DistanceStudy<'_> {
    /// The inputs in every normalisation that the study asks for.
    ///
    /// # Errors
    /// As [`DistanceInputs::new`].
    pub fn in_every_normalisation(&self) -> Result<Vec<DistanceInputs<'_>>> {
        let mut all = Vec::new();
        for normalisation in &self.spec.normalisations {
            let mut inputs = DistanceInputs::new(self, *normalisation)?;
            if let Some(pairs) = self.spec.tangent_pairs {
                let (tangents, others) = inputs.kernels.iter().partition(|kernel| kernel.tangent().is_some());
                inputs.kernels = others;
                all.push(inputs.with_pairs(pairs, tangents)?);
            }
            all.push(inputs);
        }
        Ok(all)
    }

    /// Remarks to make before the work: inputs that are 0, and layers left without a weight.
    pub fn remarks(&self, inputs: &[DistanceInputs]) -> Vec<String> {
        let mut remarks: Vec<String> = inputs.iter().filter_map(DistanceInputs::remark).collect();
        let own_masks =
            |method: &DistanceMethod| method.draws_networks() || *method == DistanceMethod::Theorem1FixedCount;
        if self.spec.methods.iter().any(own_masks) {
            let of = |network: &NetworkSpec| {
                let (width, p) = (network.width(), network.connectivity().get());
                let name = format!("Kernels of width {width}, connectivity {p}");
                density::remark(&name, &Density::of(&network.architecture, self.inputs.values.ncols())?)
            };
            remarks.extend(self.spec.networks.iter().filter_map(of));
        }
        remarks
    }
}

/// Normalised inputs and their random pairs.
#[derive(Debug)]
pub(crate) struct DistanceInputs<'a> {
    pub(super) study: &'a DistanceStudy<'a>,
    normalisation: Normalisation,
    /// Whose distances are taken on these pairs.
    kernels: Vec<Kernel>,
    scale: Option<GlobalScale>,
    /// The mean of `|x|^2 / d`.
    mean_square: f64,
    pub(super) values: PreparedInputs,
    pub(super) pairs: Vec<(usize, usize)>,
    /// The pairs for the theory, once they are asked for.
    pub(super) theory: OnceLock<Vec<Pair<'static>>>,
    pub(super) sampled: PairedInputs,
    /// The Gram triple of each pair.
    pub(super) grams: Vec<Gram>,
    /// The distances of all pairs by kernel and network, once they are asked for.
    pub(super) all: Mutex<HashMap<Kernel, Arc<Vec<PairDistances>>>>,
    /// The inputs in tiles, where networks are drawn over all pairs, and the memory that this takes on the device, in
    /// bytes.
    pub(super) tiled: Option<(TiledInputs, usize)>,
    /// The distances of drawn networks over all pairs, by the kernel and the place of the network in the study, once
    /// they are asked for.
    pub(super) sampled_all: Mutex<HashMap<(Kernel, usize), AllPairsDistances>>,
}

impl<'a> DistanceInputs<'a> {
    /// A remark on how many inputs are 0, where any are.
    pub fn remark(&self) -> Option<String> {
        let count = self.values.samples();
        let zero = self.values.values().outer_iter().filter(|row| row.iter().all(|entry| *entry == 0.0)).count();
        (zero > 0).then(|| {
            let title = self.normalisation.title();
            format!("{zero} of {count} inputs are 0, {title}: a pair with one of them has a distance of 0.")
        })
    }

    /// Normalises the inputs of a study and draws their pairs.
    ///
    /// # Errors
    /// Where the data does not admit the normalisation or has too few rows, or kernels over all pairs do not fit into
    /// memory.
    pub fn new(study: &'a DistanceStudy<'a>, normalisation: Normalisation) -> Result<Self> {
        let DistanceStudy { inputs, spec, seed, device, .. } = study;
        let normaliser = inputs.normaliser(normalisation)?;
        let values = PreparedInputs::new(normaliser.apply(inputs.values.clone())?)?;
        let pairs = values.random_pairs(spec.pairs, *seed)?;
        let sampled = PairedInputs::of_checked(values.values(), &pairs)?.sharing(&study.drawn);
        let grams = grams(&values, &pairs);
        let tiled = if spec.methods.contains(&DistanceMethod::SampledAll) {
            let tiled = TiledInputs::of_checked(values.values())?;
            let mut bytes = 0;
            for place in 0..spec.networks.len() {
                let networks = study.drawn_together(place);
                for kernel in &spec.kernels {
                    bytes = bytes.max(Sweep::of_kernel(device, &tiled, &networks, *kernel, *seed)?.bytes());
                }
            }
            Some((tiled, bytes))
        } else {
            None
        };
        Ok(Self {
            study,
            normalisation,
            kernels: spec.kernels.clone(),
            scale: normaliser.global_scale(),
            mean_square: mean_square(values.values()),
            values,
            pairs,
            theory: OnceLock::new(),
            sampled,
            grams,
            all: Mutex::default(),
            tiled,
            sampled_all: Mutex::default(),
        })
    }

    /// The same inputs with another number of pairs, for some kernels.
    fn with_pairs(&self, pairs: usize, kernels: Vec<Kernel>) -> Result<Self> {
        let pairs = self.values.random_pairs(pairs, self.study.seed)?;
        let sampled = PairedInputs::of_checked(self.values.values(), &pairs)?.sharing(&self.study.drawn);
        Ok(Self {
            grams: grams(&self.values, &pairs),
            values: self.values.clone(),
            tiled: self.tiled.clone(),
            theory: OnceLock::new(),
            all: Mutex::default(),
            sampled_all: Mutex::default(),
            kernels,
            pairs,
            sampled,
            ..*self
        })
    }

    /// Whether it has the pairs for a kernel under a normalisation.
    pub fn serves(&self, normalisation: Normalisation, kernel: Kernel) -> bool {
        self.normalisation == normalisation && self.kernels.contains(&kernel)
    }

    /// The most memory, in bytes, that kernels over all pairs take on their device; none where the study has no such
    /// kernels.
    pub fn memory(&self) -> Option<usize> {
        self.tiled.as_ref().map(|(_, bytes)| *bytes)
    }

    pub(super) fn pairs_of_data(&self) -> Option<usize> {
        pair_count(self.values.samples())
    }

    /// The input dimension `d`.
    pub fn dimension(&self) -> usize {
        self.values.dimension().get()
    }

    /// The record of one method for one network. Where that takes long, `progress` is called with the share that is
    /// done.
    ///
    /// # Errors
    /// Where the method does not apply to the network, or fails.
    pub fn record(
        &self,
        network: &NetworkSpec,
        kernel: Kernel,
        method: DistanceMethod,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<DistanceRecord> {
        let DistanceStudy { data, inputs, spec, seed, device, .. } = self.study;
        let connectivity = match method {
            DistanceMethod::PaperFixedNp => {
                network.np_connectivity.expect("Eq. (4) at a fixed n p has a budget: checked by DistanceSpec::check")
            }
            _ => network.connectivity(),
        };
        assert!(method.serves(network, kernel), "a task's method serves its network");
        let found = match method {
            DistanceMethod::Sampled => self.sampled(network, kernel)?,
            DistanceMethod::SampledAll => self.sampled_all(network, kernel, progress)?,
            DistanceMethod::Theorem1 => match network.architecture.before_last() {
                [.., before] => self.theorem_1(network, kernel, &LinearBottleneck::new(before.width())?)?,
                [] => {
                    let (quadrature, sampling) = (Quadrature::new(spec.tolerance)?, Sampling::new(spec.masks, *seed)?);
                    self.theorem_1(network, kernel, &Auto { quadrature, sampling })?
                }
            },
            DistanceMethod::Theorem1FixedCount => {
                let (quadrature, sampling) = (Quadrature::new(spec.tolerance)?, Sampling::new(spec.masks, *seed)?);
                let width = Width::new(network.width())?;
                self.theorem_1(network, kernel, &*for_masks(network.architecture.mask(), width, quadrature, sampling))?
            }
            DistanceMethod::Expansion => self.theorem_1(network, kernel, &Expansion)?,
            DistanceMethod::ExpansionAll => self.all_pairs(network, kernel, progress)?,
            DistanceMethod::Paper | DistanceMethod::PaperFixedNp => self.paper(network, connectivity)?,
        };
        let sampled = method.draws_networks();
        let formula = matches!(method, DistanceMethod::Paper | DistanceMethod::PaperFixedNp);
        let own_masks = sampled || method == DistanceMethod::Theorem1FixedCount;
        let mask = if own_masks { network.architecture.mask() } else { MaskFamily::Bernoulli };
        let architecture = match own_masks {
            true => network.architecture.clone(),
            false => network.architecture.with_mask(mask),
        };
        let density = Density::of(&architecture, self.dimension());
        let density = density.as_ref();
        let spread = found.spread;
        let reference_square = match method {
            DistanceMethod::Paper
            | DistanceMethod::PaperFixedNp
            | DistanceMethod::SampledAll
            | DistanceMethod::ExpansionAll => None,
            _ => Some(mean(&self.limits(network, kernel).iter().map(|kernel| kernel * kernel).collect::<Vec<_>>())),
        };
        Ok(DistanceRecord {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            data: data.to_string(),
            checksum: inputs.checksum.clone(),
            normalisation: self.normalisation,
            dimension: self.dimension(),
            width: network.width(),
            architecture,
            connectivity,
            method,
            kernel: kernel.named(),
            tangent: kernel.tangent(),
            mask,
            law: if sampled { spec.law } else { WeightDistribution::Gaussian },
            weight_variance: spec.law.variance(),
            reference: if sampled { spec.reference.to_string() } else { Reference::Analytic.to_string() },
            pairs: spread.pairs,
            samples: found.samples,
            seed: *seed,
            device: if method == DistanceMethod::SampledAll { device.name() } else { Device::CPU.name() },
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
}

fn grams(values: &PreparedInputs, pairs: &[(usize, usize)]) -> Vec<Gram> {
    pairs.par_iter().map(|(i, j)| Pair::of_rows(values, *i, values, *j).gram()).collect()
}

/// The mean of `|x|^2 / d` over inputs of shape `(samples, d)`.
pub(crate) fn mean_square(values: ArrayView2<f64>) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
}
