//! Leading, and ceasing to: what there is to do is loaded, and forgotten.

use std::sync::{Arc, Weak};
use std::time::Duration;

use mosaic::request::Request;
use proto::job::JobState;
use tokio::sync::watch;

use super::{Components, Driver, Inner, NotLeader, PAUSE, Running, Scheduled, SubmitError};
use crate::job::Job;
use crate::schedule::Schedule;
use crate::state::{self, Record, Role, StateError, notes};
use crate::table::JobTable;

/// How long a new leader waits for workers to tell what they are at.
const ADOPTION: Duration = Duration::from_secs(2);

impl Driver {
    /// Does what the role asks for that has been told last.
    pub(super) async fn assume(self: &Arc<Self>, role: &mut watch::Receiver<Role>) {
        let now = role.borrow_and_update().clone();
        match now {
            Role::Leader => self.take_over(role).await,
            Role::Follower { .. } => self.step_down(),
        }
    }

    /// Loads what there is to do, and goes on with it, unless the role changes meanwhile.
    async fn take_over(self: &Arc<Self>, role: &mut watch::Receiver<Role>) {
        // It may have led before another did, and never have heard of that one: what it knew then counts no more.
        self.step_down();
        self.begin_permits();
        let state = &self.components.state;
        let (term, records, schedules) = loop {
            // What is decided from what was loaded counts for the term before it was loaded, and for no other.
            let term = state.term();
            let loaded = async { Ok::<_, StateError>((state.load().await?, state.schedules().await?)) };
            match loaded.await {
                Ok((records, schedules)) => break (term, records, schedules),
                Err(error) => tracing::error!(%error, "what there is to do cannot be loaded"),
            }
            tokio::time::sleep(PAUSE).await;
            if role.has_changed().unwrap_or(false) {
                return;
            }
        };
        let mut inner = Inner { is_leading: true, term, ..Inner::default() };
        let known = |schedule: Schedule| (schedule.name.clone(), Scheduled::new(schedule));
        inner.schedules = schedules.into_iter().map(known).collect();
        for record in records {
            let (running, table) = self.go_on_with(record, role).await;
            let id = running.record.job.clone();
            if let Some(table) = table {
                inner.table.insert(id.clone(), table.with_weight(running.record.priority.weight()));
            }
            inner.jobs.insert(id, running);
        }
        inner.grants_from = if inner.table.is_empty() { Duration::ZERO } else { self.now() + ADOPTION };
        if role.has_changed().unwrap_or(false) {
            return;
        }
        let ids: Vec<String> = inner.jobs.keys().cloned().collect();
        *self.lock() = inner;
        for id in ids {
            self.follow(&id);
            self.plan_later(&id);
        }
    }

    /// A job that another leader began, with the plan that was made then; planned again where that is not there any more.
    /// A store that is away is waited for, as long as this coordinator leads.
    async fn go_on_with(self: &Arc<Self>, record: Record, role: &watch::Receiver<Role>) -> (Running, Option<JobTable>) {
        // One that a schedule made is planned once this coordinator leads.
        if record.ended.is_some() || record.plan.is_none() {
            return (Running::new(record, None), None);
        }
        loop {
            match self.resume_or_plan(record.clone()).await {
                Ok((record, job, table)) => {
                    let running = Running::new(record, Some(Arc::new(job)));
                    return (running.traced(&table, self.components.traced_tasks), Some(table));
                }
                Err(error) if error.is_away() && !role.has_changed().unwrap_or(true) => {
                    tracing::warn!(%error, job = record.job, "it cannot be gone on with yet");
                    tokio::time::sleep(PAUSE).await;
                }
                // What was good when it was submitted is not any more: that is told, not hidden.
                Err(error) => {
                    let failed = JobState::failed(&error, false);
                    record.told(&failed);
                    return (Running::new(Record { ended: state::Ended::of(&failed), ..record }, None), None);
                }
            }
        }
    }

    /// A job with the plan that its record names, else with one that is made now.
    async fn resume_or_plan(self: &Arc<Self>, mut record: Record) -> Result<(Record, Job, JobTable), SubmitError> {
        let request = self.request_of(&mut record).await?;
        match self.resume(&record, request.clone()).await {
            Ok((job, table)) => Ok((record, job, table)),
            Err(error) if error.is_away() => Err(error),
            Err(error) => {
                tracing::warn!(%error, job = record.job, "its plan is made anew");
                self.plan_anew(record, request).await
            }
        }
    }

    /// The stored plan of a job, and how far it was.
    async fn resume(self: &Arc<Self>, record: &Record, request: Request) -> Result<(Job, JobTable), SubmitError> {
        let missing = || SubmitError::Internal("there is no plan of it".to_owned());
        let key = record.plan.clone().ok_or_else(missing)?;
        let driver = Arc::clone(self);
        let load = move || {
            let Components { store, survey, .. } = &driver.components;
            Job::load(request, &key, store, survey.as_ref())
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let job = loaded.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        let table = self.noted(&record.job, &job).await?;
        Ok((job, table))
    }

    /// The tasks of a job's plan as they were noted down.
    async fn noted(&self, id: &str, job: &Job) -> Result<JobTable, SubmitError> {
        let saved = self.components.state.noted(&notes::run(id, &job.key)).await?;
        Ok(self.table(job, &saved))
    }

    async fn plan_anew(
        self: &Arc<Self>,
        mut record: Record,
        request: Request,
    ) -> Result<(Record, Job, JobTable), SubmitError> {
        let (job, table) = self.planned(&record, request, false).await?;
        if record.plan.as_ref() == Some(&job.key) {
            // What was noted down of it still holds.
            let table = self.noted(&record.job, &job).await?;
            return Ok((record, job, table));
        }
        record.plan = Some(job.key.clone());
        self.components.state.forget(&record.job).await?;
        self.components.state.put(&record).await?;
        Ok((record, job, table))
    }

    /// Forgets everything: another one leads. Those that watch look for it.
    pub(super) fn step_down(&self) {
        *self.lock() = Inner::default();
        self.components.budgets.close();
        self.ready.notify_waiters();
    }

    /// Whether this coordinator leads.
    ///
    /// # Errors
    /// Where it does not: who does.
    pub fn leads(&self) -> Result<(), NotLeader> {
        if self.lock().is_leading {
            return Ok(());
        }
        let role = self.components.role.borrow().clone();
        Err(NotLeader { leader: if let Role::Follower { leader } = role { leader } else { None } })
    }
}

/// Changes the driver's role with what the election tells, for as long as there is one.
pub(super) async fn change_roles(driver: Weak<Driver>, mut role: watch::Receiver<Role>) {
    while role.changed().await.is_ok() {
        let Some(driver) = driver.upgrade() else { return };
        driver.assume(&mut role).await;
    }
}
