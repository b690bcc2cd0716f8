//! `sparsewidth optimum`.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use sparsewidth::Result;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::{Page, optimum_page, predicted_optimum_page};
use sparsewidth::study::request::{Minimised, OptimumRequest};
use sparsewidth::study::{OptimumReport, PredictedOptimum};

use super::Common;
use super::options::DataOption;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::path;

#[derive(Args)]
pub struct OptimumArgs {
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    request: OptimumRequest,
    #[command(flatten)]
    from: FromOption,
    /// Write optimum.json and the picture to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
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
    let (data, seed) = (args.data.data, common.seed);
    let folder = || {
        let folder = |path| common.redrawn_folder(path, "optimum", &["optimum"], &["optimum.json"]);
        args.out.as_deref().map(folder).transpose()
    };
    let bar = || common.bar(1_000);
    let show = |bar: &ProgressBar, share: f64| bar.set_position((share * 1_000.0) as u64);
    let (report, out) = match args.request.by {
        Minimised::Distance => {
            let (spec, out) = (args.request.by_distance(data, seed, common)?, folder()?);
            let bar = bar();
            let report = spec.run(&|share| show(&bar, share))?;
            bar.finish_and_clear();
            (Report::Distance(report), out)
        }
        _ => {
            let (spec, out) = (args.request.by_regression(data, seed, common)?, folder()?);
            let bar = bar();
            let report = spec.run(&|share| show(&bar, share))?;
            bar.finish_and_clear();
            (Report::Predicted(report), out)
        }
    };
    finish(&report, out.as_ref(), common)
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
