//! What can go wrong with an artifact, by what the caller does about it.

use std::io;
use std::path::Path;

/// A store that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such artifact: make it.
    #[error("{0}: no such artifact")]
    Missing(String),
    /// The artifact's bytes are not those that were written: discard it and make it again.
    #[error("{what}: corrupt artifact: {why}")]
    Corrupt {
        /// The file.
        what: String,
        /// What does not hold.
        why: String,
    },
    /// No space is left: no task can succeed.
    #[error("{0}: no space left on the device: free some, or name another --store")]
    Full(String),
    /// The store cannot be used, or not be written: no task can succeed.
    #[error("{what}: cannot be written: {why}")]
    Denied {
        /// The file or directory.
        what: String,
        /// The system's words.
        why: String,
    },
    /// The store does not let this process in, or is not what its name says: look at the name and the credentials.
    #[error("{what}: {why}")]
    Refused {
        /// The object, the store or the profile.
        what: String,
        /// What does not hold.
        why: String,
    },
    /// No space is left for files in the making: another worker may have some.
    #[error("{0}: no space left on the device: free some, or name another --scratch")]
    ScratchFull(String),
    /// The store does not answer as it should: it may do so later.
    #[error("{what}: the store does not answer: {why}")]
    Away {
        /// The object, or the store.
        what: String,
        /// The innermost cause.
        why: String,
    },
    /// Anything else that the system says: trying again may help.
    #[error("{what}: {source}")]
    Io {
        /// The file or directory.
        what: String,
        /// The system's words.
        source: io::Error,
    },
}

/// The system's words, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl StoreError {
    /// Whether it is the artifact that is at fault, and not what it is asked of: it is made again.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Corrupt { .. })
    }

    /// Sorts a system error by what is done about it.
    #[must_use]
    pub fn io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as K;
        let what = path.display().to_string();
        match source.kind() {
            K::NotFound => Self::Missing(what),
            K::StorageFull | K::QuotaExceeded => Self::Full(what),
            K::PermissionDenied | K::ReadOnlyFilesystem | K::NotADirectory => {
                Self::Denied { what, why: plain(&source) }
            }
            _ => Self::Io { what, source },
        }
    }

    /// A directory of the store's own that cannot be made: what is missing here is no artifact.
    pub(crate) fn made(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => {
                Self::Denied { what: path.display().to_string(), why: plain(&source) }
            }
            _ => Self::io(path, source),
        }
    }

    /// A file in the making that cannot be written, where the store itself is elsewhere.
    pub(crate) fn scratch(path: &Path, source: io::Error) -> Self {
        match Self::io(path, source) {
            Self::Full(what) => Self::ScratchFull(what),
            other => other,
        }
    }

    pub(crate) fn corrupt(path: &Path, why: impl Into<String>) -> Self {
        Self::Corrupt { what: path.display().to_string(), why: why.into() }
    }
}
