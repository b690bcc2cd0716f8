//! Data sets and records.

use std::path::PathBuf;

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sparsewidth::data::{self, Images, Labelled};
use sparsewidth::study;

use crate::errors::raised;

/// A data set, read at its first use and then kept.
#[pyclass(frozen, module = "sparsewidth._core")]
#[derive(Debug)]
pub struct Dataset(pub data::Dataset);

#[pymethods]
impl Dataset {
    /// What the option `--data` of the program takes.
    #[staticmethod]
    fn open(source: &str) -> PyResult<Self> {
        source.parse().map(Self).map_err(raised)
    }

    /// The bytes of a `.npy` or `.npz` file.
    #[staticmethod]
    fn from_bytes(name: &str, bytes: Vec<u8>) -> PyResult<Self> {
        data::Dataset::from_bytes(name, &bytes).map(Self).map_err(raised)
    }

    /// Its arrays by name: `x_train`, `y_train`, `x_test` and `y_test`, or `x`, as they are stored, and `labels`, the
    /// label of each class.
    fn arrays<'py>(&self, py: Python<'py>, seed: u64) -> PyResult<Bound<'py, PyDict>> {
        let arrays = PyDict::new(py);
        if !self.0.has_labels().map_err(raised)? {
            let inputs = self.0.inputs(seed).map_err(raised)?;
            arrays.set_item("x", inputs.values.clone().into_pyarray(py))?;
            return Ok(arrays);
        }
        let sets = self.0.labelled().map_err(raised)?;
        for (name, set) in [("train", &sets.train), ("test", &sets.test)] {
            let Labelled { images, labels, .. } = set;
            let key = format!("x_{name}");
            match images {
                Images::Bytes(bytes) => arrays.set_item(key, bytes.clone().into_pyarray(py))?,
                Images::Real(values) => arrays.set_item(key, values.clone().into_pyarray(py))?,
            }
            arrays.set_item(format!("y_{name}"), labels.clone().into_pyarray(py))?;
        }
        arrays.set_item("labels", sets.labels.clone().into_pyarray(py))?;
        Ok(arrays)
    }

    fn __repr__(&self) -> String {
        format!("Dataset({})", self.0)
    }
}

/// The records of a study's folder, as lines of JSON.
#[pyfunction]
pub fn read_records(folder: PathBuf) -> PyResult<String> {
    let records = study::read_records(&folder).map_err(raised)?;
    let bytes = study::to_lines(&records).map_err(raised)?;
    Ok(String::from_utf8(bytes).expect("JSON is UTF-8"))
}
