//! The journal: what a study has found so far, so that it can go on where it was interrupted.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Record;
use crate::error::{Error, Result};
use crate::files::{make_folder, remove_unfinished, unwritable};
use crate::kind::{Kind, Wanted};

/// The name of the journal in an output folder.
pub const JOURNAL: &str = "journal.jsonl";

#[derive(Serialize, Deserialize)]
struct Header {
    /// Also the format's name: its first key.
    sparsewidth_journal: u32,
    version: String,
    checksum: String,
    spec: Value,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    task: String,
    record: Record,
}

/// A journal that is read and not written.
pub(super) struct WholeJournal {
    header: Header,
    /// Tasks and their records, in the order in which they were finished, each task once.
    pub entries: Vec<(String, Record)>,
}

impl WholeJournal {
    /// The spec of its study.
    pub fn spec(&self) -> &Value {
        &self.header.spec
    }

    /// The first thing by which its study differs from another's, in words.
    pub fn difference(&self, other: &Self) -> Option<String> {
        difference(&self.header, &other.header)
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
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(Error::file(&path, "another program is writing it", "wait for it"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let (header, entries) = parse(&path, whole_lines(&bytes))?;
    let header = header.ok_or_else(|| Error::file(&path, "is empty", remedy))?;
    let mut journal = WholeJournal { header, entries: Vec::new() };
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
/// only. A journal of another version, spec or data is refused, with what differs.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The length of its whole lines, in bytes.
    length: u64,
    done: HashMap<String, Record>,
}

impl Journal {
    /// Opens the journal of an output folder, or begins one; the folder is made where it does not exist.
    ///
    /// # Errors
    /// Where the folder cannot be written, another program holds the journal, a whole line of it cannot be read, or it
    /// belongs to another study.
    pub fn open(folder: &Path, spec: &impl Serialize, checksum: &str) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let mut file = open_locked(folder)?;
        remove_unfinished(folder);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| {
            Error::file(&path, format!("cannot be read ({error})"), "give another folder with --out")
        })?;
        let whole = whole_lines(&bytes).len();
        let header = Header {
            sparsewidth_journal: 1,
            version: env!("CARGO_PKG_VERSION").into(),
            checksum: checksum.into(),
            spec: serde_json::to_value(spec).map_err(|error| Error::failure("writing the spec", error))?,
        };
        let begun = line(&header, &path)?;
        let blank = bytes[..whole].iter().all(|byte| *byte == b'\n');
        if blank && !begun.starts_with(&bytes) {
            // Neither empty nor the beginning of our header: somebody else's file.
            return Err(corrupt(&path, 1, &"it is no header"));
        }
        let done = read(&path, &bytes[..whole], &header)?;
        let mut journal = Self { path, file, length: whole as u64, done };
        journal.truncate().map_err(|error| unwritable(folder, &error))?;
        if whole == 0 {
            journal.write(&begun)?;
        }
        Ok(journal)
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

/// Opens the journal of a folder, which is made where it does not exist, and keeps others from it until the file is dropped.
fn open_locked(folder: &Path) -> Result<File> {
    make_folder(folder)?;
    let path = folder.join(JOURNAL);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(|error| unwritable(folder, &error))?;
    // Some file systems have no locks; two programs at once are then the user's to avoid.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || is_replaced(&file) {
        let problem = "another program is writing it";
        return Err(Error::file(&path, problem, "wait for it, or give another folder with --out"));
    }
    Ok(file)
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
    let file = open_locked(folder)?;
    if is_begun(folder) {
        return Err(Error::file(&folder.join(JOURNAL), "exists already", "give a new folder with --out"));
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
    Error::file(path, problem, "delete the file to begin anew, or give another folder with --out")
}

/// The whole lines of a journal: up to the last newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)]
}

/// The header of a journal's whole lines, where there is one, and its entries.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Option<Header>, Vec<Entry>)> {
    let mut lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
    let Some((first, number)) = lines.next() else { return Ok((None, Vec::new())) };
    // An editor's byte-order mark harms nothing.
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let header =
        serde_json::from_slice(first).map_err(|error| match Kind::of(first).filter(|kind| !kind.is_text()) {
            Some(kind) => kind.refusal(path, Wanted::Text, "give another folder"),
            None => corrupt(path, number, &error),
        })?;
    let entry = |(line, number)| serde_json::from_slice(line).map_err(|error| corrupt(path, number, &error));
    Ok((Some(header), lines.map(entry).collect::<Result<_>>()?))
}

/// Reads the whole lines of a journal and checks its header against `expected`.
fn read(path: &Path, bytes: &[u8], expected: &Header) -> Result<HashMap<String, Record>> {
    let first = bytes.split_inclusive(|byte| *byte == b'\n').find(|line| *line != b"\n").unwrap_or_default();
    // Of another version's records only the header is known to be readable.
    if let (Some(found), _) = parse(path, first)?
        && let Some(difference) = difference(&found, expected)
    {
        let problem = format!("belongs to another study: {difference}");
        return Err(Error::file(path, problem, "give another folder with --out, or delete this one's journal"));
    }
    Ok(parse(path, bytes)?.1.into_iter().map(|entry| (entry.task, entry.record)).collect())
}

fn difference(found: &Header, expected: &Header) -> Option<String> {
    let differs = |name: &str, found: &dyn std::fmt::Display, expected: &dyn std::fmt::Display| {
        Some(format!("its {name} is {}, this one's is {}", shortened(found), shortened(expected)))
    };
    if found.sparsewidth_journal != expected.sparsewidth_journal {
        differs("format", &found.sparsewidth_journal, &expected.sparsewidth_journal)
    } else if found.version != expected.version {
        differs("program version", &found.version, &expected.version)
    } else if let Some((name, found, expected)) = first_difference(&found.spec, &expected.spec, "") {
        differs(&name, &found, &expected)
    } else if found.checksum != expected.checksum {
        differs("data checksum", &found.checksum, &expected.checksum)
    } else {
        None
    }
}

/// The longest value of a spec that is told whole, in characters.
const LONG: usize = 100;

/// The first place at which two specs differ, with what stands there.
fn first_difference(found: &Value, expected: &Value, name: &str) -> Option<(String, Value, Value)> {
    match (found, expected) {
        (Value::Object(left), Value::Object(right)) => left.keys().chain(right.keys()).find_map(|key| {
            let at = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            first_difference(&at(left), &at(right), &name)
        }),
        // Short lists are told whole.
        (Value::Array(left), Value::Array(right))
            if [found, expected].iter().any(|list| list.to_string().len() > LONG) =>
        {
            if left.len() != right.len() {
                let length = |list: &[Value]| Value::from(list.len());
                return Some((format!("number of {name}"), length(left), length(right)));
            }
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(index, (left, right))| first_difference(left, right, &format!("{name}[{index}]")))
        }
        _ => (found != expected).then(|| (name.into(), found.clone(), expected.clone())),
    }
}

/// The beginning of a text that is long.
fn shortened(text: &dyn std::fmt::Display) -> String {
    let text = text.to_string();
    if text.chars().count() <= LONG { text } else { text.chars().take(LONG).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::DataSource;
    use crate::study::StudySpec;

    fn spec(seed: u64) -> StudySpec {
        StudySpec { data: DataSource::Embedded, seed, distance: None, training: None }
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
            let header = |spec| Header { sparsewidth_journal: 1, version: "1".into(), checksum: "c".into(), spec };
            difference(&header(found), &header(expected)).unwrap()
        };
        let networks = |widths: &[usize]| {
            let networks: Vec<Value> =
                widths.iter().map(|width| json!({"width": width, "name": "x".repeat(200)})).collect();
            json!({"training": {"networks": networks}})
        };
        assert_eq!(
            message(json!({"widths": [1, 2]}), json!({"widths": [1]})),
            "its widths is [1,2], this one's is [1]"
        );
        let longer = message(networks(&[1, 2, 3]), networks(&[1, 2]));
        assert_eq!(longer, "its number of training.networks is 3, this one's is 2");
        let other = message(networks(&[1, 2]), networks(&[1, 4]));
        assert_eq!(other, "its training.networks[1].width is 2, this one's is 4");
        let long = message(json!({"data": "a".repeat(5000)}), json!({"data": "b"}));
        assert!(long.len() < 200 && long.contains("..."), "{long}");
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
