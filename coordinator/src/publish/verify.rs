//! Whether what is published is still what was: every file of a version by its digest, and its STAC by what it says of
//! itself and of the files.
//!
//! ```text
//! snapshot/contents.json ─► files ─► each is read, and digested
//!                              └───► collection ─► items ─► assets: there, and as listed
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use artifacts::contents::FileEntry;
use artifacts::{Folder, StoreError};
use serde_json::Value;

use super::REPORT;
use super::error::PublishError;
use super::report::Report;
use super::snapshot::{LIST, Published};
use super::stac::STAC;
use super::version::{self, VersionError};

const COLLECTION: &str = "collection.json";

/// What came of verifying a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its number.
    pub version: u64,
    /// Files that were read.
    pub files: usize,
    /// Their bytes, as they are listed.
    pub bytes: u64,
    /// What is wrong: a line each, that names the file.
    pub faults: Vec<String>,
}

/// Verifies these versions of a mosaic; the latest where none is named.
///
/// # Errors
/// `Unknown` or `Gone` where there is no such mosaic or version; where the store does not answer.
pub fn verify(output: &Folder, name: &str, number: Option<u64>) -> Result<Verified, VersionError> {
    let versions = version::versions(output, name)?;
    let number = number.unwrap_or(versions.latest);
    if versions.get(number).is_none() {
        return Err(VersionError::gone(name, number, &versions));
    }
    Ok(of_version(&version::folder(output, name, number), name, number)?)
}

fn of_version(folder: &Folder, name: &str, number: u64) -> Result<Verified, PublishError> {
    let mut faults = Faults { folder, lines: Vec::new() };
    let listed = match Published::list(folder, name, number) {
        Ok(list) => list.files,
        // What people open is listed by its STAC too.
        Err(StoreError::Missing(_)) if is_of_before(folder)? => Vec::new(),
        Err(error) => {
            faults.store(LIST, error)?;
            Vec::new()
        }
    };
    let checked = folder.all(&listed, |file| folder.check(file));
    for (file, checked) in listed.iter().zip(checked) {
        if let Err(error) = checked {
            faults.store(&file.name, error)?;
        }
    }
    let listed: BTreeMap<&str, &FileEntry> = listed.iter().map(|file| (file.name.as_str(), file)).collect();
    let stac = Stac { folder, name, number, listed: &listed };
    stac.collection(&mut faults)?;
    let bytes = listed.values().map(|file| file.size).sum();
    Ok(Verified { version: number, files: listed.len(), bytes, faults: faults.lines })
}

/// Whether a version was published before versions had lists: its report bears no number.
fn is_of_before(folder: &Folder) -> Result<bool, PublishError> {
    let report = folder.read(REPORT).map_err(PublishError::output)?;
    Ok(serde_json::from_slice::<Report>(&report).is_ok_and(|report| report.version.is_none()))
}

/// What is wrong so far.
struct Faults<'a> {
    folder: &'a Folder,
    lines: Vec<String>,
}

impl Faults<'_> {
    fn add(&mut self, file: &str, why: impl std::fmt::Display) {
        self.lines.push(format!("{}: {why}", self.folder.called(file).display()));
    }

    /// Adds what a store says of a file, where it is the file that is at fault.
    fn store(&mut self, file: &str, error: StoreError) -> Result<(), PublishError> {
        match error {
            StoreError::Missing(_) => self.add(file, "it is gone"),
            StoreError::Corrupt { why, .. } => self.add(file, why),
            StoreError::Denied { why, .. } => self.add(file, why),
            StoreError::Io { source, .. } => self.add(file, source),
            other => return Err(PublishError::output(other)),
        }
        Ok(())
    }
}

/// The STAC of a version.
struct Stac<'a> {
    folder: &'a Folder,
    name: &'a str,
    number: u64,
    listed: &'a BTreeMap<&'a str, &'a FileEntry>,
}

impl Stac<'_> {
    fn collection(&self, faults: &mut Faults<'_>) -> Result<(), PublishError> {
        let Some(collection) = self.document(COLLECTION, faults)? else { return Ok(()) };
        let number = self.number.to_string();
        let fields = [("type", "Collection"), ("stac_version", STAC), ("id", self.name), ("version", &number)];
        self.says(COLLECTION, &collection, &fields, faults);
        let items = self.links(COLLECTION, &collection, faults);
        self.assets(COLLECTION, &collection, faults);
        for item in &items {
            self.item(item, faults)?;
        }
        let is_item = |name: &&&str| name.starts_with("items/");
        for unlinked in self.listed.keys().filter(is_item).filter(|name| !items.iter().any(|item| item == **name)) {
            faults.add(unlinked, format!("{COLLECTION} has no link to it"));
        }
        Ok(())
    }

    fn item(&self, file: &str, faults: &mut Faults<'_>) -> Result<(), PublishError> {
        let Some(item) = self.document(file, faults)? else { return Ok(()) };
        let id = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let fields = [("type", "Feature"), ("stac_version", STAC), ("id", &*id), ("collection", self.name)];
        self.says(file, &item, &fields, faults);
        for field in ["geometry", "bbox", "properties"] {
            if item[field].is_null() {
                faults.add(file, format!("it has no `{field}`"));
            }
        }
        self.links(file, &item, faults);
        self.assets(file, &item, faults);
        Ok(())
    }

    fn document(&self, file: &str, faults: &mut Faults<'_>) -> Result<Option<Value>, PublishError> {
        let text = match self.folder.read(file) {
            Ok(text) => text,
            // What is listed has been found missing already.
            Err(_) if self.listed.contains_key(file) => return Ok(None),
            Err(error) => return faults.store(file, error).map(|()| None),
        };
        match serde_json::from_slice(&text) {
            Ok(document) => Ok(Some(document)),
            Err(error) => {
                faults.add(file, format!("it is no JSON: {error}"));
                Ok(None)
            }
        }
    }

    /// Checks what a document says of itself. Versions of before bear no number.
    fn says(&self, file: &str, document: &Value, fields: &[(&str, &str)], faults: &mut Faults<'_>) {
        for (field, expected) in fields {
            let is_of_before = *field == "version" && self.listed.is_empty();
            if document[*field] != **expected && !is_of_before {
                faults.add(file, format!("its `{field}` is {}, not {expected}", document[*field]));
            }
        }
    }

    /// Checks that links within the version lead to files of it: the items that are linked.
    fn links(&self, file: &str, document: &Value, faults: &mut Faults<'_>) -> Vec<String> {
        let mut items = Vec::new();
        for link in document["links"].as_array().into_iter().flatten() {
            let (Some(rel), Some(href)) = (link["rel"].as_str(), link["href"].as_str()) else {
                faults.add(file, "a link has no `rel` or no `href`");
                continue;
            };
            // Other versions come and go; the sources are elsewhere.
            if !matches!(rel, "root" | "parent" | "collection" | "item") {
                continue;
            }
            match self.within(file, href) {
                Some(name) if rel == "item" => items.push(name),
                Some(_) => {}
                None => faults.add(file, format!("its link to {href} leads to no file of the version")),
            }
        }
        items
    }

    /// Checks that assets are files of the version, and say the truth of them.
    fn assets(&self, file: &str, document: &Value, faults: &mut Faults<'_>) {
        for (key, asset) in document["assets"].as_object().into_iter().flatten() {
            let href = asset["href"].as_str().unwrap_or_default();
            let Some(name) = self.within(file, href) else {
                faults.add(file, format!("its asset `{key}`, {href}, is no file of the version"));
                continue;
            };
            match self.listed.get(name.as_str()) {
                Some(listed) => {
                    if asset["file:size"] != listed.size {
                        faults.add(file, format!("its asset `{key}` has another `file:size` than {name}"));
                    }
                    if asset["file:checksum"] != super::stac::checksum(listed) {
                        faults.add(file, format!("its asset `{key}` has another `file:checksum` than {name}"));
                    }
                }
                None => self.told(&name, asset, faults),
            }
        }
    }

    /// Checks a file that nothing but an asset lists.
    fn told(&self, name: &str, asset: &Value, faults: &mut Faults<'_>) {
        let digest = asset["file:checksum"].as_str().and_then(|text| text.strip_prefix(super::stac::MULTIHASH));
        let (Some(size), Some(blake3)) = (asset["file:size"].as_u64(), digest) else { return };
        let told = FileEntry { name: name.to_owned(), size, blake3: blake3.to_owned() };
        if let Err(error) = self.folder.check(&told)
            && let Err(error) = faults.store(name, error)
        {
            faults.add(name, error);
        }
    }

    /// The file of the version that an href in one of its files means.
    fn within(&self, file: &str, href: &str) -> Option<String> {
        let path = Path::new(file).parent().unwrap_or(Path::new("")).join(href);
        let mut name = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir if name.pop() => {}
                Component::Normal(part) => name.push(part),
                _ => return None,
            }
        }
        let name = name.to_string_lossy().into_owned();
        // Versions of before have no list.
        (self.listed.contains_key(name.as_str()) || self.listed.is_empty()).then_some(name)
    }
}
