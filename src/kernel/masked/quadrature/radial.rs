//! The radial integral: averages over masks in one direction, from the Laplace transform of `h`.

use std::f64::consts::{LN_2, SQRT_2};

use super::cumulants::{
    Joint, ORDER, POWERS, PowerSums, Powers, RawSums, Turns, along_line, bernoulli_cumulants, moments,
};
use super::frame::{Entries, Frame, Vector};
use super::group::GroupTransform;
use super::nodes::{Chances, Jet, begin, doublings, high_node, low_node, tangent_node, times};

/// Steps in `ln lambda` are half an octave. For every mask, whatever its `h`, the trapezoidal sum of
/// `lambda^(-l-1) exp(-lambda h)` is then right to `2 |Gamma(-l + 2 pi i / step)| < 1e-13` of `h^l`.
const STEP: f64 = LN_2 / 2.0;
/// Beyond this many, nothing is left above rounding, whatever the inputs.
const MOST_OCTAVES: usize = 120;

/// The averages over masks of functions of `h`, which the angular integrals are made of; masks that
/// [`Frame::parallel_masks`] sums in closed form are left out.
///
/// Here `h = sum_j s_j z_j(f)^2` is the variance, times `p`, of the row's projection on the direction `f`, and
/// `T = sum_j s_j r_j^2 / 2` its mean over directions. As finite parts,
///
/// `E[ln h] = - int M(lambda) lambda^(-1) d lambda`, `E[h ln h] = int M(lambda) lambda^(-2) d lambda`,
/// `E[h^2 ln h] = -2 int M(lambda) lambda^(-3) d lambda`,
///
/// with `M(lambda) = E[exp(-lambda h)] = prod_j (1 - p_j + p_j exp(-lambda z_j^2))`, less the masks left out. With a
/// factor `T` or `T^2`, `M` is replaced by `E[T exp(-lambda h)]` or `E[T^2 exp(-lambda h)]`, its derivatives by a
/// factor on `T` in the exponent. From the first node upwards these, less their values at 0, are evaluated at `lambda
/// 2^(k/2)`; doubling `lambda` takes `v = 1 - exp(-lambda z^2)` to `v (2 - v)`, without an exponential and without
/// cancellation. Below, the moments of `h` and `T` give the whole sum.
pub struct Radial<'a> {
    frame: &'a Frame,
    /// Whether the averages of the tangent kernel are asked for.
    tangent: bool,
    /// The probability that all free entries have, or none.
    p: Option<f64>,
    /// `1 / (1 - p_j)` of the singles, where they do not share one `p`.
    over: Vec<f64>,
    /// `p_j r_j^2 / 2` and `r_j^2 / 4` of the singles, for the tangent kernel.
    weights: [Vec<f64>; 2],
    /// What the required entries add to `T`.
    required_half: f64,
    first: f64,
    /// Doublings from where `1 - exp(-w)` has a short series to the first node.
    doublings: usize,
    /// Octaves of low nodes, where `M` is near 1.
    low: usize,
    /// The most octaves of nodes in all, without factors `T` and with them.
    octaves: [usize; 2],
    /// The most that nodes beyond the last may contribute, by sample, without factors `T` and with them.
    negligible: [[f64; SAMPLES]; 2],
    /// What the cumulants of the singles and the moments over masks of one entry are made of.
    powers: Vec<Powered>,
    /// The coefficients for the nodes below the first, by the power of `lambda`; see [`below_first`].
    series: [Powers; 3],
    /// What sums over single entries lack: the probability of the empty mask, times `p / (1 - p)` where all entries
    /// have one `p`; and the same without `p`.
    one: [f64; 2],
    /// The probability of the empty mask.
    empty: f64,
    groups: Vec<GroupAverages>,
    /// The probability, `E[T]` and `E[T^2]` of the masks that are not left out.
    at_zero: [f64; 3],
}

/// The number of averages that the angular integrals sample in a direction.
///
/// Of the masks that are not left out, [`Radial::at`] gives
///
/// 0. `E[h ln h]` and 1. `E[h^2 ln h]`, up to polynomials in `h` of degree `l` where the NNGP kernel alone is asked
///    for;
/// 2. `E[h^2]`, a polynomial of degree 2.
///
/// With `theta = 2 f - t`, [`Radial::with_half`] gives
///
/// 0. `E[(h - T) ln h]`, whose mean over directions is that of `T - sqrt(Delta)`, `Delta` the determinant of the mask's
///    Gram matrix in the frame where it is the identity on average;
/// 1. `E[T h ln h]`;
/// 2. a function whose mean over directions is that of `c sqrt(Delta)`, `c = T cos t + h cos theta - (h'/2) sin theta`
///    less `T cos theta`: `(cos t + cos theta) E[T h] - (cos t - 3 cos theta) E[T h ln h] + (cos t - cos theta)
///    E[T^2 ln h] - cos theta (3/2 E[h^2 ln h] - E[h^2] / 4)`.
pub const SAMPLES: usize = 3;

/// Sums over the singles of powers that turn with the direction, and what they count in the cumulants of `h` and `T`
/// and in the moments over masks of one entry, by the power of `h`.
struct Powered {
    /// The power of `T`.
    order: usize,
    sums: PowerSums,
    cumulant: Powers,
    alone: Powers,
}

/// What depends on a group, not on the direction.
struct GroupAverages {
    /// The probability that nothing outside of the group is in the mask; 0 where its masks are not left out.
    alone: f64,
    /// Cumulants along the line.
    cumulants: Joint,
    /// The moments along the line, with the required entries.
    moments: Joint,
    transform: GroupTransform,
}

/// The result for one direction.
pub struct Direction {
    /// The averages that are sampled, see [`SAMPLES`].
    pub average: [f64; SAMPLES],
    /// What nodes beyond the last would add: a bound without factors `T`, an estimate with them.
    pub tail: [f64; SAMPLES],
    /// The nodes it took.
    pub nodes: usize,
}

/// Buffers for the work on one direction.
#[derive(Default)]
pub struct Scratch {
    /// `1 - exp(-w)` of the required entries, then of the singles, at the next node of each of the two sequences of
    /// nodes; beyond the low nodes, `exp(-w)` itself.
    sequences: [Vec<f64>; 2],
    /// The transforms of the groups at all nodes, group by group, see [`GroupTransform::at`].
    groups: Vec<f64>,
}

/// What a node adds: `M` and the two others over the masks that are not left out.
type Remaining = [f64; 3];

/// Sums over nodes: of `M / lambda`, `M / lambda^2`, `E[T exp(-lambda h)]`, the same over `lambda`, and
/// `E[T^2 exp(-lambda h)]`.
type Sums = [f64; 5];

/// `E[h]`, `E[h^2]` and `E[T h]`.
type Polynomials = [f64; 3];

/// The sums over all nodes, and what they leave to be added.
struct Finite {
    sums: Sums,
    polynomials: Polynomials,
    /// What nodes beyond the last would add to the averages.
    tail: [f64; SAMPLES],
    nodes: usize,
}

/// Octaves beyond the last node over which terms with `T` may still count: a part of a mask's `T` comes with an `h` so
/// much smaller.
const BEYOND: f64 = 20.0;

/// What nodes beyond the last would add, by sample, from the magnitudes of what it has added. Further terms fall at
/// least as fast as those of a constant M; `E[T exp(-lambda h)]` is at most the root of the product of the two others.
fn tail([all, _, twice]: [f64; 3], inverse: f64, with_half: bool) -> [f64; SAMPLES] {
    let falling = STEP / (SQRT_2 - 1.0);
    let (first, second) = (falling * all * inverse, 2.0 * STEP * all * inverse * inverse);
    if !with_half {
        return [first, second, 0.0];
    }
    let lasting = 2.0 * BEYOND * STEP;
    let once = (all * twice).sqrt();
    let both = falling * once * inverse;
    [first + lasting * once, both, 4.0 * both + 2.0 * lasting * twice + 1.5 * second]
}

impl<'a> Radial<'a> {
    /// Prepares averages that are exact except for rounding and for tails of at most `negligible`, without factors `T`
    /// and with them.
    pub fn new(frame: &'a Frame, tangent: bool, negligible: [[f64; SAMPLES]; 2]) -> Self {
        let singles = &frame.singles;
        let p = Some(frame.reference).filter(|p| frame.free().all(|entries| entries.vectors().all(|own| own.p == *p)));
        let empty = if frame.takes_singles { frame.absent.exp() } else { 0.0 };
        let one = p.map_or([empty; 2], |p| [empty * p / (1.0 - p), empty / (1.0 - p)]);
        let over = if p.is_none() { singles.p.iter().map(|p| 1.0 / (1.0 - p)).collect() } else { Vec::new() };
        let weights = if tangent {
            let products = singles.p.iter().zip(&singles.halves).map(|(p, half)| p * half);
            [products.collect(), singles.halves.iter().map(|half| 0.5 * half).collect()]
        } else {
            [Vec::new(), Vec::new()]
        };
        let required_half: f64 = frame.required.halves.iter().sum();

        // Squared lengths bound squared projections on any direction, and so do their moments.
        let of_groups: Vec<Joint> = frame.groups.iter().map(|group| along_line(&group.entries, tangent)).collect();
        let mut lengths = along_line(singles, false);
        for of_group in &of_groups {
            lengths[0].iter_mut().zip(of_group[0]).for_each(|(sum, cumulant)| *sum += cumulant);
        }
        lengths[0][1] += frame.required.vectors().map(|vector| vector.square()).sum::<f64>();
        let bound = moments(&lengths, false)[0];
        let factorial: f64 = (1..=ORDER + 1).map(|n| n as f64).product();
        // The first omitted term of the series below the first node is to be a quarter of the rounding of E[h^l].
        let first = |l: usize| {
            let left = (ORDER + 1 - l) as i32;
            let allowed = f64::EPSILON / 4.0 * bound[l] * factorial * (SQRT_2.powi(left) - 1.0);
            (allowed / bound[ORDER + 1]).powf(1.0 / f64::from(left))
        };
        // Terms with T have a larger one, since T and h grow with the same entries.
        let first = first(1).min(first(2)) * if tangent { 0.75 } else { 1.0 };
        let longest =
            segments(frame).into_iter().flat_map(Entries::vectors).fold(0.0f64, |most, own| most.max(own.square()));
        let doublings = doublings(first * SQRT_2 * longest);

        let octaves_to = |lambda: f64| (lambda / first).log2().ceil().clamp(0.0, MOST_OCTAVES as f64) as usize;
        let low = octaves_to(1.0 / frame.reference);
        // From there on even a transform of 1 would be negligible; see the tail in `at`.
        let [first_moment, second_moment, _] = negligible[0];
        let last = (STEP / ((SQRT_2 - 1.0) * first_moment)).max((2.0 * STEP / second_moment).sqrt());
        let octaves = octaves_to(last).max(low) + 1;
        let octaves = [octaves, if tangent { octaves + BEYOND as usize } else { octaves }];

        let groups: Vec<GroupAverages> = frame
            .groups
            .iter()
            .zip(of_groups)
            .map(|(group, cumulants)| {
                let alone = if group.taken_out { frame.nothing_but(&group.entries) } else { 0.0 };
                let mut with_required = cumulants;
                with_required[0][1] += group.required;
                with_required[1][0] += 0.5 * group.required;
                let (moments, of_group) = (moments(&with_required, tangent), moments(&cumulants, tangent));
                let (line, entries) = (group.direction, &group.entries);
                let transform = GroupTransform::new(entries, line, &of_group, first, octaves[1], tangent);
                GroupAverages { alone, cumulants, moments, transform }
            })
            .collect();
        let powers = power_sums(singles, empty, p.is_some(), if tangent { 3 } else { 1 });
        let series = [0, 1, 2].map(|l| below_first(first, l));
        let mut radial = Self {
            frame,
            tangent,
            p,
            over,
            weights,
            required_half,
            first,
            doublings,
            low,
            octaves,
            negligible,
            powers,
            series,
            one,
            empty,
            groups,
            at_zero: [0.0; 3],
        };
        radial.at_zero = radial.at_zero();
        radial
    }

    /// The probability, `E[T]` and `E[T^2]` of the masks that are not left out: the same in every direction.
    fn at_zero(&self) -> [f64; 3] {
        let (cumulants, left_out) = self.joint((1.0, 0.0), self.tangent);
        let moments = moments(&cumulants, self.tangent);
        // Masks of one entry at n = 0, and the empty mask, which groups share.
        let alone: f64 = self.groups.iter().map(|group| group.alone - self.empty).sum();
        let of_singles = self.powers.iter().filter(|powered| powered.order == 0);
        let singles: f64 = of_singles.map(|powered| powered.alone[0] * powered.sums.at_zero()).sum();
        let probability = 1.0 - self.empty - singles - alone;
        [probability, moments[1][0] - left_out[1][0], moments[2][0] - left_out[2][0]]
    }

    /// `E[T]` over the masks that are left out.
    pub fn left_out_half(&self) -> f64 {
        self.joint((1.0, 0.0), true).1[1][0]
    }

    /// The errors of the averages without factors `T` and with them, in units of the rounding of one entry's
    /// exponential. At low nodes that is the relative error of `M - 1`; at high nodes the error of `exp(-w)` at the
    /// first of them doubles with `lambda`.
    pub fn sensitivity(&self) -> [[f64; SAMPLES]; 2] {
        let [nodes, more] = self.octaves.map(|octaves| 2.0 * octaves as f64);
        // The sum of 1/lambda over the nodes.
        let inverse = 1.0 / (self.first * (1.0 - 0.5f64.sqrt()));
        let p = self.frame.reference;
        let (first, second) = (STEP * p * nodes, 2.0 * STEP * p * inverse);
        // T is p on average over masks, and its square at most this.
        let squares = self
            .frame
            .free()
            .map(|entries| entries.p.iter().zip(&entries.halves).map(|(p, half)| p * half * half).sum::<f64>());
        let square = p * p + squares.sum::<f64>();
        let (with_t, with_square) = (STEP * p * inverse, STEP * more * square);
        let determinant = 4.0 * with_t + 2.0 * with_square + 1.5 * second;
        [[first, second, 0.0], [2.0 * STEP * p * more, with_t, determinant]]
    }

    /// The averages without factors `T` in the direction `(cos f, sin f)`.
    pub fn at(&self, direction: (f64, f64), scratch: &mut Scratch) -> Direction {
        let Finite { sums, polynomials, tail, nodes } = self.sums(direction, scratch, false);
        let average = if self.tangent {
            let [log, square_log] = self.logarithms(&sums, &polynomials);
            [log, square_log, polynomials[1]]
        } else {
            [sums[0], -2.0 * sums[1], 0.0]
        };
        Direction { average, tail, nodes }
    }

    /// The averages with factors `T`, which the radial integral was prepared for.
    pub fn with_half(&self, direction: (f64, f64), scratch: &mut Scratch) -> Direction {
        let Finite { sums, polynomials, tail, nodes } = self.sums(direction, scratch, true);
        Direction { average: self.averages_with_half(direction, &sums, &polynomials), tail, nodes }
    }

    /// The sums over all nodes.
    fn sums(&self, direction: (f64, f64), scratch: &mut Scratch, with_half: bool) -> Finite {
        self.begin(direction, scratch, with_half);
        let (below, polynomials) = self.below(direction, with_half);
        let (negligible, octaves) = (&self.negligible[usize::from(with_half)], self.octaves[usize::from(with_half)]);
        // Sums over nodes of M / lambda, M / lambda^2, and with T or T^2: see `Sums`.
        let mut above = Sums::default();
        let mut octave = 0;
        let tail = loop {
            if octave == self.low {
                scratch.sequences.iter_mut().flatten().for_each(|v| *v = 1.0 - *v);
            }
            let mut last = [0.0; 3];
            let mut inverse = 0.0;
            for half in 0..2 {
                inverse = 1.0 / self.lambda(half, octave);
                last = self.node(scratch, half, octave, with_half);
                let [all, once, twice] = last;
                let terms = [all * inverse, all * inverse * inverse, once, once * inverse, twice];
                above.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
            octave += 1;
            let tail = tail(last.map(f64::abs), inverse, with_half);
            let done = octave > self.low && tail.iter().zip(negligible).all(|(tail, most)| tail <= most);
            if done || octave >= octaves {
                break tail;
            }
        };
        let sums = std::array::from_fn(|place| STEP * (below[place] + above[place]));
        Finite { sums, polynomials, tail, nodes: 2 * octave }
    }

    /// `E[h ln h]` and `E[h^2 ln h]`. The finite parts above are those of the sums as they are cut off; what that
    /// leaves are polynomials, in which Euler's constant is that of `int_0^1 (exp(-x) - 1)/x + int_1^inf exp(-x)/x`.
    fn logarithms(&self, sums: &Sums, [h, square, _]: &Polynomials) -> [f64; 2] {
        let (from_first, of_first) = (self.cut_off(self.first), self.inverse(self.first));
        let low = self.lambda(0, self.low);
        let of_low_square = 2.0 * STEP / low.powi(2);
        let one = self.at_zero[0];
        let log = sums[0] - self.inverse(low) * one - (from_first - 1.0) * h;
        let square_log = -2.0 * (sums[1] + of_first * h - of_low_square * one) - (from_first - 1.5) * square;
        [log, square_log]
    }

    /// What [`Radial::with_half`] gives, by the same finite parts.
    fn averages_with_half(&self, (cosine, sine): (f64, f64), sums: &Sums, polynomials: &Polynomials) -> [f64; SAMPLES] {
        let [log, square_log] = self.logarithms(sums, polynomials);
        let [_, square, with_half] = polynomials;
        let (from_first, low) = (self.cut_off(self.first), self.lambda(0, self.low));
        let (from_low, of_low) = (self.cut_off(low), self.inverse(low));
        let [_, half, half_square] = self.at_zero;
        let half_log = -sums[2] - from_low * half;
        let both_log = sums[3] - of_low * half - (from_first - 1.0) * with_half;
        let half_square_log = -sums[4] - from_low * half_square;
        // cos(2 f - t)
        let (cos_t, sin_t) = (self.frame.cosine, self.frame.sine);
        let theta = (cosine * cosine - sine * sine) * cos_t + 2.0 * cosine * sine * sin_t;
        let determinant = (cos_t + theta) * with_half - (cos_t - 3.0 * theta) * both_log
            + (cos_t - theta) * half_square_log
            - theta * (1.5 * square_log - 0.25 * square);
        [log - half_log, both_log, determinant]
    }

    /// The logarithm from a node on where a sum changes its form, which it does halfway between two nodes, and Euler's
    /// constant.
    fn cut_off(&self, lambda: f64) -> f64 {
        const EULER: f64 = 0.577_215_664_901_532_9;
        lambda.ln() - 0.25 * LN_2 + EULER
    }

    /// The sum of `1/lambda` from a node on.
    fn inverse(&self, lambda: f64) -> f64 {
        STEP / (lambda * (1.0 - 0.5f64.sqrt()))
    }

    fn lambda(&self, half: usize, octave: usize) -> f64 {
        self.first * [1.0, SQRT_2][half] * 2.0f64.powi(octave as i32)
    }

    /// Fills in `1 - exp(-w)` at the first node of both sequences and the transforms of the groups at all nodes.
    fn begin(
        &self,
        direction: (f64, f64),
        Scratch { sequences: [first, second], groups }: &mut Scratch,
        with_half: bool,
    ) {
        let start = self.first * 0.5f64.powi(self.doublings as i32);
        // What an earlier direction left is written over below.
        let room = segments(self.frame).map(|entries| entries.xi.len()).iter().sum();
        first.resize(room, 0.0);
        second.resize(room, 0.0);
        let mut from = 0;
        for entries in segments(self.frame) {
            let sequences = [&mut first[from..], &mut second[from..]];
            begin((&entries.xi, &entries.eta), direction, (start, self.doublings), sequences);
            from += entries.xi.len();
        }
        let (nodes, room) = self.room_of_group(with_half);
        groups.resize(room * self.groups.len(), 0.0);
        let of_groups = groups.chunks_exact_mut(room);
        for ((group, averages), values) in self.frame.groups.iter().zip(&self.groups).zip(of_groups) {
            averages.transform.at(group.squared_cosine(direction), nodes, values);
        }
    }

    /// The most nodes, and the values of one group's transforms at all of them.
    fn room_of_group(&self, with_half: bool) -> (usize, usize) {
        let nodes = 2 * self.octaves[usize::from(with_half)];
        (nodes, if with_half { 3 * nodes } else { nodes })
    }

    /// The transforms at one node over the masks that are not left out; at a low node less their values at `lambda =
    /// 0`: constants contribute nothing to the angular integral but their rounding errors. Then moves on to the next
    /// node.
    fn node(&self, scratch: &mut Scratch, half: usize, octave: usize, with_half: bool) -> Remaining {
        let (is_high, node) = (octave >= self.low, 2 * octave + half);
        let (nodes, room) = self.room_of_group(with_half);
        // Each group with its transform minus 1, and the two others.
        let Scratch { sequences, groups } = scratch;
        let of_groups = self.groups.iter().zip(groups.chunks_exact(room)).map(|(group, values)| {
            let with_t = |order: usize| if with_half { values[order * nodes + node] } else { 0.0 };
            (group, values[node], [with_t(1), with_t(2)])
        });
        let (required, singles) = sequences[half].split_at_mut(self.frame.required.xi.len());
        let chances = match self.p {
            Some(p) => Chances::Uniform(p),
            None => Chances::Each { p: &self.frame.singles.p, over: &self.over },
        };
        let [weights, halves] = &self.weights;
        let of_t = with_half.then(|| tangent_node(singles, is_high, chances, (weights, halves)));
        let step = |values: &mut [f64], chances: Chances| match is_high {
            true => high_node(values, chances),
            false => low_node(values, chances),
        };
        let (fixed, _) = step(required, Chances::Uniform(1.0));
        let (product, mut sum) = step(singles, chances);
        if is_high && self.p.is_some() {
            // The padding adds ones to the sum.
            sum -= (singles.len() - self.frame.singles.count) as f64;
        }
        let (mut whole, mut left_out) = if is_high {
            (fixed * product, self.empty + self.one[0] * sum)
        } else {
            (times(fixed, product), -self.one[0] * sum)
        };
        // The exponential of all required entries.
        let exp = if is_high { fixed } else { 1.0 + fixed };
        let (mut jet, mut jet_left_out) = match of_t {
            Some((jet, sums)) => (jet, sums.map(|sum| self.one[1] * sum)),
            None => (Jet::ONE, [0.0; 2]),
        };
        for (group, transform, [once, twice]) in of_groups {
            if is_high {
                whole *= 1.0 + transform;
                left_out += group.alone * fixed * (1.0 + transform) - self.empty;
            } else {
                whole = times(whole, transform);
                left_out += group.alone * times(fixed, transform);
            }
            if with_half {
                let of_group = Jet([1.0 + transform, once, twice]);
                jet = jet.times(of_group);
                let Jet([_, once, twice]) = of_group.with_required(exp, self.required_half);
                jet_left_out[0] += group.alone * once;
                jet_left_out[1] += group.alone * twice;
            }
        }
        if !with_half {
            return [whole - left_out, 0.0, 0.0];
        }
        let Jet([_, once, twice]) = jet.with_required(exp, self.required_half);
        let start = self.at_zero.map(|value| if is_high { 0.0 } else { value });
        [whole - left_out, once - jet_left_out[0] - start[1], twice - jet_left_out[1] - start[2]]
    }

    /// The cumulants over all masks in a direction, and the moments over the masks that are left out, with factors `T`
    /// or without.
    fn joint(&self, direction: (f64, f64), with_half: bool) -> (Joint, Joint) {
        let orders = if with_half { 3 } else { 1 };
        let (mut cumulants, mut left_out) = ([[0.0; POWERS]; 3], [[0.0; POWERS]; 3]);
        let turns = Turns::new(direction);
        for powered in self.powers.iter().filter(|powered| powered.order < orders) {
            let (sums, order) = (powered.sums.at(&turns), powered.order);
            for n in 0..=ORDER {
                cumulants[order][n] += powered.cumulant[n] * sums[n];
                left_out[order][n] += powered.alone[n] * sums[n];
            }
        }
        for (group, fixed) in self.frame.groups.iter().zip(&self.groups) {
            let square = group.squared_cosine(direction);
            for order in 0..orders {
                let mut factor = 1.0;
                for n in 0..=ORDER {
                    cumulants[order][n] += factor * fixed.cumulants[order][n];
                    left_out[order][n] += factor * fixed.alone * fixed.moments[order][n];
                    factor *= square;
                }
            }
        }
        let required = self.frame.required.vectors();
        cumulants[0][1] += required.map(|own| (own.xi * direction.0 + own.eta * direction.1).powi(2)).sum::<f64>();
        cumulants[1][0] += if with_half { self.required_half } else { 0.0 };
        (cumulants, left_out)
    }

    /// The sums over all nodes below the first, from the moments of `h` and `T`, and the polynomials over the masks
    /// that are not left out.
    fn below(&self, direction: (f64, f64), with_half: bool) -> (Sums, Polynomials) {
        let (cumulants, left_out) = self.joint(direction, with_half);
        let moments = moments(&cumulants, with_half);
        let remaining = |order: usize, n: usize| moments[order][n] - left_out[order][n];
        let sum = |series: usize, order: usize| -> f64 {
            (0..=ORDER).map(|n| self.series[series][n] * remaining(order, n)).sum()
        };
        let mut sums = [sum(1, 0), sum(2, 0), 0.0, 0.0, 0.0];
        if with_half {
            sums[2..].copy_from_slice(&[sum(0, 1), sum(1, 1), sum(0, 2)]);
        }
        (sums, [remaining(0, 1), remaining(0, 2), remaining(1, 1)])
    }
}

/// What the cumulants of the singles and the moments over masks of one entry are made of, with factors `T` below a
/// power; `empty` is the probability of the empty mask. Where all entries have one probability, both are made of the
/// same sums.
fn power_sums(singles: &Entries, empty: f64, one_p: bool, orders: usize) -> Vec<Powered> {
    const ONE: Powers = [1.0; POWERS];
    const NONE: Powers = [0.0; POWERS];
    let of_one = |p: f64| empty * p / (1.0 - p);
    let parts = |entries: &Entries| (RawSums::new(entries, orders - 1), bernoulli_cumulants(entries.p[0]));
    if one_p && singles.count > 0 {
        let (sums, bernoulli) = parts(singles);
        let powered = |order: usize| {
            let mut all = PowerSums::default();
            all.add_sums(&sums, order, |_| 1.0);
            let cumulant = std::array::from_fn(|n| bernoulli[n + order]);
            Powered { order, sums: all, cumulant, alone: [of_one(singles.p[0]); POWERS] }
        };
        return (0..orders).map(powered).collect();
    }
    let mut vectors: Vec<Vector> = singles.vectors().collect();
    vectors.sort_by(|a, b| a.p.total_cmp(&b.p));
    let (mut all, mut alone) = (vec![PowerSums::default(); orders], vec![PowerSums::default(); orders]);
    // Cumulants are those of one p: entries that share it come together.
    for part in vectors.chunk_by(|a, b| a.p == b.p) {
        let (sums, bernoulli) = parts(&Entries::new(part));
        for order in 0..orders {
            all[order].add_sums(&sums, order, |n| bernoulli[n + order]);
            alone[order].add_sums(&sums, order, |_| of_one(part[0].p));
        }
    }
    let cumulants =
        all.into_iter().enumerate().map(|(order, sums)| Powered { order, sums, cumulant: ONE, alone: NONE });
    let of_one = alone.into_iter().enumerate().map(|(order, sums)| Powered { order, sums, cumulant: NONE, alone: ONE });
    cumulants.chain(of_one).collect()
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

#[cfg(test)]
mod tests {
    use super::super::frame::Conditioned;
    use super::*;
    use crate::kernel::masked::Entry;

    /// The samples, one mask after the other; those whose inputs are parallel are left out.
    fn plain(masks: &Conditioned, frame: &Frame, direction: f64) -> [[f64; SAMPLES]; 2] {
        let (sine, cosine) = direction.sin_cos();
        let theta = (2.0 * direction).cos() * frame.cosine + (2.0 * direction).sin() * frame.sine;
        let across = |entry: &Entry| {
            let (u, v) = (entry.x / frame.gram.a.sqrt(), entry.y / frame.gram.b.sqrt());
            let stretch = (frame.reference / entry.p).sqrt();
            (stretch * u, stretch * (v - frame.cosine * u) / frame.sine)
        };
        let required: Vec<_> = masks.required.iter().map(across).collect();
        let mut samples = [[0.0; SAMPLES]; 2];
        for mask in 0u32..1 << masks.free.len() {
            let mut weight = 1.0;
            let mut vectors = required.clone();
            for (j, entry) in masks.free.iter().enumerate() {
                let kept = mask >> j & 1 == 1;
                weight *= if kept { entry.p } else { 1.0 - entry.p };
                if kept {
                    vectors.push(across(entry));
                }
            }
            let parallel = |a: &(f64, f64), b: &(f64, f64)| (a.0 * b.1 - a.1 * b.0).abs() < 1e-14;
            if vectors.iter().all(|vector| parallel(vector, &vectors[0])) {
                continue;
            }
            let h: f64 = vectors.iter().map(|(xi, eta)| (xi * cosine + eta * sine).powi(2)).sum();
            let half: f64 = vectors.iter().map(|(xi, eta)| 0.5 * (xi * xi + eta * eta)).sum();
            let ln = h.ln();
            let determinant = (frame.cosine + theta) * half * h - (frame.cosine - 3.0 * theta) * half * h * ln
                + (frame.cosine - theta) * half * half * ln
                - theta * (1.5 * h * h * ln - 0.25 * h * h);
            let terms = [h * ln, h * h * ln, h * h, (h - half) * ln, half * h * ln, determinant];
            samples.as_flattened_mut().iter_mut().zip(terms).for_each(|(sample, term)| *sample += weight * term);
        }
        samples
    }

    /// Without groups, with one, with required entries, and with a probability for each entry.
    #[test]
    fn samples_are_averages_over_masks() {
        let entry = |j: usize, p: f64| {
            let a = j as f64;
            Entry { x: (1.3 * a + 0.2).sin(), y: (0.7 * a).cos(), p, tau: 1.0 }
        };
        let parallel = |j: usize, p: f64| Entry { x: 0.1 * j as f64, y: 0.2 * j as f64, p, tau: 1.0 };
        let uniform: Vec<Entry> = (1..8).map(|j| entry(j, 0.3)).collect();
        let grouped: Vec<Entry> = (1..5).map(|j| parallel(j, 0.3)).chain((1..5).map(|j| entry(j, 0.3))).collect();
        let each: Vec<Entry> =
            (1..8).map(|j| entry(j, 0.1 * j as f64)).chain([parallel(2, 0.5), parallel(3, 0.7)]).collect();
        for (name, required, free) in [
            ("uniform", vec![], uniform.clone()),
            ("grouped", vec![], grouped.clone()),
            ("each", vec![], each.clone()),
            ("required", vec![entry(9, 0.3)], uniform),
            ("required in a group", vec![parallel(9, 0.3)], grouped),
            ("two required", vec![entry(9, 0.5), entry(10, 1.0)], each),
        ] {
            let masks = Conditioned { required, free };
            let frame = Frame::new(&masks, 0.3).unwrap();
            let radial = Radial::new(&frame, true, [[1e-13; SAMPLES]; 2]);
            let mut scratch = Scratch::default();
            for direction in [0.1, 0.8, 1.7, 2.9f64] {
                let (sine, cosine) = direction.sin_cos();
                let direction = (cosine, sine);
                let found = [radial.at(direction, &mut scratch), radial.with_half(direction, &mut scratch)];
                let found = found.map(|found| found.average);
                let expected = plain(&masks, &frame, sine.atan2(cosine));
                let sensitivity = radial.sensitivity();
                let each = found.as_flattened().iter().zip(expected.as_flattened());
                for (sample, (found, expected)) in each.enumerate() {
                    let allowed = 1e-11 + 4.0 * f64::EPSILON * sensitivity.as_flattened()[sample];
                    assert!(
                        (found - expected).abs() < allowed,
                        "{name}, sample {sample}, {direction:?}: {found} {expected}"
                    );
                }
            }
        }
    }
}
