//! How many of a network's weights exist: what a connectivity comes to once it is rounded, and which layers are left without any.

use super::spec::{DistanceSpec, SparseWidth};
use super::training_spec::{TrainedNetwork, TrainingStudySpec};
use crate::data::CLASSES;
use crate::network::LayerSpec;

/// Places of weights, and weights that exist, of each layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Density {
    pub places: Vec<usize>,
    pub weights: Vec<usize>,
}

impl Density {
    /// Of layers whose masks have fixed counts; none of others.
    fn of(laws: impl IntoIterator<Item = LayerSpec>) -> Option<Self> {
        let counts: Option<Vec<(usize, usize)>> =
            laws.into_iter().map(|law| Some((law.rows * law.columns, law.fixed_count()?))).collect();
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

impl SparseWidth {
    /// The density of its layers up to the hidden one, where the masks of the study have fixed counts.
    pub(super) fn density(&self, spec: &DistanceSpec, dimension: usize) -> Option<Density> {
        let law = |rows, columns| LayerSpec {
            rows,
            columns,
            connectivity: self.connectivity,
            mask: spec.mask,
            law: spec.law,
        };
        match self.before {
            Some(before) => Density::of([law(before.width, dimension), law(self.width, before.width)]),
            None => Density::of([law(self.width, dimension)]),
        }
    }
}

impl TrainedNetwork {
    /// The density of its layers, where the masks of the study have fixed counts.
    pub(super) fn density(&self, spec: &TrainingStudySpec, dimension: usize) -> Option<Density> {
        let (sizes, connectivities, _) = self.layers(dimension, CLASSES);
        let laws = sizes.windows(2).zip(connectivities).map(|(ends, connectivity)| LayerSpec {
            rows: ends[1],
            columns: ends[0],
            connectivity,
            mask: spec.mask,
            law: spec.law,
        });
        Density::of(laws)
    }
}

/// Says of a network that its rounded connectivity leaves layers without a weight.
pub(super) fn remark(network: &str, density: &Density) -> Option<String> {
    density.empty_layers().map(|layers| {
        format!(
            "{network}: layer {layers} has no weight, so that no input reaches an output: its connectivity rounds to 0."
        )
    })
}
