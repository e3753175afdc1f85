//! What is made anew of a tile, and what has to be read for it.

use std::collections::{BTreeMap, BTreeSet};

use mosaic::ids::Key;
use mosaic::plan::{Plan, Recipe, SliceDigest, TilePlan, TileShard};

use super::TileChange;

/// What changes cost.
#[derive(Default)]
pub struct Cost {
    /// Partials and composites.
    pub tasks: usize,
    /// Stored bytes of scenes and scores, each counted by the share of its tile that is needed.
    pub bytes: f64,
}

impl Cost {
    /// Adds what is made anew of a tile; none where nothing is.
    pub fn tile(
        &mut self,
        old: &Plan,
        was: Option<&TilePlan>,
        new: &Plan,
        (is, shard): (&TilePlan, &TileShard),
    ) -> Option<TileChange> {
        let known: BTreeSet<&Key> = was.map(|was| was.composites.iter().collect()).unwrap_or_default();
        let fresh: Vec<usize> = (0..is.subtiles.len()).filter(|at| !known.contains(&is.composites[*at])).collect();
        let before = Before::new(old, was, new, is);
        for at in &fresh {
            let digests = is.digests.iter().filter(|digest| !before.has(digest, is.subtiles[*at]));
            for digest in digests {
                self.tasks += usize::from(new.sliced);
                self.bytes += share(shard, *at) * bytes(shard, digest.slice);
            }
        }
        self.tasks += fresh.len();
        let slices: Vec<String> = touched(old, was, new, is);
        let is_touched = !fresh.is_empty() || !slices.is_empty();
        is_touched.then_some(TileChange { tile: is.tile, slices, subtiles: fresh.len() })
    }
}

/// The partials that a tile had, where these serve still.
struct Before<'a> {
    digests: BTreeSet<&'a Key>,
    subtiles: &'a [u32],
}

impl<'a> Before<'a> {
    fn new(old: &'a Plan, was: Option<&'a TilePlan>, new: &Plan, is: &TilePlan) -> Self {
        let serves = |was: &&TilePlan| old.sliced && was.grid == is.grid && alike(&old.recipe, &new.recipe);
        match was.filter(serves) {
            Some(was) => {
                Self { digests: was.digests.iter().map(|digest| &digest.scenes).collect(), subtiles: &was.subtiles }
            }
            None => Self { digests: BTreeSet::new(), subtiles: &[] },
        }
    }

    fn has(&self, digest: &SliceDigest, subtile: u32) -> bool {
        digest.slice.is_some() && self.digests.contains(&digest.scenes) && self.subtiles.binary_search(&subtile).is_ok()
    }
}

/// Whether partials of one recipe are those of the other.
fn alike(old: &Recipe, new: &Recipe) -> bool {
    let Recipe { bands, threshold, score_band, edge_erosion, dtype: _, min_observations: _, products: _ } = old;
    *bands == new.bands
        && *threshold == new.threshold
        && *score_band == new.score_band
        && *edge_erosion == new.edge_erosion
}

/// The slices whose scenes are not what they were, in order.
fn touched(old: &Plan, was: Option<&TilePlan>, new: &Plan, is: &TilePlan) -> Vec<String> {
    let digests = |plan: &Plan, tile: &TilePlan| -> BTreeMap<String, Key> {
        let name = |slice: Option<usize>| slice.map_or_else(|| whole(plan), |slice| plan.slices[slice].to_string());
        tile.digests.iter().map(|digest| (name(digest.slice), digest.scenes.clone())).collect()
    };
    let (was, is) = (was.map(|was| digests(old, was)).unwrap_or_default(), digests(new, is));
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names.into_iter().filter(|name| was.get(*name) != is.get(*name)).cloned().collect()
}

/// The period as a whole, where it is not sliced.
fn whole(plan: &Plan) -> String {
    plan.slices.first().map(ToString::to_string).unwrap_or_default()
}

/// The share of its tile that a sub-tile is.
fn share(shard: &TileShard, subtile: usize) -> f64 {
    let window = &shard.subtiles[subtile].at.window;
    window.pixels() as f64 / (shard.grid.width * shard.grid.height) as f64
}

/// Stored bytes of the scenes of a slice, or of all.
fn bytes(shard: &TileShard, slice: Option<usize>) -> f64 {
    let files = shard.scenes_of(slice).flat_map(|scene| scene.bands.iter().chain([&scene.score]));
    files.filter_map(|file| file.size).sum::<u64>() as f64
}
