//! The journal: what a study has found so far, so that it can go on where it was interrupted.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::{is_search, settings_difference, shortened};
use crate::error::{Error, Result, Setting};
use crate::files::kind::{Kind, Wanted};
use crate::files::{make_folder, remove_unfinished, unwritable};
use crate::study::record::Record;
use crate::study::spec::StudySpec;

/// The name of the journal in an output folder.
pub const JOURNAL: &str = "journal.jsonl";

#[derive(Serialize, Deserialize)]
struct Header {
    /// Also the format's name: its first key.
    sparsewidth_journal: u32,
    version: String,
    /// Checksums of the data, one after the other.
    checksum: String,
    /// The kind of processor that began it, on which the last digits of records depend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    processor: Option<String>,
    spec: Value,
}

impl Header {
    fn checksums(&self) -> HashSet<&str> {
        self.checksum.split(' ').collect()
    }

    /// Whether a record is of the task that it stands for, and of this data.
    fn holds(&self, entry: &Entry) -> bool {
        let checksum = match &entry.record {
            Record::Distance(record) => &record.checksum,
            Record::Training(run) => &run.checksum,
        };
        entry.record.is_of(&entry.task) && self.checksums().contains(checksum.as_str())
    }
}

/// The format of journals, which counts up with that of records.
const FORMAT: u32 = 2;

/// What to do where a journal is of no use.
const ELSEWHERE: &str = "give another output folder";

/// What to do where one is in the way.
pub(super) const NEW: &str = "give a new output folder";

/// How a line begins that is a header.
const HEADER_START: &[u8] = b"{\"sparsewidth_journal\"";

#[derive(Serialize, Deserialize)]
struct Entry {
    task: String,
    record: Record,
}

/// A journal that is read and not written.
pub(super) struct WholeJournal {
    header: Header,
    /// What should be said of it.
    pub remarks: Vec<String>,
    /// Tasks and their records, in the order in which they were finished, each task once.
    pub entries: Vec<(String, Record)>,
}

impl WholeJournal {
    /// The spec of its study.
    pub fn spec(&self) -> &Value {
        &self.header.spec
    }

    /// Takes the tasks of another's header into its own, or says by what the two studies differ.
    pub fn join(&mut self, other: &Self) -> std::result::Result<(), String> {
        if let Some(difference) = difference(&other.header, &self.header) {
            return Err(difference);
        }
        if let (Some(one), Some(two)) = (&self.header.processor, &other.header.processor)
            && one != two
        {
            let remark =
                format!("The journals were begun on different kinds of processors, {one} and {two}: {DIGITS}.");
            self.remarks.push(remark);
        }
        self.header.take_in(&other.header);
        Ok(())
    }

    /// The lines of a journal at a path that hold the same.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = line(&self.header, path)?;
        for (task, record) in &self.entries {
            bytes.extend(line(&Entry { task: task.clone(), record: record.clone() }, path)?);
        }
        Ok(bytes)
    }
}

/// Reads the whole lines of a folder's journal.
///
/// # Errors
/// Where there is none, another program is writing it, or a line is corrupt.
pub(super) fn read_journal(folder: &Path) -> Result<WholeJournal> {
    let path = folder.join(JOURNAL);
    let remedy = "give the output folder of a study";
    let unreadable = |error: std::io::Error| Error::file(&path, format!("cannot be read ({error})"), remedy);
    let mut file = File::open(&path).map_err(unreadable)?;
    let locked = file.try_lock_shared();
    if let Err(TryLockError::WouldBlock) = locked {
        return Err(Error::file(&path, "another program is writing it", "wait for it"));
    }
    let remarks = lock_remark(&locked, &path).into_iter().collect();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let (headers, entries) = parse(&path, whole_lines(&bytes))?;
    let mut headers = headers.into_iter();
    let mut header = headers.next().ok_or_else(|| Error::file(&path, "is empty", remedy))?;
    for more in headers {
        if let Some(difference) = difference(&more, &header) {
            return Err(Error::file(&path, format!("has headers of two studies: {difference}"), remedy));
        }
        header.take_in(&more);
    }
    let mut journal = WholeJournal { header, remarks, entries: Vec::new() };
    let mut places: HashMap<String, usize> = HashMap::new();
    for Entry { task, record } in entries {
        // A run whose weights were gone was done again: the last line counts.
        match places.get(&task) {
            Some(place) => journal.entries[*place].1 = record,
            None => {
                places.insert(task.clone(), journal.entries.len());
                journal.entries.push((task, record));
            }
        }
    }
    Ok(journal)
}

/// An open journal, held by one program at a time: what a study has found so far.
///
/// `journal.jsonl` in the output folder holds a header with the program's version, the spec and the checksum of the data, then one
/// line per finished task. A line counts once its newline is written, so a program killed in the middle of a line loses that task
/// only.
///
/// A journal belongs to its data, by checksum, and to what every task depends on. A study of other tasks alike goes on with it - other
/// networks, methods, runs, in any order, the data under another path - and leaves a header of its own. A journal of another version, of
/// other data or settings is refused, with what differs.
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
            return Err(corrupt(&path, 1, &"it is no header"));
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

    /// What should be said before the study goes on: that the folder cannot be locked, or that another kind of processor began it.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The record of a task that was finished before.
    pub fn record(&self, task: &str) -> Option<&Record> {
        self.done.get(task)
    }

    /// Adds the record of a finished task.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn append(&mut self, task: &str, record: Record) -> Result<()> {
        let entry = Entry { task: task.into(), record };
        let bytes = line(&entry, &self.path)?;
        self.write(&bytes)?;
        self.done.insert(entry.task, entry.record);
        Ok(())
    }

    /// Adds a line and sees it to the disk; a line that could not be written whole is taken back.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes).and_then(|()| self.file.sync_data()) {
            // Where even that fails, the next opening drops the fragment.
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

/// Opens the journal of a folder, which is made where it does not exist, and keeps others from it until the file is dropped; with a remark
/// where the file system has no locks.
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

/// Some file systems have no locks; two programs at once are then the user's to avoid.
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

/// This kind of processor, as far as results depend on it: for which instructions the hot loops are compiled.
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

/// Whether a file that was opened a moment ago is no longer in its folder: `merge` has put a joined journal in its place.
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

/// Takes hold of a folder whose journal is not begun, until the file is dropped.
///
/// # Errors
/// Where it is, another program holds it, or the folder cannot be written.
pub(super) fn claim(folder: &Path) -> Result<File> {
    let (file, _) = open_locked(folder)?;
    if is_begun(folder) {
        return Err(Error::file(&folder.join(JOURNAL), "exists already", NEW).about(Setting::OutputFolder));
    }
    Ok(file)
}

fn line(value: &impl Serialize, path: &Path) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|error| Error::failure(format!("writing {}", path.display()), error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn corrupt(path: &Path, line: usize, problem: &dyn std::fmt::Display) -> Error {
    let problem = format!("line {line} of the journal is corrupt ({problem})");
    Error::file(
        path,
        problem,
        "where nothing in the file is of use, delete it to begin anew; otherwise give another output folder",
    )
    .about(Setting::OutputFolder)
}

/// The whole lines of a journal: up to the last newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)]
}

/// The headers of a journal's whole lines, none where there is no line, and its entries.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Header>, Vec<Entry>)> {
    // An editor's byte-order mark harms nothing.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
    let (mut headers, mut entries): (Vec<Header>, Vec<Entry>) = Default::default();
    for (line, number) in lines {
        if headers.is_empty() || line.starts_with(HEADER_START) {
            let kind = || Kind::of(line).filter(|kind| headers.is_empty() && !kind.is_text());
            let header: Header = serde_json::from_slice(line).map_err(|error| match kind() {
                Some(kind) => kind.refusal(path, Wanted::Text, ELSEWHERE).about(Setting::OutputFolder),
                None => corrupt(path, number, &error),
            })?;
            if header.sparsewidth_journal != FORMAT {
                let found = header.sparsewidth_journal;
                let problem = format!("is a journal of format {found}, this program writes format {FORMAT}");
                return Err(Error::file(path, problem, "use the program that wrote it, or give another folder"));
            }
            headers.push(header);
            continue;
        }
        let entry: Entry = serde_json::from_slice(line).map_err(|error| corrupt(path, number, &error))?;
        if !headers.iter().any(|header| header.holds(&entry)) {
            return Err(corrupt(path, number, &format!("its record is not that of {}, or of other data", entry.task)));
        }
        entries.push(entry);
    }
    Ok((headers, entries))
}

/// Reads the whole lines of a journal, its headers and the record of each task, and checks the headers against `expected`.
fn read(path: &Path, bytes: &[u8], expected: &Header) -> Result<(Vec<Header>, HashMap<String, Record>)> {
    let first = bytes.split_inclusive(|byte| *byte == b'\n').find(|line| *line != b"\n").unwrap_or_default();
    // Of another version's records only the header is known to be readable.
    let check = |headers: &[Header]| match headers.iter().find_map(|found| difference(found, expected)) {
        Some(difference) => {
            let problem = format!("belongs to another study: {difference}");
            let remedy = "delete this folder's journal, or give another output folder";
            Err(Error::file(path, problem, remedy).about(Setting::OutputFolder))
        }
        None => Ok(()),
    };
    check(&parse(path, first)?.0)?;
    let (headers, entries) = parse(path, bytes)?;
    check(&headers)?;
    Ok((headers, entries.into_iter().map(|entry| (entry.task, entry.record)).collect()))
}

fn difference(found: &Header, expected: &Header) -> Option<String> {
    let differs = |name: &str, found: &dyn std::fmt::Display, expected: &dyn std::fmt::Display| {
        Some(format!("its {name} is {}, this one's is {}", shortened(found), shortened(expected)))
    };
    if found.sparsewidth_journal != expected.sparsewidth_journal {
        differs("format", &found.sparsewidth_journal, &expected.sparsewidth_journal)
    } else if found.version != expected.version {
        differs("program version", &found.version, &expected.version)
    } else if is_search(&found.spec) != is_search(&expected.spec) {
        let kind = |spec: &Value| if is_search(spec) { "a search for learning rates" } else { "distances or training" };
        differs("kind", &kind(&found.spec), &kind(&expected.spec))
    } else if let Some((name, found, expected)) = settings_difference(&found.spec, &expected.spec) {
        differs(&name, &found, &expected)
    } else if !(found.checksums().is_subset(&expected.checksums())
        || expected.checksums().is_subset(&found.checksums()))
    {
        // Of distances and training there are the checksums of test and training files, of one of the two only some of them.
        differs("data checksum", &found.checksum, &expected.checksum)
    } else {
        None
    }
}

impl Header {
    /// Takes in the tasks of another header of the same study, and its data where that is more.
    fn take_in(&mut self, other: &Self) {
        if self.checksums().len() < other.checksums().len() {
            self.checksum.clone_from(&other.checksum);
        }
        if self.spec == other.spec {
            return;
        }
        let spec = |header: &Self| serde_json::from_value::<StudySpec>(header.spec.clone()).ok();
        if let (Some(own), Some(others)) = (spec(self), spec(other))
            && let Ok(joined) = serde_json::to_value(own.with_tasks_of(others))
        {
            self.spec = joined;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::DataSource;
    use crate::study::StudySpec;

    fn spec(seed: u64) -> StudySpec {
        StudySpec { data: DataSource::Embedded.into(), seed, distance: None, training: None }
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
        assert!(message(folder.path(), 2).contains("its seed is 1, this one's is 2"));
        let other_data = Journal::open(folder.path(), &spec(1), "def").err().unwrap().to_string();
        assert!(other_data.contains("data checksum"), "{other_data}");
    }

    #[test]
    fn what_differs_is_told_in_few_words() {
        let message = |found: Value, expected: Value| {
            let header = |spec| Header {
                sparsewidth_journal: FORMAT,
                version: "1".into(),
                checksum: "c".into(),
                processor: None,
                spec,
            };
            difference(&header(found), &header(expected)).unwrap()
        };
        let networks = |widths: &[usize]| {
            let networks: Vec<Value> =
                widths.iter().map(|width| json!({"width": width, "name": "x".repeat(200)})).collect();
            json!({"training": {"layers": networks}})
        };
        assert_eq!(
            message(json!({"widths": [1, 2]}), json!({"widths": [1]})),
            "its widths is [1,2], this one's is [1]"
        );
        let longer = message(networks(&[1, 2, 3]), networks(&[1, 2]));
        assert_eq!(longer, "its number of training.layers is 3, this one's is 2");
        let other = message(networks(&[1, 2]), networks(&[1, 4]));
        assert_eq!(other, "its training.layers[1].width is 2, this one's is 4");
        let long = message(json!({"law": "a".repeat(5000)}), json!({"law": "b"}));
        assert!(long.len() < 200 && long.contains("..."), "{long}");
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
        // Nor is that another study.
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
