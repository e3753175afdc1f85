//! Small requests, catalogues and projections for the tests of plans and of what is assembled from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use mosaic::aoi::Aoi;
use mosaic::assemble::Composites;
use mosaic::composite::{Composite, Plane};
use mosaic::grid::{Window, subtiles};
use mosaic::ids::{SystemIndex, TileId};
use mosaic::period::Period;
use mosaic::period::parse_instant;
use mosaic::plan::{self, Inputs, OutputTile, Outputs, Plan, PlanError, Planned, SceneInput, SourceFile, TileShard};
use mosaic::projection::{Projection, ProjectionError};
use mosaic::request::{self, Dtype, Request};
use mosaic::scene::Datatake;

pub fn tile(id: &str) -> TileId {
    id.parse().unwrap()
}

pub fn tiles(ids: &[&str]) -> Vec<TileId> {
    ids.iter().map(|id| tile(id)).collect()
}

/// A request of two bands, its grid written as in YAML.
pub fn request(grid: &str) -> Request {
    let text = format!(
        "{{version: 1, name: a, aoi: a, period: {{start: 2023-01-01, end: 2024-01-01}}, bands: [B04, B02],
          scenes: {{items: i}}, scores: {{items: s}}, grid: {grid}, output: o}}"
    );
    request::parse(&text).unwrap()
}

fn file(name: &str) -> SourceFile {
    SourceFile { href: format!("/data/{name}"), version: format!("v-{name}"), size: Some(1) }
}

/// A scene of a tile, sensed at 10 o'clock of a day.
pub fn scene(tile: TileId, day: &str) -> SceneInput {
    let start = parse_instant(&format!("{day}T10:00:00Z")).unwrap();
    SceneInput {
        id: format!("{tile}-{day}"),
        system_index: SystemIndex(format!("{day}-{tile}")),
        datatake: Datatake { start, platform: "sentinel-2a".into() },
        offset: -1000,
        bands: vec![file(&format!("{tile}-{day}-B02")), file(&format!("{tile}-{day}-B04"))],
        score: file(&format!("{tile}-{day}-score")),
        score_made: BTreeMap::new(),
        slice: usize::MAX,
    }
}

pub fn catalogue(tiles: &[TileId], days: &[&str]) -> BTreeMap<TileId, Vec<SceneInput>> {
    tiles.iter().map(|tile| (*tile, days.iter().map(|day| scene(*tile, day)).collect())).collect()
}

/// The plan of a request for tiles with one scene each.
pub fn plan_of(
    request: &Request,
    aoi: &Aoi,
    tiles: &[TileId],
    resolution: f64,
    projection: Option<&dyn Projection>,
) -> Whole {
    let scenes = catalogue(tiles, &["2023-05-01"]);
    let projection = projection.map(|projection| (projection, "operation".to_owned()));
    whole(Inputs { request, aoi, scenes, working_resolution: resolution, projection }).unwrap()
}

/// A plan with all that it does not keep itself: the shards, and what each output tile reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub plan: Plan,
    pub slices: Vec<Period>,
    pub shards: Vec<TileShard>,
    pub outputs: Outputs,
}

pub fn whole(inputs: Inputs<'_>) -> Result<Whole, PlanError> {
    let shards = Mutex::new(BTreeMap::new());
    let plan = plan::build(inputs, |index, key, shard: &TileShard| {
        assert_eq!(*key, shard.key());
        shards.lock().unwrap().insert(index, shard.clone());
        Ok::<_, PlanError>(())
    })?;
    let planned = Planned::new(plan.clone()).unwrap();
    let tiles = (0..plan.outputs.tiles.len()).map(|output| planned.output_tile(output)).collect();
    let shards = shards.into_inner().unwrap().into_values().collect();
    Ok(Whole { slices: plan.slices.clone(), shards, outputs: plan.outputs.with_tiles(tiles), plan })
}

/// Longitude and latitude in units of so many degrees, turned a little so that nothing lines up.
#[derive(Clone, Copy, Debug)]
pub struct Degrees {
    pub unit: f64,
    pub turn: f64,
}

impl Projection for Degrees {
    fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
        let (sin, cos) = self.turn.sin_cos();
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = ((*x * cos - *y * sin) * self.unit, (*x * sin + *y * cos) * self.unit);
        }
        Ok(())
    }

    fn from_lonlat(&self, lon: &mut [f64], lat: &mut [f64]) -> Result<(), ProjectionError> {
        let (sin, cos) = self.turn.sin_cos();
        for (x, y) in lon.iter_mut().zip(lat) {
            let (u, v) = (*x / self.unit, *y / self.unit);
            (*x, *y) = (u * cos + v * sin, v * cos - u * sin);
        }
        Ok(())
    }
}

/// The values of a tile's pixel: count, and one per band in ascending order of bands; 0 is nodata.
pub type Values = fn(TileId, usize, usize) -> (u16, [f32; 2]);

/// Composites made up of a function, those alone that the plan names.
pub struct MadeUp {
    composites: HashMap<(TileId, u16, u16), Arc<Composite>>,
}

impl MadeUp {
    pub fn new(tile: &OutputTile, resolution: f64, dtype: Dtype, values: Values) -> Self {
        let whole = subtiles(resolution).unwrap().map(|at| at.window.x1()).max().unwrap();
        let make = |id: TileId, window: Window| {
            assert!(window.x1() <= whole);
            let pixels: Vec<_> = (window.y0..window.y1())
                .flat_map(|row| (window.x0..window.x1()).map(move |column| values(id, column, row)))
                .collect();
            let plane = |band: usize| match dtype {
                Dtype::Uint16 => Plane::U16(pixels.iter().map(|(_, v)| v[band] as u16).collect()),
                Dtype::Float32 => Plane::F32(pixels.iter().map(|(_, v)| v[band]).collect()),
            };
            Composite { counts: pixels.iter().map(|(count, _)| *count).collect(), bands: vec![plane(0), plane(1)] }
        };
        let one = |input: &plan::CompositeRef| {
            ((input.tile, input.at.column, input.at.row), Arc::new(make(input.tile, input.at.window)))
        };
        Self { composites: tile.inputs.iter().map(one).collect() }
    }
}

impl Composites for MadeUp {
    type Error = String;

    fn get(&self, tile: TileId, column: u16, row: u16) -> Result<Option<Arc<Composite>>, String> {
        let found = self.composites.get(&(tile, column, row));
        found.cloned().map(Some).ok_or_else(|| format!("{tile}/{column}-{row} is not planned"))
    }
}
