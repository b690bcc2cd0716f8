//! The width of the least error that kernel regression predicts, at a weight budget.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::optimum::{admitted_widths, between};
use super::prediction::{PredictionSpec, PreparedPrediction, check_weights};
use super::training::EvaluationSet;
use crate::data::{Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::kernel::ntk::Kernel;
use crate::network::budget::first_layer_connectivity;
use crate::network::{Activation, Architecture, Connectivity, Layer, MaskFamily, WeightDistribution};
use crate::numeric::parallel::try_map;
use crate::numeric::random::{Purpose, Stream};
use crate::numeric::statistics::{quantile, sorted};

/// Widths that the search begins with, in equal steps of their logarithm.
const SCAN: usize = 12;
/// A tenth: steps finer than this are below the noise of drawn networks.
const FINEST: f64 = 0.1;
/// Resamples for the uncertainty of the width.
const RESAMPLES: usize = 1_000;

/// What is to be minimised: the share of training samples that ridge regression on all the others puts in a wrong
/// class, with kernels of networks as drawn ([`crate::regression`]). Test samples are not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedOptimumSpec {
    /// The data.
    pub data: Dataset,
    /// Their normalisation, by the statistics of the training samples.
    pub normalisation: Normalisation,
    /// The weight budget, a dense last layer of one output per class included.
    pub weights: usize,
    /// Training samples: a random subset where the data has more.
    pub samples: usize,
    /// The kernel.
    #[serde(flatten)]
    pub kernel: Kernel,
    /// The masks of the networks.
    pub mask: MaskFamily,
    /// The law of their weights.
    pub law: WeightDistribution,
    /// Networks drawn of each width.
    pub initialisations: usize,
    /// The seed of everything random.
    pub seed: u64,
}

/// The predicted error at one width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedPoint {
    /// The width `n`.
    pub width: usize,
    /// The connectivity `p` of the first layer that the budget leaves.
    pub connectivity: Connectivity,
    /// The mean over drawn networks of the share of samples in a wrong class.
    pub error: f64,
    /// How much more that is than at the best width, and the standard error of the difference, from the samples and the
    /// draws together, by the bootstrap.
    pub excess: f64,
    /// See `excess`.
    pub excess_error: f64,
}

/// The width of the least predicted error, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedOptimum {
    /// What was asked.
    pub by: PredictedOptimumSpec,
    /// Input dimension `d`.
    pub dimension: usize,
    /// Classes.
    pub classes: usize,
    /// SHA-256 of the training files.
    pub checksum: String,
    /// Version of the program.
    pub version: String,
    /// The width of the least error among those that were searched.
    pub width: usize,
    /// The widths between which the best one lies in 95 % of resamples of samples and, where there are several, of
    /// drawn networks; of equally good widths in a resample, the narrowest and the widest count.
    pub interval: (usize, usize),
    /// The narrowest and the widest of the widths whose error cannot be distinguished from the least: with an excess of
    /// at most two standard errors.
    pub alike: (usize, usize),
    /// Whether the best width is the widest that was searched, whose rows keep one weight on average.
    pub at_end: bool,
    /// All widths that were searched, in increasing order.
    pub curve: Vec<PredictedPoint>,
}

impl PredictedOptimumSpec {
    fn prediction(&self) -> PredictionSpec {
        PredictionSpec {
            normalisations: vec![self.normalisation],
            samples: self.samples,
            evaluation: EvaluationSet::Test,
            law: self.law,
            kernels: vec![self.kernel],
            initialisations: self.initialisations,
            ..PredictionSpec::paper(Vec::new())
        }
    }

    /// Scans the widths that the budget admits, then narrows down the minimum to a tenth. `progress` is called with the
    /// share that is done, as far as it is known.
    ///
    /// # Errors
    /// Where the data has no labels or cannot be normalised, the budget admits no width, or a count is 0.
    pub fn run(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<PredictedOptimum> {
        let spec = self.prediction();
        for (name, count) in [("samples", self.samples), ("initialisations", self.initialisations)] {
            if count == 0 {
                return Err(Error::value(name, 0, "must be at least 1", "give a positive number"));
            }
        }
        check_weights(self.weights as f64)?;
        let prepared = PreparedPrediction::new(&self.data, &spec, self.normalisation, self.seed)?;
        let (dimension, classes) = prepared.sizes();
        let (least, most) = admitted_widths(self.weights, dimension, classes)?;
        let mut searched: Vec<Searched> = Vec::new();
        let step = (most as f64 / least as f64).ln() / (SCAN - 1) as f64;
        let mut wanted: Vec<usize> = (0..SCAN)
            .map(|index| ((least as f64 * (step * index as f64).exp()).round() as usize).clamp(least, most))
            .collect();
        wanted.dedup();
        let expected = wanted.len() + 4;
        let done = AtomicUsize::new(0);
        while !wanted.is_empty() {
            let tasks: Vec<(usize, u32)> = (wanted.iter())
                .flat_map(|width| (0..self.initialisations as u32).map(move |draw| (*width, draw)))
                .collect();
            let found = try_map(tasks.par_iter().with_max_len(1), |(width, draw)| {
                let network = self.network(*width, dimension, classes)?;
                let wrong = prepared.wrong_when_left_out(&network, *draw, self.kernel)?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                progress(done as f64 / (expected * self.initialisations).max(done + 1) as f64);
                Ok(wrong)
            })?;
            for (width, wrong) in wanted.iter().zip(found.chunks(self.initialisations)) {
                let place = searched.partition_point(|other| other.width < *width);
                searched.insert(place, Searched { width: *width, wrong: wrong.to_vec() });
            }
            let widths: Vec<usize> = searched.iter().map(|found| found.width).collect();
            wanted = between(&widths, best_of(&searched), FINEST).into_iter().collect();
        }
        self.report(&searched, (dimension, classes), prepared.checksums()[0])
    }

    fn network(&self, width: usize, dimension: usize, classes: usize) -> Result<Architecture> {
        let p = first_layer_connectivity(self.weights, dimension, classes, width)?;
        let layers = vec![
            Layer::new(width, p, Activation::Relu)?,
            Layer::new(classes, Connectivity::DENSE, Activation::Linear)?,
        ];
        Ok(Architecture::new(layers)?.with_mask(self.mask))
    }

    fn report(
        &self,
        searched: &[Searched],
        (dimension, classes): (usize, usize),
        checksum: &str,
    ) -> Result<PredictedOptimum> {
        let best = best_of(searched);
        let resampled = resampled_errors(searched, self.seed);
        let mut curve = Vec::with_capacity(searched.len());
        for (place, found) in searched.iter().enumerate() {
            let differences: Vec<f64> = resampled.iter().map(|errors| errors[place] - errors[best]).collect();
            let center = differences.iter().sum::<f64>() / differences.len() as f64;
            let square = differences.iter().map(|value| (value - center).powi(2)).sum::<f64>();
            curve.push(PredictedPoint {
                width: found.width,
                connectivity: first_layer_connectivity(self.weights, dimension, classes, found.width)?,
                error: found.error(),
                excess: found.error() - searched[best].error(),
                excess_error: (square / (differences.len() as f64 - 1.0)).sqrt(),
            });
        }
        let minimisers = |last: bool| -> Vec<f64> {
            let of_resample = |errors: &Vec<f64>| {
                let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
                let mut places = (0..errors.len()).filter(|place| errors[*place] == least);
                let place = if last { places.next_back() } else { places.next() };
                place.map_or(f64::NAN, |place| searched[place].width as f64)
            };
            sorted(&resampled.iter().map(of_resample).collect::<Vec<_>>())
        };
        let alike: Vec<usize> = (curve.iter())
            .filter(|point| point.excess <= 2.0 * point.excess_error || point.width == curve[best].width)
            .map(|point| point.width)
            .collect();
        let (low, high) = (quantile(&minimisers(false), 0.025), quantile(&minimisers(true), 0.975));
        Ok(PredictedOptimum {
            by: self.clone(),
            dimension,
            classes,
            checksum: checksum.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            width: curve[best].width,
            interval: (low as usize, high.ceil() as usize),
            alike: (alike[0], alike[alike.len() - 1]),
            at_end: best + 1 == curve.len(),
            curve,
        })
    }
}

/// Which samples each drawn network of a width gets wrong.
struct Searched {
    width: usize,
    wrong: Vec<Vec<bool>>,
}

impl Searched {
    fn error(&self) -> f64 {
        let all: usize = self.wrong.iter().map(|draw| draw.iter().filter(|wrong| **wrong).count()).sum();
        all as f64 / (self.wrong.len() * self.wrong[0].len()) as f64
    }
}

/// The place of the least error, the narrowest of equal ones.
fn best_of(searched: &[Searched]) -> usize {
    let least = (0..searched.len()).min_by(|a, b| searched[*a].error().total_cmp(&searched[*b].error()));
    least.expect("invariant: at least one width was searched")
}

/// The errors of all widths, for resamples of the samples, the same for all widths, and of each width's draws.
fn resampled_errors(searched: &[Searched], seed: u64) -> Vec<Vec<f64>> {
    let samples = searched[0].wrong[0].len();
    let resample = |number: u32| {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, 2, number);
        let mut times = vec![0u32; samples];
        (0..samples).for_each(|_| times[stream.random_range(0..samples)] += 1);
        let mut error = |found: &Searched| {
            let of_draw = |draw: &Vec<bool>| {
                draw.iter().zip(&times).filter(|(wrong, _)| **wrong).map(|(_, times)| *times).sum::<u32>()
            };
            let counts: Vec<u32> = found.wrong.iter().map(of_draw).collect();
            // One draw fewer than there are: resampled means then vary as means of all of them do.
            let draws = (counts.len() - 1).max(1);
            let drawn: u32 = (0..draws).map(|_| counts[stream.random_range(0..counts.len())]).sum();
            f64::from(drawn) / (draws * samples) as f64
        };
        searched.iter().map(&mut error).collect()
    };
    (0..RESAMPLES as u32).into_par_iter().map(resample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths whose errors are known, of samples that are wrong independently.
    fn searched(errors: &[f64], samples: usize, draws: usize) -> Vec<Searched> {
        let mut stream = Stream::new(3, Purpose::Synthetic, 0, 0);
        let wrong = |error: f64, stream: &mut Stream| -> Vec<Vec<bool>> {
            (0..draws).map(|_| (0..samples).map(|_| stream.random_range(0.0..1.0) < error).collect()).collect()
        };
        (errors.iter().enumerate())
            .map(|(place, error)| Searched { width: 1 << place, wrong: wrong(*error, &mut stream) })
            .collect()
    }

    #[test]
    fn clear_minima_are_certain_and_flat_ones_are_not() {
        let clear = searched(&[0.5, 0.3, 0.1, 0.3], 2_000, 3);
        let best = best_of(&clear);
        assert_eq!(best, 2);
        let names = |found: &[Searched]| {
            let resampled = resampled_errors(found, 0);
            let place = |errors: &Vec<f64>| (0..errors.len()).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap();
            let mut places: Vec<usize> = resampled.iter().map(place).collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        assert_eq!(names(&clear), [2]);
        assert!(names(&searched(&[0.2; 4], 500, 3)).len() > 1);
        // The spread of a resampled mean is that of the mean: 2,000 samples and three draws of independent errors.
        let resampled = resampled_errors(&clear, 0);
        let values: Vec<f64> = resampled.iter().map(|errors| errors[2]).collect();
        let center = crate::numeric::statistics::mean(&values);
        let deviation = (values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / 999.0).sqrt();
        // sqrt(0.1 0.9 / 2000 / 3) = 0.0039, and draws resampled from three add up to as much again.
        assert!((0.0025..0.008).contains(&deviation), "{deviation}");
    }
}
