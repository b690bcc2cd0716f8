//! The journal: what a study has found so far, so that it can go on where it was interrupted.

mod read;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::read::{ELSEWHERE, Entry, FORMAT, Header, corrupt, line, read, whole_lines};
use crate::error::{Error, Result, Setting};
use crate::files::{make_folder, remove_unfinished, unwritable};
use crate::study::record::Record;

pub(super) use self::read::{NEW, read_journal};

/// The name of the journal in an output folder.
pub const JOURNAL: &str = "journal.jsonl";

/// An open journal, held by one program at a time: what a study has found so far.
///
/// `journal.jsonl` in the output folder holds a header with the program's version, the spec and the checksum of the
/// data, then one line per finished task. A line counts once its newline is written, so a program killed in the middle
/// of a line loses that task only.
///
/// A journal belongs to its data, by checksum, and to the settings that every task depends on. A study with the same
/// settings and other tasks goes on with it and adds a header of its own: other networks, methods or runs, in any
/// order, or the data under another path. A journal of another version, other data or other settings is refused, and
/// the error says what differs.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The length of its whole lines, in bytes.
    length: u64,
    done: HashMap<String, Record>,
    remarks: Vec<String>,
}

impl Journal {
    /// Opens the journal of an output folder, or begins one; the folder is made where it does not exist.
    ///
    /// # Errors
    /// Where the folder cannot be written, another program holds the journal, a whole line of it cannot be read, or it
    /// belongs to another study.
    pub fn open(folder: &Path, spec: &impl Serialize, checksum: &str) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let (mut file, mut remarks) = open_locked(folder)?;
        remove_unfinished(folder);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| {
            let problem = format!("cannot be read ({error})");
            Error::file(&path, problem, ELSEWHERE).about(Setting::OutputFolder).caused_by(error)
        })?;
        let whole = whole_lines(&bytes).len();
        let header = Header {
            sparsewidth_journal: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            checksum: checksum.into(),
            processor: Some(processor()),
            spec: serde_json::to_value(spec).map_err(|error| Error::failure("writing the spec", error))?,
        };
        let begun = line(&header, &path)?;
        let blank = bytes[..whole].iter().all(|byte| *byte == b'\n');
        if blank && !begun.starts_with(&bytes) {
            // Neither empty nor the beginning of our header: somebody else's file.
            return Err(corrupt(&path, 1, &"the first line is not a journal header"));
        }
        let (headers, done) = read(&path, &bytes[..whole], &header)?;
        let others = headers.iter().filter_map(|found| found.processor.as_ref()).find(|found| **found != processor());
        if let Some(other) = others {
            remarks.push(format!(
                "{} was begun on another kind of processor, {other}; this is {}: {DIGITS}.",
                path.display(),
                processor()
            ));
        }
        let mut journal = Self { path, file, length: whole as u64, done, remarks };
        journal.truncate().map_err(|error| unwritable(folder, error))?;
        if headers.iter().all(|found| found.spec != header.spec) {
            journal.write(&begun)?;
        }
        Ok(journal)
    }

    /// What should be said before the study goes on: that the folder cannot be locked, or that another kind of
    /// processor began it.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The record of a task that was finished before.
    #[must_use]
    pub fn record(&self, task: &str) -> Option<&Record> {
        self.done.get(task)
    }

    /// Adds the record of a finished task.
    ///
    /// # Errors
    /// Where it cannot be written to the disk.
    pub fn append(&mut self, task: &str, record: Record) -> Result<()> {
        let entry = Entry { task: task.into(), record };
        let bytes = line(&entry, &self.path)?;
        self.write(&bytes)?;
        self.done.insert(entry.task, entry.record);
        Ok(())
    }

    /// Adds a line and waits until it is on the disk. A line that could not be written whole is removed.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes).and_then(|()| self.file.sync_data()) {
            // Where even this fails, the next opening drops the fragment.
            let _ = self.truncate();
            return Err(Error::failure(format!("writing {}", self.path.display()), error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts the file to its whole lines.
    fn truncate(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

/// Opens the journal of a folder, which is made where it does not exist, and keeps other programs from it until the
/// file is dropped; with a remark where the file system has no locks.
fn open_locked(folder: &Path) -> Result<(File, Vec<String>)> {
    make_folder(folder)?;
    let path = folder.join(JOURNAL);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(|error| unwritable(folder, error))?;
    let locked = file.try_lock();
    if matches!(locked, Err(TryLockError::WouldBlock)) || is_replaced(&file) {
        let problem = "another program is writing it";
        return Err(
            Error::file(&path, problem, "wait for it, or give another output folder").about(Setting::OutputFolder)
        );
    }
    let remarks = lock_remark(&locked, &path).into_iter().collect();
    Ok((file, remarks))
}

/// Some file systems have no locks. The user must then avoid running two programs at once.
fn lock_remark(locked: &std::result::Result<(), TryLockError>, path: &Path) -> Option<String> {
    match locked {
        Err(TryLockError::Error(error)) => Some(format!(
            "{} cannot be locked ({error}): make sure that no other program uses this folder.",
            path.display()
        )),
        _ => None,
    }
}

/// What another kind of processor does to records.
const DIGITS: &str = "the last digits of records depend on that";

/// This kind of processor, as far as results depend on it: the instructions for which the hot loops are compiled.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let known: [(&str, bool); 0] = [];
    let names: Vec<&str> = known.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
    let arch = std::env::consts::ARCH;
    if names.is_empty() { arch.into() } else { format!("{arch} with {}", names.join(", ")) }
}

/// Whether a file that was opened a moment ago is no longer in its folder: `merge` has put a joined journal in its
/// place.
fn is_replaced(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether the journal of a folder has anything in it.
pub(super) fn is_begun(folder: &Path) -> bool {
    folder.join(JOURNAL).metadata().is_ok_and(|metadata| metadata.len() > 0)
}

/// Locks a folder whose journal is not begun, until the file is dropped.
///
/// # Errors
/// Where the journal is begun, another program has locked it, or the folder cannot be written to.
pub(super) fn claim(folder: &Path) -> Result<File> {
    let (file, _) = open_locked(folder)?;
    if is_begun(folder) {
        return Err(Error::file(&folder.join(JOURNAL), "exists already", NEW).about(Setting::OutputFolder));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::study::StudySpec;

    fn spec(seed: u64) -> StudySpec {
        StudySpec { data: DataSource::Embedded.into(), seed, distance: None, training: None, prediction: None }
    }

    fn message(folder: &Path, seed: u64) -> String {
        Journal::open(folder, &spec(seed), "abc").err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn other_studies_and_second_programs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let held = Journal::open(folder.path(), &spec(1), "abc").unwrap();
        assert!(message(folder.path(), 1).contains("another program"));
        drop(held);
        assert_eq!(message(folder.path(), 1), "");
        assert!(message(folder.path(), 2).contains("it was written with seed = 1, expected 2"));
        let other_data = Journal::open(folder.path(), &spec(1), "def").err().unwrap().to_string();
        assert!(other_data.contains("data checksum"), "{other_data}");
    }

    #[test]
    fn what_should_be_said_is_said() {
        let path = Path::new("out/journal.jsonl");
        let no_locks = Err(TryLockError::Error(std::io::Error::other("not supported")));
        let remark = lock_remark(&no_locks, path).unwrap();
        assert!(remark.contains("out/journal.jsonl cannot be locked (not supported)"), "{remark}");
        assert_eq!(lock_remark(&Ok(()), path), None);

        let folder = tempfile::tempdir().unwrap();
        assert!(Journal::open(folder.path(), &spec(1), "abc").unwrap().remarks().is_empty());
        assert!(Journal::open(folder.path(), &spec(1), "abc").unwrap().remarks().is_empty());
        let path = folder.path().join(JOURNAL);
        let header = std::fs::read_to_string(&path).unwrap();
        let elsewhere = header.replace(&processor(), "abacus with beads");
        assert_ne!(elsewhere, header);
        std::fs::write(&path, &elsewhere).unwrap();
        let remarks = Journal::open(folder.path(), &spec(1), "abc").unwrap().remarks().to_vec();
        assert!(remarks.len() == 1 && remarks[0].contains("abacus with beads"), "{remarks:?}");
        // Another processor does not make it another study.
        assert_eq!(std::fs::read_to_string(&path).unwrap(), elsewhere);
    }

    #[test]
    fn cut_lines_are_dropped_and_corrupt_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(Journal::open(folder.path(), &spec(1), "abc").unwrap());
        let path = folder.path().join(JOURNAL);
        let header = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{header}{{\"task\":\"x")).unwrap();
        assert_eq!(message(folder.path(), 1), "");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), header);
        std::fs::write(&path, format!("{header}{{\"task\":\"x\n")).unwrap();
        assert!(message(folder.path(), 1).contains("line 2"));
        std::fs::write(&path, format!("{header}\n\n{{\"task\":\"x\n")).unwrap();
        assert!(message(folder.path(), 1).contains("line 4"));
        std::fs::write(&path, "notes of my own").unwrap();
        assert!(message(folder.path(), 1).contains("line 1"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes of my own");
        std::fs::write(&path, &header[..20]).unwrap();
        assert_eq!(message(folder.path(), 1), "");
        std::fs::write(&path, "{}\n").unwrap();
        assert!(message(folder.path(), 1).contains("line 1"));
    }
}
