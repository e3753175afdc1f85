//! Which tasks there are, and what each waits for: computed, not kept, as a continent has millions.
//!
//! ```text
//! index   0 … p-1     p          p+1 … 2p    2p+1               first_output …          last
//! task    partials    composite  partials    composite  …  …    mosaic mosaic mosaic …  quicklook
//!         └ sub-tile 0 of tile 0 ┘└ sub-tile 1 of tile 0 ┘      └ a place of their own ──────────┘
//! ```
//!
//! Every task comes after those that it waits for. A tile's tasks lie together: they are a *place*, where a worker that
//! has the tile open stays.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::TaskKind;

/// The tasks of a plan by their indices, from 0.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    tiles: Vec<Span>,
    /// Of each output tile, what it reads.
    reads: Vec<Vec<Taken>>,
    /// Of each tile, the output tiles that read of it.
    readers: Vec<Vec<u32>>,
    first_output: u32,
}

/// The tasks of one tile: for each sub-tile its partials, then its composite.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u32,
    subtiles: u32,
    partials: u32,
}

/// The composites of one tile that an output tile reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Index of the tile in the plan.
    pub shard: u32,
    /// Indices of the sub-tiles in it, ascending.
    pub subtiles: Vec<u32>,
}

/// What the tasks of one tile are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileSize {
    /// Sub-tiles that are needed.
    pub subtiles: u32,
    /// Partials of each; 0 where none are kept.
    pub partials: u32,
}

impl Layout {
    /// The tasks of tiles of these sizes, and of output tiles that read this of them.
    #[must_use]
    pub fn new(tiles: impl IntoIterator<Item = TileSize>, reads: Vec<Vec<Taken>>) -> Self {
        let mut layout = Self { reads, ..Self::default() };
        for TileSize { subtiles, partials } in tiles {
            layout.tiles.push(Span { first: layout.first_output, subtiles, partials });
            layout.first_output += subtiles * (partials + 1);
        }
        layout.readers = vec![Vec::new(); layout.tiles.len()];
        for (output, taken) in (0..).zip(&layout.reads) {
            for taken in taken.iter().filter(|taken| !taken.subtiles.is_empty()) {
                layout.readers[taken.shard as usize].push(output);
            }
        }
        layout
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.first_output + self.outputs() + u32::from(self.outputs() > 0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many output tiles there are.
    #[must_use]
    pub fn outputs(&self) -> u32 {
        self.reads.len() as u32
    }

    /// How many places there are: the tiles, then one for what is of no single tile.
    #[must_use]
    pub fn places(&self) -> usize {
        self.tiles.len() + 1
    }

    /// The tasks of a place.
    #[must_use]
    pub fn of_place(&self, place: usize) -> Range<u32> {
        let start = |place: usize| self.tiles.get(place).map_or(self.first_output, |span| span.first);
        start(place)..if place < self.tiles.len() { start(place + 1) } else { self.len() }
    }

    /// Where a task's inputs are.
    #[must_use]
    pub fn place(&self, index: u32) -> usize {
        if index >= self.first_output {
            return self.tiles.len();
        }
        // Of tiles without a sub-tile, which begin at the same index, the last one.
        self.tiles.partition_point(|span| span.first <= index) - 1
    }

    /// What a task makes; none where there are not so many.
    #[must_use]
    pub fn kind(&self, index: u32) -> Option<TaskKind> {
        if index >= self.len() {
            return None;
        }
        if index >= self.first_output {
            let output = (index - self.first_output) as usize;
            return Some(if output < self.reads.len() { TaskKind::Mosaic { output } } else { TaskKind::Quicklook });
        }
        let shard = self.place(index);
        let Span { first, partials, .. } = self.tiles[shard];
        let (subtile, partial) = ((index - first) / (partials + 1), (index - first) % (partials + 1));
        let (subtile, of_partial) = (subtile as usize, partial < partials);
        Some(if of_partial {
            TaskKind::Partial { shard, subtile, partial: partial as usize }
        } else {
            TaskKind::Composite { shard, subtile }
        })
    }

    /// The index of a task; none where the plan has no such task.
    #[must_use]
    pub fn index(&self, kind: TaskKind) -> Option<u32> {
        let in_tile = |shard: usize, subtile: usize, offset: fn(u32, u32) -> Option<u32>, partial: usize| {
            let span = self.tiles.get(shard).filter(|span| subtile < span.subtiles as usize)?;
            Some(span.first + subtile as u32 * (span.partials + 1) + offset(span.partials, partial as u32)?)
        };
        match kind {
            TaskKind::Partial { shard, subtile, partial } => {
                in_tile(shard, subtile, |partials, partial| (partial < partials).then_some(partial), partial)
            }
            TaskKind::Composite { shard, subtile } => in_tile(shard, subtile, |partials, _| Some(partials), 0),
            TaskKind::Mosaic { output } => (output < self.reads.len()).then(|| self.first_output + output as u32),
            TaskKind::Quicklook => (!self.reads.is_empty()).then(|| self.len() - 1),
        }
    }

    /// How many sub-tiles of a tile are needed.
    #[must_use]
    pub fn subtiles(&self, shard: usize) -> usize {
        self.tiles[shard].subtiles as usize
    }

    /// The composite that reads a partial.
    #[must_use]
    pub fn composite_of(&self, shard: usize, subtile: usize) -> u32 {
        let Span { first, partials, .. } = self.tiles[shard];
        first + (subtile as u32 + 1) * (partials + 1) - 1
    }

    /// The partials that a composite reads.
    #[must_use]
    pub fn partials_of(&self, shard: usize, subtile: usize) -> Range<u32> {
        let composite = self.composite_of(shard, subtile);
        composite - self.tiles[shard].partials..composite
    }

    /// The output tiles that read a composite.
    pub fn readers(&self, shard: usize, subtile: usize) -> impl Iterator<Item = u32> {
        let reads = move |output: &u32| {
            let taken = self.reads[*output as usize].iter().find(|taken| taken.shard as usize == shard);
            taken.is_some_and(|taken| taken.subtiles.binary_search(&(subtile as u32)).is_ok())
        };
        self.readers[shard].iter().copied().filter(reads)
    }

    /// The composites that an output tile reads, in the order of its inputs.
    pub fn composites_of(&self, output: usize) -> impl Iterator<Item = u32> {
        let of_tile = move |taken: &Taken| {
            let shard = taken.shard as usize;
            taken.subtiles.iter().map(move |subtile| self.composite_of(shard, *subtile as usize)).collect::<Vec<_>>()
        };
        self.reads[output].iter().flat_map(of_tile)
    }

    /// Everything that a task reads.
    #[must_use]
    pub fn inputs(&self, index: u32) -> Vec<u32> {
        match self.kind(index) {
            None | Some(TaskKind::Partial { .. }) => Vec::new(),
            Some(TaskKind::Composite { shard, subtile }) => self.partials_of(shard, subtile).collect(),
            Some(TaskKind::Mosaic { output }) => self.composites_of(output).collect(),
            Some(TaskKind::Quicklook) => (self.first_output..self.len() - 1).collect(),
        }
    }

    /// The index of an output tile's task.
    #[must_use]
    pub const fn mosaic(&self, output: u32) -> u32 {
        self.first_output + output
    }
}
