//! What a study is to do. A spec, with the program's version, determines every record.

use serde::{Deserialize, Serialize};

use super::distance::DistanceSpec;
use super::prediction::PredictionSpec;
use super::training::TrainingStudySpec;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Layer;

/// The largest width that a study takes.
pub(crate) const MAX_WIDTH: usize = 100_000_000;

/// The most weights between two hidden layers, whether they exist or not: a random number is drawn for each.
const MAX_BETWEEN: usize = 1_000_000_000;

/// The most tasks of a study: their names are held in memory.
pub(crate) const MOST_TASKS: usize = 1_000_000;

/// Refuses a count beyond what the program can number or hold.
pub(crate) fn at_most(name: &str, count: usize, largest: usize) -> Result<()> {
    if count <= largest {
        return Ok(());
    }
    Err(Error::value(name, count, format!("is too large: a study takes at most {largest}"), "give a smaller number"))
}

/// A study on one data set: distances of sparse networks' kernels, test errors that kernels predict, test errors of
/// trained networks, or several of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySpec {
    /// The data.
    pub data: Dataset,
    /// The seed of everything random.
    pub seed: u64,
    /// The distances to take.
    pub distance: Option<DistanceSpec>,
    /// The networks to train.
    pub training: Option<TrainingStudySpec>,
    /// The test errors to predict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionSpec>,
}

impl StudySpec {
    /// Refuses counts that are zero or beyond reason, repeated entries, and methods that lack what they need;
    /// [`StudySpec::run`] does so first.
    ///
    /// # Errors
    /// Where it finds any.
    pub fn check(&self) -> Result<()> {
        if let Some(spec) = &self.distance {
            spec.check(self.seed)?;
        }
        if let Some(spec) = &self.training {
            spec.check()?;
        }
        if let Some(spec) = &self.prediction {
            spec.check()?;
        }
        at_most("tasks", self.most_tasks(), MOST_TASKS)
    }

    /// The smallest spec that has the tasks of both, whose settings are the same. It can have more: the methods of one
    /// for the networks of the other, and runs between theirs.
    pub(crate) fn with_tasks_of(self, other: Self) -> Self {
        fn join<T: PartialEq>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
            for entry in second {
                if !first.contains(&entry) {
                    first.push(entry);
                }
            }
            first
        }
        let distance = match (self.distance, other.distance) {
            (Some(first), Some(second)) => Some(DistanceSpec {
                normalisations: join(first.normalisations, second.normalisations),
                networks: join(first.networks, second.networks),
                methods: join(first.methods, second.methods),
                kernels: join(first.kernels, second.kernels),
                tangent_methods: match (first.tangent_methods, second.tangent_methods) {
                    (Some(first), Some(second)) => Some(join(first, second)),
                    (first, second) => first.or(second),
                },
                ..first
            }),
            (first, second) => first.or(second),
        };
        let training = match (self.training, other.training) {
            (Some(first), Some(second)) => {
                let end = |spec: &TrainingStudySpec| (spec.first_run as usize).saturating_add(spec.runs);
                let first_run = first.first_run.min(second.first_run);
                Some(TrainingStudySpec {
                    first_run,
                    runs: end(&first).max(end(&second)) - first_run as usize,
                    networks: join(first.networks, second.networks),
                    keep_weights: first.keep_weights || second.keep_weights,
                    ..first
                })
            }
            (first, second) => first.or(second),
        };
        let prediction = match (self.prediction, other.prediction) {
            (Some(first), Some(second)) => Some(PredictionSpec {
                normalisations: join(first.normalisations, second.normalisations),
                networks: join(first.networks, second.networks),
                kernels: join(first.kernels, second.kernels),
                sources: join(first.sources, second.sources),
                ..first
            }),
            (first, second) => first.or(second),
        };
        Self { data: self.data, seed: self.seed, distance, training, prediction }
    }

    /// The most tasks that it can have: methods that do not apply to a network are counted too.
    pub(crate) fn most_tasks(&self) -> usize {
        let distances = self.distance.as_ref().map_or(0, |spec| {
            let of_network = spec.methods.len().saturating_mul(spec.kernels.len());
            spec.networks.len().saturating_mul(of_network).saturating_mul(spec.normalisations.len())
        });
        let runs = self.training.as_ref().map_or(0, |spec| spec.networks.len().saturating_mul(spec.runs));
        let predictions = self.prediction.as_ref().map_or(0, |spec| {
            let of_network = spec.kernels.len().saturating_mul(spec.sources.len());
            spec.networks.len().saturating_mul(of_network).saturating_mul(spec.normalisations.len())
        });
        distances.saturating_add(runs).saturating_add(predictions)
    }
}

/// Refuses counts that are 0 or too large.
pub(crate) fn check_counts(counts: &[(&str, usize, usize)]) -> Result<()> {
    for (name, count, largest) in counts {
        if *count == 0 {
            return Err(Error::value(name, 0, "must be at least 1", "give a positive number"));
        }
        at_most(name, *count, *largest)?;
    }
    Ok(())
}

/// Refuses layers wider than a study takes, or with more weights between two hidden ones than are drawn in reasonable
/// time.
pub(crate) fn check_layers(layers: &[Layer]) -> Result<()> {
    for layer in layers {
        at_most("width", layer.width(), MAX_WIDTH)?;
    }
    for pair in layers.windows(2) {
        at_most("weights between two hidden layers", pair[0].width().saturating_mul(pair[1].width()), MAX_BETWEEN)?;
    }
    Ok(())
}

/// Refuses a list that has an entry twice: its results would be counted twice.
pub(crate) fn check_distinct<T: PartialEq>(name: &str, entries: &[T], text: impl Fn(&T) -> String) -> Result<()> {
    match entries.iter().enumerate().find(|(index, entry)| entries[..*index].contains(entry)) {
        Some((_, twice)) => Err(Error::value(name, text(twice), "is given twice", "give it once")),
        None => Ok(()),
    }
}
