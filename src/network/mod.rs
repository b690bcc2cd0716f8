//! Networks before any training: their connectivity, the masks and weights of sparse layers, and how a weight budget is
//! divided.

mod architecture;
pub mod budget;
mod connectivity;
mod draw;
mod mask_family;
mod mask_file;

pub use architecture::{Activation, Architecture, Layer};
pub use connectivity::Connectivity;
pub use draw::{DrawnLayer, LayerId, LayerSpec, SparseRows, WeightDistribution};
pub use mask_family::MaskFamily;
pub use mask_file::{NamedMask, read_masks};
