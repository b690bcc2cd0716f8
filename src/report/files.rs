//! Files of records and pictures.

use std::path::Path;

use serde::Serialize;

use super::html::INDEX;
use super::page::Page;
use super::picture::Picture;
use crate::data::Normalisation;
use crate::error::{Error, Result};
use crate::files::{OutputFolder, make_writable_folder};
use crate::kernel::ntk::Tangent;
use crate::network::{Activation, Connectivity};
use crate::study::{
    Family, KernelSource, MasksReport, PredictionRecord, Predictor, RECORDS, Record, RidgePoint, TrainingRecord,
    TuneReport, TuneSpec, to_lines,
};
use crate::train::Curve;

/// The files that [`write_records`] can write.
pub const RECORD_FILES: [&str; 6] =
    [RECORDS, "distance.csv", "training.csv", "curves.csv", "prediction.csv", "ridges.csv"];

/// Writes `records.jsonl`; and where there are such records `distance.csv`, `training.csv`, and `curves.csv`, a line
/// per epoch of each run; `prediction.csv`, and `ridges.csv`, a line per ridge of each prediction.
///
/// # Errors
/// See [`OutputFolder::write`].
pub fn write_records(folder: &OutputFolder, records: &[Record]) -> Result<()> {
    write_csv(folder, "distance.csv", records.iter().filter_map(Record::distance))?;
    let runs = || records.iter().filter_map(Record::training);
    let without_curve = |run: &TrainingRecord| TrainingRecord { curve: Curve::default(), ..run.clone() };
    write_csv(folder, "training.csv", runs().map(without_curve))?;
    write_csv(folder, "curves.csv", runs().flat_map(epochs))?;
    let predictions = || records.iter().filter_map(Record::prediction);
    let without_lists =
        |record: &PredictionRecord| PredictionRecord { test_errors: vec![], ridges: vec![], ..record.clone() };
    write_csv(folder, "prediction.csv", predictions().map(without_lists))?;
    write_csv(folder, "ridges.csv", predictions().flat_map(at_ridges))?;
    // Last: who finds it finds the others whole.
    folder.write(RECORDS, &to_lines(records)?)
}

/// The files that [`write_masks`] writes.
pub const MASKS_FILES: [&str; 3] = ["masks.json", "masks.csv", "layers.csv"];

/// Writes `masks.json`, the whole report, and its records and layers as `masks.csv` and `layers.csv`.
///
/// # Errors
/// See [`OutputFolder::write`].
pub fn write_masks(folder: &OutputFolder, report: &MasksReport) -> Result<()> {
    let [whole, records, layers] = MASKS_FILES;
    write_csv(folder, records, report.records.iter())?;
    write_csv(folder, layers, report.layers.iter())?;
    let json = serde_json::to_vec(report).map_err(|error| Error::failure(format!("writing {whole}"), error))?;
    folder.write(whole, &json)
}

/// The file of what a search for learning rates found.
pub const TUNE: &str = "tune.json";

/// The files that [`write_tune`] writes beside the records.
pub const TUNE_FILES: [&str; 2] = ["rates.toml", TUNE];

/// Writes `rates.toml`, the rates of a search in the form that studies read, `tune.json`, the whole report, and the
/// records of its runs.
///
/// # Errors
/// See [`OutputFolder::write`].
pub fn write_tune(folder: &OutputFolder, report: &TuneReport, records: &[Record]) -> Result<()> {
    let run = records.iter().find_map(Record::training).expect("invariant: a whole search trains at least one run");
    let TuneSpec { data, seed, training, .. } = &report.spec;
    let comment = format!(
        "Learning rates by `sparsewidth tune` {}: {} training and {} validation samples of {data}, {}, {} epochs, seed {seed}.\n\
         Read by the option --rates of `sparsewidth train`, `predict` and `figure`.",
        env!("CARGO_PKG_VERSION"),
        run.samples,
        run.test_samples,
        training.normalisation.title(),
        training.epochs,
    );
    let json = serde_json::to_string(report).map_err(|error| Error::failure(format!("writing {TUNE}"), error))? + "\n";
    folder.write("rates.toml", report.rates().to_toml(&comment)?.as_bytes())?;
    folder.write(TUNE, json.as_bytes())?;
    write_records(folder, records)
}

/// An epoch of a run, as a line of `curves.csv`.
#[derive(Serialize)]
struct Epoch {
    family: Family,
    activation: Activation,
    width: usize,
    architecture: String,
    connectivity: Connectivity,
    last_connectivity: Connectivity,
    learning_rate: f64,
    run: u32,
    epoch: usize,
    training_loss: f32,
    test_loss: f32,
    test_accuracy: f32,
}

fn epochs(run: &TrainingRecord) -> Vec<Epoch> {
    let Curve { training_loss, test_loss, test_accuracy } = &run.curve;
    let lengths = [training_loss.len(), test_loss.len(), test_accuracy.len()];
    assert!(lengths.iter().all(|length| *length == lengths[0]), "a curve has as many losses as accuracies");
    let numbers = training_loss.iter().zip(test_loss).zip(test_accuracy);
    let line = |(epoch, ((training_loss, test_loss), test_accuracy)): (usize, ((&f32, &f32), &f32))| Epoch {
        family: run.family,
        activation: run.activation,
        width: run.width,
        architecture: run.architecture.to_string(),
        connectivity: run.connectivity,
        last_connectivity: run.last_connectivity,
        learning_rate: run.learning_rate,
        run: run.run,
        epoch,
        training_loss: *training_loss,
        test_loss: *test_loss,
        test_accuracy: *test_accuracy,
    };
    (1..).zip(numbers).map(line).collect()
}

/// A ridge of a prediction, as a line of `ridges.csv`.
#[derive(Serialize)]
struct AtRidge {
    normalisation: Normalisation,
    predictor: Predictor,
    tangent: Option<Tangent>,
    source: KernelSource,
    width: Option<usize>,
    connectivity: Option<Connectivity>,
    ridge: f64,
    test_error: f64,
    squared_error: f64,
    leave_one_out_error: f64,
    leave_one_out_squared_error: f64,
}

fn at_ridges(record: &PredictionRecord) -> Vec<AtRidge> {
    let line = |point: &RidgePoint| AtRidge {
        normalisation: record.normalisation,
        predictor: record.predictor,
        tangent: record.tangent,
        source: record.source,
        width: record.width,
        connectivity: record.connectivity,
        ridge: point.ridge,
        test_error: point.test_error,
        squared_error: point.squared_error,
        leave_one_out_error: point.leave_one_out_error,
        leave_one_out_squared_error: point.leave_one_out_squared_error,
    };
    record.ridges.iter().map(line).collect()
}

fn write_csv<T: Serialize>(folder: &OutputFolder, name: &str, records: impl Iterator<Item = T>) -> Result<()> {
    let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {name}"), error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).map_err(|error| failure(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failure(&error))?;
    if bytes.is_empty() { Ok(()) } else { folder.write(name, &bytes) }
}

/// Draws a picture as `NAME.svg` and `NAME.png`.
///
/// # Errors
/// Where it cannot be drawn or written.
pub fn write_chart(folder: &OutputFolder, name: &str, chart: &impl Picture) -> Result<()> {
    let (svg, png) = (chart.svg()?, chart.png()?);
    folder.write(&format!("{name}.svg"), svg.as_bytes())?;
    folder.write(&format!("{name}.png"), &png)
}

/// The files that [`write_chart`] writes under some names.
fn chart_files(names: &[impl AsRef<str>]) -> Vec<String> {
    let of = |name: &str| [format!("{name}.svg"), format!("{name}.png")];
    names.iter().flat_map(|name| of(name.as_ref())).collect()
}

/// The folder of a study by its path: it may hold the study's records, some pictures and other files, and, where there
/// is one, the page.
///
/// # Errors
/// See [`OutputFolder::new`].
pub fn study_folder(
    path: &Path,
    writer: &'static str,
    pictures: &[impl AsRef<str>],
    others: &[&str],
    page: bool,
) -> Result<OutputFolder> {
    OutputFolder::new(path, writer, &page_files(pictures, &[&RECORD_FILES, others].concat(), page))
}

/// The same for a report without records; it is made, and tried.
///
/// # Errors
/// See [`OutputFolder::new`]; where it cannot be made or written.
pub fn report_folder(
    path: &Path,
    writer: &'static str,
    pictures: &[impl AsRef<str>],
    others: &[&str],
    page: bool,
) -> Result<OutputFolder> {
    let folder = OutputFolder::new(path, writer, &page_files(pictures, others, page))?;
    make_writable_folder(path)?;
    Ok(folder)
}

fn page_files(pictures: &[impl AsRef<str>], others: &[&str], page: bool) -> Vec<String> {
    let mut names = chart_files(pictures);
    names.extend(others.iter().copied().chain(page.then_some(INDEX)).map(str::to_string));
    names
}

impl Page {
    /// Writes its pictures and files to a folder, and the page itself where that is wanted.
    ///
    /// # Errors
    /// Where a picture cannot be drawn, or a file not written.
    pub fn write(&self, folder: &OutputFolder, page: bool) -> Result<()> {
        for (name, drawing) in &self.pictures {
            write_chart(folder, name, drawing)?;
        }
        self.files.iter().try_for_each(|(name, text)| folder.write(name, text.as_bytes()))?;
        if page { folder.write(INDEX, self.html()?.as_bytes()) } else { Ok(()) }
    }
}
