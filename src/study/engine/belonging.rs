//! Which task of which study a record belongs to, for the readers of records and journals.

use crate::study::DistanceMethod;
use crate::study::record::{DistanceRecord, PredictionRecord, Record, TrainingRecord};
use crate::study::run::{distance_task, prediction_task};

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
            Self::Prediction(record) => {
                let of = (record.normalisation, record.kernel());
                prediction_task(of, record.source, record.architecture.as_ref())
            }
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
            Self::Distance(_) | Self::Prediction(_) => task == self.task(),
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
            (Self::Training(_), Self::Training(_)) | (Self::Prediction(_), Self::Prediction(_)) => true,
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
            (Self::Prediction(first), Self::Prediction(second)) => differ(of_prediction(first), of_prediction(second)),
            _ => differ(self.common(other), other.common(self)),
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

fn of_prediction(record: &PredictionRecord) -> Vec<(&'static str, String)> {
    vec![
        ("program version", record.version.clone()),
        ("seed", record.seed.to_string()),
        ("checksum of training data", record.checksum.clone()),
        ("checksum of test data", record.test_checksum.clone()),
        ("set evaluated", if record.validation { "validation" } else { "test" }.into()),
        ("dimension", record.dimension.to_string()),
        ("training samples", record.samples.to_string()),
        ("test samples", record.test_samples.to_string()),
        ("law of weights", record.law.name().into()),
    ]
}

/// Settings by name, as words.
type Settings = Vec<(&'static str, String)>;

impl Record {
    /// What records of two kinds share in one study. Distances are taken on the test images, and those of a study with
    /// validation samples are not compared with them.
    fn common(&self, other: &Self) -> Settings {
        let validates = |record: &Self| match record {
            Self::Distance(_) => false,
            Self::Training(run) => run.validation,
            Self::Prediction(record) => record.validation,
        };
        let of = |version: &str, seed: u64, test: &str, dimension: usize| {
            let mut shared = vec![
                ("program version", version.to_string()),
                ("seed", seed.to_string()),
                ("dimension", dimension.to_string()),
            ];
            if !validates(self) && !validates(other) {
                shared.push(("checksum of test data", test.to_string()));
            }
            shared
        };
        match self {
            Self::Distance(record) => of(&record.version, record.seed, &record.checksum, record.dimension),
            Self::Training(run) => of(&run.version, run.seed, &run.test_checksum, run.dimension),
            Self::Prediction(record) => of(&record.version, record.seed, &record.test_checksum, record.dimension),
        }
    }
}
