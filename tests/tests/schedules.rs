//! Schedules with a real etcd and the real clock: what is due is made once, whoever is killed; who wants to know is told.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tests::{Coordinator, Etcd, Receiver, Run, World};

/// How long what is awaited may take.
const PATIENCE: Duration = Duration::from_secs(120);
const SECRET: &str = "correct horse battery staple";

fn shown(coordinator: &Coordinator, name: &str) -> Value {
    told(&coordinator.ask(&["schedule", "show", name, "--json"]))
}

/// What a command told in JSON.
fn told(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

fn firings(schedule: &Value) -> Vec<Value> {
    schedule["firings"].as_array().unwrap().clone()
}

/// Asks until something holds.
fn until(coordinator: &Coordinator, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let since = Instant::now();
    loop {
        let schedule = shown(coordinator, "often");
        if holds(&schedule) {
            return schedule;
        }
        assert!(since.elapsed() < PATIENCE, "{what}: {schedule:#}");
        sleep(Duration::from_millis(300));
    }
}

/// The profile that signs what is posted to this machine.
fn profiles(world: &World) -> String {
    let (dir, secret) = (world.path("profiles"), world.path("secret"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    std::fs::write(dir.join("hook"), format!("secret_file: {}\nhosts: 127.0.0.1\n", secret.display())).unwrap();
    dir.to_string_lossy().into_owned()
}

#[test]
fn what_is_due_is_made_once_though_the_leader_is_killed() {
    let Some(etcd) = Etcd::start() else { return };
    let world = World::new("year");
    let request = world.write("submitted.json", &json!({"output": "out"}));
    let (receiver, profiles) = (Receiver::start(), profiles(&world));
    let coordinator = || {
        let options = ["--etcd", &etcd.url, "--profiles", &profiles];
        Coordinator::with("127.0.0.1:0", &world.path("store"), &options)
    };
    let mut first = coordinator();
    let hook = receiver.url();
    let request = request.to_string_lossy();
    let often = ["schedule", "create", &request, "--name", "often", "--cron", "*/3 * * * * *", "--overlap", "skip"];
    let create = [&often[..], &["--webhook", &hook, "--webhook-profile", "hook", "--json"]].concat();
    let created = told(&first.ask(&create));
    assert_eq!(told(&first.ask(&create))["name"], created["name"], "the same again changes nothing");
    let second = coordinator();
    let _workers = [
        first.worker(&["--slots", "1", "--coordinator", &second.url]),
        second.worker(&["--slots", "1", "--coordinator", &first.url]),
    ];
    let ended = |schedule: &Value| {
        firings(schedule).iter().any(|firing| firing["came"] == "unchanged" && firing["hook"] == "delivered")
    };
    let before = firings(&until(&first, "a run that changes nothing", ended));
    first.process.kill();
    let newest = before[0]["due"].as_str().unwrap().to_owned();
    let goes_on = |schedule: &Value| {
        let after = |firing: &&Value| firing["due"].as_str().unwrap() > newest.as_str();
        let since = firings(schedule);
        since.iter().filter(after).filter(|firing| firing["hook"] == "delivered").count() >= 2
    };
    let schedule = until(&second, "another leader", goes_on);
    let all = firings(&schedule);
    let due: BTreeSet<&str> = all.iter().map(|firing| firing["due"].as_str().unwrap()).collect();
    assert_eq!(due.len(), all.len(), "each once: {schedule:#}");
    let kept = before.iter().filter(|firing| firing["came"] != "running");
    for firing in kept.filter(|firing| due.contains(firing["due"].as_str().unwrap()) && firing["hook"] == "delivered") {
        assert!(all.contains(firing), "what came of it stays: {firing}");
    }
    // From one to the next there are three seconds, but for those that it stands for.
    let seconds = |firing: &Value| firing["due"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    for two in all.windows(2) {
        let between = seconds(&two[0]) - seconds(&two[1]);
        assert_eq!(between, 3 * (1 + two[0]["missed"].as_i64().unwrap()), "none is lost: {schedule:#}");
    }
    assert_eq!(told(&second.ask(&["schedule", "pause", "often", "--json"]))["paused"], true);
    check_posted(&receiver.received());
    let named = second.ask(&["schedule", "delete", "often"]);
    assert_eq!(named.code, Some(0), "{}", named.stderr);
    let gone = second.ask(&["schedule", "show", "often"]);
    assert_eq!(gone.code, Some(2));
    assert_eq!(gone.stderr.trim_end(), "there is no schedule `often`: ask `clearmosaic schedule list`");
}

/// Every message is signed, and each firing has an id of its own.
fn check_posted(received: &[(Value, String)]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let mut types = BTreeSet::new();
    for (headers, body) in received {
        let header = |name: &str| headers[name].as_str().unwrap().to_owned();
        let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        let signature = header("webhook-signature");
        let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
        let message: Value = serde_json::from_str(body).unwrap();
        assert_eq!(message["data"]["schedule"], "often");
        types.insert(message["type"].as_str().unwrap().to_owned());
    }
    assert!(types.contains("run.complete") && types.contains("run.unchanged"), "{types:?}");
}

#[test]
fn a_schedule_that_means_nothing_is_told_in_one_line() {
    let world = World::new("year");
    let coordinator = Coordinator::start(&world.path("store"));
    let request = world.write("submitted.json", &json!({"output": "out"})).to_string_lossy().into_owned();
    let create = ["schedule", "create", &request];
    for (options, told) in [
        (vec!["--cron", "61 * * * *"], "`cron`: `61 * * * *`: "),
        (vec!["--cron", "0 6 30 2 *"], "`cron`: `0 6 30 2 *` never comes: there is no such day"),
        (vec!["--cron", "@daily", "--zone", "Mars/Base"], "`zone`: there is no time zone `Mars/Base`: "),
        (vec!["--cron", "@daily", "--name", "A b"], "`name`: `A b`: "),
        (
            vec!["--cron", "@daily", "--webhook", "https://h/", "--webhook-profile", "p"],
            "`webhook`: profile `p`: no directory of profiles is named",
        ),
        (vec!["--cron", "@daily", "--overlap", "maybe"], "invalid value 'maybe' for '--overlap <WHAT>': "),
    ] {
        let refused = coordinator.ask(&[&create[..], &options].concat());
        assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{options:?}: {}", refused.stderr);
        assert!(refused.stderr.starts_with(told), "{}", refused.stderr);
    }
    // In memory, without etcd: made by hand, and its rule cannot be changed by accident.
    let daily = coordinator.ask(&[&create[..], &["--cron", "0 6 L * *", "--zone", "Europe/Ljubljana"]].concat());
    assert_eq!(daily.code, Some(0), "{}", daily.stderr);
    let other = coordinator.ask(&[&create[..], &["--cron", "0 7 L * *"]].concat());
    assert!(other.code == Some(2) && other.stderr.starts_with("there is another schedule"), "{}", other.stderr);
    let listed = coordinator.ask(&["schedule", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let name = listed["name"].as_str().unwrap().to_owned();
    let job = coordinator.ask(&["schedule", "run", &name]).stdout;
    let _worker = coordinator.worker(&["--slots", "2"]);
    let _ = coordinator.ask(&["watch", job.trim_end(), "--json"]).complete();
}
