//! Composites of kept partials: merged, or the new ones added to the core of the others.

use artifacts::container::Reader;
use artifacts::{Kind, StoreError};
use mosaic::composite::Composite;
use mosaic::ids::Key;
use mosaic::kernel::Pile;
use mosaic::partial::{Middles, Partial};
use mosaic::plan::{PartialPlan, SubTilePlan, TileShard};
use proto::work::Done;

use super::aside::not_a_pile;
use super::fold::Needs;
use super::subtile::{header, shape};
use super::{Cancel, Executor, TaskError};
use crate::codec::encode_composite;

/// A partial that is being read.
struct Opened {
    key: Key,
    header: Partial,
    reader: Reader,
    /// Whether the core that is used does not have it yet.
    is_new: bool,
}

/// The core of some of the partials.
struct Core {
    key: Key,
    reader: Reader,
}

/// What a merge reads, and its buffers.
struct Merge<'a> {
    shape: &'a Partial,
    partials: Vec<Opened>,
    core: Option<Core>,
    buffers: Vec<Vec<u8>>,
    /// The new core of the chunk that was merged last.
    new_core: Vec<u8>,
}

impl Executor {
    /// Makes the composite of partials, a few rows at a time, and their core.
    pub(super) fn merged(
        &self,
        key: &Key,
        shard: &TileShard,
        planned: &SubTilePlan,
        cancel: &Cancel,
    ) -> Result<Done, TaskError> {
        let shape = shape(shard, planned);
        let depth = shard.scenes.chunk_by(|a, b| a.datatake == b.datatake).count();
        let chunk = Needs::of(shape.width * shape.rows_per_chunk, shape.width, shape.bands.len(), depth);
        let _reserved = self.memory.reserve(chunk.most(depth), chunk.most(depth));
        let mut partials = self.open_partials(&planned.partials)?;
        let mut scenes = shape.clone();
        partials.iter().for_each(|partial| scenes.merge_scenes(&partial.header));
        let header = header(shard, &shape, scenes.scenes);
        let keys: Vec<&Key> = planned.partials.iter().map(|partial| &partial.key).collect();
        let core = self.find_core(&keys, &mut partials);
        let buffers = vec![Vec::new(); partials.len() + 1];
        let mut merge = Merge { shape: &shape, partials, core, buffers, new_core: Vec::new() };
        let (path, core_key) = (self.store.path(Kind::Composite, key), TileShard::core_key(&keys));
        let core_path = self.store.path(Kind::Core, &core_key);
        let mut core_bytes = 0;
        let bytes = self.store.write(Kind::Composite, key, header, |composites| {
            core_bytes = self.store.write(Kind::Core, &core_key, (), |cores| {
                for index in 0..shape.height.div_ceil(shape.rows_per_chunk) {
                    cancel.check()?;
                    let middles = self.merged_chunk(&mut merge, index)?;
                    let rows = Composite::finish(&middles, shard.recipe.dtype, shard.recipe.min_observations);
                    composites.frame(&encode_composite(&rows)).map_err(|e| StoreError::io(&path, e))?;
                    cores.frame(&merge.new_core).map_err(|e| StoreError::io(&core_path, e))?;
                }
                Ok::<_, TaskError>(())
            })?;
            Ok::<_, TaskError>(())
        })?;
        Ok(Done { bytes_read: 0, bytes_written: bytes + core_bytes })
    }

    /// The core of as many of the partials as there is one of: of all, of all but one, else of the first ones. Marks
    /// the partials that it does not have.
    fn find_core(&self, keys: &[&Key], partials: &mut [Opened]) -> Option<Core> {
        let count = keys.len();
        let but_one = (0..count).rev().map(|left| (0..count).filter(|&at| at != left).collect());
        let firsts = (1..count.saturating_sub(1)).rev().map(|upto| (0..upto).collect());
        let choices = std::iter::once((0..count).collect::<Vec<_>>()).chain(but_one).chain(firsts);
        for choice in choices {
            let key = TileShard::core_key(&choice.iter().map(|&at| keys[at]).collect::<Vec<_>>());
            if !self.store.has(Kind::Core, &key) {
                continue;
            }
            let reader = self.store.read(Kind::Core, &key);
            let opened = reader.and_then(|reader| reader.meta::<()>(Kind::Core.name(), key.as_str()).map(|()| reader));
            match opened {
                Ok(reader) => {
                    choice.into_iter().for_each(|at| partials[at].is_new = false);
                    return Some(Core { key, reader });
                }
                Err(error) => self.without_core(&key, &error),
            }
        }
        None
    }

    /// A core that cannot be used is no one's loss: all is merged instead, and there will be a new one.
    fn without_core(&self, key: &Key, error: &StoreError) {
        tracing::warn!(%key, %error, "a core cannot be used, all slices are merged");
        if let Err(error) = self.store.discard(Kind::Core, key) {
            tracing::warn!(%key, %error, "a core cannot be discarded");
        }
    }

    /// The middle of some rows of all partials.
    fn merged_chunk(&self, merge: &mut Merge<'_>, index: usize) -> Result<Middles, TaskError> {
        if let Some(core) = merge.core.take() {
            let read = core.reader.frame_into(index, merge.core_buffer());
            match read {
                Ok(()) => {
                    merge.core = Some(core);
                    // Where the core does not reach, or is none after all, everything is merged.
                    if let Some(middles) = self.added(merge, index, true).ok().flatten() {
                        return Ok(middles);
                    }
                }
                Err(error) => self.without_core(&core.key, &error),
            }
        }
        let failed =
            |merge: &Merge<'_>| TaskError::Plan(format!("chunk {index} of {} has no middle", merge.shape.height));
        self.added(merge, index, false)?.ok_or_else(|| failed(merge))
    }

    /// Adds the new partials to the core, or all partials to none.
    fn added(&self, merge: &mut Merge<'_>, index: usize, to_core: bool) -> Result<Option<Middles>, TaskError> {
        let Merge { shape, partials, buffers, new_core, .. } = merge;
        let wanted = |partial: &Opened| partial.is_new || !to_core;
        let Some((core, buffers)) = buffers.split_last_mut() else { return Ok(None) };
        for (partial, buffer) in partials.iter().zip(&mut *buffers).filter(|(partial, _)| wanted(partial)) {
            let read = partial.reader.frame_into(index, buffer);
            read.map_err(|error| self.lost(Kind::Partial, &partial.key, error))?;
        }
        let read: Vec<_> = partials.iter().zip(&*buffers).filter(|(partial, _)| wanted(partial)).collect();
        let pixels = shape.pixels(index);
        let mut add = |piles: &mut [Pile<'_>]| {
            new_core.clear();
            Middles::add(pixels, shape.bands.len(), to_core.then_some(core.as_slice()), piles, new_core)
        };
        let mut piles: Vec<_> = read.iter().map(|(partial, bytes)| partial.header.pile(bytes)).collect();
        add(&mut piles).map_err(|error| {
            // One of them is not what it should be: that which does not unpack by itself either.
            let bad = read.iter().find(|(partial, bytes)| add(&mut [partial.header.pile(bytes)]).is_err());
            let key = bad.map_or(&partials[0].key, |(partial, _)| &partial.key);
            let error = not_a_pile("a partial", error);
            if to_core { error.into() } else { self.lost(Kind::Partial, key, error) }
        })
    }

    fn open_partials(&self, partials: &[PartialPlan]) -> Result<Vec<Opened>, TaskError> {
        let open = |planned: &PartialPlan| {
            let key = planned.key.clone();
            let reader = self.store.read(Kind::Partial, &key)?;
            let header = reader.meta(Kind::Partial.name(), key.as_str())?;
            Ok(Opened { key, header, reader, is_new: true })
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
}

impl Merge<'_> {
    /// Where the core's bytes of a chunk go: behind the partials' buffers.
    fn core_buffer(&mut self) -> &mut Vec<u8> {
        let last = self.partials.len();
        &mut self.buffers[last]
    }
}
