//! Why a task failed, by what is done about it.

use artifacts::StoreError;
use mosaic::ids::Key;
use proto::work::{Failure, FailureKind, Outcome};

use crate::budget::NoRoom;
use crate::read::SceneError;
use crate::write::WriteError;

/// Inputs that are told to be lost at a time: of more than a message has room for the others are found later.
const MOST_LOST: usize = 10_000;

/// A task that was not done.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A scene could not be read: its tasks fail, and it is named.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Artifacts that the task reads are missing or corrupt.
    #[error("{} artifacts must be made again", .0.len())]
    InputsLost(Vec<Key>),
    /// A raster or picture could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The plan says what cannot be.
    #[error("{0}")]
    Plan(String),
    /// Others of this worker hold what it needs of memory, or of room for files.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The task was told to stop.
    #[error("cancelled")]
    Cancelled,
}

impl TaskError {
    /// What the coordinator is told. Where the store is elsewhere, none of its faults is the task's: the store may be
    /// away, this machine may lack room, this process may not be let in. Then the task is handed back, to be done later
    /// or by another.
    #[must_use]
    pub fn into_outcome(self, is_remote: bool) -> Outcome {
        let reason = self.to_string();
        let failed = |kind, scene| Outcome::Failed(Failure { kind, reason: reason.clone(), scene });
        match self {
            Self::Scene(SceneError { scene, error }) => {
                let kind = if error.retryable { FailureKind::Retryable } else { FailureKind::Permanent };
                Outcome::Failed(Failure { kind, reason: error.to_string(), scene: Some(scene) })
            }
            Self::Store(StoreError::Full(what)) | Self::Write(WriteError::Full(what)) if is_remote => {
                handed_back(&StoreError::ScratchFull(what))
            }
            Self::Store(error)
                if is_remote && !matches!(error, StoreError::Missing(_) | StoreError::Corrupt { .. }) =>
            {
                handed_back(&error)
            }
            Self::Store(StoreError::Full(_) | StoreError::Denied { .. }) | Self::Write(WriteError::Full(_)) => {
                failed(FailureKind::Fatal, None)
            }
            Self::Store(_) | Self::Write(_) => failed(FailureKind::Retryable, None),
            Self::InputsLost(mut keys) => {
                keys.truncate(MOST_LOST);
                Outcome::InputsLost(keys)
            }
            Self::Plan(_) => failed(FailureKind::Permanent, None),
            Self::Cancelled | Self::NoRoom(_) => Outcome::HandedBack,
        }
    }
}

fn handed_back(error: &StoreError) -> Outcome {
    tracing::warn!(%error, "a task is handed back");
    Outcome::HandedBack
}
