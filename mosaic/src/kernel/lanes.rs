//! 64 pixels side by side: a stack of rows small enough for the first-level cache, filled from the layers, padded
//! where they are masked, and put through a network.

use super::fuse::Program;
use super::network::Ranks;
use super::tile::{Ahead, Group, Live};
use crate::bits::OnesOf;

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

/// How an instruction set turns a word of bits into lanes.
pub(super) trait Masks {
    /// All ones in the lanes whose bit is set, zero elsewhere.
    fn mask(word: u64) -> Row;
}

/// What the compiler makes of it by itself.
pub(super) struct Portable;

impl Masks for Portable {
    #[inline(always)]
    fn mask(word: u64) -> Row {
        const BIT: [u16; 16] =
            [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000];
        let mut mask = Row::of(0);
        for (quarter, lanes) in mask.0.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let bits = (word >> (16 * quarter)) as u16;
            for (lane, bit) in lanes.iter_mut().zip(BIT) {
                *lane = if bits & bit == bit { u16::MAX } else { 0 };
            }
        }
        mask
    }
}

/// One instruction for 32 lanes, which compilers do not find: for what runs where AVX-512BW is.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Masks for Avx512 {
    #[inline(always)]
    fn mask(word: u64) -> Row {
        use std::arch::x86_64::{__m512i, _mm512_movm_epi16};
        // SAFETY: `Level` names this type only where it has asked the processor; two vectors of 32 lanes are a row.
        unsafe {
            let halves = [_mm512_movm_epi16(word as u32), _mm512_movm_epi16((word >> 32) as u32)];
            Row(std::mem::transmute::<[__m512i; 2], [u16; LANES]>(halves))
        }
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

    /// The rows that a group of 64 pixels needs, masked values padded. Layers without a clear pixel
    /// here take no row. Where little is clear, every pixel's values move up instead, and the rows are as many as
    /// the greatest count.
    #[inline(always)]
    pub(super) fn fill<M: Masks>(&mut self, of: Group<'_>) {
        // All high, the clear values are the lowest ranks; low and high in turn, they stay around the middle.
        self.pad = Row::of(if self.ranks == Ranks::All { u16::MAX } else { 0 });
        self.any = M::mask(of.any);
        // Moving a value costs about as much as sorting a handful.
        if of.clear < of.live.len() * LANES / SPARSE {
            self.fill_sparse(of.live);
        } else {
            self.fill_rows::<M>(of.live);
        }
    }

    #[inline(always)]
    fn fill_rows<M: Masks>(&mut self, all: &[Live<'_>]) {
        let mut pad = self.pad;
        for (row, live) in self.rows.iter_mut().zip(all) {
            match live.values.first_chunk::<LANES>() {
                Some(values) if live.word == u64::MAX => row.0 = *values,
                Some(values) => blend(row, &Row(*values), &M::mask(live.word), &mut pad, self.ranks),
                None => {
                    let mut values = Row::of(0);
                    values.0[..live.values.len()].copy_from_slice(live.values);
                    blend(row, &values, &M::mask(live.word), &mut pad, self.ranks);
                }
            }
        }
        (self.depth, self.pad) = (all.len(), pad);
    }

    #[inline(always)]
    fn fill_sparse(&mut self, all: &[Live<'_>]) {
        let mut counts = Row::of(0);
        for live in all {
            for lane in OnesOf(live.word) {
                let count = &mut counts.0[lane];
                self.rows[usize::from(*count)].0[lane] = live.values[lane];
                *count += 1;
            }
        }
        self.depth = usize::from(counts.0.iter().fold(0, |most, &count| most.max(count)));
        for (rank, row) in self.rows[..self.depth].iter_mut().enumerate() {
            let values = *row;
            blend(row, &values, &Row::above(&counts, rank as u16), &mut self.pad, self.ranks);
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
            if rank < least {
                row.0 = *values;
            } else {
                blend(row, &Row(*values), &Row::above(counts, rank), &mut self.pad, self.ranks);
            }
        }
    }

    /// Puts the rows through a program of their depth; meanwhile asks for what is needed next.
    #[inline(always)]
    pub(super) fn apply(&mut self, program: &Program, ahead: &mut Ahead<'_>) {
        program.run(&mut self.rows[..self.depth], ahead);
    }
}

/// A group is sparse where less than one in this many of its values is clear.
const SPARSE: usize = 8;

/// The values, with pads for what is masked; for the middle, a pixel's next pad is the opposite one.
#[inline(always)]
fn blend(row: &mut Row, values: &Row, mask: &Row, pad: &mut Row, ranks: Ranks) {
    *row = Row::select(mask, values, pad);
    if ranks != Ranks::All {
        for (pad, mask) in pad.0.iter_mut().zip(mask.0) {
            *pad ^= !mask;
        }
    }
}
