//! Multilayer perceptrons: forward, gradient and a step of stochastic gradient descent.

use super::draw::{LayerId, LayerLaw, MaskFamily, WeightLaw};
use super::layer::Layer;
use super::vector::relu;
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
    /// The output of each layer (after the ReLU, but for the last), feature-major.
    activations: Vec<Vec<f32>>,
    /// The gradient of the loss by the output of each layer.
    gradients: Vec<Vec<f32>>,
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
        let buffers = vec![Vec::new(); layers.len()];
        Ok(Self { layers, activations: buffers.clone(), gradients: buffers })
    }

    /// The layers, from the inputs on.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of weights that exist.
    pub fn weights(&self) -> usize {
        self.layers.iter().map(Layer::weights).sum()
    }

    /// The outputs (logits) for a batch: `input` is feature-major of shape `(inputs, batch)`, the result `(outputs, batch)`.
    ///
    /// # Errors
    /// Where the input is not of that shape.
    pub fn forward(&mut self, input: &[f32], batch: usize) -> Result<&[f32]> {
        if batch == 0 || input.len() != self.layers[0].inputs() * batch {
            return Err(Error::value(
                "input",
                input.len(),
                format!("a batch of {batch} must hold {} x {batch} entries", self.layers[0].inputs()),
                "give a feature-major batch",
            ));
        }
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(index);
            let output = &mut after[0];
            output.resize(layer.outputs() * batch, 0.0);
            layer.forward(before.last().map_or(input, Vec::as_slice), output, batch)?;
            if index < last {
                relu(output);
            }
        }
        Ok(&self.activations[last])
    }

    /// One step of gradient descent on the mean cross-entropy of a batch; returns that loss, taken before the step.
    ///
    /// `input` is feature-major of shape `(inputs, batch)`, `labels` one output index a sample.
    ///
    /// # Errors
    /// Where the shapes do not match.
    pub fn descend(&mut self, input: &[f32], labels: &[u8], rate: f32) -> Result<f64> {
        let batch = labels.len();
        self.forward(input, batch)?;
        let last = self.layers.len() - 1;
        let loss = cross_entropy(&self.activations[last], labels, &mut self.gradients[last]);
        for index in (0..=last).rev() {
            let (before, after) = self.gradients.split_at_mut(index);
            let gradient = &after[0];
            if let Some(below) = before.last_mut() {
                below.resize(self.layers[index].inputs() * batch, 0.0);
                self.layers[index].backward(gradient, below, batch)?;
                for (gradient, activation) in below.iter_mut().zip(&self.activations[index - 1]) {
                    if *activation <= 0.0 {
                        *gradient = 0.0;
                    }
                }
            }
            let input = if index == 0 { input } else { &self.activations[index - 1] };
            self.layers[index].descend(rate, gradient, input, batch)?;
        }
        Ok(loss)
    }
}

/// The mean cross-entropy of logits of shape `(classes, batch)`, and its gradient `(softmax - one-hot) / batch`.
fn cross_entropy(logits: &[f32], labels: &[u8], gradient: &mut Vec<f32>) -> f64 {
    let batch = labels.len();
    gradient.clear();
    gradient.extend_from_slice(logits);
    let classes = logits.len() / batch;
    let mut loss = 0.0;
    for (sample, label) in labels.iter().enumerate() {
        let at = |class: usize| class * batch + sample;
        let largest = (0..classes).map(|class| logits[at(class)]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0f32;
        for class in 0..classes {
            let exponential = (logits[at(class)] - largest).exp();
            gradient[at(class)] = exponential;
            sum += exponential;
        }
        for class in 0..classes {
            gradient[at(class)] /= sum * batch as f32;
        }
        let right = usize::from(*label);
        gradient[at(right)] -= 1.0 / batch as f32;
        loss += f64::from(sum.ln() - (logits[at(right)] - largest));
    }
    loss / batch as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, Axis};

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
        // 70 samples: one register block of 64 and a remainder.
        let batch = 70;
        let input = Array2::from_shape_fn((30, batch), |(i, j)| ((i * 37 + j * 11) % 17) as f32 / 8.0 - 1.0);
        let labels: Vec<u8> = (0..batch).map(|sample| (sample * 7 % 4) as u8).collect();
        let weights: Vec<Array2<f64>> = network.layers().iter().map(|layer| layer.to_dense().mapv(f64::from)).collect();
        let (expected_loss, expected) = reference_step(&weights, &input.mapv(f64::from), &labels, 3.0);
        let count = network.weights();
        let loss = network.descend(input.as_slice().unwrap(), &labels, 3.0).unwrap();
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
