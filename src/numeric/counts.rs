//! Laws of counts: how many entries a random mask keeps.

/// The probabilities `C(m, k) p^k (1-p)^(m-k)`, `k = 0..=m`, each to a relative error of a few units in the last place
/// times its distance from the mode: ratios of neighbours outwards from the mode, then normalised. (A product of
/// logarithms of factorials, the usual way, loses four digits at `m = 784`.)
pub fn binomial(m: u32, p: f64) -> Vec<f64> {
    let (size, odds) = (m as usize, p / (1.0 - p));
    if p == 1.0 {
        return (0..=size).map(|k| f64::from(u8::from(k == size))).collect();
    }
    let mode = (((f64::from(m) + 1.0) * p) as usize).min(size);
    let mut weights = vec![0.0; size + 1];
    weights[mode] = 1.0;
    for k in mode..size {
        weights[k + 1] = weights[k] * ((size - k) as f64 / (k + 1) as f64) * odds;
    }
    for k in (0..mode).rev() {
        weights[k] = weights[k + 1] * ((k + 1) as f64 / (size - k) as f64) / odds;
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

/// The probabilities that `j = 0..=m` of `m` given entries are kept, where `kept` of all `entries` are kept, uniformly
/// at random.
pub fn hypergeometric(m: usize, entries: f64, kept: f64) -> Vec<f64> {
    let rest = entries - m as f64;
    let mut weights = vec![0.0; m + 1];
    let (least, most) = ((kept - rest).max(0.0) as usize, kept.min(m as f64) as usize);
    // From the mode in both directions, by ratios.
    let mode = (((m as f64 + 1.0) * (kept + 1.0) / (entries + 2.0)) as usize).clamp(least, most);
    let ratio = |j: usize| {
        let j = j as f64;
        (m as f64 - j) * (kept - j) / ((j + 1.0) * (rest - kept + j + 1.0))
    };
    weights[mode] = 1.0;
    for j in mode..most {
        weights[j + 1] = weights[j] * ratio(j);
    }
    for j in (least..mode).rev() {
        weights[j] = weights[j + 1] / ratio(j);
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, Discrete};

    #[test]
    fn binomial_weights_match_statrs() {
        for (m, p) in [(1, 0.3), (7, 0.999), (30, 0.01), (784, 0.1)] {
            let weights = binomial(m, p);
            let reference = Binomial::new(p, u64::from(m)).unwrap();
            for (k, weight) in weights.iter().enumerate() {
                // statrs goes through logarithms of factorials, good to about 1e-11 here.
                let expected = reference.pmf(k as u64);
                assert!((weight - expected).abs() <= 1e-10 * expected + 1e-300, "{m} {p} {k}");
            }
        }
    }

    #[test]
    fn counts_are_hypergeometric() {
        use statrs::distribution::{Discrete, Hypergeometric};
        for (m, entries, kept) in [(5usize, 12u64, 4u64), (12, 12, 7), (30, 90, 77), (3, 100, 99)] {
            let law = Hypergeometric::new(entries, kept, m as u64).unwrap();
            for (j, weight) in hypergeometric(m, entries as f64, kept as f64).iter().enumerate() {
                // statrs goes through logarithms of factorials.
                let expected = law.pmf(j as u64);
                assert!(
                    (weight - expected).abs() < 1e-9 * expected + 1e-12,
                    "{m} {entries} {kept} {j}: {weight} {expected}"
                );
            }
        }
        // Beyond what statrs takes: mean and variance.
        for (m, entries, kept) in [(784, 6272.0, 100.0), (700, 784.0, 780.0), (784, 784.0 * 512.0, 1232.0)] {
            let weights = hypergeometric(m, entries, kept);
            let moment = |power: i32, about: f64| {
                weights.iter().enumerate().map(|(j, weight)| weight * (j as f64 - about).powi(power)).sum::<f64>()
            };
            let (mean, share) = (m as f64 * kept / entries, kept / entries);
            let variance = mean * (1.0 - share) * (entries - m as f64) / (entries - 1.0);
            assert!((moment(1, 0.0) / mean - 1.0).abs() < 1e-11 && (moment(2, mean) / variance - 1.0).abs() < 1e-9);
        }
    }
}
