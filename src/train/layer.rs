//! One linear layer.

use ndarray::{Array2, aview1};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::blocks::{BlockInput, Input, Row, matrix, matrix_mut};
use super::panels::{PanelDescent, Panels};
use super::quads::Quads;
use super::rows::{
    Descent, MOST_OUTPUTS, finish, narrow_backward, narrow_forward, narrow_update, row_sums, sparse_backward,
    sparse_forward, sparse_update,
};
use crate::error::Result;
use crate::network::{DrawnLayer, LayerId, LayerSpec, SparseRows};
use crate::numeric::linalg::product;
use crate::numeric::random::{Purpose, Stream};

/// From this share of existing weights on, a layer of many outputs is faster as a matrix: measured, see
/// benches/training.rs.
const DENSE_CROSSOVER: f64 = 0.45;
/// The same for a layer of few outputs.
const NARROW_CROSSOVER: f64 = 0.75;
const ARRANGED: &str = "a network arranges its first layer for its inputs, and no other layer takes quads";

/// The weights of a layer: those that exist, or a place for each.
#[derive(Clone, Debug)]
enum Weights {
    Sparse(SparseRows),
    /// Shape `(outputs, inputs)`.
    Dense(Array2<f32>),
    /// The same for few outputs, row by row.
    Narrow(Vec<f32>),
    /// The same for images whose blank pixels are skipped.
    Panels(Panels),
}

impl Weights {
    /// Stores the existing weights, of shape `(outputs, inputs)`, in the fastest way, with a mask of ones and zeros
    /// where weights that do not exist are stored as zeros.
    fn new(drawn: SparseRows, (outputs, inputs): (usize, usize)) -> (Self, Option<Array2<f32>>) {
        let share = drawn.len() as f64 / (outputs * inputs) as f64;
        let narrow = outputs <= MOST_OUTPUTS;
        if share < if narrow { NARROW_CROSSOVER } else { DENSE_CROSSOVER } {
            return (Self::Sparse(drawn), None);
        }
        let mask = (share < 1.0).then(|| {
            let ones = vec![1.0; drawn.len()];
            SparseRows { values: ones, ..drawn.clone() }.to_dense(inputs)
        });
        let whole = drawn.to_dense(inputs);
        (if narrow { Self::Narrow(whole.into_iter().collect()) } else { Self::Dense(whole) }, mask)
    }
}

/// Which variable gradient descent updates. Networks start out the same in both: weights `W` of standard deviation
/// `1/sqrt(m p)`, with `m` the inputs of their layer, times that of their distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Parametrisation {
    /// `w` in `output = w input / sqrt(m)`: the parametrisation of the neural tangent kernel, and the authors' for the
    /// figure.
    #[strum(message = "neural tangent")]
    NeuralTangent,
    /// `W = w / sqrt(m)` itself, as in most libraries.
    #[strum(message = "standard")]
    Standard,
}

impl Parametrisation {
    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for titles and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// A linear layer: `output = w input / sqrt(m) + bias`, with `w` of shape `(outputs, inputs)` and `m` the number of
/// inputs. Weights that do not exist are not stored, or stay 0.
#[derive(Clone, Debug)]
pub struct LinearLayer {
    weights: Weights,
    /// 1 where a weight exists and 0 elsewhere, shape `(outputs, inputs)`, where zeros are stored for those that do
    /// not.
    mask: Option<Array2<f32>>,
    /// One per output, or none.
    biases: Vec<f32>,
    parametrisation: Parametrisation,
    inputs: usize,
    outputs: usize,
}

impl LinearLayer {
    /// Draws a layer; it is stored as a matrix where enough of its weights exist. If it is to be `biased`, its biases
    /// are uniform on `(-1/sqrt(m), 1/sqrt(m))`, as in PyTorch; both parametrisations update the biases themselves.
    #[must_use]
    pub(super) fn draw(law: LayerSpec, id: LayerId, parametrisation: Parametrisation, biased: bool) -> Self {
        let drawn = DrawnLayer::new(law, id).all_rows();
        let (weights, mask) = Weights::new(drawn, (law.rows, law.columns));
        let mut stream = Stream::new(id.seed, Purpose::Biases, id.initialisation, id.layer);
        let reach = 1.0 / (law.columns as f32).sqrt();
        let biases = (0..if biased { law.rows } else { 0 }).map(|_| stream.random_range(-reach..reach)).collect();
        Self { weights, mask, biases, parametrisation, inputs: law.columns, outputs: law.rows }
    }

    /// A layer of given weights `w`: `values` where `exists`, both of shape `(outputs, inputs)`.
    pub(super) fn from_parts(
        values: &Array2<f32>,
        exists: &Array2<bool>,
        biases: Vec<f32>,
        parametrisation: Parametrisation,
    ) -> Self {
        let (outputs, inputs) = values.dim();
        let mut drawn = SparseRows { offsets: vec![0], ..SparseRows::default() };
        for (values, exists) in values.outer_iter().zip(exists.outer_iter()) {
            for (column, value) in (0..).zip(values).zip(exists).filter_map(|(entry, exists)| exists.then_some(entry)) {
                drawn.columns.push(column);
                drawn.values.push(*value);
            }
            drawn.offsets.push(drawn.columns.len());
        }
        let (weights, mask) = Weights::new(drawn, (outputs, inputs));
        Self { weights, mask, biases, parametrisation, inputs, outputs }
    }

    /// The number of inputs, the `m` of the parametrisation, whichever weights exist.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of weights that exist.
    #[must_use]
    pub fn weights(&self) -> usize {
        match (&self.weights, &self.mask) {
            (Weights::Sparse(weights), _) => weights.len(),
            (_, Some(mask)) => mask.iter().filter(|exists| **exists > 0.0).count(),
            (_, None) => self.outputs * self.inputs,
        }
    }

    /// For each output, whether an existing weight joins it to an input that is `live`; `live` has one value per input.
    pub(super) fn reached(&self, live: &[bool]) -> Vec<bool> {
        let any =
            |row: &mut dyn Iterator<Item = &f32>| live.iter().zip(row).any(|(live, exists)| *live && *exists > 0.0);
        match (&self.weights, &self.mask) {
            (Weights::Sparse(weights), _) => {
                (0..self.outputs).map(|i| weights.row(i).0.iter().any(|column| live[*column as usize])).collect()
            }
            (_, Some(mask)) => mask.outer_iter().map(|row| any(&mut row.iter())).collect(),
            (_, None) => vec![live.contains(&true); self.outputs],
        }
    }

    /// Whether it can skip pixels that are blank in four samples only, [`LinearLayer::arrange`]d for it.
    pub(super) fn can_skip(&self) -> bool {
        matches!(self.weights, Weights::Dense(_) | Weights::Panels(_))
    }

    /// Stores a layer that can skip blanks for inputs of quads, or for rows.
    pub(super) fn arrange(&mut self, quads: bool) {
        match &self.weights {
            Weights::Dense(weights) if quads => {
                self.weights = Weights::Panels(Panels::new(weights, self.mask.as_ref()));
            }
            Weights::Panels(panels) if !quads => self.weights = Weights::Dense(panels.to_dense()),
            _ => {}
        }
    }

    /// Which variable its steps update.
    #[must_use]
    pub fn parametrisation(&self) -> Parametrisation {
        self.parametrisation
    }

    /// The biases, one per output, or none.
    #[must_use]
    pub fn biases(&self) -> &[f32] {
        &self.biases
    }

    /// The weights `w` as a matrix of shape `(outputs, inputs)`, 0 where none exists.
    #[must_use]
    pub fn to_dense(&self) -> Array2<f32> {
        match &self.weights {
            Weights::Dense(weights) => weights.clone(),
            Weights::Panels(panels) => panels.to_dense(),
            Weights::Narrow(weights) => {
                Array2::from_shape_fn((self.outputs, self.inputs), |(i, j)| weights[i * self.inputs + j])
            }
            Weights::Sparse(weights) => weights.to_dense(self.inputs),
        }
    }

    /// Which weights exist, shape `(outputs, inputs)`.
    #[must_use]
    pub fn mask(&self) -> Array2<bool> {
        match (&self.weights, &self.mask) {
            (Weights::Sparse(weights), _) => {
                let ones = vec![1.0; weights.len()];
                SparseRows { values: ones, ..weights.clone() }.to_dense(self.inputs).mapv(|exists| exists > 0.0)
            }
            (_, Some(mask)) => mask.mapv(|exists| exists > 0.0),
            (_, None) => Array2::from_elem((self.outputs, self.inputs), true),
        }
    }

    /// `1/sqrt(m)`.
    pub(super) fn factor(&self) -> f32 {
        (1.0 / (self.inputs as f64).sqrt()) as f32
    }

    /// The starting value of each output, times `sqrt(m)`: its bias plus the contribution of the inputs' offsets; empty
    /// where there are neither.
    pub(super) fn starts(&self, offsets: &[f32]) -> Vec<f32> {
        if offsets.is_empty() {
            return self.biases.iter().map(|bias| bias / self.factor()).collect();
        }
        let at_offsets = match &self.weights {
            Weights::Panels(panels) => panels.at_offsets(offsets),
            _ => Vec::new(),
        };
        let dense = |weights: &[f32]| weights.iter().zip(offsets).map(|(weight, offset)| weight * offset).sum::<f32>();
        let start = |i: usize| match &self.weights {
            Weights::Sparse(weights) => {
                let (columns, values) = weights.row(i);
                columns.iter().zip(values).map(|(column, value)| value * offsets[*column as usize]).sum()
            }
            Weights::Narrow(weights) => dense(&weights[i * self.inputs..][..self.inputs]),
            Weights::Dense(weights) => dense(weights.row(i).to_slice().expect("standard layout: layers are made so")),
            Weights::Panels(_) => at_offsets[i],
        };
        let bias = |i: usize| if self.biases.is_empty() { 0.0 } else { self.biases[i] / self.factor() };
        (0..self.outputs).map(|i| start(i) + bias(i)).collect()
    }

    /// `output = (w input + starts) / sqrt(m)` for a block, one row per output; followed by ReLU if `rectified`. The
    /// layer must be [`LinearLayer::arrange`]d for the kind of input.
    pub(super) fn forward(&self, input: BlockInput, starts: &[f32], output: &mut [Row], rectified: bool) -> Result<()> {
        let (factor, least) = (self.factor(), if rectified { 0.0 } else { f32::NEG_INFINITY });
        match (&self.weights, input) {
            (Weights::Sparse(weights), BlockInput::Rows(rows)) => {
                sparse_forward(weights, starts, factor, rows, output, least);
            }
            (Weights::Narrow(weights), BlockInput::Rows(rows)) => {
                narrow_forward(weights, starts, factor, rows, output, least);
            }
            (Weights::Dense(weights), BlockInput::Rows(rows)) => {
                product(weights.view(), matrix(&rows.whole()), factor, false, matrix_mut(output))?;
                finish(output, starts, factor, least);
            }
            (Weights::Panels(panels), BlockInput::Quads(quads, block)) => {
                panels.forward((quads, block), starts, factor, output, least);
            }
            _ => unreachable!("{ARRANGED}"),
        }
        Ok(())
    }

    /// `input_gradient = w^T output_gradient / sqrt(m)` for a block.
    pub(super) fn backward(&self, output_gradient: &[Row], input_gradient: &mut [Row]) -> Result<()> {
        let factor = self.factor();
        match &self.weights {
            Weights::Sparse(weights) => sparse_backward(weights, factor, output_gradient, input_gradient),
            Weights::Narrow(weights) => narrow_backward(weights, factor, output_gradient, input_gradient),
            Weights::Dense(weights) => {
                product(weights.t(), matrix(output_gradient), factor, false, matrix_mut(input_gradient))?;
            }
            Weights::Panels(_) => unreachable!("{ARRANGED}"),
        }
        Ok(())
    }

    /// One step of gradient descent on the weights that exist and on the biases, summed over `blocks`: inputs, without
    /// their offsets, and the gradient with respect to the outputs. The step is
    /// `w -= rate output_gradient input^T / sqrt(m)`; in the standard parametrisation the last factor is `sqrt(m)`
    /// instead, so that `W` takes a step of the rate.
    pub(super) fn descend(&mut self, rate: f32, blocks: &[(Input, &[Row])], offsets: &[f32]) -> Result<()> {
        let step = self.step(rate);
        let unneeded = self.biases.is_empty() && offsets.is_empty();
        let sums = match unneeded {
            true => Vec::new(),
            false => row_sums(&blocks.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), self.outputs),
        };
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
            Weights::Panels(_) => unreachable!("{ARRANGED}"),
        }
        match (&mut self.weights, &self.mask) {
            (Weights::Dense(weights), Some(mask)) => *weights *= mask,
            (Weights::Narrow(weights), Some(mask)) => {
                weights.iter_mut().zip(mask).for_each(|(weight, exists)| *weight *= exists);
            }
            _ => {}
        }
        Ok(())
    }

    /// [`LinearLayer::descend`] on images whose pixels come in quads, for a layer arranged for these; `gradients` block
    /// by block.
    pub(super) fn descend_quads(&mut self, rate: f32, pixels: &Quads, gradients: &[Row]) {
        let step = self.step(rate);
        let sums = row_sums(&gradients.chunks_exact(self.outputs).collect::<Vec<_>>(), self.outputs);
        self.biases.iter_mut().zip(&sums).for_each(|(bias, sum)| *bias -= rate * sum);
        match &mut self.weights {
            Weights::Panels(panels) => panels.update(&PanelDescent { step, pixels, gradients, sums: &sums }),
            _ => unreachable!("{ARRANGED}"),
        }
    }

    /// The step size of the weights `w`.
    fn step(&self, rate: f32) -> f32 {
        match self.parametrisation {
            Parametrisation::NeuralTangent => rate * self.factor(),
            Parametrisation::Standard => rate / self.factor(),
        }
    }
}
