//! Rates of drawn and trained networks at the paper's budget of 6,352 weights, on one thread. `cargo bench --bench networks`.
//!
//! `sparse_epoch` is one epoch of protocol A (2,048 training samples, then 10,000 test samples); `dense_epoch` is the same
//! for a dense network of the same width, the least that a masked dense implementation costs, and the baseline.
//! `sampled_kernels_of_pairs` draws one layer and averages 10,000 pairs.
//!
//! Measured on one core of an AMD EPYC (AVX-512), medians, sparse against dense:
//!
//! | width | sparse epoch | dense epoch | ratio |
//! |---|---|---|---|
//! | 8 | 9.7 ms | 9.8 ms | 1.0 (the same network) |
//! | 128 | 17.9 ms | 36.7 ms | 2.1 |
//! | 512 | 15.5 ms | 124 ms | 8.0 |
//!
//! A sparse epoch takes 6352 (2048 x 3 + 10,000) = 103 million multiply-adds, in 17.9 ms at width 128: 6 a nanosecond. Each
//! takes one load of four bytes from the second-level cache, where a block of 256 samples lies (0.8 MB): at 64 bytes a
//! cycle the limit would be about eight times that. The gathering of batches (1.6 million scattered values) and the last
//! layer's products, ten rows high, take most of the rest.
//!
//! `sampled_kernels_of_pairs`: 3.5, 13.0 and 11.1 ms at widths 8, 128, 512; 10 to 54 million multiply-adds of features that
//! stream inputs of 31 MB, and two gathered loads a pair and unit, 10 million at width 512.
//!
//! The machine is shared: the same figure varies by a fifth from run to run.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::Array2;
use sparsewidth::budget::{first_layer_connectivity, paper_learning_rate};
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{DataSource, Labelled, Mnist, Normalisation, Normaliser};
use sparsewidth::network::{
    Blocks, LayerId, LayerLaw, MaskFamily, MlpLaw, TrainingData, TrainingSpec, WeightLaw, train,
};
use sparsewidth::sampled::{PairedInputs, sampled_kernels};

fn main() {
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(1).build_global() {
        eprintln!("{error}");
    }
    divan::main();
}

fn data() -> TrainingData {
    let mnist = Mnist::embedded().expect("embedded data");
    let values = |set: &Labelled| set.images.mapv(f64::from);
    let normaliser = Normaliser::fit(Normalisation::Pixel, &values(&mnist.train), true).expect("images have pixels");
    let single = |set: &Labelled| -> Array2<f32> { normaliser.apply(values(set)).mapv(|value| value as f32) };
    let test = Blocks::new(single(&mnist.test).view(), &mnist.test.labels);
    TrainingData { samples: single(&mnist.train), labels: mnist.train.labels.clone(), test }
}

fn epoch(bencher: Bencher, width: usize, connectivity: Connectivity) {
    let data = data();
    let spec = TrainingSpec {
        network: MlpLaw {
            sizes: vec![784, width, 10],
            connectivities: vec![connectivity, Connectivity::DENSE],
            mask: MaskFamily::ExactCount,
            law: WeightLaw::Uniform,
        },
        learning_rate: paper_learning_rate(width, false).expect("a width of the paper"),
        epochs: 1,
        batch: 256,
        seed: 0,
        run: 0,
    };
    bencher.bench_local(|| train(black_box(&data), &spec));
}

#[divan::bench(args = [8, 128, 512], sample_count = 20)]
fn sparse_epoch(bencher: Bencher, width: usize) {
    epoch(bencher, width, first_layer_connectivity(6352, 784, 10, width).expect("within the budget"));
}

#[divan::bench(args = [8, 128, 512], sample_count = 20)]
fn dense_epoch(bencher: Bencher, width: usize) {
    epoch(bencher, width, Connectivity::DENSE);
}

/// Pairs per second of one initialisation.
#[divan::bench(args = [8, 128, 512], sample_count = 20)]
fn sampled_kernels_of_pairs(bencher: Bencher, width: usize) {
    const PAIRS: usize = 10_000;
    let inputs = DataSource::Embedded.inputs(0).expect("embedded data");
    let images = inputs.normalised(Normalisation::Pixel).expect("images have pixels");
    let pairs = PairedInputs::random_pairs(images.nrows(), PAIRS, 0).expect("enough images");
    let paired = PairedInputs::new(images.view(), &pairs).expect("finite inputs");
    let connectivity = first_layer_connectivity(6352, 784, 10, width).expect("within the budget");
    let law =
        LayerLaw { rows: width, columns: 784, connectivity, mask: MaskFamily::Bernoulli, law: WeightLaw::Gaussian };
    let id = LayerId { seed: 0, initialisation: 0, layer: 0 };
    bencher.counter(ItemsCount::new(PAIRS)).bench_local(|| sampled_kernels(black_box(&paired), law, id));
}
