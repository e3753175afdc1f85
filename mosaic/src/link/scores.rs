//! The scores that there are, by key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{SystemIndex, TileId};
use crate::scene::ProductName;

/// One Cloud Score+ raster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRef {
    /// Where it is: an absolute path or a URL.
    pub href: String,
    /// What tells it from another raster at the same address: a checksum, an `ETag`, or size and time.
    pub version: Option<String>,
    /// What the source tells of how it was made: `MODEL_VERSION`, `PROCESSING_SOFTWARE_VERSION`,
    /// `NO_CONTEXT_FRACTION` and others.
    pub properties: BTreeMap<String, Value>,
}

impl ScoreRef {
    /// A score of which only the address is known.
    #[must_use]
    pub fn at(href: String) -> Self {
        Self { href, version: None, properties: BTreeMap::new() }
    }

    /// Share of the image that was scored without temporal context: [`no_context_fraction`].
    #[must_use]
    pub fn no_context_fraction(&self) -> Option<f64> {
        no_context_fraction(&self.properties)
    }

    /// The product that it was made from, where the source tells, and that is none of this acquisition: another unit,
    /// datatake or tile. Names of the old format do not tell the datatake.
    #[must_use]
    pub fn foreign_product(&self, platform: &str, index: &SystemIndex) -> Option<&str> {
        let name = self.properties.get("SOURCE_PRODUCT_ID")?.as_str()?;
        let (product, parts) = (ProductName::parse(name).filter(|product| !product.is_old)?, index.parts()?);
        let is_its = platform.ends_with(product.unit)
            && product.start == parts.start
            && product.tile.is_none_or(|tile| tile == parts.tile);
        (!is_its).then_some(name)
    }
}

/// Share of an image that was scored without temporal context, 0 to 1, where the source tells; a file's tags are text.
#[must_use]
pub fn no_context_fraction(properties: &BTreeMap<String, Value>) -> Option<f64> {
    let told = properties.get("NO_CONTEXT_FRACTION")?;
    told.as_f64().or_else(|| told.as_str()?.parse().ok())
}

/// Whoever knows which scores there are.
pub trait ScoreSource {
    /// The score under this very key.
    fn exact(&self, index: &SystemIndex) -> Option<ScoreRef>;

    /// All scores of a tile whose part 1 is within `tolerance_s` seconds of a start, in order of key.
    fn candidates(&self, tile: TileId, start: Timestamp, tolerance_s: i64) -> Vec<(SystemIndex, ScoreRef)>;
}

/// Scores listed beforehand.
#[derive(Debug, Clone, Default)]
pub struct ScoreTable {
    by_index: BTreeMap<SystemIndex, ScoreRef>,
    by_start: BTreeMap<(TileId, i64), Vec<SystemIndex>>,
}

impl ScoreTable {
    /// Adds a score. Gives back the one that has the key already, which then stays; text that is no key is kept, but
    /// no scene has it.
    pub fn insert(&mut self, index: SystemIndex, score: ScoreRef) -> Option<&ScoreRef> {
        if self.by_index.contains_key(&index) {
            return self.by_index.get(&index);
        }
        if let Some(parts) = index.parts() {
            let same_start = self.by_start.entry((parts.tile, parts.start.as_second())).or_default();
            same_start.insert(same_start.partition_point(|other| *other < index), index.clone());
        }
        self.by_index.insert(index, score);
        None
    }

    /// The scores, in order of key.
    pub fn into_scores(self) -> impl Iterator<Item = (SystemIndex, ScoreRef)> {
        self.by_index.into_iter()
    }

    /// How many scores there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_index.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty()
    }
}

impl ScoreSource for ScoreTable {
    fn exact(&self, index: &SystemIndex) -> Option<ScoreRef> {
        self.by_index.get(index).cloned()
    }

    fn candidates(&self, tile: TileId, start: Timestamp, tolerance_s: i64) -> Vec<(SystemIndex, ScoreRef)> {
        let start = start.as_second();
        let near = self.by_start.range((tile, start - tolerance_s)..=(tile, start + tolerance_s));
        near.flat_map(|(_, indices)| indices)
            .filter_map(|index| Some((index.clone(), self.by_index.get(index)?.clone())))
            .collect()
    }
}
