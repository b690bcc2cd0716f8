//! Networks widened at a fixed budget, in the ways that the paper compares.

use super::distance::NetworkSpec;
use super::spec::check_distinct;
use super::training::{Family, TrainedNetwork};
use crate::error::{Error, Result};
use crate::network::Connectivity;
use crate::network::budget::{first_layer_connectivity, linear_bottleneck_width, nonlinear_bottleneck_width};
use crate::network::{Activation, Architecture, Layer, MaskFamily};

/// The networks of one way to widen at a weight budget, for inputs of some dimension in some classes, each with
/// learning rate 1.
///
/// The last layer is dense in all of them. Sparse networks have the widths given. The width behind a bottleneck follows
/// from the budget: `bottlenecks` are used if given, otherwise those whose width is nearest to each of `widths`. Of a
/// linear bottleneck the first matrix counts by its rank
/// ([`product_weights`](crate::network::budget::product_weights)), so that at full rank it has the weights of the
/// matrix that was split.
///
/// # Errors
/// Where the budget does not fit a width or a bottleneck, or no network is left.
pub fn widened_networks(
    family: Family,
    weights: usize,
    (dimension, classes): (usize, usize),
    widths: &[usize],
    bottlenecks: &[usize],
) -> Result<Vec<TrainedNetwork>> {
    let behind = |activation: Activation, width_of: fn(usize, usize, usize, usize) -> Result<usize>| {
        let of = |narrow: usize| {
            let width = width_of(weights, dimension, classes, narrow)?;
            two_layers(family, (narrow, activation), (width, classes), Connectivity::DENSE)
        };
        if !bottlenecks.is_empty() {
            return bottlenecks.iter().map(|narrow| of(*narrow)).collect();
        }
        // Where a bottleneck does not fit, no wider one does.
        let all: Vec<TrainedNetwork> = (1..=dimension).map_while(|narrow| of(narrow).ok()).collect();
        if all.is_empty() {
            of(1)?;
        }
        let mut nearest: Vec<TrainedNetwork> = widths
            .iter()
            .filter_map(|width| all.iter().min_by_key(|network| network.hidden().width().abs_diff(*width)).cloned())
            .collect();
        nearest.sort_by_key(|network| network.hidden().width());
        nearest.dedup_by_key(|network| network.hidden().width());
        Ok(nearest)
    };
    check_distinct("bottlenecks", bottlenecks, usize::to_string)?;
    if widths.contains(&0) {
        return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give positive widths"));
    }
    let networks = match family {
        Family::Sparse => widths
            .iter()
            .map(|width| {
                let connectivity = first_layer_connectivity(weights, dimension, classes, *width)?;
                TrainedNetwork::of_one_layer(family, (*width, connectivity), classes, 1.0)
            })
            .collect::<Result<Vec<_>>>()?,
        Family::DeepSparse => widths
            .iter()
            .map(|width| {
                let connectivity = deep_connectivity(weights, (dimension, classes), *width)?;
                two_layers(family, (*width, Activation::Relu), (*width, classes), connectivity)
            })
            .collect::<Result<Vec<_>>>()?,
        Family::LinearBottleneck => behind(Activation::Linear, linear_bottleneck_width)?,
        Family::NonlinearBottleneck => behind(Activation::Relu, nonlinear_bottleneck_width)?,
        Family::Dense => {
            let problem = "its number of weights grows with the width, so it keeps no budget";
            return Err(Error::value("family", family.name(), problem, "use one of the others"));
        }
    };
    if networks.is_empty() {
        return Err(Error::value(
            "widths",
            0,
            "no way to widen was asked for",
            "give at least one width or bottleneck",
        ));
    }
    let width = |network: &TrainedNetwork| network.hidden().width();
    let twice = (networks.iter().enumerate()).find_map(|(index, second)| {
        Some((networks[..index].iter().find(|first| width(first) == width(second))?, second))
    });
    if let Some((first, second)) = twice {
        let of = |network: &TrainedNetwork| match network.architecture.layers() {
            [before, _, _] => format!(" after {}:{}", before.activation().name(), before.width()),
            _ => String::new(),
        };
        let problem =
            format!("two networks have this width{}{}, and networks are compared by width", of(first), of(second));
        return Err(Error::value("width", width(first), problem, "leave one of them out"));
    }
    Ok(networks)
}

/// A network of two hidden layers of one connectivity, the last of ReLU units.
fn two_layers(
    family: Family,
    (width, activation): (usize, Activation),
    (last_width, classes): (usize, usize),
    connectivity: Connectivity,
) -> Result<TrainedNetwork> {
    let hidden =
        vec![Layer::new(width, connectivity, activation)?, Layer::new(last_width, connectivity, Activation::Relu)?];
    TrainedNetwork::of_hidden(family, hidden, (classes, Connectivity::DENSE), 1.0)
}

/// The connectivity that two hidden layers of one width share, beside a dense last layer: the proportional rule.
fn deep_connectivity(weights: usize, (dimension, classes): (usize, usize), width: usize) -> Result<Connectivity> {
    let (n, last) = (width as f64, classes as f64 * width as f64);
    let places = dimension as f64 * n + n * n;
    let left = weights as f64 - last;
    if left < 1.0 || left > places {
        return Err(Error::value(
            "weights",
            weights,
            format!("does not fit two hidden layers of width {width} and a dense last layer"),
            format!("give from {} to {} weights, or another width", last + 1.0, last + places),
        ));
    }
    Connectivity::new(left / places)
}

impl TrainedNetwork {
    /// The part of the network that a kernel is of: all layers but the last, under the theory's Bernoulli masks.
    #[must_use]
    pub fn kernel_network(&self) -> NetworkSpec {
        let hidden =
            self.architecture.before_last().iter().map(|layer| layer.with_mask(MaskFamily::Bernoulli)).collect();
        let architecture =
            Architecture::new(hidden).expect("a network to train has a hidden layer: checked where it is made");
        NetworkSpec { architecture, np_connectivity: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::budget::product_weights;
    use crate::study::paper::PAPER_WIDTHS;

    /// Weights, a product counted by its rank.
    fn effective(network: &TrainedNetwork) -> f64 {
        match network.architecture.layers() {
            [before, hidden, _] if before.activation() == Activation::Linear => {
                (product_weights(hidden.width(), 784, before.width()) + 10 * hidden.width()) as f64
            }
            _ => network.architecture.weights(784),
        }
    }

    #[test]
    fn no_width_is_no_way_to_widen() {
        for family in [Family::Sparse, Family::LinearBottleneck, Family::NonlinearBottleneck] {
            let message = widened_networks(family, 6352, (784, 10), &[], &[]).unwrap_err().to_string();
            assert!(message.contains("no way to widen was asked for"), "{message}");
        }
    }

    #[test]
    fn every_way_keeps_the_budget() {
        for family in [Family::Sparse, Family::DeepSparse, Family::LinearBottleneck, Family::NonlinearBottleneck] {
            let networks = widened_networks(family, 6352, (784, 10), &PAPER_WIDTHS[..6], &[]).unwrap();
            assert!(
                networks.len() >= 5
                    && networks.windows(2).all(|pair| pair[0].hidden().width() < pair[1].hidden().width())
            );
            for network in &networks {
                // A whole unit of a bottleneck is at most 18 weights.
                let weights = effective(network);
                assert!(weights <= 6352.0 + 1e-9 && weights > 6352.0 - 18.0, "{}: {weights}", network.name());
            }
        }
        let ranks = |family, bottlenecks: &[usize]| -> Vec<(usize, usize)> {
            let networks = widened_networks(family, 6352, (784, 10), &[8, 500], bottlenecks).unwrap();
            let widths = |network: &TrainedNetwork| [0, 1].map(|layer| network.architecture.layers()[layer].width());
            networks.iter().map(|network| widths(network).into()).collect()
        };
        assert_eq!(ranks(Family::LinearBottleneck, &[]), [(8, 8), (1, 506)]);
        assert_eq!(ranks(Family::LinearBottleneck, &[7, 3]), [(7, 53), (3, 308)]);
        assert_eq!(ranks(Family::NonlinearBottleneck, &[]), [(7, 50), (1, 506)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |family, weights, widths: &[usize], bottlenecks: &[usize]| {
            widened_networks(family, weights, (784, 10), widths, bottlenecks).unwrap_err().to_string()
        };
        assert!(message(Family::DeepSparse, 6352, &[636], &[]).contains("from 6361"));
        assert!(message(Family::DeepSparse, 6352, &[0], &[]).contains("width = 0"));
        // One weight too few for another unit behind the wider one.
        assert!(message(Family::LinearBottleneck, 622_496, &[], &[783, 784]).contains("width = 784"));
        assert!(message(Family::Sparse, 6352, &[8, 8], &[]).contains("width = 8"));
        assert!(message(Family::Sparse, 6352, &[], &[]).contains("no way to widen"));
        assert!(message(Family::LinearBottleneck, 6352, &[8], &[9]).contains("at least 7146"));
        assert!(message(Family::NonlinearBottleneck, 700, &[8], &[]).contains("at least 795"));
        assert!(message(Family::Dense, 6352, &[8], &[]).contains("budget"));
    }
}
