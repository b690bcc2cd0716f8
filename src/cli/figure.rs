//! `sparsewidth figure`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sparsewidth::data::{CLASSES, Normalisation};
use sparsewidth::files::{OutputFolder, in_shell};
use sparsewidth::kernel::ntk::{Kernel, KernelName, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::parse::{count, listed_count};
use sparsewidth::report::{SUMMARY, figure_page, figure_pictures, left_out};
use sparsewidth::study::paper::{
    PAPER_BASE_WIDTH, PAPER_DIMENSION, PAPER_RUNS, PAPER_WIDTHS, figure_networks, paper_learning_rate,
};
use sparsewidth::study::request::{SamplingRequest, TrainingRequest, default_widths, say_origin, sizes};
use sparsewidth::study::{
    DistanceMethod, Family, LearningRates, NetworkSpec, PredictionSpec, Record, Reference, StudySpec, read_records,
};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::ImagesOption;
use super::redraw::{FromOption, refuse_searches};
use super::values::path;

/// By which name its files are listed.
const WRITER: &str = "figure";

/// The relative error of Theorem 1's masked moments where none is asked for: ten times that of `distance`, in half the
/// time. The means over pairs change by 3e-5 of themselves, and are known to 2 % at best, as estimates over all pairs.
pub(super) const TOLERANCE: &str = "1e-3";

/// Runs per network in the quick protocol.
const QUICK_RUNS: usize = 5;

#[derive(Args)]
pub struct FigureArgs {
    /// Protocol to run
    #[arg(long, value_enum, default_value_t = Protocol::Quick)]
    protocol: Protocol,
    /// Hidden widths [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    #[command(flatten)]
    from: FromOption,
    /// Write pictures, records and summary to this folder, with the journal from which an interrupted run resumes
    /// [default: figure, or the folder of --from]
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
    #[command(flatten)]
    data: ImagesOption,
    /// Normalisation for training; distances are computed under both pixel and global
    #[arg(long, value_enum, default_value_t = Normalisation::Pixel)]
    normalisation: Normalisation,
    /// Number of runs per network [default: 5, or 10 with --protocol paper]
    #[arg(long, alias = "seeds", value_name = "N", value_parser = count)]
    runs: Option<usize>,
    /// Read learning rates from this file, the rates.toml of `sparsewidth tune` [default: the rates of the paper's
    /// authors]
    #[arg(long, value_name = "FILE", value_parser = path())]
    rates: Option<PathBuf>,
    /// Kernels whose distances are taken: nngp, that of the last layer as in the paper, and ntk, the tangent kernel,
    /// which is drawn in separate pictures
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [KernelName::Nngp, KernelName::Ntk], value_name = "LIST")]
    kernel: Vec<KernelName>,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau = p)
    #[arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION")]
    tangent: Tangent,
    #[command(flatten)]
    sampling: SamplingRequest,
    /// Number of random pairs for the tangent kernel, whose theory takes longer; at most --pairs
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = count)]
    tangent_pairs: usize,
    /// Number of drawn networks of each width whose kernels predict the test error; 0 for no prediction
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = count)]
    predicting: usize,
    #[command(flatten)]
    training: TrainingRequest,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Train the sparse family and its dense base network, 5 runs each
    Quick,
    /// Train the dense family as well, 10 runs each
    Paper,
}

pub fn run(args: FigureArgs, common: &Common) -> Result<()> {
    let names = figure_pictures();
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let folder = common.redrawn_folder(args.out.as_deref().unwrap_or(from), WRITER, &names, &[SUMMARY])?;
        common.print_records(&records)?;
        return present(&records, &folder, common);
    }
    let folder = args.out.clone().unwrap_or_else(|| "figure".into());
    let folder = common.study_folder(&folder, WRITER, &names, &[SUMMARY])?;
    let ((dimension, classes), images) = sizes(&args.data.data)?;
    let data = args.data.data;
    let weights = (dimension + classes) * PAPER_BASE_WIDTH;
    if args.rates.is_none() && (dimension, classes) != (PAPER_DIMENSION, CLASSES) {
        let problem = format!(
            "learning rates are known only for images of {PAPER_DIMENSION} pixels in {CLASSES} classes; these have {dimension} in {classes}"
        );
        let remedy = format!(
            "search for them: sparsewidth tune --data {}; then add --rates tune/rates.toml here",
            in_shell(&data.to_string())
        );
        return Err(Error::value("--data", &data, problem, remedy));
    }
    let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, classes), Connectivity::DENSE, common);
    let widths = if args.widths.is_empty() { usual() } else { args.widths };
    let networks = NetworkSpec::at_budget(weights, dimension, classes, &widths)?;
    let mut distance = args.sampling.spec(networks.clone());
    let first = args.normalisation;
    distance.normalisations = vec![first];
    distance
        .normalisations
        .extend([Normalisation::Pixel, Normalisation::Global].into_iter().filter(|other| *other != first));
    if !args.kernel.contains(&KernelName::Ntk) {
        common.refuse("tangent", "only --kernel ntk has such a convention")?;
        common.refuse("tangent_pairs", "this number of pairs is for --kernel ntk only")?;
    }
    distance.kernels = args.kernel.iter().map(|kernel| kernel.with(args.tangent)).collect();
    distance.tangent_pairs = Some(args.tangent_pairs).filter(|pairs| *pairs < distance.pairs);
    // Without all pairs, and without the approximations: the expansion and Eq. (4).
    let both = [DistanceMethod::Sampled, DistanceMethod::Theorem1];
    distance.tangent_methods = Some(both.into_iter().filter(|method| distance.methods.contains(method)).collect());
    if distance.reference == Reference::Analytic {
        distance.methods.insert(1, DistanceMethod::SampledAll);
    } else if distance.kernels.len() > 1 {
        // Tangent kernels are compared with the closed form only.
        distance.kernels.retain(|kernel| *kernel == Kernel::Nngp);
    }
    let paper = args.protocol == Protocol::Paper;
    let runs = args.runs.unwrap_or(if paper { PAPER_RUNS } else { QUICK_RUNS });
    let mut trained = figure_networks(&networks, classes, paper)?;
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    if rates.is_none() && !args.training.is_paper() {
        let problem = "the authors' learning rates are for their own parametrisation without biases";
        return Err(Error::value(
            "--rates",
            "(none)",
            problem,
            "give the rates.toml of `sparsewidth tune` with the same options",
        ));
    }
    for network in &mut trained {
        network.learning_rate = match &rates {
            Some(rates) => args.training.rate(rates, network)?,
            None => paper_learning_rate(network.hidden().width(), network.family == Family::Dense).map_err(|_| {
                let problem = format!("the authors tuned learning rates for {PAPER_WIDTHS:?} only");
                let remedy = format!(
                    "search for one: sparsewidth tune --widths {}; then add --rates tune/rates.toml here",
                    network.hidden().width()
                );
                Error::value("--widths", network.hidden().width(), problem, remedy)
            })?,
        };
    }
    say_origin(rates.as_ref(), &data, args.normalisation, common);
    args.training.samples_of(images, common);
    let training = args.training.spec(trained, runs, args.normalisation);
    let prediction = (args.predicting > 0).then(|| PredictionSpec {
        normalisations: vec![args.normalisation],
        samples: training.samples,
        law: training.law,
        kernels: args.kernel.iter().map(|kernel| kernel.with(args.tangent)).collect(),
        initialisations: args.predicting,
        ..PredictionSpec::paper(
            (training.networks.iter())
                .filter(|network| network.family == Family::Sparse)
                .map(|network| network.architecture.clone())
                .collect(),
        )
    });
    let study = StudySpec { data, seed: common.seed, distance: Some(distance), training: Some(training), prediction };
    let Some(records) = common.run_study(&study, Some(&folder))? else { return Ok(()) };
    present(&records, &folder, common)
}

/// Draws the figure, and says how to do what it leaves out of the paper's protocol.
fn present(records: &[Record], folder: &OutputFolder, common: &Common) -> Result<()> {
    common.present(&figure_page(records), Some(folder))?;
    if !left_out(records).is_empty() {
        common.note("To do all of it: sparsewidth figure --protocol paper");
    }
    Ok(())
}
