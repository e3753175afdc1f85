//! Leases that are held: kept alive on a timer of their own, whatever their tasks do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::coordinators::Coordinators;
use proto::wire::RenewLeasesRequest;
use proto::work::LeaseRef;

use crate::execute::Cancel;

/// Renewal happens three times within a lease, and so often at least: it is how a worker learns that what it does is
/// wanted no more.
const RENEWALS: u32 = 3;
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long it may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The leases that a worker holds, each with the means to stop its task.
#[derive(Clone)]
pub(super) struct Held {
    coordinators: Coordinators,
    worker_id: String,
    leases: Arc<Mutex<HashMap<LeaseRef, Cancel>>>,
}

impl Held {
    pub(super) fn new(coordinators: Coordinators, worker_id: String) -> Self {
        Self { coordinators, worker_id, leases: Arc::default() }
    }

    pub(super) const fn coordinators(&self) -> &Coordinators {
        &self.coordinators
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseRef, Cancel>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease is held from now on.
    pub(super) fn insert(&self, lease: LeaseRef, cancel: Cancel) {
        self.lock().insert(lease, cancel);
    }

    /// It is held no more.
    pub(super) fn remove(&self, lease: &LeaseRef) {
        self.lock().remove(lease);
    }

    /// Stops all tasks.
    pub(super) fn cancel_all(&self) {
        self.lock().values().for_each(Cancel::cancel);
    }

    /// Keeps the leases alive, which last so long; cancels the tasks of those that are void.
    pub(super) async fn renew(self, ttl: Duration) {
        let mut timer = tokio::time::interval((ttl / RENEWALS).min(RENEW_EVERY));
        loop {
            timer.tick().await;
            self.renew_now().await;
        }
    }

    fn request(&self, leaving: bool) -> RenewLeasesRequest {
        let leases = if leaving { Vec::new() } else { self.lock().keys().cloned().map(Into::into).collect() };
        RenewLeasesRequest { worker_id: self.worker_id.clone(), leases, leaving, ..RenewLeasesRequest::default() }
    }

    pub(super) async fn renew_now(&self) {
        let request = self.request(false);
        if request.leases.is_empty() {
            return;
        }
        match self.coordinators.work().renew_leases(request).await {
            Ok(response) => {
                for void in response.into_inner().void_leases {
                    if let Some(cancel) = self.lock().get(&LeaseRef::from(void)) {
                        cancel.cancel();
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }

    /// Tells that nothing is held any more. The coordinator may have granted a task at the moment when nobody listened for
    /// it any more: it need not wait for that lease to end.
    pub(super) async fn say_goodbye(&self) {
        let mut client = self.coordinators.work();
        let told = tokio::time::timeout(GOODBYE, client.renew_leases(self.request(true))).await;
        if !matches!(told, Ok(Ok(_))) {
            tracing::debug!("nobody took leave: what was granted last is left to its lease");
        }
    }
}
