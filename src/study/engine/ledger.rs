//! Doing tasks once: those that the journal holds are not done again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::journal::Journal;
use super::progress::Progress;
use crate::data::Dataset;
use crate::error::Result;
use crate::study::Record;

/// Makes a record, and reports the share that is done.
pub(crate) type Find<'a> = dyn Fn(&(dyn Fn(f64) + Sync)) -> Result<Record> + 'a;

/// Does the tasks that the journal, where there is one, does not hold yet, and enters their records.
pub(crate) struct TaskLog<'a> {
    journal: Mutex<Option<Journal>>,
    /// The name of the data in this run of the study; records from the journal can have another.
    data: String,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> TaskLog<'a> {
    /// Opens the journal of a folder for a study on data with these checksums.
    pub fn new(
        folder: Option<&Path>,
        spec: &impl Serialize,
        (data, checksums): (&Dataset, &[&str]),
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self> {
        let journal = folder.map(|folder| Journal::open(folder, spec, &checksums.join(" "))).transpose()?;
        for text in journal.iter().flat_map(Journal::remarks) {
            progress(Progress::Remark { text });
        }
        Ok(Self { journal: Mutex::new(journal), data: data.to_string(), progress })
    }

    /// The record of a task: from the journal if it is there and `whole`, otherwise made by `find` and entered. `whole`
    /// is false where a file that belongs to the record is gone.
    pub fn finish(&self, task: &str, cost: u64, whole: bool, find: &Find) -> Result<Record> {
        let lock = || self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().as_ref().and_then(|journal| journal.record(task).cloned()).filter(|_| whole);
        let resumed = known.is_some();
        let record = match known {
            Some(record) => record.of_data(&self.data),
            None => {
                let (begun, told) = (Instant::now(), AtomicBool::new(false));
                let record = find(&|share| {
                    if let Some(left) = time_left(begun.elapsed(), share)
                        && !told.swap(true, Ordering::Relaxed)
                    {
                        (self.progress)(Progress::Long { task, left });
                    }
                    (self.progress)(Progress::Within { task, share });
                })?;
                record.check(task)?;
                if let Some(journal) = lock().as_mut() {
                    journal.append(task, record.clone())?;
                }
                record
            }
        };
        (self.progress)(Progress::Done { task, cost, resumed });
        Ok(record)
    }
}

/// The time left for a task of which `share` was done in the time `gone`; none where it is too soon to tell, or less
/// than ten seconds are left.
fn time_left(gone: Duration, share: f64) -> Option<Duration> {
    const FIRST: Duration = Duration::from_secs(2);
    const LONG: f64 = 10.0;
    let left = gone.as_secs_f64() * (1.0 - share) / share;
    // A share close to 0 gives a time that no `Duration` holds.
    (gone >= FIRST && left >= LONG).then(|| Duration::try_from_secs_f64(left).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::error::Error;

    #[test]
    fn long_tasks_say_once_how_long_they_take() {
        let seconds = Duration::from_secs;
        assert_eq!(time_left(seconds(3), 0.1).map(|left| left.as_secs_f64().round()), Some(27.0));
        for (gone, share) in [(1, 0.01), (20, 0.7), (20, 1.0), (20, 0.0), (20, f64::NAN)] {
            assert_eq!(time_left(seconds(gone), share), None, "{gone} {share}");
        }
        let told = Mutex::new(Vec::new());
        let progress = |news: Progress| {
            if let Progress::Long { task, left } = news {
                told.lock().unwrap().push((task.to_string(), left));
            }
        };
        let ledger = TaskLog::new(None, &(), (&DataSource::Embedded.into(), &[]), &progress).unwrap();
        let find = |within: &(dyn Fn(f64) + Sync)| {
            within(0.01);
            std::thread::sleep(seconds(2));
            within(0.1);
            within(0.11);
            Err(Error::failure("the task", "no record is needed here"))
        };
        assert!(ledger.finish("long", 1, true, &find).is_err());
        let told = told.into_inner().unwrap();
        assert!(
            matches!(&told[..], [(task, left)] if task == "long" && (18..60).contains(&left.as_secs())),
            "{told:?}"
        );
    }
}
