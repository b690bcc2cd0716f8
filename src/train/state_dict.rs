//! Perceptrons that other programs trained: PyTorch state dicts in the safetensors format.

use std::path::Path;

use ndarray::{Array2, ArrayD, Ix1, Ix2};

use super::checkpoint::Checkpoint;
use super::layer::{LinearLayer, Parametrisation};
use super::mlp::Mlp;
use crate::data::Normaliser;
use crate::error::{Error, Result, Setting};
use crate::files::array::{Array, of_safetensors};
use crate::files::kind::{Kind, Wanted, listed};
use crate::files::{CHECK, read_whole, unreadable};
use crate::network::Activation;

/// What to do about most refusals.
const REMEDY: &str =
    "give the state dict of a perceptron, linear layers with ReLU between them: 0.weight, 0.bias, 2.weight, ...";

/// Trained weights, as a file holds them.
///
/// ```no_run
/// use std::path::Path;
/// use sparsewidth::data::{DataSource, Normalisation};
/// use sparsewidth::train::WeightFile;
/// let mnist = DataSource::Embedded.labelled()?;
/// let train = &mnist.train;
/// let mut checkpoint = match WeightFile::read(Path::new("model.safetensors"))? {
///     WeightFile::Checkpoint(checkpoint) => checkpoint,
///     WeightFile::StateDict(network) => {
///         let inputs = DataSource::Embedded.inputs(0)?;
///         network.with_normaliser(inputs.normaliser(Normalisation::GlobalMnist)?)?
///     }
/// };
/// println!("{}", checkpoint.evaluate(&mnist.test)?.accuracy);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum WeightFile {
    /// Written by this library, with the normalisation of the inputs.
    Checkpoint(Checkpoint),
    /// Written by another program.
    StateDict(StateDict),
}

impl WeightFile {
    /// Reads a safetensors file of either kind.
    ///
    /// # Errors
    /// Where it cannot be read, or is neither: see [`Checkpoint::read`] and [`StateDict`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
        match Kind::of(&bytes) {
            Some(Kind::Safetensors) if !Checkpoint::is_own(&bytes) => {
                StateDict::of_bytes(&bytes, path).map(Self::StateDict)
            }
            Some(kind @ (Kind::Torch | Kind::Pickle)) => {
                let remedy = "save its tensors in the safetensors format: in Python, safetensors.torch.save_file(\
                              model.state_dict(), 'model.safetensors'); or have weights kept here";
                Err(kind.refusal(path, Wanted::Weights, remedy).about(Setting::KeepWeights))
            }
            _ => Checkpoint::of_bytes(&bytes, path).map(Self::Checkpoint),
        }
    }
}

/// A perceptron from a state dict: tensors `NAME.weight` of shape `(outputs, inputs)` and `NAME.bias` of shape
/// `(outputs,)`, or none for a bias of 0, of type F16, BF16, F32 or F64. The layers follow each other by the numbers in
/// their names, with ReLU between them. A weight of 0 counts as none.
#[derive(Clone, Debug)]
pub struct StateDict {
    network: Mlp,
}

impl StateDict {
    /// The network.
    #[must_use]
    pub fn network(&self) -> &Mlp {
        &self.network
    }

    /// The network with the normalisation that its inputs had in training.
    ///
    /// # Errors
    /// Where that is for inputs of another size.
    pub fn with_normaliser(self, normaliser: Normaliser) -> Result<Checkpoint> {
        let inputs = self.network.layers()[0].inputs();
        if normaliser.dimension() != inputs {
            let (found, problem) =
                (format!("images of {} pixels", normaliser.dimension()), format!("the network takes {inputs} inputs"));
            return Err(Error::value("data", found, problem, "give such images"));
        }
        Ok(Checkpoint { network: self.network, normaliser })
    }

    fn of_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |problem: String, remedy: &str| Error::file(path, problem, remedy);
        let (mut weights, mut biases): (Vec<Array>, Vec<Array>) = (Vec::new(), Vec::new());
        for array in of_safetensors(bytes, path, REMEDY, &|_| true)? {
            let name = listed(std::slice::from_ref(&array.name));
            let dimensions = array.shape.len();
            let pruned = ["_mask", "_orig"].iter().any(|ending| name.ends_with(ending));
            if pruned {
                let remedy = "make the pruning permanent: torch.nn.utils.prune.remove(layer, 'weight')";
                return Err(refuse(format!("holds {name}, of a layer that is still being pruned"), remedy));
            }
            if !array.entries.is_float() {
                return Err(refuse(format!("holds {name}, which is not of floats"), REMEDY));
            }
            match name.rsplit_once('.').map_or(name.as_str(), |(_, part)| part) {
                "weight" if dimensions == 2 => weights.push(array),
                "weight" if dimensions >= 3 => {
                    let problem = format!("holds {name} of shape {:?}, a convolution", array.shape);
                    return Err(refuse(problem, REMEDY));
                }
                "weight" => {
                    let problem = format!("holds {name} of shape {:?}, which is no linear layer's", array.shape);
                    return Err(refuse(problem, REMEDY));
                }
                "bias" if dimensions == 1 => biases.push(array),
                _ => {
                    let problem = format!("holds {name} of shape {:?}, which no linear layer has", array.shape);
                    return Err(refuse(problem, REMEDY));
                }
            }
        }
        if weights.is_empty() {
            return Err(refuse("holds no weight of a linear layer".into(), REMEDY));
        }
        let mut layers: Vec<LinearLayer> = Vec::new();
        for array in &weights {
            let name = listed(std::slice::from_ref(&array.name));
            let of = |problem: String| refuse(problem, REMEDY);
            let weight = numbers(array).and_then(two).map_err(|problem| of(format!("{name} {problem}")))?;
            let (outputs, inputs) = weight.dim();
            if outputs == 0 || inputs == 0 {
                return Err(of(format!("{name} has shape {:?}", array.shape)));
            }
            if let Some(before) = layers.last().map(LinearLayer::outputs).filter(|before| *before != inputs) {
                let problem = format!(
                    "its layers, taken by the numbers in their names, do not follow each other: {name} takes {inputs} inputs, and the \
                     layer before has {before} outputs"
                );
                return Err(of(problem));
            }
            // The stem "0." of "0.weight".
            let stem = array.name.strip_suffix("weight").unwrap_or_default();
            let of_layer = |bias: &Array| bias.name.strip_suffix("bias") == Some(stem);
            let bias = match biases.iter().position(of_layer).map(|at| biases.swap_remove(at)) {
                Some(array) => {
                    let name = listed(std::slice::from_ref(&array.name));
                    let bias = numbers(&array).map_err(|problem| of(format!("{name} {problem}")))?;
                    let bias = bias.into_dimensionality::<Ix1>().expect("one dimension: checked").to_vec();
                    if bias.len() != outputs {
                        let problem = format!("{name} has {} entries, and its layer {outputs} outputs", bias.len());
                        return Err(of(problem));
                    }
                    bias.iter().map(|value| *value as f32).collect()
                }
                None => Vec::new(),
            };
            // Layers here are `w input / sqrt(inputs)`.
            let root = (inputs as f64).sqrt();
            let values = weight.mapv(|value| (value * root) as f32);
            layers.push(LinearLayer::from_parts(
                &values,
                &weight.mapv(|value| value != 0.0),
                bias,
                Parametrisation::Standard,
            ));
        }
        if let Some(bias) = biases.first() {
            let name = listed(std::slice::from_ref(&bias.name));
            return Err(refuse(format!("holds {name} without the weight of its layer"), REMEDY));
        }
        let between = vec![Activation::Relu; layers.len() - 1];
        Ok(Self { network: Mlp::from_layers(layers, between) })
    }
}

/// The finite numbers of an array.
fn numbers(array: &Array) -> std::result::Result<ArrayD<f64>, String> {
    let values: Vec<f64> = array.numbers()?.collect();
    match values.iter().position(|value| !value.is_finite() || value.abs() > f64::from(f32::MAX)) {
        Some(place) => Err(format!("holds {} at entry {place}, which is no weight", values[place])),
        None => array.shaped(values),
    }
}

fn two(array: ArrayD<f64>) -> std::result::Result<Array2<f64>, String> {
    array.into_dimensionality::<Ix2>().map_err(|error| error.to_string())
}
