//! Training runs of one study: the data, made once, and the record of each run.

use super::record::TrainingRecord;
use super::spec::{TrainedNetwork, TrainingStudySpec};
use crate::connectivity::Connectivity;
use crate::data::{CLASSES, DataSource, Normaliser, SUBSET_SEED};
use crate::error::Result;
use crate::network::{Activation, MlpLaw, Parametrisation, Samples, TrainingData, TrainingSpec, train};

/// Normalised training and test sets.
pub(super) struct PreparedTraining<'a> {
    spec: &'a TrainingStudySpec,
    data: TrainingData,
    checksum: String,
    test_checksum: String,
}

impl<'a> PreparedTraining<'a> {
    /// Loads the data, draws the subset of training samples, and normalises both sets by its statistics.
    pub fn new(source: &DataSource, spec: &'a TrainingStudySpec) -> Result<Self> {
        let mnist = source.labelled()?;
        let training = mnist.train.subset(spec.samples, SUBSET_SEED);
        let normaliser = Normaliser::fit(spec.normalisation, &training.images.mapv(f64::from), true)?;
        let test = Samples::of_images(mnist.test.images, &normaliser);
        let training = (Samples::of_images(training.images, &normaliser), training.labels);
        Ok(Self {
            spec,
            data: TrainingData::new(training, (&test, mnist.test.labels))?,
            checksum: mnist.train.checksum,
            test_checksum: mnist.test.checksum,
        })
    }

    /// The checksums of training and test files.
    pub fn checksums(&self) -> [&str; 2] {
        [&self.checksum, &self.test_checksum]
    }

    /// Trains one network.
    pub fn record(&self, source: &DataSource, seed: u64, network: &TrainedNetwork, run: u32) -> Result<TrainingRecord> {
        let dimension = self.data.features();
        let spec = TrainingSpec {
            network: MlpLaw {
                sizes: vec![dimension, network.width, CLASSES],
                connectivities: vec![network.connectivity, Connectivity::DENSE],
                mask: self.spec.mask,
                law: self.spec.law,
                parametrisation: Parametrisation::NeuralTangent,
                biases: false,
                activation: Activation::Relu,
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
            samples: self.data.samples(),
            test_samples: self.data.test_samples(),
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
