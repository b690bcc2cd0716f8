//! How well predictors choose the width, over several settings: data sets, normalisations and budgets.

use std::fmt::Write;

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::predictors::{Regret, TrainedWidths, scores};
use super::table::{Table, counted};
use crate::error::{Error, Result};
use crate::numeric::bootstrap::mean_interval_95;
use crate::numeric::statistics::{mean, standard_error};
use crate::study::Record;

/// The records of one setting, in which networks of one budget were trained and their errors predicted.
#[derive(Clone, Debug)]
pub struct ComparedSetting {
    data: String,
    normalisation: String,
    weights: usize,
    trained: TrainedWidths,
    last_epoch: bool,
    /// What following each predictor costs, by its name.
    regrets: Vec<(String, Regret)>,
}

impl ComparedSetting {
    /// Takes the records of a study.
    ///
    /// # Errors
    /// Where fewer than three widths were trained, or nothing was predicted.
    pub fn new(records: &[Record]) -> Result<Self> {
        Self::of(records, false)
    }

    /// The same by the accuracies after the last epoch instead of the best ones.
    ///
    /// # Errors
    /// As [`ComparedSetting::new`].
    pub fn of_last_epoch(records: &[Record]) -> Result<Self> {
        Self::of(records, true)
    }

    fn of(records: &[Record], last_epoch: bool) -> Result<Self> {
        let lacking = |what: &str| Error::failure("comparing predictors", what);
        let trained =
            TrainedWidths::of(records, last_epoch).ok_or_else(|| lacking("it has fewer than three trained widths"))?;
        let first = records.iter().find_map(Record::prediction);
        let first = first.ok_or_else(|| lacking("it has no predictions"))?;
        let weights = records.iter().filter_map(Record::training).map(|run| run.weights).max();
        let regrets =
            scores(records).into_iter().filter_map(|score| trained.regret(&score).map(|regret| (score.name, regret)));
        Ok(Self {
            data: first.data.clone(),
            normalisation: first.normalisation.name().into(),
            weights: weights.expect("three widths were trained"),
            regrets: regrets.collect(),
            trained,
            last_epoch,
        })
    }

    fn name(&self) -> String {
        format!("{}, {}, {}", self.data, self.normalisation, self.weights)
    }

    fn regret(&self, predictor: &str) -> Option<&Regret> {
        self.regrets.iter().find(|(name, _)| name == predictor).map(|(_, regret)| regret)
    }
}

/// The predictors that every setting has, in the order of the records.
fn common(settings: &[&ComparedSetting]) -> Vec<String> {
    let Some(first) = settings.first() else { return Vec::new() };
    let everywhere = |name: &&String| settings.iter().all(|setting| setting.regret(name).is_some());
    first.regrets.iter().map(|(name, _)| name).filter(everywhere).cloned().collect()
}

/// Settings from which on an interval over them says something.
const FEWEST: usize = 6;

fn interval(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    mean_interval_95(values, seed).filter(|_| values.len() >= FEWEST)
}

/// A mean with its interval over settings.
fn with_interval(values: &[f64], seed: u64) -> String {
    match interval(values, seed) {
        Some((low, high)) => format!("{:.4} [{low:.4}, {high:.4}]", mean(values)),
        None => format!("{:.4}", mean(values)),
    }
}

/// A row per predictor, by rising mean regret: regret over settings, how much more that is than the first row's,
/// setting by setting, how often it names the best width, and its rank correlation with the trained error.
#[must_use]
pub fn regret_table(settings: &[&ComparedSetting], seed: u64) -> Table {
    let mut table = Table::new(&[
        "predictor",
        "mean regret",
        "more than the first",
        "worst regret",
        "named the best",
        "mean rank correlation",
        "worst",
    ]);
    let mut all: Vec<(String, Vec<&Regret>)> = (common(settings).into_iter())
        .map(|name| {
            let regrets = settings.iter().filter_map(|setting| setting.regret(&name)).collect();
            (name, regrets)
        })
        .collect();
    let regrets = |found: &[&Regret]| found.iter().map(|found| found.regret).collect::<Vec<f64>>();
    all.sort_by(|a, b| mean(&regrets(&a.1)).total_cmp(&mean(&regrets(&b.1))));
    for (place, (name, found)) in all.iter().enumerate() {
        let regrets = regrets(found);
        let more: Vec<f64> = regrets.iter().zip(&all[0].1).map(|(regret, first)| regret - first.regret).collect();
        let correlations: Option<Vec<f64>> = found.iter().map(|found| found.correlation).collect();
        let hits = regrets.iter().filter(|regret| **regret == 0.0).count();
        table.row(vec![
            name.clone(),
            with_interval(&regrets, seed),
            if place == 0 { "-".into() } else { with_interval(&more, seed) },
            format!("{:.4}", regrets.iter().copied().fold(0.0, f64::max)),
            format!("{hits} of {}", regrets.len()),
            correlations.as_deref().map_or("-".into(), |values| match interval(values, seed) {
                Some((low, high)) => format!("{:.2} [{low:.2}, {high:.2}]", mean(values)),
                None => format!("{:.2}", mean(values)),
            }),
            correlations
                .map_or("-".into(), |values| format!("{:.2}", values.iter().copied().fold(f64::INFINITY, f64::min))),
        ]);
    }
    table
}

/// A row per setting: its best width, and for some predictors the width that each names and its regret.
#[must_use]
pub fn settings_table(settings: &[&ComparedSetting], predictors: &[String]) -> Table {
    let heads: Vec<&str> =
        ["setting", "best width", "accuracy"].into_iter().chain(predictors.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    for setting in settings {
        let (width, runs) = setting.trained.best();
        let error = standard_error(runs).map_or(String::new(), |error| format!(" ± {error:.4}"));
        let mut row = vec![setting.name(), width.to_string(), format!("{:.4}{error}", mean(runs))];
        row.extend(predictors.iter().map(|name| {
            setting.regret(name).map_or("-".into(), |found| {
                let error = found.error.filter(|error| *error > 0.0).map_or(String::new(), |e| format!(" ± {e:.4}"));
                format!("{}: {:.4}{error}", found.width, found.regret)
            })
        }));
        table.row(row);
    }
    table
}

/// The predictors that the table of settings and the picture show.
const SHOWN: [&str; 7] = [
    "NTK (tau = 1) regression, leave-one-out squared error",
    "NTK (tau = 1) regression",
    "NTK (tau = p) regression",
    "NNGP regression",
    "NNGP distance, mean",
    "Eq. (4)",
    "16 times the narrowest",
];

fn shown(settings: &[&ComparedSetting]) -> Vec<String> {
    common(settings).into_iter().filter(|name| SHOWN.contains(&name.as_str())).collect()
}

/// Mean regret against the budget, a line per predictor; none with fewer than two budgets.
#[must_use]
pub fn regret_chart(settings: &[&ComparedSetting]) -> Option<Chart> {
    let mut budgets: Vec<usize> = settings.iter().map(|setting| setting.weights).collect();
    budgets.sort_unstable();
    budgets.dedup();
    if budgets.len() < 2 {
        return None;
    }
    let styles = [1, 2, 5, 4, 0, 3, 7];
    let series = shown(settings).into_iter().zip(styles).map(|(name, style)| ChartSeries {
        points: (budgets.iter())
            .map(|weights| {
                let of_budget = settings.iter().filter(|setting| setting.weights == *weights);
                let regrets: Vec<f64> =
                    of_budget.filter_map(|setting| setting.regret(&name)).map(|found| found.regret).collect();
                ChartPoint { x: *weights as f64, y: mean(&regrets), interval: None }
            })
            .collect(),
        label: name,
        style,
        line: Line::Solid,
        marked: true,
        right: false,
    });
    Some(Chart {
        title: format!("What a predictor's choice of width costs, mean over {} settings", settings.len()),
        x_label: "weights".into(),
        x_ticks: budgets.iter().map(|weights| *weights as f64).collect(),
        y_label: "mean regret (test accuracy)".into(),
        y_scale: Scale::Linear,
        shares: true,
        note: String::new(),
        right_label: String::new(),
        series: series.collect(),
    })
}

/// The comparison in Markdown: over the settings of each data set, over all, and setting by setting.
#[must_use]
pub fn comparison_text(settings: &[ComparedSetting], seed: u64) -> String {
    let all: Vec<&ComparedSetting> = settings.iter().collect();
    let mut text = String::new();
    let mut sets: Vec<&str> = Vec::new();
    for setting in &all {
        if !sets.contains(&setting.data.as_str()) {
            sets.push(&setting.data);
        }
    }
    let mut section = |title: &str, of: &[&ComparedSetting]| {
        let _ = writeln!(text, "### {title}, {}\n\n{}", counted(of.len(), "setting"), regret_table(of, seed));
    };
    for set in &sets {
        section(set, &all.iter().copied().filter(|setting| setting.data == *set).collect::<Vec<_>>());
    }
    if sets.len() > 1 {
        section("All", &all);
    }
    let _ = writeln!(
        text,
        "Accuracies are those {}. Regret is the best mean test accuracy over the trained widths, less that of the width that the predictor names. Of a group of \
         settings, a predictor is left out that has no number in one of them. Intervals over settings are by the expanded percentile bootstrap. By simulation they cover 87 to 95 % of means of 8 values and 91 to 95 % of \
         means of 16, not always 95 %.\n\n### Setting by setting\n\nThe width that each names, and its regret ± standard error over \
         runs.\n\n{}",
        match all.first() {
            Some(setting) if setting.last_epoch => "after the last epoch",
            _ => "of the best epoch, which is chosen on the test samples, as in the paper",
        },
        settings_table(&all, &shown(&all))
    );
    text
}
