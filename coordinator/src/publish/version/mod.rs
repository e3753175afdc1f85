//! Versions of a mosaic, and the one that its name means.
//!
//! A version has a number that is given to it by whoever leads, and that it claims where it is published; it is written
//! whole; then the name is made to mean it, unless it means a newer one by then. So a publisher that stood still while
//! another one took its place changes nothing when it goes on.
//!
//! `directory` and `objects` say how that is done in either.

mod directory;
mod objects;

use artifacts::{Access, Folder, StoreError};
use mosaic::request::Request;

use super::error::PublishError;

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
        match &self.output {
            Folder::Directory(dir) => Folder::Directory(dir.join(directory::target(&self.name, self.number))),
            Folder::Objects(bucket) => Folder::Objects(bucket.below(&objects::target(&self.name, self.number))),
        }
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

/// The greatest number of a mosaic's versions that is known where they are published; 0 where there is none.
///
/// # Errors
/// What the system or the store says.
pub fn greatest(output: &Folder, name: &str) -> Result<u64, PublishError> {
    match output {
        Folder::Directory(dir) => directory::greatest(dir, name),
        Folder::Objects(bucket) => objects::greatest(bucket, name),
    }
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
