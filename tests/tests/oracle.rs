//! The mosaic of real Sentinel-2 equals, pixel for pixel, what an independent oracle makes of it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use tests::{clearmosaic, code_and_stderr, oracle, root, slovenia};

/// Fills a template's placeholders; the request's path.
fn request(name: &str, data: &Path, dir: &Path) -> std::path::PathBuf {
    let templates = root().join("tests/oracle/requests");
    let text = fs::read_to_string(templates.join(name).with_extension("yaml")).unwrap();
    let text = text
        .replace("{data}", &data.to_string_lossy())
        .replace("{requests}", &templates.to_string_lossy())
        .replace("{out}", &dir.join("out").to_string_lossy());
    let path = dir.join("request.yaml");
    fs::write(&path, text).unwrap();
    path
}

fn equals_the_oracle(name: &str) {
    let Some(data) = slovenia() else { return };
    let dir = tempfile::tempdir().unwrap();
    let request = request(name, &data, dir.path());
    let request = request.to_str().unwrap();
    let run = clearmosaic(&["run", request, "--json"]);
    let (code, stderr) = code_and_stderr(&run);
    assert_eq!(code, Some(0), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let mosaic = dir.path().join("out").join(report["mosaic"].as_str().unwrap());
    let expected = dir.path().join("oracle");
    let _ = oracle("oracle.py", &[request, expected.to_str().unwrap()]);
    let equal = oracle("compare.py", &[mosaic.to_str().unwrap(), expected.to_str().unwrap()]);
    assert!(equal.contains("rasters equal"), "{equal}");
}

#[test]
fn native_tiles() {
    equals_the_oracle("native-tiles");
}

#[test]
fn native_bbox() {
    equals_the_oracle("native-bbox");
}

#[test]
fn native_polygon_with_a_hole() {
    equals_the_oracle("native-hole");
}

#[test]
fn native_country() {
    equals_the_oracle("native-slovenia");
}

#[test]
fn native_disc_in_float32_with_three_observations_at_least() {
    equals_the_oracle("native-point");
}

#[test]
fn equal_area_tiles() {
    equals_the_oracle("laea-tiles");
}

#[test]
fn equal_area_bbox() {
    equals_the_oracle("laea-bbox");
}

#[test]
fn equal_area_polygon_with_a_hole() {
    equals_the_oracle("laea-hole");
}

#[test]
fn equal_area_country_with_two_observations_at_least() {
    equals_the_oracle("laea-slovenia");
}
