//! Moments of sums over a mask, by cumulants.

use multiversion::multiversion;
use rustfft::num_complex::Complex64;

use super::frame::{Entries, LANES, Vector};
use crate::numeric::simd::lane_sum;

/// The number of moments of `h` that the part below the first node uses.
pub const ORDER: usize = 12;
/// Powers of `h` from 0 to `ORDER + 1`.
pub const POWERS: usize = ORDER + 2;

/// Numbers by the power `n` of `h`.
pub type Powers = [f64; POWERS];

/// Cumulants or moments of `h^n`, `T h^n` and `T^2 h^n`, with `h = sum_j s_j z_j^2` and `T = sum_j s_j r_j^2 / 2`, the
/// mean of `h` over directions; where only the NNGP kernel is asked for, the last two are zero.
pub type Joint = [Powers; 3];

/// The cumulants of a Bernoulli variable, from the first to the one of order `POWERS + 1`; all its moments are `p`.
pub fn bernoulli_cumulants(p: f64) -> [f64; POWERS + 2] {
    let mut cumulants = [0.0; POWERS + 2];
    for n in 1..cumulants.len() {
        cumulants[n] = p - (1..n).map(|k| binomial(n - 1, k - 1) * cumulants[k] * p).sum::<f64>();
    }
    cumulants
}

/// The cumulants of `h` and `T` over entries of squared lengths `square` along one line: `h` in the direction of the
/// line.
pub fn along_line(entries: &Entries, tangent: bool) -> Joint {
    let mut joint = [[0.0; POWERS]; 3];
    let vectors: Vec<Vector> = entries.vectors().collect();
    for alike in vectors.chunk_by(|a, b| a.p == b.p) {
        let bernoulli = bernoulli_cumulants(alike[0].p);
        // In parts, whose rounding errors do not add up.
        for part in alike.chunks(64) {
            // Powers of the squared length, and T is half of it.
            let mut sums = [0.0; POWERS + 2];
            for vector in part {
                let mut power = 1.0;
                for sum in &mut sums {
                    *sum += power;
                    power *= vector.square();
                }
            }
            for (order, to) in joint.iter_mut().enumerate().take(if tangent { 3 } else { 1 }) {
                let half = 0.5f64.powi(order as i32);
                to.iter_mut().enumerate().for_each(|(n, to)| *to += half * bernoulli[n + order] * sums[n + order]);
            }
        }
    }
    joint
}

/// The moments from the cumulants: `E[h^n] = sum_k C(n-1, k-1) kappa(h^k) E[h^(n-k)]`, and with a factor `T`,
/// `E[T h^n] = sum_k C(n, k) kappa(T, h^k) E[h^(n-k)]`, and with another,
/// `E[T^2 h^n] = sum_k C(n, k) (kappa(T, T, h^k) E[h^(n-k)] + kappa(T, h^k) E[T h^(n-k)])`.
pub fn moments(cumulants: &Joint, tangent: bool) -> Joint {
    let mut moments = [[0.0; POWERS]; 3];
    moments[0][0] = 1.0;
    for n in 1..POWERS {
        moments[0][n] = (1..=n).map(|k| binomial(n - 1, k - 1) * cumulants[0][k] * moments[0][n - k]).sum();
    }
    if tangent {
        for n in 0..POWERS {
            moments[1][n] = (0..=n).map(|k| binomial(n, k) * cumulants[1][k] * moments[0][n - k]).sum();
        }
        for n in 0..POWERS {
            let term = |k: usize| cumulants[2][k] * moments[0][n - k] + cumulants[1][k] * moments[1][n - k];
            moments[2][n] = (0..=n).map(|k| binomial(n, k) * term(k)).sum();
        }
    }
    moments
}

fn binomial(n: usize, k: usize) -> f64 {
    const ROWS: usize = POWERS + 2;
    const TABLE: [[f64; ROWS]; ROWS] = {
        let mut table = [[0.0; ROWS]; ROWS];
        let mut n = 0;
        while n < ROWS {
            table[n][0] = 1.0;
            let mut k = 1;
            while k <= n {
                table[n][k] = table[n - 1][k - 1] + table[n - 1][k];
                k += 1;
            }
            n += 1;
        }
        table
    };
    TABLE[n][k]
}

/// `sum_j r_j^(2o) z_j(f)^(2n) / 2^o`, `n = 0..=ORDER`, as functions of the direction `f`: trigonometric polynomials of
/// degree `n` in `2f`, whose coefficients take one pass over the entries.
///
/// `z_j(f) = r_j cos(f - a_j)`, and `cos^(2n) a = 2^(-2n) sum_k C(2n, n-k) cos 2ka` over `k = -n..=n`.
#[derive(Clone)]
pub struct PowerSums {
    /// By `n`, then `k = 0..=n`.
    coefficients: Vec<Complex64>,
}

/// The most powers of `r_j^2` besides those of `z_j^2`.
const MOST_ORDERS: usize = 2;
/// Powers of `r_j` in [`RawSums`].
const LENGTHS: usize = ORDER + MOST_ORDERS + 1;

/// The sums of `r_j^(2m) exp(-2 i k a_j) r_j^(2k)`, by `m` and `k`.
pub struct RawSums([[[f64; 2]; ORDER + 1]; LENGTHS]);

/// The powers `exp(2 i k f)` for a direction `f`.
pub struct Turns([Complex64; ORDER + 1]);

impl RawSums {
    /// Over all entries, for power sums of up to this order `o`.
    pub fn new(entries: &Entries, order: usize) -> Self {
        let mut lanes = [[[[0.0; WIDE]; 2]; ORDER + 1]; LENGTHS];
        for start in (0..entries.xi.len()).step_by(LANES) {
            let block = start..start + LANES;
            add_block(&entries.xi[block.clone()], &entries.eta[block], order, &mut lanes);
        }
        let mut sums = lanes.map(|by_turn| by_turn.map(|parts| parts.map(lane_sum)));
        // The padding has length 0, and counts at the power 0 alone.
        sums[0][0][0] = entries.count as f64;
        Self(sums)
    }
}

impl Turns {
    pub fn new((cosine, sine): (f64, f64)) -> Self {
        let turn = Complex64::new(cosine, sine) * Complex64::new(cosine, sine);
        let mut turns = [Complex64::ONE; ORDER + 1];
        for k in 1..=ORDER {
            turns[k] = turns[k - 1] * turn;
        }
        Self(turns)
    }
}

impl Default for PowerSums {
    fn default() -> Self {
        Self { coefficients: vec![Complex64::ZERO; (ORDER + 1) * (ORDER + 2) / 2] }
    }
}

impl PowerSums {
    /// Adds sums of the order `o`, those of the power `n` times `factors(n)`.
    pub fn add_sums(&mut self, sums: &RawSums, order: usize, factors: impl Fn(usize) -> f64) {
        let mut coefficients = self.coefficients.iter_mut();
        // C(2n, k).
        let mut row = vec![1.0];
        for n in 0..=ORDER {
            let scale = factors(n) * 0.25f64.powi(n as i32) * 0.5f64.powi(order as i32);
            for k in 0..=n {
                let both = if k == 0 { 1.0 } else { 2.0 };
                let [re, im] = sums.0[n - k + order][k];
                let coefficient = coefficients.next().expect("n + 1 coefficients by n");
                *coefficient += scale * both * row[n - k] * Complex64::new(re, im);
            }
            // Two rows further down in Pascal's triangle.
            for _ in 0..2 {
                let above = |place: usize| row.get(place).copied().unwrap_or(0.0);
                row = (0..=row.len()).map(|place| above(place) + above(place.wrapping_sub(1))).collect();
            }
        }
    }

    /// The sum at `n = 0`.
    pub fn at_zero(&self) -> f64 {
        self.coefficients[0].re
    }

    /// The sums in a direction.
    pub fn at(&self, turns: &Turns) -> Powers {
        let mut sums = [0.0; POWERS];
        let mut coefficients = self.coefficients.as_slice();
        for (n, sum) in sums.iter_mut().enumerate().take(ORDER + 1) {
            let (of_power, others) = coefficients.split_at(n + 1);
            coefficients = others;
            *sum = of_power.iter().zip(&turns.0).map(|(own, turn)| own.re * turn.re - own.im * turn.im).sum();
        }
        sums
    }
}

/// The number of lanes in which sums are kept until all entries are added.
const WIDE: usize = 8;

/// Adds `r^(2m) (xi - i eta)^(2k)` to the sums by `m` and `k`, `m + k <= ORDER + order`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn add_block(xi: &[f64], eta: &[f64], order: usize, sums: &mut [[[[f64; WIDE]; 2]; ORDER + 1]; LENGTHS]) {
    let mut lengths = [[1.0; LANES]; LENGTHS];
    let mut turns = [[[0.0; LANES]; 2]; ORDER + 1];
    let (mut square, mut re, mut im) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let (x, y) = (xi[lane], eta[lane]);
        (square[lane], re[lane], im[lane]) = (x * x + y * y, x * x - y * y, -2.0 * x * y);
        turns[0][0][lane] = 1.0;
    }
    for n in 1..LENGTHS {
        for lane in 0..LANES {
            lengths[n][lane] = lengths[n - 1][lane] * square[lane];
        }
    }
    for n in 1..=ORDER {
        for lane in 0..LANES {
            let (a, b) = (turns[n - 1][0][lane], turns[n - 1][1][lane]);
            turns[n][0][lane] = a * re[lane] - b * im[lane];
            turns[n][1][lane] = a * im[lane] + b * re[lane];
        }
    }
    for (m, length) in lengths.iter().enumerate().take(ORDER + order + 1) {
        for (k, turn) in turns.iter().enumerate().take(ORDER + order + 1 - m) {
            for (sum, turn) in sums[m][k].iter_mut().zip(turn) {
                for (a, b) in length.as_chunks::<WIDE>().0.iter().zip(turn.as_chunks::<WIDE>().0) {
                    for lane in 0..WIDE {
                        sum[lane] += a[lane] * b[lane];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        let vector = |j: usize| {
            let a = j as f64;
            Vector { xi: (1.7 * a).sin(), eta: (0.9 * a).cos(), p: [0.3, 0.8][j % 2] }
        };
        let vectors: Vec<Vector> = (0..9).map(vector).collect();
        Entries::new(&vectors)
    }

    #[test]
    fn sums_of_powers_turn_with_the_direction() {
        let entries = entries();
        for order in 0..=MOST_ORDERS {
            let mut sums = PowerSums::default();
            sums.add_sums(&RawSums::new(&entries, order), order, |n| n as f64 - 0.5);
            for direction in [0.0, 0.3, 1.2, 2.9] {
                let (sine, cosine) = f64::sin_cos(direction);
                let found = sums.at(&Turns::new((cosine, sine)));
                for (n, found) in found.iter().enumerate().take(ORDER + 1) {
                    let term = |j: usize| {
                        let z = entries.xi[j] * cosine + entries.eta[j] * sine;
                        entries.halves[j].powi(order as i32) * z.powi(2 * n as i32)
                    };
                    let expected = (n as f64 - 0.5) * (0..9).map(term).sum::<f64>();
                    // Rounding relative to squared lengths of up to 2, to the power n.
                    let allowed = 1e-14 * (n as f64 + 1.0) * 2f64.powi(n as i32);
                    assert!((found - expected).abs() < allowed, "{order} {n} {direction}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn moments_are_those_of_the_sum_over_masks() {
        let entries = entries();
        let found = moments(&along_line(&entries, true), true);
        let mut expected = [[0.0; POWERS]; 3];
        let vectors: Vec<Vector> = entries.vectors().collect();
        for mask in 0u32..1 << 9 {
            let (mut weight, mut h, mut t) = (1.0, 0.0, 0.0);
            for (j, vector) in vectors.iter().enumerate() {
                let kept = mask >> j & 1 == 1;
                weight *= if kept { vector.p } else { 1.0 - vector.p };
                if kept {
                    h += vector.square();
                    t += 0.5 * vector.square();
                }
            }
            for (order, sums) in expected.iter_mut().enumerate() {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum += weight * f64::powi(h, n as i32) * f64::powi(t, order as i32);
                }
            }
        }
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            // Cumulants of alternating signs cancel a few digits.
            assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
}
