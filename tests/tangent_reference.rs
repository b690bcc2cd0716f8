//! The averages of the tangent kernel, and its limits at infinite width, against reference values made by mpmath at 60
//! digits (scripts/reference_values.py): no error may exceed what is reported.

use ndarray::ArrayView1;
use serde::Deserialize;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{
    Auto, Enumerate, Expansion, MaskedMoments, Method, Quadrature, Row, RowMoments, Sampling,
};
use sparsewidth::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use sparsewidth::network::Activation;
use sparsewidth::{Connectivity, Estimate, WeightDistribution};

#[derive(Deserialize)]
struct Reference {
    case: Vec<Case>,
    limit: Vec<Limit>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    connectivity: Option<f64>,
    #[serde(default)]
    connectivities: Vec<f64>,
    paper: bool,
    averages: [f64; 5],
}

#[derive(Deserialize)]
struct Limit {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    layers: String,
    nngp: f64,
    ntk: f64,
}

fn reference() -> Reference {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tangent.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn pair<'a>(x: &'a [f64], y: &'a [f64]) -> Pair<'a> {
    Pair::new(ArrayView1::from(x), ArrayView1::from(y)).unwrap()
}

/// Rounding of what the test itself computes from reference values: a few units in the last place of `|x| |y|`.
const OWN_ROUNDING: f64 = 8.0 * f64::EPSILON;

/// What was found and what is expected: the five averages, both moments of one unit for a readout, and the shift.
fn compared(case: &Case, found: &MaskedMoments, kurtosis: f64) -> Vec<(&'static str, Estimate, f64)> {
    let [k1, k2, j1, j11, j2] = case.averages;
    let tangent = found.tangent.expect("moments of the tangent kernel");
    vec![
        ("K~_1", found.k1, k1),
        ("K~_2", found.k2, k2),
        ("J~_1", tangent.j1, j1),
        ("J~_11", tangent.j11, j11),
        ("J~_2", tangent.j2, j2),
        ("first", found.first, k1 + j1),
        ("second", found.second, k2 + 2.0 * j11 + kurtosis * j2),
        ("shift", found.shift, k1 + j1 - InfiniteWidth::of(&pair(&case.x, &case.y)).ntk),
    ]
}

/// Runs a method over all cases, but for those that it refuses; `check` gets the name, each estimate with its
/// reference, and the rounding of the test.
fn each_case(method: &dyn RowMoments, check: impl Fn(&str, Estimate, f64, f64, Method)) {
    let Reference { case: cases, .. } = reference();
    assert!(cases.len() >= 80);
    for case in &cases {
        let pair = pair(&case.x, &case.y);
        let each: Vec<Connectivity> = case.connectivities.iter().map(|p| Connectivity::new(*p).unwrap()).collect();
        let tangent = if case.paper { Tangent::Paper } else { Tangent::Standardised };
        for (readout, kurtosis) in [(WeightDistribution::Gaussian, 3.0), (WeightDistribution::Uniform, 1.8)] {
            let row = match case.connectivity {
                Some(p) => Row::new(Connectivity::new(p).unwrap()),
                None => Row::per_input(&each),
            };
            let found = match method.of_pair(&pair, &row.kernel(Kernel::Ntk(tangent)).readout(readout), 0) {
                Ok(found) => found,
                // The quadrature takes one `tau` for all inputs.
                Err(error) => {
                    assert!(case.paper && !each.is_empty(), "{}: {error}", case.name);
                    continue;
                }
            };
            for (what, estimate, expected) in compared(case, &found, kurtosis) {
                let rounding = match what {
                    "first" | "shift" => OWN_ROUNDING * pair.gram().scale(),
                    "second" => OWN_ROUNDING * expected.abs(),
                    // The literal is rounded to a float.
                    _ => f64::EPSILON * expected.abs(),
                };
                check(&format!("{what} of {}", case.name), estimate, expected, rounding, found.method);
            }
        }
    }
}

#[test]
fn sums_over_masks_stay_within_their_bound() {
    each_case(&Enumerate::default(), |name, found, expected, rounding, _| {
        let Some(bound) = found.error.proven() else { panic!("{name}: no bound") };
        assert!((found.value - expected).abs() <= bound + rounding, "{name}: {found:?}, expected {expected:e}");
    });
}

#[test]
fn the_quadrature_and_auto_stay_within_their_error() {
    for tolerance in [1e-3, 1e-6, 1e-10] {
        let quadrature = Quadrature::new(tolerance).unwrap();
        let auto = Auto { quadrature, sampling: Sampling::new(100, 0).unwrap() };
        for method in [&quadrature as &dyn RowMoments, &auto] {
            each_case(method, |name, found, expected, rounding, _| {
                let Some(error) = found.error.magnitude() else { panic!("{name}: no error") };
                assert!((found.value - expected).abs() <= error + rounding, "{name}: {found:?}, expected {expected:e}");
            });
        }
    }
}

#[test]
fn sampled_masks_are_within_five_standard_errors() {
    // 1,500 values, of which one is beyond five standard errors once in 1,200 seeds, if they were normal; the seed is
    // fixed.
    each_case(&Sampling::new(20_000, 5).unwrap(), |name, found, expected, rounding, _| {
        let Some(reach) = found.error.at(5.0) else { panic!("{name}: no error") };
        assert!((found.value - expected).abs() <= reach + rounding, "{name}: {found:?}, expected {expected:e}");
    });
}

#[test]
fn the_expansion_is_exact_where_it_says_so() {
    each_case(&Expansion, |name, found, expected, rounding, method| match found.error.proven() {
        Some(bound) => {
            assert_eq!(method, Method::ClosedForm, "{name}");
            assert!((found.value - expected).abs() <= bound + rounding, "{name}: {found:?}, expected {expected:e}");
        }
        None => assert!(method == Method::Expansion && found.value.is_finite(), "{name}: {found:?}"),
    });
}

#[test]
fn infinite_width_layer_by_layer() {
    let Reference { limit: limits, .. } = reference();
    assert!(limits.len() >= 60);
    for Limit { name, x, y, layers, nngp, ntk } in limits {
        let pair = pair(&x, &y);
        let activations: Vec<Activation> = layers
            .split_whitespace()
            .map(|layer| if layer == "relu" { Activation::Relu } else { Activation::Linear })
            .collect();
        let found = InfiniteWidth::of_layers(&pair, &activations);
        // Beyond the first layer the angle comes from a Gram triple in double precision: it is right to the rounding of
        // the cosine over the angle, and at most to the root of that rounding. K_0 has a slope of 1 / 2 pi.
        let scale = pair.gram().scale();
        assert!((found.nngp - nngp).abs() <= 1e-14 * scale, "{name}, {layers}: {} {nngp}", found.nngp);
        let reach = match &*layers {
            "relu" | "linear" => 2e-15,
            _ if name.ends_with("1e-9") => 1e-8,
            _ => 1e-12,
        };
        assert!((found.ntk - ntk).abs() <= reach * scale, "{name}, {layers}: {} {ntk}", found.ntk);
    }
}
