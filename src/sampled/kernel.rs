//! `nngp` of drawn networks, for given pairs of inputs.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use ndarray::{Array2, ArrayView2, ArrayViewMut1};
use rayon::prelude::*;

use super::drawn_rows::{DrawnRows, NumberedRows};
use super::features::{hidden_features, linear_features, scale_of_row};
use super::vector::add_pair_products;
use crate::error::{Error, Result};
use crate::kernel::gram::check_inputs;
use crate::network::{Activation, Architecture, DrawnLayer, LayerId, LayerSpec, SparseRows, WeightDistribution};
use crate::numeric::parallel::try_map;

/// Hidden units that are drawn and summed together: the unit of work, and of the order of summation.
const ROWS: usize = 64;
/// Sums of such chunks that are held at once: 128 MB.
const HELD_SUMS: usize = 1 << 24;
/// Pairs whose products of entries lie side by side: at 784 entries 400 kB, which fits into a core's cache.
const BLOCK: usize = 128;
/// Products of entries that are kept for all networks: 128 MB.
const HELD_PRODUCTS: usize = 1 << 25;

/// Inputs in single precision, feature-major, and the pairs among them.
#[derive(Clone, Debug)]
pub struct PairedInputs {
    /// Shape `(d, samples)`, each input divided by its scale.
    features: Array2<f32>,
    /// A power of two near the largest entry of each input, so that inputs of any scales fit into single precision side
    /// by side.
    scales: Vec<f64>,
    pairs: Vec<(u32, u32)>,
    drawn: Arc<DrawnRows>,
    /// `x_j y_j` by blocks of pairs, shapes `(d, BLOCK)`, each made when it is first asked for; no block where they
    /// would take too much memory.
    products: Arc<Vec<OnceLock<Array2<f32>>>>,
}

impl PairedInputs {
    /// Takes inputs of shape `(samples, d)` and pairs of their row numbers. Only rows that occur in a pair are copied.
    ///
    /// # Errors
    /// Where there is no pair, a row number is too large, or an input is not one that
    /// [`Pair::new`](crate::kernel::gram::Pair::new) accepts.
    pub fn new(inputs: ArrayView2<f64>, pairs: &[(usize, usize)]) -> Result<Self> {
        check_inputs("inputs", inputs)?;
        Self::of_checked(inputs, pairs)
    }

    /// The same for inputs that have been checked.
    pub(crate) fn of_checked(inputs: ArrayView2<f64>, pairs: &[(usize, usize)]) -> Result<Self> {
        if inputs.ncols() == 0 {
            return Err(Error::value("inputs", "empty vectors", "the dimension is 0", "give at least one entry"));
        }
        let mut used: Vec<usize> = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
        used.sort_unstable();
        used.dedup();
        match used.last() {
            None => return Err(Error::value("pairs", 0, "there must be at least one pair", "ask for more")),
            Some(last) if *last >= inputs.nrows() => {
                return Err(Error::value(
                    "pairs",
                    last,
                    format!("there are {} inputs", inputs.nrows()),
                    "give row numbers below that",
                ));
            }
            Some(_) => {}
        }
        let place = |row: usize| used.partition_point(|other| *other < row) as u32;
        let pairs = pairs.iter().map(|(i, j)| (place(*i), place(*j))).collect();
        let scales: Vec<f64> = used.iter().map(|row| scale_of_row(inputs.row(*row))).collect();
        let features = Array2::from_shape_fn((inputs.ncols(), used.len()), |(feature, sample)| {
            (inputs[[used[sample], feature]] / scales[sample]) as f32
        });
        Ok(Self::of_features(features, scales, pairs, Arc::default()))
    }

    fn of_features(features: Array2<f32>, scales: Vec<f64>, pairs: Vec<(u32, u32)>, drawn: Arc<DrawnRows>) -> Self {
        let products = match features.nrows().saturating_mul(pairs.len()) <= HELD_PRODUCTS {
            true => (0..pairs.len().div_ceil(BLOCK)).map(|_| OnceLock::new()).collect(),
            false => Vec::new(),
        };
        Self { features, scales, pairs, drawn, products: Arc::new(products) }
    }

    /// Shares the rows of layers that were drawn for other inputs, so that they are not drawn again.
    pub(crate) fn sharing(self, drawn: &Arc<DrawnRows>) -> Self {
        Self { drawn: Arc::clone(drawn), ..self }
    }

    /// The input dimension `d`.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.features.nrows()
    }

    /// The outputs `u x / sqrt(d)` of a drawn layer `u`, or their positive parts, as inputs: those of the layer after
    /// it.
    ///
    /// # Errors
    /// Where the layer does not have `d` columns, or has no rows.
    pub fn after(&self, law: LayerSpec, id: LayerId, activation: Activation) -> Result<Self> {
        self.check(law)?;
        self.after_rows(&DrawnLayer::new(law, id).all_rows(), law, activation)
    }

    /// The same for a layer whose rows have been drawn.
    pub(super) fn after_rows(&self, rows: &SparseRows, law: LayerSpec, activation: Activation) -> Result<Self> {
        let mut features = unit_features(rows, law, activation, &self.features)?;
        features *= (1.0 / (law.columns as f64).sqrt()) as f32;
        Ok(Self::of_features(features, self.scales.clone(), self.pairs.clone(), Arc::clone(&self.drawn)))
    }

    /// As where products of entries are too many to keep.
    #[cfg(test)]
    pub(super) fn without_products(self) -> Self {
        Self { products: Arc::default(), ..self }
    }

    /// The values that the inputs of a layer take in memory, products of entries included.
    pub(super) fn held_values(&self, dimension: usize) -> usize {
        let products = dimension.saturating_mul(self.pairs.len());
        let held = if products <= HELD_PRODUCTS { products } else { 0 };
        dimension.saturating_mul(self.samples()).saturating_add(held)
    }

    /// Shape `(d, samples)`, each input divided by its scale.
    pub(super) fn features(&self) -> &Array2<f32> {
        &self.features
    }

    /// Rows of a layer that takes these inputs, drawn before or now.
    pub(super) fn drawn_rows(&self, drawn: &DrawnLayer, rows: Range<usize>) -> Arc<NumberedRows> {
        self.drawn.of(drawn, rows)
    }

    /// The blocks of pairs that [`PairedInputs::products`] takes: their places among the pairs.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let all = self.pairs.len();
        (0..all).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(all))
    }

    /// Some pairs, as columns of the features.
    pub(super) fn pairs_of(&self, block: Range<usize>) -> &[(u32, u32)] {
        &self.pairs[block]
    }

    /// `x_j y_j` of a block of pairs, shape `(d, pairs)`; where they are not kept, of the entries `j` that some weights
    /// multiply, and zeros.
    pub(super) fn products(&self, block: Range<usize>, weights: &SparseRows) -> Cow<'_, Array2<f32>> {
        let pairs = &self.pairs[block.clone()];
        let fill = |entry: usize, mut products: ArrayViewMut1<f32>| {
            let entries = self.features.row(entry);
            for (product, (first, second)) in products.iter_mut().zip(pairs) {
                *product = entries[*first as usize] * entries[*second as usize];
            }
        };
        let all = || {
            let mut products = Array2::zeros((self.dimension(), pairs.len()));
            products.outer_iter_mut().enumerate().for_each(|(entry, row)| fill(entry, row));
            products
        };
        match self.products.get(block.start / BLOCK) {
            // By one thread alone: work of rayon's in here could be given to a thread that then waits for this lock.
            Some(known) => Cow::Borrowed(known.get_or_init(all)),
            None => {
                let mut products = Array2::zeros((self.dimension(), pairs.len()));
                let mut used = weights.columns.clone();
                used.sort_unstable();
                used.dedup();
                used.iter().for_each(|entry| fill(*entry as usize, products.row_mut(*entry as usize)));
                Cow::Owned(products)
            }
        }
    }

    /// The inputs of the last layer of a drawn network, and what that layer is drawn from.
    pub(super) fn before_last(
        &self,
        network: &Architecture,
        distribution: WeightDistribution,
        seed: u64,
        initialisation: u32,
    ) -> Result<(Cow<'_, Self>, LayerSpec, LayerId)> {
        let mut specs = network.layer_specs(self.dimension(), distribution);
        let last = specs.pop().expect("a network has a layer: checked where it is made");
        let mut inputs = Cow::Borrowed(self);
        let mut id = LayerId { seed, initialisation, layer: 0 };
        for (spec, layer) in specs.into_iter().zip(network.layers()) {
            inputs = Cow::Owned(inputs.after(spec, id, layer.activation())?);
            id.layer += 1;
        }
        Ok((inputs, last, id))
    }

    /// Refuses reference values unless there is one for each pair.
    pub(super) fn check_reference(&self, reference: &[f64]) -> Result<()> {
        if reference.len() == self.pairs() {
            return Ok(());
        }
        let (found, problem) = (format!("{} values", reference.len()), format!("there are {} pairs", self.pairs()));
        Err(Error::value("reference", found, problem, "give one value per pair"))
    }

    /// Refuses a layer that does not take these inputs.
    pub(super) fn check(&self, law: LayerSpec) -> Result<()> {
        if law.columns == self.dimension() && (1..=u32::MAX as usize).contains(&law.rows) {
            return Ok(());
        }
        Err(Error::value(
            "width, dimension",
            format!("{}, {}", law.rows, law.columns),
            format!("the inputs have dimension {} and the width must be from 1 to 2^32 - 1", self.dimension()),
            "give a layer that fits",
        ))
    }

    /// Turns sums of products of scaled features into means over `count`.
    pub(super) fn scale_sums(&self, sums: &mut [f64], count: f64) {
        for (sum, (first, second)) in sums.iter_mut().zip(&self.pairs) {
            *sum *= self.scales[*first as usize] * self.scales[*second as usize] / count;
        }
    }

    /// The number of different inputs in pairs.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.features.ncols()
    }

    /// The number of pairs.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The places of up to `count` pairs, evenly spread over all.
    pub(super) fn spread_pairs(&self, count: usize) -> Vec<usize> {
        let (all, count) = (self.pairs.len(), count.min(self.pairs.len()));
        (0..count).map(|index| (index as u128 * all as u128 / count as u128) as usize).collect()
    }

    /// Those pairs alone, with their inputs.
    pub(super) fn some_pairs(&self, places: &[usize]) -> Self {
        let pairs: Vec<(u32, u32)> = places.iter().map(|place| self.pairs[*place]).collect();
        let mut used: Vec<usize> = pairs.iter().flat_map(|(i, j)| [*i as usize, *j as usize]).collect();
        used.sort_unstable();
        used.dedup();
        let place = |row: u32| used.partition_point(|other| *other < row as usize) as u32;
        let features = Array2::from_shape_fn((self.dimension(), used.len()), |(feature, sample)| {
            self.features[[feature, used[sample]]]
        });
        let scales = used.iter().map(|row| self.scales[*row]).collect();
        let pairs = pairs.into_iter().map(|(i, j)| (place(i), place(j))).collect();
        Self::of_features(features, scales, pairs, Arc::clone(&self.drawn))
    }
}

/// The outputs of a layer's units before they are divided by the root of its columns, shape `(rows, inputs)`.
pub(super) fn unit_features(
    rows: &SparseRows,
    law: LayerSpec,
    activation: Activation,
    inputs: &Array2<f32>,
) -> Result<Array2<f32>> {
    match activation {
        Activation::Relu => hidden_features(rows, law, inputs),
        Activation::Linear => linear_features(rows, law, inputs),
    }
}

/// Sums over the units of a layer, for each pair: `add` adds those of some rows. The same bits for any number of
/// threads.
pub(super) fn sum_over_units(
    pairs: usize,
    units: usize,
    add: impl Fn(Range<usize>, &mut [f64]) -> Result<()> + Sync,
) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; pairs];
    let chunks = units.div_ceil(ROWS);
    let together = (HELD_SUMS / pairs).clamp(1, 64);
    // In rounds, so that memory does not grow with the width; the order of summation is that of the chunks.
    for round in (0..chunks).step_by(together) {
        let partial = try_map((round..(round + together).min(chunks)).into_par_iter(), |chunk| {
            let mut sums = vec![0.0; pairs];
            add(chunk * ROWS..((chunk + 1) * ROWS).min(units), &mut sums)?;
            Ok(sums)
        })?;
        for part in partial {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }
    Ok(sums)
}

/// `nngp(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+` of one drawn first layer `u`, for each pair.
///
/// Features in single precision, sums over hidden units in double; the same bits for any number of threads.
///
/// # Errors
/// Where the layer does not have `d` columns, or has no rows.
pub fn sampled_kernels(inputs: &PairedInputs, law: LayerSpec, id: LayerId) -> Result<Vec<f64>> {
    inputs.check(law)?;
    let drawn = DrawnLayer::new(law, id);
    let mut sums = sum_over_units(inputs.pairs(), law.rows, |rows, sums| add_rows(inputs, &drawn, rows, sums))?;
    inputs.scale_sums(&mut sums, law.rows as f64 * law.columns as f64);
    Ok(sums)
}

/// Adds `[u_i.x]_+ [u_i.y]_+` of some rows of a layer to the sums, for each pair.
fn add_rows(inputs: &PairedInputs, drawn: &DrawnLayer, rows: Range<usize>, sums: &mut [f64]) -> Result<()> {
    let rows = inputs.drawn.of(drawn, rows);
    for features in hidden_features(&rows.weights, *drawn.law(), &inputs.features)?.rows() {
        let features = features.to_slice().expect("standard layout: features are made so");
        add_pair_products(features, &inputs.pairs, sums);
    }
    Ok(())
}

/// The same for consecutive batches of `each` rows of one layer, as if each batch were a network; one list per batch.
pub(super) fn batch_kernels(
    inputs: &PairedInputs,
    law: LayerSpec,
    id: LayerId,
    batches: usize,
    each: usize,
) -> Result<Vec<Vec<f64>>> {
    inputs.check(law)?;
    let drawn = DrawnLayer::new(law, id);
    let count = each as f64 * law.columns as f64;
    (0..batches)
        .map(|batch| {
            let mut sums = vec![0.0; inputs.pairs.len()];
            let end = ((batch + 1) * each).min(law.rows);
            for start in (batch * each..end).step_by(ROWS) {
                add_rows(inputs, &drawn, start..(start + ROWS).min(end), &mut sums)?;
            }
            inputs.scale_sums(&mut sums, count);
            Ok(sums)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Connectivity;
    use crate::network::{MaskFamily, WeightDistribution};
    use ndarray::Array;

    #[test]
    fn inputs_without_entries_are_refused() {
        let message = PairedInputs::new(Array2::zeros((3, 0)).view(), &[(0, 1)]).unwrap_err().to_string();
        assert!(message.contains("the dimension is 0"), "{message}");
    }

    #[test]
    fn kernels_match_their_definition_on_both_sides_of_the_crossover() {
        let inputs = Array::from_shape_fn((9, 40), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 10.0 - 1.0);
        let pairs = [(0, 1), (3, 3), (8, 2), (0, 8)];
        let paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
        for p in [1.0, 0.3, 0.2, 1e-3] {
            let law = LayerSpec {
                rows: 150,
                columns: 40,
                connectivity: Connectivity::new(p).unwrap(),
                mask: MaskFamily::Bernoulli,
                law: WeightDistribution::Gaussian,
            };
            let id = LayerId { seed: 2, initialisation: 1, layer: 0 };
            let found = sampled_kernels(&paired, law, id).unwrap();
            // Three batches of the 150 rows, of two of the pairs.
            let batches = batch_kernels(&paired.some_pairs(&paired.spread_pairs(2)), law, id, 3, 50).unwrap();
            for (place, whole) in [(0, found[0]), (1, found[2])] {
                let mean = batches.iter().map(|batch| batch[place]).sum::<f64>() / 3.0;
                assert!((mean - whole).abs() <= 1e-12 * whole, "{mean} {whole}");
            }
            let rows = DrawnLayer::new(law, id).all_rows();
            for ((i, j), found) in pairs.iter().zip(found) {
                let unit = |row: usize, sample: usize| {
                    let (columns, values) = rows.row(row);
                    let sum: f64 =
                        columns.iter().zip(values).map(|(c, w)| f64::from(*w) * inputs[[sample, *c as usize]]).sum();
                    sum.max(0.0)
                };
                let expected = (0..150).map(|row| unit(row, *i) * unit(row, *j)).sum::<f64>() / (150.0 * 40.0);
                // Single precision sums of at most 40 terms.
                assert!((found - expected).abs() <= 1e-5 * expected + 1e-12, "p = {p}: {found} {expected}");
            }
        }
    }

    #[test]
    fn inputs_of_scales_far_apart_stand_side_by_side() {
        // From 1e-40 to 1e40, of which single precision holds neither relative to the other.
        let plain = Array::from_shape_fn((4, 30), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 10.0 - 1.0);
        let scales = [1e-40, 1.0, 3e20, 1e40];
        let mut scaled = plain.clone();
        scaled.rows_mut().into_iter().zip(scales).for_each(|(mut row, scale)| row *= scale);
        let pairs = [(0, 1), (0, 3), (1, 2), (0, 0), (2, 3)];
        let id = LayerId { seed: 5, initialisation: 0, layer: 0 };
        for (p, before) in [(0.2, false), (1.0, false), (0.2, true)] {
            let law = LayerSpec {
                rows: 30,
                columns: 30,
                connectivity: Connectivity::new(p).unwrap(),
                mask: MaskFamily::Bernoulli,
                law: WeightDistribution::Gaussian,
            };
            let kernels = |inputs: &Array2<f64>| {
                let mut paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
                if before {
                    paired = paired.after(law, LayerId { layer: 1, ..id }, Activation::Relu).unwrap();
                }
                sampled_kernels(&paired, law, id).unwrap()
            };
            for ((first, second), (plain, scaled)) in pairs.iter().zip(kernels(&plain).iter().zip(kernels(&scaled))) {
                // The kernel is homogeneous; entries are rounded to single precision again.
                let expected = plain * scales[*first] * scales[*second];
                assert!((scaled / expected - 1.0).abs() < 1e-5, "{first}, {second}, p = {p}: {scaled:e} {expected:e}");
            }
        }
    }
}
