//! Partials and composites: the tasks of one sub-tile.

use std::collections::BTreeMap;

use artifacts::{Kind, StoreError};
use mosaic::composite::{Composite, CompositeHeader};
use mosaic::ids::Key;
use mosaic::partial::{Partial, rows_per_chunk};
use mosaic::plan::{SceneInput, SubTilePlan, TileShard};
use proto::work::Done;
use tracing::field::Empty;

use super::fold::{Fold, Needs};
use super::stopwatch::Stopwatch;
use super::{Cancel, Executor, TaskError};
use crate::codec::encode_composite;
use crate::read::{Observer, Opener, Traffic, blocks_under, is_image, is_remote};

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
        self.folded(shard, planned, &scenes, cancel, |fold, watch| {
            let header = fold.header();
            self.store.write(Kind::Partial, key, header, |writer| {
                let path = self.store.called(Kind::Partial, key);
                let mut frame =
                    |pile: &[u8]| watch.writing(|| writer.frame(pile)).map_err(|e| StoreError::io(&path, e));
                watch.working(|| fold.piles(|pile| Ok(frame(pile)?)))
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
        self.folded(shard, planned, &scenes, cancel, |fold, watch| {
            let header = header(shard, fold.header());
            self.store.write(Kind::Composite, key, header, |writer| {
                let path = self.store.called(Kind::Composite, key);
                let mut frame =
                    |rows: &[u8]| watch.writing(|| writer.frame(rows)).map_err(|e| StoreError::io(&path, e));
                let put = |rows: &Composite| Ok(frame(&encode_composite(rows))?);
                watch.working(|| fold.composite(&shard.recipe.finish(), put))
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
        keep: impl FnOnce(&Fold<'_>, &Stopwatch) -> Result<u64, TaskError>,
    ) -> Result<Done, TaskError> {
        let window = shard.grid.windowed(&planned.at.window);
        let header = shape(shard, planned);
        let depth = scenes.chunk_by(|a, b| a.datatake == b.datatake).count();
        let read = window.with_rim(usize::from(shard.recipe.edge_erosion));
        let (pixels, bands) = (read.width * read.height, header.bands.len());
        let mut needs = Needs::of(pixels, read.width, bands, depth);
        if scenes.iter().any(|scene| is_remote(&scene.score.href) || scene.bands.iter().any(|f| is_remote(&f.href))) {
            needs = needs.with_ahead(pixels, bands);
        }
        if scenes.iter().any(|scene| is_image(&scene.score.href) || scene.bands.iter().any(|f| is_image(&f.href))) {
            let (blocks, block) = blocks_under(&read, shard.recipe.edge_erosion > 0);
            needs = needs.with_images(blocks, block, bands);
        }
        let _room = self.room(needs.packed(depth))?;
        let reserved = self.memory.reserve(needs.least(), needs.most(depth))?;
        let watch = Stopwatch::start();
        let mut opener = Opener::new(&self.headers).with_ahead(needs.ahead).with_images(needs.images);
        let mut observer =
            Observer::new(&mut opener, &shard.recipe, window).map_err(|error| TaskError::Plan(error.to_string()))?;
        let mut fold = Fold::new(&self.store, header, reserved.bytes().saturating_sub(needs.fixed));
        fold.read(&mut observer, scenes, cancel)?;
        let write = tracing::info_span!("write", bytes = Empty).entered();
        let bytes_written = watch.writing(|| keep(&fold, &watch))?;
        write.record("bytes", bytes_written);
        let Traffic { requests, bytes: bytes_received, retries } = observer.traffic();
        Ok(Done { requests, bytes_received, retries, ..watch.done(observer.counters(), bytes_written) })
    }

    /// What an input that cannot be read means: it is made again. One that is corrupt is discarded; one that is missing
    /// may have been made by now.
    pub(super) fn lost(&self, kind: Kind, key: &Key, error: StoreError) -> TaskError {
        match error {
            StoreError::Missing(_) | StoreError::Corrupt { .. } => {
                tracing::warn!(artifact = kind.name(), %key, %error, "an artifact is lost and is made again");
                let is_there = matches!(error, StoreError::Corrupt { .. });
                match if is_there { self.store.discard(kind, key) } else { Ok(()) } {
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

pub(super) fn shape(shard: &TileShard, planned: &SubTilePlan) -> Partial {
    let window = planned.at.window;
    Partial {
        width: window.width,
        height: window.height,
        rows_per_chunk: rows_per_chunk(window.width),
        bands: shard.recipe.bands.clone(),
        scenes: BTreeMap::new(),
        doubts: BTreeMap::new(),
    }
}

pub(super) fn header(shard: &TileShard, made_of: &Partial) -> CompositeHeader {
    CompositeHeader {
        width: made_of.width,
        height: made_of.height,
        rows_per_chunk: made_of.rows_per_chunk,
        bands: made_of.bands.clone(),
        products: shard.recipe.products.clone(),
        dtype: shard.recipe.dtype,
        scenes: made_of.scenes.clone(),
        doubts: made_of.doubts.clone(),
    }
}
