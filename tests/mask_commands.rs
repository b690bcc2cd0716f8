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
    // The first unit of layer 0 keeps nothing, and layer 2 uses none of its inputs.
    let row = |name: &str| table.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap().to_string();
    assert!(row("0").contains("| 4 x 6 |") && row("0").ends_with("|          1 |             0 |"), "{table}");
    assert!(row("2").ends_with("|          2 |             4 |"), "{table}");
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
    refused_with(&["--kernel", "nngp", "--tangent", "paper"], &["--tangent", "no tangent kernel"]);
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
