//! The library's errors as Python's.

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use sparsewidth::{Error, ErrorKind, Setting};

/// What the arguments of the Python functions are called to which a remedy may refer.
fn argument(setting: Setting) -> Option<&'static str> {
    Some(match setting {
        Setting::OutputFolder => "out=",
        Setting::Device => "device=",
        Setting::MaskFamily => "mask=",
        Setting::Weights => "weights=",
        Setting::Tolerance => "tolerance=",
        Setting::LearningRate => "learning_rate=",
        Setting::LearningRates => "rates=",
        Setting::KeepWeights => "keep_weights=",
        Setting::ZerosAreMasked => "zeros_are_masked=",
        Setting::Data => "data=",
        Setting::Layers => "the order of masks=",
        _ => return None,
    })
}

/// The library's error, in its words, with the argument that its remedy refers to.
pub fn raised(error: Error) -> PyErr {
    let hint = error.setting().and_then(argument).map_or(String::new(), |name| format!(" ({name})"));
    let text = format!("{error}{hint}");
    match error.kind() {
        ErrorKind::Argument | ErrorKind::File => PyValueError::new_err(text),
        ErrorKind::Output => PyOSError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// An argument of the wrong type.
pub fn wrong_type(text: impl Into<String>) -> PyErr {
    PyTypeError::new_err(text.into())
}

/// An argument with a wrong value, worded as the library words its own.
pub fn wrong_value(name: &str, value: impl ToString, problem: impl Into<String>, remedy: impl Into<String>) -> PyErr {
    raised(Error::value(name, value, problem, remedy))
}
