use serde_json::{Value, json};

use super::super::{Aoi, AoiError};
use super::{polygon, tile};

fn read(value: &Value) -> Result<Aoi, AoiError> {
    Aoi::from_geojson(&value.to_string())
}

fn square(west: f64, south: f64, side: f64) -> Value {
    let (east, north) = (west + side, south + side);
    json!([[[west, south], [east, south], [east, north], [west, north], [west, south]]])
}

#[test]
fn every_polygonal_kind_is_read() {
    let polygon = json!({ "type": "Polygon", "coordinates": square(10.0, 45.0, 1.0) });
    let multi = json!({ "type": "MultiPolygon", "coordinates": [square(10.0, 45.0, 1.0), square(20.0, 45.0, 1.0)] });
    let collection = json!({ "type": "GeometryCollection", "geometries": [polygon, multi] });
    let feature = json!({ "type": "Feature", "properties": null, "geometry": collection });
    let features = json!({ "type": "FeatureCollection", "features": [feature,
        { "type": "Feature", "properties": {}, "geometry": null }] });
    for document in [&polygon, &multi, &collection, &feature, &features] {
        assert!(read(document).unwrap().contains(10.5, 45.5), "{document}");
        assert!(!read(document).unwrap().contains(15.0, 45.5), "{document}");
    }
    assert!(read(&features).unwrap().contains(20.5, 45.5));
    assert!(Aoi::from_geojson(&format!("\u{feff}{polygon}")).is_ok(), "a byte order mark");
}

#[test]
fn what_has_no_area_is_refused_by_number_and_type() {
    let point = json!({ "type": "Point", "coordinates": [1, 2] });
    let good = json!({ "type": "Polygon", "coordinates": square(10.0, 45.0, 1.0) });
    let feature = |g: &Value| json!({ "type": "Feature", "properties": {}, "geometry": g });
    let mixed = json!({ "type": "FeatureCollection", "features": [feature(&good), feature(&point)] });
    assert_eq!(read(&mixed).unwrap_err(), AoiError::NotPolygonal { at: "feature 2".into(), kind: "Point" });
    assert!(matches!(
        read(&json!({ "type": "LineString", "coordinates": [[1, 2], [3, 4]] })),
        Err(AoiError::NotPolygonal { .. })
    ));
    assert_eq!(read(&json!({ "type": "FeatureCollection", "features": [] })).unwrap_err(), AoiError::Empty);
    assert_eq!(read(&json!({ "type": "MultiPolygon", "coordinates": [] })).unwrap_err(), AoiError::Empty);
    assert_eq!(read(&json!({ "type": "Polygon", "coordinates": [] })).unwrap_err(), AoiError::Empty);
    assert_eq!(Aoi::from_tiles(&[]).unwrap_err(), AoiError::Empty);
    for text in ["", "{}", "[1, 2]", "{\"type\": \"Polygon\"}", "{\"type\": \"Topology\"}", "null"] {
        assert!(matches!(Aoi::from_geojson(text), Err(AoiError::Json(_))), "{text}");
    }
}

#[test]
fn bad_rings_are_refused() {
    let ring = |ring: Value| read(&json!({ "type": "Polygon", "coordinates": [ring] })).unwrap_err();
    assert!(matches!(ring(json!([[0, 0], [1, 0], [1, 1], [0, 1]])), AoiError::OpenRing { .. }));
    assert!(matches!(ring(json!([[0, 0], [1, 0], [0, 0]])), AoiError::ShortRing { positions: 3, .. }));
    assert!(matches!(ring(json!([])), AoiError::ShortRing { positions: 0, .. }));
    assert!(matches!(ring(json!([[5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]])), AoiError::Position { .. }));
    assert!(matches!(ring(json!([[0, 0], [1, 0], [1, 84.5], [0, 0]])), AoiError::Pole { lat: 84.5, .. }));
    assert!(matches!(ring(json!([[0, -90], [1, -90], [1, -70], [0, -90]])), AoiError::Pole { .. }));
    let around = json!([[-180, 60], [-60, 60], [60, 60], [175, 60], [-180, 60]]);
    assert!(matches!(ring(around), AoiError::AroundPole { .. }));
    let message = ring(json!([[0, 0], [1, 0], [1, 84.5], [0, 0]])).to_string();
    assert!(message.contains("no tiles in UTM"), "{message}");
}

#[test]
fn another_crs_is_refused() {
    let named = |name: &str| {
        let crs = json!({ "type": "name", "properties": { "name": name } });
        read(&json!({ "type": "Polygon", "coordinates": square(10.0, 45.0, 1.0), "crs": crs }))
    };
    assert!(named("urn:ogc:def:crs:OGC:1.3:CRS84").is_ok());
    assert!(named("EPSG:4326").is_ok());
    assert_eq!(named("urn:ogc:def:crs:EPSG::3857").unwrap_err(), AoiError::Crs("urn:ogc:def:crs:EPSG::3857".into()));
}

#[test]
fn holes_are_out() {
    let aoi = polygon(&[
        &[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]],
        &[[4.0, 4.0], [4.0, 6.0], [6.0, 6.0], [6.0, 4.0], [4.0, 4.0]],
    ]);
    assert!(aoi.contains(3.0, 5.0) && !aoi.contains(5.0, 5.0) && aoi.contains(7.0, 5.0));
}

#[test]
fn the_antimeridian_is_crossed_however_it_is_written() {
    let short = polygon(&[&[[178.0, -20.0], [-178.0, -20.0], [-178.0, -15.0], [178.0, -15.0], [178.0, -20.0]]]);
    let long = polygon(&[&[[178.0, -20.0], [182.0, -20.0], [182.0, -15.0], [178.0, -15.0], [178.0, -20.0]]]);
    let west = polygon(&[&[[-182.0, -20.0], [-178.0, -20.0], [-178.0, -15.0], [-182.0, -15.0], [-182.0, -20.0]]]);
    let bbox = Aoi::from_bbox([178.0, -20.0, -178.0, -15.0]).unwrap();
    let cut = read(&short.geojson()).unwrap();
    assert_eq!(short.geojson()["coordinates"].as_array().unwrap().len(), 2);
    for aoi in [short, long, west, bbox, cut] {
        for lon in [178.5, 179.999, 180.0, -180.0, -179.0, 181.0, -181.0, 541.0] {
            assert!(aoi.contains(lon, -17.0), "{lon}");
        }
        assert!(!aoi.contains(177.9, -17.0) && !aoi.contains(-177.9, -17.0) && !aoi.contains(0.0, -17.0));
        assert_eq!(aoi.bbox(), [178.0, -20.0, -178.0, -15.0]);
    }
}

#[test]
fn a_hole_beyond_the_antimeridian_follows_its_polygon() {
    let aoi = polygon(&[
        &[[170.0, 0.0], [-170.0, 0.0], [-170.0, 10.0], [170.0, 10.0], [170.0, 0.0]],
        &[[-178.0, 4.0], [-178.0, 6.0], [-176.0, 6.0], [-176.0, 4.0], [-178.0, 4.0]],
    ]);
    assert!(!aoi.contains(-177.0, 5.0) && aoi.contains(-179.0, 5.0) && aoi.contains(175.0, 5.0));
    let back = read(&aoi.geojson()).unwrap();
    assert!(!back.contains(-177.0, 5.0) && back.contains(-179.0, 5.0) && back.contains(175.0, 5.0));
}

#[test]
fn the_whole_world_is_no_ring_around_a_pole() {
    let corners = [[-180.0, -80.0], [180.0, -80.0], [180.0, 84.0], [-180.0, 84.0], [-180.0, -80.0]];
    for aoi in [polygon(&[&corners]), Aoi::from_bbox([-180.0, -80.0, 180.0, 84.0]).unwrap()] {
        assert!(aoi.contains(0.0, 0.0) && aoi.contains(180.0, 50.0) && aoi.contains(-180.0, -50.0));
        assert_eq!(aoi.bbox(), [-180.0, -80.0, 180.0, 84.0]);
    }
}

#[test]
fn bboxes_are_checked() {
    let error = |bbox| Aoi::from_bbox(bbox).unwrap_err();
    assert!(matches!(error([0.0, 5.0, 1.0, 5.0]), AoiError::SouthNotBelowNorth { .. }));
    assert!(matches!(error([0.0, 6.0, 1.0, 5.0]), AoiError::SouthNotBelowNorth { .. }));
    assert!(matches!(error([1.0, 4.0, 1.0, 5.0]), AoiError::Width { .. }));
    assert!(matches!(error([0.0, -90.0, 1.0, 5.0]), AoiError::Pole { .. }));
    assert!(matches!(error([f64::NAN, 0.0, 1.0, 5.0]), AoiError::Position { .. }));
    assert!(matches!(error([0.0, 0.0, f64::INFINITY, 5.0]), AoiError::Position { .. }));
}

#[test]
fn bboxes_take_the_narrow_way() {
    let two = |a: f64, b: f64| {
        read(&json!({ "type": "MultiPolygon", "coordinates": [square(a, 0.0, 2.0), square(b, 0.0, 2.0)] }))
            .unwrap()
            .bbox()
    };
    assert_eq!(two(178.0, -180.0), [178.0, 0.0, -178.0, 2.0]);
    assert_eq!(two(10.0, -60.0), [-60.0, 0.0, 12.0, 2.0]);
    assert_eq!(two(100.0, -100.0), [100.0, 0.0, -98.0, 2.0]);
}

#[test]
fn discs_are_round_on_the_ground() {
    let aoi = Aoi::from_point(15.5, 46.1, 25_000.0).unwrap();
    assert!(aoi.contains(15.5, 46.1));
    // One kilometre is 0.009 degrees of latitude and 0.01293 of longitude here.
    assert!(aoi.contains(15.5, 46.1 + 0.2248) && !aoi.contains(15.5, 46.1 + 0.2251));
    assert!(aoi.contains(15.5 + 0.3230, 46.1) && !aoi.contains(15.5 + 0.3240, 46.1));
    let fiji = Aoi::from_point(179.9, -17.5, 40_000.0).unwrap();
    assert!(fiji.contains(-179.9, -17.5) && fiji.contains(179.6, -17.5));
    assert!(fiji.bbox()[0] > fiji.bbox()[2]);
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Aoi::from_point(0.0, 0.0, radius), Err(AoiError::Radius(_))), "{radius}");
    }
    assert!(matches!(Aoi::from_point(0.0, 83.9, 20_000.0), Err(AoiError::Pole { .. })));
    assert!(matches!(Aoi::from_point(0.0, -79.0, 2_000_000.0), Err(AoiError::Pole { .. })));
    assert!(matches!(Aoi::from_point(0.0, 0.0, 15_000_000.0), Err(AoiError::Pole { .. })));
    assert!(matches!(Aoi::from_point(0.0, 91.0, 1.0), Err(AoiError::Position { .. })));
}

#[test]
fn tiles_are_kept_as_such() {
    let aoi = Aoi::from_tiles(&[tile("33TWM"), tile("33TWL"), tile("33TWM")]).unwrap();
    assert_eq!(aoi.only_tiles(), Some(&[tile("33TWL"), tile("33TWM")][..]));
    assert_eq!(Aoi::from_bbox([0.0, 0.0, 1.0, 1.0]).unwrap().only_tiles(), None);
    let dateline = Aoi::from_tiles(&[tile("01KAB"), tile("60KZG")]).unwrap();
    assert!(dateline.bbox()[0] > dateline.bbox()[2], "{:?}", dateline.bbox());
}

#[test]
fn geojson_comes_back_as_it_went_in() {
    let aoi = polygon(&[
        &[[0.0, 0.0], [0.0, 10.0], [10.0, 10.0], [10.0, 0.0], [0.0, 0.0]],
        &[[4.0, 4.0], [6.0, 4.0], [6.0, 6.0], [4.0, 6.0], [4.0, 4.0]],
    ]);
    let expected = json!({ "type": "MultiPolygon", "coordinates": [[
        [[10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0], [10.0, 0.0]],
        [[4.0, 6.0], [6.0, 6.0], [6.0, 4.0], [4.0, 4.0], [4.0, 6.0]],
    ]] });
    assert_eq!(aoi.geojson(), expected, "outer rings counter-clockwise, holes clockwise");
}
