//! Tables of distances: a column for each network, a row for each method.

use std::fmt::Write;

use super::Statistic;
use super::assumptions::is_of_another_scale;
use super::figure::{distances, repeats_widths, statistic_of, with_ends};
use super::table::{Table, counted};
use crate::data::Normalisation;
use crate::numeric::statistics::t_quantile_95;
use crate::study::{DistanceMethod, DistanceRecord, Record};

/// The normalisations that occur in distance records, in their order.
pub(super) fn normalisations(records: &[Record]) -> Vec<Normalisation> {
    let mut found = Vec::new();
    for record in records.iter().filter_map(Record::distance) {
        if !found.contains(&record.normalisation) {
            found.push(record.normalisation);
        }
    }
    found
}

/// A network by its width, and its connectivity and the layer before it where those are needed.
pub(super) fn network_name(records: &[Record], record: &DistanceRecord) -> String {
    let DistanceRecord { width, connectivity, architecture, .. } = record;
    if !repeats_widths(records) {
        return format!("n = {width}");
    }
    let before = architecture.before_last().iter();
    let before: String =
        before.map(|layer| format!(" after {}:{}", layer.activation().name(), layer.width())).collect();
    format!("n = {width}{before}, p = {}", connectivity.get())
}

/// Whether two records are of the same network. Eq. (4) at fixed `n p` is evaluated at its own connectivity, which is
/// ignored here.
pub(super) fn same_network(a: &DistanceRecord, b: &DistanceRecord) -> bool {
    let own_connectivity = [a, b].iter().any(|record| record.method == DistanceMethod::PaperFixedNp);
    a.architecture.has_shape_of(&b.architecture) && (own_connectivity || a.connectivity == b.connectivity)
}

/// The networks of some methods, by width and falling connectivity, each by a record of it.
fn networks<'a>(
    records: &'a [Record],
    normalisation: Normalisation,
    methods: &[DistanceMethod],
) -> Vec<&'a DistanceRecord> {
    let mut networks: Vec<&DistanceRecord> = Vec::new();
    for record in methods.iter().flat_map(|method| distances(records, normalisation, *method)) {
        if !networks.iter().any(|known| same_network(known, record)) {
            networks.push(record);
        }
    }
    let density = |record: &DistanceRecord| record.connectivity.get();
    networks.sort_by(|a, b| a.width.cmp(&b.width).then(density(b).total_cmp(&density(a))));
    networks
}

/// What a method has for each of the networks.
fn by_network<'a>(
    records: &'a [Record],
    normalisation: Normalisation,
    method: DistanceMethod,
    networks: &[&DistanceRecord],
) -> Vec<Option<&'a DistanceRecord>> {
    let found = distances(records, normalisation, method);
    let of = |network: &&DistanceRecord| found.iter().copied().find(|record| same_network(record, network));
    networks.iter().map(of).collect()
}

pub(super) fn methods_of(records: &[Record], normalisation: Normalisation) -> Vec<DistanceMethod> {
    DistanceMethod::ALL
        .iter()
        .copied()
        .filter(|method| !distances(records, normalisation, *method).is_empty())
        .collect()
}

/// Distances under one normalisation: a row per method, a column per width; the mean or median over pairs, as
/// [`distance_words`] explains.
///
/// A mean has its error on the pairs that were taken, or a question mark where the draws do not determine it. Where the
/// pairs are a random sample, a second row has the error of the same mean as an estimate for all pairs. A median has
/// the resolution of its histogram, if it comes from one.
#[must_use]
pub fn distance_table(records: &[Record], normalisation: Normalisation, statistic: Statistic) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods.retain(|method| {
        distances(records, normalisation, *method).iter().any(|record| statistic_of(record, statistic).is_some())
    });
    let networks = networks(records, normalisation, &methods);
    let mut table = table_by_network("method", records, &networks);
    for method in methods {
        let found = by_network(records, normalisation, method, &networks);
        let own = |record: &Option<&DistanceRecord>| {
            let Some(record) = record else { return "-".into() };
            let Some((value, interval)) = statistic_of(record, statistic) else { return "-".into() };
            match (statistic, interval) {
                // Known without any draw: no interval is due.
                _ if record.empty_layers.is_some() => format!("{value:.2e} (no weight)"),
                (Statistic::Mean, Some(ends)) => with_ends(value, ends),
                (Statistic::Mean, None) if record.mean_error_samples.is_some() => format!("{value:.2e} ± ?"),
                (Statistic::Median, _) if record.quantile_resolution.is_some_and(|resolution| resolution > 0.0) => {
                    format!("{value:.2e} ± {:.0e}", value.abs() * record.quantile_resolution.expect("checked above"))
                }
                _ => format!("{value:.2e}"),
            }
        };
        let marked = found.iter().flatten().any(|record| record.mean_square.is_some_and(is_of_another_scale));
        let title = format!("{}{}", method.title(), if marked { " †" } else { "" });
        table.row(std::iter::once(title).chain(found.iter().map(own)).collect());
        if statistic == Statistic::Mean && found.iter().flatten().any(|record| record.samples_pairs()) {
            let of_all = |record: &Option<&DistanceRecord>| {
                let Some(record) = record else { return "-".into() };
                match error_over_all_pairs(record) {
                    Some(error) => format!("{:.2e} ± {error:.0e}", record.mean),
                    None => format!("{:.2e} ± ?", record.mean),
                }
            };
            table.row(std::iter::once(OVER_ALL.to_string()).chain(found.iter().map(of_all)).collect());
        }
    }
    table
}

/// The name of the row below a method's own, of its mean as an estimate for all pairs.
const OVER_ALL: &str = "- as an estimate for all pairs";

/// Half the 95 % interval of a mean as an estimate over all pairs of the data: of the pairs that were drawn, and on
/// these pairs of drawn networks and masks or the numerical error. None where either is not known.
pub(super) fn error_over_all_pairs(record: &DistanceRecord) -> Option<f64> {
    let of_pairs = record.mean_error_pairs? * t_quantile_95(record.pairs.saturating_sub(1))?;
    let (_, interval) = statistic_of(record, Statistic::Mean)?;
    match (interval, record.mean_error_samples) {
        // Independent of each other; a numerical error adds.
        (Some((_, high)), _) if record.samples > 0 => Some((high - record.mean).hypot(of_pairs)),
        (Some((_, high)), _) => Some(high - record.mean + of_pairs),
        // Known on each pair without any draw.
        (None, Some(_)) if record.empty_layers.is_some() => Some(of_pairs),
        (None, Some(_)) => None,
        // Of a formula, such as the expansion, whose own error is not known.
        (None, None) => Some(of_pairs),
    }
}

/// What the numbers of [`distance_table`] mean: over which pairs, and what is behind each ±.
#[must_use]
pub fn distance_words(records: &[Record], normalisation: Normalisation, statistic: Statistic) -> String {
    let of_it = || records.iter().filter_map(Record::distance).filter(|record| record.normalisation == normalisation);
    let one_by_one = of_it().find(|record| record.pairs > 0 && record.mean_error_pairs.is_some());
    let sampled = of_it().find(|record| record.samples_pairs());
    let mut words = match (sampled, one_by_one) {
        (Some(record), _) => {
            let of = record.pairs_of_data.map_or(String::new(), |all| format!(" of {all}"));
            format!("{} over {}{of}", capital(statistic), counted(record.pairs, "random pair"))
        }
        (None, Some(record)) => format!("{} over all pairs of the data, {}", capital(statistic), record.pairs),
        (None, None) => format!("{} over pairs", capital(statistic)),
    };
    match statistic {
        Statistic::Mean => {
            words += "; ± for these pairs: half the 95 % interval over drawn networks or masks, or the numerical error of theory; ± ? \
                      where a long tail leaves it unknown.";
            if sampled.is_some() {
                let _ = write!(
                    words,
                    " \"{OVER_ALL}\": the same mean, ± half its 95 % interval for all pairs of the data (too short where a few pairs make \
                     up most of the mean)."
                );
            }
        }
        Statistic::Median => {
            if of_it().any(|record| record.method.draws_networks() && record.median.is_some()) {
                words += " (of sampled networks: of each pair's mean over few initialisations, which lies low)";
            }
            words.push('.');
            if of_it().any(|record| record.quantile_resolution.is_some()) {
                words += " ±: the resolution of the histogram that a median comes from.";
            }
        }
    }
    words
}

fn capital(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Mean => "Mean",
        Statistic::Median => "Median",
    }
}

/// Bias^2 and variance / n under one normalisation, means over pairs with their errors where those are known: two rows
/// a method.
#[must_use]
pub fn parts_table(records: &[Record], normalisation: Normalisation) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods
        .retain(|method| distances(records, normalisation, *method).iter().any(|record| record.bias_squared.is_some()));
    let networks = networks(records, normalisation, &methods);
    let mut table = table_by_network("part", records, &networks);
    for method in methods {
        let found = by_network(records, normalisation, method, &networks);
        let cell = |record: &DistanceRecord, value: Option<f64>, error: Option<f64>, unit: f64| match (value, error) {
            (Some(value), _) if record.empty_layers.is_some() => format!("{:.2e} (no weight)", value / unit),
            (Some(value), Some(error)) => format!("{:.2e} ± {:.0e}", value / unit, error / unit),
            (Some(value), None) => format!("{:.2e}", value / unit),
            (None, _) => "-".into(),
        };
        let cells = |of: &dyn Fn(&DistanceRecord) -> String| -> Vec<String> {
            found.iter().map(|record| record.map_or("-".into(), of)).collect()
        };
        let bias = cells(&|record| cell(record, record.bias_squared, record.bias_squared_error, 1.0));
        let variance = cells(&|record| cell(record, record.variance, record.variance_error, record.width as f64));
        let title = |part: &str| format!("{part}, {}", method.title());
        table.row(std::iter::once(title("bias^2")).chain(bias).collect());
        table.row(std::iter::once(title("variance / n")).chain(variance).collect());
    }
    table
}

/// The mean distance over the pairs of an input with itself, with its standard error, where networks are drawn over all
/// pairs.
#[must_use]
pub fn diagonal_table(records: &[Record], normalisation: Normalisation) -> Table {
    let mut methods = methods_of(records, normalisation);
    methods.retain(|method| *method == DistanceMethod::SampledAll);
    let networks = networks(records, normalisation, &methods);
    let mut table = table_by_network("method", records, &networks);
    for method in methods {
        let found = by_network(records, normalisation, method, &networks);
        let cells = found.iter().map(|record| match record.map(|record| (record.diagonal, record.diagonal_error)) {
            Some((Some(mean), Some(error))) => format!("{mean:.2e} ± {error:.0e}"),
            Some((Some(mean), None)) => format!("{mean:.2e}"),
            _ => "-".into(),
        });
        table.row(std::iter::once(method.title().to_string()).chain(cells).collect());
    }
    table
}

/// A table without rows, of a column called `first` and one a network.
fn table_by_network(first: &str, records: &[Record], networks: &[&DistanceRecord]) -> Table {
    let mut heads = vec![first.to_string()];
    heads.extend(networks.iter().map(|record| network_name(records, record)));
    Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSource, Dataset};
    use crate::network::Connectivity;
    use crate::sampled::Device;
    use crate::study::{DistanceInputs, DistanceSpec, DistanceStudy, NetworkSpec};
    use std::sync::Arc;

    /// The record of a network on the pairs that a seed draws, on Gaussian inputs that do not depend on it.
    fn record_of(
        data: &Dataset,
        spec: &DistanceSpec,
        seed: u64,
        network: &NetworkSpec,
        method: DistanceMethod,
    ) -> DistanceRecord {
        let (inputs, device, drawn) = (data.inputs(3).unwrap(), &Device::CPU, Arc::default());
        let study = DistanceStudy { data, inputs, spec, seed, device, together: false, drawn };
        DistanceInputs::new(&study, Normalisation::None)
            .unwrap()
            .record(network, crate::Kernel::Nngp, method, &|_| {})
            .unwrap()
    }

    /// The records of the networks `WIDTH:CONNECTIVITY` under a method, on Gaussian inputs.
    fn records(networks: &[&str], method: DistanceMethod) -> Vec<Record> {
        let data = Dataset::from(DataSource::Gaussian { dimension: 6, samples: 20 });
        let networks: Vec<NetworkSpec> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let spec = DistanceSpec { pairs: 10, methods: vec![method], ..DistanceSpec::paper(networks) };
        let record = |network| Record::Distance(record_of(&data, &spec, 0, network, method));
        spec.networks.iter().map(record).collect()
    }

    #[test]
    fn every_method_stands_below_its_own_networks() {
        let all = [
            records(&["8:0.5", "8:0.2", "4:0.5"], DistanceMethod::Expansion),
            records(&["8:0.2"], DistanceMethod::Theorem1),
        ]
        .concat();
        for statistic in [Statistic::Mean, Statistic::Median] {
            let table = distance_table(&all, Normalisation::None, statistic).to_string();
            let cells = |row: &str| -> Vec<String> {
                let line = table.lines().find(|line| line.contains(row)).unwrap();
                line.split('|').map(|cell| cell.trim().to_string()).collect()
            };
            assert_eq!(cells("method")[2..5], ["n = 4, p = 0.5", "n = 8, p = 0.5", "n = 8, p = 0.2"]);
            let (theorem, moments) = (cells("Theorem 1"), cells("second-order expansion"));
            assert_eq!(theorem[2..4], ["-", "-"]);
            assert!(moments[2..5].iter().chain([&theorem[4]]).all(|cell| cell.contains('e')), "{table}");
        }
        let parts = parts_table(&all, Normalisation::None).to_string();
        assert!(parts.lines().filter(|line| line.contains("Theorem 1")).all(|line| line.matches(" - |").count() == 2));
    }

    #[test]
    fn eq_4_is_marked_where_inputs_have_another_scale() {
        let marked = |scale: f64| {
            let mut all = records(&["8:0.5"], DistanceMethod::Paper);
            let Some(Record::Distance(record)) = all.first_mut() else { panic!("no record") };
            record.mean_square = Some(scale);
            distance_table(&all, Normalisation::None, Statistic::Mean).to_string().contains('†')
        };
        assert!(!marked(1.05) && marked(0.5) && marked(2.0));
    }

    #[test]
    fn the_interval_of_a_mean_over_all_pairs_covers_it() {
        // 1,770 pairs of inputs of six entries, whose distances are skewed; 100 of them are drawn 400 times. An
        // interval that covers in 95 % does so in 92 to 97.5 % of 400 draws but for 1 of 100 seeds; these are fixed.
        let data = Dataset::from(DataSource::Gaussian { dimension: 6, samples: 60 });
        let connectivity = Connectivity::new(0.5).unwrap();
        let network = NetworkSpec::new(8, connectivity).unwrap();
        let record = |pairs: usize, seed: u64, method: DistanceMethod| {
            let spec = DistanceSpec { pairs, methods: vec![method], ..DistanceSpec::paper(vec![network.clone()]) };
            record_of(&data, &spec, seed, &network, method)
        };
        let all = record(10_000, 0, DistanceMethod::Expansion);
        assert_eq!((all.pairs, error_over_all_pairs(&all)), (1_770, Some(0.0)));
        let covers = |seed: &u64| {
            let some = record(100, *seed, DistanceMethod::Expansion);
            (some.mean - all.mean).abs() <= error_over_all_pairs(&some).unwrap()
        };
        let covered = (0..400).filter(covers).count();
        assert!((368..=390).contains(&covered), "{covered} of 400");
        // Beside the error of drawn networks, and of theory.
        for (method, adds) in [(DistanceMethod::Sampled, false), (DistanceMethod::Theorem1, true)] {
            let some = record(100, 1, method);
            let (_, Some((_, high))) = statistic_of(&some, Statistic::Mean).unwrap() else { panic!("no interval") };
            let (own, pairs) = (high - some.mean, some.mean_error_pairs.unwrap() * t_quantile_95(99).unwrap());
            let expected = if adds { own + pairs } else { own.hypot(pairs) };
            let found = error_over_all_pairs(&some).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12 && found > pairs, "{found} {expected}");
        }
    }
}
