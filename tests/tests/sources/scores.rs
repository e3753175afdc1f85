//! What scores say of themselves.

use std::fs;

use serde_json::{Value, json};
use tests::{Run, World};

/// A catalogue of a world's scores, each with these properties; the first one with these besides.
fn catalogue(world: &World, all: &Value, first: &Value) -> String {
    let mut names: Vec<_> = fs::read_dir(world.path("scores")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let item = |(n, path): (usize, &std::path::PathBuf)| {
        let index = path.file_stem().unwrap().to_str().unwrap();
        let [start, _, tile] = index.split('_').collect::<Vec<_>>()[..] else { panic!("{index} is no key") };
        let mut properties = all.as_object().unwrap().clone();
        properties
            .insert("SOURCE_PRODUCT_ID".to_owned(), json!(format!("S2A_MSIL1C_{start}_N0509_R079_{tile}_{start}")));
        if n == 0 {
            properties.extend(first.as_object().unwrap().clone());
        }
        json!({"type": "Feature", "id": index, "properties": properties,
               "assets": {"cs_cdf": {"href": path, "type": "image/tiff", "roles": ["data"]}}})
    };
    let items: Vec<Value> = names.iter().enumerate().map(item).collect();
    json!({"type": "FeatureCollection", "features": items}).to_string()
}

fn run(world: &World, all: &Value, first: &Value, max: f64) -> Run {
    fs::write(world.path("scores.json"), catalogue(world, all, first)).unwrap();
    let scores = json!({"items": "scores.json", "max_no_context_fraction": max});
    world.run("out", &json!({ "scores": scores }), &["--store", world.path("store").to_str().unwrap()])
}

#[test]
fn what_a_score_says_of_itself_is_checked_filtered_on_reported_and_part_of_the_key() {
    let world = World::new("few");
    let told = json!({"MODEL_VERSION": "cs-1", "PROCESSING_SOFTWARE_VERSION": "7", "NO_CONTEXT_FRACTION": 0.25});
    let first = run(&world, &told, &json!({}), 1.0).complete();
    let linked = first["scenes"]["linked"].as_u64().unwrap();
    assert_eq!(
        first["scores"],
        json!({"model_versions": ["cs-1"], "processing_software_versions": ["7"], "with_source_product": linked,
               "max_no_context_fraction": 0.25})
    );
    let collection = tests::json(&world.mosaic("out").join("collection.json")).to_string();
    assert!(collection.contains("clearmosaic:score_source_products") && collection.contains("cs-1"), "{collection}");
    assert_eq!(run(&world, &told, &json!({}), 1.0).complete()["tasks"]["done"], 0, "nothing is new");
    let mut other = told.clone();
    other["MODEL_VERSION"] = json!("cs-2");
    assert_ne!(run(&world, &other, &json!({}), 1.0).complete()["tasks"]["done"], 0, "another model, other scores");

    let little = json!({"NO_CONTEXT_FRACTION": 0.75});
    let filtered = run(&world, &told, &little, 0.5).complete();
    assert_eq!(filtered["scenes"]["linked"].as_u64(), Some(linked - 1));
    assert_eq!(filtered["little_context"], filtered["unlinked"]);

    let foreign = json!({"SOURCE_PRODUCT_ID": "S2A_MSIL1C_20200101T000000_N0509_R079_T33TWL_20200101T000000"});
    let refused = run(&world, &told, &foreign, 1.0);
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(2), 1), "{}", refused.stderr);
    assert!(refused.stderr.contains("scene 2") && refused.stderr.contains("S2A_MSIL1C_20200101T000000"));
}
