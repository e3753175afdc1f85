//! The request: what mosaic to make, as its author wrote it.
//!
//! `parse_written` reads YAML or JSON, `Request::at` tells which period is meant, `Request::faults` finds everything that is wrong within it. Neither touches a disk:
//! files that the request names are read where they are needed.

mod parse;
mod sources;
mod validate;

pub use parse::{ParseError, parse, parse_written, schema};
pub use sources::{AoiSource, Preset, SceneSource, ScoreBand, ScoreSource, StacApi};
pub use validate::Fault;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::href::{Base, unsigned};
use crate::period::{Period, SliceLength, When};
use crate::product::Product;

/// A mosaic to make: of a [`Period`], or of one that goes with the day ([`Written`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a request: version, name, aoi, period, bands, scenes, scores, output")]
#[schemars(rename = "Request", bound = "")]
pub struct Request<P = Period> {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Name of the mosaic and of the directory it is published in: lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = "^[a-z0-9-]+$"))]
    pub name: String,
    /// Where: a GeoJSON file; or `{bbox: [west, south, east, north]}`; or `{tiles: [33TWL]}`;
    /// or `{point: [lon, lat], radius: metres}`.
    pub aoi: AoiSource,
    /// When: UTC, end exclusive; or `{last: P12M}`: the last twelve months that are whole slices on the day it is made.
    #[schemars(with = "sources::PeriodSchema")]
    pub period: P,
    /// Only these months of the period (1 to 12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<Vec<u8>>,
    /// `PnD`, `PnM` or `PnY`: partials are made per slice and kept. Absent: the whole period at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = "^P[0-9]+[DMY]$"))]
    pub slice: Option<SliceLength>,
    /// Bands in the mosaic's order, no duplicates.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub bands: Vec<Band>,
    /// What to tell of each pixel's clear observations, in the mosaic's order; the count is always told. Absent: the
    /// median and the count.
    #[serde(default = "default_products", skip_serializing_if = "is_default")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub products: Vec<Product>,
    /// Which scenes of the catalogue to leave out.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Where the scenes are listed: exactly one source.
    pub scenes: SceneSource,
    /// Where the scores are, and which are good enough.
    pub scores: Scores,
    /// Working pixels that are not clear around every pixel without data in a requested band, or beyond a raster's edge:
    /// at the rim of a swath one band's nodata leaks past the others. 0 to 16.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(max = 16))]
    pub edge_erosion: u8,
    /// What becomes of a scene that cannot be read, after every retry. `fail`: the tasks that need it are set aside, and
    /// the mosaic is incomplete. `skip`: the mosaic is made without that scene, which the report names.
    #[serde(default, skip_serializing_if = "OnUnreadable::is_default")]
    pub on_unreadable: OnUnreadable,
    /// How the median is finished.
    #[serde(default)]
    pub median: Median,
    /// The mosaic's pixel grid.
    #[serde(default)]
    pub grid: Grid,
    /// Directory in which the mosaic is published, under its name; or an object store's URL: `s3://bucket/prefix`,
    /// `gs://…`, `az://…`.
    pub output: String,
    /// Name of the credential profile that opens an output which is an object store. Absent: the environment of whoever
    /// publishes does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub profile: Option<String>,
    /// Names of the credential profiles that open scenes and scores on other machines.
    #[serde(default, skip_serializing_if = "SourceProfiles::is_empty")]
    pub profiles: SourceProfiles,
}

/// A request as its author wrote it.
pub type Written = Request<When>;

/// Names of the credential profiles that open what a request reads. Absent: the environment of whoever reads does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "{scenes, scores}")]
pub struct SourceProfiles {
    /// For the rasters of scenes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub scenes: Option<String>,
    /// For scores.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub scores: Option<String>,
}

impl SourceProfiles {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which scenes of the catalogue to leave out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "{cloud_cover_max, platforms, orbits}")]
pub struct Filter {
    /// Scenes whose catalogue says more cloud than this (percent) are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_cover_max: Option<f64>,
    /// Only these platforms, such as `sentinel-2a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<String>>,
    /// Only these relative orbits, 1 to 143.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orbits: Option<Vec<u16>>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where the scores are, and which are good enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "sources::ScoreFields")]
#[schemars(!try_from, extend("unevaluatedProperties" = false))]
pub struct Scores {
    /// Where the scores are: exactly one of `template`, `items`, `stac`, `earth_engine`.
    #[serde(flatten)]
    pub source: ScoreSource,
    /// Which score: `cs_cdf` (default) or `cs`.
    #[schemars(default)]
    pub band: ScoreBand,
    /// A pixel is clear where its score is at least this, 0 to 1.
    #[schemars(default = "default_threshold", range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// Scores made with a larger share of sub-tiles without temporal context are left out, 0 to 1.
    #[schemars(default = "one", range(min = 0.0, max = 1.0))]
    pub max_no_context_fraction: f64,
}

/// What becomes of a scene that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnUnreadable {
    /// The tasks that need it are set aside.
    #[default]
    Fail,
    /// The mosaic is made as if the catalogue did not have it.
    Skip,
}

impl OnUnreadable {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What is left out of a request's digest is what requests did not have.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(pixels: &u8) -> bool {
    *pixels == 0
}

fn default_products() -> Vec<Product> {
    Product::DEFAULT.to_vec()
}

fn is_default(products: &[Product]) -> bool {
    *products == Product::DEFAULT
}

fn default_threshold() -> f64 {
    0.60
}

fn one() -> f64 {
    1.0
}

/// How the median is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "{dtype, min_observations}")]
pub struct Median {
    /// `uint16` rounds half up; `float32` keeps the half.
    pub dtype: Dtype,
    /// Pixels with fewer clear observations are nodata; their count is still told.
    #[schemars(range(min = 1))]
    pub min_observations: u16,
}

impl Default for Median {
    fn default() -> Self {
        Self { dtype: Dtype::Uint16, min_observations: 1 }
    }
}

/// Data type of the median bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Rounded half up.
    Uint16,
    /// The exact half.
    Float32,
}

impl Dtype {
    /// The name that GDAL, numpy and STAC's raster extension agree on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uint16 => "uint16",
            Self::Float32 => "float32",
        }
    }
}

/// The mosaic's pixel grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "{crs, resolution, tile_pixels, resampling}")]
pub struct Grid {
    /// `native` (each MGRS tile on its own grid) or `EPSG:n`.
    #[schemars(with = "String", regex(pattern = "^(native|(EPSG|epsg):[0-9]+)$"))]
    pub crs: Crs,
    /// Pixel size in units of the CRS.
    pub resolution: f64,
    /// Side of an output tile in pixels, for `EPSG:n`.
    pub tile_pixels: u32,
    /// How composites come to an output grid that is not their own.
    pub resampling: Resampling,
}

impl Default for Grid {
    fn default() -> Self {
        Self { crs: Crs::Native, resolution: 10.0, tile_pixels: 10_000, resampling: Resampling::Nearest }
    }
}

/// The output's coordinate reference system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crs {
    /// Each MGRS tile on its own grid.
    Native,
    /// One CRS for the whole mosaic.
    Epsg(u32),
}

impl std::fmt::Display for Crs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Epsg(code) => write!(f, "EPSG:{code}"),
        }
    }
}

impl Serialize for Crs {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Crs {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text == "native" {
            return Ok(Self::Native);
        }
        let code = text.strip_prefix("EPSG:").or_else(|| text.strip_prefix("epsg:"));
        code.and_then(|n| n.parse().ok())
            .map(Self::Epsg)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no grid: write native or EPSG:3035")))
    }
}

/// How composites come to an output grid that is not their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// The pixel that holds the centre.
    Nearest,
    /// Linear between the four nearest pixels.
    Bilinear,
    /// Cubic convolution over the sixteen nearest pixels (a = -0.5).
    Cubic,
    /// Mean of the pixels under the output pixel.
    Average,
}

impl Written {
    /// The request that is meant at an instant.
    ///
    /// # Errors
    /// Where that is of no period.
    pub fn at(self, now: Timestamp) -> Result<Request, Fault> {
        let fault = |message| Fault { field: "period", message };
        let period = self.period.at(now, self.slice).map_err(fault)?;
        Ok(self.with_period(period))
    }
}

impl<P> Request<P> {
    /// The same of another period.
    #[must_use]
    pub fn with_period<Q>(self, period: Q) -> Request<Q> {
        let Self { version, name, aoi, period: _, months, slice, bands, products, filter, scenes, scores, .. } = self;
        let Self { edge_erosion, on_unreadable, median, grid, output, profile, profiles, .. } = self;
        Request {
            version,
            name,
            aoi,
            period,
            months,
            slice,
            bands,
            products,
            filter,
            scenes,
            scores,
            edge_erosion,
            on_unreadable,
            median,
            grid,
            output,
            profile,
            profiles,
        }
    }

    /// Makes the paths absolute: those of a request are relative to the file that it stands in.
    pub fn resolve(&mut self, base: &Base) {
        self.paths().into_iter().for_each(|path| *path = base.resolve(path));
    }

    /// Paths and URLs of files.
    fn paths(&mut self) -> Vec<&mut String> {
        let mut paths = vec![&mut self.output];
        if let AoiSource::File(path) = &mut self.aoi {
            paths.push(path);
        }
        if let SceneSource::Items(path) = &mut self.scenes {
            paths.push(path);
        }
        if let ScoreSource::Template(path) | ScoreSource::Items(path) = &mut self.scores.source {
            paths.push(path);
        }
        paths
    }

    /// The same without the rights of URLs that are signed: what may be kept, and is the same request to everyone.
    #[must_use]
    pub fn unsigned(&self) -> Self
    where
        P: Clone,
    {
        let mut bare = self.clone();
        if let SceneSource::Stac(api) = &mut bare.scenes {
            api.url = unsigned(&api.url).into_owned();
        }
        if let ScoreSource::Stac(api) = &mut bare.scores.source {
            api.url = unsigned(&api.url).into_owned();
        }
        bare.paths().into_iter().for_each(|path| *path = unsigned(path).into_owned());
        bare
    }
}
