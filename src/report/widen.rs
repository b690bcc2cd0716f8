//! The ways to widen at a fixed budget: test accuracy and kernel distance against width, and what they come to in
//! words.

use std::fmt::Write;

use super::Statistic;
use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::figure::{
    accuracies, accuracy_points, best_accuracies, evaluated, statistic_of, trained_name, trained_networks, with_ends,
};
use super::summary::{correlation, provenance, training_table};
use super::table::Table;
use crate::network::Activation;
use crate::numeric::rank::RankCorrelations;
use crate::numeric::statistics::{confidence_95, difference_of_means_95, mean};
use crate::study::{DistanceMethod, DistanceRecord, Family, Record, TrainingRecord};

/// The ways, with the style of each and what the paper found of it on ResNet-18 (arXiv 2010.14495, Section 2).
const WAYS: [(Family, usize, &str); 4] = [
    (Family::Sparse, 1, "helps most"),
    (Family::DeepSparse, 2, "(not among its ways)"),
    (Family::LinearBottleneck, 0, "helps up to a width, from a worse baseline"),
    (Family::NonlinearBottleneck, 3, "does not help"),
];

/// Mean best test accuracy against width with 95 % intervals over runs, a line per way, and the level of the dense base
/// network; none without training records.
pub fn widen_chart(records: &[Record]) -> Option<Chart> {
    let run = records.iter().find_map(Record::training)?;
    let mut series = Vec::new();
    for (family, style, _) in WAYS {
        let points = accuracy_points(&accuracies(records, family), |accuracy| accuracy);
        if !points.is_empty() {
            let label = family.title().into();
            series.push(ChartSeries { label, style, line: Line::Solid, marked: true, right: false, points });
        }
    }
    let x_ticks = ticks(&series);
    if let Some(base) = base(records).filter(|base| !best_accuracies(base).is_empty()) {
        let level = mean(&best_accuracies(&base));
        let abscissas = series.iter().flat_map(|series: &ChartSeries| series.points.iter().map(|point| point.x));
        let (first, last) = (abscissas.clone().fold(f64::INFINITY, f64::min), abscissas.fold(0.0, f64::max));
        if first < last {
            let points = [first, last].map(|x| ChartPoint { x, y: level, interval: None }).to_vec();
            let label = format!("dense, width {}", base[0].width);
            series.push(ChartSeries { label, style: 4, line: Line::Dashed, marked: false, right: false, points });
        }
    }
    (!series.is_empty()).then(|| Chart {
        title: format!(
            "Ways to widen at a fixed number of weights: {} training samples, {}",
            run.samples,
            run.normalisation.title()
        ),
        x_label: "width of the last hidden layer".into(),
        x_ticks,
        y_label: format!("best {} accuracy (mean, 95 % interval)", evaluated(run)),
        y_scale: Scale::Linear,
        shares: true,
        note: String::new(),
        right_label: String::new(),
        series,
    })
}

/// Kernel distance at initialisation against width, relative to the mean square of the infinite-width kernel, a colour
/// per way: of drawn networks with 95 % intervals over initialisations, and by theory, dashed, where there is one. None
/// without such records.
pub fn widen_distance_chart(records: &[Record]) -> Option<Chart> {
    let mut series = Vec::new();
    for (family, style, _) in WAYS {
        for method in [DistanceMethod::Sampled, DistanceMethod::Theorem1] {
            let point = |network: &Vec<&TrainingRecord>| {
                let record = distance_of(records, network[0], method)?;
                let (y, interval) = relative(record)?;
                Some(ChartPoint { x: record.width as f64, y, interval })
            };
            let mut points: Vec<ChartPoint> = of_family(records, family).iter().filter_map(point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            let sampled = method == DistanceMethod::Sampled;
            let line = if sampled { Line::None } else { Line::Dashed };
            if !points.is_empty() {
                let label = format!("{}, {}", family.title(), if sampled { "sampled" } else { "theory" });
                series.push(ChartSeries { label, style, line, marked: sampled, right: false, points });
            }
        }
    }
    let first = records.iter().find_map(Record::distance)?;
    (!series.is_empty()).then(|| Chart {
        title: format!("Kernel distance at initialisation, {}", first.normalisation.title()),
        x_label: "width of the last hidden layer".into(),
        x_ticks: ticks(&series),
        y_label: "mean squared distance / mean squared infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note: String::new(),
        right_label: String::new(),
        series,
    })
}

/// The comparison in Markdown: what was done; what each way gains over the dense base network at best, beside what the
/// paper found on ResNet-18; every network; and whether the kernel distance orders them as their test errors do.
#[must_use]
pub fn widen_summary(records: &[Record], seed: u64) -> String {
    let mut text = String::from("# Ways to widen at a fixed number of weights\n\n");
    provenance(records, &mut text);
    let mut table =
        Table::new(&["way", "narrowest", "accuracy", "best width", "accuracy", "gain over dense", "paper, ResNet-18"]);
    let base = base(records).map(|runs| (runs[0].width, best_accuracies(&runs))).filter(|(_, base)| !base.is_empty());
    for (family, _, found) in WAYS {
        let widths = accuracies(records, family);
        let best = widths.iter().max_by(|(_, a), (_, b)| mean(a).total_cmp(&mean(b)));
        if let (Some(narrowest), Some(best)) = (widths.first(), best) {
            let accuracy = |runs: &[f64]| match confidence_95(runs) {
                Some(reach) => format!("{:.4} ± {reach:.4}", mean(runs)),
                None => format!("{:.4}", mean(runs)),
            };
            let gain = match &base {
                Some((width, _)) if (family, best.0) == (Family::Sparse, *width) => "(the base)".into(),
                Some((_, base)) => gain(&best.1, base),
                None => "-".into(),
            };
            let (first, last) = (narrowest.0.to_string(), best.0.to_string());
            let name = family.title().to_string();
            table.row(vec![name, first, accuracy(&narrowest.1), last, accuracy(&best.1), gain, found.into()]);
        }
    }
    let _ = writeln!(
        text,
        "Mean best test accuracy over runs ± half the 95 % interval (Student's t); the gain is over the dense network of the same \
         budget, with the interval of a difference of independent means (Welch's). The best of several widths flatters every way a little.\n\n{table}"
    );
    let _ = writeln!(
        text,
        "## Networks\n\nWeights are those that are trained. A linear bottleneck of rank r has r^2 more than the budget, since its two \
         factors can change in that many ways without changing their product; at full rank the budget is that of the matrix before the split.\n\n{}",
        training_table(records)
    );
    distances(records, seed, &mut text);
    text
}

fn distances(records: &[Record], seed: u64, text: &mut String) {
    let mut table = Table::new(&["network", "sampled", "theory", "test error"]);
    let mut points = Vec::new();
    for (family, ..) in WAYS {
        let mut networks = of_family(records, family);
        networks.sort_by_key(|runs| runs[0].width);
        for runs in networks {
            let of = |method| distance_of(records, runs[0], method).and_then(relative);
            let Some((sampled, interval)) = of(DistanceMethod::Sampled) else { continue };
            let errors: Vec<f64> = best_accuracies(&runs).iter().map(|accuracy| 1.0 - accuracy).collect();
            table.row(vec![
                trained_name(runs[0]),
                match interval {
                    Some(ends) => with_ends(sampled, ends),
                    None => format!("{sampled:.2e}"),
                },
                of(DistanceMethod::Theorem1).map_or("-".into(), |(value, _)| format!("{value:.2e}")),
                if errors.is_empty() { "-".into() } else { format!("{:.4}", mean(&errors)) },
            ]);
            if !errors.is_empty() {
                points.push((sampled, errors));
            }
        }
    }
    if points.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "## Kernel distance at initialisation\n\nMean squared distance to the infinite-width kernel over the mean square of that kernel, \
         with its 95 % interval over initialisations; the kernel is that of one hidden layer, or of two where a ReLU layer comes first. Masks and weights \
         are the theory's, Bernoulli and Gaussian; theory is Theorem 1, and its form for a linear bottleneck, which is unbiased at any rank \
         but keeps a variance that no width removes.\n\n{table}"
    );
    let points: Vec<(f64, f64)> = points.iter().map(|(distance, errors)| (*distance, mean(errors))).collect();
    let _ = writeln!(
        text,
        "Spearman's rank correlation of that distance and the mean test error over all {} networks: {} (95 % interval, treating these \
         networks as a sample from a population with normal rank dependence). A value of 1 means that both orders agree.",
        points.len(),
        correlation(RankCorrelations::new(seed).of(&points))
    );
}

/// The runs of each network of a family.
fn of_family(records: &[Record], family: Family) -> Vec<Vec<&TrainingRecord>> {
    let mut networks = trained_networks(records);
    networks.retain(|runs| runs[0].family == family);
    networks
}

/// The runs of the dense network of one hidden layer that keeps the budget, where there is one.
fn base(records: &[Record]) -> Option<Vec<&TrainingRecord>> {
    let is_base = |run: &TrainingRecord| run.connectivity.is_dense() && run.activation == Activation::Relu;
    of_family(records, Family::Sparse).into_iter().find(|runs| is_base(runs[0]))
}

/// The distance of a trained network by a method.
fn distance_of<'a>(records: &'a [Record], run: &TrainingRecord, method: DistanceMethod) -> Option<&'a DistanceRecord> {
    let hidden = run.network().kernel_network().architecture;
    records
        .iter()
        .filter_map(Record::distance)
        .find(|record| record.method == method && record.architecture.is_like(&hidden))
}

/// A mean distance in units of the squared infinite-width kernel, with its 95 % interval over initialisations where it
/// is known.
fn relative(record: &DistanceRecord) -> Option<(f64, Option<(f64, f64)>)> {
    let unit = record.reference_square.filter(|square| *square > 0.0)?;
    let (value, interval) = statistic_of(record, Statistic::Mean)?;
    let interval = interval.filter(|_| record.method.draws_networks());
    Some((value / unit, interval.map(|(low, high)| (low / unit, high / unit))))
}

/// The difference of two means, with half its 95 % interval.
fn gain(runs: &[f64], base: &[f64]) -> String {
    match difference_of_means_95(runs, base) {
        (difference, Some(reach)) => format!("{difference:+.4} ± {reach:.4}"),
        (difference, None) => format!("{difference:+.4}"),
    }
}

/// The abscissas of some series.
fn ticks(series: &[ChartSeries]) -> Vec<f64> {
    series.iter().flat_map(|series| series.points.iter().map(|point| point.x)).collect()
}
