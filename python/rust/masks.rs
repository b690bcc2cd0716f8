//! Weight budgets over layers, and masks: drawn, read and written.

use std::path::PathBuf;

use ndarray::ArrayD;
use numpy::{IntoPyArray, PyArrayDyn, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sparsewidth::network::budget::{Budget, FanIn, LayerShape, LayerShapes, Pattern, Rule};
use sparsewidth::network::read_masks;
use sparsewidth::{Error, Result};

use crate::errors::{raised, wrong_value};
use crate::options::Options;

/// Layers by name and shape, or an architecture by its name.
#[derive(FromPyObject)]
pub enum Shapes {
    /// For instance `mlp:784-128-10`.
    Named(String),
    /// In the order of the network.
    Listed(Vec<(String, Vec<usize>)>),
}

impl Shapes {
    fn network(self) -> Result<LayerShapes> {
        match self {
            Self::Named(name) => name.parse(),
            Self::Listed(layers) => {
                let layers = layers.into_iter().map(|(name, shape)| LayerShape { name, shape });
                LayerShapes::new("shapes", layers.collect())
            }
        }
    }
}

/// A network whose budget is divided.
struct Divided {
    network: LayerShapes,
    counts: Vec<u64>,
    pattern: Pattern,
}

/// Divides a budget as the program's `budget` does.
fn divided(shapes: Shapes, options: &mut Options) -> PyResult<Divided> {
    let network = shapes.network().map_err(raised)?;
    let shares = [("density", options.maybe("density")?), ("sparsity", options.maybe("sparsity")?)];
    let weights: Option<u64> = options.maybe("weights")?;
    let budget = match (shares, weights) {
        ([(_, Some(density)), (_, None)], None) => Budget::Density(density),
        ([(_, None), (_, Some(sparsity))], None) => Budget::Sparsity(sparsity),
        ([(_, None), (_, None)], Some(weights)) => Budget::Weights(weights),
        ([(_, None), (_, None)], None) => {
            let problem = "density, sparsity and weights are all missing";
            return Err(wrong_value("density", "None", problem, "give one of them"));
        }
        (_, weights) => {
            let given: Vec<&str> = (shares.iter().filter(|(_, share)| share.is_some()).map(|(name, _)| *name))
                .chain(weights.map(|_| "weights"))
                .collect();
            let problem = "each of these is the whole budget";
            return Err(wrong_value(
                given[0],
                given.join(" and "),
                problem,
                "give one of density, sparsity and weights",
            ));
        }
    };
    let rule: Rule = options.parsed("rule")?.unwrap_or(Rule::LargestFirst);
    let keep: Vec<(String, f64)> = options.or("keep", Vec::new())?;
    let fan_in: Option<FanIn> = match options.maybe::<String>("fan_in")?.as_deref() {
        None => None,
        Some("constant") => Some(FanIn::Constant),
        Some("even") => Some(FanIn::Even),
        Some(other) => {
            return Err(wrong_value("fan_in", other, "is no way to divide", "use \"constant\", \"even\" or None"));
        }
    };
    let pattern = match (options.maybe::<String>("pattern")?.as_deref(), fan_in) {
        (None | Some("unstructured"), None) => Pattern::Unstructured,
        (None | Some("unstructured"), Some(_)) => Pattern::EvenFanIn,
        (Some("kernel-wise"), None) => Pattern::KernelWise,
        (Some("kernel-wise"), Some(_)) => {
            let problem = "keeps whole kernels, which leaves no choice of fan-in";
            return Err(wrong_value("pattern", "kernel-wise", problem, "leave fan_in out"));
        }
        (Some(other), _) => {
            let remedy = "use \"unstructured\" or \"kernel-wise\"";
            return Err(wrong_value("pattern", other, "is no pattern of masks", remedy));
        }
    };
    let counts = (|| {
        let budget = budget.weights(network.weights())?;
        let counts = rule.divide_beside(&network.layers, budget, &network.given(&keep)?)?;
        match fan_in {
            Some(fan_in) => fan_in.counts(&network.layers, &counts),
            None => Ok(network.layers.iter().zip(&counts).map(|(layer, kept)| pattern.kept(layer, *kept)).collect()),
        }
    })();
    Ok(Divided { counts: counts.map_err(raised)?, network, pattern })
}

/// The layers of a network with their shapes and how many weights each keeps.
#[pyfunction]
pub fn allocate(shapes: Shapes, options: &str) -> PyResult<Vec<(String, Vec<usize>, u64)>> {
    let mut options = Options::new(options)?;
    let Divided { network, counts, .. } = divided(shapes, &mut options)?;
    options.finish()?;
    let layers = network.layers.into_iter().zip(counts);
    Ok(layers.map(|(layer, kept)| (layer.name, layer.shape, kept)).collect())
}

/// A mask with the name of its layer.
type Named<'py> = (String, Bound<'py, PyArrayDyn<bool>>);

/// The masks of a network, drawn as the program's `budget --masks` draws them.
#[pyfunction]
pub fn draw_masks<'py>(py: Python<'py>, shapes: Shapes, options: &str) -> PyResult<Vec<Named<'py>>> {
    let mut options = Options::new(options)?;
    let seed = options.or("seed", 0)?;
    let Divided { network, counts, pattern } = divided(shapes, &mut options)?;
    options.finish()?;
    let masks = py.detach(|| {
        let draw = |((layer, kept), place): ((&LayerShape, &u64), u32)| pattern.draw(layer, *kept, seed, place);
        network.layers.iter().zip(&counts).zip(0..).map(draw).collect::<Result<Vec<ArrayD<bool>>>>()
    });
    let masks = masks.map_err(raised)?;
    Ok(network.layers.into_iter().zip(masks).map(|(layer, mask)| (layer.name, mask.into_pyarray(py))).collect())
}

/// The masks of a file, by their layers.
#[pyfunction]
pub fn load_masks(py: Python<'_>, path: PathBuf, zeros_are_masked: bool) -> PyResult<Vec<Named<'_>>> {
    let masks = py.detach(|| read_masks(&path, zeros_are_masked)).map_err(raised)?;
    Ok(masks.into_iter().map(|named| (named.layer, named.mask.into_pyarray(py))).collect())
}

/// Masks as the bytes of a safetensors file, booleans.
#[pyfunction]
pub fn save_safetensors<'py>(
    py: Python<'py>,
    masks: Vec<(String, PyReadonlyArrayDyn<'py, bool>)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = masks
        .iter()
        .map(|(name, mask)| {
            let mask = mask.as_array();
            (name.clone(), mask.shape().to_vec(), mask.iter().map(|kept| u8::from(*kept)).collect())
        })
        .collect();
    let failure = |error: safetensors::SafeTensorError| raised(Error::failure("writing masks", error));
    let views = stored.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::BOOL, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failure)?;
    Ok(PyBytes::new(py, &serialize(views, None).map_err(failure)?))
}
