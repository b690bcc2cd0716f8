//! The width that minimises the distance, or the error that kernels predict.

use serde::Deserialize;

use super::{Caller, KernelRequest, normalisation_of};
use crate::data::{Dataset, Normalisation, SUBSET_SIZE};
use crate::error::Result;
use crate::kernel::ntk::Kernel;
use crate::network::{MaskFamily, WeightDistribution};
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, share};
use crate::study::paper::PAPER_BASE_WIDTH;
use crate::study::{OptimumSpec, PredictedOptimumSpec};

/// What a search for a width minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Minimised {
    /// The distance of a kernel to that of infinite width; needs no labels
    #[default]
    Distance,
    /// The error of ridge regression with the tangent kernel of drawn networks; needs labels
    NtkRegression,
    /// The same with the NNGP kernel
    NngpRegression,
}

/// A search for the width.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct OptimumRequest {
    /// What is minimised over the width
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().by))]
    pub by: Minimised,
    /// Normalisation of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_name = "NAME"))]
    pub normalisation: Option<Normalisation>,
    /// Total number of weights [default: (d + outputs) times the base width 8]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub weights: Option<usize>,
    /// Number of outputs of the dense last layer, whose weights are part of the budget; 0 for the first layer alone
    /// [default: the classes of the data, 0 without labels]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub outputs: Option<usize>,
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().pairs, value_name = "N", value_parser = count))]
    pub pairs: usize,
    /// Minimise the median over pairs instead of the mean, which a few pairs can dominate
    #[cfg_attr(feature = "cli", arg(long))]
    pub median: bool,
    /// Which kernel.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub kernel: KernelRequest,
    /// Relative error of Theorem 1's masked moments, pair by pair
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().tolerance, value_name = "ERROR", value_parser = share))]
    pub tolerance: f64,
    /// Number of networks drawn of each width, for regression
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().initialisations, value_name = "N", value_parser = count))]
    pub initialisations: usize,
    /// Number of training samples for regression, a random subset if there are more
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().samples, value_name = "N", value_parser = count))]
    pub samples: usize,
}

impl Default for OptimumRequest {
    fn default() -> Self {
        Self {
            by: Minimised::Distance,
            normalisation: None,
            weights: None,
            outputs: None,
            pairs: 1_000,
            median: false,
            kernel: KernelRequest::default(),
            tolerance: 1e-3,
            initialisations: 3,
            samples: SUBSET_SIZE,
        }
    }
}

impl OptimumRequest {
    /// The search by distance.
    ///
    /// # Errors
    /// Where the data cannot be read, or a setting is out of range or has no effect.
    pub fn by_distance(self, data: Dataset, seed: u64, caller: &dyn Caller) -> Result<OptimumSpec> {
        for option in ["initialisations", "samples"] {
            caller.refuse(option, "a search by distance makes no regression")?;
        }
        let outputs = self.outputs.map_or_else(|| data.classes(), Ok)?;
        let weights = match self.weights {
            Some(weights) => weights,
            None => data.dimension()?.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH),
        };
        let spec = OptimumSpec {
            normalisation: normalisation_of(self.normalisation, &data)?,
            data,
            weights,
            outputs,
            pairs: self.pairs,
            median: self.median,
            kernel: self.kernel.get(caller)?,
            tolerance: self.tolerance,
            seed,
        };
        spec.check()?;
        Ok(spec)
    }

    /// The search by the error that a kernel predicts.
    ///
    /// # Errors
    /// Where the data has no labels or cannot be read, or a setting that was given has no effect.
    pub fn by_regression(self, data: Dataset, seed: u64, caller: &dyn Caller) -> Result<PredictedOptimumSpec> {
        let why = "regression takes no distances of pairs";
        ["pairs", "median", "tolerance"].iter().try_for_each(|option| caller.refuse(option, why))?;
        caller.refuse("kernel", &format!("{} names the kernel of the regression", caller.name("by")))?;
        caller.refuse("outputs", "regression has an output for each class")?;
        let kernel = match self.by {
            Minimised::NtkRegression => Kernel::Ntk(self.kernel.tangent),
            _ => {
                let only = format!("only {} ntk-regression has such a convention", caller.name("by"));
                caller.refuse("tangent", &only)?;
                Kernel::Nngp
            }
        };
        let labelled = data.to_learn()?;
        let (dimension, classes) = (labelled.train.images.ncols(), labelled.classes());
        Ok(PredictedOptimumSpec {
            normalisation: normalisation_of(self.normalisation, &data)?,
            weights: self.weights.unwrap_or(dimension.saturating_add(classes).saturating_mul(PAPER_BASE_WIDTH)),
            samples: self.samples.min(labelled.train.len()),
            kernel,
            mask: MaskFamily::ExactCount,
            law: WeightDistribution::Uniform,
            initialisations: self.initialisations,
            seed,
            data: data.clone(),
        })
    }
}
