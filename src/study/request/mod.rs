//! What is asked of a study: the options of the program's commands, which are also the arguments of the Python
//! functions, their defaults, and the specs that follow from them and the data.
//!
//! A request says what it leaves open by the data (widths that fit a budget, the usual normalisation, the outputs of as
//! many classes), and becomes a spec, in which nothing is open. Who asks is a [`Caller`], which has its own names for
//! the settings.

mod distance;
mod masks;
mod optimum;
mod predict;
mod train;
mod tune;
mod verify;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt::Display;
use std::str::FromStr;

pub use distance::{DistanceRequest, KernelRequest, SamplingRequest};
pub use masks::MasksRequest;
pub use optimum::{Minimised, OptimumRequest};
pub use predict::PredictRequest;
pub use train::{BudgetRequest, TrainRequest, TrainingRequest};
pub use tune::{SearchRequest, TuneRequest};
pub use verify::VerifyRequest;

use super::LearningRates;
use super::paper::usual_widths;
use crate::data::{Dataset, Normalisation};
use crate::error::Result;
use crate::network::Connectivity;

/// Who asks for a study: what it calls its settings, which of them were given, and where remarks go.
pub trait Caller {
    /// What a setting is called where it is asked for: `--learning-rate` for `learning_rate`, for instance.
    fn name(&self, setting: &str) -> String;

    /// Refuses a setting that was given and would do nothing.
    ///
    /// # Errors
    /// Where it was given.
    fn refuse(&self, setting: &str, why: &str) -> Result<()>;

    /// Passes on a remark: what the data decided, for instance.
    fn note(&self, text: &str);

    /// How to search for the learning rates of some widths, in words that follow "give one, or".
    fn search(&self, data: &Dataset, widths: &[usize]) -> String;
}

/// The normalisation that was asked for, or the usual one of the data.
fn normalisation_of(given: Option<Normalisation>, data: &Dataset) -> Result<Normalisation> {
    given.map_or_else(|| data.usual_normalisation(), Ok)
}

/// Widths to look at where none are asked for: the usual ones, or those that fit the budget, with a remark.
pub fn default_widths(
    usual: &[usize],
    (weights, dimension, outputs): (usize, usize, usize),
    last_connectivity: Connectivity,
    caller: &dyn Caller,
) -> Vec<usize> {
    let widths = usual_widths(usual, weights, dimension, outputs, last_connectivity);
    if widths != usual {
        caller.note(&format!(
            "Widths: {}. The usual {} do not all fit {weights} weights at {dimension} inputs; choose others with {}.",
            listed(&widths),
            listed(usual),
            caller.name("widths")
        ));
    }
    widths
}

/// Passes on where learning rates were found, where that is not where they are used.
pub fn say_origin(rates: Option<&LearningRates>, data: &Dataset, normalisation: Normalisation, caller: &dyn Caller) {
    if let Some(remark) = rates.and_then(|rates| rates.remark(data, normalisation)) {
        caller.note(&remark);
    }
}

/// The inputs of a sample with the number of classes, and the number of training samples, of data to learn.
///
/// # Errors
/// Where the data has no labels or cannot be read.
pub fn sizes(data: &Dataset) -> Result<((usize, usize), usize)> {
    let labelled = data.to_learn()?;
    let training = &labelled.train.images;
    Ok(((training.ncols(), labelled.classes()), training.nrows()))
}

fn listed(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Reads a list of what is written as text.
fn each_from_text<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}
