//! Matrices from `.npy` files.

use std::path::Path;

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::files::array::{Array, Entries};
use crate::files::kind::{Kind, Wanted, as_matrix};
use crate::files::npy_header::{Header, raw};
use crate::files::{CHECK, in_python, read_whole, unreadable};
use crate::kernel::gram::LARGEST_ENTRY;

/// Reads a matrix of shape `(N, d)`, or a vector of shape `(d,)` as one row; further dimensions, as of images, are
/// flattened: `(N, h, w)` becomes `(N, h w)`. Entries are booleans, integers or floats of at most 64 bits, in either
/// byte order, by rows or by columns.
///
/// # Errors
/// A file that is missing or malformed, of another type, empty, or with an entry that is not finite or beyond what
/// kernels can take ([`LARGEST_ENTRY`]).
pub fn read_npy(path: &Path) -> Result<Array2<f64>> {
    of_npy_bytes(&read_whole(path).map_err(|error| unreadable(path, error, CHECK))?, path)
}

/// The matrix in the bytes of a `.npy` file; `path` names it in messages.
pub(super) fn of_npy_bytes(bytes: &[u8], path: &Path) -> Result<Array2<f64>> {
    let array = parse(bytes, path).map_err(|(problem, remedy)| match Kind::of(bytes) {
        None | Some(Kind::Npy) => Error::file(path, problem, remedy),
        Some(kind) => kind.refusal(path, Wanted::Matrix, REMEDY),
    })?;
    rows(&array, path)
}

/// What is wrong with a file, and what to do.
type Refusal = (String, String);

/// What to do about most refusals.
const REMEDY: &str = "give a .npy file of numbers, of shape (N, d) or (d,)";

/// The array in a file's bytes, of at least one dimension; `path` is for the remedies only.
pub(super) fn parse(bytes: &[u8], path: &Path) -> std::result::Result<Array, Refusal> {
    let damaged = |problem: &str| (format!("is not a complete and valid .npy file ({problem})"), REMEDY.to_string());
    let (Header { descriptor, fortran, shape }, data) = raw(bytes).map_err(damaged)?;
    let Some(entries) = Entries::of_descriptor(descriptor) else {
        let convert = || {
            let (file, to) = (in_python(path), in_python(&as_matrix(path)));
            format!("in Python: import numpy; a = numpy.load({file}); numpy.save({to}, a.astype('<f8'))")
        };
        return Err(match descriptor.as_bytes() {
            b"|O" => ("has entries that are Python objects (type |O)".into(), REMEDY.into()),
            [_, b'f', ..] => (format!("has entries of type {descriptor}, floats of another size"), convert()),
            _ => (format!("has entries of type {descriptor}"), REMEDY.into()),
        });
    };
    if shape.is_empty() {
        return Err(("has 0 dimensions".into(), REMEDY.into()));
    }
    // Checked even where there are no rows: such a shape cannot be held either.
    let most = isize::MAX as usize / size_of::<f64>();
    let entries_of = |least: usize| shape.iter().try_fold(1usize, |all, size| all.checked_mul((*size).max(least)));
    if entries_of(1).is_none_or(|entries| entries > most) {
        return Err(damaged("its header's shape is beyond any memory"));
    }
    let expected = shape.iter().product::<usize>() * entries.size();
    if data.len() != expected {
        let problem = format!("{} bytes follow its header, not the {expected} of shape {}", data.len(), tuple(&shape));
        return Err(damaged(&problem));
    }
    Ok(Array { name: String::new(), entries, fortran, shape, data: data.to_vec() })
}

/// A shape as Python writes it.
pub(super) fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The matrix of an array of at least one dimension, as [`read_npy`] makes it; `path` is the file that holds it.
pub(super) fn rows(array: &Array, path: &Path) -> Result<Array2<f64>> {
    let values = array.numbers().map(Iterator::collect).and_then(|values| flat(array, values));
    checked(values.map_err(|problem| Error::file(path, name(array) + &problem, REMEDY))?, path)
}

/// Something made of each number, in rows: `(N, d)`.
pub(super) fn flat<T: Clone>(array: &Array, values: Vec<T>) -> std::result::Result<Array2<T>, String> {
    // First, since it refuses shapes whose product overflows.
    let shaped = array.shaped(values)?.as_standard_layout().into_owned();
    let (rows, rest) = match array.shape[..] {
        [] => return Err("has 0 dimensions".into()),
        [columns] => (1, columns),
        [rows, ref rest @ ..] => (rows, rest.iter().product()),
    };
    Array2::from_shape_vec((rows, rest), shaped.into_raw_vec_and_offset().0).map_err(|error| error.to_string())
}

/// The beginning of what is said of an array in a file of several.
pub(super) fn name(array: &Array) -> String {
    if array.name.is_empty() { String::new() } else { format!("{} ", array.name) }
}

/// Refuses a matrix that is empty or has an entry that no kernel takes.
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
    use crate::files::npy_header::MAGIC;
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

    fn matrix(bytes: &[u8]) -> Array2<f64> {
        let array = parse(bytes, Path::new("x.npy")).unwrap();
        flat(&array, array.numbers().unwrap().collect()).unwrap()
    }

    #[test]
    fn versions_types_and_orders() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let double: Vec<u8> = values.iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        let single: Vec<u8> = values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
        let rows = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        for version in 1..=3 {
            assert_eq!(matrix(&file(version, &header("(2, 3)"), &double)), rows);
        }
        let read = |header: &str, data: &[u8]| matrix(&file(1, header, data));
        assert_eq!(read(&header("(2, 3)").replace("f8", "f4"), &single), rows);
        assert_eq!(read("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}", &double), rows);
        let columns = array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]];
        assert_eq!(read(&header("(2, 3)").replace("False", "True"), &double), columns);
        assert_eq!(read(&header("(6,)"), &double), array![values]);
        assert_eq!(read(&header("(6,)").replace("False", "True"), &double), array![values]);
        assert_eq!(read(&header("(0, 3)"), &[]).dim(), (0, 3));
        assert_eq!(read(&header("(2L, 3L)"), &double), rows);
        let big: Vec<u8> = values.iter().flat_map(|value: &f64| value.to_be_bytes()).collect();
        assert_eq!(read(&header("(2, 3)").replace('<', ">"), &big), rows);
        let signed: Vec<u8> = (-3..3i16).flat_map(i16::to_le_bytes).collect();
        let expected = array![[-3.0, -2.0, -1.0], [0.0, 1.0, 2.0]];
        assert_eq!(read(&header("(2, 3)").replace("f8", "i2"), &signed), expected);
        // Images of 1 x 3 pixels, by columns and by rows.
        assert_eq!(read(&header("(2, 1, 3)").replace("False", "True"), &double), columns);
        assert_eq!(read(&header("(2, 1, 3)"), &double), rows);
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        for (shape, words) in [
            ("()", "0 dimensions"),
            ("(1, L)", "not a tuple"),
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
