//! Scores told of by STAC items.

use mosaic::href::Base;
use mosaic::ids::SystemIndex;
use mosaic::link::{ScoreRef, ScoreTable};
use mosaic::survey::SCORE_TAGS;
use serde_json::{Map, Value};

use super::archives::{Archives, wait};
use super::fault::{CatalogueError, Fault, ScoreFault};
use super::source::{Source, Wanted};

/// Reads scores from STAC items. The key is the property `system:index`, else the last part of the item's id; the
/// raster is the asset named like `band` (`cs_cdf`, `cs`), else the only one.
///
/// # Errors
/// All faults at once: unreadable files, items without a key or raster, two rasters for one key.
pub(super) fn scores_from_items(
    source: &Source,
    band: &str,
    wanted: &Wanted,
    archives: &Archives,
) -> Result<ScoreTable, CatalogueError> {
    let (mut table, mut faults, mut has) = (ScoreTable::default(), Vec::new(), None);
    let mut visit = |file: &str, item: &Value, faults: &mut Vec<Fault>| {
        has.get_or_insert_with(|| assets(item));
        if let Err(what) = add(&mut table, file, item, band) {
            let id = item.get("id").and_then(Value::as_str).unwrap_or("(without id)");
            faults.push(Fault::Score { file: file.to_owned(), item: id.to_owned(), what });
        }
    };
    wait(source.each_item(wanted, archives, &mut faults, &mut visit))?;
    if table.is_empty() && faults.len() > 1 && faults.iter().all(lacks_raster) {
        let (items, band) = (faults.len(), band.to_owned());
        return Err(Fault::NoBand { items, band, has: has.unwrap_or_default() }.into());
    }
    CatalogueError::unless_none(faults).map(|()| table)
}

fn lacks_raster(fault: &Fault) -> bool {
    matches!(fault, Fault::Score { what: ScoreFault::NoAsset(_), .. })
}

/// The names of an item's assets, for people.
fn assets(item: &Value) -> String {
    let all = item.get("assets").and_then(Value::as_object);
    let names: Vec<&str> = all.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn add(table: &mut ScoreTable, file: &str, item: &Value, band: &str) -> Result<(), ScoreFault> {
    let index = index(item).ok_or(ScoreFault::NoIndex)?;
    let no_asset = || ScoreFault::NoAsset(band.to_owned());
    let asset = item.get("assets").and_then(Value::as_object).and_then(|all| raster(all, band)).ok_or_else(no_asset)?;
    let text = |field: &str| asset.get(field).and_then(Value::as_str);
    let href = Base::of_file(file).resolve(text("href").ok_or_else(no_asset)?);
    let property = |name: &str| Some((name.to_owned(), item.get("properties")?.get(name)?.clone()));
    let score = ScoreRef {
        href: href.clone(),
        version: text("file:checksum").map(str::to_owned),
        properties: SCORE_TAGS.into_iter().filter_map(property).collect(),
    };
    // The same score twice is no harm: overlapping pages of one search do that.
    match table.insert(index.clone(), score) {
        Some(first) if first.href != href => {
            Err(ScoreFault::Twice { index: index.0, first: first.href.clone(), second: href })
        }
        _ => Ok(()),
    }
}

fn index(item: &Value) -> Option<SystemIndex> {
    let stated = item.get("properties").and_then(|properties| properties.get("system:index")?.as_str());
    let id = item.get("id").and_then(Value::as_str).and_then(|id| id.rsplit('/').next());
    [stated, id].into_iter().flatten().map(|text| SystemIndex(text.to_owned())).find(|index| index.parts().is_some())
}

fn raster<'a>(assets: &'a Map<String, Value>, band: &str) -> Option<&'a Value> {
    if let Some(asset) = assets.get(band) {
        return Some(asset);
    }
    // The other band's raster is no substitute.
    let mut rasters = assets.iter().filter(|(key, asset)| !matches!(key.as_str(), "cs" | "cs_cdf") && is_data(asset));
    let (_, only) = rasters.next()?;
    rasters.next().is_none().then_some(only)
}

/// Data by its role; without roles, by being an image that is no picture.
fn is_data(asset: &Value) -> bool {
    let kind = asset.get("type").and_then(Value::as_str).unwrap_or("image/tiff");
    let raster = kind.starts_with("image/") && !matches!(kind, "image/png" | "image/jpeg");
    let roles = asset.get("roles").and_then(Value::as_array).filter(|roles| !roles.is_empty());
    raster && roles.is_none_or(|roles| roles.iter().any(|role| role == "data"))
}
