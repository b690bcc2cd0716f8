//! A study on many machines: each does its share of the tasks, and the journals are joined.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::journal::{JOURNAL, read_whole};
use super::spec::StudySpec;
use super::training::WEIGHTS;
use super::{Record, tasks_of};
use crate::error::{Error, Result};
use crate::files::{make_folder, write_atomically};

/// A share of a study's tasks: of every `count` of them the one numbered `number`, in the order of the spec. Written `number/count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `count`.
    number: usize,
    count: usize,
}

impl Shard {
    /// All tasks.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Whether the task of an index, from 0, belongs to it.
    pub fn holds(self, index: usize) -> bool {
        index % self.count == self.number - 1
    }

    /// Whether that is every task.
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
        let parts = text.split_once('/').map(|(number, count)| (number.parse(), count.parse()));
        match parts {
            Some((Ok(number), Ok(count))) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err(Error::value(
                "shard",
                text,
                "is no share",
                "write for instance 3/8: the third of eight, from 1/8 on",
            )),
        }
    }
}

/// What journals came to together.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Tasks that are done.
    pub done: usize,
    /// The names of those that are not; none where that is not known before they are done, as in a search for learning rates.
    pub missing: Option<Vec<String>>,
    /// All records, in the order of the spec, where nothing is known to be missing.
    pub records: Option<Vec<Record>>,
}

/// Joins the journals of folders into that of `out`, and copies the weights that were kept. The command of the study then goes on from
/// there as after an interruption, and where every task is done only draws.
///
/// # Errors
/// Where a folder has no journal, the journals are of different studies, a task has different records, or `out` holds a journal already.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Merged> {
    let path = out.join(JOURNAL);
    if path.exists() {
        return Err(Error::file(&path, "exists already", "give a new folder with --out"));
    }
    let (first, others) = folders.split_first().ok_or_else(|| {
        Error::value("folders", 0, "there is nothing to join", "give the output folders of the shards")
    })?;
    let mut joined = read_whole(first)?;
    for folder in others {
        let other = read_whole(folder)?;
        if let Some(difference) = other.difference(&joined) {
            let problem = format!("belongs to another study than {}: {difference}", first.display());
            return Err(Error::file(&folder.join(JOURNAL), problem, "join shards of one study"));
        }
        for (task, record) in other.entries {
            match joined.entries.iter().find(|(known, _)| *known == task) {
                None => joined.entries.push((task, record)),
                Some((_, known)) if *known == record => {}
                Some(_) => {
                    let problem = format!("has another record of {task} than a folder before it");
                    let remedy = "run that task again in one of them: delete its line there";
                    return Err(Error::file(&folder.join(JOURNAL), problem, remedy));
                }
            }
        }
    }
    let order: Option<Vec<String>> =
        serde_json::from_value::<StudySpec>(joined.spec().clone()).ok().map(|spec| tasks_of(&spec));
    let place = |task: &String| order.as_ref().and_then(|order| order.iter().position(|other| other == task));
    joined.entries.sort_by_cached_key(|(task, _)| (place(task), task.clone()));
    let done = |task: &&String| joined.entries.iter().any(|(known, _)| known == *task);
    let missing: Option<Vec<String>> =
        order.as_ref().map(|order| order.iter().filter(|task| !done(task)).cloned().collect());
    let records = missing
        .as_ref()
        .filter(|missing| missing.is_empty())
        .map(|_| joined.entries.iter().map(|(_, record)| record.clone()).collect());

    make_folder(out)?;
    for folder in folders {
        copy_weights(folder, out)?;
    }
    // Last: who finds the journal finds the weights that it speaks of.
    write_atomically(&path, &joined.to_bytes(&path)?)?;
    Ok(Merged { done: joined.entries.len(), missing, records })
}

/// Copies the kept weights of a folder, where it has any.
fn copy_weights(folder: &Path, out: &Path) -> Result<()> {
    let from = folder.join(WEIGHTS);
    if !from.is_dir() {
        return Ok(());
    }
    let unreadable = |path: &Path, error: std::io::Error| {
        Error::file(path, format!("cannot be read ({error})"), "check the path and its permissions")
    };
    make_folder(&out.join(WEIGHTS))?;
    for file in std::fs::read_dir(&from).map_err(|error| unreadable(&from, error))? {
        let file = file.map_err(|error| unreadable(&from, error))?;
        let bytes = std::fs::read(file.path()).map_err(|error| unreadable(&file.path(), error))?;
        write_atomically(&out.join(WEIGHTS).join(file.file_name()), &bytes)?;
    }
    Ok(())
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
}
