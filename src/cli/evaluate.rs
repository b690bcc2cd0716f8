//! `sparsewidth evaluate`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sparsewidth::data::{Normalisation, Normaliser};
use sparsewidth::train::WeightFile;
use sparsewidth::{Error, Result};

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::values::path;

#[derive(Args)]
pub struct EvaluateArgs {
    /// Weights to evaluate, a .safetensors file: of `train --keep-weights`, or the PyTorch state dict of a perceptron with
    /// ReLU between its linear layers
    #[arg(value_name = "FILE", value_parser = path())]
    weights: PathBuf,
    #[command(flatten)]
    data: ImagesOption,
    /// Normalisation that the inputs had when a state dict was trained, by the statistics of the training images;
    /// rescale is that of torchvision's ToTensor alone
    #[arg(long, value_enum, value_name = "NAME")]
    normalisation: Option<Normalisation>,
}

#[derive(Serialize)]
struct Evaluated {
    weights: usize,
    test_samples: usize,
    /// None where an output is not finite: there is no largest one then.
    test_accuracy: Option<f64>,
    test_loss: Option<f64>,
}

pub fn run(args: EvaluateArgs, common: &Common) -> Result<()> {
    let read = WeightFile::read(&args.weights)?;
    if matches!(read, WeightFile::Checkpoint(_)) {
        common.refuse("normalisation", "the file holds the normalisation of its inputs")?;
    }
    let labelled = args.data.data.labelled()?;
    let mut checkpoint = match (read, args.normalisation) {
        (WeightFile::Checkpoint(checkpoint), _) => checkpoint,
        (WeightFile::StateDict(network), Some(normalisation)) => {
            let train = &labelled.train;
            network.with_normaliser(Normaliser::fit(normalisation, &train.images.to_real(), train.kind())?)?
        }
        (WeightFile::StateDict(_), None) => {
            let problem = "is of another program, and does not hold the normalisation of its inputs";
            let remedy = "say which it was: --normalisation rescale, global-mnist, global, pixel or none";
            return Err(Error::file(&args.weights, problem, remedy));
        }
    };
    let test = &labelled.test;
    let found = checkpoint.evaluate(test)?;
    let weights = checkpoint.network.weights();
    let finite = found.loss.is_finite();
    if common.json {
        let (test_accuracy, test_loss) = (finite.then_some(found.accuracy), finite.then_some(found.loss));
        let line = Evaluated { weights, test_samples: test.len(), test_accuracy, test_loss };
        print(&json_lines(&[line])?)?;
    }
    let found = if finite {
        format!("accuracy {:.4}, loss {:.4}", found.accuracy, found.loss)
    } else {
        "the loss is not finite, so there is no accuracy: the run diverged".into()
    };
    common.say(&format!("{weights} weights, {} test samples: {found}\n", test.len()))
}
