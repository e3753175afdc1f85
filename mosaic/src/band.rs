//! The spectral bands of Sentinel-2's MSI.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A spectral band, in wavelength order as ESA numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[allow(missing_docs)]
pub enum Band {
    B01,
    B02,
    B03,
    B04,
    B05,
    B06,
    B07,
    B08,
    B8A,
    B09,
    B11,
    B12,
}

impl Band {
    /// Every band that a level-2A product carries.
    pub const ALL: [Self; 12] = [
        Self::B01,
        Self::B02,
        Self::B03,
        Self::B04,
        Self::B05,
        Self::B06,
        Self::B07,
        Self::B08,
        Self::B8A,
        Self::B09,
        Self::B11,
        Self::B12,
    ];

    /// ESA's name, `B04`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::B01 => "B01",
            Self::B02 => "B02",
            Self::B03 => "B03",
            Self::B04 => "B04",
            Self::B05 => "B05",
            Self::B06 => "B06",
            Self::B07 => "B07",
            Self::B08 => "B08",
            Self::B8A => "B8A",
            Self::B09 => "B09",
            Self::B11 => "B11",
            Self::B12 => "B12",
        }
    }

    /// The STAC `eo` extension's common name, as Earth Search keys its assets (`rededge1` and not `rededge071`).
    #[must_use]
    pub const fn common_name(self) -> &'static str {
        match self {
            Self::B01 => "coastal",
            Self::B02 => "blue",
            Self::B03 => "green",
            Self::B04 => "red",
            Self::B05 => "rededge1",
            Self::B06 => "rededge2",
            Self::B07 => "rededge3",
            Self::B08 => "nir",
            Self::B8A => "nir08",
            Self::B09 => "nir09",
            Self::B11 => "swir16",
            Self::B12 => "swir22",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no band's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no Sentinel-2 band: use one of B01 to B12 or B8A")]
pub struct UnknownBand(pub String);

impl FromStr for Band {
    type Err = UnknownBand;

    fn from_str(name: &str) -> Result<Self, UnknownBand> {
        Self::ALL.into_iter().find(|band| band.name() == name).ok_or_else(|| UnknownBand(name.to_owned()))
    }
}

impl Serialize for Band {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Band {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}
