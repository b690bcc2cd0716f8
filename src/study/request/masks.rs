//! Given masks.

use serde::Deserialize;

use super::{Caller, normalisation_of};
use crate::data::{Dataset, Normalisation};
use crate::error::Result;
use crate::kernel::given::MaskScale;
use crate::kernel::ntk::{KernelName, Tangent};
#[cfg(feature = "cli")]
use crate::numeric::parse::count;
use crate::study::{MaskInputs, MasksSpec};

/// What is to be found of given masks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct MasksRequest {
    /// Normalisation of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_name = "NAME"))]
    pub normalisation: Option<Normalisation>,
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().pairs, value_name = "N", value_parser = count))]
    pub pairs: usize,
    /// Kernels whose distances are taken: nngp, that of the last layer as in the paper, and ntk, the tangent kernel
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', default_values_t = Self::default().kernel, value_name = "LIST"))]
    pub kernel: Vec<KernelName>,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau is the inverse of their variance)
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().tangent, value_name = "CONVENTION"))]
    pub tangent: Tangent,
    /// Variance of the weights that a mask keeps
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().scale, value_name = "SCALE"))]
    pub scale: MaskScale,
    /// Number of random masks of as many weights that each given one is compared with, over at most 500 of the pairs; 0
    /// for none
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().drawn, value_name = "N", value_parser = count))]
    pub drawn: usize,
    /// Number of times that the weights of networks of more than one hidden layer are drawn, for the kernels of the
    /// last hidden layer over at most 500 of the pairs; 0 for none
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().initialisations, value_name = "N", value_parser = count))]
    pub initialisations: usize,
}

impl Default for MasksRequest {
    fn default() -> Self {
        Self {
            normalisation: None,
            pairs: 1_000,
            kernel: vec![KernelName::Nngp, KernelName::Ntk],
            tangent: Tangent::Standardised,
            scale: MaskScale::Density,
            drawn: 100,
            initialisations: 32,
        }
    }
}

impl MasksRequest {
    /// What is asked for, with the curves of random masks or without.
    ///
    /// # Errors
    /// Where a setting that was given has no effect.
    pub fn spec(&self, curves: bool, seed: u64, caller: &dyn Caller) -> Result<MasksSpec> {
        if !self.kernel.contains(&KernelName::Ntk) {
            let why = format!("only the kernel ntk has such a convention, which {} leaves out", caller.name("kernel"));
            caller.refuse("tangent", &why)?;
        }
        let mut kernels = Vec::new();
        for kernel in self.kernel.iter().map(|kernel| kernel.with(self.tangent)) {
            if !kernels.contains(&kernel) {
                kernels.push(kernel);
            }
        }
        let (scale, drawn, initialisations) = (self.scale, self.drawn, self.initialisations);
        Ok(MasksSpec { kernels, scale, drawn, initialisations, curves, seed })
    }

    /// Random pairs of the data.
    ///
    /// # Errors
    /// Where the data cannot be read or normalised, or there is no pair.
    pub fn inputs(&self, data: &Dataset, seed: u64) -> Result<MaskInputs> {
        MaskInputs::of_data(data, normalisation_of(self.normalisation, data)?, self.pairs, seed)
    }
}
