//! The kernels of `sampled.cu` against the CPU: on the host, and on a GPU where there is one.

use super::*;
use crate::data::{DataSource, Normalisation};
use crate::kernel::ntk::Kernel as NetworkKernel;
use crate::network::Connectivity;
use crate::network::{DrawnLayer, LayerId, LayerSpec, MaskFamily, SparseRows, WeightDistribution};
use crate::sampled::features::hidden_features;
use crate::sampled::sweep::Backend;
use crate::sampled::tangent::readout_gains;
use crate::sampled::{Device, SampledNetwork, Sweep};
use ndarray::{Array2, ArrayView2};

/// Every kind of layer: masks, weights, sparse and dense, widths of one row and of several chunks, no weight at all.
fn laws(columns: usize) -> Vec<LayerSpec> {
    let law = |rows, p, mask, law| LayerSpec { rows, columns, connectivity: Connectivity::new(p).unwrap(), mask, law };
    vec![
        law(1, 0.2, MaskFamily::Bernoulli, WeightDistribution::Gaussian),
        law(77, 0.05, MaskFamily::Bernoulli, WeightDistribution::Uniform),
        law(300, 0.1, MaskFamily::ExactCount, WeightDistribution::Gaussian),
        law(130, 0.6, MaskFamily::ExactCount, WeightDistribution::Uniform),
        law(200, 1.0, MaskFamily::Bernoulli, WeightDistribution::Gaussian),
        law(5, 1e-30, MaskFamily::Bernoulli, WeightDistribution::Gaussian),
        law(8 * CHUNK + 33, 0.01, MaskFamily::Bernoulli, WeightDistribution::Gaussian),
    ]
}

/// The same with fewer weights, since each is a feature of the tangent kernel; of one chunk and of several.
fn narrow_laws(columns: usize) -> Vec<LayerSpec> {
    let rows = [1, 77, 300, 20, 12, 5, 2 * CHUNK + 33];
    laws(columns).into_iter().zip(rows).map(|(law, rows)| LayerSpec { rows, ..law }).collect()
}

/// The kernels, and layers that suit them.
const KERNELS: [Option<Tangent>; 3] = [None, Some(Tangent::Standardised), Some(Tangent::Paper)];

fn laws_of(tangent: Option<Tangent>, columns: usize) -> Vec<LayerSpec> {
    if tangent.is_some() { narrow_laws(columns) } else { laws(columns) }
}

fn inputs(samples: usize, dimension: usize) -> TiledInputs {
    let mut values = DataSource::Gaussian { dimension, samples }.inputs(4).unwrap().values * 7.0;
    values.row_mut(samples / 2).fill(0.0);
    TiledInputs::new(values.view()).unwrap()
}

fn draws(laws: &[LayerSpec], initialisations: u32) -> Vec<Draw> {
    let of = |(network, law): (usize, &LayerSpec)| {
        let id = |initialisation| LayerId { seed: 0x1234_5678_9ABC, initialisation, layer: 0 };
        (0..initialisations).map(move |index| Draw { law: *law, id: id(index), network }).collect::<Vec<_>>()
    };
    laws.iter().enumerate().flat_map(of).collect()
}

fn downloaded<A: Accelerator, T: Word>(device: &A, buffer: &A::Buffer<T>) -> Vec<T> {
    device.download(buffer).unwrap_or_else(|trouble| panic!("{trouble:?}"))
}

/// The weights that a device draws for a chunk.
fn weights_on<A: Accelerator>(on_device: &OnDevice<A>, drawn: &DrawnLayer, chunk: usize) -> SparseRows {
    let device = on_device.device;
    let counts = on_device.counts(&[drawn], chunk).unwrap_or_else(|_| panic!("no memory")).remove(0);
    let drawn = on_device.draw(drawn, chunk, &counts).unwrap_or_else(|_| panic!("no memory"));
    let places: Vec<usize> = downloaded(device, &drawn.places).into_iter().map(|place| place as usize).collect();
    let weights = places[places.len() - 1];
    let (mut columns, mut values) = (downloaded(device, &drawn.columns), downloaded(device, &drawn.values));
    columns.truncate(weights);
    values.truncate(weights);
    SparseRows { offsets: places, columns, values }
}

/// Masks to the bit, values to the rounding of two logarithms and cosines.
fn weights_agree<A: Accelerator>(device: &A, tangent: Option<Tangent>) {
    let inputs = inputs(130, 90);
    let on_device = OnDevice::new(device, &inputs, tangent).unwrap_or_else(|_| panic!("no memory"));
    for law in laws_of(tangent, 90) {
        let drawn = DrawnLayer::new(law, draws(&[law], 1)[0].id);
        let chunks = Chunks::of(&law, tangent, CHUNK);
        for chunk in 0..chunks.count() {
            let expected = drawn.rows(chunks.range(chunk));
            assert!(tangent.is_none() || expected.len() + expected.rows() <= chunks.features);
            let found = weights_on(&on_device, &drawn, chunk);
            assert_eq!((&found.offsets, &found.columns), (&expected.offsets, &expected.columns), "{law:?}");
            for (found, expected) in found.values.iter().zip(&expected.values) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{law:?}: {found} {expected}");
            }
        }
    }
}

/// Features to 1e-6 of the largest sum of magnitudes that one is made of; those of weights where the sign of a hidden
/// one is not lost in that.
fn features_agree<A: Accelerator>(device: &A, tangent: Option<Tangent>) {
    // Two tiles, the second not full, of which the features are made in an order of their own.
    let inputs = inputs(200, 90);
    let on_device = OnDevice::new(device, &inputs, tangent).unwrap_or_else(|_| panic!("no memory"));
    let block = on_device.limits(&[(0, 0), (0, 1), (1, 1)]).unwrap_or_else(|_| panic!("no memory"));
    let (matrix, _) = inputs.padded(TILE);
    for law in laws_of(tangent, 90) {
        let drawn = [DrawnLayer::new(law, draws(&[law], 1)[0].id)];
        let features = on_device.features(&drawn, 0, &block.tiles).unwrap_or_else(|_| panic!("no memory")).remove(0);
        let units = Chunks::of(&law, tangent, CHUNK).range(0);
        let found = downloaded(device, &features.rows);
        let found = ArrayView2::from_shape((features.count, matrix.ncols()), &found).unwrap();
        let weights = drawn[0].rows(units.clone());
        let (found, of_weights) = found.split_at(ndarray::Axis(0), units.len());
        assert_eq!(of_weights.nrows(), if tangent.is_some() { weights.len() } else { 0 });
        let expected = hidden_features(&weights, law, &matrix).unwrap();
        let magnitudes = weights.to_dense(90).mapv(f32::abs).dot(&matrix.mapv(f32::abs));
        for ((found, expected), magnitude) in found.iter().zip(&expected).zip(&magnitudes) {
            assert!((found - expected).abs() <= 1e-6 * magnitude, "{law:?}: {found} {expected} of {magnitude}");
        }
        let Some(tangent) = tangent else { continue };
        let gains = readout_gains(&law, drawn[0].id(), tangent);
        let mut rows = of_weights.outer_iter();
        for unit in units {
            for (column, row) in weights.row(unit).0.iter().zip(rows.by_ref()) {
                for (sample, found) in row.iter().enumerate() {
                    let (hidden, entry) = (expected[[unit, sample]], matrix[[*column as usize, sample]]);
                    let expected = if hidden > 0.0 { gains[unit] * entry } else { 0.0 };
                    let is_close = hidden <= 1e-6 * magnitudes[[unit, sample]];
                    assert!(*found == expected || is_close, "{law:?}: {found} {expected}");
                }
            }
        }
    }
}

/// Distances over all pairs, to 1e-6; of tangent kernels to 1e-5, since a hidden feature that rounding makes positive
/// or not changes those of all its unit's weights.
fn distances_agree<A: Accelerator>(
    devices: &[A],
    tangent: Option<Tangent>,
    values: ArrayView2<f64>,
    laws: &[LayerSpec],
) {
    let kernel = tangent.map_or(NetworkKernel::Nngp, NetworkKernel::Ntk);
    let most = if tangent.is_some() { 1e-5 } else { 1e-6 };
    let inputs = TiledInputs::new(values).unwrap();
    let initialisations = 2;
    let networks: Vec<SampledNetwork> = laws.iter().map(|law| SampledNetwork { law: *law, initialisations }).collect();
    let sweep = Sweep::of_kernel(&Device::CPU, &inputs, &networks, kernel, 0x1234_5678_9ABC).unwrap();
    let expected = sweep.run(&|_| {}).unwrap();
    let sums = total(devices, &inputs, tangent, &draws(laws, initialisations as u32), &|_| {}).unwrap();
    let found = sweep.distances(&sums);
    for ((found, expected), law) in found.iter().zip(&expected).zip(laws) {
        for (found, expected) in [(&found.off_diagonal, &expected.off_diagonal), (&found.diagonal, &expected.diagonal)]
        {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found / expected - 1.0).abs() <= most, "{law:?}, {tangent:?}: {found:e} {expected:e}");
            }
        }
    }
}

fn gaussian() -> Array2<f64> {
    let mut values = DataSource::Gaussian { dimension: 90, samples: 700 }.inputs(4).unwrap().values * 7.0;
    values.row_mut(300).fill(0.0);
    values
}

#[cfg(feature = "host-kernels")]
mod on_the_host {
    use super::super::host::Host;
    use super::*;

    fn host() -> Host {
        Host::new(1 << 30, 1 << 30)
    }

    #[test]
    fn weights_are_those_of_the_cpu() {
        KERNELS.into_iter().for_each(|tangent| weights_agree(&host(), tangent));
    }

    #[test]
    fn features_are_those_of_the_cpu() {
        KERNELS.into_iter().for_each(|tangent| features_agree(&host(), tangent));
    }

    #[test]
    fn distances_are_those_of_the_cpu() {
        distances_agree(&[host()], None, gaussian().view(), &laws(90));
        for tangent in [Tangent::Standardised, Tangent::Paper] {
            distances_agree(&[host()], Some(tangent), gaussian().slice(ndarray::s![150..450, ..]), &narrow_laws(90));
        }
        let images = DataSource::Embedded.inputs(0).unwrap().normalised(Normalisation::Pixel).unwrap();
        let images = images.slice_move(ndarray::s![..300, ..]);
        distances_agree(&[host()], None, images.view(), &laws(784)[..4]);
        distances_agree(&[host()], Some(Tangent::Standardised), images.view(), &narrow_laws(784)[..2]);
    }

    #[test]
    fn the_same_bits_whatever_the_memory_and_the_devices() {
        the_same_bits(None, 700, &[40, 20, 12, 10, 8]);
        the_same_bits(Some(Tangent::Standardised), 500, &[40, 10, 5, 4, 3, 2]);
    }

    /// With so many megabytes to spare.
    fn the_same_bits(tangent: Option<Tangent>, samples: usize, memory: &[usize]) {
        let inputs = inputs(samples, 90);
        let draws = draws(&laws_of(tangent, 90), 3);
        let run = |devices: &[Host]| -> Vec<(f64, f64)> {
            let sums = total(devices, &inputs, tangent, &draws, &|_| {}).unwrap();
            sums.iter().map(|sums| (sums.off_diagonal, sums.diagonal)).collect()
        };
        let whole = run(&[host()]);
        assert_eq!(run(&[host(), host(), host()]), whole);
        let bytes = |memory: usize| layout(&inputs, tangent, &draws, memory / 10 * SHARE).map(|layout| layout.bytes);
        let mut tried = 0;
        // From all tiles at once to one per block, whole draws at once to one per batch.
        for megabytes in memory {
            let device = Host::new(megabytes << 20, 1 << 30);
            let Ok(bytes) = bytes(device.free) else { continue };
            assert_eq!(run(std::slice::from_ref(&device)), whole);
            assert!(device.peak() <= bytes, "{} bytes taken, {bytes} estimated", device.peak());
            // Less than it told of: in smaller pieces.
            let device = Host::new(1 << 30, bytes);
            assert_eq!(run(std::slice::from_ref(&device)), whole);
            tried += 1;
        }
        assert!(tried >= 3, "{tried}");
        for (free, memory) in [(1 << 20, 1 << 30), (1 << 30, 1 << 20)] {
            let error = total(&[Host::new(free, memory)], &inputs, tangent, &draws, &|_| {}).unwrap_err();
            assert!(error.to_string().contains("takes at least"), "{error}");
        }
    }
}

#[cfg(feature = "cuda")]
mod on_a_gpu {
    use super::super::cuda::Cuda;
    use super::*;

    #[test]
    #[ignore = "needs an NVIDIA GPU, or the driver of tests/driver"]
    fn kernels_are_those_of_the_cpu() {
        let devices = Cuda::all().unwrap();
        for device in &devices {
            for tangent in KERNELS {
                weights_agree(device, tangent);
                features_agree(device, tangent);
            }
        }
        for tangent in KERNELS {
            distances_agree(&devices, tangent, gaussian().view(), &laws_of(tangent, 90));
        }
    }

    #[test]
    #[ignore = "needs an NVIDIA GPU, or the driver of tests/driver"]
    fn distances_over_mnist_are_those_of_the_cpu() {
        let images = DataSource::Embedded.inputs(0).unwrap().normalised(Normalisation::Pixel).unwrap();
        for tangent in KERNELS {
            distances_agree(&Cuda::all().unwrap(), tangent, images.view(), &laws_of(tangent, 784));
        }
    }
}
