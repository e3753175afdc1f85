//! Piles of packed ranks and loose layers together, to their middle or to another pile, 256 pixels at a time: what is
//! unpacked never leaves the first caches.
//!
//! ```text
//! a pile, per group of 256 pixels:   plane of counts │ band 0: plane of rank 0, of rank 1, … │ band 1: …
//! ```
//!
//! A group has as many rank planes as its greatest count. The last group is filled up with pixels that have none.

use super::dispatch::{Job, Level};
use super::lanes::{LANES, Masks, Row, Stack};
use super::network::Ranks;
use super::plane::{WIDE, Wide, pack, unpack};
use super::tile::{Ahead, Tile};
use super::{BadPack, Layer, Programs, pick};

/// Ranks of some pixels, packed, as they are read from the front.
pub struct Pile<'a> {
    bytes: &'a [u8],
    most: u16,
    counts: Wide,
    ranks: Vec<Wide>,
}

impl<'a> Pile<'a> {
    /// What [`pile`] has packed; no pixel has more than `most` values.
    #[must_use]
    pub const fn new(bytes: &'a [u8], most: u16) -> Self {
        Self { bytes, most, counts: Wide::of(0), ranks: Vec::new() }
    }

    /// Goes on to the next group: the greatest count there.
    #[inline(always)]
    pub(super) fn next_group(&mut self) -> Result<usize, BadPack> {
        unpack(&mut self.bytes, &Wide::of(0), &mut self.counts)?;
        let depth = self.counts.max();
        if depth > self.most {
            return Err(BadPack::Depth { depth, most: self.most });
        }
        self.ranks.resize(depth.into(), Wide::of(0));
        Ok(depth.into())
    }

    /// Goes on to the group's next band.
    #[inline(always)]
    pub(super) fn next_band(&mut self) -> Result<(), BadPack> {
        let mut below = &Wide::of(0);
        for rank in &mut self.ranks {
            unpack(&mut self.bytes, below, rank)?;
            below = rank;
        }
        Ok(())
    }

    /// Adds the group's counts to others.
    #[inline(always)]
    pub(super) fn add_counts(&self, sum: &mut Wide) {
        sum.0.iter_mut().zip(self.counts.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }

    /// Puts 64 pixels of the band into the stack.
    #[inline(always)]
    pub(super) fn push(&self, quarter: usize, stack: &mut Stack) {
        let ranks = self.ranks.iter().map(|rank| rank.quarter(quarter));
        stack.push_ranks(ranks, &Row(*self.counts.quarter(quarter)));
    }

    /// What is not read yet.
    pub(super) const fn rest(&self) -> &[u8] {
        self.bytes
    }
}

/// Where middle values go, as [`super::middle`] has them.
pub struct Middles<'a> {
    /// How many values each pixel has.
    pub counts: &'a mut [u16],
    /// Lower middle values by band.
    pub lower: &'a mut [Vec<u16>],
    /// Upper middle values by band.
    pub upper: &'a mut [Vec<u16>],
}

impl Middles<'_> {
    /// How many pixels they are.
    ///
    /// # Panics
    /// Where they differ in pixels or in bands.
    pub(super) fn pixels(&self) -> usize {
        let pixels = self.counts.len();
        assert_eq!(self.lower.len(), self.upper.len(), "outputs of different bands");
        let fits = |plane: &Vec<u16>| plane.len() == pixels;
        assert!(self.lower.iter().chain(&*self.upper).all(fits), "outputs that are not of {pixels} pixels");
        pixels
    }

    /// Puts the values of some pixels of a band.
    #[inline(always)]
    pub(super) fn put(&mut self, band: usize, at: usize, (lower, upper): &(Row, Row)) {
        put(&mut self.lower[band][at..], &lower.0);
        put(&mut self.upper[band][at..], &upper.0);
    }
}

/// The middle values of the piles and layers together, `layers` by band.
///
/// # Errors
/// Where a pile is not as it was packed. (What is checked is what could do harm: bytes have their own checksums.)
///
/// # Panics
/// Where layers and outputs are not all of one length, or not of as many bands.
pub fn merge(layers: &[Vec<Layer<'_>>], piles: &mut [Pile<'_>], middles: Middles<'_>) -> Result<(), BadPack> {
    merge_at(Level::best(), layers, piles, middles)
}

pub(super) fn merge_at(
    level: Level,
    layers: &[Vec<Layer<'_>>],
    piles: &mut [Pile<'_>],
    middles: Middles<'_>,
) -> Result<(), BadPack> {
    assert_eq!(layers.len(), middles.lower.len(), "inputs and outputs of different bands");
    let programs = Programs::new(0, Ranks::Middle);
    gather(level, middles.pixels(), layers, piles, Picker { middles, programs })
}

/// Packs all values of the piles and layers together, in order, behind what `out` holds.
///
/// # Errors
/// Where a pile is not as it was packed.
///
/// # Panics
/// Where the layers are not all of `pixels` pixels.
pub fn pile(
    pixels: usize,
    layers: &[Vec<Layer<'_>>],
    piles: &mut [Pile<'_>],
    out: &mut Vec<u8>,
) -> Result<(), BadPack> {
    pile_at(Level::best(), pixels, layers, piles, out)
}

pub(super) fn pile_at(
    level: Level,
    pixels: usize,
    layers: &[Vec<Layer<'_>>],
    piles: &mut [Pile<'_>],
    out: &mut Vec<u8>,
) -> Result<(), BadPack> {
    gather(
        level,
        pixels,
        layers,
        piles,
        Packer { programs: Programs::new(0, Ranks::All), counts: Wide::of(0), ranks: Vec::new(), out },
    )
}

pub(super) fn gather<S: Sink>(
    level: Level,
    pixels: usize,
    layers: &[Vec<Layer<'_>>],
    piles: &mut [Pile<'_>],
    sink: S,
) -> Result<(), BadPack> {
    layers.iter().for_each(|layers| super::check(layers, pixels));
    let mut result = Ok(());
    level.run(Gather { pixels, layers, piles, sink, result: &mut result });
    result?;
    if piles.iter().all(|pile| pile.bytes.is_empty()) { Ok(()) } else { Err(BadPack::Long) }
}

/// What becomes of a group's values.
pub(super) trait Sink {
    const RANKS: Ranks;

    /// A group begins, `start` its first pixel.
    fn group(&mut self, start: usize, counts: &Wide);

    /// Takes the 64 pixels from `start + LANES * quarter` on.
    fn quarter(&mut self, band: usize, start: usize, quarter: usize, stack: &mut Stack, ahead: &mut Ahead<'_>);

    /// The band's four quarters are taken.
    fn band(&mut self);
}

/// Which layers the four quarters of a group need.
type Quarters<'a> = Tile<'a, { WIDE / LANES }>;

struct Gather<'a, 'b, S> {
    pixels: usize,
    layers: &'a [Vec<Layer<'a>>],
    piles: &'a mut [Pile<'b>],
    sink: S,
    result: &'a mut Result<(), BadPack>,
}

impl<S: Sink> Job for Gather<'_, '_, S> {
    #[inline(always)]
    fn run<M: Masks>(mut self) {
        let (mut stack, mut tile) = (Stack::new(0, S::RANKS), Tile::default());
        for group in 0..self.pixels.div_ceil(WIDE) {
            let done = self.group::<M>(group, &mut stack, &mut tile);
            if done.is_err() {
                *self.result = done;
                return;
            }
        }
    }
}

impl<'a, S: Sink> Gather<'a, '_, S> {
    #[inline(always)]
    fn group<M: Masks>(&mut self, group: usize, stack: &mut Stack, tile: &mut Quarters<'a>) -> Result<(), BadPack> {
        let start = group * WIDE;
        let (mut counts, mut depth) = (Wide::of(0), 0);
        for pile in &mut *self.piles {
            depth += pile.next_group()?;
            pile.add_counts(&mut counts);
        }
        let layers = self.layers.first().map_or(&[][..], Vec::as_slice);
        for quarter in 0..WIDE / LANES {
            let sum = counts.quarter_mut(quarter);
            for layer in layers {
                let clear = M::mask(layer.clear.word(start / LANES + quarter));
                sum.iter_mut().zip(clear.0).for_each(|(sum, clear)| *sum = sum.saturating_add(clear & 1));
            }
        }
        // One more to make them even.
        stack.reserve(layers.len() + depth + 1);
        self.sink.group(start, &counts);
        for (band, layers) in self.layers.iter().enumerate() {
            for pile in &mut *self.piles {
                pile.next_band()?;
            }
            tile.read(layers, group);
            for quarter in 0..(self.pixels - start).min(WIDE).div_ceil(LANES) {
                let live = tile.group(quarter);
                stack.fill::<M>(live);
                for pile in &*self.piles {
                    pile.push(quarter, stack);
                }
                self.sink.quarter(band, start, quarter, stack, &mut live.ahead(WIDE));
            }
            self.sink.band();
        }
        Ok(())
    }
}

/// Copies as many as there is room for.
#[inline(always)]
pub(super) fn put(to: &mut [u16], from: &[u16]) {
    let n = to.len().min(from.len());
    to[..n].copy_from_slice(&from[..n]);
}

struct Picker<'a> {
    middles: Middles<'a>,
    programs: Programs,
}

impl Sink for Picker<'_> {
    const RANKS: Ranks = Ranks::Middle;

    #[inline(always)]
    fn group(&mut self, start: usize, counts: &Wide) {
        put(&mut self.middles.counts[start..], &counts.0);
    }

    #[inline(always)]
    fn quarter(&mut self, band: usize, start: usize, quarter: usize, stack: &mut Stack, ahead: &mut Ahead<'_>) {
        self.middles.put(band, start + LANES * quarter, &pick(stack, &mut self.programs, ahead));
    }

    #[inline(always)]
    fn band(&mut self) {}
}

struct Packer<'a> {
    programs: Programs,
    counts: Wide,
    ranks: Vec<Wide>,
    out: &'a mut Vec<u8>,
}

impl Sink for Packer<'_> {
    const RANKS: Ranks = Ranks::All;

    #[inline(always)]
    fn group(&mut self, _: usize, counts: &Wide) {
        self.counts = *counts;
        pack(counts, &Wide::of(0), &Wide::of(1), 0, self.out);
        self.ranks.resize(counts.max().into(), Wide::of(0));
    }

    #[inline(always)]
    fn quarter(&mut self, _: usize, _: usize, quarter: usize, stack: &mut Stack, ahead: &mut Ahead<'_>) {
        let depth = stack.rows().len();
        stack.apply(self.programs.of(depth), ahead);
        for (rank, row) in self.ranks.iter_mut().zip(stack.rows()) {
            *rank.quarter_mut(quarter) = row.0;
        }
    }

    #[inline(always)]
    fn band(&mut self) {
        let mut below = &Wide::of(0);
        for (rank, values) in self.ranks.iter().enumerate() {
            pack(values, below, &self.counts, rank as u16, self.out);
            below = values;
        }
    }
}

/// The values of each pixel of a pile of one band.
#[cfg(test)]
pub(super) fn unpacked(bytes: &[u8], pixels: usize) -> Vec<Vec<u16>> {
    let mut pile = Pile::new(bytes, u16::MAX);
    let mut values = Vec::new();
    for _ in 0..pixels.div_ceil(WIDE) {
        pile.next_group().unwrap();
        pile.next_band().unwrap();
        let of_pixel = |p: usize| pile.ranks[..pile.counts.0[p].into()].iter().map(|rank| rank.0[p]).collect();
        values.extend((0..WIDE).map(of_pixel));
    }
    assert!(pile.bytes.is_empty() && values[pixels..].iter().all(Vec::is_empty));
    values.truncate(pixels);
    values
}
