//! Reporting how tasks ended. One call is under way at a time: what ends meanwhile goes together in the next one, and
//! nothing that has ended waits for what has not.

use std::collections::HashSet;
use std::time::Duration;

use prost::Message;
use proto::coordinators::Coordinators;
use proto::limits::PIECE;
use proto::wire::{ReportTasksRequest, TaskReport};
use proto::work::{LeaseRef, Outcome};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

/// How often a report is tried before its task is left to its lease: for about as long as a lease lasts.
const TRIES: u32 = 8;

/// A task that has ended.
struct Ended {
    lease: LeaseRef,
    report: TaskReport,
    /// The task's.
    span: Span,
    tries: u32,
    /// Told once it need not be reported any more.
    settled: oneshot::Sender<()>,
}

/// Who reports.
#[derive(Clone)]
pub(super) struct Reporter(mpsc::UnboundedSender<Ended>);

impl Reporter {
    /// Begins to report, until nobody has anything to report any more.
    pub(super) fn start(coordinators: Coordinators, worker_id: String) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(report_on(coordinators, worker_id, told));
        Self(tell)
    }

    /// Reports until it is acknowledged, or in vain for long.
    pub(super) async fn report(&self, lease: LeaseRef, outcome: Outcome, span: Span) {
        let report = TaskReport { lease: Some(lease.clone().into()), outcome: Some(outcome.into()) };
        let (settled, is_settled) = oneshot::channel();
        if self.0.send(Ended { lease, report, span, tries: 0, settled }).is_ok() {
            // Either way there is nothing left to do.
            let _ = is_settled.await;
        }
    }
}

async fn report_on(coordinators: Coordinators, worker_id: String, mut told: mpsc::UnboundedReceiver<Ended>) {
    let mut unreported: Vec<Ended> = Vec::new();
    loop {
        if unreported.is_empty() {
            let Some(ended) = told.recv().await else { return };
            unreported.push(ended);
        }
        while let Ok(ended) = told.try_recv() {
            unreported.push(ended);
        }
        let mut batch: Vec<Ended> = unreported.drain(..fitting(&unreported)).collect();
        let tries = call(&coordinators, &worker_id, &mut batch).await;
        unreported.splice(0..0, batch);
        if let Some(tries) = tries {
            tokio::time::sleep(Duration::from_millis(100 << tries)).await;
        }
    }
}

/// How many go into one message.
fn fitting(unreported: &[Ended]) -> usize {
    let sizes = unreported.iter().scan(0, |sum, ended| {
        *sum += ended.report.encoded_len();
        Some(*sum)
    });
    sizes.take_while(|sum| *sum <= PIECE).count().max(1)
}

/// Reports a batch. What is settled is taken out; where nothing is, how often it was tried at least.
async fn call(coordinators: &Coordinators, worker_id: &str, batch: &mut Vec<Ended>) -> Option<u32> {
    let reports = batch.iter().map(|ended| ended.report.clone()).collect();
    let request = ReportTasksRequest { worker_id: worker_id.to_owned(), reports };
    let mut client = coordinators.work();
    // A call is part of one trace, though it tells of several.
    let span = batch.first().map_or_else(Span::none, |ended| ended.span.clone());
    match client.report_tasks(request).instrument(span).await {
        Ok(response) => {
            let refused: HashSet<LeaseRef> = response.into_inner().refused.into_iter().map(Into::into).collect();
            for Ended { lease, settled, .. } in batch.drain(..) {
                if refused.contains(&lease) {
                    tracing::debug!(task = %lease.task, "a stale report was refused");
                }
                // Whoever does not wait any more need not be told.
                let _ = settled.send(());
            }
            None
        }
        Err(error) => {
            tracing::warn!(tasks = batch.len(), %error, "a report was not taken");
            coordinators.turn(&error);
            batch.iter_mut().for_each(|ended| ended.tries += 1);
            batch.retain(|ended| ended.tries < TRIES);
            Some(batch.iter().map(|ended| ended.tries - 1).min().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::TaskError;
    use mosaic::ids::Key;
    use mosaic::plan::TaskId;
    use proto::limits::MESSAGE;

    fn ended(keys: usize) -> Ended {
        let lease = LeaseRef { job: "m-1".into(), task: TaskId("mosaic/x1y1".into()), epoch: 1 };
        let outcome = Outcome::InputsLost(vec![Key::of("test", &1); keys]);
        let report = TaskReport { lease: Some(lease.clone().into()), outcome: Some(outcome.into()) };
        Ended { lease, report, span: Span::none(), tries: 0, settled: oneshot::channel().0 }
    }

    #[test]
    fn no_batch_is_larger_than_a_message_may_be() {
        let small: Vec<Ended> = (0..100).map(|_| ended(1)).collect();
        assert_eq!(fitting(&small), 100);
        let large: Vec<Ended> = (0..5).map(|_| ended(12_000)).collect();
        assert_eq!(fitting(&large), 2);
        let all = TaskError::InputsLost(vec![Key::of("test", &1); 200_000]).into_outcome(false);
        let Outcome::InputsLost(told) = all else { panic!("{all:?}") };
        let alone = ended(told.len());
        assert_eq!(fitting(std::slice::from_ref(&alone)), 1);
        assert!(alone.report.encoded_len() < MESSAGE / 2, "alone it is below the limit");
    }
}
