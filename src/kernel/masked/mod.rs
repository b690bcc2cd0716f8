//! The masked moments `K~_1` and `K~_2` of Theorem 1: arc-cosine moments averaged over random masks.
//!
//! `K~_l(x, y) = sigma^(2l) sum_{s in {0,1}^d} p^|s| (1-p)^(d-|s|) K_l(x_s, y_s)`, with `sigma^2 = 1/p` and `x_s` the
//! input `x` with the entries where `s = 0` set to zero (arXiv 2010.14495, Theorem 1). The methods, behind
//! [`MaskedKernel`]:
//!
//! | method | cost | error |
//! |---|---|---|
//! | [`closed_form`]: `p = 1`, or parallel inputs | `O(d)` | a bound (rounding) |
//! | [`Enumerate`]: the sum itself | `2^d` masks, fewer where entries are zero or equal | a bound (rounding) |
//! | [`Quadrature`]: a double integral | a few thousand nodes times `d` | an error estimate, to the tolerance asked for |
//! | [`Sampling`]: masks drawn, kernel in closed form | masks times `d p` | a standard error |
//! | [`Moments`]: second-order expansion in the mask's fluctuation | `O(d)` | unknown; small where many entries share the norm |
//!
//! All these are of Bernoulli masks; [`FixedCount`] has the distance under masks of a fixed count, by row or by layer.
//!
//! [`Auto`] takes the first of closed form, enumeration (up to 2^20 terms) and quadrature that serves, and sampling where that
//! is better than a quadrature that misses its tolerance.

mod closed_form;
mod enumerate;
mod expansion;
mod fixed_count;
mod quadrature;
mod sampling;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use closed_form::closed_form;
pub use enumerate::Enumerate;
pub use expansion::Moments;
pub use fixed_count::FixedCount;
pub use quadrature::Quadrature;
pub use sampling::Sampling;

use crate::error::Result;
use crate::kernel::gram::Pair;
use crate::network::Connectivity;

/// How far a value may be from the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Uncertainty {
    /// The true value lies within this distance, by proof.
    Bound(f64),
    /// The true value lies within this distance by all that was tried, not by proof.
    ErrorEstimate(f64),
    /// One standard deviation of an unbiased estimate.
    StandardError(f64),
    /// An approximation that does not know its own error.
    Unknown,
}

impl Uncertainty {
    /// The bound, error estimate or standard error as a number, where there is one.
    pub fn size(self) -> Option<f64> {
        match self {
            Self::Bound(size) | Self::ErrorEstimate(size) | Self::StandardError(size) => Some(size),
            Self::Unknown => None,
        }
    }

    /// That of the same quantity times a positive factor.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Bound(size) => Self::Bound(size * factor),
            Self::ErrorEstimate(size) => Self::ErrorEstimate(size * factor),
            Self::StandardError(size) => Self::StandardError(size * factor),
            Self::Unknown => Self::Unknown,
        }
    }

    /// The uncertainty of a quantity that depends on two, of the less certain kind: unknown if either is, statistical if either
    /// is, an estimate if either is.
    pub fn combine(self, other: Self, size: impl Fn(f64, f64) -> f64) -> Self {
        let (Some(a), Some(b)) = (self.size(), other.size()) else { return Self::Unknown };
        let size = size(a, b);
        match (self, other) {
            (Self::StandardError(_), _) | (_, Self::StandardError(_)) => Self::StandardError(size),
            (Self::ErrorEstimate(_), _) | (_, Self::ErrorEstimate(_)) => Self::ErrorEstimate(size),
            _ => Self::Bound(size),
        }
    }
}

/// A value with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// How far it may be from the truth.
    pub error: Uncertainty,
}

impl Estimate {
    /// Nothing, exactly.
    pub const ZERO: Self = Self { value: 0.0, error: Uncertainty::Bound(0.0) };

    fn bounded(value: f64, bound: f64) -> Self {
        Self { value, error: Uncertainty::Bound(bound) }
    }

    fn estimated(value: f64, error: f64) -> Self {
        Self { value, error: Uncertainty::ErrorEstimate(error) }
    }

    fn unbounded(value: f64) -> Self {
        Self { value, error: Uncertainty::Unknown }
    }
}

/// The masked moments of one pair at one connectivity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskedMoments {
    /// `K~_1`.
    pub k1: Estimate,
    /// `K~_2`.
    pub k2: Estimate,
    /// `K~_1 - K_1`, by the method's most accurate way: the bias of Theorem 1, times `d`.
    pub shift: Estimate,
    /// How they were found.
    pub method: Method,
    /// What the method went through: masks summed or drawn, nodes of a quadrature; 0 for a closed form.
    pub terms: u64,
}

impl MaskedMoments {
    /// Whether `K~_1` and `K~_2` are known to be right to `tolerance`, relative to each.
    pub fn within(&self, tolerance: f64) -> bool {
        self.relative_error().is_some_and(|error| error <= tolerance)
    }

    /// The larger of the relative errors of `K~_1` and `K~_2`: bounds and estimates, or three standard errors; none where unknown or beyond
    /// double precision.
    fn relative_error(&self) -> Option<f64> {
        let relative = |estimate: Estimate| {
            let size = match estimate.error {
                Uncertainty::Bound(error) | Uncertainty::ErrorEstimate(error) => error,
                Uncertainty::StandardError(error) => 3.0 * error,
                Uncertainty::Unknown => return None,
            };
            let relative = if size == 0.0 { 0.0 } else { size / estimate.value.abs() };
            // NaN would be lost in a maximum.
            (estimate.value.is_finite() && !relative.is_nan()).then_some(relative)
        };
        Some(relative(self.k1)?.max(relative(self.k2)?))
    }
}

/// A way to compute masked moments.
pub trait MaskedKernel: Sync {
    /// `K~_1`, `K~_2` and `K~_1 - K_1` of a pair.
    ///
    /// # Errors
    /// Where the method cannot serve this pair, saying which can.
    fn moments(&self, pair: &Pair, connectivity: Connectivity) -> Result<MaskedMoments>;
}

/// The methods by name, as records and the command line spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `p = 1` or parallel inputs, see [`closed_form`].
    ClosedForm,
    /// The sum over masks, see [`Enumerate`].
    Enumerate,
    /// The double integral, see [`Quadrature`].
    Quadrature,
    /// Masks sampled, see [`Sampling`].
    Sampling,
    /// The moment expansion, see [`Moments`].
    Moments,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClosedForm => "closed_form",
            Self::Enumerate => "enumerate",
            Self::Quadrature => "quadrature",
            Self::Sampling => "sampling",
            Self::Moments => "moments",
        })
    }
}

/// The best method for a pair: the closed form, the sum over masks where it has at most 2^20 terms, else the quadrature; where
/// that misses its tolerance by so much that sampled masks may be better also these, and the better of the two.
#[derive(Clone, Copy, Debug)]
pub struct Auto {
    /// Used where there are too many masks to sum.
    pub quadrature: Quadrature,
    /// Tried where the quadrature misses its tolerance.
    pub sampling: Sampling,
}

impl Auto {
    const ENUMERATE: Enumerate = Enumerate { max_terms: 1 << 20 };
}

impl MaskedKernel for Auto {
    fn moments(&self, pair: &Pair, connectivity: Connectivity) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        if Self::ENUMERATE.serves(pair) {
            return Self::ENUMERATE.moments(pair, connectivity);
        }
        let integral = self.quadrature.moments(pair, connectivity)?;
        if integral.within(self.quadrature.tolerance()) {
            return Ok(integral);
        }
        // Sampled masks leave a tenth of one over the root of their number at best, and take longer.
        if integral.relative_error().is_some_and(|error| error * (self.sampling.masks as f64).sqrt() < 0.1) {
            return Ok(integral);
        }
        let sampled = self.sampling.moments(pair, connectivity)?;
        let better = match (sampled.relative_error(), integral.relative_error()) {
            (Some(sampled), Some(integral)) => sampled < integral,
            (sampled, _) => sampled.is_some(),
        };
        Ok(if better { sampled } else { integral })
    }
}

/// Rounding of a kernel that is a sum of positive terms, in units of the bounds of [`scales`]: 50 units in the last place for
/// the Gram triple, 70 for sums of terms in lanes (see `enumerate`), and a few for each kernel.
const ROUNDING: f64 = 128.0 * f64::EPSILON;

/// Upper bounds of `K~_1` and `K~_2` by Cauchy-Schwarz, `sqrt(A B)` and `3/2 sqrt((A^2 + q sum x^4)(B^2 + q sum y^4))`:
/// the scales of their rounding errors.
fn scales(pair: &Pair, connectivity: Connectivity) -> (f64, f64) {
    let gram = pair.gram();
    let q = connectivity.excess();
    let second = |norm: f64, fourth: f64| (norm * norm + q * fourth).sqrt();
    let second_x = second(gram.a, pair.sum(|x, _| x.powi(4)));
    let second_y = second(gram.b, pair.sum(|_, y| y.powi(4)));
    (gram.scale(), 1.5 * second_x * second_y)
}
