//! Squared distances of sampled kernels over all pairs of inputs, on one device or another.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "cuda")]
use super::accelerator;
use super::cpu::Cpu;
use super::device::Device;
use super::layout::{Layout, TilePair};
use super::tiles::TiledInputs;
use crate::error::{Error, Result};
use crate::kernel::ntk::Kernel;
use crate::network::{LayerId, LayerSpec};

/// A network of a sweep, and how often it is drawn: initialisations `0, 1, ...` of the seed.
#[derive(Clone, Copy, Debug)]
pub struct SampledNetwork {
    /// The law of its first layer; its connectivity, width and weights.
    pub law: LayerSpec,
    /// The number of initialisations, at least 1.
    pub initialisations: usize,
}

/// The squared distance of the kernel, NNGP or tangent, of one network from that of infinite width; one value per
/// initialisation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllPairsDistances {
    /// The mean over the `N (N - 1) / 2` pairs of different inputs.
    pub off_diagonal: Vec<f64>,
    /// The mean over the `N` pairs of an input with itself.
    pub diagonal: Vec<f64>,
}

/// One drawn network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    pub law: LayerSpec,
    pub id: LayerId,
    /// Its place among the networks of the sweep.
    pub network: usize,
}

/// Sums of squared distances over a pair of tiles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub off_diagonal: f64,
    pub diagonal: f64,
}

/// What computes the sums, tile by tile.
pub(super) trait Backend {
    /// `K_1`, or `K_1 + C K_0`, of pairs of tiles, where it is kept for all draws.
    type Limits;
    /// The error of a failure.
    type Error;

    fn limits(&self, pairs: &[TilePair]) -> Result<Self::Limits, Self::Error>;

    /// The sums over each pair, for each draw of a batch. Calls `finished` with the number of sums made.
    fn sums(
        &self,
        pairs: &[TilePair],
        limits: &Self::Limits,
        draws: &[Draw],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Vec<Sums>>, Self::Error>;
}

/// The sums over all pairs of tiles, by draw.
pub(super) fn total<B: Backend>(
    backend: &B,
    layout: &Layout,
    draws: &[Draw],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<Sums>, B::Error> {
    let all_pairs = layout.pairs();
    let done = AtomicU64::new(0);
    let finished = |sums: usize| {
        let done = done.fetch_add(sums as u64, Ordering::Relaxed) + sums as u64;
        progress(done as f64 / (all_pairs * draws.len()) as f64);
    };
    // By draw, then by pair of tiles: added up in that order, however the work was cut.
    let mut sums = vec![vec![Sums::default(); all_pairs]; draws.len()];
    for pairs in layout.blocks() {
        let limits = backend.limits(&pairs)?;
        for batch in &layout.batches {
            let found = backend.sums(&pairs, &limits, &draws[batch.clone()], &finished)?;
            assert_eq!(found.len(), pairs.len(), "a backend gives the sums of every pair of tiles");
            for (pair, found) in pairs.iter().zip(found) {
                assert_eq!(found.len(), batch.len(), "a backend gives the sums of every draw");
                batch.clone().zip(found).for_each(|(draw, sum)| sums[draw][layout.place(*pair)] = sum);
            }
        }
    }
    let add = |total: Sums, sum: &Sums| Sums {
        off_diagonal: total.off_diagonal + sum.off_diagonal,
        diagonal: total.diagonal + sum.diagonal,
    };
    Ok(sums.iter().map(|sums| sums.iter().fold(Sums::default(), add)).collect())
}

/// A sweep over networks, laid out to fit into the memory of its device.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    device: &'a Device,
    inputs: &'a TiledInputs,
    kernel: Kernel,
    networks: usize,
    /// In the order of the networks.
    draws: Vec<Draw>,
    bytes: usize,
}

impl<'a> Sweep<'a> {
    /// Plans the initialisations `0, 1, ...` of each network, for their NNGP kernels.
    ///
    /// # Errors
    /// Where a network does not fit the inputs or has no hidden unit or initialisation, the device is an empty list of
    /// GPUs, or the memory does not suffice.
    pub fn new(device: &'a Device, inputs: &'a TiledInputs, networks: &[SampledNetwork], seed: u64) -> Result<Self> {
        Self::of_kernel(device, inputs, networks, Kernel::Nngp, seed)
    }

    /// The same for a kernel of choice. The tangent kernel is that of
    /// [`sampled_tangent_kernels`](super::sampled_tangent_kernels): a Gram matrix too, of features
    /// `v_i sqrt(f) H(u_i.x) x_j`, one for each weight `u_ij` that exists, beside the `[u_i.x]_+` of the NNGP kernel.
    /// So it takes about `N^2 / 2` times the number of all weights in multiply-adds.
    ///
    /// # Errors
    /// As [`Sweep::new`].
    ///
    /// ```
    /// use sparsewidth::data::DataSource;
    /// use sparsewidth::kernel::ntk::{Kernel, Tangent};
    /// use sparsewidth::network::{Connectivity, LayerSpec, MaskFamily, WeightDistribution};
    /// use sparsewidth::sampled::{Device, SampledNetwork, Sweep, TiledInputs};
    ///
    /// let inputs = DataSource::Gaussian { dimension: 12, samples: 50 }.inputs(0)?.values;
    /// let inputs = TiledInputs::new(inputs.view())?;
    /// let law = LayerSpec {
    ///     rows: 100,
    ///     columns: 12,
    ///     connectivity: Connectivity::new(0.5)?,
    ///     mask: MaskFamily::Bernoulli,
    ///     law: WeightDistribution::Gaussian,
    /// };
    /// let networks = [SampledNetwork { law, initialisations: 3 }];
    /// let kernel = Kernel::Ntk(Tangent::Standardised);
    /// let found = Sweep::of_kernel(&Device::CPU, &inputs, &networks, kernel, 0)?.run(&|_| {})?;
    /// assert!(found[0].off_diagonal.len() == 3 && found[0].off_diagonal.iter().all(|distance| *distance > 0.0));
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn of_kernel(
        device: &'a Device,
        inputs: &'a TiledInputs,
        networks: &[SampledNetwork],
        kernel: Kernel,
        seed: u64,
    ) -> Result<Self> {
        for SampledNetwork { law, initialisations } in networks {
            if law.columns != inputs.dimension()
                || [law.rows, *initialisations].iter().any(|count| !(1..u32::MAX as usize).contains(count))
            {
                return Err(Error::value(
                    "width, dimension, initialisations",
                    format!("{}, {}, {initialisations}", law.rows, law.columns),
                    format!("the inputs have dimension {}, width and initialisations are positive", inputs.dimension()),
                    "give networks that fit",
                ));
            }
        }
        #[cfg(feature = "cuda")]
        if let Device::Cuda(devices) = device
            && devices.is_empty()
        {
            let problem = "there is no GPU in the list";
            return Err(Error::value("device", "cuda", problem, "list one, or compute on the CPU")
                .about(crate::error::Setting::Device));
        }
        #[cfg(feature = "cuda")]
        if let Device::Cuda(_) = device
            && networks.iter().any(|network| !network.law.mask.is_drawn_on_gpus())
        {
            let problem = "masks of this family are drawn on the CPU only";
            return Err(Error::value("device", "cuda", problem, "give other masks, or compute on the CPU")
                .about(crate::error::Setting::Device));
        }
        let draws = networks.iter().enumerate().flat_map(|(network, SampledNetwork { law, initialisations })| {
            (0..*initialisations as u32).map(move |initialisation| Draw {
                law: *law,
                id: LayerId { seed, initialisation, layer: 0 },
                network,
            })
        });
        let mut sweep = Self { device, inputs, kernel, networks: networks.len(), draws: draws.collect(), bytes: 0 };
        sweep.bytes = match device {
            Device::Cpu { memory } => sweep.cpu_layout(*memory)?.bytes,
            #[cfg(feature = "cuda")]
            Device::Cuda(devices) => accelerator::bytes(devices, inputs, kernel.tangent(), &sweep.draws)?,
        };
        Ok(sweep)
    }

    /// The most memory that the sweep takes on its device, in bytes; on the CPU, in addition to the inputs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn cpu_layout(&self, memory: usize) -> Result<Layout> {
        let cpu = Cpu::new(self.inputs, self.kernel.tangent());
        let (chunks, costs) = (cpu.chunks(&self.draws), cpu.costs(&self.draws));
        Layout::new(cpu.tiles(), &chunks, costs, memory).map_err(|needed| {
            let widest = self.draws.iter().map(|draw| draw.law.rows).max().unwrap_or(0);
            let threads = rayon::current_num_threads();
            let problem = format!(
                "is not enough: width {widest}, {} draws and {threads} threads take at least {} MB",
                self.draws.len(),
                needed.div_ceil(1 << 20)
            );
            let remedy = "give more, or fewer initialisations or threads";
            Error::value("memory", format!("{} MB", memory >> 20), problem, remedy)
        })
    }

    /// Draws the networks and compares the kernel of each with that of infinite width over all pairs: with `v K_1 / d`,
    /// `v` the variance of its weights, or, the tangent kernel, with `v (K_1 + C K_0) / d`.
    ///
    /// Features and kernels are in single precision, sums over pairs in double. On one kind of device the results are
    /// the same bits for any number of threads or devices, any memory, and whatever other networks the sweep has.
    /// Of inputs that are nearly parallel, but not the same, the angle is known to about 1e-3 and `K_0` to 1e-4.
    /// `progress` is called with the share that is done, from any thread.
    ///
    /// # Errors
    /// Where the device fails, or, with more threads than [`Sweep::new`] had, the memory does not suffice.
    pub fn run(&self, progress: &(dyn Fn(f64) + Sync)) -> Result<Vec<AllPairsDistances>> {
        let sums = match self.device {
            Device::Cpu { memory } => {
                let cpu = Cpu::new(self.inputs, self.kernel.tangent());
                total(&cpu, &self.cpu_layout(*memory)?, &self.draws, progress)?
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(devices) => {
                accelerator::total(devices, self.inputs, self.kernel.tangent(), &self.draws, progress)?
            }
        };
        Ok(self.distances(&sums))
    }

    /// The distances from the sums of each draw.
    pub(super) fn distances(&self, sums: &[Sums]) -> Vec<AllPairsDistances> {
        let samples = self.inputs.samples() as f64;
        let unit = (self.inputs.scale * self.inputs.scale / self.inputs.dimension() as f64).powi(2);
        let mut distances = vec![AllPairsDistances::default(); self.networks];
        for (draw, sum) in self.draws.iter().zip(sums) {
            let network = &mut distances[draw.network];
            network.off_diagonal.push(unit * sum.off_diagonal / (samples * (samples - 1.0) / 2.0));
            network.diagonal.push(unit * sum.diagonal / samples);
        }
        distances
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu::CHUNK;
    use super::*;
    use crate::data::DataSource;
    use crate::kernel::gram::Pair;
    use crate::kernel::ntk::{InfiniteWidth, Tangent};
    use crate::network::Connectivity;
    use crate::network::{Activation, Architecture, Layer, MaskFamily, WeightDistribution};
    use crate::sampled::{PairedInputs, sampled_kernels, sampled_tangent_kernels};
    use ndarray::Array2;

    fn network(rows: usize, columns: usize, p: f64, initialisations: usize) -> SampledNetwork {
        let (mask, law) = (MaskFamily::Bernoulli, WeightDistribution::Uniform);
        let connectivity = Connectivity::new(p).unwrap();
        SampledNetwork { law: LayerSpec { rows, columns, connectivity, mask, law }, initialisations }
    }

    fn gaussian(samples: usize, dimension: usize) -> Array2<f64> {
        let drawn = DataSource::Gaussian { dimension, samples: samples.max(2) }.inputs(4).unwrap().values;
        let mut values = drawn.slice_move(ndarray::s![..samples, ..]) * 3e5;
        values.row_mut(samples / 2).fill(0.0);
        values
    }

    /// Means over all pairs, one by one.
    fn one_by_one(inputs: &Array2<f64>, network: &SampledNetwork, kernel: Kernel, initialisation: u32) -> (f64, f64) {
        let samples = inputs.nrows();
        let mean_over = |pairs: Vec<(usize, usize)>| {
            let paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
            let id = LayerId { seed: 7, initialisation, layer: 0 };
            let law = network.law;
            let layer = Layer::new(law.rows, law.connectivity, Activation::Relu).unwrap().with_mask(law.mask);
            let architecture = Architecture::new(vec![layer]).unwrap();
            let kernels = match kernel {
                Kernel::Nngp => sampled_kernels(&paired, law, id),
                Kernel::Ntk(tangent) => {
                    sampled_tangent_kernels(&paired, &architecture, law.law, 7, initialisation, tangent)
                }
            };
            let kernels = kernels.unwrap();
            let squares = pairs.iter().zip(kernels).map(|((i, j), drawn)| {
                let pair = Pair::new(inputs.row(*i), inputs.row(*j)).unwrap();
                let limit = law.law.variance() * InfiniteWidth::of(&pair).get(kernel) / inputs.ncols() as f64;
                (drawn - limit).powi(2)
            });
            squares.sum::<f64>() / pairs.len() as f64
        };
        let different = (0..samples).flat_map(|i| (i + 1..samples).map(move |j| (i, j))).collect();
        (mean_over(different), mean_over((0..samples).map(|i| (i, i)).collect()))
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn a_list_of_no_gpu_is_refused() {
        let inputs = TiledInputs::new(ndarray::array![[1.0, 2.0], [3.0, 4.0]].view()).unwrap();
        let message = Sweep::new(&Device::Cuda(Vec::new()), &inputs, &[network(3, 2, 1.0, 1)], 0).unwrap_err();
        assert!(message.to_string().contains("there is no GPU in the list"), "{message}");
    }

    #[test]
    fn tiles_hold_what_each_pair_gives() {
        // Three tiles, the last one not full; dense and sparse; and a width of two chunks.
        for (samples, network) in
            [(800, network(30, 12, 0.2, 2)), (800, network(7, 12, 1.0, 1)), (800, network(CHUNK + 100, 12, 0.1, 1))]
        {
            let values = gaussian(samples, 12);
            let inputs = TiledInputs::new(values.view()).unwrap();
            let found = Sweep::new(&Device::CPU, &inputs, &[network], 7).unwrap().run(&|_| {}).unwrap();
            assert_eq!(found[0].off_diagonal.len(), network.initialisations);
            for initialisation in 0..network.initialisations {
                let expected = one_by_one(&values, &network, Kernel::Nngp, initialisation as u32);
                let found = (found[0].off_diagonal[initialisation], found[0].diagonal[initialisation]);
                // Single precision of kernels and their limits, whose errors are independent of each other.
                for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
                    assert!((found / expected - 1.0).abs() < 1e-5, "{network:?}: {found:e}, one by one {expected:e}");
                }
            }
        }
    }

    /// All mask families, both conventions, of one chunk and of several, sparse and dense, and a unit whose weights are
    /// more than a chunk.
    #[test]
    fn tiles_hold_what_each_pair_gives_of_tangent_kernels() {
        let wide = SampledNetwork {
            law: LayerSpec { columns: CHUNK + 300, connectivity: Connectivity::DENSE, ..network(2, 12, 1.0, 1).law },
            initialisations: 1,
        };
        let of_family = |mask| {
            let mut network = network(300, 12, 0.2, 2);
            (network.law.mask, network.law.law) = (mask, WeightDistribution::Gaussian);
            network
        };
        for (samples, network) in [
            (500, network(30, 12, 0.2, 2)),
            (500, network(7, 12, 1.0, 1)),
            (500, network(CHUNK + 100, 12, 0.1, 1)),
            (500, of_family(MaskFamily::ExactCount)),
            (500, of_family(MaskFamily::ConstantFanIn)),
            (40, wide),
        ] {
            let values = gaussian(samples, network.law.columns);
            let inputs = TiledInputs::new(values.view()).unwrap();
            for kernel in [Tangent::Standardised, Tangent::Paper].map(Kernel::Ntk) {
                let sweep = Sweep::of_kernel(&Device::CPU, &inputs, &[network], kernel, 7).unwrap();
                let found = sweep.run(&|_| {}).unwrap();
                for initialisation in 0..network.initialisations {
                    let expected = one_by_one(&values, &network, kernel, initialisation as u32);
                    let found = (found[0].off_diagonal[initialisation], found[0].diagonal[initialisation]);
                    // Single precision of kernels and their limits, whose errors are independent of each other.
                    for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
                        let name = format!("{network:?}, {kernel:?}");
                        assert!((found / expected - 1.0).abs() < 1e-5, "{name}: {found:e}, one by one {expected:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_bits_whatever_the_memory_the_threads_and_the_company() {
        the_same_bits(Kernel::Nngp, &[network(40, 9, 0.3, 3), network(CHUNK + 9, 9, 0.1, 1), network(600, 9, 0.05, 2)]);
        let exact = LayerSpec { mask: MaskFamily::ExactCount, ..network(700, 9, 0.4, 1).law };
        let networks =
            [network(40, 9, 0.3, 3), SampledNetwork { law: exact, initialisations: 1 }, network(600, 9, 0.05, 2)];
        the_same_bits(Kernel::Ntk(Tangent::Standardised), &networks);
    }

    /// Of three networks, of which the one in the middle has two chunks.
    fn the_same_bits(kernel: Kernel, networks: &[SampledNetwork]) {
        let values = gaussian(1300, 9);
        let inputs = TiledInputs::new(values.view()).unwrap();
        let run = |networks: &[SampledNetwork], memory: usize, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let device = Device::Cpu { memory };
                let sweep = Sweep::of_kernel(&device, &inputs, networks, kernel, 7).unwrap();
                assert!(sweep.bytes() <= memory);
                let layout = sweep.cpu_layout(memory).unwrap();
                (sweep.run(&|_| {}).unwrap(), layout.block, layout.batches.len())
            })
        };
        let (whole, block, batches) = run(networks, 1 << 30, 2);
        assert_eq!((block, batches), (4, 3));
        for threads in [1, 2, 4] {
            let (found, block, _) = run(networks, threads * (11 << 20) + (12 << 20), threads);
            assert!(block < 4, "too much memory for this test");
            assert_eq!(found, whole);
        }
        for (network, whole) in networks.iter().zip(&whole) {
            assert_eq!(run(&[*network], 1 << 30, 2).0, std::slice::from_ref(whole));
        }
    }

    #[test]
    fn sweeps_that_cannot_be_are_refused() {
        let values = gaussian(10, 5);
        let inputs = TiledInputs::new(values.view()).unwrap();
        for wrong in [network(0, 5, 0.5, 1), network(3, 4, 0.5, 1), network(3, 5, 0.5, 0)] {
            assert!(Sweep::new(&Device::CPU, &inputs, &[wrong], 0).is_err());
        }
        let error =
            Sweep::new(&Device::Cpu { memory: 1 << 10 }, &inputs, &[network(3, 5, 0.5, 1)], 0).unwrap_err().to_string();
        assert!(error.contains("memory") && error.contains("MB"), "{error}");
        assert!(TiledInputs::new(gaussian(1, 5).view()).is_err());
        let mut outlier = gaussian(10, 5);
        outlier.row_mut(3).fill(1e25);
        assert!(TiledInputs::new(outlier.view()).unwrap_err().to_string().contains("row 0"));
        assert!(TiledInputs::new(Array2::from_elem((3, 2), f64::NAN).view()).is_err());
    }
}
