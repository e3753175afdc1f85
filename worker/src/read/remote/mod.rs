//! Files on other machines: web servers and object stores, read by ranges of bytes.
//!
//! ```text
//! network ─► remote (one file: a range of it, checked) ─► web: tries, turns, redirects, counts
//!                ▲           ▲                     ▲          ▲
//!                │           │                     └─ service ┘  object stores ask through it too
//!   tiff: blocks ┘           └ paged ◄─ vsi ◄─ GDAL: headers, and what `tiff` does not know
//! ```
//!
//! What comes is what was asked for, to the byte: an answer that is short, or is another range, is asked for again and
//! never kept. A file that is not any more what it was when it was first looked at is an error, and not a mixture.

mod paged;
mod profile;
mod range;
mod service;
mod vsi;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use artifacts::remote::{Call, object, source, spawn, wait};
use artifacts::{Access, StoreError};
use mosaic::href::is_web;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use proto::allow::Allow;
use web::{Ask, Counts, Patience, Web, WebError, counted};

use super::{Admitted, ReadError};
pub(crate) use paged::Heads;
pub(super) use paged::Paged;
use profile::Profile;
pub(super) use vsi::Mounted;

/// Whether an href is of a file on another machine.
#[must_use]
pub fn is_remote(href: &str) -> bool {
    is_web(href) || ["s3://", "s3a://", "gs://", "az://", "abfs://", "abfss://"].iter().any(|s| href.starts_with(s))
}

/// Stores by origin and profile, each with when the profile was written.
type Stores = HashMap<(String, Option<String>), (Option<SystemTime>, Arc<dyn ObjectStore>)>;

/// Profiles by name, likewise.
type Profiles = HashMap<String, (Option<SystemTime>, Arc<Profile>)>;

/// How this process reaches files on other machines.
pub struct Network {
    web: Web,
    access: Access,
    stores: Mutex<Stores>,
    profiles: Mutex<Profiles>,
}

impl Network {
    /// One that asks only what is allowed, redirects included, with the credentials of profiles.
    ///
    /// # Errors
    /// Where this machine can speak to nobody.
    pub fn new(allow: Allow, access: Access, patience: Patience) -> Result<Self, WebError> {
        let web = Web::new(allow, patience)?;
        Ok(Self { web, access, stores: Mutex::default(), profiles: Mutex::default() })
    }

    /// A file; nothing is asked yet. `profile` opens it, where one is named.
    ///
    /// # Errors
    /// Where the href or the profile is no good.
    pub(super) fn file(&self, href: &str, profile: Option<&str>) -> Result<Remote, ReadError> {
        let refused = |e: StoreError| ReadError::permanent(href, told(&e));
        let at = if is_web(href) {
            let profile = profile.map(|name| self.profile(name)).transpose().map_err(refused)?;
            At::Web { url: href.to_owned(), profile }
        } else {
            let (origin, path) = object(href).map_err(refused)?;
            At::Store { store: self.store(&origin, profile).map_err(refused)?, path }
        };
        Ok(Remote { href: href.to_owned(), web: self.web.clone(), at })
    }

    /// A file that is to be read here and there, with its head: read now, unless it is known.
    ///
    /// # Errors
    /// Where it is not there, or cannot be had.
    pub(super) fn paged(&self, source: &Admitted, heads: &Heads, counts: &Arc<Counts>) -> Result<Paged, ReadError> {
        let remote = Arc::new(self.file(&source.href, source.profile.as_deref())?);
        let head = counted(Arc::clone(counts), heads.read(source, Arc::clone(&remote)));
        let head = wait(head).map_err(|e| ReadError::given_up(&source.href, &e))??;
        Ok(Paged::new(remote, head, Arc::clone(counts)))
    }

    /// Begins to read a file's head, unless it is known.
    pub(super) fn begin_head(
        &self,
        source: &Admitted,
        heads: &Heads,
    ) -> Result<Call<Result<(), ReadError>>, ReadError> {
        let remote = self.file(&source.href, source.profile.as_deref())?;
        let head = heads.read(source, Arc::new(remote));
        spawn(async move { head.await.map(drop) }).map_err(|e| ReadError::given_up(&source.href, &e))
    }

    /// The names in a directory of an object store.
    pub(super) fn list(&self, source: &Admitted) -> Result<Vec<String>, ReadError> {
        let refused = |e: StoreError| ReadError::permanent(&source.href, told(&e));
        let (origin, prefix) = object(source.href.trim_end_matches('/')).map_err(refused)?;
        let store = self.store(&origin, source.profile.as_deref()).map_err(refused)?;
        let remote = Remote { href: source.href.clone(), web: self.web.clone(), at: At::Store { store, path: prefix } };
        wait(async move { remote.list().await }).map_err(|e| ReadError::given_up(&source.href, &e))?
    }

    fn store(&self, origin: &str, profile: Option<&str>) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let name = (origin.to_owned(), profile.map(str::to_owned));
        let written = profile.and_then(|name| self.access.written(name));
        if let Some((_, known)) = lock(&self.stores).get(&name).filter(|(when, _)| *when == written) {
            return Ok(Arc::clone(known));
        }
        let opened = source(origin, profile, &self.access, service::through(&self.web))?;
        lock(&self.stores).insert(name, (written, Arc::clone(&opened)));
        Ok(opened)
    }

    fn profile(&self, name: &str) -> Result<Arc<Profile>, StoreError> {
        let written = self.access.written(name);
        if let Some((_, known)) = lock(&self.profiles).get(name).filter(|(when, _)| *when == written) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Profile::of(name, &self.access.profile(name)?)?);
        lock(&self.profiles).insert(name.to_owned(), (written, Arc::clone(&read)));
        Ok(read)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a file is.
enum At {
    Web { url: String, profile: Option<Arc<Profile>> },
    Store { store: Arc<dyn ObjectStore>, path: Path },
}

/// A file on another machine.
pub(crate) struct Remote {
    href: String,
    web: Web,
    at: At,
}

/// What tells that a file is still the one that it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Bytes in all.
    pub(crate) size: u64,
    /// The server's tag of these bytes, where it gives one.
    pub(crate) tag: Option<String>,
}

impl Version {
    /// Whether another one may be the same: a server that gives no tag is believed by the size.
    fn is(&self, other: &Self) -> bool {
        self.size == other.size && (self.tag == other.tag || self.tag.is_none() || other.tag.is_none())
    }
}

/// A range of a file.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) version: Version,
}

impl Remote {
    pub(super) fn href(&self) -> &str {
        &self.href
    }

    /// A range of its bytes: as many as were asked for, or up to its end. Of a file that is known it must be the same.
    ///
    /// # Errors
    /// Where they cannot be had, or it has changed.
    pub(super) async fn get(&self, range: Range<u64>, known: Option<&Version>) -> Result<Piece, ReadError> {
        let piece = match &self.at {
            At::Web { url, profile } => self.of_web(url, profile.as_deref(), range.clone()).await?,
            At::Store { store, path } => self.of_store(store, path, range.clone()).await?,
        };
        if known.is_some_and(|known| !known.is(&piece.version)) {
            let changed = ReadError::permanent(&self.href, "it has changed since it was first read: it is read anew");
            return Err(ReadError { retryable: true, ..changed });
        }
        let length = range.end.min(piece.version.size).saturating_sub(range.start);
        if piece.bytes.len() as u64 != length {
            let short = format!("{} bytes came of {length}", piece.bytes.len());
            return Err(ReadError { retryable: true, ..ReadError::permanent(&self.href, short) });
        }
        Ok(piece)
    }

    /// The names below it, as if it were a directory.
    #[allow(clippy::disallowed_methods, reason = "no artifact's: names of scores that nobody can tell otherwise")]
    async fn list(&self) -> Result<Vec<String>, ReadError> {
        let At::Store { store, path } = &self.at else {
            return Err(ReadError::permanent(&self.href, "a web server cannot be listed"));
        };
        let found = store.list_with_delimiter(Some(path)).await.map_err(|error| self.of_error(&error))?;
        let names = found.objects.iter().map(|object| &object.location).chain(&found.common_prefixes);
        Ok(names.filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    async fn of_web(&self, url: &str, profile: Option<&Profile>, range: Range<u64>) -> Result<Piece, ReadError> {
        // A little more than was asked for, so that who answers with everything is found out.
        let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).saturating_add(1);
        let mut ask = Ask::get(url).with("range", &range::header(&range)).at_most(most.max(range::SMALL));
        if let Some(token) = profile.and_then(|profile| profile.bearer_for(url)) {
            let token = token.map_err(|why| ReadError::permanent(&self.href, why))?;
            ask = ask.with("authorization", &format!("Bearer {token}"));
        }
        let read = self.web.take(&ask, |answer| range::piece(answer, &range)).await;
        read.map_err(|error| failed(&self.href, &error))
    }

    async fn of_store(&self, store: &Arc<dyn ObjectStore>, path: &Path, range: Range<u64>) -> Result<Piece, ReadError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let read = async {
            let found = store.get_opts(path, options).await?;
            let version = Version { size: found.meta.size, tag: found.meta.e_tag.clone() };
            Ok(Piece { bytes: found.bytes().await?.into(), version })
        };
        read.await.map_err(|error| self.of_error(&error))
    }

    /// What a store's error means: that of who asked for it, else what it says itself.
    fn of_error(&self, error: &object_store::Error) -> ReadError {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(this) = cause {
            if let Some(error) = this.downcast_ref::<WebError>() {
                return failed(&self.href, error);
            }
            if let Some(error @ StoreError::Refused { .. }) = this.downcast_ref() {
                return ReadError::permanent(&self.href, error.to_string());
            }
            cause = this.source();
        }
        let said = artifacts::remote::said(self.href.clone(), error);
        match said {
            StoreError::Missing(_) => ReadError::missing(&self.href),
            said @ StoreError::Away { .. } => {
                ReadError { retryable: true, ..ReadError::permanent(&self.href, told(&said)) }
            }
            said => ReadError::permanent(&self.href, told(&said)),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&mosaic::href::unsigned(&self.href)).finish()
    }
}

/// What a store says, without what it is about: that is told in front.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::Refused { what, why } if what.contains("://") => why.clone(),
        StoreError::Away { why, .. } => format!("the store does not answer: {why}"),
        other => other.to_string(),
    }
}

/// A question over HTTP that was not answered, as an error of reading.
fn failed(href: &str, error: &WebError) -> ReadError {
    let problem = match error {
        WebError::Refused { status: 404 | 410, .. } => return ReadError::missing(href),
        WebError::Refused { status: 416, .. } => "it is shorter than it says of itself".to_owned(),
        WebError::Refused { status, why, .. } if matches!(status, 401 | 403) => {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("the server does not let this process in ({status}{why}): look at the profile and its credentials")
        }
        WebError::NotAllowed(not) => format!("it redirects to {}: {}", not.href, not.why),
        other => {
            let text = other.to_string();
            let itself = format!("{}: ", mosaic::href::unsigned(href));
            text.strip_prefix(&itself).map_or_else(|| text.clone(), str::to_owned)
        }
    };
    ReadError { retryable: error.is_retryable(), ..ReadError::permanent(href, problem) }
}
