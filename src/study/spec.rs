//! What a study is to do. A spec, with the program's version, determines every record.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::training_spec::TrainingStudySpec;
use crate::data::{Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::kernel::bottleneck::LinearBottleneck;
use crate::kernel::masked::{Quadrature, Sampling};
use crate::network::Connectivity;
use crate::network::budget::first_layer_connectivity;
use crate::network::{Activation, Architecture, Layer, MaskFamily, WeightDistribution};
use crate::numeric::parse;

/// The largest width that a study takes.
pub(super) const MAX_WIDTH: usize = 100_000_000;

/// The most weights between two hidden layers, whether they exist or not: each has a random number.
const MAX_BETWEEN: usize = 1_000_000_000;

/// The most tasks of a study: their names are held in memory.
pub(super) const MOST_TASKS: usize = 1_000_000;

/// Refuses a count beyond what the program can number or hold.
pub(super) fn at_most(name: &str, count: usize, largest: usize) -> Result<()> {
    if count <= largest {
        return Ok(());
    }
    Err(Error::value(
        name,
        count,
        format!("is beyond the largest that a study takes, {largest}"),
        "give a smaller number",
    ))
}

/// A study: distances of sparse networks' kernels, test errors of trained networks, or both on one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySpec {
    /// The data.
    pub data: Dataset,
    /// The seed of everything random.
    pub seed: u64,
    /// The distances to take.
    pub distance: Option<DistanceSpec>,
    /// The networks to train.
    pub training: Option<TrainingStudySpec>,
}

impl StudySpec {
    /// Refuses counts that are zero or beyond reason, repeated entries, and methods that lack what they need; [`StudySpec::run`] does so
    /// first of all.
    ///
    /// # Errors
    /// Where it finds any.
    pub fn check(&self) -> Result<()> {
        if let Some(spec) = &self.distance {
            spec.check(self.seed)?;
        }
        if let Some(spec) = &self.training {
            spec.check()?;
        }
        at_most("tasks", self.most_tasks(), MOST_TASKS)
    }

    /// A spec of the tasks of both, where their settings are the same.
    pub(super) fn with_tasks_of(self, other: Self) -> Self {
        fn join<T: PartialEq>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
            for entry in second {
                if !first.contains(&entry) {
                    first.push(entry);
                }
            }
            first
        }
        let distance = match (self.distance, other.distance) {
            (Some(first), Some(second)) => Some(DistanceSpec {
                normalisations: join(first.normalisations, second.normalisations),
                networks: join(first.networks, second.networks),
                methods: join(first.methods, second.methods),
                ..first
            }),
            (first, second) => first.or(second),
        };
        let training = match (self.training, other.training) {
            (Some(first), Some(second)) => {
                let end = |spec: &TrainingStudySpec| (spec.first_run as usize).saturating_add(spec.runs);
                let first_run = first.first_run.min(second.first_run);
                Some(TrainingStudySpec {
                    first_run,
                    runs: end(&first).max(end(&second)) - first_run as usize,
                    networks: join(first.networks, second.networks),
                    keep_weights: first.keep_weights || second.keep_weights,
                    ..first
                })
            }
            (first, second) => first.or(second),
        };
        Self { data: self.data, seed: self.seed, distance, training }
    }

    /// The number of its tasks, methods that do not serve a network included.
    pub(super) fn most_tasks(&self) -> usize {
        let distances = self.distance.as_ref().map_or(0, |spec| {
            spec.networks.len().saturating_mul(spec.methods.len()).saturating_mul(spec.normalisations.len())
        });
        let runs = self.training.as_ref().map_or(0, |spec| spec.networks.len().saturating_mul(spec.runs));
        distances.saturating_add(runs)
    }
}

/// Refuses counts outside of 1 to their largest.
pub(super) fn check_counts(counts: &[(&str, usize, usize)]) -> Result<()> {
    for (name, count, largest) in counts {
        if *count == 0 {
            return Err(Error::value(name, 0, "must be at least 1", "give a positive number"));
        }
        at_most(name, *count, *largest)?;
    }
    Ok(())
}

/// Refuses layers wider than a study takes, or with more weights between two hidden ones than are drawn in reasonable time.
pub(super) fn check_layers(layers: &[Layer]) -> Result<()> {
    for layer in layers {
        at_most("width", layer.width(), MAX_WIDTH)?;
    }
    for pair in layers.windows(2) {
        at_most("weights between two hidden layers", pair[0].width().saturating_mul(pair[1].width()), MAX_BETWEEN)?;
    }
    Ok(())
}

/// Refuses a list with an entry that stands in it twice: its results would be counted twice.
pub(super) fn check_distinct<T: PartialEq>(name: &str, entries: &[T], text: impl Fn(&T) -> String) -> Result<()> {
    match entries.iter().enumerate().find(|(index, entry)| entries[..*index].contains(entry)) {
        Some((_, twice)) => Err(Error::value(name, text(twice), "is given twice", "give it once")),
        None => Ok(()),
    }
}

/// A network whose kernel is studied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its layers up to the last hidden one, whose kernel it is.
    pub architecture: Architecture,
    /// The connectivity if the whole budget, last layer included, were spread evenly: the fixed `n p` that the paper's
    /// theory curve takes. None where no budget is set.
    pub np_connectivity: Option<Connectivity>,
}

impl NetworkSpec {
    /// A network of one hidden layer, of no budget, under Bernoulli masks.
    ///
    /// # Errors
    /// Where the width is 0.
    pub fn new(width: usize, connectivity: Connectivity) -> Result<Self> {
        Ok(Self { architecture: Architecture::one_hidden_layer(width, connectivity)?, np_connectivity: None })
    }

    /// The networks of a weight budget, one per width, with a dense last layer of `outputs` outputs (0: no last layer).
    ///
    /// # Errors
    /// Where the budget does not fit a width, see [`first_layer_connectivity`].
    pub fn at_budget(weights: usize, dimension: usize, outputs: usize, widths: &[usize]) -> Result<Vec<Self>> {
        let of_width = |width: &usize| {
            let connectivity = first_layer_connectivity(weights, dimension, outputs, *width)?;
            let even = weights as f64 / ((dimension as f64 + outputs as f64) * *width as f64);
            Ok(Self { np_connectivity: Connectivity::new(even).ok(), ..Self::new(*width, connectivity)? })
        };
        widths.iter().map(of_width).collect()
    }

    /// The same under masks of another family.
    #[must_use]
    pub fn with_mask(self, mask: MaskFamily) -> Self {
        Self { architecture: self.architecture.with_mask(mask), ..self }
    }

    /// The width `n` of its last hidden layer.
    #[must_use]
    pub fn width(&self) -> usize {
        self.architecture.last().width()
    }

    /// The connectivity `p` of its last hidden layer.
    #[must_use]
    pub fn connectivity(&self) -> Connectivity {
        self.architecture.last().connectivity()
    }
}

impl FromStr for NetworkSpec {
    type Err = Error;

    /// Reads `WIDTH:CONNECTIVITY`, numbers as [`parse`] takes them.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |part: &str| {
            let problem = format!("is not WIDTH:CONNECTIVITY{part}");
            Error::value("networks", text, problem, "write for instance 128:0.05, decimals with a point")
        };
        let (width, connectivity) = text.split_once(':').ok_or_else(|| wrong(""))?;
        let width = parse::listed_count(width).map_err(|error| wrong(&format!(" (its width {})", error.problem)))?;
        if width == 0 {
            return Err(Error::value("width", 0, "a network needs at least one hidden unit", "give a positive width"));
        }
        let share = parse::listed_share(connectivity);
        let share = share.map_err(|error| wrong(&format!(" (its connectivity {})", error.problem)))?;
        let connectivity = Connectivity::new(share)?;
        at_most("width", width, MAX_WIDTH)?;
        Self::new(width, connectivity)
    }
}

/// How a distance is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistanceMethod {
    /// Kernels of drawn networks.
    Sampled,
    /// The same over all pairs of the inputs, not a random few.
    SampledAll,
    /// Theorem 1, its masked moments by the best method at hand ([`Auto`](crate::kernel::masked::Auto)).
    Theorem1,
    /// The same for the masks of the drawn networks, where these have a fixed count ([`FixedCount`](crate::kernel::masked::FixedCount)).
    #[serde(rename = "theorem1_masks")]
    Theorem1FixedCount,
    /// Theorem 1 with the moment expansion.
    Moments,
    /// The same over all pairs of the inputs, not a random few.
    MomentsAll,
    /// Eq. (4) of the paper at the network's own connectivity.
    Paper,
    /// Eq. (4) at the even connectivity of the budget, as the paper's own figure takes it.
    #[serde(rename = "paper_even")]
    PaperFixedNp,
}

impl DistanceMethod {
    /// All methods, in the order of tables and legends.
    pub const ALL: [Self; 8] = [
        Self::Sampled,
        Self::SampledAll,
        Self::Theorem1,
        Self::Theorem1FixedCount,
        Self::Moments,
        Self::MomentsAll,
        Self::Paper,
        Self::PaperFixedNp,
    ];
    /// Those that a study takes by default: all but those over all pairs and for other masks.
    pub const USUAL: [Self; 5] = [Self::Sampled, Self::Theorem1, Self::Moments, Self::Paper, Self::PaperFixedNp];

    /// Whether networks are drawn.
    pub fn draws_networks(self) -> bool {
        matches!(self, Self::Sampled | Self::SampledAll)
    }

    /// Whether it applies to a network. Behind a layer before the hidden one networks are sampled; there is theory as well
    /// ([`bottleneck`](crate::kernel::bottleneck)) where that layer is linear and every weight exists.
    pub fn serves(self, network: &NetworkSpec) -> bool {
        match (self, network.architecture.layers()) {
            (_, [_]) | (Self::Sampled, _) => true,
            (Self::Theorem1, [before, hidden]) => {
                before.activation() == Activation::Linear
                    && before.connectivity().is_dense()
                    && hidden.connectivity().is_dense()
            }
            _ => false,
        }
    }

    /// The name, as the command line and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::SampledAll => "sampled_all",
            Self::Theorem1 => "theorem1",
            Self::Theorem1FixedCount => "theorem1_masks",
            Self::Moments => "moments",
            Self::MomentsAll => "moments_all",
            Self::Paper => "paper",
            Self::PaperFixedNp => "paper_even",
        }
    }

    /// What it is, for legends and tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sampled => "sampled networks",
            Self::SampledAll => "sampled, all pairs",
            Self::Theorem1 => "Theorem 1",
            Self::Theorem1FixedCount => "Theorem 1, these masks",
            Self::Moments => "moment expansion",
            Self::MomentsAll => "moments, all pairs",
            Self::Paper => "Eq. (4), own p",
            Self::PaperFixedNp => "Eq. (4), fixed n p",
        }
    }
}

impl FromStr for DistanceMethod {
    type Err = Error;

    /// Reads a name, in any case, with or without `-` and `_`.
    fn from_str(text: &str) -> Result<Self> {
        let plain = |name: &str| name.trim().to_lowercase().replace(['-', '_'], "");
        Self::ALL.into_iter().find(|method| plain(method.name()) == plain(text)).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|method| method.name()).collect();
            Error::value("methods", text, "is no such method", format!("use some of {}", names.join(",")))
        })
    }
}

/// What sampled kernels are compared to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Reference {
    /// The infinite-width kernel `v K_1 / d` in closed form.
    Analytic,
    /// One drawn dense network of this width, the paper's way; its own variance adds to the distance.
    Dense(usize),
}

impl FromStr for Reference {
    type Err = Error;

    /// Reads `analytic` or `dense:WIDTH`, in any case.
    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase();
        match name.strip_prefix("dense:").map(parse::count) {
            None if name == "analytic" => Ok(Self::Analytic),
            Some(Ok(width)) if (1..=MAX_WIDTH).contains(&width) => Ok(Self::Dense(width)),
            Some(Err(error)) => {
                let problem = format!("is no reference kernel: its width {}", error.problem);
                Err(Error::value("reference", text, problem, "use analytic, or dense:10000"))
            }
            _ => Err(Error::value("reference", text, "is no reference kernel", "use analytic, or dense:10000")),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Analytic => f.write_str("analytic"),
            Self::Dense(width) => write!(f, "dense:{width}"),
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

/// Distances over random pairs of inputs: every normalisation with every method at every width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceSpec {
    /// The normalisations, each by the statistics of the inputs themselves.
    pub normalisations: Vec<Normalisation>,
    /// The networks, with the masks under which they are sampled; those of the theory are Bernoulli.
    pub networks: Vec<NetworkSpec>,
    /// The methods.
    pub methods: Vec<DistanceMethod>,
    /// Random pairs of different inputs; where the data has no more pairs, each of these once.
    pub pairs: usize,
    /// Initialisations of sampled networks; more where that draws fewer than [`DistanceSpec::LEAST_WEIGHTS`] weights in all, but
    /// not over all pairs.
    pub initialisations: usize,
    /// The relative error of the masked moments to which Theorem 1 is evaluated, pair by pair.
    pub tolerance: f64,
    /// Masks per pair, where the quadrature misses that tolerance.
    pub masks: usize,
    /// Weights of sampled networks; the theory's are Gaussian. Theory is scaled to a law's variance `v` by `v^2`.
    pub law: WeightDistribution,
    /// What sampled kernels are compared to.
    pub reference: Reference,
}

impl DistanceSpec {
    /// Initialisations go on until at least this many weights are expected to have been drawn, so that a network of two
    /// weights is drawn 10,000 times: its distance has so long a tail that fewer do not tell its standard error.
    pub const LEAST_WEIGHTS: f64 = 20_000.0;

    /// How often a network is drawn at input dimension `dimension`: [`DistanceSpec::initialisations`] times, or more until
    /// [`DistanceSpec::LEAST_WEIGHTS`].
    pub fn draws(&self, network: &NetworkSpec, dimension: usize) -> usize {
        let weights = network.architecture.weights(dimension).max(1.0);
        self.initialisations.max((Self::LEAST_WEIGHTS / weights).ceil() as usize)
    }

    /// The paper's protocol for the given networks: 10^4 pairs, 10 initialisations; the theory's masks and weights.
    pub fn paper(networks: Vec<NetworkSpec>) -> Self {
        Self {
            normalisations: vec![Normalisation::Pixel],
            networks,
            methods: DistanceMethod::USUAL.to_vec(),
            pairs: 10_000,
            initialisations: 10,
            tolerance: 1e-4,
            masks: 1_000,
            law: WeightDistribution::Gaussian,
            reference: Reference::Analytic,
        }
    }
}

impl DistanceSpec {
    fn check(&self, seed: u64) -> Result<()> {
        check_counts(&[
            ("pairs", self.pairs, 10_000_000),
            ("initialisations", self.initialisations, 10_000_000),
            ("methods", self.methods.len(), usize::MAX),
            ("normalisations", self.normalisations.len(), usize::MAX),
            ("networks", self.networks.len(), usize::MAX),
        ])?;
        Sampling::new(self.masks, seed)?;
        Quadrature::new(self.tolerance)?;
        check_distinct("normalisation", &self.normalisations, |normalisation| normalisation.name().into())?;
        check_distinct("methods", &self.methods, |method| method.name().into())?;
        check_distinct("networks", &self.networks, |network| match network.architecture.before_last() {
            [] => format!("{}:{}", network.width(), network.connectivity().get()),
            _ => network.architecture.to_string(),
        })?;
        for network in &self.networks {
            check_layers(network.architecture.layers())?;
            let [.., before] = network.architecture.before_last() else { continue };
            if self.methods.contains(&DistanceMethod::Theorem1) && DistanceMethod::Theorem1.serves(network) {
                LinearBottleneck::new(before.width())?;
            }
            let only = [DistanceMethod::Sampled, DistanceMethod::Theorem1];
            if let Some(method) = self.methods.iter().find(|method| !only.contains(method)) {
                let problem = "is not for networks with a layer before the hidden one";
                return Err(Error::value("methods", method.name(), problem, "use sampled and theorem1"));
            }
            if self.reference != Reference::Analytic {
                let problem = "networks with a layer before the hidden one are compared with the closed form only";
                return Err(Error::value("reference", self.reference, problem, "use analytic"));
            }
        }
        if self.methods.contains(&DistanceMethod::SampledAll) && self.reference != Reference::Analytic {
            let problem = "over all pairs kernels are compared with the closed form only";
            return Err(Error::value("reference", self.reference, problem, "leave sampled_all out, or use analytic"));
        }
        if self.methods.contains(&DistanceMethod::Theorem1FixedCount)
            && self.networks.iter().any(|network| network.architecture.mask() == MaskFamily::Bernoulli)
        {
            let problem = "is for masks of a fixed count; those of the theorem are Bernoulli";
            let remedy = "use theorem1, or --mask exact-count or constant-fan-in";
            return Err(Error::value("methods", DistanceMethod::Theorem1FixedCount.name(), problem, remedy));
        }
        let even = self.methods.contains(&DistanceMethod::PaperFixedNp);
        if even && self.networks.iter().any(|network| network.np_connectivity.is_none()) {
            let problem = "needs a weight budget, from which its fixed n p follows";
            let remedy = "leave it out, or give --weights";
            return Err(Error::value("methods", DistanceMethod::PaperFixedNp.name(), problem, remedy));
        }
        Ok(())
    }
}
