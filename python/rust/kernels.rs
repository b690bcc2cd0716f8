//! Kernel matrices: the expected kernel, that of given masks, and those of drawn networks.

use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use sparsewidth::data::PreparedInputs;
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::masked::{Auto, Method, Quadrature, Row, RowMoments, Sampling};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::network::{Architecture, MaskFamily, WeightDistribution};
use sparsewidth::sampled::{DrawnNetwork, TiledInputs};
use sparsewidth::{Connectivity, Error, Kernel, Result};

use crate::errors::{raised, wrong_value};
use crate::options::{Options, by_name};
use crate::run::Runner;

/// The most places for weights in a layer of a network that is drawn.
const MOST_WEIGHTS: u64 = 1_000_000_000;

/// A matrix with its largest error, where the method says it.
type WithError<'py> = (Bound<'py, PyArray2<f64>>, Option<f64>);

/// A mean with its standard error.
type MeanWithError<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>);

/// Rows of an array of Python's, and what keeps them alive.
pub struct Rows {
    values: CowArray<'static, f64, Ix2>,
    owner: Option<Py<PyArray2<f64>>>,
}

impl Rows {
    /// The rows of an array: as they are where they follow one another in memory, otherwise a copy.
    fn new(array: &PyReadonlyArray2<f64>) -> Self {
        let view: ArrayView2<f64> = array.as_array();
        if !array.is_c_contiguous() {
            return Self { values: view.into_owned().into(), owner: None };
        }
        // SAFETY: the array is aligned and initialised, as NumPy's are. `owner` keeps it alive as long as `values`,
        // which is dropped first. Python code that writes to it meanwhile changes what is computed, as with NumPy's own
        // functions, which the documentation says.
        let values = unsafe { ArrayView2::from_shape_ptr(view.dim(), view.as_ptr()) };
        Self { values: values.into(), owner: Some(array.as_unbound().clone_ref(array.py())) }
    }

    /// The owner, which must outlive the inputs and every clone of them, and the checked inputs.
    fn prepared(self) -> Result<(Option<Py<PyArray2<f64>>>, PreparedInputs)> {
        Ok((self.owner, PreparedInputs::from_cow(self.values)?))
    }
}

/// What a matrix is made of.
enum How {
    Expected(Connectivity, Method, Quadrature, Sampling),
    Auto(Connectivity, Quadrature, Sampling),
    Dense,
    Given(GivenMask),
}

impl How {
    /// The matrix, with its largest error where the method says it.
    fn matrix(
        &self,
        x: &PreparedInputs,
        y: Option<&PreparedInputs>,
        kernel: Kernel,
        progress: &dyn Fn(f64),
    ) -> Result<(Array2<f64>, Option<f64>)> {
        let pairs = |connectivity: Connectivity, method: Box<dyn RowMoments>| {
            KernelMatrix::pairs(x, y, method, Row::new(connectivity).kernel(kernel))
        };
        let matrix = match self {
            Self::Dense => KernelMatrix::infinite_width(x, y, kernel)?,
            Self::Given(mask) => KernelMatrix::given(x, y, kernel, mask)?,
            Self::Expected(connectivity, Method::Expansion, ..) => {
                KernelMatrix::expansion(x, y, kernel, *connectivity)?
            }
            Self::Expected(connectivity, method, quadrature, sampling) => {
                let of_any = method
                    .for_any_pair(*quadrature, *sampling)
                    .ok_or_else(|| Error::value("method", method, "serves few pairs only", "use \"auto\""))?;
                pairs(*connectivity, of_any)?
            }
            Self::Auto(connectivity, quadrature, sampling) => {
                pairs(*connectivity, Box::new(Auto { quadrature: *quadrature, sampling: *sampling }))?
            }
        };
        matrix.to_array_with_error(progress)
    }
}

/// The scale of the weights that a given mask keeps: a name, or the connectivity that it was drawn at.
pub fn scale(options: &mut Options) -> PyResult<MaskScale> {
    let Some(given) = options.maybe::<serde_json::Value>("scale")? else { return Ok(MaskScale::Density) };
    match given.as_f64() {
        Some(share) => Connectivity::new(share).map(MaskScale::Connectivity).map_err(raised),
        None => by_name("scale", given.as_str().unwrap_or(&given.to_string())),
    }
}

/// The expected kernel of all rows of `x` with all of `y`, or with each other.
#[pyfunction]
#[pyo3(signature = (x, y, mask, options, progress))]
pub fn kernel<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f64>,
    y: Option<PyReadonlyArray2<'py, f64>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<WithError<'py>> {
    let mut options = Options::new(options)?;
    let runner = Runner::new(&mut options, progress)?;
    let kernel = options.kernel()?;
    let connectivity = options.connectivity("connectivity")?.unwrap_or(Connectivity::DENSE);
    let how = match mask {
        Some(mask) => How::Given(GivenMask::new(mask.as_array(), scale(&mut options)?).map_err(raised)?),
        None if connectivity.is_dense() => How::Dense,
        None => {
            let method: Option<String> = options.maybe("method")?.filter(|name| name != "auto");
            let quadrature = Quadrature::new(options.or("tolerance", 1e-6)?).map_err(raised)?;
            let sampling = Sampling::new(options.or("n_masks", 1_000)?, options.or("seed", 0)?).map_err(raised)?;
            match method {
                None => How::Auto(connectivity, quadrature, sampling),
                Some(name) => How::Expected(connectivity, by_name("method", &name)?, quadrature, sampling),
            }
        }
    };
    options.finish()?;
    let (x, y) = (Rows::new(&x), y.as_ref().map(Rows::new));
    let (matrix, error) = runner.run(py, move |monitor| {
        // Owners come first: what is declared later is dropped earlier.
        let (_first, x) = x.prepared()?;
        let (_second, y) = y.map(Rows::prepared).transpose()?.unzip();
        how.matrix(&x, y.as_ref(), kernel, &|share| monitor.share(share))
    })?;
    Ok((matrix.into_pyarray(py), error))
}

/// Means and standard errors of the kernels of drawn networks, after each of the numbers of networks in `n_samples`.
#[pyfunction]
#[pyo3(signature = (x, options, progress))]
pub fn monte_carlo_kernel<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f64>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<MeanWithError<'py>>> {
    let mut options = Options::new(options)?;
    let runner = Runner::new(&mut options, progress)?;
    let kernel = options.kernel()?;
    let connectivity = options.connectivity("connectivity")?.unwrap_or(Connectivity::DENSE);
    let counts: Vec<u32> = options.required("n_samples")?;
    let (width, outputs): (u64, u64) = (options.required("width")?, options.or("outputs", 10)?);
    let mask = options.named("mask", MaskFamily::Bernoulli)?;
    let law = options.named("law", WeightDistribution::Gaussian)?;
    let seed = options.or("seed", 0)?;
    options.finish()?;
    let largest = width.saturating_mul(x.shape()[1] as u64).max(width.saturating_mul(outputs));
    if largest > MOST_WEIGHTS {
        let problem = format!("a layer then has {largest} places for weights, more than {MOST_WEIGHTS}");
        return Err(wrong_value("width", width, problem, "give a smaller width, or fewer outputs"));
    }
    let network: Architecture =
        format!("relu:{width}@{} linear:{outputs}", connectivity.get()).parse().map_err(raised)?;
    let network = network.with_mask(mask);
    let rows = Rows::new(&x);
    let found = runner.run(py, move |monitor| {
        let inputs = TiledInputs::new(rows.values.view())?;
        let most = counts.iter().copied().max().unwrap_or(0);
        let side = inputs.samples();
        let (mut mean, mut squares) = (Array2::<f64>::zeros((side, side)), Array2::<f64>::zeros((side, side)));
        let mut found = Vec::new();
        for draw in 0..most {
            let drawn = DrawnNetwork::new(&network, inputs.dimension(), law, seed, draw)?.kernel(&inputs, kernel)?;
            let count = f64::from(draw + 1);
            // Welford's recurrence: stable whatever the mean is.
            ndarray::Zip::from(&mut mean).and(&mut squares).and(&drawn).for_each(|mean, squares, value| {
                let difference = value - *mean;
                *mean += difference / count;
                *squares += difference * (value - *mean);
            });
            monitor.step(u64::from(most));
            if counts.contains(&(draw + 1)) {
                let error = squares.mapv(|sum| (sum / (count - 1.0) / count).sqrt());
                found.push((mean.clone(), error));
            }
        }
        Ok(found)
    })?;
    Ok(found.into_iter().map(|(mean, error)| (mean.into_pyarray(py), error.into_pyarray(py))).collect())
}
