//! Blocks that are decoded next, inflated together: those of several bands of one scene.

use std::ops::Range;

use libdeflater::{DecompressionError, Decompressor};

use super::inflate::{Wanted, inflate};
use crate::inflate::{Inflater, Job, Refused};
use crate::read::layout::{Block, Fetched};

/// What is packed closer than this has long matches, in which libdeflate is at its best.
const PACKED: usize = 4;

/// A raster, by number, and its block.
pub(super) type Name = (usize, Block);

/// A block that was announced. What it takes of memory is used again for another.
#[derive(Default)]
struct Announced {
    name: Option<Name>,
    stored: Vec<u8>,
    range: Range<usize>,
    wanted: Wanted,
    room: Vec<u8>,
    /// Bytes that were inflated; refused where libdeflate is to do it.
    found: Option<Result<usize, Refused>>,
}

impl Announced {
    const fn is_waiting(&self) -> bool {
        self.name.is_some() && self.found.is_none()
    }

    fn job(&mut self) -> Job<'_> {
        let Wanted { full, needed } = self.wanted;
        let needed = if self.wanted.spares(needed) { needed } else { full };
        Job { stored: &self.stored[self.range.clone()], full, needed, room: &mut self.room }
    }
}

/// Blocks that were announced.
#[derive(Default)]
pub(super) struct Ahead {
    inflater: Inflater,
    announced: Vec<Announced>,
}

impl Ahead {
    /// Takes the bytes of a block, which will be asked for. Where it is not stored there is nothing to be done.
    pub(super) fn announce(&mut self, name: Name, fetched: &mut Fetched, wanted: Wanted) {
        let Some(range) = fetched.range(name.1).filter(|range| !range.is_empty()) else { return };
        let at = self.announced.iter().position(|announced| announced.name.is_none()).unwrap_or_else(|| {
            self.announced.push(Announced::default());
            self.announced.len() - 1
        });
        let free = &mut self.announced[at];
        let found = (range.len() * PACKED < wanted.full).then_some(Err(Refused));
        (free.name, free.range, free.wanted, free.found) = (Some(name), range, wanted, found);
        std::mem::swap(&mut free.stored, &mut fetched.bytes);
    }

    /// A block that was announced, inflated with all others that were; none where it was not.
    pub(super) fn take(
        &mut self,
        name: Name,
        libdeflate: &mut Decompressor,
    ) -> Option<Result<&[u8], DecompressionError>> {
        let at = self.announced.iter().position(|announced| announced.name == Some(name))?;
        if self.announced[at].found.is_none() {
            self.inflate();
        }
        let Announced { name, stored, range, wanted, room, found } = &mut self.announced[at];
        *name = None;
        Some(match found {
            Some(Ok(length)) => Ok(&room[..*length]),
            _ => inflate(libdeflate, &stored[range.clone()], *wanted, room),
        })
    }

    /// Forgets what was announced of a raster.
    pub(super) fn forget(&mut self, raster: usize) {
        let of_it = |announced: &&mut Announced| announced.name.is_some_and(|(of, _)| of == raster);
        self.announced.iter_mut().filter(of_it).for_each(|announced| announced.name = None);
    }

    /// Inflates what waits.
    fn inflate(&mut self) {
        let mut waiting: Vec<_> = self.announced.iter_mut().filter(|announced| announced.is_waiting()).collect();
        let found = self.inflater.inflate(waiting.iter_mut().map(|announced| announced.job()).collect());
        waiting.into_iter().zip(found).for_each(|(announced, found)| announced.found = Some(found));
    }
}
