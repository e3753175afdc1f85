//! What must hold of one coordinator's table, kept apart from it.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator::table::{Grant, JobTable, Settings, State, Table};

use super::plan::Job;

/// What has happened in one table.
#[derive(Default)]
pub struct Book {
    /// Of each job, which of its tasks are made.
    made: BTreeMap<String, Vec<bool>>,
    /// Of each job, the last epoch.
    epochs: BTreeMap<String, u64>,
    /// How often each task was tried.
    tries: BTreeMap<(String, u32), u32>,
    /// Who was granted what, and has not reported it.
    held: BTreeMap<(String, u32, u64), String>,
    /// Nothing of a job is granted before: there was no room.
    paused: BTreeMap<String, Duration>,
    /// Since when each job that has something to hand out sees others served.
    waiting: BTreeMap<String, Duration>,
}

/// No job waits for longer while others are served: what it had before, it had within the time of a few tasks.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What an event may have changed.
#[derive(Default)]
pub struct Allowed {
    /// This task is made.
    pub made: Option<(String, u32)>,
    /// Some are not made any more.
    pub lost: bool,
}

impl Book {
    /// Takes note of a job as it is, before anything has happened.
    pub fn open(&mut self, job: &str, table: &Table) {
        self.made.insert(job.to_owned(), states(table, job).iter().map(|state| state.is_made()).collect());
    }

    /// A lease was granted.
    pub fn granted(&mut self, worker: &str, grant: &Grant, settings: &Settings, job: &Job, table: &Table) {
        let last = self.epochs.insert(grant.job.clone(), grant.epoch).unwrap_or_default();
        assert!(grant.epoch > last, "epochs rise: {grant:?} after {last}");
        let tries = self.tried(worker, grant);
        assert!(tries <= settings.tries, "{grant:?} is tried {tries} times");
        let states = states(table, &grant.job);
        for input in job.layout.inputs(grant.task) {
            assert!(states[input as usize].has_ended(), "{grant:?} is granted before task {input} has ended");
        }
    }

    /// A lease of another leader was taken over, where this table has not granted it: whether that is news.
    pub fn is_adopted(&mut self, worker: &str, grant: &Grant) -> bool {
        let is_news = !self.held.contains_key(&key(grant));
        if is_news {
            self.tried(worker, grant);
        }
        is_news
    }

    fn tried(&mut self, worker: &str, grant: &Grant) -> u32 {
        self.held.insert(key(grant), worker.to_owned());
        let tries = self.tries.entry((grant.job.clone(), grant.task)).or_default();
        *tries += 1;
        *tries
    }

    /// A report was taken: the lease was this worker's, and is over.
    pub fn reported(&mut self, worker: &str, grant: &Grant) {
        let holder = self.held.remove(&key(grant));
        assert_eq!(holder.as_deref(), Some(worker), "{grant:?} is reported by who does not hold it");
    }

    /// A task was handed back: that was no try.
    pub fn untried(&mut self, grant: &Grant) {
        if let Some(tries) = self.tries.get_mut(&(grant.job.clone(), grant.task)) {
            *tries = tries.saturating_sub(1);
        }
    }

    /// What a task had made was lost: that is not its fault, and it begins anew.
    pub fn lost(&mut self, job: &str, task: u32) {
        self.tries.remove(&(job.to_owned(), task));
    }

    /// How often a task was tried.
    pub fn tries(&self, job: &str, task: u32) -> u32 {
        self.tries.get(&(job.to_owned(), task)).copied().unwrap_or_default()
    }

    /// Nothing of a job is to be granted before.
    pub fn pause(&mut self, job: &str, until: Duration) {
        self.paused.insert(job.to_owned(), until);
    }

    /// A job was served while these wait, that one perhaps among them.
    pub fn waited(&mut self, served: &str, waiting: &[String], now: Duration, seed: u64) {
        self.waiting.retain(|job, _| job != served && waiting.contains(job));
        for job in waiting.iter().filter(|job| *job != served) {
            let since = *self.waiting.entry(job.clone()).or_insert(now);
            assert!(now.saturating_sub(since) <= LONGEST_WAIT, "seed {seed}: {job} waits while {served} is served");
        }
    }

    /// Whether a worker could have a task of a job now.
    pub fn is_ready(&self, job: &str, table: &Table, now: Duration) -> bool {
        let is_paused = self.paused.get(job).is_some_and(|until| now < *until);
        let is_running = table.job(job).is_some_and(|job| job.ended().is_none());
        is_running && !is_paused && states(table, job).contains(&State::Ready)
    }

    /// Whether nothing but this has come to be made, and nothing that was made has been forgotten; what was.
    pub fn look(&mut self, table: &Table, allowed: &Allowed) -> Vec<(String, u32)> {
        let mut lost = Vec::new();
        for (job, made) in &mut self.made {
            for (task, (was, state)) in (0..).zip(made.iter_mut().zip(states(table, job))) {
                match (*was, state.is_made()) {
                    (false, true) => {
                        let named = allowed.made.as_ref().is_some_and(|(j, t)| (j, *t) == (job, task));
                        assert!(named, "task {task} of {job} is made, and nobody said so");
                    }
                    (true, false) => {
                        assert!(allowed.lost, "task {task} of {job} was made, and is not any more");
                        lost.push((job.clone(), task));
                    }
                    _ => {}
                }
                *was = state.is_made();
            }
        }
        lost
    }
}

fn key(grant: &Grant) -> (String, u32, u64) {
    (grant.job.clone(), grant.task, grant.epoch)
}

/// The states of a job's tasks.
pub fn states(table: &Table, job: &str) -> Vec<State> {
    let of = |job: &JobTable| (0..job.layout().len()).map(|task| job.state(task)).collect();
    table.job(job).map_or_else(Vec::new, of)
}
