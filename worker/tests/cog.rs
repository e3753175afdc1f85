//! Rasters as they are written: pixel for pixel what was put into them, at every level, whatever their size.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use gdal::raster::{GdalType, RasterCreationOptions};
use gdal::{Dataset, DriverManager};
use mosaic::composite::Plane;
use mosaic::grid::{PixelGrid, Window};
use mosaic::request::Dtype;
use worker::write::{BandSpec, CogWriter, Overviews, WriteError, fill};

const EVEN: [(usize, usize); 2] = [(2048, 1536), (1100, 600)];
const ODD: [(usize, usize); 6] = [(1, 1), (1, 1300), (2049, 1), (512, 512), (513, 700), (2745, 1025)];

/// A raster of one type.
trait Sample: GdalType + Copy + Default + PartialEq + std::fmt::Debug {
    const DTYPE: Dtype;
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
    fn plane(values: Vec<Self>) -> Plane;
}

impl Sample for u16 {
    const DTYPE: Dtype = Dtype::Uint16;
    fn of(value: f64) -> Self {
        (value + 0.5).floor() as Self
    }
    fn value(self) -> f64 {
        f64::from(self)
    }
    fn plane(values: Vec<Self>) -> Plane {
        Plane::U16(values)
    }
}

impl Sample for f32 {
    const DTYPE: Dtype = Dtype::Float32;
    fn of(value: f64) -> Self {
        value as Self
    }
    fn value(self) -> f64 {
        f64::from(self)
    }
    fn plane(values: Vec<Self>) -> Plane {
        Plane::F32(values)
    }
}

/// Values with holes of all sizes, a third without data.
fn value<T: Sample>(x: usize, y: usize) -> T {
    let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 7;
    let hole = noise.is_multiple_of(4) || (x / 300 + y / 200).is_multiple_of(5);
    if hole { T::default() } else { T::of(1.0 + (noise % 131_000) as f64 / 2.0) }
}

fn pixels<T: Sample>(window: &Window) -> Vec<T> {
    let row = |y| (window.x0..window.x1()).map(move |x| value(x, y));
    (window.y0..window.y1()).flat_map(row).collect()
}

fn grid((width, height): (usize, usize)) -> PixelGrid {
    PixelGrid { epsg: 32633, ulx: 499_980.0, uly: 5_100_000.0, resolution: 10.0, width, height }
}

/// Writes a raster by each rule: `mean.tif` and `nearest.tif`.
fn write<T: Sample>(dir: &Path, size: (usize, usize), threads: usize) {
    let spec =
        |name: &str, overviews| BandSpec { name: name.into(), dtype: T::DTYPE, scaling: Some((1e-4, 0.0)), overviews };
    let specs = [spec("mean", Overviews::Average), spec("nearest", Overviews::Nearest)];
    let writers = specs.map(|spec| CogWriter::new(dir, &grid(size), spec).unwrap()).into_iter().collect::<Vec<_>>();
    let pool = worker::pool(threads).unwrap();
    fill(&writers, size, (&pool, threads), |window| {
        Ok::<_, WriteError>(vec![T::plane(pixels(window)), T::plane(pixels(window))])
    })
    .unwrap();
    for writer in writers {
        writer.finish().unwrap();
    }
}

/// The pixels of a file's levels, each with its width.
fn levels<T: Sample>(path: &Path) -> Vec<(usize, Vec<T>)> {
    let dataset = Dataset::open(path).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!((band.block_size(), band.no_data_value()), ((512, 512), Some(0.0)));
    let overviews = (0..band.overview_count().unwrap()).map(|index| band.overview(index.try_into().unwrap()).unwrap());
    let read = |band: &gdal::raster::RasterBand<'_>| (band.x_size(), band.read_band_as::<T>().unwrap().data().to_vec());
    let full = read(&band);
    std::iter::once(full).chain(overviews.map(|overview| read(&overview))).collect()
}

/// A level by the documented rule, pixel by pixel.
fn halved<T: Sample>((width, values): &(usize, Vec<T>), mean: bool) -> (usize, Vec<T>) {
    let height = values.len() / width;
    let one = |x: usize, y: usize| {
        let near = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| (2 * x + dx, 2 * y + dy));
        let within = near.into_iter().filter(|(x, y)| x < width && *y < height).map(|(x, y)| values[y * width + x]);
        let data: Vec<f64> = within.map(T::value).filter(|value| *value > 0.0).collect();
        match mean {
            true if data.is_empty() => T::default(),
            true => T::of(data.iter().sum::<f64>() / data.len() as f64),
            false => values[2 * y * width + 2 * x],
        }
    };
    let row = |y| (0..width.div_ceil(2)).map(move |x| (x, y));
    (width.div_ceil(2), (0..height.div_ceil(2)).flat_map(row).map(|(x, y)| one(x, y)).collect())
}

fn every_level_is_what_the_rule_says<T: Sample>(size: (usize, usize)) {
    let dir = tempfile::tempdir().unwrap();
    write::<T>(dir.path(), size, 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left over");
    for (name, mean) in [("mean.tif", true), ("nearest.tif", false)] {
        let found = levels::<T>(&dir.path().join(name));
        assert!(found[0].1 == pixels(&grid(size).window()), "{size:?}: the pixels are not those that were put");
        let (last, rest) = found.split_last().unwrap();
        assert!(last.0 <= 512 && last.1.len() / last.0 <= 512);
        for (level, next) in rest.iter().zip(&found[1..]) {
            assert!(level.0.max(level.1.len() / level.0) > 512, "one overview too many");
            assert!(halved(level, mean) == *next, "{size:?}, {name}: the overview of {} columns", next.0);
        }
    }
}

#[test]
fn pixels_come_back_at_every_level() {
    for size in EVEN.into_iter().chain(ODD) {
        every_level_is_what_the_rule_says::<u16>(size);
        every_level_is_what_the_rule_says::<f32>(size);
    }
}

fn overviews_are_those_of_gdal<T: Sample>(size: (usize, usize)) {
    let dir = tempfile::tempdir().unwrap();
    write::<T>(dir.path(), size, 2);
    for (name, rule) in [("mean.tif", "AVERAGE"), ("nearest.tif", "NEAREST")] {
        let ours = dir.path().join(name);
        let theirs = dir.path().join("gdal.tif");
        let rule = format!("OVERVIEW_RESAMPLING={rule}");
        let options = RasterCreationOptions::from_iter(["BLOCKSIZE=512", "OVERVIEWS=IGNORE_EXISTING", &rule]);
        let driver = DriverManager::get_driver_by_name("COG").unwrap();
        drop(Dataset::open(&ours).unwrap().create_copy(&driver, &theirs, &options).unwrap());
        assert!(levels::<T>(&ours) == levels::<T>(&theirs), "{size:?}, {rule}");
    }
}

#[test]
fn on_even_sizes_overviews_are_those_of_gdal() {
    for size in EVEN {
        overviews_are_those_of_gdal::<u16>(size);
        overviews_are_those_of_gdal::<f32>(size);
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let bytes = |threads| {
        let dir = tempfile::tempdir().unwrap();
        write::<u16>(dir.path(), (2745, 3000), threads);
        ["mean.tif", "nearest.tif"].map(|name| std::fs::read(dir.path().join(name)).unwrap())
    };
    let one = bytes(1);
    for _ in 0..3 {
        assert!(bytes(4) == one);
    }
}

#[test]
fn the_first_failure_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let spec = BandSpec { name: "B04".into(), dtype: Dtype::Uint16, scaling: None, overviews: Overviews::Average };
    let writers = [CogWriter::new(dir.path(), &grid((5000, 5000)), spec).unwrap()];
    let made = std::sync::atomic::AtomicUsize::new(0);
    let failed = fill(&writers, (5000, 5000), (&worker::pool(2).unwrap(), 2), |window| {
        if made.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 9 {
            return Err(WriteError::Failed { what: "a block".into(), why: "of no reason".into() });
        }
        Ok(vec![Plane::nodata(Dtype::Uint16, window.pixels())])
    });
    assert_eq!(failed.unwrap_err().to_string(), "a block: of no reason");
    assert!(made.into_inner() < 13, "the other thread goes on");
    drop(writers);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left over");
}
