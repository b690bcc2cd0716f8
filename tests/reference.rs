//! The kernels against reference values made by mpmath at 60 digits (scripts/reference_values.py), each method with its
//! own tolerance.

use std::cell::Cell;

use ndarray::ArrayView1;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::LinearBottleneck;
use sparsewidth::kernel::masked::{
    Enumerate, Expansion, FixedCount, MaskedMoments, Method, Quadrature, RowMoments, Sampling,
};
use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::estimate::{Estimate, Uncertainty};

#[derive(Deserialize)]
struct Cases<T> {
    case: Vec<T>,
}

#[derive(Deserialize)]
struct ArcCosineCase {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    k1: f64,
    k2: f64,
}

#[derive(Deserialize)]
struct MaskedCase {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    connectivity: f64,
    masked_k1: f64,
    masked_k2: f64,
    shift: f64,
}

fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
    toml::from_str::<Cases<T>>(&std::fs::read_to_string(path).unwrap()).unwrap().case
}

#[derive(Deserialize)]
struct BottleneckCase {
    rank: usize,
    angle: f64,
    mean_square: f64,
}

#[test]
fn the_gram_matrix_of_a_bottleneck_to_its_own_bound() {
    let cases = cases::<BottleneckCase>("bottleneck.toml");
    assert!(cases.len() >= 40);
    for BottleneckCase { rank, angle, mean_square } in cases {
        // Scales that differ, and their square with them.
        let (x, y) = ([0.5, 0.0], [3.0 * angle.cos(), 3.0 * angle.sin()]);
        let pair = pair(&x, &y);
        let moments = LinearBottleneck::new(rank).unwrap().moments(&pair, Connectivity::DENSE).unwrap();
        let found = moments.covariance.value + moments.k1.value.powi(2);
        let bound = moments.covariance.error.proven().expect("a bound");
        let difference = (found - 2.25 * mean_square).abs();
        assert!(difference <= bound, "rank {rank}, angle {angle}: {found} is off by {difference:e} of {bound:e}");
    }
}

fn pair<'a>(x: &'a [f64], y: &'a [f64]) -> Pair<'a> {
    Pair::new(ArrayView1::from(x), ArrayView1::from(y)).unwrap()
}

#[test]
fn arc_cosine_moments_to_1e_14_of_their_scale() {
    let cases = cases::<ArcCosineCase>("arccos.toml");
    assert!(cases.len() >= 30);
    for case in cases {
        let gram = pair(&case.x, &case.y).gram();
        let kernel = arc_cosine(gram);
        let scale = gram.scale();
        assert!(kernel.k1 >= 0.0 && (kernel.k1 - case.k1).abs() <= 1e-14 * scale, "{}: {kernel:?}", case.name);
        assert!(kernel.k2 >= 0.0 && (kernel.k2 - case.k2).abs() <= 1e-14 * scale * scale, "{}: {kernel:?}", case.name);
    }
}

/// Runs one method over all masked cases and hands each triple of (estimate, reference) to `check`.
fn each_masked(method: &dyn RowMoments, check: impl Fn(&str, [(Estimate, f64); 3], Method)) {
    let cases = cases::<MaskedCase>("masked.toml");
    assert!(cases.len() >= 50);
    for case in cases {
        let pair = pair(&case.x, &case.y);
        let p = Connectivity::new(case.connectivity).unwrap();
        let MaskedMoments { k1, k2, shift, method: used, .. } = method.moments(&pair, p).unwrap();
        let found = [(k1, case.masked_k1), (k2, case.masked_k2), (shift, case.shift)];
        check(&case.name, found, used);
    }
}

#[test]
fn enumeration_stays_within_its_own_bound() {
    each_masked(&Enumerate::default(), |name, found, _| {
        for (estimate, expected) in found {
            let Some(bound) = estimate.error.proven() else { panic!("{name}: no bound") };
            assert!((estimate.value - expected).abs() <= bound, "{name}: {estimate:?}, expected {expected}");
        }
    });
}

#[test]
fn the_quadrature_stays_within_its_own_error() {
    each_masked(&Quadrature::default(), |name, found, _| {
        for (estimate, expected) in found {
            let error = estimate.error.magnitude().unwrap();
            assert!((estimate.value - expected).abs() <= error, "{name}: {estimate:?}, expected {expected}");
        }
    });
}

#[derive(Deserialize)]
struct FixedCountCase {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    rows: usize,
    connectivity: f64,
    masked_k1: f64,
    masked_k2: f64,
    shift: f64,
    covariance: f64,
}

#[test]
fn fixed_counts_stay_within_their_own_bound() {
    let cases = cases::<FixedCountCase>("fixed_counts.toml");
    assert!(cases.len() >= 50);
    for FixedCountCase { name, x, y, rows, connectivity, masked_k1, masked_k2, shift, covariance } in cases {
        let pair = pair(&x, &y);
        let (sampling, width) = (Sampling::new(100, 0).unwrap(), Width::new(rows.max(1)).unwrap());
        let family = if rows == 0 { FixedCount::per_row(sampling) } else { FixedCount::per_layer(width, sampling) };
        let moments = family.moments(&pair, Connectivity::new(connectivity).unwrap()).unwrap();
        let check = |what: &str, value: f64, error: Uncertainty, expected: f64| {
            let Some(bound) = error.proven() else { panic!("{name}: no bound") };
            let off = (value - expected).abs();
            assert!(off <= bound, "{name}, {what}: {value:e} is off by {off:e} of {bound:e}");
            bound
        };
        for (what, found, expected) in [
            ("K~_1", moments.k1, masked_k1),
            ("K~_2", moments.k2, masked_k2),
            ("shift", moments.shift, shift),
            ("covariance", moments.covariance, covariance),
        ] {
            let bound = check(what, found.value, found.error, expected);
            // It says something: |x| |y| is at most 8 here, and 1/p at most 10.
            assert!(bound <= 1e-10, "{name}, {what}: {bound:e}");
        }
        let (d, n) = (x.len() as f64, rows.max(1) as f64);
        let expected = (shift * shift + (masked_k2 - masked_k1 * masked_k1 + (n - 1.0) * covariance) / n) / (d * d);
        let distance = theorem_1(&moments, Dimension::of(&pair), width);
        check("distance", distance.total(), distance.error, expected);
    }
}

#[test]
fn sampled_masks_agree_within_five_standard_errors() {
    // 156 values at five standard errors each: a false alarm in 10^4 seeds if they were normal; the seed is fixed.
    each_masked(&Sampling::new(20_000, 11).unwrap(), |name, found, _| {
        for (estimate, expected) in found {
            // Strata that are summed exactly, and closed forms, leave rounding only.
            let rounding = 1e-13 * expected.abs().max(1.0);
            let error = estimate.error.magnitude().unwrap();
            assert!((estimate.value - expected).abs() <= 5.0 * error + rounding, "{name}: {estimate:?}, {expected}");
        }
    });
}

#[test]
fn moments_are_exact_where_they_claim_it() {
    let (known, unknown) = (Cell::new(0), Cell::new(0));
    each_masked(&Expansion, |name, found, method| {
        for (estimate, expected) in found {
            match (method, estimate.error) {
                (Method::ClosedForm, error) => {
                    let bound = error.proven().expect("a bound");
                    assert!((estimate.value - expected).abs() <= bound, "{name}: {estimate:?}, {expected}");
                    known.set(known.get() + 1);
                }
                (Method::Expansion, error) => {
                    assert!(error.magnitude().is_none() && estimate.value.is_finite(), "{name}: {estimate:?}");
                    unknown.set(unknown.get() + 1);
                }
                (method, _) => panic!("{name}: {method}"),
            }
        }
    });
    // Both kinds were among the cases.
    assert!(known.get() >= 15 && unknown.get() >= 60, "{} {}", known.get(), unknown.get());
}

#[test]
fn the_error_of_the_moment_expansion_falls_with_the_dimension() {
    // Five distinct entries, each m times: the exact sum has (m + 1)^5 terms at dimension 5 m. The expansion keeps the
    // correction of relative order q/d; what it drops is of order q/d smaller, so four times the dimension must bring the
    // relative error of the correction down about four times (three at least, as higher orders mix in).
    let (x, y) = ([0.8, -1.1, 0.4, 1.7, 0.2], [1.2, 0.3, -0.9, 0.6, 1.4]);
    let p = Connectivity::new(0.5).unwrap();
    let relative_errors = |m: usize| {
        let repeated = |v: &[f64]| v.iter().flat_map(|e| vec![*e; m]).collect::<Vec<f64>>();
        let (x, y) = (repeated(&x), repeated(&y));
        let pair = pair(&x, &y);
        let exact = Enumerate::default().moments(&pair, p).unwrap();
        let expansion = Expansion.moments(&pair, p).unwrap();
        let dense = arc_cosine(pair.gram()).k2;
        [
            (expansion.shift.value / exact.shift.value - 1.0).abs(),
            ((expansion.k2.value - dense) / (exact.k2.value - dense) - 1.0).abs(),
        ]
    };
    let (few, many) = (relative_errors(4), relative_errors(16));
    for (few, many) in few.into_iter().zip(many) {
        assert!(many < 0.05 && many < few / 3.0, "{few:e} at d = 20, {many:e} at d = 80");
    }
}
