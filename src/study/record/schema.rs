//! Records of older formats, converted to the present one.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::data::CLASSES;

/// Converts a record to the format [`SCHEMA`], or says why that is not possible.
pub(crate) fn upgrade(record: &mut Value) -> Result<(), String> {
    match record.get("schema").map(Value::as_u64) {
        Some(Some(schema)) if schema == u64::from(SCHEMA) => Ok(()),
        Some(schema) => {
            let found = schema.map_or("not a number".into(), |schema| schema.to_string());
            Err(format!("its schema is {found}, but this program reads up to {SCHEMA}"))
        }
        None => from_0(record),
    }
}

/// Converts a record without a schema. It has a width and at most one layer `before` it; all layers but the last have
/// one connectivity.
fn from_0(record: &mut Value) -> Result<(), String> {
    let Some(fields) = record.as_object_mut() else { return Err("it is not an object".into()) };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
    let number = |value: Option<&Value>| value.filter(|value| value.is_number()).map(Value::to_string);
    let mask = text(fields.get("mask")).ok_or("its mask is missing")?;
    let width = number(fields.get("width")).ok_or("its width is missing")?;
    let connectivity = number(fields.get("connectivity")).ok_or("its connectivity is missing")?;
    let activation = text(fields.get("activation")).unwrap_or_else(|| "relu".into());
    let mut layers = Vec::new();
    match fields.remove("before") {
        None | Some(Value::Null) => {}
        Some(Value::String(before)) => layers.push(format!("{before}@{connectivity}/{mask}")),
        Some(other) => return Err(format!("its layer before is {other}")),
    }
    layers.push(format!("{activation}:{width}@{connectivity}/{mask}"));
    if let Some(last) = number(fields.get("last_connectivity")) {
        layers.push(format!("linear:{CLASSES}@{last}/{mask}"));
    }
    fields.insert("schema".into(), json!(SCHEMA));
    fields.insert("architecture".into(), json!(layers.join(" ")));
    Ok(())
}
