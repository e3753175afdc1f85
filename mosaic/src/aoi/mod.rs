//! The area of interest: polygons with holes in longitude and latitude, and what follows from them.
//!
//! ```text
//! GeoJSON, bbox, tiles, point ─► polygon (unwrapped rings) ─► index (edges by latitude)
//!                                                               ├─► contains ─► mask (pixels)
//!                                                               ├─► tiles (100 km squares)
//!                                        polygon ─► cut ────────┴─► bounds in a plane, GeoJSON for STAC
//! ```
//!
//! Edges are straight in the longitude-latitude plane, as RFC 7946 has them; areas are unions of their polygons. An edge
//! of more than 180 degrees of longitude goes the short way, across the antimeridian.

mod bounds;
mod circle;
mod cut;
mod error;
mod geojson;
mod index;
mod kept;
mod mask;
mod polygon;
mod tiles;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use error::AoiError;
pub use mask::Mask;

use crate::grid::{Bounds, footprint, normalise_longitude};
use crate::ids::TileId;
use index::EdgeIndex;
use polygon::Polygon;

/// Pieces that each edge of a tile's footprint is cut into, shared by all tiles of an area, at least 64 and at most 512
/// for each: straight pieces of 1.7 km stay within a few centimetres of the edge, those of 200 m within a millimetre.
const FOOTPRINT_PIECES: usize = 1 << 16;

/// An area of interest on WGS 84. Never empty.
#[derive(Clone, Debug)]
pub struct Aoi {
    polygons: Vec<Polygon>,
    index: EdgeIndex,
    only_tiles: Option<Vec<TileId>>,
    zone_bounds: Box<[OnceLock<Option<Bounds>>]>,
}

impl Aoi {
    /// The area of a GeoJSON document: FeatureCollection, Feature, Polygon, MultiPolygon, or a GeometryCollection of
    /// these.
    ///
    /// # Errors
    /// What is no GeoJSON, not polygonal, empty, out of range, in another CRS, not closed, or beyond 84 north or 80
    /// south, where MGRS has no tiles in UTM.
    pub fn from_geojson(text: &str) -> Result<Self, AoiError> {
        Self::from_polygons(geojson::read(text)?)
    }

    /// The area between two meridians and two parallels, [west, south, east, north] in degrees; west > east crosses the
    /// antimeridian.
    ///
    /// # Errors
    /// Coordinates out of range or beyond 84 north or 80 south; south not below north; no width.
    pub fn from_bbox([west, south, east, north]: [f64; 4]) -> Result<Self, AoiError> {
        let corners = [[west, south], [east, south], [east, north], [west, north]];
        corners.iter().try_for_each(|&corner| polygon::check_position("the bbox", corner))?;
        if south >= north {
            return Err(AoiError::SouthNotBelowNorth { south, north });
        }
        let east = if west > east { east + 360.0 } else { east };
        if west == east || east - west > 360.0 {
            return Err(AoiError::Width { west, east });
        }
        let ring = vec![[west, south], [east, south], [east, north], [west, north]];
        Self::from_polygons(vec![Polygon::unwrapped(vec![ring])])
    }

    /// The footprints of some tiles.
    ///
    /// # Errors
    /// No tile at all.
    pub fn from_tiles(tiles: &[TileId]) -> Result<Self, AoiError> {
        let mut tiles = tiles.to_vec();
        tiles.sort_unstable();
        tiles.dedup();
        let pieces = (FOOTPRINT_PIECES / tiles.len().max(1)).clamp(64, 512) as u32;
        let outline = |&tile: &TileId| Polygon::unwrapped(vec![footprint(tile).outline(pieces)]);
        let polygons = tiles.iter().map(outline).collect();
        Ok(Self { only_tiles: Some(tiles), ..Self::from_polygons(polygons)? })
    }

    /// The area within this area's bounds in degrees.
    #[must_use]
    pub fn bounding_box(&self) -> Self {
        Self::from_bbox(self.bbox()).unwrap_or_else(|_| self.clone())
    }

    /// The disc of a radius in metres around a point in degrees: a polygon of 720 vertices on the geodesic circle.
    ///
    /// # Errors
    /// A radius that is not positive; a disc that reaches beyond 84 north or 80 south; coordinates out of range.
    pub fn from_point(lon: f64, lat: f64, radius: f64) -> Result<Self, AoiError> {
        Self::from_polygons(vec![circle::disc(lon, lat, radius)?])
    }

    fn from_polygons(polygons: Vec<Polygon>) -> Result<Self, AoiError> {
        if polygons.is_empty() {
            return Err(AoiError::Empty);
        }
        let index = EdgeIndex::new(&polygons);
        let zone_bounds = (0..60).map(|_| OnceLock::new()).collect();
        Ok(Self { polygons, index, only_tiles: None, zone_bounds })
    }

    /// The tiles that the area was given as, sorted, if it was given as tiles: a request for these means no others.
    #[must_use]
    pub fn only_tiles(&self) -> Option<&[TileId]> {
        self.only_tiles.as_deref()
    }

    /// Whether the area holds a point, degrees; any longitude will do, what is not finite lies outside.
    ///
    /// West and south edges are in, east and north edges out, so that areas that share an edge share no point.
    #[must_use]
    #[inline]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        self.index.contains(normalise_longitude(lon), lat)
    }
}
