//! The theory: from a pair of inputs to its Gram triple, to arc-cosine moments averaged over masks, to the mean squared
//! distance of a sparse, finite network's NNGP kernel from the infinite-width kernel (Theorem 1).
//!
//! | module | what it holds |
//! |---|---|
//! | [`gram`] | a pair of inputs and its Gram triple `(A, B, C)`, all that a kernel sees of it |
//! | [`arc_cosine`] | the arc-cosine moments `K_1` and `K_2` |
//! | [`masked`] | their averages over masks, `K~_1` and `K~_2`, one file per method |
//! | [`nngp`] | Theorem 1 |
//! | [`ntk`] | the tangent kernel, and the kernels of infinite width at any depth |
//! | [`given`] | both kernels of a layer whose masks are given: nothing is averaged over masks |
//! | [`all_pairs`] | Theorem 1 by the second-order expansion, for all pairs of two sets |
//! | [`matrix`] | matrices of all these kernels |
//! | [`eq_4`] | Eq. (4), its diagonal form and optimal connectivity, as published |

pub mod all_pairs;
pub mod arc_cosine;
pub mod eq_4;
pub mod given;
pub mod gram;
pub mod masked;
pub mod matrix;
pub mod nngp;
pub mod ntk;
