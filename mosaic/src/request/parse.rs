//! From text to `Request`, and from `Request` to a JSON schema for editors.

use super::Request;

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

/// Reads a request from YAML or JSON (JSON is YAML too).
///
/// # Errors
/// The first fault, with the path of its field and, where the reader knows them, line and column.
pub fn parse(text: &str) -> Result<Request, ParseError> {
    let reader = serde_yaml_ng::Deserializer::from_str(text);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." || path == "?" { String::new() } else { path };
        let inner = error.into_inner().to_string();
        // The reader repeats the path in front of some messages.
        let message = inner.strip_prefix(&format!("{field}: ")).unwrap_or(&inner).replace('\n', " ");
        ParseError { field, message }
    })
}

/// The JSON schema of a request, draft 2020-12.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Request).to_value()
}
