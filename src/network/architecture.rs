//! Layers of a network.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is between two layers of a perceptron.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `[x]_+`.
    Relu,
    /// Nothing: the two layers are one matrix, a product.
    Linear,
}

impl Activation {
    /// The name, as the command line and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Linear => "linear",
        }
    }
}

/// A layer between the inputs and the hidden layer, written `linear:WIDTH` or `relu:WIDTH`: narrower than the hidden layer it is a
/// bottleneck; linear it makes the matrix of the hidden layer a product of two, of rank at most its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerBefore {
    /// Its number of units, at least 1.
    pub width: usize,
    /// What follows it.
    pub activation: Activation,
}

impl fmt::Display for LayerBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.activation.name(), self.width)
    }
}

impl FromStr for LayerBefore {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, width) = text.split_once(':').unwrap_or((text, ""));
        let activation =
            [Activation::Relu, Activation::Linear].into_iter().find(|activation| activation.name() == name);
        match (activation, width.parse()) {
            (Some(activation), Ok(width)) if width > 0 => Ok(Self { width, activation }),
            _ => Err(Error::value("before", text, "is no layer", "write for instance linear:7 or relu:50")),
        }
    }
}

impl TryFrom<String> for LayerBefore {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<LayerBefore> for String {
    fn from(layer: LayerBefore) -> Self {
        layer.to_string()
    }
}
