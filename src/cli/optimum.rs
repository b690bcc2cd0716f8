//! `sparsewidth optimum`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::files::OutputFolder;
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::report::optimum_page;
use sparsewidth::study::OptimumReport;
use sparsewidth::study::OptimumSpec;
use sparsewidth::study::paper::PAPER_BASE_WIDTH;

use super::Common;
use super::options::{DataOption, KernelOption};
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report, redrawn_folder};
use super::values::path;

#[derive(Args)]
pub struct OptimumArgs {
    #[command(flatten)]
    data: DataOption,
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
    #[command(flatten)]
    from: FromOption,
    /// Write optimum.json and the picture to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: OptimumArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let report: OptimumReport = read_report(&from.join("optimum.json"))?;
        let out = redrawn_folder(args.out.as_deref().unwrap_or(from), "optimum", &["optimum"], &["optimum.json"])?;
        return finish(&report, Some(&out), common);
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
    let out =
        args.out.as_deref().map(|path| redrawn_folder(path, "optimum", &["optimum"], &["optimum.json"])).transpose()?;
    let bar = common.bar(1_000);
    let report = spec.run(&|share| bar.set_position((share * 1_000.0) as u64))?;
    bar.finish_and_clear();
    finish(&report, out.as_ref(), common)
}

/// Writes and prints what a search comes to.
fn finish(report: &OptimumReport, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    let json = json_lines(std::slice::from_ref(report))?;
    if let Some(folder) = out {
        folder.write("optimum.json", json.as_bytes())?;
    }
    if common.json {
        print(&json)?;
    }
    common.present(&optimum_page(report), out)
}
