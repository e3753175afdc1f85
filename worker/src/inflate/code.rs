//! Canonical Huffman codes (RFC 1951, section 3.2.2).

use super::Refused;

/// No code is longer.
pub(super) const LONGEST: usize = 15;

/// A code of up to 288 symbols.
pub(super) struct Code {
    /// For each length, what follows its last code, as 16 bits with the first bit on top.
    ends: [u32; LONGEST + 1],
    /// For each length, what its codes and their places in `symbols` differ by.
    shifts: [u32; LONGEST + 1],
    /// The symbols in order of their codes.
    symbols: [u16; 288],
}

impl Code {
    /// The code that no symbol has.
    pub(super) const EMPTY: Self = Self { ends: [0; LONGEST + 1], shifts: [0; LONGEST + 1], symbols: [0; 288] };

    /// The code of symbols with these lengths, 0 for those that have none. Hands out each symbol with its length, and
    /// its code with the first bit lowest, as it is read.
    pub(super) fn new(lengths: &[u8], mut each: impl FnMut(usize, u32, u32)) -> Result<Self, Refused> {
        let mut counts = [0; LONGEST + 1];
        lengths.iter().for_each(|&length| counts[usize::from(length)] += 1);
        counts[0] = 0;
        let mut new = Self::EMPTY;
        let (mut next, mut places) = ([0_u32; LONGEST + 1], [0; LONGEST + 1]);
        let (mut code, mut place) = (0_u32, 0_u32);
        for length in 1..=LONGEST {
            code <<= 1;
            (next[length], places[length]) = (code, place as usize);
            new.shifts[length] = place.wrapping_sub(code);
            code += counts[length];
            place += counts[length];
            if code > 1 << length {
                return Err(Refused);
            }
            new.ends[length] = code << (16 - length);
        }
        // Codes that are left over are allowed where there is but one symbol.
        if code < 1 << LONGEST && place > 1 {
            return Err(Refused);
        }
        for (symbol, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let at = usize::from(length);
            new.symbols[places[at]] = symbol as u16;
            each(symbol, u32::from(length), next[at].reverse_bits() >> (32 - at));
            places[at] += 1;
            next[at] += 1;
        }
        Ok(new)
    }

    /// The symbol that these bits begin with, and how many of them are its code.
    pub(super) fn first(&self, bits: u64) -> Result<(usize, u32), Refused> {
        let code = u32::from((bits as u16).reverse_bits());
        let length = (1..=LONGEST).find(|&length| code < self.ends[length]).ok_or(Refused)?;
        let place = (code >> (16 - length)).wrapping_add(self.shifts[length]);
        Ok((usize::from(self.symbols[place as usize]), length as u32))
    }
}
