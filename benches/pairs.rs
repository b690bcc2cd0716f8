//! Kernels of drawn networks on 10,000 given pairs, on one thread. `cargo bench --bench pairs`.
//!
//! One initialisation at the paper's budget of 6,352 weights: 3.5, 13.0 and 11.1 ms at widths 8, 128, 512 on one core
//! of an AMD EPYC (AVX-512); 10 to 54 million multiply-adds of features that stream inputs of 31 MB, and two gathered
//! loads a pair and unit, 10 million at width 512. The machine is shared: the same figure varies by a fifth from run to
//! run.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use sparsewidth::data::{DataSource, Normalisation, random_pairs};
use sparsewidth::network::budget::first_layer_connectivity;
use sparsewidth::network::{LayerId, LayerSpec, MaskFamily, WeightDistribution};
use sparsewidth::sampled::{PairedInputs, sampled_kernels};

fn main() {
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(1).build_global() {
        eprintln!("{error}");
    }
    divan::main();
}

/// Pairs per second of one initialisation.
#[divan::bench(args = [8, 128, 512], sample_count = 20)]
fn sampled_kernels_of_pairs(bencher: Bencher, width: usize) {
    const PAIRS: usize = 10_000;
    let inputs = DataSource::Embedded.inputs(0).expect("embedded data");
    let images = inputs.normalised(Normalisation::Pixel).expect("images have pixels");
    let pairs = random_pairs(images.nrows(), PAIRS, 0).expect("enough images");
    let paired = PairedInputs::new(images.view(), &pairs).expect("finite inputs");
    let connectivity = first_layer_connectivity(6352, 784, 10, width).expect("within the budget");
    let law = LayerSpec {
        rows: width,
        columns: 784,
        connectivity,
        mask: MaskFamily::Bernoulli,
        law: WeightDistribution::Gaussian,
    };
    let id = LayerId { seed: 0, initialisation: 0, layer: 0 };
    bencher.counter(ItemsCount::new(PAIRS)).bench_local(|| sampled_kernels(black_box(&paired), law, id));
}
