//! How the time of the quadrature is spread over pairs of images, on one thread. `cargo bench --bench tail`.
//!
//! Random pairs of pixel-normalised images, a line for each kernel, number of weights a row and tolerance: the median
//! time of a pair, the 90th, 95th and 99th percentile, the mean of the slowest twentieth and the largest time, these
//! five as ratios to the median; the same of the nodes, which no busy machine disturbs; and the number of pairs whose
//! error estimate is above the tolerance. Another folder of images: `--data FOLDER`. docs/methods.md has what it found.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Quadrature, Row, RowMoments};
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::{PreparedInputs, Result};

#[derive(Parser)]
#[command(about = "How the time of the quadrature is spread over pairs of images")]
struct Options {
    /// What cargo tells every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    /// Pairs of each line.
    #[arg(long, default_value_t = 200)]
    pairs: usize,
    /// `mnist`, or a folder with four files of that kind.
    #[arg(long, default_value = "mnist")]
    data: DataSource,
    /// Weights a row, `d p`.
    #[arg(long, value_delimiter = ',', default_values_t = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0])]
    weights: Vec<f64>,
    #[arg(long, value_delimiter = ',', default_values_t = [1e-2, 1e-4, 1e-6])]
    tolerances: Vec<f64>,
    /// `nngp`, `ntk`, or both one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = ["nngp".to_owned(), "ntk".to_owned()])]
    kernels: Vec<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Times that each pair is computed; the least of them counts.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Also the places of the slowest pairs, so many of them.
    #[arg(long, default_value_t = 0)]
    slowest: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    match pool.map(|pool| pool.install(|| run(&options))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let images = options.data.inputs(0)?.normalised(Normalisation::Pixel)?;
    let dimension = images.ncols() as f64;
    let inputs = PreparedInputs::new(images)?;
    let rows = inputs.random_pairs(options.pairs, options.seed)?;
    let pairs = inputs.pairs(&rows)?;
    println!(
        "kernel    d p  tolerance  median ms |  time:  90 %   95 %   99 %   last 5 %   most | nodes (the same) | missed"
    );
    for name in &options.kernels {
        let kernel = if name == "ntk" { Kernel::Ntk(Tangent::Standardised) } else { Kernel::Nngp };
        for weights in &options.weights {
            let connectivity = Connectivity::new(weights / dimension)?;
            for tolerance in &options.tolerances {
                line(&pairs, &rows, (kernel, connectivity, *tolerance), options)?;
            }
        }
    }
    Ok(())
}

/// Prints the line of one setting.
fn line(
    pairs: &[Pair],
    rows: &[(usize, usize)],
    (kernel, connectivity, tolerance): (Kernel, Connectivity, f64),
    options: &Options,
) -> Result<()> {
    let method = Quadrature::new(tolerance)?;
    let row = Row::new(connectivity).kernel(kernel);
    let (mut times, mut nodes, mut missed) = (Vec::new(), Vec::new(), 0);
    for pair in pairs {
        // The least of several times, since other work on the machine only adds to it.
        let (mut least, mut last) = (f64::INFINITY, None);
        for _ in 0..options.repeats.max(1) {
            let start = Instant::now();
            let found = black_box(method.moments(black_box(pair), row)?);
            least = least.min(start.elapsed().as_secs_f64() * 1e3);
            last = Some(found);
        }
        times.push(least);
        let found = last.expect("computed at least once");
        nodes.push(found.terms as f64);
        missed += usize::from(!found.within(tolerance));
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|a, b| nodes[*b].total_cmp(&nodes[*a]));
    let dimension = pairs.first().map_or(0, Pair::dimension) as f64;
    let (median, of_times) = spread(times.clone());
    let (median_nodes, of_nodes) = spread(nodes.clone());
    println!(
        "{:6} {:6.1}  {tolerance:9.0e}  {median:9.3} | {} | {median_nodes:8} {} | {missed}",
        kernel.name(),
        dimension * connectivity.get(),
        text(of_times),
        text(of_nodes)
    );
    for place in order.into_iter().take(options.slowest) {
        println!("    images {:?}: {:.3} ms, {} nodes", rows[place], times[place], nodes[place]);
    }
    Ok(())
}

/// The median; the percentiles, the mean of the last twentieth and the largest, as ratios to it.
fn spread(mut values: Vec<f64>) -> (f64, [f64; 5]) {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    let at = |level: f64| values[((count as f64 * level) as usize).min(count - 1)];
    let last = &values[count - count.div_ceil(20)..];
    let median = at(0.5);
    let mean = last.iter().sum::<f64>() / last.len() as f64;
    (median, [at(0.9), at(0.95), at(0.99), mean, values[count - 1]].map(|value| value / median))
}

fn text(ratios: [f64; 5]) -> String {
    ratios.map(|ratio| format!("{ratio:6.2}")).join(" ")
}
