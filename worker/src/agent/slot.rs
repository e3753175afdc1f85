//! One task's execution.

use std::sync::Arc;

use proto::work::{Failure, FailureKind, Lease, Outcome};

use super::Settings;
use super::held::Held;
use super::report::Reporter;
use crate::execute::{Cancel, Executor, TaskError};
use crate::memory::Begun;
use crate::metrics::Metrics;
use crate::told::Told;

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
    begun: Begun,
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
            begun: settings.memory.begin(),
            cancel,
        }
    }

    /// Executes it, and reports how it ended.
    pub(super) async fn execute(self, lease: Lease) -> Given {
        let told = Told::begin(&lease, &self.worker_id, &self.metrics);
        let (executor, spec, span, cancel) = (Arc::clone(&self.executor), lease.spec, told.span(), self.cancel);
        let run = tokio::task::spawn_blocking(move || span.in_scope(|| executor.run(&spec, &cancel))).await;
        drop(self.begun);
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
