//! One band of an output tile as a cloud-optimised GeoTIFF.
//!
//! Blocks are written to a plain tiled TIFF beside it; GDAL's COG driver then makes overviews and the final layout.

use std::path::{Path, PathBuf};

use gdal::raster::{Buffer, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Metadata};
use mosaic::composite::Plane;
use mosaic::grid::{PixelGrid, Window};
use mosaic::request::Dtype;

use super::WriteError;
use crate::gdal_messages;
use crate::read::cause;

/// What one file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct BandSpec {
    /// Its description, `B04` or `count`.
    pub name: String,
    /// Type of its samples.
    pub dtype: Dtype,
    /// Reflectance = stored x scale, for bands; none for counts.
    pub scale: Option<f64>,
    /// How overviews are made: `AVERAGE` or `NEAREST`.
    pub overviews: &'static str,
}

/// Takes the blocks of one band, and makes the file of them.
pub struct CogWriter {
    plain: Dataset,
    plain_path: PathBuf,
    path: PathBuf,
    spec: BandSpec,
}

impl CogWriter {
    /// A writer of `dir`/`name`.tif.
    ///
    /// # Errors
    /// Where the file beside it cannot be made.
    pub fn new(dir: &Path, grid: &PixelGrid, spec: BandSpec) -> Result<Self, WriteError> {
        let path = dir.join(format!("{}.tif", spec.name));
        let plain_path = dir.join(format!("{}.plain.tif", spec.name));
        let plain = create(&plain_path, grid, &spec).map_err(|e| WriteError::new(&plain_path, cause(&e)))?;
        Ok(Self { plain, plain_path, path, spec })
    }

    /// Puts a block's pixels at its window.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn put(&mut self, window: &Window, plane: Plane) -> Result<(), WriteError> {
        let size = (window.width, window.height);
        let at = (offset(window.x0), offset(window.y0));
        let written = self.plain.rasterband(1).and_then(|mut band| match plane {
            Plane::U16(values) => band.write(at, size, &mut Buffer::new(size, values)),
            Plane::F32(values) => band.write(at, size, &mut Buffer::new(size, values)),
        });
        written.map_err(|e| WriteError::new(&self.plain_path, cause(&e)))
    }

    /// Makes the file; its name in the directory.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(mut self) -> Result<String, WriteError> {
        let failed = |why: String| WriteError::new(&self.path, why);
        gdal_messages::take();
        self.plain.flush_cache().map_err(|e| failed(cause(&e)))?;
        let options = RasterCreationOptions::from_iter([
            "BLOCKSIZE=512",
            "COMPRESS=DEFLATE",
            "PREDICTOR=STANDARD",
            "BIGTIFF=IF_SAFER",
            "NUM_THREADS=ALL_CPUS",
            &format!("OVERVIEW_RESAMPLING={}", self.spec.overviews),
        ]);
        let driver = DriverManager::get_driver_by_name("COG").map_err(|e| failed(cause(&e)))?;
        let mut cog = self.plain.create_copy(&driver, &self.path, &options).map_err(|e| failed(cause(&e)))?;
        let flushed = cog.flush_cache();
        drop(cog);
        drop(self.plain);
        // What fails while a dataset is closed is only ever said in a message.
        if let Some(message) = gdal_messages::take() {
            return Err(failed(message));
        }
        flushed.map_err(|e| failed(cause(&e)))?;
        std::fs::remove_file(&self.plain_path).map_err(|e| failed(e.to_string()))?;
        Ok(format!("{}.tif", self.spec.name))
    }
}

#[allow(clippy::cast_possible_wrap)]
const fn offset(n: usize) -> isize {
    n as isize
}

fn create(path: &Path, grid: &PixelGrid, spec: &BandSpec) -> gdal::errors::Result<Dataset> {
    let driver = DriverManager::get_driver_by_name("GTiff")?;
    let options = RasterCreationOptions::from_iter([
        "TILED=YES",
        "BLOCKXSIZE=512",
        "BLOCKYSIZE=512",
        "SPARSE_OK=TRUE",
        "BIGTIFF=IF_SAFER",
    ]);
    let (width, height) = (grid.width, grid.height);
    let mut dataset = match spec.dtype {
        Dtype::Uint16 => driver.create_with_band_type_with_options::<u16, _>(path, width, height, 1, &options)?,
        Dtype::Float32 => driver.create_with_band_type_with_options::<f32, _>(path, width, height, 1, &options)?,
    };
    dataset.set_spatial_ref(&SpatialRef::from_epsg(grid.epsg)?)?;
    dataset.set_geo_transform(&grid.geotransform())?;
    let mut band = dataset.rasterband(1)?;
    band.set_no_data_value(Some(0.0))?;
    band.set_description(&spec.name)?;
    if let Some(scale) = spec.scale {
        band.set_scale(scale)?;
    }
    Ok(dataset)
}
