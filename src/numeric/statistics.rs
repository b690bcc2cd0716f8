//! Means, quantiles, intervals and rank correlation; the interval of the latter is in [`rank`](crate::numeric::rank).

use multiversion::multiversion;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The arithmetic mean; NaN for an empty slice.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean of independent values, `s / sqrt(N)`; none for fewer than two.
#[must_use]
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
    if largest == 0.0 {
        // 0, or NaN where one of them is NaN, which the maximum ignores.
        return values.sum();
    }
    if largest.is_infinite() {
        return largest;
    }
    largest * values.map(|value| (value / largest).powi(2)).sum::<f64>().sqrt()
}

/// Half the width of the 95 % confidence interval of the mean, by Student's t; none for fewer than two values.
#[must_use]
pub fn confidence_95(values: &[f64]) -> Option<f64> {
    Some(standard_error(values)? * t_quantile_95(values.len() - 1)?)
}

/// The factor from a standard error with `degrees` degrees of freedom to half a 95 % confidence interval; none at 0.
#[must_use]
pub fn t_quantile_95(degrees: usize) -> Option<f64> {
    // Beyond this, statrs inverts the law badly (wrong by 7 % at 1e7), and three terms of the expansion at infinity are
    // right to 1e-12 (Abramowitz & Stegun 26.7.5).
    if degrees > 10_000 {
        const Z: f64 = 1.959_963_984_540_054;
        let (z2, inverse) = (Z * Z, 1.0 / degrees as f64);
        let second = (z2 * z2 * 5.0 + z2 * 16.0 + 3.0) * Z / 96.0;
        return Some(Z + inverse * ((z2 + 1.0) * Z / 4.0 + inverse * second));
    }
    StudentsT::new(0.0, 1.0, degrees as f64).ok().map(|t| t.inverse_cdf(0.975))
}

/// The difference of the means of two independent samples, and half its 95 % interval by Welch's test, with the degrees
/// of freedom of Welch and Satterthwaite, rounded down; none for samples without a spread, or of fewer than two values.
///
/// ```
/// use sparsewidth::numeric::statistics::difference_of_means_95;
/// let (difference, reach) = difference_of_means_95(&[2.0, 3.0, 4.0], &[1.0, 1.5]);
/// assert!(difference == 1.75 && reach.is_some());
/// ```
#[must_use]
pub fn difference_of_means_95(first: &[f64], second: &[f64]) -> (f64, Option<f64>) {
    let difference = mean(first) - mean(second);
    let square = |values: &[f64]| standard_error(values).map(|error| error * error);
    let (Some(a), Some(b)) = (square(first), square(second)) else { return (difference, None) };
    let of = |square: f64, values: &[f64]| square * square / (values.len() as f64 - 1.0);
    let degrees = (a + b).powi(2) / (of(a, first) + of(b, second));
    let reach = t_quantile_95(degrees as usize).filter(|_| degrees.is_finite()).map(|t| t * (a + b).sqrt());
    (difference, reach)
}

/// The quantile at `level` in `[0, 1]` of sorted values, linear between neighbours (R's type 7); NaN for an empty
/// slice.
#[must_use]
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The 95 % confidence interval of the median of a population, from sorted independent values of it: the order
/// statistics `N/2 -+ 0.98 sqrt(N)`, whatever the distribution (normal approximation of the binomial law).
#[must_use]
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

/// A histogram of numbers in bins that grow in proportion: 256 an octave, over all of double precision; up to
/// [`LogHistogram::EXACT`] numbers are stored exactly.
///
/// Its size grows with the range of the values, not with their number (16 KB for every eight octaves, 4 MB for all).
/// With few numbers a quantile is exact. With more it lies in the bin of the true one, so its relative error is at most
/// [`LogHistogram::RESOLUTION`]; numbers below the normal range, negative numbers and NaN then count as 0.
#[derive(Clone, Debug, Default)]
pub struct LogHistogram {
    /// All values, as long as they are few.
    few: Vec<f64>,
    /// By bin, from `first` on; bins outside are empty.
    bins: Vec<u64>,
    first: usize,
    zeros: u64,
    count: u64,
}

impl LogHistogram {
    /// The relative width of half a bin.
    pub const RESOLUTION: f64 = 1.0 / 512.0;
    /// The most values that are stored exactly: 512 KB of them.
    pub const EXACT: usize = 1 << 16;
    const SHIFT: u32 = 52 - 8;
    /// The bin before that of the least normal number.
    const LOWEST: u64 = (1 << 8) - 1;
    /// The last bin, of the largest number.
    const BINS: u64 = (0x7FF << 8) - 1 - Self::LOWEST;

    /// Adds values.
    pub fn extend(&mut self, values: &[f64]) {
        let was_exact = self.is_exact();
        self.count += values.len() as u64;
        if self.is_exact() {
            self.few.extend_from_slice(values);
            return;
        }
        if was_exact {
            let few = std::mem::take(&mut self.few);
            self.bin(&few);
        }
        self.bin(values);
    }

    /// Whether its values are stored exactly.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.count <= Self::EXACT as u64
    }

    fn bin(&mut self, values: &[f64]) {
        const CHUNK: usize = 128;
        let mut bins = [0; CHUNK];
        for values in values.chunks(CHUNK) {
            let bins = &mut bins[..values.len()];
            let (zeros, lowest, highest) = bins_of(values, bins);
            self.zeros += zeros;
            if zeros == values.len() as u64 {
                continue;
            }
            self.cover(lowest as usize);
            self.cover(highest as usize);
            if zeros == 0 {
                for bin in bins {
                    self.bins[*bin as usize - self.first] += 1;
                }
            } else {
                for bin in bins.iter().filter(|bin| **bin > 0) {
                    self.bins[*bin as usize - self.first] += 1;
                }
            }
        }
    }

    #[inline]
    fn cover(&mut self, bin: usize) {
        if bin < self.first || bin >= self.first + self.bins.len() {
            self.grow(bin);
        }
    }

    #[cold]
    fn grow(&mut self, bin: usize) {
        // A few octaves at a time.
        let (low, high) = (bin.saturating_sub(1024), bin + 1024);
        if self.bins.is_empty() {
            (self.first, self.bins) = (low, vec![0; high - low]);
        } else if bin < self.first {
            let mut bins = vec![0; self.first - low];
            bins.append(&mut self.bins);
            (self.first, self.bins) = (low, bins);
        } else {
            self.bins.resize(high - self.first, 0);
        }
    }

    /// Adds what another histogram holds.
    pub fn merge(&mut self, other: &Self) {
        if other.is_exact() {
            return self.extend(&other.few);
        }
        let few = std::mem::take(&mut self.few);
        self.bin(&few);
        for (bin, count) in other.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.cover(bin + other.first);
            self.bins[bin + other.first - self.first] += count;
        }
        self.zeros += other.zeros;
        self.count += other.count;
    }

    /// How many values it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The quantile at `level` in `[0, 1]`: that of [`quantile`] while the histogram is exact, otherwise the middle of
    /// the bin of the nearest order statistic; NaN for an empty histogram.
    #[must_use]
    pub fn quantile(&self, level: f64) -> f64 {
        let Some(last) = self.count.checked_sub(1) else { return f64::NAN };
        if self.is_exact() {
            return quantile(&sorted(&self.few), level);
        }
        let place = (level.clamp(0.0, 1.0) * last as f64).round() as u64;
        let mut below = self.zeros;
        if place < below {
            return 0.0;
        }
        for (bin, count) in self.bins.iter().enumerate() {
            below += count;
            if place < below {
                let middle = (((bin + self.first) as u64 + Self::LOWEST) << Self::SHIFT) | 1 << (Self::SHIFT - 1);
                return f64::from_bits(middle);
            }
        }
        unreachable!("zeros and bins hold every value")
    }
}

/// The bin of each value, 0 for those that count as 0; returns how many of these there are, and the least and the
/// largest bin of the others.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn bins_of(values: &[f64], bins: &mut [u32]) -> (u64, u32, u32) {
    let (mut zeros, mut lowest, mut highest) = (0u32, u32::MAX, 0);
    for (value, to) in values.iter().zip(bins) {
        // The exponent and the leading bits of the mantissa, as one number, grow with the value.
        let leading = (value.to_bits() >> LogHistogram::SHIFT) as u32;
        let bin = leading.saturating_sub(LogHistogram::LOWEST as u32).min(LogHistogram::BINS as u32);
        let bin = if *value > 0.0 { bin } else { 0 };
        zeros += u32::from(bin == 0);
        lowest = lowest.min(if bin == 0 { u32::MAX } else { bin });
        highest = highest.max(bin);
        *to = bin;
    }
    (u64::from(zeros), lowest, highest)
}

/// Spearman's rank correlation of two equally long lists, ties by mean ranks; none where either is constant or the
/// lengths differ.
///
/// ```
/// use sparsewidth::numeric::statistics::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]), Some(1.0));
/// assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
/// ```
#[must_use]
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

pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        equal.iter().for_each(|index| ranks[*index] = below as f64 + (equal.len() as f64 + 1.0) / 2.0);
        below += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::random::{Purpose, Stream};
    use rand::RngExt;

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(standard_error(&[1.0, f64::NAN]).unwrap().is_nan());
        assert!(root_sum_of_squares([0.0, f64::NAN].into_iter()).is_nan());
        assert_eq!(root_sum_of_squares([0.0, -0.0].into_iter()), 0.0);
        assert_eq!(root_sum_of_squares([1.0, f64::NEG_INFINITY].into_iter()), f64::INFINITY);
    }

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
    fn histogram_quantiles_are_right_to_their_resolution() {
        let values: Vec<f64> = (0..70_001).map(|i| 1e-9 * 1.01f64.powi(i % 5000) * f64::from(1 + i % 3)).collect();
        let (mut whole, mut first, mut second) =
            (LogHistogram::default(), LogHistogram::default(), LogHistogram::default());
        whole.extend(&values);
        first.extend(&values[..77]);
        second.extend(&values[77..]);
        assert!(first.is_exact() && !second.is_exact() && !whole.is_exact());
        let few = first.clone();
        first.merge(&second);
        second.merge(&few);
        let ordered = sorted(&values);
        for level in [0.0, 0.05, 0.5, 0.9, 1.0] {
            let exact = ordered[(level * 70_000.0) as usize];
            assert!((whole.quantile(level) / exact - 1.0).abs() <= LogHistogram::RESOLUTION, "{level}");
            assert_eq!([first.quantile(level), second.quantile(level)], [whole.quantile(level); 2]);
        }
        let mut odd = LogHistogram::default();
        assert!(odd.quantile(0.5).is_nan());
        // A fifth each but for what is not positive.
        for value in [-1.0, f64::NAN, 0.0, 1e-300, 3.0, f64::INFINITY] {
            odd.extend(&vec![value; 20_000]);
        }
        assert_eq!((odd.count(), odd.quantile(0.4)), (120_000, 0.0));
        assert!((odd.quantile(0.6) / 1e-300 - 1.0).abs() < LogHistogram::RESOLUTION);
        assert!((odd.quantile(0.8) / 3.0 - 1.0).abs() < LogHistogram::RESOLUTION);
        assert!((odd.quantile(1.0) / f64::MAX - 1.0).abs() < 2.0 * LogHistogram::RESOLUTION);
    }

    #[test]
    fn quantiles_of_few_values_are_exact_and_the_first_that_are_too_many_are_binned() {
        let values: Vec<f64> =
            (0..LogHistogram::EXACT).map(|i| 1.0 + (i * 7919 % LogHistogram::EXACT) as f64 / 3.0).collect();
        let (mut all, mut parts) = (LogHistogram::default(), LogHistogram::default());
        all.extend(&values);
        for part in values.chunks(1_000) {
            let mut histogram = LogHistogram::default();
            histogram.extend(part);
            parts.merge(&histogram);
        }
        let ordered = sorted(&values);
        for level in [0.0, 0.1, 0.25, 0.5, 1.0] {
            assert_eq!([all.quantile(level), parts.quantile(level)], [quantile(&ordered, level); 2]);
        }
        assert!(all.is_exact());
        all.extend(&[2.0]);
        assert!(!all.is_exact() && all.count() == LogHistogram::EXACT as u64 + 1);
        assert!((all.quantile(0.5) / quantile(&ordered, 0.5) - 1.0).abs() <= LogHistogram::RESOLUTION);
        let mut odd = LogHistogram::default();
        odd.extend(&[-1.0, 0.0, 2e-300, 3.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|level| odd.quantile(level)), [-1.0, 1e-300, 3.0]);
    }

    #[test]
    fn the_interval_of_a_difference_is_welchs() {
        // By hand: means 3 and 1, squared errors 1/3 and 1, degrees 16/9 / (1/18 + 1/2) = 3.2, of which 3 are taken;
        // t = 3.1824.
        let (difference, reach) = difference_of_means_95(&[2.0, 3.0, 4.0], &[-0.7320508, 1.0, 2.7320508]);
        assert!((difference - 2.0).abs() < 1e-7 && (reach.unwrap() - 3.182446 * (4.0f64 / 3.0).sqrt()).abs() < 1e-5);
        assert_eq!(difference_of_means_95(&[1.0, 1.0], &[1.0, 1.0]), (0.0, None));
        assert_eq!(difference_of_means_95(&[1.5], &[1.0, 1.0]), (0.5, None));
    }

    #[test]
    fn intervals_of_means_and_medians() {
        // By hand: standard error (5/3 / 4)^(1/2), and t = 3.182446 with three degrees of freedom, from tables.
        let reach = confidence_95(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((reach - 3.182_446 * (5.0f64 / 12.0).sqrt()).abs() < 1e-6);
        assert_eq!(confidence_95(&[1.0]), None);
        for (degrees, table) in
            [(1, 12.706_205), (2, 4.302_653), (30, 2.042_272), (10_000, 1.960_201), (usize::MAX, 1.959_964)]
        {
            let found = t_quantile_95(degrees).unwrap();
            assert!((found - table).abs() < 1e-6, "{degrees}: {found}");
        }
        // The two ways meet to their errors: 2.4e-8 is the true difference between 10,000 and 10,001 degrees.
        let step = t_quantile_95(10_000).unwrap() - t_quantile_95(10_001).unwrap();
        assert!((step - 2.372e-8).abs() < 1e-11, "{step}");
        assert!(median_interval_95(&[]).0.is_nan());
        // Of few values the whole range, of a hundred the 40 % and 60 % quantiles: 0.5 -+ 0.98 / 10.
        assert_eq!(median_interval_95(&[1.0, 2.0, 5.0]), (1.0, 5.0));
        let hundred: Vec<f64> = (0..100).map(f64::from).collect();
        let (low, high) = median_interval_95(&hundred);
        assert!((low - 0.402 * 99.0).abs() < 1e-12 && (high - 0.598 * 99.0).abs() < 1e-12, "{low} {high}");
        // Exponential values, whose median is ln 2: a coverage of 0.95 -+ 0.02 is four standard errors of 2,000
        // intervals.
        let mut stream = Stream::new(3, Purpose::Subset, 0, 0);
        let covered = (0..2_000).filter(|_| {
            let values: Vec<f64> = (0..99).map(|_| -stream.random_range(f64::MIN_POSITIVE..1.0).ln()).collect();
            let (low, high) = median_interval_95(&sorted(&values));
            low <= 2f64.ln() && 2f64.ln() <= high
        });
        let covered = covered.count();
        assert!((1_860..=1_940).contains(&covered), "{covered}");
    }

    #[test]
    fn spearman_with_ties() {
        // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, sums of squares 4.5 and 5.
        let found = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((found - 4.5 / 22.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(ranks(&[2.0, -0.0, 5.0, 2.0, 0.0, 2.0]), [4.0, 1.5, 6.0, 4.0, 1.5, 4.0]);
        assert_eq!(spearman(&[3.0, 2.0, 1.0], &[1.0, 2.0, 3.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0], &[1.0, 2.0]), None);
    }
}
