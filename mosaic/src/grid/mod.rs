//! Where pixels lie: UTM planes, Sentinel-2's tiles, pixel grids and their windows.
//!
//! ```text
//! lon, lat ◄─ utm ─► easting, northing ─► mgrs (100 km squares, tiles) ─► PixelGrid ─► Window (sub-tiles)
//! ```

pub mod lonlat;
pub mod mgrs;
pub mod output;
pub mod utm;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::ids::TileId;
pub use lonlat::{normalise_longitude, zone_of};
pub use mgrs::{Footprint, Square, TILE_SIZE_M, footprint, origin};

/// Side of a sub-tile, working pixels: the public archive's block size, so that each block is decoded once.
pub const SUBTILE_PIXELS: usize = 1024;

/// A grid that cannot be laid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridError {
    /// The resolution leaves a part of a pixel at a tile's edge.
    #[error("a resolution of {0} m does not divide the {TILE_SIZE_M} m of a tile: use 10, 20, 60 or another divisor")]
    Resolution(f64),
    /// The output would fall into more tiles than anybody means.
    #[error("the area falls into {0} output tiles: ask for larger ones")]
    TooManyTiles(u128),
    /// A tile side that is not a positive length.
    #[error("an output tile of {0} CRS units a side cannot be")]
    TileSide(f64),
}

/// A north-up lattice of square pixels in a CRS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelGrid {
    /// EPSG code of the CRS.
    pub epsg: u32,
    /// West edge of the first column, CRS units.
    pub ulx: f64,
    /// North edge of the first row, CRS units.
    pub uly: f64,
    /// Side of a pixel, CRS units.
    pub resolution: f64,
    /// Columns.
    pub width: usize,
    /// Rows, counted from the north.
    pub height: usize,
}

impl PixelGrid {
    /// The grid with so many pixels more on every side.
    #[must_use]
    pub fn with_rim(&self, pixels: usize) -> Self {
        let metres = pixels as f64 * self.resolution;
        let (width, height) = (self.width + 2 * pixels, self.height + 2 * pixels);
        Self { ulx: self.ulx - metres, uly: self.uly + metres, width, height, ..*self }
    }

    /// The centre of a pixel, CRS units. Always counted from the grid's origin, so that every window of the grid sees
    /// the same bits.
    #[must_use]
    #[inline]
    pub fn centre(&self, column: usize, row: usize) -> (f64, f64) {
        (self.ulx + (column as f64 + 0.5) * self.resolution, self.uly - (row as f64 + 0.5) * self.resolution)
    }

    /// The whole grid as a window of itself.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { x0: 0, y0: 0, width: self.width, height: self.height }
    }

    /// The grid of a window alone: its first pixel is the window's.
    #[must_use]
    pub fn windowed(&self, window: &Window) -> Self {
        Self {
            ulx: self.ulx + window.x0 as f64 * self.resolution,
            uly: self.uly - window.y0 as f64 * self.resolution,
            width: window.width,
            height: window.height,
            ..*self
        }
    }

    /// Edges of a window, CRS units.
    #[must_use]
    pub fn bounds(&self, window: &Window) -> Bounds {
        let x = |column: usize| self.ulx + column as f64 * self.resolution;
        let y = |row: usize| self.uly - row as f64 * self.resolution;
        Bounds { min_x: x(window.x0), min_y: y(window.y1()), max_x: x(window.x1()), max_y: y(window.y0) }
    }

    /// Geotransform in GDAL's order, top left corner first.
    #[must_use]
    pub fn geotransform(&self) -> [f64; 6] {
        [self.ulx, self.resolution, 0.0, self.uly, 0.0, -self.resolution]
    }
}

/// A rectangle of pixels of some grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// The column after the last.
    #[must_use]
    pub fn x1(&self) -> usize {
        self.x0 + self.width
    }

    /// The row after the last.
    #[must_use]
    pub fn y1(&self) -> usize {
        self.y0 + self.height
    }

    /// Pixels in the window.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// The window in four parts, as equal as can be; fewer where it is a single row or column. None of a window of one
    /// pixel, or none.
    pub fn quarters(&self) -> impl Iterator<Item = Self> + use<> {
        let halves = |start: usize, length: usize| {
            let first = length.div_ceil(2);
            [(start, first), (start + first, length - first)]
        };
        let (columns, rows) = (halves(self.x0, self.width), halves(self.y0, self.height));
        let part = move |i: usize| {
            let ((x0, width), (y0, height)) = (columns[i % 2], rows[i / 2]);
            Self { x0, y0, width, height }
        };
        let whole = self.pixels();
        (0..4).map(part).filter(move |part| part.pixels() > 0 && part.pixels() < whole)
    }

    /// Whether the window holds a pixel.
    #[must_use]
    pub fn holds(&self, column: usize, row: usize) -> bool {
        (self.x0..self.x1()).contains(&column) && (self.y0..self.y1()).contains(&row)
    }

    /// The smallest window that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (x0, y0) = (self.x0.min(other.x0), self.y0.min(other.y0));
        let (x1, y1) = (self.x1().max(other.x1()), self.y1().max(other.y1()));
        Self { x0, y0, width: x1 - x0, height: y1 - y0 }
    }

    /// The pixels that two windows of one grid share, if any.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (x0, y0) = (self.x0.max(other.x0), self.y0.max(other.y0));
        let (x1, y1) = (self.x1().min(other.x1()), self.y1().min(other.y1()));
        (x0 < x1 && y0 < y1).then(|| Self { x0, y0, width: x1 - x0, height: y1 - y0 })
    }
}

/// A rectangle of a projection's plane, CRS units, edges included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// West edge.
    pub min_x: f64,
    /// South edge.
    pub min_y: f64,
    /// East edge.
    pub max_x: f64,
    /// North edge.
    pub max_y: f64,
}

impl Bounds {
    /// The ground that two rectangles share; none where they only touch.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both = Self {
            min_x: self.min_x.max(other.min_x),
            min_y: self.min_y.max(other.min_y),
            max_x: self.max_x.min(other.max_x),
            max_y: self.max_y.min(other.max_y),
        };
        (both.min_x < both.max_x && both.min_y < both.max_y).then_some(both)
    }

    /// Points along the outline, each side cut in `pieces` of equal length; the first is not repeated.
    pub fn rim(&self, pieces: u32) -> impl Iterator<Item = (f64, f64)> + use<> {
        let Self { min_x, min_y, max_x, max_y } = *self;
        (0..4 * pieces).map(move |i| {
            let t = f64::from(i % pieces) / f64::from(pieces);
            let (x, y) = (t * (max_x - min_x), t * (max_y - min_y));
            match i / pieces {
                0 => (min_x + x, max_y),
                1 => (max_x, max_y - y),
                2 => (max_x - x, min_y),
                _ => (min_x, min_y + y),
            }
        })
    }

    /// The rectangle and all that lies within a distance of its sides.
    #[must_use]
    pub fn widened(&self, by: f64) -> Self {
        Self { min_x: self.min_x - by, min_y: self.min_y - by, max_x: self.max_x + by, max_y: self.max_y + by }
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            min_x: self.min_x.min(other.min_x),
            min_y: self.min_y.min(other.min_y),
            max_x: self.max_x.max(other.max_x),
            max_y: self.max_y.max(other.max_y),
        }
    }
}

/// A window on the fixed lattice of 1024 x 1024 working pixels from a tile's origin: the unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubTile {
    /// Column on the lattice, from the west.
    pub column: u16,
    /// Row on the lattice, from the north.
    pub row: u16,
    /// Its pixels of the tile's grid; cut at the tile's east and south edge.
    pub window: Window,
}

impl std::fmt::Display for SubTile {
    /// `3-4`: column and row on the lattice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.column, self.row)
    }
}

/// The grid of a whole tile at a working resolution in metres.
///
/// # Errors
/// The resolution does not divide 109,800 m.
pub fn tile_grid(tile: TileId, resolution: f64) -> Result<PixelGrid, GridError> {
    let side = pixels_a_side(resolution)?;
    let (ulx, uly) = origin(tile);
    Ok(PixelGrid { epsg: tile.epsg(), ulx, uly, resolution, width: side, height: side })
}

/// The sub-tiles of a tile at a working resolution in metres, row by row from the north-west.
///
/// # Errors
/// The resolution does not divide 109,800 m.
pub fn subtiles(resolution: f64) -> Result<impl Iterator<Item = SubTile>, GridError> {
    let side = pixels_a_side(resolution)?;
    let count = side.div_ceil(SUBTILE_PIXELS);
    let cut = move |index: usize| {
        let start = index * SUBTILE_PIXELS;
        (start, SUBTILE_PIXELS.min(side - start))
    };
    Ok((0..count * count).map(move |i| {
        let (column, row) = (i % count, i / count);
        let ((x0, width), (y0, height)) = (cut(column), cut(row));
        SubTile { column: column as u16, row: row as u16, window: Window { x0, y0, width, height } }
    }))
}

/// Pixels on a tile's side at a resolution in metres: a divisor of 109,800 m, from 1 cm upwards.
fn pixels_a_side(resolution: f64) -> Result<usize, GridError> {
    let side = (TILE_SIZE_M / resolution).round();
    let divides = resolution >= 0.01 && side >= 1.0 && (side * resolution - TILE_SIZE_M).abs() < 1e-6;
    if divides { Ok(side as usize) } else { Err(GridError::Resolution(resolution)) }
}
