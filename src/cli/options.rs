//! Options that several commands share.

use clap::Args;
use sparsewidth::data::Dataset;

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
