//! `getPixels`: the pixels of a grid, nearest neighbour, 0 where the image has none.

use std::sync::atomic::{AtomicU64, Ordering};

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use serde_json::Value;

use super::catalogue::{Band, Image, Samples};
use super::{Answer, Refusal, bad};

/// Bytes of a request, uncompressed.
const LARGEST: usize = 48 << 20;
/// Pixels of a side.
const LONGEST: usize = 32_768;

/// The grid that is asked for.
struct Grid {
    width: usize,
    height: usize,
    x: f64,
    y: f64,
    scale: (f64, f64),
}

/// The pixels that a body asks for.
pub(super) fn pixels(image: &Image, body: &[u8]) -> Answer {
    let asked: Value = serde_json::from_slice(body).map_err(|_| bad("Invalid JSON payload received."))?;
    let ids = asked["bandIds"].as_array().ok_or_else(|| bad("bandIds: expected a list"))?;
    let band = |id: &Value| {
        let id = id.as_str().unwrap_or_default();
        let found = image.bands.iter().find(|band| band.id == id);
        found.ok_or_else(|| bad(format!("Image.select: Band pattern '{id}' did not match any bands.")))
    };
    let bands = ids.iter().map(band).collect::<Result<Vec<&Band>, _>>()?;
    let grid = Grid::of(&asked["grid"])?;
    let bytes = bands.iter().map(|band| band.samples.bytes()).sum::<usize>() * grid.width * grid.height;
    if bytes > LARGEST || grid.width > LONGEST || grid.height > LONGEST {
        return Err(bad(format!("Total request size ({bytes} bytes) must be less than or equal to {LARGEST} bytes.")));
    }
    match asked["fileFormat"].as_str() {
        Some("NPY") => Ok(("application/octet-stream", npy(&bands, &grid))),
        Some("GEO_TIFF") => Ok(("image/tiff", geo_tiff(&bands, &grid))),
        other => Err(bad(format!("Invalid value at 'file_format': {other:?}"))),
    }
}

impl Grid {
    fn of(asked: &Value) -> Result<Self, Refusal> {
        let (size, at) = (&asked["dimensions"], &asked["affineTransform"]);
        let number = |value: &Value| value.as_f64().ok_or_else(|| bad("grid: incomplete"));
        let whole =
            |value: &Value| value.as_u64().map(|n| n as usize).ok_or_else(|| bad("grid.dimensions: incomplete"));
        Ok(Self {
            width: whole(&size["width"])?,
            height: whole(&size["height"])?,
            x: number(&at["translateX"])?,
            y: number(&at["translateY"])?,
            scale: (number(&at["scaleX"])?, number(&at["scaleY"])?),
        })
    }

    /// The value of a band at a pixel's centre.
    fn value(&self, band: &Band, column: usize, row: usize) -> f64 {
        let g = &band.geotransform;
        let x = (self.x + (column as f64 + 0.5) * self.scale.0 - g[0]) / g[1];
        let y = (self.y + (row as f64 + 0.5) * self.scale.1 - g[3]) / g[5];
        let inside = x >= 0.0 && y >= 0.0 && x < band.size.0 as f64 && y < band.size.1 as f64;
        if inside { band.source.at(x as usize, y as usize) } else { 0.0 }
    }

    fn all<T>(&self, band: &Band, of: impl Fn(f64) -> T) -> Vec<T> {
        let pixels = (0..self.height).flat_map(|row| (0..self.width).map(move |column| (column, row)));
        pixels.map(|(column, row)| of(self.value(band, column, row))).collect()
    }
}

/// A record to a pixel, as numpy writes them.
fn npy(bands: &[&Band], grid: &Grid) -> Vec<u8> {
    let kind = |samples: Samples| match samples {
        Samples::U16 => "<u2",
        Samples::F32 => "<f4",
        Samples::F64 => "<f8",
    };
    let fields: Vec<String> = bands.iter().map(|band| format!("('{}', '{}')", band.id, kind(band.samples))).collect();
    let (height, width) = (grid.height, grid.width);
    let mut header =
        format!("{{'descr': [{}], 'fortran_order': False, 'shape': ({height}, {width}), }}", fields.join(", "));
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).expect("a short header").to_le_bytes());
    out.extend(header.as_bytes());
    for row in 0..height {
        for column in 0..width {
            for band in bands {
                let value = grid.value(band, column, row);
                match band.samples {
                    Samples::U16 => out.extend((value as u16).to_le_bytes()),
                    Samples::F32 => out.extend((value as f32).to_le_bytes()),
                    Samples::F64 => out.extend(value.to_le_bytes()),
                }
            }
        }
    }
    out
}

fn geo_tiff(bands: &[&Band], grid: &Grid) -> Vec<u8> {
    match bands.first().map(|band| band.samples) {
        Some(Samples::U16) => tiff(bands, grid, |value| value as u16),
        Some(Samples::F32) => tiff(bands, grid, |value| value as f32),
        _ => tiff(bands, grid, |value| value),
    }
}

fn tiff<T: GdalType + Copy>(bands: &[&Band], grid: &Grid, of: impl Fn(f64) -> T) -> Vec<u8> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let path = format!("/vsimem/earth-engine-{}.tif", MADE.fetch_add(1, Ordering::Relaxed));
    let driver = DriverManager::get_driver_by_name("GTiff").expect("GDAL writes TIFFs");
    let options = RasterCreationOptions::from_iter(["COMPRESS=LZW"]);
    let (width, height) = (grid.width, grid.height);
    let made = driver.create_with_band_type_with_options::<T, _>(&path, width, height, bands.len(), &options);
    let dataset = made.expect("a TIFF is made");
    for (number, band) in (1..).zip(bands) {
        let mut pixels = Buffer::new((width, height), grid.all(band, &of));
        dataset.rasterband(number).expect("a band").write((0, 0), (width, height), &mut pixels).expect("it is written");
    }
    drop(dataset);
    gdal::vsi::get_vsi_mem_file_bytes_owned(&path).expect("its bytes")
}
