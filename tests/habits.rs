//! Studies as people go about them: folders with files of their own, the same study spelt otherwise, data of another
//! scale, networks with nothing left, interrupts.

mod program;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use program::{command, done, read, refused, sparsewidth};
use serde_json::Value;

/// Four small files as MNIST has them: 64 training and 32 test images of 4 x 4, whose grey values lie between two.
fn images(folder: &Path, low: usize, high: usize) {
    std::fs::create_dir_all(folder).unwrap();
    for (part, count) in [("train", 64usize), ("t10k", 32)] {
        let header = |kind: u8, sizes: &[usize]| {
            let mut bytes = vec![0, 0, 8, kind];
            sizes.iter().for_each(|size| bytes.extend((*size as u32).to_be_bytes()));
            bytes
        };
        let mut pixels = header(3, &[count, 4, 4]);
        pixels.extend((0..count * 16).map(|i| (low + (i * i * 7 + i * 3 + i / 16) % (high - low)) as u8));
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), pixels).unwrap();
        let mut labels = header(1, &[count]);
        labels.extend((0..count).map(|i| (i % 10) as u8));
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn standard_error(arguments: &[&str]) -> String {
    let output = sparsewidth(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn files_of_others_and_of_other_studies_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let quick = ["--pairs", "10", "--seed", "1"];
    let distance = ["distance", "--data", "gaussian:5,20", "--networks", "4:0.5,8:0.5", "--methods", "expansion"];
    let train = ["train", "--widths", "8,32", "--runs", "1", "--epochs", "1", "--samples", "50"];
    let studies: [(&[&str], &str); 5] = [
        (&[&distance[..], &quick].concat(), "distance-none-mean.png"),
        (&[&train[..], &["--seed", "1"]].concat(), "training.csv"),
        (&["optimum", "--data", "gaussian:8,20", "--pairs", "10"], "optimum.json"),
        (&["budget", "--arch", "mlp:20-10-5", "--weights", "50", "--masks"], "masks.npz"),
        (&["heatmap", "--widths", "5,40", "--last", "1,0.5", "--epochs", "1", "--samples", "50"], "heatmap-relu.svg"),
    ];
    for (index, (study, name)) in studies.into_iter().enumerate() {
        let out = at(&format!("foreign{index}"));
        std::fs::create_dir(&out).unwrap();
        std::fs::write(Path::new(&out).join(name), "of somebody").unwrap();
        let arguments = [study, &["--out", &out]].concat();
        refused(&arguments, &[name, "exists already", "another output folder"]);
        assert_eq!(read(Path::new(&out), name), b"of somebody");
        // Nothing else was begun there; and where the name is free, the study goes on and again.
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "{study:?}");
        std::fs::remove_file(Path::new(&out).join(name)).unwrap();
        done(&arguments);
        done(&arguments);
        std::fs::write(Path::new(&out).join(name), "changed").unwrap();
        refused(&arguments, &[name, "are not what"]);
    }

    // A study of another command, and a redrawing, in a folder with files of the same names.
    let trained = at("foreign1");
    refused(&[&distance[..], &quick, &["--out", &trained]].concat(), &["records.jsonl", "by `train` and not by"]);
    std::fs::remove_file(Path::new(&trained).join("training.csv")).unwrap();
    refused(&["figure", "--from", &trained], &["accuracy.svg", "by `train` and not by `figure`"]);
    done(&["figure", "--from", &trained, "--out", &at("redrawn")]);
    done(&["figure", "--from", &trained, "--out", &at("redrawn")]);

    // Weights of somebody under the name of a run's.
    done(&[&train[..], &["--keep-weights", "--out", &at("kept")]].concat());
    let name = std::fs::read_dir(at("kept/weights")).unwrap().next().unwrap().unwrap().file_name();
    std::fs::create_dir_all(at("other/weights")).unwrap();
    std::fs::write(Path::new(&at("other/weights")).join(&name), "of somebody").unwrap();
    refused(&[&train[..], &["--keep-weights", "--out", &at("other")]].concat(), &["weights", "exists already"]);
    assert!(!Path::new(&at("other/journal.jsonl")).exists());

    // A search is no figure, and repeated records are not more runs.
    let tune = [
        "tune",
        "--widths",
        "8",
        "--lowest",
        "4",
        "--highest",
        "16",
        "--epochs",
        "1",
        "--samples",
        "50",
        "--runs",
        "1",
    ];
    done(&[&tune[..], &["--validation", "100", "--out", &at("tune")]].concat());
    refused(&["figure", "--from", &at("tune"), "--out", &at("no")], &["records.jsonl", "search", "validation samples"]);
    assert!(!Path::new(&at("no")).exists());
    let lines = String::from_utf8(read(Path::new(&trained), "records.jsonl")).unwrap();
    std::fs::create_dir(at("twice")).unwrap();
    std::fs::write(at("twice/records.jsonl"), lines.repeat(2)).unwrap();
    done(&["figure", "--from", &at("twice")]);
    assert!(read(Path::new(&at("twice")), "summary.md") == read(Path::new(&at("redrawn")), "summary.md"));
    std::fs::write(at("twice/records.jsonl"), format!("{lines}{}", lines.replace("\"seed\":1", "\"seed\":2"))).unwrap();
    refused(&["figure", "--from", &at("twice")], &["records.jsonl", "line 3", "another study", "seed is 2, not 1"]);
}

#[test]
fn the_same_study_spelt_otherwise_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    images(&folder.path().join("m"), 0, 256);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        let output = command(arguments).current_dir(folder.path()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {error}");
        std::fs::read_to_string(folder.path().join("out/journal.jsonl")).unwrap()
    };
    let count = |journal: &str| journal.lines().filter(|line| line.starts_with("{\"task\"")).count();
    let study = |data: &str, methods: &str, networks: &str, out: &str| {
        let all =
            ["distance", "--data", data, "--methods", methods, "--networks", networks, "--pairs", "20", "--out", out];
        run(&all.map(str::to_string).each_ref().map(String::as_str))
    };
    let first = study("m", "sampled,sampled_all,expansion_all,theorem1", "4:0.5,16:0.25", "out");
    assert_eq!(count(&first), 8);
    for data in ["./m", &at("m"), "m/../m"] {
        assert_eq!(count(&study(data, "theorem1,expansion_all,sampled_all,sampled", "16:0.25,4:0.5", "out")), 8);
    }
    // A width more, and a method: what is there is used, and the whole is as if it had been asked for at once.
    let more = ["theorem1,expansion_all,paper,sampled_all,sampled", "16:0.25,4:0.5,8:0.5"];
    assert_eq!(count(&study("m", more[0], more[1], "out")), 8 + 4 + 3);
    study("m", more[0], more[1], "whole");
    let of = |name: &str| read(folder.path(), &format!("{name}/records.jsonl"));
    assert!(of("out") == of("whole"));
    assert!(records(std::str::from_utf8(&of("out")).unwrap()).iter().all(|record| record["data"] == "m"));
    // The journals of both orders join, and know every task.
    let joined = done(&["merge", &at("out"), &at("whole"), "--out", &at("joined")]);
    assert!(joined.contains("15 records, every task is done"), "{joined}");

    // Other data under the same path, or another setting, is another study.
    let refuse = |arguments: &[&str], words: &[&str]| {
        refused(&[arguments, &["--data", &at("m"), "--out", &at("out")]].concat(), words)
    };
    refuse(
        &["distance", "--networks", "4:0.5", "--methods", "theorem1", "--pairs", "21"],
        &["distance.pairs = 20", "expected 21"],
    );
    images(&folder.path().join("m"), 0, 200);
    refuse(&["distance", "--networks", "4:0.5", "--methods", "theorem1", "--pairs", "20"], &["data checksum"]);
    images(&folder.path().join("m"), 0, 256);

    // A journal whose record is another task's.
    let journal = at("out/journal.jsonl");
    let sound = std::fs::read_to_string(&journal).unwrap();
    let swapped = sound.replacen("/sampled/4:0.5\"", "/sampled/5:0.5\"", 1);
    assert_ne!(swapped, sound);
    std::fs::write(&journal, swapped).unwrap();
    let again = ["distance", "--networks", "4:0.5", "--methods", "theorem1", "--pairs", "20"];
    refuse(
        &again,
        &["journal.jsonl", "corrupt", "its record does not belong to the task distance/pixel/sampled/5:0.5"],
    );

    // Runs and networks of a training, and the range of a search.
    let train = |more: &[&str]| {
        let all = ["train", "--data", &at("m"), "--epochs", "2", "--learning-rate", "0.1", "--out", &at("train")];
        done(&[&all[..], more].concat());
        count(&std::fs::read_to_string(at("train/journal.jsonl")).unwrap())
    };
    assert_eq!(train(&["--widths", "8", "--runs", "2"]), 2);
    assert_eq!(train(&["--widths", "16,8", "--runs", "3"]), 6);
    assert_eq!(train(&["--widths", "8", "--runs", "1", "--keep-weights"]), 7, "a run without weights is done again");
}

#[test]
fn a_set_has_its_own_scale_and_eq_4_its_assumption_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    images(&folder.path().join("grey"), 100, 140);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let of = |data: &str, more: &[&str]| {
        let all = ["distance", "--data", data, "--networks", "8:0.5", "--methods", "theorem1,paper", "--pairs", "30"];
        done(&[&all[..], more].concat())
    };
    let global = of(&at("grey"), &["--normalisation", "global", "--json", "--quiet"]);
    // Of these very bytes, over all test pixels.
    let bytes = &std::fs::read(at("grey/t10k-images-idx3-ubyte")).unwrap()[16..];
    let values: Vec<f64> = bytes.iter().map(|byte| f64::from(*byte) / 255.0).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    for record in records(&global) {
        let near = |key: &str, expected: f64| (record[key].as_f64().unwrap() / expected - 1.0).abs() < 1e-12;
        assert!(near("global_mean", mean) && near("global_deviation", deviation), "{record}");
        assert!(record["method"] != "paper" || near("mean_square", 1.0), "{record}");
    }
    let text = of(&at("grey"), &["--normalisation", "global"]);
    let scale = format!("mean {mean:.4} and standard deviation {deviation:.4}");
    assert!(text.contains(&scale) && text.contains("not MNIST") && text.contains("|x|^2 = d = 16"), "{text}");
    let text = of("mnist", &["--normalisation", "global"]);
    assert!(text.contains("(x/255 - 0.1307) / 0.3081"), "{text}");
    // Trained, by the training samples.
    let train =
        ["train", "--data", &at("grey"), "--widths", "8", "--learning-rate", "0.1", "--epochs", "1", "--runs", "1"];
    let error = standard_error(&[&train[..], &["--normalisation", "global"]].concat());
    assert!(error.contains("not MNIST's images") && error.contains("standard deviation 0.0"), "{error}");

    // Rows of norm 1: Eq. (4) is d^2 too large.
    let mut rows = Array2::from_shape_fn((40, 24), |(i, j)| ((i * 31 + j * 17 + i * j) as f64).sin());
    rows.outer_iter_mut().for_each(|mut row| row /= row.dot(&row).sqrt());
    rows.write_npy(std::fs::File::create(at("unit.npy")).unwrap()).unwrap();
    let said = "|x|^2 / d is 4.167e-2 on average: its distances are about 5.76e2 times too large";
    assert!(of(&at("unit.npy"), &[]).contains(said));
    let optimum = done(&["optimum", "--data", &at("unit.npy"), "--pairs", "20"]);
    assert!(optimum.contains(said) && optimum.contains("times the exact distance"), "{optimum}");
    let kernel = ["kernel", "--x", &at("unit.npy"), "--y", &at("unit.npy"), "--connectivity", "0.5", "--width", "8"];
    assert!(standard_error(&[&kernel[..], &["--method", "paper"]].concat()).contains("4.167e-2"));

    // Uniform weights beside Gaussian theory.
    let uniform = ["distance", "--data", "gaussian:12,30", "--networks", "8:0.5", "--pairs", "10", "--law", "uniform"];
    let text = done(&[&uniform[..], &["--methods", "sampled,theorem1"]].concat());
    assert!(text.contains("uniform weights, of variance 0.3333 sigma^2"), "{text}");
}

#[test]
fn networks_with_nothing_left_are_named() {
    let folder = tempfile::tempdir().unwrap();
    images(&folder.path().join("m"), 0, 256);
    let data = folder.path().join("m").display().to_string();
    // round(0.02 x 16) = 0 weights in each row.
    let train =
        ["train", "--data", &data, "--widths", "8,32", "--learning-rate", "0.1", "--epochs", "1", "--runs", "2"];
    let fan_in = [&train[..], &["--connectivity", "0.02", "--training-mask", "constant-fan-in"]].concat();
    let error = standard_error(&fan_in);
    assert!(error.contains("sparse-8-p0.02") && error.contains("no weight is left in layer 1"), "{error}");
    let table = done(&fan_in);
    assert_eq!(table.matches("(no weight in layer 1: no input reaches an output)").count(), 2, "{table}");
    assert!(table.contains("|      0.000e0 |"), "{table}");
    let runs = records(&done(&[&fan_in[..], &["--json", "--quiet"]].concat()));
    for run in &runs {
        assert_eq!((&run["connectivity"], &run["connectivity_reached"]), (&Value::from(0.02), &Value::from(0.0)));
        assert_eq!((&run["empty_layers"], &run["dead"]), (&Value::from("1"), &Value::from(true)));
    }
    // A last layer of round(0.005 x 80) = 0 weights; and, with few weights of each draw's own, runs that are dead by
    // chance.
    let last = records(&done(
        &[&train[..], &["--connectivity", "0.5", "--last-connectivity", "0.001", "--json", "--quiet"]].concat(),
    ));
    assert!(last.iter().all(|run| run["empty_layers"] == "2" && run["last_connectivity_reached"] == 0.0), "{last:?}");
    let chance = ["--connectivity", "0.01", "--training-mask", "bernoulli", "--json", "--quiet"];
    let chance = records(&done(&[&train[..6], &["0.1", "--epochs", "1", "--runs", "20"], &chance].concat()));
    let dead = chance.iter().filter(|run| run["dead"] == true).count();
    assert!(dead > 0 && dead < chance.len(), "{dead} of {}", chance.len());
    assert!(chance.iter().all(|run| (run["dead"] == true) == (run["connectivity_reached"] == 0.0)));

    let kernels =
        ["distance", "--data", &data, "--networks", "8:0.02,8:0.5", "--mask", "constant-fan-in", "--pairs", "20"];
    let kernels = [&kernels[..], &["--methods", "sampled,theorem1_fixed_count"]].concat();
    assert!(standard_error(&kernels).contains("width 8, connectivity 0.02: no weight is left in layer 1"));
    let text = done(&kernels);
    assert!(text.contains("(no weight)") && text.contains("whose kernel is 0: 8:0.02 (layer 1)"), "{text}");
    assert!(text.lines().filter(|line| line.contains("(no weight)")).all(|line| !line.contains("± 0e0")), "{text}");
    let found = records(&done(&[&kernels[..], &["--json", "--quiet"]].concat()));
    let reached: Vec<f64> = found.iter().map(|record| record["connectivity_reached"].as_f64().unwrap()).collect();
    assert_eq!(reached, [0.0, 0.5, 0.0, 0.5]);

    let budget = sparsewidth(&["budget", "--arch", "mlp:784-216-10", "--weights", "20", "--rule", "proportional"]);
    let budget = String::from_utf8(budget.stderr).unwrap();
    assert!(
        budget.contains("Warning: Layers without a weight: layer1.weight. No input reaches an output."),
        "{budget}"
    );
}

/// What an interrupted study prints goes on where it was.
#[cfg(unix)]
#[test]
fn an_interrupt_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("it's here").display().to_string();
    let study = ["train", "--widths", "8,32,128", "--runs", "20", "--epochs", "6", "--samples", "400", "--out", &out];
    for signal in ["-INT", "-TERM"] {
        // As from a terminal: what a shell starts in the background ignores interrupts, and its children with it.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_sparsewidth")]).args(study);
        let running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let journal = Path::new(&out).join("journal.jsonl");
        let tasks = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
        let (begin, before) = (Instant::now(), tasks());
        while tasks() < before + 2 && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap().success());
        let output = running.wait_with_output().unwrap();
        assert!(!output.status.success() && output.status.code().is_none(), "{signal}: {}", output.status);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("Interrupted. What is done is kept in") && error.contains("to go on:"), "{error}");
        if signal == "-TERM" {
            let words = error.lines().last().unwrap();
            let before = tasks();
            assert!(
                Command::new("sh").args(["-c", words]).stdout(Stdio::null()).status().unwrap().success(),
                "{words}"
            );
            assert_eq!(tasks(), 61, "{before} were there");
        }
    }
}

#[test]
fn more_threads_than_are_of_use_are_not_started() {
    let begin = Instant::now();
    let small = ["distance", "--data", "gaussian:12,30", "--networks", "8:0.5", "--pairs", "40", "--methods"];
    let many = standard_error(&[&small[..], &["sampled,theorem1", "--threads", "4096"]].concat());
    // Thousands take most of a minute.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(many.contains("threads instead of 4096"), "{many}");
    let of =
        |threads: &str| done(&[&small[..], &["sampled,theorem1", "--threads", threads, "--json", "--quiet"]].concat());
    assert!(of("4096") == of("1"));
}
