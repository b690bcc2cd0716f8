//! How far means and medians of distances over few drawn networks may be from the truth.

use rand::RngExt;
use rayon::prelude::*;

use super::kernel::{PairedInputs, batch_kernels};
use crate::error::Result;
use crate::network::{Architecture, WeightDistribution};
use crate::numeric::parallel::try_map;
use crate::numeric::random::{Purpose, Stream};
use crate::numeric::statistics::{mean, quantile, sorted};

/// The number of resamples: tails of 2.5 % are then known to half a percentage point.
const RESAMPLES: usize = 1_000;
/// The most pairs that the law is found from.
const PAIRS: usize = 1_000;
/// The fewest hidden units that it is found from: products of features have heavy tails, which a few hundred do not
/// show.
const UNITS: usize = 2_048;
/// The fewest weights that it is found from: networks of few weights have heavier tails.
const WEIGHTS: f64 = 20_000.0;
/// The most batches of hidden units that are held.
const BATCHES: usize = 2_048;
/// The most batches of one network.
const BATCHES_EACH: usize = 32;
/// The fewest networks that are drawn where there is a layer before the hidden one: they are resampled whole.
const WHOLE_NETWORKS: usize = 128;
/// The most networks in a resample. With more, deviations shrink with the root of their number.
const RESAMPLED: usize = 64;

/// The law of the ratios `mean / truth` and `median / truth`: of the mean squared distance over some initialisations of
/// a network, and of the median over pairs of each pair's mean squared distance.
///
/// Where inputs resemble each other, a squared distance is nearly the square of one normal variable. A mean of ten of
/// them has a long tail to the right, and Student's interval, which is symmetric and estimated from the ten, lies below
/// the truth in up to a fifth of cases. But every network is a mean of many independent hidden units. So batches of
/// hidden units are combined into new networks at random, as many networks as there are initialisations. The batches
/// come from the networks themselves and, where these have few units, from further initialisations. For networks made
/// of known batches the true distance has a closed form. The ratios of their mean and median distance to it follow
/// nearly the law asked for. From quantiles `q` of that law, the interval of a value `v` is `v / q`. (This is the
/// bootstrap, by hidden units.)
///
/// Where there is a layer before the hidden one, the units of a network depend on each other; then whole networks are
/// resampled. Under masks of an exact count, rows depend on each other weakly, which is neglected.
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
    /// The law for `initialisations` networks, which are drawn as
    /// [`SampledDistances::draw`](super::SampledDistances::draw) draws them, on up to a thousand of the pairs.
    ///
    /// # Errors
    /// Where there is not one reference value per pair; and see [`sampled_kernels`](super::sampled_kernels).
    pub fn find(
        inputs: &PairedInputs,
        network: &Architecture,
        distribution: WeightDistribution,
        seed: u64,
        initialisations: usize,
        reference: &[f64],
    ) -> Result<Self> {
        inputs.check_reference(reference)?;
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
        let each = rows.div_ceil(batches);
        let batches = rows / each;
        let drawn = try_map((0..networks as u32).into_par_iter(), |initialisation| {
            let (inputs, law, id) = inputs.before_last(network, distribution, seed, initialisation)?;
            batch_kernels(&inputs, law, id, batches, each)
        })?;
        // Ratios do not depend on the unit; with this one, single precision suits distances of any scale.
        let unit = reference.iter().fold(f64::MIN_POSITIVE, |largest, kernel| largest.max(kernel.abs()));
        let difference = |kernel: &f64, reference: &f64| ((kernel - reference) / unit) as f32;
        let drawn: Vec<Vec<f32>> = drawn
            .iter()
            .flatten()
            .map(|batch| batch.iter().zip(&reference).map(|(a, b)| difference(a, b)).collect())
            .collect();
        Ok(Self::of_batches(&drawn, batches, own, seed).shrunk(own as f64 / initialisations.max(1) as f64))
    }

    /// The law from the deviations of the kernels of batches, with `batches` to a network, for `networks` networks.
    fn of_batches(drawn: &[Vec<f32>], batches: usize, networks: usize, seed: u64) -> Self {
        let pairs = drawn[0].len();
        // The expected squared distance of each pair, for networks made of these batches.
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

    /// The law for more networks, of which those resampled are the given share: bias shrinks in proportion to the
    /// share, deviations with its root.
    fn shrunk(mut self, share: f64) -> Self {
        for ratios in [&mut self.means, &mut self.medians] {
            let center = mean(ratios);
            ratios.iter_mut().for_each(|ratio| {
                *ratio = 1.0 + (center - 1.0) * share + (*ratio - center) * share.sqrt();
            });
        }
        self
    }

    /// The 95 % confidence interval of the mean distance over these pairs; none where the draws do not determine it.
    #[must_use]
    pub fn mean_interval(&self, mean: f64) -> Option<(f64, f64)> {
        interval(mean, &self.means)
    }

    /// A median over pairs, corrected for its bias, and the 95 % confidence interval of the median over the population
    /// of pairs.
    ///
    /// The median of noisy distances is too low, since their law is skewed. A second source of noise is the choice of
    /// pairs; its interval `of_pairs` comes from
    /// [`median_interval_95`](crate::numeric::statistics::median_interval_95). On a logarithmic scale, the squares of
    /// the two half-widths add up. None where the draws do not determine the interval.
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

    /// Distances that are squares of one normal number, times a factor of the pair: the hardest case of the means over
    /// ten. The truth is known.
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
