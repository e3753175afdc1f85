//! Which output tiles there are, and which window of a tile's own grid is published.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Bounds, GridError, PixelGrid, Window, tile_grid};
use crate::aoi::Aoi;
use crate::ids::TileId;
use crate::projection::{Projection, ProjectionError, Utm};

/// Windows of native output begin and end on multiples of this, pixels from the tile's origin: the block size of the
/// files written, so that blocks of neighbouring requests coincide.
pub const NATIVE_STEP: usize = 512;

/// More candidate output tiles than this are taken for a mistake in the request.
const MOST_TILES: u128 = 10_000_000;

/// The window of a tile's grid that the bounds of an area need: all pixels whose centres lie within the area's bounds
/// in degrees, snapped outwards to multiples of 512 pixels from the tile's origin and clamped to the tile. None where
/// there is no such pixel.
///
/// # Errors
/// The resolution (metres) does not divide 109,800 m.
pub fn native_window(tile: TileId, resolution: f64, aoi: &Aoi) -> Result<Option<Window>, GridError> {
    let grid = tile_grid(tile, resolution)?;
    let utm = Utm { zone: tile.zone(), south: tile.is_south() };
    // Our own formulae never fail as a whole.
    let Ok(mask) = aoi.bounding_box().mask(&grid, &grid.window(), &utm) else { return Ok(None) };
    let in_row = |row: &usize| mask.row(*row).any(|inside| inside);
    let in_column = |column: &usize| (0..grid.height).any(|row| mask.get(*column, row));
    let (Some(top), Some(bottom)) = ((0..grid.height).find(in_row), (0..grid.height).rfind(in_row)) else {
        return Ok(None);
    };
    let (Some(left), Some(right)) = ((0..grid.width).find(in_column), (0..grid.width).rfind(in_column)) else {
        return Ok(None);
    };
    let down = |pixel: usize| pixel / NATIVE_STEP * NATIVE_STEP;
    let up = |pixel: usize, side: usize| ((pixel / NATIVE_STEP + 1) * NATIVE_STEP).min(side);
    let (x0, y0) = (down(left), down(top));
    Ok(Some(Window { x0, y0, width: up(right, grid.width) - x0, height: up(bottom, grid.height) - y0 }))
}

/// A square of the output lattice of an `EPSG:n` request: column = floor(x / S), row = floor(y / S), counted upwards
/// from the CRS's origin. Written `x12y-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputTile {
    /// Column, eastwards.
    pub column: i64,
    /// Row, northwards.
    pub row: i64,
}

impl OutputTile {
    /// Edges of the square, CRS units, on a lattice of squares of `side` CRS units.
    #[must_use]
    pub fn bounds(&self, side: f64) -> Bounds {
        let edge = |index: i64| index as f64 * side;
        Bounds {
            min_x: edge(self.column),
            min_y: edge(self.row),
            max_x: edge(self.column + 1),
            max_y: edge(self.row + 1),
        }
    }

    /// The grid of the square: `tile_pixels` pixels a side of `resolution` CRS units.
    #[must_use]
    pub fn grid(&self, epsg: u32, resolution: f64, tile_pixels: usize) -> PixelGrid {
        let Bounds { min_x, max_y, .. } = self.bounds(resolution * tile_pixels as f64);
        PixelGrid { epsg, ulx: min_x, uly: max_y, resolution, width: tile_pixels, height: tile_pixels }
    }
}

impl fmt::Display for OutputTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}y{}", self.column, self.row)
    }
}

/// Text that names no output tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no output tile: write it as x12y-3")]
pub struct BadOutputTile(pub String);

impl FromStr for OutputTile {
    type Err = BadOutputTile;

    fn from_str(text: &str) -> Result<Self, BadOutputTile> {
        let numbers = text.strip_prefix('x').and_then(|rest| rest.split_once('y'));
        let parsed =
            numbers.and_then(|(column, row)| Some(Self { column: column.parse().ok()?, row: row.parse().ok()? }));
        // One spelling each: no `x+1y01`.
        parsed.filter(|tile| tile.to_string() == text).ok_or_else(|| BadOutputTile(text.to_owned()))
    }
}

impl Serialize for OutputTile {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OutputTile {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// No list of candidates.
#[derive(Debug, thiserror::Error)]
pub enum CandidatesError {
    /// The lattice does not suit the area.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The area cannot be projected.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

/// The output tiles, squares of `side` CRS units, that meet the bounds of a polygon of the area in a projection's
/// plane. Polygon by polygon, so that Fiji does not ask for the whole width of the world.
///
/// # Errors
/// A side that is not positive; more than ten million squares; a projection that fails.
pub fn candidates(aoi: &Aoi, projection: &dyn Projection, side: f64) -> Result<BTreeSet<OutputTile>, CandidatesError> {
    if !(side.is_finite() && side > 0.0) {
        return Err(GridError::TileSide(side).into());
    }
    let range = |min: f64, max: f64| {
        let first = (min / side).floor() as i64;
        first..=((max / side).ceil() as i64 - 1).max(first)
    };
    let mut tiles = BTreeSet::new();
    for bounds in aoi.polygon_bounds_in(projection)? {
        let (columns, rows) = (range(bounds.min_x, bounds.max_x), range(bounds.min_y, bounds.max_y));
        let length = |r: &std::ops::RangeInclusive<i64>| u128::from(r.end().abs_diff(*r.start())) + 1;
        let count = tiles.len() as u128 + length(&columns) * length(&rows);
        if count > MOST_TILES {
            return Err(GridError::TooManyTiles(count).into());
        }
        tiles.extend(rows.flat_map(|row| columns.clone().map(move |column| OutputTile { column, row })));
    }
    Ok(tiles)
}
