//! Matrices from `.npy` files.
//!
//! The header is read here and not by a parser of Python literals: it is a dictionary of three entries, and on other
//! input such a parser can take exponential time.

use std::path::Path;

use ndarray::{Array2, ShapeBuilder};

use crate::error::{Error, Result};
use crate::files::kind::{Kind, Wanted, as_matrix};
use crate::files::{CHECK, in_python, read_whole, unreadable};
use crate::kernel::gram::LARGEST_ENTRY;

/// The beginning of every `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The most bytes of a header, NumPy's own limit.
const LONGEST_HEADER: usize = 10_000;

/// Reads a matrix of shape `(N, d)`, f32 or f64, or a vector of shape `(d,)` as one row.
///
/// # Errors
/// A file that is missing or malformed, of another type or number of dimensions, empty, or with an entry that is not
/// finite or beyond what kernels can take ([`LARGEST_ENTRY`]).
pub fn read_npy(path: &Path) -> Result<Array2<f64>> {
    let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
    let matrix = parse(&bytes, path).map_err(|(problem, remedy)| match Kind::of(&bytes) {
        None | Some(Kind::Npy) => Error::file(path, problem, remedy),
        Some(kind) => kind.refusal(path, Wanted::Matrix, REMEDY),
    })?;
    checked(matrix, path)
}

/// What is wrong with a file, and what to do.
type Refusal = (String, String);

/// What to do about most refusals.
const REMEDY: &str = "give a .npy file of shape (N, d) or (d,), type f32 or f64";

/// The matrix in a file's bytes; `path` is for the remedies only.
fn parse(bytes: &[u8], path: &Path) -> std::result::Result<Array2<f64>, Refusal> {
    let damaged = |problem: &str| (format!("is not a complete and valid .npy file ({problem})"), REMEDY.to_string());
    let convert = |change: &str| {
        let (file, to) = (in_python(path), in_python(&as_matrix(path)));
        format!("in Python: import numpy; a = numpy.load({file}); numpy.save({to}, {change})")
    };
    let (header, data) = split(bytes).map_err(damaged)?;
    let Header { descriptor, fortran, shape } = Header::parse(header).map_err(damaged)?;
    let (rows, columns) = match shape[..] {
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
        [] => return Err(("has 0 dimensions".into(), REMEDY.into())),
        [rows, ..] => {
            let problem = format!("has {} dimensions, {}, and a matrix has 2", shape.len(), tuple(&shape));
            return Err((problem, convert(&format!("a.reshape({rows}, -1)"))));
        }
    };
    let size = match descriptor {
        "<f8" => size_of::<f64>(),
        "<f4" => size_of::<f32>(),
        ">f8" | ">f4" => {
            return Err(("is in the byte order of another machine".into(), convert("a.astype('<f8')")));
        }
        "|O" => return Err(("has entries that are Python objects (type |O)".into(), REMEDY.into())),
        _ => {
            let name = match descriptor.as_bytes() {
                [b'|' | b'<' | b'>', b'i' | b'u', ..] => "whole numbers",
                [_, b'f', ..] => "floats of another size",
                [_, b'b', ..] => "booleans",
                _ => return Err((format!("has entries of type {descriptor}"), REMEDY.into())),
            };
            let problem = format!("has entries of type {descriptor}, {name}, not f32 or f64");
            return Err((problem, convert("a.astype('<f8')")));
        }
    };
    // Checked even where there are no rows: such a shape cannot be held either.
    let most = isize::MAX as usize / size_of::<f64>();
    if rows.max(1).checked_mul(columns.max(1)).is_none_or(|entries| entries > most) {
        return Err(damaged("its header's shape is beyond any memory"));
    }
    let expected = rows * columns * size;
    if data.len() != expected {
        let problem =
            format!("{} bytes follow its header, not the {expected} of shape ({rows}, {columns})", data.len());
        return Err(damaged(&problem));
    }
    let mut values = Vec::with_capacity(rows * columns);
    if size == size_of::<f64>() {
        values.extend(data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)));
    } else {
        values.extend(data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))));
    }
    // For a vector, both orders are the same.
    Array2::from_shape_vec((rows, columns).set_f(fortran), values).map_err(|error| damaged(&error.to_string()))
}

/// An array of any type in the bytes of a file: its header, and the bytes of its entries.
pub(crate) fn raw(bytes: &[u8]) -> std::result::Result<(Header<'_>, &[u8]), &'static str> {
    let (header, data) = split(bytes)?;
    Ok((Header::parse(header)?, data))
}

/// A shape as Python writes it.
fn tuple(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}

/// The header of a file and the data after it.
fn split(bytes: &[u8]) -> std::result::Result<(&str, &[u8]), &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as one does")?;
    let cut = "it ends within its header";
    let (length, rest) = match rest {
        [1, 0, low, high, rest @ ..] => (u32::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [1..=3, 0, ..] | [] | [_] => return Err(cut),
        _ => return Err("its version is not 1.0, 2.0 or 3.0"),
    };
    let length = length as usize;
    if length > LONGEST_HEADER {
        return Err("its header is longer than 10000 bytes");
    }
    let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
    Ok((std::str::from_utf8(header).map_err(|_| "invalid .npy header: it is not text")?, data))
}

/// What a header says.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'a> {
    /// The type of the entries, such as `<f8`, or what is there instead of a string.
    pub descriptor: &'a str,
    /// Whether columns are contiguous rather than rows.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, the entries in any order.
    fn parse(text: &'a str) -> std::result::Result<Self, &'static str> {
        let wrong = "invalid .npy header: expected a dictionary of descr, fortran_order and shape";
        let text = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(wrong)?;
        let (mut descriptor, mut fortran, mut shape) = (None, None, None);
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or(wrong)?;
            let value = after.trim_start().strip_prefix(':').ok_or(wrong)?.trim_start();
            let twice = match key {
                "descr" => {
                    // A list of fields is not supported; it is read so that the error can name it.
                    let (value, after) = quoted(value).or_else(|| up_to(value, ']')).ok_or(wrong)?;
                    rest = after;
                    descriptor.replace(value).is_some()
                }
                "fortran_order" => {
                    let is = |word, truth| value.strip_prefix(word).map(|after| (truth, after));
                    let (value, after) = is("True", true).or_else(|| is("False", false)).ok_or(wrong)?;
                    rest = after;
                    fortran.replace(value).is_some()
                }
                "shape" => {
                    let (value, after) = up_to(value, ')').ok_or(wrong)?;
                    rest = after;
                    shape
                        .replace(sizes(value).ok_or("invalid .npy header: the shape is not a tuple of sizes")?)
                        .is_some()
                }
                _ => return Err(wrong),
            };
            rest = rest.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if rest.is_empty() => rest,
                None => return Err(wrong),
            };
            if twice {
                return Err("its header has the same entry twice");
            }
        }
        match (descriptor, fortran, shape) {
            (Some(descriptor), Some(fortran), Some(shape)) => Ok(Self { descriptor, fortran, shape }),
            _ => Err(wrong),
        }
    }
}

/// The quoted string at the beginning, and what follows it. Strings in a header need no escapes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    text[1..].split_once(quote)
}

/// The text up to and including the first `bracket`, and what follows it.
fn up_to(text: &str, bracket: char) -> Option<(&str, &str)> {
    text.split_inclusive(bracket).next().filter(|head| head.ends_with(bracket)).map(|head| text.split_at(head.len()))
}

/// The sizes of `(3, 4)`, `(3,)` or `()`.
fn sizes(tuple: &str) -> Option<Vec<usize>> {
    let inside = tuple.strip_prefix('(')?.strip_suffix(')')?.trim();
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let sizes = match inside.strip_suffix(',') {
        Some(sizes) => sizes,
        // In Python this is a number in brackets, not a tuple.
        None if !inside.contains(',') => return None,
        None => inside,
    };
    let size = |size: &str| size.bytes().all(|byte| byte.is_ascii_digit()).then(|| size.parse().ok())?;
    sizes.split(',').map(|text| size(text.trim())).collect()
}

fn checked(matrix: Array2<f64>, path: &Path) -> Result<Array2<f64>> {
    if matrix.is_empty() {
        return Err(Error::file(
            path,
            format!("is empty, shape {:?}", matrix.dim()),
            "give at least one row of one entry",
        ));
    }
    let beyond = |value: f64| value.is_nan() || value.abs() > LARGEST_ENTRY;
    if let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, value)| beyond(**value)) {
        let problem = format!("entry [{row}, {column}] is {value:e}");
        return Err(Error::file(
            path,
            problem,
            format!("give entries that are finite and at most {LARGEST_ENTRY:e} in magnitude"),
        ));
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A file of some version, header and data.
    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() + 1) as u32;
        let length = if version == 1 { &length.to_le_bytes()[..2] } else { &length.to_le_bytes()[..] };
        [MAGIC, &[version, 0], length, header.as_bytes(), b"\n", data].concat()
    }

    fn header(shape: &str) -> String {
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}")
    }

    fn refusal(bytes: &[u8]) -> String {
        parse(bytes, Path::new("x.npy")).unwrap_err().0
    }

    #[test]
    fn versions_types_and_orders() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let double: Vec<u8> = values.iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        let single: Vec<u8> = values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
        let rows = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        for version in 1..=3 {
            assert_eq!(parse(&file(version, &header("(2, 3)"), &double), Path::new("x.npy")).unwrap(), rows);
        }
        let read = |header: &str, data: &[u8]| parse(&file(1, header, data), Path::new("x.npy")).unwrap();
        assert_eq!(read(&header("(2, 3)").replace("f8", "f4"), &single), rows);
        assert_eq!(read("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}", &double), rows);
        let columns = array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]];
        assert_eq!(read(&header("(2, 3)").replace("False", "True"), &double), columns);
        assert_eq!(read(&header("(6,)"), &double), array![values]);
        assert_eq!(read(&header("(6,)").replace("False", "True"), &double), array![values]);
        assert_eq!(read(&header("(0, 3)"), &[]).dim(), (0, 3));
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        for (shape, words) in [
            ("()", "0 dimensions"),
            ("(1, 1, 1)", "3 dimensions"),
            ("(1)", "not a tuple"),
            ("(1, -1)", "not a tuple"),
            ("(1, 1", "expected a dictionary"),
            ("(,)", "not a tuple"),
            ("(1, 18446744073709551616)", "not a tuple"),
            ("(0, 18446744073709551615)", "beyond any memory"),
            ("(4294967296, 4294967296)", "beyond any memory"),
            ("(1, 2)", "8 bytes follow its header, not the 16 of shape (1, 2)"),
            ("(1, 1), 'shape': (1, 1)", "twice"),
            ("(1, 1), 'colour': 'red'", "expected a dictionary"),
            ("(1, 1) 'descr': '<f8'", "expected a dictionary"),
        ] {
            let message = refusal(&file(1, &header(shape), &[0; 8]));
            assert!(message.contains(words), "{shape}: {message}");
        }
        let fields = header("(1, 1)").replace("'<f8'", "[('a', '<f8')]");
        assert!(refusal(&file(1, &fields, &[0; 8])).contains("type [('a', '<f8')]"));
        let whole = file(2, &header("(1, 1)"), &[0; 8]);
        assert!(parse(&whole, Path::new("x.npy")).is_ok());
        for end in 0..whole.len() {
            assert!(refusal(&whole[..end]).contains("not a complete and valid .npy file"), "{end}");
        }
        assert!(refusal(&[MAGIC, &[4, 0, 0, 0]].concat()).contains("version"));
    }

    #[test]
    fn nested_and_long_headers_are_refused_at_once() {
        // A parser of Python literals takes time exponential in the depth.
        for header in ["{".repeat(40), "(".repeat(9_000), format!("{{'descr': {}", "[".repeat(9_000))] {
            assert!(refusal(&file(1, &header, &[])).contains("expected a dictionary"));
        }
        assert!(refusal(&file(2, &"[".repeat(2_000_000), &[])).contains("longer than 10000 bytes"));
    }

    #[test]
    fn shapes_in_other_quotes_are_checked_alike() {
        // Padded so that the data would be aligned.
        let header =
            format!("{:<117}", "{\"descr\":\"<f8\",\"fortran_order\":False,\"shape\":(0,18446744073709551615)}");
        assert!(refusal(&file(1, &header, &[])).contains("beyond any memory"));
    }
}
