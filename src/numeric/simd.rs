//! Sums and products in lanes, whose order of rounding does not depend on the processor.

use std::ops::Add;

/// The sum of the lanes of a vectorised sum.
#[inline(always)]
pub(crate) fn lane_sum<T: Copy + Add<Output = T>, const LANES: usize>(lanes: [T; LANES]) -> T {
    halves(lanes, |a, b| a + b)
}

/// All lanes combined, by halves; their number is a power of two.
#[inline(always)]
pub(crate) fn halves<T: Copy, const LANES: usize>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// `a b + c`, rounded once where the processor has an instruction for it; elsewhere, emulating that would be slow.
#[inline(always)]
pub(crate) fn fused<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
