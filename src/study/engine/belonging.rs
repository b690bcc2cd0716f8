//! Which task of which study a record belongs to, for the readers of records and journals.

use crate::study::DistanceMethod;
use crate::study::record::{DistanceRecord, Record, TrainingRecord};
use crate::study::run::distance_task;

impl Record {
    /// The name of the task that made the record. For Eq. (4) at a fixed `n p` it has the connectivity of the evenly
    /// spread budget, not the network's. For a training run it has the number of epochs, of which a search uses
    /// several.
    pub(crate) fn task(&self) -> String {
        match self {
            Self::Distance(record) => {
                let DistanceRecord { normalisation, method, .. } = *record;
                distance_task((normalisation, record.kernel()), method, &record.architecture, record.connectivity)
            }
            Self::Training(run) => format!("training/{}/{}/{}", run.network().name(), run.epochs, run.run),
        }
    }

    /// Whether a task with this name in a journal can have made it.
    pub(super) fn is_of(&self, task: &str) -> bool {
        match self {
            Self::Distance(record) if record.method == DistanceMethod::PaperFixedNp => {
                let before =
                    format!("distance/{}/{}/{}:", record.normalisation.name(), record.method.name(), record.width);
                task.starts_with(&before)
            }
            Self::Distance(_) => task == self.task(),
            // A study names its runs without the number of epochs, which is the same for all.
            Self::Training(run) => {
                task == self.task() || task == format!("training/{}/{}", run.network().name(), run.run)
            }
        }
    }

    /// Whether two records are of one kind, and distances of one method: these share all that identifies a study.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Distance(first), Self::Distance(second)) => {
                (first.method, first.kernel()) == (second.method, second.kernel())
            }
            (Self::Training(_), Self::Training(_)) => true,
            _ => false,
        }
    }

    /// The first difference between the studies of two records, in words.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let differ = |found: Vec<(&str, String)>, expected: Vec<(&str, String)>| {
            let mut pairs = found.into_iter().zip(expected);
            pairs
                .find(|(found, expected)| found != expected)
                .map(|((name, found), (_, expected))| format!("its {name} is {found}, not {expected}"))
        };
        match (self, other) {
            (Self::Distance(first), Self::Distance(second)) => {
                let alike = self.is_alike(other);
                differ(of_distance(first, alike), of_distance(second, alike))
            }
            (Self::Training(first), Self::Training(second)) => differ(of_training(first), of_training(second)),
            (Self::Distance(distance), Self::Training(run)) => differ(common(distance, run).0, common(distance, run).1),
            (Self::Training(run), Self::Distance(distance)) => differ(common(distance, run).1, common(distance, run).0),
        }
    }
}

/// What all distances of a study share and, where the records are `alike`, what those of one method share.
fn of_distance(record: &DistanceRecord, alike: bool) -> Vec<(&'static str, String)> {
    let mut shared = vec![
        ("program version", record.version.clone()),
        ("seed", record.seed.to_string()),
        ("data checksum", record.checksum.clone()),
        ("dimension", record.dimension.to_string()),
        ("weight variance", record.weight_variance.to_string()),
    ];
    if alike {
        shared.extend([
            ("mask family", record.mask.name().into()),
            ("law of weights", record.law.name().into()),
            ("reference", record.reference.clone()),
            ("pairs", record.pairs.to_string()),
        ]);
    }
    shared
}

fn of_training(run: &TrainingRecord) -> Vec<(&'static str, String)> {
    let epochs = if run.validation { "of a search".into() } else { run.epochs.to_string() };
    vec![
        ("program version", run.version.clone()),
        ("seed", run.seed.to_string()),
        ("checksum of training data", run.checksum.clone()),
        ("checksum of test data", run.test_checksum.clone()),
        ("set evaluated", if run.validation { "validation" } else { "test" }.into()),
        ("dimension", run.dimension.to_string()),
        ("normalisation", run.normalisation.name().into()),
        ("training samples", run.samples.to_string()),
        ("test samples", run.test_samples.to_string()),
        ("epochs", epochs),
        ("batch", run.batch.to_string()),
        ("mask family", run.mask.name().into()),
        ("law of weights", run.law.name().into()),
        ("parametrisation", run.parametrisation.name().into()),
        ("biases", run.biases.to_string()),
    ]
}

/// Settings by name, as words.
type Settings = Vec<(&'static str, String)>;

/// What a distance and a training run of one study share, for each of the two. Distances are taken on the test images.
fn common(distance: &DistanceRecord, run: &TrainingRecord) -> (Settings, Settings) {
    let test = if run.validation { &distance.checksum } else { &run.test_checksum };
    let of = |version: &str, checksum: &str, dimension: usize, seed: u64| {
        vec![
            ("program version", version.to_string()),
            ("seed", seed.to_string()),
            ("checksum of test data", checksum.to_string()),
            ("dimension", dimension.to_string()),
        ]
    };
    (
        of(&distance.version, &distance.checksum, distance.dimension, distance.seed),
        of(&run.version, test, run.dimension, run.seed),
    )
}
