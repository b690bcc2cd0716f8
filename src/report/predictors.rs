//! What is to tell the best width before any training, and how well it does.

use super::Statistic;
use super::figure::{distances, of_kernel, statistic_of, trained_networks};
use crate::data::Normalisation;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::numeric::statistics::{mean, spearman, standard_error};
use crate::study::{DistanceMethod, DistanceRecord, Family, KernelSource, PredictionRecord, Record, TrainingRecord};

/// A number for each width, of which the least names the best width.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// What it is.
    pub name: String,
    /// By width, in increasing order; infinite where there is no number.
    pub values: Vec<(usize, f64)>,
    /// Whether it always names one width, whatever the data.
    pub is_baseline: bool,
}

/// The accuracies of the runs of the trained networks of a budget, by width.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedWidths(Vec<(usize, Vec<f64>)>);

/// What following a score costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regret {
    /// The width that it names.
    pub width: usize,
    /// The best mean accuracy over widths, less that at this width.
    pub regret: f64,
    /// The standard error of the difference, from the runs of both widths; none of single runs.
    pub error: Option<f64>,
    /// Spearman's rank correlation of score and mean test error over widths; none for baselines.
    pub correlation: Option<f64>,
}

impl TrainedWidths {
    /// The sparse family's best accuracies over epochs, or the final ones; none with fewer than three widths. A run
    /// that diverged, so that it has no such accuracy, counts as a guess among the classes.
    #[must_use]
    pub fn of(records: &[Record], last_epoch: bool) -> Option<Self> {
        let networks = trained_networks(records);
        let accuracy = |run: &&TrainingRecord| {
            let found = if last_epoch { run.final_accuracy } else { run.finite_accuracy() };
            found.unwrap_or(1.0 / run.architecture.last().width() as f64)
        };
        let mut widths: Vec<(usize, Vec<f64>)> = (networks.iter())
            .filter(|runs| runs[0].family == Family::Sparse && !runs[0].validation)
            .map(|runs| (runs[0].width, runs.iter().map(accuracy).collect()))
            .collect();
        widths.sort_by_key(|(width, _)| *width);
        let is_distinct = widths.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (is_distinct && widths.len() >= 3).then_some(Self(widths))
    }

    /// The widths with their accuracies.
    pub fn accuracies(&self) -> &[(usize, Vec<f64>)] {
        &self.0
    }

    /// The width of the best mean accuracy, with its runs.
    #[must_use]
    pub fn best(&self) -> (usize, &[f64]) {
        let best = self.0.iter().max_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
        let (width, runs) = best.expect("there are three widths: checked where they are made");
        (*width, runs)
    }

    /// What following a score costs; none where it has no finite number for any trained width.
    #[must_use]
    pub fn regret(&self, score: &Score) -> Option<Regret> {
        let pairs: Vec<(f64, &(usize, Vec<f64>))> = (score.values.iter())
            .filter_map(|(width, value)| Some((*value, self.0.iter().find(|(trained, _)| trained == width)?)))
            .collect();
        let (least, (width, runs)) = pairs.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
        if !least.is_finite() {
            return None;
        }
        let (best, of_best) = self.best();
        let error = match *width == best {
            true => Some(0.0),
            false => standard_error(of_best).zip(standard_error(runs)).map(|(a, b)| a.hypot(b)),
        };
        let (values, errors): (Vec<f64>, Vec<f64>) =
            pairs.iter().map(|(value, (_, runs))| (*value, 1.0 - mean(runs))).unzip();
        let correlation = if score.is_baseline { None } else { spearman(&values, &errors) };
        Some(Regret { width: *width, regret: mean(of_best) - mean(runs), error, correlation })
    }
}

/// A kernel as scores name it.
pub(super) fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Nngp => "NNGP",
        Kernel::Ntk(Tangent::Standardised) => "NTK (tau = 1)",
        Kernel::Ntk(Tangent::Paper) => "NTK (tau = p)",
    }
}

/// The normalisation whose records are looked at: that of the training, or without training the first of the
/// predictions.
fn normalisation_of(records: &[Record]) -> Option<Normalisation> {
    let trained = records.iter().find_map(Record::training).map(|run| run.normalisation);
    trained.or_else(|| records.iter().find_map(Record::prediction).map(|record| record.normalisation))
}

/// The predictions in the order of widths.
pub(super) fn predictions(records: &[Record], source: KernelSource, kernel: Kernel) -> Vec<&PredictionRecord> {
    let normalisation = normalisation_of(records);
    let mut found: Vec<&PredictionRecord> = (records.iter())
        .filter_map(Record::prediction)
        .filter(|record| (record.source, record.kernel()) == (source, kernel))
        .filter(|record| Some(record.normalisation) == normalisation)
        .collect();
    found.sort_by_key(|record| record.width);
    found
}

/// The kernels of predictions, in the order of the records.
pub(super) fn predicted_kernels(records: &[Record]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for record in records.iter().filter_map(Record::prediction) {
        if !kernels.contains(&record.kernel()) {
            kernels.push(record.kernel());
        }
    }
    kernels
}

/// Every score that the records hold: predicted errors, what is known of the kernels that they come from, distances,
/// and baselines.
#[must_use]
pub fn scores(records: &[Record]) -> Vec<Score> {
    let mut scores = Vec::new();
    let mut add = |name: String, values: Vec<(usize, f64)>| {
        if !values.is_empty() && values.iter().any(|(_, value)| value.is_finite()) {
            scores.push(Score { name, values, is_baseline: false });
        }
    };
    let kernels = predicted_kernels(records);
    let of = |source, kernel, value: &dyn Fn(&PredictionRecord) -> Option<f64>| -> Vec<(usize, f64)> {
        let found = predictions(records, source, kernel);
        found.iter().filter_map(|record| Some((record.width?, value(record).unwrap_or(f64::INFINITY)))).collect()
    };
    for kernel in &kernels {
        let (name, drawn) = (kernel_name(*kernel), KernelSource::Drawn);
        add(format!("{name} regression"), of(drawn, *kernel, &|record| record.test_error));
        add(
            format!("{name} regression, leave-one-out squared error"),
            of(drawn, *kernel, &|record| record.leave_one_out_squared_error),
        );
        add(
            format!("{name} regression, infinite width, sparse"),
            of(KernelSource::MaskedLimit, *kernel, &|record| record.test_error),
        );
    }
    let Some(normalisation) = normalisation_of(records) else { return Vec::new() };
    for kernel in [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)] {
        let of_kernel = of_kernel(records, kernel);
        let method = [DistanceMethod::Theorem1, DistanceMethod::Sampled]
            .into_iter()
            .find(|method| !distances(&of_kernel, normalisation, *method).is_empty());
        for statistic in [Statistic::Mean, Statistic::Median] {
            let Some(method) = method else { continue };
            let found = distances(&of_kernel, normalisation, method);
            let value = |record: &&DistanceRecord| {
                (record.width, statistic_of(record, statistic).map_or(f64::INFINITY, |(value, _)| value))
            };
            add(format!("{} distance, {}", kernel_name(kernel), statistic.name()), found.iter().map(value).collect());
        }
        if kernel == Kernel::Nngp {
            let found = distances(&of_kernel, normalisation, DistanceMethod::Paper);
            add("Eq. (4)".into(), found.iter().map(|record| (record.width, record.mean)).collect());
        }
    }
    for kernel in &kernels {
        let (name, drawn) = (kernel_name(*kernel), KernelSource::Drawn);
        add(format!("{name}, condition number"), of(drawn, *kernel, &|record| record.condition_number));
        add(format!("{name}, effective rank"), of(drawn, *kernel, &|record| record.effective_rank.map(|rank| -rank)));
        add(format!("{name}, alignment"), of(drawn, *kernel, &|record| record.alignment.map(|value| -value)));
        let centred = |record: &PredictionRecord| record.centred_alignment.map(|value| -value);
        add(format!("{name}, centred alignment"), of(drawn, *kernel, &centred));
        let likelihood = |record: &PredictionRecord| record.log_marginal_likelihood.map(|value| -value);
        add(format!("{name}, marginal likelihood"), of(drawn, *kernel, &likelihood));
    }
    scores.extend(baselines(records));
    scores
}

/// The dense network, and the width nearest to 16 times its width.
fn baselines(records: &[Record]) -> Vec<Score> {
    let Some(trained) = TrainedWidths::of(records, false) else { return Vec::new() };
    let widths: Vec<usize> = trained.accuracies().iter().map(|(width, _)| *width).collect();
    let baseline = |name: &str, factor: usize| Score {
        name: name.into(),
        values: (widths.iter())
            .map(|width| (*width, ((*width as f64) / (widths[0] * factor) as f64).ln().abs()))
            .collect(),
        is_baseline: true,
    };
    vec![baseline("the narrowest, dense", 1), baseline("16 times the narrowest", 16)]
}
