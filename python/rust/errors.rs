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

/// What an argument is called here where the library has another name for it.
fn renamed(subject: &str, found: Option<&str>) -> Option<&'static str> {
    let is_number = found.is_some_and(|found| found.parse::<f64>().is_ok());
    match subject {
        "arch" => Some("shapes"),
        "layer" => Some("keep"),
        "with_itself" => Some("diagonal"),
        "masks" if is_number => Some("n_masks"),
        _ => None,
    }
}

/// The library's error, in its words, with the argument that its remedy refers to.
pub fn raised(error: Error) -> PyErr {
    let hint = error.setting().and_then(argument).map_or(String::new(), |name| format!(" ({name})"));
    let mut text = format!("{error}{hint}");
    if error.kind() == ErrorKind::Argument
        && let Some(name) = renamed(error.subject(), error.found())
    {
        text.replace_range(..error.subject().len(), name);
    }
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
