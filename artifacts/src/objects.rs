//! A store that is a prefix of an object store.
//!
//! Containers and files are made on this machine and sent when they are whole, so that an object is whole when it is
//! there. An artifact of several files is there when its list is, which is put last, and gone when its list is.
//!
//! Who puts a container second loses to the first, where the store can tell. Large ones are put together of parts, and
//! `object_store` puts no condition on that; nor need there be one. Before it is sent, the end of what is there is read,
//! and digests all of it: what is there already is not sent again. Where two send at the same time, they send the same
//! bits under the same name, so that whoever reads meanwhile finds one or the other. Rasters that another release of a
//! library encodes may differ in their bytes: then the list, with its digests, tells those that are another's, and they
//! are made again. What a mosaic's name means is a small object, and always put conditionally; below the number of a
//! version only the one process writes that has claimed it.

use std::fs::File;
use std::path::PathBuf;

use mosaic::ids::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::at_once::at_once;
use crate::container::{FOOTER, Fill, Reader};
use crate::contents::{Contents, FileEntry, LIST};
use crate::directory::container;
use crate::remote::{Bucket, PIECE};
use crate::scratch::{Room, Scratch};
use crate::{Kind, StoreError};

/// A prefix of an object store, and room on this machine.
#[derive(Clone, Debug)]
pub struct Objects {
    pub bucket: Bucket,
    pub room: Room,
    /// What workers are told: the URL as it was given, with the name of its profile.
    pub location: String,
}

impl Objects {
    pub fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.bucket.url(&kind.at(key)).into()
    }

    /// What must be there for the artifact to be.
    pub fn sign(kind: Kind, key: &Key) -> String {
        let at = kind.at(key);
        if kind.is_directory() { format!("{at}/{LIST}") } else { at }
    }

    pub fn read(&self, kind: Kind, key: &Key) -> Result<Reader, StoreError> {
        Reader::of_object(&self.bucket, &kind.at(key), &self.room)
    }

    pub fn write<M: Serialize, E: From<StoreError>>(
        &self,
        kind: Kind,
        key: &Key,
        meta: M,
        fill: impl Fill<E>,
    ) -> Result<u64, E> {
        let file = self.room.file()?;
        let bytes = container(&file, self.room.path(), kind, key, meta, fill)?;
        self.send(&kind.at(key), &file, bytes)?;
        Ok(bytes)
    }

    /// Sends a container, unless the one that is there ends alike: its end digests all of it.
    fn send(&self, name: &str, file: &File, size: u64) -> Result<(), StoreError> {
        let local = self.room.path();
        let said = |e| StoreError::scratch(local, e);
        let read = |offset: u64, length: u64| {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, offset).map_err(said).map(|()| bytes)
        };
        if size <= PIECE && self.bucket.create(name, read(0, size)?).unwrap_or(false) {
            return Ok(());
        }
        // Someone was quicker, or left something else there; or nobody knows.
        let end = read(size - FOOTER as u64, FOOTER as u64)?;
        let is_there = self.bucket.read_end(name, end.len() as u64).is_ok_and(|f| f.size == size && f.bytes == end);
        if is_there { Ok(()) } else { self.bucket.upload(name, file, local).map(drop) }
    }

    pub fn write_bytes(&self, kind: Kind, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        let name = kind.at(key);
        if self.bucket.create(&name, bytes.to_vec()).unwrap_or(false) {
            return Ok(());
        }
        match self.bucket.read(&name) {
            Ok(found) if found.bytes == bytes => Ok(()),
            _ => self.bucket.write(&name, bytes.to_vec()).map(drop),
        }
    }

    pub fn keep<M: Serialize + DeserializeOwned>(
        &self,
        kind: Kind,
        key: &Key,
        made: &Scratch,
        names: &[String],
        meta: M,
    ) -> Result<Contents<M>, StoreError> {
        let mut contents = Contents::of(made.path(), key.as_str(), names, meta)?;
        let at = kind.at(key);
        let send = |name: &String| {
            let path = made.path().join(name);
            let file = File::open(&path).map_err(|e| StoreError::scratch(&path, e))?;
            Ok(self.bucket.upload(&format!("{at}/{name}"), &file, &path)?.map(|tag| (name.clone(), tag)))
        };
        let sent = at_once(names, send);
        contents.tags = sent.into_iter().collect::<Result<Vec<_>, StoreError>>()?.into_iter().flatten().collect();
        let list = Self::sign(kind, key);
        self.bucket.write(&list, contents.text(&self.path(kind, key).join(LIST))?)?;
        Ok(contents)
    }

    pub fn contents<M: Serialize + DeserializeOwned>(&self, kind: Kind, key: &Key) -> Result<Contents<M>, StoreError> {
        let text = self.bucket.read(&Self::sign(kind, key))?.bytes;
        Contents::parse(&text, &self.path(kind, key).join(LIST), key.as_str())
    }

    /// Verifies that every file is as it is listed: those that bear the tag that they were put with are.
    pub fn verify<M: Sync>(&self, kind: Kind, key: &Key, contents: &Contents<M>) -> Result<(), StoreError> {
        let at = kind.at(key);
        let verify = |listed: &FileEntry| {
            let tag = contents.tags.get(&listed.name).map(String::as_str);
            self.bucket.verify(&format!("{at}/{}", listed.name), listed, tag).map_err(|error| match error {
                StoreError::Missing(what) => StoreError::Corrupt { what, why: "it is gone".to_owned() },
                other => other,
            })
        };
        at_once(&contents.files, verify).into_iter().collect()
    }
}
