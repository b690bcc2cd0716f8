//! The masked moments `K~_1` and `K~_2` of Theorem 1: arc-cosine moments averaged over random masks.
//!
//! `K~_l(x, y) = sigma^(2l) sum_{s in {0,1}^d} p^|s| (1-p)^(d-|s|) K_l(x_s, y_s)`, with `sigma^2 = 1/p` and `x_s` the
//! input `x` with the entries where `s = 0` set to zero (arXiv 2010.14495, Theorem 1). The methods, behind
//! [`RowMoments`]:
//!
//! | method | cost | error |
//! |---|---|---|
//! | [`closed_form()`]: `p = 1`, or parallel inputs | `O(d)` | a bound (rounding) |
//! | [`Enumerate`]: the sum itself | `2^d` masks, fewer where entries are zero or equal | a bound (rounding) |
//! | [`Quadrature`]: a double integral | a few thousand nodes times `d` | an error estimate, to the tolerance asked for |
//! | [`Sampling`]: masks drawn, kernel in closed form | masks times `d p` | a standard error |
//! | [`Expansion`]: second-order expansion in the mask's fluctuation | `O(d)` | unknown; small where many entries share the norm |
//!
//! All these are of Bernoulli masks; [`FixedCount`] has the distance under masks of a fixed count, by row or by layer.
//!
//! [`Auto`] takes the first of closed form, enumeration (up to 2^20 terms) and quadrature that serves, and sampling where that
//! is better than a quadrature that misses its tolerance.

mod bottleneck;
mod closed_form;
mod enumerate;
mod expansion;
mod fixed_count;
mod quadrature;
mod sampling;

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

pub use bottleneck::LinearBottleneck;
pub use closed_form::closed_form;
pub use enumerate::Enumerate;
pub(crate) use enumerate::Grouping;
pub use expansion::Expansion;
pub use fixed_count::FixedCount;
pub use quadrature::Quadrature;
pub use sampling::Sampling;

use crate::error::Result;
use crate::kernel::gram::Pair;
use crate::kernel::nngp::Width;
use crate::network::{Connectivity, MaskFamily};
use crate::numeric::estimate::Estimate;
use crate::numeric::parallel::try_map;

/// The masked moments of one pair at one connectivity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskedMoments {
    /// `K~_1`.
    pub k1: Estimate,
    /// `K~_2`.
    pub k2: Estimate,
    /// `K~_1 - K_1`, by the method's most accurate way: the bias of Theorem 1, times `d`.
    pub shift: Estimate,
    /// `Cov`, the covariance of `[u_i.x]_+ [u_i.y]_+` between two rows `u_i`: 0 where rows are independent.
    pub covariance: Estimate,
    /// How they were found.
    pub method: Method,
    /// What the method went through: masks summed or drawn, nodes of a quadrature; 0 for a closed form.
    pub terms: u64,
}

impl MaskedMoments {
    /// Whether `K~_1` and `K~_2` are known to be right to `tolerance`, relative to each.
    #[must_use]
    pub fn within(&self, tolerance: f64) -> bool {
        self.relative_error().is_some_and(|error| error <= tolerance)
    }

    /// The larger of the relative errors of `K~_1` and `K~_2`: systematic parts and three standard errors; none where unknown or beyond
    /// double precision.
    fn relative_error(&self) -> Option<f64> {
        let relative = |estimate: Estimate| {
            let size = estimate.error.at(3.0)?;
            let relative = if size == 0.0 { 0.0 } else { size / estimate.value.abs() };
            // NaN would be lost in a maximum.
            (estimate.value.is_finite() && !relative.is_nan()).then_some(relative)
        };
        Some(relative(self.k1)?.max(relative(self.k2)?))
    }
}

/// The averages over the masks of one row that theory needs, by one method and for one family of masks.
///
/// What random numbers a method takes it draws from a stream of its own for each pair, by the pair's `index` in a study over many, so
/// that results do not depend on the order of the pairs or the number of threads.
pub trait RowMoments: Sync {
    /// `K~_1`, `K~_2`, `K~_1 - K_1` and the covariance between rows of the pair of a number.
    ///
    /// # Errors
    /// Where the method cannot serve this pair, saying which can.
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, index: u32) -> Result<MaskedMoments>;

    /// The same of a pair alone.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn moments(&self, pair: &Pair, connectivity: Connectivity) -> Result<MaskedMoments> {
        self.of_pair(pair, connectivity, 0)
    }

    /// The same of many pairs, numbered in their order, in parallel.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn of_pairs(&self, pairs: &[Pair], connectivity: Connectivity) -> Result<Vec<MaskedMoments>> {
        let numbered = pairs.par_iter().enumerate().with_max_len(16);
        let number = |index| u32::try_from(index).expect("2^32 pairs do not fit in memory");
        try_map(numbered, |(index, pair)| self.of_pair(pair, connectivity, number(index)))
    }
}

/// The best method for the masks of a family over `width` rows, which is where a mask family has its theory: [`Auto`] for Bernoulli
/// masks, [`FixedCount`] for those of a fixed count.
#[must_use]
pub fn for_masks(family: MaskFamily, width: Width, quadrature: Quadrature, sampling: Sampling) -> Box<dyn RowMoments> {
    match family {
        MaskFamily::Bernoulli => Box::new(Auto { quadrature, sampling }),
        MaskFamily::ConstantFanIn => Box::new(FixedCount::per_row(sampling)),
        MaskFamily::ExactCount => Box::new(FixedCount::per_layer(width, sampling)),
    }
}

/// The methods by name, as records and the command line spell them: the registration of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// `p = 1` or parallel inputs, see [`closed_form()`].
    #[strum(message = "Closed form, where p = 1 or inputs are parallel")]
    ClosedForm,
    /// The sum over masks, see [`Enumerate`].
    #[strum(message = "Sum over all masks, up to 2^34 terms")]
    Enumerate,
    /// The double integral, see [`Quadrature`].
    #[strum(message = "Double integral at any dimension, with an error estimate")]
    Quadrature,
    /// Masks sampled, see [`Sampling`].
    #[strum(message = "Sampled masks, with a standard error")]
    Sampling,
    /// The second-order expansion, see [`Expansion`].
    #[serde(alias = "moments")]
    #[strum(message = "Second-order expansion in the mask fluctuations, without an error estimate")]
    Expansion,
}

impl Method {
    /// All methods.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name, as records and the command line spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, in a line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.get_message().expect("every variant says what it is")
    }

    /// The method itself, for any pair at any connectivity; none of the closed form, which few pairs have.
    #[must_use]
    pub fn for_any_pair(self, quadrature: Quadrature, sampling: Sampling) -> Option<Box<dyn RowMoments>> {
        Some(match self {
            Self::ClosedForm => return None,
            Self::Enumerate => Box::new(Enumerate::default()),
            Self::Quadrature => Box::new(quadrature),
            Self::Sampling => Box::new(sampling),
            Self::Expansion => Box::new(Expansion),
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

impl RowMoments for Auto {
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, index: u32) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        if Self::ENUMERATE.serves(pair) {
            return Self::ENUMERATE.of_pair(pair, connectivity, index);
        }
        let integral = self.quadrature.of_pair(pair, connectivity, index)?;
        if integral.within(self.quadrature.tolerance()) {
            return Ok(integral);
        }
        // Sampled masks leave a tenth of one over the root of their number at best, and take longer.
        if integral.relative_error().is_some_and(|error| error * (self.sampling.masks() as f64).sqrt() < 0.1) {
            return Ok(integral);
        }
        let sampled = self.sampling.of_pair(pair, connectivity, index)?;
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
