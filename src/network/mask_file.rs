//! Masks that a user brings, as other programs write them.

use std::collections::HashSet;
use std::path::Path;

use ndarray::ArrayD;

use crate::error::{Error, Result, Setting};
use crate::files::array::{Array, of_npz, of_safetensors};
use crate::files::kind::{Kind, Wanted, listed};
use crate::files::{CHECK, read_whole, unreadable};

/// The mask of one layer: 1, or true, where a weight is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMask {
    /// The layer's name: what comes before `.weight` or `.weight_mask`, or the whole name of the array.
    pub layer: String,
    /// Of the weight's shape: outputs x inputs for a linear layer, outputs x inputs x kernel for a convolution.
    pub mask: ArrayD<bool>,
}

/// What to do about most refusals.
const REMEDY: &str = "give an NPZ or safetensors file of masks: arrays of 0 and 1, by the names of their layers";
/// The ending of a weight's name; those by which PyTorch's pruning stores a mask, and the weight that belongs to it.
const WEIGHT: &str = ".weight";
const MASK: &str = ".weight_mask";
const ORIGINAL: &str = "_orig";

/// Reads the masks of a file, in the order of the file.
///
/// Files are NPZ (compressed or not) or safetensors, arrays of any type whose entries are 0 and 1: booleans, integers
/// or floats. Names are those of
///
/// - masks: `LAYER.weight`, or any other name;
/// - `torch.nn.utils.prune`: `LAYER.weight_mask`, beside `LAYER.weight_orig`, which is left out. Where a file has such
///   names, a `LAYER.weight` is a layer that was not pruned, which keeps everything, and no other array is a mask.
///
/// Arrays of fewer than two dimensions, such as biases, are left out. With `zeros_are_masked`, the file holds weights,
/// and a mask keeps what is not 0.
///
/// # Errors
/// Where the file cannot be read, holds no array of two dimensions or more, or one with other entries than 0 and 1
/// (without `zeros_are_masked`) or one that is not finite; and where arrays of an NPZ file have names that NumPy would
/// confuse (`file`, `a.npy` beside `a`, `/a`, `../a`).
pub fn read_masks(path: &Path, zeros_are_masked: bool) -> Result<Vec<NamedMask>> {
    let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
    let arrays = match Kind::of(&bytes) {
        Some(Kind::Npz(_)) => of_npz(&bytes, path, REMEDY, &|_, shape| shape.len() >= 2)?,
        Some(Kind::Safetensors) => of_safetensors(&bytes, path, REMEDY, &|shape| shape.len() >= 2)?,
        Some(kind) => return Err(kind.refusal(path, Wanted::Masks, REMEDY)),
        None => return Err(Error::file(path, "is neither an NPZ nor a safetensors file", REMEDY)),
    };
    let masked: HashSet<String> =
        arrays.iter().filter_map(|array| array.name.strip_suffix(MASK)).map(String::from).collect();
    let pruned = !masked.is_empty();
    let of_layer = |name: &str| {
        let layer = name.strip_suffix(MASK).or_else(|| name.strip_suffix(WEIGHT)).unwrap_or(name);
        if layer.is_empty() { name.to_string() } else { layer.to_string() }
    };
    let mut masks: Vec<NamedMask> = Vec::new();
    let mut seen = HashSet::new();
    for array in arrays {
        // A layer that was not pruned.
        let is_whole = pruned && array.name.strip_suffix(WEIGHT).is_some_and(|layer| !masked.contains(layer));
        let is_asked = if pruned { is_whole || array.name.ends_with(MASK) } else { !array.name.ends_with(ORIGINAL) };
        if !is_asked || array.shape.len() < 2 {
            continue;
        }
        let layer = of_layer(&array.name);
        if !seen.insert(layer.clone()) {
            let problem = format!("has two arrays for the layer {}", listed(&[layer]));
            return Err(Error::file(path, problem, "give one mask per layer"));
        }
        let found = match is_whole {
            true => array.numbers().and_then(|numbers| array.shaped(vec![true; numbers.count()])),
            false => mask_of(&array, zeros_are_masked && !pruned),
        };
        let mask = found.map_err(|problem| {
            let what = format!("{} {problem}", listed(std::slice::from_ref(&array.name)));
            if zeros_are_masked {
                return Error::file(path, what, "give finite weights");
            }
            let remedy = "give arrays of 0 and 1, or have the zeros of weights taken for the mask";
            Error::file(path, what, remedy).about(Setting::ZerosAreMasked)
        })?;
        masks.push(NamedMask { layer, mask });
    }
    if masks.is_empty() {
        return Err(Error::file(path, "holds no array of two dimensions or more", REMEDY));
    }
    Ok(masks)
}

/// What an array keeps: the ones, or all that is not 0.
fn mask_of(array: &Array, zeros_are_masked: bool) -> std::result::Result<ArrayD<bool>, String> {
    let mut kept = Vec::new();
    for (place, value) in array.numbers()?.enumerate() {
        let is_right = if zeros_are_masked { value.is_finite() } else { value == 0.0 || value == 1.0 };
        if !is_right {
            let what = if zeros_are_masked { "a weight" } else { "a mask" };
            return Err(format!("holds {value} at entry {place}, so it is not {what}"));
        }
        kept.push(value != 0.0);
    }
    array.shaped(kept)
}
