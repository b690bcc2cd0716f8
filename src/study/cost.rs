//! What tasks cost, in rough counts of operations, to estimate the time that is left. The constants come from
//! measurements: how long tasks took, by method, on two cores.

use super::distance::{DistanceMethod, DistanceSpec, NetworkSpec};
use crate::kernel::ntk::Kernel;

/// The cost of a number of operations.
pub(crate) fn of_operations(operations: f64) -> u64 {
    (operations / 1e3) as u64 + 1
}

/// The cost of the distances of one network by one method, for inputs of this shape.
pub(crate) fn of_distance(
    spec: &DistanceSpec,
    (method, kernel): (DistanceMethod, Kernel),
    network: &NetworkSpec,
    (samples, dimension): (usize, usize),
) -> u64 {
    let (d, pairs, all_pairs) = (dimension as f64, spec.pairs_of(kernel) as f64, 0.5 * (samples as f64).powi(2));
    let entries = d * network.connectivity().get();
    let tangent = kernel != Kernel::Nngp;
    of_operations(match method {
        DistanceMethod::Sampled => {
            let drawn = network.architecture.weights(dimension) * 1e4
                + network.width() as f64 * 2.0 * pairs
                + network.architecture.places(dimension) * 10.0;
            drawn * spec.draws(network, dimension) as f64
        }
        DistanceMethod::SampledAll => {
            let weights = if tangent { network.architecture.weights(dimension) } else { 0.0 };
            all_pairs * (network.width() as f64 + weights + 50.0) * spec.initialisations as f64 / 100.0
        }
        DistanceMethod::Theorem1FixedCount => pairs * spec.masks as f64 * entries,
        DistanceMethod::Theorem1 => pairs * d * if tangent { 2e4 } else { 1e4 } * (30.0 / entries).clamp(0.2, 3.0),
        DistanceMethod::Expansion => pairs * d * 10.0,
        DistanceMethod::ExpansionAll => 2.0 * all_pairs * d / spec.networks.len() as f64,
        DistanceMethod::Paper | DistanceMethod::PaperFixedNp => 1.0,
    })
}
