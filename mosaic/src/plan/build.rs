//! Builds the plan.

use std::collections::BTreeMap;

use super::lattice::{self, Placed};
use super::needed::{Needs, Output};
use super::{CompositeRef, OutputTile, Outputs, Plan, Recipe, SceneInput, TileShard};
use crate::aoi::Aoi;
use crate::grid::output::{CandidatesError, native_window};
use crate::grid::{self, Bounds, GridError, PixelGrid, Window};
use crate::ids::{Key, TileId};
use crate::owner::Owners;
use crate::period::Period;
use crate::projection::{Projection, ProjectionError, utm_of_epsg};
use crate::request::{Crs, Request};

/// What a plan is made of.
pub struct Inputs<'a> {
    /// The request.
    pub request: &'a Request,
    /// Its area.
    pub aoi: &'a Aoi,
    /// The linked scenes of each tile; their slices are still to be found.
    pub scenes: BTreeMap<TileId, Vec<SceneInput>>,
    /// Working resolution, metres.
    pub working_resolution: f64,
    /// The output's CRS, where it is not native, and by which PROJ operation it is reached: that is not asked for where
    /// the CRS is a UTM zone.
    pub projection: Option<(&'a dyn Projection, String)>,
}

/// A request that cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The grid is none.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The area cannot be transformed.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The output tiles cannot be listed.
    #[error(transparent)]
    Candidates(#[from] CandidatesError),
    /// The catalogue gave what was not asked for.
    #[error("scene {scene} was sensed outside of {period}")]
    OutsidePeriod {
        /// Its item.
        scene: String,
        /// The request's period.
        period: Period,
    },
}

/// Builds the plan of a request.
///
/// # Errors
/// Where the grid does not suit the area, the area cannot be transformed, or a scene lies outside of the period.
pub fn build(mut inputs: Inputs<'_>) -> Result<Plan, PlanError> {
    inputs.scenes.retain(|_, scenes| !scenes.is_empty());
    let request = inputs.request;
    let slices = request.slice.map_or_else(|| vec![request.period], |length| length.slices(&request.period));
    let owners = Owners::new(inputs.scenes.keys().copied());
    let output = Output {
        projection: projection(&inputs)?,
        resolution: request.grid.resolution,
        resampling: request.grid.resampling,
    };
    let needs = Needs::new(inputs.aoi, &owners, output);
    let mut shards = Vec::new();
    for (tile, scenes) in &inputs.scenes {
        let scenes = sorted(scenes, &slices, request.period)?;
        shards.push(shard(*tile, scenes, &inputs, &needs)?);
    }
    let outputs = outputs(&inputs, &shards, &owners, &needs)?;
    Ok(Plan {
        name: request.name.clone(),
        request: Key::of("clearmosaic request", request),
        slices,
        sliced: request.slice.is_some(),
        shards,
        outputs,
    })
}

/// The output's projection; none where it is native.
fn projection<'a>(inputs: &Inputs<'a>) -> Result<Option<&'a dyn Projection>, ProjectionError> {
    match (inputs.request.grid.crs, &inputs.projection) {
        (Crs::Native, _) => Ok(None),
        (Crs::Epsg(_), Some((projection, _))) => Ok(Some(*projection)),
        (Crs::Epsg(epsg), None) => Err(ProjectionError(format!("EPSG:{epsg}: no operation was chosen"))),
    }
}

/// The scenes by datatake, the chunks of a datatake by `system:index`; each with its slice.
fn sorted(scenes: &[SceneInput], slices: &[Period], period: Period) -> Result<Vec<SceneInput>, PlanError> {
    let mut scenes = scenes.to_vec();
    scenes.sort_by(|a, b| (&a.datatake, &a.system_index, &a.id).cmp(&(&b.datatake, &b.system_index, &b.id)));
    for scene in &mut scenes {
        let start = scene.datatake.start;
        scene.slice = slices.partition_point(|slice| slice.end <= start);
        if !slices.get(scene.slice).is_some_and(|slice| slice.contains(start)) {
            return Err(PlanError::OutsidePeriod { scene: scene.id.clone(), period });
        }
    }
    Ok(scenes)
}

fn shard(
    tile: TileId,
    scenes: Vec<SceneInput>,
    inputs: &Inputs<'_>,
    needs: &Needs<'_>,
) -> Result<TileShard, PlanError> {
    let request = inputs.request;
    let mut bands = request.bands.clone();
    bands.sort_unstable();
    let recipe = Recipe {
        bands,
        threshold: request.scores.threshold,
        score_band: request.scores.band,
        dtype: request.median.dtype,
        min_observations: request.median.min_observations,
    };
    let grid = grid::tile_grid(tile, inputs.working_resolution)?;
    let needs = needs.of_tile(tile, &grid)?;
    let mut needed = Vec::new();
    for at in grid::subtiles(inputs.working_resolution)? {
        if needs.window(&at.window)? {
            needed.push(at);
        }
    }
    let mut shard = TileShard { tile, grid, recipe, scenes, subtiles: Vec::new() };
    shard.add_subtiles(needed, request.slice.is_some());
    Ok(shard)
}

fn outputs(
    inputs: &Inputs<'_>,
    shards: &[TileShard],
    owners: &Owners,
    needs: &Needs<'_>,
) -> Result<Outputs, PlanError> {
    let request = inputs.request;
    let (tiles, operation) = match (request.grid.crs, &inputs.projection) {
        (Crs::Epsg(epsg), Some((projection, operation))) => {
            let placed: Result<Vec<_>, _> = shards.iter().map(|shard| Placed::new(shard, needs, *projection)).collect();
            let tiles = lattice::tiles(&request.grid, epsg, inputs.aoi, &placed?, owners, *projection)?;
            (tiles, utm_of_epsg(epsg).is_none().then(|| operation.clone()))
        }
        _ => (native_tiles(inputs, shards)?, None),
    };
    Ok(Outputs {
        crs: request.grid.crs,
        operation,
        resampling: request.grid.resampling,
        dtype: request.median.dtype,
        bands: request.bands.clone(),
        working_resolution: inputs.working_resolution,
        aoi: inputs.aoi.clone(),
        tiles,
    })
}

/// One output tile per MGRS tile with a linked scene, cut to the window that the AOI's bounds need.
fn native_tiles(inputs: &Inputs<'_>, shards: &[TileShard]) -> Result<Vec<OutputTile>, PlanError> {
    let mut tiles = Vec::new();
    for shard in shards {
        let window = native_window(shard.tile, inputs.working_resolution, inputs.aoi)?;
        let Some(window) = window.filter(|window| window.pixels() > 0) else { continue };
        let grid = shard.grid.windowed(&window);
        let bounds = in_zone(&grid, &grid.window());
        let near = |other: &&TileShard| {
            let footprint = in_zone(&other.grid, &other.grid.window());
            other.tile.zone() == shard.tile.zone() && footprint.intersection(&bounds).is_some()
        };
        let neighbours: Vec<&TileShard> = shards.iter().filter(near).collect();
        // A halo reaches a little beyond the window.
        let reach = 16.0 * inputs.working_resolution;
        let owners = neighbours.iter().map(|shard| shard.tile).collect();
        let takes = |other: &TileShard, window: &Window| {
            in_zone(&other.grid, window).widened(reach).intersection(&bounds).is_some()
        };
        let inputs = composites(&neighbours, takes);
        tiles.push(OutputTile { id: shard.tile.to_string(), native: Some(shard.tile), grid, owners, inputs });
    }
    Ok(tiles)
}

/// A window's edges, northings counted from the equator, so that both halves of a zone are one plane.
fn in_zone(grid: &PixelGrid, window: &Window) -> Bounds {
    let shift = utm_of_epsg(grid.epsg).map_or(0.0, |utm| utm.false_northing());
    let bounds = grid.bounds(window);
    Bounds { min_y: bounds.min_y - shift, max_y: bounds.max_y - shift, ..bounds }
}

fn composites(shards: &[&TileShard], takes: impl Fn(&TileShard, &Window) -> bool) -> Vec<CompositeRef> {
    let of_shard = |shard: &&TileShard| {
        let taken = shard.subtiles.iter().filter(|planned| takes(shard, &planned.at.window));
        taken
            .map(|planned| CompositeRef { tile: shard.tile, at: planned.at, key: planned.composite.clone() })
            .collect::<Vec<_>>()
    };
    shards.iter().flat_map(of_shard).collect()
}
