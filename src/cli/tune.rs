//! `sparsewidth tune`.

use std::path::{Path, PathBuf};

use clap::Args;
use sparsewidth::Result;
use sparsewidth::data::Normalisation;
use sparsewidth::data::{DataSource, Dataset};
use sparsewidth::files::OutputFolder;
use sparsewidth::numeric::parse::{count, listed_count, number};
use sparsewidth::report::tune_page;
use sparsewidth::report::write_records;
use sparsewidth::study::{EvaluationSet, Record, TrainingStudySpec, TuneReport, TuneSpec};

use super::Common;
use super::options::ImagesOption;
use super::output::{json_lines, print};
use super::redraw::{FromOption, read_report};
use super::train::{BudgetOptions, TrainingOptions};
use super::values::path;

/// Validation samples by default: of the many that a folder has beside the training subset, or of the embedded ones.
const VALIDATION: usize = 10_000;
const EMBEDDED_VALIDATION: usize = 512;

#[derive(Args)]
pub struct TuneArgs {
    #[command(flatten)]
    data: ImagesOption,
    /// Hidden widths [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count)]
    widths: Vec<usize>,
    #[command(flatten)]
    budget: BudgetOptions,
    #[command(flatten)]
    search: SearchOptions,
    #[command(flatten)]
    training: TrainingOptions,
    /// Number of runs per rate, at the few rates left in the last stage
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = count)]
    runs: usize,
    /// Normalisation of the inputs, by the statistics of the training samples
    #[arg(long, value_enum, default_value_t = Normalisation::Pixel)]
    normalisation: Normalisation,
    #[command(flatten)]
    from: FromOption,
    /// Write rates.toml, the picture and the records to this folder, with the journal from which an interrupted search
    /// resumes
    #[arg(long, aliases = ["out-dir", "output-dir", "outdir"], default_value = "tune", value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

/// Where rates are searched, and by which samples.
#[derive(Args)]
pub struct SearchOptions {
    /// Lowest learning rate; the search goes up in factors of two, then tries half steps around the best
    #[arg(long, default_value_t = 0.25, value_name = "RATE", value_parser = number)]
    lowest: f64,
    /// Highest learning rate
    #[arg(long, default_value_t = 4096.0, value_name = "RATE", value_parser = number)]
    highest: f64,
    /// Number of validation samples, from unused training samples if there are enough, otherwise held out [default:
    /// 10000, or 512 of the embedded images; for smaller data all unused samples, or a quarter of the training samples
    /// if that is more]
    #[arg(long, value_name = "N", value_parser = count)]
    validation: Option<usize>,
}

pub fn run(args: TuneArgs, common: &Common) -> Result<()> {
    if let Some(from) = args.from.folder(common)? {
        let report: TuneReport = read_report(&from.join(TUNE))?;
        let out = common.redrawn_folder(args.from.or(&args.out, common), "tune", &["tune"], &[])?;
        return say_rates(&report, Some(&out), common);
    }
    let (sizes, images) = args.data.sizes()?;
    let data = args.data.data;
    let usual = || args.budget.default_widths(sizes, common);
    let widths = if args.widths.is_empty() { usual()? } else { args.widths };
    // Any rate: the search goes through its own.
    let networks = args.budget.networks(sizes, &widths, |_| Ok(1.0))?;
    let evaluation = args.search.evaluation(&data, images, args.training.samples_of(images, common), common);
    let training = TrainingStudySpec { evaluation, ..args.training.spec(networks, args.runs, args.normalisation) };
    let Some((report, out)) = args.search.search(data, training, &args.out, common)? else { return Ok(()) };
    say_rates(&report, Some(&out), common)
}

/// Prints what a search found, and where it is kept.
pub fn say_rates(report: &TuneReport, out: Option<&OutputFolder>, common: &Common) -> Result<()> {
    if common.json {
        print(&json_lines(std::slice::from_ref(report))?)?;
    }
    common.present(&tune_page(report), out)
}

/// The file of what a search found.
pub const TUNE: &str = "tune.json";

impl SearchOptions {
    /// The lowest rate.
    pub fn lowest(&self) -> f64 {
        self.lowest
    }

    /// The validation samples, where `trained` of some images are trained on; a number that the data decided is said.
    pub fn evaluation(&self, data: &Dataset, images: usize, trained: usize, common: &Common) -> EvaluationSet {
        if let Some(count) = self.validation {
            return EvaluationSet::Validation(count);
        }
        let usual = if *data.source() == DataSource::Embedded { EMBEDDED_VALIDATION } else { VALIDATION };
        let evaluation = EvaluationSet::usual_validation(usual, images, trained);
        if let EvaluationSet::Validation(count) = evaluation
            && count != usual
        {
            common.note(&format!(
                "Validation: on {count} of the {images} training images, instead of {usual}; these are not trained on. \
                 Choose another number with --validation."
            ));
        }
        evaluation
    }

    /// Searches the rates of networks trained so, whichever they have there, and writes all that was found to a folder.
    /// None of a shard.
    pub fn search(
        &self,
        data: Dataset,
        training: TrainingStudySpec,
        folder: &Path,
        common: &Common,
    ) -> Result<Option<(TuneReport, OutputFolder)>> {
        let spec = TuneSpec { data, seed: common.seed, training, range: (self.lowest, self.highest) };
        let shard = common.shard(Some(folder))?;
        let out = common.study_folder(folder, "tune", &["tune"], &["rates.toml", TUNE])?;
        common.say_how_to_go_on(Some(folder));
        let bar = common.bar(0);
        let found = spec.run_shard(shard, Some(folder), &|progress| common.show(&bar, "", progress));
        bar.finish_and_clear();
        let (report, records) = found?;
        if !shard.is_whole() {
            if common.json {
                print(&json_lines(&records)?)?;
            }
            common.note_shard(folder, records.len());
            return Ok(None);
        }

        let run = records.iter().find_map(Record::training).expect("a whole search trains at least one run");
        let comment = format!(
            "Learning rates by `sparsewidth tune` {}: {} training and {} validation samples of {}, {}, {} epochs, seed {}.\n\
         Read by the option --rates of `sparsewidth train`, `predict` and `figure`.",
            env!("CARGO_PKG_VERSION"),
            run.samples,
            run.test_samples,
            spec.data,
            spec.training.normalisation.title(),
            spec.training.epochs,
            spec.seed
        );
        let json = json_lines(std::slice::from_ref(&report))?;
        out.write("rates.toml", report.rates().to_toml(&comment)?.as_bytes())?;
        out.write(TUNE, json.as_bytes())?;
        write_records(&out, &records)?;
        common.note(&format!("{}: rates.toml, {TUNE}", folder.display()));
        Ok(Some((report, out)))
    }
}
