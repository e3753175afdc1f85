//! Blocks read directly are the blocks that GDAL reads.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use worker::read::{Block, Fetched, GdalOpener, Headers, Open, Opener, Raster, Row};

/// Pixels with runs, ramps and noise; not a multiple of any block.
const SIZE: (usize, usize) = (301, 203);

fn value(i: usize) -> u32 {
    let noise = (i as u32).wrapping_mul(2_654_435_761) >> 20;
    if (i / 1000).is_multiple_of(3) { 0 } else { 900 + (i % 301) as u32 + noise % 50 }
}

/// Writes a TIFF of `SIZE` with some creation options, the first rows only where it is to be sparse.
fn write<T: GdalType + Copy>(path: &Path, options: &[&str], of: fn(u32) -> T, sparse: bool) {
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let (width, height) = SIZE;
    let options = RasterCreationOptions::from_iter(options.iter().copied());
    let mut dataset = driver.create_with_band_type_with_options::<T, _>(path, width, height, 1, &options).unwrap();
    dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).unwrap()).unwrap();
    dataset.set_geo_transform(&[500_000.0, 10.0, 0.0, 5_200_000.0, 0.0, -10.0]).unwrap();
    let mut band = dataset.rasterband(1).unwrap();
    band.set_no_data_value(Some(7.0)).unwrap();
    let rows = if sparse { 64 } else { height };
    let pixels = (0..width * rows).map(|i| of(value(i))).collect();
    band.write((0, 0), (width, rows), &mut Buffer::new((width, rows), pixels)).unwrap();
}

#[derive(Debug, PartialEq)]
enum Samples {
    U16(Vec<u16>),
    F32(Vec<u32>),
    F64(Vec<u64>),
}

/// Some rows of a block as bits, so that not-a-number equals itself.
fn rows(raster: &mut dyn Raster, fetched: &Fetched, block: Block, wanted: std::ops::Range<usize>) -> Vec<Samples> {
    let mut rows = Vec::new();
    let mut expected = wanted.clone();
    let mut each = |y: usize, row: Row<'_>| {
        assert_eq!(Some(y), expected.next());
        rows.push(match row {
            Row::U16(s) => Samples::U16(s.to_vec()),
            Row::F32(s) => Samples::F32(s.iter().map(|v| v.to_bits()).collect()),
            Row::F64(s) => Samples::F64(s.iter().map(|v| v.to_bits()).collect()),
        });
    };
    raster.decode(fetched, block, wanted, &mut each).unwrap();
    rows
}

/// Compares all blocks of a raster, whole and in part; whether it was read directly.
fn agree(path: &Path) -> bool {
    let (headers, href) = (Headers::default(), path.to_str().unwrap());
    let mut direct = Opener::new(&headers).open(href, None).unwrap();
    let mut gdal = GdalOpener.open(href, None).unwrap();
    assert_eq!(direct.layout(), gdal.layout(), "{href}");
    let (across, down) = direct.layout().blocks();
    let blocks: Vec<Block> = (0..down).flat_map(|y| (0..across).map(move |x| Block { x, y })).collect();
    let (mut ours, mut theirs) = (Fetched::default(), Fetched::default());
    direct.expect(&blocks);
    direct.fetch(&blocks, &mut ours).unwrap();
    for block in &blocks {
        gdal.fetch(&[*block], &mut theirs).unwrap();
        let (.., height) = direct.layout().rect(*block);
        for wanted in [0..height, height / 3..height / 2 + 1] {
            let expected = rows(gdal.as_mut(), &theirs, *block, wanted.clone());
            assert_eq!(rows(direct.as_mut(), &ours, *block, wanted), expected, "{href} {block:?}");
        }
        assert_eq!(direct.validity(*block).unwrap(), gdal.validity(*block).unwrap(), "{href} {block:?}");
    }
    gdal.fetch(&blocks, &mut theirs).unwrap();
    let is_direct = !ours.bytes.is_empty();
    assert!(!is_direct || ours.size == theirs.size, "{href}: {} bytes, GDAL says {}", ours.size, theirs.size);
    is_direct
}

#[test]
fn every_way_to_store_samples() {
    let dir = tempfile::tempdir().unwrap();
    let tiles = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=32"];
    for (layout, shape) in [("tiles", &tiles[..]), ("strips", &["BLOCKYSIZE=50"])] {
        for compression in ["NONE", "DEFLATE"] {
            for predictor in ["PREDICTOR=1", "PREDICTOR=2", "PREDICTOR=3"] {
                for sparse in [false, true] {
                    let name = |of: &str| dir.path().join(format!("{layout}{compression}{predictor}{sparse}{of}.tif"));
                    let compress = format!("COMPRESS={compression}");
                    let options =
                        [shape, &[&compress, predictor, if sparse { "SPARSE_OK=TRUE" } else { "SPARSE_OK=FALSE" }]]
                            .concat();
                    if predictor != "PREDICTOR=3" {
                        write(&name("u8"), &options, |v| v as u8, sparse);
                        write(&name("u16"), &options, |v| v as u16, sparse);
                        assert!(agree(&name("u8")) && agree(&name("u16")), "{options:?} is read by GDAL");
                    }
                    if predictor != "PREDICTOR=2" {
                        write(&name("f32"), &options, |v| v as f32 / 255.0, sparse);
                        assert!(agree(&name("f32")), "{options:?} is read by GDAL");
                    }
                }
            }
        }
    }
}

/// Rasters of one opener tell what they will decode before any of it is decoded: of each the same comes out, in whatever
/// order it is asked for, and where one is left out.
#[test]
fn blocks_that_are_announced_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let tiles = ["TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=64"];
    let options = |more: &[&'static str]| [&tiles[..], more].concat();
    let deflated = options(&["COMPRESS=DEFLATE", "PREDICTOR=2"]);
    write(&path("a.tif"), &deflated, |v| (v.wrapping_mul(2_654_435_761) >> 22) as u16, false);
    write(&path("b.tif"), &deflated, |v| v as u16, true);
    write(&path("c.tif"), &options(&["COMPRESS=NONE"]), |v| v as u16, false);
    write(&path("d.tif"), &options(&["COMPRESS=DEFLATE"]), |v| v as f32 / 255.0, false);
    let (headers, names) = (Headers::default(), ["a.tif", "b.tif", "c.tif", "d.tif", "a.tif"]);
    let mut opener = Opener::new(&headers);
    for block in [Block { x: 0, y: 0 }, Block { x: 2, y: 3 }, Block { x: 1, y: 1 }] {
        for left_out in 0..names.len() {
            let mut open: Vec<_> =
                names.iter().map(|n| opener.open(path(n).to_str().unwrap(), None).unwrap()).collect();
            let mut fetched = vec![Fetched::default(); names.len()];
            for (raster, fetched) in open.iter_mut().zip(&mut fetched) {
                raster.fetch(&[block], fetched).unwrap();
                raster.announce(fetched, block, &(3..11));
            }
            for at in (0..names.len()).rev().filter(|at| *at != left_out) {
                let mut gdal = GdalOpener.open(path(names[at]).to_str().unwrap(), None).unwrap();
                let mut theirs = Fetched::default();
                gdal.fetch(&[block], &mut theirs).unwrap();
                let expected = rows(gdal.as_mut(), &theirs, block, 3..11);
                let found = rows(open[at].as_mut(), &fetched[at], block, 3..11);
                assert_eq!(found, expected, "{} {block:?} without {left_out}", names[at]);
            }
        }
    }
}

#[test]
fn what_is_not_read_directly_goes_through_gdal() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write(&path("big-endian.tif"), &["COMPRESS=DEFLATE", "PREDICTOR=2", "ENDIANNESS=BIG"], |v| v as u16, false);
    write(&path("lzw.tif"), &["COMPRESS=LZW", "PREDICTOR=2"], |v| v as u16, false);
    write(&path("bits.tif"), &["COMPRESS=DEFLATE", "NBITS=12"], |v| v as u16, false);
    write(&path("f64.tif"), &["COMPRESS=DEFLATE"], f64::from, false);
    write(&path("i16.tif"), &["COMPRESS=DEFLATE", "PREDICTOR=2"], |v| v as i16, false);
    for name in ["big-endian.tif", "lzw.tif", "bits.tif", "f64.tif", "i16.tif"] {
        assert!(!agree(&path(name)), "{name} is read directly");
    }
}

#[test]
fn a_file_that_changed_is_looked_at_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    let headers = Headers::default();
    let first = |headers: &Headers| {
        let mut raster = Opener::new(headers).open(path.to_str().unwrap(), None).unwrap();
        let (block, mut fetched) = (Block { x: 0, y: 0 }, Fetched::default());
        raster.fetch(&[block], &mut fetched).unwrap();
        rows(raster.as_mut(), &fetched, block, 0..1).remove(0)
    };
    write(&path, &["COMPRESS=DEFLATE"], |v| v as u16 + 1, false);
    assert!(matches!(first(&headers), Samples::U16(row) if row[0] == 1));
    write(&path, &["TILED=YES", "COMPRESS=DEFLATE", "PREDICTOR=2"], |v| v as u16 + 5, false);
    assert!(matches!(first(&headers), Samples::U16(row) if row[0] == 5));
}

#[test]
fn a_damaged_block_is_named_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tif");
    write(&path, &["TILED=YES", "COMPRESS=DEFLATE", "PREDICTOR=2"], |v| v as u16, false);
    let headers = Headers::default();
    let mut raster = Opener::new(&headers).open(path.to_str().unwrap(), None).unwrap();
    let (block, mut fetched) = (Block { x: 1, y: 0 }, Fetched::default());
    raster.fetch(&[block], &mut fetched).unwrap();
    let middle = fetched.bytes.len() / 2;
    fetched.bytes[middle] ^= 0x10;
    // Of all its rows: one that is read in part is not held against its checksum.
    let error = raster.decode(&fetched, block, 0..SIZE.1, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("a.tif") && error.contains("cannot be read") && error.contains("1, 0"), "{error}");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(600).unwrap();
    let error = raster.fetch(&[Block { x: 2, y: 3 }], &mut fetched).unwrap_err().to_string();
    assert!(error.contains("a.tif") && error.contains("cannot be read"), "{error}");
}

#[test]
fn real_scenes_and_scores() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/slovenia-120m");
    let tiffs = tiffs_below(&data);
    if tiffs.is_empty() {
        println!("SKIPPED: there are no rasters below {}", data.display());
        return;
    }
    for path in tiffs {
        assert!(agree(&path), "{} is read by GDAL", path.display());
    }
}

fn tiffs_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => tiffs_below(&path),
        Some(extension) if extension == "tif" => vec![path],
        _ => Vec::new(),
    };
    paths.flat_map(below).collect()
}
