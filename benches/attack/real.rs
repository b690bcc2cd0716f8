//! Pairs of images against sampled masks and against a much finer quadrature.

use clap::Args;
use rand::RngExt;
use rayon::prelude::*;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Quadrature, RowMoments, Sampling};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::random::{Purpose, Stream};

use crate::compare::{PARTS, parts, size};

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 100)]
    pairs: u32,
    /// Masks per pair; a false alarm in some 5,000 values, by their law.
    #[arg(long, default_value_t = 10_000_000)]
    masks: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `mnist`, or a folder with four files of that kind.
    #[arg(long, default_value = "mnist")]
    data: DataSource,
}

/// By how much one value is wrong, in units of what is allowed.
struct Checked {
    by_masks: f64,
    by_finer: f64,
    text: String,
}

/// Prints what it finds, and says whether a claim was false.
pub fn run(options: &Options) -> sparsewidth::Result<bool> {
    const NORMALISATIONS: [Normalisation; 3] = [Normalisation::Pixel, Normalisation::Global, Normalisation::None];
    let inputs = options.data.inputs(0)?;
    let normalised =
        NORMALISATIONS.iter().map(|normalisation| inputs.normalised(*normalisation)).collect::<Result<Vec<_>, _>>()?;
    let results = (0..options.pairs).into_par_iter().map(|index| -> sparsewidth::Result<Vec<Checked>> {
        let mut stream = Stream::new(options.seed, Purpose::Pairs, index, 0);
        let kind = index as usize % NORMALISATIONS.len();
        let values = &normalised[kind];
        let (rows, dimension) = values.dim();
        let (i, j) = (stream.random_range(0..rows), stream.random_range(0..rows));
        let pair = Pair::new(values.row(i), values.row(j))?;
        let weights = (stream.random_range(0.3f64.ln()..100f64.ln())).exp();
        let connectivity = Connectivity::new((weights / dimension as f64).min(1.0))?;
        let tolerance = 10f64.powi(-stream.random_range(2..=8));
        let found = Quadrature::new(tolerance)?.moments(&pair, connectivity)?;
        let finer = Quadrature::new((tolerance / 1000.0).max(1e-11))?.moments(&pair, connectivity)?;
        let sampled = Sampling::new(options.masks, options.seed)?;
        let sampled = sampled.of_pair(&pair, &connectivity.into(), index)?;
        let all = parts(&found).into_iter().zip(parts(&finer)).zip(parts(&sampled)).zip(PARTS);
        let checked = all.map(|(((found, finer), sampled), part)| {
            let off = |value: f64, allowed: f64| {
                let difference = (found.value - value).abs();
                if difference == 0.0 { 0.0 } else { difference / allowed }
            };
            let by_masks = off(sampled.value, size(found) + 4.0 * size(sampled));
            let by_finer = off(finer.value, size(found) + size(finer));
            let text = format!(
                "images {i} and {j}, {}, p = {:e}, tolerance {tolerance:e}: {part} {:e} ± {:.1e}, finer {:e} ± {:.1e}, \
                 by masks {:e} ± {:.1e}",
                NORMALISATIONS[kind].title(),
                connectivity.get(),
                found.value,
                size(found),
                finer.value,
                size(finer),
                sampled.value,
                size(sampled)
            );
            Checked { by_masks, by_finer, text }
        });
        Ok(checked.collect())
    });
    let checked: Vec<Checked> = results.collect::<sparsewidth::Result<Vec<_>>>()?.into_iter().flatten().collect();
    let mut failed = false;
    type Ratio = fn(&Checked) -> f64;
    let ways: [(&str, Ratio); 2] = [("masks", |c| c.by_masks), ("a finer rule", |c| c.by_finer)];
    for (name, of) in ways {
        let above: Vec<&Checked> = checked.iter().filter(|c| of(c) > 1.0 || of(c).is_nan()).collect();
        println!("{} values against {name}: {} above what is allowed", checked.len(), above.len());
        let worst = checked.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
        for checked in if above.is_empty() { worst.into_iter().collect() } else { above.clone() } {
            println!("  ratio {:.3e}: {}", of(checked), checked.text);
        }
        failed |= !above.is_empty();
    }
    Ok(failed)
}
