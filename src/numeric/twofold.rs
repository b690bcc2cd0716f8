//! Sums and products with their rounding errors: a number as the sum of two.

use std::ops::Add;

use super::simd::fused;

/// `high + low`, with `low` below the rounding of `high`: twice the digits, for sums of products that cancel later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Twofold {
    pub high: f64,
    pub low: f64,
}

impl Twofold {
    /// `a b`, exactly.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: product_error::<false>(a, b, high) }
    }

    /// The same times a number.
    pub fn times(self, factor: f64) -> Self {
        let Self { high, low } = Self::product(self.high, factor);
        Self { high, low: low + self.low * factor }
    }
}

impl Add for Twofold {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        let (high, low) = sum(self.high, other.high);
        Self { high, low: low + (self.low + other.low) }
    }
}

/// The rounded sum and its error (Knuth).
#[inline(always)]
pub(crate) fn sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// The error of a rounded product: by a fused multiply-add, or by splitting both factors (Dekker), which needs them
/// below 1e300.
#[inline(always)]
pub(crate) fn product_error<const FUSED: bool>(a: f64, b: f64, rounded: f64) -> f64 {
    if FUSED {
        return fused::<FUSED>(a, b, -rounded);
    }
    let split = |value: f64| {
        let scaled = 134_217_729.0 * value;
        let high = scaled - (scaled - value);
        (high, value - high)
    };
    let ((a_high, a_low), (b_high, b_low)) = (split(a), split(b));
    ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        // 1 + 2^-60, which one number cannot hold.
        let small = 2f64.powi(-60);
        let found = Twofold { high: 1.0, low: 0.0 } + Twofold { high: small, low: 0.0 };
        assert_eq!((found.high, found.low), (1.0, small));
        // (1 + 2^-30)^2 = 1 + 2^-29 + 2^-60.
        let near = 1.0 + 2f64.powi(-30);
        let square = Twofold::product(near, near);
        assert_eq!((square.high, square.low), (1.0 + 2f64.powi(-29), small));
        assert_eq!(product_error::<true>(near, near, square.high), square.low);
        let thrice = square.times(3.0);
        assert_eq!((thrice.high, thrice.low), (3.0 * square.high, 3.0 * small));
    }
}
