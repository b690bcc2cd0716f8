//! A pair in the frame where its Gram matrix is the identity, and the masks that are summed in closed form.

use std::f64::consts::PI;

use crate::connectivity::Connectivity;
use crate::gram::Pair;

/// Groups whose masks are taken out hold at least this share of the entries, and two; smaller ones stay in the integral, where
/// the work that they save is less than what they cost.
const LEAST_SHARE: f64 = 1.0 / 32.0;
/// Entries are padded with zeros to rows of this many.
pub const LANES: usize = 32;

/// The entries of a pair as vectors `(xi_j, eta_j)`: `x_j = |x| xi_j`, `y_j = |y| (xi_j cos t + eta_j sin t)`, so that
/// `sum xi^2 = sum eta^2 = 1` and `sum xi eta = 0`.
///
/// A direction `f` sees the entry as `z_j(f) = xi_j cos f + eta_j sin f`. Both arrays are padded with zeros.
#[derive(Default)]
pub struct Entries {
    pub xi: Vec<f64>,
    pub eta: Vec<f64>,
    pub count: usize,
}

/// Entries with one common ratio `y_j / x_j`: on a mask within the group, `x_s` and `y_s` are parallel.
pub struct Group {
    pub entries: Entries,
    /// The unit vector along `(xi_j, eta_j)`.
    pub direction: (f64, f64),
}

/// A pair of inputs, neither zero nor exactly parallel, in its own frame.
pub struct Frame {
    /// `cos t`, with `t` the angle between the inputs.
    pub cosine: f64,
    /// `sin t`.
    pub sine: f64,
    /// The entries that no group holds: groups of one.
    pub singles: Entries,
    /// The larger groups.
    pub groups: Vec<Group>,
}

impl Frame {
    /// None where the inputs are parallel to working precision.
    pub fn new(pair: &Pair) -> Option<Self> {
        let gram = pair.gram();
        let (over_x, over_y) = (1.0 / gram.a.sqrt(), 1.0 / gram.b.sqrt());
        let along = pair.sum(|x, y| (x * over_x) * (y * over_y));
        // The part of y/|y| that is orthogonal to x: its norm is sin t, with no square root of a cancelled difference.
        let across = |x: f64, y: f64| y * over_y - along * (x * over_x);
        let norm = pair.sum(|x, y| across(x, y).powi(2)).sqrt();
        if norm == 0.0 {
            return None;
        }
        let mut vectors: Vec<(f64, f64)> = pair
            .x()
            .iter()
            .zip(pair.y())
            .filter(|(x, y)| **x != 0.0 || **y != 0.0)
            .map(|(&x, &y)| (x * over_x, across(x, y) / norm))
            .collect();
        let (singles, groups) = split(&mut vectors);
        let length = along.hypot(norm);
        Some(Self { cosine: along / length, sine: norm / length, singles, groups })
    }

    /// The number of entries that are not zero in both inputs.
    pub fn count(&self) -> usize {
        self.entries().map(|entries| entries.count).sum()
    }

    /// The singles, then every group.
    pub fn entries(&self) -> impl Iterator<Item = &Entries> {
        std::iter::once(&self.singles).chain(self.groups.iter().map(|group| &group.entries))
    }

    /// `K_l(x_s, y_s) - T_l(x_s, y_s)` of a mask on which the inputs are parallel to the vector, `l = 1, 2`, in units of
    /// `(|x||y|)^l`. `T_l` is the Taylor polynomial of order `l` of `K_l` at the Gram triple of the whole inputs:
    ///
    /// - `T_1 = (1/2 pi) [ (sin t) (a + b)/2 + phi c ]`
    /// - `T_2 = (1/4 pi) [ 6 phi c^2 - (sin t cos t) (a^2 + b^2) + 4 (sin t) c (a + b) ]`
    ///
    /// with `a = (P/|x|)^2`, `b = (Q/|y|)^2`, `c = sqrt(a b)` up to its sign, `phi = pi - t`. `K_1 = max(c, 0)/2` and
    /// `K_2 = (3/2) max(c, 0)^2`.
    pub fn defect(&self, (xi, eta): (f64, f64)) -> [f64; 2] {
        let (cosine, sine) = (self.cosine, self.sine);
        let other = cosine * xi + sine * eta;
        let (a, b, c) = (xi * xi, other * other, xi * other);
        let angle = sine.atan2(cosine);
        // The kernel itself joins the term in c: 1/2 - phi / 2 pi = t / 2 pi.
        let factor = if c > 0.0 { angle } else { angle - PI };
        [
            (factor * c - sine * (a + b) / 2.0) / (2.0 * PI),
            (6.0 * factor * c * c + sine * (cosine * (a * a + b * b) - 4.0 * c * (a + b))) / (4.0 * PI),
        ]
    }

    /// The average over masks of [`Frame::defect`], as far as it comes from masks of one entry or within one group.
    pub fn parallel_masks(&self, connectivity: Connectivity) -> [f64; 2] {
        let (p, excess, count) = (connectivity.get(), connectivity.excess(), self.count() as f64);
        let mut sum = [0.0; 2];
        let lone = (1.0 - p).powf(count - 1.0);
        for vector in self.singles.vectors() {
            let defect = self.defect(vector);
            sum[0] += lone * defect[0];
            sum[1] += lone * defect[1] / p;
        }
        for group in &self.groups {
            let weight = (1.0 - p).powf(count - group.entries.count as f64);
            let (mut second, mut fourth) = (0.0, 0.0);
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
    /// `|K_1 - T_1| <= 1.2 (a + b)/2` and `|K_2 - T_2| <= 3.5 (a^2 + b^2)/2`, whose averages have closed forms. They are of
    /// the order of `d p`, so where next to nothing is left of a row they are all that is needed.
    pub fn other_masks_at_most(&self, connectivity: Connectivity) -> [f64; 2] {
        let (p, excess, count) = (connectivity.get(), connectivity.excess(), self.count() as f64);
        let missing = |size: f64| -((count - size) * (-p).ln_1p()).exp_m1();
        let squares = |(xi, eta): (f64, f64)| {
            let other = self.cosine * xi + self.sine * eta;
            [xi * xi, other * other]
        };
        let (mut first, mut second) = (0.0, 0.0);
        // Over both inputs: sum_g (1 - w_g) A_g, and 1 - sum_g w_g A_g^2 + q sum_j (1 - w_j) x_j^4.
        let mut within = [0.0; 2];
        let mut add = |entries: &Entries, together: bool| {
            let lost = missing(if together { entries.count as f64 } else { 1.0 });
            let mut total = [0.0; 2];
            for vector in entries.vectors() {
                for (input, square) in squares(vector).into_iter().enumerate() {
                    first += lost * square;
                    second += excess * lost * square * square;
                    total[input] += square;
                    if !together {
                        within[input] += (1.0 - lost) * square * square;
                    }
                }
            }
            if together {
                for (within, total) in within.iter_mut().zip(total) {
                    *within += (1.0 - lost) * total * total;
                }
            }
        };
        add(&self.singles, false);
        self.groups.iter().for_each(|group| add(&group.entries, true));
        second += within.iter().map(|within| (1.0 - within).max(0.0)).sum::<f64>();
        [1.2 * first / 2.0, 3.5 * second / 2.0]
    }
}

impl Entries {
    fn new(vectors: &[(f64, f64)]) -> Self {
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

/// Sorts the vectors into the largest groups of parallel ones and the rest.
///
/// Directions that agree to a few units in the last place are one: a group that is parallel only to rounding is off by the
/// square of that. Among groups of one size, their order is that of their directions.
fn split(vectors: &mut [(f64, f64)]) -> (Entries, Vec<Group>) {
    // The slope in the half plane of directions; the sign of the vector does not matter.
    let slope = |(xi, eta): &(f64, f64)| if *xi == 0.0 { f64::INFINITY } else { eta / xi };
    vectors.sort_by(|a, b| slope(a).total_cmp(&slope(b)).then(a.0.total_cmp(&b.0)).then(a.1.total_cmp(&b.1)));
    let near = |a: &(f64, f64), b: &(f64, f64)| {
        let (a, b) = (slope(a), slope(b));
        a == b || (a - b).abs() <= 8.0 * f64::EPSILON * a.abs().min(b.abs())
    };
    let count = vectors.len();
    let mut parts: Vec<&[(f64, f64)]> = vectors.chunk_by(near).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let least = (LEAST_SHARE * count as f64).max(2.0);
    let large = parts.iter().take_while(|part| part.len() as f64 >= least).count();
    let groups = parts[..large]
        .iter()
        .map(|part| {
            let longest = part.iter().copied().max_by(|a, b| a.0.hypot(a.1).total_cmp(&b.0.hypot(b.1)));
            let (xi, eta) = longest.unwrap_or_default();
            let length = xi.hypot(eta);
            Group { entries: Entries::new(part), direction: (xi / length, eta / length) }
        })
        .collect();
    (Entries::new(&parts[large..].concat()), groups)
}
