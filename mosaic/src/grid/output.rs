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
    let (area, whole) = (aoi.bounding_box(), grid.window());
    // Our own formulae never fail as a whole.
    let uniform = |window: &Window| area.uniform(&grid.bounds(window), &utm).ok().flatten();
    let blocks = || blocks(&whole);
    let certain = if uniform(&whole) == Some(true) { Some(whole) } else { None };
    let certain = certain.or_else(|| blocks().filter(|b| uniform(b) == Some(true)).reduce(|a, b| a.union(&b)));
    let needed = |found: Option<Window>, block: Window| {
        let known = found.is_some_and(|found| found.intersection(&block) == Some(block));
        let adds = !known
            && uniform(&block) != Some(false)
            && area.mask(&grid, &block, &utm).is_ok_and(|mask| mask.count() > 0);
        if adds { Some(found.map_or(block, |found| found.union(&block))) } else { found }
    };
    Ok(blocks().fold(certain, needed))
}

/// The blocks of [`NATIVE_STEP`] that a window is made of.
fn blocks(window: &Window) -> impl Iterator<Item = Window> + use<> {
    let Window { width, height, .. } = *window;
    let block = move |x0, y0| {
        let side = |start: usize, length: usize| NATIVE_STEP.min(length - start);
        Window { x0, y0, width: side(x0, width), height: side(y0, height) }
    };
    (0..height).step_by(NATIVE_STEP).flat_map(move |y0| (0..width).step_by(NATIVE_STEP).map(move |x0| block(x0, y0)))
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
