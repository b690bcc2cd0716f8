//! Kernels of drawn networks, NNGP and tangent: the empirical side of Theorem 1.
//!
//! For given pairs: [`SampledDistances`], the distance of each pair with mean and variance of the kernel, and
//! [`SamplingLaw`], how far means over few networks may be from the truth. For all pairs of a set of inputs: [`Sweep`],
//! the mean distance, through products of tiles of features, on a [`Device`]. For regression: [`DrawnNetwork`], the
//! kernel matrix of one network.

#[cfg(any(feature = "cuda", all(test, feature = "host-kernels")))]
mod accelerator;
mod cpu;
mod device;
mod distance;
mod drawn_rows;
mod features;
mod given;
mod kernel;
mod law;
mod layout;
mod network;
mod sweep;
mod tangent;
mod tiles;
mod vector;

#[cfg(feature = "cuda")]
pub use accelerator::cuda::Cuda;
pub use device::Device;
pub use distance::SampledDistances;
pub(crate) use drawn_rows::DrawnRows;
pub use kernel::{PairedInputs, sampled_kernels};
pub use law::SamplingLaw;
pub use network::DrawnNetwork;
pub use sweep::{AllPairsDistances, SampledNetwork, Sweep};
pub use tangent::sampled_tangent_kernels;
pub use tiles::TiledInputs;
