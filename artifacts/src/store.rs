//! The store: a directory that artifacts appear in whole. Everything above it asks by kind and key only, so that an
//! object store can stand here.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mosaic::ids::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::{NamedTempFile, TempDir};

use crate::container::{Reader, Writer};
use crate::contents::Contents;
use crate::error::StoreError;

/// What kind of thing an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A JSON document of a plan.
    Plan,
    /// Packed ranks of one (sub-tile, slice).
    Partial,
    /// The ranks around the middle of one sub-tile, which spare a later composite its partials.
    Core,
    /// Medians and counts of one sub-tile.
    Composite,
    /// Rasters of one output tile.
    Mosaic,
    /// The picture of a whole mosaic.
    Quicklook,
    /// A file that was sent along with a request.
    Attachment,
}

impl Kind {
    /// The kind's directory in a store, and its name in an artifact's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Partial => "partial",
            Self::Core => "core",
            Self::Composite => "composite",
            Self::Mosaic => "mosaic",
            Self::Quicklook => "quicklook",
            Self::Attachment => "attachment",
        }
    }
}

/// Leavings of killed processes are swept after this long: no live one writes a single artifact for a day.
const LEAVINGS: Duration = Duration::from_secs(24 * 3600);

/// A directory of artifacts.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    root: PathBuf,
}

/// A directory for files in the making; removed when dropped, unless it became an artifact.
pub struct Scratch(TempDir);

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl ArtifactStore {
    /// Opens a store, made if it is not there.
    ///
    /// # Errors
    /// `Denied` or `Full` where it cannot be written.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let tmp = root.join("tmp");
        fs::create_dir_all(&tmp).map_err(|e| StoreError::made(root, e))?;
        let root = root.canonicalize().map_err(|e| StoreError::io(root, e))?;
        tempfile::tempfile_in(&tmp).map_err(|e| StoreError::io(&tmp, e))?;
        sweep(&tmp);
        Ok(Self { root })
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an artifact is, or would be.
    #[must_use]
    pub fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.root.join(kind.name()).join(&key.as_str()[..2]).join(key.as_str())
    }

    /// Whether there is such an artifact. That it is whole is found out when it is read.
    #[must_use]
    pub fn has(&self, kind: Kind, key: &Key) -> bool {
        self.path(kind, key).exists()
    }

    /// Removes an artifact that is corrupt, so that nobody takes it for done.
    ///
    /// # Errors
    /// What the system says.
    pub fn discard(&self, kind: Kind, key: &Key) -> Result<(), StoreError> {
        let path = self.path(kind, key);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(&path, e)),
            _ => Ok(()),
        }
    }

    /// Opens a container for reading.
    ///
    /// # Errors
    /// `Missing` or `Corrupt`.
    pub fn read(&self, kind: Kind, key: &Key) -> Result<Reader, StoreError> {
        Reader::open(&self.path(kind, key))
    }

    /// Writes a container: `fill` appends the frames. Returns the bytes written.
    ///
    /// # Errors
    /// What the system says, or `fill`.
    pub fn write<M, E>(
        &self,
        kind: Kind,
        key: &Key,
        meta: M,
        fill: impl FnOnce(&mut Writer<BufWriter<&File>>) -> Result<(), E>,
    ) -> Result<u64, E>
    where
        M: Serialize,
        E: From<StoreError>,
    {
        let target = self.path(kind, key);
        let file = self.temporary()?;
        let said = |e| StoreError::io(&target, e);
        let out = BufWriter::new(file.as_file());
        let mut writer = Writer::new(out, kind.name(), key.as_str(), meta).map_err(said)?;
        fill(&mut writer)?;
        let (bytes, out) = writer.finish().map_err(said)?;
        out.into_inner().map_err(|e| said(e.into_error()))?;
        publish(file, &target)?;
        Ok(bytes)
    }

    /// Keeps a JSON document.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_document<T: Serialize>(&self, kind: Kind, key: &Key, document: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(document).map_err(|e| StoreError::io(&self.path(kind, key), e.into()))?;
        self.write_bytes(kind, key, &bytes)
    }

    /// Keeps bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_bytes(&self, kind: Kind, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.path(kind, key);
        // What is there has no checksum of its own: it is kept only where it is what would be written.
        if fs::read(&target).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        let file = self.temporary()?;
        file.as_file().write_all(bytes).map_err(|e| StoreError::io(&target, e))?;
        publish(file, &target)
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    /// `Missing` or `Corrupt`.
    pub fn read_document<T: DeserializeOwned>(&self, kind: Kind, key: &Key) -> Result<T, StoreError> {
        let path = self.path(kind, key);
        let bytes = fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| StoreError::corrupt(&path, e.to_string()))
    }

    /// A directory to make files in, on the store's own device.
    ///
    /// # Errors
    /// What the system says.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        let tmp = self.root.join("tmp");
        // What is made here is published: readable by whom the umask lets, not by its maker alone.
        let open = fs::Permissions::from_mode(0o777);
        tempfile::Builder::new().permissions(open).tempdir_in(&tmp).map(Scratch).map_err(|e| StoreError::io(&tmp, e))
    }

    /// Makes a directory an artifact: `names` are its files, `meta` what they mean. Where the artifact is there
    /// already, made by someone else from the same inputs, this one is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep<M: Serialize + DeserializeOwned>(
        &self,
        kind: Kind,
        key: &Key,
        made: Scratch,
        names: &[String],
        meta: M,
    ) -> Result<Contents<M>, StoreError> {
        let target = self.path(kind, key);
        let contents = Contents::write(made.path(), key.as_str(), names, meta)?;
        make_parent(&target)?;
        match fs::rename(made.path(), &target) {
            Ok(()) => {
                // The directory has moved away from under its guard.
                let _ = made.0.keep();
                Ok(contents)
            }
            Err(_) if target.is_dir() => Ok(contents),
            Err(e) => Err(StoreError::io(&target, e)),
        }
    }

    fn temporary(&self) -> Result<NamedTempFile, StoreError> {
        let tmp = self.root.join("tmp");
        let open = fs::Permissions::from_mode(0o666);
        tempfile::Builder::new().permissions(open).tempfile_in(&tmp).map_err(|e| StoreError::io(&tmp, e))
    }
}

fn make_parent(target: &Path) -> Result<(), StoreError> {
    match target.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(|e| StoreError::io(parent, e)),
        None => Ok(()),
    }
}

fn publish(file: NamedTempFile, target: &Path) -> Result<(), StoreError> {
    make_parent(target)?;
    file.persist(target).map(drop).map_err(|e| StoreError::io(target, e.error))
}

/// Removes what processes that were killed have left. That it cannot be removed is no one's loss.
fn sweep(tmp: &Path) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEAVINGS));
        if old {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(dir.path()).unwrap();
        let key = Key::of("test", &1);
        let failed: Result<u64, StoreError> = store.write(Kind::Partial, &key, (), |writer| {
            writer.frame(&[1, 2, 3]).map_err(|e| StoreError::io(dir.path(), e))?;
            Err(StoreError::Missing("an input".into()))
        });
        assert!(failed.is_err());
        assert!(!store.has(Kind::Partial, &key));
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
        let written: Result<u64, StoreError> =
            store.write(Kind::Partial, &key, (), |w| w.frame(&[1]).map_err(|e| StoreError::io(dir.path(), e)));
        assert_eq!(written.unwrap(), fs::metadata(store.path(Kind::Partial, &key)).unwrap().len());
        assert_eq!(store.read(Kind::Partial, &key).unwrap().frame(0).unwrap(), [1]);
        store.discard(Kind::Partial, &key).unwrap();
        assert!(matches!(store.read(Kind::Partial, &key), Err(StoreError::Missing(_))));
        store.discard(Kind::Partial, &key).unwrap();
    }

    #[test]
    fn a_directory_artifact_made_twice_is_kept_once_and_a_changed_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(dir.path()).unwrap();
        let key = Key::of("test", &2);
        for _ in 0..2 {
            let scratch = store.scratch().unwrap();
            fs::write(scratch.path().join("B04.tif"), b"pixels").unwrap();
            store.keep(Kind::Mosaic, &key, scratch, &["B04.tif".into()], 7u8).unwrap();
        }
        let at = store.path(Kind::Mosaic, &key);
        let contents = Contents::<u8>::read(&at, key.as_str()).unwrap();
        contents.verify(&at).unwrap();
        fs::write(at.join("B04.tif"), b"pixelz").unwrap();
        assert!(matches!(contents.verify(&at), Err(StoreError::Corrupt { .. })));
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }
}
