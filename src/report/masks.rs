//! Given masks: what they keep, and their distances beside those of random masks.

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::table::Table;
use crate::kernel::given::MaskScale;
use crate::kernel::ntk::{Kernel, KernelName};
use crate::network::MaskFamily;
use crate::study::{LayerRecord, MasksRecord, MasksReport, RandomPoint};

/// Up to this many networks have points of their own in a picture.
const MOST_NAMED: usize = 10;

/// What each layer of one network keeps.
#[must_use]
pub fn layers_table(layers: &[&LayerRecord]) -> Table {
    let heads = [
        "layer",
        "shape",
        "kept",
        "density",
        "sparsity",
        "fan-in: least",
        "median",
        "most",
        "dead units",
        "unused inputs",
        "disconnected",
    ];
    let mut table = Table::new(&heads);
    for layer in layers {
        table.row(vec![
            layer.layer.clone(),
            layer.shape.clone(),
            layer.kept.to_string(),
            format!("{:.4}", layer.density),
            format!("{:.4}", layer.sparsity),
            layer.fan_in_least.to_string(),
            layer.fan_in_median.to_string(),
            layer.fan_in_most.to_string(),
            layer.dead_units.to_string(),
            layer.unused_inputs.to_string(),
            layer.disconnected_units.map_or("-".into(), |units| units.to_string()),
        ]);
    }
    table
}

/// The distances of first layers, a row for each network and kernel.
#[must_use]
pub fn masks_table(records: &[MasksRecord]) -> Table {
    let heads = [
        "file",
        "kernel",
        "width",
        "density",
        "bias^2",
        "variance",
        "distance, mean",
        "distance, median",
        "random masks",
        "ratio",
        "percentile",
    ];
    let mut table = Table::new(&heads);
    for record in records {
        let random = record.expected.or(record.drawn_distance);
        let ratio = random.filter(|random| *random > 0.0).map(|random| record.compared_distance / random);
        table.row(vec![
            record.file.clone(),
            kernel_of(record).to_string(),
            record.width.to_string(),
            format!("{:.4}", record.density),
            format!("{:.2e}", record.bias_squared),
            format!("{:.2e}", record.variance),
            format!("{:.3e}", record.distance),
            format!("{:.3e}", record.median),
            random.map_or("-".into(), |random| format!("{random:.3e}")),
            ratio.map_or("-".into(), |ratio| format!("{ratio:.3}")),
            record.percentile.map_or("-".into(), |percentile| format!("{percentile:.0}")),
        ]);
    }
    table
}

/// The distances of networks of more than one hidden layer; empty where there is none.
#[must_use]
pub fn deep_masks_table(records: &[MasksRecord]) -> Table {
    let heads = [
        "file",
        "kernel",
        "hidden layers",
        "initialisations",
        "bias^2",
        "variance",
        "distance, mean",
        "standard error",
    ];
    let mut table = Table::new(&heads);
    for record in records {
        let Some(((layers, initialisations), distance)) =
            record.hidden_layers.zip(record.initialisations).zip(record.deep_distance)
        else {
            continue;
        };
        let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2e}"));
        table.row(vec![
            record.file.clone(),
            kernel_of(record).to_string(),
            layers.to_string(),
            initialisations.to_string(),
            number(record.deep_bias_squared),
            number(record.deep_variance),
            format!("{distance:.3e}"),
            number(record.deep_distance_error),
        ]);
    }
    table
}

fn kernel_of(record: &MasksRecord) -> Kernel {
    record.kernel.with(record.tangent.unwrap_or_default())
}

/// The kernels of some records, each once.
pub(super) fn kernels_of(report: &MasksReport) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for kernel in report.records.iter().map(kernel_of) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    kernels
}

/// What the columns of [`masks_table`] mean.
pub(super) fn masks_words(report: &MasksReport) -> String {
    let scale = match report.records.first().map(|record| record.scale) {
        Some(MaskScale::FanIn) => "d over each unit's fan-in",
        Some(MaskScale::Connectivity(_)) => "one over the connectivity given",
        _ => "one over the mask's density",
    };
    let mut words = format!("The averages over weights, of variance {scale}, are exact up to rounding.");
    let Some(first) = report.records.first() else { return words };
    let pairs = match first.compared_pairs < first.pairs {
        true => format!("over {} of the pairs", first.compared_pairs),
        false => "over the same pairs".into(),
    };
    if first.expected.is_some() {
        words += &format!(
            " Random masks: the expected distance of Bernoulli masks of the same density, by Theorem 1, {pairs}."
        );
    } else if first.drawn_distance.is_some() {
        words += &format!(" Random masks: the mean distance of {} that were drawn, {pairs}.", report.drawn);
    }
    if first.expected.or(first.drawn_distance).is_some() {
        words += " Ratio: the given mask's distance divided by that, over the same pairs.";
    }
    if first.percentile.is_some() {
        words += &format!(
            " Percentile: of {} random masks with equally many weights, the per cent whose distance is smaller.",
            report.drawn
        );
    }
    words
}

/// The distance of each network against the density of its first layer, with curves of random masks; none where there
/// is no distance under this kernel.
#[must_use]
pub fn masks_chart(report: &MasksReport, kernel: Kernel) -> Option<Chart> {
    let records: Vec<&MasksRecord> = report.records.iter().filter(|record| kernel_of(record) == kernel).collect();
    let first = records.first()?;
    let some = if first.compared_pairs < first.pairs { format!("{} of ", first.compared_pairs) } else { String::new() };
    let mut series = random_series(report, kernel.named());
    let curves = series.len();
    let point = |record: &&MasksRecord| ChartPoint { x: record.density, y: record.compared_distance, interval: None };
    let given = |label: String, style: usize, points: Vec<ChartPoint>| ChartSeries {
        label,
        style,
        line: Line::None,
        marked: true,
        right: false,
        points,
    };
    if records.len() <= MOST_NAMED {
        let of_record = |(place, record): (usize, &&MasksRecord)| {
            given(short_name(&record.file), curves + place, vec![point(record)])
        };
        series.extend(records.iter().enumerate().map(of_record));
    } else {
        let mut points: Vec<ChartPoint> = records.iter().map(point).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        series.push(given("given masks".into(), curves, points));
    }
    Some(Chart {
        title: format!("{} distance of given masks, mean over {some}{}", kernel.short_title(), report.inputs),
        x_label: "density of the first layer".into(),
        x_ticks: Vec::new(),
        y_label: "mean squared distance to the infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        right_label: String::new(),
        series,
        note: format!("d = {}. Lines: mean over random masks, at up to three widths.", first.inputs),
    })
}

/// A line for each family and width of random masks.
fn random_series(report: &MasksReport, kernel: KernelName) -> Vec<ChartSeries> {
    let of_kernel = || report.curves.iter().filter(move |point| point.kernel == kernel);
    let mut lines: Vec<(MaskFamily, usize)> = Vec::new();
    for point in of_kernel() {
        if !lines.contains(&(point.family, point.width)) {
            lines.push((point.family, point.width));
        }
    }
    let line = |(style, (family, width)): (usize, &(MaskFamily, usize))| ChartSeries {
        label: format!("random, {}, width {width}", placing(*family)),
        style,
        line: if *family == MaskFamily::ConstantFanIn { Line::Dashed } else { Line::Solid },
        marked: false,
        right: false,
        points: of_kernel()
            .filter(|point| point.family == *family && point.width == *width)
            .map(|point: &RandomPoint| ChartPoint { x: point.density, y: point.distance, interval: None })
            .collect(),
    };
    lines.iter().enumerate().map(line).collect()
}

/// How a family places its weights, in words.
fn placing(family: MaskFamily) -> &'static str {
    if family == MaskFamily::ConstantFanIn { "constant fan-in" } else { "unstructured" }
}

/// The name of a file without its folders and ending.
fn short_name(file: &str) -> String {
    let end = file.rsplit(['/', '\\']).next().unwrap_or(file);
    end.strip_suffix(".npz").or_else(|| end.strip_suffix(".safetensors")).unwrap_or(end).to_string()
}
