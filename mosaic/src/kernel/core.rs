//! Cores: the ranks around the middle, kept so that observations can be added without reading the earlier ones again.
//!
//! ```text
//! a core, per group of 256 pixels:   plane of counts │ per band: first slot, end of slots, plane of each slot
//! ```
//!
//! Slot j of a pixel with n values holds that of rank ⌊n/2⌋ - SLOTS/2 + j, from the first slot to the end of slots;
//! the others are unknown, or there is no such rank. Unknown values are no greater than the first slot's, or no less
//! than the last one's. So with zeros and 65535 for them the slots sort together with c values that are added, and
//! what comes to lie between the first and the last slot's value lies at its true rank: ranks ⌊(n+c)/2⌋ - SLOTS/2 + j
//! of the new n + c values are around the middle row, given pads that are low and high in turn, and first high where
//! n is odd. Adding never makes the known range shorter; it only leaves the middle in time.

use super::dispatch::{Job, Level};
use super::lanes::{LANES, Row, Stack};
use super::merge::{Pile, put};
use super::network::Ranks;
use super::plane::{WIDE, Wide, pack, unpack};
use super::{BadPack, Programs};

/// Ranks that a core keeps of each pixel and band; even.
pub const SLOTS: usize = 8;
const HALF: u16 = (SLOTS / 2) as u16;

/// What adding to a core gives: as [`super::merge`] gives it, and the core of it all.
pub struct Added<'a> {
    /// Values per pixel.
    pub counts: &'a mut [u16],
    /// Lower middle values by band.
    pub lower: &'a mut [Vec<u16>],
    /// Upper middle values by band.
    pub upper: &'a mut [Vec<u16>],
    /// The new core, put behind what this holds.
    pub core: &'a mut Vec<u8>,
}

/// The middle of a core's values and the piles' together, and their core; without a core, of the piles alone. False
/// where the core does not reach that far for every pixel: then what was put out means nothing.
///
/// # Errors
/// Where core or piles are not as they were packed.
///
/// # Panics
/// Where the outputs differ in pixels or in bands.
pub fn add(core: Option<&[u8]>, piles: &mut [Pile<'_>], added: Added<'_>) -> Result<bool, BadPack> {
    add_at(Level::best(), core, piles, added)
}

pub(super) fn add_at(
    level: Level,
    core: Option<&[u8]>,
    piles: &mut [Pile<'_>],
    added: Added<'_>,
) -> Result<bool, BadPack> {
    let pixels = added.counts.len();
    assert_eq!(added.lower.len(), added.upper.len(), "outputs of different bands");
    let planes = added.lower.iter().chain(&*added.upper);
    assert!(planes.into_iter().all(|plane| plane.len() == pixels), "outputs that are not of {pixels} pixels");
    let mut result = Ok(true);
    level.run(Add { core: core.map(Core::new), piles, added, new: Core::new(&[]), result: &mut result });
    result
}

/// A group of a core; the bytes are those that follow it.
struct Core<'a> {
    bytes: &'a [u8],
    counts: Wide,
    first: Wide,
    end: Wide,
    slots: [Wide; SLOTS],
}

impl<'a> Core<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        let none = Wide::of(0);
        Self { bytes, counts: none, first: none, end: none, slots: [none; SLOTS] }
    }

    #[inline(always)]
    fn next_group(&mut self) -> Result<(), BadPack> {
        unpack(&mut self.bytes, &Wide::of(0), &mut self.counts)
    }

    #[inline(always)]
    fn next_band(&mut self) -> Result<(), BadPack> {
        unpack(&mut self.bytes, &Wide::of(0), &mut self.first)?;
        unpack(&mut self.bytes, &self.first, &mut self.end)?;
        let mut below = &Wide::of(0);
        for slot in &mut self.slots {
            unpack(&mut self.bytes, below, slot)?;
            below = slot;
        }
        Ok(())
    }

    #[inline(always)]
    fn pack_band(&self, out: &mut Vec<u8>) {
        let (none, all) = (Wide::of(0), Wide::of(1));
        pack(&self.first, &none, &all, 0, out);
        pack(&self.end, &self.first, &all, 0, out);
        let mut below = &none;
        for slot in &self.slots {
            pack(slot, below, &all, 0, out);
            below = slot;
        }
    }

    /// Between which values a quarter's pixels are wholly known: from the first slot on, or from 0 where nothing is
    /// below it, and so upwards.
    #[inline(always)]
    fn bounds(&self, quarter: usize) -> (Row, Row) {
        let (first, end, counts) = self.rows(quarter);
        let (mut low, mut high) = (Row::of(u16::MAX), Row::of(0));
        for (slot, values) in (0..).zip(&self.slots) {
            let values = Row(*values.quarter(quarter));
            for lane in 0..LANES {
                let known = mask(first.0[lane] <= slot) & mask(slot < end.0[lane]);
                low.0[lane] = low.0[lane].min(values.0[lane] | !known);
                high.0[lane] = high.0[lane].max(values.0[lane] & known);
            }
        }
        for lane in 0..LANES {
            let half = counts.0[lane] / 2;
            low.0[lane] &= !mask(half.saturating_add(first.0[lane]) <= HALF);
            high.0[lane] |= mask(end.0[lane] >= HALF.saturating_add(counts.0[lane] - half));
        }
        (low, high)
    }

    /// First slots, ends and counts of 64 pixels.
    #[inline(always)]
    fn rows(&self, quarter: usize) -> (Row, Row, Row) {
        let row = |wide: &Wide| Row(*wide.quarter(quarter));
        (row(&self.first), row(&self.end), row(&self.counts))
    }

    /// Puts the slots into the stack, unknown ones as the least and the greatest of values.
    #[inline(always)]
    fn push(&self, quarter: usize, stack: &mut Stack) {
        let (first, end, _) = self.rows(quarter);
        for (slot, values) in (0..).zip(&self.slots) {
            let mut row = Row(*values.quarter(quarter));
            for lane in 0..LANES {
                row.0[lane] = (row.0[lane] | mask(slot >= end.0[lane])) & !mask(slot < first.0[lane]);
            }
            stack.push(&row);
        }
    }
}

/// All ones or zero: what vectors compare to.
#[inline(always)]
const fn mask(yes: bool) -> u16 {
    if yes { u16::MAX } else { 0 }
}

struct Add<'a, 'b, 'c> {
    core: Option<Core<'a>>,
    piles: &'a mut [Pile<'b>],
    added: Added<'c>,
    new: Core<'static>,
    result: &'a mut Result<bool, BadPack>,
}

impl Job for Add<'_, '_, '_> {
    #[inline(always)]
    fn run(mut self) {
        let mut stack = Stack::new(0, Ranks::Window);
        let mut programs = Programs::new(0, Ranks::Window);
        for group in 0..self.added.counts.len().div_ceil(WIDE) {
            let reached = self.group(group * WIDE, &mut stack, &mut programs);
            if reached != Ok(true) {
                *self.result = reached;
                return;
            }
        }
        let rest = self.core.iter().map(|core| core.bytes).chain(self.piles.iter().map(Pile::rest));
        if rest.into_iter().any(|bytes| !bytes.is_empty()) {
            *self.result = Err(BadPack::Long);
        }
    }
}

impl Add<'_, '_, '_> {
    /// One group of pixels; whether the core reaches.
    #[inline(always)]
    fn group(&mut self, start: usize, stack: &mut Stack, programs: &mut Programs) -> Result<bool, BadPack> {
        self.new.counts = Wide::of(0);
        if let Some(core) = &mut self.core {
            core.next_group()?;
            self.new.counts = core.counts;
        }
        let mut rows = SLOTS + 1;
        for pile in &mut *self.piles {
            rows += pile.next_group()?;
            pile.add_counts(&mut self.new.counts);
        }
        stack.reserve(rows);
        put(&mut self.added.counts[start..], &self.new.counts.0);
        pack(&self.new.counts, &Wide::of(0), &Wide::of(1), 0, self.added.core);
        for band in 0..self.added.lower.len() {
            if let Some(core) = &mut self.core {
                core.next_band()?;
            }
            for pile in &mut *self.piles {
                pile.next_band()?;
            }
            let mut reaches = true;
            for quarter in 0..WIDE / LANES {
                let bounds = self.sorted(quarter, stack, programs);
                reaches &= self.take(quarter, stack, &bounds);
                let (lower, upper) = self.middle(quarter);
                let at = start + LANES * quarter;
                put(self.added.lower[band].get_mut(at..).unwrap_or_default(), &lower.0);
                put(self.added.upper[band].get_mut(at..).unwrap_or_default(), &upper.0);
            }
            if !reaches {
                return Ok(false);
            }
            self.new.pack_band(self.added.core);
        }
        Ok(true)
    }

    /// Sorts 64 pixels as far as the slots need; between which values all is known.
    #[inline(always)]
    fn sorted(&self, quarter: usize, stack: &mut Stack, programs: &mut Programs) -> (Row, Row) {
        let mut bounds = (Row::of(0), Row::of(u16::MAX));
        let mut pad = Row::of(0);
        if let Some(core) = &self.core {
            bounds = core.bounds(quarter);
            let counts = core.counts.quarter(quarter);
            pad.0.iter_mut().zip(counts).for_each(|(pad, count)| *pad = mask(count % 2 == 1));
        }
        stack.restart(pad);
        if let Some(core) = &self.core {
            core.push(quarter, stack);
        }
        for pile in &*self.piles {
            pile.push(quarter, stack);
        }
        stack.even();
        let depth = stack.rows().len();
        stack.apply(programs.of(depth));
        bounds
    }

    /// Takes the slots of 64 pixels out of the sorted stack; whether the middle is known everywhere.
    #[inline(always)]
    fn take(&mut self, quarter: usize, stack: &mut Stack, (low, high): &(Row, Row)) -> bool {
        let counts = Row(*self.new.counts.quarter(quarter));
        let middle = stack.rows().len() / 2;
        let below = (SLOTS / 2).saturating_sub(middle);
        let rows = &stack.rows()[middle.saturating_sub(SLOTS / 2)..];
        let (mut from, mut upto) = (Row::of(0), Row::of(0));
        for lane in 0..LANES {
            let half = counts.0[lane] / 2;
            (from.0[lane], upto.0[lane]) = (HALF.saturating_sub(half), HALF.saturating_add(counts.0[lane] - half));
        }
        let (mut first, mut known_slots, mut carried) = (Row::of(0), Row::of(0), Row::of(0));
        for slot in 0..SLOTS {
            let row = slot.checked_sub(below).and_then(|at| rows.get(at)).copied().unwrap_or(Row::of(0));
            let at = slot as u16;
            for lane in 0..LANES {
                let is_rank = mask(at >= from.0[lane]) & mask(at < upto.0[lane]);
                let known = is_rank & mask(row.0[lane] >= low.0[lane]) & mask(row.0[lane] <= high.0[lane]);
                // What is unknown repeats what is below it: it takes no bits.
                carried.0[lane] = (row.0[lane] & known) | (carried.0[lane] & !known);
                known_slots.0[lane] = known_slots.0[lane].wrapping_sub(known);
                first.0[lane] += mask(known_slots.0[lane] == 0) & 1;
            }
            *self.new.slots[slot].quarter_mut(quarter) = carried.0;
        }
        let mut end = known_slots;
        end.0.iter_mut().zip(first.0).for_each(|(end, first)| *end += first);
        let mut short = Row::of(0);
        for lane in 0..LANES {
            // Of an odd number of values the middle is one slot, of an even number it is two.
            let needs = HALF - 1 + (counts.0[lane] & 1);
            short.0[lane] = mask(first.0[lane] > needs) | mask(end.0[lane] <= HALF);
        }
        // Of no values none is unknown.
        let (none, any) = (Row::of(HALF), Row::above(&counts, 0));
        let (first, end) = (Row::select(&any, &first, &none), Row::select(&any, &end, &none));
        short = Row::select(&any, &short, &Row::of(0));
        *self.new.first.quarter_mut(quarter) = first.0;
        *self.new.end.quarter_mut(quarter) = end.0;
        short.0.iter().fold(0, |all, &short| all | short) == 0
    }

    /// The middle values of 64 pixels.
    #[inline(always)]
    fn middle(&self, quarter: usize) -> (Row, Row) {
        let row = |wide: &Wide| Row(*wide.quarter(quarter));
        let counts = row(&self.new.counts);
        let (below, mut upper) = (row(&self.new.slots[SLOTS / 2 - 1]), row(&self.new.slots[SLOTS / 2]));
        let mut lower = upper;
        for lane in 0..LANES {
            let (any, odd) = (mask(counts.0[lane] != 0), mask(counts.0[lane] & 1 == 1));
            lower.0[lane] = ((lower.0[lane] & odd) | (below.0[lane] & !odd)) & any;
            upper.0[lane] &= any;
        }
        (lower, upper)
    }
}
