//! Work as it is leased, renewed and reported.

use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use mosaic::ids::Key;
use mosaic::plan::TaskId;

use crate::{WireError, wire};

/// One grant of one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRef {
    /// The run that the task belongs to.
    pub job: String,
    /// The task.
    pub task: TaskId,
    /// Raised on each grant.
    pub epoch: u64,
}

/// A task granted until a deadline.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// Which grant.
    pub grant: LeaseRef,
    /// How long it lasts without renewal.
    pub ttl: Duration,
    /// What to do.
    pub spec: TaskSpec,
    /// The mosaic's place in its trace, which says too whether this task is recorded; none where it has no trace.
    pub traceparent: Option<String>,
}

/// What to make and under which key to store it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSpec {
    /// Key of the artifact to make.
    pub key: Key,
    /// How.
    pub work: Work,
}

/// How an artifact is made: the artifacts of the plan that say so, and the place in them.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// The partial of one sub-tile and slice.
    Partial {
        /// The tile's shard.
        shard: Key,
        /// Index of the sub-tile in it.
        subtile: usize,
        /// Index of the slice in the plan.
        slice: usize,
    },
    /// The composite of one sub-tile.
    Composite {
        /// The tile's shard.
        shard: Key,
        /// Index of the sub-tile in it.
        subtile: usize,
    },
    /// One output tile.
    Mosaic {
        /// The plan's outputs.
        outputs: Key,
        /// Index of the output tile.
        output: usize,
        /// The list of the indices of inputs that could not be made, where there are any.
        missing: Option<Key>,
    },
    /// The picture of the whole.
    Quicklook {
        /// The plan's outputs.
        outputs: Key,
        /// The list of the output tiles' keys: there may be more than a message has room for.
        tiles: Key,
    },
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its artifact is stored.
    Done(Done),
    /// Its artifact could not be made.
    Failed(Failure),
    /// Artifacts that it reads must be made again.
    InputsLost(Vec<Key>),
    /// The worker is going away.
    HandedBack,
}

/// What a finished task cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes read from sources.
    pub bytes_read: u64,
    /// Bytes of artifacts written.
    pub bytes_written: u64,
    /// Blocks of sources read.
    pub blocks_read: u64,
    /// Blocks of sources under the task's window that hold no clear pixel, and were not read.
    pub blocks_skipped: u64,
    /// Time spent getting the bytes of blocks, in microseconds.
    pub read_us: u64,
    /// Time spent turning blocks into pixels.
    pub decode_us: u64,
    /// Time spent on the pixels themselves.
    pub compute_us: u64,
    /// Time spent writing artifacts.
    pub write_us: u64,
    /// Requests to other machines that sources are on, redirects and repetitions too.
    pub requests: u64,
    /// Bytes of their answers.
    pub bytes_received: u64,
    /// Of the requests, those that repeat one that failed.
    pub retries: u64,
}

impl Done {
    /// Each of its figures joined with that of another.
    #[must_use]
    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_read: join(self.bytes_read, other.bytes_read),
            bytes_written: join(self.bytes_written, other.bytes_written),
            blocks_read: join(self.blocks_read, other.blocks_read),
            blocks_skipped: join(self.blocks_skipped, other.blocks_skipped),
            read_us: join(self.read_us, other.read_us),
            decode_us: join(self.decode_us, other.decode_us),
            compute_us: join(self.compute_us, other.compute_us),
            write_us: join(self.write_us, other.write_us),
            requests: join(self.requests, other.requests),
            bytes_received: join(self.bytes_received, other.bytes_received),
            retries: join(self.retries, other.retries),
        }
    }
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        *self = self.zip(other, u64::saturating_add);
    }
}

impl SubAssign for Done {
    fn sub_assign(&mut self, other: Self) {
        *self = self.zip(other, u64::saturating_sub);
    }
}

alike! {
    Done, wire::TaskDone:
    bytes_read, bytes_written, blocks_read, blocks_skipped, read_us, decode_us, compute_us, write_us,
    requests, bytes_received, retries
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is decided on it.
    pub kind: FailureKind,
    /// One line for people.
    pub reason: String,
    /// The scene at fault.
    pub scene: Option<String>,
}

/// What is decided on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Trying again may help.
    Retryable,
    /// Trying again will not help.
    Permanent,
    /// No task can succeed.
    Fatal,
}

impl From<LeaseRef> for wire::LeaseRef {
    fn from(r: LeaseRef) -> Self {
        Self { job_id: r.job, task_id: r.task.0, epoch: r.epoch }
    }
}

impl From<wire::LeaseRef> for LeaseRef {
    fn from(r: wire::LeaseRef) -> Self {
        Self { job: r.job_id, task: TaskId(r.task_id), epoch: r.epoch }
    }
}

impl From<Lease> for wire::Lease {
    fn from(lease: Lease) -> Self {
        let ttl_ms = u32::try_from(lease.ttl.as_millis()).unwrap_or(u32::MAX);
        let traceparent = lease.traceparent.unwrap_or_default();
        Self { r#ref: Some(lease.grant.into()), ttl_ms, task: Some(lease.spec.into()), traceparent }
    }
}

impl TryFrom<wire::Lease> for Lease {
    type Error = WireError;

    fn try_from(lease: wire::Lease) -> Result<Self, WireError> {
        let missing = |field| WireError::new("Lease", format!("no `{field}`"));
        Ok(Self {
            grant: lease.r#ref.ok_or_else(|| missing("ref"))?.into(),
            ttl: Duration::from_millis(lease.ttl_ms.into()),
            spec: lease.task.ok_or_else(|| missing("task"))?.try_into()?,
            traceparent: (!lease.traceparent.is_empty()).then_some(lease.traceparent),
        })
    }
}

fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

fn place(i: u32) -> usize {
    i as usize
}

impl From<TaskSpec> for wire::TaskSpec {
    fn from(spec: TaskSpec) -> Self {
        use wire::task_spec::Work as W;
        let work = match spec.work {
            Work::Partial { shard, subtile, slice } => W::Partial(wire::PartialWork {
                shard_key: shard.to_string(),
                subtile: index(subtile),
                slice: index(slice),
            }),
            Work::Composite { shard, subtile } => {
                W::Composite(wire::CompositeWork { shard_key: shard.to_string(), subtile: index(subtile) })
            }
            Work::Mosaic { outputs, output, missing } => W::Mosaic(wire::MosaicWork {
                outputs_key: outputs.to_string(),
                output: index(output),
                missing_key: missing.map(|key| key.to_string()).unwrap_or_default(),
            }),
            Work::Quicklook { outputs, tiles } => {
                W::Quicklook(wire::QuicklookWork { outputs_key: outputs.to_string(), tiles_key: tiles.to_string() })
            }
        };
        Self { key: spec.key.to_string(), work: Some(work) }
    }
}

fn key(text: &str) -> Result<Key, WireError> {
    text.parse().map_err(|problem: String| WireError::new("TaskSpec", problem))
}

impl TryFrom<wire::TaskSpec> for TaskSpec {
    type Error = WireError;

    fn try_from(spec: wire::TaskSpec) -> Result<Self, WireError> {
        use wire::task_spec::Work as W;
        let work = match spec.work.ok_or_else(|| WireError::new("TaskSpec", "no `work` that this version knows"))? {
            W::Partial(p) => {
                Work::Partial { shard: key(&p.shard_key)?, subtile: place(p.subtile), slice: place(p.slice) }
            }
            W::Composite(c) => Work::Composite { shard: key(&c.shard_key)?, subtile: place(c.subtile) },
            W::Mosaic(m) => Work::Mosaic {
                outputs: key(&m.outputs_key)?,
                output: place(m.output),
                missing: (!m.missing_key.is_empty()).then(|| key(&m.missing_key)).transpose()?,
            },
            W::Quicklook(q) => Work::Quicklook { outputs: key(&q.outputs_key)?, tiles: key(&q.tiles_key)? },
        };
        Ok(Self { key: key(&spec.key)?, work })
    }
}

impl TryFrom<wire::TaskReport> for (LeaseRef, Outcome) {
    type Error = WireError;

    fn try_from(report: wire::TaskReport) -> Result<Self, WireError> {
        let missing = |field| WireError::new("TaskReport", format!("no `{field}` that this version knows"));
        let lease = report.lease.ok_or_else(|| missing("lease"))?.into();
        Ok((lease, report.outcome.ok_or_else(|| missing("outcome"))?.try_into()?))
    }
}

impl From<Outcome> for wire::task_report::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(done) => Self::Done(done.into()),
            Outcome::Failed(f) => Self::Failed(wire::TaskFailed {
                kind: wire::FailureKind::from(f.kind).into(),
                reason: f.reason,
                scene: f.scene.unwrap_or_default(),
            }),
            Outcome::InputsLost(keys) => {
                Self::InputsLost(wire::TaskInputsLost { keys: keys.iter().map(ToString::to_string).collect() })
            }
            Outcome::HandedBack => Self::HandedBack(wire::TaskHandedBack {}),
        }
    }
}

impl TryFrom<wire::task_report::Outcome> for Outcome {
    type Error = WireError;

    fn try_from(outcome: wire::task_report::Outcome) -> Result<Self, WireError> {
        use wire::task_report::Outcome as O;
        Ok(match outcome {
            O::Done(done) => Self::Done(done.into()),
            O::Failed(f) => Self::Failed(Failure {
                kind: f.kind().try_into()?,
                scene: (!f.scene.is_empty()).then_some(f.scene),
                reason: f.reason,
            }),
            O::InputsLost(lost) => Self::InputsLost(lost.keys.iter().map(|k| key(k)).collect::<Result<_, _>>()?),
            O::HandedBack(_) => Self::HandedBack,
        })
    }
}

impl From<FailureKind> for wire::FailureKind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Retryable => Self::Retryable,
            FailureKind::Permanent => Self::Permanent,
            FailureKind::Fatal => Self::Fatal,
        }
    }
}

impl TryFrom<wire::FailureKind> for FailureKind {
    type Error = WireError;

    fn try_from(kind: wire::FailureKind) -> Result<Self, WireError> {
        match kind {
            wire::FailureKind::Retryable => Ok(Self::Retryable),
            wire::FailureKind::Permanent => Ok(Self::Permanent),
            wire::FailureKind::Fatal => Ok(Self::Fatal),
            wire::FailureKind::Unspecified => Err(WireError::new("TaskFailed", "no `kind` that this version knows")),
        }
    }
}
