//! Which sub-tiles are needed: those that own a pixel of the mosaic, or lie in a resampling halo.

use crate::aoi::Aoi;
use crate::grid::{PixelGrid, SUBTILE_PIXELS, Window};
use crate::ids::TileId;
use crate::owner::Owners;
use crate::projection::{Projection, ProjectionError, Utm};
use crate::request::{Crs, Resampling};

/// What decides whether a sub-tile is needed.
pub struct Needs<'a> {
    /// The area.
    pub aoi: &'a Aoi,
    /// The tiles with a linked scene.
    pub owners: &'a Owners,
    /// The output's CRS.
    pub crs: Crs,
    /// How far around a sub-tile the mosaic may take its pixels from, in working pixels; none where the mosaic's
    /// pixels are the composite's own.
    pub halo: Option<usize>,
}

/// Lattice on which a window is looked over where the mosaic's pixels are not the tile's own, in working pixels.
const STRIDE: usize = 8;

impl<'a> Needs<'a> {
    /// What decides, for an output grid; `ratio` is the output's resolution over the working resolution.
    #[must_use]
    pub fn new(
        aoi: &'a Aoi,
        owners: &'a Owners,
        crs: Crs,
        resolution: f64,
        resampling: Resampling,
        ratio: f64,
    ) -> Self {
        // All tile origins of a zone lie on multiples of 60 m: their grids coincide where the resolution divides that.
        let coincident = crs == Crs::Native && (60.0 / resolution).fract() == 0.0;
        let reach = match resampling {
            Resampling::Nearest => 0,
            Resampling::Bilinear => 1,
            Resampling::Cubic => 2,
            Resampling::Average => ratio.ceil().clamp(1.0, 10_000.0) as usize,
        };
        Self { aoi, owners, crs, halo: (!coincident).then_some(reach + STRIDE) }
    }

    /// Whether the mosaic takes a pixel from a window of the tile.
    ///
    /// # Errors
    /// Where the tile's plane cannot be transformed.
    pub fn window(&self, tile: TileId, grid: &PixelGrid, window: &Window) -> Result<bool, ProjectionError> {
        let utm = Utm { zone: tile.zone(), south: tile.is_south() };
        if self.is_anothers(tile, grid, window, utm) {
            return Ok(false);
        }
        match self.halo {
            None => self.owns_own(tile, grid, window, utm),
            Some(halo) => self.owns_near(tile, grid, &widened(grid, window, halo), utm),
        }
    }

    /// Whether the window lies whole within the 100 km square of another tile that has a linked scene, in a request
    /// whose zones are not mixed: the quick answer for most of what tiles share with their neighbours.
    fn is_anothers(&self, tile: TileId, grid: &PixelGrid, window: &Window, utm: Utm) -> bool {
        let corner = |column: usize, row: usize| {
            let (e, n) = grid.centre(column, row);
            self.owners.native_owner(utm.zone, e, n - utm.false_northing()).filter(|_| self.crs == Crs::Native)
        };
        let margin = self.halo.unwrap_or(0);
        let window = widened(grid, window, margin);
        let corners = [
            corner(window.x0, window.y0),
            corner(window.x1() - 1, window.y0),
            corner(window.x0, window.y1() - 1),
            corner(window.x1() - 1, window.y1() - 1),
        ];
        let Some(owner) = corners[0].filter(|owner| *owner != tile) else { return false };
        let square = owner.square();
        let holds = |column: usize, row: usize| {
            let (e, n) = grid.centre(column, row);
            crate::grid::Square::of(utm.zone, e, n - utm.false_northing()) == square
        };
        corners.iter().all(|corner| *corner == Some(owner))
            && holds(window.x0, window.y0)
            && holds(window.x1() - 1, window.y1() - 1)
    }

    /// The mosaic's pixels are the tile's own: looks at pixels, sparsely first, until one is found.
    fn owns_own(&self, tile: TileId, grid: &PixelGrid, window: &Window, utm: Utm) -> Result<bool, ProjectionError> {
        let mask = self.aoi.mask(grid, window, &utm)?;
        if mask.count() == 0 {
            return Ok(false);
        }
        let owned = |column: usize, row: usize| {
            let (e, n) = grid.centre(window.x0 + column, window.y0 + row);
            mask.get(column, row) && self.owners.native_owner(utm.zone, e, n - utm.false_northing()) == Some(tile)
        };
        Ok([SUBTILE_PIXELS / 4, 32, 1].into_iter().any(|stride| {
            (0..window.height).step_by(stride).any(|r| (0..window.width).step_by(stride).any(|c| owned(c, r)))
        }))
    }

    /// The mosaic's pixels lie between the tile's own: looks over a lattice of the widened window.
    fn owns_near(&self, tile: TileId, grid: &PixelGrid, window: &Window, utm: Utm) -> Result<bool, ProjectionError> {
        if self.aoi.mask(grid, window, &utm)?.count() == 0 {
            return Ok(false);
        }
        let columns: Vec<usize> = lattice(window.width).map(|c| window.x0 + c).collect();
        for row in lattice(window.height) {
            let (mut x, mut y): (Vec<f64>, Vec<f64>) =
                columns.iter().map(|column| grid.centre(*column, window.y0 + row)).unzip();
            let owned = if self.crs == Crs::Native {
                let shift = utm.false_northing();
                x.iter().zip(&y).any(|(e, n)| self.owners.native_owner(utm.zone, *e, n - shift) == Some(tile))
            } else {
                utm.to_lonlat(&mut x, &mut y)?;
                x.iter().zip(&y).any(|(lon, lat)| self.owners.owner(*lon, *lat) == Some(tile))
            };
            if owned {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Every `STRIDE`th index, and the last.
fn lattice(length: usize) -> impl Iterator<Item = usize> + Clone {
    (0..length.saturating_sub(1)).step_by(STRIDE).chain(length.checked_sub(1))
}

/// A window and a margin around it, within the grid.
fn widened(grid: &PixelGrid, window: &Window, margin: usize) -> Window {
    let (x0, y0) = (window.x0.saturating_sub(margin), window.y0.saturating_sub(margin));
    let (x1, y1) = ((window.x1() + margin).min(grid.width), (window.y1() + margin).min(grid.height));
    Window { x0, y0, width: x1 - x0, height: y1 - y0 }
}
