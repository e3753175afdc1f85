//! What would harm a mosaic in silence is told.

use serde_json::{Value, json};
use tests::{World, command, run_command};

#[test]
fn an_offset_that_the_pixels_contradict_is_reported_by_scene_and_baseline() {
    // Made-up pixels are as dark as they come: they carry no shift.
    let world = World::new("eroded");
    let warnings = |output: &str, fields: &Value| {
        let report = world.run(output, fields, &[]).complete();
        let published = tests::json(&world.mosaic(output).join("report.json"));
        assert_eq!(published["warnings"], report["warnings"]);
        report["warnings"].as_array().unwrap().clone()
    };
    let told = warnings("late", &json!({"edge_erosion": 0}));
    assert_eq!(told.len(), 7, "{told:?}");
    for line in &told {
        let line = line.as_str().unwrap();
        assert!(line.starts_with("scene 2023") && line.contains("baseline 05.09") && line.contains("not to carry it"));
    }
    // From partials, and with a rim, they are the same.
    assert_eq!(warnings("sliced", &json!({"edge_erosion": 0, "slice": "P1M"})), told);
    assert_eq!(warnings("eroded", &json!({"edge_erosion": 1})), told);
    let mut items = world.items();
    for item in &mut items {
        item["properties"]["s2:processing_baseline"] = json!("03.01");
    }
    world.write_items("early.json", &items);
    assert_eq!(warnings("early", &json!({"edge_erosion": 0, "scenes": {"items": "early.json"}})), Vec::<Value>::new());
}

#[test]
fn nobody_pays_who_did_not_say_so() {
    let world = World::new("few");
    let mut items = world.items();
    // Version 2 of the storage extension: one of two places is free, or none is.
    let scheme = |pays: bool| json!({"type": "aws-s3", "requester_pays": pays});
    for (item, pays) in items.iter_mut().zip([true, false, true]) {
        item["properties"]["storage:schemes"] = json!({"one": scheme(true), "two": scheme(pays)});
        item["assets"]["B04"]["storage:refs"] = json!(["one", "two"]);
    }
    world.write_items("paid.json", &items);
    let path = world.write("paid.request.json", &json!({"output": "out", "scenes": {"items": "paid.json"}}));
    let refused = command(run_command(&path, &[]).env_remove("AWS_REQUEST_PAYER"));
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 2), "{}", refused.stderr);
    assert!(refused.stderr.lines().all(|line| line.starts_with("scene 2023") && line.contains("AWS_REQUEST_PAYER")));
    let _ = command(run_command(&path, &[]).env("AWS_REQUEST_PAYER", "requester")).complete();
}
