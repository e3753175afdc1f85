//! Files that are sent along with a request: an AOI, catalogues that only the submitter can read.
//!
//! The request names them by the digest of their bytes, so that the same request with the same files is the same, and
//! they are kept in the store, so that it can be planned again.

use std::collections::BTreeMap;

use artifacts::{ArtifactStore, Kind, StoreError};
use mosaic::ids::Key;
use mosaic::request::{AoiSource, Request, SceneSource, ScoreSource};

/// What begins the name of an attachment where a path could be.
const SCHEME: &str = "attachment:";
/// Bytes of all attachments of one request.
const MOST: usize = 1 << 30;
/// Bytes of one piece: messages stay well below what gRPC takes.
pub const PIECE: usize = 1 << 20;

/// Why attachments were not taken.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// More than anyone should send.
    #[error("attachments of more than {} MiB: name files that the coordinator can read", MOST >> 20)]
    TooMuch,
    /// The key does not tell which bytes are meant.
    #[error("an attachment is not what its key says")]
    Spoilt,
    /// The request names one that was not sent.
    #[error("`{field}`: attachment {key} was not sent")]
    Missing {
        /// The field of the request.
        field: &'static str,
        /// The name found there.
        key: String,
    },
    /// The store does not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key of a file's bytes.
#[must_use]
pub fn key_of(bytes: &[u8]) -> Key {
    Key::of_bytes("clearmosaic attachment", bytes)
}

/// The fields of a request that may name an attachment: their names, and what they say.
pub fn fields(request: &mut Request) -> Vec<(&'static str, &mut String)> {
    let mut fields = Vec::new();
    if let AoiSource::File(path) = &mut request.aoi {
        fields.push(("aoi", path));
    }
    if let SceneSource::Items(path) = &mut request.scenes {
        fields.push(("scenes.items", path));
    }
    if let ScoreSource::Items(path) = &mut request.scores.source {
        fields.push(("scores.items", path));
    }
    fields
}

/// How a request names an attachment.
#[must_use]
pub fn named(key: &Key) -> String {
    format!("{SCHEME}{key}")
}

/// Attachments as they arrive, piece by piece.
#[derive(Debug, Default)]
pub struct Attachments {
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl Attachments {
    /// Takes the next piece of a file.
    ///
    /// # Errors
    /// `TooMuch`.
    pub fn add(&mut self, key: String, piece: &[u8]) -> Result<(), AttachmentError> {
        self.bytes += piece.len();
        if self.bytes > MOST {
            return Err(AttachmentError::TooMuch);
        }
        self.files.entry(key).or_default().extend_from_slice(piece);
        Ok(())
    }

    /// Keeps them in the store, and puts their paths there into the request.
    ///
    /// # Errors
    /// Where the request names one that was not sent, or the store does not take them.
    pub fn place(self, request: &mut Request, store: &ArtifactStore) -> Result<(), AttachmentError> {
        for (name, bytes) in &self.files {
            let key = key_of(bytes);
            if key.as_str() != name {
                return Err(AttachmentError::Spoilt);
            }
            store.write_bytes(Kind::Attachment, &key, bytes)?;
        }
        for (field, path) in fields(request) {
            let Some(name) = path.strip_prefix(SCHEME) else { continue };
            let missing = || AttachmentError::Missing { field, key: name.to_owned() };
            let key: Key = name.parse().map_err(|_| missing())?;
            if !store.has(Kind::Attachment, &key) {
                return Err(missing());
            }
            *path = store.path(Kind::Attachment, &key).display().to_string();
        }
        Ok(())
    }
}
