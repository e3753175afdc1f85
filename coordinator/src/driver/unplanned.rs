//! Jobs that are noted down, and not planned yet: a schedule makes them so, in one moment.
//!
//! ```text
//! noted without a plan ─► planned ─► noted with it ─► its tasks can be had
//!         │                  └─► its request is no good: it has failed
//!         └─► cancelled: what is planned comes to nothing
//! ```

use std::sync::Arc;

use proto::job::JobState;

use super::{Driver, PAUSE, Running, SubmitError};
use crate::state::Record;

impl Driver {
    /// Takes up a job that was just noted down.
    pub(super) fn take_up_unplanned(self: &Arc<Self>, record: Record) {
        let id = record.job.clone();
        {
            let mut inner = self.lock();
            if !inner.is_leading {
                return;
            }
            inner.jobs.insert(id.clone(), Running::new(record, None));
        }
        self.plan_later(&id);
    }

    /// Plans a job that has no plan yet, where it is one.
    pub(super) fn plan_later(self: &Arc<Self>, id: &str) {
        if let Some(record) = self.unplanned(id) {
            tokio::spawn(Arc::clone(self).plan_on(record));
        }
    }

    /// The record of a job that is still to be planned.
    fn unplanned(&self, id: &str) -> Option<Record> {
        let inner = self.lock();
        let running = inner.jobs.get(id).filter(|running| running.job.is_none() && !running.is_ending);
        running.map(|running| running.record.clone())
    }

    /// Plans a job, for as long as stores do not answer. One that cannot be planned has failed.
    async fn plan_on(self: Arc<Self>, record: Record) {
        let id = record.job.clone();
        while let Err(error) = self.plan_noted(record.clone()).await {
            if self.leads().is_err() {
                return;
            }
            if !error.is_away() {
                tracing::warn!(%error, job = id, "it cannot be planned");
                return self.fail_unplanned(&id, &error).await;
            }
            tracing::warn!(%error, job = id, "it cannot be planned yet");
            tokio::time::sleep(PAUSE).await;
            if self.unplanned(&id).is_none() {
                return;
            }
        }
    }

    async fn plan_noted(self: &Arc<Self>, mut record: Record) -> Result<(), SubmitError> {
        let request = self.request_of(&mut record).await?;
        let (job, table) = self.planned(&record, request, true).await?;
        let alone = self.records.lock().await;
        // It may have been stopped meanwhile, or got another priority.
        let Some(known) = self.unplanned(&record.job) else { return Ok(()) };
        (record.plan, record.priority) = (Some(job.key.clone()), known.priority);
        self.components.state.put(&record).await?;
        let id = record.job.clone();
        {
            let mut inner = self.lock();
            let is_unplanned = |running: &&Running| running.job.is_none() && !running.is_ending;
            let Some(before) = inner.jobs.get(&id).filter(is_unplanned) else { return Ok(()) };
            let progress = before.progress.clone();
            tracing::info!(job = id, tasks = table.progress().total().total, "a mosaic begins");
            self.insert(&mut inner, record, job, table);
            // Those that watch it already go on watching.
            if let Some(running) = inner.jobs.get_mut(&id) {
                running.progress = progress;
            }
        }
        drop(alone);
        self.begun(&id);
        Ok(())
    }

    async fn fail_unplanned(self: &Arc<Self>, id: &str, error: &SubmitError) {
        if self.end_unplanned(id) {
            let state = JobState::failed(error, matches!(error, SubmitError::Internal(_)));
            Arc::clone(self).conclude(id.to_owned(), state, None).await;
        }
    }

    /// Stops a job that is being planned; whether it was one.
    pub(super) fn cancel_unplanned(self: &Arc<Self>, id: &str) -> bool {
        let is_one = self.end_unplanned(id);
        if is_one {
            tokio::spawn(Arc::clone(self).conclude(id.to_owned(), JobState::Cancelled, None));
        }
        is_one
    }

    /// Marks a job that has no plan as one that ends; whether it was one.
    fn end_unplanned(&self, id: &str) -> bool {
        let mut inner = self.lock();
        let running = inner.jobs.get_mut(id).filter(|running| running.job.is_none() && !running.is_ending);
        running.map(|running| running.is_ending = true).is_some()
    }
}
