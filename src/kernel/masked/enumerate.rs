//! The sum over masks itself, for inputs with few distinct entries.

use rayon::prelude::*;

use super::{MaskedMoments, Method, ROUNDING, RowMoments, closed_form, scales};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{ArcCosine, Triples, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
use crate::network::Connectivity;
use crate::numeric::counts::binomial;
use crate::numeric::estimate::Estimate;

/// Theorem 1's sum over all masks, exact to rounding.
///
/// Entries where `x_j = y_j = 0` drop out; entries with equal `(x_j, y_j)`, up to a common sign, form a group of `m`
/// whose mask matters only through its size, so it takes `m + 1` terms with binomial weights instead of `2^m`. The
/// groups are split in two: the states of an inner block are tabulated once as Gram triples with their weights, and
/// each state of the outer groups shifts the whole block. So every triple is one short sum: rounding does not add up,
/// and the bits are the same for any number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Enumerate {
    /// Refuse sums of more terms than this. The default is 2^34.
    pub max_terms: u64,
}

impl Default for Enumerate {
    fn default() -> Self {
        Self { max_terms: 1 << 34 }
    }
}

impl Enumerate {
    /// Whether the sum for this pair stays within [`Enumerate::max_terms`].
    #[must_use]
    pub fn serves(&self, pair: &Pair) -> bool {
        pair.grouping().terms() <= self.max_terms as f64
    }
}

impl RowMoments for Enumerate {
    fn of_pair(&self, pair: &Pair, connectivity: Connectivity, _: u32) -> Result<MaskedMoments> {
        self.with_progress(pair, connectivity, &|_| {})
    }
}

impl Enumerate {
    /// The terms of the sum for this pair; as a floating-point number, since they can be many.
    #[must_use]
    pub fn terms(pair: &Pair) -> f64 {
        pair.grouping().terms()
    }

    /// The same as [`RowMoments::moments`], but calls `progress`, from any thread, with the number of terms just
    /// summed: at most 2^17 = 131,072 at a time.
    ///
    /// # Errors
    /// Where the sum has more than [`Enumerate::max_terms`] terms.
    pub fn with_progress(
        &self,
        pair: &Pair,
        connectivity: Connectivity,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<MaskedMoments> {
        if let Some(exact) = closed_form(pair, connectivity) {
            return Ok(exact);
        }
        let count = pair.grouping().terms();
        if count > self.max_terms as f64 {
            return Err(Error::value(
                "method",
                "enumerate",
                format!(
                    "the sum over masks has {count:.1e} terms ({} distinct nonzero entries), more than {:.1e}",
                    Groups::of_pair(pair).0.len(),
                    self.max_terms as f64
                ),
                "use the method quadrature or auto, or sampling",
            ));
        }
        let sum = match pair.grouping() {
            Grouping::Few(groups) => groups.sum_over_masks(Gram::default(), connectivity, progress),
            Grouping::Many(_) => Groups::of_pair(pair).sum_over_masks(Gram::default(), connectivity, progress),
        };
        let p = connectivity.get();
        let (k1, k2) = (sum.k1 / p, sum.k2 / (p * p));
        let (scale_1, scale_2) = scales(pair, connectivity);
        Ok(MaskedMoments {
            k1: Estimate::bounded(k1, ROUNDING * scale_1),
            k2: Estimate::bounded(k2, ROUNDING * scale_2),
            shift: Estimate::bounded(k1 - arc_cosine(pair.gram()).k1, 2.0 * ROUNDING * scale_1),
            covariance: Estimate::ZERO,
            method: Method::Enumerate,
            terms: count as u64,
        })
    }
}

/// What is kept of the groups of a pair: the groups (a few tens) where a sum over masks is within reach, else only the
/// number of terms that it would have.
#[derive(Clone, Debug)]
pub(crate) enum Grouping {
    Few(Groups),
    Many(f64),
}

impl Grouping {
    /// Groups of more terms than this, the default of [`Enumerate::max_terms`], are not kept.
    const MOST: f64 = (1u64 << 34) as f64;

    pub(crate) fn of_pair(pair: &Pair) -> Self {
        let groups = Groups::of_pair(pair);
        let terms = groups.terms();
        if terms <= Self::MOST { Self::Few(groups) } else { Self::Many(terms) }
    }

    /// The terms of the sum.
    fn terms(&self) -> f64 {
        match self {
            Self::Few(groups) => groups.terms(),
            Self::Many(terms) => *terms,
        }
    }
}

/// Entries grouped by their `(x_j, y_j)`.
#[derive(Clone, Debug)]
pub(crate) struct Groups(Vec<Group>);

/// Entries with the same `(x_j, y_j)` up to a common sign.
#[derive(Clone, Debug)]
struct Group {
    gram: Gram,
    size: u32,
}

/// One partial mask: its Gram triple and its probability.
#[derive(Clone, Copy)]
struct State {
    gram: Gram,
    weight: f64,
}

impl Groups {
    pub(super) fn of(entries: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut entries: Vec<(f64, f64)> = entries
            .filter(|(x, y)| *x != 0.0 || *y != 0.0)
            // A kernel depends on products only: choose the sign of each entry so that x > 0, or x = 0 and y > 0
            // (adding 0.0 clears -0.0).
            .map(|(x, y)| if x < 0.0 || (x == 0.0 && y < 0.0) { (-x + 0.0, -y + 0.0) } else { (x + 0.0, y + 0.0) })
            .collect();
        entries.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let group = |equal: &[(f64, f64)]| {
            let (x, y) = equal[0];
            Group { gram: Gram { a: x * x, b: y * y, c: x * y }, size: equal.len() as u32 }
        };
        Self(entries.chunk_by(|a, b| a == b).map(group).collect())
    }

    fn of_pair(pair: &Pair) -> Self {
        Self::of(pair.x().iter().zip(pair.y()).map(|(x, y)| (*x, *y)))
    }

    /// The terms of a sum over masks, as a floating-point number, since they can be many.
    pub(super) fn terms(&self) -> f64 {
        self.0.iter().map(|group| f64::from(group.size) + 1.0).product()
    }

    /// `E_s[K_l]`, where the Gram triple of a mask is that of its entries plus `required`, the sum over entries that
    /// are in every mask.
    pub(super) fn sum_over_masks(
        &self,
        required: Gram,
        connectivity: Connectivity,
        progress: &(dyn Fn(u64) + Sync),
    ) -> ArcCosine {
        sum_over_masks(&self.0, required, connectivity, progress)
    }
}

fn sum_over_masks(
    groups: &[Group],
    required: Gram,
    connectivity: Connectivity,
    progress: &(dyn Fn(u64) + Sync),
) -> ArcCosine {
    // Four arrays of this many numbers stay in a first-level cache.
    const INNER: usize = 1 << 9;
    const OUTER_CHUNK: u64 = 1 << 8;
    let p = connectivity.get();

    let mut inner = vec![State { gram: Gram::default(), weight: 1.0 }];
    let mut split = groups.len();
    while split > 0 && inner.len() * (groups[split - 1].size as usize + 1) <= INNER {
        split -= 1;
        let states = group_states(&groups[split], p);
        inner = inner.iter().flat_map(|state| states.iter().map(|more| state.and(more))).collect();
    }
    let inner_terms = inner.len() as u64;
    let inner = Triples::new(inner.iter().map(|state| (state.gram, state.weight)));
    let outer: Vec<Vec<State>> = groups[..split].iter().map(|group| group_states(group, p)).collect();
    let outer_terms: u64 = outer.iter().map(|states| states.len() as u64).product();

    let partial: Vec<ArcCosine> = (0..outer_terms.div_ceil(OUTER_CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let range = chunk * OUTER_CHUNK..((chunk + 1) * OUTER_CHUNK).min(outer_terms);
            let mut odometer = Odometer::at(&outer, required, range.start);
            let terms = (range.end - range.start) * inner_terms;
            let sum = total(range.map(|_| {
                let State { gram, weight } = odometer.next();
                let sum = inner.weighted_sum(gram);
                ArcCosine { k1: weight * sum.k1, k2: weight * sum.k2 }
            }));
            progress(terms);
            sum
        })
        .collect();
    total(partial.into_iter())
}

/// The states of the outer groups in mixed-radix order, the first group fastest.
struct Odometer<'a> {
    outer: &'a [Vec<State>],
    digits: Vec<usize>,
    /// For each group, the sum over it and the groups after it, of at most as many terms as there are groups. The last
    /// entry is what every mask contains.
    from: Vec<State>,
}

impl<'a> Odometer<'a> {
    fn at(outer: &'a [Vec<State>], required: Gram, mut index: u64) -> Self {
        let digit = |states: &Vec<State>| {
            let digit = index % states.len() as u64;
            index /= states.len() as u64;
            digit as usize
        };
        let digits = outer.iter().map(digit).collect();
        let beyond = State { gram: required, weight: 1.0 };
        let mut odometer = Self { outer, digits, from: vec![beyond; outer.len() + 1] };
        odometer.add_up(outer.len());
        odometer
    }

    /// Recomputes the first `count` sums.
    fn add_up(&mut self, count: usize) {
        for group in (0..count).rev() {
            self.from[group] = self.from[group + 1].and(&self.outer[group][self.digits[group]]);
        }
    }

    /// Returns the current state and moves on to the next.
    fn next(&mut self) -> State {
        let state = self.from[0];
        let mut changed = 0;
        for (digit, states) in self.digits.iter_mut().zip(self.outer) {
            changed += 1;
            *digit += 1;
            if *digit < states.len() {
                break;
            }
            *digit = 0;
        }
        self.add_up(changed);
        state
    }
}

/// A compensated (Neumaier) sum in the order given.
fn total(terms: impl Iterator<Item = ArcCosine>) -> ArcCosine {
    let (mut sum, mut lost) = (ArcCosine::default(), ArcCosine::default());
    let add = |sum: &mut f64, lost: &mut f64, term: f64| {
        let next = *sum + term;
        *lost += if sum.abs() >= term.abs() { (*sum - next) + term } else { (term - next) + *sum };
        *sum = next;
    };
    for term in terms {
        add(&mut sum.k1, &mut lost.k1, term.k1);
        add(&mut sum.k2, &mut lost.k2, term.k2);
    }
    ArcCosine { k1: sum.k1 + lost.k1, k2: sum.k2 + lost.k2 }
}

impl State {
    #[inline]
    fn and(&self, other: &Self) -> Self {
        let gram = Gram { a: self.gram.a + other.gram.a, b: self.gram.b + other.gram.b, c: self.gram.c + other.gram.c };
        Self { gram, weight: self.weight * other.weight }
    }
}

/// The `m + 1` states of a group: `k` of its `m` entries are in the mask.
fn group_states(group: &Group, p: f64) -> Vec<State> {
    binomial(group.size, p)
        .into_iter()
        .enumerate()
        .map(|(k, weight)| {
            let k = k as f64;
            State { gram: Gram { a: k * group.gram.a, b: k * group.gram.b, c: k * group.gram.c }, weight }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn grouping_and_zeros_do_not_change_the_sum() {
        // The same inputs with and without equal entries: split 2 into two entries that differ by one bit.
        let p = Connectivity::new(0.3).unwrap();
        let x = array![2.0, 2.0, -2.0, 0.0, 1.0, 3.0];
        let y = array![1.0, 1.0, -1.0, 0.0, -2.0, 0.5];
        let grouped = Pair::new(x.view(), y.view()).unwrap();
        assert_eq!(Groups::of_pair(&grouped).0.iter().map(|group| group.size).collect::<Vec<_>>(), [1, 3, 1]);
        let mut apart = x.clone();
        apart[1] = 2.0 * (1.0 + f64::EPSILON);
        apart[2] = -2.0 * (1.0 - f64::EPSILON);
        let apart = Pair::new(apart.view(), y.view()).unwrap();
        assert_eq!(Groups::of_pair(&apart).0.len(), 5);
        let method = Enumerate::default();
        let (one, other) = (method.moments(&grouped, p).unwrap(), method.moments(&apart, p).unwrap());
        assert!((one.k1.value / other.k1.value - 1.0).abs() < 1e-14);
        assert!((one.k2.value / other.k2.value - 1.0).abs() < 1e-14);
    }

    #[test]
    fn blocks_and_chunks_do_not_change_the_sum() {
        // 2^19 masks: several chunks of outer states. Against the plain sum, mask by mask, from the definition.
        let d = 19;
        let x = Array1::from_iter((0..d).map(|j| (f64::from(j) * 1.7).sin() + 0.1));
        let y = Array1::from_iter((0..d).map(|j| (f64::from(j) * 0.9).cos() - 0.2));
        let pair = Pair::new(x.view(), y.view()).unwrap();
        let p = Connectivity::new(0.3).unwrap();
        let plain = total((0u32..1 << d).map(|mask| {
            let mut gram = Gram::default();
            for j in (0..d as usize).filter(|j| mask >> j & 1 == 1) {
                gram.a += x[j] * x[j];
                gram.b += y[j] * y[j];
                gram.c += x[j] * y[j];
            }
            let size = mask.count_ones() as i32;
            let weight = 0.3f64.powi(size) * 0.7f64.powi(d - size);
            let kernel = arc_cosine(gram);
            ArcCosine { k1: weight * kernel.k1 / 0.3, k2: weight * kernel.k2 / 0.09 }
        }));
        let found = Enumerate::default().moments(&pair, p).unwrap();
        assert!((found.k1.value - plain.k1).abs() <= found.k1.error.magnitude().unwrap());
        assert!((found.k2.value - plain.k2).abs() <= found.k2.error.magnitude().unwrap());
    }

    #[test]
    fn too_many_masks_are_refused_with_the_count() {
        let x = Array1::from_iter((1..=40).map(f64::from));
        let y = &x * &x;
        let pair = Pair::new(x.view(), y.view()).unwrap();
        let message = Enumerate::default().moments(&pair, Connectivity::new(0.5).unwrap()).unwrap_err().to_string();
        assert!(message.contains("1.1e12 terms") && message.contains("sampling"), "{message}");
    }
}
