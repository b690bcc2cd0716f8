//! `sparsewidth masks`: what it prints of masks that were drawn, and what it refuses.

mod program;

use ndarray::Array2;
use ndarray_npy::NpzWriter;
use program::{done, refused, sparsewidth};
use serde_json::Value;
use sparsewidth::data::{DataSource, PreparedInputs};
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::network::read_masks;
use sparsewidth::{Kernel, Tangent};

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} in {object}"))
}

/// A file of boolean masks.
fn npz(folder: &std::path::Path, name: &str, masks: &[(&str, Array2<bool>)]) -> String {
    let path = folder.join(name);
    let mut file = NpzWriter::new(std::fs::File::create(&path).unwrap());
    masks.iter().for_each(|(layer, mask)| file.add_array(*layer, mask).unwrap());
    file.finish().unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn masks_of_a_budget_have_the_distances_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("budget");
    let budget = ["budget", "--arch", "mlp:40-16-3", "--weights", "120", "--masks", "--seed", "4", "--quiet"];
    done(&[&budget[..], &["--out", out.to_str().unwrap()]].concat());
    let file = out.join("masks.npz");
    let file = file.to_str().unwrap();
    let usual = ["masks", file, "--data", "gaussian:40,30", "--pairs", "50", "--json", "--quiet"];
    let masks = read_masks(file.as_ref(), false).unwrap();
    let mask = masks[0].mask.clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    let values = DataSource::Gaussian { dimension: 40, samples: 30 }.inputs(0).unwrap().values;
    let inputs = PreparedInputs::new(values).unwrap();
    let pairs = inputs.pairs(&inputs.random_pairs(50, 0).unwrap()).unwrap();
    for (options, scale) in [(&[][..], MaskScale::Density), (&["--scale", "fan-in"][..], MaskScale::FanIn)] {
        let text = done(&[&usual[..], options].concat());
        let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(found.len(), 2);
        let given = GivenMask::new(mask.view(), scale).unwrap();
        for (record, kernel) in found.iter().zip([Kernel::Nngp, Kernel::Ntk(Tangent::Standardised)]) {
            assert_eq!(record["file"], file);
            assert_eq!(record["kernel"], kernel.name());
            assert_eq!(record["tangent"].as_str(), kernel.tangent().map(Tangent::name));
            assert_eq!(number(record, "kept"), given.kept() as f64);
            assert_eq!(number(record, "density") + number(record, "sparsity"), 1.0);
            assert_eq!((number(record, "pairs"), number(record, "width")), (50.0, 16.0));
            let mut distances: Vec<f64> =
                pairs.iter().map(|pair| given.kernel(pair, kernel).unwrap().distance.total()).collect();
            let mean = distances.iter().sum::<f64>() / 50.0;
            assert!((number(record, "distance") / mean - 1.0).abs() < 1e-12, "{record}");
            let parts = number(record, "bias_squared") + number(record, "variance");
            assert!((parts / mean - 1.0).abs() < 1e-12, "{record}");
            distances.sort_by(f64::total_cmp);
            let median = 0.5 * (distances[24] + distances[25]);
            assert!((number(record, "median") / median - 1.0).abs() < 1e-12, "{record}");
            // 100 masks: one that was drawn as they were is among them.
            assert!((0.0..=100.0).contains(&number(record, "percentile")), "{record}");
            assert!(number(record, "distance_error") < 1e-12 * mean.max(1e-3), "{record}");
        }
    }
}

/// Half of the units keep everything, the others next to nothing: a variance that no random mask has.
#[test]
fn an_uneven_mask_lies_above_random_ones() {
    let folder = tempfile::tempdir().unwrap();
    let uneven = Array2::from_shape_fn((20, 30), |(i, j)| i < 10 || j == i);
    let file = npz(folder.path(), "a.npz", &[("0.weight", uneven)]);
    let usual = ["masks", &file, "--data", "gaussian:30,40", "--pairs", "60", "--json", "--quiet"];
    let found = |more: &[&str]| -> Vec<Value> {
        let text = done(&[&usual[..], more].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let records = found(&["--drawn", "40"]);
    assert!(records.iter().all(|record| number(record, "percentile") == 100.0), "{records:?}");
    assert_eq!(found(&["--drawn", "40", "--threads", "1"]), records);
    assert!(found(&["--drawn", "0"]).iter().all(|record| record["percentile"].is_null()));
}

#[test]
fn layers_that_keep_nothing_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let some = |rows, columns| Array2::from_shape_fn((rows, columns), |(i, j)| (i + j) % 3 == 0 && i > 0);
    let file = npz(folder.path(), "a.npz", &[("0.weight", some(4, 6)), ("2.weight", Array2::default((2, 4)))]);
    let run = sparsewidth(&["masks", &file, "--data", "gaussian:6,20", "--pairs", "5"]);
    let (table, notes) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success(), "{notes}");
    assert!(notes.contains("Layer collapse: 2 of") && notes.contains("keeps no weight"), "{notes}");
    // The first unit of layer 0 keeps nothing, and layer 2 uses none of its inputs: no unit has a path to an output.
    let row = |name: &str| table.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap().to_string();
    assert!(
        row("0").contains("| 4 x 6 |") && row("0").ends_with("|          1 |             0 |            4 |"),
        "{table}"
    );
    assert!(row("2").ends_with("|          2 |             4 |            2 |"), "{table}");
    assert!(table.contains("ntk") && table.contains("nngp"), "{table}");
}

#[test]
fn what_is_no_mask_of_this_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Array2::from_elem((4, 6), true);
    let file = npz(folder.path(), "a.npz", &[("0.weight", kept)]);
    let data = ["--data", "gaussian:6,20"];
    let with = |more: &[&str]| [&["masks", &file][..], &data, more].concat().join(" ");
    let refused_with = |more: &[&str], words: &[&str]| refused(&with(more).split(' ').collect::<Vec<_>>(), words);
    refused(&["masks"], &["FILE"]);
    refused(&["masks", "nowhere.npz"], &["nowhere.npz"]);
    refused(&["masks", &file], &["4 x 6", "784 inputs"]);
    refused_with(&["--pairs", "0"], &["pairs = 0"]);
    refused_with(&["--kernel", "nngp", "--tangent", "paper"], &["--tangent", "only the kernel ntk"]);
    refused_with(&["--kernel", "cntk"], &["cntk"]);
    refused_with(&["--scale", "rows"], &["rows", "fan-in"]);
    refused_with(&["--device", "cpu"], &["--device"]);
    refused_with(&["--normalisation", "unit"], &["unit"]);
    // Weights, not masks: the message names the option.
    let weights = folder.path().join("w.npz");
    let mut archive = NpzWriter::new(std::fs::File::create(&weights).unwrap());
    archive.add_array("0.weight", &Array2::from_elem((4, 6), 0.5)).unwrap();
    archive.finish().unwrap();
    refused(&["masks", weights.to_str().unwrap()], &["holds 0.5 at entry 0", "--zeros-are-masked"]);
    let text = folder.path().join("b.txt");
    std::fs::write(&text, "hello").unwrap();
    refused(&["masks", text.to_str().unwrap()], &["neither an NPZ nor a safetensors file"]);
}

/// A deep perceptron: its first layer exactly, its last hidden layer by drawn weights; and all of it in files.
#[test]
fn deep_networks_are_drawn_and_everything_is_redrawn() {
    let folder = tempfile::tempdir().unwrap();
    let random = |rows: usize, columns: usize, every: usize| {
        Array2::from_shape_fn((rows, columns), |(i, j)| (7 * i + 5 * j + i * j) % every == 0)
    };
    let layers = [("0.weight", random(20, 12, 3)), ("2.weight", random(15, 20, 2)), ("4.weight", random(3, 15, 2))];
    let file = npz(folder.path(), "deep.npz", &layers);
    let flat = npz(folder.path(), "flat.npz", &layers[..1]);
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let usual = ["masks", &file, &flat, "--data", "gaussian:12,30", "--pairs", "600", "--quiet"];
    let run = |more: &[&str]| done(&[&usual[..], more].concat());
    let text = run(&["--json", "--out", out, "--initialisations", "40"]);
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 4);
    for record in &found[..2] {
        assert_eq!((number(record, "hidden_layers"), number(record, "initialisations")), (2.0, 40.0));
        let (distance, error) = (number(record, "deep_distance"), number(record, "deep_distance_error"));
        let parts = number(record, "deep_bias_squared") + number(record, "deep_variance");
        assert!(distance > 0.0 && error > 0.0 && error < 0.3 * distance, "{record}");
        // The mean of squares is that of its parts but for 1/40 of the variance.
        assert!((parts / distance - 1.0).abs() < 0.05, "{record}");
    }
    for record in &found[2..] {
        assert_eq!(number(record, "hidden_layers"), 1.0);
        assert!(record["deep_distance"].is_null() && record["initialisations"].is_null(), "{record}");
    }
    // All 435 pairs are compared; random masks by theory and as drawn agree (100 masks, five standard errors and two
    // percent for a count that is fixed).
    for record in &found {
        assert_eq!((number(record, "pairs"), number(record, "compared_pairs")), (435.0, 435.0));
        assert_eq!(number(record, "distance"), number(record, "compared_distance"));
        let (expected, drawn) = (number(record, "expected"), number(record, "drawn_distance"));
        assert!((drawn - expected).abs() < 5.0 * number(record, "drawn_error") + 0.02 * expected, "{record}");
    }
    let read = |folder: &str, name: &str| std::fs::read(std::path::Path::new(folder).join(name)).unwrap();
    let again = folder.path().join("again");
    let again = again.to_str().unwrap();
    let redrawn = done(&["masks", "--from", out, "--out", again, "--json", "--quiet"]);
    assert_eq!(redrawn, text);
    for name in ["masks.json", "masks.csv", "layers.csv", "masks.svg", "masks.png", "masks-ntk.svg", "masks-ntk.png"] {
        assert_eq!(read(out, name), read(again, name), "{name}");
    }
    let svg = String::from_utf8(read(out, "masks.svg")).unwrap();
    assert!(svg.contains("deep") && svg.contains("constant fan-in, width 20"), "labels");
    assert_eq!(String::from_utf8(read(out, "layers.csv")).unwrap().lines().count(), 5);
    let table = run(&["--initialisations", "0", "--drawn", "0"]);
    assert!(!table.contains("hidden layers") && table.contains("disconnected"), "{table}");
}

/// Rows of one's own: those of a data set, given as files, have the same distances.
#[test]
fn paired_rows_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        npz(folder.path(), "a.npz", &[("0.weight", Array2::from_shape_fn((9, 8), |(i, j)| (i + 3 * j) % 4 < 2))]);
    let values = DataSource::Gaussian { dimension: 8, samples: 5 }.inputs(0).unwrap().values;
    let rows: Vec<(usize, usize)> = (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j))).collect();
    let write = |name: &str, of: &dyn Fn(&(usize, usize)) -> usize| {
        let path = folder.path().join(name);
        let chosen: Vec<usize> = rows.iter().map(of).collect();
        ndarray_npy::write_npy(&path, &values.select(ndarray::Axis(0), &chosen)).unwrap();
        path.to_str().unwrap().to_string()
    };
    let (x, y) = (write("x.npy", &|pair| pair.0), write("y.npy", &|pair| pair.1));
    let found = |more: &[&str]| -> Vec<Value> {
        let text = done(&[&["masks", &file, "--json", "--quiet"][..], more].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(found(&["--x", &x, "--y", &y]), found(&["--data", "gaussian:8,5", "--pairs", "10"]));
    refused(&["masks", &file, "--x", &x], &["--y"]);
    refused(&["masks", &file, "--x", &x, "--y", &y, "--pairs", "3"], &["--pairs"]);
    refused(&["masks", &file, "--x", &x, "--y", "nowhere.npy"], &["nowhere.npy"]);
    let short = folder.path().join("short.npy");
    ndarray_npy::write_npy(&short, &Array2::<f64>::zeros((2, 8))).unwrap();
    refused(&["masks", &file, "--x", &x, "--y", short.to_str().unwrap()], &["(2, 8)", "same number of rows"]);
}

/// Masks of a convolutional network are counted; only perceptrons have distances.
#[test]
fn convolutions_are_counted_and_have_no_distances() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("budget");
    let budget = ["budget", "--arch", "resnet18:8", "--weights", "50000", "--masks", "--quiet"];
    done(&[&budget[..], &["--out", out.to_str().unwrap()]].concat());
    let file = out.join("masks.npz");
    let run = sparsewidth(&["masks", file.to_str().unwrap()]);
    let (table, notes) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success(), "{notes}");
    assert!(notes.contains("No distances for") && notes.contains("is a convolution"), "{notes}");
    assert!(table.contains("| conv1") && !table.contains("Distance of"), "{table}");
}

/// Safetensors files have their layers in the order of their names: `--layers` says the right one, and what is wrong
/// otherwise is said.
#[test]
fn layers_can_be_put_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mask = |rows: usize, columns: usize| vec![1u8; rows * columns];
    let (first, second, third) = (mask(8, 6), mask(5, 8), mask(3, 5));
    let view = |shape: [usize; 2], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::BOOL, shape.into(), bytes).unwrap()
    };
    let tensors = [
        ("input.weight", view([8, 6], &first)),
        ("hidden.weight", view([5, 8], &second)),
        ("classifier.weight", view([3, 5], &third)),
    ];
    let path = folder.path().join("named.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let file = path.to_str().unwrap();
    let usual = ["masks", file, "--data", "gaussian:6,9", "--pairs", "5", "--drawn", "3"];
    refused(&usual, &["its first layer, classifier, is 3 x 5", "in the order of the network", "--layers"]);
    let run = sparsewidth(&[&usual[..], &["--layers", "input,hidden,classifier"]].concat());
    let (table, notes) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success() && table.contains("hidden layers"), "{table}{notes}");
    let place = |name: &str| table.find(&format!("| {name} ")).unwrap();
    assert!(place("input") < place("hidden") && place("hidden") < place("classifier"), "{table}");
    // Another order that begins with the same layer is no chain.
    let run = sparsewidth(&[&usual[..], &["--layers", "input,classifier"]].concat());
    let notes = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && notes.contains("do not take each other's outputs"), "{notes}");
    refused(&[&usual[..], &["--layers", "input,output"]].concat(), &["has no layer output", "hidden", "--layers"]);
    // The note of an order by name.
    let notes = sparsewidth(&["masks", file, "--data", "gaussian:5,9", "--pairs", "5", "--drawn", "0"]).stderr;
    let notes = String::from_utf8(notes).unwrap();
    assert!(notes.contains("in the order of their names, classifier, hidden, input; --layers"), "{notes}");
}

/// Where all pairs are taken, those that are compared with random masks are spread over all; and a mask that keeps
/// everything is the equal of random ones.
#[test]
fn compared_pairs_stand_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Array2::from_shape_fn((20, 6), |(i, j)| (7 * i + 5 * j + i * j) % 5 < 2);
    let all = Array2::from_elem((20, 6), true);
    let files = [npz(folder.path(), "a.npz", &[("0", kept)]), npz(folder.path(), "b.npz", &[("0", all)])];
    // 11,175 pairs.
    let usual =
        ["masks", &files[0], &files[1], "--data", "gaussian:6,150", "--pairs", "20000", "--json", "--drawn", "10"];
    let run = sparsewidth(&usual);
    let (text, table) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(table.contains("all 11175 pairs of gaussian:6,150") && table.contains("over 500 of the pairs"), "{table}");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        let (whole, some) = (number(record, "distance"), number(record, "compared_distance"));
        assert_eq!((number(record, "pairs"), number(record, "compared_pairs")), (11_175.0, 500.0));
        // The mean over every 22nd pair of the list: a twentieth off, where the first 500 were a third off.
        assert!((some / whole - 1.0).abs() < 0.15, "{record}");
    }
    for record in &records[2..] {
        assert_eq!((number(record, "density"), number(record, "percentile")), (1.0, 50.0), "{record}");
    }
}
