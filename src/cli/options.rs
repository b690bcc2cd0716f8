//! Options that several commands share.

use clap::{Args, ValueEnum};
use sparsewidth::Result;
use sparsewidth::data::{Dataset, Normalisation};
use sparsewidth::network::Connectivity;
use sparsewidth::network::{Activation, MaskFamily, WeightDistribution};
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::study::Reference;
use sparsewidth::study::paper::usual_widths;

use super::Common;
use super::values::source;

/// How inputs are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormalisationOption {
    /// (x - mean) / stdev for each pixel, 0 where it never varies
    Pixel,
    /// one mean and standard deviation for all entries: MNIST's published ones, (x/255 - 0.1307) / 0.3081; the set's own for other data
    Global,
    /// as they are
    None,
}

impl From<NormalisationOption> for Normalisation {
    fn from(option: NormalisationOption) -> Self {
        match option {
            NormalisationOption::Pixel => Self::Pixel,
            NormalisationOption::Global => Self::Global,
            NormalisationOption::None => Self::None,
        }
    }
}

/// Which weights exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MaskOption {
    /// each independently
    Bernoulli,
    /// an exact count, uniform over the layer
    ExactCount,
    /// an exact count in each row, round(p d), which keeps a weight budget but for rounding
    ConstantFanIn,
}

impl From<MaskOption> for MaskFamily {
    fn from(option: MaskOption) -> Self {
        match option {
            MaskOption::Bernoulli => Self::Bernoulli,
            MaskOption::ExactCount => Self::ExactCount,
            MaskOption::ConstantFanIn => Self::ConstantFanIn,
        }
    }
}

/// The law of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LawOption {
    /// N(0, sigma^2)
    Gaussian,
    /// uniform on (-sigma, sigma)
    Uniform,
}

impl From<LawOption> for WeightDistribution {
    fn from(option: LawOption) -> Self {
        match option {
            LawOption::Gaussian => Self::Gaussian,
            LawOption::Uniform => Self::Uniform,
        }
    }
}

/// What is between the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActivationOption {
    /// the positive part
    Relu,
    /// nothing
    Linear,
}

impl From<ActivationOption> for Activation {
    fn from(option: ActivationOption) -> Self {
        match option {
            ActivationOption::Relu => Self::Relu,
            ActivationOption::Linear => Self::Linear,
        }
    }
}

/// Where inputs come from.
#[derive(Args)]
pub struct DataOption {
    /// `mnist` (embedded: 2,048 training and 10,000 test images), a folder with the four MNIST files (plain or .gz), a .npy
    /// file of shape (N, d), or gaussian:D[,N]
    #[arg(long, default_value = "mnist", value_name = "SOURCE", value_parser = source())]
    pub data: Dataset,
}

/// Where images with labels come from.
#[derive(Args)]
pub struct ImagesOption {
    /// `mnist` (embedded: 2,048 training and 10,000 test images), or a folder with the four MNIST files (plain or .gz)
    #[arg(long, default_value = "mnist", value_name = "SOURCE", value_parser = source())]
    pub data: Dataset,
}

/// How kernels are sampled and averaged.
#[derive(Args)]
pub struct SamplingOptions {
    /// Random pairs of inputs; where the data has no more pairs, each of these once
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = count)]
    pub pairs: usize,
    /// Initialisations of each sampled network; more where that draws fewer than 20,000 weights in all (not over all pairs)
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = count)]
    pub initialisations: usize,
    /// Relative error to which Theorem 1's masked moments are computed, pair by pair
    #[arg(long, default_value_t = 1e-4, value_name = "ERROR", value_parser = share)]
    pub tolerance: f64,
    /// Masks per pair, where that error is out of reach and masks are sampled instead
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pub masks: usize,
    /// Masks of sampled networks; the theory is about Bernoulli masks
    #[arg(long, value_enum, default_value_t = MaskOption::Bernoulli)]
    pub mask: MaskOption,
    /// Weights of sampled networks; the theory is about Gaussian weights, and is scaled to the variance of others
    #[arg(long, value_enum, default_value_t = LawOption::Gaussian)]
    pub law: LawOption,
    /// Kernel that sampled ones are compared to: analytic, or dense:N for one drawn dense network of width N
    #[arg(long, default_value = "analytic", value_name = "KERNEL")]
    pub reference: Reference,
}

impl ImagesOption {
    /// The pixels of an image, and the number of training images.
    pub fn sizes(&self) -> Result<(usize, usize)> {
        let labelled = self.data.labelled()?;
        let training = &labelled.train.images;
        Ok((training.ncols(), training.nrows()))
    }
}

/// Widths to look at where none are asked for: the usual ones, or what the budget fits, which is said.
pub fn default_widths(
    usual: &[usize],
    (weights, dimension, outputs): (usize, usize, usize),
    last_connectivity: Connectivity,
    common: &Common,
) -> Vec<usize> {
    let widths = usual_widths(usual, weights, dimension, outputs, last_connectivity);
    if widths != usual {
        let list = |widths: &[usize]| widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        common.note(&format!(
            "Widths: {}, which {weights} weights fit at {dimension} inputs; the usual {} do not. Others: --widths.",
            list(&widths),
            list(usual)
        ));
    }
    widths
}
