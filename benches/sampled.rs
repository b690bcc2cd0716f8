//! Kernels of drawn networks over all pairs: seconds an initialisation. `cargo bench --bench sampled`.
//!
//! The baseline, in the same run, is faer's triangular product alone: all `N (N + 1) / 2` inner products of `n`
//! features of 10,000 inputs in one call, on one core, without features, closed form or distances.
//!
//! Measured on two cores of an AMD EPYC (AVX-512), 10,000 MNIST test images, `n p = 8`, seconds:
//!
//! | width | an initialisation more, 2 cores | whole job of one | share of faer's rate | PyTorch, an initialisation | and whole |
//! |---:|---:|---:|---:|---:|---:|
//! | 8 | 0.011 | 0.50 | 0.9 | 0.094 | 5.6 |
//! | 80 | 0.045 | 0.54 | 0.9 | 0.143 | 5.7 |
//! | 512 | 0.279 | 0.78 | 0.85 to 0.98 | 0.639 | 6.2 |
//!
//! PyTorch 2.15 on the same two cores, in the same minute: `benches/peers/sampled.py`. The limit at width 512: 2.6e10
//! multiply-adds, at faer's own 54e9 a second and core 0.24 s on two; PyTorch's product is not triangular, twice that.
//! So 2.7 times is all that can be had over it by the product; 2.3 times is reached. At width 8 reading and comparing
//! the kernel is half of the time. The closed form takes 0.5 s, 1e10 multiply-adds for the cosines and 2 ns a pair for
//! the angles.
//!
//! Tangent kernels have a feature for each weight: 6,488 of them at width 216 and `n p = 8`, where an NNGP kernel has
//! 216. Over 2,048 images, on two cores of which other programs took about one, the whole job of one network took 0.40
//! to 0.79 s, and 0.41 s faer's product alone on one core. PyTorch 2.15 on the same cores took 3.15 s in the minute of
//! the 0.40 s, and 7.3 s in that of the 0.79 s (torch.func, 128 images at a time, contracted over the weights that
//! exist): `scripts/check_tangent.py`.
use std::time::Instant;

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use ndarray::s;
use sparsewidth::Result;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::network::{LayerSpec, MaskFamily, WeightDistribution};
use sparsewidth::sampled::{Device, SampledNetwork, Sweep, TiledInputs};

/// The least of a few times, in seconds: what disturbs a run only adds.
fn seconds(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..3).map(once).fold(f64::INFINITY, f64::min)
}

fn triangular_product(width: usize, samples: usize) -> f64 {
    let features = Mat::<f32>::from_fn(width, samples, |i, j| ((i * 31 + j * 17) % 23) as f32 / 23.0);
    let mut output = Mat::<f32>::zeros(samples, samples);
    let whole = BlockStructure::Rectangular;
    seconds(|| {
        let (left, right) = (features.transpose(), &features);
        let triangle = BlockStructure::TriangularLower;
        triangular::matmul(&mut output, triangle, Accum::Replace, left, whole, right, whole, 1.0, Par::Seq);
    })
}

/// Seconds of a sweep over one network of `weights / width` weights an input.
fn sweep(
    inputs: &TiledInputs,
    kernel: Kernel,
    (width, weights): (usize, f64),
    initialisations: usize,
    threads: usize,
) -> Result<f64> {
    let law = LayerSpec {
        rows: width,
        columns: inputs.dimension(),
        connectivity: Connectivity::new(weights / width as f64)?,
        mask: MaskFamily::Bernoulli,
        law: WeightDistribution::Gaussian,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| {
        let sweep = Sweep::of_kernel(&Device::CPU, inputs, &[SampledNetwork { law, initialisations }], kernel, 0)?;
        Ok(seconds(|| {
            std::hint::black_box(sweep.run(&|_| {})).expect("a sweep that was laid out");
        }))
    })
}

fn main() -> Result<()> {
    let images = DataSource::Embedded.inputs(0)?.normalised(Normalisation::Pixel)?;
    let inputs = TiledInputs::new(images.view())?;
    println!("{} inputs, n p = 8, seconds (least of three)", inputs.samples());
    println!(
        "width  threads  whole job of 1  an initialisation more  faer's product alone, 1 core  its share, by cores"
    );
    for width in [8, 80, 512] {
        let product = triangular_product(width, inputs.samples());
        for threads in [1, 2] {
            let seconds = |initialisations| sweep(&inputs, Kernel::Nngp, (width, 8.0), initialisations, threads);
            let (one, four) = (seconds(1)?, seconds(4)?);
            let more = (four - one) / 3.0;
            let share = product / threads as f64 / more;
            println!("{width:5}  {threads:7}  {one:14.3}  {more:22.4}  {product:28.3}  {share:20.2}");
        }
    }
    let few = TiledInputs::new(images.slice(s![..2_048, ..]))?;
    println!("{} inputs, n p = 8, NNGP and tangent kernels", few.samples());
    println!("width  kernel  threads  whole job of 1  an initialisation more  faer's product alone, 1 core  its share");
    for width in [8, 216] {
        for kernel in [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised)] {
            // One feature a unit and, of the tangent kernel, one a weight.
            let weights = if kernel == Kernel::Nngp { 0 } else { 8 * few.dimension() };
            let product = triangular_product(width + weights, few.samples());
            for threads in [1, 2] {
                let seconds = |initialisations| sweep(&few, kernel, (width, 8.0), initialisations, threads);
                let (one, four) = (seconds(1)?, seconds(4)?);
                let more = (four - one) / 3.0;
                let share = product / threads as f64 / more;
                println!("{width:5}  {kernel:6}  {threads:7}  {one:14.3}  {more:22.4}  {product:28.3}  {share:9.2}");
            }
        }
    }
    Ok(())
}
