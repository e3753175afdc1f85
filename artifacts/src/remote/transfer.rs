//! Files to objects and back, a piece at a time, so that memory is bounded whatever their size.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use super::Bucket;
use super::io::{LOOK, given_up_call, is_off, wait};
use crate::StoreError;
use crate::contents::{FAILS, FileEntry, into};

/// Bytes of one piece: S3 takes 10,000 of them, of 5 MiB at least.
pub const PIECE: u64 = 8 << 20;
/// Pieces of large files above which they grow: so many are always taken.
const MOST_PIECES: u64 = 9_000;
/// Pieces that are under way in the whole process: what a slow store takes of memory.
const UNDER_WAY: usize = 4;

/// Room for the pieces that are under way.
struct Room {
    taken: Mutex<usize>,
    freed: Condvar,
}

static ROOM: Room = Room { taken: Mutex::new(0), freed: Condvar::new() };

/// Room for one piece; given back when it is dropped.
struct Piece;

impl Piece {
    /// Waits for it, while it is wanted.
    fn take() -> Result<Self, StoreError> {
        let mut taken = ROOM.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= UNDER_WAY {
            if is_off() {
                return Err(given_up_call());
            }
            (taken, _) = ROOM.freed.wait_timeout(taken, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Ok(Self)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        *ROOM.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ROOM.freed.notify_one();
    }
}

/// The ranges of a file's pieces.
fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let length = PIECE.max((range.end - range.start).div_ceil(MOST_PIECES));
    let starts = (range.start..range.end).step_by(usize::try_from(length).unwrap_or(usize::MAX));
    starts.map(move |start| start..(start + length).min(range.end))
}

impl Bucket {
    /// Writes a file's bytes as an object: its tag. `local` is what the file is called in an error.
    ///
    /// # Errors
    /// What the store says, or the system of the file.
    pub fn upload(&self, name: &str, file: &File, local: &Path) -> Result<Option<String>, StoreError> {
        let said = |e| StoreError::io(local, e);
        let size = file.metadata().map_err(said)?.len();
        if size <= PIECE {
            let _room = Piece::take()?;
            return self.write(name, read_piece(file, 0..size).map_err(said)?);
        }
        let begun = self.call(name, |store, path| async move { store.put_multipart(&path).await })?;
        let mut upload = begun.map_err(|error| self.said(name, &error))?;
        for piece in pieces(0..size) {
            let _room = Piece::take()?;
            match read_piece(file, piece).map_err(said).and_then(|bytes| self.part(name, &mut upload, bytes)) {
                Ok(()) => {}
                Err(error) => {
                    // What is not put together is swept by the store, sooner or later.
                    let _ = wait(async move { upload.abort().await });
                    return Err(error);
                }
            }
        }
        let put = wait(async move { upload.complete().await })?;
        put.map(|put| put.e_tag).map_err(|error| self.said(name, &error))
    }

    fn part(&self, name: &str, upload: &mut Box<dyn MultipartUpload>, bytes: Vec<u8>) -> Result<(), StoreError> {
        wait(upload.put_part(PutPayload::from(bytes)))?.map_err(|error| self.said(name, &error))
    }

    /// Writes a part of an object at its place in a file, and hands each piece of it to `seen`.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is cut short; what the store says, or the system of the file.
    pub fn download(
        &self,
        name: &str,
        range: Range<u64>,
        file: &File,
        local: &Path,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        for piece in pieces(range) {
            let _room = Piece::take()?;
            let start = piece.start;
            let bytes = self.read_range(name, piece)?;
            file.write_all_at(&bytes, start).map_err(|e| StoreError::scratch(local, e))?;
            seen(&bytes);
        }
        Ok(())
    }

    /// Hands the bytes of an object to `seen`, a piece at a time.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is cut short; what the store says.
    pub fn scan(&self, name: &str, size: u64, mut seen: impl FnMut(&[u8])) -> Result<(), StoreError> {
        for piece in pieces(0..size) {
            let _room = Piece::take()?;
            seen(&self.read_range(name, piece)?);
        }
        Ok(())
    }
}

impl Bucket {
    /// Verifies that an object is as it is listed: one that bears the tag that it was put with is, and is not read.
    ///
    /// # Errors
    /// `Missing`; `Corrupt`; what the store says.
    pub fn verify(&self, name: &str, listed: &FileEntry, tag: Option<&str>) -> Result<(), StoreError> {
        let corrupt = || StoreError::Corrupt { what: self.url(name), why: FAILS.to_owned() };
        let (size, found) = self.head(name)?;
        if size != listed.size {
            return Err(corrupt());
        }
        if found.is_some() && found.as_deref() == tag {
            return Ok(());
        }
        let mut digest = blake3::Hasher::new();
        self.scan(name, size, into(&mut digest))?;
        if listed.is_of(&digest) { Ok(()) } else { Err(corrupt()) }
    }
}

fn read_piece(file: &File, range: Range<u64>) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn bucket() -> Bucket {
        Bucket::of(Arc::new(InMemory::new()), "s3://b", "p")
    }

    #[test]
    fn a_file_of_many_pieces_comes_back_as_it_was() {
        let bucket = bucket();
        for size in [0, 1, PIECE, PIECE + 1, 3 * PIECE + 17] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * i % 251) as u8).collect();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            bucket.upload("a/b", &file, Path::new("f")).unwrap();
            assert_eq!(bucket.head("a/b").unwrap().0, size);
            let back = tempfile::tempfile().unwrap();
            let mut seen = 0;
            bucket.download("a/b", 0..size, &back, Path::new("f"), |piece| seen += piece.len()).unwrap();
            assert_eq!((seen as u64, read_piece(&back, 0..size).unwrap() == bytes), (size, true));
        }
        assert!(matches!(bucket.read_range("a/b", PIECE..4 * PIECE), Err(StoreError::Corrupt { .. })));
        assert!(matches!(bucket.read("a/c"), Err(StoreError::Missing(what)) if what == "s3://b/p/a/c"));
    }

    #[test]
    fn who_comes_second_loses_and_who_replaces_must_know_what() {
        let bucket = bucket();
        assert!(bucket.create("k", b"1".to_vec()).unwrap());
        assert!(!bucket.create("k", b"2".to_vec()).unwrap());
        let found = bucket.read("k").unwrap();
        assert!(bucket.replace("k", &found, b"3".to_vec()).unwrap());
        assert!(!bucket.replace("k", &found, b"4".to_vec()).unwrap());
        assert_eq!(bucket.read("k").unwrap().bytes, b"3");
        assert_eq!(bucket.read_end("k", 64).unwrap().bytes, b"3");
        assert_eq!(bucket.which(&["k".into(), "l".into()]), [true, false]);
        assert!(bucket.copy_within("l", &bucket.below(""), "k").unwrap());
        assert_eq!(bucket.read("l").unwrap().bytes, b"3");
        bucket.remove("k").unwrap();
        bucket.remove("k").unwrap();
    }
}
