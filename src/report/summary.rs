//! Tables of records, and the summary of a figure in words.

use std::fmt::Write;

use super::Statistic;
use super::assumptions::{assumptions, law_of_training};
use super::figure::{
    accuracies, best_accuracies, distances, evaluated, repeats_widths, statistic_of, trained_name, trained_networks,
};
use super::table::Table;
use crate::data::Normalisation;
use crate::statistics::{confidence_95, mean, spearman, spearman_interval};
use crate::study::{DistanceMethod, DistanceRecord, Family, Record, TrainingRecord};

/// Resamples of the bootstrap interval of a rank correlation.
pub(super) const RESAMPLES: usize = 10_000;

/// The normalisations that occur in distance records, in their order.
fn normalisations(records: &[Record]) -> Vec<Normalisation> {
    let mut found = Vec::new();
    for record in records.iter().filter_map(Record::distance) {
        if !found.contains(&record.normalisation) {
            found.push(record.normalisation);
        }
    }
    found
}

/// A network by its width, and its connectivity where that is needed.
fn network_name(records: &[Record], record: &DistanceRecord) -> String {
    let DistanceRecord { width, connectivity, .. } = record;
    if repeats_widths(records) { format!("n = {width}, p = {}", connectivity.get()) } else { format!("n = {width}") }
}

fn methods_of(records: &[Record], normalisation: Normalisation) -> Vec<DistanceMethod> {
    DistanceMethod::ALL.into_iter().filter(|method| !distances(records, normalisation, *method).is_empty()).collect()
}

/// Distances under one normalisation: a row per method, a column per width; the mean or median over pairs, the mean with half its
/// 95 % interval where it is estimated, or a question mark where the draws do not tell it.
pub fn distance_table(records: &[Record], normalisation: Normalisation, statistic: Statistic) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods.retain(|method| {
        distances(records, normalisation, *method).iter().any(|record| statistic_of(record, statistic).is_some())
    });
    let mut table = table_by_network("method", records, normalisation, &methods);
    for method in methods {
        let mut row = vec![method.title().to_string()];
        for record in distances(records, normalisation, method) {
            let Some((value, interval)) = statistic_of(record, statistic) else {
                row.push("-".into());
                continue;
            };
            row.push(match interval.filter(|_| statistic == Statistic::Mean) {
                // Known without any draw: no interval is due.
                _ if record.empty_layers.is_some() => format!("{value:.2e} (no weight)"),
                Some((_, high)) => format!("{value:.2e} ± {:.0e}", high - value),
                None if record.mean_error_samples.is_some() && statistic == Statistic::Mean => {
                    format!("{value:.2e} ± ?")
                }
                None => format!("{value:.2e}"),
            });
        }
        table.row(row);
    }
    table
}

/// Bias^2 and variance / n under one normalisation, means over pairs with their errors where those are known: two rows a method.
pub fn parts_table(records: &[Record], normalisation: Normalisation) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods
        .retain(|method| distances(records, normalisation, *method).iter().any(|record| record.bias_squared.is_some()));
    let mut table = table_by_network("part", records, normalisation, &methods);
    for method in methods {
        let found = distances(records, normalisation, method);
        let cell = |record: &DistanceRecord, value: Option<f64>, error: Option<f64>, unit: f64| match (value, error) {
            (Some(value), _) if record.empty_layers.is_some() => format!("{:.2e} (no weight)", value / unit),
            (Some(value), Some(error)) => format!("{:.2e} ± {:.0e}", value / unit, error / unit),
            (Some(value), None) => format!("{:.2e}", value / unit),
            (None, _) => "-".into(),
        };
        let bias = found.iter().map(|record| cell(record, record.bias_squared, record.bias_squared_error, 1.0));
        let variance =
            found.iter().map(|record| cell(record, record.variance, record.variance_error, record.width as f64));
        let title = |part: &str| format!("{part}, {}", method.title());
        table.row(std::iter::once(title("bias^2")).chain(bias).collect());
        table.row(std::iter::once(title("variance / n")).chain(variance).collect());
    }
    table
}

/// The mean distance over the pairs of an input with itself, with its standard error, where networks are drawn over all pairs.
pub fn diagonal_table(records: &[Record], normalisation: Normalisation) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods.retain(|method| *method == DistanceMethod::SampledAll);
    let mut table = table_by_network("method", records, normalisation, &methods);
    for method in methods {
        let found = distances(records, normalisation, method);
        let cells = found.iter().map(|record| match (record.diagonal, record.diagonal_error) {
            (Some(mean), Some(error)) => format!("{mean:.2e} ± {error:.0e}"),
            (Some(mean), None) => format!("{mean:.2e}"),
            (None, _) => "-".into(),
        });
        table.row(std::iter::once(method.title().to_string()).chain(cells).collect());
    }
    table
}

/// A table without rows, of a column called `first` and one a network.
fn table_by_network(
    first: &str,
    records: &[Record],
    normalisation: Normalisation,
    methods: &[DistanceMethod],
) -> Table {
    let mut heads = vec![first.to_string()];
    if let Some(method) = methods.first() {
        let found = distances(records, normalisation, *method);
        heads.extend(found.iter().map(|record| network_name(records, record)));
    }
    Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Training runs: a row per network, accuracies as means over the runs that have one (not those that diverged before it) with half their
/// 95 % intervals.
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
    for family in Family::ALL {
        let mut of_family: Vec<_> = networks.iter().filter(|runs| runs[0].family == family).collect();
        of_family.sort_by_key(|runs| runs[0].width);
        for runs in of_family {
            let first = runs[0];
            let values = |value: &dyn Fn(&TrainingRecord) -> Option<f64>| {
                runs.iter().filter_map(|run| value(run)).collect::<Vec<_>>()
            };
            table.row(vec![
                format!("{}{}", trained_name(first), dead_runs(&runs)),
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
    let why = first.empty_layers.as_ref().map_or(String::new(), |layers| format!("layer {layers} has no weight: "));
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

/// The summary of a figure in Markdown: what was done, the tables, where the minimum lies under each method, and the rank
/// correlation of distance and test error over the widths of the sparse family.
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
    for normalisation in normalisations(records) {
        let name = normalisation.title();
        let _ = writeln!(
            text,
            "## Distance, {name}\n\nMean over pairs; ± half the 95 % interval on these pairs, over initialisations, or the error bound of Theorem 1; ± ? where a long tail leaves it unknown.\n\n{}",
            distance_table(records, normalisation, Statistic::Mean)
        );
        let _ = writeln!(
            text,
            "Median over pairs (of sampled networks: of each pair's mean over few initialisations, which lies low).\n\n{}",
            distance_table(records, normalisation, Statistic::Median)
        );
        text += &assumptions(records, normalisation);
        agreement(records, normalisation, &mut text);
        minima(records, normalisation, &mut text);
    }
    correlations(records, seed, &mut text);
    text
}

pub(super) fn provenance(records: &[Record], text: &mut String) {
    let mut distances = records.iter().filter_map(Record::distance);
    if let Some(record) = distances.find(|record| record.method == DistanceMethod::Sampled) {
        let _ = writeln!(
            text,
            "Distances on {} (SHA-256 {}), {} random pairs, {} or more initialisations of networks with {} masks and {} weights \
             (variance {:.4} sigma^2; theory scaled to it), reference kernel {}, seed {}. sparsewidth {}.\n",
            record.data,
            record.checksum,
            record.pairs,
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
             parametrisation, {} biases, {} epochs, batch {}, plain SGD, seed {}. sparsewidth {}.\n",
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
            run.epochs,
            run.batch,
            run.seed,
            run.version
        );
    }
}

/// Sampled networks against Theorem 1 on the same pairs, in standard errors.
fn agreement(records: &[Record], normalisation: Normalisation, text: &mut String) {
    let sampled = distances(records, normalisation, DistanceMethod::Sampled);
    let of_masks = distances(records, normalisation, DistanceMethod::Theorem1Masks);
    let bernoulli = distances(records, normalisation, DistanceMethod::Theorem1);
    let theory = if of_masks.is_empty() { bernoulli } else { of_masks };
    let mut table = Table::new(&["network", "sampled - Theorem 1", "standard error", "in standard errors"]);
    let mut any = false;
    for (sampled, theory) in sampled.iter().zip(&theory) {
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

/// Spearman's rank correlation of distance and mean test error over the widths of the sparse family, with its 95 % bootstrap interval
/// (10,000 resamples of the widths, and of the runs within them): a row per method, a column per normalisation and statistic over pairs.
/// None with fewer than three trained widths, or without distances.
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
    for method in DistanceMethod::ALL.into_iter().filter(recorded) {
        let cell = |(normalisation, statistic): &(Normalisation, Statistic)| {
            let points: Vec<(f64, Vec<f64>)> = distances(records, *normalisation, method)
                .iter()
                .filter_map(|record| {
                    let (_, runs) = accuracies.iter().find(|(width, _)| *width == record.width)?;
                    let errors = runs.iter().map(|accuracy| 1.0 - accuracy).collect();
                    Some((statistic_of(record, *statistic)?.0, errors))
                })
                .collect();
            if points.is_empty() {
                return "-".into();
            }
            let (first, second): (Vec<f64>, Vec<f64>) =
                points.iter().map(|(distance, errors)| (*distance, mean(errors))).unzip();
            match (spearman(&first, &second), spearman_interval(&points, RESAMPLES, seed)) {
                (Some(value), Some((low, high))) => format!("{value:.2} [{low:.2}, {high:.2}]"),
                (Some(value), None) => format!("{value:.2}"),
                (None, _) => "undefined".into(),
            }
        };
        table.row(std::iter::once(method.title().to_string()).chain(columns.iter().map(cell)).collect());
    }
    Some(table)
}

fn correlations(records: &[Record], seed: u64, text: &mut String) {
    let Some(table) = correlation_table(records, seed) else { return };
    let Some(run) = records.iter().find_map(Record::training) else { return };
    let (of_training, evaluated) = (run.normalisation.title(), evaluated(run));
    let _ = writeln!(
        text,
        "## Does the distance predict the {evaluated} error?\n\nSpearman's rank correlation of distance and mean {evaluated} error over {} widths of \
         the sparse family, with the 95 % bootstrap interval (widths resampled, and runs within them; {RESAMPLES} resamples). 1: the \
         order by distance is the order by {evaluated} error. A column is a normalisation under which the distance is taken, and whether its \
         mean or median over pairs; the networks were trained under {of_training} throughout.\n\n{table}",
        accuracies(records, Family::Sparse).len()
    );
}
