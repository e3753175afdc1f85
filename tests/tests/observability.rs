//! What a cluster tells of itself, as it arrives: spans at a real OTLP receiver, metrics in a scrape, logs on stderr.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "observability/receiver.rs"]
mod receiver;
#[path = "observability/scrape.rs"]
mod scrape;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use receiver::{Receiver, Told, by_id, hex, traces};
use scrape::{Scrape, free_address};
use serde_json::{Value, json};
use tests::{Coordinator, Etcd, MADE, Process, Run, World, artifacts, command, run_command};

const MOSAIC: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A yearly archive with monthly slices, and its request.
fn world() -> (World, PathBuf) {
    let world = World::new("year");
    let request = world.write("submitted.json", &json!({"slice": "P1M", "output": "out"}));
    (world, request)
}

/// Hides a raster of the catalogue: the tasks that read it fail.
fn hide_one(world: &World) {
    let item = &world.items()[0];
    let href = item["assets"].as_object().unwrap().values().find_map(|asset| asset["href"].as_str()).unwrap();
    fs::rename(world.path(href), world.path("hidden")).unwrap();
}

/// Tells a process to end, which it does well.
fn end(process: &mut Process) {
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(0));
}

/// Makes the mosaic on two workers, all of them sending their spans; how it ended, and the spans.
fn traced(tasks: &str, is_broken: bool) -> (Run, Vec<Told>) {
    let (world, request) = world();
    if is_broken {
        hide_one(&world);
    }
    let receiver = Receiver::start();
    let options = ["--otlp", &receiver.url, "--trace-tasks", tasks];
    let mut coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &options);
    let mut workers = [coordinator.worker(&options[..2]), coordinator.worker(&options[..2])];
    // One is told by the environment, as an operator would.
    let mut submit = coordinator.asking(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    submit.env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url);
    submit.env("TRACEPARENT", format!("00-{MOSAIC}-00f067aa0ba902b7-01"));
    let run = command(&mut submit);
    workers.iter_mut().for_each(end);
    end(&mut coordinator.process);
    (run, receiver.spans())
}

/// The spans of this name.
fn named<'a>(spans: &'a [Told], name: &str) -> Vec<&'a Told> {
    spans.iter().filter(|told| told.span.name == name).collect()
}

/// All are of one trace, and each one's parent is there, but for the first, whose parent is whoever submitted.
fn is_one_tree(spans: &[Told]) {
    assert_eq!(traces(spans), BTreeSet::from([MOSAIC.to_owned()]));
    let known = by_id(spans);
    for told in spans.iter().filter(|told| !known.contains_key(&told.span.parent_span_id)) {
        let parent = hex(&told.span.parent_span_id);
        assert_eq!((told.span.name.as_str(), parent.as_str()), ("submit", "00f067aa0ba902b7"), "{told:?}");
    }
}

#[test]
fn one_mosaic_is_one_trace_across_processes() {
    let (run, spans) = traced("1000000", false);
    let report = run.complete();
    is_one_tree(&spans);

    let services: BTreeSet<&str> = spans.iter().map(|told| told.service.as_str()).collect();
    let expected = ["clearmosaic-coordinator", "clearmosaic-submit", "clearmosaic-worker"];
    assert_eq!(services, BTreeSet::from(expected));
    let workers = spans.iter().filter(|told| told.service == "clearmosaic-worker");
    assert_eq!(workers.map(|told| &told.instance).collect::<BTreeSet<_>>().len(), 2, "two workers");
    for name in ["submit", "clearmosaic.v1.JobService/SubmitJob", "plan", "prepare", "publish"] {
        assert_eq!(named(&spans, name).len(), 1, "{name}");
    }
    let known = by_id(&spans);
    let mosaic = named(&spans, "mosaic").into_iter().find(|told| !told.is_task()).unwrap();
    assert_eq!(known[&mosaic.span.parent_span_id].span.name, "clearmosaic.v1.JobService/SubmitJob");
    assert_eq!(mosaic.attribute("state").as_deref(), Some("complete"));

    let tasks: Vec<&Told> = spans.iter().filter(|told| told.is_task()).collect();
    assert_eq!(tasks.len() as u64, report["tasks"]["done"].as_u64().unwrap(), "every task");
    assert!(tasks.iter().all(|task| task.span.parent_span_id == mosaic.span.span_id && !task.is_error()));
    let sum = |spans: &[&Told], of: &str| spans.iter().map(|told| told.count(of)).sum::<u64>();
    assert_eq!(sum(&tasks, "bytes_read"), report["bytes_read"].as_u64().unwrap());
    let reads = named(&spans, "read");
    assert_eq!(sum(&reads, "bytes"), report["bytes_read"].as_u64().unwrap());
    assert_eq!(sum(&reads, "blocks_read"), sum(&tasks, "blocks_read"));
    for read in &reads {
        let task = known[&read.span.parent_span_id];
        assert!(task.is_task() && read.attribute("scene").is_some(), "{read:?}");
        assert!(read.span.start_time_unix_nano >= task.span.start_time_unix_nano);
    }
    assert!(!named(&spans, "write").is_empty() && !named(&spans, "merge").is_empty());
}

/// Whether there is a trace is for whoever submits to say.
#[test]
fn who_wants_no_trace_gets_none() {
    let (world, request) = world();
    hide_one(&world);
    let receiver = Receiver::start();
    let options = ["--otlp", &receiver.url];
    let mut coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &options);
    let mut worker = coordinator.worker(&options);
    let mut submit = coordinator.asking(&["submit", &request.to_string_lossy(), "--watch", "--otlp", &receiver.url]);
    assert_eq!(command(submit.env("OTEL_TRACES_SAMPLER", "always_off")).code, Some(3));
    end(&mut worker);
    end(&mut coordinator.process);
    let names: Vec<String> = receiver.spans().into_iter().map(|told| told.span.name).collect();
    assert!(names.is_empty(), "not even of what fails: {names:?}");
}

#[test]
fn of_many_tasks_few_are_recorded_and_all_that_fail() {
    let (run, spans) = traced("10", true);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    is_one_tree(&spans);
    let report = run.report();
    let (failed, recorded): (Vec<&Told>, Vec<&Told>) =
        spans.iter().filter(|told| told.is_task()).partition(|told| told.is_error());
    let done = report["tasks"]["done"].as_u64().unwrap() as usize;
    assert!((1..=20).contains(&recorded.len()) && done > 30, "{} of {done} tasks are recorded", recorded.len());
    let recorded: BTreeSet<_> = recorded.iter().map(|told| &told.span.span_id).collect();
    let failed_ids: BTreeSet<_> = failed.iter().map(|told| &told.span.span_id).collect();
    for read in named(&spans, "read") {
        let task = &read.span.parent_span_id;
        assert!(recorded.contains(task) || failed_ids.contains(task), "{read:?}");
    }
    let told: BTreeSet<String> = failed.iter().filter_map(|told| told.attribute("task")).collect();
    // What only waited for those that failed was never begun.
    let tasks = report["failed"].as_array().unwrap().iter().map(|failure| failure["task"].as_str().unwrap().to_owned());
    let begun: BTreeSet<String> = tasks.filter(|task| task.starts_with("partial/")).collect();
    assert!(!begun.is_empty());
    assert_eq!(told, begun);
}

/// The leader is killed with spans that it has not sent; whoever leads next tells of the mosaic all the same.
#[test]
fn a_trace_outlives_the_leader() {
    let Some(etcd) = Etcd::start() else { return };
    let (world, request) = world();
    let receiver = Receiver::start();
    let options = ["--otlp", &receiver.url, "--trace-tasks", "1000000", "--etcd", &etcd.url];
    let coordinator = || Coordinator::with("127.0.0.1:0", &world.path("store"), &options);
    let mut first = coordinator();
    assert_eq!(first.ask(&["status"]).code, Some(0), "it leads");
    let mut second = coordinator();
    let options = ["--slots", "2", "--coordinator", &second.url, "--otlp", &receiver.url];
    let mut worker = first.worker(&options);
    let mut submit = second.asking(&["submit", &request.to_string_lossy(), "--watch", "--otlp", &receiver.url]);
    submit.env("TRACEPARENT", format!("00-{MOSAIC}-00f067aa0ba902b7-01"));
    let mut watching = submit.stdout(Stdio::null()).spawn().unwrap();
    while artifacts(&world.path("store"), &MADE).len() < 5 {
        std::thread::sleep(Duration::from_millis(5));
    }
    first.process.kill();
    assert!(watching.wait().unwrap().success());
    end(&mut worker);
    end(&mut second.process);

    let spans = receiver.spans();
    assert_eq!(traces(&spans), BTreeSet::from([MOSAIC.to_owned()]));
    let known = by_id(&spans);
    let orphans: BTreeSet<&str> = spans
        .iter()
        .filter(|told| !known.contains_key(&told.span.parent_span_id))
        .map(|told| told.span.name.as_str())
        .collect();
    // What the killed leader was in the midst of may be told of in part.
    let its = ["submit", "mosaic", "prepare", "store the plan", "find what is done"];
    assert!(orphans.is_subset(&BTreeSet::from(its)), "{orphans:?}");
    let mosaics: Vec<&Told> = named(&spans, "mosaic").into_iter().filter(|told| !told.is_task()).collect();
    assert_eq!(mosaics.len(), 1);
    let tasks: Vec<&Told> = spans.iter().filter(|told| told.is_task()).collect();
    assert!(!tasks.is_empty() && tasks.iter().all(|task| task.span.parent_span_id == mosaics[0].span.span_id));
}

#[test]
fn metrics_say_what_the_report_says() {
    let (world, request) = world();
    let at = [free_address(), free_address(), free_address()];
    let coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &["--metrics", &at[0]]);
    let before = Scrape::of(&at[0]);
    assert_eq!((before.one("clearmosaic_leader"), before.one("clearmosaic_tasks_ready")), (1.0, 0.0));

    let job = coordinator.ask(&["submit", &request.to_string_lossy()]).stdout;
    let submitted = Scrape::of(&at[0]);
    let (ready, waiting) = (submitted.one("clearmosaic_tasks_ready"), submitted.one("clearmosaic_tasks_waiting"));
    assert!(ready > 0.0 && waiting > 0.0, "{ready} are ready, {waiting} wait");
    let in_state = |scrape: &Scrape, state: &str| {
        let label = format!("state=\"{state}\"");
        scrape.sum("clearmosaic_mosaic_tasks", &[&label, &format!("job=\"{}\"", job.trim_end())])
    };
    assert_eq!((in_state(&submitted, "ready"), in_state(&submitted, "waiting")), (ready, waiting));

    let _workers = [1, 2].map(|n: usize| coordinator.worker(&["--slots", "1", "--metrics", &at[n]]));
    let report = coordinator.ask(&["watch", job.trim_end(), "--json"]).complete();
    let (bytes, done) = (report["bytes_read"].as_f64().unwrap(), report["tasks"]["done"].as_f64().unwrap());
    let after = Scrape::of(&at[0]);
    let of = [format!("job=\"{}\"", job.trim_end()), format!("mosaic={}", report["mosaic"])];
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    assert_eq!(after.sum("clearmosaic_mosaic_read_bytes_total", &of), bytes);
    assert_eq!(in_state(&after, "done"), done);
    assert_eq!(after.sum("clearmosaic_reports_total", &["result=\"done\""]), done);
    assert_eq!((after.one("clearmosaic_tasks_ready"), after.one("clearmosaic_tasks_leased")), (0.0, 0.0));
    assert!(after.one("clearmosaic_leases_granted_total") >= done);
    assert!(after.one("clearmosaic_grant_seconds_count") >= done && after.one("clearmosaic_grant_seconds_sum") > 0.0);
    assert_eq!(after.one("clearmosaic_report_seconds_count"), after.sum("clearmosaic_reports_total", &[]));

    let workers = [Scrape::of(&at[1]), Scrape::of(&at[2])];
    let sum = |name: &str, labels: &[&str]| workers.iter().map(|worker| worker.sum(name, labels)).sum::<f64>();
    assert_eq!(sum("clearmosaic_worker_read_bytes_total", &[]), bytes);
    assert_eq!(sum("clearmosaic_worker_tasks_total", &["result=\"done\""]), done);
    assert_eq!(sum("clearmosaic_worker_tasks_running", &[]), 0.0);
    let figures = ["blocks_read", "blocks_skipped", "decode_seconds", "compute_seconds", "write_seconds"];
    for figure in figures {
        let of_workers = sum(&format!("clearmosaic_worker_{figure}_total"), &[]);
        let of_mosaic = after.sum(&format!("clearmosaic_mosaic_{figure}_total"), &of);
        // No block of this archive is without a clear pixel.
        assert_eq!(of_workers > 0.0, figure != "blocks_skipped", "{figure}");
        assert!((of_workers - of_mosaic).abs() < 1e-3, "{figure}: {of_workers}, {of_mosaic}");
    }
    for scrape in workers.iter().chain([&after]) {
        assert!(scrape.one("process_resident_memory_bytes") > 1e6 && scrape.one("process_cpu_seconds_total") > 0.0);
    }
}

#[test]
fn metrics_tell_of_what_is_set_aside() {
    let (world, request) = world();
    hide_one(&world);
    let at = [free_address(), free_address()];
    let coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &["--metrics", &at[0]]);
    let _worker = coordinator.worker(&["--metrics", &at[1]]);
    let run = coordinator.ask(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let report = run.report();
    let failed = report["tasks"]["failed"].as_f64().unwrap();
    let (of_all, of_worker) = (Scrape::of(&at[0]), Scrape::of(&at[1]));
    assert_eq!(of_all.sum("clearmosaic_mosaic_tasks", &["state=\"failed\""]), failed);
    assert_eq!(of_all.sum("clearmosaic_mosaic_tasks_set_aside_total", &[]), failed);
    let attempts = of_all.sum("clearmosaic_reports_total", &["result=\"failed\""]);
    assert_eq!(of_worker.sum("clearmosaic_worker_tasks_total", &["result=\"failed\""]), attempts);
    // An attempt is followed by another, or its task is set aside; tasks that only wait for it make no attempt.
    let retried = of_all.sum("clearmosaic_mosaic_retries_total", &[]);
    assert!(attempts > retried && attempts - retried <= failed, "{attempts} attempts, {retried} retried, {failed}");
}

/// The worker that holds a lease stands still until the lease has expired; another one makes the mosaic.
#[test]
fn metrics_tell_of_leases_that_expire() {
    let (world, request) = world();
    let at = free_address();
    let coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &["--lease", "3", "--metrics", &at]);
    let job = coordinator.ask(&["submit", &request.to_string_lossy()]).stdout;
    let stopped = coordinator.worker(&["--slots", "1"]);
    while Scrape::of(&at).one("clearmosaic_leases_granted_total") == 0.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Whatever it is granted from now on it does not hear of.
    stopped.signal("STOP");
    let expired = || Scrape::of(&at).sum("clearmosaic_mosaic_leases_expired_total", &[]);
    while expired() == 0.0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _heir = coordinator.worker(&[]);
    let _ = coordinator.ask(&["watch", job.trim_end(), "--json"]).complete();
    assert!(expired() >= 1.0);
    assert_eq!(Scrape::of(&at).sum("clearmosaic_mosaic_tasks_set_aside_total", &[]), 0.0, "it was nobody's fault");
}

/// Of a scene that is all cloud no block of a band is read.
#[test]
fn metrics_tell_of_blocks_that_are_not_read() {
    const ALL_CLOUD: &str = "import sys; from osgeo import gdal; raster = gdal.Open(sys.argv[1], gdal.GA_Update); \
        [raster.GetRasterBand(band + 1).Fill(0) for band in range(raster.RasterCount)]";
    let world = World::new("year");
    let score = fs::read_dir(world.path("scores")).unwrap().next().unwrap().unwrap().path();
    let filled = Command::new("/usr/bin/python3").arg("-c").arg(ALL_CLOUD).arg(score).status();
    assert!(filled.unwrap().success());
    let request = world.write("submitted.json", &json!({"output": "out"}));
    let at = [free_address(), free_address()];
    let coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &["--metrics", &at[0]]);
    let _worker = coordinator.worker(&["--metrics", &at[1]]);
    let _ = coordinator.ask(&["submit", &request.to_string_lossy(), "--watch", "--json"]).complete();
    let of_mosaic = Scrape::of(&at[0]).sum("clearmosaic_mosaic_blocks_skipped_total", &[]);
    let of_worker = Scrape::of(&at[1]).one("clearmosaic_worker_blocks_skipped_total");
    assert!(of_mosaic > 0.0 && of_mosaic == of_worker, "{of_mosaic}, {of_worker}");
}

/// Without TLS other machines read nothing, unless that is said in so many words.
#[test]
fn metrics_are_for_this_machine_alone_unless_told_otherwise() {
    let world = World::new("few");
    let store = world.path("store").to_string_lossy().into_owned();
    let commands: [&[&str]; 2] = [&["coordinator", "--listen", "127.0.0.1:0", "--store", &store], &["worker"]];
    for command in commands {
        let refused = tests::clearmosaic(&[command, &["--metrics", "0.0.0.0:0"]].concat());
        let (code, told) = tests::code_and_stderr(&refused);
        assert_eq!((code, told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.contains("--metrics 0.0.0.0:0") && told.contains("--metrics-insecure"), "{told}");
    }
    let options = ["--metrics", "0.0.0.0:0", "--metrics-insecure"];
    let coordinator = Coordinator::with("127.0.0.1:0", &world.path("store"), &options);
    assert_eq!(coordinator.ask(&["status"]).code, Some(0));
}

#[test]
fn lines_for_programs_carry_the_trace() {
    let (world, request) = world();
    hide_one(&world);
    let mut run = run_command(&request, &["--log-format", "json", "-v"]);
    let run = command(run.env("TRACEPARENT", format!("00-{MOSAIC}-00f067aa0ba902b7-01")));
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let lines: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert!(["timestamp", "level", "target", "message"].iter().all(|field| line[field].is_string()), "{line}");
    }
    let with = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("{message}: {}", run.stderr))
    };
    let failed = with("a task failed");
    assert_eq!((failed["level"].as_str(), failed["trace_id"].as_str()), (Some("INFO"), Some(MOSAIC)));
    assert!(failed["span"]["task"].as_str().unwrap().starts_with("partial/"), "{failed}");
    assert_eq!(with("a mosaic begins")["trace_id"], MOSAIC);
    assert_eq!(with("a mosaic is published")["trace_id"], MOSAIC);
}

#[test]
fn a_collector_that_is_not_there_harms_nobody() {
    let (_world, request) = world();
    let run = command(&mut run_command(&request, &["--otlp", "http://127.0.0.1:1"]));
    let report = run.complete();
    assert!(report["seconds"].as_f64().unwrap() < Duration::from_secs(60).as_secs_f64());
    // An empty variable is none: nothing is sent anywhere, and nothing said of it.
    let mut off = run_command(&request, &[]);
    off.env("OTEL_EXPORTER_OTLP_ENDPOINT", "").env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "");
    let off = command(&mut off);
    let _ = off.complete();
    assert!(!off.stderr.to_lowercase().contains("otlp"), "{}", off.stderr);
    let none = tests::clearmosaic(&["run", &request.to_string_lossy(), "--otlp", "no URL at all"]);
    let (code, told) = tests::code_and_stderr(&none);
    assert!(code == Some(2) && told.starts_with("spans over OTLP: ") && told.lines().count() == 1, "{code:?}: {told}");
}
