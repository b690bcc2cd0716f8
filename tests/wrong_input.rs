//! Wrong input, through the program: exit code 2, and a message that names the option or file, the value, and the
//! remedy.

mod program;

use flate2::{Compression, write::GzEncoder};
use ndarray::{Array1, Array2, Array3, array};
use ndarray_npy::WriteNpyExt;
use program::{refused, sparsewidth};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_string()
    }

    fn bytes(&self, name: &str, bytes: &[u8]) -> String {
        let path = PathBuf::from(self.path(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        self.path(name)
    }

    fn npy(&self, name: &str, array: &impl WriteNpyExt) -> String {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        self.bytes(name, &bytes)
    }
}

const KINDS: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A sound little data set: three images of 2 x 2 pixels for training, two for testing.
fn idx(kind: &str) -> Vec<u8> {
    let count = if kind.starts_with("train") { 3u8 } else { 2 };
    let mut bytes = vec![0, 0, 8, if kind.contains("images") { 3 } else { 1 }, 0, 0, 0, count];
    if kind.contains("images") {
        bytes.extend([0, 0, 0, 2, 0, 0, 0, 2]);
        bytes.extend((0..count * 4).map(|pixel| pixel * 20));
    } else {
        bytes.extend(0..count);
    }
    bytes
}

/// What is done to the bytes of a file; none: the file is left out.
type Change = fn(Vec<u8>) -> Option<Vec<u8>>;

/// A folder with the four files, one of them changed.
fn mnist(files: &Files, name: &str, changed: &str, change: Change) -> String {
    for kind in KINDS {
        let bytes = if kind == changed { change(idx(kind)) } else { Some(idx(kind)) };
        if let Some(bytes) = bytes {
            files.bytes(&format!("{name}/{kind}"), &bytes);
        }
    }
    files.path(name)
}

#[test]
fn the_little_data_set_itself_is_sound() {
    let files = Files::new();
    let folder = mnist(&files, "sound", "", Some);
    let output = sparsewidth(&["data", "--data", &folder]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packed = mnist(&files, "packed", KINDS[0], |_| None);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, &idx(KINDS[0])).unwrap();
    files.bytes(&format!("packed/{}.gz", KINDS[0]), &encoder.finish().unwrap());
    let same = sparsewidth(&["data", "--data", &packed, "--json"]).stdout;
    let sound = sparsewidth(&["data", "--data", &folder, "--json"]).stdout;
    let checksum = |bytes: &[u8]| String::from_utf8_lossy(bytes).split("sha256").nth(1).unwrap()[..70].to_string();
    assert_eq!(checksum(&same), checksum(&sound));
}

#[test]
fn data_folders() {
    let files = Files::new();
    let cases: [(&str, &str, Change, &[&str]); 9] = [
        ("missing", KINDS[0], |_| None, &["does not exist"]),
        ("no labels", KINDS[3], |_| None, &["does not exist"]),
        (
            "cut",
            KINDS[2],
            |mut b| {
                b.pop();
                Some(b)
            },
            &["truncated"],
        ),
        ("cut header", KINDS[1], |b| Some(b[..5].to_vec()), &["truncated"]),
        ("empty", KINDS[1], |_| Some(vec![]), &["truncated"]),
        (
            "magic",
            KINDS[0],
            |mut b| {
                b[2] = 9;
                Some(b)
            },
            &["IDX file of signed bytes"],
        ),
        (
            "long",
            KINDS[2],
            |mut b| {
                b.push(1);
                Some(b)
            },
            &["wrong length"],
        ),
        (
            "counts",
            KINDS[1],
            |mut b| {
                b[7] = 2;
                b.pop();
                Some(b)
            },
            &["2 labels for 3 images"],
        ),
        ("gzip", KINDS[0], |_| Some(vec![0x1f, 0x8b, 8, 0, 1]), &["gzip stream is damaged"]),
    ];
    for (name, changed, change, words) in cases {
        let folder = mnist(&files, name, changed, change);
        for command in ["data", "figure", "distance"] {
            let out = files.path("never");
            let mut arguments = vec![command, "--data", &folder];
            if command != "data" {
                arguments.extend(["--out", &out]);
            }
            refused(&arguments, &[words, &[changed]].concat());
            assert!(!Path::new(&out).exists(), "{name}: {command} left a folder");
        }
    }
    refused(&["data", "--data", &files.path("nowhere")], &["nowhere", "neither an existing folder"]);
    let sizes = mnist(&files, "sizes", KINDS[2], |mut b| {
        b[11] = 1;
        b.truncate(20);
        Some(b)
    });
    refused(&["train", "--data", &sizes, "--widths", "8"], &["training images are (2, 2), test images (1, 2)"]);
}

fn big_endian() -> Vec<u8> {
    let mut bytes = header("(2, 5)");
    bytes[21] = b'>';
    bytes
}

/// A header that promises a shape, before 80 bytes.
fn header(shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    text += &" ".repeat(117 - text.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(text.bytes());
    bytes.push(b'\n');
    bytes.resize(128 + 80, 0);
    bytes
}

#[test]
fn npy_files() {
    let files = Files::new();
    let good = files.npy("good.npy", &array![[1.0, 2.0], [3.0, 4.0]]);
    let cases = [
        ("nan", files.npy("nan.npy", &array![[1.0, f64::NAN], [0.0, 0.0]]), "entry [0, 1] is NaN"),
        ("infinite", files.npy("infinite.npy", &array![[1.0, 0.0], [f64::INFINITY, 0.0]]), "entry [1, 0] is inf"),
        ("three axes", files.npy("axes.npy", &Array3::<f64>::ones((1, 1, 2))), "shape (1, 2)"),
        ("no rows", files.npy("empty.npy", &Array2::<f64>::zeros((0, 2))), "is empty"),
        ("not npy", files.bytes("text.npy", b"words"), "not a complete and valid .npy file"),
        ("cut", files.bytes("cut.npy", &std::fs::read(&good).unwrap()[..140]), "not a complete and valid .npy file"),
        ("missing", files.path("missing.npy"), "cannot be read"),
        ("other rows", files.npy("rows.npy", &Array2::<f64>::ones((3, 2))), "shape (3, 2)"),
        ("other length", files.npy("length.npy", &Array1::<f64>::ones(3)), "shape (1, 3)"),
        ("huge", files.npy("huge.npy", &array![[1e80, 2.0], [3.0, 4.0]]), "entry [0, 0] is 1e80"),
        ("tiny", files.npy("tiny.npy", &array![[1e-80, 0.0], [3.0, 4.0]]), "largest entry is 1e-80"),
        ("impossible shape", files.bytes("shape.npy", &header("(0, 18446744073709551615)")), "beyond any memory"),
        ("cut big-endian", files.bytes("endian.npy", &big_endian()[..200]), "72 bytes follow its header"),
        ("lying header", files.bytes("lies.npy", &header("(100000000000, 10)")), "not a complete and valid .npy file"),
    ];
    for (name, path, words) in &cases {
        println!("{name}");
        refused(&["kernel", "--x", &good, "--y", path, "--connectivity", "0.5"], &[words]);
    }
    refused(&["data", "--data", &cases[0].1], &["nan.npy", "NaN"]);
    let one = files.npy("one.npy", &array![1.0, 2.0]);
    refused(&["distance", "--data", &one], &["inputs = 1", "a pair needs two"]);
    refused(&["train", "--data", &good, "--widths", "8"], &["good.npy", "labels"]);
    refused(&["figure", "--data", "gaussian:10"], &["gaussian:10", "labels"]);
}

#[test]
fn numbers() {
    let files = Files::new();
    let x = files.npy("x.npy", &array![1.0, 2.0]);
    for connectivity in ["0", "1.5", "NaN", "-0.1", "inf"] {
        let option = format!("--connectivity={connectivity}");
        refused(&["kernel", "--x", &x, "--y", &x, &option], &["connectivity = ", "(0, 1]"]);
        refused(&["train", "--widths", "8", "--learning-rate", "1", &option], &["connectivity = ", "(0, 1]"]);
    }
    let kernel = |more: &[&str], words: &[&str]| {
        refused(&[&["kernel", "--x", &x, "--y", &x, "--connectivity", "0.5"], more].concat(), words);
    };
    kernel(&["--connectivity", "half"], &["--connectivity"]);
    kernel(&["--width", "0"], &["--width = 0"]);
    kernel(&["--width=-3"], &["--width"]);
    kernel(&["--method", "paper"], &["add --width"]);
    kernel(&["--method", "guess"], &["--method", "enumerate"]);
    kernel(&["--masks", "5"], &["masks = 5", "at least 32"]);
    kernel(&["--tolerance", "0"], &["tolerance = 0", "1e-6"]);
    kernel(&["--method", "quadrature", "--tolerance", "NaN"], &["tolerance = NaN"]);
    let many: Array1<f64> = Array1::from_iter((1..=40).map(f64::from));
    let (many, squares) = (files.npy("many.npy", &many), files.npy("squares.npy", &(&many * &many)));
    let enumerate = ["kernel", "--x", &many, "--y", &squares, "--connectivity", "0.5", "--method", "enumerate"];
    refused(&enumerate, &["1.1e12 terms", "quadrature"]);

    refused(&["distance", "--widths", "0"], &["width = 0"]);
    refused(&["distance", "--widths", "8,636"], &["weights = 6352", "width 636", "from 6361"]);
    refused(&["distance", "--weights", "9"], &["weights = 9", "width 8", "too small"]);
    refused(&["distance", "--weights", "100000", "--widths", "8"], &["weights = 100000", "too large"]);
    refused(&["distance", "--networks", "8"], &["networks = 8", "WIDTH:CONNECTIVITY"]);
    refused(&["distance", "--networks", "8:2"], &["connectivity = 2"]);
    refused(&["distance", "--networks", "0:1"], &["width = 0"]);
    refused(&["distance", "--networks", "8:1", "--methods", "paper_fixed_np"], &["paper_fixed_np", "--weights"]);
    refused(&["distance", "--networks", "8:1", "--weights", "100"], &["--networks", "--weights"]);
    refused(&["distance", "--methods", "theorem1_fixed_count"], &["theorem1_fixed_count", "Bernoulli", "--mask"]);
    refused(&["distance", "--methods", "magic"], &["magic", "theorem1"]);
    let all = ["distance", "--data", "gaussian:20,900", "--networks", "5000:0.5", "--methods", "sampled_all"];
    refused(
        &[&all[..], &["--memory", "20", "--threads", "2"]].concat(),
        &["memory = 20 MB", "width 5000", "give more"],
    );
    refused(&[&all[..], &["--memory", "0"]].concat(), &["--memory"]);
    refused(
        &[&all[..], &["--reference", "dense:10"]].concat(),
        &["reference = dense:10", "closed form", "sampled_all"],
    );
    refused(&["distance", "--pairs", "0"], &["pairs = 0"]);
    refused(&["distance", "--initialisations", "0"], &["initialisations = 0"]);
    refused(&["distance", "--masks", "1"], &["masks = 1"]);
    refused(&["distance", "--tolerance", "1"], &["tolerance = 1"]);
    refused(&["optimum", "--weights", "5"], &["weights = 5", "larger budget"]);
    refused(&["optimum", "--pairs", "0"], &["pairs = 0"]);
    refused(&["optimum", "--tolerance=-1"], &["tolerance = -1"]);
    refused(&["optimum", "--data", "gaussian:8", "--normalisation", "unit"], &["unit", "global"]);
    refused(&["verify", "--initialisations", "10"], &["initialisations = 10", "from 1000"]);
    refused(&["verify", "--widths", "0"], &["width = 0"]);
    refused(&["verify", "--weights-per-row", "0.5"], &["weights-per-row = 0.5"]);
    refused(&["verify", "--pairs", "0"], &["pairs = 0"]);
    refused(&["verify", "--normalisation", "pixel"], &["--data"]);
    refused(&["distance", "--reference", "dense:0"], &["dense:0", "analytic"]);
    refused(&["distance", "--reference", "wide"], &["wide", "analytic"]);
    refused(&["distance", "--data", "gaussian:0"], &["gaussian:0", "gaussian:784"]);
    refused(&["distance", "--data", "gaussian:many"], &["gaussian:many"]);
    refused(&["distance", "--data", "gaussian:5,1"], &["gaussian:5,1", "samples at least 2"]);
    refused(&["distance", "--data", ""], &["names no data", "gaussian:D"]);
    refused(&["distance", "--data", "Cargo.toml"], &["Cargo.toml", "neither a folder nor a .npy or .npz file"]);
    refused(&["distance", "--normalisation", "unit"], &["unit", "pixel"]);
    refused(&["distance", "--seed", "x"], &["--seed"]);
    refused(&["distance", "--widths", "8,8"], &["networks = 8:1", "given twice"]);
    refused(&["distance", "--methods", "paper,expansion,paper"], &["methods = paper", "given twice"]);
    refused(&["distance", "--normalisation", "pixel,pixel"], &["normalisation = pixel", "given twice"]);
    refused(&["train", "--widths", "8,8"], &["networks = sparse-8", "given twice"]);
    // Beyond what can be numbered or held: refused before any work.
    let most = "18446744073709551615";
    for option in ["--pairs", "--initialisations", "--masks"] {
        refused(&["distance", option, most], &[&format!("{} = {most}", &option[2..]), "smaller"]);
    }
    for option in ["--runs", "--epochs", "--batch", "--samples"] {
        refused(&["train", "--widths", "8", option, most], &[&format!("{} = {most}", &option[2..]), "smaller"]);
    }
    refused(&["distance", "--networks", "1000000000000:1e-9"], &["width = 1000000000000"]);
    refused(&["train", "--widths", "1000000000000", "--dense", "--learning-rate", "1"], &["width = 1000000000000"]);
    refused(
        &["train", "--widths", "3000000", "--dense", "--learning-rate", "1"],
        &["width = 3000000", "GB in training"],
    );
    refused(&["distance", "--reference", "dense:1000000000000"], &["dense:1000000000000"]);
    refused(&["data", "--data", "gaussian:2147483648,2147483648"], &["gaussian:2147483648", "at most"]);
    refused(&["optimum", "--threads", "0"], &["--threads = 0"]);
    refused(&["data", "--device", "cuda"], &["--device = cuda", "all pairs", "leave it out"]);

    refused(&["train", "--widths", "0"], &["width = 0"]);
    refused(&["train", "--widths", "100"], &["width = 100", "--learning-rate"]);
    refused(&["train", "--widths", "8", "--weights", "100"], &["--learning-rate", "the paper's budget"]);
    refused(&["train", "--widths", "8", "--epochs", "0"], &["epochs = 0"]);
    refused(&["train", "--widths", "8", "--batch", "0"], &["batch = 0"]);
    refused(&["train", "--widths", "8", "--runs", "0"], &["runs = 0"]);
    refused(&["train", "--widths", "8", "--samples", "0"], &["samples = 0"]);
    refused(&["train", "--widths", "8", "--learning-rate", "0"], &["learning-rate = 0"]);
    refused(&["train", "--widths", "8", "--learning-rate", "NaN"], &["learning-rate = NaN"]);
    refused(&["train"], &["--widths"]);
    let one = ["train", "--widths", "8", "--learning-rate", "1"];
    refused(&[&one[..], &["--last-connectivity", "0"]].concat(), &["connectivity = 0"]);
    refused(&[&one[..], &["--last-connectivity", "0.9"]].concat(), &["weights = 6352", "too large"]);
    refused(&[&one[..], &["--activation", "tanh"]].concat(), &["tanh", "relu"]);
    refused(&[&one[..], &["--parametrisation", "mup"]].concat(), &["mup", "standard"]);
    refused(&[&one[..], &["--keep-weights"]].concat(), &["--out"]);
    refused(&["train", "--widths", "8", "--parametrisation", "standard"], &["--learning-rate", "parametrisation"]);
    refused(&["figure", "--widths", "8,100"], &["--widths = 100", "tuned learning rates", "tune --widths 100"]);
    refused(&["figure", "--from", "nowhere", "--widths", "8"], &["--from", "--widths"]);
    refused(&["figure", "--biases"], &["--rates", "without biases"]);
    refused(&["train", "--widths", "8", "--activation", "linear"], &["--learning-rate", "ReLU"]);
    refused(&["figure", "--seeds", "0"], &["runs = 0"]);
    let tune = |more: &[&str], words: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("tune").display().to_string();
        refused(&[&["tune", "--widths", "8", "--out", &out], more].concat(), words);
        assert!(!Path::new(&out).exists(), "{more:?} left something behind");
    };
    tune(&["--lowest", "0"], &["lowest = 0"]);
    tune(&["--lowest", "8", "--highest", "4"], &["highest = 4", "lowest rate, 8"]);
    tune(&["--lowest", "1e-30", "--highest", "1e30"], &["less than 2^64 times"]);
    tune(&["--validation", "2048"], &["validation = 2048", "smaller"]);
    tune(&["--validation", "0"], &["validation = 0"]);
    tune(&["--widths", "636"], &["weights = 6352", "too small"]);
    tune(&["--runs", "0"], &["runs = 0"]);
    let heatmap = |more: &[&str], words: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("heatmap").display().to_string();
        refused(&[&["heatmap", "--out", &out], more].concat(), words);
        assert!(!Path::new(&out).exists(), "{more:?} left something behind");
    };
    heatmap(&["--widths", "40,0"], &["width = 0"]);
    heatmap(&["--widths", "4"], &["weights = 3970", "too large"]);
    heatmap(&["--widths", "1000", "--last", "0.5"], &["weights = 3970", "too small", "last layer"]);
    heatmap(&["--last", "1.5"], &["connectivity = 1.5"]);
    heatmap(&["--last", "1,1"], &["networks = sparse-5", "given twice"]);
    heatmap(&["--weights", "0"], &["weights = 0"]);
    heatmap(&["--learning-rate", "inf"], &["learning-rate = inf"]);
    heatmap(&["--runs", "0"], &["runs = 0"]);
    heatmap(&["--data", "gaussian:10"], &["gaussian:10", "labels"]);
    let widen = |more: &[&str], words: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("widen").display().to_string();
        refused(&[&["widen", "--out", &out], more].concat(), words);
        assert!(!Path::new(&out).exists(), "{more:?} left something behind");
    };
    widen(&["--bottlenecks", "3,3"], &["bottlenecks = 3", "given twice"]);
    refused(&["distance", "--outputs", "18446744073709551615"], &["outputs = 18446744073709551615", "smaller"]);
    widen(&["--ways", "dense"], &["dense", "linear-bottleneck"]);
    widen(&["--widths", "636"], &["weights = 6352", "too small", "width 636"]);
    widen(&["--ways", "deep-sparse", "--widths", "0"], &["width = 0"]);
    widen(&["--ways", "sparse,sparse"], &["networks = sparse-8", "given twice"]);
    widen(&["--ways", "linear-bottleneck", "--bottlenecks", "9"], &["weights = 6352", "at least 7146"]);
    widen(&["--ways", "nonlinear-bottleneck", "--bottlenecks", "0"], &["bottleneck = 0", "from 1 to"]);
    widen(&["--ways", "nonlinear-bottleneck", "--weights", "700"], &["weights = 700", "at least 795"]);
    widen(&["--ways", "sparse", "--widths", "8,8"], &["width = 8", "two networks"]);
    widen(&["--ways", "deep-sparse", "--widths", "100000", "--weights", "1100000"], &["10000000000", "smaller"]);
    widen(&["--weights", "0"], &["weights = 0"]);
    widen(&["--pairs", "0"], &["pairs = 0"]);
    widen(&["--runs", "0"], &["runs = 0"]);
    widen(&["--tuning-runs", "0"], &["runs = 0"]);
    widen(&["--initialisations", "0"], &["initialisations = 0"]);
    widen(&["--lowest", "0"], &["lowest = 0"]);
    widen(&["--rates", "rates.toml", "--tuning-runs", "1"], &["--rates", "--tuning-runs"]);
    widen(&["--rates", "nowhere.toml"], &["nowhere.toml", "cannot be read"]);
    widen(&["--data", "gaussian:10"], &["gaussian:10", "labels"]);
    let budget = |arch: &str, more: &[&str], words: &[&str]| {
        refused(&[&["budget", "--arch", arch], more].concat(), words);
    };
    budget("vgg16", &["--weights", "100"], &["vgg16", "resnet18:64"]);
    budget("mlp:784", &["--weights", "100"], &["mlp:784", "inputs and outputs"]);
    budget("mlp:784-216-10", &["--weights", "171505"], &["weights = 171505", "from 1 to 171504"]);
    budget("mlp:784-216-10", &["--weights", "0"], &["weights = 0"]);
    budget("mlp:784-216-10", &["--weights", "2000", "--rule", "last-dense"], &["from 2160 to 171504"]);
    budget("mlp:784-216-10", &["--weights", "2000", "--rule", "smallest-first"], &["smallest-first", "erk"]);
    budget("mlp:784-216-10", &["--weights", "2000", "--masks"], &["--out"]);
    budget("mlp:784-216-10", &["--weights", "2000", "--positions", "channels"], &["--masks"]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    budget("mlp:70000-70000-10", &["--weights", "1000", "--masks", "--out", &out], &["a byte per weight", "fewer"]);
    assert!(!Path::new(&out).exists());
    budget("nowhere.toml", &["--weights", "2000"], &["nowhere.toml", "cannot be read"]);
    budget("mlp:784-216-10", &[], &["--weights"]);
    refused(&["fugure"], &["fugure", "figure"]);
    refused(&[], &["Usage"]);
}

#[test]
fn folders_and_journals() {
    let files = Files::new();
    let file = files.bytes("file", b"not a folder");
    let inside = format!("{file}/out");
    let quick = ["distance", "--data", "gaussian:5,20", "--widths", "8", "--methods", "paper"];
    let with_out = |out: &str, seed: &str, words: &[&str]| {
        refused(&[&quick[..], &["--out", out, "--seed", seed]].concat(), words);
    };
    with_out(&inside, "1", &["file/out", "cannot be made", "--out"]);
    refused(&["figure", "--out", &inside], &["file/out", "cannot be made"]);

    let out = files.path("study");
    assert!(sparsewidth(&[&quick[..], &["--out", &out, "--seed", "1"]].concat()).status.success());
    with_out(&out, "2", &["another study", "it was written with seed = 1, expected 2", "--out"]);
    let journal = format!("{out}/journal.jsonl");
    let sound = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, sound.replace("record", "recrod")).unwrap();
    with_out(&out, "1", &["journal.jsonl", "line 2", "corrupt", "delete"]);
    std::fs::write(&journal, "garbage\n").unwrap();
    with_out(&out, "1", &["journal.jsonl", "line 1", "corrupt"]);
    std::fs::write(&journal, sound.replace("0.1.0", "0.0.9")).unwrap();
    with_out(&out, "1", &["program version", "0.0.9"]);

    std::fs::write(&journal, "\n\n").unwrap();
    with_out(&out, "1", &["line 1", "corrupt"]);
    // What is refused leaves no journal behind that would refuse the corrected command.
    let study = files.path("corrected");
    refused(&["train", "--widths", "8", "--learning-rate", "nan", "--out", &study], &["learning-rate = NaN"]);
    refused(&[&quick[..], &["--initialisations", "0", "--out", &study]].concat(), &["initialisations = 0"]);
    assert!(!Path::new(&study).exists());
    std::fs::write(&journal, "my own notes, without a newline").unwrap();
    with_out(&out, "1", &["journal.jsonl", "line 1", "corrupt"]);
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), "my own notes, without a newline");

    let text = files.bytes("rates.toml", b"[[rate]]\nwidth = 8\n");
    refused(&["train", "--widths", "8", "--rates", &text], &["rates.toml", "not a file of learning rates", "tune"]);
    refused(&["figure", "--rates", &files.path("no.toml")], &["no.toml", "cannot be read"]);
    let none = files.bytes("none.toml", b"rate = []\n");
    refused(&["figure", "--rates", &none], &["none.toml", "no rate for the sparse network relu:8 linear:10", "tune"]);
    refused(&["train", "--widths", "8", "--rates", &none, "--learning-rate", "1"], &["--rates", "--learning-rate"]);
    refused(&["evaluate", &files.path("no.safetensors")], &["no.safetensors", "cannot be read"]);
    refused(&["evaluate", &text], &["rates.toml", "not a complete and valid safetensors file", "--keep-weights"]);
    // Without an end.
    if Path::new("/dev/zero").exists() {
        refused(&["evaluate", "/dev/zero"], &["/dev/zero", "more than 1 GiB"]);
    }
    // Told before the work: nothing is made for what is refused, and a folder that takes nothing is no surprise at the
    // end.
    let (left, file) = (files.path("left"), files.bytes("plain", b""));
    for command in ["optimum", "verify"] {
        refused(&[command, "--pairs", "0", "--out", &left], &["pairs = 0"]);
        refused(&[command, "--tolerance", "0", "--out", &left], &["tolerance = 0"]);
        refused(&[command, "--out", &file], &["plain", "is a file, not a folder", "--out"]);
        refused(&[command, "--out", "/proc"], &["/proc", "cannot be written", "--out"]);
    }
    assert!(!Path::new(&left).exists());

    refused(&["figure", "--from", &out, "--out", "/proc"], &["/proc", "cannot be written", "--out"]);
    refused(&["figure", "--from", &out, "--protocol", "paper"], &["--from", "--protocol"]);
    refused(&["figure", "--from", &out, "--device", "cuda"], &["--from", "--device"]);
    refused(&["figure", "--from", &out, "--memory", "5"], &["--from", "--memory"]);
    refused(&["figure", "--from", &out, "--shard", "1/2"], &["--from", "--shard"]);
    refused(&["figure", "--from", &files.path("nowhere")], &["nowhere/records.jsonl", "cannot be read"]);
    files.bytes("damaged/records.jsonl", b"{\"kind\":\"distance\"}\n");
    refused(&["figure", "--from", &files.path("damaged")], &["records.jsonl", "line 1 is corrupt"]);
    files.bytes("void/records.jsonl", b"");
    refused(&["figure", "--from", &files.path("void")], &["holds no record"]);
    refused(
        &["figure", "--from", &out, "--out", &format!("{out}/records.jsonl/deeper")],
        &["records.jsonl/deeper", "cannot be"],
    );
}

/// An archive of one array for each name.
fn npz(files: &Files, name: &str, arrays: &[(&str, Array2<f32>)]) -> String {
    let mut archive = ndarray_npy::NpzWriter::new(std::io::Cursor::new(Vec::new()));
    arrays.iter().for_each(|(array, values)| archive.add_array(*array, values).unwrap());
    files.bytes(name, &archive.finish().unwrap().into_inner())
}

#[test]
fn masks_that_are_given() {
    let files = Files::new();
    let ones = || Array2::<f32>::ones((4, 6));
    let good = npz(&files, "good.npz", &[("0.weight", ones()), ("2.weight", Array2::ones((3, 4)))]);
    let data = ["--data", "gaussian:6,9"];
    let masks = |file: &str, more: &[&str], words: &[&str]| {
        refused(&[&["masks", file][..], &data, more].concat(), words);
    };
    refused(&["masks"], &["<FILE>"]);
    refused(&["masks", &files.path("no.npz")], &["no.npz", "cannot be read"]);
    refused(&["masks", files.folder.path().to_str().unwrap()], &["is a folder"]);
    refused(&["masks", &good, "--data", &files.path("no.npy")], &["no.npy"]);
    refused(&["masks", &good], &["4 x 6", "784 inputs", "--data"]);
    refused(&["masks", &good, "--data", "gaussian:7,9"], &["4 x 6", "7 inputs"]);
    for (name, value, words) in [
        ("half.npz", 0.5, "holds 0.5 at entry 0"),
        ("two.npz", 2.0, "holds 2 at entry 0"),
        ("minus.npz", -1.0, "holds -1 at entry 0"),
        ("nan.npz", f32::NAN, "holds NaN at entry 0"),
    ] {
        let file = npz(&files, name, &[("0.weight", ones() * value)]);
        masks(&file, &[], &[name, words, "--zeros-are-masked"]);
    }
    let nan = npz(&files, "weights.npz", &[("0.weight", ones() * f32::INFINITY)]);
    masks(&nan, &["--zeros-are-masked"], &["weights.npz", "holds inf", "finite weights"]);
    let twice = npz(&files, "twice.npz", &[("a", ones()), ("a.weight", ones())]);
    masks(&twice, &[], &["twice.npz", "two arrays for the layer a"]);
    let flat = npz(&files, "flat.npz", &[]);
    masks(&flat, &[], &["flat.npz"]);
    let bytes = std::fs::read(&good).unwrap();
    let short = files.bytes("short.npz", &bytes[..bytes.len() / 2]);
    masks(&short, &[], &["short.npz"]);
    masks(&files.bytes("x.npz", b"PK\x03\x04"), &[], &["x.npz"]);
    masks(&files.bytes("void.npz", b""), &[], &["void.npz", "empty"]);
    masks(&files.bytes("p.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), &[], &["Git LFS"]);
    masks(&files.bytes("t.pt", b"\x80\x02}"), &[], &["t.pt", "pickle"]);
    masks(&files.npy("m.npy", &ones()), &[], &["m.npy", "NumPy array"]);
    let header = br#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,8]}}"#;
    let damaged = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
    masks(&files.bytes("d.safetensors", &damaged), &[], &["d.safetensors"]);
    masks(&good, &["--pairs", "0"], &["pairs = 0"]);
    masks(&good, &["--pairs", "-1"], &["--pairs"]);
    masks(&good, &["--drawn", "1e9"], &["drawn", "100000"]);
    masks(&good, &["--initialisations", "x"], &["--initialisations", "x"]);
    masks(&good, &["--kernel", "gp"], &["gp", "nngp"]);
    masks(&good, &["--kernel", "nngp", "--tangent", "paper"], &["--tangent", "--kernel"]);
    masks(&good, &["--scale", "rows"], &["rows", "fan-in"]);
    masks(&good, &["--shard", "1/2"], &["--shard"]);
    masks(&good, &["--x", "x.npy", "--y", "y.npy"], &["--x", "--data"]);
    masks(&good, &["--out", "/proc"], &["/proc", "cannot be", "--out"]);
    let x = files.npy("x.npy", &Array2::<f64>::ones((2, 5)));
    refused(&["masks", &good, "--x", &x, "--y", &x], &["4 x 6", "5 inputs"]);
    refused(&["masks", "--from", &files.path("nowhere")], &["masks.json", "cannot be read"]);
    refused(&["masks", &good, "--from", &files.path("nowhere")], &["--from"]);
}

#[test]
fn kernel_matrices() {
    let files = Files::new();
    let x = files.npy("x.npy", &Array2::<f64>::ones((3, 4)));
    let longer = files.npy("longer.npy", &Array2::<f64>::ones((3, 5)));
    let mask = npz(&files, "mask.npz", &[("0.weight", Array2::ones((2, 5)))]);
    let out = files.path("k.npy");
    let with = |more: &[&str], words: &[&str]| refused(&[&["kernel", "--matrix", &out][..], more].concat(), words);
    let of_x = |more: &[&str], words: &[&str]| with(&[&["--x", &x][..], more].concat(), words);
    with(&[], &["--matrix", "--x", "--data"]);
    with(&["--y", &x], &["--x"]);
    with(&["--x", &x, "--data", "gaussian:4,5"], &["--x", "--data"]);
    with(&["--x", &files.path("no.npy")], &["no.npy"]);
    of_x(&["--y", &longer], &["4 and 5", "both sets must have the same"]);
    of_x(&["--normalisation", "pixel"], &["--data"]);
    of_x(&["--kernel", "masked"], &["masked", "--connectivity"]);
    of_x(&["--kernel", "given"], &["given", "--mask-file"]);
    of_x(&["--kernel", "masked", "--mask-file", &mask, "--connectivity", "0.5"], &["--mask-file", "--connectivity"]);
    of_x(&["--kernel", "given", "--mask-file", &mask], &["dimension 4", "5 inputs"]);
    of_x(&["--kernel", "cntk"], &["cntk", "ntk"]);
    of_x(&["--connectivity", "0"], &["0"]);
    of_x(&["--connectivity", "1.5"], &["1.5"]);
    of_x(&["--connectivity", "0.5", "--method", "paper"], &["paper", "distance"]);
    of_x(&["--method", "expansion"], &["--method"]);
    of_x(&["--tangent", "paper"], &["--tangent", "--kernel ntk"]);
    of_x(&["--dtype", "float16"], &["float16", "float32"]);
    of_x(&["--width", "5"], &["--width"]);
    of_x(&["--scale", "fan-in"], &["--mask-file"]);
    of_x(&["--connectivity", "0.5", "--masks", "3"], &["masks = 3", "at least 32"]);
    of_x(&["--connectivity", "0.5", "--tolerance", "0"], &["tolerance = 0"]);
    let of_pairs = |more: &[&str], words: &[&str]| refused(&[&["kernel", "--x", &x][..], more].concat(), words);
    of_pairs(&[], &["--y", "--connectivity"]);
    of_pairs(&["--y", &x, "--connectivity", "0.5", "--kernel", "masked"], &["masked", "--matrix"]);
    of_pairs(&["--y", &x, "--connectivity", "0.5", "--dtype", "float32"], &["--matrix"]);
    refused(&["kernel", "--x", &x, "--matrix", &files.path("no/k.npy")], &["no/k.npy", "is not a folder"]);
    refused(&["kernel", "--x", &x, "--matrix", &x], &["x.npy", "exists"]);
    refused(&["kernel", "--x", &x, "--matrix", "/proc/k.npy"], &["/proc"]);
    let large = files.npy("large.npy", &Array2::<f64>::from_elem((2, 4), 1e30));
    refused(&["kernel", "--matrix", &out, "--x", &large, "--dtype", "float32"], &["too large for float32", "--dtype"]);
    assert!(!Path::new(&out).exists());
}

#[test]
fn budgets_as_users_write_them() {
    let files = Files::new();
    let out = files.path("never");
    let budget = |arch: &str, more: &[&str], words: &[&str]| {
        refused(&[&["budget", "--arch", arch], more].concat(), words);
    };
    let mlp = "mlp:784-216-10";
    budget(mlp, &[], &["--weights", "--density", "--sparsity"]);
    budget(mlp, &["--weights", "100", "--density", "0.1"], &["--weights", "--density"]);
    budget(mlp, &["--density", "0.1", "--sparsity", "0.9"], &["--density", "--sparsity"]);
    budget(mlp, &["--density", "0"], &["density = 0", "above 0"]);
    budget(mlp, &["--density", "110%"], &["density = 1.1", "at most 1"]);
    budget(mlp, &["--density", "1e-9"], &["density", "keeps none of 171504 weights", "larger"]);
    budget(mlp, &["--sparsity", "1"], &["sparsity = 1", "below 1"]);
    budget(mlp, &["--sparsity=-0.5"], &["sparsity = -0.5"]);
    budget(mlp, &["--sparsity", "most"], &["--sparsity", "not a number"]);
    for rule in ["er:11", "erk:-1", "erk:", "erk:half"] {
        budget(mlp, &["--density", "0.1", "--rule", rule], &["needs a power from 0 to 10", rule, ":0.5"]);
    }
    budget(mlp, &["--density", "0.1", "--rule", "uniform:2"], &["uniform:2", "is not a rule", "uniform-plus"]);
    budget(mlp, &["--weights", "100", "--rule", "uniform-plus"], &["weights = 100", "from 169776 to 171504"]);
    let keep = |what: &str, words: &[&str]| budget(mlp, &["--density", "0.1", "--keep", what], words);
    keep("layer1", &["keep", "no density", "layer1.weight=0.5"]);
    keep("layer1=many", &["keep", "density that is not a number"]);
    keep("layer1=2", &["density = 2", "layer1", "from 0 to 1"]);
    keep("layer7=0.5", &["layer = layer7", "not a layer of mlp:784-216-10", "layer0.weight, layer1.weight"]);
    keep("=0.5", &["not a layer"]);
    budget(mlp, &["--density", "0.1", "--dense", "fc"], &["layer = fc", "layer0.weight, layer1.weight"]);
    budget(mlp, &["--density", "0.1", "--dense", "layer1", "--keep", "layer1.weight=0.1"], &["given twice"]);
    budget(mlp, &["--weights", "500", "--dense", "layer1"], &["weights = 500", "from 2160 to", "that are given"]);
    budget(mlp, &["--density", "0.1", "--fan-in", "odd"], &["--fan-in", "constant", "even"]);
    budget(mlp, &["--weights", "100", "--fan-in", "constant"], &["weights = 100", "fewer than the 226 outputs"]);
    let both = ["--density", "0.1", "--fan-in", "even", "--masks", "--positions", "channels", "--out", &out];
    budget(mlp, &both, &["--fan-in", "--positions"]);
    budget(mlp, &["--density", "0.1", "--keys", "torch"], &["--masks"]);

    let header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let shapes = |name: &str, bytes: &[u8], words: &[&str]| {
        let path = files.bytes(name, bytes);
        budget(&path, &["--density", "0.1"], &[words, &[name]].concat());
    };
    let vector = header("{\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}");
    shapes("vector.safetensors", &vector, &["no tensor of two dimensions or more"]);
    shapes("cut.safetensors", &vector[..20], &["ends within its header", "again"]);
    shapes("void.safetensors", b"", &["is empty"]);
    shapes("lfs.safetensors", b"version https://git-lfs.github.com/spec/v1\n", &["lfs pull"]);
    shapes("json.safetensors", &header("{\"a\":[1]}"), &["no valid safetensors header"]);
    budget(&files.path("no.safetensors"), &["--density", "0.1"], &["no.safetensors", "cannot be read"]);
    for (name, words) in [("file", "numpy.savez"), ("/a", "begins with /"), ("../a", "a part ..")] {
        let toml = files.bytes("names.toml", format!("[[layer]]\nname = {name:?}\nshape = [4, 4]\n").as_bytes());
        budget(&toml, &["--density", "0.5", "--masks", "--out", &out], &[name, words, "another name"]);
    }
    assert!(!Path::new(&out).exists());
}

/// A `.npy` array of a type and shape.
fn array_of(descriptor: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descriptor}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// An archive of arrays.
fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn data_as_it_is_found() {
    let files = Files::new();
    let bytes = |count: usize| (0..count).map(|place| (place * 41 % 200) as u8).collect::<Vec<u8>>();
    let images = |count: usize| array_of("|u1", &format!("({count}, 2, 2)"), &bytes(count * 4));
    let classes = |labels: &[u8]| array_of("|u1", &format!("({},)", labels.len()), labels);
    let sound = || {
        vec![
            ("x_train", images(3)),
            ("y_train", classes(&[0, 1, 2])),
            ("x_test", images(2)),
            ("y_test", classes(&[0, 1])),
        ]
    };
    // An archive with one array changed, or left out.
    let changed = |name: &str, array: &str, bytes: Option<Vec<u8>>| {
        let mut arrays = sound();
        arrays.retain(|(known, _)| bytes.is_some() || *known != array);
        for (known, old) in &mut arrays {
            if let (true, Some(new)) = (*known == array, &bytes) {
                old.clone_from(new);
            }
        }
        files.bytes(name, &archive(&arrays))
    };
    let whole = files.bytes("whole.npz", &archive(&sound()));
    assert!(sparsewidth(&["data", "--data", &whole]).status.success());
    let float = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    let of_npz: [(String, &[&str]); 26] = [
        (changed("1.npz", "y_train", None), &["holds no y_train", "belong together"]),
        (changed("2.npz", "x_test", None), &["holds no x_test"]),
        (changed("3.npz", "y_train", Some(classes(&[0, 1]))), &["y_train has 2 labels for the 3 images of x_train"]),
        (changed("4.npz", "y_test", Some(array_of("|i1", "(2,)", &[0, 0xff]))), &["y_test", "-1 at entry 1"]),
        (changed("5.npz", "y_test", Some(array_of("<f4", "(2,)", &float(&[0.0, 0.5])))), &["0.5 at entry 1"]),
        (changed("6.npz", "y_test", Some(array_of("<f4", "(2,)", &float(&[0.0, f32::NAN])))), &["NaN at entry 1"]),
        (changed("7.npz", "y_test", Some(array_of("|u1", "(2, 3)", &[0; 6]))), &["(2, 3)", "argmax"]),
        (changed("8.npz", "y_test", Some(array_of("|O", "(2,)", &[0; 16]))), &["y_test", "type |O"]),
        (changed("9.npz", "y_test", Some(array_of("<U1", "(2,)", &[0; 8]))), &["y_test", "type <U1"]),
        (changed("10.npz", "y_test", Some(array_of("|u1", "()", &[0]))), &["y_test", "not that of labels"]),
        (changed("11.npz", "x_train", Some(array_of("|u1", "(12,)", &[1; 12]))), &["x_train", "not that of images"]),
        (changed("12.npz", "x_train", Some(array_of("|u1", "(3, 5)", &[1; 15]))), &["training images are (1, 5)"]),
        (changed("13.npz", "x_train", Some(array_of("|u1", "(0, 2, 2)", &[]))), &["is empty"]),
        (changed("14.npz", "x_train", Some(array_of("|u1", "(3, 2, 2)", &[1; 11]))), &["x_train", "11 bytes of data"]),
        (changed("15.npz", "x_train", Some(array_of("<c8", "(3, 2, 2)", &[0; 96]))), &["x_train", "type <c8"]),
        (
            changed("16.npz", "x_train", Some(array_of("<f4", "(3, 1)", &float(&[1.0, f32::INFINITY, 0.0])))),
            &["entry [1, 0] is inf"],
        ),
        (changed("17.npz", "x_train", Some(b"nonsense".to_vec())), &["x_train", "does not begin as one does"]),
        (files.bytes("18.npz", &archive(&[("a", images(2)), ("b", images(2))])), &["holds the arrays a, b", "x_train"]),
        (
            files.bytes("19.npz", &archive(&[("y_train", classes(&[0])), ("y_test", classes(&[0]))])),
            &["y_train, y_test"],
        ),
        (files.bytes("20.npz", b""), &["empty"]),
        (files.bytes("21.npz", b"some words"), &["not an NPZ file"]),
        (files.bytes("22.npz", pointer), &["Git LFS pointer", "lfs pull"]),
        (files.bytes("23.npz", &archive(&sound())[..400]), &["23.npz"]),
        (files.path("24.npz"), &["24.npz", "cannot be read"]),
        (files.bytes("25.npz", &archive(&[("x_train", images(3)), ("X_Train", images(3))])), &["two arrays x_train"]),
        (files.bytes("26.npz", &images(3)), &["a NumPy array"]),
    ];
    for (path, words) in &of_npz {
        for command in ["data", "distance"] {
            refused(&[command, "--data", path], words);
        }
        refused(&["train", "--data", path, "--widths", "8", "--learning-rate", "1"], words);
    }

    // Folders.
    let folder = |name: &str, contents: &[(&str, &[u8])]| {
        for (file, bytes) in contents {
            files.bytes(&format!("{name}/{file}"), bytes);
        }
        files.path(name)
    };
    let record = |label: u8| [&[label], &bytes(3072)[..]].concat();
    let one = record(3);
    let batches = |test: &[u8]| -> Vec<(&'static str, Vec<u8>)> {
        let names =
            ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
        names.into_iter().map(|name| (name, one.clone())).chain([("test_batch.bin", test.to_vec())]).collect()
    };
    let cifar = |name: &str, test: &[u8]| {
        for (file, bytes) in batches(test) {
            files.bytes(&format!("{name}/{file}"), &bytes);
        }
        files.path(name)
    };
    assert!(sparsewidth(&["data", "--data", &cifar("sound-cifar", &one)]).status.success());
    let few = cifar("few", &one);
    std::fs::remove_file(Path::new(&few).join("data_batch_4.bin")).unwrap();
    let letters = ["emnist-letters-train-images-idx3-ubyte", "emnist-digits-train-images-idx3-ubyte"];
    let (x, y) = (array_of("|u1", "(2, 2)", &[1, 2, 3, 4]), array_of("|u1", "(2,)", &[0, 1]));
    let of_folders: [(String, &[&str]); 17] = [
        (few, &["data_batch_4.bin", "does not exist"]),
        (cifar("cut", &one[..3000]), &["test_batch.bin", "3000 bytes", "records of 3073 bytes"]),
        (cifar("beyond", &record(10)), &["test_batch.bin", "label 0 is 10", "0 to 9"]),
        (cifar("none", b""), &["test_batch.bin", "empty"]),
        (cifar("pointer", pointer), &["test_batch.bin", "Git LFS pointer"]),
        (folder("hundred", &[("train.bin", &one)]), &["train.bin", "records of 3074 bytes"]),
        (
            folder("py/cifar-10-batches-py", &[("data_batch_1", b"\x80\x02"), ("test_batch", b"\x80\x02")]),
            &["for Python", "binary"],
        ),
        (files.path("py"), &["cifar-10-batches-py", "for Python", "cifar-10-binary.tar.gz"]),
        (folder("py100", &[("train", b"\x80\x02"), ("test", b"\x80\x02"), ("meta", b"\x80\x02")]), &["for Python"]),
        (folder("splits", &letters.map(|name| (name, &one[..]))), &["emnist-digits, emnist-letters", "such as"]),
        (files.path("splits/emnist-balanced"), &["there are emnist-digits, emnist-letters"]),
        (folder("half", &[("x_train.npy", &x), ("y_train.npy", &y), ("x_test.npy", &x)]), &["holds no y_test.npy"]),
        (
            folder("text", &[("x_train.npy", b"words"), ("y_train.npy", &y), ("x_test.npy", &x), ("y_test.npy", &y)]),
            &["x_train.npy", "not a complete and valid .npy file"],
        ),
        (folder("photos", &[("cat.jpg", b"\xff\xd8\xff")]), &["no data set that is known here", "cat.jpg"]),
        (files.bytes("batch/data_batch_1.bin", &one), &["neither a folder", "the folder that it is in"]),
        (files.bytes("cifar-10-binary.tar.gz", b"\x1f\x8b\x08\x00"), &["tar xf"]),
        (files.bytes("archive", &archive(&sound())), &["does not end in .npz", "mv"]),
    ];
    for (path, words) in &of_folders {
        refused(&["data", "--data", path], words);
        refused(&["tune", "--data", path, "--widths", "8", "--out", &files.path("never")], words);
    }
    assert!(!Path::new(&files.path("never")).exists());
    // Labels of QMNIST that are cut short, and labels of images that are not there.
    for (kind, bytes) in [
        ("qmnist-train-images-idx3-ubyte", idx(KINDS[0])),
        ("qmnist-test-images-idx3-ubyte", idx(KINDS[2])),
        ("qmnist-train-labels-idx2-int", [&[0, 0, 12, 2, 0, 0, 0, 3, 0, 0, 0, 8][..], &[0; 95]].concat()),
        ("qmnist-test-labels-idx2-int", [&[0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 7][..], &[0; 56]].concat()),
    ] {
        files.bytes(&format!("q/{kind}"), &bytes);
    }
    refused(
        &["data", "--data", &files.path("q")],
        &["qmnist-train-labels-idx2-int", "3 rows of 8 numbers", "95 bytes"],
    );
    let long = files.bytes("long.npy", &array_of("<f16", "(1, 1)", &[0; 16]));
    refused(&["distance", "--data", &long], &["type <f16", "astype('<f8')"]);
    let nested = files.bytes("nested.npy", &array_of("<f8", "((1, 2), 3)", &[0; 48]));
    refused(&["distance", "--data", &nested], &["nested.npy", "not a complete and valid .npy file"]);
    refused(&["distance", "--data", &whole, "--widths", "8", "--normalisation", "mnist"], &["mnist", "global-mnist"]);
    // One class: nothing to learn, but distances.
    let sevens = |name, count| (name, classes(&vec![7; count]));
    let arrays = [("x_train", images(3)), sevens("y_train", 3), ("x_test", images(2)), sevens("y_test", 2)];
    let one = files.bytes("one.npz", &archive(&arrays));
    refused(&["train", "--data", &one, "--widths", "2"], &["one.npz", "all of its labels are 7", "two classes"]);
    refused(&["tune", "--data", &one, "--widths", "2"], &["all of its labels are 7"]);
    let distances = sparsewidth(&[
        "distance",
        "--data",
        &one,
        "--widths",
        "2,3",
        "--pairs",
        "1",
        "--weights",
        "9",
        "--methods",
        "theorem1",
    ]);
    assert!(distances.status.success(), "{}", String::from_utf8_lossy(&distances.stderr));
}
