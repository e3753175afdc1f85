//! `versions.json`: the versions of a mosaic as a STAC catalogue, beside them.
//!
//! A version never changes, so that it can name its predecessor and cannot name its successor, nor which one is the latest.
//! This document can: it is small, is put in the place of the one before at one moment, and says nothing that could not be
//! found out again from the versions themselves. So whoever finds it old, or finds none, has lost nothing.

use artifacts::remote::Found;
use artifacts::{Folder, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::known::{Entry, Versions, known};
use super::{directory, objects};
use crate::publish::error::PublishError;
use crate::publish::report::State;
use crate::publish::stac::{STAC, VERSION};

/// The catalogue's name, beside the versions.
pub const CATALOGUE: &str = "versions.json";
/// Where it keeps what it knows.
const ENTRIES: &str = "clearmosaic:versions";

#[derive(Default, Deserialize)]
struct Told {
    #[serde(default, rename = "clearmosaic:versions")]
    versions: Vec<Entry>,
}

/// Where the versions of a mosaic are, and their catalogue.
fn beside(output: &Folder, name: &str) -> Folder {
    match output {
        Folder::Directory(_) => output.below(directory::VERSIONS).below(name),
        Folder::Objects(_) => output.below(name),
    }
}

/// The versions that the catalogue tells of; none where there is no such, or it cannot be understood.
pub(super) fn read(output: &Folder, name: &str) -> Result<Vec<Entry>, PublishError> {
    match beside(output, name).read(CATALOGUE) {
        Ok(text) => Ok(serde_json::from_slice::<Told>(&text).unwrap_or_default().versions),
        Err(StoreError::Missing(_)) => Ok(Vec::new()),
        Err(error) => Err(PublishError::output(error)),
    }
}

/// The greatest number that the catalogue tells of; 0 where there is none.
pub(super) fn greatest(output: &Folder, name: &str) -> Result<u64, PublishError> {
    Ok(read(output, name)?.iter().map(|entry| entry.version).max().unwrap_or_default())
}

/// Writes the catalogue of a mosaic's versions as they are now.
///
/// # Errors
/// What the system or the store says.
pub fn write(output: &Folder, name: &str) -> Result<(), PublishError> {
    let beside = beside(output, name);
    for _ in 0..objects::TRIES {
        let before = match &beside {
            Folder::Directory(_) => None,
            Folder::Objects(bucket) => found(bucket.read(CATALOGUE))?,
        };
        let versions = known(output, name)?;
        let text = crate::publish::json(&document(name, &versions));
        let is_put = match (&beside, &before) {
            // Who writes an older one at the same time finds that out, and writes it again.
            (Folder::Directory(dir), _) => {
                directory::replace(&dir.join(CATALOGUE), &text)?;
                known(output, name)? == versions
            }
            (Folder::Objects(bucket), None) => bucket.create(CATALOGUE, text).map_err(PublishError::output)?,
            (Folder::Objects(bucket), Some(before)) => {
                bucket.replace(CATALOGUE, before, text).map_err(PublishError::output)?
            }
        };
        if is_put {
            return Ok(());
        }
    }
    let (what, why) = (beside.called(CATALOGUE).display().to_string(), "others keep changing it".to_owned());
    Err(PublishError::output(StoreError::Away { what, why }))
}

fn found(read: Result<Found, StoreError>) -> Result<Option<Found>, PublishError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Missing(_)) => Ok(None),
        Err(error) => Err(PublishError::output(error)),
    }
}

fn document(name: &str, versions: &Versions) -> Value {
    let collection = |number: u64| format!("./{number}/collection.json");
    let child = |entry: &Entry| {
        let state = match entry.state {
            State::Complete => "complete",
            State::Incomplete => "incomplete",
        };
        json!({
            "rel": "child",
            "href": collection(entry.version),
            "type": "application/json",
            "title": format!("{name}, version {}, {state}", entry.version),
            "version": entry.version.to_string(),
        })
    };
    let mut links = vec![json!({"rel": "root", "href": format!("./{CATALOGUE}"), "type": "application/json"})];
    if versions.latest > 0 {
        let href = collection(versions.latest);
        links.push(json!({"rel": "latest-version", "href": href, "type": "application/json", "title": name}));
    }
    links.extend(versions.all.iter().map(child));
    json!({
        "type": "Catalog",
        "stac_version": STAC,
        "stac_extensions": [VERSION],
        "id": name,
        "title": name,
        "description": format!("Every version of the mosaic {name} that is there, and which of them its name means."),
        "version": versions.latest.to_string(),
        ENTRIES: versions.all,
        "links": links,
    })
}
