//! Items that are cut, contradictory or odd: what is still derived, and what is refused in one line.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used)]

use mosaic::band::Band;
use mosaic::href::Base;
use mosaic::scene::{IndexClue, ItemFault, Scene};
use serde_json::{Value, json};

const COG: &str = "image/tiff; application=geotiff; profile=cloud-optimized";

fn item() -> Value {
    json!({
        "type": "Feature", "id": "X", "collection": "sentinel-2-l2a",
        "properties": {
            "datetime": "2023-08-15T09:58:11.662Z", "platform": "sentinel-2a", "grid:code": "MGRS-33TWL",
            "s2:datatake_id": "GS2A_20230815T095031_042547_N05.09",
            "s2:datastrip_id": "S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S20230815T095630_N05.09",
            "s2:processing_baseline": "05.09",
        },
        "assets": {"B04": {"href": "./B04.tif", "type": COG, "roles": ["data"], "eo:bands": [{"name": "B04"}]}},
    })
}

fn read(item: &Value) -> Result<Scene, ItemFault> {
    Scene::from_item(item, &Base::of_file("/d/items.json"))
}

fn set(item: &mut Value, field: &str, value: Value) {
    item["properties"][field] = value;
}

fn cut(item: &mut Value, fields: &[&str]) {
    for field in fields {
        item["properties"].as_object_mut().unwrap().remove(*field);
    }
}

#[test]
fn a_tile_is_found_wherever_it_stands() {
    for variant in [
        json!({"grid:code": "MGRS-1VCG"}),
        json!({"grid:code": "WRS2-190027", "s2:mgrs_tile": "01VCG"}),
        json!({"mgrs:utm_zone": 1, "mgrs:latitude_band": "V", "mgrs:grid_square": "CG"}),
        json!({"sentinel:utm_zone": "1", "sentinel:latitude_band": "V", "sentinel:grid_square": "CG"}),
        json!({"s2:product_uri": "S2A_MSIL2A_20230815T095031_N0509_R079_T01VCG_20230815T155057.SAFE"}),
    ] {
        let mut item = item();
        cut(&mut item, &["grid:code"]);
        for (field, value) in variant.as_object().unwrap() {
            set(&mut item, field, value.clone());
        }
        let scene = read(&item).unwrap();
        let want = "20230815T095031_20230815T095630_T01VCG";
        assert_eq!(scene.index.exact().map(|index| index.0.as_str()), Some(want), "{variant}");
    }
}

#[test]
fn the_fallback_is_honest() {
    let mut item = item();
    cut(&mut item, &["s2:datastrip_id"]);
    let start = "2023-08-15T09:50:31Z".parse().unwrap();
    assert_eq!(read(&item).unwrap().index, IndexClue::Start { start, tolerance_s: 0 });

    cut(&mut item, &["s2:datatake_id"]);
    let scene = read(&item).unwrap();
    let start = "2023-08-15T09:58:11Z".parse().unwrap();
    assert_eq!((scene.index, scene.sensing_start), (IndexClue::Start { start, tolerance_s: 1800 }, start));
}

#[test]
fn old_scenes_never_claim_a_key() {
    for (start, exact) in [("20161205T235959", false), ("20161206T000000", true)] {
        let mut item = item();
        set(&mut item, "s2:datatake_id", json!(format!("GS2A_{start}_007000_N05.00")));
        assert_eq!(read(&item).unwrap().index.exact().is_some(), exact, "{start}");
    }
}

#[test]
fn earth_engines_own_properties_are_understood() {
    let key = "20230815T095031_20230815T095630_T33TWL";
    let item = json!({
        "type": "Feature", "id": key, "collection": "COPERNICUS/S2_SR_HARMONIZED",
        "properties": {"system:index": key, "MGRS_TILE": "33TWL", "SPACECRAFT_NAME": "Sentinel-2A",
            "PROCESSING_BASELINE": "05.09", "CLOUDY_PIXEL_PERCENTAGE": 12.5, "SENSING_ORBIT_NUMBER": 79},
        "assets": {"B4": {"href": "/d/x.tif", "type": "image/tiff"}},
    });
    let scene = read(&item).unwrap();
    assert_eq!(scene.index.exact().unwrap().0, key);
    assert_eq!((scene.offset, scene.cloud_cover, scene.relative_orbit), (0, Some(12.5), Some(79)));
    assert!(scene.bands.contains_key(&Band::B04));
}

#[test]
fn offsets_follow_flag_and_baseline() {
    let (v1, v0) = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied");
    for (collection, baseline, flag, want) in [
        ("sentinel-2-l2a", "05.09", Some((v1, true)), 0),
        ("sentinel-2-l2a", "04.00", Some((v1, false)), -1000),
        ("sentinel-2-l2a", "03.01", Some((v1, false)), 0),
        ("sentinel-2-l2a", "05.09", None, -1000),
        ("sentinel-2-l2a", "02.12", None, 0),
        ("somebody-elses", "05.09", Some((v1, true)), 0),
        ("sentinel-2-c1-l2a", "05.09", None, -1000),
        ("sentinel-2-c1-l2a", "03.01", None, 0),
        ("sentinel-2-c1-l2a", "05.09", Some((v1, true)), 0),
        ("sentinel-s2-l2a-cogs", "04.00", Some((v0, true)), 0),
        ("sentinel-s2-l2a-cogs", "04.00", Some((v0, false)), -1000),
        ("COPERNICUS/S2_SR_HARMONIZED", "05.09", None, 0),
        ("COPERNICUS/S2_SR", "05.09", None, -1000),
    ] {
        let mut item = item();
        item["collection"] = json!(collection);
        set(&mut item, "s2:processing_baseline", json!(baseline));
        if let Some((field, value)) = flag {
            set(&mut item, field, json!(value));
        }
        assert_eq!(read(&item).unwrap().offset, want, "{collection} {baseline} {flag:?}");
    }
}

#[test]
fn a_declared_offset_does_not_shift_twice() {
    let mut item = item();
    set(&mut item, "earthsearch:boa_offset_applied", json!(true));
    item["assets"]["B04"]["raster:bands"] = json!([{"offset": -0.1}]);
    assert_eq!(read(&item).unwrap().offset, 0);
}

#[test]
fn an_unknown_baseline_is_refused_only_where_it_matters() {
    let mut item = item();
    cut(&mut item, &["s2:processing_baseline"]);
    let fault = read(&item).unwrap_err();
    assert_eq!(fault, ItemFault::NoBaseline("X".into()));
    assert!(fault.to_string().starts_with("item X: processing baseline unknown"));

    set(&mut item, "s2:product_uri", json!("S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE"));
    assert_eq!(read(&item).unwrap().offset, -1000);
    cut(&mut item, &["s2:product_uri"]);

    set(&mut item, "earthsearch:boa_offset_applied", json!(true));
    assert_eq!(read(&item).unwrap().offset, 0);
    cut(&mut item, &["earthsearch:boa_offset_applied"]);

    item["collection"] = json!("sentinel-2-c1-l2a");
    assert!(read(&item).is_err());
    item["assets"]["B04"]["raster:bands"] = json!([{"offset": -0.1}]);
    assert_eq!(read(&item).unwrap().offset, -1000);
}

#[test]
fn esas_own_files_keep_the_shift_that_the_flag_takes_from_the_copies() {
    let mut item = item();
    set(&mut item, "earthsearch:boa_offset_applied", json!(true));
    item["assets"]["nir-jp2"] = json!({"href": "s3://sentinel-s2-l2a/tiles/33/T/WL/2023/8/15/0/R10m/B08.jp2",
        "type": "image/jp2", "roles": ["data"], "eo:bands": [{"name": "B08"}]});
    let scene = read(&item).unwrap();
    assert_eq!((scene.offset, scene.bands.keys().copied().collect()), (0, vec![Band::B04]));
    item["assets"].as_object_mut().unwrap().remove("B04");
    let scene = read(&item).unwrap();
    assert_eq!((scene.offset, scene.bands.len()), (-1000, 1));
}

#[test]
fn the_best_asset_serves_a_band() {
    let mut item = item();
    let grid = |metres: f64| json!([metres, 0, 0, 0, -metres, 0, 0, 0, 1]);
    item["assets"] = json!({
        "visual": {"href": "tci.tif", "type": COG, "roles": ["visual"], "eo:bands": [{"name": "B04"}]},
        "TCI": {"href": "tci2.tif", "type": COG, "roles": ["data"], "bands": [{"name": "B04"}, {"name": "B03"}]},
        "preview": {"href": "pvi.tif", "type": COG, "roles": ["overview"], "eo:bands": [{"name": "B04"}]},
        "red-jp2": {"href": "red.jp2", "type": "image/jp2", "roles": ["data"], "proj:transform": grid(10.0)},
        "B04_20m": {"href": "red20.tif", "type": COG, "roles": ["data"], "gsd": 10, "proj:transform": grid(20.0)},
        "red": {"href": "red.tif", "type": COG, "roles": ["data"], "proj:transform": grid(10.0)},
        "a_red": {"href": "undeclared.tif", "type": COG, "eo:bands": [{"name": "B04"}]},
        "nir": {"href": "b08.tif", "type": COG, "eo:bands": [{"name": "B08", "common_name": "nir"}]},
        "x": {"href": "b8a.tif", "type": COG, "eo:bands": [{"name": "B8A", "common_name": "nir"}]},
        "y": {"href": "b06.tif", "type": COG, "bands": [{"name": "y", "eo:common_name": "rededge075"}]},
        "z": {"href": "which.tif", "type": COG, "bands": [{"name": "z", "eo:common_name": "rededge"}]},
        "B12": {"href": "b12.xml", "type": "application/xml"},
        "SCL": {"href": "scl.tif", "type": COG, "roles": ["data"]},
    });
    let scene = read(&item).unwrap();
    let chosen: Vec<_> = scene.bands.iter().map(|(band, asset)| (band.name(), asset.href.as_str())).collect();
    assert_eq!(chosen, [("B04", "/d/red.tif"), ("B06", "/d/b06.tif"), ("B08", "/d/b08.tif"), ("B8A", "/d/b8a.tif")]);
}

#[test]
fn the_finest_comes_before_the_format() {
    let mut item = item();
    item["assets"]["B04_10m"] = json!({"href": "b04.jp2", "type": "image/jp2", "roles": ["data"], "gsd": 10});
    item["assets"]["B04"]["gsd"] = json!(20);
    assert_eq!(read(&item).unwrap().bands[&Band::B04].href, "/d/b04.jp2");
    // Where one does not tell, it has the band's own resolution.
    item["assets"]["B04"].as_object_mut().unwrap().remove("gsd");
    assert_eq!(read(&item).unwrap().bands[&Band::B04].href, "/d/B04.tif");
}

#[test]
fn grids_are_read_from_asset_or_item() {
    let mut item = item();
    set(&mut item, "proj:code", json!("EPSG:32633"));
    item["assets"]["B04"]["proj:shape"] = json!([915, 914]);
    item["assets"]["B04"]["proj:transform"] = json!([120.0, 0.0, 499_980.0, 0.0, -120.0, 5_100_000.0, 0, 0, 1]);
    let grid = read(&item).unwrap().bands[&Band::B04].grid.clone().unwrap();
    assert_eq!((grid.epsg, grid.shape), (32633, [915, 914]));
    assert_eq!(grid.transform, [120.0, 0.0, 499_980.0, 0.0, -120.0, 5_100_000.0]);
    item["assets"]["B04"]["proj:epsg"] = json!(32634);
    assert_eq!(read(&item).unwrap().bands[&Band::B04].grid.as_ref().unwrap().epsg, 32634);
}

/// An item whose one raster covers its tile, with a footprint.
fn placed(epsg: u32, [ulx, uly]: [f64; 2], ring: &[[f64; 2]]) -> Value {
    let mut item = item();
    item["assets"]["B04"]["proj:transform"] = json!([10, 0, ulx, 0, -10, uly]);
    item["assets"]["B04"]["proj:shape"] = json!([10980, 10980]);
    set(&mut item, "proj:epsg", json!(epsg));
    item["geometry"] = json!({"type": "Polygon", "coordinates": [ring]});
    item
}

#[test]
fn a_footprint_far_from_its_rasters_is_refused() {
    let square = |west: f64, south: f64| {
        [[west, south], [west + 1.0, south], [west + 1.0, south + 0.9], [west, south + 0.9], [west, south]]
    };
    // 33TWL lies from 15 to 16.4 degrees east and from 45 to 46 north.
    read(&placed(32633, [499980.0, 5100000.0], &square(15.1, 45.1))).unwrap();
    read(&placed(32633, [499980.0, 5100000.0], &square(15.1, 45.1)[..1])).unwrap();
    for (west, south) in [(18.1, 45.1), (15.1, 46.6), (-15.1, 45.1)] {
        let text = read(&placed(32633, [499980.0, 5100000.0], &square(west, south))).unwrap_err().to_string();
        assert!(text.starts_with("item X: its footprint and its rasters lie apart") && !text.contains('\n'), "{text}");
        assert!(text.contains("B04"), "{text}");
    }
    // 60KXF, about the antimeridian: on either side of it, across it, and drawn the wrong way around the globe.
    let across = [600000.0, 8200000.0];
    for ring in [
        vec![[178.0, -17.0], [178.9, -17.0], [178.9, -16.4], [178.0, -17.0]],
        vec![[178.0, -17.0], [-181.1, -17.0], [-181.1, -16.4], [178.0, -17.0]],
        vec![[-179.9, -17.0], [179.9, -17.0], [179.9, -16.4], [-179.9, -17.0]],
    ] {
        read(&placed(32760, across, &ring)).unwrap();
    }
    assert!(read(&placed(32760, across, &square(178.1, 16.4))).is_err(), "in the other hemisphere");
    // In a plane that is told nowhere nothing can be said.
    read(&placed(3035, [499980.0, 5100000.0], &square(18.1, 45.1))).unwrap();
}

#[test]
fn what_is_no_scene_says_so_in_one_line() {
    let without_part = |field: &str| {
        let mut item = item();
        item.as_object_mut().unwrap().remove(field);
        read(&item).unwrap_err().to_string()
    };
    assert!(without_part("type").starts_with("item X: not a STAC item"));
    assert!(without_part("id").starts_with("item (without id): not a STAC item"));
    assert!(without_part("assets").contains("`assets` is missing"));
    assert!(without_part("properties").contains("`properties` is missing"));
    assert!(read(&json!([1])).is_err());

    let without = |fields: &[&str]| {
        let mut item = item();
        cut(&mut item, fields);
        read(&item).unwrap_err().to_string()
    };
    assert!(without(&["grid:code"]).starts_with("item X: no MGRS tile: expected grid:code, s2:mgrs_tile"));
    assert!(without(&["platform"]).starts_with("item X: no Sentinel-2 platform"));
    assert!(without(&["s2:datatake_id", "datetime"]).starts_with("item X: no datatake start"));

    let mut item = item();
    set(&mut item, "grid:code", json!("MGRS-99XYZ"));
    assert_eq!(read(&item).unwrap_err().to_string(), "item X: grid:code: `MGRS-99XYZ` is no MGRS tile");
}
