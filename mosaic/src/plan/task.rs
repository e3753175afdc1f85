//! Tasks: what a worker leases. Their ids are deterministic and tell a person what they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A task's name: `partial/33TWL/3-4/2023-08-01..2023-09-01`, `composite/33TWL/3-4`, `mosaic/33TWL`, `quicklook`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a task makes, by indices into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// The partial of `tiles[shard].subtiles[subtile]` and `tiles[shard].digests[partial]`.
    Partial {
        /// Index of the tile.
        shard: usize,
        /// Index of the sub-tile in it.
        subtile: usize,
        /// Index of the slice among those of the tile that hold a scene.
        partial: usize,
    },
    /// The composite of `tiles[shard].subtiles[subtile]`.
    Composite {
        /// Index of the tile.
        shard: usize,
        /// Index of the sub-tile in it.
        subtile: usize,
    },
    /// `outputs.tiles[output]`.
    Mosaic {
        /// Index of the output tile.
        output: usize,
    },
    /// The picture of the whole.
    Quicklook,
}
