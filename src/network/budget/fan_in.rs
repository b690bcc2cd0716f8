//! Counts by which every output of a layer keeps as many weights.

use std::cmp::Reverse;

use super::shapes::LayerShape;
use crate::error::{Error, Result};

/// How many weights the outputs of a layer keep, where not any number each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum FanIn {
    /// The same number at every output of a layer: what the rule gives it, rounded up or down, so that the sum over
    /// layers is as close to the budget as rounding allows.
    Constant,
    /// The same, but the sum is the budget: the weights left over go to as few layers as possible, in which some
    /// outputs keep one weight more than others.
    Even,
}

/// The most sums, and steps, of the search for the best one; beyond, layers are taken one after another, the largest
/// first.
const MOST_SUMS: u64 = 1 << 22;
const MOST_STEPS: u64 = 1 << 28;

/// What a layer has and keeps.
struct Layer {
    outputs: u64,
    inputs: u64,
    /// What a rule gave it.
    share: u64,
    /// Weights of each output.
    each: u64,
    /// The fewest of these.
    least: u64,
}

impl Layer {
    fn kept(&self) -> u64 {
        self.outputs * self.each
    }

    fn is_full(&self) -> bool {
        self.each == self.inputs
    }

    /// What rounding down has taken, as a part of the weights that one more at each output are.
    fn remainder(&self) -> f64 {
        (self.share as f64 - self.kept() as f64) / self.outputs as f64
    }
}

impl FanIn {
    /// Counts near those that a rule gave, `counts`, and with their sum `sum(counts)`, or as near to it as can be.
    ///
    /// A layer of `m` outputs whose count is `c` keeps `m floor(c / m)` or `m ceil(c / m)` weights: which layers are
    /// rounded up is chosen so that the sum is closest to the budget, and among equal sums those with the largest
    /// remainders are. A layer with fewer weights than outputs keeps one at each with [`FanIn::Constant`], and for that
    /// other layers may lose more; with [`FanIn::Even`] it keeps what the rule gave it, at some of its outputs.
    ///
    /// ```
    /// use sparsewidth::network::budget::{FanIn, LayerShapes, Rule};
    /// let network: LayerShapes = "mlp:784-216-10".parse()?;
    /// let counts = Rule::LargestFirst.divide(&network.layers, 6000)?;
    /// assert_eq!(counts, [3840, 2160]);
    /// assert_eq!(FanIn::Constant.counts(&network.layers, &counts)?, [216 * 18, 10 * 216]);
    /// assert_eq!(FanIn::Even.counts(&network.layers, &counts)?, [3840, 10 * 216]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is not one count per layer, or a layer keeps more than it has; with [`FanIn::Constant`], also where
    /// there are fewer weights than outputs of the layers that keep any.
    pub fn counts(self, layers: &[LayerShape], counts: &[u64]) -> Result<Vec<u64>> {
        let mut layers = rounded_down(layers, counts, self)?;
        let budget: u64 = counts.iter().sum();
        lower(&mut layers, budget);
        let sum = |layers: &[Layer]| layers.iter().map(Layer::kept).sum::<u64>();
        if self == Self::Constant {
            let least = sum(&layers);
            if least > budget {
                let problem = format!("is fewer than the {least} outputs of the layers that keep any weight");
                return Err(Error::value("weights", budget, problem, "give more, so that each output has one"));
            }
        }
        // Even: layers that cannot give each output a weight keep their share, and take no part.
        let takes_part = |layer: &Layer| layer.remainder() > 0.0 && layer.each > 0;
        let apart: u64 = match self {
            Self::Constant => 0,
            Self::Even => layers.iter().filter(|layer| layer.each == 0).map(|layer| layer.share).sum(),
        };
        let left = budget - sum(&layers) - apart;
        let mut order: Vec<usize> = (0..layers.len()).filter(|index| takes_part(&layers[*index])).collect();
        order.sort_by(|a, b| layers[*b].remainder().total_cmp(&layers[*a].remainder()));
        let outputs: Vec<u64> = order.iter().map(|index| layers[*index].outputs).collect();
        for chosen in nearest_sum(&outputs, left, self == Self::Constant) {
            layers[order[chosen]].each += 1;
        }
        if self == Self::Constant {
            return Ok(layers.iter().map(Layer::kept).collect());
        }
        let left = budget - sum(&layers) - apart;
        Ok(with_rest(&layers, left))
    }
}

/// Layers that keep as many weights at each output as their counts allow; with a constant fan-in at least one, where
/// they keep any.
fn rounded_down(layers: &[LayerShape], counts: &[u64], fan_in: FanIn) -> Result<Vec<Layer>> {
    if counts.len() != layers.len() {
        let problem = format!("there are {} layers", layers.len());
        return Err(Error::value("counts", counts.len(), problem, "give one count per layer"));
    }
    let layer = |(shape, count): (&LayerShape, &u64)| {
        let (outputs, inputs) = (shape.outputs() as u64, shape.fan_in() as u64);
        if *count > shape.weights() {
            let problem = format!("the layer has {} weights", shape.weights());
            return Err(Error::value(&shape.name, count, problem, "give it no more"));
        }
        let least = u64::from(fan_in == FanIn::Constant && *count > 0);
        let each = (count / outputs.max(1)).max(least);
        Ok(Layer { outputs, inputs, share: *count, each, least })
    };
    layers.iter().zip(counts).map(layer).collect()
}

/// Takes weights from the outputs of layers until their sum is at most the budget or nothing is left to take; dense
/// layers come last, and of others first the one that has the most per output.
fn lower(layers: &mut [Layer], budget: u64) {
    let mut sum: u64 = layers.iter().map(Layer::kept).sum();
    while sum > budget {
        let can_give = layers.iter_mut().filter(|layer| layer.each > layer.least);
        let Some(layer) = can_give.max_by_key(|layer| (!layer.is_full(), layer.each, Reverse(layer.outputs))) else {
            return;
        };
        // In few steps also where a layer has few outputs and many inputs.
        let taken = (sum - budget).div_ceil(layer.outputs).min(layer.each - layer.least).min((layer.each / 8).max(1));
        layer.each -= taken;
        sum -= taken * layer.outputs;
    }
}

/// Which of some numbers to add so that their sum is as close to `goal` as possible, from below if it must not be
/// `beyond`; the first ones where there is a choice.
fn nearest_sum(numbers: &[u64], goal: u64, beyond: bool) -> Vec<usize> {
    let unit = numbers.iter().fold(0, |unit, number| greatest_common_divisor(unit, *number)).max(1);
    let largest = numbers.iter().max().copied().unwrap_or(0);
    // A sum further beyond the goal than the largest number can do without one of them.
    let end = ((goal + if beyond { largest } else { 0 }) / unit).min(numbers.iter().map(|number| number / unit).sum());
    if end > MOST_SUMS || end * numbers.len() as u64 > MOST_STEPS {
        return largest_first(numbers, goal);
    }
    // For each sum, the number that was added last where it was first reached.
    let mut added: Vec<Option<u32>> = vec![None; end as usize + 1];
    let mut reached = 0;
    for (index, number) in (0..).zip(numbers) {
        let number = (number / unit) as usize;
        reached = (reached + number).min(end as usize);
        for sum in (number..=reached).rev() {
            if added[sum].is_none() && sum > 0 && (sum == number || added[sum - number].is_some()) {
                added[sum] = Some(index);
            }
        }
    }
    let is_reached = |sum: &u64| *sum == 0 || added[*sum as usize].is_some();
    let best = (0..=end).filter(is_reached).min_by_key(|sum| (sum * unit).abs_diff(goal));
    let best = best.expect("the sum of nothing is reached");
    let (mut sum, mut chosen) = (best as usize, Vec::new());
    while sum > 0 {
        let index = added[sum].expect("only sums that were reached are gone back to") as usize;
        chosen.push(index);
        sum -= (numbers[index] / unit) as usize;
    }
    chosen
}

/// The same one after another, the largest first, as long as they fit.
fn largest_first(numbers: &[u64], goal: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by_key(|index| Reverse(numbers[*index]));
    let mut left = goal;
    order.retain(|index| {
        let fits = numbers[*index] <= left;
        left -= if fits { numbers[*index] } else { 0 };
        fits
    });
    order
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// What layers keep when `left` weights more go to as few of them as possible, one at some outputs each: first to the
/// one with the most outputs of those that were rounded down.
fn with_rest(layers: &[Layer], mut left: u64) -> Vec<u64> {
    let keeps = |layer: &Layer| if layer.each == 0 { layer.share } else { layer.kept() };
    let mut counts: Vec<u64> = layers.iter().map(keeps).collect();
    let mut order: Vec<usize> = (0..layers.len()).filter(|index| !layers[*index].is_full()).collect();
    order.sort_by_key(|index| {
        let layer = &layers[*index];
        (layer.each == 0, layer.remainder() <= 0.0, Reverse(layer.outputs))
    });
    // A round is enough wherever the search took as much as fits.
    while left > 0 {
        for index in &order {
            let layer = &layers[*index];
            let room =
                (layer.outputs - counts[*index] % layer.outputs).min(layer.outputs * layer.inputs - counts[*index]);
            let more = left.min(room);
            counts[*index] += more;
            left -= more;
        }
    }
    counts
}
