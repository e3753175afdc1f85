//! A catalogue as one file that means the same wherever it is read.

use mosaic::href::{Base, unsigned};
use proto::allow::Allow;
use serde_json::{Value, json};

use super::archives::{Archives, wait};
use super::fault::{CatalogueError, Fault};
use super::walk;

/// Every item that a catalogue holds or leads to, as one ItemCollection; its hrefs are absolute,
/// and bear no signatures: it may be kept, and read by others.
///
/// # Errors
/// All faults of all files at once, each one line that names its file.
pub fn absolute_items(path: &str) -> Result<Value, CatalogueError> {
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    let archives = Archives::behind(Allow::everything());
    let mut visit = |file: &str, item: &Value, _: &mut Vec<Fault>| {
        let mut item = item.clone();
        let base = Base::of_file(file);
        let assets = item.get_mut("assets").and_then(Value::as_object_mut);
        assets.into_iter().flat_map(|assets| assets.values_mut()).for_each(|asset| make_absolute(asset, &base));
        let links = item.get_mut("links").and_then(Value::as_array_mut);
        links.into_iter().flatten().for_each(|link| make_absolute(link, &base));
        items.push(item);
    };
    wait(walk::each_item(path, &archives, &mut faults, &mut visit))?;
    CatalogueError::unless_none(faults).map(|()| json!({"type": "FeatureCollection", "features": items}))
}

fn make_absolute(linked: &mut Value, base: &Base) {
    if let Some(Value::String(href)) = linked.get_mut("href") {
        // Who reads it elsewhere signs for himself.
        *href = unsigned(&base.resolve(href)).into_owned();
    }
}
