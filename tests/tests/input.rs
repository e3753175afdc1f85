//! Bad input: exit code 2, and one clear line for each fault that names the field, file or scene.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{World, clearmosaic, command, run, run_command};

/// Fails unless the request with these fields ends with exit code 2, nothing on stdout, nothing published, and one
/// line for each of `faults`, which holds all of its words.
fn refused(world: &World, fields: &Value, faults: &[&[&str]]) {
    let ended = world.run("out", fields, &[]);
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{fields}: {}", ended.stderr);
    assert_eq!(told.len(), faults.len(), "{fields}: {}", ended.stderr);
    for (line, words) in told.iter().zip(faults) {
        assert!(words.iter().all(|word| line.contains(word)), "{fields}: {line:?} lacks one of {words:?}");
        assert!(!line.contains("struct ") && !line.contains("(os error"), "not for people: {line}");
    }
    assert!(!world.mosaic("out").exists(), "{fields}: something is published");
}

fn scores(more: &Value) -> Value {
    let mut scores = json!({"template": "scores/{system_index}.tif"});
    scores.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "scores": scores })
}

#[test]
fn fields_of_the_request() {
    let world = World::new("few");
    let cases: &[(Value, &[&str])] = &[
        (json!({"bandz": ["B04"]}), &["request.json", "`bandz`", "unknown field", "`bands`"]),
        (json!({"grid": {"crs": "native", "resolutoin": 60}}), &["`grid.resolutoin`", "unknown field", "`resolution`"]),
        (scores(&json!({"treshold": 0.6})), &["`scores.treshold`", "unknown field", "`threshold`"]),
        (json!({"aoi": {"box": [1, 2, 3, 4]}}), &["`aoi.box`", "unknown field", "`bbox`"]),
        (json!({"bands": "B04"}), &["`bands`", "expected a list"]),
        (json!({"bands": ["B4x"]}), &["`bands[0]`", "`B4x`", "B01 to B12"]),
        (json!({"bands": ["B04", "B04"]}), &["`bands`", "twice"]),
        (json!({"products": ["median", "p95"]}), &["`products[1]`", "unknown value `p95`", "`p90`"]),
        (json!({"products": ["p10", "p10"]}), &["`products`", "p10 stands there twice"]),
        (json!({"products": ["count"]}), &["`products`", "median"]),
        (json!({"period": "2023"}), &["`period`", "expected", "start", "end"]),
        (json!({"period": {"start": "2023-13-01", "end": "2024-01-01"}}), &["`period.start`", "2023-13-01", "write"]),
        (json!({"period": {"start": "2024-01-01", "end": "2023-01-01"}}), &["`period`", "`end`", "after `start`"]),
        (json!({"slice": "1 month"}), &["`slice`", "write", "P1M"]),
        (json!({"aoi": {"bbox": [1, 2, 3]}}), &["`aoi.bbox`", "4"]),
        (json!({"aoi": {"tiles": ["33TAA"]}}), &["`aoi.tiles[0]`", "`33TAA`", "33TWL"]),
        (json!({"aoi": {"bbox": [15, 46, 16, 45]}}), &["aoi", "south (46)", "north (45)"]),
        (json!({"aoi": {"bbox": [15, 45, 16, 46], "tiles": ["33TWL"]}}), &["`aoi`", "only one of", "tiles"]),
        (scores(&json!({"threshold": "high"})), &["`scores.threshold`", "expected a number"]),
        (scores(&json!({"threshold": 1.5})), &["`scores.threshold`", "1.5", "0..1"]),
        (scores(&json!({"threshold": -0.1})), &["`scores.threshold`", "-0.1", "0..1"]),
        (scores(&json!({"items": "scores.json"})), &["`scores`", "template and items", "exactly one"]),
        (
            json!({"scenes": {"items": "items.json", "preset": "cdse"}}),
            &["`scenes`", "items and preset", "exactly one"],
        ),
        (json!({"scenes": {}}), &["`scenes`", "exactly one of items"]),
        (json!({"grid": {"crs": "native", "resolution": 7}}), &["`grid.resolution`", "109,800", "60"]),
        (json!({"grid": {"crs": "EPSG:999999", "resolution": 60}}), &["`grid.crs`", "EPSG:999999"]),
        (json!({"grid": {"crs": "EPSG:3035", "resolution": 1e6}}), &["no pixel", "`aoi`", "`grid.resolution`"]),
    ];
    for (fields, words) in cases {
        refused(&world, fields, &[words]);
    }
}

#[test]
fn six_lines_at_most() {
    let world = World::new("few");
    let fields = json!({
        "version": 2, "bands": ["B04", "B04"], "months": [13], "median": {"min_observations": 0},
        "filter": {"cloud_cover_max": 200, "orbits": [0], "platforms": []}, "grid": {"crs": "native", "resolution": 7},
    });
    let run = world.run("out", &fields, &[]);
    let told: Vec<&str> = run.stderr.lines().collect();
    assert_eq!((run.code, told.len()), (Some(2), 6), "{}", run.stderr);
    assert!(told[0].contains("`version`") && told[5].contains("3 more"), "{}", run.stderr);
}

#[test]
fn the_request_itself() {
    let world = World::new("few");
    let cases: [(&str, Option<&str>, &[&str]); 5] = [
        ("nothing.yaml", None, &["nothing.yaml", "no such file"]),
        ("scenes", None, &["scenes", "directory", "name a request file"]),
        ("empty.yaml", Some(""), &["empty.yaml", "version"]),
        ("number.yaml", Some("42"), &["number.yaml", "42", "expected"]),
        ("words.yaml", Some("hello there"), &["words.yaml", "expected"]),
    ];
    for (name, text, words) in cases {
        if let Some(text) = text {
            fs::write(world.path(name), text).unwrap();
        }
        for command in ["run", "plan", "link"] {
            let output = clearmosaic(&[command, &world.path(name).to_string_lossy()]);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), output.stdout.len(), told.lines().count()), (Some(2), 0, 1), "{told}");
            assert!(words.iter().all(|word| told.contains(word)), "{told:?} lacks one of {words:?}");
        }
    }
    let tif = fs::read_dir(world.path("scores")).unwrap().next().unwrap().unwrap().path();
    assert!(run(&tif, &[]).stderr.contains("not text"));
}

#[test]
fn areas() {
    let world = World::new("few");
    let ring = |ring: Value| json!({"type": "Polygon", "coordinates": [ring]}).to_string();
    let cases: [(String, &[&str]); 9] = [
        (json!({"type": "Point", "coordinates": [15.7, 45.5]}).to_string(), &["Point", "Polygon"]),
        (
            json!({"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}})
                .to_string(),
            &["LineString", "Polygon"],
        ),
        (json!({"type": "FeatureCollection", "features": []}).to_string(), &["no polygon"]),
        (json!({"type": "MultiPolygon", "coordinates": []}).to_string(), &["no polygon"]),
        (json!({"type": "Feature", "properties": {}, "geometry": null}).to_string(), &["no polygon"]),
        (ring(json!([[15, 45], [16, 46], [15, 45]])), &["ring", "four"]),
        (ring(json!([[15, 86], [16, 86], [16, 87], [15, 86]])), &["latitude", "pole"]),
        (ring(json!([[5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]])), &["degrees", "longitude"]),
        ("hello".to_owned(), &["GeoJSON"]),
    ];
    for (area, words) in cases {
        fs::write(world.path("area.geojson"), area).unwrap();
        refused(&world, &json!({"aoi": "area.geojson"}), &[&[words, &["`aoi`", "area.geojson"]].concat()]);
    }
    refused(&world, &json!({"aoi": "nothing.geojson"}), &[&["`aoi`", "nothing.geojson", "no such file"]]);
    refused(&world, &json!({"aoi": "scenes"}), &[&["`aoi`", "scenes", "directory"]]);
}

#[test]
fn catalogues_and_scores_that_are_none() {
    let world = World::new("few");
    fs::write(world.path("text.json"), "hello").unwrap();
    fs::write(world.path("other.json"), r#"{"type": "Topology"}"#).unwrap();
    let items = |name: &str| json!({"scenes": {"items": name}});
    refused(&world, &items("nothing.json"), &[&["`scenes.items`", "nothing.json", "no such file"]]);
    refused(&world, &items("scenes"), &[&["`scenes.items`", "scenes", "directory"]]);
    refused(&world, &items("text.json"), &[&["`scenes.items`", "text.json", "not JSON"]]);
    refused(&world, &items("other.json"), &[&["`scenes.items`", "other.json", "not STAC", "Topology"]]);
    refused(&world, &json!({"bands": ["B04", "B12"]}), &[&["`bands`", "B12", "it has B04, B08"]]);
    let template = |text: &str| json!({"scores": {"template": text}});
    refused(&world, &template("skores/{system_index}.tif"), &[&["`scores.template`", "skores", "no such directory"]]);
    refused(&world, &template("scores/all.tif"), &[&["`scores.template`", "{system_index}", "missing"]]);
    refused(&world, &template("scores/{index}.tif"), &[&["`scores.template`", "{index}", "{system_index}"]]);
}

#[test]
fn items_that_are_no_scenes() {
    let world = World::new("few");
    // An item that tells what it is in one place alone, and that place taken away.
    let without = |field: &str| {
        let mut item = world.items()[0].clone();
        item["id"] = format!("without-{field}").into();
        item["properties"].as_object_mut().unwrap().retain(|name, _| name != "s2:product_uri" && name != field);
        for asset in item["assets"].as_object_mut().unwrap().values_mut() {
            asset["href"] = "scenes/elsewhere.tif".into();
        }
        item
    };
    let mut keyless = without("s2:datatake_id");
    keyless["properties"].as_object_mut().unwrap().retain(|name, _| name != "datetime");
    let mut assetless = without("assets");
    assetless.as_object_mut().unwrap().remove("assets");
    let mut far = world.items()[0].clone();
    far["properties"]["s2:mgrs_tile"] = "99ZZZ".into();
    let bad = [without("s2:mgrs_tile"), keyless, without("s2:processing_baseline"), assetless, far];
    world.write_items("bad.json", &[&bad[..], &world.items()].concat());
    let lines: [&[&str]; 5] = [
        &["`scenes.items`", "bad.json", "item without-s2:mgrs_tile", "no MGRS tile", "grid:code"],
        &["`scenes.items`", "bad.json", "item without-s2:datatake_id", "no datatake start", "s2:datatake_id"],
        &["`scenes.items`", "bad.json", "item without-s2:processing_baseline", "baseline unknown"],
        &["`scenes.items`", "bad.json", "item without-assets", "not a STAC item", "`assets`"],
        &["`scenes.items`", "bad.json", "`99ZZZ` is no MGRS tile"],
    ];
    refused(&world, &json!({"scenes": {"items": "bad.json"}}), &lines);
}

#[test]
fn nothing_to_make_a_mosaic_of() {
    let world = World::new("few");
    fs::create_dir(world.path("no-scores")).unwrap();
    world.write_items("none.json", &[]);
    let unlinked = json!({"scores": {"template": "no-scores/{system_index}.tif"}});
    let cases = [
        (json!({"scenes": {"items": "none.json"}}), ["no scene", "clearmosaic plan"], 0),
        (json!({"period": {"start": "2020-01-01", "end": "2021-01-01"}}), ["`period`", "no scene"], 0),
        (json!({"aoi": {"tiles": ["31TCJ"]}}), ["`aoi`", "no scene"], 0),
        (unlinked, ["3 without a score", "clearmosaic link"], 3),
    ];
    for (fields, words, scenes) in cases {
        refused(&world, &fields, &[&words]);
        let request = world.write("empty.json", &fields).to_string_lossy().into_owned();
        let plan = clearmosaic(&["plan", &request, "--json"]);
        let link = clearmosaic(&["link", &request, "--json"]);
        assert_eq!((plan.status.code(), link.status.code()), (Some(0), Some(0)), "{fields}");
        let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
        assert_eq!((&plan["scenes"], &plan["tasks"]), (&json!(scenes), &json!(0)), "{fields}: {plan}");
        assert!(!plan["tiles"].as_array().unwrap().is_empty(), "tiles have scenes or not");
        assert_eq!(String::from_utf8(link.stdout).unwrap().lines().count(), scenes);
    }
}

/// What a request says is checked before GDAL and all that it stands on is loaded, which takes far longer.
#[test]
fn the_program_starts_without_gdal() {
    // Told so, the loader of shared libraries lists them instead of starting the program.
    let listed = command(run_command(Path::new("none"), &[]).env("LD_TRACE_LOADED_OBJECTS", "1")).stdout;
    assert!(listed.contains("libc.so"), "no list of libraries: {listed}");
    assert!(!listed.contains("libgdal") && !listed.contains("libproj"), "a function is missing in `late`: {listed}");
}
