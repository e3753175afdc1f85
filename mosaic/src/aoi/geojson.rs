//! Areas from GeoJSON (RFC 7946), and back to it.

use geojson::{Feature, GeoJson, Geometry, GeometryValue, JsonObject};

use super::polygon::{Polygon, Ring};
use super::{Aoi, AoiError, cut};

/// The polygons of a GeoJSON document; none is left to the caller to refuse.
pub(super) fn read(text: &str) -> Result<Vec<Polygon>, AoiError> {
    // Some editors begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let document: GeoJson = text.parse().map_err(|e: geojson::Error| AoiError::Json(e.to_string()))?;
    check_crs(&document)?;
    let mut polygons = Vec::new();
    match document {
        GeoJson::Geometry(geometry) => read_geometry("the geometry", geometry, &mut polygons)?,
        GeoJson::Feature(feature) => read_feature(1, feature, &mut polygons)?,
        GeoJson::FeatureCollection(collection) => {
            for (index, feature) in collection.features.into_iter().enumerate() {
                read_feature(index + 1, feature, &mut polygons)?;
            }
        }
    }
    Ok(polygons)
}

fn read_feature(number: usize, feature: Feature, polygons: &mut Vec<Polygon>) -> Result<(), AoiError> {
    let at = format!("feature {number}");
    feature.geometry.map_or(Ok(()), |geometry| read_geometry(&at, geometry, polygons))
}

fn read_geometry(at: &str, geometry: Geometry, polygons: &mut Vec<Polygon>) -> Result<(), AoiError> {
    match geometry.value {
        GeometryValue::Polygon { coordinates } => read_polygon(at, coordinates, polygons),
        GeometryValue::MultiPolygon { coordinates } => {
            coordinates.into_iter().try_for_each(|polygon| read_polygon(at, polygon, polygons))
        }
        GeometryValue::GeometryCollection { geometries } => {
            geometries.into_iter().try_for_each(|geometry| read_geometry(at, geometry, polygons))
        }
        other => Err(AoiError::NotPolygonal { at: at.to_owned(), kind: other.type_name() }),
    }
}

fn read_polygon(at: &str, rings: geojson::PolygonType, polygons: &mut Vec<Polygon>) -> Result<(), AoiError> {
    // `"coordinates": []` is a null geometry by another name.
    if !rings.is_empty() {
        let ring = |ring: Vec<geojson::Position>| -> Ring { ring.iter().map(|p| [p[0], p[1]]).collect() };
        polygons.push(Polygon::read(at, rings.into_iter().map(ring).collect())?);
    }
    Ok(())
}

/// Older GeoJSON may name a CRS: it must be the only one that RFC 7946 leaves.
fn check_crs(document: &GeoJson) -> Result<(), AoiError> {
    let members: Option<&JsonObject> = match document {
        GeoJson::Geometry(g) => g.foreign_members.as_ref(),
        GeoJson::Feature(f) => f.foreign_members.as_ref(),
        GeoJson::FeatureCollection(c) => c.foreign_members.as_ref(),
    };
    let Some(crs) = members.and_then(|members| members.get("crs")).filter(|crs| !crs.is_null()) else {
        return Ok(());
    };
    let name =
        crs.pointer("/properties/name").and_then(|name| name.as_str()).map_or_else(|| crs.to_string(), str::to_owned);
    let known = ["CRS84", "EPSG:4326", "EPSG::4326", "EPSG:4979", "EPSG::4979"];
    if known.iter().any(|code| name.ends_with(code)) { Ok(()) } else { Err(AoiError::Crs(name)) }
}

impl Aoi {
    /// The area as a GeoJSON MultiPolygon, cut at the antimeridian where it crosses it; outer rings counter-clockwise.
    #[must_use]
    pub fn geojson(&self) -> serde_json::Value {
        let pieces: Vec<Vec<Ring>> = self.polygons.iter().flat_map(cut::pieces).map(|p| p.rings).collect();
        let polygons: Vec<Vec<Ring>> =
            pieces.into_iter().map(|rings| rings.into_iter().enumerate().map(close).collect()).collect();
        serde_json::json!({ "type": "MultiPolygon", "coordinates": polygons })
    }
}

/// Turned the right-hand way, the first position repeated at the end.
fn close((index, mut ring): (usize, Ring)) -> Ring {
    let area: f64 = (0..ring.len())
        .map(|i| (ring[i], ring[(i + 1) % ring.len()]))
        .map(|(a, b)| (a[0] - ring[0][0]) * (b[1] - ring[0][1]) - (b[0] - ring[0][0]) * (a[1] - ring[0][1]))
        .sum();
    if (area > 0.0) != (index == 0) {
        ring.reverse();
    }
    ring.extend(ring.first().copied());
    ring
}
