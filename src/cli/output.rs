//! Where results go: standard output, standard error, a progress bar.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::{study_folder, write_records};
use sparsewidth::sampled::Device;
use sparsewidth::study::{JOURNAL, Progress, Record, Shard, StudySpec};
use sparsewidth::{Error, Result};

use super::Common;
use super::interrupt::{say_when_interrupted, this_command};
use super::log::{follow, in_words};

/// Writes a result to standard output. A reader that has gone away (`| head`) ends it without complaint.
pub fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::failure("writing standard output", error)),
        _ => Ok(()),
    }
}

/// Values as JSON, one per line.
pub fn json_lines<T: Serialize>(values: &[T]) -> Result<String> {
    let mut text = String::new();
    for value in values {
        text += &serde_json::to_string(value).map_err(|error| Error::failure("writing JSON", error))?;
        text.push('\n');
    }
    Ok(text)
}

impl Common {
    /// The folder of a study that writes its records, some pictures and other files there.
    pub fn study_folder(
        &self,
        path: &Path,
        writer: &'static str,
        pictures: &[impl AsRef<str>],
        others: &[&str],
    ) -> Result<OutputFolder> {
        study_folder(path, writer, pictures, others, !self.no_page)
    }

    /// Prints for people: on standard output, or on standard error where that carries records.
    pub fn say(&self, text: &str) -> Result<()> {
        if self.json {
            self.note(text);
            Ok(())
        } else {
            print(text)
        }
    }

    /// Prints a remark on standard error, unless it should be quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // A standard error that is closed takes no complaint about itself.
            let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
        }
    }

    /// A progress bar on standard error: lines where that is no terminal, hidden where nothing should be said.
    pub fn bar(&self, length: u64) -> ProgressBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(length) };
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed} elapsed, {eta} remaining  {msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        if !self.quiet && !std::io::stderr().is_terminal() {
            follow(&bar);
        }
        bar
    }

    /// Shows the progress of a study on its bar; `place`: where kernels over all pairs are computed, with `{}` for the
    /// megabytes.
    pub fn show(&self, bar: &ProgressBar, place: &str, progress: Progress) {
        match progress {
            Progress::Begin { cost, memory } => {
                bar.set_length(cost);
                if let Some(memory) = memory {
                    let megabytes = memory.div_ceil(1 << 20).to_string();
                    bar.suspend(|| self.note(&format!("All pairs: on {}.", place.replace("{}", &megabytes))));
                }
            }
            Progress::Remark { text } => bar.suspend(|| self.note(text)),
            Progress::Long { task, left } => {
                bar.suspend(|| self.note(&format!("{task}: about {} left.", in_words(left))));
            }
            Progress::Within { task, share } => bar.set_message(format!("{task}: {:.0} %", 100.0 * share)),
            Progress::Done { task, cost, resumed } => {
                // What an earlier run did says nothing about the speed of this one.
                if resumed {
                    bar.update(|state| state.set_len(state.len().unwrap_or(cost).saturating_sub(cost)))
                } else {
                    bar.inc(cost)
                }
                bar.set_message(task.to_string());
            }
            // What a bar has no place for.
            _ => {}
        }
    }

    /// Runs a study with a progress bar, and writes its records: to the folder where one is given, and as JSON to
    /// standard output where that is asked for. None of a shard, whose records are in its journal only.
    pub fn run_study(&self, spec: &StudySpec, output: Option<&OutputFolder>) -> Result<Option<Vec<Record>>> {
        let folder = output.map(OutputFolder::path);
        let shard = self.shard(folder)?;
        let device = self.open_device(spec.takes_all_pairs(), spec.uses_device())?;
        self.say_how_to_go_on(folder);
        let bar = self.bar(0);
        let place = if matches!(device, Device::Cpu { .. }) { " beside the inputs" } else { "" };
        let place = format!("{}, at most {{}} MB{place}", device.name());
        let records = spec.run_shard(shard, folder, &device, &|progress| self.show(&bar, &place, progress));
        bar.finish_and_clear();
        let records = records?;
        self.print_records(&records)?;
        if let (Some(folder), false) = (folder, shard.is_whole()) {
            self.note_shard(folder, records.len());
            return Ok(None);
        }
        if let Some(output) = output {
            write_records(output, &records)?;
        }
        Ok(Some(records))
    }

    /// Says from now on, where the program is interrupted, how the study goes on.
    pub fn say_how_to_go_on(&self, folder: Option<&Path>) {
        if self.quiet {
            return;
        }
        say_when_interrupted(&match folder {
            Some(folder) => format!(
                "Interrupted. What is done is kept in {}; to go on:\n{}",
                folder.join(JOURNAL).display(),
                this_command()
            ),
            None => "Interrupted. Nothing was kept: only with --out DIR can a study be resumed.".into(),
        });
    }

    /// The share that was asked for, of a study that is journaled in a folder.
    pub fn shard(&self, folder: Option<&Path>) -> Result<Shard> {
        match (self.shard, folder) {
            (Some(shard), None) if !shard.is_whole() => {
                let problem = "a part needs a folder to keep its journal in";
                Err(Error::value("--shard", shard, problem, "give one with --out"))
            }
            (shard, _) => Ok(shard.unwrap_or(Shard::WHOLE)),
        }
    }

    /// Says where a share is.
    pub fn note_shard(&self, folder: &Path, records: usize) {
        let shard = self.shard.expect("only a part is noted");
        self.note(&format!(
            "{}: the journal of shard {shard}, {records} records. When all are done: sparsewidth merge DIR... --out DIR",
            folder.display()
        ));
    }
}
