//! Kernels of a layer whose masks are given: from a pruning method, a checkpoint, or anywhere else.
//!
//! With the mask `s_i` of each row and independent Gaussian weights of variance `sigma_i^2` where it keeps them,
//! nothing is left to average over masks. With `A`, `B`, `C` the Gram triple of the inputs on the entries that a row
//! keeps, the NNGP kernel of `n` units and `d` inputs has, over the weights,
//!
//! - the mean `1/(n d) sum_i sigma_i^2 K_1(s_i)`,
//! - the variance `1/(n d)^2 sum_i sigma_i^4 [K_2(s_i) - K_1(s_i)^2]`,
//!
//! and the tangent kernel, with `tau_i` of its convention and the kurtosis `k` of the last layer,
//!
//! - the mean `1/(n d) sum_i sigma_i^2 [K_1 + tau_i C K_0]`,
//! - the variance `1/(n d)^2 sum_i sigma_i^4 [K_2 + 2 tau_i C K_1 + tau_i^2 k C^2 K_0 - (K_1 + tau_i C K_0)^2]`.
//!
//! The mean squared distance to the dense network of infinite width is `(mean - limit)^2 + variance`. Its average over
//! random masks is [Theorem 1](crate::kernel::nngp). No method is involved, so its error is rounding.
//!
//! Source: ours.

mod sums;
mod tiles;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::gram::Pair;
use crate::kernel::nngp::{Dimension, Distance, Width, infinite_width_kernel};
use crate::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use crate::network::{Connectivity, DrawnLayer, LayerId, SparseRows, WeightDistribution};
use crate::numeric::estimate::Estimate;
use crate::numeric::linalg::product;
use crate::numeric::parallel::try_map;

pub(crate) use sums::PairBlock;
use sums::{BLOCK, KernelSums, Moments, PairSums};
pub(crate) use tiles::MaskTiles;

/// The variance `sigma_i^2` of the weights that a mask keeps, which makes up for those that it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum MaskScale {
    /// One over the density of the whole mask: a row that keeps more than others counts more.
    #[default]
    Density,
    /// `d` over the number of weights that the row keeps: every row counts alike, as with an initialisation by fan-in.
    FanIn,
    /// One over a connectivity of the caller's, such as that of random masks that this one was drawn from.
    #[cfg_attr(feature = "cli", value(skip))]
    Connectivity(Connectivity),
}

/// The mask of a layer from `d` inputs to `n` units, with the variances of its weights.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::Kernel;
/// use sparsewidth::kernel::{given::{GivenMask, MaskScale}, gram::Pair};
/// let mask = array![[true, false, true], [false, true, true]];
/// let given = GivenMask::new(mask.view(), MaskScale::Density)?;
/// assert_eq!((given.kept(), given.fan_in().collect::<Vec<_>>()), (4, vec![2, 2]));
/// let (x, y) = (array![1.0, 2.0, 0.5], array![0.3, -1.0, 2.0]);
/// let kernel = given.kernel(&Pair::new(x.view(), y.view())?, Kernel::Nngp)?;
/// assert!(kernel.distance.total() > 0.0 && kernel.mean > 0.0);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GivenMask {
    inputs: usize,
    /// Where each row's columns begin, and where the last ends.
    offsets: Vec<usize>,
    columns: Vec<u32>,
    /// `sigma_i^2`; 0 where a row keeps nothing.
    variances: Vec<f64>,
    readout: WeightDistribution,
}

/// A kernel of a layer with a given mask, over its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GivenKernel {
    /// The kernel of the dense network of infinite width.
    pub limit: f64,
    /// The mean over weights.
    pub mean: f64,
    /// The mean squared distance to the limit: bias^2, and `n` times the variance over weights.
    pub distance: Distance,
}

/// Above this density a mask is multiplied as a dense matrix, zeros included.
const DENSE_ABOVE: f64 = 0.3;

impl GivenMask {
    /// A mask of shape `(n, d)`, true where a weight is kept.
    ///
    /// # Errors
    /// Where it has no rows or columns, more than 2^32 columns, or keeps nothing.
    pub fn new(mask: ArrayView2<bool>, scale: MaskScale) -> Result<Self> {
        let (units, inputs) = mask.dim();
        let wrong = |problem: &str, remedy: &str| {
            Err(Error::value("mask", format!("{units} x {inputs} entries"), problem, remedy))
        };
        if units == 0 || inputs == 0 || u32::try_from(inputs).is_err() {
            return wrong("a mask has at least one unit and one input, and fewer than 2^32 inputs", "check its shape");
        }
        let (mut offsets, mut columns) = (vec![0], Vec::new());
        for row in mask.outer_iter() {
            columns.extend(row.iter().zip(0u32..).filter(|(kept, _)| **kept).map(|(_, column)| column));
            offsets.push(columns.len());
        }
        match columns.is_empty() {
            true => wrong("it keeps no weight, so the network's output is constant", "keep at least one"),
            false => Ok(Self::of_rows(inputs, offsets, columns, scale)),
        }
    }

    /// The mask of a layer that is drawn, at least one weight of which exists.
    pub(crate) fn of_drawn(layer: &DrawnLayer, scale: MaskScale) -> Self {
        let SparseRows { offsets, columns, .. } = layer.rows(0..layer.law().rows);
        Self::of_rows(layer.law().columns, offsets, columns, scale)
    }

    fn of_rows(inputs: usize, offsets: Vec<usize>, columns: Vec<u32>, scale: MaskScale) -> Self {
        let units = offsets.len() - 1;
        let density = columns.len() as f64 / (units as f64 * inputs as f64);
        let variances = offsets.windows(2).map(|row| match (row[1] - row[0], scale) {
            (0, _) => 0.0,
            (_, MaskScale::Density) => 1.0 / density,
            (kept, MaskScale::FanIn) => inputs as f64 / kept as f64,
            (_, MaskScale::Connectivity(connectivity)) => 1.0 / connectivity.get(),
        });
        let variances = variances.collect();
        Self { inputs, offsets, columns, variances, readout: WeightDistribution::Gaussian }
    }

    /// With a last layer of this law, whose kurtosis the tangent kernel's variance depends on; Gaussian by default.
    #[must_use]
    pub fn readout(self, readout: WeightDistribution) -> Self {
        Self { readout, ..self }
    }

    /// `n`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.variances.len()
    }

    /// `d`.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of weights that are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.columns.len()
    }

    /// The share of weights that are kept.
    #[must_use]
    pub fn density(&self) -> f64 {
        self.kept() as f64 / (self.units() as f64 * self.inputs as f64)
    }

    /// The number of weights that each unit keeps.
    pub fn fan_in(&self) -> impl Iterator<Item = usize> + '_ {
        self.offsets.windows(2).map(|row| row[1] - row[0])
    }

    /// A kernel of the layer for one pair, by the formulas of the [module](self).
    ///
    /// # Errors
    /// Where the pair has another dimension than the mask, or the kernel is beyond double precision.
    pub fn kernel(&self, pair: &Pair, kernel: Kernel) -> Result<GivenKernel> {
        Ok(self.kernels(pair, &[kernel])?.remove(0))
    }

    /// Several kernels for one pair, which share the sums over its entries.
    ///
    /// # Errors
    /// As [`GivenMask::kernel`].
    pub fn kernels(&self, pair: &Pair, kernels: &[Kernel]) -> Result<Vec<GivenKernel>> {
        self.check(pair)?;
        let block = PairBlock::of(std::slice::from_ref(pair));
        Ok(self.of_block(&block, None, kernels)?.remove(0))
    }

    /// `sigma_i^2` of each row; 0 where it keeps nothing.
    pub(crate) fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The weights of the layer of a seed, initialisation and place.
    pub(crate) fn draw(&self, law: WeightDistribution, id: LayerId) -> SparseRows {
        let sigmas: Vec<f64> = self.variances.iter().map(|variance| variance.sqrt()).collect();
        SparseRows::of_mask((&self.offsets, &self.columns), &sigmas, law, id)
    }

    /// Several kernels for each of many pairs, in parallel; the same for any number of threads.
    ///
    /// # Errors
    /// As [`GivenMask::kernel`].
    pub fn of_pairs(&self, pairs: &[Pair], kernels: &[Kernel]) -> Result<Vec<Vec<GivenKernel>>> {
        let dense = self.dense();
        let blocks = try_map(pairs.par_chunks(BLOCK), |pairs| {
            pairs.iter().try_for_each(|pair| self.check(pair))?;
            self.of_block(&PairBlock::of(pairs), dense.as_ref(), kernels)
        })?;
        Ok(blocks.into_iter().flatten().collect())
    }

    /// The same on the calling thread, of pairs of the mask's dimension whose products other masks share.
    pub(crate) fn of_blocks(&self, blocks: &[PairBlock], kernels: &[Kernel]) -> Result<Vec<Vec<GivenKernel>>> {
        let dense = self.dense();
        let found: Vec<_> =
            blocks.iter().map(|block| self.of_block(block, dense.as_ref(), kernels)).collect::<Result<_>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The mask as a matrix of 0 and 1, where it is multiplied as one.
    fn dense(&self) -> Option<Array2<f64>> {
        (self.density() > DENSE_ABOVE).then(|| {
            let mut mask = Array2::zeros((self.units(), self.inputs));
            for (mut row, columns) in mask.outer_iter_mut().zip(self.rows()) {
                columns.iter().for_each(|column| row[*column as usize] = 1.0);
            }
            mask
        })
    }

    fn of_block(
        &self,
        block: &PairBlock,
        dense: Option<&Array2<f64>>,
        kernels: &[Kernel],
    ) -> Result<Vec<Vec<GivenKernel>>> {
        let grams = match dense {
            Some(mask) => {
                let mut grams = Array2::zeros((self.units(), block.products.ncols()));
                product(mask.view(), block.products.view(), 1.0, false, grams.view_mut())?;
                grams
            }
            None => block.sums(self.rows()),
        };
        let pairs = block.pairs;
        let mut sums: Vec<KernelSums> = kernels.iter().map(|kernel| KernelSums::new(*kernel, pairs.len())).collect();
        let mut row = Moments::new(pairs.len());
        for ((grams, columns), own) in grams.outer_iter().zip(self.rows()).zip(&self.variances) {
            row.set(grams.to_slice().expect("standard layout: made so above"));
            for sums in &mut sums {
                let tau = match sums.kernel {
                    Kernel::Ntk(Tangent::Paper) if *own > 0.0 => 1.0 / own,
                    Kernel::Ntk(Tangent::Paper) => 0.0,
                    _ => 1.0,
                };
                sums.add(&row, *own, (tau, self.readout.kurtosis()), |place| block.fine_terms(place, columns, tau));
            }
        }
        let of_pair = |(place, pair)| {
            sums.iter().map(|sums| self.of_sums(pair, sums.of_pair(place, block.units[place]))).collect()
        };
        pairs.iter().enumerate().map(of_pair).collect()
    }

    fn check(&self, pair: &Pair) -> Result<()> {
        if pair.dimension() == self.inputs {
            return Ok(());
        }
        let given = format!("vectors of length {}", pair.dimension());
        let problem = format!("the mask has {} inputs", self.inputs);
        Err(Error::value("pair", given, problem, "give inputs of that length"))
    }

    /// The columns that each row keeps.
    fn rows(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.offsets.windows(2).map(|row| &self.columns[row[0]..row[1]])
    }

    fn of_sums(&self, pair: &Pair, sums: PairSums) -> Result<GivenKernel> {
        let PairSums { kernel, first, variance, scale, scale_of_squares } = sums;
        let (dimension, width) = (Dimension::of(pair), Width::new(self.units())?);
        let limit = InfiniteWidth::of(pair).get(kernel);
        let (n, d) = (self.units() as f64, self.inputs as f64);
        let bias = first / n - limit;
        let mut distance = Distance::of_parts((bias / d).powi(2), (variance / n).max(0.0) / (d * d), width);
        // A few dozen units in the last place, since each sum has many terms.
        const ROUNDING: f64 = 64.0 * f64::EPSILON;
        let (of_bias, of_variance) = (ROUNDING * scale / n, ROUNDING * scale_of_squares / (n * n));
        let error = ((2.0 * bias.abs() + of_bias) * of_bias + of_variance) / (d * d);
        distance.error = Estimate::estimated(distance.total(), error).error;
        let found = GivenKernel {
            limit: infinite_width_kernel(limit, dimension),
            mean: infinite_width_kernel(first / n, dimension),
            distance,
        };
        if [found.limit, found.mean, distance.total()].into_iter().all(f64::is_finite) {
            return Ok(found);
        }
        let problem = "its kernel is beyond double precision";
        Err(Error::value("pair", "inputs of large entries", problem, "rescale the inputs"))
    }
}
