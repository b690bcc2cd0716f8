//! Kernel ridge regression against scikit-learn (`scripts/reference_regression.py`), against leaving samples out one by
//! one, and what holds of it whatever the kernel; kernels that are none, or that double precision cannot hold, are
//! refused by name.

use std::fs::File;
use std::path::Path;

use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, array, concatenate, s};
use ndarray_npy::{NpzReader, ReadableElement};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::network::WeightDistribution;
use sparsewidth::numeric::linalg::{cholesky_solve, symmetric_eigenvalues};
use sparsewidth::regression::{
    Criterion, KernelRidge, RidgeGrid, Targets, alignment, centred_alignment, classes, error_rate,
};
use sparsewidth::sampled::{DrawnNetwork, TiledInputs};
use sparsewidth::{Connectivity, Kernel, PreparedInputs, Tangent};

struct Reference {
    file: NpzReader<File>,
    case: &'static str,
}

impl Reference {
    fn of(case: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/regression.npz");
        Self { file: NpzReader::new(File::open(path).unwrap()).unwrap(), case }
    }

    fn get<A: ReadableElement, D: ndarray::Dimension>(&mut self, name: &str) -> ndarray::Array<A, D> {
        self.file.by_name(&format!("{}/{name}", self.case)).unwrap()
    }
}

/// The largest difference, of the largest entry.
fn difference<'a>(found: impl IntoIterator<Item = &'a f64>, expected: impl IntoIterator<Item = &'a f64>) -> f64 {
    let (mut largest, mut worst) = (0.0f64, 0.0f64);
    let mut expected = expected.into_iter();
    for found in found {
        let expected = expected.next().expect("as many of each");
        assert!(found.is_finite() && expected.is_finite(), "{found} {expected}");
        largest = largest.max(expected.abs());
        worst = worst.max((found - expected).abs());
    }
    assert!(expected.next().is_none());
    if worst == 0.0 { 0.0 } else { worst / largest }
}

#[test]
fn scikit_learn() {
    // Condition numbers reach 5e5: each of two solutions is known to some 1e-10.
    const TOLERANCE: f64 = 1e-8;
    for case in ["rbf", "arc_cosine", "linear"] {
        let mut reference = Reference::of(case);
        let (kernel, cross): (Array2<f64>, Array2<f64>) = (reference.get("kernel"), reference.get("cross"));
        let (with_itself, ridges): (Array1<f64>, Array1<f64>) = (reference.get("with_itself"), reference.get("ridges"));
        let values: Array2<f64> = reference.get("targets");
        let targets = match case {
            "rbf" => Targets::new(values.view()).unwrap(),
            _ => Targets::one_hot(&reference.get::<u8, ndarray::Ix1>("labels").to_vec(), values.ncols()).unwrap(),
        };
        assert!(difference(targets.values(), &values) < 1e-15, "{case}: targets");
        let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
        let (alphas, likelihoods): (Array1<f64>, Array1<f64>) = (reference.get("alphas"), reference.get("likelihoods"));
        let (coefficients, means): (Array3<f64>, Array3<f64>) = (reference.get("coefficients"), reference.get("means"));
        let variances: Array2<f64> = reference.get("variances");
        for (place, lambda) in ridges.iter().enumerate() {
            let fit = regression.fit(*lambda).unwrap();
            assert!((fit.alpha() / alphas[place] - 1.0).abs() < 1e-13);
            let found = fit.predict(cross.view()).unwrap();
            let worst = [
                difference(fit.coefficients(), coefficients.index_axis(Axis(0), place)),
                difference(&found, means.index_axis(Axis(0), place)),
                // Variances are differences from the kernel of an input with itself.
                (&fit.predictive_variance(cross.view(), with_itself.view()).unwrap() - &variances.row(place))
                    .iter()
                    .zip(&with_itself)
                    .fold(0.0, |worst, (difference, own)| worst.max(difference.abs() / own)),
                (fit.log_marginal_likelihood() / likelihoods[place] - 1.0).abs(),
            ];
            assert!(worst.iter().all(|worst| *worst < TOLERANCE), "{case}, {lambda}: {worst:?}");
            if targets.labels().is_some() {
                let rates: Array1<f64> = reference.get("error_rates");
                let labels: Array1<u8> = reference.get("test_labels");
                let rate = error_rate(found.view(), &labels.to_vec()).unwrap();
                assert!((rate - rates[place]).abs() < 1e-15, "{case}, {lambda}: {rate}");
            }
        }
    }
}

fn noise(j: usize, k: usize) -> f64 {
    let v = ((j as f64 + 1.0) * 12.9898 + (k as f64 + 1.0) * 78.233).sin() * 43_758.545;
    2.0 * (v - v.floor()) - 1.0
}

fn inputs(samples: usize, dimension: usize) -> Array2<f64> {
    Array2::from_shape_fn((samples, dimension), |(i, j)| noise(i, j))
}

/// Solutions by Cholesky's factors.
fn solved(kernel: &Array2<f64>, alpha: f64, values: ArrayView2<f64>) -> Array2<f64> {
    let matrix = kernel + &(Array2::<f64>::eye(kernel.nrows()) * alpha);
    let columns: Vec<Array1<f64>> =
        values.columns().into_iter().map(|column| cholesky_solve(matrix.view(), column).unwrap()).collect();
    Array2::from_shape_fn(values.dim(), |(i, j)| columns[j][i])
}

/// Every kind of kernel matrix of some inputs.
fn kernels(inputs: &Array2<f64>) -> Vec<(&'static str, Array2<f64>)> {
    let (x, tiled) = (PreparedInputs::new(inputs.clone()).unwrap(), TiledInputs::new(inputs.view()).unwrap());
    let (ntk, sparse) = (Kernel::Ntk(Tangent::Standardised), Connectivity::new(0.3).unwrap());
    let network = "relu:50@0.3 linear:10".parse().unwrap();
    let drawn = DrawnNetwork::new(&network, inputs.ncols(), WeightDistribution::Gaussian, 1, 0).unwrap();
    let kept = Array2::from_shape_fn((30, inputs.ncols()), |(i, j)| noise(100 + i, j) < -0.4);
    let mask = GivenMask::new(kept.view(), MaskScale::FanIn).unwrap();
    let of = |matrix: sparsewidth::Result<KernelMatrix>| matrix.unwrap().to_array().unwrap();
    vec![
        ("drawn, NNGP", drawn.kernel(&tiled, Kernel::Nngp).unwrap()),
        ("drawn, NTK", drawn.kernel(&tiled, ntk).unwrap()),
        ("infinite width, NNGP", of(KernelMatrix::infinite_width(&x, None, Kernel::Nngp))),
        ("infinite width, NTK", of(KernelMatrix::infinite_width(&x, None, ntk))),
        ("masked, NNGP", of(KernelMatrix::expansion(&x, None, Kernel::Nngp, sparse))),
        ("masked, NTK", of(KernelMatrix::expansion(&x, None, ntk, sparse))),
        ("given, NNGP", of(KernelMatrix::given(&x, None, Kernel::Nngp, &mask))),
        ("given, NTK", of(KernelMatrix::given(&x, None, ntk, &mask))),
    ]
}

#[test]
fn every_kernel_leaves_one_out_and_predicts() {
    let (samples, new) = (40, 15);
    let all = inputs(samples + new, 24);
    let labels: Vec<u8> = (0..samples).map(|i| (all.row(i).iter().take(3).sum::<f64>() > 0.3) as u8).collect();
    let targets = Targets::one_hot(&labels, 2).unwrap();
    for (name, matrix) in kernels(&all) {
        let kernel = matrix.slice(s![..samples, ..samples]).to_owned();
        let (cross, own) = (matrix.slice(s![samples.., ..samples]), matrix.diag().slice(s![samples..]).to_owned());
        // That of a drawn network has more samples than features, of which some never vary: it may be singular.
        let regression = match name.starts_with("drawn") {
            true => KernelRidge::of_single_precision(kernel.view(), &targets).unwrap(),
            false => KernelRidge::new(kernel.view(), &targets).unwrap(),
        };
        for lambda in [1e-3, 0.1, 3.0] {
            let (fit, alpha) = (regression.fit(lambda).unwrap(), regression.alpha(lambda));
            // Of condition number 4e4 at most, both solutions are known to 1e-11.
            let expected = solved(&kernel, alpha, targets.values());
            assert!(difference(fit.coefficients(), &expected) < 1e-9, "{name}, {lambda}");
            assert!(difference(&fit.predict(cross).unwrap(), &cross.dot(&expected)) < 1e-9, "{name}, {lambda}");
            let known = (&solved(&kernel, alpha, cross.t()) * &cross.t()).sum_axis(Axis(0));
            let variances = fit.predictive_variance(cross, own.view()).unwrap();
            assert!(difference(&(&own - &variances), &known) < 1e-9, "{name}, {lambda}");
            let left_out = regression.leave_one_out(lambda).unwrap();
            for left in 0..samples {
                let others: Vec<usize> = (0..samples).filter(|other| *other != left).collect();
                let gram = kernel.select(Axis(0), &others).select(Axis(1), &others);
                let coefficients = solved(&gram, alpha, targets.values().select(Axis(0), &others).view());
                let row = kernel.row(left).select(Axis(0), &others);
                let expected = &targets.values().row(left) - &row.dot(&coefficients);
                let found = left_out.residuals.row(left);
                let worst = (&found - &expected).iter().fold(0.0f64, |worst, part| worst.max(part.abs()));
                assert!(worst < 1e-9, "{name}, {lambda}, {left}: {found} {expected}");
            }
            let outputs = &targets.values() - &left_out.residuals;
            assert_eq!(left_out.error_rate, Some(error_rate(outputs.view(), &labels).unwrap()));
        }
    }
}

#[test]
fn kernels_that_were_rounded_to_single_precision() {
    // Rank 5: the least eigenvalues are what rounding makes of 0.
    let features = inputs(40, 5);
    let exact = features.dot(&features.t());
    let rounded = exact.mapv(|entry| f64::from(entry as f32));
    let targets = Targets::new(inputs(40, 3).view()).unwrap();
    assert!(symmetric_eigenvalues(rounded.view()).unwrap()[0] < -1e-9);
    assert!(KernelRidge::new(rounded.view(), &targets).unwrap_err().to_string().contains("eigenvalue below 0"));
    let regression = KernelRidge::of_single_precision(rounded.view(), &targets).unwrap();
    let of_exact = KernelRidge::new(exact.view(), &targets).unwrap();
    assert_eq!(regression.spectrum().condition_number(), None);
    for lambda in [1e-3, 0.1, 10.0] {
        let [found, expected] = [&regression, &of_exact].map(|regression| regression.fit(lambda).unwrap());
        // (K + E + alpha I)^-1 differs from (K + alpha I)^-1 by at most |E| / alpha of it, to first order; each entry
        // of E is at most half a unit of its entry.
        let relative = 0.5 * f64::from(f32::EPSILON) * exact.iter().map(|x| x * x).sum::<f64>().sqrt() / found.alpha();
        let change = &found.coefficients() - &expected.coefficients();
        let norm = |matrix: &Array2<f64>| matrix.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        assert!(norm(&change) <= 1.01 * relative * norm(&expected.coefficients().to_owned()), "{lambda}");
        assert_eq!(found.warning().is_some(), lambda < 0.1, "{lambda}");
    }
    // What an exact kernel allows, and single precision does not.
    assert!(of_exact.fit(1e-9).is_ok());
    assert!(regression.fit(1e-9).unwrap_err().to_string().contains("singular but for rounding"));
    assert!(regression.fit(1e-5).unwrap().warning().unwrap().contains("ill-conditioned"));
}

/// Features of samples, some of them 0, equal or repeated, and so often a kernel of low rank; classes.
#[derive(Clone, Debug)]
struct Case {
    features: Array2<f64>,
    labels: Vec<u8>,
    training: usize,
}

impl Case {
    fn joint(&self) -> Array2<f64> {
        self.features.dot(&self.features.t())
    }

    fn kernel(&self) -> Array2<f64> {
        self.joint().slice_move(s![..self.training, ..self.training])
    }

    fn cross(&self) -> Array2<f64> {
        self.joint().slice_move(s![self.training.., ..self.training])
    }

    fn targets(&self) -> Targets {
        Targets::one_hot(&self.labels, 3).unwrap()
    }
}

const NEW: usize = 3;

fn case() -> impl Strategy<Value = Case> {
    let entry = || prop_oneof![4 => -3.0..3.0f64, 1 => Just(0.0), 1 => Just(1.0)];
    (1usize..14, 1usize..14, any::<bool>()).prop_flat_map(move |(training, rank, repeated)| {
        let features = prop::collection::vec(entry(), (training + NEW) * rank);
        (features, prop::collection::vec(0u8..3, training)).prop_map(move |(features, labels)| {
            let mut features = Array2::from_shape_vec((training + NEW, rank), features).unwrap();
            if repeated {
                let (last, first) = (training - 1, features.row(0).to_owned());
                features.row_mut(last).assign(&first);
            }
            Case { features, labels, training }
        })
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(12), failure_persistence: None, ..ProptestConfig::default() }
}

/// No class is chosen by rounding.
fn decided(outputs: &Array2<f64>) -> bool {
    outputs.outer_iter().all(|row| {
        let mut row = row.to_vec();
        row.sort_by(f64::total_cmp);
        row[2] - row[1] > 1e-9
    })
}

/// Powers of ten.
fn ridge(exponents: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    exponents.prop_map(|exponent| 10f64.powf(exponent))
}

/// Both within rounding of each other, or both refused.
fn same(found: sparsewidth::Result<f64>, expected: sparsewidth::Result<f64>) -> Result<(), TestCaseError> {
    match (found, expected) {
        (Ok(found), Ok(expected)) => prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}"),
        (found, expected) => prop_assert!(found.is_err() && expected.is_err(), "{found:?} {expected:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1_000))]

    // Condition numbers up to 1.4e4, so that 1e-9 leaves room for rounding a thousand times over.
    #[test]
    fn the_order_of_samples_does_not_matter(case in case(), lambda in ridge(-3.0..2.0), seed in 0u64..1_000) {
        let mut order: Vec<usize> = (0..case.training).collect();
        order.sort_by_key(|place| (*place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed << 20)));
        let rows: Vec<usize> = order.iter().copied().chain(case.training..case.training + NEW).collect();
        let other = Case {
            features: case.features.select(Axis(0), &rows),
            labels: order.iter().map(|place| case.labels[*place]).collect(),
            training: case.training,
        };
        let (targets, others) = (case.targets(), other.targets());
        let first = KernelRidge::new(case.kernel().view(), &targets).unwrap();
        let second = KernelRidge::new(other.kernel().view(), &others).unwrap();
        let [outputs, permuted] = [(&first, &case), (&second, &other)]
            .map(|(regression, case)| regression.fit(lambda).unwrap().predict(case.cross().view()).unwrap());
        prop_assert!((&outputs - &permuted).iter().all(|change| change.abs() < 1e-9));
        let [one, two] = [&first, &second].map(|regression| regression.leave_one_out(lambda).unwrap());
        prop_assert!((&one.residuals.select(Axis(0), &order) - &two.residuals).iter().all(|change| change.abs() < 1e-9));
        if decided(&(&targets.values() - &one.residuals)) {
            prop_assert_eq!(one.error_rate, two.error_rate);
        }
        same(alignment(case.kernel().view(), &targets), alignment(other.kernel().view(), &others))?;
        same(centred_alignment(case.kernel().view(), &targets), centred_alignment(other.kernel().view(), &others))?;
    }

    #[test]
    fn the_scale_of_the_kernel_does_not_matter(case in case(), lambda in ridge(-3.0..2.0), factor in ridge(-12.0..12.0)) {
        let targets = case.targets();
        let (kernel, scaled) = (case.kernel(), &case.kernel() * factor);
        let [first, second] = [&kernel, &scaled].map(|kernel| KernelRidge::new(kernel.view(), &targets).unwrap());
        let [fit, other] = [&first, &second].map(|regression| regression.fit(lambda).unwrap());
        let outputs = fit.predict(case.cross().view()).unwrap();
        let of_scaled = other.predict((&case.cross() * factor).view()).unwrap();
        if kernel.diag().sum() > 0.0 {
            prop_assert!((&outputs - &of_scaled).iter().all(|change| change.abs() < 1e-9));
        }
        let [one, two] = [&first, &second].map(|regression| regression.leave_one_out(lambda).unwrap());
        prop_assert!((&one.residuals - &two.residuals).iter().all(|change| change.abs() < 1e-9));
        same(Ok(first.spectrum().effective_rank()), Ok(second.spectrum().effective_rank()))?;
        same(alignment(kernel.view(), &targets), alignment(scaled.view(), &targets))?;
        same(centred_alignment(kernel.view(), &targets), centred_alignment(scaled.view(), &targets))?;
        same(Ok(fit.profiled_log_marginal_likelihood()), Ok(other.profiled_log_marginal_likelihood()))?;
        // Where no ridge is better, rounding chooses.
        let errors = [&first, &second].map(|regression| {
            let chosen = regression.select(&RidgeGrid::default(), Criterion::SquaredError)?;
            Ok(regression.leave_one_out(chosen)?.squared_error)
        });
        let [one, two] = errors;
        same(one, two)?;
    }

    #[test]
    fn bounds(case in case(), lambda in ridge(-6.0..3.0)) {
        let (targets, kernel) = (case.targets(), case.kernel());
        let samples = case.training as f64;
        let trace = kernel.diag().sum();
        for found in [alignment(kernel.view(), &targets), centred_alignment(kernel.view(), &targets)] {
            // Refused where there is nothing to align.
            prop_assert!(found.is_err() || found.as_ref().is_ok_and(|found| (-1e-12..=1.0 + 1e-12).contains(found)), "{found:?}");
        }
        let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
        let spectrum = regression.spectrum();
        prop_assert!((spectrum.trace() - trace).abs() <= 1e-13 * trace);
        prop_assert!(spectrum.values().is_sorted() && spectrum.values()[0] >= 0.0);
        let rank = spectrum.effective_rank();
        let ranks = if trace > 0.0 { 1.0 - 1e-12..=samples * (1.0 + 1e-12) } else { 0.0..=0.0 };
        prop_assert!(ranks.contains(&rank), "{rank}");
        let alpha = regression.alpha(lambda);
        let [less, more] = [alpha, 2.0 * alpha].map(|alpha| spectrum.degrees_of_freedom(alpha));
        let falls = if trace > 0.0 { more > 0.0 && more < less } else { less == 0.0 };
        prop_assert!(less <= samples && falls, "{less} {more}");
        // The trace of what maps targets to predictions for them.
        let hat = (&solved(&kernel, alpha, Array2::eye(case.training).view()) * &kernel.t()).sum();
        prop_assert!((hat - less).abs() < 1e-8 * samples, "{hat} {less}");
        let fit = regression.fit(lambda).unwrap();
        let own = case.joint().diag().slice(s![case.training..]).to_owned();
        let variances = fit.predictive_variance(case.cross().view(), own.view()).unwrap();
        prop_assert!(variances.iter().zip(&own).all(|(variance, own)| (0.0..=*own).contains(variance)));
        let (likelihood, best) = (fit.log_marginal_likelihood(), fit.profiled_log_marginal_likelihood());
        prop_assert!(likelihood <= best + 1e-9 * best.abs(), "{likelihood} {best}");
    }

    // Kernels, ridges and targets of any size: a number or an error, never NaN and no panic.
    #[test]
    fn a_number_or_an_error(
        case in case(),
        lambda in ridge(-320.0..308.0),
        factor in ridge(-320.0..308.0),
        size in prop_oneof![3 => Just(1.0), 1 => ridge(-320.0..308.0)],
        flipped in prop::option::of((0usize..14, 0usize..14)),
    ) {
        let mut kernel = &case.kernel() * factor;
        if let Some((i, j)) = flipped {
            // No kernel any more, more often than not.
            let place = [i % case.training, j % case.training];
            kernel[place] = -kernel[place];
        }
        let values = inputs(case.training, 2) * size;
        for targets in [Targets::new(values.view()), Targets::one_hot(&case.labels, 3)].into_iter().flatten() {
            for found in [alignment(kernel.view(), &targets), centred_alignment(kernel.view(), &targets)].into_iter().flatten() {
                prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&found), "{found}");
            }
            for regression in [KernelRidge::new, KernelRidge::of_single_precision] {
                let Ok(regression) = regression(kernel.view(), &targets) else { continue };
                let spectrum = regression.spectrum();
                prop_assert!(spectrum.values().iter().all(|value| value.is_finite() && *value >= 0.0));
                prop_assert!(spectrum.trace().is_finite() && spectrum.rounding().is_finite());
                let rank = spectrum.effective_rank();
                prop_assert!(rank == 0.0 || (1.0 - 1e-9..=case.training as f64 + 1e-9).contains(&rank), "{rank}");
                prop_assert!(spectrum.condition_number().is_none_or(|number| number >= 1.0));
                let _ = regression.select(&RidgeGrid::default(), Criterion::Classification);
                if let Ok(left_out) = regression.leave_one_out(lambda) {
                    prop_assert!(left_out.residuals.iter().all(|residual| residual.is_finite()));
                    prop_assert!(!left_out.squared_error.is_nan());
                }
                let Ok(fit) = regression.fit(lambda) else { continue };
                prop_assert!(fit.alpha().is_finite() && fit.condition_number() >= 1.0);
                prop_assert!(fit.coefficients().iter().all(|entry| entry.is_finite()));
                prop_assert!(!fit.log_marginal_likelihood().is_nan());
                prop_assert!(!fit.profiled_log_marginal_likelihood().is_nan());
                let cross = &case.cross() * factor;
                if let Ok(outputs) = fit.predict(cross.view()) {
                    prop_assert!(outputs.iter().all(|output| output.is_finite()));
                }
                let own = &case.joint().diag().slice(s![case.training..]) * factor;
                if let Ok(variances) = fit.predictive_variance(cross.view(), own.view()) {
                    prop_assert!(variances.iter().zip(&own).all(|(variance, own)| (0.0..=*own).contains(variance)));
                }
            }
        }
    }
}

fn message<T>(found: sparsewidth::Result<T>) -> String {
    match found {
        Ok(_) => panic!("was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_no_kernel_is_refused() {
    let targets = Targets::one_hot(&[0, 1, 1], 2).unwrap();
    let of = |matrix: &Array2<f64>| KernelRidge::new(matrix.view(), &targets).map(|_| ());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in [[0, 0], [2, 0], [0, 2]] {
            let mut matrix = Array2::eye(3);
            matrix[place] = bad;
            assert!(message(of(&matrix)).contains("finite"), "{bad} at {place:?}");
            assert!(alignment(matrix.view(), &targets).is_err() && centred_alignment(matrix.view(), &targets).is_err());
        }
    }
    for shape in [(0, 0), (3, 2), (2, 2), (4, 4)] {
        let matrix = Array2::ones(shape);
        assert!(message(of(&matrix)).contains("a row and a column per sample"), "{shape:?}");
        assert!(message(alignment(matrix.view(), &targets)).contains("a row and a column per sample"), "{shape:?}");
    }
    // Not positive semi-definite, at any scale and with any diagonal.
    for factor in [1.0, 1e-140, 1e-12, 1e12, 1e140] {
        let matrices = [
            Array2::eye(3) * -1.0,
            array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
            array![[1e-9, 1.0, 0.0], [1.0, 1e-9, 0.0], [0.0, 0.0, 1e-9]],
            array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1e-3]],
        ];
        for matrix in matrices {
            assert!(message(of(&(&matrix * factor))).contains("eigenvalue below 0"), "{factor} {matrix}");
        }
    }
    // Off the diagonal far beyond it.
    let matrix = array![[1e-140, 1e140, 0.0], [1e140, 1e-140, 0.0], [0.0, 0.0, 1e-140]];
    assert!(message(of(&matrix)).contains("eigenvalue below 0"));
}

#[test]
fn scales_at_the_ends_of_double_precision() {
    let targets = Targets::one_hot(&[0, 1, 1], 2).unwrap();
    let matrix = array![[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]];
    let of = |factor: f64| KernelRidge::new((&matrix * factor).view(), &targets);
    let expected = of(1.0).unwrap().leave_one_out(0.1).unwrap();
    for factor in [1e-149, 1e-100, 1e100, 4e149] {
        let found = of(factor).unwrap().leave_one_out(0.1).unwrap();
        assert!(difference(&found.residuals, &expected.residuals) < 1e-12, "{factor}");
        // Squares of entries are beyond double precision.
        let found = alignment((&matrix * factor).view(), &targets).unwrap();
        assert!((found - alignment(matrix.view(), &targets).unwrap()).abs() < 1e-12, "{factor}");
    }
    for factor in [1e-320, 1e-309, 1e-151, 1e151, 8e307] {
        assert!(message(of(factor)).contains("rescale"), "{factor}");
    }
    // Ridges without a number, of a kernel of rank one.
    let matrix = Array2::from_elem((3, 3), 1e140);
    let regression = KernelRidge::new(matrix.view(), &targets).unwrap();
    assert!(message(regression.fit(1e100)).contains("smaller ridge"));
    let refusal = message(regression.fit(1e-100));
    let (_, above) = refusal.split_once("give a ridge above ").unwrap();
    regression.fit(above.trim().parse().unwrap()).unwrap();
    let grid = RidgeGrid::new(&[1e-100, 0.1, 1e100]).unwrap();
    assert_eq!(regression.select(&grid, Criterion::SquaredError).unwrap(), 0.1);
    let outside = RidgeGrid::new(&[1e-100, 1e100]).unwrap();
    assert!(message(regression.select(&outside, Criterion::SquaredError)).contains("ridge"));
    // A kernel that vanishes, whose ridge is in no units.
    let regression = KernelRidge::new(Array2::zeros((3, 3)).view(), &targets).unwrap();
    assert!(message(regression.fit(1e-300)).contains("give a ridge above"));
    for value in [1e-51, 1e51, 1e300] {
        assert!(message(Targets::new(array![[value], [0.0]].view())).contains("rescale"), "{value}");
    }
}

#[test]
fn only_the_lower_triangle_is_read() {
    let features = inputs(12, 20);
    let kernel = features.dot(&features.t());
    let targets = Targets::new(inputs(12, 2).view()).unwrap();
    let mut other = kernel.clone();
    (0..12).flat_map(|i| (i + 1..12).map(move |j| (i, j))).for_each(|place| other[place] = 1e9);
    let [one, two] = [&kernel, &other].map(|kernel| KernelRidge::new(kernel.view(), &targets).unwrap());
    assert_eq!(one.spectrum(), two.spectrum());
    assert_eq!(one.fit(0.1).unwrap().coefficients(), two.fit(0.1).unwrap().coefficients());
}

#[test]
fn few_samples_and_few_classes() {
    // Of one sample: left out, nothing is known.
    let targets = Targets::one_hot(&[1], 2).unwrap();
    let one = KernelRidge::new(array![[4.0]].view(), &targets).unwrap();
    let left_out = one.leave_one_out(0.25).unwrap();
    assert!(difference(&left_out.residuals, targets.values()) < 1e-15);
    // Equal outputs are class 0.
    assert_eq!((left_out.squared_error, left_out.error_rate), (0.25, Some(1.0)));
    assert_eq!((one.spectrum().effective_rank(), one.spectrum().condition_number()), (1.0, Some(1.0)));
    let fit = one.fit(0.25).unwrap();
    // 4 / (4 + 1) of the target.
    assert!(difference(&fit.predict(array![[4.0]].view()).unwrap(), &array![[-0.4, 0.4]]) < 1e-15);
    assert!(centred_alignment(array![[4.0]].view(), &targets).is_err());

    // One class only: it is predicted, and there is nothing to align. Of ten classes, whose targets have no exact mean.
    let features = inputs(60, 8);
    let kernel = features.dot(&features.t()) + 1.0;
    let targets = Targets::one_hot(&[3; 60], 10).unwrap();
    let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
    assert_eq!(regression.leave_one_out(0.1).unwrap().error_rate, Some(0.0));
    assert!(message(centred_alignment(kernel.view(), &targets)).contains("vanish"));
    // Nor is there for a kernel without any feature that varies.
    let labels: Vec<u8> = (0..60).map(|i| i % 10).collect();
    let targets = Targets::one_hot(&labels, 10).unwrap();
    assert!(message(centred_alignment(Array2::from_elem((60, 60), 0.1).view(), &targets)).contains("vanish"));
}

#[test]
fn many_classes_and_labels_out_of_range() {
    let labels: Vec<u8> = (0..=255).collect();
    let targets = Targets::one_hot(&labels, 256).unwrap();
    let regression = KernelRidge::new((Array2::eye(256) * 3.0).view(), &targets).unwrap();
    let fit = regression.fit(1.0).unwrap();
    let outputs = fit.predict((Array2::eye(256) * 3.0).view()).unwrap();
    assert_eq!(error_rate(outputs.view(), &labels).unwrap(), 0.0);
    assert!(difference(&outputs, &(&targets.values() * 0.5)) < 1e-14);
    assert!(message(Targets::one_hot(&labels, 255)).contains("labels of 255 classes are from 0 to 254"));
    assert!(message(Targets::one_hot(&[0, 10], 10)).contains("labels of 10 classes are from 0 to 9"));
    for classes in [0, 1, 257, usize::MAX] {
        assert!(message(Targets::one_hot(&[0], classes)).contains("classes"), "{classes}");
    }
    for labels in [vec![], vec![0], vec![0; 257]] {
        assert!(error_rate(outputs.view(), &labels).is_err());
    }
    assert!(message(Targets::one_hot(&[], 2)).contains("at least one sample"));
    // A label that no output stands for is wrong.
    assert_eq!(error_rate(array![[1.0, 0.0]].view(), &[200]).unwrap(), 1.0);
    assert!(message(error_rate(array![[f64::NAN, f64::NAN]].view(), &[0])).contains("NaN"));
    assert_eq!(classes(array![[-1.0, -2.0], [-2.0, -1.0]].view()), [0, 1]);
}

#[test]
fn targets_and_new_inputs_that_do_not_fit() {
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(message(Targets::new(array![[1.0], [bad]].view())).contains("(1, 0)"));
    }
    for shape in [(0, 1), (1, 0)] {
        assert!(message(Targets::new(Array2::zeros(shape).view())).contains("at least one sample and one output"));
    }
    let targets = Targets::new(array![[1.0], [2.0]].view()).unwrap();
    let regression = KernelRidge::new(Array2::eye(2).view(), &targets).unwrap();
    assert!(message(regression.select(&RidgeGrid::default(), Criterion::Classification)).contains("are not classes"));
    let fit = regression.fit(0.1).unwrap();
    for cross in [array![[1.0]], array![[1.0, f64::NAN]], Array2::zeros((1, 3))] {
        assert!(message(fit.predict(cross.view())).contains("one column per training sample"));
        assert!(fit.predictive_variance(cross.view(), array![1.0].view()).is_err());
    }
    for own in [array![], array![1.0, 1.0], array![f64::NAN]] {
        assert!(message(fit.predictive_variance(array![[0.1, 0.0]].view(), own.view())).contains("with itself"));
    }
    // Of no new inputs nothing is predicted; of many, in parts, what each gives alone.
    assert_eq!(fit.predict(Array2::zeros((0, 2)).view()).unwrap().dim(), (0, 1));
    let cross = inputs(600, 2);
    let all = fit.predictive_variance(cross.view(), Array1::ones(600).view()).unwrap();
    for row in [0, 255, 256, 511, 512, 599] {
        let alone = cross.slice(s![row..row + 1, ..]);
        let found = fit.predictive_variance(alone, array![1.0].view()).unwrap();
        // 1 - |k|^2 / 1.1.
        let expected = (1.0 - alone.iter().map(|x| x * x).sum::<f64>() / 1.1).max(0.0);
        assert!((all[row] - expected).abs() < 1e-14 && (found[0] - expected).abs() < 1e-14, "{row}");
    }
}

#[test]
fn repeated_samples_weigh_twice() {
    // Twice the same sample with the same target is once with half the noise:
    // 2 k / (2 k + alpha) = k / (k + alpha / 2).
    let features = inputs(10, 4);
    let twice = concatenate![Axis(0), features, features];
    let values = inputs(10, 2);
    let targets = Targets::new(concatenate![Axis(0), values, values].view()).unwrap();
    let kernel = twice.dot(&twice.t());
    let regression = KernelRidge::new(kernel.view(), &targets).unwrap();
    assert_eq!(regression.spectrum().condition_number(), None);
    let cross = inputs(5, 4).dot(&features.t());
    for lambda in [1e-6, 0.1, 10.0] {
        let fit = regression.fit(lambda).unwrap();
        let outputs = fit.predict(concatenate![Axis(1), cross, cross].view()).unwrap();
        let expected = cross.dot(&solved(&features.dot(&features.t()), 0.5 * fit.alpha(), values.view()));
        // Of condition number 1e7.
        assert!(difference(&outputs, &expected) < 1e-8, "{lambda}");
    }
}
