//! An epoch of protocol A (2,048 training samples, then 10,000 test samples) on one thread: `cargo bench --bench training`.
//!
//! The baseline is a dense network of the same width, the least that a masked dense implementation costs;
//! `benches/peers/training.py` is the same in PyTorch.
//!
//! Measured on one core of an AMD EPYC (AVX-512), two runs, each beside PyTorch 2.15 in the same minutes; ms an epoch:
//!
//! | width | sparse | dense | PyTorch: masked | compressed rows | the better of these over ours |
//! |---:|---:|---:|---:|---:|---:|
//! | 8 | 5.0 to 5.1 | the same | 12 to 16 | 46 to 50 | 2.4 to 3.1 |
//! | 32 | 6.7 to 6.8 | 12 to 14 | 17 to 18 | 20 to 22 | 2.6 to 2.7 |
//! | 128 | 6.0 to 6.5 | 28 to 29 | 42 to 44 | 40 | 6.3 to 6.7 |
//! | 216 | 5.8 to 7.4 | 47 to 48 | 66 to 78 | 33 to 34 | 4.6 to 5.7 |
//! | 328 | 5.9 to 6.2 | 69 | 104 to 114 | 19 to 32 | 3.2 to 5.1 |
//! | 512 | 5.5 to 6.3 | 110 to 111 | 156 to 167 | 36 to 39 | 5.8 to 7.0 |
//!
//! A sparse epoch takes 6352 (2048 x 3 + 10,000) = 103 million multiply-adds, less the first layer's input gradient: 15 a
//! nanosecond, of 54 that a core attains from registers. Rows of a block come from the second-level cache, 32 bytes a cycle, which
//! allows about half of that. At width 328 a quarter of the time is the sparse product, a fifth making values of bytes, a tenth
//! each the last layer's product, the sparse gradient and the side-by-side copy of the batch. Bytes read by the sparse product
//! itself were slower: widening costs more than the second-level cache.

use std::time::Instant;

use sparsewidth::Result;
use sparsewidth::budget::{PAPER_WIDTHS, first_layer_connectivity, paper_learning_rate};
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{Mnist, Normalisation, Normaliser};
use sparsewidth::network::{
    Activation, MaskFamily, MlpLaw, Parametrisation, Samples, TrainingData, TrainingSpec, WeightLaw, train,
};

const WEIGHTS: usize = 6352;
const EPOCHS: usize = 10;

fn data() -> Result<TrainingData> {
    let mnist = Mnist::embedded()?;
    let normaliser = Normaliser::fit(Normalisation::Pixel, &mnist.train.images.mapv(f64::from), true)?;
    let samples = |images| Samples::of_images(images, &normaliser);
    TrainingData::new(
        (samples(mnist.train.images), mnist.train.labels),
        (&samples(mnist.test.images), mnist.test.labels),
    )
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
                parametrisation: Parametrisation::NeuralTangent,
                biases: false,
                activation: Activation::Relu,
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
