//! The Laplace transform of a group of parallel entries: a function of one variable, tabulated once per pair.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::cumulants::{Joint, ORDER, Powers};
use super::frame::{Entries, Vector};
use super::nodes::{Chances, Jet, begin, doublings, low_node, tangent_node, times};
use crate::numeric::simd::fused;

/// The table's steps in an octave.
const STEPS: usize = 16;
/// The table's steps in half an octave, from one node of the radial rule to the next.
const PHASES: usize = STEPS / 2;
/// The table begins this many octaves below the first node, where the series is exact to rounding.
const BELOW: f64 = 1.5;
/// From this many on, entries of one length, such as the background of an image, are computed as one factor raised to
/// their number.
const REPEATED: usize = 16;
/// The number of table values that one interpolated value is made of. `F` and `(F - 1)/w` are analytic in `ln w` and
/// bounded by 1 and by `p sum r_j^2` where `|Im ln w| < pi/2`, so fourteen steps of a sixteenth of an octave leave less
/// than 1e-15 of these.
const POINTS: usize = 14;

/// `F(w) - 1` with `F(w) = prod_j (1 - p_j + p_j exp(-w r_j^2))`, the Laplace transform of a group of entries of
/// lengths `r_j` along one line; for the tangent kernel also `E[T exp(-w h)]` and `E[T^2 exp(-w h)]`. In a direction
/// `f` at an angle `g` to the line the group has `F(lambda cos^2 g)`: one table serves all directions, and nodes half
/// an octave apart share the weights of the interpolation.
pub struct GroupTransform {
    /// `F - 1`, then the two others, or `F - 1` alone.
    tables: Vec<Table>,
    first: f64,
}

/// One function of `w`.
struct Table {
    /// Its values at `first 2^(-BELOW + (PHASES k + phase)/STEPS)`, by the phase and `k`.
    rows: [Vec<f64>; PHASES],
    /// The value beyond the table, where nothing changes any more.
    saturated: f64,
    /// The moments of `sum_j s_j r_j^2`, with their power of `T`: the coefficients of its series.
    moments: Powers,
    /// Whether the value at 0 is left out.
    is_less_its_start: bool,
}

impl GroupTransform {
    /// For nodes `first 2^(k/2)`, `k` below `2 octaves`; `first` small enough for the series of all moments, which are
    /// those of the group.
    pub fn new(
        entries: &Entries,
        line: (f64, f64),
        moments: &Joint,
        first: f64,
        octaves: usize,
        tangent: bool,
    ) -> Self {
        let squares = entries.vectors().map(|vector| vector.square());
        let (longest, shortest) =
            squares.fold((0.0f64, f64::MAX), |(most, least), square| (most.max(square), least.min(square)));
        let (repeated, others) = repeated(entries);
        let lowest = first * (-BELOW).exp2();
        // exp(-40) is below the rounding of 1; interpolation reaches half an octave beyond the last node.
        let to_saturation = (40.0 / (shortest * lowest)).log2().ceil().max(0.0) + 1.0;
        let to_last = octaves as f64 + BELOW.ceil() + 1.0;
        let length = to_saturation.min(to_last) as usize;

        // There may be no others.
        let padded = others.xi.len().max(1);
        let mut sequences = vec![0.0; STEPS * padded];
        let (lower, upper) = sequences.split_at_mut(PHASES * padded);
        let doublings = doublings(lowest * 2.0 * longest);
        for (step, to) in lower.chunks_exact_mut(padded).zip(upper.chunks_exact_mut(padded)).enumerate() {
            let start = lowest * (step as f64 / STEPS as f64 - doublings as f64).exp2();
            begin((&others.xi, &others.eta), line, (start, doublings), to.into());
        }
        let over: Vec<f64> = others.p.iter().map(|p| 1.0 / (1.0 - p)).collect();
        let one_p = others.p[..others.count].iter().all(|p| *p == others.p[0]);
        let chances = match others.p.first() {
            // The padding has length 0, and no part in a product.
            Some(p) if one_p => Chances::Uniform(*p),
            _ => Chances::Each { p: &others.p, over: &over },
        };
        let weights: Vec<f64> = others.p.iter().zip(&others.halves).map(|(p, half)| p * half).collect();
        let quarters: Vec<f64> = others.halves.iter().map(|half| 0.5 * half).collect();
        let mut tables = [const { [const { Vec::new() }; PHASES] }; 3];
        for octave in 0..length {
            for (step, sequence) in sequences.chunks_exact_mut(padded).enumerate() {
                let sequence = &mut sequence[..others.xi.len()];
                let w = lowest * (octave as f64 + step as f64 / STEPS as f64).exp2();
                if tangent {
                    let (jet, _) = tangent_node(sequence, false, chances, (&weights, &quarters));
                    let of_repeated = |(vector, count): &(Vector, usize)| {
                        let (exp, half) = ((-w * vector.square()).exp(), 0.5 * vector.square());
                        let first = vector.p * exp * half;
                        power_of_jet(Jet([1.0 - vector.p + vector.p * exp, first, first * half]), *count)
                    };
                    let Jet([_, first, second]) = repeated.iter().map(of_repeated).fold(jet, Jet::times);
                    tables[1][step % PHASES].push(first);
                    tables[2][step % PHASES].push(second);
                }
                let factors =
                    repeated.iter().map(|(vector, count)| power(vector.p * (-w * vector.square()).exp_m1(), *count));
                tables[0][step % PHASES].push(factors.fold(low_node(sequence, chances).0, times));
            }
        }
        let tables = tables.into_iter().take(if tangent { 3 } else { 1 }).zip(moments).enumerate();
        let table = |(order, (rows, moments)): (usize, ([Vec<f64>; PHASES], &Powers))| {
            let saturated = *rows[PHASES - 1].last().expect("the table has an octave");
            Table { rows, saturated, moments: *moments, is_less_its_start: order == 0 }
        };
        Self { tables: tables.map(table).collect(), first }
    }

    /// Writes `F - 1` at the first `nodes` nodes, `first 2^(k/2)` times a squared cosine, followed by the two other
    /// functions if `values` has room for them.
    pub fn at(&self, squared_cosine: f64, nodes: usize, values: &mut [f64]) {
        for (table, values) in self.tables.iter().zip(values.chunks_exact_mut(nodes)) {
            table.at(self.first, squared_cosine, values);
        }
    }
}

impl Table {
    fn at(&self, first: f64, squared_cosine: f64, values: &mut [f64]) {
        // In steps from the beginning of the table; far below it everything is the series.
        let position = ((squared_cosine.log2() + BELOW) * STEPS as f64).max(-1e6);
        let before = position.floor();
        let weights = lagrange(position - before);
        let window = before as i64 - (POINTS as i64 / 2 - 1);
        let in_steps = PHASES as i64;
        let begins = (in_steps - 1 - window).max(0) / in_steps;
        let (below, values) = values.split_at_mut((begins as usize).min(values.len()));
        for (k, value) in below.iter_mut().enumerate() {
            *value = self.series(squared_cosine * first * (0.5 * k as f64).exp2());
        }
        if values.is_empty() {
            return;
        }
        // The place in the table is not negative from here on.
        let window = (window + in_steps * below.len() as i64) as usize;
        let last = window + POINTS - 1;
        let inside = self.rows[0].len().saturating_sub(last / PHASES).min(values.len());
        let (inside, beyond) = values.split_at_mut(inside);
        beyond.fill(self.saturated);
        if inside.is_empty() {
            return;
        }
        inside.fill(0.0);
        for (step, weight) in (window..).zip(weights) {
            add_scaled(weight, &self.rows[step % PHASES][step / PHASES..], inside);
        }
    }

    /// `sum_n E[h^n] (-w)^n / n!`, up to `ORDER` and from `n = 1` where the value at 0 is left out.
    fn series(&self, w: f64) -> f64 {
        let mut sum = 0.0;
        for n in (1..=ORDER).rev() {
            sum = -w / n as f64 * (self.moments[n] + sum);
        }
        if self.is_less_its_start { sum } else { sum + self.moments[0] }
    }
}

/// The vectors that [`REPEATED`] entries or more share, up to their sign, with their number, and the other entries.
fn repeated(entries: &Entries) -> (Vec<(Vector, usize)>, Entries) {
    let mut vectors: Vec<Vector> = entries.vectors().collect();
    let alike = |a: &Vector, b: &Vector| a.square() == b.square() && a.p == b.p;
    vectors.sort_by(|a, b| a.square().total_cmp(&b.square()).then(a.p.total_cmp(&b.p)));
    let runs = vectors.chunk_by(alike);
    let (long, short): (Vec<_>, Vec<_>) = runs.partition(|run| run.len() >= REPEATED);
    (long.iter().map(|run| (run[0], run.len())).collect(), Entries::new(&short.concat()))
}

/// `(1 + base)^exponent - 1` by squaring.
fn power(base: f64, exponent: usize) -> f64 {
    let (mut power, mut square, mut left) = (0.0, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            power = times(power, square);
        }
        square = times(square, square);
        left /= 2;
    }
    power
}

/// The jet of so many entries.
fn power_of_jet(base: Jet, exponent: usize) -> Jet {
    let (mut power, mut square, mut left) = (Jet::ONE, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            power = power.times(square);
        }
        square = square.times(square);
        left /= 2;
    }
    power
}

/// Lagrange's weights at `-POINTS/2 + 1, ..., POINTS/2` for a position between 0 and 1.
fn lagrange(position: f64) -> [f64; POINTS] {
    let away: [f64; POINTS] = std::array::from_fn(|i| position - (i as f64 - (POINTS / 2 - 1) as f64));
    let mut weights = [1.0; POINTS];
    let (mut from_below, mut from_above) = (1.0, 1.0);
    for i in 0..POINTS {
        let j = POINTS - 1 - i;
        weights[i] *= from_below;
        weights[j] *= from_above;
        // The denominators, i! and (-1)^j j! in all, are divided out as the products grow.
        from_below *= away[i] / (i + 1) as f64;
        from_above *= -away[j] / (i + 1) as f64;
    }
    weights
}

/// `to += weight from`, as far as `to` goes.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn add_scaled(weight: f64, from: &[f64], to: &mut [f64]) {
    const FUSED: bool = target_cfg_f!(target_feature = "fma");
    for (to, from) in to.iter_mut().zip(from) {
        *to = fused::<FUSED>(weight, *from, *to);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cumulants::{along_line, moments};
    use super::*;

    #[test]
    fn is_the_product_over_entries() {
        // Lengths over three decades along a line at 30 degrees; also one entry, and equal ones.
        let lengths =
            |count: usize, ratio: f64| (0..count).map(move |j| 0.3 * ratio.powi(j as i32)).collect::<Vec<_>>();
        let (line, first, octaves) = ((0.75f64.sqrt(), 0.5), 0.01, 40);
        let both = [lengths(200, 1.0), lengths(60, 0.9)].concat();
        for (lengths, p) in [(lengths(60, 0.9), 0.05), (lengths(1, 1.0), 0.7), (lengths(200, 1.0), 0.2), (both, 0.01)] {
            let vectors: Vec<_> = lengths.iter().map(|r| Vector { xi: r * line.0, eta: r * line.1, p }).collect();
            let entries = Entries::new(&vectors);
            let of_group = moments(&along_line(&entries, true), true);
            let transform = GroupTransform::new(&entries, line, &of_group, first, octaves, true);
            let alone = GroupTransform::new(&entries, line, &of_group, first, octaves, false);
            let (mut values, mut alone_values) = (vec![0.0; 3 * 2 * octaves], vec![0.0; 2 * octaves]);
            for squared_cosine in [1.0, 0.999, 0.5, 0.3, 0.011, 1e-5, 1e-18, 0.0] {
                transform.at(squared_cosine, 2 * octaves, &mut values);
                alone.at(squared_cosine, 2 * octaves, &mut alone_values);
                assert_eq!(values[..2 * octaves], alone_values);
                for k in 0..2 * octaves {
                    let w = squared_cosine * first * (0.5 * k as f64).exp2();
                    // Without cancellation: the logarithm of every factor.
                    let logarithm: f64 = lengths.iter().map(|r| (p * (-w * r * r).exp_m1()).ln_1p()).sum();
                    let exact = logarithm.exp_m1();
                    let slope = p * w * lengths.iter().map(|r| r * r).sum::<f64>();
                    // Half of what the error bound of the quadrature allows for.
                    let allowed = 32.0 * f64::EPSILON * slope.min(1.0);
                    let value = values[k];
                    assert!((value - exact).abs() <= allowed, "w = {w:e}: {value:e}, exactly {exact:e}");
                    // The mean and the variance of T under the tilted masks, which are independent.
                    let (mut mean, mut variance) = (0.0, 0.0);
                    for r in &lengths {
                        let exp = (-w * r * r).exp();
                        let (kept, half) = (p * exp / (1.0 - p + p * exp), 0.5 * r * r);
                        mean += kept * half;
                        variance += kept * (1.0 - kept) * half * half;
                    }
                    let whole: f64 = p * 0.5 * lengths.iter().map(|r| r * r).sum::<f64>();
                    let found = [values[2 * octaves + k], values[4 * octaves + k]];
                    let exact = [mean * (1.0 + exact), (mean * mean + variance) * (1.0 + exact)];
                    // The same rounding relative to the values at w = 0.
                    let most = [whole, whole * (whole + 0.5 * 0.09)];
                    for ((found, exact), most) in found.iter().zip(exact).zip(most) {
                        assert!((found - exact).abs() <= 128.0 * f64::EPSILON * most, "w = {w:e}: {found:e} {exact:e}");
                    }
                }
            }
        }
    }
}
