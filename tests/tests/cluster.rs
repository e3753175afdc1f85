//! A coordinator and workers as processes of their own: the mosaic is the one that `run` makes, whatever is killed.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Archive, Coordinator, Fault, Faults, MADE, Run, World, artifacts, assert_same, clearmosaic, rasters};

/// An archive with a monthly mosaic in `whole`, and the request of the same in `out`.
fn world() -> (World, PathBuf) {
    let world = World::new("year");
    let _ = world.run("whole", &json!({"slice": "P1M"}), &[]).complete();
    let request = world.write("submitted.json", &json!({"slice": "P1M", "output": "out"}));
    (world, request)
}

fn same_as_whole(what: &str, world: &World) {
    assert_same(what, &rasters(&world.mosaic("out")), &rasters(&world.mosaic("whole")));
}

fn watched(coordinator: &Coordinator, request: &Path) -> Run {
    coordinator.ask(&["submit", &request.to_string_lossy(), "--watch", "--json"])
}

/// What `status --json` tells of the newest run.
fn status(coordinator: &Coordinator) -> Value {
    let told = coordinator.ask(&["status", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    serde_json::from_str(told.stdout.lines().next().unwrap()).unwrap()
}

fn wait_for_artifacts(world: &World, count: usize) {
    while artifacts(&world.path("store"), &MADE).len() < count {
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn submitted_watched_and_asked_for() {
    let (world, request) = world();
    let coordinator = Coordinator::start(&world.path("store"));
    // The second has more slots than memory for them: what does not fit it hands back.
    let _workers = [coordinator.worker(&["--slots", "1"]), coordinator.worker(&["--slots", "8", "--memory", "192MiB"])];
    let report = watched(&coordinator, &request).complete();
    assert_eq!(report["tasks"]["failed"], 0);
    same_as_whole("two workers", &world);

    let told = status(&coordinator);
    assert_eq!((&told["state"], &told["name"]), (&json!("complete"), &world.request(&json!({}))["name"]));
    assert_eq!(told["published"], world.mosaic("out").to_string_lossy().as_ref());
    let name = told["name"].as_str().unwrap();
    let table = coordinator.ask(&["status", name]).stdout;
    assert!(table.contains("complete") && table.contains(&*world.mosaic("out").to_string_lossy()), "{table}");
    let again = coordinator.ask(&["watch", name, "--json"]);
    assert_eq!(again.complete(), report, "a watch of what has ended tells of it");
    // A country's worth of scenes without scores: more than a message may hold.
    let path = world.mosaic("out").join("report.json");
    let mut long = report;
    long["unlinked"] = (0..120_000).map(|n| format!("20230815T095031_20230815T{n:06}_T33TWL")).collect();
    fs::write(&path, long.to_string()).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 4 << 20);
    assert_eq!(coordinator.ask(&["watch", name, "--json"]).complete(), long);
    assert_eq!(status(&coordinator)["state"], "complete");
    fs::remove_file(&path).unwrap();
    let gone = coordinator.ask(&["watch", name, "--json"]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (Some(2), 1), "{}", gone.stderr);

    for (args, words) in [
        (["retry", name], "nothing of it failed"),
        (["watch", "no-such"], "there is no mosaic `no-such`"),
        (["cancel", "no-such"], "there is no mosaic `no-such`"),
    ] {
        let refused = coordinator.ask(&args);
        assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
}

/// The catalogue and the area are files that the coordinator never sees: they lie elsewhere by the time it plans.
#[test]
fn files_are_sent_along() {
    let (world, _) = world();
    let ring = json!([[[10, 40], [20, 40], [20, 50], [10, 50], [10, 40]]]);
    fs::create_dir(world.path("mine")).unwrap();
    fs::write(world.path("mine/area.geojson"), json!({"type": "Polygon", "coordinates": ring}).to_string()).unwrap();
    let mut items = world.items();
    for asset in items.iter_mut().flat_map(|item| item["assets"].as_object_mut().unwrap().values_mut()) {
        asset["href"] = format!("../{}", asset["href"].as_str().unwrap()).into();
    }
    world.write_items("mine/items.json", &items);
    let fields = json!({"slice": "P1M", "output": "out", "scenes": {"items": "mine/items.json"}});
    let request = world.write("submitted.json", &fields);
    let coordinator = Coordinator::start(&world.path("store"));
    let first = coordinator.ask(&["submit", &request.to_string_lossy()]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    fs::rename(world.path("mine"), world.path("gone")).unwrap();
    let _worker = coordinator.worker(&[]);
    let name = first.stdout.trim_end();
    let _ = coordinator.ask(&["watch", name, "--json"]).complete();
    same_as_whole("files sent along", &world);
    fs::rename(world.path("gone"), world.path("mine")).unwrap();
    let again = coordinator.ask(&["submit", &request.to_string_lossy()]);
    assert_eq!(again.stdout, first.stdout, "the same request with the same files is the same run");
}

#[test]
fn a_worker_that_is_killed_is_replaced() {
    let (world, request) = world();
    let coordinator = Coordinator::start(&world.path("store"));
    let mut doomed = coordinator.worker(&["--slots", "2"]);
    let mut watching = coordinator.asking(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    let mut watching = watching.stdout(Stdio::null()).spawn().unwrap();
    wait_for_artifacts(&world, 5);
    doomed.kill();
    let _heir = coordinator.worker(&["--slots", "2"]);
    assert!(watching.wait().unwrap().success());
    same_as_whole("another worker", &world);
}

/// Without a state of its own it has forgotten the request; who watches gives it again, and the store remembers.
#[test]
fn a_coordinator_that_is_killed_starts_again() {
    let (world, request) = world();
    let mut first = Coordinator::start(&world.path("store"));
    let _worker = first.worker(&["--slots", "2"]);
    let mut watching = first.asking(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    let mut watching = watching.stdout(Stdio::null()).spawn().unwrap();
    wait_for_artifacts(&world, 5);
    first.process.kill();
    let kept = artifacts(&world.path("store"), &MADE).len() as u64;
    let second = Coordinator::with(first.address(), &world.path("store"), &[]);
    assert!(watching.wait().unwrap().success());
    same_as_whole("another coordinator", &world);
    let told = status(&second);
    let reused: u64 = told["tasks"].as_array().unwrap().iter().map(|kind| kind["reused"].as_u64().unwrap()).sum();
    assert!(reused >= kept, "{reused} of {kept} artifacts are used again: {told}");
}

/// Planning tells publication what became of the scenes: where that is lost it is planned again, if that can be done.
#[test]
fn what_planning_has_made_is_made_again_or_missed_in_one_line() {
    let (world, request) = world();
    let coordinator = Coordinator::start(&world.path("store"));
    let submit = || coordinator.ask(&["submit", &request.to_string_lossy()]).stdout.trim_end().to_owned();
    let lose_snapshot = || {
        let documents = artifacts(&world.path("store"), &["plan"]).into_keys();
        let is_snapshot = |path: &PathBuf| tests::json(path).get("report").is_some();
        let snapshots: Vec<PathBuf> = documents.filter(is_snapshot).collect();
        assert_eq!(snapshots.len(), 1);
        fs::remove_file(&snapshots[0]).unwrap();
    };
    let job = submit();
    lose_snapshot();
    let worker = coordinator.worker(&["--slots", "2"]);
    let report = coordinator.ask(&["watch", &job, "--json"]).complete();
    same_as_whole("planned again to be published", &world);
    drop(worker);

    // What was sent along is gone too: nobody but the submitter has it.
    fs::remove_dir_all(world.path("store/quicklook")).unwrap();
    assert_eq!(submit(), job);
    lose_snapshot();
    fs::remove_dir_all(world.path("store/attachment")).unwrap();
    let _worker = coordinator.worker(&["--slots", "2"]);
    let failed = coordinator.ask(&["watch", &job]);
    let retried = coordinator.ask(&["retry", &job]);
    for told in [failed, retried] {
        let why = told.stderr.lines().last().unwrap();
        let is_told = why.contains("`scenes.items`: what was sent along") && why.ends_with("submit the request again");
        assert!(told.code == Some(2) && is_told, "{}", told.stderr);
    }
    assert_eq!(submit(), job);
    let again = coordinator.ask(&["watch", &job, "--json"]).complete();
    assert_eq!(again["scenes"], report["scenes"]);
    same_as_whole("submitted again", &world);
}

#[test]
fn told_to_stop_they_hand_back_and_end_well() {
    let (world, request) = world();
    let mut coordinator = Coordinator::start(&world.path("store"));
    let mut leaving = coordinator.worker(&["--slots", "2"]);
    let job = coordinator.ask(&["submit", &request.to_string_lossy()]).stdout;
    wait_for_artifacts(&world, 3);
    leaving.signal("TERM");
    assert_eq!(leaving.ended().code(), Some(0));
    let told = status(&coordinator);
    let running = told["tasks"].as_array().unwrap().iter().map(|kind| kind["running"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((told["state"].as_str(), running), (Some("running"), 0), "nothing waits for a lease to end: {told}");
    let _staying = coordinator.worker(&["--slots", "2"]);
    let _ = coordinator.ask(&["watch", job.trim_end(), "--json"]).complete();
    same_as_whole("handed back", &world);
    coordinator.process.signal("TERM");
    assert_eq!(coordinator.process.ended().code(), Some(0));
}

#[test]
fn what_is_cancelled_stops_and_what_failed_is_retried() {
    let (world, request) = world();
    let coordinator = Coordinator::start(&world.path("store"));
    let job = coordinator.ask(&["submit", &request.to_string_lossy()]).stdout;
    assert_eq!(coordinator.ask(&["cancel", job.trim_end()]).code, Some(0));
    assert_eq!(status(&coordinator)["state"], "cancelled");

    let item = &world.items()[0];
    let href = item["assets"].as_object().unwrap().values().find_map(|asset| asset["href"].as_str()).unwrap();
    let (raster, hidden) = (world.path(href), world.path("hidden"));
    fs::rename(&raster, &hidden).unwrap();
    let _worker = coordinator.worker(&["--slots", "2"]);
    let incomplete = watched(&coordinator, &request);
    assert_eq!(incomplete.code, Some(3), "{}", incomplete.stderr);
    fs::rename(&hidden, &raster).unwrap();
    assert_eq!(coordinator.ask(&["retry", job.trim_end()]).code, Some(0));
    let mended = coordinator.ask(&["watch", job.trim_end(), "--json"]).complete();
    assert!(mended["tasks"]["reused"].as_u64() > Some(0), "what did not fail is kept: {mended}");
    // One scene was missing: of twelve slices, its own is read again, and no other.
    let told = status(&coordinator);
    let partials = told["tasks"].as_array().unwrap().iter().find(|kind| kind["kind"] == "partial").unwrap();
    let [done, total] = ["done", "total"].map(|count| partials[count].as_u64().unwrap());
    assert!(done > 0 && done * 12 <= total, "{told}");
    same_as_whole("mended", &world);
}

/// An archive that never answers holds up a task for ever: who cancels its mosaic has the slot back and its memory, of
/// which there is not enough for two tasks.
#[test]
fn a_task_that_waits_for_ever_is_called_off() {
    let (world, request) = world();
    let archive = Archive::of(&world.path(""));
    archive.set(Faults::at(1, &[(Fault::Silence, 1.0)]));
    let mut items = world.items();
    for asset in items.iter_mut().flat_map(|item| item["assets"].as_object_mut().unwrap().values_mut()) {
        asset["href"] = archive.url(&format!("/{}", asset["href"].as_str().unwrap())).into();
    }
    world.write_items("far.json", &items);
    let far =
        world.write("far.request.json", &json!({"name": "far", "output": "out", "scenes": {"items": "far.json"}}));
    let coordinator = Coordinator::start(&world.path("store"));
    let mut worker = coordinator.worker(&["--slots", "1", "--memory", "192MiB"]);
    let hung = coordinator.ask(&["submit", &far.to_string_lossy()]).stdout;
    while archive.asked().is_empty() {
        sleep(Duration::from_millis(20));
    }
    assert_eq!(coordinator.ask(&["cancel", hung.trim_end()]).code, Some(0));
    let _ = watched(&coordinator, &request).complete();
    same_as_whole("beside one that hangs", &world);
    worker.signal("TERM");
    assert_eq!(worker.ended().code(), Some(0));
}

/// One worker makes both a task at a time: the second to come has sixteen times as much of it as the first.
#[test]
fn who_has_priority_is_done_first() {
    let world = World::new("year");
    let coordinator = Coordinator::start(&world.path("store"));
    let submit = |name: &str, threshold: f64, priority: &str| {
        let scores = json!({"template": world.request(&json!({}))["scores"]["template"], "threshold": threshold});
        let fields = json!({"name": name, "slice": "P1M", "output": "out", "scores": scores});
        let request = world.write(&format!("{name}.json"), &fields);
        coordinator.ask(&["submit", &request.to_string_lossy(), "--priority", priority])
    };
    let jobs = [submit("first", 0.5, "1"), submit("second", 0.55, "5")];
    let refused = submit("third", 0.5, "6");
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{}", refused.stderr);
    let _worker = coordinator.worker(&["--slots", "1"]);
    let ended = jobs.map(|job| {
        let _ = coordinator.ask(&["watch", job.stdout.trim_end(), "--json"]).complete();
        let (name, _) = job.stdout.rsplit_once('-').unwrap();
        fs::metadata(world.path("out").join(name).join("report.json")).unwrap().modified().unwrap()
    });
    assert!(ended[1] < ended[0], "{ended:?}");
    let table = coordinator.ask(&["status", "second"]).stdout;
    assert!(table.contains("priority"), "{table}");
}

/// What probes and command-line tools ask.
#[test]
fn it_says_that_it_serves_and_what() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let store = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(store.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel =
            tonic::transport::Endpoint::from_shared(coordinator.url.clone()).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel.clone());
        for service in ["", "clearmosaic.v1.JobService", "clearmosaic.v1.WorkService"] {
            let asked = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
            assert_eq!(asked.into_inner().status(), ServingStatus::Serving, "{service}");
        }
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut reflection = ServerReflectionClient::new(channel);
        let answers = reflection.server_reflection_info(tokio_stream::once(list)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
        let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
        assert!(names.contains(&"clearmosaic.v1.JobService".to_owned()), "{names:?}");
    });
}

#[test]
fn where_no_one_may_or_can_listen() {
    let store = tempfile::tempdir().unwrap();
    let store = store.path().to_string_lossy().into_owned();
    let open = clearmosaic(&["coordinator", "--listen", "0.0.0.0:0", "--store", &store]);
    assert_eq!(open.status.code(), Some(2));
    let taken = Coordinator::start(Path::new(&store));
    let second = clearmosaic(&["coordinator", "--listen", taken.address(), "--store", &store]);
    assert_eq!(second.status.code(), Some(2));
    for told in [open, second] {
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.starts_with("--listen ") && told.lines().count() == 1, "{told}");
    }
}
