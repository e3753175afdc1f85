//! The plan: from linked scenes to deterministic tasks, each with the key of what it makes.
//!
//! ```text
//! linkage ─► shard (per MGRS tile: scenes, slices, the sub-tiles that are needed, their keys) ─► kept, let go
//!                │
//!                ▼
//!            plan (per tile what names its tasks; per output tile: its grid, the composites that it reads)
//!                │
//!                ▼
//!            layout: Partial(sub-tile, slice) ─► Composite(sub-tile) ─► Mosaic(tile) ─► Quicklook
//! ```
//!
//! A plan is a function of the request and the catalogue alone. It is kept as artifacts: one shard per tile, one document
//! per output tile, so that a task needs only name its own; and the plan itself, which knows neither scenes nor the keys
//! of partials, so that a continent's takes a few megabytes.

mod build;
mod claim;
mod lattice;
mod layout;
mod needed;
mod output;
mod planned;
mod shard;
mod task;

pub use build::{Inputs, PlanError, build};
pub use layout::{Layout, Taken, TileSize};
pub use output::{CompositeRef, OutputRaster, OutputTile, Outputs, QUICKLOOK, SCALE};
pub use planned::Planned;
pub use shard::{PartialPlan, Recipe, SceneInput, SliceDigest, SourceFile, SubTilePlan, TileShard};
pub use task::{TaskId, TaskKind};

use serde::{Deserialize, Serialize};

use crate::grid::PixelGrid;
use crate::ids::{Key, TileId};
use crate::period::Period;

/// What the parts of a plan are kept as: names in their keys, so that none is ever taken for another.
pub mod parts {
    /// A tile's [`super::TileShard`].
    pub const SHARD: &str = "clearmosaic plan shard";
    /// All [`super::Outputs`], without what they read.
    pub const OUTPUTS: &str = "clearmosaic plan outputs";
    /// The [`super::Outputs`] with one tile, and all that it reads.
    pub const OUTPUT: &str = "clearmosaic plan output";
    /// Places among an output tile's inputs of those that could not be made: nothing of them is read.
    pub const MISSING: &str = "clearmosaic plan missing";
    /// The keys of the output tiles that the picture shows, in the plan's order.
    pub const PICTURED: &str = "clearmosaic plan pictured";
}

/// Raised when an algorithm changes what pixels an artifact holds: older artifacts are then never taken for new ones.
pub const ALGORITHM: u32 = 1;

/// Everything that is to be done for one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The request's name.
    pub name: String,
    /// Digest of the request as it was planned.
    pub request: Key,
    /// The slices of the period; one, the whole period, where the request has no `slice`.
    pub slices: Vec<Period>,
    /// Whether partials are made per slice and kept.
    pub sliced: bool,
    /// What determines the pixels of partials and composites.
    pub recipe: Recipe,
    /// One for each MGRS tile with a linked scene, in order of tile.
    pub tiles: Vec<TilePlan>,
    /// What comes out; its tiles without owners and inputs, which follow from `reads`.
    pub outputs: Outputs,
    /// Of each output tile, the tiles that may own a pixel of it, and the composites that it reads of them.
    pub reads: Vec<Vec<Taken>>,
}

/// One MGRS tile's share of the plan, as far as it takes to name its tasks. Its workers read its shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TilePlan {
    /// The tile.
    pub tile: TileId,
    /// Its whole pixel grid at the working resolution.
    pub grid: PixelGrid,
    /// Key of its shard.
    pub shard: Key,
    /// How many scenes are linked.
    pub scenes: usize,
    /// Stored bytes of all scenes and scores, where they could be had.
    pub bytes: u64,
    /// The slices that hold a scene, or all of them together.
    pub digests: Vec<SliceDigest>,
    /// The sub-tiles that are needed: their indices on the tile's lattice, ascending.
    pub subtiles: Vec<u32>,
    /// Keys of their composites.
    pub composites: Vec<Key>,
}

impl Plan {
    /// How many tasks there are.
    #[must_use]
    pub fn tasks(&self) -> usize {
        let of_tile = |tile: &TilePlan| {
            let partials = if self.sliced { tile.digests.len() } else { 0 };
            tile.subtiles.len() * (partials + 1)
        };
        let (tiles, outputs) = (self.tiles.iter().map(of_tile).sum::<usize>(), self.outputs.tiles.len());
        tiles + outputs + usize::from(outputs > 0)
    }
}
