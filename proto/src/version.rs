//! Versions of a mosaic, as they are told of.

use crate::wire;

/// One publication of a mosaic. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MosaicVersion {
    /// Its number, from 1.
    pub version: u64,
    /// Whether nothing failed.
    pub complete: bool,
    /// When it was published, RFC 3339; empty where that is not known.
    pub published: String,
    /// Linked scenes.
    pub scenes: u64,
    /// The version that the mosaic's name meant before; 0 where there was none.
    pub predecessor: u64,
    /// Whether the mosaic's name means it.
    pub latest: bool,
    /// Where it is.
    pub at: String,
    /// The versions that name it as their predecessor.
    pub successors: Vec<u64>,
}

alike! { MosaicVersion, wire::MosaicVersion:
version, complete, published, scenes, predecessor, latest, at, successors }
