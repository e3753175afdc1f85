//! What follows from the state of a job: those that watch are told, and what has ended is published.

use std::sync::Arc;

use proto::job::{JobState, TaskCounts};

use super::{Driver, Inner, PAUSE};
use crate::finish::{self, Run};
use crate::job::Job;
use crate::publish::PublishError;
use crate::state::{self, StateError};
use crate::table::Ended;

impl Driver {
    /// Does what the state of a job asks for: wakes those that wait for tasks, tells those that watch, ends it.
    pub(super) fn follow(self: &Arc<Self>, id: &str) {
        self.ready.notify_waiters();
        let mut inner = self.lock();
        Self::tell(&inner, id);
        let Inner { table, jobs, .. } = &mut *inner;
        let (Some(table), Some(running)) = (table.job(id), jobs.get_mut(id)) else { return };
        let Some(ended) = table.ended().cloned() else { return };
        if std::mem::replace(&mut running.is_ending, true) {
            return;
        }
        tokio::spawn(Arc::clone(self).end(id.to_owned(), ended));
    }

    /// Publishes, where there is something to publish; notes down how the job ended, and tells.
    async fn end(self: Arc<Self>, id: String, ended: Ended) {
        let state = match ended {
            Ended::Settled => {
                self.tell_state(&id, &JobState::Publishing);
                let (driver, job) = (Arc::clone(&self), id.clone());
                let published = tokio::task::spawn_blocking(move || driver.publish(&job)).await;
                let Ok(Some(state)) = published else { return };
                state
            }
            Ended::Fatal(failure) => JobState::Failed { error: failure.reason, internal: false },
            Ended::Cancelled => JobState::Cancelled,
        };
        let record = self.lock().jobs.get(&id).map(|running| running.record.clone());
        let Some(mut record) = record else { return };
        record.ended = state::Ended::of(&state);
        while let Err(error) = self.components.state.put(&record).await {
            tracing::warn!(%error, job = %id, "its end cannot be noted down");
            if matches!(error, StateError::NotLeader) || self.leads().is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if let Some(running) = self.lock().jobs.get_mut(&id) {
            running.record = record;
        }
        self.tell_state(&id, &state);
    }

    fn tell_state(&self, id: &str, state: &JobState) {
        if let Some(running) = self.lock().jobs.get(id) {
            running.progress.send_modify(|progress| progress.state = state.clone());
        }
    }

    pub(super) fn tell(inner: &Inner, id: &str) {
        let (Some(table), Some(running)) = (inner.table.job(id), inner.jobs.get(id)) else { return };
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

    fn publish(&self, id: &str) -> Option<JobState> {
        let (job, run) = self.run_of(id)?;
        Some(match finish::publish(&job, &run, &self.components.store) {
            Ok((at, report)) => JobState::Published {
                complete: report.failed.is_empty(),
                at: at.display().to_string(),
                report: serde_json::to_string(&report).unwrap_or_default(),
            },
            Err(error) => {
                let internal = matches!(error, PublishError::Artifact(_) | PublishError::Projection(_));
                JobState::Failed { error: error.to_string(), internal }
            }
        })
    }

    /// What publication needs to know of how a job went.
    fn run_of(&self, id: &str) -> Option<(Arc<Job>, Run)> {
        let inner = self.lock();
        let (running, table) = (inner.jobs.get(id)?, inner.table.job(id)?);
        let job = running.job.clone()?;
        let run = Run::of(&job, table, running.started.elapsed());
        Some((job, run))
    }
}
