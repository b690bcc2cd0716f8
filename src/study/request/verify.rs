//! Theorem 1 against drawn networks.

use serde::Deserialize;

use super::{Caller, KernelRequest, normalisation_of};
use crate::data::{Dataset, Normalisation};
use crate::error::Result;
use crate::network::MaskFamily;
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, listed_count, number, share};
use crate::study::VerifySpec;

/// A verification of Theorem 1.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct VerifyRequest {
    /// Normalisation of the data that are given [default: pixel for images and data with labels, none for other data]
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_name = "NAME", requires = "data"))]
    pub normalisation: Option<Normalisation>,
    /// Expected numbers of weights per row, d p; dense rows are always included
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', default_values_t = Self::default().weights_per_row, value_name = "LIST", value_parser = number))]
    pub weights_per_row: Vec<f64>,
    /// Hidden widths
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', default_values_t = Self::default().widths, value_name = "LIST", value_parser = listed_count))]
    pub widths: Vec<usize>,
    /// Number of random pairs of inputs per cell; where the data has no more pairs, each is taken once
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().pairs, value_name = "N", value_parser = count))]
    pub pairs: usize,
    /// Mask family of networks and theory; fixed counts of more than 20 entries use sampled masks, which takes minutes
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().mask))]
    pub mask: MaskFamily,
    /// Which kernel.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub kernel: KernelRequest,
    /// Number of initialisations per cell, at least 1,000; estimates that stay too skewed are not tested
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().initialisations, value_name = "N", value_parser = count))]
    pub initialisations: usize,
    /// Relative error of the exact masked moments
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().tolerance, value_name = "ERROR", value_parser = share))]
    pub tolerance: f64,
}

impl Default for VerifyRequest {
    fn default() -> Self {
        let VerifySpec { weights_per_row, widths, pairs, mask, initialisations, tolerance, .. } = VerifySpec::usual(0);
        let (normalisation, kernel) = (None, KernelRequest::default());
        Self { normalisation, weights_per_row, widths, pairs, mask, kernel, initialisations, tolerance }
    }
}

impl VerifyRequest {
    /// The verification that is asked for, on some data or else on the usual ones.
    ///
    /// # Errors
    /// Where the data cannot be read, or a setting is out of range or has no effect.
    pub fn spec(self, data: Option<Dataset>, seed: u64, caller: &dyn Caller) -> Result<VerifySpec> {
        let mut spec = VerifySpec {
            weights_per_row: self.weights_per_row,
            widths: self.widths,
            pairs: self.pairs,
            mask: self.mask,
            kernel: self.kernel.get(caller)?,
            initialisations: self.initialisations,
            tolerance: self.tolerance,
            ..VerifySpec::usual(seed)
        };
        let Some(data) = data else {
            caller.refuse("normalisation", "the usual data have their own")?;
            spec.check()?;
            return Ok(spec);
        };
        spec.data = vec![(data.clone(), normalisation_of(self.normalisation, &data)?)];
        spec.check()?;
        say_left_out(data.dimension()?, &spec.weights_per_row, caller);
        Ok(spec)
    }
}

/// Says which rows are left out: those of more weights than there are inputs.
fn say_left_out(dimension: usize, weights_per_row: &[f64], caller: &dyn Caller) {
    let beyond: Vec<String> =
        weights_per_row.iter().filter(|row| **row > dimension as f64).map(f64::to_string).collect();
    if !beyond.is_empty() {
        let beyond = beyond.join(",");
        caller.note(&format!(
            "Left out: {beyond} weights per row, more than the {dimension} inputs. Dense rows are verified."
        ));
    }
}
