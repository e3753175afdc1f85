//! The container of partials, cores and composites: a header that says what it is, then frames, then their index.
//!
//! ```text
//! "CLRMOS04" | u32 header length | header (JSON) | frame 0 | frame 1 | … | index | footer
//! index    per frame: u64 offset, u32 bytes, 16 bytes of XXH3 over them
//! footer   u64 offset of the index, u32 frames, 16 bytes of XXH3 over header and index, "CLRMOS04"
//! ```
//!
//! Integers are little-endian. A frame holds some rows of the sub-tile, so that a reader needs only one at a time.
//! Frames are stored as they are: their values are packed already. Their checksums guard against damage, not against
//! forgers, who could write another container as well: so it is the fastest of 128 bits, as every byte of every partial
//! goes through it once when it is written, and again whenever it is read.

mod reader;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};
use twox_hash::xxhash3_128::Hasher;

pub use reader::Reader;

const MAGIC: &[u8; 8] = b"CLRMOS04";
const INDEX_ENTRY: usize = 28;
pub(crate) const FOOTER: usize = 36;

/// What an artifact says of itself.
#[derive(Serialize, Deserialize)]
struct Header<M> {
    /// `partial`, `core` or `composite`.
    artifact: String,
    /// The key that it was made for.
    key: String,
    /// The program that made it.
    producer: String,
    /// What its frames mean.
    meta: M,
}

/// Where a frame lies, and what it must digest to.
#[derive(Clone, Copy)]
struct Frame {
    offset: u64,
    length: u32,
    digest: [u8; 16],
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish_128().to_le_bytes()
}

/// Writes a container, frame by frame.
pub struct Writer<W> {
    out: W,
    header: Vec<u8>,
    index: Vec<u8>,
    at: u64,
}

/// What appends the frames of a container that is written to a file.
pub trait Fill<E>: FnOnce(&mut Writer<BufWriter<&File>>) -> Result<(), E> {}

impl<E, F: FnOnce(&mut Writer<BufWriter<&File>>) -> Result<(), E>> Fill<E> for F {}

impl<W: Write> Writer<W> {
    /// Starts a container with its header.
    ///
    /// # Errors
    /// What the sink says.
    pub fn new<M: Serialize>(mut out: W, artifact: &str, key: &str, meta: M) -> io::Result<Self> {
        let producer = concat!("clearmosaic ", env!("CARGO_PKG_VERSION")).to_owned();
        let header = Header { artifact: artifact.to_owned(), key: key.to_owned(), producer, meta };
        let header = serde_json::to_vec(&header)?;
        out.write_all(MAGIC)?;
        out.write_all(&length(header.len())?.to_le_bytes())?;
        out.write_all(&header)?;
        let at = (MAGIC.len() + 4 + header.len()) as u64;
        Ok(Self { out, header, index: Vec::new(), at })
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// What the sink says.
    pub fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        self.out.write_all(frame)?;
        self.index.extend_from_slice(&self.at.to_le_bytes());
        self.index.extend_from_slice(&length(frame.len())?.to_le_bytes());
        self.index.extend_from_slice(&digest(&[frame]));
        self.at += frame.len() as u64;
        Ok(())
    }

    /// Ends the container: bytes written in all, and the sink.
    ///
    /// # Errors
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<(u64, W)> {
        self.out.write_all(&self.index)?;
        let frames = self.index.len() / INDEX_ENTRY;
        self.out.write_all(&self.at.to_le_bytes())?;
        self.out.write_all(&length(frames)?.to_le_bytes())?;
        self.out.write_all(&digest(&[&self.header, &self.index]))?;
        self.out.write_all(MAGIC)?;
        Ok((self.at + (self.index.len() + FOOTER) as u64, self.out))
    }
}

fn length(n: usize) -> io::Result<u32> {
    u32::try_from(n).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame of 4 GiB or more"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn entry(bytes: &[u8]) -> Frame {
    let mut digest = [0; 16];
    digest.copy_from_slice(&bytes[12..INDEX_ENTRY]);
    Frame { offset: u64_at(bytes, 0), length: u32_at(bytes, 8), digest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;
    use proptest::prelude::*;

    fn written(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), "partial", "k", serde_json::json!({"rows": 7})).unwrap();
        for frame in frames {
            writer.frame(frame).unwrap();
        }
        let (length, bytes) = writer.finish().unwrap();
        assert_eq!(length, bytes.len() as u64);
        bytes
    }

    fn read_back(bytes: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        let reader = Reader::open(&path)?;
        let meta: serde_json::Value = reader.meta("partial", "k")?;
        assert_eq!(meta["rows"], 7);
        let mut buffer = vec![9; 100];
        (0..reader.frames())
            .map(|i| {
                reader.frame_into(i, &mut buffer)?;
                assert_eq!(reader.frame(i)?, buffer);
                Ok(buffer.clone())
            })
            .collect()
    }

    fn is_corrupt<T>(read: Result<T, StoreError>) -> bool {
        matches!(read, Err(StoreError::Corrupt { .. }))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_is_read(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..6),
        ) {
            prop_assert_eq!(read_back(&written(&frames)).unwrap(), frames);
        }

        #[test]
        fn one_flipped_bit_anywhere_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut bytes = written(&[vec![1; 300], (0..=255).collect()]);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(is_corrupt(read_back(&bytes)), "a flipped bit was not noticed");
        }

        #[test]
        fn a_container_cut_short_is_noticed(keep in any::<prop::sample::Index>()) {
            let bytes = written(&[vec![1; 300]]);
            let kept = keep.index(bytes.len());
            prop_assert!(is_corrupt(read_back(&bytes[..kept])), "what is missing was not noticed");
        }
    }

    #[test]
    fn an_artifact_of_another_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, written(&[])).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert!(reader.meta::<serde_json::Value>("partial", "other").is_err());
        assert!(reader.meta::<serde_json::Value>("composite", "k").is_err());
    }
}
