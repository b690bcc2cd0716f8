//! A network as a list of layers: the description that theory, sampling, training, budgets and records use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::{Connectivity, LayerSpec, MaskFamily, WeightDistribution};
use crate::error::{Error, Result};
use crate::numeric::names::by_name;

/// The activation function that follows a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Activation {
    /// ReLU, `[x]_+ = max(x, 0)`.
    Relu,
    /// Identity: a linear layer, whose matrix and the next form a product.
    Linear,
}

impl Activation {
    /// The name, as the command line and records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A layer of a network: its units, which of the weights that lead to them exist, and the activation that follows.
///
/// Written `relu:216@0.0375/exact_count`: the activation, the width, the connectivity (left out where it is 1) and the
/// mask family (left out where it is Bernoulli).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    width: usize,
    connectivity: Connectivity,
    mask: MaskFamily,
    activation: Activation,
}

impl Layer {
    /// A layer of `width` units, at least 1, under Bernoulli masks of a connectivity, followed by `activation`.
    ///
    /// # Errors
    /// Where the width is 0.
    pub fn new(width: usize, connectivity: Connectivity, activation: Activation) -> Result<Self> {
        if width == 0 {
            return Err(Error::value("width", 0, "a layer needs at least one unit", "give a positive width"));
        }
        Ok(Self { width, connectivity, mask: MaskFamily::Bernoulli, activation })
    }

    /// The same under masks of another family.
    #[must_use]
    pub fn with_mask(self, mask: MaskFamily) -> Self {
        Self { mask, ..self }
    }

    /// The number of its units.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The share of weights that exist.
    #[must_use]
    pub fn connectivity(&self) -> Connectivity {
        self.connectivity
    }

    /// Which weights exist.
    #[must_use]
    pub fn mask(&self) -> MaskFamily {
        self.mask
    }

    /// The activation that follows it.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.activation.name(), self.width)?;
        if !self.connectivity.is_dense() {
            write!(f, "@{}", self.connectivity.get())?;
        }
        if self.mask != MaskFamily::Bernoulli {
            write!(f, "/{}", self.mask.name())?;
        }
        Ok(())
    }
}

impl FromStr for Layer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const EXAMPLE: &str = "write for instance relu:216@0.05, linear:10 or relu:64@0.1/exact_count";
        let wrong = |problem: &str| Error::value("layer", text, problem, EXAMPLE);
        let (rest, mask) = text.split_once('/').unwrap_or((text, MaskFamily::Bernoulli.name()));
        let (activation, rest) = rest.split_once(':').ok_or_else(|| wrong("expected ACTIVATION:WIDTH"))?;
        let (width, connectivity) = rest.split_once('@').unwrap_or((rest, "1"));
        let mask: MaskFamily = by_name("layer", "mask family", mask, &[])?;
        let activation: Activation = by_name("layer", "activation", activation, &[])?;
        let width = width.parse().map_err(|_| wrong("its width is not a whole number"))?;
        let connectivity: f64 = connectivity.parse().map_err(|_| wrong("its connectivity is not a number"))?;
        Ok(Self::new(width, Connectivity::new(connectivity)?, activation)?.with_mask(mask))
    }
}

/// A fully connected network: its layers, at least one, from the inputs on. Its kernels are those of its last layer's
/// units; a network to train ends in a layer of one unit per class.
///
/// Written as its layers with spaces between: `relu:216@0.0375 linear:10`.
///
/// ```
/// use sparsewidth::network::{Activation, Architecture, Connectivity, Layer};
/// let hidden = Layer::new(128, Connectivity::new(0.05)?, Activation::Relu)?;
/// let network = Architecture::new(vec![hidden, Layer::new(10, Connectivity::DENSE, Activation::Linear)?])?;
/// assert_eq!(network.to_string(), "relu:128@0.05 linear:10");
/// assert!((network.weights(784) - (0.05 * 784.0 * 128.0 + 1280.0)).abs() < 1e-9);
/// assert_eq!("relu:128@0.05 linear:10".parse::<Architecture>()?, network);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Architecture {
    layers: Vec<Layer>,
}

impl Architecture {
    /// A network of the given layers, from the inputs on.
    ///
    /// # Errors
    /// Without any layer.
    pub fn new(layers: Vec<Layer>) -> Result<Self> {
        match layers.is_empty() {
            true => Err(Error::value("layers", 0, "a network needs at least one layer", "give a layer")),
            false => Ok(Self { layers }),
        }
    }

    /// A network of one hidden layer of ReLU units under Bernoulli masks.
    ///
    /// # Errors
    /// Where the width is 0.
    pub fn one_hidden_layer(width: usize, connectivity: Connectivity) -> Result<Self> {
        Self::new(vec![Layer::new(width, connectivity, Activation::Relu)?])
    }

    /// Its layers, from the inputs on.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Its last layer.
    #[must_use]
    pub fn last(&self) -> &Layer {
        self.layers.last().expect("a network has a layer: checked where it is made")
    }

    /// Its layers except the last.
    #[must_use]
    pub fn before_last(&self) -> &[Layer] {
        &self.layers[..self.layers.len() - 1]
    }

    /// The same under masks of another family.
    #[must_use]
    pub fn with_mask(&self, mask: MaskFamily) -> Self {
        Self { layers: self.layers.iter().map(|layer| layer.with_mask(mask)).collect() }
    }

    /// The family of its masks: that of the first layer.
    #[must_use]
    pub fn mask(&self) -> MaskFamily {
        self.layers[0].mask
    }

    /// What each layer is drawn from, in a network of `inputs` inputs with weights of a distribution.
    pub fn layer_specs(&self, inputs: usize, distribution: WeightDistribution) -> Vec<LayerSpec> {
        let columns = std::iter::once(inputs).chain(self.layers.iter().map(Layer::width));
        let spec = |(layer, columns): (&Layer, usize)| LayerSpec {
            rows: layer.width,
            columns,
            connectivity: layer.connectivity,
            mask: layer.mask,
            law: distribution,
        };
        self.layers.iter().zip(columns).map(spec).collect()
    }

    /// The number of places for weights in a network of `inputs` inputs, `sum_l n_(l-1) n_l`, whether the weights exist
    /// or not.
    #[must_use]
    pub fn places(&self, inputs: usize) -> f64 {
        self.sum(inputs, |_| 1.0)
    }

    /// The expected number of weights that exist in a network of `inputs` inputs, `sum_l p_l n_(l-1) n_l`.
    #[must_use]
    pub fn weights(&self, inputs: usize) -> f64 {
        self.sum(inputs, |layer| layer.connectivity.get())
    }

    fn sum(&self, inputs: usize, share: impl Fn(&Layer) -> f64) -> f64 {
        let columns = std::iter::once(inputs).chain(self.layers.iter().map(Layer::width));
        self.layers.iter().zip(columns).map(|(layer, columns)| layer.width as f64 * columns as f64 * share(layer)).sum()
    }

    /// Whether two networks have layers of the same widths and activations, whichever weights exist.
    #[must_use]
    pub fn has_shape_of(&self, other: &Self) -> bool {
        let shape = |layer: &Layer| (layer.width, layer.activation);
        self.layers.iter().map(shape).eq(other.layers.iter().map(shape))
    }

    /// Whether two networks have the same layers, apart from their mask families, with connectivities that agree to one
    /// part in 10^9. Connectivities that come from a weight budget are quotients of whole numbers, and different ones
    /// differ by far more.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Layer, &Layer)| (a.connectivity.get() / b.connectivity.get() - 1.0).abs() < 1e-9;
        self.has_shape_of(other) && self.layers.iter().zip(&other.layers).all(alike)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, layer) in self.layers.iter().enumerate() {
            write!(f, "{}{layer}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text.split_whitespace().map(str::parse).collect::<Result<_>>()?)
    }
}

impl TryFrom<String> for Architecture {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Architecture> for String {
    fn from(network: Architecture) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_round_trip_through_their_text() {
        for text in
            ["relu:8", "linear:7 relu:113", "relu:50@0.1/constant_fan_in relu:216@1e-5 linear:10@0.30000000000000004"]
        {
            let network: Architecture = text.parse().unwrap();
            assert_eq!(network.to_string().parse::<Architecture>().unwrap(), network, "{text}");
        }
        for text in ["", "relu", "relu:0", "tanh:8", "relu:8@0", "relu:8@x", "relu:8/some", "relu:8@2"] {
            assert!(text.parse::<Architecture>().is_err(), "{text}");
        }
    }

    #[test]
    fn weights_by_hand() {
        let network: Architecture = "relu:8 relu:4@0.5 linear:2".parse().unwrap();
        let masked = network.with_mask(MaskFamily::ExactCount);
        assert_eq!(masked.to_string(), "relu:8/exact_count relu:4@0.5/exact_count linear:2/exact_count");
        assert!(masked.is_like(&network) && masked != network);
        // 3 inputs: 3 8 + 8 4 / 2 + 4 2.
        assert_eq!((network.places(3), network.weights(3)), (64.0, 48.0));
    }
}
