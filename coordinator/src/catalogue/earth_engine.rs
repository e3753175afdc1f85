//! Scenes and scores of Earth Engine's collections, listed region by region.
//!
//! Images become items, so that all that is known of scenes and scores holds for them too. Of a harmonised collection,
//! a scene whose baseline is shifted is read from the twin that is not harmonised, where that has it, and shifted here:
//! in the harmonised one a dark pixel is 0 as a masked one is, and neither can be told from the other.

use std::collections::{BTreeMap, BTreeSet};

use earth_engine::{Band, Client, Error, Image, Query, asset_of};
use mosaic::aoi::Aoi;
use mosaic::ids::TileId;
use mosaic::scene::Baseline;
use serde_json::{Value, json};

use super::archives::Archives;
use super::fault::Fault;
use super::source::{Visit, Wanted};

/// The collection that the preset means.
pub(super) const SCENES: &str = "COPERNICUS/S2_SR_HARMONIZED";
/// What tells a harmonised collection from its twin.
const HARMONISED: &str = "_HARMONIZED";
/// Side of a region, degrees: a few dozen tiles, whose images of a month are a page or two.
const REGION: f64 = 4.0;
/// What a region is widened by, degrees: the edges of what is asked for are great circles.
const MARGIN: f64 = 0.1;
/// What is asked of images.
const PROPERTIES: [&str; 16] = [
    "MGRS_TILE",
    "PRODUCT_ID",
    "DATATAKE_IDENTIFIER",
    "DATASTRIP_ID",
    "GRANULE_ID",
    "PROCESSING_BASELINE",
    "GENERATION_TIME",
    "SPACECRAFT_NAME",
    "CLOUDY_PIXEL_PERCENTAGE",
    "SENSING_ORBIT_NUMBER",
    "MODEL_VERSION",
    "PROCESSING_SOFTWARE_VERSION",
    "NO_CONTEXT_FRACTION",
    "SOURCE_PRODUCT_ID",
    "SOURCE_ASSET_ID",
    "DATE_PRODUCT_GENERATED",
];

/// Calls `visit` for every image of a collection in the tiles and the period that are wanted, as an item.
pub(super) async fn each_item(
    collection: &str,
    wanted: &Wanted,
    archives: &Archives,
    faults: &mut Vec<Fault>,
    visit: &mut Visit<'_>,
) {
    match items(collection, wanted, archives).await {
        Ok(items) => items.iter().for_each(|item| visit("Earth Engine", item, faults)),
        Err(fault) => faults.push(fault),
    }
}

async fn items(collection: &str, wanted: &Wanted, archives: &Archives) -> Result<Vec<Value>, Fault> {
    let asset = asset_of(collection).ok_or_else(|| Fault::EarthEngine(Error::Missing(collection.to_owned())))?;
    archives.allow().admit(&format!("ee://{asset}")).map_err(Fault::NotAllowed)?;
    let client = archives.earth_engine()?;
    let images = list(&client, &asset, wanted).await?;
    let twin = collection.strip_suffix(HARMONISED).filter(|_| !collection.contains("CLOUD_SCORE"));
    let twins = match twin.and_then(asset_of) {
        Some(twin) if images.iter().any(is_shifted) => match list(&client, &twin, wanted).await {
            Err(Fault::EarthEngine(Error::Missing(_))) => Vec::new(),
            listed => listed?,
        },
        _ => Vec::new(),
    };
    let twins: BTreeMap<&str, &Image> = twins.iter().map(|image| (image.index(), image)).collect();
    let mut alone = 0;
    let mut of = |image: &Image| match (is_shifted(image), twins.get(image.index()), twin) {
        (true, Some(other), Some(twin)) => item(other, twin),
        (shifted, ..) => {
            alone += usize::from(shifted && twin.is_some());
            item(image, collection)
        }
    };
    let found = images.iter().map(&mut of).collect();
    if alone > 0 {
        tracing::warn!(scenes = alone, collection, "dark pixels of scenes that lack a twin are taken for masked ones");
    }
    Ok(found)
}

/// Whether a pixel of an image may be 0 because it is dark.
fn is_shifted(image: &Image) -> bool {
    let baseline = image.properties.get("PROCESSING_BASELINE").and_then(Value::as_str);
    baseline.and_then(|text| text.parse::<Baseline>().ok()).is_some_and(|baseline| baseline >= Baseline::SHIFTED)
}

/// The images of a collection in the wanted tiles, each once.
async fn list(client: &Client, asset: &str, wanted: &Wanted) -> Result<Vec<Image>, Fault> {
    let (start, end) = wanted.searched();
    let mut found: BTreeMap<String, Image> = BTreeMap::new();
    for region in regions(&wanted.tiles) {
        let query = Query {
            collection: asset.to_owned(),
            start: start.to_string(),
            end: end.to_string(),
            region: region.to_string(),
            properties: PROPERTIES.map(str::to_owned).to_vec(),
            bands: true,
        };
        let listed = client.list(&query).await.map_err(Fault::EarthEngine)?;
        found.extend(listed.into_iter().map(|image| (image.name.clone(), image)));
    }
    let tiles: BTreeSet<TileId> = wanted.tiles.iter().copied().collect();
    let is_wanted = |image: &Image| {
        let tile = image.properties.get("MGRS_TILE").and_then(|tile| tile.as_str()?.parse().ok());
        tile.is_none_or(|tile| tiles.contains(&tile))
    };
    Ok(found.into_values().filter(is_wanted).collect())
}

/// GeoJSON of the boxes that hold all tiles, those near each other in one.
fn regions(tiles: &[TileId]) -> Vec<Value> {
    let bbox = |tiles: &[TileId]| Aoi::from_tiles(tiles).ok().map(|aoi| aoi.bbox());
    let mut near: BTreeMap<(i64, i64), Vec<TileId>> = BTreeMap::new();
    for tile in tiles {
        let Some([west, south, ..]) = bbox(&[*tile]) else { continue };
        near.entry(((west / REGION).floor() as i64, (south / REGION).floor() as i64)).or_default().push(*tile);
    }
    near.values().filter_map(|tiles| bbox(tiles)).map(region).collect()
}

/// A box, in two where it crosses the antimeridian.
fn region([west, south, east, north]: [f64; 4]) -> Value {
    let (south, north) = ((south - MARGIN).max(-90.0), (north + MARGIN).min(90.0));
    let (west, east) = (west - MARGIN, east + MARGIN);
    let ring =
        |west: f64, east: f64| json!([[[west, south], [east, south], [east, north], [west, north], [west, south]]]);
    if west <= east && west >= -180.0 && east <= 180.0 {
        return json!({"type": "Polygon", "coordinates": ring(west, east)});
    }
    let west = if west < -180.0 { west + 360.0 } else { west };
    let east = if east > 180.0 { east - 360.0 } else { east };
    json!({"type": "MultiPolygon", "coordinates": [ring(west, 180.0), ring(-180.0, east)]})
}

/// An image as an item.
fn item(image: &Image, collection: &str) -> Value {
    let mut properties = image.properties.clone();
    properties.insert("system:index".to_owned(), image.index().into());
    let assets: serde_json::Map<String, Value> =
        image.bands.iter().map(|band| (band.id.clone(), asset(image, band))).collect();
    json!({
        "type": "Feature",
        "id": image.index(),
        "collection": collection,
        "properties": properties,
        "assets": assets,
    })
}

fn asset(image: &Image, band: &Band) -> Value {
    let size = band.grid.dimensions;
    let mut asset = json!({
        "href": format!("ee://{}/{}", image.name, band.id),
        "type": "application/octet-stream",
        "roles": ["data"],
        "proj:transform": band.grid.transform(),
        "proj:shape": [size.height, size.width],
        "file:checksum": image.update_time,
    });
    if let Some(epsg) = band.grid.epsg() {
        asset["proj:code"] = format!("EPSG:{epsg}").into();
    }
    asset
}
