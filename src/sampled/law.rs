//! How far means and medians of distances over few drawn networks may be from the truth.

use rand::RngExt;
use rayon::prelude::*;

use super::kernel::{PairedInputs, batch_kernels};
use crate::error::Result;
use crate::network::{Architecture, WeightDistribution};
use crate::numeric::parallel::try_map;
use crate::numeric::random::{Purpose, Stream};
use crate::numeric::statistics::{mean, quantile, sorted};

/// Resamples: the tails of 2.5 % are then known to half a percent.
const RESAMPLES: usize = 1_000;
/// Pairs that the law is found on, at most.
const PAIRS: usize = 1_000;
/// Hidden units that it is found from, at least: products of features have heavy tails, which a few hundred do not tell.
const UNITS: usize = 2_048;
/// Weights, the same: networks of few weights have heavier tails.
const WEIGHTS: f64 = 20_000.0;
/// Batches of hidden units that are held, at most.
const BATCHES: usize = 2_048;
/// Batches of one network, at most.
const BATCHES_EACH: usize = 32;
/// Networks behind a layer before the hidden one, at least: they are resampled whole.
const WHOLE_NETWORKS: usize = 128;
/// Networks of a resample, at most; of more, what deviates shrinks with the root of their number.
const RESAMPLED: usize = 64;

/// The law of the ratios `mean / truth` and `median / truth` for a mean squared distance over some initialisations of a network, and the
/// median over pairs of those of each pair.
///
/// A squared distance is near the square of one normal number, where inputs resemble each other; a mean of ten such has a long tail to
/// the right, and Student's interval, symmetric and estimated from the ten, misses the truth from below in up to a fifth of cases. But every
/// network is a mean of independent hidden units, of which there are many. So: batches of hidden units, from the networks themselves
/// and, where these have few units, from further initialisations, are put together to new networks at random, as many of them as
/// initialisations; their mean and median distance, over the truth in that world of known batches, which is a closed form, follows
/// nearly the law asked for. It is a ratio, so the interval of a value `v` is `v / q`, with `q` quantiles of the law. (The bootstrap, by units.)
///
/// Behind a layer before the hidden one units of a network depend on each other: there whole networks are resampled. Where masks have an
/// exact count rows depend on each other weakly, which is left out.
///
/// Source: ours; the coverage is measured by `examples/coverage.rs`.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::network::{Architecture, Connectivity, WeightDistribution};
/// use sparsewidth::sampled::{PairedInputs, SampledDistances, SamplingLaw};
/// use sparsewidth::numeric::statistics::mean;
///
/// let inputs = array![[1.0, 2.0, 0.5, -1.0], [0.3, -1.0, 2.0, 0.4]];
/// let inputs = PairedInputs::new(inputs.view(), &[(0, 1)])?;
/// let p = Connectivity::new(0.5)?;
/// let (network, gaussian) = (Architecture::one_hidden_layer(50, p)?, WeightDistribution::Gaussian);
/// let drawn = SampledDistances::draw(&inputs, &network, gaussian, 0, 10, vec![0.3])?;
/// let distance = mean(drawn.by_initialisation());
///
/// let (low, high) = SamplingLaw::find(&inputs, &network, gaussian, 0, 10, &[0.3])?.mean_interval(distance).unwrap();
/// assert!(0.0 < low && low < distance && distance < high);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SamplingLaw {
    /// Sorted ratios.
    means: Vec<f64>,
    medians: Vec<f64>,
}

impl SamplingLaw {
    /// The law for `initialisations` networks, which are drawn as [`SampledDistances::draw`](super::SampledDistances::draw) draws them, on
    /// up to a thousand of the pairs.
    ///
    /// # Errors
    /// See [`sampled_kernels`](super::sampled_kernels).
    pub fn find(
        inputs: &PairedInputs,
        network: &Architecture,
        distribution: WeightDistribution,
        seed: u64,
        initialisations: usize,
        reference: &[f64],
    ) -> Result<Self> {
        let places = inputs.spread_pairs(PAIRS);
        let inputs = inputs.some_pairs(&places);
        let reference: Vec<f64> = places.iter().map(|place| reference[*place]).collect();
        let own = initialisations.clamp(1, RESAMPLED);
        let rows = network.last().width();
        let is_deep = !network.before_last().is_empty();
        let (networks, batches) = match is_deep {
            true => (own.max(WHOLE_NETWORKS), 1),
            false => {
                let for_weights = (WEIGHTS / network.weights(inputs.dimension())).ceil() as usize;
                let networks = own.max(UNITS.div_ceil(rows)).max(for_weights).min(BATCHES);
                (networks, (BATCHES / networks).clamp(1, BATCHES_EACH))
            }
        };
        // Batches of equal size; a few rows of each network may be left over.
        let each = rows.div_ceil(batches).max(1);
        let batches = if is_deep { 1 } else { rows / each };
        let drawn = try_map((0..networks as u32).into_par_iter(), |initialisation| {
            let (inputs, law, id) = inputs.before_last(network, distribution, seed, initialisation)?;
            batch_kernels(&inputs, law, id, batches, each)
        })?;
        // Ratios do not depend on the unit, in which single precision suits distances of any scale.
        let unit = reference.iter().fold(f64::MIN_POSITIVE, |largest, kernel| largest.max(kernel.abs()));
        let difference = |kernel: &f64, reference: &f64| ((kernel - reference) / unit) as f32;
        let drawn: Vec<Vec<f32>> = drawn
            .iter()
            .flatten()
            .map(|batch| batch.iter().zip(&reference).map(|(a, b)| difference(a, b)).collect())
            .collect();
        Ok(Self::of_batches(&drawn, batches, own, seed).shrunk(own as f64 / initialisations.max(1) as f64))
    }

    /// From the deviations of the kernels of batches, `batches` to a network, for so many `networks`.
    fn of_batches(drawn: &[Vec<f32>], batches: usize, networks: usize, seed: u64) -> Self {
        let pairs = drawn.first().map_or(0, Vec::len);
        // In the world of these batches: the expected squared distance of each pair.
        let count = drawn.len() as f64;
        let truth: Vec<f64> = (0..pairs)
            .map(|pair| {
                let center = drawn.iter().map(|batch| f64::from(batch[pair])).sum::<f64>() / count;
                let variance = drawn.iter().map(|batch| (f64::from(batch[pair]) - center).powi(2)).sum::<f64>() / count;
                center * center + variance / batches as f64
            })
            .collect();
        let (mean_truth, median_truth) = (mean(&truth), quantile(&sorted(&truth), 0.5));
        let resample = |index: u32| {
            let mut stream = Stream::new(seed, Purpose::Bootstrap, index, 0);
            let (mut squares, mut sum) = (vec![0.0; pairs], vec![0.0f32; pairs]);
            for _ in 0..networks {
                sum.fill(0.0);
                for _ in 0..batches {
                    let batch = &drawn[stream.random_range(0..drawn.len())];
                    sum.iter_mut().zip(batch).for_each(|(sum, value)| *sum += value);
                }
                squares.iter_mut().zip(&sum).for_each(|(square, sum)| *square += f64::from(*sum).powi(2));
            }
            let unit = (batches * batches * networks) as f64;
            let median = quantile(&sorted(&squares), 0.5);
            (mean(&squares) / unit / mean_truth, median / unit / median_truth)
        };
        let ratios: Vec<(f64, f64)> = (0..RESAMPLES as u32).into_par_iter().map(resample).collect();
        let (means, medians): (Vec<f64>, Vec<f64>) = ratios.into_iter().unzip();
        Self { means: sorted(&means), medians: sorted(&medians) }
    }

    /// The law for more networks, of which those resampled are the given share: bias shrinks in proportion, what deviates with its root.
    fn shrunk(mut self, share: f64) -> Self {
        for ratios in [&mut self.means, &mut self.medians] {
            let center = mean(ratios);
            ratios.iter_mut().for_each(|ratio| {
                *ratio = 1.0 + (center - 1.0) * share + (*ratio - center) * share.sqrt();
            });
        }
        self
    }

    /// The 95 % confidence interval of the mean distance over these pairs; none where the draws do not tell it.
    #[must_use]
    pub fn mean_interval(&self, mean: f64) -> Option<(f64, f64)> {
        interval(mean, &self.means)
    }

    /// A median over pairs, freed of its bias, and the 95 % confidence interval of the median over the population of pairs.
    ///
    /// The median of noisy distances lies low: their law is skewed. The other noise is that of the choice of pairs, which
    /// `of_pairs`, the interval by [`median_interval_95`](crate::numeric::statistics::median_interval_95), tells; on a logarithmic scale the squares of
    /// both reaches add. None where the draws do not tell it.
    #[must_use]
    pub fn median(&self, median: f64, of_pairs: (f64, f64)) -> Option<(f64, (f64, f64))> {
        let (low, high) = interval(median, &self.medians)?;
        let corrected = median / mean(&self.medians);
        let reach = |end: f64, of_pairs: f64| (end / corrected).ln().hypot((of_pairs / median).ln());
        let (below, above) = (reach(low, of_pairs.0), reach(high, of_pairs.1));
        let ends = (corrected * (-below).exp(), corrected * above.exp());
        (corrected.is_finite() && ends.1.is_finite()).then_some((corrected, ends))
    }
}

/// The values `truth` for which `value / truth` lies within the central 95 % of sorted ratios.
fn interval(value: f64, ratios: &[f64]) -> Option<(f64, f64)> {
    let (low, high) = (value / quantile(ratios, 0.975), value / quantile(ratios, 0.025));
    (value > 0.0 && low > 0.0 && low <= high && high.is_finite()).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::statistics::t_quantile_95;
    use rand_distr::{Distribution, StandardNormal};

    /// Distances that are squares of one normal number, times a factor of the pair: the hardest case of the means over ten. The truth
    /// is known.
    #[test]
    fn intervals_cover_where_students_does_not() {
        const PAIRS: usize = 41;
        let mut stream = Stream::new(1, Purpose::Synthetic, 0, 0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut stream) };
        let factors: Vec<f64> = (0..PAIRS).map(|pair| (pair as f64 / 10.0).exp()).collect();
        let (mean_truth, median_truth) =
            (mean(&factors.iter().map(|f| f * f).collect::<Vec<_>>()), factors[PAIRS / 2].powi(2));
        let trials = 300;
        let (mut covered, mut of_student, mut of_median, mut medians) = (0, 0, 0, 0.0);
        for trial in 0..trials {
            // Ten networks of eight batches; half of the variance is shared by all pairs.
            let drawn: Vec<Vec<f32>> = (0..80)
                .map(|_| {
                    let shared = normal();
                    factors.iter().map(|f| (f * 2.0 * (shared + normal())) as f32).collect()
                })
                .collect();
            let kernels = |network: usize, pair: usize| {
                drawn[8 * network..8 * network + 8].iter().map(|batch| f64::from(batch[pair])).sum::<f64>() / 8.0
            };
            let of_network =
                |network: usize| (0..PAIRS).map(|pair| kernels(network, pair).powi(2)).sum::<f64>() / PAIRS as f64;
            let by_network: Vec<f64> = (0..10).map(of_network).collect();
            let by_pair: Vec<f64> = (0..PAIRS)
                .map(|pair| (0..10).map(|network| kernels(network, pair).powi(2)).sum::<f64>() / 10.0)
                .collect();
            let law = SamplingLaw::of_batches(&drawn, 8, 10, trial);
            let holds = |(low, high): (f64, f64), truth: f64| usize::from(low <= truth && truth <= high);
            let found = mean(&by_network);
            covered += holds(law.mean_interval(found).unwrap(), mean_truth);
            let reach = t_quantile_95(9).unwrap() * crate::numeric::statistics::standard_error(&by_network).unwrap();
            of_student += holds((found - reach, found + reach), mean_truth);
            let median = quantile(&sorted(&by_pair), 0.5);
            let (corrected, ends) = law.median(median, (median, median)).unwrap();
            of_median += holds(ends, median_truth);
            medians += corrected / median_truth / f64::from(trials as u32);
        }
        println!("{covered}, {of_student}, {of_median} of {trials}, median {medians}");
        // 95 % of 300 less three standard deviations of 3.8; Student's interval covers 87 % of such means.
        assert!(covered >= 273 && of_median >= 273, "{covered}, {of_median} of {trials}");
        assert!(of_student < covered, "{of_student}");
        // Four standard errors of the mean of 300 that spread by 0.4 each.
        assert!((medians - 1.0).abs() < 0.1, "{medians}");
    }

    #[test]
    fn nothing_is_told_of_distances_that_are_zero() {
        let law = SamplingLaw::of_batches(&vec![vec![0.0; 3]; 10], 1, 5, 0);
        assert_eq!((law.mean_interval(0.0), law.mean_interval(1.0)), (None, None));
        assert_eq!(law.median(0.0, (0.0, 0.0)), None);
    }

    #[test]
    fn a_law_of_more_networks_is_narrower() {
        let law = SamplingLaw { means: vec![0.5, 1.0, 1.8], medians: vec![0.5, 0.8, 1.4] }.shrunk(0.25);
        // Centers 1.1 and 0.9: bias a quarter, deviations a half.
        let expected = [[0.725, 0.975, 1.375], [0.775, 0.925, 1.225]];
        for (found, expected) in [law.means, law.medians].iter().zip(expected) {
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{found:?}");
        }
    }
}
