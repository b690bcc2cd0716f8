//! `sparsewidth distance`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::report::{distance_page, distance_pictures};
use sparsewidth::study::read_records;
use sparsewidth::study::request::DistanceRequest;

use super::Common;
use super::options::DataOption;
use super::redraw::FromOption;
use super::values::path;

#[derive(Args)]
pub struct DistanceArgs {
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    request: DistanceRequest,
    #[command(flatten)]
    from: FromOption,
    /// Write records and pictures to this folder, with the journal from which an interrupted study resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: DistanceArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        let kernels = [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)];
        let pictures = distance_pictures(Normalisation::ALL, &kernels);
        let out = common.redrawn_folder(args.out.as_deref().unwrap_or(from), "distance", &pictures, &[])?;
        common.print_records(&records)?;
        return common.present(&distance_page(&records), Some(&out));
    }
    let study = args.request.study(args.data.data, common.seed, common)?;
    let spec = study.distance.as_ref().expect("invariant: a study of distances takes distances");
    let pictures = distance_pictures(&spec.normalisations, &spec.kernels);
    let out = args.out.as_deref().map(|path| common.study_folder(path, "distance", &pictures, &[])).transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&distance_page(&records), out.as_ref())
}
