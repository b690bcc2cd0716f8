//! Weights of perceptrons that other programs trained, as PyTorch's state dictionaries name them.

use std::path::Path;

use ndarray::Array2;

use super::checkpoint::{Checkpoint, is_ours};
use super::layer::{LinearLayer, Parametrisation};
use super::mlp::Mlp;
use crate::error::{Error, Result, Setting};
use crate::files::array::{Array, in_order, of_safetensors};
use crate::files::kind::{Kind, Wanted, listed};
use crate::files::{CHECK, read_whole, unreadable};
use crate::network::Activation;

/// What to do about a file that is not one of weights.
const REMEDY: &str = "give a perceptron's state dictionary as safetensors (0.weight, 0.bias, 2.weight, ...), or what training here wrote";

/// A network from a file of weights.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TrainedWeights {
    /// What training here wrote, with its normalisation.
    Checkpoint(Checkpoint),
    /// A state dictionary, which does not say how its inputs were normalised.
    StateDict(Mlp),
}

impl TrainedWeights {
    /// Reads a safetensors file: a [`Checkpoint`], or the state dictionary of a perceptron of linear layers with ReLU
    /// between them.
    ///
    /// Of a state dictionary, tensors are named `LAYER.weight` (outputs x inputs) and `LAYER.bias`, in the order of
    /// their names with numbers as numbers, of type F32, F16, BF16 or F64; a layer without biases has none. Pruned
    /// layers have `LAYER.weight_orig` and `LAYER.weight_mask`, whose product is the weight.
    ///
    /// # Errors
    /// Where the file cannot be read, holds other tensors than these, or layers that do not fit each other.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
        if let Some(kind) = Kind::of(&bytes).filter(|kind| *kind != Kind::Safetensors) {
            return Err(kind.refusal(path, Wanted::Weights, REMEDY).about(Setting::KeepWeights));
        }
        if is_ours(&bytes) {
            return Checkpoint::of_bytes(&bytes, path).map(Self::Checkpoint);
        }
        let tensors =
            of_safetensors(&bytes, path, REMEDY, &|_| true).map_err(|error| error.about(Setting::KeepWeights))?;
        network(tensors)
            .map(Self::StateDict)
            .map_err(|problem| Error::file(path, problem, REMEDY).about(Setting::KeepWeights))
    }
}

/// A layer by its tensors.
#[derive(Default)]
struct Parts {
    name: String,
    weight: Option<Array2<f32>>,
    /// What pruning keeps.
    mask: Option<Array2<f32>>,
    bias: Option<Vec<f32>>,
}

/// The network of a file's tensors, or what is wrong with them.
fn network(tensors: Vec<Array>) -> std::result::Result<Mlp, String> {
    let mut layers: Vec<Parts> = Vec::new();
    for tensor in &tensors {
        let Array { name, shape, .. } = tensor;
        let part = [".weight", ".weight_orig", ".weight_mask", ".bias"]
            .iter()
            .find_map(|part| Some((name.strip_suffix(part)?, *part)));
        let (layer, part) = match (part, shape.len()) {
            (Some((layer, ".bias")), 1) => (layer, ".bias"),
            (Some((layer, part)), 2) if part != ".bias" => (layer, part),
            _ => {
                let other = listed(std::slice::from_ref(name));
                return Err(format!("is no perceptron of linear layers: it holds {other} of shape {shape:?}"));
            }
        };
        let values: Vec<f32> = tensor.numbers()?.map(|value| value as f32).collect();
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!("has {name} that holds {} at entry {place}", values[place]));
        }
        let place = layers.iter().position(|parts| parts.name == layer).unwrap_or_else(|| {
            layers.push(Parts { name: layer.into(), ..Parts::default() });
            layers.len() - 1
        });
        let parts = &mut layers[place];
        if part == ".bias" {
            parts.bias = Some(values);
            continue;
        }
        let matrix = Array2::from_shape_vec((shape[0], shape[1]), values);
        let matrix = matrix.map_err(|error| format!("has {name} of a wrong size ({error})"))?;
        if matrix.is_empty() {
            return Err(format!("has {name} of shape {shape:?}"));
        }
        *(if part == ".weight_mask" { &mut parts.mask } else { &mut parts.weight }) = Some(matrix);
    }
    layers.sort_by_key(|parts| in_order(&parts.name));
    let mut found: Vec<LinearLayer> = Vec::new();
    for Parts { name, weight, mask, bias } in layers {
        let weight = weight.ok_or_else(|| format!("has no {name}.weight"))?;
        let (outputs, inputs) = weight.dim();
        let before = found.last().map_or(inputs, LinearLayer::outputs);
        if before != inputs {
            return Err(format!("has {name}.weight of {inputs} inputs after a layer of {before} outputs"));
        }
        if bias.as_ref().is_some_and(|bias| bias.len() != outputs) {
            return Err(format!("has {name}.bias of another length than the {outputs} outputs of {name}.weight"));
        }
        let exists = match mask {
            Some(mask) if mask.dim() != weight.dim() => {
                return Err(format!("has {name}.weight_mask of another shape than its weight"));
            }
            Some(mask) if mask.iter().any(|kept| *kept != 0.0 && *kept != 1.0) => {
                return Err(format!("has {name}.weight_mask with other entries than 0 and 1"));
            }
            Some(mask) => mask.mapv(|kept| kept != 0.0),
            None => weight.mapv(|value| value != 0.0),
        };
        // Our layers divide by the root of their inputs.
        let root = (inputs as f64).sqrt();
        let values = weight.mapv(|value| (f64::from(value) * root) as f32);
        found.push(LinearLayer::from_parts(&values, &exists, bias.unwrap_or_default(), Parametrisation::Standard));
    }
    match found.len() {
        0 => Err("holds no tensor".into()),
        layers => Ok(Mlp::from_layers(found, vec![Activation::Relu; layers - 1])),
    }
}
