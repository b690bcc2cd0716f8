//! What masks of a fixed count claim where the inputs are nearly opposite, against angles without cancellation.

use std::f64::consts::PI;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sparsewidth::RowMoments;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{FixedCount, Sampling};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::random::{Purpose, Stream};

use crate::compare::size;

/// The largest ratio of error to claim over so many nearly opposite pairs, one fixed number of weights in each row.
pub fn worst(seed: u64, pairs: u32) -> f64 {
    (0..pairs).map(|index| ratio(&mut Stream::new(seed, Purpose::Synthetic, 0, index))).fold(0.0, f64::max)
}

fn ratio(stream: &mut Stream) -> f64 {
    let d = stream.random_range(4..=11);
    let kept = stream.random_range(2..d);
    let distance = 10f64.powf(stream.random_range(-8.0..-0.5));
    let factor = -(stream.random_range(-2.0..2.0f64)).exp();
    let mut normal = || -> f64 { StandardNormal.sample(stream) };
    let x: Vec<f64> = (0..d).map(|_| normal()).collect();
    let y: Vec<f64> = x.iter().map(|x| factor * (x + distance * normal())).collect();
    let pair = Pair::new(x.as_slice().into(), y.as_slice().into()).expect("finite");
    let connectivity = Connectivity::new(kept as f64 / d as f64).expect("in range");
    let sampling = Sampling::new(Sampling::MIN_MASKS, 0).expect("enough masks");
    let found = FixedCount::per_row(sampling).moments(&pair, connectivity).expect("serves every pair");
    let (mut sums, mut masks) = ([0.0; 2], 0.0);
    for mask in (0u32..1 << d).filter(|mask| mask.count_ones() as usize == kept) {
        let kept = (0..d).filter(|j| mask >> j & 1 == 1).map(|j| (x[j], y[j])).collect::<Vec<_>>();
        let kernel = kernels(&kept);
        sums = [sums[0] + kernel[0], sums[1] + kernel[1]];
        masks += 1.0;
    }
    let variance = d as f64 / kept as f64;
    let exact = [variance * sums[0] / masks, variance * variance * sums[1] / masks];
    let ratio = |found: sparsewidth::Estimate, exact: f64| {
        let difference = (found.value - exact).abs();
        if difference == 0.0 { 0.0 } else { difference / size(found) }
    };
    ratio(found.k1, exact[0]).max(ratio(found.k2, exact[1]))
}

/// `K_1` and `K_2`, each to some units in the last place of itself: the sine of the angle is a sum of squares
/// (Lagrange's identity), and what cancels in the kernels is a series.
fn kernels(entries: &[(f64, f64)]) -> [f64; 2] {
    let sum = |of: fn(&(f64, f64)) -> f64| entries.iter().map(of).sum::<f64>();
    let scale = (sum(|(x, _)| x * x) * sum(|(_, y)| y * y)).sqrt();
    let mut squares = 0.0;
    for (index, (x, y)) in entries.iter().enumerate() {
        for (u, v) in &entries[..index] {
            // Kahan's difference of products.
            let product = y * u;
            let cross = x.mul_add(*v, -product) - y.mul_add(*u, -product);
            squares += cross * cross;
        }
    }
    let phi = squares.sqrt().atan2(-sum(|(x, y)| x * y));
    let [j1, j2] = if phi < 1.0 { series(phi) } else { closed(phi) };
    [scale * j1 / (2.0 * PI), scale * scale * j2 / (2.0 * PI)]
}

/// `sin f - f cos f` and `f (2 + cos 2f) - 3/2 sin 2f`.
fn closed(phi: f64) -> [f64; 2] {
    let (sine, cosine) = phi.sin_cos();
    [sine - phi * cosine, phi * (1.0 + 2.0 * cosine * cosine) - 3.0 * sine * cosine]
}

/// The same by their Taylor series, `sum (-1)^(n+1) 2n f^(2n+1) / (2n+1)!` and
/// `sum (-1)^n (n-1) (2f)^(2n+1) / (2n+1)!`.
fn series(phi: f64) -> [f64; 2] {
    let (mut first, mut second) = (phi, 2.0 * phi);
    let mut sums = [0.0; 2];
    for n in 1..=20 {
        let n = f64::from(n);
        let next = -1.0 / (2.0 * n * (2.0 * n + 1.0));
        first *= next * phi * phi;
        second *= next * 4.0 * phi * phi;
        sums = [sums[0] - 2.0 * n * first, sums[1] + (n - 1.0) * second];
    }
    sums
}
