//! Earth Engine, against a server that speaks its REST: what comes of it is what comes of files.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tests::earth_engine::{EarthEngine, slovenia as images};
use tests::{
    Asked, BUCKET, Coordinator, Faults, Process, Run, S3, assert_same, binary, command, rasters, run_command, slovenia,
};

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
fn a_cluster_has_no_more_requests_under_way_than_a_credential_may() {
    let Some(data) = slovenia() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = EarthEngine::of(images(&data));
    let account = server.service_account(dir.path(), u64::MAX);
    let mut environment = server.address();
    environment.push(("GOOGLE_APPLICATION_CREDENTIALS", account.to_string_lossy().into_owned()));
    environment.push(("CLEARMOSAIC_EARTH_ENGINE_REQUESTS", "5".to_owned()));
    let coordinator = Coordinator::within(&environment, "127.0.0.1:0", &dir.path().join("store"), &["--lease", "3"]);
    let workers = [(); 3].map(|()| coordinator.worker(&["--slots", "4"]));
    let (scenes, scores) = earth_engine();
    let path = request(dir.path(), "shared", &scenes, &scores);
    let mut sliced: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    sliced["slice"] = "P2D".into();
    fs::write(&path, sliced.to_string()).unwrap();
    let report = coordinator.ask(&["submit", &path.to_string_lossy(), "--watch", "--json"]).complete();
    assert_eq!(report["tasks"]["failed"], 0);
    // Who asks has got a token of its own first: the coordinator, and several of the workers.
    assert!(server.tokens_given() > 2, "{} processes had a share", server.tokens_given());
    let most = server.most_at_once();
    assert!((2..=5).contains(&most), "{most} at once");
    drop(workers);
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

/// `clearmosaic scores fetch`, which keeps copies in `scores` beside the request.
fn fetch(request: &Path, args: &[&str], environment: &[(&str, String)]) -> std::process::Command {
    let mut fetch = std::process::Command::new(binary());
    fetch.args(["scores", "fetch"]).arg(request).arg("--json").args(args);
    fetch.env_remove("RUST_LOG").envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    fetch
}

/// Copies that are there.
fn copies(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".tif")).collect();
    names.sort();
    names
}

/// How often pixels of an image's score were given.
fn given(server: &EarthEngine, copy: &str) -> usize {
    let image = format!("CLOUD_SCORE_PLUS/V1/S2_HARMONIZED/{}:getPixels", copy.trim_end_matches(".tif"));
    let is_it = |asked: &&Asked| asked.path.contains(&image) && asked.status.is_some_and(|status| status.is_success());
    server.archive().asked().iter().filter(is_it).count()
}

#[test]
fn scores_are_fetched_once_and_serve_as_they_are() {
    let Some(data) = slovenia() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = EarthEngine::of(images(&data));
    let (scenes, scores) = earth_engine();
    let direct = request(dir.path(), "direct", &scenes, &scores);
    let expected = run(&direct, &server.environment()).complete();
    let shelf = dir.path().join("scores");
    let mut environment = server.environment();
    environment.push(("CLEARMOSAIC_EARTH_ENGINE_REQUESTS", "1".to_owned()));

    // The quota ends when some scores are there: so it is killed in the middle, however fast the machine is.
    server.archive().set(Faults::default());
    let lists = {
        let mut plan = std::process::Command::new(binary());
        plan.arg("plan").arg(&direct).envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        assert_eq!(command(&mut plan).code, Some(0));
        server.archive().seen().requests
    };
    server.archive().set(Faults::default());
    server.set_quota(Some(lists + 13));
    let mut killed = Process::spawn(fetch(&direct, &[], &environment).stdout(Stdio::null())).unwrap();
    while copies(&shelf).len() < 2 {
        assert!(killed.status().is_none(), "it ends with its quota");
        sleep(Duration::from_millis(10));
    }
    assert!(killed.kill());
    server.set_quota(None);
    let before = copies(&shelf);
    assert!(before.len() < 9, "{before:?}");

    let again = command(&mut fetch(&direct, &[], &environment));
    let told: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((again.code, &told["needed"], &told["left"]), (Some(0), &json!(9), &json!(0)), "{}", again.stderr);
    assert_eq!((&told["there"], &told["fetched"]), (&json!(before.len()), &json!(9 - before.len())));
    assert_eq!(told["missing"], expected["unlinked"]);
    let all = copies(&shelf);
    assert_eq!(all.len(), 9);
    for copy in &before {
        assert_eq!(given(&server, copy), 1, "{copy} was there");
    }
    assert!(all.iter().all(|copy| given(&server, copy) <= 2));

    let template = told["template"].as_str().unwrap();
    let copied = request(dir.path(), "copied", &scenes, &json!({"template": template}));
    let report = run(&copied, &server.environment()).complete();
    assert_eq!(report["scenes"], expected["scenes"]);
    let made = |name: &str| rasters(&dir.path().join(name).join("slovenia"));
    assert_same("with copies of the scores", &made("copied"), &made("direct"));
    let told_of = |name: &str| {
        let items = fs::read_dir(dir.path().join(name).join("slovenia/items")).unwrap().flatten();
        let mut texts: Vec<_> = items.map(|item| fs::read_to_string(item.path()).unwrap()).collect();
        texts.sort();
        texts.iter().filter(|text| text.contains("v1.0.1")).count()
    };
    assert_eq!((told_of("copied"), told_of("direct")), (2, 2), "what a score says of itself goes with it");

    // What is there is not asked for; what is cut off is; what is something else is left alone.
    server.archive().set(Faults::default());
    let cut = shelf.join(&all[4]);
    let length = fs::metadata(&cut).unwrap().len();
    fs::File::options().write(true).open(&cut).unwrap().set_len(length - 8).unwrap();
    let once_more = command(&mut fetch(&direct, &[], &environment));
    let told: Value = serde_json::from_str(&once_more.stdout).unwrap();
    assert_eq!((&told["there"], &told["fetched"]), (&json!(8), &json!(1)));
    assert!(all.iter().all(|copy| given(&server, copy) == usize::from(*copy == all[4])));
    let mut other_band = scores;
    other_band["band"] = "cs".into();
    let other = request(dir.path(), "other", &scenes, &other_band);
    let refused = command(&mut fetch(&other, &[], &environment));
    let is_told = refused.stderr.lines().filter(|line| line.contains("holds the band cs_cdf")).count();
    assert!(refused.code == Some(2) && is_told == 5, "{}", refused.stderr);

    // Nor is anything made of a quota that is used up but a clear end, from which it goes on.
    server.set_quota(Some(lists + 4));
    environment.push(("CLEARMOSAIC_ARCHIVE_PATIENCE", "1".to_owned()));
    let to = dir.path().join("elsewhere");
    let stopped = command(&mut fetch(&direct, &["--to", &to.to_string_lossy()], &environment));
    let told: Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!((stopped.code, told["left"].as_u64().is_some_and(|left| left > 0)), (Some(3), true), "{told}");
    assert!(told["stopped"].as_str().is_some_and(|why| why.contains("quota")), "{told}");
}

#[test]
fn scores_are_fetched_into_a_bucket() {
    let (Some(data), Some(s3)) = (slovenia(), S3::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = EarthEngine::of(images(&data));
    let (scenes, scores) = earth_engine();
    let direct = request(dir.path(), "direct", &scenes, &scores);
    let _ = run(&direct, &server.environment()).complete();
    let profiles = dir.path().join("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("mine"), s3.profile()).unwrap();
    let by = ["--profiles", &*profiles.to_string_lossy()];
    let to = format!("s3://{BUCKET}/scores?profile=mine");
    let fetched = |fetched: usize| {
        let ended = command(&mut fetch(&direct, &[&["--to", &to], &by[..]].concat(), &server.environment()));
        let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.stderr));
        assert_eq!((ended.code, &told["fetched"], &told["there"]), (Some(0), &json!(fetched), &json!(9 - fetched)));
        told["template"].as_str().unwrap().to_owned()
    };
    assert_eq!(fetched(9), fetched(0));
    assert_eq!(s3.keys("scores/").len(), 9, "and nothing besides");
    let mut for_people = std::process::Command::new(binary());
    for_people.args(["scores", "fetch"]).arg(&direct).args(["--to", &to]).args(by);
    let told = command(for_people.env_remove("RUST_LOG").envs(server.environment()));
    assert!(told.stdout.starts_with("9 scores needed: 0 fetched"), "{}", told.stdout);
    let last = format!("scores: {{template: \"{}\"}}, and profiles: {{scores: mine}}\n", fetched(0));
    assert!(told.stdout.ends_with(&last) && told.stderr == "scores 9/9\n", "{}{}", told.stdout, told.stderr);

    let copied = request(dir.path(), "copied", &scenes, &json!({"template": fetched(0)}));
    let mut named: Value = serde_json::from_slice(&fs::read(&copied).unwrap()).unwrap();
    named["profiles"] = json!({"scores": "mine"});
    fs::write(&copied, named.to_string()).unwrap();
    let mut run = run_command(&copied, &by);
    let _ = command(run.envs(server.environment())).complete();
    let made = |name: &str| rasters(&dir.path().join(name).join("slovenia"));
    assert_same("with scores in a bucket", &made("copied"), &made("direct"));
}
