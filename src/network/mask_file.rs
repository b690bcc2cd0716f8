//! Masks that a user brings, as other programs write them.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use crate::data::{NpyHeader as Header, raw_npy};
use crate::error::{Error, Result, Setting};
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

/// The most bytes of one array: what a damaged or hostile archive may unpack to.
const MOST_BYTES: u64 = 1 << 33;
/// What to do about most refusals.
const REMEDY: &str = "give an NPZ or safetensors file of masks: arrays of 0 and 1, by the names of their layers";
/// The endings of names by which PyTorch's pruning stores a mask, and the weight that belongs to it.
const MASK: &str = ".weight_mask";
const ORIGINAL: &str = "_orig";

/// Reads the masks of a file, in the order of the file.
///
/// Files are NPZ (compressed or not) or safetensors, arrays of any type whose entries are 0 and 1: booleans, integers
/// or floats. Names are those of
///
/// - masks: `LAYER.weight`, or any other name;
/// - `torch.nn.utils.prune`: `LAYER.weight_mask`, beside `LAYER.weight_orig`, which is left out. Where a file has such
///   names, no other array of it is a mask.
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
        Some(Kind::Npz(_)) => of_npz(&bytes, path)?,
        Some(Kind::Safetensors) => of_safetensors(&bytes, path)?,
        Some(kind) => return Err(kind.refusal(path, Wanted::Masks, REMEDY)),
        None => return Err(Error::file(path, "is neither an NPZ nor a safetensors file", REMEDY)),
    };
    let pruned = arrays.iter().any(|array| array.name.ends_with(MASK));
    let names: Vec<String> = arrays.iter().map(|array| array.name.clone()).collect();
    let of_layer = |name: &str| {
        let layer = name.strip_suffix(MASK).or_else(|| name.strip_suffix(".weight")).unwrap_or(name);
        if layer.is_empty() { name.to_string() } else { layer.to_string() }
    };
    let mut masks: Vec<NamedMask> = Vec::new();
    let mut seen = HashSet::new();
    for array in arrays {
        let is_asked = if pruned { array.name.ends_with(MASK) } else { !array.name.ends_with(ORIGINAL) };
        if !is_asked || array.shape.len() < 2 {
            continue;
        }
        let layer = of_layer(&array.name);
        if !seen.insert(layer.clone()) {
            let problem = format!("has two arrays for the layer {}", listed(&[layer]));
            return Err(Error::file(path, problem, "give one mask per layer"));
        }
        let mask = array.mask(zeros_are_masked && !pruned).map_err(|problem| {
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
        let problem = format!("holds no array of two dimensions or more, only {}", listed(&names));
        return Err(Error::file(path, problem, REMEDY));
    }
    Ok(masks)
}

/// An array as a file holds it.
struct Array {
    name: String,
    entries: Entries,
    /// Whether columns are contiguous rather than rows.
    fortran: bool,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// How entries are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entries {
    kind: Number,
    bytes: usize,
    is_big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    /// Booleans and integers: all that is asked of them is whether they are 0, or 1.
    Whole,
    Float,
    /// The upper half of a 32-bit float.
    BFloat,
}

impl Entries {
    /// Of NumPy's descriptor, such as `<f8`.
    fn of_descriptor(descriptor: &str) -> Option<Self> {
        let mut letters = descriptor.chars();
        let (order, kind) = (letters.next()?, letters.next()?);
        let bytes = letters.as_str().parse().ok()?;
        let kind = match (kind, bytes) {
            ('b', 1) | ('i' | 'u', 1 | 2 | 4 | 8) => Number::Whole,
            ('f', 2 | 4 | 8) => Number::Float,
            _ => return None,
        };
        "|<>=".contains(order).then_some(Self { kind, bytes, is_big_endian: order == '>' })
    }

    pub(crate) fn of_dtype(dtype: Dtype) -> Option<Self> {
        let (kind, bytes) = match dtype {
            Dtype::BOOL | Dtype::U8 | Dtype::I8 => (Number::Whole, 1),
            Dtype::I16 | Dtype::U16 => (Number::Whole, 2),
            Dtype::I32 | Dtype::U32 => (Number::Whole, 4),
            Dtype::I64 | Dtype::U64 => (Number::Whole, 8),
            Dtype::F16 => (Number::Float, 2),
            Dtype::BF16 => (Number::BFloat, 2),
            Dtype::F32 => (Number::Float, 4),
            Dtype::F64 => (Number::Float, 8),
            _ => return None,
        };
        Some(Self { kind, bytes, is_big_endian: false })
    }

    /// All entries as numbers, see `number`.
    pub(crate) fn numbers(self, data: &[u8]) -> impl Iterator<Item = f64> + '_ {
        data.chunks_exact(self.bytes).map(move |bytes| self.number(bytes))
    }

    /// An entry as a number. Whole numbers need only be recognised as 0, as 1 or as neither, so a negative one is read
    /// as a large positive one.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        if self.is_big_endian {
            word[..bytes.len()].reverse();
        }
        let bits = u64::from_le_bytes(word);
        match (self.kind, self.bytes) {
            (Number::Whole, _) => bits as f64,
            (Number::Float, 8) => f64::from_bits(bits),
            (Number::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Number::BFloat, _) => f64::from(f32::from_bits((bits as u32) << 16)),
            (Number::Float, _) => half(bits as u16),
        }
    }
}

/// A 16-bit float.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match (exponent, fraction) {
        (0, _) => fraction * 2f64.powi(-24),
        (31, 0.0) => f64::INFINITY,
        (31, _) => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

impl Array {
    /// What it keeps: the ones, or all that is not 0.
    fn mask(&self, zeros_are_masked: bool) -> std::result::Result<ArrayD<bool>, String> {
        let count = self.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        let expected = count.and_then(|count| count.checked_mul(self.entries.bytes));
        if expected != Some(self.data.len()) {
            return Err(format!(
                "has {} bytes of data, which is not what its shape {:?} takes",
                self.data.len(),
                self.shape
            ));
        }
        let mut kept = Vec::with_capacity(self.data.len() / self.entries.bytes);
        for (place, bytes) in self.data.chunks_exact(self.entries.bytes).enumerate() {
            let value = self.entries.number(bytes);
            let is_right = if zeros_are_masked { value.is_finite() } else { value == 0.0 || value == 1.0 };
            if !is_right {
                return Err(format!(
                    "holds {value} at entry {place}, so it is not {}",
                    if zeros_are_masked { "a weight" } else { "a mask" }
                ));
            }
            kept.push(value != 0.0);
        }
        let shape = IxDyn(&self.shape).set_f(self.fortran);
        ArrayD::from_shape_vec(shape, kept).map_err(|error| error.to_string())
    }
}

/// The arrays of an NPZ file.
fn of_npz(bytes: &[u8], path: &Path) -> Result<Vec<Array>> {
    let damaged =
        |problem: String| Error::file(path, format!("is not a complete and valid NPZ file ({problem})"), REMEDY);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
    let names: Vec<String> = archive.file_names().map(String::from).collect();
    check_array_names(names.iter().filter_map(|name| name.strip_suffix(".npy"))).map_err(|(name, problem)| {
        let problem = format!("has an array named {}, which {problem}", listed(&[name]));
        Error::file(path, problem, "rename it, and save the masks again")
    })?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let Some(name) = file.name().strip_suffix(".npy").map(str::to_string) else { continue };
        let mut array = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut array).map_err(|error| damaged(error.to_string()))?;
        let (Header { descriptor, fortran, shape }, data) = raw_npy(&array)
            .map_err(|problem| damaged(format!("{}: {problem}", listed(std::slice::from_ref(&name)))))?;
        if shape.len() < 2 {
            continue;
        }
        let Some(entries) = Entries::of_descriptor(descriptor) else {
            let problem = format!("{} has entries of type {}", listed(&[name]), listed(&[descriptor.into()]));
            return Err(Error::file(path, problem, REMEDY));
        };
        arrays.push(Array { name, entries, fortran, shape, data: data.to_vec() });
    }
    Ok(arrays)
}

/// Refuses names of arrays that NumPy would confuse or not write again: the first of them, and what is wrong with it.
///
/// `numpy.load` finds the array `a` under the name `a.npy` as well; `numpy.savez` has an argument `file` of its own; and
/// a name is a path in the archive, which must not lead out of the folder that it is unpacked to.
pub(super) fn check_array_names<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
) -> std::result::Result<(), (String, String)> {
    let all: HashSet<&str> = names.clone().collect();
    for name in names {
        let problem = if name == "file" {
            "is an argument of numpy.savez".to_string()
        } else if name.starts_with('/') {
            "begins with /, which is a path from the root".into()
        } else if name.split(['/', '\\']).any(|part| part == "..") {
            "has a part .., a path to another folder".into()
        } else if let Some(short) = name.strip_suffix(".npy").filter(|short| all.contains(short)) {
            format!("stands beside {short}, for which numpy.load takes it as well")
        } else {
            continue;
        };
        return Err((name.into(), problem));
    }
    Ok(())
}

/// The arrays of a safetensors file, by the numbers in their names where they have any: `2.weight` before `10.weight`.
fn of_safetensors(bytes: &[u8], path: &Path) -> Result<Vec<Array>> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::file(path, format!("is not a complete and valid safetensors file ({error})"), REMEDY)
    };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
    let mut arrays = Vec::new();
    for (name, view) in file.tensors() {
        if view.shape().len() < 2 {
            continue;
        }
        let Some(entries) = Entries::of_dtype(view.dtype()) else {
            let problem = format!("{} has entries of type {:?}", listed(&[name]), view.dtype());
            return Err(Error::file(path, problem, REMEDY));
        };
        let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
        arrays.push(Array { name, entries, fortran: false, shape, data });
    }
    arrays.sort_by_key(|array| in_order(&array.name));
    Ok(arrays)
}

/// A name in parts, so that numbers in it compare as numbers.
pub(crate) fn in_order(name: &str) -> Vec<(bool, u64, String)> {
    let parts = name.split_inclusive(|letter: char| !letter.is_ascii_digit());
    let part = |part: &str| {
        let digits = part.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        match digits.parse() {
            Ok(number) => (false, number, part[digits.len()..].to_string()),
            Err(_) => (true, 0, part.to_string()),
        }
    };
    parts.map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_numbers() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0x0000, 0.0),
            (0x8000, 0.0),
            (0xc000, -2.0),
            (0x0001, 2f64.powi(-24)),
            (0x3555, 0.333_251_953_125),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["10.weight", "2.weight", "0.weight", "fc.weight", "conv2.weight", "conv10.weight"];
        names.sort_by_key(|name| in_order(name));
        assert_eq!(names, ["0.weight", "2.weight", "10.weight", "conv2.weight", "conv10.weight", "fc.weight"]);
    }

    #[test]
    fn entries_of_every_type_and_order() {
        for descriptor in ["|b1", "|u1", "<i2", ">i2", "<u4", ">i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"] {
            let entries = Entries::of_descriptor(descriptor).unwrap();
            let mut one = match (entries.kind, entries.bytes) {
                (Number::Whole, size) => 1u64.to_le_bytes()[..size].to_vec(),
                (_, 2) => 0x3c00u16.to_le_bytes().to_vec(),
                (_, 4) => 1f32.to_le_bytes().to_vec(),
                _ => 1f64.to_le_bytes().to_vec(),
            };
            if entries.is_big_endian {
                one.reverse();
            }
            assert_eq!(entries.number(&one), 1.0, "{descriptor}");
            assert_eq!(entries.number(&vec![0; entries.bytes]), 0.0, "{descriptor}");
        }
        for descriptor in ["|O", "<c16", "|S3", "<f16", "<i3", ""] {
            assert_eq!(Entries::of_descriptor(descriptor), None, "{descriptor}");
        }
    }
}
