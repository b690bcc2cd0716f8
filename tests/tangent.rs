//! The averages of the tangent kernel by every method: against a plain sum over masks, whose angles come from cross
//! products, and against each other.

use ndarray::Array1;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{
    Enumerate, Expansion, MaskedMoments, Quadrature, Row, RowMoments, Sampling, TangentMoments,
};
use sparsewidth::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use sparsewidth::{Connectivity, Estimate};

const NTK: Kernel = Kernel::Ntk(Tangent::Standardised);

/// A number in (-1, 1) that looks random.
fn noise(j: usize, k: usize) -> f64 {
    let v = ((j as f64 + 1.0) * 12.9898 + (k as f64 + 1.0) * 78.233).sin() * 43_758.545;
    2.0 * (v - v.floor()) - 1.0
}

fn vectors(d: usize) -> (Array1<f64>, Array1<f64>) {
    (Array1::from_shape_fn(d, |j| noise(j, 0)), Array1::from_shape_fn(d, |j| noise(j, 1) + 0.3 * noise(j, 0)))
}

fn connectivity(p: f64) -> Connectivity {
    Connectivity::new(p).unwrap()
}

/// `K~_1`, `K~_2`, `tau J~_1`, `tau J~_11`, `tau^2 J~_2` by their definition, one mask after the other.
fn plain(x: &Array1<f64>, y: &Array1<f64>, p: &[f64], tau: &[f64]) -> [f64; 5] {
    let d = x.len();
    let mut sums = [0.0; 5];
    for mask in 0u32..1 << d {
        let kept: Vec<usize> = (0..d).filter(|j| mask >> j & 1 == 1).collect();
        let weight: f64 = (0..d).map(|j| if mask >> j & 1 == 1 { p[j] } else { 1.0 - p[j] }).product();
        let sum = |term: &dyn Fn(usize) -> f64| kept.iter().map(|j| term(*j) / p[*j]).sum::<f64>();
        let (a, b, c) = (sum(&|j| x[j] * x[j]), sum(&|j| y[j] * y[j]), sum(&|j| x[j] * y[j]));
        let t = sum(&|j| tau[j] * x[j] * y[j]);
        // Lagrange's identity: A B - C^2 is the sum of the squares of all 2 x 2 minors.
        let mut minors = 0.0;
        for (place, i) in kept.iter().enumerate() {
            for j in &kept[..place] {
                minors += (x[*i] * y[*j] - x[*j] * y[*i]).powi(2) / (p[*i] * p[*j]);
            }
        }
        if a == 0.0 || b == 0.0 {
            continue;
        }
        let root = minors.sqrt();
        let phi = root.atan2(-c);
        let two_pi = 2.0 * std::f64::consts::PI;
        let (k0, k1, k2) = (phi, (root + c * phi).max(0.0), 3.0 * root * c + phi * (a * b + 2.0 * c * c));
        for (sum, term) in sums.iter_mut().zip([k1, k2, t * k0, t * k1, t * t * k0]) {
            *sum += weight * term / two_pi;
        }
    }
    sums
}

fn averages(moments: &MaskedMoments) -> [Estimate; 5] {
    let TangentMoments { j1, j11, j2, .. } = moments.tangent.unwrap();
    [moments.k1, moments.k2, j1, j11, j2]
}

/// The averages, then both moments and the shift.
fn all(moments: &MaskedMoments) -> Vec<Estimate> {
    [averages(moments).as_slice(), &[moments.first, moments.second, moments.shift]].concat()
}

#[test]
fn the_sum_over_masks_is_its_definition() {
    let d = 9;
    let (x, mut y) = vectors(d);
    for (near, change) in [(false, 0.0), (true, 1e-3), (true, 1e-9), (true, -1e-9f64)] {
        if near {
            y = &x * change.signum() + &vectors(d).1 * change.abs();
        }
        let pair = Pair::new(x.view(), y.view()).unwrap();
        for p in [0.05, 0.4, 0.95] {
            let each: Vec<Connectivity> =
                (0..d).map(|j| connectivity(if j == 2 { 1.0 } else { p * (1.0 - 0.1 * (j % 3) as f64) })).collect();
            for tangent in [Tangent::Standardised, Tangent::Paper] {
                for uniform in [true, false] {
                    let p_j: Vec<f64> = if uniform { vec![p; d] } else { each.iter().map(|p| p.get()).collect() };
                    let tau: Vec<f64> = match tangent {
                        Tangent::Paper => p_j.clone(),
                        _ => vec![1.0; d],
                    };
                    let row = if uniform { Row::new(connectivity(p)) } else { Row::per_input(&each) };
                    let found = Enumerate::default().moments(&pair, row.kernel(Kernel::Ntk(tangent))).unwrap();
                    let expected = plain(&x, &y, &p_j, &tau);
                    // The plain sum has the rounding of 512 terms, and its angles that of the minors.
                    let scale = pair.gram().scale();
                    let rounding = [1e-14 * scale / p, 1e-13 * (scale / p).powi(2)];
                    for (term, (found, expected)) in averages(&found).iter().zip(expected).enumerate() {
                        let allowed = found.error.proven().unwrap() + rounding[usize::from(![0, 2].contains(&term))];
                        assert!(
                            (found.value - expected).abs() <= allowed,
                            "term {term}, p = {p}, {tangent:?}, uniform: {uniform}, {change:e}: {found:?} {expected:e}"
                        );
                    }
                    // The moments of one unit, with the kurtosis of a Gaussian readout.
                    let [k1, k2, j1, j11, j2] = averages(&found).map(|estimate| estimate.value);
                    assert!((found.first.value - (k1 + j1)).abs() <= 1e-15 * scale);
                    assert!((found.second.value - (k2 + 2.0 * j11 + 3.0 * j2)).abs() <= 1e-14 * (scale / p).powi(2));
                    let limit = InfiniteWidth::of(&pair).ntk;
                    assert!((found.shift.value - (k1 + j1 - limit)).abs() <= 1e-13 * scale);
                }
            }
        }
    }
}

/// Beyond 2^16 masks the quadrature is an integral; below, it is the sum itself.
#[test]
fn the_quadrature_is_within_its_error_of_the_sum() {
    for d in [4, 17, 19] {
        let (x, y) = vectors(d);
        let pair = Pair::new(x.view(), y.view()).unwrap();
        for p in [0.02, 0.2, 0.6, 0.97] {
            let each: Vec<Connectivity> = (0..d).map(|j| connectivity([p, 0.8 * p, 1.0][j.min(2) % 3])).collect();
            let other: Vec<Connectivity> = (0..d).map(|j| connectivity(if j == 3 { 1.0 } else { p })).collect();
            let rows = [
                Row::new(connectivity(p)).kernel(NTK),
                Row::new(connectivity(p)).kernel(Kernel::Ntk(Tangent::Paper)),
                Row::per_input(&each[..d]).kernel(NTK),
                Row::per_input(&other).kernel(NTK),
            ];
            for (index, row) in rows.into_iter().enumerate() {
                let exact = Enumerate::default().moments(&pair, row).unwrap();
                for tolerance in [1e-3, 1e-6] {
                    let found = Quadrature::new(tolerance).unwrap().moments(&pair, row).unwrap();
                    for (term, (found, exact)) in all(&found).iter().zip(all(&exact)).enumerate() {
                        let error = (found.value - exact.value).abs();
                        let allowed = found.error.magnitude().unwrap() + exact.error.magnitude().unwrap();
                        assert!(error <= allowed, "term {term}, d = {d}, p = {p}, row {index}: {found:?} {exact:?}");
                    }
                    assert!(found.within(1.1 * tolerance), "d = {d}, p = {p}, row {index}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (x, y) = vectors(300);
    let (short_x, short_y) = vectors(14);
    let results = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (pair, short) =
                (Pair::new(x.view(), y.view()).unwrap(), Pair::new(short_x.view(), short_y.view()).unwrap());
            let row = Row::new(connectivity(0.02)).kernel(NTK);
            let found = [
                Quadrature::default().moments(&pair, row).unwrap(),
                Sampling::new(20_000, 3).unwrap().moments(&pair, row).unwrap(),
                Expansion.moments(&pair, row).unwrap(),
                Enumerate::default().moments(&short, row).unwrap(),
            ];
            found.map(|moments| all(&moments).iter().map(|estimate| estimate.value.to_bits()).collect::<Vec<_>>())
        })
    };
    let one = results(1);
    assert_eq!(results(2), one);
    assert_eq!(results(4), one);
}
