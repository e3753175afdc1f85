//! A job: one run of one request, from its plan to its publication.

use std::collections::{HashMap, HashSet};

use artifacts::{ArtifactStore, Kind, StoreError, at_once};
use mosaic::grid::SubTile;
use mosaic::ids::{Key, TileId};
use mosaic::plan::{CompositeRef, Plan, Task, TaskKind, TileShard, tasks};
use proto::work::{TaskSpec, Work};

use crate::prepare::Prepared;
use crate::table::{JobTable, Settings, State};

/// A planned job, its plan stored where workers find it.
pub struct Job {
    /// What was found out for the request.
    pub prepared: Prepared,
    shards: Vec<Key>,
    outputs: Key,
    composites: HashMap<(TileId, SubTile), usize>,
}

impl Job {
    /// Stores the plan's parts.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn store(prepared: Prepared, store: &ArtifactStore) -> Result<Self, StoreError> {
        let plan = &prepared.plan;
        let keep = |shard: &TileShard| {
            let key = Key::of("clearmosaic plan shard", shard);
            store.write_document(Kind::Plan, &key, shard).map(|()| key)
        };
        let kept: Vec<_> =
            if store.is_remote() { at_once(&plan.shards, keep) } else { plan.shards.iter().map(keep).collect() };
        let shards = kept.into_iter().collect::<Result<_, _>>()?;
        let outputs = Key::of("clearmosaic plan outputs", &plan.outputs);
        store.write_document(Kind::Plan, &outputs, &plan.outputs)?;
        let composite = |(index, task): (usize, &Task)| match task.kind {
            TaskKind::Composite { shard, subtile } => {
                let shard = &plan.shards[shard];
                Some(((shard.tile, shard.subtiles[subtile].at), index))
            }
            _ => None,
        };
        let composites = tasks(plan).iter().enumerate().filter_map(composite).collect();
        Ok(Self { prepared, shards, outputs, composites })
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.prepared.plan
    }

    /// The job's tasks; those whose artifacts are in the store and whole are done.
    #[must_use]
    pub fn table(&self, store: &ArtifactStore, settings: Settings) -> JobTable {
        let tasks = tasks(self.plan());
        let made = |task: &Task| {
            let (kind, key) = self.artifact(task, none_missing);
            if kind.is_directory() { is_whole(store, kind, &key) } else { store.has(kind, &key) }
        };
        if !store.is_remote() {
            return JobTable::new(tasks, made, settings);
        }
        let there = self.there(&tasks, store);
        JobTable::new(tasks, |task| there.contains(&self.artifact(task, none_missing).1), settings)
    }

    /// The artifacts of tasks that are in an object store, and whole: asked for many at a time.
    fn there(&self, tasks: &[Task], store: &ArtifactStore) -> HashSet<Key> {
        let wanted: Vec<(Kind, Key)> = tasks.iter().map(|task| self.artifact(task, none_missing)).collect();
        let found: Vec<(Kind, Key)> =
            wanted.iter().zip(store.which(&wanted)).filter(|(_, there)| *there).map(|(it, _)| it.clone()).collect();
        let whole = at_once(&found, |(kind, key)| !kind.is_directory() || is_whole(store, *kind, key));
        found.into_iter().zip(whole).filter(|(_, whole)| *whole).map(|((_, key), _)| key).collect()
    }

    /// The artifact that a task makes, where the composites for which `missing` holds could not be made.
    pub fn artifact(&self, task: &Task, missing: impl Fn(&CompositeRef) -> bool) -> (Kind, Key) {
        let plan = self.plan();
        match task.kind {
            TaskKind::Partial { shard, subtile, partial } => {
                (Kind::Partial, plan.shards[shard].subtiles[subtile].partials[partial].key.clone())
            }
            TaskKind::Composite { shard, subtile } => {
                (Kind::Composite, plan.shards[shard].subtiles[subtile].composite.clone())
            }
            TaskKind::Mosaic { output } => (Kind::Mosaic, plan.outputs.key(&plan.outputs.tiles[output], missing)),
            TaskKind::Quicklook => (Kind::Quicklook, plan.outputs.quicklook_key(&self.tile_keys(missing))),
        }
    }

    fn tile_keys(&self, missing: impl Fn(&CompositeRef) -> bool) -> Vec<Key> {
        let outputs = &self.plan().outputs;
        outputs.tiles.iter().map(|tile| outputs.key(tile, &missing)).collect()
    }

    /// Whether a composite could not be made.
    #[must_use]
    pub fn is_missing(&self, table: &JobTable, input: &CompositeRef) -> bool {
        let index = self.composites.get(&(input.tile, input.at));
        let state = index.and_then(|index| table.task(*index)).map(|(_, state)| state);
        matches!(state, Some(State::Failed(_)))
    }

    /// What a worker is told of a task.
    #[must_use]
    pub fn spec(&self, table: &JobTable, task: &Task) -> TaskSpec {
        let missing = |input: &CompositeRef| self.is_missing(table, input);
        let (_, key) = self.artifact(task, missing);
        let plan = self.plan();
        let work = match task.kind {
            TaskKind::Partial { shard, subtile, partial } => Work::Partial {
                shard: self.shards[shard].clone(),
                subtile,
                slice: plan.shards[shard].subtiles[subtile].partials[partial].slice,
            },
            TaskKind::Composite { shard, subtile } => Work::Composite { shard: self.shards[shard].clone(), subtile },
            TaskKind::Mosaic { output } => {
                let inputs = plan.outputs.tiles[output].inputs.iter().enumerate();
                let missing = inputs.filter(|(_, input)| missing(input)).map(|(index, _)| index).collect();
                Work::Mosaic { outputs: self.outputs.clone(), output, missing }
            }
            TaskKind::Quicklook => Work::Quicklook { outputs: self.outputs.clone(), tiles: self.tile_keys(missing) },
        };
        TaskSpec { key, work }
    }
}

/// Every composite is made, as far as is known.
fn none_missing(_: &CompositeRef) -> bool {
    false
}

/// Whether an artifact of several files is there with every one as it was made; one that is corrupt is discarded.
fn is_whole(store: &ArtifactStore, kind: Kind, key: &Key) -> bool {
    let verified = store.verify(kind, key);
    if let Err(error @ (StoreError::Corrupt { .. } | StoreError::Missing(_))) = &verified
        && store.has(kind, key)
    {
        tracing::warn!(%error, "an artifact is corrupt and is made again");
        if let Err(error) = store.discard(kind, key) {
            tracing::warn!(%error, "a corrupt artifact could not be removed");
        }
    }
    verified.is_ok()
}
