//! The same bits whatever the workers, slices, memory and the sources' blocks: file by file, byte by byte.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{World, assert_same, command, oracle, rasters, run_command};

/// The rasters of a request that is complete, published in a directory of its own with a store of its own.
fn made(world: &World, output: &str, fields: &Value, args: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let report = world.run(output, fields, args).complete();
    assert_eq!(report["tasks"]["reused"], 0, "{output} found what another has made: {report}");
    rasters(&world.mosaic(output))
}

#[test]
fn any_number_of_workers() {
    let world = World::new("year");
    for slice in [json!({}), json!({"slice": "P1M"})] {
        let alone = made(&world, &format!("w1{}", slice["slice"]), &slice, &["--workers", "1"]);
        for workers in ["2", "5"] {
            let output = format!("w{workers}{}", slice["slice"]);
            assert_same(&output, &made(&world, &output, &slice, &["--workers", workers]), &alone);
        }
    }
}

#[test]
fn any_slices() {
    let world = World::new("year");
    let whole = made(&world, "none", &json!({}), &[]);
    for slice in ["P1D", "P7D", "P40D", "P1M", "P1Y"] {
        assert_same(slice, &made(&world, slice, &json!({"slice": slice}), &[]), &whole);
    }
}

#[test]
fn slices_of_an_equal_area_mosaic() {
    let world = World::new("year");
    let grid = json!({"crs": "EPSG:3035", "resolution": 60, "tile_pixels": 512, "resampling": "bilinear"});
    let whole = made(&world, "none", &json!({"grid": grid}), &["--workers", "1"]);
    assert_same("P1M", &made(&world, "P1M", &json!({"grid": grid, "slice": "P1M"}), &["--workers", "3"]), &whole);
}

#[test]
fn any_memory_even_where_observations_are_put_aside() {
    let world = World::new("deep");
    let ample = made(&world, "ample", &json!({}), &["--memory", "4GiB", "--workers", "1"]);
    for (workers, slice) in [("2", Value::Null), ("5", Value::Null), ("2", "P1Y".into())] {
        let output = format!("scarce{workers}{slice}");
        let mut fields = json!({"output": output});
        if !slice.is_null() {
            fields["slice"] = slice;
        }
        let request = world.write("scarce.json", &fields);
        let mut scarce = run_command(&request, &["--memory", "256MiB", "--workers", workers]);
        let run = command(scarce.env("RUST_LOG", "worker=debug"));
        let _ = run.complete();
        assert!(run.stderr.contains("put aside"), "256 MiB hold every observation: {}", run.stderr);
        assert_same(&output, &rasters(&world.mosaic(&output)), &ample);
    }
}

#[test]
fn memory_of_a_mosaic_of_many_sub_tiles() {
    let world = World::new("year");
    let ample = made(&world, "ample", &json!({}), &["--memory", "4GiB"]);
    assert_same("256MiB", &made(&world, "scarce", &json!({}), &["--memory", "256MiB"]), &ample);
}

#[test]
fn any_blocks_of_the_sources() {
    let world = World::new("year");
    let blocks_of_256 = made(&world, "out", &json!({}), &[]);
    let source = world.path("").to_string_lossy().into_owned();
    for blocks in ["512x512", "1024x1024", "240x112", "strips"] {
        let copy = tempfile::tempdir().unwrap();
        let _ = oracle("synthetic.py", &["reblock", &source, &copy.path().to_string_lossy(), blocks]);
        let at = |name: &str| copy.path().join(name).to_string_lossy().into_owned();
        let fields = json!({
            "scenes": {"items": at("items.json")},
            "scores": {"template": at("scores/{system_index}.tif")},
        });
        assert_same(blocks, &made(&world, blocks, &fields, &[]), &blocks_of_256);
    }
}

#[test]
fn blocks_of_bands_of_several_resolutions() {
    let world = World::new("resolutions");
    let blocks_of_256 = made(&world, "out", &json!({}), &[]);
    let copy = tempfile::tempdir().unwrap();
    let (from, to) = (world.path("").to_string_lossy().into_owned(), copy.path().to_string_lossy().into_owned());
    let _ = oracle("synthetic.py", &["reblock", &from, &to, "16x48"]);
    let items = copy.path().join("items.json").to_string_lossy().into_owned();
    assert_same("16x48", &made(&world, "small", &json!({"scenes": {"items": items}}), &[]), &blocks_of_256);
}
