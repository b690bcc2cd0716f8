//! Kernel ridge regression by one eigendecomposition.

use std::borrow::Cow;
use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::spectrum::{LARGEST_KERNEL, Spectrum, check_scale};
use super::targets::{Targets, error_rate};
use crate::error::{Error, Result};
use crate::numeric::linalg::{product, symmetric_eigen, thin_svd};

/// Eigenvalues are known to about this many units in the last place, times the kernel's Frobenius norm.
const UNITS: f64 = 4.0;
/// An eigenvalue this many times further below 0 is not rounding: the matrix is not a kernel.
const BEYOND: f64 = 16.0;
/// Fewer digits than this that are left by the condition number deserve a warning.
const FEW_DIGITS: f64 = 1e-4;
/// Predictions of less than this share of the largest target are rounding.
const TIE: f64 = 1e-12;
/// The largest ridge on the diagonal, and the inverse of the least that counts as positive. With kernels and targets of
/// at most [`LARGEST_KERNEL`] and [`LARGEST_TARGET`](super::targets::LARGEST_TARGET), squares of targets times inverses
/// of eigenvalues are then numbers of double precision.
const LARGEST_RIDGE: f64 = 1e200;

/// Ridges to choose from, `lambda` in units of `tr K / m`, in increasing order.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeGrid(Vec<f64>);

impl Default for RidgeGrid {
    /// Three per factor of ten, from 1e-4 to 100.
    fn default() -> Self {
        Self((-12..=6).map(|step| 10f64.powf(f64::from(step) / 3.0)).collect())
    }
}

impl RidgeGrid {
    /// Takes ridges in any order.
    ///
    /// # Errors
    /// Where there is none, or one is not positive and finite.
    ///
    /// ```
    /// use sparsewidth::regression::RidgeGrid;
    /// assert_eq!(RidgeGrid::new(&[1.0, 0.1])?.ridges(), [0.1, 1.0]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn new(ridges: &[f64]) -> Result<Self> {
        if ridges.is_empty() {
            return Err(Error::value("ridges", "none", "there is nothing to choose from", "give at least one ridge"));
        }
        ridges.iter().try_for_each(|lambda| check_ridge(*lambda))?;
        let mut ridges = ridges.to_vec();
        ridges.sort_by(f64::total_cmp);
        ridges.dedup();
        Ok(Self(ridges))
    }

    /// The ridges, in increasing order.
    #[must_use]
    pub fn ridges(&self) -> &[f64] {
        &self.0
    }
}

fn check_ridge(lambda: f64) -> Result<()> {
    if lambda > 0.0 && lambda.is_finite() {
        return Ok(());
    }
    Err(Error::value("ridge", format!("{lambda:e}"), "must be positive and finite", "give for instance 0.1"))
}

/// By which leave-one-out error a ridge is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Criterion {
    /// The mean squared error over samples and outputs.
    SquaredError,
    /// The share of samples in a wrong class; among equal ones, the squared error.
    Classification,
}

/// Kernel ridge regression of some targets, for every ridge.
#[derive(Clone, Debug)]
pub struct KernelRidge<'a> {
    targets: Cow<'a, Targets>,
    /// Eigenvectors as columns, shape `(m, r)`: all, or those of a kernel of `r` features.
    vectors: Array2<f64>,
    spectrum: Spectrum,
    /// `U^T Y`, shape `(r, c)`.
    projections: Array2<f64>,
    /// What the vectors leave, where there are fewer than samples.
    rest: Option<Rest>,
}

/// The part of the samples' space on which a kernel of few features vanishes.
#[derive(Clone, Debug)]
struct Rest {
    /// `Y - U U^T Y`, shape `(m, c)`.
    targets: Array2<f64>,
    /// `1 - sum_k U_ik^2` for each sample, the diagonal of the projection onto it.
    shares: Array1<f64>,
}

/// Refuses a kernel or features whose shape does not fit the targets.
fn check_samples(found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let problem = format!("there are targets of {} samples", expected.0);
    let remedy = "give a row and a column per sample";
    Err(Error::value("kernel", format!("shape {found:?}"), problem, remedy))
}

/// What entries of this precision lost, and what the decomposition loses, which grows with the number of samples.
fn lost(values: &Array1<f64>, epsilon: f64) -> f64 {
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    UNITS * (epsilon + (values.len() as f64).sqrt() * f64::EPSILON) * norm
}

impl KernelRidge<'static> {
    /// The same as [`KernelRidge::new`], with targets of its own.
    ///
    /// # Errors
    /// As [`KernelRidge::new`].
    pub fn owning(kernel: ArrayView2<f64>, targets: Targets) -> Result<Self> {
        Self::with_rounding(kernel, Cow::Owned(targets), f64::EPSILON)
    }
}

/// What each sample would be given by a regression on all the others.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveOneOut {
    /// The target less the prediction for it, shape `(m, c)`.
    pub residuals: Array2<f64>,
    /// Mean of their squares, over samples and outputs.
    pub squared_error: f64,
    /// The share of samples in a wrong class; none where targets are not classes.
    pub error_rate: Option<f64>,
}

impl LeaveOneOut {
    /// What each sample is given by a regression on all the others, shape `(m, c)`; 0 where that is nothing but
    /// rounding, as for an input whose features vanish, so that rounding prefers no class.
    #[must_use]
    pub fn predictions(&self, targets: &Targets) -> Array2<f64> {
        left_out_predictions(targets, &self.residuals)
    }
}

fn left_out_predictions(targets: &Targets, residuals: &Array2<f64>) -> Array2<f64> {
    let nothing = TIE * targets.values().iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    (&targets.values() - residuals).mapv(|value| if value.abs() < nothing { 0.0 } else { value })
}

/// A regression at one ridge of a grid, with its leave-one-out errors.
#[derive(Clone, Debug)]
pub struct RidgeStep<'a> {
    /// The ridge, in units of `tr K / m`.
    pub lambda: f64,
    /// The regression.
    pub fit: Fit<'a>,
    /// Its leave-one-out errors.
    pub left_out: LeaveOneOut,
}

impl RidgeStep<'_> {
    /// What a criterion compares.
    fn key(&self, criterion: Criterion) -> Result<(f64, f64)> {
        match (criterion, self.left_out.error_rate) {
            (Criterion::SquaredError, _) => Ok((self.left_out.squared_error, 0.0)),
            (Criterion::Classification, Some(rate)) => Ok((rate, self.left_out.squared_error)),
            (Criterion::Classification, None) => {
                let remedy = "choose by squared error, or give classes";
                Err(Error::value("criterion", "classification", "the targets are not classes", remedy))
            }
        }
    }
}

/// The place of the step with the least leave-one-out error; the largest ridge of equal ones.
///
/// # Errors
/// Where there are no steps, or the criterion is classification and the targets are not classes.
pub fn best_step(steps: &[RidgeStep], criterion: Criterion) -> Result<usize> {
    let keys = steps.iter().map(|step| step.key(criterion)).collect::<Result<Vec<_>>>()?;
    let mut best: Option<usize> = None;
    for place in (0..keys.len()).rev() {
        if best.is_none_or(|least| keys[place] < keys[least]) {
            best = Some(place);
        }
    }
    best.ok_or_else(|| Error::value("steps", 0, "there is nothing to choose from", "give at least one ridge"))
}

impl<'a> KernelRidge<'a> {
    /// Decomposes the kernel matrix of the training samples, shape `(m, m)`, in double precision; only its lower
    /// triangle is read. A kernel that vanishes predicts 0.
    ///
    /// # Errors
    /// Where the shapes do not fit, or the matrix is not finite or not positive semi-definite beyond rounding, or its
    /// largest entry is not 0 and not between 1e-150 and 1e150.
    pub fn new(kernel: ArrayView2<f64>, targets: &'a Targets) -> Result<Self> {
        Self::with_rounding(kernel, Cow::Borrowed(targets), f64::EPSILON)
    }

    /// The same for a matrix whose entries were computed in single precision, and so know their small eigenvalues less
    /// well.
    ///
    /// # Errors
    /// As [`KernelRidge::new`].
    pub fn of_single_precision(kernel: ArrayView2<f64>, targets: &'a Targets) -> Result<Self> {
        Self::with_rounding(kernel, Cow::Borrowed(targets), f64::from(f32::EPSILON))
    }

    /// The same for the kernel `K = F F^T` of features `F` of shape `(m, r)`, in `m r^2` operations: where there are
    /// fewer features than samples, the kernel vanishes on what they leave, which needs no eigenvectors. With more
    /// features it is [`KernelRidge::new`] of their products.
    ///
    /// ```
    /// use ndarray::array;
    /// use sparsewidth::regression::{KernelRidge, Targets};
    /// let (features, targets) = (array![[1.0], [2.0], [2.0]], Targets::new(array![[1.0], [0.0], [2.0]].view())?);
    /// let few = KernelRidge::of_features(features.view(), &targets)?;
    /// let kernel = features.dot(&features.t());
    /// let all = KernelRidge::new(kernel.view(), &targets)?;
    /// let difference = &few.fit(0.1)?.coefficients() - &all.fit(0.1)?.coefficients();
    /// assert!(difference.iter().all(|entry| entry.abs() < 1e-14));
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`KernelRidge::new`].
    pub fn of_features(features: ArrayView2<f64>, targets: &'a Targets) -> Result<Self> {
        let (samples, count) = features.dim();
        if count >= samples || count == 0 {
            let mut kernel = Array2::zeros((samples, samples));
            product(features, features.t(), 1.0, false, kernel.view_mut())?;
            return Self::new(kernel.view(), targets);
        }
        check_samples(features.dim(), (targets.samples(), count))?;
        let largest = check_scale(features.outer_iter().map(|row| row.dot(&row)))?;
        let scale = if largest > 0.0 { largest.log2().round().exp2() } else { 1.0 };
        let (vectors, singular) = thin_svd((&features / scale.sqrt()).view())?;
        let mut values = Array1::zeros(samples);
        // The smallest first.
        let vectors = vectors.slice(s![.., ..;-1]).to_owned();
        values.slice_mut(s![samples - count..]).assign(&singular.slice(s![..;-1]).mapv(|value| value * value));
        let rounding = scale * lost(&values, f64::EPSILON);
        values.mapv_inplace(|value| scale * value);
        let spectrum = Spectrum { values, rounding: rounding.max(1.0 / LARGEST_RIDGE) };
        let mut projections = Array2::zeros((count, targets.outputs()));
        product(vectors.t(), targets.values(), 1.0, false, projections.view_mut())?;
        let mut rest = targets.values().to_owned();
        product(vectors.view(), projections.view(), -1.0, true, rest.view_mut())?;
        // Rounding could make them negative.
        let shares = vectors.outer_iter().map(|row| (1.0 - row.dot(&row)).max(0.0)).collect();
        let rest = Some(Rest { targets: rest, shares });
        Ok(Self { targets: Cow::Borrowed(targets), vectors, spectrum, projections, rest })
    }

    fn with_rounding(kernel: ArrayView2<f64>, targets: Cow<'a, Targets>, epsilon: f64) -> Result<Self> {
        check_samples(kernel.dim(), (targets.samples(), targets.samples()))?;
        // Errors are those of the largest entry, on the diagonal or off it: a matrix may be no kernel.
        let lower = kernel.indexed_iter().filter(|((row, column), _)| row >= column).map(|(_, entry)| *entry);
        let largest = check_scale(lower)?;
        let scale = if largest > 0.0 { largest.log2().round().exp2() } else { 1.0 };
        let (mut values, vectors) = symmetric_eigen((&kernel / scale).view())?;
        let rounding = lost(&values, epsilon);
        if values[0] < -BEYOND * rounding {
            let found =
                format!("eigenvalues from {:.3e} to {:.3e}", scale * values[0], scale * values[values.len() - 1]);
            let problem = "it has an eigenvalue below 0, which no kernel matrix has";
            return Err(Error::value("kernel", found, problem, "give the Gram matrix of a kernel, or a better method"));
        }
        values.mapv_inplace(|value| scale * value.max(0.0));
        let mut projections = Array2::zeros((values.len(), targets.outputs()));
        product(vectors.t(), targets.values(), 1.0, false, projections.view_mut())?;
        let rounding = (scale * rounding).max(1.0 / LARGEST_RIDGE);
        Ok(Self { targets, vectors, spectrum: Spectrum { values, rounding }, projections, rest: None })
    }

    /// The eigenvalues of the kernel matrix.
    #[must_use]
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// `alpha = lambda tr K / m`, what is added to the diagonal; `lambda` itself for a kernel that vanishes.
    #[must_use]
    pub fn alpha(&self, lambda: f64) -> f64 {
        let trace = self.spectrum.trace();
        if trace > 0.0 { lambda * trace / self.spectrum.values.len() as f64 } else { lambda }
    }

    /// Refuses a ridge that leaves the matrix singular, or is beyond double precision.
    fn check(&self, lambda: f64) -> Result<f64> {
        check_ridge(lambda)?;
        let alpha = self.alpha(lambda);
        if alpha > LARGEST_RIDGE {
            let problem = format!("{alpha:.1e} on the diagonal is beyond double precision");
            return Err(Error::value("ridge", format!("{lambda:e}"), problem, "give a smaller ridge"));
        }
        let smallest = self.spectrum.values[0] + alpha;
        if smallest > self.spectrum.rounding {
            return Ok(alpha);
        }
        let unit = self.alpha(1.0);
        let problem = format!(
            "the kernel matrix is singular but for rounding: its smallest eigenvalue with the ridge is {smallest:.1e}, and \
             {:.1e} is lost in rounding",
            self.spectrum.rounding
        );
        // Twice that, so that the one digit that is shown is not below it.
        let remedy = format!("give a ridge above {:.0e}", 2.0 * self.spectrum.rounding / unit);
        Err(Error::value("ridge", format!("{lambda:e}"), problem, remedy))
    }

    /// Leave-one-out predictions in closed form: the residual of sample `i` in a regression on the others is
    /// `[(K + alpha I)^-1 Y]_i / [(K + alpha I)^-1]_ii` (Rasmussen and Williams 2006, Eq. 5.12).
    ///
    /// # Errors
    /// Where the ridge is not positive, too small for the precision of the kernel, or too large for double precision.
    pub fn leave_one_out(&self, lambda: f64) -> Result<LeaveOneOut> {
        Ok(self.step(lambda)?.left_out)
    }

    /// The regression at one ridge.
    ///
    /// # Errors
    /// Where the ridge is not positive, too small for the precision of the kernel, or too large for double precision.
    pub fn fit(&self, lambda: f64) -> Result<Fit<'_>> {
        Ok(self.step(lambda)?.fit)
    }

    fn step(&self, lambda: f64) -> Result<RidgeStep<'_>> {
        let alpha = self.check(lambda)?;
        Ok(self.steps(&[(lambda, alpha)])?.pop().expect("invariant: a ridge has a step"))
    }

    /// The regression and its leave-one-out errors at every ridge of a grid, in increasing order. Ridges that are too
    /// small for the precision of the kernel, or too large for double precision, are passed over.
    ///
    /// # Errors
    /// Where every ridge is too small or too large.
    pub fn path(&self, grid: &RidgeGrid) -> Result<Vec<RidgeStep<'_>>> {
        let checked: Vec<(f64, Result<f64>)> =
            grid.ridges().iter().map(|lambda| (*lambda, self.check(*lambda))).collect();
        let ridges: Vec<(f64, f64)> =
            checked.iter().filter_map(|(lambda, alpha)| Some((*lambda, *alpha.as_ref().ok()?))).collect();
        match checked.into_iter().find_map(|(_, alpha)| alpha.err()) {
            Some(error) if ridges.is_empty() => Err(error),
            _ => self.steps(&ridges),
        }
    }

    /// The ridge of a grid with the least leave-one-out error, see [`KernelRidge::path`]; the largest of equal ones.
    ///
    /// # Errors
    /// Where every ridge is too small or too large, or the criterion is classification and the targets are not classes.
    pub fn select(&self, grid: &RidgeGrid, criterion: Criterion) -> Result<f64> {
        let steps = self.path(grid)?;
        Ok(steps[best_step(&steps, criterion)?].lambda)
    }

    /// The steps at ridges `lambda` with `alpha`, all together: two matrix products, `U diag(inverse) U^T Y` and the
    /// diagonal of `U diag(inverse) U^T`.
    fn steps(&self, ridges: &[(f64, f64)]) -> Result<Vec<RidgeStep<'_>>> {
        let samples = self.vectors.nrows();
        let (count, outputs) = self.projections.dim();
        let values = self.spectrum.values.slice(s![samples - count..]);
        let inverses: Array2<f64> =
            Array2::from_shape_fn((count, ridges.len()), |(place, ridge)| 1.0 / (values[place] + ridges[ridge].1));
        let mut scaled = Array2::zeros((count, outputs * ridges.len()));
        for (ridge, mut columns) in scaled.axis_chunks_iter_mut(Axis(1), outputs).enumerate() {
            columns.assign(&(&self.projections * &inverses.slice(s![.., ridge..=ridge])));
        }
        let mut solved = Array2::zeros((samples, scaled.ncols()));
        product(self.vectors.view(), scaled.view(), 1.0, false, solved.view_mut())?;
        let mut diagonals = Array2::zeros((samples, ridges.len()));
        let squares = self.vectors.mapv(|entry| entry * entry);
        product(squares.view(), inverses.view(), 1.0, false, diagonals.view_mut())?;
        if let Some(rest) = &self.rest {
            for (ridge, (_, alpha)) in ridges.iter().enumerate() {
                let mut columns = solved.slice_mut(s![.., ridge * outputs..(ridge + 1) * outputs]);
                columns.scaled_add(1.0 / alpha, &rest.targets);
                diagonals.column_mut(ridge).scaled_add(1.0 / alpha, &rest.shares);
            }
        }
        let step = |(ridge, (lambda, alpha)): (usize, &(f64, f64))| {
            let coefficients = solved.slice(s![.., ridge * outputs..(ridge + 1) * outputs]).to_owned();
            let residuals = &coefficients / &diagonals.slice(s![.., ridge..=ridge]);
            let squared_error =
                residuals.iter().map(|residual| residual * residual).sum::<f64>() / residuals.len() as f64;
            let predicted = left_out_predictions(&self.targets, &residuals);
            let error_rate = self.targets.labels().map(|labels| error_rate(predicted.view(), labels)).transpose()?;
            let inverse = inverses.column(ridge).to_owned();
            let fit = Fit { regression: self, alpha: *alpha, coefficients, inverse };
            let left_out = LeaveOneOut { residuals, squared_error, error_rate };
            Ok(RidgeStep { lambda: *lambda, fit, left_out })
        };
        ridges.iter().enumerate().map(step).collect()
    }
}

/// A regression at one ridge.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    regression: &'a KernelRidge<'a>,
    alpha: f64,
    inverse: Array1<f64>,
    coefficients: Array2<f64>,
}

impl Fit<'_> {
    /// What was added to the diagonal of the kernel matrix.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// `(K + alpha I)^-1 Y`, shape `(m, c)`: predictions are `k(x, X)` times this.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        self.coefficients.view()
    }

    /// The condition number of `K + alpha I`.
    #[must_use]
    pub fn condition_number(&self) -> f64 {
        let values = &self.regression.spectrum.values;
        (values[values.len() - 1] + self.alpha) / (values[0] + self.alpha)
    }

    /// That few digits of the results are right, where the condition number leaves fewer than four.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let lost = self.regression.spectrum.rounding / (self.regression.spectrum.values[0] + self.alpha);
        (lost > FEW_DIGITS).then(|| {
            format!(
                "The kernel matrix is ill-conditioned, {:.1e} with the ridge: its results may be wrong by a share of {lost:.0e}. A larger \
                 ridge helps.",
                self.condition_number()
            )
        })
    }

    /// `k(x, X) (K + alpha I)^-1 Y` for new inputs, shape `(t, c)`, from their kernels with the training samples, shape
    /// `(t, m)`.
    ///
    /// # Errors
    /// Where the shape does not fit, or a kernel is not finite or beyond 1e150.
    pub fn predict(&self, cross: ArrayView2<f64>) -> Result<Array2<f64>> {
        self.check_cross(cross)?;
        let mut outputs = Array2::zeros((cross.nrows(), self.coefficients.ncols()));
        product(cross, self.coefficients.view(), 1.0, false, outputs.view_mut())?;
        if outputs.iter().all(|output| output.is_finite()) {
            return Ok(outputs);
        }
        let problem = "the predictions are beyond double precision";
        Err(Error::value(
            "cross",
            format!("shape {:?}", cross.dim()),
            problem,
            "give kernels of the training kernel's scale",
        ))
    }

    /// The posterior variance of the Gaussian process without noise, `k(x, x) - k(x, X) (K + alpha I)^-1 k(X, x)`, for
    /// new inputs: from their kernels with the training samples, shape `(t, m)`, and with themselves, length `t`. At
    /// least 0.
    ///
    /// # Errors
    /// Where the shapes do not fit, or a kernel is not finite or beyond 1e150.
    pub fn predictive_variance(&self, cross: ArrayView2<f64>, with_itself: ArrayView1<f64>) -> Result<Array1<f64>> {
        self.check_cross(cross)?;
        if with_itself.len() != cross.nrows() || with_itself.iter().any(|value| !value.is_finite()) {
            let problem = format!("there are {} inputs", cross.nrows());
            let remedy = "give the finite kernel of each with itself";
            return Err(Error::value("with_itself", with_itself.len(), problem, remedy));
        }
        let mut variances = with_itself.to_owned();
        // A few hundred inputs at a time: `k(x, X) U` of all could be too large.
        for start in (0..cross.nrows()).step_by(256) {
            let range = start..(start + 256).min(cross.nrows());
            let vectors = self.regression.vectors.view();
            let mut projected = Array2::zeros((range.len(), vectors.ncols()));
            let cross = cross.slice(s![range.clone(), ..]);
            product(cross, vectors, 1.0, false, projected.view_mut())?;
            let mut variances = variances.slice_mut(s![range]);
            for (variance, row) in variances.iter_mut().zip(projected.outer_iter()) {
                let known: f64 = row.iter().zip(&self.inverse).map(|(entry, inverse)| entry * entry * inverse).sum();
                *variance -= known;
            }
            if self.regression.rest.is_some() {
                // The vector that is left, not the difference of two squares, which would cancel.
                let mut left = cross.to_owned();
                product(projected.view(), vectors.t(), -1.0, true, left.view_mut())?;
                for (variance, row) in variances.iter_mut().zip(left.outer_iter()) {
                    *variance -= row.dot(&row) / self.alpha;
                }
            }
            variances.mapv_inplace(|variance| variance.max(0.0));
        }
        Ok(variances)
    }

    /// The log marginal likelihood of the Gaussian process with noise of variance `alpha`, summed over outputs:
    /// `-1/2 Y^T (K + alpha I)^-1 Y - 1/2 ln det (K + alpha I) - m/2 ln 2 pi` (Rasmussen and Williams 2006, Eq. 2.30).
    #[must_use]
    pub fn log_marginal_likelihood(&self) -> f64 {
        let outputs = self.coefficients.ncols() as f64;
        -0.5 * (self.quadratic() + outputs * self.log_determinant())
            - 0.5 * outputs * self.coefficients.nrows() as f64 * (2.0 * PI).ln()
    }

    /// The largest log marginal likelihood over multiples of the kernel and the noise together: with
    /// `q = Y^T (K + alpha I)^-1 Y`, summed over `c` outputs, that of the multiple `q / (m c)`. The scale of the kernel
    /// does not matter.
    #[must_use]
    pub fn profiled_log_marginal_likelihood(&self) -> f64 {
        let count = self.coefficients.len() as f64;
        let amplitude = self.quadratic() / count;
        -0.5 * count * (1.0 + (2.0 * PI * amplitude).ln())
            - 0.5 * self.coefficients.ncols() as f64 * self.log_determinant()
    }

    /// By squares, so that rounding never makes it negative.
    fn quadratic(&self) -> f64 {
        let rows = self.regression.projections.outer_iter().zip(&self.inverse);
        let found: f64 = rows.map(|(row, inverse)| inverse * row.iter().map(|entry| entry * entry).sum::<f64>()).sum();
        let rest = self.regression.rest.iter().flat_map(|rest| &rest.targets);
        found + rest.map(|entry| entry * entry / self.alpha).sum::<f64>()
    }

    fn log_determinant(&self) -> f64 {
        let found = -self.inverse.iter().map(|inverse| inverse.ln()).sum::<f64>();
        match self.coefficients.nrows() - self.inverse.len() {
            // A ridge may be too small for a logarithm where nothing is left.
            0 => found,
            rest => found + rest as f64 * self.alpha.ln(),
        }
    }

    fn check_cross(&self, cross: ArrayView2<f64>) -> Result<()> {
        if cross.ncols() == self.coefficients.nrows() && cross.iter().all(|value| value.abs() <= LARGEST_KERNEL) {
            return Ok(());
        }
        let problem = format!("there are {} training samples", self.coefficients.nrows());
        let remedy = "give kernels of at most 1e150, one row per new input and one column per training sample";
        Err(Error::value("cross", format!("shape {:?}", cross.dim()), problem, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A Gram matrix of Gaussian-like features and targets of two outputs.
    fn case(samples: usize, features: usize) -> (Array2<f64>, Targets) {
        let x = Array2::from_shape_fn((samples, features), |(i, j)| ((i * 7 + j * 13 + i * j) as f64).sin());
        let labels: Vec<u8> = (0..samples).map(|i| (i * i % 3) as u8).collect();
        (x.dot(&x.t()), Targets::one_hot(&labels, 3).unwrap())
    }

    #[test]
    fn leave_one_out_is_what_leaving_one_out_gives() {
        let (kernel, targets) = case(30, 40);
        let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
        for lambda in [1e-3, 0.1, 3.0] {
            let all = regression.leave_one_out(lambda).unwrap();
            for left in 0..30 {
                let others: Vec<usize> = (0..30).filter(|other| *other != left).collect();
                let gram = kernel.select(Axis(0), &others).select(Axis(1), &others);
                let rest = Targets::new(targets.values().select(Axis(0), &others).view()).unwrap();
                let without = KernelRidge::new(gram.view(), &rest).unwrap();
                // The same alpha, although the trace is another.
                let fit = without.fit(regression.alpha(lambda) / without.alpha(1.0)).unwrap();
                let cross = kernel.select(Axis(0), &[left]).select(Axis(1), &others);
                let outputs = fit.predict(cross.view()).unwrap();
                for ((found, target), output) in
                    all.residuals.row(left).iter().zip(targets.values().row(left)).zip(outputs.row(0))
                {
                    assert!((found - (target - output)).abs() < 1e-9, "{left} {lambda}: {found}");
                }
            }
        }
    }

    #[test]
    fn few_features_are_their_kernel() {
        // Of full rank, of rank 2 in 5 features, and one feature.
        let features = |samples: usize, count: usize, rank: usize| {
            let left = Array2::from_shape_fn((samples, rank), |(i, j)| ((i * 7 + j * 13 + i * j) as f64).sin());
            let right = Array2::from_shape_fn((rank, count), |(i, j)| ((i * 5 + j * 11 + i * j) as f64).cos());
            left.dot(&right)
        };
        let (_, targets) = case(40, 50);
        for (count, rank) in [(5, 5), (5, 2), (1, 1), (39, 39), (40, 40), (60, 60)] {
            let features = 1e3 * features(40, count, rank);
            let kernel = features.dot(&features.t());
            let few = KernelRidge::of_features(features.view(), &targets).unwrap();
            let all = KernelRidge::new(kernel.view(), &targets).unwrap();
            // Eigenvalues of rounding are about 1e-15 of the largest, which is at most 40 units of the ridge.
            let close = |found: f64, expected: f64| {
                assert!((found - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{count} {rank}: {found} {expected}")
            };
            let largest = all.spectrum().values()[39];
            for (found, expected) in few.spectrum().values().iter().zip(all.spectrum().values()) {
                assert!((found - expected).abs() < 1e-13 * largest, "{count} {rank}: {found} {expected}");
            }
            for lambda in [1e-4, 0.1, 10.0] {
                let (found, expected) = (few.step(lambda).unwrap(), all.step(lambda).unwrap());
                let alpha = expected.fit.alpha();
                close(found.fit.alpha(), alpha);
                for (found, expected) in found.fit.coefficients().iter().zip(expected.fit.coefficients()) {
                    close(alpha * found, alpha * expected);
                }
                for (found, expected) in found.left_out.residuals.iter().zip(&expected.left_out.residuals) {
                    close(*found, *expected);
                }
                close(found.fit.log_marginal_likelihood(), expected.fit.log_marginal_likelihood());
                let profiled = expected.fit.profiled_log_marginal_likelihood();
                close(found.fit.profiled_log_marginal_likelihood(), profiled);
                close(found.fit.condition_number().ln(), expected.fit.condition_number().ln());
                let (cross, with_itself) = (kernel.slice(s![..7, ..]), kernel.diag().slice_move(s![..7]));
                let found = found.fit.predictive_variance(cross, with_itself).unwrap();
                let expected = expected.fit.predictive_variance(cross, with_itself).unwrap();
                for (found, expected) in found.iter().zip(&expected) {
                    close(found / alpha, expected / alpha);
                }
            }
        }
        // A sample without features is put into the first class, whatever rounding says, by both.
        let mut features = features(40, 5, 5);
        features.row_mut(0).fill(0.0);
        features.row_mut(11).fill(0.0);
        let labels: Vec<u8> = (0..40).map(|i| (i % 2) as u8).collect();
        let targets = Targets::one_hot(&labels, 2).unwrap();
        let kernel = features.dot(&features.t());
        let few = KernelRidge::of_features(features.view(), &targets).unwrap();
        let all = KernelRidge::new(kernel.view(), &targets).unwrap();
        for lambda in [1e-4, 1.0] {
            let [few, all] = [&few, &all].map(|regression| regression.leave_one_out(lambda).unwrap().error_rate);
            assert_eq!(few, all, "{lambda}");
        }
        let zero = Array2::zeros((40, 3));
        let nothing = KernelRidge::of_features(zero.view(), &targets).unwrap();
        assert!(
            nothing.fit(0.1).unwrap().predict(Array2::zeros((1, 40)).view()).unwrap().iter().all(|value| *value == 0.0)
        );
        assert!(KernelRidge::of_features(Array2::ones((3, 2)).view(), &targets).is_err());
        assert!(KernelRidge::of_features(Array2::from_elem((40, 2), f64::NAN).view(), &targets).is_err());
    }

    #[test]
    fn kernels_that_vanish_predict_nothing_and_singular_ones_are_refused() {
        let targets = Targets::one_hot(&[0, 1, 1], 2).unwrap();
        let zero = KernelRidge::new(Array2::zeros((3, 3)).view(), &targets).map(|_| ()).is_ok();
        assert!(zero);
        let kernel = Array2::zeros((3, 3));
        let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
        let fit = regression.fit(0.1).unwrap();
        assert_eq!(fit.predict(Array2::zeros((2, 3)).view()).unwrap(), Array2::<f64>::zeros((2, 2)));
        assert_eq!((regression.spectrum().effective_rank(), regression.spectrum().condition_number()), (0.0, None));
        // Of rank one: a ridge below rounding changes nothing that double precision sees.
        let one = Array2::from_elem((3, 3), 1.0);
        let regression = KernelRidge::new(one.view(), &targets).unwrap();
        let message = regression.fit(1e-18).unwrap_err().to_string();
        assert!(message.contains("singular but for rounding") && message.contains("give a ridge above"), "{message}");
        assert!(regression.fit(1e-13).unwrap().warning().unwrap().contains("ill-conditioned"));
        assert_eq!(regression.fit(0.1).unwrap().warning(), None);
        assert_eq!(regression.select(&RidgeGrid::new(&[1e-19, 0.1]).unwrap(), Criterion::SquaredError).unwrap(), 0.1);
        for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(regression.fit(lambda).is_err() && RidgeGrid::new(&[lambda]).is_err());
        }
        let indefinite = array![[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let message = KernelRidge::new(indefinite.view(), &targets).unwrap_err().to_string();
        assert!(message.contains("eigenvalue below 0"), "{message}");
    }

    /// Kernels of one feature whose values differ by orders of magnitude, as of networks with next to no weights.
    #[test]
    fn large_matrices_of_rank_one_are_kernels() {
        for (samples, power) in [(300, 8), (700, 3), (700, 40)] {
            let feature =
                Array1::from_shape_fn(samples, |i| ((1 + i * 7919 % samples) as f64 / samples as f64).powi(power));
            let column = feature.insert_axis(Axis(1));
            let kernel = column.dot(&column.t());
            let labels: Vec<u8> = (0..samples).map(|i| (i % 2) as u8).collect();
            let targets = Targets::one_hot(&labels, 2).unwrap();
            let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
            assert_eq!(regression.spectrum().condition_number(), None, "{samples} {power}");
            assert!(
                regression.spectrum().effective_rank() < 1.0 + 1e-9 && regression.path(&RidgeGrid::default()).is_ok()
            );
        }
    }

    #[test]
    fn the_best_amplitude_is_the_best() {
        let (kernel, targets) = case(20, 30);
        let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
        let best = regression.fit(0.1).unwrap().profiled_log_marginal_likelihood();
        let of = |factor: f64| {
            let scaled = &kernel * factor;
            let regression = KernelRidge::new(scaled.view(), &targets).unwrap();
            let fit = regression.fit(0.1).unwrap();
            assert!((fit.profiled_log_marginal_likelihood() / best - 1.0).abs() < 1e-12);
            fit.log_marginal_likelihood()
        };
        let largest = (0..4000).map(|step| of(10f64.powf(f64::from(step) / 500.0 - 6.0))).fold(f64::MIN, f64::max);
        assert!(best >= largest && best - largest < 1e-3, "{best} {largest}");
    }
}
