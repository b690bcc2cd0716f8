//! The tangent kernel on the command line: what its objects and records hold, and what is refused.

mod program;

use std::path::Path;

use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use program::{done, refused};
use serde_json::Value;

fn objects(arguments: &[&str]) -> Vec<Value> {
    let text = done(&[arguments, &["--json", "--quiet"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} in {object}"))
}

fn file(folder: &Path, name: &str, shift: f64) -> String {
    let path = folder.join(name);
    let rows = Array2::from_shape_fn((3, 10), |(i, j)| ((3 * i + 7 * j) as f64 + shift).sin());
    rows.write_npy(std::fs::File::create(&path).unwrap()).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn kernel_prints_limit_mean_and_distance() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (file(folder.path(), "x.npy", 0.0), file(folder.path(), "y.npy", 0.4));
    let kernel = |more: &[&str]| {
        let usual = ["kernel", "--x", &x, "--y", &y, "--connectivity", "0.3", "--width", "10"];
        objects(&[&usual[..], more].concat())
    };
    let nngp = kernel(&[]);
    assert!(nngp[0]["kernel"] == "nngp" && nngp[0].get("tangent").is_none());
    let both = ["standardised", "paper"].map(|tangent| kernel(&["--kernel", "ntk", "--tangent", tangent]));
    for (place, nngp) in nngp.iter().enumerate() {
        let [standardised, paper] = [&both[0][place], &both[1][place]];
        assert!(standardised["kernel"] == "ntk" && standardised["tangent"] == "standardised", "{standardised}");
        let d = 10.0;
        for (ntk, tau) in [(standardised, 1.0), (paper, 0.3)] {
            // By the definition of the mean and of the parts of the distance.
            let mean = (number(ntk, "masked_k1") + number(ntk, "masked_j1")) / d;
            assert!((number(ntk, "mean") - mean).abs() < 1e-14);
            let bias = mean - number(ntk, "limit");
            assert!((number(ntk, "bias_squared") - bias * bias).abs() < 1e-13);
            let total = number(ntk, "bias_squared") + number(ntk, "variance") / 10.0;
            assert!((number(ntk, "distance") / total - 1.0).abs() < 1e-14);
            let ratio = number(ntk, "masked_j1") / number(standardised, "masked_j1");
            assert!((ratio - tau).abs() < 1e-12, "{ratio}");
            assert!(number(ntk, "distance_error") < 1e-12 && ntk["method"] == "enumerate");
        }
        // Both conventions have the limit of tau = 1, and the NNGP kernel's part is its own.
        assert_eq!(standardised["limit"], paper["limit"]);
        assert!((number(nngp, "masked_k1") - number(paper, "masked_k1")).abs() < 1e-14);
    }
    // At connectivity 1 the mean is the limit.
    let usual = ["kernel", "--x", &x, "--y", &y, "--connectivity", "1", "--kernel", "ntk"];
    for dense in objects(&usual) {
        assert!((number(&dense, "mean") - number(&dense, "limit")).abs() < 1e-14, "{dense}");
    }
}

#[test]
fn distances_of_a_study_are_of_the_kernel_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path(), "data.npy", 0.0);
    let out = folder.path().join("out").to_str().unwrap().to_string();
    let usual = ["distance", "--data", &data, "--networks", "40:0.5", "--initialisations", "4000"];
    let methods = ["--methods", "sampled,theorem1,sampled_all,expansion,expansion_all"];
    let ntk = ["--kernel", "ntk", "--out", &out];
    let found = objects(&[&usual[..], &methods, &ntk].concat());
    assert_eq!(found.len(), 5);
    let exact = number(&found[1], "mean");
    for record in &found {
        assert!(record["kernel"] == "ntk" && record["tangent"] == "standardised", "{record}");
        if ["sampled", "sampled_all"].contains(&record["method"].as_str().unwrap()) {
            // Five standard errors: a false alarm in a million seeds; this one is fixed.
            let error = number(record, "mean_error_samples");
            assert!((number(record, "mean") - exact).abs() < 5.0 * error, "{record}: {exact}");
        }
    }
    let [one, all] = [&found[3], &found[4]].map(|record| number(record, "mean"));
    assert!((one / all - 1.0).abs() < 1e-10, "all three pairs, one by one and at once: {one} {all}");
    // The NNGP kernel joins the same journal; the records of both are read again.
    let nngp = objects(&[&usual[..], &methods, &["--out", &out]].concat());
    assert!(nngp.len() == 5 && nngp[0]["kernel"] == "nngp" && nngp[0]["tangent"].is_null());
    assert!(number(&nngp[1], "mean") < exact);
}

#[test]
fn what_has_no_tangent_kernel_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path(), "data.npy", 0.0);
    refused(&["distance", "--data", &data, "--tangent", "paper"], &["--tangent", "--kernel ntk"]);
    let paper = ["distance", "--data", &data, "--kernel", "ntk", "--methods", "theorem1,paper"];
    refused(&paper, &["methods = paper", "does not give the tangent kernel"]);
    let usual = ["kernel", "--x", &data, "--y", &data, "--connectivity", "0.5", "--kernel", "ntk"];
    refused(&[&usual[..], &["--method", "paper", "--width", "3"]].concat(), &["Eq. (4) is for the NNGP kernel"]);
    let reference = ["distance", "--data", &data, "--kernel", "ntk", "--reference", "dense:50"];
    refused(&[&reference[..], &["--methods", "sampled"]].concat(), &["closed form only"]);
}
