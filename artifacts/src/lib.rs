//! Artifacts: what a task makes and what the next one reads, kept under a key that digests all that determines it.
//!
//! ```text
//! <store>/plan/ab/abcd…        JSON documents: shards and outputs of plans
//! <store>/partial/ab/abcd…     container: packed ranks of one (sub-tile, slice), in chunks of rows
//! <store>/core/ab/abcd…        container: the ranks around the middle of one sub-tile, in chunks of rows
//! <store>/composite/ab/abcd…   container: medians and counts of one sub-tile, in chunks of rows
//! <store>/mosaic/ab/abcd…/     several files: the rasters of one output tile, and `contents.json`
//! <store>/quicklook/ab/abcd…/  likewise
//! <store>/tmp/                 what is being written, where the store is a directory
//!
//! store ─► directory    artifacts appear by a rename
//!      └─► objects      made in a scratch directory, sent whole ─► remote (S3, Google Cloud Storage, Azure)
//! folder                files of an artifact, or of what is published, in either
//! ```
//!
//! Same key, same bits: resume, retry, double execution and reuse between requests are this one mechanism. An artifact
//! appears whole; it says what it is; its checksums are verified whenever it is read, and one that is corrupt is made
//! again. Nothing is synced to disk: after a power cut the checksums find what was lost.

pub mod access;
mod at_once;
pub mod container;
pub mod contents;
mod directory;
mod error;
mod folder;
mod kind;
mod objects;
pub mod remote;
mod scratch;
mod store;

pub use access::Access;
pub use at_once::at_once;
pub use error::StoreError;
pub use folder::{Folder, Piece, PlaceError};
pub use kind::Kind;
pub use scratch::{Room, Scratch};
pub use store::{ArtifactStore, Local, is_url};
