//! Arrays as files hold them: `.npy`, NPZ and safetensors, of any type, in either byte order, by rows or by columns.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::npy_header::{Header, raw};
use crate::error::{Error, Result};
use crate::files::kind::listed;

/// The most bytes of one array: what a damaged or hostile archive may unpack to.
const MOST_BYTES: u64 = 1 << 33;

/// An array as a file holds it.
#[derive(Debug)]
pub(crate) struct Array {
    pub name: String,
    pub entries: Entries,
    /// Whether columns are contiguous rather than rows.
    pub fortran: bool,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

impl Array {
    /// The numbers as they are stored, one after the other.
    ///
    /// # Errors
    /// Where there are not as many bytes as the shape takes.
    pub fn numbers(&self) -> std::result::Result<impl Iterator<Item = f64>, String> {
        let count = self.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
        let expected = count.and_then(|count| count.checked_mul(self.entries.bytes));
        if expected != Some(self.data.len()) {
            return Err(format!(
                "has {} bytes of data, which is not what its shape {:?} takes",
                self.data.len(),
                self.shape
            ));
        }
        Ok(self.data.chunks_exact(self.entries.bytes).map(|bytes| self.entries.number(bytes)))
    }

    /// Something made of each number, in the array's shape.
    ///
    /// # Errors
    /// Where there are not as many as the shape takes.
    pub fn shaped<T>(&self, values: Vec<T>) -> std::result::Result<ArrayD<T>, String> {
        ArrayD::from_shape_vec(IxDyn(&self.shape).set_f(self.fortran), values).map_err(|error| error.to_string())
    }
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
    /// Booleans and integers without a sign.
    Unsigned,
    Signed,
    Float,
    /// The upper half of a 32-bit float.
    BFloat,
}

impl Entries {
    /// Of NumPy's descriptor, such as `<f8`.
    pub fn of_descriptor(descriptor: &str) -> Option<Self> {
        let mut letters = descriptor.chars();
        let (order, kind) = (letters.next()?, letters.next()?);
        let bytes = letters.as_str().parse().ok()?;
        let kind = match (kind, bytes) {
            // Booleans are bytes of 0 and 1.
            ('b', 1) | ('u', 1 | 2 | 4 | 8) => Number::Unsigned,
            ('i', 1 | 2 | 4 | 8) => Number::Signed,
            ('f', 2 | 4 | 8) => Number::Float,
            _ => return None,
        };
        "|<>=".contains(order).then_some(Self { kind, bytes, is_big_endian: order == '>' })
    }

    pub fn of_dtype(dtype: Dtype) -> Option<Self> {
        let (kind, bytes) = match dtype {
            Dtype::BOOL | Dtype::U8 => (Number::Unsigned, 1),
            Dtype::U16 => (Number::Unsigned, 2),
            Dtype::U32 => (Number::Unsigned, 4),
            Dtype::U64 => (Number::Unsigned, 8),
            Dtype::I8 => (Number::Signed, 1),
            Dtype::I16 => (Number::Signed, 2),
            Dtype::I32 => (Number::Signed, 4),
            Dtype::I64 => (Number::Signed, 8),
            Dtype::F16 => (Number::Float, 2),
            Dtype::BF16 => (Number::BFloat, 2),
            Dtype::F32 => (Number::Float, 4),
            Dtype::F64 => (Number::Float, 8),
            _ => return None,
        };
        Some(Self { kind, bytes, is_big_endian: false })
    }

    /// The bytes of an entry.
    pub fn size(self) -> usize {
        self.bytes
    }

    /// Whether an entry is an unsigned byte, as pixels are.
    pub fn is_byte(self) -> bool {
        self.kind == Number::Unsigned && self.bytes == 1
    }

    /// An entry as a number; integers beyond 2^53 are rounded.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        if self.is_big_endian {
            word[..bytes.len()].reverse();
        }
        let bits = u64::from_le_bytes(word);
        match (self.kind, self.bytes) {
            (Number::Unsigned, _) => bits as f64,
            (Number::Signed, bytes) => ((bits << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes)) as f64,
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

/// The names of the arrays of an NPZ file.
///
/// # Errors
/// Where the file is damaged; `remedy` is what to do.
pub(crate) fn npz_names(bytes: &[u8], path: &Path, remedy: &str) -> Result<Vec<String>> {
    let archive = open_npz(bytes, path, remedy)?;
    Ok(archive.file_names().filter_map(|name| name.strip_suffix(".npy")).map(String::from).collect())
}

fn damaged_npz(path: &Path, problem: &str, remedy: &str) -> Error {
    Error::file(path, format!("is not a complete and valid NPZ file ({problem})"), remedy)
}

fn open_npz<'a>(bytes: &'a [u8], path: &Path, remedy: &str) -> Result<ZipArchive<Cursor<&'a [u8]>>> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged_npz(path, &error.to_string(), remedy))
}

/// The arrays of an NPZ file that are wanted, by name and shape.
///
/// # Errors
/// Where the file is damaged, arrays have names that NumPy would confuse, or a wanted one has entries that are not
/// numbers; `remedy` is what to do.
pub(crate) fn of_npz(
    bytes: &[u8],
    path: &Path,
    remedy: &str,
    is_wanted: &dyn Fn(&str, &[usize]) -> bool,
) -> Result<Vec<Array>> {
    let damaged = |problem: String| damaged_npz(path, &problem, remedy);
    let names = npz_names(bytes, path, remedy)?;
    check_array_names(names.iter().map(String::as_str)).map_err(|(name, problem)| {
        let problem = format!("has an array named {}, which {problem}", listed(&[name]));
        Error::file(path, problem, "rename it, and save the file again")
    })?;
    let mut archive = open_npz(bytes, path, remedy)?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let Some(name) = file.name().strip_suffix(".npy").map(str::to_string) else { continue };
        let mut array = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut array).map_err(|error| damaged(error.to_string()))?;
        let (Header { descriptor, fortran, shape }, data) =
            raw(&array).map_err(|problem| damaged(format!("{}: {problem}", listed(std::slice::from_ref(&name)))))?;
        if !is_wanted(&name, &shape) {
            continue;
        }
        let Some(entries) = Entries::of_descriptor(descriptor) else {
            let of = listed(&[descriptor.into()]);
            let problem = format!("{} has entries of type {of}, which is not one of numbers", listed(&[name]));
            return Err(Error::file(path, problem, remedy));
        };
        arrays.push(Array { name, entries, fortran, shape, data: data.to_vec() });
    }
    Ok(arrays)
}

/// Refuses names of arrays that NumPy would confuse or not write again: the first of them, and what is wrong with it.
///
/// `numpy.load` finds the array `a` under the name `a.npy` as well; `numpy.savez` has a parameter named `file`;
/// and a name is a path in the archive, which must not lead out of the folder that it is unpacked to.
pub(crate) fn check_array_names<'a>(
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

/// The arrays of a safetensors file that are wanted, by shape, in the order of the numbers in their names where they
/// have any: `2.weight` before `10.weight`.
///
/// # Errors
/// As [`of_npz`].
pub(crate) fn of_safetensors(
    bytes: &[u8],
    path: &Path,
    remedy: &str,
    is_wanted: &dyn Fn(&[usize]) -> bool,
) -> Result<Vec<Array>> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::file(path, format!("is not a complete and valid safetensors file ({error})"), remedy)
    };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
    let mut arrays = Vec::new();
    for (name, view) in file.tensors() {
        if !is_wanted(view.shape()) {
            continue;
        }
        let Some(entries) = Entries::of_dtype(view.dtype()) else {
            let problem = format!("{} has entries of type {:?}", listed(&[name]), view.dtype());
            return Err(Error::file(path, problem, remedy));
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
                (Number::Unsigned | Number::Signed, size) => 1u64.to_le_bytes()[..size].to_vec(),
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
        for (descriptor, bytes, value) in [
            ("|i1", &[0xff][..], -1.0),
            ("<i4", &[0xfe, 0xff, 0xff, 0xff], -2.0),
            (">i2", &[0x80, 0], -32768.0),
            ("<i8", &[0xff; 8], -1.0),
            ("|u1", &[0xff], 255.0),
        ] {
            assert_eq!(Entries::of_descriptor(descriptor).unwrap().number(bytes), value, "{descriptor}");
        }
        for descriptor in ["|O", "<c16", "|S3", "<f16", "<i3", ""] {
            assert_eq!(Entries::of_descriptor(descriptor), None, "{descriptor}");
        }
    }
}
