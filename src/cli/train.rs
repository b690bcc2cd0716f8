//! `sparsewidth train`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::Normalisation;
use sparsewidth::data::{CLASSES, Dataset, SUBSET_SIZE};
use sparsewidth::files::in_shell;
use sparsewidth::network::Activation;
use sparsewidth::network::MaskFamily;
use sparsewidth::network::WeightDistribution;
use sparsewidth::network::budget::first_layer_connectivity_beside;
use sparsewidth::network::{Connectivity, Layer};
use sparsewidth::numeric::parse::{count, listed_count, number, share};
use sparsewidth::report::{TRAINING_PICTURES, training_page};
use sparsewidth::study::paper::{PAPER_BASE_WIDTH, PAPER_DIMENSION, PAPER_WIDTHS, paper_learning_rate};
use sparsewidth::study::read_records;
use sparsewidth::study::{Family, LearningRates, StudySpec, TrainedNetwork, TrainingStudySpec};
use sparsewidth::train::Parametrisation;
use sparsewidth::{Error, Result};

use super::Common;
use super::options::{ImagesOption, default_widths};
use super::redraw::{FromOption, refuse_searches};
use super::values::path;

#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Hidden widths
    #[arg(long, value_delimiter = ',', required_unless_present = "from", value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    #[command(flatten)]
    budget: BudgetOptions,
    /// Learning rate [default: that of the paper's authors, for their widths and budget]
    #[arg(long, aliases = ["lr", "rate"], value_name = "RATE", conflicts_with = "rates", value_parser = number)]
    learning_rate: Option<f64>,
    /// Read learning rates from this file, the rates.toml of `sparsewidth tune`
    #[arg(long, value_name = "FILE", value_parser = path())]
    rates: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingOptions,
    /// Number of runs per network, each with its own initialisation and order of samples
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = count)]
    runs: usize,
    /// Normalisation of the inputs, by the statistics of the training samples
    #[arg(long, value_enum, default_value_t = Normalisation::Pixel)]
    normalisation: Normalisation,
    /// Save the weights of each run after its last epoch, to the folder `weights` inside the output folder
    #[arg(long, requires = "out")]
    keep_weights: bool,
    #[command(flatten)]
    from: FromOption,
    /// Write records and pictures to this folder, with the journal from which an interrupted study resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// Which weights networks have.
#[derive(Args)]
pub struct BudgetOptions {
    /// Total number of weights, those of the last layer included [default: (d + classes) times 8, the paper's]
    #[arg(long, value_name = "N", conflicts_with_all = ["connectivity", "dense"], value_parser = count)]
    weights: Option<usize>,
    /// Connectivity (density) of the first layer, instead of a weight budget
    #[arg(long, value_name = "P", conflicts_with = "dense", value_parser = share)]
    connectivity: Option<f64>,
    /// Train dense networks
    #[arg(long)]
    dense: bool,
    /// Connectivity (density) of the last layer
    #[arg(long, default_value_t = 1.0, value_name = "Q", conflicts_with = "dense", value_parser = share)]
    last_connectivity: f64,
    /// Activation function of the hidden layer
    #[arg(long, value_enum, default_value_t = Activation::Relu)]
    activation: Activation,
}

impl BudgetOptions {
    /// The networks of some widths, each with the learning rate that is given for it.
    pub fn networks(
        &self,
        (dimension, classes): (usize, usize),
        widths: &[usize],
        rate: impl Fn(&TrainedNetwork) -> Result<f64>,
    ) -> Result<Vec<TrainedNetwork>> {
        let weights = self.weights((dimension, classes));
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
        self.weights.unwrap_or((dimension + classes) * PAPER_BASE_WIDTH)
    }

    /// Widths to look at where none are asked for.
    pub fn default_widths(&self, (dimension, classes): (usize, usize), common: &Common) -> Result<Vec<usize>> {
        if self.dense || self.connectivity.is_some() {
            return Ok(PAPER_WIDTHS.to_vec());
        }
        let last_connectivity = Connectivity::new(self.last_connectivity)?;
        let budget = (self.weights((dimension, classes)), dimension, classes);
        Ok(default_widths(&PAPER_WIDTHS, budget, last_connectivity, common))
    }

    /// Whether the networks are those for which the authors tuned rates.
    fn is_paper(&self, (dimension, classes): (usize, usize)) -> bool {
        let budget = self.weights.is_none_or(|weights| weights == (dimension + classes) * PAPER_BASE_WIDTH);
        let paper = self.dense || (self.connectivity.is_none() && budget && self.last_connectivity == 1.0);
        paper && (dimension, classes) == (PAPER_DIMENSION, CLASSES) && self.activation == Activation::Relu
    }
}

/// How networks are trained.
#[derive(Args)]
pub struct TrainingOptions {
    /// Number of training samples, a random subset if there are more
    #[arg(long, default_value_t = SUBSET_SIZE, value_name = "N", value_parser = count)]
    samples: usize,
    /// Number of epochs, passes over the training samples
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = count)]
    epochs: usize,
    /// Batch size, samples per step
    #[arg(long, aliases = ["batch-size"], default_value_t = 256, value_name = "N", value_parser = count)]
    batch: usize,
    /// Mask family of trained networks
    #[arg(long, value_enum, default_value_t = MaskFamily::ExactCount)]
    training_mask: MaskFamily,
    /// Distribution of the initial weights of trained networks
    #[arg(long, value_enum, default_value_t = WeightDistribution::Uniform)]
    training_law: WeightDistribution,
    /// Variable that gradient descent updates: w, or W = w / sqrt(inputs)
    #[arg(long, value_enum, default_value_t = Parametrisation::NeuralTangent)]
    parametrisation: Parametrisation,
    /// Give every layer biases, which are not counted as weights
    #[arg(long)]
    biases: bool,
}

impl TrainingOptions {
    /// Samples to train on, of as many as there are; that these are fewer than were asked for is said.
    pub fn samples_of(&self, training: usize, common: &Common) -> usize {
        if self.samples > training {
            common.note(&format!("Training on all {training} samples of the data, instead of {}.", self.samples));
        }
        self.samples.min(training)
    }

    /// Whether the authors' learning rates have a meaning for these networks.
    pub fn is_paper(&self) -> bool {
        self.parametrisation == Parametrisation::NeuralTangent && !self.biases
    }

    /// The rate of a network trained so.
    pub fn rate(&self, rates: &LearningRates, network: &TrainedNetwork) -> Result<f64> {
        rates.of(network, self.parametrisation, self.biases)
    }

    /// The spec that the options describe.
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

/// Says where learning rates were found, where that is not where they are used.
pub fn say_origin(rates: Option<&LearningRates>, data: &Dataset, normalisation: Normalisation, common: &Common) {
    if let Some(remark) = rates.and_then(|rates| rates.remark(data, normalisation)) {
        common.note(&remark);
    }
}

pub fn run(args: TrainArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let out = common.redrawn_folder(args.out.as_deref().unwrap_or(from), "train", &TRAINING_PICTURES, &[])?;
        common.print_records(&records)?;
        return common.present(&training_page(&records), Some(&out));
    }
    let (sizes, training) = args.data.sizes()?;
    let data = args.data.data;
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    let paper = args.budget.is_paper(sizes) && args.training.is_paper();
    let networks = args.budget.networks(sizes, &args.widths, |network| match (args.learning_rate, &rates) {
        (Some(rate), _) => Ok(rate),
        (None, Some(rates)) => args.training.rate(rates, network),
        (None, None) if paper => paper_learning_rate(network.hidden().width(), network.family == Family::Dense),
        (None, None) => {
            let problem = "the authors' learning rates are only for MNIST and ReLU networks of the paper's budget and parametrisation";
            let remedy = format!(
                "give one, or search for them with the same options: sparsewidth tune --data {} --widths {} ..., then --rates tune/rates.toml",
                in_shell(&data.to_string()),
                args.widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
            );
            Err(Error::value("--learning-rate", "(none)", problem, remedy))
        }
    })?;
    if networks.iter().flat_map(|network| network.architecture.layers()).all(|layer| layer.connectivity().is_dense()) {
        common.refuse("training_mask", "every weight of these networks exists")?;
    }
    say_origin(rates.as_ref(), &data, args.normalisation, common);
    args.training.samples_of(training, common);
    let training = args.training.spec(networks, args.runs, args.normalisation);
    let training = TrainingStudySpec { keep_weights: args.keep_weights, ..training };
    let study = StudySpec { data, seed: common.seed, distance: None, training: Some(training), prediction: None };
    let out =
        args.out.as_deref().map(|path| common.study_folder(path, "train", &TRAINING_PICTURES, &[])).transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&training_page(&records), out.as_ref())
}
