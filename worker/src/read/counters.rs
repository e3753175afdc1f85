//! What reading has taken.

use std::ops::Sub;
use std::time::{Duration, Instant};

/// What was asked of other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, redirects and repetitions too.
    pub requests: u64,
    /// Bytes of answers.
    pub bytes: u64,
    /// Of the requests, those that repeat one that failed.
    pub retries: u64,
}

/// What an observer has read, and how long that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Stored bytes of blocks.
    pub bytes: u64,
    /// Blocks read.
    pub blocks: u64,
    /// Blocks under the window that hold no clear pixel, and were not read. Bands that were not even opened, because
    /// nothing of their scene is clear, are taken to have as many as those of the scene that was opened last.
    pub skipped: u64,
    /// Time spent getting bytes.
    pub fetching: Duration,
    /// Time spent turning them into pixels, and putting these where they belong.
    pub decoding: Duration,
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes),
            blocks: self.blocks.saturating_sub(before.blocks),
            skipped: self.skipped.saturating_sub(before.skipped),
            fetching: self.fetching.saturating_sub(before.fetching),
            decoding: self.decoding.saturating_sub(before.decoding),
        }
    }
}

/// Does something, and adds the time that it takes.
pub fn timed<T>(spent: &mut Duration, what: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let done = what();
    *spent += since.elapsed();
    done
}
