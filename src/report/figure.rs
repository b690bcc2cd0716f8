//! The two panels of the figure: test accuracy, and kernel distance beside test error, against width.

use std::collections::HashSet;

use super::Statistic;
use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::table::counted;
use crate::data::Normalisation;
use crate::kernel::ntk::Kernel;
use crate::network::Activation;
use crate::numeric::statistics::{confidence_95, mean, t_quantile_95};
use crate::study::{DistanceMethod, DistanceRecord, Family, Record, TrainingRecord};

/// The training runs of each network, in the order of the records.
pub(super) fn trained_networks(records: &[Record]) -> Vec<Vec<&TrainingRecord>> {
    let mut networks: Vec<Vec<&TrainingRecord>> = Vec::new();
    for run in records.iter().filter_map(Record::training) {
        // Searches train one network for several times.
        let is_same = |other: &TrainingRecord| (other.network(), other.epochs) == (run.network(), run.epochs);
        match networks.iter_mut().find(|runs| is_same(runs[0])) {
            Some(runs) => runs.push(run),
            None => networks.push(vec![run]),
        }
    }
    networks
}

/// A trained network by its family and width, and by what else is not usual.
pub(super) fn trained_name(run: &TrainingRecord) -> String {
    let mut name = format!("{} {}", run.family.title(), run.width);
    if let [before @ .., _, _] = run.architecture.layers()
        && run.family != Family::DeepSparse
    {
        before.iter().for_each(|layer| name += &format!(" after {}", layer.width()));
    }
    if run.activation == Activation::Linear {
        name += " linear";
    }
    if !run.last_connectivity.is_dense() {
        name += &format!(", last {}", run.last_connectivity.get());
    }
    name
}

/// The best accuracies of each run of one family that has one, by width, but for widths without any; none where several
/// networks have one width.
pub(super) fn accuracies(records: &[Record], family: Family) -> Vec<(usize, Vec<f64>)> {
    let networks = trained_networks(records);
    let of_family = networks.iter().filter(|runs| runs[0].family == family);
    let mut widths: Vec<(usize, Vec<f64>)> = of_family.map(|runs| (runs[0].width, best_accuracies(runs))).collect();
    widths.sort_by_key(|(width, _)| *width);
    if widths.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Vec::new();
    }
    widths.retain(|(_, accuracies)| !accuracies.is_empty());
    widths
}

/// The best accuracies of the runs that have one: in which at least one epoch has finite losses.
pub(super) fn best_accuracies(runs: &[&TrainingRecord]) -> Vec<f64> {
    runs.iter().filter_map(|run| run.finite_accuracy()).collect()
}

/// What the evaluated samples of training records are called.
pub(super) fn evaluated(run: &TrainingRecord) -> &'static str {
    if run.validation { "validation" } else { "test" }
}

/// The records of one method under one normalisation, by width.
pub(super) fn distances(
    records: &[Record],
    normalisation: Normalisation,
    method: DistanceMethod,
) -> Vec<&DistanceRecord> {
    let mut found: Vec<&DistanceRecord> = records
        .iter()
        .filter_map(Record::distance)
        .filter(|record| record.normalisation == normalisation && record.method == method)
        .collect();
    found.sort_by_key(|record| record.width);
    found
}

/// Whether networks of one width but several connectivities were studied: then width alone does not tell them apart.
pub(super) fn repeats_widths(records: &[Record]) -> bool {
    let mut known = HashSet::new();
    let is_new = |record: &DistanceRecord| {
        known.insert((record.width, record.method.name(), record.normalisation.name(), record.kernel()))
    };
    !records.iter().filter_map(Record::distance).all(is_new)
}

/// A statistic of a distance with its 95 % interval: of the mean on the pairs taken, from the law of sampled networks
/// or the error of sampling masks where that can be trusted, or its numerical error where nothing was sampled; of the
/// median over all pairs of the data. A median of sampled networks is the one freed of its bias, where the record has
/// it.
///
/// None where the record does not have it.
pub(super) fn statistic_of(record: &DistanceRecord, statistic: Statistic) -> Option<(f64, Option<(f64, f64)>)> {
    match statistic {
        Statistic::Median => record.median.map(|median| {
            // Older records of sampled networks have an interval of the choice of pairs alone.
            let complete = !record.method.draws_networks() || record.median_corrected.is_some();
            let interval = record.median_low.zip(record.median_high).filter(|_| complete);
            (record.median_corrected.unwrap_or(median), interval)
        }),
        Statistic::Mean => {
            let error = record.mean_error_samples.filter(|_| record.has_reliable_error());
            // Where nothing was sampled the error is not a standard error: no factor.
            let factor = match record.method {
                method if method.draws_networks() => t_quantile_95(record.samples.saturating_sub(1)),
                _ if record.samples == 0 => Some(1.0),
                _ => t_quantile_95(1000),
            };
            let reach = error.zip(factor).map(|(error, factor)| error * factor);
            let around = reach.map(|reach| (record.mean - reach, record.mean + reach));
            Some((record.mean, record.mean_low.zip(record.mean_high).or(around)))
        }
    }
}

/// A number with its interval: `±` where that is symmetric.
pub(super) fn with_ends(value: f64, (low, high): (f64, f64)) -> String {
    let (below, above) = (value - low, high - value);
    if (below - above).abs() <= 0.01 * (below + above) {
        format!("{value:.2e} ± {above:.0e}")
    } else {
        format!("{value:.2e} [{low:.1e}, {high:.1e}]")
    }
}

pub(super) fn accuracy_points(widths: &[(usize, Vec<f64>)], value: impl Fn(f64) -> f64) -> Vec<ChartPoint> {
    let point = |(width, runs): &(usize, Vec<f64>)| {
        let center = mean(runs);
        let interval = confidence_95(runs).map(|reach| (value(center - reach), value(center + reach)));
        ChartPoint { x: *width as f64, y: value(center), interval }
    };
    widths.iter().map(point).collect()
}

/// Panel (a): mean best test accuracy against width with 95 % intervals over runs; none without training records.
///
/// The dense base network, the first of the sparse family, also begins the dense family and stands as a level line.
/// None either where a width has several networks.
pub fn accuracy_chart(records: &[Record]) -> Option<Chart> {
    let run = records.iter().find_map(Record::training)?;
    let (sparse, mut dense) = (accuracies(records, Family::Sparse), accuracies(records, Family::Dense));
    if sparse.is_empty() && dense.is_empty() {
        return None;
    }
    let is_base = |record: &Record| record.training().is_some_and(|run| run.connectivity.is_dense());
    let base: Vec<Record> = records.iter().filter(|record| is_base(record)).cloned().collect();
    let base = accuracies(&base, Family::Sparse);
    let mut x_ticks: Vec<f64> = sparse.iter().chain(&dense).map(|(width, _)| *width as f64).collect();
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let mut series = Vec::new();
    if !sparse.is_empty() {
        series.push(ChartSeries {
            label: format!("sparse, {}", run.mask.weights_of_a_budget()),
            style: 1,
            line: Line::Solid,
            marked: true,
            right: false,
            points: accuracy_points(&sparse, |accuracy| accuracy),
        });
    }
    // A level to compare other widths with.
    if let (Some((width, runs)), Some(last)) = (base.first(), x_ticks.last())
        && *last > *width as f64
    {
        let level = mean(runs);
        let end = |x: f64| ChartPoint { x, y: level, interval: None };
        series.push(ChartSeries {
            label: format!("dense, width {width}"),
            style: 0,
            line: Line::Dashed,
            marked: false,
            right: false,
            points: vec![end(*width as f64), end(*last)],
        });
    }
    if !dense.is_empty() {
        dense.splice(0..0, base);
        series.push(ChartSeries {
            label: "dense, every weight".into(),
            style: 3,
            line: Line::Solid,
            marked: true,
            right: false,
            points: accuracy_points(&dense, |accuracy| accuracy),
        });
    }
    // Dense networks have no masks.
    let is_masked = |run: &TrainingRecord| !run.connectivity.is_dense() || !run.last_connectivity.is_dense();
    let of_chart = |run: &&TrainingRecord| matches!(run.family, Family::Sparse | Family::Dense);
    let is_masked = records.iter().filter_map(Record::training).filter(of_chart).any(is_masked);
    let masks = if is_masked { format!("{} masks, ", run.mask.title()) } else { String::new() };
    Some(Chart {
        title: format!(
            "Accuracy on {} samples, {} training samples, {masks}{} weights, {}",
            evaluated(run),
            run.samples,
            run.law.title(),
            run.normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: format!("best {} accuracy (mean, 95 % interval)", evaluated(run)),
        y_scale: Scale::Linear,
        shares: true,
        note: String::new(),
        right_label: String::new(),
        series,
    })
}

/// Loss against epoch, on the test samples and, dashed, on the training samples: means over the runs of each network of
/// the sparse family (of the dense one where there is none) that lasted so long; none without curves. Runs that
/// diverged are left out, which a note says, unless every run did.
#[must_use]
pub fn curves_chart(records: &[Record]) -> Option<Chart> {
    let networks = trained_networks(records);
    let family =
        if networks.iter().any(|runs| runs[0].family == Family::Sparse) { Family::Sparse } else { Family::Dense };
    let mut of_family: Vec<&Vec<&TrainingRecord>> = networks.iter().filter(|runs| runs[0].family == family).collect();
    of_family.sort_by_key(|runs| runs[0].width);
    let every_diverged = of_family.iter().all(|runs| runs.iter().all(|run| run.diverged));
    let is_drawn = |run: &&TrainingRecord| every_diverged || !run.diverged;
    let epochs = of_family
        .iter()
        .flat_map(|runs| runs.iter().copied().filter(is_drawn))
        .map(|run| run.curve.test_loss.len())
        .max()
        .filter(|most| *most > 0)?;
    let first = of_family[0][0];
    let mut series = Vec::new();
    for (style, runs) in of_family.iter().enumerate() {
        for (kind, line) in [(evaluated(first), Line::Solid), ("training", Line::Dashed)] {
            let at = |epoch: usize| {
                let values = |run: &&TrainingRecord| match line {
                    Line::Solid => run.curve.test_loss.get(epoch).copied(),
                    _ => run.curve.training_loss.get(epoch).copied(),
                };
                let losses: Vec<f64> =
                    runs.iter().filter(|run| is_drawn(run)).filter_map(values).map(f64::from).collect();
                ChartPoint { x: (epoch + 1) as f64, y: mean(&losses), interval: None }
            };
            let points = (0..epochs).map(at).filter(|point| point.y.is_finite()).collect();
            let label = format!("{}, {kind}", trained_name(runs[0]));
            series.push(ChartSeries { label, style, line, marked: false, right: false, points });
        }
    }
    let mut x_ticks: Vec<f64> = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
        .into_iter()
        .filter(|tick| *tick < epochs)
        .map(|tick| tick as f64)
        .collect();
    x_ticks.push(epochs as f64);
    let left_out: Vec<String> = of_family
        .iter()
        .filter_map(|runs| {
            let diverged = runs.iter().filter(|run| run.diverged).count();
            let name = trained_name(runs[0]);
            (diverged > 0).then(|| format!("{name}, {diverged} of {}", counted(runs.len(), "run")))
        })
        .collect();
    let note = match left_out.as_slice() {
        _ if every_diverged => "Every run diverged.".into(),
        [] => String::new(),
        names => format!("Left out, as they diverged: {}.", names.join("; ")),
    };
    Some(Chart {
        title: format!("Cross-entropy, {} training samples, {}", first.samples, first.normalisation.title()),
        x_label: "epoch".into(),
        x_ticks,
        y_label: "mean cross-entropy (mean over runs)".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note,
        right_label: String::new(),
        series,
    })
}

/// The two parts of the distance against width, means over pairs, by each theory (of few drawn networks bias^2 is
/// mostly noise): bias^2, how far the limit of the sparse network itself, `K~_1 / d`, is from that of the dense one;
/// and variance / n, how far the finite network is from its own limit. None without such records, or where networks of
/// one width differ in connectivity.
pub fn parts_chart(records: &[Record], normalisation: Normalisation) -> Option<Chart> {
    if repeats_widths(records) {
        return None;
    }
    let (mut series, mut x_ticks) = (Vec::new(), Vec::new());
    for method in DistanceMethod::ALL.iter().copied().filter(|method| !method.draws_networks()) {
        let found = distances(records, normalisation, method);
        for (part, line) in [("bias²", Line::Solid), ("variance / n", Line::Dashed)] {
            let point = |record: &&DistanceRecord| {
                let y = match line {
                    Line::Solid => record.bias_squared?,
                    _ => record.variance? / record.width as f64,
                };
                Some(ChartPoint { x: record.width as f64, y, interval: None })
            };
            let points: Vec<ChartPoint> = found.iter().filter_map(point).collect();
            x_ticks.extend(points.iter().map(|point| point.x));
            if !points.is_empty() {
                let (label, style) = (format!("{part}, {}", method.title()), style_of(method));
                series.push(ChartSeries { label, style, line, marked: line == Line::Solid, right: false, points });
            }
        }
    }
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let has_parts = |method: &DistanceMethod| {
        distances(records, normalisation, *method).iter().any(|record| record.bias_squared.is_some())
    };
    let drawn = DistanceMethod::ALL.iter().copied().filter(|method| method.draws_networks() && has_parts(method));
    let drawn: Vec<&str> = drawn.map(DistanceMethod::title).collect();
    let note = match drawn.as_slice() {
        [] => String::new(),
        names => format!("Left out, as their bias² is mostly noise (see the tables): {}.", names.join("; ")),
    };
    (!series.is_empty()).then(|| Chart {
        title: format!(
            "The two parts of the distance{}: bias² and variance / n, {}",
            match kernel_of(records) {
                Kernel::Nngp => String::new(),
                kernel => format!(", {}", kernel.short_title().to_lowercase()),
            },
            normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: "mean over pairs".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note,
        right_label: String::new(),
        series,
    })
}

/// The kernel of distances, which is the same for all.
fn kernel_of(records: &[Record]) -> Kernel {
    records.iter().find_map(Record::distance).map(DistanceRecord::kernel).unwrap_or_default()
}

/// The kernels of distances, in the order of the records.
pub(super) fn kernels(records: &[Record]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for record in records.iter().filter_map(Record::distance) {
        if !kernels.contains(&record.kernel()) {
            kernels.push(record.kernel());
        }
    }
    kernels
}

/// The distances of one kernel, with all training runs.
pub(super) fn of_kernel(records: &[Record], kernel: Kernel) -> Vec<Record> {
    let is_of = |record: &&Record| record.distance().is_none_or(|distance| distance.kernel() == kernel);
    records.iter().filter(is_of).cloned().collect()
}

/// The place of a method in palette and markers; the test error has style 5.
fn style_of(method: DistanceMethod) -> usize {
    match method {
        DistanceMethod::Sampled => 0,
        DistanceMethod::Theorem1 => 1,
        DistanceMethod::Expansion => 2,
        DistanceMethod::Paper => 3,
        DistanceMethod::PaperFixedNp => 4,
        DistanceMethod::ExpansionAll => 6,
        DistanceMethod::SampledAll => 7,
        // A paler Theorem 1.
        DistanceMethod::Theorem1FixedCount => 9,
    }
}

/// Panel (b): kernel distance against width by every method recorded under a normalisation, and the test error of the
/// sparse family on the right axis; none without such records, or where networks of one width differ in connectivity.
pub fn distance_chart(records: &[Record], normalisation: Normalisation, statistic: Statistic) -> Option<Chart> {
    if repeats_widths(records) {
        return None;
    }
    let mut series = Vec::new();
    let mut x_ticks = Vec::new();
    let mut sampled = None;
    for &method in DistanceMethod::ALL {
        let style = style_of(method);
        let found = distances(records, normalisation, method);
        if found.is_empty() {
            continue;
        }
        x_ticks.extend(found.iter().map(|record| record.width as f64));
        let point = |record: &&DistanceRecord| {
            let (y, interval) = statistic_of(record, statistic)?;
            Some(ChartPoint { x: record.width as f64, y, interval })
        };
        let points: Vec<ChartPoint> = found.iter().filter_map(point).collect();
        if points.is_empty() {
            continue;
        }
        if method.draws_networks() && sampled.is_none() {
            // Dense networks have no masks.
            sampled = found.iter().find(|record| !record.connectivity.is_dense()).or(found.first()).copied();
        }
        series.push(ChartSeries {
            label: method.title().into(),
            style,
            line: match method {
                DistanceMethod::Paper | DistanceMethod::PaperFixedNp => Line::Dashed,
                _ => Line::Solid,
            },
            marked: true,
            right: false,
            points,
        });
    }
    if series.is_empty() {
        return None;
    }
    let sparse = accuracies(records, Family::Sparse);
    let right_label = match records.iter().find_map(Record::training) {
        Some(run) if !sparse.is_empty() => {
            series.push(ChartSeries {
                label: format!("{} error ({})", evaluated(run), run.normalisation.title()),
                style: 5,
                line: Line::Solid,
                marked: true,
                right: true,
                points: accuracy_points(&sparse, |accuracy| 1.0 - accuracy),
            });
            format!("{} error of the sparse networks", evaluated(run))
        }
        _ => String::new(),
    };
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let networks = sampled.map_or(String::new(), |record| {
        let masks =
            if record.connectivity.is_dense() { String::new() } else { format!(", {} masks", record.mask.title()) };
        format!("{masks}, {} weights", record.law.title())
    });
    // Shorter ones, such as numerical errors, are below the marks.
    let is_seen = |point: &ChartPoint| point.interval.is_some_and(|(low, high)| high - low > 0.02 * point.y.abs());
    let has_bars = series.iter().any(|series| !series.right && series.points.iter().any(is_seen));
    let samples_pairs = records.iter().filter_map(Record::distance).any(|record| record.samples_pairs());
    let bars = match statistic {
        _ if !has_bars || !samples_pairs => "",
        Statistic::Mean => {
            "Error bars of distances hold for the pairs taken; the means over all pairs of the data are known less well (see the tables)."
        }
        Statistic::Median => "Error bars of distances are 95 % intervals of the median over all pairs of the data.",
    };
    Some(Chart {
        title: format!(
            "{} distance, {} over pairs, {}{networks}",
            kernel_of(records).short_title(),
            statistic.name(),
            normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: "mean squared distance to the infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note: bars.into(),
        right_label,
        series,
    })
}

#[cfg(test)]
mod tests {
    use super::super::picture::Picture;
    use super::*;
    use crate::data::DataSource;
    use crate::sampled::Device;
    use crate::study::{DistanceSpec, NetworkSpec, StudySpec, TrainedNetwork};

    /// A record of a run of three epochs.
    fn run(family: Family, width: usize, connectivity: f64, losses: [f32; 3], diverged: bool) -> Record {
        let text = r#"{"kind":"training","schema":1,"version":"0.1.0","data":"mnist","checksum":"a","test_checksum":"b",
            "normalisation":"pixel","samples":8,"validation":false,"test_samples":4,"dimension":6,"family":"sparse",
            "architecture":"relu:3 linear:10","activation":"relu","width":3,"connectivity":1.0,"last_connectivity":1.0,"weights":48,
            "biases":false,"parametrisation":"neural_tangent","mask":"exact_count","law":"uniform","learning_rate":1.0,
            "epochs":3,"batch":256,"seed":0,"run":0,"device":"cpu","precision":"f32","best_accuracy":0.5,"best_epoch":1,
            "final_accuracy":0.5,"training_loss":2.5,"diverged":false,"global_mean":null,"global_deviation":null,
            "connectivity_reached":null,"last_connectivity_reached":null,"empty_layers":null,"dead":null,
            "curve":{"training_loss":[],"test_loss":[],"test_accuracy":[0.5,0.5,0.5]}}"#;
        let mut record: Record = serde_json::from_str(text).unwrap();
        let Record::Training(run) = &mut record else { panic!("a run") };
        (run.family, run.width, run.diverged) = (family, width, diverged);
        run.connectivity = serde_json::from_value(connectivity.into()).unwrap();
        run.architecture = TrainedNetwork::new(family, width, run.connectivity, 1.0).unwrap().architecture;
        run.curve.training_loss = losses.to_vec();
        run.curve.test_loss = losses.to_vec();
        record
    }

    #[test]
    fn runs_that_diverged_are_named_and_not_drawn() {
        let good = run(Family::Sparse, 8, 1.0, [2.0, 1.0, 0.5], false);
        let bad = run(Family::Sparse, 8, 1.0, [2.0, 1e9, 1e29], true);
        let chart = curves_chart(&[good.clone(), bad.clone()]).unwrap();
        assert_eq!(chart.note, "Left out, as they diverged: sparse 8, 1 of 2 runs.");
        assert!(chart.series.iter().flat_map(|series| &series.points).all(|point| point.y <= 2.0));
        assert_eq!(curves_chart(&[bad]).unwrap().note, "Every run diverged.");
        assert_eq!(curves_chart(&[good]).unwrap().note, "");
    }

    #[test]
    fn masks_are_named_where_there_are_some() {
        let title = |connectivity| {
            let of = |family, width, connectivity| run(family, width, connectivity, [1.0; 3], false);
            accuracy_chart(&[of(Family::Sparse, 8, 1.0), of(Family::Dense, 16, connectivity)]).unwrap().title
        };
        assert!(title(0.5).contains("exact-count masks, uniform weights"));
        assert!(!title(1.0).contains("masks") && title(1.0).contains("samples, uniform weights"));
    }

    #[test]
    fn a_picture_of_distances_says_what_it_leaves_out() {
        let study = |methods: &[DistanceMethod]| {
            let networks: Vec<NetworkSpec> = ["4:0.5", "8:0.5"].map(|network| network.parse().unwrap()).to_vec();
            let spec = StudySpec {
                data: DataSource::Gaussian { dimension: 5, samples: 20 }.into(),
                seed: 0,
                distance: Some(DistanceSpec {
                    normalisations: vec![Normalisation::None],
                    methods: methods.to_vec(),
                    pairs: 10,
                    ..DistanceSpec::paper(networks)
                }),
                training: None,
                prediction: None,
            };
            spec.run(None, &Device::CPU, &|_| {}).unwrap()
        };
        let (theory, both) =
            (study(&[DistanceMethod::Theorem1]), study(&[DistanceMethod::Theorem1, DistanceMethod::Sampled]));
        let parts = |records: &[Record]| parts_chart(records, Normalisation::None).unwrap();
        assert_eq!(parts(&theory).note, "");
        let note = "Left out, as their bias² is mostly noise (see the tables): sampled networks.";
        assert!(parts(&both).note == note && parts(&both).svg().unwrap().contains("bias² is mostly noise"));
        // Error bars that nobody sees need no words.
        let bars = |records: &[Record]| distance_chart(records, Normalisation::None, Statistic::Mean).unwrap().note;
        assert_eq!(bars(&theory), "");
        assert!(bars(&both).contains("Error bars of distances"));
    }
}
