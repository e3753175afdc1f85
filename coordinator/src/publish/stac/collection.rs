//! The mosaic as a STAC collection.

use std::collections::BTreeSet;

use artifacts::contents::FileEntry;
use mosaic::product::Product;
use serde_json::{Map, Value, json};

use super::provenance::{Sources, unreadable};
use super::{EO, FILE, PROCESSING, PROJECTION, SCIENTIFIC, STAC, VERSION};
use super::{asset, credits, inclusive, instant};
use crate::publish::footprint::union;
use crate::publish::version::CATALOGUE;
use crate::publish::{Numbered, Publication, report::State};

/// The collection of a publication, which is this version; `boxes` are its items', `files` those beside it.
pub(super) fn collection(
    publication: &Publication<'_>,
    version: &Numbered,
    boxes: &[[f64; 4]],
    files: &[&FileEntry],
) -> Value {
    let request = publication.request;
    let sources = Sources::of_all(publication);
    let publications = credits::publications(&sources);
    let mut extensions = vec![EO, FILE, PROCESSING, PROJECTION, VERSION];
    extensions.extend(publications.is_some().then_some(SCIENTIFIC));
    let (start, end) = inclusive(&request.period);
    let bbox = union(boxes).unwrap_or_else(|| publication.outputs.aoi.bbox());
    let mut collection = json!({
        "type": "Collection",
        "stac_version": STAC,
        "stac_extensions": extensions,
        "id": request.name,
        "version": version.number.to_string(),
        "title": request.name,
        "description": description(publication, &sources),
        "keywords": ["Sentinel-2", "mosaic", "median", "cloud-free"],
        "license": credits::LICENSE,
        "providers": providers(publication, &sources),
        "extent": {
            "spatial": {"bbox": [bbox]},
            "temporal": {"interval": [[instant(start), instant(end)]]},
        },
        "summaries": summaries(publication, &sources),
        "assets": asset::beside(files),
        "links": links(publication, version, &sources),
    });
    if let Some(publications) = publications {
        collection["sci:publications"] = publications;
    }
    collection
}

fn description(publication: &Publication<'_>, sources: &Sources<'_>) -> String {
    let period = publication.request.period;
    let unfinished = match publication.report.state {
        State::Complete => "",
        State::Incomplete => " Parts could not be made: report.json lists them.",
    };
    let lineage = lineage(publication);
    format!("{lineage} Period {period} (end exclusive).{unfinished} {}", credits::attribution(sources))
}

fn lineage(publication: &Publication<'_>) -> String {
    let request = publication.request;
    let (band, threshold) = (request.scores.band.name(), request.scores.threshold);
    let products: Vec<&str> = publication.outputs.products.iter().map(|product| product.title()).collect();
    let products = products.join(", ");
    format!(
        "Exact {products} of the Sentinel-2 observations whose {band} score is at least {threshold}, one observation per \
         datatake and pixel, surface reflectance x 10000 with the baseline's offset removed."
    )
}

/// What made the pixels, by the processing extension.
pub(super) fn processing(publication: &Publication<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("processing:software".into(), json!({"clearmosaic": publication.software}));
    fields.insert("processing:lineage".into(), json!(lineage(publication)));
    fields.insert("processing:datetime".into(), json!(instant(publication.now)));
    fields.insert("processing:level".into(), json!("L3"));
    fields
}

/// What of the request determines the pixels.
pub(super) fn recipe(publication: &Publication<'_>) -> Map<String, Value> {
    let request = publication.request;
    let mut fields = Map::new();
    fields.insert("clearmosaic:score_band".into(), json!(request.scores.band.name()));
    fields.insert("clearmosaic:threshold".into(), json!(request.scores.threshold));
    fields.insert("clearmosaic:min_observations".into(), json!(request.median.min_observations));
    fields.insert("clearmosaic:resampling".into(), json!(request.grid.resampling));
    if request.products[..] != Product::DEFAULT {
        fields.insert("clearmosaic:products".into(), json!(request.products));
    }
    if let Some(months) = &request.months {
        fields.insert("clearmosaic:months".into(), json!(months));
    }
    fields
}

fn providers(publication: &Publication<'_>, sources: &Sources<'_>) -> Vec<Value> {
    let mut clearmosaic = json!({"name": "Clearmosaic", "roles": ["processor"]});
    if let Some(fields) = clearmosaic.as_object_mut() {
        fields.extend(processing(publication));
    }
    let mut providers = credits::providers(sources);
    providers.push(clearmosaic);
    providers
}

/// What the items have in common, as sets of values.
fn summaries(publication: &Publication<'_>, sources: &Sources<'_>) -> Map<String, Value> {
    let codes: BTreeSet<u32> = publication.outputs.tiles.iter().map(|tile| tile.grid.epsg).collect();
    let bands: Vec<Value> = publication.outputs.bands.iter().map(|band| asset::eo_band(*band)).collect();
    let mut summaries: Map<String, Value> = sources.properties();
    summaries.extend(unreadable(publication, |_| true));
    for (name, value) in recipe(publication) {
        let values = if value.is_array() { value } else { json!([value]) };
        summaries.insert(name, values);
    }
    summaries.insert("constellation".into(), json!(["sentinel-2"]));
    summaries.insert("instruments".into(), json!(["msi"]));
    summaries.insert("eo:bands".into(), json!(bands));
    if !codes.is_empty() {
        summaries.insert("proj:epsg".into(), json!(codes));
    }
    summaries
}

fn links(publication: &Publication<'_>, version: &Numbered, sources: &Sources<'_>) -> Vec<Value> {
    let json = |rel: &str, href: String| json!({"rel": rel, "href": href, "type": "application/json"});
    let mut links = vec![json("root", "./collection.json".to_owned())];
    let item = |id: &str| json!({"rel": "item", "href": format!("./items/{id}.json"), "type": "application/geo+json", "title": id});
    links.extend(publication.made().map(|(tile, _)| item(&tile.id)));
    links.extend(version.predecessor.map(|number| json("predecessor-version", format!("../{number}/collection.json"))));
    links.extend(version.latest.as_ref().map(|latest| json("latest-version", format!("{latest}collection.json"))));
    links.push(json("version-history", format!("../{CATALOGUE}")));
    links.extend(credits::links(sources));
    links
}
