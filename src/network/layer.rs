//! One linear layer: `output = w input / sqrt(fan-in) + bias`.

use ndarray::{Array2, aview_mut2, aview2};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::blocks::Row;
use super::draw::{DrawnLayer, LayerId, LayerLaw, SparseRows};
use super::rows::{
    MOST_OUTPUTS, add_biases, narrow_backward, narrow_forward, narrow_update, raise, sparse_backward, sparse_forward,
    sparse_update, update_biases,
};
use crate::error::Result;
use crate::linalg::product;
use crate::random::{Purpose, Stream};

/// The weights of a layer: those that exist, or all of them.
#[derive(Clone, Debug)]
enum Weights {
    Sparse(SparseRows),
    /// Shape `(outputs, inputs)`.
    Dense(Array2<f32>),
    /// The same of few outputs, row by row.
    Narrow(Vec<f32>),
}

/// What a step of gradient descent goes along. Networks begin alike in both: weights of standard deviation
/// `1/sqrt(fan-in p)`, times that of their law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parametrisation {
    /// `w` in `output = w input / sqrt(fan-in)`: of the neural tangent kernel, the authors' for the figure.
    NeuralTangent,
    /// `W = w / sqrt(fan-in)` itself, as in most libraries.
    Standard,
}

/// A layer of a network. Weights that do not exist are neither stored nor updated.
#[derive(Clone, Debug)]
pub struct Layer {
    weights: Weights,
    /// One an output, or none.
    biases: Vec<f32>,
    parametrisation: Parametrisation,
    inputs: usize,
    outputs: usize,
}

impl Layer {
    /// Draws a layer; a dense one (`p = 1`) is stored as a matrix. Biases, where there are to be any, are uniform on
    /// `(-1/sqrt(fan-in), 1/sqrt(fan-in))`, as in PyTorch, and steps go along them as they are in either parametrisation.
    pub fn draw(law: LayerLaw, id: LayerId, parametrisation: Parametrisation, biased: bool) -> Self {
        let drawn = DrawnLayer::new(law, id).all_rows();
        let weights = match law.connectivity.is_dense() {
            true if law.rows <= MOST_OUTPUTS => Weights::Narrow(drawn.to_dense(law.columns).into_iter().collect()),
            true => Weights::Dense(drawn.to_dense(law.columns)),
            false => Weights::Sparse(drawn),
        };
        let mut stream = Stream::new(id.seed, Purpose::Biases, id.initialisation, id.layer);
        let reach = 1.0 / (law.columns as f32).sqrt();
        let biases = (0..if biased { law.rows } else { 0 }).map(|_| stream.random_range(-reach..reach)).collect();
        Self { weights, biases, parametrisation, inputs: law.columns, outputs: law.rows }
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
            Weights::Narrow(weights) => weights.len(),
        }
    }

    /// The biases, one an output, or none.
    pub fn biases(&self) -> &[f32] {
        &self.biases
    }

    /// The weights `w` as a matrix of shape `(outputs, inputs)`, 0 where none exists.
    pub fn to_dense(&self) -> Array2<f32> {
        match &self.weights {
            Weights::Dense(weights) => weights.clone(),
            Weights::Narrow(weights) => {
                Array2::from_shape_fn((self.outputs, self.inputs), |(i, j)| weights[i * self.inputs + j])
            }
            Weights::Sparse(weights) => weights.to_dense(self.inputs),
        }
    }

    /// `1/sqrt(fan-in)`.
    pub(super) fn factor(&self) -> f32 {
        (1.0 / (self.inputs as f64).sqrt()) as f32
    }

    /// `output = w input / sqrt(fan-in) + bias` for a block, one row an input, one row an output; of it the positive part, if it is
    /// to be `rectified`.
    pub(super) fn forward(&self, input: &[Row], output: &mut [Row], rectified: bool) -> Result<()> {
        let finally = if rectified { 0.0 } else { f32::NEG_INFINITY };
        let (factor, least) = (self.factor(), if self.biases.is_empty() { finally } else { f32::NEG_INFINITY });
        match &self.weights {
            Weights::Sparse(weights) => sparse_forward(weights, factor, input, output, least),
            Weights::Narrow(weights) => narrow_forward(weights, factor, input, output, least),
            Weights::Dense(weights) => {
                product(weights.view(), aview2(input), factor, false, aview_mut2(output))?;
                raise(output, least);
            }
        }
        if !self.biases.is_empty() {
            add_biases(output, &self.biases, finally);
        }
        Ok(())
    }

    /// `input_gradient = w^T output_gradient / sqrt(fan-in)` for a block.
    pub(super) fn backward(&self, output_gradient: &[Row], input_gradient: &mut [Row]) -> Result<()> {
        let factor = self.factor();
        match &self.weights {
            Weights::Sparse(weights) => sparse_backward(weights, factor, output_gradient, input_gradient),
            Weights::Narrow(weights) => narrow_backward(weights, factor, output_gradient, input_gradient),
            Weights::Dense(weights) => {
                product(weights.t(), aview2(output_gradient), factor, false, aview_mut2(input_gradient))?;
            }
        }
        Ok(())
    }

    /// One step of gradient descent on the weights that exist and the biases, summed over blocks: `w -= rate output_gradient
    /// input^T / sqrt(fan-in)`, or `sqrt(fan-in)` instead, so that `W` takes a step of the rate.
    pub(super) fn descend(&mut self, rate: f32, output_gradient: &[Row], input: &[Row]) -> Result<()> {
        let step = match self.parametrisation {
            Parametrisation::NeuralTangent => rate * self.factor(),
            Parametrisation::Standard => rate / self.factor(),
        };
        let shape = (self.inputs, self.outputs);
        if !self.biases.is_empty() {
            update_biases(&mut self.biases, rate, output_gradient);
        }
        match &mut self.weights {
            Weights::Sparse(weights) => sparse_update(weights, step, output_gradient, input, shape),
            Weights::Narrow(weights) => narrow_update(weights, step, output_gradient, input, shape),
            Weights::Dense(weights) => {
                for (gradient, input) in output_gradient.chunks_exact(shape.1).zip(input.chunks_exact(shape.0)) {
                    product(aview2(gradient), aview2(input).t(), -step, true, weights.view_mut())?;
                }
            }
        }
        Ok(())
    }
}
