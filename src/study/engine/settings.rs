//! How two specs differ in the settings that results depend on, whichever tasks they have.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::network::Architecture;

/// Whether the spec is that of a search for learning rates.
pub(super) fn is_search(spec: &Value) -> bool {
    spec.get("range").is_some()
}

/// The parts of a spec that choose tasks or locate the data; no result depends on them.
const OF_TASKS: [(&str, &[&str]); 4] = [
    ("", &["data", "range"]),
    ("distance", &["networks", "methods", "tangent_methods", "kernels", "normalisations"]),
    ("training", &["networks", "runs", "first_run", "keep_weights"]),
    ("prediction", &["networks", "kernels", "sources", "normalisations"]),
];
/// The sections of a spec.
const SECTIONS: [&str; 3] = ["distance", "training", "prediction"];

/// A spec without those parts. Which masks the networks have is a setting; which networks there are is not.
fn settings(spec: &Value) -> Value {
    let mut settings = spec.clone();
    for section in SECTIONS {
        if let Some(Value::Object(part)) = settings.get_mut(section) {
            let masks = masks(part.get("networks"));
            part.insert("mask".into(), masks);
        }
    }
    for (section, names) in OF_TASKS {
        let part = if section.is_empty() { Some(&mut settings) } else { settings.get_mut(section) };
        if let Some(Value::Object(part)) = part {
            names.iter().for_each(|name| drop(part.remove(*name)));
        }
    }
    // Epochs are in the names of a search's tasks, so they are not a setting.
    if let (true, Some(Value::Object(training))) = (is_search(spec), settings.get_mut("training")) {
        training.remove("epochs");
    }
    settings
}

/// The families of the masks of networks, in alphabetical order.
fn masks(networks: Option<&Value>) -> Value {
    let networks = networks.and_then(Value::as_array).into_iter().flatten();
    // Predictions have architectures alone.
    let text = |network: &Value| network.get("architecture").unwrap_or(network).as_str().map(str::to_string);
    let read = |network: &Value| text(network)?.parse::<Architecture>().ok();
    let of = |network: Architecture| network.layers().iter().map(|layer| layer.mask().name()).collect::<Vec<_>>();
    let names: BTreeSet<&str> = networks.filter_map(read).flat_map(of).collect();
    names.into_iter().collect::<Vec<_>>().join(", ").into()
}

/// The first setting that differs between two specs, in the sections that both of them have.
pub(super) fn settings_difference(found: &Value, expected: &Value) -> Option<(String, Value, Value)> {
    let (mut found, mut expected) = (settings(found), settings(expected));
    for section in SECTIONS {
        let is_null = |spec: &Value| spec.get(section).is_none_or(Value::is_null);
        if is_null(&found) || is_null(&expected) {
            for spec in [&mut found, &mut expected] {
                spec.as_object_mut().map(|spec| spec.remove(section));
            }
        }
    }
    first_difference(&found, &expected, "")
}

/// The longest value of a spec that is shown in full, in characters.
const LONG: usize = 100;

/// The first place at which two specs differ, with the values there.
fn first_difference(found: &Value, expected: &Value, name: &str) -> Option<(String, Value, Value)> {
    match (found, expected) {
        (Value::Object(left), Value::Object(right)) => left.keys().chain(right.keys()).find_map(|key| {
            let at = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            first_difference(&at(left), &at(right), &name)
        }),
        // Short lists are shown in full.
        (Value::Array(left), Value::Array(right))
            if [found, expected].iter().any(|list| list.to_string().len() > LONG) =>
        {
            if left.len() != right.len() {
                let length = |list: &[Value]| Value::from(list.len());
                return Some((format!("number of {name}"), length(left), length(right)));
            }
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(index, (left, right))| first_difference(left, right, &format!("{name}[{index}]")))
        }
        _ => (found != expected).then(|| (name.into(), found.clone(), expected.clone())),
    }
}

/// A text, cut short where it is long.
pub(super) fn shortened(text: &dyn std::fmt::Display) -> String {
    let text = text.to_string();
    if text.chars().count() <= LONG { text } else { text.chars().take(LONG).chain("...".chars()).collect() }
}
