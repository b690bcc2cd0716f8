//! faer against LAPACK on a kernel matrix; only with the feature `lapack`.
#![cfg(feature = "lapack")]

use ndarray::{Array, Array2};
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::numeric::linalg::{cholesky_solve, lapack, symmetric_eigenvalues};

/// The Gram matrix of `K_1 / d` over MNIST test images, with a little noise variance so that it is well conditioned.
fn kernel_matrix(size: usize, noise: f64) -> Array2<f64> {
    let images = DataSource::Embedded.inputs(0).unwrap().normalised(Normalisation::Global).unwrap();
    let kernel = |i: usize, j: usize| {
        let pair = Pair::new(images.row(i), images.row(j)).unwrap();
        arc_cosine(pair.gram()).k1 / 784.0 + if i == j { noise } else { 0.0 }
    };
    Array::from_shape_fn((size, size), |(i, j)| kernel(i.max(j), i.min(j)))
}

#[test]
fn eigenvalues_agree() {
    let matrix = kernel_matrix(300, 0.0);
    let (faer, other) =
        (symmetric_eigenvalues(matrix.view()).unwrap(), lapack::symmetric_eigenvalues(matrix.view()).unwrap());
    // Both are backward stable: errors of a few N epsilon times the largest eigenvalue.
    let tolerance = 300.0 * f64::EPSILON * other[299];
    for (faer, other) in faer.iter().zip(&other) {
        assert!((faer - other).abs() < tolerance, "{faer} {other}");
    }
    assert!(faer[0] > -tolerance, "a kernel matrix is positive semi-definite: {}", faer[0]);
}

#[test]
fn cholesky_solutions_agree() {
    let matrix = kernel_matrix(300, 0.1);
    let right_side = Array::from_shape_fn(300, |i| (i as f64).sin());
    let (faer, other) = (
        cholesky_solve(matrix.view(), right_side.view()).unwrap(),
        lapack::cholesky_solve(matrix.view(), right_side.view()).unwrap(),
    );
    // The condition number is below 10^4 here: largest eigenvalue of order 100, smallest 0.1.
    for (faer, other) in faer.iter().zip(&other) {
        assert!((faer - other).abs() < 1e-9 * other.abs().max(1.0), "{faer} {other}");
    }
    let residual = matrix.dot(&faer) - &right_side;
    assert!(residual.iter().all(|error| error.abs() < 1e-11));
}
