//! The trainer: multilayer perceptrons that store only the weights that exist, or a matrix with a mask where most do,
//! and stochastic gradient descent.
//!
//! Samples and activations come in [`Blocks`] of 64, matrices of one row per feature and one column per sample, so that
//! a weight meets whole rows of contiguous samples, whichever weights exist. Where all or most exist in the first
//! layer, images are taken four by four instead, without the pixels that are blank in all four.

mod batch;
mod blocks;
mod checkpoint;
mod layer;
mod mlp;
mod panels;
mod quads;
mod rows;
mod samples;
mod sgd;
mod state_dict;

pub use batch::Batch;
pub use blocks::Blocks;
pub use checkpoint::Checkpoint;
pub use layer::{LinearLayer, Parametrisation};
pub use mlp::{Evaluation, Mlp, MlpSpec};
pub use samples::Samples;
pub use sgd::{Curve, TrainingData, TrainingRun, TrainingSpec, check_learning_rate, train};
pub use state_dict::TrainedWeights;
