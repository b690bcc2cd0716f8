//! Matrices that are written to `.npy` files part by part, so that no more than a part is held.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use tempfile::NamedTempFile;

use crate::error::{Error, Result, Setting};
use crate::files::{remove_unfinished, unfinished, unwritable};

/// The type of the numbers in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[cfg_attr(feature = "cli", value(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum FloatType {
    /// 4 bytes: 7 digits.
    Float32,
    /// 8 bytes: 16 digits.
    #[default]
    Float64,
}

impl FloatType {
    /// The bytes of a number.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// A `.npy` file of a matrix that is being written; under its name only once it is whole.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::data::read_npy;
/// use sparsewidth::files::{FloatType, NpyFile};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("x.npy");
/// let mut file = NpyFile::create(&path, (2, 3), FloatType::Float32)?;
/// file.write(0, 1, array![[1.0, 2.0], [3.0, 4.0]].view())?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(read_npy(&path)?, array![[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NpyFile {
    path: PathBuf,
    file: NamedTempFile,
    shape: (usize, usize),
    kind: FloatType,
    /// Where the entries begin.
    start: u64,
    bytes: Vec<u8>,
}

impl NpyFile {
    /// A file of zeros, of a shape and type.
    ///
    /// # Errors
    /// Where there is a file of that name, its folder does not exist or cannot be written, or the matrix has no entry
    /// or more bytes than a file can.
    pub fn create(path: &Path, shape: (usize, usize), kind: FloatType) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::file(path, "exists, and is not replaced", "give another name, or remove it"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.file_name().is_none() || !folder.is_dir() {
            let problem = format!("cannot be written: {} is not a folder", folder.display());
            return Err(Error::file(path, problem, "give a file in a folder that exists"));
        }
        let size = [shape.1, kind.size(), 1].iter().try_fold(shape.0 as u64, |size, by| size.checked_mul(*by as u64));
        let Some(size) = size.filter(|size| (1..1 << 62).contains(size)) else {
            let found = format!("{} x {}", shape.0, shape.1);
            return Err(Error::value("matrix", found, "has no entry, or more than a file holds", "give other inputs"));
        };
        let order = if kind == FloatType::Float32 { "<f4" } else { "<f8" };
        let mut header =
            format!("{{'descr': '{order}', 'fortran_order': False, 'shape': ({}, {}), }}", shape.0, shape.1);
        // Magic bytes, version and length take ten bytes; entries begin at a multiple of 64.
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let start = 10 + header.len() as u64;
        remove_unfinished(folder);
        let file = unfinished(folder).map_err(|error| unwritable(folder, error))?;
        let mut new = Self { path: path.into(), file, shape, kind, start, bytes: Vec::new() };
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        let written = new.file.write_all(&bytes).and_then(|()| new.file.as_file().set_len(start + size));
        written.map_err(|error| new.failure(&error))?;
        Ok(new)
    }

    /// The file that it is until it is finished.
    #[must_use]
    pub fn unfinished(&self) -> &Path {
        self.file.path()
    }

    fn failure(&self, error: &dyn std::fmt::Display) -> Error {
        Error::failure(format!("writing {}", self.path.display()), error)
    }

    /// Writes a part, whose first entry is at a place.
    ///
    /// # Errors
    /// Where the part is not within the matrix, a number is too large for the type, or the disk is full.
    pub fn write(&mut self, row: usize, column: usize, values: ArrayView2<f64>) -> Result<()> {
        let (rows, columns) = values.dim();
        if row + rows > self.shape.0 || column + columns > self.shape.1 {
            let found = format!("{rows} x {columns} entries from ({row}, {column}) on");
            let problem = format!("the matrix is {} x {}", self.shape.0, self.shape.1);
            return Err(Error::value("part", found, problem, "give a part of it"));
        }
        for (index, values) in values.outer_iter().enumerate() {
            self.bytes.clear();
            match self.kind {
                FloatType::Float64 => values.iter().for_each(|value| self.bytes.extend(value.to_le_bytes())),
                FloatType::Float32 => values.iter().for_each(|value| self.bytes.extend((*value as f32).to_le_bytes())),
            }
            if self.kind == FloatType::Float32
                && let Some(value) = values.iter().find(|value| value.is_finite() && (**value as f32).is_infinite())
            {
                let problem = "is too large for float32";
                let error =
                    Error::value("entry", format!("{value:e}"), problem, "rescale the inputs, or write float64");
                return Err(error.about(Setting::FloatType));
            }
            let place = (row + index) as u64 * self.shape.1 as u64 + column as u64;
            let place = self.start + place * self.kind.size() as u64;
            let written = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.write_all(&self.bytes));
            written.map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// Where there is a file of that name by now, or the disk is full.
    pub fn finish(self) -> Result<()> {
        self.file.as_file().sync_all().map_err(|error| self.failure(&error))?;
        let (path, failed) = (self.path.clone(), self.file.persist_noclobber(&self.path));
        failed.map(drop).map_err(|error| Error::failure(format!("writing {}", path.display()), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_npy;
    use ndarray::{Array2, array};

    #[test]
    fn parts_in_any_order_make_the_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let matrix = Array2::from_shape_fn((5, 7), |(i, j)| (10 * i + j) as f64 / 4.0);
        for kind in [FloatType::Float32, FloatType::Float64] {
            let path = folder.path().join(format!("{kind:?}.npy"));
            let mut file = NpyFile::create(&path, matrix.dim(), kind).unwrap();
            for (rows, columns) in [(3..5, 0..7), (0..3, 4..7), (0..3, 0..4)] {
                file.write(rows.start, columns.start, matrix.slice(ndarray::s![rows, columns])).unwrap();
            }
            assert!(file.write(4, 0, array![[1.0], [2.0]].view()).is_err());
            file.finish().unwrap();
            assert_eq!(read_npy(&path).unwrap(), matrix);
            let length = std::fs::metadata(&path).unwrap().len();
            assert_eq!((length - 35 * kind.size() as u64) % 64, 0);
            assert!(NpyFile::create(&path, (1, 1), kind).unwrap_err().to_string().contains("exists"));
        }
        // Nothing is left of a file that was not finished.
        drop(NpyFile::create(&folder.path().join("a.npy"), (2, 2), FloatType::Float64).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut file = NpyFile::create(&path, (1, 1), FloatType::Float32).unwrap();
        assert!(file.write(0, 0, array![[1e39]].view()).unwrap_err().to_string().contains("too large for float32"));
        for shape in [(0, 3), (usize::MAX, 2), (1 << 31, 1 << 31)] {
            assert!(NpyFile::create(&path, shape, FloatType::Float64).is_err());
        }
        assert!(NpyFile::create(&folder.path().join("b/a.npy"), (1, 1), FloatType::Float64).is_err());
        assert!(NpyFile::create(Path::new("/"), (1, 1), FloatType::Float64).is_err());
    }
}
