//! Values with what is known of their errors. The kinds of error are kept separate: a proven bound, an error estimate,
//! a standard error, or nothing.

use std::fmt;

use super::statistics::root_sum_of_squares;

/// What is known of the part of an error that further draws do not change.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Systematic {
    /// The true value lies within this distance, by proof.
    Bound(f64),
    /// The true value lies within this distance by all that was tried, not by proof.
    Estimate(f64),
    /// An approximation without an error estimate.
    Unknown,
}

impl Systematic {
    /// The bound or error estimate as a number, where there is one.
    #[must_use]
    pub fn magnitude(self) -> Option<f64> {
        match self {
            Self::Bound(size) | Self::Estimate(size) => Some(size),
            Self::Unknown => None,
        }
    }

    /// The error of a quantity that depends on two others, of the less certain of their kinds.
    fn combine(self, other: Self, size: impl Fn(f64, f64) -> f64) -> Self {
        let (Some(a), Some(b)) = (self.magnitude(), other.magnitude()) else { return Self::Unknown };
        match (self, other) {
            (Self::Bound(_), Self::Bound(_)) => Self::Bound(size(a, b)),
            _ => Self::Estimate(size(a, b)),
        }
    }

    fn map(self, size: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Bound(found) => Self::Bound(size(found)),
            Self::Estimate(found) => Self::Estimate(size(found)),
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The kind of an error, the least certain of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorType {
    /// A proven bound.
    Bound,
    /// An error estimate, without proof.
    Estimate,
    /// One standard deviation of an unbiased estimate, perhaps in addition to a systematic part.
    StandardError,
    /// Unknown.
    Unknown,
}

/// How far a value may be from the truth: by a systematic part, and by a standard error that more draws make smaller.
///
/// ```
/// use sparsewidth::{ErrorType, Estimate, Uncertainty};
/// let found = Estimate { value: 2.0, error: Uncertainty::estimate(0.1).with_standard_error(0.2) };
/// // A proven bound, an estimate of the error and a standard error are kept apart.
/// assert_eq!((found.error.kind(), found.error.proven()), (ErrorType::StandardError, None));
/// // As one number: the systematic part and one standard error, or three.
/// assert!((found.error.magnitude().unwrap() - 0.3).abs() < 1e-12);
/// assert!((found.error.at(3.0).unwrap() - 0.7).abs() < 1e-12);
/// assert_eq!(Uncertainty::UNKNOWN.magnitude(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncertainty {
    systematic: Systematic,
    standard_error: f64,
}

impl Uncertainty {
    /// No error at all.
    pub const EXACT: Self = Self::bound(0.0);
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { systematic: Systematic::Unknown, standard_error: 0.0 };

    /// A proven bound.
    #[must_use]
    pub const fn bound(size: f64) -> Self {
        Self { systematic: Systematic::Bound(size), standard_error: 0.0 }
    }

    /// An error estimate, without proof.
    #[must_use]
    pub const fn estimate(size: f64) -> Self {
        Self { systematic: Systematic::Estimate(size), standard_error: 0.0 }
    }

    /// One standard deviation of an unbiased estimate.
    #[must_use]
    pub const fn standard(size: f64) -> Self {
        Self { systematic: Systematic::Bound(0.0), standard_error: size }
    }

    /// The same with a standard error in addition to the systematic part.
    #[must_use]
    pub const fn with_standard_error(self, size: f64) -> Self {
        Self { standard_error: size, ..self }
    }

    /// The systematic part.
    #[must_use]
    pub fn systematic(self) -> Systematic {
        self.systematic
    }

    /// The standard error; 0 where nothing is drawn.
    #[must_use]
    pub fn standard_error(self) -> f64 {
        self.standard_error
    }

    /// The kind of its least certain part.
    #[must_use]
    pub fn kind(self) -> ErrorType {
        match self.systematic {
            Systematic::Unknown => ErrorType::Unknown,
            _ if self.standard_error > 0.0 => ErrorType::StandardError,
            Systematic::Estimate(_) => ErrorType::Estimate,
            Systematic::Bound(_) => ErrorType::Bound,
        }
    }

    /// The proven bound, where the error has no other part.
    #[must_use]
    pub fn proven(self) -> Option<f64> {
        self.systematic.magnitude().filter(|_| self.kind() == ErrorType::Bound)
    }

    /// Both parts as one number, bound or estimate plus one standard error; none where unknown.
    #[must_use]
    pub fn magnitude(self) -> Option<f64> {
        self.at(1.0)
    }

    /// The systematic part plus this many standard errors; none where unknown.
    #[must_use]
    pub fn at(self, standard_errors: f64) -> Option<f64> {
        self.systematic.magnitude().map(|size| size + standard_errors * self.standard_error)
    }

    /// The error of the same quantity times a positive factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { systematic: self.systematic.map(|size| size * factor), standard_error: self.standard_error * factor }
    }

    /// The error of a quantity that depends on two others: `size` combines each of the two parts of their errors,
    /// whatever the correlation of the two.
    #[must_use]
    pub fn combine(self, other: Self, size: impl Fn(f64, f64) -> f64) -> Self {
        self.combine_parts(other, &size, &size)
    }

    /// The same, with a separate rule for standard errors.
    #[must_use]
    pub fn combine_parts(
        self,
        other: Self,
        systematic: impl Fn(f64, f64) -> f64,
        standard: impl Fn(f64, f64) -> f64,
    ) -> Self {
        Self {
            systematic: self.systematic.combine(other.systematic, systematic),
            standard_error: standard(self.standard_error, other.standard_error),
        }
    }

    /// The error of the mean of independent estimates as one number: the mean of their systematic parts, plus the root
    /// of the sum of squares of their standard errors over the number of estimates. None for no errors, or where any is
    /// unknown.
    #[must_use]
    pub fn of_mean(errors: &[Self]) -> Option<f64> {
        if errors.is_empty() {
            return None;
        }
        let mut systematic = 0.0;
        for error in errors {
            systematic += error.systematic.magnitude()?;
        }
        let squares = root_sum_of_squares(errors.iter().map(|error| error.standard_error));
        Some((systematic + squares) / errors.len() as f64)
    }
}

impl fmt::Display for Uncertainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.systematic {
            Systematic::Unknown => return f.write_str("of unknown error"),
            Systematic::Bound(size) if size > 0.0 || self.standard_error == 0.0 => Some((size, "bound")),
            Systematic::Bound(_) => None,
            Systematic::Estimate(size) => Some((size, "error estimate")),
        };
        if let Some((size, kind)) = words {
            write!(f, "± {size:.1e} ({kind})")?;
        }
        if self.standard_error > 0.0 {
            let space = if words.is_some() { " " } else { "" };
            write!(f, "{space}± {:.1e} (standard error)", self.standard_error)?;
        }
        Ok(())
    }
}

/// A value with what is known of its error.
///
/// ```
/// use sparsewidth::numeric::estimate::{Estimate, Uncertainty};
/// let estimate = Estimate { value: 0.25, error: Uncertainty::bound(1e-12).with_standard_error(0.01) };
/// assert_eq!(estimate.to_string(), "2.500000e-1 ± 1.0e-12 (bound) ± 1.0e-2 (standard error)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// How far it may be from the truth.
    pub error: Uncertainty,
}

impl Estimate {
    /// The exact value 0.
    pub const ZERO: Self = Self { value: 0.0, error: Uncertainty::EXACT };

    /// A value with a proven bound of its error.
    #[must_use]
    pub const fn bounded(value: f64, bound: f64) -> Self {
        Self { value, error: Uncertainty::bound(bound) }
    }

    /// A value with an estimate of its error, without proof.
    #[must_use]
    pub const fn estimated(value: f64, error: f64) -> Self {
        Self { value, error: Uncertainty::estimate(error) }
    }

    /// A value of unknown error.
    #[must_use]
    pub const fn unbounded(value: f64) -> Self {
        Self { value, error: Uncertainty::UNKNOWN }
    }

    /// Its square, unbiased: less the square of its standard error.
    #[must_use]
    pub fn square(self) -> f64 {
        self.value * self.value - self.error.standard_error * self.error.standard_error
    }

    /// The error of its square: a systematic part with its square included, a standard error to first order.
    #[must_use]
    pub fn error_of_square(self) -> Uncertainty {
        let slope = 2.0 * self.value.abs();
        Uncertainty {
            systematic: self.error.systematic.map(|size| (slope + size) * size),
            standard_error: slope * self.error.standard_error,
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6e} {}", self.value, self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_kept_apart() {
        assert_eq!(Uncertainty::of_mean(&[]), None);
        let (bound, estimate) = (Uncertainty::bound(0.5), Uncertainty::estimate(0.25));
        let sum = |a: f64, b: f64| a + b;
        assert_eq!(bound.combine(bound, sum), Uncertainty::bound(1.0));
        assert_eq!(bound.combine(estimate, sum), Uncertainty::estimate(0.75));
        let both = bound.combine(Uncertainty::standard(2.0), sum);
        assert_eq!(both, Uncertainty::bound(0.5).with_standard_error(2.0));
        assert_eq!((both.kind(), both.magnitude(), both.at(3.0)), (ErrorType::StandardError, Some(2.5), Some(6.5)));
        assert_eq!(Uncertainty::UNKNOWN.combine(both, sum).magnitude(), None);
        assert_eq!(both.scaled(2.0), Uncertainty::bound(1.0).with_standard_error(4.0));
    }

    #[test]
    fn only_standard_errors_shrink_with_the_root_of_their_number() {
        let each = Uncertainty::bound(0.5).with_standard_error(2.0);
        // Four of them: the mean of the bounds, and 2 / sqrt(4).
        assert_eq!(Uncertainty::of_mean(&[each; 4]), Some(1.5));
        assert_eq!(Uncertainty::of_mean(&[each, Uncertainty::UNKNOWN]), None);
    }

    #[test]
    fn squares_by_hand() {
        let noisy = Estimate { value: 3.0, error: Uncertainty::bound(0.5).with_standard_error(1.0) };
        assert_eq!(noisy.square(), 8.0);
        // (3.5)^2 - 3^2 = 3.25; 2 times 3 times 1.
        assert_eq!(noisy.error_of_square(), Uncertainty::bound(3.25).with_standard_error(6.0));
    }
}
