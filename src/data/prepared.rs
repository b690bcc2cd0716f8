//! Inputs that are ready for kernels: checked once, and shared by all that use them.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use rand::RngExt;

use crate::error::{Error, Result};
use crate::kernel::gram::{Pair, check_inputs};
use crate::kernel::nngp::Dimension;
use crate::numeric::random::{Purpose, Stream};

/// Inputs of shape `(samples, d)`, in rows one after the other; [`Pair::new`] accepts each of them. Clones share them.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::PreparedInputs;
/// let inputs = PreparedInputs::from_rows(array![[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]].view())?;
/// assert_eq!((inputs.samples(), inputs.dimension().get()), (3, 2));
/// assert_eq!(inputs.random_pairs(10, 0)?, [(0, 1), (0, 2), (1, 2)]);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedInputs {
    values: Arc<CowArray<'static, f64, Ix2>>,
    dimension: Dimension,
}

impl PreparedInputs {
    /// Copies rows of shape `(samples, d)`.
    ///
    /// # Errors
    /// Where there is no row or column, or [`Pair::new`] would refuse a row.
    pub fn from_rows(rows: ArrayView2<f64>) -> Result<Self> {
        Self::new(rows.as_standard_layout().into_owned())
    }

    /// Takes rows of shape `(samples, d)`.
    ///
    /// # Errors
    /// As [`PreparedInputs::from_rows`].
    pub fn new(values: Array2<f64>) -> Result<Self> {
        Self::from_cow(values.into())
    }

    /// Takes rows of shape `(samples, d)` that are owned, or borrowed for as long as the program runs; borrowed ones in
    /// standard layout are not copied.
    ///
    /// # Errors
    /// As [`PreparedInputs::from_rows`].
    pub fn from_cow(values: CowArray<'static, f64, Ix2>) -> Result<Self> {
        let dimension = Dimension::new(values.ncols())?;
        if values.nrows() == 0 {
            return Err(Error::value("inputs", 0, "there is no input", "give at least one row"));
        }
        check_inputs("inputs", values.view())?;
        let values = if values.is_standard_layout() { values } else { values.as_standard_layout().into_owned().into() };
        Ok(Self { values: Arc::new(values), dimension })
    }

    /// All of them, shape `(samples, d)`.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The number of inputs.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.values.nrows()
    }

    /// The dimension `d`.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// The entries of an input.
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        let d = self.dimension.get();
        &self.values.as_slice().expect("standard layout: made so in `new`")[row * d..(row + 1) * d]
    }

    /// Pairs of inputs by their row numbers.
    ///
    /// # Errors
    /// Where a row number is too large.
    pub fn pairs(&self, rows: &[(usize, usize)]) -> Result<Vec<Pair<'static>>> {
        let samples = self.samples();
        if let Some((i, j)) = rows.iter().find(|(i, j)| *i.max(j) >= samples) {
            let problem = format!("there are {samples} inputs");
            return Err(Error::value("pairs", i.max(j), problem, format!("give row numbers below {samples}")));
        }
        Ok(rows.iter().map(|(i, j)| Pair::of_rows(self, *i, self, *j)).collect())
    }

    /// Random pairs of different inputs, or each pair once where there are no more than `count`, see [`random_pairs`].
    ///
    /// # Errors
    /// Where there are fewer than two inputs, or no pair is asked for.
    pub fn random_pairs(&self, count: usize, seed: u64) -> Result<Vec<(usize, usize)>> {
        random_pairs(self.samples(), count, seed)
    }
}

/// The number of pairs of different rows among `samples`; none where it is too large for a `usize`.
#[must_use]
pub fn pair_count(samples: usize) -> Option<usize> {
    // One of the two is even.
    let (first, second) = (samples, samples.saturating_sub(1));
    if first % 2 == 0 { (first / 2).checked_mul(second) } else { first.checked_mul(second / 2) }
}

/// Random pairs of different rows among `samples`, uniform and independent, so that a pair may occur twice; or, where
/// `count` is at least `samples (samples - 1) / 2`, each pair once, in order. A kernel is symmetric, so a pair and its
/// reverse are one pair.
///
/// # Errors
/// Where there are fewer than two samples, or no pair is asked for.
pub fn random_pairs(samples: usize, count: usize, seed: u64) -> Result<Vec<(usize, usize)>> {
    if samples < 2 {
        return Err(Error::value("inputs", samples, "a pair needs two inputs", "give more rows"));
    }
    if count == 0 {
        return Err(Error::value("pairs", 0, "must be at least 1", "give a positive number"));
    }
    if pair_count(samples).is_some_and(|all| count >= all) {
        return Ok((0..samples).flat_map(|first| (first + 1..samples).map(move |second| (first, second))).collect());
    }
    let mut stream = Stream::new(seed, Purpose::Pairs, 0, 0);
    Ok((0..count)
        .map(|_| {
            let first = stream.random_range(0..samples);
            let second = stream.random_range(0..samples - 1);
            (first, if second < first { second } else { second + 1 })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_checked_and_kept_in_order() {
        let columns = array![[1.0, 3.0], [2.0, 4.0]];
        let inputs = PreparedInputs::from_rows(columns.t()).unwrap();
        assert_eq!((inputs.row(0), inputs.row(1)), (&[1.0, 2.0][..], &[3.0, 4.0][..]));
        let pair = &inputs.pairs(&[(1, 0)]).unwrap()[0];
        assert_eq!((pair.x(), pair.gram().c), (&[3.0, 4.0][..], 11.0));
        assert!(inputs.pairs(&[(0, 2)]).is_err());
        for wrong in [array![[1.0, f64::NAN]], Array2::zeros((0, 3)), Array2::zeros((3, 0))] {
            assert!(PreparedInputs::new(wrong).is_err());
        }
    }

    #[test]
    fn random_pairs_are_of_different_rows() {
        let pairs: Vec<_> = (0..300).flat_map(|seed| random_pairs(3, 2, seed).unwrap()).collect();
        assert!(pairs.iter().all(|(i, j)| i != j && *i < 3 && *j < 3));
        // Six ordered pairs, 100 each expected; five standard deviations are 46.
        for pair in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let count = pairs.iter().filter(|other| **other == pair).count();
            assert!(count.abs_diff(100) < 46, "{pair:?}: {count}");
        }
        // All but one of 4,950 pairs: some are drawn twice. All of them, or more: each once.
        let distinct = |count: usize| {
            let mut pairs = random_pairs(100, count, 1).unwrap();
            pairs.iter_mut().for_each(|pair| *pair = (pair.0.min(pair.1), pair.0.max(pair.1)));
            let drawn = pairs.len();
            pairs.sort_unstable();
            pairs.dedup();
            (drawn, pairs.len())
        };
        assert!(distinct(4_949).0 == 4_949 && distinct(4_949).1 < 4_900);
        assert_eq!([4_950, 4_951, 1_000_000].map(distinct), [(4_950, 4_950); 3]);
        assert_eq!([0, 1, 2, 3, 4].map(pair_count), [0, 0, 1, 3, 6].map(Some));
        assert_eq!(pair_count(usize::MAX), None);
        assert!(random_pairs(1, 1, 0).is_err() && random_pairs(2, 0, 0).is_err());
    }
}
