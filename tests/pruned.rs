//! Masks that torch.nn.utils.prune made: what is read of them, and their distances, are those that torch and NumPy
//! found (`scripts/check_pruned.py`).

use std::path::{Path, PathBuf};

use ndarray::{Array2, Ix2};
use serde::Deserialize;
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::network::read_masks;
use sparsewidth::{Kernel, PreparedInputs, Tangent};

#[derive(Deserialize)]
struct Expected {
    x: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    layers: std::collections::BTreeMap<String, Kept>,
    kernels: Vec<Distances>,
}

#[derive(Deserialize)]
struct Kept {
    kept: usize,
    density: f64,
    /// Otherwise it is dense, and is not among masks alone.
    pruned: bool,
}

#[derive(Deserialize)]
struct Distances {
    scale: MaskScale,
    kernel: String,
    tangent: Tangent,
    /// Bias^2, variance of the kernel and distance, by pair.
    distances: Vec<[f64; 3]>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pruned")
}

#[test]
fn masks_of_torch_have_the_counts_of_torch_and_the_distances_of_numpy() {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    let rows: Vec<f64> = expected.x.iter().chain(&expected.y).flatten().copied().collect();
    let inputs = PreparedInputs::new(Array2::from_shape_vec((10, 12), rows).unwrap()).unwrap();
    let pairs = inputs.pairs(&[(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]).unwrap();
    assert_eq!(expected.cases.len(), 4);
    for case in &expected.cases {
        for ending in ["safetensors", "npz"] {
            let file = format!("{}.{ending}", case.file);
            let masks = read_masks(&folder().join(&file), false).unwrap();
            let names: Vec<&str> = masks.iter().map(|named| &*named.layer).collect();
            let is_there = |(_, layer): &(&String, &Kept)| ending == "safetensors" || layer.pruned;
            let layers = case.layers.iter().filter(is_there).map(|(name, _)| name);
            assert_eq!(names, layers.collect::<Vec<_>>(), "{file}");
            for named in &masks {
                let Kept { kept, density, .. } = case.layers[&named.layer];
                let found = named.mask.iter().filter(|kept| **kept).count();
                assert_eq!((found, found as f64 / named.mask.len() as f64), (kept, density), "{file} {}", named.layer);
            }
            let first = masks[0].mask.clone().into_dimensionality::<Ix2>().unwrap();
            for Distances { scale, kernel, tangent, distances } in &case.kernels {
                let kernel = if kernel == "nngp" { Kernel::Nngp } else { Kernel::Ntk(*tangent) };
                let given = GivenMask::new(first.view(), *scale).unwrap();
                let found = given.of_pairs(&pairs, &[kernel]).unwrap();
                for (found, [bias_squared, variance, total]) in found.iter().zip(distances) {
                    let distance = &found[0].distance;
                    let variance_of_kernel = distance.variance / given.units() as f64;
                    // NumPy's arc cosine keeps 11 digits of the angles here.
                    for (found, expected) in [
                        (distance.bias_squared, bias_squared),
                        (variance_of_kernel, variance),
                        (distance.total(), total),
                    ] {
                        assert!((found - expected).abs() < 1e-10 * total, "{file} {kernel}: {found} {expected}");
                    }
                }
            }
        }
    }
}
