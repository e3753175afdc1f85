//! Versions of a mosaic, and the one that its name means.
//!
//! A version has a number that is given to it by whoever leads, and that it claims where it is published; it is written
//! whole; then the name is made to mean it, unless it means a newer one by then. So a publisher that stood still while
//! another one took its place changes nothing when it goes on.
//!
//! ```text
//! begin (claims a number) ─► written whole ─► switch ─► catalogue (versions.json)
//!                               roll_back ─────┘
//! ```
//!
//! A name can be made to mean an older version again ([`roll_back`]); versions published later get numbers above all that
//! there were, and are meant again. Nothing of a version is ever changed by any of this: readers go on undisturbed.
//!
//! `directory` and `objects` say how that is done in either, `known` which versions there are, `catalogue` tells so.

mod catalogue;
mod directory;
mod known;
mod latest;
mod objects;
mod rollback;

use artifacts::{Access, Folder, StoreError};
use mosaic::request::Request;

use super::error::PublishError;

pub use catalogue::{CATALOGUE, write as write_catalogue};
pub use known::{Entry, Versions, known};
pub use rollback::{VersionError, roll_back, versions};

/// A version in the making: a prefix that nobody else writes to.
#[derive(Debug)]
pub struct Version {
    output: Folder,
    name: String,
    number: u64,
}

impl Version {
    /// Claims a number of a mosaic's versions in `output`: this one, or the next that nobody has.
    ///
    /// # Errors
    /// `Occupied` where the name is something else's; what the system or the store says.
    pub fn begin(output: &Folder, name: &str, number: u64) -> Result<Self, PublishError> {
        let number = match output {
            Folder::Directory(dir) => directory::claim(dir, name, number)?,
            Folder::Objects(bucket) => objects::claim(bucket, name, number)?,
        };
        Ok(Self { output: output.clone(), name: name.to_owned(), number })
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where it is written.
    #[must_use]
    pub fn folder(&self) -> Folder {
        folder(&self.output, &self.name, self.number)
    }

    /// Where the mosaic's latest version is, seen from this one, where that is a place of its own.
    #[must_use]
    pub fn latest(&self) -> Option<String> {
        matches!(self.output, Folder::Directory(_)).then(|| format!("../../../{}/", self.name))
    }

    /// Makes the mosaic's name mean this version, at one moment, unless it means a newer one: where the mosaic is.
    ///
    /// # Errors
    /// `Occupied` where the name has become something else's; what the system or the store says.
    pub fn switch(&self) -> Result<String, PublishError> {
        match &self.output {
            Folder::Directory(dir) => {
                directory::switch(dir, &self.name, self.number).map(|name| name.display().to_string())
            }
            Folder::Objects(bucket) => {
                objects::switch(bucket, &self.name, self.number)?;
                Ok(self.folder().to_string())
            }
        }
    }

    /// Has the catalogue of the mosaic's versions tell of it. What is published is published without that too.
    pub fn tell(&self) {
        if let Err(error) = write_catalogue(&self.output, &self.name) {
            tracing::warn!(%error, name = self.name, "the catalogue of its versions is old");
        }
    }

    /// Takes away what was written of it: nothing means it, and where the device is full its room is wanted. In an
    /// object store it is left to whoever sweeps that.
    pub fn abandon(&self) {
        if let Folder::Directory(dir) = self.folder() {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Where a request is published, if a version could be written there and take the name: asked before any work is done
/// for it.
///
/// # Errors
/// `Occupied`, `Full`, or what else the system or the store says.
pub fn check(request: &Request, access: &Access) -> Result<Folder, PublishError> {
    let output = open(request, access)?;
    if let Folder::Directory(dir) = &output {
        directory::check(dir, &request.name)?;
    }
    Ok(output)
}

/// Where a request is published.
///
/// # Errors
/// What an object store says. A directory is not looked at.
pub fn open(request: &Request, access: &Access) -> Result<Folder, PublishError> {
    Folder::open(&request.output, request.profile.as_deref(), access).map_err(PublishError::output)
}

/// Where a version of a mosaic is.
#[must_use]
pub fn folder(output: &Folder, name: &str, number: u64) -> Folder {
    match output {
        Folder::Directory(dir) => Folder::Directory(dir.join(directory::target(name, number))),
        Folder::Objects(bucket) => Folder::Objects(bucket.below(&objects::target(name, number))),
    }
}

/// What is said where a version is published: the mosaic's name in a directory, else the version's URL.
#[must_use]
pub fn at(output: &Folder, name: &str, number: u64) -> String {
    match output {
        Folder::Directory(dir) => dir.join(name).display().to_string(),
        Folder::Objects(_) => folder(output, name, number).to_string(),
    }
}

/// The number of the version that a mosaic's name means; 0 where it means none.
///
/// # Errors
/// What an object store says.
pub fn meant(output: &Folder, name: &str) -> Result<u64, PublishError> {
    match output {
        Folder::Directory(dir) => Ok(directory::meant(dir, name)),
        Folder::Objects(bucket) => objects::meant(bucket, name).map(|latest| latest.version),
    }
}

/// The greatest number of a mosaic's versions that is known where they are published, though it may be gone; 0 where there
/// is none.
///
/// # Errors
/// What the system or the store says.
pub fn greatest(output: &Folder, name: &str) -> Result<u64, PublishError> {
    let taken = match output {
        Folder::Directory(dir) => directory::greatest(dir, name)?,
        Folder::Objects(bucket) => objects::meant(bucket, name)?.newest(),
    };
    Ok(taken.max(catalogue::greatest(output, name)?))
}

/// The report of a mosaic at the place that [`Version::switch`] told; none where it is not there any more.
///
/// # Errors
/// `Away` where the store does not answer.
pub fn report(at: &str, request: &Request, access: &Access) -> Result<Option<String>, PublishError> {
    let folder = if artifacts::is_url(at) {
        // It lies in the output, which the request's profile opens.
        match at.strip_prefix(request.output.trim_end_matches('/')) {
            Some(below) => open(request, access)?.below(below),
            None => return Ok(None),
        }
    } else {
        Folder::Directory(at.into())
    };
    match folder.read(super::REPORT) {
        Err(error @ StoreError::Away { .. }) => Err(PublishError::output(error)),
        read => Ok(read.ok().and_then(|bytes| String::from_utf8(bytes).ok())),
    }
}

#[cfg(test)]
mod tests;
