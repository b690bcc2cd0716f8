//! Drawing sparse layers: which weights exist, and their values.

use std::f64::consts::PI;
use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::network::Connectivity;
use crate::network::mask_family::{MaskEnd, MaskFamily};
use crate::numeric::random::{Purpose, at_most, domain, key, keys, philox};

/// The law of the weights that exist, at `sigma = 1/sqrt(p)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum WeightDistribution {
    /// `N(0, sigma^2)`: the theory's weights.
    #[strum(message = "Gaussian")]
    Gaussian,
    /// Uniform on `(-sigma, sigma)`, of variance `sigma^2 / 3`: the default of the authors' experiments.
    #[strum(message = "uniform")]
    Uniform,
}

impl WeightDistribution {
    /// The variance `v` in units of `sigma^2`. The infinite-width kernel of a law is `v K_1 / d`.
    #[must_use]
    pub fn variance(self) -> f64 {
        match self {
            Self::Gaussian => 1.0,
            Self::Uniform => 1.0 / 3.0,
        }
    }

    /// The kurtosis `E v^4 / (E v^2)^2`: 3, or 9/5.
    #[must_use]
    pub fn kurtosis(self) -> f64 {
        match self {
            Self::Gaussian => 3.0,
            Self::Uniform => 1.8,
        }
    }

    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for titles and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// The law of a random layer of shape `rows x columns` (outputs x inputs).
#[derive(Clone, Copy, Debug)]
pub struct LayerSpec {
    /// Outputs of the layer.
    pub rows: usize,
    /// Inputs of the layer.
    pub columns: usize,
    /// The share `p` of weights that exist.
    pub connectivity: Connectivity,
    /// Which of them exist.
    pub mask: MaskFamily,
    /// Their values.
    pub law: WeightDistribution,
}

impl LayerSpec {
    /// `sigma = 1/sqrt(p)`, the scale of the weights that exist; with a constant fan-in, `p` is the share that a row
    /// keeps after rounding.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.mask.sigma(self)
    }

    /// The number of weights that exist, where the masks have a fixed count; none where each draw has its own.
    #[must_use]
    pub fn fixed_count(&self) -> Option<usize> {
        self.mask.fixed_count(self)
    }

    /// `round(p columns)`, the weights of each row of a constant fan-in.
    #[must_use]
    pub fn kept_per_row(&self) -> usize {
        (self.connectivity.get() * self.columns as f64).round() as usize
    }
}

/// The identity of one of the independent layers of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerId {
    /// The user's seed.
    pub seed: u64,
    /// The initialisation, in a study over many.
    pub initialisation: u32,
    /// The position of the layer in its network.
    pub layer: u32,
}

/// The weights that exist, row by row (compressed sparse rows).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRows {
    /// Row `i` holds the entries `offsets[i]..offsets[i + 1]`; length rows + 1.
    pub(crate) offsets: Vec<usize>,
    /// The column of each entry, increasing within a row.
    pub(crate) columns: Vec<u32>,
    /// The value of each entry.
    pub(crate) values: Vec<f32>,
}

impl SparseRows {
    /// The weights of a layer whose mask is given: row `i` keeps `columns[offsets[i]..offsets[i + 1]]`, weights of a
    /// law at the scale `sigmas[i]`. Those that a [`DrawnLayer`] of the same identity keeps are the same, but for the
    /// scale.
    pub(crate) fn of_mask(
        (offsets, columns): (&[usize], &[u32]),
        sigmas: &[f64],
        law: WeightDistribution,
        id: LayerId,
    ) -> Self {
        let mut values = Vec::with_capacity(columns.len());
        for (row, (ends, sigma)) in offsets.windows(2).zip(sigmas).enumerate() {
            let [second, third, fourth] = counter(row, id);
            values.extend(columns[ends[0]..ends[1]].iter().map(|column| {
                let block = philox(key(id.seed), [*column, second, third, fourth]);
                (sigma * value(law, block)) as f32
            }));
        }
        Self { offsets: offsets.into(), columns: columns.into(), values }
    }

    /// The number of weights that exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether no weight exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The number of rows; 0 for [`SparseRows::default`].
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Drops the rows without weights; the others keep their order.
    pub fn drop_empty_rows(&mut self) {
        // A row begins where the one before ends.
        self.offsets.dedup();
    }

    /// Gives back memory beyond what the rows take.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.offsets.shrink_to_fit();
        self.columns.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// The memory of the rows, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.offsets) + size_of_val(&*self.columns) + size_of_val(&*self.values)
    }

    /// The rows as a matrix of `columns` columns, 0 where no weight exists.
    ///
    /// # Panics
    /// As indexing does, where a weight lies beyond these columns.
    #[must_use]
    pub fn to_dense(&self, columns: usize) -> Array2<f32> {
        let mut dense = Array2::zeros((self.rows(), columns));
        for (i, mut row) in dense.rows_mut().into_iter().enumerate() {
            let (columns, values) = self.row(i);
            columns.iter().zip(values).for_each(|(column, value)| row[*column as usize] = *value);
        }
        dense
    }

    /// Columns and values of row `i`.
    ///
    /// # Panics
    /// As indexing does, where there is no such row.
    #[inline]
    #[must_use]
    pub fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[i]..self.offsets[i + 1];
        (&self.columns[range.clone()], &self.values[range])
    }
}

/// A layer whose masks are decided and whose rows can be drawn in any order.
///
/// Every entry has its own Philox block, at the counter (column, row, initialisation, layer). Its first two words
/// are the entry's *key*, which decides whether the weight exists; the other two make its value. So a network is the
/// same whatever device computes it, and networks are nested: at a lower connectivity the same seed keeps a subset of
/// the weights.
///
/// ```
/// use sparsewidth::network::Connectivity;
/// use sparsewidth::network::{DrawnLayer, LayerId, LayerSpec, MaskFamily, WeightDistribution};
/// let law = LayerSpec {
///     rows: 10,
///     columns: 784,
///     connectivity: Connectivity::new(0.1)?,
///     mask: MaskFamily::ExactCount,
///     law: WeightDistribution::Gaussian,
/// };
/// let weights = DrawnLayer::new(law, LayerId { seed: 0, initialisation: 0, layer: 0 }).all_rows();
/// assert_eq!(weights.len(), 784);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DrawnLayer {
    law: LayerSpec,
    id: LayerId,
    /// In every row, the entries before this end exist; none where the end differs from row to row.
    end: Option<MaskEnd>,
}

impl DrawnLayer {
    /// Decides the masks; takes `O(rows columns)` time for an exact count, otherwise hardly any.
    #[must_use]
    pub fn new(law: LayerSpec, id: LayerId) -> Self {
        let mut drawn = Self { law, id, end: Some(MaskEnd::NEVER) };
        if !law.connectivity.is_dense() {
            drawn.end = law.mask.end_of_layer(&drawn);
        }
        drawn
    }

    /// The law of the layer.
    #[must_use]
    pub fn law(&self) -> &LayerSpec {
        &self.law
    }

    /// Which layer it is.
    pub(crate) fn id(&self) -> LayerId {
        self.id
    }

    /// What a device needs to draw the layer: its seed, the third and fourth word of its counters, and the key and
    /// place before which entries exist.
    #[cfg(any(feature = "cuda", all(test, feature = "host-kernels")))]
    pub(crate) fn on_device(&self) -> (u64, [u32; 2], (u64, u64)) {
        let [_, third, fourth] = counter(0, self.id);
        let end = self.end.expect("a device draws layers of one end: rows with ends of their own are refused before");
        (self.id.seed, [third, fourth], (end.key, end.place))
    }

    /// The keys of a row's entries.
    pub(super) fn keys(&self, row: usize) -> Vec<u64> {
        let mut row_keys = vec![0; self.law.columns];
        keys(key(self.id.seed), counter(row, self.id), &mut row_keys);
        row_keys
    }

    /// Draws a range of rows.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> SparseRows {
        let sigma = self.law.sigma();
        let mut drawn = SparseRows { offsets: vec![0], ..SparseRows::default() };
        let mut candidates = Vec::new();
        for row in rows {
            let [second, third, fourth] = counter(row, self.id);
            let keys = self.keys(row);
            let place = |column: usize| (row * self.law.columns + column) as u64;
            let end = self.end.unwrap_or_else(|| MaskEnd::of_smallest(&keys, place(0), self.law.kept_per_row()));
            at_most(&keys, end.key, &mut candidates);
            for column in candidates.drain(..) {
                if end.is_after(keys[column], place(column)) {
                    let block = philox(key(self.id.seed), [column as u32, second, third, fourth]);
                    drawn.columns.push(column as u32);
                    drawn.values.push((sigma * value(self.law.law, block)) as f32);
                }
            }
            drawn.offsets.push(drawn.columns.len());
        }
        drawn
    }

    /// Draws the whole layer.
    #[must_use]
    pub fn all_rows(&self) -> SparseRows {
        self.rows_in_parallel(0..self.law.rows)
    }

    /// [`DrawnLayer::rows`], on all threads.
    #[must_use]
    pub fn rows_in_parallel(&self, rows: Range<usize>) -> SparseRows {
        let parts: Vec<SparseRows> = rows.into_par_iter().map(|row| self.rows(row..row + 1)).collect();
        let mut whole = SparseRows { offsets: vec![0], ..SparseRows::default() };
        for part in parts {
            whole.columns.extend(part.columns);
            whole.values.extend(part.values);
            whole.offsets.push(whole.columns.len());
        }
        whole
    }
}

/// The words of an entry's counter except the column.
fn counter(row: usize, id: LayerId) -> [u32; 3] {
    [row as u32, id.initialisation, domain(Purpose::Layer, id.layer)]
}

/// A weight of unit `sigma` from the last two words of its block: by Box-Muller, or affine.
#[inline]
fn value(law: WeightDistribution, block: [u32; 4]) -> f64 {
    let unit = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
    match law {
        WeightDistribution::Gaussian => (-2.0 * unit(block[2]).ln()).sqrt() * (2.0 * PI * unit(block[3])).cos(),
        WeightDistribution::Uniform => 2.0 * unit(block[2]) - 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(p: f64, mask: MaskFamily, law: WeightDistribution) -> SparseRows {
        let law = LayerSpec { rows: 200, columns: 300, connectivity: Connectivity::new(p).unwrap(), mask, law };
        DrawnLayer::new(law, LayerId { seed: 5, initialisation: 0, layer: 0 }).all_rows()
    }

    #[test]
    fn no_rows_are_no_rows() {
        let mut none = SparseRows::default();
        assert_eq!((none.rows(), none.len(), none.to_dense(3).dim()), (0, 0, (0, 3)));
        none.drop_empty_rows();
        assert_eq!(none, SparseRows::default());
    }

    #[test]
    fn a_constant_fan_in_is_constant_and_uniform() {
        for p in [1.0, 0.5, 0.1, 1.0 / 300.0, 1e-3] {
            let drawn = draw(p, MaskFamily::ConstantFanIn, WeightDistribution::Gaussian);
            let fan_in = (p * 300.0f64).round() as usize;
            assert!((0..drawn.rows()).all(|row| drawn.row(row).0.len() == fan_in), "p = {p}");
        }
        // Each of 300 columns is kept by 30 of 300 in a row, over 200 rows: 20 on average, variance 200 0.1 0.9 = 18.
        // Over columns the sum of squares over that is chi-square of 299 degrees of freedom, times 300/299; within 5.5
        // standard deviations of 24.5.
        let drawn = draw(0.1, MaskFamily::ConstantFanIn, WeightDistribution::Gaussian);
        let mut counts = vec![0.0f64; 300];
        drawn.columns.iter().for_each(|column| counts[*column as usize] += 1.0);
        let squares: f64 = counts.iter().map(|count| (count - 20.0).powi(2) / 18.0).sum();
        assert!((squares - 300.0).abs() < 135.0, "{squares}");
    }

    #[test]
    fn exact_counts_are_exact() {
        for p in [1.0, 0.5, 0.1, 1e-3, 1.0 / 60_000.0, 1e-6] {
            let drawn = draw(p, MaskFamily::ExactCount, WeightDistribution::Gaussian);
            assert_eq!(drawn.len(), (p * 60_000.0).round() as usize, "p = {p}");
            let law = LayerSpec {
                rows: 200,
                columns: 300,
                connectivity: Connectivity::new(p).unwrap(),
                mask: MaskFamily::ExactCount,
                law: WeightDistribution::Gaussian,
            };
            assert_eq!(law.fixed_count(), Some(drawn.len()));
            assert_eq!(drawn.rows(), 200);
        }
    }

    #[test]
    fn bernoulli_counts_are_binomial() {
        // Five standard deviations: a false alarm once in 10^6 seeds, and the seed is fixed.
        for p in [0.5, 0.1, 1e-3] {
            let count = draw(p, MaskFamily::Bernoulli, WeightDistribution::Gaussian).len() as f64;
            let deviation = (count - 60_000.0 * p) / (60_000.0 * p * (1.0 - p)).sqrt();
            assert!(deviation.abs() < 5.0, "p = {p}: {count}, {deviation} standard deviations");
        }
    }

    #[test]
    fn weights_have_the_moments_of_their_law() {
        // Second and fourth moment in units of sigma, within five standard errors.
        for (law, second, fourth, eighth) in
            [(WeightDistribution::Gaussian, 1.0, 3.0, 105.0), (WeightDistribution::Uniform, 1.0 / 3.0, 0.2, 1.0 / 9.0)]
        {
            let drawn = draw(0.5, MaskFamily::Bernoulli, law);
            let n = drawn.len() as f64;
            let mean =
                |power: i32| drawn.values.iter().map(|w| (f64::from(*w) * 0.5f64.sqrt()).powi(power)).sum::<f64>() / n;
            assert!(mean(1).abs() < 5.0 * (second / n).sqrt());
            assert!((mean(2) - second).abs() < 5.0 * ((fourth - second * second) / n).sqrt(), "{law:?}");
            assert!((mean(4) - fourth).abs() < 5.0 * ((eighth - fourth * fourth) / n).sqrt(), "{law:?}");
        }
    }

    #[test]
    fn lower_connectivity_keeps_a_subset() {
        let places = |drawn: &SparseRows| -> Vec<(usize, u32)> {
            (0..drawn.rows()).flat_map(|i| drawn.row(i).0.iter().map(move |j| (i, *j))).collect()
        };
        for mask in [MaskFamily::Bernoulli, MaskFamily::ExactCount] {
            let many = places(&draw(0.1, mask, WeightDistribution::Gaussian));
            let few = places(&draw(0.01, mask, WeightDistribution::Gaussian));
            assert!(few.iter().all(|place| many.binary_search(place).is_ok()));
        }
    }
}
