//! Matrices from `.npy` files.

use std::path::Path;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use ndarray_npy::{ViewNpyError, ViewNpyExt};

use crate::error::{Error, Result};
use crate::gram::LARGEST_ENTRY;

/// Reads a matrix of shape `(N, d)`, f32 or f64, or a vector of shape `(d,)` as one row.
///
/// # Errors
/// A file that is missing or malformed, of another type or number of dimensions, empty, or with an entry that is not finite
/// or beyond what kernels can take ([`LARGEST_ENTRY`]).
pub fn read_npy(path: &Path) -> Result<Array2<f64>> {
    let remedy = "give a .npy file of shape (N, d) or (d,), type f32 or f64";
    let bytes = std::fs::read(path).map_err(|error| {
        Error::file(path, format!("cannot be read ({error})"), "check the path and its permissions")
    })?;
    // Views want aligned data (headers are padded so that it follows the buffer's own alignment), and unlike readers they
    // allocate nothing on the word of a header.
    let mut buffer = vec![0; bytes.len() + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    buffer[start..start + bytes.len()].copy_from_slice(&bytes);
    let bytes = &buffer[start..start + bytes.len()];

    if !has_possible_shape(bytes) {
        return Err(Error::file(path, "is not a whole .npy file (its header's shape is beyond any memory)", remedy));
    }

    type Attempt = fn(&[u8]) -> std::result::Result<Array2<f64>, ViewNpyError>;
    let attempts: [Attempt; 4] = [
        |bytes| Ok(ArrayView2::<f64>::view_npy(bytes)?.to_owned()),
        |bytes| Ok(ArrayView2::<f32>::view_npy(bytes)?.mapv(f64::from)),
        |bytes| Ok(ArrayView1::<f64>::view_npy(bytes)?.insert_axis(Axis(0)).to_owned()),
        |bytes| Ok(ArrayView1::<f32>::view_npy(bytes)?.insert_axis(Axis(0)).mapv(f64::from)),
    ];
    // Type and shape are checked, so at most one of the four fits; the first one's words tell what is in the file, unless a
    // later one got further and found the data itself damaged.
    let mut problem: Option<String> = None;
    for attempt in attempts {
        match attempt(bytes) {
            Ok(matrix) => return checked(matrix, path),
            Err(error @ (ViewNpyError::WrongDescriptor(_) | ViewNpyError::WrongNdim(..))) => {
                problem.get_or_insert(error.to_string().chars().take(200).collect());
            }
            Err(ViewNpyError::NonNativeEndian) => {
                let problem = "is in the byte order of another machine";
                return Err(Error::file(path, problem, "write it in this one's, in NumPy by .astype('<f8')"));
            }
            Err(error) => {
                let words: String = error.to_string().chars().take(200).collect();
                return Err(Error::file(path, format!("is not a whole .npy file ({words})"), remedy));
            }
        }
    }
    Err(Error::file(path, problem.unwrap_or_default(), remedy))
}

/// That of the data in `.npy` files.
const ALIGNMENT: usize = 64;

/// Whether the product of the sizes in the header's shape, zeros aside, can be held; ndarray-npy takes that for granted.
fn has_possible_shape(bytes: &[u8]) -> bool {
    let header = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 12)]);
    let Some((_, shape)) = header.split_once("'shape':") else { return true };
    let sizes =
        shape.split(')').next().unwrap_or("").split(|c: char| !c.is_ascii_digit()).filter(|size| !size.is_empty());
    let product = sizes
        .map(|size| size.parse::<usize>().ok())
        .try_fold(1usize, |product, size| product.checked_mul(size?.max(1)));
    product.is_some_and(|product| product <= isize::MAX as usize / 8)
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
        return Err(Error::file(path, problem, format!("entries must be finite and at most {LARGEST_ENTRY:e}")));
    }
    Ok(matrix)
}
