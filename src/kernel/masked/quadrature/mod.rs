//! Theorem 1's sum over masks at any dimension, as a double integral.

mod cumulants;
mod frame;
mod functional;
mod group;
mod nodes;
mod radial;

use std::f64::consts::PI;
use std::iter::zip;

use rayon::prelude::*;

use self::frame::{Conditioned, Frame};
use self::functional::{Functional, Spectrum, unresolved};
use self::radial::{Radial, Scratch};
use super::enumerate::Groups;
use super::{MaskedMoments, Method, ROUNDING, RowMoments, closed_form, scales};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::{Gram, Pair};
use crate::network::Connectivity;
use crate::numeric::estimate::Estimate;

/// The masked moments at any dimension, any connectivity and any inputs, by a double integral.
///
/// # Where the integral comes from
///
/// One row `u` of the sparse layer sees the inputs as `P = u.x` and `Q = u.y`, and `K~_l = E[P_+^l Q_+^l]`, where
/// `[P]_+ = max(P, 0)`. The Fourier transform of a ramp `P_+^l` is `l! (i a)^(-l-1)`, and the characteristic function
/// of `(P, Q)` is a product over entries, `Psi(a, b) = prod_j [1 - p + p exp(-(a x_j + b y_j)^2 / 2p)]`. In polar
/// coordinates of the plane of `(a, b)`, stretched so that the dense network's `(P, Q)` is isotropic, the radius leaves
/// a logarithm and the angle a rational kernel:
///
/// `K~_l = T_l + ((|x||y|)^l (sin t)^(2l+1) / 8 pi^2) int_0^pi E_s[h_s^l ln h_s](f) / (sin f sin(t - f))^(l+1) df`
///
/// - `t` is the angle between `x` and `y`, and the direction `f` sees entry `j` as `z_j(f) = xi_j cos f + eta_j sin f`,
///   where `x_j = |x| xi_j` and `y_j = |y| (xi_j cos t + eta_j sin t)`;
/// - `s` is the mask of the row, and `h_s(f) = (1/p) sum_j s_j z_j(f)^2` the variance of the row's projection on the
///   direction `f` once its mask is drawn: 1 on average over masks, for every `f`;
/// - the integral is a finite part (Hadamard) at its poles. Polynomials in `h` of degree `l` have no part in it;
/// - `T_l` is the average over masks of the Taylor polynomial of order `l` of `K_l` at the Gram triple `(A, B, C)`: it
///   is `K_1` for `l = 1`, and the second-order expansion ([`Expansion`](super::Expansion)) for `l = 2`. So
///   `K~_1 - K_1`, the bias, is the integral alone, with nothing cancelled.
///
/// # How it is computed
///
/// - *Parallel masks* leave logarithmic singularities in `f`. Masks of one entry, and masks within a large group of
///   entries of equal ratio `y_j / x_j` (the background of an image), are taken out and summed in closed form. An entry
///   that fills most of a direction is conditioned on; where no more than 2^16 masks are left, they are summed one by
///   one.
/// - *Radius*: `E_s[h^l ln h]` is an integral of the Laplace transform `prod_j [1 - p + p exp(-lambda z_j^2)]` over
///   `ln lambda`; the trapezoidal rule in half octaves is right to 1e-13 whatever the masks, and doublings replace the
///   exponentials. What a group of parallel entries contributes is a function of one variable, tabulated once per pair.
/// - *Angle*: equally spaced directions and their Fourier coefficients, filtered; directions double until the error
///   estimate is below the tolerance. Convergence is exponential where many entries share a mask, algebraic where few
///   do.
///
/// # The error estimate
///
/// It is an estimate, not a bound: the most that rounding and the cut-off of `lambda` can contribute, plus, for the
/// finite number of directions, the smaller of two estimates:
///
/// - *By change*: the error of a rule comes from masks whose inputs are nearly parallel, in a direction near one of the
///   poles. The rule is compared with the rules of one half of its directions and of the other half, with the poles at
///   eleven places at and around their own. The largest change was at least the error of every single such mask that
///   was tried; at one place alone the change can vanish by chance.
/// - *By spectrum*: what the filter takes out, by the moduli of the coefficients, and the error at eight directions of
///   an irrational grid.
///
/// The same eight directions detect what no change shows: a function with harmonics that the directions of the rule
/// cannot see, as for inputs that are symmetric under a rotation in the `(x, y)` plane. Any error there beyond what the
/// spectrum would leave is added. Where the mask is conditioned to contain an entry, the first estimate is raised as
/// long as the directions do not reach the frequency `1 / sin t`.
///
/// `cargo bench --bench attack` searches for results whose error exceeds their estimate; docs/methods.md reports what
/// it found.
///
/// `terms` of the result counts the nodes, directions times values of `lambda`, and the masks that are summed one by
/// one.
///
/// Where the estimate cannot be brought below the tolerance, or the tolerance is below rounding, the result has a
/// larger error; see [`MaskedMoments::within`].
///
/// Source: ours. For the Fourier form of the arc-cosine kernels see Cho & Saul 2009; for filters, Gottlieb & Shu, "On
/// the Gibbs phenomenon and its resolution", SIAM Review 1997.
///
/// ```
/// use ndarray::Array1;
/// use sparsewidth::{network::Connectivity, kernel::gram::Pair, kernel::masked::{Quadrature, RowMoments}};
/// let x = Array1::from_shape_fn(784, |j| (j as f64).sin());
/// let y = Array1::from_shape_fn(784, |j| (0.7 * j as f64).cos());
/// let pair = Pair::new(x.view(), y.view())?;
/// let moments = Quadrature::new(1e-8)?.moments(&pair, Connectivity::new(0.1)?)?;
/// assert!(moments.within(1e-8));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quadrature {
    tolerance: f64,
    directions: usize,
}

impl Default for Quadrature {
    fn default() -> Self {
        Self { tolerance: 1e-6, directions: Self::MOST_DIRECTIONS }
    }
}

/// Up to this many masks are summed one by one. At 2 ns each, that is faster than the several hundred directions that
/// so few entries need.
const FEW: f64 = 65536.0;
/// The number of directions of the first rule.
const FEWEST: usize = 16;
/// An entry of a larger squared length than this is conditioned on at once; all squared lengths sum to 2.
const DOMINANT: f64 = 0.5;
/// An entry of a larger squared length than this is conditioned on where [`SEPARABLE_DIRECTIONS`] miss the tolerance.
const NOTABLE: f64 = 0.15;
/// The most directions that are tried before an entry above [`NOTABLE`] is conditioned on.
const SEPARABLE_DIRECTIONS: usize = 256;
/// The most entries that are conditioned on, one after the other.
const MOST_CONDITIONS: usize = 12;
/// The estimate of the error, in units of the largest change over the places of the poles, by `l`. For the kink of a
/// single mask the error was at most 1 and 0.3 times the change, in a search over the kink's place and width, at angles
/// `t` from 0.3 to 2.9. For many masks together it reached twice the change.
const BY_CHANGE: [f64; 2] = [4.0, 4.0];
/// A change, or what the filter takes out, counts as at least that of the rule before divided by this: it may be
/// smaller by chance only.
const BEFORE: f64 = 16.0;
/// A spectrum falls exponentially if what the filter takes out falls by at least this factor from one rule to the next.
/// If it falls less, the spectrum may have a gap by chance where the filter acts.
const EXPONENTIAL: f64 = 256.0;
/// The estimate of the error, in units of what the filter takes out. The coefficients of any mask fall at least like
/// `m^(-2l-1)`, so frequencies beyond `N/2` contribute at most three times that, and as much again through the
/// frequencies that they are mistaken for (aliasing).
const BY_SPECTRUM: f64 = 8.0;
/// The number of other directions that check a rule.
const CHECKS: usize = 8;
/// From this many directions on every rule is checked, which costs little then: a rule that rounds more is not always
/// better.
const CHECKED: usize = 512;
/// The estimate of the error, in units of the error at the checking directions times the weight of the last frequency.
const BY_CHECK: f64 = 5.0;
/// For a spectrum that falls like `m^(-2l-1)`: three times the part beyond `N/2` of its norm from `N/8` on,
/// `3 4^(-2l-1/2)`, by `l`.
const LEFT: [f64; 2] = [0.1, 0.01];
/// Up to this many directions a change counts at least twice: so coarse a rule says little about finer ones.
const FIRST: f64 = 64.0;
/// Below this many directions less of the error at the checking directions is excused: the spectrum is too short to
/// show how it falls.
const FALLING: f64 = 256.0;
/// The part of the error at the checking directions that is due to rounding, as a share of the rounding allowed for in
/// a sample. It is subtracted for rules of [`CHECKED`] directions and more, whose large weights would amplify it.
const ROUNDED: f64 = 0.25;
/// The part of a node's rounding that does not grow with the number of entries: a handful of operations per entry.
const NODE_ROUNDING: f64 = 16.0 * f64::EPSILON;
/// What each entry adds to the rounding of a node.
const ENTRY_ROUNDING: f64 = f64::EPSILON / 512.0;

impl Quadrature {
    /// The most directions that a result takes: with more, rounding grows faster than the error falls.
    pub const MOST_DIRECTIONS: usize = 1 << 13;

    /// The rule that doubles its directions until the error estimates of `K~_1` and `K~_2` are below `tolerance` times
    /// their value.
    ///
    /// # Errors
    /// Unless `0 < tolerance < 1`.
    pub fn new(tolerance: f64) -> Result<Self> {
        if tolerance > 0.0 && tolerance < 1.0 {
            return Ok(Self { tolerance, ..Self::default() });
        }
        let problem = "the relative error to reach must lie between 0 and 1";
        Err(Error::value("tolerance", tolerance, problem, "give for instance 1e-6"))
    }

    /// The same rule with at most this many directions, rounded up to a power of two and limited to 16 to
    /// [`Quadrature::MOST_DIRECTIONS`].
    #[must_use]
    pub fn with_max_directions(self, directions: usize) -> Self {
        let directions = directions.clamp(FEWEST, Self::MOST_DIRECTIONS).next_power_of_two();
        Self { directions, ..self }
    }

    /// The relative error to reach.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }
}

impl RowMoments for Quadrature {
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, _: u32) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        let gram = pair.gram();
        let units = [gram.scale(), gram.scale().powi(2)];
        let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
        let entries = pair.x().iter().zip(pair.y()).map(|(x, y)| (x * over_x, y * over_y));
        let free = entries.filter(|(x, y)| *x != 0.0 || *y != 0.0).collect();
        let found = self.average(Conditioned { required: vec![], free }, connectivity, MOST_CONDITIONS);
        let (scale_1, scale_2) = scales(pair, connectivity);
        let estimate = |l: usize, value: f64, rounding: f64| {
            Estimate::estimated(units[l] * value, units[l] * found.moments[l].error() + ROUNDING * rounding)
        };
        Ok(MaskedMoments {
            // Neither is negative, but a small difference of large numbers can be, by its rounding.
            k1: estimate(0, found.moments[0].value.max(0.0), scale_1),
            k2: estimate(1, found.moments[1].value.max(0.0), scale_2),
            shift: estimate(0, found.shift, scale_1),
            covariance: Estimate::ZERO,
            method: Method::Quadrature,
            terms: found.nodes,
        })
    }
}

/// A moment, or a part of one, with an estimate of its error.
#[derive(Clone, Copy, Default)]
struct Part {
    value: f64,
    /// The error that more directions and more nodes can still reduce.
    truncation: f64,
    /// The error that they cannot reduce.
    rounding: f64,
}

impl Part {
    fn error(&self) -> f64 {
        self.truncation + self.rounding
    }
}

/// Averages over masks.
#[derive(Default)]
struct Average {
    moments: [Part; 2],
    /// `K~_1 - K_1`.
    shift: f64,
    nodes: u64,
}

impl Quadrature {
    /// The average of `K_l` over masks that are known in part. A free entry that fills most of a direction is
    /// conditioned on, up to `conditions` times: masks without it look nothing like masks with it, so each kind has
    /// another frame.
    fn average(&self, masks: Conditioned, connectivity: Connectivity, conditions: usize) -> Average {
        let Some(frame) = Frame::new(&masks, connectivity) else { return parallel(&masks, connectivity) };
        let dense = arc_cosine(frame.gram);
        if frame.distinct_masks_at_least() <= FEW
            && let Some(sum) = one_by_one(&masks, connectivity, dense.k1)
        {
            return sum;
        }
        let units = [frame.gram.scale(), frame.gram.scale().powi(2)];
        let known = frame.parallel_masks(connectivity);
        let others = [dense.k1 / units[0] + known[0], frame.taylor_2(connectivity) + known[1]];
        // At first the rest is only known to be small.
        let small = frame.other_masks_at_most(connectivity);
        let mut rest = small.map(|bound| Part { value: 0.0, truncation: bound, rounding: 0.0 });
        let mut nodes = 0;
        if !self.reached(&rest, others) {
            let (longest, square) = frame.longest;
            let separable = square > NOTABLE && conditions > 0;
            if !(separable && square > DOMINANT) {
                let directions = if separable { self.directions.min(SEPARABLE_DIRECTIONS) } else { self.directions };
                nodes = self.other_masks(&frame, connectivity, others, directions, &mut rest);
            }
            if separable && !self.reached(&rest, others) {
                let mut apart = self.apart(masks, longest, connectivity, conditions - 1, dense.k1);
                apart.nodes += nodes;
                return apart;
            }
        }
        let moment = |l: usize| {
            let Part { value, truncation, rounding } = rest[l];
            Part {
                value: units[l] * (others[l] + value),
                truncation: units[l] * truncation,
                rounding: units[l] * rounding,
            }
        };
        Average { moments: [moment(0), moment(1)], shift: units[0] * (known[0] + rest[0].value), nodes }
    }

    /// The average over masks without one of the free entries and over masks with it; `k1` is `K_1`.
    fn apart(
        &self,
        masks: Conditioned,
        entry: usize,
        connectivity: Connectivity,
        conditions: usize,
        k1: f64,
    ) -> Average {
        let p = connectivity.get();
        let (mut without, mut with) = (masks.clone(), masks);
        without.free.remove(entry);
        with.required.push(with.free.remove(entry));
        let without = self.average(without, connectivity, conditions);
        let with = self.average(with, connectivity, conditions);
        let mean = |a: f64, b: f64| (1.0 - p) * a + p * b;
        let moments = [0, 1].map(|l| {
            let (without, with) = (without.moments[l], with.moments[l]);
            Part {
                value: mean(without.value, with.value),
                truncation: mean(without.truncation, with.truncation),
                rounding: mean(without.rounding, with.rounding),
            }
        });
        Average { moments, shift: moments[0].value - k1, nodes: without.nodes + with.nodes }
    }

    /// Whether the error of each part is within the tolerance of its sum with the other part, or only rounding is left,
    /// which cannot be refined.
    fn reached(&self, parts: &[Part; 2], others: [f64; 2]) -> bool {
        parts.iter().zip(others).all(|(part, other)| {
            part.error() <= self.tolerance * (other + part.value).abs() || part.truncation <= part.rounding
        })
    }

    /// Refines `best`, the contribution of the masks that are not summed in closed form, and returns the number of
    /// nodes used; `others` are the other parts.
    fn other_masks(
        &self,
        frame: &Frame,
        connectivity: Connectivity,
        others: [f64; 2],
        directions: usize,
        best: &mut [Part; 2],
    ) -> u64 {
        let p = connectivity.get();
        let unit = [1.0 / p, 1.0 / (p * p)];
        // The weights of the directions amplify a cut-off, by at most these factors: for some thousand directions,
        // which `K~_1` needs more often, and for some hundred.
        let amplified = [256.0, 4096.0];
        let negligible = [0, 1].map(|l| 1e-2 * self.tolerance * others[l].abs() / (unit[l] * amplified[l]));
        let radial = Radial::new(frame, connectivity, negligible);
        let functionals = [1, 2].map(|l| Functional::new(l, frame.cosine, frame.sine));
        let node_rounding = NODE_ROUNDING + ENTRY_ROUNDING * frame.count() as f64;
        let sample_rounding = radial.sensitivity().map(|sensitivity| 4.0 * node_rounding * sensitivity);

        let mut samples = Samples::equally_spaced(&radial, FEWEST / 2, 0.0);
        let mut spectra = [0, 1].map(|l| samples.spectrum(l, 0.0));
        let mut half_rules = functionals.each_ref().map(|functional| functional.rule(FEWEST / 2));
        let mut count = FEWEST;
        let (mut last_change, mut last_filtered) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
        loop {
            let between = Samples::equally_spaced(&radial, count / 2, 0.5);
            let [first_1, first_2] = spectra;
            let halves = [[first_1, between.spectrum(0, 0.5)], [first_2, between.spectrum(1, 0.5)]];
            samples = samples.interleave(between);
            let wholes = [0, 1].map(|l| samples.spectrum(l, 0.0));
            let rules = functionals.each_ref().map(|functional| functional.rule(count));
            let step = PI / count as f64;
            let unresolved = unresolved(count, frame.sine);
            let mut found = [Part::default(); 2];
            let (mut by_change, mut filtered, mut cut_off) = ([0.0; 2], [0.0; 2], [0.0; 2]);
            for l in 0..2 {
                let (rule, half_rule) = (&rules[l], &half_rules[l]);
                let values = rule.values(&wholes[l], step);
                let change = halves[l].iter().flat_map(|half| zip(half_rule.values(half, step), values));
                let change = change.fold(0.0f64, |most, (half, whole)| most.max((whole - half).abs()));
                // Where entries are required, the masks with few other entries all have features of the width sin t,
                // which add up.
                let coarse = if frame.takes_singles {
                    unresolved.powi(l as i32 + 2)
                } else {
                    (unresolved / 2.0).max(1.0).powi(2 * l as i32 + 4)
                };
                let early = 1.0 + (FIRST / count as f64).powi(3);
                let lasting = early * change.max(last_change[l] / BEFORE);
                by_change[l] = unit[l] * BY_CHANGE[l] * coarse * lasting;
                last_change[l] = change;
                let beyond = rule.beyond(&functionals[l], &wholes[l]);
                let exponential = beyond <= last_filtered[l] / EXPONENTIAL;
                filtered[l] = unit[l] * if exponential { beyond } else { beyond.max(last_filtered[l] / BEFORE) };
                last_filtered[l] = beyond;
                let norm = rule.norm();
                cut_off[l] = unit[l] * samples.squared_tails[l].sqrt() * norm;
                let rounding = unit[l] * sample_rounding[l] * norm;
                let truncation = by_change[l].min(BY_SPECTRUM * filtered[l]) + cut_off[l];
                found[l] = Part { value: unit[l] * values[0], truncation, rounding };
            }
            let last = count >= directions;
            if last || count >= CHECKED || self.reached(&found, others) {
                // Check at other directions, which the rule has not used.
                let checks = Samples::irregular(&radial);
                samples.nodes += checks.nodes;
                for l in 0..2 {
                    let rounded = if count < CHECKED { 0.0 } else { ROUNDED * sample_rounding[l] };
                    let missed = (checks.missed_by(&wholes[l], l) - rounded).max(0.0);
                    // What is missed counts with its own weight, and with that of the frequency that it was mistaken
                    // for.
                    let weight = 2.0 * functionals[l].weight_at_most(count as f64 / 2.0);
                    let by_check = BY_SPECTRUM * filtered[l] + unit[l] * BY_CHECK * weight * missed;
                    // Where more is missed than a falling spectrum leaves, or less is in the middle band than above it,
                    // frequencies were mistaken for others or not seen at all, and the change does not show them.
                    let [middle, upper] = wholes[l].bands();
                    let left = LEFT[l] * (count as f64 / FALLING).min(1.0) * middle;
                    let unseen = unit[l] * BY_CHECK * weight * (missed - left).max(upper - middle).max(0.0);
                    found[l].truncation = (by_change[l] + unseen).min(by_check) + cut_off[l];
                }
                for (best, found) in zip(best.iter_mut(), found) {
                    let moved = (found.value - best.value).abs();
                    if found.error() < best.error() {
                        *best = found;
                    } else if found.rounding <= best.error() && moved > best.error() {
                        // More directions show that an earlier rule claimed too small an error.
                        best.truncation = 2.0 * moved;
                    }
                }
                if last || self.reached(best, others) {
                    return samples.nodes;
                }
            }
            (spectra, half_rules) = (wholes, rules);
            count *= 2;
        }
    }
}

/// Where the inputs are parallel on every mask, to working precision.
fn parallel(masks: &Conditioned, connectivity: Connectivity) -> Average {
    let p = connectivity.get();
    let required: f64 = masks.required.iter().map(|(x, y)| x * y / p).sum();
    let product: f64 = required + masks.free.iter().map(|(x, y)| x * y).sum::<f64>();
    let fourth: f64 = masks.free.iter().map(|(x, y)| (x * y) * (x * y)).sum();
    let values = [product / 2.0, 1.5 * (product * product + connectivity.excess() * fourth)];
    let value = |l: usize| Part { value: if product > 0.0 { values[l] } else { 0.0 }, ..Part::default() };
    Average { moments: [value(0), value(1)], ..Average::default() }
}

/// The sum over all masks, where it has few terms; `k1` is `K_1`.
fn one_by_one(masks: &Conditioned, connectivity: Connectivity, k1: f64) -> Option<Average> {
    let groups = Groups::of(masks.free.iter().copied());
    let terms = groups.terms();
    if terms > FEW {
        return None;
    }
    let required = masks.required.iter().fold(Gram::default(), |sum, (x, y)| Gram {
        a: sum.a + x * x,
        b: sum.b + y * y,
        c: sum.c + x * y,
    });
    let p = connectivity.get();
    let sum = groups.sum_over_masks(required, connectivity, &|_| {});
    // The rounding that every result allows for is that of such sums.
    let moments = [sum.k1 / p, sum.k2 / (p * p)].map(|value| Part { value, ..Part::default() });
    Some(Average { moments, shift: moments[0].value - k1, nodes: terms as u64 })
}

/// The values of `E[h^l ln h]` in some directions.
struct Samples {
    average: [Vec<f64>; 2],
    /// The sum of squares of what was cut off.
    squared_tails: [f64; 2],
    nodes: u64,
}

impl Samples {
    /// In the directions `(k + shift) pi / count`.
    fn equally_spaced(radial: &Radial, count: usize, shift: f64) -> Self {
        Self::at(radial, count, |k| (k as f64 + shift) / count as f64 * PI)
    }

    /// In the directions of [`check`].
    fn irregular(radial: &Radial) -> Self {
        Self::at(radial, CHECKS, check)
    }

    fn at(radial: &Radial, count: usize, direction: impl Fn(usize) -> f64 + Sync) -> Self {
        let values: Vec<_> = (0..count)
            .into_par_iter()
            .with_min_len(16)
            .map_init(Scratch::default, |scratch, k| {
                let (sine, cosine) = direction(k).sin_cos();
                radial.at((cosine, sine), scratch)
            })
            .collect();
        Self {
            average: [0, 1].map(|l| values.iter().map(|value| value.average[l]).collect()),
            squared_tails: [0, 1].map(|l| values.iter().map(|value| value.tail[l].powi(2)).sum()),
            nodes: values.iter().map(|value| value.nodes as u64).sum(),
        }
    }

    /// These samples, each followed by the one half way to the next.
    fn interleave(self, between: Self) -> Self {
        let merge = |l: usize| zip(&self.average[l], &between.average[l]).flat_map(|(a, b)| [*a, *b]).collect();
        Self {
            average: [merge(0), merge(1)],
            squared_tails: [0, 1].map(|l| self.squared_tails[l] + between.squared_tails[l]),
            nodes: self.nodes + between.nodes,
        }
    }

    fn spectrum(&self, l: usize, shift: f64) -> Spectrum {
        Spectrum::new(&self.average[l], shift)
    }

    /// The largest error of a spectrum in these irregular directions.
    fn missed_by(&self, spectrum: &Spectrum, l: usize) -> f64 {
        let missed = self.average[l].iter().enumerate().map(|(k, sample)| (spectrum.at(check(k)) - sample).abs());
        missed.fold(0.0, f64::max)
    }
}

/// Directions by the golden ratio, which no regular set of entries can be commensurate with.
fn check(k: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    ((k as f64 + 0.37) * GOLDEN).fract() * PI
}
