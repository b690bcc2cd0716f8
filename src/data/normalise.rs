//! Normalisation of inputs.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How inputs are shifted and scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// `(x - mean) / stdev` for each pixel, with the statistics of a set; 0 where a pixel never varies. The paper's way.
    /// It has heavy tails: a pixel that is almost always blank takes values up to 100.
    Pixel,
    /// `(x/255 - 0.1307) / 0.3081`: MNIST's overall mean and standard deviation. For images of bytes only.
    Global,
    /// As they are.
    None,
}

impl Normalisation {
    /// The name, as the command line and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pixel => "pixel",
            Self::Global => "global",
            Self::None => "none",
        }
    }

    /// What it is, for titles and tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pixel => "pixel normalisation",
            Self::Global => "global normalisation",
            Self::None => "no normalisation",
        }
    }

    /// Refuses one that is not for the values: `bytes` or others.
    pub(crate) fn check(self, bytes: bool) -> Result<()> {
        if bytes || self != Self::Global {
            return Ok(());
        }
        let problem = "its constants are those of MNIST's pixels, 0 to 255";
        Err(Error::value("normalisation", self.name(), problem, "use pixel or none for other inputs"))
    }
}

/// An affine map of each input entry: `(x - shift_j) * factor_j`.
#[derive(Clone, Debug)]
pub struct Normaliser {
    shift: Array1<f64>,
    factor: Array1<f64>,
}

impl Normaliser {
    /// The map of a normalisation, with the statistics of `values` of shape `(samples, d)`.
    ///
    /// The standard deviation is that of the set itself (divisor `N`). `bytes` says whether the values are images of bytes.
    ///
    /// # Errors
    /// [`Normalisation::Global`] of values that are not bytes; [`Normalisation::Pixel`] of values whose variance overflows.
    pub fn fit(normalisation: Normalisation, values: &Array2<f64>, bytes: bool) -> Result<Self> {
        normalisation.check(bytes)?;
        let d = values.ncols();
        match normalisation {
            Normalisation::None => Ok(Self { shift: Array1::zeros(d), factor: Array1::ones(d) }),
            Normalisation::Global => Ok(Self {
                shift: Array1::from_elem(d, 255.0 * 0.1307),
                factor: Array1::from_elem(d, 1.0 / (255.0 * 0.3081)),
            }),
            Normalisation::Pixel => {
                let samples = values.nrows() as f64;
                let shift = values.sum_axis(Axis(0)) / samples;
                let factor = Array1::from_shape_fn(d, |j| {
                    let column = values.column(j);
                    // Told by comparison, not by the variance, which rounding could leave above zero.
                    if constant(column) {
                        return 0.0;
                    }
                    let variance = column.iter().map(|value| (value - shift[j]).powi(2)).sum::<f64>() / samples;
                    1.0 / variance.sqrt()
                });
                let usable = |j: &usize| factor[*j].is_finite() && (factor[*j] > 0.0 || constant(values.column(*j)));
                match (0..d).find(|j| !usable(j)) {
                    Some(column) => Err(Error::value(
                        "normalisation",
                        "pixel",
                        format!("the variance of column {column} is not representable in double precision"),
                        "rescale the inputs",
                    )),
                    None => Ok(Self { shift, factor }),
                }
            }
        }
    }

    /// The map of given shifts and factors, one of each per entry.
    pub(crate) fn from_maps(shift: Array1<f64>, factor: Array1<f64>) -> Self {
        Self { shift, factor }
    }

    /// Shift and factor of each entry.
    pub fn maps(&self) -> impl Iterator<Item = (f64, f64)> {
        self.shift.iter().copied().zip(self.factor.iter().copied())
    }

    /// Applies the map to values of shape `(samples, d)`.
    pub fn apply(&self, mut values: Array2<f64>) -> Array2<f64> {
        values -= &self.shift;
        values *= &self.factor;
        values
    }
}

fn constant(column: ArrayView1<f64>) -> bool {
    column.iter().all(|value| *value == column[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn pixel_statistics() {
        let values = array![[1.0, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]];
        let normalised = Normaliser::fit(Normalisation::Pixel, &values, false).unwrap().apply(values);
        let s = 1.5f64.sqrt();
        let expected = array![[-s, 0.0, 0.0], [0.0, 0.0, 0.0], [s, 0.0, 0.0]];
        assert!((normalised - expected).iter().all(|difference| difference.abs() < 1e-15));
    }

    #[test]
    fn variances_that_overflow_are_refused() {
        let values = array![[0.0, 1e200], [0.0, -1e200]];
        let message = Normaliser::fit(Normalisation::Pixel, &values, false).unwrap_err().to_string();
        assert!(message.contains("column 1"), "{message}");
    }

    #[test]
    fn global_is_for_bytes() {
        let values = array![[0.0, 255.0]];
        assert!(Normaliser::fit(Normalisation::Global, &values, false).is_err());
        let normalised = Normaliser::fit(Normalisation::Global, &values, true).unwrap().apply(values);
        assert!((normalised[[0, 0]] + 0.1307 / 0.3081).abs() < 1e-15);
        assert!((normalised[[0, 1]] - (1.0 - 0.1307) / 0.3081).abs() < 1e-15);
    }
}
