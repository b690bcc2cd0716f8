//! Ways to find a distance, and what sampled kernels are compared to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::NetworkSpec;
use crate::error::{Error, Result};
use crate::kernel::ntk::Kernel;
use crate::network::Activation;
use crate::numeric::names::by_name;
use crate::numeric::parse;
use crate::study::spec::MAX_WIDTH;

/// How a distance is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum DistanceMethod {
    /// Kernels of drawn networks.
    #[strum(message = "sampled networks")]
    Sampled,
    /// The same over all pairs of the inputs, not a random few.
    #[strum(message = "sampled, all pairs")]
    SampledAll,
    /// Theorem 1, its masked moments by the best method at hand ([`Auto`](crate::kernel::masked::Auto)).
    #[strum(message = "Theorem 1")]
    Theorem1,
    /// The same for the masks of the drawn networks, where these have a fixed count
    /// ([`FixedCount`](crate::kernel::masked::FixedCount)).
    #[serde(alias = "theorem1_masks")]
    #[strum(message = "Theorem 1, fixed counts")]
    Theorem1FixedCount,
    /// Theorem 1 with the second-order expansion.
    #[strum(message = "second-order expansion")]
    #[serde(alias = "moments")]
    Expansion,
    /// The same over all pairs of the inputs, not a random few.
    #[strum(message = "expansion, all pairs")]
    #[serde(alias = "moments_all")]
    ExpansionAll,
    /// Eq. (4) of the paper at the network's own connectivity.
    #[strum(message = "Eq. (4), own p")]
    Paper,
    /// Eq. (4) at the connectivity of an evenly spread budget, as in the paper's own figure.
    #[serde(alias = "paper_even")]
    #[strum(message = "Eq. (4), fixed n p")]
    PaperFixedNp,
}

impl DistanceMethod {
    /// All methods, in the order of tables and legends.
    pub const ALL: &'static [Self] = Self::VARIANTS;
    /// The methods that a study uses by default: all but those over all pairs and those for other masks.
    pub const USUAL: [Self; 5] = [Self::Sampled, Self::Theorem1, Self::Expansion, Self::Paper, Self::PaperFixedNp];

    /// Whether networks are drawn.
    #[must_use]
    pub fn draws_networks(self) -> bool {
        matches!(self, Self::Sampled | Self::SampledAll)
    }

    /// Whether it gives a kernel of a network. Eq. (4) is for the NNGP kernel. Networks with a layer before the hidden
    /// one are sampled; where that layer is linear and every weight exists, there is theory as well
    /// ([`LinearBottleneck`](crate::kernel::masked::LinearBottleneck)).
    #[must_use]
    pub fn serves(self, network: &NetworkSpec, kernel: Kernel) -> bool {
        if kernel != Kernel::Nngp {
            let one_layer = network.architecture.layers().len() == 1;
            return match self {
                Self::Sampled => true,
                Self::Paper | Self::PaperFixedNp => false,
                _ => one_layer,
            };
        }
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

    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for legends and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }
}

impl FromStr for DistanceMethod {
    type Err = Error;

    /// Reads a name, in any case, with or without `-` and `_`; also those of earlier versions.
    fn from_str(text: &str) -> Result<Self> {
        let older = [
            ("moments", Self::Expansion),
            ("moments_all", Self::ExpansionAll),
            ("paper_even", Self::PaperFixedNp),
            ("theorem1_masks", Self::Theorem1FixedCount),
        ];
        by_name("methods", "method", text, &older)
    }
}

/// What sampled kernels are compared to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
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
                let problem = format!("is not a reference kernel: its width {}", error.problem);
                Err(Error::value("reference", text, problem, "use analytic, or dense:10000"))
            }
            _ => Err(Error::value("reference", text, "is not a reference kernel", "use analytic, or dense:10000")),
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
