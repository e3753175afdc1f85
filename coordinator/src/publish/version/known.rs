//! Which versions of a mosaic there are.

use std::collections::BTreeMap;

use artifacts::{Folder, StoreError};
use jiff::Timestamp;
use proto::version::MosaicVersion;
use serde::{Deserialize, Serialize};

use super::{catalogue, directory, folder, meant, objects};
use crate::publish::REPORT;
use crate::publish::error::PublishError;
use crate::publish::report::{Report, State};

/// A version that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub version: u64,
    /// Whether all of it could be made.
    pub state: State,
    /// When; versions of before do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// Linked scenes.
    pub scenes: usize,
    /// The version that the name meant then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<u64>,
    /// Those that are there and name this one as what the name meant.
    #[serde(default)]
    pub successors: Vec<u64>,
}

/// The versions of a mosaic that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The one that the mosaic's name means; 0 where it means none.
    pub latest: u64,
    /// All, ascending.
    pub all: Vec<Entry>,
}

impl Versions {
    /// What is told of them, where they are versions of this mosaic.
    #[must_use]
    pub fn told(&self, output: &Folder, name: &str) -> Vec<MosaicVersion> {
        let told = |entry: &Entry| MosaicVersion {
            version: entry.version,
            complete: entry.state == State::Complete,
            published: entry.published.map(|at| at.to_string()).unwrap_or_default(),
            scenes: entry.scenes as u64,
            predecessor: entry.predecessor.unwrap_or_default(),
            latest: entry.version == self.latest,
            at: folder(output, name, entry.version).to_string(),
            successors: entry.successors.clone(),
        };
        self.all.iter().map(told).collect()
    }

    /// A version.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.all.iter().find(|entry| entry.version == number)
    }
}

/// The versions of a mosaic. A version is whole where its report is, which is written last. What the catalogue tells of it
/// need not be read again: it never changes.
///
/// # Errors
/// What the system or the store says.
pub fn known(output: &Folder, name: &str) -> Result<Versions, PublishError> {
    let latest = meant(output, name)?;
    let mut told: BTreeMap<u64, Entry> =
        catalogue::read(output, name)?.into_iter().map(|entry| (entry.version, entry)).collect();
    let numbers = match output {
        Folder::Directory(dir) => directory::taken(dir, name)?,
        Folder::Objects(bucket) => {
            let newest = objects::meant(bucket, name)?.newest();
            (1..=newest.max(told.keys().last().copied().unwrap_or_default())).collect()
        }
    };
    let numbers: Vec<(u64, Option<Entry>)> = numbers.into_iter().map(|n| (n, told.remove(&n))).collect();
    let found = output.all(&numbers, |(number, told)| whole(&folder(output, name, *number), *number, told.as_ref()));
    let all = found.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    Ok(Versions { latest, all: with_successors(all) })
}

/// A version, where it is there and whole.
fn whole(folder: &Folder, number: u64, told: Option<&Entry>) -> Result<Option<Entry>, PublishError> {
    if let Some(told) = told {
        return Ok(folder.has(REPORT).map_err(PublishError::output)?.then(|| told.clone()));
    }
    let text = match folder.read(REPORT) {
        Ok(text) => text,
        // A number that nobody has finished, or that was removed; in a directory, something else's.
        Err(StoreError::Missing(_) | StoreError::Denied { .. }) => return Ok(None),
        Err(error) => return Err(PublishError::output(error)),
    };
    // What is no report is no version's.
    let Ok(report) = serde_json::from_slice::<Report>(&text) else { return Ok(None) };
    let Report { state, scenes, published, predecessor, .. } = report;
    let (scenes, successors) = (scenes.linked, Vec::new());
    Ok(Some(Entry { version: number, state, published, scenes, predecessor, successors }))
}

fn with_successors(mut all: Vec<Entry>) -> Vec<Entry> {
    let pairs: Vec<(Option<u64>, u64)> = all.iter().map(|entry| (entry.predecessor, entry.version)).collect();
    for entry in &mut all {
        let named = pairs.iter().filter(|(predecessor, _)| *predecessor == Some(entry.version));
        entry.successors = named.map(|(_, number)| *number).collect();
    }
    all
}
