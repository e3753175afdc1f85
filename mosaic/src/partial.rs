//! Partials: what one slice of time leaves of a sub-tile, enough to finish the median later.
//!
//! ```text
//! layers of slice 1 ─► chunk ┐
//! layers of slice 2 ─► chunk ┼─► merge ─► chunk     (any order, any grouping: the same content)
//! layers of slice 3 ─► chunk ┘└─► middle ─► median  (without writing the merged chunk down)
//! ```
//!
//! A chunk is a few whole rows of a sub-tile: per pixel the number of clear observations, and per band their values
//! in ascending order. Merging and finishing are the kernel again, with rank planes for layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::bits::Bits;
use crate::ids::SystemIndex;
use crate::kernel::{self, Layer};

/// About how many pixels a chunk has: its stack stays in the second-level cache for a month of observations.
pub const CHUNK_PIXELS: usize = 16 * 1024;

/// How many rows of a sub-tile `width` pixels wide make a chunk; at least one.
#[must_use]
pub fn rows_per_chunk(width: usize) -> usize {
    (CHUNK_PIXELS / width.max(1)).max(1)
}

/// What a partial says of itself, ahead of its chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Columns of the sub-tile, in working pixels.
    pub width: usize,
    /// Rows of the sub-tile, in working pixels.
    pub height: usize,
    /// Rows of each chunk; the last one may have fewer.
    pub rows_per_chunk: usize,
    /// The bands, in the order of [`Chunk::ranks`].
    pub bands: Vec<Band>,
    /// How many clear pixels each scene gave, 0 included.
    pub scenes: BTreeMap<SystemIndex, u64>,
}

impl Partial {
    /// Adds what the scenes of another partial of this sub-tile gave.
    pub fn merge_scenes(&mut self, other: &Self) {
        for (scene, pixels) in &other.scenes {
            *self.scenes.entry(scene.clone()).or_default() += pixels;
        }
    }
}

/// Some whole rows of one sub-tile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// How many pixels.
    pub pixels: usize,
    /// Clear observations per pixel.
    pub counts: Vec<u16>,
    /// Per band `depth * pixels` values, `depth` the greatest count: rank plane r, which starts at `r * pixels`, has
    /// each pixel's (r+1)-th smallest clear value, and 0 where its count is not above r.
    pub ranks: Vec<Vec<u16>>,
}

/// Per pixel the two middle values of each band, and the number of clear observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Middles {
    /// Clear observations per pixel.
    pub counts: Vec<u16>,
    /// Per band the lower middle value of each pixel, 0 where nothing is clear.
    pub lower: Vec<Vec<u16>>,
    /// Per band the upper middle value of each pixel, 0 where nothing is clear.
    pub upper: Vec<Vec<u16>>,
}

impl Middles {
    /// The middle of layers that share their masks over the bands, `layers` being those of each band.
    ///
    /// # Panics
    /// Where the layers are not all of `pixels` pixels, or the counts not theirs.
    pub(crate) fn of_layers(counts: Vec<u16>, layers: &[Vec<Layer<'_>>]) -> Self {
        let middle_of = |layers: &Vec<Layer<'_>>| {
            let (mut lower, mut upper) = (vec![0; counts.len()], vec![0; counts.len()]);
            kernel::middle(layers, &mut lower, &mut upper);
            (lower, upper)
        };
        let (lower, upper) = layers.iter().map(middle_of).unzip();
        Self { counts, lower, upper }
    }
}

/// A chunk that no run of this program can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChunk {
    /// There is not one count for each pixel.
    #[error("chunk of {pixels} pixels with {counts} counts")]
    Counts {
        /// Pixels of the chunk.
        pixels: usize,
        /// Counts found.
        counts: usize,
    },
    /// A band has not as many rank planes as the greatest count.
    #[error("chunk of depth {depth} with {values} values in band {band}")]
    Depth {
        /// Position of the band in the chunk.
        band: usize,
        /// The greatest count.
        depth: usize,
        /// Values found.
        values: usize,
    },
    /// A pixel's values do not ascend, or there is one past its count.
    #[error("chunk with values out of order in band {band}, rank {rank}")]
    Order {
        /// Position of the band in the chunk.
        band: usize,
        /// The rank plane, counted from 0.
        rank: usize,
    },
}

impl Chunk {
    /// The chunk of `pixels` pixels that these layers make, `bands` being the layers of each band, which share their
    /// masks over the bands.
    ///
    /// # Panics
    /// Where the layers are not all of `pixels` pixels.
    #[must_use]
    pub fn from_layers(pixels: usize, bands: &[Vec<Layer<'_>>]) -> Self {
        let masks: Vec<_> = bands.first().into_iter().flatten().map(|layer| layer.clear).collect();
        let mut counts = vec![0; pixels];
        kernel::counts(&masks, &mut counts);
        let ranks = bands.iter().map(|layers| kernel::sort(layers, &counts)).collect();
        Self { pixels, counts, ranks }
    }

    /// The greatest count, which is the number of rank planes.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0).into()
    }

    /// Bytes of heap that the chunk takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.counts.capacity() + self.ranks.iter().map(Vec::capacity).sum::<usize>()) * size_of::<u16>()
    }

    /// All of the chunks' observations in one chunk, whatever their order. Of no chunks: the empty chunk.
    ///
    /// # Panics
    /// Where the chunks differ in pixels or in the number of bands.
    #[must_use]
    pub fn merge(chunks: &[&Self]) -> Self {
        let masks = Masks::of(chunks);
        let counts = Self::sum_counts(chunks);
        let ranks = masks.layers(chunks).iter().map(|layers| kernel::sort(layers, &counts)).collect();
        Self { pixels: counts.len(), counts, ranks }
    }

    /// The middle values of all of the chunks' observations together.
    ///
    /// # Panics
    /// Where the chunks differ in pixels or in the number of bands.
    #[must_use]
    pub fn middle(chunks: &[&Self]) -> Middles {
        let masks = Masks::of(chunks);
        Middles::of_layers(Self::sum_counts(chunks), &masks.layers(chunks))
    }

    fn sum_counts(chunks: &[&Self]) -> Vec<u16> {
        let mut sum = vec![0_u16; chunks.first().map_or(0, |chunk| chunk.pixels)];
        for chunk in chunks {
            assert_eq!(chunk.counts.len(), sum.len(), "chunks of different sizes");
            for (sum, &count) in sum.iter_mut().zip(&chunk.counts) {
                *sum += count;
            }
        }
        sum
    }

    /// Whether the chunk is as the fields say: for what comes from a file.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self) -> Result<(), BadChunk> {
        if self.counts.len() != self.pixels {
            return Err(BadChunk::Counts { pixels: self.pixels, counts: self.counts.len() });
        }
        let depth = self.depth();
        for (band, values) in self.ranks.iter().enumerate() {
            if Some(values.len()) != depth.checked_mul(self.pixels) {
                return Err(BadChunk::Depth { band, depth, values: values.len() });
            }
            if let Some(rank) = (0..depth).find(|&rank| !self.is_ordered(values, rank)) {
                return Err(BadChunk::Order { band, rank });
            }
        }
        Ok(())
    }

    /// Whether a rank plane is nowhere below the one before, and 0 past the counts.
    fn is_ordered(&self, values: &[u16], rank: usize) -> bool {
        let plane = |rank: usize| &values[rank * self.pixels..][..self.pixels];
        let fits = |(&value, &below): (&u16, &u16), &count: &u16| {
            if usize::from(count) > rank { value >= below } else { value == 0 }
        };
        let none = vec![0; if rank == 0 { self.pixels } else { 0 }];
        let below = if rank == 0 { &none } else { plane(rank - 1) };
        // Without a branch out of the loop: it is vectorised.
        plane(rank).iter().zip(below).zip(&self.counts).fold(true, |good, (pair, count)| good & fits(pair, count))
    }
}

/// Where each rank plane of some chunks is valid.
struct Masks(Vec<Vec<Bits>>);

impl Masks {
    fn of(chunks: &[&Chunk]) -> Self {
        let of_chunk = |chunk: &&Chunk| {
            let above = |rank| Bits::from_pixels(&chunk.counts, |count| usize::from(count) > rank);
            (0..chunk.depth()).map(above).collect()
        };
        Self(chunks.iter().map(of_chunk).collect())
    }

    /// Per band, the rank planes of all chunks as the kernel's layers.
    fn layers<'a>(&'a self, chunks: &[&'a Chunk]) -> Vec<Vec<Layer<'a>>> {
        let bands = chunks.first().map_or(0, |chunk| chunk.ranks.len());
        assert!(chunks.iter().all(|chunk| chunk.ranks.len() == bands), "chunks of different bands");
        let of_band = |band: usize| {
            let planes = chunks
                .iter()
                .zip(&self.0)
                .flat_map(move |(chunk, masks)| chunk.ranks[band].chunks_exact(chunk.pixels.max(1)).zip(masks));
            planes.map(|(values, clear)| Layer { values, clear: clear.as_view() }).collect()
        };
        (0..bands).map(of_band).collect()
    }
}
