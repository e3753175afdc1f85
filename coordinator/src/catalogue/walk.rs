//! Finding every item of a catalogue on disk, in whatever form it has, each file once.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mosaic::href::{Base, is_local, unsigned};
use proto::allow::Allow;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fault::Fault;

/// What is done with an item: the file that it stands in, the item, and where faults go.
type Visit<'a> = dyn FnMut(&Path, &Value, &mut Vec<Fault>) + 'a;

/// Calls `visit` for every item that a file holds or leads to, in the order of the files' own lists.
pub(super) fn each_item(
    path: &Path,
    allow: &Allow,
    faults: &mut Vec<Fault>,
    mut visit: impl FnMut(&Path, &Value, &mut Vec<Fault>),
) {
    let first = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut seen = HashSet::new();
    let mut to_read = vec![first];
    while let Some(file) = to_read.pop() {
        // Links may lead in a circle, through symbolic links too.
        if !seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
            continue;
        }
        match read(&file).and_then(|bytes| visit_file(&file, &bytes, faults, &mut visit)) {
            // The last pushed is read first.
            Ok(links) => to_read.extend(admitted(links, allow, faults).into_iter().rev()),
            Err(fault) => faults.push(fault),
        }
    }
}

/// Those of the files that may be read, as they are found once their links are resolved.
fn admitted(files: Vec<PathBuf>, allow: &Allow, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let mut admitted = Vec::with_capacity(files.len());
    for file in files {
        match allow.admit(&file.to_string_lossy()) {
            Ok(file) => admitted.push(PathBuf::from(file)),
            Err(refused) => faults.push(Fault::NotAllowed(refused)),
        }
    }
    admitted
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Fault::Missing(path.to_owned()),
        _ => Fault::Io { path: path.to_owned(), source },
    })
}

/// What a file says of itself. Its items are left as text: those of a continent, parsed, would not fit into memory.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", default)]
    kind: Value,
    #[serde(default)]
    stac_version: Value,
    #[serde(default)]
    links: Value,
    #[serde(borrow, default)]
    features: Option<&'a RawValue>,
}

impl<'a> Head<'a> {
    fn of(path: &Path, bytes: &'a [u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|_| match serde_json::from_slice::<Value>(bytes) {
            Ok(_) => Fault::NotStac { path: path.to_owned(), found: "none".to_owned() },
            Err(source) => Fault::Json { path: path.to_owned(), source },
        })
    }
}

/// Items that are parsed at once.
const AT_ONCE: usize = 1024;

/// Visits the file's own items, and gives the files that it links to.
fn visit_file(
    file: &Path,
    bytes: &[u8],
    faults: &mut Vec<Fault>,
    visit: &mut Visit<'_>,
) -> Result<Vec<PathBuf>, Fault> {
    let json = |source| Fault::Json { path: file.to_owned(), source };
    let head = Head::of(file, bytes)?;
    match kind(&head) {
        // An item's own links lead elsewhere: to its collection, to what it was made from.
        Kind::Item => {
            visit(file, &serde_json::from_slice(bytes).map_err(json)?, faults);
            return Ok(Vec::new());
        }
        Kind::Items(items) => {
            for some in items.chunks(AT_ONCE) {
                let parsed: Vec<_> = some.par_iter().map(|item| serde_json::from_str::<Value>(item.get())).collect();
                for item in parsed {
                    visit(file, &item.map_err(json)?, faults);
                }
            }
        }
        Kind::Catalogue => {}
        Kind::Other(found) => return Err(Fault::NotStac { path: file.to_owned(), found }),
    }
    Ok(linked_files(file, &head.links, faults))
}

enum Kind<'a> {
    Item,
    Items(Vec<&'a RawValue>),
    Catalogue,
    Other(String),
}

fn kind<'a>(head: &Head<'a>) -> Kind<'a> {
    let features = || serde_json::from_str(head.features?.get()).ok();
    match head.kind.as_str() {
        Some("Feature") => Kind::Item,
        Some("FeatureCollection") => {
            features().map_or_else(|| Kind::Other("a FeatureCollection without `features`".to_owned()), Kind::Items)
        }
        Some("Catalog" | "Collection") => Kind::Catalogue,
        Some(other) => Kind::Other(format!("`{other}`")),
        // Catalogues before STAC 1.0 had no type.
        None if !head.stac_version.is_null() && head.links.is_array() => Kind::Catalogue,
        None => Kind::Other("none".to_owned()),
    }
}

/// The files of `item` and `child` links, and of the next page of a search that was saved with its pages.
fn linked_files(file: &Path, links: &Value, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let base = Base::of_file(&file.to_string_lossy());
    let mut files = Vec::new();
    for link in links.as_array().into_iter().flatten() {
        let field = |name: &str| link.get(name).and_then(Value::as_str);
        let (Some(rel), Some(href)) = (field("rel"), field("href")) else { continue };
        let href = base.resolve(href);
        match (rel, is_local(&href)) {
            ("item" | "items" | "child" | "next", true) => files.push(PathBuf::from(href)),
            ("item" | "child", false) => faults.push(Fault::Remote { file: file.to_owned(), href }),
            ("next", false) => {
                tracing::warn!(file = %file.display(), href = &*unsigned(&href), "a further page is not read");
            }
            _ => {}
        }
    }
    files
}
