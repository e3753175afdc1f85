//! Reads a request from its file.

use std::path::Path;

use jiff::Timestamp;
use mosaic::href::Base;
use mosaic::request::{self, Request, Written};

use crate::exit::BadInput;

/// The request of a file, its paths made absolute, of the period that is meant today.
pub fn read(path: &Path) -> Result<Request, BadInput> {
    read_both(path).map(|(_, today)| today)
}

/// The request of a file as it was written, its paths made absolute.
pub fn read_written(path: &Path) -> Result<Written, BadInput> {
    read_both(path).map(|(written, _)| written)
}

/// The request of a file as it was written, and what it means today.
fn read_both(path: &Path) -> Result<(Written, Request), BadInput> {
    let shown = path.display();
    let bad = |why: &dyn std::fmt::Display| BadInput::one(format!("{shown}: {why}"));
    let absolute = path.canonicalize().map_err(|e| bad(&reason(&e)))?;
    let text = std::fs::read_to_string(&absolute).map_err(|e| bad(&reason(&e)))?;
    let mut written = request::parse_written(&text).map_err(|e| bad(&e))?;
    let mut request = written.clone().at(Timestamp::now()).map_err(|fault| bad(&fault))?;
    let faults: Vec<String> = request.faults().iter().map(|fault| format!("{shown}: {fault}")).collect();
    if !faults.is_empty() {
        return Err(BadInput(faults));
    }
    let base = Base::of_file(&absolute.to_string_lossy());
    written.resolve(&base);
    request.resolve(&base);
    Ok((written, request))
}

/// What the system says of a file, for people.
pub fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory: name a request file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not text: name a request in YAML or JSON".to_owned(),
        _ => error.to_string(),
    }
}
