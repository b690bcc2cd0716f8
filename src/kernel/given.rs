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

use ndarray::ArrayView2;

use crate::error::{Error, Result};
use crate::kernel::arc_cosine::{Angle, arc_cosine};
use crate::kernel::gram::{Gram, Pair};
use crate::kernel::masked::tangent_sum::FineGram;
use crate::kernel::nngp::{Dimension, Distance, Width, infinite_width_kernel};
use crate::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use crate::network::{Connectivity, WeightDistribution};
use crate::numeric::estimate::Estimate;

/// The variance `sigma_i^2` of the weights that a mask keeps, which makes up for those that it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum MaskScale {
    /// One over the density of the whole mask: a row that keeps more than others counts more.
    #[default]
    Density,
    /// `d` over the number of weights that the row keeps: every row counts alike, as with an initialisation by fan-in.
    FanIn,
    /// One over a connectivity of the caller's, such as that of random masks that this one was drawn from.
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

/// Below this `sin^2 t` the angle of a row comes from a Gram triple of twice the digits: a triple in double precision
/// leaves `1e-16 / sin t` of it.
const NEARLY_PARALLEL: f64 = 1e-4;

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
        if columns.is_empty() {
            return wrong("it keeps no weight, so the network's output is constant", "keep at least one");
        }
        let density = columns.len() as f64 / (units as f64 * inputs as f64);
        let variances = offsets.windows(2).map(|row| match (row[1] - row[0], scale) {
            (0, _) => 0.0,
            (_, MaskScale::Density) => 1.0 / density,
            (kept, MaskScale::FanIn) => inputs as f64 / kept as f64,
            (_, MaskScale::Connectivity(connectivity)) => 1.0 / connectivity.get(),
        });
        let variances = variances.collect();
        Ok(Self { inputs, offsets, columns, variances, readout: WeightDistribution::Gaussian })
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

    /// The inputs that no unit is connected to.
    #[must_use]
    pub fn unused_inputs(&self) -> usize {
        let mut used = vec![false; self.inputs];
        self.columns.iter().for_each(|column| used[*column as usize] = true);
        used.iter().filter(|used| !**used).count()
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
        if pair.dimension() != self.inputs {
            let given = format!("vectors of length {}", pair.dimension());
            let problem = format!("the mask has {} inputs", self.inputs);
            return Err(Error::value("pair", given, problem, "give inputs of that length"));
        }
        // Padded to four, so that the three sums of an entry are one vector addition.
        let products = pair.x().iter().zip(pair.y()).map(|(x, y)| [x * x, y * y, x * y, 0.0]);
        let products: Vec<[f64; 4]> = products.collect();
        let gram = |columns: &[u32]| {
            // Four independent sums, so that an addition need not wait for the one before.
            let mut sums = [[0.0; 4]; 4];
            let (blocks, rest) = columns.as_chunks::<4>();
            for block in blocks {
                for (sum, column) in sums.iter_mut().zip(block) {
                    add(sum, &products[*column as usize]);
                }
            }
            rest.iter().for_each(|column| add(&mut sums[0], &products[*column as usize]));
            let [mut total, others @ ..] = sums;
            others.iter().for_each(|other| add(&mut total, other));
            let [a, b, c, _] = total;
            Gram { a, b, c }
        };
        let grams: Vec<Gram> = self.rows().map(gram).collect();
        kernels.iter().map(|kernel| self.of_grams(pair, &grams, *kernel)).collect()
    }

    /// The columns that each row keeps.
    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|row| &self.columns[row[0]..row[1]])
    }

    fn of_grams(&self, pair: &Pair, grams: &[Gram], kernel: Kernel) -> Result<GivenKernel> {
        let kurtosis = self.readout.kurtosis();
        // The sums of first moments, of variances, and of what their rounding is relative to.
        let (mut first, mut variance) = (0.0, 0.0);
        let (mut scale, mut scale_of_squares) = (0.0, 0.0);
        for ((columns, gram), own) in self.rows().zip(grams).zip(&self.variances) {
            let [one, square] = match kernel {
                Kernel::Nngp => {
                    let kernel = arc_cosine(*gram);
                    [kernel.k1, kernel.k2]
                }
                Kernel::Ntk(tangent) => {
                    let tau = match tangent {
                        Tangent::Standardised => 1.0,
                        Tangent::Paper if *own > 0.0 => 1.0 / own,
                        Tangent::Paper => 0.0,
                    };
                    tangent_moments(pair, columns, *gram, tau, kurtosis)
                }
            };
            let size = gram.scale();
            first += own * one;
            variance += own * own * (square - one * one);
            scale += own * size;
            scale_of_squares += own * own * size * size;
        }
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

/// `K_1 + tau C K_0` and `K_2 + 2 tau C K_1 + tau^2 k C^2 K_0`.
fn tangent_moments(pair: &Pair, columns: &[u32], gram: Gram, tau: f64, kurtosis: f64) -> [f64; 2] {
    if gram.scale() == 0.0 {
        return [0.0; 2];
    }
    let angle = Angle::of(gram);
    let [k1, k2, with_k0, with_k1, twice] = if angle.sine * angle.sine < NEARLY_PARALLEL {
        let entry = |column: &u32| {
            let column = *column as usize;
            FineGram::of_entry(pair.x()[column], pair.y()[column], tau)
        };
        columns.iter().map(entry).fold(FineGram::default(), FineGram::plus).terms()
    } else {
        let (own, of_first) = (arc_cosine(gram), tau * gram.c);
        let with_k0 = of_first * angle.k0();
        [own.k1, own.k2, with_k0, of_first * own.k1, of_first * with_k0]
    };
    [k1 + with_k0, k2 + 2.0 * with_k1 + kurtosis * twice]
}

#[inline(always)]
fn add(sum: &mut [f64; 4], other: &[f64; 4]) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum += other;
    }
}
