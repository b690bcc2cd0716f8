//! Masks from files, as this program, NumPy and PyTorch write them, and what is no mask.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use ndarray::{ArrayD, IxDyn};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use sparsewidth::Setting;
use sparsewidth::network::budget::{LayerShape, Pattern, masks_npz};
use sparsewidth::network::read_masks;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file in a folder of its own.
fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A `.npy` array of version 1.
fn npy(descriptor: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descriptor}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), data].concat()
}

fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn tensors(arrays: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let views =
        arrays.iter().map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    serialize(views, None).unwrap()
}

fn mask(shape: &[usize], kept: &[u8]) -> ArrayD<bool> {
    ArrayD::from_shape_vec(IxDyn(shape), kept.iter().map(|kept| *kept == 1).collect()).unwrap()
}

#[test]
fn masks_of_a_budget_come_back() {
    let layers =
        [("0", vec![5, 7]), ("conv", vec![4, 3, 3, 3])].map(|(name, shape)| LayerShape { name: name.into(), shape });
    let bytes = masks_npz(&layers, &[11, 20], Pattern::Unstructured, 3).unwrap();
    let (_folder, path) = file("masks.npz", &bytes);
    let read = read_masks(&path, false).unwrap();
    for (place, ((layer, kept), found)) in (0..).zip(layers.iter().zip([11, 20]).zip(&read)) {
        assert_eq!(found.layer, layer.name);
        assert_eq!(found.mask, Pattern::Unstructured.draw(layer, kept, 3, place).unwrap());
    }
    assert_eq!(read.len(), 2);
}

#[test]
fn arrays_of_any_type_and_layout_are_the_same_mask() {
    let expected = mask(&[2, 3], &[1, 0, 1, 0, 0, 1]);
    let values = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let bytes = |of: &dyn Fn(f64) -> Vec<u8>| values.iter().flat_map(|value| of(*value)).collect::<Vec<u8>>();
    // By columns.
    let columns: Vec<u8> = [1, 0, 0, 0, 1, 1].into();
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let archive = npz(
            &[
                ("bool.weight", npy("|b1", false, "(2, 3)", &bytes(&|v| vec![v as u8]))),
                ("long.weight", npy("<i8", false, "(2, 3)", &bytes(&|v| (v as i64).to_le_bytes().into()))),
                ("big.weight", npy(">f4", false, "(2, 3)", &bytes(&|v| (v as f32).to_be_bytes().into()))),
                ("double.weight", npy("<f8", false, "(2, 3)", &bytes(&|v| v.to_le_bytes().into()))),
                ("fortran.weight", npy("|u1", true, "(2, 3)", &columns)),
                ("bias", npy("<f4", false, "(2,)", &[0; 8])),
            ],
            method,
        );
        let (_folder, path) = file("masks.npz", &archive);
        let read = read_masks(&path, false).unwrap();
        let names: Vec<&str> = read.iter().map(|own| own.layer.as_str()).collect();
        assert_eq!(names, ["bool", "long", "big", "double", "fortran"]);
        assert!(read.iter().all(|own| own.mask == expected), "{read:?}");
    }
}

/// A state dict after `torch.nn.utils.prune` of some layers: in their order, with the masks of the others.
#[test]
fn pruned_state_dicts_give_their_masks() {
    let ones = |count: usize| 1f32.to_le_bytes().repeat(count);
    let half = |count: usize| 0.5f32.to_le_bytes().repeat(count);
    let bytes = tensors(&[
        ("10.weight_mask", Dtype::F32, &[2, 2], &ones(4)),
        ("10.weight_orig", Dtype::F32, &[2, 2], &half(4)),
        ("2.bias", Dtype::F32, &[2], &half(2)),
        ("2.weight_mask", Dtype::F32, &[1, 2], &ones(2)),
        ("2.weight_orig", Dtype::F32, &[1, 2], &half(2)),
        ("4.weight", Dtype::F32, &[1, 2], &half(2)),
    ]);
    let (_folder, path) = file("pruned.safetensors", &bytes);
    let read = read_masks(&path, false).unwrap();
    let found: Vec<(&str, &ArrayD<bool>)> = read.iter().map(|own| (own.layer.as_str(), &own.mask)).collect();
    // Layer 4 was not pruned, and keeps everything.
    let row = mask(&[1, 2], &[1, 1]);
    assert_eq!(found, [("2", &row), ("4", &row), ("10", &mask(&[2, 2], &[1, 1, 1, 1]))]);
}

#[test]
fn zeros_of_weights_are_a_mask_where_asked_for() {
    let weights: Vec<u8> = [0x3f00u16, 0x0000, 0xbf80, 0x8000].iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let (_folder, path) = file("weights.safetensors", &tensors(&[("fc.weight", Dtype::BF16, &[2, 2], &weights)]));
    let read = read_masks(&path, true).unwrap();
    assert_eq!(read[0].mask, mask(&[2, 2], &[1, 0, 1, 0]));
    let error = read_masks(&path, false).unwrap_err();
    assert_eq!(error.setting(), Some(Setting::ZerosAreMasked));
    let message = error.to_string();
    assert!(message.contains("fc.weight holds 0.5 at entry 0") && message.contains("zeros of weights"), "{message}");
}

#[test]
fn what_holds_no_mask_is_refused_in_words() {
    let refused = |name: &str, bytes: &[u8], words: &[&str]| {
        let (_folder, path) = file(name, bytes);
        let message = read_masks(&path, false).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let stored = CompressionMethod::Stored;
    refused("a.npz", b"", &["empty"]);
    refused("a.npz", b"hello there", &["neither an NPZ nor a safetensors file"]);
    refused("a.npz", b"version https://git-lfs.github.com/spec/v1\n", &["Git LFS pointer"]);
    refused("a.npy", &npy("|b1", false, "(1, 1)", &[1]), &["array"]);
    refused("a.npz", &npz(&[("b", npy("|b1", false, "(2,)", &[1, 0]))], stored), &["no array of two dimensions"]);
    refused("a.npz", &npz(&[("w", npy("|u1", false, "(1, 2)", &[1, 2]))], stored), &["w holds 2 at entry 1"]);
    refused("a.npz", &npz(&[("w", npy("|u1", false, "(1, 3)", &[1, 0]))], stored), &["2 bytes of data", "[1, 3]"]);
    refused("a.npz", &npz(&[("w", npy("|O", false, "(1, 2)", &[1, 0]))], stored), &["type |O"]);
    refused("a.npz", &npz(&[("w", npy("<f4", false, "(1, 1)", &f32::NAN.to_le_bytes()))], stored), &["holds NaN"]);
    refused("a.npz", &npz(&[("w", b"nonsense".to_vec())], stored), &["w: it does not begin as one does"]);
    let twice = [("w", npy("|b1", false, "(1, 1)", &[1])), ("w.weight", npy("|b1", false, "(1, 1)", &[1]))];
    refused("a.npz", &npz(&twice, stored), &["two arrays for the layer w"]);
    let mut whole = npz(&[("w", npy("|b1", false, "(1, 2)", &[1, 0]))], CompressionMethod::Deflated);
    refused("a.npz", &whole[..whole.len() - 30], &["cut short"]);
    // Within the data: what unpacks is not what its checksum says, or nothing does.
    whole[60] ^= 0xff;
    refused("a.npz", &whole, &["not a complete and valid NPZ file"]);
    let tensor = tensors(&[("w", Dtype::F32, &[1, 1], &1f32.to_le_bytes())]);
    refused("a.safetensors", &tensor[..tensor.len() - 2], &["not a complete and valid safetensors file"]);
}

#[test]
fn names_that_numpy_confuses_are_refused() {
    let eye = || npy("|b1", false, "(1, 2)", &[1, 0]);
    for (names, words) in [
        (&["a", "a.npy"][..], "array named a.npy, which stands beside a"),
        (&["/a"], "named /a, which begins with /"),
        (&["../a"], "named ../a, which has a part .."),
        (&["a", "file"], "named file, which is an argument of numpy.savez"),
    ] {
        let arrays: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, eye())).collect();
        let (_folder, path) = file("masks.npz", &npz(&arrays, CompressionMethod::Stored));
        let message = read_masks(&path, false).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("rename it"), "{message}");
    }
    let (_folder, path) = file("masks.npz", &npz(&[("a.npy", eye()), ("b..c", eye())], CompressionMethod::Stored));
    assert_eq!(read_masks(&path, false).unwrap().len(), 2);
}
