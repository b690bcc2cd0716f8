//! Moments of sums over a mask, by cumulants.

use super::frame::Entries;

/// The number of power sums of the entries, and so of moments of `h`, that the part below the first node uses.
pub const ORDER: usize = 12;

/// Numbers by the power `n`, from 0 to `ORDER + 1`.
pub type Powers = [f64; ORDER + 2];

/// Sums of `(xi_j^2 + eta_j^2)^n`, `n = 1..=ORDER + 1`.
pub fn powers(entries: &Entries) -> Powers {
    let mut powers = [0.0; ORDER + 2];
    for (xi, eta) in entries.vectors() {
        let square = xi * xi + eta * eta;
        let mut power = 1.0;
        for sum in &mut powers[1..] {
            power *= square;
            *sum += power;
        }
    }
    powers
}

/// The cumulants of a Bernoulli variable; all its moments are `p`.
pub fn bernoulli_cumulants(p: f64) -> Powers {
    let mut cumulants = [0.0; ORDER + 2];
    for n in 1..=ORDER + 1 {
        cumulants[n] = p - (1..n).map(|k| binomial(n - 1, k - 1) * cumulants[k] * p).sum::<f64>();
    }
    cumulants
}

/// The moments `E[h^n]` of `h = sum_j s_j z_j^2` from the power sums `sum_j z_j^(2n)`: cumulants add.
pub fn moments(cumulants: &Powers, powers: &Powers) -> Powers {
    let mut moments = [0.0; ORDER + 2];
    moments[0] = 1.0;
    for n in 1..=ORDER + 1 {
        moments[n] = (1..=n).map(|k| binomial(n - 1, k - 1) * cumulants[k] * powers[k] * moments[n - k]).sum();
    }
    moments
}

fn binomial(n: usize, k: usize) -> f64 {
    const TABLE: [[f64; ORDER + 1]; ORDER + 1] = {
        let mut table = [[0.0; ORDER + 1]; ORDER + 1];
        let mut n = 0;
        while n <= ORDER {
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
