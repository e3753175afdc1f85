//! Against libdeflate, which says what is in a stream and whether it is one.

use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::{Inflater, Job, Refused};

/// Numbers without a pattern, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }
}

fn deflate(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor.zlib_compress(bytes, &mut out).unwrap();
    out.truncate(length);
    out
}

/// Differences of 16 bits, as a band's are: low bytes are noise, high ones seldom but 0 and 255.
fn band(random: &mut Random, length: usize) -> Vec<u8> {
    let spread = 20 + random.below(400) as i32;
    let difference = |random: &mut Random| {
        let sum: i32 = (0..4).map(|_| random.below(spread as usize) as i32).sum();
        ((sum - 2 * spread) / 2) as i16
    };
    (0..length.div_ceil(2)).flat_map(|_| difference(random).to_le_bytes()).take(length).collect()
}

/// Bytes of all kinds: of bands, runs of one, repeats from near and far, noise.
fn mixed(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::with_capacity(length);
    while bytes.len() < length {
        let scale = random.below(16);
        let run = 1 + random.below(1 << scale);
        match random.below(5) {
            0 => bytes.extend(std::iter::repeat_n(random.next() as u8, run)),
            1 => bytes.extend((0..run).map(|_| random.next() as u8)),
            2 if !bytes.is_empty() => {
                let from = bytes.len() - 1 - random.below(bytes.len().min(40_000));
                (from..from + run).for_each(|at| bytes.push(bytes[at]));
            }
            _ => bytes.extend(band(random, run)),
        }
    }
    bytes.truncate(length);
    bytes
}

fn job<'a>(stored: &'a [u8], full: usize, needed: usize, room: &'a mut Vec<u8>) -> Job<'a> {
    Job { stored, full, needed, room }
}

/// One by itself.
fn inflate(stored: &[u8], full: usize, needed: usize) -> Result<Vec<u8>, Refused> {
    // What an earlier block left behind must not be taken for this one's.
    let mut room = vec![0xAA; full / 2];
    let found = Inflater::default().inflate(vec![job(stored, full, needed, &mut room)])[0]?;
    room.truncate(found);
    Ok(room)
}

fn by_libdeflate(stored: &[u8], full: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; full];
    let length = Decompressor::new().zlib_decompress(stored, &mut out).ok()?;
    out.truncate(length);
    Some(out)
}

#[test]
fn any_number_of_streams_take_turns_and_give_what_was_stored() {
    let mut random = Random(1);
    let contents: Vec<Vec<u8>> = (0..9).map(|i| band(&mut random, 50_000 * i + i)).collect();
    let stored: Vec<Vec<u8>> = contents.iter().map(|bytes| deflate(bytes, 6)).collect();
    let mut inflater = Inflater::default();
    for count in 0..=contents.len() {
        let mut rooms = vec![Vec::new(); count];
        let jobs = stored.iter().zip(&mut rooms).zip(&contents);
        let jobs = jobs.map(|((stored, room), bytes)| job(stored, bytes.len(), bytes.len(), room)).collect();
        let found = inflater.inflate(jobs);
        for ((found, room), bytes) in found.iter().zip(&rooms).zip(&contents) {
            assert!(*found == Ok(bytes.len()) && room[..bytes.len()] == **bytes, "{count} streams");
        }
    }
}

#[test]
fn whatever_was_deflated_is_inflated_to_its_end_or_as_far_as_it_is_needed() {
    let mut random = Random(2);
    for round in 0..60 {
        let length = random.below(1 << (4 + round % 15));
        let bytes = mixed(&mut random, length);
        for level in [0, 1, 6, 9, 12] {
            let stored = deflate(&bytes, level);
            assert!(inflate(&stored, length, length).as_deref() == Ok(&bytes), "{round}, level {level}");
            // There may be less than there might.
            assert!(inflate(&stored, length + 77, length + 77).as_deref() == Ok(&bytes), "{round}, level {level}");
            let needed = random.below(length);
            let part = inflate(&stored, length, needed).unwrap();
            assert!(part.len() >= needed && bytes.starts_with(&part[..needed]), "{round}, level {level}: {needed}");
        }
    }
}

/// Blocks of every kind: stored, with fixed codes, with codes of their own, and of a single distance.
#[test]
fn blocks_of_every_kind_follow_each_other() {
    let mut random = Random(3);
    let noise: Vec<u8> = (0..70_000).map(|_| random.next() as u8).collect();
    for bytes in [&b""[..], b"a", b"abcabcabcabcabc", &[7; 100_000], &noise] {
        for level in [0, 1, 12] {
            let found = inflate(&deflate(bytes, level), bytes.len(), bytes.len());
            assert_eq!(found.as_deref(), Ok(bytes), "{} bytes, level {level}", bytes.len());
        }
    }
    // Fixed codes, by hand: "a", then the end of the block; three bits of header before.
    let fixed = [0x78, 0x01, 0x4B, 0x04, 0x00, 0x00, 0x62, 0x00, 0x62];
    assert_eq!(inflate(&fixed, 1, 1).as_deref(), Ok(&b"a"[..]));
}

#[test]
fn a_stream_that_is_cut_short_or_too_long_is_refused() {
    let mut random = Random(4);
    let bytes = band(&mut random, 30_000);
    let stored = deflate(&bytes, 6);
    for cut in 0..200 {
        assert_eq!(inflate(&stored[..cut], bytes.len(), bytes.len()), Err(Refused), "{cut}");
        assert_eq!(inflate(&stored[..stored.len() - 1 - cut], bytes.len(), bytes.len()), Err(Refused), "but {cut}");
    }
    for less in [1, 2, 11, 300, 29_999] {
        assert_eq!(inflate(&stored, bytes.len() - less, bytes.len() - less), Err(Refused), "{less} less");
    }
}

/// Streams in which some bits are wrong: whatever is made of one, libdeflate makes the same of it. (That one is refused
/// which libdeflate takes is no harm.) Wherever it is wrong, nothing is read or written that is not the stream's.
#[test]
fn of_a_corrupt_stream_nothing_is_made_that_is_not_in_it() {
    let mut random = Random(5);
    let mut refused = 0;
    for round in 0..3000 {
        let length = 1 + random.below(3000);
        let bytes = mixed(&mut random, length);
        let mut stored = deflate(&bytes, [1, 6, 12][round % 3]);
        for _ in 0..=random.below(3) {
            let at = random.below(stored.len());
            stored[at] ^= 1 << random.below(8);
        }
        let full = length + random.below(2) * 500;
        match inflate(&stored, full, full) {
            Ok(found) => assert_eq!(Some(found), by_libdeflate(&stored, full), "{round}"),
            Err(Refused) => refused += 1,
        }
        // Nobody holds a part against a checksum: it is of some length, or refused.
        let needed = random.below(full);
        if let Ok(part) = inflate(&stored, full, needed) {
            assert!(part.len() <= full + 258, "{round}");
        }
    }
    assert!(refused > 2000, "only {refused} were refused");
}

#[test]
fn noise_is_refused() {
    let mut random = Random(6);
    for _ in 0..3000 {
        let length = random.below(400);
        let mut noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        noise.splice(..0, [0x78, 0x01]);
        assert_eq!(inflate(&noise, 10_000, 10_000), Err(Refused));
        let _ = inflate(&noise, 10_000, 5000);
    }
}
