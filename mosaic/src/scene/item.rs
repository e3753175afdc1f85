//! From a STAC item to a scene.
//!
//! Items are read as plain JSON through the helpers next door rather than through the `stac` crate: everything that
//! matters here stands in extension fields, which its types leave as JSON as well, and one provider still serves
//! 1.0.0-beta.2.

use serde_json::Value;

use super::json::{Object, any_text, first_number, first_text, instant, text};
use super::product::{ProductName, unit};
use super::{Baseline, Provider, Scene, Version, assets, footprint, harmonise, index};
use crate::band::Band;
use crate::href::Base;
use crate::ids::TileId;

/// Why an item is no scene; one line, naming the item and what was looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// Not a STAC item at all.
    #[error(
        "item {0}: not a STAC item: expected a GeoJSON Feature with `id`, `properties` and `assets`, `{1}` is missing or of another type"
    )]
    NotAnItem(String, &'static str),
    /// Nothing tells the tile.
    #[error(
        "item {0}: no MGRS tile: expected grid:code, s2:mgrs_tile, mgrs:utm_zone with mgrs:latitude_band and mgrs:grid_square, or a product name with _T33TWL_"
    )]
    NoTile(String),
    /// The tile is none.
    #[error("item {id}: {field}: `{value}` is no MGRS tile")]
    BadTile {
        /// The item.
        id: String,
        /// Where it says so.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// Nothing tells when it was sensed.
    #[error("item {0}: no datatake start: expected s2:datatake_id, eopf:datatake_id, a product name or a datetime")]
    NoStart(String),
    /// Nothing tells the satellite.
    #[error(
        "item {0}: no Sentinel-2 platform: expected `platform` to be sentinel-2a or another unit, or a product name"
    )]
    NoPlatform(String),
    /// The offset depends on the baseline, and nothing tells it.
    #[error(
        "item {0}: processing baseline unknown, so whether its pixels carry the offset of 1000 is too: expected s2:processing_baseline, processing:version or a product name with N0509"
    )]
    NoBaseline(String),
    /// Its footprint is not where its rasters are.
    #[error(
        "item {id}: its footprint and its rasters lie apart: `geometry` is within {footprint}, by proj:transform {band} is within {raster} (west, south, east, north): mend the item, or leave it out"
    )]
    Elsewhere {
        /// The item.
        id: String,
        /// The band whose raster lies elsewhere.
        band: Band,
        /// The footprint's box.
        footprint: String,
        /// The raster's box.
        raster: String,
    },
}

/// The parts of an item that everything here reads.
pub(super) struct Item<'a> {
    pub id: &'a str,
    pub collection: Option<&'a str>,
    pub properties: &'a Object,
    pub assets: &'a Object,
    pub geometry: Option<&'a Value>,
    links: Option<&'a Vec<Value>>,
}

impl<'a> Item<'a> {
    fn of(value: &'a Value) -> Result<Self, ItemFault> {
        let id = value.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let fault = |field| ItemFault::NotAnItem(id.unwrap_or("(without id)").to_owned(), field);
        if value.get("type").and_then(Value::as_str) != Some("Feature") {
            return Err(fault("type"));
        }
        let object = |field| value.get(field).and_then(Value::as_object).ok_or_else(|| fault(field));
        Ok(Self {
            id: id.ok_or_else(|| fault("id"))?,
            collection: value.get("collection").and_then(Value::as_str),
            properties: object("properties")?,
            assets: object("assets")?,
            geometry: value.get("geometry").filter(|geometry| geometry.is_object()),
            links: value.get("links").and_then(Value::as_array),
        })
    }

    /// The addresses of all assets.
    pub fn hrefs(&self) -> impl Iterator<Item = &'a str> {
        self.assets.values().filter_map(|asset| asset.get("href")?.as_str())
    }

    /// Name of the product that the item was made from.
    pub fn product(&self) -> Option<ProductName> {
        index::product(self)
    }

    fn link(&self, rel: &str) -> Option<&'a str> {
        let link = self.links?.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some(rel))?;
        link.get("href")?.as_str()
    }
}

impl Scene {
    /// Reads an item of Earth Search (v0, v1, c1), the Planetary Computer, CDSE or one like theirs. `base` is the
    /// file that the item stands in: its hrefs are relative to that.
    ///
    /// # Errors
    /// [`ItemFault`] where the item tells no tile, no time or no platform, or where its offset cannot be decided.
    pub fn from_item(item: &Value, base: &Base) -> Result<Self, ItemFault> {
        let item = Item::of(item)?;
        let product = item.product();
        let id = || item.id.to_owned();
        let tile = tile(&item, product.as_ref())?;
        let (sensing_start, index) = index::clue(&item, tile).ok_or_else(|| ItemFault::NoStart(id()))?;
        let platform = platform(&item, product.as_ref()).ok_or_else(|| ItemFault::NoPlatform(id()))?;
        let (baseline, provider) = (baseline(&item, product.as_ref()), provider(&item));
        let mut bands = assets::choose(&item, base);
        footprint::check(&item, &bands)?;
        let offset = harmonise::settle(&item, provider, baseline, &mut bands)?;
        Ok(Self {
            id: id(),
            collection: item.collection.map(str::to_owned),
            tile,
            platform,
            sensing_start,
            index,
            baseline,
            offset,
            version: Version { baseline, made: made(&item, product.as_ref()), id: id() },
            cloud_cover: first_number(item.properties, &["eo:cloud_cover", "CLOUDY_PIXEL_PERCENTAGE"]),
            relative_orbit: orbit(&item, product.as_ref()),
            bands,
            self_href: item.link("self").map(|href| base.resolve(href)),
            provider,
        })
    }
}

fn tile(item: &Item<'_>, product: Option<&ProductName>) -> Result<TileId, ItemFault> {
    for field in ["grid:code", "s2:mgrs_tile", "MGRS_TILE"] {
        // Another grid's code says nothing about the tile.
        let value = text(item.properties, field).filter(|v| field != "grid:code" || v.starts_with("MGRS-"));
        if let Some(value) = value {
            return parse_tile(item, field, value);
        }
    }
    for (field, prefix) in [("mgrs:utm_zone", "mgrs"), ("sentinel:utm_zone", "sentinel")] {
        let part = |name: &str| any_text(item.properties, &format!("{prefix}:{name}"));
        if let (Some(zone), Some(band), Some(square)) = (part("utm_zone"), part("latitude_band"), part("grid_square")) {
            return parse_tile(item, field, &format!("{zone}{band}{square}"));
        }
    }
    product.and_then(|name| name.tile).ok_or_else(|| ItemFault::NoTile(item.id.to_owned()))
}

fn parse_tile(item: &Item<'_>, field: &'static str, value: &str) -> Result<TileId, ItemFault> {
    value.parse().map_err(|_| ItemFault::BadTile { id: item.id.to_owned(), field, value: value.to_owned() })
}

/// `sentinel-2a`, from `Sentinel-2A`, `S2A_...` or whatever ends in the unit.
fn platform(item: &Item<'_>, product: Option<&ProductName>) -> Option<String> {
    let stated = first_text(item.properties, &["platform", "eo:platform", "SPACECRAFT_NAME"]);
    let stated = stated.map(str::to_ascii_lowercase).and_then(|name| {
        let mut end = name.chars().rev();
        let unit = end.next().filter(|c| ('a'..='d').contains(c))?;
        (end.next() == Some('2')).then_some(unit)
    });
    let unit = stated.or_else(|| product.map(|name| name.unit)).or_else(|| unit(item.id.split('_').next()?))?;
    Some(format!("sentinel-2{unit}"))
}

fn baseline(item: &Item<'_>, product: Option<&ProductName>) -> Option<Baseline> {
    ["s2:processing_baseline", "processing:version", "sentinel:processing_baseline", "PROCESSING_BASELINE"]
        .iter()
        .filter_map(|field| any_text(item.properties, field))
        .find_map(|value| value.parse().ok())
        .or_else(|| product?.baseline)
}

fn orbit(item: &Item<'_>, product: Option<&ProductName>) -> Option<u16> {
    let stated = first_number(item.properties, &["sat:relative_orbit", "SENSING_ORBIT_NUMBER"]);
    let stated = stated.filter(|n| (1.0..=143.0).contains(n)).map(|n| n as u16);
    stated.or_else(|| product?.orbit)
}

fn made(item: &Item<'_>, product: Option<&ProductName>) -> Option<jiff::Timestamp> {
    product
        .and_then(|name| name.made)
        .or_else(|| instant(item.properties, "s2:generation_time"))
        .or_else(|| instant(item.properties, "processing:datetime"))
}

fn provider(item: &Item<'_>) -> Provider {
    let says = |prefix: &str| item.properties.keys().any(|field| field.starts_with(prefix));
    let at = |part: &str| item.hrefs().any(|href| href.contains(part));
    let collection = item.collection.unwrap_or_default();
    if collection == "sentinel-2-c1-l2a" {
        Provider::EarthSearchC1
    } else if says("earthsearch:") {
        Provider::EarthSearchV1
    } else if says("sentinel:") {
        Provider::EarthSearchV0
    } else if says("eopf:") || at("s3://eodata/") {
        Provider::Cdse
    } else if collection.contains("COPERNICUS/S2") || item.id.contains("COPERNICUS/S2") || says("DATATAKE_IDENTIFIER") {
        Provider::EarthEngine
    } else if at(".blob.core.windows.net/sentinel2-l2/") {
        Provider::PlanetaryComputer
    } else {
        Provider::Other
    }
}
