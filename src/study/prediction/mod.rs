//! Test errors that kernels predict, by ridge regression.

mod compute;
mod spec;

pub(crate) use compute::{PreparedPrediction, check_weights};
pub use spec::{KernelSource, PredictionSpec};
