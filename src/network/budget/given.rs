//! Layers whose densities a user gives, by name.

use super::shapes::LayerShapes;
use crate::error::{Error, Result};

/// The most names that an error lists.
const SHOWN: usize = 40;

impl LayerShapes {
    /// How many weights layers keep whose densities are given by name, `round(density weights)`; none for the others:
    /// what [`Rule::divide_beside`](super::Rule::divide_beside) takes. A name may leave out `.weight` at its end.
    ///
    /// ```
    /// use sparsewidth::network::budget::LayerShapes;
    /// let network: LayerShapes = "mlp:784-216-10".parse()?;
    /// let given = network.given(&[("layer1.weight".into(), 0.5)])?;
    /// assert_eq!(given, [None, Some(1080)]);
    /// # Ok::<(), sparsewidth::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no layer of a name, a layer is named twice, or a density is not from 0 to 1.
    pub fn given(&self, densities: &[(String, f64)]) -> Result<Vec<Option<u64>>> {
        let mut given = vec![None; self.layers.len()];
        for (name, density) in densities {
            let with_ending = format!("{name}.weight");
            let exact = self.layers.iter().position(|layer| layer.name == *name);
            let place = exact.or_else(|| self.layers.iter().position(|layer| layer.name == with_ending));
            let Some(place) = place else {
                let problem = format!("is not a layer of {self}");
                return Err(Error::value("layer", name, problem, format!("use one of {}", self.names())));
            };
            if !(0.0..=1.0).contains(density) {
                let problem = format!("is not a density that {name} can have");
                return Err(Error::value("density", density, problem, "give a number from 0 to 1"));
            }
            let layer = &self.layers[place];
            if given[place].replace((density * layer.weights() as f64).round() as u64).is_some() {
                return Err(Error::value("layer", name, "is given twice", "give each layer one density"));
            }
        }
        Ok(given)
    }

    /// The names of its layers, for an error.
    fn names(&self) -> String {
        let shown: Vec<&str> = self.layers.iter().take(SHOWN).map(|layer| layer.name.as_str()).collect();
        match self.layers.len() {
            0..=SHOWN => shown.join(", "),
            more => format!("{} and {} more", shown.join(", "), more - SHOWN),
        }
    }
}
