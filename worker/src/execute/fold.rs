//! Folds scenes into a sub-tile within a bound of memory.
//!
//! Observations gather in memory as they are read. When the bound is near they are sorted and packed, in the form of a
//! partial, which takes a third of the room, and put aside: in memory, then on disk. In the end all that was put aside
//! merges with what is still loose, a few rows at a time. So every block is decoded once, whatever the depth, and the
//! result is the same whatever the bound.

use std::ops::Range;

use artifacts::ArtifactStore;
use mosaic::accumulate::{Observation, Observations};
use mosaic::composite::{Composite, Finish};
use mosaic::ids::SystemIndex;
use mosaic::kernel::{BadPack, Pile};
use mosaic::partial::{Partial, rows_per_chunk};
use mosaic::plan::SceneInput;

use super::aside::{Aside, not_a_pile};
use super::{Cancel, TaskError};
use crate::read::{AT_ONCE, Observer};

/// Observations half of which are clear take about this part of their room when they are packed.
const PACKED: usize = 3;

/// Blocks of images that come before they are needed, at most: those around a window that lies on no lattice.
const BLOCKS_AHEAD: usize = 9;

/// What a fold takes of memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Without a single observation: buffers of reading, and the chunk that is being sorted and packed.
    pub fixed: usize,
    /// For each observation.
    pub observation: usize,
    /// Of `fixed`, what may come from other machines before it is needed.
    pub ahead: usize,
    /// Of `fixed`, blocks of Earth Engine's images that are there or under way.
    pub images: usize,
}

impl Needs {
    /// Needs of a window of so many pixels and bands, for so many observations.
    #[must_use]
    pub fn of(pixels: usize, width: usize, bands: usize, depth: usize) -> Self {
        let observation = 2 * pixels * bands + pixels / 8;
        let chunk = 2 * depth * bands * width * rows_per_chunk(width);
        // A scene that is being read: its planes, a block of scores as float32 with the flags made of it, and a block of
        // each band that is read at once, stored and inflated.
        let blocks = 4 * pixels * bands.min(AT_ONCE);
        Self { fixed: observation + 8 * pixels + blocks + 2 * chunk, observation, ahead: 0, images: 0 }
    }

    /// The same for scenes on other machines: the stored blocks of one scene, and the score of the next, come ahead.
    #[must_use]
    pub const fn with_ahead(self, pixels: usize, bands: usize) -> Self {
        let ahead = 2 * pixels * bands + 4 * pixels;
        Self { fixed: self.fixed + ahead, ahead, ..self }
    }

    /// The same for scenes of Earth Engine's: whole blocks of so many pixels come, of all bands of one scene together and
    /// of the next one's score, and two requests are taken apart at a time.
    #[must_use]
    pub fn with_images(self, blocks: usize, block: usize, bands: usize) -> Self {
        let come = block * (2 * bands + 8);
        let images = blocks.min(BLOCKS_AHEAD) * come;
        Self { fixed: self.fixed + images + 2 * come, images, ..self }
    }

    /// Bytes of files that so many observations may take, put aside, brought from the store, or written: packed they are
    /// about half as large, and there twice at most.
    #[must_use]
    pub const fn packed(&self, depth: usize) -> usize {
        self.observation * depth
    }

    /// The least that a fold can do with: two observations at a time.
    #[must_use]
    pub const fn least(&self) -> usize {
        self.fixed + 2 * self.observation
    }

    /// What spares it from putting anything aside: room for all, and to pack them, as is asked of it at each one.
    #[must_use]
    pub const fn most(&self, depth: usize) -> usize {
        let loose = depth * self.observation;
        self.fixed + loose + loose.div_ceil(PACKED)
    }
}

/// Scenes being folded.
pub struct Fold<'a> {
    header: Partial,
    observations: Observations,
    /// Bytes of observations, loose and packed, that may be held.
    bound: usize,
    aside: Aside<'a>,
}

impl<'a> Fold<'a> {
    /// Nothing yet; `header` says the shape, `bound` how many bytes of observations may be held, loose and packed.
    #[must_use]
    pub fn new(store: &'a ArtifactStore, header: Partial, bound: usize) -> Self {
        let observations = Observations::new(header.width, header.height, header.bands.len());
        Self { header, observations, bound, aside: Aside::new(store) }
    }

    /// Reads the scenes, which are in order of datatake and then of `system:index`.
    ///
    /// # Errors
    /// The first scene that cannot be read.
    pub fn read(
        &mut self,
        observer: &mut Observer<'_>,
        scenes: &[&SceneInput],
        cancel: &Cancel,
    ) -> Result<(), TaskError> {
        let mut following = scenes.iter().skip(1);
        for datatake in scenes.chunk_by(|a, b| a.datatake == b.datatake) {
            let mut granules: Vec<Observation> = Vec::new();
            let mut seen: Vec<&SystemIndex> = Vec::new();
            for scene in datatake {
                cancel.check()?;
                self.header.scenes.entry(scene.system_index.clone()).or_default();
                if let Some(granule) = observer.observe(scene, following.next().copied())? {
                    granules.push(granule);
                    seen.push(&scene.system_index);
                }
            }
            let held: usize = granules.iter().map(Observation::bytes).max().unwrap_or(0);
            if self.observations.depth() > 0 && self.is_full(held) {
                self.put_aside()?;
            }
            self.header.doubts.append(&mut observer.doubts());
            let given = self.observations.push(granules);
            for (scene, pixels) in seen.into_iter().zip(given) {
                *self.header.scenes.entry(scene.clone()).or_default() += pixels;
            }
        }
        Ok(())
    }

    /// What the partial says of itself.
    #[must_use]
    pub const fn header(&self) -> &Partial {
        &self.header
    }

    /// Whether so many more bytes leave no room to pack what is held.
    fn is_full(&self, more: usize) -> bool {
        let loose = self.observations.bytes() + more;
        self.aside.bytes() + loose + loose / PACKED > self.bound
    }

    fn put_aside(&mut self) -> Result<(), TaskError> {
        let empty = Observations::new(self.header.width, self.header.height, self.header.bands.len());
        let loose = std::mem::replace(&mut self.observations, empty);
        let rows: Vec<_> = self.rows().map(|(_, rows)| rows).collect();
        let pile = |index: usize, out: &mut Vec<u8>| {
            loose.pile(rows[index].clone(), &mut [], out).map_err(|e| not_a_pile("nothing", e).into())
        };
        self.aside.put(rows.len(), self.bound.saturating_sub(loose.bytes()), pile)?;
        drop(loose);
        // Room is left for observations to gather in, lest every few of them make a pack.
        self.aside.shrink(self.bound / 2)?;
        tracing::debug!(packs = self.aside.len(), "observations are put aside, to merge in the end");
        Ok(())
    }

    /// The row ranges of the chunks, in order.
    fn rows(&self) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let (height, step) = (self.header.height, self.header.rows_per_chunk);
        (0..height).step_by(step).enumerate().map(move |(index, top)| (index, top..(top + step).min(height)))
    }

    /// Hands the piles of a chunk that were put aside to `merge`.
    fn with_piles<T>(
        &self,
        index: usize,
        merge: impl FnOnce(&mut [Pile<'_>]) -> Result<T, BadPack>,
    ) -> Result<T, TaskError> {
        let packed = self.aside.piles(index)?;
        let mut piles: Vec<Pile<'_>> = packed.iter().map(|bytes| self.header.pile(bytes)).collect();
        merge(&mut piles).map_err(|e| not_a_pile("what was put aside", e).into())
    }

    /// Hands out the piles of the partial, from the top.
    ///
    /// # Errors
    /// Where what was put aside cannot be read, or `each` fails.
    pub fn piles(&self, mut each: impl FnMut(&[u8]) -> Result<(), TaskError>) -> Result<(), TaskError> {
        let mut bytes = Vec::new();
        for (index, rows) in self.rows() {
            bytes.clear();
            self.with_piles(index, |piles| self.observations.pile(rows, piles, &mut bytes))?;
            each(&bytes)?;
        }
        Ok(())
    }

    /// Hands out the composite, from the top, as many rows at a time as a chunk has.
    ///
    /// # Errors
    /// Where what was put aside cannot be read, or `each` fails.
    pub fn composite(
        &self,
        how: &Finish,
        mut each: impl FnMut(&Composite) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        for (index, rows) in self.rows() {
            each(&self.with_piles(index, |piles| self.observations.finish(rows, piles, how))?)?;
        }
        Ok(())
    }
}
