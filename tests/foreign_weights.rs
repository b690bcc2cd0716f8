//! Perceptrons that other programs trained, evaluated by this one: PyTorch state dicts in the safetensors format.

mod program;

use std::path::{Path, PathBuf};

use ndarray::Array2;
use program::{done, little_mnist, refused};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use sparsewidth::data::DataSource;

/// Tensors of singles.
type Tensors<'a> = Vec<(&'a str, Vec<usize>, Vec<f32>)>;

/// A file of some tensors in a type that `encode` makes of each number.
fn file(folder: &Path, name: &str, tensors: &Tensors, (kind, encode): (Dtype, fn(f32) -> Vec<u8>)) -> PathBuf {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|value| encode(*value)).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(kind, shape.clone(), bytes).unwrap()));
    let path = folder.join(name);
    std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
    path
}

const SINGLE: (Dtype, fn(f32) -> Vec<u8>) = (Dtype::F32, |value| value.to_le_bytes().into());
const BRAIN: (Dtype, fn(f32) -> Vec<u8>) = (Dtype::BF16, |value| value.to_bits().to_le_bytes()[2..].into());
/// Of powers of two only.
const HALF: (Dtype, fn(f32) -> Vec<u8>) = (Dtype::F16, |value| {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 255) as i32 - 112;
    let half = if value == 0.0 { 0 } else { (bits >> 16 & 0x8000) as u16 | (exponent as u16) << 10 };
    half.to_le_bytes().into()
});

/// A network of 16 inputs, 8 hidden units and 10 outputs; every weight is a power of two or 0.
fn network() -> (Array2<f32>, Vec<f32>, Array2<f32>) {
    let value = |place: usize| [0.0, 0.5, -0.25, 1.0, -0.5, 0.0, 0.125][place * 5 % 7];
    let first = Array2::from_shape_fn((8, 16), |(i, j)| value(i * 3 + j * 2));
    let second = Array2::from_shape_fn((10, 8), |(i, j)| value(i * 2 + j + 1));
    (first, (0..8).map(|unit| value(unit + 3)).collect(), second)
}

fn tensors<'a>(names: [&'a str; 3]) -> Tensors<'a> {
    let (first, bias, second) = network();
    let flat = |array: Array2<f32>| array.into_raw_vec_and_offset().0;
    vec![(names[2], vec![10, 8], flat(second)), (names[0], vec![8, 16], flat(first)), (names[1], vec![8], bias)]
}

/// The share of right answers of [`network`], computed plainly.
fn accuracy(data: &str) -> f64 {
    let test = data.parse::<DataSource>().unwrap().labelled().unwrap().test;
    let (first, bias, second) = network();
    let images = test.images.to_real().mapv(|pixel| (pixel / 255.0) as f32);
    let hidden = (images.dot(&first.t()) + ndarray::aview1(&bias)).mapv(|value| value.max(0.0));
    let outputs = hidden.dot(&second.t());
    let right = outputs.outer_iter().zip(&test.labels).filter(|(outputs, label)| {
        let largest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        outputs.iter().position(|output| *output == largest) == Some(usize::from(**label))
    });
    right.count() as f64 / test.len() as f64
}

#[test]
fn state_dicts_of_every_type_and_naming() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let expected = format!("32 test samples: accuracy {:.4}", accuracy(&data));
    assert!(accuracy(&data) > 0.0, "the comparison would say little");
    for (number, names) in [
        ["0.weight", "0.bias", "2.weight"],
        ["fc1.weight", "fc1.bias", "fc2.weight"],
        ["net.2.weight", "net.2.bias", "net.10.weight"],
    ]
    .into_iter()
    .enumerate()
    {
        for (place, kind) in [SINGLE, BRAIN, HALF].into_iter().enumerate() {
            let path = file(folder.path(), &format!("{number}-{place}.safetensors"), &tensors(names), kind);
            let found = done(&["evaluate", path.to_str().unwrap(), "--data", &data, "--normalisation", "rescale"]);
            assert!(found.contains(&expected), "{names:?} {:?}: {found}, not {expected}", kind.0);
        }
    }
}

#[test]
fn what_is_no_perceptron_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let of = |tensors: &Tensors| file(folder.path(), "w.safetensors", tensors, SINGLE).to_str().unwrap().to_string();
    let refuse = |tensors: &Tensors, words: &[&str]| {
        let path = of(tensors);
        refused(
            &["evaluate", &path, "--data", &data, "--normalisation", "rescale"],
            &[&["w.safetensors"], words].concat(),
        );
    };
    let good = || tensors(["0.weight", "0.bias", "2.weight"]);
    let with = |name: &'static str, shape: &[usize]| {
        let mut tensors = good();
        tensors.push((name, shape.to_vec(), vec![0.5; shape.iter().product()]));
        tensors
    };
    refuse(&with("conv1.weight", &[2, 1, 3, 3]), &["conv1.weight of shape [2, 1, 3, 3]", "a convolution"]);
    refuse(&with("norm.weight", &[8]), &["norm.weight of shape [8]", "no linear layer's"]);
    refuse(&with("bn.running_mean", &[8]), &["bn.running_mean"]);
    refuse(&with("5.bias", &[10]), &["5.bias without the weight"]);
    refuse(&with("4.weight", &[10, 7]), &["4.weight takes 7 inputs", "layer before has 10 outputs"]);
    refuse(&with("2.bias", &[9]), &["2.bias has 9 entries", "10 outputs"]);
    refuse(&with("4.weight_mask", &[10, 10]), &["4.weight_mask", "prune.remove"]);
    refuse(&with("4.weight", &[0, 10]), &["4.weight", "[0, 10]"]);
    refuse(&vec![("0.bias", vec![1], vec![0.0])], &["no weight of a linear layer"]);
    let mut infinite = good();
    infinite[1].2[5] = f32::INFINITY;
    refuse(&infinite, &["0.weight holds inf at entry 5"]);
    // Whole, but of other images, or without a word on how they were scaled.
    let small = of(&vec![("0.weight", vec![10, 4], vec![0.5; 40])]);
    refused(&["evaluate", &small, "--data", &data, "--normalisation", "none"], &["16 pixels", "takes 4 inputs"]);
    let few = of(&vec![("0.weight", vec![3, 16], vec![0.5; 48])]);
    refused(&["evaluate", &few, "--data", &data, "--normalisation", "none"], &["label", "3"]);
    let whole = of(&good());
    refused(&["evaluate", &whole, "--data", &data], &["does not hold the normalisation", "--normalisation rescale"]);
    let pointer = folder.path().join("pointer.safetensors");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").unwrap();
    refused(&["evaluate", pointer.to_str().unwrap(), "--data", &data], &["Git LFS pointer", "lfs pull"]);
}

/// What this program wrote says itself how its inputs were scaled.
#[test]
fn own_weights_take_no_normalisation() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let train = ["train", "--data", &data, "--widths", "8", "--learning-rate", "1", "--epochs", "1", "--runs", "1"];
    done(&[&train[..], &["--keep-weights", "--out", out]].concat());
    let file = std::fs::read_dir(format!("{out}/weights")).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    done(&["evaluate", file, "--data", &data]);
    refused(
        &["evaluate", file, "--data", &data, "--normalisation", "pixel"],
        &["--normalisation", "holds the normalisation of its inputs"],
    );
}
