//! The sum over masks itself, for inputs with few distinct entries.

use rayon::prelude::*;

use super::tangent_sum::{FineGram, FineTriples, TangentTerms};
use super::{Entry, MaskedMoments, Method, ROUNDING, Row, RowMoments, TangentMoments, closed_form, scales};
use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{ArcCosine, Triples, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
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

    /// The same where inputs may have connectivities of their own.
    pub(super) fn serves_row(&self, pair: &Pair, row: &Row) -> bool {
        match row.uniform() {
            Some(_) => self.serves(pair),
            None => Groups::of(row.entries(pair)).terms() <= self.max_terms as f64,
        }
    }
}

impl RowMoments for Enumerate {
    fn of_pair(&self, pair: &Pair, row: &Row, _: u32) -> Result<MaskedMoments> {
        self.with_progress(pair, row, &|_| {})
    }
}

impl Enumerate {
    /// The terms of the sum for this pair, where all inputs have one connectivity; as a floating-point number, since
    /// they can be many.
    #[must_use]
    pub fn terms(pair: &Pair) -> f64 {
        pair.grouping().terms()
    }

    /// The same as [`RowMoments::of_pair`], but calls `progress`, from any thread, with the number of terms just
    /// summed: at most 2^17 = 131,072 at a time.
    ///
    /// # Errors
    /// Where the sum has more than [`Enumerate::max_terms`] terms, or there is not one connectivity per input.
    pub fn with_progress(&self, pair: &Pair, row: &Row, progress: &(dyn Fn(u64) + Sync)) -> Result<MaskedMoments> {
        row.check(pair)?;
        if let Some(exact) = closed_form(pair, *row) {
            return Ok(exact);
        }
        // With one connectivity for all inputs the groups are those of the pair, and 1/p is a factor of every term.
        let own = row.uniform().is_none().then(|| Groups::of(row.entries(pair).map(scaled)));
        let count = own.as_ref().map_or_else(|| pair.grouping().terms(), Groups::terms);
        if count > self.max_terms as f64 {
            return Err(Error::value(
                "method",
                "enumerate",
                format!(
                    "the sum over masks has {count:.1e} terms ({} distinct nonzero entries), more than {:.1e}",
                    own.unwrap_or_else(|| Groups::of_pair(pair)).0.len(),
                    self.max_terms as f64
                ),
                "use the method quadrature or auto, or sampling",
            ));
        }
        let (groups, p, tau) = match (own, row.uniform()) {
            (None, Some(connectivity)) => {
                let groups = match pair.grouping() {
                    Grouping::Few(groups) => groups.clone(),
                    Grouping::Many(_) => Groups::of_pair(pair),
                };
                let tau = row.tangent().unwrap_or_default().tau(connectivity);
                (groups.with_connectivity(connectivity.get()), connectivity.get(), tau)
            }
            (own, _) => (own.expect("made where inputs have connectivities of their own"), 1.0, 1.0),
        };
        let (scale_1, scale_2) = scales(pair, row);
        let bounded = |value: f64, scale: f64| Estimate::bounded(value, ROUNDING * scale);
        let nngp = |k1: f64, k2: f64| {
            let (k1, k2) = (k1 / p, k2 / (p * p));
            let shift = Estimate::bounded(k1 - arc_cosine(pair.gram()).k1, 2.0 * ROUNDING * scale_1);
            let (k1, k2) = (bounded(k1, scale_1), bounded(k2, scale_2));
            MaskedMoments::nngp(k1, k2, shift, Method::Enumerate, count as u64)
        };
        if row.tangent().is_none() {
            let sum = groups.sum_over_masks(Gram::default(), progress);
            return Ok(nngp(sum.k1, sum.k2));
        }
        let [k1, k2, j1, j11, j2] = groups.tangent_sum(FineGram::default(), progress);
        let nngp = nngp(k1, k2);
        let (first, second) = (tau / p, tau / (p * p));
        let tangent = TangentMoments {
            j1: bounded(first * j1, scale_1),
            j11: bounded(second * j11, scale_2),
            j2: bounded(tau * second * j2, scale_2),
        };
        let limit = pair.gram().c * pair.angle().k0();
        let shift = Estimate::bounded(
            nngp.shift.value + (tangent.j1.value - limit),
            nngp.shift.error.magnitude().expect("a bound") + 2.0 * ROUNDING * scale_1,
        );
        Ok(nngp.with_tangent(tangent, row.kurtosis(), shift))
    }
}

/// An entry whose weight has variance 1 where it exists.
fn scaled(entry: Entry) -> Entry {
    let root = entry.p.sqrt();
    Entry { x: entry.x / root, y: entry.y / root, ..entry }
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

/// Entries grouped by their `(x_j, y_j)` and connectivity.
#[derive(Clone, Debug)]
pub(crate) struct Groups(Vec<Group>);

/// Entries with the same `(x_j, y_j)` up to a common sign, and the same connectivity.
#[derive(Clone, Debug)]
struct Group {
    entry: Entry,
    size: u32,
}

/// What is added up over the entries of a mask, and what is averaged over masks.
trait Mask: Copy + Default + Send + Sync {
    /// Masks with weights, laid out for sums over many of them.
    type Block: Sync;
    /// The number of averages.
    type Sum: Terms;

    fn of_entry(entry: Entry) -> Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, count: f64) -> Self;
    fn block(states: &[State<Self>]) -> Self::Block;
    /// The weighted sum over a block, of masks that all contain this one.
    fn sum_with(self, block: &Self::Block) -> Self::Sum;
}

/// Numbers that are summed side by side.
trait Terms: Copy + Send {
    fn as_mut(&mut self) -> &mut [f64];
}

impl<const N: usize> Terms for [f64; N] {
    fn as_mut(&mut self) -> &mut [f64] {
        self
    }
}

impl Mask for Gram {
    type Block = Triples;
    type Sum = [f64; 2];

    fn of_entry(Entry { x, y, .. }: Entry) -> Self {
        Self { a: x * x, b: y * y, c: x * y }
    }

    #[inline]
    fn plus(self, other: Self) -> Self {
        Self { a: self.a + other.a, b: self.b + other.b, c: self.c + other.c }
    }

    fn times(self, count: f64) -> Self {
        Self { a: count * self.a, b: count * self.b, c: count * self.c }
    }

    fn block(states: &[State<Self>]) -> Triples {
        Triples::new(states.iter().map(|state| (state.mask, state.weight)))
    }

    fn sum_with(self, block: &Triples) -> [f64; 2] {
        let ArcCosine { k1, k2 } = block.weighted_sum(self);
        [k1, k2]
    }
}

impl Mask for FineGram {
    type Block = FineTriples;
    type Sum = TangentTerms;

    fn of_entry(Entry { x, y, tau, .. }: Entry) -> Self {
        Self::of_entry(x, y, tau)
    }

    fn plus(self, other: Self) -> Self {
        Self::plus(self, other)
    }

    fn times(self, count: f64) -> Self {
        Self::times(self, count)
    }

    fn block(states: &[State<Self>]) -> FineTriples {
        FineTriples::new(states.iter().map(|state| (state.mask, state.weight)))
    }

    fn sum_with(self, block: &FineTriples) -> TangentTerms {
        block.weighted_sum(self)
    }
}

/// One partial mask and its probability.
#[derive(Clone, Copy)]
struct State<M> {
    mask: M,
    weight: f64,
}

impl Groups {
    pub(super) fn of(entries: impl Iterator<Item = Entry>) -> Self {
        let mut entries: Vec<Entry> = entries
            .filter(|Entry { x, y, .. }| *x != 0.0 || *y != 0.0)
            // A kernel depends on products only: choose the sign of each entry so that x > 0, or x = 0 and y > 0
            // (adding 0.0 clears -0.0).
            .map(|Entry { x, y, p, tau }| {
                let sign = if x < 0.0 || (x == 0.0 && y < 0.0) { -1.0 } else { 1.0 };
                Entry { x: sign * x + 0.0, y: sign * y + 0.0, p, tau }
            })
            .collect();
        entries.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)).then(a.p.total_cmp(&b.p)));
        let group = |equal: &[Entry]| Group { entry: equal[0], size: equal.len() as u32 };
        Self(entries.chunk_by(|a, b| a == b).map(group).collect())
    }

    /// Those of one connectivity, as yet unknown, for all inputs; `tau` is left to the sum.
    fn of_pair(pair: &Pair) -> Self {
        Self::of(pair.x().iter().zip(pair.y()).map(|(x, y)| Entry { x: *x, y: *y, p: 1.0, tau: 1.0 }))
    }

    fn with_connectivity(mut self, p: f64) -> Self {
        self.0.iter_mut().for_each(|group| group.entry.p = p);
        self
    }

    /// The terms of a sum over masks, as a floating-point number, since they can be many.
    pub(super) fn terms(&self) -> f64 {
        self.0.iter().map(|group| f64::from(group.size) + 1.0).product()
    }

    /// `E_s[K_l]`, where the Gram triple of a mask is that of its entries plus `required`, the sum over entries that
    /// are in every mask.
    pub(super) fn sum_over_masks(&self, required: Gram, progress: &(dyn Fn(u64) + Sync)) -> ArcCosine {
        let [k1, k2] = sum_over_masks(&self.0, required, progress);
        ArcCosine { k1, k2 }
    }

    /// The same for the averages of the tangent kernel.
    pub(super) fn tangent_sum(&self, required: FineGram, progress: &(dyn Fn(u64) + Sync)) -> TangentTerms {
        sum_over_masks(&self.0, required, progress)
    }
}

fn sum_over_masks<M: Mask>(groups: &[Group], required: M, progress: &(dyn Fn(u64) + Sync)) -> M::Sum {
    // Four arrays of this many numbers stay in a first-level cache.
    const INNER: usize = 1 << 9;
    const OUTER_CHUNK: u64 = 1 << 8;

    let mut inner = vec![State { mask: M::default(), weight: 1.0 }];
    let mut split = groups.len();
    while split > 0 && inner.len() * (groups[split - 1].size as usize + 1) <= INNER {
        split -= 1;
        let states = group_states(&groups[split]);
        inner = inner.iter().flat_map(|state| states.iter().map(|more| state.and(more))).collect();
    }
    let inner_terms = inner.len() as u64;
    let inner = M::block(&inner);
    let outer: Vec<Vec<State<M>>> = groups[..split].iter().map(group_states).collect();
    let outer_terms: u64 = outer.iter().map(|states| states.len() as u64).product();

    let partial: Vec<M::Sum> = (0..outer_terms.div_ceil(OUTER_CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let range = chunk * OUTER_CHUNK..((chunk + 1) * OUTER_CHUNK).min(outer_terms);
            let mut odometer = Odometer::at(&outer, required, range.start);
            let terms = (range.end - range.start) * inner_terms;
            let sum = total(range.map(|_| {
                let State { mask, weight } = odometer.next();
                let mut sum = mask.sum_with(&inner);
                sum.as_mut().iter_mut().for_each(|sum| *sum *= weight);
                sum
            }));
            progress(terms);
            sum
        })
        .collect();
    total(partial.into_iter())
}

/// The states of the outer groups in mixed-radix order, the first group fastest.
struct Odometer<'a, M> {
    outer: &'a [Vec<State<M>>],
    digits: Vec<usize>,
    /// For each group, the sum over it and the groups after it, of at most as many terms as there are groups. The last
    /// entry is what every mask contains.
    from: Vec<State<M>>,
}

impl<'a, M: Mask> Odometer<'a, M> {
    fn at(outer: &'a [Vec<State<M>>], required: M, mut index: u64) -> Self {
        let digit = |states: &Vec<State<M>>| {
            let digit = index % states.len() as u64;
            index /= states.len() as u64;
            digit as usize
        };
        let digits = outer.iter().map(digit).collect();
        let beyond = State { mask: required, weight: 1.0 };
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
    fn next(&mut self) -> State<M> {
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

/// A compensated (Neumaier) sum in the order given; there is at least one term.
fn total<T: Terms>(mut terms: impl Iterator<Item = T>) -> T {
    let mut sums = terms.next().expect("a sum over masks has the empty mask");
    let mut lost = sums;
    lost.as_mut().fill(0.0);
    for mut terms in terms {
        for ((sum, lost), term) in sums.as_mut().iter_mut().zip(lost.as_mut()).zip(terms.as_mut()) {
            let next = *sum + *term;
            *lost += if sum.abs() >= term.abs() { (*sum - next) + *term } else { (*term - next) + *sum };
            *sum = next;
        }
    }
    sums.as_mut().iter_mut().zip(lost.as_mut()).for_each(|(sum, lost)| *sum += *lost);
    sums
}

impl<M: Mask> State<M> {
    #[inline]
    fn and(&self, other: &Self) -> Self {
        Self { mask: self.mask.plus(other.mask), weight: self.weight * other.weight }
    }
}

/// The `m + 1` states of a group: `k` of its `m` entries are in the mask.
fn group_states<M: Mask>(group: &Group) -> Vec<State<M>> {
    let weights = binomial(group.size, group.entry.p).into_iter().enumerate();
    weights.map(|(k, weight)| State { mask: M::of_entry(group.entry).times(k as f64), weight }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Connectivity;
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
            [weight * kernel.k1 / 0.3, weight * kernel.k2 / 0.09]
        }));
        let found = Enumerate::default().moments(&pair, p).unwrap();
        assert!((found.k1.value - plain[0]).abs() <= found.k1.error.magnitude().unwrap());
        assert!((found.k2.value - plain[1]).abs() <= found.k2.error.magnitude().unwrap());
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
