//! Handing tasks out: leases are granted, renewed, and reported on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::work::{Lease, LeaseRef, Outcome};

use super::Driver;
use crate::metrics::Ending;
use crate::table::Unknown;

impl Driver {
    /// Grants tasks to a worker, waiting for one at most `patience`.
    pub async fn lease(&self, worker: &str, slots: usize, patience: Duration) -> Vec<Lease> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let woken = self.ready.notified();
            let leases = self.grant(worker, slots);
            if !leases.is_empty() || tokio::time::timeout_at(deadline, woken).await.is_err() {
                return leases;
            }
        }
    }

    fn grant(&self, worker: &str, slots: usize) -> Vec<Lease> {
        let since = Instant::now();
        let mut inner = self.lock();
        if self.now() < inner.grants_from {
            return Vec::new();
        }
        let grants = inner.table.lease(worker, slots, self.now());
        let leases: Vec<Lease> = grants
            .into_iter()
            .filter_map(|grant| {
                let table = inner.table.job(&grant.job)?;
                let (task, _) = table.task(grant.task)?;
                let running = inner.jobs.get(&grant.job)?;
                let spec = running.job.as_ref()?.spec(table, task);
                let traceparent = running.contexts.as_ref().map(|contexts| contexts.of_task(&task.id));
                let lease = LeaseRef { job: grant.job.clone(), task: task.id.clone(), epoch: grant.epoch };
                Some(Lease { grant: lease, ttl: self.components.settings.lease, spec, traceparent })
            })
            .collect();
        for lease in &leases {
            Self::tell(&inner, &lease.grant.job);
        }
        self.metrics.granted(leases.len(), since.elapsed());
        leases
    }

    /// Renews leases; returns those that are void.
    pub fn renew(&self, worker: &str, leases: &[LeaseRef]) -> Vec<LeaseRef> {
        self.lock().table.renew(worker, leases, self.now())
    }

    /// Records how a task ended.
    ///
    /// # Errors
    /// `Unknown` where the lease is no longer the worker's.
    pub fn report(self: &Arc<Self>, worker: &str, lease: &LeaseRef, outcome: Outcome) -> Result<(), Unknown> {
        let since = Instant::now();
        {
            let mut inner = self.lock();
            let lost = if let Outcome::InputsLost(keys) = &outcome { keys.clone() } else { Vec::new() };
            let ending = Ending::of(&outcome);
            let taken = inner.table.report(worker, lease, outcome, self.now());
            self.metrics.reported(if taken.is_ok() { ending } else { Ending::Stale });
            taken?;
            if !lost.is_empty() {
                let job = inner.jobs.get(&lease.job).and_then(|running| running.job.clone()).ok_or(Unknown)?;
                let key_of = |task: &_| Some(job.artifact(task, |_| false).1);
                inner.table.lost(lease, &lost, key_of);
            }
        }
        self.follow(&lease.job);
        self.metrics.report_took(since.elapsed());
        Ok(())
    }
}
