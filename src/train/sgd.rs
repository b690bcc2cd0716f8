//! Training a perceptron by stochastic gradient descent, with a test evaluation after each epoch.

use rand::seq::SliceRandom;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::batch::Batch;
use super::blocks::Blocks;
use super::layer::LinearLayer;
use super::mlp::{Mlp, MlpSpec};
use super::samples::Samples;
use crate::error::{Error, Result};
use crate::numeric::parallel::check_interrupt;
use crate::numeric::random::{Purpose, Stream};

/// Training and test samples, normalised.
#[derive(Clone, Debug)]
pub struct TrainingData {
    samples: Samples,
    labels: Vec<u8>,
    test: Blocks,
    test_labels: Vec<u8>,
}

impl TrainingData {
    /// Takes samples with a label each, for training and for the test.
    ///
    /// # Errors
    /// Where there are none, or not one label per sample.
    pub fn new((samples, labels): (Samples, Vec<u8>), (test, test_labels): (&Samples, Vec<u8>)) -> Result<Self> {
        for (name, samples, labels) in [("labels", &samples, &labels), ("test_labels", test, &test_labels)] {
            if samples.is_empty() || samples.len() != labels.len() {
                let problem = format!("there are {} samples", samples.len());
                return Err(Error::value(name, labels.len(), problem, "give samples with one label each"));
            }
        }
        let order = test.order_by_blanks();
        let test_labels = order.iter().map(|sample| test_labels[*sample]).collect();
        Ok(Self { samples, labels, test: Blocks::new(&test.select(&order)), test_labels })
    }

    /// The number of training samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The number of test samples.
    #[must_use]
    pub fn test_samples(&self) -> usize {
        self.test.samples()
    }

    /// The number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.samples.features()
    }
}

/// How to train one network.
#[derive(Clone, Debug)]
pub struct TrainingSpec {
    /// The law of its initialisation.
    pub network: MlpSpec,
    /// The learning rate of plain stochastic gradient descent.
    pub learning_rate: f64,
    /// Passes over the training samples, at least 1.
    pub epochs: usize,
    /// Samples per step, at least 1; the last step of an epoch takes what is left.
    pub batch: usize,
    /// The user's seed.
    pub seed: u64,
    /// The number of this run under the seed: its own initialisation and order of samples.
    pub run: u32,
}

/// The result of a training run.
#[derive(Clone, Debug)]
pub struct TrainingRun {
    /// The number of weights that exist.
    pub weights: usize,
    /// The same for each layer.
    pub layer_weights: Vec<usize>,
    /// Whether no input reaches an output, see [`Mlp::is_dead`].
    pub dead: bool,
    /// The best test accuracy after an epoch whose losses are finite; none where there is no such epoch. For outputs
    /// that are NaN, the first class would count as predicted, which is not an accuracy.
    pub best_accuracy: Option<f64>,
    /// That epoch, from 1; the first where several are as good.
    pub best_epoch: Option<usize>,
    /// The test accuracy after the last epoch; none where the run diverged.
    pub final_accuracy: Option<f64>,
    /// The mean cross-entropy over the last epoch's batches, each before its step. Not finite where the run diverged.
    pub training_loss: f64,
    /// Whether a loss became infinite or NaN, which ended the run.
    pub diverged: bool,
    /// The results of each epoch, except one that diverged.
    pub curve: Curve,
    /// The network after the last epoch.
    pub network: Mlp,
}

/// One number of each kind per epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The mean cross-entropy over the epoch's batches, each before its step.
    #[serde(deserialize_with = "finite")]
    pub training_loss: Vec<f32>,
    /// The mean cross-entropy over the test samples after the epoch.
    #[serde(deserialize_with = "finite")]
    pub test_loss: Vec<f32>,
    /// The test accuracy after the epoch.
    #[serde(deserialize_with = "finite")]
    pub test_accuracy: Vec<f32>,
}

/// Reads numbers of single precision; a larger one would be read as infinity, which cannot be written again.
fn finite<'a, D: Deserializer<'a>>(source: D) -> std::result::Result<Vec<f32>, D::Error> {
    let values = Vec::<f32>::deserialize(source)?;
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(D::Error::custom("a number is beyond single precision")),
    }
}

impl Curve {
    /// Whether there is no epoch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.training_loss.is_empty()
    }
}

/// Trains one network by plain stochastic gradient descent on the cross-entropy, on one thread, the same bits each
/// time.
///
/// # Errors
/// Where the sizes of data and network do not fit, or a number is out of range.
///
/// ```
/// use sparsewidth::data::{DataSource, Normalisation, Normaliser};
/// use sparsewidth::network::WeightDistribution;
/// use sparsewidth::train::{MlpSpec, Parametrisation, Samples, TrainingData, TrainingSpec, train};
///
/// let mnist = DataSource::Embedded.labelled()?;
/// let normaliser = Normaliser::fit(Normalisation::Pixel, &mnist.train.images.to_real(), mnist.train.kind())?;
/// let data = TrainingData::new(
///     (Samples::of_images(mnist.train.images, &normaliser)?, mnist.train.labels),
///     (&Samples::of_images(mnist.test.images, &normaliser)?, mnist.test.labels),
/// )?;
/// // One in twenty of the weights to 128 hidden units, and a dense last layer: two epochs.
/// let network = MlpSpec {
///     inputs: 784,
///     network: "relu:128@0.05/exact_count linear:10".parse()?,
///     law: WeightDistribution::Uniform,
///     parametrisation: Parametrisation::NeuralTangent,
///     biases: false,
/// };
/// let run = train(&data, &TrainingSpec { network, learning_rate: 260.0, epochs: 2, batch: 256, seed: 0, run: 0 })?;
/// assert!(run.final_accuracy.is_some_and(|accuracy| accuracy > 0.5));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn train(data: &TrainingData, spec: &TrainingSpec) -> Result<TrainingRun> {
    for (name, value) in [("epochs", spec.epochs), ("batch", spec.batch)] {
        if value == 0 {
            return Err(Error::value(name, 0, "must be at least 1", "give a positive number"));
        }
    }
    check_learning_rate(spec.learning_rate)?;
    let rate = spec.learning_rate as f32;
    let network = Mlp::draw(&spec.network, spec.seed, spec.run)?;
    let mut run = TrainingRun {
        weights: network.weights(),
        layer_weights: network.layers().iter().map(LinearLayer::weights).collect(),
        dead: network.is_dead(),
        best_accuracy: None,
        best_epoch: None,
        final_accuracy: None,
        training_loss: f64::NAN,
        diverged: false,
        curve: Curve::default(),
        network,
    };
    let mut order: Vec<usize> = (0..data.labels.len()).collect();
    let (mut batch, mut labels) = (Batch::default(), Vec::new());
    for epoch in 1..=spec.epochs {
        order.shuffle(&mut Stream::new(spec.seed, Purpose::Shuffle, spec.run, epoch as u32));
        let (mut loss, mut steps) = (0.0, 0.0);
        for chosen in order.chunks(spec.batch) {
            check_interrupt()?;
            run.network.fill(&mut batch, &data.samples, chosen)?;
            labels.clear();
            labels.extend(chosen.iter().map(|sample| data.labels[*sample]));
            loss += run.network.descend(&batch, &labels, rate)?;
            steps += 1.0;
        }
        let after = run.network.evaluate(&data.test, &data.test_labels)?;
        run.training_loss = loss / steps;
        run.diverged = !run.training_loss.is_finite() || !after.loss.is_finite();
        run.final_accuracy = (!run.diverged).then_some(after.accuracy);
        if run.diverged {
            break;
        }
        if run.best_accuracy.is_none_or(|best| after.accuracy > best) {
            (run.best_accuracy, run.best_epoch) = (Some(after.accuracy), Some(epoch));
        }
        run.curve.training_loss.push(run.training_loss as f32);
        run.curve.test_loss.push(after.loss as f32);
        run.curve.test_accuracy.push(after.accuracy as f32);
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
