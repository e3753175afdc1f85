//! A publication of small real rasters: what GDAL makes of the VRT, and what the documents say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod killed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use artifacts::contents::{Contents, FileEntry};
use artifacts::{ArtifactStore, Folder};
use coordinator::publish::report::{Observations, Report, State};
use coordinator::publish::snapshot::{Origin, Scenes};
use coordinator::publish::{MadeTile, Picture, Publication, PublishError, Published, SceneProvenance, publish, vrt};
use mosaic::aoi::Aoi;
use mosaic::assemble::TileMeta;
use mosaic::grid::{PixelGrid, Window, tile_grid};
use mosaic::ids::{Key, SystemIndex, TileId};
use mosaic::link::Linkage;
use mosaic::plan::{OutputTile, Outputs, Plan, Recipe, TaskKind};
use mosaic::product::Product;
use mosaic::request::{Request, parse};
use serde_json::{Value, json};

const NAME: &str = "test-2023-08";

fn request() -> Request {
    let text = format!(
        "{{version: 1, name: {NAME}, aoi: {{tiles: [33TWL]}}, period: {{start: 2023-08-01, end: 2023-09-01}}, \
         bands: [B04, B03, B02, B05], scenes: {{items: items.json}}, scores: {{template: '{{system_index}}.tif'}}, \
         grid: {{resolution: 120}}, output: out}}"
    );
    parse(&text).expect("the request is good")
}

fn native(id: &str, window: Window) -> OutputTile {
    let tile: TileId = id.parse().unwrap();
    let grid = tile_grid(tile, 120.0).unwrap().windowed(&window);
    OutputTile { id: id.into(), native: Some(tile), grid, owners: vec![tile], inputs: Vec::new() }
}

/// The western edge of 33TWL and the eastern edge of 33TVL: they share a strip, half a pixel off each other's lattice.
fn neighbours() -> Vec<OutputTile> {
    let whole = tile_grid("33TVL".parse().unwrap(), 120.0).unwrap();
    let east = Window { x0: whole.width - 200, y0: 0, width: 200, height: 100 };
    vec![native("33TVL", east), native("33TWL", Window { x0: 0, y0: 0, width: 150, height: 100 })]
}

fn outputs(request: &Request, tiles: Vec<OutputTile>) -> Outputs {
    Outputs {
        crs: request.grid.crs,
        operation: None,
        resampling: request.grid.resampling,
        dtype: request.median.dtype,
        bands: request.bands.clone(),
        products: mosaic::product::median_alone(),
        working_resolution: 120.0,
        aoi: Aoi::from_tiles(&["33TWL".parse().unwrap()]).unwrap(),
        tiles,
    }
}

/// A plan whose tiles are planned elsewhere.
fn plan(request: &Request, outputs: &Outputs) -> Plan {
    let median = request.median;
    let recipe = Recipe {
        bands: request.bands.clone(),
        threshold: request.scores.threshold,
        score_band: request.scores.band,
        dtype: median.dtype,
        min_observations: median.min_observations,
        edge_erosion: 0,
        products: vec![Product::Median],
    };
    Plan {
        name: request.name.clone(),
        request: Key::of("test", request),
        slices: vec![request.period],
        sliced: false,
        recipe,
        tiles: Vec::new(),
        outputs: outputs.clone(),
        reads: Vec::new(),
    }
}

fn scene(index: &str, href: Option<&str>) -> SceneProvenance {
    SceneProvenance {
        id: format!("item of {index}"),
        collection: Some("sentinel-2-l2a".into()),
        system_index: SystemIndex(index.into()),
        sensing_start: "2023-08-15T09:50:31Z".parse().unwrap(),
        baseline: Some("05.09".parse().unwrap()),
        item_href: href.map(str::to_owned),
        score: BTreeMap::from([
            ("MODEL_VERSION".into(), json!("1.0")),
            ("PROCESSING_SOFTWARE_VERSION".into(), json!(3)),
        ]),
    }
}

const CLEAR: &str = "20230815T095031_20230815T095630_T33TWL";
const CLOUDY: &str = "20230820T095031_20230820T095630_T33TWL";

/// Whether GDAL's programs are installed; tests that need them say so and pass where they are not.
fn gdal_is_here() -> bool {
    let here = Command::new("gdal_create").arg("--version").output().is_ok_and(|o| o.status.success());
    if !here {
        eprintln!("SKIPPED: gdal_create is not installed (Debian: gdal-bin)");
    }
    here
}

fn raster(path: &Path, grid: &PixelGrid, value: u16) {
    let b = grid.bounds(&grid.window());
    let text = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>();
    let made = Command::new("gdal_create")
        .args(["-q", "-of", "GTiff", "-ot", "UInt16", "-co", "TILED=YES", "-a_nodata", "0", "-outsize"])
        .args(text(&[grid.width as f64, grid.height as f64]))
        .args(["-burn", &value.to_string(), "-a_srs", &format!("EPSG:{}", grid.epsg), "-a_ullr"])
        .args(text(&[b.min_x, b.max_y, b.max_x, b.min_y]))
        .arg(path)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "gdal_create {}", path.display());
}

/// What is to be published: artifacts of output tiles, and what they came from.
struct Made {
    request: Request,
    outputs: Outputs,
    plan: Plan,
    tiles: Vec<Option<MadeTile>>,
    picture: Picture,
    linked: Scenes,
    artifacts: ArtifactStore,
}

impl Made {
    /// Those of output tiles whose rasters hold these values, written by `write`, which tells their names; none: the tile
    /// could not be made.
    fn new(
        root: &Path,
        tiles: Vec<OutputTile>,
        values: &[Option<u16>],
        write: impl Fn(&Path, &Outputs, &OutputTile) -> Vec<String>,
    ) -> Self {
        let request = request();
        let outputs = outputs(&request, tiles);
        let store = root.join("store");
        let made = |(tile, value): (&OutputTile, &Option<u16>)| {
            let dir = store.join(&tile.id);
            std::fs::create_dir_all(&dir).unwrap();
            (*value).map(|value| {
                let meta = TileMeta {
                    observations: BTreeMap::from([(value, tile.grid.window().pixels() as u64)]),
                    contributors: BTreeSet::from([SystemIndex(CLEAR.into())]),
                    doubts: BTreeMap::new(),
                };
                let names = write(&dir, &outputs, tile);
                let contents = Contents::write(&dir, "0123456789abcdef0123456789abcdef", &names, meta).unwrap();
                MadeTile { folder: Folder::Directory(dir), contents }
            })
        };
        let tiles: Vec<_> = outputs.tiles.iter().zip(values).map(made).collect();
        std::fs::write(store.join("quicklook.png"), b"a picture").unwrap();
        let entry = FileEntry::of(&store, "quicklook.png").unwrap();
        let mut report = Report::of_linkage(NAME, &Linkage::default());
        report.observations = Observations::of(tiles.iter().flatten().map(|made| &made.contents.meta.observations));
        if values.contains(&None) {
            report.state = State::Incomplete;
        }
        let scenes = vec![scene(CLEAR, None), scene(CLOUDY, Some("https://example.com/items/cloudy"))];
        Self {
            plan: plan(&request, &outputs),
            picture: Picture { folder: Folder::Directory(store), entry, tag: None },
            linked: Scenes { report, scenes },
            artifacts: ArtifactStore::directory(&root.join("artifacts")).unwrap(),
            request,
            outputs,
            tiles,
        }
    }

    /// Publishes it as the version of this number.
    fn publish(&self, output: &Folder, number: u64) -> Result<Published, PublishError> {
        let publication = Publication {
            request: &self.request,
            outputs: &self.outputs,
            tiles: self.tiles.clone(),
            quicklook: Some(self.picture.clone()),
            scenes: &self.linked.scenes,
            projection: None,
            report: &self.linked.report,
            origin: Origin { request: &self.request, plan: &self.plan, scenes: &self.linked, store: &self.artifacts },
            predecessor: (number > 1).then_some(number - 1),
            now: "2023-09-02T01:02:03.456Z".parse().unwrap(),
            software: "0.1.0",
        };
        publish(&publication, output, number)
    }
}

/// Publishes output tiles whose rasters hold these values; none: the tile could not be made.
fn published(root: &Path, tiles: Vec<OutputTile>, values: &[Option<u16>]) -> PathBuf {
    published_after(root, tiles, values, |_| {}).unwrap().at.into()
}

/// The same, after something has befallen the store.
fn published_after(
    root: &Path,
    tiles: Vec<OutputTile>,
    values: &[Option<u16>],
    befalls: impl FnOnce(&Path),
) -> Result<Published, PublishError> {
    let of_tile: BTreeMap<String, u16> =
        tiles.iter().zip(values).filter_map(|(tile, value)| Some((tile.id.clone(), (*value)?))).collect();
    let made = Made::new(root, tiles, values, |dir, outputs, tile| rasters(dir, outputs, tile, of_tile[&tile.id]));
    befalls(&root.join("store"));
    made.publish(&Folder::Directory(root.join("out")), 1)
}

/// Writes rasters that all hold one value: their names.
fn rasters(dir: &Path, outputs: &Outputs, tile: &OutputTile, value: u16) -> Vec<String> {
    let mut names: Vec<String> = outputs.bands.iter().map(|band| format!("{band}.tif")).collect();
    names.push("count.tif".into());
    names.iter().for_each(|name| raster(&dir.join(name), &tile.grid, value));
    names
}

fn document(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Value of one band of a VRT at a place, CRS units. Not by gdallocationinfo, which reads complex numbers, for which
/// GDAL 3.6 takes no notice of a source's nodata.
fn value_at(vrt: &str, info: &Value, band: usize, x: f64, y: f64) -> String {
    let transform: Vec<f64> = serde_json::from_value(info["geoTransform"].clone()).unwrap();
    let column = ((x - transform[0]) / transform[1]).floor().to_string();
    let row = ((y - transform[3]) / transform[5]).floor().to_string();
    let band = band.to_string();
    let args = ["-q", "-of", "XYZ", "-b", &band, "-srcwin", &column, &row, "1", "1", vrt, "/vsistdout/"];
    said("gdal_translate", &args).split_whitespace().last().unwrap().to_owned()
}

#[test]
fn the_vrt_opens_in_gdal_and_nodata_hides_nothing() {
    if !gdal_is_here() {
        return;
    }
    for values in [[0, 7], [7, 0]] {
        let root = tempfile::tempdir().unwrap();
        let tiles = neighbours();
        let at = published(root.path(), tiles.clone(), &values.map(Some));
        let vrt = at.join("mosaic.vrt").to_string_lossy().into_owned();
        let info: Value = serde_json::from_str(&said("gdalinfo", &["-json", &vrt])).unwrap();
        assert_eq!(info["bands"].as_array().unwrap().len(), 5);
        let descriptions: Vec<&str> =
            info["bands"].as_array().unwrap().iter().map(|b| b["description"].as_str().unwrap()).collect();
        assert_eq!(descriptions, ["B04", "B03", "B02", "B05", "count"]);
        assert_eq!(info["bands"][0]["scale"], 0.0001);
        assert_eq!(info["bands"][0]["noDataValue"], 0.0);
        assert!(info["coordinateSystem"]["wkt"].as_str().unwrap().contains("UTM zone 33N"));
        let [west, east] = [0, 1].map(|i| tiles[i].grid.bounds(&tiles[i].grid.window()));
        let y = (east.min_y + east.max_y) / 2.0 + 13.0;
        assert!(east.min_x < west.max_x, "they share a strip");
        let shared = (east.min_x + west.max_x) / 2.0 + 17.0;
        for band in 1..=5 {
            assert_eq!(value_at(&vrt, &info, band, shared, y), "7", "band {band} of {values:?}");
            assert_eq!(value_at(&vrt, &info, band, west.min_x + 300.0, y), values[0].to_string());
            assert_eq!(value_at(&vrt, &info, band, east.max_x - 300.0, y), values[1].to_string());
        }
    }
}

#[test]
fn what_is_not_as_it_was_made_is_not_published() {
    if !gdal_is_here() {
        return;
    }
    let (spoilt, gone) = (TaskKind::Mosaic { output: 0 }, TaskKind::Mosaic { output: 1 });
    let flip = |file: PathBuf| {
        let mut bytes = std::fs::read(&file).unwrap();
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    let hurt = |store: &Path| {
        flip(store.join("33TVL/count.tif"));
        std::fs::remove_file(store.join("33TWL/B03.tif")).unwrap();
        flip(store.join("quicklook.png"));
    };
    let root = tempfile::tempdir().unwrap();
    let published = published_after(root.path(), neighbours(), &[Some(5), Some(7)], hurt);
    let Err(PublishError::Lost(lost)) = published else { panic!("{published:?}") };
    assert_eq!(lost, [spoilt, gone, TaskKind::Quicklook]);
    let out = root.path().join("out");
    assert!(!out.join(NAME).exists());
    assert_eq!(std::fs::read_dir(out.join(".versions").join(NAME)).unwrap().count(), 0, "nothing is left of it");
}

#[test]
fn a_crs_whose_first_axis_is_north_lies_where_it_should() {
    if !gdal_is_here() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let grid = PixelGrid { epsg: 3035, ulx: 4_320_000.0, uly: 3_210_600.0, resolution: 10.0, width: 120, height: 120 };
    let tile = OutputTile { id: "x0y0".into(), native: None, grid, owners: Vec::new(), inputs: Vec::new() };
    let outputs = outputs(&request(), vec![tile.clone()]);
    let dir = root.path().join("tiles").join(&tile.id);
    std::fs::create_dir_all(&dir).unwrap();
    rasters(&dir, &outputs, &tile, 5);
    let vrts = vrt::vrts(&outputs, &[&tile]);
    let path = root.path().join(&vrts[0].name);
    std::fs::write(&path, &vrts[0].xml).unwrap();
    let info: Value = serde_json::from_str(&said("gdalinfo", &["-json", &path.to_string_lossy()])).unwrap();
    // The projection's centre, 10 degrees east and 52 north, is within.
    let corner: [f64; 2] = serde_json::from_value(info["wgs84Extent"]["coordinates"][0][0].clone()).unwrap();
    assert!((corner[0] - 10.0).abs() < 0.05 && (corner[1] - 52.0).abs() < 0.05, "{corner:?}");
    assert_eq!(info["coordinateSystem"]["dataAxisToSRSAxisMapping"], json!([2, 1]));
}

#[test]
fn several_zones_have_a_vrt_each() {
    if !gdal_is_here() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let window = Window { x0: 0, y0: 0, width: 20, height: 20 };
    let at = published(root.path(), vec![native("32TQR", window), native("33TWL", window)], &[Some(3), Some(4)]);
    assert!(!at.join("mosaic.vrt").exists());
    for epsg in ["32632", "32633"] {
        said("gdalinfo", &[&at.join(format!("mosaic-{epsg}.vrt")).to_string_lossy()]);
    }
    let assets = document(at.join("collection.json"))["assets"].clone();
    assert!(assets["mosaic-32632"].is_object() && assets["mosaic-32633"].is_object());
}

#[test]
fn an_item_says_where_its_pixels_come_from() {
    if !gdal_is_here() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let at = published(root.path(), neighbours(), &[None, Some(7)]);
    assert!(!at.join("items/33TVL.json").exists(), "what was not made has no item");
    let item = document(at.join("items/33TWL.json"));
    let properties = &item["properties"];
    assert_eq!(properties["datetime"], Value::Null);
    assert_eq!(properties["end_datetime"], "2023-08-31T23:59:59Z");
    assert_eq!(properties["created"], "2023-09-02T01:02:03Z");
    assert_eq!(properties["grid:code"], "MGRS-33TWL");
    assert_eq!(properties["proj:shape"], json!([100, 150]));
    assert_eq!(properties["clearmosaic:baselines"], json!(["05.09"]));
    assert_eq!(properties["clearmosaic:score_processing_software_versions"], json!(["3"]));
    let derived: Vec<&Value> =
        item["links"].as_array().unwrap().iter().filter(|link| link["rel"] == "derived_from").collect();
    assert_eq!(derived.len(), 1, "a scene without a clear pixel gave nothing");
    assert_eq!(derived[0]["href"], format!("urn:sentinel-2:{CLEAR}"));
    let red = &item["assets"]["B04"];
    let file = at.join("items").join(red["href"].as_str().unwrap());
    let digest = blake3::hash(&std::fs::read(&file).unwrap()).to_hex();
    assert_eq!(red["file:checksum"], format!("1e20{digest}"));
    assert_eq!(item["assets"].as_object().unwrap().len(), 5);
    let collection = document(at.join("collection.json"));
    assert!(collection["description"].as_str().unwrap().contains("Parts could not be made"));
    assert_eq!(document(at.join("report.json"))["observations"], json!({"min": 7, "median": 7, "max": 7}));
}

#[test]
fn stac_is_valid_by_its_schemas() {
    let Some(python) = std::env::var_os("STAC_PYTHON") else {
        eprintln!("SKIPPED: set STAC_PYTHON to a Python made ready by tests/stac/validate.py --help");
        return;
    };
    if !gdal_is_here() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let at = published(root.path(), neighbours(), &[Some(5), Some(7)]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/stac/validate.py");
    let status = Command::new(python).arg(script).arg(&at).status().unwrap();
    assert!(status.success());
}
