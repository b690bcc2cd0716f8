//! The width of the least predicted error, as a table and a picture.

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::predictors::kernel_name;
use super::table::Table;
use crate::study::{PredictedOptimum, PredictedPoint};

/// A row per width that was searched.
#[must_use]
pub fn predicted_optimum_table(report: &PredictedOptimum) -> Table {
    let mut table = Table::new(&["width", "connectivity", "weights per row", "predicted error", "above the least"]);
    for point in &report.curve {
        let p = point.connectivity.get();
        let excess = match point.width == report.width {
            true => "least".into(),
            false => format!("{:.4} ± {:.4}", point.excess, point.excess_error),
        };
        table.row(vec![
            point.width.to_string(),
            format!("{p:.4}"),
            format!("{:.2}", p * report.dimension as f64),
            format!("{:.4}", point.error),
            excess,
        ]);
    }
    table
}

/// The best width, its uncertainty and how flat the minimum is, in words.
#[must_use]
pub fn predicted_optimum_words(report: &PredictedOptimum) -> String {
    let spec = &report.by;
    let (low, high) = report.interval;
    let (first, last) = report.alike;
    let point = report.curve.iter().find(|point| point.width == report.width);
    let error = point.map_or(f64::NAN, |point| point.error);
    let end = if report.at_end { ", the end of the search" } else { "" };
    let flat = match first == last {
        true => "Every other width that was tried is worse by more than two standard errors.".to_string(),
        false => format!(
            "The errors of some widths from {first} to {last} cannot be distinguished from its own: they exceed it by at most two standard errors."
        ),
    };
    let over =
        if spec.initialisations > 1 { "samples and networks" } else { "samples alone, since one network was drawn" };
    format!(
        "{} regression names width {}{end}: predicted error {error:.4}, {} weights, {}. In 95 % of \
         bootstrap resamples the best width is from {low} to {high}. {flat}\nThe error is the share of {} training samples that ridge regression on all the others puts in a wrong class, mean over {} \
         drawn networks of each width; no network was trained, and no test sample used. ± is a standard error, by the bootstrap over \
         {over}.",
        kernel_name(spec.kernel),
        report.width,
        spec.weights,
        spec.normalisation.title(),
        report.by.samples,
        spec.initialisations,
    )
}

/// Predicted error against width.
#[must_use]
pub fn predicted_optimum_chart(report: &PredictedOptimum) -> Chart {
    let point = |point: &PredictedPoint| {
        let reach = 2.0 * point.excess_error;
        let interval = (point.width != report.width).then_some((point.error - reach, point.error + reach));
        ChartPoint { x: point.width as f64, y: point.error, interval }
    };
    Chart {
        title: format!(
            "Error predicted by {} regression, {} weights, {}",
            kernel_name(report.by.kernel),
            report.by.weights,
            report.by.normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks: Vec::new(),
        y_label: "leave-one-out error".into(),
        y_scale: Scale::Linear,
        shares: true,
        note: "Error bars: two standard errors of the difference from the least.".into(),
        right_label: String::new(),
        series: vec![ChartSeries {
            label: format!(
                "{} regression, {} drawn networks",
                kernel_name(report.by.kernel),
                report.by.initialisations
            ),
            style: 1,
            line: Line::Solid,
            marked: true,
            right: false,
            points: report.curve.iter().map(point).collect(),
        }],
    }
}
