//! What a fold has put aside: piles of packed ranks, in memory while there is room, else in a scratch file.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;

use artifacts::container::{Reader, Writer};
use artifacts::{ArtifactStore, Scratch, StoreError};
use mosaic::kernel::BadPack;

use super::TaskError;

/// One pile for each chunk of rows, of the same observations.
enum Pack {
    Memory(Vec<Box<[u8]>>),
    Scratch(Reader),
}

impl Pack {
    fn bytes(&self) -> usize {
        match self {
            Self::Memory(piles) => piles.iter().map(|pile| pile.len()).sum(),
            Self::Scratch(_) => 0,
        }
    }
}

/// Packs of observations that were put aside.
pub struct Aside<'a> {
    store: &'a ArtifactStore,
    packs: Vec<Pack>,
    scratch: Option<Scratch>,
}

impl<'a> Aside<'a> {
    /// Nothing yet.
    pub fn new(store: &'a ArtifactStore) -> Self {
        Self { store, packs: Vec::new(), scratch: None }
    }

    /// How many packs there are.
    pub fn len(&self) -> usize {
        self.packs.len()
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.packs.iter().map(Pack::bytes).sum()
    }

    /// Puts aside what `pile` packs for each of so many chunks. What makes them more than `room` bytes of memory goes
    /// to a file, and all of its pack with it.
    pub fn put(
        &mut self,
        chunks: usize,
        room: usize,
        mut pile: impl FnMut(usize, &mut Vec<u8>) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let room = room.saturating_sub(self.bytes());
        let (mut piles, mut held, mut buffer) = (Vec::with_capacity(chunks), 0, Vec::new());
        for index in 0..chunks {
            buffer.clear();
            pile(index, &mut buffer)?;
            held += buffer.len();
            piles.push(Box::from(buffer.as_slice()));
            if held > room {
                return self.spill(piles, chunks, pile);
            }
        }
        self.packs.push(Pack::Memory(piles));
        Ok(())
    }

    /// Frees memory: packs go to files, the greatest first, until no more than so many bytes are left.
    pub fn shrink(&mut self, bytes: usize) -> Result<(), TaskError> {
        while self.bytes() > bytes {
            let greatest = (0..self.packs.len()).max_by_key(|&at| self.packs[at].bytes());
            let Some(greatest) = greatest else { break };
            if let Pack::Memory(piles) = self.packs.swap_remove(greatest) {
                let chunks = piles.len();
                self.spill(piles, chunks, |_, _| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Writes a pack to a file: the piles that there are, then those that are still to be made.
    fn spill(
        &mut self,
        piles: Vec<Box<[u8]>>,
        chunks: usize,
        mut pile: impl FnMut(usize, &mut Vec<u8>) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => self.store.scratch()?,
        };
        let path = self.scratch.insert(scratch).path().join(self.packs.len().to_string());
        let said = |e| StoreError::io(&path, e);
        let file = File::create_new(&path).map_err(said)?;
        let mut writer = Writer::new(BufWriter::new(file), "aside", "", ()).map_err(said)?;
        let made = piles.len();
        for pile in piles {
            writer.frame(&pile).map_err(said)?;
        }
        let mut buffer = Vec::new();
        for index in made..chunks {
            buffer.clear();
            pile(index, &mut buffer)?;
            writer.frame(&buffer).map_err(said)?;
        }
        let (_, out) = writer.finish().map_err(said)?;
        out.into_inner().map_err(|e| said(e.into_error()))?;
        self.packs.push(Pack::Scratch(Reader::open(&path)?));
        Ok(())
    }

    /// The piles of chunk `index`, one of each pack.
    pub fn piles(&self, index: usize) -> Result<Vec<Cow<'_, [u8]>>, TaskError> {
        let mut piles = Vec::with_capacity(self.packs.len());
        for pack in &self.packs {
            piles.push(match pack {
                Pack::Memory(piles) => Cow::Borrowed(&*piles[index]),
                Pack::Scratch(reader) => Cow::Owned(reader.frame(index)?),
            });
        }
        Ok(piles)
    }
}

/// What it means that a pile, whose bytes passed their checksum, does not unpack.
pub fn not_a_pile(what: &str, error: BadPack) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), why: error.to_string() }
}
