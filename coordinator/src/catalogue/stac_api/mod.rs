//! Scenes and scores of a STAC API, searched tile by tile.
//!
//! ```text
//! landing page, collection ─► what the API offers ─┬─► search of a tile ─► pages ─► whole? ─► items, each once
//!                                                  ├─► ...    (several at once)      └ no: again
//! ```
//!
//! A search that repeats or loses an item is found out by the number of matches that the API tells, or by pages that
//! contradict each other, and made again: it never passes for all there is.

mod offer;
mod pages;
mod query;

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use mosaic::ids::TileId;
use mosaic::request::StacApi;
use serde_json::Value;

use super::archives::Archives;
use super::fault::Fault;
use super::source::{Visit, Wanted};
use offer::Offer;
use query::Query;

/// Tiles that are searched at once: servers of public archives take so many from one client without complaint.
const AT_ONCE: usize = 6;

/// Calls `visit` for every item of the collection that meets the tiles within the period, each once.
pub(super) async fn each_item(
    api: &StacApi,
    wanted: &Wanted,
    archives: &Archives,
    faults: &mut Vec<Fault>,
    visit: &mut Visit<'_>,
) {
    if let Err(fault) = search(api, wanted, archives, faults, visit).await {
        faults.push(fault);
    }
}

async fn search(
    api: &StacApi,
    wanted: &Wanted,
    archives: &Archives,
    faults: &mut Vec<Fault>,
    visit: &mut Visit<'_>,
) -> Result<(), Fault> {
    let web = archives.web()?;
    let offer = Offer::of(api, web).await?;
    let query = Query::of(api, wanted, &offer);
    let of_tile = async |tile: &TileId| pages::all(web, &offer, &query.tile(*tile)?, &query.what(*tile)).await;
    let mut searches = stream::iter(&wanted.tiles).map(of_tile).buffered(AT_ONCE);
    let (mut seen, mut listed) = (HashSet::new(), 0_usize);
    while let Some(items) = searches.next().await {
        for item in items? {
            listed += 1;
            // An item in the overlap of two tiles is found with both.
            if seen.insert(name(&item).to_owned()) {
                visit(place(&item).unwrap_or(&offer.root), &item, faults);
            }
        }
    }
    let (asked, again) = (web.counts().asked(), web.counts().again());
    tracing::info!(api = api.url, tiles = wanted.tiles.len(), listed, items = seen.len(), asked, again, "searched");
    Ok(())
}

/// An item's name in its collection.
fn name(item: &Value) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// An item's own address, which its hrefs are relative to.
fn place(item: &Value) -> Option<&str> {
    let links = item.get("links")?.as_array()?;
    let own = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("self"))?;
    own.get("href")?.as_str().filter(|href| href.starts_with("http"))
}
