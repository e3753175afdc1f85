//! Artifacts and mosaics in object stores: the bits are those of a directory, what is done is kept, what is damaged is made
//! again, and what cannot be used is told in one line. Most is asked of a real S3 server, what differs of the others too.
#![allow(missing_docs, clippy::unwrap_used)]

mod bucket;
mod clouds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    BUCKET, Coordinator, Link, Mode, Run, S3, SmallDisk, World, artifacts, assert_same, clearmosaic, command, rasters,
    run_command,
};

/// The server of all tests, for as long as one of them runs; none where there is none.
fn server() -> Option<Arc<S3>> {
    static SHARED: Mutex<Weak<S3>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let started = Arc::new(S3::start()?);
    *shared = Arc::downgrade(&started);
    Some(started)
}

/// A world, and a part of the bucket for it.
struct Cloud {
    world: World,
    s3: Arc<S3>,
    part: &'static str,
}

impl Cloud {
    /// An archive with a monthly mosaic in the directory `whole`; none where there is no server.
    fn new(part: &'static str) -> Option<Self> {
        Some(Self::with(server()?, part))
    }

    fn with(s3: Arc<S3>, part: &'static str) -> Self {
        let world = World::new("year");
        let _ = world.run("whole", &json!({"slice": "P1M"}), &[]).complete();
        Self { world, s3, part }
    }

    fn url(&self, name: &str) -> String {
        format!("s3://{BUCKET}/{}/{name}", self.part)
    }

    /// The keys below a name in this part of the bucket.
    fn keys(&self, name: &str) -> Vec<String> {
        self.s3.keys(&format!("{}/{name}", self.part))
    }

    /// The request of that mosaic, published in the bucket.
    fn request(&self, fields: &Value) -> PathBuf {
        let mut all = json!({"slice": "P1M", "output": self.url("out")});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.world.write("remote.json", &all)
    }

    /// Runs it, over the bucket unless `args` say otherwise.
    fn run(&self, fields: &Value, args: &[&str]) -> Run {
        let mut run = run_command(&self.request(fields), args);
        command(run.envs(self.s3.environment()))
    }

    fn name(&self) -> String {
        self.world.request(&json!({}))["name"].as_str().unwrap().to_owned()
    }

    /// The version that the mosaic's name means.
    fn latest(&self) -> u64 {
        let latest: Value =
            serde_json::from_slice(&self.s3.get(&format!("{}/out/{}/latest.json", self.part, self.name()))).unwrap();
        let version = latest["version"].as_u64().unwrap();
        assert_eq!(latest["path"], format!("{version}/"));
        version
    }

    /// A version of the mosaic, brought here.
    fn version(&self, version: u64) -> PathBuf {
        let here = self.world.path(&format!("version-{version}"));
        self.s3.download(&format!("{}/out/{}/{version}/", self.part, self.name()), &here);
        here
    }

    fn same_as_whole(&self, what: &str) {
        let found = rasters(&self.version(self.latest()));
        assert_same(what, &found, &rasters(&self.world.mosaic("whole")));
    }

    /// Spoils the byte in the middle of an object; its size stays.
    fn flip(&self, key: &str) {
        let mut bytes = self.s3.get(key);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        let file = self.world.path("flipped");
        fs::write(&file, bytes).unwrap();
        self.s3.put(key, &file);
    }

    fn remove_all(&self, name: &str) {
        self.s3.remove(&self.keys(name));
    }
}

fn tasks(report: &Value) -> [u64; 3] {
    ["done", "reused", "failed"].map(|name| report["tasks"][name].as_u64().unwrap())
}

/// Every file below a directory, with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

#[test]
fn a_mosaic_in_a_bucket_is_the_one_in_a_directory() {
    let Some(cloud) = Cloud::new("same") else { return };
    let scratch = cloud.world.path("scratch");
    let scratch_option = ["--scratch", &*scratch.to_string_lossy()];
    let first = cloud.run(&json!({}), &scratch_option).complete();
    let [total, reused, failed] = tasks(&first);
    assert_eq!((reused, failed, cloud.latest()), (0, 0, 1));
    let (whole, version) = (cloud.world.mosaic("whole"), cloud.version(1));
    assert_same("in a bucket", &rasters(&version), &rasters(&whole));
    for name in ["mosaic.vrt", "quicklook.png"] {
        assert_eq!(fs::read(version.join(name)).unwrap(), fs::read(whole.join(name)).unwrap(), "{name}");
    }
    let published: Value = serde_json::from_slice(&fs::read(version.join("report.json")).unwrap()).unwrap();
    assert_eq!(published, first);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "nothing is left of what was in the making");

    let second = cloud.run(&json!({}), &[]).complete();
    assert_eq!((tasks(&second), &second["bytes_read"]), ([0, total, 0], &json!(0)));
    assert_eq!((cloud.latest(), &second["since"]["version"]), (1, &json!(1)), "nothing has changed");
    cloud.same_as_whole("second run");
    let changed = files(&cloud.version(1)) != files(&version);
    assert!(!changed, "a version never changes");

    opened_by_gdal(&cloud);
    let everything = cloud.world.path("everything");
    cloud.s3.download(cloud.part, &everything);
    let secret = cloud.s3.secret().as_bytes();
    let holds_secret = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!files(&everything).values().any(holds_secret), "a secret is stored");
}

#[test]
fn versions_in_a_bucket_are_listed_gone_back_to_and_verified() {
    let Some(cloud) = Cloud::new("versions") else { return };
    for threshold in [0.6, 0.8] {
        let _ = cloud.run(&json!({"scores": {"template": "scores/{system_index}.tif", "threshold": threshold}}), &[]);
    }
    let request = cloud.request(&json!({})).to_string_lossy().into_owned();
    let asked = |args: &[&str]| {
        let mut command = Command::new(tests::binary());
        tests::command(command.args(args).envs(cloud.s3.environment()))
    };
    let told = asked(&["versions", &request, "--json"]);
    let latest = |line: &str| serde_json::from_str::<Value>(line).unwrap()["latest"] == true;
    assert_eq!(told.stdout.lines().map(latest).collect::<Vec<_>>(), [false, true], "{}", told.stderr);
    let at = format!("{}/{}/1\n", cloud.url("out"), cloud.name());
    assert_eq!(asked(&["rollback", &cloud.name(), "1", "--output", &cloud.url("out")]).stdout, at);
    let key = |name: &str| format!("{}/out/{}/{name}", cloud.part, cloud.name());
    let latest: Value = serde_json::from_slice(&cloud.s3.get(&key("latest.json"))).unwrap();
    assert_eq!(latest, json!({"version": 1, "path": "1/", "newest": 2}));
    cloud.same_as_whole("gone back to");
    let verified = asked(&["verify", &request, "--all"]);
    assert_eq!((verified.code, verified.stdout.lines().count()), (Some(0), 2), "{}", verified.stdout);
    let raster = cloud.keys(&format!("out/{}/2/tiles/", cloud.name())).pop().unwrap();
    cloud.flip(&raster);
    let verified = asked(&["verify", &request, "--version", "2"]);
    let expected = format!("s3://{BUCKET}/{raster}: it fails its checksum\n");
    assert_eq!((verified.code, verified.stdout), (Some(3), expected));
    cloud.s3.remove(&[key("2/report.json")]);
    let gone = asked(&["rollback", &request, "2"]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (Some(2), 1), "{}", gone.stderr);
    assert!(gone.stderr.contains("there is no version 2 (any more): there is 1"), "{}", gone.stderr);
}

/// The virtual raster's paths are relative: GDAL reads it where it lies as it reads the one in a directory.
fn opened_by_gdal(cloud: &Cloud) {
    let checksums = |path: &str| {
        let mut gdalinfo = Command::new("gdalinfo");
        gdalinfo.args(["-checksum", "-nomd", path]).envs(cloud.s3.environment());
        let output = gdalinfo.output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| line.contains("Checksum=")).map(str::to_owned).collect::<Vec<_>>()
    };
    let local = checksums(&cloud.world.mosaic("whole").join("mosaic.vrt").to_string_lossy());
    assert_eq!(local.len(), 3);
    assert_eq!(
        checksums(&format!("/vsis3/{BUCKET}/{}/out/{}/{}/mosaic.vrt", cloud.part, cloud.name(), cloud.latest())),
        local
    );
}

#[test]
fn what_is_damaged_in_a_bucket_is_made_again() {
    let Some(cloud) = Cloud::new("damaged") else { return };
    let args = ["--store", &*cloud.url("store")];
    let _ = cloud.run(&json!({}), &args).complete();
    let keys = |kind: &str| cloud.keys(&format!("store/{kind}/"));
    for what in ["flipped", "gone", "empty"] {
        let damage = |key: &str| match what {
            "flipped" => cloud.flip(key),
            "gone" => cloud.s3.remove(&[key.to_owned()]),
            _ => cloud.s3.put(key, Path::new("/dev/null")),
        };
        // Two partials, and what was made of them.
        keys("partial").iter().take(2).for_each(|key| damage(key));
        let downstream = keys("composite").len() as u64 + 3;
        ["core", "composite", "mosaic", "quicklook"]
            .iter()
            .for_each(|kind| cloud.remove_all(&format!("store/{kind}/")));
        let report = cloud.run(&json!({}), &args).complete();
        assert_eq!(tasks(&report)[0], 2 + downstream, "{what} partials: {report}");
        cloud.same_as_whole(what);

        // A raster of one tile, and the list of another.
        let rasters_and_lists = keys("mosaic");
        damage(rasters_and_lists.iter().find(|key| key.ends_with("B08.tif")).unwrap());
        damage(rasters_and_lists.iter().rfind(|key| key.ends_with("contents.json")).unwrap());
        let report = cloud.run(&json!({}), &args).complete();
        assert_eq!(tasks(&report)[0], 2, "{what} raster and list: {report}");
        cloud.same_as_whole(what);
    }
}

/// From a bucket to a directory, from a directory to a bucket, and from one bucket's prefix to another's.
#[test]
fn the_store_and_the_output_may_be_of_different_kinds() {
    let Some(cloud) = Cloud::new("kinds") else { return };
    let remote = cloud.url("store");
    let here = cloud.world.path("here");
    let _ = cloud.run(&json!({"output": here.to_string_lossy()}), &["--store", &remote]).complete();
    let whole = rasters(&cloud.world.mosaic("whole"));
    assert_same("published in a directory", &rasters(&here.join(cloud.name())), &whole);
    let whole_store = cloud.world.path("whole/.store");
    let report = cloud.run(&json!({}), &["--store", &whole_store.to_string_lossy()]).complete();
    assert_eq!((tasks(&report)[0], cloud.latest()), (0, 1));
    cloud.same_as_whole("published from a directory");
}

#[test]
fn a_cluster_over_a_bucket_loses_a_worker() {
    let Some(cloud) = Cloud::new("cluster") else { return };
    let profiles = cloud.world.path("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("tests"), cloud.s3.profile()).unwrap();
    let options = ["--profiles", &*profiles.to_string_lossy()];
    let store = format!("{}?profile=tests", cloud.url("store"));
    let coordinator = Coordinator::with("127.0.0.1:0", Path::new(&store), &options);
    let worker = || coordinator.worker(&[&options[..], &["--slots", "1"]].concat());
    let (mut doomed, _other) = (worker(), worker());
    let request = cloud.request(&json!({"profile": "tests"}));
    let mut watching = coordinator.asking(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    let mut watching = watching.stdout(Stdio::null()).spawn().unwrap();
    while cloud.keys("store/partial/").len() < 3 {
        sleep(Duration::from_millis(5));
    }
    doomed.kill();
    let _heir = worker();
    assert!(watching.wait().unwrap().success());
    cloud.same_as_whole("a worker was killed");
    let status = coordinator.ask(&["status", "--json"]);
    let told: Value = serde_json::from_str(status.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(told["published"], format!("{}/{}/1", cloud.url("out"), cloud.name()));
    assert!(!status.stdout.contains(cloud.s3.secret()));
}

/// The disk has room for the files of one task, and not for those of four, which run into its end without a budget.
#[test]
fn tasks_wait_for_room_for_their_files() {
    let Some(cloud) = Cloud::new("room") else { return };
    let Some(disk) = SmallDisk::mount(&cloud.world.path("disk"), 24) else { return };
    let ended = cloud.run(&json!({}), &["--workers", "4", "--scratch", &disk.path().to_string_lossy()]);
    assert_eq!(tasks(&ended.complete())[2], 0);
    assert!(!ended.stderr.contains("no space left"), "{}", ended.stderr);
    cloud.same_as_whole("little room");
}

/// The output cannot be reached until all tasks are done and what they made has been spoilt. Nobody reads these rasters
/// any more but who publishes them.
#[test]
fn what_is_spoilt_or_gone_before_it_is_published_is_made_again() {
    let Some(cloud) = Cloud::new("late") else { return };
    let link = Link::to(format!("127.0.0.1:{}", cloud.s3.port()));
    let [profiles, store] = ["profiles", "late-store"].map(|name| cloud.world.path(name));
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("tests"), cloud.s3.profile_at(&link.url())).unwrap();
    let coordinator = Coordinator::with("127.0.0.1:0", &store, &["--profiles", &*profiles.to_string_lossy()]);
    let request = cloud.request(&json!({"profile": "tests"}));
    assert_eq!(coordinator.ask(&["submit", &request.to_string_lossy()]).code, Some(0));
    link.set(Mode::Refusing);
    let _workers = [coordinator.worker(&["--slots", "1"]), coordinator.worker(&["--slots", "1"])];
    let told = || -> Value {
        let status = coordinator.ask(&["status", "--json"]).stdout;
        serde_json::from_str(status.lines().next().unwrap()).unwrap()
    };
    let wait_for = |state: &str| {
        loop {
            let told = told();
            if told["state"] == state {
                return;
            }
            assert!(["running", "publishing"].contains(&told["state"].as_str().unwrap()), "{told}");
            sleep(Duration::from_millis(50));
        }
    };
    wait_for("publishing");
    let tiles: Vec<PathBuf> = artifacts(&store, &["mosaic"]).into_keys().collect();
    assert_eq!(tiles.len(), 2);
    let (raster, mut bytes) = (tiles[0].join("count.tif"), fs::read(tiles[0].join("count.tif")).unwrap());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(&raster, bytes).unwrap();
    fs::remove_dir_all(&tiles[1]).unwrap();
    link.set(Mode::Open);
    wait_for("complete");
    cloud.same_as_whole("what was spoilt");
    let picture = |mosaic: PathBuf| fs::read(mosaic.join("quicklook.png")).unwrap();
    assert!(picture(cloud.version(cloud.latest())) == picture(cloud.world.mosaic("whole")), "the picture");
}

/// Calls are given up while it stands still, so that tasks are handed back, and publication is tried again.
#[test]
fn a_store_that_stands_still_slows_down_and_fails_nothing() {
    let Some(s3) = S3::start().map(Arc::new) else { return };
    let cloud = Cloud::with(s3, "still");
    let [_, total, _] = tasks(&cloud.world.run("whole", &json!({"slice": "P1M"}), &[]).complete());
    let mut run = run_command(&cloud.request(&json!({})), &["--workers", "2"]);
    run.envs(cloud.s3.environment()).env("AWS_TIMEOUT", "1s").env("CLEARMOSAIC_STORE_PATIENCE", "2");
    let mut running = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // In the middle of the partials, and when all is made but the rasters, or the picture, or the version.
    for made in [3, total as usize - 3] {
        while cloud.keys("out/.store/").len() < made && running.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(5));
        }
        cloud.s3.stand_still();
        sleep(Duration::from_secs(4));
        cloud.s3.go_on();
    }
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success(), "{:?}", ended.status);
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((tasks(&report)[2], &report["state"]), (0, &json!("complete")));
    cloud.same_as_whole("it stood still");
}

fn refused(ended: &Run, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{:?} lacks one of {words:?}", ended.stderr);
}

#[test]
fn what_cannot_be_used_is_told_in_one_line() {
    let Some(s3) = server() else { return };
    let world = World::new("few");
    let remote = format!("s3://{BUCKET}/store");
    let run = |fields: &Value, store: &str, environment: &[(&str, String)]| {
        let request = world.write("request.json", fields);
        let mut run = run_command(&request, &["--store", store]);
        command(run.envs(s3.environment()).envs(environment.iter().cloned()))
    };
    let elsewhere = json!({"output": "out"});
    let wrong = [("AWS_SECRET_ACCESS_KEY", "not-the-secret".to_owned())];
    refused(&run(&elsewhere, &remote, &wrong), &["--store", &remote, "credentials"]);
    let published = json!({"output": format!("s3://{BUCKET}/out")});
    refused(&run(&published, &remote, &wrong), &["`output`", "credentials"]);
    refused(&run(&elsewhere, "s3://no-such-bucket/store", &[]), &["--store", "no-such-bucket", "NoSuchBucket"]);
    refused(&run(&json!({"output": "s3://no-such-bucket/out"}), &remote, &[]), &["`output`", "NoSuchBucket"]);
    let nobody = [("AWS_ENDPOINT", "http://127.0.0.1:9".to_owned())];
    refused(&run(&elsewhere, &remote, &nobody), &["--store", &remote, "does not answer"]);
    let bad = format!("{remote}?secret=s3cret");
    let told = run(&elsewhere, &bad, &[]);
    refused(&told, &["--store", "write it as s3://bucket/prefix"]);
    assert!(!told.stderr.contains("s3cret"), "{}", told.stderr);
    refused(&run(&elsewhere, &format!("{remote}?profile=none"), &[]), &["profile `none`", "--profiles"]);
    refused(&run(&json!({"output": "ftp://host/out"}), &remote, &[]), &["`output`", "ftp", "s3://"]);
    refused(&run(&json!({"output": "s3://bucket/out?sig=s3cret"}), &remote, &[]), &["`output`", "profile"]);
    refused(&run(&json!({"output": "out", "profile": "x"}), &remote, &[]), &["`profile`", "directory"]);
    let served = clearmosaic(&["coordinator", "--listen", "127.0.0.1:0", "--store", "s3://a/b?profile=none"]);
    assert_eq!(served.status.code(), Some(2), "{}", String::from_utf8_lossy(&served.stderr));
}
