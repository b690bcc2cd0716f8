//! Sums over the rows of a mask, for blocks of pairs side by side.

use std::f64::consts::PI;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use ndarray::Array2;
use rayon::prelude::*;

use crate::kernel::arc_cosine::arc_tangent;
use crate::kernel::gram::Pair;
use crate::kernel::masked::tangent_sum::{FineGram, TangentTerms};
use crate::kernel::ntk::Kernel;
use crate::numeric::simd::fused;

/// Pairs whose sums are taken together: their products of entries are 1.2 MB at 784 entries, which a core's cache
/// holds.
pub(super) const BLOCK: usize = 64;
/// Below this `sin^2 t` the angle of a row comes from a Gram triple of twice the digits: a triple in double precision
/// leaves `1e-16 / sin t` of it.
const NEARLY_PARALLEL: f64 = 1e-4;

/// Up to [`BLOCK`] pairs, with the products of their entries, which sums over many masks share. Inputs are divided by
/// powers of two near their largest entries, so that products of any inputs are within double precision.
pub(crate) struct PairBlock<'a> {
    pub(super) pairs: &'a [Pair<'a>],
    /// By what `x` and `y` of each pair were divided.
    pub(super) units: Vec<[f64; 2]>,
    /// `x_j^2` of each pair, then `y_j^2`, then `x_j y_j`, shape `(d, 3 pairs)`.
    pub(super) products: Array2<f64>,
}

impl<'a> PairBlock<'a> {
    /// All of some pairs, which have one dimension.
    pub fn all_of(pairs: &'a [Pair<'a>]) -> Vec<Self> {
        pairs.par_chunks(BLOCK).map(Self::of).collect()
    }

    /// The dimension `d`.
    pub fn dimension(&self) -> usize {
        self.products.nrows()
    }

    pub(super) fn of(pairs: &'a [Pair<'a>]) -> Self {
        let dimension = pairs.first().expect("a block has a pair: made so").dimension();
        let count = pairs.len();
        let mut products = Array2::zeros((dimension, 3 * count));
        let units: Vec<[f64; 2]> = pairs.iter().map(|pair| [pair.x(), pair.y()].map(unit)).collect();
        for (place, (pair, units)) in pairs.iter().zip(&units).enumerate() {
            for (j, (x, y)) in pair.x().iter().zip(pair.y()).enumerate() {
                let (x, y) = (x / units[0], y / units[1]);
                products[[j, place]] = x * x;
                products[[j, count + place]] = y * y;
                products[[j, 2 * count + place]] = x * y;
            }
        }
        Self { pairs, units, products }
    }

    /// The sums of the products over the columns that each row keeps.
    pub(super) fn sums<'b>(&self, rows: impl ExactSizeIterator<Item = &'b [u32]>) -> Array2<f64> {
        let products = self.products.as_slice().expect("standard layout: products are made so");
        let mut all = Array2::zeros((rows.len(), self.products.ncols()));
        for (mut sums, columns) in all.outer_iter_mut().zip(rows) {
            add_rows(products, columns, sums.as_slice_mut().expect("standard layout: made so above"));
        }
        all
    }

    /// The terms of the tangent kernel for one pair, by twice the digits.
    pub(super) fn fine_terms(&self, place: usize, columns: &[u32], tau: f64) -> TangentTerms {
        let (pair, units) = (&self.pairs[place], &self.units[place]);
        let entry = |column: &u32| {
            let column = *column as usize;
            FineGram::of_entry(pair.x()[column] / units[0], pair.y()[column] / units[1], tau)
        };
        columns.iter().map(entry).fold(FineGram::default(), FineGram::plus).terms()
    }
}

/// A power of two near the largest entry.
pub(super) fn unit(input: &[f64]) -> f64 {
    let largest = input.iter().fold(0.0f64, |largest, entry| largest.max(entry.abs()));
    if largest > 0.0 { largest.log2().round().exp2() } else { 1.0 }
}

/// Adds some rows of a matrix.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn add_rows(matrix: &[f64], rows: &[u32], sums: &mut [f64]) {
    let width = sums.len();
    let start = |row: u32| row as usize * width;
    let (fours, rest) = rows.as_chunks::<4>();
    // Four at a time: a sum is read and written once for each four rows.
    for [a, b, c, d] in fours {
        let a = &matrix[start(*a)..][..width];
        let b = &matrix[start(*b)..][..width];
        let c = &matrix[start(*c)..][..width];
        let d = &matrix[start(*d)..][..width];
        for lane in 0..width {
            sums[lane] += (a[lane] + b[lane]) + (c[lane] + d[lane]);
        }
    }
    for row in rest {
        let row = &matrix[start(*row)..][..width];
        for lane in 0..width {
            sums[lane] += row[lane];
        }
    }
}

/// The moments of one row under each of some pairs.
pub(super) struct Moments {
    k1: Vec<f64>,
    k2: Vec<f64>,
    /// `C K_0`.
    with_k0: Vec<f64>,
    c: Vec<f64>,
    /// `|x_s| |y_s|`.
    size: Vec<f64>,
    /// 1 where `x_s` and `y_s` are nearly parallel, else 0.
    near: Vec<f64>,
}

impl Moments {
    pub fn new(pairs: usize) -> Self {
        let zeros = || vec![0.0; pairs];
        Self { k1: zeros(), k2: zeros(), with_k0: zeros(), c: zeros(), size: zeros(), near: zeros() }
    }

    /// Those of Gram triples: the `A` of all pairs, then the `B`, then the `C`.
    pub fn set(&mut self, grams: &[f64]) {
        let (a, rest) = grams.split_at(self.c.len());
        let (b, c) = rest.split_at(self.c.len());
        self.set_parts(a, b, c);
    }

    /// The same of `A`, `B` and `C`.
    pub fn set_parts(&mut self, a: &[f64], b: &[f64], c: &[f64]) {
        row_moments(a, b, c, self);
    }

    /// `K_1 + tau C K_0` of one pair.
    pub fn mean(&self, place: usize, tau: f64) -> f64 {
        self.k1[place] + tau * self.with_k0[place]
    }

    /// Adds `own (K_1 + tau C K_0)` of each pair.
    pub fn add_means(&self, own: f64, tau: f64, sums: &mut [f64]) {
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum += own * self.mean(place, tau);
        }
    }

    /// The pairs whose inputs are nearly parallel in this row.
    pub fn nearly_parallel(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.near.len()).filter(|place| self.near[*place] > 0.0)
    }
}

/// As [`arc_cosine`](crate::kernel::arc_cosine::arc_cosine) gives, but without branches, so that the compiler can work
/// on whole lanes; absolute errors are a few units in the last place of `(|x| |y|)^l`.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn row_moments(a: &[f64], b: &[f64], c: &[f64], moments: &mut Moments) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    const SHARE: f64 = 1.0 / (2.0 * PI);
    let pairs = a.len();
    let (b, c) = (&b[..pairs], &c[..pairs]);
    let Moments { k1, k2, with_k0, c: own_c, size, near } = moments;
    let (k1, k2, with_k0) = (&mut k1[..pairs], &mut k2[..pairs], &mut with_k0[..pairs]);
    let (own_c, size, near) = (&mut own_c[..pairs], &mut size[..pairs], &mut near[..pairs]);
    for lane in 0..pairs {
        let (a, b, c) = (a[lane], b[lane], c[lane]);
        let product = a * b;
        // The square of |x| |y| sin t. Where it nearly cancels its error is large, but enters K_1 and K_2 to second
        // order only.
        let square = fused::<FUSED>(-c, c, product).max(0.0);
        let d = square.sqrt();
        let phi = arc_tangent::<FUSED>(d, c);
        k1[lane] = SHARE * fused::<FUSED>(c, phi, d).max(0.0);
        k2[lane] = SHARE * fused::<FUSED>(3.0 * d, c, phi * fused::<FUSED>(2.0 * c, c, product)).max(0.0);
        with_k0[lane] = SHARE * c * phi;
        own_c[lane] = c;
        size[lane] = product.sqrt();
        near[lane] = if square < NEARLY_PARALLEL * product { 1.0 } else { 0.0 };
    }
}

/// Sums over rows for one kernel, by pair.
pub(super) struct KernelSums {
    pub kernel: Kernel,
    /// `sum_i sigma_i^2` times the mean of a unit's share.
    first: Vec<f64>,
    /// `sum_i sigma_i^4` times its variance.
    variance: Vec<f64>,
    /// What the rounding of these is relative to.
    scale: Vec<f64>,
    scale_of_squares: Vec<f64>,
}

impl KernelSums {
    pub fn new(kernel: Kernel, pairs: usize) -> Self {
        let zeros = || vec![0.0; pairs];
        Self { kernel, first: zeros(), variance: zeros(), scale: zeros(), scale_of_squares: zeros() }
    }

    /// Adds a row of variance `own`. Where the inputs of a pair are nearly parallel there, the tangent kernel takes its
    /// terms from `fine`.
    pub fn add(&mut self, row: &Moments, own: f64, (tau, kurtosis): (f64, f64), fine: impl Fn(usize) -> TangentTerms) {
        if self.kernel == Kernel::Nngp {
            return add_nngp(self, row, own);
        }
        add_tangent(self, row, own, tau, kurtosis);
        for place in row.nearly_parallel() {
            let [k1, k2, with_k0, with_k1, twice] = fine(place);
            let (one, square) = (k1 + with_k0, k2 + 2.0 * with_k1 + kurtosis * twice);
            self.first[place] += own * one;
            self.variance[place] += own * own * (square - one * one);
        }
    }

    /// Those of one pair, whose inputs were divided by some units.
    pub fn of_pair(&self, place: usize, units: [f64; 2]) -> PairSums {
        let unit = units[0] * units[1];
        PairSums {
            kernel: self.kernel,
            first: unit * self.first[place],
            variance: unit * unit * self.variance[place],
            scale: unit * self.scale[place],
            scale_of_squares: unit * unit * self.scale_of_squares[place],
        }
    }
}

/// The sums of one pair, see [`KernelSums`].
pub(super) struct PairSums {
    pub kernel: Kernel,
    pub first: f64,
    pub variance: f64,
    pub scale: f64,
    pub scale_of_squares: f64,
}

/// `sum_i sigma_i^2 K_1` and `sum_i sigma_i^4 (K_2 - K_1^2)`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn add_nngp(sums: &mut KernelSums, row: &Moments, own: f64) {
    let pairs = row.k1.len();
    let (k1, k2, size) = (&row.k1[..pairs], &row.k2[..pairs], &row.size[..pairs]);
    let (first, variance) = (&mut sums.first[..pairs], &mut sums.variance[..pairs]);
    let (scale, squares) = (&mut sums.scale[..pairs], &mut sums.scale_of_squares[..pairs]);
    let own_2 = own * own;
    for lane in 0..pairs {
        first[lane] += own * k1[lane];
        variance[lane] += own_2 * (k2[lane] - k1[lane] * k1[lane]);
        scale[lane] += own * size[lane];
        squares[lane] += own_2 * (size[lane] * size[lane]);
    }
}

/// `sum_i sigma_i^2 (K_1 + tau C K_0)`, and with `sigma_i^4` the variances
/// `K_2 + 2 tau C K_1 + tau^2 k C^2 K_0 - (K_1 + tau C K_0)^2`, over rows that are not nearly parallel.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn add_tangent(sums: &mut KernelSums, row: &Moments, own: f64, tau: f64, kurtosis: f64) {
    let pairs = row.k1.len();
    let (k1, k2, size) = (&row.k1[..pairs], &row.k2[..pairs], &row.size[..pairs]);
    let (with_k0, c, near) = (&row.with_k0[..pairs], &row.c[..pairs], &row.near[..pairs]);
    let (first, variance) = (&mut sums.first[..pairs], &mut sums.variance[..pairs]);
    let (scale, squares) = (&mut sums.scale[..pairs], &mut sums.scale_of_squares[..pairs]);
    for lane in 0..pairs {
        let far = own * (1.0 - near[lane]);
        let (of_c, of_k0) = (tau * c[lane], tau * with_k0[lane]);
        let one = k1[lane] + of_k0;
        let square = k2[lane] + 2.0 * of_c * k1[lane] + kurtosis * of_c * of_k0;
        first[lane] += far * one;
        variance[lane] += far * far * (square - one * one);
        scale[lane] += own * size[lane];
        squares[lane] += own * own * (size[lane] * size[lane]);
    }
}
