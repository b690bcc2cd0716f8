//! `sparsewidth distance`.

use std::path::{Path, PathBuf};

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::files::OutputFolder;
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::parse::{count, listed_count};
use sparsewidth::report::{
    Statistic, assumptions, diagonal_table, distance_chart, distance_table, distance_words, parts_chart, parts_table,
    write_chart,
};
use sparsewidth::study::paper::{PAPER_BASE_WIDTH, PAPER_WIDTHS};
use sparsewidth::study::{DistanceMethod, DistanceSpec, NetworkSpec, StudySpec};

use super::Common;
use super::options::{DataOption, NormalisationOption, SamplingOptions, default_widths};
use super::output::study_folder;
use super::values::path;

#[derive(Args)]
pub struct DistanceArgs {
    #[command(flatten)]
    data: DataOption,
    /// Normalisations of the inputs, by their own statistics [default: pixel for MNIST, none for other data]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    normalisation: Vec<NormalisationOption>,
    /// Hidden widths, at a weight budget [default: 8,32,128,216,328,512,635, or where the budget does not fit these, others that it fits]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// The weight budget: (d + outputs) times the base width 8 [default]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Outputs of the dense last layer, whose weights the budget pays for; 0 for the first layer alone [default: 10 for MNIST, 0
    /// for other data]
    #[arg(long, value_name = "N", value_parser = count)]
    outputs: Option<usize>,
    /// Networks as WIDTH:CONNECTIVITY, instead of widths at a budget
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with_all = ["widths", "weights", "outputs"])]
    networks: Vec<NetworkSpec>,
    /// Methods: sampled, theorem1, moments, paper, paper_even; over all pairs instead of random ones: sampled_all, moments_all; for
    /// masks of a fixed count: theorem1_masks [default: the first five]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    methods: Vec<DistanceMethod>,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// Folder for records and pictures, and for the journal by which an interrupted study goes on
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
}

pub fn run(args: DistanceArgs, common: &Common) -> Result<()> {
    let data = args.data.data;
    let networks = if args.networks.is_empty() {
        let dimension = data.dimension()?;
        let outputs = args.outputs.unwrap_or(data.classes());
        let weights = args.weights.unwrap_or(dimension.saturating_add(outputs).saturating_mul(PAPER_BASE_WIDTH));
        let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, outputs), Connectivity::DENSE, common);
        let widths = if args.widths.is_empty() { usual() } else { args.widths };
        NetworkSpec::at_budget(weights, dimension, outputs, &widths)?
    } else {
        args.networks
    };
    let mut spec = distance_spec(networks, &args.sampling);
    spec.normalisations = args.normalisation.into_iter().map(Normalisation::from).collect();
    if spec.normalisations.is_empty() {
        spec.normalisations.push(data.usual_normalisation());
    }
    if !args.methods.is_empty() {
        spec.methods = args.methods;
    } else if spec.networks.iter().any(|network| network.np_connectivity.is_none()) {
        spec.methods.retain(|method| *method != DistanceMethod::PaperFixedNp);
    }
    refuse_idle(&spec, common)?;
    let normalisations = spec.normalisations.clone();
    let study = StudySpec { data, seed: common.seed, distance: Some(spec), training: None };
    let out = args.out.as_deref().map(|path| folder(path, &normalisations)).transpose()?;
    let Some(records) = common.run_study(&study, out.as_ref())? else { return Ok(()) };
    for normalisation in normalisations {
        for statistic in [Statistic::Mean, Statistic::Median] {
            let table = distance_table(&records, normalisation, statistic);
            if table.is_empty() {
                continue;
            }
            let words = distance_words(&records, normalisation, statistic);
            let name = statistic.name();
            common.say(&format!("Distance, {name} over pairs, {}\n\n{table}\n{words}\n\n", normalisation.title()))?;
            if let (Some(folder), Some(chart)) = (&out, distance_chart(&records, normalisation, statistic)) {
                let name = format!("distance-{}-{}", normalisation.name(), statistic.name());
                write_chart(folder, &name, &chart)?;
            } else if out.is_some() {
                common.note("No picture: several networks have one width, so width alone does not tell them apart.");
            }
        }
        let said = assumptions(&records, normalisation);
        if !said.is_empty() {
            common.say(&said)?;
        }
        if let (Some(folder), Some(chart)) = (&out, parts_chart(&records, normalisation)) {
            write_chart(folder, &format!("distance-{}-parts", normalisation.name()), &chart)?;
        }
        for (title, table) in [
            ("Its two parts, means over pairs", parts_table(&records, normalisation)),
            ("Pairs of an input with itself, mean distance", diagonal_table(&records, normalisation)),
        ] {
            if !table.is_empty() {
                common.say(&format!("{title}, {}\n\n{table}\n", normalisation.title()))?;
            }
        }
    }
    Ok(())
}

/// The folder of such a study, with the pictures that it can draw.
fn folder(path: &Path, normalisations: &[Normalisation]) -> Result<OutputFolder> {
    let of = |normalisation: &Normalisation| {
        ["mean", "median", "parts"].map(|picture| format!("distance-{}-{picture}", normalisation.name()))
    };
    let pictures: Vec<String> = normalisations.iter().flat_map(of).collect();
    study_folder(path, "distance", &pictures.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

/// Refuses options that were given and that none of the methods heeds.
fn refuse_idle(spec: &DistanceSpec, common: &Common) -> Result<()> {
    let some = |methods: &[DistanceMethod]| spec.methods.iter().any(|method| methods.contains(method));
    use DistanceMethod::{Moments, Sampled, SampledAll, Theorem1, Theorem1FixedCount};
    let heeded: [(&str, &str, &[DistanceMethod]); 6] = [
        ("pairs", "these methods take all pairs, or none", &[Sampled, Theorem1, Theorem1FixedCount, Moments]),
        ("initialisations", "no network is sampled", &[Sampled, SampledAll]),
        ("reference", "no network is sampled", &[Sampled, SampledAll]),
        ("mask", "no network is sampled, nor is its theory asked for", &[Sampled, SampledAll, Theorem1FixedCount]),
        ("tolerance", "none of these methods has an error to reach", &[Theorem1]),
        ("masks", "none of these methods samples masks", &[Theorem1, Theorem1FixedCount]),
    ];
    heeded.iter().filter(|(.., methods)| !some(methods)).try_for_each(|(option, why, _)| common.refuse(option, why))
}

/// The spec that the shared options describe, with all methods.
pub fn distance_spec(networks: Vec<NetworkSpec>, options: &SamplingOptions) -> DistanceSpec {
    let mask = options.mask.into();
    DistanceSpec {
        pairs: options.pairs,
        initialisations: options.initialisations,
        tolerance: options.tolerance,
        masks: options.masks,
        law: options.law.into(),
        reference: options.reference,
        ..DistanceSpec::paper(networks.into_iter().map(|network| network.with_mask(mask)).collect())
    }
}
