//! States of a task.

use std::time::Duration;

use proto::work::{Done, Failure};

use super::Now;

/// How patient the table is.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How often a task is tried.
    pub tries: u32,
    /// How long to wait after the first failure; doubled after each.
    pub backoff: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), tries: 4, backoff: Duration::from_millis(500) }
    }
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// So many of the tasks that it waits for have not ended.
    Waiting {
        /// How many.
        left: usize,
    },
    /// A worker may have it.
    Ready,
    /// It failed, and is tried again later.
    Backoff {
        /// When.
        until: Now,
    },
    /// A worker has it.
    Leased {
        /// Who.
        worker: String,
        /// Until when, unless renewed.
        deadline: Now,
    },
    /// Its artifact is stored.
    Done {
        /// What it cost; none where it was found in the store.
        cost: Option<Done>,
    },
    /// It is set aside.
    Failed(Failure),
    /// Its job was stopped.
    Cancelled,
}

impl State {
    /// Whether what waits for it may go on.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed(_) | Self::Cancelled)
    }
}

/// Counts of tasks by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub total: u32,
    /// Done in this run.
    pub done: u32,
    /// Found in the store.
    pub reused: u32,
    /// Set aside.
    pub failed: u32,
    /// Leased now.
    pub running: u32,
    /// To be had.
    pub ready: u32,
    /// Waiting for other tasks.
    pub waiting: u32,
    /// Tried again later.
    pub backoff: u32,
}

/// What has befallen a job's tasks, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setbacks {
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Leases that expired.
    pub expired: u64,
    /// Tasks set aside.
    pub set_aside: u64,
}

impl Tally {
    /// The count of tasks in this state, where they are counted.
    pub(super) const fn of(&mut self, state: &State) -> Option<&mut u32> {
        match state {
            State::Done { cost: Some(_) } => Some(&mut self.done),
            State::Done { cost: None } => Some(&mut self.reused),
            State::Failed(_) => Some(&mut self.failed),
            State::Leased { .. } => Some(&mut self.running),
            State::Ready => Some(&mut self.ready),
            State::Waiting { .. } => Some(&mut self.waiting),
            State::Backoff { .. } => Some(&mut self.backoff),
            State::Cancelled => None,
        }
    }
}
