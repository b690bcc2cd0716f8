//! One linear layer in NTK parametrisation: `output = W input / sqrt(fan-in)`, no bias.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::draw::{DrawnLayer, LayerId, LayerLaw, SparseRows};
use super::vector::{sparse_product, sparse_transposed_product, sparse_update};
use crate::error::{Error, Result};
use crate::linalg::product;

/// The weights of a layer: those that exist, or all of them.
#[derive(Clone, Debug)]
enum Weights {
    Sparse(SparseRows),
    /// Shape `(outputs, inputs)`.
    Dense(Array2<f32>),
}

/// A layer of a network. Weights that do not exist are neither stored nor updated.
#[derive(Clone, Debug)]
pub struct Layer {
    weights: Weights,
    inputs: usize,
    outputs: usize,
}

impl Layer {
    /// Draws a layer; a dense one (`p = 1`) is stored as a matrix.
    pub fn draw(law: LayerLaw, id: LayerId) -> Self {
        let drawn = DrawnLayer::new(law, id).all_rows();
        let weights = if law.connectivity.is_dense() {
            Weights::Dense(drawn.to_dense(law.columns))
        } else {
            Weights::Sparse(drawn)
        };
        Self { weights, inputs: law.columns, outputs: law.rows }
    }

    /// The number of inputs, the fan-in of the parametrisation, whichever weights exist.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of weights that exist.
    pub fn weights(&self) -> usize {
        match &self.weights {
            Weights::Sparse(weights) => weights.len(),
            Weights::Dense(weights) => weights.len(),
        }
    }

    /// The weights as a matrix of shape `(outputs, inputs)`, 0 where none exists.
    pub fn to_dense(&self) -> Array2<f32> {
        match &self.weights {
            Weights::Dense(weights) => weights.clone(),
            Weights::Sparse(weights) => weights.to_dense(self.inputs),
        }
    }

    fn factor(&self) -> f32 {
        (1.0 / (self.inputs as f64).sqrt()) as f32
    }

    /// `output = W input / sqrt(fan-in)`; shapes `(inputs, batch)` and `(outputs, batch)`, feature-major.
    pub(super) fn forward(&self, input: &[f32], output: &mut [f32], batch: usize) -> Result<()> {
        match &self.weights {
            Weights::Sparse(weights) => sparse_product(weights, self.factor(), input, output, batch),
            Weights::Dense(weights) => {
                product(weights.view(), rows(input, batch)?, self.factor(), false, rows_mut(output, batch)?)?
            }
        }
        Ok(())
    }

    /// `input_gradient = W^T output_gradient / sqrt(fan-in)`.
    pub(super) fn backward(&self, output_gradient: &[f32], input_gradient: &mut [f32], batch: usize) -> Result<()> {
        match &self.weights {
            Weights::Sparse(weights) => {
                input_gradient.fill(0.0);
                sparse_transposed_product(weights, self.factor(), output_gradient, input_gradient, batch);
            }
            Weights::Dense(weights) => product(
                weights.t(),
                rows(output_gradient, batch)?,
                self.factor(),
                false,
                rows_mut(input_gradient, batch)?,
            )?,
        }
        Ok(())
    }

    /// One step of gradient descent, `W -= rate output_gradient input^T / sqrt(fan-in)`, on the weights that exist.
    pub(super) fn descend(&mut self, rate: f32, output_gradient: &[f32], input: &[f32], batch: usize) -> Result<()> {
        let step = rate * self.factor();
        match &mut self.weights {
            Weights::Sparse(weights) => sparse_update(weights, step, output_gradient, input, batch),
            Weights::Dense(weights) => {
                let input = rows(input, batch)?;
                product(rows(output_gradient, batch)?, input.t(), -step, true, weights.view_mut())?;
            }
        }
        Ok(())
    }
}

/// A feature-major buffer as a matrix of one row a feature.
fn rows(buffer: &[f32], batch: usize) -> Result<ArrayView2<'_, f32>> {
    ArrayView2::from_shape((buffer.len() / batch, batch), buffer)
        .map_err(|error| Error::failure("reading a batch", error))
}

fn rows_mut(buffer: &mut [f32], batch: usize) -> Result<ArrayViewMut2<'_, f32>> {
    let features = buffer.len() / batch;
    ArrayViewMut2::from_shape((features, batch), buffer).map_err(|error| Error::failure("writing a batch", error))
}
