//! Where the weights of a fixed budget go, layer by layer and entry by entry; and the settings of the paper's MLP experiment.

mod bottleneck;
mod masks;
mod rule;
mod shapes;

pub use bottleneck::{linear_bottleneck_width, nonlinear_bottleneck_width, product_weights};
pub use masks::{Pattern, masks_npz};
pub use rule::Rule;
pub use shapes::{LayerShape, LayerShapes, Stem};

use crate::error::{Error, Result};
use crate::network::Connectivity;

/// The connectivity of the first layer of a `dimension - width - outputs` perceptron that has `weights` weights in all and
/// a dense last layer: `p = (weights - outputs width) / (dimension width)`.
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

/// The same beside a last layer of connectivity `q`, which keeps `round(q outputs width)` weights.
///
/// # Errors
/// Where the width is 0 or the outputs exceed 10^9, the last layer takes the whole budget, or the budget exceeds what is left.
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
    // Beyond, a budget can no longer be told from its neighbours.
    const MOST_OUTPUTS: usize = 1_000_000_000;
    if outputs > MOST_OUTPUTS {
        let problem = format!("is beyond the largest that a network takes, {MOST_OUTPUTS}");
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

/// The widths of the paper's MLP experiment (arXiv 2010.14495, Section 3), for both families.
pub const PAPER_WIDTHS: [usize; 7] = [8, 32, 128, 216, 328, 512, 635];

/// The width whose dense network sets the budget: 6,352 weights on MNIST, `(784 + 10) 8`.
pub const PAPER_BASE_WIDTH: usize = 8;

/// The widths to look at where none are asked for: `usual` ones, in rising order, where the budget fits them all; otherwise others that
/// lie as they do, by ratio, between the least and the greatest width that it fits. Where the last layer has no outputs, the greatest is
/// the one at which a row has one weight on average.
///
/// ```
/// use sparsewidth::network::budget::{PAPER_WIDTHS, usual_widths};
/// use sparsewidth::network::Connectivity;
/// assert_eq!(usual_widths(&PAPER_WIDTHS, 6352, 784, 10, Connectivity::DENSE), PAPER_WIDTHS);
/// // Images of 4 x 4 pixels at 8 (16 + 10) weights.
/// assert_eq!(usual_widths(&PAPER_WIDTHS, 208, 16, 10, Connectivity::DENSE), [8, 11, 14, 16, 17, 19, 20]);
/// ```
pub fn usual_widths(
    usual: &[usize],
    weights: usize,
    dimension: usize,
    outputs: usize,
    last_connectivity: Connectivity,
) -> Vec<usize> {
    let fits =
        |width: &usize| first_layer_connectivity_beside(weights, dimension, outputs, *width, last_connectivity).is_ok();
    let last = last_connectivity.get() * outputs as f64;
    let least = (weights as f64 / (dimension as f64 + last)).ceil().max(1.0);
    let greatest = if outputs == 0 { weights as f64 } else { ((weights as f64 - 1.0) / last).floor() };
    if usual.iter().all(fits) || least > greatest {
        return usual.to_vec();
    }
    let [first, .., end] = PAPER_WIDTHS.map(|width| (width as f64).ln());
    let place = |width: &usize| (((*width).max(1) as f64).ln() - first) / (end - first);
    let scaled = |place: f64| (least * (greatest / least).powf(place)).round().clamp(least, greatest) as usize;
    let mut widths: Vec<usize> = usual.iter().map(|width| scaled(place(width))).filter(fits).collect();
    widths.dedup();
    if widths.is_empty() { usual.to_vec() } else { widths }
}

/// The authors' tuned learning rates for the sparse family, by width (google-research/wide-sparse-nets).
const SPARSE_RATES: [(usize, f64); 7] =
    [(8, 5.0), (32, 136.0), (128, 260.0), (216, 361.0), (328, 491.0), (512, 736.0), (635, 875.0)];

/// The same for the dense family.
const DENSE_RATES: [(usize, f64); 7] =
    [(8, 5.0), (32, 80.0), (128, 173.0), (216, 228.0), (328, 306.0), (512, 445.0), (635, 460.0)];

/// The authors' learning rate for a width on MNIST at their budget, where they tuned one.
///
/// # Errors
/// For any other width.
pub fn paper_learning_rate(width: usize, dense: bool) -> Result<f64> {
    let rates = if dense { &DENSE_RATES } else { &SPARSE_RATES };
    rates.iter().find(|(tuned, _)| *tuned == width).map(|(_, rate)| *rate).ok_or_else(|| {
        Error::value(
            "width",
            width,
            format!("the paper tuned no learning rate for it, only for {PAPER_WIDTHS:?}"),
            "give one with --learning-rate",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn usual_widths_suit_every_budget_that_has_any() {
        for (weights, dimension, outputs, q) in [
            (6352, 784, 10, 1.0),
            (208, 16, 10, 1.0),
            (100, 784, 10, 1.0),
            (100_000, 784, 10, 0.3),
            (7, 1, 1, 1.0),
            (99_999, 5, 0, 1.0),
        ] {
            let q = Connectivity::new(q).unwrap();
            let widths = usual_widths(&PAPER_WIDTHS, weights, dimension, outputs, q);
            assert!(!widths.is_empty() && widths.windows(2).all(|pair| pair[0] < pair[1]), "{widths:?}");
            for width in &widths {
                let p = first_layer_connectivity_beside(weights, dimension, outputs, *width, q);
                assert!(p.is_ok(), "{weights} {dimension} {outputs}: {widths:?}");
            }
        }
        // As before where the usual ones fit, and a refusal to come where none does.
        assert_eq!(usual_widths(&PAPER_WIDTHS, 8 * 784, 784, 0, Connectivity::DENSE), PAPER_WIDTHS);
        assert_eq!(usual_widths(&PAPER_WIDTHS, 5, 784, 10, Connectivity::DENSE), PAPER_WIDTHS);
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
