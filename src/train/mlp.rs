//! Multilayer perceptrons: forward, gradient and a step of stochastic gradient descent.

use std::ops::Range;

use ndarray::{Array2, aview1, s};

use super::batch::Batch;
use super::blocks::{BlockInput, Blocks, Input, Room, Row, SAMPLES};
use super::layer::{LinearLayer, Parametrisation};
use super::rows::{exponentials, largest, relu_backward};
use super::samples::Samples;
use crate::error::{Error, Result};
use crate::network::{Activation, Architecture, Layer, LayerId, WeightDistribution};

/// What a random perceptron is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpSpec {
    /// The number of inputs, at least 1.
    pub inputs: usize,
    /// Its layers, the outputs included. The activation of the last one is ignored: its outputs are logits.
    pub network: Architecture,
    /// The values of the weights that exist.
    pub law: WeightDistribution,
    /// Which variable gradient descent updates.
    pub parametrisation: Parametrisation,
    /// Whether every layer has biases.
    pub biases: bool,
}

/// A multilayer perceptron.
#[derive(Clone, Debug)]
pub struct Mlp {
    /// The activation after each layer except the last.
    between: Vec<Activation>,
    layers: Vec<LinearLayer>,
    /// The output of each layer after its activation, block by block.
    activations: Vec<Vec<Row>>,
    /// The gradient of the loss with respect to the output of each layer.
    gradients: Vec<Vec<Row>>,
}

impl Mlp {
    /// Draws a network; `initialisation` is its number among the networks of one seed.
    ///
    /// # Errors
    /// Where there is no input.
    pub fn draw(spec: &MlpSpec, seed: u64, initialisation: u32) -> Result<Self> {
        if spec.inputs == 0 {
            return Err(Error::value("inputs", 0, "a network needs at least one input", "give a positive number"));
        }
        let layers = (0..).zip(spec.network.layer_specs(spec.inputs, spec.law)).map(|(layer, of_layer)| {
            let id = LayerId { seed, initialisation, layer };
            LinearLayer::draw(of_layer, id, spec.parametrisation, spec.biases)
        });
        let between = spec.network.before_last().iter().map(Layer::activation).collect();
        Ok(Self::from_layers(layers.collect(), between))
    }

    /// A network of at least one layer; the layers must fit each other, and `between` are the activations between them.
    pub(super) fn from_layers(layers: Vec<LinearLayer>, between: Vec<Activation>) -> Self {
        let rooms = vec![Vec::new(); layers.len()];
        Self { between, layers, activations: rooms.clone(), gradients: rooms }
    }

    /// The activation after each layer except the last.
    #[must_use]
    pub fn between(&self) -> &[Activation] {
        &self.between
    }

    /// The layers, from the inputs on.
    #[must_use]
    pub fn layers(&self) -> &[LinearLayer] {
        &self.layers
    }

    /// The number of weights that exist.
    pub fn weights(&self) -> usize {
        self.layers.iter().map(LinearLayer::weights).sum()
    }

    /// Whether no path of weights that exist joins an input to an output: the outputs are then the same for all inputs.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        let mut reached = vec![true; self.layers[0].inputs()];
        for layer in &self.layers {
            reached = layer.reached(&reached);
        }
        !reached.contains(&true)
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

    /// Share of right answers and loss.
    ///
    /// # Errors
    /// Where the inputs do not fit the network or the labels.
    pub fn evaluate(&mut self, inputs: &Blocks, labels: &[u8]) -> Result<Evaluation> {
        self.check((inputs.samples(), inputs.features()), Some(labels))?;
        let (mut right, mut loss) = (0, 0.0);
        let mut room = vec![Row::ZERO; self.layers[self.layers.len() - 1].outputs()];
        self.each_block(inputs, |samples, outputs| {
            let labels = &labels[samples];
            right += right_answers(outputs, labels);
            loss += cross_entropy(outputs, labels, &mut room).0;
        })?;
        let samples = labels.len() as f64;
        Ok(Evaluation { accuracy: right as f64 / samples, loss: loss / samples })
    }

    /// Calls `take` with the samples and outputs of each block.
    fn each_block(&mut self, inputs: &Blocks, mut take: impl FnMut(Range<usize>, &[Row])) -> Result<()> {
        self.check((inputs.samples(), inputs.features()), None)?;
        make_room(&self.layers, &mut self.activations, 1);
        let quads = inputs.has_quads() && self.layers[0].can_skip();
        self.layers[0].arrange(quads);
        let starts = self.starts(inputs.offsets());
        let mut room = Room::default();
        for block in 0..inputs.len() {
            self.forward(inputs.input(block, quads, &mut room), &starts, 0)?;
            let samples = block * SAMPLES..((block + 1) * SAMPLES).min(inputs.samples());
            take(samples, &self.activations[self.layers.len() - 1]);
        }
        Ok(())
    }

    /// The starting values of the outputs of each layer; only the network's inputs have offsets.
    fn starts(&self, offsets: &[f32]) -> Vec<Vec<f32>> {
        let of_layer = |(index, layer): (usize, &LinearLayer)| layer.starts(if index == 0 { offsets } else { &[] });
        self.layers.iter().enumerate().map(of_layer).collect()
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
            return Err(Error::value("labels", found, problem, "give one per sample, below the number of outputs"));
        }
        Ok(())
    }

    /// Computes the activations of one block of inputs, and stores them at its place among the blocks.
    fn forward(&mut self, input: BlockInput, starts: &[Vec<f32>], place: usize) -> Result<()> {
        for (index, (layer, starts)) in self.layers.iter().zip(starts).enumerate() {
            let (before, after) = self.activations.split_at_mut(index);
            let output = &mut after[0][at(place, layer.outputs())];
            let input = match before.last() {
                None => input,
                Some(before) => BlockInput::Rows(Input { rows: &before[at(place, layer.inputs())], places: None }),
            };
            layer.forward(input, starts, output, self.between.get(index) == Some(&Activation::Relu))?;
        }
        Ok(())
    }

    /// Fills a batch in the form that this network takes fastest, which is for networks with as dense a first layer;
    /// [`Batch::fill`] is for any.
    ///
    /// # Errors
    /// Where one of the chosen is not among the samples.
    pub fn fill(&self, batch: &mut Batch, samples: &Samples, chosen: &[usize]) -> Result<()> {
        if self.layers[0].can_skip() { batch.fill_quads(samples, chosen) } else { batch.fill(samples, chosen) }
    }

    /// One step of gradient descent on the mean cross-entropy of a batch; returns that loss, taken before the step.
    /// `labels` has one output index per sample.
    ///
    /// # Errors
    /// Where the batch does not fit the network or the labels.
    pub fn descend(&mut self, batch: &Batch, labels: &[u8], rate: f32) -> Result<f64> {
        self.check((batch.samples(), batch.features()), Some(labels))?;
        if batch.pixels().is_some() && !self.layers[0].can_skip() {
            let found = "a batch filled for a network with a dense first layer";
            return Err(Error::value(
                "batch",
                found,
                "this network's is sparse, or narrow",
                "fill it for this network",
            ));
        }
        self.layers[0].arrange(batch.pixels().is_some());
        let blocks = labels.len().div_ceil(SAMPLES);
        make_room(&self.layers, &mut self.activations, blocks);
        make_room(&self.layers, &mut self.gradients, blocks);
        let starts = self.starts(batch.offsets());
        let last = self.layers.len() - 1;
        let mut loss = 0.0;
        for (place, (input, of_block)) in batch.inputs().into_iter().zip(labels.chunks(SAMPLES)).enumerate() {
            self.forward(input, &starts, place)?;
            let outputs = at(place, self.layers[last].outputs());
            let gradient = &mut self.gradients[last][outputs.clone()];
            loss += cross_entropy_gradient(&self.activations[last][outputs], of_block, labels.len(), gradient);
            for (index, layer) in self.layers.iter().enumerate().skip(1).rev() {
                let (before, after) = self.gradients.split_at_mut(index);
                let below = &mut before[index - 1][at(place, layer.inputs())];
                layer.backward(&after[0][at(place, layer.outputs())], below)?;
                if self.between[index - 1] == Activation::Relu {
                    relu_backward(below, &self.activations[index - 1][at(place, layer.inputs())]);
                }
            }
        }
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let gradients = self.gradients[index].chunks_exact(layer.outputs());
            if let (0, Some(pixels)) = (index, batch.pixels()) {
                layer.descend_quads(rate, pixels, &self.gradients[0]);
            } else if index == 0 {
                layer.descend(rate, &batch.blocks().zip(gradients).collect::<Vec<_>>(), batch.offsets())?;
            } else {
                let hidden = self.activations[index - 1].chunks_exact(layer.inputs());
                let hidden = hidden.map(|rows| Input { rows, places: None });
                layer.descend(rate, &hidden.zip(gradients).collect::<Vec<_>>(), &[])?;
            }
        }
        Ok(loss / labels.len() as f64)
    }
}

/// How well a network does on some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The share of samples whose largest output is that of their label (the first of equal outputs counts).
    pub accuracy: f64,
    /// The mean cross-entropy of softmax outputs and labels.
    pub loss: f64,
}

/// The rows of a block among those of several.
fn at(place: usize, rows: usize) -> Range<usize> {
    place * rows..(place + 1) * rows
}

/// Makes room for the outputs of each layer on some blocks.
fn make_room(layers: &[LinearLayer], rooms: &mut [Vec<Row>], blocks: usize) {
    for (layer, room) in layers.iter().zip(rooms) {
        room.resize(layer.outputs() * blocks, Row::ZERO);
    }
}

/// The number of samples of a block whose largest output is that of their label.
fn right_answers(outputs: &[Row], labels: &[u8]) -> usize {
    let answers = largest(outputs);
    answers.iter().zip(labels).filter(|(answer, label)| **answer == u32::from(**label)).count()
}

/// The sum of the cross-entropies of a block; `room` receives the exponentials `e^(output - largest)` of each sample,
/// whose sums are returned as well.
fn cross_entropy(outputs: &[Row], labels: &[u8], room: &mut [Row]) -> (f64, [f32; SAMPLES]) {
    let (largest, sums) = exponentials(outputs, room);
    let of_sample =
        |(lane, label): (usize, &u8)| sums[lane].ln() - (outputs[usize::from(*label)][lane] - largest[lane]);
    (labels.iter().enumerate().map(|sample| f64::from(of_sample(sample))).sum(), sums)
}

/// The same, and the gradient `(softmax - one-hot) / samples` of their mean over all `samples`, which is 0 beyond the
/// labels of the block.
fn cross_entropy_gradient(outputs: &[Row], labels: &[u8], samples: usize, gradient: &mut [Row]) -> f64 {
    let (loss, sums) = cross_entropy(outputs, labels, gradient);
    let share = 1.0 / samples as f32;
    let factors: [f32; SAMPLES] =
        std::array::from_fn(|lane| if lane < labels.len() { share / sums[lane] } else { 0.0 });
    for row in gradient.iter_mut() {
        row.iter_mut().zip(&factors).for_each(|(gradient, factor)| *gradient *= factor);
    }
    for (lane, label) in labels.iter().enumerate() {
        gradient[usize::from(*label)][lane] -= share;
    }
    loss
}

#[cfg(test)]
mod tests;
