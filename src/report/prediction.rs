//! Predicted test errors of one setting: tables, a picture, and what each predictor would choose.

use std::fmt::Write;

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::figure::{accuracies, accuracy_points, evaluated};
use super::predictors::{TrainedWidths, kernel_name, predicted_kernels, predictions, scores};
use super::summary::{correlation, four_digits};
use super::table::Table;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::numeric::rank::RankCorrelations;
use crate::numeric::statistics::{confidence_95, mean, t_quantile_95};
use crate::study::{Family, KernelSource, PredictionRecord, Record};

/// Predicted test errors: a row per width, a column per kernel and source, and the trained error beside them. Means
/// over drawn networks or runs ± half the 95 % interval.
#[must_use]
pub fn prediction_table(records: &[Record]) -> Table {
    let columns = columns_of(records);
    let trained = accuracies(records, Family::Sparse);
    let titles = columns.iter().map(|(kernel, source)| match source {
        KernelSource::Drawn => kernel_name(*kernel).to_string(),
        _ => format!("{}, {}", kernel_name(*kernel), source.title()),
    });
    let mut heads: Vec<String> = ["width".to_string(), "connectivity".to_string()].into_iter().chain(titles).collect();
    if !trained.is_empty() {
        heads.push("trained".into());
    }
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let mut widths: Vec<usize> = (records.iter())
        .filter_map(|record| record.prediction()?.width)
        .chain(trained.iter().map(|(width, _)| *width))
        .collect();
    widths.sort_unstable();
    widths.dedup();
    for width in widths {
        let of_width = |(kernel, source): &(Kernel, KernelSource)| {
            predictions(records, *source, *kernel).into_iter().find(|record| record.width == Some(width))
        };
        let first = columns.iter().find_map(of_width);
        let mut row = vec![
            width.to_string(),
            first.and_then(|record| record.connectivity).map_or("-".into(), |p| format!("{:.3e}", p.get())),
        ];
        row.extend(columns.iter().map(|column| of_width(column).map_or("-".into(), error_of)));
        if !trained.is_empty() {
            let runs = trained.iter().find(|(of, _)| *of == width);
            row.push(runs.map_or("-".into(), |(_, accuracies)| {
                let error = 1.0 - mean(accuracies);
                confidence_95(accuracies).map_or(format!("{error:.4}"), |reach| format!("{error:.4} ± {reach:.4}"))
            }));
        }
        table.row(row);
    }
    table
}

/// The kernels and sources that depend on the width.
fn columns_of(records: &[Record]) -> Vec<(Kernel, KernelSource)> {
    let all = [KernelSource::Drawn, KernelSource::MaskedLimit];
    let of = |source: KernelSource| predicted_kernels(records).into_iter().map(move |kernel| (kernel, source));
    let has = |(kernel, source): &(Kernel, KernelSource)| !predictions(records, *source, *kernel).is_empty();
    all.into_iter().flat_map(of).filter(has).collect()
}

fn error_of(record: &PredictionRecord) -> String {
    match (record.test_error, half_interval(record)) {
        (Some(error), Some(reach)) => format!("{error:.4} ± {reach:.4}"),
        (Some(error), None) => format!("{error:.4}"),
        (None, _) => "-".into(),
    }
}

/// Half of the 95 % interval over drawn networks; none of fewer than three, whose spread says next to nothing.
fn half_interval(record: &PredictionRecord) -> Option<f64> {
    let degrees = record.initialisations.checked_sub(1).filter(|degrees| *degrees >= 2)?;
    Some(record.standard_error()? * t_quantile_95(degrees)?)
}

/// What else is known of the kernels: a row per width, of one kernel of drawn networks.
#[must_use]
pub fn spectrum_table(records: &[Record], kernel: Kernel) -> Table {
    let mut table = Table::new(&[
        "width",
        "ridge",
        "degrees of freedom",
        "leave-one-out error",
        "effective rank",
        "condition number",
        "alignment",
        "centred alignment",
        "log likelihood",
    ]);
    for record in predictions(records, KernelSource::Drawn, kernel) {
        let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
        table.row(vec![
            record.width.map_or("-".into(), |width| width.to_string()),
            record.ridge.map_or("-".into(), |ridge| {
                if (1e-4..1e5).contains(&ridge) { four_digits(ridge) } else { format!("{ridge:.1e}") }
            }),
            number(record.degrees_of_freedom, 0),
            number(record.leave_one_out_error, 4),
            number(record.effective_rank, 1),
            record.condition_number.map_or("singular".into(), |value| format!("{value:.1e}")),
            number(record.alignment, 3),
            number(record.centred_alignment, 3),
            number(record.log_marginal_likelihood, 3),
        ]);
    }
    table
}

/// What each score would choose, and how its order of the widths goes with the trained errors; none without three
/// trained widths.
#[must_use]
pub fn choice_table(records: &[Record], seed: u64) -> Option<Table> {
    let trained = TrainedWidths::of(records, false)?;
    let mut table = Table::new(&["predictor", "width", "regret", "rank correlation"]);
    let mut correlations = RankCorrelations::new(seed);
    for score in scores(records) {
        let Some(found) = trained.regret(&score) else { continue };
        let points: Vec<(f64, f64)> = (score.values.iter())
            .filter_map(|(width, value)| {
                let (_, runs) = trained.accuracies().iter().find(|(of, _)| of == width)?;
                Some((*value, 1.0 - mean(runs)))
            })
            .collect();
        let error = found.error.filter(|error| *error > 0.0).map_or(String::new(), |error| format!(" ± {error:.4}"));
        table.row(vec![
            score.name,
            found.width.to_string(),
            format!("{:.4}{error}", found.regret),
            match found.correlation {
                // Intervals over fewer widths hold nearly every correlation.
                Some(value) if points.len() < 5 => format!("{value:.2}"),
                Some(_) => correlation(correlations.of(&points)),
                None => "-".into(),
            },
        ]);
    }
    Some(table)
}

/// Predicted and trained test error against width; none without predictions.
#[must_use]
pub fn prediction_chart(records: &[Record]) -> Option<Chart> {
    let first = records.iter().find_map(Record::prediction)?;
    let mut series = Vec::new();
    let mut x_ticks: Vec<f64> = Vec::new();
    let style_of = |kernel: Kernel| match kernel {
        Kernel::Nngp => 4,
        Kernel::Ntk(Tangent::Standardised) => 1,
        Kernel::Ntk(Tangent::Paper) => 2,
    };
    for (kernel, source) in columns_of(records) {
        let point = |record: &&PredictionRecord| {
            let (width, error) = (record.width? as f64, record.test_error?);
            let interval = half_interval(record).map(|reach| (error - reach, error + reach));
            Some(ChartPoint { x: width, y: error, interval })
        };
        let points: Vec<ChartPoint> = predictions(records, source, kernel).iter().filter_map(point).collect();
        x_ticks.extend(points.iter().map(|point| point.x));
        let of = if source == KernelSource::Drawn { "" } else { ", infinite width, sparse" };
        series.push(ChartSeries {
            label: format!("{} regression{of}", kernel_name(kernel)),
            style: style_of(kernel),
            line: if source == KernelSource::Drawn { Line::Solid } else { Line::Dashed },
            marked: true,
            right: false,
            points,
        });
    }
    let trained = accuracies(records, Family::Sparse);
    if let Some(run) = records.iter().find_map(Record::training).filter(|_| !trained.is_empty()) {
        x_ticks.extend(trained.iter().map(|(width, _)| *width as f64));
        series.push(ChartSeries {
            label: format!("trained, best {} error", evaluated(run)),
            style: 5,
            line: Line::Solid,
            marked: true,
            right: false,
            points: accuracy_points(&trained, |accuracy| 1.0 - accuracy),
        });
    }
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let ends = x_ticks.first().copied().zip(x_ticks.last().copied());
    for kernel in predicted_kernels(records) {
        let limit = predictions(records, KernelSource::DenseLimit, kernel);
        if let (Some(error), Some((left, right))) = (limit.first().and_then(|record| record.test_error), ends) {
            let point = |x| ChartPoint { x, y: error, interval: None };
            series.push(ChartSeries {
                label: format!("{} regression, infinite width, dense", kernel_name(kernel)),
                style: style_of(kernel),
                line: Line::Dashed,
                marked: false,
                right: false,
                points: vec![point(left), point(right)],
            });
        }
    }
    let evaluated = if first.validation { "validation" } else { "test" };
    Some(Chart {
        title: format!(
            "{} {evaluated} error, {}, {} training samples, {}",
            if trained.is_empty() { "Predicted" } else { "Predicted and trained" },
            first.data,
            first.samples,
            first.normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: format!("{evaluated} error (mean, 95 % interval)"),
        // Kernels of the last layer alone predict several times the error of those of all layers.
        y_scale: Scale::Logarithmic,
        shares: false,
        note: String::new(),
        right_label: String::new(),
        series,
    })
}

/// The predictions in words and tables, for a summary.
#[must_use]
pub fn prediction_text(records: &[Record], seed: u64) -> String {
    let mut text = String::new();
    let Some(first) = records.iter().find_map(Record::prediction) else { return text };
    let evaluated = if first.validation { "validation" } else { "test" };
    let drawn = records.iter().filter_map(Record::prediction).find(|record| record.initialisations > 0);
    let networks = drawn.map_or(String::new(), |record| {
        format!(
            " Kernels are those of {} drawn networks of each width, {} weights{}.",
            record.initialisations,
            record.law.title(),
            if record.initialisations > 2 { "; mean ± half-width of its 95 % interval" } else { "" }
        )
    });
    let _ = writeln!(
        text,
        "## Predicted {evaluated} error\n\nKernel ridge regression on {} training samples, {}: no network is trained. The ridge is \
         chosen by leaving out one training sample at a time.{networks}{}\n\n{}",
        first.samples,
        first.normalisation.title(),
        if predicted_kernels(records).iter().any(|kernel| kernel.tangent().is_some()) {
            " The NTK is that of gradient descent on standardised weights (tau = 1) or on the paper's (tau = p)."
        } else {
            ""
        },
        prediction_table(records)
    );
    for kernel in predicted_kernels(records) {
        if let [limit, ..] = predictions(records, KernelSource::DenseLimit, kernel)[..] {
            let _ = writeln!(text, "{}, dense network of infinite width: {}\n", kernel_name(kernel), error_of(limit));
        }
    }
    for record in records.iter().filter_map(Record::prediction) {
        if let (Some(problem), Some(width)) = (&record.problem, record.width) {
            let name = kernel_name(record.kernel());
            let _ = writeln!(text, "No prediction by the expansion for the {name} at width {width}: {problem}.\n");
        }
    }
    for kernel in predicted_kernels(records) {
        let table = spectrum_table(records, kernel);
        if !table.is_empty() {
            let _ = writeln!(
                text,
                "{} of drawn networks. Ridge relative to the mean of the kernel's diagonal, geometric mean over networks; log \
                 likelihood per sample and output. A singular kernel's smallest eigenvalue is 0 up to rounding.\n\n{table}",
                kernel_name(kernel)
            );
        }
    }
    if let Some(table) = choice_table(records, seed) {
        let _ = writeln!(
            text,
            "### The width that each predictor chooses\n\nRegret: the best mean accuracy of the trained widths less that of the width \
             chosen, ± its standard error from the runs. Rank correlation: Spearman's, of the predictor and the trained {evaluated} error over \
             widths, with its 95 % interval.\n\n{table}"
        );
    }
    text
}
