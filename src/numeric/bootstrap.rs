//! Bootstrap intervals of means over few values.

use rand::RngExt as _;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::numeric::random::{Purpose, Stream};
use crate::numeric::statistics::{mean, quantile, sorted};

/// Resamples: the ends are then known to a few hundredths of the standard error.
const RESAMPLES: usize = 4_000;

/// The 95 % interval of the mean of the population that some values are a sample of, by the expanded percentile
/// bootstrap: the quantiles of means of resamples at the levels `Phi(-+ t sqrt(N / (N - 1)))`, with Student's `t` of
/// `N - 1` degrees of freedom, since plain percentiles are too narrow for small `N` (Hesterberg, "What teachers should
/// know about the bootstrap", The American Statistician 69, 2015). None for fewer than three values.
///
/// In simulations with 8 and 16 values it covers the mean of a normal population in 95 and 95 % of cases, of an
/// exponential one in 91 and 93 %, and of one that is 0 half of the time and exponential otherwise in 87 and 91 %.
///
/// ```
/// use sparsewidth::numeric::bootstrap::mean_interval_95;
/// let (low, high) = mean_interval_95(&[0.1, 0.4, 0.2, 0.3, 0.0], 0).unwrap();
/// assert!(low < 0.2 && 0.2 < high);
/// assert_eq!(mean_interval_95(&[1.0, 1.0, 1.0], 0), Some((1.0, 1.0)));
/// ```
#[must_use]
pub fn mean_interval_95(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    let count = values.len();
    if count < 3 {
        return None;
    }
    let degrees = count as f64 - 1.0;
    let t = StudentsT::new(0.0, 1.0, degrees).expect("degrees of freedom are positive").inverse_cdf(0.975);
    let level = Normal::standard().cdf(-t * (count as f64 / degrees).sqrt());
    let mut stream = Stream::new(seed, Purpose::Bootstrap, 1, count as u32);
    let mut resample = vec![0.0; count];
    let means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.iter_mut().for_each(|value| *value = values[stream.random_range(0..count)]);
            mean(&resample)
        })
        .collect();
    let means = sorted(&means);
    Some((quantile(&means, level), quantile(&means, 1.0 - level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Exp1, StandardNormal};

    /// How often the interval holds the mean of its population.
    fn coverage(count: usize, truth: f64, draw: impl Fn(&mut Stream) -> f64) -> f64 {
        let trials = 1_000;
        let holds = |trial: &u32| {
            let mut stream = Stream::new(5, Purpose::Synthetic, *trial, count as u32);
            let values: Vec<f64> = (0..count).map(|_| draw(&mut stream)).collect();
            mean_interval_95(&values, u64::from(*trial)).is_some_and(|(low, high)| low <= truth && truth <= high)
        };
        (0..trials).filter(holds).count() as f64 / f64::from(trials)
    }

    /// The numbers in the docstring, known to 0.7 % (95 %) to 1.1 % (87 %): four standard errors beside.
    #[test]
    fn coverage_is_as_stated() {
        let normal = |stream: &mut Stream| StandardNormal.sample(stream);
        let exponential = |stream: &mut Stream| -> f64 { Exp1.sample(stream) };
        let mixed = |stream: &mut Stream| if stream.random_range(0..2) == 0 { 0.0 } else { Exp1.sample(stream) };
        for (count, stated) in [(8, [0.95, 0.91, 0.87]), (16, [0.95, 0.93, 0.91])] {
            let found = [coverage(count, 0.0, normal), coverage(count, 1.0, exponential), coverage(count, 0.5, mixed)];
            println!("{count}: {found:?}");
            for (found, stated) in found.iter().zip(stated) {
                let error: f64 = (stated * (1.0 - stated) / 1_000.0f64).sqrt();
                assert!((found - stated).abs() < 4.0 * error, "{count}: {found}, stated {stated}");
            }
        }
    }
}
