//! The task table: which task is where. Pure: an event and the time go in, what is to be done about it comes out.
//!
//! ```text
//!            all that it waits for has ended
//!  Waiting ───────────────────────────────────► Ready ◄──────────────┐
//!     ▲                                           │ lease             │ back-off is over
//!     │ inputs lost                               ▼                   │
//!     ├──────────────────────────────────────── Leased ──retryable──► Backoff
//!     │                                           │  └─ expired, handed back ─► Ready
//!     │                                done ──────┤
//!     │                                           ├── permanent, or tries used up
//!   Done ◄────────────────────────────────────────┘                   │
//!                                                                     ▼
//!                                                                  Failed ─► what cannot do without it fails too
//! ```
//!
//! The epoch of a job rises on each grant: a report under another epoch is stale. One that is older than all that the
//! table has granted was granted by the leader before, and is adopted. `Done` goes back to `Ready` only when the artifact
//! turns out to be missing or corrupt, to whoever reads it or publishes it: that was no try of its task. A task that takes long may be leased twice at the end: the first that is done
//! counts.

mod job;
mod permits;
mod ready;
mod share;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use proto::work::Failure;

pub use job::{Changes, Ended, Expired, JobTable, Progress, Report, Saved, SetAside, Unknown};
pub use permits::{Permits, Rules};
pub use state::{Setbacks, Settings, State, Tally};

/// Time on the coordinator's clock since it started.
pub type Now = Duration;

/// A task granted to a worker: its job, its index there, and the epoch of the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The job.
    pub job: String,
    /// Index of the task in the job.
    pub task: u32,
    /// The grant.
    pub epoch: u64,
}

/// The tasks of all jobs.
#[derive(Debug, Default)]
pub struct Table {
    jobs: BTreeMap<String, JobTable>,
    /// What the job whose turn it was last had had of the workers.
    floor: u64,
}

impl Table {
    /// Adds a job, or replaces one that has ended, or that was planned anew.
    pub fn insert(&mut self, id: String, mut job: JobTable) {
        if let Some(before) = self.jobs.get(&id) {
            job.go_on_from(before);
        }
        self.jobs.insert(id, job);
    }

    /// All jobs.
    pub fn jobs(&self) -> impl Iterator<Item = (&str, &JobTable)> {
        self.jobs.iter().map(|(id, job)| (id.as_str(), job))
    }

    /// Whether there is no job.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// A job.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<&JobTable> {
        self.jobs.get(id)
    }

    /// What of each job is to be noted down; it counts as noted from now on.
    pub fn take_changes(&mut self) -> Vec<(String, Changes)> {
        let changes = self.jobs.iter_mut().map(|(id, job)| (id.clone(), job.take_changes()));
        changes.filter(|(_, changes)| !changes.is_empty()).collect()
    }

    /// What could not be noted down is still to be.
    pub fn put_back(&mut self, job: &str, changes: Changes) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.put_back(changes);
        }
    }

    /// Gives a job another share of the workers than others' 1: a power of two up to 16.
    pub fn weigh(&mut self, id: &str, weight: u32) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.share.weigh(weight);
        }
    }

    /// Stops a job: nothing of it is granted any more, and what runs is void.
    pub fn cancel(&mut self, id: &str) -> bool {
        self.jobs.get_mut(id).is_some_and(JobTable::cancel)
    }

    /// Grants at most `slots` tasks to a worker: of the job that has had least of the workers for its weight, so that all
    /// get on; of the tile where the worker was last; in order of the plan, so that a sub-tile's composite follows its
    /// partials. Where there is nothing else, one that takes long with another worker.
    pub fn lease(&mut self, worker: &str, slots: usize, now: Now) -> Vec<Grant> {
        let mut grants = Vec::new();
        while grants.len() < slots {
            let Some(grant) = self.lease_one(worker, now) else { break };
            grants.push(grant);
        }
        if grants.is_empty() && slots > 0 {
            grants.extend(self.lease_again(worker, now));
        }
        grants
    }

    fn lease_one(&mut self, worker: &str, now: Now) -> Option<Grant> {
        self.jobs.values_mut().for_each(|job| job.queue(self.floor, now));
        let ready = self.jobs.iter_mut().filter(|(_, job)| job.is_ready(now));
        let (id, job) = ready.min_by_key(|(_, job)| job.turn())?;
        self.floor = self.floor.max(job.share.had());
        let (task, epoch) = job.lease(worker, now)?;
        Some(Grant { job: id.clone(), task, epoch })
    }

    fn lease_again(&mut self, worker: &str, now: Now) -> Option<Grant> {
        self.jobs.iter_mut().find_map(|(id, job)| {
            let (task, epoch) = job.lease_again(worker, now)?;
            Some(Grant { job: id.clone(), task, epoch })
        })
    }

    /// Whether a worker could have a task now.
    #[must_use]
    pub fn has_work(&self, now: Now) -> bool {
        self.jobs.values().any(|job| job.is_ready(now) || job.has_late(now))
    }

    /// Renews a lease; whether it is the worker's.
    pub fn renew(&mut self, worker: &str, lease: &Grant, now: Now) -> bool {
        self.jobs.get_mut(&lease.job).is_some_and(|job| job.renew(worker, lease.task, lease.epoch, now))
    }

    /// Takes back every lease of a worker that goes away: it may never have heard of the last ones. The jobs they are of.
    pub fn leave(&mut self, worker: &str, now: Now) -> Vec<String> {
        let mut left = Vec::new();
        for (id, job) in &mut self.jobs {
            let mut is_left = false;
            for (task, epoch) in job.held_by(worker) {
                is_left |= job.report(worker, task, epoch, Report::HandedBack, now).is_ok();
            }
            if is_left {
                left.push(id.clone());
            }
        }
        left
    }

    /// Records how a task ended. What follows from it is asked of the job.
    ///
    /// # Errors
    /// `Unknown` where the lease is no longer the worker's.
    pub fn report(&mut self, worker: &str, lease: &Grant, report: Report, now: Now) -> Result<(), Unknown> {
        let job = self.jobs.get_mut(&lease.job).ok_or(Unknown)?;
        job.report(worker, lease.task, lease.epoch, report, now)
    }

    /// Records that an artifact is there, whoever made it: whether that is news.
    pub fn found(&mut self, job: &str, task: u32) -> bool {
        self.jobs.get_mut(job).is_some_and(|job| job.found(task))
    }

    /// What tasks of a job that has settled had made is lost: it is made again, and the job goes on: whether it does.
    pub fn lost(&mut self, job: &str, tasks: &[u32]) -> bool {
        self.jobs.get_mut(job).is_some_and(|job| job.lost(tasks))
    }

    /// The plan of a job is whole again, of which a part was lost.
    pub fn resume(&mut self, job: &str) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.resume();
        }
    }

    /// Ends a job of which nothing can be made any more, even where only its publication was left.
    pub fn abandon(&mut self, job: &str, failure: Failure) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.abandon(failure);
        }
    }

    /// Lets time pass: back-offs end, and leases expire: which, each with its job.
    pub fn tick(&mut self, now: Now) -> Vec<(String, Expired)> {
        let expired = |(id, job): (&String, &mut JobTable)| {
            let expired = job.tick(now);
            expired.into_iter().map(|expired| (id.clone(), expired)).collect::<Vec<_>>()
        };
        self.jobs.iter_mut().flat_map(expired).collect()
    }
}
