//! What is made while things go wrong: mosaics, each as `run` makes it, undisturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{MADE, World, artifacts, rasters, run, slovenia};

/// Requests, and what comes of them.
pub struct Scene {
    /// The archive, where it was made for the scene.
    _world: Option<World>,
    dir: TempDir,
    /// The mosaics.
    pub mosaics: Vec<Mosaic>,
    /// How many artifacts are made for all of them.
    pub artifacts: usize,
    /// The room that they take, in megabytes.
    pub megabytes: u32,
}

/// A request, and what comes of it.
pub struct Mosaic {
    /// Its name.
    pub name: String,
    request: Value,
    /// Every raster, as `run` makes it.
    pub rasters: BTreeMap<String, Vec<u8>>,
    /// Every file, relative to the mosaic.
    pub files: Vec<PathBuf>,
    /// How many tasks it takes.
    pub tasks: u64,
}

impl Scene {
    /// A made-up archive of hundreds of small tasks: one mosaic.
    #[must_use]
    pub fn many() -> Self {
        Self::made_up("many")
    }

    /// A larger one.
    #[must_use]
    pub fn large() -> Self {
        Self::made_up("large")
    }

    fn made_up(name: &str) -> Self {
        let world = World::new(name);
        let at = |name: &str| world.path(name).to_string_lossy().into_owned();
        let request = world.request(&json!({
            "scenes": {"items": at("items.json")},
            "scores": {"template": at("scores/{system_index}.tif")},
        }));
        Self::of(vec![request], Some(world))
    }

    /// The real Sentinel-2 of two Slovenian tiles, by date, with several thresholds: several mosaics at once. None, said
    /// loudly, where the data is not there.
    #[must_use]
    pub fn slovenia() -> Option<Self> {
        let data = slovenia()?;
        let data = data.to_string_lossy();
        let request = |percent: u32| {
            json!({
                "version": 1, "name": format!("slovenia-{percent}"), "aoi": {"tiles": ["33TWL", "33TWM"]},
                "period": {"start": "2023-08-01", "end": "2023-09-01"}, "slice": "P1D",
                "bands": ["B04", "B03", "B02", "B08"], "scenes": {"items": format!("{data}/items.json")},
                "scores": {"template": format!("{data}/scores/{{system_index}}.tif"), "threshold": f64::from(percent) / 100.0},
                "grid": {"crs": "native", "resolution": 120},
            })
        };
        Some(Self::of((0..8).map(|n| request(45 + 5 * n)).collect(), None))
    }

    fn of(requests: Vec<Value>, world: Option<World>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let whole = dir.path().join("whole");
        let mosaic = |request: Value| Mosaic::of(request, &whole);
        let mosaics = requests.into_iter().map(mosaic).collect();
        let store = whole.join(".store");
        let artifacts = artifacts(&store, &MADE).len();
        let length = |file: &PathBuf| fs::metadata(store.join(file)).map_or(0, |metadata| metadata.len());
        let megabytes = (files(&store, &store).iter().map(length).sum::<u64>() >> 20) as u32;
        Self { _world: world, dir, mosaics, artifacts, megabytes }
    }

    /// A directory for one schedule.
    #[must_use]
    pub fn directory(&self) -> TempDir {
        tempfile::tempdir_in(self.dir.path()).expect("a temporary directory")
    }
}

impl Mosaic {
    fn of(request: Value, whole: &Path) -> Self {
        let name = request["name"].as_str().expect("a name").to_owned();
        let mut mosaic = Self { name, request, rasters: BTreeMap::new(), files: Vec::new(), tasks: 0 };
        let report = run(&mosaic.write(whole), &[]).complete();
        mosaic.tasks = tasks(&report);
        let at = whole.join(&mosaic.name);
        mosaic.rasters = rasters(&at);
        mosaic.files = files(&at, &at);
        mosaic
    }

    /// Writes the request, to be published in `output`, beside that; its path.
    #[must_use]
    pub fn write(&self, output: &Path) -> PathBuf {
        let mut request = self.request.clone();
        request["output"] = output.to_string_lossy().into();
        let path = output.with_extension(format!("{}.json", self.name));
        fs::write(&path, request.to_string()).expect("a request is written");
        path
    }
}

/// How many tasks a report tells of.
#[must_use]
pub fn tasks(report: &Value) -> u64 {
    ["done", "reused", "failed"].iter().map(|end| report["tasks"][end].as_u64().unwrap_or(0)).sum()
}

/// Every file below a directory, relative to `base`.
fn files(dir: &Path, base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| {
        if path.is_dir() { files(&path, base) } else { vec![path.strip_prefix(base).expect("below").to_owned()] }
    };
    entries.flat_map(below).collect()
}
