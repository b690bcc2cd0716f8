//! Files of records and pictures.

use std::path::Path;

use serde::Serialize;

use super::picture::Picture;
use crate::connectivity::Connectivity;
use crate::error::{Error, Result};
use crate::files::{read_text, write_atomically};
use crate::network::{Activation, Curve, LayerBefore};
use crate::study::{Family, Record, TrainingRecord};

/// The name of the file that holds all records of a study, and from which pictures are redrawn.
pub const RECORDS: &str = "records.jsonl";

/// Writes `records.jsonl`; and where there are such records `distance.csv`, `training.csv`, and `curves.csv`, a line per epoch of each run.
///
/// # Errors
/// See [`write_atomically`].
pub fn write_records(folder: &Path, records: &[Record]) -> Result<()> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).map_err(|error| Error::failure("writing a record", error))?;
        lines.push(b'\n');
    }
    write_csv(&folder.join("distance.csv"), records.iter().filter_map(Record::distance))?;
    let runs = || records.iter().filter_map(Record::training);
    let without_curve = |run: &TrainingRecord| TrainingRecord { curve: Curve::default(), ..run.clone() };
    write_csv(&folder.join("training.csv"), runs().map(without_curve))?;
    write_csv(&folder.join("curves.csv"), runs().flat_map(epochs))?;
    // Last: who finds it finds the others whole.
    write_atomically(&folder.join(RECORDS), &lines)
}

/// An epoch of a run, as a line of `curves.csv`.
#[derive(Serialize)]
struct Epoch {
    family: Family,
    activation: Activation,
    width: usize,
    before: Option<LayerBefore>,
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
    let numbers = training_loss.iter().zip(test_loss).zip(test_accuracy);
    let line = |(epoch, ((training_loss, test_loss), test_accuracy)): (usize, ((&f32, &f32), &f32))| Epoch {
        family: run.family,
        activation: run.activation,
        width: run.width,
        before: run.before,
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

fn write_csv<T: Serialize>(path: &Path, records: impl Iterator<Item = T>) -> Result<()> {
    let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {}", path.display()), error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).map_err(|error| failure(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failure(&error))?;
    if bytes.is_empty() { Ok(()) } else { write_atomically(path, &bytes) }
}

/// Reads the `records.jsonl` of a folder.
///
/// # Errors
/// Where there is none, or a line of it is damaged.
pub fn read_records(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(RECORDS);
    let remedy = "give the output folder of a finished study, or run the study again";
    let text = read_text(&path, remedy)?;
    let records: Vec<Record> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|error| Error::file(&path, format!("line {} is corrupt ({error})", index + 1), remedy))
        })
        .collect::<Result<_>>()?;
    if records.is_empty() { Err(Error::file(&path, "holds no record", remedy)) } else { Ok(records) }
}

/// Draws a picture as `NAME.svg` and `NAME.png`.
///
/// # Errors
/// Where it cannot be drawn or written.
pub fn write_chart(folder: &Path, name: &str, chart: &impl Picture) -> Result<()> {
    let (svg, png) = (chart.svg()?, chart.png()?);
    write_atomically(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
    write_atomically(&folder.join(format!("{name}.png")), &png)
}
