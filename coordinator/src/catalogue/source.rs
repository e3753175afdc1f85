//! Where items come from: one arm, and one file, for each kind of source.
//!
//! ```text
//! request ─► source ─┬─► walk           files, and static catalogues on web servers
//!                    ├─► stac_api       searches
//!                    ├─► earth_engine   lists of images
//!                    └─► ...            every item, with the place that its hrefs are relative to, to one visitor
//! ```

use jiff::{SignedDuration, Timestamp};
use mosaic::band::Band;
use mosaic::ids::TileId;
use mosaic::request::{SceneSource, StacApi};
use mosaic::scene::Scene;
use serde_json::Value;

use super::archives::Archives;
use super::fault::Fault;
use super::{earth_engine, preset, stac_api, walk};

/// What is done with an item: the file or URL that its hrefs are relative to, the item, and where faults go.
pub(super) type Visit<'a> = dyn FnMut(&str, &Value, &mut Vec<Fault>) + Send + 'a;

/// What is wanted of a source that can be asked. What it gives besides is left out by whoever reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The tiles of the area, in order.
    pub tiles: Vec<TileId>,
    /// First instant of the period.
    pub start: Timestamp,
    /// First instant after the period.
    pub end: Timestamp,
    /// The bands that are read; all where none is named.
    pub bands: Vec<Band>,
}

impl Wanted {
    /// Keeps of a scene's rasters those that are read: a continent's others would take more room than these. One that
    /// lacks a band keeps all, so that it can be told what it has.
    pub(super) fn keep_of(&self, scene: &mut Scene) {
        if !self.bands.is_empty() && self.bands.iter().all(|band| scene.bands.contains_key(band)) {
            scene.bands.retain(|band, _| self.bands.contains(band));
        }
    }

    /// The period as catalogues are asked for it: what they take for the time of a scene is off by up to an hour.
    #[must_use]
    pub fn searched(&self) -> (Timestamp, Timestamp) {
        let hour = SignedDuration::from_hours(1);
        let start = self.start.checked_sub(hour).unwrap_or(self.start);
        (start, self.end.checked_add(hour).unwrap_or(self.end))
    }
}

/// A source of items.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// An ItemCollection or static catalogue: path or URL.
    Items(String),
    /// A STAC API.
    Stac(StacApi),
    /// A collection of Earth Engine's.
    EarthEngine(String),
}

impl Source {
    /// The source of a request's scenes.
    pub fn of_scenes(source: &SceneSource) -> Self {
        match source {
            SceneSource::Items(at) => Self::Items(at.clone()),
            SceneSource::Stac(api) => Self::Stac(api.clone()),
            SceneSource::Preset(preset) => match preset::api(*preset) {
                Some(api) => Self::Stac(api),
                None => Self::EarthEngine(earth_engine::SCENES.to_owned()),
            },
            SceneSource::EarthEngine(collection) => Self::EarthEngine(collection.clone()),
        }
    }

    /// Calls `visit` for every item; a source that can be asked is asked for what is wanted.
    pub async fn each_item(
        &self,
        wanted: &Wanted,
        archives: &Archives,
        faults: &mut Vec<Fault>,
        visit: &mut Visit<'_>,
    ) {
        match self {
            // Files cannot be asked for less than they hold.
            Self::Items(at) => walk::each_item(at, archives, faults, visit).await,
            Self::Stac(api) => stac_api::each_item(api, wanted, archives, faults, visit).await,
            Self::EarthEngine(collection) => earth_engine::each_item(collection, wanted, archives, faults, visit).await,
        }
    }
}
