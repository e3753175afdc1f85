//! The tasks of one job.
//!
//! Every change of a state goes through [`JobTable::set`], which keeps what is asked for again and again at hand: which
//! tasks are ready, by place; which leases and back-offs end next; how many tasks are where. So no event costs more for
//! there being more tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mosaic::ids::Key;
use mosaic::plan::{Task, TaskId, TaskKind};
use proto::work::{Done, Failure, FailureKind, Outcome};

use super::{Now, Setbacks, Settings, State, Tally};

/// A lease that is no longer the worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is no longer yours")]
pub struct Unknown;

/// A lease whose worker was not heard of any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The task.
    pub task: TaskId,
    /// Who had it.
    pub worker: String,
    /// The grant.
    pub epoch: u64,
}

/// How a job's tasks have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every task is done or set aside.
    Settled,
    /// No task can succeed.
    Fatal(Failure),
    /// It was stopped.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tasks by kind: partial, composite, mosaic, quicklook.
    pub kinds: [(&'static str, Tally); 4],
    /// What tasks that were done in this run have cost together.
    pub cost: Done,
    /// What has befallen them.
    pub setbacks: Setbacks,
}

impl Progress {
    fn new() -> Self {
        let names = ["partial", "composite", "mosaic", "quicklook"];
        Self { kinds: names.map(|name| (name, Tally::default())), cost: Done::default(), setbacks: Setbacks::default() }
    }

    /// The tasks of all kinds.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut all = Tally::default();
        for (_, tally) in &self.kinds {
            all.total += tally.total;
            all.done += tally.done;
            all.reused += tally.reused;
            all.failed += tally.failed;
            all.running += tally.running;
            all.ready += tally.ready;
            all.waiting += tally.waiting;
            all.backoff += tally.backoff;
        }
        all
    }

    /// Tasks that are leased now.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.kinds.iter().map(|(_, tally)| tally.running).sum()
    }
}

#[derive(Debug)]
struct Entry {
    task: Task,
    state: State,
    epoch: u64,
    tries: u32,
    /// Tasks that wait for this one.
    before: Vec<usize>,
}

/// The tasks of one job.
#[derive(Debug)]
pub struct JobTable {
    entries: Vec<Entry>,
    by_id: HashMap<TaskId, usize>,
    ready: Ready,
    /// When leases and back-offs end.
    due: BTreeSet<(Now, usize)>,
    progress: Progress,
    unended: usize,
    settings: Settings,
    ended: Option<Ended>,
}

/// Tasks that are ready, by place, and where each worker was last: what one has open there, it need not open again.
#[derive(Debug, Default)]
struct Ready {
    tasks: BTreeMap<usize, BTreeSet<usize>>,
    places: HashMap<String, usize>,
    workers: HashMap<usize, u32>,
}

impl Ready {
    fn insert(&mut self, place: usize, index: usize) {
        self.tasks.entry(place).or_default().insert(index);
    }

    fn remove(&mut self, place: usize, index: usize) {
        if let Some(tasks) = self.tasks.get_mut(&place) {
            tasks.remove(&index);
            if tasks.is_empty() {
                self.tasks.remove(&place);
            }
        }
    }

    /// The next task for a worker: of the place where it was last, else of the first one where nobody was, else of the
    /// first one.
    fn next(&mut self, worker: &str) -> Option<usize> {
        let own = self.places.get(worker).filter(|place| self.tasks.contains_key(place));
        let free = || self.tasks.keys().find(|place| !self.workers.contains_key(place));
        let place = *own.or_else(free).or_else(|| self.tasks.keys().next())?;
        if self.places.get(worker) != Some(&place) {
            self.forget(worker);
            self.places.insert(worker.to_owned(), place);
            *self.workers.entry(place).or_default() += 1;
        }
        self.tasks.get(&place)?.first().copied()
    }

    /// Forgets where a worker was: it is gone, or has moved.
    fn forget(&mut self, worker: &str) {
        let Some(place) = self.places.remove(worker) else { return };
        if let Some(count) = self.workers.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.workers.remove(&place);
            }
        }
    }
}

/// Where a task's inputs are: its tile, as its index in the plan; those of no single tile come last.
const fn place(task: &Task) -> usize {
    match task.kind {
        TaskKind::Partial { shard, .. } | TaskKind::Composite { shard, .. } => shard,
        TaskKind::Mosaic { .. } | TaskKind::Quicklook => usize::MAX,
    }
}

fn kind(task: &Task) -> usize {
    match task.kind {
        TaskKind::Partial { .. } => 0,
        TaskKind::Composite { .. } => 1,
        TaskKind::Mosaic { .. } => 2,
        TaskKind::Quicklook => 3,
    }
}

/// Whether a task makes sense without one of those it waits for: a mosaic has a hole then, a median would be wrong.
fn tolerates(task: &Task) -> bool {
    matches!(task.kind, TaskKind::Mosaic { .. } | TaskKind::Quicklook)
}

impl JobTable {
    /// The tasks of a plan; those for which `made` holds are done, and so is what only they need.
    #[must_use]
    pub fn new(tasks: Vec<Task>, made: impl Fn(&Task) -> bool, settings: Settings) -> Self {
        let spared = spared(&tasks, made);
        let by_id = tasks.iter().enumerate().map(|(index, task)| (task.id.clone(), index)).collect();
        let mut before = vec![Vec::new(); tasks.len()];
        for (index, task) in tasks.iter().enumerate() {
            task.after.iter().for_each(|needed| before[*needed].push(index));
        }
        let mut table = Self {
            entries: Vec::with_capacity(tasks.len()),
            by_id,
            ready: Ready::default(),
            due: BTreeSet::new(),
            progress: Progress::new(),
            unended: 0,
            settings,
            ended: None,
        };
        for (index, (task, before)) in tasks.into_iter().zip(before).enumerate() {
            let left = task.after.iter().filter(|needed| !spared[**needed]).count();
            let state = match (spared[index], left) {
                (true, _) => State::Done { cost: None },
                (false, 0) => State::Ready,
                (false, left) => State::Waiting { left },
            };
            let tally = &mut table.progress.kinds[kind(&task)].1;
            (tally.total, tally.waiting) = (tally.total + 1, tally.waiting + 1);
            table.unended += 1;
            table.entries.push(Entry { task, state: State::Waiting { left }, epoch: 0, tries: 0, before });
            table.set(index, state);
        }
        table.settle();
        table
    }

    /// Moves a task to another state.
    fn set(&mut self, index: usize, state: State) {
        let Entry { task, state: old, .. } = &mut self.entries[index];
        let tally = &mut self.progress.kinds[kind(task)].1;
        if let Some(count) = tally.of(old) {
            *count -= 1;
        }
        if let Some(count) = tally.of(&state) {
            *count += 1;
        }
        match (&*old, &state) {
            (State::Ready, _) => self.ready.remove(place(task), index),
            (State::Leased { deadline: at, .. } | State::Backoff { until: at }, _) => {
                self.due.remove(&(*at, index));
            }
            (State::Done { cost: Some(cost) }, _) => self.progress.cost -= *cost,
            _ => {}
        }
        match &state {
            State::Ready => self.ready.insert(place(task), index),
            State::Leased { deadline: at, .. } | State::Backoff { until: at } => {
                self.due.insert((*at, index));
            }
            State::Done { cost: Some(cost) } => self.progress.cost += *cost,
            _ => {}
        }
        match (old.has_ended(), state.has_ended()) {
            (false, true) => self.unended -= 1,
            (true, false) => self.unended += 1,
            _ => {}
        }
        *old = state;
    }

    /// Takes over what has befallen the job before it was planned again.
    pub(super) const fn go_on_from(&mut self, before: &Self) {
        self.progress.setbacks = before.progress.setbacks;
    }

    /// How the job's tasks have ended, once they have.
    #[must_use]
    pub const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// A task and its state.
    #[must_use]
    pub fn task(&self, index: usize) -> Option<(&Task, &State)> {
        self.entries.get(index).map(|entry| (&entry.task, &entry.state))
    }

    /// All tasks and their states.
    pub fn tasks(&self) -> impl Iterator<Item = (&Task, &State)> {
        self.entries.iter().map(|entry| (&entry.task, &entry.state))
    }

    /// How far the job is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether a worker could have a task of it.
    pub(super) fn is_ready(&self) -> bool {
        self.ended.is_none() && !self.ready.tasks.is_empty()
    }

    pub(super) fn lease(&mut self, worker: &str, now: Now) -> Option<(usize, u64)> {
        if self.ended.is_some() {
            return None;
        }
        let index = self.ready.next(worker)?;
        self.set(index, State::Leased { worker: worker.to_owned(), deadline: now + self.settings.lease });
        let entry = &mut self.entries[index];
        entry.epoch += 1;
        entry.tries += 1;
        Some((index, entry.epoch))
    }

    /// The entry of a lease that is the worker's.
    fn held(&self, worker: &str, task: &TaskId, epoch: u64) -> Option<usize> {
        let index = *self.by_id.get(task)?;
        let entry = &self.entries[index];
        let held = matches!(&entry.state, State::Leased { worker: holder, .. } if holder == worker);
        (held && entry.epoch == epoch && self.ended.is_none()).then_some(index)
    }

    /// Takes over a lease that was granted before this table began: the task is still to be had, and this grant is
    /// newer than any that the table knows.
    fn adopt(&mut self, worker: &str, task: &TaskId, epoch: u64, now: Now) {
        let Some(index) = self.by_id.get(task).copied() else { return };
        let entry = &mut self.entries[index];
        if entry.state == State::Ready && epoch > entry.epoch && self.ended.is_none() {
            (entry.epoch, entry.tries) = (epoch, entry.tries + 1);
            self.set(index, State::Leased { worker: worker.to_owned(), deadline: now + self.settings.lease });
        }
    }

    pub(super) fn renew(&mut self, worker: &str, task: &TaskId, epoch: u64, now: Now) -> bool {
        self.adopt(worker, task, epoch, now);
        let Some(index) = self.held(worker, task, epoch) else { return false };
        self.set(index, State::Leased { worker: worker.to_owned(), deadline: now + self.settings.lease });
        true
    }

    pub(super) fn report(
        &mut self,
        worker: &str,
        task: &TaskId,
        epoch: u64,
        outcome: Outcome,
        now: Now,
    ) -> Result<(), Unknown> {
        self.adopt(worker, task, epoch, now);
        let index = self.held(worker, task, epoch).ok_or(Unknown)?;
        match outcome {
            Outcome::Done(cost) => self.end(index, State::Done { cost: Some(cost) }),
            Outcome::HandedBack => {
                self.entries[index].tries -= 1;
                self.set(index, State::Ready);
            }
            Outcome::InputsLost(_) if self.entries[index].tries < self.settings.tries => {
                self.progress.setbacks.retried += 1;
                self.set(index, State::Ready);
            }
            Outcome::InputsLost(_) => {
                let reason = "what it reads is lost again and again: check the store's disk".to_owned();
                self.end(index, State::Failed(Failure { kind: FailureKind::Permanent, reason, scene: None }));
            }
            Outcome::Failed(failure) => self.fail(index, failure, now),
        }
        Ok(())
    }

    /// Marks artifacts as lost: the tasks that make them run again, and `reporter` waits for them.
    pub fn lost(&mut self, reporter: &TaskId, keys: &[Key], key_of: impl Fn(&Task) -> Option<Key>) {
        let Some(reporter) = self.by_id.get(reporter).copied() else { return };
        let needed = self.entries[reporter].task.after.clone();
        let is_lost = |index: &usize| key_of(&self.entries[*index].task).is_some_and(|key| keys.contains(&key));
        let lost: Vec<usize> = needed.into_iter().filter(is_lost).collect();
        let mut left = 0;
        for index in lost {
            left += 1;
            if matches!(self.entries[index].state, State::Done { .. }) {
                self.set(index, State::Ready);
            }
        }
        if left > 0 && self.entries[reporter].state == State::Ready {
            self.set(reporter, State::Waiting { left });
        }
    }

    fn fail(&mut self, index: usize, failure: Failure, now: Now) {
        let tries = self.entries[index].tries;
        match failure.kind {
            FailureKind::Fatal => self.ended = Some(Ended::Fatal(failure)),
            FailureKind::Retryable if tries < self.settings.tries => {
                let wait = self.settings.backoff * 2u32.saturating_pow(tries.saturating_sub(1));
                self.progress.setbacks.retried += 1;
                self.set(index, State::Backoff { until: now + wait });
            }
            _ => self.end(index, State::Failed(failure)),
        }
    }

    /// Ends a task, and what cannot do without it.
    fn end(&mut self, index: usize, state: State) {
        let mut ending = vec![(index, state)];
        while let Some((index, state)) = ending.pop() {
            let failure = match &state {
                State::Failed(failure) => Some((self.entries[index].task.id.clone(), failure.clone())),
                _ => None,
            };
            self.progress.setbacks.set_aside += u64::from(failure.is_some());
            self.set(index, state);
            for after in self.entries[index].before.clone() {
                let State::Waiting { left } = self.entries[after].state else { continue };
                match &failure {
                    Some((id, failure)) if !tolerates(&self.entries[after].task) => {
                        let reason = format!("{id}: {}", failure.reason);
                        ending.push((after, State::Failed(Failure { reason, ..failure.clone() })));
                        // It may wait for several that fail: it fails once.
                        self.set(after, State::Cancelled);
                    }
                    _ if left > 1 => self.set(after, State::Waiting { left: left - 1 }),
                    _ => self.set(after, State::Ready),
                }
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        if self.unended == 0 && self.ended.is_none() {
            self.ended = Some(Ended::Settled);
        }
    }

    pub(super) fn cancel(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = Some(Ended::Cancelled);
            return true;
        }
        false
    }

    pub(super) fn tick(&mut self, now: Now) -> Vec<Expired> {
        let mut expired = Vec::new();
        if self.ended.is_some() {
            return expired;
        }
        while let Some((_, index)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            let entry = &self.entries[index];
            let State::Leased { worker, .. } = &entry.state else {
                // A back-off is over.
                self.set(index, State::Ready);
                continue;
            };
            let lost = Expired { task: entry.task.id.clone(), worker: worker.clone(), epoch: entry.epoch };
            self.ready.forget(&lost.worker);
            expired.push(lost);
            self.progress.setbacks.expired += 1;
            if entry.tries < self.settings.tries {
                self.set(index, State::Ready);
            } else {
                let reason = format!("its lease expired {} times", entry.tries);
                self.end(index, State::Failed(Failure { kind: FailureKind::Retryable, reason, scene: None }));
            }
        }
        expired
    }
}

/// Which tasks need not be done: those that are made, and those whose every user is spared.
fn spared(tasks: &[Task], made: impl Fn(&Task) -> bool) -> Vec<bool> {
    let mut wanted = vec![false; tasks.len()];
    let mut spared = vec![false; tasks.len()];
    for index in (0..tasks.len()).rev() {
        let task = &tasks[index];
        // The rasters are published even where the picture is there; the picture is always wanted.
        let is_wanted = wanted[index] || tolerates(task);
        spared[index] = !is_wanted || made(task);
        if !spared[index] {
            task.after.iter().for_each(|needed| wanted[*needed] = true);
        }
    }
    spared
}
