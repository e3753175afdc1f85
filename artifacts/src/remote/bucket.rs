//! Objects below a prefix.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, UpdateVersion,
};

use super::io::wait;
use super::said::said;
use crate::StoreError;

/// Objects larger than this may not be copied in one call everywhere.
const COPIED_AT_ONCE: u64 = 4 << 30;

/// A prefix of an object store. Clones are cheap, and mean the same.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Scheme, bucket and profile: objects of the same can be copied without passing through here.
    pub(super) identity: String,
    /// `s3://bucket`.
    pub(super) origin: String,
    pub(super) prefix: Path,
    /// Directory for what passes through here.
    pub(super) scratch: Arc<std::path::Path>,
}

/// An object that was read, and what it must still be when it is replaced.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its bytes, or those that were asked for.
    pub bytes: Vec<u8>,
    /// Bytes in all.
    pub size: u64,
    version: UpdateVersion,
}

impl Found {
    const fn empty(e_tag: Option<String>) -> Self {
        Self { bytes: Vec::new(), size: 0, version: UpdateVersion { e_tag, version: None } }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_root() { "" } else { "/" };
        write!(f, "{}{slash}{}", self.origin, self.prefix)
    }
}

impl Bucket {
    /// A prefix of a store that is open already. `origin` is what its URLs begin with, `s3://bucket`.
    #[must_use]
    pub fn of(store: Arc<dyn ObjectStore>, origin: &str, prefix: &str) -> Self {
        let (identity, origin) = (origin.to_owned(), origin.to_owned());
        Self { store, identity, origin, prefix: Path::from(prefix), scratch: std::env::temp_dir().into() }
    }

    /// The part of it below a name.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { prefix: self.path(name), ..self.clone() }
    }

    /// A file without a name for what passes through here, and the directory that it is in.
    pub(crate) fn passing(&self) -> Result<(File, &std::path::Path), StoreError> {
        let dir = &*self.scratch;
        std::fs::create_dir_all(dir).map_err(|e| StoreError::made(dir, e))?;
        tempfile::tempfile_in(dir).map(|file| (file, dir)).map_err(|e| StoreError::scratch(dir, e))
    }

    /// The URL of an object.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}/{}", self.origin, self.path(name))
    }

    pub(super) fn path(&self, name: &str) -> Path {
        name.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Makes a call about an object, and says what became of it.
    pub(super) fn call<T, F>(
        &self,
        name: &str,
        call: impl FnOnce(Arc<dyn ObjectStore>, Path) -> F,
    ) -> Result<Result<T, Error>, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        wait(call(Arc::clone(&self.store), self.path(name)))
    }

    pub(super) fn said(&self, name: &str, error: &Error) -> StoreError {
        said(self.url(name), error)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// `Missing`; what the store says.
    pub fn read(&self, name: &str) -> Result<Found, StoreError> {
        self.get(name, None)
    }

    /// Reads the last bytes of an object, all of it where it has no more.
    ///
    /// # Errors
    /// `Missing`; what the store says.
    pub fn read_end(&self, name: &str, length: u64) -> Result<Found, StoreError> {
        match self.try_get(name, Some(GetRange::Suffix(length)))? {
            Ok(found) => Ok(found),
            // Azure counts from the start only.
            Err(Error::NotSupported { .. }) => match self.head(name)? {
                (0, e_tag) => Ok(Found::empty(e_tag)),
                (size, _) => self.get(name, Some(GetRange::Bounded(size.saturating_sub(length)..size))),
            },
            Err(error @ Error::NotFound { .. }) => Err(self.said(name, &error)),
            // An object without a byte has no last one either.
            Err(error) => match self.head(name) {
                Ok((0, e_tag)) => Ok(Found::empty(e_tag)),
                _ => Err(self.said(name, &error)),
            },
        }
    }

    /// Reads some bytes of an object: as many as were asked for.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it has fewer; what the store says.
    pub fn read_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let length = range.end - range.start;
        if length == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.get(name, Some(GetRange::Bounded(range)))?.bytes;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(StoreError::Corrupt { what: self.url(name), why: "it is cut short".to_owned() })
    }

    fn get(&self, name: &str, range: Option<GetRange>) -> Result<Found, StoreError> {
        self.try_get(name, range)?.map_err(|error| self.said(name, &error))
    }

    fn try_get(&self, name: &str, range: Option<GetRange>) -> Result<Result<Found, Error>, StoreError> {
        self.call(name, |store, path| async move {
            let found = store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            let size = found.meta.size;
            Ok(Found { bytes: found.bytes().await?.into(), size, version })
        })
    }

    /// Bytes of an object, and the store's tag of them, if it gives any.
    ///
    /// # Errors
    /// `Missing`; what the store says.
    pub fn head(&self, name: &str) -> Result<(u64, Option<String>), StoreError> {
        let meta = self.call(name, |store, path| async move { store.head(&path).await })?;
        meta.map(|meta| (meta.size, meta.e_tag)).map_err(|error| self.said(name, &error))
    }

    /// Whether there is an object.
    ///
    /// # Errors
    /// Where the store does not tell.
    pub fn has(&self, name: &str) -> Result<bool, StoreError> {
        match self.head(name) {
            Ok(_) => Ok(true),
            Err(StoreError::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Which of some objects there are, asked for many at a time. Of one that cannot be asked for, nothing is known.
    #[must_use]
    pub fn which(&self, names: &[String]) -> Vec<bool> {
        const AT_ONCE: usize = 64;
        let mut there = Vec::with_capacity(names.len());
        for names in names.chunks(AT_ONCE) {
            let asked: Vec<Path> = names.iter().map(|name| self.path(name)).collect();
            let store = Arc::clone(&self.store);
            let answers = wait(async move {
                let ask = |path: Path| {
                    let store = Arc::clone(&store);
                    tokio::spawn(async move { store.head(&path).await.is_ok() })
                };
                let mut answers = Vec::new();
                for asked in asked.into_iter().map(ask).collect::<Vec<_>>() {
                    answers.push(asked.await.unwrap_or(false));
                }
                answers
            });
            there.extend(answers.unwrap_or_else(|_| vec![false; names.len()]));
        }
        there
    }

    /// Writes an object, whatever was there: its tag.
    ///
    /// # Errors
    /// What the store says.
    pub fn write(&self, name: &str, bytes: Vec<u8>) -> Result<Option<String>, StoreError> {
        let put = self.put(name, bytes, PutMode::Overwrite)?;
        put.map(|put| put.e_tag).map_err(|error| self.said(name, &error))
    }

    /// Writes an object unless there is one: whether there was none. A store that cannot tell writes it.
    ///
    /// # Errors
    /// What the store says. The object may be written nevertheless.
    pub fn create(&self, name: &str, bytes: Vec<u8>) -> Result<bool, StoreError> {
        match self.put(name, bytes.clone(), PutMode::Create)? {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(Error::NotImplemented { .. }) => self.write(name, bytes).map(|_| true),
            Err(error) => Err(self.said(name, &error)),
        }
    }

    /// Writes an object in the place of one that was read: whether it was still that. A store that cannot tell
    /// writes it.
    ///
    /// # Errors
    /// What the store says. The object may be written nevertheless.
    pub fn replace(&self, name: &str, found: &Found, bytes: Vec<u8>) -> Result<bool, StoreError> {
        match self.put(name, bytes.clone(), PutMode::Update(found.version.clone()))? {
            Ok(_) => Ok(true),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => Ok(false),
            Err(Error::NotImplemented { .. }) => self.write(name, bytes).map(|_| true),
            Err(error) => Err(self.said(name, &error)),
        }
    }

    fn put(&self, name: &str, bytes: Vec<u8>, mode: PutMode) -> Result<Result<PutResult, Error>, StoreError> {
        self.call(name, |store, path| async move {
            store.put_opts(&path, PutPayload::from(bytes), PutOptions { mode, ..PutOptions::default() }).await
        })
    }

    /// Removes an object, if there is one.
    ///
    /// # Errors
    /// What the store says.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.call(name, |store, path| async move { store.delete(&path).await })? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.said(name, &error)),
        }
    }

    /// Whether the store may be able to copy an object of `from` by itself.
    ///
    /// # Errors
    /// `Missing`; what the store says.
    pub(crate) fn is_within(&self, from: &Self, from_name: &str) -> Result<bool, StoreError> {
        Ok(self.identity == from.identity && from.head(from_name)?.0 <= COPIED_AT_ONCE)
    }

    /// Has the store copy an object from elsewhere in it: whether it can.
    ///
    /// # Errors
    /// `Missing`; what the store says.
    pub fn copy_within(&self, name: &str, from: &Self, from_name: &str) -> Result<bool, StoreError> {
        let source = from.path(from_name);
        let copied = self.call(name, |store, path| async move { store.copy(&source, &path).await })?;
        match copied {
            Ok(()) => Ok(true),
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => Ok(false),
            Err(error) => Err(from.said(from_name, &error)),
        }
    }

    /// Whether objects can be written and removed here: asked before any work is done for it.
    ///
    /// # Errors
    /// `Refused` where the bucket is not there or the credentials do not serve; `Away`.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        let name = format!("tmp/probe-{}", std::process::id());
        let told = |error: &Error| said(self.to_string(), error);
        // Some servers make the bucket that is written to: a wrong name must not.
        match self.try_get(&name, None)?.map_err(|error| told(&error)) {
            Ok(_) | Err(StoreError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        let put = self.put(&name, b"room?".to_vec(), PutMode::Overwrite)?;
        put.map_err(|error| match told(&error) {
            StoreError::Missing(what) => StoreError::Refused { what, why: "there is no such place".to_owned() },
            other => other,
        })?;
        self.remove(&name)
    }
}
