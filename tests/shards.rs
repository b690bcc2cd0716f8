//! Studies in shards, joined again: what they come to is that of the whole study, bit for bit.

mod program;

use std::path::Path;

use program::{done, read, refused};

/// The files of a folder and of those in it, but for the journal, whose order is that of the work.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name != "journal.jsonl" {
            found.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn shards_join_to_the_whole() {
    let studies: [&[&str]; 5] = [
        &["figure", "--seeds", "1", "--epochs", "2", "--samples", "200", "--pairs", "50", "--reference", "dense:50"],
        &["distance", "--data", "gaussian:30,60", "--methods", "sampled,sampled_all,moments_all", "--pairs", "40"],
        &["train", "--widths", "8,32,128", "--epochs", "2", "--runs", "2", "--samples", "200", "--keep-weights"],
        &["heatmap", "--widths", "5,40", "--last", "1,0.5", "--epochs", "1", "--samples", "200"],
        &["tune", "--widths", "8,32,128", "--lowest", "16", "--highest", "64", "--epochs", "3", "--samples", "200"],
    ];
    for study in studies {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let whole = at("whole");
        done(&[study, &["--out", &whole]].concat());
        let shards: Vec<String> = (1..=3).map(|number| at(&format!("shard{number}"))).collect();
        for (shard, number) in shards.iter().zip(1..) {
            done(&[study, &["--out", shard, "--shard", &format!("{number}/3"), "--threads", "1"]].concat());
            let records = Path::new(shard).join("records.jsonl");
            assert!(!records.exists(), "{study:?}: a share draws nothing");
        }
        let joined = at("joined");
        let folders: Vec<&str> = shards.iter().map(String::as_str).collect();
        let text = done(&[&["merge", "--out", &joined], &folders[..]].concat());
        // How many runs a search takes is not known before.
        assert_eq!(text.contains("every task is done"), study[0] != "tune", "{text}");
        if study[0] != "tune" {
            let records = |folder: &str| read(Path::new(folder), "records.jsonl");
            assert!(records(&joined) == records(&whole), "{study:?}: records differ");
        }
        let lines =
            |folder: &str| std::fs::read_to_string(Path::new(folder).join("journal.jsonl")).unwrap().lines().count();
        let before = lines(&joined);
        done(&[study, &["--out", &joined]].concat());
        assert_eq!((lines(&joined), before), (before, lines(&whole)), "{study:?}: nothing is done twice");
        let (joined, whole) = (files(Path::new(&joined)), files(Path::new(&whole)));
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&joined), names(&whole), "{study:?}");
        for ((name, joined), (_, whole)) in joined.iter().zip(&whole) {
            assert!(joined == whole, "{study:?}: {name} differs");
        }
    }
}

#[test]
fn what_does_not_belong_together_is_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let study = ["distance", "--data", "gaussian:5,20", "--pairs", "10", "--methods", "paper", "--widths", "8,16,32"];
    let run = |name: &str, more: &[&str]| done(&[&study[..], &["--out", &at(name)], more].concat());
    run("one", &["--shard", "1/2"]);
    run("two", &["--shard", "2/2"]);
    run("other", &["--shard", "2/2", "--seed", "5"]);
    let merge = |out: &str, folders: &[&str]| {
        let folders: Vec<String> = folders.iter().map(|name| at(name)).collect();
        let mut arguments = vec!["merge".to_string(), "--out".into(), at(out)];
        arguments.extend(folders);
        arguments
    };
    let refuse = |out: &str, folders: &[&str], words: &[&str]| {
        let arguments = merge(out, folders);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), words);
        assert!(out == "one" || !Path::new(&at(out)).exists(), "{out} was made");
    };
    refuse("out", &["one", "other"], &["other/journal.jsonl", "its seed is 5, this one's is 0", "shards of one study"]);
    refuse("out", &["one", "nowhere"], &["nowhere/journal.jsonl", "cannot be read"]);
    refuse("one", &["one", "two"], &["one/journal.jsonl", "exists already", "--out"]);
    std::fs::create_dir(at("void")).unwrap();
    std::fs::write(at("void/journal.jsonl"), "").unwrap();
    refuse("out", &["void"], &["is empty"]);
    let journal = std::fs::read_to_string(at("two/journal.jsonl")).unwrap();
    std::fs::create_dir(at("damaged")).unwrap();
    std::fs::write(at("damaged/journal.jsonl"), journal.replace("record", "recrod")).unwrap();
    refuse("out", &["one", "damaged"], &["line 2", "corrupt"]);
    let changed = journal.replacen("\"samples\":0", "\"samples\":1", 1);
    assert_ne!(changed, journal);
    std::fs::write(at("damaged/journal.jsonl"), changed).unwrap();
    refuse("out", &["two", "damaged"], &["damaged", "another record of distance/none/paper/16"]);

    // Of a share alone it says what is missing; a share twice is a share once.
    let text = done(&merge("half", &["one", "one"]).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("2 records; tasks missing: 1, the first distance/none/paper/16"), "{text}");
    assert!(!Path::new(&at("half/records.jsonl")).exists());

    for text in ["0/2", "3/2", "half"] {
        refused(&[&study[..], &["--out", &at("new"), "--shard", text]].concat(), &[text, "3/8"]);
    }
    refused(&[&study[..], &["--shard", "1/2"]].concat(), &["--shard", "--out"]);
    refused(&["verify", "--shard", "1/2"], &["--shard", "leave it out"]);
    refused(&["merge", "--out", &at("new")], &["DIR"]);
}
