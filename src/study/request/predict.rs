//! Test errors by kernel regression, beside trained ones.

use serde::Deserialize;

use super::{Caller, TrainingRequest, default_widths, say_origin, sizes};
use crate::data::{CLASSES, Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::kernel::ntk::{Kernel, KernelName, Tangent};
use crate::network::Connectivity;
#[cfg(feature = "cli")]
use crate::numeric::parse::{count, listed_count, number, share};
use crate::study::paper::{PAPER_BASE_WIDTH, PAPER_DIMENSION, PAPER_WIDTHS, figure_networks, paper_learning_rate};
use crate::study::{
    DistanceMethod, DistanceSpec, KernelSource, LearningRates, NetworkSpec, PredictionSpec, StudySpec, TrainedNetwork,
    TrainingStudySpec,
};

/// Test errors that kernels predict, with distances and, where they are asked for, trained networks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct PredictRequest {
    /// Hidden widths [default: 8,32,128,216,328,512,635, or others if these do not fit the budget]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST", value_parser = listed_count))]
    pub widths: Vec<usize>,
    /// Total number of weights, those of the last layer included [default: (d + classes) times 8, the paper's]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = count))]
    pub weights: Option<usize>,
    /// Normalisations of the inputs, by the statistics of the training samples; networks are trained under the first
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', default_values_t = Self::default().normalisation, value_name = "LIST"))]
    pub normalisation: Vec<Normalisation>,
    /// Kernels to predict by: nngp, that of the last layer, and ntk, the tangent kernel, which gradient descent sees
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', default_values_t = Self::default().kernel, value_name = "LIST"))]
    pub kernel: Vec<KernelName>,
    /// How the tangent kernel is parametrised, by which weights gradient descent moves: standardised ones (tau = 1),
    /// those of the paper's Eq. (1) (tau = p), or both
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', default_values_t = Self::default().tangent, value_name = "LIST"))]
    pub tangent: Vec<Tangent>,
    /// Number of random networks per width; they are the initial networks of the training runs
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().initialisations, value_name = "N", value_parser = count))]
    pub initialisations: usize,
    /// Also predict for networks of infinite width: sparse ones (by the second-order expansion) and the dense one
    #[cfg_attr(feature = "cli", arg(long))]
    pub limits: bool,
    /// Ridges to choose from, relative to the mean of the kernel's diagonal [default: 19 values, three per factor of
    /// ten, from 1e-4 to 100]
    #[cfg_attr(feature = "cli", arg(long, value_delimiter = ',', value_name = "LIST", value_parser = number))]
    pub ridges: Vec<f64>,
    /// Number of random pairs of test samples for distances; 0 for no distances
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().pairs, value_name = "N", value_parser = count))]
    pub pairs: usize,
    /// Relative error of Theorem 1's masked moments in distances, pair by pair
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().tolerance, value_name = "ERROR", value_parser = share))]
    pub tolerance: f64,
    /// Train the networks as well, and compare
    #[cfg_attr(feature = "cli", arg(long))]
    pub train: bool,
    /// Number of training runs per network
    #[cfg_attr(feature = "cli", arg(long, default_value_t = Self::default().runs, value_name = "N", requires = "train", value_parser = count))]
    pub runs: usize,
    /// How networks are trained.
    #[serde(flatten)]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub training: TrainingRequest,
}

impl Default for PredictRequest {
    fn default() -> Self {
        Self {
            widths: Vec::new(),
            weights: None,
            normalisation: vec![Normalisation::Pixel],
            kernel: vec![KernelName::Nngp, KernelName::Ntk],
            tangent: vec![Tangent::Standardised, Tangent::Paper],
            initialisations: 5,
            limits: false,
            ridges: Vec::new(),
            pairs: 500,
            tolerance: 1e-2,
            train: false,
            runs: 5,
            training: TrainingRequest::default(),
        }
    }
}

impl PredictRequest {
    /// The study that is asked for, with learning rates from a file where there is one.
    ///
    /// # Errors
    /// Where the data has no labels or cannot be read, the budget does not fit a width, there is no learning rate, or a
    /// setting that was given has no effect.
    pub fn study(
        self,
        data: Dataset,
        seed: u64,
        rates: Option<&LearningRates>,
        caller: &dyn Caller,
    ) -> Result<StudySpec> {
        if !self.train {
            for option in ["epochs", "batch", "parametrisation", "biases", "rates", "runs"] {
                caller.refuse(option, &format!("no network is trained without {}", caller.name("train")))?;
            }
        }
        let first = *self.normalisation.first().ok_or_else(|| {
            Error::value("normalisation", "(none)", "there is no normalisation", "give one, or leave it out")
        })?;
        let ((dimension, classes), images) = sizes(&data)?;
        let weights = self.weights.unwrap_or(dimension.saturating_add(classes).saturating_mul(PAPER_BASE_WIDTH));
        let usual = || default_widths(&PAPER_WIDTHS, (weights, dimension, classes), Connectivity::DENSE, caller);
        let widths = if self.widths.is_empty() { usual() } else { self.widths.clone() };
        let networks = NetworkSpec::at_budget(weights, dimension, classes, &widths)?;
        let kernels = self.kernels(caller)?;
        let distance = self.distance(&networks, &kernels, caller)?;
        let trained = figure_networks(&networks, classes, false)?;
        let of_paper = weights == (PAPER_DIMENSION + CLASSES) * PAPER_BASE_WIDTH
            && self.training.is_paper()
            && (dimension, classes) == (PAPER_DIMENSION, CLASSES);
        let no_rate = || {
            let problem = "learning rates are known only for the paper's widths and budget on images of MNIST's size";
            Error::value(&caller.name("rates"), "(none)", problem, caller.search(&data, &widths))
        };
        let with_rate = |network: &TrainedNetwork| -> Result<TrainedNetwork> {
            let rate = match rates {
                Some(rates) => self.training.rate(rates, network)?,
                None if of_paper => paper_learning_rate(network.hidden().width(), false).map_err(|_| no_rate())?,
                None => return Err(no_rate()),
            };
            Ok(network.with_rate(rate))
        };
        let spec = |networks, runs| self.training.spec(networks, runs, first);
        let training = match self.train {
            false => None,
            true => {
                let networks = trained.iter().map(with_rate).collect::<Result<Vec<_>>>()?;
                say_origin(rates, &data, first, caller);
                Some(spec(networks, self.runs))
            }
        };
        self.training.samples_of(images, caller);
        let prediction = self.prediction(spec(trained, 1), kernels);
        Ok(StudySpec { data, seed, distance, training, prediction: Some(prediction) })
    }

    fn kernels(&self, caller: &dyn Caller) -> Result<Vec<Kernel>> {
        let mut kernels = Vec::new();
        for name in &self.kernel {
            match name {
                KernelName::Nngp => kernels.push(Kernel::Nngp),
                KernelName::Ntk => kernels.extend(self.tangent.iter().map(|tangent| Kernel::Ntk(*tangent))),
            }
        }
        if !self.kernel.contains(&KernelName::Ntk) {
            caller.refuse("tangent", &format!("only {} ntk has such a convention", caller.name("kernel")))?;
        }
        Ok(kernels)
    }

    fn distance(
        &self,
        networks: &[NetworkSpec],
        kernels: &[Kernel],
        caller: &dyn Caller,
    ) -> Result<Option<DistanceSpec>> {
        if self.pairs == 0 {
            caller.refuse("tolerance", &format!("no distance is taken with {} 0", caller.name("pairs")))?;
            return Ok(None);
        }
        Ok(Some(DistanceSpec {
            normalisations: self.normalisation.clone(),
            // Eq. (4) is for the NNGP kernel alone.
            methods: match kernels.contains(&Kernel::Nngp) {
                true => vec![DistanceMethod::Theorem1, DistanceMethod::Paper],
                false => vec![DistanceMethod::Theorem1],
            },
            kernels: kernels.to_vec(),
            tangent_methods: Some(vec![DistanceMethod::Theorem1]),
            pairs: self.pairs,
            tolerance: self.tolerance,
            ..DistanceSpec::paper(networks.to_vec())
        }))
    }

    fn prediction(&self, training: TrainingStudySpec, kernels: Vec<Kernel>) -> PredictionSpec {
        let sources = match self.limits {
            true => KernelSource::ALL.to_vec(),
            false => vec![KernelSource::Drawn],
        };
        let usual =
            PredictionSpec::paper(training.networks.iter().map(|network| network.architecture.clone()).collect());
        PredictionSpec {
            normalisations: self.normalisation.clone(),
            samples: training.samples,
            evaluation: training.evaluation,
            law: training.law,
            kernels,
            sources,
            initialisations: self.initialisations,
            ridges: if self.ridges.is_empty() { usual.ridges.clone() } else { self.ridges.clone() },
            ..usual
        }
    }
}
