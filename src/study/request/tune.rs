//! Searches for learning rates.

use serde::Deserialize;

use super::{BudgetRequest, Caller, TrainingRequest, sizes};
use crate::data::{DataSource, Dataset, Normalisation};
use crate::error::Result;
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, listed_count, number};
use crate::study::{EvaluationSet, TrainingStudySpec, TuneSpec};

/// Validation samples by default: of the many that a folder has beside the training subset, or of the embedded ones.
const VALIDATION: usize = 10_000;
const EMBEDDED_VALIDATION: usize = 512;

/// Where rates are searched, and by which samples.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct SearchRequest {
    /// Lowest learning rate; the search goes up in factors of two, then tries half steps around the best
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().lowest, value_name = "RATE", value_parser = number))]
    pub lowest: f64,
    /// Highest learning rate
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().highest, value_name = "RATE", value_parser = number))]
    pub highest: f64,
    /// Number of validation samples, from unused training samples if there are enough, otherwise held out [default:
    /// 10000, or 512 of the embedded images; for smaller data all unused samples, or a quarter of the training samples
    /// if that is more]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub validation: Option<usize>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self { lowest: 0.25, highest: 4096.0, validation: None }
    }
}

impl SearchRequest {
    /// The validation samples, where `trained` of some images are trained on; a number that the data decided is said.
    pub fn evaluation(&self, data: &Dataset, images: usize, trained: usize, caller: &dyn Caller) -> EvaluationSet {
        if let Some(count) = self.validation {
            return EvaluationSet::Validation(count);
        }
        let usual = if *data.source() == DataSource::Embedded { EMBEDDED_VALIDATION } else { VALIDATION };
        let evaluation = EvaluationSet::usual_validation(usual, images, trained);
        if let EvaluationSet::Validation(count) = evaluation
            && count != usual
        {
            caller.note(&format!(
                "Validation: on {count} of the {images} training images, instead of {usual}; these are not trained on. \
                 Choose another number with {}.",
                caller.name("validation")
            ));
        }
        evaluation
    }

    /// The search for the rates of networks trained so, whichever they have there.
    #[must_use]
    pub fn spec(&self, data: Dataset, seed: u64, training: TrainingStudySpec) -> TuneSpec {
        TuneSpec { data, seed, training, range: (self.lowest, self.highest) }
    }
}

/// Networks whose learning rates are searched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct TuneRequest {
    /// Hidden widths [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count))]
    pub widths: Vec<usize>,
    /// Which weights the networks have.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub budget: BudgetRequest,
    /// Where rates are searched, and by which samples.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub search: SearchRequest,
    /// How they are trained.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub training: TrainingRequest,
    /// Number of runs per rate, at the few rates left in the last stage
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().runs, value_name = "N", value_parser = count))]
    pub runs: usize,
    /// Normalisation of the inputs, by the statistics of the training samples
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Self::default().normalisation))]
    pub normalisation: Normalisation,
}

impl Default for TuneRequest {
    fn default() -> Self {
        Self {
            widths: Vec::new(),
            budget: BudgetRequest::default(),
            search: SearchRequest::default(),
            training: TrainingRequest::default(),
            runs: 3,
            normalisation: Normalisation::Pixel,
        }
    }
}

impl TuneRequest {
    /// The search that is asked for.
    ///
    /// # Errors
    /// Where the data has no labels or cannot be read, or the budget does not fit a width.
    pub fn spec(self, data: Dataset, seed: u64, caller: &dyn Caller) -> Result<TuneSpec> {
        let (sizes, images) = sizes(&data)?;
        let usual = || self.budget.default_widths(sizes, caller);
        let widths = if self.widths.is_empty() { usual()? } else { self.widths };
        // Any rate: the search goes through its own.
        let networks = self.budget.networks(sizes, &widths, |_| Ok(1.0), caller)?;
        let trained = self.training.samples_of(images, caller);
        let evaluation = self.search.evaluation(&data, images, trained, caller);
        let training = TrainingStudySpec { evaluation, ..self.training.spec(networks, self.runs, self.normalisation) };
        Ok(self.search.spec(data, seed, training))
    }
}
