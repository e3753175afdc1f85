//! Inflating zlib streams, two at once: what libdeflate does, for streams that consist of single literals and short
//! matches, as those of bands do, whose differences are noise that repeats by chance.
//!
//! ```text
//! stream   header of a block ─► tables ─► symbols, one by one and with care, to the end ─► checksum
//! fast     a literal or two and a match at each step, in turns for both streams
//! tables   12 bits ─► one or two literals and the length of a match, or as much of that as they hold
//! code     canonical Huffman codes, for what the tables do not hold
//! ```
//!
//! In the differences of a band a literal and a match of 3 to 5 bytes take turns, but not always: whoever branches on
//! which of them comes guesses wrong at every fifth, and each symbol waits for the length of the one before. So a step
//! does not branch: it writes a literal or two that may not be there, and copies a match that may have no length. It
//! stops at whatever else there is (the end of a block, a long match, one that overlaps itself, a code too long for the
//! tables, the last bytes), one symbol of a hundred, which is read with care. And as a step still waits for the one
//! before, a step of the other stream is done meanwhile. (More than two do not find room in the registers.)
//!
//! What is refused here may only be unusual: the caller asks libdeflate, whose word is the last.

mod code;
mod fast;
mod stream;
mod tables;
#[cfg(test)]
mod tests;

use stream::Stream;
use tables::Tables;

/// Not a stream that is inflated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// A zlib stream to be inflated.
pub(crate) struct Job<'a> {
    /// The stream.
    pub stored: &'a [u8],
    /// The most bytes that it may hold.
    pub full: usize,
    /// How many are needed, from the front. Where these are all that it may hold, it is read to its end and held
    /// against its checksum; else it is left once they are there.
    pub needed: usize,
    /// Where they go; it only grows, and what lies behind them is of no meaning.
    pub room: &'a mut Vec<u8>,
}

/// What inflating needs again and again.
pub(crate) struct Inflater([Box<Tables>; 2]);

impl Default for Inflater {
    fn default() -> Self {
        Self([Tables::new(), Tables::new()])
    }
}

impl Inflater {
    /// Inflates them: of each how many bytes it has, at least those that were needed where it has them.
    pub(crate) fn inflate<'a>(&'a mut self, jobs: Vec<Job<'a>>) -> Vec<Result<usize, Refused>> {
        let mut found = vec![Err(Refused); jobs.len()];
        let mut queue = jobs.into_iter().enumerate();
        let free = self.0.iter_mut().zip(queue.by_ref());
        let mut lanes: Vec<_> = free.map(|(tables, (at, job))| (at, Stream::new(tables, job))).collect();
        while !lanes.is_empty() {
            let (done, result) = match lanes.as_mut_slice() {
                [(_, a), (_, b)] => together([a, b]),
                [(_, a), ..] => together([a]),
                [] => break,
            };
            let (at, stream) = lanes.swap_remove(done);
            found[at] = result;
            lanes.extend(queue.next().map(|(at, job)| (at, Stream::new(stream.into_tables(), job))));
        }
        found
    }
}

/// Goes on with all of them until one is done: which, and how many bytes it has.
fn together<const N: usize>(mut streams: [&mut Stream<'_>; N]) -> (usize, Result<usize, Refused>) {
    // Each must be among symbols before they take turns.
    for (at, stream) in streams.iter_mut().enumerate() {
        if let Some(result) = stream.settle() {
            return (at, result);
        }
    }
    loop {
        let at = fast::run(&mut streams);
        if let Err(refused) = streams[at].symbol() {
            return (at, Err(refused));
        }
        if let Some(result) = streams[at].settle() {
            return (at, result);
        }
    }
}
