//! What networks a study is to train, and how.

use serde::{Deserialize, Serialize};

use super::spec::{MAX_WIDTH, SparseWidth, at_most, check_before, check_counts, check_distinct};
use crate::data::{CLASSES, Normalisation, SUBSET_SIZE};
use crate::error::{Error, Result};
use crate::network::Connectivity;
use crate::network::budget::{PAPER_WIDTHS, first_layer_connectivity_beside, paper_learning_rate};
use crate::network::{Activation, LayerBefore, MaskFamily, WeightDistribution};
use crate::train::{Parametrisation, check_learning_rate};

/// The ways to widen a network that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The number of weights stays, the connectivity falls.
    Sparse,
    /// Every weight exists, their number grows.
    Dense,
    /// As sparse, with two hidden layers of one width.
    DeepSparse,
    /// Every weight exists, their number stays, the rank of the first matrix falls: a product of two.
    LinearBottleneck,
    /// The same with a ReLU in between: two hidden layers, of which the first narrows as the second widens.
    NonlinearBottleneck,
}

impl Family {
    /// All families, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::Sparse, Self::Dense, Self::DeepSparse, Self::LinearBottleneck, Self::NonlinearBottleneck];

    /// The name, as the command line and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sparse => "sparse",
            Self::Dense => "dense",
            Self::DeepSparse => "deep_sparse",
            Self::LinearBottleneck => "linear_bottleneck",
            Self::NonlinearBottleneck => "nonlinear_bottleneck",
        }
    }

    /// What it is, for legends and tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sparse => "sparse",
            Self::Dense => "dense",
            Self::DeepSparse => "sparse, two hidden layers",
            Self::LinearBottleneck => "linear bottleneck",
            Self::NonlinearBottleneck => "non-linear bottleneck",
        }
    }
}

/// A perceptron of one hidden layer, or two, to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedNetwork {
    /// Its family.
    pub family: Family,
    /// What follows the hidden layer.
    pub activation: Activation,
    /// The hidden width.
    pub width: usize,
    /// The layer before the hidden one, where there is one.
    #[serde(default)]
    pub before: Option<LayerBefore>,
    /// The connectivity of every layer but the last.
    pub connectivity: Connectivity,
    /// The connectivity of the last layer.
    pub last_connectivity: Connectivity,
    /// The learning rate.
    pub learning_rate: f64,
}

impl TrainedNetwork {
    /// A ReLU network whose last layer is dense, as the paper's.
    pub fn new(family: Family, width: usize, connectivity: Connectivity, learning_rate: f64) -> Self {
        let (activation, last_connectivity) = (Activation::Relu, Connectivity::DENSE);
        Self { family, activation, width, before: None, connectivity, last_connectivity, learning_rate }
    }

    /// Its layers, for inputs and outputs of such dimensions: sizes, connectivities, and what is in between.
    pub fn layers(&self, inputs: usize, outputs: usize) -> (Vec<usize>, Vec<Connectivity>, Vec<Activation>) {
        let before = self.before.map(|layer| (layer.width, layer.activation));
        let hidden = before.into_iter().chain([(self.width, self.activation)]);
        let (widths, between): (Vec<usize>, Vec<Activation>) = hidden.unzip();
        let mut connectivities = vec![self.connectivity; widths.len()];
        connectivities.push(self.last_connectivity);
        let sizes = [&[inputs][..], &widths, &[outputs]].concat();
        (sizes, connectivities, between)
    }

    /// The name under which journals and files know it, rate included.
    pub fn name(&self) -> String {
        let Self { family, activation, width, before, connectivity, last_connectivity, learning_rate } = self;
        let mut name = format!("{}-{width}-p{}", family.name(), connectivity.get());
        if let Some(before) = before {
            name += &format!("-after-{}{}", before.activation.name(), before.width);
        }
        if !last_connectivity.is_dense() {
            name += &format!("-q{}", last_connectivity.get());
        }
        if *activation == Activation::Linear {
            name += "-linear";
        }
        format!("{name}-rate{learning_rate}")
    }
}

/// On what trained networks are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationSet {
    /// The test set.
    Test,
    /// This many training samples, held out: from outside the training subset, or, where too few are left there, from the subset, which
    /// shrinks by them.
    Validation(usize),
}

impl EvaluationSet {
    /// Validation samples where no number is asked for, of `all` training samples of which `trained` are trained on: `usual` ones where
    /// the data has so many; else all that are not trained on; or where these are less than a quarter of those that are, a quarter of
    /// them.
    pub fn usual_validation(usual: usize, all: usize, trained: usize) -> Self {
        let trained = trained.min(all);
        let (others, quarter) = (all - trained, trained / 4);
        Self::Validation(if usual < trained.max(others + 1) { usual } else { others.max(quarter).max(1) })
    }
}

/// Networks to train, each in several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingStudySpec {
    /// The normalisation, by the statistics of the training samples, of both sets alike.
    pub normalisation: Normalisation,
    /// Training samples: a random subset where the data has more.
    pub samples: usize,
    /// On what the networks are evaluated after each epoch.
    pub evaluation: EvaluationSet,
    /// The networks.
    pub networks: Vec<TrainedNetwork>,
    /// Runs per network, each with its own initialisation and order of samples.
    pub runs: usize,
    /// The number of the first of them.
    pub first_run: u32,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
    /// Which weights exist.
    pub mask: MaskFamily,
    /// Their initial values.
    pub law: WeightDistribution,
    /// Which variable gradient descent updates.
    pub parametrisation: Parametrisation,
    /// Whether every layer has biases.
    pub biases: bool,
    /// Whether each run's weights after its last epoch are kept, as `weights/NAME-runN.safetensors` in the output folder.
    pub keep_weights: bool,
}

impl TrainingStudySpec {
    /// The paper's protocol for the given networks: 2,048 samples, 300 epochs, batch 256, exact counts, uniform weights, no biases.
    pub fn paper(networks: Vec<TrainedNetwork>, runs: usize) -> Self {
        Self {
            normalisation: Normalisation::Pixel,
            samples: SUBSET_SIZE,
            evaluation: EvaluationSet::Test,
            networks,
            runs,
            first_run: 0,
            epochs: 300,
            batch: 256,
            mask: MaskFamily::ExactCount,
            law: WeightDistribution::Uniform,
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
            keep_weights: false,
        }
    }

    /// The paper's protocol for its heat map: all training samples, batch 100, biases, the standard parametrisation.
    pub fn heat_map(networks: Vec<TrainedNetwork>, runs: usize) -> Self {
        Self {
            normalisation: Normalisation::Global,
            samples: MOST_SAMPLES,
            batch: 100,
            parametrisation: Parametrisation::Standard,
            biases: true,
            ..Self::paper(networks, runs)
        }
    }

    /// A rough count of the multiplications of one run, on MNIST.
    pub(super) fn operations(&self, network: &TrainedNetwork) -> f64 {
        const MNIST: [f64; 3] = [784.0, 6e4, 1e4];
        let [dimension, all, test] = MNIST;
        let (sizes, connectivities, _) = network.layers(dimension as usize, CLASSES);
        let weights = sizes.windows(2).zip(connectivities).map(|(ends, p)| (ends[0] * ends[1]) as f64 * p.get());
        let weights: f64 = weights.sum();
        self.epochs as f64 * ((self.samples as f64).min(all) * 3.0 + test) * weights
    }

    pub(super) fn check(&self) -> Result<()> {
        check_counts(&[
            ("runs", self.runs, 1_000_000),
            ("epochs", self.epochs, 1_000_000_000),
            ("batch", self.batch, 1_000_000_000),
            ("samples", self.samples, MOST_SAMPLES),
            ("networks", self.networks.len(), usize::MAX),
        ])?;
        at_most("first_run", self.first_run as usize, FIRST_TUNING_RUN as usize)?;
        check_distinct("networks", &self.networks, TrainedNetwork::name)?;
        for network in &self.networks {
            check_learning_rate(network.learning_rate)?;
            at_most("width", network.width, MAX_WIDTH)?;
            network.before.map_or(Ok(()), |before| check_before(before, network.width))?;
        }
        Ok(())
    }
}

/// The most bytes of one network in training: 16 GiB.
const MOST_BYTES: f64 = (1u64 << 34) as f64;

impl TrainingStudySpec {
    /// Refuses networks that no memory holds, trained on so many samples of some dimension.
    pub(super) fn check_memory(&self, samples: usize, dimension: usize) -> Result<()> {
        for network in &self.networks {
            let (sizes, connectivities, _) = network.layers(dimension, CLASSES);
            let layers = sizes.windows(2).zip(connectivities);
            let weights: f64 = layers.map(|(ends, p)| ends[0] as f64 * ends[1] as f64 * p.get()).sum();
            let units: f64 = sizes[1..].iter().map(|units| *units as f64).sum();
            // A weight has its column and value, twice while it is drawn, and its gradient; a unit its output and its gradient for each
            // sample of a step, which are whole blocks of 64.
            let bytes = 20.0 * weights + 8.0 * units * self.batch.min(samples).max(64) as f64;
            if bytes > MOST_BYTES {
                let problem = format!(
                    "its {weights:.0} weights and their activations take {:.0} GB in training, {:.0} are the most of one network",
                    bytes / 1e9,
                    MOST_BYTES / 1e9
                );
                return Err(Error::value(
                    "width",
                    network.width,
                    problem,
                    "give a smaller width, fewer weights or a smaller batch",
                ));
            }
        }
        Ok(())
    }
}

/// The first run of a search for learning rates: its initialisations are none that a study from run 0 on trains.
pub(super) const FIRST_TUNING_RUN: u32 = 1 << 30;

/// The upper limit of [`TrainingStudySpec::samples`]; give it to train on all there are.
pub const MOST_SAMPLES: usize = 1_000_000_000;

/// The networks of the paper's MLP figure at a budget, with the authors' learning rates: the sparse family (its first width
/// is the dense base network), and the wider dense networks where they are asked for.
///
/// # Errors
/// Where the budget does not fit the paper's widths.
pub fn paper_networks(weights: usize, dimension: usize, dense_family: bool) -> Result<Vec<TrainedNetwork>> {
    let mut networks = Vec::new();
    for SparseWidth { width, connectivity, .. } in SparseWidth::at_budget(weights, dimension, CLASSES, &PAPER_WIDTHS)? {
        networks.push(TrainedNetwork::new(Family::Sparse, width, connectivity, paper_learning_rate(width, false)?));
    }
    for width in PAPER_WIDTHS {
        // The base network belongs to both families; it is trained once, as the sparse family's first.
        if dense_family && width != PAPER_WIDTHS[0] {
            let learning_rate = paper_learning_rate(width, true)?;
            networks.push(TrainedNetwork::new(Family::Dense, width, Connectivity::DENSE, learning_rate));
        }
    }
    Ok(networks)
}

/// The cells of the paper's heat map: every width with every connectivity of the last layer and every activation, where that leaves
/// the first layer at least one weight and no more than it has.
///
/// # Errors
/// Where a width is 0, or no cell is left.
pub fn heat_map_networks(
    weights: usize,
    dimension: usize,
    widths: &[usize],
    last_connectivities: &[Connectivity],
    activations: &[Activation],
    learning_rate: f64,
) -> Result<Vec<TrainedNetwork>> {
    if widths.contains(&0) {
        return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give positive widths"));
    }
    let mut networks = Vec::new();
    let mut refusal = None;
    for activation in activations {
        for last_connectivity in last_connectivities {
            for width in widths {
                match first_layer_connectivity_beside(weights, dimension, CLASSES, *width, *last_connectivity) {
                    Ok(connectivity) => networks.push(TrainedNetwork {
                        activation: *activation,
                        last_connectivity: *last_connectivity,
                        ..TrainedNetwork::new(Family::Sparse, *width, connectivity, learning_rate)
                    }),
                    Err(error) => refusal = Some(error),
                }
            }
        }
    }
    match refusal {
        Some(error) if networks.is_empty() => Err(error),
        _ if networks.is_empty() => {
            Err(Error::value("networks", 0, "there is no width, last layer or activation", "give at least one of each"))
        }
        _ => Ok(networks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_samples_suit_the_data() {
        for (usual, all, trained, count) in [
            (10_000, 60_000, 2_048, 10_000),
            (10_000, 60_000, 1_000_000, 10_000),
            (512, 2_048, 2_048, 512),
            (512, 2_048, 400, 512),
            (10_000, 12_000, 2_048, 9_952),
            (10_000, 2_100, 2_048, 512),
            (10_000, 64, 2_048, 16),
            (10_000, 3, 3, 1),
        ] {
            let found = EvaluationSet::usual_validation(usual, all, trained);
            assert_eq!(found, EvaluationSet::Validation(count), "{all} {trained}");
        }
    }
}
