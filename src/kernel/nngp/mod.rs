//! Theorem 1: the mean squared distance between the NNGP kernel of a sparse, finite network and that of infinite width.
//!
//! The network is `f(x) = (n d)^(-1/2) v^T [u x]_+`, with `u` in `R^(n x d)`; each entry of `u` is `N(0, 1/p)` with
//! probability `p` and 0 otherwise. Its NNGP kernel, that of the Gaussian process of its outputs under random `v`, is
//! `nngp(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+`, a random number; that of the dense network of infinite width is
//! `nngp_inf = K_1 / d`. (The paper writes `Theta` for the NNGP kernel; most of the literature uses that letter for the
//! tangent kernel.) Theorem 1 of the paper (arXiv 2010.14495, Section 3) is exact at every `n`, `d`, `p`:
//!
//! `E[(nngp - nngp_inf)^2] = (K~_1 - K_1)^2 / d^2  +  (K~_2 - K~_1^2) / (d^2 n)`
//!
//! that is, bias^2 + variance / n, with the masked moments `K~_l` of [`masked`](crate::kernel::masked).

mod theorem_1;

use std::fmt;

pub use theorem_1::{Distance, Theorem1, bias_error, theorem_1, variance_error};

use crate::error::{Error, Result};
use crate::kernel::gram::Pair;

/// A width `n`, the number of hidden units, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Width(usize);

impl Width {
    /// A width of at least 1.
    ///
    /// # Errors
    /// Where the width is 0.
    pub fn new(width: usize) -> Result<Self> {
        match width {
            0 => Err(Error::value("width", 0, "a network needs at least one hidden unit", "give a positive width")),
            _ => Ok(Self(width)),
        }
    }

    /// `n`.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An input dimension `d`, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension(usize);

impl Dimension {
    /// A dimension of at least 1.
    ///
    /// # Errors
    /// Where the dimension is 0.
    pub fn new(dimension: usize) -> Result<Self> {
        match dimension {
            0 => Err(Error::value("dimension", 0, "an input needs at least one entry", "give a positive dimension")),
            _ => Ok(Self(dimension)),
        }
    }

    /// The dimension of the inputs of a pair.
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        Self(pair.dimension())
    }

    /// `d`.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The infinite-width kernel `nngp_inf = K_1 / d`.
#[must_use]
pub fn infinite_width_kernel(k1: f64, dimension: Dimension) -> f64 {
    k1 / dimension.0 as f64
}
