//! The sum over masks of many entries of few kinds: over how many of each kind are in the mask, up to a number of them
//! in all.

use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::{Gram, Pair};
use sparsewidth::numeric::estimate::{Estimate, Uncertainty};

/// Rounding of the sum, in units of `|x||y|` and of its square's average: products of a few weights, each good to some
/// tens of units in the last place, of kernels good to a few.
const ROUNDING: f64 = 256.0 * f64::EPSILON;

/// Entries with the same `(x_j, y_j)` up to a common sign.
struct Kind {
    gram: Gram,
    /// The probabilities that `0, 1, ...` of them are in the mask.
    weights: Vec<f64>,
}

/// `K~_1`, `K~_2` and `K~_1 - K_1`, with masks left out that are worth no more than `negligible` of the first two.
pub fn sum_over_counts(pair: &Pair, p: f64, negligible: [f64; 2]) -> [Estimate; 3] {
    let turned = pair.x().iter().zip(pair.y()).map(|(x, y)| if *x < 0.0 { (-x, -y) } else { (*x, *y) });
    let mut entries: Vec<(f64, f64)> = turned.filter(|entry| *entry != (0.0, 0.0)).collect();
    entries.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (most, tails) = most_entries(&entries, p, negligible);
    let kinds: Vec<Kind> = entries
        .chunk_by(|a, b| a == b)
        .map(|equal| {
            let (x, y) = equal[0];
            let mut weights = binomial(equal.len(), p);
            weights.truncate(most + 1);
            Kind { gram: Gram { a: x * x, b: y * y, c: x * y }, weights }
        })
        .collect();
    let mut sums = [Sum::default(); 2];
    add(&kinds, most, Gram::default(), 1.0, &mut sums);

    let gram = pair.gram();
    let q = (1.0 - p) / p;
    let fourth = |of: fn(&(f64, f64)) -> f64| entries.iter().map(|entry| of(entry).powi(4)).sum::<f64>();
    let second = |norm: f64, fourth: f64| (norm * norm + q * fourth).sqrt();
    let scales = [gram.scale(), 1.5 * second(gram.a, fourth(|(x, _)| *x)) * second(gram.b, fourth(|(_, y)| *y))];
    let estimate = |l: usize, subtracted: f64| Estimate {
        value: sums[l].value() / p.powi(l as i32 + 1) - subtracted,
        error: Uncertainty::bound(tails[l] + ROUNDING * scales[l]),
    };
    [estimate(0, 0.0), estimate(1, 0.0), estimate(0, arc_cosine(gram).k1)]
}

/// Up to how many entries a mask must be summed, and what larger ones are worth: with `k` entries the kernels are at
/// most `k a / 2` and `3/2 (k a)^2`, with `a` the largest `|x_j|` times the largest `|y_j|`.
fn most_entries(entries: &[(f64, f64)], p: f64, negligible: [f64; 2]) -> (usize, [f64; 2]) {
    let largest = |of: fn(&(f64, f64)) -> f64| entries.iter().fold(0.0f64, |most, entry| most.max(of(entry).abs()));
    let unit = largest(|(x, _)| *x) * largest(|(_, y)| *y) / p;
    let mut tails = [0.0; 2];
    for (count, weight) in binomial(entries.len(), p).into_iter().enumerate().rev() {
        let count_units = count as f64 * unit;
        let more = [tails[0] + weight * count_units / 2.0, tails[1] + weight * 1.5 * count_units * count_units];
        if more[0] > negligible[0] || more[1] > negligible[1] {
            return (count, tails);
        }
        tails = more;
    }
    (0, tails)
}

/// `C(m, k) p^k (1-p)^(m-k)`, upwards from `k = 0`; for `m p` below some hundred, so that the first is not 0.
fn binomial(m: usize, p: f64) -> Vec<f64> {
    let odds = p / (1.0 - p);
    let mut weight = (m as f64 * (-p).ln_1p()).exp();
    let mut weights = vec![weight];
    for k in 0..m {
        weight *= (m - k) as f64 / (k + 1) as f64 * odds;
        weights.push(weight);
    }
    weights
}

/// Adds the masks with at most `left` entries of the kinds given to a mask that has a Gram triple and a probability.
fn add(kinds: &[Kind], left: usize, gram: Gram, weight: f64, sums: &mut [Sum; 2]) {
    let Some((kind, kinds)) = kinds.split_first() else {
        let kernel = arc_cosine(gram);
        sums[0].add(weight * kernel.k1);
        sums[1].add(weight * kernel.k2);
        return;
    };
    for (count, of_kind) in kind.weights.iter().enumerate().take(left + 1) {
        let times = count as f64;
        let gram =
            Gram { a: gram.a + times * kind.gram.a, b: gram.b + times * kind.gram.b, c: gram.c + times * kind.gram.c };
        add(kinds, left - count, gram, weight * of_kind, sums);
    }
}

/// A compensated (Neumaier) sum.
#[derive(Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        let next = self.sum + term;
        self.lost += if self.sum >= term { (self.sum - next) + term } else { (term - next) + self.sum };
        self.sum = next;
    }

    fn value(self) -> f64 {
        self.sum + self.lost
    }
}
