//! Studies in shards, joined again: what they come to is that of the whole study, bit for bit.

mod program;

use std::path::Path;

use program::{done, read, refused};

/// The files of a folder and of those in it, but for the journal and the list of what was written, whose order is that
/// of the work.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if !["journal.jsonl", ".sparsewidth-written.jsonl"].contains(&name.as_str()) {
            found.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "slow: every study whole and in shares"]
fn shards_join_to_the_whole() {
    let widen =
        ["widen", "--ways", "sparse,linear-bottleneck", "--widths", "8,32", "--epochs", "2", "--samples", "200"];
    let search = [&widen[..], &["--search-only", "--lowest", "8", "--highest", "32", "--tuning-runs", "1"]].concat();
    let rates = tempfile::tempdir().unwrap();
    done(&[&search[..], &["--out", &rates.path().display().to_string()]].concat());
    let file = rates.path().join("rates.toml").display().to_string();
    // The folder of the search is its own.
    let searched = rates.path().display().to_string();
    refused(
        &[&widen[..], &["--out", &searched]].concat(),
        &["journal.jsonl", "search alone", "another folder", "rates.toml with --rates"],
    );
    let rest = [&widen[..], &["--rates", &file, "--runs", "2", "--pairs", "20", "--initialisations", "3"]].concat();
    let studies: [&[&str]; 7] = [
        &["figure", "--widths", "8,216", "--runs", "1", "--epochs", "2", "--samples", "200", "--pairs", "50"],
        &["distance", "--data", "gaussian:30,60", "--methods", "sampled,sampled_all,expansion_all", "--pairs", "40"],
        &["train", "--widths", "8,32,128", "--epochs", "2", "--runs", "2", "--samples", "200", "--keep-weights"],
        &["heatmap", "--widths", "5,40", "--last", "1,0.5", "--epochs", "1", "--samples", "200"],
        &["tune", "--widths", "8,32,128", "--lowest", "16", "--highest", "64", "--epochs", "3", "--samples", "200"],
        &search,
        &rest,
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
        let is_search = study[0] == "tune" || study.contains(&"--search-only");
        assert_eq!(text.contains("every task is done"), !is_search, "{text}");
        if !is_search {
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
    let study = ["distance", "--data", "gaussian:5,20", "--methods", "paper", "--widths", "8,16,32"];
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
    refuse("out", &["one", "other"], &["other/journal.jsonl", "seed = 5, expected 0", "shards of one study"]);
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
    refuse("out", &["two", "damaged"], &["damaged", "a record of distance/none/paper/16"]);

    // Of a share alone it says what is missing; a share twice is a share once.
    let text = done(&merge("half", &["one", "one"]).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("2 records; tasks missing: 1, the first distance/none/paper/16"), "{text}");
    assert!(!Path::new(&at("half/records.jsonl")).exists());

    // A journal that ends before its weights, other weights of one run, and what is no weights of the study.
    let kept = ["train", "--widths", "8,32", "--epochs", "1", "--samples", "100", "--runs", "1", "--keep-weights"];
    for (name, share) in [("w1", "1/2"), ("w2", "2/2"), ("w3", "2/2")] {
        done(&[&kept[..], &["--out", &at(name), "--shard", share]].concat());
    }
    let weights = |name: &str| {
        let mut files = std::fs::read_dir(at(name)).unwrap().map(|file| file.unwrap().path());
        files.find(|path| path.extension().is_some_and(|kind| kind == "safetensors")).unwrap()
    };
    std::fs::write(weights("w3/weights"), "others").unwrap();
    refuse("out", &["w1", "w2", "w3"], &["w3/weights", "weights that differ from those in", "w2"]);
    std::fs::create_dir(at("w2/weights/folder")).unwrap();
    std::fs::write(at("w2/weights/.sparsewidth-unfinished-x"), "").unwrap();
    std::fs::remove_file(weights("w1/weights")).unwrap();
    let text = done(&merge("kept", &["w1", "w2"]).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("tasks missing: 1, the first training/sparse-8"), "{text}");
    let names: Vec<_> = std::fs::read_dir(at("kept/weights")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, [weights("w2/weights").file_name().unwrap()]);

    // What another study has left is not written over.
    std::fs::create_dir(at("used")).unwrap();
    std::fs::write(at("used/records.jsonl"), "of another study").unwrap();
    refused(
        &merge("used", &["one", "two"]).iter().map(String::as_str).collect::<Vec<_>>(),
        &["used/records.jsonl", "exists already"],
    );
    assert!(!Path::new(&at("used/journal.jsonl")).exists());

    for text in ["0/2", "3/2", "half"] {
        refused(&[&study[..], &["--out", &at("new"), "--shard", text]].concat(), &[text, "3/8"]);
    }
    refused(&[&study[..], &["--shard", "1/2"]].concat(), &["--shard", "--out"]);
    refused(&["widen", "--shard", "1/2", "--out", &at("new")], &["--shard = 1/2", "--search-only", "--rates"]);
    refused(&["verify", "--shard", "1/2"], &["--shard", "leave it out"]);
    refused(&["merge", "--out", &at("new")], &["DIR"]);
}
