//! `sparsewidth evaluate`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sparsewidth::Result;
use sparsewidth::network::Checkpoint;

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::values::path;

#[derive(Args)]
pub struct EvaluateArgs {
    /// The file of weights, a .safetensors of `train --keep-weights`
    #[arg(value_name = "FILE", value_parser = path())]
    weights: PathBuf,
    #[command(flatten)]
    data: ImagesOption,
}

#[derive(Serialize)]
struct Evaluated {
    weights: usize,
    test_samples: usize,
    test_accuracy: f64,
    test_loss: Option<f64>,
}

pub fn run(args: EvaluateArgs, common: &Common) -> Result<()> {
    let mut checkpoint = Checkpoint::read(&args.weights)?;
    let test = args.data.data.labelled()?.test;
    let found = checkpoint.evaluate(&test)?;
    let weights = checkpoint.network.weights();
    if common.json {
        // A loss that is not finite has no number in JSON.
        let test_loss = Some(found.loss).filter(|loss| loss.is_finite());
        let line = Evaluated { weights, test_samples: test.len(), test_accuracy: found.accuracy, test_loss };
        print(&json_lines(&[line])?)?;
    }
    common.say(&format!(
        "{weights} weights, {} test samples: accuracy {:.4}, loss {:.4}\n",
        test.len(),
        found.accuracy,
        found.loss
    ))
}
