//! The radial integral: averages over masks of `h^l ln h` in one direction, from the Laplace transform of `h`.

use std::f64::consts::{LN_2, SQRT_2};

use super::cumulants::{ORDER, Powers, bernoulli_cumulants, moments, powers};
use super::frame::{Entries, Frame};
use super::group::GroupTransform;
use super::nodes::{begin, doublings, high_node, low_node, times};
use crate::network::Connectivity;

/// Steps in `ln lambda` are half an octave. For every mask, whatever its `h`, the trapezoidal sum of
/// `lambda^(-l-1) exp(-lambda h)` is then right to `2 |Gamma(-l + 2 pi i / step)| < 1e-13` of `h^l`.
const STEP: f64 = LN_2 / 2.0;
/// Beyond this many, nothing is left above rounding, whatever the inputs.
const MOST_OCTAVES: usize = 120;

/// The averages over masks of `h^l ln h`, `l = 1, 2`, up to polynomials in `h` of degree `l`; masks that
/// [`Frame::parallel_masks`] sums in closed form are left out.
///
/// Here `h = sum_j s_j z_j(f)^2` is the variance, times `p`, of the row's projection on the direction `f`. As finite
/// parts,
///
/// `E[h ln h] = int M(lambda) lambda^(-2) d lambda`,  `E[h^2 ln h] = -2 int M(lambda) lambda^(-3) d lambda`,
///
/// with `M(lambda) = E[exp(-lambda h)] = prod_j (1 - p + p exp(-lambda z_j^2))`, less the masks left out. From the
/// first node upwards `M - 1` is evaluated at `lambda 2^(k/2)`; doubling `lambda` takes `v = 1 - exp(-lambda z^2)` to
/// `v (2 - v)`, without an exponential and without cancellation. Below, the moments of `h` give the whole sum.
pub struct Radial<'a> {
    frame: &'a Frame,
    p: f64,
    first: f64,
    /// Doublings from where `1 - exp(-w)` has a short series to the first node.
    doublings: usize,
    /// Octaves of low nodes, where `M` is near 1.
    low: usize,
    /// The most octaves of nodes in all.
    octaves: usize,
    /// The most that nodes beyond the last may contribute.
    negligible: [f64; 2],
    cumulants: Powers,
    /// The coefficients for the nodes below the first, see [`below_first`].
    series: [Powers; 2],
    /// The probability that the mask is one given entry.
    one: f64,
    /// The probability of the empty mask.
    empty: f64,
    groups: Vec<GroupAverages>,
}

/// What depends on a group, not on the direction.
struct GroupAverages {
    /// The probability that nothing outside of the group is in the mask; 0 where its masks are not left out.
    alone: f64,
    /// Sums of `(xi_j^2 + eta_j^2)^n`.
    powers: Powers,
    /// The moments of `sum_j s_j (xi_j^2 + eta_j^2)`, with the required entries.
    moments: Powers,
    transform: GroupTransform,
}

/// The result for one direction.
pub struct Direction {
    /// `E[h^l ln h]`.
    pub average: [f64; 2],
    /// A bound on what nodes beyond the last would add.
    pub tail: [f64; 2],
    /// The nodes it took.
    pub nodes: usize,
}

/// Buffers for the work on one direction.
#[derive(Default)]
pub struct Scratch {
    /// `1 - exp(-w)` of the required entries, then of the singles, at the next node of each of the two sequences of
    /// nodes; beyond the low nodes, `exp(-w)` itself.
    sequences: [Vec<f64>; 2],
    /// The transforms of the groups minus 1, at all nodes, group by group.
    groups: Vec<f64>,
}

impl<'a> Radial<'a> {
    /// Prepares averages that are exact except for rounding and for tails of at most `negligible`.
    pub fn new(frame: &'a Frame, connectivity: Connectivity, negligible: [f64; 2]) -> Self {
        let p = connectivity.get();
        let cumulants = bernoulli_cumulants(p);
        let count = frame.count() as f64;
        let nothing_of = |size: f64| (1.0 - p).powf(size);
        let one = if frame.takes_singles { nothing_of(count - 1.0) * p } else { 0.0 };
        let empty = if frame.takes_singles { nothing_of(count) } else { 0.0 };

        // Squared lengths bound squared projections on any direction, and so do their moments.
        let of_groups: Vec<Powers> = frame.groups.iter().map(|group| powers(&group.entries)).collect();
        let mut lengths = powers(&frame.singles);
        for of_group in &of_groups {
            lengths.iter_mut().zip(of_group).for_each(|(sum, power)| *sum += power);
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
        let longest =
            segments(frame).into_iter().flat_map(Entries::vectors).fold(0.0f64, |most, (x, y)| most.max(x * x + y * y));
        let doublings = doublings(first * SQRT_2 * longest);

        let octaves_to = |lambda: f64| (lambda / first).log2().ceil().clamp(0.0, MOST_OCTAVES as f64) as usize;
        let low = octaves_to(1.0 / p);
        // From there on even a transform of 1 would be negligible; see the tail in `at`.
        let [first_moment, second_moment] = negligible;
        let last = (STEP / ((SQRT_2 - 1.0) * first_moment)).max((2.0 * STEP / second_moment).sqrt());
        let octaves = octaves_to(last).max(low) + 1;

        let groups = frame.groups.iter().zip(of_groups).map(|(group, powers)| {
            let alone = if group.taken_out { nothing_of(count - group.entries.count as f64) } else { 0.0 };
            let mut with_required = powers;
            with_required[1] += group.required / p;
            let of_group = moments(&cumulants, &powers);
            let transform = GroupTransform::new(&group.entries, group.direction, p, of_group, first, octaves);
            GroupAverages { alone, powers, moments: moments(&cumulants, &with_required), transform }
        });
        let (groups, series) = (groups.collect(), [1, 2].map(|l| below_first(first, l)));
        Self { frame, p, first, doublings, low, octaves, negligible, cumulants, series, one, empty, groups }
    }

    /// The error of the averages, in units of the rounding of one entry's exponential. At low nodes that is the
    /// relative error of `M - 1`; at high nodes the error of `exp(-w)` at the first of them doubles with `lambda`.
    pub fn sensitivity(&self) -> [f64; 2] {
        let nodes = 2.0 * self.octaves as f64;
        // The sum of 1/lambda over the nodes.
        let inverse = 1.0 / (self.first * (1.0 - 0.5f64.sqrt()));
        [STEP * self.p * nodes, 2.0 * STEP * self.p * inverse]
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
                let node = 2 * octave + half;
                let groups = self.groups.iter().enumerate();
                let of_groups = groups.map(|(k, group)| (group, scratch.groups[2 * self.octaves * k + node]));
                let inverse = 1.0 / self.lambda(half, octave);
                let remaining = if octave < self.low {
                    self.low_node(sequence, of_groups)
                } else {
                    self.high_node(sequence, of_groups)
                };
                last = [remaining * inverse, remaining * inverse * inverse];
                above[0] += last[0];
                above[1] += last[1];
            }
            octave += 1;
            // Further terms fall at least as fast as those of a constant M.
            let tail = [STEP * last[0].abs() / (SQRT_2 - 1.0), 2.0 * STEP * last[1].abs()];
            let done = octave > self.low && (0..2).all(|l| tail[l] <= self.negligible[l]);
            if done || octave >= self.octaves {
                break tail;
            }
        };
        let average = [STEP * (below[0] + above[0]), -2.0 * STEP * (below[1] + above[1])];
        Direction { average, tail, nodes: 2 * octave }
    }

    fn lambda(&self, half: usize, octave: usize) -> f64 {
        self.first * [1.0, SQRT_2][half] * 2.0f64.powi(octave as i32)
    }

    /// Fills in `1 - exp(-w)` at the first node of both sequences and the transforms of the groups at all nodes, and
    /// gives the power sums of the singles.
    fn begin(&self, direction: (f64, f64), Scratch { sequences: [first, second], groups }: &mut Scratch) -> Powers {
        let start = self.first * 0.5f64.powi(self.doublings as i32);
        let mut powers = [0.0; ORDER + 2];
        // What an earlier direction left is written over below.
        let room = segments(self.frame).map(|entries| entries.xi.len()).iter().sum();
        first.resize(room, 0.0);
        second.resize(room, 0.0);
        let mut from = 0;
        for (index, entries) in segments(self.frame).into_iter().enumerate() {
            let of_singles = if index == 1 { &mut powers[1..=ORDER] } else { &mut [] };
            let sequences = [&mut first[from..], &mut second[from..]];
            begin((&entries.xi, &entries.eta), direction, (start, self.doublings), sequences, of_singles);
            from += entries.xi.len();
        }
        groups.resize(2 * self.octaves * self.groups.len(), 0.0);
        let of_groups = groups.chunks_exact_mut(2 * self.octaves);
        for ((group, averages), values) in self.frame.groups.iter().zip(&self.groups).zip(of_groups) {
            averages.transform.at(group.squared_cosine(direction), values);
        }
        powers
    }

    /// `M` over the masks that are not left out at a low node, less its value at `lambda = 0`: a constant contributes
    /// nothing to the angular integral but its rounding error. Then moves on to the next node. Each group comes with
    /// its transform minus 1.
    fn low_node<'g>(&self, sequence: &mut [f64], of_groups: impl Iterator<Item = (&'g GroupAverages, f64)>) -> f64 {
        let (required, singles) = sequence.split_at_mut(self.frame.required.xi.len());
        let (fixed, _) = low_node(required, 1.0);
        let (product, sum) = low_node(singles, self.p);
        let mut whole = times(fixed, product);
        let mut left_out = -self.one * sum;
        for (group, transform) in of_groups {
            whole = times(whole, transform);
            left_out += group.alone * times(fixed, transform);
        }
        whole - left_out
    }

    /// The same at a high node, with nothing subtracted.
    fn high_node<'g>(&self, sequence: &mut [f64], of_groups: impl Iterator<Item = (&'g GroupAverages, f64)>) -> f64 {
        let (required, singles) = sequence.split_at_mut(self.frame.required.xi.len());
        let (fixed, _) = high_node(required, 1.0);
        let padding = (singles.len() - self.frame.singles.count) as f64;
        let (product, sum) = high_node(singles, self.p);
        let mut whole = fixed * product;
        // The padding adds ones to the sum.
        let mut left_out = self.empty + self.one * (sum - padding);
        for (group, transform) in of_groups {
            whole *= 1.0 + transform;
            left_out += group.alone * fixed * (1.0 + transform) - self.empty;
        }
        whole - left_out
    }

    /// The sums over all nodes below the first, from the moments of `h`; the power sums given are those of the singles.
    fn below(&self, direction: (f64, f64), mut powers: Powers) -> [f64; 2] {
        // The moments over masks of one entry are power sums.
        let mut left_out = powers.map(|power| self.one * power);
        for (group, fixed) in self.frame.groups.iter().zip(&self.groups) {
            let square = group.squared_cosine(direction);
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
        self.series.map(|coefficients| (1..=ORDER).map(|n| coefficients[n] * (moments[n] - left_out[n])).sum())
    }
}

/// The coefficients of `E[h^n]`, `n = l + 1..=ORDER`, in the sum of `M(lambda) lambda^(-l)` over
/// `lambda = first 2^(-k/2)`, `k = 1, 2, ...`: `(-1)^n / n!` times a geometric series.
fn below_first(first: f64, l: usize) -> Powers {
    let mut coefficients = [0.0; ORDER + 2];
    let mut term = 1.0 / first.powi(l as i32);
    for (n, coefficient) in coefficients.iter_mut().enumerate().take(ORDER + 1).skip(1) {
        term *= -first / n as f64;
        if n > l {
            *coefficient = term / (SQRT_2.powi((n - l) as i32) - 1.0);
        }
    }
    coefficients
}

/// The entries that every direction works on: the required ones and the singles.
fn segments(frame: &Frame) -> [&Entries; 2] {
    [&frame.required, &frame.singles]
}
