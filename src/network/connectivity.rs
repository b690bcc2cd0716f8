//! The connectivity `p`: the share of weights that exist.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A connectivity `p` in `(0, 1]`, at least 1e-30: the density of a layer, `1 - p` its sparsity. The weights that exist
/// have variance `sigma^2 = 1/p`, so that a row keeps its scale.
///
/// ```
/// let p = sparsewidth::network::Connectivity::new(0.25)?;
/// assert_eq!((p.sparsity(), p.excess(), p.to_string().as_str()), (0.75, 3.0, "0.25"));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[doc(alias = "density")]
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Connectivity(f64);

impl Connectivity {
    /// Every weight exists.
    pub const DENSE: Self = Self(1.0);

    /// Checks that `1e-30 <= p <= 1`.
    ///
    /// # Errors
    /// Outside of that range, or NaN.
    pub fn new(p: f64) -> Result<Self> {
        if (1e-30..=1.0).contains(&p) {
            Ok(Self(p))
        } else {
            Err(Error::value(
                "connectivity",
                if p.abs() < 1e-6 && p != 0.0 { format!("{p:e}") } else { p.to_string() },
                "the share of weights that exist must lie in (0, 1], and be at least 1e-30",
                "give such a number, for instance 0.1",
            ))
        }
    }

    /// `p`.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// The sparsity `1 - p`: the share of weights that do not exist.
    #[must_use]
    pub fn sparsity(self) -> f64 {
        1.0 - self.0
    }

    /// `q = (1 - p) / p`: the variance of `s_j / p`, with `s_j` an entry of the mask; the second-order expansion is in
    /// powers of it.
    #[must_use]
    pub fn excess(self) -> f64 {
        (1.0 - self.0) / self.0
    }

    /// Whether every weight exists.
    #[must_use]
    pub fn is_dense(self) -> bool {
        self.0 == 1.0
    }
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<f64> for Connectivity {
    type Error = Error;

    fn try_from(p: f64) -> Result<Self> {
        Self::new(p)
    }
}

impl From<Connectivity> for f64 {
    fn from(p: Connectivity) -> f64 {
        p.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range() {
        for p in [0.0, -0.1, 1.5, f64::NAN, f64::INFINITY, 1e-31] {
            assert!(Connectivity::new(p).is_err(), "{p}");
        }
        for p in [1e-6, 0.5, 1.0] {
            assert_eq!(Connectivity::new(p).unwrap().get(), p);
        }
    }
}
