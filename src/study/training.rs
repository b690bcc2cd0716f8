//! Training runs of one study: the data, made once, and the record of each run.

use super::record::TrainingRecord;
use super::spec::{TrainedNetwork, TrainingStudySpec};
use crate::connectivity::Connectivity;
use crate::data::{CLASSES, DataSource, Labelled, Normaliser, SUBSET_SEED};
use crate::error::Result;
use crate::network::{Blocks, MlpLaw, TrainingData, TrainingSpec, train};

/// Normalised training and test sets.
pub(super) struct PreparedTraining<'a> {
    spec: &'a TrainingStudySpec,
    data: TrainingData,
    checksum: String,
    test_checksum: String,
    test_samples: usize,
}

impl<'a> PreparedTraining<'a> {
    /// Loads the data, draws the subset of training samples, and normalises both sets by its statistics.
    pub fn new(source: &DataSource, spec: &'a TrainingStudySpec) -> Result<Self> {
        let mnist = source.labelled()?;
        let training = mnist.train.subset(spec.samples, SUBSET_SEED);
        let values = |set: &Labelled| set.images.mapv(f64::from);
        let normaliser = Normaliser::fit(spec.normalisation, &values(&training), true)?;
        let single = |set: &Labelled| normaliser.apply(values(set)).mapv(|value| value as f32);
        let test = Blocks::new(single(&mnist.test).view(), &mnist.test.labels);
        Ok(Self {
            spec,
            data: TrainingData { samples: single(&training), labels: training.labels, test },
            checksum: mnist.train.checksum,
            test_checksum: mnist.test.checksum,
            test_samples: mnist.test.labels.len(),
        })
    }

    /// The checksums of training and test files.
    pub fn checksums(&self) -> [&str; 2] {
        [&self.checksum, &self.test_checksum]
    }

    /// Trains one network.
    pub fn record(&self, source: &DataSource, seed: u64, network: &TrainedNetwork, run: u32) -> Result<TrainingRecord> {
        let dimension = self.data.samples.ncols();
        let spec = TrainingSpec {
            network: MlpLaw {
                sizes: vec![dimension, network.width, CLASSES],
                connectivities: vec![network.connectivity, Connectivity::DENSE],
                mask: self.spec.mask,
                law: self.spec.law,
            },
            learning_rate: network.learning_rate,
            epochs: self.spec.epochs,
            batch: self.spec.batch,
            seed,
            run,
        };
        let trained = train(&self.data, &spec)?;
        Ok(TrainingRecord {
            version: env!("CARGO_PKG_VERSION").into(),
            data: source.to_string(),
            checksum: self.checksum.clone(),
            test_checksum: self.test_checksum.clone(),
            normalisation: self.spec.normalisation,
            samples: self.data.labels.len(),
            test_samples: self.test_samples,
            dimension,
            family: network.family,
            width: network.width,
            connectivity: network.connectivity,
            weights: trained.weights,
            mask: self.spec.mask,
            law: self.spec.law,
            learning_rate: network.learning_rate,
            epochs: self.spec.epochs,
            batch: self.spec.batch,
            seed,
            run,
            device: "cpu".into(),
            precision: "f32".into(),
            best_accuracy: trained.best_accuracy,
            best_epoch: trained.best_epoch,
            final_accuracy: trained.final_accuracy,
            training_loss: Some(trained.training_loss).filter(|loss| loss.is_finite()),
            diverged: trained.diverged,
        })
    }
}
