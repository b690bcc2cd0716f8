//! One linear layer: `output = w input / sqrt(fan-in) + bias`.

use ndarray::{Array2, aview1};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::blocks::{Input, Row, matrix, matrix_mut};
use super::draw::{DrawnLayer, LayerId, LayerLaw, SparseRows};
use super::rows::{
    Descent, MOST_OUTPUTS, finish, narrow_backward, narrow_forward, narrow_update, row_sums, sparse_backward,
    sparse_forward, sparse_update,
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

    /// What each output begins with, times `sqrt(fan-in)`: its bias, and what the offsets of the inputs come to; empty where that is
    /// nothing.
    pub(super) fn starts(&self, offsets: &[f32]) -> Vec<f32> {
        if offsets.is_empty() {
            return self.biases.iter().map(|bias| bias / self.factor()).collect();
        }
        let dense = |weights: &[f32]| weights.iter().zip(offsets).map(|(weight, offset)| weight * offset).sum::<f32>();
        let start = |i: usize| match &self.weights {
            Weights::Sparse(weights) => {
                let (columns, values) = weights.row(i);
                columns.iter().zip(values).map(|(column, value)| value * offsets[*column as usize]).sum()
            }
            Weights::Narrow(weights) => dense(&weights[i * self.inputs..][..self.inputs]),
            Weights::Dense(weights) => weights.row(i).as_slice().map_or(0.0, dense),
        };
        (0..self.outputs).map(|i| start(i) + self.biases.get(i).map_or(0.0, |bias| bias / self.factor())).collect()
    }

    /// `output = (w input + starts) / sqrt(fan-in)` for a block, one row an input, one row an output; of it the positive part, if it
    /// is to be `rectified`.
    pub(super) fn forward(&self, input: Input, starts: &[f32], output: &mut [Row], rectified: bool) -> Result<()> {
        let (factor, least) = (self.factor(), if rectified { 0.0 } else { f32::NEG_INFINITY });
        match &self.weights {
            Weights::Sparse(weights) => sparse_forward(weights, starts, factor, input, output, least),
            Weights::Narrow(weights) => narrow_forward(weights, starts, factor, input, output, least),
            Weights::Dense(weights) => {
                product(weights.view(), matrix(&input.whole()), factor, false, matrix_mut(output))?;
                finish(output, starts, factor, least);
            }
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
                product(weights.t(), matrix(output_gradient), factor, false, matrix_mut(input_gradient))?;
            }
        }
        Ok(())
    }

    /// One step of gradient descent on the weights that exist and the biases, summed over `blocks` of inputs, without their offsets, and
    /// of the gradient by the outputs: `w -= rate output_gradient input^T / sqrt(fan-in)`, or `sqrt(fan-in)` instead, so that `W` takes
    /// a step of the rate.
    pub(super) fn descend(&mut self, rate: f32, blocks: &[(Input, &[Row])], offsets: &[f32]) -> Result<()> {
        let step = match self.parametrisation {
            Parametrisation::NeuralTangent => rate * self.factor(),
            Parametrisation::Standard => rate / self.factor(),
        };
        let unneeded = self.biases.is_empty() && offsets.is_empty();
        let sums = if unneeded { Vec::new() } else { row_sums(blocks, self.outputs) };
        self.biases.iter_mut().zip(&sums).for_each(|(bias, sum)| *bias -= rate * sum);
        let descent = Descent { step, blocks, offsets, sums: &sums };
        match &mut self.weights {
            Weights::Sparse(weights) => sparse_update(weights, &descent),
            Weights::Narrow(weights) => narrow_update(weights, self.outputs, &descent),
            Weights::Dense(weights) => {
                for (input, gradient) in blocks {
                    product(matrix(gradient), matrix(&input.whole()).t(), -step, true, weights.view_mut())?;
                }
                if !offsets.is_empty() {
                    for (mut weights, sum) in weights.rows_mut().into_iter().zip(&sums) {
                        weights.scaled_add(-step * sum, &aview1(offsets));
                    }
                }
            }
        }
        Ok(())
    }
}
