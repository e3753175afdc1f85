//! Reads a request from its file.

use std::path::Path;

use mosaic::href::Base;
use mosaic::request::{self, Request};

use crate::exit::BadInput;

/// The request of a file, its paths made absolute.
pub fn read(path: &Path) -> Result<Request, BadInput> {
    let shown = path.display();
    let bad = |why: &dyn std::fmt::Display| BadInput::one(format!("{shown}: {why}"));
    let absolute = path.canonicalize().map_err(|e| bad(&reason(&e)))?;
    let text = std::fs::read_to_string(&absolute).map_err(|e| bad(&reason(&e)))?;
    let mut request = request::parse(&text).map_err(|e| bad(&e))?;
    let faults: Vec<String> = request.faults().iter().map(|fault| format!("{shown}: {fault}")).collect();
    if !faults.is_empty() {
        return Err(BadInput(faults));
    }
    request.resolve(&Base::of_file(&absolute.to_string_lossy()));
    Ok(request)
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
