//! The record of a predicted test error.

use serde::{Deserialize, Serialize};

use crate::data::Normalisation;
use crate::error::{Error, Result};
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::{Architecture, Connectivity, MaskFamily, WeightDistribution};
use crate::study::prediction::KernelSource;

/// The test error that kernel ridge regression predicts for one network.
///
/// Of several drawn networks, numbers are means over their regressions unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// The format of the record, [`SCHEMA`](super::SCHEMA).
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
    /// Classes.
    pub classes: usize,
    /// `nngp_regression` or `ntk_regression`.
    pub predictor: Predictor,
    /// The convention of the tangent kernel; none for the NNGP kernel.
    pub tangent: Option<Tangent>,
    /// Where the kernel comes from.
    pub source: KernelSource,
    /// The network's layers with their masks, the outputs included; none, with all that follows from it, for the dense
    /// limit, which no width or budget changes.
    pub architecture: Option<Architecture>,
    /// Width `n` of the hidden layer.
    pub width: Option<usize>,
    /// Connectivity `p` of the hidden layer.
    pub connectivity: Option<Connectivity>,
    /// Weights that are expected to exist, all layers.
    pub weights: Option<f64>,
    /// The family of its masks.
    pub mask: Option<MaskFamily>,
    /// Law of the weights of drawn networks.
    pub law: WeightDistribution,
    /// Drawn networks; 0 where none is drawn.
    pub initialisations: usize,
    /// Seed.
    pub seed: u64,
    /// Device that computed it.
    pub device: String,
    /// Precision of the kernel, or of the features that it is made of.
    pub precision: String,
    /// The predicted test error, a share from 0 to 1; none where there is a `problem`.
    pub test_error: Option<f64>,
    /// Standard deviation of the test error over drawn networks, where there is more than one.
    pub spread: Option<f64>,
    /// Mean squared error of the outputs on the test samples.
    pub squared_error: Option<f64>,
    /// The share of training samples that a regression on all the others puts in a wrong class.
    pub leave_one_out_error: Option<f64>,
    /// Mean squared error of the same.
    pub leave_one_out_squared_error: Option<f64>,
    /// The ridge chosen, in units of the mean of the kernel's diagonal: the geometric mean over drawn networks.
    pub ridge: Option<f64>,
    /// The log marginal likelihood per training sample and output of the Gaussian process with this kernel, the largest
    /// over the ridges and over multiples of the kernel.
    pub log_marginal_likelihood: Option<f64>,
    /// `exp` of the entropy of the kernel's normalised eigenvalues.
    pub effective_rank: Option<f64>,
    /// The kernel's largest eigenvalue over its smallest: the geometric mean over drawn networks; none where the kernel
    /// matrix of one of them is singular as far as its precision goes.
    pub condition_number: Option<f64>,
    /// Kernel-target alignment; none where a kernel vanishes.
    pub alignment: Option<f64>,
    /// The same with features of mean 0.
    pub centred_alignment: Option<f64>,
    /// Degrees of freedom of the regression at its ridge.
    pub degrees_of_freedom: Option<f64>,
    /// Why there is no prediction: the approximated kernel is none.
    pub problem: Option<String>,
    /// The mean and standard deviation by which a global normalisation shifted and scaled every entry, of bytes in
    /// units of 255.
    pub global_mean: Option<f64>,
    /// See `global_mean`.
    pub global_deviation: Option<f64>,
    /// The test error of each drawn network; CSV files leave this out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_errors: Vec<f64>,
    /// The errors at every ridge; CSV files have them in `ridges.csv`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ridges: Vec<RidgePoint>,
}

/// By what a test error is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Predictor {
    /// Ridge regression with the NNGP kernel.
    NngpRegression,
    /// Ridge regression with the tangent kernel.
    NtkRegression,
}

impl Predictor {
    /// The regression with a kernel.
    #[must_use]
    pub fn of(kernel: Kernel) -> Self {
        match kernel {
            Kernel::Nngp => Self::NngpRegression,
            Kernel::Ntk(_) => Self::NtkRegression,
        }
    }

    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Errors at one ridge, means over drawn networks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RidgePoint {
    /// The ridge, in units of the mean of the kernel's diagonal.
    pub ridge: f64,
    /// See [`PredictionRecord::test_error`].
    pub test_error: f64,
    /// See [`PredictionRecord::squared_error`].
    pub squared_error: f64,
    /// See [`PredictionRecord::leave_one_out_error`].
    pub leave_one_out_error: f64,
    /// See [`PredictionRecord::leave_one_out_squared_error`].
    pub leave_one_out_squared_error: f64,
}

impl PredictionRecord {
    /// The kernel, with its convention.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.tangent.map_or(Kernel::Nngp, Kernel::Ntk)
    }

    /// Refuses shares that are none, negative spreads and ridges, and errors that do not go with those of the networks.
    pub(super) fn check_ranges(&self) -> std::result::Result<(), String> {
        let of_ridges = self.ridges.iter().flat_map(|point| [point.test_error, point.leave_one_out_error]);
        let shares = [self.test_error, self.leave_one_out_error].into_iter().flatten();
        if let Some(share) =
            shares.chain(self.test_errors.iter().copied()).chain(of_ridges).find(|share| !(0.0..=1.0).contains(share))
        {
            return Err(format!("an error of {share} is no share"));
        }
        let positive = [self.spread, self.squared_error, self.leave_one_out_squared_error, self.ridge];
        if let Some(value) = positive.into_iter().flatten().find(|value| *value < 0.0) {
            return Err(format!("{value} is negative"));
        }
        if self.test_errors.len() > 1 && self.initialisations > 0 && self.test_errors.len() != self.initialisations {
            return Err(format!("it has {} errors of {} networks", self.test_errors.len(), self.initialisations));
        }
        if self.predictor != Predictor::of(self.kernel()) {
            return Err("its predictor does not go with its tangent kernel".into());
        }
        match (self.source == KernelSource::Drawn, self.initialisations) {
            (true, 0) => Err("it is of no drawn network".into()),
            _ => Ok(()),
        }
    }

    /// Refuses numbers that are not finite: they could be neither stored nor drawn.
    pub(super) fn check(&self, task: &str) -> Result<()> {
        let numbers = [
            self.test_error,
            self.squared_error,
            self.leave_one_out_squared_error,
            self.ridge,
            self.log_marginal_likelihood,
            self.effective_rank,
            self.condition_number,
            self.alignment,
            self.centred_alignment,
            self.degrees_of_freedom,
        ];
        let of_ridges = self.ridges.iter().flat_map(|point| [point.squared_error, point.leave_one_out_squared_error]);
        if numbers.into_iter().flatten().chain(of_ridges).all(f64::is_finite) {
            return Ok(());
        }
        let problem = format!("a number of {task} is beyond double precision");
        Err(Error::value("data", &self.data, problem, "rescale the inputs, or give larger ridges"))
    }

    /// The standard error of the test error as a mean over drawn networks, for these test samples.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        self.spread.map(|spread| spread / (self.initialisations as f64).sqrt())
    }
}
