//! Which distances a study is to take.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{DistanceMethod, Reference};
use crate::data::Normalisation;
use crate::error::{Error, Result, Setting};
use crate::kernel::masked::{LinearBottleneck, Quadrature, Sampling};
use crate::kernel::ntk::Kernel;
use crate::network::budget::first_layer_connectivity;
use crate::network::{Activation, Architecture, Connectivity, MaskFamily, WeightDistribution};
use crate::numeric::parse;
use crate::study::run::distance_network;
use crate::study::spec::{MAX_WIDTH, at_most, check_counts, check_distinct, check_layers};

/// A network whose kernel is studied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its layers up to the last hidden one, whose kernel it is.
    pub architecture: Architecture,
    /// The connectivity that the whole budget, last layer included, would give if it were spread evenly: that of the
    /// paper's theory curve, at a fixed `n p`. None where no budget is set.
    pub np_connectivity: Option<Connectivity>,
}

impl NetworkSpec {
    /// A network of one hidden layer, without a budget, under Bernoulli masks.
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
            Ok(Self { np_connectivity: Some(Connectivity::new(even.min(1.0))?), ..Self::new(*width, connectivity)? })
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

    /// Reads `WIDTH:CONNECTIVITY`, with numbers as [`parse`] takes them.
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

/// Distances over random pairs of inputs: every normalisation with every method at every width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceSpec {
    /// The normalisations, each by the statistics of the inputs themselves.
    pub normalisations: Vec<Normalisation>,
    /// The networks, with the masks under which they are sampled; those of the theory are Bernoulli.
    pub networks: Vec<NetworkSpec>,
    /// The methods.
    pub methods: Vec<DistanceMethod>,
    /// The kernels; Eq. (4) is for the NNGP kernel only.
    #[serde(default = "nngp_alone", skip_serializing_if = "is_nngp_alone")]
    pub kernels: Vec<Kernel>,
    /// The methods for tangent kernels, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tangent_methods: Option<Vec<DistanceMethod>>,
    /// Random pairs of different inputs; where the data has no more pairs than this, each of them once.
    pub pairs: usize,
    /// The number of pairs for tangent kernels, where it is another: their theory takes longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tangent_pairs: Option<usize>,
    /// Initialisations of sampled networks. Except over all pairs, there are more where these draw fewer than
    /// [`DistanceSpec::LEAST_WEIGHTS`] weights in all.
    pub initialisations: usize,
    /// The relative error to which the masked moments of Theorem 1 are evaluated, pair by pair.
    pub tolerance: f64,
    /// Masks per pair, where the quadrature misses `tolerance`.
    pub masks: usize,
    /// The law of the weights of sampled networks; the theory's are Gaussian. For a law of variance `v`, theory is
    /// scaled by `v^2`.
    pub law: WeightDistribution,
    /// What sampled kernels are compared to.
    pub reference: Reference,
}

fn nngp_alone() -> Vec<Kernel> {
    vec![Kernel::Nngp]
}

fn is_nngp_alone(kernels: &[Kernel]) -> bool {
    kernels == [Kernel::Nngp]
}

impl DistanceSpec {
    /// Initialisations go on until at least this many weights are expected to have been drawn, so a network of two
    /// weights is drawn 10,000 times. The tail of its distance is so long that fewer draws would not tell its standard
    /// error.
    pub const LEAST_WEIGHTS: f64 = 20_000.0;

    /// The methods for a kernel.
    #[must_use]
    pub fn methods_of(&self, kernel: Kernel) -> &[DistanceMethod] {
        match &self.tangent_methods {
            Some(methods) if kernel != Kernel::Nngp => methods,
            _ => &self.methods,
        }
    }

    /// The number of random pairs for a kernel.
    #[must_use]
    pub fn pairs_of(&self, kernel: Kernel) -> usize {
        self.tangent_pairs.filter(|_| kernel.tangent().is_some()).unwrap_or(self.pairs)
    }

    /// How often a network is drawn at input dimension `dimension`: [`DistanceSpec::initialisations`] times, or as
    /// often as [`DistanceSpec::LEAST_WEIGHTS`] requires.
    #[must_use]
    pub fn draws(&self, network: &NetworkSpec, dimension: usize) -> usize {
        let weights = network.architecture.weights(dimension).max(1.0);
        self.initialisations.max((Self::LEAST_WEIGHTS / weights).ceil() as usize)
    }

    /// Refuses what no study can do.
    pub(crate) fn check(&self, seed: u64) -> Result<()> {
        check_counts(&[
            ("pairs", self.pairs, 10_000_000),
            ("tangent_pairs", self.tangent_pairs.unwrap_or(self.pairs), 10_000_000),
            ("initialisations", self.initialisations, 10_000_000),
            ("methods", self.methods.len(), usize::MAX),
            ("kernels", self.kernels.len(), usize::MAX),
            ("normalisations", self.normalisations.len(), usize::MAX),
            ("networks", self.networks.len(), usize::MAX),
        ])?;
        Sampling::new(self.masks, seed)?;
        Quadrature::new(self.tolerance)?;
        check_distinct("normalisation", &self.normalisations, |normalisation| normalisation.name().into())?;
        check_distinct("methods", &self.methods, |method| method.name().into())?;
        check_distinct("kernels", &self.kernels, |kernel| kernel.title())?;
        let names = self.networks.iter().map(|network| distance_network(&network.architecture, network.connectivity()));
        check_distinct("networks", &names.collect::<Vec<_>>(), String::clone)?;
        for method in &self.methods {
            let serves = |kernel: Kernel| self.networks.iter().any(|network| method.serves(network, kernel));
            if serves(Kernel::Nngp) && !self.kernels.iter().any(|kernel| serves(*kernel)) {
                let remedy = "leave it out, or ask for the NNGP kernel";
                return Err(Error::value("methods", method.name(), "does not give the tangent kernel", remedy));
            }
        }
        for network in &self.networks {
            if network.architecture.last().activation() != Activation::Relu {
                let problem = "distances are defined for ReLU units in the last layer only";
                return Err(Error::value(
                    "networks",
                    &network.architecture,
                    problem,
                    "give relu:WIDTH as the last layer",
                ));
            }
            for kernel in &self.kernels {
                let methods = self.methods_of(*kernel);
                if !methods.iter().any(|method| method.serves(network, *kernel)) {
                    let (kernel, network) = (kernel.title(), &network.architecture);
                    let problem = format!("none of the methods gives the {kernel} of the network {network}");
                    let found = methods.first().map_or("", |method| method.name());
                    return Err(Error::value("methods", found, problem, "add sampled"));
                }
            }
            check_layers(network.architecture.layers())?;
            let [.., before] = network.architecture.before_last() else { continue };
            if self.methods.contains(&DistanceMethod::Theorem1)
                && DistanceMethod::Theorem1.serves(network, Kernel::Nngp)
            {
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
        if self.reference != Reference::Analytic && self.kernels.iter().any(|kernel| *kernel != Kernel::Nngp) {
            let problem = "tangent kernels are compared with the closed form only";
            return Err(Error::value("reference", self.reference, problem, "use analytic"));
        }
        if self.methods.contains(&DistanceMethod::SampledAll) && self.reference != Reference::Analytic {
            let problem = "over all pairs, kernels are compared with the closed form only";
            return Err(Error::value("reference", self.reference, problem, "leave sampled_all out, or use analytic"));
        }
        if self.methods.contains(&DistanceMethod::Theorem1FixedCount)
            && self.networks.iter().any(|network| network.architecture.mask() == MaskFamily::Bernoulli)
        {
            let problem = "is for masks of a fixed count; those of the theorem are Bernoulli";
            let remedy = "use theorem1, or masks of an exact count or a constant fan-in";
            return Err(Error::value("methods", DistanceMethod::Theorem1FixedCount.name(), problem, remedy)
                .about(Setting::MaskFamily));
        }
        let even = self.methods.contains(&DistanceMethod::PaperFixedNp);
        if even && self.networks.iter().any(|network| network.np_connectivity.is_none()) {
            let problem = "needs a weight budget, from which its fixed n p follows";
            let remedy = "leave it out, or give a weight budget";
            return Err(
                Error::value("methods", DistanceMethod::PaperFixedNp.name(), problem, remedy).about(Setting::Weights)
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::record::draws_tell_error;

    #[test]
    fn networks_of_one_name_and_those_without_theory_are_refused() {
        let spec = |networks: &[&str], methods: &[DistanceMethod]| {
            let network = |text: &&str| NetworkSpec { architecture: text.parse().unwrap(), np_connectivity: None };
            let networks = networks.iter().map(network).collect();
            DistanceSpec { methods: methods.to_vec(), ..DistanceSpec::paper(networks) }
        };
        let refused =
            |networks: &[&str], methods: &[DistanceMethod]| spec(networks, methods).check(0).unwrap_err().to_string();
        let sampled = [DistanceMethod::Sampled];
        // The journal knows a network by its widths and last connectivity: these would share one record.
        assert!(refused(&["relu:8@0.5", "relu:8@0.5/exact_count"], &sampled).contains("given twice"));
        assert!(refused(&["relu:5@0.1 relu:8@0.5", "relu:5@0.2 relu:8@0.5"], &sampled).contains("given twice"));
        assert!(refused(&["linear:8"], &sampled).contains("ReLU units in the last layer"));
        let unserved = refused(&["relu:8 relu:16"], &[DistanceMethod::Theorem1]);
        assert!(unserved.contains("none of the methods gives the NNGP kernel of"), "{unserved}");
        assert!(spec(&["relu:8@0.5", "relu:8@0.2", "relu:5 relu:8@0.5"], &sampled).check(0).is_ok());
    }

    #[test]
    fn networks_of_few_weights_are_drawn_more_often() {
        let network = |text: &str| text.parse::<NetworkSpec>().unwrap();
        let spec = DistanceSpec { initialisations: 10, ..DistanceSpec::paper(vec![]) };
        // 784 n p weights: 6,272; 78.4, which 256 draws bring to 20,000; 2; fewer than one, which counts as one.
        for (text, draws) in [("8:1", 10), ("1:0.1", 256), ("20:1/7840", 10_000), ("1:1e-9", 20_000)] {
            assert_eq!(spec.draws(&network(text), 784), draws, "{text}");
        }
    }

    #[test]
    fn errors_of_few_weights_or_of_a_long_tail_are_not_trusted() {
        // The limits are 1,000 weights in all, and a standard deviation of three means: at 100 draws, an error of 0.3
        // means.
        assert!(draws_tell_error(10.0, 100, 1.0, 0.3) && !draws_tell_error(9.9, 100, 1.0, 0.3));
        assert!(!draws_tell_error(10.0, 100, 1.0, 0.31));
    }
}
