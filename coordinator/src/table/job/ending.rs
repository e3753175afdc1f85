//! How tasks end, and what follows for those that wait for them.

use std::sync::Arc;
use std::time::Duration;

use mosaic::plan::TaskKind;
use proto::work::{Done, Failure, FailureKind};

use super::{Ended, JobTable, SetAside, Unknown};
use crate::table::{Now, State};

/// How often what a task has made may be lost.
const MOST_LOSSES: u32 = 10;

/// How a worker ended with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Its artifact is stored.
    Done(Done),
    /// Its artifact could not be made.
    Failed(Failure),
    /// What these tasks made, which it reads, must be made again.
    InputsLost(Vec<u32>),
    /// A part of the plan that it reads must be made again: until then nothing is handed out.
    PlanLost,
    /// The worker is going away.
    HandedBack,
}

impl JobTable {
    pub(in crate::table) fn report(
        &mut self,
        worker: &str,
        index: u32,
        epoch: u64,
        report: Report,
        now: Now,
    ) -> Result<(), Unknown> {
        if self.ended.is_some() {
            return Err(Unknown);
        }
        self.pass(now);
        self.adopt(worker, index, epoch, now);
        let held = self.release(worker, index, epoch).ok_or(Unknown)?;
        match report {
            Report::Done(cost) => {
                self.note(index, cost, now.saturating_sub(held.since));
                self.end(index, State::Done);
            }
            Report::HandedBack => {
                self.untry(index);
                self.give_back(index);
            }
            Report::InputsLost(lost) => self.lose(index, &lost),
            Report::PlanLost => {
                self.progress.setbacks.retried += 1;
                self.untry(index);
                self.give_back(index);
                self.paused_until = Now::MAX;
            }
            Report::Failed(failure) => self.fail(index, failure, now),
        }
        Ok(())
    }

    /// An artifact that nobody was to make any more is there all the same: whether that is news.
    pub(in crate::table) fn found(&mut self, index: u32) -> bool {
        let is_news = self.ended.is_none() && !self.states.get(index).has_ended();
        if is_news {
            self.end(index, State::Done);
        }
        is_news
    }

    fn note(&mut self, index: u32, cost: Done, took: Duration) {
        self.progress.cost += cost;
        self.changes.cost = true;
        let number = self.number(index);
        let pace = &mut self.pace[number];
        let took = took.max(Duration::from_millis(1));
        *pace = if pace.is_zero() { took } else { (*pace * 7 + took) / 8 };
    }

    fn untry(&mut self, index: u32) {
        self.states.set_tries(index, self.states.tries(index).saturating_sub(1));
    }

    /// What had been made is lost when it is to be published: whether anything is made again.
    pub(in crate::table) fn lost(&mut self, lost: &[u32]) -> bool {
        if self.ended != Some(Ended::Settled) {
            return false;
        }
        for index in lost.iter().copied().filter(|index| self.states.get(*index).is_made()).collect::<Vec<_>>() {
            self.ended = None;
            let may_be_made = self.may_be_lost(index);
            self.unend(index);
            if !may_be_made {
                self.give_up(index);
            }
        }
        self.settle();
        self.ended.is_none()
    }

    /// The plan is whole again: tasks are handed out.
    pub(in crate::table) const fn resume(&mut self) {
        self.paused_until = Now::ZERO;
    }

    /// Nothing can be made of it any more, even where all is done but what publishes it; unless it was stopped.
    pub(in crate::table) fn abandon(&mut self, failure: Failure) {
        if matches!(self.ended, None | Some(Ended::Settled)) {
            self.ended = Some(Ended::Fatal(failure));
        }
    }

    /// Whether what a task makes may be lost once more: a store that loses it for ever is not written to for ever.
    fn may_be_lost(&self, index: u32) -> bool {
        self.losses.get(&index).is_none_or(|losses| *losses < MOST_LOSSES)
    }

    /// What a task reads is lost: it is made again, and the task waits for it. That is no try of either: it is not their
    /// fault, and of many inputs that are damaged a task may find one at a time.
    fn lose(&mut self, index: u32, lost: &[u32]) {
        let inputs = self.layout.inputs(index);
        let is_input = |input: &u32| inputs.binary_search(input).is_ok();
        // Somebody else may have found that it is lost, and it is being made again.
        let may_be_made = |input: &u32| match self.states.get(*input) {
            State::Done | State::Reused => self.may_be_lost(*input),
            state => !state.has_ended(),
        };
        let again: Vec<u32> = lost.iter().copied().filter(|input| is_input(input) && may_be_made(input)).collect();
        for input in again.iter().filter(|input| self.states.get(**input).is_made()).copied().collect::<Vec<_>>() {
            self.unend(input);
        }
        if !again.is_empty() {
            self.untry(index);
        }
        if self.is_held(index) || self.states.tries(index) < self.settings.tries {
            self.progress.setbacks.retried += 1;
            return self.give_back(index);
        }
        self.give_up(index);
    }

    fn give_up(&mut self, index: u32) {
        let reason = "what it makes or reads is lost again and again: check the store's disk".to_owned();
        let failure = Failure { kind: FailureKind::Permanent, reason, scene: None };
        self.set_aside(index, SetAside { failure, cause: None });
    }

    /// What was made is to be made again: what reads it, and has not begun, waits.
    fn unend(&mut self, index: u32) {
        *self.losses.entry(index).or_default() += 1;
        self.states.set_tries(index, 0);
        let state = self.unless_waiting(index);
        self.set(index, state);
        match self.layout.kind(index) {
            Some(TaskKind::Partial { shard, subtile, .. }) => self.wait(self.layout.composite_of(shard, subtile)),
            Some(TaskKind::Composite { shard, subtile }) => {
                for output in self.layout.readers(shard, subtile).collect::<Vec<_>>() {
                    self.left[output as usize] += 1;
                    self.wait(self.layout.mosaic(output));
                }
            }
            Some(TaskKind::Mosaic { .. }) => {
                self.outputs_left += 1;
                self.wait(self.layout.len() - 1);
            }
            Some(TaskKind::Quicklook) | None => {}
        }
    }

    fn wait(&mut self, index: u32) {
        if self.states.get(index) == State::Ready {
            self.set(index, State::Waiting);
        }
    }

    fn fail(&mut self, index: u32, failure: Failure, now: Now) {
        match (failure.kind, self.settings.room) {
            // There may be room again: that is no fault of the task.
            (FailureKind::Fatal, Some(pause)) => {
                tracing::warn!(reason = failure.reason, "nothing is handed out for a while");
                self.paused_until = now + pause;
                self.untry(index);
                self.give_back(index);
            }
            (FailureKind::Fatal, None) => self.ended = Some(Ended::Fatal(failure)),
            (FailureKind::Retryable, _) if self.is_held(index) => {}
            (FailureKind::Retryable, _) if self.states.tries(index) < self.settings.tries => {
                let doublings = self.states.tries(index).saturating_sub(1);
                let wait = self.settings.backoff * 2u32.saturating_pow(doublings);
                self.progress.setbacks.retried += 1;
                self.set(index, State::Backoff);
                self.due.insert((now + wait, index, 0));
            }
            _ => self.set_aside(index, SetAside { failure, cause: None }),
        }
    }

    /// Sets a task aside, and what cannot do without it: a mosaic has a hole then, a median would be wrong.
    pub(super) fn set_aside(&mut self, index: u32, why: SetAside) {
        if let Some(TaskKind::Partial { shard, subtile, .. }) = self.layout.kind(index) {
            let composite = self.layout.composite_of(shard, subtile);
            if self.states.get(composite) == State::Waiting {
                let cause = Some(why.cause.unwrap_or(index));
                self.set_aside(composite, SetAside { cause, ..why.clone() });
            }
        }
        let is_forsaken = self.settings.leaves_out && why.failure.scene.is_some();
        self.progress.setbacks.set_aside += 1;
        self.failures.insert(index, why);
        self.changes.failures.insert(index);
        if is_forsaken {
            self.forsake(index);
        }
        self.end(index, State::Failed);
    }

    /// Ends, without a failure of their own, the tasks that hold the scene at which this one failed, and what is made of
    /// them: a scene is left out of all or none, and all these are planned again.
    fn forsake(&mut self, index: u32) {
        let layout = Arc::clone(&self.layout);
        let (shard, partial) = match layout.kind(index) {
            Some(TaskKind::Partial { shard, partial, .. }) => (shard, Some(partial)),
            Some(TaskKind::Composite { shard, .. }) => (shard, None),
            _ => return,
        };
        // Whatever waits for another comes before it, so that none of them can be had in between.
        let mut forsaken = vec![layout.len() - 1];
        for subtile in 0..layout.subtiles(shard) {
            forsaken.extend(layout.readers(shard, subtile).map(|output| layout.mosaic(output)));
        }
        for subtile in 0..layout.subtiles(shard) {
            forsaken.push(layout.composite_of(shard, subtile));
            forsaken.extend(partial.and_then(|partial| layout.index(TaskKind::Partial { shard, subtile, partial })));
        }
        for forsaken in forsaken.into_iter().filter(|forsaken| *forsaken != index) {
            if !self.states.get(forsaken).has_ended() {
                self.end(forsaken, State::Failed);
            }
        }
    }

    /// Ends a task; what waits for it may go on.
    fn end(&mut self, index: u32, state: State) {
        self.void(index);
        self.set(index, state);
        self.count_down(index);
        match self.layout.kind(index) {
            Some(TaskKind::Partial { shard, subtile, .. }) => self.go_on(self.layout.composite_of(shard, subtile)),
            Some(TaskKind::Composite { shard, subtile }) => {
                for output in self.layout.readers(shard, subtile).collect::<Vec<_>>() {
                    self.go_on(self.layout.mosaic(output));
                }
            }
            Some(TaskKind::Mosaic { .. }) => self.go_on(self.layout.len() - 1),
            Some(TaskKind::Quicklook) | None => {}
        }
        self.settle();
    }

    fn go_on(&mut self, index: u32) {
        if self.states.get(index) == State::Waiting {
            let state = self.unless_waiting(index);
            self.set(index, state);
        }
    }
}
