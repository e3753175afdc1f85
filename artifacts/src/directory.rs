//! A store that is a directory: artifacts appear in it by a rename.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mosaic::ids::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::container::{Fill, Writer};
use crate::contents::Contents;
use crate::scratch::Scratch;
use crate::{Kind, StoreError};

/// Leavings of killed processes are swept after this long: no live one writes a single artifact for a day.
const LEAVINGS: Duration = Duration::from_secs(24 * 3600);

/// A directory of artifacts.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens a store, made if it is not there.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let tmp = root.join("tmp");
        fs::create_dir_all(&tmp).map_err(|e| StoreError::made(root, e))?;
        let root = root.canonicalize().map_err(|e| StoreError::io(root, e))?;
        tempfile::tempfile_in(&tmp).map_err(|e| StoreError::io(&tmp, e))?;
        sweep(&tmp);
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.root.join(kind.at(key))
    }

    pub fn discard(&self, kind: Kind, key: &Key) -> Result<(), StoreError> {
        let path = self.path(kind, key);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(&path, e)),
            _ => Ok(()),
        }
    }

    pub fn write<M: Serialize, E: From<StoreError>>(
        &self,
        kind: Kind,
        key: &Key,
        meta: M,
        fill: impl Fill<E>,
    ) -> Result<u64, E> {
        let target = self.path(kind, key);
        let file = self.temporary()?;
        let bytes = container(file.as_file(), &target, kind, key, meta, fill)?;
        publish(file, &target)?;
        Ok(bytes)
    }

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

    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        let tmp = self.root.join("tmp");
        Scratch::new(&tmp).map_err(|e| StoreError::io(&tmp, e))
    }

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
        let mut moved = fs::rename(made.path(), &target);
        if moved.is_err() && target.is_dir() {
            if contents.verify(&target).is_ok() {
                return Ok(contents);
            }
            // What is there is not as it was made: this one is.
            self.discard(kind, key)?;
            moved = fs::rename(made.path(), &target);
        }
        moved.map_err(|e| StoreError::io(&target, e))?;
        // The directory has moved away from under its guard.
        made.keep();
        Ok(contents)
    }

    fn temporary(&self) -> Result<NamedTempFile, StoreError> {
        let tmp = self.root.join("tmp");
        let open = fs::Permissions::from_mode(0o666);
        tempfile::Builder::new().permissions(open).tempfile_in(&tmp).map_err(|e| StoreError::io(&tmp, e))
    }
}

/// Writes a container to a file: its bytes. `target` is what it is called in an error.
pub fn container<M: Serialize, E: From<StoreError>>(
    file: &File,
    target: &Path,
    kind: Kind,
    key: &Key,
    meta: M,
    fill: impl Fill<E>,
) -> Result<u64, E> {
    let said = |e| StoreError::io(target, e);
    let mut writer = Writer::new(BufWriter::new(file), kind.name(), key.as_str(), meta).map_err(said)?;
    fill(&mut writer)?;
    let (bytes, out) = writer.finish().map_err(said)?;
    out.into_inner().map_err(|e| said(e.into_error()))?;
    Ok(bytes)
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
