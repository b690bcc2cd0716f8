//! The minima of the distance at a weight budget, as a table and a picture.

use super::assumptions::is_of_another_scale;
use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::table::Table;
use crate::study::{CurvePoint, OptimumMethod, OptimumReport};

/// A row a theory: where its distance is least, how wide the minimum is, and what following it costs.
pub fn optimum_table(report: &OptimumReport) -> Table {
    let mut table = Table::new(&[
        "method",
        "width",
        "connectivity",
        "weights per row",
        "predicted distance",
        "within 5 %",
        "exact distance",
        "ratio to the optimum",
    ]);
    for &method in OptimumMethod::ALL {
        let Some(optimum) = report.optima.iter().find(|optimum| optimum.method == method) else {
            let mut row = vec!["-".into(); 8];
            row[0] = format!("{}: none, it is not positive everywhere", method.title());
            table.row(row);
            continue;
        };
        let at = &optimum.at;
        let own = at.by(method);
        let p = at.connectivity.get();
        let widest = report.curve.last().map(|point| point.width as f64);
        let within = |(low, high): (f64, f64)| {
            let on = if Some(high) == widest { " and on" } else { "" };
            format!("{:.0} to {:.0}{on}", low.ceil(), high.floor())
        };
        let of_paper = matches!(method, OptimumMethod::Paper | OptimumMethod::PaperFormula);
        let marked = of_paper && report.mean_square.is_some_and(is_of_another_scale);
        table.row(vec![
            format!("{}{}", named(method.title(), optimum.at_end), if marked { " †" } else { "" }),
            at.width.to_string(),
            format!("{p:.4}"),
            format!("{:.2}", p * report.dimension as f64),
            format!("{own:.3e}"),
            optimum.within_5_percent.map_or("-".into(), within),
            format!("{:.3e}", at.theorem1),
            format!("{:.3}", optimum.exact_over_least),
        ]);
    }
    table
}

/// A theory by its title, and whether the search ended where its distance was least.
fn named(title: &str, at_end: bool) -> String {
    format!("{title}{}", if at_end { " (end of the search)" } else { "" })
}

/// What is to be said of theories whose least distance is at the end of the search; nothing where there are none.
#[must_use]
pub fn optimum_note(report: &OptimumReport) -> Option<String> {
    let widest = report.curve.last()?;
    let (width, row) = (widest.width, widest.connectivity.get() * report.dimension as f64);
    let ended = |formula: bool| -> Vec<&str> {
        let of = |method| (method == OptimumMethod::PaperFormula) == formula;
        report.optima.iter().filter(|optimum| optimum.at_end && of(optimum.method)).map(|o| o.method.title()).collect()
    };
    let mut notes = Vec::new();
    let falling = ended(false);
    if !falling.is_empty() {
        notes.push(format!(
            "{}: the search ends at width {width}, where a row keeps {row:.2} weights on average, and wider networks can be closer still.",
            falling.join(", ")
        ));
    }
    if let [formula] = ended(true)[..] {
        notes.push(format!("{formula}: it lies beyond width {width}, where the search ends; that width is shown."));
    }
    (!notes.is_empty()).then(|| notes.join("\n"))
}

/// The distance against width under each theory.
#[must_use]
pub fn optimum_chart(report: &OptimumReport) -> Chart {
    let ends = |method| report.optima.iter().any(|optimum| optimum.method == method && optimum.at_end);
    let series = |method: OptimumMethod, style: usize, line: Line, value: &dyn Fn(&CurvePoint) -> f64| ChartSeries {
        label: format!("{}{}", method.title(), if ends(method) { ", falls to the end" } else { "" }),
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
        [only] => (only.width as f64, only.width as f64),
        [] => (1.0, 1.0),
    };
    let mut x_ticks = vec![least];
    while let Some(last) = x_ticks.last().copied().filter(|last| *last > 0.0 && 2.0 * last < 0.8 * most) {
        x_ticks.push(2.0 * last);
    }
    x_ticks.push(most);
    let spec = &report.spec;
    Chart {
        title: format!(
            "{} distance at {} weights, {} over {} pairs, {}",
            spec.kernel.short_title(),
            spec.weights,
            if spec.median { "median" } else { "mean" },
            if report.pairs > 0 { report.pairs } else { spec.pairs },
            spec.normalisation.title()
        ),
        x_label: "width".into(),
        x_ticks,
        y_label: "mean squared distance to the infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note: String::new(),
        right_label: String::new(),
        series: vec![
            series(OptimumMethod::Theorem1, 1, Line::Solid, &|point| point.theorem1),
            series(OptimumMethod::Expansion, 2, Line::Solid, &|point| point.expansion),
            series(OptimumMethod::Paper, 3, Line::Dashed, &|point| point.paper),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSource, Normalisation};
    use crate::study::OptimumSpec;

    fn report(dimension: usize, weights: usize) -> OptimumReport {
        let spec = OptimumSpec {
            data: DataSource::Gaussian { dimension, samples: 40 }.into(),
            normalisation: Normalisation::None,
            weights,
            outputs: 0,
            pairs: 10,
            median: false,
            kernel: crate::Kernel::Nngp,
            tolerance: 1e-3,
            seed: 1,
        };
        spec.run(&|_| {}).unwrap()
    }

    #[test]
    fn an_end_of_the_search_is_no_minimum() {
        let mut report = report(64, 512);
        let said = |report: &OptimumReport| {
            let labels: Vec<String> = optimum_chart(report).series.into_iter().map(|series| series.label).collect();
            (optimum_table(report).to_string(), optimum_note(report), labels)
        };
        let (table, note, labels) = said(&report);
        assert!(table.contains("| Theorem 1 (end of the search)") && table.contains(" to 512 and on |"), "{table}");
        assert!(!table.contains("Eq. (4), own p (end"), "{table}");
        let note = note.unwrap();
        assert!(note.starts_with("Theorem 1") && note.contains("ends at width 512"), "{note}");
        assert_eq!((&*labels[0], &*labels[2]), ("Theorem 1, falls to the end", "Eq. (4), own p"));
        // As it was said of any least distance.
        report.optima.iter_mut().for_each(|optimum| optimum.at_end = false);
        let (table, note, labels) = said(&report);
        assert!(!table.contains("end of the search") && note.is_none() && labels[0] == "Theorem 1");
    }
}
