//! The tasks of one job.

use std::collections::{BTreeSet, HashMap};

use mosaic::ids::Key;
use mosaic::plan::{Task, TaskId, TaskKind};
use proto::work::{Done, Failure, FailureKind, Outcome};

use super::{Now, Settings, State, Tally};

/// A lease that is no longer the worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is no longer yours")]
pub struct Unknown;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks by kind: partial, composite, mosaic, quicklook.
    pub kinds: [(&'static str, Tally); 4],
    /// Bytes read from sources by tasks that are done.
    pub bytes_read: u64,
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
    ready: BTreeSet<usize>,
    unended: usize,
    settings: Settings,
    ended: Option<Ended>,
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
            ready: BTreeSet::new(),
            unended: spared.iter().filter(|spared| !**spared).count(),
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
            if state == State::Ready {
                table.ready.insert(index);
            }
            table.entries.push(Entry { task, state, epoch: 0, tries: 0, before });
        }
        table.settle();
        table
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
    pub fn progress(&self) -> Progress {
        let names = ["partial", "composite", "mosaic", "quicklook"];
        let mut progress = Progress { kinds: names.map(|name| (name, Tally::default())), bytes_read: 0 };
        for entry in &self.entries {
            progress.kinds[kind(&entry.task)].1.count(&entry.state);
            if let State::Done { cost: Some(cost) } = &entry.state {
                progress.bytes_read += cost.bytes_read;
            }
        }
        progress
    }

    pub(super) fn lease(&mut self, worker: &str, now: Now) -> Option<(usize, u64)> {
        if self.ended.is_some() {
            return None;
        }
        let index = self.ready.pop_first()?;
        let entry = &mut self.entries[index];
        entry.epoch += 1;
        entry.tries += 1;
        entry.state = State::Leased { worker: worker.to_owned(), deadline: now + self.settings.lease };
        Some((index, entry.epoch))
    }

    /// The entry of a lease that is the worker's.
    fn held(&mut self, worker: &str, task: &TaskId, epoch: u64) -> Option<usize> {
        let index = *self.by_id.get(task)?;
        let entry = &self.entries[index];
        let held = matches!(&entry.state, State::Leased { worker: holder, .. } if holder == worker);
        (held && entry.epoch == epoch && self.ended.is_none()).then_some(index)
    }

    pub(super) fn renew(&mut self, worker: &str, task: &TaskId, epoch: u64, now: Now) -> bool {
        let until = now + self.settings.lease;
        let Some(index) = self.held(worker, task, epoch) else { return false };
        if let State::Leased { deadline, .. } = &mut self.entries[index].state {
            *deadline = until;
        }
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
        let index = self.held(worker, task, epoch).ok_or(Unknown)?;
        match outcome {
            Outcome::Done(cost) => self.end(index, State::Done { cost: Some(cost) }),
            Outcome::HandedBack => {
                self.entries[index].tries -= 1;
                self.make_ready(index);
            }
            Outcome::InputsLost(_) if self.entries[index].tries < self.settings.tries => self.make_ready(index),
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
                self.unended += 1;
                self.make_ready(index);
            }
        }
        if left > 0 && self.entries[reporter].state == State::Ready {
            self.ready.remove(&reporter);
            self.entries[reporter].state = State::Waiting { left };
        }
    }

    fn make_ready(&mut self, index: usize) {
        self.entries[index].state = State::Ready;
        self.ready.insert(index);
    }

    fn fail(&mut self, index: usize, failure: Failure, now: Now) {
        let tries = self.entries[index].tries;
        match failure.kind {
            FailureKind::Fatal => self.ended = Some(Ended::Fatal(failure)),
            FailureKind::Retryable if tries < self.settings.tries => {
                let wait = self.settings.backoff * 2u32.saturating_pow(tries.saturating_sub(1));
                self.entries[index].state = State::Backoff { until: now + wait };
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
            self.entries[index].state = state;
            self.unended -= 1;
            for after in self.entries[index].before.clone() {
                let State::Waiting { left } = self.entries[after].state else { continue };
                match &failure {
                    Some((id, failure)) if !tolerates(&self.entries[after].task) => {
                        let reason = format!("{id}: {}", failure.reason);
                        ending.push((after, State::Failed(Failure { reason, ..failure.clone() })));
                        // It may wait for several that fail: it fails once.
                        self.entries[after].state = State::Cancelled;
                    }
                    _ if left > 1 => self.entries[after].state = State::Waiting { left: left - 1 },
                    _ => self.make_ready(after),
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

    pub(super) fn tick(&mut self, now: Now) {
        if self.ended.is_some() {
            return;
        }
        for index in 0..self.entries.len() {
            match &self.entries[index].state {
                State::Leased { deadline, worker } if *deadline <= now => {
                    tracing::warn!(task = %self.entries[index].task.id, worker, "a lease expired");
                    let reason = format!("its lease expired {} times", self.entries[index].tries);
                    let failure = Failure { kind: FailureKind::Retryable, reason, scene: None };
                    if self.entries[index].tries < self.settings.tries {
                        self.make_ready(index);
                    } else {
                        self.end(index, State::Failed(failure));
                    }
                }
                State::Backoff { until } if *until <= now => self.make_ready(index),
                _ => {}
            }
        }
    }

    /// What all tasks that were done in this run have cost together.
    #[must_use]
    pub fn cost(&self) -> Done {
        self.entries.iter().fold(Done::default(), |sum, entry| match &entry.state {
            State::Done { cost: Some(cost) } => Done {
                bytes_read: sum.bytes_read + cost.bytes_read,
                bytes_written: sum.bytes_written + cost.bytes_written,
            },
            _ => sum,
        })
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
