//! How often the intervals of the program hold the truth, and how often its tests reject a theorem that is true: by
//! simulation.
//!
//! `cargo run --release --example coverage -- PART [REPLICATES]`, PART one of
//!
//! - `distances`: 95 % intervals of mean and median distances of ten drawn networks, beside Student's, and the bias of
//!   the median; MNIST's 10,000 test images, 6,352 weights. The truth is Theorem 1's, over the pairs drawn (means), and
//!   over a population of 1,000 pairs from which 200 are drawn (medians).
//! - `ranks`: 95 % intervals of a rank correlation, beside the bootstrap's.
//! - `verify`: how often `verify` rejects Theorem 1, at its defaults but for fewer initialisations, and at the least
//!   settings.
//! - `masks`: how often sampled masks miss the sum over all masks by more than four standard errors.
//!
//! Each prints a table in Markdown; `docs/coverage.md` keeps them.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use sparsewidth::data::{DataSource, Normalisation, random_pairs};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Auto, Enumerate, Quadrature, RowMoments, Sampling};
use sparsewidth::kernel::nngp::{Dimension, Width, infinite_width_kernel, theorem_1};
use sparsewidth::network::Connectivity;
use sparsewidth::network::WeightDistribution;
use sparsewidth::numeric::random::{Purpose, Stream};
use sparsewidth::numeric::rank::RankLaw;
use sparsewidth::numeric::statistics::{confidence_95, mean, median_interval_95, quantile, sorted, spearman};
use sparsewidth::sampled::{PairedInputs, SampledDistances, SamplingLaw};
use sparsewidth::study::paper::PAPER_WIDTHS;
use sparsewidth::study::{NetworkSpec, Tests, VerifyReport, VerifySpec};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let replicates = |usual: usize| arguments.get(1).map_or(Ok(usual), |text| text.parse());
    match arguments.first().map(String::as_str) {
        Some("distances") => distances(replicates(1_000)?, arguments.get(2).map(String::as_str)),
        Some("ranks") => {
            ranks(replicates(2_000)?);
            Ok(())
        }
        Some("verify") => verify(replicates(300)?),
        Some("masks") => masks(replicates(2_000)?),
        _ => anyhow::bail!("say which part: distances, ranks, verify or masks"),
    }
}

const POPULATION: usize = 1_000;
const PAIRS: usize = 200;
const INITIALISATIONS: usize = 10;

/// What one replicate found: whether three intervals hold their truth, the medians over theirs.
struct Found {
    student: bool,
    mean: bool,
    below: bool,
    /// Whether the interval by pairs alone holds the median.
    of_pairs: bool,
    median: bool,
    raw: f64,
    corrected: f64,
}

fn distances(replicates: usize, only: Option<&str>) -> anyhow::Result<()> {
    println!(
        "| normalisation | n | mean: Student's | mean | truth above the interval | median: by pairs alone | median | raw median | corrected |"
    );
    println!("|:--|--:|--:|--:|--:|--:|--:|--:|--:|");
    let inputs = DataSource::Embedded.inputs(0)?;
    for normalisation in [Normalisation::Pixel, Normalisation::Global] {
        if only.is_some_and(|name| name != normalisation.name()) {
            continue;
        }
        let values = inputs.normalised(normalisation)?;
        let population = random_pairs(values.nrows(), POPULATION, 7)?;
        let pairs: Vec<Pair> = population
            .iter()
            .map(|(i, j)| Pair::new(values.row(*i), values.row(*j)))
            .collect::<sparsewidth::Result<_>>()?;
        let limits: Vec<f64> = pairs
            .iter()
            .map(|pair| {
                infinite_width_kernel(sparsewidth::kernel::arc_cosine::arc_cosine(pair.gram()).k1, Dimension::of(pair))
            })
            .collect();
        // At width 635 two weights are left, and the program tells no interval.
        for network in NetworkSpec::at_budget(6352, 784, 10, &PAPER_WIDTHS[..6])? {
            let (p, n) = (network.connectivity(), network.width());
            let method = Auto { quadrature: Quadrature::new(1e-4)?, sampling: Sampling::new(10_000, 0)? };
            let truth: Vec<f64> = pairs
                .par_iter()
                .map(|pair| Ok(theorem_1(&method.moments(pair, p)?, Dimension::of(pair), Width::new(n)?).total()))
                .collect::<sparsewidth::Result<_>>()?;
            let (architecture, gaussian) = (&network.architecture, WeightDistribution::Gaussian);
            let found: Vec<Found> = (0..replicates)
                .into_par_iter()
                .map(|replicate| {
                    let seed = 1_000 + replicate as u64;
                    let mut stream = Stream::new(seed, Purpose::Subset, 0, 0);
                    let chosen: Vec<usize> = (0..PAIRS).map(|_| stream.random_range(0..POPULATION)).collect();
                    let inputs = PairedInputs::new(
                        values.view(),
                        &chosen.iter().map(|place| population[*place]).collect::<Vec<_>>(),
                    )?;
                    let reference: Vec<f64> = chosen.iter().map(|place| limits[*place]).collect();
                    let drawn = SampledDistances::draw(
                        &inputs,
                        architecture,
                        gaussian,
                        seed,
                        INITIALISATIONS,
                        reference.clone(),
                    )?;
                    let by_pair = sorted(&drawn.by_pair());
                    let (center, median) = (mean(&by_pair), quantile(&by_pair, 0.5));
                    let of_pairs = median_interval_95(&by_pair);
                    let sampling =
                        SamplingLaw::find(&inputs, architecture, gaussian, seed, INITIALISATIONS, &reference)?;
                    let here = mean(&chosen.iter().map(|place| truth[*place]).collect::<Vec<_>>());
                    let all = quantile(&sorted(&truth), 0.5);
                    let reach = confidence_95(drawn.by_initialisation()).unwrap_or(f64::NAN);
                    let (low, high) = sampling.mean_interval(center).unwrap_or((f64::NAN, f64::NAN));
                    let (corrected, ends) =
                        sampling.median(median, of_pairs).unwrap_or((f64::NAN, (f64::NAN, f64::NAN)));
                    Ok(Found {
                        student: (center - here).abs() <= reach,
                        mean: low <= here && here <= high,
                        below: here > high,
                        of_pairs: of_pairs.0 <= all && all <= of_pairs.1,
                        median: ends.0 <= all && all <= ends.1,
                        raw: median / all,
                        corrected: corrected / all,
                    })
                })
                .collect::<sparsewidth::Result<_>>()?;
            let share =
                |of: fn(&Found) -> bool| found.iter().filter(|found| of(found)).count() as f64 / replicates as f64;
            let ratio = |of: fn(&Found) -> f64| mean(&found.iter().map(of).collect::<Vec<_>>());
            println!(
                "| {} | {n} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
                normalisation.name(),
                share(|found| found.student),
                share(|found| found.mean),
                share(|found| found.below),
                share(|found| found.of_pairs),
                share(|found| found.median),
                ratio(|found| found.raw),
                ratio(|found| found.corrected),
            );
        }
    }
    Ok(())
}

/// The percentile interval over resampled points.
fn bootstrap(points: &[(f64, f64)], stream: &mut Stream) -> Option<(f64, f64)> {
    let mut found: Vec<f64> = (0..400)
        .filter_map(|_| {
            let (x, y): (Vec<f64>, Vec<f64>) =
                (0..points.len()).map(|_| points[stream.random_range(0..points.len())]).unzip();
            spearman(&x, &y)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    (!found.is_empty()).then(|| (quantile(&found, 0.025), quantile(&found, 0.975)))
}

fn ranks(replicates: usize) {
    println!("| points | correlation of the population | bootstrap | by the law of ranks |");
    println!("|--:|--:|--:|--:|");
    for points in [5, 7, 12, 23, 60] {
        let Some(law) = RankLaw::new(points, 0) else { continue };
        for rho in [0.0, 0.5, 0.8, 0.9, 0.95, 0.99] {
            let r = 2.0 * (std::f64::consts::PI * rho / 6.0).sin();
            let covered: Vec<(bool, bool)> = (0..replicates as u32)
                .into_par_iter()
                .map(|replicate| {
                    let mut stream = Stream::new(5, Purpose::Synthetic, replicate, points as u32);
                    let sample: Vec<(f64, f64)> = (0..points)
                        .map(|_| {
                            let x: f64 = StandardNormal.sample(&mut stream);
                            let e: f64 = StandardNormal.sample(&mut stream);
                            (x, r * x + (1.0 - r * r).sqrt() * e)
                        })
                        .collect();
                    let holds = |(low, high): (f64, f64)| low <= rho && rho <= high;
                    let (x, y): (Vec<f64>, Vec<f64>) = sample.iter().copied().unzip();
                    let found = spearman(&x, &y).map(|found| law.interval(found));
                    (bootstrap(&sample, &mut stream).is_some_and(holds), found.is_some_and(holds))
                })
                .collect();
            let share = |of: fn(&(bool, bool)) -> bool| {
                covered.iter().filter(|covered| of(covered)).count() as f64 / replicates as f64
            };
            println!("| {points} | {rho} | {:.3} | {:.3} |", share(|covered| covered.0), share(|covered| covered.1));
        }
    }
    println!("\n| points | observed | 95 % interval |\n|--:|--:|--:|");
    for (points, differences) in [(7, 0.0), (7, 2.0), (7, 4.0), (7, 10.0), (7, 14.0), (7, 32.0), (23, 182.0)] {
        let observed = 1.0 - 6.0 * differences / (points * (points * points - 1)) as f64;
        if let Some(law) = RankLaw::new(points, 0) {
            let (low, high) = law.interval(observed);
            println!("| {points} | {observed:.2} | {low:.2} to {high:.2} |");
        }
    }
}

fn verify(replicates: usize) -> anyhow::Result<()> {
    println!("| grid | seeds | refused | rejected | without the check of skewness | of tests at 0.01 |");
    println!("|:--|--:|--:|--:|--:|--:|");
    let folder = tempfile::tempdir()?;
    let lognormal = |sigma: f64| -> anyhow::Result<DataSource> {
        let values =
            DataSource::Gaussian { dimension: 30, samples: 64 }.inputs(3)?.values.mapv(|value| (sigma * value).exp());
        let path = folder.path().join(format!("lognormal{sigma}.npy"));
        ndarray_npy::write_npy(&path, &values)?;
        Ok(path.to_string_lossy().parse()?)
    };
    let usual = VerifySpec::usual(0);
    let small = |data: DataSource, rows: Vec<f64>, widths: Vec<usize>, pairs: usize| VerifySpec {
        data: vec![(data.into(), Normalisation::None)],
        weights_per_row: rows,
        widths,
        pairs,
        initialisations: 1_000,
        ..VerifySpec::usual(0)
    };
    let gaussian = || DataSource::Gaussian { dimension: 12, samples: 64 };
    let grids = [
        (
            "defaults, 1,000 initialisations",
            VerifySpec { initialisations: 1_000, ..usual.clone() },
            replicates.div_ceil(10),
        ),
        ("one weight a row, width 1, one pair", small(gaussian(), vec![1.0], vec![1], 1), replicates),
        ("one weight a row, width 1, two pairs", small(gaussian(), vec![1.0], vec![1], 2), replicates),
        ("four weights a row, width 8, two pairs", small(gaussian(), vec![4.0], vec![8], 2), replicates),
        (
            "lognormal (sigma 1), one and four weights a row, widths 1 and 8",
            small(lognormal(1.0)?, vec![1.0, 4.0], vec![1, 8], 2),
            replicates,
        ),
        (
            "lognormal (sigma 2), one and four weights a row, widths 8 and 64",
            small(lognormal(2.0)?, vec![1.0, 4.0], vec![8, 64], 2),
            replicates,
        ),
    ];
    for (name, spec, seeds) in grids {
        let (mut refused, mut rejected, mut unchecked, mut tests, mut low) = (0, 0, 0, 0u32, 0u32);
        for seed in 0..seeds as u64 {
            let mut cells = VerifySpec { seed, ..spec.clone() }.cells(&|_| {})?;
            match Tests::of(&cells, 1.0) {
                Ok(found) => {
                    rejected += usize::from(!VerifyReport::rejected(&found).is_empty());
                    for found in found {
                        tests += 2;
                        low += u32::from(found.chi_square < 0.01) + u32::from(found.kolmogorov_smirnov < 0.01);
                    }
                }
                Err(_) => refused += 1,
            }
            cells.iter_mut().flat_map(|cell| &mut cell.checks).for_each(|check| check.skewness = 0.0);
            unchecked += usize::from(!VerifyReport::rejected(&Tests::of(&cells, 1.0)?).is_empty());
        }
        println!(
            "| {name} | {seeds} | {refused} | {rejected} | {unchecked} | {:.3} |",
            f64::from(low) / f64::from(tests).max(1.0)
        );
    }
    Ok(())
}

fn masks(replicates: usize) -> anyhow::Result<()> {
    println!("| inputs | masks | K~_1 beyond four standard errors | K~_2 |");
    println!("|:--|--:|--:|--:|");
    for (name, largest) in [("Gaussian", 0.0), ("one dominant entry", 2.5)] {
        for masks in [32, 100, 1_000] {
            let missed: Vec<[bool; 2]> = (0..replicates as u32)
                .into_par_iter()
                .map(|replicate| {
                    let mut stream = Stream::new(11, Purpose::Synthetic, replicate, masks as u32);
                    let mut input =
                        || -> ndarray::Array1<f64> { (0..14).map(|_| StandardNormal.sample(&mut stream)).collect() };
                    let (mut x, mut y) = (input(), input());
                    let factor = 10f64.powf(stream.random_range(0.0..=1.0) * largest);
                    x[0] *= factor;
                    if replicate % 2 == 0 {
                        y[0] *= factor;
                    }
                    let pair = Pair::new(x.view(), y.view())?;
                    let p = Connectivity::new(stream.random_range(0.05..0.5))?;
                    let exact = Enumerate::default().moments(&pair, p)?;
                    let found = Sampling::new(masks, 1)?.of_pair(&pair, &p.into(), replicate)?;
                    Ok([(exact.k1, found.k1), (exact.k2, found.k2)].map(|(exact, found)| {
                        let error = found.error.magnitude().unwrap_or(f64::NAN);
                        (found.value - exact.value).abs() > 4.0 * error + 1e-9 * exact.value.abs()
                    }))
                })
                .collect::<sparsewidth::Result<_>>()?;
            let share = |which: usize| missed.iter().filter(|missed| missed[which]).count() as f64 / replicates as f64;
            println!("| {name} | {masks} | {:.4} | {:.4} |", share(0), share(1));
        }
    }
    Ok(())
}
