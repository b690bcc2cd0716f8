//! Networks: drawing sparse layers, and training multilayer perceptrons that store only the weights that exist.
//!
//! Samples and activations come in [`Blocks`] of 64, matrices of one row per feature and one column per sample, so that a weight meets
//! whole rows of contiguous samples, whichever weights exist.

mod blocks;
mod checkpoint;
mod draw;
mod layer;
mod mlp;
mod rows;
mod train;

pub use blocks::{Batch, Blocks, Samples};
pub use checkpoint::Checkpoint;
pub use draw::{DrawnLayer, LayerId, LayerLaw, MaskFamily, SparseRows, WeightLaw};
pub use layer::{Layer, Parametrisation};
pub use mlp::{Activation, Evaluation, LayerBefore, Mlp, MlpLaw};
pub use train::{Curve, TrainingData, TrainingRun, TrainingSpec, check_learning_rate, train};
