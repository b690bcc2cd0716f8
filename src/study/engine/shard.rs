//! A study on many machines: each does its share of the tasks, and the journals are joined.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::journal::{JOURNAL, NEW, claim, is_begun, read_journal};
use crate::error::{Error, Result, Setting};
use crate::files::{
    CHECK, MERGE, OutputFolder, make_folder, read_whole, remove_unfinished, unreadable, write_atomically,
};
use crate::study::Record;
use crate::study::run::{Task, tasks_of};
use crate::study::spec::{MOST_TASKS, StudySpec};
use crate::study::training::{WEIGHTS, weights_path};

/// A share of a study's tasks, written `number/count`: task `i`, from 0 in the order of the spec, belongs to share
/// `i mod count + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `count`.
    number: usize,
    count: usize,
}

impl Shard {
    /// All tasks.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Whether the task with this index, from 0, belongs to the share.
    #[must_use]
    pub fn holds(self, index: usize) -> bool {
        index % self.count == self.number - 1
    }

    /// Whether the share is all tasks.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.count == 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').map(|(number, count)| (number.trim().parse(), count.trim().parse()));
        match parts {
            Some((Ok(number), Ok(count))) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err(Error::value(
                "shard",
                text,
                "is not a share I/N",
                "write for instance 3/8 for the third of eight shares",
            )),
        }
    }
}

/// What merging journals gave.
#[derive(Clone, Debug)]
pub struct MergeReport {
    /// Records in the joined journal, including those of runs whose weights are missing.
    pub done: usize,
    /// The names of the tasks that are not done; none where the tasks are not known beforehand, as in a search for
    /// learning rates.
    pub missing: Option<Vec<String>>,
    /// All records, in the order of the spec; none unless it is known that no task is missing.
    pub records: Option<Vec<Record>>,
    /// Remarks on the journals: that they cannot be locked, or were begun on different kinds of processors.
    pub remarks: Vec<String>,
}

/// Joins the journals of `folders` into one in `out`, and copies the weights that were kept. With `out` as its folder,
/// the study then goes on as after an interruption; where every task is done, nothing is computed again.
///
/// # Errors
/// Where a folder has no journal, the journals are of different studies, or of one with more tasks than a study can
/// have, a task has different records or weights in two folders, or `out` holds a journal already.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<MergeReport> {
    let path = out.join(JOURNAL);
    if is_begun(out) {
        return Err(Error::file(&path, "exists already", NEW).about(Setting::OutputFolder));
    }
    let (first, others) = folders.split_first().ok_or_else(|| {
        Error::value("folders", 0, "there is nothing to join", "give the output folders of the shards")
    })?;
    let mut joined = read_journal(first)?;
    let mut places: HashMap<String, usize> =
        joined.entries.iter().enumerate().map(|(place, (task, _))| (task.clone(), place)).collect();
    for folder in others {
        let other = read_journal(folder)?;
        joined.remarks.extend(other.remarks.iter().cloned());
        if let Err(difference) = joined.join(&other) {
            let problem = format!("belongs to another study than {}: {difference}", first.display());
            return Err(Error::file(&folder.join(JOURNAL), problem, "join shards of one study"));
        }
        for (task, record) in other.entries {
            match places.get(&task) {
                None => {
                    places.insert(task.clone(), joined.entries.len());
                    joined.entries.push((task, record));
                }
                Some(place) if joined.entries[*place].1 == record => {}
                Some(_) => {
                    let problem = format!("has a record of {task} that differs from the one in a folder before it");
                    let remedy = "delete the line of that task from one of the journals, and run that part again";
                    return Err(Error::file(&folder.join(JOURNAL), problem, remedy));
                }
            }
        }
    }
    let spec = serde_json::from_value::<StudySpec>(joined.spec().clone()).ok();
    if let Some(count) = spec.as_ref().map(StudySpec::most_tasks).filter(|count| *count > MOST_TASKS) {
        let problem = format!("the study in its header has {count} tasks; at most {MOST_TASKS} are allowed");
        return Err(Error::file(&first.join(JOURNAL), problem, "give the output folder of a study"));
    }
    let order: Option<Vec<String>> = spec.as_ref().map(tasks_of);
    let ranks: HashMap<&String, usize> = order.iter().flatten().zip(0..).collect();
    joined.entries.sort_by_cached_key(|(task, _)| (ranks.get(task).copied(), task.clone()));
    let mut done: HashSet<&String> = joined.entries.iter().map(|(task, _)| task).collect();
    let weights = spec.as_ref().map_or(Ok(Vec::new()), |spec| kept_weights(spec, folders, &mut done))?;
    let missing: Option<Vec<String>> =
        order.as_ref().map(|order| order.iter().filter(|task| !done.contains(task)).cloned().collect());
    let records = missing
        .as_ref()
        .filter(|missing| missing.is_empty())
        // Entries whose task is in no header are left out.
        .map(|_| {
            joined
                .entries
                .iter()
                .filter(|(task, _)| ranks.contains_key(task))
                .map(|(_, record)| record.clone())
                .collect()
        });

    let bytes = joined.to_bytes(&path)?;
    let name =
        |from: &PathBuf| format!("{WEIGHTS}/{}", from.file_name().expect("a file of a folder").to_string_lossy());
    let output = OutputFolder::new(out, MERGE, &weights.iter().map(name).collect::<Vec<_>>())?;
    let held = claim(out)?;
    if !weights.is_empty() {
        make_folder(&out.join(WEIGHTS))?;
        remove_unfinished(&out.join(WEIGHTS));
    }
    for from in weights {
        output.write(&name(&from), &read_weights(&from)?)?;
    }
    // The journal is written last: where it exists, so do the weights of its runs.
    write_atomically(&path, &bytes)?;
    drop(held);
    Ok(MergeReport { done: joined.entries.len(), missing, records, remarks: joined.remarks })
}

/// The files of the weights of the runs that are `done`, where a study keeps them. A run whose file is in none of the
/// folders is taken out of `done`: the study's command would do it again.
fn kept_weights(spec: &StudySpec, folders: &[PathBuf], done: &mut HashSet<&String>) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !spec.training.as_ref().is_some_and(|training| training.keep_weights) {
        return Ok(files);
    }
    for task in spec.tasks() {
        let name = task.name();
        let Task::Training { network, run } = task else { continue };
        if !done.contains(&name) {
            continue;
        }
        let paths = folders.iter().map(|folder| weights_path(folder, &network, run));
        let found: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
        let Some((first, others)) = found.split_first() else {
            done.remove(&name);
            continue;
        };
        let bytes = if others.is_empty() { Vec::new() } else { read_weights(first)? };
        for other in others {
            if read_weights(other)? != bytes {
                let problem = format!("holds weights that differ from those in {}", first.display());
                return Err(Error::file(other, problem, "delete the one that is wrong"));
            }
        }
        files.push(first.clone());
    }
    Ok(files)
}

fn read_weights(path: &Path) -> Result<Vec<u8>> {
    read_whole(path).map_err(|error| unreadable(path, error, CHECK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_tasks() {
        for count in 1..=5 {
            let shards: Vec<Shard> = (1..=count).map(|number| format!("{number}/{count}").parse().unwrap()).collect();
            assert!((0..23).all(|index| shards.iter().filter(|shard| shard.holds(index)).count() == 1));
            let sizes = shards.iter().map(|shard| (0..23).filter(|index| shard.holds(*index)).count());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        for text in ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", "1/2/3", ""] {
            assert!(text.parse::<Shard>().unwrap_err().to_string().contains("3/8"), "{text}");
        }
        assert!(Shard::WHOLE.is_whole() && "1/1".parse::<Shard>().unwrap() == Shard::WHOLE);
    }

    /// Merges a folder whose journal has these lines into a new folder, and returns the new journal.
    fn merged(header: &str, entries: &str) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        make_folder(&from)?;
        std::fs::write(from.join(JOURNAL), format!("{header}\n{entries}")).unwrap();
        merge(&[from], &to)?;
        Ok(std::fs::read_to_string(to.join(JOURNAL)).unwrap())
    }

    const HEADER: &str = r#"{"sparsewidth_journal":2,"version":"0.1.0","checksum":"a b","spec":{"data":"mnist","distance":null,"seed":0,"training":{"batch":256,"biases":false,"epochs":1,"evaluation":"test","first_run":0,"keep_weights":false,"law":"uniform","networks":[{"architecture":"relu:3/exact_count linear:10/exact_count","family":"dense","learning_rate":1.0}],"normalisation":"pixel","parametrisation":"neural_tangent","runs":1,"samples":2048}}}"#;
    const RUN: &str = r#"{"task":"training/dense-3-p1-rate1/0","record":{"kind":"training","schema":1,"version":"0.1.0","data":"mnist","checksum":"a","test_checksum":"b","normalisation":"pixel","samples":8,"validation":false,"test_samples":4,"dimension":6,"family":"dense","architecture":"relu:3/exact_count linear:10/exact_count","activation":"relu","width":3,"connectivity":1.0,"last_connectivity":1.0,"weights":48,"biases":false,"parametrisation":"neural_tangent","mask":"exact_count","law":"uniform","learning_rate":1.0,"epochs":1,"batch":256,"seed":0,"run":0,"device":"cpu","precision":"f32","best_accuracy":0.0,"best_epoch":1,"final_accuracy":0.0,"training_loss":2.5,"diverged":false,"global_mean":null,"global_deviation":null,"connectivity_reached":null,"last_connectivity_reached":null,"empty_layers":null,"dead":null,"curve":{"training_loss":[2.5],"test_loss":[2.25],"test_accuracy":[0.5]}}}"#;

    #[test]
    fn merged_journals_can_be_merged_again() {
        let run = format!("{RUN}\n");
        let once = merged(HEADER, &run).unwrap();
        assert_eq!(once, format!("{HEADER}\n{run}"));
        // As a number of single precision it is infinite, which would be written as null and not be read again.
        let message = merged(HEADER, &run.replace("[2.25]", "[1e39]")).unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("beyond single precision"), "{message}");
    }

    #[test]
    fn studies_of_endless_tasks_are_refused() {
        // Their names would take 256 GB.
        let message = merged(&HEADER.replace("\"runs\":1", "\"runs\":4000000000"), "").unwrap_err().to_string();
        assert!(message.contains("4000000000 tasks"), "{message}");
    }
}
