//! Inflating a block, as far as it is needed: what follows the last row that is taken is left alone.

use libdeflater::{DecompressionError, Decompressor};

/// How much of a block is wanted, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// All that it may hold.
    pub(super) full: usize,
    /// Up to the end of the last row that is taken.
    pub(super) needed: usize,
}

impl Wanted {
    /// Whether so many bytes spare at least a quarter of the block: less is not worth going without the checksum.
    pub(super) const fn spares(&self, bytes: usize) -> bool {
        bytes <= self.full / 4 * 3
    }
}

/// libdeflate writes from the front to the back, and gives up where the next thing does not fit: a literal, a match of
/// at most 258 bytes, or a stored run of at most 65,535. So when it runs out of room, all but the last of these is
/// written.
const LONGEST: usize = 65_535;

/// Inflates a zlib stream. A stream that is read to its end is held against its checksum. One of which at least a
/// quarter can be spared is not read to its end.
pub(super) fn inflate<'a>(
    inflater: &mut Decompressor,
    stored: &[u8],
    wanted: Wanted,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8], DecompressionError> {
    let Wanted { full, needed } = wanted;
    let part = needed + LONGEST;
    let length = if wanted.spares(part) { part } else { full };
    if room.len() < length {
        room.resize(length, 0);
    }
    match inflater.zlib_decompress(stored, &mut room[..length]) {
        Ok(written) => Ok(&room[..written]),
        Err(DecompressionError::InsufficientSpace) if length < full => Ok(&room[..needed]),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use libdeflater::{CompressionLvl, Compressor};

    use super::*;

    fn deflate(bytes: &[u8], level: i32) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
        let length = compressor.zlib_compress(bytes, &mut out).unwrap();
        out.truncate(length);
        out
    }

    /// Noise, runs and repeats; level 0 stores runs of 65,535 as they are.
    #[test]
    fn a_part_is_the_front_of_the_whole() {
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let bytes: Vec<u8> =
            (0..600_000).map(|i: u32| if (i / 5000).is_multiple_of(3) { 7 } else { noise(i % 70_000) }).collect();
        let mut inflater = Decompressor::new();
        for level in [0, 1, 6, 12] {
            let stored = deflate(&bytes, level);
            for needed in [0, 1, 2048, 65_535, 65_536, 200_000, 384_465, 384_466, 500_000, 600_000] {
                // What an earlier block left behind must not be taken for this one's.
                let mut room = vec![0xAA; 600_000];
                let wanted = Wanted { full: bytes.len(), needed };
                let found = inflate(&mut inflater, &stored, wanted, &mut room).unwrap();
                assert!(found.len() >= needed && found[..needed] == bytes[..needed], "level {level}, {needed}");
            }
        }
    }

    #[test]
    fn a_stream_that_is_cut_short_or_too_long_is_an_error() {
        let stored = deflate(&[3; 1000], 6);
        let mut inflater = Decompressor::new();
        let mut inflate = |stored: &[u8], full| {
            inflate(&mut inflater, stored, Wanted { full, needed: full }, &mut Vec::new()).is_ok()
        };
        assert!(inflate(&stored, 1000) && !inflate(&stored[..stored.len() - 5], 1000) && !inflate(&stored, 999));
    }
}
