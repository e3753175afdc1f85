//! Builds the plan.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::lattice::{self, Placed};
use super::needed::{Needs, Output};
use super::{OutputTile, Outputs, Plan, Recipe, SceneInput, Taken, TilePlan, TileShard};
use crate::aoi::Aoi;
use crate::grid::output::{CandidatesError, native_window};
use crate::grid::{self, Bounds, GridError, PixelGrid, SubTile, Window};
use crate::ids::{Key, TileId};
use crate::owner::Owners;
use crate::period::Period;
use crate::product::Product;
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

/// Builds the plan of a request. Tile after tile, on all cores, `keep` is given the tile's index, its shard's key,
/// and the shard, which is let go then: the shards of a continent do not fit into memory.
///
/// # Errors
/// Where the grid does not suit the area, the area cannot be transformed, or a scene lies outside of the period; where a
/// shard is not kept.
pub fn build<E: From<PlanError> + Send>(
    mut inputs: Inputs<'_>,
    keep: impl Fn(usize, &Key, &TileShard) -> Result<(), E> + Sync,
) -> Result<Plan, E> {
    inputs.scenes.retain(|_, scenes| !scenes.is_empty());
    let request = inputs.request;
    let owners = Owners::new(inputs.scenes.keys().copied());
    let output = Output {
        projection: projection(&inputs).map_err(PlanError::from)?,
        resolution: request.grid.resolution,
        resampling: request.grid.resampling,
    };
    let needs = Needs::new(inputs.aoi, &owners, output);
    let maker = Maker {
        inputs: &inputs,
        needs: &needs,
        slices: request.slice.map_or_else(|| vec![request.period], |length| length.slices(&request.period)),
        recipe: recipe(request),
        lattice: grid::subtiles(inputs.working_resolution).map_err(PlanError::from)?.collect(),
    };
    let of_tiles: Vec<(&TileId, &Vec<SceneInput>)> = inputs.scenes.iter().collect();
    let make = |(index, (tile, scenes)): (usize, &(&TileId, &Vec<SceneInput>))| {
        let shard = maker.shard(**tile, scenes)?;
        let key = shard.key();
        keep(index, &key, &shard)?;
        Ok::<_, E>(maker.tile(&shard, key))
    };
    let tiles = of_tiles.par_iter().enumerate().map(make).collect::<Result<Vec<_>, E>>()?;
    let (outputs, reads) = maker.outputs(&tiles, &owners)?;
    Ok(Plan {
        name: request.name.clone(),
        request: Key::of("clearmosaic request", request),
        slices: maker.slices,
        sliced: request.slice.is_some(),
        recipe: maker.recipe,
        tiles,
        outputs,
        reads,
    })
}

fn recipe(request: &Request) -> Recipe {
    let mut bands = request.bands.clone();
    bands.sort_unstable();
    let mut products = told(request);
    products.sort_unstable();
    Recipe {
        bands,
        threshold: request.scores.threshold,
        score_band: request.scores.band,
        dtype: request.median.dtype,
        min_observations: request.median.min_observations,
        edge_erosion: request.edge_erosion,
        products,
    }
}

/// The products that are asked for beside the count, which is always told.
fn told(request: &Request) -> Vec<Product> {
    request.products.iter().copied().filter(|product| *product != Product::Count).collect()
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

/// What all tiles' shares have in common.
struct Maker<'a> {
    inputs: &'a Inputs<'a>,
    needs: &'a Needs<'a>,
    slices: Vec<Period>,
    recipe: Recipe,
    /// Every sub-tile that a tile can have.
    lattice: Vec<SubTile>,
}

/// Output tiles, and of each what it reads.
type Reading = (Vec<OutputTile>, Vec<Vec<Taken>>);

impl Maker<'_> {
    fn shard(&self, tile: TileId, scenes: &[SceneInput]) -> Result<TileShard, PlanError> {
        let request = self.inputs.request;
        let scenes = sorted(scenes, &self.slices, request.period)?;
        let grid = grid::tile_grid(tile, self.inputs.working_resolution)?;
        let needs = self.needs.of_tile(tile, &grid)?;
        let mut needed = Vec::new();
        for at in &self.lattice {
            if needs.window(&at.window)? {
                needed.push(*at);
            }
        }
        let mut shard = TileShard { tile, grid, recipe: self.recipe.clone(), scenes, subtiles: Vec::new() };
        shard.add_subtiles(needed, request.slice.is_some());
        Ok(shard)
    }

    /// What the plan itself keeps of a shard.
    fn tile(&self, shard: &TileShard, key: Key) -> TilePlan {
        let files = shard.scenes.iter().flat_map(|scene| scene.bands.iter().chain([&scene.score]));
        let place = |at: &SubTile| self.lattice.binary_search_by_key(&(at.row, at.column), |at| (at.row, at.column));
        let subtiles = shard.subtiles.iter().filter_map(|planned| u32::try_from(place(&planned.at).ok()?).ok());
        TilePlan {
            tile: shard.tile,
            grid: shard.grid,
            shard: key,
            scenes: shard.scenes.len(),
            bytes: files.filter_map(|file| file.size).sum(),
            digests: shard.digests(self.inputs.request.slice.is_some()),
            subtiles: subtiles.collect(),
            composites: shard.subtiles.iter().map(|planned| planned.composite.clone()).collect(),
        }
    }

    fn outputs(&self, tiles: &[TilePlan], owners: &Owners) -> Result<(Outputs, Vec<Vec<Taken>>), PlanError> {
        let (inputs, request) = (self.inputs, self.inputs.request);
        let ((tiles, reads), operation) = match (request.grid.crs, &inputs.projection) {
            (Crs::Epsg(epsg), Some((projection, operation))) => {
                let place = |(index, tile)| Placed::new(index, tile, &self.lattice, self.needs, *projection);
                let placed: Result<Vec<_>, _> = tiles.par_iter().enumerate().map(place).collect();
                let reading = lattice::tiles(&request.grid, epsg, inputs.aoi, &placed?, owners, *projection)?;
                (reading, utm_of_epsg(epsg).is_none().then(|| operation.clone()))
            }
            _ => (self.native_tiles(tiles)?, None),
        };
        let outputs = Outputs {
            crs: request.grid.crs,
            operation,
            resampling: request.grid.resampling,
            dtype: request.median.dtype,
            bands: request.bands.clone(),
            products: told(request),
            working_resolution: inputs.working_resolution,
            aoi: inputs.aoi.clone(),
            tiles,
        };
        Ok((outputs, reads))
    }

    /// One output tile per MGRS tile with a linked scene, cut to the window that the AOI's bounds need.
    fn native_tiles(&self, tiles: &[TilePlan]) -> Result<Reading, PlanError> {
        let made: Result<Vec<_>, PlanError> = tiles.par_iter().map(|tile| self.native_tile(tile, tiles)).collect();
        Ok(made?.into_iter().flatten().unzip())
    }

    fn native_tile(&self, tile: &TilePlan, all: &[TilePlan]) -> Result<Option<(OutputTile, Vec<Taken>)>, PlanError> {
        let resolution = self.inputs.working_resolution;
        let window = native_window(tile.tile, resolution, self.inputs.aoi)?;
        let Some(window) = window.filter(|window| window.pixels() > 0) else { return Ok(None) };
        let grid = tile.grid.windowed(&window);
        let bounds = in_zone(&grid, &grid.window());
        let is_near = |other: &TilePlan| {
            let footprint = || in_zone(&other.grid, &other.grid.window());
            other.tile.zone() == tile.tile.zone() && footprint().intersection(&bounds).is_some()
        };
        // A halo reaches a little beyond the window.
        let reach = 16.0 * resolution;
        let takes = |other: &TilePlan, subtile: u32| {
            let window = &self.lattice[subtile as usize].window;
            in_zone(&other.grid, window).widened(reach).intersection(&bounds).is_some()
        };
        let near = (0..).zip(all).filter(|(_, other)| is_near(other));
        let taken = near.map(|(shard, other)| {
            let subtiles = (0..).zip(&other.subtiles).filter(|(_, at)| takes(other, **at)).map(|(index, _)| index);
            Taken { shard, subtiles: subtiles.collect() }
        });
        let (id, native) = (tile.tile.to_string(), Some(tile.tile));
        Ok(Some((OutputTile { id, native, grid, owners: Vec::new(), inputs: Vec::new() }, taken.collect())))
    }
}

/// A window's edges, northings counted from the equator, so that both halves of a zone are one plane.
fn in_zone(grid: &PixelGrid, window: &Window) -> Bounds {
    let shift = utm_of_epsg(grid.epsg).map_or(0.0, |utm| utm.false_northing());
    let bounds = grid.bounds(window);
    Bounds { min_y: bounds.min_y - shift, max_y: bounds.max_y - shift, ..bounds }
}
