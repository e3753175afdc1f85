//! Builds the plan.

use std::collections::BTreeMap;

use super::needed::Needs;
use super::{CompositeRef, OutputTile, Outputs, Plan, Recipe, SceneInput, TileShard};
use crate::aoi::Aoi;
use crate::grid::output::{CandidatesError, candidates, native_window};
use crate::grid::{self, Bounds, GridError, PixelGrid, Window};
use crate::ids::{Key, TileId};
use crate::owner::Owners;
use crate::period::Period;
use crate::projection::{Projection, ProjectionError};
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
    /// The output's CRS, where it is not native; by which PROJ operation it is reached, where that is no UTM zone.
    pub projection: Option<(&'a dyn Projection, Option<String>)>,
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
}

/// Builds the plan of a request.
///
/// # Errors
/// Where the grid does not suit the area, or the area cannot be transformed.
pub fn build(inputs: Inputs<'_>) -> Result<Plan, PlanError> {
    let request = inputs.request;
    let slices = request.slice.map_or_else(|| vec![request.period], |length| length.slices(&request.period));
    let owners = Owners::new(inputs.scenes.keys().copied());
    let ratio = request.grid.resolution / inputs.working_resolution;
    let needs =
        Needs::new(inputs.aoi, &owners, request.grid.crs, inputs.working_resolution, request.grid.resampling, ratio);
    let mut shards = Vec::new();
    for (tile, scenes) in &inputs.scenes {
        let scenes = sorted(scenes, &slices);
        shards.push(shard(*tile, scenes, &inputs, &needs)?);
    }
    let outputs = outputs(&inputs, &shards, &owners)?;
    Ok(Plan {
        name: request.name.clone(),
        request: Key::of("clearmosaic request", request),
        slices,
        sliced: request.slice.is_some(),
        shards,
        outputs,
    })
}

/// The scenes by datatake, the chunks of a datatake by `system:index`; each with its slice.
fn sorted(scenes: &[SceneInput], slices: &[Period]) -> Vec<SceneInput> {
    let mut scenes = scenes.to_vec();
    scenes.sort_by(|a, b| (&a.datatake, &a.system_index, &a.id).cmp(&(&b.datatake, &b.system_index, &b.id)));
    for scene in &mut scenes {
        scene.slice = slices.partition_point(|slice| slice.end <= scene.datatake.start);
    }
    scenes
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
    let mut shard = TileShard { tile, grid, recipe, scenes, subtiles: Vec::new() };
    for at in grid::subtiles(inputs.working_resolution)? {
        if needs.window(tile, &shard.grid, &at.window)? {
            shard.add_subtile(at, request.slice.is_some());
        }
    }
    Ok(shard)
}

fn outputs(inputs: &Inputs<'_>, shards: &[TileShard], owners: &Owners) -> Result<Outputs, PlanError> {
    let request = inputs.request;
    let tiles = match (request.grid.crs, &inputs.projection) {
        (Crs::Epsg(epsg), Some((projection, _))) => lattice_tiles(inputs, shards, owners, epsg, *projection)?,
        _ => native_tiles(inputs, shards)?,
    };
    Ok(Outputs {
        crs: request.grid.crs,
        operation: inputs.projection.as_ref().and_then(|(_, operation)| operation.clone()),
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
            widened(in_zone(&other.grid, window), reach).intersection(&bounds).is_some()
        };
        let inputs = composites(&neighbours, takes);
        tiles.push(OutputTile { id: shard.tile.to_string(), native: Some(shard.tile), grid, owners, inputs });
    }
    Ok(tiles)
}

/// A window's edges, northings counted from the equator, so that both halves of a zone are one plane.
fn in_zone(grid: &PixelGrid, window: &Window) -> Bounds {
    let shift = crate::projection::utm_of_epsg(grid.epsg).map_or(0.0, |utm| utm.false_northing());
    let bounds = grid.bounds(window);
    Bounds { min_y: bounds.min_y - shift, max_y: bounds.max_y - shift, ..bounds }
}

fn widened(b: Bounds, by: f64) -> Bounds {
    Bounds { min_x: b.min_x - by, min_y: b.min_y - by, max_x: b.max_x + by, max_y: b.max_y + by }
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

/// The tiles of the lattice through the CRS's origin that own a pixel.
fn lattice_tiles(
    inputs: &Inputs<'_>,
    shards: &[TileShard],
    owners: &Owners,
    epsg: u32,
    projection: &dyn Projection,
) -> Result<Vec<OutputTile>, PlanError> {
    let spec = &inputs.request.grid;
    let side = f64::from(spec.tile_pixels) * spec.resolution;
    let reach = 16.0 * inputs.working_resolution.max(spec.resolution);
    let mut placed: Vec<(&TileShard, Vec<Option<Bounds>>)> = Vec::new();
    for shard in shards {
        let bounds = |planned: &super::SubTilePlan| outline_bounds(&shard.grid, &planned.at.window, projection);
        placed.push((shard, shard.subtiles.iter().map(bounds).collect::<Result<_, _>>()?));
    }
    let mut tiles = Vec::new();
    for candidate in candidates(inputs.aoi, projection, side)? {
        let grid = candidate.grid(epsg, spec.resolution, spec.tile_pixels as usize);
        let bounds = widened(grid.bounds(&grid.window()), reach);
        let mut taken = Vec::new();
        for (shard, subtiles) in &placed {
            let meets = |b: &Option<Bounds>| b.is_some_and(|b| b.intersection(&bounds).is_some());
            let met = shard.subtiles.iter().zip(subtiles).filter(|(_, b)| meets(b));
            taken.extend(met.map(|(planned, _)| CompositeRef {
                tile: shard.tile,
                at: planned.at,
                key: planned.composite.clone(),
            }));
        }
        if taken.is_empty() || !owns_a_pixel(&grid, inputs.aoi, owners, projection)? {
            continue;
        }
        let owners = owners_near(&grid, owners, projection)?;
        tiles.push(OutputTile { id: candidate.to_string(), native: None, grid, owners, inputs: taken });
    }
    Ok(tiles)
}

/// The bounds of a tile's window in another plane; none where it lies outside of that plane's domain.
fn outline_bounds(
    grid: &PixelGrid,
    window: &Window,
    projection: &dyn Projection,
) -> Result<Option<Bounds>, ProjectionError> {
    const PIECES: usize = 8;
    let own = crate::projection::utm_of_epsg(grid.epsg)
        .ok_or_else(|| ProjectionError(format!("EPSG:{} is no UTM zone", grid.epsg)))?;
    let b = grid.bounds(window);
    let along = |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / PIECES as f64;
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..=PIECES)
        .flat_map(|i| {
            let (x, y) = (along(b.min_x, b.max_x, i), along(b.min_y, b.max_y, i));
            [(x, b.min_y), (x, b.max_y), (b.min_x, y), (b.max_x, y)]
        })
        .unzip();
    own.to_lonlat(&mut x, &mut y)?;
    projection.from_lonlat(&mut x, &mut y)?;
    let finite = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite());
    let point = |(x, y): (&f64, &f64)| Bounds { min_x: *x, min_y: *y, max_x: *x, max_y: *y };
    Ok(finite.map(point).reduce(|a, b| a.union(&b)))
}

/// Looks at the pixels of an output tile, sparsely first, until one lies in the area and has an owner.
fn owns_a_pixel(
    grid: &PixelGrid,
    aoi: &Aoi,
    owners: &Owners,
    projection: &dyn Projection,
) -> Result<bool, ProjectionError> {
    const CELL: usize = 512;
    for stride in [CELL, 16, 1] {
        for y0 in (0..grid.height).step_by(CELL) {
            for x0 in (0..grid.width).step_by(CELL) {
                let (width, height) = (CELL.min(grid.width - x0), CELL.min(grid.height - y0));
                let window = Window { x0, y0, width, height };
                if owns_in(grid, &window, stride, aoi, owners, projection)? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn owns_in(
    grid: &PixelGrid,
    window: &Window,
    stride: usize,
    aoi: &Aoi,
    owners: &Owners,
    projection: &dyn Projection,
) -> Result<bool, ProjectionError> {
    let mask = aoi.mask(grid, window, projection)?;
    if mask.count() == 0 {
        return Ok(false);
    }
    for row in (0..window.height).step_by(stride) {
        let wanted = (0..window.width).step_by(stride).filter(|column| mask.get(*column, row));
        let (mut x, mut y): (Vec<f64>, Vec<f64>) =
            wanted.map(|column| grid.centre(window.x0 + column, window.y0 + row)).unzip();
        projection.to_lonlat(&mut x, &mut y)?;
        if x.iter().zip(&y).any(|(lon, lat)| owners.owner(*lon, *lat).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tiles whose footprints meet an output tile: only they can own a pixel of it.
fn owners_near(grid: &PixelGrid, owners: &Owners, projection: &dyn Projection) -> Result<Vec<TileId>, PlanError> {
    let bounds = grid.bounds(&grid.window());
    let mut near = Vec::new();
    for tile in owners.tiles() {
        // A coarse grid of the whole footprint: its outline is all that matters here.
        let footprint = grid::tile_grid(*tile, 60.0)?;
        let meets = outline_bounds(&footprint, &footprint.window(), projection)?;
        if meets.is_some_and(|b| widened(b, 16.0 * grid.resolution).intersection(&bounds).is_some()) {
            near.push(*tile);
        }
    }
    Ok(near)
}
