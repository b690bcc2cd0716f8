//! The kernels against reference values made by mpmath at 60 digits (scripts/reference_values.py), each method with its
//! own tolerance.

use std::cell::Cell;

use ndarray::ArrayView1;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{
    Auto, Enumerate, Expansion, FixedCount, LinearBottleneck, MaskedMoments, Method, Quadrature, RowMoments, Sampling,
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
fn the_gram_matrix_of_a_bottleneck_to_its_own_error() {
    let cases = cases::<BottleneckCase>("bottleneck.toml");
    assert!(cases.len() >= 40);
    for BottleneckCase { rank, angle, mean_square } in cases {
        // Scales that differ, and their square with them.
        let (x, y) = ([0.5, 0.0], [3.0 * angle.cos(), 3.0 * angle.sin()]);
        let pair = pair(&x, &y);
        let moments = LinearBottleneck::new(rank).unwrap().moments(&pair, Connectivity::DENSE).unwrap();
        let found = moments.covariance.value + moments.k1.value.powi(2);
        let bound = moments.covariance.error.magnitude().expect("an estimate");
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
        let MaskedMoments { k1, k2, shift, method: used, .. } = method.of_pair(&pair, &p.into(), 0).unwrap();
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
    // correction of relative order q/d; what it drops is of order q/d smaller, so four times the dimension must bring
    // the relative error of the correction down about four times (three at least, as higher orders mix in).
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

/// `x` with its first entry one unit in the last place larger: parallel to nothing exactly, so that no closed form
/// takes the pair.
fn nudged(x: &[f64]) -> Vec<f64> {
    let mut nudged = x.to_vec();
    nudged[0] *= 1.0 + f64::EPSILON;
    nudged
}

/// Ten entries of several sizes, one of which is zero and two alike.
const SOME: [f64; 10] = [1.0, -0.5, 2.0, 0.25, 0.0, -1.5, 0.75, 0.75, 0.1, -0.3];

#[test]
fn the_second_moment_of_an_input_with_itself_by_every_method() {
    // K_2(x, x) = 3/2 |x|^4, so that K~_2(x, x) is 3/2 E (sum s_j x_j^2)^2 / p^2 = 3/2 (|x|^4 + (1-p)/p sum x_j^4).
    let [square, fourth] = [2, 4].map(|power| SOME.iter().map(|entry| entry.powi(power)).sum::<f64>());
    let sampling = Sampling::new(20_000, 3).unwrap();
    let auto = Auto { quadrature: Quadrature::default(), sampling };
    let methods: [(&str, Method, &dyn RowMoments); 5] = [
        ("enumeration", Method::Enumerate, &Enumerate::default()),
        ("quadrature", Method::Quadrature, &Quadrature::default()),
        ("sampling", Method::Sampling, &sampling),
        ("expansion", Method::Expansion, &Expansion),
        ("auto", Method::Enumerate, &auto),
    ];
    let (other, connectivities) = (nudged(&SOME), [0.03, 0.2, 0.5, 0.9, 1.0]);
    for (name, expected_method, method) in methods {
        let mut before = f64::INFINITY;
        for p in connectivities {
            let expected = 1.5 * (square * square + (1.0 - p) / p * fourth);
            for (y, exact) in [(&SOME[..], true), (&other[..], p == 1.0)] {
                let found = method.of_pair(&pair(&SOME, y), &Connectivity::new(p).unwrap().into(), 0).unwrap();
                assert_eq!(found.method, if exact { Method::ClosedForm } else { expected_method }, "{name}, p = {p}");
                // Five standard errors where masks are sampled. The expansion is exact here, but for the nudge and
                // rounding, a few units in the last place of sums of ten terms.
                let reach = found.k2.error.at(5.0).unwrap_or(0.0) + 1e-14 * expected;
                let off = (found.k2.value - expected).abs();
                assert!(off <= reach, "{name}, p = {p}: {:e} is off by {off:e} of {reach:e}", found.k2.value);
                // More weights, less of it: neighbours differ by far more than any error here.
                assert!(found.k2.value < before, "{name}, p = {p}: {:e} after {before:e}", found.k2.value);
            }
            before = expected;
        }
    }
}

#[test]
fn the_second_moment_of_an_input_with_itself_for_other_families() {
    let [square, fourth] = [2, 4].map(|power| SOME.iter().map(|entry| entry.powi(power)).sum::<f64>());
    let other = nudged(&SOME);
    let (sampling, d) = (Sampling::new(100, 0).unwrap(), 10.0f64);
    let check = |name: &str, method: &dyn RowMoments, p: f64, expected: f64| {
        for y in [&SOME[..], &other] {
            let found = method.of_pair(&pair(&SOME, y), &Connectivity::new(p).unwrap().into(), 0).unwrap().k2;
            let bound = found.error.magnitude().expect("a bound or an estimate") + 1e-14 * expected;
            assert!((found.value - expected).abs() <= bound, "{name}, p = {p}: {found:?}, expected {expected:e}");
        }
    };
    for p in [0.1f64, 0.3, 0.7] {
        // `kept` of `entries`, uniformly: an entry is among them with probability kept / entries, a pair with that
        // times (kept - 1) / (entries - 1).
        let of_count = |entries: f64, kept: f64, variance: f64| {
            let one = kept / entries;
            let two = one * (kept - 1.0) / (entries - 1.0);
            1.5 * variance * variance * (two * (square * square - fourth) + one * fourth)
        };
        let kept = (p * d).round();
        check("constant fan-in", &FixedCount::per_row(sampling), p, of_count(d, kept, d / kept));
        let width = Width::new(7).unwrap();
        let kept = (p * 7.0 * d).round();
        check("exact count", &FixedCount::per_layer(width, sampling), p, of_count(7.0 * d, kept, 1.0 / p));
    }
    for rank in [1, 2, 9] {
        let expected = (1.0 + 2.0 / rank as f64) * 1.5 * square * square;
        check("bottleneck", &LinearBottleneck::new(rank).unwrap(), 1.0, expected);
    }
}

#[test]
fn next_to_dense_masks_lack_one_entry() {
    // To first order in e = 1 - p at most one entry is missing: K~_l = K_l + e [l K_l + sum_j (K_l without entry j -
    // K_l)].
    let y: Vec<f64> = (0..10).map(|j| (2.0 * f64::from(j) + 1.0).cos()).collect();
    let gram = |without: Option<usize>| {
        let kept = |values: &[f64]| -> Vec<f64> {
            values.iter().enumerate().map(|(j, value)| if Some(j) == without { 0.0 } else { *value }).collect()
        };
        pair(&kept(&SOME), &kept(&y)).gram()
    };
    let dense = arc_cosine(gram(None));
    let (mut slope_1, mut slope_2) = (dense.k1, 2.0 * dense.k2);
    for kernel in (0..10).map(|j| arc_cosine(gram(Some(j)))) {
        slope_1 += kernel.k1 - dense.k1;
        slope_2 += kernel.k2 - dense.k2;
    }
    let at = |method: &dyn RowMoments, e: f64| {
        let moments = method.of_pair(&pair(&SOME, &y), &Connectivity::new(1.0 - e).unwrap().into(), 0).unwrap();
        [moments.shift.value, moments.k2.value - dense.k2]
    };
    let beyond = |e: f64| {
        let exact = at(&Enumerate::default(), e);
        [exact[0] - e * slope_1, exact[1] - e * slope_2]
    };
    let error = |e: f64| {
        let (exact, expansion) = (at(&Enumerate::default(), e), at(&Expansion, e));
        [expansion[0] - exact[0], expansion[1] - exact[1]]
    };
    let ratio = |a: [f64; 2], b: [f64; 2]| [a[0] / b[0], a[1] / b[1]];
    // The exact moments leave an error of second order, which falls a hundredfold over a tenth; the expansion, to which
    // a missing entry is a small fluctuation, one of first order, which falls tenfold. Next orders change both by parts
    // of order e.
    for (l, ratio) in ratio(beyond(1e-2), beyond(1e-3)).into_iter().enumerate() {
        assert!((ratio / 100.0 - 1.0).abs() < 0.2, "exact, l = {}: {ratio}", l + 1);
    }
    for (l, ratio) in ratio(error(1e-2), error(1e-3)).into_iter().enumerate() {
        assert!((ratio / 10.0 - 1.0).abs() < 0.2, "expansion, l = {}: {ratio}", l + 1);
    }
}

#[test]
fn auto_does_not_jump_where_it_changes_its_method() {
    // 2^20 masks are summed, 2^21 are not. An entry of 1e-9 makes the difference; it changes K~_l by less than its
    // share of the norms over the square root of the connectivity, and by rounding.
    let [mut x, mut y] =
        [0.3f64, 1.1].map(|shift| (0..20).map(|j| (1.7 * f64::from(j) + shift).sin()).collect::<Vec<_>>());
    let auto = Auto { quadrature: Quadrature::default(), sampling: Sampling::new(100, 0).unwrap() };
    for p in [0.1, 0.5, 0.95] {
        let p = Connectivity::new(p).unwrap();
        x.push(0.0);
        y.push(0.0);
        let sum = auto.moments(&pair(&x, &y), p).unwrap();
        x[20] = 1e-9;
        y[20] = -1e-9;
        let integral = auto.moments(&pair(&x, &y), p).unwrap();
        x.pop();
        y.pop();
        assert_eq!((sum.method, sum.terms, integral.method), (Method::Enumerate, 1 << 20, Method::Quadrature));
        for (name, a, b, unit) in [
            ("K~_1", sum.k1, integral.k1, sum.k1.value),
            ("K~_2", sum.k2, integral.k2, sum.k2.value),
            ("shift", sum.shift, integral.shift, sum.k1.value),
        ] {
            let reach = a.error.magnitude().unwrap() + b.error.magnitude().unwrap() + 1e-8 * unit;
            let off = (a.value - b.value).abs();
            assert!(off <= reach && reach <= 3e-6 * unit, "{name}, {p}: off by {off:e} of {reach:e}");
        }
    }
}
