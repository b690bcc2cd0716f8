//! How many of a network's weights exist: what a connectivity comes to once it is rounded, and which layers are left
//! without any.

use crate::network::{Architecture, WeightDistribution};

/// Places of weights, and weights that exist, of each layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Density {
    pub places: Vec<usize>,
    pub weights: Vec<usize>,
}

impl Density {
    /// Of a network behind inputs of a dimension, where its masks have fixed counts; none of others.
    pub fn of(network: &Architecture, dimension: usize) -> Option<Self> {
        // The counts are those of any distribution.
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

    /// The same of all layers but the last.
    pub fn reached_before_last(&self) -> f64 {
        let last = self.weights.len() - 1;
        share(&self.weights[..last], &self.places[..last])
    }

    /// The same of the last layer.
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

/// Says of a network that its rounded connectivity leaves layers without a weight.
pub(super) fn remark(network: &str, density: &Density) -> Option<String> {
    density.empty_layers().map(|layers| {
        format!(
            "{network}: no weight is left in layer {layers}, because the connectivity rounds to 0; no input reaches an output."
        )
    })
}
