//! Several coordinators and a real etcd: whoever is killed, stopped or started again, the mosaic is that of `run`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Coordinator, Etcd, MADE, Process, World, artifacts, assert_same, rasters};

/// An archive with a monthly mosaic in `whole`, the request of the same in `out`, and an etcd.
struct Scene {
    world: World,
    request: PathBuf,
    etcd: Etcd,
}

impl Scene {
    fn new() -> Option<Self> {
        let etcd = Etcd::start()?;
        let world = World::new("year");
        let _ = world.run("whole", &json!({"slice": "P1M"}), &[]).complete();
        let request = world.write("submitted.json", &json!({"slice": "P1M", "output": "out"}));
        Some(Self { world, request, etcd })
    }

    fn coordinator(&self) -> Coordinator {
        Coordinator::with("127.0.0.1:0", &self.world.path("store"), &["--etcd", &self.etcd.url])
    }

    fn request(&self) -> String {
        self.request.to_string_lossy().into_owned()
    }

    fn wait_for_artifacts(&self, count: usize) {
        while artifacts(&self.world.path("store"), &MADE).len() < count {
            sleep(Duration::from_millis(5));
        }
    }

    fn same_as_whole(&self, what: &str) {
        assert_same(what, &rasters(&self.world.mosaic("out")), &rasters(&self.world.mosaic("whole")));
    }
}

/// A worker that knows both.
fn worker(of: &Coordinator, and: &Coordinator) -> Process {
    of.worker(&["--slots", "1", "--coordinator", &and.url])
}

fn status(coordinator: &Coordinator) -> Value {
    let told = coordinator.ask(&["status", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    serde_json::from_str(told.stdout.lines().next().unwrap()).unwrap()
}

#[test]
fn the_leader_is_killed_and_another_goes_on() {
    let Some(scene) = Scene::new() else { return };
    let mut first = scene.coordinator();
    // Asked of the second, the first answers: it leads since before the second was there.
    assert!(first.ask(&["status"]).stdout.contains("no mosaic"));
    let second = scene.coordinator();
    let _workers = [worker(&first, &second), worker(&second, &first)];
    let mut watching = second.asking(&["submit", &scene.request(), "--watch", "--json"]);
    let mut watching = watching.stdout(Stdio::null()).spawn().unwrap();
    scene.wait_for_artifacts(5);
    first.process.kill();
    assert!(watching.wait().unwrap().success());
    scene.same_as_whole("another leader");
    let told = status(&second);
    assert_eq!((&told["state"], &told["published"]), (&json!("complete"), &json!(scene.world.mosaic("out"))));
}

#[test]
fn all_coordinators_are_killed_and_nothing_is_forgotten() {
    let Some(scene) = Scene::new() else { return };
    let mut first = scene.coordinator();
    let job = first.ask(&["submit", &scene.request()]).stdout;
    // Submitted again with a priority it is the same run, and has that priority from now on.
    assert_eq!(first.ask(&["submit", &scene.request(), "--priority", "5"]).stdout, job);
    assert_eq!(status(&first)["priority"], 5);
    let address = first.address().to_owned();
    let _worker = first.worker(&["--slots", "2"]);
    scene.wait_for_artifacts(5);
    first.process.kill();
    let again = || Coordinator::with(&address, &scene.world.path("store"), &["--etcd", &scene.etcd.url]);
    let mut second = again();
    let report = second.ask(&["watch", job.trim_end(), "--json"]).complete();
    assert_eq!(status(&second)["priority"], 5);
    scene.same_as_whole("started again");
    second.process.kill();
    let third = again();
    let told = status(&third);
    assert_eq!((&told["state"], &told["published"]), (&json!("complete"), &json!(scene.world.mosaic("out"))));
    assert_eq!(third.ask(&["watch", job.trim_end(), "--json"]).complete(), report, "its report too");
}

/// All but the request can be made again from what etcd knows.
#[test]
fn a_store_that_loses_everything_while_leaders_are_killed_spoils_nothing() {
    let Some(scene) = Scene::new() else { return };
    let mut first = scene.coordinator();
    let job = first.ask(&["submit", &scene.request()]).stdout;
    let documents = || artifacts(&scene.world.path("store"), &["plan"]);
    let is_request = |path: &PathBuf| tests::json(path).get("period").is_some();
    let lose_all = || {
        let lost: Vec<PathBuf> = documents().into_keys().filter(|path| !is_request(path)).collect();
        assert_eq!(lost.len() + 1, documents().len());
        let made = artifacts(&scene.world.path("store"), &MADE).into_keys();
        made.chain(lost)
            .for_each(|path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap());
    };
    let second = scene.coordinator();
    // They have the parts of the plan in memory that they have read: another one has not.
    let _worker = worker(&first, &second);
    scene.wait_for_artifacts(5);
    lose_all();
    let _other = worker(&second, &first);
    first.process.kill();
    scene.wait_for_artifacts(5);
    lose_all();
    let report = second.ask(&["watch", job.trim_end(), "--json"]).complete();
    assert_eq!(report["tasks"]["failed"], 0);
    scene.same_as_whole("lost twice");
}

#[test]
fn a_leader_that_stands_still_leads_no_more() {
    let Some(scene) = Scene::new() else { return };
    let first = scene.coordinator();
    let job = first.ask(&["submit", &scene.request()]).stdout;
    let second = scene.coordinator();
    let _worker = worker(&second, &first);
    scene.wait_for_artifacts(3);
    first.process.signal("STOP");
    // The second leads once the first one's term is over, and workers and clients find it.
    let report = second.ask(&["watch", job.trim_end(), "--json"]).complete();
    first.process.signal("CONT");
    scene.same_as_whole("stood still");
    assert_eq!(first.ask(&["watch", job.trim_end(), "--json"]).complete(), report, "the first names the second");
}

#[test]
fn an_etcd_that_is_not_there_is_named() {
    let store = tempfile::tempdir().unwrap();
    let store = store.path().to_string_lossy().into_owned();
    let alone = ["coordinator", "--listen", "127.0.0.1:0", "--store", &store, "--etcd", "http://127.0.0.1:1"];
    let refused = tests::clearmosaic(&alone);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.starts_with("--etcd http://127.0.0.1:1: "), "{told}");
}

#[test]
fn what_was_left_out_as_unreadable_is_left_out_by_whoever_leads_next() {
    let Some(etcd) = Etcd::start() else { return };
    let world = World::new("year");
    let scenes = fs::read_dir(world.path("scenes")).unwrap().map(|entry| entry.unwrap().path());
    for scene in scenes.filter(|path| path.to_string_lossy().contains("MSIL2A_20230320T095031")) {
        fs::write(scene.join("B04.tif"), "").unwrap();
    }
    let fields = json!({"slice": "P1M", "on_unreadable": "skip"});
    let whole = world.run("whole", &fields, &[]).complete();
    let mut submitted = fields;
    submitted["output"] = "out".into();
    let scene = Scene { request: world.write("submitted.json", &submitted), world, etcd };
    let mut first = scene.coordinator();
    let job = first.ask(&["submit", &scene.request()]).stdout;
    let plans = || artifacts(&scene.world.path("store"), &["plan"]).len();
    let before = plans();
    let second = scene.coordinator();
    let _worker = worker(&first, &second);
    while plans() == before {
        sleep(Duration::from_millis(5));
    }
    first.process.kill();
    let report = second.ask(&["watch", job.trim_end(), "--json"]).complete();
    scene.same_as_whole("another leader");
    let scenes = |report: &Value| {
        report["unreadable"].as_array().unwrap().iter().map(|u| u["scene"].clone()).collect::<Vec<_>>()
    };
    assert!(scenes(&whole).len() > 1 && scenes(&report) == scenes(&whole), "{report}");
}
