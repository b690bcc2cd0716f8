//! Learning rates by network, in a TOML file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::training_spec::{Family, TrainedNetwork};
use crate::connectivity::Connectivity;
use crate::error::{Error, Result};
use crate::network::{Activation, check_learning_rate};

/// The learning rate found for one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRate {
    /// The family of the network.
    pub family: Family,
    /// What is between its layers.
    pub activation: Activation,
    /// Its hidden width.
    pub width: usize,
    /// The connectivity of its first layer.
    pub connectivity: Connectivity,
    /// The connectivity of its last layer.
    pub last_connectivity: Connectivity,
    /// The learning rate.
    pub learning_rate: f64,
    /// The mean validation error that it came to.
    pub validation_error: f64,
}

/// Learning rates, as a file holds them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRates {
    /// One a network.
    pub rate: Vec<LearningRate>,
}

impl LearningRates {
    /// The rates as TOML, below a comment on where they come from.
    ///
    /// # Errors
    /// Where they cannot be written so.
    pub fn to_toml(&self, comment: &str) -> Result<String> {
        let text = toml::to_string(self).map_err(|error| Error::failure("writing TOML", error))?;
        Ok(format!("# {}\n\n{text}", comment.replace('\n', "\n# ")))
    }

    /// Reads a file of rates.
    ///
    /// # Errors
    /// Where it cannot be read, is no such file, or a rate is not positive.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::file(path, format!("cannot be read ({error})"), "check the path and its permissions")
        })?;
        let remedy = "give a rates.toml that `sparsewidth tune` wrote";
        let rates: Self = toml::from_str(&text).map_err(|error| {
            Error::file(path, format!("is no file of learning rates: {}", error.to_string().trim_end()), remedy)
        })?;
        for rate in &rates.rate {
            check_learning_rate(rate.learning_rate)
                .map_err(|error| Error::file(path, format!("is wrong at width {}: {error}", rate.width), remedy))?;
        }
        Ok(rates)
    }

    /// The rate of a network, whichever rate it has now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(&self, network: &TrainedNetwork) -> Result<f64> {
        // A connectivity is a quotient of whole numbers: told apart by far less.
        let equal = |a: Connectivity, b: Connectivity| (a.get() / b.get() - 1.0).abs() < 1e-9;
        let found = self.rate.iter().find(|rate| {
            (rate.family, rate.activation, rate.width) == (network.family, network.activation, network.width)
                && equal(rate.connectivity, network.connectivity)
                && equal(rate.last_connectivity, network.last_connectivity)
        });
        found.map(|rate| rate.learning_rate).ok_or_else(|| {
            let problem = format!(
                "has no {} network of width {} and connectivity {}",
                network.family.name(),
                network.width,
                network.connectivity.get()
            );
            Error::value("rates", "the file", problem, "tune that network as well, or leave it out")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_trip_and_bad_files_are_refused() {
        let p = Connectivity::new(5072.0 / (784.0 * 128.0)).unwrap();
        let network = TrainedNetwork::new(Family::Sparse, 128, p, 1.0);
        let rate = LearningRate {
            family: Family::Sparse,
            activation: Activation::Relu,
            width: 128,
            connectivity: p,
            last_connectivity: Connectivity::DENSE,
            learning_rate: 260.5,
            validation_error: 0.11,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.toml");
        let text = LearningRates { rate: vec![rate] }.to_toml("two\nlines").unwrap();
        std::fs::write(&path, &text).unwrap();
        let read = LearningRates::read(&path).unwrap();
        assert_eq!(read.of(&network).unwrap(), 260.5);
        assert!(read.of(&TrainedNetwork { width: 129, ..network }).unwrap_err().to_string().contains("width 129"));
        for (from, to, words) in [
            ("260.5", "-1.0", "learning_rate = -1"),
            ("260.5", "nan", "NaN"),
            ("width = 128", "width = \"x\"", "width"),
            ("width", "breadth", "breadth"),
            ("[[rate]]", "[[rate", "no file of learning rates"),
        ] {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let message = LearningRates::read(&path).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
