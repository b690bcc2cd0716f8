//! The radial integral: averages over masks of `h^l ln h` in one direction, from the Laplace transform of `h`.

use std::f64::consts::{LN_2, SQRT_2};

use multiversion::multiversion;

use super::frame::{Entries, Frame, LANES};
use crate::connectivity::Connectivity;
use crate::gram::lane_sum;

/// Power sums of the entries, hence moments of `h`, that the part below the first node takes.
const ORDER: usize = 12;
/// Steps in `ln lambda` are half an octave. For every mask, whatever its `h`, the trapezoidal sum of
/// `lambda^(-l-1) exp(-lambda h)` is then right to `2 |Gamma(-l + 2 pi i / step)| < 1e-13` of `h^l`.
const STEP: f64 = LN_2 / 2.0;
/// The largest `w` of which `1 - exp(-w)` is taken by its series.
const SERIES_UP_TO: f64 = 1.0 / 16.0;
/// Beyond, nothing is left above rounding whatever the inputs.
const MOST_OCTAVES: usize = 120;

/// The averages over masks of `h^l ln h`, `l = 1, 2`, up to polynomials in `h` of degree `l`; masks that
/// [`Frame::parallel_masks`] sums in closed form are left out.
///
/// Here `h = sum_j s_j z_j(f)^2` is the variance, times `p`, of the row's projection on the direction `f`. As finite parts,
///
/// `E[h ln h] = int M(lambda) lambda^(-2) d lambda`,  `E[h^2 ln h] = -2 int M(lambda) lambda^(-3) d lambda`,
///
/// with `M(lambda) = E[exp(-lambda h)] = prod_j (1 - p + p exp(-lambda z_j^2))`, less the masks left out. From the first node
/// upwards `M - 1` is evaluated at `lambda 2^(k/2)`; doubling `lambda` takes `v = 1 - exp(-lambda z^2)` to `v (2 - v)`,
/// without an exponential and without cancellation. Below, the moments of `h` give the whole sum.
pub struct Radial<'a> {
    frame: &'a Frame,
    p: f64,
    first: f64,
    /// Doublings from where `1 - exp(-w)` has a short series to the first node.
    doublings: usize,
    /// Octaves of low nodes, where `M` is near 1.
    low: usize,
    /// What nodes beyond the last may be worth.
    negligible: [f64; 2],
    cumulants: Powers,
    /// The probability that the mask is one given entry.
    one: f64,
    /// The probability of the empty mask.
    empty: f64,
    groups: Vec<GroupMoments>,
}

/// Entries that are worked on side by side.
type Lanes = [f64; LANES];

/// Numbers by the power `n`, from 0 to `ORDER + 1`.
type Powers = [f64; ORDER + 2];

/// What depends on a group, not on the direction.
struct GroupMoments {
    /// The probability that nothing outside of the group is in the mask.
    alone: f64,
    /// Sums of `(xi_j^2 + eta_j^2)^n`, and the moments of `sum_j s_j (xi_j^2 + eta_j^2)` with the required entries.
    powers: Powers,
    moments: Powers,
}

/// What one direction gives.
pub struct Direction {
    /// `E[h^l ln h]`.
    pub average: [f64; 2],
    /// A bound of what nodes beyond the last would add.
    pub tail: [f64; 2],
    /// The nodes it took.
    pub nodes: usize,
}

/// Room for one direction's work: `1 - exp(-w)` of every entry, see [`segments`], at the next node of the one and the other
/// sequence of nodes; beyond the low nodes `exp(-w)` itself.
#[derive(Default)]
pub struct Scratch {
    sequences: [Vec<f64>; 2],
}

impl<'a> Radial<'a> {
    /// Prepares averages that are exact but for rounding and for tails of at most `negligible`.
    pub fn new(frame: &'a Frame, connectivity: Connectivity, negligible: [f64; 2]) -> Self {
        let p = connectivity.get();
        let cumulants = bernoulli_cumulants(p);
        let count = frame.count() as f64;
        let nothing_of = |size: f64| (1.0 - p).powf(size);
        let groups: Vec<GroupMoments> = frame
            .groups
            .iter()
            .map(|group| {
                let powers = powers(&group.entries);
                let mut with_required = powers;
                with_required[1] += group.required / p;
                let alone = nothing_of(count - group.entries.count as f64);
                GroupMoments { alone, powers, moments: moments(&cumulants, &with_required) }
            })
            .collect();
        let one = if frame.takes_singles { nothing_of(count - 1.0) * p } else { 0.0 };
        let empty = if frame.takes_singles { nothing_of(count) } else { 0.0 };

        // Squared lengths bound squared projections on any direction, and so do their moments.
        let mut lengths = powers(&frame.singles);
        for group in &groups {
            lengths.iter_mut().zip(group.powers).for_each(|(sum, power)| *sum += power);
        }
        lengths[1] += frame.required.vectors().map(|(xi, eta)| xi * xi + eta * eta).sum::<f64>() / p;
        let bound = moments(&cumulants, &lengths);
        let factorial: f64 = (1..=ORDER + 1).map(|n| n as f64).product();
        // The first omitted term of the series below the first node is to be a quarter of the rounding of E[h^l].
        let first = |l: usize| {
            let left = (ORDER + 1 - l) as i32;
            let allowed = f64::EPSILON / 4.0 * bound[l] * factorial * (SQRT_2.powi(left) - 1.0);
            (allowed / bound[ORDER + 1]).powf(1.0 / f64::from(left))
        };
        let first = first(1).min(first(2));
        let longest = segments(frame).flat_map(Entries::vectors).fold(0.0f64, |most, (x, y)| most.max(x * x + y * y));
        let doublings = (first * SQRT_2 * longest / SERIES_UP_TO).log2().ceil().max(0.0) as usize;

        let low = (1.0 / (p * first)).log2().ceil().max(0.0) as usize;
        Self { frame, p, first, doublings, low, negligible, cumulants, one, empty, groups }
    }

    /// By how much the averages are wrong, in units of the rounding of one entry's exponential: at low nodes `M - 1` is wrong by
    /// as much of itself; at high nodes the error of `exp(-w)` at the first of them doubles with `lambda`.
    pub fn sensitivity(&self) -> [f64; 2] {
        let mut sum = [0.0; 2];
        for k in 0..2 * MOST_OCTAVES {
            let lambda = self.lambda(k % 2, k / 2);
            sum[0] += STEP * self.p;
            sum[1] += 2.0 * STEP * self.p / lambda;
        }
        sum
    }

    /// The averages in the direction `(cos f, sin f)`.
    pub fn at(&self, direction: (f64, f64), scratch: &mut Scratch) -> Direction {
        let powers = self.begin(direction, scratch);
        let below = self.below(direction, powers);
        let mut above = [0.0; 2];
        let mut octave = 0;
        let tail = loop {
            if octave == self.low {
                scratch.sequences.iter_mut().flatten().for_each(|v| *v = 1.0 - *v);
            }
            let mut last = [0.0; 2];
            for (half, sequence) in scratch.sequences.iter_mut().enumerate() {
                let lambda = self.lambda(half, octave);
                let remaining = if octave < self.low { self.low_node(sequence) } else { self.high_node(sequence) };
                last = [remaining / lambda, remaining / (lambda * lambda)];
                above[0] += last[0];
                above[1] += last[1];
            }
            octave += 1;
            // Further terms fall at least as fast as those of a constant M.
            let tail = [STEP * last[0].abs() / (SQRT_2 - 1.0), 2.0 * STEP * last[1].abs()];
            let done = octave > self.low && (0..2).all(|l| tail[l] <= self.negligible[l]);
            if done || octave >= MOST_OCTAVES {
                break tail;
            }
        };
        let average = [STEP * (below[0] + above[0]), -2.0 * STEP * (below[1] + above[1])];
        Direction { average, tail, nodes: 2 * octave }
    }

    fn lambda(&self, half: usize, octave: usize) -> f64 {
        self.first * [1.0, SQRT_2][half] * 2.0f64.powi(octave as i32)
    }

    /// Fills in `1 - exp(-w)` at the first node of both sequences, and gives the power sums of the singles.
    fn begin(&self, direction: (f64, f64), Scratch { sequences: [first, second] }: &mut Scratch) -> Powers {
        let start = self.first * 0.5f64.powi(self.doublings as i32);
        let mut powers = [0.0; ORDER + 2];
        first.clear();
        second.clear();
        for (index, entries) in segments(self.frame).enumerate() {
            let from = first.len();
            first.resize(from + entries.xi.len(), 0.0);
            second.resize(from + entries.xi.len(), 0.0);
            let mut lanes: [Lanes; ORDER] = [[0.0; LANES]; ORDER];
            let lanes = if index == 1 { &mut lanes[..] } else { &mut [] };
            let to = [&mut first[from..], &mut second[from..]];
            begin((&entries.xi, &entries.eta), direction, (start, self.doublings), to, lanes);
            powers[1..].iter_mut().zip(lanes).for_each(|(power, lanes)| *power = lane_sum(*lanes));
        }
        powers
    }

    /// `M` over the masks that are not left out at a low node, less its value at `lambda = 0`: a constant has no part in the
    /// angular integral, but it rounds. Goes on to the next node.
    fn low_node(&self, mut sequence: &mut [f64]) -> f64 {
        let mut next = |entries: &Entries, p: f64| {
            let (values, rest) = std::mem::take(&mut sequence).split_at_mut(entries.xi.len());
            sequence = rest;
            low_node(values, p)
        };
        let (fixed, _) = next(&self.frame.required, 1.0);
        let (product, sum) = next(&self.frame.singles, self.p);
        let mut whole = times(fixed, product);
        let mut left_out = -self.one * sum;
        for (group, moments) in self.frame.groups.iter().zip(&self.groups) {
            let (product, _) = next(&group.entries, self.p);
            whole = times(whole, product);
            left_out += moments.alone * times(fixed, product);
        }
        whole - left_out
    }

    /// The same at a high node, not less anything.
    fn high_node(&self, mut sequence: &mut [f64]) -> f64 {
        let mut next = |entries: &Entries, p: f64| {
            let (values, rest) = std::mem::take(&mut sequence).split_at_mut(entries.xi.len());
            sequence = rest;
            let (product, sum) = high_node(values, p);
            // The padding adds ones to the sum.
            (product, sum - (entries.xi.len() - entries.count) as f64)
        };
        let (fixed, _) = next(&self.frame.required, 1.0);
        let (product, sum) = next(&self.frame.singles, self.p);
        let mut whole = fixed * product;
        let mut left_out = self.empty + self.one * sum;
        for (group, moments) in self.frame.groups.iter().zip(&self.groups) {
            let (product, _) = next(&group.entries, self.p);
            whole *= product;
            left_out += moments.alone * fixed * product - self.empty;
        }
        whole - left_out
    }

    /// The sums over all nodes below the first, from the moments of `h`; the power sums given are those of the singles.
    fn below(&self, direction: (f64, f64), mut powers: Powers) -> [f64; 2] {
        // The moments over masks of one entry are power sums.
        let mut left_out = powers.map(|power| self.one * power);
        for (group, fixed) in self.frame.groups.iter().zip(&self.groups) {
            let square = (group.direction.0 * direction.0 + group.direction.1 * direction.1).powi(2);
            let mut factor = 1.0;
            for n in 1..=ORDER {
                factor *= square;
                powers[n] += factor * fixed.powers[n];
                left_out[n] += factor * fixed.alone * fixed.moments[n];
            }
        }
        powers[1] +=
            self.frame.required.vectors().map(|(x, y)| (x * direction.0 + y * direction.1).powi(2)).sum::<f64>()
                / self.p;
        let moments = moments(&self.cumulants, &powers);
        let mut below = [0.0; 2];
        let mut term = 1.0;
        let over = [1.0 / self.first, 1.0 / (self.first * self.first)];
        for n in 1..=ORDER {
            // (-lambda)^n / n!, summed over the nodes lambda 2^(-k/2), k = 1, 2, ..., of lambda^(-l).
            term *= -self.first / n as f64;
            for (l, below) in (1..n).zip(&mut below) {
                *below += term * over[l - 1] * (moments[n] - left_out[n]) / (SQRT_2.powi((n - l) as i32) - 1.0);
            }
        }
        below
    }
}

/// The required entries, the singles, then every group.
fn segments(frame: &Frame) -> impl Iterator<Item = &Entries> {
    std::iter::once(&frame.required).chain(frame.free())
}

/// Writes `1 - exp(-lambda z^2)` at the first node and half an octave above, from the `lambda` of the series by doublings.
/// `powers[n - 1]` receives the sum of `z^(2n)`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn begin(
    (xi, eta): (&[f64], &[f64]),
    (cosine, sine): (f64, f64),
    (start, doublings): (f64, usize),
    [first, second]: [&mut [f64]; 2],
    powers: &mut [Lanes],
) {
    let rows = xi.as_chunks().0.iter().zip(eta.as_chunks().0);
    for ((xi, eta), (first, second)) in rows.zip(first.as_chunks_mut().0.iter_mut().zip(second.as_chunks_mut().0)) {
        let (xi, eta): (&Lanes, &Lanes) = (xi, eta);
        let mut square = [0.0; LANES];
        for lane in 0..LANES {
            let z = xi[lane] * cosine + eta[lane] * sine;
            square[lane] = z * z;
        }
        let mut power = square;
        for total in powers.iter_mut() {
            for lane in 0..LANES {
                total[lane] += power[lane];
                power[lane] *= square[lane];
            }
        }
        for (to, start) in [(first, start), (second, start * SQRT_2)] {
            let mut v = square;
            one_minus_exp(start, &mut v);
            for _ in 0..doublings {
                for v in &mut v {
                    *v *= 2.0 - *v;
                }
            }
            *to = v;
        }
    }
}

/// From `v = 1 - exp(-w)` the product of `1 - p v`, less 1, and the sum of `v`; doubles `w`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn low_node(values: &mut [f64], p: f64) -> (f64, f64) {
    let (mut product, mut sum) = ([0.0; LANES], [0.0; LANES]);
    for v in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            product[lane] = times(product[lane], -p * v[lane]);
            sum[lane] += v[lane];
            v[lane] *= 2.0 - v[lane];
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            product[lane] = times(product[lane], product[lane + width]);
        }
    }
    (product[0], lane_sum(sum))
}

/// From `exp(-w)` the product of `1 - p + p exp(-w)`, and the sum of `exp(-w)`; doubles `w`. A third less work than
/// [`low_node`], but it rounds like 1.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn high_node(values: &mut [f64], p: f64) -> (f64, f64) {
    let (mut product, mut sum) = ([1.0; LANES], [0.0; LANES]);
    for exp in values.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            product[lane] *= (1.0 - p) + p * exp[lane];
            sum[lane] += exp[lane];
            // Numbers below the normal range would be slow.
            exp[lane] = if exp[lane] < 1e-150 { 0.0 } else { exp[lane] * exp[lane] };
        }
    }
    (product.iter().product(), lane_sum(sum))
}

/// `(1 + a) (1 + b) - 1`.
#[inline(always)]
fn times(a: f64, b: f64) -> f64 {
    a + (b + a * b)
}

/// Takes `z` to `1 - exp(-w)`, `w = start z`, for `0 <= w <= 1/16`, by its Taylor series to relative 1e-17.
#[inline(always)]
fn one_minus_exp(start: f64, z: &mut Lanes) {
    let mut series = [1.0; LANES];
    for n in (2..=9).rev() {
        let factor = start / n as f64;
        for lane in 0..LANES {
            series[lane] = 1.0 - factor * z[lane] * series[lane];
        }
    }
    for lane in 0..LANES {
        z[lane] *= start * series[lane];
    }
}

/// Sums of `(xi_j^2 + eta_j^2)^n`, `n = 1..=ORDER + 1`.
fn powers(entries: &Entries) -> Powers {
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
fn bernoulli_cumulants(p: f64) -> Powers {
    let mut cumulants = [0.0; ORDER + 2];
    for n in 1..=ORDER + 1 {
        cumulants[n] = p - (1..n).map(|k| binomial(n - 1, k - 1) * cumulants[k] * p).sum::<f64>();
    }
    cumulants
}

/// The moments `E[h^n]` of `h = sum_j s_j z_j^2` from the power sums `sum_j z_j^(2n)`: cumulants add.
fn moments(cumulants: &Powers, powers: &Powers) -> Powers {
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
