//! Reading loosely typed properties: STAC providers disagree on whether a zone is a number or a text.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// A field's text, where it is text and not empty.
pub(super) fn text<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The text of the first of these fields that has one.
pub(super) fn first_text<'a>(object: &'a Object, fields: &[&str]) -> Option<&'a str> {
    fields.iter().find_map(|field| text(object, field))
}

/// A field's number, written as a number or as a text.
pub(super) fn number(object: &Object, field: &str) -> Option<f64> {
    let value = object.get(field)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// A field's number of the first of these fields that has one.
pub(super) fn first_number(object: &Object, fields: &[&str]) -> Option<f64> {
    fields.iter().find_map(|field| number(object, field))
}

/// A field's number or text, as text.
pub(super) fn any_text(object: &Object, field: &str) -> Option<String> {
    match object.get(field)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A field's truth, also where it is written as a text.
pub(super) fn flag(object: &Object, field: &str) -> Option<bool> {
    let value = object.get(field)?;
    value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok())
}

/// A field's list of numbers, where all are.
pub(super) fn numbers(object: &Object, field: &str) -> Option<Vec<f64>> {
    object.get(field)?.as_array()?.iter().map(Value::as_f64).collect()
}

/// A field's instant, RFC 3339.
pub(super) fn instant(object: &Object, field: &str) -> Option<Timestamp> {
    text(object, field)?.parse().ok()
}
