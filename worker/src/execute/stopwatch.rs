//! Where a task's time goes.

use std::cell::Cell;
use std::time::{Duration, Instant};

use proto::work::Done;

use crate::read::Counters;

/// Started once a task has the memory that it needs.
pub struct Stopwatch {
    since: Instant,
    /// Nanoseconds of writing; below zero while what is done within is taken off first.
    writing: Cell<i64>,
}

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        Self { since: Instant::now(), writing: Cell::new(0) }
    }

    /// Does something that is writing.
    pub fn writing<T>(&self, what: impl FnOnce() -> T) -> T {
        self.measured(1, what)
    }

    /// Does something that is no writing, within something that is.
    pub fn working<T>(&self, what: impl FnOnce() -> T) -> T {
        self.measured(-1, what)
    }

    fn measured<T>(&self, sign: i64, what: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let done = what();
        let took = i64::try_from(since.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.writing.set(self.writing.get().saturating_add(sign * took));
        done
    }

    /// What the task has cost: all time that was neither reading nor writing went into pixels.
    #[must_use]
    pub fn done(&self, read: Counters, bytes_written: u64) -> Done {
        let writing = Duration::from_nanos(u64::try_from(self.writing.get()).unwrap_or(0));
        let computing = self.since.elapsed().saturating_sub(writing + read.fetching + read.decoding);
        Done {
            bytes_read: read.bytes,
            bytes_written,
            blocks_read: read.blocks,
            blocks_skipped: read.skipped,
            read_us: micros(read.fetching),
            decode_us: micros(read.decoding),
            compute_us: micros(computing),
            write_us: micros(writing),
            ..Done::default()
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_while_writing_is_not_writing() {
        let watch = Stopwatch::start();
        let pause = || std::thread::sleep(Duration::from_millis(20));
        watch.writing(|| {
            watch.working(|| {
                pause();
                watch.writing(|| ());
            });
        });
        let done = watch.done(Counters { bytes: 3, ..Counters::default() }, 4);
        assert!(done.write_us < 20_000 && done.compute_us >= 20_000, "{done:?}");
        assert_eq!((done.bytes_read, done.bytes_written), (3, 4));
    }
}
