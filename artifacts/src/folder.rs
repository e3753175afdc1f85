//! Where files are that are no container: a directory, or a prefix of an object store.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::access::Access;
use crate::at_once::at_once;
use crate::contents::{FAILS, FileEntry, into};
use crate::remote::Bucket;
use crate::store::is_url;

/// A directory, or a prefix of an object store.
#[derive(Clone, Debug)]
pub enum Folder {
    /// A directory.
    Directory(PathBuf),
    /// A prefix of an object store.
    Objects(Bucket),
}

/// A file of another folder that is to be put somewhere, as it was listed.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What it is to be called.
    pub name: String,
    /// Where it is.
    pub from: Folder,
    /// What it is called there, and what it must be.
    pub listed: FileEntry,
    /// The tag that it was put there with, where it is an object.
    pub tag: Option<String>,
}

/// A file that was not put where it should be: which side is at fault.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// That which it comes from.
    #[error(transparent)]
    From(StoreError),
    /// That where it should be.
    #[error(transparent)]
    To(StoreError),
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Objects(bucket) => bucket.fmt(f),
        }
    }
}

impl Folder {
    /// The folder at a place: a directory, or an object store's URL and the profile that opens it.
    ///
    /// # Errors
    /// As [`Bucket::open`]. A directory is not looked at.
    pub fn open(location: &str, profile: Option<&str>, access: &Access) -> Result<Self, StoreError> {
        if !is_url(location) {
            return Ok(Self::Directory(location.into()));
        }
        Bucket::open(location, profile, access).map(Self::Objects)
    }

    /// The folder of this name in it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(path.join(name)),
            Self::Objects(bucket) => Self::Objects(bucket.below(name)),
        }
    }

    /// What a file in it is called in an error: its path, or its URL.
    #[must_use]
    pub fn called(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(name),
            Self::Objects(bucket) => bucket.url(name).into(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Missing`; what the system or the store says.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Directory(dir) => fs::read(dir.join(name)).map_err(|e| StoreError::io(&dir.join(name), e)),
            Self::Objects(bucket) => Ok(bucket.read(name)?.bytes),
        }
    }

    /// Whether a file is there.
    ///
    /// # Errors
    /// Where that is not told.
    pub fn has(&self, name: &str) -> Result<bool, StoreError> {
        match self {
            Self::Directory(dir) => Ok(dir.join(name).is_file()),
            Self::Objects(bucket) => bucket.has(name),
        }
    }

    /// Reads a file to its end, and compares it with what was listed.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is not what was listed; what the system or the store says.
    pub fn check(&self, listed: &FileEntry) -> Result<(), StoreError> {
        match self {
            Self::Directory(dir) if FileEntry::of(dir, &listed.name)? == *listed => Ok(()),
            Self::Directory(dir) => Err(StoreError::corrupt(&dir.join(&listed.name), FAILS)),
            Self::Objects(bucket) => bucket.verify(&listed.name, listed, None),
        }
    }

    /// Compares a file with what was listed, as far as that costs little: here as [`Self::check`], elsewhere by its size.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn seems(&self, listed: &FileEntry) -> Result<(), StoreError> {
        let Self::Objects(bucket) = self else { return self.check(listed) };
        match bucket.head(&listed.name)? {
            (size, _) if size == listed.size => Ok(()),
            _ => Err(StoreError::corrupt(&self.called(&listed.name), FAILS)),
        }
    }

    /// Writes a file, with the directories around it.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Directory(dir) => {
                let path = dir.join(name);
                make_parent(&path)?;
                fs::write(&path, bytes).map_err(|e| StoreError::io(&path, e))
            }
            Self::Objects(bucket) => bucket.write(name, bytes.to_vec()).map(drop),
        }
    }

    /// Moves a file of this machine's here, which is on the same device where this is a directory: it is there whole, or
    /// not at all, after a power cut too. How many bytes it has.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn take_in(&self, name: &str, path: &Path) -> Result<u64, StoreError> {
        let said = |e| StoreError::io(path, e);
        let file = File::open(path).map_err(said)?;
        let size = file.metadata().map_err(said)?.len();
        match self {
            Self::Directory(dir) => {
                file.sync_all().map_err(said)?;
                let to = dir.join(name);
                make_parent(&to)?;
                fs::rename(path, &to).map_err(|e| StoreError::io(&to, e))?;
            }
            Self::Objects(bucket) => drop(bucket.upload(name, &file, path)?),
        }
        Ok(size)
    }

    /// Writes files, several at a time where that is of use.
    ///
    /// # Errors
    /// What the system or the store says.
    pub fn write_all(&self, files: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        let write = |(name, bytes): &(String, Vec<u8>)| self.write(name, bytes);
        self.all(files, write).into_iter().collect()
    }

    /// Puts files of other folders here: what came of each, in order. Several at a time where that is of use.
    #[must_use]
    pub fn place_all(&self, pieces: &[Piece]) -> Vec<Result<(), PlaceError>> {
        self.all(pieces, |piece| self.place(piece))
    }

    /// Does the same with many of its files: several at a time where that is of use.
    pub fn all<T: Sync, R: Send>(&self, things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
        match self {
            Self::Directory(_) => things.iter().map(each).collect(),
            Self::Objects(_) => at_once(things, each),
        }
    }

    /// Puts a file of another folder here: by a hard link or within the store where that can be, else by a copy. What is
    /// put here is what was listed: its bytes are digested as they pass, or where they lie; of an object that stays
    /// within its store, and bears the tag that it was put with, they are not read.
    ///
    /// # Errors
    /// `From`: the file has gone, is not what was listed, or cannot be read. `To`: it cannot be written here.
    pub fn place(&self, piece: &Piece) -> Result<(), PlaceError> {
        let Piece { name, from, listed, tag } = piece;
        match (self, from) {
            (Self::Directory(to), Self::Directory(from)) => {
                link(&from.join(&listed.name), &to.join(name))?;
                let mut digest = blake3::Hasher::new();
                // Of that which is published, whatever may become of the one in the store.
                let read = File::open(to.join(name)).and_then(|file| digest.update_reader(file).map(drop));
                read.map_err(|e| PlaceError::From(StoreError::io(&to.join(name), e)))?;
                piece.check(&digest)
            }
            (Self::Directory(to), Self::Objects(from)) => {
                let mut digest = blake3::Hasher::new();
                fetch(from, &listed.name, &to.join(name), &mut digest)?;
                piece.check(&digest)
            }
            (Self::Objects(to), Self::Directory(from)) => {
                let path = from.join(&listed.name);
                let said = |e| PlaceError::From(StoreError::io(&path, e));
                let mut file = File::open(&path).map_err(said)?;
                let mut digest = blake3::Hasher::new();
                digest.update_reader(&mut file).map_err(said)?;
                piece.check(&digest)?;
                to.upload(name, &file, &path).map(drop).map_err(PlaceError::To)
            }
            (Self::Objects(to), Self::Objects(from)) => {
                if to.is_within(from, &listed.name).map_err(PlaceError::From)? {
                    from.verify(&listed.name, listed, tag.as_deref()).map_err(PlaceError::From)?;
                    if to.copy_within(name, from, &listed.name).map_err(PlaceError::From)? {
                        return Ok(());
                    }
                }
                through_here(to, from, piece)
            }
        }
    }
}

impl Piece {
    fn check(&self, digest: &blake3::Hasher) -> Result<(), PlaceError> {
        let what = || self.from.called(&self.listed.name);
        if self.listed.is_of(digest) { Ok(()) } else { Err(PlaceError::From(StoreError::corrupt(&what(), FAILS))) }
    }
}

fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|e| StoreError::io(parent, e))
}

fn link(from: &Path, to: &Path) -> Result<(), PlaceError> {
    make_parent(to).map_err(PlaceError::To)?;
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(PlaceError::From(StoreError::io(from, e))),
        // Another device, a filesystem without links, too many of them, or a file of someone else's.
        Err(_) => fs::copy(from, to).map(drop).map_err(|e| PlaceError::To(StoreError::io(to, e))),
    }
}

/// Brings an object to a new file.
fn fetch(from: &Bucket, name: &str, to: &Path, digest: &mut blake3::Hasher) -> Result<(), PlaceError> {
    let said = |e| PlaceError::To(StoreError::io(to, e));
    let (size, _) = from.head(name).map_err(PlaceError::From)?;
    make_parent(to).map_err(PlaceError::To)?;
    let file = File::create(to).map_err(said)?;
    from.download(name, 0..size, &file, to, into(digest)).map_err(|error| match error {
        StoreError::ScratchFull(what) => PlaceError::To(StoreError::Full(what)),
        StoreError::Denied { .. } | StoreError::Io { .. } => PlaceError::To(error),
        other => PlaceError::From(other),
    })
}

/// Brings an object from one store to another, by way of a file without a name.
fn through_here(to: &Bucket, from: &Bucket, piece: &Piece) -> Result<(), PlaceError> {
    let name = &piece.listed.name;
    let (file, local) = to.passing().map_err(PlaceError::To)?;
    let (size, _) = from.head(name).map_err(PlaceError::From)?;
    let mut digest = blake3::Hasher::new();
    from.download(name, 0..size, &file, local, into(&mut digest)).map_err(PlaceError::From)?;
    piece.check(&digest)?;
    to.upload(&piece.name, &file, local).map(drop).map_err(PlaceError::To)
}
