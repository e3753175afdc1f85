//! `report.json`: what became of a request, for people and machines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mosaic::band::Band;
use mosaic::grid::Window;
use mosaic::ids::{SystemIndex, TileId};
use mosaic::link::{Linkage, UnlinkedScene, WhyUnlinked, no_context_fraction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::changes::Changes;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The mosaic's name.
    pub mosaic: String,
    /// Whether every task succeeded.
    pub state: State,
    /// Its number among the mosaic's versions; reports of before do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The version that the mosaic's name meant before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<u64>,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// What had changed since the version that the name meant before, and what that touched; nothing where there was
    /// none, or it does not tell what it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Changes>,
    /// How many scenes there were: `found` is the sum of the others.
    pub scenes: SceneCounts,
    /// Scenes without a score: `system:index`, or the item's id where it has none.
    pub unlinked: Vec<String>,
    /// Scenes of which another version was taken.
    pub superseded: Vec<Superseded>,
    /// Scenes with a score that lack a requested band.
    pub unusable: Vec<Unusable>,
    /// Of the unlinked, those whose score was made with too little temporal context.
    #[serde(default)]
    pub little_context: Vec<String>,
    /// Scenes with a score that are left out, as they could not be read and the request said to skip such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// What may be wrong without having failed: a line each, that names the scene.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What the sources tell of the scores that count.
    #[serde(default)]
    pub scores: ScoreFacts,
    /// How many tasks there were.
    pub tasks: TaskCounts,
    /// Clear observations over the pixels of the AOI that have an owner.
    pub observations: Observations,
    /// Bytes of scenes and scores that were read: stored blocks.
    pub bytes_read: u64,
    /// What was asked of other machines for them.
    #[serde(default)]
    pub network: Network,
    /// Wall time.
    pub seconds: f64,
    /// Tasks that were set aside.
    pub failed: Vec<Failure>,
}

/// Whether a mosaic is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Every task succeeded.
    Complete,
    /// The windows of failed tasks are nodata with count 0.
    Incomplete,
}

/// How many scenes there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneCounts {
    /// All.
    pub found: usize,
    /// With a score and every band.
    pub linked: usize,
    /// Without a score.
    pub unlinked: usize,
    /// Of which another version was taken.
    pub superseded: usize,
    /// With a score, but lacking a band.
    pub unusable: usize,
}

/// What the sources tell of scores; nothing where they tell nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreFacts {
    /// Versions of the model.
    pub model_versions: BTreeSet<String>,
    /// Versions of the software.
    pub processing_software_versions: BTreeSet<String>,
    /// Scores that name the product that they were made from; each was found to be of its scene's acquisition.
    pub with_source_product: usize,
    /// The largest share of an image that was scored without temporal context.
    pub max_no_context_fraction: Option<f64>,
}

impl ScoreFacts {
    /// The facts of scores of which their sources tell this, each by name.
    pub(crate) fn of<'a>(scores: impl Iterator<Item = &'a BTreeMap<String, Value>> + Clone) -> Self {
        let told = |name: &str| -> BTreeSet<String> {
            let values = scores.clone().filter_map(|told| told.get(name));
            values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
        };
        Self {
            model_versions: told("MODEL_VERSION"),
            processing_software_versions: told("PROCESSING_SOFTWARE_VERSION"),
            with_source_product: scores.clone().filter(|told| told.contains_key("SOURCE_PRODUCT_ID")).count(),
            max_no_context_fraction: scores.filter_map(no_context_fraction).reduce(f64::max),
        }
    }
}

/// A scene of which another version was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Its item's id.
    pub item: String,
    /// The item that was taken.
    pub by: String,
}

/// A scene with a score that lacks a requested band.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusable {
    /// Its `system:index`.
    pub scene: String,
    /// What it lacks.
    pub missing: Vec<Band>,
}

/// A scene that is left out, as it could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its `system:index`.
    pub scene: SystemIndex,
    /// Its MGRS tile.
    pub tile: TileId,
    /// Why, in one line.
    pub reason: String,
}

/// How many tasks there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Done in this run.
    pub done: usize,
    /// Set aside after too many attempts.
    pub failed: usize,
    /// Found done.
    pub reused: usize,
}

/// Clear observations per pixel; null where there is no pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observations {
    /// Fewest.
    pub min: Option<u16>,
    /// The middle one; the lower of two.
    pub median: Option<u16>,
    /// Most.
    pub max: Option<u16>,
}

/// What was asked of other machines, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Requests, redirects and repetitions too.
    pub requests: u64,
    /// Bytes of answers.
    pub bytes: u64,
    /// Of the requests, those that repeat one that failed.
    pub retries: u64,
}

/// A task that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub task: String,
    /// The MGRS or output tile.
    pub tile: Option<String>,
    /// The pixels of that tile that have no data therefore.
    pub window: Option<Window>,
    /// The scene that it failed at: `system:index`.
    pub scene: Option<String>,
    /// Why, in one line.
    pub reason: String,
}

impl Observations {
    /// The figures of histograms: for each count, how many pixels.
    #[must_use]
    pub fn of<'a>(histograms: impl IntoIterator<Item = &'a BTreeMap<u16, u64>>) -> Self {
        let mut all: BTreeMap<u16, u64> = BTreeMap::new();
        for (count, pixels) in histograms.into_iter().flatten().filter(|(_, pixels)| **pixels > 0) {
            *all.entry(*count).or_default() += pixels;
        }
        let half = all.values().sum::<u64>().div_ceil(2);
        let mut seen = 0;
        let median = all.iter().find(|(_, pixels)| {
            seen += **pixels;
            seen >= half
        });
        let first = |entry: Option<(&u16, &u64)>| entry.map(|(count, _)| *count);
        Self { min: first(all.first_key_value()), median: first(median), max: first(all.last_key_value()) }
    }
}

impl Report {
    /// The report of a request whose scenes were linked so, before any task was done.
    #[must_use]
    pub fn of_linkage(mosaic: &str, linkage: &Linkage) -> Self {
        let unusable = |scene: &mosaic::link::UnusableScene| Unusable {
            scene: scene.linked.system_index.to_string(),
            missing: scene.missing.clone(),
        };
        let superseded = |scene: &mosaic::link::SupersededScene| Superseded {
            item: scene.scene.id.clone(),
            by: scene.superseded_by.clone(),
        };
        let is_little = |scene: &&UnlinkedScene| matches!(scene.why, WhyUnlinked::LittleContext(_));
        Self {
            mosaic: mosaic.to_owned(),
            state: State::Complete,
            version: None,
            predecessor: None,
            published: None,
            since: None,
            scenes: SceneCounts {
                found: linkage.found(),
                linked: linkage.scenes.len(),
                unlinked: linkage.unlinked.len(),
                superseded: linkage.superseded.len(),
                unusable: linkage.unusable.len(),
            },
            unlinked: linkage.unlinked.iter().map(|scene| scene.name().to_owned()).collect(),
            superseded: linkage.superseded.iter().map(superseded).collect(),
            unusable: linkage.unusable.iter().map(unusable).collect(),
            little_context: linkage.unlinked.iter().filter(is_little).map(|scene| scene.name().to_owned()).collect(),
            unreadable: Vec::new(),
            warnings: Vec::new(),
            scores: ScoreFacts::of(linkage.scenes.iter().map(|linked| &linked.score.properties)),
            tasks: TaskCounts::default(),
            observations: Observations::default(),
            bytes_read: 0,
            network: Network::default(),
            seconds: 0.0,
            failed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram<const N: usize>(pixels: [(u16, u64); N]) -> BTreeMap<u16, u64> {
        pixels.into()
    }

    #[test]
    fn the_median_is_the_lower_middle_over_all_tiles() {
        let of = |h: &[BTreeMap<u16, u64>]| {
            let o = Observations::of(h);
            (o.min, o.median, o.max)
        };
        assert_eq!(of(&[]), (None, None, None));
        assert_eq!(of(&[histogram([(3, 0)])]), (None, None, None));
        assert_eq!(of(&[histogram([(0, 1), (4, 1)])]), (Some(0), Some(0), Some(4)));
        assert_eq!(of(&[histogram([(0, 1), (4, 1)]), histogram([(2, 1)])]), (Some(0), Some(2), Some(4)));
        assert_eq!(of(&[histogram([(1, 5)]), histogram([(1, 1), (9, 6)])]), (Some(1), Some(1), Some(9)));
    }

    #[test]
    fn a_report_has_the_shape_that_is_promised() {
        let report = Report::of_linkage("m", &Linkage::default());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["state"], "complete");
        assert_eq!(json["observations"], serde_json::json!({"min": null, "median": null, "max": null}));
        assert_eq!(json["tasks"], serde_json::json!({"done": 0, "failed": 0, "reused": 0}));
        for field in ["mosaic", "scenes", "unlinked", "bytes_read", "seconds", "failed"] {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}
