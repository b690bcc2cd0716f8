//! Theorem 1 for a linear bottleneck: the matrix of the hidden layer is a product of two, of rank at most `r`.
//!
//! The hidden units are `h = V U x / sqrt(r)`, with `U` of shape `(r, d)`, `V` of shape `(n, r)` and every entry
//! `N(0, 1)`; the kernel is `nngp(x, y) = 1/(n d) sum_i [h_i(x)]_+ [h_i(y)]_+`, as in [`nngp`](crate::kernel::nngp).
//! Given row `v_i` of `V`, `h_i(x)` is `|v_i| / sqrt(r)` times `g.x` for one Gaussian vector `g`, so that with
//! `E |v|^2 = r` and `E |v|^4 = r (r + 2)`
//!
//! - `K~_1 = K_1`: a linear bottleneck has no bias, whatever its rank;
//! - `K~_2 = (1 + 2/r) K_2`.
//!
//! But all units share `U`, which leaves a part of the variance that no width removes:
//! `Var nngp = (K~_2 - K~_1^2 + (n - 1) Cov) / (n d^2)` with `Cov = Var_U K_1(W)`, where
//! `W = (U x, U y)^T (U x, U y) / r` is the Gram matrix that is left, a Wishart matrix of `r` degrees of freedom. With
//! `t` the angle between `x` and `y`, `s` that between `U x` and `U y`, and `K_1 = |x||y| J(t)`,
//!
//! `E K_1(W)^2 = |x|^2 |y|^2 (r^2 - 1) / (2 pi r) int_0^pi ds int dw (sin t sin s)^(r-2) sin^6 t J(s)^2 / (cosh w - cos
//! t cos s)^(r+2)`
//!
//! This uses the law of that matrix with its scale integrated out; `w` is the logarithm of the ratio of `|U x| / |U y|`
//! to `|x| / |y|`. For `r = 1` the expectation is `K_2 / 2`.
//!
//! Source: ours; the law of a sample correlation is Fisher's (Biometrika 10, 1915).

use std::f64::consts::{FRAC_PI_2, PI};

use super::{MaskedMoments, Method, Row, RowMoments};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{Angle, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
use crate::numeric::estimate::Estimate;

/// The largest rank: the quadrature takes longer the larger it is, and rounding in its powers grows with it.
const LARGEST_RANK: usize = 10_000;
/// The sum ends at a term below this share of the sum so far.
const NEGLIGIBLE: f64 = 1e-18;
/// The largest error of quadrature and rounding, relative to `|x|^2 |y|^2`; found by comparison with values to 30
/// digits (testdata/bottleneck.toml).
const ACCURACY: f64 = 1e-12;
/// Below this `sin t` inputs count as parallel or opposite.
const PARALLEL: f64 = 1e-7;

/// A linear layer of a given width before the hidden one.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::kernel::gram::Pair;
/// use sparsewidth::kernel::masked::{LinearBottleneck, RowMoments};
/// use sparsewidth::kernel::nngp::{Dimension, Width, theorem_1};
/// use sparsewidth::network::Connectivity;
/// let (x, y) = (array![1.0, 2.0], array![2.0, -1.0]);
/// let pair = Pair::new(x.view(), y.view())?;
/// let moments = LinearBottleneck::new(4)?.moments(&pair, Connectivity::DENSE)?;
/// let wide = theorem_1(&moments, Dimension::of(&pair), Width::new(1_000_000)?);
/// // However wide, it does not come near the infinite-width kernel.
/// assert!(wide.total() > 0.99 * moments.covariance.value / 4.0);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearBottleneck {
    rank: usize,
}

impl LinearBottleneck {
    /// A bottleneck of `rank` units, at least 1.
    ///
    /// # Errors
    /// Where the rank is 0 or above 10,000.
    pub fn new(rank: usize) -> Result<Self> {
        if (1..=LARGEST_RANK).contains(&rank) {
            return Ok(Self { rank });
        }
        let problem = format!("must be from 1 to {LARGEST_RANK}");
        Err(Error::value("rank", rank, problem, "give a number in that range"))
    }

    /// The rank `r`.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// `E K_1(W)^2 / |x|^2 |y|^2`.
    fn mean_square(&self, gram: Gram) -> f64 {
        if gram.scale() == 0.0 {
            return 0.0;
        }
        let Angle { cosine, sine, .. } = Angle::of(gram);
        let unit = |cosine: f64| arc_cosine(Gram { a: 1.0, b: 1.0, c: cosine });
        let rank = self.rank as f64;
        if self.rank == 1 {
            return 0.5 * unit(cosine).k2;
        }
        if sine < PARALLEL {
            // Parallel inputs stay parallel.
            return if cosine > 0.0 { 0.25 * (1.0 + 2.0 / rank) } else { 0.0 };
        }
        // `cosh w - cos t cos s`, without cancellation, from the end of the range of `s` where it is least.
        let (away, share) = (sine * sine / (1.0 + cosine.abs()), 2.0 * cosine.abs());
        let narrow = (rank + 2.0).sqrt();
        // Near `w = 0` and the end of the range the integrand falls over this length; after stretching by a hyperbolic
        // sine, over 1 / narrow.
        let stretch = (2.0 * away).sqrt();
        let step = (0.45 / narrow).min(0.2);
        let last = ((2.0 + 42.0 / (rank + 2.0)) / stretch).asinh();
        let ratios: Vec<(f64, f64)> = (0..=(last / step).ceil() as usize)
            .map(|node| {
                let s = step * node as f64;
                let half = if node == 0 { 0.5 } else { 1.0 };
                (2.0 * (0.5 * stretch * s.sinh()).sinh().powi(2), half * 2.0 * step * stretch * s.cosh())
            })
            .collect();
        let power = (self.rank - 2) as i32;
        let of_angle = |from_end: f64| {
            let s = if cosine < 0.0 { PI - from_end } else { from_end };
            let least = away + share * (0.5 * from_end).sin().powi(2);
            let (sines, kernel) = (sine * from_end.sin(), unit(s.cos()).k1);
            let mut sum = 0.0;
            for (excess, weight) in &ratios {
                let inverse = 1.0 / (least + excess);
                let term = weight * (sines * inverse).powi(power) * inverse.powi(4);
                sum += term;
                if term <= NEGLIGIBLE * sum {
                    break;
                }
            }
            sum * kernel * kernel
        };
        let reach = (PI / stretch).asinh();
        let stretched = |s: f64| of_angle((stretch * s.sinh()).min(PI)) * stretch * s.cosh();
        let integral = double_exponential(reach, (0.3 / narrow).min(0.1), stretched);
        (rank * rank - 1.0) / (2.0 * PI * rank) * sine.powi(6) * integral
    }
}

impl RowMoments for LinearBottleneck {
    /// `K~_1 = K_1`, `K~_2 = (1 + 2/r) K_2`, and the covariance `Cov` between two units.
    ///
    /// # Errors
    /// Where not every weight exists, or the tangent kernel is asked for: there is no theory of these.
    fn of_pair(&self, pair: &Pair, row: &Row, _: u32) -> Result<MaskedMoments> {
        row.check(pair)?;
        if !row.is_dense(pair) {
            let found = row.uniform().map_or("one per input".to_string(), |p| p.to_string());
            let problem = "the theory of a linear bottleneck holds only where every weight exists";
            return Err(Error::value("connectivity", found, problem, "give 1, or sample the networks"));
        }
        if row.tangent().is_some() {
            let problem = "the theory of a linear bottleneck is that of the NNGP kernel";
            return Err(Error::value("kernel", "ntk", problem, "ask for nngp, or sample the networks"));
        }
        let gram = pair.gram();
        let (dense, scale, rank) = (arc_cosine(gram), gram.scale(), self.rank as f64);
        let rounded = |value: f64, scale: f64| Estimate::estimated(value, 1e-14 * scale);
        let unit = dense.k1 / if scale > 0.0 { scale } else { 1.0 };
        let covariance = (self.mean_square(gram) - unit * unit).max(0.0);
        let k1 = rounded(dense.k1, scale);
        let k2 = rounded((1.0 + 2.0 / rank) * dense.k2, 3.0 * scale * scale);
        Ok(MaskedMoments {
            covariance: Estimate::estimated(scale * scale * covariance, ACCURACY * scale * scale),
            ..MaskedMoments::nngp(k1, k2, Estimate::ZERO, Method::ClosedForm, 0)
        })
    }
}

/// The integral of a function that is analytic except at the ends, from 0 to `end`: the trapezoidal rule after the
/// substitution `tanh(pi/2 sinh u)` (Takahasi and Mori, 1974), with nodes `widest` apart in the middle.
fn double_exponential(end: f64, widest: f64, of: impl Fn(f64) -> f64) -> f64 {
    const LAST: f64 = 3.2;
    let step = widest / (0.5 * end * FRAC_PI_2);
    let nodes = (LAST / step).ceil() as i32;
    let term = |node: i32| {
        let u = step * f64::from(node);
        let v = FRAC_PI_2 * u.sinh();
        // `(1 + tanh v) / 2`, to full precision near 0.
        let place = 1.0 / (1.0 + (-2.0 * v).exp());
        of(end * place) * FRAC_PI_2 * u.cosh() / v.cosh().powi(2)
    };
    0.5 * end * step * (-nodes..=nodes).map(term).sum::<f64>()
}
