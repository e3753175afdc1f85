//! Real items of every provider: key, offset and band assets.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mosaic::band::Band;
use mosaic::href::Base;
use mosaic::scene::{IndexClue, Media, Provider, Scene};
use serde_json::{Value, json};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/system-index");

fn shared() -> Option<&'static Path> {
    let path = Path::new(SHARED);
    if !path.exists() {
        eprintln!("SKIPPED: {SHARED} is not there");
        return None;
    }
    Some(path)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every real item by its path below `items/`; none where the shared data are absent.
fn items() -> BTreeMap<String, (PathBuf, Value)> {
    let Some(shared) = shared() else { return BTreeMap::new() };
    let items = shared.join("items");
    let read = |path: PathBuf| {
        let item: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.strip_prefix(&items).unwrap().display().to_string(), (path, item))
    };
    files(&items).into_iter().map(read).collect()
}

fn scene(path: &Path, item: &Value) -> Scene {
    Scene::from_item(item, &Base::of_file(path.to_str().unwrap())).unwrap()
}

/// File, key or clue to it, offset, provider, ends of the hrefs of B04, B08, B8A, B11, B02.
type Row = (&'static str, &'static str, i32, Provider, [&'static str; 5]);

const JP2: [&str; 5] = ["_B04_10m.jp2", "_B08_10m.jp2", "_B8A_20m.jp2", "_B11_20m.jp2", "_B02_10m.jp2"];
const SAFE: [&str; 5] = ["_B04_10m.tif", "_B08_10m.tif", "_B8A_20m.tif", "_B11_20m.tif", "_B02_10m.tif"];
const COG: [&str; 5] = ["_L2A/B04.tif", "_L2A/B08.tif", "_L2A/B8A.tif", "_L2A/B11.tif", "_L2A/B02.tif"];
/// An item as published: some of its hrefs are relative to it.
const RELATIVE: [&str; 5] = [
    "items/E84v1_sentinel-2-l2a/B04.tif",
    "items/E84v1_sentinel-2-l2a/B08.tif",
    "_L2A/B8A.tif",
    "_L2A/B11.tif",
    "items/E84v1_sentinel-2-l2a/B02.tif",
];

#[rustfmt::skip]
const EXPECTED: [Row; 11] = [
    ("CDSE_sentinel-2-l2a/S2B_MSIL2A_20200322T074609_N0500_R135_T36NYH_20230612T214223.json",
        "20200322T074609_20200322T075811_T36NYH", -1000, Provider::Cdse, JP2),
    ("CDSE_sentinel-2-l2a/S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005.json",
        "20260527T014651_20260527T014647_T55WFR", -1000, Provider::Cdse, JP2),
    ("E84v0_sentinel-s2-l2a-cogs/S2B_20EPT_20250731_0_L2A.json",
        "2025-07-31T13:19:09Z within 0 s", 0, Provider::EarthSearchV0, COG),
    ("E84v1_sentinel-2-c1-l2a/S2B_T20EPT_20250731T131905_L2A.json",
        "20250731T131909_20250731T131905_T20EPT", -1000, Provider::EarthSearchC1, COG),
    ("E84v1_sentinel-2-c1-l2a/S2B_T24MUA_20250731T130245_L2A.json",
        "20250731T130249_20250731T130245_T24MUA", -1000, Provider::EarthSearchC1, COG),
    ("E84v1_sentinel-2-l2a/S2A_12RWT_20240106_0_L2A.json",
        "20240106T175731_20240106T180527_T12RWT", 0, Provider::EarthSearchV1, RELATIVE),
    ("E84v1_sentinel-2-l2a/S2A_29RKH_20200219_0_L2A.json",
        "20200219T112111_20200219T113105_T29RKH", 0, Provider::EarthSearchV1, COG),
    ("E84v1_sentinel-2-l2a/S2B_24MUA_20250731_0_L2A.json",
        "20250731T130249_20250731T130245_T24MUA", 0, Provider::EarthSearchV1, COG),
    ("PC_sentinel-2-l2a/S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707.json",
        "2015-07-04T10:10:06Z within 1800 s", 0, Provider::PlanetaryComputer, SAFE),
    ("PC_sentinel-2-l2a/S2A_MSIL2A_20200601T080611_R078_T35MNM_20201027T072253.json",
        "20200601T080611_20200601T082835_T35MNM", 0, Provider::PlanetaryComputer, SAFE),
    ("PC_sentinel-2-l2a/S2B_MSIL2A_20250312T014549_R074_T53NKG_20250312T041213.json",
        "20250312T014549_20250312T014547_T53NKG", -1000, Provider::PlanetaryComputer, SAFE),
];

fn clue(scene: &Scene) -> String {
    match &scene.index {
        IndexClue::Exact(index) => index.to_string(),
        IndexClue::Start { start, tolerance_s } => format!("{start} within {tolerance_s} s"),
    }
}

#[test]
fn every_real_item_is_understood() {
    let items = items();
    if items.is_empty() {
        return;
    }
    assert!(items.keys().map(String::as_str).eq(EXPECTED.iter().map(|row| row.0)), "the table lists other items");
    for (name, key, offset, provider, hrefs) in EXPECTED {
        let (path, item) = &items[name];
        let scene = scene(path, item);
        assert_eq!((clue(&scene).as_str(), scene.offset, scene.provider), (key, offset, provider), "{name}");
        for (band, end) in [Band::B04, Band::B08, Band::B8A, Band::B11, Band::B02].iter().zip(hrefs) {
            assert!(scene.bands[band].href.ends_with(end), "{name} {band}: {}", scene.bands[band].href);
        }
    }
}

#[test]
fn every_real_item_has_all_bands_on_the_grid_of_its_tile() {
    for (name, (path, item)) in items() {
        let scene = scene(&path, &item);
        assert_eq!(scene.bands.len(), 12, "{name}: {:?}", scene.bands.keys());
        let cdse = scene.provider == Provider::Cdse;
        for (band, asset) in &scene.bands {
            let grid = asset.grid.as_ref().unwrap();
            assert_eq!(grid.epsg, scene.tile.epsg(), "{name} {band}");
            assert!((grid.transform[0] * grid.shape[1] as f64 - 109_800.0).abs() < 1e-6, "{name} {band}: {grid:?}");
            assert!((asset.resolution - grid.transform[0]).abs() < 1e-9, "{name} {band}");
            assert_eq!(asset.media, if cdse { Media::Jp2 } else { Media::Cog });
        }
        // The finest of several: CDSE offers B01 at 20 m too.
        let b01 = if cdse { 20 } else { 60 };
        assert_eq!(scene.bands[&Band::B01].resolution as i32, b01, "{name}");
        assert!(scene.platform.starts_with("sentinel-2") && scene.platform.len() == 11, "{}", scene.platform);
        assert!(scene.relative_orbit.is_some() && scene.baseline.is_some() && scene.version.made.is_some(), "{name}");
    }
}

#[test]
fn a_scene_survives_json() {
    for (path, item) in items().values() {
        let scene = scene(path, item);
        let text = serde_json::to_string(&scene).unwrap();
        assert_eq!(serde_json::from_str::<Scene>(&text).unwrap(), scene);
    }
}

/// An item of no provider in particular, of one row of the table of verified pairs.
fn synthetic(tile: &str, product: &str, granule: &str) -> Value {
    let href = format!("https://h/{product}.SAFE/GRANULE/{granule}/IMG_DATA/R10m/B04_10m.jp2");
    json!({
        "type": "Feature", "id": "synthetic", "collection": "x",
        "properties": {"grid:code": format!("MGRS-{tile}"), "s2:product_uri": format!("{product}.SAFE"),
            "platform": "sentinel-2a", "processing:version": "02.09"},
        "assets": {"B04_10m": {"href": href, "type": "image/jp2", "roles": ["data"]}},
    })
}

#[test]
fn verified_pairs_hold() {
    let Some(shared) = shared() else { return };
    let table = std::fs::read_to_string(shared.join("verified_pairs.csv")).unwrap();
    let (mut exact, mut inexact) = (0, 0);
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let (index, product, granule, strip) = (fields[1], fields[2], fields[3], fields[4]);
        let tile = index.rsplit_once("_T").unwrap().1;
        let mut item = synthetic(tile, product, granule);
        item["properties"]["s2:datastrip_id"] = json!(format!("S2A_OPER_MSI_L2A_DS_MPS__20990101T000000_S{strip}_N02"));
        if !product.contains("_MSIL") {
            // One row describes its product in words.
            item["properties"]["s2:datatake_id"] = json!(format!("GS2A_{}_018414_N02.07", &index[..15]));
        }
        let scene = scene(Path::new("/x.json"), &item);
        if row.contains(",yes") {
            assert_eq!(clue(&scene), index, "{row}");
            exact += 1;
        } else {
            assert!(scene.index.exact().is_none(), "{row}: {}", clue(&scene));
            inexact += 1;
        }
    }
    assert_eq!((exact, inexact), (11, 1));
}

#[test]
fn part_two_comes_from_the_granules_path_too() {
    let product = "S2A_MSIL2A_20190101T082331_N0211_R121_T34HCH_20190101T112242";
    let granule = "L2A_T34HCH_A018422_20190101T084846";
    let item = synthetic("34HCH", product, granule);
    assert_eq!(clue(&scene(Path::new("/x.json"), &item)), "20190101T082331_20190101T084846_T34HCH");
    let item = synthetic("34HCJ", product, granule);
    assert_eq!(clue(&scene(Path::new("/x.json"), &item)), "2019-01-01T08:23:31Z within 0 s");
}
