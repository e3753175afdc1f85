//! Budgets of the process, shared by its slots: of memory, and of room for files in the making.
//!
//! A task reserves what it will hold before it takes any of it: at least what it cannot do without, at most what would
//! spare it work. Where not even the least is free it is handed back: another worker may have room. And a worker asks for
//! no more tasks than there is room for, as far as the last ones tell.
//!
//! ```text
//! room (waits) ─► tasks are leased ─► begin ─► reserve ─┬─► reservation, until it is dropped
//!   ▲                                                  └─► no room: handed back
//!   └── something is given back
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A budget in bytes.
#[derive(Debug)]
pub struct Budget {
    total: usize,
    /// A slot's fair share.
    share: usize,
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Tasks that have begun, and those of them that have reserved what they need.
    begun: usize,
    reserved: usize,
    /// What the last one needed at least.
    need: usize,
    /// Somebody found no room, and nothing was given back since.
    is_full: bool,
}

/// A task that has begun, until it is dropped.
#[derive(Debug)]
pub struct Begun(Arc<Budget>);

/// Bytes that are a task's until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

/// There is less than the least that a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it needs {least} bytes, and {free} are free")]
pub struct NoRoom {
    least: usize,
    free: usize,
}

impl Budget {
    /// A budget of `total` bytes for `slots` tasks at once.
    #[must_use]
    pub fn new(total: usize, slots: usize) -> Arc<Self> {
        let share = total / slots.max(1);
        let state = State { free: total, begun: 0, reserved: 0, need: 0, is_full: false };
        Arc::new(Self { total, share: share.max(1), state: Mutex::new(state), returned: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes at least `least` bytes, or more: up to `most`, but no more than the slot's fair share. A task that needs more
    /// than the whole budget gets the whole budget.
    ///
    /// # Errors
    /// Where others hold too much.
    pub fn reserve(self: &Arc<Self>, least: usize, most: usize) -> Result<Reservation, NoRoom> {
        let least = least.min(self.total);
        let wanted = most.min(self.share).max(least);
        let mut state = self.state();
        if state.free < least {
            state.is_full = true;
            return Err(NoRoom { least, free: state.free });
        }
        let bytes = wanted.min(state.free);
        state.free -= bytes;
        state.reserved += 1;
        state.need = least;
        Ok(Reservation { budget: Arc::clone(self), bytes })
    }

    /// A task begins: it will reserve what it needs.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Begun {
        self.state().begun += 1;
        Begun(Arc::clone(self))
    }

    /// Waits until there is room for a task: for how many there is, at most so many.
    pub async fn room(&self, most: usize) -> usize {
        loop {
            let mut returned = std::pin::pin!(self.returned.notified());
            // What is given back from now on is not missed.
            returned.as_mut().enable();
            let room = self.room_now();
            if room > 0 {
                return room.min(most);
            }
            returned.await;
        }
    }

    /// For how many tasks like the last one there is room, beside those that have begun. Whoever is alone may try.
    fn room_now(&self) -> usize {
        let state = self.state();
        // A fair share each; where that is not left, what is free may do for one.
        let shares = state.free / self.share.max(state.need);
        let spare = shares.max(usize::from(state.free >= state.need.max(1)));
        let room = spare.saturating_sub(state.begun.saturating_sub(state.reserved));
        match (state.begun, state.is_full) {
            (0, _) => room.max(1),
            (_, true) => 0,
            _ => room,
        }
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
        let mut state = self.budget.state();
        state.free += self.bytes;
        state.reserved -= 1;
        state.is_full = false;
        drop(state);
        self.budget.returned.notify_waiters();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.state().begun -= 1;
        self.0.returned.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reserved: Result<Reservation, NoRoom>) -> usize {
        reserved.unwrap().bytes()
    }

    #[test]
    fn a_task_gets_its_fair_share_and_at_least_what_it_needs() {
        let budget = Budget::new(1000, 4);
        assert_eq!(bytes(budget.reserve(10, 5000)), 250);
        assert_eq!(bytes(budget.reserve(400, 5000)), 400);
        assert_eq!(bytes(budget.reserve(10, 20)), 20);
        assert_eq!(bytes(budget.reserve(9000, 9000)), 1000);
    }

    #[test]
    fn a_task_that_does_not_fit_is_told_so() {
        let budget = Budget::new(1000, 2);
        let first = budget.reserve(700, 700).unwrap();
        assert_eq!(budget.reserve(600, 600).unwrap_err(), NoRoom { least: 600, free: 300 });
        assert_eq!(bytes(budget.reserve(100, 300)), 300);
        drop(first);
        assert_eq!(bytes(budget.reserve(600, 600)), 600);
    }

    #[tokio::test]
    async fn no_more_tasks_are_asked_for_than_there_is_room_for() {
        let budget = Budget::new(1000, 8);
        assert_eq!(budget.room(8).await, 8, "nobody knows yet what they need");
        let begun: Vec<Begun> = (0..8).map(|_| budget.begin()).collect();
        let mut held: Vec<_> = (0..2).map(|_| budget.reserve(400, 400).unwrap()).collect();
        assert_eq!(budget.room_now(), 0, "others have begun, and have not said what they need");
        let refused: Vec<NoRoom> = (2..8).map(|_| budget.reserve(400, 400).unwrap_err()).collect();
        assert_eq!(refused.len(), 6);
        let mut begun = begun.into_iter();
        begun.by_ref().take(6).for_each(drop);
        assert_eq!(budget.room_now(), 0, "that they are handed back makes no room");
        let waiting = {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.room(8).await })
        };
        drop((held.pop(), begun.next()));
        assert_eq!(waiting.await.unwrap(), 1);
        drop((held, begun));
        assert_eq!(budget.room(8).await, 2);
    }

    #[tokio::test]
    async fn one_that_hangs_leaves_what_it_does_not_hold() {
        let budget = Budget::new(1000, 1);
        let hangs = (budget.begin(), budget.reserve(100, 300).unwrap());
        assert_eq!(budget.room(1).await, 1);
        drop(hangs);
    }
}
