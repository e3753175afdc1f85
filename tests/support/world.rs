//! A made-up archive on disk, and requests to it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Run, oracle, run};

/// An archive of `oracle/synthetic.py` in a directory of its own, with the request that was made for it.
pub struct World {
    dir: TempDir,
    request: Value,
}

impl World {
    /// Makes the archive of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let _ = oracle("synthetic.py", &[name, &dir.path().to_string_lossy()]);
        let request = json(&dir.path().join("request.json"));
        Self { dir, request }
    }

    /// A path in the archive's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The request, with these fields put in place of its own.
    #[must_use]
    pub fn request(&self, fields: &Value) -> Value {
        let mut request = self.request.clone();
        let fields = fields.as_object().expect("fields of a request").clone();
        request.as_object_mut().expect("a request").extend(fields);
        request
    }

    /// Writes the request with other fields as `name` beside the archive; its path.
    #[must_use]
    pub fn write(&self, name: &str, fields: &Value) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, self.request(fields).to_string()).expect("a request is written");
        path
    }

    /// Runs the request with other fields, published in a directory of its own: `output`, beside the archive.
    #[must_use]
    pub fn run(&self, output: &str, fields: &Value, args: &[&str]) -> Run {
        let mut fields = fields.clone();
        fields["output"] = output.into();
        run(&self.write(&format!("{output}.request.json"), &fields), args)
    }

    /// Where a request of `run` is published.
    #[must_use]
    pub fn mosaic(&self, output: &str) -> PathBuf {
        self.path(output).join(self.request["name"].as_str().expect("a name"))
    }

    /// The items of the catalogue.
    #[must_use]
    pub fn items(&self) -> Vec<Value> {
        json(&self.path("items.json"))["features"].as_array().expect("features").clone()
    }

    /// Writes another catalogue beside the first.
    pub fn write_items(&self, name: &str, items: &[Value]) {
        let catalogue = serde_json::json!({"type": "FeatureCollection", "features": items});
        fs::write(self.path(name), catalogue.to_string()).expect("a catalogue is written");
    }
}

/// A JSON file.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
