//! What is wrong with a request and the files that it names.

use mosaic::href::scrub;

use crate::catalogue::CatalogueError;

/// Bad input: one line per fault, each naming a field, file or scene, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.join("\n"))]
pub struct PrepareError {
    /// The faults, in the order of the request's fields.
    pub faults: Vec<String>,
}

impl PrepareError {
    /// One fault.
    #[must_use]
    pub fn one(fault: String) -> Self {
        Self { faults: vec![scrub(&fault).into_owned()] }
    }

    /// Faults, if there are any.
    ///
    /// # Errors
    /// All of them.
    pub fn unless_none(faults: Vec<String>) -> Result<(), Self> {
        let faults: Vec<String> = faults.iter().map(|fault| scrub(fault).into_owned()).collect();
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }

    /// The faults of a catalogue that a field names.
    #[must_use]
    pub fn catalogue(field: &str, error: &CatalogueError) -> Self {
        Self { faults: error.faults().iter().map(|fault| scrub(&format!("`{field}`: {fault}")).into_owned()).collect() }
    }
}
