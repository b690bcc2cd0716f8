//! `sparsewidth distance`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::parse::{count, listed_count};
use sparsewidth::report::{distance_page, distance_pictures};
use sparsewidth::study::paper::{PAPER_BASE_WIDTH, PAPER_WIDTHS};
use sparsewidth::study::read_records;
use sparsewidth::study::{DistanceMethod, DistanceSpec, NetworkSpec, StudySpec};

use super::Common;
use super::options::{DataOption, KernelOption, SamplingOptions, default_widths};
use super::redraw::FromOption;
use super::values::path;

#[derive(Args)]
pub struct DistanceArgs {
    #[command(flatten)]
    data: DataOption,
    /// Normalisations of the inputs, by their own statistics [default: pixel for images and data with labels, none for
    /// other data]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    normalisation: Vec<Normalisation>,
    /// Hidden widths, at a weight budget [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Total number of weights [default: (d + outputs) times the base width 8]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Number of outputs of the dense last layer, whose weights are part of the budget; 0 for the first layer alone
    /// [default: the classes of the data, 0 without labels]
    #[arg(long, value_name = "N", value_parser = count)]
    outputs: Option<usize>,
    /// Networks as WIDTH:CONNECTIVITY, instead of widths at a budget
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with_all = ["widths", "weights", "outputs"])]
    networks: Vec<NetworkSpec>,
    /// Methods: sampled, theorem1, expansion, paper, paper_fixed_np; over all pairs instead of random ones:
    /// sampled_all, expansion_all; for masks of a fixed count: theorem1_fixed_count [default: the first five]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    methods: Vec<DistanceMethod>,
    #[command(flatten)]
    kernel: KernelOption,
    #[command(flatten)]
    sampling: SamplingOptions,
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
    let data = args.data.data;
    let networks = if args.networks.is_empty() {
        let dimension = data.dimension()?;
        let outputs = match args.outputs {
            Some(outputs) => outputs,
            None => data.classes()?,
        };
        let weights = args.weights.unwrap_or(dimension.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH));
        let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, outputs), Connectivity::DENSE, common);
        let widths = if args.widths.is_empty() { usual() } else { args.widths };
        NetworkSpec::at_budget(weights, dimension, outputs, &widths)?
    } else {
        args.networks
    };
    let mut spec = distance_spec(networks, &args.sampling);
    spec.normalisations = args.normalisation.into_iter().collect();
    if spec.normalisations.is_empty() {
        spec.normalisations.push(data.usual_normalisation()?);
    }
    spec.kernels = vec![args.kernel.get(common)?];
    if !args.methods.is_empty() {
        spec.methods = args.methods;
    } else if spec.kernels != [Kernel::Nngp] {
        spec.methods.retain(|method| !matches!(method, DistanceMethod::Paper | DistanceMethod::PaperFixedNp));
    } else if spec.networks.iter().any(|network| network.np_connectivity.is_none()) {
        spec.methods.retain(|method| *method != DistanceMethod::PaperFixedNp);
    }
    refuse_idle(&spec, common)?;
    let (normalisations, kernels) = (spec.normalisations.clone(), spec.kernels.clone());
    let study = StudySpec { data, seed: common.seed, distance: Some(spec), training: None, prediction: None };
    let pictures = distance_pictures(&normalisations, &kernels);
    let out = args.out.as_deref().map(|path| common.study_folder(path, "distance", &pictures, &[])).transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    common.present(&distance_page(&records), out.as_ref())
}

/// Refuses options that were given and that none of the methods heeds.
fn refuse_idle(spec: &DistanceSpec, common: &Common) -> Result<()> {
    let some = |methods: &[DistanceMethod]| spec.methods.iter().any(|method| methods.contains(method));
    use DistanceMethod::{Expansion, Sampled, SampledAll, Theorem1, Theorem1FixedCount};
    let heeded: [(&str, &str, &[DistanceMethod]); 6] = [
        ("pairs", "these methods take no random pairs", &[Sampled, Theorem1, Theorem1FixedCount, Expansion]),
        ("initialisations", "no method here samples networks", &[Sampled, SampledAll]),
        ("reference", "no method here samples networks", &[Sampled, SampledAll]),
        (
            "mask",
            "no method here samples networks or uses fixed-count masks",
            &[Sampled, SampledAll, Theorem1FixedCount],
        ),
        ("tolerance", "no method here has a tolerance to reach", &[Theorem1]),
        ("masks", "no method here samples masks", &[Theorem1, Theorem1FixedCount]),
    ];
    heeded.iter().filter(|(.., methods)| !some(methods)).try_for_each(|(option, why, _)| common.refuse(option, why))
}

/// The spec that the shared options describe, with all methods.
pub fn distance_spec(networks: Vec<NetworkSpec>, options: &SamplingOptions) -> DistanceSpec {
    let mask = options.mask;
    DistanceSpec {
        pairs: options.pairs,
        initialisations: options.initialisations,
        tolerance: options.tolerance,
        masks: options.masks,
        law: options.law,
        reference: options.reference,
        ..DistanceSpec::paper(networks.into_iter().map(|network| network.with_mask(mask)).collect())
    }
}
