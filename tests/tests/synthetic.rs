//! What the design says of pixels, shown one thing at a time on made-up archives, each judged by the oracle.
#![allow(missing_docs, clippy::unwrap_used)]

use serde_json::{Value, json};
use tests::{World, oracle};

/// Runs a world's own request and has it judged; the report's counts of scenes.
fn equals_the_oracle(name: &str) -> Value {
    judged(&World::new(name), "out", &json!({}))
}

/// The same with other fields, published in a directory of its own.
fn judged(world: &World, output: &str, fields: &Value) -> Value {
    let run = world.run(output, fields, &[]);
    let report = run.complete();
    assert_eq!(run.stderr, "");
    let expected = world.path(&format!("{output}.oracle")).to_string_lossy().into_owned();
    let request = world.write("judged.json", fields).to_string_lossy().into_owned();
    let told = oracle("oracle.py", &[&request, &expected]);
    let equal = oracle("compare.py", &[&world.mosaic(output).to_string_lossy(), &expected]);
    assert!(equal.contains("rasters equal"), "{equal}");
    assert!(report["observations"]["max"].as_u64().unwrap() > 1, "a mosaic of nothing shows nothing: {report}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["scenes"], told["scenes"]);
    assert_eq!(report["unlinked"], told["unlinked"]);
    report["scenes"].clone()
}

#[test]
fn of_the_versions_of_a_scene_one_counts() {
    let scenes = equals_the_oracle("versions");
    assert_eq!(scenes, json!({"found": 15, "linked": 5, "unlinked": 0, "superseded": 10, "unusable": 0}));
}

#[test]
fn what_is_near_nodata_is_left_out_where_that_is_asked_for() {
    let _ = equals_the_oracle("eroded");
}

#[test]
fn chunks_of_a_datatake_are_one_observation() {
    assert_eq!(equals_the_oracle("chunks")["linked"], 10);
}

#[test]
fn the_baseline_decides_on_the_offset_and_dark_pixels_stay() {
    let _ = equals_the_oracle("offsets");
}

#[test]
fn bands_of_several_resolutions_meet_on_one_grid() {
    let _ = equals_the_oracle("resolutions");
}

#[test]
fn scores_are_floats_or_scaled_integers_with_nodata_or_a_mask() {
    let _ = equals_the_oracle("scores");
}

#[test]
fn sources_of_other_crss_are_looked_up_pixel_by_pixel() {
    let _ = equals_the_oracle("warped");
}

#[test]
fn southern_tiles_count_their_northings_from_the_pole() {
    let _ = equals_the_oracle("south");
}

#[test]
fn a_zone_is_one_plane_on_both_sides_of_the_equator() {
    let _ = equals_the_oracle("equator");
}

#[test]
fn two_zones_meet_in_one_equal_area_mosaic() {
    let _ = equals_the_oracle("zones");
}

#[test]
fn a_season_over_several_years_with_exact_halves_and_three_observations_at_least() {
    let scenes = equals_the_oracle("seasons");
    assert_eq!(scenes, json!({"found": 6, "linked": 5, "unlinked": 1, "superseded": 0, "unusable": 0}));
}

#[test]
fn a_scene_that_lacks_a_band_contributes_nothing() {
    let scenes = equals_the_oracle("lacking");
    assert_eq!(scenes, json!({"found": 4, "linked": 3, "unlinked": 0, "superseded": 0, "unusable": 1}));
}

#[test]
fn every_product_is_exact_to_its_last_rounding() {
    let world = World::new("products");
    let _ = judged(&world, "monthly", &json!({}));
    let grid = json!({"crs": "EPSG:3035", "resolution": 50, "tile_pixels": 100});
    let products = json!(["p90", "mad", "mean"]);
    let median = json!({"dtype": "float32"});
    let _ = judged(&world, "floats", &json!({"slice": null, "grid": grid, "median": median, "products": products}));
}
