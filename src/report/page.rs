//! What each study comes to, from its records alone: a text, pictures, settings, and files.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::assumptions::{assumptions, optimum_assumptions};
use super::budget::{BudgetChart, budget_chart, budget_table, budget_total};
use super::chart::Chart;
use super::comparison::{ComparedSetting, comparison_text, regret_chart};
use super::distance_tables::{diagonal_table, distance_table, distance_words, normalisations, parts_table};
use super::figure::{accuracy_chart, curves_chart, distance_chart, kernels, of_kernel, parts_chart};
use super::heat_map::{HeatMap, heat_map};
use super::left_out::left_out;
use super::masks::{deep_masks_table, kernels_of, layers_table, masks_chart, masks_table, masks_words};
use super::optimum::{optimum_chart, optimum_note, optimum_table};
use super::picture::{Picture, Spot};
use super::predicted_optimum::{predicted_optimum_chart, predicted_optimum_table, predicted_optimum_words};
use super::prediction::{prediction_chart, prediction_text};
use super::settings::{settings_of_records, settings_of_report};
use super::summary::{summary, training_table};
use super::tune::{tune_chart, tune_table};
use super::verify::{paper_chart, verify_page, verify_scores_chart, verify_values_chart};
use super::widen::{widen_chart, widen_distance_chart, widen_summary};
use super::{SUMMARY, Statistic};
use crate::data::Normalisation;
use crate::error::{Error, Result};
use crate::kernel::ntk::{Kernel, Tangent};
use crate::network::Activation;
use crate::network::budget::LayerShapes;
use crate::study::{
    LayerRecord, MOST_PAIRS, MasksReport, OptimumReport, PredictedOptimum, Record, TrainedNetwork, TuneReport,
    VerifyReport,
};

/// A picture of any kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Drawing {
    /// Lines and points.
    Chart(Chart),
    /// A table of colours.
    HeatMap(HeatMap),
    /// Where a weight budget goes.
    Budget(BudgetChart),
}

impl Drawing {
    /// What stands above it.
    pub(super) fn title_mut(&mut self) -> &mut String {
        match self {
            Self::Chart(chart) => &mut chart.title,
            Self::HeatMap(map) => &mut map.title,
            Self::Budget(chart) => &mut chart.title,
        }
    }

    /// Whether it is drawn in lines on white, or its colours are numbers: a name for either.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Chart(_) | Self::Budget(_) => "lines",
            Self::HeatMap(_) => "map",
        }
    }
}

impl Picture for Drawing {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Chart(chart) => chart.size(),
            Self::HeatMap(map) => map.size(),
            Self::Budget(chart) => chart.size(),
        }
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        factor: u32,
    ) -> std::result::Result<Vec<Spot>, DrawingAreaErrorKind<DB::ErrorType>> {
        match self {
            Self::Chart(chart) => chart.draw(area, factor),
            Self::HeatMap(map) => map.draw(area, factor),
            Self::Budget(chart) => chart.draw(area, factor),
        }
    }
}

/// What a study comes to.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it is about; a text that begins with a title of its own has that.
    pub title: String,
    /// What to look at first, for who sees all of it at once; where it is empty, the first paragraph of the text says.
    pub lead: String,
    /// The result, in Markdown.
    pub text: String,
    /// Pictures by the names of their files, without endings.
    pub pictures: Vec<(String, Drawing)>,
    /// Further files by name, as text.
    pub files: Vec<(String, String)>,
    /// What should be said beside the result.
    pub remarks: Vec<String>,
    /// What it was found with: a table in Markdown, empty where records do not say.
    pub settings: String,
}

impl Page {
    /// A page of a text.
    fn of(title: &str, lead: &str, text: String) -> Self {
        Self { title: title.into(), lead: lead.into(), text, ..Self::default() }
    }

    /// Adds a chart, where there is one.
    fn chart(&mut self, name: impl Into<String>, chart: Option<Chart>) {
        self.pictures.extend(chart.map(|chart| (name.into(), Drawing::Chart(chart))));
    }

    /// Adds a remark, once.
    fn remark(&mut self, remark: &str) {
        if !self.remarks.iter().any(|known| known == remark) {
            self.remarks.push(remark.into());
        }
    }

    /// The pictures and files that it writes, in words.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        let pictures: Vec<&str> = self.pictures.iter().map(|(name, _)| name.as_str()).collect();
        let pictures = (!pictures.is_empty()).then(|| format!("{} (.svg, .png)", pictures.join(", ")));
        let files = self.files.iter().map(|(name, _)| name.clone());
        pictures.into_iter().chain(files).collect()
    }
}

/// The pictures of [`distance_page`], under some normalisations and of some kernels.
#[must_use]
pub fn distance_pictures(normalisations: &[Normalisation], kernels: &[Kernel]) -> Vec<String> {
    let of = |normalisation: Normalisation, kernel: Kernel| {
        let before = distance_picture(normalisation, kernel);
        ["mean", "median", "parts"].map(|picture| format!("{before}-{picture}"))
    };
    normalisations
        .iter()
        .flat_map(|normalisation| kernels.iter().flat_map(|kernel| of(*normalisation, *kernel)))
        .collect()
}

/// What the names of pictures of distances begin with.
fn distance_picture(normalisation: Normalisation, kernel: Kernel) -> String {
    format!("distance-{}{}", normalisation.name(), picture_of(kernel))
}

/// What a kernel adds to the names of its pictures.
fn picture_of(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Nngp => "",
        Kernel::Ntk(Tangent::Standardised) => "-ntk",
        Kernel::Ntk(Tangent::Paper) => "-ntk-paper",
    }
}

/// Distances against width: tables of means and medians, and of the two parts, by kernel.
#[must_use]
pub fn distance_page(records: &[Record]) -> Page {
    let lead = "How far the kernel of a sparse, finite network is from that of infinite width, by several methods. Lower \
                is nearer to infinite width; where sampled networks and Theorem 1 agree, the theory holds.";
    let mut page = Page::of("Kernel distance against width", lead, String::new());
    page.settings = settings_of_records(records);
    for kernel in kernels(records) {
        if kernel != Kernel::Nngp {
            page.text += &format!("The {}\n\n", kernel.title());
        }
        add_distances(&mut page, &of_kernel(records, kernel), kernel);
    }
    page
}

/// Adds the distances of one kernel to a page.
fn add_distances(page: &mut Page, records: &[Record], kernel: Kernel) {
    for normalisation in normalisations(records) {
        let picture = distance_picture(normalisation, kernel);
        for statistic in [Statistic::Mean, Statistic::Median] {
            let table = distance_table(records, normalisation, statistic);
            if table.is_empty() {
                continue;
            }
            let words = distance_words(records, normalisation, statistic);
            let name = statistic.name();
            page.text += &format!("Distance, {name} over pairs, {}\n\n{table}\n{words}\n\n", normalisation.title());
            let chart = distance_chart(records, normalisation, statistic);
            if chart.is_none() {
                let remark = "No picture: several networks have the same width.";
                page.remark(remark);
            }
            page.chart(format!("{picture}-{name}"), chart);
        }
        page.text += &assumptions(records, normalisation);
        page.chart(format!("{picture}-parts"), parts_chart(records, normalisation));
        for (title, table) in [
            ("Its two parts, means over pairs", parts_table(records, normalisation)),
            ("Pairs of an input with itself, mean distance", diagonal_table(records, normalisation)),
        ] {
            if !table.is_empty() {
                page.text += &format!("{title}, {}\n\n{table}\n", normalisation.title());
            }
        }
    }
}

/// The pictures of [`training_page`].
pub const TRAINING_PICTURES: [&str; 2] = ["accuracy", "curves"];

/// Trained networks: a table, accuracy against width and learning curves.
#[must_use]
pub fn training_page(records: &[Record]) -> Page {
    let lead = "Accuracy of trained networks on samples that they were not trained on. Networks whose 95 % intervals \
                overlap widely cannot be told apart; the curves show whether training had come to rest.";
    let mut page = Page::of("Trained networks", lead, training_table(records).to_string());
    page.settings = settings_of_records(records);
    page.chart("accuracy", accuracy_chart(records));
    page.chart("curves", curves_chart(records));
    page
}

/// The pictures that [`figure_page`] can have.
pub fn figure_pictures() -> Vec<String> {
    let mut names: Vec<String> = PREDICTION_PICTURES.map(str::to_string).to_vec();
    for suffix in ["", "-pixel", "-global", "-none"] {
        for of in ["", "-ntk", "-ntk-paper"] {
            names.extend(["", "-parts", "-median"].map(|kind| format!("distance{suffix}{of}{kind}")));
        }
    }
    names
}

/// Kernel distance and test error against width, with a summary. The normalisation of the training, or without training
/// the first, has the plain names.
pub fn figure_page(records: &[Record]) -> Page {
    let mut page = training_page(records);
    let trained = records.iter().find_map(Record::training).map(|run| run.normalisation);
    let plain = trained.or_else(|| normalisations(records).first().copied());
    for kernel in kernels(records) {
        let records = of_kernel(records, kernel);
        for &normalisation in Normalisation::ALL {
            let suffix =
                if plain == Some(normalisation) { String::new() } else { format!("-{}", normalisation.name()) };
            let name = format!("distance{suffix}{}", picture_of(kernel));
            page.chart(&name, distance_chart(&records, normalisation, Statistic::Mean));
            page.chart(format!("{name}-parts"), parts_chart(&records, normalisation));
            page.chart(format!("{name}-median"), distance_chart(&records, normalisation, Statistic::Median));
        }
    }
    let left_out = left_out(records);
    page.chart("prediction", prediction_chart(records));
    page.lead = "Is a wider, sparser network better at the same number of weights, and does its kernel say so before \
                 training? Compare where the test error is least with where the distance is."
        .into();
    page.text = summary(records, &left_out, seed(records)) + &prediction_text(records, seed(records));
    page.files.push((SUMMARY.into(), page.text.clone()));
    if !left_out.is_empty() {
        page.remarks.push(format!("Left out: {left_out}"));
    }
    page
}

/// The pictures of [`prediction_page`].
pub const PREDICTION_PICTURES: [&str; 3] = ["prediction", "accuracy", "curves"];

/// Predicted test errors, beside trained ones and distances where there are any.
#[must_use]
pub fn prediction_page(records: &[Record]) -> Page {
    let trains = records.iter().any(|record| record.training().is_some());
    let lead = "Test errors that regression with the kernels of networks as drawn predicts, without training them. The \
                width at which a predicted error is least is the one that its kernel names; where networks were trained \
                as well, tables say what that choice costs.";
    let mut page = Page::of("Predicted test errors", lead, prediction_text(records, seed(records)));
    page.settings = settings_of_records(records);
    page.chart("prediction", prediction_chart(records));
    if trains {
        let trained = training_page(records);
        page.text += &format!("## Trained networks\n\n{}\n", trained.text);
        page.pictures.extend(trained.pictures);
    }
    for kernel in kernels(records) {
        let records = of_kernel(records, kernel);
        for normalisation in normalisations(&records) {
            let title = format!("Distance of the {}, {}", kernel.title(), normalisation.title());
            for statistic in [Statistic::Mean, Statistic::Median] {
                let table = distance_table(&records, normalisation, statistic);
                if !table.is_empty() {
                    page.text += &format!("{title}, {} over pairs\n\n{table}\n", statistic.name());
                }
            }
            page.text += &assumptions(&records, normalisation);
        }
    }
    page.files.push((SUMMARY.into(), page.text.clone()));
    page
}

/// The pictures of [`comparison_page`].
pub const COMPARISON_PICTURES: [&str; 1] = ["regret"];

/// The file of [`comparison_page`].
pub const COMPARISON: &str = "comparison.md";

/// How well predictors choose the width, over several settings.
#[must_use]
pub fn comparison_page(settings: &[ComparedSetting], seed: u64) -> Page {
    let lead = "What it costs to train at the width that a predictor names instead of the best one, over several \
                settings. Lower is better.";
    let mut page = Page::of("How well predictors choose the width", lead, comparison_text(settings, seed));
    page.chart("regret", regret_chart(&settings.iter().collect::<Vec<_>>()));
    page.files.push((COMPARISON.into(), page.text.clone()));
    page
}

/// The pictures of [`heat_map_page`].
pub const HEAT_MAP_PICTURES: [&str; 2] = ["heatmap-relu", "heatmap-linear"];

/// Accuracy over the connectivities of both layers, a map for each activation.
///
/// # Errors
/// Where there is no record of a training run.
pub fn heat_map_page(records: &[Record]) -> Result<Page> {
    let lead = "Each cell is the mean best accuracy of the networks of one width; a star marks the best.";
    let mut page = Page::of("Accuracy over the connectivities of network and last layer", lead, String::new());
    page.settings = settings_of_records(records);
    let mut activations: Vec<Activation> = Vec::new();
    for run in records.iter().filter_map(Record::training) {
        if !activations.contains(&run.activation) {
            activations.push(run.activation);
        }
    }
    for activation in activations {
        let map = heat_map(records, activation).expect("activations were taken from these records");
        let name = format!("heatmap-{}", activation.name());
        page.text += &match map.best() {
            Some((row, column, accuracy)) => {
                let column = map.columns[column].replace('\n', ", width ");
                let row = &map.rows[row];
                format!("{name}: best {accuracy:.2} % at overall connectivity {column}, last layer {row}\n")
            }
            None => format!("{name}: every run diverged before the end of its first epoch\n"),
        };
        page.pictures.push((name, Drawing::HeatMap(map)));
    }
    if page.pictures.is_empty() {
        return Err(Error::failure("drawing the heat map", "there is no training run among the records"));
    }
    Ok(page)
}

/// The pictures of [`widen_page`].
pub const WIDEN_PICTURES: [&str; 2] = ["widen", "widen-distance"];

/// The ways to widen at a fixed budget. `at_end`: networks whose best learning rate lay at an end of the range
/// searched.
#[must_use]
pub fn widen_page(records: &[Record], at_end: &[String]) -> Page {
    let lead = "Ways to make a network wider without more weights. The first table says what each gains over the dense \
                network of the same budget.";
    let mut page = Page::of("", lead, widen_summary(records, seed(records)));
    page.settings = settings_of_records(records);
    page.chart("widen", widen_chart(records));
    page.chart("widen-distance", widen_distance_chart(records));
    if !at_end.is_empty() {
        page.text += &format!(
            "\nThe best learning rate lay at an end of the range searched, so that a better one may lie beyond it: {}.\n",
            at_end.join(", ")
        );
    }
    page.files.push((SUMMARY.into(), page.text.clone()));
    page
}

/// A search for learning rates.
pub fn tune_page(report: &TuneReport) -> Page {
    let lead = "The learning rate of each network with the least error on validation samples. A rate at an end of the \
                range searched may not be the best.";
    let text = format!("{}\n±: the standard error over runs.\n", tune_table(report));
    let mut page = Page::of("Learning rates", lead, text);
    page.settings = settings_of_report(&report.spec, &[]);
    page.chart("tune", Some(tune_chart(report)));
    let none: Vec<String> = report.without_rate().map(TrainedNetwork::name).collect();
    if !none.is_empty() {
        page.remarks.push(format!("No learning rate for {}: every run diverged. Search lower rates.", none.join(", ")));
    }
    page
}

/// The connectivity and width of the least distance.
#[must_use]
pub fn optimum_page(report: &OptimumReport) -> Page {
    let lead = "The width of the least distance at this number of weights, by each method. The last column says how much \
                the choice of method matters: the exact distance there, over the least one.";
    let mut page = Page::of("The width of the least kernel distance", lead, optimum_table(report).to_string());
    page.settings = settings_of_report(&report.spec, &[("checksum", &report.checksum), ("version", &report.version)]);
    if report.spec.kernel != Kernel::Nngp {
        page.text +=
            &format!("\nDistances of the {}. Eq. (4) is that of the NNGP kernel.\n", report.spec.kernel.title());
    }
    let said = optimum_assumptions(report);
    if !said.is_empty() {
        page.text += &format!("\n{said}");
    }
    page.chart("optimum", Some(optimum_chart(report)));
    page.remarks.extend(optimum_note(report));
    page
}

/// The width of the least predicted error.
#[must_use]
pub fn predicted_optimum_page(report: &PredictedOptimum) -> Page {
    let text = format!("{}\n{}\n", predicted_optimum_table(report), predicted_optimum_words(report));
    let mut page = Page::of("The width of the least predicted error", "", text);
    page.settings = settings_of_report(&report.by, &[("checksum", &report.checksum), ("version", &report.version)]);
    page.chart("optimum", Some(predicted_optimum_chart(report)));
    page
}

/// The pictures that [`masks_page`] can have.
#[must_use]
pub fn masks_pictures() -> Vec<String> {
    [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)].map(masks_picture).into()
}

fn masks_picture(kernel: Kernel) -> String {
    format!("masks{}", picture_of(kernel))
}

/// Given masks: what each layer keeps, and the distances of first layers.
#[must_use]
pub fn masks_page(report: &MasksReport) -> Page {
    let lead = "What each layer keeps, and how far the kernels of the masked network are from those of infinite width. A \
                ratio above 1 is farther than that of random masks with as many weights.";
    let mut page = Page::of("Given masks", lead, String::new());
    let others: [(&str, &dyn ToString); 5] = [
        ("inputs", &report.inputs),
        ("checksum", &report.checksum),
        ("random masks", &report.drawn),
        ("seed", &report.seed),
        ("version", &report.version),
    ];
    page.settings = settings_of_report(&(), &others);
    for (place, layer) in report.layers.iter().enumerate() {
        if place == 0 || report.layers[place - 1].file != layer.file {
            let own: Vec<&LayerRecord> =
                report.layers[place..].iter().take_while(|other| other.file == layer.file).collect();
            page.text += &format!("{}\n\n{}\n", layer.file, layers_table(&own));
        }
    }
    page.text += "A dead unit keeps no weight. An unused input has no weight to any unit. A disconnected unit has no path \
                  from an input of the network, or none to an output.\n";
    if !report.records.is_empty() {
        page.text += &format!(
            "\nDistance of the first layer's kernels to those of infinite width, over {}\n\n{}\n{}\n",
            report.inputs,
            masks_table(&report.records),
            masks_words(report)
        );
    }
    let deep = deep_masks_table(&report.records);
    if !deep.is_empty() {
        page.text += &format!(
            "\nDistance of the last hidden layer's kernels, over at most {MOST_PAIRS} of these pairs, with drawn \
             weights and a dense readout\n\n{deep}\nThe estimate of bias^2 is unbiased, and can be negative.\n"
        );
    }
    for kernel in kernels_of(report) {
        page.chart(masks_picture(kernel), masks_chart(report, kernel));
    }
    page.remarks.extend(report.collapsed().iter().map(|layer| format!("Layer collapse: {layer} keeps no weight.")));
    page.remarks.extend(report.without_distances());
    page.remarks.extend(report.unchained());
    page
}

/// The pictures of [`verification_page`].
pub const VERIFY_PICTURES: [&str; 3] = ["verify-z", "verify-values", "verify-paper"];

/// Theorem 1 against sampled networks.
#[must_use]
pub fn verification_page(report: &VerifyReport) -> Page {
    // Its verdict comes first.
    let mut page = Page::of("", "", verify_page(report));
    page.settings = settings_of_report(&report.spec, &[("version", &report.version)]);
    page.chart("verify-z", Some(verify_scores_chart(report)));
    page.chart("verify-values", Some(verify_values_chart(report)));
    page.chart("verify-paper", (!report.paper.is_empty()).then(|| paper_chart(report)));
    page.files.push(("verify.md".into(), page.text.clone()));
    page
}

/// A weight budget over the layers of a network.
#[must_use]
pub fn budget_page(network: &LayerShapes, rule: &str, kept: &[u64]) -> Page {
    let text = format!("{}\n{}\n", budget_table(network, kept), budget_total(network, kept));
    let mut page = Page::of("A weight budget over layers", "", text);
    page.pictures.push(("budget".into(), Drawing::Budget(budget_chart(network, rule, kept))));
    page
}

/// The seed of a study, by its first record; any, without records, which have no correlations to simulate.
fn seed(records: &[Record]) -> u64 {
    records.first().map_or(0, |record| match record {
        Record::Distance(record) => record.seed,
        Record::Training(run) => run.seed,
        Record::Prediction(record) => record.seed,
    })
}
