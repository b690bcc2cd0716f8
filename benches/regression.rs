//! Kernel ridge regression on MNIST: seconds. `cargo bench --bench regression`.
//!
//! One drawn network of 6,352 weights at width 216, 2,048 training and 10,000 test images: its kernel matrix, the
//! eigendecomposition, leave-one-out errors and coefficients at 19 ridges, and the test errors at all of them. The
//! baselines, in the same run: faer's product of as many features alone (`2,048^2 / 2` inner products), its
//! eigenvalues without vectors, and Cholesky's factors and solution at one ridge.
use std::time::Instant;

use ndarray::{Array2, Axis};
use sparsewidth::Result;
use sparsewidth::data::{DataSource, Normalisation, Normaliser};
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::WeightDistribution;
use sparsewidth::numeric::linalg::{cholesky_solve, symmetric_eigenvalues, triangular_product};
use sparsewidth::regression::{KernelRidge, RidgeGrid, Targets, error_rate};
use sparsewidth::sampled::{DrawnNetwork, TiledInputs};

/// The time of one run, in seconds, and what it gives.
fn timed<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let found = run()?;
    println!("{what:<60} {:8.3}", start.elapsed().as_secs_f64());
    Ok(found)
}

fn main() -> Result<()> {
    let mnist = DataSource::Embedded.labelled()?;
    let values = mnist.train.images.to_real();
    let normaliser = Normaliser::fit(Normalisation::Pixel, &values, mnist.train.kind())?;
    let x = TiledInputs::new(normaliser.apply(values)?.view())?;
    let test = TiledInputs::new(normaliser.apply(mnist.test.images.to_real())?.view())?;
    let targets = Targets::one_hot(&mnist.train.labels, 10)?;
    let network = "relu:216@0.024754/exact_count linear:10".parse()?;
    let drawn = DrawnNetwork::new(&network, 784, WeightDistribution::Uniform, 0, 0)?;
    let grid = RidgeGrid::default();
    for kernel in [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised)] {
        let start = Instant::now();
        let gram = timed(&format!("{kernel}: kernel matrix"), || drawn.kernel(&x, kernel))?;
        let regression = timed(&format!("{kernel}: eigendecomposition"), || KernelRidge::new(gram.view(), &targets))?;
        let all = timed(&format!("{kernel}: leave-one-out and coefficients, 19 ridges"), || {
            let steps = regression.path(&grid)?;
            let columns: Vec<_> = steps.iter().map(|step| step.fit.coefficients()).collect();
            Ok(ndarray::concatenate(Axis(1), &columns).expect("all have the same samples"))
        })?;
        timed(&format!("{kernel}: 10,000 test images, 19 ridges"), || {
            let outputs = drawn.predict(&x, all.view(), &test, kernel)?;
            error_rate(outputs.slice(ndarray::s![.., ..10]), &mnist.test.labels)
        })?;
        println!("{:<60} {:8.3}", format!("{kernel}: in all"), start.elapsed().as_secs_f64());
        if kernel != Kernel::Nngp {
            let ridge = gram.diag().mean().unwrap_or(1.0);
            let matrix = &gram + &(Array2::<f64>::eye(gram.nrows()) * ridge);
            timed("baseline: Cholesky's solution at one ridge", || {
                cholesky_solve(matrix.view(), targets.values().column(0))
            })?;
            timed("baseline: eigenvalues alone", || symmetric_eigenvalues(gram.view()))?;
        }
    }
    let features = Array2::from_shape_fn((6352, 2048), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 23.0);
    let mut output = Array2::zeros((2048, 2048));
    timed("baseline: product of 6,352 features alone, one core", || {
        triangular_product(features.t(), features.view(), 1.0, false, output.view_mut())
    })
}
