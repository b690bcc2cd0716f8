//! Options that several commands share.

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Dataset;
use sparsewidth::kernel::ntk::{Kernel, KernelName, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::network::{MaskFamily, WeightDistribution};
use sparsewidth::numeric::parse::{count, share};
use sparsewidth::study::Reference;
use sparsewidth::study::paper::usual_widths;

use super::Common;
use super::values::source;

/// Where inputs come from.
#[derive(Args)]
pub struct DataOption {
    /// Data set: `mnist` (embedded: 2,048 training and 10,000 test images); a folder of files as MNIST, EMNIST, KMNIST,
    /// QMNIST and CIFAR have them, or FOLDER/NAME for one of several there; x_train, y_train, x_test and y_test in an
    /// .npz file or as .npy files in a folder; a .npy file of shape (N, d); or gaussian:D[,N]. Labels are not needed
    #[arg(long, default_value = "mnist", value_name = "SOURCE", value_parser = source())]
    pub data: Dataset,
}

/// Where images with labels come from.
#[derive(Args)]
pub struct ImagesOption {
    /// Data set with labels: `mnist` (embedded: 2,048 training and 10,000 test images); a folder of files as MNIST,
    /// EMNIST, KMNIST, QMNIST and CIFAR have them, or FOLDER/NAME for one of several there; or x_train, y_train, x_test
    /// and y_test in an .npz file or as .npy files in a folder
    #[arg(long, default_value = "mnist", value_name = "SOURCE", value_parser = source())]
    pub data: Dataset,
}

/// Which kernel.
#[derive(Args)]
pub struct KernelOption {
    /// Kernel: nngp, that of the last layer as in the paper, or ntk, the tangent kernel, which gradient descent sees
    #[arg(long, value_enum, default_value_t = KernelName::Nngp, value_name = "KERNEL")]
    pub kernel: KernelName,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau = p)
    #[arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION")]
    pub tangent: Tangent,
}

impl KernelOption {
    /// The kernel; a convention without the tangent kernel is refused.
    pub fn get(&self, common: &Common) -> Result<Kernel> {
        if self.kernel == KernelName::Nngp {
            common.refuse("tangent", "the NNGP kernel has no such convention, only --kernel ntk has")?;
        }
        Ok(self.kernel.with(self.tangent))
    }
}

/// How kernels are sampled and averaged.
#[derive(Args)]
pub struct SamplingOptions {
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = count)]
    pub pairs: usize,
    /// Number of initialisations of each sampled network; raised until they draw 20,000 weights in all (not for all
    /// pairs)
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = count)]
    pub initialisations: usize,
    /// Relative error of Theorem 1's masked moments, pair by pair
    #[arg(long, default_value_t = 1e-4, value_name = "ERROR", value_parser = share)]
    pub tolerance: f64,
    /// Number of masks per pair, where --tolerance cannot be reached or masks have a fixed count
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pub masks: usize,
    /// Mask family of sampled networks; the theory assumes Bernoulli masks
    #[arg(long, value_enum, default_value_t = MaskFamily::Bernoulli)]
    pub mask: MaskFamily,
    /// Distribution of the weights of sampled networks; the theory assumes Gaussian weights, and is scaled to the
    /// variance of other distributions
    #[arg(long, value_enum, default_value_t = WeightDistribution::Gaussian)]
    pub law: WeightDistribution,
    /// Reference for sampled kernels: analytic, or dense:N for one sampled dense network of width N
    #[arg(long, default_value = "analytic", value_name = "KERNEL")]
    pub reference: Reference,
}

impl ImagesOption {
    /// The pixels of an image with the number of classes, and the number of training images.
    pub fn sizes(&self) -> Result<((usize, usize), usize)> {
        let labelled = self.data.to_learn()?;
        let training = &labelled.train.images;
        Ok(((training.ncols(), labelled.classes()), training.nrows()))
    }
}

/// Widths to look at where none are asked for: the usual ones, or those that fit the budget, with a note.
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
            "Widths: {}. The usual {} do not all fit {weights} weights at {dimension} inputs; choose others with --widths.",
            list(&widths),
            list(usual)
        ));
    }
    widths
}
