//! Trained networks on disk, in the safetensors format.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array1, Array2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::layer::{LinearLayer, Parametrisation};
use super::mlp::{Evaluation, Mlp};
use super::samples::Samples;
use crate::data::{Labelled, Normaliser};
use crate::error::{Error, Result, Setting};
use crate::files::kind::{Kind, Wanted, listed};
use crate::files::{CHECK, read_whole, unreadable};
use crate::network::Activation;

/// What to do about a file of other weights.
const REMEDY: &str = "give a file that training wrote, in the folder `weights` of its output";
/// The entry of the file's metadata that describes the network; a single one, since several have no order.
const DESCRIPTION: &str = "sparsewidth";

/// What the tensors do not say.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    between: Vec<Activation>,
    parametrisation: Parametrisation,
}

/// A trained network, with the normalisation that its inputs had.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The network.
    pub network: Mlp,
    /// What maps an image to its inputs.
    pub normaliser: Normaliser,
}

impl Checkpoint {
    /// The network as a safetensors file: for each layer, numbered from 0, `layerI.weight` (`w`, F32, outputs x
    /// inputs), `layerI.mask` (BOOL, which of them exist), `layerI.bias` (F32, where there are any) and `layerI.scale`
    /// (F32, no dimension): the layer is `output = scale weight input + bias`. `input.shift` and `input.factor` (F64)
    /// make `input = (image - shift) factor`, pixel by pixel. The metadata's entry `sparsewidth` is a JSON object:
    /// `between`, the activations that follow each layer but the last, and the `parametrisation`.
    ///
    /// # Errors
    /// Where it cannot be written in that format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (index, layer) in self.network.layers().iter().enumerate() {
            let shape = vec![layer.outputs(), layer.inputs()];
            let mut add =
                |name: &str, kind, shape, bytes| tensors.push((format!("layer{index}.{name}"), kind, shape, bytes));
            add("weight", Dtype::F32, shape.clone(), singles(layer.to_dense().iter()));
            add("mask", Dtype::BOOL, shape, layer.mask().iter().map(|exists| u8::from(*exists)).collect());
            if !layer.biases().is_empty() {
                add("bias", Dtype::F32, vec![layer.outputs()], singles(layer.biases().iter()));
            }
            add("scale", Dtype::F32, vec![], layer.factor().to_le_bytes().to_vec());
        }
        let (shifts, factors): (Vec<f64>, Vec<f64>) = self.normaliser.maps().unzip();
        for (name, values) in [("input.shift", shifts), ("input.factor", factors)] {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((name.into(), Dtype::F64, vec![values.len()], bytes));
        }
        let failure = |error| Error::failure("writing weights", error);
        let views = tensors
            .iter()
            .map(|(name, kind, shape, bytes)| Ok((name, TensorView::new(*kind, shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(failure)?;
        let description = Description {
            between: self.network.between().to_vec(),
            parametrisation: self.network.layers()[0].parametrisation(),
        };
        let description =
            serde_json::to_string(&description).map_err(|error| Error::failure("writing weights", error))?;
        let metadata = HashMap::from([(DESCRIPTION.to_string(), description)]);
        serialize(views, Some(metadata)).map_err(failure)
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is not such a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
        Self::of_bytes(&bytes, path)
    }

    /// The network of a file's bytes; `path` is for the error only.
    pub(super) fn of_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::parse(bytes).map_err(|problem| match Kind::of(bytes).filter(|kind| *kind != Kind::Safetensors) {
            Some(kind) => kind.refusal(path, Wanted::Weights, REMEDY).about(Setting::KeepWeights),
            None => Error::file(path, problem, REMEDY).about(Setting::KeepWeights),
        })
    }

    /// The network of a file's bytes, or what is wrong with them.
    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let unreadable = |error| format!("is not a complete safetensors file ({error})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let Some(description) = header.metadata().as_ref().and_then(|entries| entries.get(DESCRIPTION)) else {
            let mut names: Vec<String> = tensors.names().into_iter().map(String::from).collect();
            names.sort();
            return Err(format!("is a safetensors file of another program, with the tensors {}", listed(&names)));
        };
        let description: Description = serde_json::from_str(description)
            .map_err(|error| format!("has no description of a network in its metadata ({error})"))?;
        let tensor = |name: &str, kind: Dtype, dimensions: usize| {
            let found = tensors.tensor(name).map_err(|_| format!("has no tensor {name}"))?;
            if found.dtype() == kind && found.shape().len() == dimensions {
                return Ok(found);
            }
            Err(format!(
                "has {name} of type {:?} and shape {:?}, not {kind:?} of {dimensions} dimensions",
                found.dtype(),
                found.shape()
            ))
        };
        let mut layers: Vec<LinearLayer> = Vec::new();
        while tensors.tensor(&format!("layer{}.weight", layers.len())).is_ok() {
            let name = |part: &str| format!("layer{}.{part}", layers.len());
            let (weight, mask) = (tensor(&name("weight"), Dtype::F32, 2)?, tensor(&name("mask"), Dtype::BOOL, 2)?);
            let shape = (weight.shape()[0], weight.shape()[1]);
            if shape.0 == 0 || shape.1 == 0 {
                return Err(format!("has {} of shape {:?}", name("weight"), weight.shape()));
            }
            let biases = if tensors.tensor(&name("bias")).is_ok() {
                from_singles(tensor(&name("bias"), Dtype::F32, 1)?.data())
            } else {
                Vec::new()
            };
            let before = layers.last().map_or(shape.1, LinearLayer::outputs);
            if mask.shape() != weight.shape() || !(biases.is_empty() || biases.len() == shape.0) || before != shape.1 {
                return Err(format!(
                    "has a layer {} whose shapes do not fit each other or the layer before",
                    layers.len()
                ));
            }
            let scale = from_singles(tensor(&name("scale"), Dtype::F32, 0)?.data());
            let matrix = |error| format!("has {} of a wrong size ({error})", name("weight"));
            let values = Array2::from_shape_vec(shape, from_singles(weight.data())).map_err(matrix)?;
            let exists =
                Array2::from_shape_vec(shape, mask.data().iter().map(|byte| *byte != 0).collect()).map_err(matrix)?;
            let layer = LinearLayer::from_parts(&values, &exists, biases, description.parametrisation);
            if scale != [layer.factor()] {
                return Err(format!("has {} that is not 1/sqrt(inputs)", name("scale")));
            }
            layers.push(layer);
        }
        let map = |name: &str| -> std::result::Result<Array1<f64>, String> {
            let values = tensor(name, Dtype::F64, 1)?;
            Ok(values.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        };
        let (shift, factor) = (map("input.shift")?, map("input.factor")?);
        let inputs = layers.first().ok_or("has no layer")?.inputs();
        if shift.len() != inputs || factor.len() != inputs {
            return Err(format!("has a normalisation of {} and {} inputs for {inputs}", shift.len(), factor.len()));
        }
        if description.between.len() + 1 != layers.len() {
            return Err(format!(
                "has {} layers with {} activations between them",
                layers.len(),
                description.between.len()
            ));
        }
        Ok(Self {
            network: Mlp::from_layers(layers, description.between),
            normaliser: Normaliser::from_maps(shift, factor),
        })
    }

    /// Share of right answers and loss on images, not yet normalised.
    ///
    /// # Errors
    /// Where the images are not of the size that the network takes, or a label is beyond its outputs.
    pub fn evaluate(&mut self, images: &Labelled) -> Result<Evaluation> {
        let inputs = self.network.layers()[0].inputs();
        if images.images.ncols() != inputs {
            let problem = format!("the network takes images of {inputs} pixels");
            return Err(Error::value(
                "data",
                format!("images of {} pixels", images.images.ncols()),
                problem,
                "give such images",
            ));
        }
        let outputs = self.network.layers().last().expect("a network has a layer: checked where it is made").outputs();
        if images.labels.iter().any(|label| usize::from(*label) >= outputs) {
            let classes = usize::from(*images.labels.iter().max().unwrap_or(&0)) + 1;
            let problem = format!("the network has {outputs} outputs");
            let remedy = "give the data that it was trained on";
            return Err(Error::value("data", format!("labels of {classes} classes"), problem, remedy));
        }
        let samples = Samples::of_images(images.images.clone(), &self.normaliser)?;
        self.network.evaluate(&Blocks::new(&samples), &images.labels)
    }
}

/// Whether a file's bytes are a checkpoint, whole or not.
pub(super) fn is_ours(bytes: &[u8]) -> bool {
    let described = |entries: &HashMap<String, String>| entries.contains_key(DESCRIPTION);
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| header.metadata().as_ref().is_some_and(described))
}

fn singles<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    values.flat_map(|value| value.to_le_bytes()).collect()
}

fn from_singles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{LabelledSets, Normalisation};
    use crate::network::{Architecture, MaskFamily, WeightDistribution};
    use crate::train::{MlpSpec, Parametrisation};

    fn checkpoint() -> Checkpoint {
        let law = MlpSpec {
            inputs: 784,
            network: "linear:40@0.1 relu:12 linear:10@0.5"
                .parse::<Architecture>()
                .unwrap()
                .with_mask(MaskFamily::ExactCount),
            law: WeightDistribution::Gaussian,
            parametrisation: Parametrisation::Standard,
            biases: true,
        };
        let images = LabelledSets::embedded().unwrap().train.images.to_real();
        let normaliser = Normaliser::fit(Normalisation::Pixel, &images, crate::data::Values::Bytes).unwrap();
        Checkpoint { network: Mlp::draw(&law, 3, 0).unwrap(), normaliser }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut written = checkpoint();
        let bytes = written.to_bytes().unwrap();
        let mut read = Checkpoint::parse(&bytes).unwrap();
        assert_eq!(read.to_bytes().unwrap(), bytes);
        assert_eq!(read.network.weights(), written.network.weights());
        assert_eq!(read.network.between(), written.network.between());
        let test = LabelledSets::embedded().unwrap().test;
        assert_eq!(read.evaluate(&test).unwrap(), written.evaluate(&test).unwrap());
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = checkpoint().to_bytes().unwrap();
        for end in [0, 5, 100, bytes.len() - 1] {
            assert!(Checkpoint::parse(&bytes[..end]).unwrap_err().contains("not a complete safetensors"), "{end}");
        }
        let changed = |from: &str, to: &str| {
            let header = bytes.len().min(4_000);
            let text = String::from_utf8_lossy(&bytes[8..header]).to_string();
            let at = 8 + text.find(from).unwrap();
            let mut changed = bytes.clone();
            changed[at..at + to.len()].copy_from_slice(to.as_bytes());
            Checkpoint::parse(&changed).unwrap_err()
        };
        assert!(changed("linear", "convex").contains("convex"));
        let empty = r#"{"__metadata__":{"sparsewidth":"{\"between\":[],\"parametrisation\":\"standard\"}"},"layer0.mask":{"dtype":"BOOL","shape":[1099511627776,0],"data_offsets":[0,0]},"layer0.weight":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]}}"#;
        let empty = [&(empty.len() as u64).to_le_bytes()[..], empty.as_bytes()].concat();
        assert!(Checkpoint::parse(&empty).unwrap_err().contains("[1099511627776, 0]"));
        assert!(changed("layer2.weight", "layer9.weight").contains("2 layers with 2 activations"));
        assert!(changed("layer1.mask", "layer7.mask").contains("no tensor layer1.mask"));
        assert!(changed("layer0.weight", "layer9.weight").contains("no layer"));
    }
}
