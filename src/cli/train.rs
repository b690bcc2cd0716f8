//! `sparsewidth train`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::budget::{PAPER_BASE_WIDTH, first_layer_connectivity, paper_learning_rate};
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{CLASSES, SUBSET_SIZE};
use sparsewidth::report::{accuracy_chart, training_table, write_chart};
use sparsewidth::study::{Family, StudySpec, TrainedNetwork, TrainingStudySpec};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::{ImagesOption, LawOption, MaskOption, NormalisationOption};

#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Hidden widths
    #[arg(long, value_delimiter = ',', required = true, value_name = "LIST")]
    widths: Vec<usize>,
    /// The weight budget, of which the dense last layer is paid first [default: (d + 10) times 8, the paper's]
    #[arg(long, value_name = "N", conflicts_with_all = ["connectivity", "dense"])]
    weights: Option<usize>,
    /// Connectivity of the first layer, instead of a budget
    #[arg(long, value_name = "P", conflicts_with = "dense")]
    connectivity: Option<f64>,
    /// Train dense networks
    #[arg(long)]
    dense: bool,
    /// Learning rate [default: the authors' for the paper's widths at their budget]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    #[command(flatten)]
    training: TrainingOptions,
    /// Runs a network, each with its own initialisation and order of samples
    #[arg(long, default_value_t = 3, value_name = "N")]
    runs: usize,
    /// Normalisation, by the statistics of the training samples
    #[arg(long, value_enum, default_value_t = NormalisationOption::Pixel)]
    normalisation: NormalisationOption,
    /// Folder for records and picture, and for the journal by which an interrupted study goes on
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// How networks are trained.
#[derive(Args)]
pub struct TrainingOptions {
    /// Training samples, a random subset where there are more
    #[arg(long, default_value_t = SUBSET_SIZE, value_name = "N")]
    samples: usize,
    /// Passes over the training samples
    #[arg(long, default_value_t = 300, value_name = "N")]
    epochs: usize,
    /// Samples a step
    #[arg(long, default_value_t = 256, value_name = "N")]
    batch: usize,
    /// Masks of trained networks
    #[arg(long, value_enum, default_value_t = MaskOption::ExactCount)]
    training_mask: MaskOption,
    /// Initial weights of trained networks
    #[arg(long, value_enum, default_value_t = LawOption::Uniform)]
    training_law: LawOption,
}

impl TrainingOptions {
    /// The spec that the options describe.
    pub fn spec(
        &self,
        networks: Vec<TrainedNetwork>,
        runs: usize,
        normalisation: NormalisationOption,
    ) -> TrainingStudySpec {
        TrainingStudySpec {
            normalisation: normalisation.into(),
            samples: self.samples,
            epochs: self.epochs,
            batch: self.batch,
            mask: self.training_mask.into(),
            law: self.training_law.into(),
            ..TrainingStudySpec::paper(networks, runs)
        }
    }
}

pub fn run(args: TrainArgs, common: &Common) -> Result<()> {
    let data = args.data.data;
    let dimension = data.labelled()?.train.images.ncols();
    let paper_weights = (dimension + CLASSES) * PAPER_BASE_WIDTH;
    let weights = args.weights.unwrap_or(paper_weights);
    let network = |width: &usize| -> Result<TrainedNetwork> {
        let connectivity = match args.connectivity {
            _ if args.dense => Connectivity::DENSE,
            Some(p) => Connectivity::new(p)?,
            None => first_layer_connectivity(weights, dimension, CLASSES, *width)?,
        };
        let family = if args.dense { Family::Dense } else { Family::Sparse };
        let learning_rate = match args.learning_rate {
            Some(rate) => rate,
            None if args.dense || (args.connectivity.is_none() && weights == paper_weights) => {
                paper_learning_rate(*width, args.dense)?
            }
            None => {
                let problem = "the paper tuned learning rates for its own budget only";
                return Err(Error::value("--learning-rate", "(none)", problem, "give one"));
            }
        };
        Ok(TrainedNetwork { family, width: *width, connectivity, learning_rate })
    };
    let networks = args.widths.iter().map(network).collect::<Result<Vec<_>>>()?;
    let training = args.training.spec(networks, args.runs, args.normalisation);
    let study = StudySpec { data, seed: common.seed, distance: None, training: Some(training) };
    let records = common.run_study(&study, args.out.as_deref())?;
    if let (Some(folder), Some(chart)) = (&args.out, accuracy_chart(&records)) {
        write_chart(folder, "accuracy", &chart)?;
    }
    common.say(&training_table(&records).to_string())
}
