//! What GDAL would write ahead of a raster: the tags of a COG of a single pixel, but for its size.

use std::path::Path;

use gdal::raster::RasterCreationOptions;
use gdal::spatial_ref::SpatialRef;
use gdal::vsi::get_vsi_mem_file_bytes_owned;
use gdal::{Dataset, DriverManager, Metadata};
use mosaic::grid::PixelGrid;
use mosaic::request::Dtype;

use super::cog::BandSpec;
use super::tiff::{Tag, tags};
use crate::read::cause;

/// The tags of the file that is to be at `path`: CRS, place, type, compression, nodata, description, scale.
///
/// # Errors
/// What GDAL says.
pub fn template(path: &Path, grid: &PixelGrid, spec: &BandSpec) -> Result<Vec<Tag>, String> {
    // In memory, under a name that is no one else's in this process.
    let memory = Path::new("/vsimem").join(path.strip_prefix("/").unwrap_or(path));
    let file = single_pixel(&memory, grid, spec).map_err(|e| cause(&e))?;
    tags(&file).ok_or_else(|| "GDAL's template is no TIFF".to_owned())
}

fn single_pixel(memory: &Path, grid: &PixelGrid, spec: &BandSpec) -> gdal::errors::Result<Vec<u8>> {
    let driver = DriverManager::get_driver_by_name("MEM")?;
    let mut pixel: Dataset = match spec.dtype {
        Dtype::Uint16 => driver.create_with_band_type::<u16, _>("", 1, 1, 1)?,
        Dtype::Float32 => driver.create_with_band_type::<f32, _>("", 1, 1, 1)?,
    };
    pixel.set_spatial_ref(&SpatialRef::from_epsg(grid.epsg)?)?;
    pixel.set_geo_transform(&grid.geotransform())?;
    let mut band = pixel.rasterband(1)?;
    band.set_no_data_value(Some(0.0))?;
    band.set_description(&spec.name)?;
    if let Some((scale, offset)) = spec.scaling {
        band.set_scale(scale)?;
        if offset != 0.0 {
            band.set_offset(offset)?;
        }
    }
    // The same predictor for both types: what readers of the first mosaics saw.
    let options =
        RasterCreationOptions::from_iter(["BLOCKSIZE=512", "COMPRESS=DEFLATE", "PREDICTOR=STANDARD", "BIGTIFF=NO"]);
    let driver = DriverManager::get_driver_by_name("COG")?;
    let mut cog = pixel.create_copy(&driver, memory, &options)?;
    cog.flush_cache()?;
    drop(cog);
    get_vsi_mem_file_bytes_owned(memory)
}
