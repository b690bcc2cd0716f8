//! Theorem 1's sum over masks at any dimension, as a double integral.

mod average;
mod cumulants;
mod frame;
mod functional;
mod group;
mod means;
mod nodes;
mod pieces;
mod radial;
mod refine;
mod samples;

use self::average::Work;
use self::frame::Conditioned;
use self::pieces::{Averages, MOMENTS, POWER};
use self::refine::FEWEST;
use super::{Entry, MaskedMoments, Method, ROUNDING, Row, RowMoments, TangentMoments, closed_form, scales};
use crate::error::{Error, Result};
use crate::kernel::gram::Pair;
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
///   that fills most of a direction is conditioned on, and so is the longest of some where the errors of the first
///   rules tell that without it several thousand directions would miss the tolerance; where no more than 2^16 masks are
///   left, they are summed one by one.
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

/// The most entries that are conditioned on, one after the other.
const MOST_CONDITIONS: usize = 12;

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
