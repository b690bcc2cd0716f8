//! `sparsewidth masks`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ndarray::{Array2, Ix2};
use rayon::prelude::*;
use serde::Serialize;
use sparsewidth::data::{Normalisation, PreparedInputs};
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::nngp::Distance;
use sparsewidth::kernel::ntk::{Kernel, KernelName, Tangent};
use sparsewidth::network::{NamedMask, read_masks};
use sparsewidth::numeric::parallel::try_map;
use sparsewidth::numeric::parse::count;
use sparsewidth::numeric::statistics::{mean, quantile, sorted};
use sparsewidth::report::Table;
use sparsewidth::{Error, Result};

use super::Common;
use super::options::DataOption;
use super::output::{json_lines, print};
use super::values::path;

/// Prints, with --json, one object per file and kernel.
#[derive(Args)]
pub struct MasksArgs {
    /// Files of masks, NPZ or safetensors: arrays of 0 and 1 of each layer's shape, named `LAYER.weight`,
    /// `LAYER.weight_mask` (as torch.nn.utils.prune does) or otherwise
    #[arg(required = true, value_name = "FILE", value_parser = path())]
    files: Vec<PathBuf>,
    #[command(flatten)]
    data: DataOption,
    /// Normalisation of the inputs, by their own statistics [default: pixel for MNIST, none for other data]
    #[arg(long, value_enum, value_name = "NAME")]
    normalisation: Option<Normalisation>,
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Kernels whose distances are taken: nngp, that of the last layer as in the paper, and ntk, the tangent kernel
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [KernelName::Nngp, KernelName::Ntk], value_name = "LIST")]
    kernel: Vec<KernelName>,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau is the inverse of their variance)
    #[arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION")]
    tangent: Tangent,
    /// Variance of the weights that a mask keeps
    #[arg(long, value_enum, default_value_t = Scale::Density, value_name = "SCALE")]
    scale: Scale,
    /// Read weights instead of masks: a mask keeps what is not 0
    #[arg(long)]
    zeros_are_masked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Scale {
    /// One over the density of the layer's mask
    Density,
    /// The number of inputs over the fan-in of each unit
    FanIn,
}

/// The first layer of one file under one kernel.
#[derive(Serialize)]
struct MasksRecord<'a> {
    file: &'a Path,
    layer: &'a str,
    /// `kernel` and, for the tangent kernel, `tangent`.
    #[serde(flatten)]
    kernel: Kernel,
    scale: Scale,
    inputs: usize,
    width: usize,
    kept: usize,
    density: f64,
    sparsity: f64,
    pairs: usize,
    /// Means over pairs: of bias^2, of the variance of the kernel, and of the distance, their sum.
    bias_squared: f64,
    variance: f64,
    distance: f64,
    median: f64,
    /// The mean error of the distance: rounding.
    distance_error: f64,
}

pub fn run(args: MasksArgs, common: &Common) -> Result<()> {
    if !args.kernel.contains(&KernelName::Ntk) {
        common.refuse("tangent", "no tangent kernel is asked for; add ntk to --kernel")?;
    }
    let files: Vec<(&Path, Vec<NamedMask>)> = (args.files.iter())
        .map(|file| Ok((file.as_path(), read_masks(file, args.zeros_are_masked)?)))
        .collect::<Result<_>>()?;
    let data = args.data.data;
    let normalisation = args.normalisation.unwrap_or(data.usual_normalisation());
    let inputs = data.inputs(common.seed)?;
    let values = PreparedInputs::new(inputs.normalised(normalisation)?)?;
    let dimension = values.dimension().get();
    let first = |path: &Path, masks: &[NamedMask]| first_layer(path, masks, dimension, &data.to_string(), args.scale);
    // What does not fit is refused before anything is computed.
    let given: Vec<Option<GivenMask>> = files.iter().map(|(path, masks)| first(path, masks)).collect::<Result<_>>()?;
    let pairs = values.pairs(&values.random_pairs(args.pairs, common.seed)?)?;

    let kernels: Vec<Kernel> = args.kernel.iter().map(|kernel| kernel.with(args.tangent)).collect();
    let mut records = Vec::new();
    for ((file, masks), given) in files.iter().zip(&given) {
        let Some(given) = given else { continue };
        records.extend(of_file((file, &masks[0].layer), given, &kernels, args.scale, &pairs)?);
    }
    if common.json {
        print(&json_lines(&records)?)?;
    }
    for (file, masks) in &files {
        common.say(&format!("{}\n\n{}\n", file.display(), layers(masks)))?;
        for empty in masks.iter().filter(|own| !own.mask.iter().any(|kept| *kept)) {
            let warning = format!("Layer collapse: {} of {} keeps no weight.", empty.layer, file.display());
            common.note(&warning);
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let what = format!("{} random pairs of {data}, {}", pairs.len(), normalisation.title());
    common.say(&format!(
        "Distance of the first layer's kernels to those of infinite width, over {what}\n\n{}",
        distances(&records)
    ))
}

/// The first layer's mask, where its kernels are known: that of a linear layer which keeps anything.
fn first_layer(
    path: &Path,
    masks: &[NamedMask],
    dimension: usize,
    data: &str,
    scale: Scale,
) -> Result<Option<GivenMask>> {
    let NamedMask { layer, mask } = &masks[0];
    let Ok(mask): std::result::Result<Array2<bool>, _> = mask.clone().into_dimensionality::<Ix2>() else {
        let problem = format!("its first layer, {layer}, is a convolution, whose kernels are not known here");
        return Err(Error::file(path, problem, "give the masks of a perceptron"));
    };
    if mask.ncols() != dimension {
        let problem = format!(
            "its first layer, {layer}, is {} x {}, outputs x inputs, and {data} has {dimension} inputs",
            mask.nrows(),
            mask.ncols()
        );
        return Err(Error::file(
            path,
            problem,
            "give data of that many inputs with --data, or the masks of another network",
        ));
    }
    if !mask.iter().any(|kept| *kept) {
        return Ok(None);
    }
    let scale = match scale {
        Scale::Density => MaskScale::Density,
        Scale::FanIn => MaskScale::FanIn,
    };
    GivenMask::new(mask.view(), scale).map(Some)
}

/// One record per kernel.
fn of_file<'a>(
    (file, layer): (&'a Path, &'a str),
    given: &GivenMask,
    kernels: &[Kernel],
    scale: Scale,
    pairs: &[Pair],
) -> Result<Vec<MasksRecord<'a>>> {
    let found = try_map(pairs.par_iter(), |pair| given.kernels(pair, kernels))?;
    let record = |(place, kernel): (usize, &Kernel)| {
        let of = |value: &dyn Fn(&Distance) -> f64| -> Vec<f64> {
            found.iter().map(|kernels| value(&kernels[place].distance)).collect()
        };
        let distances = of(&Distance::total);
        MasksRecord {
            file,
            layer,
            kernel: *kernel,
            scale,
            inputs: given.inputs(),
            width: given.units(),
            kept: given.kept(),
            density: given.density(),
            sparsity: 1.0 - given.density(),
            pairs: pairs.len(),
            bias_squared: mean(&of(&|distance| distance.bias_squared)),
            variance: mean(&of(&|distance| distance.variance / given.units() as f64)),
            distance: mean(&distances),
            median: quantile(&sorted(&distances), 0.5),
            distance_error: mean(&of(&|distance| distance.error.magnitude().expect("rounding is known"))),
        }
    };
    Ok(kernels.iter().enumerate().map(record).collect())
}

/// What each layer keeps.
fn layers(masks: &[NamedMask]) -> Table {
    let heads = [
        "layer",
        "shape",
        "kept",
        "density",
        "sparsity",
        "fan-in: least",
        "median",
        "most",
        "dead units",
        "unused inputs",
    ];
    let mut table = Table::new(&heads);
    for NamedMask { layer, mask } in masks {
        let kept = mask.iter().filter(|kept| **kept).count();
        let density = if mask.is_empty() { 0.0 } else { kept as f64 / mask.len() as f64 };
        let fan_in: Vec<f64> = mask.outer_iter().map(|unit| unit.iter().filter(|kept| **kept).count() as f64).collect();
        let used = |input: usize| mask.index_axis(ndarray::Axis(1), input).iter().any(|kept| *kept);
        let unused = (0..mask.shape()[1]).filter(|input| !used(*input)).count();
        let fan_in = sorted(&fan_in);
        let at = |level: f64| if fan_in.is_empty() { "-".into() } else { format!("{}", quantile(&fan_in, level)) };
        table.row(vec![
            layer.clone(),
            mask.shape().iter().map(usize::to_string).collect::<Vec<_>>().join(" x "),
            kept.to_string(),
            format!("{density:.4}"),
            format!("{:.4}", 1.0 - density),
            at(0.0),
            at(0.5),
            at(1.0),
            fan_in.iter().filter(|kept| **kept == 0.0).count().to_string(),
            unused.to_string(),
        ]);
    }
    table
}

fn distances(records: &[MasksRecord]) -> Table {
    let heads = ["file", "kernel", "width", "density", "bias^2", "variance", "distance, mean", "distance, median"];
    let mut table = Table::new(&heads);
    for record in records {
        table.row(vec![
            record.file.display().to_string(),
            record.kernel.to_string(),
            record.width.to_string(),
            format!("{:.4}", record.density),
            format!("{:.2e}", record.bias_squared),
            format!("{:.2e}", record.variance),
            format!("{:.3e}", record.distance),
            format!("{:.3e}", record.median),
        ]);
    }
    table
}
