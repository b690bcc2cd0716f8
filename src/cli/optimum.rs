//! `sparsewidth optimum`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::report::{optimum_assumptions, optimum_chart, optimum_note, optimum_table, write_chart};
use sparsewidth::study::OptimumSpec;
use sparsewidth::study::paper::PAPER_BASE_WIDTH;

use super::Common;
use super::options::{DataOption, NormalisationOption};
use super::output::{json_lines, print, report_folder};
use super::values::path;

#[derive(Args)]
pub struct OptimumArgs {
    #[command(flatten)]
    data: DataOption,
    /// Normalisation of the inputs, by their own statistics [default: pixel for MNIST, none for other data]
    #[arg(long, value_enum, value_name = "NAME")]
    normalisation: Option<NormalisationOption>,
    /// The weight budget: (d + outputs) times the base width 8 [default]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Outputs of the dense last layer, whose weights the budget pays for; 0 for the first layer alone [default: 10 for MNIST, 0
    /// for other data]
    #[arg(long, value_name = "N", value_parser = count)]
    outputs: Option<usize>,
    /// Random pairs of inputs; where the data has no more pairs, each of these once
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Minimise the median over pairs instead of the mean, which few pairs can dominate
    #[arg(long)]
    median: bool,
    /// Relative error to which Theorem 1's masked moments are computed, pair by pair
    #[arg(long, default_value_t = 1e-3, value_name = "ERROR", value_parser = share)]
    tolerance: f64,
    /// Folder for optimum.json and the picture
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: OptimumArgs, common: &Common) -> Result<()> {
    let data = args.data.data;
    let outputs = args.outputs.unwrap_or(data.classes());
    let weights = match args.weights {
        Some(weights) => weights,
        None => data.dimension()?.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH),
    };
    let usual = data.usual_normalisation();
    let spec = OptimumSpec {
        normalisation: args.normalisation.map_or(usual, Normalisation::from),
        data,
        weights,
        outputs,
        pairs: args.pairs,
        median: args.median,
        tolerance: args.tolerance,
        seed: common.seed,
    };
    spec.check()?;
    let out =
        args.out.as_deref().map(|path| report_folder(path, "optimum", &["optimum"], &["optimum.json"])).transpose()?;
    let bar = common.bar(1);
    let report = spec.run(&|done, expected| {
        bar.set_length(expected.max(done + 1) as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let json = json_lines(std::slice::from_ref(&report))?;
    if let Some(folder) = &out {
        write_chart(folder, "optimum", &optimum_chart(&report))?;
        folder.write("optimum.json", json.as_bytes())?;
    }
    if common.json {
        print(&json)?;
    }
    common.say(&optimum_table(&report).to_string())?;
    let said = optimum_assumptions(&report);
    if !said.is_empty() {
        common.say(&format!("\n{said}"))?;
    }
    if let Some(note) = optimum_note(&report) {
        common.note(&note);
    }
    Ok(())
}
