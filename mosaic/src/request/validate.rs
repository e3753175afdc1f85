//! What is wrong within a request, all of it at once.

use std::fmt;

use super::{AoiSource, Crs, Request, SceneSource, ScoreSource, StacApi};
use crate::aoi::Aoi;
use crate::grid;
use crate::href::is_web;
use crate::link::ScoreTemplate;
use crate::product::Product;

/// One thing that is wrong: the field, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the field, `grid.resolution`.
    pub field: &'static str,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.message)
    }
}

/// Collects faults as they are found.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn check(&mut self, holds: bool, field: &'static str, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Fault { field, message: message() });
        }
    }
}

impl Request {
    /// Everything that is wrong with the request in itself, in the order of its fields.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        faults.check(self.version == 1, "version", || format!("{} is not known: write 1", self.version));
        self.check_name(&mut faults);
        self.check_aoi(&mut faults);
        self.check_time(&mut faults);
        self.check_bands(&mut faults);
        self.check_products(&mut faults);
        self.check_filter(&mut faults);
        self.check_sources(&mut faults);
        faults.check(self.edge_erosion <= 16, "edge_erosion", || {
            format!("{} is outside 0..16 pixels", self.edge_erosion)
        });
        self.check_grid(&mut faults);
        faults.check(self.median.min_observations > 0, "median.min_observations", || "0: write 1 or more".into());
        self.check_output(&mut faults);
        faults.0
    }

    fn check_name(&self, faults: &mut Faults) {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let ok = (1..=100).contains(&self.name.len()) && self.name.chars().all(allowed);
        faults
            .check(ok, "name", || format!("`{}`: use lower-case letters, digits and hyphens, at most 100", self.name));
    }

    fn check_aoi(&self, faults: &mut Faults) {
        match &self.aoi {
            AoiSource::File(path) => faults.check(!path.is_empty(), "aoi", || "empty: name a GeoJSON file".into()),
            AoiSource::Tiles { tiles } => faults.check(!tiles.is_empty(), "aoi.tiles", || "empty: name a tile".into()),
            AoiSource::Point { point: [lon, lat], radius } => {
                let ok = radius.is_finite() && *radius > 0.0;
                faults.check(ok, "aoi.radius", || format!("{radius} m: write more than 0"));
                if let (true, Err(error)) = (ok, Aoi::from_point(*lon, *lat, *radius)) {
                    faults.check(false, "aoi.point", || error.to_string());
                }
            }
            AoiSource::Bbox { bbox } => {
                if let Err(error) = Aoi::from_bbox(*bbox) {
                    faults.check(false, "aoi.bbox", || error.to_string());
                }
            }
        }
    }

    fn check_time(&self, faults: &mut Faults) {
        faults.check(self.period.start < self.period.end, "period", || {
            format!("{} is empty: `end` is exclusive and must be after `start`", self.period)
        });
        if let Some(months) = &self.months {
            let ok = !months.is_empty() && months.iter().all(|m| (1..=12).contains(m));
            faults.check(ok, "months", || format!("{months:?}: list months from 1 to 12"));
        }
    }

    fn check_bands(&self, faults: &mut Faults) {
        faults.check(!self.bands.is_empty(), "bands", || "empty: name a band, B04 say".into());
        for (i, band) in self.bands.iter().enumerate() {
            faults.check(!self.bands[..i].contains(band), "bands", || format!("{band} stands there twice"));
        }
    }

    fn check_products(&self, faults: &mut Faults) {
        faults.check(Product::of_bands(&self.products).next().is_some(), "products", || {
            "none of them is of a band's values: name the median, say".into()
        });
        for (i, product) in self.products.iter().enumerate() {
            faults.check(!self.products[..i].contains(product), "products", || format!("{product} stands there twice"));
        }
    }

    fn check_filter(&self, faults: &mut Faults) {
        if let Some(max) = self.filter.cloud_cover_max {
            let ok = (0.0..=100.0).contains(&max);
            faults.check(ok, "filter.cloud_cover_max", || format!("{max} is outside 0..100 percent"));
        }
        if let Some(orbits) = &self.filter.orbits {
            let ok = !orbits.is_empty() && orbits.iter().all(|o| (1..=143).contains(o));
            faults.check(ok, "filter.orbits", || format!("{orbits:?}: list relative orbits from 1 to 143"));
        }
        if let Some(platforms) = &self.filter.platforms {
            faults.check(!platforms.is_empty(), "filter.platforms", || "empty: name a platform".into());
            for name in platforms {
                let known = name.to_ascii_lowercase().starts_with("sentinel-2");
                faults.check(known, "filter.platforms", || format!("`{name}`: write them as sentinel-2a"));
            }
        }
    }

    fn check_sources(&self, faults: &mut Faults) {
        match &self.scenes {
            SceneSource::Items(at) => check_items(faults, "scenes.items", at),
            SceneSource::Stac(api) => check_api(faults, "scenes.stac.url", api),
            SceneSource::EarthEngine(id) => check_collection(faults, "scenes.earth_engine", id),
            SceneSource::Preset(_) => {}
        }
        match &self.scores.source {
            ScoreSource::Template(path) => {
                if let Err(error) = ScoreTemplate::parse(path) {
                    faults.check(false, "scores.template", || error.to_string());
                }
            }
            ScoreSource::Items(at) => check_items(faults, "scores.items", at),
            ScoreSource::Stac(api) => check_api(faults, "scores.stac.url", api),
            ScoreSource::EarthEngine(id) => check_collection(faults, "scores.earth_engine", id),
        }
        let threshold = self.scores.threshold;
        faults.check((0.0..=1.0).contains(&threshold), "scores.threshold", || format!("{threshold} is outside 0..1"));
        let share = self.scores.max_no_context_fraction;
        faults.check((0.0..=1.0).contains(&share), "scores.max_no_context_fraction", || {
            format!("{share} is outside 0..1")
        });
    }

    fn check_output(&self, faults: &mut Faults) {
        faults.check(!self.output.is_empty(), "output", || "empty: name a directory".into());
        let scheme = self.output.split_once("://").map_or("file", |(scheme, _)| scheme);
        faults.check(matches!(scheme, "file" | "s3" | "gs" | "az" | "abfs" | "abfss"), "output", || {
            format!("{scheme}:// is not written to: name a directory, or an s3://, gs:// or az:// URL")
        });
        faults.check(!(is_remote(&self.output) && self.output.contains(['?', '#'])), "output", || {
            "a URL with a query: credentials stand in a profile, name it in `profile`".into()
        });
        if let Some(profile) = &self.profile {
            let ok =
                !profile.is_empty() && profile.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            faults.check(ok, "profile", || "use letters, digits, hyphens and underscores".into());
            faults.check(is_remote(&self.output), "profile", || "a directory as `output` needs none".into());
        }
    }

    fn check_grid(&self, faults: &mut Faults) {
        let resolution = self.grid.resolution;
        let positive = resolution.is_finite() && resolution > 0.0;
        faults.check(positive, "grid.resolution", || format!("{resolution}: write a number above 0"));
        if positive && self.grid.crs == Crs::Native {
            faults.check(grid::subtiles(resolution).is_ok(), "grid.resolution", || {
                format!("{resolution} m does not divide a tile's 109,800 m: use 10, 20, 60 or 120, say")
            });
        }
        let side = self.grid.tile_pixels;
        let ok = (16..=100_000).contains(&side);
        faults.check(ok, "grid.tile_pixels", || format!("{side} is outside 16..100000"));
    }
}

/// A collection of Earth Engine's is a path of names.
fn check_collection(faults: &mut Faults, field: &'static str, id: &str) {
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let ok = id.split('/').all(|part| is_name(part) && part != "..");
    faults.check(ok, field, || format!("`{id}`: name a collection, COPERNICUS/S2_SR_HARMONIZED say"));
}

/// A catalogue is a file, or comes from a web server.
fn check_items(faults: &mut Faults, field: &'static str, at: &str) {
    faults.check(!at.is_empty(), field, || "empty: name a file".into());
    faults.check(!is_remote(at) || is_web(at), field, || {
        "catalogues are read from files and by https: write a path or an https URL".into()
    });
}

fn check_api(faults: &mut Faults, field: &'static str, api: &StacApi) {
    let StacApi { url, collection } = api;
    faults.check(is_web(url), field, || format!("`{url}`: write the https URL of the API's root"));
    faults.check(!collection.is_empty(), field, || "without a `collection`: name one".into());
}

/// Whether a path is a URL, `s3://bucket/key`.
fn is_remote(path: &str) -> bool {
    path.split_once("://").is_some_and(|(scheme, _)| scheme != "file")
}
