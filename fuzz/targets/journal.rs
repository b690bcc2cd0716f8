//! Journals: refused ones stay as they are; open ones keep their whole lines and what is added; and those that are
//! joined, joined again and written as records hold the same.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sparsewidth::data::DataSource;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::write_records;
use sparsewidth::study::{JOURNAL, Journal, Record, StudySpec, merge};
use sparsewidth_fuzz::{assert_refusal, folder};

fuzz_target!(|bytes: &[u8]| {
    let shard = fresh("shard");
    let path = shard.join(JOURNAL);
    fs::write(&path, bytes).expect("a journal to read");
    joined(&shard);

    // Another study's, most likely.
    let tiny = StudySpec {
        data: DataSource::Gaussian { dimension: 4, samples: 6 }.into(),
        seed: 0,
        distance: None,
        training: None,
        prediction: None,
    };
    match Journal::open(&shard, &tiny, "abc") {
        Ok(_) => fs::write(&path, bytes).expect("a journal to read"),
        Err(error) => refused(&error, &path, bytes),
    }
    // The study whose spec and checksum its header has.
    let Some(header) = lines(bytes).next().and_then(|line| serde_json::from_slice::<Value>(line).ok()) else { return };
    let (Some(spec), Some(Value::String(checksum))) = (header.get("spec"), header.get("checksum")) else { return };
    match Journal::open(&shard, spec, checksum) {
        Ok(journal) => opened(journal, &shard, bytes, spec, checksum),
        Err(error) => refused(&error, &path, bytes),
    }
});

/// A folder of that name with nothing in it.
fn fresh(name: &str) -> PathBuf {
    let path = folder().join(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("an old folder to remove");
    }
    fs::create_dir(&path).expect("a folder");
    path
}

/// The lines that are not empty and end with a newline.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The tasks and records of a journal's lines but for its headers, as they stand there.
fn entries(bytes: &[u8]) -> Vec<(String, Record)> {
    let entry = |line| {
        let entry: Value = serde_json::from_slice(line).expect("a line that was read");
        let task = entry["task"].as_str().expect("a task").to_string();
        (task, serde_json::from_value(entry["record"].clone()).expect("a record"))
    };
    lines(bytes).skip(1).filter(|line| !line.starts_with(b"{\"sparsewidth_journal\"")).map(entry).collect()
}

/// A refusal names the journal and leaves it alone.
fn refused(error: &sparsewidth::Error, path: &Path, bytes: &[u8]) {
    assert_refusal(error, path);
    assert_eq!(fs::read(path).expect("the journal"), bytes);
}

/// An open journal has the last record of each task, and keeps one that is added.
fn opened(mut journal: Journal, folder: &Path, bytes: &[u8], spec: &Value, checksum: &str) {
    let path = folder.join(JOURNAL);
    let kept = fs::read(&path).expect("the journal");
    assert!(bytes.starts_with(&kept) && lines(&kept).eq(lines(bytes)));
    let entries = entries(&kept);
    for (index, (task, record)) in entries.iter().enumerate() {
        if entries[index + 1..].iter().all(|(later, _)| later != task) {
            assert_eq!(journal.record(task), Some(record));
        }
    }
    let Some((task, record)) = entries.last() else { return };
    journal.append(task, record.clone()).expect("room for a line");
    drop(journal);
    let journal = Journal::open(folder, spec, checksum).expect("what was written can be read");
    assert_eq!(journal.record(task), Some(record));
}

/// Joins a shard with itself, and what that gives with the shard: the same.
fn joined(shard: &Path) {
    let (one, two) = (fresh("one"), fresh("two"));
    let shards = [shard.to_path_buf(), shard.to_path_buf()];
    let merged = match merge(&shards, &one) {
        Ok(merged) => merged,
        Err(error) => return assert_refusal(&error, &shard.join(JOURNAL)),
    };
    let bytes = fs::read(one.join(JOURNAL)).expect("the joined journal");
    assert_eq!(lines(&bytes).count(), 1 + merged.done);
    let again = merge(&[one, shard.to_path_buf()], &two).expect("what was written can be read");
    assert_eq!((again.done, &again.missing, &again.records), (merged.done, &merged.missing, &merged.records));
    assert!(fs::read(two.join(JOURNAL)).expect("the joined journal") == bytes);
    if let Some(records) = &merged.records {
        write_records(&OutputFolder::new(&two, "fuzz", &[]).expect("no names"), records)
            .expect("records can be written");
    }
}
