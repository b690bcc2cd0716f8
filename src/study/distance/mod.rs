//! The study of distances: a mean squared distance for each normalisation, method and network.

mod by_method;
mod compute;
mod method;
mod spec;

pub use method::{DistanceMethod, Reference};
pub use spec::{DistanceSpec, NetworkSpec};

pub(crate) use compute::{DistanceInputs, DistanceStudy, mean_square};
