//! What a version came from, kept in the version itself: what is compared with it later depends on nobody's memory, and on
//! no store that may have been swept.
//!
//! ```text
//! snapshot/contents.json           every file of the version, with size and digest; sealed by a digest of itself
//! snapshot/request.json            what was asked for, without rights
//! snapshot/scenes.json             what became of every scene of the catalogue
//! snapshot/plan.json               what was made, and of which keys
//! snapshot/tiles/<MGRS tile>.json  the scenes of a tile as they were read, each file with its version
//! snapshot/outputs/<tile id>.json  what an output tile's rasters say of themselves: its artifact's list
//! ```
//!
//! It is as large as the plan, and goes from the store to the version a tile at a time.

use std::collections::BTreeMap;

use artifacts::contents::{Contents, FileEntry};
use artifacts::{ArtifactStore, Folder, StoreError};
use jiff::Timestamp;
use mosaic::ids::{Key, TileId};
use mosaic::link::Linkage;
use mosaic::plan::{Plan, TileShard, parts};
use mosaic::request::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::PublishError;
use super::report::{Report, State};
use super::{MadeTile, NewFile, SceneProvenance};

/// The list of a version's files.
pub const LIST: &str = "snapshot/contents.json";
const REQUEST: &str = "snapshot/request.json";
const SCENES: &str = "snapshot/scenes.json";
const PLAN: &str = "snapshot/plan.json";

/// What became of every scene of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenes {
    /// How many scenes there were, and those that do not count.
    pub report: Report,
    /// Those that count.
    pub scenes: Vec<SceneProvenance>,
}

impl Scenes {
    /// Those of a mosaic whose scenes were linked so.
    #[must_use]
    pub fn of(mosaic: &str, linkage: &Linkage) -> Self {
        let scenes = linkage.scenes.iter().map(SceneProvenance::from).collect();
        Self { report: Report::of_linkage(mosaic, linkage), scenes }
    }
}

/// What the list of a version's files says of the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionMeta {
    /// The mosaic.
    pub mosaic: String,
    /// The version.
    pub version: u64,
    /// What the name meant before.
    pub predecessor: Option<u64>,
    /// When it was published.
    pub published: Timestamp,
    /// Whether all of it could be made.
    pub state: State,
    /// The artifact of each output tile that was made.
    pub outputs: BTreeMap<String, Key>,
}

/// The list of a version's files.
pub type VersionList = Contents<VersionMeta>;

/// What the list of a version is sealed for.
#[must_use]
pub fn key_of(mosaic: &str, version: u64) -> String {
    format!("{mosaic}/{version}")
}

/// What a version is to be made from.
pub struct Origin<'a> {
    /// The request; its rights are not kept.
    pub request: &'a Request,
    /// The plan.
    pub plan: &'a Plan,
    /// What became of the scenes.
    pub scenes: &'a Scenes,
    /// Where the plan's shards are.
    pub store: &'a ArtifactStore,
}

impl Origin<'_> {
    /// Writes it into a version: the files that it is.
    ///
    /// # Errors
    /// Where a shard is not in the store any more, or the version cannot be written.
    pub fn write(&self, to: &Folder) -> Result<Vec<FileEntry>, PublishError> {
        let documents = [
            NewFile::new(REQUEST, super::json(&self.request.unsigned())),
            NewFile::new(SCENES, compact(self.scenes)),
            NewFile::new(PLAN, compact(self.plan)),
        ];
        let written = to.all(&documents, |file| file.write(to)).into_iter().chain(to.all(&self.plan.tiles, |tile| {
            let lost = |error: StoreError| if error.is_lost() { PublishError::PlanLost(error) } else { error.into() };
            let bytes = self.store.document_bytes(parts::SHARD, &tile.shard).map_err(lost)?;
            NewFile::new(&of_tile(tile.tile), bytes).write(to)
        }));
        written.collect()
    }
}

/// Writes what the rasters of an output tile say of themselves into a version: the file that it is.
///
/// # Errors
/// Where the version cannot be written.
pub fn write_output(to: &Folder, id: &str, made: &MadeTile) -> Result<FileEntry, PublishError> {
    let name = of_output(id);
    let text = made.contents.text(&to.called(&name)).map_err(PublishError::output)?;
    NewFile::new(&name, text).write(to)
}

fn of_tile(tile: TileId) -> String {
    format!("snapshot/tiles/{tile}.json")
}

fn of_output(id: &str) -> String {
    format!("snapshot/outputs/{id}.json")
}

/// JSON without a blank. Nothing that is kept has a form that JSON cannot hold.
fn compact<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// What a version that was published came from, read as it is needed.
pub struct Published {
    folder: Folder,
    /// Its files, and what it says of itself.
    pub list: VersionList,
    /// What was asked for.
    pub request: Request,
    /// What was made.
    pub plan: Plan,
    /// What became of the scenes.
    pub scenes: Scenes,
}

impl Published {
    /// Opens a version of a mosaic; none where it does not tell, as those of before do not, or is not as it was written.
    ///
    /// # Errors
    /// Where a store does not answer.
    pub fn open(folder: Folder, mosaic: &str, version: u64) -> Result<Option<Self>, PublishError> {
        let opened = Self::list(&folder, mosaic, version).and_then(|list| {
            let (request, plan, scenes) = (read(&folder, REQUEST)?, read(&folder, PLAN)?, read(&folder, SCENES)?);
            Ok(Self { folder, list, request, plan, scenes })
        });
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(error @ StoreError::Away { .. }) => Err(PublishError::output(error)),
            Err(error) => {
                tracing::info!(%error, mosaic, version, "what a version came from cannot be told");
                Ok(None)
            }
        }
    }

    /// The list of a version's files.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is not as it was written; what the store says.
    pub fn list(folder: &Folder, mosaic: &str, version: u64) -> Result<VersionList, StoreError> {
        Contents::parse(&folder.read(LIST)?, &folder.called(LIST), &key_of(mosaic, version))
    }

    /// Whether all of it is there: in a directory as it was written, in an object store by the sizes, so that nothing is
    /// brought from there.
    ///
    /// # Errors
    /// Where a store does not answer.
    pub fn is_there(&self) -> Result<bool, PublishError> {
        for seen in self.folder.all(&self.list.files, |file| self.folder.seems(file)) {
            match seen {
                Ok(()) => {}
                Err(error) if error.is_lost() => {
                    tracing::warn!(%error, "a version is not whole any more");
                    return Ok(false);
                }
                Err(error) => return Err(PublishError::output(error)),
            }
        }
        Ok(true)
    }

    /// Where it is.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.list.meta.version
    }

    /// The scenes of a tile as they were read.
    ///
    /// # Errors
    /// `Missing` or `Corrupt`; what the store says.
    pub fn shard(&self, tile: TileId) -> Result<TileShard, StoreError> {
        read(&self.folder, &of_tile(tile))
    }

    /// What the rasters of an output tile say of themselves.
    ///
    /// # Errors
    /// `Missing` or `Corrupt`; what the store says.
    pub fn output(&self, id: &str, key: &Key) -> Result<Contents<mosaic::assemble::TileMeta>, StoreError> {
        let name = of_output(id);
        Contents::parse(&self.folder.read(&name)?, &self.folder.called(&name), key.as_str())
    }
}

fn read<T: DeserializeOwned>(folder: &Folder, name: &str) -> Result<T, StoreError> {
    let corrupt = |e: serde_json::Error| StoreError::Corrupt {
        what: folder.called(name).display().to_string(),
        why: e.to_string(),
    };
    serde_json::from_slice(&folder.read(name)?).map_err(corrupt)
}
