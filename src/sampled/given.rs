//! Kernels of perceptrons whose masks are given, by drawing the weights that the masks keep.

use std::borrow::Cow;

use super::features::hidden_features;
use super::kernel::{PairedInputs, sum_over_units};
use super::tangent::{DrawnUnits, Factors, readout, some_rows, tangent_kernels_of};
use super::vector::add_pair_products;
use crate::error::{Error, Result};
use crate::kernel::given::GivenMask;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::{Activation, Connectivity, LayerId, LayerSpec, MaskFamily, WeightDistribution};

/// Weights of given masks are those of the theory.
const LAW: WeightDistribution = WeightDistribution::Gaussian;

/// Refuses layers of which one does not take what the one before gives.
pub(super) fn check_chain(inputs: usize, layers: &[GivenMask]) -> Result<()> {
    if layers.is_empty() {
        return Err(Error::value("masks", 0, "a network needs at least one hidden layer", "give a mask"));
    }
    let mut given = inputs;
    for (place, layer) in layers.iter().enumerate() {
        if layer.inputs() != given {
            let found = format!("layer {place} of {} inputs", layer.inputs());
            let problem = format!("what comes before it has {given} outputs");
            return Err(Error::value("masks", found, problem, "give the masks of a perceptron, in order"));
        }
        given = layer.units();
    }
    Ok(())
}

/// The kernel of the last hidden layer, for each pair of inputs, with the weights of one initialisation.
pub(super) fn given_kernels(
    inputs: &PairedInputs,
    layers: &[GivenMask],
    kernel: Kernel,
    seed: u64,
    initialisation: u32,
) -> Result<Vec<f64>> {
    let id = |layer: usize| LayerId { seed, initialisation, layer: layer as u32 };
    let draw = |layer: usize| layers[layer].draw(LAW, id(layer));
    let last = layers.len() - 1;
    match kernel {
        Kernel::Nngp => {
            let mut taken = Cow::Borrowed(inputs);
            for (place, layer) in layers[..last].iter().enumerate() {
                let next = taken.after_rows(&draw(place), spec(layer)?, Activation::Relu)?;
                taken = Cow::Owned(next);
            }
            let (weights, law) = (draw(last), spec(&layers[last])?);
            let mut sums = sum_over_units(taken.pairs(), law.rows, |rows, sums| {
                for features in hidden_features(&some_rows(&weights, rows), law, taken.features())?.rows() {
                    let features = features.to_slice().expect("standard layout: features are made so");
                    add_pair_products(features, taken.pairs_of(0..taken.pairs()), sums);
                }
                Ok(())
            })?;
            inputs.scale_sums(&mut sums, law.rows as f64 * law.columns as f64);
            Ok(sums)
        }
        Kernel::Ntk(tangent) => {
            let units = |layer: &GivenMask| {
                let factors = match tangent {
                    Tangent::Standardised => Factors::Each(layer.variances().into()),
                    Tangent::Paper => Factors::Common(1.0),
                };
                Ok(DrawnUnits { law: spec(layer)?, activation: Activation::Relu, factors })
            };
            let units: Vec<DrawnUnits> = layers.iter().map(units).collect::<Result<_>>()?;
            let readout = readout(&units[last].law, id(last));
            tangent_kernels_of(inputs, &units, draw, &readout)
        }
    }
}

/// The shape of a layer, and the share of weights that it keeps; which these are, and their scales, is given.
fn spec(layer: &GivenMask) -> Result<LayerSpec> {
    Ok(LayerSpec {
        rows: layer.units(),
        columns: layer.inputs(),
        connectivity: Connectivity::new(layer.density())?,
        mask: MaskFamily::Bernoulli,
        law: LAW,
    })
}
