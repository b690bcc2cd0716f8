//! The distance of every pair of two sets of inputs by the second-order expansion, as matrix products.
//!
//! The expansion ([`Expansion`](crate::kernel::masked::Expansion)) needs, for each pair, sums over entries of products
//! of powers: `x.y`, `sum x^2 y^2`, `sum x^3 y`, `sum x y^3`, and `sum x^4`, `sum y^4` of each input. Over two sets the
//! first four are matrix products of elementwise powers, computed tile by tile, so that no `N x N` matrix is ever held:
//! means are accumulated, and quantiles come from histograms where there are many pairs ([`LogHistogram`]).
//!
//! The averages of the tangent kernel come from the same sums.
//!
//! The products take `4 d` multiply-adds per pair, and dominate from some hundred entries on. Apart from them a pair
//! takes about 60 operations, and 25 more per network, as counted in the source.

use std::f64::consts::PI;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::arc_cosine::unit_angles;
use crate::kernel::gram::check_inputs;
use crate::kernel::nngp::Width;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::{Connectivity, WeightDistribution};
use crate::numeric::linalg::product;
use crate::numeric::parallel::try_map;
use crate::numeric::simd::lane_sum;
use crate::numeric::statistics::LogHistogram;

/// Inputs of a tile's rows and columns. Four products of this size and their factors stay in a second-level cache.
const TILE: usize = 192;

/// A mean over pairs, with the values of the pairs: as a histogram where there are many.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    sum: f64,
    histogram: LogHistogram,
}

impl Distribution {
    /// The mean; NaN over no pairs.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.histogram.count() as f64
    }

    /// The quantile at `level`: exact for few pairs, otherwise with the relative error that
    /// [`Distribution::resolution`] gives.
    #[must_use]
    pub fn quantile(&self, level: f64) -> f64 {
        self.histogram.quantile(level)
    }

    /// The largest relative error of a quantile; none where they are exact.
    #[must_use]
    pub fn resolution(&self) -> Option<f64> {
        (!self.histogram.is_exact()).then_some(LogHistogram::RESOLUTION)
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.histogram.merge(&other.histogram);
    }
}

/// A mean over pairs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    /// The mean; NaN over no pairs.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

/// The distances of all pairs at one width, see [`Distance`](crate::kernel::nngp::Distance).
#[derive(Clone, Debug, Default)]
pub struct PairDistances {
    /// `bias^2 + variance / n`.
    pub distance: Distribution,
    /// `bias^2`.
    pub bias_squared: Mean,
    /// The variance of one hidden unit.
    pub variance: Mean,
}

impl PairDistances {
    /// The number of pairs.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.distance.histogram.count()
    }

    fn merge(&mut self, other: &Self) {
        self.distance.merge(&other.distance);
        self.bias_squared.merge(&other.bias_squared);
        self.variance.merge(&other.variance);
    }
}

/// One set of inputs, as unit vectors with their norms and fourth moments.
pub(super) struct Set {
    units: Array2<f64>,
    norms: Vec<f64>,
    fourth: Vec<f64>,
}

impl Set {
    pub(super) fn new(name: &str, inputs: ArrayView2<f64>) -> Result<Self> {
        if inputs.ncols() == 0 {
            return Err(Error::value(name, "empty vectors", "the dimension is 0", "give at least one entry"));
        }
        check_inputs(name, inputs)?;
        let mut units = inputs.to_owned();
        let norms: Vec<f64> = units
            .axis_iter_mut(Axis(0))
            .map(|mut row| {
                let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
                row.mapv_inplace(|value| if norm > 0.0 { value / norm } else { 0.0 });
                norm
            })
            .collect();
        let fourth = units.axis_iter(Axis(0)).map(|row| row.iter().map(|value| value.powi(4)).sum()).collect();
        Ok(Self { units, norms, fourth })
    }

    fn tile(&self, start: usize) -> Tile<'_> {
        self.part(start..(start + TILE).min(self.norms.len()))
    }

    /// Some of the inputs.
    pub(super) fn part(&self, rows: Range<usize>) -> Tile<'_> {
        let first = self.units.slice(s![rows.clone(), ..]);
        let second = first.mapv(|value| value * value);
        let third = &second * &first;
        Tile { first, second, third, norms: &self.norms[rows.clone()], fourth: &self.fourth[rows] }
    }
}

/// A few inputs with the powers of their entries.
pub(super) struct Tile<'a> {
    first: ArrayView2<'a, f64>,
    second: Array2<f64>,
    third: Array2<f64>,
    norms: &'a [f64],
    fourth: &'a [f64],
}

/// The distances of all pairs `(x_i, y_j)`, `i` over the rows of `x` and `j` over those of `y`, for each network
/// `(p, n)`; of all pairs `i < j` of `x` where there is no `y`. Shapes `(N, d)` and `(M, d)`. One [`PairDistances`] per
/// network, in their order.
///
/// `progress` is called with the share that is done, from any thread.
///
/// # Errors
/// Where the shapes do not match, an input is not one that [`Pair::new`](crate::kernel::gram::Pair::new) accepts, or
/// the sets have no pair.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::{Connectivity, Width, kernel::all_pairs::all_pairs};
/// let x = array![[1.0, 2.0, 3.0], [3.0, -1.0, 1.0], [0.5, 0.5, 2.0]];
/// let found = all_pairs(x.view(), None, &[(Connectivity::new(0.5)?, Width::new(10)?)], &|_| {})?;
/// assert_eq!(found[0].pairs(), 3);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn all_pairs(
    x: ArrayView2<f64>,
    y: Option<ArrayView2<f64>>,
    networks: &[(Connectivity, Width)],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<PairDistances>> {
    all_pairs_of_kernel((Kernel::Nngp, WeightDistribution::Gaussian), x, y, networks, progress)
}

/// The same for a kernel, and for readout weights of a distribution, whose kurtosis the variance of the tangent kernel
/// depends on. Between inputs less than 3e-4 apart in angle, the change of the tangent kernel's first layer with the
/// masks is taken to be 0.
///
/// # Errors
/// As [`all_pairs`].
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::all_pairs::{all_pairs, all_pairs_of_kernel};
/// use sparsewidth::{Connectivity, Kernel, Tangent, WeightDistribution, Width};
/// let x = array![[1.0, 2.0, 3.0], [3.0, 1.0, 1.0], [0.5, 0.5, 2.0]];
/// let networks = [(Connectivity::new(0.8)?, Width::new(10)?)];
/// let nngp = all_pairs(x.view(), None, &networks, &|_| {})?;
/// let kernel = (Kernel::Ntk(Tangent::Standardised), WeightDistribution::Gaussian);
/// let ntk = all_pairs_of_kernel(kernel, x.view(), None, &networks, &|_| {})?;
/// assert!(ntk[0].variance.mean() > nngp[0].variance.mean());
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn all_pairs_of_kernel(
    (kernel, readout): (Kernel, WeightDistribution),
    x: ArrayView2<f64>,
    y: Option<ArrayView2<f64>>,
    networks: &[(Connectivity, Width)],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<PairDistances>> {
    let tangent = kernel.tangent().map(|tangent| (tangent, readout.kurtosis()));
    if let Some(y) = y
        && x.ncols() != y.ncols()
    {
        let shapes = format!("shapes {:?} and {:?}", x.dim(), y.dim());
        return Err(Error::value("x, y", shapes, "have different dimensions", "give rows of equal length"));
    }
    let first = Set::new("x", x)?;
    let other = y.map(|y| Set::new("y", y)).transpose()?;
    let second = other.as_ref().unwrap_or(&first);
    let (rows, columns) = (first.norms.len(), second.norms.len());
    if columns < if other.is_some() { 1 } else { 2 } || rows == 0 {
        return Err(Error::value("x, y", format!("{rows} and {columns} inputs"), "make no pair", "give more inputs"));
    }
    // Within one set, each pair of tiles is taken once.
    let columns_of = |row| (if other.is_some() { 0 } else { row }..columns).step_by(TILE);
    let tiles = (0..rows).step_by(TILE).map(|row| columns_of(row).count()).sum::<usize>() as f64;
    let done = AtomicU64::new(0);
    // By rows of tiles, added in their order: the same bits for any number of threads.
    let by_row = try_map((0..rows).into_par_iter().step_by(TILE).with_max_len(1), |row| {
        let mut sums = vec![PairDistances::default(); networks.len()];
        let left = first.tile(row);
        let mut work = ProductTiles::default();
        for column in columns_of(row) {
            let diagonal = other.is_none() && column == row;
            work.tile(&left, &second.tile(column), diagonal, networks, tangent, &mut sums)?;
            progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / tiles);
        }
        Ok(sums)
    })?;
    let mut total = vec![PairDistances::default(); networks.len()];
    for row in &by_row {
        total.iter_mut().zip(row).for_each(|(total, sums)| total.merge(sums));
    }
    Ok(total)
}

/// Buffers for one tile.
#[derive(Default)]
pub(super) struct ProductTiles {
    /// `x.y`, `sum x^2 y^2` and `sum (x^3 y + x y^3)` of unit vectors.
    products: [Array2<f64>; 3],
    cosine: Vec<f64>,
    sine: Vec<f64>,
    phi: Vec<f64>,
    /// For unit vectors: `K_1`, `K_2`, and their changes in units of `q`.
    kernels: [Vec<f64>; 4],
    /// `C K_0`, `C K_1` and `C^2 K_0`, and their changes.
    tangent: [Vec<f64>; 6],
    /// The moments of the tangent kernel of one network, in the form of `kernels`.
    combined: [Vec<f64>; 4],
    totals: Vec<f64>,
}

impl ProductTiles {
    fn tile(
        &mut self,
        left: &Tile,
        right: &Tile,
        diagonal: bool,
        networks: &[(Connectivity, Width)],
        tangent: Option<(Tangent, f64)>,
        sums: &mut [PairDistances],
    ) -> Result<()> {
        let shape = (left.norms.len(), right.norms.len());
        let dimension = left.first.ncols() as f64;
        self.multiply(left, right, true)?;
        for row in 0..shape.0 {
            let start = if diagonal { row + 1 } else { 0 };
            let count = self.expand((left, row), (right, start), tangent.is_some());
            self.totals.resize(count, 0.0);
            for ((connectivity, width), sums) in networks.iter().zip(sums.iter_mut()) {
                let scales = (left.norms[row] / dimension, &right.norms[start..]);
                let factors = (connectivity.excess(), width.get() as f64);
                let kernels = match tangent {
                    None => &self.kernels,
                    Some((tangent, kurtosis)) => {
                        let factors = (tangent.tau(*connectivity), kurtosis, connectivity.excess());
                        combine(&self.kernels, &self.tangent, factors, &mut self.combined);
                        &self.combined
                    }
                };
                let [total, bias_squared, variance] = distances(kernels, scales, factors, &mut self.totals);
                sums.distance.sum += total;
                sums.distance.histogram.extend(&self.totals);
                sums.bias_squared.merge(&Mean { sum: bias_squared, count: count as u64 });
                sums.variance.merge(&Mean { sum: variance, count: count as u64 });
            }
        }
        Ok(())
    }

    /// The means over networks of the kernel of each input of one tile with each of another, times `d`: the kernel of
    /// infinite width, and its change with the masks.
    pub(super) fn means(
        &mut self,
        (left, right): (&Tile, &Tile),
        kernel: Kernel,
        connectivity: Connectivity,
    ) -> Result<Means> {
        let shape = (left.norms.len(), right.norms.len());
        let mut means = Means { values: Array2::zeros(shape), sines: Array2::zeros(shape) };
        self.multiply(left, right, !connectivity.is_dense())?;
        for row in 0..shape.0 {
            self.expand((left, row), (right, 0), kernel.tangent().is_some());
            let [limit, _, change, _] = match kernel.tangent() {
                None => &self.kernels,
                Some(tangent) => {
                    // Of the mean alone: the kurtosis does not count.
                    let factors = (tangent.tau(connectivity), 0.0, connectivity.excess());
                    combine(&self.kernels, &self.tangent, factors, &mut self.combined);
                    &self.combined
                }
            };
            let (q, norm) = (connectivity.excess(), left.norms[row]);
            for (column, value) in means.values.row_mut(row).iter_mut().enumerate() {
                *value = norm * right.norms[column] * (limit[column] + q * change[column]);
            }
            means.sines.row_mut(row).iter_mut().zip(&self.sine).for_each(|(to, sine)| *to = *sine);
        }
        Ok(means)
    }

    /// The products of two tiles: all, or that of the inputs alone.
    fn multiply(&mut self, left: &Tile, right: &Tile, all: bool) -> Result<()> {
        let shape = (left.norms.len(), right.norms.len());
        let factors = [
            (0, left.first, right.first, false),
            (1, left.second.view(), right.second.view(), false),
            (2, left.third.view(), right.first, false),
            (2, left.first, right.third.view(), true),
        ];
        for (output, left, right, accumulate) in factors {
            let (is_needed, output) = (all || output == 0, &mut self.products[output]);
            if output.dim() != shape {
                *output = Array2::zeros(shape);
            }
            if !is_needed {
                continue;
            }
            product(left, right.t(), 1.0, accumulate, output.view_mut())?;
        }
        Ok(())
    }

    /// The expansion of one input of the left tile with those of the right one from a place on: how many these are.
    fn expand(&mut self, (left, row): (&Tile, usize), (right, start): (&Tile, usize), is_tangent: bool) -> usize {
        let [cosine, squares, cubes] = self.products.each_ref().map(|product| {
            let row = product.row(row).to_slice().expect("standard layout by construction");
            &row[start..]
        });
        let count = cosine.len();
        let room = [&mut self.cosine, &mut self.sine, &mut self.phi];
        for room in room.into_iter().chain(&mut self.kernels) {
            room.resize(count, 0.0);
        }
        if is_tangent {
            self.tangent.iter_mut().chain(&mut self.combined).for_each(|room| room.resize(count, 0.0));
        }
        for (to, cosine) in self.cosine.iter_mut().zip(cosine) {
            *to = cosine.clamp(-1.0, 1.0);
        }
        unit_angles(&self.cosine, &mut self.sine, &mut self.phi);
        let angles = [&*self.cosine, &self.sine, &self.phi];
        let fourths = (left.fourth[row], &right.fourth[start..]);
        expansion(angles, [squares, cubes], fourths, &mut self.kernels);
        if is_tangent {
            tangent_expansion(angles, [squares, cubes], fourths, &mut self.tangent);
        }
        count
    }
}

/// What [`ProductTiles::means`] finds.
pub(super) struct Means {
    pub values: Array2<f64>,
    /// `sin t` of each pair.
    pub sines: Array2<f64>,
}

/// The expansion for unit vectors, from their sums: `K_1`, `K_2`, and the change of each in units of `q`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn expansion(
    [cosine, sine, phi]: [&[f64]; 3],
    [squares, cubes]: [&[f64]; 2],
    (fourth_left, fourth_right): (f64, &[f64]),
    [k1, k2, change_1, change_2]: &mut [Vec<f64>; 4],
) {
    let count = cosine.len();
    let (sine, phi, squares, cubes, fourth_right) =
        (&sine[..count], &phi[..count], &squares[..count], &cubes[..count], &fourth_right[..count]);
    let (k1, k2) = (&mut k1[..count], &mut k2[..count]);
    let (change_1, change_2) = (&mut change_1[..count], &mut change_2[..count]);
    for j in 0..count {
        let (c, s) = (cosine[j], sine[j]);
        let fourth = fourth_left + fourth_right[j];
        let cubes = cubes[j];
        k1[j] = ((s + phi[j] * c) / (2.0 * PI)).max(0.0);
        k2[j] = ((3.0 * s * c + phi[j] * (1.0 + 2.0 * c * c)) / (2.0 * PI)).max(0.0);
        // sum (uv - c (u^2 + v^2)/2)^2 - s^2 (u^2 - v^2)^2 / 4, multiplied out.
        let first = 1.5 * squares[j] - c * cubes + (c * c - s * s) / 4.0 * fourth;
        // The sum vanishes like s^4 but has a rounding error. Below 1e-4, leaving it out costs no more than its
        // rounding would.
        change_1[j] = if s > 1e-4 { first / (4.0 * PI * s) } else { 0.0 };
        change_2[j] = (6.0 * phi[j] * squares[j] + s * (4.0 * cubes - c * fourth)) / (4.0 * PI);
    }
}

/// Below this `sin t` the expansion of the angle itself has more rounding error than size.
const LEAST_SINE: f64 = 3e-4;

/// The expansion of `C K_0`, `C K_1` and `C^2 K_0` for unit vectors, and their changes in units of `q`: see
/// [`Expansion`](crate::kernel::masked::Expansion), whose sums are multiplied out here.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn tangent_expansion(
    [cosine, sine, phi]: [&[f64]; 3],
    [squares, cubes]: [&[f64]; 2],
    (fourth_left, fourth_right): (f64, &[f64]),
    [k0, k1, k0_twice, change_0, change_1, change_twice]: &mut [Vec<f64>; 6],
) {
    for j in 0..cosine.len() {
        let (c, s, phi, squares, cubes) = (cosine[j], sine[j], phi[j], squares[j], cubes[j]);
        let fourth = fourth_left + fourth_right[j];
        // With m = (u^2 + v^2)/2, h = (u^2 - v^2)/2 and e = u v - m cos t: sums of m^2, h^2, e^2 and m e.
        let (m2, h2) = ((fourth + 2.0 * squares) / 4.0, (fourth - 2.0 * squares) / 4.0);
        let (e2, me) = ((squares - c * cubes + c * c * m2).max(0.0), cubes / 2.0 - c * m2);
        let over = if s > LEAST_SINE { 1.0 / s } else { 0.0 };
        let cubed = over * over * over;
        k0[j] = c * phi / (2.0 * PI);
        k1[j] = c * (s + phi * c) / (2.0 * PI);
        k0_twice[j] = c * c * phi / (2.0 * PI);
        change_0[j] = (e2 * (1.0 + s * s) * cubed + c * c * h2 * over) / (4.0 * PI);
        change_1[j] = (c * (e2 * over - h2 * s) + 2.0 * phi * squares + s * cubes) / (4.0 * PI);
        let twice = e2 * (c * c * c * cubed + 4.0 * c * over) + (c * c * c * h2 + 2.0 * c * c * me) * over;
        change_twice[j] = (twice + 2.0 * phi * squares) / (4.0 * PI);
    }
}

/// The infinite-width kernel, the second moment, and the changes of both moments in units of `q`, at `tau`, a kurtosis
/// and `q`. Where `tau` is below 1 the mean falls short of the limit by more than the masks' part, and the change has
/// that as well.
fn combine(
    [k1, k2, change_1, change_2]: &[Vec<f64>; 4],
    [k0, with_k1, k0_twice, change_0, change_with, change_twice]: &[Vec<f64>; 6],
    (tau, kurtosis, q): (f64, f64, f64),
    [limit, second, change_first, change_second]: &mut [Vec<f64>; 4],
) {
    let (slower, squared) = (if q > 0.0 { (tau - 1.0) / q } else { 0.0 }, tau * tau * kurtosis);
    for j in 0..k1.len() {
        limit[j] = k1[j] + k0[j];
        second[j] = k2[j] + 2.0 * tau * with_k1[j] + squared * k0_twice[j];
        change_first[j] = change_1[j] + tau * change_0[j] + slower * k0[j];
        change_second[j] = change_2[j] + 2.0 * tau * change_with[j] + squared * change_twice[j];
    }
}

/// The distances of Theorem 1 from the expansion of unit vectors; returns the sums of the distances and of their two
/// parts, taken in lanes so that they are the same bits on every processor.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn distances(
    [k1, k2, change_1, change_2]: &[Vec<f64>; 4],
    (norm_left, norm_right): (f64, &[f64]),
    (q, width): (f64, f64),
    totals: &mut [f64],
) -> [f64; 3] {
    const LANES: usize = 16;
    // Total, bias^2, variance.
    let one = |k1: f64, k2: f64, change_1: f64, change_2: f64, norm_right: f64| {
        let scale = norm_left * norm_right;
        let shift = scale * (q * change_1);
        let mean = scale * k1 + shift;
        let bias_squared = shift * shift;
        let variance = scale * scale * (k2 + q * change_2) - mean * mean;
        [bias_squared + variance / width, bias_squared, variance]
    };
    let (k1, k1_rest) = k1.as_chunks::<LANES>();
    let (k2, k2_rest) = k2.as_chunks::<LANES>();
    let (change_1, change_1_rest) = change_1.as_chunks::<LANES>();
    let (change_2, change_2_rest) = change_2.as_chunks::<LANES>();
    let (norm_right, norm_rest) = norm_right.as_chunks::<LANES>();
    let (totals, totals_rest) = totals.as_chunks_mut::<LANES>();
    let mut sums = [[0.0; LANES]; 3];
    for (((((k1, k2), change_1), change_2), norm), totals) in
        k1.iter().zip(k2).zip(change_1).zip(change_2).zip(norm_right).zip(totals)
    {
        for lane in 0..LANES {
            let [total, bias_squared, variance] = one(k1[lane], k2[lane], change_1[lane], change_2[lane], norm[lane]);
            totals[lane] = total;
            sums[0][lane] += total;
            sums[1][lane] += bias_squared;
            sums[2][lane] += variance;
        }
    }
    for (lane, to) in totals_rest.iter_mut().enumerate() {
        let found = one(k1_rest[lane], k2_rest[lane], change_1_rest[lane], change_2_rest[lane], norm_rest[lane]);
        *to = found[0];
        for (sums, found) in sums.iter_mut().zip(found) {
            sums[lane] += found;
        }
    }
    sums.map(lane_sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::kernel::arc_cosine::arc_cosine;
    use crate::kernel::gram::Pair;
    use crate::kernel::masked::{Expansion, Row, RowMoments};
    use crate::kernel::nngp::{Dimension, Width, theorem_1};
    use crate::numeric::statistics::{mean, quantile, sorted};

    /// Each pair by itself: distance, bias^2 and variance.
    fn one_by_one(x: &Array2<f64>, pairs: &[(usize, usize)], y: &Array2<f64>, p: f64, width: usize) -> [Vec<f64>; 3] {
        let mut found = [vec![], vec![], vec![]];
        for (i, j) in pairs {
            let pair = Pair::new(x.row(*i), y.row(*j)).unwrap();
            let moments = Expansion.moments(&pair, Connectivity::new(p).unwrap()).unwrap();
            let distance = theorem_1(&moments, Dimension::of(&pair), Width::new(width).unwrap());
            found[0].push(distance.total());
            found[1].push(distance.bias_squared);
            found[2].push(distance.variance);
        }
        found
    }

    /// The tangent kernel in both conventions, with both readouts.
    #[test]
    fn tangent_kernels_of_all_pairs_are_those_of_each() {
        let inputs = DataSource::Gaussian { dimension: 50, samples: 30 }.inputs(4).unwrap().values;
        let networks = [(0.3, 40), (0.9, 7), (1.0, 7)]
            .map(|(p, width)| (Connectivity::new(p).unwrap(), Width::new(width).unwrap()));
        for tangent in [Tangent::Standardised, Tangent::Paper] {
            for readout in [WeightDistribution::Gaussian, WeightDistribution::Uniform] {
                let kernel = Kernel::Ntk(tangent);
                let found = all_pairs_of_kernel((kernel, readout), inputs.view(), None, &networks, &|_| {}).unwrap();
                for ((p, width), found) in networks.iter().zip(&found) {
                    let mut expected = [vec![], vec![], vec![]];
                    for (i, j) in (0..30).flat_map(|i| (i + 1..30).map(move |j| (i, j))) {
                        let pair = Pair::new(inputs.row(i), inputs.row(j)).unwrap();
                        let row = Row::new(*p).kernel(kernel).readout(readout);
                        let distance = theorem_1(&Expansion.moments(&pair, row).unwrap(), Dimension::of(&pair), *width);
                        let parts = [distance.total(), distance.bias_squared, distance.variance];
                        expected.iter_mut().zip(parts).for_each(|(all, part)| all.push(part));
                    }
                    let means = [found.distance.mean(), found.bias_squared.mean(), found.variance.mean()];
                    for (found, expected) in means.into_iter().zip(&expected) {
                        // As for the NNGP kernel; a bias of 0 has the rounding of the kernel.
                        let expected = mean(expected);
                        assert!((found - expected).abs() <= 1e-11 * expected + 1e-28, "{found} {expected}");
                    }
                }
            }
        }
    }

    fn compare(found: &PairDistances, expected: &[Vec<f64>; 3]) {
        let means = [found.distance.mean(), found.bias_squared.mean(), found.variance.mean()];
        for (found_mean, expected) in means.into_iter().zip(expected) {
            assert_eq!(found.pairs(), expected.len() as u64);
            // Sums of products, taken separately, lose up to three digits where they cancel, in bias^2.
            assert!((found_mean / mean(expected) - 1.0).abs() < 1e-11, "{found_mean} {}", mean(expected));
        }
        {
            let expected = &expected[0];
            let ordered = sorted(expected);
            for level in [0.05, 0.25, 0.5, 0.75, 0.95] {
                let (value, exact) = (found.distance.quantile(level), quantile(&ordered, level));
                // The type of quantile differs by one order statistic; take the neighbours' range.
                let reach = 1.0 / expected.len() as f64;
                let (low, high) = (quantile(&ordered, level - reach), quantile(&ordered, level + reach));
                let resolution = 1.0 + LogHistogram::RESOLUTION;
                assert!(value >= low / resolution && value <= high * resolution, "{level}: {value} {exact}");
            }
        }
    }

    #[test]
    fn tiles_hold_what_each_pair_gives() {
        // 450 inputs: three tiles, the last one not full.
        let inputs = DataSource::Gaussian { dimension: 50, samples: 450 }.inputs(3).unwrap().values;
        let (x, y) = (inputs.slice(s![..200, ..]).to_owned(), inputs.slice(s![200.., ..]).to_owned());
        let network = |p: f64, width: usize| (Connectivity::new(p).unwrap(), Width::new(width).unwrap());
        let networks = [network(0.2, 40), network(0.9, 7)];
        let own: Vec<(usize, usize)> = (0..450).flat_map(|i| (i + 1..450).map(move |j| (i, j))).collect();
        let cross: Vec<(usize, usize)> = (0..200).flat_map(|i| (0..250).map(move |j| (i, j))).collect();
        let found = all_pairs(inputs.view(), None, &networks, &|_| {}).unwrap();
        let between = all_pairs(x.view(), Some(y.view()), &networks, &|_| {}).unwrap();
        for (index, (p, width)) in networks.into_iter().enumerate() {
            compare(&found[index], &one_by_one(&inputs, &own, &inputs, p.get(), width.get()));
            compare(&between[index], &one_by_one(&x, &cross, &y, p.get(), width.get()));
        }
    }

    #[test]
    fn bad_sets_are_refused() {
        let networks = [(Connectivity::new(0.5).unwrap(), Width::new(1).unwrap())];
        let refused = |x: Array2<f64>, y: Option<Array2<f64>>| {
            all_pairs(x.view(), y.as_ref().map(|y| y.view()), &networks, &|_| {}).is_err()
        };
        assert!(refused(Array2::ones((1, 3)), None));
        assert!(refused(Array2::ones((2, 3)), Some(Array2::ones((2, 4)))));
        assert!(refused(Array2::from_elem((2, 3), f64::NAN), None));
        assert!(refused(Array2::from_elem((2, 3), 1e-100), None));
        assert!(refused(Array2::ones((2, 0)), None));
    }

    #[test]
    fn rows_that_are_alike_are_no_worse_than_rounding() {
        // Pairs at angles from 0 to 1: the bias^2 of the first is far below what rounding leaves of a bias, 1e-12 of
        // the kernel.
        let base = DataSource::Gaussian { dimension: 40, samples: 2 }.inputs(8).unwrap().values;
        for angle in [0.0, 1e-9, 1e-7, 1e-6, 1e-5, 3e-5, 1e-4, 1e-3, 1e-2, 1.0] {
            let mut x = base.clone();
            let near = &base.row(0) * 3.0 + &base.row(1) * angle;
            x.row_mut(1).assign(&near);
            let network = (Connectivity::new(0.1).unwrap(), Width::new(1).unwrap());
            let found = all_pairs(x.view(), None, &[network], &|_| {}).unwrap();
            let [_, bias_squared, variance] = one_by_one(&x, &[(0, 1)], &x, 0.1, 1);
            let kernel = arc_cosine(Pair::new(x.row(0), x.row(1)).unwrap().gram()).k1 / 40.0;
            let apart = |found: &Mean, exact: f64| (found.mean() - exact).abs();
            let bias = bias_squared[0].sqrt();
            let rounding = 1e-11 * kernel;
            let allowed = (2.0 * bias + rounding) * rounding + 1e-7 * bias_squared[0];
            assert!(apart(&found[0].bias_squared, bias_squared[0]) <= allowed, "{angle:e}: {found:?} {bias_squared:?}");
            assert!(apart(&found[0].variance, variance[0]) <= 1e-10 * variance[0], "{angle:e}");
        }
    }
}
