//! What can go wrong when a mosaic is published, by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use artifacts::{PlaceError, StoreError};
use mosaic::plan::TaskKind;
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
    /// The output's store does not let this process in, or is not what its name says.
    #[error("`output`: {0}")]
    Refused(String),
    /// The output's store does not answer: trying again may help.
    #[error("`output`: {0}")]
    Away(String),
    /// Something that is no publication of ours has the mosaic's name.
    #[error("`output`: {} is there already and is no mosaic published here: move it, or name another output", .0.display())]
    Occupied(PathBuf),
    /// Artifacts of these tasks have gone, or are not as they were made: make them again.
    #[error("{} artifacts must be made again", .0.len())]
    Lost(Vec<TaskKind>),
    /// What became of the scenes is not in the store any more: plan again.
    #[error("a part of the plan is lost: {0}")]
    PlanLost(StoreError),
    /// The store of artifacts does not do what it is asked.
    #[error(transparent)]
    Artifact(#[from] StoreError),
    /// An output tile's outline cannot be told.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The program's own fault.
    #[error("{0}")]
    Internal(String),
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
    /// Sorts what is said of the output's folder.
    #[must_use]
    pub fn output(error: StoreError) -> Self {
        match error {
            StoreError::Full(what) | StoreError::ScratchFull(what) => Self::Full(what),
            StoreError::Denied { what, why } => Self::Denied { what, why },
            StoreError::Missing(what) => Self::Denied { what, why: "there is no such file".to_owned() },
            StoreError::Io { what, source } => Self::io(what.as_ref(), source),
            StoreError::Refused { .. } | StoreError::Corrupt { .. } => Self::Refused(error.to_string()),
            StoreError::Away { .. } => Self::Away(error.to_string()),
        }
    }

    /// Whether a store did not answer: what failed therefore is tried again.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Artifact(StoreError::Away { .. }))
    }

    /// Whether the fault is not the output's.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::PlanLost(_) | Self::Artifact(_) | Self::Projection(_) | Self::Internal(_))
    }

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

/// What came of each of some tasks' artifacts, where none of them is lost.
///
/// # Errors
/// `Lost`, with all that are; what the store or the output says, where it says anything else.
pub fn unless_lost<T, E: Into<PublishError>>(
    found: impl IntoIterator<Item = (TaskKind, Result<T, E>)>,
) -> Result<Vec<T>, PublishError> {
    let (mut whole, mut lost) = (Vec::new(), Vec::new());
    for (kind, found) in found {
        match found.map_err(Into::into) {
            Ok(found) => whole.push(found),
            Err(PublishError::Artifact(error)) if error.is_lost() => {
                tracing::warn!(%error, "an artifact is to be published that is not as it was made");
                lost.push(kind);
            }
            Err(error) => return Err(error),
        }
    }
    lost.dedup();
    if lost.is_empty() { Ok(whole) } else { Err(PublishError::Lost(lost)) }
}

impl From<PlaceError> for PublishError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::From(error) => Self::Artifact(error),
            PlaceError::To(error) => Self::output(error),
        }
    }
}
