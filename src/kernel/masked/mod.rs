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
//! These are for Bernoulli masks. [`FixedCount`] gives the moments under masks of a fixed count, by row or by layer;
//! [`LinearBottleneck`] gives those of a dense network with a linear layer before the hidden one.
//!
//! [`Auto`] takes the first that applies of closed form, enumeration (up to 2^20 terms) and quadrature. Where the
//! quadrature misses its tolerance and sampling does better, it takes sampling.

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

use crate::error::{Error, Result};
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
    /// The number of masks summed or drawn, or of quadrature nodes; 0 for a closed form.
    pub terms: u64,
}

impl MaskedMoments {
    /// Whether the errors of `K~_1` and `K~_2`, each the systematic part plus three standard errors, are at most
    /// `tolerance` times their values; false where an error is unknown.
    #[must_use]
    pub fn within(&self, tolerance: f64) -> bool {
        self.relative_error().is_some_and(|error| error <= tolerance)
    }

    /// The larger of the relative errors of `K~_1` and `K~_2`, each the systematic part plus three standard errors;
    /// none where unknown or beyond double precision.
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

/// A method, for one family of masks, of averaging over the masks of one row: it gives the moments that Theorem 1
/// needs.
///
/// A method that draws random numbers uses a separate stream for each pair, selected by the pair's `index` in a study
/// of many pairs. Results therefore do not depend on the order of the pairs or the number of threads.
pub trait RowMoments: Sync {
    /// The moments of a pair: `K~_1`, `K~_2`, `K~_1 - K_1` and the covariance between rows. `index` is the number of
    /// the pair.
    ///
    /// # Errors
    /// Where the method cannot handle this pair; the message names one that can.
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, index: u32) -> Result<MaskedMoments>;

    /// The moments of a single pair, which has the number 0.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn moments(&self, pair: &Pair, connectivity: Connectivity) -> Result<MaskedMoments> {
        self.of_pair(pair, connectivity, 0)
    }

    /// The moments of many pairs, in parallel. Pairs are numbered from 0 in their order.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn of_pairs(&self, pairs: &[Pair], connectivity: Connectivity) -> Result<Vec<MaskedMoments>> {
        let numbered = pairs.par_iter().enumerate().with_max_len(16);
        check_numbers(pairs.len())?;
        try_map(numbered, |(index, pair)| self.of_pair(pair, connectivity, index as u32))
    }
}

/// Refuses more pairs than 32 bits can number.
pub(crate) fn check_numbers(pairs: usize) -> Result<()> {
    if pairs as u64 <= 1 << 32 {
        return Ok(());
    }
    Err(Error::value("pairs", pairs, "at most 2^32 can be numbered", "compute them in blocks"))
}

/// The best method for masks of a family over `width` rows: [`Auto`] for Bernoulli masks, [`FixedCount`] for those of a
/// fixed count. This is where the theory of a mask family is registered.
#[must_use]
pub fn for_masks(family: MaskFamily, width: Width, quadrature: Quadrature, sampling: Sampling) -> Box<dyn RowMoments> {
    match family {
        MaskFamily::Bernoulli => Box::new(Auto { quadrature, sampling }),
        MaskFamily::ConstantFanIn => Box::new(FixedCount::per_row(sampling)),
        MaskFamily::ExactCount => Box::new(FixedCount::per_layer(width, sampling)),
    }
}

/// The methods, under the names that records and the command line use. A new method is registered here.
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

    /// A description of one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.get_message().expect("every variant says what it is")
    }

    /// The method itself, for any pair at any connectivity; none for the closed form, which few pairs have.
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

/// The best method for a pair: the closed form where there is one; the sum over masks where it has at most 2^20 terms;
/// else the quadrature. Where the quadrature misses its tolerance by so much that sampled masks may be better, masks
/// are sampled too, and the better result is returned.
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
        // At best, sampling has a relative error of 0.1 over the root of the number of masks, and it takes longer.
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

/// Rounding of a kernel that is a sum of positive terms, in units of the bounds of [`scales`]: 50 units in the last
/// place for the Gram triple, 70 for sums of terms in lanes (see `enumerate`), and a few for each kernel.
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
