//! An epoch of the paper's experiment with perceptrons (2,048 training samples, then 10,000 test samples) on one
//! thread: `cargo bench --bench training`; with `-- PYTHON` beside PyTorch's dense product in the same run
//! (`benches/peers/training.py`, which times the sparse family as well); with `-- crossover`, of images with as many
//! blanks as you like.
//!
//! The baseline is a dense network of the same width, the least that a masked dense implementation costs. Its images
//! come as bytes, whose blanks are skipped, and as values, for the plain product.
//!
//! # Sparse
//!
//! Measured on one core of an AMD EPYC (AVX-512), two runs, each beside PyTorch 2.15 in the same minutes; ms an epoch:
//!
//! | width | sparse | PyTorch: masked | compressed rows | the better of these over ours |
//! |---:|---:|---:|---:|---:|
//! | 8 | 3.3 to 3.8 | 13 to 16 | 44 | 3.5 to 4.9 |
//! | 32 | 4.0 to 4.4 | 18 to 19 | 21 | 4.2 to 4.5 |
//! | 128 | 4.2 to 4.5 | 41 to 42 | 37 to 40 | 8.7 to 8.9 |
//! | 216 | 4.6 | 64 to 75 | 29 to 34 | 6.4 to 7.3 |
//! | 328 | 4.7 to 4.8 | 100 to 104 | 26 to 31 | 5.5 to 6.5 |
//! | 512 | 4.9 to 5.1 | 149 to 150 | 35 | 6.8 to 7.2 |
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
//! # Dense
//!
//! Five runs (three of them with PyTorch in turn) while other programs had a share of both cores; ms an epoch:
//!
//! | width | blanks skipped | plain product | PyTorch | PyTorch over ours, in one run |
//! |---:|---:|---:|---:|---:|
//! | 128 | 13 to 20 | 39 to 44 | 51 to 56 | 2.6, 2.7, 3.0 |
//! | 216 | 29 to 34 | 66 to 74 | 72 to 88 | 2.3, 2.6, 2.8 |
//! | 328 | 36 to 46 | 98 to 109 | 136 to 145 | 3.1, 3.3, 3.8 |
//! | 512 | 44 to 67 | 106 to 164 | 193 to 244 | 2.9, 3.5, 3.7 |
//! | 635 | 76 to 84 | 192 to 205 | 338 to 364 | 4.0, 4.3, 4.5 |
//!
//! The plain product alone takes 29 ms at width 128 and 110 at 512, and PyTorch 41 and 150.
//!
//! The first layer of width `n` would take 784 n (10,000 + 2 x 2,048) multiply-adds. Not blank are 28 % of the pixels
//! in all of four test images that stand together, 39 % in four random images of a batch, and 28 % of the samples in
//! all of four neighbouring pixels, which is 30 % of the work together; 19 % of the pixels are not blank, so that at
//! best a third of that would be left to save. Multiply-adds come at 44 a nanosecond, of 54 from registers: the product
//! reads 84 bytes in four cycles, of 128 that the second-level cache gives. At width 128 that is three quarters of the
//! time, a tenth is packing bytes, and the rest the last layer and the loss. Four samples rather than 64 are what
//! gains: by blocks, 48 and 63 % of the pixels would be left.
//!
//! A batch sorted by common blanks would have 33 % instead of 39 % not blank, 2 % of an epoch: not worth an order.
//!
//! Width 512 on images of which a share of the pixels is blank in all: 53, 68 and 99 ms where 25, 50 and 75 % are not
//! blank, and 101 to 110 by the plain product. So it is skipped up to 75 % of the quads of neighbouring pixels.
//!
//! Where a layer is stored whole (before blanks were skipped there): width 512 takes 105 ms with 40 % of its weights
//! stored sparse and 147 with 60 %, 111 whole; width 64 11.9, 18.0 and 16.3. Last layers of 1,024 inputs and 10 outputs
//! cross at about 80 %, first layers of 8 outputs at 70 %. So the crossovers are 45 % of the weights, and 75 % for
//! layers of at most 32 outputs.

use std::process::Command;
use std::time::Instant;

use ndarray::Array2;
use sparsewidth::Result;
use sparsewidth::data::{Images, LabelledSets, Normalisation, Normaliser};
use sparsewidth::network::Connectivity;
use sparsewidth::network::WeightDistribution;
use sparsewidth::network::budget::first_layer_connectivity;
use sparsewidth::study::paper::{PAPER_WIDTHS, paper_learning_rate};
use sparsewidth::study::{Family, TrainedNetwork};
use sparsewidth::train::{MlpSpec, Parametrisation, Samples, TrainingData, TrainingSpec, train};

const WEIGHTS: usize = 6352;
const EPOCHS: usize = 4;
/// Each time is the least of so many, since what disturbs a run only adds.
const ROUNDS: usize = 10;

/// Images of each set as the trainer takes bytes, or as values, of which it skips none.
fn data(sets: &LabelledSets, skip: bool) -> Result<TrainingData> {
    let normaliser = Normaliser::fit(Normalisation::Pixel, &sets.train.images.to_real(), sets.train.kind())?;
    let samples = |images: &Images| match skip {
        true => Samples::of_images(images.clone(), &normaliser),
        false => Ok(Samples::new(normaliser.apply(images.to_real())?.mapv(|value| value as f32))),
    };
    TrainingData::new(
        (samples(&sets.train.images)?, sets.train.labels.clone()),
        (&samples(&sets.test.images)?, sets.test.labels.clone()),
    )
}

fn spec(width: usize, connectivity: Connectivity, epochs: usize) -> Result<TrainingSpec> {
    let dense = connectivity == Connectivity::DENSE;
    Ok(TrainingSpec {
        network: MlpSpec {
            inputs: 784,
            network: TrainedNetwork::new(Family::Sparse, width, connectivity, 1.0)?.architecture,
            law: WeightDistribution::Uniform,
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
        },
        learning_rate: paper_learning_rate(width, dense)?,
        epochs,
        batch: 256,
        seed: 0,
        run: 0,
    })
}

/// Milliseconds an epoch of each, without drawing the network; they take turns.
fn milliseconds<const N: usize>(width: usize, kinds: [(&TrainingData, Connectivity); N]) -> Result<[f64; N]> {
    let mut least = [[f64::INFINITY; 2]; N];
    for _ in 0..ROUNDS {
        for (least, (data, connectivity)) in least.iter_mut().zip(kinds) {
            for (least, epochs) in least.iter_mut().zip([1, 1 + EPOCHS]) {
                let spec = spec(width, connectivity, epochs)?;
                let start = Instant::now();
                train(data, &spec)?;
                *least = least.min(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(least.map(|[one, all]| 1e3 * (all - one) / EPOCHS as f64))
}

/// The same of the dense network in PyTorch.
fn torch(python: &str, width: usize) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/training.py");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    let arguments = [script, "--dense", &width.to_string(), "--folder", folder].map(String::from);
    let output = Command::new(python).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().last()?.split_whitespace().nth(1)?.parse().ok()
}

/// Images of which only so many first pixels are not blank.
fn partly_blank(sets: &LabelledSets, filled: usize) -> LabelledSets {
    let fill = |images: &Images| {
        let samples = images.to_real().nrows();
        Images::Bytes(Array2::from_shape_fn((samples, 784), |(sample, pixel)| {
            if pixel < filled { 1 + ((sample * 31 + pixel * 17 + sample * pixel) % 255) as u8 } else { 0 }
        }))
    };
    let mut sets = sets.clone();
    (sets.train.images, sets.test.images) = (fill(&sets.train.images), fill(&sets.test.images));
    sets
}

fn main() -> Result<()> {
    let sets = LabelledSets::embedded()?;
    let (skipped, plain) = (data(&sets, true)?, data(&sets, false)?);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "crossover") {
        println!("dense, width 512, ms an epoch\nfilled  skipped   plain");
        for filled in [196, 392, 588, 784] {
            let sets = partly_blank(&sets, filled);
            let (skipped, plain) = (data(&sets, true)?, data(&sets, false)?);
            let kinds = [&skipped, &plain].map(|data| (data, Connectivity::DENSE));
            let [skipped, plain] = milliseconds(512, kinds)?;
            println!("{:6.2}  {skipped:7.1}  {plain:6.1}", filled as f64 / 784.0);
        }
        return Ok(());
    }
    println!("{WEIGHTS} weights, one thread, ms an epoch");
    println!("width  sparse   dense  plain product  PyTorch");
    for width in PAPER_WIDTHS {
        let connectivity = first_layer_connectivity(WEIGHTS, 784, 10, width)?;
        let dense = Connectivity::DENSE;
        let [sparse, dense, plain] =
            milliseconds(width, [(&skipped, connectivity), (&skipped, dense), (&plain, dense)])?;
        let torch = arguments.first().and_then(|python| torch(python, width));
        let torch = torch.map_or("-".into(), |torch| format!("{torch:.1} ({:.1} times dense)", torch / dense));
        println!("{width:5}  {sparse:6.2}  {dense:6.1}  {plain:13.1}  {torch}");
    }
    Ok(())
}
