//! How much of a network is kept, in the three ways that people say it.

use crate::error::{Error, Result};

/// A budget: how many weights a network keeps, or the share of its weights that it keeps or loses.
///
/// ```
/// use sparsewidth::network::budget::Budget;
/// assert_eq!(Budget::Density(0.1).weights(171_504)?, 17_150);
/// assert_eq!(Budget::Sparsity(0.9).weights(171_504)?, 17_150);
/// assert_eq!(Budget::Weights(17_150).weights(171_504)?, 17_150);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// So many weights.
    Weights(u64),
    /// This share `P` of all weights, in `(0, 1]`: `round(P N)` of `N`.
    Density(f64),
    /// All but this share `S` of the weights, in `[0, 1)`: `N - round(S N)` of `N`.
    Sparsity(f64),
}

impl Budget {
    /// The number of weights to keep, out of `all`.
    ///
    /// # Errors
    /// Where a density or sparsity is out of its range, or keeps no weight. A number of weights is not checked here,
    /// but by the [`Rule`](super::Rule).
    pub fn weights(self, all: u64) -> Result<u64> {
        let (name, share, range, is_in_range) = match self {
            Self::Weights(weights) => return Ok(weights),
            Self::Density(share) => ("density", share, "above 0 and at most 1", share > 0.0 && share <= 1.0),
            Self::Sparsity(share) => ("sparsity", share, "from 0 to below 1", (0.0..1.0).contains(&share)),
        };
        if !is_in_range {
            let problem = format!("must be {range}, as a share of all weights");
            return Err(Error::value(name, share, problem, "give such a number, for instance 0.1 or 10%"));
        }
        let rounded = (share * all as f64).round() as u64;
        let weights = if name == "density" { rounded } else { all - rounded.min(all) };
        if weights == 0 {
            let problem = format!("keeps none of {all} weights");
            let change = if name == "density" { "larger" } else { "smaller" };
            return Err(Error::value(name, share, problem, format!("give a {change} one")));
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn density_and_sparsity_are_two_ways_to_say_one_number() {
        for all in [1u64, 7, 1_000, 171_504, 11_689_512, 1 << 52] {
            for percents in 1..100 {
                let (density, sparsity) = (f64::from(percents) / 100.0, f64::from(100 - percents) / 100.0);
                let by_density = Budget::Density(density).weights(all);
                let by_sparsity = Budget::Sparsity(sparsity).weights(all);
                if let (Ok(a), Ok(b)) = (by_density, by_sparsity) {
                    assert!(a.abs_diff(b) <= 1, "a half is rounded up in one and down in the other: {a} {b}");
                }
            }
            assert_eq!(Budget::Density(1.0).weights(all).unwrap(), all);
            assert_eq!(Budget::Sparsity(0.0).weights(all).unwrap(), all);
        }
    }

    #[test]
    fn what_keeps_nothing_or_is_no_share_is_refused() {
        for (budget, words) in [
            (Budget::Density(0.0), "density = 0: must be above 0"),
            (Budget::Density(1.1), "density = 1.1"),
            (Budget::Density(f64::NAN), "density = NaN"),
            (Budget::Density(1e-9), "keeps none of 1000 weights; give a larger one"),
            (Budget::Sparsity(1.0), "sparsity = 1: must be from 0 to below 1"),
            (Budget::Sparsity(-0.1), "sparsity = -0.1"),
            (Budget::Sparsity(0.9999), "give a smaller one"),
        ] {
            let message = budget.weights(1_000).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
