//! An epoch of protocol A (2,048 training samples, then 10,000 test samples) on one thread: `cargo bench --bench training`.
//!
//! The baseline is a dense network of the same width, the least that a masked dense implementation costs;
//! `benches/peers/training.py` is the same in PyTorch.

use std::time::Instant;

use sparsewidth::Result;
use sparsewidth::budget::{PAPER_WIDTHS, first_layer_connectivity, paper_learning_rate};
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{Mnist, Normalisation, Normaliser};
use sparsewidth::network::{MaskFamily, MlpLaw, Samples, TrainingData, TrainingSpec, WeightLaw, train};

const WEIGHTS: usize = 6352;
const EPOCHS: usize = 10;

fn data() -> Result<TrainingData> {
    let mnist = Mnist::embedded()?;
    let normaliser = Normaliser::fit(Normalisation::Pixel, &mnist.train.images.mapv(f64::from), true)?;
    let samples = |images| Samples::of_images(images, &normaliser);
    Ok(TrainingData::new(
        (samples(mnist.train.images), mnist.train.labels),
        (&samples(mnist.test.images), mnist.test.labels),
    ))
}

/// Milliseconds an epoch, without drawing the network: the least of a few times, since what disturbs a run only adds.
fn milliseconds(data: &TrainingData, width: usize, connectivity: Connectivity, sparse: bool) -> Result<f64> {
    let spec = |epochs: usize| -> Result<TrainingSpec> {
        Ok(TrainingSpec {
            network: MlpLaw {
                sizes: vec![784, width, 10],
                connectivities: vec![connectivity, Connectivity::DENSE],
                mask: MaskFamily::ExactCount,
                law: WeightLaw::Uniform,
            },
            learning_rate: paper_learning_rate(width, !sparse)?,
            epochs,
            batch: 256,
            seed: 0,
            run: 0,
        })
    };
    let least = |epochs: usize| -> Result<f64> {
        let spec = spec(epochs)?;
        let mut least = f64::INFINITY;
        for _ in 0..4 {
            let start = Instant::now();
            train(data, &spec)?;
            least = least.min(start.elapsed().as_secs_f64());
        }
        Ok(least)
    };
    Ok(1e3 * (least(1 + EPOCHS)? - least(1)?) / EPOCHS as f64)
}

fn main() -> Result<()> {
    let data = data()?;
    println!("{WEIGHTS} weights, one thread, ms an epoch");
    println!("width  sparse   dense");
    for width in PAPER_WIDTHS.into_iter().filter(|width| *width < 600) {
        let connectivity = first_layer_connectivity(WEIGHTS, 784, 10, width)?;
        let sparse = milliseconds(&data, width, connectivity, true)?;
        let dense = milliseconds(&data, width, Connectivity::DENSE, width == 8)?;
        println!("{width:5}  {sparse:6.2}  {dense:6.1}");
    }
    Ok(())
}
