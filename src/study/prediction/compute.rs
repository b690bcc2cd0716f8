//! The test errors that kernels predict, on data that is prepared once per normalisation.

use ndarray::{Array2, ArrayView2, s};

use super::spec::check_samples;
use super::{KernelSource, PredictionSpec};
use crate::data::{Dataset, GlobalScale, Normalisation, Normaliser, PreparedInputs};
use crate::error::{Error, Result};
use crate::kernel::matrix::KernelMatrix;
use crate::kernel::ntk::Kernel;
use crate::network::Architecture;
use crate::numeric::statistics::{mean, standard_error};
use crate::regression::{
    Criterion, KernelRidge, RidgeGrid, RidgeStep, Targets, alignment, best_step, centred_alignment, classes, error_rate,
};
use crate::sampled::{DrawnNetwork, TiledInputs};
use crate::study::density::{self, Density};
use crate::study::record::{PredictionRecord, Predictor, RidgePoint, SCHEMA};
use crate::study::training::sets;

/// The most weights of a network whose kernels are taken: their places take 24 bytes each while an exact count is
/// drawn.
const MOST_WEIGHTS: f64 = 2e8;

/// Refuses networks that would not fit in memory, or whose kernels would take days.
pub(crate) fn check_weights(weights: f64) -> Result<()> {
    if weights <= MOST_WEIGHTS {
        return Ok(());
    }
    let problem = format!("kernel matrices are of networks of at most {MOST_WEIGHTS:.0} weights");
    Err(Error::value("weights", format!("{weights:.0}"), problem, "give fewer weights or a smaller width"))
}

/// A kernel of at most one feature for this many samples is decomposed through its features.
const FEW: usize = 3;

/// Training and test samples in one normalisation.
#[derive(Debug)]
pub(crate) struct PreparedPrediction<'a> {
    spec: &'a PredictionSpec,
    normalisation: Normalisation,
    seed: u64,
    scale: Option<GlobalScale>,
    grid: RidgeGrid,
    classes: usize,
    training: Set,
    test: Set,
    targets: Targets,
    labels: Vec<u8>,
}

#[derive(Debug)]
struct Set {
    inputs: PreparedInputs,
    /// For drawn networks.
    tiled: TiledInputs,
    checksum: String,
}

/// A regression at every ridge.
struct Regression {
    /// The place of the ridge that was chosen.
    chosen: usize,
    points: Vec<RidgePoint>,
    log_marginal_likelihood: f64,
    effective_rank: f64,
    condition_number: Option<f64>,
    alignment: Option<f64>,
    centred_alignment: Option<f64>,
    degrees_of_freedom: f64,
}

impl<'a> PreparedPrediction<'a> {
    /// Loads the data, takes the samples on which networks are trained, and normalises them and the test samples by
    /// their statistics.
    ///
    /// # Errors
    /// Where the data has no labels, does not admit the normalisation, or has another number of classes than networks
    /// have outputs.
    pub fn new(source: &Dataset, spec: &'a PredictionSpec, normalisation: Normalisation, seed: u64) -> Result<Self> {
        let data = source.to_learn()?;
        let (training, test) = sets(&data, spec.samples, spec.evaluation)?;
        check_samples(training.len())?;
        for network in &spec.networks {
            check_weights(network.weights(training.images.ncols()))?;
        }
        let values = training.images.to_real();
        let normaliser = Normaliser::fit(normalisation, &values, training.kind())?;
        let set = |values: Array2<f64>, checksum: &str| -> Result<Set> {
            let inputs = PreparedInputs::new(normaliser.apply(values)?)?;
            Ok(Set { tiled: TiledInputs::of_any(inputs.values())?, inputs, checksum: checksum.into() })
        };
        Ok(Self {
            spec,
            normalisation,
            seed,
            scale: normaliser.global_scale(),
            grid: RidgeGrid::new(&spec.ridges)?,
            classes: data.classes(),
            training: set(values, &training.checksum)?,
            test: set(test.images.to_real(), &test.checksum)?,
            targets: Targets::one_hot(&training.labels, data.classes())?,
            labels: test.labels,
        })
    }

    /// The normalisation.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// The checksums of training and test files.
    pub fn checksums(&self) -> [&str; 2] {
        [&self.training.checksum, &self.test.checksum]
    }

    /// A rough count of the operations of one record.
    pub fn operations(&self, network: Option<&Architecture>, source: KernelSource, kernel: Kernel) -> f64 {
        let (m, t, d) =
            (self.training.inputs.samples() as f64, self.test.inputs.samples() as f64, self.training.tiled.dimension());
        let decomposition = 10.0 * m.powi(3);
        match (source, network) {
            (KernelSource::Drawn, Some(network)) => {
                let features = match kernel {
                    Kernel::Nngp => network.layers()[0].width() as f64,
                    Kernel::Ntk(_) => network.weights(d),
                };
                let columns = (self.classes * self.spec.ridges.len()) as f64;
                self.spec.initialisations as f64
                    * (decomposition + features * (m * m / 2.0 + 2.0 * columns * (m + t)) / 4.0)
            }
            _ => decomposition + 8.0 * d as f64 * m * (m + t),
        }
    }

    /// Remarks to make before the work: layers left without a weight.
    pub fn remarks(&self) -> Vec<String> {
        let d = self.training.tiled.dimension();
        let of =
            |network: &Architecture| density::remark(&format!("Prediction for {network}"), &Density::of(network, d)?);
        self.spec.networks.iter().filter_map(of).collect()
    }

    /// The prediction for a network; of the dense limit, without one. `within` is called with the share that is done.
    ///
    /// # Errors
    /// Where a kernel is beyond double precision.
    pub fn record(
        &self,
        data: &Dataset,
        network: Option<&Architecture>,
        (source, kernel): (KernelSource, Kernel),
        within: &dyn Fn(f64),
    ) -> Result<PredictionRecord> {
        let draws = self.spec.initialisations;
        let found: Result<Vec<Regression>> = match (source, network) {
            (KernelSource::Drawn, Some(network)) => (0..draws as u32)
                .map(|initialisation| {
                    within(f64::from(initialisation) / draws as f64);
                    self.of_drawn(network, initialisation, kernel)
                })
                .collect(),
            (KernelSource::MaskedLimit, Some(network)) => {
                let connectivity = network.layers()[0].connectivity();
                let matrix = |x, y| KernelMatrix::expansion(x, y, kernel, connectivity);
                self.of_limit(matrix).map(|found| vec![found])
            }
            (KernelSource::DenseLimit, None) => {
                self.of_limit(|x, y| KernelMatrix::infinite_width(x, y, kernel)).map(|found| vec![found])
            }
            _ => panic!("invariant: every source but the dense limit is of a network"),
        };
        let (found, problem) = match found {
            Ok(found) => (found, None),
            // An approximation need not be a kernel. Of anything else, that is an error.
            Err(error) if source == KernelSource::MaskedLimit => (Vec::new(), Some(error.problem().to_string())),
            Err(error) => return Err(error),
        };
        Ok(self.summarised(data, network, (source, kernel), &found, problem))
    }

    fn of_drawn(&self, network: &Architecture, initialisation: u32, kernel: Kernel) -> Result<Regression> {
        let (training, test) = (&self.training.tiled, &self.test.tiled);
        let drawn = DrawnNetwork::new(network, training.dimension(), self.spec.law, self.seed, initialisation)?;
        let gram = drawn.kernel(training, kernel)?;
        let regression = self.regression(&drawn, gram.view(), kernel)?;
        self.at_every_ridge(&regression, gram.view(), |all| drawn.predict(training, all, test, kernel))
    }

    /// The regression with the kernel of a drawn network: of its features, where there are few.
    fn regression(&self, drawn: &DrawnNetwork, gram: ArrayView2<f64>, kernel: Kernel) -> Result<KernelRidge<'_>> {
        let few = drawn.feature_count(kernel) <= self.targets.samples() / FEW;
        match few {
            true => KernelRidge::of_features(drawn.feature_matrix(&self.training.tiled, kernel)?.view(), &self.targets),
            false => KernelRidge::new(gram, &self.targets),
        }
    }

    /// Whether a regression on all others puts each training sample in a wrong class, with the kernel of a drawn
    /// network.
    ///
    /// # Errors
    /// Where the network is not one of the spec's kind.
    pub fn wrong_when_left_out(
        &self,
        network: &Architecture,
        initialisation: u32,
        kernel: Kernel,
    ) -> Result<Vec<bool>> {
        let training = &self.training.tiled;
        let drawn = DrawnNetwork::new(network, training.dimension(), self.spec.law, self.seed, initialisation)?;
        let gram = drawn.kernel(training, kernel)?;
        let regression = self.regression(&drawn, gram.view(), kernel)?;
        let steps = regression.path(&self.grid)?;
        let left_out = &steps[best_step(&steps, Criterion::SquaredError)?].left_out;
        let found = classes(left_out.predictions(&self.targets).view());
        let labels = self.targets.labels().expect("invariant: targets are classes");
        Ok(found.iter().zip(labels).map(|(found, label)| *found != usize::from(*label)).collect())
    }

    /// Inputs and classes.
    pub fn sizes(&self) -> (usize, usize) {
        (self.training.tiled.dimension(), self.classes)
    }

    fn of_limit<'b>(
        &'b self,
        matrix: impl Fn(&'b PreparedInputs, Option<&'b PreparedInputs>) -> Result<KernelMatrix<'b>>,
    ) -> Result<Regression> {
        let (training, test) = (&self.training.inputs, &self.test.inputs);
        let gram = matrix(training, None)?.to_array()?;
        let regression = KernelRidge::new(gram.view(), &self.targets)?;
        self.at_every_ridge(&regression, gram.view(), |all| matrix(test, Some(training))?.times(all))
    }

    /// Errors at every ridge that the precision of the kernel admits; `predict` gives the kernels between test and
    /// training samples times some columns.
    fn at_every_ridge(
        &self,
        regression: &KernelRidge,
        gram: ArrayView2<f64>,
        predict: impl Fn(ArrayView2<f64>) -> Result<Array2<f64>>,
    ) -> Result<Regression> {
        let steps = regression.path(&self.grid)?;
        let chosen = best_step(&steps, Criterion::SquaredError)?;
        let columns: Vec<ArrayView2<f64>> = steps.iter().map(|step| step.fit.coefficients()).collect();
        let all = ndarray::concatenate(ndarray::Axis(1), &columns).expect("invariant: all steps have the same samples");
        let outputs = predict(all.view())?;
        let classes = self.classes;
        let expected = Targets::one_hot(&self.labels, classes)?;
        let point = |(place, step): (usize, &RidgeStep)| {
            let outputs = outputs.slice(s![.., place * classes..(place + 1) * classes]);
            Ok(RidgePoint {
                ridge: step.lambda,
                test_error: error_rate(outputs, &self.labels)?,
                squared_error: (&outputs - &expected.values())
                    .mapv(|error| error * error)
                    .mean()
                    .expect("invariant: there is a test sample"),
                leave_one_out_error: step.left_out.error_rate.expect("invariant: targets are classes"),
                leave_one_out_squared_error: step.left_out.squared_error,
            })
        };
        let points = steps.iter().enumerate().map(point).collect::<Result<Vec<_>>>()?;
        let count = (regression.targets().samples() * classes) as f64;
        let likelihoods = steps.iter().map(|step| step.fit.profiled_log_marginal_likelihood() / count);
        Ok(Regression {
            chosen,
            points,
            log_marginal_likelihood: likelihoods.fold(f64::NEG_INFINITY, f64::max),
            effective_rank: regression.spectrum().effective_rank(),
            condition_number: regression.spectrum().condition_number(),
            alignment: alignment(gram, &self.targets).ok(),
            centred_alignment: centred_alignment(gram, &self.targets).ok(),
            degrees_of_freedom: regression.spectrum().degrees_of_freedom(steps[chosen].fit.alpha()),
        })
    }

    fn summarised(
        &self,
        data: &Dataset,
        network: Option<&Architecture>,
        (source, kernel): (KernelSource, Kernel),
        found: &[Regression],
        problem: Option<String>,
    ) -> PredictionRecord {
        let is_drawn = source == KernelSource::Drawn;
        let of = |value: &dyn Fn(&Regression) -> f64| {
            let values: Vec<f64> = found.iter().map(value).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
        let of_all = |value: &dyn Fn(&Regression) -> Option<f64>| {
            let values: Option<Vec<f64>> = found.iter().map(value).collect();
            values.filter(|values| !values.is_empty()).map(|values| mean(&values))
        };
        let at = |value: fn(&RidgePoint) -> f64| of(&|found: &Regression| value(&found.points[found.chosen]));
        let errors: Vec<f64> = found.iter().map(|found| found.points[found.chosen].test_error).collect();
        let hidden = network.map(|network| &network.layers()[0]);
        PredictionRecord {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            data: data.to_string(),
            checksum: self.training.checksum.clone(),
            test_checksum: self.test.checksum.clone(),
            normalisation: self.normalisation,
            samples: self.training.inputs.samples(),
            validation: self.spec.evaluation != crate::study::EvaluationSet::Test,
            test_samples: self.labels.len(),
            dimension: self.training.tiled.dimension(),
            classes: self.classes,
            predictor: Predictor::of(kernel),
            tangent: kernel.tangent(),
            source,
            architecture: network.cloned(),
            width: hidden.map(|layer| layer.width()),
            connectivity: hidden.map(|layer| layer.connectivity()),
            weights: network.map(|network| network.weights(self.training.tiled.dimension())),
            mask: network.map(Architecture::mask),
            law: self.spec.law,
            initialisations: if is_drawn { found.len() } else { 0 },
            seed: self.seed,
            device: "cpu".into(),
            precision: if is_drawn { "f32 features" } else { "f64" }.into(),
            test_error: at(|point| point.test_error),
            spread: standard_error(&errors).map(|error| error * (errors.len() as f64).sqrt()),
            squared_error: at(|point| point.squared_error),
            leave_one_out_error: at(|point| point.leave_one_out_error),
            leave_one_out_squared_error: at(|point| point.leave_one_out_squared_error),
            ridge: at(|point| point.ridge.ln()).map(f64::exp),
            log_marginal_likelihood: of(&|found| found.log_marginal_likelihood),
            effective_rank: of(&|found| found.effective_rank),
            condition_number: of_all(&|found| Some(found.condition_number?.ln())).map(f64::exp),
            alignment: of_all(&|found| found.alignment),
            centred_alignment: of_all(&|found| found.centred_alignment),
            degrees_of_freedom: of(&|found| found.degrees_of_freedom),
            problem,
            global_mean: self.scale.map(|scale| scale.mean),
            global_deviation: self.scale.map(|scale| scale.deviation),
            test_errors: errors,
            ridges: self.mean_points(found),
        }
    }

    /// The errors at the ridges that every regression admits.
    fn mean_points(&self, found: &[Regression]) -> Vec<RidgePoint> {
        let at = |ridge: &f64| {
            let of = |found: &Regression| found.points.iter().find(|point| point.ridge == *ridge).copied();
            let points = found.iter().map(of).collect::<Option<Vec<RidgePoint>>>()?;
            let of = |value: fn(&RidgePoint) -> f64| mean(&points.iter().map(value).collect::<Vec<_>>());
            (!points.is_empty()).then(|| RidgePoint {
                ridge: *ridge,
                test_error: of(|point| point.test_error),
                squared_error: of(|point| point.squared_error),
                leave_one_out_error: of(|point| point.leave_one_out_error),
                leave_one_out_squared_error: of(|point| point.leave_one_out_squared_error),
            })
        };
        self.grid.ridges().iter().filter_map(at).collect()
    }
}
