//! The pages of every study, from records as the program once wrote them (`testdata/records`), against
//! `testdata/golden`. So the words and numbers of a page change only on purpose, and records of older formats stay
//! readable.
//!
//! `UPDATE_GOLDEN=1 cargo test --release --test golden` rewrites the pages; read the differences before they are
//! committed.

mod program;

use std::path::{Path, PathBuf};

use program::{done, read, refused, sparsewidth, studies};
use serde_json::Value;

fn testdata(place: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(place)
}

/// The lines that differ, with `-` before those expected and `+` before those found, by the longest common subsequence.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i][j] =
                if line == other { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            text += &format!("- {}\n", old[i]);
            i += 1;
        } else {
            text += &format!("+ {}\n", new[j]);
            j += 1;
        }
    }
    text
}

/// Compares a page with its golden file, or rewrites that.
fn compare(name: &str, found: &str, problems: &mut Vec<String>) {
    let path = testdata("golden").join(format!("{name}.md"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != found {
        problems.push(format!("{}:\n{}", path.display(), difference(&expected, found)));
    }
}

fn check(problems: &[String]) {
    assert!(problems.is_empty(), "UPDATE_GOLDEN=1 rewrites these:\n{}", problems.join("\n"));
}

/// What a command draws from the records of a folder of `testdata/records`, and where.
fn redrawn(command: &str, records: &str) -> (String, tempfile::TempDir) {
    let out = tempfile::tempdir().unwrap();
    let from = testdata("records").join(records);
    let text = done(&[command, "--from", from.to_str().unwrap(), "--out", out.path().to_str().unwrap(), "--quiet"]);
    // `--quiet` is about notes: a page that is asked for is printed.
    assert!(!text.is_empty(), "{command} printed no page");
    (text, out)
}

#[test]
fn pages_of_studies() {
    let mut problems = Vec::new();
    for (folder, command) in studies() {
        let (page, out) = redrawn(&command, &format!("1/{folder}"));
        compare(&folder, &page, &mut problems);
        for name in ["summary.md", "verify.md"] {
            if out.path().join(name).exists() {
                assert_eq!(read(out.path(), name), page.as_bytes(), "{folder}: {name} is the page that is printed");
            }
        }
        let pictures = std::fs::read_dir(&out)
            .unwrap()
            .filter(|file| file.as_ref().unwrap().path().extension() == Some("svg".as_ref()));
        assert!(pictures.count() > 0, "{folder}: no picture");
    }
    check(&problems);
}

/// Numbers of pages, by the records that they are of.
#[test]
fn pages_tell_the_numbers_of_their_records() {
    let records = |study: &str| -> Vec<Value> {
        let text = String::from_utf8(read(&testdata("records/1").join(study), "records.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let number = |record: &Value, key: &str| record[key].as_f64().unwrap_or_else(|| panic!("{key} in {record}"));
    let says = |page: &str, word: &str| assert!(page.contains(word), "no {word:?} in {page}");

    let (page, _) = redrawn("distance", "1/distance");
    for record in records("distance") {
        for key in ["mean", "median"].into_iter().filter(|key| !record[key].is_null()) {
            let corrected = if key == "median" { record["median_corrected"].as_f64() } else { None };
            says(&page, &format!(" {:.2e} ", corrected.unwrap_or_else(|| number(&record, key))));
        }
    }
    // Two runs a network: half their difference is the standard error, and t = 12.706 with one degree of freedom.
    let (page, _) = redrawn("train", "1/train");
    let best: Vec<f64> = records("train").iter().map(|run| number(run, "best_accuracy")).collect();
    for runs in best.chunks(2) {
        let [first, second] = [runs[0], runs[1]];
        says(&page, &format!("| {:.4} ± {:.4} |", (first + second) / 2.0, 12.706_205 * (first - second).abs() / 2.0));
    }
    // Spearman's coefficient of six networks without ties, by ranks: 1 - 6 sum D^2 / (6 (36 - 1)).
    let (page, _) = redrawn("widen", "1/widen");
    let all = records("widen");
    let distances: Vec<(&Value, f64)> = (all.iter().filter(|record| record["method"] == "sampled"))
        .map(|record| (record, number(record, "mean") / number(record, "reference_square")))
        .collect();
    let errors: Vec<f64> = (distances.iter())
        .map(|(distance, _)| {
            let hidden = distance["architecture"].as_str().unwrap().replace("bernoulli", "exact_count");
            let of = all.iter().filter(|run| run["kind"] == "training");
            let runs: Vec<f64> = of
                .filter(|run| run["architecture"].as_str().unwrap().starts_with(&hidden_of(&hidden)))
                .map(|run| 1.0 - number(run, "best_accuracy"))
                .collect();
            assert_eq!(runs.len(), 2, "{hidden}");
            (runs[0] + runs[1]) / 2.0
        })
        .collect();
    let rank = |values: &[f64], value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let distances: Vec<f64> = distances.iter().map(|(_, distance)| *distance).collect();
    let squares: f64 = (distances.iter().zip(&errors))
        .map(|(distance, error)| (rank(&distances, *distance) - rank(&errors, *error)).powi(2))
        .sum();
    says(&page, &format!("over all 6 networks: {:.2} [", 1.0 - squares / 35.0));
}

/// Hidden layers as they begin the architecture of a trained network.
fn hidden_of(architecture: &str) -> String {
    let layers: Vec<String> = (architecture.split(' '))
        .map(|layer| if layer.contains('/') { layer.into() } else { format!("{layer}/exact_count") })
        .collect();
    layers.join(" ") + " "
}

#[test]
fn pages_of_inputs_and_budgets() {
    let mut problems = Vec::new();
    compare("data", &done(&["data"]), &mut problems);
    let budget = |rule: &str| done(&["budget", "--arch", "mlp:784-216-10", "--weights", "6352", "--rule", rule]);
    let pages =
        ["largest-first", "proportional", "last-dense", "erk"].map(|rule| format!("{rule}\n\n{}\n", budget(rule)));
    compare("budget", &pages.concat(), &mut problems);
    check(&problems);
}

/// Records from before they said their schema: the same page as of the present ones, which differ in nothing else. They
/// have no search for learning rates with them, of which the page of `widen` says something at its end.
#[test]
fn records_without_a_schema_mean_what_they_meant() {
    for study in ["figure", "widen"] {
        let text = String::from_utf8(read(&testdata("records/0").join(study), "records.jsonl")).unwrap();
        assert!(!text.contains("\"schema\"") && text.contains("\"before\""));
        let [old, new] = [0, 1].map(|schema| redrawn(study, &format!("{schema}/{study}")).0);
        assert!(new.starts_with(old.trim_end()), "{study}:\n{}", difference(&new, &old));
        assert!(study == "widen" || old == new);
    }
}

/// A record is written again as it was read, in the present format and bit for bit.
#[test]
fn records_are_written_as_they_were_read() {
    for (study, command) in [("figure", "figure"), ("widen", "widen"), ("masks", "distance"), ("train", "train")] {
        let from = testdata("records/1").join(study);
        let out = tempfile::tempdir().unwrap();
        let arguments = ["--from", from.to_str().unwrap(), "--out", out.path().to_str().unwrap(), "--json", "--quiet"];
        let again = done(&[&[command][..], &arguments].concat());
        let records = |text: &str| -> Vec<Value> {
            text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let before = String::from_utf8(read(&from, "records.jsonl")).unwrap();
        // Methods that have had other names.
        let renamed = [
            ("moments", "expansion"),
            ("moments_all", "expansion_all"),
            ("paper_even", "paper_fixed_np"),
            ("theorem1_masks", "theorem1_fixed_count"),
        ];
        let (mut before, again) = (records(&before), records(&again));
        for record in &mut before {
            if let Some((_, new)) = renamed.iter().find(|(old, _)| record["method"] == *old) {
                record["method"] = (*new).into();
            }
            // Distances were those of the NNGP kernel, without its name.
            if record["kind"] == "distance" {
                record["kernel"] = "nngp".into();
                record["tangent"] = Value::Null;
            }
        }
        assert!(!before.is_empty() && before == again, "{study}: records differ");
    }
}

/// A schema that is not known is refused by its number; so is a record that contradicts itself.
#[test]
fn records_of_another_time_are_refused_by_name() {
    let text = String::from_utf8(read(&testdata("records/1/train"), "records.jsonl")).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let refuse = |change: &dyn Fn(&mut Value), words: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut changed = line.clone();
        change(&mut changed);
        std::fs::write(folder.path().join("records.jsonl"), format!("{changed}\n")).unwrap();
        refused(&["train", "--from", folder.path().to_str().unwrap()], words);
    };
    refuse(&|record| record["schema"] = 999.into(), &["records.jsonl", "999"]);
    refuse(&|record| record["schema"] = "new".into(), &["records.jsonl", "schema"]);
    refuse(&|record| record["width"] = 9.into(), &["records.jsonl", "width"]);
    refuse(&|record| drop(record.as_object_mut().unwrap().remove("dimension")), &["records.jsonl", "dimension"]);
}

/// Exit code 1 where networks reject the theorem: here, as their estimates were changed to what another theorem would
/// give.
#[test]
fn a_rejected_theorem_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut report: Value = serde_json::from_slice(&read(&testdata("records/1/verify"), "verify.json")).unwrap();
    for test in report["tests"].as_array_mut().unwrap() {
        if test["quantity"] == "variance" {
            test["chi_square"] = 1e-9.into();
        }
    }
    std::fs::write(folder.path().join("verify.json"), report.to_string()).unwrap();
    let out = folder.path().join("out");
    let (from, out) = (folder.path().to_str().unwrap(), out.to_str().unwrap());
    let output = sparsewidth(&["verify", "--from", from, "--out", out, "--quiet"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(page.contains("rejected (by: variance)"), "{page}");
    assert!(!output.stderr.is_empty() && !String::from_utf8_lossy(&output.stderr).contains("panicked"));
}
