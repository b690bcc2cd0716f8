//! `sparsewidth heatmap`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::network::Activation;
use sparsewidth::network::Connectivity;
use sparsewidth::network::MaskFamily;
use sparsewidth::network::WeightDistribution;
use sparsewidth::network::budget::first_layer_connectivity_beside;
use sparsewidth::numeric::parse::{count, listed_count, listed_share, number};
use sparsewidth::report::{HEAT_MAP_PICTURES, heat_map_page};
use sparsewidth::study::paper::{HEAT_MAP_BASE_WIDTH, HEAT_MAP_WIDTHS, heat_map_networks};
use sparsewidth::study::read_records;
use sparsewidth::study::request::sizes;
use sparsewidth::study::{MOST_SAMPLES, StudySpec, TrainingStudySpec};

use super::Common;
use super::options::ImagesOption;
use super::redraw::{FromOption, refuse_searches};
use super::values::path;

#[derive(Args)]
pub struct HeatmapArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Hidden widths; each sets an overall connectivity [default: those of 5,10,20,40,80,160,320,640 that fit the
    /// budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Connectivities (densities) of the last layer; the first layer gets the rest of the budget
    #[arg(long, value_delimiter = ',', default_values_t = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], value_name = "LIST", value_parser = listed_share)]
    last: Vec<f64>,
    /// Activation functions, one picture each
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Activation::Relu, Activation::Linear], value_name = "LIST")]
    activations: Vec<Activation>,
    /// Total number of weights, not counting biases [default: (d + classes) times 5, the paper's]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Number of training samples, a random subset if there are more [default: all]
    #[arg(long, value_name = "N", value_parser = count)]
    samples: Option<usize>,
    /// Number of epochs, passes over the training samples
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = count)]
    epochs: usize,
    /// Batch size, samples per step
    #[arg(long, aliases = ["batch-size"], default_value_t = 100, value_name = "N", value_parser = count)]
    batch: usize,
    /// Learning rate of all networks
    #[arg(long, aliases = ["lr", "rate"], default_value_t = 0.1, value_name = "RATE", value_parser = number)]
    learning_rate: f64,
    /// Number of runs per cell
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = count)]
    runs: usize,
    /// Normalisation of the inputs, by the statistics of the training samples
    #[arg(long, value_enum, default_value_t = Normalisation::Global)]
    normalisation: Normalisation,
    /// Mask family
    #[arg(long, value_enum, default_value_t = MaskFamily::ExactCount)]
    mask: MaskFamily,
    /// Distribution of the initial weights
    #[arg(long, value_enum, default_value_t = WeightDistribution::Uniform)]
    law: WeightDistribution,
    #[command(flatten)]
    from: FromOption,
    /// Write pictures and records to this folder, with the journal from which an interrupted run resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], default_value = "heatmap", value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

/// The widths that fit the budget beside some last layer, if there is one; a note names those left out.
fn fitting(
    widths: Vec<usize>,
    weights: usize,
    (dimension, classes): (usize, usize),
    last: &[Connectivity],
    common: &Common,
) -> Vec<usize> {
    let fits = |width: &usize| {
        // A width of 0 is refused later.
        let fits = |q: &Connectivity| first_layer_connectivity_beside(weights, dimension, classes, *width, *q).is_ok();
        *width == 0 || last.iter().any(fits)
    };
    let (fitting, others): (Vec<usize>, Vec<usize>) = widths.iter().partition(|width| fits(width));
    if fitting.is_empty() {
        return widths;
    }
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(usize::to_string).collect();
        let others = others.join(",");
        common.note(&format!("Left out: widths {others}, which do not fit {weights} weights at {dimension} inputs."));
    }
    fitting
}

pub fn run(args: HeatmapArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let out = common.redrawn_folder(args.from.or(&args.out, common), "heatmap", &HEAT_MAP_PICTURES, &[])?;
        common.print_records(&records)?;
        return common.present(&heat_map_page(&records)?, Some(&out));
    }
    let (sizes, _) = sizes(&args.data.data)?;
    let data = args.data.data;
    let weights = args.weights.unwrap_or((sizes.0 + sizes.1) * HEAT_MAP_BASE_WIDTH);
    let last = args.last.iter().map(|q| Connectivity::new(*q)).collect::<Result<Vec<_>>>()?;
    let widths = if args.widths.is_empty() { HEAT_MAP_WIDTHS.to_vec() } else { args.widths };
    let widths = fitting(widths, weights, sizes, &last, common);
    let activations: Vec<Activation> = args.activations.to_vec();
    let networks = heat_map_networks(weights, sizes, &widths, &last, &activations, args.learning_rate)?;
    let networks = networks.iter().map(|network| network.with_mask(args.mask)).collect();
    let training = TrainingStudySpec {
        normalisation: args.normalisation,
        samples: args.samples.unwrap_or(MOST_SAMPLES),
        epochs: args.epochs,
        batch: args.batch,
        law: args.law,
        ..TrainingStudySpec::heat_map(networks, args.runs)
    };
    let study = StudySpec { data, seed: common.seed, distance: None, training: Some(training), prediction: None };
    let out = common.study_folder(&args.out, "heatmap", &HEAT_MAP_PICTURES, &[])?;
    let Some(records) = common.run_study(&study, Some(&out))? else { return Ok(()) };
    common.present(&heat_map_page(&records)?, Some(&out))
}
