//! Made-up jobs: tiles of sub-tiles of slices, output tiles that share composites, a picture.

use std::sync::Arc;

use fastrand::Rng;
use mosaic::plan::{Layout, Taken, TaskKind, TileSize};

/// A job: its tasks, and what is wrong with some of them.
pub struct Job {
    pub id: String,
    pub layout: Arc<Layout>,
    /// Tasks that can never succeed: a scene of theirs cannot be read.
    pub doomed: Vec<bool>,
}

impl Job {
    /// A job of a random size. Output tiles overlap: a composite may be read by several, or by none.
    pub fn random(id: String, rng: &mut Rng) -> Self {
        let (tiles, subtiles, partials) = (rng.u32(1..=3), rng.u32(1..=3), rng.u32(0..=4));
        let taken = |rng: &mut Rng, shard| {
            let subtiles: Vec<u32> = (0..subtiles).filter(|_| rng.u8(..4) > 0).collect();
            Taken { shard, subtiles }
        };
        let reads = (0..rng.u32(1..=3)).map(|_| (0..tiles).map(|shard| taken(rng, shard)).collect()).collect();
        let layout = Layout::new((0..tiles).map(|_| TileSize { subtiles, partials }), reads);
        let is_bad = rng.u8(..8) == 0;
        let doomed = (0..layout.len()).map(|task| is_bad && reads_scenes(&layout, task) && rng.u8(..10) == 0).collect();
        Self { id, layout: Arc::new(layout), doomed }
    }

    /// Whether a task makes sense without one of those that it waits for.
    pub fn tolerates(&self, task: u32) -> bool {
        matches!(self.layout.kind(task), Some(TaskKind::Mosaic { .. } | TaskKind::Quicklook))
    }
}

fn reads_scenes(layout: &Layout, task: u32) -> bool {
    !matches!(layout.kind(task), Some(TaskKind::Mosaic { .. } | TaskKind::Quicklook)) && layout.inputs(task).is_empty()
}
