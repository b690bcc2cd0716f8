//! The numerical basis: random numbers, sums in lanes, statistics, dense linear algebra, and numbers as users write
//! them.

pub mod bootstrap;
pub(crate) mod counts;
pub mod estimate;
pub mod linalg;
pub(crate) mod names;
pub mod parallel;
pub mod parse;
pub mod random;
pub mod rank;
pub(crate) mod simd;
pub mod statistics;
pub(crate) mod twofold;
