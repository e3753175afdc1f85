//! Finding every item of a catalogue on disk, in whatever form it has, each file once.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mosaic::href::{Base, is_local};
use serde_json::Value;

use super::fault::Fault;

/// What is done with an item: the file that it stands in, the item, and where faults go.
type Visit<'a> = dyn FnMut(&Path, &Value, &mut Vec<Fault>) + 'a;

/// Calls `visit` for every item that a file holds or leads to, in the order of the files' own lists.
pub(super) fn each_item(path: &Path, faults: &mut Vec<Fault>, mut visit: impl FnMut(&Path, &Value, &mut Vec<Fault>)) {
    let first = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut seen = HashSet::new();
    let mut to_read = vec![first];
    while let Some(file) = to_read.pop() {
        // Links may lead in a circle, through symbolic links too.
        if !seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
            continue;
        }
        match read(&file).and_then(|value| visit_file(&file, &value, faults, &mut visit)) {
            // The last pushed is read first.
            Ok(links) => to_read.extend(links.into_iter().rev()),
            Err(fault) => faults.push(fault),
        }
    }
}

fn read(path: &Path) -> Result<Value, Fault> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Fault::Missing(path.to_owned()),
        _ => Fault::Io { path: path.to_owned(), source },
    })?;
    serde_json::from_slice(&bytes).map_err(|source| Fault::Json { path: path.to_owned(), source })
}

/// Visits the file's own items, and gives the files that it links to.
fn visit_file(
    file: &Path,
    value: &Value,
    faults: &mut Vec<Fault>,
    visit: &mut Visit<'_>,
) -> Result<Vec<PathBuf>, Fault> {
    match kind(value) {
        Kind::Item => visit(file, value, faults),
        Kind::Items(items) => items.iter().for_each(|item| visit(file, item, faults)),
        Kind::Catalogue => {}
        Kind::Other(found) => return Err(Fault::NotStac { path: file.to_owned(), found }),
    }
    // An item's own links lead elsewhere: to its collection, to what it was made from.
    Ok(if matches!(kind(value), Kind::Item) { Vec::new() } else { linked_files(file, value, faults) })
}

enum Kind<'a> {
    Item,
    Items(&'a [Value]),
    Catalogue,
    Other(String),
}

fn kind(value: &Value) -> Kind<'_> {
    let features = || value.get("features").and_then(Value::as_array);
    match value.get("type").and_then(Value::as_str) {
        Some("Feature") => Kind::Item,
        Some("FeatureCollection") => features()
            .map_or_else(|| Kind::Other("a FeatureCollection without `features`".to_owned()), |list| Kind::Items(list)),
        Some("Catalog" | "Collection") => Kind::Catalogue,
        Some(other) => Kind::Other(format!("`{other}`")),
        // Catalogues before STAC 1.0 had no type.
        None if value.get("stac_version").is_some() && value.get("links").is_some_and(Value::is_array) => {
            Kind::Catalogue
        }
        None => Kind::Other("none".to_owned()),
    }
}

/// The files of `item` and `child` links, and of the next page of a search that was saved with its pages.
fn linked_files(file: &Path, value: &Value, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let base = Base::of_file(&file.to_string_lossy());
    let mut files = Vec::new();
    for link in value.get("links").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| link.get(name).and_then(Value::as_str);
        let (Some(rel), Some(href)) = (field("rel"), field("href")) else { continue };
        let href = base.resolve(href);
        match (rel, is_local(&href)) {
            ("item" | "items" | "child" | "next", true) => files.push(PathBuf::from(href)),
            ("item" | "child", false) => faults.push(Fault::Remote { file: file.to_owned(), href }),
            ("next", false) => tracing::warn!(file = %file.display(), href, "a further page is not read"),
            _ => {}
        }
    }
    files
}
