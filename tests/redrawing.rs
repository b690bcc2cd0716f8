//! Folders that are redrawn: what of other studies or damaged is refused, and what must not overwrite each other.

mod program;

use program::{command, done, little_mnist, refused};
use std::path::Path;

/// Changes the first place of some words in a file, which must have them.
fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{}: no {from} in {text}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn damaged_reports_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let data = little_mnist(folder.path());
    done(&["optimum", "--data", &data, "--weights", "60", "--pairs", "20", "--out", &path("optimum"), "--quiet"]);
    let search =
        ["--widths", "2", "--weights", "52", "--lowest", "1", "--highest", "1", "--runs", "1", "--epochs", "1"];
    done(&[&["tune", "--data", &data, "--out", &path("tune"), "--quiet"], &search[..]].concat());
    let verify = ["--widths", "8", "--initialisations", "1000", "--pairs", "2", "--out", &path("verify"), "--quiet"];
    done(&[&["verify", "--data", &data], &verify[..]].concat());

    // Ticks double from the least width.
    change(&folder.path().join("optimum/optimum.json"), "\"width\":", "\"width\":0,\"was\":");
    done(&["optimum", "--from", &path("optimum"), "--out", &path("again"), "--quiet"]);
    let file = folder.path().join("tune/tune.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let architecture = text.split("\"architecture\":\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    std::fs::write(&file, text.replace(&architecture, "linear:10")).unwrap();
    refused(&["tune", "--from", &path("tune")], &["tune.json", "there is no hidden layer"]);
    let file = folder.path().join("verify/verify.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("\"tests\":[").unwrap();
    let after = after.split_once(']').unwrap().1;
    std::fs::write(&file, format!("{before}\"tests\":[]{after}")).unwrap();
    refused(&["verify", "--from", &path("verify")], &["verify.json", "holds no test"]);
}

#[test]
fn searches_are_not_redrawn_as_other_studies() {
    let folder = tempfile::tempdir().unwrap();
    let search = folder.path().join("tune").to_str().unwrap().to_string();
    let data = little_mnist(folder.path());
    let rates = ["--lowest", "1", "--highest", "2", "--runs", "1", "--epochs", "1", "--quiet"];
    let networks = ["--widths", "2", "--weights", "52"];
    done(&[&["tune", "--data", &data, "--out", &search], &networks[..], &rates].concat());
    for study in ["figure", "train", "heatmap", "widen"] {
        refused(&[study, "--from", &search], &["records.jsonl", "evaluated on validation samples"]);
    }
}

#[test]
fn each_normalisation_of_a_figure_has_its_own_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let data = little_mnist(folder.path());
    let networks = ["--methods", "expansion", "--networks", "2:0.5,2:0.9,4:0.5", "--normalisation", "pixel,global"];
    done(&[&["distance", "--data", &data, "--out", &path("d"), "--quiet"], &networks[..]].concat());
    let output = command(&["figure", "--from", &path("d"), "--out", &path("f")]).output().unwrap();
    assert!(output.status.success());
    let notes = String::from_utf8(output.stderr).unwrap();
    // Two networks of one width have no picture of their distances, which is said once a command.
    let remarks = notes.lines().filter(|line| line.contains("have the same width")).count();
    assert!(remarks <= 1, "{notes}");

    let networks = ["--methods", "expansion", "--networks", "2:0.5,4:0.5", "--normalisation", "pixel,global"];
    done(&[&["distance", "--data", &data, "--out", &path("two"), "--quiet"], &networks[..]].concat());
    done(&["figure", "--from", &path("two"), "--out", &path("g"), "--quiet"]);
    for name in ["distance", "distance-median", "distance-global", "distance-global-median"] {
        assert!(folder.path().join("g").join(format!("{name}.svg")).is_file(), "{name}");
    }
}

#[test]
fn memory_limits_apply_wherever_all_pairs_are_taken() {
    let networks =
        ["distance", "--data", "gaussian:20,30", "--networks", "4:0.5", "--methods", "sampled_all", "--quiet"];
    let masks = ["--mask", "constant-fan-in"];
    done(&[&networks[..], &masks, &["--memory", "100"]].concat());
    refused(&[&networks[..], &masks, &["--device", "cpu"]].concat(), &["--device", "drawn on the CPU only"]);
    done(&[&networks[..], &["--device", "cpu"]].concat());
}
