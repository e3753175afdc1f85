//! A mosaic as one trace, from where it was asked for to its publication.
//!
//! ```text
//! submit (client) ─► call ─► mosaic ─┬─► plan, publish           coordinator
//!                                    └─► task ─► read, write     workers, of some tasks and of those that fail
//! ```
//!
//! The mosaic's own span lasts longer than a coordinator may: its id is kept with the job's record, so that children can
//! name it, and it is told when the job ends, by whoever leads then.

use std::time::{Duration, UNIX_EPOCH};

use mosaic::plan::TaskId;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanId, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use proto::job::JobState;
use proto::trace::{beside, context, follow, sampled, traceparent, with_id};
use serde::{Deserialize, Serialize};
use tracing::Span;

/// Where a mosaic is in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Where it was asked for, as `traceparent`.
    parent: String,
    /// The id of its own span.
    span: String,
}

impl Trace {
    /// The trace of a job that begins within the current span; none where nothing is recorded.
    #[must_use]
    pub fn begin(job: &str) -> Option<Self> {
        let parent = traceparent(&Context::current())?;
        let digest = blake3::hash(format!("{parent} {job}").as_bytes());
        let span = SpanId::from_bytes(*digest.as_bytes().first_chunk()?).to_string();
        Some(Self { parent, span })
    }

    fn id(&self) -> SpanId {
        SpanId::from_hex(&self.span).unwrap_or(SpanId::INVALID)
    }

    fn context(&self) -> Context {
        beside(&context(&self.parent), self.id())
    }

    /// Makes a span a part of the mosaic.
    pub fn contain(&self, span: &Span) {
        follow(span, self.context());
    }

    /// Tells of the mosaic, which began so many milliseconds after 1970 and has just ended.
    pub fn end(&self, job: &str, name: &str, submitted: u64, state: &JobState) {
        let began = UNIX_EPOCH + Duration::from_millis(submitted);
        let attributes = [KeyValue::new("mosaic", name.to_owned()), KeyValue::new("job", job.to_owned())];
        let builder = SpanBuilder::from_name("mosaic").with_start_time(began).with_attributes(attributes);
        let parent = context(&self.parent);
        let mut span = with_id(self.id(), || global::tracer("clearmosaic").build_with_context(builder, &parent));
        let ended = match state {
            JobState::Running | JobState::Publishing => "running",
            JobState::Published { complete: true, .. } => "complete",
            JobState::Published { complete: false, .. } => "incomplete",
            JobState::Failed { .. } => "failed",
            JobState::Cancelled => "cancelled",
        };
        span.set_attribute(KeyValue::new("state", ended));
        if let JobState::Failed { error, .. } = state {
            span.set_status(Status::error(error.clone()));
        }
        span.end();
    }
}

/// What leases of a mosaic's tasks carry: the mosaic's context, recorded for some tasks and not for the others.
#[derive(Clone, Debug)]
pub struct TaskContexts {
    recorded: String,
    unrecorded: String,
    /// Recorded are the tasks whose id digests to less than this, of all of 64 bits.
    below: u64,
}

impl TaskContexts {
    /// The contexts for a mosaic of `tasks` tasks to do, of which about `most` are recorded; none for a mosaic that is
    /// not recorded itself.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn of(trace: &Trace, tasks: u32, most: u32) -> Option<Self> {
        let place = trace.context();
        if !place.span().span_context().is_sampled() {
            return None;
        }
        let below = (f64::from(most) / f64::from(tasks.max(1)) * u64::MAX as f64) as u64;
        Some(Self { recorded: traceparent(&place)?, unrecorded: traceparent(&sampled(&place, false))?, below })
    }

    /// The context of a task: the same whenever it is asked for.
    #[must_use]
    pub fn of_task(&self, task: &TaskId) -> String {
        let digest = blake3::hash(task.0.as_bytes());
        let place = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let is_recorded = self.below == u64::MAX || place < self.below;
        if is_recorded { self.recorded.clone() } else { self.unrecorded.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of 10,000 tasks are recorded where about `most` shall be.
    fn recorded(most: u32) -> usize {
        let below = (f64::from(most) / 10_000.0 * u64::MAX as f64) as u64;
        let contexts = TaskContexts { recorded: "yes".into(), unrecorded: "no".into(), below };
        let of = |i| contexts.of_task(&TaskId(format!("composite/33TWL/{}-{}", i / 100, i % 100)));
        (0..10_000).filter(|i| of(*i) == "yes").count()
    }

    #[test]
    fn about_as_many_tasks_are_recorded_as_are_asked_for() {
        assert_eq!((recorded(0), recorded(10_000), recorded(20_000)), (0, 10_000, 10_000));
        assert!((900..1100).contains(&recorded(1000)), "{}", recorded(1000));
        assert_eq!(recorded(1000), recorded(1000), "the same ones again");
    }

    #[test]
    fn where_nothing_is_recorded_there_is_no_trace() {
        assert_eq!(Trace::begin("job"), None);
    }
}
