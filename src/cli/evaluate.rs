//! `sparsewidth evaluate`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sparsewidth::Result;
use sparsewidth::train::Checkpoint;

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::values::path;

#[derive(Args)]
pub struct EvaluateArgs {
    /// Weights to evaluate, a .safetensors file that `train --keep-weights` wrote
    #[arg(value_name = "FILE", value_parser = path())]
    weights: PathBuf,
    #[command(flatten)]
    data: ImagesOption,
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
    let mut checkpoint = Checkpoint::read(&args.weights)?;
    let labelled = args.data.data.labelled()?;
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
