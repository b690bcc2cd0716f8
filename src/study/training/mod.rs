//! The study of test errors: networks trained, each in several runs.

mod rates_file;
mod run;
mod spec;

pub use rates_file::{LearningRate, LearningRates};
pub use run::WEIGHTS;
pub use spec::{EvaluationSet, Family, MOST_SAMPLES, TrainedNetwork, TrainingStudySpec};

pub(crate) use run::{PreparedTraining, sets, weights_name, weights_path};
pub(crate) use spec::FIRST_TUNING_RUN;
