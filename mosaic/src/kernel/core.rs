//! Cores: the ranks around the middle, kept so that observations can be added without reading the earlier ones again.
//!
//! ```text
//! a core, per group of 256 pixels:   plane of counts │ band 0: plane of slot 0, of slot 1, … │ band 1: …
//! ```
//!
//! Slot j of a pixel with n values holds that of rank ⌊n/2⌋ - SLOTS/2 + j, where there is such a rank. The values below
//! are no greater than the least slot's, those above no less than the greatest one's. So with zeros and 65535 for slots
//! without a rank, and pads low and high in turn, first high where n is odd, the slots sort together with c values that
//! are added, and the middle of all n + c comes to lie in the middle. It is the true one where it lies between the
//! least and the greatest slot: so for up to SLOTS - 2 values that are added, and for most pixels for a few more.

use super::dispatch::{Job, Level};
use super::lanes::{LANES, Masks, Row, Stack};
use super::merge::{self, Middles, Pile, Sink, put};
use super::network::Ranks;
use super::plane::{WIDE, Wide, pack, unpack};
use super::tile::Ahead;
use super::{BadPack, Programs};

/// Ranks that a core keeps of each pixel and band; even.
pub const SLOTS: usize = 8;
const HALF: u16 = (SLOTS / 2) as u16;

/// The middle values of piles together, and their core behind what `core` holds.
///
/// # Errors
/// Where a pile is not as it was packed.
///
/// # Panics
/// Where the outputs differ in pixels or in bands.
pub fn merge_to_core(piles: &mut [Pile<'_>], middles: Middles<'_>, core: &mut Vec<u8>) -> Result<(), BadPack> {
    merge_to_core_at(Level::best(), piles, middles, core)
}

pub(super) fn merge_to_core_at(
    level: Level,
    piles: &mut [Pile<'_>],
    middles: Middles<'_>,
    core: &mut Vec<u8>,
) -> Result<(), BadPack> {
    let (pixels, none) = (middles.pixels(), vec![Vec::new(); middles.lower.len()]);
    let programs = Programs::new(0, Ranks::Window);
    let sink = Packer { middles, programs, counts: Wide::of(0), slots: [Wide::of(0); SLOTS], out: core };
    merge::gather(level, pixels, &none, piles, sink)
}

/// The middle values of a core's values and the piles' together. False where the core does not reach that far for
/// every pixel: then what was put out means nothing.
///
/// # Errors
/// Where core or piles are not as they were packed.
///
/// # Panics
/// Where the outputs differ in pixels or in bands.
pub fn add(core: &[u8], piles: &mut [Pile<'_>], middles: Middles<'_>) -> Result<bool, BadPack> {
    add_at(Level::best(), core, piles, middles)
}

pub(super) fn add_at(level: Level, core: &[u8], piles: &mut [Pile<'_>], middles: Middles<'_>) -> Result<bool, BadPack> {
    middles.pixels();
    let mut result = Ok(true);
    level.run(Add { core: Core::new(core), piles, middles, result: &mut result });
    result
}

/// All ones or zero: what vectors compare to.
#[inline(always)]
const fn mask(yes: bool) -> u16 {
    if yes { u16::MAX } else { 0 }
}

/// The first slot of a pixel with so many values that holds a rank, and the one after the last.
#[inline(always)]
const fn slots_of(count: u16) -> (u16, u16) {
    let half = count / 2;
    (HALF.saturating_sub(half), HALF.saturating_add(count - half))
}

/// The middle values of 64 pixels, given the row below the middle and that above.
#[inline(always)]
fn middle(counts: &Row, below: &Row, above: &Row) -> (Row, Row) {
    let (mut lower, mut upper) = (Row::of(0), Row::of(0));
    for lane in 0..LANES {
        let (any, odd) = (mask(counts.0[lane] != 0), mask(counts.0[lane] & 1 == 1));
        lower.0[lane] = ((above.0[lane] & odd) | (below.0[lane] & !odd)) & any;
        upper.0[lane] = above.0[lane] & any;
    }
    (lower, upper)
}

/// Packs cores.
struct Packer<'a> {
    middles: Middles<'a>,
    programs: Programs,
    counts: Wide,
    slots: [Wide; SLOTS],
    out: &'a mut Vec<u8>,
}

impl Sink for Packer<'_> {
    const RANKS: Ranks = Ranks::Window;

    #[inline(always)]
    fn group(&mut self, start: usize, counts: &Wide) {
        self.counts = *counts;
        put(&mut self.middles.counts[start..], &counts.0);
        pack(counts, &Wide::of(0), &Wide::of(1), 0, self.out);
        // Pixels past the last one have no values.
        self.slots = [Wide::of(0); SLOTS];
    }

    #[inline(always)]
    fn quarter(&mut self, band: usize, start: usize, quarter: usize, stack: &mut Stack, ahead: &mut Ahead<'_>) {
        stack.even();
        let depth = stack.rows().len();
        stack.apply(self.programs.of(depth), ahead);
        let counts = Row(*self.counts.quarter(quarter));
        let mut below = Row::of(0);
        for (slot, values) in self.slots.iter_mut().enumerate() {
            let row = (depth / 2 + slot).checked_sub(SLOTS / 2).and_then(|at| stack.rows().get(at));
            let row = row.copied().unwrap_or(Row::of(0));
            let at = slot as u16;
            for lane in 0..LANES {
                let (from, upto) = slots_of(counts.0[lane]);
                let is_rank = mask(at >= from) & mask(at < upto);
                // What is no rank repeats what is below it: it takes no bits.
                below.0[lane] = (row.0[lane] & is_rank) | (below.0[lane] & !is_rank);
            }
            *values.quarter_mut(quarter) = below.0;
        }
        let slot = |slot: usize| Row(*self.slots[slot].quarter(quarter));
        let found = middle(&counts, &slot(SLOTS / 2 - 1), &slot(SLOTS / 2));
        self.middles.put(band, start + LANES * quarter, &found);
    }

    #[inline(always)]
    fn band(&mut self) {
        let mut below = &Wide::of(0);
        for slot in &self.slots {
            pack(slot, below, &Wide::of(1), 0, self.out);
            below = slot;
        }
    }
}

/// A group of a core; the bytes are those that follow it.
struct Core<'a> {
    bytes: &'a [u8],
    counts: Wide,
    slots: [Wide; SLOTS],
}

impl<'a> Core<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, counts: Wide::of(0), slots: [Wide::of(0); SLOTS] }
    }

    #[inline(always)]
    fn next_group(&mut self) -> Result<(), BadPack> {
        unpack(&mut self.bytes, &Wide::of(0), &mut self.counts)
    }

    #[inline(always)]
    fn next_band(&mut self) -> Result<(), BadPack> {
        let mut below = &Wide::of(0);
        for slot in &mut self.slots {
            unpack(&mut self.bytes, below, slot)?;
            below = slot;
        }
        Ok(())
    }

    /// Puts 64 pixels into the stack, slots without a rank as the least and the greatest of values. Between which
    /// values all is known: from the first slot on, or from 0 where there is nothing below it, and so upwards.
    #[inline(always)]
    fn push(&self, quarter: usize, stack: &mut Stack) -> (Row, Row) {
        let counts = Row(*self.counts.quarter(quarter));
        let (mut low, mut high) = (Row::of(0), Row::of(u16::MAX));
        for (slot, values) in (0..).zip(&self.slots) {
            let mut row = Row(*values.quarter(quarter));
            for lane in 0..LANES {
                let (from, upto) = slots_of(counts.0[lane]);
                row.0[lane] = (row.0[lane] | mask(slot >= upto)) & !mask(slot < from);
            }
            stack.push(&row);
            // A slot without a rank is one past all that there are.
            if slot == 0 {
                low = row;
            }
            high = row;
        }
        for lane in 0..LANES {
            // The outermost slots' ranks may be the outermost of all.
            low.0[lane] &= mask(counts.0[lane] / 2 > HALF);
            high.0[lane] |= mask(counts.0[lane] - counts.0[lane] / 2 <= HALF);
        }
        (low, high)
    }
}

struct Add<'a, 'b, 'c> {
    core: Core<'a>,
    piles: &'a mut [Pile<'b>],
    middles: Middles<'c>,
    result: &'a mut Result<bool, BadPack>,
}

impl Job for Add<'_, '_, '_> {
    #[inline(always)]
    fn run<M: Masks>(mut self) {
        let mut stack = Stack::new(0, Ranks::Window);
        let mut programs = Programs::new(0, Ranks::Middle);
        for group in 0..self.middles.counts.len().div_ceil(WIDE) {
            let reached = self.group(group * WIDE, &mut stack, &mut programs);
            if reached != Ok(true) {
                *self.result = reached;
                return;
            }
        }
        if !self.core.bytes.is_empty() || self.piles.iter().any(|pile| !pile.rest().is_empty()) {
            *self.result = Err(BadPack::Long);
        }
    }
}

impl Add<'_, '_, '_> {
    /// One group of pixels; whether the core reaches.
    #[inline(always)]
    fn group(&mut self, start: usize, stack: &mut Stack, programs: &mut Programs) -> Result<bool, BadPack> {
        self.core.next_group()?;
        let (mut counts, mut rows) = (self.core.counts, SLOTS + 1);
        for pile in &mut *self.piles {
            rows += pile.next_group()?;
            pile.add_counts(&mut counts);
        }
        stack.reserve(rows);
        put(&mut self.middles.counts[start..], &counts.0);
        // Lane by lane: a sum over lanes at every step would be made one by one.
        let mut short = Row::of(0);
        for band in 0..self.middles.lower.len() {
            self.core.next_band()?;
            for pile in &mut *self.piles {
                pile.next_band()?;
            }
            for quarter in 0..(self.middles.counts.len() - start).min(WIDE).div_ceil(LANES) {
                let (low, high) = self.sorted(quarter, stack, programs);
                let counts = Row(*counts.quarter(quarter));
                let at = stack.rows().len() / 2;
                let (below, above) = (stack.rows()[at - 1], stack.rows()[at]);
                let (lower, upper) = middle(&counts, &below, &above);
                for lane in 0..LANES {
                    let is_known = mask(lower.0[lane] >= low.0[lane]) & mask(upper.0[lane] <= high.0[lane]);
                    short.0[lane] |= mask(counts.0[lane] != 0) & !is_known;
                }
                self.middles.put(band, start + LANES * quarter, &(lower, upper));
            }
        }
        Ok(short.0.iter().all(|&short| short == 0))
    }

    /// Sorts 64 pixels as far as the middle needs; between which values all is known.
    #[inline(always)]
    fn sorted(&self, quarter: usize, stack: &mut Stack, programs: &mut Programs) -> (Row, Row) {
        let counts = self.core.counts.quarter(quarter);
        stack.restart(Row(counts.map(|count| mask(count % 2 == 1))));
        let bounds = self.core.push(quarter, stack);
        for pile in &*self.piles {
            pile.push(quarter, stack);
        }
        stack.even();
        let depth = stack.rows().len();
        stack.apply(programs.of(depth), &mut Ahead::default());
        bounds
    }
}
