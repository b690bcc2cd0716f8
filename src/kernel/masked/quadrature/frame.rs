//! A pair in the frame where its Gram matrix is the identity, and the masks that are summed in closed form.

use std::f64::consts::PI;

use super::{Averages, MOMENTS};
use crate::kernel::arc_cosine::arc_cosine;
use crate::kernel::gram::Gram;
use crate::kernel::masked::Entry;

/// A group holds at least this share of the free entries, and at least two; the entries of smaller groups are treated
/// one by one. The group parallel to required entries may be smaller.
const LEAST_SHARE: f64 = 1.0 / 32.0;
/// Entries are padded with zeros to rows of this many.
pub const LANES: usize = 32;

/// Masks of a pair that are known in part: the entries that are in every mask, and those that may be.
#[derive(Clone, Default)]
pub struct Conditioned {
    pub required: Vec<Entry>,
    pub free: Vec<Entry>,
}

/// An entry as a vector, with the probability `p_j` that it is in a mask.
///
/// `x_j = |x| xi_j`, `y_j = |y| (xi_j cos t + eta_j sin t)`, times `sqrt(p / p_j)` with the connectivity `p` of
/// reference, so that a mask's `h_s(f) = (1/p) sum_j s_j z_j(f)^2`: on average over masks the sum of `xi^2` is `p`,
/// that of `eta^2` is `p`, and that of `xi eta` is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vector {
    pub xi: f64,
    pub eta: f64,
    pub p: f64,
}

/// Entries as vectors, in columns that are padded with zeros.
///
/// A direction `f` sees the entry as `z_j(f) = xi_j cos f + eta_j sin f`.
#[derive(Default)]
pub struct Entries {
    pub xi: Vec<f64>,
    pub eta: Vec<f64>,
    /// The probabilities `p_j`.
    pub p: Vec<f64>,
    /// `(xi_j^2 + eta_j^2) / 2`: what the entry adds to `T`, the mean of `h` over directions, times `p`.
    pub halves: Vec<f64>,
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
    /// `t`.
    angle: f64,
    /// The entries in every mask.
    pub required: Entries,
    /// The free entries that no group holds.
    pub singles: Entries,
    /// The largest groups of free entries.
    pub groups: Vec<Group>,
    /// The longest free entry: its place among the free entries given, and the share of a direction that it fills.
    pub longest: (usize, f64),
    /// Whether masks of one single entry are taken out as well, which is so where no entry is required.
    pub takes_singles: bool,
    /// The connectivity `p` that lengths of vectors refer to.
    pub reference: f64,
    /// The logarithm of the probability that a mask has no free entry.
    pub absent: f64,
}

impl Frame {
    /// With the connectivity of reference. None where the inputs are parallel to working precision, or one is zero.
    pub fn new(masks: &Conditioned, reference: f64) -> Option<Self> {
        let required: Vec<(f64, f64)> = masks.required.iter().map(|entry| entry.in_every_mask()).collect();
        let free: Vec<(f64, f64)> = masks.free.iter().map(|entry| (entry.x, entry.y)).collect();
        let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
            let parts = required.chunks(64).chain(free.chunks(64));
            parts.map(|part| part.iter().map(|(x, y)| term(*x, *y)).sum::<f64>()).sum()
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
        let vector = |entry: &Entry| {
            let Entry { x, y, p, .. } = *entry;
            let stretch = (reference / p).sqrt();
            Vector { xi: stretch * (x * over_x), eta: stretch * (across(x, y) / norm), p }
        };
        let length = along.hypot(norm);
        let required: Vec<Vector> = masks.required.iter().map(vector).collect();
        let mut free: Vec<Vector> = masks.free.iter().map(vector).collect();
        let absent = free.iter().map(|vector| vector.p).map(remembered(|p| (-p).ln_1p())).sum();
        // As a share of a direction, which all entries fill to 1 on average.
        let squares = free.iter().map(|vector| vector.square() * vector.p / reference).enumerate();
        let longest = squares.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        let takes_singles = required.is_empty();
        let (singles, groups) = if takes_singles { split(&mut free, true) } else { with_required(&required, free) };
        let required = Entries::new(&required);
        Some(Self {
            gram,
            cosine: along / length,
            sine: norm / length,
            angle: norm.atan2(along),
            required,
            singles,
            groups,
            longest,
            takes_singles,
            reference,
            absent,
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

    /// The probability that a mask has no free entry outside of some.
    pub fn nothing_but(&self, entries: &Entries) -> f64 {
        (self.absent - entries.absent()).exp()
    }

    /// `p_j / p`: what turns the square of a vector into that of its entry.
    fn share(&self, vector: &Vector) -> f64 {
        vector.p / self.reference
    }

    /// The averages over masks of the Taylor polynomials of `K_1`, `K_2` and `C K_1` (see [`Frame::taylor`]) in units
    /// of `(|x||y|)^l`: their values at the average Gram triple, and what the variance over masks adds.
    pub fn taylor_means(&self) -> Averages {
        let dense = arc_cosine(Gram { a: 1.0, b: 1.0, c: self.cosine });
        let vectors: Vec<_> = self.free().flat_map(Entries::vectors).collect();
        // q_j times the square of an entry's share.
        let spread = |vector: &Vector| (1.0 - vector.p) / vector.p * self.share(vector).powi(2);
        let sum = |term: &dyn Fn(&Vector) -> f64| -> f64 {
            let part = |part: &[Vector]| part.iter().map(|vector| spread(vector) * term(vector)).sum::<f64>();
            vectors.chunks(64).map(part).sum()
        };
        let with_k1 = self.cosine * dense.k1 + sum(&|vector| self.product(vector) * self.taylor(vector)[0]);
        [dense.k1, dense.k2 + sum(&|vector| self.taylor(vector)[1]), with_k1]
    }

    /// `C K_0` at the average Gram triple.
    pub fn tangent_limit(&self) -> f64 {
        self.cosine * (PI - self.angle) / (2.0 * PI)
    }

    /// `u v` of a vector: what its entry adds to `C`, times `p`, in units of `|x| |y|`.
    fn product(&self, vector: &Vector) -> f64 {
        vector.xi * (self.cosine * vector.xi + self.sine * vector.eta)
    }

    /// `T_l(x_s, y_s)`, `l = 1, 2`, of a mask on which the inputs are parallel to the vector, in units of `(|x||y|)^l`:
    /// the Taylor polynomial of order `l` of `K_l` at the average Gram triple,
    ///
    /// - `T_1 = (1/2 pi) [ (sin t) (a + b)/2 + phi c ]`
    /// - `T_2 = (1/4 pi) [ 6 phi c^2 - (sin t cos t) (a^2 + b^2) + 4 (sin t) c (a + b) ]`
    ///
    /// with `a = (P/|x|)^2`, `b = (Q/|y|)^2`, `c = sqrt(a b)` up to its sign, `phi = pi - t`.
    fn taylor(&self, vector: &Vector) -> [f64; 2] {
        self.combine(vector, |angle, _| PI - angle)
    }

    /// `K_l(x_s, y_s) - T_l(x_s, y_s)` of the same mask: there `K_1 = max(c, 0)/2` and `K_2 = (3/2) max(c, 0)^2`.
    fn defect(&self, vector: &Vector) -> [f64; 2] {
        // The kernel itself joins the term in c: 1/2 - phi / 2 pi = t / 2 pi.
        self.combine(vector, |angle, c| if c > 0.0 { -angle } else { PI - angle }).map(|negative| -negative)
    }

    fn combine(&self, vector: &Vector, factor: impl Fn(f64, f64) -> f64) -> [f64; 2] {
        let (cosine, sine, xi) = (self.cosine, self.sine, vector.xi);
        let other = cosine * xi + sine * vector.eta;
        let (a, b, c) = (xi * xi, other * other, xi * other);
        let factor = factor(self.angle, c);
        [
            (sine * (a + b) / 2.0 + factor * c) / (2.0 * PI),
            (6.0 * factor * c * c + sine * (4.0 * c * (a + b) - cosine * (a * a + b * b))) / (4.0 * PI),
        ]
    }

    /// The averages over masks of [`Frame::defect`], and of the first times `c`, as far as they come from masks that
    /// are taken out.
    pub fn parallel_masks(&self) -> Averages {
        let over = 1.0 / self.reference;
        let mut sum = [0.0; MOMENTS];
        // All three scale with powers of the mask's length along the line.
        let mut add = |weight: f64, line: &Vector, [length, square]: [f64; 2]| {
            let [first, second] = self.defect(line);
            let averages = [first * length, second * square, self.product(line) * first * square];
            sum.iter_mut().zip(averages).for_each(|(sum, average)| *sum += weight * average);
        };
        if self.takes_singles {
            let mut alone = remembered(|p| (self.absent - (-p).ln_1p()).exp() * p);
            for vector in self.singles.vectors() {
                add(alone(vector.p), &vector, [over, over * over]);
            }
        }
        for group in self.groups.iter().filter(|group| group.taken_out) {
            let (mut mean, mut variance) = (over * group.required, 0.0);
            for vector in group.entries.vectors() {
                let square = over * vector.square();
                mean += vector.p * square;
                variance += vector.p * (1.0 - vector.p) * square * square;
            }
            let line = Vector { xi: group.direction.0, eta: group.direction.1, p: 1.0 };
            add(self.nothing_but(&group.entries), &line, [mean, mean * mean + variance]);
        }
        sum
    }

    /// Upper bounds of what all other masks add to those averages, in absolute value: by
    /// `|K_1 - T_1| <= 1.2 (a + b)/2`, `|K_2 - T_2| <= 3.5 (a^2 + b^2)/2` and `|C| <= (a + b)/2`, whose averages have
    /// closed forms; then of the averages of `D <= (a + b)/2` and `|C| D <= (a^2 + b^2)/4`. They are of the order of
    /// `d p`, so they suffice where hardly any entries of a row are kept.
    pub fn other_masks_at_most(&self) -> [f64; MOMENTS + 2] {
        // The probability that a mask has entries outside of a part.
        let outside = |of_part: f64| -(self.absent - of_part).exp_m1();
        let squares = |vector: &Vector, share: f64| {
            let other = self.cosine * vector.xi + self.sine * vector.eta;
            [share * vector.xi * vector.xi, share * other * other]
        };
        // Over both inputs: sum_g (1 - w_g) A_g, and 1 - sum_g w_g A_g^2 + sum_j q_j (1 - w_j) x_j^4, w_g the
        // probability of masks within a part that is taken out, A_g its share of the norm.
        let (mut first, mut second) = (0.0, 0.0);
        let mut within = [0.0; 2];
        let mut add = |lost: f64, required: &Entries, free: &mut dyn Iterator<Item = Vector>| {
            let mut total = [0.0; 2];
            for vector in required.vectors() {
                let squares = squares(&vector, 1.0 / self.reference);
                total.iter_mut().zip(squares).for_each(|(total, square)| *total += square);
            }
            for vector in free {
                let excess = (1.0 - vector.p) / vector.p;
                for (total, square) in total.iter_mut().zip(squares(&vector, self.share(&vector))) {
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
        let (taken_out, others): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.taken_out);
        let alone = std::iter::once(&self.singles).chain(others.iter().map(|group| &group.entries));
        let mut lost = remembered(|p| if self.takes_singles { outside((-p).ln_1p()) } else { 1.0 });
        for vector in alone.flat_map(Entries::vectors) {
            add(lost(vector.p), &nothing, &mut std::iter::once(vector));
        }
        if taken_out.is_empty() {
            add(1.0, &self.required, &mut std::iter::empty());
        }
        for group in taken_out {
            add(outside(group.entries.absent()), &self.required, &mut group.entries.vectors());
        }
        second += within.iter().map(|part| (1.0 - part).max(0.0)).sum::<f64>();
        let (first, second) = (first / 2.0, second / 2.0);
        [1.2 * first, 3.5 * second, 1.2 * second, first, 0.5 * second]
    }
}

impl Group {
    /// The squared cosine of the angle between the group's line and a direction.
    pub fn squared_cosine(&self, (cosine, sine): (f64, f64)) -> f64 {
        (self.direction.0 * cosine + self.direction.1 * sine).powi(2)
    }
}

impl Vector {
    /// Its squared length.
    pub fn square(&self) -> f64 {
        self.xi * self.xi + self.eta * self.eta
    }

    /// The slope in the half plane of directions; the sign of the vector does not matter.
    fn slope(&self) -> f64 {
        if self.xi == 0.0 { f64::INFINITY } else { self.eta / self.xi }
    }

    /// Whether directions agree to a few units in the last place: treating vectors that are parallel up to rounding as
    /// parallel costs only the square of the rounding error.
    fn is_parallel(&self, other: &Self) -> bool {
        let (a, b) = (self.slope(), other.slope());
        a == b || (a - b).abs() <= 8.0 * f64::EPSILON * a.abs().min(b.abs())
    }
}

impl Entries {
    pub fn new(vectors: &[Vector]) -> Self {
        let padded = vectors.len().next_multiple_of(LANES);
        let column = |value: &dyn Fn(&Vector) -> f64| -> Vec<f64> {
            let mut column: Vec<f64> = vectors.iter().map(value).collect();
            column.resize(padded, 0.0);
            column
        };
        Self {
            xi: column(&|vector| vector.xi),
            eta: column(&|vector| vector.eta),
            p: column(&|vector| vector.p),
            halves: column(&|vector| 0.5 * vector.square()),
            count: vectors.len(),
        }
    }

    /// The vectors, without the padding.
    pub fn vectors(&self) -> impl Iterator<Item = Vector> {
        (0..self.count).map(|j| Vector { xi: self.xi[j], eta: self.eta[j], p: self.p[j] })
    }

    /// The logarithm of the probability that a mask has none of them.
    pub fn absent(&self) -> f64 {
        self.p[..self.count].iter().copied().map(remembered(|p| (-p).ln_1p())).sum()
    }
}

/// A function that remembers its last value: entries mostly share one probability.
fn remembered(of: impl Fn(f64) -> f64) -> impl FnMut(f64) -> f64 {
    let mut last = (f64::NAN, 0.0);
    move |p| {
        if p != last.0 {
            last = (p, of(p));
        }
        last.1
    }
}

/// The unit vector along the longest of some vectors.
fn direction(vectors: &[Vector]) -> (f64, f64) {
    let longest = vectors.iter().max_by(|a, b| a.square().total_cmp(&b.square()));
    let Vector { xi, eta, .. } = longest.expect("parts and required entries are not empty");
    let length = xi.hypot(*eta);
    (xi / length, eta / length)
}

/// Sorts the vectors into the largest groups of parallel ones and the rest.
fn split(vectors: &mut [Vector], taken_out: bool) -> (Entries, Vec<Group>) {
    vectors.sort_by(|a, b| {
        let slopes = a.slope().total_cmp(&b.slope());
        slopes.then(a.xi.total_cmp(&b.xi)).then(a.eta.total_cmp(&b.eta)).then(a.p.total_cmp(&b.p))
    });
    let count = vectors.len();
    // Each vector is parallel to the first of its part, so that none is far from the part's line.
    let mut parts: Vec<&[Vector]> = Vec::new();
    let mut rest = &*vectors;
    while let Some(first) = rest.first() {
        let (part, others) = rest.split_at(rest.iter().take_while(|other| first.is_parallel(other)).count().max(1));
        parts.push(part);
        rest = others;
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let least = (LEAST_SHARE * count as f64).max(2.0);
    let large = parts.iter().take_while(|part| part.len() as f64 >= least).count();
    let group =
        |part: &&[Vector]| Group { entries: Entries::new(part), direction: direction(part), taken_out, required: 0.0 };
    (Entries::new(&parts[large..].concat()), parts[..large].iter().map(group).collect())
}

/// The same for free vectors where others are required. If the required vectors are parallel to each other, masks are
/// taken out of the group that is parallel to them.
fn with_required(required: &[Vector], mut free: Vec<Vector>) -> (Entries, Vec<Group>) {
    let along = direction(required);
    let line = Vector { xi: along.0, eta: along.1, p: 1.0 };
    if !required.iter().all(|vector| vector.is_parallel(&line)) {
        return split(&mut free, false);
    }
    let (group, mut rest): (Vec<_>, Vec<_>) = free.into_iter().partition(|vector| vector.is_parallel(&line));
    let (singles, mut groups) = split(&mut rest, false);
    groups.push(Group {
        entries: Entries::new(&group),
        direction: along,
        taken_out: true,
        required: required.iter().map(Vector::square).sum(),
    });
    (singles, groups)
}
