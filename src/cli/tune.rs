//! `sparsewidth tune`.

use std::path::{Path, PathBuf};

use clap::Args;
use sparsewidth::Result;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::{TUNE, TUNE_FILES, tune_page, write_tune};
use sparsewidth::study::request::TuneRequest;
use sparsewidth::study::{TuneReport, TuneSpec};

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::path;

#[derive(Args)]
pub struct TuneArgs {
    #[command(flatten)]
    data: ImagesOption,
    #[command(flatten)]
    request: TuneRequest,
    #[command(flatten)]
    from: FromOption,
    /// Write rates.toml, the picture and the records to this folder, with the journal from which an interrupted search
    /// resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], default_value = "tune", value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

pub fn run(args: TuneArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let report: TuneReport = read_report(&from.join(TUNE))?;
        let out = common.redrawn_folder(args.from.or(&args.out, common), "tune", &["tune"], &[])?;
        return say_rates(&report, Some(&out), common);
    }
    let spec = args.request.spec(args.data.data, common.seed, common)?;
    let Some((report, out)) = search(&spec, &args.out, common)? else { return Ok(()) };
    say_rates(&report, Some(&out), common)
}

/// Prints what a search found, and where it is kept.
pub fn say_rates(report: &TuneReport, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    if common.json {
        print(&json_lines(std::slice::from_ref(report))?)?;
    }
    common.present(&tune_page(report), out)
}

/// Searches, and writes all that was found to a folder. None of a shard.
pub fn search(spec: &TuneSpec, folder: &Path, common: &Common) -> Result<Option<(TuneReport, OutputFolder)>> {
    let shard = common.shard(Some(folder))?;
    let out = common.study_folder(folder, "tune", &["tune"], &TUNE_FILES)?;
    common.say_how_to_go_on(Some(folder));
    let bar = common.bar(0);
    let found = spec.run_shard(shard, Some(folder), &|progress| common.show(&bar, "", progress));
    bar.finish_and_clear();
    let (report, records) = found?;
    if !shard.is_whole() {
        if common.json {
            print(&json_lines(&records)?)?;
        }
        common.note_shard(folder, records.len());
        return Ok(None);
    }
    write_tune(&out, &report, &records)?;
    common.note(&format!("{}: {}", folder.display(), TUNE_FILES.join(", ")));
    Ok(Some((report, out)))
}
