//! `sparsewidth masks`.

use std::path::{Path, PathBuf};

use clap::Args;
use sparsewidth::data::read_npy;
use sparsewidth::files::OutputFolder;
use sparsewidth::network::{NamedMask, read_masks};
use sparsewidth::report::{MASKS_FILES, masks_page, masks_pictures, write_masks};
use sparsewidth::study::request::MasksRequest;
use sparsewidth::study::{MaskInputs, MaskSet, MasksReport};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::DataOption;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::path;

/// Prints, with --json, one object per file and kernel.
#[derive(Args)]
pub struct MasksArgs {
    /// Files of masks, NPZ or safetensors: arrays of 0 and 1 of each layer's shape, named `LAYER.weight`,
    /// `LAYER.weight_mask` (as torch.nn.utils.prune does) or otherwise. Layers are taken in the order of an NPZ file,
    /// and of a safetensors file by name, with numbers as numbers
    #[arg(required_unless_present = "from", value_name = "FILE", value_parser = path())]
    files: Vec<PathBuf>,
    /// Layers of each file, from the inputs on, where the order of the file is not that of the network
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    layers: Vec<String>,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    request: MasksRequest,
    /// Pairs of your own instead of random ones: .npy file with a vector (d,), or a matrix (N, d) whose rows are the
    /// first input of each pair; needs --y
    #[arg(long, value_name = "FILE", value_parser = path(), requires = "y", conflicts_with_all = ["data", "pairs", "normalisation"])]
    x: Option<PathBuf>,
    /// .npy file of the same shape with the second input of each pair; needs --x
    #[arg(long, value_name = "FILE", value_parser = path(), requires = "x")]
    y: Option<PathBuf>,
    /// Take the files as pruned weights: a mask keeps every weight that is not 0
    #[arg(long)]
    zeros_are_masked: bool,
    #[command(flatten)]
    from: FromOption,
    /// Write masks.json, masks.csv, layers.csv and pictures of the distance against density to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: MasksArgs, common: &Common) -> Result<()> {
    let folder = |path| common.redrawn_folder(path, "masks", &masks_pictures(), &MASKS_FILES);
    if let Some(from) = args.from.folder(common)? {
        let report: MasksReport = read_report(&from.join(MASKS_FILES[0]))?;
        return finish(&report, Some(&folder(args.out.as_deref().unwrap_or(from))?), common);
    }
    let spec = args.request.spec(args.out.is_some(), common.seed, common)?;
    let out = args.out.as_deref().map(folder).transpose()?;
    let read = |file: &PathBuf| {
        let mut masks = read_masks(file, args.zeros_are_masked)?;
        if !args.layers.is_empty() {
            masks = in_order(masks, &args.layers, file)?;
        } else if let Some(note) = ordered_by_name(&masks, file) {
            common.note(&note);
        }
        Ok(MaskSet { name: file.display().to_string(), masks })
    };
    let sets: Vec<MaskSet> = args.files.iter().map(read).collect::<Result<_>>()?;
    let inputs = args.inputs(common)?;
    let bar = common.bar(spec.work(sets.len()));
    let report = spec.run(&sets, &inputs, &|| bar.inc(1))?;
    bar.finish_and_clear();
    finish(&report, out.as_ref(), common)
}

/// The masks of some layers, in their order.
fn in_order(masks: Vec<NamedMask>, layers: &[String], file: &Path) -> Result<Vec<NamedMask>> {
    let of = |name: &String| {
        masks.iter().find(|named| named.layer == *name).cloned().ok_or_else(|| {
            let names: Vec<&str> = masks.iter().map(|named| &*named.layer).collect();
            let problem = format!("has no layer {name}, which --layers names");
            Error::file(file, problem, format!("use names of {}", names.join(", ")))
        })
    };
    layers.iter().map(of).collect()
}

/// A note for a safetensors file, which is sorted by name: which order of layers was taken, where their names have no
/// numbers.
fn ordered_by_name(masks: &[NamedMask], file: &Path) -> Option<String> {
    let is_sorted = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    let is_numbered = |named: &NamedMask| named.layer.contains(|letter: char| letter.is_ascii_digit());
    if !is_sorted || masks.len() < 2 || masks.iter().all(is_numbered) {
        return None;
    }
    let names: Vec<&str> = masks.iter().map(|named| &*named.layer).collect();
    Some(format!(
        "{}: layers are taken in the order of their names, {}; --layers gives another.",
        file.display(),
        names.join(", ")
    ))
}

impl MasksArgs {
    fn inputs(&self, common: &Common) -> Result<MaskInputs> {
        let Some((x, y)) = self.x.as_ref().zip(self.y.as_ref()) else {
            return self.request.inputs(&self.data.data, common.seed);
        };
        let (first, second) = (read_npy(x)?, read_npy(y)?);
        if first.dim() != second.dim() {
            let problem = format!("has shape {:?}, but {} has {:?}", second.dim(), x.display(), first.dim());
            return Err(Error::file(y, problem, "give the same number of rows, of the same length, in both"));
        }
        let title = format!("{} pairs of rows of {} and {}", first.nrows(), x.display(), y.display());
        MaskInputs::of_rows(first, second, title)
    }
}

/// Writes and prints what was found.
fn finish(report: &MasksReport, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    if let Some(folder) = out {
        write_masks(folder, report)?;
    }
    if common.json {
        print(&json_lines(&report.records)?)?;
    }
    common.present(&masks_page(report), out)
}
