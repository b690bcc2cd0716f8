//! Tangent kernels (NTK) of drawn networks, for given pairs of inputs: the products of the gradients of the output by
//! every weight that exists, summed.
//!
//! With layers `h_l = act(W_l h_(l-1) / sqrt(n_(l-1)))` from `h_0 = x` on and the output `v.h_L / sqrt(n_L)`, let
//! `g_l` be the gradient of the output by `W_l h_(l-1) / sqrt(n_(l-1))`. Then, with `s` the masks of `W_l`,
//!
//! `ntk(x, y) = h_L(x).h_L(y) / n_L + sum_l f_l / n_(l-1) sum_i g_l,i(x) g_l,i(y) c_l,i(x, y)`,
//! `c_l,i(x, y) = sum_(j: s_ij = 1) h_(l-1),j(x) h_(l-1),j(y)`.
//!
//! The sums `c` are products of the masks with a matrix of the `h_j(x) h_j(y)`, an entry and a pair each, so that they
//! are made as features are.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;

use super::drawn_rows::NumberedRows;
use super::features::linear_features;
use super::kernel::{PairedInputs, sum_over_units, unit_features};
use super::vector::{add_active_products, add_pair_products, add_weighted_products};
use crate::error::Result;
use crate::kernel::ntk::Tangent;
use crate::network::{
    Activation, Architecture, Connectivity, DrawnLayer, Layer, LayerId, LayerSpec, MaskFamily, SparseRows,
    WeightDistribution,
};

/// The tangent kernel of one drawn network, for each pair of inputs. Of one hidden layer `u` of ReLU units it is
///
/// `ntk(x, y) = 1/(n d) sum_i { [u_i.x]_+ [u_i.y]_+ + f v_i^2 H(u_i.x) H(u_i.y) sum_(j: u_ij exists) x_j y_j }`,
///
/// with `H` the step function, and `f` the variance `sigma^2` of a weight that exists ([`LayerSpec::sigma`]) for
/// [`Tangent::Standardised`], 1 for [`Tangent::Paper`]. Of more layers it is the sum over the weights of all.
///
/// The layers of the network are the hidden ones, drawn as for [`sampled_kernels`](super::sampled_kernels); the readout
/// `v` follows them: dense, of the same distribution, drawn as the layer after the last.
///
/// Features in single precision, sums over units in double; the same bits for any number of threads.
///
/// # Errors
/// Where a layer has `2^32` units or more.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::gram::Pair;
/// use sparsewidth::kernel::ntk::{InfiniteWidth, Tangent};
/// use sparsewidth::network::{Architecture, WeightDistribution};
/// use sparsewidth::sampled::{PairedInputs, sampled_tangent_kernels};
///
/// let inputs = array![[1.0, 2.0, 0.5, -1.0], [0.3, -1.0, 2.0, 0.4]];
/// let wide: Architecture = "relu:20000".parse()?;
/// let paired = PairedInputs::new(inputs.view(), &[(0, 1)])?;
/// let (law, tangent) = (WeightDistribution::Gaussian, Tangent::Standardised);
/// let drawn = sampled_tangent_kernels(&paired, &wide, law, 0, 0, tangent)?;
///
/// let limit = InfiniteWidth::of(&Pair::new(inputs.row(0), inputs.row(1))?).ntk / 4.0;
/// assert!((drawn[0] - limit).abs() < 0.05);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn sampled_tangent_kernels(
    inputs: &PairedInputs,
    network: &Architecture,
    distribution: WeightDistribution,
    seed: u64,
    initialisation: u32,
    tangent: Tangent,
) -> Result<Vec<f64>> {
    let specs = network.layer_specs(inputs.dimension(), distribution);
    let activations: Vec<Activation> = network.layers().iter().map(Layer::activation).collect();
    let drawn = |layer: usize| DrawnLayer::new(specs[layer], LayerId { seed, initialisation, layer: layer as u32 });
    let depth = specs.len();
    inputs.check(specs[0])?;
    let layer = |layer: usize| {
        let law = specs[layer];
        DrawnUnits { law, activation: activations[layer], factors: Factors::Common(factor(&law, tangent)) }
    };
    let readout = readout(&specs[depth - 1], LayerId { seed, initialisation, layer: depth as u32 - 1 });
    if depth == 1 {
        let drawn = drawn(0);
        let last = LastLayer { units: &layer(0), readout: &readout };
        let mut kernels = last.kernels(inputs, |rows| inputs.drawn_rows(&drawn, rows))?;
        inputs.scale_sums(&mut kernels, 1.0);
        return Ok(kernels);
    }
    let layers: Vec<DrawnUnits> = (0..depth).map(layer).collect();
    tangent_kernels_of(inputs, &layers, |layer| drawn(layer).all_rows(), &readout)
}

/// The units of a layer, whatever their weights.
pub(super) struct DrawnUnits {
    pub law: LayerSpec,
    pub activation: Activation,
    pub factors: Factors,
}

/// `f` of each unit: the square of the derivative of a weight that exists by the variable that gradient descent moves.
pub(super) enum Factors {
    /// The same for all.
    Common(f64),
    /// Each unit has its own.
    Each(Vec<f64>),
}

impl Factors {
    fn of(&self, unit: usize) -> f64 {
        match self {
            Self::Common(factor) => *factor,
            Self::Each(factors) => factors[unit],
        }
    }
}

/// The tangent kernel of some layers, which `draw` gives the weights of, and a readout.
pub(super) fn tangent_kernels_of(
    inputs: &PairedInputs,
    layers: &[DrawnUnits],
    draw: impl Fn(usize) -> SparseRows,
    readout: &[f32],
) -> Result<Vec<f64>> {
    let depth = layers.len();
    // Forward: the weights of each layer, and the inputs that it takes.
    let mut weights = vec![draw(0)];
    let mut taken = vec![Cow::Borrowed(inputs)];
    for (layer, before) in (1..depth).zip(layers) {
        let next = taken[layer - 1].after_rows(&weights[layer - 1], before.law, before.activation)?;
        next.check(layers[layer].law)?;
        taken.push(Cow::Owned(next));
        weights.push(draw(layer));
    }
    let last = LastLayer { units: &layers[depth - 1], readout };
    let rows_of_last = |rows: Range<usize>| {
        let first = rows.start;
        Arc::new(NumberedRows::of(some_rows(&weights[depth - 1], rows), first))
    };
    let mut kernels = last.kernels(&taken[depth - 1], rows_of_last)?;
    // Backward: the gradients by what a layer passes to its activations, shape `(rows, samples)`.
    let mut gradients = last.gradients(&weights[depth - 1], &taken[depth - 1])?;
    for layer in (0..depth - 1).rev() {
        gradients = before(&weights[layer + 1], layers[layer + 1].law, &gradients)?;
        if layers[layer].activation == Activation::Relu {
            stop_inactive(&mut gradients, taken[layer + 1].features());
        }
        // What the layer after this one took, and its weights, have served.
        weights.truncate(layer + 1);
        taken.truncate(layer + 1);
        let sums = layer_sums(&taken[layer], &weights[layer], &layers[layer], &gradients)?;
        let factor = match layers[layer].factors {
            Factors::Common(factor) => factor,
            Factors::Each(_) => 1.0,
        };
        let factor = factor / layers[layer].law.columns as f64;
        kernels.iter_mut().zip(sums).for_each(|(kernel, sum)| *kernel += factor * sum);
    }
    inputs.scale_sums(&mut kernels, 1.0);
    Ok(kernels)
}

/// The readout `v` after a layer: dense, one weight per unit.
pub(super) fn readout(law: &LayerSpec, id: LayerId) -> Vec<f32> {
    let dense = LayerSpec {
        rows: 1,
        columns: law.rows,
        connectivity: Connectivity::DENSE,
        mask: MaskFamily::Bernoulli,
        law: law.law,
    };
    DrawnLayer::new(dense, LayerId { layer: id.layer + 1, ..id }).all_rows().values
}

/// `f` of a layer that is drawn, see [`Factors`].
fn factor(law: &LayerSpec, tangent: Tangent) -> f64 {
    match tangent {
        Tangent::Standardised => law.sigma().powi(2),
        Tangent::Paper => 1.0,
    }
}

/// `v_i sqrt(f)`: the derivative of the output by the variables of unit `i`, but for its inputs and `1/sqrt(n d)`.
pub(super) fn readout_gains(law: &LayerSpec, id: LayerId, tangent: Tangent) -> Vec<f32> {
    let root = factor(law, tangent).sqrt();
    readout(law, id).into_iter().map(|weight| (root * f64::from(weight)) as f32).collect()
}

/// The same for several outputs, `sqrt(f)` times the root mean square of a unit's readouts.
pub(super) fn mean_readout_gains(law: &LayerSpec, readouts: &SparseRows, tangent: Tangent) -> Vec<f32> {
    let mut squares = vec![0.0; law.rows];
    for output in 0..readouts.rows() {
        let (units, weights) = readouts.row(output);
        units.iter().zip(weights).for_each(|(unit, weight)| squares[*unit as usize] += f64::from(*weight).powi(2));
    }
    let factor = factor(law, tangent) / readouts.rows() as f64;
    squares.into_iter().map(|square| (factor * square).sqrt() as f32).collect()
}

/// The last hidden layer, of `n` units on `d` inputs, and the readout.
struct LastLayer<'a> {
    units: &'a DrawnUnits,
    readout: &'a [f32],
}

impl LastLayer<'_> {
    /// What the readout and this layer add to the kernels of scaled inputs; `rows` gives some of the layer's rows.
    fn kernels(
        &self,
        inputs: &PairedInputs,
        rows: impl Fn(Range<usize>) -> Arc<NumberedRows> + Sync,
    ) -> Result<Vec<f64>> {
        let DrawnUnits { law, activation, ref factors } = *self.units;
        let mut sums = sum_over_units(inputs.pairs(), law.rows, |range, sums| {
            let NumberedRows { weights, numbers } = &*rows(range);
            let masks = Masks::of(weights, law);
            let features = unit_features(weights, law, activation, inputs.features())?;
            for block in inputs.blocks() {
                let products = masks.products(inputs, block.clone())?;
                let (pairs, sums) = (inputs.pairs_of(block.clone()), &mut sums[block]);
                for (place, number) in numbers.iter().enumerate() {
                    let factor = factors.of(*number as usize) * f64::from(self.readout[*number as usize]).powi(2);
                    let (features, products) = (row_of(&features, place), masks.row_of(&products, place));
                    match activation {
                        Activation::Relu => add_active_products(features, products, factor, pairs, sums),
                        Activation::Linear => {
                            add_pair_products(features, pairs, sums);
                            sums.iter_mut().zip(products).for_each(|(sum, c)| *sum += factor * f64::from(*c));
                        }
                    }
                }
            }
            Ok(())
        })?;
        let count = law.rows as f64 * law.columns as f64;
        sums.iter_mut().for_each(|sum| *sum /= count);
        Ok(sums)
    }

    /// The gradients `v_i act'(.) / sqrt(n)`, shape `(n, samples)`.
    fn gradients(&self, weights: &SparseRows, inputs: &PairedInputs) -> Result<Array2<f32>> {
        let DrawnUnits { law, activation, .. } = *self.units;
        let root = (law.rows as f64).sqrt();
        let shape = (law.rows, inputs.samples());
        let mut gradients = Array2::from_shape_fn(shape, |(unit, _)| (f64::from(self.readout[unit]) / root) as f32);
        if activation == Activation::Relu {
            stop_inactive(&mut gradients, &unit_features(weights, law, activation, inputs.features())?);
        }
        Ok(gradients)
    }
}

/// The gradients by the inputs of a layer from those by what it passes on: `W^T g / sqrt(columns)`.
fn before(weights: &SparseRows, law: LayerSpec, gradients: &Array2<f32>) -> Result<Array2<f32>> {
    let transposed = LayerSpec { rows: law.columns, columns: law.rows, ..law };
    let mut before = linear_features(&transpose(weights, law.columns), transposed, gradients)?;
    before *= (1.0 / (law.columns as f64).sqrt()) as f32;
    Ok(before)
}

/// No gradient passes a ReLU unit whose output is zero.
fn stop_inactive(gradients: &mut Array2<f32>, outputs: &Array2<f32>) {
    gradients.zip_mut_with(outputs, |gradient, output| {
        if *output <= 0.0 {
            *gradient = 0.0;
        }
    });
}

/// `sum_i g_i(x) g_i(y) c_i(x, y)` over the units of a layer; where each has its own `f`, of `f_i` times that.
fn layer_sums(
    inputs: &PairedInputs,
    weights: &SparseRows,
    units: &DrawnUnits,
    gradients: &Array2<f32>,
) -> Result<Vec<f64>> {
    let law = units.law;
    let gradients = match &units.factors {
        Factors::Common(_) => Cow::Borrowed(gradients),
        Factors::Each(factors) => {
            let mut scaled = gradients.clone();
            let roots = factors.iter().map(|factor| factor.sqrt() as f32);
            scaled.outer_iter_mut().zip(roots).for_each(|(mut row, root)| row *= root);
            Cow::Owned(scaled)
        }
    };
    sum_over_units(inputs.pairs(), law.rows, |range, sums| {
        let masks = Masks::of(&some_rows(weights, range.clone()), law);
        for block in inputs.blocks() {
            let products = masks.products(inputs, block.clone())?;
            let (pairs, sums) = (inputs.pairs_of(block.clone()), &mut sums[block]);
            for (place, unit) in range.clone().enumerate() {
                add_weighted_products(row_of(&gradients, unit), masks.row_of(&products, place), pairs, sums);
            }
        }
        Ok(())
    })
}

/// The masks of some rows, as weights of 1; of a dense layer one row, which all share.
struct Masks {
    rows: SparseRows,
    law: LayerSpec,
}

impl Masks {
    fn of(weights: &SparseRows, law: LayerSpec) -> Self {
        let mut rows = match law.connectivity.is_dense() {
            true => some_rows(weights, 0..weights.rows().min(1)),
            false => weights.clone(),
        };
        rows.values.fill(1.0);
        Self { rows, law }
    }

    /// `c_i(x, y)` for the rows `i` and a block of pairs.
    fn products(&self, inputs: &PairedInputs, block: Range<usize>) -> Result<Array2<f32>> {
        linear_features(&self.rows, self.law, &inputs.products(block, &self.rows))
    }

    /// That of one row.
    fn row_of<'a>(&self, products: &'a Array2<f32>, row: usize) -> &'a [f32] {
        row_of(products, if self.law.connectivity.is_dense() { 0 } else { row })
    }
}

fn row_of(matrix: &Array2<f32>, row: usize) -> &[f32] {
    let (all, columns) = (matrix.as_slice().expect("standard layout: features are made so"), matrix.ncols());
    &all[row * columns..(row + 1) * columns]
}

pub(super) fn some_rows(weights: &SparseRows, rows: Range<usize>) -> SparseRows {
    let (start, end) = (weights.offsets[rows.start], weights.offsets[rows.end]);
    SparseRows {
        offsets: weights.offsets[rows.start..=rows.end].iter().map(|offset| offset - start).collect(),
        columns: weights.columns[start..end].to_vec(),
        values: weights.values[start..end].to_vec(),
    }
}

/// The transpose of weights of `columns` columns.
fn transpose(weights: &SparseRows, columns: usize) -> SparseRows {
    let mut offsets = vec![0; columns + 1];
    weights.columns.iter().for_each(|column| offsets[*column as usize + 1] += 1);
    for column in 0..columns {
        offsets[column + 1] += offsets[column];
    }
    let mut next = offsets.clone();
    let (mut rows, mut values) = (vec![0; weights.len()], vec![0.0; weights.len()]);
    for row in 0..weights.rows() {
        let (columns, of_row) = weights.row(row);
        for (column, value) in columns.iter().zip(of_row) {
            let place = &mut next[*column as usize];
            (rows[*place], values[*place]) = (row as u32, *value);
            *place += 1;
        }
    }
    SparseRows { offsets, columns: rows, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_some_rows_and_of_columns() {
        let spec = LayerSpec {
            rows: 30,
            columns: 20,
            connectivity: Connectivity::new(0.1).unwrap(),
            mask: MaskFamily::Bernoulli,
            law: WeightDistribution::Gaussian,
        };
        let weights = DrawnLayer::new(spec, LayerId { seed: 1, initialisation: 0, layer: 0 }).all_rows();
        let dense = weights.to_dense(20);
        assert_eq!(transpose(&weights, 20).to_dense(30), dense.t());
        assert_eq!(some_rows(&weights, 7..19).to_dense(20), dense.slice(ndarray::s![7..19, ..]));
        assert_eq!(some_rows(&weights, 4..4).rows(), 0);
    }

    /// Products of entries that are made again each time, where there are too many to keep, are the same.
    #[test]
    fn the_same_bits_whether_products_are_kept() {
        let values = Array2::from_shape_fn((40, 30), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 10.0 - 1.0);
        let pairs: Vec<(usize, usize)> = (0..600).map(|pair| (pair % 40, pair / 15)).collect();
        let kept = PairedInputs::new(values.view(), &pairs).unwrap();
        let forgotten = kept.clone().without_products();
        for text in ["relu:100", "relu:100@0.5", "relu:100@0.1", "relu:100@0.001", "relu:70@0.2 relu:50@0.3"] {
            let kernels = |inputs: &PairedInputs| {
                let (network, law) = (text.parse().unwrap(), WeightDistribution::Gaussian);
                sampled_tangent_kernels(inputs, &network, law, 3, 0, Tangent::Standardised).unwrap()
            };
            assert_eq!(kernels(&kept), kernels(&forgotten), "{text}");
        }
    }
}
