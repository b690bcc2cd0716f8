//! An epoch of the paper's experiment with perceptrons (2,048 training samples, then 10,000 test samples) on one
//! thread: `cargo bench --bench training`.
//!
//! The baseline is a dense network of the same width, the least that a masked dense implementation costs;
//! `benches/peers/training.py` is the same in PyTorch.
//!
//! Measured on one core of an AMD EPYC (AVX-512), two runs, each beside PyTorch 2.15 in the same minutes; ms an epoch:
//!
//! | width | sparse | dense | PyTorch: masked | compressed rows | the better of these over ours |
//! |---:|---:|---:|---:|---:|---:|
//! | 8 | 3.3 to 3.8 | the same | 13 to 16 | 44 | 3.5 to 4.9 |
//! | 32 | 4.0 to 4.4 | 8.6 to 9.0 | 18 to 19 | 21 | 4.2 to 4.5 |
//! | 128 | 4.2 to 4.5 | 29 to 30 | 41 to 42 | 37 to 40 | 8.7 to 8.9 |
//! | 216 | 4.6 | 48 | 64 to 75 | 29 to 34 | 6.4 to 7.3 |
//! | 328 | 4.7 to 4.8 | 72 | 100 to 104 | 26 to 31 | 5.5 to 6.5 |
//! | 512 | 4.9 to 5.1 | 110 | 149 to 150 | 35 | 6.8 to 7.2 |
//!
//! An epoch has 6352 (2048 x 3 + 10,000) = 103 million multiply-adds, less the first layer's input gradient: 20 a
//! nanosecond, of 54 that a core attains from registers. Rows of a block come from the second-level cache, 32 bytes a
//! cycle, which allows about half of that; 55 % of the pixels of a block of test images are blank in all of them (38 %
//! in a block of random images), and these read one row of zeros from the first-level cache instead. At width 328 a
//! quarter of the time is the sparse product, a fifth the last layer's, an eighth making values of bytes, a tenth the
//! sparse gradient, and a twelfth each the side-by-side copy of the batch and the last layer's gradient.
//!
//! Trial without gain: bytes widened by the sparse product itself, rows of it sorted by their number of weights,
//! leaving blank rows out by compaction.
//!
//! Where a layer is stored whole: width 512 takes 105 ms with 40 % of its weights stored sparse and 147 with 60 %, 111
//! whole; width 64 11.9, 18.0 and 16.3. Last layers of 1,024 inputs and 10 outputs cross at about 80 %, first layers of
//! 8 outputs at 70 %. So the crossovers are 45 % of the weights, and 75 % for layers of at most 32 outputs.

use std::time::Instant;

use sparsewidth::Result;
use sparsewidth::data::{Images, LabelledSets, Normalisation, Normaliser};
use sparsewidth::network::Connectivity;
use sparsewidth::network::WeightDistribution;
use sparsewidth::network::budget::first_layer_connectivity;
use sparsewidth::study::paper::{PAPER_WIDTHS, paper_learning_rate};
use sparsewidth::study::{Family, TrainedNetwork};
use sparsewidth::train::{MlpSpec, Parametrisation, Samples, TrainingData, TrainingSpec, train};

const WEIGHTS: usize = 6352;
const EPOCHS: usize = 10;

fn data() -> Result<TrainingData> {
    let mnist = LabelledSets::embedded()?;
    let normaliser = Normaliser::fit(Normalisation::Pixel, &mnist.train.images.to_real(), mnist.train.kind())?;
    let samples = |images: Images| Samples::of_images(images, &normaliser).expect("a normalisation of these images");
    TrainingData::new(
        (samples(mnist.train.images), mnist.train.labels),
        (&samples(mnist.test.images), mnist.test.labels),
    )
}

/// Milliseconds an epoch, without drawing the network: the least of a few times, since what disturbs a run only adds.
fn milliseconds(data: &TrainingData, width: usize, connectivity: Connectivity, sparse: bool) -> Result<f64> {
    let spec = |epochs: usize| -> Result<TrainingSpec> {
        Ok(TrainingSpec {
            network: MlpSpec {
                inputs: 784,
                network: TrainedNetwork::new(Family::Sparse, width, connectivity, 1.0)?.architecture,
                law: WeightDistribution::Uniform,
                parametrisation: Parametrisation::NeuralTangent,
                biases: false,
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
