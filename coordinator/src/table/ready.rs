//! Tasks that are ready, by place, and where each worker was last: what one has open there, it need not open again.

use std::collections::{BTreeSet, HashMap};

use mosaic::plan::Layout;

use super::state::States;

/// What is ready.
#[derive(Debug)]
pub(super) struct Ready {
    places: Vec<Place>,
    /// Places where a task is ready.
    open: BTreeSet<usize>,
    /// Those of them where no worker is.
    free: BTreeSet<usize>,
    at: HashMap<String, At>,
}

/// Where a worker is, and where it was before: it may have tasks there yet, and others follow from them.
#[derive(Clone, Copy, Debug)]
struct At {
    place: usize,
    before: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    ready: u32,
    workers: u32,
    /// No task before this one is ready.
    from: u32,
}

impl Ready {
    pub(super) fn new(layout: &Layout) -> Self {
        let place = |place| Place { from: layout.of_place(place).end, ..Place::default() };
        Self {
            places: (0..layout.places()).map(place).collect(),
            open: BTreeSet::new(),
            free: BTreeSet::new(),
            at: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A task has become ready.
    pub(super) fn insert(&mut self, place: usize, index: u32) {
        let at = &mut self.places[place];
        at.ready += 1;
        at.from = at.from.min(index);
        if at.ready == 1 {
            self.open.insert(place);
            if at.workers == 0 {
                self.free.insert(place);
            }
        }
    }

    /// A task is ready no more.
    pub(super) fn remove(&mut self, place: usize) {
        let at = &mut self.places[place];
        at.ready -= 1;
        if at.ready == 0 {
            self.open.remove(&place);
            self.free.remove(&place);
        }
    }

    /// The next task for a worker: of the two places where it was last, the first of them first; else of the first one
    /// where nobody is, else of the first one.
    pub(super) fn next(&mut self, worker: &str, layout: &Layout, states: &States) -> Option<u32> {
        let own = self.at.get(worker).and_then(|at| {
            let both = [Some(at.place), at.before].into_iter().flatten();
            both.filter(|place| self.places[*place].ready > 0).min()
        });
        let place = match own {
            Some(place) => place,
            None => {
                let place = self.free.first().or_else(|| self.open.first()).copied()?;
                self.move_to(worker, place);
                place
            }
        };
        let at = &mut self.places[place];
        let found = states.first_ready(at.from..layout.of_place(place).end)?;
        at.from = found;
        Some(found)
    }

    fn move_to(&mut self, worker: &str, place: usize) {
        let before = self.forget(worker);
        self.at.insert(worker.to_owned(), At { place, before });
        self.places[place].workers += 1;
        self.free.remove(&place);
    }

    /// Forgets where a worker was, as it is gone, or has moved: where that was.
    pub(super) fn forget(&mut self, worker: &str) -> Option<usize> {
        let At { place, .. } = self.at.remove(worker)?;
        let at = &mut self.places[place];
        at.workers -= 1;
        if at.workers == 0 && at.ready > 0 {
            self.free.insert(place);
        }
        Some(place)
    }
}
