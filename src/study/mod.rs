//! Studies: a spec in, records out, through a journal that survives interruption.
//!
//! | spec | what it does | what comes out |
//! |---|---|---|
//! | [`StudySpec`] | distances ([`DistanceSpec`]), training runs ([`TrainingStudySpec`]) and predicted test errors ([`PredictionSpec`]) | a [`Record`] per network and method, run, or kernel |
//! | [`TuneSpec`] | the learning rate of each network, on validation samples | [`TuneReport`] |
//! | [`OptimumSpec`] | the width that minimises the distance at a budget | [`OptimumReport`] |
//! | [`PredictedOptimumSpec`] | the width of the least error that kernels predict | [`PredictedOptimum`] |
//! | [`MasksSpec`] | given masks beside random ones | [`MasksReport`] |
//! | [`VerifySpec`] | Theorem 1 against drawn networks | [`VerifyReport`] |
//!
//! The first two keep a journal ([`Journal`]) where they are given a folder, go on where they were interrupted, and can
//! be shared out among machines ([`Shard`], [`merge`]). Records depend on the spec alone, not on threads, order or
//! interruptions; only their last digits depend on the kind of processor and, for kernels over all pairs, on the
//! device.
//!
//! ```
//! use sparsewidth::data::{DataSource, Normalisation};
//! use sparsewidth::report::{Statistic, distance_table};
//! use sparsewidth::sampled::Device;
//! use sparsewidth::study::{DistanceMethod, DistanceSpec, NetworkSpec, StudySpec};
//!
//! // 400 weights, 20 inputs and 2 outputs, at three widths.
//! let study = StudySpec {
//!     data: DataSource::Gaussian { dimension: 20, samples: 100 }.into(),
//!     seed: 0,
//!     distance: Some(DistanceSpec {
//!         normalisations: vec![Normalisation::None],
//!         methods: vec![DistanceMethod::Theorem1, DistanceMethod::Sampled],
//!         pairs: 50,
//!         ..DistanceSpec::paper(NetworkSpec::at_budget(400, 20, 2, &[20, 50, 100])?)
//!     }),
//!     training: None,
//!     prediction: None,
//! };
//! let records = study.run(None, &Device::CPU, &|_| {})?;
//! assert_eq!(records.len(), 6);
//! println!("{}", distance_table(&records, Normalisation::None, Statistic::Mean));
//! # Ok::<(), sparsewidth::Error>(())
//! ```

mod cost;
pub(crate) mod density;
mod distance;
mod engine;
mod masks;
mod optimum;
pub mod paper;
mod predicted_optimum;
mod prediction;
mod record;
pub mod request;
mod run;
mod spec;
mod training;
mod tune;
mod verify;
mod widen;

#[cfg(all(test, feature = "plots"))]
pub(crate) use distance::{DistanceInputs, DistanceStudy};
pub use distance::{DistanceMethod, DistanceSpec, NetworkSpec, Reference};
pub use engine::{JOURNAL, Journal, MergeReport, Progress, Shard, merge};
pub use masks::{LayerRecord, MOST_PAIRS, MaskInputs, MaskSet, MasksRecord, MasksReport, MasksSpec, RandomPoint};
pub use optimum::{CurvePoint, Optimum, OptimumMethod, OptimumReport, OptimumSpec};
pub use predicted_optimum::{PredictedOptimum, PredictedOptimumSpec, PredictedPoint};
pub use prediction::{KernelSource, PredictionSpec};
pub use record::{
    DistanceRecord, PredictionRecord, Predictor, RECORDS, Record, RidgePoint, SCHEMA, TrainingRecord, read_records,
    to_lines,
};
pub use spec::StudySpec;
pub use training::{
    EvaluationSet, Family, LearningRate, LearningRates, MOST_SAMPLES, TrainedNetwork, TrainingStudySpec, WEIGHTS,
};
pub use tune::{SelectedRate, Trial, TuneReport, TuneSpec};
pub use verify::{Cell, Check, PaperPoint, Quantity, Tests, VerifyReport, VerifySpec};
pub use widen::widened_networks;
