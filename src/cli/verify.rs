//! `sparsewidth verify`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::{Dataset, Normalisation};
use sparsewidth::numeric::parse::{count, listed_count, number, share};
use sparsewidth::report::{
    paper_chart, paper_table, verify_scores_chart, verify_table, verify_tests, verify_values_chart, write_chart,
};
use sparsewidth::study::{Check, Quantity, VerifyReport, VerifySpec};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::{MaskOption, NormalisationOption};
use super::output::{json_lines, print, report_folder};
use super::values::{path, source};

#[derive(Args)]
pub struct VerifyArgs {
    /// Inputs to verify on, instead of Gaussian ones of dimension 12, 100 and 784 and MNIST in both normalisations: `mnist`, a
    /// folder with the four MNIST files, a .npy file of shape (N, d), or gaussian:D[,N]
    #[arg(long, value_name = "SOURCE", value_parser = source())]
    data: Option<Dataset>,
    /// Their normalisation [default: pixel for MNIST, none for other data]
    #[arg(long, value_enum, value_name = "NAME", requires = "data")]
    normalisation: Option<NormalisationOption>,
    /// Expected weights per row, d p; dense rows are always among them
    #[arg(long, value_delimiter = ',', default_values_t = [4.0, 16.0, 100.0], value_name = "LIST", value_parser = number)]
    weights_per_row: Vec<f64>,
    /// Hidden widths
    #[arg(long, value_delimiter = ',', default_values_t = [8, 64], value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Random pairs of inputs per cell; where the data has no more pairs, each of these once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Masks of networks and theory; for those of a fixed count the theory samples masks, beyond 20 entries, which takes minutes
    #[arg(long, value_enum, default_value_t = MaskOption::Bernoulli)]
    mask: MaskOption,
    /// Initialisations per cell, at least 1,000; where a mean over them is too skewed for a test it is left out
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = count)]
    initialisations: usize,
    /// Relative error to which the exact masked moments are computed
    #[arg(long, default_value_t = 1e-6, value_name = "ERROR", value_parser = share)]
    tolerance: f64,
    /// Folder for verify.json, verify.md and the pictures
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

/// Says which rows are left out: those of more weights than there are inputs.
fn say_left_out(dimension: usize, weights_per_row: &[f64], common: &Common) {
    let beyond: Vec<String> =
        weights_per_row.iter().filter(|row| **row > dimension as f64).map(f64::to_string).collect();
    if !beyond.is_empty() {
        let beyond = beyond.join(",");
        common.note(&format!("Left out: {beyond} weights per row, of {dimension} inputs. Dense rows are verified."));
    }
}

pub fn run(args: VerifyArgs, common: &Common) -> Result<()> {
    let mut spec = VerifySpec {
        weights_per_row: args.weights_per_row,
        widths: args.widths,
        pairs: args.pairs,
        mask: args.mask.into(),
        initialisations: args.initialisations,
        tolerance: args.tolerance,
        ..VerifySpec::usual(common.seed)
    };
    let data = args.data.clone();
    if let Some(data) = args.data {
        let usual = data.usual_normalisation();
        spec.data = vec![(data, args.normalisation.map_or(usual, Normalisation::from))];
    }
    spec.check()?;
    if let Some(data) = &data {
        say_left_out(data.dimension()?, &spec.weights_per_row, common);
    }
    let pictures = ["verify-z", "verify-values", "verify-paper"];
    let others = ["verify.md", "verify.json"];
    let out = args.out.as_deref().map(|path| report_folder(path, "verify", &pictures, &others)).transpose()?;
    let bar = common.bar(1_000);
    let report = spec.run(&|share| bar.set_position((share * 1_000.0) as u64))?;
    bar.finish_and_clear();

    let rejected = VerifyReport::rejected(&report.tests);
    let by =
        |quantities: &[Quantity]| quantities.iter().map(|quantity| quantity.title()).collect::<Vec<_>>().join(", ");
    let power = VerifyReport::rejected(&report.power);
    let verdict = format!(
        "Theorem 1 is {} at a family-wise level of {:e}. Predictions wrong by {:.0} % would {}.",
        if rejected.is_empty() { "not rejected".into() } else { format!("rejected (by: {})", by(&rejected)) },
        VerifyReport::FAMILY_WISE,
        100.0 * (VerifyReport::POWER_FACTOR - 1.0),
        if power.is_empty() {
            "not be: these draws have too little power".into()
        } else {
            format!("be (by: {})", by(&power))
        },
    );
    let checks = || report.cells.iter().flat_map(|cell| cell.checks);
    let skewed = checks().filter(|check| !check.is_tested()).count();
    let verdict = match skewed {
        0 => verdict,
        _ => format!(
            "{verdict} Not tested: {skewed} of {} estimates, without z below, whose means over initialisations are too skewed (skewness above {}); \
             more initialisations would do.",
            checks().count(),
            Check::MOST_SKEWNESS
        ),
    };
    let text = format!(
        "# Theorem 1 against sampled networks\n\n{verdict}\n\n{}\nEach cell, {} masks, {} initialisations, at most {} pairs, which count alike:\n\n{}",
        verify_tests(&report),
        report.spec.mask.title(),
        report.spec.initialisations,
        report.spec.pairs,
        verify_table(&report)
    );
    let text = if report.paper.is_empty() {
        text
    } else {
        format!(
            "{text}\nEq. (4) beside Theorem 1 at n p = 8, means over 200 pairs, or over all pairs where there are fewer:\n\n{}",
            paper_table(&report)
        )
    };
    let json = json_lines(std::slice::from_ref(&report))?;
    if let Some(folder) = &out {
        write_chart(folder, "verify-z", &verify_scores_chart(&report))?;
        write_chart(folder, "verify-values", &verify_values_chart(&report))?;
        if !report.paper.is_empty() {
            write_chart(folder, "verify-paper", &paper_chart(&report))?;
        }
        folder.write("verify.md", text.as_bytes())?;
        folder.write("verify.json", json.as_bytes())?;
    }
    if common.json {
        print(&json)?;
    }
    common.say(&text)?;
    if !rejected.is_empty() {
        Err(Error::failure("the verification of Theorem 1", "the drawn networks reject it"))
    } else {
        Ok(())
    }
}
