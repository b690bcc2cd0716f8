//! Kernels of drawn networks: the empirical side of Theorem 1.
//!
//! For given pairs, [`SampledDistances`]: the distance of each pair, with mean and variance of the kernel. For all pairs of a
//! set of inputs, [`Sweep`]: the mean distance, through products of tiles of features.

mod all_pairs;
mod distance;
mod features;
mod kernel;

pub use all_pairs::{AllPairsDistances, SampledNetwork, Sweep, TiledInputs};
pub use distance::SampledDistances;
pub use kernel::{PairedInputs, sampled_kernels};
