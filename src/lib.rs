//! Kernels of sparse, finite-width ReLU networks: exactly (sums over masks, and a double integral at any dimension), by
//! closed forms, and by sampling; and the test errors of the networks themselves.
//!
//! Given the same number of weights, is a wider, sparser network better? Golubeva, Neyshabur and Gur-Ari ("Are wider
//! nets better given the same number of parameters?", ICLR 2021, [arXiv 2010.14495](https://arxiv.org/abs/2010.14495))
//! found that it is, up to a point, and proposed a reason: what counts is how far, at initialisation, the network's
//! Gaussian-process kernel is from that of an infinitely wide one. This crate computes that distance, and lets you
//! check how closely it follows the test error. It also predicts that error: by ridge regression with the network's own
//! kernels, before any training.
//!
//! # The theory on one page
//!
//! The network is `f(x) = (n d)^(-1/2) v^T [u x]_+`: inputs `x` in `R^d`, hidden width `n`, no biases,
//! `[a]_+ = max(a, 0)`. Each entry of `u` exists with probability `p`, the connectivity or density, and is then drawn
//! from `N(0, 1/p)`; `u_i` is row `i`. Its NNGP kernel, the kernel of its last layer (the paper's `Theta`), and that of
//! the dense network of infinite width are
//!
//! `nngp(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+`  and  `nngp_inf(x, y) = K_1(x, y) / d`,
//!
//! with the arc-cosine moments `K_l(x, y) = E_{w ~ N(0, I)} [ (w.x)^l (w.y)^l H(w.x) H(w.y) ]`, `H` the step function.
//! Averaged over masks `s`, with `x_s` the input with the entries where `s = 0` set to zero, they become
//! `K~_l(x, y) = p^(-l) sum_s p^|s| (1-p)^(d-|s|) K_l(x_s, y_s)`, and Theorem 1 of the paper is exact:
//!
//! `E[(nngp - nngp_inf)^2] = (K~_1 - K_1)^2 / d^2  +  (K~_2 - K~_1^2) / (d^2 n)`, that is bias^2 + variance / n.
//!
//! The tangent kernel, that of all weights and not of the last layer alone, is what gradient descent sees. Its mean,
//! variance and distance follow in the same way from three more averages over masks: see [`kernel::ntk`].
//!
//! At a fixed number of weights, widening divides the variance by a larger `n` but, through the smaller `p`, raises
//! `K~_2` and the bias: the distance falls, and rises again when few weights are left for each hidden unit.
//!
//! # Where it is in the code
//!
//! Data flows one way: inputs to Gram triples to masked moments to distances (theory), or to networks, which are drawn
//! and trained; then to records, tables and pictures.
//!
//! | module | what it holds |
//! |---|---|
//! | [`data`] | data sets (MNIST, `.npy`, Gaussian) and their normalisation |
//! | [`kernel`] | the theory: Gram triples, arc-cosine moments, masked moments, Theorem 1 ([`kernel::nngp`]), the tangent kernel ([`kernel::ntk`]), Eq. (4) ([`kernel::eq_4`]) |
//! | [`network`] | connectivity, masks and weights of sparse layers, and how a weight budget is divided ([`network::budget`]) |
//! | [`sampled`] | kernels of networks as drawn, on CPUs and GPUs |
//! | [`regression`] | kernel ridge regression, spectrum and alignment: the test errors that kernels predict |
//! | [`train`] | the sparse trainer |
//! | [`study`] | specs in, records out, through a journal |
//! | `report` | records in; tables, files and pictures out (feature `plots`) |
//! | [`numeric`] | random numbers, statistics, linear algebra, and numbers as users write them |
//! | [`files`] | reading files whole, and writing them whole or not at all |
//!
//! # An example
//!
//! The distances of many pairs, and of one pair by two methods:
//!
//! ```
//! use sparsewidth::kernel::masked::{Enumerate, Expansion};
//! use sparsewidth::kernel::nngp::theorem_1;
//! use sparsewidth::{Connectivity, PreparedInputs, RowMoments, Theorem1, Width};
//!
//! let x = ndarray::Array2::from_shape_fn((20, 12), |(i, j)| ((i + 3 * j) as f64).sin());
//! let inputs = PreparedInputs::from_rows(x.view())?;
//! let (p, width) = (Connectivity::new(0.5)?, Width::new(100)?);
//! let pairs = inputs.random_pairs(50, 0)?;
//! let distances = Theorem1::new(p).distances(&inputs, &pairs, width)?;
//! assert_eq!(distances.len(), 50);
//!
//! let pair = &inputs.pairs(&pairs)?[0];
//! let exact = theorem_1(&Enumerate::default().moments(pair, p)?, inputs.dimension(), width);
//! let close = theorem_1(&Expansion.moments(pair, p)?, inputs.dimension(), width);
//! assert!(exact.total() == distances[0].total() && (close.total() / exact.total() - 1.0).abs() < 0.1);
//! # Ok::<(), sparsewidth::Error>(())
//! ```
//!
//! # Features
//!
//! All are on by default; `default-features = false` builds the core alone.
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` | the program `sparsewidth` |
//! | `plots` | the module `report`: tables, CSV files and pictures |
//! | `embedded` | MNIST's test images and 2,048 training images, in the library |
//! | `cuda` | kernels over all pairs on NVIDIA GPUs; the driver is loaded when the program asks for one |
//!
//! Off by default: `lapack` (dense linear algebra through OpenBLAS, to compare with) and `host-kernels` (CUDA kernels
//! compiled for the host, for tests).
//!
//! The library prints nothing and does not panic on input; every [`Error`] says what is wrong, where, and what to do.

pub mod data;
mod error;
pub mod files;
pub mod kernel;
pub mod network;
pub mod numeric;
pub mod regression;
#[cfg(feature = "plots")]
pub mod report;
pub mod sampled;
pub mod study;
pub mod train;

pub use data::{DataSource, Dataset, Normalisation, PreparedInputs};
pub use error::{Error, ErrorKind, Result, Setting};
pub use kernel::masked::{MaskedMoments, RowMoments};
pub use kernel::nngp::{Dimension, Distance, Theorem1, Width};
pub use kernel::ntk::{Kernel, Tangent};
pub use network::{Architecture, Connectivity, Layer, MaskFamily, WeightDistribution};
pub use numeric::estimate::{ErrorType, Estimate, Uncertainty};

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
