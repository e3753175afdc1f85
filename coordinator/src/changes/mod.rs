//! What has changed since a version was published, and what that touches.
//!
//! ```text
//! the version's snapshot ─┐                     ┌─► scenes    added, withdrawn, superseded, scored, changed: and how
//!                         ├─► request, tiles ───┼─► cost      partials, composites, bytes
//! today's plan ───────────┘       outputs ──────┴─► owners, output tiles, the picture
//! ```
//!
//! What is touched is what has another key: the same comparison by which tasks are spared. So what is told here is what is
//! done, as far as what the version was made from is still in the store. Scenes only say why; of a tile whose shard has the
//! same key nothing is read.

mod cost;
mod request;
mod scenes;

use std::collections::{BTreeMap, BTreeSet};

use mosaic::ids::{Key, SystemIndex, TileId};
use mosaic::plan::{Plan, Planned, TilePlan, TileShard};
use mosaic::request::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::publish::PublishError;
use crate::publish::snapshot::{Published, Scenes};

use cost::Cost;
use scenes::Compared;

/// What has changed since a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// The version's number.
    pub version: u64,
    /// Fields of the request.
    pub request: Vec<Change>,
    /// Scenes, by what has become of them.
    #[serde(flatten)]
    pub scenes: SceneChanges,
    /// Scenes that were not there and have no score yet: they change nothing.
    pub waiting: Vec<String>,
    /// Tiles of which something is made anew.
    pub tiles: Vec<TileChange>,
    /// Their slices.
    pub slices: Vec<String>,
    /// Output tiles that other tiles own pixels of.
    pub owners: Vec<OwnerChange>,
    /// Output tiles.
    pub outputs: OutputChanges,
    /// Tasks that it takes.
    pub tasks: usize,
    /// Stored bytes to read for them, an upper estimate.
    pub bytes_to_read: u64,
}

/// Something that is another than it was; null where it was, or is, not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What: `scores.threshold`, `B04`.
    pub field: String,
    /// What it was.
    pub was: Value,
    /// What it is.
    pub is: Value,
}

/// Scenes by what has become of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SceneChanges {
    /// Not there before.
    pub added: Vec<SceneChange>,
    /// Not there any more.
    pub withdrawn: Vec<SceneChange>,
    /// Outside of the period by now.
    pub left: Vec<SceneChange>,
    /// There before, and without a score then.
    pub scored: Vec<SceneChange>,
    /// There, and without a score by now.
    pub unscored: Vec<SceneChange>,
    /// There, and left out by now, as they cannot be read.
    pub unreadable: Vec<SceneChange>,
    /// Of which another product is taken now.
    pub superseded: Vec<SceneChange>,
    /// Whose score is another one.
    pub rescored: Vec<SceneChange>,
    /// Whose rasters are others, though the product is the same.
    pub changed: Vec<SceneChange>,
}

/// A scene of which something has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneChange {
    /// The scene.
    pub scene: SystemIndex,
    /// Its tile.
    pub tile: TileId,
    /// The slice that it is in, or was.
    pub slice: String,
    /// Its item, today's where it is there.
    pub item: String,
    /// What is another than it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub what: Vec<Change>,
}

/// A tile of which something is made anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TileChange {
    /// The tile.
    pub tile: TileId,
    /// Slices whose scenes are not the same.
    pub slices: Vec<String>,
    /// Sub-tiles whose composites are made anew.
    pub subtiles: usize,
}

/// An output tile that other tiles own pixels of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerChange {
    /// The output tile.
    pub output: String,
    /// Tiles that may own a pixel of it by now.
    pub gained: Vec<TileId>,
    /// Tiles that may not any more.
    pub lost: Vec<TileId>,
}

/// What becomes of output tiles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChanges {
    /// Made anew, or for the first time.
    pub touched: Vec<String>,
    /// Not in the mosaic any more.
    pub gone: Vec<String>,
    /// How many are carried over as they are.
    pub carried: usize,
}

/// What is to be compared with a version: a job, or what one would be.
pub struct Today<'a> {
    /// The request.
    pub request: &'a Request,
    /// The plan.
    pub planned: &'a Planned,
    /// What became of the scenes.
    pub scenes: &'a Scenes,
    /// Of each output tile the key of its rasters; none where it could not be made.
    pub outputs: Vec<Option<Key>>,
}

impl SceneChanges {
    /// Every list with its name, in order of importance.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &[SceneChange]); 9] {
        [
            ("added", &self.added),
            ("scored", &self.scored),
            ("superseded", &self.superseded),
            ("rescored", &self.rescored),
            ("changed", &self.changed),
            ("withdrawn", &self.withdrawn),
            ("unscored", &self.unscored),
            ("unreadable", &self.unreadable),
            ("left", &self.left),
        ]
    }
}

impl Changes {
    /// What has changed between a version and today. `shard` gives a tile's scenes of today by its index in the plan.
    ///
    /// # Errors
    /// Where the version, or `shard`, does not tell.
    pub fn since(
        old: &Published,
        new: &Today<'_>,
        shard: impl Fn(usize) -> Result<TileShard, PublishError>,
    ) -> Result<Self, PublishError> {
        let mut changes = Self { version: old.number(), ..Self::default() };
        changes.request = request::changes(&old.request, new.request);
        let compared = Compared::new(old, new);
        let mut cost = Cost::default();
        for (was, is) in tiles(&old.plan, new.planned.plan()) {
            if let (Some(was), Some((_, is))) = (was, is)
                && was.shard == is.shard
            {
                continue;
            }
            let was_shard = was.map(|was| old.shard(was.tile)).transpose().map_err(PublishError::Artifact)?;
            let is_shard = is.map(|(index, _)| shard(index)).transpose()?;
            compared.shards(was_shard.as_ref(), is_shard.as_ref(), &mut changes.scenes);
            if let (Some((_, is)), Some(shard)) = (is, &is_shard) {
                changes.tiles.extend(cost.tile(&old.plan, was, new.planned.plan(), (is, shard)));
            }
        }
        let slices: BTreeSet<&String> = changes.tiles.iter().flat_map(|tile| &tile.slices).collect();
        changes.slices = slices.into_iter().cloned().collect();
        changes.waiting = compared.waiting();
        changes.owners = owners(&old.plan, new.planned.plan());
        changes.outputs = outputs(&old.list.meta.outputs, new);
        let picture = usize::from(picture(old) != picture_of(new));
        changes.tasks = cost.tasks + changes.outputs.touched.len() + picture;
        changes.bytes_to_read = cost.bytes as u64;
        Ok(changes)
    }

    /// Whether nothing of the mosaic is another than it was. Where scenes are listed, and how they are read, is no part of
    /// it: what comes of that is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let Self { request, scenes, outputs, tasks, .. } = self;
        let is_the_same = outputs.touched.is_empty() && outputs.gone.is_empty() && *tasks == 0;
        is_the_same && scenes.lists().iter().all(|(_, list)| list.is_empty()) && !request.iter().any(request::matters)
    }
}

/// A tile of a plan, with its index.
type Indexed<'a> = (usize, &'a TilePlan);

/// The tiles of both plans, in order: what each was, and what it is.
fn tiles<'a>(old: &'a Plan, new: &'a Plan) -> Vec<(Option<&'a TilePlan>, Option<Indexed<'a>>)> {
    let mut all: BTreeMap<TileId, (Option<&TilePlan>, Option<Indexed<'_>>)> = BTreeMap::new();
    for tile in &old.tiles {
        all.entry(tile.tile).or_default().0 = Some(tile);
    }
    for (index, tile) in new.tiles.iter().enumerate() {
        all.entry(tile.tile).or_default().1 = Some((index, tile));
    }
    all.into_values().collect()
}

/// The tiles that may own a pixel of each output tile.
fn owners_of(plan: &Plan) -> BTreeMap<&str, BTreeSet<TileId>> {
    let owners =
        plan.reads.iter().map(|reads| reads.iter().map(|taken| plan.tiles[taken.shard as usize].tile).collect());
    plan.outputs.tiles.iter().map(|tile| tile.id.as_str()).zip(owners).collect()
}

fn owners(old: &Plan, new: &Plan) -> Vec<OwnerChange> {
    let (old, new) = (owners_of(old), owners_of(new));
    let change = |(output, is): (&&str, &BTreeSet<TileId>)| {
        let was = old.get(output).filter(|was| *was != is)?;
        let but = |a: &BTreeSet<TileId>, b: &BTreeSet<TileId>| a.difference(b).copied().collect();
        Some(OwnerChange { output: (*output).to_owned(), gained: but(is, was), lost: but(was, is) })
    };
    new.iter().filter_map(change).collect()
}

fn outputs(old: &BTreeMap<String, Key>, new: &Today<'_>) -> OutputChanges {
    let tiles = &new.planned.plan().outputs.tiles;
    let mut changes = OutputChanges::default();
    for (tile, key) in tiles.iter().zip(&new.outputs) {
        match (old.get(&tile.id), key) {
            (Some(was), Some(is)) if was == is => changes.carried += 1,
            // Neither could be made.
            (None, None) => {}
            _ => changes.touched.push(tile.id.clone()),
        }
    }
    let stays = |id: &&String| tiles.iter().any(|tile| tile.id == **id);
    changes.gone = old.keys().filter(|id| !stays(id)).cloned().collect();
    changes
}

/// What tells the picture of a version from another.
fn picture(old: &Published) -> Key {
    let outputs = &old.plan.outputs;
    let keys: Vec<Key> = outputs.tiles.iter().filter_map(|tile| old.list.meta.outputs.get(&tile.id).cloned()).collect();
    outputs.quicklook_key(&keys)
}

fn picture_of(new: &Today<'_>) -> Key {
    new.planned.plan().outputs.quicklook_key(&new.outputs.iter().flatten().cloned().collect::<Vec<_>>())
}
