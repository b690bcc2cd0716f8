//! x
#![deny(missing_docs)]
pub mod arccos;
pub mod budget;
pub mod connectivity;
pub mod data;
pub mod error;
pub mod gram;
pub mod linalg;
pub mod masked;
pub mod network;
pub mod paper;
pub mod random;
pub mod report;
pub mod sampled;
pub mod statistics;
pub mod study;
pub mod theorem;
pub use error::{Error, Result};
