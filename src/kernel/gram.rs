//! Inputs in pairs, and the Gram triple `(A, B, C)`: all that an arc-cosine kernel sees of two inputs.

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::{ArrayView1, ArrayView2};

use crate::data::PreparedInputs;
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::Angle;
use crate::kernel::masked::Grouping;
use crate::numeric::simd::lane_sum;

/// The largest magnitude that an entry may have.
pub const LARGEST_ENTRY: f64 = 1e70;
/// The smallest magnitude that the largest entry of an input may have, unless the input is zero.
pub const SMALLEST_INPUT: f64 = 1e-70;

/// Two inputs of the same dimension `d`, with finite entries, and the quantities that the theory needs for any network.
///
/// Checked once here, so that the kernels can rely on it.
#[derive(Clone, Debug)]
pub struct Pair<'a> {
    x: Input<'a>,
    y: Input<'a>,
    gram: Gram,
    /// Computed when a method first needs it.
    grouping: OnceLock<Grouping>,
}

/// An input of a pair: the caller's entries, a copy of them, or a row of shared inputs.
#[derive(Clone, Debug)]
enum Input<'a> {
    Entries(Cow<'a, [f64]>),
    Row(PreparedInputs, usize),
}

impl Input<'_> {
    fn entries(&self) -> &[f64] {
        match self {
            Self::Entries(entries) => entries,
            Self::Row(inputs, row) => inputs.row(*row),
        }
    }
}

/// Checks the entries of one input as [`Pair::new`] does; `name` is what the error calls the input.
fn check_entries(name: &str, input: ArrayView1<f64>) -> Result<()> {
    let wrong = |value: &f64| value.is_nan() || value.abs() > LARGEST_ENTRY;
    if let Some((j, value)) = input.iter().enumerate().find(|(_, value)| wrong(value)) {
        return Err(Error::value(
            &format!("{name}[{j}]"),
            format!("{value:e}"),
            format!("entries must be finite, at most {LARGEST_ENTRY:e} in magnitude"),
            "remove or rescale it",
        ));
    }
    let largest = input.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    if largest > 0.0 && largest < SMALLEST_INPUT {
        return Err(Error::value(
            name,
            format!("a vector whose largest entry is {largest:e}"),
            format!("an input is zero or has an entry of at least {SMALLEST_INPUT:e}"),
            "rescale it",
        ));
    }
    Ok(())
}

/// The same check for each row of inputs of shape `(samples, d)`; `name` is what the error calls them.
pub(crate) fn check_inputs(name: &str, inputs: ArrayView2<f64>) -> Result<()> {
    let mut rows = inputs.outer_iter().enumerate();
    rows.try_for_each(|(row, input)| check_entries(&format!("{name}[{row}]"), input))
}

impl<'a> Pair<'a> {
    /// Pairs two inputs of shape `(d,)`. Views that are not contiguous are copied.
    ///
    /// # Errors
    /// Where the lengths differ, are zero, or an entry is not finite; or where the largest entry of an input that is
    /// not zero lies outside of [`SMALLEST_INPUT`] to [`LARGEST_ENTRY`], beyond which fourth powers leave the range of
    /// double precision.
    pub fn new(x: ArrayView1<'a, f64>, y: ArrayView1<'a, f64>) -> Result<Self> {
        if x.len() != y.len() {
            return Err(Error::value(
                "x, y",
                format!("vectors of length {} and {}", x.len(), y.len()),
                "both inputs must have the same dimension",
                "give vectors of equal length",
            ));
        }
        if x.is_empty() {
            return Err(Error::value("x, y", "empty vectors", "the dimension is 0", "give at least one entry"));
        }
        check_entries("x", x)?;
        check_entries("y", y)?;
        let contiguous = |v: ArrayView1<'a, f64>| v.to_slice().map_or_else(|| Cow::from(v.to_vec()), Cow::from);
        Ok(Self::of(Input::Entries(contiguous(x)), Input::Entries(contiguous(y))))
    }

    /// Pairs row `i` of some inputs with row `j` of others of the same dimension.
    pub(crate) fn of_rows(x: &PreparedInputs, i: usize, y: &PreparedInputs, j: usize) -> Pair<'static> {
        Pair::of(Input::Row(x.clone(), i), Input::Row(y.clone(), j))
    }

    fn of(x: Input<'a>, y: Input<'a>) -> Self {
        let mut pair = Self { x, y, gram: Gram::default(), grouping: OnceLock::new() };
        pair.gram = Gram { a: pair.sum(|x, _| x * x), b: pair.sum(|_, y| y * y), c: pair.sum(|x, y| x * y) };
        pair
    }

    /// The first input, of length `d`.
    #[must_use]
    pub fn x(&self) -> &[f64] {
        self.x.entries()
    }

    /// The second input, of length `d`.
    #[must_use]
    pub fn y(&self) -> &[f64] {
        self.y.entries()
    }

    /// The input dimension `d`.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.x().len()
    }

    /// The Gram triple of the pair.
    #[must_use]
    pub fn gram(&self) -> Gram {
        self.gram
    }

    /// The angle between the inputs, to a few units in the last place of its sine and its cosine however small it is,
    /// from the part of one input that is orthogonal to the other. Of a zero input, a right angle.
    pub(crate) fn angle(&self) -> Angle {
        let (over_x, over_y) = (1.0 / self.gram.a.sqrt(), 1.0 / self.gram.b.sqrt());
        if self.gram.a == 0.0 || self.gram.b == 0.0 {
            return Angle::of(Gram::default());
        }
        let along = self.sum(|x, y| (x * over_x) * (y * over_y));
        let across = self.sum(|x, y| (y * over_y - along * (x * over_x)).powi(2)).sqrt();
        let length = along.hypot(across);
        Angle { cosine: along / length, sine: across / length, phi: across.atan2(-along) }
    }

    /// Its entries in groups of equal ones, for the sum over masks; computed once.
    pub(crate) fn grouping(&self) -> &Grouping {
        self.grouping.get_or_init(|| Grouping::of_pair(self))
    }

    /// `sum_j term(x_j, y_j)` in 16 lanes over blocks of 512, so the rounding error stays below about 50 units in the
    /// last place of `sum |term|` at any length, where a running sum would lose up to `d` of them.
    pub(crate) fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        fn halves(x: &[f64], y: &[f64], term: &impl Fn(f64, f64) -> f64) -> f64 {
            const BLOCK: usize = 512;
            if x.len() <= BLOCK {
                return block(x, y, term);
            }
            let middle = (x.len() / 2).next_multiple_of(BLOCK);
            halves(&x[..middle], &y[..middle], term) + halves(&x[middle..], &y[middle..], term)
        }
        halves(self.x(), self.y(), &term)
    }

    /// Whether the inputs are exact multiples of each other: parallel, antiparallel, or one of them zero.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        let (x, y) = (self.x(), self.y());
        let largest = (0..x.len()).max_by(|&i, &j| x[i].abs().total_cmp(&x[j].abs()));
        let largest = largest.expect("a pair has an entry: checked where it is made");
        let ratio = y[largest] / x[largest];
        x[largest] == 0.0 || x.iter().zip(y).all(|(x, y)| ratio * x == *y)
    }
}

/// The Gram triple of two inputs: `A = |x|^2`, `B = |y|^2`, `C = x.y`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gram {
    /// `A = |x|^2`.
    pub a: f64,
    /// `B = |y|^2`.
    pub b: f64,
    /// `C = x.y`.
    pub c: f64,
}

impl Gram {
    /// `|x| |y| = sqrt(A) sqrt(B)`: the scale of the kernels (the product of roots does not overflow where `A B`
    /// would).
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.a.sqrt() * self.b.sqrt()
    }

    /// `cos t = C / sqrt(A B)`, clamped to `[-1, 1]`; 0 where an input is zero.
    #[must_use]
    pub fn cosine(&self) -> f64 {
        let scale = self.scale();
        if scale > 0.0 { (self.c / scale).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

fn block(x: &[f64], y: &[f64], term: &impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let (mut x, mut y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (x, y) in (&mut x).zip(&mut y) {
        for lane in 0..LANES {
            lanes[lane] += term(x[lane], y[lane]);
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(x.remainder().iter().zip(y.remainder())) {
        *lane += term(*x, *y);
    }
    lane_sum(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn sums_are_accurate_at_any_length() {
        for n in [1, 15, 16, 17, 511, 512, 513, 784, 1025, 10_000] {
            // 0.1 is not a binary fraction, so a running sum drifts; the exact value of n * 0.1 is known.
            let x = Array1::from_elem(n, 0.1);
            let relative = Pair::new(x.view(), x.view()).unwrap().sum(|x, _| x) / (n as f64 * 0.1) - 1.0;
            assert!(relative.abs() < 50.0 * f64::EPSILON, "n = {n}: {relative:e}");
        }
    }

    #[test]
    fn small_angles_keep_their_digits() {
        // y = x + e z with z orthogonal to x and |z| = |x|: tan t = e.
        let x = array![3.0, -1.0, 2.0, 0.5];
        let z = array![1.0, 3.0, 0.5, -2.0];
        for e in [1e-15, 1e-9, 1e-3, 1.0] {
            for sign in [1.0, -1.0] {
                let y = (&x + &z * e) * sign;
                let found = Pair::new(x.view(), y.view()).unwrap().angle();
                let expected = if sign > 0.0 { e.atan() } else { std::f64::consts::PI - e.atan() };
                let angle = found.sine.atan2(found.cosine);
                // x + e z is rounded to single entries of about 3.
                assert!((angle - expected).abs() < 4.0 * f64::EPSILON, "{e:e} {sign}: {angle:e} {expected:e}");
                assert!((found.phi + angle - std::f64::consts::PI).abs() < 4.0 * f64::EPSILON);
            }
        }
    }

    #[test]
    fn only_exact_multiples_are_parallel() {
        let x = array![1.0, -2.0, 0.0, 4.0];
        let parallel = |x: &Array1<f64>, y: &Array1<f64>| Pair::new(x.view(), y.view()).unwrap().is_parallel();
        assert!(parallel(&x, &(&x * -0.5)) && parallel(&x, &Array1::zeros(4)) && parallel(&Array1::zeros(4), &x));
        assert!(!parallel(&x, &array![1.0, -2.0, 1e-30, 4.0]));
    }

    #[test]
    fn bad_pairs_are_refused() {
        let x = array![1.0, 2.0];
        assert!(Pair::new(x.view(), array![1.0].view()).is_err());
        assert!(Pair::new(x.view(), array![1.0, f64::NAN].view()).unwrap_err().to_string().contains("y[1]"));
        assert!(Pair::new(x.view(), array![1.0, f64::INFINITY].view()).is_err());
        assert!(Pair::new(x.view(), array![1.0, 1e71].view()).is_err());
        assert!(Pair::new(x.view(), array![1e-71, 0.0].view()).is_err());
        let empty = Array1::<f64>::zeros(0);
        assert!(Pair::new(empty.view(), empty.view()).is_err());
    }
}
