//! Composites as the assembler asks for them, from many threads: read once, kept while there is room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use artifacts::{Kind, StoreError};
use lru::LruCache;
use mosaic::assemble::Composites;
use mosaic::composite::{Composite, CompositeHeader, Plane};
use mosaic::dark::Doubt;
use mosaic::ids::{Key, SystemIndex, TileId};
use mosaic::plan::OutputTile;
use mosaic::request::Dtype;

use super::{Executor, TaskError};
use crate::codec::decode_composite;

/// A sub-tile's place: tile, column, row.
type Place = (TileId, u16, u16);

/// A composite, once it is read. Who reads it holds the lock, so that nobody reads it twice; the others wait.
type Slot = Mutex<Option<Arc<Composite>>>;

/// The composites that an output tile reads.
pub struct Inputs<'a> {
    executor: &'a Executor,
    keys: HashMap<Place, Option<Key>>,
    bound: usize,
    kept: Mutex<Kept>,
    told: Mutex<Told>,
}

/// What composites say of scenes.
#[derive(Debug, Default)]
pub struct Told {
    /// Those that gave a clear pixel.
    pub contributors: BTreeSet<SystemIndex>,
    /// Those whose pixels contradict their offset.
    pub doubts: BTreeMap<SystemIndex, Doubt>,
}

/// What is kept, with the bytes that each takes: none while it is being read.
struct Kept {
    slots: LruCache<Place, (Arc<Slot>, usize)>,
    bytes: usize,
}

impl Kept {
    fn slot(&mut self, place: Place) -> Arc<Slot> {
        Arc::clone(&self.slots.get_or_insert_mut(place, Default::default).0)
    }

    /// Makes room for a composite, then counts it in.
    fn grow(&mut self, place: Place, bytes: usize, bound: usize) {
        while self.bytes + bytes > bound {
            match self.slots.pop_lru() {
                Some((dropped, (_, freed))) => {
                    self.bytes -= freed;
                    if dropped == place {
                        return;
                    }
                }
                None => return,
            }
        }
        if let Some((_, counted)) = self.slots.peek_mut(&place) {
            *counted = bytes;
            self.bytes += bytes;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Inputs<'a> {
    /// The inputs of a tile, but for those whose indices are in `missing`; about `bound` bytes of them are kept.
    #[must_use]
    pub fn new(executor: &'a Executor, tile: &OutputTile, missing: &[usize], bound: usize) -> Self {
        let place = |(index, input): (usize, &mosaic::plan::CompositeRef)| {
            let key = (!missing.contains(&index)).then(|| input.key.clone());
            ((input.tile, input.at.column, input.at.row), key)
        };
        let keys = tile.inputs.iter().enumerate().map(place).collect();
        let kept = Mutex::new(Kept { slots: LruCache::unbounded(), bytes: 0 });
        Self { executor, keys, bound, kept, told: Mutex::default() }
    }

    /// What the composites that were read say of scenes.
    #[must_use]
    pub fn into_told(self) -> Told {
        self.told.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, key: &Key) -> Result<Composite, TaskError> {
        let read = || -> Result<(Composite, CompositeHeader), StoreError> {
            let reader = self.executor.store.read(Kind::Composite, key)?;
            let header: CompositeHeader = reader.meta(Kind::Composite.name(), key.as_str())?;
            let mut whole = with_room(&header);
            for index in 0..reader.frames() {
                whole.append(decode_composite(&header, index, &reader.frame(index)?)?);
            }
            Ok((whole, header))
        };
        let (composite, header) = read().map_err(|error| self.executor.lost(Kind::Composite, key, error))?;
        let gave = header.scenes.into_iter().filter(|(_, pixels)| *pixels > 0);
        let mut told = lock(&self.told);
        told.contributors.extend(gave.map(|(scene, _)| scene));
        told.doubts.extend(header.doubts);
        Ok(composite)
    }
}

/// A composite without rows yet, that has not to be moved as it grows.
fn with_room(header: &CompositeHeader) -> Composite {
    let pixels = header.width * header.height;
    let plane = || match header.dtype {
        Dtype::Uint16 => Plane::U16(Vec::with_capacity(pixels)),
        Dtype::Float32 => Plane::F32(Vec::with_capacity(pixels)),
    };
    Composite { counts: Vec::with_capacity(pixels), bands: (0..header.planes()).map(|_| plane()).collect() }
}

impl Composites for Inputs<'_> {
    type Error = TaskError;

    fn get(&self, tile: TileId, column: u16, row: u16) -> Result<Option<Arc<Composite>>, TaskError> {
        let place = (tile, column, row);
        let unplanned = || TaskError::Plan(format!("the plan has no composite {tile}/{column}-{row}"));
        let Some(key) = self.keys.get(&place).ok_or_else(unplanned)? else { return Ok(None) };
        let slot = lock(&self.kept).slot(place);
        // Nothing below waits for another thread of the pool: one that waits here is waited for by nobody.
        let mut held = lock(&slot);
        if let Some(known) = &*held {
            return Ok(Some(Arc::clone(known)));
        }
        let composite = Arc::new(self.read(key)?);
        *held = Some(Arc::clone(&composite));
        lock(&self.kept).grow(place, composite.bytes(), self.bound);
        Ok(Some(composite))
    }
}
