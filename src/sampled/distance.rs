//! Squared distances of sampled kernels from a reference kernel.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::given::GivenMask;
use crate::kernel::ntk::Kernel;
use crate::network::{Architecture, Layer, WeightDistribution};
use crate::numeric::parallel::try_map;
use crate::numeric::statistics::mean;
use crate::sampled::given::{check_chain, given_kernels};
use crate::sampled::{PairedInputs, sampled_kernels, sampled_tangent_kernels};

/// Squared distances and moments of a kernel, NNGP or tangent, over several initialisations, for each pair.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::{kernel::arc_cosine::arc_cosine, network::Connectivity, kernel::gram::Pair};
/// use sparsewidth::kernel::masked::{Enumerate, RowMoments};
/// use sparsewidth::network::{Architecture, WeightDistribution};
/// use sparsewidth::sampled::{PairedInputs, SampledDistances};
/// use sparsewidth::kernel::nngp::{Dimension, Width, infinite_width_kernel, theorem_1};
///
/// // 2,000 networks of width 50 at connectivity 1/2, and one pair of inputs.
/// let inputs = array![[1.0, 2.0, 0.5, -1.0], [0.3, -1.0, 2.0, 0.4]];
/// let pair = Pair::new(inputs.row(0), inputs.row(1))?;
/// let p = Connectivity::new(0.5)?;
/// let network = Architecture::one_hidden_layer(50, p)?;
/// let reference = vec![infinite_width_kernel(arc_cosine(pair.gram()).k1, Dimension::of(&pair))];
/// let inputs = PairedInputs::new(inputs.view(), &[(0, 1)])?;
/// let drawn = SampledDistances::draw(&inputs, &network, WeightDistribution::Gaussian, 0, 2_000, reference)?;
///
/// let exact = theorem_1(&Enumerate::default().moments(&pair, p)?, Dimension::of(&pair), Width::new(50)?);
/// assert!((drawn.by_pair()[0] / exact.total() - 1.0).abs() < 0.2);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SampledDistances {
    /// One value per pair, that the kernel is compared to.
    reference: Vec<f64>,
    width: usize,
    by_initialisation: Vec<f64>,
    /// Sums of squared distances, per pair.
    squares: Vec<f64>,
    /// Mean of the kernel and sum of its squared deviations, per pair.
    moments: Vec<(f64, f64)>,
}

/// Values of layers that are held at once: 256 MB, or those of one network.
const HELD_VALUES: usize = 1 << 26;

/// What the tangent kernel of a network holds beside its inputs, in values.
fn held_by_gradients(inputs: &PairedInputs, last: usize, widths: impl Iterator<Item = usize>) -> usize {
    let gradients = last.saturating_mul(2).saturating_mul(inputs.samples());
    widths.fold(gradients, |held, width| held.saturating_add(inputs.held_values(width).saturating_mul(2)))
}

impl SampledDistances {
    /// Initialisations that are drawn side by side; they are added in their order.
    const TOGETHER: usize = 32;

    /// Draws `initialisations` networks, with weights of a distribution, and compares the NNGP kernels of their last
    /// layers' units with `reference`, one value per pair.
    ///
    /// # Errors
    /// Where there is not one reference value per pair, or `initialisations` is 0 or not below `2^32 - 1`; and see
    /// [`sampled_kernels`].
    pub fn draw(
        inputs: &PairedInputs,
        network: &Architecture,
        distribution: WeightDistribution,
        seed: u64,
        initialisations: usize,
        reference: Vec<f64>,
    ) -> Result<Self> {
        Self::draw_kernel(inputs, network, distribution, Kernel::Nngp, seed, initialisations, reference)
    }

    /// The same for a kernel of choice: the NNGP kernel of [`SampledDistances::draw`], or the tangent kernel of
    /// [`sampled_tangent_kernels`].
    ///
    /// # Errors
    /// As [`SampledDistances::draw`].
    pub fn draw_kernel(
        inputs: &PairedInputs,
        network: &Architecture,
        distribution: WeightDistribution,
        kernel: Kernel,
        seed: u64,
        initialisations: usize,
        reference: Vec<f64>,
    ) -> Result<Self> {
        // Each network holds the outputs of the layers before its last; for the tangent kernel those of all, and
        // gradients.
        let before = network.before_last().iter().map(Layer::width);
        let held = match kernel {
            Kernel::Nngp => before.max().unwrap_or(0).saturating_mul(inputs.samples()),
            Kernel::Ntk(_) if network.before_last().is_empty() => 0,
            Kernel::Ntk(_) => held_by_gradients(inputs, network.last().width(), before),
        };
        let kernels = |initialisation: u32| match kernel {
            Kernel::Nngp => {
                let (inputs, law, id) = inputs.before_last(network, distribution, seed, initialisation)?;
                sampled_kernels(&inputs, law, id)
            }
            Kernel::Ntk(tangent) => {
                sampled_tangent_kernels(inputs, network, distribution, seed, initialisation, tangent)
            }
        };
        Self::of_networks(inputs, network.last().width(), reference, initialisations, held, kernels)
    }

    /// The same for a perceptron whose masks are given: draws the weights that they keep, Gaussian at their scales, in
    /// hidden layers of ReLU units, and compares the kernels of the last with `reference`. The readout is dense.
    ///
    /// # Errors
    /// Where there is no layer, a layer does not take the outputs of the one before, there is not one reference value
    /// per pair, or `initialisations` is 0 or not below `2^32 - 1`.
    pub fn draw_given(
        inputs: &PairedInputs,
        layers: &[GivenMask],
        kernel: Kernel,
        seed: u64,
        initialisations: usize,
        reference: Vec<f64>,
    ) -> Result<Self> {
        check_chain(inputs.dimension(), layers)?;
        let widths = || layers.iter().map(GivenMask::units);
        let width = widths().next_back().expect("a perceptron has a layer: checked above");
        let held = held_by_gradients(inputs, width, widths());
        let kernels = |initialisation| given_kernels(inputs, layers, kernel, seed, initialisation);
        Self::of_networks(inputs, width, reference, initialisations, held, kernels)
    }

    /// Compares the kernels of each of some networks, of `width` last units, with the reference; each holds `held`
    /// values in memory.
    fn of_networks(
        inputs: &PairedInputs,
        width: usize,
        reference: Vec<f64>,
        initialisations: usize,
        held: usize,
        kernels: impl Fn(u32) -> Result<Vec<f64>> + Sync,
    ) -> Result<Self> {
        inputs.check_reference(&reference)?;
        // The last number of an initialisation is reserved for dense references.
        if !(1..u32::MAX as usize).contains(&initialisations) {
            let problem = "must be positive and below 2^32 - 1";
            return Err(Error::value("initialisations", initialisations, problem, "give such a number"));
        }
        let mut distances = Self::new(reference, width);
        let together = (HELD_VALUES / held.max(1)).clamp(1, Self::TOGETHER);
        for start in (0..initialisations).step_by(together) {
            let numbers = (start..(start + together).min(initialisations)).into_par_iter();
            let drawn = try_map(numbers, |initialisation| kernels(initialisation as u32))?;
            drawn.iter().for_each(|kernels| distances.add(kernels));
        }
        Ok(distances)
    }

    fn new(reference: Vec<f64>, width: usize) -> Self {
        let pairs = reference.len();
        Self {
            reference,
            width,
            by_initialisation: vec![],
            squares: vec![0.0; pairs],
            moments: vec![(0.0, 0.0); pairs],
        }
    }

    /// Adds the kernels of one more initialisation.
    fn add(&mut self, kernels: &[f64]) {
        let count = self.by_initialisation.len() as f64 + 1.0;
        let mut sum = 0.0;
        for (pair, kernel) in kernels.iter().enumerate() {
            let square = (kernel - self.reference[pair]).powi(2);
            sum += square;
            self.squares[pair] += square;
            let (mean, deviations) = &mut self.moments[pair];
            let difference = kernel - *mean;
            *mean += difference / count;
            *deviations += difference * (kernel - *mean);
        }
        self.by_initialisation.push(sum / kernels.len() as f64);
    }

    /// `(kernel - reference)^2`, averaged over the initialisations, for each pair. Unbiased for the mean squared
    /// distance to that reference; a reference that is itself sampled adds its own variance.
    #[must_use]
    pub fn by_pair(&self) -> Vec<f64> {
        let count = self.by_initialisation.len() as f64;
        self.squares.iter().map(|sum| sum / count).collect()
    }

    /// `(kernel - reference)^2`, averaged over the pairs, for each initialisation.
    #[must_use]
    pub fn by_initialisation(&self) -> &[f64] {
        &self.by_initialisation
    }

    /// Theorem 1's two terms as estimated from the drawn kernels, averaged over the pairs: the squared bias, corrected
    /// by the variance of the mean kernel, and the variance of one hidden unit (`n` times that of the kernel). None for
    /// fewer than two initialisations.
    #[must_use]
    pub fn bias_and_variance(&self) -> Option<(f64, f64)> {
        let count = self.by_initialisation.len() as f64;
        if count < 2.0 {
            return None;
        }
        let variance = |deviations: f64| deviations / (count - 1.0);
        let pairs = self.moments.iter().zip(&self.reference);
        let biases: Vec<f64> = pairs
            .map(|((mean, deviations), reference)| (mean - reference).powi(2) - variance(*deviations) / count)
            .collect();
        let variances: Vec<f64> =
            self.moments.iter().map(|(_, deviations)| variance(*deviations) * self.width as f64).collect();
        Some((mean(&biases), mean(&variances)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_initialisation_at_all_is_refused() {
        let inputs = PairedInputs::new(ndarray::array![[1.0, 2.0], [3.0, 4.0]].view(), &[(0, 1)]).unwrap();
        let network: Architecture = "relu:4".parse().unwrap();
        for count in [0, usize::MAX] {
            let found = SampledDistances::draw(&inputs, &network, WeightDistribution::Gaussian, 0, count, vec![1.0]);
            let message = found.unwrap_err().to_string();
            assert!(message.contains("must be positive and below 2^32 - 1"), "{message}");
        }
    }

    #[test]
    fn a_law_wants_a_value_for_each_pair() {
        let inputs = PairedInputs::new(ndarray::array![[1.0, 2.0], [3.0, 4.0]].view(), &[(0, 1)]).unwrap();
        let network: Architecture = "relu:4".parse().unwrap();
        let found = crate::sampled::SamplingLaw::find(&inputs, &network, WeightDistribution::Gaussian, 0, 10, &[]);
        assert!(found.unwrap_err().to_string().contains("0 values: there are 1 pairs"));
    }

    #[test]
    fn a_reference_of_another_length_is_refused() {
        let inputs = PairedInputs::new(ndarray::array![[1.0, 2.0], [3.0, 4.0]].view(), &[(0, 1)]).unwrap();
        let network: Architecture = "relu:4".parse().unwrap();
        for values in [0, 2] {
            let reference = vec![1.0; values];
            let found = SampledDistances::draw(&inputs, &network, WeightDistribution::Gaussian, 0, 1, reference);
            let message = found.unwrap_err().to_string();
            assert!(message.contains(&format!("{values} values: there are 1 pairs")), "{message}");
        }
    }

    #[test]
    fn statistics_by_hand() {
        let mut distances = SampledDistances::new(vec![1.0, 0.0], 5);
        distances.add(&[1.0, 2.0]);
        assert_eq!(distances.bias_and_variance(), None);
        distances.add(&[3.0, 2.0]);
        assert_eq!(distances.by_pair(), [2.0, 4.0]);
        assert_eq!(distances.by_initialisation(), [2.0, 4.0]);
        // Means 2 and 2; variances 2 and 0: bias^2 = 1 - 1 and 4 - 0, variance of a unit 10 and 0.
        assert_eq!(distances.bias_and_variance(), Some((2.0, 5.0)));
    }
}
