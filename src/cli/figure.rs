//! `sparsewidth figure`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sparsewidth::data::{CLASSES, Normalisation};
use sparsewidth::files::{OutputFolder, make_folder};
use sparsewidth::network::{Connectivity, MaskFamily};
use sparsewidth::numeric::parse::{count, listed_count};
use sparsewidth::report::{
    Statistic, accuracy_chart, chart_files, curves_chart, distance_chart, parts_chart, summary, write_chart,
};
use sparsewidth::study::paper::{
    PAPER_BASE_WIDTH, PAPER_DIMENSION, PAPER_RUNS, PAPER_WIDTHS, figure_networks, paper_learning_rate,
};
use sparsewidth::study::{
    DistanceMethod, DistanceSpec, Family, LearningRates, NetworkSpec, RECORDS, Record, Reference, StudySpec,
    TrainingRecord, TrainingStudySpec, read_records,
};
use sparsewidth::{Error, Result};

use super::Common;
use super::distance::distance_spec;
use super::options::{ImagesOption, NormalisationOption, SamplingOptions, default_widths};
use super::output::{json_lines, print, study_folder};
use super::train::{TrainingOptions, say_origin};
use super::values::path;

/// By which name its files are listed.
const WRITER: &str = "figure";
const SUMMARY: &str = "summary.md";

/// Runs per network in the quick protocol.
const QUICK_RUNS: usize = 5;

/// Options that only computing heeds.
const COMPUTING: [&str; 25] = [
    "threads",
    "seed",
    "protocol",
    "widths",
    "data",
    "normalisation",
    "seeds",
    "pairs",
    "initialisations",
    "tolerance",
    "masks",
    "mask",
    "law",
    "reference",
    "device",
    "memory",
    "shard",
    "samples",
    "epochs",
    "batch",
    "training_mask",
    "training_law",
    "parametrisation",
    "biases",
    "rates",
];

#[derive(Args)]
pub struct FigureArgs {
    /// How much of the paper's protocol to do
    #[arg(long, value_enum, default_value_t = Protocol::Quick)]
    protocol: Protocol,
    /// Hidden widths [default: 8,32,128,216,328,512,635, or where the budget does not fit these, others that it fits]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    /// Redraw from the records of this folder, without computing
    #[arg(long, value_name = "DIR", conflicts_with_all = COMPUTING, value_parser = path())]
    from: Option<PathBuf>,
    /// Folder for pictures, records and summary, and for the journal by which an interrupted run goes on [default: figure, or
    /// the folder of --from]
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], value_name = "DIR", value_parser = path())]
    out: Option<PathBuf>,
    #[command(flatten)]
    data: ImagesOption,
    /// Normalisation for training; distances are taken under pixel and global whichever it is
    #[arg(long, value_enum, default_value_t = NormalisationOption::Pixel)]
    normalisation: NormalisationOption,
    /// Runs per network [default: 5, or 10 in the paper's protocol]
    #[arg(long, value_name = "N", value_parser = count)]
    seeds: Option<usize>,
    /// Learning rates from a file, the rates.toml of `sparsewidth tune` [default: the authors']
    #[arg(long, value_name = "FILE", value_parser = path())]
    rates: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    training: TrainingOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// the sparse family and its dense base network, 5 runs each
    Quick,
    /// the dense family as well, 10 runs each
    Paper,
}

pub fn run(args: FigureArgs, common: &Common) -> Result<()> {
    if let Some(from) = &args.from {
        if from.is_file() {
            let folder = from.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let remedy = format!("give the folder that it is in: --from {}", folder.display());
            return Err(Error::file(from, "is a file, not the output folder of a study", remedy));
        }
        let records = read_records(from)?;
        let folder = args.out.as_deref().unwrap_or(from);
        refuse_searches(from, &records)?;
        let folder = OutputFolder::new(folder, WRITER, &report_files())?;
        make_folder(folder.path())?;
        if common.json {
            print(&json_lines(&records)?)?;
        }
        return draw(&folder, &records, common);
    }
    let pictures = picture_names();
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let folder = args.out.clone().unwrap_or_else(|| "figure".into());
    let folder = study_folder(&folder, WRITER, &pictures, &[SUMMARY])?;
    let (dimension, images) = args.data.sizes()?;
    let data = args.data.data;
    let weights = (dimension + CLASSES) * PAPER_BASE_WIDTH;
    if args.rates.is_none() && dimension != PAPER_DIMENSION {
        let problem =
            format!("learning rates are known for images of {PAPER_DIMENSION} pixels, and these have {dimension}");
        let remedy = format!("search them: sparsewidth tune --data {data}; then add --rates tune/rates.toml here");
        return Err(Error::value("--data", &data, problem, remedy));
    }
    let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, CLASSES), Connectivity::DENSE, common);
    let widths = if args.widths.is_empty() { usual() } else { args.widths };
    let networks = NetworkSpec::at_budget(weights, dimension, CLASSES, &widths)?;
    let mut distance = distance_spec(networks.clone(), &args.sampling);
    let first = Normalisation::from(args.normalisation);
    distance.normalisations = vec![first];
    distance
        .normalisations
        .extend([Normalisation::Pixel, Normalisation::Global].into_iter().filter(|other| *other != first));
    if distance.reference == Reference::Analytic {
        distance.methods.insert(1, DistanceMethod::SampledAll);
    }
    let paper = args.protocol == Protocol::Paper;
    let runs = args.seeds.unwrap_or(if paper { PAPER_RUNS } else { QUICK_RUNS });
    let mut trained = figure_networks(&networks, paper)?;
    let rates = args.rates.as_deref().map(LearningRates::read).transpose()?;
    if rates.is_none() && !args.training.is_paper() {
        let problem = "the authors tuned learning rates for their parametrisation, without biases, only";
        return Err(Error::value(
            "--rates",
            "(none)",
            problem,
            "give the file of `sparsewidth tune` with the same options",
        ));
    }
    for network in &mut trained {
        network.learning_rate = match &rates {
            Some(rates) => args.training.rate(rates, network)?,
            None => paper_learning_rate(network.hidden().width(), network.family == Family::Dense).map_err(|_| {
                let problem = format!("the authors tuned learning rates for {PAPER_WIDTHS:?} only");
                let remedy = format!(
                    "search one: sparsewidth tune --widths {}; then add --rates tune/rates.toml here",
                    network.hidden().width()
                );
                Error::value("--widths", network.hidden().width(), problem, remedy)
            })?,
        };
    }
    say_origin(rates.as_ref(), &data, args.normalisation, common);
    args.training.samples_of(images, common);
    let training = args.training.spec(trained, runs, args.normalisation);
    let study = StudySpec { data, seed: common.seed, distance: Some(distance), training: Some(training) };
    let Some(records) = common.run_study(&study, Some(&folder))? else { return Ok(()) };
    draw(&folder, &records, common)
}

/// The pictures that can be drawn.
fn picture_names() -> Vec<String> {
    let mut names = vec!["accuracy".to_string(), "curves".into()];
    for suffix in ["", "-pixel", "-global", "-none"] {
        names.extend(["", "-parts", "-median"].map(|kind| format!("distance{suffix}{kind}")));
    }
    names
}

/// The files of pictures and summary.
fn report_files() -> Vec<String> {
    let names = picture_names();
    let mut files = chart_files(&names.iter().map(String::as_str).collect::<Vec<_>>());
    files.push(SUMMARY.into());
    files
}

/// Refuses the records of a search for learning rates: its runs, at many rates, are evaluated on validation samples.
fn refuse_searches(folder: &Path, records: &[Record]) -> Result<()> {
    if !records.iter().filter_map(Record::training).any(|run| run.validation) {
        return Ok(());
    }
    let problem =
        "holds the runs of a search for learning rates, evaluated on validation samples: a figure is of test samples";
    Err(Error::file(&folder.join(RECORDS), problem, "give the output folder of a figure"))
}

/// Draws all pictures and the summary from records. The first normalisation, that of the training, has the plain names.
fn draw(folder: &OutputFolder, records: &[Record], common: &Common) -> Result<()> {
    let mut drawn = Vec::new();
    let mut draw = |name: String, chart: Option<_>| -> Result<()> {
        if let Some(chart) = chart {
            write_chart(folder, &name, &chart)?;
            drawn.push(name);
        }
        Ok(())
    };
    draw("accuracy".into(), accuracy_chart(records))?;
    draw("curves".into(), curves_chart(records))?;
    let trained = records.iter().find_map(Record::training).map(|run| run.normalisation);
    for normalisation in [Normalisation::Pixel, Normalisation::Global, Normalisation::None] {
        let suffix = match trained {
            Some(of_training) if of_training != normalisation => format!("-{}", normalisation.name()),
            _ => String::new(),
        };
        draw(format!("distance{suffix}"), distance_chart(records, normalisation, Statistic::Mean))?;
        draw(format!("distance{suffix}-parts"), parts_chart(records, normalisation))?;
        draw(format!("distance{suffix}-median"), distance_chart(records, normalisation, Statistic::Median))?;
    }
    let left_out = left_out(records);
    let seed = records.first().map_or(0, |record| match record {
        Record::Distance(record) => record.seed,
        Record::Training(run) => run.seed,
    });
    let text = summary(records, &left_out, seed);
    folder.write(SUMMARY, text.as_bytes())?;
    common.say(&text)?;
    if !left_out.is_empty() {
        common.note(&format!("Left out: {left_out}"));
    }
    common.note(&format!("{}: {} (.svg, .png), summary.md", folder.path().display(), drawn.join(", ")));
    Ok(())
}

/// What the records lack of the paper's protocol, in words.
fn left_out(records: &[Record]) -> String {
    let runs: Vec<&TrainingRecord> = records.iter().filter_map(Record::training).collect();
    let sampled = records.iter().filter_map(Record::distance).find(|record| record.method == DistanceMethod::Sampled);
    let mut missing = Vec::new();
    let training = TrainingStudySpec::paper(vec![], PAPER_RUNS);
    match runs.first() {
        None => missing.push("all training".to_string()),
        Some(first) => {
            if !runs.iter().any(|run| run.family == Family::Dense) {
                missing.push(format!("the dense family beyond width {PAPER_BASE_WIDTH}"));
            }
            let absent = PAPER_WIDTHS.iter().filter(|width| !runs.iter().any(|run| run.width == **width)).count();
            if absent > 0 {
                missing.push(format!("{absent} of the paper's {} widths", PAPER_WIDTHS.len()));
            }
            let done = runs.iter().map(|run| run.run as usize + 1).max().unwrap_or(0);
            let mut fewer = |name: &str, done: usize, paper: usize| {
                if done < paper {
                    missing.push(format!("{} of the paper's {paper} {name}", paper - done));
                }
            };
            fewer("runs per network", done, training.runs);
            fewer("epochs", first.epochs, training.epochs);
            fewer("training samples", first.samples, training.samples);
            if (first.mask, first.law, first.batch) != (MaskFamily::ExactCount, training.law, training.batch)
                || (first.parametrisation, first.biases) != (training.parametrisation, training.biases)
            {
                missing.push(
                    "the paper's masks, weights, batch, parametrisation or lack of biases of trained networks".into(),
                );
            }
            let is_authors = |run: &&TrainingRecord| {
                paper_learning_rate(run.width, run.family == Family::Dense).is_ok_and(|rate| rate == run.learning_rate)
            };
            if !runs.iter().all(is_authors) {
                missing.push("the authors' learning rates".into());
            }
        }
    }
    let distance = DistanceSpec::paper(vec![]);
    match sampled {
        None => missing.push("all sampled networks".into()),
        Some(record) => {
            if record.pairs < distance.pairs {
                missing.push(format!("{} of the paper's {} pairs", distance.pairs - record.pairs, distance.pairs));
            }
            if record.samples < distance.initialisations {
                let left = distance.initialisations - record.samples;
                missing.push(format!("{left} of the paper's {} initialisations", distance.initialisations));
            }
        }
    }
    if missing.is_empty() {
        return String::new();
    }
    format!("{}; `sparsewidth figure --protocol paper` does all of it.", missing.join(", and "))
}
