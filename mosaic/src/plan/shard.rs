//! One MGRS tile's share of the plan: what its workers must know, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ALGORITHM, parts};
use crate::band::Band;
use crate::composite::Finish;
use crate::grid::{PixelGrid, SubTile};
use crate::href::of_profile;
use crate::ids::{Key, SystemIndex, TileId};
use crate::kernel::SLOTS;
use crate::product::{Product, is_median_alone, median_alone};
use crate::request::{Dtype, ScoreBand};
use crate::scene::Datatake;

/// What of the request determines the pixels of partials and composites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The bands in ascending order, whatever the request's order: so requests share partials.
    pub bands: Vec<Band>,
    /// A score is clear from here on.
    pub threshold: f64,
    /// Which score.
    pub score_band: ScoreBand,
    /// Data type of the composites' medians.
    pub dtype: Dtype,
    /// Fewer clear observations than this: nodata.
    pub min_observations: u16,
    /// Pixels that are not clear around every one without data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub edge_erosion: u8,
    /// What composites tell, ascending; the count is not among them, as every composite has it.
    #[serde(default = "median_alone", skip_serializing_if = "is_median_alone")]
    pub products: Vec<Product>,
}

/// Keys and plans of requests that do not ask for it are as they were before it could be asked for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(pixels: &u8) -> bool {
    *pixels == 0
}

/// A file as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Absolute path or URL; behind it the profile that opens it, which no key holds.
    pub href: String,
    /// Checksum, else `ETag`, else size and time of modification; `missing` where it was not there.
    pub version: String,
    /// Bytes, where it could be had; a hint that no key holds.
    pub size: Option<u64>,
}

/// One scene as the worker reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneInput {
    /// The catalogue's item id.
    pub id: String,
    /// The key that its score was found under.
    pub system_index: SystemIndex,
    /// Scenes of one datatake give one observation.
    pub datatake: Datatake,
    /// Added to every DN above 0.
    pub offset: i32,
    /// One file per band of the recipe, in its order.
    pub bands: Vec<SourceFile>,
    /// The score's file.
    pub score: SourceFile,
    /// What the score's source tells of how it was made, by name: it may change where nothing else does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub score_made: BTreeMap<String, String>,
    /// Index of the plan's slice that holds its sensing start.
    pub slice: usize,
}

/// What a partial's key digests of a scene.
#[derive(Serialize)]
struct SceneKey<'a> {
    system_index: &'a SystemIndex,
    datatake: &'a Datatake,
    offset: i32,
    bands: Vec<(&'a str, &'a str)>,
    score: (&'a str, &'a str),
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    score_made: &'a BTreeMap<String, String>,
}

/// One (sub-tile, slice): the partial that is made and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialPlan {
    /// Index of the plan's slice.
    pub slice: usize,
    /// Digest of everything that determines its content.
    pub key: Key,
}

/// One sub-tile that owns a pixel of the mosaic, or lies in a resampling halo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubTilePlan {
    /// Its place on the tile's lattice.
    pub at: SubTile,
    /// The composite's key.
    pub composite: Key,
    /// Its partials, in order of slice; empty where none are kept.
    pub partials: Vec<PartialPlan>,
}

/// One MGRS tile's share of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TileShard {
    /// The tile.
    pub tile: TileId,
    /// Its whole pixel grid at the working resolution.
    pub grid: PixelGrid,
    /// What is to be made of it.
    pub recipe: Recipe,
    /// Its linked scenes in order of datatake, then `system:index`.
    pub scenes: Vec<SceneInput>,
    /// The sub-tiles that are needed.
    pub subtiles: Vec<SubTilePlan>,
}

#[derive(Serialize)]
struct PartialKey<'a> {
    algorithm: u32,
    grid: &'a PixelGrid,
    window: &'a crate::grid::Window,
    bands: &'a [Band],
    threshold: f64,
    score_band: ScoreBand,
    #[serde(skip_serializing_if = "is_zero")]
    edge_erosion: u8,
    /// Digest of the scenes: a tile's sub-tiles share it.
    scenes: &'a Key,
}

#[derive(Serialize)]
struct CompositeKey<'a> {
    algorithm: u32,
    partials: Vec<Key>,
    dtype: Dtype,
    min_observations: u16,
    recipe_bands: &'a [Band],
    #[serde(skip_serializing_if = "is_median_alone")]
    products: &'a [Product],
}

/// The scenes of one slice of a tile, or of all its slices, by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceDigest {
    /// Index of the plan's slice; none where the scenes are those of the whole period.
    pub slice: Option<usize>,
    /// Digest of the scenes.
    pub scenes: Key,
}

impl Recipe {
    /// Key of the partial of a sub-tile of a tile's grid over the scenes of this digest.
    #[must_use]
    pub fn partial_key(&self, grid: &PixelGrid, at: &SubTile, scenes: &Key) -> Key {
        Key::of(
            "clearmosaic partial",
            &PartialKey {
                algorithm: ALGORITHM,
                grid,
                window: &at.window,
                bands: &self.bands,
                threshold: self.threshold,
                score_band: self.score_band,
                edge_erosion: self.edge_erosion,
                scenes,
            },
        )
    }

    /// Key of a composite made from partials, or from what one partial over the whole period would hold.
    #[must_use]
    pub fn composite_key(&self, partials: Vec<Key>) -> Key {
        Key::of(
            "clearmosaic composite",
            &CompositeKey {
                algorithm: ALGORITHM,
                partials,
                dtype: self.dtype,
                min_observations: self.min_observations,
                recipe_bands: &self.bands,
                products: &self.products,
            },
        )
    }

    /// How composites are finished.
    #[must_use]
    pub fn finish(&self) -> Finish {
        let Self { dtype, min_observations, .. } = *self;
        Finish { products: self.products.clone(), dtype, min_observations }
    }
}

impl TileShard {
    /// The scenes of one slice, or of all.
    pub fn scenes_of(&self, slice: Option<usize>) -> impl Iterator<Item = &SceneInput> {
        self.scenes.iter().filter(move |scene| slice.is_none_or(|s| scene.slice == s))
    }

    /// Digest of the scenes of one slice, or of all.
    #[must_use]
    pub fn scenes_key(&self, slice: Option<usize>) -> Key {
        Key::of("clearmosaic scenes", &self.scenes_of(slice).map(SceneInput::key).collect::<Vec<_>>())
    }

    /// Key of the core of these partials, which are in order of slice. What a core knows beyond the middle depends on
    /// how it came about: any one of these partials leads to the same medians, and not every one to the same bits.
    #[must_use]
    pub fn core_key(partials: &[&Key]) -> Key {
        Key::of("clearmosaic core", &(ALGORITHM, SLOTS, partials))
    }

    /// The key that it is kept under.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(parts::SHARD, self)
    }

    /// The slices that hold a scene, each with the digest of its scenes; one of all scenes where not `sliced`.
    #[must_use]
    pub fn digests(&self, sliced: bool) -> Vec<SliceDigest> {
        if !sliced {
            return vec![SliceDigest { slice: None, scenes: self.scenes_key(None) }];
        }
        let slices: BTreeSet<usize> = self.scenes.iter().map(|scene| scene.slice).collect();
        let digest = |slice| SliceDigest { slice: Some(slice), scenes: self.scenes_key(Some(slice)) };
        slices.into_iter().map(digest).collect()
    }

    /// Adds sub-tiles with their keys: a partial per slice that holds a scene where `sliced`, else none.
    pub fn add_subtiles(&mut self, subtiles: impl IntoIterator<Item = SubTile>, sliced: bool) {
        let digests = self.digests(sliced);
        for at in subtiles {
            let keys: Vec<Key> = digests.iter().map(|d| self.recipe.partial_key(&self.grid, &at, &d.scenes)).collect();
            let kept = digests.iter().zip(&keys);
            let partials =
                kept.filter_map(|(d, key)| Some(PartialPlan { slice: d.slice?, key: key.clone() })).collect();
            self.subtiles.push(SubTilePlan { at, composite: self.recipe.composite_key(keys), partials });
        }
    }
}

impl SceneInput {
    fn key(&self) -> SceneKey<'_> {
        SceneKey {
            system_index: &self.system_index,
            datatake: &self.datatake,
            offset: self.offset,
            bands: self.bands.iter().map(SourceFile::key).collect(),
            score: self.score.key(),
            score_made: &self.score_made,
        }
    }
}

impl SourceFile {
    fn key(&self) -> (&str, &str) {
        (of_profile(&self.href).0, &self.version)
    }
}
