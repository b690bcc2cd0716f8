//! `sparsewidth budget`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sparsewidth::Result;
use sparsewidth::network::budget::{LayerShapes, Pattern, Rule, masks_npz};
use sparsewidth::numeric::parse::whole;
use sparsewidth::report::{budget_chart, budget_table, empty_layers, write_chart};

use super::Common;
use super::output::{json_lines, print};
use super::redraw::redrawn_folder;
use super::values::{architecture, path};

#[derive(Args)]
pub struct BudgetArgs {
    /// Network: mlp:784-216-10 (inputs, hidden widths, outputs); resnet18:W[,CLASSES] for images of 32 pixels or
    /// resnet18-imagenet:W[,CLASSES], where W is the number of outputs of the first convolution; or a .toml file of
    /// shapes
    #[arg(long, value_name = "NETWORK", value_parser = architecture())]
    arch: LayerShapes,
    /// Number of weights to keep, not counting biases and batch normalisation
    #[arg(long, value_name = "N", value_parser = whole)]
    weights: u64,
    /// Rule: largest-first (the paper's), proportional, last-dense, last:SHARE (the last layer keeps that share, the
    /// others go by largest-first), or erk (Erdos-Renyi-kernel)
    #[arg(long, default_value = "largest-first", value_name = "RULE")]
    rule: Rule,
    /// Draw masks as well, and write them to masks.npz: a boolean array per layer, of the layer's name and shape
    #[arg(long, requires = "out")]
    masks: bool,
    /// Sparsity pattern of the masks
    #[arg(long, value_enum, default_value_t = Pattern::Unstructured, requires = "masks")]
    positions: Pattern,
    /// Write the picture and the masks to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// One layer, as a record.
#[derive(Serialize)]
struct Layer<'a> {
    layer: &'a str,
    shape: &'a [usize],
    weights: u64,
    kept: u64,
    connectivity: f64,
    weights_per_output: f64,
}

pub fn run(args: BudgetArgs, common: &Common) -> Result<()> {
    let positions = args.positions;
    if !args.masks {
        let why = "without --masks there is nothing to draw";
        ["seed", "threads"].iter().try_for_each(|option| common.refuse(option, why))?;
    }
    let network = args.arch;
    let divided = args.rule.divide(&network.layers, args.weights)?;
    let kept: Vec<u64> =
        network.layers.iter().zip(&divided).map(|(layer, kept)| positions.kept(layer, *kept)).collect();
    if let Some(folder) = &args.out {
        // What is too large for masks is refused before there is a folder.
        let masks = args.masks.then(|| masks_npz(&network.layers, &kept, positions, common.seed)).transpose()?;
        let folder = redrawn_folder(folder, "budget", &["budget"], if args.masks { &["masks.npz"] } else { &[] })?;
        write_chart(&folder, "budget", &budget_chart(&network, &args.rule.to_string(), &kept))?;
        if let Some(masks) = masks {
            folder.write("masks.npz", &masks)?;
        }
    }
    if common.json {
        let layers: Vec<Layer> = (network.layers.iter().zip(&kept))
            .map(|(layer, kept)| Layer {
                layer: &layer.name,
                shape: &layer.shape,
                weights: layer.weights(),
                kept: *kept,
                connectivity: *kept as f64 / layer.weights() as f64,
                weights_per_output: *kept as f64 / layer.outputs() as f64,
            })
            .collect();
        print(&json_lines(&layers)?)?;
    }
    common.say(&budget_table(&network, &kept).to_string())?;
    if let Some(empty) = empty_layers(&network, &kept) {
        common.say(&format!("\n{empty}\n"))?;
    }
    let left = args.weights - kept.iter().sum::<u64>();
    if left > 0 {
        common.note(&format!("{left} weights of the budget fill no whole kernel and are left out."));
    }
    if let Some(beside) = network.beside {
        common.note(&format!("Besides these, {beside} biases and parameters of batch normalisation."));
    }
    if let Some(folder) = &args.out {
        common.note(&format!(
            "{}: budget (.svg, .png){}",
            folder.display(),
            if args.masks { ", masks.npz" } else { "" }
        ));
    }
    Ok(())
}
