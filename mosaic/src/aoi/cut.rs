//! Polygons cut at the antimeridian, as GeoJSON wants them and as most projections need them.

use geo::{BooleanOps, Coord, LineString, MultiPolygon, Rect};

use super::Aoi;
use super::polygon::{NORTHERN_LIMIT, Polygon, Ring, SOUTHERN_LIMIT};

/// The pieces of a polygon east and west of the antimeridian, every longitude in [-180, 180]. Rounded to the eighth
/// decimal of a degree where it is cut.
pub(super) fn pieces(polygon: &Polygon) -> Vec<Polygon> {
    let (_, east) = polygon.longitudes();
    if east <= 180.0 {
        return vec![polygon.clone()];
    }
    let whole = MultiPolygon::new(vec![to_geo(polygon)]);
    // With room to spare, as the cut-off latitudes of tiles lie a little beyond the limits.
    let (south, north) = (SOUTHERN_LIMIT - 5.0, NORTHERN_LIMIT + 5.0);
    [(-180.0, 0.0), (180.0, -360.0)]
        .into_iter()
        .flat_map(|(west, turn)| {
            let half = Rect::new(Coord { x: west, y: south }, Coord { x: west + 360.0, y: north }).to_polygon();
            let cut = whole.intersection(&MultiPolygon::new(vec![half]));
            cut.0.into_iter().map(move |piece| from_geo(&piece).moved(turn))
        })
        .collect()
}

/// The outer ring cut at the antimeridian to its exact coordinates, for bounds; a piece that falls apart stays one ring,
/// joined along the antimeridian.
pub(super) fn outer_rings(polygon: &Polygon) -> Vec<Ring> {
    let ring = &polygon.rings[0];
    if polygon.longitudes().1 <= 180.0 {
        return vec![ring.clone()];
    }
    let before = clip(ring, |lon| 180.0 - lon);
    let mut beyond = clip(ring, |lon| lon - 180.0);
    beyond.iter_mut().for_each(|p| p[0] -= 360.0);
    [before, beyond].into_iter().filter(|ring| ring.len() > 2).collect()
}

/// Sutherland and Hodgman's clipping of a ring to the side of a meridian where `inside` is not negative.
fn clip(ring: &Ring, inside: impl Fn(f64) -> f64) -> Ring {
    let mut clipped = Ring::new();
    for (i, &a) in ring.iter().enumerate() {
        let b = ring[(i + 1) % ring.len()];
        let (da, db) = (inside(a[0]), inside(b[0]));
        if da >= 0.0 {
            clipped.push(a);
        }
        if (da > 0.0 && db < 0.0) || (da < 0.0 && db > 0.0) {
            clipped.push([180.0, a[1] + (b[1] - a[1]) * da / (da - db)]);
        }
    }
    clipped
}

fn to_geo(polygon: &Polygon) -> geo::Polygon {
    let line = |ring: &Ring| ring.iter().map(|&[x, y]| Coord { x, y }).collect::<LineString>();
    geo::Polygon::new(line(&polygon.rings[0]), polygon.rings[1..].iter().map(line).collect())
}

fn from_geo(polygon: &geo::Polygon) -> Polygon {
    let ring = |line: &LineString| -> Ring { line.0.iter().skip(1).map(|c| [c.x, c.y]).collect() };
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect();
    Polygon { rings }
}

impl Aoi {
    /// The area's [west, south, east, north] in degrees as STAC wants it: the narrowest that holds every polygon, west >
    /// east where that crosses the antimeridian.
    #[must_use]
    pub fn bbox(&self) -> [f64; 4] {
        let (south, north) = self.index.latitudes();
        let mut spans: Vec<(f64, f64)> = self.polygons.iter().flat_map(|p| split(p.longitudes())).collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (west, east) = narrowest(&spans);
        [west, south, east, north]
    }
}

/// A range of longitudes that may run on past 180, as ranges within [-180, 180].
fn split((west, east): (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
    let beyond = (east > 180.0).then(|| (-180.0, east - 360.0));
    std::iter::once((west, east.min(180.0))).chain(beyond)
}

/// The shortest arc that holds all ranges, sorted by their west ends: it leaves out the widest gap.
fn narrowest(spans: &[(f64, f64)]) -> (f64, f64) {
    let (first, mut reach) = spans[0];
    let (mut widest, mut crossing) = (0.0, (first, reach));
    for &(west, east) in &spans[1..] {
        if west - reach > widest {
            (widest, crossing) = (west - reach, (west, reach));
        }
        reach = reach.max(east);
    }
    let across_antimeridian = first + 360.0 - reach;
    if across_antimeridian >= widest { (first, reach) } else { crossing }
}
