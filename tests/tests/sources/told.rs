//! What cannot be had of Earth Engine, of a STAC API and of a web server: told in one line, before anything is done.

use std::fs;

use serde_json::{Value, json};
use tests::earth_engine::{EarthEngine, made};
use tests::{Archive, Run, StacApi, World, command, run_command};

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// A way to go wrong.
struct Wrong {
    what: &'static str,
    /// Fields of the request.
    fields: Value,
    /// What the environment says besides.
    environment: Vec<(&'static str, String)>,
    /// What the line says, one of these.
    words: &'static [&'static str],
}

fn wrong(what: &'static str, fields: Value, words: &'static [&'static str]) -> Wrong {
    Wrong { what, fields, environment: Vec::new(), words }
}

impl Wrong {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    fn told(&self, ended: &Run) {
        let Run { code, stdout, stderr } = ended;
        assert_eq!((*code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{}: {stderr}", self.what);
        assert!(self.words.iter().all(|words| stderr.contains(words)), "{}: {stderr}", self.what);
    }
}

#[test]
fn what_cannot_be_had_of_earth_engine_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let server = EarthEngine::of(made::yosemite());
    let scores = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED";
    let nobody = format!("{NOBODY}/v1/");
    let key = dir.path().join("key.json");
    fs::write(&key, r#"{"type": "service_account"}"#).unwrap();
    let scenes = |name: &str| json!({"scenes": {"earth_engine": name}});
    let lines = [
        wrong("unreachable", json!({}), &["`scenes.earth_engine`", "cannot be had at http://127.0.0.1:1"])
            .with("EEDA_URL", &nobody),
        wrong("a wrong token", json!({}), &["`scenes.earth_engine`", "let these credentials in (401)"])
            .with("EEDA_BEARER", "hunter2"),
        wrong("a key that is none", json!({}), &["`scenes.earth_engine`", "key.json"])
            .with("EEDA_BEARER", "")
            .with("GOOGLE_APPLICATION_CREDENTIALS", &key.to_string_lossy()),
        wrong("an unknown profile", json!({"profiles": {"scenes": "mine"}}), &["profile `mine`", "--profiles"]),
        wrong("no such collection", scenes("COPERNICUS/S3"), &["`scenes.earth_engine`", "knows no", "COPERNICUS/S3"]),
        wrong(
            "no such scores",
            json!({"scores": {"earth_engine": "GOOGLE/CLOUD_SCORE"}}),
            &["`scores.earth_engine`", "knows no", "GOOGLE/CLOUD_SCORE"],
        ),
        wrong(
            "nothing in the period",
            json!({"period": {"start": "2022-01-01", "end": "2022-02-01"}}),
            &["no scene of the catalogue", "`period`"],
        ),
        wrong("no such band", json!({"bands": ["B04", "B12"]}), &["`bands`", "has B12: it has B02, B03, B04"]),
        wrong(
            "scores without the band",
            json!({"scores": {"earth_engine": "COPERNICUS/S2_SR"}}),
            &["`scores.earth_engine`", "none of the 7 items has an asset `cs_cdf`: the first has B2, B3, B4"],
        ),
    ];
    for (number, line) in lines.iter().enumerate() {
        let mut request = json!({
            "version": 1, "name": "yosemite", "aoi": {"point": [-119.9087, 37.4159], "radius": 500},
            "period": {"start": "2023-01-01", "end": "2023-02-01"}, "bands": ["B04"],
            "scenes": {"earth_engine": "COPERNICUS/S2_SR_HARMONIZED"}, "scores": {"earth_engine": scores},
            "output": format!("out-{number}"),
        });
        request.as_object_mut().unwrap().extend(line.fields.as_object().unwrap().clone());
        let path = dir.path().join("request.json");
        fs::write(&path, request.to_string()).unwrap();
        let mut run = run_command(&path, &[]);
        run.envs(server.environment()).envs(line.environment.iter().cloned());
        let ended = command(&mut run);
        line.told(&ended);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let pixels = server.archive().asked().iter().filter(|asked| asked.path.contains("getPixels")).count();
    assert_eq!(pixels, 0, "no worker has begun");
}

#[test]
fn what_cannot_be_had_of_servers_is_one_line() {
    let world = World::new("few");
    let archive = Archive::of_api(StacApi::of("s2", world.items()), &world.path(""));
    let stac = |url: &str, collection: &str| json!({"scenes": {"stac": {"url": url, "collection": collection}}});
    let items = |url: &str| json!({"scenes": {"items": url}});
    let template = |url: &str| json!({"scores": {"template": format!("{url}/{{system_index}}.tif")}});
    let at = |path: &str| archive.url(path);
    let with = |mut fields: Value, more: Value| {
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let api = stac(&at("/stac"), "s2");
    let file = items(&at("/items.json"));
    let elsewhen = json!({"period": {"start": "2001-01-01", "end": "2001-02-01"}});
    let unreachable: &[&str] = &["http://127.0.0.1:1/", "not reachable", "(3 tries)"];
    let empty: &[&str] = &["no scene of the catalogue", "`period`"];
    let band: &[&str] = &["`bands`", "no scene of the catalogue has B12"];
    let lines = [
        wrong("an API that is unreachable", stac(&format!("{NOBODY}/stac"), "s2"), unreachable),
        wrong("a file that is unreachable", items(&format!("{NOBODY}/items.json")), unreachable),
        wrong("scores that are unreachable", template(NOBODY), unreachable),
        wrong("an API that does not let in", stac(&at("/closed/stac"), "s2"), &["`scenes.stac`", "403"]),
        wrong("a file that is not for all", items(&at("/closed/items.json")), &["`scenes.items`", "403"]),
        wrong("scores that are not for all", template(&at("/closed/scores")), &["`scores.template`", "403"]),
        wrong("no such collection", stac(&at("/stac"), "s3"), &["`scenes.stac`", "no collection `s3`"]),
        wrong("no such file", items(&at("/none.json")), &["`scenes.items`", "404"]),
        wrong("an API with nothing of it", with(api.clone(), elsewhen.clone()), empty),
        wrong("a file with nothing of it", with(file.clone(), elsewhen), empty),
        wrong("scores of none of it", template(&at("/none")), &["without a score"]),
        wrong("an API without the band", with(api, json!({"bands": ["B12"]})), band),
        wrong("a file without the band", with(file, json!({"bands": ["B12"]})), band),
    ];
    for (number, line) in lines.iter().enumerate() {
        let fields = with(line.fields.clone(), json!({"output": format!("out-{number}")}));
        let request = world.write("told.json", &fields);
        line.told(&command(&mut run_command(&request, &[])));
        assert!(!world.path(&format!("out-{number}")).join("few").exists(), "{}", line.what);
    }
    let rasters = archive.asked().iter().filter(|asked| asked.path.contains("/scenes/")).count();
    assert_eq!(rasters, 0, "no worker has begun");
}
