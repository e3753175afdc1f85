//! An image in the making, and the COG that is made of it.

use std::path::{Path, PathBuf};

use artifacts::{Room, Scratch};
use earth_engine::{Grid, SampleType, Samples, Window};
use gdal::errors::GdalError;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Metadata};
use serde_json::Value;

use super::Needed;
use super::coming::{Opened, Piece, windows};
use super::shelf::{ASSET, BAND, UPDATED};
use crate::read::cause;

/// An image whose windows come.
pub(super) struct Making {
    which: usize,
    /// Windows that have not come yet.
    left: usize,
    dataset: Dataset,
    raw: Raw,
}

/// A raster that is there whole, in a directory of its own.
pub(super) struct Raw(Scratch);

impl Raw {
    fn path(&self) -> PathBuf {
        self.0.path().join("raw.tif")
    }

    /// Makes a COG of it. No predictor: scores are of few values, which compress better as they are.
    ///
    /// # Errors
    /// What GDAL says.
    pub fn into_cog(self) -> Result<Cog, String> {
        let options = [
            "BLOCKSIZE=512",
            "COMPRESS=DEFLATE",
            "PREDICTOR=NO",
            "OVERVIEW_RESAMPLING=NEAREST",
            "NUM_THREADS=ALL_CPUS",
        ];
        let path = self.0.path().join("score.tif");
        let make = || -> Result<(), GdalError> {
            let driver = DriverManager::get_driver_by_name("COG")?;
            let raw = Dataset::open(self.path())?;
            raw.create_copy(&driver, &path, &RasterCreationOptions::from_iter(options))?.close()
        };
        make().map_err(|e| said(&path, &e))?;
        Ok(Cog { path, _within: self.0 })
    }
}

/// A COG, which goes with what it is in unless it is taken away.
pub(super) struct Cog {
    pub path: PathBuf,
    _within: Scratch,
}

fn said(path: &Path, error: &GdalError) -> String {
    format!("{}: {}", path.display(), cause(error))
}

impl Making {
    /// Begins an image. It is told what it is a copy of, and all that the image says of itself.
    ///
    /// # Errors
    /// Where there is no room for it, or its band is of no known type.
    pub fn new(room: &Room, which: usize, needed: &Needed, opened: &Opened) -> Result<Self, String> {
        let Opened { image, band } = opened;
        let samples = band.samples().ok_or_else(|| format!("{}: its samples are of no known type", needed.place))?;
        let raw = Raw(room.scratch().map_err(|e| e.to_string())?);
        let make = || {
            let mut dataset = created(&raw.path(), &band.grid, samples)?;
            dataset.rasterband(1)?.set_description(&band.id)?;
            for (name, value) in image.properties.iter().filter_map(|(name, value)| Some((name, text(value)?))) {
                dataset.set_metadata_item(name, &value, "")?;
            }
            let version = image.update_time.as_deref().unwrap_or(&needed.version);
            for (name, value) in [(ASSET, &*image.name), (BAND, &*band.id), (UPDATED, version)] {
                dataset.set_metadata_item(name, value, "")?;
            }
            Ok(dataset)
        };
        let dataset = make().map_err(|e| said(&raw.path(), &e))?;
        let left = windows(band.grid.dimensions.width, band.grid.dimensions.height).count();
        Ok(Self { which, left, dataset, raw })
    }

    /// Which of the images it is.
    pub const fn which(&self) -> usize {
        self.which
    }

    /// Writes a window: whether that was the last.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&mut self, at: Window, piece: Piece) -> Result<bool, String> {
        for samples in piece.pixels.bands {
            let written = match samples {
                Samples::U16(samples) => written(&self.dataset, at, samples),
                Samples::Integer(samples) => written(&self.dataset, at, samples),
                Samples::F32(samples) => written(&self.dataset, at, samples),
                // As they are read, from here and from Earth Engine alike.
                Samples::F64(samples) => {
                    written(&self.dataset, at, samples.iter().map(|value| *value as f32).collect())
                }
            };
            written.map_err(|e| said(&self.raw.path(), &e))?;
        }
        self.left -= 1;
        Ok(self.left == 0)
    }

    /// Ends an image.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end(self) -> Result<Raw, String> {
        let Self { dataset, raw, .. } = self;
        dataset.close().map_err(|e| said(&raw.path(), &e))?;
        Ok(raw)
    }
}

/// A property of an image as a tag.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A raster without pixels, on the image's own grid. Without a nodata value: of Earth Engine's 0 nobody can tell whether
/// it is masked, and it means not clear in either case.
fn created(path: &Path, grid: &Grid, samples: SampleType) -> Result<Dataset, GdalError> {
    let driver = DriverManager::get_driver_by_name("GTiff")?;
    let options =
        RasterCreationOptions::from_iter(["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "BIGTIFF=IF_SAFER"]);
    let (width, height) = (grid.dimensions.width, grid.dimensions.height);
    let mut dataset = match samples {
        SampleType::U16 => driver.create_with_band_type_with_options::<u16, _>(path, width, height, 1, &options)?,
        SampleType::Integer => driver.create_with_band_type_with_options::<i32, _>(path, width, height, 1, &options)?,
        SampleType::F32 | SampleType::F64 => {
            driver.create_with_band_type_with_options::<f32, _>(path, width, height, 1, &options)?
        }
    };
    let [a, b, c, d, e, f] = grid.transform();
    dataset.set_geo_transform(&[c, a, b, f, d, e])?;
    dataset.set_spatial_ref(&SpatialRef::from_definition(grid.crs().unwrap_or_default())?)?;
    Ok(dataset)
}

#[allow(clippy::cast_possible_wrap)]
fn written<T: GdalType + Copy>(dataset: &Dataset, at: Window, samples: Vec<T>) -> Result<(), GdalError> {
    let size = (at.width, at.height);
    dataset.rasterband(1)?.write((at.x as isize, at.y as isize), size, &mut Buffer::new(size, samples))
}
