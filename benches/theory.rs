//! Rates of the theory: kernels, masks and pairs per second, on one thread. `cargo bench --bench theory`.
//!
//! Measured on one core of an AMD EPYC (AVX-512), medians:
//!
//! - `kernels` 25 ns for `K_1` and `K_2` together, against 12 ns for `atan2_alone` in the same run: half of the time is
//!   the arc tangent, the rest three square roots and two divisions, each of which waits for the one before.
//! - `enumeration` 1.95 ns a mask, 510 million masks a second, thirteen times `kernels`: the same kernels in lanes of
//!   eight, with an arc tangent of our own and fused multiply-adds. A mask takes about 40 operations, a square root and
//!   a division. Root and division (some 36 cycles a vector of eight) would alone take 1.3 ns at 3.5 GHz, the
//!   operations 1.4 ns at one 512-bit multiplication and one addition a cycle; the two overlap in part.
//! - `quadrature` a pair of images, pixel normalisation: 0.2 ms at 1e-8 and `d p = 188`, 0.9 ms at 1e-8 and 30, 4 to 5
//!   ms at 1e-6 and 8, 4 to 6 ms at 1e-5 and 0.5; a third more when the machine is busy. It takes (medians) some 600,
//!   8,600, 45,000 and 45,000 nodes, 0.10 us each but for the first, where preparing the pair takes half of the time.
//!   Of 720 entries 485 lie on the line of the shared background, which a table serves (14 multiply-adds a node). The
//!   others, 32 vectors of eight with the padding, take five to seven operations a node and vector: 0.03 us at one
//!   multiplication and one addition a cycle. By profile the inner loops of the nodes are 44 % of the time, half of
//!   which is calls, sums across lanes and products; the first node of a direction (power sums, the series of the
//!   exponential) is 16 %, the table 3 %.
//! - `quadrature_of_both_kernels` on the same pairs: 0.8, 3.8, 25 and 30 ms. A direction of its means over directions
//!   takes more than twice as long as one of the NNGP kernel: a node also has the product's first and second derivative
//!   by a factor on `T`, some 28 operations for eight entries, and by profile these are 41 % of the time of both. The
//!   means take about as many directions as the poles do at 30 weights a row, and up to ten times as many at 0.5.
//! - `all_pairs_of_rows` against `products_of_all_pairs`, which is their limit: `4 d` multiply-adds a pair, at 784
//!   entries 3,136. What is beside them are some 60 operations a pair and 25 a network, as counted in the source, and
//!   one histogram a network. (10,000 images at seven widths, not run by default:
//!   `cargo bench --bench theory -- --include-ignored all_pairs_of_images`; 3.1e11 multiply-adds.)
//! - `moment_expansion` 4.5 us a pair of 784 entries, against 2.2 us for `gram_triple`, which checks the entries and
//!   makes one pass of three sums: eight more sums, about 40 operations an entry. At 16 operations a cycle they would
//!   take 0.6 us; one pass instead of eight would come near it.
//! - `sampled_masks` 0.25 to 1.2 us a mask at 9 to 188 entries a mask: 6 ns an entry, for a Philox word, a swap and a
//!   gathered load.
//! - `given_masks` 24, 39, 74 and 101 ns for a unit and a pair, both kernels, at densities 0.04, 0.1, 0.25 and 0.5. The
//!   last is a product of matrices, which takes 96 ns by itself (`product_of_given_masks`, 50 GFLOP/s). Below, an entry
//!   that a unit keeps takes 0.3 ns for three additions: 24 bytes of products from the second-level cache, 80 GB/s; the
//!   additions alone would take 0.1. The kernels take some 15 ns.
//!
//! The machine is shared: the same figure varies by a fifth from run to run.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::{Array2, s};
use sparsewidth::PreparedInputs;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::all_pairs::all_pairs;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::gram::{Gram, Pair};
use sparsewidth::kernel::masked::{Enumerate, Expansion, Quadrature, Row, RowMoments, Sampling};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::kernel::nngp::Width;
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::linalg::product;

fn main() {
    // One thread, from within: the rates are those of one core.
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(divan::main),
        Err(error) => eprintln!("{error}"),
    }
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

fn images(normalisation: Normalisation) -> Array2<f64> {
    let inputs = DataSource::Embedded.inputs(0).expect("embedded data");
    inputs.normalised(normalisation).expect("images have pixels")
}

/// Pairs per second of MNIST test images, pixel normalisation.
fn pairs(bencher: Bencher, evaluate: impl Fn(&Pair)) {
    let images = images(Normalisation::Pixel);
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
        black_box(Expansion.moments(pair, connectivity).expect("serves every pair"));
    });
}

/// A thousand masks per pair.
#[divan::bench(args = [0.24, 0.012])]
fn sampled_masks(bencher: Bencher, connectivity: f64) {
    let connectivity = Connectivity::new(connectivity).expect("in range");
    let sampling = Sampling::new(1000, 1).expect("enough masks");
    pairs(bencher, |pair| {
        black_box(sampling.moments(pair, connectivity).expect("serves every pair"));
    });
}

/// The lines of the table in docs/methods.md: inputs, weights per row, relative tolerance.
#[divan::bench(args = lines(), sample_count = 300)]
fn quadrature(bencher: Bencher, line: (&str, f64, f64)) {
    one_by_one(bencher, line, Kernel::Nngp);
}

/// The same lines for both kernels together.
#[divan::bench(args = lines(), sample_count = 300)]
fn quadrature_of_both_kernels(bencher: Bencher, line: (&str, f64, f64)) {
    one_by_one(bencher, line, Kernel::Ntk(Tangent::Standardised));
}

fn one_by_one(bencher: Bencher, (inputs, weights, tolerance): (&str, f64, f64), kernel: Kernel) {
    let connectivity = Connectivity::new(weights / 784.0).expect("in range");
    let row = Row::new(connectivity).kernel(kernel);
    let method = Quadrature::new(tolerance).expect("in range");
    let rows = match inputs {
        "global" => images(Normalisation::Global),
        "pixel" => images(Normalisation::Pixel),
        _ => DataSource::Gaussian { dimension: 784, samples: 1000 }.inputs(1).expect("no file is needed").values,
    };
    // One pair a sample, so that the median is that over pairs.
    let mut index = 0;
    bencher
        .with_inputs(|| {
            index += 1;
            (7919 * index % rows.nrows(), 104_729 * index % rows.nrows())
        })
        .bench_local_values(|(i, j)| {
            let pair = Pair::new(rows.row(i), rows.row(j)).expect("finite inputs");
            method.moments(black_box(&pair), row)
        });
}

fn lines() -> impl Iterator<Item = (&'static str, f64, f64)> {
    let of =
        |inputs| [(188.0, 1e-8), (30.0, 1e-8), (8.0, 1e-6), (0.5, 1e-5)].map(|(n, tolerance)| (inputs, n, tolerance));
    ["global", "pixel", "gaussian"].into_iter().flat_map(of)
}

/// Rows of the inputs of the next two.
const ROWS: usize = 1920;

fn rows(dimension: usize) -> Array2<f64> {
    DataSource::Gaussian { dimension, samples: ROWS }.inputs(1).expect("Gaussian inputs need no file").values
}

fn networks(count: i32) -> Vec<(Connectivity, Width)> {
    let network = |n| (Connectivity::new(0.5f64.powi(n)).expect("in range"), Width::new(8 << n).expect("positive"));
    (1..=count).map(network).collect()
}

/// Pairs per second, by dimension and number of networks.
#[divan::bench(args = [(64, 1), (64, 7), (784, 1), (784, 7)], sample_count = 5)]
fn all_pairs_of_rows(bencher: Bencher, (dimension, count): (usize, i32)) {
    let (inputs, networks) = (rows(dimension), networks(count));
    bencher
        .counter(ItemsCount::new(ROWS * (ROWS - 1) / 2))
        .bench(|| all_pairs(inputs.view(), None, &networks, &|_| {}).expect("finite inputs"));
}

/// The matrix products of the same pairs alone, in the same tiles.
#[divan::bench(args = [64, 784], sample_count = 5)]
fn products_of_all_pairs(bencher: Bencher, dimension: usize) {
    const TILE: usize = 192;
    let powers = [1, 2, 3].map(|power| rows(dimension).mapv(|value| value.powi(power)));
    let mut output = Array2::zeros((TILE, TILE));
    bencher.counter(ItemsCount::new(ROWS * (ROWS - 1) / 2)).bench_local(|| {
        for (i, j) in (0..ROWS / TILE).flat_map(|i| (i..ROWS / TILE).map(move |j| (i, j))) {
            for (left, right) in [(0, 0), (1, 1), (2, 0), (0, 2)] {
                let tile = |power: usize, place: usize| powers[power].slice(s![place * TILE..(place + 1) * TILE, ..]);
                product(tile(left, i), tile(right, j).t(), 1.0, false, output.view_mut()).expect("shapes match");
            }
        }
    });
}

/// Entries of a matrix per second, each of the pairs above twice: the same products, and a kernel in place of a
/// distance.
#[divan::bench(args = [64, 784], sample_count = 5)]
fn kernel_matrix(bencher: Bencher, dimension: usize) {
    let inputs = PreparedInputs::new(rows(dimension)).expect("Gaussian inputs are finite");
    let connectivity = Connectivity::new(0.5).expect("in range");
    bencher.counter(ItemsCount::new(ROWS * ROWS)).bench(|| {
        let matrix = KernelMatrix::expansion(black_box(&inputs), None, Kernel::Nngp, connectivity)?;
        matrix.tiles(
            |tile| {
                black_box(tile);
                Ok(())
            },
            &|_| {},
        )
    });
}

/// All pairs of 10,000 images at seven widths, on one thread here.
#[divan::bench(ignore, sample_count = 1)]
fn all_pairs_of_images(bencher: Bencher) {
    let (images, networks) = (images(Normalisation::Pixel), networks(7));
    bencher.bench(|| all_pairs(images.view(), None, &networks, &|_| {}));
}

/// Units of a layer and pairs, the product of which is what a given mask takes.
const UNITS: usize = 512;
const PAIRS: usize = 256;

fn given(density: f64) -> (GivenMask, Vec<Pair<'static>>) {
    let mask = DataSource::Gaussian { dimension: 784, samples: UNITS }.inputs(3).expect("Gaussian inputs need no file");
    let mut ordered: Vec<f64> = mask.values.iter().copied().collect();
    ordered.sort_by(f64::total_cmp);
    let least = ordered[((1.0 - density) * ordered.len() as f64) as usize];
    let mask = mask.values.mapv(|value| value >= least);
    let rows = DataSource::Gaussian { dimension: 784, samples: 200 }.inputs(2).expect("Gaussian inputs need no file");
    let inputs = PreparedInputs::new(rows.values).expect("Gaussian inputs are finite");
    let pairs = inputs.pairs(&inputs.random_pairs(PAIRS, 0).expect("200 rows have pairs")).expect("rows are in range");
    (GivenMask::new(mask.view(), MaskScale::Density).expect("it keeps weights"), pairs)
}

#[divan::bench(args = [0.04, 0.1, 0.25, 0.5], sample_count = 20)]
fn given_masks(bencher: Bencher, density: f64) {
    let (mask, pairs) = given(density);
    let kernels = [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised)];
    bencher.counter(ItemsCount::new(UNITS * PAIRS)).bench(|| mask.of_pairs(black_box(&pairs), &kernels));
}

/// What the sums of Gram triples alone take as a product of matrices, whatever the density.
#[divan::bench(sample_count = 20)]
fn product_of_given_masks(bencher: Bencher) {
    let mask = Array2::from_elem((UNITS, 784), 1.0f64);
    let products = Array2::from_elem((784, 3 * PAIRS), 0.5f64);
    let mut sums = Array2::zeros((UNITS, 3 * PAIRS));
    bencher
        .counter(ItemsCount::new(UNITS * PAIRS))
        .bench_local(|| product(black_box(mask.view()), products.view(), 1.0, false, sums.view_mut()));
}
