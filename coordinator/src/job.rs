//! A job: one run of one request, from its plan to its publication.
//!
//! ```text
//! linked ─► plan ─┬─► a shard for each tile, a document for each output tile      workers read them
//!                 ├─► the snapshot: what became of every scene                    publication reads it
//!                 └─► the plan, which names them all                              another leader reads it
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use artifacts::{ArtifactStore, Kind, StoreError, at_once};
use mosaic::ids::{Key, SystemIndex, TileId};
use mosaic::plan::{Outputs, Plan, Planned, SceneInput, TaskId, TaskKind, TileShard, parts};
use mosaic::projection::Projection;
use mosaic::request::Request;
use mosaic::survey::Survey;
use proto::work::{Outcome, TaskSpec, Work};
use serde::{Deserialize, Serialize};

use crate::driver::SubmitError;
use crate::prepare::{self, Ground, Linked, Prepared, projection};
use crate::publish::report::{ScoreFacts, Unreadable};
use crate::publish::snapshot::Scenes;
use crate::table::{Report, Saved};

/// A planned job; its plan and all that belongs to it are stored.
pub struct Job {
    /// The request, its paths absolute.
    pub request: Request,
    /// What is to be done.
    pub planned: Planned,
    /// The output's CRS by the plan's operation, where it is neither native nor a UTM zone.
    pub projection: Option<Arc<dyn Projection>>,
    /// The key of the plan.
    pub key: Key,
    documents: Documents,
}

/// Keys of what belongs to a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Documents {
    snapshot: Key,
    /// All output tiles, without what they read.
    outputs: Key,
    /// Each output tile with what it reads.
    tiles: Vec<Key>,
}

/// A plan as it is stored.
#[derive(Serialize)]
struct Stored<'a> {
    plan: &'a Plan,
    documents: &'a Documents,
}

/// The same, read.
#[derive(Deserialize)]
struct Found {
    plan: Plan,
    documents: Documents,
}

/// Where the shards of a plan in the making go.
struct Shelf<'a> {
    store: &'a ArtifactStore,
    /// Which of its artifacts are there.
    made: Mutex<Saved>,
}

impl<'a> Shelf<'a> {
    fn new(store: &'a ArtifactStore) -> Self {
        Self { store, made: Mutex::default() }
    }

    fn keep(&self, index: usize, shard: &TileShard) -> Result<(), SubmitError> {
        self.store.keep_document(parts::SHARD, shard)?;
        if let Some(bits) = made_of(shard, self.store) {
            self.made.lock().unwrap_or_else(PoisonError::into_inner).places.insert(index, bits);
        }
        Ok(())
    }
}

/// Why nothing is left to make a mosaic of.
fn nothing_left(unreadable: &[Unreadable]) -> String {
    let of = |Unreadable { scene, reason, .. }: &Unreadable| format!(" (scene {scene}: {reason})");
    let first = unreadable.first().map(of).unwrap_or_default();
    format!(
        "`on_unreadable`: none of the {} linked scenes can be read{first}: that is no single scene's fault",
        unreadable.len()
    )
}

const PLAN: &str = "clearmosaic plan";
const SNAPSHOT: &str = "clearmosaic snapshot";

impl Job {
    /// Plans what was linked, and stores the plan; and which of its artifacts are there.
    ///
    /// # Errors
    /// Where it cannot be planned, or the store cannot be written.
    pub fn plan(linked: Linked, store: &ArtifactStore) -> Result<(Self, Saved), SubmitError> {
        let shelf = Shelf::new(store);
        let Prepared { request, linkage, plan, projection, .. } = linked.plan(|i, _, shard| shelf.keep(i, shard))?;
        let snapshot = Scenes::of(&request.name, &linkage);
        Self::keep(request, plan, projection, &snapshot, shelf)
    }

    /// Plans the same without scenes that could not be read, from what is stored of it: whatever has become of the
    /// catalogue. Stores that plan; and which of its artifacts are there.
    ///
    /// # Errors
    /// Where no scene is left; where what is stored cannot be read, or the store cannot be written.
    pub fn without(
        &self,
        unreadable: Vec<Unreadable>,
        store: &ArtifactStore,
        survey: &dyn Survey,
    ) -> Result<(Self, Saved), SubmitError> {
        let mut scenes = self.scenes(store)?;
        let is_left_out = |scene: &SystemIndex| unreadable.iter().any(|unreadable| unreadable.scene == *scene);
        scenes.values_mut().for_each(|of_tile| of_tile.retain(|scene| !is_left_out(&scene.system_index)));
        let mut snapshot = self.snapshot(store)?;
        snapshot.scenes.retain(|scene| !is_left_out(&scene.system_index));
        snapshot.report.scores = ScoreFacts::of(snapshot.scenes.iter().map(|scene| &scene.score));
        snapshot.report.unreadable.extend(unreadable);
        snapshot.report.unreadable.sort_by(|a, b| a.scene.cmp(&b.scene));
        if snapshot.scenes.is_empty() {
            return Err(SubmitError::Nothing(nothing_left(&snapshot.report.unreadable)));
        }
        let Outputs { aoi, working_resolution, .. } = &self.planned.plan().outputs;
        let projection = projection(&self.request, aoi, survey)?;
        let at = Ground { aoi, working_resolution: *working_resolution, projection: projection.as_ref() };
        let shelf = Shelf::new(store);
        let plan = prepare::plan(&self.request, at, scenes, |i, _, shard| shelf.keep(i, shard))?;
        let projection = projection.map(|(projection, _)| projection);
        Self::keep(self.request.clone(), plan, projection, &snapshot, shelf)
    }

    /// The plan's scenes as workers read them, by tile.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn scenes(&self, store: &ArtifactStore) -> Result<BTreeMap<TileId, Vec<SceneInput>>, StoreError> {
        let shards: Vec<&Key> = self.planned.plan().tiles.iter().map(|tile| &tile.shard).collect();
        let read = |key: &&Key| {
            let shard: TileShard = store.document(parts::SHARD, key)?;
            Ok((shard.tile, shard.scenes))
        };
        many(store, &shards, read).into_iter().collect()
    }

    /// Stores a plan whose shards are stored.
    fn keep(
        request: Request,
        plan: Plan,
        projection: Option<Arc<dyn Projection>>,
        snapshot: &Scenes,
        Shelf { store, made }: Shelf<'_>,
    ) -> Result<(Self, Saved), SubmitError> {
        let snapshot = store.keep_document(SNAPSHOT, snapshot)?;
        let planned = Planned::new(plan).map_err(|e| SubmitError::Internal(e.to_string()))?;
        let outputs = store.keep_document(parts::OUTPUTS, &planned.plan().outputs)?;
        let tile = |output: &usize| store.keep_document(parts::OUTPUT, &planned.output(*output));
        let numbers: Vec<usize> = (0..planned.plan().outputs.tiles.len()).collect();
        let tiles = many(store, &numbers, tile).into_iter().collect::<Result<_, _>>()?;
        let documents = Documents { snapshot, outputs, tiles };
        let key = store.keep_document(PLAN, &Stored { plan: planned.plan(), documents: &documents })?;
        let job = Self { request, planned, projection, key, documents };
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        job.outputs_made(store, &mut made);
        Ok((job, made))
    }

    /// Reads a plan that was stored.
    ///
    /// # Errors
    /// Where it is not there, or not as it was stored.
    pub fn load(request: Request, key: &Key, store: &ArtifactStore, survey: &dyn Survey) -> Result<Self, SubmitError> {
        let Found { plan, documents } = store.document(PLAN, key)?;
        let projection = projection(&request, &plan.outputs.aoi, survey)?.map(|(projection, _)| projection);
        let planned = Planned::new(plan).map_err(|e| SubmitError::Internal(e.to_string()))?;
        Ok(Self { request, planned, projection, key: key.clone(), documents })
    }

    /// What became of every scene.
    ///
    /// # Errors
    /// Where that is not in the store any more.
    pub fn snapshot(&self, store: &ArtifactStore) -> Result<Scenes, StoreError> {
        store.document(SNAPSHOT, &self.documents.snapshot)
    }

    /// Notes which rasters are in the store, and whole.
    fn outputs_made(&self, store: &ArtifactStore, made: &mut Saved) {
        let outputs = self.planned.plan().outputs.tiles.len();
        let kinds = (0..outputs).map(|output| TaskKind::Mosaic { output }).chain([TaskKind::Quicklook]);
        let wanted: Vec<(Kind, Key)> = kinds.map(|kind| self.artifact(kind, &[])).collect();
        let are_there = many(store, &wanted, |(shelf, key)| {
            store.has(*shelf, key).unwrap_or(false) && is_whole(store, *shelf, key)
        });
        if are_there.contains(&true) {
            made.places.insert(self.planned.plan().tiles.len(), packed(are_there));
        }
    }

    /// The artifact that a task makes, where these composites, ascending, could not be made.
    #[must_use]
    pub fn artifact(&self, kind: TaskKind, failed: &[u32]) -> (Kind, Key) {
        let shelf = match kind {
            TaskKind::Partial { .. } => Kind::Partial,
            TaskKind::Composite { .. } => Kind::Composite,
            TaskKind::Mosaic { .. } => Kind::Mosaic,
            TaskKind::Quicklook => Kind::Quicklook,
        };
        (shelf, self.planned.key(kind, failed))
    }

    /// Whether a task's artifact is in the store.
    #[must_use]
    pub fn is_there(&self, task: u32, failed: &[u32], store: &ArtifactStore) -> bool {
        let Some(kind) = self.planned.layout().kind(task) else { return false };
        let (shelf, key) = self.artifact(kind, failed);
        match shelf {
            Kind::Mosaic | Kind::Quicklook => is_whole(store, shelf, &key),
            _ => store.read(shelf, &key).is_ok(),
        }
    }

    /// What a worker is told of a task, where these composites could not be made; and its name.
    #[must_use]
    pub fn spec(&self, task: u32, failed: &[u32]) -> Option<(TaskId, TaskSpec)> {
        let kind = self.planned.layout().kind(task)?;
        let tile = |shard: usize| &self.planned.plan().tiles[shard];
        let work = match kind {
            TaskKind::Partial { shard, subtile, partial } => {
                let slice = tile(shard).digests[partial].slice.unwrap_or_default();
                Work::Partial { shard: tile(shard).shard.clone(), subtile, slice }
            }
            TaskKind::Composite { shard, subtile } => Work::Composite { shard: tile(shard).shard.clone(), subtile },
            TaskKind::Mosaic { output } => {
                let missing = self.planned.missing(output, failed);
                let missing = (!missing.is_empty()).then(|| Key::of(parts::MISSING, &missing));
                Work::Mosaic { outputs: self.documents.tiles[output].clone(), output: 0, missing }
            }
            TaskKind::Quicklook => {
                let tiles = Key::of(parts::PICTURED, &self.planned.mosaics(failed));
                Work::Quicklook { outputs: self.documents.outputs.clone(), tiles }
            }
        };
        Some((self.planned.id(kind), TaskSpec { key: self.planned.key(kind, failed), work }))
    }

    /// Keeps what a task reads and what is not known before it is handed out: which inputs an output tile lacks, which
    /// tiles the picture shows.
    ///
    /// # Errors
    /// What the store says.
    pub fn keep_inputs(&self, task: u32, failed: &[u32], store: &ArtifactStore) -> Result<(), StoreError> {
        match self.planned.layout().kind(task) {
            Some(TaskKind::Quicklook) => store.keep_document(parts::PICTURED, &self.planned.mosaics(failed)).map(drop),
            Some(TaskKind::Mosaic { output }) => match &self.planned.missing(output, failed)[..] {
                [] => Ok(()),
                missing => store.keep_document(parts::MISSING, &missing).map(drop),
            },
            _ => Ok(()),
        }
    }

    /// Whether one of these is a part of the plan that a task reads, where these composites could not be made.
    fn is_of_plan(&self, task: u32, keys: &[Key], failed: &[u32]) -> bool {
        let read = match self.spec(task, failed).map(|(_, spec)| spec.work) {
            Some(Work::Partial { shard, .. } | Work::Composite { shard, .. }) => vec![shard],
            Some(Work::Mosaic { outputs, missing, .. }) => [outputs].into_iter().chain(missing).collect(),
            Some(Work::Quicklook { outputs, tiles }) => vec![outputs, tiles],
            None => vec![],
        };
        read.iter().any(|part| keys.contains(part))
    }

    /// A worker's report in terms of the table, where these composites could not be made.
    #[must_use]
    pub fn report(&self, task: u32, outcome: Outcome, failed: &[u32]) -> Report {
        match outcome {
            Outcome::Done(cost) => Report::Done(cost),
            Outcome::Failed(failure) => Report::Failed(failure),
            Outcome::HandedBack => Report::HandedBack,
            Outcome::InputsLost(keys) if self.is_of_plan(task, &keys, failed) => Report::PlanLost,
            Outcome::InputsLost(keys) => {
                let layout = self.planned.layout();
                let key = |input| layout.kind(input).map(|kind| self.planned.key(kind, failed));
                let is_lost = |input: &u32| key(*input).is_some_and(|key| keys.contains(&key));
                Report::InputsLost(layout.inputs(task).into_iter().filter(is_lost).collect())
            }
        }
    }
}

/// Bits in bytes, the first in the lowest.
fn packed(bits: Vec<bool>) -> Vec<u8> {
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |packed, bit| packed << 1 | u8::from(*bit))).collect()
}

/// Does the same with many things: at once, where the store is far away.
fn many<T: Sync, R: Send>(store: &ArtifactStore, things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if store.is_remote() { at_once(things, each) } else { things.iter().map(each).collect() }
}

/// Which artifacts of a tile are in the store, in order of its tasks; none where there is not one. That they are whole is
/// found out when they are read.
fn made_of(shard: &TileShard, store: &ArtifactStore) -> Option<Vec<u8>> {
    let mut wanted = Vec::with_capacity(shard.subtiles.len() * 2);
    for planned in &shard.subtiles {
        wanted.extend(planned.partials.iter().map(|partial| (Kind::Partial, partial.key.clone())));
        wanted.push((Kind::Composite, planned.composite.clone()));
    }
    let made = store.which(&wanted);
    made.contains(&true).then(|| packed(made))
}

/// Whether an artifact of several files is there with every one as it was made; one that is not is discarded.
fn is_whole(store: &ArtifactStore, kind: Kind, key: &Key) -> bool {
    // What is not there now may appear while it is looked at: that is whole, and stays.
    let was_there = store.has(kind, key).unwrap_or(false);
    let verified = store.verify(kind, key);
    if let Err(error @ (StoreError::Corrupt { .. } | StoreError::Missing(_))) = &verified
        && was_there
    {
        tracing::warn!(%error, "an artifact is corrupt and is made again");
        if let Err(error) = store.discard(kind, key) {
            tracing::warn!(%error, "a corrupt artifact could not be removed");
        }
    }
    verified.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::aoi::Aoi;
    use mosaic::grid::tile_grid;
    use mosaic::plan::{OutputTile, Outputs, Recipe};
    use mosaic::request::{ScoreBand, parse};
    use prost::Message;
    use proto::wire;

    /// A job that makes so many output tiles, of nothing.
    fn job(tiles: usize) -> Job {
        let text = "{version: 1, name: many, aoi: {tiles: [33TWL]}, period: {start: 2023-08-01, end: 2023-09-01}, \
                    bands: [B04], scenes: {items: items.json}, scores: {template: '{system_index}.tif'}, output: out}";
        let request = parse(text).unwrap();
        let grid = tile_grid("33TWL".parse().unwrap(), 120.0).unwrap();
        let tile = |n: usize| OutputTile { id: format!("x{n}y0"), native: None, grid, owners: vec![], inputs: vec![] };
        let outputs = Outputs {
            crs: request.grid.crs,
            operation: None,
            resampling: request.grid.resampling,
            dtype: request.median.dtype,
            bands: request.bands.clone(),
            products: mosaic::product::median_alone(),
            working_resolution: 120.0,
            aoi: Aoi::from_tiles(&["33TWL".parse().unwrap()]).unwrap(),
            tiles: (0..tiles).map(tile).collect(),
        };
        let recipe = Recipe {
            bands: request.bands.clone(),
            threshold: 0.6,
            score_band: ScoreBand::CsCdf,
            dtype: request.median.dtype,
            min_observations: 1,
            edge_erosion: 0,
            products: mosaic::product::median_alone(),
        };
        let key = Key::of("test", &tiles);
        let (name, slices, reads) = (request.name.clone(), vec![request.period], vec![vec![]; tiles]);
        let plan = Plan { name, request: key.clone(), slices, sliced: false, recipe, tiles: vec![], outputs, reads };
        let planned = Planned::new(plan).unwrap();
        let documents = Documents { snapshot: key.clone(), outputs: key.clone(), tiles: vec![key.clone(); tiles] };
        Job { request, planned, projection: None, key, documents }
    }

    #[test]
    fn no_message_grows_with_the_tiles_that_a_picture_shows() {
        let (job, dir) = (job(130_000), tempfile::tempdir().unwrap());
        let store = ArtifactStore::directory(dir.path()).unwrap();
        let task = job.planned.layout().len() - 1;
        job.keep_inputs(task, &[], &store).unwrap();
        let (_, spec) = job.spec(task, &[]).unwrap();
        let Work::Quicklook { tiles, .. } = &spec.work else { panic!("{spec:?}") };
        let keys: Vec<Key> = store.document(parts::PICTURED, tiles).unwrap();
        assert_eq!((keys.len(), &keys[7]), (130_000, &job.artifact(TaskKind::Mosaic { output: 7 }, &[]).1));
        assert!(store.read_bytes(Kind::Plan, tiles).unwrap().len() > proto::limits::MESSAGE);
        assert!(wire::TaskSpec::from(spec).encoded_len() < 200);
    }
}
