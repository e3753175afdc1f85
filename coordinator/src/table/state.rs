//! States of a task, and how they are kept: a byte each, as a continent has millions.

use std::time::Duration;

/// How patient the table is.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How often a task is tried, at most 31 times.
    pub tries: u32,
    /// How long to wait after the first failure; doubled after each.
    pub backoff: Duration,
    /// A task that has run this long, and twice as long as others of its kind take, is given to an idle worker too.
    pub tail: Duration,
    /// How long nothing of a job is granted after the store had no room: none where that ends the job.
    pub room: Option<Duration>,
    /// Whether a scene that cannot be read is left out: what holds it is then planned again, and not made before.
    pub leaves_out: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            tries: 4,
            backoff: Duration::from_millis(500),
            tail: Duration::from_secs(10),
            room: None,
            leaves_out: false,
        }
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Tasks that it waits for have not ended.
    Waiting,
    /// A worker may have it.
    Ready,
    /// It failed, and is tried again later.
    Backoff,
    /// A worker has it, or two.
    Leased,
    /// Its artifact was made in this run.
    Done,
    /// Its artifact was there, or nobody needs it.
    Reused,
    /// It is set aside.
    Failed,
}

impl State {
    const ALL: [Self; 7] =
        [Self::Waiting, Self::Ready, Self::Backoff, Self::Leased, Self::Done, Self::Reused, Self::Failed];

    /// Whether what waits for it may go on.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Reused | Self::Failed)
    }

    /// Whether nobody need make it.
    #[must_use]
    pub const fn is_made(self) -> bool {
        matches!(self, Self::Done | Self::Reused)
    }
}

/// States of all tasks, and how often each was tried: three bits and five.
#[derive(Debug)]
pub(super) struct States(Vec<u8>);

const STATE: u8 = 0b111;

impl States {
    /// So many tasks that wait.
    pub(super) fn new(len: u32) -> Self {
        Self(vec![0; len as usize])
    }

    pub(super) fn get(&self, index: u32) -> State {
        State::ALL[usize::from(self.0[index as usize] & STATE)]
    }

    pub(super) fn set(&mut self, index: u32, state: State) {
        let packed = &mut self.0[index as usize];
        *packed = *packed & !STATE | state as u8;
    }

    pub(super) fn tries(&self, index: u32) -> u32 {
        u32::from(self.0[index as usize] >> 3)
    }

    pub(super) fn set_tries(&mut self, index: u32, tries: u32) {
        let packed = &mut self.0[index as usize];
        *packed = *packed & STATE | (tries.min(31) as u8) << 3;
    }

    /// The first ready task of a range.
    pub(super) fn first_ready(&self, range: std::ops::Range<u32>) -> Option<u32> {
        let of_range = self.0.get(range.start as usize..range.end as usize)?;
        let found = of_range.iter().position(|packed| packed & STATE == State::Ready as u8)?;
        Some(range.start + found as u32)
    }

    /// The states of a range.
    pub(super) fn of(&self, range: std::ops::Range<u32>) -> impl Iterator<Item = State> {
        self.0[range.start as usize..range.end as usize].iter().map(|packed| State::ALL[usize::from(packed & STATE)])
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
    /// The count of tasks in this state.
    pub(super) const fn of(&mut self, state: State) -> &mut u32 {
        match state {
            State::Done => &mut self.done,
            State::Reused => &mut self.reused,
            State::Failed => &mut self.failed,
            State::Leased => &mut self.running,
            State::Ready => &mut self.ready,
            State::Waiting => &mut self.waiting,
            State::Backoff => &mut self.backoff,
        }
    }
}
