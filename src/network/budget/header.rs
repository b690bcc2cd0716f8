//! The shapes of a network from the header of a safetensors file, whose weights are not read.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::shapes::{LayerShape, LayerShapes};
use crate::error::{Error, Result};
use crate::files::array::in_order;
use crate::files::kind::{Kind, Wanted};
use crate::files::{CHECK, unreadable};

/// The longest header that the format allows, in bytes.
const LONGEST: u64 = 100_000_000;
/// How much of a file is looked at to say what it is.
const BEGINNING: u64 = 1 << 16;
const REMEDY: &str = "give the safetensors file of a network: tensors by the names of its layers";

/// What is read of a tensor.
#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
}

impl LayerShapes {
    /// Reads names and shapes from a safetensors file: its tensors of two or more dimensions, in natural order
    /// (`layer2` before `layer10`). Only the header is read, so the size of the file does not matter, and a file that
    /// was cut behind its header has shapes as well.
    ///
    /// Where `torch.nn.utils.prune` has stored a weight in two parts, `LAYER.weight_orig` and `LAYER.weight_mask`, that
    /// is one layer, `LAYER.weight`.
    ///
    /// # Errors
    /// Where it cannot be read, is another kind of file, or holds no tensor of two dimensions or more.
    pub fn from_safetensors(path: &Path) -> Result<Self> {
        let header = header(path)?;
        let damaged = |problem: &str| Error::file(path, format!("has no valid safetensors header ({problem})"), REMEDY);
        let mut entries: HashMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|error| damaged(&error.to_string()))?;
        entries.remove("__metadata__");
        let mut layers = Vec::new();
        for (name, entry) in entries {
            let tensor: Tensor = serde_json::from_value(entry).map_err(|error| damaged(&error.to_string()))?;
            let name = match name.strip_suffix("_orig") {
                Some(weight) => weight.to_string(),
                None if name.ends_with(".weight_mask") => continue,
                None => name,
            };
            if tensor.shape.len() >= 2 {
                layers.push(LayerShape { name, shape: tensor.shape });
            }
        }
        if layers.is_empty() {
            return Err(Error::file(path, "holds no tensor of two dimensions or more", REMEDY));
        }
        layers.sort_by_cached_key(|layer| (in_order(&layer.name), layer.name.clone()));
        let whole = Self { name: path.display().to_string(), layers, beside: None };
        whole.checked().map_err(|error| Error::file(path, format!("has other shapes than a network ({error})"), REMEDY))
    }
}

/// The header of a safetensors file: 8 bytes for its length, then JSON of that length.
fn header(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| unreadable(path, error, CHECK);
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref().take(BEGINNING).read_to_end(&mut bytes).map_err(failed)?;
    match Kind::of(&bytes) {
        Some(Kind::Safetensors) => {}
        Some(kind) => return Err(kind.refusal(path, Wanted::Weights, REMEDY)),
        None => return Err(Error::file(path, "is not a safetensors file", REMEDY)),
    }
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("8 bytes and a brace: its kind is known by them"));
    if length > LONGEST {
        let problem = format!("has a header of {length} bytes, {LONGEST} are the most");
        return Err(Error::file(path, problem, REMEDY));
    }
    let whole = 8 + length as usize;
    let missing = whole.saturating_sub(bytes.len()) as u64;
    file.take(missing).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() < whole {
        let problem = format!("ends within its header, after {} of {whole} bytes", bytes.len());
        return Err(Error::file(path, problem, "download or copy the file again"));
    }
    bytes.truncate(whole);
    Ok(bytes.split_off(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, data: usize) -> Result<LayerShapes> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat();
        std::fs::write(&path, bytes).unwrap();
        LayerShapes::from_safetensors(&path)
    }

    fn tensor(name: &str, shape: &str) -> String {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,0]}}")
    }

    #[test]
    fn tensors_of_two_dimensions_come_in_natural_order() {
        let tensors = [
            tensor("10.weight", "[3, 4]"),
            tensor("2.weight", "[4, 5, 3, 3]"),
            tensor("2.bias", "[4]"),
            tensor("fc.weight_orig", "[2, 3]"),
            tensor("fc.weight_mask", "[2, 3]"),
            "\"__metadata__\":{\"format\":\"pt\"}".into(),
        ];
        // Longer than what is looked at first; without any weights behind it.
        let header = format!("{{{}}}{}", tensors.join(","), " ".repeat(100_000));
        let network = read(&header, 0).unwrap();
        let names: Vec<&str> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["2.weight", "10.weight", "fc.weight"]);
        assert_eq!((network.layers[0].shape.as_slice(), network.weights()), (&[4, 5, 3, 3][..], 180 + 12 + 6));
    }

    #[test]
    fn other_headers_are_refused() {
        for (header, words) in [
            ("{}".to_string(), "no tensor of two dimensions"),
            (format!("{{{}}}", tensor("a", "[3]")), "no tensor of two dimensions"),
            (format!("{{{}}}", tensor("a", "[3, 0]")), "none of them 0"),
            (format!("{{{}}}", tensor("a", "[3, -1]")), "no valid safetensors header"),
            (format!("{{{}}}", tensor("a", "[99999999999, 99999999999]")), "more than"),
            ("{\"a\":3}".to_string(), "no valid safetensors header"),
            ("{\"a\"".to_string(), "no valid safetensors header"),
        ] {
            let message = read(&header, 8).unwrap_err().to_string();
            assert!(message.contains(words), "{header}: {message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            LayerShapes::from_safetensors(&path).unwrap_err().to_string()
        };
        assert!(told(&[&1_000u64.to_le_bytes()[..], b"{\"a\""].concat()).contains("ends within its header"));
        assert!(told(&[&(1u64 << 39).to_le_bytes()[..], b"{"].concat()).contains("100000000 are the most"));
        assert!(told(b"version https://git-lfs.github.com/spec/v1\n").contains("lfs pull"));
        assert!(told(&[7; 100]).contains("not a safetensors file"));
    }
}
