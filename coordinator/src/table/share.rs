//! What a job has had of the workers: who has had least for its weight is next.
//!
//! Time of workers is what is shared, so that jobs of long tasks get no more of them than jobs of short ones. What runs
//! counts as it goes on, and a while ahead: workers that come at one moment are shared out too. While a job has nothing
//! to hand out it saves nothing up: it goes on with what the others have had by then.

use std::time::Duration;

use super::Now;

/// Weights are powers of two up to this one.
const HEAVIEST: u32 = 16;
/// How much longer a task that runs is taken to run.
const AHEAD: Duration = Duration::from_secs(1);
/// The least that a task counts for.
const LEAST: Duration = Duration::from_millis(1);

/// What a job has had.
#[derive(Debug)]
pub(super) struct Share {
    weight: u32,
    /// Microseconds of a worker, as of a job of the greatest weight.
    had: u64,
    /// Until when that is reckoned.
    until: Now,
    is_waiting: bool,
}

impl Share {
    /// Nothing so far.
    pub(super) const fn new() -> Self {
        Self { weight: 1, had: 0, until: Now::ZERO, is_waiting: false }
    }

    /// The same with another weight.
    pub(super) fn weigh(&mut self, weight: u32) {
        self.weight = weight.clamp(1, HEAVIEST);
    }

    fn of(&self, time: Duration, tasks: u32) -> u64 {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        microseconds.saturating_mul(u64::from(tasks * (HEAVIEST / self.weight)))
    }

    /// Time has passed while so many tasks ran.
    pub(super) fn pass(&mut self, running: u32, now: Now) {
        self.had = self.had.saturating_add(self.of(now.saturating_sub(self.until), running));
        self.until = now;
    }

    /// Whether there is something to hand out now; `floor` is what others have had.
    pub(super) fn wait(&mut self, is_waiting: bool, floor: u64) {
        if is_waiting && !self.is_waiting {
            self.had = self.had.max(floor);
        }
        self.is_waiting = is_waiting;
    }

    /// A task is granted.
    pub(super) fn grant(&mut self) {
        self.had = self.had.saturating_add(self.of(LEAST, 1));
    }

    /// What it has had.
    pub(super) const fn had(&self) -> u64 {
        self.had
    }

    /// The same with what it is about to have: the less, the sooner it is its turn.
    pub(super) fn turn(&self, running: u32) -> u64 {
        self.had.saturating_add(self.of(AHEAD, running))
    }
}
