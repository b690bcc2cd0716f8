//! What a running study reports.

use std::time::Duration;

/// News of a running study, for a progress bar.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The study begins, with the cost of all its tasks in arbitrary units.
    Begin {
        /// Cost of all tasks.
        cost: u64,
        /// The most memory that kernels over all pairs take on their device, in bytes.
        memory: Option<usize>,
    },
    /// A remark for the user.
    Remark {
        /// One sentence or more.
        text: &'a str,
    },
    /// A task that has run for two seconds will take a while. Reported once, before its next [`Progress::Within`].
    Long {
        /// The name of the task.
        task: &'a str,
        /// The time that it still takes, judged by what is done so far.
        left: Duration,
    },
    /// A long task is under way.
    Within {
        /// The name of the task.
        task: &'a str,
        /// The share of it that is done.
        share: f64,
    },
    /// A task is done, now or in an earlier run of the study.
    Done {
        /// The name of the task.
        task: &'a str,
        /// Its cost, in the units of [`Progress::Begin`].
        cost: u64,
        /// Whether its record came from the journal.
        resumed: bool,
    },
}
