//! Training runs.

use serde::Deserialize;

use super::{Caller, default_widths, say_origin, sizes};
use crate::data::{CLASSES, Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::network::budget::first_layer_connectivity_beside;
use crate::network::{Activation, Connectivity, Layer, MaskFamily, WeightDistribution};
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, listed_count, number, share};
use crate::study::paper::{PAPER_BASE_WIDTH, PAPER_DIMENSION, PAPER_WIDTHS, paper_learning_rate};
use crate::study::{Family, LearningRates, StudySpec, TrainedNetwork, TrainingStudySpec};
use crate::train::Parametrisation;

/// Which weights networks have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct BudgetRequest {
    /// Total number of weights, those of the last layer included [default: (d + classes) times 8, the paper's]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", conflicts_with_all = ["connectivity", "dense"], value_parser = count))]
    pub weights: Option<usize>,
    /// Connectivity (density) of the first layer, instead of a weight budget
    #[cfg_attr(feature = "cli", arg(long, value_name = "P", conflicts_with = "dense", value_parser = share))]
    pub connectivity: Option<f64>,
    /// Train dense networks
    #[cfg_attr(feature = "cli", arg(long))]
    pub dense: bool,
    /// Connectivity (density) of the last layer
    #[cfg_attr(feature = "cli", arg(long, default_value_t = 1.0, value_name = "Q", conflicts_with = "dense", value_parser = share))]
    pub last_connectivity: f64,
    /// Activation function of the hidden layer
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Activation::Relu))]
    pub activation: Activation,
}

impl Default for BudgetRequest {
    fn default() -> Self {
        let (weights, connectivity, dense) = (None, None, false);
        Self { weights, connectivity, dense, last_connectivity: 1.0, activation: Activation::Relu }
    }
}

impl BudgetRequest {
    /// The networks of some widths, each with the learning rate that is given for it; `sizes` are the inputs and the
    /// classes.
    ///
    /// # Errors
    /// Where the budget does not fit a width, a connectivity is out of range, there is no rate, or two settings exclude
    /// each other.
    pub fn networks(
        &self,
        sizes: (usize, usize),
        widths: &[usize],
        rate: impl Fn(&TrainedNetwork) -> Result<f64>,
        caller: &dyn Caller,
    ) -> Result<Vec<TrainedNetwork>> {
        if self.dense {
            let why = "every weight of these networks exists";
            ["weights", "connectivity", "last_connectivity"].iter().try_for_each(|name| caller.refuse(name, why))?;
        } else if self.connectivity.is_some() {
            caller.refuse("weights", "the connectivity sets the number of weights")?;
        }
        let (dimension, classes) = sizes;
        let weights = self.weights(sizes);
        let last_connectivity = Connectivity::new(self.last_connectivity)?;
        let network = |width: &usize| {
            let connectivity = match self.connectivity {
                _ if self.dense => Connectivity::DENSE,
                Some(p) => Connectivity::new(p)?,
                None => first_layer_connectivity_beside(weights, dimension, classes, *width, last_connectivity)?,
            };
            let family = if self.dense { Family::Dense } else { Family::Sparse };
            let hidden = Layer::new(*width, connectivity, self.activation)?;
            let network = TrainedNetwork::of_hidden(family, vec![hidden], (classes, last_connectivity), 0.0)?;
            Ok(network.with_rate(rate(&network)?))
        };
        widths.iter().map(network).collect()
    }

    fn weights(&self, (dimension, classes): (usize, usize)) -> usize {
        self.weights.unwrap_or(dimension.saturating_add(classes).saturating_mul(PAPER_BASE_WIDTH))
    }

    /// Widths to look at where none are asked for.
    ///
    /// # Errors
    /// Where the connectivity of the last layer is out of range.
    pub(super) fn default_widths(
        &self,
        (dimension, classes): (usize, usize),
        caller: &dyn Caller,
    ) -> Result<Vec<usize>> {
        if self.dense || self.connectivity.is_some() {
            return Ok(PAPER_WIDTHS.to_vec());
        }
        let last_connectivity = Connectivity::new(self.last_connectivity)?;
        let budget = (self.weights((dimension, classes)), dimension, classes);
        Ok(default_widths(&PAPER_WIDTHS, budget, last_connectivity, caller))
    }

    /// Whether the networks are those for which the authors tuned rates.
    fn is_paper(&self, (dimension, classes): (usize, usize)) -> bool {
        let budget = self.weights.is_none_or(|weights| weights == (dimension + classes) * PAPER_BASE_WIDTH);
        let paper = self.dense || (self.connectivity.is_none() && budget && self.last_connectivity == 1.0);
        paper && (dimension, classes) == (PAPER_DIMENSION, CLASSES) && self.activation == Activation::Relu
    }
}

/// How networks are trained.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct TrainingRequest {
    /// Number of training samples, a random subset if there are more
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().samples, value_name = "N", value_parser = count))]
    pub samples: usize,
    /// Number of epochs, passes over the training samples
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().epochs, value_name = "N", value_parser = count))]
    pub epochs: usize,
    /// Batch size, samples per step
    #[cfg_attr(feature = "cli", arg(long, aliases = ["batch-size"], default_value_t = Self::default().batch, value_name = "N", value_parser = count))]
    pub batch: usize,
    /// Mask family of trained networks
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().training_mask))]
    pub training_mask: MaskFamily,
    /// Distribution of the initial weights of trained networks
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().training_law))]
    pub training_law: WeightDistribution,
    /// Variable that gradient descent updates: w, or W = w / sqrt(inputs)
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().parametrisation))]
    pub parametrisation: Parametrisation,
    /// Give every layer biases, which are not counted as weights
    #[cfg_attr(feature = "cli", arg(long))]
    pub biases: bool,
}

impl Default for TrainingRequest {
    /// The paper's protocol.
    fn default() -> Self {
        let TrainingStudySpec { samples, epochs, batch, law, parametrisation, biases, .. } =
            TrainingStudySpec::paper(Vec::new(), 1);
        let training_mask = MaskFamily::ExactCount;
        Self { samples, epochs, batch, training_mask, training_law: law, parametrisation, biases }
    }
}

impl TrainingRequest {
    /// Samples to train on, of as many as there are; that these are fewer than were asked for is said.
    pub fn samples_of(&self, training: usize, caller: &dyn Caller) -> usize {
        if self.samples > training {
            caller.note(&format!("Training on all {training} samples of the data, instead of {}.", self.samples));
        }
        self.samples.min(training)
    }

    /// Whether the authors' learning rates have a meaning for these networks.
    #[must_use]
    pub fn is_paper(&self) -> bool {
        self.parametrisation == Parametrisation::NeuralTangent && !self.biases
    }

    /// The rate of a network trained so.
    ///
    /// # Errors
    /// Where the file has none.
    pub fn rate(&self, rates: &LearningRates, network: &TrainedNetwork) -> Result<f64> {
        rates.of(network, self.parametrisation, self.biases)
    }

    /// The spec that the options describe.
    #[must_use]
    pub fn spec(&self, networks: Vec<TrainedNetwork>, runs: usize, normalisation: Normalisation) -> TrainingStudySpec {
        let mask = self.training_mask;
        let networks = networks.iter().map(|network| network.with_mask(mask)).collect();
        TrainingStudySpec {
            normalisation,
            samples: self.samples,
            epochs: self.epochs,
            batch: self.batch,
            law: self.training_law,
            parametrisation: self.parametrisation,
            biases: self.biases,
            ..TrainingStudySpec::paper(networks, runs)
        }
    }
}

/// Networks to train.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct TrainRequest {
    /// Hidden widths
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', required_unless_present = "from", value_name = "LIST", value_parser = listed_count))]
    pub widths: Vec<usize>,
    /// Which weights the networks have.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub budget: BudgetRequest,
    /// Learning rate [default: that of the paper's authors, for their widths and budget]
    #[cfg_attr(feature = "cli", arg(long, aliases = ["lr", "rate"], value_name = "RATE", conflicts_with = "rates", value_parser = number))]
    pub learning_rate: Option<f64>,
    /// How they are trained.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub training: TrainingRequest,
    /// Number of runs per network, each with its own initialisation and order of samples
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().runs, value_name = "N", value_parser = count))]
    pub runs: usize,
    /// Normalisation of the inputs, by the statistics of the training samples
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().normalisation))]
    pub normalisation: Normalisation,
    /// Save the weights of each run after its last epoch, to the folder `weights` inside the output folder
    #[cfg_attr(feature = "cli", arg(long, requires = "out"))]
    pub keep_weights: bool,
}

impl Default for TrainRequest {
    fn default() -> Self {
        Self {
            widths: Vec::new(),
            budget: BudgetRequest::default(),
            learning_rate: None,
            training: TrainingRequest::default(),
            runs: 3,
            normalisation: Normalisation::Pixel,
            keep_weights: false,
        }
    }
}

impl TrainRequest {
    /// The study that is asked for, with learning rates from a file where there is one.
    ///
    /// # Errors
    /// Where the data has no labels or cannot be read, the budget does not fit a width, there is no learning rate, or a
    /// setting that was given has no effect.
    pub fn study(
        self,
        data: Dataset,
        seed: u64,
        rates: Option<&LearningRates>,
        caller: &dyn Caller,
    ) -> Result<StudySpec> {
        if self.learning_rate.is_some() {
            caller.refuse("rates", "one learning rate is given for all networks")?;
        }
        let (sizes, training) = sizes(&data)?;
        let paper = self.budget.is_paper(sizes) && self.training.is_paper();
        let rate = |network: &TrainedNetwork| match (self.learning_rate, rates) {
            (Some(rate), _) => Ok(rate),
            (None, Some(rates)) => self.training.rate(rates, network),
            (None, None) if paper => paper_learning_rate(network.hidden().width(), network.family == Family::Dense),
            (None, None) => {
                let problem = "the authors' learning rates are only for MNIST and ReLU networks of the paper's budget and parametrisation";
                let remedy = format!("give one, or {}", caller.search(&data, &self.widths));
                Err(Error::value(&caller.name("learning_rate"), "(none)", problem, remedy))
            }
        };
        let networks = self.budget.networks(sizes, &self.widths, rate, caller)?;
        let layers = || networks.iter().flat_map(|network| network.architecture.layers());
        if layers().all(|layer| layer.connectivity().is_dense()) {
            caller.refuse("training_mask", "every weight of these networks exists")?;
        }
        say_origin(rates, &data, self.normalisation, caller);
        self.training.samples_of(training, caller);
        let training = self.training.spec(networks, self.runs, self.normalisation);
        let training = TrainingStudySpec { keep_weights: self.keep_weights, ..training };
        Ok(StudySpec { data, seed, distance: None, training: Some(training), prediction: None })
    }
}
