//! Squared distances of sampled kernels from a reference kernel.

use ndarray::{Array2, Axis};

use crate::error::Result;
use crate::network::{LayerId, LayerLaw};
use crate::sampled::{PairedInputs, sampled_kernels};

/// `Theta` of several initialisations for each pair, with the reference kernel that they are compared to.
#[derive(Clone, Debug)]
pub struct SampledDistances {
    /// Shape `(initialisations, pairs)`.
    kernels: Array2<f64>,
    /// One value a pair.
    reference: Vec<f64>,
    width: usize,
}

impl SampledDistances {
    /// Draws `initialisations` layers and compares them with `reference`, one value a pair.
    ///
    /// # Errors
    /// See [`sampled_kernels`].
    pub fn draw(
        inputs: &PairedInputs,
        law: LayerLaw,
        seed: u64,
        initialisations: usize,
        reference: Vec<f64>,
    ) -> Result<Self> {
        let mut kernels = Array2::zeros((initialisations, inputs.pairs()));
        for (initialisation, mut row) in kernels.axis_iter_mut(Axis(0)).enumerate() {
            let id = LayerId { seed, initialisation: initialisation as u32, layer: 0 };
            let drawn = sampled_kernels(inputs, law, id)?;
            row.iter_mut().zip(drawn).for_each(|(value, drawn)| *value = drawn);
        }
        Ok(Self { kernels, reference, width: law.rows })
    }

    fn squares(&self) -> Array2<f64> {
        let mut squares = self.kernels.clone();
        for mut row in squares.axis_iter_mut(Axis(0)) {
            row.iter_mut().zip(&self.reference).for_each(|(value, reference)| *value = (*value - reference).powi(2));
        }
        squares
    }

    /// `(Theta - reference)^2`, averaged over the initialisations, for each pair. Unbiased for the mean squared distance
    /// to that reference; a reference that is itself sampled adds its own variance.
    pub fn by_pair(&self) -> Vec<f64> {
        self.squares().mean_axis(Axis(0)).map(|means| means.to_vec()).unwrap_or_default()
    }

    /// `(Theta - reference)^2`, averaged over the pairs, for each initialisation.
    pub fn by_initialisation(&self) -> Vec<f64> {
        self.squares().mean_axis(Axis(1)).map(|means| means.to_vec()).unwrap_or_default()
    }

    /// Theorem 1's two terms as estimated from the drawn kernels, for each pair: the squared bias, less the variance of the
    /// mean that it is the square of, and the variance of one hidden unit (`n` times that of `Theta`). With one
    /// initialisation neither can be told; both are NaN.
    pub fn bias_and_variance(&self) -> Vec<(f64, f64)> {
        let count = self.kernels.nrows() as f64;
        self.kernels
            .axis_iter(Axis(1))
            .zip(&self.reference)
            .map(|(kernels, reference)| {
                let mean = kernels.sum() / count;
                let variance = kernels.iter().map(|kernel| (kernel - mean).powi(2)).sum::<f64>() / (count - 1.0);
                ((mean - reference).powi(2) - variance / count, variance * self.width as f64)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn statistics_by_hand() {
        let distances =
            SampledDistances { kernels: array![[1.0, 2.0], [3.0, 2.0]], reference: vec![1.0, 0.0], width: 5 };
        assert_eq!(distances.by_pair(), [2.0, 4.0]);
        assert_eq!(distances.by_initialisation(), [2.0, 4.0]);
        // Means 2 and 2; variances 2 and 0: bias^2 = 1 - 1 and 4 - 0, variance of a unit 10 and 0.
        assert_eq!(distances.bias_and_variance(), [(0.0, 10.0), (4.0, 0.0)]);
    }
}
