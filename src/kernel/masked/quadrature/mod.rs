//! Theorem 1's sum over masks at any dimension, as a double integral.

mod cumulants;
mod frame;
mod functional;
mod group;
mod means;
mod nodes;
mod radial;

use std::f64::consts::PI;
use std::iter::zip;
use std::ops::Range;

use rayon::prelude::*;

use self::frame::{Conditioned, Frame};
use self::functional::{Functional, Kind, Rule, Spectrum, unresolved};
use self::means::Means;
use self::radial::{Direction, Radial, SAMPLES, Scratch};
use super::enumerate::Groups;
use super::tangent_sum::FineGram;
use super::{Entry, MaskedMoments, Method, ROUNDING, Row, RowMoments, TangentMoments, closed_form, scales};
use crate::error::{Error, Result};
use crate::kernel::gram::{Gram, Pair};
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
/// # The tangent kernel
///
/// With `D = sqrt(A B - C^2)` of a mask, `C K_0 = K_1 - D / 2 pi` and `C^2 K_0 = C K_1 - C D / 2 pi`. So `J~_1` needs
/// the average of `D` besides `K~_1`, `J~_11` that of `C K_1`, and `J~_2` that of `C D` besides. With `T_s` the mean of
/// `h_s(f)` over directions, `theta = 2f - t` and `c = C / |x||y|`, two facts turn all of them into the same integrals:
///
/// - `h = T + r cos(2f - a)` gives `D / |x||y| sin t = sqrt(T^2 - r^2)`, which is `T` less the mean over directions of
///   `(h - T) ln h`;
/// - `c = T (cos t - cos theta) + h cos theta - (h'/2) sin theta` in every direction, and `h' h^l ln h` is the
///   derivative of `h^(l+1) ln h / (l+1)` and a polynomial.
///
/// What is sampled are averages of `h^l ln h`, `T h^l ln h` and `T^2 ln h`. Those of `h ln h` and `h^2 ln h` alone have
/// the poles of the NNGP kernel; those with `T` have none, or simple ones that are subtracted, so they are plain means
/// over directions.
///
/// Where inputs have connectivities of their own, `p` is a connectivity of reference, and entry `j` counts as
/// `sqrt(p / p_j)` times itself.
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
///   Factors `T` are derivatives of the transform by a factor in its exponent, by the product rule.
/// - *Angle*: with poles, equally spaced directions and their Fourier coefficients, filtered; without, the mean over
///   directions that lie closer where a large group of parallel entries vanishes. Directions double until the error
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
/// A mean over directions has one estimate: the Fourier coefficient that the rule mistakes for the mean, extrapolated
/// from those that it knows, or a quarter of the change from half of the directions if that is more.
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
/// The averages `K~_1`, `K~_2` and `J~_11`, which have Taylor polynomials and a share of parallel masks.
const MOMENTS: usize = 3;
type Averages = [f64; MOMENTS];
/// The averages that are found: `K~_1`, `K~_2`, `J~_1`, `J~_11`, `J~_2` at `tau = 1`.
const TERMS: usize = 5;
/// The power of `|x||y|` that each scales with.
const POWER: [usize; TERMS] = [1, 2, 1, 2, 2];
/// What is integrated: one piece each of `K~_1` and `K~_2`, and one of `J~_11`, by functionals with poles; and as means
/// over directions `J~_1 - K~_1`, the other piece of `J~_11`, and `J~_2 - J~_11`.
const PIECES: usize = 6;
/// The pieces of the NNGP kernel.
const NNGP: Range<usize> = 0..2;
/// The pieces with poles.
const WITH_POLES: Range<usize> = 0..3;
/// The pieces that are means over directions.
const MEANS: Range<usize> = 3..6;
/// The means: those of `D`, of the part of `J~_11` with `T`, and of `C D`.
const OF_D: usize = 3;
const OF_HALF: usize = 4;
const OF_CD: usize = 5;

/// An integral over directions.
struct Piece {
    /// What it samples, see [`SAMPLES`].
    sample: usize,
    /// The power of `|x||y|` that it scales with.
    power: usize,
    /// The share of the tolerance of a moment of the tangent kernel that its error may take: with its factor there for
    /// a Gaussian readout, by `2 K~_1 + (J~_1 - K~_1)` and `K~_2 + 5 J~_11 + 3 (J~_2 - J~_11)`, all add up to 1.
    share: f64,
}

const OF_PIECE: [Piece; PIECES] = [
    Piece { sample: 0, power: 1, share: 0.33 },
    Piece { sample: 1, power: 2, share: 0.2 },
    Piece { sample: 1, power: 2, share: 0.07 },
    Piece { sample: 0, power: 1, share: 0.34 },
    Piece { sample: 1, power: 2, share: 0.004 },
    Piece { sample: 2, power: 2, share: 0.14 },
];
/// The functionals of the pieces with poles.
const KINDS: [Kind; WITH_POLES.end] = [Kind::First, Kind::Second, Kind::Mixed];

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
/// The estimate of the error, in units of the largest change over the places of the poles. For the kink of a single
/// mask the error was at most 1 and 0.3 times the change for `l = 1, 2`, in a search over the kink's place and width,
/// at angles `t` from 0.3 to 2.9. For many masks together it reached twice the change.
const BY_CHANGE: f64 = 4.0;
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
/// `3 4^(-2l-1/2)`, by `l` ([`Kind::order`]).
const LEFT: [f64; 3] = [1.5, 0.1, 0.01];
/// Up to this many directions a change counts at least twice: so coarse a rule says little about finer ones.
const FIRST: f64 = 64.0;
/// Below this many directions less of the error at the checking directions is excused: the spectrum is too short to
/// show how it falls.
const FALLING: f64 = 256.0;
/// The estimate of the error of a mean, in units of the coefficient that it mistakes for itself (see
/// [`Spectrum::alias`]), for many entries.
const BY_ALIAS: f64 = 2.5;
/// With this many free entries it counts twice, and with fewer more: single masks matter, whose coefficients add up
/// where inputs are chosen so. Hill climbing with 13 to 24 entries came to 36 times the coefficient.
const FEW_ENTRIES: f64 = 300.0;
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
    fn of_pair(&self, pair: &Pair, row: &Row, _: u32) -> Result<MaskedMoments> {
        row.check(pair)?;
        if let Some(exact) = closed_form(pair, *row) {
            return Ok(exact);
        }
        let gram = pair.gram();
        let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
        let entries = row.entries(pair).map(|entry| Entry { x: entry.x * over_x, y: entry.y * over_y, ..entry });
        let (required, free): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.p == 1.0);
        let tau = one_tau(row, &required, &free)?;
        let work = Work { quadrature: *self, reference: reference(row, &free), tangent: row.tangent().is_some() };
        let found = work.average(Conditioned { required, free }, MOST_CONDITIONS);
        let (scale_1, scale_2) = scales(pair, row);
        let estimate = |term: usize, factor: f64, value: f64| {
            let (unit, rounding) = match POWER[term] {
                1 => (gram.scale(), scale_1),
                _ => (gram.scale().powi(2), scale_2),
            };
            let error = unit * found.terms[term].error() + ROUNDING * rounding;
            Estimate::estimated(factor * unit * value, factor * error)
        };
        // Neither is negative, but a small difference of large numbers can be, by its rounding.
        let [k1, k2] = [0, 1].map(|term| estimate(term, 1.0, found.terms[term].value.max(0.0)));
        let nngp = MaskedMoments::nngp(k1, k2, estimate(0, 1.0, found.shifts[0]), Method::Quadrature, found.nodes);
        if row.tangent().is_none() {
            return Ok(nngp);
        }
        let term = |term: usize, factor: f64| estimate(term, factor, found.terms[term].value);
        let tangent = TangentMoments { j1: term(2, tau), j11: term(3, tau), j2: term(4, tau * tau) };
        let own = estimate(2, tau, found.shifts[1]);
        let shift = Estimate {
            value: nngp.shift.value + own.value + (tau - 1.0) * gram.c * pair.angle().k0(),
            error: nngp.shift.error.combine(own.error, |nngp, own| nngp + own),
        };
        Ok(nngp.with_tangent(tangent, row.kurtosis(), shift))
    }
}

/// `tau`, which all entries have to share.
fn one_tau(row: &Row, required: &[Entry], free: &[Entry]) -> Result<f64> {
    let mut all = required.iter().chain(free).map(|entry| entry.tau);
    let first = all.next().unwrap_or(1.0);
    if row.tangent().is_none() || all.all(|tau| tau == first) {
        return Ok(first);
    }
    let problem = "the quadrature takes one learning rate for all inputs, and in the paper's convention it follows the \
                   connectivity of each";
    Err(Error::value("tangent", "paper", problem, "use the standardised convention, or sample the masks"))
}

/// The connectivity of all entries, or their mean, each with the weight of its squares.
fn reference(row: &Row, free: &[Entry]) -> f64 {
    if let Some(connectivity) = row.uniform() {
        return connectivity.get();
    }
    let squares = |entry: &Entry| entry.x * entry.x + entry.y * entry.y;
    let whole: f64 = free.iter().map(squares).sum();
    free.iter().map(|entry| entry.p * squares(entry)).sum::<f64>() / whole
}

/// The average of a term, or a part of one, with an estimate of its error.
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
    terms: [Part; TERMS],
    /// `K~_1 - K_1` and `J~_1 - C K_0`.
    shifts: [f64; 2],
    nodes: u64,
}

/// What a result is asked for.
#[derive(Clone, Copy)]
struct Work {
    quadrature: Quadrature,
    /// The connectivity of reference.
    reference: f64,
    /// Whether the terms of the tangent kernel are asked for.
    tangent: bool,
}

/// The infinite-width kernels `K_1` and `C K_0` at the average Gram triple.
type Limits = [f64; 2];

impl Work {
    /// The pieces with poles that are asked for.
    fn with_poles(self) -> Range<usize> {
        if self.tangent { WITH_POLES } else { NNGP }
    }

    /// All pieces that are asked for.
    fn pieces(self) -> Range<usize> {
        if self.tangent { 0..PIECES } else { NNGP }
    }

    /// The averages over masks that are known in part. A free entry that fills most of a direction is conditioned on,
    /// up to `conditions` times: masks without it look nothing like masks with it, so each kind has another frame.
    fn average(self, masks: Conditioned, conditions: usize) -> Average {
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
                let most = self.quadrature.directions;
                let directions = if separable { most.min(SEPARABLE_DIRECTIONS) } else { most };
                nodes = self.other_masks(&frame, others, directions, &mut rest);
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
    fn reached(self, frame: &Frame, pieces: &[Part; PIECES], others: Averages, asked: Range<usize>) -> bool {
        let terms = terms_of(frame, pieces, others);
        asked.into_iter().all(|index| {
            let (of, piece) = (&OF_PIECE[index], &pieces[index]);
            let size = if self.tangent { of.share * magnitude(&terms, of.power) } else { terms[index].value.abs() };
            piece.error() <= self.quadrature.tolerance * size || piece.truncation <= piece.rounding
        })
    }

    /// Refines `best`, the contribution of the masks that are not summed in closed form, and returns the number of
    /// nodes used; `others` are the other parts.
    fn other_masks(self, frame: &Frame, others: Averages, directions: usize, best: &mut [Part; PIECES]) -> u64 {
        let sine = frame.sine;
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
        let problem = Problem { work: self, frame, radial: &radial, others, directions, units, sample_rounding };
        if !self.tangent {
            return problem.with_poles(best);
        }
        // All tolerances follow the size of the averages, to which both kinds of pieces add: a few directions of one
        // give it well enough for the other.
        let (means, mut state) = (Means::new(&radial, frame), MeansState::default());
        problem.means(&means, &mut state, FEWEST, best);
        let with_poles = problem.with_poles(best);
        problem.means(&means, &mut state, directions, best);
        with_poles + state.last.map_or(0, |(samples, _)| samples.nodes)
    }
}

/// How far the means over directions are.
struct MeansState {
    /// The directions of the last rule; 0 before the first.
    count: usize,
    /// The samples of the last rule, and their spectra.
    last: Option<(Samples, Vec<Spectrum>)>,
    last_change: [f64; SAMPLES],
    last_alias: [f64; SAMPLES],
    done: bool,
}

impl Default for MeansState {
    fn default() -> Self {
        let unknown = [f64::INFINITY; SAMPLES];
        Self { count: 0, last: None, last_change: unknown, last_alias: unknown, done: false }
    }
}

/// The integrals over directions of one frame.
struct Problem<'a> {
    work: Work,
    frame: &'a Frame,
    radial: &'a Radial<'a>,
    others: Averages,
    /// The most directions.
    directions: usize,
    /// What an integral or a mean counts in its piece.
    units: [f64; PIECES],
    /// The rounding of the samples with poles and of those of the means.
    sample_rounding: [[f64; SAMPLES]; 2],
}

impl Problem<'_> {
    /// Refines the pieces with poles, and returns the number of nodes used.
    fn with_poles(&self, best: &mut [Part; PIECES]) -> u64 {
        let (asked, sine) = (self.work.with_poles(), self.frame.sine);
        let samples_of = |count: usize, shift: f64| {
            Samples::at(count, |k, scratch| {
                let (sine, cosine) = ((k as f64 + shift) / count as f64 * PI).sin_cos();
                self.radial.at((cosine, sine), scratch)
            })
        };
        // E[h^2] serves the tangent kernel alone.
        let spectra_of = |samples: &Samples, shift| samples.spectra(asked.end, shift);
        let functionals = KINDS.map(|kind| Functional::new(kind, self.frame.cosine, sine));
        let rules = |count: usize| -> Vec<Rule> {
            functionals.iter().take(asked.end).map(|functional| functional.rule(count)).collect()
        };
        let mut samples = samples_of(FEWEST / 2, 0.0);
        let mut spectra = spectra_of(&samples, 0.0);
        let mut half_rules = rules(FEWEST / 2);
        let mut count = FEWEST;
        let (mut last_change, mut last_filtered) = ([f64::INFINITY; WITH_POLES.end], [f64::INFINITY; WITH_POLES.end]);
        loop {
            let between = samples_of(count / 2, 0.5);
            let halves = [spectra, spectra_of(&between, 0.5)];
            samples = samples.interleave(between);
            let wholes = spectra_of(&samples, 0.0);
            let whole_rules = rules(count);
            let step = PI / count as f64;
            let unresolved = unresolved(count, sine);
            let mut found = *best;
            let [mut by_change, mut filtered, mut cut_off] = [[0.0; WITH_POLES.end]; 3];
            for piece in asked.clone() {
                let (order, sample, unit) = (KINDS[piece].order(), OF_PIECE[piece].sample, self.units[piece]);
                let (rule, half_rule) = (&whole_rules[piece], &half_rules[piece]);
                let whole = &wholes[sample];
                let values = rule.values(whole, step);
                let change = halves.iter().flat_map(|half| zip(half_rule.values(&half[sample], step), values));
                let change = change.fold(0.0f64, |most, (half, whole)| most.max((whole - half).abs()));
                // Where entries are required, the masks with few other entries all have features of the width sin t,
                // which add up.
                let coarse = if self.frame.takes_singles {
                    unresolved.powi(order as i32 + 1)
                } else {
                    (unresolved / 2.0).max(1.0).powi(2 * order as i32 + 2)
                };
                by_change[piece] = unit * coarse * lasting(count, change, &mut last_change[piece]);
                filtered[piece] = unit * falling(rule.beyond(&functionals[piece], whole), &mut last_filtered[piece]);
                let norm = rule.norm();
                cut_off[piece] = unit * samples.squared_tails[sample].sqrt() * norm;
                let rounding = unit * self.sample_rounding[0][sample] * norm;
                let truncation = by_change[piece].min(BY_SPECTRUM * filtered[piece]) + cut_off[piece];
                let value = match KINDS[piece] {
                    Kind::Mixed => values[0] - 0.25 * Functional::of_slope(self.frame.cosine, sine, &wholes[2]),
                    _ => values[0],
                };
                found[piece] = Part { value: unit * value, truncation, rounding };
            }
            let last = count >= self.directions;
            if last || count >= CHECKED || self.reached(&found, asked.clone()) {
                // Check at other directions, which the rule has not used.
                let checks = Samples::at(CHECKS, |k, scratch| {
                    let (sine, cosine) = check(k).sin_cos();
                    self.radial.at((cosine, sine), scratch)
                });
                samples.nodes += checks.nodes;
                for piece in asked.clone() {
                    let (kind, sample, unit) = (KINDS[piece], OF_PIECE[piece].sample, self.units[piece]);
                    // What is missed counts with its own weight, and with that of the frequency that it was mistaken
                    // for.
                    let weight = 2.0 * functionals[piece].weight_at_most(count as f64 / 2.0);
                    let rounding = self.sample_rounding[0][sample];
                    let [missed, unseen] = checks.missed(sample, &wholes[sample], count, rounding, kind.order());
                    let by_check = BY_SPECTRUM * filtered[piece] + unit * BY_CHECK * weight * missed;
                    let unseen = unit * BY_CHECK * weight * unseen;
                    found[piece].truncation = (by_change[piece] + unseen).min(by_check) + cut_off[piece];
                }
                keep_better(best, &found, asked.clone());
                if last || self.reached(best, asked.clone()) {
                    return samples.nodes;
                }
            }
            (spectra, half_rules) = (wholes, whole_rules);
            count *= 2;
        }
    }

    /// Refines the pieces that are means, up to `most` directions. A change alone says little about a mean, since
    /// directions at one spacing see a kink at only one phase.
    fn means(&self, means: &Means, state: &mut MeansState, most: usize, best: &mut [Part; PIECES]) {
        let samples_of = |count: usize, shift: f64| {
            Samples::at(count, |k, scratch| means.at((k as f64 + shift) / count as f64 * PI, scratch))
        };
        while !state.done && state.count < most {
            let count = if state.count == 0 { FEWEST / 2 } else { state.count };
            let (before, spectra) = state.last.take().unwrap_or_else(|| {
                let samples = samples_of(count, 0.0);
                let spectra = samples.spectra(SAMPLES, 0.0);
                (samples, spectra)
            });
            let mut samples = before.interleave(samples_of(count, 0.5));
            let count = 2 * count;
            let wholes = samples.spectra(SAMPLES, 0.0);
            // As for the integrals with poles.
            let unresolved = unresolved(count, means.width_in_places(self.frame.sine));
            let coarse = if self.frame.takes_singles { 1.0 } else { (unresolved / 2.0).max(1.0).powi(2) };
            let mut found = *best;
            for piece in MEANS {
                let (sample, unit) = (OF_PIECE[piece].sample, self.units[piece]);
                let mean = wholes[sample].mean();
                // The other half of the places is as far off on the other side.
                let change = (mean - spectra[sample].mean()).abs();
                let by_change = coarse * lasting(count, change, &mut state.last_change[sample]);
                let alias = falling(wholes[sample].alias(&spectra[sample]), &mut state.last_alias[sample]);
                let by_alias = BY_ALIAS * (1.0 + FEW_ENTRIES / self.frame.count() as f64) * alias;
                let cut_off = (samples.squared_tails[sample] / count as f64).sqrt();
                let amplification = if piece == OF_HALF { 2.0 * means.amplification(count) } else { 1.0 };
                let value = match piece {
                    // The average of D is that of T less this mean, and T is 1 on average over all masks.
                    OF_D => mean + self.radial.left_out_half(),
                    _ => mean,
                };
                let rounding = unit.abs() * self.sample_rounding[1][sample] * amplification;
                let truncation = unit.abs() * (by_alias.max(by_change / BEFORE) + cut_off);
                found[piece] = Part { value: unit * value, truncation, rounding };
            }
            let last = count >= self.directions;
            if last || count >= CHECKED || self.reached(&found, MEANS) {
                let checks = Samples::at(CHECKS, |k, scratch| means.at(check(k), scratch));
                samples.nodes += checks.nodes;
                for piece in MEANS {
                    let sample = OF_PIECE[piece].sample;
                    let rounding = self.sample_rounding[1][sample];
                    let [_, unseen] = checks.missed(sample, &wholes[sample], count, rounding, 0);
                    found[piece].truncation += self.units[piece].abs() * BY_CHECK * unseen;
                }
                keep_better(best, &found, MEANS);
                state.done = last || self.reached(best, MEANS);
            } else {
                // A better value, whose error nothing vouches for yet.
                zip(&mut best[MEANS], &found[MEANS]).for_each(|(best, found)| best.value = found.value);
            }
            state.count = count;
            state.last = Some((samples, wholes));
        }
    }

    fn reached(&self, pieces: &[Part; PIECES], asked: Range<usize>) -> bool {
        self.work.reached(self.frame, pieces, self.others, asked)
    }
}

/// The error by the change from a rule of half as many directions.
fn lasting(count: usize, change: f64, last: &mut f64) -> f64 {
    let early = 1.0 + (FIRST / count as f64).powi(3);
    let lasting = early * change.max(*last / BEFORE);
    *last = change;
    BY_CHANGE * lasting
}

/// What a spectrum lacks, not less than a share of what the one before lacked, unless it falls exponentially.
fn falling(lacks: f64, last: &mut f64) -> f64 {
    let exponential = lacks <= *last / EXPONENTIAL;
    let falling = if exponential { lacks } else { lacks.max(*last / BEFORE) };
    *last = lacks;
    falling
}

/// Replaces what has a larger error.
fn keep_better(best: &mut [Part; PIECES], found: &[Part; PIECES], asked: Range<usize>) {
    for (best, found) in zip(&mut best[asked.clone()], &found[asked]) {
        let moved = (found.value - best.value).abs();
        if found.error() < best.error() {
            *best = *found;
        } else if found.rounding <= best.error() && moved > best.error() {
            // More directions show that an earlier rule claimed too small an error.
            best.truncation = 2.0 * moved;
        }
        // Where more directions only round more, nothing can reduce what is left.
        if found.truncation <= found.rounding && best.truncation > best.rounding {
            *best = Part { truncation: 0.0, rounding: best.error(), ..*best };
        }
    }
}

/// The averages, in units of powers of `|x||y|`, from their known parts and the pieces that are integrated.
fn terms_of(frame: &Frame, pieces: &[Part; PIECES], [k1, k2, j11]: Averages) -> [Part; TERMS] {
    let sum = |value: f64, parts: &[usize]| {
        let add = |sum: Part, piece: &usize| {
            let Part { value, truncation, rounding } = pieces[*piece];
            Part {
                value: sum.value + value,
                truncation: sum.truncation + truncation,
                rounding: sum.rounding + rounding,
            }
        };
        parts.iter().fold(Part { value, ..Part::default() }, add)
    };
    // C K_0 = K_1 - D / 2 pi, with D at most |x||y| sin t on average.
    let j1 = sum(k1 - frame.sine / (2.0 * PI), &[0, 3]);
    [sum(k1, &[0]), sum(k2, &[1]), j1, sum(j11, &[2, 4]), sum(j11, &[2, 4, 5])]
}

/// The sum of the magnitudes of the terms of one power of `|x||y|`.
fn magnitude(terms: &[Part; TERMS], power: usize) -> f64 {
    let alike = zip(terms, POWER).filter(|(_, other)| *other == power);
    alike.map(|(term, _)| term.value.abs()).sum()
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

/// Samples in some directions, see [`SAMPLES`].
struct Samples {
    average: [Vec<f64>; SAMPLES],
    /// The sum of squares of what was cut off.
    squared_tails: [f64; SAMPLES],
    nodes: u64,
}

impl Samples {
    fn at(count: usize, sample: impl Fn(usize, &mut Scratch) -> Direction + Sync) -> Self {
        let samples = (0..count).into_par_iter().with_min_len(16);
        let values: Vec<_> = samples.map_init(Scratch::default, |scratch, k| sample(k, scratch)).collect();
        Self {
            average: std::array::from_fn(|sample| values.iter().map(|value| value.average[sample]).collect()),
            squared_tails: std::array::from_fn(|sample| values.iter().map(|value| value.tail[sample].powi(2)).sum()),
            nodes: values.iter().map(|value| value.nodes as u64).sum(),
        }
    }

    /// These samples, each followed by the one half way to the next.
    fn interleave(self, between: Self) -> Self {
        let merge =
            |sample: usize| zip(&self.average[sample], &between.average[sample]).flat_map(|(a, b)| [*a, *b]).collect();
        Self {
            average: std::array::from_fn(merge),
            squared_tails: std::array::from_fn(|sample| self.squared_tails[sample] + between.squared_tails[sample]),
            nodes: self.nodes + between.nodes,
        }
    }

    /// The spectra of the first samples.
    fn spectra(&self, samples: usize, shift: f64) -> Vec<Spectrum> {
        self.average.iter().take(samples).map(|sample| Spectrum::new(sample, shift)).collect()
    }

    /// The largest error of a spectrum of `count` directions in these irregular ones, and the part of it that a falling
    /// spectrum would not leave.
    ///
    /// Where more is missed than that, or less is in the middle band than above it, frequencies were mistaken for
    /// others or not seen at all, and no change of rules shows them.
    fn missed(&self, sample: usize, spectrum: &Spectrum, count: usize, rounding: f64, order: usize) -> [f64; 2] {
        let missed = self.average[sample].iter().enumerate().map(|(k, value)| (spectrum.at(check(k)) - value).abs());
        let rounded = if count < CHECKED { 0.0 } else { ROUNDED * rounding };
        let missed = (missed.fold(0.0, f64::max) - rounded).max(0.0);
        let [middle, upper] = spectrum.bands();
        let left = LEFT[order] * (count as f64 / FALLING).min(1.0) * middle;
        [missed, (missed - left).max(upper - middle).max(0.0)]
    }
}

/// Directions by the golden ratio, which no regular set of entries can be commensurate with.
fn check(k: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    ((k as f64 + 0.37) * GOLDEN).fract() * PI
}
