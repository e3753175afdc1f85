//! The output tiles of one CRS: those of the lattice through its origin that own a pixel, and what each reads.

use super::build::PlanError;
use super::needed::Needs;
use super::{OutputTile, Taken, TilePlan};
use crate::aoi::Aoi;
use crate::grid::output::candidates;
use crate::grid::utm::forward;
use crate::grid::{Bounds, Footprint, PixelGrid, SubTile, Window, footprint};
use crate::owner::{InZone, Owners};
use crate::projection::{Projection, ProjectionError, utm_of_epsg};
use crate::request::Grid;

/// Pieces along a side of a tile's footprint: straight ones of 1.7 km stay within centimetres of the curves.
const FOOTPRINT_PIECES: u32 = 64;
/// Pieces along a side of a sub-tile, whose halo is wider than its sides bulge.
const SUBTILE_PIECES: u32 = 16;
/// Pieces along a side of a cell of the output.
const CELL_PIECES: u32 = 8;
/// The search for a pixel that has an owner ends at cells of this many pixels a side.
const SMALLEST_CELL: usize = 16;
/// More than the sides of a footprint bulge between two points, metres.
const SPARE_M: f64 = 60.0;

/// A tile in the output's plane; what lies outside of the CRS's domain is nowhere.
pub struct Placed<'a> {
    index: usize,
    tile: &'a TilePlan,
    footprint: Option<Bounds>,
    /// Of each sub-tile with its halo.
    subtiles: Vec<Option<Bounds>>,
}

impl<'a> Placed<'a> {
    /// Places a tile, the plan's `index`-th; `lattice` are the sub-tiles that a tile can have.
    ///
    /// # Errors
    /// Where the CRS cannot be transformed.
    pub fn new(
        index: usize,
        tile: &'a TilePlan,
        lattice: &[SubTile],
        needs: &Needs<'_>,
        projection: &dyn Projection,
    ) -> Result<Self, ProjectionError> {
        let grid = &tile.grid;
        let needs = needs.of_tile(tile.tile, grid)?;
        let whole = grid.bounds(&grid.window()).widened(SPARE_M);
        let subtile = |window: &Window| outline(grid, &grid.bounds(&needs.widened(window)), SUBTILE_PIECES, projection);
        Ok(Self {
            index,
            tile,
            footprint: outline(grid, &whole, FOOTPRINT_PIECES, projection)?,
            subtiles: tile
                .subtiles
                .iter()
                .map(|at| subtile(&lattice[*at as usize].window))
                .collect::<Result<_, _>>()?,
        })
    }

    fn meets(&self, bounds: &Bounds) -> bool {
        meets(&self.footprint, bounds)
    }

    /// The composites that lie, with their halos, in part within bounds.
    fn composites(&self, bounds: &Bounds) -> Taken {
        let met = (0..).zip(&self.subtiles).filter(|(_, placed)| meets(placed, bounds));
        Taken { shard: self.index as u32, subtiles: met.map(|(index, _)| index).collect() }
    }
}

fn meets(placed: &Option<Bounds>, bounds: &Bounds) -> bool {
    placed.is_some_and(|placed| placed.intersection(bounds).is_some())
}

/// The bounds of a part of a tile's plane in the output's; none where it lies outside of that plane's domain.
fn outline(
    grid: &PixelGrid,
    part: &Bounds,
    pieces: u32,
    projection: &dyn Projection,
) -> Result<Option<Bounds>, ProjectionError> {
    let own = utm_of_epsg(grid.epsg).ok_or_else(|| ProjectionError(format!("EPSG:{} is no UTM zone", grid.epsg)))?;
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = part.rim(pieces).unzip();
    own.to_lonlat(&mut x, &mut y)?;
    projection.from_lonlat(&mut x, &mut y)?;
    Ok(around(x.into_iter().zip(y)))
}

/// The bounds of those points that are finite.
fn around(points: impl Iterator<Item = (f64, f64)>) -> Option<Bounds> {
    let finite = points.filter(|(x, y)| x.is_finite() && y.is_finite());
    finite.map(|(x, y)| Bounds { min_x: x, min_y: y, max_x: x, max_y: y }).reduce(|a, b| a.union(&b))
}

/// The tiles of the lattice that own a pixel, column by column, and of each what it reads.
///
/// # Errors
/// Where the CRS cannot be transformed, or there are far too many tiles.
pub fn tiles(
    spec: &Grid,
    epsg: u32,
    aoi: &Aoi,
    placed: &[Placed<'_>],
    owners: &Owners,
    projection: &dyn Projection,
) -> Result<(Vec<OutputTile>, Vec<Vec<Taken>>), PlanError> {
    let side = f64::from(spec.tile_pixels) * spec.resolution;
    let (mut tiles, mut reads) = (Vec::new(), Vec::new());
    for candidate in candidates(aoi, projection, side)? {
        let grid = candidate.grid(epsg, spec.resolution, spec.tile_pixels as usize);
        let bounds = grid.bounds(&grid.window());
        let near: Vec<&Placed<'_>> = placed.iter().filter(|placed| placed.meets(&bounds)).collect();
        let taken: Vec<Taken> = near.iter().map(|placed| placed.composites(&bounds)).collect();
        if taken.iter().all(|taken| taken.subtiles.is_empty()) {
            continue;
        }
        let footprints = near.iter().map(|placed| footprint(placed.tile.tile)).collect();
        let search = Search { grid: &grid, aoi, owners, footprints, projection };
        if search.finds(&grid.window())? {
            let id = candidate.to_string();
            tiles.push(OutputTile { id, native: None, grid, owners: Vec::new(), inputs: Vec::new() });
            reads.push(taken);
        }
    }
    Ok((tiles, reads))
}

/// The search for a pixel of an output tile that lies in the area and has an owner.
struct Search<'a> {
    grid: &'a PixelGrid,
    aoi: &'a Aoi,
    owners: &'a Owners,
    /// Of the tiles that can own a pixel here.
    footprints: Vec<Footprint>,
    projection: &'a dyn Projection,
}

impl Search<'_> {
    /// Looks at the middle of a cell, then into its quarters, unless it is certain that there is nothing to be found.
    fn finds(&self, cell: &Window) -> Result<bool, ProjectionError> {
        let middle = Window { x0: cell.x0 + cell.width / 2, y0: cell.y0 + cell.height / 2, width: 1, height: 1 };
        if self.owns_one(&middle)? {
            return Ok(true);
        }
        let bounds = self.grid.bounds(cell);
        if self.aoi.uniform(&bounds, self.projection)? == Some(false) || self.is_beyond(&bounds)? {
            return Ok(false);
        }
        if cell.width <= SMALLEST_CELL && cell.height <= SMALLEST_CELL {
            return self.owns_one(cell);
        }
        for quarter in cell.quarters() {
            if self.finds(&quarter)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a cell lies outside of all footprints for certain.
    fn is_beyond(&self, cell: &Bounds) -> Result<bool, ProjectionError> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = cell.rim(CELL_PIECES).unzip();
        self.projection.to_lonlat(&mut x, &mut y)?;
        if !x.iter().chain(&y).all(|v| v.is_finite()) {
            return Ok(false);
        }
        let apart = |footprint: &Footprint| {
            let points = x.iter().zip(&y).map(|(lon, lat)| forward(footprint.zone, *lon, *lat));
            let Footprint { west, north, .. } = *footprint;
            let own = Bounds { min_x: west, min_y: footprint.south(), max_x: footprint.east(), max_y: north };
            // A piece's length is far more than it bulges.
            around(points).is_none_or(|b| {
                let piece = (b.max_x - b.min_x).max(b.max_y - b.min_y) / f64::from(CELL_PIECES);
                b.widened(piece + 1.0).intersection(&own).is_none()
            })
        };
        Ok(self.footprints.iter().all(apart))
    }

    fn owns_one(&self, cell: &Window) -> Result<bool, ProjectionError> {
        let pixels = (cell.y0..cell.y1()).flat_map(|row| (cell.x0..cell.x1()).map(move |column| (column, row)));
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = pixels.map(|(column, row)| self.grid.centre(column, row)).unzip();
        let zone = utm_of_epsg(self.grid.epsg);
        let known: Vec<_> = x.iter().zip(&y).map(|(x, y)| zone.map(|zone| zone.in_zone(*x, *y))).collect();
        self.projection.to_lonlat(&mut x, &mut y)?;
        let owned = |((lon, lat), known): ((&f64, &f64), &Option<InZone>)| {
            self.aoi.contains(*lon, *lat) && self.owners.place(*lon, *lat, *known).is_some()
        };
        Ok(x.iter().zip(&y).zip(&known).any(owned))
    }
}
