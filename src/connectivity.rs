//! The connectivity `p`: the share of weights that exist.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A connectivity `p` in `(0, 1]`. The weights that exist have variance `sigma^2 = 1/p`, so that a row keeps its scale.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Connectivity(f64);

impl Connectivity {
    /// Every weight exists.
    pub const DENSE: Self = Self(1.0);

    /// Checks that `0 < p <= 1` and that `1/p^2` is finite.
    ///
    /// # Errors
    /// Outside of that range, or NaN.
    pub fn new(p: f64) -> Result<Self> {
        if p > 1e-150 && p <= 1.0 {
            Ok(Self(p))
        } else {
            Err(Error::value(
                "connectivity",
                p,
                "the share of weights that exist must lie in (0, 1]",
                "give a number above 0 and at most 1, such as 0.1",
            ))
        }
    }

    /// `p`.
    pub fn get(self) -> f64 {
        self.0
    }

    /// `q = (1 - p) / p`: the variance of one entry of the mask over `p`, in the units of the moment expansion.
    pub fn excess(self) -> f64 {
        (1.0 - self.0) / self.0
    }

    /// Whether every weight exists.
    pub fn is_dense(self) -> bool {
        self.0 == 1.0
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
        for p in [0.0, -0.1, 1.5, f64::NAN, f64::INFINITY, 1e-200] {
            assert!(Connectivity::new(p).is_err(), "{p}");
        }
        for p in [1e-6, 0.5, 1.0] {
            assert_eq!(Connectivity::new(p).unwrap().get(), p);
        }
    }
}
