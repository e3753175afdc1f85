//! Tasks: what a worker leases. Their ids are deterministic and tell a person what they are.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CompositeRef, Plan};
use crate::grid::SubTile;
use crate::ids::TileId;

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
    /// `shards[shard].subtiles[subtile].partials[partial]`.
    Partial {
        /// Index of the shard.
        shard: usize,
        /// Index of the sub-tile in it.
        subtile: usize,
        /// Index of the partial in that.
        partial: usize,
    },
    /// `shards[shard].subtiles[subtile]`.
    Composite {
        /// Index of the shard.
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

/// A task and the tasks that it waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Deterministic name.
    pub id: TaskId,
    /// What it makes.
    pub kind: TaskKind,
    /// Indices, in the list of tasks, of those that must have ended before.
    pub after: Vec<usize>,
}

/// The plan's tasks, every one after those that it waits for.
#[must_use]
pub fn tasks(plan: &Plan) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut composites: HashMap<(TileId, SubTile), usize> = HashMap::new();
    for (shard, tile) in plan.shards.iter().enumerate() {
        for (subtile, planned) in tile.subtiles.iter().enumerate() {
            let place = format!("{}/{}", tile.tile, planned.at);
            let first = tasks.len();
            for (partial, slice) in planned.partials.iter().enumerate() {
                let id = TaskId(format!("partial/{place}/{}", plan.slices[slice.slice]));
                tasks.push(Task { id, kind: TaskKind::Partial { shard, subtile, partial }, after: Vec::new() });
            }
            composites.insert((tile.tile, planned.at), tasks.len());
            let after = (first..tasks.len()).collect();
            let id = TaskId(format!("composite/{place}"));
            tasks.push(Task { id, kind: TaskKind::Composite { shard, subtile }, after });
        }
    }
    let first_mosaic = tasks.len();
    for (output, tile) in plan.outputs.tiles.iter().enumerate() {
        let made_by = |input: &CompositeRef| composites.get(&(input.tile, input.at)).copied();
        let after = tile.inputs.iter().filter_map(made_by).collect();
        let id = TaskId(format!("mosaic/{}", tile.id));
        tasks.push(Task { id, kind: TaskKind::Mosaic { output }, after });
    }
    if tasks.len() > first_mosaic {
        let after = (first_mosaic..tasks.len()).collect();
        tasks.push(Task { id: TaskId("quicklook".into()), kind: TaskKind::Quicklook, after });
    }
    tasks
}
