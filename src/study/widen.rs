//! Networks widened at a fixed budget, in the ways that the paper compares.

use super::spec::{SparseWidth, check_distinct};
use super::training_spec::{Family, TrainedNetwork};
use crate::data::CLASSES;
use crate::error::{Error, Result};
use crate::network::Connectivity;
use crate::network::budget::{first_layer_connectivity, linear_bottleneck_width, nonlinear_bottleneck_width};
use crate::network::{Activation, LayerBefore};

/// The networks of one way to widen at a weight budget, by width, each with the rate 1.
///
/// The last layer is dense in all of them. Sparse networks have the widths given. A bottleneck leaves no choice of width beside its own:
/// those of `bottlenecks` are taken, or where none are given, the ones whose width is nearest to each of `widths`. Of a linear bottleneck
/// the first matrix counts by its rank ([`product_weights`](crate::network::budget::product_weights)), so that at full rank it has the weights of
/// the matrix that was split.
///
/// # Errors
/// Where the budget does not fit a width or a bottleneck, or no network is left.
pub fn widened_networks(
    family: Family,
    weights: usize,
    dimension: usize,
    widths: &[usize],
    bottlenecks: &[usize],
) -> Result<Vec<TrainedNetwork>> {
    let behind = |activation: Activation, width_of: fn(usize, usize, usize, usize) -> Result<usize>| {
        let of = |narrow: usize| {
            let width = width_of(weights, dimension, CLASSES, narrow)?;
            let before = Some(LayerBefore { width: narrow, activation });
            Ok(TrainedNetwork { before, ..TrainedNetwork::new(family, width, Connectivity::DENSE, 1.0) })
        };
        if !bottlenecks.is_empty() {
            return bottlenecks.iter().map(|narrow| of(*narrow)).collect();
        }
        // A width that fits none fits no wider bottleneck either.
        let all: Vec<TrainedNetwork> = (1..=dimension).map_while(|narrow| of(narrow).ok()).collect();
        let mut nearest: Vec<TrainedNetwork> = widths
            .iter()
            .filter_map(|width| all.iter().min_by_key(|network| network.width.abs_diff(*width)).copied())
            .collect();
        nearest.sort_by_key(|network| network.width);
        nearest.dedup_by_key(|network| network.width);
        if nearest.is_empty() { of(1).map(|network| vec![network]) } else { Ok(nearest) }
    };
    check_distinct("bottlenecks", bottlenecks, usize::to_string)?;
    if widths.contains(&0) {
        return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give positive widths"));
    }
    let networks = match family {
        Family::Sparse => widths
            .iter()
            .map(|width| {
                let connectivity = first_layer_connectivity(weights, dimension, CLASSES, *width)?;
                Ok(TrainedNetwork::new(family, *width, connectivity, 1.0))
            })
            .collect::<Result<Vec<_>>>()?,
        Family::DeepSparse => widths
            .iter()
            .map(|width| {
                let before = Some(LayerBefore { width: *width, activation: Activation::Relu });
                let connectivity = deep_connectivity(weights, dimension, *width)?;
                Ok(TrainedNetwork { before, ..TrainedNetwork::new(family, *width, connectivity, 1.0) })
            })
            .collect::<Result<Vec<_>>>()?,
        Family::LinearBottleneck => behind(Activation::Linear, linear_bottleneck_width)?,
        Family::NonlinearBottleneck => behind(Activation::Relu, nonlinear_bottleneck_width)?,
        Family::Dense => {
            let problem = "grows with the width: it keeps no budget";
            return Err(Error::value("family", family.name(), problem, "use one of the others"));
        }
    };
    if networks.is_empty() {
        return Err(Error::value("widths", 0, "there is none", "give at least one width or bottleneck"));
    }
    let same = |(index, network): (usize, &TrainedNetwork)| {
        networks[..index].iter().find(|other| other.width == network.width).map(|other| (*other, *network))
    };
    if let Some((first, second)) = networks.iter().enumerate().find_map(same) {
        let of = |network: TrainedNetwork| network.before.map_or(String::new(), |layer| format!(" after {layer}"));
        let problem =
            format!("two networks would have it{}{}, and width is what they are compared by", of(first), of(second));
        return Err(Error::value("width", first.width, problem, "leave one of them out"));
    }
    Ok(networks)
}

/// The connectivity that two hidden layers of one width share, beside a dense last layer: the proportional rule.
fn deep_connectivity(weights: usize, dimension: usize, width: usize) -> Result<Connectivity> {
    let (n, last) = (width as f64, CLASSES as f64 * width as f64);
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

impl From<&TrainedNetwork> for SparseWidth {
    /// What a kernel sees of the network: all layers but the last.
    fn from(network: &TrainedNetwork) -> Self {
        let TrainedNetwork { width, before, connectivity, .. } = *network;
        Self { width, before, connectivity, np_connectivity: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::budget::{PAPER_WIDTHS, product_weights};

    /// Weights, a product counted by its rank.
    fn effective(network: &TrainedNetwork) -> f64 {
        match network.before {
            Some(LayerBefore { width, activation: Activation::Linear }) => {
                (product_weights(network.width, 784, width) + 10 * network.width) as f64
            }
            _ => {
                let (sizes, connectivities, _) = network.layers(784, 10);
                sizes.windows(2).zip(connectivities).map(|(ends, p)| (ends[0] * ends[1]) as f64 * p.get()).sum()
            }
        }
    }

    #[test]
    fn every_way_keeps_the_budget() {
        for family in [Family::Sparse, Family::DeepSparse, Family::LinearBottleneck, Family::NonlinearBottleneck] {
            let networks = widened_networks(family, 6352, 784, &PAPER_WIDTHS[..6], &[]).unwrap();
            assert!(networks.len() >= 5 && networks.windows(2).all(|pair| pair[0].width < pair[1].width));
            for network in &networks {
                // A whole unit of a bottleneck is at most 18 weights.
                let weights = effective(network);
                assert!(weights <= 6352.0 + 1e-9 && weights > 6352.0 - 18.0, "{}: {weights}", network.name());
            }
        }
        let ranks = |family, bottlenecks: &[usize]| -> Vec<(usize, usize)> {
            let networks = widened_networks(family, 6352, 784, &[8, 500], bottlenecks).unwrap();
            networks.iter().map(|network| (network.before.unwrap().width, network.width)).collect()
        };
        assert_eq!(ranks(Family::LinearBottleneck, &[]), [(8, 8), (1, 506)]);
        assert_eq!(ranks(Family::LinearBottleneck, &[7, 3]), [(7, 53), (3, 308)]);
        assert_eq!(ranks(Family::NonlinearBottleneck, &[]), [(7, 50), (1, 506)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |family, weights, widths: &[usize], bottlenecks: &[usize]| {
            widened_networks(family, weights, 784, widths, bottlenecks).unwrap_err().to_string()
        };
        assert!(message(Family::DeepSparse, 6352, &[636], &[]).contains("from 6361"));
        assert!(message(Family::DeepSparse, 6352, &[0], &[]).contains("width = 0"));
        // One weight too few for another unit behind the wider one.
        assert!(message(Family::LinearBottleneck, 622_496, &[], &[783, 784]).contains("width = 784"));
        assert!(message(Family::Sparse, 6352, &[8, 8], &[]).contains("width = 8"));
        assert!(message(Family::Sparse, 6352, &[], &[]).contains("none"));
        assert!(message(Family::LinearBottleneck, 6352, &[8], &[9]).contains("at least 7146"));
        assert!(message(Family::NonlinearBottleneck, 700, &[8], &[]).contains("at least 795"));
        assert!(message(Family::Dense, 6352, &[8], &[]).contains("budget"));
    }
}
