//! Partials and composites: the tasks of one sub-tile.

use std::collections::BTreeMap;

use artifacts::container::Reader;
use artifacts::{Kind, StoreError};
use mosaic::composite::{Composite, CompositeHeader};
use mosaic::ids::Key;
use mosaic::kernel::Pile;
use mosaic::partial::{Middles, Partial, rows_per_chunk};
use mosaic::plan::{PartialPlan, SceneInput, SubTilePlan, TileShard};
use proto::work::Done;

use super::aside::not_a_pile;
use super::fold::{Fold, Needs};
use super::{Cancel, Executor, TaskError};
use crate::codec::encode_composite;
use crate::read::{GdalOpener, Observer, SceneError};

/// A partial that is being read.
struct Opened {
    key: Key,
    header: Partial,
    reader: Reader,
}

impl Executor {
    /// Makes the partial of one (sub-tile, slice).
    pub(super) fn partial(
        &self,
        key: &Key,
        shard: &TileShard,
        subtile: usize,
        slice: usize,
        cancel: &Cancel,
    ) -> Result<Done, TaskError> {
        let planned = planned(shard, subtile)?;
        let scenes: Vec<_> = shard.scenes_of(Some(slice)).collect();
        self.folded(shard, planned, &scenes, cancel, |fold| {
            let header = fold.header();
            self.store.write(Kind::Partial, key, header, |writer| {
                let path = self.store.path(Kind::Partial, key);
                fold.piles(|pile| Ok(writer.frame(pile).map_err(|e| StoreError::io(&path, e))?))
            })
        })
    }

    /// Makes the composite of one sub-tile: from its partials where they are kept, else straight from its scenes.
    pub(super) fn composite(
        &self,
        key: &Key,
        shard: &TileShard,
        subtile: usize,
        cancel: &Cancel,
    ) -> Result<Done, TaskError> {
        let planned = planned(shard, subtile)?;
        if !planned.partials.is_empty() {
            return self.merged(key, shard, planned, cancel);
        }
        let scenes: Vec<_> = shard.scenes_of(None).collect();
        self.folded(shard, planned, &scenes, cancel, |fold| {
            let header = header(shard, fold.header(), fold.scenes().clone());
            self.store.write(Kind::Composite, key, header, |writer| {
                let path = self.store.path(Kind::Composite, key);
                fold.middles(|middles| {
                    let rows = Composite::finish(middles, shard.recipe.dtype, shard.recipe.min_observations);
                    Ok(writer.frame(&encode_composite(&rows)).map_err(|e| StoreError::io(&path, e))?)
                })
            })
        })
    }

    /// Folds scenes within the memory budget, then hands the fold to `keep`.
    fn folded(
        &self,
        shard: &TileShard,
        planned: &SubTilePlan,
        scenes: &[&SceneInput],
        cancel: &Cancel,
        keep: impl FnOnce(&Fold<'_>) -> Result<u64, TaskError>,
    ) -> Result<Done, TaskError> {
        let window = shard.grid.windowed(&planned.at.window);
        let header = shape(shard, planned);
        let depth = scenes.chunk_by(|a, b| a.datatake == b.datatake).count();
        let needs = Needs::of(window.width * window.height, window.width, header.bands.len(), depth);
        let reserved = self.memory.reserve(needs.least(), needs.most(depth));
        let mut opener = GdalOpener;
        let mut observer = Observer::new(&mut opener, &shard.recipe, window)
            .map_err(|error| SceneError { scene: shard.tile.to_string(), error })?;
        let mut fold = Fold::new(&self.store, header, reserved.bytes().saturating_sub(needs.fixed));
        fold.read(&mut observer, scenes, cancel)?;
        let bytes_written = keep(&fold)?;
        Ok(Done { bytes_read: observer.bytes_read(), bytes_written })
    }

    /// Merges partials into the composite, a few rows at a time.
    fn merged(&self, key: &Key, shard: &TileShard, planned: &SubTilePlan, cancel: &Cancel) -> Result<Done, TaskError> {
        let shape = shape(shard, planned);
        let depth = shard.scenes.chunk_by(|a, b| a.datatake == b.datatake).count();
        let chunk = Needs::of(shape.width * shape.rows_per_chunk, shape.width, shape.bands.len(), depth);
        let _reserved = self.memory.reserve(chunk.most(depth), chunk.most(depth));
        let partials = self.open_partials(&planned.partials)?;
        let mut scenes = shape.clone();
        partials.iter().for_each(|partial| scenes.merge_scenes(&partial.header));
        let header = header(shard, &shape, scenes.scenes);
        let path = self.store.path(Kind::Composite, key);
        let bytes_written = self.store.write(Kind::Composite, key, header, |writer| {
            let mut buffers = vec![Vec::new(); partials.len()];
            for index in 0..shape.height.div_ceil(shape.rows_per_chunk) {
                cancel.check()?;
                let middles = self.merged_chunk(&partials, &shape, index, &mut buffers)?;
                let rows = Composite::finish(&middles, shard.recipe.dtype, shard.recipe.min_observations);
                writer.frame(&encode_composite(&rows)).map_err(|e| StoreError::io(&path, e))?;
            }
            Ok::<_, TaskError>(())
        })?;
        Ok(Done { bytes_read: 0, bytes_written })
    }

    /// The middle of some rows of all partials, whose piles are read into `buffers`.
    fn merged_chunk(
        &self,
        partials: &[Opened],
        shape: &Partial,
        index: usize,
        buffers: &mut [Vec<u8>],
    ) -> Result<Middles, TaskError> {
        for (partial, buffer) in partials.iter().zip(&mut *buffers) {
            let read = partial.reader.frame_into(index, buffer);
            read.map_err(|error| self.lost(Kind::Partial, &partial.key, error))?;
        }
        let none = vec![Vec::new(); shape.bands.len()];
        let merge = |piles: &mut [Pile<'_>]| Middles::merge(shape.pixels(index), &none, piles);
        let read = partials.iter().zip(&*buffers);
        let mut piles: Vec<_> = read.clone().map(|(partial, bytes)| partial.header.pile(bytes)).collect();
        merge(&mut piles).map_err(|error| {
            // One of them is not what it should be: that which does not unpack by itself either.
            let bad = read.clone().find(|(partial, bytes)| merge(&mut [partial.header.pile(bytes)]).is_err());
            let key = bad.map_or(&partials[0].key, |(partial, _)| &partial.key);
            self.lost(Kind::Partial, key, not_a_pile("a partial", error))
        })
    }

    fn open_partials(&self, partials: &[PartialPlan]) -> Result<Vec<Opened>, TaskError> {
        let open = |planned: &PartialPlan| {
            let key = &planned.key;
            let reader = self.store.read(Kind::Partial, key)?;
            Ok(Opened { key: key.clone(), header: reader.meta(Kind::Partial.name(), key.as_str())?, reader })
        };
        let mut opened = Vec::with_capacity(partials.len());
        let mut lost = Vec::new();
        for planned in partials {
            match open(planned).map_err(|error| self.lost(Kind::Partial, &planned.key, error)) {
                Ok(partial) => opened.push(partial),
                Err(TaskError::InputsLost(mut keys)) => lost.append(&mut keys),
                Err(error) => return Err(error),
            }
        }
        if lost.is_empty() { Ok(opened) } else { Err(TaskError::InputsLost(lost)) }
    }

    /// What an input that cannot be read means: one that is missing or corrupt is discarded and made again.
    pub(super) fn lost(&self, kind: Kind, key: &Key, error: StoreError) -> TaskError {
        match error {
            StoreError::Missing(_) | StoreError::Corrupt { .. } => {
                tracing::warn!(artifact = kind.name(), %key, %error, "an artifact is lost and is made again");
                match self.store.discard(kind, key) {
                    Ok(()) => TaskError::InputsLost(vec![key.clone()]),
                    Err(error) => error.into(),
                }
            }
            other => other.into(),
        }
    }
}

fn planned(shard: &TileShard, subtile: usize) -> Result<&SubTilePlan, TaskError> {
    let none = || TaskError::Plan(format!("{} has no sub-tile {subtile}", shard.tile));
    shard.subtiles.get(subtile).ok_or_else(none)
}

fn shape(shard: &TileShard, planned: &SubTilePlan) -> Partial {
    let window = planned.at.window;
    Partial {
        width: window.width,
        height: window.height,
        rows_per_chunk: rows_per_chunk(window.width),
        bands: shard.recipe.bands.clone(),
        scenes: BTreeMap::new(),
    }
}

fn header(shard: &TileShard, shape: &Partial, scenes: BTreeMap<mosaic::ids::SystemIndex, u64>) -> CompositeHeader {
    CompositeHeader {
        width: shape.width,
        height: shape.height,
        rows_per_chunk: shape.rows_per_chunk,
        bands: shape.bands.clone(),
        dtype: shard.recipe.dtype,
        scenes,
    }
}
