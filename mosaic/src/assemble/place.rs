//! Whose pixel is it, and where does its centre lie on the owner's grid.

use super::Grids;
use crate::grid::utm::{FALSE_NORTHING_SOUTH, forward};
use crate::grid::{PixelGrid, Window};
use crate::ids::TileId;
use crate::owner::{Owners, Place};
use crate::projection::{Projection, ProjectionError, Utm};

/// A pixel's place: its owner, and its centre and shape there.
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
    pub grids: &'a Grids,
    /// The output CRS.
    pub projection: &'a dyn Projection,
    /// Whether the pixels' shapes are needed; else they are left as points.
    pub shapes: bool,
}

impl Placer<'_> {
    /// The places of a window's row, of those pixels for which `inside` holds and that have an owner.
    pub fn row(
        &self,
        window: &Window,
        row: usize,
        inside: &[bool],
        placed: &mut Vec<Option<Placed>>,
    ) -> Result<(), ProjectionError> {
        placed.clear();
        match self.zone {
            Some(zone) if self.native => self.native_row(window, row, inside, zone, placed),
            _ => self.any_row(window, row, inside, placed)?,
        }
        Ok(())
    }

    /// In the tile's own zone throughout: nothing is transformed.
    fn native_row(&self, window: &Window, row: usize, inside: &[bool], zone: Utm, placed: &mut Vec<Option<Placed>>) {
        placed.extend(inside.iter().enumerate().map(|(column, inside)| {
            let (x, y) = self.grid.centre(window.x0 + column, window.y0 + row);
            let (easting, northing) = (x, y - zone.false_northing());
            let owner = inside.then(|| self.owners.native_owner(zone.zone, easting, northing)).flatten()?;
            self.placed(Place { owner, easting, northing }, self.same_zone_step(owner))
        }));
    }

    /// In any CRS: owners by longitude and latitude, each in its own plane.
    fn any_row(
        &self,
        window: &Window,
        row: usize,
        inside: &[bool],
        placed: &mut Vec<Option<Placed>>,
    ) -> Result<(), ProjectionError> {
        let centre = |column: usize| self.grid.centre(window.x0 + column, window.y0 + row);
        let line = |dx: f64, dy: f64| -> Result<Vec<(f64, f64)>, ProjectionError> {
            let moved = |column| (centre(column).0 + dx, centre(column).1 + dy);
            let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..window.width).map(moved).unzip();
            self.projection.to_lonlat(&mut x, &mut y)?;
            Ok(x.into_iter().zip(y).collect())
        };
        let centres = line(0.0, 0.0)?;
        // Half a pixel towards the east and the south: the pixel's shape.
        let half = self.grid.resolution / 2.0;
        let sides = if self.shapes { Some((line(half, 0.0)?, line(0.0, -half)?)) } else { None };
        placed.extend(inside.iter().enumerate().map(|(column, inside)| {
            let (lon, lat) = centres[column];
            let (x, y) = centre(column);
            let known = self.zone.map(|zone| zone.in_zone(x, y));
            let place = inside.then(|| self.owners.place(lon, lat, known)).flatten()?;
            let step = match &sides {
                Some(_) if known.is_some_and(|known| known.zone == place.owner.zone()) => {
                    self.same_zone_step(place.owner)
                }
                Some((east, south)) => [self.towards(&place, east[column])?, self.towards(&place, south[column])?],
                None => [(0.0, 0.0); 2],
            };
            self.placed(place, step)
        }));
        Ok(())
    }

    /// The way to half a pixel's distance from a place, doubled.
    fn towards(&self, place: &Place, (lon, lat): (f64, f64)) -> Option<(f64, f64)> {
        let resolution = self.grids.get(place.owner)?.resolution;
        let (e, n) = forward(place.owner.zone(), lon, lat);
        Some((2.0 * (e - place.easting) / resolution, 2.0 * (place.northing - n) / resolution))
    }

    fn same_zone_step(&self, owner: TileId) -> [(f64, f64); 2] {
        let scale = self.grids.get(owner).map_or(1.0, |grid| self.grid.resolution / grid.resolution);
        [(scale, 0.0), (0.0, scale)]
    }

    fn placed(&self, place: Place, step: [(f64, f64); 2]) -> Option<Placed> {
        let Place { owner, easting, northing } = place;
        let grid = self.grids.get(owner)?;
        let south = if owner.is_south() { FALSE_NORTHING_SOUTH } else { 0.0 };
        let at = ((easting - grid.ulx) / grid.resolution, (grid.uly - south - northing) / grid.resolution);
        Some(Placed { owner, at, step })
    }
}
