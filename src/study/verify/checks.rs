//! Estimates from drawn networks beside Theorem 1, and their tests.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};
use statrs::stats_tests::NaNPolicy;
use statrs::stats_tests::ks_test::{KSOneSampleAlternativeMethod, ks_onesample};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::Cell;
use crate::error::{Error, Result};
use crate::numeric::statistics::mean;

/// A prediction of Theorem 1 beside its estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Theorem 1, mean over the pairs.
    pub theory: f64,
    /// From drawn networks: theory times the mean ratio of estimate to theory, over pairs and initialisations.
    pub estimate: f64,
    /// Its standard error, from the initialisations; the numerical error of the theory is at most a tenth of it.
    pub standard_error: f64,
    /// The skewness of the mean over initialisations, estimated from them: the skewness of one, divided by the root of
    /// their number. At least 1 where an entry that makes up most of the mean may be in no draw at all.
    #[serde(default)]
    pub skewness: f64,
}

impl Check {
    /// The deviation in standard errors, from a theory that is wrong by `factor` (1: as it is).
    #[must_use]
    pub fn z(&self, factor: f64) -> f64 {
        (self.estimate - factor * self.theory) / self.standard_error
    }

    /// Whether the mean over initialisations is near enough to normal for its z score to be tested: its skewness is at
    /// most [`Check::MOST_SKEWNESS`].
    #[must_use]
    pub fn is_tested(&self) -> bool {
        self.skewness.abs() <= Self::MOST_SKEWNESS
    }

    /// Above this, a small standard error tends to come with an estimate that is far too low, so a true theorem is
    /// rejected: for up to a tenth of seeds at the smallest settings, and for none of thousands below this
    /// (`examples/coverage.rs`).
    pub const MOST_SKEWNESS: f64 = 0.2;
}

/// What is checked in each cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Quantity {
    /// The mean of the kernel, `E[nngp] = K~_1 / d`.
    #[strum(message = "mean")]
    Mean,
    /// Its variance, `Var[nngp] = (K~_2 - K~_1^2) / (d^2 n)`.
    #[strum(message = "variance")]
    Variance,
    /// Its distance, `E[(nngp - nngp_inf)^2]`.
    #[strum(message = "distance")]
    Distance,
}

impl Quantity {
    /// All, in the order of [`Cell::checks`].
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name, for tables and legends.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// The z scores of one quantity over all cells that are tested, which are independent of each other, as two p-values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tests {
    /// The quantity.
    pub quantity: Quantity,
    /// The p-value of their sum of squares, which is chi-square under the theorem.
    pub chi_square: f64,
    /// The p-value of their distribution, standard normal under the theorem, by Kolmogorov and Smirnov.
    pub kolmogorov_smirnov: f64,
}

/// The skewness of a sample; 0 where all its values are equal.
pub(crate) fn skewness(values: &[f64]) -> f64 {
    let center = mean(values);
    let moment =
        |power: i32| values.iter().map(|value| (value - center).powi(power)).sum::<f64>() / values.len() as f64;
    let second = moment(2);
    if second > 0.0 { moment(3) / second.powf(1.5) } else { 0.0 }
}

impl Tests {
    /// Tests the cells against a theorem that is wrong by `factor` (1: as it is), quantity by quantity.
    ///
    /// # Errors
    /// Where no cell of a quantity can be tested ([`Check::is_tested`]).
    pub fn of(cells: &[Cell], factor: f64) -> Result<Vec<Self>> {
        if cells.is_empty() {
            return Err(Error::value("cells", 0, "there is nothing to test", "give at least one cell"));
        }
        let failure = |error: &dyn std::fmt::Display| Error::failure("testing the z scores", error);
        Quantity::ALL
        .iter()
        .copied()
        .enumerate()
        .map(|(place, quantity)| {
            let checks = || cells.iter().map(|cell| cell.checks[place]);
            let scores: Vec<f64> = checks().filter(Check::is_tested).map(|check| check.z(factor)).collect();
            let least = checks().map(|check| check.skewness.abs()).fold(f64::INFINITY, f64::min);
            if scores.is_empty() {
                let problem = format!(
                    "in each of them the mean of the {} over initialisations is too skewed for a test (skewness {least:.2} and more; \
                     at most {} is tested)",
                    quantity.title(),
                    Check::MOST_SKEWNESS
                );
                // More draws also find more of the tail.
                let times = (2.0 * (least / Check::MOST_SKEWNESS).powi(2)).ceil().max(2.0);
                let remedy = format!("draw {times:.0} times as many initialisations, or more weights per row and wider layers");
                return Err(Error::value("cells", cells.len(), problem, remedy));
            }
            let chi_square = ChiSquared::new(scores.len() as f64).map_err(|error| failure(&error))?;
            let sum = scores.iter().map(|z| z * z).sum();
            let normal = Normal::standard();
            let method = KSOneSampleAlternativeMethod::TwoSidedAsymptotic;
            let (_, kolmogorov_smirnov) =
                ks_onesample(scores, &normal, method, NaNPolicy::Error).map_err(|error| failure(&error))?;
            Ok(Self { quantity, chi_square: chi_square.sf(sum), kolmogorov_smirnov })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skewness_by_hand() {
        // Deviations -1, -1, 2: second moment 2, third 2.
        assert!((skewness(&[0.0, 0.0, 3.0]) - 2.0 / 2f64.powf(1.5)).abs() < 1e-15);
        assert_eq!(skewness(&[4.0, 4.0]), 0.0);
    }
}
