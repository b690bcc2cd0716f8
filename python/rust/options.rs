//! The options of a call: a JSON object whose fields are the function's arguments.

use std::collections::HashSet;
use std::str::FromStr;

use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};
use sparsewidth::{Connectivity, Error, Kernel, Tangent};

use crate::errors::{raised, wrong_type, wrong_value};

/// The options that are left to take.
pub struct Options(Map<String, Value>);

impl Options {
    pub fn new(json: &str) -> PyResult<Self> {
        match serde_json::from_str(json) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            _ => Err(wrong_type("options: expected a JSON object, which the Python modules make")),
        }
    }

    /// An option, where it was given.
    pub fn maybe<T: DeserializeOwned>(&mut self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let shown = value.to_string();
        serde_json::from_value(value).map(Some).map_err(|error| wrong(name, &shown, &error))
    }

    /// An option, or what it is by default.
    pub fn or<T: DeserializeOwned>(&mut self, name: &str, default: T) -> PyResult<T> {
        Ok(self.maybe(name)?.unwrap_or(default))
    }

    /// An option that must be given.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> PyResult<T> {
        self.maybe(name)?.ok_or_else(|| wrong_type(format!("{name}: is missing; give it")))
    }

    /// An option by its name, as records or the command line spell it (`exact_count` or `exact-count`).
    pub fn named<T: DeserializeOwned>(&mut self, name: &str, default: T) -> PyResult<T> {
        Ok(self.maybe_named(name)?.unwrap_or(default))
    }

    /// The same, where it was given.
    pub fn maybe_named<T: DeserializeOwned>(&mut self, name: &str) -> PyResult<Option<T>> {
        let text: Option<String> = self.maybe(name)?;
        text.map(|text| by_name(name, &text)).transpose()
    }

    /// An option that is read from text.
    pub fn parsed<T: FromStr<Err = Error>>(&mut self, name: &str) -> PyResult<Option<T>> {
        let text: Option<String> = self.maybe(name)?;
        text.map(|text| text.parse().map_err(raised)).transpose()
    }

    /// A connectivity.
    pub fn connectivity(&mut self, name: &str) -> PyResult<Option<Connectivity>> {
        let share: Option<f64> = self.maybe(name)?;
        share.map(|share| Connectivity::new(share).map_err(raised)).transpose()
    }

    /// The kernel of `get`, one name, in the convention of `tangent`.
    pub fn kernel(&mut self) -> PyResult<Kernel> {
        let (name, tangent): (Option<String>, _) = (self.maybe("get")?, self.maybe_named::<Tangent>("tangent")?);
        match (name.as_deref().unwrap_or("nngp"), tangent) {
            ("nngp", None) => Ok(Kernel::Nngp),
            ("nngp", Some(_)) => {
                let problem = "the NNGP kernel has no such convention";
                Err(wrong_value("tangent", "given", problem, "leave it out, or get=\"ntk\""))
            }
            ("ntk", tangent) => Ok(Kernel::Ntk(tangent.unwrap_or_default())),
            (other, _) => Err(wrong_value("get", other, "is no kernel", "use \"nngp\" or \"ntk\"")),
        }
    }

    /// The names of the options that are left.
    pub fn names(&self) -> HashSet<String> {
        self.0.keys().cloned().collect()
    }

    /// A request of the library, from all the options that are left; names of choices may be spelled as on the command
    /// line.
    pub fn request<T: DeserializeOwned>(self) -> PyResult<T> {
        let mut fields = Map::new();
        for (name, value) in self.0 {
            // One at a time, so that what is wrong has a name.
            let read = |value: &Value| serde_json::from_value::<T>(Value::Object(one(&name, value)));
            let spelled = plain(&value);
            match (read(&value), read(&spelled)) {
                (Ok(_), _) => fields.insert(name, value),
                (_, Ok(_)) => fields.insert(name, spelled),
                (Err(error), _) => return Err(wrong(argument(&name), &value.to_string(), &error)),
            };
        }
        serde_json::from_value(Value::Object(fields)).map_err(|error| wrong("options", "given", &error))
    }

    /// Refuses options that nothing has taken.
    pub fn finish(self) -> PyResult<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(wrong_value(name, "given", "has no effect here", "leave it out")),
        }
    }
}

/// What the library's setting is called in Python.
pub fn argument(setting: &str) -> &str {
    match setting {
        "kernel" => "get",
        "masks" => "n_masks",
        other => other,
    }
}

fn one(name: &str, value: &Value) -> Map<String, Value> {
    Map::from_iter([(name.to_string(), value.clone())])
}

/// Names of choices as records spell them.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.trim().to_lowercase().replace('-', "_")),
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Something by its name.
pub fn by_name<T: DeserializeOwned>(argument: &str, text: &str) -> PyResult<T> {
    let name = text.trim().to_lowercase().replace('-', "_");
    serde_json::from_value(Value::String(name)).map_err(|error| wrong(argument, text, &error))
}

/// An option that is not what was expected: of another type, or of this type with a wrong value.
fn wrong(name: &str, shown: &str, error: &serde_json::Error) -> PyErr {
    // In the words of Python.
    let words =
        [("f64", "a number"), ("usize", "a whole number"), ("u64", "a whole number"), ("u32", "a whole number")];
    let text = error.to_string().replace('`', "\"");
    let problem = words
        .iter()
        .fold(text, |text, (rust, word)| text.replace(&format!("expected {rust}"), &format!("expected {word}")));
    let is_type = error.classify() == Category::Data && problem.starts_with("invalid type");
    // A number that is no whole number of the right size is a wrong value, not a wrong type.
    match is_type && !problem.starts_with("invalid type: floating point") {
        true => wrong_type(format!("{name} = {shown}: {problem}; give a value of that type")),
        false => wrong_value(name, shown, problem, "give such a value"),
    }
}
