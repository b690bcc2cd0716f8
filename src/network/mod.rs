//! Networks before any training: their connectivity, the masks and weights of sparse layers, and what a weight budget makes of them.

mod architecture;
pub mod budget;
mod connectivity;
mod draw;
mod mask_family;

pub use architecture::{Activation, Architecture, Layer};
pub use connectivity::Connectivity;
pub use draw::{DrawnLayer, LayerId, LayerSpec, SparseRows, WeightDistribution};
pub use mask_family::MaskFamily;
