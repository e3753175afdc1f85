//! The mosaic as STAC 1.0: a collection, and an item for each output tile.
//!
//! Links are relative and there are no `self` links, so that the whole can be moved or copied (STAC's
//! "self-contained catalog"). Links from one version to another are relative to where the versions themselves are, not to
//! the name that means the latest. A version names its predecessor, and the catalogue beside all versions, which alone can
//! know successors: see `version`.

mod asset;
mod collection;
mod credits;
mod item;
mod provenance;

use artifacts::contents::FileEntry;
use jiff::Timestamp;
use mosaic::period::Period;
use mosaic::projection::{ProjectionError, utm_of_epsg};
use serde_json::Value;

pub use asset::{MULTIHASH, checksum};
pub use provenance::SceneProvenance;

use super::footprint::Footprint;
use super::{Numbered, Publication};

/// STAC's version.
pub const STAC: &str = "1.0.0";
const EO: &str = "https://stac-extensions.github.io/eo/v1.1.0/schema.json";
const FILE: &str = "https://stac-extensions.github.io/file/v2.1.0/schema.json";
const GRID: &str = "https://stac-extensions.github.io/grid/v1.1.0/schema.json";
const PROCESSING: &str = "https://stac-extensions.github.io/processing/v1.2.0/schema.json";
const PROJECTION: &str = "https://stac-extensions.github.io/projection/v1.1.0/schema.json";
const RASTER: &str = "https://stac-extensions.github.io/raster/v1.1.0/schema.json";
/// The extension by which versions name each other.
pub const VERSION: &str = "https://stac-extensions.github.io/version/v1.2.0/schema.json";
const SCIENTIFIC: &str = "https://stac-extensions.github.io/scientific/v1.0.0/schema.json";

/// Every document with its place in the version; `files` are the files beside the collection.
///
/// # Errors
/// Where a tile's outline cannot be told.
pub fn documents(
    publication: &Publication<'_>,
    version: &Numbered,
    files: &[&FileEntry],
) -> Result<Vec<(String, Value)>, ProjectionError> {
    let mut documents = Vec::new();
    let mut boxes = Vec::new();
    for (tile, made) in publication.made() {
        let footprint = match utm_of_epsg(tile.grid.epsg) {
            Some(utm) => Footprint::of(&tile.grid, &utm)?,
            None => Footprint::of(&tile.grid, projection(publication, tile.grid.epsg)?)?,
        };
        boxes.push(footprint.bbox());
        documents.push((format!("items/{}.json", tile.id), item::item(publication, tile, made, &footprint)));
    }
    documents.push(("collection.json".into(), collection::collection(publication, version, &boxes, files)));
    Ok(documents)
}

fn projection<'a>(
    publication: &Publication<'a>,
    epsg: u32,
) -> Result<&'a dyn mosaic::projection::Projection, ProjectionError> {
    publication.projection.ok_or_else(|| ProjectionError(format!("EPSG:{epsg}: no projection is given")))
}

/// Both ends inclusive, as STAC has it: the last whole second before the period's end. Datatakes start at whole
/// seconds, so that none lies between the two.
fn inclusive(period: &Period) -> (Timestamp, Timestamp) {
    let whole = if period.end.subsec_nanosecond() == 0 { 1 } else { 0 };
    let last = Timestamp::from_second(period.end.as_second() - whole).unwrap_or(period.end);
    (period.start, last.max(period.start))
}

/// Whole seconds, `2023-08-01T00:00:00Z`.
fn instant(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_period_is_told_as_its_last_second() {
        let period = |end: &str| Period { start: "2023-08-01T00:00:00Z".parse().unwrap(), end: end.parse().unwrap() };
        let last = |end: &str| instant(inclusive(&period(end)).1);
        assert_eq!(last("2023-09-01T00:00:00Z"), "2023-08-31T23:59:59Z");
        assert_eq!(last("2023-09-01T00:00:00.5Z"), "2023-09-01T00:00:00Z");
    }
}
