//! Requests: what is read, what is refused, and in which words.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used)]

use mosaic::band::Band;
use mosaic::period::parse_instant;
use mosaic::product::Product;
use mosaic::request::{self, AoiSource, Crs, Dtype, Preset, Request, Resampling, SceneSource, ScoreBand, ScoreSource};
use proptest::prelude::*;

/// Every field there is.
const EXAMPLE: &str = r"
version: 1
name: slovenia-2023-08
aoi: aoi.geojson
period: {start: 2023-08-01, end: 2023-09-01}
months: [6, 7, 8]
slice: P1M
bands: [B04, B03, B02, B08]
filter: {cloud_cover_max: 90, platforms: [sentinel-2a], orbits: [22, 122]}
scenes:
  items: items.json
scores:
  template: scores/{system_index}.tif
  band: cs_cdf
  max_no_context_fraction: 1.0
  threshold: 0.60
median: {dtype: uint16, min_observations: 1}
grid: {crs: native, resolution: 10, tile_pixels: 10000, resampling: nearest}
output: out/
";

/// What must be there, in JSON.
const LEAST: &str = r#"{"version": 1, "name": "a", "aoi": {"tiles": ["33TWL"]},
    "period": {"start": "2023-08-01T12:00:00Z", "end": "2023-09-01"}, "bands": ["B8A"],
    "scenes": {"items": "i.json"}, "scores": {"items": "s.json"}, "output": "out"}"#;

/// What the author of the example is told who wrote `with` for `line`.
fn complaints(line: &str, with: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(line), "{line}");
    match request::parse_written(&EXAMPLE.replace(line, with)) {
        Err(error) => vec![error.to_string()],
        Ok(written) => match written.at(parse_instant("2024-03-31").unwrap()) {
            Err(fault) => vec![fault.to_string()],
            Ok(request) => request.faults().iter().map(ToString::to_string).collect(),
        },
    }
}

#[test]
fn what_is_kept_of_a_request_bears_no_rights() {
    let signed = [
        ("aoi: aoi.geojson", "aoi: https://h/a.geojson?sig=hunter2"),
        ("  items: items.json", "  items: https://me:hunter2@h/i.json"),
        ("template: scores/{system_index}.tif", "template: https://h/{system_index}.tif?x=1&token=hunter2"),
        ("output: out/", "output: az://c/out?sig=hunter2"),
    ];
    let text = signed.iter().fold(EXAMPLE.to_owned(), |text, (line, with)| text.replace(line, with));
    let request = request::parse(&text).unwrap();
    let kept = serde_json::to_string(&request.unsigned()).unwrap();
    assert!(!kept.contains("hunter2") && kept.contains("https://h/{system_index}.tif?x=1"), "{kept}");
    let bare = request::parse(EXAMPLE).unwrap();
    assert_eq!(bare.unsigned(), bare);
    let again = request::parse(&text.replace("hunter2", "hunter3")).unwrap();
    assert_eq!(again.unsigned(), request.unsigned(), "signed anew it is the same request");
}

#[test]
fn every_field_is_read() {
    let r = request::parse(EXAMPLE).unwrap();
    assert_eq!((r.version, r.name.as_str(), r.output.as_str()), (1, "slovenia-2023-08", "out/"));
    assert_eq!(r.aoi, AoiSource::File("aoi.geojson".into()));
    assert_eq!(r.period.to_string(), "2023-08-01..2023-09-01");
    assert_eq!((r.months.as_deref(), r.slice.unwrap().to_string().as_str()), (Some(&[6, 7, 8][..]), "P1M"));
    assert_eq!(r.bands, [Band::B04, Band::B03, Band::B02, Band::B08]);
    assert_eq!((r.filter.cloud_cover_max, r.filter.orbits), (Some(90.0), Some(vec![22, 122])));
    assert_eq!(r.filter.platforms, Some(vec!["sentinel-2a".into()]));
    assert_eq!(r.scenes, SceneSource::Items("items.json".into()));
    assert_eq!(r.scores.source, ScoreSource::Template("scores/{system_index}.tif".into()));
    assert_eq!((r.scores.band, r.scores.threshold, r.scores.max_no_context_fraction), (ScoreBand::CsCdf, 0.6, 1.0));
    assert_eq!((r.median.dtype, r.median.min_observations), (Dtype::Uint16, 1));
    assert_eq!((r.grid.crs, r.grid.resolution, r.grid.tile_pixels), (Crs::Native, 10.0, 10_000));
    assert_eq!(r.grid.resampling, Resampling::Nearest);
}

#[test]
fn what_may_be_left_out_has_its_default() {
    let r = request::parse(LEAST).unwrap();
    assert_eq!(r.faults(), []);
    assert_eq!(r.products, Product::DEFAULT);
    assert_eq!((r.slice, &r.months, &r.filter), (None, &None, &request::Filter::default()));
    assert_eq!((r.scores.threshold, r.scores.max_no_context_fraction), (0.6, 1.0));
    assert_eq!(r.scores.band, ScoreBand::CsCdf);
    assert_eq!((r.median, r.grid), (request::Median::default(), request::Grid::default()));
    assert_eq!(r.period.to_string(), "2023-08-01T12:00:00Z..2023-09-01");
}

#[test]
fn other_sources_and_grids_are_read() {
    let with = |line: &str, with: &str| request::parse(&EXAMPLE.replace(line, with)).unwrap();
    let aoi = |text: &str| with("aoi: aoi.geojson", &format!("aoi: {text}")).aoi;
    assert_eq!(aoi("{bbox: [179, -18, -179, -17.5]}"), AoiSource::Bbox { bbox: [179.0, -18.0, -179.0, -17.5] });
    assert_eq!(
        aoi("{tiles: [33TWL, 1VCG]}"),
        AoiSource::Tiles { tiles: vec!["33TWL".parse().unwrap(), "01VCG".parse().unwrap()] }
    );
    assert_eq!(aoi("{point: [15, 46], radius: 500}"), AoiSource::Point { point: [15.0, 46.0], radius: 500.0 });
    let scenes = |text: &str| with("  items: items.json", &format!("  {text}")).scenes;
    assert_eq!(scenes("preset: cdse"), SceneSource::Preset(Preset::Cdse));
    assert_eq!(scenes("earth_engine: COPERNICUS/S2"), SceneSource::EarthEngine("COPERNICUS/S2".into()));
    assert!(
        matches!(scenes("stac: {url: 'https://h', collection: c}"), SceneSource::Stac(api) if api.collection == "c")
    );
    let products = with("slice: P1M", "slice: P1M\nproducts: [median, p10]").products;
    assert_eq!(products, [Product::Median, Product::P10]);
    assert_eq!(with("crs: native", "crs: EPSG:3035").grid.crs, Crs::Epsg(3035));
    assert_eq!(with("band: cs_cdf", "band: cs").scores.band, ScoreBand::Cs);
    assert_eq!(with("dtype: uint16", "dtype: float32").median.dtype, Dtype::Float32);
}

#[test]
fn each_fault_is_one_line_that_names_its_field() {
    for (line, with, want) in FAULTS {
        assert_eq!(complaints(line, with), [*want], "{with}");
        assert!(!want.contains('\n'));
    }
}

#[test]
fn several_faults_are_told_at_once() {
    let faults = complaints(
        "threshold: 0.60\nmedian: {dtype: uint16, min_observations: 1}",
        "threshold: 7\nmedian: {min_observations: 0}",
    );
    assert_eq!(faults, ["`scores.threshold`: 7 is outside 0..1", "`median.min_observations`: 0: write 1 or more"]);
}

#[test]
fn what_is_no_mapping_is_told_in_one_line() {
    for text in ["", "5", "[]", "{", "hello", "{\"version\": 1,}", "a: [1,\nb: 2", "\u{1}"] {
        let error = request::parse(text).unwrap_err().to_string();
        assert!(!error.is_empty() && !error.contains('\n') && !error.contains("struct"), "{error}");
    }
}

#[test]
fn the_schema_describes_every_field_and_no_other() {
    let schema = request::schema();
    let example = serde_json::to_value(request::parse(EXAMPLE).unwrap()).unwrap();
    for field in example.as_object().unwrap().keys() {
        assert!(schema["properties"].get(field).is_some(), "{field}");
    }
    assert_eq!(schema["additionalProperties"], false);
    let defs = &schema["$defs"];
    assert_eq!(defs["Scores"]["unevaluatedProperties"], false);
    for (form, fields) in [(0, &["start", "end"]), (1, &["last", "whole"])] {
        let form = &defs["Period"]["anyOf"][form];
        assert_eq!(form["additionalProperties"], false);
        assert!(fields.iter().all(|field| form["properties"].get(field).is_some()), "{form}");
    }
    for name in ["Filter", "Median", "Grid", "StacApi"] {
        assert_eq!(defs[name]["additionalProperties"], false, "{name}");
    }
    for (name, forms) in [("AoiSource", "anyOf"), ("SceneSource", "oneOf")] {
        for form in defs[name][forms].as_array().unwrap() {
            assert!(form["type"] == "string" || form["additionalProperties"] == false, "{name}: {form}");
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 1..20).prop_map(|chars| chars.into_iter().collect())
}

fn aoi() -> impl Strategy<Value = AoiSource> {
    prop_oneof![
        text().prop_map(AoiSource::File),
        any::<[i32; 4]>().prop_map(|b| AoiSource::Bbox { bbox: b.map(|v| f64::from(v) / 1e7) }),
        Just(AoiSource::Tiles { tiles: vec!["33TWL".parse().unwrap()] }),
        (any::<[i32; 2]>(), 1e-9..1e9f64)
            .prop_map(|(p, radius)| AoiSource::Point { point: p.map(|v| f64::from(v) / 1e7), radius }),
    ]
}

fn scenes() -> impl Strategy<Value = SceneSource> {
    let api = (text(), text()).prop_map(|(url, collection)| SceneSource::Stac(request::StacApi { url, collection }));
    prop_oneof![
        text().prop_map(SceneSource::Items),
        text().prop_map(SceneSource::EarthEngine),
        Just(SceneSource::Preset(Preset::PlanetaryComputer)),
        api
    ]
}

proptest! {
    #[test]
    fn a_request_survives_json(
        aoi in aoi(), scenes in scenes(), output in text(), threshold in 0.0..1.0f64, resolution in 1e-12..1e12f64,
        months in prop::option::of(prop::collection::vec(1u8..=12, 1..4)), cloud in prop::option::of(0.0..100.0f64),
        slice in prop::option::of(prop_oneof![Just("P1M"), Just("P16D"), Just("P2Y")]), seconds in 0i64..4_000_000_000,
    ) {
        let mut r: Request = request::parse(EXAMPLE).unwrap();
        (r.aoi, r.scenes, r.output, r.months) = (aoi, scenes, output, months);
        (r.scores.threshold, r.grid.resolution, r.filter.cloud_cover_max) = (threshold, resolution, cloud);
        r.slice = slice.map(|text| text.parse().unwrap());
        r.period.end = jiff::Timestamp::from_second(seconds).unwrap();
        for json in [serde_json::to_string(&r).unwrap(), serde_json::to_string_pretty(&r).unwrap()] {
            prop_assert_eq!(&request::parse(&json).unwrap(), &r, "{}", json);
        }
    }
}

/// A line of the example, what is written for it, and what the author is told.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "output: out/",
        "outputs: out/",
        "`outputs`: unknown field, expected one of `version`, `name`, `aoi`, `period`, `months`, `slice`, `bands`, `products`, `filter`, `scenes`, `scores`, `edge_erosion`, `on_unreadable`, `median`, `grid`, `output`, `profile`, `profiles` at line 19 column 1",
    ),
    (
        "output: out/",
        "output: out/\nextra: 1",
        "`extra`: unknown field, expected one of `version`, `name`, `aoi`, `period`, `months`, `slice`, `bands`, `products`, `filter`, `scenes`, `scores`, `edge_erosion`, `on_unreadable`, `median`, `grid`, `output`, `profile`, `profiles` at line 20 column 1",
    ),
    ("output: out/", "output: ''", "`output`: empty: name a directory"),
    ("output: out/", "output: [a]", "`output`: invalid type: list, expected text at line 19 column 9"),
    ("output: out/\n", "", "`output`: missing"),
    (
        "name: slovenia-2023-08",
        "name: Slovenia",
        "`name`: `Slovenia`: use lower-case letters, digits and hyphens, at most 100",
    ),
    ("name: slovenia-2023-08", "name: ''", "`name`: ``: use lower-case letters, digits and hyphens, at most 100"),
    ("name: slovenia-2023-08", "name: a/b", "`name`: `a/b`: use lower-case letters, digits and hyphens, at most 100"),
    ("version: 1", "version: 2", "`version`: 2 is not known: write 1"),
    ("version: 1", "version: one", "`version`: invalid type: string \"one\", expected a whole number, 0 or more"),
    ("version: 1", "version: -1", "`version`: invalid type: integer `-1`, expected a whole number, 0 or more"),
    (
        "aoi: aoi.geojson",
        "aoi: 5",
        "`aoi`: invalid type: integer `5`, expected a GeoJSON file's path, or {bbox}, {tiles} or {point, radius} at line 4 column 6",
    ),
    (
        "aoi: aoi.geojson",
        "aoi: {}",
        "`aoi`: give a GeoJSON file, or one of bbox, tiles, point with radius at line 4 column 6",
    ),
    ("aoi: aoi.geojson", "aoi: ''", "`aoi`: empty: name a GeoJSON file"),
    (
        "aoi: aoi.geojson",
        "aoi:",
        "`aoi`: nothing there, expected a GeoJSON file's path, or {bbox}, {tiles} or {point, radius} at line 4 column 5",
    ),
    (
        "aoi: aoi.geojson",
        "aoi: {box: [1, 2, 3, 4]}",
        "`aoi.box`: unknown field, expected one of `bbox`, `tiles`, `point`, `radius` at line 4 column 7",
    ),
    (
        "aoi: aoi.geojson",
        "aoi: {bbox: [1, 2, 3]}",
        "`aoi.bbox`: invalid length 3, expected a list of 4 at line 4 column 13",
    ),
    (
        "aoi: aoi.geojson",
        "aoi: {bbox: [1, 2, 3, 4, 5]}",
        "`aoi.bbox`: invalid length 5, expected a list of 4 at line 4 column 13",
    ),
    (
        "aoi: aoi.geojson",
        "aoi: {bbox: [1, 2, 3, x]}",
        "`aoi.bbox[3]`: invalid type: string \"x\", expected a number at line 4 column 23",
    ),
    ("aoi: aoi.geojson", "aoi: {bbox: [1, 50, 3, 4]}", "`aoi.bbox`: south (50) must lie below north (4)"),
    (
        "aoi: aoi.geojson",
        "aoi: {bbox: [1, 2, 3, 4], tiles: [33TWL]}",
        "`aoi`: give only one of bbox, tiles, point with radius at line 4 column 6",
    ),
    ("aoi: aoi.geojson", "aoi: {tiles: []}", "`aoi.tiles`: empty: name a tile"),
    (
        "aoi: aoi.geojson",
        "aoi: {tiles: [33TXX, 99TWL]}",
        "`aoi.tiles[0]`: `33TXX` is no MGRS tile: write it as 33TWL at line 4 column 14",
    ),
    ("aoi: aoi.geojson", "aoi: {point: [1, 2]}", "`aoi`: `point` needs a `radius` in metres at line 4 column 6"),
    ("aoi: aoi.geojson", "aoi: {point: [1, 2], radius: 0}", "`aoi.radius`: 0 m: write more than 0"),
    (
        "aoi: aoi.geojson",
        "aoi: {point: [1, 2], radius: far}",
        "`aoi.radius`: invalid type: string \"far\", expected a number at line 4 column 30",
    ),
    ("aoi: aoi.geojson", "aoi: {radius: 5}", "`aoi`: `radius` needs a `point` at line 4 column 6"),
    (
        "end: 2023-09-01",
        "end: 2023-07-01",
        "`period`: 2023-08-01..2023-07-01 is empty: `end` is exclusive and must be after `start`",
    ),
    (
        "end: 2023-09-01",
        "end: 2023-13-01",
        "`period.end`: `2023-13-01` is no date: write 2023-08-01 or 2023-08-01T00:00:00Z at line 5 column 9",
    ),
    (
        "end: 2023-09-01",
        "end: yesterday",
        "`period.end`: `yesterday` is no date: write 2023-08-01 or 2023-08-01T00:00:00Z at line 5 column 9",
    ),
    (
        "end: 2023-09-01",
        "end: 5",
        "`period.end`: `5` is no date: write 2023-08-01 or 2023-08-01T00:00:00Z at line 5 column 9",
    ),
    (", end: 2023-09-01", "", "`period.end`: missing"),
    (
        "end: 2023-09-01",
        "end: 2023-09-01, stop: 1",
        "`period.stop`: unknown field, expected one of `start`, `end`, `last`, `whole` at line 5 column 46",
    ),
    (
        "period: {start: 2023-08-01, end: 2023-09-01}",
        "period: 2023",
        "`period`: invalid type: integer `2023`, expected {start, end} or {last} at line 5 column 9",
    ),
    (
        "period: {start: 2023-08-01, end: 2023-09-01}",
        "period: {last: a year}",
        "`period.last`: `a year` is no length: write P7D, P1M or P1Y at line 5 column 9",
    ),
    (
        "period: {start: 2023-08-01, end: 2023-09-01}",
        "period: {last: P12M, end: 2023-09-01}",
        "`period`: give `start` and `end`, or `last`",
    ),
    (
        "period: {start: 2023-08-01, end: 2023-09-01}",
        "period: {last: P27D}",
        "`period`: the last P27D hold no whole slice of P1M: write more, or `whole: false`",
    ),
    ("months: [6, 7, 8]", "months: [0, 13]", "`months`: [0, 13]: list months from 1 to 12"),
    (
        "months: [6, 7, 8]",
        "months: [300]",
        "`months[0]`: invalid value: integer `300`, expected a whole number from 0 to 255 at line 6 column 10",
    ),
    (
        "months: [6, 7, 8]",
        "months: [june]",
        "`months[0]`: invalid type: string \"june\", expected a whole number from 0 to 255 at line 6 column 10",
    ),
    ("months: [6, 7, 8]", "months: []", "`months`: []: list months from 1 to 12"),
    ("months: [6, 7, 8]", "months: 6", "`months`: invalid type: integer `6`, expected a list at line 6 column 9"),
    ("slice: P1M", "slice: 1M", "`slice`: `1M` is no length: write P7D, P1M or P1Y"),
    ("slice: P1M", "slice: P0D", "`slice`: `P0D` is no length: write P7D, P1M or P1Y"),
    ("slice: P1M", "slice: 30", "`slice`: `30` is no length: write P7D, P1M or P1Y"),
    (
        "bands: [B04, B03, B02, B08]",
        "bands: [B04, B99]",
        "`bands[1]`: `B99` is no Sentinel-2 band: use one of B01 to B12 or B8A at line 8 column 8",
    ),
    (
        "bands: [B04, B03, B02, B08]",
        "bands: [B04, red]",
        "`bands[1]`: `red` is no Sentinel-2 band: use one of B01 to B12 or B8A at line 8 column 8",
    ),
    (
        "bands: [B04, B03, B02, B08]",
        "bands: [B04, 4]",
        "`bands[1]`: `4` is no Sentinel-2 band: use one of B01 to B12 or B8A at line 8 column 8",
    ),
    ("bands: [B04, B03, B02, B08]", "bands: [B04, B04]", "`bands`: B04 stands there twice"),
    ("bands: [B04, B03, B02, B08]", "bands: []", "`bands`: empty: name a band, B04 say"),
    (
        "bands: [B04, B03, B02, B08]",
        "bands: B04",
        "`bands`: invalid type: string \"B04\", expected a list at line 8 column 8",
    ),
    ("cloud_cover_max: 90", "cloud_cover_max: 101", "`filter.cloud_cover_max`: 101 is outside 0..100 percent"),
    (
        "cloud_cover_max: 90",
        "cloud_cover_max: lots",
        "`filter.cloud_cover_max`: invalid type: string \"lots\", expected a number at line 9 column 27",
    ),
    (
        "cloud_cover_max: 90",
        "cloud_max: 90",
        "`filter.cloud_max`: unknown field, expected one of `cloud_cover_max`, `platforms`, `orbits` at line 9 column 10",
    ),
    (
        "platforms: [sentinel-2a]",
        "platforms: sentinel-2a",
        "`filter.platforms`: invalid type: string \"sentinel-2a\", expected a list at line 9 column 42",
    ),
    ("platforms: [sentinel-2a]", "platforms: []", "`filter.platforms`: empty: name a platform"),
    (
        "platforms: [sentinel-2a]",
        "platforms: [landsat-8]",
        "`filter.platforms`: `landsat-8`: write them as sentinel-2a",
    ),
    ("orbits: [22, 122]", "orbits: [0]", "`filter.orbits`: [0]: list relative orbits from 1 to 143"),
    (
        "orbits: [22, 122]",
        "orbits: [-1]",
        "`filter.orbits[0]`: invalid type: integer `-1`, expected a whole number from 0 to 65535 at line 9 column 66",
    ),
    ("orbits: [22, 122]", "orbits: [144]", "`filter.orbits`: [144]: list relative orbits from 1 to 143"),
    (
        "  items: items.json",
        "  items: items.json\n  preset: cdse",
        "`scenes`: items and preset are given: give exactly one of items, stac, earth_engine, preset",
    ),
    (
        "  items: items.json",
        "  itmes: items.json",
        "`scenes.itmes`: unknown field, expected one of `items`, `stac`, `earth_engine`, `preset` at line 11 column 3",
    ),
    ("  items: items.json", "  {}", "`scenes`: no source: give exactly one of items, stac, earth_engine, preset"),
    ("  items: items.json", "  items: [a]", "`scenes.items`: invalid type: list, expected text at line 11 column 10"),
    ("  items: items.json", "  items: ''", "`scenes.items`: empty: name a file"),
    (
        "  items: items.json",
        "  items.json",
        "`scenes`: invalid type: string \"items.json\", expected a source, {items: items.json} say at line 11 column 3",
    ),
    ("  items: items.json", "  stac: {url: 'https://h/'}", "`scenes.stac.collection`: missing at line 11 column 9"),
    (
        "  items: items.json",
        "  stac: {url: 'https://h/', collection: c, colection: d}",
        "`scenes.stac.colection`: unknown field, expected `url` or `collection` at line 11 column 44",
    ),
    (
        "  items: items.json",
        "  stac: https://h/",
        "`scenes.stac`: invalid type: string \"https://h/\", expected {url, collection} at line 11 column 9",
    ),
    (
        "  items: items.json",
        "  preset: usgs",
        "`scenes.preset`: unknown value `usgs`, expected one of `earth-search`, `planetary-computer`, `cdse`, `earth-engine` at line 11 column 11",
    ),
    (
        "  items: items.json",
        "  items: 's3://b/items.json'",
        "`scenes.items`: catalogues are read from files and by https: write a path or an https URL",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  items: s.json\n  template: s",
        "`scores`: template and items are given: give exactly one of template, items, stac, earth_engine",
    ),
    (
        "  template: scores/{system_index}.tif\n",
        "",
        "`scores`: no source: give exactly one of template, items, stac, earth_engine",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  template: scores.tif",
        "`scores.template`: `scores.tif`: {system_index} is missing: every score needs a path of its own",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  template: scores/{system_idx}.tif",
        "`scores.template`: unknown placeholder {system_idx}: use {system_index}, {tile}, {year} or {month}",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  template: 5",
        "`scores.template`: `5`: {system_index} is missing: every score needs a path of its own",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  templat: x",
        "`scores.templat`: unknown field, expected one of `template`, `items`, `stac`, `earth_engine`, `band`, `threshold`, `max_no_context_fraction` at line 13 column 3",
    ),
    (
        "  template: scores/{system_index}.tif",
        "  stac: {url: 5, collection: c}",
        "`scores.stac.url`: `5`: write the https URL of the API's root",
    ),
    ("threshold: 0.60", "threshold: 1.5", "`scores.threshold`: 1.5 is outside 0..1"),
    ("threshold: 0.60", "threshold: .nan", "`scores.threshold`: NaN is outside 0..1"),
    (
        "threshold: 0.60",
        "threshold: high",
        "`scores.threshold`: invalid type: string \"high\", expected a number at line 16 column 14",
    ),
    (
        "threshold: 0.60",
        "treshold: 0.6",
        "`scores.treshold`: unknown field, expected one of `template`, `items`, `stac`, `earth_engine`, `band`, `threshold`, `max_no_context_fraction` at line 16 column 3",
    ),
    (
        "max_no_context_fraction: 1.0",
        "max_no_context_fraction: -1",
        "`scores.max_no_context_fraction`: -1 is outside 0..1",
    ),
    (
        "band: cs_cdf",
        "band: cscdf",
        "`scores.band`: unknown value `cscdf`, expected `cs_cdf` or `cs` at line 14 column 9",
    ),
    (
        "dtype: uint16",
        "dtype: int16",
        "`median.dtype`: unknown value `int16`, expected `uint16` or `float32` at line 17 column 17",
    ),
    ("min_observations: 1", "min_observations: 0", "`median.min_observations`: 0: write 1 or more"),
    (
        "min_observations: 1",
        "min_observations: 70000",
        "`median.min_observations`: invalid value: integer `70000`, expected a whole number from 0 to 65535 at line 17 column 43",
    ),
    (
        "min_observations: 1",
        "min_obs: 1",
        "`median.min_obs`: unknown field, expected `dtype` or `min_observations` at line 17 column 25",
    ),
    (
        "resolution: 10",
        "resolution: 7",
        "`grid.resolution`: 7 m does not divide a tile's 109,800 m: use 10, 20, 60 or 120, say",
    ),
    ("resolution: 10", "resolution: 0", "`grid.resolution`: 0: write a number above 0"),
    ("resolution: 10", "resolution: -10", "`grid.resolution`: -10: write a number above 0"),
    (
        "resolution: 10",
        "resolution: ten",
        "`grid.resolution`: invalid type: string \"ten\", expected a number at line 18 column 33",
    ),
    ("resolution: 10", "resolution: .inf", "`grid.resolution`: inf: write a number above 0"),
    ("crs: native", "crs: EPSG:x", "`grid.crs`: `EPSG:x` is no grid: write native or EPSG:3035 at line 18 column 7"),
    ("crs: native", "crs: 3035", "`grid.crs`: `3035` is no grid: write native or EPSG:3035 at line 18 column 7"),
    ("crs: native", "crs: nativ", "`grid.crs`: `nativ` is no grid: write native or EPSG:3035 at line 18 column 7"),
    ("tile_pixels: 10000", "tile_pixels: 5", "`grid.tile_pixels`: 5 is outside 16..100000"),
    (
        "tile_pixels: 10000",
        "tile_pixels: -5",
        "`grid.tile_pixels`: invalid type: integer `-5`, expected a whole number, 0 or more at line 18 column 50",
    ),
    (
        "resampling: nearest",
        "resampling: lanczos",
        "`grid.resampling`: unknown value `lanczos`, expected one of `nearest`, `bilinear`, `cubic`, `average` at line 18 column 69",
    ),
    (
        "grid: {crs",
        "grid: {cell: 5, crs",
        "`grid.cell`: unknown field, expected one of `crs`, `resolution`, `tile_pixels`, `resampling` at line 18 column 8",
    ),
    (
        "grid: {crs: native, resolution: 10, tile_pixels: 10000, resampling: nearest}",
        "grid: native",
        "`grid`: invalid type: string \"native\", expected {crs, resolution, tile_pixels, resampling} at line 18 column 7",
    ),
    (
        "median: {",
        "median: {d: 1, ",
        "`median.d`: unknown field, expected `dtype` or `min_observations` at line 17 column 10",
    ),
    (
        "months: [6, 7, 8]",
        "months: [6, 7, 8",
        "`months[2]`: invalid type: string \"8 slice\", expected a whole number from 0 to 255 at line 6 column 16",
    ),
    (
        "months: [6, 7, 8]",
        "\tmonths: [6, 7, 8]",
        "found character that cannot start any token at line 6 column 1, while scanning for the next token",
    ),
    ("name: slovenia-2023-08", "name: a\nname: b", "`name`: given twice"),
];

#[test]
fn the_examples_are_requests_as_they_stand() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples");
    let examples: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(examples.len() >= 3, "{examples:?}");
    for path in examples {
        let request = request::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(request.faults(), [], "{}", path.display());
    }
}
