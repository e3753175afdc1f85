//! A scene: one Sentinel-2 granule, whatever catalogue tells of it.
//!
//! ```text
//! STAC item ─► item ─┬─► index      which key, and how sure
//!                    ├─► assets     which raster serves each band
//!                    ├─► harmonise  which offset its pixels need
//!                    ├─► footprint  whether it lies where its rasters do
//!                    └─► versions   which of several versions counts
//! ```
//!
//! What providers disagree on ends here: nothing beyond this module asks where a scene came from.

mod assets;
mod baseline;
mod footprint;
mod harmonise;
mod index;
mod item;
mod json;
mod product;
mod versions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use assets::{Asset, AssetGrid, Media};
pub use baseline::{BadBaseline, Baseline};
pub use index::{IndexClue, IndexParts};
pub use item::ItemFault;
pub(crate) use product::ProductName;
pub use versions::{Superseded, Version, collapse, unique};

use crate::band::Band;
use crate::ids::TileId;

/// One Sentinel-2 granule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Id of its STAC item.
    pub id: String,
    /// Id of the item's collection.
    pub collection: Option<String>,
    /// Its tile.
    pub tile: TileId,
    /// `sentinel-2a`.
    pub platform: String,
    /// Start of its datatake, whole seconds: part 1 of its key, and never the granule's own time.
    pub sensing_start: Timestamp,
    /// What is known of its key.
    pub index: IndexClue,
    /// Its processing baseline.
    pub baseline: Option<Baseline>,
    /// Added to every DN above 0 before anything else: 0 or -1000.
    pub offset: i32,
    /// What decides between it and other versions of the same key.
    pub version: Version,
    /// Share of cloud that the product states, percent.
    pub cloud_cover: Option<f64>,
    /// Relative orbit, 1 to 143.
    pub relative_orbit: Option<u16>,
    /// The raster of each band that the item offers.
    pub bands: BTreeMap<Band, Asset>,
    /// The item's own address, where it says.
    pub self_href: Option<String>,
    /// Who publishes it.
    pub provider: Provider,
}

impl Scene {
    /// The datatake that it is part of.
    #[must_use]
    pub fn datatake(&self) -> Datatake {
        Datatake { start: self.sensing_start, platform: self.platform.clone() }
    }
}

impl AsRef<Self> for Scene {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// One pass of one satellite: the unit of observation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Datatake {
    /// Its start, whole seconds.
    pub start: Timestamp,
    /// `sentinel-2a`.
    pub platform: String,
}

/// Who publishes an item, which decides what its pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Earth Search v0, `sentinel-s2-l2a-cogs`.
    EarthSearchV0,
    /// Earth Search v1, `sentinel-2-l2a` and its siblings.
    EarthSearchV1,
    /// Earth Search v1, `sentinel-2-c1-l2a`.
    EarthSearchC1,
    /// Microsoft's Planetary Computer.
    PlanetaryComputer,
    /// The Copernicus Data Space Ecosystem.
    Cdse,
    /// Earth Engine, or an export of it.
    EarthEngine,
    /// Someone else.
    Other,
}
