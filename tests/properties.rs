//! What holds of the kernels at any inputs: symmetry, scaling, permutation, bounds, positive semi-definite Gram
//! matrices, distances that fall with the width. Random cases from a fixed seed.

use ndarray::{Array1, Array2, ArrayView1};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::LinearBottleneck;
use sparsewidth::kernel::masked::{Enumerate, MaskedMoments, Quadrature, RowMoments};
use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
use sparsewidth::network::{Connectivity, LayerId, LayerSpec, MaskFamily, WeightDistribution};
use sparsewidth::numeric::estimate::Estimate;
use sparsewidth::numeric::linalg::symmetric_eigenvalues;
use sparsewidth::sampled::{PairedInputs, sampled_kernels};

fn pair<'a>(x: &'a [f64], y: &'a [f64]) -> Pair<'a> {
    Pair::new(ArrayView1::from(x), ArrayView1::from(y)).unwrap()
}

fn norms(pair: &Pair) -> f64 {
    pair.gram().a.sqrt() * pair.gram().b.sqrt()
}

/// Inputs with zeros, equal entries and entries that rule the others.
fn input(dimension: usize) -> impl Strategy<Value = Vec<f64>> {
    let entry = prop_oneof![2 => -3.0..3.0f64, 1 => Just(0.0), 1 => Just(1.0), 1 => -100.0..100.0f64];
    prop::collection::vec(entry, dimension)
}

fn inputs(most: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (1..=most).prop_flat_map(|dimension| (input(dimension), input(dimension)))
}

fn connectivity() -> impl Strategy<Value = Connectivity> {
    (0.02..=1.0f64).prop_map(|p| Connectivity::new(p).unwrap())
}

/// Both within their errors of each other, `factor` times the second.
fn agree(first: Estimate, second: Estimate, factor: f64, name: &str) -> Result<(), TestCaseError> {
    let reach = first.error.magnitude().unwrap() + factor * second.error.magnitude().unwrap();
    let difference = (first.value - factor * second.value).abs();
    // Half an ulp of each where both are exact.
    prop_assert!(difference <= reach + 4e-16 * first.value.abs(), "{name}: {first:?} {second:?}");
    Ok(())
}

fn scaled(x: &[f64], factor: f64) -> Vec<f64> {
    x.iter().map(|entry| factor * entry).collect()
}

/// What masked moments are at other inputs that should have the same, times powers of a factor.
fn same(found: &MaskedMoments, other: &MaskedMoments, factor: f64) -> Result<(), TestCaseError> {
    agree(other.k1, found.k1, factor, "K~_1")?;
    agree(other.k2, found.k2, factor * factor, "K~_2")?;
    agree(other.shift, found.shift, factor, "shift")
}

/// Symmetry, scaling, permutation and bounds of a method.
fn check(method: &dyn RowMoments, x: &[f64], y: &[f64], p: Connectivity) -> Result<(), TestCaseError> {
    let of = |x: &[f64], y: &[f64]| method.of_pair(&pair(x, y), &p.into(), 0).unwrap();
    let found = of(x, y);
    same(&found, &of(y, x), 1.0)?;
    same(&found, &of(&scaled(x, 2.5), y), 2.5)?;
    let reversed = |x: &[f64]| x.iter().rev().copied().collect::<Vec<_>>();
    same(&found, &of(&reversed(x), &reversed(y)), 1.0)?;

    let [k1, k2] = [found.k1, found.k2].map(|estimate| (estimate.value, estimate.error.magnitude().unwrap()));
    let norms = norms(&pair(x, y));
    // K_1 is at least [x.y]_+ / 2, which is convex; by Cauchy and Schwarz at most |x||y| / 2, what it is of parallel
    // inputs.
    prop_assert!(k1.0 + k1.1 >= 0.5 * pair(x, y).gram().c.max(0.0) * (1.0 - 1e-14));
    prop_assert!(k1.0 - k1.1 <= 0.5 * norms * (1.0 + 1e-14));
    // A variance is not negative.
    prop_assert!(k2.0 + k2.1 >= (k1.0 - k1.1).max(0.0).powi(2));
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() }
}

/// The least eigenvalue of a matrix over its trace.
fn least_eigenvalue(inputs: &[Vec<f64>], kernel: impl Fn(&Pair) -> f64) -> f64 {
    let matrix = Array2::from_shape_fn((inputs.len(), inputs.len()), |(i, j)| kernel(&pair(&inputs[i], &inputs[j])));
    let eigenvalues: Array1<f64> = symmetric_eigenvalues(matrix.view()).unwrap();
    let trace = matrix.diag().sum();
    if trace == 0.0 { 0.0 } else { eigenvalues.iter().copied().fold(f64::INFINITY, f64::min) / trace }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn arc_cosine_moments((x, y) in inputs(30), factor in 1e-3..1e3f64) {
        let (pair_xy, pair_yx) = (pair(&x, &y), pair(&y, &x));
        let found = arc_cosine(pair_xy.gram());
        prop_assert_eq!(found, arc_cosine(pair_yx.gram()));
        let larger = scaled(&x, factor);
        let (other, unit) = (arc_cosine(pair(&larger, &y).gram()), factor * norms(&pair_xy));
        prop_assert!((other.k1 - factor * found.k1).abs() <= 1e-14 * unit);
        prop_assert!((other.k2 - factor * factor * found.k2).abs() <= 1e-14 * unit * unit);
        prop_assert!(found.k1 <= 0.5 * norms(&pair_xy) * (1.0 + 1e-14));
        prop_assert!(found.k2 >= found.k1 * found.k1 * (1.0 - 1e-14));
    }

    #[test]
    fn sums_over_masks((x, y) in inputs(9), p in connectivity()) {
        check(&Enumerate::default(), &x, &y, p)?;
    }

    #[test]
    fn distances_fall_with_the_width((x, y) in inputs(9), p in connectivity(), width in 1usize..1_000, rank in 1usize..40) {
        let pair = pair(&x, &y);
        let moments = Enumerate::default().moments(&pair, p).unwrap();
        let bottleneck = LinearBottleneck::new(rank).unwrap().moments(&pair, Connectivity::DENSE).unwrap();
        for moments in [moments, bottleneck] {
            let of = |n| theorem_1(&moments, Dimension::of(&pair), Width::new(n).unwrap());
            let (narrow, wide) = (of(width), of(width + 1));
            let [of_narrow, of_wide] = [narrow, wide].map(|distance| distance.error.magnitude().unwrap());
            prop_assert!(wide.total() <= narrow.total() * (1.0 + 1e-15) + of_narrow + of_wide);
            prop_assert!(wide.total() >= wide.bias_squared - of_wide);
        }
    }

    #[test]
    fn bottlenecks((x, y) in inputs(20), rank in 1usize..60, factor in 1e-3..1e3f64) {
        let of = |rank: usize, x: &[f64], y: &[f64]| {
            LinearBottleneck::new(rank).unwrap().moments(&pair(x, y), Connectivity::DENSE).unwrap().covariance
        };
        let (found, wider) = (of(rank, &x, &y), of(rank + 1, &x, &y));
        agree(of(rank, &y, &x), found, 1.0, "symmetry")?;
        agree(of(rank, &scaled(&x, factor), &y), found, factor * factor, "scaling")?;
        // More rank, less variance; in units of |x|^2 |y|^2 within the errors of both.
        prop_assert!(found.value >= 0.0);
        prop_assert!(wider.value <= found.value + 2.0 * found.error.magnitude().unwrap());
    }

    #[test]
    fn gram_matrices_are_positive(inputs in (1usize..7).prop_flat_map(|d| prop::collection::vec(input(d), 1..7)), p in connectivity()) {
        let masked = |pair: &Pair| Enumerate::default().moments(pair, p).unwrap();
        for least in [
            least_eigenvalue(&inputs, |pair| arc_cosine(pair.gram()).k1),
            least_eigenvalue(&inputs, |pair| arc_cosine(pair.gram()).k2),
            least_eigenvalue(&inputs, |pair| masked(pair).k1.value),
            least_eigenvalue(&inputs, |pair| masked(pair).k2.value),
        ] {
            // Rounding of the entries, and of the eigenvalues.
            prop_assert!(least > -1e-13, "{least:e}");
        }
    }
}

/// The kernels of all pairs of inputs under one drawn network, as a matrix.
fn drawn_kernels(inputs: &Array2<f64>, law: LayerSpec, seed: u64) -> Array2<f64> {
    let samples = inputs.nrows();
    let pairs: Vec<(usize, usize)> = (0..samples).flat_map(|i| (0..samples).map(move |j| (i, j))).collect();
    let paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
    let kernels = sampled_kernels(&paired, law, LayerId { seed, initialisation: 0, layer: 0 }).unwrap();
    Array2::from_shape_vec((samples, samples), kernels).unwrap()
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn kernels_of_drawn_networks(
        inputs in (1usize..20).prop_flat_map(|d| prop::collection::vec(input(d), 1..7)),
        p in connectivity(),
        rows in 1usize..200,
        family in 0usize..3,
        seed in 0u64..1_000,
        exponent in -60i32..60,
        factor in 1e-3..1e3f64,
    ) {
        let columns = inputs[0].len();
        let inputs = Array2::from_shape_fn((inputs.len(), columns), |(i, j)| inputs[i][j]);
        let mask = [MaskFamily::Bernoulli, MaskFamily::ExactCount, MaskFamily::ConstantFanIn][family];
        let law = LayerSpec { rows, columns, connectivity: p, mask, law: WeightDistribution::Gaussian };
        let matrix = drawn_kernels(&inputs, law, seed);
        let trace = matrix.diag().sum();
        // A Gram matrix of features that are rounded once, as are its entries, sums in double precision: symmetric, and
        // positive semi-definite but for rounding.
        prop_assert_eq!(&matrix, &matrix.t());
        let least = symmetric_eigenvalues(matrix.view()).unwrap().into_iter().fold(f64::INFINITY, f64::min);
        prop_assert!(least >= -1e-13 * trace, "{least:e} of {trace:e}");
        // Powers of two scale exactly; other factors up to the rounding of inputs to single precision, of which a
        // feature adds up at most twenty, each 6e-8 of the largest.
        let exact = drawn_kernels(&(&inputs * 2f64.powi(exponent)), law, seed);
        prop_assert_eq!(exact, &matrix * 4f64.powi(exponent));
        let scaled = drawn_kernels(&(&inputs * factor), law, seed);
        for ((i, j), scaled) in scaled.indexed_iter() {
            let unit = (matrix[[i, i]] * matrix[[j, j]]).sqrt();
            let reach = 1e-5 * (inputs.row(i).dot(&inputs.row(i)) * inputs.row(j).dot(&inputs.row(j))).sqrt() / p.get();
            prop_assert!((scaled / (factor * factor) - matrix[[i, j]]).abs() <= 1e-5 * unit + reach, "{i}, {j}");
        }
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    #[ignore = "slow: 60 entries, each case by five integrals"]
    fn quadrature((x, y) in inputs(60), p in connectivity()) {
        check(&Quadrature::new(1e-8).unwrap(), &x, &y, p)?;
    }
}
