//! One task's execution.

use std::sync::Arc;
use std::time::Duration;

use proto::work::{Failure, FailureKind, Lease, Outcome};

use super::Settings;
use super::held::Held;
use super::report::Reporter;
use crate::budget::Begun;
use crate::execute::{Cancel, Executor, TaskError};
use crate::metrics::Metrics;
use crate::told::Told;

/// How long a task that is told to stop may take until its slot goes on without it: one that hangs in a library or on a
/// disk cannot be told. What it holds of memory it holds until it ends.
const LEFT: Duration = Duration::from_secs(3);
/// How often it is looked at whether a task is told to stop.
const LOOK: Duration = Duration::from_millis(250);

/// How a slot is done with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// It has come to an end, or was called off, or waits for what this worker holds itself.
    Up,
    /// It was handed back for want of something else.
    Back,
}

/// One task's execution.
pub(super) struct Slot {
    executor: Arc<Executor>,
    worker_id: String,
    metrics: Arc<Metrics>,
    held: Held,
    reporter: Reporter,
    begun: [Begun; 2],
    cancel: Cancel,
}

impl Slot {
    /// From now on the task's lease is kept alive, and memory reckoned with for it.
    pub(super) fn begin(
        lease: &Lease,
        executor: Arc<Executor>,
        settings: &Settings,
        held: &Held,
        reporter: &Reporter,
    ) -> Self {
        let cancel = Cancel::default();
        held.insert(lease.grant.clone(), cancel.clone());
        Self {
            executor,
            worker_id: settings.worker_id.clone(),
            metrics: Arc::clone(&settings.metrics),
            held: held.clone(),
            reporter: reporter.clone(),
            begun: [settings.memory.begin(), settings.scratch.begin()],
            cancel,
        }
    }

    /// Executes it, and reports how it ended.
    pub(super) async fn execute(self, lease: Lease) -> Given {
        let told = Told::begin(&lease, &self.worker_id, &self.metrics);
        let (executor, spec, span, begun) = (Arc::clone(&self.executor), lease.spec, told.span(), self.begun);
        let cancel = self.cancel.clone();
        let run = tokio::task::spawn_blocking(move || {
            let run = span.in_scope(|| executor.run(&spec, &cancel));
            drop(begun);
            run
        });
        let run = tokio::select! {
            run = run => run,
            () = left(&self.cancel) => {
                tracing::warn!(task = %lease.grant.task, "a task does not stop: it is left to itself");
                Ok(Err(TaskError::Cancelled))
            }
        };
        let is_content = matches!(run, Ok(Err(TaskError::NoRoom(_) | TaskError::Cancelled)));
        let outcome = match run {
            Ok(run) => self.executor.outcome(run),
            Err(panic) => Outcome::Failed(Failure {
                kind: FailureKind::Permanent,
                reason: format!("the worker's own fault: {panic}"),
                scene: None,
            }),
        };
        told.end(&lease.grant, &self.worker_id, &outcome);
        let lacks = outcome == Outcome::HandedBack && !is_content;
        self.reporter.report(lease.grant.clone(), outcome, told.span()).await;
        self.held.remove(&lease.grant);
        if lacks { Given::Back } else { Given::Up }
    }
}

/// Waits until a task has been told to stop, and has had its time for that.
async fn left(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(LEFT).await;
}
