//! Leases: who is at what, and until when.

use std::time::Duration;

use super::{JobTable, SetAside};
use crate::table::{Now, State};
use proto::work::{Failure, FailureKind};

/// A lease whose worker was not heard of any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The task.
    pub task: u32,
    /// Who had it.
    pub worker: String,
    /// The grant.
    pub epoch: u64,
}

/// A lease.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) worker: String,
    pub(super) epoch: u64,
    /// When it was granted.
    pub(super) since: Now,
    deadline: Now,
}

impl JobTable {
    /// Whether a worker could have a task of it.
    pub(in crate::table) fn is_ready(&self, now: Now) -> bool {
        self.ended.is_none() && now >= self.paused_until && !self.ready.is_empty()
    }

    /// Reckons with the time that has passed, and with whether it wants a worker now; `floor` is what others have had.
    pub(in crate::table) fn queue(&mut self, floor: u64, now: Now) {
        self.pass(now);
        let is_ready = self.is_ready(now);
        self.share.wait(is_ready, floor);
    }

    /// Time has passed: what runs has had it.
    pub(super) fn pass(&mut self, now: Now) {
        self.share.pass(self.progress.running(), now);
    }

    /// How long it has to wait for its turn among jobs.
    pub(in crate::table) fn turn(&self) -> u64 {
        self.share.turn(self.progress.running())
    }

    pub(in crate::table) fn lease(&mut self, worker: &str, now: Now) -> Option<(u32, u64)> {
        if !self.is_ready(now) {
            return None;
        }
        let index = self.ready.next(worker, &self.layout, &self.states)?;
        self.share.grant();
        Some((index, self.grant(worker, index, now)))
    }

    /// Grants a task that runs already, and that takes long, to a worker that has nothing else to do: the longest one.
    /// Whoever is done first has done it.
    pub(in crate::table) fn lease_again(&mut self, worker: &str, now: Now) -> Option<(u32, u64)> {
        let others = self.late(now).filter(|(_, held)| held.worker != worker);
        let index = others.min_by_key(|(index, held)| (held.since, *index)).map(|(index, _)| index)?;
        Some((index, self.grant(worker, index, now)))
    }

    /// Whether something takes so long that an idle worker could try it too.
    pub(in crate::table) fn has_late(&self, now: Now) -> bool {
        self.late(now).next().is_some()
    }

    /// The only leases of tasks that take long, where nothing else is to be had.
    fn late(&self, now: Now) -> impl Iterator<Item = (u32, &Held)> {
        let is_over = self.ended.is_some() || now < self.paused_until || !self.ready.is_empty();
        let held = self.leases.iter().filter(move |_| !is_over);
        held.filter_map(move |(index, held)| {
            let [only] = &held[..] else { return None };
            let is_late = now.saturating_sub(only.since) >= self.patience(*index);
            // What one of them found lost may not be there again yet.
            let may_be_tried =
                self.states.tries(*index) < self.settings.tries && self.unless_waiting(*index) == State::Ready;
            (is_late && may_be_tried).then_some((*index, only))
        })
    }

    /// How long a task may take before it counts as late.
    fn patience(&self, index: u32) -> Duration {
        match self.pace[self.number(index)] {
            // Nobody knows yet how long these take.
            Duration::ZERO => self.settings.tail.max(self.settings.lease),
            pace => self.settings.tail.max(2 * pace),
        }
    }

    fn grant(&mut self, worker: &str, index: u32, now: Now) -> u64 {
        self.next += 1;
        self.hold(worker, index, self.next, now);
        self.next
    }

    fn hold(&mut self, worker: &str, index: u32, epoch: u64, now: Now) {
        let deadline = now + self.settings.lease;
        self.states.set_tries(index, self.states.tries(index) + 1);
        self.due.insert((deadline, index, epoch));
        self.leases.entry(index).or_default().push(Held { worker: worker.to_owned(), epoch, since: now, deadline });
        self.set(index, State::Leased);
    }

    /// The leases that a worker holds: tasks, each with its epoch.
    pub(in crate::table) fn held_by(&self, worker: &str) -> Vec<(u32, u64)> {
        let of = |(index, held): (&u32, &Vec<Held>)| {
            let own = held.iter().find(|held| held.worker == worker)?;
            Some((*index, own.epoch))
        };
        self.leases.iter().filter_map(of).collect()
    }

    /// Takes a lease away from its worker, where it is that worker's.
    pub(super) fn release(&mut self, worker: &str, index: u32, epoch: u64) -> Option<Held> {
        let held = self.leases.get_mut(&index)?;
        let place = held.iter().position(|held| held.worker == worker && held.epoch == epoch)?;
        let released = held.swap_remove(place);
        if held.is_empty() {
            self.leases.remove(&index);
        }
        self.due.remove(&(released.deadline, index, epoch));
        Some(released)
    }

    /// Makes all leases of a task void.
    pub(super) fn void(&mut self, index: u32) {
        for held in self.leases.remove(&index).unwrap_or_default() {
            self.due.remove(&(held.deadline, index, held.epoch));
        }
    }

    /// Whether somebody is at a task.
    pub(super) fn is_held(&self, index: u32) -> bool {
        self.leases.contains_key(&index)
    }

    /// A task that nobody has any more may be had again, once what it waits for has ended.
    pub(super) fn give_back(&mut self, index: u32) {
        if !self.is_held(index) {
            let state = self.unless_waiting(index);
            self.set(index, state);
        }
    }

    /// Takes over a lease that was granted before this table began, where the task is still to be had.
    pub(super) fn adopt(&mut self, worker: &str, index: u32, epoch: u64, now: Now) {
        if self.ended.is_none() && epoch < self.first && self.states.get(index) == State::Ready {
            self.hold(worker, index, epoch, now);
        }
    }

    /// Renews a lease; whether it is the worker's.
    pub(in crate::table) fn renew(&mut self, worker: &str, index: u32, epoch: u64, now: Now) -> bool {
        if self.ended.is_some() {
            return false;
        }
        self.adopt(worker, index, epoch, now);
        let deadline = now + self.settings.lease;
        let is_its = |held: &&mut Held| held.worker == worker && held.epoch == epoch;
        let Some(held) = self.leases.get_mut(&index).and_then(|held| held.iter_mut().find(is_its)) else {
            return false;
        };
        self.due.remove(&(held.deadline, index, epoch));
        self.due.insert((deadline, index, epoch));
        held.deadline = deadline;
        true
    }

    /// Lets time pass: back-offs end, and leases expire: which.
    pub(in crate::table) fn tick(&mut self, now: Now) -> Vec<Expired> {
        self.pass(now);
        let mut expired = Vec::new();
        while let Some((at, index, epoch)) = self.due.first().copied().filter(|(at, ..)| *at <= now) {
            if self.ended.is_some() {
                break;
            }
            self.due.remove(&(at, index, epoch));
            if epoch == 0 {
                // Its artifact may have been found meanwhile.
                if self.states.get(index) == State::Backoff {
                    self.give_back(index);
                }
            } else {
                expired.extend(self.expire(index, epoch));
            }
        }
        expired
    }

    fn expire(&mut self, index: u32, epoch: u64) -> Option<Expired> {
        let holder = self.leases.get(&index)?.iter().find(|held| held.epoch == epoch);
        let worker = holder.map(|held| held.worker.clone())?;
        self.release(&worker, index, epoch);
        self.ready.forget(&worker);
        self.progress.setbacks.expired += 1;
        let tries = self.states.tries(index);
        if self.is_held(index) || tries < self.settings.tries {
            self.give_back(index);
        } else {
            let reason = format!("its lease expired, and it was tried {tries} times");
            let failure = Failure { kind: FailureKind::Retryable, reason, scene: None };
            self.set_aside(index, SetAside { failure, cause: None });
        }
        Some(Expired { task: index, worker, epoch })
    }
}
