//! `sparsewidth optimum`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use sparsewidth::Result;
use sparsewidth::data::{Normalisation, SUBSET_SIZE};
use sparsewidth::files::OutputFolder;
use sparsewidth::kernel::ntk::Kernel;
use sparsewidth::network::{MaskFamily, WeightDistribution};
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::report::{Page, optimum_page, predicted_optimum_page};
use sparsewidth::study::paper::PAPER_BASE_WIDTH;
use sparsewidth::study::{OptimumReport, OptimumSpec, PredictedOptimum, PredictedOptimumSpec};

use super::Common;
use super::options::{DataOption, KernelOption};
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::path;

#[derive(Args)]
pub struct OptimumArgs {
    #[command(flatten)]
    data: DataOption,
    /// What is minimised over the width
    #[arg(long, value_enum, default_value_t = By::Distance)]
    by: By,
    /// Normalisation of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[arg(long, value_enum, value_name = "NAME")]
    normalisation: Option<Normalisation>,
    /// Total number of weights [default: (d + outputs) times the base width 8]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Number of outputs of the dense last layer, whose weights are part of the budget; 0 for the first layer alone
    /// [default: the classes of the data, 0 without labels]
    #[arg(long, value_name = "N", value_parser = count)]
    outputs: Option<usize>,
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Minimise the median over pairs instead of the mean, which a few pairs can dominate
    #[arg(long)]
    median: bool,
    #[command(flatten)]
    kernel: KernelOption,
    /// Relative error of Theorem 1's masked moments, pair by pair
    #[arg(long, default_value_t = 1e-3, value_name = "ERROR", value_parser = share)]
    tolerance: f64,
    /// Number of networks drawn of each width, for regression
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = count)]
    initialisations: usize,
    /// Number of training samples for regression, a random subset if there are more
    #[arg(long, default_value_t = SUBSET_SIZE, value_name = "N", value_parser = count)]
    samples: usize,
    #[command(flatten)]
    from: FromOption,
    /// Write optimum.json and the picture to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// What a search minimises.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The distance of a kernel to that of infinite width; needs no labels
    Distance,
    /// The error of ridge regression with the tangent kernel of drawn networks; needs labels
    NtkRegression,
    /// The same with the NNGP kernel
    NngpRegression,
}

/// What a search of either kind found.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Report {
    Predicted(PredictedOptimum),
    Distance(OptimumReport),
}

impl Report {
    fn page(&self) -> Page {
        match self {
            Self::Predicted(report) => predicted_optimum_page(report),
            Self::Distance(report) => optimum_page(report),
        }
    }
}

pub fn run(args: OptimumArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let report: Report = read_report(&from.join("optimum.json"))?;
        let out =
            common.redrawn_folder(args.out.as_deref().unwrap_or(from), "optimum", &["optimum"], &["optimum.json"])?;
        return finish(&report, Some(&out), common);
    }
    if args.by != By::Distance {
        return by_regression(&args, common);
    }
    for option in ["initialisations", "samples"] {
        common.refuse(option, "a search by distance makes no regression")?;
    }
    let data = args.data.data;
    let outputs = match args.outputs {
        Some(outputs) => outputs,
        None => data.classes()?,
    };
    let weights = match args.weights {
        Some(weights) => weights,
        None => data.dimension()?.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH),
    };
    let usual = data.usual_normalisation()?;
    let spec = OptimumSpec {
        normalisation: args.normalisation.map_or(usual, Normalisation::from),
        data,
        weights,
        outputs,
        pairs: args.pairs,
        median: args.median,
        kernel: args.kernel.get(common)?,
        tolerance: args.tolerance,
        seed: common.seed,
    };
    spec.check()?;
    let out = args
        .out
        .as_deref()
        .map(|path| common.redrawn_folder(path, "optimum", &["optimum"], &["optimum.json"]))
        .transpose()?;
    let bar = common.bar(1_000);
    let report = spec.run(&|share| bar.set_position((share * 1_000.0) as u64))?;
    bar.finish_and_clear();
    finish(&Report::Distance(report), out.as_ref(), common)
}

/// Searches by the error that a kernel predicts.
fn by_regression(args: &OptimumArgs, common: &Common) -> Result<()> {
    let why = "regression takes no distances of pairs";
    ["pairs", "median", "tolerance"].iter().try_for_each(|option| common.refuse(option, why))?;
    common.refuse("kernel", "--by names the kernel of the regression")?;
    common.refuse("outputs", "regression has an output for each class")?;
    let kernel = match args.by {
        By::NtkRegression => Kernel::Ntk(args.kernel.tangent),
        _ => {
            common.refuse("tangent", "only --by ntk-regression has such a convention")?;
            Kernel::Nngp
        }
    };
    let data = args.data.data.clone();
    let labelled = data.to_learn()?;
    let (dimension, classes) = (labelled.train.images.ncols(), labelled.classes());
    let spec = PredictedOptimumSpec {
        normalisation: args.normalisation.map_or(data.usual_normalisation()?, Normalisation::from),
        weights: args.weights.unwrap_or((dimension + classes) * PAPER_BASE_WIDTH),
        samples: args.samples.min(labelled.train.len()),
        kernel,
        mask: MaskFamily::ExactCount,
        law: WeightDistribution::Uniform,
        initialisations: args.initialisations,
        seed: common.seed,
        data,
    };
    let out = args
        .out
        .as_deref()
        .map(|path| common.redrawn_folder(path, "optimum", &["optimum"], &["optimum.json"]))
        .transpose()?;
    let bar = common.bar(1_000);
    let report = spec.run(&|share| bar.set_position((share * 1_000.0) as u64))?;
    bar.finish_and_clear();
    finish(&Report::Predicted(report), out.as_ref(), common)
}

/// Writes and prints what a search comes to.
fn finish(report: &Report, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    let json = json_lines(std::slice::from_ref(report))?;
    if let Some(folder) = out {
        folder.write("optimum.json", json.as_bytes())?;
    }
    if common.json {
        print(&json)?;
    }
    common.present(&report.page(), out)
}
