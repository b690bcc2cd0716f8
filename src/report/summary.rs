//! The table of trained networks, and the summary of a figure in words.

use std::fmt::Write;

use super::Statistic;
use super::assumptions::{assumptions, law_of_training};
use super::distance_tables::{distance_table, distance_words, methods_of, network_name, normalisations, same_network};
use super::figure::{
    accuracies, best_accuracies, distances, evaluated, kernels, of_kernel, statistic_of, trained_name, trained_networks,
};
use super::left_out::sampled_least;
use super::table::{Table, counted};
use crate::data::Normalisation;
use crate::kernel::ntk::Kernel;
use crate::numeric::rank::{RankCorrelation, RankCorrelations};
use crate::numeric::statistics::{confidence_95, mean};
use crate::study::density::named_layers;
use crate::study::{DistanceMethod, Family, Record, TrainingRecord};

/// Training runs: a row per network, accuracies as means over the runs that have one (not those that diverged before
/// it) with half their 95 % intervals.
#[must_use]
pub fn training_table(records: &[Record]) -> Table {
    let mut table = Table::new(&[
        "network",
        "connectivity",
        "weights",
        "rate",
        "runs",
        "best accuracy",
        "final accuracy",
        "diverged",
    ]);
    let networks = trained_networks(records);
    for &family in Family::ALL {
        let mut of_family: Vec<_> = networks.iter().filter(|runs| runs[0].family == family).collect();
        of_family.sort_by_key(|runs| runs[0].width);
        for runs in of_family {
            let first = runs[0];
            let values = |value: &dyn Fn(&TrainingRecord) -> Option<f64>| {
                runs.iter().filter_map(|run| value(run)).collect::<Vec<_>>()
            };
            table.row(vec![
                format!("{}{}", trained_name(first), dead_runs(runs)),
                format!(
                    "{:.3e}",
                    mean(&values(&|run| Some(run.connectivity_reached.unwrap_or(run.connectivity.get()))))
                ),
                format!("{:.0}", mean(&values(&|run| Some(run.weights as f64)))),
                four_digits(first.learning_rate),
                runs.len().to_string(),
                with_interval(&best_accuracies(runs)),
                with_interval(&values(&|run| run.final_accuracy.filter(|_| !run.diverged))),
                runs.iter().filter(|run| run.diverged).count().to_string(),
            ]);
        }
    }
    table
}

/// Of a network whose outputs do not depend on its inputs: that, why, and in how many of its runs. Empty for others.
fn dead_runs(runs: &[&TrainingRecord]) -> String {
    let dead: Vec<_> = runs.iter().filter(|run| run.dead == Some(true)).collect();
    let Some(first) = dead.first() else { return String::new() };
    let why =
        first.empty_layers.as_ref().map_or(String::new(), |layers| format!("no weight in {}: ", named_layers(layers)));
    let share =
        if dead.len() == runs.len() { String::new() } else { format!(", in {} of {} runs", dead.len(), runs.len()) };
    format!(" ({why}no input reaches an output{share})")
}

/// A number for a table, rounded to four digits.
pub(super) fn four_digits(value: f64) -> String {
    format!("{value:.3e}").parse().map_or_else(|_| value.to_string(), |rounded: f64| rounded.to_string())
}

fn with_interval(values: &[f64]) -> String {
    match confidence_95(values) {
        _ if values.is_empty() => "-".into(),
        Some(reach) => format!("{:.4} ± {reach:.4}", mean(values)),
        None => format!("{:.4}", mean(values)),
    }
}

/// The summary of a figure in Markdown: what was done, the tables, where the minimum lies under each method, and the
/// rank correlation of distance and test error over the widths of the sparse family.
///
/// `left_out` says what a shorter protocol did not do; empty where nothing was left out.
pub fn summary(records: &[Record], left_out: &str, seed: u64) -> String {
    let mut text = String::from("# Kernel distance and test error against width\n\n");
    provenance(records, &mut text);
    if !left_out.is_empty() {
        let _ = writeln!(text, "Left out: {left_out}\n");
    }
    if let Some(run) = records.iter().find_map(Record::training) {
        let (heading, chosen) = match run.validation {
            true => ("Validation accuracy", "the validation set"),
            false => ("Test accuracy", "the test set, as in the paper"),
        };
        let _ = writeln!(
            text,
            "## {heading}\n\nMean over runs ± half the 95 % interval (Student's t). The best epoch is chosen on {chosen}.\n\n{}",
            training_table(records)
        );
        if let Some(law) = law_of_training(records) {
            let _ = writeln!(text, "{law}\n");
        }
    }
    for kernel in kernels(records) {
        distance_sections(&of_kernel(records, kernel), kernel, &mut text);
    }
    for kernel in kernels(records) {
        correlations(&of_kernel(records, kernel), kernel, seed, &mut text);
    }
    text
}

/// The distances of one kernel.
fn distance_sections(records: &[Record], kernel: Kernel, text: &mut String) {
    for normalisation in normalisations(records) {
        let name = normalisation.title();
        let of = match kernel {
            Kernel::Nngp => String::new(),
            kernel => format!(" of the {}", kernel.title()),
        };
        let _ = writeln!(
            text,
            "## Distance{of}, {name}\n\n{}\n\n{}",
            distance_words(records, normalisation, Statistic::Mean),
            distance_table(records, normalisation, Statistic::Mean)
        );
        let _ = writeln!(
            text,
            "{}\n\n{}",
            distance_words(records, normalisation, Statistic::Median),
            distance_table(records, normalisation, Statistic::Median)
        );
        *text += &assumptions(records, normalisation);
        agreement(records, normalisation, text);
        minima(records, normalisation, text);
    }
}

pub(super) fn provenance(records: &[Record], text: &mut String) {
    if let Some(record) = sampled_least(records) {
        let _ = writeln!(
            text,
            "Distances on {} (SHA-256 {}), {} {}, {} or more initialisations of networks with {} masks and {} weights \
             (variance {:.4} sigma^2; theory scaled to it), reference kernel {}, seed {}. sparsewidth {}.\n",
            record.data,
            record.checksum,
            record.pairs,
            if record.samples_pairs() { "random pairs" } else { "pairs, all of the data" },
            record.samples,
            record.mask.title(),
            record.law.title(),
            record.weight_variance,
            record.reference,
            record.seed,
            record.version
        );
    }
    if let Some(run) = records.iter().find_map(Record::training) {
        let _ = writeln!(
            text,
            "Training on {} samples of {} (SHA-256 {}), {} {} samples, {}, {} masks, {} weights, {} \
             parametrisation, {} biases, {}, batch {}, plain SGD, seed {}. sparsewidth {}.\n",
            run.samples,
            run.data,
            run.checksum,
            run.test_samples,
            evaluated(run),
            run.normalisation.title(),
            run.mask.title(),
            run.law.title(),
            run.parametrisation.title(),
            if run.biases { "with" } else { "no" },
            counted(run.epochs, "epoch"),
            run.batch,
            run.seed,
            run.version
        );
    }
}

/// Sampled networks against Theorem 1 on the same pairs, in standard errors.
fn agreement(records: &[Record], normalisation: Normalisation, text: &mut String) {
    let sampled = distances(records, normalisation, DistanceMethod::Sampled);
    let of_masks = distances(records, normalisation, DistanceMethod::Theorem1FixedCount);
    let bernoulli = distances(records, normalisation, DistanceMethod::Theorem1);
    let theory = if of_masks.is_empty() { bernoulli } else { of_masks };
    let mut table = Table::new(&["network", "sampled - Theorem 1", "standard error", "in standard errors"]);
    let mut any = false;
    for (sampled, theory) in sampled.iter().filter_map(|sampled| {
        let theory = theory.iter().find(|theory| same_network(sampled, theory))?;
        Some((sampled, theory))
    }) {
        if let (Some(error), Some(of_theory)) = (sampled.mean_error_samples, theory.mean_error_samples) {
            let difference = sampled.mean - theory.mean;
            let error = error.hypot(of_theory);
            let reliable = sampled.has_reliable_error() && error > 0.0;
            let ratio = if reliable { format!("{:.1}", difference / error) } else { "-".into() };
            let name = network_name(records, sampled);
            table.row(vec![name, format!("{difference:.1e}"), format!("{error:.1e}"), ratio]);
            any = true;
        }
    }
    if any {
        let _ = writeln!(
            text,
            "Sampled networks against Theorem 1 on the same pairs. Theorem 1 is about Gaussian weights, the \
             analytic reference, and the masks that its method names, Bernoulli by default. Under one seed a wider network holds the rows and masks of the narrower ones, so the \
             differences at several widths are correlated; the standard errors come from few \
             initialisations each. No ratio is given where next to no weight is left: the tail of the distance is then so long that \
             its standard error comes out too small.\n\n{table}"
        );
    }
}

fn minima(records: &[Record], normalisation: Normalisation, text: &mut String) {
    let mut table = Table::new(&["method", "minimum of the mean at", "minimum of the median at"]);
    for method in methods_of(records, normalisation) {
        let found = distances(records, normalisation, method);
        let at = |statistic: Statistic| {
            let values = found.iter().filter_map(|record| Some((statistic_of(record, statistic)?.0, record)));
            let least = values.min_by(|a, b| a.0.total_cmp(&b.0));
            least.map_or("-".into(), |(_, record)| network_name(records, record))
        };
        table.row(vec![method.title().into(), at(Statistic::Mean), at(Statistic::Median)]);
    }
    let _ = writeln!(text, "Where the distance is least, among these widths:\n\n{table}");
}

/// Spearman's rank correlation of distance and mean test error over the widths of the sparse family, with its 95 %
/// interval ([`RankLaw`](crate::numeric::rank::RankLaw)): a row per method, a column per normalisation and statistic
/// over pairs. None with fewer than three trained widths, or without distances.
pub fn correlation_table(records: &[Record], seed: u64) -> Option<Table> {
    let accuracies = accuracies(records, Family::Sparse);
    let normalisations = normalisations(records);
    if accuracies.len() < 3 || normalisations.is_empty() {
        return None;
    }
    let columns: Vec<(Normalisation, Statistic)> = normalisations
        .iter()
        .flat_map(|normalisation| [Statistic::Mean, Statistic::Median].map(|statistic| (*normalisation, statistic)))
        .collect();
    let heads =
        columns.iter().map(|(normalisation, statistic)| format!("{}, {}", normalisation.name(), statistic.name()));
    let heads: Vec<String> = std::iter::once("distance by".to_string()).chain(heads).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let recorded = |method: &DistanceMethod| {
        normalisations.iter().any(|normalisation| !distances(records, *normalisation, *method).is_empty())
    };
    let mut correlations = RankCorrelations::new(seed);
    for method in DistanceMethod::ALL.iter().copied().filter(recorded) {
        let mut cell = |(normalisation, statistic): &(Normalisation, Statistic)| {
            let points: Vec<(f64, f64)> = distances(records, *normalisation, method)
                .iter()
                .filter_map(|record| {
                    let (_, runs) = accuracies.iter().find(|(width, _)| *width == record.width)?;
                    let errors: Vec<f64> = runs.iter().map(|accuracy| 1.0 - accuracy).collect();
                    Some((statistic_of(record, *statistic)?.0, mean(&errors)))
                })
                .collect();
            if points.is_empty() { "-".into() } else { correlation(correlations.of(&points)) }
        };
        table.row(std::iter::once(method.title().to_string()).chain(columns.iter().map(&mut cell)).collect());
    }
    Some(table)
}

/// A rank correlation with its interval, in words.
pub(super) fn correlation(found: Option<RankCorrelation>) -> String {
    match found {
        None => "undefined".into(),
        Some(RankCorrelation { value, interval: Some((low, high)) }) => format!("{value:.2} [{low:.2}, {high:.2}]"),
        Some(RankCorrelation { value, interval: None }) => format!("{value:.2}"),
    }
}

fn correlations(records: &[Record], kernel: Kernel, seed: u64, text: &mut String) {
    let Some(table) = correlation_table(records, seed) else { return };
    let run = records.iter().find_map(Record::training).expect("a correlation is of trained networks");
    let (of_training, evaluated) = (run.normalisation.title(), evaluated(run));
    let of = match kernel {
        Kernel::Nngp => "",
        _ => " of the tangent kernel",
    };
    let _ = writeln!(
        text,
        "## Does the distance{of} predict the {evaluated} error?\n\nSpearman's rank correlation of distance and mean {evaluated} error over {} widths of \
         the sparse family, with its 95 % interval (treating these widths as a sample from a population with normal rank \
         dependence). A value of 1 means that both orders agree. Each column takes the distance under one normalisation, by its \
         mean or its median over pairs; the networks were trained under {of_training} throughout.\n\n{table}",
        accuracies(records, Family::Sparse).len()
    );
}
