//! Inputs in tiles, of which a sweep takes two at a time.

use ndarray::{Array2, ArrayView2, s};

use super::features::scale_of;
use crate::error::{Error, Result};
use crate::kernel::gram::check_inputs;

/// Inputs on a side of a tile: four times the 96 that faer's kernel takes at a time with AVX-512. It is fixed, so that
/// sums are the same however the tiles are shared out.
pub(super) const TILE: usize = 384;
/// The largest ratio of the longest input to the shortest that is not zero: beyond it, squared distances leave single
/// precision.
const LONGEST: f64 = 1e9;

/// All pairs of a set of inputs, in single precision, in tiles.
#[derive(Clone, Debug)]
pub struct TiledInputs {
    /// Shapes `(d, TILE)`, the last one narrower; divided by `scale`.
    pub(super) tiles: Vec<Array2<f32>>,
    /// The norms of the inputs, divided by `scale`.
    pub(super) norms: Vec<f64>,
    pub(super) scale: f64,
}

impl TiledInputs {
    /// Takes inputs of shape `(samples, d)`.
    ///
    /// # Errors
    /// Where there are fewer than two inputs, one is not what [`Pair::new`](crate::kernel::gram::Pair::new) accepts, or
    /// one is shorter than another by a factor of more than 1e9.
    pub fn new(inputs: ArrayView2<f64>) -> Result<Self> {
        check_inputs("inputs", inputs)?;
        Self::of_checked(inputs)
    }

    /// The same for inputs that have been checked.
    pub(crate) fn of_checked(inputs: ArrayView2<f64>) -> Result<Self> {
        let (samples, dimension) = inputs.dim();
        if samples < 2 || dimension == 0 {
            let found = format!("shape ({samples}, {dimension})");
            return Err(Error::value("inputs", found, "pairs need two inputs with entries", "give more"));
        }
        Self::of_any(inputs)
    }

    /// The same for one input or more.
    pub(crate) fn of_any(inputs: ArrayView2<f64>) -> Result<Self> {
        let (samples, dimension) = inputs.dim();
        let scale = scale_of(inputs);
        let norms = inputs.outer_iter().map(|row| row.iter().map(|x| (x / scale).powi(2)).sum::<f64>().sqrt());
        let norms: Vec<f64> = norms.collect();
        let longest = norms.iter().copied().fold(0.0f64, f64::max);
        if let Some(row) = norms.iter().position(|norm| *norm > 0.0 && LONGEST * *norm < longest) {
            let problem = format!("is shorter than the longest input by a factor of more than {LONGEST:e}");
            return Err(Error::value("inputs", format!("row {row}"), problem, "remove one of the two, or normalise"));
        }
        let tiles = (0..samples).step_by(TILE).map(|start| {
            let rows = inputs.slice(s![start..(start + TILE).min(samples), ..]);
            Array2::from_shape_fn((dimension, rows.nrows()), |(j, i)| (rows[[i, j]] / scale) as f32)
        });
        Ok(Self { tiles: tiles.collect(), norms, scale })
    }

    /// The number of inputs `N`.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.norms.len()
    }

    /// The input dimension `d`.
    pub fn dimension(&self) -> usize {
        self.tiles[0].nrows()
    }

    /// The inputs as one matrix of shape `(d, stride)`, the stride a multiple of `tile`, and their norms; zeros at the
    /// end.
    #[cfg(any(feature = "cuda", all(test, feature = "host-kernels")))]
    pub(super) fn padded(&self, tile: usize) -> (Array2<f32>, Vec<f64>) {
        let stride = self.samples().next_multiple_of(tile);
        let mut matrix = Array2::zeros((self.dimension(), stride));
        for (index, tile) in self.tiles.iter().enumerate() {
            matrix.slice_mut(s![.., index * TILE..index * TILE + tile.ncols()]).assign(tile);
        }
        let mut norms = self.norms.clone();
        norms.resize(stride, 0.0);
        (matrix, norms)
    }
}
