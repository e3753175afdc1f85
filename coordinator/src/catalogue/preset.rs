//! The archives that go by a name: where each is, and what is known of it beyond what STAC tells.

use mosaic::request::{Preset, StacApi};

/// What is known of an archive.
#[derive(Debug)]
pub(super) struct Known {
    preset: Preset,
    /// Root of its API.
    url: &'static str,
    /// The setting that says where else it is, a mirror say.
    setting: &'static str,
    collection: &'static str,
    /// The property that names the tile, and what stands before its name there.
    pub tile: (&'static str, &'static str),
}

const KNOWN: [Known; 3] = [
    Known {
        preset: Preset::EarthSearch,
        url: "https://earth-search.aws.element84.com/v1",
        setting: "CLEARMOSAIC_EARTH_SEARCH_URL",
        collection: "sentinel-2-l2a",
        tile: ("grid:code", "MGRS-"),
    },
    Known {
        preset: Preset::PlanetaryComputer,
        url: "https://planetarycomputer.microsoft.com/api/stac/v1",
        setting: "CLEARMOSAIC_PLANETARY_COMPUTER_URL",
        collection: "sentinel-2-l2a",
        tile: ("s2:mgrs_tile", ""),
    },
    Known {
        preset: Preset::Cdse,
        url: "https://stac.dataspace.copernicus.eu/v1",
        setting: "CLEARMOSAIC_CDSE_URL",
        collection: "sentinel-2-l2a",
        tile: ("grid:code", "MGRS-"),
    },
];

/// The assets that serve bands, by archive: what else there is is not asked for.
const EARTH_SEARCH: [&str; 12] = [
    "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "swir16", "swir22",
];
const BANDS: [&str; 12] = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"];

impl Known {
    /// The assets that serve bands, as fields of an item.
    pub(super) fn assets(&self) -> Vec<String> {
        let all = |names: &[&str], ends: &[&str]| {
            let of = |name: &&str| ends.iter().map(move |end| format!("assets.{name}{end}")).collect::<Vec<_>>();
            names.iter().flat_map(of).collect()
        };
        match self.preset {
            Preset::EarthSearch => all(&EARTH_SEARCH, &["", "-jp2"]),
            // At each resolution: the finest is taken.
            Preset::Cdse => all(&BANDS, &["_10m", "_20m", "_60m"]),
            Preset::PlanetaryComputer | Preset::EarthEngine => all(&BANDS, &[""]),
        }
    }

    fn url(&self) -> String {
        std::env::var(self.setting).unwrap_or_else(|_| self.url.to_owned())
    }
}

/// The API behind a preset; none for Earth Engine, which is no STAC API.
pub fn api(preset: Preset) -> Option<StacApi> {
    let known = KNOWN.iter().find(|known| known.preset == preset)?;
    Some(StacApi { url: known.url(), collection: known.collection.to_owned() })
}

/// What is known of an API, whether it was called by its name or by its URL.
pub(super) fn known(api: &StacApi) -> Option<&'static Known> {
    let is_it = |known: &&Known| known.url().trim_end_matches('/') == api.url.trim_end_matches('/');
    KNOWN.iter().find(is_it)
}
