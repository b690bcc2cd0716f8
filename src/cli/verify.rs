//! `sparsewidth verify`.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::Dataset;
use sparsewidth::files::OutputFolder;
use sparsewidth::report::{VERIFY_PICTURES, verification_page};
use sparsewidth::study::VerifyReport;
use sparsewidth::study::request::VerifyRequest;
use sparsewidth::{Error, Result};

use super::Common;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::values::{path, source};

#[derive(Args)]
pub struct VerifyArgs {
    /// Data set to verify on, instead of Gaussian inputs of dimension 12, 100 and 784 and MNIST in both normalisations:
    /// any that `sparsewidth distance --data` takes
    #[arg(long, value_name = "SOURCE", value_parser = source())]
    data: Option<Dataset>,
    #[command(flatten)]
    request: VerifyRequest,
    #[command(flatten)]
    from: FromOption,
    /// Write verify.json, verify.md and the pictures to this folder
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
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
    let spec = args.request.spec(args.data, common.seed, common)?;
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
