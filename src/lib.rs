//! x
#![deny(missing_docs)]
pub mod arccos;
pub mod connectivity;
pub mod data;
pub mod error;
pub mod gram;
pub mod linalg;
pub mod masked;
pub mod network;
pub mod paper;
pub mod random;
pub mod theorem;
pub use error::{Error, Result};
