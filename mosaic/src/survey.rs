//! What a plan needs to know of the world outside: how rasters lie, and how CRSs project. GDAL and PROJ implement it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::projection::{Projection, ProjectionError};

/// How a raster lies.
#[derive(Clone, Debug, PartialEq)]
pub struct RasterSurvey {
    /// EPSG code of its CRS, where it has one.
    pub epsg: Option<u32>,
    /// Its CRS as WKT; none where it has no CRS at all.
    pub wkt: Option<String>,
    /// GDAL's geotransform: x = g0 + col g1 + row g2, y = g3 + col g4 + row g5.
    pub geotransform: [f64; 6],
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Width and height of a block.
    pub block: (usize, usize),
    /// What the file says of itself, by name; of its metadata only what scores are known to tell.
    pub tags: BTreeMap<String, String>,
    /// The server's tag of a file on another machine, where it gives one.
    pub version: Option<String>,
}

/// What a score may tell of itself (Earth Engine's names), in its file or in a catalogue.
pub const SCORE_TAGS: [&str; 5] = [
    "MODEL_VERSION",
    "PROCESSING_SOFTWARE_VERSION",
    "NO_CONTEXT_FRACTION",
    "SOURCE_PRODUCT_ID",
    "DATE_PRODUCT_GENERATED",
];

/// Looks at rasters' headers, and chooses coordinate operations.
pub trait Survey: Send + Sync {
    /// How a raster's single band lies, or that of several which is named so. No pixel is read.
    ///
    /// # Errors
    /// One line: why it cannot be told.
    fn raster(&self, href: &str, band: Option<&str>) -> Result<RasterSurvey, String>;

    /// Which of some files on other machines there are. That there is none is believed only where the server says so.
    ///
    /// # Errors
    /// For each of which it cannot be told: one line, why.
    fn exist(&self, hrefs: &[String]) -> Vec<Result<bool, String>>;

    /// Whether any of some files can be had now, on this machine or others: what was known of them before does not count.
    fn any_at_hand(&self, hrefs: &[String]) -> bool;

    /// The names in a directory of an object store; it ends with a slash.
    ///
    /// # Errors
    /// One line: why they cannot be told.
    fn list(&self, directory: &str) -> Result<Vec<String>, String>;

    /// Is told of a URL that bears a right to read: a plan names the file without it.
    fn signed(&self, _href: &str) {}

    /// The projection of a CRS (an `EPSG:` code or WKT) by the one operation that is best in an area (west, south,
    /// east, north in degrees), and the operation's name.
    ///
    /// # Errors
    /// Where there is no such CRS or operation.
    fn projection(&self, crs: &str, area: [f64; 4]) -> Result<(Arc<dyn Projection>, String), ProjectionError>;
}
