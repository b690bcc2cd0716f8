//! Where the weights of a fixed budget go, layer by layer and entry by entry.

mod amount;
mod bottleneck;
mod fan_in;
mod given;
mod header;
mod masks;
mod rule;
mod shapes;

pub use amount::Budget;
pub use bottleneck::{linear_bottleneck_width, nonlinear_bottleneck_width, product_weights};
pub use fan_in::FanIn;
pub use masks::{Pattern, masks_npz};
pub use rule::Rule;
pub use shapes::{LayerShape, LayerShapes, Stem};

use crate::error::{Error, Result};
use crate::network::Connectivity;

/// The connectivity of the first layer of a `dimension - width - outputs` perceptron that has `weights` weights in all
/// and a dense last layer: `p = (weights - outputs width) / (dimension width)`.
///
/// ```
/// use sparsewidth::network::budget::first_layer_connectivity;
/// assert_eq!(first_layer_connectivity(6352, 784, 10, 8)?.get(), 1.0);
/// assert_eq!(first_layer_connectivity(6352, 784, 10, 635)?.get(), 2.0 / (784.0 * 635.0));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
///
/// # Errors
/// Where the width is 0, the last layer takes the whole budget, or the budget exceeds a dense network.
pub fn first_layer_connectivity(
    weights: usize,
    dimension: usize,
    outputs: usize,
    width: usize,
) -> Result<Connectivity> {
    first_layer_connectivity_beside(weights, dimension, outputs, width, Connectivity::DENSE)
}

/// The same with a last layer of connectivity `q`, which keeps `round(q outputs width)` weights.
///
/// # Errors
/// Where the width is 0 or the outputs exceed 10^9, the last layer takes the whole budget, or the budget exceeds what
/// is left.
pub fn first_layer_connectivity_beside(
    weights: usize,
    dimension: usize,
    outputs: usize,
    width: usize,
    last_connectivity: Connectivity,
) -> Result<Connectivity> {
    if width == 0 {
        return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give a positive width"));
    }
    // Beyond this many, a budget can no longer be distinguished from the next.
    const MOST_OUTPUTS: usize = 1_000_000_000;
    if outputs > MOST_OUTPUTS {
        let problem = format!("is more than the {MOST_OUTPUTS} that a network can have");
        return Err(Error::value("outputs", outputs, problem, "give a smaller number"));
    }
    let first = dimension as f64 * width as f64;
    let last = (last_connectivity.get() * (outputs as f64 * width as f64)).round();
    let left = weights as f64 - last;
    if left < 1.0 || left > first {
        let problem = if left < 1.0 { "too small" } else { "too large" };
        let kind = if last_connectivity.is_dense() { "dense last layer" } else { "last layer" };
        return Err(Error::value(
            "weights",
            weights,
            format!("the budget is {problem} for width {width}: its {kind} takes {last}, its first {first}"),
            format!("give from {} to {} weights, or another width", last + 1.0, last + first),
        ));
    }
    Connectivity::new(left / first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::paper::PAPER_WIDTHS;

    #[test]
    fn paper_budget() {
        let kept: Vec<f64> = PAPER_WIDTHS
            .iter()
            .map(|n| first_layer_connectivity(6352, 784, 10, *n).unwrap().get() * 784.0 * *n as f64)
            .map(f64::round)
            .collect();
        assert_eq!(kept, [6272.0, 6032.0, 5072.0, 4192.0, 3072.0, 1232.0, 2.0]);
    }

    #[test]
    fn a_sparse_last_layer_leaves_more_to_the_first() {
        let p = |width, q| first_layer_connectivity_beside(3970, 784, 10, width, Connectivity::new(q).unwrap());
        assert_eq!(p(5, 1.0).unwrap(), Connectivity::DENSE);
        assert!(p(5, 0.9).unwrap_err().to_string().contains("too large"));
        assert_eq!(p(640, 0.1).unwrap().get(), (3970.0 - 640.0) / (784.0 * 640.0));
        assert!(p(640, 0.7).unwrap_err().to_string().contains("too small"));
        // Ties of rounding as where layers are drawn: 0.35 times 330 is just below 115.5 there.
        assert_eq!(p(33, 0.35).unwrap().get(), (3970.0 - 115.0) / (784.0 * 33.0));
    }

    #[test]
    fn infeasible_budgets_say_the_range() {
        let message = |weights, width| first_layer_connectivity(weights, 784, 10, width).unwrap_err().to_string();
        assert!(message(6352, 636).contains("from 6361"), "{}", message(6352, 636));
        assert!(message(6353, 8).contains("to 6352"));
        assert!(message(100, 0).contains("width"));
    }
}
