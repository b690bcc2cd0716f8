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
use sparsewidth::network::budget::{LayerShape, Pattern};
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
    /// Number of random masks of as many weights that each given one is compared with, over at most 500 of the pairs; 0
    /// for none
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = count)]
    drawn: usize,
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

impl From<Scale> for MaskScale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Density => Self::Density,
            Scale::FanIn => Self::FanIn,
        }
    }
}

/// Random masks are compared over at most this many pairs.
const MOST_PAIRS: usize = 500;
/// The place in a network of the first random mask: `budget` draws masks of the same seed for the first places.
const FIRST_PLACE: u32 = 1 << 20;

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
    /// The percentage of random masks of as many weights whose mean distance is smaller; none where none were drawn.
    percentile: Option<f64>,
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

    let bar = common.bar((files.len() * args.drawn) as u64);
    let kernels: Vec<Kernel> = args.kernel.iter().map(|kernel| kernel.with(args.tangent)).collect();
    let mut records = Vec::new();
    for ((file, masks), given) in files.iter().zip(&given) {
        let Some(given) = given else { continue };
        let mut own = of_file((file, &masks[0].layer), given, &kernels, args.scale, &pairs)?;
        let few = &pairs[..pairs.len().min(MOST_PAIRS)];
        let percentiles = percentiles(given, &kernels, args.scale, few, (args.drawn, common.seed), &|| bar.inc(1))?;
        own.iter_mut().zip(percentiles).for_each(|(record, percentile)| record.percentile = percentile);
        records.extend(own);
    }
    bar.finish_and_clear();
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
    GivenMask::new(mask.view(), scale.into()).map(Some)
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
            percentile: None,
            distance_error: mean(&of(&|distance| distance.error.magnitude().expect("rounding is known"))),
        }
    };
    Ok(kernels.iter().enumerate().map(record).collect())
}

/// The percentage of random masks of as many weights whose mean distance is smaller, by kernel.
fn percentiles(
    given: &GivenMask,
    kernels: &[Kernel],
    scale: Scale,
    pairs: &[Pair],
    (drawn, seed): (usize, u64),
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Option<f64>>> {
    if drawn == 0 {
        return Ok(vec![None; kernels.len()]);
    }
    let distances = |mask: &GivenMask| -> Result<Vec<f64>> {
        let mut sums = vec![0.0; kernels.len()];
        for pair in pairs {
            let found = mask.kernels(pair, kernels)?;
            sums.iter_mut().zip(found).for_each(|(sum, kernel)| *sum += kernel.distance.total());
        }
        Ok(sums)
    };
    let own = distances(given)?;
    let layer = LayerShape { name: "drawn".into(), shape: vec![given.units(), given.inputs()] };
    let random = try_map((0..drawn as u32).into_par_iter(), |index| {
        let mask = Pattern::Unstructured.draw(&layer, given.kept() as u64, seed, FIRST_PLACE + index)?;
        let mask = mask.into_dimensionality::<Ix2>().expect("a mask has the shape of its layer");
        let found = distances(&GivenMask::new(mask.view(), scale.into())?)?;
        done();
        Ok(found)
    })?;
    let share = |(place, own): (usize, &f64)| {
        let smaller = random.iter().filter(|found| found[place] < *own).count();
        Some(100.0 * smaller as f64 / drawn as f64)
    };
    Ok(own.iter().enumerate().map(share).collect())
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
    let heads = [
        "file",
        "kernel",
        "width",
        "density",
        "bias^2",
        "variance",
        "distance, mean",
        "distance, median",
        "percentile",
    ];
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
            record.percentile.map_or("-".into(), |percentile| format!("{percentile:.0}")),
        ]);
    }
    table
}
