//! Kernel ridge regression of classes, from kernel matrices of any origin as NumPy saves them:
//!
//! `cargo run --release --example regression -- FOLDER 0.01`
//!
//! reads `kernel.npy`, shape `(m, m)`, the kernel of the training inputs; `cross.npy`, shape `(t, m)`, that of new
//! inputs with them; and `labels.npy`, shape `(m,)`, the classes of the training inputs, from 0. The ridge is in units
//! of the mean of the kernel's diagonal; `choose` takes that of the least leave-one-out error. Written are
//! `predictions.npy`, shape `(t, classes)`, of targets `1 - 1/c` for the class of an input and `-1/c` for the others;
//! printed are the leave-one-out error rate and the log marginal likelihood, and where there is `test_labels.npy`,
//! shape `(t,)`, the error rate. Where there is `test_kernel.npy`, shape `(t, t)`, the kernel of the new inputs,
//! `covariance.npy` is the posterior covariance of the Gaussian process, of the same shape.
//!
//! The program writes such matrices: `sparsewidth kernel --x INPUTS.npy --matrix FOLDER/kernel.npy`, and with `--y` the
//! kernel of other inputs with those. `scripts/check_predictive.py` compares the results with neural-tangents.

use std::path::Path;

use anyhow::{Context, ensure};
use ndarray::Array2;
use ndarray_npy::write_npy;
use sparsewidth::data::read_npy;
use sparsewidth::regression::{Criterion, KernelRidge, RidgeGrid, Targets, error_rate};

fn main() -> anyhow::Result<()> {
    let [folder, ridge]: [String; 2] = (std::env::args().skip(1).collect::<Vec<_>>())
        .try_into()
        .map_err(|_| anyhow::anyhow!("give a folder, and a ridge or `choose`"))?;
    let folder = Path::new(&folder);
    let (kernel, cross) = (read_npy(&folder.join("kernel.npy"))?, read_npy(&folder.join("cross.npy"))?);
    let labels = read_labels(&folder.join("labels.npy"))?;
    let classes = 1 + usize::from(labels.iter().copied().max().context("there are no labels")?);

    let targets = Targets::one_hot(&labels, classes)?;
    let regression = KernelRidge::new(kernel.view(), &targets)?;
    let lambda = match ridge.as_str() {
        "choose" => regression.select(&RidgeGrid::default(), Criterion::SquaredError)?,
        _ => ridge.parse().with_context(|| format!("{ridge} is no ridge"))?,
    };
    let fit = regression.fit(lambda)?;
    if let Some(warning) = fit.warning() {
        eprintln!("{warning}");
    }
    let predictions = fit.predict(cross.view())?;
    write_npy(folder.join("predictions.npy"), &predictions)?;

    println!("ridge {lambda}, {:e} on the diagonal", fit.alpha());
    let left_out = regression.leave_one_out(lambda)?.error_rate.context("targets are classes")?;
    println!("leave-one-out error rate {left_out}");
    println!("log marginal likelihood {}", fit.log_marginal_likelihood());
    let path = folder.join("test_labels.npy");
    if path.exists() {
        println!("error rate {}", error_rate(predictions.view(), &read_labels(&path)?)?);
    }
    let path = folder.join("test_kernel.npy");
    if path.exists() {
        let covariance = covariance(&kernel, &cross, read_npy(&path)?, lambda)?;
        write_npy(folder.join("covariance.npy"), &covariance)?;
    }
    Ok(())
}

/// Classes as NumPy saves them, integers of any type.
fn read_labels(path: &Path) -> anyhow::Result<Vec<u8>> {
    let labels = read_npy(path)?;
    ensure!(
        labels.iter().all(|label| *label == f64::from(*label as u8)),
        "{}: not classes from 0 to 255",
        path.display()
    );
    Ok(labels.iter().map(|label| *label as u8).collect())
}

/// `k(x, y) - k(x, X) (K + alpha I)^-1 k(X, y)`: what is subtracted is the regression whose targets are the kernels of
/// the training inputs with `y`.
fn covariance(
    kernel: &Array2<f64>,
    cross: &Array2<f64>,
    of_new: Array2<f64>,
    lambda: f64,
) -> anyhow::Result<Array2<f64>> {
    ensure!(of_new.dim() == (cross.nrows(), cross.nrows()), "test_kernel.npy: shape {:?}", of_new.dim());
    let targets = Targets::new(cross.t())?;
    let known = KernelRidge::new(kernel.view(), &targets)?.fit(lambda)?.predict(cross.view())?;
    Ok(of_new - known)
}
