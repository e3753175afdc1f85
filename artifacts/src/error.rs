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
    /// The store cannot be written: no task can succeed.
    #[error("{what}: cannot be written: {why}")]
    Denied {
        /// The file or directory.
        what: String,
        /// The system's words.
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

impl StoreError {
    /// Sorts a system error by what is done about it.
    #[must_use]
    pub fn io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as K;
        let what = path.display().to_string();
        match source.kind() {
            K::NotFound => Self::Missing(what),
            K::StorageFull | K::QuotaExceeded => Self::Full(what),
            K::PermissionDenied | K::ReadOnlyFilesystem | K::NotADirectory => {
                Self::Denied { what, why: source.to_string() }
            }
            _ => Self::Io { what, source },
        }
    }

    pub(crate) fn corrupt(path: &Path, why: impl Into<String>) -> Self {
        Self::Corrupt { what: path.display().to_string(), why: why.into() }
    }
}
