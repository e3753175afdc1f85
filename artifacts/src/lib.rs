//! Artifacts: what a task makes and what the next one reads, kept under a key that digests all that determines it.
//!
//! ```text
//! <store>/plan/ab/abcd…        JSON documents: shards and outputs of plans
//! <store>/partial/ab/abcd…     container: packed ranks of one (sub-tile, slice), in chunks of rows
//! <store>/core/ab/abcd…        container: the ranks around the middle of one sub-tile, in chunks of rows
//! <store>/composite/ab/abcd…   container: medians and counts of one sub-tile, in chunks of rows
//! <store>/mosaic/ab/abcd…/     a directory: the rasters of one output tile, and `contents.json`
//! <store>/quicklook/ab/abcd…/  likewise
//! <store>/tmp/                 what is being written
//! ```
//!
//! Same key, same bits: resume, retry, double execution and reuse between requests are this one mechanism. An artifact
//! appears whole, by a rename; it says what it is; its checksums are verified whenever it is read, and one that is
//! corrupt is made again. Nothing is synced to disk: after a power cut the checksums find what was lost.

pub mod container;
pub mod contents;
mod error;
mod store;

pub use error::StoreError;
pub use store::{ArtifactStore, Kind, Scratch};
