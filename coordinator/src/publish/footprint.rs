//! Where a pixel grid lies on the globe, as STAC wants it told: longitudes and latitudes, cut at the antimeridian.

use mosaic::grid::PixelGrid;
use mosaic::projection::{Projection, ProjectionError};
use serde_json::{Value, json};

/// Pieces of each side: a 110 km side is then within a metre or two of the true curve.
const PIECES: usize = 16;
/// Mean radius of the Earth, metres.
const EARTH: f64 = 6_371_008.8;

/// The outline of a grid in degrees.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// Counter-clockwise and not closed; longitudes run on past 180 where it crosses the antimeridian.
    ring: Vec<[f64; 2]>,
    /// Mean height of a pixel on the ground, metres.
    pixel: f64,
}

impl Footprint {
    /// The outline of a grid; points outside of the projection's domain are left out.
    ///
    /// # Errors
    /// Where the projection fails as a whole, or no part of the grid lies on the globe.
    pub fn of(grid: &PixelGrid, projection: &dyn Projection) -> Result<Self, ProjectionError> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = outline(grid).into_iter().unzip();
        projection.to_lonlat(&mut x, &mut y)?;
        let points = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite());
        let ring = unwrapped(points.map(|(x, y)| [*x, *y]));
        if ring.len() < 3 {
            return Err(ProjectionError(format!("a grid of EPSG:{} lies outside of its domain", grid.epsg)));
        }
        let ring = oriented(around_a_pole(&ring).unwrap_or(ring));
        Ok(Self { ring, pixel: pixel_height(grid, projection)? })
    }

    /// Mean size of a pixel on the ground, metres; the grid's own resolution where the two agree within 3 %.
    #[must_use]
    pub fn ground_resolution(&self, grid: &PixelGrid) -> f64 {
        let near = (self.pixel / grid.resolution - 1.0).abs() < 0.03;
        if near { grid.resolution } else { (self.pixel * 1000.0).round() / 1000.0 }
    }

    /// [west, south, east, north], west > east across the antimeridian.
    #[must_use]
    pub fn bbox(&self) -> [f64; 4] {
        let (west, east) = self.longitudes();
        let (south, north) = range(self.ring.iter().map(|p| p[1]));
        [west, south, if east > 180.0 { east - 360.0 } else { east }, north].map(rounded)
    }

    /// GeoJSON: a Polygon, or a MultiPolygon in two parts across the antimeridian.
    #[must_use]
    pub fn geometry(&self) -> Value {
        if self.longitudes().1 <= 180.0 {
            return json!({"type": "Polygon", "coordinates": [closed(&self.ring, 0.0)]});
        }
        let west_of = clipped(&self.ring, |lon| 180.0 - lon);
        let east_of = clipped(&self.ring, |lon| lon - 180.0);
        json!({"type": "MultiPolygon", "coordinates": [[closed(&west_of, 0.0)], [closed(&east_of, -360.0)]]})
    }

    fn longitudes(&self) -> (f64, f64) {
        range(self.ring.iter().map(|p| p[0]))
    }
}

/// The smallest [west, south, east, north] that holds several, each of which may cross the antimeridian.
#[must_use]
pub fn union(boxes: &[[f64; 4]]) -> Option<[f64; 4]> {
    let south = boxes.iter().map(|b| b[1]).reduce(f64::min)?;
    let north = boxes.iter().map(|b| b[3]).reduce(f64::max)?;
    let mut spans: Vec<(f64, f64)> =
        boxes.iter().map(|b| (b[0], if b[2] < b[0] { b[2] + 360.0 } else { b[2] })).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Once around the globe from every west end: the shortest arc that reaches all.
    let arc = |start: usize| {
        let from = spans[start].0;
        let turned = |&(west, east): &(f64, f64)| if west < from { east + 360.0 } else { east };
        (from, spans.iter().map(turned).fold(from, f64::max))
    };
    let (west, east) = (0..spans.len()).map(arc).min_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))?;
    let east = if east > 180.0 { east - 360.0 } else { east };
    Some([west, south, east, north])
}

/// The edges of a grid, CRS units, from the south-west corner eastwards.
fn outline(grid: &PixelGrid) -> Vec<(f64, f64)> {
    let b = grid.bounds(&grid.window());
    let corners = [(b.min_x, b.min_y), (b.max_x, b.min_y), (b.max_x, b.max_y), (b.min_x, b.max_y)];
    let side = |i: usize| {
        let (from, to) = (corners[i], corners[(i + 1) % 4]);
        let at = move |j: usize| j as f64 / PIECES as f64;
        (0..PIECES).map(move |j| (from.0 + (to.0 - from.0) * at(j), from.1 + (to.1 - from.1) * at(j)))
    };
    (0..4).flat_map(side).collect()
}

/// Every longitude within half a turn of the one before; the westernmost in [-180, 180).
fn unwrapped(points: impl Iterator<Item = [f64; 2]>) -> Vec<[f64; 2]> {
    let mut ring: Vec<[f64; 2]> = points.collect();
    for i in 1..ring.len() {
        ring[i][0] -= 360.0 * ((ring[i][0] - ring[i - 1][0]) / 360.0).round();
    }
    let (west, _) = range(ring.iter().map(|p| p[0]));
    let turn = 360.0 * ((west + 180.0) / 360.0).floor();
    ring.iter_mut().for_each(|p| p[0] -= turn);
    ring
}

/// A ring that runs once around the globe holds a pole: it is told as the whole cap.
fn around_a_pole(ring: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
    let (first, last) = (ring.first()?, ring.last()?);
    if (last[0] - first[0]).abs() < 180.0 {
        return None;
    }
    let (south, north) = range(ring.iter().map(|p| p[1]));
    let (south, north) = if south + north > 0.0 { (south, 90.0) } else { (-90.0, north) };
    Some(vec![[-180.0, south], [180.0, south], [180.0, north], [-180.0, north]])
}

fn oriented(mut ring: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let next = ring.iter().skip(1).chain(ring.first());
    let twice_area: f64 = ring.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    if twice_area < 0.0 {
        ring.reverse();
    }
    ring
}

/// Mean height of a pixel on the ground along the grid's middle column, metres.
fn pixel_height(grid: &PixelGrid, projection: &dyn Projection) -> Result<f64, ProjectionError> {
    let middle = grid.height as f64 / 2.0;
    let x = grid.ulx + grid.width as f64 / 2.0 * grid.resolution;
    let (mut x, mut y) = ([x; 2], [-0.5, 0.5].map(|off| grid.uly - (middle + off) * grid.resolution));
    projection.to_lonlat(&mut x, &mut y)?;
    let [a, b] = [0, 1].map(|i| (x[i].to_radians(), y[i].to_radians()));
    let (dx, dy) = ((b.0 - a.0) / 2.0, (b.1 - a.1) / 2.0);
    let h = dy.sin().powi(2) + a.1.cos() * b.1.cos() * dx.sin().powi(2);
    let metres = 2.0 * EARTH * h.sqrt().asin();
    Ok(if metres.is_finite() { metres } else { grid.resolution })
}

/// Sutherland and Hodgman's clipping to the side of the antimeridian where `inside` is not negative.
fn clipped(ring: &[[f64; 2]], inside: impl Fn(f64) -> f64) -> Vec<[f64; 2]> {
    let mut kept = Vec::new();
    for (i, &a) in ring.iter().enumerate() {
        let b = ring[(i + 1) % ring.len()];
        let (da, db) = (inside(a[0]), inside(b[0]));
        if da >= 0.0 {
            kept.push(a);
        }
        if da * db < 0.0 {
            kept.push([180.0, a[1] + (b[1] - a[1]) * da / (da - db)]);
        }
    }
    kept
}

fn closed(ring: &[[f64; 2]], turn: f64) -> Vec<[f64; 2]> {
    ring.iter().chain(ring.first()).map(|p| [rounded(p[0] + turn), rounded(p[1])]).collect()
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// To the seventh decimal of a degree, a centimetre.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::grid::tile_grid;
    use mosaic::projection::utm_of_epsg;

    fn of_tile(id: &str) -> Footprint {
        let grid = tile_grid(id.parse().unwrap(), 10.0).unwrap();
        Footprint::of(&grid, &utm_of_epsg(grid.epsg).unwrap()).unwrap()
    }

    #[test]
    fn a_tile_is_a_counter_clockwise_polygon() {
        let footprint = of_tile("33TWL");
        let [west, south, east, north] = footprint.bbox();
        assert!((14.9..15.1).contains(&west) && (45.0..45.2).contains(&south), "{west} {south}");
        assert!(east > west && north > south);
        let geometry = footprint.geometry();
        assert_eq!(geometry["type"], "Polygon");
        let ring = geometry["coordinates"][0].as_array().unwrap();
        assert_eq!(ring.len(), 4 * PIECES + 1);
        assert_eq!(ring[0], ring[ring.len() - 1]);
        let grid = tile_grid("33TWL".parse().unwrap(), 10.0).unwrap();
        assert!((footprint.ground_resolution(&grid) - 10.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_tile_across_the_antimeridian_is_cut() {
        // 60KXF and 01KAB meet at 180 degrees.
        let footprint = ["60KXF", "60KYF", "01KAB", "01KBB"].map(of_tile).into_iter().find(|f| {
            let [west, _, east, _] = f.bbox();
            west > east
        });
        let footprint = footprint.expect("one of them crosses");
        let [west, _, east, _] = footprint.bbox();
        assert!(west > 178.0 && east < -178.0, "{west} {east}");
        let geometry = footprint.geometry();
        assert_eq!(geometry["type"], "MultiPolygon");
        let parts = geometry["coordinates"].as_array().unwrap();
        assert_eq!(parts.len(), 2);
        for (part, sign) in parts.iter().zip([1.0, -1.0]) {
            for point in part[0].as_array().unwrap() {
                let lon = point[0].as_f64().unwrap();
                assert!(lon.abs() <= 180.0 && lon * sign > 0.0, "{lon}");
            }
        }
    }

    #[test]
    fn the_union_is_the_shortest_arc() {
        assert_eq!(union(&[[10.0, 1.0, 12.0, 2.0], [14.0, 0.0, 15.0, 1.0]]), Some([10.0, 0.0, 15.0, 2.0]));
        assert_eq!(union(&[[178.0, 0.0, -179.0, 1.0], [-179.5, 0.0, -178.0, 1.0]]), Some([178.0, 0.0, -178.0, 1.0]));
        assert_eq!(union(&[[177.0, 0.0, 179.0, 1.0], [-179.0, 0.0, -178.0, 1.0]]), Some([177.0, 0.0, -178.0, 1.0]));
        assert_eq!(union(&[]), None);
    }
}
