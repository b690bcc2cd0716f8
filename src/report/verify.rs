//! Verification reports as tables and pictures.

use super::chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
use super::table::{Table, counted};
use crate::data::{Dataset, Normalisation};
use crate::kernel::ntk::Kernel;
use crate::study::{Cell, Check, PaperPoint, Quantity, VerifyReport};

/// A data set with its normalisation, where it has one.
fn name(data: &Dataset, normalisation: Normalisation) -> String {
    match normalisation {
        Normalisation::None => data.to_string(),
        _ => format!("{data}, {}", normalisation.name()),
    }
}

/// A row per cell: theory, estimate ± standard error and z score of mean, variance and distance; no z score where the
/// mean over initialisations is too skewed for a test.
pub fn verify_table(report: &VerifyReport) -> Table {
    let mut heads = vec!["data".to_string(), "d p".into(), "n".into()];
    for &quantity in Quantity::ALL {
        heads.extend([quantity.title().to_string(), "sampled".into(), "z".into()]);
    }
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for cell in &report.cells {
        let mut row = vec![
            name(&cell.data, cell.normalisation),
            format!("{:.0}", cell.connectivity.get() * cell.dimension as f64),
            cell.width.to_string(),
        ];
        for check in &cell.checks {
            row.push(format!("{:.3e}", check.theory));
            row.push(format!("{:.3e} ± {:.0e}", check.estimate, check.standard_error));
            row.push(if check.is_tested() { format!("{:.1}", check.z(1.0)) } else { "-".into() });
        }
        table.row(row);
    }
    table
}

/// The p-values of the z scores, of the theorem and of one made wrong.
#[must_use]
pub fn verify_tests(report: &VerifyReport) -> Table {
    let mut table = Table::new(&["theorem", "quantity", "chi-square p", "Kolmogorov-Smirnov p"]);
    let wrong = format!("wrong by {:.0} %", 100.0 * (VerifyReport::POWER_FACTOR - 1.0));
    for (theorem, tests) in [("as it is", &report.tests), (wrong.as_str(), &report.power)] {
        for test in tests {
            let p = |value: f64| match value {
                0.0 => "< 1e-300".into(),
                _ if value < 1e-4 => format!("{value:.0e}"),
                _ => format!("{value:.4}"),
            };
            table.row(vec![
                theorem.into(),
                test.quantity.title().into(),
                p(test.chi_square),
                p(test.kolmogorov_smirnov),
            ]);
        }
    }
    table
}

/// Eq. (4) beside Theorem 1 over the weights per row, at `n p = 8`.
#[must_use]
pub fn paper_table(report: &VerifyReport) -> Table {
    let mut table = Table::new(&[
        "data",
        "d p",
        "n",
        "bias^2",
        "Eq. (4)",
        "ratio",
        "variance / n",
        "Eq. (4)",
        "ratio",
        "distance",
        "Eq. (4)",
        "ratio",
    ]);
    for point in &report.paper {
        let mut row = vec![
            name(&point.data, point.normalisation),
            format!("{:.0}", point.weights_per_row),
            point.width.to_string(),
        ];
        let total = |(bias, variance): (f64, f64)| bias + variance;
        for (exact, paper) in
            [(point.exact.0, point.paper.0), (point.exact.1, point.paper.1), (total(point.exact), total(point.paper))]
        {
            let ratio = if exact > 0.0 { ratio(paper / exact) } else { "-".into() };
            row.extend([format!("{exact:.2e}"), format!("{paper:.2e}"), ratio]);
        }
        table.row(row);
    }
    table
}

/// A ratio in three digits or so.
fn ratio(value: f64) -> String {
    if (0.01..1000.0).contains(&value) { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn points(style: usize, label: String, points: Vec<ChartPoint>) -> ChartSeries {
    ChartSeries { label, style, line: Line::None, marked: true, right: false, points }
}

/// Of the cells that are tested.
fn series_of(report: &VerifyReport, x: impl Fn(&Cell) -> f64, y: impl Fn(&Cell, usize) -> f64) -> Vec<ChartSeries> {
    let of = |place: usize| {
        let point = |cell: &Cell| ChartPoint { x: x(cell), y: y(cell, place), interval: None };
        report.cells.iter().filter(|cell| cell.checks[place].is_tested()).map(point).collect()
    };
    Quantity::ALL.iter().enumerate().map(|(place, q)| points(place, q.title().into(), of(place))).collect()
}

/// The z scores of every cell against its number of weights per row.
pub fn verify_scores_chart(report: &VerifyReport) -> Chart {
    let row = |cell: &Cell| cell.connectivity.get() * cell.dimension as f64;
    let mut x_ticks: Vec<f64> = report.cells.iter().map(row).collect();
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let untested = Quantity::ALL.iter().enumerate().filter_map(|(place, quantity)| {
        let count = report.cells.iter().filter(|cell| !cell.checks[place].is_tested()).count();
        (count > 0).then(|| format!("{} of {}", quantity.title(), counted(count, "cell")))
    });
    let untested: Vec<String> = untested.collect();
    let note = match untested.as_slice() {
        [] => String::new(),
        names => format!("Left out, as the mean over initialisations is too skewed for a test: {}.", names.join("; ")),
    };
    Chart {
        title: match report.spec.kernel {
            Kernel::Nngp => format!("Sampled networks against Theorem 1, {} cells", report.cells.len()),
            kernel => {
                let kernel = kernel.short_title();
                format!("{kernel}: sampled networks against Theorem 1, {} cells", report.cells.len())
            }
        },
        x_label: "weights per row, d p".into(),
        x_ticks,
        y_label: "deviation in standard errors".into(),
        y_scale: Scale::Linear,
        shares: false,
        note,
        right_label: String::new(),
        series: series_of(report, row, |cell, place| cell.checks[place].z(1.0)),
    }
}

/// Estimates against exact values, on logarithmic axes, with the line on which they would be equal.
#[must_use]
pub fn verify_values_chart(report: &VerifyReport) -> Chart {
    let exact = |cell: &Cell, place: usize| cell.checks[place].theory;
    let all = report.cells.iter().flat_map(|cell| cell.checks.map(|check| check.theory));
    let (least, most) = all.fold((f64::INFINITY, 0.0f64), |(least, most), value| (least.min(value), most.max(value)));
    let mut series: Vec<ChartSeries> = Quantity::ALL
        .iter()
        .copied()
        .enumerate()
        .map(|(place, quantity)| {
            let point = |cell: &Cell| {
                let check = cell.checks[place];
                let reach = 2.0 * check.standard_error;
                let interval = Some((check.estimate - reach, check.estimate + reach));
                ChartPoint { x: exact(cell, place), y: check.estimate, interval }
            };
            points(place, quantity.title().into(), report.cells.iter().map(point).collect())
        })
        .collect();
    series.push(ChartSeries {
        label: "equal".into(),
        style: 3,
        line: Line::Dashed,
        marked: false,
        right: false,
        points: [least, most].map(|end| ChartPoint { x: end, y: end, interval: None }).to_vec(),
    });
    Chart {
        title: "Estimated against exact".into(),
        x_label: "Theorem 1".into(),
        x_ticks: vec![],
        y_label: "sampled networks".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note: String::new(),
        right_label: String::new(),
        series,
    }
}

/// Bias^2 of Eq. (4) and of Theorem 1 over the weights per row, at `n p = 8`.
pub fn paper_chart(report: &VerifyReport) -> Chart {
    let mut names: Vec<String> = report.paper.iter().map(|point| name(&point.data, point.normalisation)).collect();
    names.dedup();
    let line = |style: usize, label: String, line: Line, of: &dyn Fn(&PaperPoint) -> Option<f64>| ChartSeries {
        label,
        style,
        line,
        marked: true,
        right: false,
        points: report
            .paper
            .iter()
            .filter_map(|point| Some(ChartPoint { x: point.weights_per_row, y: of(point)?, interval: None }))
            .collect(),
    };
    let mut series = Vec::new();
    let mut dimensions = Vec::new();
    for (index, of) in names.iter().enumerate() {
        let here = |point: &PaperPoint| name(&point.data, point.normalisation) == *of;
        let exact = |point: &PaperPoint| here(point).then_some(point.exact.0 + point.exact.1);
        let paper = |point: &PaperPoint| here(point).then_some(point.paper.0 + point.paper.1);
        series.push(line(index, format!("Theorem 1, {of}"), Line::Solid, &exact));
        // Eq. (4) takes no inputs: one curve per dimension.
        let first = report.paper.iter().find(|point| here(point)).expect("names were taken from these points");
        if !dimensions.contains(&first.dimension) {
            dimensions.push(first.dimension);
            let style = names.len() + dimensions.len();
            series.push(line(style, format!("Eq. (4), d = {}", first.dimension), Line::Dashed, &paper));
        }
    }
    let mut x_ticks: Vec<f64> = report.paper.iter().map(|point| point.weights_per_row).collect();
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    Chart {
        title: "Kernel distance at n p = 8, mean over pairs: Eq. (4) and Theorem 1".into(),
        x_label: "weights per row, d p".into(),
        x_ticks,
        y_label: "mean squared distance to the infinite-width kernel".into(),
        y_scale: Scale::Logarithmic,
        shares: false,
        note: String::new(),
        right_label: String::new(),
        series,
    }
}

/// The page: the verdict, its tests, every cell, and Eq. (4) beside Theorem 1.
#[must_use]
pub fn verify_page(report: &VerifyReport) -> String {
    let rejected = VerifyReport::rejected(&report.tests);
    let by =
        |quantities: &[Quantity]| quantities.iter().map(|quantity| quantity.title()).collect::<Vec<_>>().join(", ");
    let power = VerifyReport::rejected(&report.power);
    let verdict = format!(
        "Theorem 1 is {} at a family-wise level of {:e}. Predictions wrong by {:.0} % would {}.",
        if rejected.is_empty() { "not rejected".into() } else { format!("rejected (by: {})", by(&rejected)) },
        VerifyReport::FAMILY_WISE,
        100.0 * (VerifyReport::POWER_FACTOR - 1.0),
        if power.is_empty() {
            "not be: these draws have too little power".into()
        } else {
            format!("be (by: {})", by(&power))
        },
    );
    let checks = || report.cells.iter().flat_map(|cell| cell.checks);
    let skewed = checks().filter(|check| !check.is_tested()).count();
    let verdict = match skewed {
        0 => verdict,
        _ => format!(
            "{verdict} Not tested: {skewed} of {} estimates, without z below, whose means over initialisations are too skewed (skewness above {}); \
             run more initialisations to test them.",
            checks().count(),
            Check::MOST_SKEWNESS
        ),
    };
    let of_kernel = match report.spec.kernel {
        Kernel::Nngp => String::new(),
        kernel => format!(": {}", kernel.title()),
    };
    let text = format!(
        "# Theorem 1 against sampled networks{of_kernel}\n\n{verdict}\n\n{}\nEach cell, {} masks, {} initialisations, at most {} pairs, weighted equally:\n\n{}",
        verify_tests(report),
        report.spec.mask.title(),
        report.spec.initialisations,
        report.spec.pairs,
        verify_table(report)
    );
    if report.paper.is_empty() {
        text
    } else {
        format!(
            "{text}\nEq. (4) beside Theorem 1 at n p = 8, means over 200 pairs, or over all pairs where there are fewer:\n\n{}",
            paper_table(report)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::network::Connectivity;
    use crate::network::MaskFamily;
    use crate::study::VerifySpec;

    #[test]
    fn cells_without_a_score_are_counted() {
        let check = |skewness| Check { theory: 1.0, estimate: 1.1, standard_error: 0.1, skewness };
        let cell = |width, skewness| Cell {
            data: DataSource::Gaussian { dimension: 4, samples: 8 }.into(),
            normalisation: Normalisation::None,
            dimension: 4,
            connectivity: Connectivity::new(0.5).unwrap(),
            width,
            checks: [check(0.0), check(skewness), check(0.0)],
        };
        let report = |skewness| VerifyReport {
            spec: VerifySpec {
                data: vec![],
                weights_per_row: vec![],
                widths: vec![],
                pairs: 1,
                mask: MaskFamily::Bernoulli,
                kernel: crate::Kernel::Nngp,
                initialisations: 1_000,
                tolerance: 1e-6,
                seed: 0,
            },
            version: String::new(),
            cells: vec![cell(8, 0.0), cell(16, skewness)],
            tests: vec![],
            power: vec![],
            paper: vec![],
        };
        assert_eq!(verify_scores_chart(&report(0.1)).note, "");
        let note = "Left out, as the mean over initialisations is too skewed for a test: variance of 1 cell.";
        assert_eq!(verify_scores_chart(&report(0.9)).note, note);
    }
}
