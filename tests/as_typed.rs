//! What people type, and the files and data that they give: accepted where it has one meaning, otherwise named with
//! what to do.

mod program;

use std::path::Path;

use ndarray::array;
use ndarray_npy::WriteNpyExt;
use program::{command, done, little_mnist, refused, sparsewidth};
use serde_json::Value;

/// A distance that takes no time.
const QUICK: [&str; 6] = ["distance", "--data", "gaussian:5,20", "--methods", "expansion", "--json"];

fn widths(arguments: &[&str]) -> Vec<u64> {
    let text = done(&[&QUICK[..], arguments].concat());
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.map(|record| record["width"].as_u64().unwrap()).collect()
}

#[test]
fn numbers_and_lists_are_taken_as_they_are_typed() {
    for list in [
        &["--widths", "8,16,1e3"][..],
        &["--widths", "8, 16, 1000"],
        &["--widths", "8,", "16,", "1k"],
        &["--widths", "8", "16", "1000"],
        &["--widths", "[8 16 1_000]"],
        &["--Widths", "8,16", "--width", "1000"],
        &["-widths", "8;16;1000"],
        &["—widths", "8,16,1000,"],
    ] {
        assert_eq!(widths(list), [8, 16, 1000], "{list:?}");
    }
    // The same numbers and names in other clothes are the same studies.
    let usual = done(&[&QUICK[..], &["--networks", "8:0.1", "--pairs", "1000", "--normalisation", "none"]].concat());
    for other in [
        &["--networks", "8:10%", "--pairs", "1,000", "--normalization", "None"][..],
        &["--networks", " 8 : 1/10 ", "--pair", "1e3", "--normal", "NONE"],
        &[
            "--network",
            "8:.1",
            "--pairs=1'000",
            "--normalisation=none,",
            "--Data",
            "Gaussian:5, 20",
            "--methods",
            "Moments",
        ],
    ] {
        let arguments: Vec<&str> = match other.contains(&"--Data") {
            true => ["distance", "--json"].into_iter().chain(other.iter().copied()).collect(),
            false => [&QUICK[..], other].concat(),
        };
        assert_eq!(done(&arguments), usual, "{other:?}");
    }
    for (arguments, words) in [
        (&["--pairs", "0.1"][..], &["--pairs", "0.1", "a share, not a count", "for instance 1000"][..]),
        (&["--pairs", "10%"], &["10%", "a share, not a count"]),
        (&["--pairs", "-1"], &["'-1'", "--pairs", "below zero"]),
        (&["--seed", "-1"], &["'-1'", "--seed", "below zero"]),
        (&["--pairs", "10.000"], &["could be 10 or 10000"]),
        (&["--pairs", "6,352"], &["one number or a list", "write 6352"]),
        (&["--widths", "1,000"], &["'000'", "without a comma", "1000"]),
        (&["--widths", "-8"], &["'-8'", "--widths", "below zero"]),
        (&["--widths", "8", "-1"], &["'-1'", "--widths"]),
        (&["--widths", "8-16"], &["'8-16'", "not a number", "8,16,32"]),
        (&["--networks", "8:0,5"], &["'8:0'", "--networks", "commas separate", "with a point"]),
        (&["--networks", "8:-0.5"], &["connectivity = -0.5"]),
        (&["--reference", "dense:0.5", "--methods", "sampled"], &["dense:0.5", "a share, not a count", "dense:10000"]),
        (&["--output", "x"], &["--output"]),
    ] {
        refused(&[&QUICK[..], arguments].concat(), words);
    }
    refused(&["train", "--widths", "8", "--lr", "-1"], &["learning-rate = -1"]);
    refused(&["train", "--widths", "8", "--rate", "1,500"], &["could be 1500 or 1.500"]);
    refused(&["train", "--widths", "8", "--lr", "5%"], &["--learning-rate", "a percentage", "0.05"]);
    refused(&["heatmap", "--last", "0,5"], &["--last", "commas separate", "0.5"]);
    refused(&["optimum", "--tolerance", "-1"], &["tolerance = -1"]);
    refused(&["verify", "--weights-per-row", "-1,2"], &["weights-per-row = -1"]);
    refused(
        &["budget", "--arch", "mlp:784-0.5-10", "--weights", "9"],
        &["mlp:784-0.5-10", "a share", "mlp:784-216-10"],
    );
    assert_eq!(
        done(&["budget", "--arch", "MLP:784-1e2-10", "--weights", "1e3", "--rule", "Last:10%"]),
        done(&["budget", "--arch", "mlp:784-100-10", "--weights", "1000", "--rule", "last:0.1"]),
    );
}

#[test]
fn folders_and_data_are_found_as_they_are_named() {
    let home = tempfile::tempdir().unwrap();
    let data = little_mnist(home.path());
    let run = |arguments: &[&str], inside: &Path| {
        let mut command = command(arguments);
        command.env("HOME", home.path()).current_dir(inside).output().unwrap()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = run(arguments, elsewhere.path());
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["data", "--data=~/m"]).contains("64"), "{}", told(&["data", "--data=~/m"]));
    assert!(run(&[&QUICK[..], &["--out=~/study"]].concat(), elsewhere.path()).status.success());
    assert!(home.path().join("study/records.jsonl").is_file());
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is left beside it");
    assert!(told(&["data", "--data=~somebody/m"]).contains("the shell has left as it is; write the whole path"));
    assert!(told(&["data", "--data", "MNIST"]).contains("10000"));
    assert!(told(&["data", "--data", "https://a.b/mnist"]).contains("is an address (https)"));
    assert!(told(&["data", "--data", "fashion"]).contains("nor the name of built-in data"));
    assert!(told(&["distance", "--out", ""]).contains("names no file or folder"));
    // A folder called MNIST is what is meant by its name; one called mnist is told about.
    std::fs::rename(&data, home.path().join("MNIST")).unwrap();
    let output = run(&["data", "--data", "MNIST"], home.path());
    assert!(String::from_utf8_lossy(&output.stdout).contains("| training |      64 |"));
    if !home.path().join("mnist").exists() {
        std::fs::rename(home.path().join("MNIST"), home.path().join("mnist")).unwrap();
        let output = run(&["data", "--data", "mnist"], home.path());
        assert!(String::from_utf8_lossy(&output.stderr).contains("./mnist"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn paths_that_are_no_text_are_taken() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd = |end: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(end));
    std::fs::rename(little_mnist(folder.path()), odd(b"m\xff")).unwrap();
    let output = command(&["data", "--data"]).arg(odd(b"m\xff")).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("64"), "{}", String::from_utf8_lossy(&output.stderr));
    let output = command(&QUICK).arg("--out").arg(odd(b"out\xff")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(odd(b"out\xff").join("records.jsonl").is_file());
    let output = command(&["budget", "--weights", "9", "--arch"]).arg(odd(b"a\xff.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be read"));
}

/// An array of extended precision.
fn long_double() -> Vec<u8> {
    let header = "{'descr': '<f16', 'fortran_order': False, 'shape': (1, 1), }\n";
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat()
}

#[test]
fn files_that_are_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let npy = |name: &str, array: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        array(&mut bytes);
        write(name, &bytes)
    };
    let page = b"<!DOCTYPE html>\n<html><body>Sign in</body></html>";
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    let utf16: Vec<u8> = "[[rate]]\nwidth = 8\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let good = npy("good.npy", &|bytes| array![[1.0, 2.0], [3.0, 4.0]].write_npy(bytes).unwrap());

    // Of the four files.
    let data = little_mnist(folder.path());
    let images = std::fs::read(format!("{data}/train-images-idx3-ubyte")).unwrap();
    let mut colours = images.clone();
    colours[3] = 4;
    let mut packed = Vec::new();
    for times in 0..2 {
        let plain = if times == 0 { images.clone() } else { packed.clone() };
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &plain).unwrap();
        packed = encoder.finish().unwrap();
    }
    let first = "m/train-images-idx3-ubyte";
    std::fs::remove_file(folder.path().join(first)).unwrap();
    for (bytes, words) in [
        (&page[..], &["a web page (HTML)", "train-images-idx3-ubyte.gz ADDRESS"][..]),
        (pointer, &["a Git LFS pointer", "lfs pull"]),
        (b"PK\x03\x04", &["a ZIP archive", "cut short"]),
        (&packed, &["compressed with gzip", "compressed twice"]),
        (&colours, &["bytes in 4 dimensions", "without colours"]),
        (&std::fs::read(format!("{data}/t10k-labels-idx1-ubyte")).unwrap(), &["1 dimension", "one of labels"]),
        (b"1,2,3\n", &["a table of numbers as text, separated by commas"]),
        (b"", &["truncated"]),
    ] {
        write(&format!("{first}.gz"), bytes);
        refused(&["data", "--data", &data], &[&["train-images-idx3-ubyte.gz"], words].concat());
    }
    std::fs::remove_file(folder.path().join(format!("{first}.gz"))).unwrap();
    refused(&["data", "--data", &data], &["does not exist", "which has t10k-images-idx3-ubyte"]);
    let kaggle = write("m/train-images.idx3-ubyte", &images);
    done(&["data", "--data", &data]);
    refused(&["data", "--data", &kaggle], &["neither a folder", &format!("the folder that it is in, {data}")]);
    std::fs::create_dir_all(folder.path().join("torch/MNIST")).unwrap();
    std::fs::rename(&data, folder.path().join("torch/MNIST/raw")).unwrap();
    std::fs::rename(
        folder.path().join("torch/MNIST/raw/train-images.idx3-ubyte"),
        folder.path().join("torch/MNIST/raw/train-images-idx3-ubyte"),
    )
    .unwrap();
    let outer = folder.path().join("torch").to_str().unwrap().to_string();
    done(&["data", "--data", &outer]);

    // Of matrices: by --data, and for a pair.
    let cases = [
        (write("a.csv", b"x,y\n1,2\n"), "separated by commas", "a-matrix.npy', numpy.loadtxt"),
        (write("b.npy", page), "a web page", "curl"),
        (write("c.pt", b"\x80\x02\x8a\x0a"), "a Python pickle", "torch"),
        (write("d.h5", b"\x89HDF\r\n\x1a\n"), "an HDF5 file", "h5py"),
        (write("e.npy", pointer), "Git LFS", "lfs pull"),
        (write("f.npy", &long_double()), "floats of another size", "f-matrix.npy', a.astype('<f8')"),
    ];
    for (path, words, remedy) in &cases {
        refused(&["distance", "--data", path], &[path, words, remedy]);
        refused(&["kernel", "--x", &good, "--y", path, "--connectivity", "0.5"], &[path, words, remedy]);
    }
    let unnamed = write("vectors", &std::fs::read(&good).unwrap());
    refused(&["data", "--data", &unnamed], &["does not end in .npy", &format!("mv {unnamed} {unnamed}.npy")]);
    assert!(sparsewidth(&["kernel", "--x", &unnamed, "--y", &good, "--connectivity", "0.5"]).status.success());

    // Of learning rates, shapes, weights and records.
    let rates = |path: &str, words: &[&str]| refused(&["train", "--widths", "8", "--rates", path], words);
    rates(&write("utf16.toml", &utf16), &["text in UTF-16", "iconv -f UTF-16 -t UTF-8"]);
    rates(&write("tune.json", b"{\"spec\": 1}"), &["text in JSON", "give the rates.toml"]);
    rates(&write("page.toml", page), &["a web page (HTML)"]);
    rates(folder.path().to_str().unwrap(), &["is a folder", "rates.toml"]);
    rates(&write("marked.toml", b"\xef\xbb\xbfrate = []\n"), &["no rate for the sparse network relu:8 linear:10"]);
    refused(&["budget", "--weights", "9", "--arch", &write("s.toml", &utf16)], &["text in UTF-16"]);
    let header = br#"{"conv1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let other = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    let weights = |path: &str, words: &[&str]| refused(&["evaluate", path], words);
    weights(&write("other.safetensors", &other), &["no perceptron", "conv1.weight", "--keep-weights"]);
    weights(&write("w.safetensors", pointer), &["Git LFS", "lfs pull"]);
    weights(&write("w.pt", b"\x80\x04\x95"), &["a Python pickle", "--keep-weights"]);
    weights(&good, &["a NumPy array", "--keep-weights"]);
    weights(folder.path().to_str().unwrap(), &["is a folder"]);

    let study = folder.path().join("study").to_str().unwrap().to_string();
    let quick = [&QUICK[..], &["--widths", "8,16", "--out", &study]].concat();
    let records = done(&quick);
    for name in ["journal.jsonl", "records.jsonl"] {
        let text = std::fs::read(format!("{study}/{name}")).unwrap();
        write(&format!("study/{name}"), &[b"\xef\xbb\xbf", &text[..]].concat());
    }
    assert_eq!(done(&quick), records, "goes on from a journal that an editor has marked");
    let file = format!("{study}/records.jsonl");
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, [b"\xef\xbb\xbf", &text[..]].concat()).unwrap();
    let redrawn = folder.path().join("redrawn").to_str().unwrap().to_string();
    assert!(sparsewidth(&["figure", "--from", &study, "--out", &redrawn]).status.success());
    refused(&["figure", "--from", &file], &["is a file", "--from"]);
    let wide: Vec<u8> = String::from_utf8(text).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, wide).unwrap();
    refused(&["figure", "--from", &study], &["text in UTF-16", "iconv"]);
}

#[test]
fn defaults_suit_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let run = |arguments: &[&str]| {
        let output = sparsewidth(arguments);
        let (text, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{arguments:?}: {notes}");
        (text, notes)
    };
    let derived = "Widths: 8,11,14,16,17,19,20. The usual";
    let quick = ["--pairs", "20", "--initialisations", "2"];
    let (text, notes) = run(&[&["distance", "--data", &data, "--methods", "sampled"], &quick[..]].concat());
    assert!(text.contains("n = 20") && notes.contains(derived), "{text} {notes}");
    // No word where the usual ones fit, none where it should be quiet.
    let (_, notes) = run(&["distance", "--data", "gaussian:20,50", "--methods", "paper"]);
    assert!(!notes.contains("Widths"), "{notes}");
    let (_, notes) = run(&["distance", "--data", &data, "--methods", "paper", "--quiet"]);
    assert_eq!(notes, "");

    let tune = ["tune", "--data", &data, "--epochs", "9", "--runs", "1", "--lowest", "1", "--highest", "4"];
    let (_, notes) = run(&[&tune[..], &["--out", &out("tune")]].concat());
    assert!(notes.contains(derived) && notes.contains("on 16 of the 64 training images"), "{notes}");
    assert!(notes.contains("all 64 samples"), "{notes}");
    let rates = std::fs::read_to_string(out("tune/rates.toml")).unwrap();
    assert!(
        rates.contains("48 training and 16 validation samples") && rates.matches("[[rate]]").count() == 7,
        "{rates}"
    );

    refused(
        &["figure", "--data", &data, "--out", &out("no")],
        &["784", "have 16", "sparsewidth tune --data", "--rates"],
    );
    refused(
        &["train", "--data", &data, "--widths", "8"],
        &["--learning-rate", "MNIST", &format!("tune --data {data} --widths 8")],
    );
    let (text, _) = run(&[
        &["figure", "--data", &data, "--rates", &out("tune/rates.toml"), "--epochs", "2", "--out", &out("figure")],
        &quick[..],
    ]
    .concat());
    assert!(text.contains("| 20 ") || text.contains(" 20 |"), "{text}");

    let verify = ["verify", "--data", &data, "--widths", "8", "--initialisations", "1000", "--pairs", "2"];
    let (_, notes) = run(&verify);
    assert!(notes.contains("100 weights per row, more than the 16 inputs"), "{notes}");

    let (_, notes) = run(&["heatmap", "--data", &data, "--epochs", "1", "--out", &out("heatmap")]);
    assert!(notes.contains("widths 160,320,640, which do not fit 130 weights"), "{notes}");
    let search = ["--tuning-runs", "1", "--lowest", "1", "--highest", "2", "--runs", "1", "--epochs", "2"];
    let (_, notes) = run(&[&["widen", "--data", &data, "--out", &out("widen")], &quick[..], &search].concat());
    assert!(notes.contains("Widths: 8,11,14,16,17,19. The usual") && notes.contains("on 16 of the 64"), "{notes}");
}

/// The commands, each with arguments that are well formed, so that what is refused is the option.
const COMMANDS: [(&str, &[&str]); 17] = [
    ("figure", &["--from", "nowhere"]),
    ("kernel", &["--x", "x.npy", "--y", "y.npy", "--connectivity", "0.5"]),
    ("distance", &["--methods", "paper"]),
    ("predict", &[]),
    ("optimum", &[]),
    ("train", &["--widths", "8"]),
    ("tune", &[]),
    ("heatmap", &[]),
    ("widen", &[]),
    ("merge", &["a", "--out", "b"]),
    ("evaluate", &["a.safetensors"]),
    ("verify", &[]),
    ("budget", &["--arch", "mlp:4-2-1", "--weights", "5"]),
    ("masks", &["a.npz"]),
    ("data", &[]),
    ("completions", &["bash"]),
    ("man", &[]),
];

#[test]
fn options_that_would_do_nothing_are_refused_and_not_shown() {
    let without_pairs =
        ["kernel", "predict", "optimum", "train", "tune", "heatmap", "widen", "merge", "evaluate", "verify", "budget"];
    let without_pairs = [&without_pairs[..], &["masks", "data", "completions", "man"]].concat();
    let shown_but_refused = [
        ("device", "figure"),
        ("device", "distance"),
        ("memory", "figure"),
        ("memory", "distance"),
        ("seed", "figure"),
        ("seed", "budget"),
        ("seed", "data"),
        ("threads", "figure"),
        ("threads", "budget"),
    ];
    for (option, value, refusing) in [
        ("seed", "1", &["figure", "merge", "evaluate", "completions", "man", "budget", "data"][..]),
        ("threads", "2", &["figure", "merge", "evaluate", "budget", "data", "completions", "man"]),
        ("device", "cpu", &[&without_pairs[..], &["distance", "figure"]].concat()),
        ("memory", "5", &[&without_pairs[..], &["distance", "figure"]].concat()),
        ("json", "", &["completions", "man"]),
    ] {
        for (command, arguments) in COMMANDS {
            let help = done(&[command, "--help"]);
            let long = format!("--{option}");
            let mut all = [&[command], arguments].concat();
            all.push(&long);
            if !value.is_empty() {
                all.push(value);
            }
            if refusing.contains(&command) {
                refused(&all, &[&long]);
                let shown = shown_but_refused.contains(&(option, command));
                assert_eq!(help.contains(&format!("      {long}")), shown, "{command} {option}: {help}");
            } else {
                assert!(help.contains(&long), "{command} takes {option}");
            }
        }
    }
    // Of the figure by itself, not by --from.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for option in [["--device", "cpu"], ["--memory", "5"]] {
        refused(&[&["figure", "--reference", "dense:10", "--out", out], &option[..]].concat(), &[option[0]]);
    }
    // Before the command as well, and where only the other options say that it does nothing.
    refused(&["--seed", "1", "evaluate", "a.safetensors"], &["--seed", "random"]);
    let folder = tempfile::tempdir().unwrap();
    let x = folder.path().join("x.npy");
    array![[1.0, 2.0]].write_npy(std::fs::File::create(&x).unwrap()).unwrap();
    let x = x.to_str().unwrap();
    let kernel = ["kernel", "--x", x, "--y", x, "--connectivity", "0.5", "--method"];
    // Names of earlier versions.
    assert_eq!(done(&[&kernel[..], &["MOMENTS"]].concat()), done(&[&kernel[..], &["expansion"]].concat()));
    let study = ["distance", "--data", "gaussian:5,20", "--widths", "4", "--weights", "20", "--methods"];
    let earlier = done(&[&study[..], &["moments,Moments-All,paper_even"]].concat());
    assert_eq!(earlier, done(&[&study[..], &["expansion,expansion_all,paper_fixed_np"]].concat()));
    for (method, option, taken) in [
        ("enumerate", "--masks", false),
        ("enumerate", "--seed", false),
        ("expansion", "--tolerance", false),
        ("sampling", "--tolerance", false),
        ("sampling", "--masks", true),
        ("quadrature", "--tolerance", true),
        ("auto", "--seed", true),
    ] {
        let value = if option == "--tolerance" { "0.01" } else { "100" };
        let arguments = [&kernel[..], &[method, option, value]].concat();
        if taken {
            done(&arguments);
        } else {
            refused(&arguments, &[option, "leave it out"]);
        }
    }
    let distance = |methods: &str, option: &str| {
        refused(
            &["distance", "--data", "gaussian:5,20", "--methods", methods, option, "50"],
            &[option, "leave it out"],
        );
    };
    distance("theorem1", "--initialisations");
    distance("sampled", "--masks");
    distance("expansion_all", "--pairs");
    distance("paper", "--pairs");
    done(&["data", "--data", "gaussian:5,20", "--threads", "1"]);
    refused(&["distance", "--methods", "theorem1", "--mask", "exact-count"], &["--mask", "leave it out"]);
    done(&["data", "--data", "gaussian:5,20", "--seed", "3"]);
    done(&[
        "budget",
        "--arch",
        "mlp:4-2-1",
        "--weights",
        "5",
        "--masks",
        "--out",
        folder.path().to_str().unwrap(),
        "--seed",
        "3",
    ]);
}
