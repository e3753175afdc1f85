//! Folds scenes into a sub-tile within a bound of memory.
//!
//! Observations gather in memory as they are read. When the bound is reached they are sorted and put aside on disk, in
//! the form of a partial; in the end all that was put aside merges with what is still in memory, a few rows at a time.
//! So every block is decoded once, whatever the depth, and the result is the same whatever the bound.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;

use artifacts::container::{Reader, Writer};
use artifacts::{ArtifactStore, Scratch, StoreError};
use mosaic::accumulate::{Observation, Observations};
use mosaic::ids::SystemIndex;
use mosaic::partial::{Chunk, Middles, Partial, rows_per_chunk};
use mosaic::plan::SceneInput;

use super::{Cancel, TaskError};
use crate::codec::{decode_chunk, encode_chunk};
use crate::read::Observer;

/// What a fold takes of memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Without a single observation: buffers of reading, and the chunk that is being sorted and encoded.
    pub fixed: usize,
    /// For each observation.
    pub observation: usize,
}

impl Needs {
    /// Needs of a window of so many pixels and bands, for so many observations.
    #[must_use]
    pub fn of(pixels: usize, width: usize, bands: usize, depth: usize) -> Self {
        let observation = 2 * pixels * bands + pixels / 8;
        let chunk = 2 * depth * bands * width * rows_per_chunk(width);
        // A scene that is being read: its planes, and a block of scores as float32 with the flags made of it.
        Self { fixed: observation + 8 * pixels + 2 * chunk, observation }
    }

    /// The least that a fold can do with: two observations at a time.
    #[must_use]
    pub const fn least(&self) -> usize {
        self.fixed + 2 * self.observation
    }

    /// What spares it from putting anything aside.
    #[must_use]
    pub const fn most(&self, depth: usize) -> usize {
        self.fixed + depth * self.observation
    }
}

/// Scenes being folded.
pub struct Fold<'a> {
    store: &'a ArtifactStore,
    header: Partial,
    observations: Observations,
    /// Bytes of observations that may be held.
    bound: usize,
    aside: Vec<Reader>,
    scratch: Option<Scratch>,
}

impl<'a> Fold<'a> {
    /// Nothing yet; `header` says the shape, `bound` how many bytes of observations may be held.
    #[must_use]
    pub fn new(store: &'a ArtifactStore, header: Partial, bound: usize) -> Self {
        let observations = Observations::new(header.width, header.height, header.bands.len());
        Self { store, header, observations, bound, aside: Vec::new(), scratch: None }
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
        for datatake in scenes.chunk_by(|a, b| a.datatake == b.datatake) {
            let mut granules: Vec<Observation> = Vec::new();
            let mut seen: Vec<&SystemIndex> = Vec::new();
            for scene in datatake {
                cancel.check()?;
                self.header.scenes.entry(scene.system_index.clone()).or_default();
                if let Some(granule) = observer.observe(scene)? {
                    granules.push(granule);
                    seen.push(&scene.system_index);
                }
            }
            let held: usize = granules.iter().map(Observation::bytes).max().unwrap_or(0);
            if self.observations.depth() > 0 && self.observations.bytes() + held > self.bound {
                self.put_aside()?;
            }
            let given = self.observations.push(granules);
            for (scene, pixels) in seen.into_iter().zip(given) {
                *self.header.scenes.entry(scene.clone()).or_default() += pixels;
            }
        }
        Ok(())
    }

    /// How many clear pixels each scene gave.
    #[must_use]
    pub fn scenes(&self) -> &BTreeMap<SystemIndex, u64> {
        &self.header.scenes
    }

    /// What the partial says of itself.
    #[must_use]
    pub const fn header(&self) -> &Partial {
        &self.header
    }

    fn put_aside(&mut self) -> Result<(), TaskError> {
        if self.scratch.is_none() {
            self.scratch = Some(self.store.scratch()?);
        }
        let Some(scratch) = &self.scratch else { return Ok(()) };
        let path = scratch.path().join(self.aside.len().to_string());
        let said = |e| StoreError::io(&path, e);
        let file = File::create(&path).map_err(said)?;
        let mut writer = Writer::new(BufWriter::new(file), "aside", "", ()).map_err(said)?;
        let empty = Observations::new(self.header.width, self.header.height, self.header.bands.len());
        for chunk in std::mem::replace(&mut self.observations, empty).into_chunks(self.header.rows_per_chunk) {
            writer.frame(&encode_chunk(&chunk)).map_err(said)?;
        }
        let (_, out) = writer.finish().map_err(said)?;
        out.into_inner().map_err(|e| said(e.into_error()))?;
        self.aside.push(Reader::open(&path)?);
        tracing::debug!(pile = self.aside.len(), "observations are put aside, to merge in the end");
        Ok(())
    }

    /// The row ranges of the chunks, in order.
    fn rows(&self) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let (height, step) = (self.header.height, self.header.rows_per_chunk);
        (0..height).step_by(step).enumerate().map(move |(index, top)| (index, top..(top + step).min(height)))
    }

    /// A chunk of each pile: of what was put aside, and of what is in memory.
    fn piles(&self, index: usize, rows: Range<usize>) -> Result<Vec<Chunk>, TaskError> {
        let mut piles = Vec::with_capacity(self.aside.len() + 1);
        for aside in &self.aside {
            piles.push(decode_chunk(&self.header, index, &aside.frame(index)?)?);
        }
        piles.push(self.observations.chunk(rows));
        Ok(piles)
    }

    /// Hands out the chunks of the partial, from the top.
    ///
    /// # Errors
    /// Where what was put aside cannot be read, or `each` fails.
    pub fn chunks(&self, mut each: impl FnMut(&Chunk) -> Result<(), TaskError>) -> Result<(), TaskError> {
        for (index, rows) in self.rows() {
            let piles = self.piles(index, rows)?;
            match piles.as_slice() {
                [only] => each(only)?,
                many => each(&Chunk::merge(&many.iter().collect::<Vec<_>>()))?,
            }
        }
        Ok(())
    }

    /// Hands out the middle values, from the top, as many rows at a time as a chunk has.
    ///
    /// # Errors
    /// Where what was put aside cannot be read, or `each` fails.
    pub fn middles(&self, mut each: impl FnMut(&Middles) -> Result<(), TaskError>) -> Result<(), TaskError> {
        for (index, rows) in self.rows() {
            if self.aside.is_empty() {
                each(&self.observations.middle(rows))?;
            } else {
                let piles = self.piles(index, rows)?;
                each(&Chunk::middle(&piles.iter().collect::<Vec<_>>()))?;
            }
        }
        Ok(())
    }
}
