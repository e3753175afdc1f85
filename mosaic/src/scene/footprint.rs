//! Whether an item lies where its rasters do: one that does not would be searched for in one place and read in another.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assets::{Asset, AssetGrid};
use super::item::{Item, ItemFault};
use crate::band::Band;
use crate::projection::{Projection, utm_of_epsg};

/// West, south, east, north in degrees; east may run on past 180.
type Box = [f64; 4];

/// The share of a footprint's box that lies within the raster's: all of it where the two agree, footprints being drawn
/// around the data of a raster, by some archives with a broad brush.
const WITHIN: f64 = 0.5;

/// Compares an item's footprint with where its bands' rasters lie, as their transforms tell.
///
/// Footprints that span half of the globe are those of archives that draw them the wrong way across the antimeridian:
/// of them only the latitudes say something.
pub(super) fn check(item: &Item<'_>, bands: &BTreeMap<Band, Asset>) -> Result<(), ItemFault> {
    let Some(footprint) = item.geometry.and_then(of_geometry) else { return Ok(()) };
    let mut known: Option<(&AssetGrid, Option<Box>)> = None;
    for (band, asset) in bands {
        let Some(grid) = &asset.grid else { continue };
        // Bands of one resolution share a grid.
        let raster = match known {
            Some((other, raster)) if other == grid => raster,
            _ => of_grid(grid),
        };
        known = Some((grid, raster));
        if let Some(raster) = raster.filter(|raster| share_within(&footprint, raster) < WITHIN) {
            let (footprint, raster) = (told(&footprint), told(&raster));
            return Err(ItemFault::Elsewhere { id: item.id.to_owned(), band: *band, footprint, raster });
        }
    }
    Ok(())
}

fn told(b: &Box) -> String {
    format!("[{:.3}, {:.3}, {:.3}, {:.3}]", b[0], b[1], b[2], b[3])
}

/// The box of all positions of a geometry.
fn of_geometry(geometry: &Value) -> Option<Box> {
    let mut positions = Vec::new();
    collect(geometry.get("coordinates")?, &mut positions);
    around(&positions)
}

fn collect(value: &Value, positions: &mut Vec<[f64; 2]>) {
    let Some(list) = value.as_array() else { return };
    match list.first().and_then(Value::as_f64).zip(list.get(1).and_then(Value::as_f64)) {
        Some((lon, lat)) => positions.push([lon, lat]),
        None => list.iter().for_each(|value| collect(value, positions)),
    }
}

/// The box of a raster in a UTM zone; none in any other plane, which nothing here can tell.
fn of_grid(grid: &AssetGrid) -> Option<Box> {
    let ([a, b, c, d, e, f], [rows, columns]) = (grid.transform, grid.shape.map(|n| n as f64));
    let corners = [(0.0, 0.0), (columns, 0.0), (columns, rows), (0.0, rows)];
    let (mut x, mut y): (Vec<f64>, Vec<f64>) =
        corners.iter().map(|(u, v)| (a * u + b * v + c, d * u + e * v + f)).unzip();
    utm_of_epsg(grid.epsg)?.to_lonlat(&mut x, &mut y).ok()?;
    let mut positions: Vec<[f64; 2]> = x.into_iter().zip(y).map(|(x, y)| [x, y]).collect();
    // A raster is never half a globe wide.
    let west = positions.first()?[0];
    positions.iter_mut().for_each(|position| position[0] -= 360.0 * ((position[0] - west) / 360.0).round());
    around(&positions)
}

fn around(positions: &[[f64; 2]]) -> Option<Box> {
    let finite = positions.iter().filter(|position| position.iter().all(|value| value.is_finite()));
    let joined = |b: Option<Box>, [lon, lat]: &[f64; 2]| {
        let b = b.unwrap_or([*lon, *lat, *lon, *lat]);
        Some([b[0].min(*lon), b[1].min(*lat), b[2].max(*lon), b[3].max(*lat)])
    };
    finite.fold(None, joined)
}

/// The share of a footprint's box that lies within a raster's.
fn share_within(footprint: &Box, raster: &Box) -> f64 {
    let overlap = |low: usize, turn: f64| {
        let (from, to) = (footprint[low] + turn, footprint[low + 2] + turn);
        let common = to.min(raster[low + 2]) - from.max(raster[low]);
        if to > from { (common / (to - from)).max(0.0) } else { f64::from(u8::from(common >= 0.0)) }
    };
    let is_global = footprint[2] - footprint[0] > 180.0;
    let longitudes = [-360.0, 0.0, 360.0].map(|turn| overlap(0, turn)).into_iter().fold(0.0, f64::max);
    overlap(1, 0.0) * if is_global { 1.0 } else { longitudes }
}
