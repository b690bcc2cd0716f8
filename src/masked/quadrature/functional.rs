//! The angular integral: a linear functional of a function of the direction, through its Fourier coefficients.

use std::f64::consts::PI;
use std::sync::{Arc, OnceLock};

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// The functional of one moment `l` (1 or 2) at one angle `t` between the inputs.
///
/// `(sin t)^(2l+1) / (8 pi^2)` times the finite part of `int_0^pi G(f) / (sin f sin(t - f))^(l+1) df` is
/// `sum_m w_l(m) (2/pi) int_0^pi G(f) cos(m (2f - t)) df` over `m > l`, with
///
/// - `w_1(m) = -(1/2 pi) [ m sin t cos m t - cos t sin m t ]`
/// - `w_2(m) = -(1/2 pi) [ (m^2 sin^2 t - 1 - 2 cos^2 t) sin m t + 3 m sin t cos t cos m t ]`,
///
/// which vanish for `m <= l`: constants, and Gram triples (squared, for `l = 2`), have no part in it.
pub struct Functional {
    moment: usize,
    cosine: f64,
    sine: f64,
}

/// The functional of samples at equally spaced directions, and what tells of its error.
#[derive(Clone, Copy)]
pub struct Value {
    pub value: f64,
    /// The largest change of the value by a cut-off of the filter up to three tenths lower.
    pub spread: f64,
    /// The absolute sum of what the filter takes out.
    pub beyond: f64,
    /// The Euclidean norm of the weights of the samples, through which their rounding errors pass.
    pub norm: f64,
}

impl Functional {
    pub fn new(moment: usize, cosine: f64, sine: f64) -> Self {
        Self { moment, cosine, sine }
    }

    fn weight(&self, m: usize, (sin_mt, cos_mt): (f64, f64)) -> f64 {
        let (c, s, m) = (self.cosine, self.sine, m as f64);
        let bracket = if self.moment == 1 {
            m * s * cos_mt - c * sin_mt
        } else {
            (m * m * s * s - 1.0 - 2.0 * c * c) * sin_mt + 3.0 * m * s * c * cos_mt
        };
        -bracket / (2.0 * PI)
    }

    /// From samples at `f = (k + shift) pi / N`, `k = 0..N`, `N` a power of two.
    ///
    /// Frequencies near `N/2` are taken out smoothly, by the filter `exp(-36 (2m/N)^12)`: where the samples have kinks, the
    /// sum converges at their rate everywhere but next to the poles `f = 0` and `f = t` (Gottlieb & Shu, "On the Gibbs
    /// phenomenon and its resolution", SIAM Review 1997).
    pub fn of(&self, samples: &[f64], shift: f64) -> Value {
        let count = samples.len();
        let mut spectrum: Vec<Complex64> = samples.iter().map(|sample| Complex64::new(*sample, 0.0)).collect();
        if let Some(transform) = transform(count) {
            transform.process(&mut spectrum);
        }
        let half = count / 2;
        let angle = self.sine.atan2(self.cosine);
        let scale = 2.0 / count as f64;
        let mut sums = [0.0; CUTS.len()];
        let (mut squares, mut beyond) = (0.0, 0.0);
        for (m, coefficient) in spectrum.iter().enumerate().take(half).skip(self.moment + 1) {
            let order = m as f64;
            let weight = self.weight(m, (order * angle).sin_cos());
            let turn = Complex64::cis(2.0 * PI * order * shift / count as f64 - order * angle);
            let term = scale * weight * (coefficient * turn).re;
            let frequency = (order / half as f64).powi(12);
            for (sum, cut) in sums.iter_mut().zip(CUTS) {
                *sum += (-36.0 * frequency / cut).exp() * term;
            }
            beyond += (1.0 - (-36.0 * frequency).exp()) * term.abs();
            squares += ((-36.0 * frequency).exp() * weight).powi(2);
        }
        let value = sums[0];
        let spread = sums.iter().fold(0.0f64, |spread, sum| spread.max((sum - value).abs()));
        Value { value, spread, beyond, norm: (squares * scale).sqrt() }
    }
}

/// Cut-offs of the filter relative to the highest frequency, 1, 0.9, 0.8 and 0.7, to the twelfth power.
const CUTS: [f64; 4] = [1.0, 0.282_429_536_481, 0.068_719_476_736, 0.013_841_287_201];

/// The Fourier transform with `exp(+2 pi i m k / N)`, of a size up to 2^16; made once.
fn transform(count: usize) -> Option<&'static Arc<dyn Fft<f64>>> {
    const SIZES: usize = 17;
    static TRANSFORMS: [OnceLock<Arc<dyn Fft<f64>>>; SIZES] = [const { OnceLock::new() }; SIZES];
    let slot = TRANSFORMS.get(count.trailing_zeros() as usize)?;
    Some(slot.get_or_init(|| FftPlanner::new().plan_fft_inverse(count)))
}
