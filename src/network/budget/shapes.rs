//! Networks as lists of layer shapes: what a budget is divided over.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{CHECK, read_text};
use crate::numeric::parse;

/// The most weights of an architecture: positions are numbered exactly in double precision.
pub(super) const MOST_WEIGHTS: u64 = 1 << 52;
/// What to do where there are more.
pub(super) const SMALLER: &str = "give smaller layers";

/// The most layers: what a picture can hold.
const MOST_LAYERS: usize = 1000;
/// The most bytes of a layer's name: what file formats can hold, and more than anybody reads.
const LONGEST_NAME: usize = 200;

/// One tensor of weights, in PyTorch's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerShape {
    /// Its name, as in the network's state dictionary.
    pub name: String,
    /// Outputs, inputs and, of a convolution, the sizes of the kernel.
    pub shape: Vec<usize>,
}

impl LayerShape {
    fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec() }
    }

    /// The number of weights; `u64::MAX` where there are more.
    #[must_use]
    pub fn weights(&self) -> u64 {
        self.shape.iter().fold(1, |all, size| all.saturating_mul(*size as u64))
    }

    /// The number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Weights per output: inputs times the kernel.
    #[must_use]
    pub fn fan_in(&self) -> usize {
        self.shape.iter().skip(1).fold(1, |all, size| all.saturating_mul(*size))
    }

    /// Weights that join one input to one output: 1, or those of a convolution's kernel.
    #[must_use]
    pub fn kernel(&self) -> usize {
        self.shape.iter().skip(2).fold(1, |all, size| all.saturating_mul(*size))
    }
}

/// A network, layer by layer. Biases and batch normalisation are separate: the budget does not cover them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerShapes {
    /// Its name, as the program spells it.
    pub name: String,
    /// The tensors that weights can be taken from, at least one, of different names.
    pub layers: Vec<LayerShape>,
    /// The number of other parameters, where it is known: biases and batch normalisation.
    pub beside: Option<u64>,
}

/// The first layer of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stem {
    /// For images of 32 pixels: a kernel of 3.
    Cifar,
    /// For images of 224 pixels: a kernel of 7.
    ImageNet,
}

impl LayerShapes {
    /// A perceptron of given inputs, hidden widths and outputs, at least two numbers.
    ///
    /// # Errors
    /// Where there are fewer, or one is 0, or there are too many weights.
    pub fn mlp(sizes: &[usize]) -> Result<Self> {
        let texts: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let name = format!("mlp:{}", texts.join("-"));
        if sizes.len() < 2 {
            return Err(Error::value(
                "arch",
                &name,
                "a perceptron has inputs and outputs",
                "write for instance mlp:784-216-10",
            ));
        }
        let layers = sizes
            .windows(2)
            .enumerate()
            .map(|(index, pair)| LayerShape::new(format!("layer{index}.weight"), &[pair[1], pair[0]]));
        let beside = sizes[1..].iter().fold(0u64, |all, size| all.saturating_add(*size as u64));
        Self { name, layers: layers.collect(), beside: Some(beside) }.checked()
    }

    /// ResNet-18 (He, Zhang, Ren, Sun, CVPR 2016) whose first convolution has `width` outputs, 64 in the original; its
    /// stages have 1, 2, 4 and 8 times as many. Named as in torchvision.
    ///
    /// # Errors
    /// Where width or classes are 0, or there are too many weights.
    pub fn resnet18(width: usize, classes: usize, stem: Stem) -> Result<Self> {
        let (kind, kernel) = match stem {
            Stem::Cifar => ("resnet18", 3),
            Stem::ImageNet => ("resnet18-imagenet", 7),
        };
        let name = format!("{kind}:{width},{classes}");
        if width > 1 << 20 || classes > 1 << 30 {
            return Err(too_large(&name));
        }
        let mut layers = vec![LayerShape::new("conv1.weight", &[width, 3, kernel, kernel])];
        let mut normalised = width;
        let mut inputs = width;
        for stage in 0..4 {
            let outputs = width << stage;
            for block in 0..2 {
                let of_block = |part: &str| format!("layer{}.{block}.{part}.weight", stage + 1);
                layers.push(LayerShape::new(of_block("conv1"), &[outputs, inputs, 3, 3]));
                layers.push(LayerShape::new(of_block("conv2"), &[outputs, outputs, 3, 3]));
                normalised += 2 * outputs;
                if inputs != outputs {
                    layers.push(LayerShape::new(of_block("downsample.0"), &[outputs, inputs, 1, 1]));
                    normalised += outputs;
                }
                inputs = outputs;
            }
        }
        layers.push(LayerShape::new("fc.weight", &[classes, inputs]));
        // A scale and a shift each; and the biases of the last layer.
        Self { name, layers, beside: Some((2 * normalised + classes) as u64) }.checked()
    }

    /// Reads the shapes of a file: by [`LayerShapes::from_safetensors`] where its name ends so, else by
    /// [`LayerShapes::from_toml`].
    ///
    /// # Errors
    /// As these.
    pub fn from_file(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default();
        if ending.eq_ignore_ascii_case("safetensors") { Self::from_safetensors(path) } else { Self::from_toml(path) }
    }

    /// Reads a TOML file of shapes: tables `[[layer]]` with `name` and `shape`, outputs first.
    ///
    /// # Errors
    /// Where it cannot be read, or is not a list of shapes.
    pub fn from_toml(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shapes {
            layer: Vec<LayerShape>,
        }
        let text = read_text(path, CHECK)?;
        let remedy = "write tables [[layer]] with name = \"...\" and shape = [outputs, inputs]";
        let shapes: Shapes = toml::from_str(&text).map_err(|error| {
            Error::file(path, format!("is not a list of shapes: {}", error.to_string().trim_end()), remedy)
        })?;
        let whole = Self { name: path.display().to_string(), layers: shapes.layer, beside: None };
        whole.checked().map_err(|error| Error::file(path, format!("is not a list of shapes ({error})"), remedy))
    }

    /// A network of some layers, in their order; `name` is what messages call it.
    ///
    /// # Errors
    /// Where there is no layer, two have one name, a shape has fewer than two sizes or one of them is 0, or there are
    /// too many weights.
    ///
    /// ```
    /// use sparsewidth::network::budget::{LayerShape, LayerShapes};
    /// let layer = LayerShape { name: "fc.weight".into(), shape: vec![10, 64] };
    /// assert_eq!(LayerShapes::new("mine", vec![layer.clone()])?.weights(), 640);
    /// assert!(LayerShapes::new("mine", vec![layer.clone(), layer]).is_err());
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    pub fn new(name: impl Into<String>, layers: Vec<LayerShape>) -> Result<Self> {
        Self { name: name.into(), layers, beside: None }.checked()
    }

    /// The number of weights of all layers.
    pub fn weights(&self) -> u64 {
        self.layers.iter().fold(0, |all, layer| all.saturating_add(layer.weights()))
    }

    /// Returns itself if it has layers, of different names, each with weights, and not too many.
    pub(super) fn checked(self) -> Result<Self> {
        // This comes first, since names are compared pair by pair.
        if self.layers.len() > MOST_LAYERS {
            let problem = format!("has {} layers, {MOST_LAYERS} are the most", self.layers.len());
            return Err(Error::value("arch", &self.name, problem, "divide it into parts"));
        }
        let mut all = 0u64;
        for (index, layer) in self.layers.iter().enumerate() {
            if layer.shape.len() < 2 || layer.shape.contains(&0) {
                let problem = "a layer has outputs and inputs, none of them 0";
                return Err(Error::value(&layer.name, format!("{:?}", layer.shape), problem, "give such a shape"));
            }
            if layer.name.is_empty() || layer.name.len() > LONGEST_NAME || layer.name.contains(char::is_control) {
                let name: String = layer.name.chars().filter(|letter| !letter.is_control()).take(40).collect();
                let problem = format!("a name has 1 to {LONGEST_NAME} bytes, none of them control characters");
                return Err(Error::value("name", name, problem, "give another name"));
            }
            if self.layers[..index].iter().any(|other| other.name == layer.name) {
                return Err(Error::value("name", &layer.name, "is given twice", "give each layer a different name"));
            }
            let weights = layer.shape.iter().try_fold(1u64, |all, size| all.checked_mul(*size as u64));
            all = weights
                .and_then(|weights| all.checked_add(weights))
                .filter(|all| *all <= MOST_WEIGHTS)
                .ok_or_else(|| too_large(&self.name))?;
        }
        if self.layers.is_empty() {
            return Err(Error::value("arch", &self.name, "has no layer", "give at least one"));
        }
        Ok(self)
    }
}

fn too_large(name: &str) -> Error {
    Error::value("arch", name, format!("has more than {MOST_WEIGHTS} weights"), SMALLER)
}

impl FromStr for LayerShapes {
    type Err = Error;

    /// Reads `mlp:784-216-10`, `resnet18:W[,CLASSES]` (10 classes unless given), `resnet18-imagenet:W[,CLASSES]`
    /// (1,000), in any case, or the name of a `.toml` or `.safetensors` file.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let remedy = "use mlp:784-216-10, resnet18:64, resnet18:64,100, resnet18-imagenet:64, or a .toml or .safetensors file";
            Error::value("arch", text, "is not a known architecture", remedy)
        };
        let number = |part: &str| {
            parse::count(part).map_err(|error| {
                let problem = format!("is not a list of layers: {:?} {}", part.trim(), error.problem);
                Error::value("arch", text, problem, format!("{}, or use mlp:784-216-10 or resnet18:64", error.remedy))
            })
        };
        let name = text.to_lowercase();
        match name.split_once(':') {
            Some(("mlp", sizes)) => Self::mlp(&sizes.split('-').map(number).collect::<Result<Vec<_>>>()?),
            Some((kind @ ("resnet18" | "resnet18-imagenet"), sizes)) => {
                let (stem, usual) = if kind == "resnet18" { (Stem::Cifar, 10) } else { (Stem::ImageNet, 1000) };
                let (width, classes) = match sizes.split_once(',') {
                    Some((width, classes)) => (number(width)?, number(classes)?),
                    None => (number(sizes)?, usual),
                };
                Self::resnet18(width, classes, stem)
            }
            _ if name.ends_with(".toml") || name.ends_with(".safetensors") => Self::from_file(Path::new(text)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for LayerShapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resnets_have_their_published_counts() {
        let whole = |text: &str| {
            let network: LayerShapes = text.parse().unwrap();
            network.weights() + network.beside.unwrap()
        };
        // torchvision's resnet18, and the well-known count of the CIFAR variant.
        assert_eq!(whole("resnet18-imagenet:64"), 11_689_512);
        assert_eq!(whole("resnet18:64"), 11_173_962);
        // The paper's, to the digits that it gives: CIFAR-100 at its base widths, ImageNet.
        let rounded = |text: &str, unit: f64| (whole(text) as f64 / unit).round();
        for (width, count, unit) in [(8, 18.0, 1e4), (12, 40.0, 1e4), (18, 90.0, 1e4), (40, 44.0, 1e5), (64, 11.0, 1e6)]
        {
            assert_eq!(rounded(&format!("resnet18:{width},100"), unit), count, "{width}");
        }
        for (width, count) in [(64, 117.0), (90, 228.0), (128, 457.0), (181, 907.0), (256, 1806.0)] {
            assert_eq!(rounded(&format!("resnet18-imagenet:{width}"), 1e5), count, "{width}");
        }
    }

    #[test]
    fn what_is_no_architecture_is_refused() {
        for (text, words) in [
            ("mlp:784", "inputs and outputs"),
            ("mlp:784-0-10", "none of them 0"),
            ("mlp:784--10", "not a list of layers"),
            ("resnet18:0", "none of them 0"),
            ("resnet18:64,x", "not a list of layers"),
            ("resnet18:99999999999", "more than"),
            ("mlp:9999999999-9999999999-10", "more than"),
            ("mlp:1-18446744073709551615-1", "more than"),
            ("vgg", "resnet18-imagenet:64"),
            ("no.toml", "cannot be read"),
        ] {
            let message = text.parse::<LayerShapes>().unwrap_err().to_string();
            assert!(message.contains(words), "{text}: {message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shapes.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            LayerShapes::from_toml(&path)
        };
        let one = "[[layer]]\nname = \"a\"\nshape = [3, 4, 5]\n";
        assert_eq!(read(one).unwrap().weights(), 60);
        for (text, words) in [
            (one.repeat(2), "given twice"),
            (one.replace("shape", "size"), "size"),
            (one.replace("3, 4, 5", "3"), "outputs and inputs"),
            (one.replace('3', "-3"), "not a list of shapes"),
            ("layer = []".into(), "no layer"),
            (one.replace("\"a\"", &format!("\"{}\"", "a".repeat(70_000))), "1 to 200 bytes"),
            (one.replace("\"a\"", "\"a\\u0007\""), "control characters"),
            ((0..1_001).map(|layer| one.replace("\"a\"", &format!("\"{layer}\""))).collect(), "1001 layers"),
            // Refused before names are compared pair by pair.
            (one.repeat(1_001), "1001 layers"),
        ] {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
