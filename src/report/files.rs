//! Files: whole or not at all.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::chart::Chart;
use crate::error::{Error, Result};
use crate::study::Record;

/// The name of the file that holds all records of a study, and from which pictures are redrawn.
pub const RECORDS: &str = "records.jsonl";

/// Writes a file by way of a temporary one beside it, so that it is never seen half written.
///
/// # Errors
/// Where the folder cannot be written or the disk is full.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {}", path.display()), error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| {
        Error::file(folder, format!("cannot be written ({error})"), "give another folder with --out")
    })?;
    file.write_all(bytes).map_err(|error| failure(&error))?;
    // Temporary files are private; results are not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable).map_err(|error| failure(&error))?;
    }
    file.persist(path).map_err(|error| failure(&error))?;
    Ok(())
}

/// Writes `records.jsonl`, and `distance.csv` and `training.csv` where there are such records.
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
    write_csv(&folder.join("training.csv"), records.iter().filter_map(Record::training))?;
    // Last: who finds it finds the others whole.
    write_atomically(&folder.join(RECORDS), &lines)
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
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::file(&path, format!("cannot be read ({error})"), remedy))?;
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

/// Draws a chart as `NAME.svg` and `NAME.png`.
///
/// # Errors
/// Where it cannot be drawn or written.
pub fn write_chart(folder: &Path, name: &str, chart: &Chart) -> Result<()> {
    write_atomically(&folder.join(format!("{name}.svg")), chart.svg()?.as_bytes())?;
    write_atomically(&folder.join(format!("{name}.png")), &chart.png()?)
}
