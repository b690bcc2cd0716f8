//! What networks a study is to train, and how.

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::data::{CLASSES, Normalisation};
use crate::error::{Error, Result};
use crate::network::Connectivity;
use crate::network::{Activation, Architecture, Layer, MaskFamily, WeightDistribution};
use crate::study::spec::{at_most, check_counts, check_distinct, check_layers};
use crate::train::{Parametrisation, check_learning_rate};

/// The ways to widen a network that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Family {
    /// The number of weights stays the same, the connectivity falls.
    #[strum(message = "sparse")]
    Sparse,
    /// Every weight exists, their number grows.
    #[strum(message = "dense")]
    #[cfg_attr(feature = "cli", value(skip))]
    Dense,
    /// Sparse, with two hidden layers of the same width.
    #[strum(message = "sparse, two hidden layers")]
    DeepSparse,
    /// Every weight exists, their number stays the same, and the first matrix is a product of two, whose rank falls.
    #[strum(message = "linear bottleneck")]
    LinearBottleneck,
    /// The same with a ReLU in between: two hidden layers, of which the first narrows as the second widens.
    #[strum(message = "non-linear bottleneck")]
    NonlinearBottleneck,
}

impl Family {
    /// All families, in the order of tables.
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

/// A network to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TrainedNetwork {
    /// Its family.
    pub family: Family,
    /// Its layers, the outputs included, one per class.
    pub architecture: Architecture,
    /// The learning rate.
    pub learning_rate: f64,
}

/// A network to train, as read from a file.
#[derive(Deserialize)]
struct Unchecked {
    family: Family,
    architecture: Architecture,
    learning_rate: f64,
}

impl TryFrom<Unchecked> for TrainedNetwork {
    type Error = Error;

    fn try_from(Unchecked { family, architecture, learning_rate }: Unchecked) -> Result<Self> {
        check_hidden(&architecture)?;
        Ok(Self { family, architecture, learning_rate })
    }
}

impl TrainedNetwork {
    /// A network of one hidden layer of ReLU units and a dense last layer of 10 outputs, under masks of an exact count,
    /// as in the paper.
    ///
    /// # Errors
    /// Where the width is 0.
    pub fn new(family: Family, width: usize, connectivity: Connectivity, learning_rate: f64) -> Result<Self> {
        Self::of_one_layer(family, (width, connectivity), CLASSES, learning_rate)
    }

    /// The same with other outputs, one per class.
    ///
    /// # Errors
    /// Where the width or the number of classes is 0.
    pub fn of_one_layer(
        family: Family,
        (width, connectivity): (usize, Connectivity),
        classes: usize,
        learning_rate: f64,
    ) -> Result<Self> {
        let hidden = Layer::new(width, connectivity, Activation::Relu)?;
        Self::of_hidden(family, vec![hidden], (classes, Connectivity::DENSE), learning_rate)
    }

    /// A network of some hidden layers and a last one of some outputs and connectivity, under masks of an exact count.
    ///
    /// # Errors
    /// Where there is no hidden layer, or no output.
    pub fn of_hidden(
        family: Family,
        hidden: Vec<Layer>,
        (outputs, last_connectivity): (usize, Connectivity),
        learning_rate: f64,
    ) -> Result<Self> {
        let last = Layer::new(outputs, last_connectivity, Activation::Linear)?;
        let architecture = Architecture::new([hidden, vec![last]].concat())?.with_mask(MaskFamily::ExactCount);
        check_hidden(&architecture)?;
        Ok(Self { family, architecture, learning_rate })
    }

    /// The same with another learning rate.
    #[must_use]
    pub fn with_rate(&self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self.clone() }
    }

    /// The same under masks of another family.
    #[must_use]
    pub fn with_mask(&self, mask: MaskFamily) -> Self {
        Self { architecture: self.architecture.with_mask(mask), ..self.clone() }
    }

    /// The last hidden layer.
    #[must_use]
    pub fn hidden(&self) -> &Layer {
        self.architecture.before_last().last().expect("a network to train has a hidden layer: checked where it is made")
    }

    /// Its name in journals and files, rate included.
    #[must_use]
    pub fn name(&self) -> String {
        let (hidden, last) = (self.hidden(), self.architecture.last());
        let mut name = format!("{}-{}-p{}", self.family.name(), hidden.width(), hidden.connectivity().get());
        let (_, before) = self.architecture.before_last().split_last().expect("a network to train has a hidden layer");
        for layer in before {
            name += &format!("-after-{}{}", layer.activation().name(), layer.width());
            if layer.connectivity() != hidden.connectivity() {
                name += &format!("-p{}", layer.connectivity().get());
            }
        }
        if !last.connectivity().is_dense() {
            name += &format!("-q{}", last.connectivity().get());
        }
        if hidden.activation() == Activation::Linear {
            name += "-linear";
        }
        format!("{name}-rate{}", self.learning_rate)
    }
}

/// Refuses a network to train without a hidden layer.
fn check_hidden(architecture: &Architecture) -> Result<()> {
    match architecture.before_last() {
        [] => Err(Error::value("architecture", architecture, "there is no hidden layer", "give at least two layers")),
        _ => Ok(()),
    }
}

/// What trained networks are evaluated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvaluationSet {
    /// The test set.
    Test,
    /// This many training samples, held out: from outside the training subset, or, where too few are left there, from
    /// the subset, which shrinks by them.
    Validation(usize),
}

impl EvaluationSet {
    /// Validation samples where no number is given, for `all` training samples of which `trained` are trained on:
    /// `usual` if the data has that many; otherwise all that are not trained on, or a quarter of the trained ones if
    /// that is more.
    #[must_use]
    pub fn usual_validation(usual: usize, all: usize, trained: usize) -> Self {
        let trained = trained.min(all);
        let (others, quarter) = (all - trained, trained / 4);
        Self::Validation(if usual < trained.max(others + 1) { usual } else { others.max(quarter).max(1) })
    }
}

/// Networks to train, each in several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingStudySpec {
    /// The normalisation of both sets, by the statistics of the training samples.
    pub normalisation: Normalisation,
    /// Training samples: a random subset where the data has more.
    pub samples: usize,
    /// What the networks are evaluated on after each epoch.
    pub evaluation: EvaluationSet,
    /// The networks.
    pub networks: Vec<TrainedNetwork>,
    /// Runs per network, each with its own initialisation and order of samples.
    pub runs: usize,
    /// The number of the first run.
    pub first_run: u32,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
    /// The law of the initial weights.
    pub law: WeightDistribution,
    /// Which variable gradient descent updates.
    pub parametrisation: Parametrisation,
    /// Whether every layer has biases.
    pub biases: bool,
    /// Whether each run's weights after its last epoch are kept, as `weights/NAME-runN.safetensors` in the output
    /// folder.
    pub keep_weights: bool,
}

impl TrainingStudySpec {
    pub(crate) fn check(&self) -> Result<()> {
        check_counts(&[
            ("runs", self.runs, 1_000_000),
            ("epochs", self.epochs, 1_000_000_000),
            ("batch", self.batch, 1_000_000_000),
            ("samples", self.samples, MOST_SAMPLES),
            ("networks", self.networks.len(), usize::MAX),
        ])?;
        at_most("first_run", self.first_run as usize, FIRST_TUNING_RUN as usize)?;
        for network in &self.networks {
            check_learning_rate(network.learning_rate)?;
            check_hidden(&network.architecture)?;
            check_layers(network.architecture.layers())?;
        }
        // Journals and files know a network by its name.
        let names: Vec<String> = self.networks.iter().map(TrainedNetwork::name).collect();
        check_distinct("networks", &names, String::clone)
    }
}

/// The most bytes of one network in training: 16 GiB.
const MOST_BYTES: f64 = (1u64 << 34) as f64;

impl TrainingStudySpec {
    /// Refuses networks that would not fit in memory when trained on `samples` samples of dimension `dimension`.
    pub(crate) fn check_memory(&self, samples: usize, dimension: usize) -> Result<()> {
        for network in &self.networks {
            let weights = network.architecture.weights(dimension);
            let units: f64 = network.architecture.layers().iter().map(|layer| layer.width() as f64).sum();
            // A weight has its column and value, both twice while it is drawn, and its gradient. A unit has its output
            // and its gradient for each sample of a step, in whole blocks of 64 samples.
            let bytes = 20.0 * weights + 8.0 * units * self.batch.min(samples).max(64) as f64;
            if bytes > MOST_BYTES {
                let problem = format!(
                    "its {weights:.0} weights and their activations take {:.0} GB in training; one network may take at most {:.0} GB",
                    bytes / 1e9,
                    MOST_BYTES / 1e9
                );
                return Err(Error::value(
                    "width",
                    network.hidden().width(),
                    problem,
                    "give a smaller width, fewer weights or a smaller batch",
                ));
            }
        }
        Ok(())
    }
}

/// The first run of a search for learning rates: a search shares no initialisation with a study whose runs begin at 0.
pub(crate) const FIRST_TUNING_RUN: u32 = 1 << 30;

/// The upper limit of [`TrainingStudySpec::samples`]; give it to train on all samples.
pub const MOST_SAMPLES: usize = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_without_a_hidden_layer_or_of_one_name_are_refused() {
        let read = |architecture: &str| {
            let text = format!(r#"{{"family":"sparse","architecture":"{architecture}","learning_rate":1.0}}"#);
            serde_json::from_str::<TrainedNetwork>(&text).map_err(|error| error.to_string())
        };
        assert!(read("linear:10").unwrap_err().contains("there is no hidden layer"));
        let networks =
            vec![read("relu:8 linear:10").unwrap(), read("relu:8/exact_count linear:10/exact_count").unwrap()];
        let message = TrainingStudySpec::paper(networks, 1).check().unwrap_err().to_string();
        assert!(message.contains("given twice"), "{message}");
    }

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
