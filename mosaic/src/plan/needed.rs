//! Which sub-tiles are needed: those that own a pixel of the mosaic, or lie in a resampling halo.
//!
//! Where the mosaic's pixels are the tile's own, exactly those. Elsewhere a window is needed unless it is certain that
//! no point of it or of its halo is the tile's and in the area: a few more than there must be, never fewer.

use super::claim::{Claim, Contender};
use crate::aoi::Aoi;
use crate::grid::utm::{forward, inverse};
use crate::grid::{Bounds, PixelGrid, Window};
use crate::ids::TileId;
use crate::owner::Owners;
use crate::projection::{Projection, ProjectionError, Utm};
use crate::request::Resampling;

/// The search ends at cells of this many working pixels a side.
const SMALLEST_CELL: usize = 8;

/// What decides whether sub-tiles are needed.
pub struct Needs<'a> {
    aoi: &'a Aoi,
    owners: &'a Owners,
    contenders: Vec<Contender>,
    output: Output<'a>,
}

/// The output grid, as far as it decides what is read.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    /// The output's CRS; none where it is native.
    pub projection: Option<&'a dyn Projection>,
    /// Pixel size, units of the CRS.
    pub resolution: f64,
    /// How composites come to it.
    pub resampling: Resampling,
}

/// The same for the sub-tiles of one tile.
pub struct TileNeeds<'a> {
    aoi: &'a Aoi,
    owners: &'a Owners,
    native: bool,
    tile: TileId,
    grid: PixelGrid,
    utm: Utm,
    claim: Option<Claim>,
    /// How far around its pixels the mosaic takes values from, in working pixels; none where the mosaic's pixels are
    /// the tile's own.
    reach: Option<usize>,
}

impl<'a> Needs<'a> {
    /// What decides, for an output grid.
    #[must_use]
    pub fn new(aoi: &'a Aoi, owners: &'a Owners, output: Output<'a>) -> Self {
        Self { aoi, owners, contenders: Contender::all(owners.tiles()), output }
    }

    /// What decides for a tile's sub-tiles; the grid is the whole tile's.
    ///
    /// # Errors
    /// Where the output's CRS cannot be transformed.
    pub fn of_tile(&self, tile: TileId, grid: &PixelGrid) -> Result<TileNeeds<'a>, ProjectionError> {
        let native = self.output.projection.is_none();
        Ok(TileNeeds {
            aoi: self.aoi,
            owners: self.owners,
            native,
            tile,
            grid: *grid,
            utm: Utm { zone: tile.zone(), south: tile.is_south() },
            claim: Claim::new(tile, &self.contenders, native),
            reach: if native && coincide(grid.resolution) { None } else { Some(self.reach(tile, grid)?) },
        })
    }

    /// How many working pixels away from a pixel's centre its value may come from, and one for rounding.
    fn reach(&self, tile: TileId, grid: &PixelGrid) -> Result<usize, ProjectionError> {
        Ok(1 + match self.output.resampling {
            Resampling::Nearest => 0,
            Resampling::Bilinear => 1,
            Resampling::Cubic => 2,
            Resampling::Average => (self.half_pixel(tile, grid)? / grid.resolution).ceil() as usize,
        })
    }

    /// Half the extent of the largest of the output's pixels along the tile's axes, metres, with a quarter to spare.
    fn half_pixel(&self, tile: TileId, grid: &PixelGrid) -> Result<f64, ProjectionError> {
        let Some(projection) = self.output.projection else { return Ok(self.output.resolution) };
        let utm = Utm { zone: tile.zone(), south: tile.is_south() };
        let b = grid.bounds(&grid.window());
        let lattice = (0..25).map(|i| (f64::from(i % 5) / 4.0, f64::from(i / 5) / 4.0));
        let at = |(u, v)| (b.min_x + u * (b.max_x - b.min_x), b.min_y + v * (b.max_y - b.min_y));
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = lattice.map(at).unzip();
        utm.to_lonlat(&mut x, &mut y)?;
        projection.from_lonlat(&mut x, &mut y)?;
        let moved = |dx: f64, dy: f64| -> Result<Vec<(f64, f64)>, ProjectionError> {
            let mut x: Vec<f64> = x.iter().map(|x| x + dx).collect();
            let mut y: Vec<f64> = y.iter().map(|y| y + dy).collect();
            projection.to_lonlat(&mut x, &mut y)?;
            Ok(x.iter().zip(&y).map(|(lon, lat)| forward(utm.zone, *lon, *lat)).collect())
        };
        let step = self.output.resolution;
        let (here, east, south) = (moved(0.0, 0.0)?, moved(step, 0.0)?, moved(0.0, -step)?);
        let half = |i: usize| {
            let along = |h: f64, e: f64, s: f64| ((e - h).abs() + (s - h).abs()) / 2.0;
            along(here[i].0, east[i].0, south[i].0).max(along(here[i].1, east[i].1, south[i].1))
        };
        let halves = (0..here.len()).map(half).filter(|half| half.is_finite());
        Ok(1.25 * halves.fold(0.0, f64::max).min(crate::grid::TILE_SIZE_M))
    }
}

/// Whether the grids of all tiles of a zone coincide: their origins lie on multiples of 60 m. Not where a resolution is
/// such that the centres' coordinates are rounded.
fn coincide(resolution: f64) -> bool {
    (60.0 / resolution).fract() == 0.0 && (1024.0 * resolution).fract() == 0.0
}

impl TileNeeds<'_> {
    /// Whether the mosaic takes a pixel from a window of the tile.
    ///
    /// # Errors
    /// Where the tile's plane cannot be transformed.
    pub fn window(&self, window: &Window) -> Result<bool, ProjectionError> {
        let Some(claim) = &self.claim else { return Ok(false) };
        self.search(claim, &self.widened(window), false)
    }

    /// A window and its halo, within the tile.
    pub fn widened(&self, window: &Window) -> Window {
        let (margin, grid) = (self.reach.unwrap_or(0), &self.grid);
        let (x0, y0) = (window.x0.saturating_sub(margin), window.y0.saturating_sub(margin));
        let (x1, y1) = ((window.x1() + margin).min(grid.width), (window.y1() + margin).min(grid.height));
        Window { x0, y0, width: x1 - x0, height: y1 - y0 }
    }

    /// Looks at the middle of a cell, then into its quarters, unless it is certain that there is nothing to be found;
    /// `inside`: the cell is known to lie in the area.
    fn search(&self, claim: &Claim, cell: &Window, inside: bool) -> Result<bool, ProjectionError> {
        if self.takes(cell.x0 + cell.width / 2, cell.y0 + cell.height / 2) {
            return Ok(true);
        }
        let bounds = self.grid.bounds(cell);
        if !claim.near(self.middle(&bounds), (bounds.max_x - bounds.min_x).hypot(bounds.max_y - bounds.min_y) / 2.0) {
            return Ok(false);
        }
        let certain = if inside { Some(true) } else { self.aoi.uniform(&bounds, &self.utm)? };
        if certain == Some(false) {
            return Ok(false);
        }
        if cell.width <= SMALLEST_CELL && cell.height <= SMALLEST_CELL {
            return Ok(self.reach.is_some() || self.takes_any(cell));
        }
        for quarter in cell.quarters() {
            if self.search(claim, &quarter, certain == Some(true))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn middle(&self, b: &Bounds) -> (f64, f64) {
        (f64::midpoint(b.min_x, b.max_x), f64::midpoint(b.min_y, b.max_y) - self.utm.false_northing())
    }

    /// Whether the centre of a pixel of the tile is the tile's and in the area.
    fn takes(&self, column: usize, row: usize) -> bool {
        let (e, n) = self.grid.centre(column, row);
        let n = n - self.utm.false_northing();
        let (lon, lat) = inverse(self.utm.zone, e, n);
        let owner =
            || if self.native { self.owners.native_owner(self.utm.zone, e, n) } else { self.owners.owner(lon, lat) };
        self.aoi.contains(lon, lat) && owner() == Some(self.tile)
    }

    fn takes_any(&self, cell: &Window) -> bool {
        (cell.y0..cell.y1()).any(|row| (cell.x0..cell.x1()).any(|column| self.takes(column, row)))
    }
}
