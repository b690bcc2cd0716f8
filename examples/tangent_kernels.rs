//! A drawn network and its tangent kernels, as files for other programs:
//!
//! `cargo run --release --example tangent_kernels -- FOLDER 'relu:216@0.037 relu:64' 20`
//!
//! writes the first 20 of MNIST's embedded images as `inputs.npy`, shape `(20, 784)`; for each layer `0, 1, ...` and
//! then the readout `weights_0.npy`, shape `(outputs, inputs)`, zero where no weight exists, and `mask_0.npy`, which
//! tells; `sigma.npy`, the scale of each layer's weights; and `standardised.npy` and `paper.npy`, the kernels of all
//! pairs, shape `(20, 20)`. Of more than 200 inputs no kernels are written. Of one hidden layer it then prints what a
//! sweep over all pairs takes, in seconds, and the mean squared distances from infinite width, off the diagonal and on
//! it.
//!
//! `scripts/check_tangent.py` compares the kernels with those of PyTorch.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use ndarray::{Array1, Array2, s};
use ndarray_npy::write_npy;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::network::{DrawnLayer, LayerId, LayerSpec, MaskFamily, SparseRows};
use sparsewidth::sampled::{Device, PairedInputs, SampledNetwork, Sweep, TiledInputs, sampled_tangent_kernels};
use sparsewidth::{Architecture, Connectivity, Kernel, Tangent, WeightDistribution};

const SEED: u64 = 1;
/// Inputs of which the kernels of all pairs are written.
const MOST: usize = 200;

fn main() -> anyhow::Result<()> {
    let [folder, network, samples]: [String; 3] = (std::env::args().skip(1).collect::<Vec<_>>())
        .try_into()
        .map_err(|_| anyhow::anyhow!("give a folder, a network and a number of images"))?;
    let (folder, network, samples) = (Path::new(&folder), network.parse::<Architecture>()?, samples.parse::<usize>()?);
    let images = DataSource::Embedded.inputs(0)?.normalised(Normalisation::Pixel)?;
    anyhow::ensure!((2..=images.nrows()).contains(&samples), "there are {} images", images.nrows());
    let inputs = images.slice_move(s![..samples, ..]);
    write_npy(folder.join("inputs.npy"), &inputs)?;

    let (dimension, law) = (inputs.ncols(), WeightDistribution::Gaussian);
    let mut specs = network.layer_specs(dimension, law);
    let (first, columns) = (specs[0], network.last().width());
    specs.push(LayerSpec { rows: 1, columns, connectivity: Connectivity::DENSE, mask: MaskFamily::Bernoulli, law });
    for (layer, spec) in specs.iter().enumerate() {
        let id = LayerId { seed: SEED, initialisation: 0, layer: layer as u32 };
        let weights = DrawnLayer::new(*spec, id).all_rows();
        write_npy(folder.join(format!("weights_{layer}.npy")), &weights.to_dense(spec.columns))?;
        write_npy(folder.join(format!("mask_{layer}.npy")), &mask(&weights, spec.columns))?;
    }
    write_npy(folder.join("sigma.npy"), &specs.iter().map(LayerSpec::sigma).collect::<Array1<f64>>())?;

    if samples <= MOST {
        let pairs: Vec<(usize, usize)> = (0..samples).flat_map(|i| (0..samples).map(move |j| (i, j))).collect();
        let paired = PairedInputs::new(inputs.view(), &pairs)?;
        for tangent in [Tangent::Standardised, Tangent::Paper] {
            let kernels = sampled_tangent_kernels(&paired, &network, law, SEED, 0, tangent)?;
            let kernels = Array2::from_shape_vec((samples, samples), kernels).context("a kernel for each pair")?;
            write_npy(folder.join(format!("{}.npy", tangent.name())), &kernels)?;
        }
    }
    if network.before_last().is_empty() {
        let tiled = TiledInputs::new(inputs.view())?;
        let networks = [SampledNetwork { law: first, initialisations: 1 }];
        let start = Instant::now();
        let kernel = Kernel::Ntk(Tangent::Standardised);
        let found = Sweep::of_kernel(&Device::CPU, &tiled, &networks, kernel, SEED)?.run(&|_| {})?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{seconds} {:e} {:e}", found[0].off_diagonal[0], found[0].diagonal[0]);
    }
    Ok(())
}

/// Which weights exist.
fn mask(weights: &SparseRows, columns: usize) -> Array2<bool> {
    let mut mask = Array2::from_elem((weights.rows(), columns), false);
    for (row, mut of_row) in mask.outer_iter_mut().enumerate() {
        weights.row(row).0.iter().for_each(|column| of_row[*column as usize] = true);
    }
    mask
}
