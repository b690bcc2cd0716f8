//! What every study runs on: tasks that are done once, a journal to go on from, shares of the tasks on many machines,
//! and progress.

mod belonging;
mod journal;
mod ledger;
mod progress;
mod settings;
mod shard;

pub use journal::{JOURNAL, Journal};
pub use progress::Progress;
pub use shard::{MergeReport, Shard, merge};

pub(crate) use ledger::{Find, TaskLog};
