//! Catalogues and scores on disk.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use coordinator::catalogue::{self, Archives, CatalogueError, Wanted};
use mosaic::band::Band;
use mosaic::href::Base;
use mosaic::ids::SystemIndex;
use mosaic::link::{LinkOptions, ScoreSource as _, ScoreTable, link};
use mosaic::request::{SceneSource, ScoreBand, ScoreSource};
use mosaic::scene::Scene;
use proto::allow::Allow;
use serde_json::{Value, json};
use tempfile::TempDir;

const SLOVENIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/slovenia-120m");
const KEY: &str = "20230815T095031_20230815T095630_T33TWL";

fn read_catalogue(path: &Path) -> Result<Vec<Scene>, CatalogueError> {
    scenes_behind(path, Allow::everything())
}

fn scenes_behind(path: &Path, allow: Allow) -> Result<Vec<Scene>, CatalogueError> {
    let source = SceneSource::Items(path.to_str().unwrap().to_owned());
    catalogue::scenes(&source, &wanted(), &Archives::behind(allow))
}

fn scores_of(source: &ScoreSource, scenes: &[Scene]) -> Result<ScoreTable, CatalogueError> {
    catalogue::scores(source, ScoreBand::CsCdf, &wanted(), scenes, &Archives::behind(Allow::everything()))
}

fn scores_from_items(path: &Path) -> Result<ScoreTable, CatalogueError> {
    scores_of(&ScoreSource::Items(path.to_str().unwrap().to_owned()), &[])
}

fn scores_from_template(template: &str, scenes: &[Scene]) -> Result<ScoreTable, CatalogueError> {
    scores_of(&ScoreSource::Template(template.to_owned()), scenes)
}

fn wanted() -> Wanted {
    let [start, end] = ["2023-08-01T00:00:00Z", "2023-09-01T00:00:00Z"].map(|time| time.parse().unwrap());
    Wanted { tiles: vec!["33TWL".parse().unwrap()], start, end, bands: Vec::new() }
}

fn item(id: &str, day: u8) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id,
        "properties": {
            "platform": "sentinel-2a", "grid:code": "MGRS-33TWL", "s2:processing_baseline": "03.01",
            "s2:datatake_id": format!("GS2A_202308{day:02}T095031_042547_N05.09"),
            "s2:datastrip_id": format!("S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S202308{day:02}T095630_N05.09"),
        },
        "assets": {"B04": {"href": "./B04.tif", "type": "image/tiff"}}, "links": [],
    })
}

fn write(directory: &TempDir, name: &str, value: &Value) -> PathBuf {
    write_text(directory, name, &value.to_string())
}

fn write_text(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn faults(path: &Path) -> Vec<String> {
    let error = read_catalogue(path).unwrap_err();
    let lines: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    assert_eq!(error.to_string(), lines.join("\n"));
    assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
    lines
}

#[test]
fn the_shared_scenes_link_but_one() {
    let directory = Path::new(SLOVENIA);
    if !directory.exists() {
        eprintln!("SKIPPED: {SLOVENIA} is not there");
        return;
    }
    let items = directory.join("items.json");
    let scenes = read_catalogue(&items).unwrap();
    let template = Base::of_file(items.to_str().unwrap()).resolve("scores/{system_index}.tif");
    let scores = scores_from_template(&template, &scenes).unwrap();
    let options =
        LinkOptions { bands: vec![Band::B04, Band::B03, Band::B02, Band::B08], max_no_context_fraction: None };
    let linkage = link(scenes, &scores, &options);
    assert_eq!((linkage.found(), linkage.scenes.len(), linkage.unlinked.len()), (10, 9, 1));
    assert_eq!(linkage.unlinked[0].name(), "20230813T095559_20230813T100712_T33TWM");
    assert_eq!((linkage.superseded.len(), linkage.unusable.len()), (0, 0));
    for linked in &linkage.scenes {
        assert!(linked.exact && linked.scene.offset == 0, "{}", linked.scene.id);
        assert!(Path::new(&linked.score.href).is_file(), "{}", linked.score.href);
        let red = &linked.scene.bands[&Band::B04];
        assert!(Path::new(&red.href).is_file() && (red.resolution - 120.0).abs() < 1e-9, "{red:?}");
    }
    for entry in std::fs::read_dir(directory.join("items")).unwrap() {
        assert_eq!(read_catalogue(&entry.unwrap().path()).unwrap().len(), 1);
    }
}

#[test]
fn a_static_catalogue_is_followed_each_file_once() {
    let dir = TempDir::new().unwrap();
    let link = |rel: &str, href: &str| json!({"rel": rel, "href": href});
    let root = json!({"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": [
        link("root", "./catalog.json"), link("self", "https://h/catalog.json"), link("child", "./a/collection.json"),
        link("child", "./catalog.json"), link("item", "a/one.json"), link("child", "list.json"),
    ]});
    // Before STAC 1.0 catalogues had no type.
    let collection = json!({"stac_version": "0.9.0", "id": "a", "links": [
        link("parent", "../catalog.json"), link("item", "./one.json"), link("item", "two.json"),
        link("child", "../catalog.json"),
    ]});
    let list = json!({"type": "FeatureCollection", "features": [item("three", 3)], "links": [
        link("next", "https://h/page=2"), link("next", "./more.json"), link("self", "https://h/search")]});
    let path = write(&dir, "catalog.json", &root);
    write(&dir, "a/collection.json", &collection);
    write(&dir, "a/one.json", &item("one", 1));
    write(&dir, "a/two.json", &item("two", 2));
    write(&dir, "list.json", &list);
    write(&dir, "more.json", &json!({"type": "FeatureCollection", "features": [item("four", 4)]}));
    let scenes = read_catalogue(&path).unwrap();
    let ids: Vec<&str> = scenes.iter().map(|scene| scene.id.as_str()).collect();
    assert_eq!(ids, ["one", "two", "three", "four"]);
    let beside = dir.path().join("a/B04.tif");
    assert_eq!(scenes[0].bands[&Band::B04].href, beside.to_str().unwrap());
}

#[test]
fn an_empty_catalogue_is_none_the_worse() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "items.json", &json!({"type": "FeatureCollection", "features": []}));
    assert!(read_catalogue(&path).unwrap().is_empty());
}

#[test]
fn faults_are_one_line_each_and_come_all_at_once() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("none.json");
    assert_eq!(faults(&missing), [format!("{}: there is no such file", missing.display())]);

    let path = write_text(&dir, "cut.json", "{\"type\":\n \"Feature\"");
    assert!(faults(&path)[0].contains("cut.json: not JSON: ") && faults(&path)[0].contains("line 2"));

    let path = write(&dir, "other.json", &json!({"type": "Topology"}));
    assert!(faults(&path)[0].contains("other.json: not STAC: ") && faults(&path)[0].ends_with("found `Topology`"));
    assert!(faults(&write(&dir, "list.json", &json!([1])))[0].ends_with("found none"));
    assert!(faults(&write(&dir, "fc.json", &json!({"type": "FeatureCollection"})))[0].contains("without `features`"));
    assert!(faults(dir.path())[0].contains("directory"));

    let mut tileless = item("tileless", 1);
    tileless["properties"].as_object_mut().unwrap().remove("grid:code");
    let list = json!({"type": "FeatureCollection", "features": [tileless, item("good", 2), {"type": "Feature"}],
        "links": [{"rel": "item", "href": "gone.json"}, {"rel": "child", "href": "s3://h/catalog.json"}]});
    let found = faults(&write(&dir, "items.json", &list));
    assert!(found[0].contains("items.json: item tileless: no MGRS tile"), "{found:?}");
    assert!(found[1].contains("item (without id): not a STAC item"), "{found:?}");
    assert!(found[3].contains("s3://h/catalog.json: catalogues are read from files and by https"), "{found:?}");
    assert!(found[2].ends_with("gone.json: there is no such file"), "{found:?}");
}

fn score(id: &str, href: &str) -> Value {
    json!({"type": "Feature", "id": id, "properties": {"NO_CONTEXT_FRACTION": 0.25, "MODEL_VERSION": "v1", "x": 1},
    "assets": {
        "cs": {"href": "cs.tif", "type": "image/tiff", "roles": ["data"]},
        "cs_cdf": {"href": href, "type": "image/tiff", "roles": ["data"], "file:checksum": "1220ab"},
    }})
}

#[test]
fn scores_come_from_items() {
    let dir = TempDir::new().unwrap();
    let mut only = score("x", "");
    only["properties"]["system:index"] = json!("20230816T095031_20230816T095630_T33TWL");
    only["assets"] = json!({"data": {"href": "https://h/d.tif"}, "thumbnail": {"href": "t.png", "type": "image/png"}});
    let list = [score(&format!("GOOGLE/X/{KEY}"), "a.tif"), only, score(KEY, "a.tif")];
    let path = write(&dir, "scores.json", &json!({"type": "FeatureCollection", "features": list}));
    let table = scores_from_items(&path).unwrap();
    assert_eq!(table.len(), 2);
    let found = table.exact(&SystemIndex(KEY.into())).unwrap();
    assert_eq!(found.href, dir.path().join("a.tif").to_str().unwrap());
    assert_eq!((found.version.as_deref(), found.no_context_fraction()), (Some("1220ab"), Some(0.25)));
    assert_eq!(found.properties.keys().collect::<Vec<_>>(), ["MODEL_VERSION", "NO_CONTEXT_FRACTION"]);
    let day = table.candidates("33TWL".parse().unwrap(), "2023-08-16T09:50:31Z".parse().unwrap(), 0);
    assert_eq!(day[0].1.href, "https://h/d.tif");
}

#[test]
fn items_that_are_no_scores_say_so() {
    let dir = TempDir::new().unwrap();
    let mut bare = score("20230817T095031_20230817T095630_T33TWL", "");
    bare["assets"] = json!({"cs": {"href": "cs.tif"}});
    let list = [score("nokey", "a.tif"), bare, score(KEY, "a.tif"), score(KEY, "b.tif")];
    let path = write(&dir, "scores.json", &json!({"type": "FeatureCollection", "features": list}));
    let error = scores_from_items(&path).unwrap_err();
    let lines: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains("item nokey: no system:index"));
    assert!(lines[1].contains("no score raster: expected an asset `cs_cdf`"));
    assert!(lines[2].contains("has two scores") && lines[2].contains("b.tif"));
}

#[test]
fn scores_are_found_by_listing() {
    let dir = TempDir::new().unwrap();
    let items = json!({"type": "FeatureCollection", "features": [item("a", 15), item("b", 16)]});
    let scenes = read_catalogue(&write(&dir, "items.json", &items)).unwrap();
    let list = |template: &str| {
        let template = format!("{}/{template}", dir.path().display());
        scores_from_template(&template, &scenes)
    };
    let missing = list("s/{system_index}.tif").unwrap_err().to_string();
    assert_eq!(missing, format!("{}/s: there is no such directory", dir.path().display()));

    for name in [format!("s/{KEY}.tif"), format!("s/{KEY}.tif.aux.xml"), "s/README".into()] {
        write_text(&dir, &name, "");
    }
    write_text(&dir, "s/20230815T095031_20230815T095630_T33TWM.tif", "");
    write_text(&dir, &format!("s/33TWL/2023/08/{KEY}/cs.tif"), "");
    write_text(&dir, "s/33TWL/2023/08/20230816T095031_20230816T095630_T33TWL/other.tif", "");
    for template in ["s/{system_index}.tif", "s/{tile}/{year}/{month}/{system_index}/cs.tif"] {
        let table = list(template).unwrap();
        assert_eq!(table.len(), 1, "{template}");
        assert!(Path::new(&table.exact(&SystemIndex(KEY.into())).unwrap().href).is_file());
    }
    // No directory for the month: no score yet.
    assert!(list("s/{month}/{system_index}.tif").unwrap().is_empty());
}

#[test]
fn what_a_catalogue_links_to_is_bounded_and_what_is_signed_stays_here() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = outside.path().join("secret.json");
    std::fs::write(&secret, "no JSON, but a secret").unwrap();
    std::os::unix::fs::symlink(&secret, dir.path().join("link.json")).unwrap();
    let links = ["link.json", "../../../../etc/passwd", secret.to_str().unwrap()];
    let links: Vec<Value> = links.iter().map(|href| json!({"rel": "item", "href": href})).collect();
    let catalogue = write(&dir, "catalog.json", &json!({"type": "Catalog", "stac_version": "1.0.0", "links": links}));
    let allow = Allow::under(&[dir.path().to_string_lossy().into_owned()]).unwrap();
    let error = scenes_behind(&catalogue, allow).unwrap_err().to_string();
    assert_eq!(error.matches("--allow").count(), 3, "{error}");
    assert!(!error.contains("no JSON"), "{error}");

    let mut signed = item("signed", 15);
    for asset in signed["assets"].as_object_mut().unwrap().values_mut() {
        asset["href"] = "https://host/a.tif?sig=hunter2&x=1".into();
    }
    let items = write(&dir, "signed.json", &json!({"type": "FeatureCollection", "features": [signed]}));
    let gathered = catalogue::absolute_items(items.to_str().unwrap()).unwrap().to_string();
    assert!(!gathered.contains("hunter2") && gathered.contains("https://host/a.tif?x=1"), "{gathered}");
}
