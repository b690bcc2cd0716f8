//! Training a perceptron by stochastic gradient descent, with a test evaluation after each epoch.

use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom;

use super::mlp::{Mlp, MlpLaw};
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};

/// Labelled samples in feature-major blocks, for evaluation.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Each block: `(inputs, samples)` values, feature-major, and its labels.
    blocks: Vec<(Vec<f32>, Vec<u8>)>,
}

impl Blocks {
    /// Samples a block: its inputs (784 x 256 x 4 bytes) stay in a second-level cache.
    const SAMPLES: usize = 256;

    /// Divides samples of shape `(samples, inputs)` into blocks.
    pub fn new(samples: ArrayView2<f32>, labels: &[u8]) -> Self {
        let blocks = samples
            .axis_chunks_iter(ndarray::Axis(0), Self::SAMPLES)
            .zip(labels.chunks(Self::SAMPLES))
            .map(|(samples, labels)| (samples.t().iter().copied().collect(), labels.to_vec()))
            .collect();
        Self { blocks }
    }

    /// The share of samples whose largest output is that of their label (the first of equal outputs counts).
    ///
    /// # Errors
    /// Where the inputs do not fit the network.
    pub fn accuracy(&self, network: &mut Mlp) -> Result<f64> {
        let (mut right, mut all) = (0, 0);
        for (input, labels) in &self.blocks {
            let batch = labels.len();
            let logits = network.forward(input, batch)?;
            for (sample, label) in labels.iter().enumerate() {
                let mut best = 0;
                for class in 1..logits.len() / batch {
                    if logits[class * batch + sample] > logits[best * batch + sample] {
                        best = class;
                    }
                }
                right += usize::from(best == usize::from(*label));
            }
            all += batch;
        }
        Ok(right as f64 / all as f64)
    }
}

/// Training samples and test blocks, normalised.
#[derive(Clone, Debug)]
pub struct TrainingData {
    /// Shape `(samples, inputs)`.
    pub samples: Array2<f32>,
    /// One label a training sample.
    pub labels: Vec<u8>,
    /// The test set.
    pub test: Blocks,
}

/// How to train one network.
#[derive(Clone, Debug)]
pub struct TrainingSpec {
    /// The law of its initialisation.
    pub network: MlpLaw,
    /// The learning rate of plain stochastic gradient descent.
    pub learning_rate: f64,
    /// Passes over the training samples, at least 1.
    pub epochs: usize,
    /// Samples a step, at least 1; the last step of an epoch takes what is left.
    pub batch: usize,
    /// The user's seed.
    pub seed: u64,
    /// The number of this run under the seed: its own initialisation and order of samples.
    pub run: u32,
}

/// What a training run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingRun {
    /// The number of weights that exist.
    pub weights: usize,
    /// The best test accuracy after an epoch.
    pub best_accuracy: f64,
    /// That epoch, from 1; the first where several are as good.
    pub best_epoch: usize,
    /// The test accuracy after the last epoch that was run.
    pub final_accuracy: f64,
    /// The mean cross-entropy over the last epoch's batches, each before its step. Not finite where the run diverged.
    pub training_loss: f64,
    /// Whether the loss became infinite or NaN, which ended the run.
    pub diverged: bool,
}

/// Trains one network on one thread, the same bits each time.
///
/// # Errors
/// Where the sizes of data and network do not fit, or a number is out of range.
pub fn train(data: &TrainingData, spec: &TrainingSpec) -> Result<TrainingRun> {
    for (name, value) in [("epochs", spec.epochs), ("batch", spec.batch)] {
        if value == 0 {
            return Err(Error::value(name, 0, "must be at least 1", "give a positive number"));
        }
    }
    check_learning_rate(spec.learning_rate)?;
    let rate = spec.learning_rate as f32;
    let mut network = Mlp::draw(&spec.network, spec.seed, spec.run)?;
    let mut run = TrainingRun {
        weights: network.weights(),
        best_accuracy: 0.0,
        best_epoch: 0,
        final_accuracy: 0.0,
        training_loss: f64::NAN,
        diverged: false,
    };
    let mut order: Vec<usize> = (0..data.labels.len()).collect();
    let (mut input, mut labels) = (Vec::new(), Vec::new());
    for epoch in 1..=spec.epochs {
        order.shuffle(&mut Stream::new(spec.seed, Purpose::Shuffle, spec.run, epoch as u32));
        let (mut loss, mut steps) = (0.0, 0.0);
        for chosen in order.chunks(spec.batch) {
            gather(data, chosen, &mut input, &mut labels);
            loss += network.descend(&input, &labels, rate)?;
            steps += 1.0;
        }
        run.training_loss = loss / steps;
        run.diverged = !run.training_loss.is_finite();
        run.final_accuracy = data.test.accuracy(&mut network)?;
        if run.best_epoch == 0 || run.final_accuracy > run.best_accuracy {
            (run.best_accuracy, run.best_epoch) = (run.final_accuracy, epoch);
        }
        if run.diverged {
            break;
        }
    }
    Ok(run)
}

/// Checks that a learning rate is positive and finite in single precision.
///
/// # Errors
/// Where it is not.
pub fn check_learning_rate(rate: f64) -> Result<()> {
    if rate as f32 > 0.0 && (rate as f32).is_finite() {
        return Ok(());
    }
    let problem = "must be positive and finite in single precision";
    Err(Error::value("learning_rate", rate, problem, "give such a number"))
}

/// Copies the chosen samples into a feature-major batch.
fn gather(data: &TrainingData, chosen: &[usize], input: &mut Vec<f32>, labels: &mut Vec<u8>) {
    // Samples a pass: their rows are read side by side while whole cache lines of the batch are written.
    const TOGETHER: usize = 16;
    let (batch, features) = (chosen.len(), data.samples.ncols());
    input.resize(features * batch, 0.0);
    for (start, chosen) in (0..batch).step_by(TOGETHER).zip(chosen.chunks(TOGETHER)) {
        for feature in 0..features {
            let row = &mut input[feature * batch + start..feature * batch + start + chosen.len()];
            for (value, sample) in row.iter_mut().zip(chosen) {
                *value = data.samples[[*sample, feature]];
            }
        }
    }
    labels.clear();
    labels.extend(chosen.iter().map(|sample| data.labels[*sample]));
}
