//! Synthetic inputs from a standard normal distribution.

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};
use crate::numeric::parse;
use crate::numeric::random::{Purpose, Stream};

/// The beginning of the name of such data, as in `gaussian:784,1000`.
pub(super) const PREFIX: &str = "gaussian:";

/// The most synthetic entries: 2 GB in double precision, and as much again while they are normalised.
const MAX_ENTRIES: usize = 250_000_000;

/// Reads dimension and samples, written `D` or `D,N`. `text` is the whole name, for the error message.
pub(super) fn sizes(text: &str, sizes: &str) -> Result<(usize, usize)> {
    const EXAMPLE: &str = "write for instance gaussian:784 or gaussian:784,1000";
    let (dimension, samples) = sizes.split_once(',').unwrap_or((sizes, "10000"));
    let size = |part: &str, least| match parse::listed_count(part.trim()) {
        Ok(size) => Ok(Some(size).filter(|size| (least..=MAX_ENTRIES).contains(size))),
        Err(error) => Err(Error::value("data", text, format!("{:?} {}", part.trim(), error.problem), EXAMPLE)),
    };
    match (size(dimension, 1)?, size(samples, 2)?) {
        (Some(dimension), Some(samples)) if dimension * samples <= MAX_ENTRIES => Ok((dimension, samples)),
        _ => Err(Error::value("data", text, problem(), EXAMPLE)),
    }
}

fn problem() -> String {
    format!("the dimension must be at least 1, the samples at least 2, their product at most {MAX_ENTRIES}")
}

/// `samples` inputs from `N(0, I_d)`, shape `(samples, d)`; a row does not depend on how many are drawn.
///
/// # Errors
/// Where a size is out of its range.
pub(super) fn draw(dimension: usize, samples: usize, seed: u64) -> Result<Array2<f64>> {
    if dimension == 0 || samples < 2 || dimension.checked_mul(samples).is_none_or(|entries| entries > MAX_ENTRIES) {
        let found = format!("{PREFIX}{dimension},{samples}");
        return Err(Error::value("data", found, problem(), "give sizes in that range"));
    }
    let mut values = Array2::zeros((samples, dimension));
    for (index, mut row) in values.rows_mut().into_iter().enumerate() {
        let mut stream = Stream::new(seed, Purpose::Synthetic, index as u32, 0);
        row.mapv_inplace(|_: f64| StandardNormal.sample(&mut stream));
    }
    Ok(values)
}
