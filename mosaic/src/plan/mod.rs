//! The plan: from linked scenes to deterministic tasks, each with the key of what it makes.
//!
//! ```text
//! linkage ─► shard (per MGRS tile: scenes, slices, the sub-tiles that are needed, their keys)
//!                │
//! aoi, grid ─► outputs (per output tile: its grid, its owners, the composites that it reads)
//!                │
//!                ▼
//!            tasks: Partial(sub-tile, slice) ─► Composite(sub-tile) ─► Mosaic(tile) ─► Quicklook
//! ```
//!
//! A plan is a function of the request and the catalogue alone. It is kept as artifacts, one shard per tile, so that
//! a task needs only name its shard.

mod build;
mod claim;
mod lattice;
mod needed;
mod output;
mod shard;
mod task;

pub use build::{Inputs, PlanError, build};
pub use output::{CompositeRef, OutputTile, Outputs, QUICKLOOK, SCALE};
pub use shard::{PartialPlan, Recipe, SceneInput, SourceFile, SubTilePlan, TileShard};
pub use task::{Task, TaskId, TaskKind, tasks};

use serde::{Deserialize, Serialize};

use crate::ids::Key;
use crate::period::Period;

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
    /// One shard per MGRS tile with a linked scene, in order of tile.
    pub shards: Vec<TileShard>,
    /// What comes out.
    pub outputs: Outputs,
}
