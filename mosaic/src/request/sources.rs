//! Where things come from: the AOI, the scenes, the scores. Each is exactly one of several forms.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::Scores;
use crate::ids::TileId;

/// Where the mosaic is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(deny_unknown_fields)]
pub enum AoiSource {
    /// A GeoJSON file.
    File(String),
    /// Degrees; west > east crosses the antimeridian.
    Bbox {
        /// West, south, east, north.
        bbox: [f64; 4],
    },
    /// The footprints of MGRS tiles.
    Tiles {
        /// Tile ids.
        #[schemars(with = "Vec<String>")]
        tiles: Vec<TileId>,
    },
    /// A circle.
    Point {
        /// Longitude and latitude, degrees.
        point: [f64; 2],
        /// Metres.
        radius: f64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AoiFields {
    bbox: Option<[f64; 4]>,
    tiles: Option<Vec<TileId>>,
    point: Option<[f64; 2]>,
    radius: Option<f64>,
}

impl TryFrom<AoiFields> for AoiSource {
    type Error = &'static str;

    fn try_from(f: AoiFields) -> Result<Self, &'static str> {
        match (f.bbox, f.tiles, f.point, f.radius) {
            (Some(bbox), None, None, None) => Ok(Self::Bbox { bbox }),
            (None, Some(tiles), None, None) => Ok(Self::Tiles { tiles }),
            (None, None, Some(point), Some(radius)) => Ok(Self::Point { point, radius }),
            (None, None, Some(_), None) => Err("`point` needs a `radius` in metres"),
            (None, None, None, Some(_)) => Err("`radius` needs a `point`"),
            (None, None, None, None) => Err("give a GeoJSON file, or one of bbox, tiles, point with radius"),
            _ => Err("give only one of bbox, tiles, point with radius"),
        }
    }
}

impl<'de> Deserialize<'de> for AoiSource {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = AoiSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a GeoJSON file's path, or {bbox}, {tiles} or {point, radius}")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<AoiSource, E> {
                Ok(AoiSource::File(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AoiSource, A::Error> {
                let fields = AoiFields::deserialize(MapAccessDeserializer::new(map))?;
                fields.try_into().map_err(A::Error::custom)
            }
        }
        d.deserialize_any(Form)
    }
}

/// A STAC API and the collection to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "{url, collection}")]
pub struct StacApi {
    /// Root of the API.
    pub url: String,
    /// Collection id.
    pub collection: String,
}

/// Where the scenes are listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", try_from = "SceneFields")]
#[schemars(!try_from)]
pub enum SceneSource {
    /// A STAC ItemCollection or a static catalogue: path or URL.
    Items(String),
    /// A STAC API.
    Stac(StacApi),
    /// An Earth Engine image collection.
    EarthEngine(String),
    /// A well-known archive.
    Preset(Preset),
}

/// A well-known archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Element 84's Earth Search: Sentinel-2 as COGs on AWS.
    EarthSearch,
    /// Microsoft's Planetary Computer.
    PlanetaryComputer,
    /// The Copernicus Data Space Ecosystem: ESA's own JPEG 2000.
    Cdse,
    /// Google Earth Engine, harmonised.
    EarthEngine,
}

impl SceneSource {
    /// The field of a request that names it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Items(_) => "scenes.items",
            Self::Stac(_) => "scenes.stac",
            Self::EarthEngine(_) => "scenes.earth_engine",
            Self::Preset(_) => "scenes.preset",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a source, {items: items.json} say")]
struct SceneFields {
    items: Option<String>,
    stac: Option<StacApi>,
    earth_engine: Option<String>,
    preset: Option<Preset>,
}

impl TryFrom<SceneFields> for SceneSource {
    type Error = String;

    fn try_from(f: SceneFields) -> Result<Self, String> {
        let sources = [
            ("items", f.items.map(Self::Items)),
            ("stac", f.stac.map(Self::Stac)),
            ("earth_engine", f.earth_engine.map(Self::EarthEngine)),
            ("preset", f.preset.map(Self::Preset)),
        ];
        only_one(sources)
    }
}

/// Where the scores are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreSource {
    /// Path or URL with the placeholders `{system_index}`, `{tile}`, `{year}`, `{month}`.
    Template(String),
    /// A STAC ItemCollection or a static catalogue: path or URL.
    Items(String),
    /// A STAC API.
    Stac(StacApi),
    /// An Earth Engine image collection.
    EarthEngine(String),
}

impl ScoreSource {
    /// The field of a request that names it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Template(_) => "scores.template",
            Self::Items(_) => "scores.items",
            Self::Stac(_) => "scores.stac",
            Self::EarthEngine(_) => "scores.earth_engine",
        }
    }
}

/// The fields of `scores`, any of the sources.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a source, {template: scores/{system_index}.tif} say")]
pub(super) struct ScoreFields {
    template: Option<String>,
    items: Option<String>,
    stac: Option<StacApi>,
    earth_engine: Option<String>,
    #[serde(default)]
    band: ScoreBand,
    #[serde(default = "super::default_threshold")]
    threshold: f64,
    #[serde(default = "super::one")]
    max_no_context_fraction: f64,
}

impl TryFrom<ScoreFields> for Scores {
    type Error = String;

    fn try_from(f: ScoreFields) -> Result<Self, String> {
        let source = only_one([
            ("template", f.template.map(ScoreSource::Template)),
            ("items", f.items.map(ScoreSource::Items)),
            ("stac", f.stac.map(ScoreSource::Stac)),
            ("earth_engine", f.earth_engine.map(ScoreSource::EarthEngine)),
        ])?;
        let ScoreFields { band, threshold, max_no_context_fraction, .. } = f;
        Ok(Self { source, band, threshold, max_no_context_fraction })
    }
}

/// The one source that is given.
fn only_one<T, const N: usize>(sources: [(&'static str, Option<T>); N]) -> Result<T, String> {
    let names = sources.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let given: Vec<_> = sources.into_iter().filter_map(|(name, source)| Some((name, source?))).collect();
    let found = given.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
    match <[_; 1]>::try_from(given) {
        Ok([(_, source)]) => Ok(source),
        Err(none) if none.is_empty() => Err(format!("no source: give exactly one of {names}")),
        Err(_) => Err(format!("{found} are given: give exactly one of {names}")),
    }
}

/// Which of Cloud Score+'s two bands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreBand {
    /// Rank in that place's distribution of scores.
    #[default]
    CsCdf,
    /// Spectral distance to a clear reference.
    Cs,
}

impl ScoreBand {
    /// The band's name, as Earth Engine has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CsCdf => "cs_cdf",
            Self::Cs => "cs",
        }
    }
}

/// What editors are told of a period.
#[derive(JsonSchema)]
#[schemars(rename = "Period", untagged, deny_unknown_fields)]
#[allow(dead_code)]
pub(super) enum PeriodSchema {
    /// From one day to another.
    Fixed {
        /// First day inside, or an RFC 3339 instant.
        start: String,
        /// First day outside, or an RFC 3339 instant.
        end: String,
    },
    /// The last so-and-so-much time before the day on which it is made.
    Last {
        /// How much: `PnD`, `PnM` or `PnY`.
        #[schemars(regex(pattern = "^P[0-9]+[DMY]$"))]
        last: String,
        /// Whole slices only, which is the default; else up to the end of the day, with slices cut at both ends.
        whole: Option<bool>,
    },
}
