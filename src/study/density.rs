//! How many of a network's weights exist: what becomes of a connectivity once it is rounded, and which layers are left
//! without weights.

use crate::network::{Architecture, WeightDistribution};

/// Places of weights, and weights that exist, of each layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Density {
    pub places: Vec<usize>,
    pub weights: Vec<usize>,
}

impl Density {
    /// The density of a network on inputs of this dimension; none unless its masks have fixed counts.
    pub fn of(network: &Architecture, dimension: usize) -> Option<Self> {
        // The counts do not depend on the distribution.
        let layers = network.layer_specs(dimension, WeightDistribution::Gaussian);
        let counts: Option<Vec<(usize, usize)>> =
            layers.iter().map(|layer| Some((layer.rows * layer.columns, layer.fixed_count()?))).collect();
        let (places, weights) = counts?.into_iter().unzip();
        Some(Self { places, weights })
    }

    /// The share of weights that exist.
    pub fn reached(&self) -> f64 {
        share(&self.weights, &self.places)
    }

    /// The same for all layers but the last.
    pub fn reached_before_last(&self) -> f64 {
        let last = self.weights.len() - 1;
        share(&self.weights[..last], &self.places[..last])
    }

    /// The same for the last layer.
    pub fn reached_last(&self) -> f64 {
        let last = self.weights.len() - 1;
        share(&self.weights[last..], &self.places[last..])
    }

    /// The numbers, from 1, of layers without a weight, where there are any.
    pub fn empty_layers(&self) -> Option<String> {
        let empty = (1..).zip(&self.weights).filter(|(_, weights)| **weights == 0);
        let numbers: Vec<String> = empty.map(|(number, _): (usize, _)| number.to_string()).collect();
        (!numbers.is_empty()).then(|| numbers.join(" and "))
    }
}

fn share(weights: &[usize], places: &[usize]) -> f64 {
    weights.iter().sum::<usize>() as f64 / places.iter().sum::<usize>() as f64
}

/// The layers of [`Density::empty_layers`] in words, `layer 1` or `layers 1 and 2`.
pub(crate) fn named_layers(numbers: &str) -> String {
    let plural = if numbers.contains(' ') { "s" } else { "" };
    format!("layer{plural} {numbers}")
}

/// A remark that the rounded connectivity of a network leaves layers without a weight, where it does.
pub(super) fn remark(network: &str, density: &Density) -> Option<String> {
    density.empty_layers().map(|layers| {
        let layers = named_layers(&layers);
        format!("{network}: no weight is left in {layers}, because the connectivity rounds to 0; no input reaches an output.")
    })
}
