//! Distances against width.

use serde::Deserialize;

use super::{Caller, default_widths, each_from_text};
use crate::data::{Dataset, Normalisation};
use crate::error::Result;
use crate::kernel::ntk::{Kernel, KernelName, Tangent};
use crate::network::{Connectivity, MaskFamily, WeightDistribution};
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, listed_count, share};
use crate::study::paper::{PAPER_BASE_WIDTH, PAPER_WIDTHS};
use crate::study::{DistanceMethod, DistanceSpec, NetworkSpec, Reference, StudySpec};

/// Which kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct KernelRequest {
    /// Kernel: nngp, that of the last layer as in the paper, or ntk, the tangent kernel, which gradient descent sees
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = KernelName::Nngp, value_name = "KERNEL"))]
    pub kernel: KernelName,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau = p)
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION"))]
    pub tangent: Tangent,
}

impl KernelRequest {
    /// The kernel.
    ///
    /// # Errors
    /// Where a convention was given without the tangent kernel.
    pub fn get(&self, caller: &dyn Caller) -> Result<Kernel> {
        if self.kernel == KernelName::Nngp {
            let only = format!("the NNGP kernel has no such convention, only {} ntk has", caller.name("kernel"));
            caller.refuse("tangent", &only)?;
        }
        Ok(self.kernel.with(self.tangent))
    }
}

/// How kernels are sampled and averaged.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct SamplingRequest {
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().pairs, value_name = "N", value_parser = count))]
    pub pairs: usize,
    /// Number of initialisations of each sampled network; raised until they draw 20,000 weights in all (not for all
    /// pairs)
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().initialisations, value_name = "N", value_parser = count))]
    pub initialisations: usize,
    /// Relative error of Theorem 1's masked moments, pair by pair
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().tolerance, value_name = "ERROR", value_parser = share))]
    pub tolerance: f64,
    /// Number of masks per pair, where the tolerance cannot be reached or masks have a fixed count
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().masks, value_name = "N", value_parser = count))]
    pub masks: usize,
    /// Mask family of sampled networks; the theory assumes Bernoulli masks
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().mask))]
    pub mask: MaskFamily,
    /// Distribution of the weights of sampled networks; the theory assumes Gaussian weights, and is scaled to the
    /// variance of other distributions
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().law))]
    pub law: WeightDistribution,
    /// Reference for sampled kernels: analytic, or dense:N for one sampled dense network of width N
    #[cfg_attr(feature = "cli", arg(long, default_value = "analytic", value_name = "KERNEL"))]
    pub reference: Reference,
}

impl Default for SamplingRequest {
    /// The paper's protocol.
    fn default() -> Self {
        let DistanceSpec { pairs, initialisations, tolerance, masks, law, reference, .. } =
            DistanceSpec::paper(Vec::new());
        Self { pairs, initialisations, tolerance, masks, mask: MaskFamily::Bernoulli, law, reference }
    }
}

impl SamplingRequest {
    /// Distances of some networks, by all methods.
    #[must_use]
    pub fn spec(&self, networks: Vec<NetworkSpec>) -> DistanceSpec {
        DistanceSpec {
            pairs: self.pairs,
            initialisations: self.initialisations,
            tolerance: self.tolerance,
            masks: self.masks,
            law: self.law,
            reference: self.reference,
            ..DistanceSpec::paper(networks.into_iter().map(|network| network.with_mask(self.mask)).collect())
        }
    }
}

/// Distances against width, at a weight budget or of networks that are named.
///
/// ```
/// use sparsewidth::data::{DataSource, Dataset};
/// use sparsewidth::study::request::{Caller, DistanceRequest};
///
/// struct Silent;
///
/// impl Caller for Silent {
///     fn name(&self, setting: &str) -> String {
///         setting.into()
///     }
///     fn refuse(&self, _: &str, _: &str) -> sparsewidth::Result<()> {
///         Ok(())
///     }
///     fn note(&self, _: &str) {}
///     fn search(&self, _: &Dataset, _: &[usize]) -> String {
///         "run a TuneSpec".into()
///     }
/// }
///
/// let data = DataSource::Gaussian { dimension: 20, samples: 100 }.into();
/// let request = DistanceRequest { widths: vec![20, 50], weights: Some(400), ..DistanceRequest::default() };
/// let study = request.study(data, 0, &Silent)?;
/// assert_eq!(study.distance.unwrap().networks.len(), 2);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct DistanceRequest {
    /// Normalisations of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', value_name = "LIST"))]
    pub normalisation: Vec<Normalisation>,
    /// Hidden widths, at a weight budget [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count))]
    pub widths: Vec<usize>,
    /// Total number of weights [default: (d + outputs) times the base width 8]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub weights: Option<usize>,
    /// Number of outputs of the dense last layer, whose weights are part of the budget; 0 for the first layer alone
    /// [default: the classes of the data, 0 without labels]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub outputs: Option<usize>,
    /// Networks as WIDTH:CONNECTIVITY, instead of widths at a budget
    #[serde(deserialize_with = "each_from_text")]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with_all = ["widths", "weights", "outputs"]))]
    pub networks: Vec<NetworkSpec>,
    /// Methods: sampled, theorem1, expansion, paper, paper_fixed_np; over all pairs instead of random ones:
    /// sampled_all, expansion_all; for masks of a fixed count: theorem1_fixed_count [default: the first five]
    #[serde(deserialize_with = "each_from_text")]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST"))]
    pub methods: Vec<DistanceMethod>,
    /// Which kernel.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub kernel: KernelRequest,
    /// How kernels are sampled and averaged.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub sampling: SamplingRequest,
}

impl DistanceRequest {
    /// The study that is asked for.
    ///
    /// # Errors
    /// Where the budget does not fit a width, the data cannot be read, or a setting that was given has no effect.
    pub fn study(self, data: Dataset, seed: u64, caller: &dyn Caller) -> Result<StudySpec> {
        let mut spec = self.sampling.spec(self.networks(&data, caller)?);
        spec.normalisations = self.normalisation;
        if spec.normalisations.is_empty() {
            spec.normalisations.push(data.usual_normalisation()?);
        }
        spec.kernels = vec![self.kernel.get(caller)?];
        if !self.methods.is_empty() {
            spec.methods = self.methods;
        } else if spec.kernels != [Kernel::Nngp] {
            spec.methods.retain(|method| !matches!(method, DistanceMethod::Paper | DistanceMethod::PaperFixedNp));
        } else if spec.networks.iter().any(|network| network.np_connectivity.is_none()) {
            spec.methods.retain(|method| *method != DistanceMethod::PaperFixedNp);
        }
        refuse_idle(&spec, caller)?;
        Ok(StudySpec { data, seed, distance: Some(spec), training: None, prediction: None })
    }

    fn networks(&self, data: &Dataset, caller: &dyn Caller) -> Result<Vec<NetworkSpec>> {
        if !self.networks.is_empty() {
            let why = "these networks have a width and a connectivity each";
            ["widths", "weights", "outputs"].iter().try_for_each(|option| caller.refuse(option, why))?;
            return Ok(self.networks.clone());
        }
        let dimension = data.dimension()?;
        let outputs = self.outputs.map_or_else(|| data.classes(), Ok)?;
        let weights = self.weights.unwrap_or(dimension.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH));
        let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, outputs), Connectivity::DENSE, caller);
        let widths = if self.widths.is_empty() { usual() } else { self.widths.clone() };
        NetworkSpec::at_budget(weights, dimension, outputs, &widths)
    }
}

/// Refuses options that were given and that none of the methods heeds.
fn refuse_idle(spec: &DistanceSpec, caller: &dyn Caller) -> Result<()> {
    let some = |methods: &[DistanceMethod]| spec.methods.iter().any(|method| methods.contains(method));
    use DistanceMethod::{Expansion, Sampled, SampledAll, Theorem1, Theorem1FixedCount};
    let heeded: [(&str, &str, &[DistanceMethod]); 6] = [
        ("pairs", "these methods take no random pairs", &[Sampled, Theorem1, Theorem1FixedCount, Expansion]),
        ("initialisations", "no method here samples networks", &[Sampled, SampledAll]),
        ("reference", "no method here samples networks", &[Sampled, SampledAll]),
        (
            "mask",
            "no method here samples networks or uses fixed-count masks",
            &[Sampled, SampledAll, Theorem1FixedCount],
        ),
        ("tolerance", "no method here has a tolerance to reach", &[Theorem1]),
        ("masks", "no method here samples masks", &[Theorem1, Theorem1FixedCount]),
    ];
    heeded.iter().filter(|(.., methods)| !some(methods)).try_for_each(|(option, why, _)| caller.refuse(option, why))
}
