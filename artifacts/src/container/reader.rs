//! Reading a container: the header and the index at once, frames when they are asked for.
//!
//! Of an object only the end and the beginning are read at first. Who asks for a frame will ask for the others, so all of
//! them are brought to a file then; an object that is small is kept as it came.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;

use super::{FOOTER, Frame, Header, INDEX_ENTRY, MAGIC, digest, entry, u32_at, u64_at};
use crate::StoreError;
use crate::remote::Bucket;
use crate::scratch::Room;

/// Bytes of an object that are read at first: footer and index of most, all of the small ones.
const END: u64 = 64 << 10;

/// Where a container's bytes are.
enum Source {
    File(File),
    Bytes(Vec<u8>),
    Object(Box<Object>),
}

/// An object's bytes, and the file that they are brought to.
struct Object {
    bucket: Bucket,
    name: String,
    room: Room,
    /// From here on the bytes are known already.
    end_at: u64,
    end: Vec<u8>,
    brought: OnceLock<File>,
    bringing: Mutex<()>,
}

/// Reads a container.
pub struct Reader {
    source: Source,
    path: PathBuf,
    header: Vec<u8>,
    frames: Vec<Frame>,
}

impl Object {
    /// The file that holds everything up to the end that is known.
    fn brought(&self) -> Result<&File, StoreError> {
        if let Some(file) = self.brought.get() {
            return Ok(file);
        }
        let _one = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.brought.get() {
            return Ok(file);
        }
        let file = self.room.file()?;
        self.bucket.download(&self.name, 0..self.end_at, &file, self.room.path(), |_| {})?;
        file.write_all_at(&self.end, self.end_at).map_err(|e| StoreError::scratch(self.room.path(), e))?;
        Ok(self.brought.get_or_init(|| file))
    }
}

impl Source {
    /// Fills a buffer from a place, which must have so many bytes.
    fn fill(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
        match self {
            Self::File(file) => fill_at(file, path, offset, bytes),
            Self::Bytes(all) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let found = all.get(from..from.saturating_add(bytes.len()));
                bytes.copy_from_slice(found.ok_or_else(|| StoreError::corrupt(path, "it is cut short"))?);
                Ok(())
            }
            Self::Object(object) => fill_at(object.brought()?, path, offset, bytes),
        }
    }

    /// Bytes ahead of the frames or behind them, without bringing those.
    fn around(&self, path: &Path, offset: u64, length: usize, size: u64) -> Result<Vec<u8>, StoreError> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= size);
        let end = end.ok_or_else(|| StoreError::corrupt(path, "it is cut short"))?;
        if let Self::Object(object) = self {
            return match offset.checked_sub(object.end_at) {
                Some(at) => Ok(object.end[at as usize..][..length].to_vec()),
                None => object.bucket.read_range(&object.name, offset..end),
            };
        }
        let mut bytes = vec![0; length];
        self.fill(path, offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl Reader {
    /// Opens a container that is a file, and verifies its header and index.
    ///
    /// # Errors
    /// `Missing`, or `Corrupt` where anything is not as it was written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
        let size = file.metadata().map_err(|e| StoreError::io(path, e))?.len();
        Self::of(Source::File(file), path.to_owned(), size)
    }

    /// Opens a container that is an object; `room` is where its frames are brought to.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where anything is not as it was written; what the store says.
    pub fn of_object(bucket: &Bucket, name: &str, room: &Room) -> Result<Self, StoreError> {
        let path = PathBuf::from(bucket.url(name));
        let found = bucket.read_end(name, END)?;
        let length = found.bytes.len() as u64;
        if length == found.size {
            return Self::of(Source::Bytes(found.bytes), path, found.size);
        }
        let object = Object {
            bucket: bucket.clone(),
            name: name.to_owned(),
            room: room.clone(),
            end_at: found.size.saturating_sub(length),
            end: found.bytes,
            brought: OnceLock::new(),
            bringing: Mutex::new(()),
        };
        Self::of(Source::Object(Box::new(object)), path, found.size)
    }

    fn of(source: Source, path: PathBuf, size: u64) -> Result<Self, StoreError> {
        let cut_short = || StoreError::corrupt(&path, "it is cut short");
        let read = |offset: u64, length: usize| source.around(&path, offset, length, size);
        let footer_at = size.checked_sub(FOOTER as u64).ok_or_else(cut_short)?;
        let footer = read(footer_at, FOOTER)?;
        if &footer[28..] != MAGIC {
            return Err(cut_short());
        }
        let index_at = u64_at(&footer, 0);
        let frames = u32_at(&footer, 8) as usize;
        if index_at.checked_add((frames * INDEX_ENTRY) as u64) != Some(footer_at) {
            return Err(StoreError::corrupt(&path, "its index does not end at its footer"));
        }
        let index = read(index_at, frames * INDEX_ENTRY)?;
        let start = read(0, 12)?;
        let header = read(12, u32_at(&start, 8) as usize)?;
        if &start[..8] != MAGIC || digest(&[&header, &index])[..] != footer[12..28] {
            return Err(StoreError::corrupt(&path, "header or index fail their checksum"));
        }
        let frames = index.chunks_exact(INDEX_ENTRY).map(entry).collect();
        Ok(Self { source, path, header, frames })
    }

    /// What the frames mean, as the writer put it.
    ///
    /// # Errors
    /// `Corrupt` where it is another kind of artifact, or another key's.
    pub fn meta<M: DeserializeOwned>(&self, artifact: &str, key: &str) -> Result<M, StoreError> {
        let header: Header<M> =
            serde_json::from_slice(&self.header).map_err(|e| StoreError::corrupt(&self.path, e.to_string()))?;
        if header.artifact != artifact || header.key != key {
            let found = format!("it is {} {}", header.artifact, header.key);
            return Err(StoreError::corrupt(&self.path, found));
        }
        Ok(header.meta)
    }

    /// Brings the frames of an object here, as the first of them that is asked for would: so that several containers can
    /// come at once.
    ///
    /// # Errors
    /// What the store says, or the system of the file.
    pub fn bring(&self) -> Result<(), StoreError> {
        if let Source::Object(object) = &self.source { object.brought().map(drop) } else { Ok(()) }
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Reads a frame and verifies it.
    ///
    /// # Errors
    /// `Corrupt` where it is not as it was written, or not there.
    pub fn frame(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        let mut frame = Vec::new();
        self.frame_into(index, &mut frame)?;
        Ok(frame)
    }

    /// Reads a frame into a buffer whose content it replaces, and verifies it.
    ///
    /// # Errors
    /// As [`Reader::frame`].
    pub fn frame_into(&self, index: usize, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let corrupt = |why: String| StoreError::corrupt(&self.path, why);
        let frame = self.frames.get(index).ok_or_else(|| corrupt(format!("no frame {index}")))?;
        // Room that is there is not cleared again.
        buffer.resize(frame.length as usize, 0);
        self.source.fill(&self.path, frame.offset, buffer)?;
        let is_whole = digest(&[buffer]) == frame.digest;
        is_whole.then_some(()).ok_or_else(|| corrupt(format!("frame {index} fails its checksum")))
    }

    /// The file that it reads, or the URL.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn fill_at(file: &File, path: &Path, offset: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
    file.read_exact_at(bytes, offset).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => StoreError::corrupt(path, "it is cut short"),
        _ => StoreError::io(path, e),
    })
}
