//! What goes along with a request that is submitted: files that only this machine may have.

use anyhow::Context;
use coordinator::attachments::{self, AttachmentError};
use coordinator::catalogue::absolute_items;
use mosaic::href::is_local;
use mosaic::request::Request;
use proto::limits::{PIECE, REQUEST};
use proto::wire::submit_job_request::Piece;
use proto::wire::{AttachmentChunk, SubmitHeader, SubmitJobRequest};
use serde::Serialize;

use crate::exit::BadInput;

/// A request as it is sent: its header, then its files in pieces.
#[derive(Clone, Debug)]
pub struct Submission {
    pieces: Vec<SubmitJobRequest>,
}

impl Submission {
    /// A request whose files the coordinator reads itself.
    pub fn bare(request: &Request) -> anyhow::Result<Self> {
        Self::of(request, &[])
    }

    /// A request with its area and catalogues. Hrefs of catalogues become absolute.
    pub fn with_files(request: Request) -> anyhow::Result<Self> {
        let (request, files) = with_files(request)?;
        Self::of(&request, &files)
    }

    fn of(request: &Request, files: &[Attached]) -> anyhow::Result<Self> {
        let header = SubmitHeader { request_json: json(request)?, priority: 0 };
        let pieces = std::iter::once(Piece::Header(header)).chain(chunks(files).map(Piece::Attachment));
        Ok(Self { pieces: pieces.map(|piece| SubmitJobRequest { piece: Some(piece) }).collect() })
    }

    /// The same with a priority.
    pub fn preferred(mut self, by: Option<u32>) -> Self {
        if let (Some(priority), Some(Piece::Header(header))) = (by, self.pieces[0].piece.as_mut()) {
            header.priority = priority;
        }
        self
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> impl tokio_stream::Stream<Item = SubmitJobRequest> + Send + 'static {
        tokio_stream::iter(self.pieces.clone())
    }
}

/// The bytes of a file under their key.
pub type Attached = (String, Vec<u8>);

/// A request without the rights of its URLs, and the files of its area and catalogues: it names them by their keys.
pub fn with_files<P: Clone>(mut request: Request<P>) -> anyhow::Result<(Request<P>, Vec<Attached>)> {
    let mut files = Vec::new();
    for (field, path) in attachments::fields(&mut request) {
        if !is_local(path) {
            continue;
        }
        let bytes = if field == "aoi" {
            std::fs::read(&*path).map_err(|e| BadInput::one(format!("`{field}`: {path}: {e}")))?
        } else {
            let items = absolute_items(path).map_err(|error| {
                BadInput(error.faults().iter().map(|fault| format!("`{field}`: {fault}")).collect())
            })?;
            serde_json::to_vec(&items)?
        };
        let key = attachments::key_of(&bytes);
        *path = attachments::named(&key);
        files.push((key.to_string(), bytes));
    }
    // Nobody else reads with what is signed for this user.
    Ok((request.unsigned(), files))
}

/// A request as JSON, where it is not too long.
pub fn json<P: Serialize>(request: &Request<P>) -> anyhow::Result<String> {
    let text = serde_json::to_string(request).context("the request as JSON")?;
    if text.len() > REQUEST {
        return Err(BadInput::one(AttachmentError::LongRequest.to_string()).into());
    }
    Ok(text)
}

/// Files in pieces that fit into messages, in order.
pub fn chunks(files: &[Attached]) -> impl Iterator<Item = AttachmentChunk> {
    let chunk = |key: &String, data: &[u8]| AttachmentChunk { key: key.clone(), data: data.to_vec() };
    files.iter().flat_map(move |(key, bytes)| bytes.chunks(PIECE).map(move |data| chunk(key, data)))
}
