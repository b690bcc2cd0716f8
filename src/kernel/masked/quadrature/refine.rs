//! The integrals over directions, refined until the error estimate is below the tolerance.

use std::f64::consts::PI;
use std::iter::zip;
use std::ops::Range;

use super::average::Work;
use super::frame::Frame;
use super::functional::{Functional, Kind, Rule, Spectrum, unresolved};
use super::means::Means;
use super::pieces::{Averages, KINDS, MEANS, OF_D, OF_HALF, OF_PIECE, PIECES, Part, WITH_POLES, terms_of};
use super::radial::{Radial, SAMPLES};
use super::samples::{CHECKED, Samples, check};

/// The number of directions of the first rule.
pub const FEWEST: usize = 16;
/// From this many directions on the errors tell how many more the tolerance takes.
pub const JUDGED: usize = 64;
/// From this many directions on rounding is predicted as well: with fewer, most of what it leaves is still unknown.
const ROUNDING: usize = 256;
/// The factors by which errors fall from one rule to the next, as far as a prediction relies on them: in the long run
/// by four at least, and a larger one may not last.
const FALLS_BY: [f64; 2] = [4.0, 32.0];
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
/// The estimate of the error, in units of the error at the checking directions times the weight of the last frequency.
const BY_CHECK: f64 = 5.0;
/// Up to this many directions a change counts at least twice: so coarse a rule says little about finer ones.
const FIRST: f64 = 64.0;
/// The estimate of the error of a mean, in units of the coefficient that it mistakes for itself (see
/// [`Spectrum::alias`]), for many entries.
const BY_ALIAS: f64 = 2.5;
/// With this many free entries it counts twice, and with fewer more: single masks matter, whose coefficients add up
/// where inputs are chosen so. Hill climbing with 13 to 24 entries came to 36 times the coefficient.
const FEW_ENTRIES: f64 = 300.0;

/// How far the means over directions are.
pub struct MeansState {
    /// The directions of the last rule; 0 before the first.
    count: usize,
    /// The samples of the last rule, and their spectra.
    pub last: Option<(Samples, Vec<Spectrum>)>,
    last_change: [f64; SAMPLES],
    last_alias: [f64; SAMPLES],
    last_excess: [f64; PIECES],
    done: bool,
    /// Whether it took too many directions.
    pub left_off: bool,
}

impl Default for MeansState {
    fn default() -> Self {
        let unknown = [f64::INFINITY; SAMPLES];
        Self {
            count: 0,
            last: None,
            last_change: unknown,
            last_alias: unknown,
            last_excess: [f64::INFINITY; PIECES],
            done: false,
            left_off: false,
        }
    }
}

/// How the integrals with poles ended.
pub struct PolesEnd {
    pub nodes: u64,
    /// Whether they took too many directions.
    pub left_off: bool,
}

/// The integrals over directions of one frame.
pub struct Problem<'a> {
    pub work: Work,
    pub frame: &'a Frame,
    pub radial: &'a Radial<'a>,
    pub others: Averages,
    /// The most directions.
    pub directions: usize,
    /// Where it looks as if more directions than this were needed, the work is left off: there is another way.
    pub patience: Option<usize>,
    /// What an integral or a mean counts in its piece.
    pub units: [f64; PIECES],
    /// The rounding of the samples with poles and of those of the means.
    pub sample_rounding: [[f64; SAMPLES]; 2],
}

impl Problem<'_> {
    /// Refines the pieces with poles.
    pub fn with_poles(&self, best: &mut [Part; PIECES]) -> PolesEnd {
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
        let mut last_excess = [f64::INFINITY; PIECES];
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
                    return PolesEnd { nodes: samples.nodes, left_off: false };
                }
            }
            let needed = self.needed(count, &found, asked.clone(), &mut last_excess);
            if self.patience.is_some_and(|patience| count >= JUDGED && needed > patience as f64) {
                return PolesEnd { nodes: samples.nodes, left_off: true };
            }
            (spectra, half_rules) = (wholes, whole_rules);
            count *= 2;
        }
    }

    /// Refines the pieces that are means, up to `most` directions. A change alone says little about a mean, since
    /// directions at one spacing see a kink at only one phase.
    pub fn means(&self, means: &Means, state: &mut MeansState, most: usize, best: &mut [Part; PIECES]) {
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
            let needed = self.needed(count, &found, MEANS, &mut state.last_excess);
            if !state.done && count >= JUDGED {
                // Later, when the integrals with poles are done, leaving off would waste them.
                let patience = |first: usize| if count == JUDGED { first } else { self.directions };
                state.left_off = self.patience.is_some_and(|first| needed > patience(first) as f64);
                state.done = state.left_off;
            }
            state.count = count;
            state.last = Some((samples, wholes));
        }
    }

    /// About how many directions the tolerance takes, if errors go on falling as they did from the rule before;
    /// infinite where so many would round too much. `last` has the errors of that rule, in units of what is allowed.
    ///
    /// It decides which way is shorter, never whether a result is good enough.
    fn needed(&self, count: usize, found: &[Part; PIECES], asked: Range<usize>, last: &mut [f64; PIECES]) -> f64 {
        let terms = terms_of(self.frame, found, self.others);
        let mut needed = 0.0f64;
        for index in asked {
            let Part { truncation, rounding, .. } = found[index];
            let allowed = self.work.allowed(&terms, index).max(rounding);
            let excess = truncation / allowed;
            let [least, most] = FALLS_BY;
            let falls_by = (last[index] / excess).clamp(least, most);
            last[index] = excess;
            if excess > 1.0 {
                let factor = (excess.ln() / falls_by.ln()).exp2();
                let order = KINDS.get(index).map_or(1, |kind| kind.order());
                let most_rounding = 0.5 * allowed;
                let rounds_too_much = count >= ROUNDING && rounding * factor.powi(order as i32) > most_rounding;
                needed = needed.max(if rounds_too_much { f64::INFINITY } else { count as f64 * factor });
            }
        }
        needed
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
