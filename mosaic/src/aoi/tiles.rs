//! Which tiles an area needs.

use std::sync::OnceLock;

use super::Aoi;
use super::index::{Edge, LonLatBox};
use super::polygon::Position;
use crate::grid::lonlat::zone_region;
use crate::grid::mgrs::{COLUMNS, Footprint, ROWS, Square};
use crate::grid::utm::{central_meridian, forward, inverse};
use crate::ids::TileId;

/// Longitude and latitude added to a footprint's sampled box on all sides: far more than its edges bulge in between.
const MARGIN_DEGREES: f64 = 0.01;

/// A square of any zone: all zones look alike from their central meridian.
struct Shape {
    column: i32,
    row: i32,
    /// Box around the footprint, longitudes from the central meridian.
    reach: LonLatBox,
    /// Whether the square meets a zone of plain six degrees from 80 south to 84 north.
    meets_plain_zone: bool,
}

impl Aoi {
    /// The tiles that the area needs, sorted: of every 100 km square that meets its MGRS zone (32V and Svalbard
    /// included) and whose footprint meets the area, whether or not the mission images it.
    #[must_use]
    pub fn tiles(&self) -> Vec<TileId> {
        let mut tiles: Vec<TileId> = (1..=60).flat_map(|zone| self.tiles_of_zone(zone)).collect();
        tiles.sort_unstable();
        tiles
    }

    fn tiles_of_zone(&self, zone: u8) -> impl Iterator<Item = TileId> + '_ {
        let plain = zone_region(zone).len() == 1 && !matches!(zone, 34 | 36);
        shapes().iter().filter_map(move |shape| {
            let square = Square { zone, column: shape.column, row: shape.row };
            let reach = shape.reach.moved(central_meridian(zone));
            // The exceptions begin at 56 degrees north, 6,200 km from the equator.
            let known = (plain || shape.row < 60).then_some(shape.meets_plain_zone);
            let needed = known != Some(false)
                && self.may_meet(&reach)
                && self.meets(&square.footprint(), &reach)
                && known.unwrap_or_else(|| square.meets_zone());
            if needed { square.tile() } else { None }
        })
    }

    /// Whether a box lies anywhere near the area.
    fn may_meet(&self, reach: &LonLatBox) -> bool {
        turns(reach).any(|turned| self.index.extent().overlaps(&turned))
    }

    /// Whether a tile's footprint, its box known, has ground in common with the area.
    fn meets(&self, footprint: &Footprint, reach: &LonLatBox) -> bool {
        let outline: OnceLock<Vec<Position>> = OnceLock::new();
        for turned in turns(reach) {
            let turn = turned.west - reach.west;
            let enters = |edge: &Edge| {
                let outline = outline.get_or_init(|| outline_near(footprint, reach));
                [edge.south, edge.north].iter().any(|&end| holds(footprint, end)) || crosses(edge, outline, turn)
            };
            if self.index.any_edge(&turned, enters) {
                return true;
            }
        }
        // No edge of the area enters the footprint: it lies wholly in or wholly out.
        let (lon, lat) = inverse(footprint.zone, footprint.west + 54_900.0, footprint.north - 54_900.0);
        self.contains(lon, lat)
    }
}

/// A box, and where it lies a full turn further, as far as areas can lie there: see [`super::index::EdgeIndex`].
fn turns(reach: &LonLatBox) -> impl Iterator<Item = LonLatBox> {
    [-360.0, 0.0, 360.0].map(|turn| reach.moved(turn)).into_iter().filter(|b| b.west < 180.0 && b.east >= -180.0)
}

/// The footprint's outline, its longitudes near those of its box.
fn outline_near(footprint: &Footprint, reach: &LonLatBox) -> Vec<Position> {
    let mut outline = footprint.outline(64);
    let turn = 360.0 * (((reach.west + reach.east) / 2.0 - outline[0][0]) / 360.0).round();
    outline.iter_mut().for_each(|position| position[0] += turn);
    outline
}

fn holds(footprint: &Footprint, [lon, lat]: Position) -> bool {
    let (easting, northing) = forward(footprint.zone, lon, lat);
    footprint.holds(easting, northing)
}

fn crosses(edge: &Edge, outline: &[Position], turn: f64) -> bool {
    let moved = |[lon, lat]: Position| [lon + turn, lat];
    (0..outline.len()).any(|i| edge.crosses(moved(outline[i]), moved(outline[(i + 1) % outline.len()])))
}

fn shapes() -> &'static [Shape] {
    static SHAPES: OnceLock<Vec<Shape>> = OnceLock::new();
    SHAPES.get_or_init(|| ROWS.flat_map(|row| COLUMNS.map(move |column| shape(column, row))).collect())
}

fn shape(column: i32, row: i32) -> Shape {
    // A zone without exceptions, far from the antimeridian.
    let square = Square { zone: 20, column, row };
    let middle = central_meridian(20);
    let sampled = LonLatBox::around(square.footprint().outline(16)).moved(-middle);
    let reach = LonLatBox {
        west: sampled.west - MARGIN_DEGREES,
        south: sampled.south - MARGIN_DEGREES,
        east: sampled.east + MARGIN_DEGREES,
        north: sampled.north + MARGIN_DEGREES,
    };
    let zone = LonLatBox { west: -3.0, south: -80.0, east: 3.0, north: 84.0 };
    Shape { column, row, reach, meets_plain_zone: reach.overlaps(&zone) && square.meets_zone() }
}
