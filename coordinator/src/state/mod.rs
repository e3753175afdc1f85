//! What coordinators must not forget, and who of them leads.
//!
//! A record for each job: the keys of its request and of its plan, and how it ended; and while it runs, which of its tasks are
//! made ([`notes`]). Request and plan are artifacts, and workers say what they are at. So there is little to write, and a
//! new leader goes on where the old one was killed, with the plan that was made then, whatever has become of the
//! catalogue. Order of truth: an artifact is stored, then reported, then noted here, then acknowledged.
//!
//! ```text
//! campaign ─► leader: loads records, plans and notes, writes ─► lease lost: stops at once ─► campaign
//!         └─► follower: tells who leads
//! ```

mod access;
mod etcd;
mod memory;
pub mod notes;

use mosaic::ids::Key;
use mosaic::request::Request;
use proto::job::{JobState, Priority};
use serde::{Deserialize, Serialize};

use crate::trace::Trace;

pub use access::EtcdAccess;
pub use etcd::Etcd;
pub use memory::Memory;
pub use notes::{Note, Noted};

use crate::schedule::Schedule;
use crate::table::Saved;

/// A job, as far as it must not be forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The job's id.
    pub job: String,
    /// The mosaic's name. Records of before do not tell it apart.
    #[serde(default)]
    pub name: String,
    /// What was asked for.
    pub request: Asked,
    /// When, in milliseconds since 1970.
    pub submitted: u64,
    /// How much of the workers it gets beside others.
    #[serde(default)]
    pub priority: Priority,
    /// The key of its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Key>,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
    /// The key of its report, where it has changed nothing: others stand where they were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Key>,
    /// Where it is in a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// What was asked for, its paths absolute, without the rights of URLs that are signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// The key of the artifact that holds the request.
    Kept(Key),
    /// The request itself: in records of before.
    Told(Box<Request>),
}

impl Record {
    /// The mosaic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.request {
            Asked::Told(request) => &request.name,
            Asked::Kept(_) => &self.name,
        }
    }

    /// Makes a span a part of the job's trace, where it has one.
    pub fn contain(&self, span: &tracing::Span) {
        if let Some(trace) = &self.trace {
            trace.contain(span);
        }
    }

    /// Tells of the mosaic as a whole, once it has ended.
    pub fn told(&self, state: &JobState) {
        if let Some(trace) = &self.trace {
            trace.end(&self.job, self.name(), self.submitted, state);
        }
    }
}

/// How a job ended. The report is where it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With a mosaic.
    Published {
        /// Whether nothing failed.
        complete: bool,
        /// Where it is.
        at: String,
        /// Whether it was published already, and nothing of it had changed.
        #[serde(default)]
        unchanged: bool,
    },
    /// Without.
    Failed {
        /// Why, one line.
        error: String,
        /// Whether the fault is the program's own.
        internal: bool,
    },
    /// Stopped on request.
    Cancelled,
}

impl Ended {
    /// How a job ended, if it has.
    #[must_use]
    pub fn of(state: &JobState) -> Option<Self> {
        match state.clone() {
            JobState::Running | JobState::Publishing => None,
            JobState::Published { complete, at, unchanged } => Some(Self::Published { complete, at, unchanged }),
            JobState::Failed { error, internal } => Some(Self::Failed { error, internal }),
            JobState::Cancelled => Some(Self::Cancelled),
        }
    }
}

impl From<Ended> for JobState {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Published { complete, at, unchanged } => Self::Published { complete, at, unchanged },
            Ended::Failed { error, internal } => Self::Failed { error, internal },
            Ended::Cancelled => Self::Cancelled,
        }
    }
}

/// What a coordinator is to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It hands tasks out, and writes.
    Leader,
    /// It waits for its turn.
    Follower {
        /// The URL that the leader gives for itself, where there is one.
        leader: Option<String>,
    },
}

/// Why a record was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another coordinator leads by now.
    #[error("this coordinator does not lead any more")]
    NotLeader,
    /// The store of records does not answer.
    #[error("etcd: {0}")]
    Away(String),
    /// A record means nothing.
    #[error("etcd: {key}: {why}")]
    Corrupt {
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where records are kept.
#[tonic::async_trait]
pub trait Store: Send + Sync {
    /// Every record.
    ///
    /// # Errors
    /// Where they cannot be read.
    async fn load(&self) -> Result<Vec<Record>, StateError>;

    /// Writes a job's record. Only the leader can.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be written.
    async fn put(&self, record: &Record) -> Result<(), StateError>;

    /// The number of a mosaic's next version: at least so much, and given to nobody else. Only the leader gets one.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be noted down.
    async fn next_version(&self, mosaic: &str, at_least: u64) -> Result<u64, StateError>;

    /// Notes down how far jobs are, in as few transactions as can be. Only the leader can.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be written: some of it may have been.
    async fn note(&self, notes: &[Note]) -> Result<(), StateError>;

    /// How far a job was with its plan: [`notes::run`].
    ///
    /// # Errors
    /// Where it cannot be read.
    async fn noted(&self, run: &str) -> Result<Saved, StateError>;

    /// Forgets how far a job is: it has ended, or begins anew. Only the leader can.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be written.
    async fn forget(&self, job: &str) -> Result<(), StateError>;

    /// Every schedule.
    ///
    /// # Errors
    /// Where they cannot be read.
    async fn schedules(&self) -> Result<Vec<Schedule>, StateError>;

    /// Writes a schedule, and at the same moment the record of a job that it makes. Only whoever leads in that term can.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be written.
    async fn put_schedule(&self, term: u64, schedule: &Schedule, made: Option<&Record>) -> Result<(), StateError>;

    /// Forgets a schedule. Only whoever leads in that term can.
    ///
    /// # Errors
    /// `NotLeader`; or where it cannot be written.
    async fn drop_schedule(&self, term: u64, name: &str) -> Result<(), StateError>;

    /// A number that is greater for each leader than for all that were before.
    fn term(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_before_is_read() {
        let request = serde_json::json!({
            "version": 1, "name": "old", "aoi": {"bbox": [1, 2, 3, 4]}, "period": {"start": "2023-01-01", "end": "2024-01-01"},
            "bands": ["B04"], "scenes": {"items": "/items.json"}, "scores": {"items": "/scores.json"}, "output": "/out",
        });
        let old = serde_json::json!({"job": "old-1", "request": request, "submitted": 5, "ended": null});
        let record: Record = serde_json::from_value(old).unwrap();
        assert_eq!((record.name(), record.priority), ("old", Priority::default()));
        let Asked::Told(request) = record.request else { panic!("{record:?}") };
        let key = Key::of("test", &request);
        let new = Record { name: "new".to_owned(), request: Asked::Kept(key), ..record };
        let text = serde_json::to_string(&new).unwrap();
        assert!(!text.contains("items.json"), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), new);
    }
}
