//! Finding every item of a catalogue in files, here or on web servers, in whatever form it has, each file once.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;

use futures_util::{StreamExt, stream};
use mosaic::href::{Base, is_local, unsigned};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use web::Ask;

use super::archives::Archives;
use super::fault::Fault;
use super::source::Visit;

/// Files of web servers that are read at once.
const AT_ONCE: usize = 16;

/// Calls `visit` for every item that a file holds or leads to: a path, or a URL. The file itself is the caller's to
/// allow where it is a path; what it links to is asked for. In the order of the files' own lists, nearly so on web
/// servers, of which several files are read at once.
pub(super) async fn each_item(at: &str, archives: &Archives, faults: &mut Vec<Fault>, visit: &mut Visit<'_>) {
    let first = if is_local(at) {
        let path = Path::new(at.strip_prefix("file://").unwrap_or(at));
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
    } else {
        at.to_owned()
    };
    let mut seen = HashSet::new();
    let mut to_read = vec![first];
    loop {
        let files = next(&mut to_read, &mut seen);
        if files.is_empty() {
            return;
        }
        let mut read = stream::iter(files).map(|file| read(file, archives)).buffered(AT_ONCE);
        let mut further = Vec::new();
        while let Some((file, bytes)) = read.next().await {
            match bytes.and_then(|bytes| visit_file(&file, &bytes, faults, visit)) {
                Ok(links) => further.extend(admitted(links, archives, faults)),
                Err(fault) => faults.push(fault),
            }
        }
        // The last pushed is read first.
        to_read.extend(further.into_iter().rev());
    }
}

/// The files to read next: one of this machine, or as many of web servers as lie on top.
fn next(to_read: &mut Vec<String>, seen: &mut HashSet<String>) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    while files.len() < AT_ONCE {
        let Some(file) = to_read.pop_if(|file| files.first().is_none_or(|_| !is_local(file))) else { break };
        // Links may lead in a circle, through symbolic links too.
        if seen.insert(itself(&file)) {
            let is_alone = is_local(&file);
            files.push(file);
            if is_alone {
                break;
            }
        }
    }
    files
}

/// What a file is called in truth.
fn itself(file: &str) -> String {
    let real = if is_local(file) { Path::new(file).canonicalize().ok() } else { None };
    real.map_or_else(|| unsigned(file).into_owned(), |path| path.to_string_lossy().into_owned())
}

/// Those of the files that may be read, as they are found once their links are resolved.
fn admitted(files: Vec<String>, archives: &Archives, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut admitted = Vec::with_capacity(files.len());
    for file in files {
        match archives.allow().admit(&file) {
            Ok(file) => admitted.push(file),
            Err(refused) => faults.push(Fault::NotAllowed(refused)),
        }
    }
    admitted
}

async fn read(file: String, archives: &Archives) -> (String, Result<Vec<u8>, Fault>) {
    let bytes = if is_local(&file) { read_local(Path::new(&file)) } else { read_remote(&file, archives).await };
    (file, bytes)
}

fn read_local(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Fault::Missing(path.to_owned()),
        _ => Fault::Io { path: path.to_owned(), source },
    })
}

/// A file of a web server; one that breaks off is none.
async fn read_remote(url: &str, archives: &Archives) -> Result<Vec<u8>, Fault> {
    if !url.starts_with("http") {
        return Err(Fault::NotWeb(url.to_owned()));
    }
    let whole = |answer: &web::Answer| match serde_json::from_slice::<&RawValue>(&answer.body) {
        Err(error) if error.is_eof() => Err(format!("not JSON: {error}")),
        _ => Ok(answer.body.clone()),
    };
    archives.web()?.read(&Ask::get(url), whole).await.map_err(Fault::Web)
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
    fn of(file: &str, bytes: &'a [u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|_| match serde_json::from_slice::<Value>(bytes) {
            Ok(_) => Fault::NotStac { file: file.to_owned(), found: "none".to_owned() },
            Err(source) => Fault::Json { file: file.to_owned(), source },
        })
    }
}

/// Items that are parsed at once.
const PARSED: usize = 1024;

/// Visits the file's own items, and gives the files that it links to.
fn visit_file(file: &str, bytes: &[u8], faults: &mut Vec<Fault>, visit: &mut Visit<'_>) -> Result<Vec<String>, Fault> {
    let json = |source| Fault::Json { file: file.to_owned(), source };
    let head = Head::of(file, bytes)?;
    match kind(&head) {
        // An item's own links lead elsewhere: to its collection, to what it was made from.
        Kind::Item => {
            visit(file, &serde_json::from_slice(bytes).map_err(json)?, faults);
            return Ok(Vec::new());
        }
        Kind::Items(items) => {
            for some in items.chunks(PARSED) {
                let parsed: Vec<_> = some.par_iter().map(|item| serde_json::from_str::<Value>(item.get())).collect();
                for item in parsed {
                    visit(file, &item.map_err(json)?, faults);
                }
            }
        }
        Kind::Catalogue => {}
        Kind::Other(found) => return Err(Fault::NotStac { file: file.to_owned(), found }),
    }
    Ok(linked_files(file, &head.links))
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

/// The files of `item` and `child` links, and of the next page of a search.
fn linked_files(file: &str, links: &Value) -> Vec<String> {
    let base = Base::of_file(file);
    let mut files = Vec::new();
    for link in links.as_array().into_iter().flatten() {
        let field = |name: &str| link.get(name).and_then(Value::as_str);
        let (Some(rel), Some(href)) = (field("rel"), field("href")) else { continue };
        let href = base.resolve(href);
        // What a web server calls a file is one of its own: it is never one of this machine.
        let elsewhere = is_local(&href) != is_local(file);
        match rel {
            // What was saved with its first page alone is taken for what it is.
            "next" if elsewhere => {
                tracing::warn!(file, href = &*unsigned(&href), "a further page is not read");
            }
            // The items of a collection behind an API are searched, and not read page by page.
            "items" if elsewhere => {}
            "item" | "items" | "child" | "next" => files.push(href),
            _ => {}
        }
    }
    files
}
