//! Whose pixel is it, and where does its centre lie on the owner's grid.

use std::collections::HashMap;

use crate::grid::utm::{FALSE_NORTHING_SOUTH, forward};
use crate::grid::{PixelGrid, Window};
use crate::ids::TileId;
use crate::owner::Owners;
use crate::projection::{Projection, ProjectionError, Utm};

/// A pixel's place: its owner, and its centre and corners there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The tile that owns the pixel.
    pub owner: TileId,
    /// The centre on the owner's grid, in pixels from its upper-left corner: column and row.
    pub at: (f64, f64),
    /// The pixel's extent on the owner's grid along each of its own axes: column and row of the vectors that lead
    /// one output pixel east and one south.
    pub step: [(f64, f64); 2],
}

/// Finds the places of an output tile's pixels.
pub struct Placer<'a> {
    /// The output tile's grid.
    pub grid: &'a PixelGrid,
    /// Its UTM zone, where its CRS is one.
    pub zone: Option<Utm>,
    /// Whether zones are not mixed.
    pub native: bool,
    /// Who owns what.
    pub owners: &'a Owners,
    /// The owners' grids.
    pub grids: &'a HashMap<TileId, PixelGrid>,
    /// The output CRS.
    pub projection: &'a dyn Projection,
    /// Whether the pixels' shapes are needed; else they are left as points.
    pub shapes: bool,
}

impl Placer<'_> {
    /// The place of every pixel of a window for which `inside` holds and that has an owner, row-major.
    pub fn place(&self, window: &Window, inside: &[bool]) -> Result<Vec<Option<Placed>>, ProjectionError> {
        let mut placed = Vec::with_capacity(window.pixels());
        for row in 0..window.height {
            let wanted = &inside[row * window.width..(row + 1) * window.width];
            match self.zone {
                Some(zone) if self.native => self.place_native(window, row, wanted, zone, &mut placed),
                _ => self.place_row(window, row, wanted, &mut placed)?,
            }
        }
        Ok(placed)
    }

    /// In the tile's own zone throughout: nothing is transformed.
    fn place_native(&self, window: &Window, row: usize, wanted: &[bool], zone: Utm, placed: &mut Vec<Option<Placed>>) {
        placed.extend(wanted.iter().enumerate().map(|(column, wanted)| {
            let (e, n) = self.grid.centre(window.x0 + column, window.y0 + row);
            let n = n - zone.false_northing();
            let owner = wanted.then(|| self.owners.native_owner(zone.zone, e, n)).flatten()?;
            Some(self.placed(owner, e, n, self.same_zone_step(owner)))
        }));
    }

    /// In any CRS: owners by longitude and latitude, each in its own plane.
    fn place_row(
        &self,
        window: &Window,
        row: usize,
        wanted: &[bool],
        placed: &mut Vec<Option<Placed>>,
    ) -> Result<(), ProjectionError> {
        let y = window.y0 + row;
        let centres = self.line(window, |grid, column| grid.centre(window.x0 + column, y))?;
        // Half a pixel towards the east and the south: the pixel's shape.
        let half = self.grid.resolution / 2.0;
        let shifted = |dx: f64, dy: f64| {
            let moved = move |grid: &PixelGrid, column| {
                let (x, y) = grid.centre(window.x0 + column, y);
                (x + dx, y + dy)
            };
            if self.shapes { self.line(window, moved) } else { Ok(centres.clone()) }
        };
        let (east, south) = (shifted(half, 0.0)?, shifted(0.0, -half)?);
        placed.extend(wanted.iter().enumerate().map(|(column, wanted)| {
            let (lon, lat) = centres[column];
            let owner = wanted.then(|| self.owners.owner(lon, lat)).flatten()?;
            let (x, y_centre) = self.grid.centre(window.x0 + column, y);
            let (e, n) = self.in_plane_of(owner, (x, y_centre), (lon, lat));
            let to = |(lon, lat): (f64, f64)| self.on_grid(owner, forward(owner.zone(), lon, lat));
            let at = self.on_grid(owner, (e, n));
            let twice = |(c, r): (f64, f64)| (2.0 * (c - at.0), 2.0 * (r - at.1));
            Some(Placed { owner, at, step: [twice(to(east[column])), twice(to(south[column]))] })
        }));
        Ok(())
    }

    /// Longitude and latitude of positions along a row of the window.
    fn line(
        &self,
        window: &Window,
        at: impl Fn(&PixelGrid, usize) -> (f64, f64),
    ) -> Result<Vec<(f64, f64)>, ProjectionError> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..window.width).map(|column| at(self.grid, column)).unzip();
        self.projection.to_lonlat(&mut x, &mut y)?;
        Ok(x.into_iter().zip(y).collect())
    }

    /// A centre in the owner's plane, equator-relative. Where the output's CRS is that zone already its coordinates
    /// are taken as they are: going around by longitude and latitude would move centres off the edges they lie on.
    fn in_plane_of(&self, owner: TileId, (x, y): (f64, f64), (lon, lat): (f64, f64)) -> (f64, f64) {
        match self.zone {
            Some(zone) if zone.zone == owner.zone() => (x, y - zone.false_northing()),
            _ => forward(owner.zone(), lon, lat),
        }
    }

    fn same_zone_step(&self, owner: TileId) -> [(f64, f64); 2] {
        let scale = self.grids.get(&owner).map_or(1.0, |grid| self.grid.resolution / grid.resolution);
        [(scale, 0.0), (0.0, scale)]
    }

    fn placed(&self, owner: TileId, e: f64, n: f64, step: [(f64, f64); 2]) -> Placed {
        Placed { owner, at: self.on_grid(owner, (e, n)), step }
    }

    /// Column and row of an equator-relative position on a tile's grid.
    fn on_grid(&self, owner: TileId, (e, n): (f64, f64)) -> (f64, f64) {
        let Some(grid) = self.grids.get(&owner) else { return (f64::NAN, f64::NAN) };
        let south = if owner.is_south() { FALSE_NORTHING_SOUTH } else { 0.0 };
        ((e - grid.ulx) / grid.resolution, (grid.uly - south - n) / grid.resolution)
    }
}
