//! The options of a call: a JSON object whose fields are the function's arguments.

use std::collections::HashSet;
use std::str::FromStr;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sparsewidth::{Connectivity, Error, Kernel, Tangent};

use crate::errors::{raised, wrong_type, wrong_value};

/// The most characters of a value that a message shows.
const LONGEST: usize = 80;

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
        T::deserialize(&value).map(Some).map_err(|error| wrong(name, &value, &error))
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
        match (name.map_or("nngp".into(), |name| spelled(&name)).as_str(), tangent) {
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
                (Err(error), _) => return Err(wrong(argument(&name), &value, &error)),
            };
        }
        let fields = Value::Object(fields);
        T::deserialize(&fields).map_err(|error| wrong("options", &fields, &error))
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
        Value::String(text) => Value::String(spelled(text)),
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// A name of a choice as records spell it.
fn spelled(text: &str) -> String {
    text.trim().to_lowercase().replace('-', "_").replace("ized", "ised").replace("ization", "isation")
}

/// Something by its name.
pub fn by_name<T: DeserializeOwned>(argument: &str, text: &str) -> PyResult<T> {
    let name = spelled(text);
    T::deserialize(&Value::String(name)).map_err(|error| wrong(argument, &Value::String(text.into()), &error))
}

/// An option that is not what was expected: of another type, or of this type with a wrong value.
fn wrong(name: &str, value: &Value, error: &serde_json::Error) -> PyErr {
    let text = error.to_string().replace('`', "\"");
    let shown = shown(value);
    let whole = "a whole number from 0 to ";
    let expected = match text.rsplit_once("expected ").map_or("", |(_, expected)| expected) {
        "f64" => "a number".into(),
        "usize" | "u64" => format!("{whole}2**64 - 1"),
        "u32" => format!("{whole}2**32 - 1"),
        "a boolean" => "True or False".into(),
        "a sequence" => "a list".into(),
        "a string" | "path string" | "string or map" => "a string".into(),
        // A message of the library, which already names the argument and a remedy.
        _ if text.contains("; ") => return PyValueError::new_err(text),
        _ => {
            let problem = text.replace("unknown variant", "there is no").replace(", expected one of", "; use one of");
            let problem = problem.replace(", expected", "; use");
            return PyValueError::new_err(format!("{name} = {shown}: {problem}"));
        }
    };
    // A number out of range is a wrong value, also in a list; anything else is of the wrong type.
    let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    match expected.contains("number") && entries.iter().all(Value::is_number) {
        true => wrong_value(name, shown, format!("must be {expected}"), "give such a number"),
        false => wrong_type(format!("{name} = {shown}: must be {expected}; give a value of that type")),
    }
}

/// A value as Python writes it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let text = text.replace("null", "None").replace("true", "True").replace("false", "False");
    match text.chars().count() {
        0..=LONGEST => text,
        _ => text.chars().take(LONGEST).chain("...".chars()).collect(),
    }
}
