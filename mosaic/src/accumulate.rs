//! Observations of one sub-tile, folded as they are read: at most one per datatake and pixel.
//!
//! ```text
//! granules of a datatake ─► first clear one counts ─► one observation ─► piles of a partial, or the middle at once
//! ```

use std::ops::Range;

use crate::bits::{BitView, Bits, OnesOf};
use crate::composite::{Composite, Finish};
use crate::kernel::{self, BadPack, Layer, Pile};
use crate::partial::Middles;

/// What one datatake saw of a sub-tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    clear: Bits,
    values: Vec<Vec<u16>>,
}

impl Observation {
    /// An observation that is clear where `clear` says so, in all bands alike; `values` are row-major, one plane per
    /// band, and may be anything where it is not clear.
    ///
    /// # Panics
    /// Where a plane has not as many pixels as the mask.
    #[must_use]
    pub fn new(clear: Bits, values: Vec<Vec<u16>>) -> Self {
        assert!(values.iter().all(|plane| plane.len() == clear.len()), "planes that are not of {} pixels", clear.len());
        Self { clear, values }
    }

    /// Where it is clear.
    #[must_use]
    pub fn clear(&self) -> &Bits {
        &self.clear
    }

    /// Takes from another granule of the same datatake what is not clear here; the number of pixels taken.
    ///
    /// # Panics
    /// Where the two differ in pixels or in the number of bands.
    pub fn absorb(&mut self, other: &Self) -> u64 {
        assert_eq!(self.values.len(), other.values.len(), "observations of different bands");
        let mut taken = other.clear.clone();
        taken.and_not(&self.clear);
        for (plane, from) in self.values.iter_mut().zip(&other.values) {
            copy_where(&taken, plane, from);
        }
        self.clear.or(&taken);
        taken.count_ones()
    }

    /// Bytes of heap that the observation takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.clear.bytes() + self.values.iter().map(|plane| plane.capacity() * size_of::<u16>()).sum::<usize>()
    }
}

/// Copies the pixels that are set; whole words of them at once, as granules overlap in large pieces.
fn copy_where(set: &Bits, to: &mut [u16], from: &[u16]) {
    for ((word, to), from) in set.words().iter().zip(to.chunks_mut(64)).zip(from.chunks(64)) {
        if *word == u64::MAX {
            to.copy_from_slice(from);
        } else {
            OnesOf(*word).for_each(|pixel| to[pixel] = from[pixel]);
        }
    }
}

/// The observations of one sub-tile, over one slice or the whole period.
#[derive(Clone, Debug)]
pub struct Observations {
    width: usize,
    height: usize,
    bands: usize,
    layers: Vec<Observation>,
}

impl Observations {
    /// None yet, of a sub-tile of `width` by `height` working pixels and this number of bands.
    #[must_use]
    pub fn new(width: usize, height: usize, bands: usize) -> Self {
        Self { width, height, bands, layers: Vec::new() }
    }

    /// Adds one datatake: its granules in the order of their `system:index`, each read only when it is its turn.
    /// Where they overlap, the first clear one counts. Returns how many clear pixels each granule gave, in that order;
    /// a datatake that gave none takes no memory.
    ///
    /// # Panics
    /// Where a granule has not the sub-tile's pixels or number of bands.
    pub fn push(&mut self, granules: impl IntoIterator<Item = Observation>) -> Vec<u64> {
        let mut whole: Option<Observation> = None;
        let add = |granule: Observation| {
            let shape = (granule.clear.len(), granule.values.len());
            assert_eq!(shape, (self.width * self.height, self.bands), "pixels and bands of a granule");
            if let Some(whole) = &mut whole {
                return whole.absorb(&granule);
            }
            whole.insert(granule).clear.count_ones()
        };
        let given = granules.into_iter().map(add).collect();
        self.layers.extend(whole.filter(|whole| whole.clear.any()));
        given
    }

    /// How many datatakes gave a clear pixel.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Bytes of heap that the observations take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(Observation::bytes).sum()
    }

    /// The middle values of some rows, without a sorted stack in between: for a median that nothing is merged into.
    ///
    /// # Panics
    /// Where the rows pass the sub-tile's lower edge.
    #[must_use]
    pub fn middle(&self, rows: Range<usize>) -> Middles {
        let mut counts = vec![0; rows.len() * self.width];
        let masks: Vec<BitView<'_>> = self.layers.iter().map(|layer| self.mask(layer, &rows)).collect();
        kernel::counts(&masks, &mut counts);
        Middles::of_layers(counts, &self.layers_of(&rows))
    }

    /// The middle values of some rows of these observations and of the piles together.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    ///
    /// # Panics
    /// Where the rows pass the sub-tile's lower edge.
    pub fn merge(&self, rows: Range<usize>, piles: &mut [Pile<'_>]) -> Result<Middles, BadPack> {
        if piles.is_empty() {
            return Ok(self.middle(rows));
        }
        Middles::merge(rows.len() * self.width, &self.layers_of(&rows), piles)
    }

    /// Some rows of these observations and of the piles together, finished.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    ///
    /// # Panics
    /// Where the rows pass the sub-tile's lower edge.
    pub fn finish(&self, rows: Range<usize>, piles: &mut [Pile<'_>], how: &Finish) -> Result<Composite, BadPack> {
        if how.needs_middles_alone() {
            return Ok(Composite::finish(&self.merge(rows, piles)?, how));
        }
        Composite::reduce(rows.len() * self.width, &self.layers_of(&rows), piles, how)
    }

    /// Packs some rows of these observations and of the piles together, behind what `out` holds.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    ///
    /// # Panics
    /// Where the rows pass the sub-tile's lower edge.
    pub fn pile(&self, rows: Range<usize>, piles: &mut [Pile<'_>], out: &mut Vec<u8>) -> Result<(), BadPack> {
        kernel::pile(rows.len() * self.width, &self.layers_of(&rows), piles, out)
    }

    fn mask<'a>(&self, layer: &'a Observation, rows: &Range<usize>) -> BitView<'a> {
        layer.clear.view(rows.start * self.width, rows.len() * self.width)
    }

    fn layers_of(&self, rows: &Range<usize>) -> Vec<Vec<Layer<'_>>> {
        let pixels = rows.start * self.width..rows.end * self.width;
        let of_band = |band: usize| {
            let layer = |from| Layer { values: &Self::plane(from, band)[pixels.clone()], clear: self.mask(from, rows) };
            self.layers.iter().map(layer).collect()
        };
        (0..self.bands).map(of_band).collect()
    }

    fn plane(observation: &Observation, band: usize) -> &[u16] {
        &observation.values[band]
    }
}
