//! What is told of an output tile beside its pixels.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::dark::Doubt;
use crate::ids::SystemIndex;

/// What an output tile's artifact says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileMeta {
    /// How many pixels of the AOI have so many clear observations.
    pub observations: BTreeMap<u16, u64>,
    /// Scenes that gave a clear pixel to a composite that was read.
    pub contributors: BTreeSet<SystemIndex>,
    /// Of these and others, scenes whose pixels contradict their offset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<SystemIndex, Doubt>,
}
