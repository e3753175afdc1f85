//! Assets: the rasters of an item, and the files beside a collection.

use artifacts::contents::FileEntry;
use mosaic::band::Band;
use mosaic::plan::OutputRaster;
use mosaic::product::Product;
use mosaic::request::Dtype;
use serde_json::{Map, Value, json};

use crate::publish::{MadeTile, Publication, QUICKLOOK, REPORT, SCALE};

const COG: &str = "image/tiff; application=geotiff; profile=cloud-optimized";

/// An item's assets: its rasters in order.
pub(super) fn rasters(publication: &Publication<'_>, tile: &str, made: &MadeTile, metres: f64) -> Map<String, Value> {
    let outputs = publication.outputs;
    let rasters = outputs.rasters().into_iter();
    let asset = |raster: OutputRaster| match raster.band {
        Some(band) => self::band(band, raster.product, outputs.dtype, metres),
        None => count(metres),
    };
    let all = rasters.map(|raster| (raster.name(), asset(raster)));
    all.filter_map(|(name, mut asset)| {
        let file = made.contents.files.iter().find(|file| file.name == format!("{name}.tif"))?;
        asset["href"] = json!(format!("../tiles/{tile}/{}", file.name));
        asset["type"] = json!(COG);
        describe(&mut asset, file);
        Some((name, asset))
    })
    .collect()
}

fn band(band: Band, product: Product, dtype: Dtype, metres: f64) -> Value {
    let (scale, offset) = product.scaling().unwrap_or((SCALE, 0.0));
    // A whole 0 stays one.
    let offset = if offset == 0.0 { json!(0) } else { json!(offset) };
    let role = if product == Product::Mad { "deviation" } else { "reflectance" };
    json!({
        "title": format!("{band}, {}", product.title()),
        "roles": ["data", role],
        "raster:bands": [{
            "nodata": 0,
            "sampling": "area",
            "data_type": dtype.name(),
            "spatial_resolution": metres,
            "scale": scale,
            "offset": offset,
        }],
        "eo:bands": [eo_band(band)],
    })
}

fn count(metres: f64) -> Value {
    json!({
        "title": "Clear observations",
        "description": "How many clear observations each pixel has; nodata and 0 alike mean none.",
        "roles": ["data", "count"],
        "raster:bands": [{
            "nodata": 0,
            "sampling": "area",
            "data_type": "uint16",
            "spatial_resolution": metres,
        }],
    })
}

/// A band as the eo extension tells of it.
pub(super) fn eo_band(band: Band) -> Value {
    let (centre, width) = wavelengths(band);
    // The extension knows one red edge only.
    let common = if band.common_name().starts_with("rededge") { "rededge" } else { band.common_name() };
    json!({
        "name": band.name(),
        "common_name": common,
        "center_wavelength": centre,
        "full_width_half_max": width,
    })
}

/// Centre and width of Sentinel-2A's bands, micrometres.
const fn wavelengths(band: Band) -> (f64, f64) {
    match band {
        Band::B01 => (0.4427, 0.021),
        Band::B02 => (0.4924, 0.066),
        Band::B03 => (0.5598, 0.036),
        Band::B04 => (0.6646, 0.031),
        Band::B05 => (0.7041, 0.015),
        Band::B06 => (0.7405, 0.015),
        Band::B07 => (0.7828, 0.020),
        Band::B08 => (0.8328, 0.106),
        Band::B8A => (0.8647, 0.021),
        Band::B09 => (0.9451, 0.020),
        Band::B11 => (1.6137, 0.091),
        Band::B12 => (2.2024, 0.175),
    }
}

/// A collection's assets: the files beside it.
pub(super) fn beside(files: &[&FileEntry]) -> Map<String, Value> {
    let asset = |file: &&FileEntry| {
        let (key, title, media, role) = match file.name.as_str() {
            QUICKLOOK => ("quicklook", "The whole mosaic", "image/png", "thumbnail"),
            REPORT => ("report", "What became of the request", "application/json", "metadata"),
            vrt => (vrt.trim_end_matches(".vrt"), "All tiles of one CRS as one GDAL raster", "application/xml", "data"),
        };
        let mut asset = json!({"href": format!("./{}", file.name), "title": title, "type": media, "roles": [role]});
        describe(&mut asset, file);
        (key.to_owned(), asset)
    };
    files.iter().map(asset).collect()
}

/// Size and checksum.
fn describe(asset: &mut Value, file: &FileEntry) {
    asset["file:size"] = json!(file.size);
    asset["file:checksum"] = json!(checksum(file));
}

/// What a multihash begins with: code of BLAKE3, 32 bytes long.
pub const MULTIHASH: &str = "1e20";

/// A file's checksum, a multihash.
#[must_use]
pub fn checksum(file: &FileEntry) -> String {
    format!("{MULTIHASH}{}", file.blake3)
}
