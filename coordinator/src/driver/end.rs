//! What follows from the state of a job: those that watch are told, and what has ended is published.

use std::sync::Arc;

use mosaic::ids::Key;
use proto::job::{JobState, TaskCounts};
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::publish::Outcome;
use super::unreadable::Settled;
use super::{Driver, Inner, PAUSE};
use crate::job::Job;
use crate::state::{self, StateError};
use crate::table::Ended;

impl Driver {
    /// Ends a job whose tasks have all ended.
    pub(super) fn follow(self: &Arc<Self>, id: &str) {
        let mut inner = self.lock();
        let Some(ended) = inner.table.job(id).and_then(|table| table.ended().cloned()) else { return };
        Self::tell(&inner, id);
        // The table of a run before it says nothing of one that is still to be planned.
        let Some(running) = inner.jobs.get_mut(id).filter(|running| running.job.is_some()) else { return };
        if std::mem::replace(&mut running.is_ending, true) {
            return;
        }
        tokio::spawn(Arc::clone(self).end(id.to_owned(), ended));
    }

    /// Publishes, where there is something to publish; notes down how the job ended, and tells.
    async fn end(self: Arc<Self>, id: String, ended: Ended) {
        let (state, report) = match ended {
            Ended::Settled => match self.leave_out(&id).await {
                Settled::GoesOn => return,
                Settled::PlanLost(job) => return self.mend(&id, &job),
                Settled::Ended(state) => (state, None),
                Settled::Whole => {
                    self.tell_state(&id, &JobState::Publishing);
                    let span = info_span!("publish");
                    self.lock().jobs.get(&id).inspect(|running| running.record.contain(&span));
                    match self.publish(&id).instrument(span).await {
                        Some(Outcome::Ended(state, report)) => (state, report),
                        Some(Outcome::Lost(job, tasks)) => return self.go_on(&id, &job, &tasks),
                        Some(Outcome::PlanLost(job)) => return self.mend(&id, &job),
                        None => return,
                    }
                }
            },
            Ended::Fatal(failure) => (JobState::Failed { error: failure.reason, internal: false }, None),
            Ended::Cancelled => (JobState::Cancelled, None),
        };
        self.conclude(id, state, report).await;
    }

    /// Notes down how a job ended, and its report where that is kept apart, and tells.
    pub(super) async fn conclude(self: Arc<Self>, id: String, state: JobState, report: Option<Key>) {
        // What it is by now, and nothing after it.
        let alone = self.records.lock().await;
        let record = self.lock().jobs.get(&id).map(|running| running.record.clone());
        let Some(mut record) = record else { return };
        (record.ended, record.report) = (state::Ended::of(&state), report);
        while let Err(error) = self.components.state.put(&record).await {
            tracing::warn!(%error, job = %id, "its end cannot be noted down");
            if matches!(error, StateError::NotLeader) || self.leads().is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        record.told(&state);
        if let Err(error) = self.components.state.forget(&id).await {
            // It is in nobody's way.
            tracing::warn!(%error, job = %id, "how far it was is kept");
        }
        if let Some(running) = self.lock().jobs.get_mut(&id) {
            (running.record, running.ended) = (record, Some(Instant::now()));
        }
        drop(alone);
        self.tell_state(&id, &state);
    }

    /// Goes on with a job that was to be published: what these tasks had made was lost.
    fn go_on(&self, id: &str, job: &Arc<Job>, lost: &[u32]) {
        {
            let mut inner = self.lock();
            let Some(running) = inner.running(id, job) else { return };
            running.is_ending = false;
            inner.table.lost(id, lost);
        }
        self.tell_state(id, &JobState::Running);
        self.to_note.notify_one();
        self.wake();
    }

    pub(super) fn tell_state(&self, id: &str, state: &JobState) {
        if let Some(running) = self.lock().jobs.get(id) {
            running.progress.send_modify(|progress| progress.state = state.clone());
        }
    }

    pub(super) fn tell(inner: &Inner, id: &str) {
        let running = inner.jobs.get(id).filter(|running| running.job.is_some());
        let (Some(table), Some(running)) = (inner.table.job(id), running) else { return };
        let now = table.progress();
        let counts = now.kinds.iter().filter(|(_, tally)| tally.total > 0).map(|(kind, tally)| TaskCounts {
            kind: (*kind).to_owned(),
            total: tally.total,
            done: tally.done,
            reused: tally.reused,
            failed: tally.failed,
            running: tally.running,
        });
        let counts: Vec<TaskCounts> = counts.collect();
        running.progress.send_if_modified(|progress| {
            let changed = progress.tasks != counts || progress.bytes_read != now.cost.bytes_read;
            progress.tasks = counts;
            progress.bytes_read = now.cost.bytes_read;
            changed
        });
    }
}
