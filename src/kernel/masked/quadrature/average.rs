//! Averages over masks that are known in part: what is summed, what is integrated, and what is conditioned on.

use std::f64::consts::PI;
use std::iter::zip;
use std::ops::Range;

use super::Quadrature;
use super::frame::{Conditioned, Frame};
use super::means::Means;
use super::pieces::{
    Averages, MEANS, NNGP, OF_CD, OF_D, OF_HALF, OF_PIECE, PIECES, POWER, Part, TERMS, WITH_POLES, magnitude, terms_of,
};
use super::radial::{Radial, SAMPLES};
use super::refine::{FEWEST, JUDGED, MeansState, Problem};
use crate::kernel::gram::Gram;
use crate::kernel::masked::Entry;
use crate::kernel::masked::enumerate::Groups;
use crate::kernel::masked::tangent_sum::FineGram;

/// Up to this many masks are summed one by one. At 2 ns each, that is faster than the several hundred directions that
/// so few entries need.
const FEW: f64 = 65536.0;
/// An entry of a larger squared length than this is conditioned on at once; all squared lengths sum to 2.
const DOMINANT: f64 = 0.5;
/// An entry of a larger squared length than this is conditioned on where more than [`PATIENCE`] directions would miss
/// the tolerance.
const NOTABLE: f64 = 0.1;
/// Where an entry can be conditioned on, the directions that are worth trying without: beyond them masks with it and
/// masks without it, each for itself, take fewer. (On pairs of images a limit of 256, whatever the prediction, took up
/// to seven times the nodes, spent on frame after frame that missed the tolerance.)
const PATIENCE: usize = 4096;
/// The same with up to so many free entries: conditioning on a few leaves masks that are summed one by one, at once and
/// with hardly any rounding.
const PATIENCE_OF_FEW: (usize, usize) = (256, 20);
/// The part of a node's rounding that does not grow with the number of entries: a handful of operations per entry.
const NODE_ROUNDING: f64 = 16.0 * f64::EPSILON;
/// What each entry adds to the rounding of a node.
const ENTRY_ROUNDING: f64 = f64::EPSILON / 512.0;

/// Averages over masks.
#[derive(Default)]
pub struct Average {
    pub terms: [Part; TERMS],
    /// `K~_1 - K_1` and `J~_1 - C K_0`.
    pub shifts: [f64; 2],
    pub nodes: u64,
}

/// What a result is asked for.
#[derive(Clone, Copy)]
pub struct Work {
    pub quadrature: Quadrature,
    /// The connectivity of reference.
    pub reference: f64,
    /// Whether the terms of the tangent kernel are asked for.
    pub tangent: bool,
}

/// The infinite-width kernels `K_1` and `C K_0` at the average Gram triple.
pub type Limits = [f64; 2];

impl Work {
    /// The pieces with poles that are asked for.
    pub fn with_poles(self) -> Range<usize> {
        if self.tangent { WITH_POLES } else { NNGP }
    }

    /// All pieces that are asked for.
    fn pieces(self) -> Range<usize> {
        if self.tangent { 0..PIECES } else { NNGP }
    }

    /// The averages over masks that are known in part. A free entry that fills most of a direction is conditioned on,
    /// up to `conditions` times: masks without it look nothing like masks with it, so each kind has another frame.
    pub fn average(self, masks: Conditioned, conditions: usize) -> Average {
        let Some(frame) = Frame::new(&masks, self.reference) else { return self.parallel(&masks) };
        let units = [frame.gram.scale(), frame.gram.scale().powi(2)];
        let taylor = frame.taylor_means();
        let limits = [units[0] * taylor[0], units[0] * frame.tangent_limit()];
        if frame.distinct_masks_at_least() <= FEW
            && let Some(sum) = self.one_by_one(&masks, limits)
        {
            return sum;
        }
        let known = frame.parallel_masks();
        let others: Averages = std::array::from_fn(|moment| taylor[moment] + known[moment]);
        // At first the rest is only known to be small: in `J~_1 - K~_1` the average of D, which is sin t at most.
        let [first, second, third, fourth, fifth] = frame.other_masks_at_most();
        let unknown = |value: f64, bound: f64| Part { value, truncation: bound, rounding: 0.0 };
        let mut rest =
            [first, second, third, fourth / (2.0 * PI), third, fifth / (2.0 * PI)].map(|bound| unknown(0.0, bound));
        rest[MEANS.start].value = frame.sine / (2.0 * PI);
        rest[self.pieces().end..].fill(Part::default());
        let mut nodes = 0;
        if !self.reached(&frame, &rest, others, self.pieces()) {
            let (longest, square) = frame.longest;
            let separable = square > NOTABLE && conditions > 0;
            if !(separable && square > DOMINANT) {
                let (of_few, few) = PATIENCE_OF_FEW;
                let patience = if frame.count() <= few { of_few } else { PATIENCE };
                let patience = separable.then_some(patience.min(self.quadrature.directions));
                nodes = self.other_masks(&frame, others, patience, &mut rest);
            }
            if separable && !self.reached(&frame, &rest, others, self.pieces()) {
                let mut apart = self.apart(masks, longest, conditions - 1, limits);
                apart.nodes += nodes;
                return apart;
            }
        }
        let terms = terms_of(&frame, &rest, others);
        let terms = std::array::from_fn(|term| {
            let (Part { value, truncation, rounding }, unit) = (terms[term], units[POWER[term] - 1]);
            Part { value: unit * value, truncation: unit * truncation, rounding: unit * rounding }
        });
        let shift = known[0] + rest[0].value;
        Average { terms, shifts: [shift, shift + rest[MEANS.start].value].map(|shift| units[0] * shift), nodes }
    }

    /// The averages over masks without one of the free entries and over masks with it.
    fn apart(self, masks: Conditioned, entry: usize, conditions: usize, limits: Limits) -> Average {
        let p = masks.free[entry].p;
        let (mut without, mut with) = (masks.clone(), masks);
        without.free.remove(entry);
        with.required.push(with.free.remove(entry));
        let without = self.average(without, conditions);
        let with = self.average(with, conditions);
        let mean = |a: f64, b: f64| (1.0 - p) * a + p * b;
        let terms: [Part; TERMS] = std::array::from_fn(|term| {
            let (without, with) = (without.terms[term], with.terms[term]);
            Part {
                value: mean(without.value, with.value),
                truncation: mean(without.truncation, with.truncation),
                rounding: mean(without.rounding, with.rounding),
            }
        });
        let shifts = [terms[0].value - limits[0], terms[2].value - limits[1]];
        Average { terms, shifts, nodes: without.nodes + with.nodes }
    }

    /// Whether the error of each of some pieces is within its share of the tolerance, or only rounding is left, which
    /// cannot be refined. The terms of the tangent kernel can cancel: their errors are compared with the sum of the
    /// magnitudes of all terms of one power of `|x||y|`.
    pub fn reached(self, frame: &Frame, pieces: &[Part; PIECES], others: Averages, mut asked: Range<usize>) -> bool {
        let terms = terms_of(frame, pieces, others);
        asked.all(|index| {
            let piece = &pieces[index];
            piece.error() <= self.allowed(&terms, index) || piece.truncation <= piece.rounding
        })
    }

    /// The error that the tolerance allows a piece.
    pub fn allowed(self, terms: &[Part; TERMS], index: usize) -> f64 {
        let of = &OF_PIECE[index];
        let size = if self.tangent { of.share * magnitude(terms, of.power) } else { terms[index].value.abs() };
        self.quadrature.tolerance * size
    }

    /// Refines `best`, the contribution of the masks that are not summed in closed form, and returns the number of
    /// nodes used; `others` are the other parts. It leaves off where it looks as if that took more directions than
    /// `patience`.
    fn other_masks(self, frame: &Frame, others: Averages, patience: Option<usize>, best: &mut [Part; PIECES]) -> u64 {
        let (sine, directions) = (frame.sine, self.quadrature.directions);
        let units: [f64; PIECES] = std::array::from_fn(|piece| {
            // Means over directions stand for D and C D, in units of |x||y| sin t, and for an integral with poles.
            let factor = match piece {
                OF_D => sine / (2.0 * PI),
                OF_HALF => -sine.powi(3) / (4.0 * PI),
                OF_CD => -sine / (2.0 * PI),
                _ => 1.0,
            };
            factor / self.reference.powi(OF_PIECE[piece].power as i32)
        });
        let sizes = [1, 2].map(|power| {
            if self.tangent { magnitude(&terms_of(frame, best, others), power) } else { others[power - 1].abs() }
        });
        let mut negligible = [[f64::INFINITY; SAMPLES]; 2];
        for piece in self.pieces() {
            // The weights of the directions amplify a cut-off, by at most these factors: for some thousand directions,
            // which `K~_1` needs more often, and for some hundred.
            let amplified = [256.0, 4096.0, 4096.0, 1.0, 16.0, 1.0][piece];
            let of = &OF_PIECE[piece];
            let most = 1e-2 * self.quadrature.tolerance * sizes[of.power - 1] / (units[piece].abs() * amplified);
            let of_sample = &mut negligible[usize::from(MEANS.contains(&piece))][of.sample];
            *of_sample = of_sample.min(most);
        }
        let radial = Radial::new(frame, self.tangent, negligible);
        let node_rounding = NODE_ROUNDING + ENTRY_ROUNDING * frame.count() as f64;
        let sample_rounding = radial.sensitivity().map(|of| of.map(|sensitivity| 4.0 * node_rounding * sensitivity));
        let problem =
            Problem { work: self, frame, radial: &radial, others, directions, patience, units, sample_rounding };
        if !self.tangent {
            return problem.with_poles(best).nodes;
        }
        // All tolerances follow the size of the averages, to which both kinds of pieces add: a few directions of one
        // give it well enough for the other. Some more tell whether it is worth beginning with the poles.
        let (means, mut state) = (Means::new(&radial, frame), MeansState::default());
        problem.means(&means, &mut state, if patience.is_some() { 2 * JUDGED } else { FEWEST }, best);
        let mut with_poles = 0;
        if !state.left_off {
            let poles = problem.with_poles(best);
            with_poles = poles.nodes;
            if !poles.left_off {
                problem.means(&means, &mut state, directions, best);
            }
        }
        with_poles + state.last.map_or(0, |(samples, _)| samples.nodes)
    }
}

impl Work {
    /// Where the inputs are parallel on every mask, to working precision.
    fn parallel(self, masks: &Conditioned) -> Average {
        let required: f64 = masks.required.iter().map(|entry| entry.in_every_mask()).map(|(x, y)| x * y).sum();
        let product: f64 = required + masks.free.iter().map(|entry| entry.x * entry.y).sum::<f64>();
        let fourth: f64 = masks.free.iter().map(|entry| entry.excess() * (entry.x * entry.y).powi(2)).sum();
        let (first, second) = (product / 2.0, (product * product + fourth) / 2.0);
        let values = [first, 3.0 * second, first, second, second];
        let value = |value: f64| Part { value: if product > 0.0 { value } else { 0.0 }, ..Part::default() };
        Average { terms: values.map(value), ..Average::default() }
    }

    /// The sum over all masks, where it has few terms.
    fn one_by_one(self, masks: &Conditioned, limits: Limits) -> Option<Average> {
        let scaled = |entry: &Entry| {
            let stretch = (self.reference / entry.p).sqrt();
            Entry { x: stretch * entry.x, y: stretch * entry.y, p: entry.p, tau: 1.0 }
        };
        let groups = Groups::of(masks.free.iter().map(scaled));
        let terms = groups.terms();
        if terms > FEW {
            return None;
        }
        let required = masks.required.iter().map(scaled);
        let mut values = [0.0; TERMS];
        if self.tangent {
            let of_entry = |Entry { x, y, tau, .. }| FineGram::of_entry(x, y, tau);
            let required = required.map(of_entry).fold(FineGram::default(), FineGram::plus);
            values = groups.tangent_sum(required, &|_| {});
        } else {
            let required = required.fold(Gram::default(), |sum, Entry { x, y, .. }| Gram {
                a: sum.a + x * x,
                b: sum.b + y * y,
                c: sum.c + x * y,
            });
            let sum = groups.sum_over_masks(required, &|_| {});
            values[..2].copy_from_slice(&[sum.k1, sum.k2]);
        }
        for (value, power) in zip(&mut values, POWER) {
            *value /= self.reference.powi(power as i32);
        }
        // The rounding that every result allows for is that of such sums.
        let parts = values.map(|value| Part { value, ..Part::default() });
        let shifts = [values[0] - limits[0], values[2] - limits[1]];
        Some(Average { terms: parts, shifts, nodes: terms as u64 })
    }
}
