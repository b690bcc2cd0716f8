//! Redrawing what an earlier run found.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use sparsewidth::files::{OutputFolder, in_shell, read_text};
use sparsewidth::report::{INDEX, Page, report_folder};
use sparsewidth::study::{RECORDS, Record};
use sparsewidth::{Error, Result};

use super::Common;
use super::output::{json_lines, print};
use super::values::path;

/// Options that a redrawing heeds.
const HEEDED: [&str; 5] = ["from", "out", "json", "quiet", "no_page"];

#[derive(Args)]
pub struct FromOption {
    /// Redraw tables and pictures from the records in this folder, without computing [written there unless --out is
    /// given]
    #[arg(long, value_name = "DIR", value_parser = path())]
    from: Option<PathBuf>,
}

impl FromOption {
    /// The folder, where one was given; other options are then refused.
    pub fn folder(&self, common: &Common) -> Result<Option<&Path>> {
        let Some(from) = &self.from else { return Ok(None) };
        let mut idle: Vec<&String> = common.given.keys().filter(|id| !HEEDED.contains(&id.as_str())).collect();
        idle.sort();
        for option in idle {
            common.refuse(option, "--from only redraws what was found, and computes nothing")?;
        }
        if from.is_file() {
            let folder = from.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let folder = in_shell(&folder.display().to_string());
            let remedy = format!("give the folder that it is in: --from {folder}");
            return Err(Error::file(from, "is a file, not the output folder of a study", remedy));
        }
        Ok(Some(from))
    }

    /// Where to redraw: into `out` where it was given, else where the records are.
    pub fn or<'a>(&'a self, out: &'a Path, common: &Common) -> &'a Path {
        self.from.as_deref().filter(|_| !common.given.contains_key("out")).unwrap_or(out)
    }
}

/// Refuses the records of a search for learning rates: its runs, at many rates, are evaluated on validation samples.
pub fn refuse_searches(folder: &Path, records: &[Record]) -> Result<()> {
    if !records.iter().filter_map(Record::training).any(|run| run.validation) {
        return Ok(());
    }
    let problem = "holds the runs of a search for learning rates, which are evaluated on validation samples";
    Err(Error::file(&folder.join(RECORDS), problem, "give the output folder of a study on test samples"))
}

/// What a command that has no records has written as JSON.
pub fn read_report<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let remedy = "give the output folder of a finished run of this command";
    serde_json::from_str(&read_text(path, remedy)?)
        .map_err(|error| Error::file(path, format!("is not what this command writes ({error})"), remedy))
}

impl Common {
    /// The folder of pictures and other files that are redrawn, made and tried.
    pub fn redrawn_folder(
        &self,
        path: &Path,
        writer: &'static str,
        pictures: &[impl AsRef<str>],
        others: &[&str],
    ) -> Result<OutputFolder> {
        report_folder(path, writer, pictures, others, !self.no_page)
    }

    /// Writes the pictures and files of a page, and the page itself unless it is left out.
    pub fn write_page(&self, page: &Page, folder: &OutputFolder) -> Result<()> {
        page.write(folder, !self.no_page)
    }

    /// Prints records, where they are asked for as JSON.
    pub fn print_records(&self, records: &[Record]) -> Result<()> {
        if self.json { print(&json_lines(records)?) } else { Ok(()) }
    }

    /// Writes what a page holds to a folder, where there is one, and prints it.
    pub fn present(&self, page: &Page, folder: Option<&OutputFolder>) -> Result<()> {
        if let Some(folder) = folder {
            self.write_page(page, folder)?;
        }
        self.say(&page.text)?;
        page.remarks.iter().for_each(|remark| self.note(remark));
        if let Some(folder) = folder {
            let mut written = page.written();
            if !self.no_page {
                written.insert(0, INDEX.into());
            }
            if !written.is_empty() {
                self.note(&format!("{}: {}", folder.path().display(), written.join(", ")));
            }
        }
        Ok(())
    }
}
