//! What is asked of an API for one tile.

use mosaic::grid::tile_grid;
use mosaic::ids::TileId;
use mosaic::projection::utm_of_epsg;
use mosaic::request::StacApi;
use mosaic::survey::SCORE_TAGS;
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::super::fault::Fault;
use super::super::preset::{self, Known};
use super::super::source::Wanted;
use super::offer::Offer;
use crate::publish::footprint::Footprint;

/// Items a page: what every public archive gives without its answers getting too long for it.
pub(super) const PAGE: usize = 100;

/// What scenes and scores are read from; the rest of an item is not asked for.
const PROPERTIES: [&str; 34] = [
    "system:index",
    "datetime",
    "start_datetime",
    "platform",
    "grid:code",
    "s2:mgrs_tile",
    "mgrs:utm_zone",
    "mgrs:latitude_band",
    "mgrs:grid_square",
    "s2:datatake_id",
    "s2:datastrip_id",
    "s2:granule_id",
    "s2:product_uri",
    "s2:processing_baseline",
    "s2:generation_time",
    "eopf:datatake_id",
    "eopf:datastrip_id",
    "processing:version",
    "processing:datetime",
    "sentinel:utm_zone",
    "sentinel:latitude_band",
    "sentinel:grid_square",
    "sentinel:product_id",
    "sentinel:processing_baseline",
    "sentinel:boa_offset_applied",
    "earthsearch:boa_offset_applied",
    "eo:cloud_cover",
    "sat:relative_orbit",
    "proj:epsg",
    "proj:code",
    "proj:shape",
    "proj:transform",
    "storage:requester_pays",
    "storage:schemes",
];

/// What is asked of an API, whatever the tile.
#[derive(Debug)]
pub(super) struct Query {
    body: Map<String, Value>,
    /// The property that names the tile, and what stands before it, where the API compares properties.
    tile: Option<(&'static str, &'static str)>,
    collection: String,
}

impl Query {
    pub fn of(api: &StacApi, wanted: &Wanted, offer: &Offer) -> Self {
        let (start, end) = wanted.searched();
        let known = preset::known(api);
        let mut body = Map::from_iter([
            ("collections".to_owned(), json!([api.collection])),
            ("datetime".to_owned(), json!(format!("{start}/{end}"))),
            ("limit".to_owned(), json!(PAGE)),
        ]);
        if offer.fields {
            body.insert("fields".to_owned(), json!({"include": fields(known)}));
        }
        let tile = known.filter(|_| offer.query).map(|known| known.tile);
        Self { body, tile, collection: api.collection.clone() }
    }

    /// The search for a tile: its footprint, and its name where the API compares it: half of what meets a tile is of its
    /// neighbours.
    pub fn tile(&self, tile: TileId) -> Result<Value, Fault> {
        let failed = |why: String| Fault::Api { url: self.what(tile), what: why };
        let grid = tile_grid(tile, 60.0).map_err(|e| failed(e.to_string()))?;
        let utm = utm_of_epsg(grid.epsg).ok_or_else(|| failed(format!("EPSG:{} is no UTM zone", grid.epsg)))?;
        let footprint = Footprint::of(&grid, &utm).map_err(|e| failed(e.to_string()))?;
        let mut body = self.body.clone();
        body.insert("intersects".to_owned(), footprint.geometry());
        if let Some((property, before)) = self.tile {
            let names: Vec<String> = spellings(tile).iter().map(|name| format!("{before}{name}")).collect();
            let is_it = if let [name] = &names[..] { json!({"eq": name}) } else { json!({"in": names}) };
            body.insert("query".to_owned(), json!({property: is_it}));
        }
        Ok(Value::Object(body))
    }

    /// What a search is called.
    pub fn what(&self, tile: TileId) -> String {
        format!("collection {}, tile {tile}", self.collection)
    }
}

/// A tile's names: some archives write zones without a zero before them.
fn spellings(tile: TileId) -> Vec<String> {
    let name = tile.to_string();
    let bare = name.strip_prefix('0').map(str::to_owned);
    std::iter::once(name).chain(bare).collect()
}

fn fields(known: Option<&Known>) -> Vec<String> {
    let itself = ["type", "id", "collection", "geometry", "bbox", "links"].map(str::to_owned);
    let assets = known.map_or_else(|| vec!["assets".to_owned()], Known::assets);
    let properties = PROPERTIES.iter().chain(&SCORE_TAGS).map(|name| format!("properties.{name}"));
    itself.into_iter().chain(properties).chain(assets).collect()
}

/// The same search by GET: objects and lists as the API's specification writes them in a URL.
pub(super) fn in_url(at: &str, body: &Value) -> Result<String, Fault> {
    let bad = |_| Fault::Api { url: at.to_owned(), what: "no URL".to_owned() };
    let mut url = Url::parse(at).map_err(bad)?;
    for (name, value) in body.as_object().into_iter().flatten() {
        let text = match (name.as_str(), value) {
            ("fields", value) => listed(&value["include"]),
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(_)) => listed(value),
            (_, value) => value.to_string(),
        };
        url.query_pairs_mut().append_pair(name, &text);
    }
    Ok(url.into())
}

fn listed(values: &Value) -> String {
    values.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
