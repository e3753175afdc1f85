//! What of a job must not be forgotten: which tasks are made, a bit each, packed by place; which are set aside, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mosaic::plan::Layout;
use proto::work::Done;

use super::{JobTable, SetAside};
use crate::table::Settings;

/// What has changed since it was last noted down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Places of which a task was made, or lost.
    pub places: BTreeSet<usize>,
    /// Tasks that were set aside.
    pub failures: BTreeSet<u32>,
    /// Whether what has been spent has changed.
    pub cost: bool,
}

impl Changes {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.failures.is_empty() && !self.cost
    }
}

/// A job's progress as it was noted down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Of each place, which of its tasks are made: the first one in the lowest bit of the first byte.
    pub places: BTreeMap<usize, Vec<u8>>,
    /// Tasks that were set aside.
    pub failures: BTreeMap<u32, SetAside>,
    /// What has been spent.
    pub cost: Done,
}

impl Saved {
    /// Whether a task is made.
    #[must_use]
    pub fn is_made(&self, layout: &Layout, index: u32) -> bool {
        let place = layout.place(index);
        let bit = (index - layout.of_place(place).start) as usize;
        let byte = self.places.get(&place).and_then(|bits| bits.get(bit / 8));
        byte.is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }
}

impl JobTable {
    /// The tasks of a plan as they were when that was noted down.
    #[must_use]
    pub fn restored(layout: Arc<Layout>, saved: &Saved, first: u64, settings: Settings) -> Self {
        let of = Arc::clone(&layout);
        // A mosaic may be made with a hole: what made the hole has failed all the same.
        let (made, failed) = (|index| saved.is_made(&of, index), |index| saved.failures.contains_key(&index));
        let mut table = Self::sparing(layout, made, failed, first, settings);
        table.progress.cost = saved.cost;
        for (index, why) in &saved.failures {
            if *index < of.len() && !table.states.get(*index).has_ended() {
                table.set_aside(*index, why.clone());
            }
        }
        table.changes = Changes::default();
        table
    }

    /// Which tasks of a place are made, as [`Saved`] has it.
    #[must_use]
    pub fn made_of(&self, place: usize) -> Vec<u8> {
        let range = self.layout.of_place(place);
        let mut bits = vec![0; range.len().div_ceil(8)];
        for (bit, _) in self.states.of(range).enumerate().filter(|(_, state)| state.is_made()) {
            bits[bit / 8] |= 1 << (bit % 8);
        }
        bits
    }

    /// What is to be noted down; it counts as noted from now on.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// What could not be noted down is still to be. It may be of a plan that was larger.
    pub fn put_back(&mut self, changes: Changes) {
        let places = self.layout.places();
        self.changes.places.extend(changes.places.into_iter().filter(|place| *place < places));
        self.changes.failures.extend(changes.failures);
        self.changes.cost |= changes.cost;
    }
}
