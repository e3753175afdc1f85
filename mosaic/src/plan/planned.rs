//! A plan ready for use: what each of its tasks is called, and which key it makes, told when it is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CompositeRef, Layout, OutputTile, Outputs, Plan, TaskId, TaskKind, TileSize};
use crate::grid::{self, GridError, SubTile};
use crate::ids::{Key, TileId};
use crate::period::Period;

/// A plan with what it takes to name its tasks.
#[derive(Debug)]
pub struct Planned {
    plan: Plan,
    layout: Arc<Layout>,
    /// Every sub-tile that a tile can have.
    lattice: Vec<SubTile>,
    slices: Vec<String>,
    outputs: HashMap<String, usize>,
    /// Digest of the area.
    area: Key,
}

impl Planned {
    /// Makes a plan ready for use.
    ///
    /// # Errors
    /// Where the working resolution divides no tile.
    pub fn new(plan: Plan) -> Result<Self, GridError> {
        let size = |tile: &super::TilePlan| TileSize {
            subtiles: tile.subtiles.len() as u32,
            partials: if plan.sliced { tile.digests.len() as u32 } else { 0 },
        };
        let layout = Arc::new(Layout::new(plan.tiles.iter().map(size), plan.reads.clone()));
        let outputs = plan.outputs.tiles.iter().enumerate().map(|(index, tile)| (tile.id.clone(), index)).collect();
        Ok(Self {
            layout,
            lattice: grid::subtiles(plan.outputs.working_resolution)?.collect(),
            slices: plan.slices.iter().map(Period::to_string).collect(),
            outputs,
            area: plan.outputs.area_key(),
            plan,
        })
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its tasks by index.
    #[must_use]
    pub const fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// A sub-tile of a tile.
    #[must_use]
    pub fn subtile(&self, shard: usize, subtile: usize) -> SubTile {
        self.lattice[self.plan.tiles[shard].subtiles[subtile] as usize]
    }

    /// A task's name.
    #[must_use]
    pub fn id(&self, kind: TaskKind) -> TaskId {
        let place = |shard: usize, subtile| format!("{}/{}", self.plan.tiles[shard].tile, self.subtile(shard, subtile));
        TaskId(match kind {
            TaskKind::Partial { shard, subtile, partial } => {
                let slice = self.plan.tiles[shard].digests[partial].slice.unwrap_or_default();
                format!("partial/{}/{}", place(shard, subtile), self.slices[slice])
            }
            TaskKind::Composite { shard, subtile } => format!("composite/{}", place(shard, subtile)),
            TaskKind::Mosaic { output } => format!("mosaic/{}", self.plan.outputs.tiles[output].id),
            TaskKind::Quicklook => "quicklook".to_owned(),
        })
    }

    /// The index of the task of this name; none where the plan has none.
    #[must_use]
    pub fn find(&self, id: &TaskId) -> Option<u32> {
        let parts: Vec<&str> = id.0.split('/').collect();
        let kind = match parts[..] {
            ["partial", tile, at, slice] => {
                let (shard, subtile) = self.find_subtile(tile, at)?;
                let slice = self.slices.iter().position(|known| known == slice)?;
                let digests = &self.plan.tiles[shard].digests;
                let partial = digests.iter().position(|digest| digest.slice == Some(slice))?;
                TaskKind::Partial { shard, subtile, partial }
            }
            ["composite", tile, at] => {
                let (shard, subtile) = self.find_subtile(tile, at)?;
                TaskKind::Composite { shard, subtile }
            }
            ["mosaic", tile] => TaskKind::Mosaic { output: *self.outputs.get(tile)? },
            ["quicklook"] => TaskKind::Quicklook,
            _ => return None,
        };
        self.layout.index(kind)
    }

    fn find_subtile(&self, tile: &str, at: &str) -> Option<(usize, usize)> {
        let tile: TileId = tile.parse().ok()?;
        let shard = self.plan.tiles.binary_search_by_key(&tile, |planned| planned.tile).ok()?;
        let (column, row) = at.split_once('-')?;
        let (column, row): (usize, usize) = (column.parse().ok()?, row.parse().ok()?);
        // The lattice is square, and goes row by row.
        let side = self.lattice.len().isqrt();
        let index = (column < side).then(|| row * side + column)?;
        let subtile = self.plan.tiles[shard].subtiles.binary_search(&u32::try_from(index).ok()?).ok()?;
        Some((shard, subtile))
    }

    /// Key of what a task makes; an output tile's and the picture's where the composites of these indices, ascending,
    /// could not be made.
    #[must_use]
    pub fn key(&self, kind: TaskKind, failed: &[u32]) -> Key {
        match kind {
            TaskKind::Partial { shard, subtile, partial } => self.partial(shard, subtile, partial),
            TaskKind::Composite { shard, subtile } => self.plan.tiles[shard].composites[subtile].clone(),
            TaskKind::Mosaic { output } => self.mosaic(output, failed),
            TaskKind::Quicklook => self.plan.outputs.quicklook_key(&self.mosaics(failed)),
        }
    }

    /// Keys of all output tiles, where these composites could not be made.
    #[must_use]
    pub fn mosaics(&self, failed: &[u32]) -> Vec<Key> {
        (0..self.plan.outputs.tiles.len()).map(|output| self.mosaic(output, failed)).collect()
    }

    fn partial(&self, shard: usize, subtile: usize, partial: usize) -> Key {
        let tile = &self.plan.tiles[shard];
        let scenes = &tile.digests[partial].scenes;
        self.plan.recipe.partial_key(&tile.grid, &self.subtile(shard, subtile), scenes)
    }

    fn mosaic(&self, output: usize, failed: &[u32]) -> Key {
        let tile = self.output_tile(output);
        let missing = |input: &CompositeRef| !failed.is_empty() && self.is_among(input, failed);
        self.plan.outputs.key_within(&self.area, &tile, missing)
    }

    fn is_among(&self, input: &CompositeRef, failed: &[u32]) -> bool {
        let found = self.find_subtile(input.tile.as_str(), &input.at.to_string());
        found.is_some_and(|(shard, subtile)| failed.binary_search(&self.layout.composite_of(shard, subtile)).is_ok())
    }

    /// Places among an output tile's inputs of those composites that could not be made.
    #[must_use]
    pub fn missing(&self, output: usize, failed: &[u32]) -> Vec<usize> {
        if failed.is_empty() {
            return Vec::new();
        }
        let inputs = self.layout.composites_of(output).enumerate();
        inputs.filter(|(_, composite)| failed.binary_search(composite).is_ok()).map(|(place, _)| place).collect()
    }

    /// An output tile with all that it reads.
    #[must_use]
    pub fn output_tile(&self, output: usize) -> OutputTile {
        let reads = &self.plan.reads[output];
        OutputTile {
            owners: reads.iter().map(|taken| self.plan.tiles[taken.shard as usize].tile).collect(),
            inputs: reads.iter().flat_map(|taken| self.composites(taken)).collect(),
            ..self.plan.outputs.tiles[output].clone()
        }
    }

    fn composites<'a>(&'a self, taken: &'a super::Taken) -> impl Iterator<Item = CompositeRef> + 'a {
        let (shard, tile) = (taken.shard as usize, &self.plan.tiles[taken.shard as usize]);
        taken.subtiles.iter().map(move |subtile| {
            let (at, key) = (self.subtile(shard, *subtile as usize), &tile.composites[*subtile as usize]);
            CompositeRef { tile: tile.tile, at, key: key.clone() }
        })
    }

    /// What the maker of one output tile must know: the outputs with this tile alone, and all that it reads.
    #[must_use]
    pub fn output(&self, output: usize) -> Outputs {
        self.plan.outputs.with_tiles(vec![self.output_tile(output)])
    }
}
