//! Decoding blocks of bands and of scores: directly, and with GDAL.
#![allow(missing_docs, clippy::expect_used)]

use std::path::PathBuf;

use benches::{Masks, SIDE, Stack};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use tempfile::TempDir;
use worker::read::{Block, Fetched, GdalOpener, Headers, Open, Opener, Raster};

/// As the archive has them: 1024 pixels a side.
const BLOCK: Block = Block { x: 0, y: 0 };

fn main() {
    divan::main();
}

/// A COG-like file of one block.
fn file<T: GdalType + Copy>(dir: &TempDir, predictor: &str, pixels: Vec<T>) -> PathBuf {
    let path = dir.path().join("block.tif");
    let blocks = ["TILED=YES", "BLOCKXSIZE=1024", "BLOCKYSIZE=1024", "COMPRESS=DEFLATE", predictor];
    let options = RasterCreationOptions::from_iter(blocks);
    let driver = DriverManager::get_driver_by_name("GTiff").expect("GDAL has GTiff");
    let mut dataset =
        driver.create_with_band_type_with_options::<T, _>(&path, SIDE, SIDE, 1, &options).expect("a file can be made");
    dataset.set_geo_transform(&[500_000.0, 10.0, 0.0, 5_200_000.0, 0.0, -10.0]).expect("a TIFF has one");
    let mut band = dataset.rasterband(1).expect("it has a band");
    band.write((0, 0), (SIDE, SIDE), &mut Buffer::new((SIDE, SIDE), pixels)).expect("it can be written");
    path
}

fn band(dir: &TempDir) -> PathBuf {
    let mut stack = Stack::new(1, 1, Masks::Clouds);
    file(dir, "PREDICTOR=2", stack.bands.remove(0).remove(0))
}

/// Scores in steps of 1/255, as Cloud Score+ has them.
fn score(dir: &TempDir) -> PathBuf {
    let stack = Stack::new(1, 1, Masks::Clouds);
    let step = |dn: &u16| f32::from(dn / 8 % 256) / 255.0;
    file(dir, "PREDICTOR=3", stack.bands[0][0].iter().map(step).collect())
}

/// Fetches and decodes the block again and again.
fn decode(bencher: Bencher<'_, '_>, mut raster: Box<dyn Raster>, bytes: usize) {
    let mut fetched = Fetched::default();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        raster.fetch(&[BLOCK], &mut fetched).expect("the block is there");
        let mut each = |_, row: worker::read::Row<'_>| {
            black_box(row);
        };
        raster.decode(&fetched, BLOCK, 0..SIDE, &mut each).expect("the block is whole");
    });
}

fn by_gdal(path: &std::path::Path) -> Box<dyn Raster> {
    // Else GDAL decodes once, and then copies what it has kept.
    gdal::config::set_config_option("GDAL_CACHEMAX", "100000").expect("GDAL takes options");
    GdalOpener.open(&path.to_string_lossy(), None).expect("it is a raster")
}

#[divan::bench]
fn band_directly(bencher: Bencher<'_, '_>) {
    let (dir, headers) = (TempDir::new().expect("there is room"), Headers::default());
    let path = band(&dir);
    let raster = Opener::new(&headers).open(&path.to_string_lossy(), None).expect("it is a raster");
    decode(bencher, raster, 2 * SIDE * SIDE);
}

#[divan::bench]
fn band_by_gdal(bencher: Bencher<'_, '_>) {
    let dir = TempDir::new().expect("there is room");
    decode(bencher, by_gdal(&band(&dir)), 2 * SIDE * SIDE);
}

#[divan::bench]
fn score_directly(bencher: Bencher<'_, '_>) {
    let (dir, headers) = (TempDir::new().expect("there is room"), Headers::default());
    let path = score(&dir);
    let raster = Opener::new(&headers).open(&path.to_string_lossy(), None).expect("it is a raster");
    decode(bencher, raster, 4 * SIDE * SIDE);
}

#[divan::bench]
fn score_by_gdal(bencher: Bencher<'_, '_>) {
    let dir = TempDir::new().expect("there is room");
    decode(bencher, by_gdal(&score(&dir)), 4 * SIDE * SIDE);
}
