//! What a figure lacks of the paper's protocol.

use crate::network::MaskFamily;
use crate::study::paper::{PAPER_BASE_WIDTH, PAPER_RUNS, PAPER_WIDTHS, paper_learning_rate};
use crate::study::{DistanceMethod, DistanceRecord, DistanceSpec, Family, Record, TrainingRecord, TrainingStudySpec};

/// What the records of a figure lack of the paper's protocol, in words; empty where that is nothing.
#[must_use]
pub fn left_out(records: &[Record]) -> String {
    let runs: Vec<&TrainingRecord> = records.iter().filter_map(Record::training).collect();
    let sampled = sampled_least(records);
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
            let done = runs.iter().map(|run| run.run as usize + 1).max().expect("there is a first run");
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
    format!("{}.", missing.join("; "))
}

/// The record of sampled networks with the fewest initialisations.
pub(super) fn sampled_least(records: &[Record]) -> Option<&DistanceRecord> {
    let sampled = records.iter().filter_map(Record::distance).filter(|record| record.method == DistanceMethod::Sampled);
    sampled.min_by_key(|record| record.samples)
}
