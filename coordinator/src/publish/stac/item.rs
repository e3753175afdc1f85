//! One output tile as a STAC item.

use mosaic::plan::OutputTile;
use serde_json::{Map, Value, json};

use super::provenance::{Sources, unreadable};
use super::{EO, FILE, GRID, PROCESSING, PROJECTION, RASTER, STAC};
use super::{asset, credits, inclusive, instant};
use crate::publish::footprint::Footprint;
use crate::publish::report::Observations;
use crate::publish::{MadeTile, Publication};

/// The item of an output tile that was made.
pub(super) fn item(publication: &Publication<'_>, tile: &OutputTile, made: &MadeTile, footprint: &Footprint) -> Value {
    let sources = Sources::of_tile(publication, made);
    let metres = footprint.ground_resolution(&tile.grid);
    let mut extensions = vec![EO, FILE, PROCESSING, PROJECTION, RASTER];
    extensions.extend(tile.native.is_some().then_some(GRID));
    extensions.sort_unstable();
    json!({
        "type": "Feature",
        "stac_version": STAC,
        "stac_extensions": extensions,
        "id": tile.id,
        "collection": publication.request.name,
        "geometry": footprint.geometry(),
        "bbox": footprint.bbox(),
        "properties": properties(publication, tile, made, &sources, metres),
        "assets": asset::rasters(publication, &tile.id, made, metres),
        "links": links(publication, &sources),
    })
}

fn links(publication: &Publication<'_>, sources: &Sources<'_>) -> Vec<Value> {
    let collection = |rel| {
        json!({
            "rel": rel,
            "href": "../collection.json",
            "type": "application/json",
            "title": publication.request.name,
        })
    };
    ["root", "parent", "collection"].into_iter().map(collection).chain(sources.links()).collect()
}

fn properties(
    publication: &Publication<'_>,
    tile: &OutputTile,
    made: &MadeTile,
    sources: &Sources<'_>,
    metres: f64,
) -> Map<String, Value> {
    let (start, end) = inclusive(&publication.request.period);
    let mut all = Map::new();
    let told = json!({
        "title": format!("{}, {}", publication.request.name, tile.id),
        "datetime": null,
        "start_datetime": instant(start),
        "end_datetime": instant(end),
        "created": instant(publication.now),
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": metres,
        "license": credits::LICENSE,
        "clearmosaic:attribution": credits::attribution(sources),
        "clearmosaic:scenes": sources.len(),
        "clearmosaic:observations": Observations::of([&made.contents.meta.observations]),
    });
    all.extend(told.as_object().cloned().unwrap_or_default());
    all.extend(grid(tile));
    all.extend(super::collection::processing(publication));
    all.extend(super::collection::recipe(publication));
    all.extend(sources.properties());
    all.extend(unreadable(publication, |of| tile.owners.contains(&of)));
    all
}

/// Where the pixels lie, by the projection and grid extensions.
fn grid(tile: &OutputTile) -> Map<String, Value> {
    let grid = &tile.grid;
    let bounds = grid.bounds(&grid.window());
    let mut fields = Map::new();
    fields.insert("proj:epsg".into(), json!(grid.epsg));
    fields.insert("proj:shape".into(), json!([grid.height, grid.width]));
    let transform = [grid.resolution, 0.0, grid.ulx, 0.0, -grid.resolution, grid.uly];
    fields.insert("proj:transform".into(), json!(transform));
    fields.insert("proj:bbox".into(), json!([bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y]));
    if let Some(native) = tile.native {
        fields.insert("grid:code".into(), json!(format!("MGRS-{native}")));
    }
    fields
}
