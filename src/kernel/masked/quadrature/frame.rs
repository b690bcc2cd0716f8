//! A pair in the frame where its Gram matrix is the identity, and the masks that are summed in closed form.

use std::f64::consts::PI;

use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::Gram;
use crate::network::Connectivity;

/// A group holds at least this share of the free entries, and at least two; the entries of smaller groups are treated
/// one by one. The group parallel to required entries may be smaller.
const LEAST_SHARE: f64 = 1.0 / 32.0;
/// Entries are padded with zeros to rows of this many.
pub const LANES: usize = 32;

/// Masks of a pair that are known in part: the entries `(x_j, y_j)` that are in every mask, and those that may be.
#[derive(Clone, Default)]
pub struct Conditioned {
    pub required: Vec<(f64, f64)>,
    pub free: Vec<(f64, f64)>,
}

/// The entries of a pair as vectors `(xi_j, eta_j)`: `x_j = |x| xi_j`, `y_j = |y| (xi_j cos t + eta_j sin t)`, where
/// the average over masks of `(1/p) sum_j s_j xi_j^2` is 1, of `(1/p) sum_j s_j eta_j^2` 1, of
/// `(1/p) sum_j s_j xi_j eta_j` 0.
///
/// A direction `f` sees the entry as `z_j(f) = xi_j cos f + eta_j sin f`. Both arrays are padded with zeros.
#[derive(Default)]
pub struct Entries {
    pub xi: Vec<f64>,
    pub eta: Vec<f64>,
    pub count: usize,
}

/// Free entries with one common ratio `y_j / x_j`.
pub struct Group {
    pub entries: Entries,
    /// The unit vector along `(xi_j, eta_j)`.
    pub direction: (f64, f64),
    /// Whether the required entries have that ratio too, if there are any: on a mask of them and some of the group,
    /// `x_s` and `y_s` are parallel, and such masks are taken out of the integral. The group may be empty then.
    pub taken_out: bool,
    /// The sum of the squared lengths of those required entries.
    pub required: f64,
}

/// A pair of inputs, neither zero nor parallel on average, in the frame where their average Gram matrix is the
/// identity.
pub struct Frame {
    /// The average Gram triple over masks: `|x|^2`, `|y|^2` and `x.y` where no entry is required.
    pub gram: Gram,
    /// `cos t`, with `t` the angle between the inputs of that Gram triple.
    pub cosine: f64,
    /// `sin t`.
    pub sine: f64,
    /// The entries in every mask.
    pub required: Entries,
    /// The free entries that no group holds.
    pub singles: Entries,
    /// The largest groups of free entries.
    pub groups: Vec<Group>,
    /// The longest free entry: its place among the free entries given, and its squared length, the share of a direction
    /// that it fills.
    pub longest: (usize, f64),
    /// Whether masks of one single entry are taken out as well, which is so where no entry is required.
    pub takes_singles: bool,
}

impl Frame {
    /// None where the inputs are parallel to working precision, or one is zero.
    pub fn new(masks: &Conditioned, connectivity: Connectivity) -> Option<Self> {
        let over_root_p = 1.0 / connectivity.get().sqrt();
        let required: Vec<(f64, f64)> =
            masks.required.iter().map(|(x, y)| (x * over_root_p, y * over_root_p)).collect();
        let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
            required
                .chunks(64)
                .chain(masks.free.chunks(64))
                .map(|part| part.iter().map(|(x, y)| term(*x, *y)).sum::<f64>())
                .sum()
        };
        let gram = Gram { a: sum(&|x, _| x * x), b: sum(&|_, y| y * y), c: sum(&|x, y| x * y) };
        if gram.a == 0.0 || gram.b == 0.0 {
            return None;
        }
        let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
        let along = sum(&|x, y| (x * over_x) * (y * over_y));
        // The part of y/|y| that is orthogonal to x: its norm is sin t, with no square root of a cancelled difference.
        let across = |x: f64, y: f64| y * over_y - along * (x * over_x);
        let norm = sum(&|x, y| across(x, y).powi(2)).sqrt();
        if norm <= 4.0 * f64::EPSILON {
            return None;
        }
        let vector = |&(x, y): &(f64, f64)| (x * over_x, across(x, y) / norm);
        let required: Vec<(f64, f64)> = masks.required.iter().map(vector).collect();
        let mut free: Vec<(f64, f64)> = masks.free.iter().map(vector).collect();
        let squares = free.iter().map(square).enumerate();
        let longest = squares.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        let length = along.hypot(norm);
        let takes_singles = required.is_empty();
        let (singles, groups) = if takes_singles { split(&mut free, true) } else { with_required(&required, free) };
        let required = Entries::new(&required);
        Some(Self {
            gram,
            cosine: along / length,
            sine: norm / length,
            required,
            singles,
            groups,
            longest,
            takes_singles,
        })
    }

    /// The number of free entries.
    pub fn count(&self) -> usize {
        self.free().map(|entries| entries.count).sum()
    }

    /// The free entries: the singles, then every group.
    pub fn free(&self) -> impl Iterator<Item = &Entries> {
        std::iter::once(&self.singles).chain(self.groups.iter().map(|group| &group.entries))
    }

    /// A lower bound on the number of masks that stay different when equal entries are exchanged. It does not search
    /// for equal entries: at most `s` singles are parallel to each other, and `n` singles in sets of `s` equal ones
    /// have `(s + 1)^(n/s)` different masks.
    pub fn distinct_masks_at_least(&self) -> f64 {
        let largest = (LEAST_SHARE * self.count() as f64).max(2.0);
        (largest + 1.0).powf(self.singles.count as f64 / largest)
    }

    /// The average over masks of `T_2` in units of `(|x||y|)^2`: `K_2` at the average Gram triple, and what the
    /// variance of the Gram triple over masks adds.
    pub fn taylor_2(&self, connectivity: Connectivity) -> f64 {
        let dense = arc_cosine(Gram { a: 1.0, b: 1.0, c: self.cosine }).k2;
        let vectors: Vec<_> = self.free().flat_map(Entries::vectors).collect();
        let sum: f64 =
            vectors.chunks(64).map(|part| part.iter().map(|vector| self.taylor(*vector)[1]).sum::<f64>()).sum();
        dense + connectivity.excess() * sum
    }

    /// `T_l(x_s, y_s)`, `l = 1, 2`, of a mask on which the inputs are parallel to the vector, in units of `(|x||y|)^l`:
    /// the Taylor polynomial of order `l` of `K_l` at the average Gram triple,
    ///
    /// - `T_1 = (1/2 pi) [ (sin t) (a + b)/2 + phi c ]`
    /// - `T_2 = (1/4 pi) [ 6 phi c^2 - (sin t cos t) (a^2 + b^2) + 4 (sin t) c (a + b) ]`
    ///
    /// with `a = (P/|x|)^2`, `b = (Q/|y|)^2`, `c = sqrt(a b)` up to its sign, `phi = pi - t`.
    fn taylor(&self, vector: (f64, f64)) -> [f64; 2] {
        self.combine(vector, |angle, _| PI - angle)
    }

    /// `K_l(x_s, y_s) - T_l(x_s, y_s)` of the same mask: there `K_1 = max(c, 0)/2` and `K_2 = (3/2) max(c, 0)^2`.
    fn defect(&self, vector: (f64, f64)) -> [f64; 2] {
        // The kernel itself joins the term in c: 1/2 - phi / 2 pi = t / 2 pi.
        self.combine(vector, |angle, c| if c > 0.0 { -angle } else { PI - angle }).map(|negative| -negative)
    }

    fn combine(&self, (xi, eta): (f64, f64), factor: impl Fn(f64, f64) -> f64) -> [f64; 2] {
        let (cosine, sine) = (self.cosine, self.sine);
        let other = cosine * xi + sine * eta;
        let (a, b, c) = (xi * xi, other * other, xi * other);
        let factor = factor(sine.atan2(cosine), c);
        [
            (sine * (a + b) / 2.0 + factor * c) / (2.0 * PI),
            (6.0 * factor * c * c + sine * (4.0 * c * (a + b) - cosine * (a * a + b * b))) / (4.0 * PI),
        ]
    }

    /// The average over masks of [`Frame::defect`], as far as it comes from masks that are taken out.
    pub fn parallel_masks(&self, connectivity: Connectivity) -> [f64; 2] {
        let (p, excess, count) = (connectivity.get(), connectivity.excess(), self.count() as f64);
        let mut sum = [0.0; 2];
        if self.takes_singles {
            let lone = (1.0 - p).powf(count - 1.0);
            for vector in self.singles.vectors() {
                let defect = self.defect(vector);
                sum[0] += lone * defect[0];
                sum[1] += lone * defect[1] / p;
            }
        }
        for group in self.groups.iter().filter(|group| group.taken_out) {
            let weight = (1.0 - p).powf(count - group.entries.count as f64);
            let (mut second, mut fourth) = (group.required / p, 0.0);
            for (xi, eta) in group.entries.vectors() {
                let square = xi * xi + eta * eta;
                second += square;
                fourth += square * square;
            }
            let defect = self.defect(group.direction);
            sum[0] += weight * defect[0] * second;
            sum[1] += weight * defect[1] * (second * second + excess * fourth);
        }
        sum
    }

    /// Upper bounds of what all other masks add to the average of [`Frame::defect`], in absolute value: by
    /// `|K_1 - T_1| <= 1.2 (a + b)/2` and `|K_2 - T_2| <= 3.5 (a^2 + b^2)/2`, whose averages have closed forms. They
    /// are of the order of `d p`, so they suffice where hardly any entries of a row are kept.
    pub fn other_masks_at_most(&self, connectivity: Connectivity) -> [f64; 2] {
        let (p, excess, count) = (connectivity.get(), connectivity.excess(), self.count() as f64);
        // The probability that a mask has entries outside of a part of that size.
        let outside = |size: usize| -((count - size as f64) * (-p).ln_1p()).exp_m1();
        let squares = |(xi, eta): (f64, f64)| {
            let other = self.cosine * xi + self.sine * eta;
            [xi * xi, other * other]
        };
        // Over both inputs: sum_g (1 - w_g) A_g, and 1 - sum_g w_g A_g^2 + q sum_j (1 - w_j) x_j^4, w_g the probability
        // of masks within a part that is taken out, A_g its share of the norm.
        let (mut first, mut second) = (0.0, 0.0);
        let mut within = [0.0; 2];
        let mut add = |lost: f64, required: &Entries, free: &mut dyn Iterator<Item = (f64, f64)>| {
            let mut total = [0.0; 2];
            for vector in required.vectors() {
                total.iter_mut().zip(squares(vector)).for_each(|(total, square)| *total += square / p);
            }
            for vector in free {
                for (total, square) in total.iter_mut().zip(squares(vector)) {
                    second += excess * lost * square * square;
                    *total += square;
                }
            }
            for (within, total) in within.iter_mut().zip(total) {
                first += lost * total;
                *within += (1.0 - lost) * total * total;
            }
        };
        let nothing = Entries::default();
        let lost = if self.takes_singles { outside(1) } else { 1.0 };
        let (taken_out, others): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.taken_out);
        let alone = std::iter::once(&self.singles).chain(others.iter().map(|group| &group.entries));
        alone.flat_map(Entries::vectors).for_each(|vector| add(lost, &nothing, &mut std::iter::once(vector)));
        if taken_out.is_empty() {
            add(1.0, &self.required, &mut std::iter::empty());
        }
        for group in taken_out {
            add(outside(group.entries.count), &self.required, &mut group.entries.vectors());
        }
        second += within.iter().map(|part| (1.0 - part).max(0.0)).sum::<f64>();
        [1.2 * first / 2.0, 3.5 * second / 2.0]
    }
}

impl Group {
    /// The squared cosine of the angle between the group's line and a direction.
    pub fn squared_cosine(&self, (cosine, sine): (f64, f64)) -> f64 {
        (self.direction.0 * cosine + self.direction.1 * sine).powi(2)
    }
}

impl Entries {
    pub fn new(vectors: &[(f64, f64)]) -> Self {
        let mut entries = Self { count: vectors.len(), ..Self::default() };
        (entries.xi, entries.eta) = vectors.iter().copied().unzip();
        let padded = vectors.len().next_multiple_of(LANES);
        entries.xi.resize(padded, 0.0);
        entries.eta.resize(padded, 0.0);
        entries
    }

    /// The vectors `(xi_j, eta_j)`, without the padding.
    pub fn vectors(&self) -> impl Iterator<Item = (f64, f64)> {
        self.xi.iter().copied().zip(self.eta.iter().copied()).take(self.count)
    }
}

/// The slope in the half plane of directions; the sign of the vector does not matter.
fn slope((xi, eta): &(f64, f64)) -> f64 {
    if *xi == 0.0 { f64::INFINITY } else { eta / xi }
}

/// Whether directions agree to a few units in the last place: treating vectors that are parallel up to rounding as
/// parallel costs only the square of the rounding error.
fn parallel(a: &(f64, f64), b: &(f64, f64)) -> bool {
    let (a, b) = (slope(a), slope(b));
    a == b || (a - b).abs() <= 8.0 * f64::EPSILON * a.abs().min(b.abs())
}

fn square((xi, eta): &(f64, f64)) -> f64 {
    xi * xi + eta * eta
}

/// The unit vector along the longest of some vectors.
fn direction(vectors: &[(f64, f64)]) -> (f64, f64) {
    let longest = vectors.iter().copied().max_by(|a, b| square(a).total_cmp(&square(b)));
    let (xi, eta) = longest.expect("parts and required entries are not empty");
    let length = xi.hypot(eta);
    (xi / length, eta / length)
}

/// Sorts the vectors into the largest groups of parallel ones and the rest.
fn split(vectors: &mut [(f64, f64)], taken_out: bool) -> (Entries, Vec<Group>) {
    vectors.sort_by(|a, b| slope(a).total_cmp(&slope(b)).then(a.0.total_cmp(&b.0)).then(a.1.total_cmp(&b.1)));
    let count = vectors.len();
    // Each vector is parallel to the first of its part, so that none is far from the part's line.
    let mut parts: Vec<&[(f64, f64)]> = Vec::new();
    let mut rest = &*vectors;
    while let Some(first) = rest.first() {
        let (part, others) = rest.split_at(rest.iter().take_while(|other| parallel(first, other)).count().max(1));
        parts.push(part);
        rest = others;
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let least = (LEAST_SHARE * count as f64).max(2.0);
    let large = parts.iter().take_while(|part| part.len() as f64 >= least).count();
    let group = |part: &&[(f64, f64)]| Group {
        entries: Entries::new(part),
        direction: direction(part),
        taken_out,
        required: 0.0,
    };
    (Entries::new(&parts[large..].concat()), parts[..large].iter().map(group).collect())
}

/// The same for free vectors where others are required. If the required vectors are parallel to each other, masks are
/// taken out of the group that is parallel to them.
fn with_required(required: &[(f64, f64)], mut free: Vec<(f64, f64)>) -> (Entries, Vec<Group>) {
    let along = direction(required);
    if !required.iter().all(|vector| parallel(vector, &along)) {
        return split(&mut free, false);
    }
    let (group, mut rest): (Vec<_>, Vec<_>) = free.into_iter().partition(|vector| parallel(vector, &along));
    let (singles, mut groups) = split(&mut rest, false);
    let required = required.iter().map(square).sum();
    groups.push(Group { entries: Entries::new(&group), direction: along, taken_out: true, required });
    (singles, groups)
}
