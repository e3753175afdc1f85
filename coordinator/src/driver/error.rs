//! Why the driver did not do what it was asked.

use artifacts::StoreError;

use crate::attachments::AttachmentError;
use crate::prepare::PrepareError;
use crate::publish::PublishError;
use crate::publish::version::VersionError;
use crate::state::StateError;

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The request, or what it names, is at fault.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The plan could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] PublishError),
    /// No scene is linked: there is nothing to make a mosaic of.
    #[error("{0}")]
    Nothing(String),
    /// The request is not where it was kept.
    #[error("its request cannot be read: {0}: submit it again")]
    Forgotten(StoreError),
    /// What was sent along with the request is at fault.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// The request could not be noted down.
    #[error(transparent)]
    State(#[from] StateError),
    /// The program's own fault.
    #[error("{0}")]
    Internal(String),
}

impl SubmitError {
    /// Whether a store did not answer: it may do so later.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        match self {
            Self::Store(error) | Self::Attachment(AttachmentError::Store(error)) => {
                matches!(error, StoreError::Away { .. })
            }
            Self::Output(error) => error.is_away(),
            Self::State(error) => matches!(error, StateError::Away(_)),
            _ => false,
        }
    }
}

/// A coordinator that does not lead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another coordinator leads")]
pub struct NotLeader {
    /// Where that one is, if there is one.
    pub leader: Option<String>,
}

/// Why a job was not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such job.
    #[error(transparent)]
    NoJob(#[from] NoJob),
    /// There is nothing to do again.
    #[error("{0}")]
    Nothing(&'static str),
    /// Its request was not taken any more.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Why what is published was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such job.
    #[error(transparent)]
    NoJob(#[from] NoJob),
    /// There is no report.
    #[error("{0}")]
    Nothing(&'static str),
    /// Its request is not at hand.
    #[error(transparent)]
    Request(#[from] SubmitError),
    /// Where it was published is away.
    #[error(transparent)]
    Output(#[from] PublishError),
    /// There is no such version of it.
    #[error(transparent)]
    Version(#[from] VersionError),
}

/// A job that is not known.
#[derive(Debug, thiserror::Error)]
#[error("there is no job `{0}`")]
pub struct NoJob(pub String);
