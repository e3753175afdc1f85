//! Rasters read over the network: the same bits as from files, no more bytes and requests than it takes, and what is
//! wrong told in a line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{Archive, BUCKET, Faults, Run, S3, World, assert_same, command, rasters, run_command, slovenia};

/// What is read of a file first.
const HEAD: &str = "bytes=0-16383";

/// A made-up archive on disk, and the same behind HTTP.
struct Served {
    world: World,
    archive: Archive,
}

impl Served {
    fn new(name: &str) -> Self {
        let world = World::new(name);
        let archive = Archive::of(&world.path(""));
        Self { world, archive }
    }

    /// `run` of a request whose catalogue and scores are below a path of the archive, with other fields.
    fn run_below(&self, below: &str, output: &str, fields: &Value, args: &[&str]) -> Run {
        let mut all = json!({
            "scenes": {"items": self.archive.url(&format!("{below}/items.json"))},
            "scores": {"template": self.archive.url(&format!("{below}/scores/{{system_index}}.tif"))},
            "output": output,
        });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let request = self.world.write(&format!("{output}.request.json"), &all);
        let mut run = run_command(&request, args);
        command(run.env("CLEARMOSAIC_ARCHIVE_TIMEOUT", "0.5").env("CLEARMOSAIC_ARCHIVE_PATIENCE", "60"))
    }

    fn run(&self, output: &str) -> Run {
        self.run_below("", output, &json!({}), &[])
    }

    /// The same mosaic as that of the files on disk; the report of that one.
    fn same_as_local(&self, output: &str) -> Value {
        let local = self.world.run("local", &json!({}), &[]).complete();
        assert_same(output, &rasters(&self.world.mosaic(output)), &rasters(&self.world.mosaic("local")));
        local
    }

    /// Items whose rasters are where `to` says.
    fn write_items(&self, name: &str, to: impl Fn(&str) -> String) {
        let mut items = self.world.items();
        for asset in items.iter_mut().flat_map(|item| item["assets"].as_object_mut().unwrap().values_mut()) {
            asset["href"] = to(asset["href"].as_str().unwrap()).into();
        }
        self.world.write_items(name, &items);
    }
}

/// A run that ends before it begins, with one line that holds these words.
fn refused(ended: &Run, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{:?} lacks one of {words:?}", ended.stderr);
}

/// Bytes that the archive sent of rasters, and of these those of first reads.
fn sent(archive: &Archive) -> (u64, u64) {
    let asked = archive.asked();
    let rasters = || asked.iter().filter(|asked| asked.path.ends_with(".tif"));
    let heads = rasters().filter(|asked| asked.range.as_deref() == Some(HEAD));
    (rasters().map(|asked| asked.bytes).sum(), heads.map(|asked| asked.bytes).sum())
}

#[test]
fn a_fifth_of_all_requests_may_fail() {
    let served = Served::new("year");
    let report = served.run("plain").complete();
    let (plain, (bytes, heads)) = (served.archive.seen(), sent(&served.archive));
    let local = served.same_as_local("plain");
    // The blocks that files are read for; only masked scores are GDAL's to read.
    let blocks = local["bytes_read"].as_u64().unwrap();
    assert_eq!(report["bytes_read"], local["bytes_read"]);
    assert!(bytes <= (blocks + heads) * 12 / 10, "{bytes} of {blocks} and {heads}");
    assert_eq!((plain.faults, &report["network"]["retries"]), (0, &json!(0)));
    assert_eq!(local["network"], json!({"requests": 0, "bytes": 0, "retries": 0}));

    served.archive.set(Faults::of_every_kind(1, 0.2));
    let report = served.run("faulty").complete();
    let faulty = served.archive.seen();
    let _ = served.same_as_local("faulty");
    assert!(faulty.faults * 10 >= faulty.requests, "{faulty:?}");
    assert!(faulty.requests * 2 <= plain.requests * 3, "{faulty:?} where {plain:?}");
    assert!(report["network"]["retries"].as_u64() > Some(0), "{report}");
}

/// Real scenes, half of them cloudy: what holds no clear pixel is not asked for.
#[test]
fn only_what_is_clear_is_asked_for() {
    let Some(data) = slovenia() else { return };
    let archive = Archive::of(&data);
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, below: &str| {
        let request = json!({
            "version": 1, "name": name, "aoi": {"tiles": ["33TWL", "33TWM"]},
            "period": {"start": "2023-08-01", "end": "2023-09-01"}, "bands": ["B04", "B08"],
            "scenes": {"items": format!("{below}/items.json")},
            "scores": {"template": format!("{below}/scores/{{system_index}}.tif"), "threshold": 0.8},
            "grid": {"crs": "native", "resolution": 120}, "output": dir.path(),
        });
        let path = dir.path().join(format!("{name}.json"));
        fs::write(&path, request.to_string()).unwrap();
        command(&mut run_command(&path, &[])).complete()
    };
    let (local, afar) = (run("local", &data.to_string_lossy()), run("afar", archive.url("").as_str()));
    assert_same("afar", &rasters(&dir.path().join("afar")), &rasters(&dir.path().join("local")));
    let (bytes, heads) = sent(&archive);
    let blocks = local["bytes_read"].as_u64().unwrap();
    assert!(bytes <= (blocks + heads) * 12 / 10, "{bytes} of {blocks} and {heads}");
    let largest = archive.asked().iter().filter(|a| a.path.ends_with(".tif") && a.range.is_none()).count();
    assert_eq!((largest, &afar["bytes_read"]), (0, &local["bytes_read"]));
}

#[test]
fn redirects_are_followed_and_tokens_are_sent_to_whom_they_are_for() {
    let served = Served::new("few");
    let _ = served.run_below("/moved", "moved", &json!({}), &[]).complete();
    let _ = served.same_as_local("moved");

    let profiles = served.world.path("profiles");
    fs::create_dir(&profiles).unwrap();
    let token = served.world.path("token");
    fs::write(&token, format!("{}\n", Archive::TOKEN)).unwrap();
    let host = served.archive.url("").trim_start_matches("http://").to_owned();
    let profile = |name: &str, hosts: &str, file: &Path| {
        fs::write(profiles.join(name), format!("bearer_file: {}\nhosts: {hosts}\n", file.display())).unwrap();
    };
    profile("mine", &host, &token);
    profile("elsewhere", "data.example", &token);
    profile("lost", &host, Path::new("/nowhere/token"));
    served.write_items("closed.json", |href| served.archive.url(&format!("/closed/{href}")));
    let run = |profile: Option<&str>| {
        let name = profile.unwrap_or("none");
        let mut fields = json!({
            "scenes": {"items": "closed.json"},
            "scores": {"template": served.archive.url("/closed/scores/{system_index}.tif")},
        });
        if let Some(profile) = profile {
            fields["profiles"] = json!({"scenes": profile, "scores": profile});
        }
        served.run_below("", &format!("closed-{name}"), &fields, &["--profiles", &profiles.to_string_lossy()])
    };
    let _ = run(Some("mine")).complete();
    let _ = served.same_as_local("closed-mine");
    for (profile, words) in [
        (None, ["scores.template", "403"]),
        (Some("elsewhere"), ["scores.template", "403"]),
        (Some("lost"), ["scores.template", "token"]),
        (Some("other"), ["profile `other`", "scores.template"]),
    ] {
        let ended = run(profile);
        refused(&ended, &words);
        assert!(!ended.stderr.contains(Archive::TOKEN), "{}", ended.stderr);
    }
}

#[test]
fn jpeg_2000_is_read_over_the_network_as_from_files() {
    let served = Served::new("few");
    for asset in served.world.items().iter().flat_map(|item| item["assets"].as_object().unwrap().values()) {
        let tiff = served.world.path(asset["href"].as_str().unwrap());
        let mut translate = Command::new("gdal_translate");
        translate.args(["-q", "-of", "JP2OpenJPEG", "-co", "QUALITY=100", "-co", "REVERSIBLE=YES"]);
        let translated = translate.arg(&tiff).arg(tiff.with_extension("jp2")).output().unwrap();
        assert!(translated.status.success(), "{}", String::from_utf8_lossy(&translated.stderr));
        fs::remove_file(tiff).unwrap();
    }
    served.write_items("items.json", |href| href.replace(".tif", ".jp2"));
    served.archive.set(Faults::of_every_kind(3, 0.2));
    let report = served.run("jp2").complete();
    let _ = served.same_as_local("jp2");
    assert!(served.archive.asked().iter().any(|asked| asked.path.ends_with(".jp2")));
    assert!(report["network"]["requests"].as_u64() > Some(0), "{report}");
}

#[test]
fn what_changes_while_it_is_read_is_told() {
    let served = Served::new("few");
    served.write_items("changing.json", |href| served.archive.url(&format!("/changing/{href}")));
    let ended = served.run_below("", "changing", &json!({"scenes": {"items": "changing.json"}}), &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let failed = &ended.report()["failed"][0];
    assert!(failed["reason"].as_str().unwrap().contains("has changed"), "{failed}");
    assert!(failed["scene"].as_str().is_some_and(|scene| scene.ends_with("_T33TWL")), "{failed}");
}

#[test]
fn what_cannot_be_had_is_told_before_anything_is_done() {
    let served = Served::new("few");
    let nobody = json!({"scores": {"template": "http://127.0.0.1:9/scores/{system_index}.tif"}});
    refused(
        &served.run_below("", "nobody", &nobody, &[]),
        &["`scores.template`: http://127.0.0.1:9/", "not reachable"],
    );
    let none = json!({"scores": {"template": served.archive.url("/none/{system_index}.tif")}});
    refused(&served.run_below("", "none", &none, &[]), &["3 without a score"]);
}

/// Scenes and scores in S3, opened by a profile, the scores found by listing.
#[test]
fn scenes_and_scores_lie_in_s3() {
    let Some(s3) = S3::start() else { return };
    let served = Served::new("few");
    let mut files: Vec<PathBuf> = vec![];
    for dir in fs::read_dir(served.world.path("scenes")).unwrap().map(|entry| entry.unwrap().path()) {
        files.extend(fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.extend(fs::read_dir(served.world.path("scores")).unwrap().map(|entry| entry.unwrap().path()));
    for file in files {
        s3.put(&format!("archive/{}", file.strip_prefix(served.world.path("")).unwrap().display()), &file);
    }
    served.write_items("s3.json", |href| format!("s3://{BUCKET}/archive/{href}"));
    let profiles = served.world.path("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("mine"), s3.profile()).unwrap();
    fs::write(profiles.join("wrong"), s3.profile().replace(s3.secret(), "another")).unwrap();
    let run = |profile: &str| {
        let fields = json!({
            "scenes": {"items": "s3.json"},
            "scores": {"template": format!("s3://{BUCKET}/archive/scores/{{system_index}}.tif")},
            "profiles": {"scenes": profile, "scores": profile},
        });
        served.run_below("", &format!("s3-{profile}"), &fields, &["--profiles", &profiles.to_string_lossy()])
    };
    let report = run("mine").complete();
    let _ = served.same_as_local("s3-mine");
    assert!(report["network"]["requests"].as_u64() > Some(0), "{report}");
    refused(&run("wrong"), &["`scores.template`", "credentials"]);
}
