//! The file of a study's records.

use std::collections::HashMap;
use std::path::Path;

use super::Record;
use crate::error::{Error, Result};
use crate::files::read_text;

/// The name of the file that holds all records of a study, and from which pictures are redrawn.
pub const RECORDS: &str = "records.jsonl";

/// Records as lines of JSON, the contents of [`RECORDS`].
///
/// # Errors
/// Where a record has a number that JSON cannot hold.
pub fn to_lines(records: &[Record]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).map_err(|error| Error::failure("writing a record", error))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Reads the `records.jsonl` of a folder: the records of one study, each of them once, however often it is there.
///
/// # Errors
/// Where there is no such file, a line of it is damaged or belongs to another study than those before it, or two lines
/// hold different records of one task.
pub fn read_records(folder: &Path) -> Result<Vec<Record>> {
    let path = folder.join(RECORDS);
    let remedy = "give the output folder of a finished study, or run the study again";
    let text = read_text(&path, remedy)?;
    let wrong = |number: usize, problem: String| Error::file(&path, format!("line {number} {problem}"), remedy);
    let mut records: Vec<Record> = Vec::new();
    // The line and place of each task's record; then those of one record of each kind and method, which identify the
    // study.
    let mut known: HashMap<String, (usize, usize)> = HashMap::new();
    let mut of_study: Vec<(usize, usize)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let record = Record::from_json(line).map_err(|error| wrong(number, format!("is corrupt ({error})")))?;
        let same_task = known.get(&record.task());
        if same_task.is_some_and(|(_, place)| records[*place] == record) {
            continue;
        }
        let mut is_new = true;
        for (first, place) in &of_study {
            if let Some(difference) = record.difference(&records[*place]) {
                return Err(wrong(number, format!("belongs to another study than line {first}: {difference}")));
            }
            is_new &= !record.is_alike(&records[*place]);
        }
        if let Some((first, _)) = same_task {
            return Err(wrong(number, format!("has a record of {} that differs from line {first}", record.task())));
        }
        if is_new {
            of_study.push((number, records.len()));
        }
        known.insert(record.task(), (number, records.len()));
        records.push(record);
    }
    if records.is_empty() { Err(Error::file(&path, "holds no record", remedy)) } else { Ok(records) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::files::OutputFolder;
    use crate::sampled::Device;
    use crate::study::{DistanceMethod, DistanceSpec, NetworkSpec, StudySpec};

    fn study(seed: u64) -> Vec<Record> {
        let networks = ["4:0.5", "8:0.5"].map(|network| network.parse().unwrap()).to_vec();
        let spec = StudySpec {
            data: DataSource::Gaussian { dimension: 5, samples: 20 }.into(),
            seed,
            distance: Some(DistanceSpec {
                normalisations: vec![crate::data::Normalisation::None],
                methods: vec![DistanceMethod::Sampled, DistanceMethod::Paper],
                pairs: 10,
                ..DistanceSpec::paper(networks as Vec<NetworkSpec>)
            }),
            training: None,
            prediction: None,
        };
        spec.run(None, &Device::CPU, &|_| {}).unwrap()
    }

    fn read(records: &[Record]) -> Result<Vec<Record>> {
        let folder = tempfile::tempdir().unwrap();
        OutputFolder::new(folder.path(), "test", &[])?.write(RECORDS, &to_lines(records)?)?;
        read_records(folder.path())
    }

    #[test]
    fn repeated_records_count_once_and_those_of_two_studies_are_refused() {
        let records = study(0);
        assert_eq!(read(&records).unwrap(), records);
        assert_eq!(read(&[&records[..], &records[..]].concat()).unwrap(), records);
        let message = |records: &[Record]| read(records).unwrap_err().to_string();
        let mut changed = records[1].clone();
        let Record::Distance(distance) = &mut changed else { panic!("a distance") };
        distance.mean *= 2.0;
        let twice = message(&[&records[..], &[changed.clone()]].concat());
        assert!(twice.contains("line 5 has a record of distance/none/sampled/8:0.5"), "{twice}");
        assert!(twice.contains("differs from line 2"), "{twice}");
        // Another seed, then a difference in what only records of one method share; both for networks that the first
        // lines do not have.
        let other = message(&[&records[..1], &study(1)[1..]].concat());
        assert!(other.contains("line 2 belongs to another study than line 1: its seed is 1, not 0"), "{other}");
        let Record::Distance(distance) = &mut changed else { panic!("a distance") };
        (distance.width, distance.pairs, distance.architecture) = (16, 11, "relu:16@0.5".parse().unwrap());
        let other = message(&[&records[..], &[changed]].concat());
        assert!(other.contains("line 5 belongs to another study than line 1: its pairs is 11, not 10"), "{other}");
    }
}
