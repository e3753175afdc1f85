//! Rasters that cannot be read, or cannot be what they claim to be.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::{World, assert_same, clearmosaic, oracle, rasters};

/// Files below a directory of the archive whose path holds all of these words.
fn found(world: &World, dir: &str, words: &[&str]) -> Vec<PathBuf> {
    let mut dirs = vec![world.path(dir)];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| words.iter().all(|word| path.to_string_lossy().contains(word)));
    files.sort();
    files
}

fn alter(path: &Path, how: &str) {
    let _ = oracle("synthetic.py", &["alter", &path.to_string_lossy(), how]);
}

/// Ways in which a raster cannot be read: truncated, empty, no raster at all, gone.
const BROKEN: [fn(&Path); 4] = [
    |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    },
    |path| fs::write(path, "").unwrap(),
    |path| fs::write(path, "hello").unwrap(),
    |path| fs::remove_file(path).unwrap(),
];

/// Breaks a raster, runs, looks at what is told and published, mends it, runs again.
fn fails_and_is_mended(slice: &Value, dir: &str, of_scene: &str, ways: &[fn(&Path)]) {
    let world = World::new("year");
    let expected = world.run("whole", slice, &[]).complete();
    for (way, break_it) in ways.iter().enumerate() {
        let raster = &found(&world, dir, &["20230320T095031", of_scene])[0];
        one_fails(&world, &format!("out{way}"), slice, &expected, raster, *break_it);
    }
}

fn one_fails(world: &World, output: &str, slice: &Value, expected: &Value, raster: &Path, break_it: fn(&Path)) {
    let whole = rasters(&world.mosaic("whole"));
    let bytes = fs::read(raster).unwrap();
    break_it(raster);

    let run = world.run(output, slice, &[]);
    let report = run.report();
    assert_eq!((run.code, run.stderr.as_str(), &report["state"]), (Some(3), "", &json!("incomplete")));
    assert_eq!(report, tests::json(&world.mosaic(output).join("report.json")));
    assert_eq!(report["scenes"], expected["scenes"]);
    let failed = report["failed"].as_array().unwrap();
    assert!(!failed.is_empty() && report["tasks"]["failed"] == failed.len());
    for failure in failed {
        let reason = failure["reason"].as_str().unwrap();
        assert!(failure["task"].as_str().unwrap().contains("33TWM/"), "{failure}");
        assert_eq!(
            (&failure["tile"], &failure["scene"]),
            (&json!("33TWM"), &json!("20230320T095031_20230320T095031_T33TWM"))
        );
        assert!(reason.contains(&*raster.to_string_lossy()) && reason.contains("cannot be read"), "{reason}");
        assert!(!reason.contains("NULL") && !reason.contains('\n'), "{reason}");
        assert!(failure["window"]["width"].as_u64() > Some(0), "{failure}");
    }
    let mosaic = world.mosaic(output).to_string_lossy().into_owned();
    let judged = oracle("holes.py", &[&mosaic, &world.mosaic("whole").to_string_lossy()]);
    assert!(judged.contains("33TWM: a hole of"), "{judged}");

    fs::write(raster, bytes).unwrap();
    let mended = world.run(output, slice, &[]).complete();
    assert!(mended["tasks"]["reused"].as_u64() > Some(0), "what did not fail is kept: {mended}");
    assert_same("mended", &rasters(&world.mosaic(output)), &whole);
}

#[test]
fn a_band_that_cannot_be_read_leaves_a_hole_until_it_is_mended() {
    fails_and_is_mended(&json!({}), "scenes", "T33TWM_20240101T000000_095031/B08.tif", &BROKEN);
}

#[test]
fn so_does_a_score() {
    fails_and_is_mended(&json!({}), "scores", "T33TWM", &BROKEN[..1]);
    fails_and_is_mended(&json!({"slice": "P1M"}), "scores", "T33TWM", &BROKEN[1..2]);
}

#[test]
fn so_does_a_slice_of_the_scenes() {
    fails_and_is_mended(&json!({"slice": "P1M"}), "scenes", "T33TWM_20240101T000000_095031/B04.tif", &BROKEN[..1]);
}

#[test]
fn a_raster_that_is_no_band_is_named() {
    let cases = [("without-crs", "no CRS"), ("float", "not uint16"), ("two-bands", "2 bands")];
    for (how, words) in cases {
        let world = World::new("few");
        alter(&found(&world, "scenes", &["B08"])[0], how);
        let run = world.run("out", &json!({}), &[]);
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        let failed = &run.report()["failed"][0];
        assert!(failed["reason"].as_str().unwrap().contains(words), "{how}: {failed}");
        assert_eq!(failed["scene"], "20230103T095031_20230103T095031_T33TWL");
    }
}

#[test]
fn a_score_without_a_crs_or_elsewhere_is_refused_before_any_work() {
    for (how, words) in [("without-crs", "no CRS"), ("elsewhere", "does not meet its scene")] {
        let world = World::new("few");
        let score = &found(&world, "scores", &[])[1];
        alter(score, how);
        let told = |run: &str, stdout: &[u8], code| {
            assert_eq!((code, stdout.len(), run.lines().count()), (Some(2), 0, 1), "{run}");
            let name = score.to_string_lossy();
            let index = score.file_stem().unwrap().to_string_lossy();
            assert!([words, &name, &format!("scene {index}")].iter().all(|word| run.contains(word)), "{run}");
        };
        let run = world.run("out", &json!({}), &[]);
        told(&run.stderr, run.stdout.as_bytes(), run.code);
        let plan = clearmosaic(&["plan", &world.path("request.json").to_string_lossy()]);
        told(&String::from_utf8_lossy(&plan.stderr), &plan.stdout, plan.status.code());
        assert!(!world.mosaic("out").exists());
    }
}

/// A catalogue without the scenes of these tiles and dates.
fn without(world: &World, scenes: &[(&str, &str)]) -> Value {
    let mut items = world.items();
    items.retain(|item| {
        let href = item["assets"]["B08"]["href"].as_str().unwrap();
        !scenes.iter().any(|(tile, date)| href.contains(tile) && href.contains(date))
    });
    assert_eq!(items.len() + scenes.len(), world.items().len());
    world.write_items("without.json", &items);
    json!({"items": "without.json"})
}

/// A request's fields, and `on_unreadable: skip`.
fn skipping(fields: &Value) -> Value {
    let mut fields = fields.clone();
    fields["on_unreadable"] = "skip".into();
    fields
}

/// What the report and the items say of these scenes, which were left out.
fn told(world: &World, report: &Value, scenes: &[(&str, &str)]) {
    let told = report["unreadable"].as_array().unwrap();
    assert_eq!((told.len(), &report["failed"]), (scenes.len(), &json!([])), "{report}");
    let collection = tests::json(&world.mosaic("skip").join("collection.json"));
    for ((tile, date), told) in scenes.iter().zip(told) {
        let index = format!("{date}T095031_{date}T095031_{tile}");
        assert_eq!((&told["scene"], &told["tile"]), (&json!(index), &json!(tile[1..])), "{told}");
        assert!(told["reason"].as_str().unwrap().contains("cannot be read"), "{told}");
        let of =
            |document: &Value| document["clearmosaic:unreadable_scenes"].as_array().unwrap().contains(&json!(index));
        assert!(of(&collection["summaries"]));
        let Ok(item) = fs::read(world.mosaic("skip").join(format!("items/{}.json", &tile[1..]))) else { continue };
        let item: Value = serde_json::from_slice(&item).unwrap();
        assert!(of(&item["properties"]), "{item}");
        let is_its = |link: &Value| {
            let title = link["title"].as_str().unwrap_or_default();
            link["rel"] == "derived_from" && title.contains(tile) && title.contains(date)
        };
        assert!(!item["links"].as_array().unwrap().iter().any(is_its), "it is not derived from {index}");
    }
}

/// Spoils a raster of each of these scenes, in order of `system:index`: what is made is what is made without them, and
/// once they are mended, what was made with them.
fn skips_and_takes_up_again(fields: &Value, way: fn(&Path), scenes: &[(&str, &str)]) {
    let (world, skip) = (World::new("year"), skipping(fields));
    let mut fields = fields.clone();
    fields["scenes"] = without(&world, scenes);
    let _ = world.run("without", &fields, &[]).complete();
    let report = world.run("skip", &skip, &[]).complete();
    assert_eq!(report["unreadable"], Value::Null, "all can be read");
    let whole = rasters(&world.mosaic("skip"));
    let spoil = |(tile, date): &(&str, &str)| {
        let raster = found(&world, "scenes", &[date, tile, "B08"])[0].clone();
        let bytes = fs::read(&raster).unwrap();
        way(&raster);
        (raster, bytes)
    };
    let spoilt: Vec<_> = scenes.iter().map(spoil).collect();
    let report = world.run("skip", &skip, &[]).complete();
    assert_same("skip", &rasters(&world.mosaic("skip")), &rasters(&world.mosaic("without")));
    told(&world, &report, scenes);
    for (raster, bytes) in spoilt {
        fs::write(raster, bytes).unwrap();
    }
    let _ = world.run("skip", &skip, &[]).complete();
    assert_same("mended", &rasters(&world.mosaic("skip")), &whole);
}

#[test]
fn scenes_that_cannot_be_read_are_left_out_where_the_request_says_so() {
    let scenes = [("T33TWM", "20230320"), ("T33TWL", "20230408"), ("T33TWM", "20230408")];
    skips_and_takes_up_again(&json!({}), BROKEN[0], &scenes);
    skips_and_takes_up_again(&json!({"slice": "P1M"}), BROKEN[3], &scenes);
}

#[test]
fn a_tile_whose_only_scene_is_left_out_owns_nothing() {
    let march = json!({"period": {"start": "2023-03-10", "end": "2023-04-01"}});
    skips_and_takes_up_again(&march, BROKEN[2], &[("T33TWM", "20230320")]);
}

#[test]
fn an_archive_that_is_gone_is_no_scenes_fault() {
    let world = World::new("few");
    let _ = world.run("out", &skipping(&json!({})), &[]).complete();
    fs::rename(world.path("scenes"), world.path("elsewhere")).unwrap();
    let gone = world.run("gone", &skipping(&json!({})), &[]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (Some(2), 1), "{}", gone.stderr);
    assert!(gone.stderr.contains("`on_unreadable`") && !world.mosaic("gone").exists(), "{}", gone.stderr);
}
