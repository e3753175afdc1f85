//! One stream, read with care: its headers, its blocks, any symbol that there is, its checksum.

use libdeflater::adler32;

use super::tables::{Tables, distance_step, length_step};
use super::{Job, Refused};
use crate::inflate::code::Code;

/// Bytes of room behind those that are wanted: for the last match, and so that steps need not stop before the end.
const BEHIND: usize = 258 + 32;

/// The order in which the lengths of the code for lengths are given.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The two bytes of zlib's header.
    Start,
    /// The header of a block.
    Block,
    /// A symbol.
    Symbol,
    /// The checksum.
    Checksum,
}

/// A stream that is being inflated.
pub(super) struct Stream<'a> {
    pub(super) input: &'a [u8],
    /// Bits read.
    pub(super) bit: usize,
    pub(super) out: &'a mut [u8],
    /// Bytes written.
    pub(super) byte: usize,
    pub(super) tables: &'a mut Tables,
    wanted: usize,
    /// Whether it is left as soon as what is wanted is there.
    is_part: bool,
    next: Next,
    is_last: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(tables: &'a mut Tables, Job { stored, full, needed, room }: Job<'a>) -> Self {
        let wanted = needed.min(full);
        if room.len() < wanted + BEHIND {
            room.resize(wanted + BEHIND, 0);
        }
        let (out, is_part) = (&mut room[..wanted + BEHIND], wanted < full);
        Self { input: stored, bit: 0, out, byte: 0, tables, wanted, is_part, next: Next::Start, is_last: false }
    }

    pub(super) fn into_tables(self) -> &'a mut Tables {
        self.tables
    }

    /// Reads what comes before the next symbol. Where there is none, or none is needed: how many bytes there are.
    pub(super) fn settle(&mut self) -> Option<Result<usize, Refused>> {
        loop {
            if self.is_part && self.byte >= self.wanted {
                return Some(Ok(self.byte));
            }
            let read = match self.next {
                Next::Start => self.start(),
                Next::Block => self.block(),
                Next::Symbol => return None,
                Next::Checksum => return Some(self.checksum()),
            };
            if let Err(refused) = read {
                return Some(Err(refused));
            }
        }
    }

    /// The bits that come next, at least 57 of them; 0 behind the end.
    fn peek(&self) -> u64 {
        let rest = &self.input[(self.bit / 8).min(self.input.len())..];
        let mut bytes = [0; 8];
        let length = rest.len().min(8);
        bytes[..length].copy_from_slice(&rest[..length]);
        u64::from_le_bytes(bytes) >> (self.bit % 8)
    }

    /// Gets on by so many bits, which must be there.
    fn skip(&mut self, bits: u32) -> Result<(), Refused> {
        self.bit += bits as usize;
        if self.bit <= 8 * self.input.len() { Ok(()) } else { Err(Refused) }
    }

    fn take(&mut self, bits: u8) -> Result<usize, Refused> {
        let value = self.peek() & ((1 << bits) - 1);
        self.skip(bits.into())?;
        Ok(value as usize)
    }

    /// Whole bytes, from the next one on.
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Refused> {
        let start = self.bit.div_ceil(8);
        let bytes = self.input.get(start..start + length).ok_or(Refused)?;
        self.bit = 8 * (start + length);
        Ok(bytes)
    }

    fn start(&mut self) -> Result<(), Refused> {
        let header = self.take(16)?.to_le_bytes();
        let (method, flags) = (header[0], header[1]);
        let is_whole = u16::from_be_bytes([method, flags]).is_multiple_of(31);
        let has_dictionary = flags & 0x20 != 0;
        if method % 16 != 8 || method / 16 > 7 || !is_whole || has_dictionary {
            return Err(Refused);
        }
        self.next = Next::Block;
        Ok(())
    }

    fn block(&mut self) -> Result<(), Refused> {
        self.is_last = self.take(1)? == 1;
        self.next = Next::Symbol;
        match self.take(2)? {
            0 => self.as_it_is(),
            1 => self.tables.build(&fixed(), &[5; 32]),
            2 => self.codes(),
            _ => Err(Refused),
        }
    }

    /// A block that is stored as it is, or as much of it as is wanted.
    fn as_it_is(&mut self) -> Result<(), Refused> {
        let header = self.bytes(4)?;
        let length = u16::from_le_bytes([header[0], header[1]]);
        if length != !u16::from_le_bytes([header[2], header[3]]) {
            return Err(Refused);
        }
        let stored = self.bytes(length.into())?;
        let room = &mut self.out[self.byte..];
        let length = if self.is_part { stored.len().min(room.len()) } else { stored.len() };
        room.get_mut(..length).ok_or(Refused)?.copy_from_slice(&stored[..length]);
        self.byte += length;
        self.end();
        Ok(())
    }

    /// The codes of a block, which are given by the lengths of their codes, and these in a code of their own.
    fn codes(&mut self) -> Result<(), Refused> {
        let (symbols, distances) = (self.take(5)? + 257, self.take(5)? + 1);
        let given = self.take(4)? + 4;
        let mut lengths = [0; ORDER.len()];
        for &symbol in &ORDER[..given] {
            lengths[symbol] = self.take(3)? as u8;
        }
        let mut table = [(0, 0); 128];
        Code::new(&lengths, |symbol, bits, code| {
            let places = table.iter_mut().skip(code as usize).step_by(1 << bits);
            places.for_each(|place| *place = (symbol as u8, bits));
        })?;
        let (mut lengths, mut at) = ([0; 288 + 32], 0);
        let all = symbols + distances;
        while at < all {
            let (symbol, bits) = table[self.peek() as usize % table.len()];
            self.skip(bits)?;
            let (length, times) = match (symbol, bits) {
                (_, 0) => return Err(Refused),
                (16, _) => (*lengths[..at].last().ok_or(Refused)?, 3 + self.take(2)?),
                (17, _) => (0, 3 + self.take(3)?),
                (18, _) => (0, 11 + self.take(7)?),
                (length, _) => (length, 1),
            };
            lengths[..all].get_mut(at..at + times).ok_or(Refused)?.fill(length);
            at += times;
        }
        self.tables.build(&lengths[..symbols], &lengths[symbols..all])
    }

    /// Reads one symbol: a literal, a match, or the end of a block.
    pub(super) fn symbol(&mut self) -> Result<(), Refused> {
        let (symbol, bits) = self.tables.symbol_code.first(self.peek())?;
        self.skip(bits)?;
        match symbol {
            0..=255 => {
                *self.out.get_mut(self.byte).ok_or(Refused)? = symbol as u8;
                self.byte += 1;
                Ok(())
            }
            256 => {
                self.end();
                Ok(())
            }
            _ => self.repeat(symbol - 257),
        }
    }

    /// The rest of a match, whose length begins with this symbol.
    fn repeat(&mut self, symbol: usize) -> Result<(), Refused> {
        let (base, more) = length_step(symbol)?;
        let length = usize::from(base) + self.take(more)?;
        let (symbol, bits) = self.tables.distance_code.first(self.peek())?;
        self.skip(bits)?;
        let (base, more) = distance_step(symbol)?;
        let distance = usize::from(base) + self.take(more)?;
        let to = self.byte;
        let from = to.checked_sub(distance).ok_or(Refused)?;
        if length > self.out.len() - to {
            return Err(Refused);
        }
        // What overlaps itself repeats what lies before it: each copy doubles that.
        let mut copied = 0;
        while copied < length {
            let run = (distance + copied).min(length - copied);
            self.out.copy_within(from..from + run, to + copied);
            copied += run;
        }
        self.byte += length;
        Ok(())
    }

    fn end(&mut self) {
        self.next = if self.is_last { Next::Checksum } else { Next::Block };
    }

    /// Holds all of it against its checksum: how many bytes there are.
    fn checksum(&mut self) -> Result<usize, Refused> {
        let sum = self.bytes(4)?;
        let is_whole = self.byte <= self.wanted && adler32(&self.out[..self.byte]).to_be_bytes() == *sum;
        if is_whole { Ok(self.byte) } else { Err(Refused) }
    }
}

/// The lengths of the fixed codes of symbols.
fn fixed() -> [u8; 288] {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    lengths
}
