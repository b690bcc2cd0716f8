//! Kernels of sparse, finite-width ReLU networks: exactly (sums over masks, and a double integral at any dimension), by closed
//! forms, and by sampling; and the test errors of the networks themselves.
//!
//! Given the same number of weights, is a wider, sparser network better? Golubeva, Neyshabur and Gur-Ari ("Are wider nets
//! better given the same number of parameters?", ICLR 2021, [arXiv 2010.14495](https://arxiv.org/abs/2010.14495)) found that
//! it is, up to a point, and proposed a reason: what counts is how far, at initialisation, the network's Gaussian-process kernel
//! is from that of an infinitely wide one. This crate computes that distance, and lets you check how far it goes with the test error.
//!
//! # The theory on one page
//!
//! The network is `f(x) = (n d)^(-1/2) v^T [u x]_+`: inputs `x` in `R^d`, hidden width `n`, no biases, `[a]_+ = max(a, 0)`. Each
//! entry of `u` exists with probability `p`, the connectivity, and is then drawn from `N(0, 1/p)`; `u_i` is row `i`. Its kernel and
//! the kernel of the dense network of infinite width are
//!
//! `Theta(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+`  and  `Theta_inf(x, y) = K_1(x, y) / d`,
//!
//! with the arc-cosine moments `K_l(x, y) = E_{w ~ N(0, I)} [ (w.x)^l (w.y)^l H(w.x) H(w.y) ]`, `H` the step function. Averaged over
//! masks `s`, with `x_s` the input with the entries where `s = 0` set to zero, they become
//! `K~_l(x, y) = p^(-l) sum_s p^|s| (1-p)^(d-|s|) K_l(x_s, y_s)`, and Theorem 1 of the paper is exact:
//!
//! `E[(Theta - Theta_inf)^2] = (K~_1 - K_1)^2 / d^2  +  (K~_2 - K~_1^2) / (d^2 n)`, that is bias^2 + variance / n.
//!
//! At a fixed number of weights, widening divides the variance by a larger `n` but, through the smaller `p`, raises `K~_2` and
//! the bias: the distance falls, and rises again when few weights are left for each hidden unit.
//!
//! # Where it is in the code
//!
//! Data flows one way, from inputs to records to pictures:
//!
//! | module | what it holds |
//! |---|---|
//! | [`data`] | inputs: MNIST, `.npy`, Gaussian; their normalisation |
//! | [`gram`] | a pair of inputs and its Gram triple `(A, B, C)`, all that a kernel sees of it |
//! | [`arccos`] | `K_1` and `K_2` |
//! | [`masked`] | `K~_1` and `K~_2`, by several methods behind one trait |
//! | [`theorem`] | Theorem 1 |
//! | [`bottleneck`] | the same for a network whose first matrix is a product of two |
//! | [`all_pairs`] | Theorem 1 by the moment expansion, for all pairs of two sets |
//! | [`paper`] | Eq. (4), its diagonal form and optimal connectivity, as published |
//! | [`connectivity`], [`budget`] | the connectivity `p`, and what a weight budget makes of it, layer by layer |
//! | [`network`] | drawing sparse layers; training |
//! | [`sampled`] | kernels of drawn networks |
//! | [`study`] | specs in, records out, through a journal |
//! | [`report`] | records in; tables, files and pictures out |
//! | [`random`], [`statistics`], [`rank`], [`linalg`], [`files`], [`numbers`] | what all of these need |
//!
//! # An example
//!
//! The distance of one pair, exactly and by the moment expansion:
//!
//! ```
//! use ndarray::Array1;
//! use sparsewidth::connectivity::Connectivity;
//! use sparsewidth::gram::Pair;
//! use sparsewidth::masked::{Enumerate, MaskedKernel, Moments};
//! use sparsewidth::theorem::theorem_1;
//!
//! let x = Array1::from_shape_fn(12, |j| (j as f64).sin());
//! let y = Array1::from_shape_fn(12, |j| (j as f64).cos());
//! let pair = Pair::new(x.view(), y.view())?;
//! let p = Connectivity::new(0.5)?;
//!
//! let (exact, _) = theorem_1(&Enumerate::default().moments(&pair, p)?, 12, 100);
//! let (close, _) = theorem_1(&Moments.moments(&pair, p)?, 12, 100);
//! assert!((close.total() / exact.total() - 1.0).abs() < 0.02);
//! # Ok::<(), sparsewidth::Error>(())
//! ```
//!
//! The library prints nothing and does not panic on input; every [`Error`] says what is wrong, where, and what to do.
#![deny(missing_docs)]

pub mod all_pairs;
pub mod arccos;
pub mod bottleneck;
pub mod budget;
pub mod connectivity;
pub mod data;
mod error;
pub mod files;
pub mod gram;
mod kind;
pub mod linalg;
pub mod masked;
pub mod network;
pub mod numbers;
pub mod paper;
pub mod random;
pub mod rank;
pub mod report;
pub mod sampled;
pub mod statistics;
pub mod study;
pub mod theorem;

pub use error::{Error, Result};

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
