//! Normalisation of inputs.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::Values;
use crate::error::{Error, Result};

/// How inputs are shifted and scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Normalisation {
    /// `(x - mean) / stdev` for each pixel, with the statistics of a set; 0 where a pixel never varies. As in the
    /// paper. Heavy-tailed: a pixel that is almost always blank takes values up to 100.
    #[strum(message = "pixel normalisation")]
    Pixel,
    /// One shift and one scale for all entries: `(x/255 - 0.1307) / 0.3081` for MNIST, its published mean and standard
    /// deviation; for any other set, the mean and deviation of its entries.
    #[strum(message = "global normalisation")]
    Global,
    /// Leave the inputs as they are.
    #[strum(message = "no normalisation")]
    None,
    /// `(x/255 - 0.1307) / 0.3081` for any images, and `(x - 0.1307) / 0.3081` for other numbers: MNIST's mean and
    /// standard deviation, as much code has them for other sets too.
    #[strum(message = "global normalisation by MNIST's scale")]
    GlobalMnist,
    /// `x/255` for images of bytes, as torchvision's `ToTensor`; other numbers are left as they are.
    #[strum(message = "rescaled to 0 to 1")]
    Rescale,
}

impl Normalisation {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

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

/// The mean and standard deviation by which a global normalisation shifts and scales every entry, for bytes in units of
/// 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlobalScale {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, with divisor `N`.
    pub deviation: f64,
}

impl GlobalScale {
    /// Those of MNIST, as published.
    pub const MNIST: Self = Self { mean: 0.1307, deviation: 0.3081 };

    fn fit(values: &Array2<f64>, kind: Values) -> Result<Self> {
        if kind == Values::Mnist {
            return Ok(Self::MNIST);
        }
        let wrong = |problem: &str, remedy: &str| Err(Error::value("normalisation", "global", problem, remedy));
        let count = values.len() as f64;
        let mean = values.sum() / count;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        if values.iter().all(|value| *value == values[[0, 0]]) {
            return wrong("all entries are equal, so they have no scale", "use no normalisation, or other inputs");
        }
        if !(deviation.is_normal() && mean.is_finite()) {
            return wrong("the variance is not representable in double precision", "rescale the inputs");
        }
        let unit = kind.unit();
        Ok(Self { mean: mean / unit, deviation: deviation / unit })
    }
}

/// An affine map of each input entry: `(x - shift_j) * factor_j`.
#[derive(Clone, Debug)]
pub struct Normaliser {
    shift: Array1<f64>,
    factor: Array1<f64>,
    global: Option<GlobalScale>,
}

impl Normaliser {
    /// The map of a normalisation, with the statistics of `values` of shape `(samples, d)`.
    ///
    /// The standard deviation is that of the set itself (divisor `N`). `kind` says what the values are.
    ///
    /// # Errors
    /// Under [`Normalisation::Pixel`] and [`Normalisation::Global`]: where there are no values, or their variance is
    /// not representable. Under the latter also where all values are equal.
    pub fn fit(normalisation: Normalisation, values: &Array2<f64>, kind: Values) -> Result<Self> {
        let d = values.ncols();
        match normalisation {
            Normalisation::None => Ok(Self::from_maps(Array1::zeros(d), Array1::ones(d))),
            Normalisation::Rescale => Ok(Self::from_maps(Array1::zeros(d), Array1::from_elem(d, 1.0 / kind.unit()))),
            Normalisation::Global | Normalisation::GlobalMnist => {
                let unit = kind.unit();
                let scale = match normalisation {
                    Normalisation::GlobalMnist => GlobalScale::MNIST,
                    _ => GlobalScale::fit(values, kind)?,
                };
                Ok(Self {
                    shift: Array1::from_elem(d, unit * scale.mean),
                    factor: Array1::from_elem(d, 1.0 / (unit * scale.deviation)),
                    global: Some(scale),
                })
            }
            Normalisation::Pixel if values.is_empty() => {
                Err(Error::value("values", 0, "there is no input", "give at least one row"))
            }
            Normalisation::Pixel => {
                let samples = values.nrows() as f64;
                let shift = values.sum_axis(Axis(0)) / samples;
                let factor = Array1::from_shape_fn(d, |j| {
                    let column = values.column(j);
                    // By comparing entries: rounding can leave the variance of a constant column above zero.
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
                    None => Ok(Self::from_maps(shift, factor)),
                }
            }
        }
    }

    /// One mean and standard deviation for all `d` entries, whoever found them; of bytes in units of 255.
    #[must_use]
    pub fn of_scale(scale: GlobalScale, dimension: usize, kind: Values) -> Self {
        let (shift, factor) = (kind.unit() * scale.mean, 1.0 / (kind.unit() * scale.deviation));
        let maps = (Array1::from_elem(dimension, shift), Array1::from_elem(dimension, factor));
        Self { shift: maps.0, factor: maps.1, global: Some(scale) }
    }

    /// The map of given shifts and factors, one of each per entry.
    pub(crate) fn from_maps(shift: Array1<f64>, factor: Array1<f64>) -> Self {
        Self { shift, factor, global: None }
    }

    /// The mean and standard deviation of a [`Normalisation::Global`] or [`Normalisation::GlobalMnist`].
    #[must_use]
    pub fn global_scale(&self) -> Option<GlobalScale> {
        self.global
    }

    /// Shift and factor of each entry.
    pub fn maps(&self) -> impl Iterator<Item = (f64, f64)> {
        self.shift.iter().copied().zip(self.factor.iter().copied())
    }

    /// The number of entries `d` of the inputs that it maps.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.shift.len()
    }

    /// Applies the map to values of shape `(samples, d)`.
    ///
    /// # Errors
    /// Where `d` is not that of the values it was fitted to.
    pub fn apply(&self, mut values: Array2<f64>) -> Result<Array2<f64>> {
        self.check(values.ncols())?;
        values -= &self.shift;
        values *= &self.factor;
        Ok(values)
    }

    /// Refuses inputs of another dimension.
    pub(crate) fn check(&self, columns: usize) -> Result<()> {
        if columns != self.dimension() {
            let problem = format!("the normalisation is for inputs of {} entries", self.dimension());
            let found = format!("{columns} entries each");
            return Err(Error::value("values", found, problem, "fit a normalisation to such inputs"));
        }
        Ok(())
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
    fn no_input_at_all_has_no_normalisation() {
        for normalisation in [Normalisation::Pixel, Normalisation::Global] {
            assert!(Normaliser::fit(normalisation, &Array2::zeros((0, 3)), Values::Real).is_err());
        }
    }

    #[test]
    fn values_of_another_width_are_refused() {
        let fitted = |d: usize| Normaliser::fit(Normalisation::None, &Array2::zeros((3, d)), Values::Real).unwrap();
        // One column would be broadcast, two would panic.
        for d in [1, 2] {
            let message = fitted(d).apply(Array2::zeros((3, 5))).unwrap_err().to_string();
            assert!(message.contains(&format!("5 entries each: the normalisation is for inputs of {d}")), "{message}");
        }
        assert_eq!(fitted(5).apply(Array2::zeros((3, 5))).unwrap().dim(), (3, 5));
    }

    #[test]
    fn pixel_statistics() {
        let values = array![[1.0, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]];
        let normalised = Normaliser::fit(Normalisation::Pixel, &values, Values::Real).unwrap().apply(values).unwrap();
        let s = 1.5f64.sqrt();
        let expected = array![[-s, 0.0, 0.0], [0.0, 0.0, 0.0], [s, 0.0, 0.0]];
        assert!((normalised - expected).iter().all(|difference| difference.abs() < 1e-15));
    }

    #[test]
    fn variances_that_overflow_are_refused() {
        let values = array![[0.0, 1e200], [0.0, -1e200]];
        let message = Normaliser::fit(Normalisation::Pixel, &values, Values::Real).unwrap_err().to_string();
        assert!(message.contains("column 1"), "{message}");
    }

    #[test]
    fn global_takes_the_scale_of_the_set_but_for_mnist() {
        let values = array![[0.0, 255.0], [0.0, 51.0]];
        let global = |values: &Array2<f64>, kind| Normaliser::fit(Normalisation::Global, values, kind);
        let mnist = global(&values, Values::Mnist).unwrap();
        assert_eq!(mnist.global_scale(), Some(GlobalScale::MNIST));
        let normalised = mnist.apply(values.clone()).unwrap();
        assert!((normalised[[0, 0]] + 0.1307 / 0.3081).abs() < 1e-15);
        assert!((normalised[[0, 1]] - (1.0 - 0.1307) / 0.3081).abs() < 1e-15);
        // Told so, for any set; and the range alone.
        for (kind, unit) in [(Values::Mnist, 255.0), (Values::Bytes, 255.0), (Values::Real, 1.0)] {
            let set = &values * (unit / 255.0);
            let told = Normaliser::fit(Normalisation::GlobalMnist, &set, kind).unwrap();
            assert_eq!(told.global_scale(), Some(GlobalScale::MNIST));
            assert!((told.apply(set.clone()).unwrap()[[0, 1]] - (1.0 - 0.1307) / 0.3081).abs() < 1e-14);
            let ranged = Normaliser::fit(Normalisation::Rescale, &set, kind).unwrap().apply(set).unwrap();
            assert!((ranged[[1, 1]] - 0.2).abs() < 1e-15 && ranged[[0, 0]] == 0.0);
        }
        // By hand: mean 0.3, mean square (1 + 0.04) / 4, of bytes in units of 255.
        for (kind, unit) in [(Values::Bytes, 255.0), (Values::Real, 1.0)] {
            let own = global(&(&values * (unit / 255.0)), kind).unwrap();
            let scale = own.global_scale().unwrap();
            assert!((scale.mean - 0.3).abs() < 1e-15 && (scale.deviation - 0.17f64.sqrt()).abs() < 1e-15, "{scale:?}");
            let normalised = own.apply(&values * (unit / 255.0)).unwrap();
            assert!(normalised.mean().unwrap().abs() < 1e-14);
            assert!((normalised.mapv(|value| value * value).mean().unwrap() - 1.0).abs() < 1e-14);
        }
        for (values, words) in [(array![[3.0, 3.0]], "all entries are equal"), (array![[0.0, 1e200]], "variance")] {
            assert!(global(&values, Values::Real).unwrap_err().to_string().contains(words));
        }
    }
}
