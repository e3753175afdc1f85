//! What is told of a task: its span, as a child of its mosaic's, and its figures.
//!
//! Most tasks of a large mosaic are not recorded: the lease says which. One that fails always is.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use proto::trace;
use proto::work::{Done, Lease, LeaseRef, Outcome, Work};
use tracing::Span;
use tracing::field::Empty;

use crate::metrics::{Metrics, Result as Ended};

/// A task that is being done.
pub struct Told {
    metrics: Arc<Metrics>,
    kind: &'static str,
    span: Span,
    /// The mosaic's place in its trace.
    context: Context,
    began: (SystemTime, Instant),
}

/// What kind of task it is, as its id begins.
const fn kind(work: &Work) -> &'static str {
    match work {
        Work::Partial { .. } => "partial",
        Work::Composite { .. } => "composite",
        Work::Mosaic { .. } => "mosaic",
        Work::Quicklook { .. } => "quicklook",
    }
}

/// The tile and the slice of a task's id, `partial/33TWL/3-4/2023-08-01..2023-09-01`; empty where it has none.
fn tile_and_slice(grant: &LeaseRef) -> (&str, &str) {
    let mut parts = grant.task.0.split('/').skip(1);
    (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default())
}

impl Told {
    /// Begins to tell of a task. One that is part of no trace begins none of its own, nor do its parts.
    pub fn begin(lease: &Lease, worker: &str, metrics: &Arc<Metrics>) -> Self {
        let kind = kind(&lease.spec.work);
        let context = lease.traceparent.as_deref().map(trace::context).unwrap_or_default();
        let span = Self::span_of(lease, worker);
        trace::follow(&span, if trace::is_some(&context) { context.clone() } else { trace::nowhere() });
        metrics.begin(kind);
        Self { metrics: Arc::clone(metrics), kind, span, context, began: (SystemTime::now(), Instant::now()) }
    }

    fn span_of(lease: &Lease, worker: &str) -> Span {
        let grant = &lease.grant;
        let (tile, slice) = tile_and_slice(grant);
        tracing::info_span!(
            "task",
            otel.name = kind(&lease.spec.work),
            task = %grant.task,
            job = grant.job,
            epoch = grant.epoch,
            worker,
            tile,
            slice,
            bytes_read = Empty,
            bytes_written = Empty,
            blocks_read = Empty,
            blocks_skipped = Empty,
            decode_us = Empty,
            compute_us = Empty,
            write_us = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        )
    }

    /// The span, to work in.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Tells how it ended.
    pub fn end(&self, grant: &LeaseRef, worker: &str, outcome: &Outcome) {
        let took = self.began.1.elapsed();
        let ended = match outcome {
            Outcome::Done(done) => {
                let LeaseRef { task, job, epoch } = grant;
                self.span.in_scope(|| tracing::debug!(%task, job, epoch, "a task is done"));
                self.record(done);
                self.metrics.add(done);
                Ended::Done
            }
            Outcome::Failed(failure) => {
                self.fail(grant, worker, &failure.reason);
                Ended::Failed
            }
            Outcome::InputsLost(_) => {
                self.fail(grant, worker, "what it reads is lost");
                Ended::Failed
            }
            Outcome::HandedBack => Ended::HandedBack,
        };
        self.metrics.end(self.kind, ended, took);
    }

    fn record(&self, done: &Done) {
        let figures = [
            ("bytes_read", done.bytes_read),
            ("bytes_written", done.bytes_written),
            ("blocks_read", done.blocks_read),
            ("blocks_skipped", done.blocks_skipped),
            ("decode_us", done.decode_us),
            ("compute_us", done.compute_us),
            ("write_us", done.write_us),
        ];
        for (name, figure) in figures {
            self.span.record(name, figure);
        }
    }

    /// Marks the span; where it is not recorded, makes one that is, after the fact.
    fn fail(&self, grant: &LeaseRef, worker: &str, reason: &str) {
        self.span.in_scope(|| tracing::info!(task = %grant.task, reason, "a task failed"));
        self.span.record("otel.status_code", "ERROR").record("otel.status_description", reason);
        if !trace::is_some(&self.context) || self.context.span().span_context().is_sampled() {
            return;
        }
        let (tile, slice) = tile_and_slice(grant);
        let text = |name: &'static str, value: &str| KeyValue::new(name, value.to_owned());
        let attributes = [
            text("task", &grant.task.0),
            text("job", &grant.job),
            text("worker", worker),
            text("tile", tile),
            text("slice", slice),
            KeyValue::new("epoch", i64::try_from(grant.epoch).unwrap_or(i64::MAX)),
        ];
        let builder = SpanBuilder::from_name(self.kind).with_start_time(self.began.0).with_attributes(attributes);
        let tracer = global::tracer("clearmosaic");
        let mut span = tracer.build_with_context(builder, &trace::sampled(&self.context, true));
        span.set_status(Status::error(reason.to_owned()));
        span.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::plan::TaskId;

    #[test]
    fn ids_tell_of_tile_and_slice() {
        let of = |id: &str| {
            let grant = LeaseRef { job: "m".into(), task: TaskId(id.into()), epoch: 1 };
            let (tile, slice) = tile_and_slice(&grant);
            (tile.to_owned(), slice.to_owned())
        };
        let pair = |tile: &str, slice: &str| (tile.to_owned(), slice.to_owned());
        assert_eq!(of("partial/33TWL/3-4/2023-08-01..2023-09-01"), pair("33TWL", "2023-08-01..2023-09-01"));
        assert_eq!(of("composite/33TWL/3-4"), pair("33TWL", ""));
        assert_eq!(of("mosaic/x1y2"), pair("x1y2", ""));
        assert_eq!(of("quicklook"), pair("", ""));
    }
}
