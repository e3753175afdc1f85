//! A catalogue that is made up: an item a month of every tile of an area, in the form that Earth Search gives them, and
//! a score for each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use mosaic::aoi::Aoi;
use mosaic::ids::TileId;
use serde_json::{Value, json};

/// Bands that an item offers, with their pixel sizes.
const BANDS: [(&str, &str, u32); 13] = [
    ("coastal", "B01", 60),
    ("blue", "B02", 10),
    ("green", "B03", 10),
    ("red", "B04", 10),
    ("rededge1", "B05", 20),
    ("rededge2", "B06", 20),
    ("rededge3", "B07", 20),
    ("nir", "B08", 10),
    ("nir08", "B8A", 20),
    ("nir09", "B09", 60),
    ("swir16", "B11", 20),
    ("swir22", "B12", 20),
    ("visual", "TCI", 10),
];

/// Writes catalogues of at most so many tiles beside each other; the request that reads them, as JSON.
pub fn write(area: &Path, dir: &Path, most: usize) -> String {
    let text = std::fs::read_to_string(area).expect("the area is read");
    let tiles = Aoi::from_geojson(&text).expect("the area is good").tiles();
    let tiles = &tiles[..most.min(tiles.len())];
    eprintln!("{} tiles", tiles.len());
    collection(&dir.join("items.json"), tiles, item);
    collection(&dir.join("scores.json"), tiles, score);
    let path = |name: &str| dir.join(name).display().to_string();
    json!({
        "version": 1, "name": "bench", "aoi": std::path::absolute(area).expect("a path"),
        "period": {"start": "2023-01-01", "end": "2024-01-01"}, "slice": "P1M", "bands": ["B04", "B03", "B02", "B08"],
        "scenes": {"items": path("items.json")}, "scores": {"items": path("scores.json")}, "output": path("out"),
    })
    .to_string()
}

fn collection(path: &Path, tiles: &[TileId], of: fn(&TileId, u32) -> Value) {
    let mut out = BufWriter::new(File::create(path).expect("a catalogue is written"));
    let mut write = |bytes: &[u8]| out.write_all(bytes).expect("a catalogue is written");
    write(b"{\"type\": \"FeatureCollection\", \"features\": [");
    for (number, (tile, month)) in tiles.iter().flat_map(|tile| (1..=12).map(move |month| (tile, month))).enumerate() {
        if number > 0 {
            write(b",\n");
        }
        write(of(tile, month).to_string().as_bytes());
    }
    write(b"]}\n");
    out.flush().expect("a catalogue is written");
}

/// The key of a tile's scene of a month.
fn index(tile: &TileId, month: u32) -> String {
    format!("2023{month:02}15T095031_2023{month:02}15T095630_T{tile}")
}

fn item(tile: &TileId, month: u32) -> Value {
    let (day, short) = (format!("2023-{month:02}-15"), format!("2023{month:02}15"));
    let id = format!("S2A_{tile}_{short}_0_L2A");
    let place = format!("{}/{}/{}{}", tile.zone(), tile.band_letter(), tile.column_letter(), tile.row_letter());
    let folder =
        format!("https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/{place}/2023/{month}/{id}");
    let asset = |(key, band, resolution): (&str, &str, u32)| {
        let side = 109_800 / resolution;
        let value = json!({
            "href": format!("{folder}/{band}.tif"), "title": format!("{key} - {resolution}m"), "gsd": resolution,
            "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data", "reflectance"],
            "eo:bands": [{"name": key, "common_name": key, "center_wavelength": 0.5, "full_width_half_max": 0.02}],
            "proj:shape": [side, side], "proj:transform": [resolution, 0, 399_960, 0, -i64::from(resolution), 5_100_000],
            "raster:bands": [{
                "nodata": 0, "data_type": "uint16", "bits_per_sample": 15, "spatial_resolution": resolution,
                "scale": 0.0001, "offset": -0.1,
            }],
            "file:checksum": format!("1220{:064x}", u64::from(month) * u64::from(resolution)),
        });
        (key.to_owned(), value)
    };
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": "sentinel-2-l2a",
        "properties": {
            "created": format!("{day}T18:00:00.000Z"), "platform": "sentinel-2a", "constellation": "sentinel-2",
            "instruments": ["msi"], "eo:cloud_cover": 20.5, "proj:epsg": tile.epsg(), "grid:code": format!("MGRS-{tile}"),
            "mgrs:utm_zone": tile.zone(), "mgrs:latitude_band": tile.band_letter().to_string(),
            "mgrs:grid_square": format!("{}{}", tile.column_letter(), tile.row_letter()),
            "view:sun_azimuth": 150.1, "view:sun_elevation": 50.2, "s2:processing_baseline": "05.09",
            "s2:datatake_id": format!("GS2A_{short}T095031_042547_N05.09"),
            "s2:datastrip_id": format!("S2A_OPER_MSI_L2A_DS_2APS_{short}T155057_S{short}T095630_N05.09"),
            "s2:product_uri": format!("S2A_MSIL2A_{short}T095031_N0509_R079_T{tile}_{short}T155057.SAFE"),
            "s2:generation_time": format!("{day}T15:50:57.000Z"), "datetime": format!("{day}T09:58:11.662Z"),
            "earthsearch:boa_offset_applied": true, "updated": format!("{day}T18:00:00.000Z"),
        },
        "geometry": {"type": "Polygon", "coordinates": [[[14.0, 46.0], [15.4, 46.0], [15.4, 45.0], [14.0, 45.0], [14.0, 46.0]]]},
        "links": [{"rel": "self", "href": format!("https://earth-search.aws.element84.com/v1/collections/sentinel-2-l2a/items/{id}")}],
        "assets": BANDS.into_iter().map(asset).collect::<serde_json::Map<_, _>>(),
    })
}

fn score(tile: &TileId, month: u32) -> Value {
    let index = index(tile, month);
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": index, "properties": {"system:index": index}, "links": [],
        "assets": {"cs_cdf": {"href": format!("/nowhere/{index}.tif"), "type": "image/tiff", "file:checksum": "1220"}},
    })
}
