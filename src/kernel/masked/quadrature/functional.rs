//! The angular integral: a linear functional of a function of the direction, through its Fourier coefficients.

use std::f64::consts::PI;
use std::sync::{Arc, OnceLock};

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// The distances by which the two poles of the functional are moved, as a pair, in steps of `pi / N`.
///
/// A mask whose inputs are nearly parallel leaves a kink in `G`, and the error of a rule comes from the kinks within
/// some ten steps of a pole. At one place of the poles the difference of two rules can vanish by chance or by design;
/// at all of eleven incommensurate places that is hard to achieve. In a search over the place and width of the kink of
/// a single mask, the error of `N` directions was at most the largest of the changes from `N/2` at these places, where
/// the directions reach the frequency `1 / sin t`; see [`unresolved`].
pub const PLACES: [f64; 5] = [0.4, 1.0, 1.8, 3.1, 5.0];

/// The functional with the poles unmoved, then moved by each of [`PLACES`] one way, then by each the other way.
pub type Values = [f64; 2 * PLACES.len() + 1];

/// A linear functional of a function of the direction, at one angle `t` between the inputs.
///
/// In terms of `g_m = (2/pi) int_0^pi G(f) cos(m (2f - t)) df` it is `sum_m w(m) g_m`. With the finite part of
/// `(sin t)^(2l+1) / (8 pi^2) int_0^pi G(f) / (sin f sin(t - f))^(l+1) df`, which takes `E[h^l ln h]` to `K~_l` and has
///
/// - `w_1(m) = -(1/2 pi) [ m sin t cos m t - cos t sin m t ]`,
/// - `w_2(m) = -(1/2 pi) [ (m^2 sin^2 t - 1 - 2 cos^2 t) sin m t + 3 m sin t cos t cos m t ]`,
///
/// which vanish for `m <= l`: constants, and Gram triples (squared, for `l = 2`), do not contribute.
pub struct Functional {
    kind: Kind,
    cosine: f64,
    sine: f64,
}

/// Which functional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `w_1`.
    First,
    /// `w_2`.
    Second,
    /// The part of `E[h^2 ln h]` in `E[C K_1]`: that of `l = 1` of `G cos theta - (1/4) G' sin theta`,
    /// `theta = 2f - t`, `w(m) = -(1/2 pi) [ m sin t cos t cos m t + (m^2 sin^2(t) / 2 - 1) sin m t ]`.
    Mixed,
}

impl Kind {
    /// The power of `m` that weights grow with, and by which the coefficients of a kink must fall faster.
    pub fn order(self) -> usize {
        match self {
            Self::First => 1,
            Self::Second | Self::Mixed => 2,
        }
    }

    /// The frequencies below this one do not contribute.
    fn first(self) -> usize {
        match self {
            Self::First => 2,
            Self::Second => 3,
            Self::Mixed => 1,
        }
    }
}

/// A functional as a rule for `N` directions: the weight of each frequency.
pub struct Rule {
    kind: Kind,
    /// `w(m) exp(-i m t)` times the filter, for `m < N/2`.
    weights: Vec<Complex64>,
    /// The share of each frequency that the filter leaves.
    filter: Vec<f64>,
}

impl Functional {
    pub fn new(kind: Kind, cosine: f64, sine: f64) -> Self {
        Self { kind, cosine, sine }
    }

    fn weight(&self, m: usize, (sin_mt, cos_mt): (f64, f64)) -> f64 {
        let (c, s, m) = (self.cosine, self.sine, m as f64);
        let bracket = match self.kind {
            Kind::First => m * s * cos_mt - c * sin_mt,
            Kind::Second => (m * m * s * s - 1.0 - 2.0 * c * c) * sin_mt + 3.0 * m * s * c * cos_mt,
            Kind::Mixed => m * s * c * cos_mt + (0.5 * m * m * s * s - 1.0) * sin_mt,
        };
        -bracket / (2.0 * PI)
    }

    /// An upper bound of the weight of a frequency, whatever the angle `m t`.
    pub fn weight_at_most(&self, m: f64) -> f64 {
        let ms = m * self.sine;
        let bracket = match self.kind {
            Kind::First => ms + 1.0,
            Kind::Second => ms * ms + 3.0 + 3.0 * ms,
            Kind::Mixed => 0.5 * ms * ms + 1.0 + ms,
        };
        bracket / (2.0 * PI)
    }

    /// What the integral of `l = 1` of `-(1/2) sin theta G'` is for a function without frequencies above 2, by the
    /// coefficients of these: `w(m) = (m/2) (w_1(m-1) - w_1(m+1))`.
    pub fn of_slope(cosine: f64, sine: f64, of: &Spectrum) -> f64 {
        let (first, angle) = (Self::new(Kind::First, cosine, sine), sine.atan2(cosine));
        let weight = |m: usize| first.weight(m, (m as f64 * angle).sin_cos());
        let term = |m: usize| {
            let turned = of.coefficients[m] * Complex64::cis(-(m as f64) * angle);
            0.5 * m as f64 * (weight(m - 1) - weight(m + 1)) * turned.re
        };
        term(1) + term(2)
    }

    /// The rule for `count` directions, a power of two.
    ///
    /// Frequencies near `N/2` are taken out smoothly, by the filter `exp(-36 (2m/N)^12)`: where the samples have kinks,
    /// the sum converges at their rate everywhere but next to the poles `f = 0` and `f = t` (Gottlieb & Shu, "On the
    /// Gibbs phenomenon and its resolution", SIAM Review 1997).
    pub fn rule(&self, count: usize) -> Rule {
        let angle = self.sine.atan2(self.cosine);
        let half = count / 2;
        let filter: Vec<f64> = (0..half).map(|m| (-36.0 * (m as f64 / half as f64).powi(12)).exp()).collect();
        let weight = |(m, filter): (usize, &f64)| {
            if m < self.kind.first() {
                return Complex64::ZERO;
            }
            let (sine, cosine) = (m as f64 * angle).sin_cos();
            self.weight(m, (sine, cosine)) * filter * Complex64::new(cosine, -sine)
        };
        Rule { kind: self.kind, weights: filter.iter().enumerate().map(weight).collect(), filter }
    }
}

impl Rule {
    /// The functional of a function with these coefficients, with the poles unmoved and moved by [`PLACES`] times
    /// `step`.
    pub fn values(&self, of: &Spectrum, step: f64) -> Values {
        const MOVED: usize = PLACES.len();
        let mut values = [0.0; 2 * MOVED + 1];
        let turns = PLACES.map(|place| Complex64::cis(-2.0 * place * step));
        let mut turned = [Complex64::ONE; MOVED];
        for (weight, coefficient) in self.weights.iter().zip(&of.coefficients) {
            let term = weight * coefficient;
            values[0] += term.re;
            for place in 0..MOVED {
                let (even, odd) = (term.re * turned[place].re, term.im * turned[place].im);
                values[1 + place] += even - odd;
                values[1 + MOVED + place] += even + odd;
                turned[place] *= turns[place];
            }
        }
        values
    }

    /// What the filter takes out, by the moduli of the coefficients: whatever the phases.
    pub fn beyond(&self, functional: &Functional, of: &Spectrum) -> f64 {
        let frequencies = self.filter.iter().zip(&of.coefficients).enumerate().skip(self.kind.first());
        let term = |(m, (filter, coefficient)): (usize, (&f64, &Complex64))| {
            (1.0 - filter) * functional.weight_at_most(m as f64) * coefficient.norm()
        };
        frequencies.map(term).sum()
    }

    /// The Euclidean norm of the weights of the samples, which multiply their rounding errors.
    pub fn norm(&self) -> f64 {
        let squares: f64 = self.weights.iter().map(Complex64::norm_sqr).sum();
        (squares / self.weights.len() as f64).sqrt()
    }
}

/// The Fourier coefficients `c_m` of a function of the direction, from `N` equally spaced samples:
/// `G(f) = Re[c_0 / 2 + sum_m c_m exp(-2 i m f)]`, `0 < m < N/2`. The samples determine only one phase of the frequency
/// `N/2`, so a rule leaves that frequency out and misses its contribution.
pub struct Spectrum {
    coefficients: Vec<Complex64>,
}

impl Spectrum {
    /// From samples at `f = (k + shift) pi / N`, `k = 0..N`, `N` a power of two.
    pub fn new(samples: &[f64], shift: f64) -> Self {
        let count = samples.len();
        let mut coefficients: Vec<Complex64> = samples.iter().map(|sample| Complex64::new(*sample, 0.0)).collect();
        transform(count).process(&mut coefficients);
        coefficients.truncate(count / 2);
        let (scale, turn) = (2.0 / count as f64, Complex64::cis(2.0 * PI * shift / count as f64));
        let mut turned = Complex64::ONE;
        for coefficient in &mut coefficients {
            *coefficient *= scale * turned;
            turned *= turn;
        }
        Self { coefficients }
    }

    /// The function in a direction between the samples.
    pub fn at(&self, direction: f64) -> f64 {
        let turn = Complex64::cis(-2.0 * direction);
        let mut turned = Complex64::ONE;
        let mut sum = Complex64::ZERO;
        for coefficient in &self.coefficients {
            sum += coefficient * turned;
            turned *= turn;
        }
        (sum - 0.5 * self.coefficients[0]).re
    }

    /// The mean over directions.
    pub fn mean(&self) -> f64 {
        0.5 * self.coefficients[0].re
    }

    /// What the mean mistakes for itself is the coefficient of the frequency `N` and of its multiples. This is that of
    /// `N` by extrapolation, from this spectrum and that of every other sample: the largest from `5N/16` on, times its
    /// ratio, from `1/256` to 1, to the largest from `3N/16` to `N/4`. A power of `m` is continued; what falls faster
    /// is overestimated.
    ///
    /// The largest is that of the last quarter of the spectrum, or of the differences of the two spectra, from `N/8` to
    /// `3N/16`, which are coefficients from `5N/16` to `3N/8`: a kink half way between two samples shows in these only.
    pub fn alias(&self, half: &Self) -> f64 {
        let count = self.coefficients.len();
        let largest = |sizes: &mut dyn Iterator<Item = f64>| sizes.fold(0.0, f64::max);
        let norms = |from: usize, to: usize| self.coefficients[from..to].iter().map(|own| own.norm());
        let differences = (count / 4..3 * count / 8).map(|m| (self.coefficients[m] - half.coefficients[m]).norm());
        let upper = largest(&mut norms(3 * count / 4, count).chain(differences));
        let lower = largest(&mut norms(3 * count / 8, count / 2));
        if upper == 0.0 { 0.0 } else { upper * (upper / lower).clamp(1.0 / 256.0, 1.0) }
    }

    /// The size of the function in two bands: twice the norm of the coefficients of its middle frequencies, from `N/8`
    /// to `5N/16`, and the norm of those above, where the filter takes out most.
    pub fn bands(&self) -> [f64; 2] {
        let half = self.coefficients.len();
        let norm = |band: &[Complex64]| band.iter().map(Complex64::norm_sqr).sum::<f64>().sqrt();
        let (middle, upper) = self.coefficients[half / 4..].split_at(5 * half / 8 - half / 4);
        [2.0 * norm(middle), norm(upper)]
    }
}

/// The factor by which `count` directions fall short of 16 times the frequency `1 / sin t`; 1 where they do not. Below
/// that frequency the weights grow like `(m sin t)^(2l+1)`, so that what is missing outweighs what is there, and a
/// change says little about it.
pub fn unresolved(count: usize, sine: f64) -> f64 {
    (16.0 / (count as f64 * sine)).max(1.0)
}

/// The Fourier transform with `exp(+2 pi i m k / N)`, of a size up to 2^16; each size is planned once.
fn transform(count: usize) -> &'static Arc<dyn Fft<f64>> {
    const SIZES: usize = 17;
    static TRANSFORMS: [OnceLock<Arc<dyn Fft<f64>>>; SIZES] = [const { OnceLock::new() }; SIZES];
    let slot = TRANSFORMS.get(count.trailing_zeros() as usize).expect("at most 2^16 directions");
    slot.get_or_init(|| FftPlanner::new().plan_fft_inverse(count))
}
