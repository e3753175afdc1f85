//! 64 pixels side by side: a stack of rows small enough for the first-level cache, filled from the layers, padded
//! where they are masked, and put through a network.

use super::Layer;
use super::fuse::{BLOCK, Step};
use super::network::{Kind, Ranks};
use crate::bits::OnesOf;

/// Groups ahead of which a layer's values are asked for: dozens of streams are more than the processor follows.
const AHEAD: usize = 4;

/// Pixels in a row: the bits of one mask word.
pub(super) const LANES: usize = 64;

/// One value of each of the 64 pixels.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Row(pub [u16; LANES]);

impl Row {
    pub(super) const fn of(value: u16) -> Self {
        Self([value; LANES])
    }

    /// All ones in the lanes whose bit is set, zero elsewhere.
    #[inline(always)]
    pub(super) fn mask(word: u64) -> Self {
        const BIT: [u16; 16] =
            [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000];
        let mut mask = Self::of(0);
        for (quarter, lanes) in mask.0.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let bits = (word >> (16 * quarter)) as u16;
            for (lane, bit) in lanes.iter_mut().zip(BIT) {
                *lane = if bits & bit == bit { u16::MAX } else { 0 };
            }
        }
        mask
    }

    /// All ones in the lanes where the count exceeds `rank`.
    #[inline(always)]
    pub(super) fn above(counts: &Self, rank: u16) -> Self {
        Self(counts.0.map(|count| if count > rank { u16::MAX } else { 0 }))
    }

    /// Per lane `yes` where the mask is all ones, `no` where it is zero.
    #[inline(always)]
    pub(super) fn select(mask: &Self, yes: &Self, no: &Self) -> Self {
        let mut out = Self::of(0);
        for lane in 0..LANES {
            out.0[lane] = (yes.0[lane] & mask.0[lane]) | (no.0[lane] & !mask.0[lane]);
        }
        out
    }
}

/// The rows of one group of 64 pixels, reused from group to group.
pub(super) struct Stack {
    rows: Vec<Row>,
    /// What the next masked value of each pixel is replaced by.
    pub(super) pad: Row,
    /// All ones for pixels with any clear value at all.
    pub(super) any: Row,
    depth: usize,
    ranks: Ranks,
}

impl Stack {
    /// Room for `layers` rows, to be sorted for these ranks.
    pub(super) fn new(layers: usize, ranks: Ranks) -> Self {
        Self { rows: vec![Row::of(0); layers], pad: Row::of(0), any: Row::of(0), depth: 0, ranks }
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        if self.rows.len() < rows {
            self.rows.resize(rows, Row::of(0));
        }
    }

    /// The rows in use.
    pub(super) fn rows(&mut self) -> &mut [Row] {
        &mut self.rows[..self.depth]
    }

    /// The rows that pixels `64 * group..` of the layers need, masked values padded. Layers without a clear pixel
    /// here take no row. Where little is clear, every pixel's values move up instead, and the rows are as many as
    /// the greatest count.
    #[inline(always)]
    pub(super) fn fill(&mut self, layers: &[Layer<'_>], group: usize) {
        // All high, the clear values are the lowest ranks; low and high in turn, they stay around the middle.
        self.pad = Row::of(if self.ranks == Ranks::All { u16::MAX } else { 0 });
        let (mut any, mut shown, mut clear) = (0, 0, 0);
        for layer in layers {
            let word = layer.clear.word(group);
            any |= word;
            shown += u32::from(word != 0);
            clear += word.count_ones();
        }
        self.any = Row::mask(any);
        // Moving a value costs about as much as sorting a handful.
        if clear < shown * (LANES as u32 / SPARSE) {
            self.fill_sparse(layers, group);
        } else {
            self.fill_rows(layers, group);
        }
    }

    #[inline(always)]
    fn fill_rows(&mut self, layers: &[Layer<'_>], group: usize) {
        self.depth = 0;
        for layer in layers {
            let word = layer.clear.word(group);
            prefetch(layer.values, LANES * (group + AHEAD));
            if word == 0 {
                continue;
            }
            let row = &mut self.rows[self.depth];
            self.depth += 1;
            match layer.values[LANES * group..].first_chunk::<LANES>() {
                Some(values) => row.0 = *values,
                None => {
                    let tail = &layer.values[LANES * group..];
                    row.0[..tail.len()].copy_from_slice(tail);
                }
            }
            if word != u64::MAX {
                blend(row, &Row::mask(word), &mut self.pad, self.ranks);
            }
        }
    }

    #[inline(always)]
    fn fill_sparse(&mut self, layers: &[Layer<'_>], group: usize) {
        let mut counts = Row::of(0);
        for layer in layers {
            for lane in OnesOf(layer.clear.word(group)) {
                let count = &mut counts.0[lane];
                self.rows[usize::from(*count)].0[lane] = layer.values[LANES * group + lane];
                *count += 1;
            }
        }
        self.depth = usize::from(counts.0.iter().fold(0, |most, &count| most.max(count)));
        for (rank, row) in self.rows[..self.depth].iter_mut().enumerate() {
            blend(row, &Row::above(&counts, rank as u16), &mut self.pad, self.ranks);
        }
    }

    /// Empties the stack; `pad` is what the first masked value of each pixel is replaced by.
    #[inline(always)]
    pub(super) fn restart(&mut self, pad: Row) {
        (self.depth, self.pad) = (0, pad);
    }

    /// Adds a row that is valid throughout.
    #[inline(always)]
    pub(super) fn push(&mut self, row: &Row) {
        self.rows[self.depth] = *row;
        self.depth += 1;
    }

    /// Adds a row of pads where the number of rows is odd.
    #[inline(always)]
    pub(super) fn even(&mut self) {
        if !self.depth.is_multiple_of(2) {
            let pad = self.pad;
            self.push(&pad);
        }
    }

    /// Adds the 64 pixels of a pile's rank planes, of which `counts` says how many each has.
    #[inline(always)]
    pub(super) fn push_ranks<'a>(&mut self, ranks: impl Iterator<Item = &'a [u16; LANES]>, counts: &Row) {
        let (least, most) = counts.0.iter().fold((u16::MAX, 0), |(a, b), &count| (a.min(count), b.max(count)));
        let any = Row::above(counts, 0);
        self.any.0.iter_mut().zip(any.0).for_each(|(all, any)| *all |= any);
        for (rank, values) in (0..most).zip(ranks) {
            let row = &mut self.rows[self.depth];
            self.depth += 1;
            row.0 = *values;
            if rank >= least {
                blend(row, &Row::above(counts, rank), &mut self.pad, self.ranks);
            }
        }
    }

    /// Puts the rows through a program of their depth.
    #[inline(always)]
    pub(super) fn apply(&mut self, program: &[Step]) {
        let rows = &mut self.rows[..self.depth];
        for block in rows.as_chunks_mut::<BLOCK>().0 {
            sort_block(block);
        }
        for step in program {
            // A program's rows are always distinct and there.
            match step {
                Step::Join(quad) => {
                    if let Ok([a, b, c, d]) = rows.get_disjoint_mut(quad.map(usize::from)) {
                        join(a, b, c, d);
                    }
                }
                Step::Split(quad) => {
                    if let Ok([a, b, c, d]) = rows.get_disjoint_mut(quad.map(usize::from)) {
                        split(a, b, c, d);
                    }
                }
                Step::One(op) => {
                    if let Ok(rows) = rows.get_disjoint_mut([op.lo, op.hi].map(usize::from)) {
                        one(rows, op.kind);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn one([lo, hi]: [&mut Row; 2], kind: Kind) {
    match kind {
        Kind::Both => exchange(lo, hi),
        Kind::MinOnly => lo.0.iter_mut().zip(&hi.0).for_each(|(a, &b)| *a = b.min(*a)),
        Kind::MaxOnly => hi.0.iter_mut().zip(&lo.0).for_each(|(b, &a)| *b = a.max(*b)),
    }
}

/// A group is sparse where less than one in this many of its values is clear.
const SPARSE: u32 = 8;

#[inline(always)]
fn exchange(lo: &mut Row, hi: &mut Row) {
    for (a, b) in lo.0.iter_mut().zip(&mut hi.0) {
        (*a, *b) = ordered(*a, *b);
    }
}

#[inline(always)]
fn ordered(a: u16, b: u16) -> (u16, u16) {
    (a.min(b), a.max(b))
}

/// [`Step::Join`].
#[inline(always)]
fn join(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    for lane in 0..LANES {
        let (v0, v2) = ordered(a.0[lane], c.0[lane]);
        let (v1, v3) = ordered(b.0[lane], d.0[lane]);
        let (v1, v2) = ordered(v1, v2);
        (a.0[lane], b.0[lane], c.0[lane], d.0[lane]) = (v0, v1, v2, v3);
    }
}

/// [`Step::Split`].
#[inline(always)]
fn split(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    for lane in 0..LANES {
        let (v1, v3) = ordered(b.0[lane], d.0[lane]);
        let (v0, v1) = ordered(a.0[lane], v1);
        let (v2, v3) = ordered(c.0[lane], v3);
        (a.0[lane], b.0[lane], c.0[lane], d.0[lane]) = (v0, v1, v2, v3);
    }
}

/// Comparators on the named values.
macro_rules! compare {
    ($($a:ident $b:ident),*) => { $(let ($a, $b) = ordered($a, $b);)* };
}

/// Sorts eight rows by Batcher's network, 19 comparators, written out so that the values stay in registers.
#[inline(always)]
fn sort_block(rows: &mut [Row; BLOCK]) {
    for lane in 0..LANES {
        let [a, b, c, d] = [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]];
        let [e, f, g, h] = [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]];
        compare!(a b, c d, e f, g h, a c, b d, e g, f h, b c, f g);
        compare!(a e, b f, c g, d h, c e, d f, b c, d e, f g);
        [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]] = [a, b, c, d];
        [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]] = [e, f, g, h];
    }
}

/// Replaces what is masked by the pads; for the middle, a pixel's next pad is the opposite one.
#[inline(always)]
fn blend(row: &mut Row, mask: &Row, pad: &mut Row, ranks: Ranks) {
    *row = Row::select(mask, row, pad);
    if ranks != Ranks::All {
        for (pad, mask) in pad.0.iter_mut().zip(mask.0) {
            *pad ^= !mask;
        }
    }
}

/// Asks for the 64 values at `at`, so that they are near when their group's turn comes.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn prefetch(values: &[u16], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(row) = values.get(at..at + LANES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint about memory that the slice covers, with an instruction that every x86-64 has.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().cast());
            _mm_prefetch::<_MM_HINT_T0>(row[LANES / 2..].as_ptr().cast());
        }
    }
}
