//! A plan of which a part is lost from the store, while its mosaic is made or published, is made again from its request.
//!
//! ```text
//! a worker, or publication, misses a part ─► nothing is handed out ─► plan ─┬─► the same: the job goes on
//!                                                                           ├─► another, of a catalogue that has
//!                                                                           │   changed: the job goes on with that
//!                                                                           └─► none: the job fails, to be retried
//! ```

use std::sync::Arc;

use proto::job::JobState;
use proto::work::{Failure, FailureKind};

use super::{Driver, Inner, PAUSE, SubmitError};
use crate::job::Job;
use crate::state::StateError;
use crate::table::{Ended, JobTable};

/// How often a job's plan may be lost: a store that loses it for ever is not written to for ever.
const MOST_LOSSES: u32 = 10;

impl Driver {
    /// Makes a job's plan again, of which a part is lost, and goes on with the job; unless that is being done.
    pub(super) fn mend(self: &Arc<Self>, id: &str, job: &Arc<Job>) {
        let mut inner = self.lock();
        let Some(running) = inner.running(id, job) else { return };
        if !std::mem::replace(&mut running.is_mending, true) {
            running.plan_losses += 1;
            tokio::spawn(Arc::clone(self).plan_again(id.to_owned(), Arc::clone(job)));
        }
    }

    async fn plan_again(self: Arc<Self>, id: String, job: Arc<Job>) {
        tracing::warn!(job = id, "a part of its plan is lost from the store: it is planned again");
        let found = self.lock().running(&id, &job).map(|running| (running.record.clone(), running.plan_losses));
        let Some((record, losses)) = found else { return };
        if losses > MOST_LOSSES {
            return self.give_up(&id, &job, "it is lost again and again: check the store's disk");
        }
        let planned = loop {
            match self.planned(&record, job.request.clone(), false).await {
                Err(error) if error.is_away() => tracing::warn!(%error, job = id, "it cannot be planned again yet"),
                planned => break planned,
            }
            tokio::time::sleep(PAUSE).await;
            if self.leads().is_err() {
                return;
            }
        };
        match planned {
            Ok((again, _)) if again.key == job.key => self.go_on_as(&id, &job, |inner| inner.table.resume(&id)),
            Ok((again, table)) => {
                tracing::warn!(job = id, "its catalogue has changed: it goes on with the new plan");
                self.replace(&id, &job, again, table).await;
            }
            Err(error) => self.give_up(&id, &job, &told(&error, &job.request.name)),
        }
    }

    /// Goes on with a job, whatever it was at, with what has become of its plan.
    fn go_on_as(self: &Arc<Self>, id: &str, job: &Arc<Job>, with: impl FnOnce(&mut Inner)) {
        {
            let mut inner = self.lock();
            let is_over = matches!(inner.ended(id), Some(Ended::Cancelled | Ended::Fatal(_)));
            let Some(running) = inner.running(id, job).filter(|_| !is_over) else { return };
            (running.is_ending, running.is_mending) = (false, false);
            running.progress.send_modify(|progress| progress.state = JobState::Running);
            with(&mut inner);
        }
        self.to_note.notify_one();
        self.wake();
        // Where all its tasks have ended it is published.
        self.follow(id);
    }

    /// Goes on with another plan: what was noted down is of the one before.
    pub(super) async fn replace(self: &Arc<Self>, id: &str, job: &Arc<Job>, again: Job, table: JobTable) {
        {
            let _alone = self.records.lock().await;
            while let Err(error) = self.note_plan(id, job, &again).await {
                tracing::warn!(%error, job = id, "its plan cannot be noted down");
                if matches!(error, StateError::NotLeader) || self.leads().is_err() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        let again = Arc::new(again);
        self.go_on_as(id, job, |inner| {
            if let Some(running) = inner.jobs.get_mut(id) {
                running.record.plan = Some(again.key.clone());
                let table = table.with_weight(running.record.priority.weight());
                running.job = Some(again);
                inner.table.insert(id.to_owned(), table);
            }
        });
    }

    async fn note_plan(&self, id: &str, job: &Arc<Job>, again: &Job) -> Result<(), StateError> {
        let record = self.lock().running(id, job).map(|running| running.record.clone());
        let Some(mut record) = record.filter(|record| record.ended.is_none()) else { return Ok(()) };
        record.plan = Some(again.key.clone());
        self.components.state.forget(id).await?;
        self.components.state.put(&record).await
    }

    /// The job ends without a mosaic. What its tasks have made stays in the store.
    fn give_up(self: &Arc<Self>, id: &str, job: &Arc<Job>, why: &str) {
        let reason = format!("a part of its plan is lost from the store and cannot be made again: {why}");
        let failure = Failure { kind: FailureKind::Permanent, reason, scene: None };
        self.go_on_as(id, job, |inner| inner.table.abandon(id, failure));
    }
}

/// The first line of what is wrong, and what helps. The other lines are told when it is tried again.
fn told(error: &SubmitError, name: &str) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    match error {
        SubmitError::Attachment(_) => first.to_owned(),
        _ => format!("{first}: then `clearmosaic retry {name}`"),
    }
}

impl Inner {
    fn ended(&self, id: &str) -> Option<&Ended> {
        self.table.job(id)?.ended()
    }
}
