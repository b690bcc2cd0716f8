//! Learning rates by network, in a TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{CLASSES, DataSource, Dataset, Normalisation};
use crate::error::{Error, Result, Setting};
use crate::files::kind::Kind;
use crate::files::{CHECK, read_text};
use crate::network::{Activation, Architecture, Connectivity, Layer, MaskFamily};
use crate::study::training::{Family, TrainedNetwork};
use crate::train::{Parametrisation, check_learning_rate};

/// The learning rate found for one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Rate")]
pub struct LearningRate {
    /// The family of the network.
    pub family: Family,
    /// Its layers, the outputs included. Masks do not matter.
    pub architecture: Architecture,
    /// Which variable gradient descent updates: a rate means little in another parametrisation.
    pub parametrisation: Parametrisation,
    /// Whether it has biases.
    pub biases: bool,
    /// The learning rate.
    pub learning_rate: f64,
    /// The mean validation error at this rate.
    pub validation_error: f64,
}

/// A rate as files hold it. The network is given by `architecture` or, in older files, by the width of a hidden layer
/// and the layer before it, if any.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    family: Family,
    architecture: Option<Architecture>,
    activation: Option<Activation>,
    width: Option<usize>,
    before: Option<String>,
    connectivity: Option<Connectivity>,
    last_connectivity: Option<Connectivity>,
    parametrisation: Parametrisation,
    biases: bool,
    learning_rate: f64,
    validation_error: f64,
}

impl TryFrom<Rate> for LearningRate {
    type Error = Error;

    fn try_from(rate: Rate) -> Result<Self> {
        let architecture = match (&rate, rate.architecture.as_ref()) {
            (
                Rate {
                    activation: None, width: None, before: None, connectivity: None, last_connectivity: None, ..
                },
                Some(found),
            ) => found.clone(),
            (
                Rate {
                    activation: Some(activation),
                    width: Some(width),
                    connectivity: Some(connectivity),
                    last_connectivity: Some(last),
                    ..
                },
                None,
            ) => {
                let before = rate.before.as_deref().map(str::parse::<Layer>).transpose()?;
                let before = before.map(|layer| Layer::new(layer.width(), *connectivity, layer.activation()));
                let hidden = before.transpose()?.into_iter().chain([Layer::new(*width, *connectivity, *activation)?]);
                // Files without architectures are of earlier versions, whose networks all had 10 outputs.
                TrainedNetwork::of_hidden(rate.family, hidden.collect(), (CLASSES, *last), rate.learning_rate)?
                    .architecture
            }
            _ => {
                let problem = "a rate names its network by an architecture, or by activation, width, connectivity and last_connectivity";
                return Err(Error::value("rate", rate.family.name(), problem, "give one of the two"));
            }
        };
        let Rate { family, parametrisation, biases, learning_rate, validation_error, .. } = rate;
        Ok(Self { family, architecture, parametrisation, biases, learning_rate, validation_error })
    }
}

/// Learning rates, as a file holds them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRates {
    /// The data set on which the rates were found; none in files written by earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSource>,
    /// The normalisation under which they were found; none in files written by earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
    /// One per network.
    pub rate: Vec<LearningRate>,
    /// The file that they were read from.
    #[serde(skip)]
    path: PathBuf,
}

impl LearningRate {
    /// Whether it is the rate of this network, whatever rate the network has now.
    fn is_of(&self, network: &TrainedNetwork, parametrisation: Parametrisation, biases: bool) -> bool {
        self.family == network.family
            && (self.parametrisation, self.biases) == (parametrisation, biases)
            && self.architecture.is_like(&network.architecture)
    }

    fn network(&self) -> TrainedNetwork {
        let Self { family, ref architecture, learning_rate, .. } = *self;
        TrainedNetwork { family, architecture: architecture.clone(), learning_rate }
    }
}

impl LearningRates {
    /// Rates that were just found.
    pub(crate) fn new(data: DataSource, normalisation: Normalisation, rate: Vec<LearningRate>) -> Self {
        Self { data: Some(data), normalisation: Some(normalisation), rate, path: PathBuf::new() }
    }

    /// A remark that they were found on other data or under another normalisation, where they were.
    #[must_use]
    pub fn remark(&self, data: &Dataset, normalisation: Normalisation) -> Option<String> {
        let other = self.data.as_ref().is_some_and(|found| found != data.source())
            || self.normalisation.is_some_and(|found| found != normalisation);
        let on = self.data.as_ref().map_or(String::new(), |data| format!(" on {data}"));
        let under = self.normalisation.map_or(String::new(), |normalisation| format!(", {}", normalisation.title()));
        other.then(|| format!("The learning rates of {} were found{on}{under}.", self.path.display()))
    }

    /// The rates as TOML, below a comment on where they come from.
    ///
    /// # Errors
    /// Where they cannot be written as TOML.
    pub fn to_toml(&self, comment: &str) -> Result<String> {
        let text = toml::to_string(self).map_err(|error| Error::failure("writing TOML", error))?;
        Ok(format!("# {}\n\n{text}", comment.replace('\n', "\n# ")))
    }

    /// Reads a file of rates.
    ///
    /// # Errors
    /// Where it cannot be read, is not a file of rates, has two rates for one network, or has a rate that is not
    /// positive.
    pub fn read(path: &Path) -> Result<Self> {
        let inside = path.join("rates.toml");
        if path.is_dir() {
            return Err(Error::file(path, "is a folder, not a file", format!("give {}", inside.display())));
        }
        let text = read_text(path, CHECK)?;
        let remedy = "give the rates.toml of a search for learning rates";
        let wrong = |problem: String| Error::file(path, problem, remedy).about(Setting::LearningRates);
        if Kind::of(text.as_bytes()) == Some(Kind::Json) {
            return Err(wrong("is text in JSON, not a file of learning rates".into()));
        }
        let read: Self = toml::from_str(&text)
            .map_err(|error| wrong(format!("is not a file of learning rates: {}", error.to_string().trim_end())))?;
        for (index, rate) in read.rate.iter().enumerate() {
            check_learning_rate(rate.learning_rate)
                .map_err(|error| wrong(format!("is wrong at network {}: {error}", rate.architecture)))?;
            if read.rate[..index].iter().any(|other| other.is_of(&rate.network(), rate.parametrisation, rate.biases)) {
                return Err(wrong(format!("has two rates for one network, {}", rate.architecture)));
            }
        }
        Ok(Self { path: path.into(), ..read })
    }

    /// The rate that the file has for a network, in a parametrisation, with biases or without; the `learning_rate` in
    /// `network` is ignored.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(&self, network: &TrainedNetwork, parametrisation: Parametrisation, biases: bool) -> Result<f64> {
        let found = self.rate.iter().find(|rate| rate.is_of(network, parametrisation, biases));
        found.map(|rate| rate.learning_rate).ok_or_else(|| {
            let problem = format!(
                "has no rate for the {} network {}, {} parametrisation, {} biases",
                network.family.name(),
                network.architecture.with_mask(MaskFamily::Bernoulli),
                parametrisation.title(),
                if biases { "with" } else { "without" }
            );
            Error::file(&self.path, problem, "tune that network as well, or leave it out")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_trip_and_bad_files_are_refused() {
        let p = Connectivity::new(5072.0 / (784.0 * 128.0)).unwrap();
        let network = TrainedNetwork::new(Family::Sparse, 128, p, 1.0).unwrap();
        let rate = LearningRate {
            family: Family::Sparse,
            architecture: network.architecture.clone(),
            parametrisation: Parametrisation::NeuralTangent,
            biases: false,
            learning_rate: 260.5,
            validation_error: 0.11,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.toml");
        let rates = LearningRates::new(DataSource::Embedded, Normalisation::Pixel, vec![rate]);
        let text = rates.to_toml("two\nlines").unwrap();
        std::fs::write(&path, &text).unwrap();
        let read = LearningRates::read(&path).unwrap();
        let of = |network: &TrainedNetwork, parametrisation| read.of(network, parametrisation, false);
        assert_eq!(of(&network, Parametrisation::NeuralTangent).unwrap(), 260.5);
        // Whatever the masks.
        assert_eq!(of(&network.with_mask(MaskFamily::Bernoulli), Parametrisation::NeuralTangent).unwrap(), 260.5);
        assert_eq!(read.remark(&DataSource::Embedded.into(), Normalisation::Pixel), None);
        let remark = read.remark(&DataSource::Embedded.into(), Normalisation::Global).unwrap();
        assert!(remark.ends_with("were found on mnist, pixel normalisation."), "{remark}");
        let other = TrainedNetwork::new(Family::Sparse, 129, p, 1.0).unwrap();
        let message = of(&other, Parametrisation::NeuralTangent).unwrap_err().to_string();
        assert!(message.contains("relu:129@") && message.contains("rates.toml"), "{message}");
        let message = of(&network, Parametrisation::Standard).unwrap_err().to_string();
        assert!(message.contains("standard parametrisation, without biases"), "{message}");
        for (from, to, words) in [
            ("260.5", "-1.0", "learning_rate = -1"),
            ("260.5", "nan", "NaN"),
            ("relu:128@", "relu:x@", "its width is not a whole number"),
            ("architecture", "breadth", "breadth"),
            ("[[rate]]", "[[rate", "not a file of learning rates"),
        ] {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let message = LearningRates::read(&path).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        // As files of earlier versions have it: by the width and the connectivities.
        let start = text.find("architecture").unwrap();
        let old = format!(
            "{}activation = \"relu\"\nwidth = 128\nconnectivity = {}\nlast_connectivity = 1.0\n{}",
            &text[..start],
            p.get(),
            &text[text.find("parametrisation").unwrap()..]
        );
        std::fs::write(&path, &old).unwrap();
        assert_eq!(LearningRates::read(&path).unwrap(), read);
        for (from, to) in [("width = 128\n", ""), ("width = 128", "architecture = \"relu:128 linear:10\"\nwidth = 128")]
        {
            std::fs::write(&path, old.replace(from, to)).unwrap();
            assert!(LearningRates::read(&path).unwrap_err().to_string().contains("names its network by"), "{from}");
        }
        let twice = format!("{text}{}", &text[text.find("[[rate]]").unwrap()..]);
        std::fs::write(&path, twice).unwrap();
        assert!(LearningRates::read(&path).unwrap_err().to_string().contains("two rates for one network"));
    }
}
