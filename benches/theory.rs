//! Rates of the theory: kernels, masks and pairs per second, on one thread. `cargo bench --bench theory`.
//!
//! Measured on one core of an AMD EPYC (AVX-512), medians:
//!
//! - `kernels` 25 ns for `K_1` and `K_2` together, against 12 ns for `atan2_alone` in the same run: half of the time is the
//!   arc tangent, the rest three square roots and two divisions, each of which waits for the one before.
//! - `enumeration` 2.3 ns a mask, 430 million masks a second, eleven times `kernels`: the same kernels in lanes of eight, with
//!   an arc tangent of our own. A mask takes 55 operations, a square root and a division; at two 512-bit operations a cycle of
//!   about 3.5 GHz the 55 alone would take 1.0 ns, root and division (about 20 cycles a vector) another 0.7 ns.
//! - `moment_expansion` 4.5 us a pair of 784 entries, against 2.2 us for `gram_triple`, which checks the entries and makes
//!   one pass of three sums: eight more sums, about 40 operations an entry. At 16 operations a cycle they would take 0.6 us;
//!   one pass instead of eight would come near it.
//! - `sampled_masks` 0.25 to 1.2 us a mask at 9 to 188 entries a mask: 6 ns an entry, for a Philox word, a swap and a
//!   gathered load.
//!
//! The machine is shared: the same figure varies by a fifth from run to run.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::Array2;
use sparsewidth::arccos::arc_cosine;
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::gram::{Gram, Pair};
use sparsewidth::masked::{Enumerate, MaskedKernel, Moments, Sampling};

fn main() {
    // One thread: the rates are those of one core.
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(1).build_global() {
        eprintln!("{error}");
    }
    divan::main();
}

const KERNELS: usize = 4096;

fn grams() -> Vec<Gram> {
    (0..KERNELS).map(|i| Gram { a: 1.0, b: 2.0, c: (i as f64 * 0.1).sin() }).collect()
}

#[divan::bench]
fn kernels(bencher: Bencher) {
    let grams = grams();
    bencher.counter(ItemsCount::new(KERNELS)).bench(|| {
        grams.iter().map(|gram| arc_cosine(*black_box(gram))).fold(0.0, |sum, kernel| sum + kernel.k1 + kernel.k2)
    });
}

#[divan::bench]
fn atan2_alone(bencher: Bencher) {
    let grams = grams();
    bencher
        .counter(ItemsCount::new(KERNELS))
        .bench(|| grams.iter().map(|gram| black_box(gram).c.atan2(gram.b)).fold(0.0, |sum, angle| sum + angle));
}

fn gaussian(dimension: usize) -> Array2<f64> {
    DataSource::Gaussian { dimension, samples: 2 }.inputs(1).expect("Gaussian inputs need no file").values
}

/// Masks per second.
#[divan::bench(args = [16, 20])]
fn enumeration(bencher: Bencher, dimension: usize) {
    let inputs = gaussian(dimension);
    let pair = Pair::new(inputs.row(0), inputs.row(1)).expect("finite inputs");
    let connectivity = Connectivity::new(0.3).expect("in range");
    bencher
        .counter(ItemsCount::new(1usize << dimension))
        .bench(|| Enumerate::default().moments(black_box(&pair), connectivity));
}

fn images() -> Array2<f64> {
    let inputs = DataSource::Embedded.inputs(0).expect("embedded data");
    inputs.normalised(Normalisation::Pixel).expect("images have pixels")
}

/// Pairs per second of MNIST test images, pixel normalisation.
fn pairs(bencher: Bencher, evaluate: impl Fn(&Pair)) {
    let images = images();
    bencher.counter(ItemsCount::new(64usize)).bench_local(|| {
        for i in 0..64 {
            let pair = Pair::new(images.row(i), images.row(i + 64)).expect("finite inputs");
            evaluate(black_box(&pair));
        }
    });
}

#[divan::bench]
fn gram_triple(bencher: Bencher) {
    pairs(bencher, |pair| {
        black_box(pair.gram());
    });
}

#[divan::bench(args = [0.24, 0.012])]
fn moment_expansion(bencher: Bencher, connectivity: f64) {
    let connectivity = Connectivity::new(connectivity).expect("in range");
    pairs(bencher, |pair| {
        black_box(Moments.moments(pair, connectivity).expect("serves every pair"));
    });
}

/// A thousand masks a pair.
#[divan::bench(args = [0.24, 0.012])]
fn sampled_masks(bencher: Bencher, connectivity: f64) {
    let connectivity = Connectivity::new(connectivity).expect("in range");
    let sampling = Sampling::new(1000, 1).expect("enough masks");
    pairs(bencher, |pair| {
        black_box(sampling.moments(pair, connectivity).expect("serves every pair"));
    });
}
