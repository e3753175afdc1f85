//! From text to `Request`, and from `Request` to a JSON schema for editors.

use serde::de::DeserializeOwned;

use super::{Request, Written};

/// Text that is no request: one line that names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(.field))]
pub struct ParseError {
    /// Path of the field, `scores.threshold`; empty where the text as a whole is meant.
    pub field: String,
    /// What is wrong and what was expected.
    pub message: String,
}

fn place(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("`{field}`: ") }
}

/// Reads a request from YAML or JSON, as its author wrote it.
///
/// # Errors
/// The first fault, with the path of its field and, where the reader knows them, line and column.
pub fn parse_written(text: &str) -> Result<Written, ParseError> {
    read(text)
}

/// Reads a request whose period does not go with the day.
///
/// # Errors
/// As `parse_written`.
pub fn parse(text: &str) -> Result<Request, ParseError> {
    read(text)
}

fn read<P: DeserializeOwned>(text: &str) -> Result<Request<P>, ParseError> {
    // Most JSON is YAML too; a few characters that JSON strings may hold are not.
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        let mut reader = serde_json::Deserializer::from_str(text);
        return serde_path_to_error::deserialize(&mut reader).map_err(|error| explain(text, error));
    }
    let reader = serde_yaml_ng::Deserializer::from_str(text);
    serde_path_to_error::deserialize(reader).map_err(|error| explain(text, error))
}

/// In the words of someone who writes requests, not programs.
fn explain<E: std::fmt::Display>(text: &str, error: serde_path_to_error::Error<E>) -> ParseError {
    let path = error.path().to_string();
    let mut field = if path == "." || path == "?" { String::new() } else { path };
    let told = error.into_inner().to_string().replace('\n', " ");
    let (mut told, place) = told.rfind(" at line ").map_or((told.as_str(), ""), |at| told.split_at(at));
    // The reader repeats the path, or the beginning of it, in front of some messages.
    if let Some((before, rest)) = told.split_once(": ")
        && field.starts_with(before)
    {
        told = rest;
    }
    let mut message = plain(told);
    if let Some((fault, (name, rest))) = ["missing", "duplicate", "unknown"]
        .into_iter()
        .find_map(|fault| Some((fault, named(told.strip_prefix(fault)?.strip_prefix(" field ")?)?)))
    {
        if !field.ends_with(name) || fault == "missing" {
            field = if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
        }
        message = match fault {
            "missing" => "missing".to_owned(),
            "duplicate" => "given twice".to_owned(),
            _ => format!("unknown field{rest}"),
        };
    }
    // What a field's own type refuses is placed at the mapping around it; that of the whole text tells nothing.
    let tells = !place.is_empty() && !place.starts_with(&format!(" at line {} ", first_line(text)));
    if tells || field.is_empty() {
        message.push_str(place);
    }
    ParseError { field, message }
}

/// A name in backticks, and what follows it.
fn named(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('`')?.split_once('`')
}

/// The number of the line on which a YAML document begins.
fn first_line(text: &str) -> usize {
    let empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with(['#', '%']) || line == "---";
    1 + text.lines().take_while(|line| empty(line)).count()
}

/// Names of Rust's types turned into words.
fn plain(message: &str) -> String {
    const WORDS: [(&str, &str); 11] = [
        ("expected f64", "expected a number"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected a sequence", "expected a list"),
        ("expected an array of length", "expected a list of"),
        ("expected sequence of 4 elements", "expected a list of 4"),
        ("expected sequence of 2 elements", "expected a list of 2"),
        ("expected a string", "expected text"),
        ("invalid type: unit value", "nothing there"),
        ("unknown variant", "unknown value"),
    ];
    let words = WORDS.iter().fold(message.to_owned(), |text, (rust, plain)| text.replace(rust, plain));
    words.replace("invalid type: sequence", "invalid type: list").replace("invalid type: map", "invalid type: mapping")
}

/// The JSON schema of a request, draft 2020-12.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Written).to_value()
}
