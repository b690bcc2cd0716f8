//! `sparsewidth evaluate`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sparsewidth::data::{GlobalScale, Labelled, Normalisation, Normaliser};
use sparsewidth::numeric::parse::number;
use sparsewidth::train::{Checkpoint, TrainedWeights};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::values::path;

#[derive(Args)]
pub struct EvaluateArgs {
    /// Weights to evaluate, a .safetensors file: one that `train --keep-weights` wrote, or PyTorch's state dictionary
    /// of a perceptron with ReLU between its linear layers (0.weight, 0.bias, 2.weight, ...)
    #[arg(value_name = "FILE", value_parser = path())]
    weights: PathBuf,
    #[command(flatten)]
    data: ImagesOption,
    /// For a state dictionary: how its inputs were normalised, by the statistics of the training set
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["mean", "deviation"])]
    normalisation: Option<Normalisation>,
    /// For a state dictionary: the mean that was subtracted from pixels between 0 and 1, as in torchvision's Normalize;
    /// 0 for ToTensor alone
    #[arg(long, value_name = "MEAN", value_parser = number, allow_negative_numbers = true)]
    mean: Option<f64>,
    /// For a state dictionary: the deviation by which pixels between 0 and 1 were then divided [default: 1 with --mean]
    #[arg(long, value_name = "DEVIATION", value_parser = number, requires = "mean")]
    deviation: Option<f64>,
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
    let read = TrainedWeights::read(&args.weights)?;
    let labelled = args.data.data.labelled()?;
    let mut checkpoint = match read {
        TrainedWeights::Checkpoint(checkpoint) => {
            let why = "these weights say how their inputs were normalised";
            ["normalisation", "mean", "deviation"].iter().try_for_each(|option| common.refuse(option, why))?;
            checkpoint
        }
        TrainedWeights::StateDict(network) => Checkpoint { network, normaliser: args.normaliser(&labelled.train)? },
        _ => unreachable!("weights are of these two kinds"),
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

impl EvaluateArgs {
    /// How the inputs of a state dictionary were normalised.
    fn normaliser(&self, training: &Labelled) -> Result<Normaliser> {
        if let Some(mean) = self.mean {
            let deviation = self.deviation.unwrap_or(1.0);
            if !(mean.is_finite() && deviation.is_finite() && deviation > 0.0) {
                let problem = "must be finite, and the deviation positive";
                let found = format!("{mean}, {deviation}");
                return Err(Error::value("--mean, --deviation", found, problem, "give those of the training"));
            }
            let scale = GlobalScale { mean, deviation };
            return Ok(Normaliser::of_scale(scale, training.images.ncols(), training.kind()));
        }
        match self.normalisation {
            Some(normalisation) => Normaliser::fit(normalisation, &training.images.to_real(), training.kind()),
            None => {
                let problem = "a state dictionary does not say how its inputs were normalised";
                let remedy =
                    "add --normalisation NAME (rescale is ToTensor alone), or --mean and --deviation as in Normalize";
                Err(Error::file(&self.weights, problem, remedy))
            }
        }
    }
}
