//! Whether a tile may own a point near a place: the rule of `owner`, with room for doubt.
//!
//! A sub-tile is left out of a plan only where this says that no point of it can be the tile's. Looking at sample points
//! would miss the wedges, thinner than any lattice, that zone boundaries cut from the 100 km squares.

use crate::grid::mgrs::SQUARE_SIZE_M;
use crate::grid::utm::{forward, inverse};
use crate::grid::{Footprint, Square, footprint, zone_of};
use crate::ids::TileId;

/// How much lengths may differ from one zone's plane to the next.
const SCALE: f64 = 1.01;
/// Metres in a degree of latitude, at least.
const DEGREE_M: f64 = 110_000.0;
/// Tiles whose centres are further apart than this own no point of each other's, metres.
const RIVALS_M: f64 = 300_000.0;
/// Degrees of longitude and latitude in which no zone can hide.
const ZONE_STEP: f64 = 2.0;

/// A tile with a linked scene.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    tile: TileId,
    square: Square,
    footprint: Footprint,
    /// The centre on the sphere, metres.
    place: [f64; 3],
}

impl Contender {
    /// The contenders among sorted tiles: of several ids of one square the smallest.
    pub fn all(tiles: &[TileId]) -> Vec<Self> {
        let mut squares = std::collections::HashSet::new();
        tiles.iter().filter(|tile| squares.insert(tile.square())).map(|tile| Self::new(*tile)).collect()
    }

    fn new(tile: TileId) -> Self {
        let footprint = footprint(tile);
        let middle = crate::grid::TILE_SIZE_M / 2.0;
        let (lon, lat) = inverse(tile.zone(), footprint.west + middle, footprint.north - middle);
        let (sin, cos) = lat.to_radians().sin_cos();
        let (sin_lon, cos_lon) = lon.to_radians().sin_cos();
        let place = [cos * cos_lon, cos * sin_lon, sin].map(|v| v * 6_371_000.0);
        Self { tile, square: tile.square(), footprint, place }
    }

    fn is_near(&self, other: &Self) -> bool {
        let square = |k: usize| (self.place[k] - other.place[k]).powi(2);
        square(0) + square(1) + square(2) < RIVALS_M * RIVALS_M
    }

    /// Distance from the footprint's centre, and how far inside of the footprint's edges; negative outside.
    fn depth(&self, (e, n): (f64, f64)) -> (f64, f64) {
        let f = &self.footprint;
        let inside = (e - f.west).min(f.east() - e).min(n - f.south()).min(f.north - n);
        (f.distance_squared(e, n).sqrt(), inside)
    }
}

/// One tile's claim, against the tiles around it.
pub struct Claim {
    own: Contender,
    rivals: Vec<Contender>,
    /// Whether zones are not mixed.
    native: bool,
}

/// A point with a radius, in the claimant's plane and on the globe.
struct Ball {
    at: (f64, f64),
    lonlat: (f64, f64),
    radius: f64,
}

impl Claim {
    /// The claim of a tile; none where another id of its square goes before it.
    pub fn new(tile: TileId, all: &[Contender], native: bool) -> Option<Self> {
        let own = *all.iter().find(|contender| contender.tile == tile)?;
        let counts = |other: &&Contender| !native || other.tile.zone() == tile.zone();
        let rivals = all.iter().filter(counts).filter(|other| other.is_near(&own)).copied().collect();
        Some(Self { own, rivals, native })
    }

    /// Whether the tile may own a point within a radius (metres) of a point of its zone's plane, its northing relative
    /// to the equator.
    pub fn near(&self, at: (f64, f64), radius: f64) -> bool {
        let own = self.own.tile.zone();
        let ball = Ball { at, lonlat: inverse(own, at.0, at.1), radius: radius * SCALE };
        self.zones(&ball).into_iter().any(|zone| self.near_in(zone, &ball))
    }

    /// The MGRS zones that a ball meets.
    fn zones(&self, ball: &Ball) -> Vec<u8> {
        if self.native {
            return vec![self.own.tile.zone()];
        }
        let (lon, lat) = ball.lonlat;
        let high = ball.radius / DEGREE_M;
        let wide = high / (lat.abs() + high).min(89.0).to_radians().cos();
        let steps = |reach: f64| {
            let count = (2.0 * reach / ZONE_STEP).ceil().max(1.0) as i32;
            (0..=count).map(move |i| reach * (2.0 * f64::from(i) / f64::from(count) - 1.0))
        };
        let mut zones: Vec<u8> =
            steps(high).flat_map(|y| steps(wide).map(move |x| zone_of(lon + x, lat + y))).collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// Whether the tile may own one of the ball's points that lie in a zone.
    fn near_in(&self, zone: u8, ball: &Ball) -> bool {
        let (e, n) = self.place(zone, ball);
        let index = |metres: f64| (metres / SQUARE_SIZE_M).floor() as i32;
        let around = |middle: f64| index(middle - ball.radius)..=index(middle + ball.radius);
        around(e).any(|column| {
            around(n).any(|row| {
                let square = Square { zone, column, row };
                let holder = self.rivals.iter().find(|rival| rival.square == square);
                holder.map_or_else(|| self.contends(zone, ball), |holder| holder.tile == self.own.tile)
            })
        })
    }

    /// Whether the tile's footprint may win a point of a zone that is in no tile's square.
    fn contends(&self, zone: u8, ball: &Ball) -> bool {
        let (distance, inside) = self.own.depth(ball.at);
        let at_home = self.own.tile.zone() == zone;
        inside >= -ball.radius
            && !self.rivals.iter().filter(|rival| rival.tile != self.own.tile).any(|rival| {
                let rival_at_home = rival.tile.zone() == zone;
                if at_home && !rival_at_home {
                    return false;
                }
                let (others, others_inside) = rival.depth(self.place(rival.tile.zone(), ball));
                let nearer = distance - ball.radius > others + ball.radius;
                others_inside > ball.radius && (nearer || rival_at_home != at_home)
            })
    }

    fn place(&self, zone: u8, ball: &Ball) -> (f64, f64) {
        let own = zone == self.own.tile.zone();
        if own { ball.at } else { forward(zone, ball.lonlat.0, ball.lonlat.1) }
    }
}
