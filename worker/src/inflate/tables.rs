//! What the next bits stand for, in one look each.

use super::Refused;
use super::code::Code;

/// As many bits of literals and lengths are looked up at once. With fewer, a literal and a length seldom fit; with more,
/// the tables of two streams do not fit in the first cache.
const BITS: u32 = 12;
/// And of a distance.
const DISTANCE_BITS: u32 = 9;
/// Distances begin here in their table; before them stands that of no match.
const DISTANCES: usize = 1 << DISTANCE_BITS;

/// What lengths and distances begin at, and how many bits more say what is added (RFC 1951, section 3.2.5).
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCE_STEPS: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// What a symbol of lengths, counted from 0, begins at, and its further bits.
pub(super) fn length_step(symbol: usize) -> Result<(u16, u8), Refused> {
    LENGTHS.get(symbol).copied().ok_or(Refused)
}

/// What a symbol of distances begins at, and its further bits.
pub(super) fn distance_step(symbol: usize) -> Result<(u16, u8), Refused> {
    DISTANCE_STEPS.get(symbol).copied().ok_or(Refused)
}

/// Up to two literals, and the length of a match behind them. Its fields are bytes and not parts of one number: a load
/// costs less than a shift and a mask.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Symbols {
    /// The literals, the first one lowest.
    pub(super) literals: u16,
    /// All bits that tell a distance, where there is a match, else none: so that the first of the distances is taken.
    mask: u16,
    /// Bits of all of this.
    pub(super) bits: u8,
    /// How many literals.
    pub(super) count: u8,
    /// Length of the match; 0 where there is none.
    pub(super) length: u8,
}

/// A distance: what it begins at, the bits of its code, and with those that are added.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Distance {
    pub(super) base: u16,
    pub(super) code: u8,
    pub(super) bits: u8,
}

/// No match, or what the table does not hold: less than any length.
const NO_DISTANCE: Distance = Distance { base: 0, code: 0, bits: 0 };
/// What the table does not hold: a match that no distance is enough for.
const ELSE: Symbols = Symbols { literals: 0, mask: 0, bits: 0, count: 0, length: u8::MAX };

/// The codes of a block, and their tables.
pub(super) struct Tables {
    symbols: [Symbols; 1 << BITS],
    distances: [Distance; 2 * DISTANCES],
    pub(super) symbol_code: Code,
    pub(super) distance_code: Code,
}

impl Tables {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            symbols: [ELSE; 1 << BITS],
            distances: [NO_DISTANCE; 2 * DISTANCES],
            symbol_code: Code::EMPTY,
            distance_code: Code::EMPTY,
        })
    }

    /// Takes up the codes of a block, given as the lengths of their symbols' codes.
    pub(super) fn build(&mut self, symbols: &[u8], distances: &[u8]) -> Result<(), Refused> {
        let table = &mut self.symbols[..];
        table.fill(ELSE);
        self.symbol_code = Code::new(symbols, |symbol, bits, code| {
            if bits <= BITS
                && let Some(single) = single(symbol, bits as u8)
            {
                every(table, code, bits, single);
            }
        })?;
        join(table);
        let table = &mut self.distances[DISTANCES..];
        table.fill(NO_DISTANCE);
        self.distance_code = Code::new(distances, |symbol, code_bits, code| {
            if code_bits <= DISTANCE_BITS
                && let Ok((base, more)) = distance_step(symbol)
            {
                let code_bits = code_bits as u8;
                every(table, code, code_bits.into(), Distance { base, code: code_bits, bits: code_bits + more });
            }
        })?;
        Ok(())
    }

    /// What these bits begin with.
    #[inline(always)]
    pub(super) fn symbols(&self, bits: u64) -> &Symbols {
        &self.symbols[bits as usize % (1 << BITS)]
    }

    /// The distance that these bits begin with, where the symbols end in a match.
    #[inline(always)]
    pub(super) fn distance(&self, symbols: &Symbols, bits: u64) -> &Distance {
        let at = (bits as usize | DISTANCES) & usize::from(symbols.mask);
        // SAFETY: no mask is greater than 2 * DISTANCES - 1: see `single`, `join` and `ELSE`.
        unsafe { self.distances.get_unchecked(at) }
    }
}

/// What a symbol by itself is in the table; none where it does not fit there.
fn single(symbol: usize, bits: u8) -> Option<Symbols> {
    match symbol {
        0..=255 => Some(Symbols { literals: symbol as u16, mask: 0, bits, count: 1, length: 0 }),
        257..=264 => {
            let (mask, length) = (2 * DISTANCES as u16 - 1, (symbol - 254) as u8);
            Some(Symbols { literals: 0, mask, bits, count: 0, length })
        }
        _ => None,
    }
}

/// Puts an entry wherever the bits begin with a code.
fn every<T: Copy>(table: &mut [T], code: u32, bits: u32, entry: T) {
    table.iter_mut().skip(code as usize).step_by(1 << bits).for_each(|place| *place = entry);
}

/// Joins literals with what follows them, where the bits hold both. Downwards: what follows lies lower, and is single.
fn join(table: &mut [Symbols]) {
    for at in (0..table.len()).rev() {
        let first = table[at];
        if first.count == 0 {
            continue;
        }
        let next = table[at >> first.bits];
        if next.length != u8::MAX && u32::from(first.bits + next.bits) <= BITS {
            table[at] = Symbols {
                literals: first.literals | next.literals << 8,
                bits: first.bits + next.bits,
                count: first.count + next.count,
                ..next
            };
        }
    }
}
