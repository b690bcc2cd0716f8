//! Multilayer perceptrons: forward, gradient and a step of stochastic gradient descent.

use std::ops::Range;

use ndarray::{Array2, aview1, s};

use super::blocks::{Batch, Blocks, Row, SAMPLES};
use super::draw::{LayerId, LayerLaw, MaskFamily, WeightLaw};
use super::layer::Layer;
use super::rows::{largest, relu_backward};
use crate::connectivity::Connectivity;
use crate::error::{Error, Result};

/// The law of a random perceptron without biases, ReLU between its layers.
#[derive(Clone, Debug)]
pub struct MlpLaw {
    /// Inputs, hidden widths, outputs: at least two numbers, all at least 1.
    pub sizes: Vec<usize>,
    /// The connectivity of each layer: one fewer than sizes.
    pub connectivities: Vec<Connectivity>,
    /// Which weights exist.
    pub mask: MaskFamily,
    /// Their values.
    pub law: WeightLaw,
}

/// A multilayer perceptron in NTK parametrisation.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
    /// The output of each layer (after the ReLU, but for the last), block by block.
    activations: Vec<Vec<Row>>,
    /// The gradient of the loss by the output of each layer.
    gradients: Vec<Vec<Row>>,
}

impl Mlp {
    /// Draws a network; `initialisation` tells apart the networks of one seed.
    ///
    /// # Errors
    /// Where sizes and connectivities do not fit each other.
    pub fn draw(law: &MlpLaw, seed: u64, initialisation: u32) -> Result<Self> {
        if law.sizes.len() != law.connectivities.len() + 1 || law.sizes.len() < 2 || law.sizes.contains(&0) {
            return Err(Error::value(
                "sizes",
                format!("{:?} with {} connectivities", law.sizes, law.connectivities.len()),
                "a network needs sizes of at least 1, and one connectivity a layer",
                "give inputs, hidden widths and outputs",
            ));
        }
        let layers: Vec<Layer> = law
            .connectivities
            .iter()
            .enumerate()
            .map(|(layer, connectivity)| {
                let layer_law = LayerLaw {
                    rows: law.sizes[layer + 1],
                    columns: law.sizes[layer],
                    connectivity: *connectivity,
                    mask: law.mask,
                    law: law.law,
                };
                Layer::draw(layer_law, LayerId { seed, initialisation, layer: layer as u32 })
            })
            .collect();
        let rooms = vec![Vec::new(); layers.len()];
        Ok(Self { layers, activations: rooms.clone(), gradients: rooms })
    }

    /// The layers, from the inputs on.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of weights that exist.
    pub fn weights(&self) -> usize {
        self.layers.iter().map(Layer::weights).sum()
    }

    /// The outputs (logits), shape `(samples, outputs)`.
    ///
    /// # Errors
    /// Where the inputs do not have the features that the network takes.
    pub fn outputs(&mut self, inputs: &Blocks) -> Result<Array2<f32>> {
        let mut outputs = Array2::zeros((inputs.samples(), self.layers[self.layers.len() - 1].outputs()));
        self.each_block(inputs, |samples, block| {
            for (class, row) in block.iter().enumerate() {
                outputs.slice_mut(s![samples.clone(), class]).assign(&aview1(&row[..samples.len()]));
            }
        })?;
        Ok(outputs)
    }

    /// The share of samples whose largest output is that of their label (the first of equal outputs counts).
    ///
    /// # Errors
    /// Where the inputs do not fit the network or the labels.
    pub fn accuracy(&mut self, inputs: &Blocks, labels: &[u8]) -> Result<f64> {
        self.check((inputs.samples(), inputs.features()), Some(labels))?;
        let mut right = 0;
        self.each_block(inputs, |samples, block| right += right_answers(block, &labels[samples]))?;
        Ok(right as f64 / labels.len() as f64)
    }

    /// Calls `take` with the samples and outputs of each block.
    fn each_block(&mut self, inputs: &Blocks, mut take: impl FnMut(Range<usize>, &[Row])) -> Result<()> {
        self.check((inputs.samples(), inputs.features()), None)?;
        make_room(&self.layers, &mut self.activations, 1);
        let mut room = Vec::new();
        for block in 0..inputs.len() {
            self.forward(inputs.block(block, &mut room), 0)?;
            let samples = block * SAMPLES..((block + 1) * SAMPLES).min(inputs.samples());
            take(samples, &self.activations[self.layers.len() - 1]);
        }
        Ok(())
    }

    fn check(&self, (samples, features): (usize, usize), labels: Option<&[u8]>) -> Result<()> {
        let (inputs, outputs) = (self.layers[0].inputs(), self.layers[self.layers.len() - 1].outputs());
        if features != inputs || samples == 0 {
            let found = format!("{samples} samples of {features} features");
            let problem = format!("the network takes samples of {inputs} features");
            return Err(Error::value("inputs", found, problem, "give such samples"));
        }
        let Some(labels) = labels else { return Ok(()) };
        if labels.len() != samples || labels.iter().any(|label| usize::from(*label) >= outputs) {
            let found = format!("{} from 0 to {}", labels.len(), labels.iter().max().unwrap_or(&0));
            let problem = format!("there are {samples} samples and {outputs} outputs");
            return Err(Error::value("labels", found, problem, "give one a sample, below the number of outputs"));
        }
        Ok(())
    }

    /// The activations of one block of inputs, at its place among those that there is room for.
    fn forward(&mut self, input: &[Row], place: usize) -> Result<()> {
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(index);
            let output = &mut after[0][at(place, layer.outputs())];
            let input = before.last().map_or(input, |before| &before[at(place, layer.inputs())]);
            layer.forward(input, output, index < last)?;
        }
        Ok(())
    }

    /// One step of gradient descent on the mean cross-entropy of a batch; returns that loss, taken before the step. `labels`: one
    /// output index a sample.
    ///
    /// # Errors
    /// Where the batch does not fit the network or the labels.
    pub fn descend(&mut self, batch: &Batch, labels: &[u8], rate: f32) -> Result<f64> {
        self.check((batch.samples(), batch.features()), Some(labels))?;
        let blocks = labels.len().div_ceil(SAMPLES);
        make_room(&self.layers, &mut self.activations, blocks);
        make_room(&self.layers, &mut self.gradients, blocks);
        let last = self.layers.len() - 1;
        let mut loss = 0.0;
        let inputs = batch.values().chunks_exact(self.layers[0].inputs());
        for (place, (input, of_block)) in inputs.zip(labels.chunks(SAMPLES)).enumerate() {
            self.forward(input, place)?;
            let outputs = at(place, self.layers[last].outputs());
            let gradient = &mut self.gradients[last][outputs.clone()];
            loss += cross_entropy(&self.activations[last][outputs], of_block, labels.len(), gradient);
            for (index, layer) in self.layers.iter().enumerate().skip(1).rev() {
                let (before, after) = self.gradients.split_at_mut(index);
                let below = &mut before[index - 1][at(place, layer.inputs())];
                layer.backward(&after[0][at(place, layer.outputs())], below)?;
                relu_backward(below, &self.activations[index - 1][at(place, layer.inputs())]);
            }
        }
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let input = if index == 0 { batch.values() } else { &self.activations[index - 1] };
            layer.descend(rate, &self.gradients[index], input)?;
        }
        Ok(loss / labels.len() as f64)
    }
}

/// The rows of a block among those of several.
fn at(place: usize, rows: usize) -> Range<usize> {
    place * rows..(place + 1) * rows
}

/// Room for the outputs of each layer on some blocks.
fn make_room(layers: &[Layer], rooms: &mut [Vec<Row>], blocks: usize) {
    for (layer, room) in layers.iter().zip(rooms) {
        room.resize(layer.outputs() * blocks, [0.0; SAMPLES]);
    }
}

/// The number of samples of a block whose largest output is that of their label.
fn right_answers(outputs: &[Row], labels: &[u8]) -> usize {
    let answers = largest(outputs);
    answers.iter().zip(labels).filter(|(answer, label)| **answer == u32::from(**label)).count()
}

/// The sum of the cross-entropies of a block, and the gradient `(softmax - one-hot) / samples` of their mean over all `samples`,
/// which is 0 beyond the labels of the block.
fn cross_entropy(outputs: &[Row], labels: &[u8], samples: usize, gradient: &mut [Row]) -> f64 {
    gradient.fill([0.0; SAMPLES]);
    let mut loss = 0.0;
    for (lane, label) in labels.iter().enumerate() {
        let largest = outputs.iter().map(|row| row[lane]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0f32;
        for (gradient, output) in gradient.iter_mut().zip(outputs) {
            gradient[lane] = (output[lane] - largest).exp();
            sum += gradient[lane];
        }
        for gradient in gradient.iter_mut() {
            gradient[lane] /= sum * samples as f32;
        }
        let right = usize::from(*label);
        gradient[right][lane] -= 1.0 / samples as f32;
        loss += f64::from(sum.ln() - (outputs[right][lane] - largest));
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Samples;
    use ndarray::{Array1, Axis};

    /// The same step in f64 on dense masked matrices, written from the definition.
    fn reference_step(
        weights: &[Array2<f64>],
        input: &Array2<f64>,
        labels: &[u8],
        rate: f64,
    ) -> (f64, Vec<Array2<f64>>) {
        let factor = |w: &Array2<f64>| 1.0 / (w.ncols() as f64).sqrt();
        let mut activations = vec![input.clone()];
        for (index, w) in weights.iter().enumerate() {
            let output = w.dot(&activations[index]) * factor(w);
            activations.push(if index + 1 < weights.len() { output.mapv(|v| v.max(0.0)) } else { output });
        }
        let exponentials = activations.last().unwrap().mapv(f64::exp);
        let sums: Array1<f64> = exponentials.sum_axis(Axis(0));
        let mut gradient = exponentials / &sums;
        let mut loss = 0.0;
        for (sample, label) in labels.iter().enumerate() {
            loss -= gradient[[usize::from(*label), sample]].ln() / labels.len() as f64;
            gradient[[usize::from(*label), sample]] -= 1.0;
        }
        gradient /= labels.len() as f64;
        let mut stepped = Vec::new();
        for (index, w) in weights.iter().enumerate().rev() {
            let mask = w.mapv(|v| f64::from(v != 0.0));
            stepped.insert(0, w - &(gradient.dot(&activations[index].t()) * factor(w) * mask * rate));
            gradient = w.t().dot(&gradient) * factor(w);
            gradient.zip_mut_with(&activations[index], |g, a| *g *= f64::from(*a > 0.0));
        }
        (loss, stepped)
    }

    fn check_step(connectivities: [f64; 2], mask: MaskFamily, law: WeightLaw) {
        let law = MlpLaw {
            sizes: vec![30, 20, 4],
            connectivities: connectivities.iter().map(|p| Connectivity::new(*p).unwrap()).collect(),
            mask,
            law,
        };
        let mut network = Mlp::draw(&law, 3, 0).unwrap();
        // 70 samples: not a whole block of 64, nor two.
        let batch = 70;
        let input = Array2::from_shape_fn((30, batch), |(i, j)| ((i * 37 + j * 11) % 17) as f32 / 8.0 - 1.0);
        let labels: Vec<u8> = (0..batch).map(|sample| (sample * 7 % 4) as u8).collect();
        let weights: Vec<Array2<f64>> = network.layers().iter().map(|layer| layer.to_dense().mapv(f64::from)).collect();
        let (expected_loss, expected) = reference_step(&weights, &input.mapv(f64::from), &labels, 3.0);
        let count = network.weights();
        let mut blocks = Batch::default();
        blocks.fill(&Samples::new(input.t().to_owned()), &(0..batch).collect::<Vec<_>>());
        let loss = network.descend(&blocks, &labels, 3.0).unwrap();
        assert_eq!(network.weights(), count);
        // f32 sums of up to 70 terms: relative errors of order 1e-6.
        assert!((loss - expected_loss).abs() < 1e-5 * expected_loss, "{loss} {expected_loss}");
        for ((layer, before), after) in network.layers().iter().zip(&weights).zip(&expected) {
            let stepped = layer.to_dense().mapv(f64::from);
            let largest = (after - before).iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert!(largest > 1e-3, "the step must move something");
            let error = (&stepped - after).iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert!(error < 2e-5 * largest.max(1.0), "{error:e} of {largest:e}");
        }
    }

    #[test]
    fn a_step_matches_the_dense_masked_reference() {
        for mask in [MaskFamily::Bernoulli, MaskFamily::ExactCount] {
            for law in [WeightLaw::Gaussian, WeightLaw::Uniform] {
                for connectivities in [[1.0, 1.0], [0.3, 1.0], [0.3, 0.4], [1.0, 0.4]] {
                    check_step(connectivities, mask, law);
                }
            }
        }
    }
}
