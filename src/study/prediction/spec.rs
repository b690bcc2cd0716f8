//! Which test errors a study is to predict, and from which kernels.

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::data::{Normalisation, SUBSET_SIZE};
use crate::error::{Error, Result};
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::{Activation, Architecture, WeightDistribution};
use crate::regression::RidgeGrid;
use crate::study::spec::{check_counts, check_distinct, check_layers};
use crate::study::training::EvaluationSet;

/// The most training samples: the eigendecomposition takes `20 m^3` operations, and `4 m^2` numbers.
const MOST_SAMPLES: usize = 20_000;

/// Where the kernel of a regression comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum KernelSource {
    /// Networks as drawn, one regression each.
    #[strum(message = "drawn networks")]
    Drawn,
    /// The mean over networks, which is the limit of infinite width at the same connectivity, by the second-order
    /// expansion ([`Expansion`](crate::kernel::masked::Expansion)).
    #[strum(message = "infinite width, sparse")]
    MaskedLimit,
    /// The dense network of infinite width.
    #[strum(message = "infinite width, dense")]
    DenseLimit,
}

impl KernelSource {
    /// All of them, in the order of tables.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for legends and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// Test errors to predict by kernel ridge regression of one-hot targets ([`crate::regression`]), the ridge chosen by
/// the squared error of leaving one sample out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionSpec {
    /// The normalisations, each by the statistics of the training samples.
    pub normalisations: Vec<Normalisation>,
    /// Training samples: a random subset where the data has more, the same as for training networks.
    pub samples: usize,
    /// What errors are predicted of.
    pub evaluation: EvaluationSet,
    /// The networks, each of one hidden layer of ReLU units and one output per class.
    pub networks: Vec<Architecture>,
    /// The law of the weights of drawn networks.
    pub law: WeightDistribution,
    /// The kernels.
    pub kernels: Vec<Kernel>,
    /// Where the kernels come from.
    pub sources: Vec<KernelSource>,
    /// Networks drawn of each: initialisation `r` is the network that run `r` of a training begins at.
    pub initialisations: usize,
    /// The ridges to choose from, in units of the mean of the kernel's diagonal.
    pub ridges: Vec<f64>,
}

impl PredictionSpec {
    /// Predictions for networks as the paper trains them: 2,048 samples, uniform weights; the NNGP kernel and the
    /// tangent kernel in both conventions, of five drawn networks each.
    #[must_use]
    pub fn paper(networks: Vec<Architecture>) -> Self {
        Self {
            normalisations: vec![Normalisation::Pixel],
            samples: SUBSET_SIZE,
            evaluation: EvaluationSet::Test,
            networks,
            law: WeightDistribution::Uniform,
            kernels: vec![Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)],
            sources: vec![KernelSource::Drawn],
            initialisations: 5,
            ridges: RidgeGrid::default().ridges().to_vec(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_counts(&[
            ("samples", self.samples, MOST_SAMPLES),
            ("initialisations", self.initialisations, 1_000_000),
            ("networks", self.networks.len(), usize::MAX),
            ("kernels", self.kernels.len(), usize::MAX),
            ("sources", self.sources.len(), usize::MAX),
            ("normalisations", self.normalisations.len(), usize::MAX),
        ])?;
        check_samples(self.samples)?;
        RidgeGrid::new(&self.ridges)?;
        check_distinct("normalisation", &self.normalisations, |normalisation| normalisation.name().into())?;
        check_distinct("kernels", &self.kernels, |kernel| kernel.title())?;
        check_distinct("sources", &self.sources, |source| source.name().into())?;
        check_distinct("networks", &self.networks, |network| network.to_string())?;
        for network in &self.networks {
            check_layers(network.layers())?;
            let is_one_layer = matches!(network.layers(), [hidden, last]
                if hidden.activation() == Activation::Relu && last.activation() == Activation::Linear);
            if !is_one_layer {
                let problem = "errors are predicted for networks of one hidden layer of ReLU units";
                return Err(Error::value("networks", network, problem, "give for instance relu:100@0.05 linear:10"));
            }
        }
        Ok(())
    }
}

/// Refuses too few training samples.
pub(super) fn check_samples(samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    let problem = "must be at least 2: a sample that is left out is predicted from others";
    Err(Error::value("samples", samples, problem, "give more"))
}
