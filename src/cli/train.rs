//! `sparsewidth train`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::report::{TRAINING_PICTURES, training_page};
use sparsewidth::study::request::TrainRequest;
use sparsewidth::study::{LearningRates, read_records};

use super::Common;
use super::options::ImagesOption;
use super::redraw::{FromOption, refuse_searches};
use super::values::path;

#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    data: ImagesOption,
    #[command(flatten)]
    request: TrainRequest,
    /// Read learning rates from this file, the rates.toml of `sparsewidth tune`
    #[arg(long, value_name = "FILE", value_parser = path())]
    rates: Option<PathBuf>,
    #[command(flatten)]
    from: FromOption,
    /// Write records and pictures to this folder, with the journal from which an interrupted study resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: TrainArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let out = common.redrawn_folder(args.out.as_deref().unwrap_or(from), "train", &TRAINING_PICTURES, &[])?;
        common.print_records(&records)?;
        return common.present(&training_page(&records), Some(&out));
    }
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    let study = args.request.study(args.data.data, common.seed, rates.as_ref(), common)?;
    let out =
        args.out.as_deref().map(|path| common.study_folder(path, "train", &TRAINING_PICTURES, &[])).transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&training_page(&records), out.as_ref())
}
