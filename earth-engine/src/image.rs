//! An image as Earth Engine tells of it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// An image, with as much as was asked for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its full name; the last part is its `system:index`.
    pub name: String,
    /// When it was last changed: what tells it from another image of the same name.
    pub update_time: Option<String>,
    /// Its footprint, GeoJSON.
    pub geometry: Option<Value>,
    /// Its properties, by Earth Engine's names.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Its bands.
    #[serde(default)]
    pub bands: Vec<Band>,
}

impl Image {
    /// Its `system:index`.
    #[must_use]
    pub fn index(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The band of this id.
    #[must_use]
    pub fn band(&self, id: &str) -> Option<&Band> {
        self.bands.iter().find(|band| band.id == id)
    }
}

/// A band of an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Band {
    /// Its id, `B4`.
    pub id: String,
    /// Its samples.
    #[serde(default)]
    pub data_type: DataType,
    /// How it lies.
    #[serde(default)]
    pub grid: Grid,
}

/// What a band's samples are, as Earth Engine says it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct DataType {
    #[serde(default)]
    precision: String,
    #[serde(default)]
    range: Range,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Range {
    #[serde(default)]
    min: f64,
    #[serde(default)]
    max: f64,
}

/// What a band's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleType {
    /// Integers from 0 to 65,535.
    U16,
    /// Other integers.
    Integer,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
}

impl Band {
    /// What its samples are; none where Earth Engine says what is not known here.
    #[must_use]
    pub fn samples(&self) -> Option<SampleType> {
        let Range { min, max } = self.data_type.range;
        match self.data_type.precision.as_str() {
            "INT" if min >= 0.0 && max <= f64::from(u16::MAX) => Some(SampleType::U16),
            "INT" => Some(SampleType::Integer),
            "FLOAT" => Some(SampleType::F32),
            "DOUBLE" => Some(SampleType::F64),
            _ => None,
        }
    }
}

/// How a band lies.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grid {
    /// `EPSG:32633`.
    pub crs_code: Option<String>,
    /// Its CRS as WKT, where it has no code.
    pub crs_wkt: Option<String>,
    /// Pixels.
    #[serde(default)]
    pub dimensions: Dimensions,
    /// Where they are.
    #[serde(default)]
    pub affine_transform: AffineTransform,
}

/// Pixels of a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Dimensions {
    /// Pixels a row.
    #[serde(default)]
    pub width: usize,
    /// Rows.
    #[serde(default)]
    pub height: usize,
}

/// x = a column + b row + c, y = d column + e row + f; what is 0 may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AffineTransform {
    /// a.
    #[serde(default)]
    pub scale_x: f64,
    /// b.
    #[serde(default)]
    pub shear_x: f64,
    /// c.
    #[serde(default)]
    pub translate_x: f64,
    /// d.
    #[serde(default)]
    pub shear_y: f64,
    /// e.
    #[serde(default)]
    pub scale_y: f64,
    /// f.
    #[serde(default)]
    pub translate_y: f64,
}

impl Grid {
    /// EPSG code of its CRS, where it has one.
    #[must_use]
    pub fn epsg(&self) -> Option<u32> {
        self.crs_code.as_deref()?.strip_prefix("EPSG:")?.parse().ok()
    }

    /// Its CRS, as GDAL takes it: WKT, else the code.
    #[must_use]
    pub fn crs(&self) -> Option<&str> {
        self.crs_wkt.as_deref().or(self.crs_code.as_deref()).filter(|crs| !crs.is_empty())
    }

    /// (a, b, c, d, e, f), STAC's order.
    #[must_use]
    pub const fn transform(&self) -> [f64; 6] {
        let t = &self.affine_transform;
        [t.scale_x, t.shear_x, t.translate_x, t.shear_y, t.scale_y, t.translate_y]
    }
}
