//! What is published: files, report, versions; and what `plan` and `link` print of it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::{World, assert_same, clearmosaic, json as read_json, oracle, rasters};

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Publishes a world and has its files judged; where it is.
fn judged(world: &World, fields: &Value, bands: &str, dtype: &str) -> PathBuf {
    let _ = world.run("out", fields, &[]).complete();
    let mosaic = world.mosaic("out");
    let told = oracle("published.py", &[&mosaic.to_string_lossy(), bands, dtype]);
    assert!(told.contains("as they should be"), "{told}");
    mosaic
}

#[test]
fn native_tiles_of_one_zone() {
    let world = World::new("year");
    let mosaic = judged(&world, &json!({}), "B04,B08", "uint16");
    let expected = ["tiles", "items", "mosaic.vrt", "quicklook.png", "collection.json", "report.json", "snapshot"];
    assert_eq!(names(&mosaic), set(&expected));
    assert_eq!(names(&mosaic.join("tiles")), set(&["33TWL", "33TWM"]));
    assert_eq!(names(&mosaic.join("items")), set(&["33TWL.json", "33TWM.json"]));
}

#[test]
fn bands_in_the_order_of_the_request() {
    judged(&World::new("year"), &json!({"bands": ["B08", "B04"], "slice": "P1Y"}), "B08,B04", "uint16");
}

#[test]
fn one_band_of_exact_halves() {
    judged(&World::new("year"), &json!({"bands": ["B08"], "median": {"dtype": "float32"}}), "B08", "float32");
}

#[test]
fn products_of_every_band_each_in_a_file() {
    let fields = json!({"products": ["median", "mad", "count", "p25"], "slice": "P1M"});
    let world = World::new("year");
    let mosaic = judged(&world, &fields, "B04,B08,B04_mad,B08_mad,B04_p25,B08_p25", "uint16");
    let item = read_json(&mosaic.join("items/33TWL.json"));
    let assets = item["assets"].as_object().unwrap();
    let names = ["B04", "B04_mad", "B04_p25", "B08", "B08_mad", "B08_p25", "count"];
    assert!(assets.keys().map(String::as_str).eq(names), "{assets:?}");
    assert_eq!(assets["B08_mad"]["raster:bands"][0]["offset"], -0.0001);
    assert_eq!(assets["B08_p25"]["title"], "B08, 25th percentile");
    assert_eq!(item["properties"]["clearmosaic:products"], fields["products"]);
}

#[test]
fn the_picture_of_a_mosaic_without_medians_shows_what_comes_first() {
    let fields = json!({"products": ["count", "mean", "max"]});
    judged(&World::new("year"), &fields, "B04_mean,B08_mean,B04_max,B08_max", "uint16");
}

#[test]
fn native_tiles_of_two_zones_have_a_virtual_raster_each() {
    let world = World::new("zones");
    let mosaic = judged(&world, &json!({"grid": {"resolution": 10}}), "B04,B08", "uint16");
    assert!(names(&mosaic).is_superset(&set(&["mosaic-32632.vrt", "mosaic-32633.vrt"])), "{:?}", names(&mosaic));
}

#[test]
fn a_mosaic_larger_than_its_picture() {
    let grid = json!({"crs": "EPSG:3035", "resolution": 15, "tile_pixels": 1500});
    judged(&World::new("year"), &json!({"grid": grid}), "B04,B08", "uint16");
}

#[test]
fn every_file_that_stac_names_is_there() {
    let world = World::new("year");
    let mosaic = judged(&world, &json!({}), "B04,B08", "uint16");
    let mut documents = vec![mosaic.join("collection.json")];
    documents.extend(names(&mosaic.join("items")).iter().map(|name| mosaic.join("items").join(name)));
    for path in documents {
        let document = read_json(&path);
        assert!(document["stac_version"].as_str().unwrap().starts_with("1."), "{}", path.display());
        let links = document["links"].as_array().unwrap().iter();
        let links =
            links.filter(|link| ["item", "root", "parent", "collection"].contains(&link["rel"].as_str().unwrap()));
        let assets = document["assets"].as_object().unwrap().values();
        for named in links.chain(assets.clone()) {
            let file = path.parent().unwrap().join(named["href"].as_str().unwrap());
            assert!(file.is_file(), "{}: {named}", path.display());
        }
        for asset in assets {
            let file = path.parent().unwrap().join(asset["href"].as_str().unwrap());
            assert_eq!(asset["file:size"], fs::metadata(&file).unwrap().len(), "{}", file.display());
        }
    }
}

#[test]
fn the_report_adds_up() {
    let world = World::new("mixed");
    let report = world.run("out", &json!({}), &[]).complete();
    assert_eq!(report, read_json(&world.mosaic("out").join("report.json")));
    assert_eq!(report["mosaic"], "synthetic");
    let expected = json!({"found": 7, "linked": 3, "unlinked": 1, "superseded": 2, "unusable": 1});
    assert_eq!(report["scenes"], expected);
    let sum: u64 =
        ["linked", "unlinked", "superseded", "unusable"].iter().map(|n| expected[*n].as_u64().unwrap()).sum();
    assert_eq!(expected["found"], sum);
    assert_eq!(report["unlinked"], json!(["20230301T095031_20230301T095031_T33TWL"]));
    assert_eq!((&report["observations"]["min"], &report["observations"]["max"]), (&json!(0), &json!(3)));
    assert!(report["bytes_read"].as_u64() > Some(0) && report["seconds"].as_f64() > Some(0.0));
    assert_eq!((&report["failed"], &report["tasks"]["failed"]), (&json!([]), &json!(0)));
}

#[test]
fn plan_and_link_tell_programs_what_is_promised() {
    let world = World::new("mixed");
    let request = world.write("monthly.json", &json!({"slice": "P1M"})).to_string_lossy().into_owned();
    let plan: Value = serde_json::from_slice(&clearmosaic(&["plan", &request, "--json"]).stdout).unwrap();
    let fields = ["tiles", "slices", "scenes", "unlinked", "superseded", "tasks", "bytes_to_read", "bytes_to_store"];
    assert!(fields.iter().all(|field| plan.get(field).is_some()), "{plan}");
    let tile = json!({"tile": "33TWL", "epsg": 32633, "ulx": 499980.0, "uly": 5100000.0, "scenes": 3, "subtiles": 2});
    assert!(plan["tiles"].as_array().unwrap().contains(&tile), "{plan}");
    assert_eq!((&plan["scenes"], plan["slices"].as_array().unwrap().len()), (&json!(7), 12));
    assert_eq!(plan["superseded"].as_array().unwrap().len(), 2);
    assert!(!world.path("out").exists(), "plan writes nothing");
    let done = world.run("out", &json!({"slice": "P1M"}), &[]).complete();
    assert_eq!(plan["tasks"], done["tasks"]["done"], "a first run does what was planned");

    let link = clearmosaic(&["link", &request, "--json"]);
    let lines: Vec<Value> =
        String::from_utf8(link.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    for line in &lines {
        let fields = ["id", "tile", "system_index", "exact", "score", "offset", "slice", "superseded_by"];
        assert!(fields.iter().all(|field| line.get(field).is_some()), "{line}");
        assert_eq!((&line["tile"], &line["exact"], &line["offset"]), (&json!("33TWL"), &json!(true), &json!(-1000)));
        let stays = line["superseded_by"].as_str();
        assert!(stays.is_none_or(|id| ids.contains(id) && id.contains("20240101T000000")), "{line}");
        let scoreless = line["id"].as_str().unwrap().contains("_20230301T");
        assert!(scoreless == line["score"].is_null(), "{line}");
        assert!(scoreless || Path::new(line["score"].as_str().unwrap()).is_file(), "{line}");
    }
    assert_eq!(lines.iter().filter(|line| !line["superseded_by"].is_null()).count(), 2);
    for command in ["plan", "link"] {
        let table = String::from_utf8(clearmosaic(&[command, &request]).stdout).unwrap();
        assert!(table.contains("33TWL") && table.lines().count() > 3, "{table}");
    }
}

#[test]
fn a_new_version_leaves_the_old_one_to_its_readers() {
    let world = World::new("few");
    let first = world.run("out", &json!({}), &[]).complete();
    let (name, old) = (world.mosaic("out"), world.mosaic("out").canonicalize().unwrap());
    assert!(fs::symlink_metadata(&name).unwrap().is_symlink());
    assert_eq!(fs::read_link(&name).unwrap(), Path::new(".versions/synthetic/1"));
    let (bytes, listed) = (rasters(&old), names(&old));

    let stricter = json!({"scores": {"template": "scores/{system_index}.tif", "threshold": 0.9}});
    let second = world.run("out", &stricter, &[]).complete();
    assert_eq!(fs::read_link(&name).unwrap(), Path::new(".versions/synthetic/2"));
    assert_ne!(rasters(&name), bytes, "another threshold");
    assert_eq!(read_json(&name.join("report.json")), second);
    // The store may be swept: what is published is no one else's.
    fs::remove_dir_all(world.path("out/.store")).unwrap();
    assert_same("the old version", &rasters(&old), &bytes);
    assert_eq!((names(&old), read_json(&old.join("report.json"))), (listed, first));

    let again = world.run("out", &json!({}), &[]).complete();
    assert_eq!(
        (fs::read_link(&name).unwrap().as_path(), &again["tasks"]["reused"]),
        (Path::new(".versions/synthetic/3"), &json!(0))
    );
    assert_same("made again", &rasters(&name), &bytes);
    assert_eq!(names(&world.path("out")), set(&[".store", ".versions", "synthetic"]), "nothing is left over");
}
