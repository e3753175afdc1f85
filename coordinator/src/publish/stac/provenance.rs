//! Where pixels come from: the scenes behind a tile, and what their sources tell of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mosaic::href::unsigned;
use mosaic::ids::{SystemIndex, TileId};
use mosaic::link::LinkedScene;
use mosaic::scene::Baseline;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::publish::{MadeTile, Publication};

/// One linked scene, as far as a publication tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneProvenance {
    /// Its item's id.
    pub id: String,
    /// Its item's collection.
    pub collection: Option<String>,
    /// Its key.
    pub system_index: SystemIndex,
    /// Start of its datatake.
    pub sensing_start: Timestamp,
    /// Its processing baseline.
    pub baseline: Option<Baseline>,
    /// The item's own address: a URL or an absolute path.
    pub item_href: Option<String>,
    /// What the scores' source tells of its score.
    pub score: BTreeMap<String, Value>,
}

impl From<&LinkedScene> for SceneProvenance {
    fn from(linked: &LinkedScene) -> Self {
        let scene = &linked.scene;
        Self {
            id: scene.id.clone(),
            collection: scene.collection.clone(),
            system_index: linked.system_index.clone(),
            sensing_start: scene.sensing_start,
            baseline: scene.baseline,
            item_href: scene.self_href.as_deref().map(|href| unsigned(href).into_owned()),
            score: linked.score.properties.clone(),
        }
    }
}

impl SceneProvenance {
    /// A `derived_from` link: the item's address, else a URN of its key, which is the same wherever the item is kept.
    fn link(&self) -> Value {
        let href = match self.item_href.as_deref() {
            Some(path) if path.starts_with('/') => format!("file://{}", encoded(path)),
            Some(url) => encoded(url),
            None => format!("urn:sentinel-2:{}", encoded(&self.system_index.0)),
        };
        json!({"rel": "derived_from", "href": href, "type": "application/geo+json", "title": self.id})
    }

    /// A property of the score as text, where the source tells it.
    fn told(&self, name: &str) -> Option<String> {
        match self.score.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }
}

/// Percent-encodes what a URI may not hold; what is encoded already stays.
fn encoded(text: &str) -> String {
    let stays = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    text.bytes().map(|b| if stays(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The scenes behind some pixels.
pub(super) struct Sources<'a>(Vec<&'a SceneProvenance>);

impl<'a> Sources<'a> {
    /// Those that gave a clear pixel to what an output tile was made of.
    pub(super) fn of_tile(publication: &'a Publication<'_>, made: &MadeTile) -> Self {
        let gave = &made.contents.meta.contributors;
        Self(publication.scenes.iter().filter(|scene| gave.contains(&scene.system_index)).collect())
    }

    /// Those of any tile.
    pub(super) fn of_all(publication: &'a Publication<'_>) -> Self {
        let gave: BTreeSet<&SystemIndex> =
            publication.made().flat_map(|(_, made)| &made.contents.meta.contributors).collect();
        Self(publication.scenes.iter().filter(|scene| gave.contains(&scene.system_index)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = Value> {
        self.0.iter().map(|scene| scene.link())
    }

    /// The years of sensing, `2022, 2023`.
    pub(super) fn years(&self) -> String {
        let year = |scene: &&SceneProvenance| scene.sensing_start.to_zoned(TimeZone::UTC).year();
        let years: BTreeSet<i16> = self.0.iter().map(year).collect();
        years.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Whether any score calls itself a stand-in for Cloud Score+.
    pub(super) fn stand_in(&self) -> bool {
        let names = self.0.iter().filter_map(|scene| scene.told("MODEL_VERSION"));
        names.into_iter().any(|name| name.to_ascii_lowercase().contains("stand-in"))
    }

    /// Baselines and score versions; nothing for what no source tells.
    pub(super) fn properties(&self) -> Map<String, Value> {
        let baselines = self.0.iter().filter_map(|scene| scene.baseline).map(|b| b.to_string()).collect();
        let told = |name| self.0.iter().filter_map(|scene| scene.told(name)).collect();
        let sets: [(&str, BTreeSet<String>); 4] = [
            ("clearmosaic:baselines", baselines),
            ("clearmosaic:score_model_versions", told("MODEL_VERSION")),
            ("clearmosaic:score_processing_software_versions", told("PROCESSING_SOFTWARE_VERSION")),
            ("clearmosaic:score_source_products", told("SOURCE_PRODUCT_ID")),
        ];
        let mut all: Map<String, Value> = sets
            .into_iter()
            .filter(|(_, set)| !set.is_empty())
            .map(|(name, set)| (name.to_owned(), json!(set)))
            .collect();
        let fractions = self.0.iter().filter_map(|scene| scene.told("NO_CONTEXT_FRACTION")?.parse::<f64>().ok());
        if let Some(most) = fractions.reduce(f64::max) {
            all.insert("clearmosaic:score_max_no_context_fraction".to_owned(), json!(most));
        }
        all
    }
}

/// Scenes that nothing is derived from, of tiles that `concern`, as they could not be read; nothing where all could be.
pub(super) fn unreadable(publication: &Publication<'_>, concern: impl Fn(TileId) -> bool) -> Option<(String, Value)> {
    let scenes = publication.report.unreadable.iter().filter(|scene| concern(scene.tile));
    let scenes: Vec<&SystemIndex> = scenes.map(|unreadable| &unreadable.scene).collect();
    (!scenes.is_empty()).then(|| ("clearmosaic:unreadable_scenes".to_owned(), json!(scenes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(href: Option<&str>) -> SceneProvenance {
        SceneProvenance {
            id: "S2A_33TWL".into(),
            collection: None,
            system_index: SystemIndex("20230815T095031_20230815T095630_T33TWL".into()),
            sensing_start: "2023-08-15T09:50:31Z".parse().unwrap(),
            baseline: None,
            item_href: href.map(str::to_owned),
            score: BTreeMap::from([("MODEL_VERSION".into(), json!(1)), ("NOTHING".into(), Value::Null)]),
        }
    }

    #[test]
    fn every_link_is_a_uri() {
        let href = |given| scene(given).link()["href"].as_str().unwrap().to_owned();
        assert_eq!(href(Some("https://h/items/a?x=1")), "https://h/items/a?x=1");
        assert_eq!(href(Some("/data/my items/é.json")), "file:///data/my%20items/%C3%A9.json");
        assert_eq!(href(None), "urn:sentinel-2:20230815T095031_20230815T095630_T33TWL");
    }

    #[test]
    fn only_what_is_told_is_told() {
        let scene = scene(None);
        let properties = Sources(vec![&scene, &scene]).properties();
        assert_eq!(Value::from(properties), json!({"clearmosaic:score_model_versions": ["1"]}));
        assert_eq!(Sources(vec![&scene]).years(), "2023");
    }
}
