//! Rules that divide a weight budget over the layers of a network.

use std::fmt;
use std::str::FromStr;

use super::shapes::LayerShape;
use super::shapes::{MOST_WEIGHTS, SMALLER};
use crate::error::{Error, Result};
use crate::numeric::parse;

/// How a budget is divided over layers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// Weights are taken from the largest layer until it is as large as the next, then from both equally, and so on
    /// until the budget is met; a remainder is taken from the first of them, one weight each. This is the paper's rule
    /// (its Appendix B).
    LargestFirst,
    /// Each layer keeps weights in proportion to its size: the same connectivity everywhere, except for rounding. Also
    /// known as uniform.
    Proportional,
    /// The first layer is dense, the last keeps at least 20 % of its weights, and all others have the same
    /// connectivity; the last has it as well where that is more than 20 %. Gale, Elsen, Hooker, "The state of sparsity
    /// in deep neural networks", arXiv 1902.09574; as "uniform+" in Liu et al., "The unreasonable effectiveness of
    /// random pruning", ICLR 2022.
    UniformPlus,
    /// The last layer keeps this share of its weights (1: it stays dense, as in the paper's perceptrons); the others
    /// follow [`Rule::LargestFirst`].
    LastLayer(f64),
    /// Connectivities in proportion to `((n_out + n_in) / (n_out n_in))^a` with this power `a`, but at most 1; `a` is 1
    /// in the Erdos-Renyi rule of Mocanu et al., Nature Communications 9, 2018, and 0 gives [`Rule::Proportional`].
    ErdosRenyi(f64),
    /// Connectivities in proportion to `((n_out + n_in + k_1 + ...) / (n_out n_in k_1 ...))^a` with this power `a`, but
    /// at most 1; with `a = 1` the Erdos-Renyi-kernel rule of Evci, Gale, Menick, Castro, Elsen, "Rigging the lottery",
    /// ICML 2020, in whose program `a` is `erk_power_scale`.
    ErdosRenyiKernel(f64),
}

/// The share of its weights that the last layer keeps at least by [`Rule::UniformPlus`].
const LEAST_OF_LAST: f64 = 0.2;
/// The largest power: beyond, the connectivities of large layers would no longer be told from 0.
const LARGEST_POWER: f64 = 10.0;

impl FromStr for Rule {
    type Err = Error;

    /// Reads `largest-first`, `proportional` or `uniform`, `uniform-plus`, `last-dense`, `last:SHARE`, `er`,
    /// `er:POWER`, `erk` or `erk:POWER`, in any case.
    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase().replace('_', "-");
        let (kind, number) = name.split_once(':').map_or((name.as_str(), None), |(kind, number)| (kind, Some(number)));
        let power = || match number.map_or(Ok(1.0), parse::number) {
            Ok(power) if (0.0..=LARGEST_POWER).contains(&power) => Ok(power),
            _ => {
                let problem = format!("needs a power from 0 to {LARGEST_POWER} after {kind}:");
                Err(Error::value("rule", text, problem, format!("write for instance {kind}:0.5")))
            }
        };
        match (kind, number) {
            ("largest-first", None) => Ok(Self::LargestFirst),
            ("proportional" | "uniform", None) => Ok(Self::Proportional),
            ("uniform-plus" | "uniform+", None) => Ok(Self::UniformPlus),
            ("last-dense", None) => Ok(Self::LastLayer(1.0)),
            ("er", _) => Ok(Self::ErdosRenyi(power()?)),
            ("erk", _) => Ok(Self::ErdosRenyiKernel(power()?)),
            ("last", Some(share)) => match parse::share(share) {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self::LastLayer(share)),
                _ => Err(Error::value(
                    "rule",
                    text,
                    "needs a share from 0 to 1 after last:",
                    "write for instance last:0.5",
                )),
            },
            _ => Err(Error::value(
                "rule",
                text,
                "is not a rule",
                "use largest-first, proportional, uniform, uniform-plus, last-dense, last:0.5, er, erk or erk:0.5",
            )),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargestFirst => f.write_str("largest-first"),
            Self::Proportional => f.write_str("proportional"),
            Self::LastLayer(share) if *share == 1.0 => f.write_str("last-dense"),
            Self::LastLayer(share) => write!(f, "last:{share}"),
            Self::UniformPlus => f.write_str("uniform-plus"),
            Self::ErdosRenyi(power) if *power == 1.0 => f.write_str("er"),
            Self::ErdosRenyi(power) => write!(f, "er:{power}"),
            Self::ErdosRenyiKernel(power) if *power == 1.0 => f.write_str("erk"),
            Self::ErdosRenyiKernel(power) => write!(f, "erk:{power}"),
        }
    }
}

impl Rule {
    /// Divides `budget` weights over layers: returns how many each keeps, `budget` in all.
    ///
    /// ```
    /// use sparsewidth::network::budget::{LayerShapes, Rule};
    /// let network: LayerShapes = "mlp:784-216-10".parse()?;
    /// assert_eq!(Rule::LastLayer(1.0).divide(&network.layers, 6352)?, [4192, 2160]);
    /// assert_eq!(Rule::LargestFirst.divide(&network.layers, 6352)?, [4192, 2160]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Rule::divide_beside`].
    pub fn divide(&self, layers: &[LayerShape], budget: u64) -> Result<Vec<u64>> {
        self.divide_beside(layers, budget, &vec![None; layers.len()])
    }

    /// The same where the counts of some layers are given, one entry per layer: these keep them, whatever the rule, and
    /// the rule divides the rest of the budget over the others. The sum is the budget as ever; the program of "Rigging
    /// the lottery" leaves such layers out of its budget instead.
    ///
    /// ```
    /// use sparsewidth::network::budget::{LayerShapes, Rule};
    /// let network: LayerShapes = "mlp:784-216-100-10".parse()?;
    /// let counts = Rule::Proportional.divide_beside(&network.layers, 20_000, &[None, None, Some(1_000)])?;
    /// assert_eq!(counts, [16_851, 2_149, 1_000]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// Without any layer or with another number of entries than layers, for more than 2^52 weights in all, for a share
    /// that is not from 0 to 1 or a power that is not from 0 to 10, for a count beyond its layer, and for a budget of 0
    /// or of more than all weights, or that leaves the layers whose counts are given, by the rule or beside it, too few
    /// or too many.
    pub fn divide_beside(&self, layers: &[LayerShape], budget: u64, given: &[Option<u64>]) -> Result<Vec<u64>> {
        let sizes: Vec<u64> = layers.iter().map(LayerShape::weights).collect();
        let all = self.check(layers, &sizes, given)?;
        let mut counts = given.to_vec();
        let last = sizes.len() - 1;
        match self {
            Self::LastLayer(share) => {
                counts[last].get_or_insert((share * sizes[last] as f64).round() as u64);
            }
            Self::UniformPlus => {
                counts[0].get_or_insert(sizes[0]);
            }
            _ => {}
        }
        let kept = |counts: &[Option<u64>]| counts.iter().flatten().sum::<u64>();
        let free = |counts: &[Option<u64>]| -> u64 {
            counts.iter().zip(&sizes).filter(|(count, _)| count.is_none()).map(|(_, size)| size).sum()
        };
        let least = (LEAST_OF_LAST * sizes[last] as f64).round() as u64;
        let of_last = if *self == Self::UniformPlus && counts[last].is_none() { least } else { 0 };
        let (low, high) = ((kept(&counts) + of_last).max(1), kept(&counts) + free(&counts));
        if !(low..=high).contains(&budget) {
            let beside = if given.iter().any(Option::is_some) { " beside the layers that are given" } else { "" };
            let problem = format!("is not from {low} to {high}, what {self} can keep of {all} weights{beside}");
            return Err(Error::value("weights", budget, problem, "give a number in that range, or another rule"));
        }
        if of_last > 0 && (budget - kept(&counts)) as f64 / (free(&counts) as f64) < LEAST_OF_LAST {
            counts[last] = Some(least);
        }
        let open: Vec<usize> = (0..counts.len()).filter(|index| counts[*index].is_none()).collect();
        let (budget, sizes) = (budget - kept(&counts), open.iter().map(|index| sizes[*index]).collect::<Vec<_>>());
        let shares = match self {
            Self::LargestFirst | Self::LastLayer(_) => level(&sizes, budget),
            Self::Proportional | Self::UniformPlus => {
                let all = sizes.iter().sum::<u64>().max(1) as f64;
                let shares = sizes.iter().map(|size| *size as f64 * (budget as f64 / all)).collect();
                whole(shares, &sizes, budget)
            }
            Self::ErdosRenyi(power) | Self::ErdosRenyiKernel(power) => {
                let with_kernel = matches!(self, Self::ErdosRenyiKernel(_));
                let parts: Vec<f64> =
                    open.iter().map(|index| erdos_renyi(&layers[*index], *power, with_kernel)).collect();
                whole(in_proportion(&parts, &sizes, budget), &sizes, budget)
            }
        };
        open.iter().zip(shares).for_each(|(index, share)| counts[*index] = Some(share));
        Ok(counts.into_iter().flatten().collect())
    }

    /// Refuses what no budget can be divided over; the number of weights in all.
    fn check(&self, layers: &[LayerShape], sizes: &[u64], given: &[Option<u64>]) -> Result<u64> {
        let all = sizes.iter().fold(0u64, |all, size| all.saturating_add(*size));
        if layers.is_empty() {
            let problem = "the architecture has no layer to divide the budget over";
            return Err(Error::value("layers", 0, problem, "give at least one"));
        }
        if all > MOST_WEIGHTS {
            let problem = format!("{MOST_WEIGHTS} are the most");
            return Err(Error::value("layers", format!("{all} weights"), problem, SMALLER));
        }
        if given.len() != layers.len() {
            let problem = format!("there are {} layers", layers.len());
            return Err(Error::value("given", given.len(), problem, "give one entry per layer"));
        }
        if let Self::LastLayer(share) = self
            && !(0.0..=1.0).contains(share)
        {
            return Err(Error::value("last", share, "is not a share of a layer", "give a number from 0 to 1"));
        }
        if let Self::ErdosRenyi(power) | Self::ErdosRenyiKernel(power) = self
            && !(0.0..=LARGEST_POWER).contains(power)
        {
            let remedy = format!("give a number from 0 to {LARGEST_POWER}");
            return Err(Error::value("power", power, "is not a power of the rule", remedy));
        }
        for ((layer, size), count) in layers.iter().zip(sizes).zip(given) {
            if let Some(count) = count.filter(|count| count > size) {
                let problem = format!("the layer has {size} weights");
                return Err(Error::value(&layer.name, count, problem, "give it no more"));
            }
        }
        Ok(all)
    }
}

/// The weights of a layer in proportion to those of others, by an Erdos-Renyi rule: its size times
/// `(sum of sizes / product of sizes)^power`. Written so that a power of 1 is exact.
fn erdos_renyi(layer: &LayerShape, power: f64, with_kernel: bool) -> f64 {
    if layer.weights() == 0 {
        return 0.0;
    }
    let counted = || layer.shape.iter().take(if with_kernel { usize::MAX } else { 2 }).map(|size| *size as f64);
    let (sum, product): (f64, f64) = (counted().sum(), counted().product());
    sum.powf(power) * product.powf(1.0 - power) * (layer.weights() as f64 / product)
}

/// Shares of a budget in proportion to some parts; a layer that would keep more than its size is dense, and leaves less
/// to the others.
fn in_proportion(parts: &[f64], sizes: &[u64], budget: u64) -> Vec<f64> {
    let mut dense = vec![false; sizes.len()];
    loop {
        let (mut left, mut rest) = (budget as f64, 0.0);
        for ((part, size), dense) in parts.iter().zip(sizes).zip(&dense) {
            if *dense { left -= *size as f64 } else { rest += part }
        }
        let share = |index: usize| if dense[index] { sizes[index] as f64 } else { left / rest * parts[index] };
        let shares: Vec<f64> = (0..sizes.len()).map(share).collect();
        let beyond: Vec<bool> = shares.iter().zip(sizes).map(|(share, size)| *share >= *size as f64).collect();
        if beyond == dense {
            return shares;
        }
        dense = beyond;
    }
}

/// Takes weights from the largest layers until `budget` are left: all that hold more than a level are cut to it, and
/// the weights left over, fewer than one for each of them, stay with the last of them.
fn level(sizes: &[u64], budget: u64) -> Vec<u64> {
    let below = |level: u64| sizes.iter().map(|size| *size.min(&level)).sum::<u64>();
    let (mut low, mut high) = (0, sizes.iter().copied().max().unwrap_or(0));
    // The highest level that keeps no more than the budget.
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if below(middle) <= budget { low = middle } else { high = middle - 1 }
    }
    let mut counts: Vec<u64> = sizes.iter().map(|size| *size.min(&low)).collect();
    let mut over = budget - below(low);
    for (count, size) in counts.iter_mut().zip(sizes).rev() {
        if over > 0 && *size > *count {
            *count += 1;
            over -= 1;
        }
    }
    counts
}

/// Whole numbers near some shares, which sum to `budget`: each share is rounded down, and those with the largest
/// remainders get one more, the first of equal ones; none beyond its size.
fn whole(shares: Vec<f64>, sizes: &[u64], budget: u64) -> Vec<u64> {
    let mut counts: Vec<u64> =
        shares.iter().zip(sizes).map(|(share, size)| (share.max(0.0) as u64).min(*size)).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|a, b| shares[*b].fract().total_cmp(&shares[*a].fract()));
    let mut sum: u64 = counts.iter().sum();
    // Rounding of the shares themselves can take more than one round, or leave too many.
    while sum != budget {
        for index in &order {
            if sum < budget && counts[*index] < sizes[*index] {
                counts[*index] += 1;
                sum += 1;
            } else if sum > budget && counts[*index] > 0 {
                counts[*index] -= 1;
                sum -= 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn layers(sizes: &[usize]) -> Vec<LayerShape> {
        sizes
            .iter()
            .enumerate()
            .map(|(index, size)| LayerShape { name: index.to_string(), shape: vec![*size, 1] })
            .collect()
    }

    /// The rule as it is told: one weight at a time from the largest layer, the first of equal ones.
    fn one_by_one(sizes: &[usize], budget: u64) -> Vec<u64> {
        let mut counts: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
        while counts.iter().sum::<u64>() > budget {
            let largest = counts.iter().copied().max().unwrap();
            let first = counts.iter().position(|count| *count == largest).unwrap();
            counts[first] -= 1;
        }
        counts
    }

    const RULES: [Rule; 7] = [
        Rule::LargestFirst,
        Rule::Proportional,
        Rule::UniformPlus,
        Rule::LastLayer(0.5),
        Rule::ErdosRenyi(0.5),
        Rule::ErdosRenyiKernel(1.0),
        Rule::ErdosRenyiKernel(0.7),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn budgets_are_met_exactly(shapes in prop::collection::vec((1usize..400, 1usize..400, 1usize..4), 1..12), share in 0.0..1.0f64) {
            let layers: Vec<LayerShape> = shapes
                .iter()
                .enumerate()
                .map(|(index, (outputs, inputs, kernel))| LayerShape { name: index.to_string(), shape: vec![*outputs, *inputs, *kernel, *kernel] })
                .collect();
            let sizes: Vec<u64> = layers.iter().map(LayerShape::weights).collect();
            let budget = ((share * sizes.iter().sum::<u64>() as f64) as u64).max(1);
            for rule in RULES {
                let Ok(counts) = rule.divide(&layers, budget) else {
                    prop_assert!(matches!(rule, Rule::LastLayer(_) | Rule::UniformPlus));
                    continue;
                };
                prop_assert_eq!(counts.iter().sum::<u64>(), budget, "{}", rule);
                prop_assert!(counts.iter().zip(&sizes).all(|(count, size)| count <= size), "{}", rule);
                if let Ok(more) = rule.divide(&layers, budget + 1) && rule == Rule::LargestFirst {
                    prop_assert!(more.iter().zip(&counts).all(|(more, count)| more >= count), "not monotone");
                }
            }
        }

        #[test]
        fn largest_first_is_removal_one_by_one(sizes in prop::collection::vec(1usize..30, 1..7), share in 0.0..=1.0f64) {
            let budget = ((share * sizes.iter().sum::<usize>() as f64) as u64).max(1);
            prop_assert_eq!(Rule::LargestFirst.divide(&layers(&sizes), budget).unwrap(), one_by_one(&sizes, budget));
        }
    }

    #[test]
    fn connectivities_are_those_of_the_rules() {
        let network: Vec<LayerShape> = [vec![64, 3, 3, 3], vec![128, 64, 3, 3], vec![10, 128]]
            .into_iter()
            .map(|shape| LayerShape { name: format!("{shape:?}"), shape })
            .collect();
        let counts = Rule::ErdosRenyiKernel(1.0).divide(&network, 20_000).unwrap();
        // By hand: 198 (of 73, 198 and 138 in all 409) times 48.9 is below 73,728; 73 times 48.9 is beyond 1,728, 138
        // times that beyond 1,280; so both small layers are dense.
        assert_eq!(counts, [1_728, 16_992, 1_280]);
        let even = Rule::Proportional.divide(&network, 7_673).unwrap();
        assert_eq!(even, [173, 7_372, 128]);
        assert_eq!(Rule::LastLayer(0.1).divide(&network, 2_000).unwrap(), [936, 936, 128]);
    }

    #[test]
    fn infeasible_budgets_say_the_range() {
        let message = |rule: Rule, budget| rule.divide(&layers(&[100, 10]), budget).unwrap_err().to_string();
        assert!(message(Rule::LargestFirst, 111).contains("from 1 to 110"));
        assert!(message(Rule::Proportional, 0).contains("from 1 to 110"));
        assert!(message(Rule::LastLayer(1.0), 9).contains("from 10 to 110"));
        assert!(message(Rule::LastLayer(0.5), 106).contains("from 5 to 105"));
        assert!(message(Rule::LastLayer(1e300), 5).contains("not a share"));
        assert!(Rule::Proportional.divide(&[], 5).is_err());
        for text in ["largest-first", "proportional", "uniform-plus", "last-dense", "last:0.25", "er", "erk", "erk:0.5"]
        {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in ["last:2", "last:", "first", "last:NaN"] {
            let words = if text.starts_with("last:") { "a share from 0 to 1" } else { "largest-first" };
            assert!(text.parse::<Rule>().unwrap_err().to_string().contains(words), "{text}");
        }
    }

    #[test]
    fn layers_beyond_counting_are_refused_by_every_rule() {
        let layers = layers(&[usize::MAX, usize::MAX]);
        for rule in RULES {
            let message = rule.divide(&layers, 5).unwrap_err().to_string();
            assert!(message.contains("are the most"), "{message}");
        }
    }
}
