//! `sparsewidth._core`: what the Python modules of `sparsewidth` wrap.
//!
//! Arrays come as NumPy's, options as a JSON object whose fields are the arguments of the Python functions, and results
//! go as arrays or as JSON. Nothing here is public: signatures change with the Python modules.

mod data;
mod errors;
mod kernels;
mod masks;
mod options;
mod regression;
mod run;
mod studies;

use pyo3::prelude::*;

/// The compiled part of sparsewidth.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::data::{Dataset, read_records};
    #[pymodule_export]
    use crate::kernels::{kernel, monte_carlo_kernel};
    #[pymodule_export]
    use crate::masks::{allocate, draw_masks, load_masks, save_safetensors};

    #[pymodule_export]
    use crate::regression::KernelRidge;
    #[pymodule_export]
    use crate::studies::{distance, mask_report, optimum, predict, train, tune, verify};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
