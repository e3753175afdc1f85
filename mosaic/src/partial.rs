//! Partials: what one slice of time leaves of a sub-tile, enough to finish the median later.
//!
//! ```text
//! layers of slice 1 ─► pile ┐
//! layers of slice 2 ─► pile ┼─► merge ─► pile       (any order, any grouping: the same bytes)
//! layers of slice 3 ─► pile ┘└─► middle ─► median   (without writing the merged pile down)
//! ```
//!
//! Beside a composite that was made of partials its core is kept: the ranks around the middle, enough to add a slice
//! without reading the other slices again.
//!
//! A pile is a few whole rows of a sub-tile: per pixel the number of clear observations, and per band their values
//! in ascending order, packed. Merging and finishing are the kernel again, with rank planes for layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::dark::Doubt;
use crate::ids::SystemIndex;
use crate::kernel::{self, BadPack, Layer, Pile};

/// About how many pixels a chunk has: enough for a frame to be worth its name, few enough to hold one of each slice.
pub const CHUNK_PIXELS: usize = 16 * 1024;

/// How many rows of a sub-tile `width` pixels wide make a chunk; at least one.
#[must_use]
pub fn rows_per_chunk(width: usize) -> usize {
    (CHUNK_PIXELS / width.max(1)).max(1)
}

/// What a partial says of itself, ahead of its piles: one for each chunk of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Columns of the sub-tile, in working pixels.
    pub width: usize,
    /// Rows of the sub-tile, in working pixels.
    pub height: usize,
    /// Rows of each chunk; the last one may have fewer.
    pub rows_per_chunk: usize,
    /// The bands, in the order in which a pile has them.
    pub bands: Vec<Band>,
    /// How many clear pixels each scene gave, 0 included.
    pub scenes: BTreeMap<SystemIndex, u64>,
    /// Scenes whose pixels contradict their offset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<SystemIndex, Doubt>,
}

impl Partial {
    /// How many chunks it has.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.height.div_ceil(self.rows_per_chunk)
    }

    /// How many pixels chunk `index` has.
    #[must_use]
    pub fn pixels(&self, index: usize) -> usize {
        self.width * self.rows_per_chunk.min(self.height.saturating_sub(index * self.rows_per_chunk))
    }

    /// One of its piles. No pixel of it has more observations than there were scenes.
    #[must_use]
    pub fn pile<'a>(&self, bytes: &'a [u8]) -> Pile<'a> {
        Pile::new(bytes, u16::try_from(self.scenes.len()).unwrap_or(u16::MAX))
    }

    /// Adds what the scenes of another partial of this sub-tile gave.
    pub fn merge_scenes(&mut self, other: &Self) {
        for (scene, pixels) in &other.scenes {
            *self.scenes.entry(scene.clone()).or_default() += pixels;
        }
        self.doubts.extend(other.doubts.iter().map(|(scene, doubt)| (scene.clone(), *doubt)));
    }
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

    /// The middle of piles and layers together, `layers` being those of each band, perhaps none.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    ///
    /// # Panics
    /// Where the layers are not all of `pixels` pixels.
    pub fn merge(pixels: usize, layers: &[Vec<Layer<'_>>], piles: &mut [Pile<'_>]) -> Result<Self, BadPack> {
        let mut merged = Self::zeros(pixels, layers.len());
        kernel::merge(layers, piles, merged.places())?;
        Ok(merged)
    }

    /// The middle of piles together, and their core behind what `core` holds.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    pub fn merge_to_core(
        pixels: usize,
        bands: usize,
        piles: &mut [Pile<'_>],
        core: &mut Vec<u8>,
    ) -> Result<Self, BadPack> {
        let mut merged = Self::zeros(pixels, bands);
        kernel::merge_to_core(piles, merged.places(), core)?;
        Ok(merged)
    }

    /// The middle of a core's values and the piles' together. None where the core does not reach.
    ///
    /// # Errors
    /// Where core or piles are not as they were packed.
    pub fn add(pixels: usize, bands: usize, core: &[u8], piles: &mut [Pile<'_>]) -> Result<Option<Self>, BadPack> {
        let mut added = Self::zeros(pixels, bands);
        Ok(kernel::add(core, piles, added.places())?.then_some(added))
    }

    fn zeros(pixels: usize, bands: usize) -> Self {
        let planes = vec![vec![0; pixels]; bands];
        Self { counts: vec![0; pixels], lower: planes.clone(), upper: planes }
    }

    fn places(&mut self) -> kernel::Middles<'_> {
        let Self { counts, lower, upper } = self;
        kernel::Middles { counts, lower, upper }
    }
}
