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
//! The epoch of a task rises on each grant: a report under another epoch is stale. One that is newer than any that the
//! table knows was granted by the leader before, and is adopted. `Done` goes back to `Waiting` only
//! when the artifact turns out to be missing or corrupt.

mod job;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use job::{Ended, Expired, JobTable, Progress, Unknown};
pub use state::{Setbacks, Settings, State, Tally};

use mosaic::ids::Key;
use mosaic::plan::Task;
use proto::work::{LeaseRef, Outcome};

/// Time on the coordinator's clock since it started.
pub type Now = Duration;

/// A task granted to a worker: its job, its index there, and the epoch of the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The job.
    pub job: String,
    /// Index of the task in the job.
    pub task: usize,
    /// The grant.
    pub epoch: u64,
}

/// The tasks of all jobs.
#[derive(Debug, Default)]
pub struct Table {
    jobs: BTreeMap<String, JobTable>,
}

/// How long a job has to wait for its turn: the fewer of its tasks run, the sooner.
fn turn(job: &JobTable) -> u32 {
    job.progress().running()
}

impl Table {
    /// Adds a job, or replaces one that has ended.
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

    /// Stops a job: nothing of it is granted any more, and what runs is void.
    pub fn cancel(&mut self, id: &str) -> bool {
        self.jobs.get_mut(id).is_some_and(JobTable::cancel)
    }

    /// Grants at most `slots` tasks to a worker: of the job of which the fewest tasks run, so that all get on; of the
    /// tile where the worker was last; in order of the plan, so that a sub-tile's composite follows its partials.
    pub fn lease(&mut self, worker: &str, slots: usize, now: Now) -> Vec<Grant> {
        let mut grants = Vec::new();
        while grants.len() < slots {
            let ready = self.jobs.iter_mut().filter(|(_, job)| job.is_ready());
            let Some((id, job)) = ready.min_by_key(|(_, job)| turn(job)) else { break };
            let Some((task, epoch)) = job.lease(worker, now) else { break };
            grants.push(Grant { job: id.clone(), task, epoch });
        }
        grants
    }

    /// Renews leases; returns those that are void.
    pub fn renew(&mut self, worker: &str, leases: &[LeaseRef], now: Now) -> Vec<LeaseRef> {
        let void = |lease: &&LeaseRef| {
            let job = self.jobs.get_mut(&lease.job);
            !job.is_some_and(|job| job.renew(worker, &lease.task, lease.epoch, now))
        };
        leases.iter().filter(void).cloned().collect()
    }

    /// Records how a task ended. What follows from it is asked of the job.
    ///
    /// # Errors
    /// `Unknown` where the lease is no longer the worker's.
    pub fn report(&mut self, worker: &str, lease: &LeaseRef, outcome: Outcome, now: Now) -> Result<(), Unknown> {
        let job = self.jobs.get_mut(&lease.job).ok_or(Unknown)?;
        job.report(worker, &lease.task, lease.epoch, outcome, now)
    }

    /// Marks artifacts that a task reads as lost: they are made again, and it waits for them.
    pub fn lost(&mut self, reporter: &LeaseRef, keys: &[Key], key_of: impl Fn(&Task) -> Option<Key>) {
        if let Some(job) = self.jobs.get_mut(&reporter.job) {
            job.lost(&reporter.task, keys, key_of);
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
