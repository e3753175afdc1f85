//! Sentinel-2's tiles on the 100 km squares of MGRS.
//!
//! A tile is 109.8 km a side on a 100 km step: its north-west corner is that of its square, moved outwards to the next
//! multiple of 60 m, so that it reaches 9.8 km into the squares to the east and to the south.
//!
//! Rules as checked against all 56,686 tiles of the official grid; letters as in NGA.STND.0037 (2014), appendix B.

use super::lonlat::zone_region;
use super::utm::{FALSE_NORTHING_SOUTH, forward, inverse};
use crate::ids::TileId;

/// Side of a tile, metres: 10980 pixels of 10 m, 5490 of 20 m, 1830 of 60 m.
pub const TILE_SIZE_M: f64 = 109_800.0;
/// Side of an MGRS square, metres.
pub const SQUARE_SIZE_M: f64 = 100_000.0;
/// Tiles begin at multiples of this, metres, so that pixels of 10, 20 and 60 m share one lattice.
pub const ORIGIN_STEP_M: f64 = 60.0;
/// Columns of 100 km squares that a zone names.
pub const COLUMNS: std::ops::RangeInclusive<i32> = 1..=8;
/// Rows of 100 km squares whose centre lies between 80 south and 84 north.
pub const ROWS: std::ops::RangeInclusive<i32> = -89..=93;

const BAND_LETTERS: &[u8; 20] = b"CDEFGHJKLMNPQRSTUVWX";
const ROW_LETTERS: &[u8; 20] = b"ABCDEFGHJKLMNPQRSTUV";
const COLUMN_LETTERS: [&[u8; 8]; 3] = [b"ABCDEFGH", b"JKLMNPQR", b"STUVWXYZ"];

/// A 100 km square of a UTM zone's plane, west and south edges in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Square {
    /// UTM zone, 1 to 60.
    pub zone: u8,
    /// Easting in units of 100 km, rounded down.
    pub column: i32,
    /// Equator-relative northing in units of 100 km, rounded down.
    pub row: i32,
}

impl Square {
    /// The square that holds an easting and an equator-relative northing, metres.
    #[must_use]
    #[inline]
    pub fn of(zone: u8, easting: f64, northing: f64) -> Self {
        let index = |metres: f64| (metres / SQUARE_SIZE_M).floor() as i32;
        Self { zone, column: index(easting), row: index(northing) }
    }

    /// The tile of the square, its latitude band being that of the square's centre.
    ///
    /// None outside columns 1 to 8, beyond 80 south and 84 north, and in 32X, 34X and 36X, which do not exist.
    #[must_use]
    pub fn tile(&self) -> Option<TileId> {
        if !(1..=60).contains(&self.zone) || !COLUMNS.contains(&self.column) || !ROWS.contains(&self.row) {
            return None;
        }
        let (easting, northing) = self.centre();
        let band = band_letter(inverse(self.zone, easting, northing).1)?;
        if band == b'X' && matches!(self.zone, 32 | 34 | 36) {
            return None;
        }
        let column = COLUMN_LETTERS[column_set(self.zone)][(self.column - 1) as usize];
        let row = ROW_LETTERS[(self.row + row_shift(self.zone)).rem_euclid(20) as usize];
        TileId::from_letters(self.zone, band, column, row)
    }

    /// Easting and equator-relative northing of the square's centre, metres.
    #[must_use]
    pub fn centre(&self) -> (f64, f64) {
        let middle = |index: i32| (f64::from(index) + 0.5) * SQUARE_SIZE_M;
        (middle(self.column), middle(self.row))
    }

    /// The footprint that the square's tile has, whether or not it is one.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let west = f64::from(self.column) * SQUARE_SIZE_M;
        let north = f64::from(self.row + 1) * SQUARE_SIZE_M;
        Footprint {
            zone: self.zone,
            west: ORIGIN_STEP_M * (west / ORIGIN_STEP_M).floor(),
            north: ORIGIN_STEP_M * (north / ORIGIN_STEP_M).ceil(),
        }
    }

    /// Whether some ground of the square lies in its MGRS zone, exceptions included.
    #[must_use]
    pub fn meets_zone(&self) -> bool {
        let [west, south] = [self.column, self.row].map(|index| f64::from(index) * SQUARE_SIZE_M);
        let square = [west, south, west + SQUARE_SIZE_M, south + SQUARE_SIZE_M];
        zone_region(self.zone).iter().any(|region| meets_region(self.zone, &square, region))
    }
}

impl From<TileId> for Square {
    /// The row letter repeats every 2,000 km: of those rows, the one nearest the middle of the tile's latitude band.
    fn from(tile: TileId) -> Self {
        let zone = tile.zone();
        let position = |letters: &[u8], letter: char| letters.iter().position(|&l| char::from(l) == letter);
        let column = position(COLUMN_LETTERS[column_set(zone)], tile.column_letter()).unwrap_or(0);
        let letter = position(ROW_LETTERS, tile.row_letter()).unwrap_or(0);
        let band = position(BAND_LETTERS, tile.band_letter()).unwrap_or(0);
        let middle = if band == 19 { 78.0 } else { -76.0 + 8.0 * band as f64 };
        let northing = forward(zone, super::utm::central_meridian(zone), middle).1;
        let first = letter as i32 - row_shift(zone);
        let cycles = ((northing / SQUARE_SIZE_M - 0.5 - f64::from(first)) / 20.0).round() as i32;
        Self { zone, column: column as i32 + 1, row: first + 20 * cycles }
    }
}

impl TileId {
    /// The 100 km square that the tile is named after.
    #[must_use]
    pub fn square(self) -> Square {
        Square::from(self)
    }
}

/// Upper left corner of a tile in its own EPSG code, metres: northings of southern tiles count 10,000,000 m at the
/// equator.
#[must_use]
pub fn origin(tile: TileId) -> (f64, f64) {
    let Footprint { west, north, .. } = footprint(tile);
    (west, if tile.is_south() { north + FALSE_NORTHING_SOUTH } else { north })
}

/// The ground that a tile's pixels cover, 109,800 m a side.
#[must_use]
pub fn footprint(tile: TileId) -> Footprint {
    Square::from(tile).footprint()
}

/// The square of 109,800 m that a tile covers in its UTM zone's plane; west and north edges in, where its pixels begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// UTM zone, 1 to 60.
    pub zone: u8,
    /// Easting of the west edge, metres.
    pub west: f64,
    /// Equator-relative northing of the north edge, metres.
    pub north: f64,
}

impl Footprint {
    /// Easting of the east edge, metres.
    #[must_use]
    pub fn east(&self) -> f64 {
        self.west + TILE_SIZE_M
    }

    /// Equator-relative northing of the south edge, metres.
    #[must_use]
    pub fn south(&self) -> f64 {
        self.north - TILE_SIZE_M
    }

    /// Whether the footprint holds a point of its own plane: west and north edges in, east and south edges out.
    #[must_use]
    #[inline]
    pub fn holds(&self, easting: f64, northing: f64) -> bool {
        self.west <= easting && easting < self.east() && self.south() < northing && northing <= self.north
    }

    /// Square of the distance from the footprint's centre to a point of its own plane, square metres.
    #[must_use]
    #[inline]
    pub fn distance_squared(&self, easting: f64, northing: f64) -> f64 {
        let dx = easting - (self.west + TILE_SIZE_M / 2.0);
        let dy = northing - (self.north - TILE_SIZE_M / 2.0);
        dx * dx + dy * dy
    }

    /// The outline in longitude and latitude, counter-clockwise from the north-west corner, not closed, each edge cut
    /// in `pieces` of equal length. Longitudes run on past 180 degrees rather than jump.
    #[must_use]
    pub fn outline(&self, pieces: u32) -> Vec<[f64; 2]> {
        let (w, s, e, n) = (self.west, self.south(), self.east(), self.north);
        let corners = [(w, n), (w, s), (e, s), (e, n), (w, n)];
        let mut ring: Vec<[f64; 2]> = Vec::with_capacity(4 * pieces as usize);
        for edge in corners.windows(2) {
            let ((x0, y0), (x1, y1)) = (edge[0], edge[1]);
            for piece in 0..pieces {
                let t = f64::from(piece) / f64::from(pieces);
                let (lon, lat) = inverse(self.zone, x0 + t * (x1 - x0), y0 + t * (y1 - y0));
                let near = ring.last().map_or(lon, |last| last[0]);
                ring.push([lon + 360.0 * ((near - lon) / 360.0).round(), lat]);
            }
        }
        ring
    }
}

fn column_set(zone: u8) -> usize {
    usize::from(zone.wrapping_sub(1) % 3)
}

/// Even zones begin their rows with F.
fn row_shift(zone: u8) -> i32 {
    if zone.is_multiple_of(2) { 5 } else { 0 }
}

/// Letter of a latitude's band: eight degrees each from 80 south, X twelve, 84 north belonging to it.
fn band_letter(lat: f64) -> Option<u8> {
    if !(-80.0..=84.0).contains(&lat) {
        return None;
    }
    let index = ((lat + 80.0) / 8.0).floor() as usize;
    Some(BAND_LETTERS[index.min(19)])
}

/// Whether a box of a zone's plane and a box of longitudes and latitudes have ground in common: either one's outline,
/// walked in steps of about a kilometre, enters the other.
fn meets_region(zone: u8, square: &[f64; 4], region: &[f64; 4]) -> bool {
    const STEPS: u32 = 128;
    let inside = |b: &[f64; 4], x: f64, y: f64| b[0] < x && x < b[2] && b[1] < y && y < b[3];
    // Degrees from the central meridian, so that no region straddles the antimeridian.
    let middle = super::utm::central_meridian(zone);
    let mut apart = [true; 4];
    for (x, y) in walk(square, STEPS) {
        let (lon, lat) = inverse(zone, x, y);
        let lon = middle + super::lonlat::normalise_longitude(lon - middle);
        if inside(region, lon, lat) {
            return true;
        }
        // A hundredth of a degree is far more than the square's edges bulge between two steps.
        let beyond = [lon < region[0] - 0.01, lat < region[1] - 0.01, lon > region[2] + 0.01, lat > region[3] + 0.01];
        apart.iter_mut().zip(beyond).for_each(|(apart, beyond)| *apart &= beyond);
    }
    if apart.contains(&true) {
        return false;
    }
    // The region's edges are up to 136 degrees long: walk only the part that can lie in the square.
    let lats = [square[1], square[3]].map(|y| y / 111_000.0);
    let near = [region[0], region[1].max(lats[0] - 2.0), region[2], region[3].min(lats[1] + 2.0)];
    near[1] < near[3]
        && walk(&near, STEPS * 4).any(|(lon, lat)| {
            let (x, y) = forward(zone, lon, lat);
            inside(square, x, y)
        })
}

/// Points along the outline of a box, `steps` an edge.
fn walk(b: &[f64; 4], steps: u32) -> impl Iterator<Item = (f64, f64)> {
    let [x0, y0, x1, y1] = *b;
    let corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
    (0..4 * steps).map(move |i| {
        let (from, to) = (corners[(i / steps) as usize], corners[(i / steps) as usize + 1]);
        let t = f64::from(i % steps) / f64::from(steps);
        (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
    })
}
