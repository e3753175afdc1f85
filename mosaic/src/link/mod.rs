//! Joining scenes with their scores by `system:index`, and by nothing else.
//!
//! ```text
//! scenes ─► unique ─► join ─► versions ─┬─► linked       pixels count
//!              │        ▲               ├─► unusable     linked, but lacks a requested band
//!            found    scores            ├─► unlinked     no score: contributes nothing
//!                                       └─► superseded   another version of the same key stays
//! ```
//! `found` is the sum of the four. A scene that cannot tell part 2 of its key takes the one listed score that fits
//! ([`IndexClue::Start`]) and is marked inexact; with several or none it is unlinked.

mod scores;
mod template;

use serde::{Deserialize, Serialize};

pub use scores::{ScoreRef, ScoreSource, ScoreTable, no_context_fraction};
pub use template::{BadTemplate, ScoreTemplate};

use crate::band::Band;
use crate::ids::SystemIndex;
use crate::scene::{IndexClue, Scene, Superseded, collapse, unique};

/// What a link depends on beside scenes and scores.
#[derive(Debug, Clone, Default)]
pub struct LinkOptions {
    /// The requested bands: a scene must have them all.
    pub bands: Vec<Band>,
    /// Scores made with less temporal context than this are left out; those that do not tell stay.
    pub max_no_context_fraction: Option<f64>,
}

/// A scene whose score was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkedScene {
    /// The scene.
    pub scene: Scene,
    /// Its key.
    pub system_index: SystemIndex,
    /// Whether the scene itself tells the key; else it was taken from the one listed score that fits.
    pub exact: bool,
    /// Its score.
    pub score: ScoreRef,
}

/// A scene without a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnlinkedScene {
    /// The scene.
    pub scene: Scene,
    /// Its key, as far as it is known.
    pub system_index: Option<SystemIndex>,
    /// Whether the scene itself tells the key.
    pub exact: bool,
    /// Why it has none.
    pub why: WhyUnlinked,
}

impl UnlinkedScene {
    /// What a report calls it: its key, else the item's id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.system_index.as_ref().map_or(&self.scene.id, |index| &index.0)
    }
}

/// Why a scene has no score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnlinked {
    /// There is none under its key, or near its start.
    NoScore,
    /// Its key is unsure, and this many scores fit.
    Ambiguous(usize),
    /// Its score was made with too little temporal context: this share without.
    LittleContext(f64),
}

/// A scene of which another version stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupersededScene {
    /// The scene.
    pub scene: Scene,
    /// The key that both have.
    pub system_index: SystemIndex,
    /// Whether the scene itself tells the key.
    pub exact: bool,
    /// The key's score, where there is one.
    pub score: Option<ScoreRef>,
    /// Id of the item that stays.
    pub superseded_by: String,
}

/// A linked scene that lacks requested bands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnusableScene {
    /// The scene and its score.
    pub linked: LinkedScene,
    /// What it lacks.
    pub missing: Vec<Band>,
}

/// What became of every scene. Each list is in order of key, then of item id (scenes without a key: of tile, start
/// and id, behind the others), so that it depends on the catalogue alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Linkage {
    /// Those that count.
    pub scenes: Vec<LinkedScene>,
    /// Those without a score.
    pub unlinked: Vec<UnlinkedScene>,
    /// Those that another version replaces.
    pub superseded: Vec<SupersededScene>,
    /// Those that lack a requested band.
    pub unusable: Vec<UnusableScene>,
}

impl Linkage {
    /// How many scenes there were, an item listed twice counted once.
    #[must_use]
    pub fn found(&self) -> usize {
        self.scenes.len() + self.unlinked.len() + self.superseded.len() + self.unusable.len()
    }
}

impl Linkage {
    /// Takes out scenes whose scores were made with too little context, of which that became known since they were
    /// linked.
    pub fn leave_out_little_context(&mut self, max: f64) {
        let little = |linked: &LinkedScene| linked.score.no_context_fraction().filter(|fraction| *fraction > max);
        let linked = std::mem::take(&mut self.scenes);
        for linked in linked {
            let Some(fraction) = little(&linked) else {
                self.scenes.push(linked);
                continue;
            };
            let LinkedScene { scene, system_index, exact, .. } = linked;
            let why = WhyUnlinked::LittleContext(fraction);
            self.unlinked.push(UnlinkedScene { scene, system_index: Some(system_index), exact, why });
        }
        // Keys first, in order; then those without, which are in order already.
        self.unlinked.sort_by(|a, b| {
            let key = |unlinked: &UnlinkedScene| (unlinked.system_index.is_none(), unlinked.system_index.clone());
            key(a).cmp(&key(b))
        });
    }
}

/// A scene with what the scores say of it.
struct Joined {
    scene: Scene,
    exact: bool,
    score: Result<ScoreRef, WhyUnlinked>,
}

impl AsRef<Scene> for Joined {
    fn as_ref(&self) -> &Scene {
        &self.scene
    }
}

/// Joins scenes with their scores.
#[must_use]
pub fn link(scenes: Vec<Scene>, scores: &dyn ScoreSource, options: &LinkOptions) -> Linkage {
    let (mut keyed, mut keyless) = (Vec::new(), Vec::new());
    for scene in unique(scenes) {
        match join(scene, scores, options) {
            (joined, Some(index)) => keyed.push((joined, index)),
            (joined, None) => keyless.push(joined),
        }
    }
    let (kept, superseded) = collapse(keyed);
    let mut linkage = Linkage { superseded: superseded.into_iter().map(replaced).collect(), ..Linkage::default() };
    for (joined, index) in kept {
        file(&mut linkage, joined, index, options);
    }
    keyless.sort_by(|a, b| order(&a.scene).cmp(&order(&b.scene)));
    linkage.unlinked.extend(keyless.into_iter().filter_map(|joined| {
        let why = joined.score.err()?;
        Some(UnlinkedScene { scene: joined.scene, system_index: None, exact: false, why })
    }));
    linkage
}

fn order(scene: &Scene) -> impl Ord + '_ {
    (scene.tile, scene.sensing_start, &scene.id, &scene.collection)
}

fn join(scene: Scene, scores: &dyn ScoreSource, options: &LinkOptions) -> (Joined, Option<SystemIndex>) {
    let (index, exact, found) = match &scene.index {
        IndexClue::Exact(index) => (Some(index.clone()), true, scores.exact(index).ok_or(WhyUnlinked::NoScore)),
        IndexClue::Start { start, tolerance_s } => {
            let mut fitting = scores.candidates(scene.tile, *start, *tolerance_s);
            match (fitting.len(), fitting.pop()) {
                (1, Some((index, score))) => (Some(index), false, Ok(score)),
                (0, _) => (None, false, Err(WhyUnlinked::NoScore)),
                (several, _) => (None, false, Err(WhyUnlinked::Ambiguous(several))),
            }
        }
    };
    let score = found.and_then(|score| with_context(score, options));
    (Joined { scene, exact, score }, index)
}

fn with_context(score: ScoreRef, options: &LinkOptions) -> Result<ScoreRef, WhyUnlinked> {
    match (score.no_context_fraction(), options.max_no_context_fraction) {
        (Some(fraction), Some(max)) if fraction > max => Err(WhyUnlinked::LittleContext(fraction)),
        _ => Ok(score),
    }
}

fn replaced(superseded: Superseded<Joined>) -> SupersededScene {
    let Superseded { scene: Joined { scene, exact, score }, system_index, superseded_by } = superseded;
    SupersededScene { scene, system_index, exact, score: score.ok(), superseded_by }
}

/// Puts a kept scene where it belongs.
fn file(linkage: &mut Linkage, joined: Joined, system_index: SystemIndex, options: &LinkOptions) {
    let Joined { scene, exact, score } = joined;
    let score = match score {
        Ok(score) => score,
        Err(why) => {
            let system_index = Some(system_index);
            return linkage.unlinked.push(UnlinkedScene { scene, system_index, exact, why });
        }
    };
    let missing: Vec<Band> = options.bands.iter().copied().filter(|band| !scene.bands.contains_key(band)).collect();
    let linked = LinkedScene { scene, system_index, exact, score };
    if missing.is_empty() {
        linkage.scenes.push(linked);
    } else {
        linkage.unusable.push(UnusableScene { linked, missing });
    }
}
