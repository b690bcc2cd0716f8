//! The networks and predictions of every cell, and Eq. (4) beside the theorem.

use rayon::prelude::*;

use super::checks::{Check, Quantity, Tests, skewness};
use super::{Cell, PaperPoint, VerifyReport, VerifySpec};
use crate::data::{DataSource, Dataset, Normalisation, random_pairs};
use crate::error::{Error, Result, Setting};
use crate::kernel::eq_4;
use crate::kernel::gram::Pair;
use crate::kernel::masked::{Auto, MaskedMoments, Quadrature, Row, RowMoments, Sampling, for_masks};
use crate::kernel::nngp::{Dimension, Distance, Width, infinite_width_kernel, theorem_1, variance_error};
use crate::kernel::ntk::{InfiniteWidth, Kernel};
use crate::network::{Architecture, Connectivity, LayerId, MaskFamily, WeightDistribution};
use crate::numeric::estimate::Uncertainty;
use crate::numeric::parallel::try_map;
use crate::numeric::statistics::{mean, standard_error};
use crate::sampled::{PairedInputs, sampled_kernels, sampled_tangent_kernels};
use crate::study::spec::check_distinct;

/// The least `K_1 / |x||y|` that is compared with drawn networks: rounding is 1e-8 of it.
const LEAST_KERNEL: f64 = 1e-6;

/// The same for tangent kernels: the ratio of a drawn kernel to a mean near 0 would say little.
const LEAST_TANGENT_KERNEL: f64 = 0.1;

/// Masks per pair, where the quadrature misses its tolerance.
const MASKS: usize = 1_000_000;
/// The same for masks of a fixed count, where there is no quadrature: enough to keep the error of the theory well below
/// that of the estimates.
const FIXED_COUNT_MASKS: usize = 4_000_000;

/// The largest error that the theory may have, in standard errors of the estimate.
const MOST_UNKNOWN: f64 = 0.1;

/// The number of rows, over all initialisations, that must hold an entry for its share to be known from the draws.
const SEEN: f64 = 100.0;
/// How many times the mean squared norm of a masked input an entry's square must be, to make up most of the kernel's
/// higher moments.
const DOMINANT: f64 = 30.0;

/// Pairs over which Eq. (4) is compared with Theorem 1.
const PAPER_PAIRS: usize = 200;

impl VerifySpec {
    /// Gaussian inputs of dimension 12, 100 and 784 and MNIST in both normalisations, 4, 16, 100 and `d` weights per
    /// row, widths 8 and 64, 16 pairs, Bernoulli masks, 10,000 initialisations.
    #[must_use]
    pub fn usual(seed: u64) -> Self {
        let gaussian = |dimension| (DataSource::Gaussian { dimension, samples: 64 }.into(), Normalisation::None);
        let mnist = Dataset::from(DataSource::Embedded);
        let images = |normalisation| (mnist.clone(), normalisation);
        Self {
            data: vec![
                gaussian(12),
                gaussian(100),
                gaussian(784),
                images(Normalisation::Pixel),
                images(Normalisation::Global),
            ],
            weights_per_row: vec![4.0, 16.0, 100.0],
            widths: vec![8, 64],
            pairs: 16,
            mask: MaskFamily::Bernoulli,
            kernel: Kernel::Nngp,
            initialisations: 10_000,
            tolerance: 1e-6,
            seed,
        }
    }

    /// Draws the networks of every cell, each from its own seed, tests them, and compares Eq. (4) with the theorem.
    ///
    /// # Errors
    /// Where a setting is out of range, data cannot be read or has no pair with a positive kernel, the tolerance leaves
    /// a prediction less well known than its estimate, or no cell can be tested.
    pub fn run(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<VerifyReport> {
        let cells = self.cells(progress)?;
        let (tests, power) = (Tests::of(&cells, 1.0)?, Tests::of(&cells, VerifyReport::POWER_FACTOR)?);
        let (spec, version) = (self.clone(), env!("CARGO_PKG_VERSION").into());
        Ok(VerifyReport { spec, version, cells, tests, power, paper: self.paper_points()? })
    }

    /// Draws the networks of every cell, each from its own seed.
    ///
    /// # Errors
    /// As [`VerifySpec::run`], except for cells that cannot be tested.
    pub fn cells(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<Vec<Cell>> {
        self.check()?;
        let mut cells = Vec::new();
        for (place, (data, normalisation)) in self.data.iter().enumerate() {
            let inputs = data.inputs(self.seed)?;
            let values = inputs.normalised(*normalisation)?;
            let d = values.ncols();
            let (mut chosen, mut pairs) = (Vec::new(), Vec::new());
            for (i, j) in random_pairs(values.nrows(), self.pairs, self.seed)? {
                let pair = Pair::new(values.row(i), values.row(j))?;
                // Where an input is zero, or nearly opposite to the other, the kernel is zero or lost in rounding.
                let least = if self.kernel == Kernel::Nngp { LEAST_KERNEL } else { LEAST_TANGENT_KERNEL };
                if InfiniteWidth::of(&pair).get(self.kernel) > least * pair.gram().scale() {
                    chosen.push((i, j));
                    pairs.push(pair);
                }
            }
            if pairs.is_empty() {
                let problem = format!("none of {} random pairs of its inputs has a positive kernel", self.pairs);
                return Err(Error::value("data", data, problem, "give other inputs, or more pairs"));
            }
            let sampled = PairedInputs::new(values.view(), &chosen)?;
            let rows = self.weights_per_row.iter().copied().filter(|row| *row < d as f64).chain([d as f64]);
            let rows: Vec<f64> = rows.collect();
            for (index, row) in rows.iter().enumerate() {
                let connectivity = Connectivity::new((row / d as f64).min(1.0))?;
                // Where rows are independent, the moments are the same at all widths.
                let independent = self.mask.has_independent_rows();
                let of_rows = match independent {
                    true => self.moments(&pairs, connectivity, Width::new(1)?)?,
                    false => Vec::new(),
                };
                for width in &self.widths {
                    let units = Width::new(*width)?;
                    let masked = match independent {
                        true => of_rows.clone(),
                        false => self.moments(&pairs, connectivity, units)?,
                    };
                    // Seeds far from each other and from that of the pairs: cells are independent.
                    let seed = self.seed.wrapping_add((cells.len() as u64 + 1) << 32);
                    let predictions: Vec<Prediction> = pairs
                        .iter()
                        .zip(&masked)
                        .zip(&chosen)
                        .map(|((pair, masked), rows)| Prediction::new(pair, masked, units, (*rows, self.kernel)))
                        .collect::<Result<_>>()?;
                    let unseen = self.may_miss(&pairs, connectivity, *width);
                    let checks = self.cell(&sampled, &predictions, (connectivity, *width), seed, unseen)?;
                    let (data, normalisation) = (data.clone(), *normalisation);
                    cells.push(Cell { data, normalisation, dimension: d, connectivity, width: *width, checks });
                }
                progress((place as f64 + (index + 1) as f64 / (rows.len() + 1) as f64) / self.data.len() as f64);
            }
        }
        Ok(cells)
    }

    /// Eq. (4) beside Theorem 1 over the weights per row, for inputs of dimension 100 and more.
    fn paper_points(&self) -> Result<Vec<PaperPoint>> {
        let mut paper = Vec::new();
        if self.mask != MaskFamily::Bernoulli || self.kernel != Kernel::Nngp {
            return Ok(paper);
        }
        for (data, normalisation) in &self.data {
            let values = data.inputs(self.seed)?.normalised(*normalisation)?;
            let d = values.ncols();
            if d < 100 {
                continue;
            }
            let pairs = random_pairs(values.nrows(), PAPER_PAIRS, self.seed)?;
            let pairs: Vec<Pair> =
                pairs.iter().map(|(i, j)| Pair::new(values.row(*i), values.row(*j))).collect::<Result<_>>()?;
            // Powers of two below d, and d.
            let rows = (1..).map(|power| 2f64.powi(power)).take_while(|row| *row < d as f64).chain([d as f64]);
            for row in rows {
                let connectivity = Connectivity::new((row / d as f64).min(1.0))?;
                let (quadrature, sampling) = (Quadrature::new(1e-4)?, Sampling::new(10_000, self.seed)?);
                let masked = Auto { quadrature, sampling }.of_pairs(&pairs, &connectivity.into())?;
                paper.push(paper_point((data, *normalisation), &masked, Dimension::new(d)?, connectivity)?);
            }
        }
        Ok(paper)
    }

    /// Moments for the masks of the networks.
    fn moments(&self, pairs: &[Pair], connectivity: Connectivity, width: Width) -> Result<Vec<MaskedMoments>> {
        let masks = if self.mask == MaskFamily::Bernoulli { MASKS } else { FIXED_COUNT_MASKS };
        let (quadrature, sampling) = (Quadrature::new(self.tolerance)?, Sampling::new(masks, self.seed)?);
        for_masks(self.mask, width, quadrature, sampling).of_pairs(pairs, &Row::new(connectivity).kernel(self.kernel))
    }

    /// Refuses settings that are out of range; [`VerifySpec::run`] does so first.
    ///
    /// # Errors
    /// Where it finds any.
    pub fn check(&self) -> Result<()> {
        Quadrature::new(self.tolerance)?;
        let range = |name: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let problem = format!("must be from {least} to {most}");
            Err(Error::value(name, value, problem, "give a number in that range"))
        };
        range("pairs", self.pairs, 1, 100_000)?;
        range("initialisations", self.initialisations, 1_000, 10_000_000)?;
        check_distinct("widths", &self.widths, usize::to_string)?;
        check_distinct("weights_per_row", &self.weights_per_row, f64::to_string)?;
        range("data", self.data.len(), 1, 1_000)?;
        range("widths", self.widths.len(), 1, 1_000)?;
        for width in &self.widths {
            range("width", *width, 1, 1_000_000)?;
        }
        match self.weights_per_row.iter().find(|row| row.is_nan() || **row < 1.0) {
            Some(row) => {
                let problem = "fewer than one weight per row leaves a tail too long for these statistics";
                Err(Error::value("weights_per_row", row, problem, "give numbers of at least 1"))
            }
            None => Ok(()),
        }
    }

    /// Whether an entry that makes up most of a pair's kernel is kept by few rows over all initialisations. Possibly no
    /// row keeps it then, and the draws look as if it did not exist.
    fn may_miss(&self, pairs: &[Pair], connectivity: Connectivity, width: usize) -> bool {
        let p = connectivity.get();
        if p * width as f64 * self.initialisations as f64 >= SEEN {
            return false;
        }
        pairs.iter().any(|pair| {
            // A kernel is at most half of |(x + y)_s / 2|^2, for x and y of norm 1.
            let gram = pair.gram();
            let (over_x, over_y) = (0.5 / gram.a.sqrt(), 0.5 / gram.b.sqrt());
            let largest = pair.x().iter().zip(pair.y()).map(|(x, y)| (x * over_x + y * over_y).powi(2));
            let whole = pair.sum(|x, y| (x * over_x + y * over_y).powi(2));
            largest.fold(0.0, f64::max) > DOMINANT * p * whole
        })
    }

    /// Each initialisation gives one number per quantity: the mean over pairs of its ratio to theory.
    fn cell(
        &self,
        inputs: &PairedInputs,
        predictions: &[Prediction],
        (connectivity, width): (Connectivity, usize),
        seed: u64,
        unseen: bool,
    ) -> Result<[Check; 3]> {
        let network = Architecture::one_hidden_layer(width, connectivity)?.with_mask(self.mask);
        let law = WeightDistribution::Gaussian;
        let layer = network.layer_specs(inputs.dimension(), law)[0];
        let ratios = try_map((0..self.initialisations as u32).into_par_iter(), |initialisation| {
            let kernels = match self.kernel {
                Kernel::Nngp => sampled_kernels(inputs, layer, LayerId { seed, initialisation, layer: 0 }),
                Kernel::Ntk(tangent) => sampled_tangent_kernels(inputs, &network, law, seed, initialisation, tangent),
            }?;
            let mut sums = [0.0; 3];
            for (kernel, prediction) in kernels.iter().zip(predictions) {
                let [mean, variance, distance] = prediction.values;
                sums[0] += kernel / mean;
                sums[1] += (kernel - mean).powi(2) / variance;
                sums[2] += (kernel - prediction.infinite_width).powi(2) / distance;
            }
            Ok(sums.map(|sum| sum / predictions.len() as f64))
        })?;
        let checks = [0, 1, 2].map(|quantity| {
            let ratios: Vec<f64> = ratios.iter().map(|ratios| ratios[quantity]).collect();
            let theory = mean(&predictions.iter().map(|prediction| prediction.values[quantity]).collect::<Vec<_>>());
            // Sampled masks of different pairs are independent.
            let errors: Vec<Uncertainty> = predictions.iter().map(|prediction| prediction.errors[quantity]).collect();
            let unknown = Uncertainty::of_mean(&errors).unwrap_or(f64::INFINITY);
            let standard_error = standard_error(&ratios).expect("there are a thousand initialisations: checked");
            // A theory that is not known well enough would pass or fail for that reason.
            if unknown > MOST_UNKNOWN * standard_error {
                let found =
                    format!("relative error {unknown:.1e} of the {} at width {width}", Quantity::ALL[quantity].title());
                let problem =
                    format!("beside a standard error of {standard_error:.1e} the theory is not known well enough");
                return Err(
                    Error::value("tolerance", found, problem, "give a smaller tolerance").about(Setting::Tolerance)
                );
            }
            let skewness = skewness(&ratios) / (ratios.len() as f64).sqrt();
            let skewness = if unseen { skewness.max(1.0) } else { skewness };
            Ok(Check { theory, estimate: theory * mean(&ratios), standard_error: theory * standard_error, skewness })
        });
        let [mean, variance, distance] = checks;
        Ok([mean?, variance?, distance?])
    }
}

/// Theorem 1 for one pair: mean and variance of the kernel, and the distance.
struct Prediction {
    values: [f64; 3],
    /// Their relative errors.
    errors: [Uncertainty; 3],
    infinite_width: f64,
}

impl Prediction {
    /// `rows` names the pair.
    fn new(
        pair: &Pair,
        masked: &MaskedMoments,
        width: Width,
        (rows, kernel): ((usize, usize), Kernel),
    ) -> Result<Self> {
        let (dimension, n) = (Dimension::of(pair), width.get() as f64);
        let d = dimension.get() as f64;
        let distance = theorem_1(masked, dimension, width);
        let values = [masked.first.value / d, distance.variance / n, distance.total()];
        if values.iter().any(|value| !value.is_finite() || *value <= 0.0) {
            let values = format!("rows {rows:?} with mean, variance and distance {values:?}");
            let problem = "no estimate can be compared with a kernel below rounding";
            return Err(Error::value("data", values, problem, "remove inputs that are opposite to others"));
        }
        let of_mean = masked.first.error.scaled(1.0 / d);
        let of_variance = variance_error(masked, width).scaled(1.0 / (d * d * n));
        let errors = [(of_mean, 0), (of_variance, 1), (distance.error, 2)];
        let errors = errors.map(|(error, quantity)| error.scaled(1.0 / values[quantity]));
        Ok(Self {
            values,
            errors,
            infinite_width: infinite_width_kernel(InfiniteWidth::of(pair).get(kernel), dimension),
        })
    }
}

fn paper_point(
    (data, normalisation): (&Dataset, Normalisation),
    masked: &[MaskedMoments],
    dimension: Dimension,
    connectivity: Connectivity,
) -> Result<PaperPoint> {
    let p = connectivity.get();
    let width = (8.0 / p).round() as usize;
    let units = Width::new(width)?;
    let parts = |distance: Distance| (distance.bias_squared, distance.variance / width as f64);
    let exact: Vec<(f64, f64)> = masked.iter().map(|moments| parts(theorem_1(moments, dimension, units))).collect();
    let (bias, variance): (Vec<f64>, Vec<f64>) = exact.into_iter().unzip();
    Ok(PaperPoint {
        data: data.clone(),
        normalisation,
        dimension: dimension.get(),
        weights_per_row: p * dimension.get() as f64,
        width,
        exact: (mean(&bias), mean(&variance)),
        paper: parts(eq_4::off_diagonal(dimension, units, connectivity)),
    })
}

#[cfg(test)]
mod self_checks {
    use super::*;

    #[test]
    fn a_small_grid_accepts_the_theorem_and_rejects_a_wrong_one() {
        let spec = VerifySpec {
            data: vec![(DataSource::Gaussian { dimension: 30, samples: 40 }.into(), Normalisation::None)],
            weights_per_row: vec![3.0, 6.0, 12.0, 20.0],
            widths: vec![4, 16, 64],
            pairs: 12,
            mask: MaskFamily::Bernoulli,
            kernel: Kernel::Nngp,
            initialisations: 4_000,
            tolerance: 1e-6,
            seed: 2,
        };
        let report = spec.run(&|_| {}).unwrap();
        assert_eq!(report.cells.len(), 15);
        // A false alarm in a million seeds; this one is fixed.
        assert!(VerifyReport::rejected(&report.tests).is_empty(), "{:?}", report.tests);
        assert!(!VerifyReport::rejected(&report.power).is_empty(), "{:?}", report.power);
        for (place, tests) in report.tests.iter().enumerate() {
            let sum: f64 = report.cells.iter().map(|cell| cell.checks[place].z(1.0).powi(2)).sum();
            // A chi-square variable with fifteen degrees of freedom is outside of 4 to 40 in 1 of 370 seeds, for each
            // quantity; this seed is fixed.
            assert!(sum > 4.0 && sum < 40.0 && tests.chi_square > 1e-4, "{sum} {tests:?}");
        }
    }

    #[test]
    fn masks_of_a_fixed_count_are_those_of_their_theory() {
        for mask in [MaskFamily::ExactCount, MaskFamily::ConstantFanIn] {
            let spec = VerifySpec {
                // Few enough entries for the sum over masks, and counts that round.
                data: vec![(DataSource::Gaussian { dimension: 14, samples: 40 }.into(), Normalisation::None)],
                weights_per_row: vec![2.3, 4.6, 9.1],
                widths: vec![3, 7, 20],
                pairs: 8,
                mask,
                kernel: Kernel::Nngp,
                initialisations: 20_000,
                tolerance: 1e-6,
                seed: 4,
            };
            let report = spec.run(&|_| {}).unwrap();
            // A false alarm in a million seeds; these are fixed.
            assert!(VerifyReport::rejected(&report.tests).is_empty(), "{mask:?}: {:?}", report.tests);
            assert!(!VerifyReport::rejected(&report.power).is_empty(), "{mask:?}: {:?}", report.power);
        }
    }

    fn grid(data: DataSource, row: f64, width: usize, pairs: usize, initialisations: usize, seed: u64) -> VerifySpec {
        VerifySpec {
            data: vec![(data.into(), Normalisation::None)],
            weights_per_row: vec![row],
            widths: vec![width],
            pairs,
            mask: MaskFamily::Bernoulli,
            kernel: Kernel::Nngp,
            initialisations,
            tolerance: 1e-6,
            seed,
        }
    }

    /// The least settings that are allowed: a fifth of seeds rejected a true theorem for its skewness alone.
    #[test]
    fn cells_too_skewed_for_a_test_are_not_tested() {
        let gaussian = || DataSource::Gaussian { dimension: 12, samples: 64 };
        for seed in 0..20 {
            match grid(gaussian(), 1.0, 1, 2, 1_000, seed).run(&|_| {}) {
                // A false alarm in a million seeds.
                Ok(report) => {
                    assert!(VerifyReport::rejected(&report.tests).is_empty(), "seed {seed}: {:?}", report.tests)
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("too skewed") && text.contains("times as many initialisations"), "{text}");
                }
            }
        }
        // Settings far from it are tested.
        let report = grid(gaussian(), 4.0, 64, 8, 4_000, 1).run(&|_| {}).unwrap();
        assert!(report.cells.iter().all(|cell| cell.checks.iter().all(Check::is_tested)), "{:?}", report.cells);
    }

    /// The square of one of 3,000 entries is over ten thousand times the mean square of the others, and most sets of
    /// 1,000 draws do not keep that entry at all: the mean and the variance come mostly from it.
    #[test]
    fn an_entry_that_the_draws_may_miss_is_not_tested() {
        let mut values = DataSource::Gaussian { dimension: 3_000, samples: 8 }.inputs(1).unwrap().values;
        values.column_mut(7).mapv_inplace(|value| 100.0 * (1.0 + value.abs()));
        let pair = Pair::new(values.row(0), values.row(1)).unwrap();
        let p = Connectivity::new(1.0 / 3_000.0).unwrap();
        let spec = grid(DataSource::Gaussian { dimension: 3_000, samples: 8 }, 1.0, 1, 1, 1_000, 0);
        assert!(spec.may_miss(std::slice::from_ref(&pair), p, 1));
        // Wide enough, or without such an entry, it is seen.
        assert!(!spec.may_miss(&[pair], p, 1_000));
        values.column_mut(7).fill(1.0);
        let plain = Pair::new(values.row(0), values.row(1)).unwrap();
        assert!(!spec.may_miss(&[plain], p, 1));
    }

    #[test]
    fn bad_grids_are_refused() {
        let refused = |change: &dyn Fn(&mut VerifySpec)| {
            let mut spec = VerifySpec::usual(0);
            change(&mut spec);
            spec.run(&|_| {}).is_err()
        };
        assert!(refused(&|spec| spec.initialisations = 10));
        assert!(refused(&|spec| spec.pairs = 0));
        assert!(refused(&|spec| spec.widths = vec![0]));
        assert!(refused(&|spec| spec.weights_per_row = vec![0.1]));
        assert!(refused(&|spec| spec.data.clear()));
    }
}
