//! Which raster of an item serves each band.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::Item;
use super::json::{Object, any_text, flag, number, numbers, text};
use crate::band::Band;
use crate::href::Base;

/// The raster of one band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Where it is: an absolute path or a URL.
    pub href: String,
    /// `file:checksum`, a multihash in hexadecimal.
    pub checksum: Option<String>,
    /// `file:size`, bytes.
    pub size: Option<u64>,
    /// Its grid, as the catalogue tells; the file itself has the last word.
    pub grid: Option<AssetGrid>,
    /// Its format, as the catalogue tells.
    pub media: Media,
    /// Metres a pixel, as the catalogue tells, else the band's own.
    pub resolution: f64,
    /// Whether who reads it pays for it, as the catalogue tells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requester_pays: bool,
}

/// A raster's grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssetGrid {
    /// EPSG code of its CRS.
    pub epsg: u32,
    /// STAC's order: x = a col + b row + c, y = d col + e row + f, for (a, b, c, d, e, f).
    pub transform: [f64; 6],
    /// Rows, columns.
    pub shape: [u64; 2],
}

/// A raster's format, the best to read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A cloud-optimised GeoTIFF.
    Cog,
    /// Another TIFF.
    Tiff,
    /// JPEG 2000.
    Jp2,
    /// Something else that GDAL may know.
    Other,
}

/// The best asset of each band: one that is data before one that does not say so, the finest, one that costs nothing,
/// COG before JP2, then the smallest key.
pub(super) fn choose(item: &Item<'_>, base: &Base) -> BTreeMap<Band, Asset> {
    let mut best: BTreeMap<Band, (Rank, Asset)> = BTreeMap::new();
    for (key, asset) in item.assets {
        let Some((band, rank, asset)) = candidate(item, key, asset, base) else { continue };
        if best.get(&band).is_none_or(|(other, _)| rank < *other) {
            best.insert(band, (rank, asset));
        }
    }
    best.into_iter().map(|(band, (_, asset))| (band, asset)).collect()
}

/// Smaller is better: not said to be data, millimetres a pixel, to be paid for, format, key.
type Rank = (bool, u64, bool, Media, String);

fn candidate(item: &Item<'_>, key: &str, asset: &Value, base: &Base) -> Option<(Band, Rank, Asset)> {
    let asset = asset.as_object()?;
    let href = text(asset, "href")?;
    if has_role(asset, &["thumbnail", "overview", "visual", "metadata", "tiles"]) {
        return None;
    }
    let (band, media) = (band_of(key, asset)?, media(asset, href)?);
    let resolution = resolution(asset, key).unwrap_or_else(|| own_resolution(band));
    let requester_pays = requester_pays(item, asset);
    let millimetres = (resolution * 1000.0).round() as u64;
    let rank = (!has_role(asset, &["data"]), millimetres, requester_pays, media, key.to_owned());
    let asset = Asset {
        href: base.resolve(href),
        checksum: any_text(asset, "file:checksum"),
        size: asset.get("file:size").and_then(Value::as_u64),
        grid: grid(item, asset),
        media,
        resolution,
        requester_pays,
    };
    Some((band, rank, asset))
}

/// Whether who reads an asset pays, by the storage extension: version 1 says so of the asset or of the item, version 2
/// of each of the places that it can be read from.
fn requester_pays(item: &Item<'_>, asset: &Object) -> bool {
    const FLAG: &str = "storage:requester_pays";
    if let Some(told) = flag(asset, FLAG).or_else(|| flag(item.properties, FLAG)) {
        return told;
    }
    let schemes = asset.get("storage:schemes").or_else(|| item.properties.get("storage:schemes"));
    let places = asset.get("storage:refs").and_then(Value::as_array).filter(|places| !places.is_empty());
    let (Some(schemes), Some(places)) = (schemes, places) else { return false };
    let costs = |place: &Value| schemes.get(place.as_str()?)?.get("requester_pays")?.as_bool();
    places.iter().all(|place| costs(place) == Some(true))
}

fn has_role(asset: &Object, roles: &[&str]) -> bool {
    let given = asset.get("roles").and_then(Value::as_array);
    given.is_some_and(|given| given.iter().any(|role| role.as_str().is_some_and(|role| roles.contains(&role))))
}

/// The one band that an asset holds. ESA's name decides before a common one, of which several mean several bands
/// (`rededge`, and `nir` beside `nir08`), and what the asset declares before its key.
fn band_of(key: &str, asset: &Object) -> Option<Band> {
    let list = |field: &str| asset.get(field).and_then(Value::as_array).filter(|list| !list.is_empty());
    if ["eo:bands", "bands", "raster:bands"].iter().any(|field| list(field).is_some_and(|list| list.len() > 1)) {
        return None;
    }
    let only = list("eo:bands").or_else(|| list("bands")).and_then(|list| list[0].as_object());
    let field = |name: &str| only.and_then(|band| text(band, name));
    let (name, common) = (field("name"), field("common_name").or_else(|| field("eo:common_name")));
    let stem = stem(key);
    let esa = name.and_then(esa_name).or_else(|| esa_name(stem));
    esa.or_else(|| name.and_then(common_name)).or_else(|| common_name(stem)).or_else(|| common.and_then(common_name))
}

/// `B04`, and Earth Engine's `B4`.
fn esa_name(name: &str) -> Option<Band> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix('B').filter(|rest| rest.len() == 1).map(|digit| format!("B0{digit}"));
    short.as_deref().unwrap_or(&upper).parse().ok()
}

fn common_name(name: &str) -> Option<Band> {
    match name {
        "rededge071" => Some(Band::B05),
        "rededge075" => Some(Band::B06),
        "rededge078" => Some(Band::B07),
        name => Band::ALL.into_iter().find(|band| band.common_name() == name),
    }
}

/// A key without what it says of resolution and format: `B04` of `B04_10m`, `red` of `red-jp2`.
fn stem(key: &str) -> &str {
    let ends = ["-jp2", "_jp2", "-cog", "_cog", "_10m", "_20m", "_60m", "-10m", "-20m", "-60m"];
    let mut stem = key;
    while let Some(shorter) = ends.iter().find_map(|end| stem.strip_suffix(end)) {
        stem = shorter;
    }
    stem
}

/// The format; `None` for what is no raster of data.
fn media(asset: &Object, href: &str) -> Option<Media> {
    let kind = text(asset, "type").unwrap_or_default().to_ascii_lowercase();
    let path = href.split(['?', '#']).next().unwrap_or(href).to_ascii_lowercase();
    let ends = |end: &str| path.ends_with(end);
    match kind.as_str() {
        kind if kind.contains("cloud-optimized") => Some(Media::Cog),
        kind if kind.starts_with("image/tiff") || kind.contains("geotiff") => Some(Media::Tiff),
        "image/jp2" | "image/jpeg2000" | "image/jpx" => Some(Media::Jp2),
        "image/jpeg" | "image/png" | "image/webp" => None,
        "" if ends(".tif") || ends(".tiff") => Some(Media::Tiff),
        "" if ends(".jp2") => Some(Media::Jp2),
        "" if [".json", ".xml", ".html", ".zip", ".txt", ".jpg", ".jpeg", ".png"].iter().any(|end| ends(end)) => None,
        kind if kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml") => None,
        "application/zip" => None,
        _ => Some(Media::Other),
    }
}

/// Metres a pixel: the geotransform, which is right where `gsd` is copied wrongly; then what else tells.
fn resolution(asset: &Object, key: &str) -> Option<f64> {
    let first_band = asset.get("raster:bands").and_then(|bands| bands.get(0)?.as_object());
    let by_key = || [10.0, 20.0, 60.0].into_iter().find(|metres| key.contains(&format!("_{metres}m")));
    transform(asset)
        .map(|t| t[0].hypot(t[3]))
        .or_else(|| number(asset, "raster:spatial_resolution"))
        .or_else(|| first_band.and_then(|band| number(band, "spatial_resolution")))
        .or_else(|| number(asset, "gsd"))
        .or_else(by_key)
        .filter(|metres| *metres > 0.0 && metres.is_finite())
}

/// What a level-2A product has the band in at its finest original sampling, metres.
fn own_resolution(band: Band) -> f64 {
    match band {
        Band::B02 | Band::B03 | Band::B04 | Band::B08 => 10.0,
        Band::B01 | Band::B09 => 60.0,
        _ => 20.0,
    }
}

/// The asset's own grid, else what the item says for all of its assets.
fn grid(item: &Item<'_>, asset: &Object) -> Option<AssetGrid> {
    let shape = numbers(asset, "proj:shape").or_else(|| numbers(item.properties, "proj:shape"))?;
    let [rows, columns] = shape.try_into().ok()?;
    Some(AssetGrid {
        epsg: epsg(asset).or_else(|| epsg(item.properties))?,
        transform: transform(asset).or_else(|| transform(item.properties))?,
        shape: [rows as u64, columns as u64],
    })
}

/// Six numbers, or nine of which the last row says nothing.
fn transform(object: &Object) -> Option<[f64; 6]> {
    let values = numbers(object, "proj:transform").filter(|values| matches!(values.len(), 6 | 9))?;
    values.get(..6)?.try_into().ok()
}

fn epsg(object: &Object) -> Option<u32> {
    let code = text(object, "proj:code").and_then(|code| code.strip_prefix("EPSG:")?.parse().ok());
    code.or_else(|| object.get("proj:epsg")?.as_u64()?.try_into().ok())
}

/// The offset in DN that the catalogue declares for each asset of a band: not always what the pixels need.
pub(super) fn declared_offsets(item: &Item<'_>) -> impl Iterator<Item = Option<i32>> {
    let bands = item.assets.iter().filter_map(|(key, asset)| {
        let asset = asset.as_object()?;
        band_of(key, asset).map(|_| asset)
    });
    bands.map(declared_offset)
}

/// STAC declares reflectance; ten thousand DN are one.
fn declared_offset(asset: &Object) -> Option<i32> {
    let first_band = asset.get("raster:bands").and_then(|bands| bands.get(0)?.as_object());
    let offset = number(asset, "raster:offset").or_else(|| number(first_band?, "offset"))?;
    Some((offset * 10_000.0).round() as i32)
}
