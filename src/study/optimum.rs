//! The width and connectivity that minimise the distance at a weight budget.

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::distance::mean_square;
use crate::data::{Dataset, Normalisation, PreparedInputs};
use crate::error::{Error, Result};
use crate::kernel::eq_4;
use crate::kernel::gram::Pair;
use crate::kernel::masked::{Auto, Expansion, MaskedMoments, Quadrature, Row, RowMoments, Sampling};
use crate::kernel::nngp::{Dimension, Width, theorem_1};
use crate::kernel::ntk::Kernel;
use crate::network::Connectivity;
use crate::network::budget::first_layer_connectivity;
use crate::numeric::statistics::{mean, quantile, sorted};

/// What is to be minimised, and over what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimumSpec {
    /// The inputs.
    pub data: Dataset,
    /// Their normalisation.
    pub normalisation: Normalisation,
    /// The weight budget.
    pub weights: usize,
    /// Outputs of the dense last layer that the budget pays for; 0 for the first layer alone.
    pub outputs: usize,
    /// Random pairs of inputs; where the data has no more pairs than this, each of them once.
    pub pairs: usize,
    /// Whether the median over pairs is minimised instead of the mean.
    pub median: bool,
    /// Whose distance is minimised.
    #[serde(flatten)]
    pub kernel: Kernel,
    /// The relative error of the exact masked moments.
    pub tolerance: f64,
    /// The seed of the pairs.
    pub seed: u64,
}

/// The theory by which the distance is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum OptimumMethod {
    /// Theorem 1.
    #[strum(message = "Theorem 1")]
    Theorem1,
    /// Theorem 1 with the second-order expansion.
    #[strum(message = "second-order expansion")]
    #[serde(alias = "moments")]
    Expansion,
    /// Eq. (4) of the paper at the network's own connectivity.
    #[strum(message = "Eq. (4), own p")]
    Paper,
    /// The width `n p / p*` of the paper's `p* = sqrt(n p / 4 d)`, at `n p = weights / (d + outputs)`; the connectivity
    /// is the one that the budget leaves at this width. It is lower than `p*` where there is a last layer.
    #[strum(message = "width of p* = sqrt(n p / 4 d)")]
    PaperFormula,
}

impl OptimumMethod {
    /// All, in the order of tables.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// What it is, for tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

/// Distances at one width: the mean or median over pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The width `n`.
    pub width: usize,
    /// The connectivity `p` of the first layer that the budget leaves.
    pub connectivity: Connectivity,
    /// By Theorem 1, exactly.
    pub theorem1: f64,
    /// By the second-order expansion.
    #[serde(alias = "moments")]
    pub expansion: f64,
    /// By Eq. (4).
    pub paper: f64,
}

impl CurvePoint {
    pub(crate) fn by(&self, method: OptimumMethod) -> f64 {
        match method {
            OptimumMethod::Theorem1 => self.theorem1,
            OptimumMethod::Expansion => self.expansion,
            OptimumMethod::Paper | OptimumMethod::PaperFormula => self.paper,
        }
    }
}

/// The minimum under one theory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// The theory.
    pub method: OptimumMethod,
    /// The point of its minimum; all distances there.
    pub at: CurvePoint,
    /// The widths between which the theory's own distance stays within 5 % of its minimum, as far as was searched; none
    /// for the formula.
    pub within_5_percent: Option<(f64, f64)>,
    /// The exact distance here, divided by the least exact distance: what following this theory costs.
    pub exact_over_least: f64,
    /// Whether this is the widest network that was searched, whose rows keep one weight on average. The theory's
    /// distance may then fall further, and this is the end of the search rather than a minimum.
    #[serde(default)]
    pub at_end: bool,
}

/// The minima and the curves that they were found on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimumReport {
    /// What was asked.
    pub spec: OptimumSpec,
    /// Input dimension `d`.
    pub dimension: usize,
    /// Number of pairs; 0 in older reports.
    #[serde(default)]
    pub pairs: usize,
    /// SHA-256 of the data.
    pub checksum: String,
    /// Version of the program.
    pub version: String,
    /// The mean and standard deviation by which a global normalisation shifted and scaled every entry, for bytes in
    /// units of 255.
    #[serde(default)]
    pub global_mean: Option<f64>,
    /// See `global_mean`.
    #[serde(default)]
    pub global_deviation: Option<f64>,
    /// The mean of `|x|^2 / d` over the inputs, which Eq. (4) takes to be 1.
    #[serde(default)]
    pub mean_square: Option<f64>,
    /// A minimum per theory; none for a theory with distances that are not positive.
    pub optima: Vec<Optimum>,
    /// All points that were evaluated, by width.
    pub curve: Vec<CurvePoint>,
}

/// The number of widths, in equal steps of their logarithm, that the search begins with.
const SCAN: usize = 20;
/// Half a percent: widths closer than this are not searched.
const FINEST: f64 = 0.005;

impl OptimumSpec {
    /// Refuses settings that are out of range; [`OptimumSpec::run`] does so first.
    ///
    /// # Errors
    /// Where it finds any.
    pub fn check(&self) -> Result<()> {
        if !(1..=1_000_000).contains(&self.pairs) {
            let remedy = "give a number in that range";
            return Err(Error::value("pairs", self.pairs, "must be from 1 to 1,000,000", remedy));
        }
        Quadrature::new(self.tolerance).map(|_| ())
    }

    /// Scans the widths that the budget admits, then narrows down each minimum to one width. `progress` is called with
    /// the share that is done, as far as it is known.
    ///
    /// # Errors
    /// Where the data cannot be read or normalised or its kernels vanish, the budget admits no width, or a setting is
    /// out of range.
    pub fn run(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<OptimumReport> {
        self.check()?;
        let inputs = self.data.inputs(self.seed)?;
        let normaliser = inputs.normaliser(self.normalisation)?;
        let values = PreparedInputs::new(normaliser.apply(inputs.values.clone())?)?;
        let mean_square = mean_square(values.values());
        let pairs = values.pairs(&values.random_pairs(self.pairs, self.seed)?)?;
        let (quadrature, sampling) = (Quadrature::new(self.tolerance)?, Sampling::new(1000, self.seed)?);
        let search = Search { spec: self, dimension: values.dimension(), pairs, method: Auto { quadrature, sampling } };
        let dimension = values.dimension().get();
        let (least, most) = admitted_widths(self.weights, dimension, self.outputs)?;

        // Each minimum takes about ten more points; two of the theories share most of theirs.
        let expected = SCAN + 20;
        let mut curve: Vec<CurvePoint> = Vec::new();
        let evaluate = |curve: &mut Vec<CurvePoint>, width: usize| -> Result<()> {
            if let Err(place) = curve.binary_search_by_key(&width, |point| point.width) {
                curve.insert(place, search.at(width)?);
                progress(curve.len() as f64 / expected.max(curve.len() + 1) as f64);
            }
            Ok(())
        };
        let step = (most as f64 / least as f64).ln() / (SCAN - 1) as f64;
        for index in 0..SCAN {
            let width = (least as f64 * (step * index as f64).exp()).round() as usize;
            evaluate(&mut curve, width.clamp(least, most))?;
        }
        let vanish = || {
            let problem = "has kernels that vanish for every network, so there is nothing to minimise";
            Error::value("data", &self.data, problem, "give other inputs, or more pairs")
        };
        minimum(&curve, OptimumMethod::Theorem1).ok_or_else(vanish)?;
        // Go on until each minimum is close enough to its neighbours: a point added for one theory can be the minimum
        // of another.
        loop {
            let methods = [OptimumMethod::Theorem1, OptimumMethod::Expansion, OptimumMethod::Paper];
            let next = methods.into_iter().find_map(|method| {
                let widths: Vec<usize> = curve.iter().map(|point| point.width).collect();
                between(&widths, minimum(&curve, method)?, FINEST)
            });
            match next {
                Some(width) => evaluate(&mut curve, width)?,
                None => break,
            }
        }
        let even = self.weights as f64 / (dimension + self.outputs) as f64;
        let formula = even / eq_4::optimal_connectivity(search.dimension, even);
        let asked = formula.round() as usize;
        let formula = asked.clamp(least, most);
        evaluate(&mut curve, formula)?;

        let best = minimum(&curve, OptimumMethod::Theorem1).map(|place| curve[place].theorem1).ok_or_else(vanish)?;
        let optima = OptimumMethod::ALL
            .iter()
            .copied()
            .filter_map(|method| {
                let place = match method {
                    OptimumMethod::PaperFormula => {
                        let place = curve.iter().position(|point| point.width == formula);
                        place.expect("the formula's width was evaluated above")
                    }
                    _ => minimum(&curve, method)?,
                };
                let at = curve[place];
                let at_end = if method == OptimumMethod::PaperFormula { asked > most } else { at.width == most };
                let flat = (method != OptimumMethod::PaperFormula).then(|| within(&curve, method, place));
                Some(Optimum { method, at, within_5_percent: flat, exact_over_least: at.theorem1 / best, at_end })
            })
            .collect();
        Ok(OptimumReport {
            spec: self.clone(),
            dimension,
            pairs: search.pairs.len(),
            checksum: inputs.checksum.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            global_mean: normaliser.global_scale().map(|scale| scale.mean),
            global_deviation: normaliser.global_scale().map(|scale| scale.deviation),
            mean_square: Some(mean_square),
            optima,
            curve,
        })
    }
}

/// The least and the largest width that a budget admits: a dense first layer, and on average one weight per row of it.
pub(super) fn admitted_widths(weights: usize, dimension: usize, outputs: usize) -> Result<(usize, usize)> {
    let least = weights.div_ceil(dimension.saturating_add(outputs)).max(1);
    // (weights - outputs n) / n >= 1 leaves one weight per row.
    let most = weights / outputs.saturating_add(1);
    if most <= least {
        let problem = format!("leaves no choice of width at {dimension} inputs and {outputs} outputs");
        return Err(Error::value("weights", weights, problem, "give a larger budget"));
    }
    Ok((least, most))
}

struct Search<'a> {
    spec: &'a OptimumSpec,
    dimension: Dimension,
    pairs: Vec<Pair<'static>>,
    method: Auto,
}

impl Search<'_> {
    fn at(&self, width: usize) -> Result<CurvePoint> {
        let OptimumSpec { weights, outputs, median, .. } = *self.spec;
        let connectivity = first_layer_connectivity(weights, self.dimension.get(), outputs, width)?;
        let units = Width::new(width)?;
        let distance = |method: &dyn RowMoments| -> Result<f64> {
            let moments = method.of_pairs(&self.pairs, &Row::new(connectivity).kernel(self.spec.kernel))?;
            let of_pair = |moments: &MaskedMoments| theorem_1(moments, self.dimension, units).total();
            let values: Vec<f64> = moments.iter().map(of_pair).collect();
            Ok(if median { quantile(&sorted(&values), 0.5) } else { mean(&values) })
        };
        Ok(CurvePoint {
            width,
            connectivity,
            theorem1: distance(&self.method)?,
            expansion: distance(&Expansion)?,
            paper: eq_4::off_diagonal(self.dimension, units, connectivity).total(),
        })
    }
}

/// The place of the least distance; none if any distance is not positive. The expansion gives such where it breaks
/// down, and so do inputs whose kernels vanish.
fn minimum(curve: &[CurvePoint], method: OptimumMethod) -> Option<usize> {
    let values: Vec<f64> = curve.iter().map(|point| point.by(method)).collect();
    let positive = values.iter().all(|value| *value > 0.0);
    positive.then(|| (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b])))?
}

/// A width in the middle, by the logarithm, of the wider of the two gaps beside the width at `place`; none where both
/// gaps are below `finest`, a difference of logarithms, or hold no width.
pub(super) fn between(widths: &[usize], place: usize, finest: f64) -> Option<usize> {
    let gap = |low: usize| {
        let (low, high) = (*widths.get(low)? as f64, *widths.get(low + 1)? as f64);
        (high - low >= 2.0).then(|| ((high / low).ln(), low, high))
    };
    let gaps = [place.checked_sub(1).and_then(gap), gap(place)];
    let (_, low, high) = gaps.into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0)).filter(|gap| gap.0 >= finest)?;
    Some((low * high).sqrt().round().clamp(low + 1.0, high - 1.0) as usize)
}

/// The widths on both sides at which the curve crosses 1.05 times its minimum, linear in the logarithm of the width
/// between points; the end of the curve where it does not.
fn within(curve: &[CurvePoint], method: OptimumMethod, place: usize) -> (f64, f64) {
    let limit = 1.05 * curve[place].by(method);
    let cross = |points: &mut dyn Iterator<Item = &CurvePoint>| -> f64 {
        let mut last = curve[place];
        for point in points {
            let (before, after) = (last.by(method), point.by(method));
            if after > limit {
                let share = (limit - before) / (after - before);
                let (from, to) = ((last.width as f64).ln(), (point.width as f64).ln());
                return (from + share * (to - from)).exp();
            }
            last = *point;
        }
        last.width as f64
    };
    (cross(&mut curve[..place].iter().rev()), cross(&mut curve[place + 1..].iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;

    fn report(spec: OptimumSpec) -> OptimumReport {
        spec.run(&|_| {}).unwrap()
    }

    fn gaussian() -> OptimumSpec {
        OptimumSpec {
            data: DataSource::Gaussian { dimension: 64, samples: 40 }.into(),
            normalisation: Normalisation::None,
            weights: 512,
            outputs: 0,
            pairs: 30,
            median: false,
            kernel: Kernel::Nngp,
            tolerance: 1e-3,
            seed: 1,
        }
    }

    #[test]
    fn minima_are_minima_over_all_widths() {
        let spec = gaussian();
        let report = report(spec.clone());
        let inputs = spec.data.inputs(1).unwrap();
        let values = inputs.normalised(Normalisation::None).unwrap();
        let values = PreparedInputs::new(values).unwrap();
        let pairs = values.pairs(&values.random_pairs(30, 1).unwrap()).unwrap();
        let method = Auto { quadrature: Quadrature::new(1e-3).unwrap(), sampling: Sampling::new(1000, 1).unwrap() };
        let search = Search { spec: &spec, dimension: values.dimension(), pairs, method };
        let everywhere: Vec<CurvePoint> = (8..=512).step_by(8).map(|width| search.at(width).unwrap()).collect();
        for optimum in &report.optima[..3] {
            let least = everywhere.iter().map(|point| point.by(optimum.method)).fold(f64::INFINITY, f64::min);
            assert!(optimum.at.by(optimum.method) <= least * 1.0001, "{optimum:?}, {least}");
            let (low, high) = optimum.within_5_percent.unwrap();
            assert!(low <= optimum.at.width as f64 && high >= optimum.at.width as f64);
            assert!(optimum.exact_over_least >= 1.0);
        }
        // Eq. (4) overstates the bias, so it stops widening earlier; its formula gives n p / p*.
        let [exact, _, paper, formula] = report.optima[..] else { panic!("{:?}", report.optima) };
        assert!(paper.at.width < exact.at.width);
        // The exact distance still falls where a row keeps one weight, and beyond.
        assert!(exact.at_end && !paper.at_end && !formula.at_end, "{:?}", report.optima);
        assert!(search.at(3000).unwrap().theorem1 < exact.at.theorem1);
        assert_eq!(formula.at.width, (8.0 / (8.0f64 / 256.0).sqrt()).round() as usize);
    }

    #[test]
    fn a_formula_that_asks_for_more_than_there_is_says_so() {
        // 2 sqrt(40 * 100 / 50) = 18 hidden units, of 9 that leave a row one weight.
        let data = Dataset::from(DataSource::Gaussian { dimension: 40, samples: 10 });
        let report = report(OptimumSpec { data, weights: 100, outputs: 10, ..gaussian() });
        let formula = report.optima.iter().find(|optimum| optimum.method == OptimumMethod::PaperFormula).unwrap();
        assert_eq!((formula.at.width, formula.at_end), (9, true));
    }

    #[test]
    fn the_search_ends_at_the_minimum_of_any_unimodal_curve() {
        // Small widths too, where a gap of one beside the minimum must not end the search on the other side.
        for (least, most) in [(1usize, 5000usize), (1, 7), (8, 635), (2, 20)] {
            for best in (least..=most).step_by((most / 200).max(1)) {
                let distance = |width: usize| (width as f64 / best as f64).ln().abs();
                let step = (most as f64 / least as f64).ln() / (SCAN - 1) as f64;
                let scan = (0..SCAN).map(|index| (least as f64 * (step * index as f64).exp()).round() as usize);
                let mut widths: Vec<usize> = scan.map(|width| width.clamp(least, most)).collect();
                widths.dedup();
                let place = |widths: &[usize]| {
                    (0..widths.len()).min_by(|a, b| distance(widths[*a]).total_cmp(&distance(widths[*b]))).unwrap()
                };
                while let Some(next) = between(&widths, place(&widths), FINEST) {
                    let at = widths.binary_search(&next).unwrap_err();
                    widths.insert(at, next);
                }
                let found = widths[place(&widths)];
                assert!(distance(found) <= 0.005, "{found} for {best} of {least} to {most}");
            }
        }
    }

    #[test]
    fn a_curve_below_zero_has_no_minimum() {
        let connectivity = Connectivity::new(0.5).unwrap();
        let point = |width, expansion| CurvePoint { width, connectivity, theorem1: 1.0, expansion, paper: 1.0 };
        let curve = [point(1, 2.0), point(2, 1.0), point(3, -0.5)];
        assert_eq!(minimum(&curve, OptimumMethod::Expansion), None);
        assert_eq!(minimum(&curve[..2], OptimumMethod::Expansion), Some(1));
        assert_eq!(minimum(&[], OptimumMethod::Expansion), None);
    }

    #[test]
    fn budgets_without_a_choice_are_refused() {
        let spec = OptimumSpec { weights: 1, ..gaussian() };
        assert!(spec.run(&|_| {}).unwrap_err().to_string().contains("weights"));
        assert!(OptimumSpec { outputs: usize::MAX, ..gaussian() }.run(&|_| {}).is_err());
        assert!(OptimumSpec { pairs: 0, ..gaussian() }.run(&|_| {}).is_err());
        assert!(OptimumSpec { tolerance: 2.0, ..gaussian() }.run(&|_| {}).is_err());
    }
}
