//! Networks before any training: their connectivity, the masks and weights of sparse layers, and what a weight budget makes of them.

mod architecture;
pub mod budget;
mod connectivity;
mod draw;

pub use architecture::{Activation, Architecture, Layer};
pub use connectivity::Connectivity;
pub use draw::{DrawnLayer, LayerId, LayerSpec, MaskFamily, SparseRows, WeightDistribution};
