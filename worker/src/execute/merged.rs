//! Composites of kept partials: merged, which leaves a core too, or the one that is new added to the core of the others.

use artifacts::container::Reader;
use artifacts::{Kind, StoreError, at_once};
use mosaic::composite::{Composite, Finish};
use mosaic::ids::Key;
use mosaic::kernel::{BadPack, Pile};
use mosaic::partial::{Middles, Partial};
use mosaic::plan::{PartialPlan, SubTilePlan, TileShard};
use proto::work::Done;
use tracing::field::Empty;

use super::aside::not_a_pile;
use super::fold::Needs;
use super::stopwatch::Stopwatch;
use super::subtile::{header, shape};
use super::{Cancel, Executor, TaskError};
use crate::codec::encode_composite;
use crate::read::Counters;

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
    buffers: Vec<Vec<u8>>,
}

impl Executor {
    /// Makes the composite of partials, a few rows at a time.
    pub(super) fn merged(
        &self,
        key: &Key,
        shard: &TileShard,
        planned: &SubTilePlan,
        cancel: &Cancel,
    ) -> Result<Done, TaskError> {
        let (shape, how) = (shape(shard, planned), shard.recipe.finish());
        let depth = shard.scenes.chunk_by(|a, b| a.datatake == b.datatake).count();
        let chunk = Needs::of(shape.width * shape.rows_per_chunk, shape.width, shape.bands.len(), depth);
        let whole = Needs::of(shape.width * shape.height, shape.width, shape.bands.len(), depth);
        let _room = self.room(whole.packed(depth))?;
        let _reserved = self.memory.reserve(chunk.most(depth), chunk.most(depth))?;
        let watch = Stopwatch::start();
        let partials = self.open_partials(&planned.partials)?;
        let mut scenes = shape.clone();
        partials.iter().for_each(|partial| scenes.merge_scenes(&partial.header));
        let header = header(shard, &scenes);
        let buffers = vec![Vec::new(); partials.len()];
        let mut merge = Merge { shape: &shape, partials, buffers };
        let path = self.store.called(Kind::Composite, key);
        let mut core_bytes = 0;
        let span = tracing::info_span!("merge", partials = planned.partials.len(), bytes = Empty).entered();
        let bytes = watch.writing(|| {
            self.store.write(Kind::Composite, key, header, |composites| {
                let mut put = |rows: &Composite| {
                    cancel.check()?;
                    let rows = encode_composite(rows);
                    Ok(watch.writing(|| composites.frame(&rows)).map_err(|e| StoreError::io(&path, e))?)
                };
                if !how.needs_middles_alone() {
                    self.bring(&merge.partials, false);
                    return watch.working(|| self.reduce(&mut merge, &how, put));
                }
                let core = watch.working(|| self.find_core(&mut merge.partials));
                self.bring(&merge.partials, core.is_some());
                let put = |middles: &Middles| put(&Composite::finish(middles, &how));
                watch.working(|| match core {
                    Some(core) => self.add_to(&core, &mut merge, put),
                    None => self.merge_to_core(&mut merge, put).map(|bytes| core_bytes = bytes),
                })
            })
        })?;
        span.record("bytes", bytes + core_bytes);
        Ok(watch.done(Counters::default(), bytes + core_bytes))
    }

    /// Has the partials that are to be read come at once from a store that is elsewhere. One that does not come is told
    /// of when it is read.
    fn bring(&self, partials: &[Opened], only_new: bool) {
        if self.store.is_remote() {
            at_once(partials, |partial| {
                if partial.is_new || !only_new {
                    let _ = partial.reader.bring();
                }
            });
        }
    }

    /// Merges all partials to what more than the middle values tell. No core would spare that.
    fn reduce(
        &self,
        merge: &mut Merge<'_>,
        how: &Finish,
        mut put: impl FnMut(&Composite) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let none = vec![Vec::new(); merge.shape.bands.len()];
        for index in 0..merge.shape.chunks() {
            let pixels = merge.shape.pixels(index);
            put(&self.chunk(merge, index, |piles| Composite::reduce(pixels, &none, piles, how))?)?;
        }
        Ok(())
    }

    /// Merges all partials, and keeps their core for the slice that comes next: the core's bytes.
    fn merge_to_core(
        &self,
        merge: &mut Merge<'_>,
        mut put: impl FnMut(&Middles) -> Result<(), TaskError>,
    ) -> Result<u64, TaskError> {
        let key = TileShard::core_key(&merge.partials.iter().map(|partial| &partial.key).collect::<Vec<_>>());
        let path = self.store.called(Kind::Core, &key);
        let mut core = Vec::new();
        self.store.write(Kind::Core, &key, (), |cores| {
            for index in 0..merge.shape.chunks() {
                core.clear();
                put(&self.merged_chunk(merge, index, &mut core)?)?;
                cores.frame(&core).map_err(|e| StoreError::io(&path, e))?;
            }
            Ok(())
        })
    }

    /// Adds the new partials to a core. Where it does not reach, or is none after all, all partials are merged.
    fn add_to(
        &self,
        core: &Core,
        merge: &mut Merge<'_>,
        mut put: impl FnMut(&Middles) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let mut bytes = Vec::new();
        for index in 0..merge.shape.chunks() {
            let added = match core.reader.frame_into(index, &mut bytes) {
                Ok(()) => self.added_chunk(merge, index, &bytes),
                Err(error) => {
                    self.without_core(&core.key, &error);
                    None
                }
            };
            match added {
                Some(middles) => put(&middles)?,
                None => put(&self.merged_chunk(merge, index, &mut Vec::new())?)?,
            }
        }
        Ok(())
    }

    /// The core of all partials, or of all but one. Marks those that it has.
    fn find_core(&self, partials: &mut [Opened]) -> Option<Core> {
        let but = |left: Option<usize>| (0..partials.len()).filter(move |&at| Some(at) != left).collect::<Vec<_>>();
        let choices = std::iter::once(but(None)).chain((0..partials.len()).rev().map(|left| but(Some(left))));
        for choice in choices.collect::<Vec<_>>() {
            let key = TileShard::core_key(&choice.iter().map(|&at| &partials[at].key).collect::<Vec<_>>());
            if !self.store.has(Kind::Core, &key).unwrap_or(false) {
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

    /// A core that cannot be used is no one's loss: all is merged instead, and another time there will be a new one.
    fn without_core(&self, key: &Key, error: &StoreError) {
        tracing::warn!(%key, %error, "a core cannot be used, all slices are merged");
        if let Err(error) = self.store.discard(Kind::Core, key) {
            tracing::warn!(%key, %error, "a core cannot be discarded");
        }
    }

    /// The middle of some rows of a core and of the new partials. None where the core does not reach, or one of them
    /// cannot be read: a merge of all tells which.
    fn added_chunk(&self, merge: &mut Merge<'_>, index: usize, core: &[u8]) -> Option<Middles> {
        let Merge { shape, partials, buffers } = merge;
        let mut piles = Vec::new();
        for (partial, buffer) in partials.iter().zip(buffers).filter(|(partial, _)| partial.is_new) {
            partial.reader.frame_into(index, buffer).ok()?;
            piles.push(partial.header.pile(buffer));
        }
        Middles::add(shape.pixels(index), shape.bands.len(), core, &mut piles).ok().flatten()
    }

    /// The middle of some rows of all partials, and their core.
    fn merged_chunk(&self, merge: &mut Merge<'_>, index: usize, core: &mut Vec<u8>) -> Result<Middles, TaskError> {
        let (pixels, bands) = (merge.shape.pixels(index), merge.shape.bands.len());
        self.chunk(merge, index, |piles| Middles::merge_to_core(pixels, bands, piles, core))
    }

    /// What `unpack` makes of some rows of all partials.
    fn chunk<T>(
        &self,
        merge: &mut Merge<'_>,
        index: usize,
        mut unpack: impl FnMut(&mut [Pile<'_>]) -> Result<T, BadPack>,
    ) -> Result<T, TaskError> {
        let Merge { partials, buffers, .. } = merge;
        for (partial, buffer) in partials.iter().zip(&mut *buffers) {
            let read = partial.reader.frame_into(index, buffer);
            read.map_err(|error| self.lost(Kind::Partial, &partial.key, error))?;
        }
        let read = || partials.iter().zip(&*buffers);
        let mut piles: Vec<_> = read().map(|(partial, bytes)| partial.header.pile(bytes)).collect();
        unpack(&mut piles).map_err(|error| {
            // One of them is not what it should be: that which does not unpack by itself either.
            let mut is_bad =
                |(partial, bytes): &(&Opened, &Vec<u8>)| unpack(&mut [partial.header.pile(bytes)]).is_err();
            let key = read().find(&mut is_bad).map_or(&partials[0].key, |(partial, _)| &partial.key);
            self.lost(Kind::Partial, key, not_a_pile("a partial", error))
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
