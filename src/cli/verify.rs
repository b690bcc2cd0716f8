//! `sparsewidth verify`.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::{Dataset, Normalisation};
use sparsewidth::files::OutputFolder;
use sparsewidth::network::MaskFamily;
use sparsewidth::numeric::parse::{count, listed_count, number, share};
use sparsewidth::report::{VERIFY_PICTURES, verification_page};
use sparsewidth::study::{VerifyReport, VerifySpec};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::KernelOption;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::{path, source};

#[derive(Args)]
pub struct VerifyArgs {
    /// Data set to verify on, instead of Gaussian inputs of dimension 12, 100 and 784 and MNIST in both normalisations:
    /// any that `sparsewidth distance --data` takes
    #[arg(long, value_name = "SOURCE", value_parser = source())]
    data: Option<Dataset>,
    /// Normalisation of --data [default: pixel for images and data with labels, none for other data]
    #[arg(long, value_enum, value_name = "NAME", requires = "data")]
    normalisation: Option<Normalisation>,
    /// Expected numbers of weights per row, d p; dense rows are always included
    #[arg(long, value_delimiter = ',', default_values_t = [4.0, 16.0, 100.0], value_name = "LIST", value_parser = number)]
    weights_per_row: Vec<f64>,
    /// Hidden widths
    #[arg(long, value_delimiter = ',', default_values_t = [8, 64], value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Number of random pairs of inputs per cell; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Mask family of networks and theory; fixed counts of more than 20 entries use sampled masks, which takes minutes
    #[arg(long, value_enum, default_value_t = MaskFamily::Bernoulli)]
    mask: MaskFamily,
    #[command(flatten)]
    kernel: KernelOption,
    /// Number of initialisations per cell, at least 1,000; estimates that stay too skewed are not tested
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = count)]
    initialisations: usize,
    /// Relative error of the exact masked moments
    #[arg(long, default_value_t = 1e-6, value_name = "ERROR", value_parser = share)]
    tolerance: f64,
    #[command(flatten)]
    from: FromOption,
    /// Write verify.json, verify.md and the pictures to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// Says which rows are left out: those of more weights than there are inputs.
fn say_left_out(dimension: usize, weights_per_row: &[f64], common: &Common) {
    let beyond: Vec<String> =
        weights_per_row.iter().filter(|row| **row > dimension as f64).map(f64::to_string).collect();
    if !beyond.is_empty() {
        let beyond = beyond.join(",");
        common.note(&format!(
            "Left out: {beyond} weights per row, more than the {dimension} inputs. Dense rows are verified."
        ));
    }
}

pub fn run(args: VerifyArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let path = from.join("verify.json");
        let report: VerifyReport = read_report(&path)?;
        if report.tests.is_empty() {
            return Err(Error::file(
                &path,
                "holds no test",
                "give the output folder of a finished run of this command",
            ));
        }
        let others = ["verify.md", "verify.json"];
        let out = common.redrawn_folder(args.out.as_deref().unwrap_or(from), "verify", &VERIFY_PICTURES, &others)?;
        return finish(&report, Some(&out), common);
    }
    let mut spec = VerifySpec {
        weights_per_row: args.weights_per_row,
        widths: args.widths,
        pairs: args.pairs,
        mask: args.mask,
        kernel: args.kernel.get(common)?,
        initialisations: args.initialisations,
        tolerance: args.tolerance,
        ..VerifySpec::usual(common.seed)
    };
    let data = args.data.clone();
    if let Some(data) = args.data {
        let usual = data.usual_normalisation()?;
        spec.data = vec![(data, args.normalisation.map_or(usual, Normalisation::from))];
    }
    spec.check()?;
    if let Some(data) = &data {
        say_left_out(data.dimension()?, &spec.weights_per_row, common);
    }
    let folder = |path: &Path| common.redrawn_folder(path, "verify", &VERIFY_PICTURES, &["verify.md", "verify.json"]);
    let out = args.out.as_deref().map(folder).transpose()?;
    let bar = common.bar(1_000);
    let report = spec.run(&|share| bar.set_position((share * 1_000.0) as u64))?;
    bar.finish_and_clear();

    finish(&report, out.as_ref(), common)
}

/// Writes and prints what a verification comes to. Where networks reject the theorem, it fails.
fn finish(report: &VerifyReport, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    let json = json_lines(std::slice::from_ref(report))?;
    if let Some(folder) = out {
        folder.write("verify.json", json.as_bytes())?;
    }
    if common.json {
        print(&json)?;
    }
    common.present(&verification_page(report), out)?;
    match VerifyReport::rejected(&report.tests)[..] {
        [] => Ok(()),
        _ => Err(Error::failure("the verification of Theorem 1", "the drawn networks reject it")),
    }
}
