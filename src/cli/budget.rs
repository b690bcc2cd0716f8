//! `sparsewidth budget`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use sparsewidth::network::budget::{Budget, FanIn, LayerShape, LayerShapes, Pattern, Rule, masks_npz};
use sparsewidth::numeric::parse::{share, whole};
use sparsewidth::report::{budget_page, empty_layers};
use sparsewidth::{Error, Result};

use super::Common;
use super::output::{json_lines, print};
use super::values::{architecture, path};

#[derive(Args)]
pub struct BudgetArgs {
    /// Network: mlp:784-216-10 (inputs, hidden widths, outputs); resnet18:W[,CLASSES] for images of 32 pixels or
    /// resnet18-imagenet:W[,CLASSES], where W is the number of outputs of the first convolution; a .toml file of
    /// shapes; or a .safetensors file, of which only names and shapes are read
    #[arg(long, value_name = "NETWORK", value_parser = architecture())]
    arch: LayerShapes,
    #[command(flatten)]
    amount: AmountArgs,
    /// Rule: largest-first (the paper's), proportional or uniform (the same density everywhere), uniform-plus (the
    /// first layer dense, the last at least 20 %), last-dense, last:SHARE (the last layer keeps that share, the others
    /// go by largest-first), or er and erk (Erdos-Renyi, without and with kernels), also with a power as in erk:0.5
    #[arg(long, default_value = "largest-first", value_name = "RULE")]
    rule: Rule,
    /// Keep this share of a layer, whatever the rule; the others divide the rest of the budget (repeatable)
    #[arg(long, value_name = "LAYER=DENSITY", value_parser = layer_density)]
    keep: Vec<(String, f64)>,
    /// Keep all of a layer (repeatable)
    #[arg(long, value_name = "LAYER")]
    dense: Vec<String>,
    /// Keep the same number of weights at every output of a layer: constant (each layer rounded up or down, the total
    /// as close to the budget as that allows) or even (the total exact, one weight more at some outputs of as few
    /// layers as possible) [default: any number]
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "positions")]
    fan_in: Option<FanIn>,
    /// Draw masks as well, and write them to masks.npz: a boolean array per layer, of the layer's name and shape
    #[arg(long, requires = "out")]
    masks: bool,
    /// Sparsity pattern of the masks
    #[arg(long, value_enum, default_value_t = Pattern::Unstructured, requires = "masks")]
    positions: Pattern,
    /// Name the masks after the weights (LAYER.weight), or as torch.nn.utils.prune does (LAYER.weight_mask)
    #[arg(long, value_enum, default_value_t = Keys::Weights, requires = "masks")]
    keys: Keys,
    /// Write the picture and the masks to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// How much is kept, in one of three ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct AmountArgs {
    /// Number of weights to keep, not counting biases and batch normalisation
    #[arg(long, value_name = "N", value_parser = whole)]
    weights: Option<u64>,
    /// Share of all weights to keep, above 0 and at most 1
    #[arg(long, value_name = "P", value_parser = share)]
    density: Option<f64>,
    /// Share of all weights to leave out, from 0 to below 1
    #[arg(long, value_name = "S", value_parser = share)]
    sparsity: Option<f64>,
}

impl AmountArgs {
    fn budget(&self) -> Budget {
        let shares = self.density.map(Budget::Density).or(self.sparsity.map(Budget::Sparsity));
        self.weights.map(Budget::Weights).or(shares).expect("clap asks for one of the three")
    }
}

/// How masks are named.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keys {
    Weights,
    #[value(alias = "pytorch")]
    Torch,
}

impl Keys {
    /// Layers by the names of their masks.
    fn named(self, layers: &[LayerShape]) -> Vec<LayerShape> {
        let name = |name: &str| match self {
            Self::Weights => name.to_string(),
            Self::Torch => format!("{}.weight_mask", name.strip_suffix(".weight").unwrap_or(name)),
        };
        layers.iter().map(|layer| LayerShape { name: name(&layer.name), shape: layer.shape.clone() }).collect()
    }
}

/// Reads `LAYER=DENSITY`. A name may have an equals sign, a density has none.
fn layer_density(text: &str) -> Result<(String, f64)> {
    let wrong = |problem: &str| Error::value("keep", text, problem, "write for instance layer1.weight=0.5");
    let (layer, density) = text.rsplit_once('=').ok_or_else(|| wrong("has no density after its layer"))?;
    let density = share(density).map_err(|error| wrong(&format!("has a density that {}", error.problem)))?;
    Ok((layer.trim().into(), density))
}

/// One layer, as a record.
#[derive(Serialize)]
struct Layer<'a> {
    layer: &'a str,
    shape: &'a [usize],
    weights: u64,
    kept: u64,
    /// The density; `sparsity` is 1 less it.
    connectivity: f64,
    sparsity: f64,
    weights_per_output: f64,
}

pub fn run(args: BudgetArgs, common: &Common) -> Result<()> {
    if !args.masks {
        let why = "without --masks there is nothing to draw";
        ["seed", "threads"].iter().try_for_each(|option| common.refuse(option, why))?;
    }
    let network = args.arch;
    let budget = args.amount.budget().weights(network.weights())?;
    let dense = args.dense.into_iter().map(|layer| (layer, 1.0));
    let given = network.given(&args.keep.into_iter().chain(dense).collect::<Vec<_>>())?;
    let divided = args.rule.divide_beside(&network.layers, budget, &given)?;
    let positions = if args.fan_in.is_some() { Pattern::EvenFanIn } else { args.positions };
    let kept: Vec<u64> = match args.fan_in {
        Some(fan_in) => fan_in.counts(&network.layers, &divided)?,
        None => network.layers.iter().zip(&divided).map(|(layer, kept)| positions.kept(layer, *kept)).collect(),
    };
    // What is too large for masks is refused before there is a folder.
    let masks = args.masks.then(|| masks_npz(&args.keys.named(&network.layers), &kept, positions, common.seed));
    let masks = masks.transpose()?;
    let others: &[&str] = if args.masks { &["masks.npz"] } else { &[] };
    let folder = |path: &PathBuf| common.redrawn_folder(path, "budget", &["budget"], others);
    let out = args.out.as_ref().map(folder).transpose()?;
    if let Some((folder, masks)) = out.as_ref().zip(masks) {
        folder.write("masks.npz", &masks)?;
    }
    if common.json {
        let layers: Vec<Layer> = (network.layers.iter().zip(&kept))
            .map(|(layer, kept)| Layer {
                layer: &layer.name,
                shape: &layer.shape,
                weights: layer.weights(),
                kept: *kept,
                connectivity: *kept as f64 / layer.weights() as f64,
                sparsity: (layer.weights() - kept) as f64 / layer.weights() as f64,
                weights_per_output: *kept as f64 / layer.outputs() as f64,
            })
            .collect();
        print(&json_lines(&layers)?)?;
    }
    let mut page = budget_page(&network, &args.rule.to_string(), &kept);
    page.remarks.extend(empty_layers(&network, &kept).map(|empty| format!("Warning: {empty}")));
    page.remarks.extend(departure(kept.iter().sum(), budget, args.fan_in));
    let beside = network.beside;
    page.remarks
        .extend(beside.map(|beside| format!("Besides these, {beside} biases and parameters of batch normalisation.")));
    common.present(&page, out.as_ref())?;
    match &args.out {
        Some(folder) if args.masks => common.note(&format!("{}: masks.npz", folder.display())),
        Some(folder) if folder.join("masks.npz").exists() => common.note("The masks.npz there is of an earlier run."),
        _ => {}
    }
    Ok(())
}

/// Why not as many weights are kept as the budget has, where that is so.
fn departure(kept: u64, budget: u64, fan_in: Option<FanIn>) -> Option<String> {
    if kept == budget {
        return None;
    }
    Some(match fan_in {
        Some(_) => {
            let word = if kept < budget { "fewer" } else { "more" };
            let by = kept.abs_diff(budget);
            format!(
                "A constant fan-in keeps {by} weights {word} than the budget of {budget}; --fan-in even meets it exactly."
            )
        }
        None => format!("{} weights of the budget fill no whole kernel and are left out.", budget - kept),
    })
}
