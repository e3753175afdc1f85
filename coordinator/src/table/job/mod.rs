//! The tasks of one job.
//!
//! Tasks are indices into the plan's [`Layout`], which tells what each waits for; here is only where each one is. Every
//! change of a state goes through [`JobTable::set`], which keeps at hand what is asked for again and again: which tasks
//! are ready, by place; which leases and back-offs end next; how many tasks are where; what is to be noted down. So no
//! event costs more for there being more tasks, and a task that nobody is at takes a byte.

mod durable;
mod ending;
mod leases;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mosaic::plan::{Layout, TaskKind};
use proto::work::{Done, Failure};

use super::ready::Ready;
use super::share::Share;
use super::state::States;
use super::{Now, Setbacks, Settings, State, Tally};

pub use durable::{Changes, Saved};
pub use ending::Report;
pub use leases::Expired;
use leases::Held;

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

/// Why a task was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// What was wrong.
    pub failure: Failure,
    /// The task that it was wrong with, where this one cannot do without that.
    pub cause: Option<u32>,
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

    /// Tasks that are leased now.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.kinds.iter().map(|(_, tally)| tally.running).sum()
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
}

/// The tasks of one job.
#[derive(Debug)]
pub struct JobTable {
    layout: Arc<Layout>,
    states: States,
    /// Of each output tile, how many of its composites have not ended.
    left: Vec<u32>,
    /// How many output tiles have not ended.
    outputs_left: u32,
    ready: Ready,
    /// Who has what: the few tasks that somebody is at.
    leases: HashMap<u32, Vec<Held>>,
    /// When leases end, by their epochs; and back-offs, whose epoch is 0.
    due: BTreeSet<(Now, u32, u64)>,
    failures: BTreeMap<u32, SetAside>,
    /// How often what a task had made was lost.
    losses: BTreeMap<u32, u32>,
    progress: Progress,
    /// How long a task of each kind takes, about; zero where none has been done yet.
    pace: [Duration; 4],
    unended: u32,
    /// Grants have epochs from `first` on; what is older was granted by another leader.
    first: u64,
    next: u64,
    /// Nothing is granted before: the store had no room.
    paused_until: Now,
    changes: Changes,
    settings: Settings,
    /// What it has had of the workers, compared with others.
    pub(super) share: Share,
    ended: Option<Ended>,
}

const fn number(kind: TaskKind) -> usize {
    match kind {
        TaskKind::Partial { .. } => 0,
        TaskKind::Composite { .. } => 1,
        TaskKind::Mosaic { .. } => 2,
        TaskKind::Quicklook => 3,
    }
}

impl JobTable {
    /// The tasks of a plan; those for which `made` holds are done, and so is what only they need. Its grants have epochs
    /// from `first` on, above those of every table of the job that was before.
    #[must_use]
    pub fn new(layout: Arc<Layout>, made: impl Fn(u32) -> bool, first: u64, settings: Settings) -> Self {
        Self::sparing(layout, made, |_| false, first, settings)
    }

    /// The same, where some tasks are not spared even if nobody needs them any more.
    fn sparing(
        layout: Arc<Layout>,
        made: impl Fn(u32) -> bool,
        failed: impl Fn(u32) -> bool,
        first: u64,
        settings: Settings,
    ) -> Self {
        let mut table = Self {
            states: States::new(layout.len()),
            left: (0..layout.outputs()).map(|output| layout.composites_of(output as usize).count() as u32).collect(),
            outputs_left: layout.outputs(),
            ready: Ready::new(&layout),
            leases: HashMap::new(),
            due: BTreeSet::new(),
            failures: BTreeMap::new(),
            losses: BTreeMap::new(),
            progress: Progress::new(),
            pace: [Duration::ZERO; 4],
            unended: layout.len(),
            first: first.max(1),
            next: first.max(1),
            paused_until: Now::ZERO,
            changes: Changes::default(),
            settings,
            share: Share::new(),
            ended: None,
            layout,
        };
        for index in 0..table.layout.len() {
            let number = table.number(index);
            let tally = &mut table.progress.kinds[number].1;
            (tally.total, tally.waiting) = (tally.total + 1, tally.waiting + 1);
        }
        table.spare(|task| !failed(task), made);
        for index in 0..table.layout.len() {
            if !table.states.get(index).has_ended() {
                let state = table.unless_waiting(index);
                table.set(index, state);
            }
        }
        table.settle();
        table
    }

    /// The same with another share of the workers than others' 1: a power of two up to 16.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.share.weigh(weight);
        self
    }

    /// Marks what need not be done: what is made, and what only such needs.
    fn spare(&mut self, may_be: impl Fn(u32) -> bool, made: impl Fn(u32) -> bool) {
        let layout = Arc::clone(&self.layout);
        for index in (0..layout.len()).rev().filter(|index| may_be(*index)) {
            let is_open = |reader: u32| !self.states.get(reader).has_ended();
            let is_wanted = match layout.kind(index) {
                Some(TaskKind::Partial { shard, subtile, .. }) => is_open(layout.composite_of(shard, subtile)),
                Some(TaskKind::Composite { shard, subtile }) => {
                    layout.readers(shard, subtile).any(|output| is_open(layout.mosaic(output)))
                }
                // The rasters are published even where the picture is there; the picture is always wanted.
                _ => true,
            };
            if !is_wanted || made(index) {
                self.set(index, State::Reused);
                self.count_down(index);
            }
        }
    }

    /// What waits for a task that has ended has one less to wait for.
    fn count_down(&mut self, index: u32) {
        match self.layout.kind(index) {
            Some(TaskKind::Composite { shard, subtile }) => {
                self.layout.readers(shard, subtile).for_each(|output| self.left[output as usize] -= 1);
            }
            Some(TaskKind::Mosaic { .. }) => self.outputs_left -= 1,
            _ => {}
        }
    }

    /// Ready, unless what it waits for has not ended.
    fn unless_waiting(&self, index: u32) -> State {
        let may_go_on = match self.layout.kind(index) {
            None | Some(TaskKind::Partial { .. }) => true,
            Some(TaskKind::Composite { shard, subtile }) => {
                self.states.of(self.layout.partials_of(shard, subtile)).all(State::has_ended)
            }
            Some(TaskKind::Mosaic { output }) => self.left[output] == 0,
            Some(TaskKind::Quicklook) => self.outputs_left == 0,
        };
        if may_go_on { State::Ready } else { State::Waiting }
    }

    fn number(&self, index: u32) -> usize {
        self.layout.kind(index).map_or(0, number)
    }

    /// Moves a task to another state.
    fn set(&mut self, index: u32, state: State) {
        let (old, place) = (self.states.get(index), self.layout.place(index));
        let number = self.number(index);
        let tally = &mut self.progress.kinds[number].1;
        *tally.of(old) -= 1;
        *tally.of(state) += 1;
        self.states.set(index, state);
        if old == State::Ready {
            self.ready.remove(place);
        }
        if state == State::Ready {
            self.ready.insert(place, index);
        }
        if old.is_made() != state.is_made() {
            self.changes.places.insert(place);
        }
        match (old.has_ended(), state.has_ended()) {
            (false, true) => self.unended -= 1,
            (true, false) => self.unended += 1,
            _ => {}
        }
    }

    fn settle(&mut self) {
        if self.unended == 0 && self.ended.is_none() {
            self.ended = Some(Ended::Settled);
        }
    }

    /// Takes over what has befallen the job before it was planned again. What was granted then is void.
    pub(super) fn go_on_from(&mut self, before: &Self) {
        self.progress.setbacks = before.progress.setbacks;
        self.next = self.next.max(before.next);
    }

    /// How the job's tasks have ended, once they have.
    #[must_use]
    pub const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Where a task is.
    #[must_use]
    pub fn state(&self, index: u32) -> State {
        self.states.get(index)
    }

    /// The plan's tasks.
    #[must_use]
    pub const fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Tasks that are set aside, ascending.
    #[must_use]
    pub const fn failures(&self) -> &BTreeMap<u32, SetAside> {
        &self.failures
    }

    /// How far the job is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Stops the job: nothing is granted any more, and what runs is void.
    pub(super) fn cancel(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = Some(Ended::Cancelled);
            return true;
        }
        false
    }
}
