//! Executes tasks: from a task's key and its place in the plan to an artifact in the store.
//!
//! ```text
//! Partial    scenes ─► fold ─► piles of ranks
//! Composite  scenes ─► fold ─► medians,   or   core, partials ─► merge ─► medians, core
//! Mosaic     composites ─► assemble ─► COGs
//! Quicklook  COGs ─► picture
//! ```
//!
//! An artifact that is there already is not made again.

mod aside;
mod composites;
mod error;
mod fold;
mod merged;
mod mosaic_tile;
mod quicklook;
mod stopwatch;
mod subtile;

pub use error::TaskError;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use artifacts::remote::until;
use artifacts::{ArtifactStore, Kind};
use lru::LruCache;
use mosaic::ids::Key;
use mosaic::plan::{Outputs, TileShard, parts};
use proto::work::{Done, Outcome, TaskSpec, Work};
use rayon::ThreadPool;
use serde::de::DeserializeOwned;

use crate::budget::{Budget, NoRoom, Reservation};
use crate::read::{Door, Headers};

/// Tells a running task to stop.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Stops the task at its next scene or block, or where it waits for another machine.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the task is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does some of the task's work on this thread: what it waits for of other machines is given up when it is to stop.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        until(&self.0, work)
    }

    /// Fails where the task is to stop.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        if self.is_cancelled() { Err(TaskError::Cancelled) } else { Ok(()) }
    }
}

/// Parts of plans that are kept in memory: a worker's tasks are of few tiles.
const SHARDS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Executes tasks against one store.
pub struct Executor {
    store: ArtifactStore,
    memory: Arc<Budget>,
    scratch: Arc<Budget>,
    pool: Arc<ThreadPool>,
    shards: Mutex<LruCache<Key, Arc<TileShard>>>,
    outputs: Mutex<LruCache<Key, Arc<Outputs>>>,
    headers: Headers,
}

impl Executor {
    /// An executor within a memory budget, whose tasks share out what they can among the threads of a pool.
    #[must_use]
    pub fn new(store: ArtifactStore, memory: Arc<Budget>, pool: Arc<ThreadPool>) -> Self {
        let (shards, outputs) = (Mutex::new(LruCache::new(SHARDS)), Mutex::new(LruCache::new(SHARDS)));
        let scratch = Budget::new(usize::MAX, 1);
        Self { store, memory, scratch, pool, shards, outputs, headers: Headers::default() }
    }

    /// The same, whose files in the making have a budget too, where the store is elsewhere.
    #[must_use]
    pub fn with_scratch(self, scratch: Arc<Budget>) -> Self {
        Self { scratch, ..self }
    }

    /// The same, which opens only what a door admits.
    #[must_use]
    pub fn behind(self, door: Door) -> Self {
        Self { headers: Headers::behind(door), ..self }
    }

    /// What the coordinator is told of a task that was run.
    #[must_use]
    pub fn outcome(&self, run: Result<Done, TaskError>) -> Outcome {
        match run {
            Ok(done) => Outcome::Done(done),
            Err(error) => error.into_outcome(self.store.is_remote()),
        }
    }

    /// Executes a task to its end.
    ///
    /// # Errors
    /// Why its artifact is not made.
    pub fn run(&self, task: &TaskSpec, cancel: &Cancel) -> Result<Done, TaskError> {
        let run = cancel.within(|| self.make(task, cancel));
        // Whatever it says: what it waited for was given up.
        run.map_err(|error| if cancel.is_cancelled() { TaskError::Cancelled } else { error })
    }

    fn make(&self, task: &TaskSpec, cancel: &Cancel) -> Result<Done, TaskError> {
        if self.is_made(task)? {
            return Ok(Done::default());
        }
        match &task.work {
            Work::Partial { shard, subtile, slice } => {
                self.partial(&task.key, &*self.shard(shard)?, *subtile, *slice, cancel)
            }
            Work::Composite { shard, subtile } => self.composite(&task.key, &*self.shard(shard)?, *subtile, cancel),
            Work::Mosaic { outputs, output, missing } => {
                let missing: Option<Vec<usize>> =
                    missing.as_ref().map(|list| self.part(parts::MISSING, list)).transpose()?;
                let outputs = self.outputs(parts::OUTPUT, outputs)?;
                self.mosaic_tile(&task.key, &outputs, *output, &missing.unwrap_or_default(), cancel)
            }
            Work::Quicklook { outputs, tiles } => {
                let tiles: Vec<Key> = self.part(parts::PICTURED, tiles)?;
                self.quicklook(&task.key, &*self.outputs(parts::OUTPUTS, outputs)?, &tiles)
            }
        }
    }

    /// Reserves room for files in the making. In a directory's store they are on its own device, which others fill too.
    fn room(&self, bytes: usize) -> Result<Option<Reservation>, NoRoom> {
        self.store.is_remote().then(|| self.scratch.reserve(bytes, bytes)).transpose()
    }

    /// Whether the artifact is there: made by someone else under an older lease, or for another request.
    fn is_made(&self, task: &TaskSpec) -> Result<bool, TaskError> {
        let found = match task.work {
            Work::Partial { .. } => self.store.read(Kind::Partial, &task.key).map(drop),
            Work::Composite { .. } => self.store.read(Kind::Composite, &task.key).map(drop),
            Work::Mosaic { .. } => self.store.verify(Kind::Mosaic, &task.key),
            Work::Quicklook { .. } => self.store.verify(Kind::Quicklook, &task.key),
        };
        match found {
            Ok(()) => Ok(true),
            // What is made in vain while a store is away is not worth more than to wait for it.
            Err(error) if self.store.is_remote() && !error.is_lost() => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    fn shard(&self, key: &Key) -> Result<Arc<TileShard>, TaskError> {
        self.cached(&self.shards, parts::SHARD, key)
    }

    fn outputs(&self, what: &str, key: &Key) -> Result<Arc<Outputs>, TaskError> {
        self.cached(&self.outputs, what, key)
    }

    /// A part of a plan; one that is lost is to be made again as an input is.
    fn part<T: DeserializeOwned>(&self, what: &str, key: &Key) -> Result<T, TaskError> {
        self.store.document(what, key).map_err(|error| self.lost(Kind::Plan, key, error))
    }

    fn cached<T: DeserializeOwned>(
        &self,
        cache: &Mutex<LruCache<Key, Arc<T>>>,
        what: &str,
        key: &Key,
    ) -> Result<Arc<T>, TaskError> {
        let cached = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cached().get(key) {
            return Ok(Arc::clone(known));
        }
        let document = Arc::new(self.part(what, key)?);
        cached().put(key.clone(), Arc::clone(&document));
        Ok(document)
    }
}
