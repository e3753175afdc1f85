//! Projections: UTM by the formulae of `mosaic`, everything else by PROJ, without network, each by one coordinate
//! operation that is chosen once and then kept by name (a PROJ pipeline), so that no point is taken by another.

mod proj;

use std::sync::Arc;

use mosaic::projection::{Projection, utm_of_epsg};

pub use proj::{Operation, choose};

use crate::read::{Layout, ReadError};

/// The whole world, in degrees: an area for operations where none is known.
const WORLD: [f64; 4] = [-180.0, -90.0, 180.0, 90.0];

/// The projection of an EPSG code.
///
/// # Errors
/// Where there is no such CRS.
pub fn of_epsg(epsg: u32) -> Result<Arc<dyn Projection>, ReadError> {
    if let Some(utm) = utm_of_epsg(epsg) {
        return Ok(Arc::new(utm));
    }
    let name = format!("EPSG:{epsg}");
    let operation = choose(&name, WORLD).map_err(|e| ReadError::permanent(&name, e.to_string()))?;
    Ok(Arc::new(operation))
}

/// The projection of a source: of its EPSG code where it has one, else of its CRS as it is written.
///
/// # Errors
/// Where it has no CRS, or one that PROJ does not know.
pub fn of_source(source: &Layout) -> Result<Arc<dyn Projection>, ReadError> {
    if let Some(epsg) = source.epsg {
        return of_epsg(epsg).map_err(|e| ReadError { href: source.href.clone(), ..e });
    }
    let wkt = source.wkt.as_deref().ok_or_else(|| ReadError::permanent(&source.href, "it has no CRS"))?;
    let operation = choose(wkt, WORLD).map_err(|e| ReadError::permanent(&source.href, e.to_string()))?;
    Ok(Arc::new(operation))
}
