//! `sparsewidth masks`.

use std::path::{Path, PathBuf};

use clap::Args;
use sparsewidth::data::{Normalisation, read_npy};
use sparsewidth::files::OutputFolder;
use sparsewidth::kernel::given::MaskScale;
use sparsewidth::kernel::ntk::{KernelName, Tangent};
use sparsewidth::network::{NamedMask, read_masks};
use sparsewidth::numeric::parse::count;
use sparsewidth::report::{MASKS_FILES, masks_page, masks_pictures, write_masks};
use sparsewidth::study::{MaskInputs, MaskSet, MasksReport, MasksSpec};
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
    /// Normalisation of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[arg(long, value_enum, value_name = "NAME")]
    normalisation: Option<Normalisation>,
    /// Number of random pairs of inputs; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Pairs of your own instead of random ones: .npy file with a vector (d,), or a matrix (N, d) whose rows are the
    /// first input of each pair; needs --y
    #[arg(long, value_name = "FILE", value_parser = path(), requires = "y", conflicts_with_all = ["data", "pairs", "normalisation"])]
    x: Option<PathBuf>,
    /// .npy file of the same shape with the second input of each pair; needs --x
    #[arg(long, value_name = "FILE", value_parser = path(), requires = "x")]
    y: Option<PathBuf>,
    /// Kernels whose distances are taken: nngp, that of the last layer as in the paper, and ntk, the tangent kernel
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [KernelName::Nngp, KernelName::Ntk], value_name = "LIST")]
    kernel: Vec<KernelName>,
    /// Which weights gradient descent moves in the tangent kernel: standardised ones (tau = 1), or those of the paper's
    /// Eq. (1) (tau is the inverse of their variance)
    #[arg(long, value_enum, default_value_t = Tangent::Standardised, value_name = "CONVENTION")]
    tangent: Tangent,
    /// Variance of the weights that a mask keeps
    #[arg(long, value_enum, default_value_t = MaskScale::Density, value_name = "SCALE")]
    scale: MaskScale,
    /// Number of random masks of as many weights that each given one is compared with, over at most 500 of the pairs; 0
    /// for none
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = count)]
    drawn: usize,
    /// Number of times that the weights of networks of more than one hidden layer are drawn, for the kernels of the
    /// last hidden layer over at most 500 of the pairs; 0 for none
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = count)]
    initialisations: usize,
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
    if !args.kernel.contains(&KernelName::Ntk) {
        common.refuse("tangent", "only the kernel ntk has such a convention, which --kernel leaves out")?;
    }
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
    let mut kernels = Vec::new();
    for kernel in args.kernel.iter().map(|kernel| kernel.with(args.tangent)) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    let spec = MasksSpec {
        kernels,
        scale: args.scale,
        drawn: args.drawn,
        initialisations: args.initialisations,
        curves: out.is_some(),
        seed: common.seed,
    };
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
            let data = &self.data.data;
            let normalisation = match self.normalisation {
                Some(given) => given,
                None => data.usual_normalisation()?,
            };
            return MaskInputs::of_data(data, normalisation, self.pairs, common.seed);
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
