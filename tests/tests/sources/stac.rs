//! Scenes and scores of STAC APIs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    Archive, Faults, Paging, Run, Sas, StacApi, World, assert_same, binary, command, json, rasters, root, run_command,
};

/// Patience that suits a test; what is waited for is never the result.
const SETTINGS: [(&str, &str); 2] = [("CLEARMOSAIC_ARCHIVE_PATIENCE", "60"), ("CLEARMOSAIC_ARCHIVE_TIMEOUT", "1")];

fn link(request: &Path, settings: &[(&str, String)]) -> Run {
    let mut link = std::process::Command::new(binary());
    link.arg("link").arg(request).arg("--json").env_remove("RUST_LOG").envs(SETTINGS).envs(settings.iter().cloned());
    command(&mut link)
}

fn linked(request: &Path, settings: &[(&str, String)]) -> Vec<Value> {
    let ended = link(request, settings);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The real items of an archive, as they were found there; none, said loudly, where they are not there.
fn real(archive: &str) -> Option<Vec<Value>> {
    let dir = root().join("../shared/data/system-index/items").join(archive);
    if !dir.is_dir() {
        eprintln!("SKIPPED: {} is not there", dir.display());
        return None;
    }
    Some(fs::read_dir(dir).unwrap().map(|entry| json(&entry.unwrap().path())).collect())
}

/// A request for all that these lines of `link` or items name.
fn request(dir: &Path, name: &str, tiles: &BTreeSet<String>, scenes: &Value) -> std::path::PathBuf {
    let path = dir.join(format!("{name}.json"));
    let request = json!({
        "version": 1, "name": name, "aoi": {"tiles": tiles}, "period": {"start": "2015-01-01", "end": "2030-01-01"},
        "bands": ["B04"], "scenes": scenes, "scores": {"template": "scores/{system_index}.tif"}, "output": "out",
    });
    fs::write(&path, request.to_string()).unwrap();
    path
}

#[test]
fn real_items_link_as_from_disk() {
    let presets = [
        ("E84v1_sentinel-2-l2a", "sentinel-2-l2a", Some(("earth-search", "CLEARMOSAIC_EARTH_SEARCH_URL"))),
        ("E84v1_sentinel-2-c1-l2a", "sentinel-2-c1-l2a", None),
        ("E84v0_sentinel-s2-l2a-cogs", "sentinel-s2-l2a-cogs", None),
        ("PC_sentinel-2-l2a", "sentinel-2-l2a", Some(("planetary-computer", "CLEARMOSAIC_PLANETARY_COMPUTER_URL"))),
        ("CDSE_sentinel-2-l2a", "sentinel-2-l2a", Some(("cdse", "CLEARMOSAIC_CDSE_URL"))),
    ];
    for (archive, collection, preset) in presets {
        let Some(items) = real(archive) else { return };
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scores")).unwrap();
        let catalogue = json!({"type": "FeatureCollection", "features": items});
        fs::write(dir.path().join("items.json"), catalogue.to_string()).unwrap();
        // The tiles as their names tell, `_T36NYH_` or `_36NYH_`.
        let is_tile = |part: &&str| {
            part.len() == 5
                && part[..2].bytes().all(|b| b.is_ascii_digit())
                && part[2..].bytes().all(|b| b.is_ascii_uppercase())
        };
        let tile = |item: &Value| {
            let id = item["id"].as_str().unwrap().to_owned();
            id.split('_').map(|part| part.trim_start_matches('T')).find(is_tile).unwrap().to_owned()
        };
        let tiles: BTreeSet<String> = items.iter().map(tile).collect();
        let from_disk = request(dir.path(), "disk", &tiles, &json!({"items": "items.json"}));
        // Every second scene has a score.
        for line in linked(&from_disk, &[]).iter().step_by(2) {
            if let Some(index) = line["system_index"].as_str() {
                fs::write(dir.path().join(format!("scores/{index}.tif")), "").unwrap();
            }
        }
        let expected = linked(&from_disk, &[]);
        assert_eq!(expected.len(), items.len(), "{archive}");
        for (paging, extensions, posts, counts) in [
            (Paging::Token, true, true, true),
            (Paging::Link, false, true, false),
            (Paging::Body, true, true, true),
            (Paging::Link, true, false, true),
        ] {
            let api = StacApi { paging, extensions, posts, counts, page: 1, ..StacApi::of(collection, items.clone()) };
            let archive = Archive::of_api(api, dir.path());
            let (scenes, settings) = match preset {
                Some((preset, setting)) => (json!({"preset": preset}), vec![(setting, archive.url("/stac"))]),
                None => (json!({"stac": {"url": archive.url("/stac"), "collection": collection}}), vec![]),
            };
            let path = request(dir.path(), "api", &tiles, &scenes);
            assert_eq!(linked(&path, &settings), expected, "{collection} {paging:?} {extensions} {posts} {counts}");
        }
    }
}

/// Settings by which an archive is the Planetary Computer.
fn as_planetary_computer(archive: &Archive) -> Vec<(&'static str, String)> {
    vec![
        ("CLEARMOSAIC_PLANETARY_COMPUTER_URL", archive.url("/stac")),
        ("CLEARMOSAIC_PLANETARY_COMPUTER_RASTERS", archive.url("/blobs/")),
        ("CLEARMOSAIC_PLANETARY_COMPUTER_TOKEN", archive.url("/sas/token")),
    ]
}

#[test]
fn tokens_are_asked_for_renewed_and_never_kept() {
    let world = World::new("few");
    let expected = linked(&world.write("disk.request.json", &json!({"output": "out"})), &[]);
    // A catalogue of one file for each item: a request each.
    fs::create_dir(world.path("scenes/items")).unwrap();
    let mut links = Vec::new();
    for (n, mut item) in world.items().into_iter().enumerate() {
        for asset in item["assets"].as_object_mut().unwrap().values_mut() {
            asset["href"] = json!(format!("../../{}", asset["href"].as_str().unwrap()));
        }
        fs::write(world.path(&format!("scenes/items/{n}.json")), item.to_string()).unwrap();
        links.push(json!({"rel": "item", "href": format!("scenes/items/{n}.json")}));
    }
    let catalogue = json!({"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": links});
    fs::write(world.path("catalog.json"), catalogue.to_string()).unwrap();
    let day = 86_400;
    for (skew, stillborn) in [(0, (0, 0.0)), (-day, (0, 0.0)), (day, (0, 0.0)), (0, (3, 0.4))] {
        let sas = Sas { lasts: Duration::from_secs(2400), skew, stillborn };
        let archive = Archive::with_tokens(StacApi::of("sentinel-2-l2a", Vec::new()), sas, &world.path(""));
        let fields = json!({"output": "out", "scenes": {"items": archive.url("/blobs/catalog.json")}});
        let found = link(&world.write("pc.request.json", &fields), &as_planetary_computer(&archive));
        assert_eq!(found.code, Some(0), "{skew} {stillborn:?}: {}", found.stderr);
        let lines = found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        assert_eq!(lines, expected, "{skew} {stillborn:?}");
        assert!(!found.stdout.contains("sig="), "{}", found.stdout);
        let tokens = archive.asked().iter().filter(|asked| asked.path == "/sas/token").count();
        assert!(tokens == 1 || stillborn.1 > 0.0, "{tokens} tokens, {skew} s ahead");
    }
    let sas = Sas { lasts: Duration::from_secs(2400), skew: 0, stillborn: (0, 1.1) };
    let archive = Archive::with_tokens(StacApi::of("sentinel-2-l2a", Vec::new()), sas, &world.path(""));
    let fields = json!({"output": "out", "scenes": {"items": archive.url("/blobs/catalog.json")}});
    let refused = link(&world.write("pc.request.json", &fields), &as_planetary_computer(&archive));
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{}", refused.stderr);
    assert!(refused.stderr.contains("also with a new token") && !refused.stderr.contains("sig="), "{}", refused.stderr);
}

/// A made-up archive behind an API: scenes and scores, their rasters below the URL of another server.
fn behind_an_api(world: &World, rasters: &str, unsteady: (u64, f64, f64), paging: Paging) -> Archive {
    let at = |path: &str| json!(format!("{rasters}{path}"));
    let mut items = world.items();
    let mut scores = Vec::new();
    for item in &mut items {
        for asset in item["assets"].as_object_mut().unwrap().values_mut() {
            asset["href"] = at(asset["href"].as_str().unwrap());
        }
    }
    for entry in fs::read_dir(world.path("scores")).unwrap() {
        let path = entry.unwrap().path();
        let index = path.file_stem().unwrap().to_str().unwrap();
        let [y, m, d, hour, min, s] = [0..4, 4..6, 6..8, 9..11, 11..13, 13..15].map(|part| &index[part]);
        scores.push(json!({
            "type": "Feature", "stac_version": "1.0.0", "id": index, "collection": "cloud-score-plus", "geometry": null,
            "links": [], "properties": {"datetime": format!("{y}-{m}-{d}T{hour}:{min}:{s}Z")},
            "assets": {"cs_cdf": {"href": at(&format!("scores/{index}.tif")), "type": "image/tiff", "roles": ["data"]}},
        }));
    }
    let api = StacApi::of("sentinel-2-l2a", items);
    let collections = vec![api.collections[0].clone(), ("cloud-score-plus".to_owned(), scores)];
    Archive::of_api(StacApi { collections, paging, page: 3, unsteady, ..api }, &world.path(""))
}

fn by_api(archive: &Archive) -> Value {
    let api = |collection: &str| json!({"url": archive.url("/stac/"), "collection": collection});
    json!({"scenes": {"stac": api("sentinel-2-l2a")}, "scores": {"stac": api("cloud-score-plus")}})
}

#[test]
fn a_mosaic_is_the_same_however_badly_its_archive_answers() {
    let world = World::new("year");
    let _ = world.run("local", &json!({}), &[]).complete();
    let expected = rasters(&world.mosaic("local"));
    let files = Archive::of(&world.path(""));
    let mut seen = Vec::new();
    for (n, (faults, unsteady, paging)) in [
        (Faults::none(), (0, 0.0, 0.0), Paging::Token),
        (Faults::of_every_kind(5, 0.2), (0, 0.0, 0.0), Paging::Token),
        (Faults::of_every_kind(6, 0.2), (6, 0.1, 0.1), Paging::Link),
    ]
    .into_iter()
    .enumerate()
    {
        let archive = behind_an_api(&world, &files.url("/"), unsteady, paging);
        archive.set(faults.clone());
        files.set(faults);
        let output = format!("api{n}");
        let mut fields = by_api(&archive);
        fields["output"] = json!(output);
        let path = world.write(&format!("{output}.request.json"), &fields);
        let _ = command(run_command(&path, &[]).envs(SETTINGS)).complete();
        assert_same(&output, &rasters(&world.mosaic(&output)), &expected);
        let both = [archive.seen(), files.seen()];
        both.iter().for_each(|seen| assert_eq!(seen.faults > 0, n > 0, "{seen:?}"));
        seen.push(both);
    }
    for server in [0, 1] {
        let [without, with] = [0, 1].map(|n: usize| seen[n][server].requests);
        assert!(with * 2 <= without * 3, "{with} requests, {without} without faults: half as many again at most");
    }
}

/// The Planetary Computer from its catalogue to the mosaic, its rasters behind tokens that are refused after a while, or at
/// once.
#[test]
fn the_planetary_computer_makes_the_same_mosaic_however_badly_it_answers() {
    let world = World::new("year");
    let _ = world.run("local", &json!({}), &[]).complete();
    let run = |output: &str, sas: Sas, faults: &Faults| {
        let blobs = Archive::with_tokens(StacApi::of("none", Vec::new()), sas, &world.path(""));
        let api = behind_an_api(&world, &blobs.url("/blobs/"), (0, 0.0, 0.0), Paging::Link);
        [&blobs, &api].iter().for_each(|server| server.set(faults.clone()));
        let fields = json!({"output": output, "scenes": {"preset": "planetary-computer"}});
        let path = world.write(&format!("{output}.request.json"), &fields);
        let mut settings = as_planetary_computer(&blobs);
        settings[0].1 = api.url("/stac");
        let ended = command(run_command(&path, &[]).envs(SETTINGS).envs(settings));
        let report = ended.complete();
        assert!(![&ended.stdout, &ended.stderr].iter().any(|told| told.contains("sig=")), "{report}");
        assert_same(output, &rasters(&world.mosaic(output)), &rasters(&world.mosaic("local")));
        blobs
    };
    let steady = Sas { lasts: Duration::from_secs(2400), skew: 0, stillborn: (0, 0.0) };
    let without = run("steady", steady, &Faults::none()).seen();
    assert!(without.requests > 50 && without.faults == 0, "{without:?}");
    let expiring = Sas { lasts: Duration::from_secs(2), skew: 5, stillborn: (4, 0.2) };
    let blobs = run("expiring", expiring, &Faults::of_every_kind(8, 0.2));
    let tokens = blobs.asked().iter().filter(|asked| asked.path == "/sas/token").count();
    let with = blobs.seen();
    assert!(with.faults > 0 && tokens > 1, "{with:?}, {tokens} tokens");
    assert!(
        with.requests * 2 <= without.requests * 3,
        "{with:?}, {without:?} without faults: half as many again at most"
    );
}

#[test]
fn what_is_wrong_with_an_archive_is_told_in_one_line_before_anything_begins() {
    let world = World::new("few");
    let files = Archive::of(&world.path(""));
    let archive = behind_an_api(&world, &files.url("/"), (0, 0.0, 0.0), Paging::Token);
    let always_loses = behind_an_api(&world, &files.url("/"), (1, 0.0, 1.0), Paging::Token);
    let api = |archive: &Archive, path: &str, collection: &str| json!({"scenes": {"stac": {"url": archive.url(path), "collection": collection}}});
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = json!({"scenes": {"stac": {"url": format!("http://{nobody}/stac"), "collection": "sentinel-2-l2a"}}});
    let mut elsewhere = api(&archive, "/stac", "sentinel-2-l2a");
    elsewhere["period"] = json!({"start": "2016-01-01", "end": "2016-02-01"});
    let mut bandless = api(&archive, "/stac", "sentinel-2-l2a");
    bandless["bands"] = json!(["B11"]);
    let mut no_scores = by_api(&archive);
    no_scores["scores"]["stac"]["collection"] = json!("cloud-score");
    for (fields, words) in [
        (nobody, &["scenes.stac", "not reachable"][..]),
        (api(&archive, "/stac", "sentinel-2"), &["scenes.stac", "no collection `sentinel-2`", "/stac/collections"]),
        (api(&archive, "/nothing", "sentinel-2-l2a"), &["scenes.stac", "404"]),
        (api(&archive, "/items.json?", "sentinel-2-l2a"), &["scenes.stac", "/items.json"]),
        (elsewhere, &["no scene of the catalogue lies in the area and the period"]),
        (bandless, &["`bands`", "B11"]),
        (no_scores, &["scores.stac", "no collection `cloud-score`"]),
        (api(&always_loses, "/stac", "sentinel-2-l2a"), &["scenes.stac", "items match"]),
        (json!({"scenes": {"items": archive.url("/none.json")}}), &["scenes.items", "none.json", "404"]),
    ] {
        let mut fields = fields.clone();
        fields["output"] = json!("out");
        let path = world.write("out.request.json", &fields);
        let patience = [("CLEARMOSAIC_ARCHIVE_PATIENCE", "4"), ("CLEARMOSAIC_ARCHIVE_TIMEOUT", "1")];
        let ended = command(run_command(&path, &[]).envs(patience));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{fields}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{fields}: {}", ended.stderr);
        assert!(words.iter().all(|word| ended.stderr.contains(word)), "{words:?}: {}", ended.stderr);
        assert!(!world.mosaic("out").exists(), "{fields}");
    }
}

#[test]
fn a_catalogue_on_a_web_server_is_a_catalogue() {
    let world = World::new("few");
    let expected = linked(&world.write("disk.request.json", &json!({"output": "out"})), &[]);
    // Of three levels, one item a file; the rasters are named relative to the items.
    let mut links = Vec::new();
    for (n, mut item) in world.items().into_iter().enumerate() {
        for asset in item["assets"].as_object_mut().unwrap().values_mut() {
            asset["href"] = json!(format!("../{}", asset["href"].as_str().unwrap()));
        }
        fs::create_dir_all(world.path("static")).unwrap();
        fs::write(world.path(&format!("static/{n}.json")), item.to_string()).unwrap();
        links.push(json!({"rel": "item", "href": format!("./{n}.json")}));
    }
    let catalogue =
        |links: Value| json!({"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": links}).to_string();
    fs::write(world.path("static/child.json"), catalogue(json!(links))).unwrap();
    let child = json!([{"rel": "child", "href": "static/child.json"}, {"rel": "child", "href": "/catalog.json"}]);
    fs::write(world.path("catalog.json"), catalogue(child)).unwrap();
    let archive = Archive::of(&world.path(""));
    archive.set(Faults::of_every_kind(7, 0.2));
    for at in ["/items.json", "/catalog.json", "/moved/catalog.json"] {
        let fields = json!({"output": "out", "scenes": {"items": archive.url(at)}});
        let found = linked(&world.write("web.request.json", &fields), &[]);
        assert_eq!(found, expected, "{at}");
    }
    assert!(archive.seen().faults > 0);
    // What a web server calls a file of this machine is none.
    let evil = json!([{"rel": "item", "href": "file:///etc/passwd"}]);
    fs::write(world.path("evil.json"), catalogue(evil)).unwrap();
    let fields = json!({"output": "out", "scenes": {"items": archive.url("/evil.json")}});
    let ended = link(&world.write("evil.request.json", &fields), &[]);
    assert!(ended.code == Some(2) && ended.stderr.contains(&archive.url("/etc/passwd")), "{}", ended.stderr);
}
