//! What can go wrong when a mosaic is published, by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use artifacts::StoreError;
use mosaic::projection::ProjectionError;

/// A mosaic that was not published. Each is one line.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No space is left where the output is.
    #[error("`output`: {0}: no space left on the device: free some, or name another output")]
    Full(String),
    /// The output cannot be written.
    #[error("`output`: {what}: cannot be written ({why}): name another output")]
    Denied {
        /// The file or directory.
        what: String,
        /// The system's words.
        why: String,
    },
    /// Something that is no publication of ours has the mosaic's name.
    #[error("`output`: {} is there already and is no mosaic published here: move it, or name another output", .0.display())]
    Occupied(PathBuf),
    /// An artifact is not as it was made: make it again.
    #[error(transparent)]
    Artifact(#[from] StoreError),
    /// An output tile's outline cannot be told.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// Anything else that the system says: trying again may help.
    #[error("`output`: {what}: {source}")]
    Io {
        /// The file or directory.
        what: String,
        /// The system's words.
        source: io::Error,
    },
}

impl PublishError {
    /// Sorts a system error by what is done about it.
    #[must_use]
    pub fn io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as K;
        let what = path.display().to_string();
        match source.kind() {
            K::StorageFull | K::QuotaExceeded => Self::Full(what),
            K::PermissionDenied | K::ReadOnlyFilesystem | K::NotADirectory | K::NotFound | K::AlreadyExists => {
                let text = source.to_string();
                Self::Denied { what, why: text.split(" (os error").next().unwrap_or(&text).to_owned() }
            }
            _ => Self::Io { what, source },
        }
    }
}
