//! The quadrature against the sum over masks, against itself at a finer rule, and against sampled masks.

use ndarray::{Array1, Array2};
use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::gram::Pair;
use sparsewidth::masked::{Auto, Enumerate, Estimate, MaskedKernel, MaskedMoments, Method, Quadrature, Sampling};

fn bound(estimate: Estimate) -> f64 {
    estimate.error.size().unwrap()
}

fn parts(moments: &MaskedMoments) -> [(&'static str, Estimate); 3] {
    [("K~_1", moments.k1), ("K~_2", moments.k2), ("K~_1 - K_1", moments.shift)]
}

/// A number in (-1, 1) that looks random.
fn noise(j: usize, k: usize) -> f64 {
    let v = ((j as f64 + 1.0) * 12.9898 + (k as f64 + 1.0) * 78.233).sin() * 43_758.545;
    2.0 * (v - v.floor()) - 1.0
}

/// Inputs that are easy, and inputs made to be hard.
fn inputs(d: usize) -> Vec<(&'static str, Array1<f64>, Array1<f64>)> {
    let vector = |value: &dyn Fn(usize) -> f64| Array1::from_shape_fn(d, value);
    let plain = vector(&|j| noise(j, 0));
    let other = vector(&|j| noise(j, 1));
    vec![
        ("plain", plain.clone(), other.clone()),
        ("positive", plain.mapv(f64::abs), other.mapv(f64::abs)),
        ("zeros", vector(&|j| if j % 3 == 0 { 0.0 } else { noise(j, 2) }), vector(&|j| if j % 4 == 1 { 0.0 } else { noise(j, 3) })),
        ("disjoint", vector(&|j| if j % 2 == 0 { noise(j, 2) } else { 0.0 }), vector(&|j| if j % 2 == 0 { 0.0 } else { noise(j, 3) })),
        ("equal entries", vector(&|j| if j < d / 2 { 1.0 } else { noise(j, 4) }), vector(&|j| if j < d / 2 { 2.0 } else { noise(j, 5) })),
        ("one shared ratio", plain.clone(), vector(&|j| if j + 2 < d { 3.0 * noise(j, 0) } else { noise(j, 6) })),
        ("nearly parallel", plain.clone(), &plain * 2.0 + &other * 1e-3),
        ("all but parallel", plain.clone(), &plain + &other * 1e-9),
        ("nearly antiparallel", plain.clone(), &plain * -1.0 + &other * 0.05),
        ("antiparallel parts", plain.clone(), vector(&|j| if j % 2 == 0 { -noise(j, 0) } else { noise(j, 7) })),
        ("huge entry", vector(&|j| if j == 0 { 100.0 } else { noise(j, 0) }), other.clone()),
        ("huge entries", vector(&|j| if j == 0 { 1e3 } else { noise(j, 0) }), vector(&|j| if j + 1 == d { -1e4 } else { noise(j, 1) })),
        ("tiny entries", vector(&|j| noise(j, 0) * 10f64.powi(-(j as i32 % 8))), vector(&|j| noise(j, 1) * 10f64.powi(-(j as i32 % 5)))),
        ("scales", &plain * 1e60, &other * 1e-60),
    ]
}

#[test]
fn within_its_bound_of_the_sum_over_masks() {
    let mut results = 0;
    let (mut worst, mut largest) = (0.0f64, 0.0f64);
    for d in [1, 2, 3, 4, 5, 7, 10, 13, 16, 20] {
        for (name, x, y) in inputs(d) {
            let Ok(pair) = Pair::new(x.view(), y.view()) else { panic!("{name}") };
            for p in [0.01, 0.05, 0.2, 0.5, 0.9, 0.999] {
                // 2^20 masks twenty times is enough.
                if d == 20 && p != 0.05 && p != 0.5 {
                    continue;
                }
                let connectivity = Connectivity::new(p).unwrap();
                let exact = Enumerate::default().moments(&pair, connectivity).unwrap();
                for tolerance in [1e-3, 1e-6] {
                    let found = Quadrature::new(tolerance).unwrap().moments(&pair, connectivity).unwrap();
                    for ((part, found), (_, exact)) in parts(&found).into_iter().zip(parts(&exact)) {
                        let error = (found.value - exact.value).abs();
                        let allowed = bound(found) + bound(exact);
                        if allowed > 0.0 { worst = worst.max(error / allowed); }
                        if error > allowed { println!("{part} of {name}, d = {d}, p = {p}: {found:?}, exactly {exact:?}"); }
                        results += 1;
                    }
                    if tolerance == 1e-6 {
                        let relative = (bound(found.k1) / exact.k1.value).max(bound(found.k2) / exact.k2.value);
                        if !found.within(1e-6) && exact.k1.value > 0.0 { println!("MISS {name} d {d} p {p}: {relative:e} {found:?}"); }
                        if relative.is_finite() { largest = largest.max(relative); }
                    }
                }
            }
        }
    }
    println!("{results} results, error at most {worst} of the bound; largest relative bound {largest:e}");
}
