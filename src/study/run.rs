//! Running a study of distances, trained networks, or both.

use std::path::Path;
use std::sync::Arc;

use super::cost;
use super::distance::{DistanceInputs, DistanceMethod, DistanceSpec, DistanceStudy, NetworkSpec};
use super::engine::{Find, Progress, Shard, TaskLog};
use super::prediction::{KernelSource, PreparedPrediction};
use super::record::Record;
use super::spec::StudySpec;
use super::training::{PreparedTraining, TrainedNetwork, WEIGHTS, weights_name, weights_path};
use crate::data::Normalisation;
use crate::error::{Error, Result, Setting};
use crate::files::{OutputFolder, make_folder, remove_unfinished};
use crate::kernel::ntk::Kernel;
use crate::network::{Architecture, Connectivity};
use crate::numeric::parallel::try_map_longest_first;
use crate::sampled::Device;

/// One unit of a study's work: it makes one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Task {
    Distance { normalisation: Normalisation, kernel: Kernel, method: DistanceMethod, network: NetworkSpec },
    Training { network: TrainedNetwork, run: u32 },
    Prediction { normalisation: Normalisation, kernel: Kernel, source: KernelSource, network: Option<Architecture> },
}

impl Task {
    /// Its name in the journal.
    pub fn name(&self) -> String {
        match self {
            Self::Distance { normalisation, kernel, method, network } => {
                let inputs = (*normalisation, *kernel);
                let name = distance_task(inputs, *method, &network.architecture, network.connectivity());
                match network.np_connectivity.filter(|_| *method == DistanceMethod::PaperFixedNp) {
                    Some(even) => format!("{name}-even{}", even.get()),
                    None => name,
                }
            }
            Self::Training { network, run } => format!("training/{}/{run}", network.name()),
            Self::Prediction { normalisation, kernel, source, network } => {
                prediction_task((*normalisation, *kernel), *source, network.as_ref())
            }
        }
    }
}

/// The name of the task of a prediction.
pub(super) fn prediction_task(
    (normalisation, kernel): (Normalisation, Kernel),
    source: KernelSource,
    network: Option<&Architecture>,
) -> String {
    let tangent = kernel.tangent().map_or(String::new(), |tangent| format!("-{}", tangent.name()));
    let network = network.map_or(String::new(), |network| format!("/{network}"));
    format!("prediction/{}/{}{tangent}/{}{network}", normalisation.name(), kernel.name(), source.name())
}

/// The name of the task of a distance. `connectivity` is that of the network's last layer.
pub(super) fn distance_task(
    (normalisation, kernel): (Normalisation, Kernel),
    method: DistanceMethod,
    network: &Architecture,
    connectivity: Connectivity,
) -> String {
    let of = match kernel.tangent() {
        Some(tangent) => format!("{}-{}/", kernel.name(), tangent.name()),
        None => String::new(),
    };
    let network = distance_network(network, connectivity);
    format!("distance/{}/{of}{}/{network}", normalisation.name(), method.name())
}

/// The name of a network in the tasks of distances. No two networks of a study may share it.
pub(super) fn distance_network(network: &Architecture, connectivity: Connectivity) -> String {
    let before: String = (network.before_last().iter())
        .map(|layer| format!("after-{}:{}-", layer.activation().name(), layer.width()))
        .collect();
    format!("{before}{}:{}", network.last().width(), connectivity.get())
}

/// The names of a study's tasks, in their order.
pub(super) fn tasks_of(spec: &StudySpec) -> Vec<String> {
    spec.tasks().iter().map(Task::name).collect()
}

impl StudySpec {
    /// Whether the study takes kernels of drawn networks over all pairs, to which memory limits apply.
    #[must_use]
    pub fn takes_all_pairs(&self) -> bool {
        self.distance.as_ref().is_some_and(|spec| spec.methods.contains(&DistanceMethod::SampledAll))
    }

    /// Whether any part of the study is computed on the [`Device`] that the user chooses.
    #[must_use]
    pub fn uses_device(&self) -> bool {
        let on_device = |network: &NetworkSpec| network.architecture.mask().is_drawn_on_gpus();
        self.takes_all_pairs() && self.distance.iter().flat_map(|spec| &spec.networks).any(on_device)
    }

    /// Runs what the journal of `folder` does not hold yet, and returns all records in the order of the spec: distances
    /// by normalisation, method and width, then training runs by network, then predictions. Without a folder nothing is
    /// journaled.
    ///
    /// The records depend on the spec alone, not on threads, order or interruptions; only their last digits depend on
    /// the kind of processor and, for kernels over all pairs, on `device`.
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

    /// The same for a share of the tasks. The journals of all shares, joined by [`merge`](super::merge), hold what the
    /// journal of the whole study would.
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
        let keeps_weights = self.training.as_ref().is_some_and(|spec| spec.keep_weights);
        if keeps_weights && folder.is_none() {
            let problem = "weights need a folder to be kept in";
            return Err(
                Error::value("keep_weights", true, problem, "give an output folder").about(Setting::OutputFolder)
            );
        }
        // Whatever is wrong with the data is found here, before there is a journal.
        let distance = self.distance.as_ref().map(|spec| self.open_distance(spec, device, shard)).transpose()?;
        let distance = distance.as_ref();
        let inputs = distance.map_or(Ok(Vec::new()), DistanceStudy::in_every_normalisation)?;
        let training = self.training.as_ref().map(|spec| PreparedTraining::new(&self.data, spec)).transpose()?;
        let training = training.as_ref();
        let predictions: Vec<PreparedPrediction> = match &self.prediction {
            Some(spec) => (spec.normalisations.iter())
                .map(|normalisation| PreparedPrediction::new(&self.data, spec, *normalisation, self.seed))
                .collect::<Result<_>>()?,
            None => Vec::new(),
        };
        let mut checksums: Vec<&str> = distance.iter().map(|study| study.inputs.checksum.as_str()).collect();
        checksums.extend(training.iter().flat_map(|prepared| prepared.checksums()));
        if let (None, Some(prepared)) = (training, predictions.first()) {
            checksums.extend(prepared.checksums());
        }
        let weights = folder.filter(|_| keeps_weights);
        // Checked before there is a journal: with one, files that are there would be taken for the study's own.
        let kept = weights.map(|folder| self.weights_folder(folder)).transpose()?;
        let ledger = TaskLog::new(folder, self, (&self.data, &checksums[..]), progress)?;
        let mut remarks = distance.map_or(Vec::new(), |study| study.remarks(&inputs));
        remarks.extend(training.iter().flat_map(|prepared| prepared.remarks()));
        remarks.extend(predictions.first().iter().flat_map(|prepared| prepared.remarks()));
        remarks.iter().for_each(|text| progress(Progress::Remark { text }));
        if let Some(folder) = weights {
            make_folder(&folder.join(WEIGHTS))?;
            remove_unfinished(&folder.join(WEIGHTS));
        }

        let tasks: Vec<Task> = (0..).zip(self.tasks()).filter_map(|(i, task)| shard.holds(i).then_some(task)).collect();
        let memory = inputs.iter().filter_map(DistanceInputs::memory).max();
        let distance = || distance.expect("invariant: only a study of distances has tasks of distances");
        let training = || training.expect("invariant: only a study of training has tasks of training");
        let prepared = |normalisation: Normalisation| {
            let found = predictions.iter().find(|prepared| prepared.normalisation() == normalisation);
            found.expect("invariant: samples are prepared in every normalisation of the predictions")
        };
        let cost = |task: &Task| match task {
            Task::Prediction { normalisation, kernel, source, network } => {
                cost::of_operations(prepared(*normalisation).operations(network.as_ref(), *source, *kernel) / 8.0)
            }
            Task::Distance { method, network, kernel, .. } => {
                let DistanceStudy { spec, inputs, .. } = distance();
                cost::of_distance(spec, (*method, *kernel), network, inputs.values.dim())
            }
            Task::Training { network, .. } => {
                let prepared = training();
                cost::of_operations(prepared.operations(network, prepared.spec().epochs) / 4.0)
            }
        };
        progress(Progress::Begin { cost: tasks.iter().map(cost).sum(), memory });
        let finish = |task: &Task, find: &Find| {
            // A run whose weights are gone is trained again.
            let whole = match (task, weights) {
                (Task::Training { network, run }, Some(folder)) => weights_path(folder, network, *run).is_file(),
                _ => true,
            };
            ledger.finish(&task.name(), cost(task), whole, find)
        };

        let run = |task: &Task| match task {
            Task::Distance { normalisation, kernel, method, network } => finish(task, &|within| {
                let inputs = inputs.iter().find(|inputs| inputs.serves(*normalisation, *kernel));
                let inputs = inputs.expect("invariant: inputs are prepared in every normalisation of the study");
                inputs.record(network, *kernel, *method, within).map(Record::Distance)
            }),
            Task::Training { network, run } => finish(task, &|_| {
                let prepared = training();
                let epochs = prepared.spec().epochs;
                prepared.record(&self.data, self.seed, network, *run, epochs, kept.as_ref()).map(Record::Training)
            }),
            Task::Prediction { normalisation, kernel, source, network } => finish(task, &|within| {
                let of = (*source, *kernel);
                prepared(*normalisation).record(&self.data, network.as_ref(), of, within).map(Record::Prediction)
            }),
        };
        let (of_distances, others): (Vec<&Task>, Vec<&Task>) =
            tasks.iter().partition(|task| matches!(task, Task::Distance { .. }));
        // Distances one after the other: each uses all threads by itself.
        let mut records: Vec<Record> = of_distances.into_iter().map(run).collect::<Result<_>>()?;
        records.extend(try_map_longest_first(&others, |task| cost(task), |task| run(task))?);
        Ok(records)
    }

    /// The part of the study on distances, with its data opened.
    fn open_distance<'a>(
        &'a self,
        spec: &'a DistanceSpec,
        device: &'a Device,
        shard: Shard,
    ) -> Result<DistanceStudy<'a>> {
        Ok(DistanceStudy {
            data: &self.data,
            inputs: self.data.inputs(self.seed)?,
            spec,
            seed: self.seed,
            device,
            together: shard.is_whole(),
            drawn: Arc::default(),
        })
    }

    /// The folder for weights, unless a file that is not the study's has one of their names.
    fn weights_folder(&self, folder: &Path) -> Result<OutputFolder> {
        let of_task = |task: &Task| match task {
            Task::Training { network, run } => Some(weights_name(network, *run)),
            _ => None,
        };
        let names: Vec<String> = self.tasks().iter().filter_map(of_task).collect();
        OutputFolder::new(folder, WEIGHTS, &names)
    }

    pub(super) fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        if let Some(spec) = &self.distance {
            for normalisation in &spec.normalisations {
                let of_kernel = |kernel: &Kernel| {
                    let kernel = *kernel;
                    spec.methods_of(kernel).iter().map(move |method| (kernel, *method))
                };
                for (kernel, method) in spec.kernels.iter().flat_map(of_kernel) {
                    for network in spec.networks.iter().filter(|network| method.serves(network, kernel)) {
                        tasks.push(Task::Distance {
                            normalisation: *normalisation,
                            kernel,
                            method,
                            network: network.clone(),
                        });
                    }
                }
            }
        }
        if let Some(spec) = &self.training {
            for network in &spec.networks {
                let runs = (0..spec.runs as u32).map(|run| spec.first_run.saturating_add(run));
                tasks.extend(runs.map(|run| Task::Training { network: network.clone(), run }));
            }
        }
        if let Some(spec) = &self.prediction {
            for &normalisation in &spec.normalisations {
                for (&kernel, &source) in
                    spec.kernels.iter().flat_map(|kernel| spec.sources.iter().map(move |source| (kernel, source)))
                {
                    let task = |network| Task::Prediction { normalisation, kernel, source, network };
                    match source {
                        // No network changes it.
                        KernelSource::DenseLimit => tasks.push(task(None)),
                        _ => tasks.extend(spec.networks.iter().cloned().map(Some).map(task)),
                    }
                }
            }
        }
        tasks
    }
}
