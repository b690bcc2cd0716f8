//! The minima of the distance at a weight budget, as a table and a picture.

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::table::Table;
use crate::study::{CurvePoint, OptimumMethod, OptimumReport};

/// A row a theory: where its distance is least, how wide the minimum is, and what following it costs.
pub fn optimum_table(report: &OptimumReport) -> Table {
    let mut table = Table::new(&[
        "minimum under",
        "width",
        "connectivity",
        "weights per row",
        "its distance",
        "within 5 %",
        "exact distance there",
        "over the least",
    ]);
    for method in OptimumMethod::ALL {
        let Some(optimum) = report.optima.iter().find(|optimum| optimum.method == method) else {
            let mut row = vec!["-".into(); 8];
            row[0] = format!("{}: none, it is not positive everywhere", method.title());
            table.row(row);
            continue;
        };
        let at = &optimum.at;
        let own = at.by(method);
        let p = at.connectivity.get();
        table.row(vec![
            method.title().into(),
            at.width.to_string(),
            format!("{p:.4}"),
            format!("{:.2}", p * report.dimension as f64),
            format!("{own:.3e}"),
            optimum.within_5_percent.map_or("-".into(), |(low, high)| format!("{low:.0} to {high:.0}")),
            format!("{:.3e}", at.theorem1),
            format!("{:.3}", optimum.exact_over_least),
        ]);
    }
    table
}

/// The distance against width under each theory.
pub fn optimum_chart(report: &OptimumReport) -> Chart {
    let series = |label: &str, style: usize, line: Line, value: &dyn Fn(&CurvePoint) -> f64| ChartSeries {
        label: label.into(),
        style,
        line,
        marked: true,
        right: false,
        points: report
            .curve
            .iter()
            .map(|point| ChartPoint { x: point.width as f64, y: value(point), interval: None })
            .collect(),
    };
    let (least, most) = match report.curve.as_slice() {
        [first, .., last] => (first.width as f64, last.width as f64),
        _ => (1.0, 1.0),
    };
    let mut x_ticks = vec![least];
    while let Some(last) = x_ticks.last().copied().filter(|last| 2.0 * last < 0.8 * most) {
        x_ticks.push(2.0 * last);
    }
    x_ticks.push(most);
    let spec = &report.spec;
    Chart {
        title: format!(
            "Kernel distance at {} weights, {} over {} pairs, {}",
            spec.weights,
            if spec.median { "median" } else { "mean" },
            if report.pairs > 0 { report.pairs } else { spec.pairs },
            spec.normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: "mean squared distance to the infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        fenced: true,
        note: String::new(),
        right_label: String::new(),
        series: vec![
            series("Theorem 1", 1, Line::Solid, &|point| point.theorem1),
            series("moment expansion", 2, Line::Solid, &|point| point.moments),
            series("Eq. (4), own p", 3, Line::Dashed, &|point| point.paper),
        ],
    }
}
