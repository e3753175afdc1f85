//! Which tile a pixel of the mosaic comes from: exactly one, its owner.
//!
//! ```text
//! lon, lat ─► MGRS zone ─► its 100 km square has a tile? ─► else nearest footprint of the zone ─► else of any zone
//! ```
//!
//! Footprints reach 9.8 km beyond their squares to the east and to the south, and up to 60 m to the west and north; so
//! only the squares around a point can hold it.

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;

use crate::grid::mgrs::{COLUMNS, ROWS, SQUARE_SIZE_M, Square, TILE_SIZE_M};
use crate::grid::utm::{central_meridian, forward};
use crate::grid::{normalise_longitude, zone_of};
use crate::ids::TileId;

/// How far footprints may reach beyond the east and south edges of their squares, metres.
const REACH_M: f64 = TILE_SIZE_M - SQUARE_SIZE_M;
/// How far they may reach beyond the west and north edges, metres.
const BACK_REACH_M: f64 = 60.0;
/// Rows of squares held; one more at each end than have tiles, so that neighbours can be asked for.
const FIRST_ROW: i32 = -100;
const ROW_COUNT: i32 = 200;
const COLUMN_COUNT: i32 = 8;

/// The tiles that have a linked scene, ready to be asked for the owner of a point.
#[derive(Clone, Debug)]
pub struct Owners {
    tiles: Vec<TileId>,
    /// By zone, row and column.
    squares: Vec<Option<TileId>>,
    /// By degree of latitude from -90: the zones whose footprints reach there, and their longitudes from the central
    /// meridian.
    zones: Vec<Vec<ZoneReach>>,
}

/// A point of a UTM zone's plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InZone {
    /// The zone, 1 to 60.
    pub zone: u8,
    /// Metres.
    pub easting: f64,
    /// Metres from the equator, negative in the south.
    pub northing: f64,
}

/// A point's owner, and the point in the owner's plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The tile.
    pub owner: TileId,
    /// Metres.
    pub easting: f64,
    /// Metres from the equator, negative in the south.
    pub northing: f64,
}

#[derive(Clone, Copy, Debug)]
struct ZoneReach {
    zone: u8,
    west: f64,
    east: f64,
}

impl Owners {
    /// The owners among some tiles.
    #[must_use]
    pub fn new(tiles: impl IntoIterator<Item = TileId>) -> Self {
        let mut tiles: Vec<TileId> = tiles.into_iter().collect();
        tiles.sort_unstable();
        tiles.dedup();
        let mut owners = Self {
            squares: vec![None; (60 * ROW_COUNT * COLUMN_COUNT) as usize],
            zones: vec![Vec::new(); 181],
            tiles: Vec::new(),
        };
        for &tile in &tiles {
            let square = Square::from(tile);
            if let Some(slot) = slot(&square) {
                // Ids of one square differ in their band letter only; the smaller stays.
                owners.squares[slot].get_or_insert(tile);
                owners.reach(&square);
            }
        }
        Self { tiles, ..owners }
    }

    /// The tiles, sorted.
    #[must_use]
    pub fn tiles(&self) -> &[TileId] {
        &self.tiles
    }

    /// The owner of a point of a UTM zone's plane (metres, northing relative to the equator) among that zone's tiles:
    /// the tile whose 100 km square holds it, else of those whose footprint holds it the one with the nearest centre,
    /// else none.
    #[must_use]
    #[inline]
    pub fn native_owner(&self, zone: u8, easting: f64, northing: f64) -> Option<TileId> {
        if !(easting.is_finite() && northing.is_finite()) {
            return None;
        }
        let square = Square::of(zone, easting, northing);
        self.tile(&square).or_else(|| self.nearest(&square, easting, northing).map(|(_, tile)| tile))
    }

    /// The owner of a longitude and latitude in degrees: that of its MGRS zone, else of all tiles whose footprint holds
    /// it the one with the nearest centre, measured in that tile's own plane, else none.
    #[must_use]
    pub fn owner(&self, lon: f64, lat: f64) -> Option<TileId> {
        self.place(lon, lat, None).map(|place| place.owner)
    }

    /// The owner and where the point lies in its plane; `known`, the point's place in one zone's plane, is taken as it
    /// is: going around by longitude and latitude would move points off the edges that they lie on.
    #[must_use]
    pub fn place(&self, lon: f64, lat: f64, known: Option<InZone>) -> Option<Place> {
        if !(lon.is_finite() && (-90.0..=90.0).contains(&lat)) {
            return None;
        }
        let lon = normalise_longitude(lon);
        let own = zone_of(lon, lat);
        let at = |zone: u8| match known {
            Some(known) if known.zone == zone => (known.easting, known.northing),
            _ => forward(zone, lon, lat),
        };
        let (easting, northing) = at(own);
        if let Some(owner) = self.native_owner(own, easting, northing) {
            return Some(Place { owner, easting, northing });
        }
        let owner = self.foreign_owner(own, (lon, lat), at)?;
        let (easting, northing) = at(owner.zone());
        Some(Place { owner, easting, northing })
    }

    /// The nearest tile of any other zone whose footprint holds the point.
    #[cold]
    fn foreign_owner(&self, own: u8, (lon, lat): (f64, f64), at: impl Fn(u8) -> (f64, f64)) -> Option<TileId> {
        let reaching = self.zones[degree(lat)].iter().filter(|reach| {
            let from_middle = normalise_longitude(lon - central_meridian(reach.zone));
            reach.zone != own && reach.west <= from_middle && from_middle <= reach.east
        });
        let nearest = reaching.filter_map(|reach| {
            let (easting, northing) = at(reach.zone);
            self.nearest(&Square::of(reach.zone, easting, northing), easting, northing)
        });
        nearest.min_by(nearer).map(|(_, tile)| tile)
    }

    /// The tile with the nearest centre among those of the squares around the point's whose footprint holds it, and the
    /// square of that distance.
    fn nearest(&self, square: &Square, easting: f64, northing: f64) -> Option<(f64, TileId)> {
        let east_of_edge = easting - f64::from(square.column) * SQUARE_SIZE_M;
        let south_of_edge = f64::from(square.row + 1) * SQUARE_SIZE_M - northing;
        let rows = around(south_of_edge).map(|step| square.row - step);
        rows.flat_map(|row| {
            around(east_of_edge).map(move |step| Square { zone: square.zone, column: square.column + step, row })
        })
        .filter_map(|square| {
            let tile = self.tile(&square)?;
            let footprint = square.footprint();
            footprint.holds(easting, northing).then(|| (footprint.distance_squared(easting, northing), tile))
        })
        .min_by(nearer)
    }

    #[inline]
    fn tile(&self, square: &Square) -> Option<TileId> {
        slot(square).and_then(|slot| self.squares[slot])
    }

    /// Notes where on the globe a square's footprint reaches.
    fn reach(&mut self, square: &Square) {
        let zone = square.zone;
        let middle = central_meridian(zone);
        let outline = square.footprint().outline(16);
        let from_middle = outline.iter().map(|p| normalise_longitude(p[0] - middle));
        // Far wider than edges bulge between the points sampled.
        let (west, east) =
            from_middle.fold((f64::INFINITY, f64::NEG_INFINITY), |(w, e), x| (w.min(x - 0.01), e.max(x + 0.01)));
        let lats = outline.iter().map(|p| p[1]);
        let (south, north) =
            lats.fold((f64::INFINITY, f64::NEG_INFINITY), |(s, n), y| (s.min(y - 0.01), n.max(y + 0.01)));
        for zones in &mut self.zones[degree(south)..=degree(north)] {
            if let Some(reach) = zones.iter_mut().find(|reach| reach.zone == zone) {
                (reach.west, reach.east) = (reach.west.min(west), reach.east.max(east));
            } else {
                zones.push(ZoneReach { zone, west, east });
            }
        }
    }
}

/// Nearer first, then the smaller id.
fn nearer(a: &(f64, TileId), b: &(f64, TileId)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Steps to the squares whose footprints can hold a point this far inside its own square's west or north edge.
fn around(inside: f64) -> std::ops::RangeInclusive<i32> {
    let before = if inside <= REACH_M { -1 } else { 0 };
    let after = if inside >= SQUARE_SIZE_M - BACK_REACH_M { 1 } else { 0 };
    before..=after
}

fn degree(lat: f64) -> usize {
    (lat.floor() + 90.0).clamp(0.0, 180.0) as usize
}

#[inline]
fn slot(square: &Square) -> Option<usize> {
    let row = square.row - FIRST_ROW;
    let column = square.column - COLUMNS.start();
    let known = (1..=60).contains(&square.zone) && (0..ROW_COUNT).contains(&row) && (0..COLUMN_COUNT).contains(&column);
    let zone = i32::from(square.zone) - 1;
    known.then_some(((zone * ROW_COUNT + row) * COLUMN_COUNT + column) as usize)
}

const _: () =
    assert!(*ROWS.start() > FIRST_ROW && *ROWS.end() < FIRST_ROW + ROW_COUNT && *COLUMNS.end() == COLUMN_COUNT);
