//! The search for learning rates, as a table and a picture.

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::summary::four_digits;
use super::table::{Table, counted};
use crate::study::{TrainedNetwork, Trial, TuneReport};

fn name(network: &TrainedNetwork) -> String {
    let (_, before) = network.architecture.before_last().split_last().expect("a network to train has a hidden layer");
    let before: String = before.iter().map(|layer| format!(" after {}", layer.width())).collect();
    format!("{} {}{before}", network.family.title(), network.hidden().width())
}

/// A row per network: its best rate and what that came to.
pub fn tune_table(report: &TuneReport) -> Table {
    let mut table = Table::new(&["network", "connectivity", "rate", "validation error", "runs", "rates tried", "note"]);
    for tuned in &report.tuned {
        let network = &tuned.best.network;
        let tried = report.tried.iter().filter(|tried| same_network(tried, network));
        let mut rates: Vec<f64> = tried.map(|tried| tried.network.learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let error = match tuned.best.standard_error {
            Some(error) => format!("{:.4} ± {error:.4}", tuned.best.error),
            None => format!("{:.4}", tuned.best.error),
        };
        table.row(vec![
            name(network),
            format!("{:.3e}", network.hidden().connectivity().get()),
            four_digits(network.learning_rate),
            error,
            tuned.best.runs.to_string(),
            rates.len().to_string(),
            match (tuned.best.diverged, tuned.best.runs) {
                (0, _) if tuned.at_end => "best rate lies on the edge of the search range; extend it".into(),
                (0, _) => String::new(),
                (diverged, runs) if diverged == runs => "no rate: every run diverged; search lower rates".into(),
                (diverged, runs) => format!("{diverged} of {runs} runs diverged"),
            },
        ]);
    }
    table
}

fn same_network(tried: &Trial, network: &TrainedNetwork) -> bool {
    tried.network.with_rate(network.learning_rate) == *network
}

/// Validation error against learning rate: for each network the rates that were trained to the end, with two standard
/// errors, and, dashed, all those of the first stage.
pub fn tune_chart(report: &TuneReport) -> Chart {
    let last = report.tried.iter().map(|tried| tried.stage).max().unwrap_or(0);
    let mut series = Vec::new();
    for (style, tuned) in report.tuned.iter().enumerate() {
        for (stage, line) in [(last, Line::Solid), (0, Line::Dashed)].into_iter().take(1 + last.min(1)) {
            let of =
                report.tried.iter().filter(|tried| tried.stage == stage && same_network(tried, &tuned.best.network));
            let point = |tried: &Trial| ChartPoint {
                x: tried.network.learning_rate,
                y: tried.error,
                interval: tried.standard_error.map(|error| (tried.error - 2.0 * error, tried.error + 2.0 * error)),
            };
            let mut points: Vec<ChartPoint> = of.clone().map(point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            let epochs = of.clone().next().map_or(0, |tried| tried.epochs);
            let label = format!("{}, {}", name(&tuned.best.network), counted(epochs, "epoch"));
            series.push(ChartSeries { label, style, line, marked: line == Line::Solid, right: false, points });
        }
    }
    let mut x_ticks: Vec<f64> =
        report.tried.iter().filter(|tried| tried.stage == 0).map(|tried| tried.network.learning_rate).collect();
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    Chart {
        title: format!(
            "Learning rates: validation error, {}, {}",
            report.spec.training.normalisation.title(),
            counted(report.spec.training.epochs, "epoch")
        ),
        x_label: "learning rate".into(),
        x_ticks,
        y_label: "validation error (mean, two standard errors; diverged: 1)".into(),
        y_scale: Scale::Logarithmic,
        shares: true,
        note: String::new(),
        right_label: String::new(),
        series,
    }
}
