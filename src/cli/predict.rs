//! `sparsewidth predict`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::Normalisation;
use sparsewidth::kernel::ntk::{Kernel, KernelName, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::parse::{count, listed_count, number, share};
use sparsewidth::report::{
    COMPARISON, COMPARISON_PICTURES, ComparedSetting, PREDICTION_PICTURES, SUMMARY, comparison_page, prediction_page,
};
use sparsewidth::study::paper::{PAPER_BASE_WIDTH, PAPER_WIDTHS, figure_networks, paper_learning_rate};
use sparsewidth::study::{
    DistanceMethod, DistanceSpec, KernelSource, LearningRates, NetworkSpec, PredictionSpec, StudySpec, TrainedNetwork,
    read_records,
};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::{ImagesOption, default_widths};
use super::redraw::{FromOption, refuse_searches};
use super::train::{TrainingOptions, say_origin};
use super::values::path;

/// By which name its files are listed.
const WRITER: &str = "predict";

#[derive(Args)]
pub struct PredictArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Hidden widths [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Total number of weights, those of the last layer included [default: (d + classes) times 8, the paper's]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Normalisations of the inputs, by the statistics of the training samples; networks are trained under the first
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Normalisation::Pixel], value_name = "LIST")]
    normalisation: Vec<Normalisation>,
    /// Kernels to predict by: nngp, that of the last layer, and ntk, the tangent kernel, which gradient descent sees
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [KernelName::Nngp, KernelName::Ntk], value_name = "LIST")]
    kernel: Vec<KernelName>,
    /// How the tangent kernel is parametrised, by which weights gradient descent moves: standardised ones (tau = 1),
    /// those of the paper's Eq. (1) (tau = p), or both
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Tangent::Standardised, Tangent::Paper], value_name = "LIST")]
    tangent: Vec<Tangent>,
    /// Number of random networks per width; they are the initial networks of the training runs
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = count)]
    initialisations: usize,
    /// Also predict for networks of infinite width: sparse ones (by the second-order expansion) and the dense one
    #[arg(long)]
    limits: bool,
    /// Ridges to choose from, relative to the mean of the kernel's diagonal [default: 19 values, three per factor of
    /// ten, from 1e-4 to 100]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = number)]
    ridges: Vec<f64>,
    /// Number of random pairs of test samples for distances; 0 for no distances
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Relative error of Theorem 1's masked moments in distances, pair by pair
    #[arg(long, default_value_t = 1e-2, value_name = "ERROR", value_parser = share)]
    tolerance: f64,
    /// Train the networks as well, and compare
    #[arg(long)]
    train: bool,
    /// Read learning rates from this file, the rates.toml of `sparsewidth tune` [default: the rates of the paper's
    /// authors, for their widths and budget]
    #[arg(long, value_name = "FILE", requires = "train", value_parser = path())]
    rates: Option<PathBuf>,
    /// Number of training runs per network
    #[arg(long, default_value_t = 5, value_name = "N", requires = "train", value_parser = count)]
    runs: usize,
    #[command(flatten)]
    training: TrainingOptions,
    #[command(flatten)]
    from: FromOption,
    /// Compare how well the predictors choose the width across the studies in the folders DIR
    #[arg(long, conflicts_with = "from", requires = "folders")]
    compare: bool,
    /// Output folders of `predict --train`, for --compare; to redraw one folder, use --from
    #[arg(value_name = "DIR", requires = "compare", value_parser = path())]
    folders: Vec<PathBuf>,
    /// Judge by the accuracy after the last epoch, not the best one
    #[arg(long, requires = "compare")]
    last_epoch: bool,
    /// Write records, pictures and summary to this folder, with the journal from which an interrupted study resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: PredictArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let out =
            common.redrawn_folder(args.out.as_deref().unwrap_or(from), WRITER, &PREDICTION_PICTURES, &[SUMMARY])?;
        common.print_records(&records)?;
        return common.present(&prediction_page(&records), Some(&out));
    }
    if args.compare {
        return compare(&args, common);
    }
    if !args.train {
        for option in ["epochs", "batch", "parametrisation", "biases"] {
            common.refuse(option, "no network is trained without --train")?;
        }
    }
    let ((dimension, classes), images) = args.data.sizes()?;
    let data = args.data.data;
    let weights = args.weights.unwrap_or((dimension + classes) * PAPER_BASE_WIDTH);
    let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, classes), Connectivity::DENSE, common);
    let widths = if args.widths.is_empty() { usual() } else { args.widths };
    let networks = NetworkSpec::at_budget(weights, dimension, classes, &widths)?;
    let mut kernels = Vec::new();
    for name in &args.kernel {
        match name {
            KernelName::Nngp => kernels.push(Kernel::Nngp),
            KernelName::Ntk => kernels.extend(args.tangent.iter().map(|tangent| Kernel::Ntk(*tangent))),
        }
    }
    if !args.kernel.contains(&KernelName::Ntk) {
        common.refuse("tangent", "only --kernel ntk has such a convention")?;
    }
    let distance = (args.pairs > 0).then(|| DistanceSpec {
        normalisations: args.normalisation.clone(),
        // Eq. (4) is for the NNGP kernel alone.
        methods: match kernels.contains(&Kernel::Nngp) {
            true => vec![DistanceMethod::Theorem1, DistanceMethod::Paper],
            false => vec![DistanceMethod::Theorem1],
        },
        kernels: kernels.clone(),
        tangent_methods: Some(vec![DistanceMethod::Theorem1]),
        pairs: args.pairs,
        tolerance: args.tolerance,
        ..DistanceSpec::paper(networks.clone())
    });
    if distance.is_none() {
        common.refuse("tolerance", "no distance is taken with --pairs 0")?;
    }
    let trained = figure_networks(&networks, classes, false)?;
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    let training = match args.train {
        false => None,
        true => {
            let of_paper = weights == (784 + 10) * PAPER_BASE_WIDTH && args.training.is_paper();
            let with_rate = |network: &TrainedNetwork| -> Result<TrainedNetwork> {
                let rate = match &rates {
                    Some(rates) => args.training.rate(rates, network)?,
                    None if of_paper && (dimension, classes) == (784, 10) => {
                        paper_learning_rate(network.hidden().width(), false).map_err(|_| no_rate(&widths))?
                    }
                    None => return Err(no_rate(&widths)),
                };
                Ok(network.with_rate(rate))
            };
            let networks = trained.iter().map(with_rate).collect::<Result<Vec<_>>>()?;
            say_origin(rates.as_ref(), &data, args.normalisation[0], common);
            Some(args.training.spec(networks, args.runs, args.normalisation[0]))
        }
    };
    args.training.samples_of(images, common);
    let of_training = args.training.spec(trained, 1, args.normalisation[0]);
    let sources = match args.limits {
        true => KernelSource::ALL.to_vec(),
        false => vec![KernelSource::Drawn],
    };
    let usual =
        PredictionSpec::paper(of_training.networks.iter().map(|network| network.architecture.clone()).collect());
    let prediction = PredictionSpec {
        normalisations: args.normalisation,
        samples: of_training.samples,
        evaluation: of_training.evaluation,
        law: of_training.law,
        kernels,
        sources,
        initialisations: args.initialisations,
        ridges: if args.ridges.is_empty() { usual.ridges.clone() } else { args.ridges },
        ..usual
    };
    let study = StudySpec { data, seed: common.seed, distance, training, prediction: Some(prediction) };
    let out = (args.out.as_deref().map(|path| common.study_folder(path, WRITER, &PREDICTION_PICTURES, &[SUMMARY])))
        .transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&prediction_page(&records), out.as_ref())
}

fn no_rate(widths: &[usize]) -> Error {
    let widths = widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let problem = "learning rates are known only for the paper's widths and budget on images of MNIST's size";
    let remedy = format!(
        "search for them with the same data, weights and normalisation: sparsewidth tune --widths {widths} ...; then add --rates \
         tune/rates.toml here"
    );
    Error::value("--rates", "(none)", problem, remedy)
}

/// Compares the predictors over the records of several folders.
fn compare(args: &PredictArgs, common: &Common) -> Result<()> {
    let heeded = ["compare", "folders", "last_epoch", "out", "quiet", "seed", "no_page"];
    let mut idle: Vec<&String> = common.given.keys().filter(|id| !heeded.contains(&id.as_str())).collect();
    idle.sort();
    idle.into_iter().try_for_each(|option| common.refuse(option, "--compare only reads what was found"))?;
    let mut known = Vec::new();
    for folder in &args.folders {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if known.contains(&whole) {
            return Err(Error::file(folder, "is given twice", "give each setting once"));
        }
        known.push(whole);
    }
    let setting = |folder: &PathBuf| -> Result<ComparedSetting> {
        let records = read_records(folder)?;
        refuse_searches(folder, &records)?;
        let setting =
            if args.last_epoch { ComparedSetting::of_last_epoch(&records) } else { ComparedSetting::new(&records) };
        setting.map_err(|error| {
            Error::file(
                folder,
                error.problem().to_string(),
                "give output folders of predict --train with three or more widths",
            )
        })
    };
    let settings = args.folders.iter().map(setting).collect::<Result<Vec<_>>>()?;
    let out = args.out.as_deref();
    let out = out.map(|path| common.redrawn_folder(path, WRITER, &COMPARISON_PICTURES, &[COMPARISON])).transpose()?;
    common.present(&comparison_page(&settings, common.seed), out.as_ref())
}
