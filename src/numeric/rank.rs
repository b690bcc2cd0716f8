//! Intervals of rank correlations over few points.

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::numeric::random::{Purpose, Stream};
use crate::numeric::statistics::spearman;

/// Samples that the law is simulated with: a probability of 5 % is then known to a third of a percentage point.
const SAMPLES: usize = 4_000;
/// Steps of `artanh rho` from 0 to [`LAST`].
const STEPS: usize = 120;
/// `1 - tanh 6 = 1e-5`: beyond this, an interval ends at 1.
const LAST: f64 = 6.0;
/// The most points for which the law is simulated.
const MOST: usize = 50;
/// With few points the correlation takes few values. Below this many points, half of the probability of one value is
/// too much to leave out.
const COARSE: usize = 5;
/// Simulated probabilities that differ by at most this factor count as equal.
const ALIKE: f64 = 1.1;

/// The law of Spearman's correlation `r` of a few points. From an observed `r` it gives an interval for the correlation
/// `rho` of the population.
///
/// The points are assumed to be a sample of a population in which the ranks of the two coordinates are related like
/// those of two normal variables whose product-moment correlation is `2 sin(pi rho / 6)`. The law of `r` under each
/// `rho` is simulated, and the 95 % interval holds the `rho` that do not make the observed `r` improbable: with `g` the
/// smaller of `P(r at most observed)` and `P(r at least observed)`, those where `g` plus the largest tail on the other
/// side that is no more probable is at least 5 % (Blaker, "Confidence curves and improved exact confidence intervals
/// for discrete distributions", Canadian Journal of Statistics 28, 2000). A tail includes half of the probability of
/// its end, which keeps the coverage near 95 % although `r` is discrete; below five points, all of it. Beyond 50 points
/// Fisher's transformation is used, with the variance of Bonett and Wright, `(1 + r^2 / 2) / (N - 3)` (Psychometrika
/// 65, 2000).
///
/// Resampling the points does not work: if seven points are in perfect order, so is every resample, and for a
/// correlation of 0.99 such intervals contain the truth in 62 % of cases.
///
/// ```
/// use sparsewidth::numeric::rank::RankLaw;
/// let (low, high) = RankLaw::new(7, 0).unwrap().interval(1.0);
/// assert!(0.85 < low && low < 0.91 && high == 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct RankLaw {
    points: usize,
    /// For each step of `artanh rho`, from 0 on: the sums of squared differences of ranks of the samples, sorted.
    differences: Vec<Vec<u64>>,
}

impl RankLaw {
    /// The law for a number of points; none for fewer than three, which say nothing about `rho`.
    #[must_use]
    pub fn new(points: usize, seed: u64) -> Option<Self> {
        if points < 3 {
            return None;
        }
        let step = |step: usize| {
            let rho = (LAST * step as f64 / STEPS as f64).tanh();
            let r = 2.0 * (std::f64::consts::PI * rho / 6.0).sin();
            let rest = (1.0 - r * r).max(0.0).sqrt();
            // The same numbers at every step, so that laws change smoothly.
            let mut stream = Stream::new(seed, Purpose::Bootstrap, u32::MAX, 0);
            let mut normal = || -> f64 { StandardNormal.sample(&mut stream) };
            let mut differences: Vec<u64> = (0..SAMPLES)
                .map(|_| {
                    // One coordinate in order: then its ranks are 0, 1, ...
                    let mut sample: Vec<(f64, f64)> = (0..points).map(|_| (normal(), normal())).collect();
                    sample.sort_by(|a, b| a.0.total_cmp(&b.0));
                    let mut second: Vec<(f64, usize)> =
                        sample.iter().enumerate().map(|(rank, (x, e))| (r * x + rest * e, rank)).collect();
                    second.sort_by(|a, b| a.0.total_cmp(&b.0));
                    second.iter().enumerate().map(|(rank, (_, first))| rank.abs_diff(*first).pow(2) as u64).sum()
                })
                .collect();
            differences.sort_unstable();
            differences
        };
        let steps = if points > MOST { 0 } else { STEPS + 1 };
        Some(Self { points, differences: (0..steps).into_par_iter().map(step).collect() })
    }

    /// The 95 % confidence interval of the population's rank correlation where that of the points is `observed`.
    #[must_use]
    pub fn interval(&self, observed: f64) -> (f64, f64) {
        let points = self.points as f64;
        let cubic = points * (points * points - 1.0);
        let observed = if observed.is_nan() { return (-1.0, 1.0) } else { observed.clamp(-1.0, 1.0) };
        if self.differences.is_empty() {
            // Half a step off the ends, where the transformation is infinite.
            let r = observed * (1.0 - 6.0 / cubic);
            let reach = 1.959_964 * ((1.0 + r * r / 2.0) / (points - 3.0)).sqrt();
            return ((r.atanh() - reach).tanh(), (r.atanh() + reach).tanh());
        }
        // The law under -rho is the mirror image of that under rho.
        let admits = |step: i64| {
            let law = &self.differences[step.unsigned_abs() as usize];
            self.admits(law, (if step < 0 { -observed } else { observed }, cubic), step == 0)
        };
        let admitted = || (-(STEPS as i64)..=STEPS as i64).filter(|step| admits(*step));
        let some = "some correlation admits what was observed";
        let (first, last) = (admitted().min().expect(some), admitted().max().expect(some));
        // Half a step further: between the last that is admitted and the first that is not.
        let end = |step: i64, half: f64| match step.unsigned_abs() as usize {
            STEPS => step.signum() as f64,
            _ => (LAST * (step as f64 + half) / STEPS as f64).tanh(),
        };
        (end(first, -0.5), end(last, 0.5))
    }

    /// Whether a law, in increasing order of differences, makes a correlation no less probable than 5 %.
    fn admits(&self, law: &[u64], (observed, cubic): (f64, f64), symmetric: bool) -> bool {
        let all = law.len() as f64;
        // `r = 1 - 6 D / (N^3 - N)`; ties put an observed one between two values.
        let difference = (1.0 - observed) * cubic / 6.0;
        let below = |difference: f64| law.partition_point(|other| (*other as f64) < difference - 0.25) as f64 / all;
        let to = |difference: f64| law.partition_point(|other| (*other as f64) <= difference + 0.25) as f64 / all;
        let whole = self.points < COARSE;
        let share = |difference: f64| {
            let (below, to) = (below(difference), to(difference));
            let half = 0.5 * (to - below);
            (below + half, 1.0 - below - half, half)
        };
        let (mut small, mut large, half) = share(difference);
        if symmetric {
            // Under no correlation both directions are alike.
            let (other_small, other_large, _) = share(cubic / 3.0 - difference);
            (small, large) = (0.5 * (small + other_large), 0.5 * (large + other_small));
        }
        let tail = small.min(large);
        // The largest tail on the other side that is no more probable, up to chance.
        let mut other: f64 = 0.0;
        let mut place = 0;
        while place < law.len() {
            let (small_here, large_here, _) = share(law[place] as f64);
            let here = if small <= large { large_here } else { small_here };
            if here <= ALIKE * tail {
                other = other.max(here);
            }
            place = law.partition_point(|value| *value <= law[place]);
        }
        tail + other + if whole { 2.0 * half } else { 0.0 } >= 0.05
    }
}

/// Spearman's rank correlation of some points, with its 95 % interval where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankCorrelation {
    /// The correlation, from -1 to 1.
    pub value: f64,
    /// The ends of its interval, see [`RankLaw`]; none for fewer than three points.
    pub interval: Option<(f64, f64)>,
}

/// Rank correlations of several sets of points: the law for a number of points is found once.
///
/// ```
/// use sparsewidth::numeric::rank::RankCorrelations;
/// let found = RankCorrelations::new(0).of(&[(1.0, 2.0), (2.0, 3.0), (3.0, 1.0), (4.0, 5.0)]).unwrap();
/// assert!((found.value - 0.4).abs() < 1e-12 && found.interval.is_some());
/// ```
#[derive(Clone, Debug)]
pub struct RankCorrelations {
    seed: u64,
    laws: Vec<(usize, Option<RankLaw>)>,
}

impl RankCorrelations {
    /// Correlations whose laws are simulated under a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, laws: Vec::new() }
    }

    /// The rank correlation of some points; none where a coordinate is the same in all.
    pub fn of(&mut self, points: &[(f64, f64)]) -> Option<RankCorrelation> {
        let (first, second): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let value = spearman(&first, &second)?;
        let place = self.laws.iter().position(|(count, _)| *count == points.len()).unwrap_or_else(|| {
            self.laws.push((points.len(), RankLaw::new(points.len(), self.seed)));
            self.laws.len() - 1
        });
        Some(RankCorrelation { value, interval: self.laws[place].1.as_ref().map(|law| law.interval(value)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the interval holds the correlation of a population of normal pairs.
    fn coverage(law: &RankLaw, rho: f64, trials: usize) -> f64 {
        let r = 2.0 * (std::f64::consts::PI * rho / 6.0).sin();
        let mut stream = Stream::new(77, Purpose::Synthetic, 0, 0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut stream) };
        // A few values of r alone occur.
        let mut known: Vec<(f64, bool)> = Vec::new();
        let holds = (0..trials).filter(|_| {
            let (x, y): (Vec<f64>, Vec<f64>) = (0..law.points)
                .map(|_| {
                    let x = normal();
                    (x, r * x + (1.0 - r * r).sqrt() * normal())
                })
                .unzip();
            let found = spearman(&x, &y).unwrap();
            match known.iter().find(|(other, _)| (other - found).abs() < 1e-9) {
                Some((_, holds)) => *holds,
                None => {
                    let (low, high) = law.interval(found);
                    known.push((found, low <= rho && rho <= high));
                    low <= rho && rho <= high
                }
            }
        });
        holds.count() as f64 / trials as f64
    }

    #[test]
    fn what_is_no_correlation_has_the_widest_interval_or_that_of_the_nearest() {
        for points in [7, 60] {
            let law = RankLaw::new(points, 1).unwrap();
            assert_eq!(law.interval(f64::NAN), (-1.0, 1.0));
            assert_eq!(law.interval(1.0 + 1e-9), law.interval(1.0));
        }
    }

    #[test]
    fn intervals_of_seven_points_cover_the_correlation_of_their_population() {
        let law = RankLaw::new(7, 0).unwrap();
        for rho in [0.0, 0.5, 0.9, 0.99] {
            let found = coverage(&law, rho, 3_000);
            println!("{rho}: {found}");
            // r takes few values, so that not every coverage can be had; three standard errors of 0.4 % beside.
            assert!((0.92..=0.985).contains(&found), "{rho}: {found}");
        }
    }

    #[test]
    fn intervals_turn_with_the_sign_and_end_at_one() {
        for points in [4, 7, 23, 60] {
            let law = RankLaw::new(points, 3).unwrap();
            for observed in [0.0, 0.3, 0.6, 0.95, 1.0] {
                let (low, high) = law.interval(observed);
                assert!(
                    -1.0 <= low && low <= observed && observed <= high + 1e-3 && high <= 1.0,
                    "{points}, {observed}: {low} {high}"
                );
                let turned = law.interval(-observed);
                assert!(
                    (turned.0 + high).abs() < 1e-12 && (turned.1 + low).abs() < 1e-12,
                    "{points}: {turned:?} {low} {high}"
                );
            }
        }
        assert!(RankLaw::new(2, 0).is_none());
        // From tables: of seven points a two-sided test at 5 % rejects independence from 0.786 on.
        let law = RankLaw::new(7, 0).unwrap();
        assert!(law.interval(0.786).0 > 0.0 && law.interval(0.714).0 < 0.0);
    }
}
