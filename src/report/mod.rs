//! Reports: records in; tables, files and pictures out. Only statistics of the records are computed here: no network is
//! drawn, trained or evaluated.
//!
//! [`write_records`] writes the files of a study, which [`read_records`](crate::study::read_records) reads. Of records,
//! [`distance_table`] (which [`distance_words`] explains), [`parts_table`], [`training_table`] and
//! [`correlation_table`] make tables, [`summary`] a whole page; [`distance_chart`], [`parts_chart`], [`accuracy_chart`]
//! and [`curves_chart`] make a [`Chart`], which [`Picture`] renders as SVG or PNG and [`write_chart`] writes as both.
//! Reports of the other studies have tables and charts of their own. A [`Page`] has all that a study comes to, which
//! [`Page::html`] makes one file for a browser.

mod assumptions;
mod axis;
mod budget;
mod chart;
mod comparison;
mod distance_tables;
mod figure;
mod files;
mod heat_map;
mod html;
mod layout;
mod left_out;
mod masks;
mod optimum;
mod page;
mod picture;
mod predicted_optimum;
mod prediction;
mod predictors;
mod settings;
mod summary;
mod table;
mod tune;
mod verify;
mod widen;

pub use assumptions::{assumptions, optimum_assumptions};
pub use budget::{BudgetChart, budget_chart, budget_table, budget_total, empty_layers};
pub use chart::{Chart, ChartPoint, ChartSeries, Line, Scale};
pub use comparison::{ComparedSetting, comparison_text, regret_chart, regret_table, settings_table};
pub use distance_tables::{diagonal_table, distance_table, distance_words, parts_table};
pub use figure::{accuracy_chart, curves_chart, distance_chart, parts_chart};
pub use files::{
    MASKS_FILES, RECORD_FILES, TUNE, TUNE_FILES, report_folder, study_folder, write_chart, write_masks, write_records,
    write_tune,
};
pub use heat_map::{HeatMap, heat_map};
pub use html::INDEX;
pub use left_out::left_out;
pub use masks::{deep_masks_table, layers_table, masks_chart, masks_table};
pub use optimum::{optimum_chart, optimum_note, optimum_table};
pub use page::{
    COMPARISON, COMPARISON_PICTURES, Drawing, HEAT_MAP_PICTURES, PREDICTION_PICTURES, Page, TRAINING_PICTURES,
    VERIFY_PICTURES, WIDEN_PICTURES, budget_page, comparison_page, distance_page, distance_pictures, figure_page,
    figure_pictures, heat_map_page, masks_page, masks_pictures, optimum_page, predicted_optimum_page, prediction_page,
    training_page, tune_page, verification_page, widen_page,
};
pub use picture::{Picture, Spot};
pub use predicted_optimum::{predicted_optimum_chart, predicted_optimum_table, predicted_optimum_words};
pub use prediction::{choice_table, prediction_chart, prediction_table, prediction_text, spectrum_table};
pub use predictors::{Regret, Score, TrainedWidths, scores};
pub use summary::{correlation_table, summary, training_table};
pub use table::Table;
pub use tune::{tune_chart, tune_table};
pub use verify::{
    paper_chart, paper_table, verify_page, verify_scores_chart, verify_table, verify_tests, verify_values_chart,
};
pub use widen::{widen_chart, widen_distance_chart, widen_summary};

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// The file of a page.
pub const SUMMARY: &str = "summary.md";

/// Which statistic over pairs a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Statistic {
    /// The mean, which the theory is about, and which a few heavy-tailed pairs can rule.
    Mean,
    /// The median: the typical pair.
    Median,
}

impl Statistic {
    /// The name, for titles and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}
