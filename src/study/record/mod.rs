//! Records: what a study found, with all that it takes to find it again.

mod file;
mod prediction;
mod schema;

pub use file::{RECORDS, read_records, to_lines};
pub use prediction::{PredictionRecord, Predictor, RidgePoint};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::schema::upgrade;
use crate::data::Normalisation;
use crate::error::{Error, Result};
use crate::kernel::ntk::{Kernel, KernelName, Tangent};
use crate::network::Connectivity;
use crate::network::{Activation, Architecture, MaskFamily, WeightDistribution};
use crate::study::DistanceMethod;
use crate::study::training::{Family, TrainedNetwork};
use crate::train::{Curve, Parametrisation};

/// The format of records, a number that rises when fields change. A record of another format is converted to this one,
/// or refused with the number of its format.
///
/// 1: `architecture` in place of `before`, and `schema` itself. Records without a schema are older; they are read as
/// they were meant.
pub const SCHEMA: u32 = 1;

/// One result of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// A mean squared distance.
    Distance(DistanceRecord),
    /// A training run.
    Training(TrainingRecord),
    /// A test error that a kernel predicts.
    Prediction(PredictionRecord),
}

impl Record {
    /// Reads a record as a line of JSON, also one of an older format.
    ///
    /// # Errors
    /// Where it is not a record, its format is not known, or its fields contradict each other.
    pub(crate) fn from_json(text: &str) -> std::result::Result<Self, String> {
        let mut value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Self::from_value(&mut value)
    }

    /// The same for a JSON value, which is converted to the present format.
    pub(crate) fn from_value(value: &mut Value) -> std::result::Result<Self, String> {
        upgrade(value)?;
        let record: Self = serde_json::from_value(value.take()).map_err(|error| error.to_string())?;
        record.check_architecture()?;
        record.check_curve()?;
        if let Self::Prediction(record) = &record {
            record.check_ranges()?;
        }
        Ok(record)
    }

    /// Refuses a learning curve whose parts have different lengths.
    fn check_curve(&self) -> std::result::Result<(), String> {
        let Self::Training(run) = self else { return Ok(()) };
        let Curve { training_loss, test_loss, test_accuracy } = &run.curve;
        let [first, others @ ..] = [training_loss.len(), test_loss.len(), test_accuracy.len()];
        match others.iter().all(|length| *length == first) {
            true => Ok(()),
            false => Err(format!(
                "its curve has {first} training losses, {} test losses and accuracies",
                others.map(|n| n.to_string()).join(" and ")
            )),
        }
    }

    /// Refuses a record whose width and masks are not those of its architecture.
    fn check_architecture(&self) -> std::result::Result<(), String> {
        let (architecture, width, mask) = match self {
            Self::Distance(record) => (&record.architecture, record.width, record.mask),
            Self::Training(run) => (&run.architecture, run.width, run.mask),
            Self::Prediction(record) => match (&record.architecture, record.width, record.mask) {
                (Some(architecture), Some(width), Some(mask)) => (architecture, width, mask),
                (None, None, None) => return Ok(()),
                _ => return Err("its architecture does not go with its width and masks".into()),
            },
        };
        let hidden = match self {
            Self::Distance(_) => Some(architecture.last()),
            Self::Training(_) | Self::Prediction(_) => architecture.before_last().last(),
        };
        match hidden {
            Some(hidden) if (hidden.width(), architecture.mask()) == (width, mask) => Ok(()),
            _ => Err(format!("its architecture is {architecture}, its width {width}, its masks {}", mask.name())),
        }
    }

    /// The distance, where the record is one.
    #[must_use]
    pub fn distance(&self) -> Option<&DistanceRecord> {
        match self {
            Self::Distance(record) => Some(record),
            _ => None,
        }
    }

    /// The training run, where the record is one.
    #[must_use]
    pub fn training(&self) -> Option<&TrainingRecord> {
        match self {
            Self::Training(record) => Some(record),
            _ => None,
        }
    }

    /// The predicted test error, where the record is one.
    #[must_use]
    pub fn prediction(&self) -> Option<&PredictionRecord> {
        match self {
            Self::Prediction(record) => Some(record),
            _ => None,
        }
    }

    /// The same with another name for its data.
    pub(crate) fn of_data(mut self, name: &str) -> Self {
        match &mut self {
            Self::Distance(record) => record.data = name.into(),
            Self::Training(run) => run.data = name.into(),
            Self::Prediction(record) => record.data = name.into(),
        }
        self
    }

    /// Refuses numbers that are not finite: they could be neither stored nor drawn.
    pub(crate) fn check(&self, task: &str) -> Result<()> {
        match self {
            Self::Distance(record) => {
                let numbers = [
                    Some(record.mean),
                    record.median,
                    record.lower_quartile,
                    record.upper_quartile,
                    record.median_low,
                    record.median_high,
                    record.reference_square,
                    record.mean_square,
                    record.mean_error_pairs,
                    record.mean_error_samples,
                    record.bias_squared,
                    record.variance,
                    record.bias_squared_error,
                    record.variance_error,
                    record.diagonal,
                    record.diagonal_error,
                    record.mean_low,
                    record.mean_high,
                    record.median_corrected,
                ];
                if numbers.iter().flatten().all(|value| value.is_finite()) {
                    return Ok(());
                }
                let problem = format!("the distance of {task} is beyond double precision");
                Err(Error::value("data", &record.data, problem, "rescale the inputs"))
            }
            Self::Training(_) => Ok(()),
            Self::Prediction(record) => record.check(task),
        }
    }
}

/// The distance `E[(nngp - nngp_inf)^2]` at one width by one method, over pairs of inputs; or that of the tangent
/// kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceRecord {
    /// The format of the record, [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// The name of the data source.
    pub data: String,
    /// SHA-256 of the data.
    pub checksum: String,
    /// Normalisation of the inputs.
    pub normalisation: Normalisation,
    /// Input dimension `d`.
    pub dimension: usize,
    /// The network's layers up to the last hidden one, with their masks: those of the drawn networks where networks are
    /// sampled, those of the theory elsewhere.
    pub architecture: Architecture,
    /// Width `n` of the last hidden layer.
    pub width: usize,
    /// Connectivity `p` at which the method was evaluated.
    pub connectivity: Connectivity,
    /// How the distance was found.
    pub method: DistanceMethod,
    /// Whose distance it is; the NNGP kernel's in older records.
    #[serde(default)]
    pub kernel: KernelName,
    /// The convention of the tangent kernel; none for the NNGP kernel.
    #[serde(default)]
    pub tangent: Option<Tangent>,
    /// The family of its masks.
    pub mask: MaskFamily,
    /// Law of the weights.
    pub law: WeightDistribution,
    /// Variance `v` of the weights in units of `sigma^2`; the reference kernel is `v K_1 / d`, theory is scaled by
    /// `v^2`.
    pub weight_variance: f64,
    /// Reference kernel: `analytic` or `dense:N`.
    pub reference: String,
    /// Number of pairs, random ones or all; 0 for formulas that take no inputs.
    pub pairs: usize,
    /// Initialisations where networks are sampled, masks per pair where masks are sampled (for at least one pair); 0
    /// where nothing is sampled.
    pub samples: usize,
    /// Seed.
    pub seed: u64,
    /// Device that computed it.
    pub device: String,
    /// Precision of the features or of the formula.
    pub precision: String,
    /// Mean over pairs. An unbiased estimate: where it is far below its standard error it can come out negative.
    pub mean: f64,
    /// Standard error of the mean as an estimate over all pairs of the data, in addition to `mean_error_samples`; 0
    /// where all pairs were taken one by one, none where they were taken together.
    pub mean_error_pairs: Option<f64>,
    /// Standard error of the mean on these pairs, from the initialisations or the masks; a bound where nothing is
    /// sampled.
    pub mean_error_samples: Option<f64>,
    /// Median over pairs. For sampled networks it is the median of each pair's mean over few initialisations, which is
    /// biased downwards; none where they are sampled over all pairs.
    pub median: Option<f64>,
    /// Lower end of the median's 95 % confidence interval over all pairs of the data: from the order statistics of the
    /// pairs taken and, for sampled networks, from their law as well, around `median_corrected`.
    pub median_low: Option<f64>,
    /// Its upper end.
    pub median_high: Option<f64>,
    /// First quartile over pairs.
    pub lower_quartile: Option<f64>,
    /// Third quartile over pairs.
    pub upper_quartile: Option<f64>,
    /// Mean over pairs of bias^2, unbiased where it is estimated (it can be slightly negative).
    pub bias_squared: Option<f64>,
    /// Mean over pairs of the variance of one hidden unit; the distance is `bias_squared + variance / width`.
    pub variance: Option<f64>,
    /// Error of `bias_squared`, of the kind of `mean_error_samples`, where it is known.
    pub bias_squared_error: Option<f64>,
    /// Error of `variance`, of the same kind.
    pub variance_error: Option<f64>,
    /// Mean over the pairs of an input with itself, where networks are drawn over all pairs. `diagonal_error` is its
    /// error, of the kind of `mean_error_samples`.
    pub diagonal: Option<f64>,
    /// See `diagonal`.
    pub diagonal_error: Option<f64>,
    /// Mean over the pairs of the square of the infinite-width kernel that networks are compared with, where pairs are
    /// taken one by one: a unit for distances of networks whose limits differ.
    #[serde(default)]
    pub reference_square: Option<f64>,
    /// The mean and standard deviation by which a global normalisation shifted and scaled every entry, of bytes in
    /// units of 255.
    #[serde(default)]
    pub global_mean: Option<f64>,
    /// See `global_mean`.
    #[serde(default)]
    pub global_deviation: Option<f64>,
    /// For a formula that takes no inputs, Eq. (4): the mean of `|x|^2 / d` over the inputs, which the formula takes to
    /// be 1.
    #[serde(default)]
    pub mean_square: Option<f64>,
    /// The share of weights that exist, over all layers, for masks of a fixed count, to which `connectivity` is
    /// rounded.
    #[serde(default)]
    pub connectivity_reached: Option<f64>,
    /// The numbers, from 1, of layers under such masks that have no weight; none where every layer has some.
    #[serde(default)]
    pub empty_layers: Option<String>,
    /// Lower end of the 95 % confidence interval of the mean on these pairs, where networks are sampled and their draws
    /// suffice for it ([`SamplingLaw`](crate::sampled::SamplingLaw)).
    #[serde(default)]
    pub mean_low: Option<f64>,
    /// Its upper end.
    #[serde(default)]
    pub mean_high: Option<f64>,
    /// `median` of sampled networks, corrected for its bias.
    #[serde(default)]
    pub median_corrected: Option<f64>,
    /// Number of pairs of different inputs that the data has; none for formulas that take no inputs, and in older
    /// records.
    #[serde(default)]
    pub pairs_of_data: Option<usize>,
    /// The largest relative error of median and quartiles where those come from a histogram; none where they are exact.
    #[serde(default)]
    pub quantile_resolution: Option<f64>,
}

impl DistanceRecord {
    /// The kernel whose distance it is, with its convention.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel.with(self.tangent.unwrap_or_default())
    }

    /// Whether its pairs are a random sample of those of the data, neither all of them nor none.
    #[must_use]
    pub fn samples_pairs(&self) -> bool {
        let takes_all = matches!(self.method, DistanceMethod::SampledAll | DistanceMethod::ExpansionAll);
        self.pairs > 0 && !takes_all && self.pairs_of_data != Some(self.pairs)
    }

    /// Whether the standard error over samples can be trusted. The distance of networks with very few weights has such
    /// a long tail that most of it lies in draws that were not made. The signs are fewer than 1,000 weights expected in
    /// all draws, or a coefficient of variation between draws above 3.
    #[must_use]
    pub fn has_reliable_error(&self) -> bool {
        let Some(error) = self.mean_error_samples else { return false };
        if !self.method.draws_networks() {
            return true;
        }
        draws_tell_error(self.architecture.weights(self.dimension), self.samples, self.mean, error)
    }
}

/// See [`DistanceRecord::has_reliable_error`]; `weights` are those expected in a network.
pub(crate) fn draws_tell_error(weights: f64, samples: usize, mean: f64, error: f64) -> bool {
    weights * samples as f64 >= 1000.0 && error * (samples as f64).sqrt() <= 3.0 * mean
}

impl TrainingRecord {
    /// The best accuracy of an epoch of finite losses. Records of earlier versions also counted the epoch that
    /// diverged, which is not in the curve.
    pub fn finite_accuracy(&self) -> Option<f64> {
        let epochs = self.curve.test_accuracy.len();
        if self.diverged && self.best_epoch.is_some_and(|epoch| epoch > epochs) {
            return self.curve.test_accuracy.iter().copied().reduce(f32::max).map(f64::from);
        }
        self.best_accuracy
    }

    /// The network that was trained.
    #[must_use]
    pub fn network(&self) -> TrainedNetwork {
        let Self { family, ref architecture, learning_rate, .. } = *self;
        TrainedNetwork { family, architecture: architecture.clone(), learning_rate }
    }
}

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// The format of the record, [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// The name of the data source.
    pub data: String,
    /// SHA-256 of the training files.
    pub checksum: String,
    /// SHA-256 of the files of the samples evaluated: the test files, or for a validation set the training files.
    pub test_checksum: String,
    /// Normalisation of the inputs, by the statistics of the training samples.
    pub normalisation: Normalisation,
    /// Training samples.
    pub samples: usize,
    /// Whether the samples evaluated, called test samples below, are a validation set.
    pub validation: bool,
    /// Test samples.
    pub test_samples: usize,
    /// Input dimension `d`.
    pub dimension: usize,
    /// The way in which the network was widened.
    pub family: Family,
    /// The network's layers with their masks, the outputs included.
    pub architecture: Architecture,
    /// Activation of the last hidden layer.
    pub activation: Activation,
    /// Width `n` of the last hidden layer.
    pub width: usize,
    /// Connectivity `p` of the last hidden layer.
    pub connectivity: Connectivity,
    /// Connectivity of the last layer.
    pub last_connectivity: Connectivity,
    /// Weights that exist, all layers, without biases.
    pub weights: usize,
    /// Whether every layer has biases.
    pub biases: bool,
    /// Which variable gradient descent updates.
    pub parametrisation: Parametrisation,
    /// The family of its masks.
    pub mask: MaskFamily,
    /// Law of the initial weights.
    pub law: WeightDistribution,
    /// Learning rate.
    pub learning_rate: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
    /// Seed.
    pub seed: u64,
    /// The number of the run under this seed.
    pub run: u32,
    /// Device that computed it.
    pub device: String,
    /// Precision of weights and activations.
    pub precision: String,
    /// Best test accuracy after an epoch of finite losses; none where there is no such epoch. Chosen on the test set,
    /// as in the paper, so it flatters every network a little.
    pub best_accuracy: Option<f64>,
    /// That epoch.
    pub best_epoch: Option<usize>,
    /// Test accuracy after the last epoch; none where the run diverged.
    pub final_accuracy: Option<f64>,
    /// Mean cross-entropy over the last epoch; none where it was not finite.
    pub training_loss: Option<f64>,
    /// Whether the run diverged, and ended there.
    pub diverged: bool,
    /// The mean and standard deviation by which a global normalisation shifted and scaled every entry, of bytes in
    /// units of 255.
    #[serde(default)]
    pub global_mean: Option<f64>,
    /// See `global_mean`.
    #[serde(default)]
    pub global_deviation: Option<f64>,
    /// The share of weights that exist in all layers but the last.
    #[serde(default)]
    pub connectivity_reached: Option<f64>,
    /// The share of weights that exist in the last layer.
    #[serde(default)]
    pub last_connectivity_reached: Option<f64>,
    /// The numbers, from 1, of layers that have no weight; none where every layer has some.
    #[serde(default)]
    pub empty_layers: Option<String>,
    /// Whether no input reaches an output: no path of weights that exist joins the two.
    #[serde(default)]
    pub dead: Option<bool>,
    /// Losses and accuracy after each epoch; CSV files have them in `curves.csv`, not in `training.csv`.
    #[serde(default, skip_serializing_if = "Curve::is_empty")]
    pub curve: Curve,
}
