//! What a study was run with, from its records: a table for each page.

use serde::Serialize;
use serde_json::Value;

use super::table::Table;
use crate::study::Record;

/// The fields of records that are settings and not results, in the order of the table.
const SETTINGS: [&str; 23] = [
    "data",
    "checksum",
    "test_checksum",
    "normalisation",
    "dimension",
    "classes",
    "samples",
    "test_samples",
    "validation",
    "pairs",
    "epochs",
    "batch",
    "biases",
    "parametrisation",
    "mask",
    "law",
    "reference",
    "initialisations",
    "seed",
    "device",
    "precision",
    "version",
    "schema",
];

/// A row for each setting, a column for each kind of record, with the values that its records have.
pub(super) fn settings_of_records(records: &[Record]) -> String {
    let json = |record: &Record| serde_json::to_value(record).expect("records have names for all their fields");
    let values: Vec<Value> = records.iter().map(json).collect();
    let mut kinds: Vec<String> = Vec::new();
    for kind in values.iter().map(|value| in_words(&value["kind"])) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let heads: Vec<&str> = std::iter::once("setting").chain(kinds.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    for setting in SETTINGS {
        let of_kind = |kind: &String| {
            let mut found: Vec<String> = Vec::new();
            for value in values.iter().filter(|value| in_words(&value["kind"]) == *kind) {
                let word = in_words(&value[field(kind, setting)]);
                // Methods that draw nothing have no pairs or networks, which is no setting of the others.
                let is_none = word.is_empty() || (word == "0" && setting != "seed");
                if !is_none && !found.contains(&word) {
                    found.push(word);
                }
            }
            found.join(", ")
        };
        let cells: Vec<String> = kinds.iter().map(of_kind).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.row(std::iter::once(setting.replace('_', " ")).chain(cells).collect());
        }
    }
    table.to_string()
}

/// The field of a kind of record that has a setting: the samples of a distance are networks or masks that were drawn.
fn field<'a>(kind: &str, setting: &'a str) -> &'a str {
    match (kind, setting) {
        ("distance", "initialisations") => "samples",
        ("distance", "samples") => "",
        _ => setting,
    }
}

/// A row for each field of the spec of a report, and for others of the report.
pub(super) fn settings_of_report(spec: &impl Serialize, others: &[(&str, &dyn ToString)]) -> String {
    let mut table = Table::new(&["setting", "value"]);
    let spec = serde_json::to_value(spec).expect("specs have names for all their fields");
    add_fields(&spec, &mut table);
    for (name, value) in others {
        table.row(vec![name.to_string(), value.to_string()]);
    }
    table.to_string()
}

/// Adds the fields of an object, and of objects within, but for lists of objects, such as all networks.
fn add_fields(value: &Value, table: &mut Table) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => add_fields(value, table),
            Value::Array(items) if items.iter().any(Value::is_object) => {}
            _ => {
                let words = in_words(value);
                if !words.is_empty() {
                    table.row(vec![name.replace('_', " "), words]);
                }
            }
        }
    }
}

/// A value as people write it.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null | Value::Object(_) => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Number(number) => number.to_string().trim_end_matches(".0").into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
    }
}
