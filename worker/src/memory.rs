//! The process's memory budget, shared by its slots.
//!
//! A task reserves what it will hold before it takes any of it: at least what it cannot do without, at most what would
//! spare it work. Where not even the least is free it waits for the others, so that more workers than memory allows
//! run in turns rather than run out.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A budget in bytes.
#[derive(Debug)]
pub struct Memory {
    total: usize,
    slots: usize,
    free: Mutex<usize>,
    returned: Condvar,
}

/// Bytes that are a task's until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    /// A budget of `total` bytes for `slots` tasks at once.
    #[must_use]
    pub fn new(total: usize, slots: usize) -> Arc<Self> {
        Arc::new(Self { total, slots: slots.max(1), free: Mutex::new(total), returned: Condvar::new() })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `least` bytes are free and takes them, or more: up to `most`, but no more than the slot's fair share.
    /// A task that needs more than the whole budget gets the whole budget.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, least: usize, most: usize) -> Reservation {
        let least = least.min(self.total);
        let wanted = most.min(self.total / self.slots).max(least);
        let mut free = self.free();
        while *free < least {
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = wanted.min(*free);
        *free -= bytes;
        Reservation { memory: Arc::clone(self), bytes }
    }
}

impl Reservation {
    /// How many bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *self.memory.free() += self.bytes;
        self.memory.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_gets_its_fair_share_and_at_least_what_it_needs() {
        let memory = Memory::new(1000, 4);
        assert_eq!(memory.reserve(10, 5000).bytes(), 250);
        assert_eq!(memory.reserve(400, 5000).bytes(), 400);
        assert_eq!(memory.reserve(10, 20).bytes(), 20);
        assert_eq!(memory.reserve(9000, 9000).bytes(), 1000);
    }

    #[test]
    fn a_task_that_does_not_fit_waits_for_the_others() {
        let memory = Memory::new(1000, 2);
        let first = memory.reserve(700, 700);
        let waiting = {
            let memory = Arc::clone(&memory);
            std::thread::spawn(move || memory.reserve(600, 600).bytes())
        };
        assert_eq!(memory.reserve(100, 300).bytes(), 300);
        drop(first);
        assert_eq!(waiting.join().unwrap(), 600);
    }
}
