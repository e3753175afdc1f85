//! A run of the binary, and what it published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::binary;

/// How a command ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed as its result.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

/// Runs the request at this path with `--json`.
#[must_use]
pub fn run(request: &Path, args: &[&str]) -> Run {
    command(&mut run_command(request, args))
}

/// `clearmosaic run REQUEST --json ARGS`, not started.
#[must_use]
pub fn run_command(request: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("run").arg(request).arg("--json").args(args).env_remove("RUST_LOG");
    command
}

/// Runs a command to its end.
///
/// # Panics
/// Where it does not start, or says that it panicked.
#[must_use]
pub fn command(command: &mut Command) -> Run {
    let output = command.output().expect("clearmosaic runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let run = Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    for sign in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!run.stderr.contains(sign), "{}", run.stderr);
    }
    run
}

impl Run {
    /// The report of a run that is complete.
    ///
    /// # Panics
    /// Where it is not.
    #[must_use]
    pub fn complete(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        let report = self.report();
        assert_eq!(report["state"], "complete");
        report
    }

    /// The report on stdout.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }
}

/// Every raster of a mosaic, `33TWL/B04.tif`, with its bytes.
///
/// # Panics
/// Where the mosaic is not there.
#[must_use]
pub fn rasters(mosaic: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut rasters = BTreeMap::new();
    let entries = |dir: &Path| fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for tile in entries(&mosaic.join("tiles")) {
        let tile = tile.expect("an entry").path();
        for raster in entries(&tile) {
            let raster = raster.expect("an entry").path();
            if raster.extension().is_some_and(|end| end == "tif") {
                let name = raster.strip_prefix(mosaic.join("tiles")).expect("below it").to_string_lossy().into_owned();
                rasters.insert(name, fs::read(&raster).expect("a raster is read"));
            }
        }
    }
    rasters
}

/// Fails where two mosaics are not the same, file by file and byte by byte; says which files are not.
///
/// # Panics
/// That is what it is for.
pub fn assert_same(what: &str, found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert!(!expected.is_empty(), "{what}: nothing to compare with");
    let names = |rasters: &BTreeMap<String, Vec<u8>>| rasters.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    let differ: Vec<_> =
        found.iter().filter(|(name, bytes)| expected[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "{what}: {differ:?} differ");
}

/// The artifacts of these kinds in a store, each with the time that it was written at.
#[must_use]
pub fn artifacts(store: &Path, kinds: &[&str]) -> BTreeMap<PathBuf, SystemTime> {
    let entries = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let shelves = kinds.iter().flat_map(|kind| entries(store.join(kind)));
    let written = |path: PathBuf| {
        let at = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
        Some((path, at))
    };
    shelves.flat_map(entries).filter_map(written).collect()
}

/// Every kind of artifact that a task makes.
pub const MADE: [&str; 4] = ["partial", "composite", "mosaic", "quicklook"];
