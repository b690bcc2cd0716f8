//! Masks of a divided budget, as a file that other libraries read.

use std::io::Cursor;

use ndarray::ArrayD;
use ndarray_npy::NpzWriter;

use super::shapes::LayerShape;
use crate::error::{Error, Result};
use crate::files::array::check_array_names;
use crate::network::Connectivity;
use crate::network::{DrawnLayer, LayerId, LayerSpec, MaskFamily, WeightDistribution};

/// The most entries of all masks, a byte each: the file is made in memory.
const MOST_ENTRIES: u64 = 1 << 31;

/// The units that a mask keeps or drops whole, at uniformly random positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Pattern {
    /// Individual weights.
    #[cfg_attr(feature = "cli", value(alias = "entries"))]
    Unstructured,
    /// Whole kernels, all weights between an input and an output channel: as many as the kept weights fill.
    #[cfg_attr(feature = "cli", value(alias = "channels"))]
    KernelWise,
    /// Individual weights, as many at every output of a layer, or one more at some of them: a constant fan-in where the
    /// count allows it, as with the counts of [`FanIn`](super::FanIn).
    #[cfg_attr(feature = "cli", value(skip))]
    EvenFanIn,
}

impl Pattern {
    /// How many of `kept` weights a layer does keep: all, or those that make up whole kernels.
    #[must_use]
    pub fn kept(self, layer: &LayerShape, kept: u64) -> u64 {
        match self {
            Self::Unstructured | Self::EvenFanIn => kept,
            Self::KernelWise => kept - kept % layer.kernel().max(1) as u64,
        }
    }

    /// Draws the mask of a layer that keeps at most `kept` of its weights. It is the mask of this layer, at this place
    /// in a network, in initialisation 0 of this seed.
    ///
    /// # Errors
    /// Where it keeps more than it has, or has more than 2^31 weights.
    pub fn draw(self, layer: &LayerShape, kept: u64, seed: u64, place: u32) -> Result<ArrayD<bool>> {
        let kernel = if self == Self::KernelWise { layer.kernel().max(1) } else { 1 };
        let (rows, columns) = (layer.outputs(), layer.fan_in() / kernel);
        check_entries(layer.weights())?;
        let (kept, entries) = (kept / kernel as u64, rows as u64 * columns as u64);
        let mut mask = ArrayD::from_elem(layer.shape.as_slice(), false);
        if kept == 0 {
            return Ok(mask);
        }
        if self == Self::EvenFanIn {
            let values = mask.as_slice_mut().expect("standard layout: made so above");
            return even_fan_in(values, (rows, columns), kept, LayerId { seed, initialisation: 0, layer: place })
                .map(|()| mask);
        }
        let law = LayerSpec {
            rows,
            columns,
            // With fewer than 2^52 entries, this quotient times their number rounds to `kept` again.
            connectivity: Connectivity::new(kept as f64 / entries as f64)?,
            mask: MaskFamily::ExactCount,
            law: WeightDistribution::Gaussian,
        };
        let drawn = DrawnLayer::new(law, LayerId { seed, initialisation: 0, layer: place });
        let values = mask.as_slice_mut().expect("standard layout: made so above");
        for (row, values) in values.chunks_exact_mut(columns * kernel).enumerate() {
            let of_row = drawn.rows(row..row + 1);
            for column in of_row.columns {
                values[column as usize * kernel..][..kernel].fill(true);
            }
        }
        Ok(mask)
    }
}

/// Keeps `kept / rows` weights in each row, and one more in as many rows, at random, as there are weights left over.
/// The weights of the two kinds of rows are nested: those of a lower connectivity are among those of a higher one.
fn even_fan_in(mask: &mut [bool], (rows, columns): (usize, usize), kept: u64, id: LayerId) -> Result<()> {
    /// Layers of this number and above are no layers of a network: they choose rows.
    const CHOICE: u32 = 1 << 22;
    let draw = |(rows, columns): (usize, usize), share: f64, mask: MaskFamily, id: LayerId| {
        let connectivity = Connectivity::new(share)?;
        let law = LayerSpec { rows, columns, connectivity, mask, law: WeightDistribution::Gaussian };
        Ok::<_, Error>(DrawnLayer::new(law, id))
    };
    let (each, rest) = ((kept / rows as u64) as usize, (kept % rows as u64) as usize);
    let more = match rest {
        0 => vec![false; rows],
        rest => {
            let choice = LayerId { layer: CHOICE + id.layer, ..id };
            let chosen = draw((rows, 1), rest as f64 / rows as f64, MaskFamily::ExactCount, choice)?;
            (0..rows).map(|row| !chosen.rows(row..row + 1).is_empty()).collect()
        }
    };
    let of_fan_in = |fan_in: usize| match fan_in {
        0 => Ok(None),
        more => draw((rows, columns), more as f64 / columns as f64, MaskFamily::ConstantFanIn, id).map(Some),
    };
    let drawn = [of_fan_in(each)?, if rest > 0 { of_fan_in(each + 1)? } else { None }];
    for (row, (values, more)) in mask.chunks_exact_mut(columns).zip(more).enumerate() {
        if let Some(layer) = &drawn[usize::from(more)] {
            layer.rows(row..row + 1).columns.iter().for_each(|column| values[*column as usize] = true);
        }
    }
    Ok(())
}

/// Refuses masks of more entries than are drawn at once.
fn check_entries(entries: u64) -> Result<()> {
    if entries <= MOST_ENTRIES {
        return Ok(());
    }
    let problem = format!("masks take a byte per weight, at most {MOST_ENTRIES}");
    Err(Error::value("layers", format!("{entries} weights"), problem, "draw the masks of fewer or smaller layers"))
}

/// The masks of layers that keep `counts` of their weights, as the bytes of an NPZ file: one boolean array per layer,
/// with its name and shape.
///
/// # Errors
/// Where there is not one count per layer, a layer keeps more than it has, masks have more than 2^31 entries in all, a
/// name is one that NumPy would confuse (`file`, `a.npy` beside `a`, `/a`, `../a`), or the file cannot be made.
pub fn masks_npz(layers: &[LayerShape], counts: &[u64], positions: Pattern, seed: u64) -> Result<Vec<u8>> {
    if counts.len() != layers.len() {
        let problem = format!("there are {} layers", layers.len());
        return Err(Error::value("counts", counts.len(), problem, "give one count per layer"));
    }
    let entries = layers.iter().fold(0u64, |all, layer| all.saturating_add(layer.weights()));
    check_entries(entries)?;
    check_array_names(layers.iter().map(|layer| layer.name.as_str()))
        .map_err(|(name, problem)| Error::value("name", name, problem, "give the layer another name"))?;
    let failure = |error: &dyn std::fmt::Display| Error::failure("writing masks", error);
    let mut file = NpzWriter::new(Cursor::new(Vec::new()));
    for (place, (layer, kept)) in (0..).zip(layers.iter().zip(counts)) {
        let mask = positions.draw(layer, *kept, seed, place)?;
        file.add_array(layer.name.as_str(), &mask).map_err(|error| failure(&error))?;
    }
    Ok(file.finish().map_err(|error| failure(&error))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Mlp, MlpSpec, Parametrisation};

    #[test]
    fn a_mask_that_no_memory_holds_is_refused() {
        let layer = LayerShape { name: "a".into(), shape: vec![1 << 20, 1 << 20] };
        let message = Pattern::Unstructured.draw(&layer, 1, 0, 0).unwrap_err().to_string();
        assert!(message.contains("a byte per weight"), "{message}");
    }

    #[test]
    fn a_count_too_few_is_refused() {
        let layers = ["a", "b"].map(|name| LayerShape { name: name.into(), shape: vec![2, 2] });
        let error = masks_npz(&layers, &[1], Pattern::Unstructured, 0).unwrap_err();
        assert!(error.to_string().contains("counts = 1: there are 2 layers"), "{error}");
    }

    #[test]
    fn masks_keep_exactly_what_they_should() {
        let layer = LayerShape { name: "conv".into(), shape: vec![16, 8, 3, 3] };
        for kept in [0, 1, 9, 100, 1_151, 1_152] {
            let count = |positions: Pattern| {
                let mask = positions.draw(&layer, kept, 5, 0).unwrap();
                assert_eq!(mask.shape(), [16, 8, 3, 3]);
                mask
            };
            let of = |mask: &ArrayD<bool>| mask.iter().filter(|exists| **exists).count() as u64;
            assert_eq!(of(&count(Pattern::Unstructured)), kept);
            let channels = count(Pattern::KernelWise);
            assert_eq!(of(&channels), Pattern::KernelWise.kept(&layer, kept));
            let whole = |kernel: &[bool]| kernel.iter().all(|exists| *exists == kernel[0]);
            assert!(channels.as_slice().unwrap().chunks(9).all(whole));
        }
        assert!(Pattern::Unstructured.draw(&layer, 1_153, 5, 0).is_err());
    }

    #[test]
    fn a_mask_is_that_of_the_trained_network() {
        let law = MlpSpec {
            inputs: 784,
            network: format!("relu:128@{}/exact_count linear:10/exact_count", 5072.0 / (784.0 * 128.0))
                .parse()
                .unwrap(),
            law: WeightDistribution::Uniform,
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
        };
        let network = Mlp::draw(&law, 7, 0).unwrap();
        let layer = LayerShape { name: "first".into(), shape: vec![128, 784] };
        let mask = Pattern::Unstructured.draw(&layer, 5072, 7, 0).unwrap();
        assert_eq!(mask.into_dimensionality::<ndarray::Ix2>().unwrap(), network.layers()[0].mask());
    }
}
