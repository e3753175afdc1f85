//! Which of several versions of one scene counts: reprocessing publishes the same granule again.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Baseline, Scene};
use crate::ids::SystemIndex;

/// What decides between versions of one `system:index`: the greatest stays.
///
/// The order of the fields is the order of the decision: the baseline (as a number), when the version was made, and
/// the item's id, so that there is always one answer. What is unknown comes before what is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The processing baseline.
    pub baseline: Option<Baseline>,
    /// Last time of the product's name, else the item's generation or processing time.
    pub made: Option<Timestamp>,
    /// The item's id.
    pub id: String,
}

/// Counts an item that a catalogue lists twice once: overlapping search pages and catalogues do that.
///
/// An item is its collection and its id. Of two unequal copies the greater version stays, and of two that not even
/// the version tells apart the one whose JSON is smaller, so that the order of listing never matters.
#[must_use]
pub fn unique(scenes: Vec<Scene>) -> Vec<Scene> {
    let mut seen: BTreeMap<(Option<String>, String), Scene> = BTreeMap::new();
    for scene in scenes {
        let name = (scene.collection.clone(), scene.id.clone());
        let better = seen.get(&name).is_none_or(|other| order(&scene, other).is_gt());
        if better {
            seen.insert(name, scene);
        }
    }
    seen.into_values().collect()
}

/// A version that another one replaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Superseded<T> {
    /// The scene that is left out.
    pub scene: T,
    /// The key that both have.
    pub system_index: SystemIndex,
    /// Id of the item that stays.
    pub superseded_by: String,
}

/// Keeps one version of each `system:index`; different datastrips of one datatake have different keys and all stay.
///
/// `T` is a scene, or a scene with what is known of it. Both lists come in order of key, then of version.
#[must_use]
pub fn collapse<T: AsRef<Scene>>(keyed: Vec<(T, SystemIndex)>) -> (Vec<(T, SystemIndex)>, Vec<Superseded<T>>) {
    let mut groups: BTreeMap<SystemIndex, Vec<T>> = BTreeMap::new();
    for (scene, index) in keyed {
        groups.entry(index).or_default().push(scene);
    }
    let (mut kept, mut superseded) = (Vec::new(), Vec::new());
    for (index, mut versions) in groups {
        versions.sort_by(|a, b| order(a.as_ref(), b.as_ref()));
        let Some(best) = versions.pop() else { continue };
        superseded.extend(versions.into_iter().map(|scene| Superseded {
            scene,
            system_index: index.clone(),
            superseded_by: best.as_ref().id.clone(),
        }));
        kept.push((best, index));
    }
    (kept, superseded)
}

/// Order of versions, total: ids may be equal across collections.
fn order(a: &Scene, b: &Scene) -> Ordering {
    let json = |scene: &Scene| serde_json::to_string(scene).unwrap_or_default();
    let versions = a.version.cmp(&b.version).then_with(|| a.collection.cmp(&b.collection));
    versions.then_with(|| json(b).cmp(&json(a)))
}
