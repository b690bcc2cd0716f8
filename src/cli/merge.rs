//! `sparsewidth merge`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::files::{MERGE, OutputFolder, in_shell};
use sparsewidth::report::{RECORD_FILES, write_records};
use sparsewidth::study::{RECORDS, merge};
use sparsewidth::{Error, Result};

use super::Common;
use super::output::{json_lines, print};
use super::values::path;

#[derive(Args)]
pub struct MergeArgs {
    /// Output folders of the shards of one study
    #[arg(required = true, value_name = "DIR", value_parser = path())]
    folders: Vec<PathBuf>,
    /// Write the joined journal, and the records if every task is done, to this folder; rerun the study's command with
    /// the same --out to draw the pictures or to run what is missing
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

pub fn run(args: MergeArgs, common: &Common) -> Result<()> {
    // A study goes on in a folder of its own records; a merged one has none yet.
    let records = args.out.join(RECORDS);
    if records.exists() {
        return Err(Error::file(&records, "exists already", "give a new folder with --out"));
    }
    let names: Vec<String> = RECORD_FILES.iter().map(|name| name.to_string()).collect();
    let out = OutputFolder::new(&args.out, MERGE, &names)?;
    let merged = merge(&args.folders, &args.out)?;
    merged.remarks.iter().for_each(|remark| common.note(remark));
    if let Some(records) = &merged.records {
        write_records(&out, records)?;
        if common.json {
            print(&json_lines(records)?)?;
        }
    }
    let out = in_shell(&args.out.display().to_string());
    let text = match merged.missing.as_deref() {
        Some([]) => format!("{out}: {} records, every task is done\n", merged.done),
        Some([first, more @ ..]) => {
            format!("{out}: {} records; tasks missing: {}, the first {first}\n", merged.done, more.len() + 1)
        }
        None => format!("{out}: {} records\n", merged.done),
    };
    common.say(&text)?;
    common.note(&format!(
        "Now rerun the command of the study with --out {out}: it resumes from there and draws the pictures."
    ));
    Ok(())
}
