//! Steps without branches, in turns for each stream.

use super::stream::Stream;
use super::tables::Tables;

/// Bytes, from the next bit on, that a step may read: those that are held, and eight more.
const READ: usize = 16;
/// No step gets on by more bits: 12 of symbols, and 9 and 13 of a distance.
const BITS: usize = 34;
/// No step gets on by more bytes: two literals and a match of ten.
const WRITTEN: usize = 12;
/// Bytes behind what a step begins with that it may write to.
const ROOM: usize = 2 + COPY;
/// Bytes copied for a match.
const COPY: usize = 16;

/// How far a stream is.
#[derive(Clone, Copy)]
struct At {
    /// The bits that come next, the first one lowest. Those above `held` are right or 0.
    bits: u64,
    /// How many of them are counted: at most 63, and before each step as many as its symbols need.
    held: u32,
    /// The byte of input that follows them.
    next: usize,
    /// Bytes written.
    byte: usize,
}

impl At {
    /// # Safety
    /// From byte `bit / 8` on eight bytes of input must be there.
    #[inline(always)]
    unsafe fn new(bit: usize, byte: usize, input: *const u8) -> Self {
        let (whole, part) = (bit / 8, bit % 8);
        // SAFETY: as promised.
        Self { bits: unsafe { load(input, whole) } >> part, held: 56 - part as u32, next: whole + 7, byte }
    }

    const fn bit(&self) -> usize {
        8 * self.next - self.held as usize
    }
}

/// # Safety
/// From byte `at` on eight bytes of input must be there.
#[inline(always)]
unsafe fn load(input: *const u8, at: usize) -> u64 {
    // SAFETY: as promised; a load needs no alignment.
    u64::from_le(unsafe { input.add(at).cast::<u64>().read_unaligned() })
}

/// Where a stream reads and writes.
#[derive(Clone, Copy)]
struct Memory<'a> {
    input: *const u8,
    out: *mut u8,
    tables: &'a Tables,
}

/// Takes steps for each in turn, until one of them comes to what a step cannot do: which.
pub(super) fn run<const N: usize>(streams: &mut [&mut Stream<'_>; N]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("bmi2") {
        // SAFETY: the processor has it.
        return unsafe { run_bmi2(streams) };
    }
    run_with(streams)
}

/// Shifts by what a register holds, and masks, in an instruction each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2")]
fn run_bmi2<const N: usize>(streams: &mut [&mut Stream<'_>; N]) -> usize {
    run_with(streams)
}

#[inline(always)]
fn run_with<const N: usize>(streams: &mut [&mut Stream<'_>; N]) -> usize {
    let (least, steps) = least(streams);
    if steps == 0 {
        return least;
    }
    // SAFETY: there is room for a step, so the bytes are there.
    let mut at = streams.each_ref().map(|s| unsafe { At::new(s.bit, s.byte, s.input.as_ptr()) });
    let memory = streams.each_mut().map(|stream| stream.memory());
    let mut stopped = least;
    'steps: for _ in 0..steps {
        for i in 0..N {
            // SAFETY: every stream has room for so many steps.
            if !unsafe { step(&mut at[i], memory[i]) } {
                stopped = i;
                break 'steps;
            }
        }
    }
    for (stream, at) in streams.iter_mut().zip(at) {
        (stream.bit, stream.byte) = (at.bit(), at.byte);
    }
    stopped
}

/// How many steps there is room for in each stream, and in which it is the least.
fn least<const N: usize>(streams: &[&mut Stream<'_>; N]) -> (usize, usize) {
    let steps = streams.iter().map(|stream| {
        let bits = (8 * stream.input.len()).saturating_sub(stream.bit + 8 * READ);
        let bytes = stream.out.len().saturating_sub(stream.byte + ROOM);
        (bits / BITS).min(bytes / WRITTEN)
    });
    steps.enumerate().min_by_key(|(_, steps)| *steps).unwrap_or_default()
}

impl Stream<'_> {
    fn memory(&mut self) -> Memory<'_> {
        Memory { input: self.input.as_ptr(), out: self.out.as_mut_ptr(), tables: &*self.tables }
    }
}

/// One step. Where it cannot be done nothing is changed, but for bytes that are not written yet.
///
/// # Safety
/// From the next bit on `READ` bytes of input must be there, and from `at.byte` on `ROOM` bytes of output, and nobody
/// else may have these.
#[inline(always)]
unsafe fn step(at: &mut At, Memory { input, out, tables }: Memory<'_>) -> bool {
    // What is held is enough to look up the symbols, which need not wait for the bits that are added.
    let symbols = tables.symbols(at.bits);
    // SAFETY: `next` is at most eight bytes from the next bit.
    let bits = at.bits | unsafe { load(input, at.next) } << (at.held % 64);
    let (next, held) = (at.next + (63 - at.held as usize) / 8, at.held | 56);
    // SAFETY: within `ROOM`.
    unsafe { out.add(at.byte).cast::<u16>().write_unaligned(symbols.literals.to_le()) };
    let bits = bits >> (symbols.bits % 64);
    let found = tables.distance(symbols, bits);
    // SAFETY: a code of 9 bits at most, and 13 more.
    unsafe { std::hint::assert_unchecked(found.bits < 64 && found.code < 64) };
    let more = (bits & ((1 << found.bits) - 1)) >> found.code;
    let distance = usize::from(found.base) + more as usize;
    let (to, length) = (at.byte + usize::from(symbols.count), usize::from(symbols.length));
    if distance < length || distance > to {
        return false;
    }
    // SAFETY: it begins at or after the output's first byte, and no later than `to`, which is within `ROOM` of `at.byte`
    // with all that is copied. It is read before it is written: what does not overlap itself is copied as it should be.
    unsafe {
        let copied = out.add(to - distance).cast::<[u8; COPY]>().read_unaligned();
        out.add(to).cast::<[u8; COPY]>().write_unaligned(copied);
    }
    let held = held - u32::from(symbols.bits) - u32::from(found.bits);
    *at = At { bits: bits >> found.bits, held, next, byte: to + length };
    true
}
