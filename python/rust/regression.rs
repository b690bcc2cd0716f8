//! Kernel ridge regression.

use ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use sparsewidth::regression::{self, Criterion, RidgeGrid, Targets};

use crate::errors::{raised, wrong_value};
use crate::run::Runner;

/// A ridge with its leave-one-out errors: the squared one, and the share of wrong classes where there are classes.
type Step = (f64, f64, Option<f64>);

/// Coefficients at a ridge, what it adds to the diagonal, the log marginal likelihood, and a warning.
type Fitted<'py> = (Bound<'py, PyArray2<f64>>, f64, f64, Option<String>);

/// A regression for every ridge.
#[pyclass(frozen, module = "sparsewidth._core")]
#[derive(Debug)]
pub struct KernelRidge(regression::KernelRidge<'static>);

fn grid(ridges: Option<Vec<f64>>) -> PyResult<RidgeGrid> {
    ridges.map_or_else(|| Ok(RidgeGrid::default()), |ridges| RidgeGrid::new(&ridges).map_err(raised))
}

#[pymethods]
impl KernelRidge {
    /// By numbers.
    #[staticmethod]
    fn of_numbers(py: Python<'_>, kernel: PyReadonlyArray2<f64>, targets: PyReadonlyArray2<f64>) -> PyResult<Self> {
        Self::new(py, &kernel, Targets::new(targets.as_array()).map_err(raised)?)
    }

    /// By the classes of samples.
    #[staticmethod]
    fn of_classes(py: Python<'_>, kernel: PyReadonlyArray2<f64>, labels: Vec<u8>, classes: usize) -> PyResult<Self> {
        Self::new(py, &kernel, Targets::one_hot(&labels, classes).map_err(raised)?)
    }

    /// The eigenvalues of the kernel matrix, in increasing order.
    fn eigenvalues<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.spectrum().values().to_vec().into_pyarray(py)
    }

    /// The ridges of a grid that the precision allows, with their leave-one-out errors.
    #[pyo3(signature = (ridges))]
    fn path(&self, py: Python<'_>, ridges: Option<Vec<f64>>) -> PyResult<Vec<Step>> {
        let grid = grid(ridges)?;
        let steps = py.detach(|| self.0.path(&grid)).map_err(raised)?;
        let step = |step: &regression::RidgeStep| (step.lambda, step.left_out.squared_error, step.left_out.error_rate);
        Ok(steps.iter().map(step).collect())
    }

    /// The ridge with the least leave-one-out error.
    #[pyo3(signature = (ridges, criterion))]
    fn select(&self, py: Python<'_>, ridges: Option<Vec<f64>>, criterion: &str) -> PyResult<f64> {
        let criterion = match criterion {
            "squared_error" => Criterion::SquaredError,
            "classification" => Criterion::Classification,
            other => {
                let remedy = "use \"squared_error\" or \"classification\"";
                return Err(wrong_value("criterion", other, "is no way to choose a ridge", remedy));
            }
        };
        let grid = grid(ridges)?;
        py.detach(|| self.0.select(&grid, criterion)).map_err(raised)
    }

    /// The coefficients at a ridge, what it adds to the diagonal, the log marginal likelihood, and a warning.
    fn fit<'py>(&self, py: Python<'py>, ridge: f64) -> PyResult<Fitted<'py>> {
        let found = py.detach(|| {
            let fit = self.0.fit(ridge)?;
            Ok((fit.coefficients().to_owned(), fit.alpha(), fit.log_marginal_likelihood(), fit.warning()))
        });
        let (coefficients, alpha, likelihood, warning) = found.map_err(raised)?;
        Ok((coefficients.into_pyarray(py), alpha, likelihood, warning))
    }

    /// Predictions for new inputs.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        ridge: f64,
        cross: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let cross = cross.as_array();
        let found = py.detach(|| self.0.fit(ridge)?.predict(cross)).map_err(raised)?;
        Ok(found.into_pyarray(py))
    }

    /// The variance of the Gaussian process for new inputs.
    fn variance<'py>(
        &self,
        py: Python<'py>,
        ridge: f64,
        cross: PyReadonlyArray2<'py, f64>,
        with_itself: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let (cross, with_itself) = (cross.as_array(), with_itself.as_array());
        let found = py.detach(|| self.0.fit(ridge)?.predictive_variance(cross, with_itself)).map_err(raised)?;
        Ok(found.into_pyarray(py))
    }
}

impl KernelRidge {
    fn new(py: Python<'_>, kernel: &PyReadonlyArray2<f64>, targets: Targets) -> PyResult<Self> {
        let kernel: Array2<f64> = kernel.as_array().to_owned();
        // A decomposition cannot be stopped. It runs on a separate thread, so that Ctrl-C returns to Python at once.
        Runner::default().run(py, move |_| regression::KernelRidge::owning(kernel.view(), targets)).map(Self)
    }
}
