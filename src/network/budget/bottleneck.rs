//! Widths of networks with a bottleneck at a weight budget (arXiv 2010.14495, Section 2).

use crate::error::{Error, Result};

/// The number of weights that a matrix of rank `rank` counts for: `r (rows + columns - r)`, the dimension of the set of
/// such matrices.
///
/// Written as a product of `rows x r` and `r x columns`, it has `r^2` more weights, by which the factors can change
/// without changing their product. At full rank it is `rows columns`, the count before the split.
///
/// ```
/// use sparsewidth::network::budget::product_weights;
/// assert_eq!(product_weights(8, 784, 8), 8 * 784);
/// assert_eq!(product_weights(53, 784, 7), 7 * (784 + 53) - 49);
/// ```
#[must_use]
pub fn product_weights(rows: usize, columns: usize, rank: usize) -> usize {
    let rank = rank.min(rows).min(columns);
    rank.saturating_mul((rows - rank).saturating_add(columns))
}

/// The largest width `n` of a `dimension - n - outputs` perceptron whose first matrix has rank `rank` and whose
/// weights, that matrix counted by [`product_weights`], are at most `weights`.
///
/// # Errors
/// Where the rank is 0 or above the dimension, or the budget leaves a width below the rank.
pub fn linear_bottleneck_width(weights: usize, dimension: usize, outputs: usize, rank: usize) -> Result<usize> {
    // r (d + n - r) + outputs n
    let fixed = rank.saturating_mul(dimension.saturating_sub(rank));
    widest(weights, dimension, rank, fixed, rank.saturating_add(outputs))
}

/// The largest width `n` of a dense `dimension - narrow - n - outputs` perceptron of at most `weights` weights.
///
/// # Errors
/// Where the narrow layer has no unit or more than the dimension, or the budget leaves a width below it.
pub fn nonlinear_bottleneck_width(weights: usize, dimension: usize, outputs: usize, narrow: usize) -> Result<usize> {
    widest(weights, dimension, narrow, narrow.saturating_mul(dimension), narrow.saturating_add(outputs))
}

/// The largest width at `fixed` weights and `each` more per hidden unit.
fn widest(weights: usize, dimension: usize, narrow: usize, fixed: usize, each: usize) -> Result<usize> {
    if narrow == 0 || narrow > dimension {
        let problem = format!("must be from 1 to the dimension, {dimension}");
        return Err(Error::value("bottleneck", narrow, problem, "give a width in that range"));
    }
    let width = weights.saturating_sub(fixed) / each;
    if width >= narrow {
        return Ok(width);
    }
    let least = fixed.saturating_add(each.saturating_mul(narrow));
    let problem = format!("the budget is too small for a bottleneck of width {narrow}: no wider layer fits behind it");
    Err(Error::value("weights", weights, problem, format!("give at least {least} weights, or a narrower bottleneck")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::budget::first_layer_connectivity;
    use crate::study::paper::PAPER_BASE_WIDTH;

    #[test]
    fn the_budget_is_met_but_for_less_than_a_unit() {
        for weights in [500, 3970, 6352, 63_520, 1_000_000] {
            for narrow in 1..=100 {
                let (mut found, mut least) = (0, Vec::new());
                if let Ok(width) = linear_bottleneck_width(weights, 784, 10, narrow) {
                    let of = |width: usize| product_weights(width, 784, narrow) + 10 * width;
                    assert!(width >= narrow && of(width) <= weights && of(width + 1) > weights, "{weights} {narrow}");
                    found += 1;
                } else {
                    least.push(product_weights(narrow, 784, narrow) + 10 * narrow);
                }
                if let Ok(width) = nonlinear_bottleneck_width(weights, 784, 10, narrow) {
                    let of = |width: usize| narrow * 784 + width * narrow + 10 * width;
                    assert!(width >= narrow && of(width) <= weights && of(width + 1) > weights, "{weights} {narrow}");
                    found += 1;
                } else {
                    least.push(narrow * 784 + narrow * narrow + 10 * narrow);
                }
                assert!(least.iter().all(|least| *least > weights), "{weights} {narrow}: {found} found, {least:?}");
            }
        }
    }

    #[test]
    fn full_rank_is_the_dense_base_network() {
        assert_eq!(linear_bottleneck_width(6352, 784, 10, PAPER_BASE_WIDTH).unwrap(), PAPER_BASE_WIDTH);
        assert!(first_layer_connectivity(6352, 784, 10, PAPER_BASE_WIDTH).unwrap().is_dense());
    }

    #[test]
    fn infeasible_bottlenecks_say_what_is_feasible() {
        let message = |found: Result<usize>| found.unwrap_err().to_string();
        assert!(message(linear_bottleneck_width(6352, 784, 10, 9)).contains("at least 7146"));
        assert!(message(nonlinear_bottleneck_width(6352, 784, 10, 8)).contains("at least 6416"));
        assert!(message(linear_bottleneck_width(6352, 784, 10, 0)).contains("from 1 to"));
        assert!(message(nonlinear_bottleneck_width(usize::MAX, 784, 10, 785)).contains("784"));
        assert!(linear_bottleneck_width(usize::MAX, usize::MAX, usize::MAX, usize::MAX).is_err());
    }
}
