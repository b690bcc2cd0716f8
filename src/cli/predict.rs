//! `sparsewidth predict`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::report::{
    COMPARISON, COMPARISON_PICTURES, ComparedSetting, PREDICTION_PICTURES, SUMMARY, comparison_page, prediction_page,
};
use sparsewidth::study::request::PredictRequest;
use sparsewidth::study::{LearningRates, read_records};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::ImagesOption;
use super::redraw::{FromOption, refuse_searches};
use super::values::path;

/// By which name its files are listed.
const WRITER: &str = "predict";

#[derive(Args)]
pub struct PredictArgs {
    #[command(flatten)]
    data: ImagesOption,
    #[command(flatten)]
    request: PredictRequest,
    /// Read learning rates from this file, the rates.toml of `sparsewidth tune` [default: the rates of the paper's
    /// authors, for their widths and budget]
    #[arg(long, value_name = "FILE", requires = "train", value_parser = path())]
    rates: Option<PathBuf>,
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
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    let study = args.request.study(args.data.data, common.seed, rates.as_ref(), common)?;
    let out = (args.out.as_deref().map(|path| common.study_folder(path, WRITER, &PREDICTION_PICTURES, &[SUMMARY])))
        .transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&prediction_page(&records), out.as_ref())
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
