//! The paper's experiments: their widths, budgets, learning rates and protocols, and the networks that follow from them
//! (arXiv 2010.14495; learning rates from the authors' code, google-research/wide-sparse-nets).

use super::distance::{DistanceMethod, DistanceSpec, NetworkSpec, Reference};
use super::training::{EvaluationSet, Family, MOST_SAMPLES, TrainedNetwork, TrainingStudySpec};
use crate::data::{CLASSES, Normalisation, SUBSET_SIZE};
use crate::error::{Error, Result, Setting};
use crate::kernel::ntk::Kernel;
use crate::network::budget::first_layer_connectivity_beside;
use crate::network::{Activation, Connectivity, Layer, WeightDistribution};
use crate::train::Parametrisation;

/// The number of pixels of an MNIST image, the paper's input dimension.
pub const PAPER_DIMENSION: usize = 784;

/// Runs of each network in the paper's figure.
pub const PAPER_RUNS: usize = 10;

/// The widths of the paper's heat map.
pub const HEAT_MAP_WIDTHS: [usize; 8] = [5, 10, 20, 40, 80, 160, 320, 640];

/// The width whose dense network sets the heat map's budget: 3,970 weights on MNIST.
pub const HEAT_MAP_BASE_WIDTH: usize = 5;

/// The widths of the paper's MLP experiment (arXiv 2010.14495, Section 3), for both families.
pub const PAPER_WIDTHS: [usize; 7] = [8, 32, 128, 216, 328, 512, 635];

/// The width whose dense network sets the budget: 6,352 weights on MNIST, `(784 + 10) 8`.
pub const PAPER_BASE_WIDTH: usize = 8;

/// The widths to use where none are given: `usual`, in rising order, if the budget fits them all. Otherwise they are
/// rescaled, by ratio, from 8 to 635 onto the range of widths that the budget fits; where it fits none, `usual`
/// unchanged. Where the last layer has no outputs, the largest width is the one at which a row has one weight on
/// average.
///
/// ```
/// use sparsewidth::study::paper::{PAPER_WIDTHS, usual_widths};
/// use sparsewidth::network::Connectivity;
/// assert_eq!(usual_widths(&PAPER_WIDTHS, 6352, 784, 10, Connectivity::DENSE), PAPER_WIDTHS);
/// // Images of 4 x 4 pixels at 8 (16 + 10) weights.
/// assert_eq!(usual_widths(&PAPER_WIDTHS, 208, 16, 10, Connectivity::DENSE), [8, 11, 14, 16, 17, 19, 20]);
/// ```
#[must_use]
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
            "give a learning rate",
        )
        .about(Setting::LearningRate)
    })
}

impl DistanceSpec {
    /// The paper's protocol for the given networks: 10^4 pairs, 10 initialisations; the theory's masks and weights.
    #[must_use]
    pub fn paper(networks: Vec<NetworkSpec>) -> Self {
        Self {
            normalisations: vec![Normalisation::Pixel],
            networks,
            methods: DistanceMethod::USUAL.to_vec(),
            kernels: vec![Kernel::Nngp],
            tangent_methods: None,
            pairs: 10_000,
            tangent_pairs: None,
            initialisations: 10,
            tolerance: 1e-4,
            masks: 1_000,
            law: WeightDistribution::Gaussian,
            reference: Reference::Analytic,
        }
    }
}

impl TrainingStudySpec {
    /// The paper's protocol for the given networks: 2,048 samples, 300 epochs, batch 256, exact counts, uniform
    /// weights, no biases.
    #[must_use]
    pub fn paper(networks: Vec<TrainedNetwork>, runs: usize) -> Self {
        Self {
            normalisation: Normalisation::Pixel,
            samples: SUBSET_SIZE,
            evaluation: EvaluationSet::Test,
            networks,
            runs,
            first_run: 0,
            epochs: 300,
            batch: 256,
            law: WeightDistribution::Uniform,
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
            keep_weights: false,
        }
    }

    /// The paper's protocol for its heat map: all training samples, batch 100, biases, the standard parametrisation.
    #[must_use]
    pub fn heat_map(networks: Vec<TrainedNetwork>, runs: usize) -> Self {
        Self {
            normalisation: Normalisation::Global,
            samples: MOST_SAMPLES,
            batch: 100,
            parametrisation: Parametrisation::Standard,
            biases: true,
            ..Self::paper(networks, runs)
        }
    }
}

/// The networks to train for a figure, each at learning rate 1: the sparse network of each kernel and, if asked for, a
/// dense one of the same width. A network that is dense already is trained once, for both families. Each has one output
/// per class.
///
/// # Errors
/// Where a width or the number of classes is 0.
pub fn figure_networks(kernels: &[NetworkSpec], classes: usize, dense_family: bool) -> Result<Vec<TrainedNetwork>> {
    let sparse = kernels.iter().map(|network| (Family::Sparse, network.width(), network.connectivity()));
    let wider = kernels.iter().filter(|network| dense_family && !network.connectivity().is_dense());
    let dense = wider.map(|network| (Family::Dense, network.width(), Connectivity::DENSE));
    let of = |(family, width, p)| TrainedNetwork::of_one_layer(family, (width, p), classes, 1.0);
    sparse.chain(dense).map(of).collect()
}

/// The networks of the paper's MLP figure at a budget, with the authors' learning rates: the sparse family (its first
/// width is the dense base network), and the wider dense networks where they are asked for.
///
/// # Errors
/// Where the budget does not fit the paper's widths.
pub fn paper_networks(weights: usize, dimension: usize, dense_family: bool) -> Result<Vec<TrainedNetwork>> {
    let kernels = NetworkSpec::at_budget(weights, dimension, CLASSES, &PAPER_WIDTHS)?;
    let with_rate = |network: &TrainedNetwork| {
        Ok(network.with_rate(paper_learning_rate(network.hidden().width(), network.family == Family::Dense)?))
    };
    figure_networks(&kernels, CLASSES, dense_family)?.iter().map(with_rate).collect()
}

/// The cells of the paper's heat map: every width with every connectivity of the last layer and every activation, where
/// that leaves the first layer at least one weight and no more than it has room for; of inputs of some dimension, in
/// some classes.
///
/// # Errors
/// Where a width is 0, or no cell is left.
pub fn heat_map_networks(
    weights: usize,
    (dimension, classes): (usize, usize),
    widths: &[usize],
    last_connectivities: &[Connectivity],
    activations: &[Activation],
    learning_rate: f64,
) -> Result<Vec<TrainedNetwork>> {
    if widths.contains(&0) {
        return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give positive widths"));
    }
    let mut networks = Vec::new();
    let mut refusal = None;
    for activation in activations {
        for last_connectivity in last_connectivities {
            for width in widths {
                match first_layer_connectivity_beside(weights, dimension, classes, *width, *last_connectivity) {
                    Ok(connectivity) => {
                        let hidden = vec![Layer::new(*width, connectivity, *activation)?];
                        let last = (classes, *last_connectivity);
                        networks.push(TrainedNetwork::of_hidden(Family::Sparse, hidden, last, learning_rate)?);
                    }
                    Err(error) => refusal = Some(error),
                }
            }
        }
    }
    match refusal {
        Some(error) if networks.is_empty() => Err(error),
        _ if networks.is_empty() => {
            Err(Error::value("networks", 0, "there is no width, last layer or activation", "give at least one of each"))
        }
        _ => Ok(networks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // Unchanged where the usual widths fit, and where none does, which is refused later.
        assert_eq!(usual_widths(&PAPER_WIDTHS, 8 * 784, 784, 0, Connectivity::DENSE), PAPER_WIDTHS);
        assert_eq!(usual_widths(&PAPER_WIDTHS, 5, 784, 10, Connectivity::DENSE), PAPER_WIDTHS);
    }
}
