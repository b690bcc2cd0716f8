//! `sparsewidth widen`.

use std::path::PathBuf;

use clap::Args;
use sparsewidth::data::Normalisation;
use sparsewidth::network::Connectivity;
use sparsewidth::numeric::parse::{count, listed_count};
use sparsewidth::report::{SUMMARY, TUNE, WIDEN_PICTURES, tune_page, widen_page};
use sparsewidth::study::paper::PAPER_BASE_WIDTH;
use sparsewidth::study::request::{SearchRequest, TrainingRequest, default_widths, say_origin, sizes};
use sparsewidth::study::{
    DistanceMethod, DistanceSpec, Family, JOURNAL, LearningRates, NetworkSpec, Shard, StudySpec, TrainedNetwork,
    TrainingStudySpec, widened_networks,
};
use sparsewidth::study::{TuneReport, read_records};
use sparsewidth::{Error, Result};

use super::Common;
use super::options::ImagesOption;
use super::redraw::{FromOption, read_report, refuse_searches};
use super::tune::{say_rates, search};
use super::values::path;

/// The paper's widths at which more than two weights are left.
const WIDTHS: [usize; 6] = [8, 32, 128, 216, 328, 512];

#[derive(Args)]
pub struct WidenArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Ways to widen to compare
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = WAYS, value_name = "LIST")]
    ways: Vec<Family>,
    /// Hidden widths of sparse networks; bottlenecks take the nearest that the budget and a whole number of narrow
    /// units allow [default: 8,32,128,216,328,512, or others if these do not fit the budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Widths of the narrow layer; the budget sets the wide one [default: those that come nearest to --widths]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    bottlenecks: Vec<usize>,
    /// Total number of weights, those of the dense last layer included; a linear bottleneck of rank r counts as one
    /// matrix of that rank, r^2 fewer than its factors hold [default: (d + 10) times 8, the paper's]
    #[arg(long, value_name = "N", value_parser = count)]
    weights: Option<usize>,
    /// Read learning rates from this file, the rates.toml of an earlier search [default: search for them first]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lowest", "highest", "validation", "tuning_runs"], value_parser = path())]
    rates: Option<PathBuf>,
    /// Only run the learning-rate search; continue with --rates DIR/rates.toml --out OTHER. Shards need these two steps
    #[arg(long, conflicts_with = "rates")]
    search_only: bool,
    #[command(flatten)]
    search: SearchRequest,
    /// Number of runs per rate, at the few rates left in the last stage of the search
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = count)]
    tuning_runs: usize,
    #[command(flatten)]
    training: TrainingRequest,
    /// Number of runs per network, each with its own initialisation and order of samples
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = count)]
    runs: usize,
    /// Normalisation for training and kernels
    #[arg(long, value_enum, default_value_t = Normalisation::Pixel)]
    normalisation: Normalisation,
    /// Number of random pairs of inputs for the kernel distance; where the data has no more pairs, each is taken once
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = count)]
    pairs: usize,
    /// Number of initialisations of each sampled network; raised until they draw 20,000 weights in all
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = count)]
    initialisations: usize,
    #[command(flatten)]
    from: FromOption,
    /// Write pictures, records and summary to this folder, and the search to its subfolder `tune`, with the journals
    /// from which an interrupted comparison resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], default_value = "widen", value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

/// The ways that are compared where none are named.
const WAYS: [Family; 4] = [Family::Sparse, Family::DeepSparse, Family::LinearBottleneck, Family::NonlinearBottleneck];

pub fn run(args: WidenArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let records = read_records(from)?;
        refuse_searches(from, &records)?;
        let search = from.join("tune").join(TUNE);
        let at_end = if search.exists() { read_report::<TuneReport>(&search)?.at_end() } else { Vec::new() };
        let out = common.redrawn_folder(args.from.or(&args.out, common), "widen", &WIDEN_PICTURES, &[SUMMARY])?;
        common.print_records(&records)?;
        return common.present(&widen_page(&records, &at_end), Some(&out));
    }
    if !args.ways.iter().any(|way| matches!(way, Family::LinearBottleneck | Family::NonlinearBottleneck)) {
        common.refuse("bottlenecks", "none of these ways has a bottleneck")?;
    }
    let ((dimension, classes), images) = sizes(&args.data.data)?;
    let data = args.data.data;
    let weights = args.weights.unwrap_or((dimension + classes) * PAPER_BASE_WIDTH);
    let usual = || default_widths(&WIDTHS, (weights, dimension, classes), Connectivity::DENSE, common);
    let widths = if args.widths.is_empty() { usual() } else { args.widths };
    let mut networks = Vec::new();
    for way in &args.ways {
        networks.extend(widened_networks(*way, weights, (dimension, classes), &widths, &args.bottlenecks)?);
    }
    // Where every weight exists, two ways can come to one network.
    let mut kernels: Vec<NetworkSpec> = Vec::new();
    for kernel in networks.iter().map(TrainedNetwork::kernel_network) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    let spec = |networks, runs| args.training.spec(networks, runs, args.normalisation);
    let distance = DistanceSpec {
        normalisations: vec![args.normalisation],
        methods: vec![DistanceMethod::Sampled, DistanceMethod::Theorem1],
        pairs: args.pairs,
        initialisations: args.initialisations,
        ..DistanceSpec::paper(kernels)
    };
    let study = |networks: Vec<TrainedNetwork>| StudySpec {
        data: data.clone(),
        seed: common.seed,
        distance: Some(distance.clone()),
        training: Some(spec(networks, args.runs)),
        prediction: None,
    };
    let trained = args.training.samples_of(images, common);
    // What is wrong with the study should come out before the search.
    study(networks.clone()).check()?;
    if args.rates.is_none() && !args.search_only && !common.shard(Some(&args.out))?.is_whole() {
        let problem = "the learning rates of all networks are needed before a share of them is trained";
        let remedy = "divide the search with --search-only, merge it, then divide the rest with --rates";
        return Err(Error::value("--shard", common.shard.unwrap_or(Shard::WHOLE), problem, remedy));
    }
    let out = || common.study_folder(&args.out, "widen", &WIDEN_PICTURES, &[SUMMARY]);
    let search_folder = if args.search_only { args.out.clone() } else { args.out.join("tune") };
    let mut at_end = Vec::new();
    let rates = match &args.rates {
        Some(path) => LearningRates::read(path)?,
        None => {
            let journal = args.out.join(JOURNAL);
            // One that a merge has left empty is nobody's.
            let is_begun = journal.metadata().is_ok_and(|file| file.len() > 0);
            if is_begun && !args.search_only && !search_folder.join(JOURNAL).exists() {
                let problem = "belongs to a search alone, or to a comparison at given learning rates";
                let remedy = "give another folder with --out; to continue from a search, give its rates.toml with --rates as well";
                return Err(Error::file(&journal, problem, remedy));
            }
            // Before the search; a search alone looks at its own files itself.
            if !args.search_only {
                out()?;
            }
            common.note("Searching learning rates on validation samples:");
            let evaluation = args.search.evaluation(&data, images, trained, common);
            let searched = TrainingStudySpec { evaluation, ..spec(networks.clone(), args.tuning_runs) };
            let found = search(&args.search.spec(data.clone(), common.seed, searched), &search_folder, common)?;
            let Some((report, found_in)) = found else { return Ok(()) };
            if args.search_only {
                return say_rates(&report, Some(&found_in), common);
            }
            if let Some(network) = report.without_rate().next() {
                let problem = format!("every run of {} diverged, at every rate of the search", network.name());
                return Err(Error::value("--lowest", args.search.lowest, problem, "search lower rates"));
            }
            common.write_page(&tune_page(&report), &found_in)?;
            at_end = report.at_end();
            report.rates()
        }
    };
    let with_rate = |network: &TrainedNetwork| Ok(network.with_rate(args.training.rate(&rates, network)?));
    say_origin(Some(&rates), &data, args.normalisation, common);
    let study = study(networks.iter().map(with_rate).collect::<Result<_>>()?);
    let out = out()?;
    let Some(records) = common.run_study(&study, Some(&out))? else { return Ok(()) };
    common.present(&widen_page(&records, &at_end), Some(&out))
}
