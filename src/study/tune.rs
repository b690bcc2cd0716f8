//! The learning rate of each network, by its validation error.

use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cost;
use super::engine::{Progress, Shard, TaskLog};
use super::training::PreparedTraining;
use super::{Record, TrainingRecord};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::numeric::parallel::try_map;
use crate::numeric::statistics::{mean, standard_error};
use crate::study::training::{EvaluationSet, FIRST_TUNING_RUN, TrainedNetwork, TrainingStudySpec};
use crate::study::training::{LearningRate, LearningRates};
use crate::train::check_learning_rate;

/// The most rates of a range, in factors of two.
const MOST_RATES: usize = 64;
/// The rates that are left after the first stage, which keeps a third of them but at least this many, and after the
/// second.
const LEFT: [usize; 2] = [3, 2];
/// The rates of the last stage, where the best two are neighbours.
const USUAL_LAST_RATES: usize = 5;
/// The share of all epochs that the first two stages take.
const SHARES: [f64; 2] = [1.0 / 9.0, 1.0 / 3.0];

/// A search for learning rates.
///
/// In three stages: one run at each rate of the range, in factors of two, for a ninth of the epochs; of these the best
/// third (three at least) for a third of the epochs; of these the best two, with the rates half way to their
/// neighbours, for all epochs and in all runs. A run counts by its best accuracy on the validation samples, a diverged
/// one as all wrong. Runs are numbered apart from those of studies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneSpec {
    /// The data.
    pub data: Dataset,
    /// The seed of everything random.
    pub seed: u64,
    /// How networks are trained, evaluated on a validation set. The rates that they have there are ignored.
    pub training: TrainingStudySpec,
    /// The lowest and the highest rate.
    pub range: (f64, f64),
}

/// What came of a rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The network, with the rate.
    pub network: TrainedNetwork,
    /// The stage, from 0.
    pub stage: usize,
    /// Epochs per run.
    pub epochs: usize,
    /// Runs.
    pub runs: usize,
    /// The mean validation error over runs.
    pub error: f64,
    /// Its standard error, where there is more than one run.
    pub standard_error: Option<f64>,
    /// Runs that diverged.
    pub diverged: usize,
}

/// The best rate of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectedRate {
    /// Its trial in the last stage.
    pub best: Trial,
    /// Whether it lies at an end of the range, so that a better one may lie beyond.
    pub at_end: bool,
}

impl SelectedRate {
    /// Whether at least one run at that rate did not diverge.
    fn is_found(&self) -> bool {
        self.best.diverged < self.best.runs
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneReport {
    /// The spec.
    pub spec: TuneSpec,
    /// Every rate that was tried, by network, stage and rate.
    pub tried: Vec<Trial>,
    /// The best of each network.
    pub tuned: Vec<SelectedRate>,
}

impl TuneReport {
    /// The networks for which every run at the best rate diverged, and so every run at any rate.
    pub fn without_rate(&self) -> impl Iterator<Item = &TrainedNetwork> {
        self.tuned.iter().filter(|tuned| !tuned.is_found()).map(|tuned| &tuned.best.network)
    }

    /// The names of the networks whose best rate lies at an end of the range.
    #[must_use]
    pub fn at_end(&self) -> Vec<String> {
        self.tuned.iter().filter(|tuned| tuned.at_end).map(|tuned| tuned.best.network.name()).collect()
    }

    /// The best rates of the networks that have one.
    #[must_use]
    pub fn rates(&self) -> LearningRates {
        let rate = |tuned: &SelectedRate| {
            let TrainedNetwork { family, architecture, learning_rate } = tuned.best.network.clone();
            let TrainingStudySpec { parametrisation, biases, .. } = self.spec.training;
            let validation_error = tuned.best.error;
            LearningRate { family, architecture, parametrisation, biases, learning_rate, validation_error }
        };
        let rates = self.tuned.iter().filter(|tuned| tuned.is_found()).map(rate).collect();
        LearningRates::new(self.spec.data.source().clone(), self.spec.training.normalisation, rates)
    }
}

impl TuneSpec {
    /// Searches, going on from the journal of `folder`; without a folder nothing is journaled. Returns the records of
    /// all runs as well.
    ///
    /// # Errors
    /// Where the spec or data is wrong (before any work is done), the journal is refused, or a file cannot be written.
    pub fn run(
        &self,
        folder: Option<&Path>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(TuneReport, Vec<Record>)> {
        self.run_shard(Shard::WHOLE, folder, progress)
    }

    /// The same for a share of the networks: each network is searched independently of the others.
    ///
    /// # Errors
    /// As [`TuneSpec::run`].
    pub fn run_shard(
        &self,
        shard: Shard,
        folder: Option<&Path>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(TuneReport, Vec<Record>)> {
        let mut training =
            TrainingStudySpec { first_run: FIRST_TUNING_RUN, keep_weights: false, ..self.training.clone() };
        training.check()?;
        let of_shard = (0..).zip(training.networks).filter(|(index, _)| shard.holds(*index));
        training.networks = of_shard.map(|(_, network)| network).collect();
        if training.evaluation == EvaluationSet::Test {
            let problem = "rates chosen by the test set would flatter its error";
            return Err(Error::value("evaluation", "test", problem, "hold out validation samples"));
        }
        let range = self.rates()?;
        let prepared = PreparedTraining::new(&self.data, &training)?;
        let ledger = TaskLog::new(folder, self, (&self.data, &prepared.checksums()[..]), progress)?;
        prepared.remarks().iter().for_each(|text| progress(Progress::Remark { text }));
        let stage_epochs = |stage: usize| match SHARES.get(stage) {
            Some(share) => ((training.epochs as f64 * share).ceil() as usize).max(1),
            None => training.epochs,
        };

        let mut report = TuneReport { spec: self.clone(), tried: Vec::new(), tuned: Vec::new() };
        let (mut records, mut told) = (Vec::new(), HashSet::new());
        let mut candidates: Vec<Vec<TrainedNetwork>> = (training.networks.iter())
            .map(|network| range.iter().map(|rate| network.with_rate(*rate)).collect())
            .collect();
        let cost = |stage: usize, network: &TrainedNetwork| {
            cost::of_operations(prepared.operations(network, stage_epochs(stage)))
        };
        let planned = training.networks.iter().map(|network| {
            let last = (USUAL_LAST_RATES * training.runs) as u64;
            range.len() as u64 * cost(0, network)
                + after_first(range.len()) as u64 * cost(1, network)
                + last * cost(2, network)
        });
        progress(Progress::Begin { cost: planned.sum(), memory: None });
        for stage in 0..=SHARES.len() {
            let runs = if stage < SHARES.len() { 1 } else { training.runs as u32 };
            let epochs = stage_epochs(stage);
            let tasks: Vec<(TrainedNetwork, u32)> = (candidates.iter().flatten())
                .flat_map(|network| (0..runs).map(|run| (network.clone(), FIRST_TUNING_RUN + run)))
                .collect();
            let found = try_map(tasks.par_iter().with_max_len(1), |(network, run)| {
                ledger.finish(&task_name(network, epochs, *run), cost(stage, network), true, &|_| {
                    prepared.record(&self.data, self.seed, network, *run, epochs, None).map(Record::Training)
                })
            })?;
            let mut of_rate = found.chunks(runs as usize);
            for networks in &mut candidates {
                let mut tried: Vec<Trial> = networks
                    .iter()
                    .zip(&mut of_rate)
                    .map(|(network, runs)| summarise(network, stage, epochs, runs))
                    .collect();
                report.tried.extend(tried.iter().cloned());
                // Where errors are equal, the lower rate comes first.
                tried.sort_by(|a, b| a.error.total_cmp(&b.error));
                if let Some(left) = LEFT.get(stage) {
                    tried.truncate(if stage == 0 { after_first(range.len()) } else { *left });
                    *networks = tried.iter().map(|tried| tried.network.clone()).collect();
                    networks.sort_by(|a, b| a.learning_rate.total_cmp(&b.learning_rate));
                    if stage + 1 == LEFT.len() {
                        *networks = with_neighbours(networks, self.range);
                    }
                } else {
                    let best = tried.first().expect("the last stage has the best rates of the one before");
                    let rate = best.network.learning_rate;
                    let at_end = rate <= range[0] || rate >= range[range.len() - 1];
                    report.tuned.push(SelectedRate { best: best.clone(), at_end });
                }
            }
            // Stages with the same number of epochs share their runs.
            let fresh =
                tasks.iter().zip(found).filter(|((network, run), _)| told.insert(task_name(network, epochs, *run)));
            records.extend(fresh.map(|(_, record)| record));
        }
        report.tried.sort_by_key(|tried| {
            training.networks.iter().position(|network| network.with_rate(0.0) == tried.network.with_rate(0.0))
        });
        Ok((report, records))
    }

    /// The rates of the first stage.
    fn rates(&self) -> Result<Vec<f64>> {
        let (lowest, highest) = self.range;
        for (name, rate) in [("lowest", lowest), ("highest", highest)] {
            if check_learning_rate(rate).is_err() {
                let problem = "a rate must be positive and finite in single precision";
                return Err(Error::value(name, rate, problem, "give such a number"));
            }
        }
        let steps = (highest / lowest).log2();
        if !(0.0..MOST_RATES as f64).contains(&steps) {
            let problem = format!("must be at least the lowest rate, {lowest}, and less than 2^{MOST_RATES} times it");
            return Err(Error::value("highest", highest, problem, "give another range"));
        }
        // Rounding must not drop a highest rate that is meant to be a multiple of the lowest. The rates are in single
        // precision, as they are used and as those of the last stage are compared with them.
        Ok((0..=(steps + 1e-9).floor() as i32).map(|step| f64::from((lowest * 2f64.powi(step)) as f32)).collect())
    }
}

/// The number of rates that are left after the first stage.
fn after_first(rates: usize) -> usize {
    rates.div_ceil(3).max(LEFT[0])
}

/// The rates and those half way, by ratio, to the neighbours of each, within the range.
fn with_neighbours(networks: &[TrainedNetwork], (lowest, highest): (f64, f64)) -> Vec<TrainedNetwork> {
    let mut all: Vec<TrainedNetwork> = Vec::new();
    for network in networks {
        for power in [-0.5, 0.0, 0.5f64] {
            // In single precision as it is used, so that the rate half way between two others is the same from both.
            let learning_rate = f64::from((network.learning_rate * power.exp2()) as f32);
            // A rate is its own neighbour, however it was rounded.
            let in_range =
                power == 0.0 || lowest * (1.0 - 1e-6) <= learning_rate && learning_rate <= highest * (1.0 + 1e-6);
            if in_range && !all.iter().any(|other| (other.learning_rate / learning_rate - 1.0).abs() < 1e-6) {
                all.push(network.with_rate(learning_rate));
            }
        }
    }
    all.sort_by(|a, b| a.learning_rate.total_cmp(&b.learning_rate));
    all
}

/// The name under which the journal knows a run.
fn task_name(network: &TrainedNetwork, epochs: usize, run: u32) -> String {
    format!("training/{}/{epochs}/{run}", network.name())
}

fn summarise(network: &TrainedNetwork, stage: usize, epochs: usize, runs: &[Record]) -> Trial {
    let training = |run| Record::training(run).expect("a task of training makes a record of training");
    let runs: Vec<&TrainingRecord> = runs.iter().map(training).collect();
    let accuracy = |run: &&TrainingRecord| run.best_accuracy.filter(|_| !run.diverged).unwrap_or(0.0);
    let errors: Vec<f64> = runs.iter().map(|run| 1.0 - accuracy(run)).collect();
    Trial {
        network: network.clone(),
        stage,
        epochs,
        runs: runs.len(),
        error: mean(&errors),
        standard_error: standard_error(&errors),
        diverged: runs.iter().filter(|run| run.diverged).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::network::Connectivity;
    use crate::study::Family;
    use crate::train::Parametrisation;

    fn spec() -> TuneSpec {
        let p = Connectivity::new(0.1).unwrap();
        let networks = vec![
            TrainedNetwork::new(Family::Sparse, 16, p, 1.0).unwrap(),
            TrainedNetwork::new(Family::Dense, 4, Connectivity::DENSE, 1.0).unwrap(),
        ];
        let training = TrainingStudySpec {
            samples: 256,
            epochs: 18,
            evaluation: EvaluationSet::Validation(300),
            ..TrainingStudySpec::paper(networks, 2)
        };
        TuneSpec { data: DataSource::Embedded.into(), seed: 0, training, range: (0.5, 4096.0) }
    }

    #[test]
    fn the_best_rate_lies_within_and_beats_what_was_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let (report, records) = spec().run(Some(folder.path()), &|_| {}).unwrap();
        let again = spec().run(Some(folder.path()), &|_| {}).unwrap();
        assert_eq!((&report, &records), (&again.0, &again.1));
        assert_eq!(report.tuned.len(), 2);
        for (network, tuned) in spec().training.networks.iter().zip(&report.tuned) {
            let of: Vec<_> =
                report.tried.iter().filter(|tried| tried.network.architecture == network.architecture).collect();
            assert_eq!(of.iter().filter(|tried| tried.stage == 0).count(), 14);
            assert!(!tuned.at_end && tuned.best.runs == 2 && tuned.best.epochs == 18);
            // Far too small a rate learns nothing in this time, far too large a one diverges or forgets.
            let ends = [of[0], of[13]];
            assert!(ends.iter().all(|end| end.error > tuned.best.error + 0.1), "{ends:?} {tuned:?}");
            let last = of.iter().filter(|tried| tried.stage == 2);
            assert!(last.clone().count() >= 4 && last.clone().all(|tried| tried.error >= tuned.best.error));
            let rate = report.rates().of(network, Parametrisation::NeuralTangent, false).unwrap();
            assert_eq!(rate, tuned.best.network.learning_rate);
        }
        let runs: Vec<_> = records.iter().filter_map(Record::training).collect();
        assert!(runs.iter().all(|run| run.validation && run.test_samples == 300 && run.run >= FIRST_TUNING_RUN));
    }

    #[test]
    fn a_best_rate_at_an_end_is_told_and_runs_are_counted_once() {
        let mut spec = spec();
        spec.training.networks.truncate(1);
        spec.training.epochs = 1;
        // Not whole in binary; far too low to be best anywhere but at the end.
        spec.range = (0.001, 0.0021);
        let (report, records) = spec.run(None, &|_| {}).unwrap();
        assert!(report.tuned[0].at_end, "{:?}", report.tuned);
        let mut rates: Vec<_> = report.tried.iter().map(|tried| tried.network.learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        // Two of the first stage, and the one between them, each with a run; the last stage has two. None is outside of
        // the range.
        assert_eq!((rates.len(), records.len()), (3, 6));
        assert!(rates.iter().all(|rate| (0.00099..0.00211).contains(rate)), "{rates:?}");
    }

    #[test]
    fn a_network_of_which_every_run_diverges_has_no_rate() {
        let mut spec = spec();
        spec.training.networks.truncate(1);
        spec.training.epochs = 2;
        spec.range = (1e25, 1e25);
        let (report, _) = spec.run(None, &|_| {}).unwrap();
        assert_eq!(report.without_rate().count(), 1);
        assert!(report.rates().rate.is_empty());
    }

    #[test]
    fn wrong_ranges_and_the_test_set_are_refused() {
        let message = |change: &dyn Fn(&mut TuneSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.run(None, &|_| {}).unwrap_err().to_string()
        };
        assert!(message(&|spec| spec.range = (8.0, 4.0)).contains("highest = 4"));
        assert!(message(&|spec| spec.range = (1e-30, 1e30)).contains("less than 2^64 times"));
        assert!(message(&|spec| spec.range = (0.0, 1.0)).contains("lowest = 0"));
        assert!(message(&|spec| spec.training.evaluation = EvaluationSet::Test).contains("test set"));
    }
}
