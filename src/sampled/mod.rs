//! Kernels of drawn networks: the empirical side of Theorem 1.

mod distance;
mod kernel;

pub use distance::SampledDistances;
pub use kernel::{PairedInputs, sampled_kernels};
