//! Leading, and ceasing to: what there is to do is loaded, and forgotten.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::{Driver, Inner, NotLeader, PAUSE, Running, SubmitError};
use crate::state::{self, Record, Role};
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
        let records = loop {
            match self.components.state.load().await {
                Ok(records) => break records,
                Err(error) => tracing::error!(%error, "what there is to do cannot be loaded"),
            }
            tokio::time::sleep(PAUSE).await;
            if role.has_changed().unwrap_or(false) {
                return;
            }
        };
        let mut inner = Inner { is_leading: true, ..Inner::default() };
        for record in records {
            let (running, table) = self.go_on_with(record).await;
            let id = running.record.job.clone();
            if let Some(table) = table {
                inner.table.insert(id.clone(), table);
            }
            inner.jobs.insert(id, running);
        }
        inner.grants_from = if inner.table.is_empty() { Duration::ZERO } else { self.now() + ADOPTION };
        if role.has_changed().unwrap_or(false) {
            return;
        }
        let ids: Vec<String> = inner.jobs.keys().cloned().collect();
        *self.lock() = inner;
        ids.iter().for_each(|id| self.follow(id));
    }

    /// A job that another leader began, planned again unless it has ended.
    async fn go_on_with(self: &Arc<Self>, record: Record) -> (Running, Option<JobTable>) {
        if record.ended.is_some() {
            return (Running::new(record, None), None);
        }
        let (driver, request) = (Arc::clone(self), record.request.clone());
        let planned = tokio::task::spawn_blocking(move || driver.plan(request)).await;
        match planned.unwrap_or_else(|panic| Err(SubmitError::Internal(panic.to_string()))) {
            Ok((job, table)) => (Running::new(record, Some(Arc::new(job))), Some(table)),
            // What was good when it was submitted is not any more: that is told, not hidden.
            Err(error) => {
                let failed = state::Ended::Failed { error: error.to_string(), internal: false };
                (Running::new(Record { ended: Some(failed), ..record }, None), None)
            }
        }
    }

    /// Forgets everything: another one leads. Those that watch look for it.
    pub(super) fn step_down(&self) {
        *self.lock() = Inner::default();
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
