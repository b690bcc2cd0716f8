//! Ways to find a distance, and what sampled kernels are compared to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NetworkSpec;
use crate::error::{Error, Result};
use crate::network::Activation;
use crate::numeric::parse;
use crate::study::spec::MAX_WIDTH;

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
    /// ([`LinearBottleneck`](crate::kernel::masked::LinearBottleneck)) where that layer is linear and every weight exists.
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
