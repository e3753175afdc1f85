//! Composites as the assembler asks for them: read once, kept while there is room.

use std::collections::HashMap;
use std::sync::Arc;

use artifacts::{Kind, StoreError};
use lru::LruCache;
use mosaic::assemble::Composites;
use mosaic::composite::{Composite, CompositeHeader};
use mosaic::ids::{Key, SystemIndex, TileId};
use mosaic::plan::OutputTile;

use super::{Executor, TaskError};
use crate::codec::decode_composite;

/// A sub-tile's place: tile, column, row.
type Place = (TileId, u16, u16);

/// The composites that an output tile reads.
pub struct Inputs<'a> {
    executor: &'a Executor,
    keys: HashMap<Place, Option<Key>>,
    kept: LruCache<Place, Arc<Composite>>,
    bytes: usize,
    bound: usize,
    /// Scenes that gave a clear pixel to a composite that was read.
    pub contributors: std::collections::BTreeSet<SystemIndex>,
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
        let contributors = std::collections::BTreeSet::new();
        Self { executor, keys, kept: LruCache::unbounded(), bytes: 0, bound, contributors }
    }

    fn read(&mut self, key: &Key) -> Result<Composite, TaskError> {
        let read = || -> Result<(Composite, CompositeHeader), StoreError> {
            let reader = self.executor.store.read(Kind::Composite, key)?;
            let header: CompositeHeader = reader.meta(Kind::Composite.name(), key.as_str())?;
            let mut whole = Composite {
                counts: Vec::with_capacity(header.width * header.height),
                bands: header.bands.iter().map(|_| mosaic::composite::Plane::nodata(header.dtype, 0)).collect(),
            };
            for index in 0..reader.frames() {
                whole.append(decode_composite(&header, index, &reader.frame(index)?)?);
            }
            Ok((whole, header))
        };
        let (composite, header) = read().map_err(|error| self.executor.lost(Kind::Composite, key, error))?;
        let gave = header.scenes.into_iter().filter(|(_, pixels)| *pixels > 0);
        self.contributors.extend(gave.map(|(scene, _)| scene));
        Ok(composite)
    }
}

impl Composites for Inputs<'_> {
    type Error = TaskError;

    fn get(&mut self, tile: TileId, column: u16, row: u16) -> Result<Option<Arc<Composite>>, TaskError> {
        let place = (tile, column, row);
        if let Some(kept) = self.kept.get(&place) {
            return Ok(Some(Arc::clone(kept)));
        }
        let unplanned = || TaskError::Plan(format!("the plan has no composite {tile}/{column}-{row}"));
        let Some(key) = self.keys.get(&place).ok_or_else(unplanned)?.clone() else { return Ok(None) };
        let composite = Arc::new(self.read(&key)?);
        self.bytes += composite.bytes();
        while self.bytes > self.bound {
            let Some((_, dropped)) = self.kept.pop_lru() else { break };
            self.bytes -= dropped.bytes();
        }
        self.kept.put(place, Arc::clone(&composite));
        Ok(Some(composite))
    }
}
