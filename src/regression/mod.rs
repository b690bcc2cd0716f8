//! Kernel ridge regression: the test error that a network's own kernel predicts, without training the network.
//!
//! With a kernel `k`, training inputs `x_1, ..., x_m` and targets `Y` of shape `(m, c)`, one column per output,
//!
//! `f(x) = k(x, X) (K + alpha I)^-1 Y`,  `K_ij = k(x_i, x_j)`,
//!
//! where the ridge `alpha` is given in units of the mean of the diagonal: `alpha = lambda tr K / m`, so that nothing
//! depends on the scale of the kernel. With the tangent kernel of a network as drawn this is that network, trained by
//! gradient descent in its linear regime; with the NNGP kernel, its last layer trained alone. `f` is also the
//! posterior mean of the Gaussian process with this kernel and noise of variance `alpha` (Rasmussen and Williams,
//! Gaussian Processes for Machine Learning, 2006, Chapter 2).
//!
//! [`KernelRidge`] makes one eigendecomposition `K = U diag(s) U^T`, which serves every ridge, every right-hand side,
//! leave-one-out residuals in closed form ([`KernelRidge::leave_one_out`]), the marginal likelihood, and the
//! [`Spectrum`]. Kernels come from [`KernelMatrix`](crate::kernel::matrix::KernelMatrix) (infinite width, mean over
//! masks, given masks) and [`DrawnNetwork`](crate::sampled::DrawnNetwork) (networks as drawn).
//!
//! ```
//! use ndarray::array;
//! use sparsewidth::kernel::matrix::KernelMatrix;
//! use sparsewidth::regression::{Criterion, KernelRidge, RidgeGrid, Targets};
//! use sparsewidth::{Kernel, PreparedInputs, Tangent};
//!
//! let x = PreparedInputs::from_rows(array![[1.0, 0.1], [0.9, -0.2], [0.1, 1.0], [-0.2, 0.9]].view())?;
//! let new = PreparedInputs::from_rows(array![[1.0, 0.0], [0.0, 1.0]].view())?;
//! let kernel = Kernel::Ntk(Tangent::Standardised);
//! let gram = KernelMatrix::infinite_width(&x, None, kernel)?.to_array()?;
//! let targets = Targets::one_hot(&[0, 0, 1, 1], 2)?;
//! let regression = KernelRidge::new(gram.view(), &targets)?;
//! let lambda = regression.select(&RidgeGrid::default(), Criterion::SquaredError)?;
//! let fit = regression.fit(lambda)?;
//! let outputs = fit.predict(KernelMatrix::infinite_width(&new, Some(&x), kernel)?.to_array()?.view())?;
//! assert_eq!(sparsewidth::regression::classes(outputs.view()), [0, 1]);
//! # Ok::<(), sparsewidth::Error>(())
//! ```

mod ridge;
mod spectrum;
mod targets;

pub use ridge::{Criterion, Fit, KernelRidge, LeaveOneOut, RidgeGrid, RidgeStep, best_step};
pub use spectrum::{Spectrum, alignment, centred_alignment};
pub use targets::{Targets, classes, error_rate};
