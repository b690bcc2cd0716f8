//! Matrices of kernels: every row of one set of inputs with every row of another, tile by tile.
//!
//! | entries `(i, j)` | formula |
//! |---|---|
//! | [`KernelMatrix::infinite_width`] | `K_1 / d`, or `(K_1 + C K_0) / d` for the tangent kernel |
//! | [`KernelMatrix::theorem_1`], [`KernelMatrix::pairs`] | the mean over networks, pair by pair: `K~_1 / d`, or `(K~_1 + tau J~_1) / d` |
//! | [`KernelMatrix::expansion`] | the same for Bernoulli masks by the second-order expansion, as products of matrices |
//! | [`KernelMatrix::given`] | the mean over the weights that a given mask keeps: `1/(n d) sum_i sigma_i^2 K_1(s_i)`, or with `K_1 + tau_i C K_0` |
//!
//! Within one set, a tile above the diagonal serves the one below. No matrix is held: whoever asks takes the tiles, in
//! an order that does not depend on the number of threads.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::data::PreparedInputs;
use crate::error::{Error, Result};
use crate::kernel::all_pairs::{ProductTiles, Set};
use crate::kernel::given::{GivenMask, MaskTiles};
use crate::kernel::gram::Pair;
use crate::kernel::masked::{Expansion, Row, RowMoments, check_numbers};
use crate::kernel::nngp::{Theorem1, infinite_width_kernel};
use crate::kernel::ntk::{InfiniteWidth, Kernel};
use crate::network::Connectivity;
use crate::numeric::linalg::product;
use crate::numeric::parallel::try_map;

/// Rows and columns of a tile of products, of a given mask, and of pairs that are computed one by one.
const TILE: usize = 192;
const PAIR_TILE: usize = 16;
/// Tiles that are held at once: 32 MB.
const HELD: usize = 1 << 22;
/// Below this `sin t` the tangent kernel of a pair is computed by itself: of nearly parallel inputs, products of unit
/// vectors leave only half of the digits of the angle.
const LEAST_SINE: f64 = 1e-2;

/// A matrix of kernels that is to be computed.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::matrix::KernelMatrix;
/// use sparsewidth::{Connectivity, Kernel, PreparedInputs};
/// let x = PreparedInputs::from_rows(array![[1.0, 2.0, 0.5], [3.0, -1.0, 1.0], [0.5, 0.5, 2.0]].view())?;
/// let dense = KernelMatrix::infinite_width(&x, None, Kernel::Nngp)?.to_array()?;
/// let sparse = KernelMatrix::expansion(&x, None, Kernel::Nngp, Connectivity::new(0.9)?)?.to_array()?;
/// assert_eq!(dense.dim(), (3, 3));
/// // Masks make inputs look more alike.
/// assert!(sparse[[0, 1]] > dense[[0, 1]] && sparse[[0, 1]] == sparse[[1, 0]]);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub struct KernelMatrix<'a> {
    x: &'a PreparedInputs,
    /// The second set; none for the rows of `x` with each other.
    y: Option<&'a PreparedInputs>,
    kernel: Kernel,
    entries: Entries<'a>,
}

impl fmt::Debug for KernelMatrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = self.dim();
        write!(f, "KernelMatrix({rows} x {columns}, {})", self.kernel)
    }
}

/// How entries are found.
enum Entries<'a> {
    /// By products of powers of unit vectors; at connectivity 1 those of infinite width.
    Products {
        first: Set,
        second: Option<Set>,
        connectivity: Connectivity,
    },
    Given {
        mask: &'a GivenMask,
        first: MaskTiles,
        second: Option<MaskTiles>,
    },
    Pairs {
        method: Box<dyn RowMoments>,
        row: Row<'static>,
    },
}

/// A part of a matrix.
#[derive(Debug)]
#[non_exhaustive]
pub struct MatrixTile<'a> {
    /// The place of its first entry.
    pub row: usize,
    /// See `row`.
    pub column: usize,
    /// Its entries.
    pub values: ArrayView2<'a, f64>,
    /// The largest error of an entry, where the method says it.
    pub error: Option<f64>,
}

impl<'a> KernelMatrix<'a> {
    /// The kernel of infinite width.
    ///
    /// # Errors
    /// Where the sets differ in dimension.
    pub fn infinite_width(x: &'a PreparedInputs, y: Option<&'a PreparedInputs>, kernel: Kernel) -> Result<Self> {
        Self::expansion(x, y, kernel, Connectivity::DENSE)
    }

    /// The mean over networks of Bernoulli masks by the second-order expansion, whose error is unknown, see
    /// [`Expansion`].
    ///
    /// # Errors
    /// As [`KernelMatrix::infinite_width`].
    pub fn expansion(
        x: &'a PreparedInputs,
        y: Option<&'a PreparedInputs>,
        kernel: Kernel,
        connectivity: Connectivity,
    ) -> Result<Self> {
        check_sets(x, y)?;
        let first = Set::new("x", x.values())?;
        let second = y.map(|y| Set::new("y", y.values())).transpose()?;
        Ok(Self { x, y, kernel, entries: Entries::Products { first, second, connectivity } })
    }

    /// The mean over networks by Theorem 1's masked moments, pair by pair.
    ///
    /// # Errors
    /// Where the sets differ in dimension, rows of the masks are not independent, a setting of the theorem is out of
    /// its range, or the matrix has more than 2^32 entries.
    pub fn theorem_1(x: &'a PreparedInputs, y: Option<&'a PreparedInputs>, theorem: &Theorem1) -> Result<Self> {
        let (method, row) = theorem.of_matrix()?;
        Self::pairs(x, y, method, row)
    }

    /// The mean over networks by a method for the masked moments, pair by pair.
    ///
    /// # Errors
    /// Where the sets differ in dimension, or the matrix has more than 2^32 entries.
    pub fn pairs(
        x: &'a PreparedInputs,
        y: Option<&'a PreparedInputs>,
        method: Box<dyn RowMoments>,
        row: Row<'static>,
    ) -> Result<Self> {
        check_sets(x, y)?;
        // The number of an entry selects its stream of random numbers.
        check_numbers(x.samples().saturating_mul(y.unwrap_or(x).samples()))?;
        Ok(Self { x, y, kernel: row.get_kernel(), entries: Entries::Pairs { method, row } })
    }

    /// The mean over the weights of a given mask.
    ///
    /// # Errors
    /// Where the sets differ in dimension, or have another than the mask.
    pub fn given(
        x: &'a PreparedInputs,
        y: Option<&'a PreparedInputs>,
        kernel: Kernel,
        mask: &'a GivenMask,
    ) -> Result<Self> {
        check_sets(x, y)?;
        if mask.inputs() != x.dimension().get() {
            let problem = format!("the mask has {} inputs", mask.inputs());
            let found = format!("inputs of dimension {}", x.dimension());
            return Err(Error::value("inputs", found, problem, "give inputs of that length"));
        }
        let (first, second) = (MaskTiles::new(x), y.map(MaskTiles::new));
        Ok(Self { x, y, kernel, entries: Entries::Given { mask, first, second } })
    }

    /// Rows and columns.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        (self.x.samples(), self.y.unwrap_or(self.x).samples())
    }

    fn side(&self) -> usize {
        if matches!(self.entries, Entries::Pairs { .. }) { PAIR_TILE } else { TILE }
    }

    /// Computes the matrix: `take` gets its tiles one after the other. `progress` is called with the share that is
    /// done.
    ///
    /// # Errors
    /// Where `take` fails, or an entry cannot be computed or is beyond double precision.
    pub fn tiles(&self, mut take: impl FnMut(MatrixTile) -> Result<()>, progress: &dyn Fn(f64)) -> Result<()> {
        let ((rows, columns), side) = (self.dim(), self.side());
        let from = |row: usize| if self.y.is_none() { row } else { 0 };
        let places: Vec<(usize, usize)> = (0..rows)
            .step_by(side)
            .flat_map(|row| (from(row)..columns).step_by(side).map(move |column| (row, column)))
            .collect();
        let mut done = 0;
        for places in places.chunks(HELD / (side * side)) {
            let found = try_map(places.par_iter(), |(row, column)| self.tile(*row, *column))?;
            for ((row, column), (values, error)) in places.iter().copied().zip(&found) {
                take(MatrixTile { row, column, values: values.view(), error: *error })?;
                if self.y.is_none() && row != column {
                    take(MatrixTile { row: column, column: row, values: values.t(), error: *error })?;
                }
            }
            done += places.len();
            progress(done as f64 / self.tile_count() as f64);
        }
        Ok(())
    }

    /// The tiles that are computed.
    fn tile_count(&self) -> usize {
        let ((rows, columns), side) = (self.dim(), self.side());
        let (down, across) = (rows.div_ceil(side), columns.div_ceil(side));
        if self.y.is_none() { down * (down + 1) / 2 } else { down * across }
    }

    /// The whole matrix, in memory.
    ///
    /// # Errors
    /// As [`KernelMatrix::tiles`].
    pub fn to_array(&self) -> Result<Array2<f64>> {
        Ok(self.to_array_with_error(&|_| {})?.0)
    }

    /// The matrix times some columns, shape `(columns of the matrix, k)`, without holding the matrix.
    ///
    /// # Errors
    /// As [`KernelMatrix::tiles`], or where the columns have another length.
    ///
    /// ```
    /// use ndarray::array;
    /// use sparsewidth::kernel::matrix::KernelMatrix;
    /// use sparsewidth::{Kernel, PreparedInputs};
    /// let x = PreparedInputs::from_rows(array![[1.0, 2.0], [3.0, -1.0]].view())?;
    /// let kernel = KernelMatrix::infinite_width(&x, None, Kernel::Nngp)?;
    /// let sums = kernel.times(array![[1.0], [1.0]].view())?;
    /// assert!((sums[[0, 0]] - kernel.to_array()?.row(0).sum()).abs() < 1e-14);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn times(&self, columns: ArrayView2<f64>) -> Result<Array2<f64>> {
        if columns.nrows() != self.dim().1 {
            let problem = format!("the matrix has {} columns", self.dim().1);
            return Err(Error::value("columns", columns.nrows(), problem, "give columns of that length"));
        }
        let mut sums = Array2::zeros((self.dim().0, columns.ncols()));
        let take = |tile: MatrixTile| {
            let (rows, across) = tile.values.dim();
            let part = columns.slice(s![tile.column..tile.column + across, ..]);
            product(tile.values, part, 1.0, true, sums.slice_mut(s![tile.row..tile.row + rows, ..]))
        };
        self.tiles(take, &|_| {})?;
        Ok(sums)
    }

    /// The whole matrix, with the largest error of an entry, where the method says it. `progress` is called with the
    /// share that is done.
    ///
    /// # Errors
    /// As [`KernelMatrix::tiles`].
    pub fn to_array_with_error(&self, progress: &dyn Fn(f64)) -> Result<(Array2<f64>, Option<f64>)> {
        let mut matrix = Array2::zeros(self.dim());
        let mut largest = Some(0.0f64);
        let take = |tile: MatrixTile| {
            let (rows, columns) = tile.values.dim();
            matrix.slice_mut(s![tile.row..tile.row + rows, tile.column..tile.column + columns]).assign(&tile.values);
            largest = largest.zip(tile.error).map(|(largest, error)| largest.max(error));
            Ok(())
        };
        self.tiles(take, progress)?;
        Ok((matrix, largest))
    }

    /// About how long the matrix takes on the threads of rayon's ambient pool, from a few entries that are timed now.
    ///
    /// # Errors
    /// As [`KernelMatrix::tiles`].
    pub fn expected_time(&self) -> Result<Duration> {
        let ((rows, columns), side) = (self.dim(), self.side());
        // Pairs one by one: a few, since each can take milliseconds. Otherwise the last whole tile.
        let side = if matches!(self.entries, Entries::Pairs { .. }) { 4 } else { side };
        let (down, across) = (side.min(rows), side.min(columns));
        let begun = Instant::now();
        self.part(rows - down..rows, 0..across)?;
        let share = begun.elapsed().as_secs_f64() / (down * across) as f64;
        let entries = rows as f64 * columns as f64 * if self.y.is_none() { 0.5 } else { 1.0 };
        Ok(Duration::from_secs_f64(share * entries / rayon::current_num_threads() as f64))
    }

    /// About the memory that computing it takes besides the inputs, in bytes.
    #[must_use]
    pub fn expected_memory(&self) -> usize {
        let copies = match &self.entries {
            Entries::Products { .. } | Entries::Given { .. } => {
                let (rows, columns) = self.dim();
                (rows + if self.y.is_some() { columns } else { 0 }).saturating_mul(self.x.dimension().get())
            }
            Entries::Pairs { .. } => 0,
        };
        let work = 6 * TILE * (self.x.dimension().get() + TILE) * rayon::current_num_threads();
        copies.saturating_add(HELD).saturating_add(work).saturating_mul(size_of::<f64>())
    }

    fn tile(&self, row: usize, column: usize) -> Result<(Array2<f64>, Option<f64>)> {
        let ((rows, columns), side) = (self.dim(), self.side());
        let (down, across) = (row..(row + side).min(rows), column..(column + side).min(columns));
        let is_diagonal = self.y.is_none() && row == column;
        let (mut values, error) = self.part(down, across)?;
        if is_diagonal {
            // The same bits on both sides.
            for (i, j) in (0..values.nrows()).flat_map(|i| (0..i).map(move |j| (i, j))) {
                values[[i, j]] = values[[j, i]];
            }
        }
        if let Some(((i, j), value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let place = format!("({}, {})", row + i, column + j);
            let problem = format!("the kernel of these two inputs is {value}, beyond double precision");
            return Err(Error::value("entry", place, problem, "rescale the inputs"));
        }
        Ok((values, error))
    }

    /// Some rows and columns.
    fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Result<(Array2<f64>, Option<f64>)> {
        let d = self.x.dimension().get() as f64;
        match &self.entries {
            Entries::Products { first, second, connectivity } => {
                let second = second.as_ref().unwrap_or(first);
                let tiles = (first.part(rows.clone()), second.part(columns.clone()));
                let mut found = ProductTiles::default().means((&tiles.0, &tiles.1), self.kernel, *connectivity)?;
                if self.kernel != Kernel::Nngp {
                    for ((i, j), value) in found.values.indexed_iter_mut() {
                        if found.sines[[i, j]] < LEAST_SINE {
                            *value = d * self.of_pair(rows.start + i, columns.start + j, *connectivity)?;
                        }
                    }
                }
                found.values /= d;
                Ok((found.values, None))
            }
            Entries::Given { mask, first, second } => {
                let second = second.as_ref().unwrap_or(first);
                Ok((mask.tile(self.kernel, (first, rows), (second, columns))?, None))
            }
            Entries::Pairs { method, row } => {
                let (other, across) = (self.y.unwrap_or(self.x), self.dim().1);
                let mut values = Array2::zeros((rows.len(), columns.len()));
                let mut largest = Some(0.0f64);
                for (i, j) in rows.clone().flat_map(|i| columns.clone().map(move |j| (i, j))) {
                    // Below the diagonal of one set are those above it.
                    if self.y.is_none() && j < i && columns.contains(&i) && rows.contains(&j) {
                        continue;
                    }
                    let pair = Pair::of_rows(self.x, i, other, j);
                    let found = method.of_pair(&pair, row, (i * across + j) as u32)?.first;
                    values[[i - rows.start, j - columns.start]] = found.value / d;
                    let error = found.error.magnitude();
                    largest = largest.zip(error).map(|(largest, error)| largest.max(error / d));
                }
                Ok((values, largest))
            }
        }
    }

    /// An entry by itself.
    fn of_pair(&self, i: usize, j: usize, connectivity: Connectivity) -> Result<f64> {
        let pair = Pair::of_rows(self.x, i, self.y.unwrap_or(self.x), j);
        let value = match connectivity.is_dense() {
            true => InfiniteWidth::of(&pair).get(self.kernel),
            false => Expansion.of_pair(&pair, &Row::new(connectivity).kernel(self.kernel), 0)?.first.value,
        };
        Ok(infinite_width_kernel(value, self.x.dimension()))
    }
}

fn check_sets(x: &PreparedInputs, y: Option<&PreparedInputs>) -> Result<()> {
    match y {
        Some(y) if y.dimension() != x.dimension() => {
            let found = format!("{} and {}", x.dimension(), y.dimension());
            Err(Error::value("dimension", found, "both sets must have the same", "give inputs that fit"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_expected_before() {
        let x = PreparedInputs::new(Array2::from_shape_fn((300, 20), |(i, j)| ((i * j) as f64).cos())).unwrap();
        let matrix = KernelMatrix::infinite_width(&x, None, Kernel::Nngp).unwrap();
        assert_eq!((matrix.dim(), matrix.tile_count()), ((300, 300), 3));
        assert!(matrix.expected_time().unwrap() < Duration::from_secs(60));
        assert!((32 << 20..100 << 20).contains(&matrix.expected_memory()));
    }
}
