//! Matrices from `.npy` files.

use std::fs::File;
use std::path::Path;

use ndarray::{Array1, Array2};
use ndarray_npy::{ReadNpyError, ReadNpyExt};

use crate::error::{Error, Result};

/// Reads a matrix of shape `(N, d)`, f32 or f64, or a vector of shape `(d,)` as one row.
///
/// # Errors
/// A file that is missing or malformed, of another type or number of dimensions, empty, or with an entry that is not finite.
pub fn read_npy(path: &Path) -> Result<Array2<f64>> {
    let remedy = "give a .npy file of shape (N, d) or (d,), type f32 or f64";
    let open = || {
        File::open(path).map_err(|error| {
            Error::file(path, format!("cannot be read ({error})"), "check the path and its permissions")
        })
    };
    let row = |vector: Array1<f64>| vector.insert_axis(ndarray::Axis(0));
    let attempts: [&dyn Fn(File) -> std::result::Result<Array2<f64>, ReadNpyError>; 4] = [
        &|file| Array2::<f64>::read_npy(file),
        &|file| Array2::<f32>::read_npy(file).map(|matrix| matrix.mapv(f64::from)),
        &|file| Array1::<f64>::read_npy(file).map(row),
        &|file| Array1::<f32>::read_npy(file).map(|vector| row(vector.mapv(f64::from))),
    ];
    // The readers check type and shape, so at most one of the four fits; the first one's words tell what is in the file,
    // unless a later one got further and found the data itself damaged.
    let mut problem = None;
    for attempt in attempts {
        match attempt(open()?) {
            Ok(matrix) => return checked(matrix, path),
            Err(error @ (ReadNpyError::WrongDescriptor(_) | ReadNpyError::WrongNdim(..))) => {
                problem.get_or_insert(error.to_string());
            }
            Err(error) => return Err(Error::file(path, format!("is not a whole .npy file ({error})"), remedy)),
        }
    }
    Err(Error::file(path, problem.unwrap_or_default(), remedy))
}

fn checked(matrix: Array2<f64>, path: &Path) -> Result<Array2<f64>> {
    if matrix.is_empty() {
        return Err(Error::file(
            path,
            format!("is empty, shape {:?}", matrix.dim()),
            "give at least one row of one entry",
        ));
    }
    if let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let problem = format!("entry [{row}, {column}] is {value}");
        return Err(Error::file(path, problem, "remove or replace what is not finite"));
    }
    Ok(matrix)
}
