//! Studies: a spec in, records out, through a journal that survives interruption.
//!
//! | spec | what it does | what comes out |
//! |---|---|---|
//! | [`StudySpec`] | distances ([`DistanceSpec`]) and training runs ([`TrainingStudySpec`]) | a [`Record`] per network and method, or run |
//! | [`TuneSpec`] | the learning rate of each network, on validation samples | [`TuneReport`] |
//! | [`OptimumSpec`] | the width that minimises the distance at a budget | [`OptimumReport`] |
//! | [`VerifySpec`] | Theorem 1 against drawn networks | [`VerifyReport`] |
//!
//! The first two keep a journal ([`Journal`]) where they are given a folder, go on where they were interrupted, and can be shared out
//! among machines ([`Shard`], [`merge`]). Records depend on the spec alone, not on threads, order or interruptions.
//!
//! ```
//! use sparsewidth::data::{DataSource, Normalisation};
//! use sparsewidth::report::{Statistic, distance_table};
//! use sparsewidth::sampled::Device;
//! use sparsewidth::study::{DistanceMethod, DistanceSpec, SparseWidth, StudySpec};
//!
//! // 400 weights, 20 inputs and 2 outputs, at three widths.
//! let study = StudySpec {
//!     data: DataSource::Gaussian { dimension: 20, samples: 100 },
//!     seed: 0,
//!     distance: Some(DistanceSpec {
//!         normalisations: vec![Normalisation::None],
//!         methods: vec![DistanceMethod::Theorem1, DistanceMethod::Sampled],
//!         pairs: 50,
//!         ..DistanceSpec::paper(SparseWidth::at_budget(400, 20, 2, &[20, 50, 100])?)
//!     }),
//!     training: None,
//! };
//! let records = study.run(None, &Device::CPU, &|_| {})?;
//! assert_eq!(records.len(), 6);
//! println!("{}", distance_table(&records, Normalisation::None, Statistic::Mean));
//! # Ok::<(), sparsewidth::Error>(())
//! ```

mod belonging;
mod checks;
mod density;
mod distance;
mod journal;
mod optimum;
mod rates;
mod record;
mod settings;
mod shard;
mod spec;
mod training;
mod training_spec;
mod tune;
mod verify;
mod widen;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;

pub use checks::{Check, Quantity, Tests};
pub use distance::DistanceInputs;
pub use journal::{JOURNAL, Journal};
pub use optimum::{CurvePoint, Optimum, OptimumMethod, OptimumReport, OptimumSpec};
pub use rates::{LearningRate, LearningRates};
pub use record::{DistanceRecord, Record, TrainingRecord};
pub use shard::{Merged, Shard, merge};
pub use spec::{DistanceMethod, DistanceSpec, Reference, SparseWidth, StudySpec};
pub use training::WEIGHTS;
pub use training_spec::{
    EvaluationSet, Family, MOST_SAMPLES, TrainedNetwork, TrainingStudySpec, heat_map_networks, paper_networks,
};
pub use tune::{Tried, TuneReport, TuneSpec, Tuned};
pub use verify::{Cell, PaperPoint, VerifyReport, VerifySpec};
pub use widen::widened_networks;

use crate::data::{DataSource, Inputs, Normalisation};
use crate::error::{Error, Result};
use crate::files::{OutputFolder, make_folder, remove_unfinished};
use crate::network::MaskFamily;
use crate::sampled::Device;
use training::{PreparedTraining, weights_name, weights_path};

/// One unit of a study's work: it makes one record.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Distance { normalisation: Normalisation, method: DistanceMethod, network: SparseWidth },
    Training { network: TrainedNetwork, run: u32 },
}

impl Task {
    /// The name under which the journal knows it.
    fn name(&self) -> String {
        match self {
            Self::Distance { normalisation, method, network } => {
                let SparseWidth { width, before, connectivity, .. } = network;
                let before = before.map_or(String::new(), |layer| format!("after-{layer}-"));
                let name = format!(
                    "distance/{}/{}/{before}{width}:{}",
                    normalisation.name(),
                    method.name(),
                    connectivity.get()
                );
                match network.even_connectivity.filter(|_| *method == DistanceMethod::PaperEven) {
                    Some(even) => format!("{name}-even{}", even.get()),
                    None => name,
                }
            }
            Self::Training { network, run } => format!("training/{}/{run}", network.name()),
        }
    }
}

/// Makes a record, and says how far it is.
type Find<'a> = dyn Fn(&(dyn Fn(f64) + Sync)) -> Result<Record> + 'a;

/// Does tasks that the journal, where there is one, does not hold yet, and enters them.
struct Ledger<'a> {
    journal: Mutex<Option<Journal>>,
    /// How the data is named in this run of the study: records from the journal can have another name of it.
    data: String,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Ledger<'a> {
    /// Opens the journal of a folder for a study on data of such checksums.
    fn new(
        folder: Option<&Path>,
        spec: &impl Serialize,
        (data, checksums): (&DataSource, &[&str]),
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self> {
        let journal = folder.map(|folder| Journal::open(folder, spec, &checksums.join(" "))).transpose()?;
        for text in journal.iter().flat_map(Journal::remarks) {
            progress(Progress::Remark { text });
        }
        Ok(Self { journal: Mutex::new(journal), data: data.to_string(), progress })
    }

    /// The record of a task of some cost, found now or before, if it is still `whole`.
    fn finish(&self, task: &str, cost: u64, whole: bool, find: &Find) -> Result<Record> {
        let lock = || self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().as_ref().and_then(|journal| journal.record(task).cloned()).filter(|_| whole);
        let resumed = known.is_some();
        let record = match known {
            Some(record) => record.of_data(&self.data),
            None => {
                let (begun, told) = (Instant::now(), AtomicBool::new(false));
                let record = find(&|share| {
                    if let Some(left) = time_left(begun.elapsed(), share)
                        && !told.swap(true, Ordering::Relaxed)
                    {
                        (self.progress)(Progress::Long { task, left });
                    }
                    (self.progress)(Progress::Within { task, share });
                })?;
                record.check(task)?;
                if let Some(journal) = lock().as_mut() {
                    journal.append(task, record.clone())?;
                }
                record
            }
        };
        (self.progress)(Progress::Done { task, cost, resumed });
        Ok(record)
    }
}

/// How long a task takes from now on, of which a share was done in the time that is gone; none where that is too soon to tell, or it is
/// done within ten seconds.
fn time_left(gone: Duration, share: f64) -> Option<Duration> {
    const FIRST: Duration = Duration::from_secs(2);
    const LONG: f64 = 10.0;
    let left = gone.as_secs_f64() * (1.0 - share) / share;
    // Shares of next to nothing make times that no Duration holds.
    (gone >= FIRST && left >= LONG).then(|| Duration::try_from_secs_f64(left).ok())?
}

/// News of a running study, for a progress bar.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// The study begins, with the cost of all its tasks in arbitrary units.
    Begin {
        /// Cost of all tasks.
        cost: u64,
        /// What kernels over all pairs take at most in the memory of their device, in bytes.
        memory: Option<usize>,
    },
    /// Something should be said.
    Remark {
        /// In a sentence or more.
        text: &'a str,
    },
    /// A task that has run for two seconds will take a while: told once, before its next [`Progress::Within`].
    Long {
        /// The name of the task.
        task: &'a str,
        /// What it takes from now on, by what is done so far.
        left: Duration,
    },
    /// A long task is on its way.
    Within {
        /// The name of the task.
        task: &'a str,
        /// The share of it that is done.
        share: f64,
    },
    /// A task is done, now or in an earlier run of the study.
    Done {
        /// The name of the task.
        task: &'a str,
        /// Its cost in the same units.
        cost: u64,
        /// Whether its record came from the journal.
        resumed: bool,
    },
}

/// The names of a study's tasks, in their order.
fn tasks_of(spec: &StudySpec) -> Vec<String> {
    spec.tasks().iter().map(Task::name).collect()
}

impl StudySpec {
    /// Whether anything of the study is computed on a [`Device`] of choice.
    pub fn uses_device(&self) -> bool {
        // Rows of a constant fan-in are drawn on the CPU only.
        let uses = |spec: &DistanceSpec| {
            spec.methods.contains(&DistanceMethod::SampledAll) && spec.mask != MaskFamily::ConstantFanIn
        };
        self.distance.as_ref().is_some_and(uses)
    }

    /// Runs what the journal of `folder` does not hold yet, and returns all records in the order of the spec: distances by
    /// normalisation, method and width, then training runs by network. Without a folder nothing is journaled.
    ///
    /// The records depend on the spec alone: not on threads, order, or interruptions; but for the last digits of those that are
    /// computed on `device`, kernels over all pairs.
    ///
    /// # Errors
    /// Where the spec or data is wrong (before any work is done), the journal is refused, or a file cannot be written.
    pub fn run(
        &self,
        folder: Option<&Path>,
        device: &Device,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<Record>> {
        self.run_shard(Shard::WHOLE, folder, device, progress)
    }

    /// The same for a share of the tasks. The journals of all shares, joined by [`merge`], hold what that of the whole study holds.
    ///
    /// # Errors
    /// As [`StudySpec::run`].
    pub fn run_shard(
        &self,
        shard: Shard,
        folder: Option<&Path>,
        device: &Device,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<Record>> {
        self.check()?;
        let inputs = self.distance.as_ref().map(|_| self.data.inputs(self.seed)).transpose()?;
        // All that can be wrong with the data comes out here, before there is a journal.
        let prepared = match (&self.distance, &inputs) {
            (Some(spec), Some(inputs)) => {
                let prepare = |normalisation: &Normalisation| {
                    DistanceInputs::new(inputs, *normalisation, spec, self.seed, device, shard.is_whole())
                };
                spec.normalisations.iter().map(prepare).collect::<Result<Vec<_>>>()?
            }
            _ => Vec::new(),
        };
        let training = self.training.as_ref().map(|spec| PreparedTraining::new(&self.data, spec)).transpose()?;
        let mut checksums: Vec<&str> = inputs.iter().map(|inputs| inputs.checksum.as_str()).collect();
        checksums.extend(training.iter().flat_map(PreparedTraining::checksums));
        let keeps_weights = self.training.as_ref().is_some_and(|spec| spec.keep_weights);
        if keeps_weights && folder.is_none() {
            let problem = "there is no folder to keep weights in";
            return Err(Error::value("keep_weights", true, problem, "give one with --out"));
        }
        let weights = folder.filter(|_| keeps_weights);
        // Before there is a journal, by which what is there would be taken for the study's.
        let kept = weights.map(|folder| self.weights_folder(folder)).transpose()?;
        let ledger = Ledger::new(folder, self, (&self.data, &checksums[..]), progress)?;
        let remarks = self.remarks(inputs.as_ref(), &prepared, training.as_ref());
        remarks.iter().for_each(|text| progress(Progress::Remark { text }));
        if let Some(folder) = weights {
            make_folder(&folder.join(WEIGHTS))?;
            remove_unfinished(&folder.join(WEIGHTS));
        }

        let tasks: Vec<Task> = (0..).zip(self.tasks()).filter_map(|(i, task)| shard.holds(i).then_some(task)).collect();
        let memory = prepared.iter().filter_map(DistanceInputs::memory).max();
        progress(Progress::Begin { cost: tasks.iter().map(|task| self.cost(task)).sum(), memory });
        let finish = |task: &Task, find: &Find| {
            // A run whose weights are gone is trained again.
            let whole = match (task, weights) {
                (Task::Training { network, run }, Some(folder)) => weights_path(folder, network, *run).is_file(),
                _ => true,
            };
            ledger.finish(&task.name(), self.cost(task), whole, find)
        };

        let mut records = Vec::new();
        if let Some(spec) = &self.distance {
            // One after the other: each spreads over all threads by itself.
            for task in &tasks {
                if let Task::Distance { normalisation, method, network } = task
                    && let Some(inputs) = prepared.iter().find(|inputs| inputs.normalisation() == *normalisation)
                {
                    let find = |within: &(dyn Fn(f64) + Sync)| {
                        inputs.record(&self.data, self.seed, spec, network, *method, within).map(Record::Distance)
                    };
                    records.push(finish(task, &find)?);
                }
            }
        }
        if let (Some(training), Some(spec)) = (training, &self.training) {
            let trained: Vec<Record> = tasks
                .par_iter()
                .with_max_len(1)
                .filter_map(|task| match task {
                    Task::Training { network, run } => {
                        let find = |_: &(dyn Fn(f64) + Sync)| {
                            training
                                .record(&self.data, self.seed, network, *run, spec.epochs, kept.as_ref())
                                .map(Record::Training)
                        };
                        Some(finish(task, &find))
                    }
                    Task::Distance { .. } => None,
                })
                .collect::<Result<_>>()?;
            records.extend(trained);
        }
        Ok(records)
    }

    /// The folder for weights, where nothing foreign has the names of theirs.
    fn weights_folder(&self, folder: &Path) -> Result<OutputFolder> {
        let of_task = |task: &Task| match task {
            Task::Training { network, run } => Some(weights_name(network, *run)),
            Task::Distance { .. } => None,
        };
        let names: Vec<String> = self.tasks().iter().filter_map(of_task).collect();
        OutputFolder::new(folder, WEIGHTS, &names)
    }

    /// What should be said before the work: inputs that are 0, layers left without a weight, and the scale of data that is not MNIST.
    fn remarks(
        &self,
        inputs: Option<&Inputs>,
        prepared: &[DistanceInputs],
        training: Option<&PreparedTraining>,
    ) -> Vec<String> {
        let mut remarks: Vec<String> = prepared.iter().filter_map(DistanceInputs::remark).collect();
        if let (Some(spec), Some(inputs)) = (&self.distance, inputs)
            && spec.methods.iter().any(|method| method.draws_networks() || *method == DistanceMethod::Theorem1Masks)
        {
            let of = |network: &SparseWidth| {
                let name = format!("Kernels of width {}, connectivity {}", network.width, network.connectivity.get());
                density::remark(&name, &network.density(spec, inputs.values.ncols())?)
            };
            remarks.extend(spec.networks.iter().filter_map(of));
        }
        if let (Some(spec), Some(training)) = (&self.training, training) {
            remarks.extend(training.remarks(spec));
        }
        remarks
    }

    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        if let Some(spec) = &self.distance {
            for normalisation in &spec.normalisations {
                for method in &spec.methods {
                    for network in spec.networks.iter().filter(|network| method.serves(network)) {
                        tasks.push(Task::Distance {
                            normalisation: *normalisation,
                            method: *method,
                            network: *network,
                        });
                    }
                }
            }
        }
        if let Some(spec) = &self.training {
            for network in &spec.networks {
                let runs = (0..spec.runs as u32).map(|run| spec.first_run.saturating_add(run));
                tasks.extend(runs.map(|run| Task::Training { network: *network, run }));
            }
        }
        tasks
    }

    /// A rough count of operations, for the time that is left.
    fn cost(&self, task: &Task) -> u64 {
        const DIMENSION: f64 = 784.0;
        let operations = match (task, &self.distance, &self.training) {
            (Task::Distance { method, network, .. }, Some(spec), _) => {
                let entries = DIMENSION * network.connectivity.get();
                match method {
                    DistanceMethod::Sampled => {
                        let drawn = network.weights(DIMENSION as usize) * 1e4
                            + network.width as f64 * 2.0 * spec.pairs as f64
                            + network.places(DIMENSION as usize) * 10.0;
                        drawn * spec.draws(network, DIMENSION as usize) as f64
                    }
                    DistanceMethod::SampledAll => {
                        5e7 * (network.width as f64 + 50.0) * spec.initialisations as f64 / 100.0
                    }
                    DistanceMethod::Theorem1Masks => (spec.pairs * spec.masks) as f64 * entries,
                    DistanceMethod::Theorem1 => spec.pairs as f64 * DIMENSION * 1e4 * (30.0 / entries).clamp(0.2, 3.0),
                    DistanceMethod::Moments => spec.pairs as f64 * DIMENSION * 10.0,
                    DistanceMethod::MomentsAll => 1e8 * DIMENSION / spec.networks.len() as f64,
                    DistanceMethod::Paper | DistanceMethod::PaperEven => 1.0,
                }
            }
            (Task::Training { network, .. }, _, Some(spec)) => spec.operations(network) / 4.0,
            _ => 0.0,
        };
        (operations / 1e3) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tasks_say_once_how_long_they_take() {
        let seconds = Duration::from_secs;
        assert_eq!(time_left(seconds(3), 0.1).map(|left| left.as_secs_f64().round()), Some(27.0));
        for (gone, share) in [(1, 0.01), (20, 0.7), (20, 1.0), (20, 0.0), (20, f64::NAN)] {
            assert_eq!(time_left(seconds(gone), share), None, "{gone} {share}");
        }
        let told = Mutex::new(Vec::new());
        let progress = |news: Progress| {
            if let Progress::Long { task, left } = news {
                told.lock().unwrap().push((task.to_string(), left));
            }
        };
        let ledger = Ledger::new(None, &(), (&DataSource::Embedded, &[]), &progress).unwrap();
        let find = |within: &(dyn Fn(f64) + Sync)| {
            within(0.01);
            std::thread::sleep(seconds(2));
            within(0.1);
            within(0.11);
            Err(Error::failure("the task", "no record is needed here"))
        };
        assert!(ledger.finish("long", 1, true, &find).is_err());
        let told = told.into_inner().unwrap();
        assert!(
            matches!(&told[..], [(task, left)] if task == "long" && (18..60).contains(&left.as_secs())),
            "{told:?}"
        );
    }
}
