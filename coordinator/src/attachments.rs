//! Files that are sent along with a request: an AOI, catalogues that only the submitter can read.
//!
//! The request names them by the digest of their bytes, so that the same request with the same files is the same, and
//! they are kept in the store, so that it can be planned again, wherever the store is.

use std::collections::BTreeMap;

use artifacts::{ArtifactStore, Kind, Local, StoreError};
use mosaic::ids::Key;
use mosaic::request::{AoiSource, Request, SceneSource, ScoreSource};
use proto::limits::{ATTACHMENTS, REQUEST};

/// What begins the name of an attachment where a path could be.
const SCHEME: &str = "attachment:";

/// Why attachments were not taken.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// The request itself is longer than any that people write.
    #[error("a request of more than {} KiB: put its area and its tiles into files", REQUEST >> 10)]
    LongRequest,
    /// More bytes than the coordinator takes.
    #[error("attachments of more than {} MiB: name files that the coordinator can read, or raise its --attachments", .0 >> 20)]
    TooMuch(usize),
    /// More attachments than there are fields to name them.
    #[error("more than {ATTACHMENTS} attachments")]
    TooMany,
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
    /// One that was sent is not in the store any more.
    #[error("`{0}`: what was sent along is not in the store any more: submit the request again")]
    Gone(&'static str),
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
pub fn fields<P>(request: &mut Request<P>) -> Vec<(&'static str, &mut String)> {
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

/// Whether an href names an attachment.
#[must_use]
pub fn is_attachment(href: &str) -> bool {
    href.starts_with(SCHEME)
}

/// Attachments as they arrive, piece by piece.
#[derive(Debug)]
pub struct Attachments {
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    most: usize,
}

impl Attachments {
    /// None so far, and at most so many bytes.
    #[must_use]
    pub const fn within(most: usize) -> Self {
        Self { files: BTreeMap::new(), bytes: 0, most }
    }

    /// Takes the next piece of a file.
    ///
    /// # Errors
    /// `TooMuch`, `TooMany`.
    pub fn add(&mut self, key: String, piece: &[u8]) -> Result<(), AttachmentError> {
        self.bytes += piece.len();
        if self.bytes > self.most {
            return Err(AttachmentError::TooMuch(self.most));
        }
        if self.files.len() == ATTACHMENTS && !self.files.contains_key(&key) {
            return Err(AttachmentError::TooMany);
        }
        self.files.entry(key).or_default().extend_from_slice(piece);
        Ok(())
    }

    /// Keeps them in the store, and makes sure that those which the request names are there.
    ///
    /// # Errors
    /// Where the request names one that was not sent, or the store does not take them.
    pub fn keep<P>(self, request: &mut Request<P>, store: &ArtifactStore) -> Result<(), AttachmentError> {
        for (name, bytes) in &self.files {
            let key = key_of(bytes);
            if key.as_str() != name {
                return Err(AttachmentError::Spoilt);
            }
            store.write_bytes(Kind::Attachment, &key, bytes)?;
        }
        for (field, path) in fields(request) {
            if let Some(key) = attached(field, path)?
                && !store.has(Kind::Attachment, &key)?
            {
                return Err(AttachmentError::Missing { field, key: key.to_string() });
            }
        }
        Ok(())
    }
}

/// The attachment that a field names, if it names one.
fn attached(field: &'static str, path: &str) -> Result<Option<Key>, AttachmentError> {
    let Some(name) = path.strip_prefix(SCHEME) else { return Ok(None) };
    let missing = |_| AttachmentError::Missing { field, key: name.to_owned() };
    name.parse().map(Some).map_err(missing)
}

/// A request whose attachments are files on this machine, for as long as it lives.
pub struct AtHand {
    /// The request, paths in the place of attachments.
    pub request: Request,
    _files: Vec<Local>,
}

/// Has a request's attachments at hand, to be read.
///
/// # Errors
/// Where one has gone, or the store does not answer.
pub fn at_hand(request: &Request, store: &ArtifactStore) -> Result<AtHand, AttachmentError> {
    let (mut request, mut files) = (request.clone(), Vec::new());
    for (field, path) in fields(&mut request) {
        if let Some(key) = attached(field, path)? {
            if !store.has(Kind::Attachment, &key)? {
                return Err(AttachmentError::Gone(field));
            }
            let file = store.file_at_hand(Kind::Attachment, &key)?;
            *path = file.path().display().to_string();
            files.push(file);
        }
    }
    Ok(AtHand { request, _files: files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_what_is_taken() {
        let mut attachments = Attachments::within(10);
        attachments.add("a".into(), &[0; 6]).unwrap();
        let error = attachments.add("a".into(), &[0; 5]).unwrap_err();
        assert!(matches!(error, AttachmentError::TooMuch(10)), "{error}");
        let mut attachments = Attachments::within(10);
        (0..ATTACHMENTS).try_for_each(|n| attachments.add(n.to_string(), b"x")).unwrap();
        attachments.add("0".into(), b"x").unwrap();
        assert!(matches!(attachments.add("another".into(), b"x"), Err(AttachmentError::TooMany)));
    }
}
