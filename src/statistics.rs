//! Means, quantiles, intervals and rank correlation.

use rand::RngExt;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::random::{Purpose, Stream};

/// The arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean of independent values, `s / sqrt(N)`; none of fewer than two.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let center = mean(values);
    let spread = root_sum_of_squares(values.iter().map(|value| value - center));
    Some(spread / ((count - 1.0) * count).sqrt())
}

/// `sqrt(sum v^2)`, scaled so that the squares stay in range.
pub fn root_sum_of_squares(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * values.map(|value| (value / largest).powi(2)).sum::<f64>().sqrt()
}

/// Half the width of the 95 % confidence interval of the mean, by Student's t; none of fewer than two values.
pub fn confidence_95(values: &[f64]) -> Option<f64> {
    Some(standard_error(values)? * t_quantile_95(values.len() - 1)?)
}

/// The factor from a standard error with `degrees` degrees of freedom to half a 95 % confidence interval; none at 0.
pub fn t_quantile_95(degrees: usize) -> Option<f64> {
    StudentsT::new(0.0, 1.0, degrees as f64).ok().map(|t| t.inverse_cdf(0.975))
}

/// The quantile at `level` in `[0, 1]` of sorted values, linear between neighbours (R's type 7); NaN of nothing.
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The 95 % confidence interval of the median of a population, from sorted independent values of it: the order statistics
/// `N/2 -+ 0.98 sqrt(N)`, whatever the distribution (normal approximation of the binomial law).
pub fn median_interval_95(sorted: &[f64]) -> (f64, f64) {
    let count = sorted.len() as f64;
    let reach = if sorted.is_empty() { 0.0 } else { 0.98 / count.sqrt() };
    (quantile(sorted, 0.5 - reach), quantile(sorted, 0.5 + reach))
}

/// Sorts a copy of the values.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// Spearman's rank correlation of two equally long lists, ties by mean ranks; none where either is constant or the lengths
/// differ.
///
/// ```
/// use sparsewidth::statistics::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]), Some(1.0));
/// assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
/// ```
pub fn spearman(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.len() != second.len() {
        return None;
    }
    let (first, second) = (ranks(first), ranks(second));
    let (mean_first, mean_second) = (mean(&first), mean(&second));
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for (a, b) in first.iter().zip(&second) {
        let (a, b) = (a - mean_first, b - mean_second);
        both += a * b;
        one += a * a;
        other += b * b;
    }
    (one > 0.0 && other > 0.0).then(|| both / (one * other).sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .map(|value| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 + 1.0) / 2.0
        })
        .collect()
}

/// The 95 % percentile interval of Spearman's correlation over points, by bootstrap: each resample draws points with
/// replacement, and within a drawn point its second coordinate as the mean of a resample of its runs. Resamples on which
/// the correlation is undefined are passed over. None where fewer than three points are given.
///
/// With a handful of points such an interval is coarse; it shows how little they say.
pub fn spearman_interval(points: &[(f64, Vec<f64>)], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    if points.len() < 3 || points.iter().any(|(_, runs)| runs.is_empty()) {
        return None;
    }
    let mut stream = Stream::new(seed, Purpose::Bootstrap, 0, 0);
    let mut correlations = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in points {
            let (value, runs) = &points[stream.random_range(0..points.len())];
            first.push(*value);
            second.push(
                (0..runs.len()).map(|_| runs[stream.random_range(0..runs.len())]).sum::<f64>() / runs.len() as f64,
            );
        }
        correlations.extend(spearman(&first, &second));
    }
    correlations.sort_by(f64::total_cmp);
    (!correlations.is_empty()).then(|| (quantile(&correlations, 0.025), quantile(&correlations, 0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), 5.0);
        assert!((standard_error(&values).unwrap() - (32.0f64 / 7.0 / 8.0).sqrt()).abs() < 1e-15);
        assert_eq!(standard_error(&[1.0]), None);
        for scale in [1e-300, 1e300] {
            assert!((standard_error(&[scale, 3.0 * scale]).unwrap() / scale - 1.0).abs() < 1e-15);
        }
        assert_eq!(quantile(&values, 0.5), 4.5);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
        // t_{0.975} with nine degrees of freedom, from tables.
        assert!((t_quantile_95(9).unwrap() - 2.262_157).abs() < 1e-6);
        assert_eq!(t_quantile_95(0), None);
    }

    #[test]
    fn spearman_with_ties() {
        // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, sums of squares 4.5 and 5.
        let found = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((found - 4.5 / 22.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(spearman(&[3.0, 2.0, 1.0], &[1.0, 2.0, 3.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn bootstrap_of_a_perfect_correlation() {
        let points: Vec<(f64, Vec<f64>)> = (0..7).map(|i| (f64::from(i), vec![f64::from(i); 3])).collect();
        assert_eq!(spearman_interval(&points, 1000, 1), Some((1.0, 1.0)));
        assert_eq!(spearman_interval(&points[..2], 1000, 1), None);
    }
}
