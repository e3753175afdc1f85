//! The box around an area in a projection's plane.

use super::polygon::Ring;
use super::{Aoi, cut};
use crate::grid::Bounds;
use crate::projection::{Projection, ProjectionError, Utm};

/// Edges are followed in steps of this many degrees; between three points the box follows the parabola through them,
/// which is within a millimetre of the truth in UTM.
const STEP_DEGREES: f64 = 0.1;

impl Aoi {
    /// The box around the area in a projection's plane, CRS units, the curvature of its edges included. Points outside
    /// of the projection's domain do not count; none if all are.
    ///
    /// # Errors
    /// The projection as a whole fails.
    pub fn bounds_in(&self, projection: &dyn Projection) -> Result<Option<Bounds>, ProjectionError> {
        let all = self.polygon_bounds_in(projection)?;
        Ok(all.into_iter().reduce(|a, b| a.union(&b)))
    }

    /// The boxes around each of the area's polygons, cut at the antimeridian.
    ///
    /// # Errors
    /// The projection as a whole fails.
    pub fn polygon_bounds_in(&self, projection: &dyn Projection) -> Result<Vec<Bounds>, ProjectionError> {
        let rings = self.polygons.iter().flat_map(cut::outer_rings);
        let boxes: Result<Vec<_>, _> = rings.map(|ring| ring_bounds(&ring, projection)).collect();
        Ok(boxes?.into_iter().flatten().collect())
    }

    /// The box around the area in a UTM zone's plane, northings relative to the equator. Worked out once a zone.
    #[must_use]
    pub fn zone_bounds(&self, zone: u8) -> Option<Bounds> {
        let slot = self.zone_bounds.get(usize::from(zone).checked_sub(1)?)?;
        // Our own formulae never fail as a whole.
        *slot.get_or_init(|| self.bounds_in(&Utm { zone, south: false }).ok().flatten())
    }
}

fn ring_bounds(ring: &Ring, projection: &dyn Projection) -> Result<Option<Bounds>, ProjectionError> {
    let (mut x, mut y) = densified(ring);
    projection.from_lonlat(&mut x, &mut y)?;
    let points = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite());
    let mut bounds =
        points.map(|(&x, &y)| Bounds { min_x: x, min_y: y, max_x: x, max_y: y }).reduce(|a, b| a.union(&b));
    if let Some(bounds) = &mut bounds {
        for i in (0..x.len() - 2).step_by(2) {
            if let Some(x) = turning_point(&x[i..i + 3]) {
                (bounds.min_x, bounds.max_x) = (bounds.min_x.min(x), bounds.max_x.max(x));
            }
            if let Some(y) = turning_point(&y[i..i + 3]) {
                (bounds.min_y, bounds.max_y) = (bounds.min_y.min(y), bounds.max_y.max(y));
            }
        }
    }
    Ok(bounds)
}

/// Longitudes and latitudes along the closed ring, an even number of pieces an edge.
fn densified(ring: &Ring) -> (Vec<f64>, Vec<f64>) {
    let (mut lon, mut lat) = (vec![ring[0][0]], vec![ring[0][1]]);
    for (i, a) in ring.iter().enumerate() {
        let b = ring[(i + 1) % ring.len()];
        let length = (b[0] - a[0]).abs().max((b[1] - a[1]).abs());
        let pieces = 2 * (length / STEP_DEGREES / 2.0).ceil().max(1.0) as u32;
        for piece in 1..pieces {
            let t = f64::from(piece) / f64::from(pieces);
            lon.push(a[0] + t * (b[0] - a[0]));
            lat.push(a[1] + t * (b[1] - a[1]));
        }
        lon.push(b[0]);
        lat.push(b[1]);
    }
    (lon, lat)
}

/// The extreme value of the parabola through three equidistant values, if it lies between the outer two.
fn turning_point(values: &[f64]) -> Option<f64> {
    let (a, m, b) = (values[0], values[1], values[2]);
    let (slope, bend) = (b - a, a - 2.0 * m + b);
    (slope.abs() < 2.0 * bend.abs()).then(|| m - slope * slope / (8.0 * bend)).filter(|v| v.is_finite())
}
