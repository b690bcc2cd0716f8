//! Kernels of drawn networks over all pairs against Theorem 1, which is exact for them.

use ndarray::Array2;
use rayon::prelude::*;
use sparsewidth::data::DataSource;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Auto, Quadrature, RowMoments, Sampling};
use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
use sparsewidth::network::Connectivity;
use sparsewidth::network::{LayerSpec, MaskFamily, WeightDistribution};
use sparsewidth::numeric::statistics::{mean, standard_error, t_quantile_95};
use sparsewidth::sampled::{Device, SampledNetwork, Sweep, TiledInputs};

const WIDTH: usize = 40;
const WEIGHTS_A_ROW: f64 = 20.0;

fn inputs() -> Array2<f64> {
    DataSource::Gaussian { dimension: 100, samples: 120 }.inputs(6).unwrap().values
}

fn connectivity() -> Connectivity {
    Connectivity::new(WEIGHTS_A_ROW / 100.0).unwrap()
}

/// Theorem 1, off the diagonal and on it.
fn theory(values: &Array2<f64>) -> [f64; 2] {
    let method = Auto { quadrature: Quadrature::new(1e-5).unwrap(), sampling: Sampling::new(1000, 0).unwrap() };
    let distance = |(i, j): (usize, usize)| {
        let pair = Pair::new(values.row(i), values.row(j)).unwrap();
        let moments = method.moments(&pair, connectivity()).unwrap();
        theorem_1(&moments, Dimension::of(&pair), Width::new(WIDTH).unwrap()).total()
    };
    let samples = values.nrows();
    let different: Vec<_> = (0..samples).flat_map(|i| (i + 1..samples).map(move |j| (i, j))).collect();
    let same: Vec<_> = (0..samples).map(|i| (i, i)).collect();
    [different, same].map(|pairs| mean(&pairs.into_par_iter().map(distance).collect::<Vec<_>>()))
}

/// A value an initialisation, off the diagonal and on it.
fn sampled(inputs: &TiledInputs, seed: u64, initialisations: usize) -> [Vec<f64>; 2] {
    let law = LayerSpec {
        rows: WIDTH,
        columns: inputs.dimension(),
        connectivity: connectivity(),
        mask: MaskFamily::Bernoulli,
        law: WeightDistribution::Gaussian,
    };
    let sweep = Sweep::new(&Device::CPU, inputs, &[SampledNetwork { law, initialisations }], seed).unwrap();
    let found = sweep.run(&|_| {}).unwrap().remove(0);
    [found.off_diagonal, found.diagonal]
}

#[test]
fn the_mean_over_all_pairs_is_that_of_theorem_1() {
    let values = inputs();
    let found = sampled(&TiledInputs::new(values.view()).unwrap(), 1, 2000);
    for (found, exact) in found.iter().zip(theory(&values)) {
        // Four standard errors: a false alarm once in 8,000 seeds, for each of the two.
        let error = standard_error(found).unwrap();
        assert!((mean(found) - exact).abs() < 4.0 * error, "{} +- {error}, exactly {exact}", mean(found));
        // Strong enough to tell a theory that is wrong by a tenth.
        assert!(10.0 * error < exact, "{error} of {exact}");
    }
}

/// Of 1,000 intervals a share of 0.93 to 0.97 is three standard errors of a coverage of 0.95.
#[test]
#[ignore = "slow: 50,000 networks"]
fn intervals_cover_the_theory_as_often_as_they_say() {
    let values = inputs();
    let exact = theory(&values);
    let inputs = TiledInputs::new(values.view()).unwrap();
    for initialisations in [10, 40] {
        let mut covered = [0, 0];
        for seed in 0..1000 {
            for (place, found) in sampled(&inputs, 1000 + seed, initialisations).iter().enumerate() {
                let reach = t_quantile_95(initialisations - 1).unwrap() * standard_error(found).unwrap();
                covered[place] += usize::from((mean(found) - exact[place]).abs() <= reach);
            }
        }
        assert!(covered.iter().all(|covered| (930..=970).contains(covered)), "{covered:?}");
    }
}
