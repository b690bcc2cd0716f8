//! Training runs of one study: the data, made once, and the record of each run.

use std::path::{Path, PathBuf};

use crate::data::{Dataset, GlobalScale, Labelled, LabelledSets, Normaliser, SUBSET_SEED};
use crate::error::{Error, Result};
use crate::files::OutputFolder;
use crate::numeric::random::subset;
use crate::study::density::{self, Density};
use crate::study::record::{SCHEMA, TrainingRecord};
use crate::study::training::{EvaluationSet, TrainedNetwork, TrainingStudySpec};
use crate::train::{Checkpoint, MlpSpec, Samples, TrainingData, TrainingSpec, train};

/// The folder of weights within an output folder.
pub const WEIGHTS: &str = "weights";

/// The file of the weights of a run, in an output folder.
pub(crate) fn weights_name(network: &TrainedNetwork, run: u32) -> String {
    format!("{WEIGHTS}/{}-run{run}.safetensors", network.name())
}

/// Its path.
pub(crate) fn weights_path(folder: &Path, network: &TrainedNetwork, run: u32) -> PathBuf {
    folder.join(weights_name(network, run))
}

/// Normalised samples to train and to evaluate on.
pub(crate) struct PreparedTraining<'a> {
    spec: &'a TrainingStudySpec,
    data: TrainingData,
    normaliser: Normaliser,
    checksum: String,
    test_checksum: String,
    /// Whether every normalised input is 0.
    blank: bool,
}

impl<'a> PreparedTraining<'a> {
    /// Loads the data, draws the subset of training samples, and normalises both sets by its statistics.
    pub fn new(source: &Dataset, spec: &'a TrainingStudySpec) -> Result<Self> {
        let (training, test) = sets(&*source.to_learn()?, spec.samples, spec.evaluation)?;
        spec.check_memory(training.images.nrows(), training.images.ncols())?;
        let values = training.images.to_real();
        let normaliser = Normaliser::fit(spec.normalisation, &values, training.kind())?;
        // All samples are equal, and are mapped to 0.
        let first = values.row(0);
        let blank = values.outer_iter().all(|image| image == first)
            && first.iter().zip(normaliser.maps()).all(|(pixel, (shift, factor))| (pixel - shift) * factor == 0.0);
        drop(values);
        let images = Samples::of_images(test.images, &normaliser)?;
        let samples = (Samples::of_images(training.images, &normaliser)?, training.labels);
        Ok(Self {
            spec,
            data: TrainingData::new(samples, (&images, test.labels))?,
            normaliser,
            checksum: training.checksum,
            test_checksum: test.checksum,
            blank,
        })
    }

    /// The spec that the samples were prepared for.
    pub fn spec(&self) -> &'a TrainingStudySpec {
        self.spec
    }

    /// Remarks to make before the work: layers left without a weight, a scale taken from the set itself, and inputs
    /// that are all 0.
    pub fn remarks(&self) -> Vec<String> {
        let of = |network: &TrainedNetwork| {
            density::remark(&network.name(), &Density::of(&network.architecture, self.data.features())?)
        };
        let mut remarks: Vec<String> = self.spec.networks.iter().filter_map(of).collect();
        if let Some(GlobalScale { mean, deviation }) =
            self.normaliser.global_scale().filter(|scale| *scale != GlobalScale::MNIST)
        {
            remarks.push(format!(
                "These are not MNIST's images: global normalisation takes the mean {mean:.4} and standard deviation {deviation:.4} of \
                 the training samples' own x/255."
            ));
        }
        if self.blank {
            remarks.push(format!(
                "Every training input is 0 under {}: no network can learn from these.",
                self.spec.normalisation.title()
            ));
        }
        remarks
    }

    /// A rough count of the multiplications of one run of a network over some epochs.
    pub fn operations(&self, network: &TrainedNetwork, epochs: usize) -> f64 {
        let weights = network.architecture.weights(self.data.features());
        epochs as f64 * (self.data.samples() as f64 * 3.0 + self.data.test_samples() as f64) * weights
    }

    /// The checksums of training and test files.
    pub fn checksums(&self) -> [&str; 2] {
        [&self.checksum, &self.test_checksum]
    }

    /// Trains one network for some epochs; its weights are written to a folder where one is given.
    pub fn record(
        &self,
        source: &Dataset,
        seed: u64,
        network: &TrainedNetwork,
        run: u32,
        epochs: usize,
        folder: Option<&OutputFolder>,
    ) -> Result<TrainingRecord> {
        let dimension = self.data.features();
        let layers = network.architecture.layer_specs(dimension, self.spec.law);
        let places = layers.iter().map(|layer| layer.rows * layer.columns).collect();
        let spec = TrainingSpec {
            network: MlpSpec {
                inputs: dimension,
                network: network.architecture.clone(),
                law: self.spec.law,
                parametrisation: self.spec.parametrisation,
                biases: self.spec.biases,
            },
            learning_rate: network.learning_rate,
            epochs,
            batch: self.spec.batch,
            seed,
            run,
        };
        let trained = train(&self.data, &spec)?;
        let density = Density { places, weights: trained.layer_weights.clone() };
        if let Some(folder) = folder {
            let checkpoint = Checkpoint { network: trained.network, normaliser: self.normaliser.clone() };
            folder.write(&weights_name(network, run), &checkpoint.to_bytes()?)?;
        }
        Ok(TrainingRecord {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            data: source.to_string(),
            checksum: self.checksum.clone(),
            test_checksum: self.test_checksum.clone(),
            normalisation: self.spec.normalisation,
            samples: self.data.samples(),
            validation: self.spec.evaluation != EvaluationSet::Test,
            test_samples: self.data.test_samples(),
            dimension,
            family: network.family,
            architecture: network.architecture.clone(),
            activation: network.hidden().activation(),
            width: network.hidden().width(),
            connectivity: network.hidden().connectivity(),
            last_connectivity: network.architecture.last().connectivity(),
            weights: trained.weights,
            biases: self.spec.biases,
            parametrisation: self.spec.parametrisation,
            mask: network.architecture.mask(),
            law: self.spec.law,
            learning_rate: network.learning_rate,
            epochs,
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
            global_mean: self.normaliser.global_scale().map(|scale| scale.mean),
            global_deviation: self.normaliser.global_scale().map(|scale| scale.deviation),
            connectivity_reached: Some(density.reached_before_last()),
            last_connectivity_reached: Some(density.reached_last()),
            empty_layers: density.empty_layers(),
            dead: Some(trained.dead),
            curve: trained.curve,
        })
    }
}

/// The samples to train on, at most `samples`, and those to evaluate on.
pub(crate) fn sets(data: &LabelledSets, samples: usize, evaluation: EvaluationSet) -> Result<(Labelled, Labelled)> {
    let all = data.train.len();
    let chosen = subset(all, samples.min(all), SUBSET_SEED);
    let EvaluationSet::Validation(count) = evaluation else {
        return Ok((data.train.select(&chosen), data.test.clone()));
    };
    if count == 0 {
        return Err(Error::value(
            "validation",
            count,
            "at least one validation sample is needed to choose a rate",
            "give a positive number",
        ));
    }
    if count >= chosen.len().max(all - chosen.len() + 1) {
        let problem = format!("of the {all} training samples, {} are trained on", chosen.len());
        return Err(Error::value("validation", count, problem, "give a smaller number, or fewer training samples"));
    }
    let without = |of: &[usize], these: &[usize]| -> Vec<usize> {
        of.iter().filter(|sample| these.binary_search(sample).is_err()).copied().collect()
    };
    let others = without(&(0..all).collect::<Vec<_>>(), &chosen);
    let few = others.len() < count;
    let from = if few { &chosen } else { &others };
    // Another seed than that of the training subset, which would choose by the same keys.
    let validation: Vec<usize> = subset(from.len(), count, SUBSET_SEED + 1).iter().map(|place| from[*place]).collect();
    let training = if few { without(&chosen, &validation) } else { chosen };
    Ok((data.train.select(&training), data.train.select(&validation)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn validation_samples_are_not_trained_on() {
        let mnist = LabelledSets::embedded().unwrap();
        let of = |samples, count| sets(&mnist, samples, EvaluationSet::Validation(count));
        // Enough others; too few others.
        for (samples, count, trained) in [(1024, 1000, 1024), (2048, 512, 1536), (2000, 100, 1900)] {
            let (training, validation) = of(samples, count).unwrap();
            assert_eq!((training.len(), validation.len()), (trained, count));
            let rows = |of: &Labelled| -> HashSet<Vec<u64>> {
                of.images.to_real().outer_iter().map(|image| image.mapv(f64::to_bits).to_vec()).collect()
            };
            assert!(rows(&training).is_disjoint(&rows(&validation)));
        }
        for (samples, count) in [(2048, 2048), (2048, 0), (1024, 1025)] {
            assert!(of(samples, count).is_err(), "{samples} {count}");
        }
    }
}
