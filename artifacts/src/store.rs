//! The store: a directory, or a prefix of an object store, that artifacts appear in whole. Everything above it asks by
//! kind and key only.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mosaic::ids::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::Access;
use crate::container::{Fill, Reader};
use crate::contents::Contents;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::kind::Kind;
use crate::objects::Objects;
use crate::remote::Bucket;
use crate::scratch::{Room, Scratch};

/// A store of artifacts. Clones mean the same.
#[derive(Clone, Debug)]
pub struct ArtifactStore(Place);

#[derive(Clone, Debug)]
enum Place {
    Directory(Directory),
    Objects(Objects),
}

/// A file on this machine, or a directory of them, for as long as it lives.
pub struct Local {
    path: PathBuf,
    _scratch: Option<Scratch>,
}

impl Local {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a place is an object store's, and no directory.
#[must_use]
pub fn is_url(location: &str) -> bool {
    location.contains("://")
}

impl ArtifactStore {
    /// Opens the store at a place: a directory, made if it is not there, or `s3://bucket/prefix`, `gs://…`, `az://…`,
    /// with `?profile=name` behind it where its credentials are a profile's.
    ///
    /// # Errors
    /// `Denied` or `Full` where a directory cannot be written; `Refused` or `Away` where an object store cannot.
    pub fn open(location: &str, access: &Access) -> Result<Self, StoreError> {
        if !is_url(location) {
            return Self::directory(location.as_ref());
        }
        let bucket = Bucket::open(location, None, access)?;
        let room = Room::within(&access.scratch)?;
        Ok(Self(Place::Objects(Objects { bucket, room, location: location.to_owned() })))
    }

    /// Opens a directory, made if it is not there.
    ///
    /// # Errors
    /// `Denied` or `Full` where it cannot be written.
    pub fn directory(root: &Path) -> Result<Self, StoreError> {
        Directory::open(root).map(|directory| Self(Place::Directory(directory)))
    }

    /// Where it is, for whoever is to open it too.
    #[must_use]
    pub fn location(&self) -> String {
        match &self.0 {
            Place::Directory(directory) => directory.root().display().to_string(),
            Place::Objects(objects) => objects.location.clone(),
        }
    }

    /// Whether it is elsewhere, so that it may be away.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self.0, Place::Objects(_))
    }

    /// What an artifact is called in an error: its path, or its URL.
    #[must_use]
    pub fn called(&self, kind: Kind, key: &Key) -> PathBuf {
        match &self.0 {
            Place::Directory(directory) => directory.path(kind, key),
            Place::Objects(objects) => objects.path(kind, key),
        }
    }

    /// Whether there is such an artifact. That it is whole is found out when it is read.
    ///
    /// # Errors
    /// Where an object store does not tell.
    pub fn has(&self, kind: Kind, key: &Key) -> Result<bool, StoreError> {
        match &self.0 {
            Place::Directory(directory) => Ok(directory.path(kind, key).exists()),
            Place::Objects(objects) => objects.bucket.has(&Objects::sign(kind, key)),
        }
    }

    /// Which of some artifacts there are, as far as is known: an object store is asked for many at a time.
    #[must_use]
    pub fn which(&self, wanted: &[(Kind, Key)]) -> Vec<bool> {
        match &self.0 {
            Place::Directory(directory) => {
                wanted.iter().map(|(kind, key)| directory.path(*kind, key).exists()).collect()
            }
            Place::Objects(objects) => {
                objects.bucket.which(&wanted.iter().map(|(kind, key)| Objects::sign(*kind, key)).collect::<Vec<_>>())
            }
        }
    }

    /// Removes an artifact that is corrupt, so that nobody takes it for done.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn discard(&self, kind: Kind, key: &Key) -> Result<(), StoreError> {
        match &self.0 {
            Place::Directory(directory) => directory.discard(kind, key),
            Place::Objects(objects) => objects.bucket.remove(&Objects::sign(kind, key)),
        }
    }

    /// Opens a container for reading.
    ///
    /// # Errors
    /// `Missing` or `Corrupt`.
    pub fn read(&self, kind: Kind, key: &Key) -> Result<Reader, StoreError> {
        match &self.0 {
            Place::Directory(directory) => Reader::open(&directory.path(kind, key)),
            Place::Objects(objects) => objects.read(kind, key),
        }
    }

    /// Writes a container: `fill` appends the frames. Returns the bytes written.
    ///
    /// # Errors
    /// What the system or the store says, or `fill`.
    pub fn write<M: Serialize, E: From<StoreError>>(
        &self,
        kind: Kind,
        key: &Key,
        meta: M,
        fill: impl Fill<E>,
    ) -> Result<u64, E> {
        match &self.0 {
            Place::Directory(directory) => directory.write(kind, key, meta, fill),
            Place::Objects(objects) => objects.write(kind, key, meta, fill),
        }
    }

    /// Keeps a part of a plan, a JSON document, under the digest of its own bytes: its key. `what` says what it is.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn keep_document<T: Serialize>(&self, what: &str, document: &T) -> Result<Key, StoreError> {
        let bytes = serde_json::to_vec(document).map_err(|e| StoreError::io(what.as_ref(), e.into()))?;
        let key = Key::of_bytes(what, &bytes);
        self.write_bytes(Kind::Plan, &key, &bytes)?;
        Ok(key)
    }

    /// Keeps bytes as they are.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn write_bytes(&self, kind: Kind, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        match &self.0 {
            Place::Directory(directory) => directory.write_bytes(kind, key, bytes),
            Place::Objects(objects) => objects.write_bytes(kind, key, bytes),
        }
    }

    /// Reads a part of a plan.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is not as it was kept, or was kept as something else.
    pub fn document<T: DeserializeOwned>(&self, what: &str, key: &Key) -> Result<T, StoreError> {
        let bytes = self.document_bytes(what, key)?;
        serde_json::from_slice(&bytes).map_err(|e| StoreError::corrupt(&self.called(Kind::Plan, key), e.to_string()))
    }

    /// The bytes of a part of a plan.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is not as it was kept, or was kept as something else.
    pub fn document_bytes(&self, what: &str, key: &Key) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read_bytes(Kind::Plan, key)?;
        // Its bytes are what the key was made of: it need not be written out again to be checked.
        if Key::of_bytes(what, &bytes) != *key {
            return Err(StoreError::corrupt(&self.called(Kind::Plan, key), "it is not what its key says"));
        }
        Ok(bytes)
    }

    /// Reads bytes as they are.
    ///
    /// # Errors
    /// `Missing`; what the system or the store says.
    pub fn read_bytes(&self, kind: Kind, key: &Key) -> Result<Vec<u8>, StoreError> {
        self.whole().read(&kind.at(key))
    }

    /// A directory to make files in: on the store's own device where it is a directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        match &self.0 {
            Place::Directory(directory) => directory.scratch(),
            Place::Objects(objects) => objects.room.scratch(),
        }
    }

    /// Makes a directory an artifact: `names` are its files, `meta` what they mean. Where the artifact is there
    /// already, made by someone else from the same inputs, this one is dropped, or put in its place: it is the same.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn keep<M: Serialize + DeserializeOwned>(
        &self,
        kind: Kind,
        key: &Key,
        made: Scratch,
        names: &[String],
        meta: M,
    ) -> Result<Contents<M>, StoreError> {
        match &self.0 {
            Place::Directory(directory) => directory.keep(kind, key, made, names, meta),
            Place::Objects(objects) => objects.keep(kind, key, &made, names, meta),
        }
    }

    /// The list of an artifact of several files.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is no list, or another artifact's.
    pub fn contents<M: Serialize + DeserializeOwned>(&self, kind: Kind, key: &Key) -> Result<Contents<M>, StoreError> {
        match &self.0 {
            Place::Directory(directory) => Contents::read(&directory.path(kind, key), key.as_str()),
            Place::Objects(objects) => objects.contents(kind, key),
        }
    }

    /// Verifies that an artifact of several files is there, and every file of it as it was made.
    ///
    /// # Errors
    /// `Missing`; `Corrupt`, naming the first file that is not.
    pub fn verify(&self, kind: Kind, key: &Key) -> Result<(), StoreError> {
        let contents: Contents<serde_json::Value> = self.contents(kind, key)?;
        match &self.0 {
            Place::Directory(directory) => contents.verify(&directory.path(kind, key)),
            Place::Objects(objects) => objects.verify(kind, key, &contents),
        }
    }

    /// Where the files of an artifact are.
    #[must_use]
    pub fn folder(&self, kind: Kind, key: &Key) -> Folder {
        self.whole().below(&kind.at(key))
    }

    /// Has files of an artifact at hand on this machine: the directory that they are in. Of a file that must be brought,
    /// `enough` says how many of its first bytes are wanted, by what it starts with; the others are a hole then.
    ///
    /// # Errors
    /// `Missing`; what the system or the store says.
    pub fn files_at_hand(
        &self,
        kind: Kind,
        key: &Key,
        names: &[String],
        enough: impl Fn(&[u8]) -> Option<u64>,
    ) -> Result<Local, StoreError> {
        match &self.0 {
            Place::Directory(directory) => Ok(Local { path: directory.path(kind, key), _scratch: None }),
            Place::Objects(objects) => {
                let scratch = objects.room.scratch()?;
                for name in names {
                    bring(objects, &format!("{}/{name}", kind.at(key)), &scratch.path().join(name), &enough)?;
                }
                Ok(Local { path: scratch.path().to_owned(), _scratch: Some(scratch) })
            }
        }
    }

    /// Has an artifact that is one file at hand on this machine.
    ///
    /// # Errors
    /// `Missing`; what the system or the store says.
    pub fn file_at_hand(&self, kind: Kind, key: &Key) -> Result<Local, StoreError> {
        match &self.0 {
            Place::Directory(directory) => Ok(Local { path: directory.path(kind, key), _scratch: None }),
            Place::Objects(objects) => {
                let scratch = objects.room.scratch()?;
                let path = scratch.path().join(key.as_str());
                bring(objects, &kind.at(key), &path, |_| None)?;
                Ok(Local { path, _scratch: Some(scratch) })
            }
        }
    }

    fn whole(&self) -> Folder {
        match &self.0 {
            Place::Directory(directory) => Folder::Directory(directory.root().to_owned()),
            Place::Objects(objects) => Folder::Objects(objects.bucket.clone()),
        }
    }
}

/// What a file starts with, for whoever is to say how much of it is wanted.
const START: u64 = 64 << 10;

fn bring(objects: &Objects, name: &str, to: &Path, enough: impl Fn(&[u8]) -> Option<u64>) -> Result<(), StoreError> {
    let said = |e| StoreError::scratch(to, e);
    let (size, _) = objects.bucket.head(name)?;
    let start = objects.bucket.read_range(name, 0..START.min(size))?;
    let wanted = enough(&start).map_or(size, |wanted| wanted.min(size));
    let file = File::create(to).map_err(said)?;
    file.set_len(size).map_err(said)?;
    file.write_all_at(&start, 0).map_err(said)?;
    objects.bucket.download(name, (start.len() as u64).min(wanted)..wanted, &file, to, |_| {})
}

#[cfg(test)]
mod tests;
