//! Between a CRS's plane and longitude and latitude: UTM by our own formulae, all else behind the same trait.

use crate::grid::utm::{FALSE_NORTHING_SOUTH, forward, inverse};
use crate::owner::InZone;

/// A projection that failed as a whole, as against a point outside of its domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot project: {0}")]
pub struct ProjectionError(pub String);

/// A CRS's plane and longitude and latitude on WGS 84, degrees, both ways and in place; both slices are as long.
///
/// A point outside of the projection's domain becomes infinite or NaN, which counts as outside of every area. A point's
/// result depends on that point alone, never on its neighbours in the slice.
pub trait Projection: Send + Sync {
    /// Plane coordinates (CRS units, x eastwards and y northwards) become longitude and latitude.
    ///
    /// # Errors
    /// The transformation as a whole is not possible.
    fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError>;

    /// Longitude and latitude become plane coordinates.
    ///
    /// # Errors
    /// The transformation as a whole is not possible.
    // Named after where the coordinates come from; it constructs nothing.
    #[allow(clippy::wrong_self_convention)]
    fn from_lonlat(&self, lon: &mut [f64], lat: &mut [f64]) -> Result<(), ProjectionError>;
}

/// A UTM zone on WGS 84 with northings as its EPSG code has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utm {
    /// 1 to 60.
    pub zone: u8,
    /// Whether northings count 10,000,000 m at the equator (327zz) rather than 0 (326zz).
    pub south: bool,
}

impl Utm {
    /// A point given with its EPSG code's northing.
    #[must_use]
    pub fn in_zone(&self, x: f64, y: f64) -> InZone {
        InZone { zone: self.zone, easting: x, northing: y - self.false_northing() }
    }

    /// What to add to an equator-relative northing, metres.
    #[must_use]
    pub fn false_northing(&self) -> f64 {
        if self.south { FALSE_NORTHING_SOUTH } else { 0.0 }
    }
}

/// The UTM zone of an EPSG code, if it is one on WGS 84: 32601 to 32660, 32701 to 32760.
#[must_use]
pub fn utm_of_epsg(epsg: u32) -> Option<Utm> {
    let zone = u8::try_from(epsg % 100).ok().filter(|zone| (1..=60).contains(zone))?;
    match epsg / 100 {
        326 => Some(Utm { zone, south: false }),
        327 => Some(Utm { zone, south: true }),
        _ => None,
    }
}

impl Projection for Utm {
    fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
        let shift = self.false_northing();
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = inverse(self.zone, *x, *y - shift);
        }
        Ok(())
    }

    fn from_lonlat(&self, lon: &mut [f64], lat: &mut [f64]) -> Result<(), ProjectionError> {
        let shift = self.false_northing();
        for (lon, lat) in lon.iter_mut().zip(lat) {
            let (x, y) = forward(self.zone, *lon, *lat);
            (*lon, *lat) = (x, y + shift);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsg_codes_of_utm_alone_are_utm() {
        assert_eq!(utm_of_epsg(32633), Some(Utm { zone: 33, south: false }));
        assert_eq!(utm_of_epsg(32701), Some(Utm { zone: 1, south: true }));
        for epsg in [32600, 32661, 32761, 3857, 4326, 25833, 0] {
            assert_eq!(utm_of_epsg(epsg), None, "{epsg}");
        }
    }

    #[test]
    fn southern_northings_count_from_ten_million() {
        let utm = Utm { zone: 1, south: true };
        let (mut x, mut y) = ([-177.0], [-17.5]);
        utm.from_lonlat(&mut x, &mut y).unwrap();
        assert!((x[0] - 500_000.0).abs() < 1e-6 && (8_000_000.0..8_100_000.0).contains(&y[0]), "{y:?}");
        utm.to_lonlat(&mut x, &mut y).unwrap();
        assert!((x[0] + 177.0).abs() < 1e-11 && (y[0] + 17.5).abs() < 1e-11);
    }
}
