//! Scenes compared: what has become of each, and what of it is another than it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mosaic::href::of_profile;
use mosaic::ids::SystemIndex;
use mosaic::plan::{SceneInput, SourceFile, TileShard};
use mosaic::request::Request;
use mosaic::scene::Baseline;
use serde_json::{Value, json};

use super::{Change, SceneChange, SceneChanges, Today};
use crate::publish::snapshot::{Published, Scenes};

/// One side of the comparison.
struct Side<'a> {
    request: &'a Request,
    slices: Vec<String>,
    /// Scenes without a score, by their names.
    unlinked: BTreeSet<&'a str>,
    /// Scenes that could not be read.
    unreadable: BTreeSet<&'a SystemIndex>,
    baselines: HashMap<&'a SystemIndex, Option<Baseline>>,
}

impl<'a> Side<'a> {
    fn new(request: &'a Request, slices: &[mosaic::period::Period], scenes: &'a Scenes) -> Self {
        let baselines = scenes.scenes.iter().map(|scene| (&scene.system_index, scene.baseline)).collect();
        let unlinked = scenes.report.unlinked.iter().map(String::as_str).collect();
        let unreadable = scenes.report.unreadable.iter().map(|unreadable| &unreadable.scene).collect();
        let slices = slices.iter().map(ToString::to_string).collect();
        Self { request, slices, unlinked, unreadable, baselines }
    }

    /// Whether a scene of this side's catalogue had no score.
    fn lacks_score(&self, scene: &SceneInput) -> bool {
        self.unlinked.contains(scene.system_index.0.as_str()) || self.unlinked.contains(scene.id.as_str())
    }

    /// Whether a scene is of this side's period.
    fn asks_for(&self, scene: &SceneInput) -> bool {
        let start = scene.datatake.start;
        let month = start.to_zoned(jiff::tz::TimeZone::UTC).month().unsigned_abs();
        let is_of_months = self.request.months.as_ref().is_none_or(|months| months.contains(&month));
        self.request.period.contains(start) && is_of_months
    }

    fn baseline(&self, scene: &SceneInput) -> Value {
        json!(self.baselines.get(&scene.system_index).copied().flatten().map(|baseline| baseline.to_string()))
    }

    fn told(&self, shard: &TileShard, scene: &SceneInput, what: Vec<Change>) -> SceneChange {
        SceneChange {
            scene: scene.system_index.clone(),
            tile: shard.tile,
            slice: self.slices.get(scene.slice).cloned().unwrap_or_default(),
            item: scene.id.clone(),
            what,
        }
    }
}

/// Both sides of the comparison.
pub struct Compared<'a> {
    was: Side<'a>,
    is: Side<'a>,
}

impl<'a> Compared<'a> {
    pub fn new(old: &'a Published, new: &'a Today<'_>) -> Self {
        Self {
            was: Side::new(&old.request, &old.plan.slices, &old.scenes),
            is: Side::new(new.request, &new.planned.plan().slices, new.scenes),
        }
    }

    /// Scenes that were not there and have no score yet.
    pub fn waiting(&self) -> Vec<String> {
        let was_linked = |name: &str| self.was.baselines.contains_key(&SystemIndex(name.to_owned()));
        let is_new = |name: &&&str| !self.was.unlinked.contains(**name) && !was_linked(name);
        self.is.unlinked.iter().filter(is_new).map(|name| (*name).to_owned()).collect()
    }

    /// Sorts the scenes of a tile by what has become of them.
    pub fn shards(&self, old: Option<&TileShard>, new: Option<&TileShard>, changes: &mut SceneChanges) {
        let by_index = |shard: Option<&'_ TileShard>| -> BTreeMap<SystemIndex, usize> {
            let scenes = shard.into_iter().flat_map(|shard| shard.scenes.iter().enumerate());
            scenes.map(|(index, scene)| (scene.system_index.clone(), index)).collect()
        };
        let (before, now) = (by_index(old), by_index(new));
        for (shard, scene) in scenes(new) {
            match (old, before.get(&scene.system_index)) {
                (Some(old), Some(index)) => {
                    let was = &old.scenes[*index];
                    self.both((old, was), (shard, scene), changes);
                }
                _ if self.was.lacks_score(scene) => changes.scored.push(self.is.told(shard, scene, Vec::new())),
                _ => changes.added.push(self.is.told(shard, scene, Vec::new())),
            }
        }
        for (shard, scene) in scenes(old).filter(|(_, scene)| !now.contains_key(&scene.system_index)) {
            let list = if !self.is.asks_for(scene) {
                &mut changes.left
            } else if self.is.lacks_score(scene) {
                &mut changes.unscored
            } else if self.is.unreadable.contains(&scene.system_index) {
                &mut changes.unreadable
            } else {
                &mut changes.withdrawn
            };
            list.push(self.was.told(shard, scene, Vec::new()));
        }
    }

    /// Compares a scene that was there and is.
    fn both(
        &self,
        (old, was): (&TileShard, &SceneInput),
        (new, is): (&TileShard, &SceneInput),
        changes: &mut SceneChanges,
    ) {
        let product = [
            differs("item", json!(was.id), json!(is.id)),
            differs("baseline", self.was.baseline(was), self.is.baseline(is)),
        ];
        let product: Vec<Change> = product.into_iter().flatten().collect();
        let rasters = rasters((old, was), (new, is));
        let score = score(was, is);
        if !product.is_empty() {
            let what = [product, score].concat();
            changes.superseded.push(self.is.told(new, is, what));
            return;
        }
        if !rasters.is_empty() {
            changes.changed.push(self.is.told(new, is, rasters));
        }
        if !score.is_empty() {
            changes.rescored.push(self.is.told(new, is, score));
        }
    }
}

fn scenes(shard: Option<&TileShard>) -> impl Iterator<Item = (&TileShard, &SceneInput)> {
    shard.into_iter().flat_map(|shard| shard.scenes.iter().map(move |scene| (shard, scene)))
}

fn differs(field: &str, was: Value, is: Value) -> Option<Change> {
    (was != is).then(|| Change { field: field.to_owned(), was, is })
}

/// What tells a file from another at its address.
fn file(field: &str, was: &SourceFile, is: &SourceFile) -> impl Iterator<Item = Change> {
    let place = |file: &SourceFile| json!(of_profile(&file.href).0);
    let moved = differs(&format!("{field}.href"), place(was), place(is));
    moved.into_iter().chain(differs(field, json!(was.version), json!(is.version)))
}

/// The bands that both have, and what is added to them.
fn rasters((old, was): (&TileShard, &SceneInput), (new, is): (&TileShard, &SceneInput)) -> Vec<Change> {
    let offset = differs("offset", json!(was.offset), json!(is.offset));
    let bands = new.recipe.bands.iter().zip(&is.bands).filter_map(|(band, is)| {
        let place = old.recipe.bands.iter().position(|known| known == band)?;
        Some(file(band.name(), was.bands.get(place)?, is).collect::<Vec<_>>())
    });
    offset.into_iter().chain(bands.flatten()).collect()
}

/// The score, and what its source tells of how it was made.
fn score(was: &SceneInput, is: &SceneInput) -> Vec<Change> {
    let names: BTreeSet<&String> = was.score_made.keys().chain(is.score_made.keys()).collect();
    let told = names.into_iter().filter_map(|name| {
        let of = |scene: &SceneInput| json!(scene.score_made.get(name));
        differs(&format!("score.{name}"), of(was), of(is))
    });
    file("score", &was.score, &is.score).chain(told).collect()
}
