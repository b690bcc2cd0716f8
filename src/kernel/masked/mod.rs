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
//! [`LinearBottleneck`] gives those of a dense network with a linear layer before the hidden one. All but the last also
//! give the averages of the [tangent kernel](crate::kernel::ntk), and those of [rows](Row) whose inputs have
//! connectivities of their own, except under masks of a fixed count.
//!
//! [`Auto`] takes the first that applies of closed form, enumeration (up to 2^20 terms) and quadrature. Where the
//! quadrature misses its tolerance and sampling does better, it takes sampling.

mod bottleneck;
mod closed_form;
mod enumerate;
mod expansion;
mod fixed_count;
mod quadrature;
mod row;
mod sampling;
pub(crate) mod tangent_sum;

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
pub(crate) use row::Entry;
pub use row::Row;
pub use sampling::Sampling;

use crate::error::{Error, Result};
use crate::kernel::gram::Pair;
use crate::kernel::nngp::Width;
use crate::network::MaskFamily;
use crate::numeric::estimate::Estimate;
use crate::numeric::parallel::try_map;

/// The masked moments of one pair at one connectivity, and what they make of the kernel: the moments of one hidden
/// unit's share, times `d`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MaskedMoments {
    /// `K~_1`.
    pub k1: Estimate,
    /// `K~_2`.
    pub k2: Estimate,
    /// What the tangent kernel needs besides; none for the NNGP kernel.
    pub tangent: Option<TangentMoments>,
    /// The mean of one unit's share: `K~_1`, or `K~_1 + tau J~_1` for the tangent kernel.
    pub first: Estimate,
    /// The mean of its square: `K~_2`, or `K~_2 + 2 tau J~_11 + tau^2 k J~_2`, `k` the kurtosis of the readout.
    pub second: Estimate,
    /// The mean less the infinite-width kernel, `K_1` or `K_1 + C K_0`, by the method's most accurate way: the bias,
    /// times `d`.
    pub shift: Estimate,
    /// `Cov`, the covariance of the shares of two units: 0 where rows are independent.
    pub covariance: Estimate,
    /// How they were found.
    pub method: Method,
    /// The number of masks summed or drawn, or of quadrature nodes; 0 for a closed form.
    pub terms: u64,
}

/// The averages over masks that only the tangent kernel has, see [`ntk`](crate::kernel::ntk); with `tau` in them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TangentMoments {
    /// `tau J~_1 = tau E_s[C_s K_0(s)] / p`.
    pub j1: Estimate,
    /// `tau J~_11 = tau E_s[C_s K_1(s)] / p^2`.
    pub j11: Estimate,
    /// `tau^2 J~_2 = tau^2 E_s[C_s^2 K_0(s)] / p^2`.
    pub j2: Estimate,
}

impl MaskedMoments {
    /// Those of the NNGP kernel, where rows are independent.
    pub(crate) fn nngp(k1: Estimate, k2: Estimate, shift: Estimate, method: Method, terms: u64) -> Self {
        let covariance = Estimate::ZERO;
        Self { k1, k2, tangent: None, first: k1, second: k2, shift, covariance, method, terms }
    }

    /// Those of the tangent kernel, from the same and its own: errors add up, whatever their correlation.
    pub(crate) fn with_tangent(self, tangent: TangentMoments, kurtosis: f64, shift: Estimate) -> Self {
        let TangentMoments { j1, j11, j2 } = tangent;
        let plus = |sum: Estimate, factor: f64, term: Estimate| Estimate {
            value: sum.value + factor * term.value,
            error: sum.error.combine(term.error.scaled(factor), |a, b| a + b),
        };
        Self {
            tangent: Some(tangent),
            first: plus(self.k1, 1.0, j1),
            second: plus(plus(self.k2, 2.0, j11), kurtosis, j2),
            shift,
            ..self
        }
    }

    /// Whether the errors of both moments, each the systematic part plus three standard errors, are at most `tolerance`
    /// times their values, or for the tangent kernel times the sum of their parts; false where an error is unknown.
    #[must_use]
    pub fn within(&self, tolerance: f64) -> bool {
        self.relative_error().is_some_and(|error| error <= tolerance)
    }

    /// The larger of the relative errors of the two moments, each the systematic part plus three standard errors; none
    /// where unknown or beyond double precision. The parts of the tangent kernel can cancel, so errors are relative to
    /// the sum of their magnitudes.
    fn relative_error(&self) -> Option<f64> {
        let [of_first, of_second] = match self.tangent {
            None => [self.k1.value.abs(), self.k2.value.abs()],
            Some(TangentMoments { j1, j11, j2 }) => {
                [self.k1.value.abs() + j1.value.abs(), self.k2.value.abs() + 2.0 * j11.value.abs() + j2.value.abs()]
            }
        };
        let relative = |estimate: Estimate, size: f64| {
            let error = estimate.error.at(3.0)?;
            let relative = if error == 0.0 { 0.0 } else { error / size };
            // NaN would be lost in a maximum.
            (estimate.value.is_finite() && !relative.is_nan()).then_some(relative)
        };
        Some(relative(self.first, of_first)?.max(relative(self.second, of_second)?))
    }
}

/// A method, for one family of masks, of averaging over the masks of one row: it gives the moments that Theorem 1
/// needs.
///
/// A method that draws random numbers uses a separate stream for each pair, selected by the pair's `index` in a study
/// of many pairs. Results therefore do not depend on the order of the pairs or the number of threads.
pub trait RowMoments: Sync {
    /// The moments of a pair, for the masks and the kernel of `row`. `index` is the number of the pair.
    ///
    /// # Errors
    /// Where the method cannot handle this pair or row; the message names one that can.
    fn of_pair(&self, pair: &Pair, row: &Row, index: u32) -> Result<MaskedMoments>;

    /// The moments of a single pair, which has the number 0. A connectivity alone is a [`Row`] of the NNGP kernel.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn moments<'a>(&self, pair: &Pair, row: impl Into<Row<'a>>) -> Result<MaskedMoments>
    where
        Self: Sized,
    {
        self.of_pair(pair, &row.into(), 0)
    }

    /// The moments of many pairs, in parallel. Pairs are numbered from 0 in their order.
    ///
    /// # Errors
    /// As [`RowMoments::of_pair`].
    fn of_pairs(&self, pairs: &[Pair], row: &Row) -> Result<Vec<MaskedMoments>> {
        // One by one, since a few pairs take ten times as long as most; the quadrature divides each of those once more.
        let numbered = pairs.par_iter().enumerate().with_max_len(1);
        check_numbers(pairs.len())?;
        try_map(numbered, |(index, pair)| self.of_pair(pair, row, index as u32))
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
    fn of_pair(&self, pair: &Pair, row: &Row, index: u32) -> Result<MaskedMoments> {
        row.check(pair)?;
        if let Some(exact) = closed_form(pair, *row) {
            return Ok(exact);
        }
        if Self::ENUMERATE.serves_row(pair, row) {
            return Self::ENUMERATE.of_pair(pair, row, index);
        }
        let integral = self.quadrature.of_pair(pair, row, index)?;
        if integral.within(self.quadrature.tolerance()) {
            return Ok(integral);
        }
        // At best, sampling has a relative error of 0.1 over the root of the number of masks, and it takes longer.
        if integral.relative_error().is_some_and(|error| error * (self.sampling.masks() as f64).sqrt() < 0.1) {
            return Ok(integral);
        }
        let sampled = self.sampling.of_pair(pair, row, index)?;
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

/// Upper bounds of `K~_1` and `K~_2` by Cauchy-Schwarz, `sqrt(A B)` and `3/2 sqrt((A^2 + sum q x^4)(B^2 + sum q y^4))`:
/// the scales of their rounding errors. Those of the tangent kernel's averages are not larger where `tau <= 1`.
fn scales(pair: &Pair, row: &Row) -> (f64, f64) {
    let gram = pair.gram();
    let second = |norm: f64, fourth: f64| (norm * norm + fourth).sqrt();
    let (fourth_x, fourth_y) = match row.uniform() {
        Some(connectivity) => {
            let q = connectivity.excess();
            (q * pair.sum(|x, _| x.powi(4)), q * pair.sum(|_, y| y.powi(4)))
        }
        None => (
            row.sum(pair, |entry| entry.excess() * entry.x.powi(4)),
            row.sum(pair, |entry| entry.excess() * entry.y.powi(4)),
        ),
    };
    (gram.scale(), 1.5 * second(gram.a, fourth_x) * second(gram.b, fourth_y))
}
