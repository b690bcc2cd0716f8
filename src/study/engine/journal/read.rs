//! The lines of a journal: what they hold, how they are read, and how two studies differ.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{DIGITS, JOURNAL, lock_remark};
use crate::error::{Error, Result, Setting};
use crate::files::kind::{Kind, Wanted};
use crate::study::engine::settings::{is_search, settings_difference, shortened};
use crate::study::record::Record;
use crate::study::spec::StudySpec;

#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    /// The format. As the first key, it also tells that the line is a header.
    pub sparsewidth_journal: u32,
    pub version: String,
    /// Checksums of the data, one after the other.
    pub checksum: String,
    /// The kind of processor on which it was begun; the last digits of records depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    pub spec: Value,
}

impl Header {
    fn checksums(&self) -> HashSet<&str> {
        self.checksum.split(' ').collect()
    }

    /// Whether a record belongs to the task of its entry, and to this data.
    fn holds(&self, entry: &Entry) -> bool {
        let checksum = match &entry.record {
            Record::Distance(record) => &record.checksum,
            Record::Training(run) => &run.checksum,
            Record::Prediction(record) => &record.checksum,
        };
        entry.record.is_of(&entry.task) && self.checksums().contains(checksum.as_str())
    }
}

/// The format of journals, which counts up with that of records.
pub(super) const FORMAT: u32 = 2;

/// What to do where a journal is of no use.
pub(super) const ELSEWHERE: &str = "give another output folder";

/// What to do where one is in the way.
pub(in crate::study::engine) const NEW: &str = "give a new output folder";

/// The beginning of a line that is a header.
const HEADER_START: &[u8] = b"{\"sparsewidth_journal\"";

#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub task: String,
    #[serde(deserialize_with = "checked")]
    pub record: Record,
}

/// A record that passes the checks of a file of records.
fn checked<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Record, D::Error> {
    Record::from_value(&mut Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A journal that is read and not written.
pub(in crate::study::engine) struct WholeJournal {
    header: Header,
    /// Remarks on it.
    pub remarks: Vec<String>,
    /// Tasks and their records, in the order in which they were finished, each task once.
    pub entries: Vec<(String, Record)>,
}

impl WholeJournal {
    /// The spec of its study.
    pub fn spec(&self) -> &Value {
        &self.header.spec
    }

    /// Takes the tasks of the other journal's header into its own, or says how the two studies differ.
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

    /// The lines of a journal file with the same contents; `path` is for the error message.
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
pub(in crate::study::engine) fn read_journal(folder: &Path) -> Result<WholeJournal> {
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

pub(super) fn line(value: &impl Serialize, path: &Path) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|error| Error::failure(format!("writing {}", path.display()), error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn corrupt(path: &Path, line: usize, problem: &dyn std::fmt::Display) -> Error {
    let problem = format!("line {line} of the journal is corrupt ({problem})");
    Error::file(
        path,
        problem,
        "delete the file to start again if nothing in it is needed; otherwise give another output folder",
    )
    .about(Setting::OutputFolder)
}

/// The whole lines of a journal: up to the last newline.
pub(super) fn whole_lines(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)]
}

/// The headers in a journal's whole lines, none where there is no line, and the entries.
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
                let problem = format!("is a journal of format {found}, but this program writes format {FORMAT}");
                return Err(Error::file(path, problem, "use the program that wrote it, or give another folder"));
            }
            headers.push(header);
            continue;
        }
        let entry: Entry = serde_json::from_slice(line).map_err(|error| corrupt(path, number, &error))?;
        if !headers.iter().any(|header| header.holds(&entry)) {
            return Err(corrupt(
                path,
                number,
                &format!("its record does not belong to the task {}, or is of other data", entry.task),
            ));
        }
        entries.push(entry);
    }
    Ok((headers, entries))
}

/// Reads the whole lines of a journal, its headers and the record of each task, and checks the headers against
/// `expected`.
pub(super) fn read(path: &Path, bytes: &[u8], expected: &Header) -> Result<(Vec<Header>, HashMap<String, Record>)> {
    let first = bytes.split_inclusive(|byte| *byte == b'\n').find(|line| *line != b"\n").unwrap_or_default();
    // In a journal of another version, only the header is sure to be readable, so it is checked first.
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
        Some(format!("it was written with {name} = {}, expected {}", shortened(found), shortened(expected)))
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
        // A study of distances and training has the checksums of test and training files; a study of one of the two has
        // only some of them.
        differs("data checksum", &found.checksum, &expected.checksum)
    } else {
        None
    }
}

impl Header {
    /// Takes in the tasks of another header of the same study, and its checksums where they are more.
    fn take_in(&mut self, other: &Self) {
        if self.checksums().len() < other.checksums().len() {
            self.checksum.clone_from(&other.checksum);
        }
        if self.spec == other.spec {
            return;
        }
        // The tasks of a search are not known beforehand; its headers differ only in what no result depends on.
        let spec = |header: &Self| serde_json::from_value::<StudySpec>(header.spec.clone()).ok();
        if let (Some(own), Some(others)) = (spec(self), spec(other)) {
            self.spec = serde_json::to_value(own.with_tasks_of(others)).expect("a spec is JSON: it was read as such");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_a_journal_pass_the_checks_of_a_file_of_records() {
        let lines = include_str!("../../../../testdata/records/1/train/records.jsonl");
        let record: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let entry = |record: &Value| {
            let line = json!({ "task": "t", "record": record }).to_string();
            serde_json::from_str::<Entry>(&line).map_err(|error| error.to_string())
        };
        assert!(entry(&record).is_ok());
        let changed = |name: &str, value: Value| {
            let mut record = record.clone();
            record[name] = value;
            entry(&record).err().unwrap()
        };
        assert!(changed("architecture", "relu:3".into()).contains("architecture"));
        assert!(changed("schema", 99.into()).contains("schema"));
        let curve = json!({ "training_loss": [1.0], "test_loss": [], "test_accuracy": [] });
        assert!(changed("curve", curve).contains("curve"));
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
            "it was written with widths = [1,2], expected [1]"
        );
        let longer = message(networks(&[1, 2, 3]), networks(&[1, 2]));
        assert_eq!(longer, "it was written with number of training.layers = 3, expected 2");
        let other = message(networks(&[1, 2]), networks(&[1, 4]));
        assert_eq!(other, "it was written with training.layers[1].width = 2, expected 4");
        let long = message(json!({"law": "a".repeat(5000)}), json!({"law": "b"}));
        assert!(long.len() < 200 && long.contains("..."), "{long}");
    }
}
