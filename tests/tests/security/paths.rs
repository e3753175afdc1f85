//! What requests may name: nothing leads out of what the operator allows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use proto::wire::job_service_client::JobServiceClient;
use proto::wire::submit_job_request::Piece;
use proto::wire::{SubmitHeader, SubmitJobRequest};
use serde_json::{Value, json};
use tests::{Coordinator, Process, World, assert_same, clearmosaic, command, rasters, run_command};
use tonic::Code;
use tonic::transport::Endpoint;

/// An archive whose directory is allowed, and another one that is not.
struct Scene {
    world: World,
    outside: tempfile::TempDir,
    coordinator: Coordinator,
}

impl Scene {
    fn new() -> Self {
        let (world, outside) = (World::new("few"), tempfile::tempdir().unwrap());
        let store = outside.path().join("store");
        let allowed = world.path("").to_string_lossy().into_owned();
        let coordinator = Coordinator::with("127.0.0.1:0", &store, &["--allow", &allowed]);
        Self { world, outside, coordinator }
    }

    fn worker(&self, args: &[&str]) -> Process {
        self.coordinator.worker(args)
    }

    fn path(&self, name: &str) -> String {
        self.world.path(name).to_string_lossy().into_owned()
    }

    fn elsewhere(&self, name: &str) -> PathBuf {
        self.outside.path().join(name)
    }

    /// The request with every path absolute, and these fields in place of its own.
    fn request(&self, fields: &Value) -> String {
        let mut request = self.world.request(&json!({
            "output": self.path("out"),
            "scenes": {"items": self.path("items.json")},
            "scores": {"template": self.path("scores/{system_index}.tif")},
        }));
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        request.to_string()
    }

    /// Submits as a client would that does not check anything itself.
    fn submit(&self, request_json: String) -> Result<String, (Code, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let endpoint = Endpoint::from_shared(self.coordinator.url.clone()).unwrap();
            let mut jobs = JobServiceClient::new(endpoint.connect().await.unwrap());
            let header = SubmitJobRequest { piece: Some(Piece::Header(SubmitHeader { request_json, priority: 0 })) };
            let answer = jobs.submit_job(tokio_stream::once(header)).await;
            answer.map(|taken| taken.into_inner().job_id).map_err(|e| (e.code(), e.message().to_owned()))
        })
    }

    /// The first raster of the catalogue's first scene.
    fn raster(&self) -> PathBuf {
        let item = &self.world.items()[0];
        let href = item["assets"].as_object().unwrap().values().find_map(|asset| asset["href"].as_str()).unwrap();
        self.world.path(href)
    }
}

#[test]
fn fields_do_not_climb_out() {
    let scene = Scene::new();
    let inside = scene.path("");
    symlink(scene.outside.path(), scene.world.path("way")).unwrap();
    symlink(scene.elsewhere("new"), scene.world.path("dangling")).unwrap();
    fs::create_dir_all(scene.world.path("made/.versions")).unwrap();
    symlink(scene.outside.path(), scene.world.path("made/.versions/few")).unwrap();
    fs::copy(scene.path("items.json"), scene.elsewhere("items.json")).unwrap();
    fs::write(scene.elsewhere("area.geojson"), "the first line of a secret").unwrap();
    let out = scene.outside.path().to_string_lossy().into_owned();
    let name = scene.world.request(&json!({}))["name"].clone();
    symlink(scene.outside.path(), scene.world.path("made/.versions").join(name.as_str().unwrap())).ok();
    let cases = [
        (json!({"output": out}), "`output`"),
        (
            json!({"output": format!("{inside}/../{}", scene.outside.path().file_name().unwrap().to_string_lossy())}),
            "`output`",
        ),
        (json!({"output": scene.path("way")}), "`output`"),
        (json!({"output": scene.path("way/deeper")}), "`output`"),
        (json!({"output": scene.path("dangling")}), "`output`"),
        (json!({"output": scene.path("made")}), "`output`"),
        (json!({"output": "out"}), "`output`"),
        (json!({"output": "/vsimem/out"}), "`output`"),
        (json!({"output": "s3://bucket/out"}), "`output`"),
        (json!({"name": "../../out"}), "`name`"),
        (json!({"aoi": "/etc/passwd"}), "`aoi`"),
        (json!({"aoi": format!("{out}/area.geojson")}), "`aoi`"),
        (json!({"aoi": scene.path("way/area.geojson")}), "`aoi`"),
        (json!({"scenes": {"items": format!("{out}/items.json")}}), "`scenes.items`"),
        (json!({"scenes": {"items": scene.path("way/items.json")}}), "`scenes.items`"),
        (json!({"scenes": {"items": "/vsicurl/http://127.0.0.1/items.json"}}), "`scenes.items`"),
        (json!({"scenes": {"items": "http://169.254.169.254/latest"}}), "`scenes.items`"),
        (json!({"scores": {"template": format!("{out}/{{system_index}}.tif")}}), "`scores.template`"),
        (json!({"scores": {"template": scene.path("scores/../../{system_index}.tif")}}), "`scores.template`"),
        (json!({"scores": {"template": scene.path("way/{system_index}.tif")}}), "`scores.template`"),
        (json!({"scores": {"items": format!("{out}/items.json")}}), "`scores.items`"),
    ];
    let before = fs::read_dir(scene.outside.path()).unwrap().count();
    for (fields, field) in cases {
        let Err((code, told)) = scene.submit(scene.request(&fields)) else { panic!("{fields}: it is taken") };
        assert_eq!((code, told.lines().count()), (Code::InvalidArgument, 1), "{fields}: {told}");
        assert!(told.starts_with(field), "{fields}: {told}");
        assert!(!told.contains("secret"), "{fields}: {told}");
    }
    assert_eq!(fs::read_dir(scene.outside.path()).unwrap().count(), before, "nothing was written outside");
    scene.submit(scene.request(&json!({}))).unwrap();
}

#[test]
fn hrefs_do_not_climb_out() {
    let scene = Scene::new();
    fs::copy(scene.raster(), scene.elsewhere("raster.tif")).unwrap();
    symlink(scene.elsewhere("raster.tif"), scene.world.path("link.tif")).unwrap();
    let hrefs = [
        "/etc/passwd",
        "../../../../../../../../etc/passwd",
        "link.tif",
        "/vsicurl/http://127.0.0.1/a.tif",
        "http://169.254.169.254/latest/meta-data?sig=hunter2",
        "file:///etc/passwd",
        "s3://bucket/a.tif",
    ];
    for href in hrefs {
        let mut items = scene.world.items();
        items[0]["assets"].as_object_mut().unwrap().values_mut().for_each(|asset| asset["href"] = href.into());
        scene.world.write_items("bad.json", &items);
        let request = scene.request(&json!({"scenes": {"items": scene.path("bad.json")}}));
        let Err((code, told)) = scene.submit(request) else { panic!("{href}: it is taken") };
        assert_eq!((code, told.lines().count()), (Code::InvalidArgument, 1), "{href}: {told}");
        assert!(told.starts_with("scene ") && !told.contains("hunter2"), "{href}: {told}");
    }
}

/// What was good when the plan was made may lead elsewhere when it is read.
#[test]
fn workers_look_again() {
    let scene = Scene::new();
    let raster = scene.raster();
    let job = scene.submit(scene.request(&json!({}))).unwrap();
    fs::rename(&raster, scene.elsewhere("raster.tif")).unwrap();
    symlink(scene.elsewhere("raster.tif"), &raster).unwrap();
    let _worker = scene.worker(&[]);
    let ended = scene.coordinator.ask(&["watch", &job, "--json"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let report = ended.report();
    let failed = report["failed"].as_array().unwrap();
    assert!(failed.iter().all(|task| task["reason"].as_str().unwrap().contains("--allow")), "{failed:?}");
}

#[test]
fn a_worker_has_bounds_of_its_own() {
    let scene = Scene::new();
    let job = scene.submit(scene.request(&json!({}))).unwrap();
    let scores = scene.path("scores");
    let _worker = scene.worker(&["--allow", &scores]);
    let ended = scene.coordinator.ask(&["watch", &job, "--json"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.report()["failed"][0]["reason"].as_str().unwrap().contains("--allow"), "{}", ended.stdout);
}

/// A description of another raster is as good as a link to it, for who may read both, and for nobody else.
#[test]
fn a_vrt_does_not_reach_out() {
    let scene = Scene::new();
    let _ = scene.world.run("whole", &json!({}), &[]).complete();
    let raster = scene.raster();
    let hidden = scene.elsewhere("hidden.tif");
    fs::rename(&raster, &hidden).unwrap();
    let vrt =
        std::process::Command::new("gdal_translate").args(["-q", "-of", "VRT"]).arg(&hidden).arg(&raster).status();
    assert!(vrt.unwrap().success());
    let _ = scene.world.run("reached", &json!({}), &[]).complete();
    let mosaics = ["reached", "whole"].map(|name| rasters(&scene.world.mosaic(name)));
    assert_same("who may read both", &mosaics[0], &mosaics[1]);
    let job = scene.submit(scene.request(&json!({}))).unwrap();
    let _worker = scene.worker(&[]);
    let ended = scene.coordinator.ask(&["watch", &job, "--json"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(!ended.report()["failed"].as_array().unwrap().is_empty());
}

#[test]
fn other_machines_are_not_let_in_without_bounds() {
    let store = tempfile::tempdir().unwrap();
    let store = store.path().to_string_lossy().into_owned();
    let alone = ["coordinator", "--listen", "0.0.0.0:0", "--store", &store, "--insecure"];
    let refused = clearmosaic(&alone);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.contains("--allow"), "{told}");
    for (prefix, word) in
        [("data", "absolute"), ("https://h/../x", "climbs"), ("/vsis3/b", "/vsi"), ("ftp://h/", "URL")]
    {
        for command in [&["coordinator", "--store", &store][..], &["worker"]] {
            let refused = clearmosaic(&[command, &["--allow", prefix]].concat());
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!((refused.status.code(), told.lines().count()), (Some(2), 1), "{told}");
            assert!(told.starts_with(&format!("--allow {prefix}")) && told.contains(word), "{told}");
        }
    }
    let open = Coordinator::with("0.0.0.0:0", std::path::Path::new(&store), &["--insecure", "--allow", "/nowhere"]);
    assert!(open.url.starts_with("http://0.0.0.0:"));
}

/// A URL's signature is none of anyone's business: not of who reads what is kept, published or logged.
#[test]
fn signatures_are_kept_nowhere() {
    let world = World::new("few");
    let mut items = world.items();
    let signed = "http://127.0.0.1:1/b.tif?sv=2021-01-01&se=2030&sig=hunter2&X-Amz-Signature=hunter2";
    for item in &mut items {
        item["assets"].as_object_mut().unwrap().values_mut().for_each(|asset| asset["href"] = signed.into());
        item["links"] = json!([{"rel": "self", "href": "https://user:hunter2@api/item?token=hunter2"}]);
    }
    world.write_items("signed.json", &items);
    let fields = json!({"scenes": {"items": "signed.json"}, "output": "out"});
    let request = world.write("signed.request.json", &fields);
    let store = world.path("store");
    let coordinator = Coordinator::start(&store);
    // Nobody answers there: that is soon enough.
    let patience = ("CLEARMOSAIC_ARCHIVE_PATIENCE", "1");
    let mut worker = coordinator.asking(&["worker", "-vv"]);
    let _worker = Process::spawn(worker.env(patience.0, patience.1).stderr(Stdio::null())).unwrap();
    let submitted = coordinator.ask(&["-vv", "submit", &request.to_string_lossy(), "--watch", "--json"]);
    assert_eq!(submitted.code, Some(3), "{}", submitted.stderr);
    let mut said = format!("{}{}{}", submitted.stdout, submitted.stderr, coordinator.ask(&["status", "--json"]).stdout);
    let alone = world.write("alone.request.json", &json!({"scenes": {"items": "signed.json"}, "output": "alone"}));
    let alone = command(run_command(&alone, &["-vv"]).env(patience.0, patience.1));
    assert_eq!(alone.code, Some(3), "{}", alone.stderr);
    said += &format!("{}{}", alone.stdout, alone.stderr);
    assert!(said.contains("http://127.0.0.1:1/b.tif") && !said.contains("hunter2"), "{said}");
    for kept in [&store, &world.path("out"), &world.path("alone")] {
        let found = std::process::Command::new("grep").args(["-rl", "hunter2"]).arg(kept).output().unwrap();
        assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    }
}
