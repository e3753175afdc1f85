//! Earth Engine, against a server that speaks its REST: what comes of it is what comes of files.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::earth_engine::{EarthEngine, slovenia as images};
use tests::{Faults, Run, assert_same, command, rasters, run_command, slovenia};

fn request(dir: &Path, name: &str, scenes: &Value, scores: &Value) -> std::path::PathBuf {
    let request = json!({
        "version": 1,
        "name": "slovenia",
        "aoi": {"bbox": [14.9, 45.9, 15.6, 46.3]},
        "period": {"start": "2023-08-01", "end": "2023-09-01"},
        "bands": ["B04", "B03", "B02", "B08"],
        "scenes": scenes,
        "scores": scores,
        "grid": {"crs": "native", "resolution": 120},
        "output": name,
    });
    let path = dir.join(format!("{name}.json"));
    fs::write(&path, request.to_string()).unwrap();
    path
}

fn run(request: &Path, environment: &[(&str, String)]) -> Run {
    let mut run = run_command(request, &[]);
    run.env_remove("EEDA_BEARER").env("CLEARMOSAIC_ARCHIVE_TIMEOUT", "1");
    command(run.envs(environment.iter().map(|(name, value)| (*name, value.as_str()))))
}

fn earth_engine() -> (Value, Value) {
    let scores = json!({"earth_engine": "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"});
    (json!({"earth_engine": "COPERNICUS/S2_SR_HARMONIZED"}), scores)
}

#[test]
fn the_mosaic_is_that_of_local_files_with_faults_too() {
    let Some(data) = slovenia() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| data.join(name).to_string_lossy().into_owned();
    let local = request(
        dir.path(),
        "local",
        &json!({"items": at("items.json")}),
        &json!({"template": at("scores/{system_index}.tif")}),
    );
    let expected = run(&local, &[]).complete();
    let server = EarthEngine::of(images(&data));
    let (scenes, scores) = earth_engine();
    let remote = request(dir.path(), "remote", &scenes, &scores);
    let report = run(&remote, &server.environment()).complete();
    assert_eq!(report["scenes"], expected["scenes"]);
    let made = |name: &str| rasters(&dir.path().join(name).join("slovenia"));
    assert_same("Earth Engine", &made("remote"), &made("local"));
    let asked = server.archive().seen().requests;
    assert!(server.most_at_once() <= 40);

    let account = server.service_account(dir.path(), 150);
    server.archive().set(Faults::of_every_kind(7, 0.2));
    let faulty = request(dir.path(), "faulty", &scenes, &scores);
    let profile = format!("url: {}\napplication_credentials: {}\n", server.address()[0].1, account.display());
    fs::write(dir.path().join("google"), profile).unwrap();
    let mut named: Value = serde_json::from_slice(&fs::read(&faulty).unwrap()).unwrap();
    named["profiles"] = json!({"scenes": "google", "scores": "google"});
    fs::write(&faulty, named.to_string()).unwrap();
    let mut by_profile = run_command(&faulty, &["--profiles", &dir.path().to_string_lossy()]);
    // The environment's is no good: a profile goes before it.
    by_profile.env("EEDA_BEARER", "hunter2").env("EEDA_URL", "http://127.0.0.1:1/v1/");
    let _ = command(by_profile.env("CLEARMOSAIC_ARCHIVE_TIMEOUT", "1")).complete();
    assert_same("with faults", &made("faulty"), &made("local"));
    let seen = server.archive().seen();
    assert!(seen.faults > 0 && server.tokens_given() > 1, "{seen:?}");
    assert!(seen.requests * 2 <= asked * 3, "{} requests, {asked} without faults", seen.requests);
}

#[test]
fn what_cannot_be_had_is_told_in_one_line() {
    let Some(data) = slovenia() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = EarthEngine::of(images(&data));
    let (scenes, scores) = earth_engine();
    let known = server.environment();
    let wrong = |name: &'static str, value: &str| {
        let mut environment = known.clone();
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value.to_owned()));
        environment
    };
    let unknown = json!({"earth_engine": "COPERNICUS/S3"});
    for (number, (scenes, environment, words)) in [
        (&scenes, wrong("EEDA_URL", "http://127.0.0.1:1/v1/"), "cannot be had"),
        (&scenes, wrong("EEDA_BEARER", "hunter2"), "let these credentials in"),
        (&unknown, known.clone(), "knows no projects/earthengine-public/assets/COPERNICUS/S3"),
    ]
    .into_iter()
    .enumerate()
    {
        let ended = run(&request(dir.path(), &format!("bad{number}"), scenes, &scores), &environment);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("earth_engine")).collect();
        assert!(lines.len() == 1 && lines[0].contains(words), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}
