//! `sparsewidth evaluate` on state dictionaries: outputs and accuracies by hand, and what is refused.

mod program;

use std::path::Path;

use ndarray::{Array1, Array2};
use program::{done, little_mnist, refused};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};
use serde_json::Value;

type Encode<'a> = &'a dyn Fn(&f32) -> Vec<u8>;
type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

fn single(name: &'static str, shape: &[usize], values: impl IntoIterator<Item = f32>) -> Tensor {
    (name, Dtype::F32, shape.into(), values.into_iter().flat_map(f32::to_le_bytes).collect())
}

fn write(folder: &Path, name: &str, tensors: &[Tensor]) -> String {
    let path = folder.join(name);
    let views =
        tensors.iter().map(|(name, kind, shape, bytes)| (*name, TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    serialize_to_file(views, None, &path).unwrap();
    path.to_str().unwrap().into()
}

/// Weights with few digits, so that every type holds them: halves of whole numbers up to 4.
fn weight(outputs: usize, inputs: usize, shift: usize) -> Array2<f32> {
    Array2::from_shape_fn((outputs, inputs), |(i, j)| ((7 * i + 5 * j + i * j + shift) % 17) as f32 / 2.0 - 4.0)
}

/// The test images of `little_mnist` and their labels.
fn images(folder: &Path) -> (Array2<f64>, Vec<usize>) {
    let read = |name: &str| std::fs::read(folder.join("m").join(name)).unwrap();
    let pixels = read("t10k-images-idx3-ubyte")[16..].iter().map(|pixel| f64::from(*pixel)).collect();
    let labels = read("t10k-labels-idx1-ubyte")[8..].iter().map(|label| usize::from(*label)).collect();
    (Array2::from_shape_vec((32, 16), pixels).unwrap(), labels)
}

/// Accuracy and loss of two layers, in double precision.
fn by_hand(images: &Array2<f64>, labels: &[usize], layers: [(&Array2<f32>, &Array1<f32>); 2]) -> (f64, f64) {
    let apply = |input: &Array2<f64>, (weight, bias): (&Array2<f32>, &Array1<f32>)| {
        input.dot(&weight.mapv(f64::from).t()) + bias.mapv(f64::from)
    };
    let hidden = apply(images, layers[0]).mapv(|value| value.max(0.0));
    let outputs = apply(&hidden, layers[1]);
    let (mut right, mut loss) = (0.0, 0.0);
    for (row, label) in outputs.outer_iter().zip(labels) {
        let largest = row.fold(f64::NEG_INFINITY, |largest, value| largest.max(*value));
        right += f64::from(u8::from(row[*label] == largest));
        loss += largest + row.mapv(|value| (value - largest).exp()).sum().ln() - row[*label];
    }
    (right / labels.len() as f64, loss / labels.len() as f64)
}

fn evaluated(file: &str, data: &str, options: &[&str]) -> (f64, f64, u64) {
    let text = done(&[&["evaluate", file, "--data", data, "--json", "--quiet"][..], options].concat());
    let found: Value = serde_json::from_str(&text).unwrap();
    let number = |key: &str| found[key].as_f64().unwrap();
    (number("test_accuracy"), number("test_loss"), found["weights"].as_u64().unwrap())
}

#[test]
fn a_state_dictionary_has_the_accuracy_of_its_formula() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let (pixels, labels) = images(folder.path());
    let (first, second) = (weight(12, 16, 0), weight(10, 12, 3));
    let (bias, last) = (Array1::from_shape_fn(12, |i| i as f32 / 8.0 - 0.5), Array1::from_shape_fn(10, |i| i as f32));
    let plain = |name: &str| {
        let tensors = [
            single("10.weight", &[10, 12], second.iter().copied()),
            single("10.bias", &[10], last.iter().copied()),
            single("2.weight", &[12, 16], first.iter().copied()),
            single("2.bias", &[12], bias.iter().copied()),
        ];
        write(folder.path(), name, &tensors)
    };
    let file = plain("plain.safetensors");
    for (options, mean, deviation) in [
        (&["--mean", "0.1307", "--deviation", "0.3081"][..], 0.1307, 0.3081),
        (&["--mean", "0"][..], 0.0, 1.0),
        (&["--normalisation", "none"][..], 0.0, 1.0 / 255.0),
    ] {
        let inputs = pixels.mapv(|pixel| (pixel / 255.0 - mean) / deviation);
        let (accuracy, loss) = by_hand(&inputs, &labels, [(&first, &bias), (&second, &last)]);
        let found = evaluated(&file, &data, options);
        assert_eq!(found.0, accuracy, "{options:?}");
        // Single precision, over some dozen terms.
        assert!((found.1 - loss).abs() < 1e-5 * loss.max(1.0), "{options:?}: {} {loss}", found.1);
    }
    let usual = evaluated(&file, &data, &["--mean", "0"]);
    let weights = first.iter().chain(&second).filter(|value| **value != 0.0).count() as u64;
    assert_eq!(usual.2, weights);

    // The same in other types, whose numbers hold these weights exactly.
    let half = |value: &f32| (((value.to_bits() >> 16) & 0x8000) as u16 | half_of(value.abs())).to_le_bytes();
    let bytes = |of: &dyn Fn(&f32) -> Vec<u8>, values: &[f32]| values.iter().flat_map(of).collect::<Vec<u8>>();
    let types: [(Dtype, Encode); 3] = [
        (Dtype::F16, &|value| half(value).to_vec()),
        (Dtype::BF16, &|value| value.to_le_bytes()[2..].to_vec()),
        (Dtype::F64, &|value| f64::from(*value).to_le_bytes().to_vec()),
    ];
    for (kind, of) in types {
        let tensor = |name, shape: &[usize], values: Vec<f32>| (name, kind, shape.to_vec(), bytes(of, &values));
        let tensors = [
            tensor("net.0.weight", &[12, 16], first.iter().copied().collect()),
            tensor("net.0.bias", &[12], bias.to_vec()),
            tensor("net.2.weight", &[10, 12], second.iter().copied().collect()),
            tensor("net.2.bias", &[10], last.to_vec()),
        ];
        let file = write(folder.path(), &format!("{kind:?}.safetensors"), &tensors);
        assert_eq!(evaluated(&file, &data, &["--mean", "0"]), usual, "{kind:?}");
    }

    // Pruned, with a mask beside the weight; and a layer without biases.
    let kept = Array2::from_shape_fn((12, 16), |(i, j)| f32::from(u8::from((i + j) % 3 > 0)));
    let tensors = [
        single("0.weight_orig", &[12, 16], first.iter().copied()),
        single("0.weight_mask", &[12, 16], kept.iter().copied()),
        single("2.weight", &[10, 12], second.iter().copied()),
    ];
    let file = write(folder.path(), "pruned.safetensors", &tensors);
    let none = (Array1::zeros(12), Array1::zeros(10));
    let inputs = pixels.mapv(|pixel| pixel / 255.0);
    let expected = by_hand(&inputs, &labels, [(&(&first * &kept), &none.0), (&second, &none.1)]);
    let found = evaluated(&file, &data, &["--mean", "0"]);
    assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-5 * expected.1.max(1.0), "{found:?}");
}

/// The bits of a half-precision number that holds a multiple of 1/8 up to 15 exactly.
fn half_of(value: f32) -> u16 {
    if value == 0.0 {
        return 0;
    }
    let exponent = value.log2().floor();
    let fraction = (value / exponent.exp2() - 1.0) * 1024.0;
    ((exponent as i32 + 15) as u16) << 10 | fraction as u16
}

#[test]
fn what_is_no_perceptron_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = little_mnist(folder.path());
    let zeros = |name, shape: &[usize]| single(name, shape, vec![0.5; shape.iter().product()]);
    let refused_with = |name: &str, tensors: &[Tensor], words: &[&str]| {
        let file = write(folder.path(), &format!("{name}.safetensors"), tensors);
        refused(&["evaluate", &file, "--data", &data, "--mean", "0"], words);
    };
    let (first, second) = (zeros("0.weight", &[12, 16]), zeros("2.weight", &[10, 12]));
    refused_with("conv", &[zeros("conv1.weight", &[4, 1, 3, 3])], &["conv1.weight", "no perceptron", "[4, 1, 3, 3]"]);
    refused_with("norm", &[first.clone(), zeros("1.weight", &[12])], &["1.weight", "no perceptron"]);
    refused_with("other", &[first.clone(), zeros("scale", &[1])], &["scale", "no perceptron"]);
    refused_with("chain", &[first.clone(), zeros("2.weight", &[10, 11])], &["2.weight", "11 inputs", "12 outputs"]);
    refused_with("bias", &[first.clone(), zeros("0.bias", &[11])], &["0.bias", "12 outputs"]);
    refused_with("alone", &[zeros("0.bias", &[11])], &["has no 0.weight"]);
    refused_with("mask", &[zeros("0.weight_orig", &[10, 16]), zeros("0.weight_mask", &[10, 15])], &["another shape"]);
    refused_with("half", &[zeros("0.weight_orig", &[10, 16]), zeros("0.weight_mask", &[10, 16])], &["0 and 1"]);
    refused_with("empty", &[], &["holds no tensor"]);
    refused_with("none", &[zeros("0.weight", &[0, 16])], &["0.weight", "[0, 16]"]);
    refused_with("nan", &[single("0.weight", &[1, 2], [f32::NAN, 1.0])], &["0.weight", "NaN", "entry 0"]);
    refused_with("whole", &[("0.weight", Dtype::C64, vec![1, 2], vec![0; 16])], &["0.weight", "C64"]);
    refused_with("inputs", &[zeros("0.weight", &[10, 9])], &["9 pixels"]);
    refused_with("few", &[zeros("0.weight", &[3, 16])], &["labels of 10 classes", "the network has 3 outputs"]);

    let file = write(folder.path(), "fine.safetensors", &[first, second]);
    refused(&["evaluate", &file, "--data", &data], &["does not say how its inputs were normalised", "--normalisation"]);
    let with = |options: &[&str], words: &[&str]| {
        refused(&[&["evaluate", &file, "--data", &data][..], options].concat(), words);
    };
    with(&["--deviation", "1"], &["--mean"]);
    with(&["--mean", "0", "--normalisation", "none"], &["--mean", "--normalisation"]);
    with(&["--mean", "0", "--deviation", "0"], &["0, 0", "positive"]);
    with(&["--mean", "x"], &["--mean", "x"]);
    with(&["--normalisation", "half"], &["half"]);
    let pointer = folder.path().join("pointer.safetensors");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n").unwrap();
    refused(&["evaluate", pointer.to_str().unwrap(), "--mean", "0"], &["Git LFS", "lfs pull"]);
}
